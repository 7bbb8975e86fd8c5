"""What a source can say, a part of the planes' contract (protocol.py): sounds without an end, playlists of parts."""

from __future__ import annotations

from typing import Final

from attrs import frozen

# The piece of music that is always there.
BUILT_IN: Final = "hold"


@frozen
class Tone:
    """A sine of `frequency` Hz at -16 dBm0 or so."""

    frequency: float


@frozen
class Music:
    """A looped piece by name, of letters, digits, `.`, `_` and `-`; one is built in.

    Another is a file that is read when it is first wanted. Until it is there, and where it cannot be read
    (MusicTroubled), the built-in piece is heard in its place: who waits hears music.
    """

    name: str = BUILT_IN


@frozen
class Ringback:
    """The ringing tone of a country (codecs/callprogress.py), by ISO 3166 code."""

    country: str = "CN"


@frozen
class Busy:
    """The busy tone of a country, from the same list: a part of playlists."""

    country: str = "CN"


@frozen
class Prompt:
    """A spoken piece by name, in a language as `zh` or `en`."""

    name: str
    language: str


@frozen
class Pause:
    """Silence."""


Sound = Tone | Music | Ringback | Busy | Prompt | Pause


@frozen
class Part:
    """A sound for so many seconds. A Prompt is as long as it is: its `seconds` are 0, and those of no other sound.

    Music, tones and ringback rise from nothing and fall to it; music goes on where its part was last broken off.
    """

    sound: Sound
    seconds: float = 0.0


@frozen
class Playlist:
    """Parts one after the other, each from its beginning: announcements, and what is between them.

    It is for one listener: it begins when the source is first heard, so that nobody begins in mid-word. With `repeat`
    the first part follows the last for ever; else it plays once, SourceFinished says so, and it is silent.

    With `barge_in` a digit of the leg that hears it ends what is being said, between two ticks: the prompt that is
    played and those that follow it directly, as the digits of a number do. Other parts, and a prompt that has not
    begun, are left alone.

    With `asks` the keys of the leg that hears it are its answers: each is told as KeyAnswered, for as long as it is
    heard, be it over or not.
    """

    parts: tuple[Part, ...]
    repeat: bool = False
    barge_in: bool = False
    asks: bool = False


SourceKind = Tone | Music | Ringback | Playlist
