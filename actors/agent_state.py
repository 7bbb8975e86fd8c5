"""What an agent hears and what it remembers: the messages and the data of `agent.py`, `callee.py` and `seat.py`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum
from typing import Literal

from attrs import field, frozen

from ..sip.sdp import WEBRTC_CODECS, SessionDescription, WebrtcAgreed
from ..switch import protocol as media
from . import page, records
from .customs import CUSTOMS, Customs
from .entries import NORMAL
from .patience import PATIENCE, Patience
from .timeline import Timeline

# How an actor ends that the organisation no longer has.
DISMISSED = "dismissed"


class Phase(Enum):
    """MOBILE is idle with a mobile in the place of a page. ANSWERING lasts from the click until the call says who won;
    pages see it as ringing. DIALLING, which they see as talking, lasts until the far side answers."""

    SIGNED_OUT = "signed_out"
    IDLE = "idle"
    RINGING = "ringing"
    ANSWERING = "answering"
    TALKING = "talking"
    AFTER_CALL_WORK = "after_call_work"
    ON_BREAK = "break"
    DIALLING = "dialling"
    MOBILE = "mobile_answer"


_OTHERWISE = {Phase.ANSWERING: page.State.RINGING, Phase.DIALLING: page.State.TALKING}
# What pages and the log of states call each phase.
SHOWN = {phase: _OTHERWISE[phase] if phase in _OTHERWISE else page.State(phase.value) for phase in Phase}


# --- messages -----------------------------------------------------------------------------------------------------


@frozen
class QueueKnown:
    """A queue as a call may be given to it, with the music of who waits there."""

    queue: str
    name: str
    music: str


@frozen
class Skill:
    """A queue whose calls the agent takes; of several the calls of the lowest `priority` first."""

    queue: str
    level: int = 1
    priority: int = NORMAL


@frozen
class Profile:
    """Who the agent is; comes again when the organisation changes. `codecs` are what its pages may speak, preferred
    first, `numbers` those of ours that its calls may show; `queues` are all that there are, and `place` is its own in
    the organisation. `patience`: how long it is waited for, and those whom it asks; `customs`: what is done where it is
    set so."""

    agent: str
    name: str
    skills: tuple[Skill, ...]
    codecs: tuple[media.CodecName, ...] = WEBRTC_CODECS
    numbers: tuple[str, ...] = ()
    # The mobile number, in E.164 where it is a telephone number.
    mobile: str = ""
    queues: tuple[QueueKnown, ...] = ()
    place: int = 0
    patience: Patience = PATIENCE
    customs: Customs = CUSTOMS

    def skill(self, queue: str) -> Skill | None:
        return next((each for each in self.skills if each.queue == queue), None)


@frozen
class BindMobile:
    """To the switchboard: may this be the agent's mobile? `MobileBound` or `MobileBarred` comes back."""

    agent: str
    number: str


@frozen
class MobileBound:
    """It is from now on, written so."""

    number: str


@frozen
class MobileBarred:
    """It may not: a refusal of `page.REFUSALS`."""

    why: str


@frozen
class BindingLate:
    """Never sent: the switchboard says nothing about the mobile."""


@frozen
class AnswerByMobile:
    """After a restart: the agent answered by mobile, and does so again."""


@frozen
class Dismiss:
    """The agent is no longer in the organisation: ends at once, or when its call is over; a Profile undoes it."""


@frozen
class QueueStarted:
    """A queue of this name begins anew and knows nobody: it is told how the agent stands to it."""

    queue: str


@frozen
class Offer:
    """A queue, or a call itself, offers a call: `offerer` is its name. Rings until `now + ring_seconds`; the answer
    goes to the call, the rest to who offers. Who offers counts its offers: what is said to this one has its `serial`.

    What for, and in the name of which agent: `purpose`, `by`. Where it comes back: whom it was for, and `why`.
    """

    call: str
    queue: str
    queue_name: str
    number: str
    name: str
    dialled: str
    waiting_since: float
    ring_seconds: float
    wrap_up_seconds: float = 0.0
    direction: Literal["inbound", "outbound"] = "inbound"
    diverted_from: str = ""
    offerer: str = ""
    serial: int = 0
    purpose: page.Purpose = "queue"
    by: str = ""
    by_name: str = ""
    by_number: str = ""
    why: str = ""
    status: int = 0
    # How long it rings at who has given the call away, where nobody takes it.
    return_seconds: float = PATIENCE.back

    @property
    def by_call(self) -> bool:
        """No queue has made it."""
        return self.offerer.startswith("call:")


