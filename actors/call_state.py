"""What a call hears and what it remembers: the messages and the data of `call.py` and `caller.py`.

A `line` (`line.py`) shares the half that is a far side, and what is said to trunks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum

from attrs import field, frozen

from ..sip import sdp
from ..sip.dialog import MAX_FORWARDS
from ..switch import protocol as media
from ..switch.sounds import BUILT_IN
from . import agent_state as agents
from . import records, signals, survey, voicemail
from .customs import CUSTOMS, Customs
from .entries import NORMAL
from .parties import HOLDS, Second, Standing
from .routes import Route
from .timeline import Timeline


class Phase(Enum):
    ROUTING = "routing"
    OPENING = "opening"
    WAITING = "waiting"
    TALKING = "talking"
    SERVED = "served"
    GOODBYE = "goodbye"
    SEEKING = "seeking"
    READYING = "readying"
    CALLING = "calling"


# --- messages -----------------------------------------------------------------------------------------------------


@frozen
class Routed:
    """The switchboard knows where the dialled number leads; `nat` is the trunk's setting.

    `language` and `country` are the organisation's: what prompts speak, and whose tones are heard; `music` is the
    queue's: what is heard where nobody talks. A call of a queue waits for `early_seconds` before it is answered, and
    stands in line by its `priority`; how the queue `stands` is what the organisation says, as if somebody were there.
    `customs`: what is done in it.
    """

    route: Route
    nat: bool
    language: str = "zh"
    music: str = BUILT_IN
    country: str = "CN"
    early_seconds: float = 0.0
    priority: int = NORMAL
    stands: QueueStands | None = None
    customs: Customs = CUSTOMS


@frozen
class NotRouted:
    """It leads nowhere: `status` answers the INVITE."""

    status: int
    reason: str
    retry_after: int = 0


@frozen
class Onward:
    """Where a call goes that its queue does not keep: to another queue, to a number, to leave a message, or to hear
    that it is over."""

    queue: agents.QueueKnown | None = None
    number: str = ""
    voicemail: bool = False


NOWHERE = Onward()
# Why a queue does not keep a call: the cause of its end where it goes nowhere.
CLOSED = "closed"
FULL = "the queue was full"
UNATTENDED = "nobody was signed in"
TOO_LONG = "waited too long"


@frozen
class SentOn:
    """The queue does not keep the call: `why` is one of the words above."""

    queue: str
    why: str
    to: Onward = NOWHERE


@frozen
class QueueStands:
    """How the queue stands in which the call waits: as it joins, where it does not know that, and whenever that
    changes. What an earlier queue of the call says is not for it.

    `attended`: some agent of it is signed in. A call that waits for longer than `max_wait_seconds` is let go, and hears
    its number in line every `announce_seconds`; 0: never. `survey`: it is asked for one when its agent hangs up.
    One that has waited too long goes where `overflow` says.
    """

    queue: str
    attended: bool
    max_wait_seconds: float = 0.0
    announce_seconds: float = 0.0
    survey: bool = False
    overflow: Onward = NOWHERE


@frozen
class InLine:
    """The answer to `queue.WhereAmI`: 1 is who is next, in so many `seconds`, where that can be told."""

    queue: str
    number: int
    seconds: float | None = None


@frozen
class Accept:
    """An agent answers the offer of that serial that this actor made; `leg` is its media, empty for a robot or while
    its media is away."""

    agent: str
    leg: str
    offerer: str = ""
    serial: int = 0

    @property
    def by_call(self) -> bool:
        """It is to an offer of the call itself, and not of a queue."""
        return self.offerer.startswith("call:")


@frozen
class HangUp:
    agent: str


@frozen
class Survey:
    """The agent's part is over at once: the far side is asked how satisfied it is, as soon as it is there."""

    agent: str


@frozen
class MuteAgent:
    agent: str
    muted: bool


@frozen
class Hold:
    """The agent puts the far side on hold."""

    agent: str


@frozen
class Retrieve:
    agent: str


@frozen
class Consult:
    """The agent consults another, the `target`, called `name`, at its page or on its mobile, or a `number`; `offer` is
    how the call is shown to it."""

    agent: str
    target: str
    name: str
    offer: agents.Offer
    number: str = ""
    mobile: bool = False


@frozen
class Invite:
    """... or wants it to talk with both."""

    agent: str
    target: str
    name: str
    offer: agents.Offer
    number: str = ""
    mobile: bool = False


@frozen
class Transfer:
    """... or to have the call, without a word. If nobody wants it and it came by no queue it goes to that of `home`."""

    agent: str
    target: str
    name: str
    offer: agents.Offer
    home: agents.QueueKnown | None = None
    number: str = ""
    mobile: bool = False


