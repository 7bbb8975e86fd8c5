"""What a queue hears and what it remembers: the messages and the data of `queue.py`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum
from typing import Literal

from attrs import field, frozen

from . import acd, page
from . import call_state as calls
from .entries import NORMAL, Strategy
from .evolving import evolve
from .hours import Span
from .pace import UNKNOWN, Pace
from .patience import PATIENCE, Patience

# An agent that says nothing about an offer this long after its ring time is taken to be lost, and the call goes on.
OFFER_GRACE = 5.0


class Place(Enum):
    """Where one call stands in one queue."""

    ABSENT = "absent"
    WAITING = "waiting"
    OFFERED = "offered"


class Belief(Enum):
    """Why the queue takes an agent to do what it does."""

    UNKNOWN = "unknown"  # it is none of the queue's agents
    SAID = "said"
    RINGS = "rings"  # it was offered a call
    RINGS_FREE = "rings_free"  # ... and has said meanwhile that it is free
    TALKS = "talks"  # its answer counted
    REFUSED = "refused"  # it refused an offer, and was not free


class GaveBack(Enum):
    """How an agent's offer ended without an answer."""

    REFUSED = "refused"  # it did not ring: the agent was not free
    RETURNED = "returned"  # it rang, and the agent left
    DECLINED = "declined"
    MISSED = "missed"


# --- messages -----------------------------------------------------------------------------------------------------


@frozen
class Profile:
    """What the organisation says of the queue; comes again when it changes."""

    queue: str
    name: str
    ring_seconds: float = 30.0
    wrap_up_seconds: float = 0.0
    max_wait_seconds: float = 0.0
    announce_seconds: float = 0.0
    survey: bool = False
    strategy: Strategy = "longest-idle"
    widen_seconds: float = 0.0
    # How many may wait, 0: any number; and whether callers go on where nobody is signed in. Where to.
    max_waiting: int = 0
    sends_on_unattended: bool = False
    overflow: calls.Onward = calls.NOWHERE
    # When it is open, and where callers go when it is not.
    hours: tuple[Span, ...] = ()
    holidays: tuple[str, ...] = ()
    time_zone: str = "UTC"
    closed: calls.Onward = calls.NOWHERE
    announce_wait: bool = False
    # So long a caller is kept for who served it last, if that was within so many days; 0: not at all.
    last_agent_seconds: float = 0.0
    last_agent_days: int = 7
    patience: Patience = PATIENCE


@frozen
class Dismiss:
    """The queue is no longer in the organisation: its calls are told and it ends."""


@frozen
class Standing:
    """How an agent stands to the queue: what it is doing, and `who` it is where it is asked, as one of several; as it
    says, or as the queue believes."""

    doing: acd.Doing
    who: acd.Free
    follows: bool
    belief: Belief = Belief.SAID

    @property
    def at_work(self) -> bool:
        """It takes calls, or will when the one it has is over; not on break and not signed out."""
        return self.doing not in ("signed_out", "break")


@frozen
class AgentStands:
    """Said whenever it changes, but for what the queue notes itself: that its own offer rings, or was taken."""

    agent: str
    standing: Standing | None


@frozen
class Join:
    """A call waits from `since`; `again`: an agent had it and was lost, and it comes before all others. Of
    others the one of the lower `priority` comes first. It is told how the queue stands where it does not take that to
    be as in `stands`."""

    call: str
    number: str
    name: str
    dialled: str
    since: float
    again: bool = False
    diverted_from: str = ""
    direction: Literal["inbound", "outbound"] = "inbound"
    priority: int = NORMAL
    stands: calls.QueueStands | None = None


@frozen
class Leave:
    """The call is over while it waits or rings; `code` is a refusal of `page.REFUSALS`."""

    call: str
    code: str = "caller_left"


@frozen
class MessageLeft:
    """A call that the queue did not keep has left a message."""

    call: str


@frozen
class WhereAmI:
    """A call that waits asks for its number in line; answered by `InLine`."""

    call: str


@frozen
class LastServed:
    """The answer to `LookBack`: who served that caller last, or nobody."""

    call: str
    agent: str


@frozen
class Taken:
    """The call took this agent's answer to the offer of that serial; 0: to one that was not the queue's."""

    call: str
    agent: str
    serial: int = 0


@frozen
class OfferOver:
    """To who made the offer, with its serial."""

    call: str
    agent: str
    how: GaveBack
    serial: int = 0


@frozen
class Timeout:
    """Never sent: what `wake` looks up in the table."""


# --- inputs: what an agent is believed to do, whoever says it -----------------------------------------------------


@frozen
class Says:
    """It says how it stands."""

    agent: str
    standing: Standing


@frozen
class Offered:
    agent: str


@frozen
class OfferEnded:
    """What the queue offered it rings there no more; `how` is None where the agent never said anything to it."""

    agent: str
    how: GaveBack | None = None


@frozen
class Answered:
    """A call took its answer."""

    agent: str


# --- data ---------------------------------------------------------------------------------------------------------


@frozen
class Ring:
    """An offer of the queue that rings at an agent: until when, and which of all that it made."""

    until: float
    serial: int


@frozen
class Waiting:
    """One call. Where it rings, by agent; who is not offered it until when (inf: not while others can); how often it
    has been offered, to whomever."""

    join: Join
    rung: Mapping[str, Ring] = field(factory=dict)
    resting: Mapping[str, float] = field(factory=dict)
    offered: int = 0
    # Until when it is not offered, since it is looked who served it last (inf: it is not); and until when it is kept
    # for that agent (inf: it is not).
    looks_until: float = math.inf
    kept_for: str = ""
    kept_until: float = math.inf

    @property
    def moment(self) -> float:
        """When an offer of it is over, or where it rings nowhere, a rest; or for how long it was kept."""
        offers = min((ring.until for ring in self.rung.values()), default=math.inf)
        rests = math.inf if self.rung else min(self.resting.values(), default=math.inf)
        kept = min(self.looks_until, self.kept_until)
        return min(offers, rests, kept)

    def without(self, agent: str) -> Waiting:
        """It does not ring there any more."""
        return evolve(self, rung={name: ring for name, ring in self.rung.items() if name != agent})

    def rings(self, agent: str, serial: int) -> bool:
        """Whether that offer is still made; another may have come since, to the same agent."""
        ring = self.rung.get(agent)
        return ring is not None and ring.serial == serial


@frozen(slots=False)
class Data:
    profile: Profile
    # In the order they came (dicts keep it); replaced, never changed.
    calls: Mapping[str, Waiting] = field(factory=dict)
    # `Waiting.moment` of those that have one: of a thousand calls a few ring.
    moments: Mapping[str, float] = field()
    agents: Mapping[str, Standing] = field(factory=dict)
    # Of the offer that was made last.
    serial: int = 0
    # How many of them are free: it is asked at every step.
    idle: int = field()
    # What names all of the `agents`, as it was kept last, and when; empty: they are others since.
    roster: str = ""
    kept_at: float = 0.0
    # The place of the agent that was offered a call last.
    after: int = -1
    widens_at: float = math.inf
    pace: Pace = UNKNOWN
    # When a caller has left a message last.
    message_at: float | None = None
    told: page.QueueStatus | None = None
    tell_at: float = 0.0

    @moments.default
    def _moments(self) -> Mapping[str, float]:
        return {call: moment for call, each in self.calls.items() if (moment := each.moment) < math.inf}

    @idle.default
    def _idle(self) -> int:
        return sum(each.doing == "free" for each in self.agents.values())
