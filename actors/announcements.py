"""What a caller hears while nobody talks with it: the prompts of `switch/voices`, with music and pauses between them.

In the language of the organisation, with the music of the queue. A playlist that repeats goes on for as long as its
reason lasts; after one that does not there is music again, or the end of the call.
"""

from __future__ import annotations

import math
from typing import Final

from ..switch.protocol import Busy, Music, Part, Pause, Playlist, Prompt, Tone

# Music between two announcements of the same, in seconds: who waits for long hears one about every 25 s, and who waits
# for an agent that comes back within 20 s or never hears two.
WAITING_MUSIC: Final = 20.0
AWAY_MUSIC: Final = 8.0
# A telephone that has just been answered takes a moment before it plays, and one that hears BYE may cut what it had not
# played yet: of the silence before the first word and after the last, in seconds.
LEAD: Final = 0.3
# Four beats of the slowest busy tone that there is, in seconds: fewer could be another tone.
BUSY: Final = 6.0
TAIL: Final = 0.4
# After which a message begins: short, and no tone of any network, in Hz and seconds.
BEEP_HZ: Final = 1000.0
BEEP: Final = 0.4
# What waits for so many minutes waits for more than an hour, and hears no more of it.
LONG_WAIT: Final = 60
# How long somebody has to find the key before it is asked for again.
ACCEPT_PAUSE: Final = 2.5


def nobody_here(language: str, music: str) -> Playlist:
    """No agent of the queue is signed in; a caller who has heard it presses a key, and hears music."""
    return Playlist(
        (
            Part(Pause(), LEAD),
            Part(Prompt("nobody-here", language)),
            Part(Pause(), LEAD),
            Part(Music(music), WAITING_MUSIC),
        ),
        repeat=True,
        barge_in=True,
    )


def position(language: str, number: int, seconds: float | None = None) -> Playlist:
    """Its number in line, digit by digit, and for how long it will wait where that is known; a key ends that,
    and there is music again."""
    words = ["position", *(f"digit-{digit}" for digit in str(number))]
    said = [Part(Prompt(word, language)) for word in words]
    if seconds is not None:
        said += [Part(Pause(), LEAD), *(Part(Prompt(word, language)) for word in wait(seconds))]
    return Playlist((Part(Pause(), LEAD), *said, Part(Pause(), LEAD)), barge_in=True)


def wait(seconds: float) -> list[str]:
    """The prompts that say about how long a wait is: in whole minutes, rather one too many."""
    minutes = math.ceil(seconds / 60)
    if minutes <= 1:
        return ["wait-short"]
    if minutes >= LONG_WAIT:
        return ["wait-long"]
    return ["wait", *_minutes(minutes), "minutes"]


def _minutes(minutes: int) -> list[str]:
    """Of 2 to 59, as it is said: twenty five, 二十五; of two things it is 两, and no digit."""
    tens, ones = divmod(minutes, 10)
    if minutes == 2 or 10 <= minutes < 20:
        return [f"number-{minutes}"]
    return [*([f"number-{10 * tens}"] if tens else []), *([f"digit-{ones}"] if ones else [])]


def closed(language: str) -> Playlist:
    """The queue is closed, and the call ends."""
    return Playlist((Part(Pause(), LEAD), Part(Prompt("closed", language)), Part(Pause(), TAIL)))


def agent_away(language: str, music: str) -> Playlist:
    """The agent of the conversation cannot be heard for the moment."""
    return Playlist(
        (Part(Prompt("agent-away", language)), Part(Pause(), LEAD), Part(Music(music), AWAY_MUSIC)), repeat=True
    )


def on_hold(language: str, music: str) -> Playlist:
    """The agent has put the call on hold: said once, and again after each piece of music."""
    return Playlist(
        (
            Part(Prompt("on-hold", language)),
            Part(Pause(), LEAD),
            Part(Music(music), WAITING_MUSIC),
            Part(Pause(), LEAD),
        ),
        repeat=True,
    )


def accept_call(language: str) -> Playlist:
    """A call rings on a mobile: whoever picked up says that it is no mailbox by pressing 1."""
    return Playlist(
        (Part(Pause(), LEAD), Part(Prompt("accept-call", language)), Part(Pause(), ACCEPT_PAUSE)),
        repeat=True,
        asks=True,
    )


def survey(language: str, seconds: float, *, again: bool = False) -> Playlist:
    """How satisfied the customer was, and the `seconds` to find a key; `again`: after one that was none of those."""
    asked = Part(Prompt("survey-again" if again else "survey", language))
    return Playlist((Part(Pause(), LEAD), asked, Part(Pause(), seconds)), barge_in=True, asks=True)


def thanks(language: str) -> Playlist:
    """What was asked for is said, and the call is over."""
    return Playlist((Part(Pause(), LEAD), Part(Prompt("survey-thanks", language)), Part(Pause(), TAIL)))


def voicemail(language: str) -> Playlist:
    """Nobody can take the call, which may leave a message after the tone; a key goes straight to that."""
    asked = Part(Prompt("voicemail", language))
    return Playlist((Part(Pause(), LEAD), asked, Part(Pause(), LEAD), Part(Tone(BEEP_HZ), BEEP)), barge_in=True)


def busy(country: str) -> Playlist:
    """What was dialled is taken, and the call ends: the tone of the country."""
    return Playlist((Part(Busy(country), BUSY),))


def goodbye(language: str) -> Playlist:
    """Nobody could take the call, and it ends."""
    return Playlist((Part(Pause(), LEAD), Part(Prompt("goodbye", language)), Part(Pause(), TAIL)))