@frozen
class Withdraw:
    """Who made the offer takes it back; `code` is a refusal of `page.REFUSALS`."""

    call: str
    code: str


@frozen
class Joined:
    """The call took this agent: both hear each other. The `queue` in which it waited is told of it at once; empty:
    none."""

    call: str
    queue: str = ""


@frozen
class Lost:
    """The call did not take this agent's answer; `code` is a refusal of `page.REFUSALS`."""

    call: str
    code: str


@frozen
class Ended:
    """The call this agent talked in is over, or its part of it; `reason` is that of its state, where who hung up does
    not say it."""

    call: str
    by: str
    cause: str
    reason: str = ""


@frozen
class LetGo:
    """The call knows now that the agent had left it by itself, and does nothing with its leg any more. Until then it
    may have let it hear something, or nothing, wherever the agent is by now."""

    call: str


@frozen
class CallerSound:
    """How the sound of the caller fares that this agent talks with; all is well until it is told.

    It `comes`, and ours `goes` to it; since when nothing at all came from a caller who does not hold, or None.
    """

    call: str
    comes: bool = True
    goes: bool = True
    silent_since: float | None = None


@frozen
class PartiesMoved:
    """Who is in the call in which this agent talks, from now on; passed on to the pages. It was given to another agent
    or queue `transfers` times."""

    parties: page.CallParties
    transfers: int = 0


@frozen
class SecondOver:
    """Why a second party did not come, or is gone; passed on to the pages."""

    over: page.CallSecondOver


@frozen
class Sought:
    """The directory's answer about an agent who is wanted: its name, or the `code` of a refusal of `page.REFUSALS`."""

    agent: str
    name: str = ""
    code: str = ""


@frozen
class Dialled:
    """The number passed the gate, and the call is on its way."""

    call: str
    number: str


@frozen
class Progress:
    """The call that the agent dials rings there, or is heard already."""

    call: str
    rings: bool
    early: bool


@frozen
class NotConnected:
    """The call that the agent dialled came to nothing: a code of `page.FAILURES`, and the SIP status where one came."""

    call: str
    why: str
    status: int = 0


@frozen
class QueueMoved:
    """One of the agent's queues changed; passed on to the pages."""

    status: page.QueueStatus


@frozen
class Timeout:
    """Never sent: what `wake` looks up in the table."""


# --- data ---------------------------------------------------------------------------------------------------------


class MediaState(Enum):
    """The media connection of sign-in. ABSENT: none wanted (signed out, or a robot)."""

    ABSENT = "none"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    FAILED = "failed"


@frozen
class Opening:
    """A WebRTC leg whose opening was asked of the engine, or the ICE restart of the one that is there, and the request
    that waits for its SDP answer."""

    request: page.Request
    leg: str
    offer: SessionDescription
    agreed: WebrtcAgreed
    restarts: bool = False


@frozen
class Seeking:
    """A second party was asked for, and the directory looks whether it can come."""

    request: page.Request
    agent: str
    until: float


@frozen
class Back:
    """What an agent did before it dialled, or before its own call came back to it, and does again where that came to
    nothing."""

    phase: Phase
    reason: str
    call: Offer | None
    last: page.LastCall | None