@frozen
class Divert:
    """The agent gives the call to a queue."""

    agent: str
    queue: agents.QueueKnown


@frozen
class Complete:
    """Whom the agent consults has the call from now on."""

    agent: str
    home: agents.QueueKnown | None = None


@frozen
class Cancel:
    """The second party is to leave."""

    agent: str


@frozen
class Swap:
    """The agent talks with the customer, and whom it consults waits; or the other way."""

    agent: str


@frozen
class Merge:
    """All three hear each other."""

    agent: str


@frozen
class AgentLeg:
    """By which leg the agent hears and is heard, empty for none; `away`: nothing comes from it for the moment."""

    agent: str
    leg: str
    away: bool = False


@frozen
class AgentDigit:
    """The agent pressed a key: it is for the caller's side."""

    agent: str
    digit: str


@frozen
class AgentGone:
    """The agent left without hanging up: the call goes back to the front of its queue."""

    agent: str


@frozen
class RoomFull:
    """The conference room has as many as it takes."""


@frozen
class Dial:
    """To the switchboard: an agent, heard by `leg`, wants to call a number. The call begins, or the agent hears why
    not. `shown` is the number of ours that is to be seen there; empty: the one that is nearest."""

    call: str
    agent: str
    number: str
    leg: str
    shown: str = ""


@frozen
class Seize:
    """To a trunk: a call or a line wants to go out here, by a host that it has not `tried`: `Granted` or `Denied` comes
    back. An `emergency` call passes its limits; with `down` a host will do that has not answered."""

    call: str
    tried: tuple[signals.Host, ...] = ()
    emergency: bool = False
    down: bool = False


@frozen
class Freed:
    """To a trunk: it does not go out here any more."""

    call: str


@frozen
class Trouble:
    """To a trunk: a host that was given to a call did not take it: it said nothing, or 5xx, or wants another password
    (`barred`)."""

    call: str
    host: signals.Host
    silent: bool
    retry_after: int | None = None
    barred: bool = False


@frozen
class LetIn:
    """To a trunk that wanted another password: it takes a call."""

    call: str


@frozen
class Granted:
    """A trunk takes the call that we dial: by this host."""

    trunk: str
    host: signals.Host
    nat: bool
    srtp: bool = False
    # The last one did not get in: it wants to know whether this one does.
    barred: bool = False
    # It has another host that answers and was not tried.
    more: bool = False


@frozen
class Redirected:
    """To the switchboard: the far side sends a call on that goes out by this trunk: `Follow` or `Stay` comes back. An
    `emergency` call may be sent on to an emergency number."""

    call: str
    trunk: str
    to: tuple[signals.Redirect, ...]
    emergency: bool = False


@frozen
class Follow:
    """The call may be sent on: to this number, in this writing, as the redirection says."""

    number: str
    dialled: str
    to: signals.Redirect


@frozen
class Stay:
    """It may not."""


@frozen
class Denied:
    """A trunk does not take it: `why` is a code of `page.FAILURES`."""

    trunk: str
    why: str


@frozen
class Timeout:
    """Never sent: what `wake` looks up in the table."""


# --- data ---------------------------------------------------------------------------------------------------------


@frozen
class Playing:
    """What is played to one listener alone."""

    source: str
    playlist: media.Playlist


@frozen
class Out:
    """What there is of a call out: how it may leave, and what became of the attempts so far."""

    number: str
    dialled: str
    # The number of ours that is shown, empty: none.
    shown: str = ""
    emergency: bool = False
    # Trunks that are left, the one that is tried first.
    trunks: tuple[str, ...] = ()
    # Those that an emergency call comes back to, when it has tried all that are up; and that it has come back.
    later: tuple[str, ...] = ()
    again: bool = False
    host: signals.Host | None = None
    tried: tuple[signals.Host, ...] = ()
    attempt: int = 0
    # The trunk wants to know whether it takes this one; and has another host that may do better.
    barred: bool = False
    more: bool = False
    # Where it was sent on to.
    followed: tuple[signals.Redirect, ...] = ()
    # What was dialled, where an emergency call was sent on to another number.
    wanted: str = ""
    # It rings there; media comes from there; and what comes is heard.
    rings: bool = False
    comes: bool = False
    early: bool = False
    # Until when something must be heard of it.
    until: float = math.inf
    # What is told of it where nothing else follows: a code of `page.FAILURES`, and what SIP said.
    why: str = "no_way_out"
    status: int = 0
    # Through so many hops it may go.
    forwards: int = MAX_FORWARDS


@frozen(slots=False)
class FarSide:
    """What there is of a far side, a caller or whoever is dialled: its SIP call, its media leg, and what it hears."""

    arrived: signals.Arrived
    since: float = 0.0
    # When the caller came: its place in a queue, whatever happens to it there.
    came: float = 0.0
    nat: bool = False
    language: str = "zh"
    music: str = BUILT_IN
    country: str = "CN"
    early_seconds: float = 0.0
    # When the caller is answered that waits already; until then it hears us all the same.
    answer_at: float = math.inf
    agreed: sdp.Agreed | None = None
    ours: sdp.SessionDescription | None = None
    # Of ours, those that the far side was told last; none where nothing is encrypted.
    keys: tuple[media.SrtpKey, ...] = ()
    version: int = 0
    # A new offer of the far side that waits for the leg to follow it, and what we take of it.
    reoffer: tuple[sdp.SessionDescription, sdp.Agreed] | None = None
    # Since when nothing comes from the far side.
    silent_since: float = math.inf
    # Whether sound comes from it, and ours goes to it.
    comes: bool = True
    goes: bool = True
    # The playlists that are heard, by their listener, and how many there have been.
    playing: Mapping[str, Playing] = field(factory=dict)
    plays: int = 0
    # Where we dial.
    out: Out | None = None

    @property
    def actor(self) -> str:
        """Whose it is."""
        return signals.actor(self.arrived.call)

    @property
    def leg(self) -> str:
        """By which it is heard."""
        return self.own_leg

    @property
    def own_leg(self) -> str:
        """Each attempt to reach it has one of its own."""
        attempt = self.out.attempt if self.out is not None else 0
        return f"{self.actor}/caller" + (f"/{attempt}" if attempt > 1 else "")

    @property
    def sip(self) -> str:
        """The call as SIP knows it."""
        return self.arrived.call if self.out is None else f"{self.arrived.call}/{self.out.attempt}"

    @property
    def player(self) -> str:
        """The source of the playlist that it hears; empty for none."""
        playing = self.playing.get(self.leg)
        return playing.source if playing is not None else ""

    @property
    def on_hold(self) -> bool:
        """It said that it holds us, in any of the ways there are (RFC 3264 §8.4): then it need not send."""
        return self.agreed is not None and (self.agreed.direction != "sendrecv" or self.agreed.remote is None)


@frozen
class Moved:
    """Who is in the place of a far side that was put through: the line by which it is reached, and which of the legs of
    the record is its own."""

    line: str
    leg: str
    number: str
    place: int


@frozen(slots=False)
class Data(FarSide):
    phase: Phase = Phase.ROUTING
    route: Route | None = None
    customs: Customs = CUSTOMS
    # How the far side has been heard.
    timeline: Timeline | None = None
    # Its place in line, and what the queue says in which it waits.
    priority: int = NORMAL
    # Before it joins.
    stands: QueueStands | None = None
    attended: bool = True
    overflow: Onward = NOWHERE
    # Queues that have sent it on: it comes to none of them again.
    left_queues: tuple[str, ...] = ()
    max_wait_seconds: float = 0.0
    announce_seconds: float = 0.0
    # ... and whether whoever talked in it is asked for a survey, when the agent hangs up.
    surveys: bool = False
    # When it hears its number in line.
    announce_at: float = math.inf
    # Why it ends, while the caller is told so.
    cause: str = ""
    agent: str = ""
    # The agent's media: its leg, none for a robot, or away until its page is back.
    agent_leg: str = ""
    agent_away: bool = False
    muted: bool = False
    # Who else is in the call, and since when the far side is held (inf: it is not).
    standing: Standing = Standing.TALKING
    second: Second | None = None
    # The far side is another by now, or has left before it is.
    moved: Moved | None = None
    left: bool = False
    held_since: float = math.inf
    # How many second parties there have been, and how often the call was given to another.
    brought: int = 0
    transfers: int = 0
    # What was recorded last: of the call, of its legs in the order they came, and of the last hold.
    entry: records.CallEntry | None = None
    legs: tuple[records.LegEntry, ...] = ()
    hold: records.HoldEntry | None = None
    transfer: records.TransferEntry | None = None
    # The survey that is or was asked; and for which agent it is, where it is asked as soon as the far side answers.
    survey: survey.Data | None = None
    asks_for: str = ""
    # The message that it leaves or has left.
    voicemail: voicemail.Data | None = None

    @property
    def leg(self) -> str:
        return self.moved.leg if self.moved is not None else self.own_leg

    @property
    def held(self) -> bool:
        """We hold the far side."""
        return self.standing in HOLDS