@frozen(slots=False)
class Data:
    """All that changes about an agent."""

    profile: Profile
    phase: Phase = Phase.SIGNED_OUT
    reason: str = "start"
    since: float = 0.0
    # Since when the agent is idle for its queues: an offer that was not answered does not count.
    idle_since: float = 0.0
    dismissed: bool = False
    # Since it signed in: how many calls it has taken, and for how long it has talked. When each of its queues had its
    # turn last.
    taken: int = 0
    talked: float = 0.0
    turns: Mapping[str, float] = field(factory=dict)
    # Pages: every attached websocket, the one that owns the media, and when that one went away (inf: it is there).
    rev: int = 0
    sessions: tuple[str, ...] = ()
    watching: tuple[str, ...] = ()  # of them, those that show the directory
    owner: str = ""
    owner_lost_at: float = math.inf
    # Media: the newest leg, the connected one that is used until the newest is, and the one being opened.
    robot: bool = False
    media: MediaState = MediaState.ABSENT
    leg: str = ""
    old_leg: str = ""
    legs_opened: int = 0
    restarts: int = 0
    opening: Opening | None = None
    # What the engine says of these legs: nothing comes from these; no STUN check came for `leg`.
    silent_legs: frozenset[str] = frozenset()
    unchecked: bool = False
    deaf_legs: frozenset[str] = frozenset()  # what we send does not arrive there
    # Until when the agent hears itself (inf: it does not).
    testing_until: float = math.inf
    # The call that rings, talks or has its paperwork done, and how the last one that went away did.
    call: Offer | None = None
    offered_at: float = 0.0
    # The queue that offers it knows by itself how the agent stands: nothing was said to it since.
    queue_knows: bool = False
    # Since when nobody is there who would hear it ring (inf: somebody is).
    unrung_since: float = math.inf
    muted: bool = False
    parties: page.CallParties | None = None
    transfers: int = 0
    seeking: Seeking | None = None
    last: page.LastCall | None = None
    # How the caller's sound fares, and how this agent has been heard.
    caller: CallerSound | None = None
    timeline: Timeline | None = None
    # Since when the one who talks cannot be heard (inf: can be).
    away_since: float = math.inf
    gone_call: str = ""
    gone_code: str = ""
    # Its calls ring on its mobile; the request to do so that waits for the gate; and the line that rings there or
    # talks, its leg where somebody has taken the call, and how many there have been.
    by_mobile: bool = False
    binding: page.Request | None = None
    binding_until: float = math.inf
    line: str = ""
    line_leg: str = ""
    lines: int = 0
    # While the agent dials: how far that has come, until when something must be heard of it, and what was before.
    dial: page.CallDialling | None = None
    dial_until: float = math.inf
    back_to: Back | None = None
    # The call that talks or has its paperwork done began on break.
    from_break: bool = False
    dials: int = 0
    queue_status: tuple[page.QueueStatus, ...] = ()
    # What was recorded last: the number of the state, and the offer.
    states: int = 0
    offer_entry: records.OfferEntry | None = None

    @property
    def present(self) -> bool:
        """The page that owns the media is there."""
        return self.owner != "" and self.owner_lost_at == math.inf

    @property
    def rest(self) -> Phase:
        """What the agent does when there is no call and no paperwork."""
        return Phase.MOBILE if self.by_mobile else Phase.IDLE

    @property
    def reachable(self) -> bool:
        """Somebody can take what rings here."""
        return self.by_mobile or self.present

    @property
    def on_the_mobile(self) -> bool:
        """A call rings or talks there."""
        return self.by_mobile and self.phase in (Phase.RINGING, Phase.ANSWERING, Phase.TALKING)

    @property
    def can_hear(self) -> bool:
        return self.by_mobile or self.robot or (self.media is MediaState.CONNECTED and not self.unchecked)

    @property
    def voice(self) -> str:
        """The leg by which the agent is heard now; empty for a robot or while its media is away."""
        if self.by_mobile:
            return self.line_leg
        return self.leg if self.media is MediaState.CONNECTED else self.old_leg

    @property
    def audible(self) -> bool:
        """Whether a caller would hear the agent. A websocket has no part in it, but where it is all there is; a line
        says itself when it is lost."""
        if self.by_mobile:
            return True
        if self.robot:
            return self.present
        return self.voice != "" and self.voice not in self.silent_legs and not self.unchecked

    @property
    def hears(self) -> bool:
        """What we send arrives at the agent, as far as its reports say."""
        return self.voice not in self.deaf_legs

    @property
    def in_call(self) -> bool:
        return self.phase in (Phase.ANSWERING, Phase.TALKING, Phase.DIALLING)

    @property
    def ready(self) -> bool:
        """May be offered a call: what is offered here rings somebody who can hear it."""
        return self.phase in (Phase.IDLE, Phase.MOBILE) and self.could_ring

    @property
    def could_ring(self) -> bool:
        """Somebody is there who would hear it ring."""
        if self.by_mobile:
            return self.opening is None and not self.dismissed
        return self.present and self.can_hear and not self.dismissed

    @property
    def may_return(self) -> bool:
        """In after-call work of a call that began on break."""
        return self.phase is Phase.AFTER_CALL_WORK and self.from_break

    @property
    def work_until(self) -> float:
        """When after-call work is over by itself."""
        if self.phase is Phase.AFTER_CALL_WORK and self.call is not None and self.call.wrap_up_seconds > 0:
            return self.since + self.call.wrap_up_seconds
        return math.inf

    @property
    def asked_for(self) -> bool:
        """What rings is meant for this agent, and not for whoever of a queue is free."""
        return self.call is not None and self.call.purpose != "queue"

    @property
    def ring_until(self) -> float:
        return self.offered_at + self.call.ring_seconds if self.call is not None else math.inf
