"""What pages hear, by the names of `event`."""

from __future__ import annotations

from enum import Enum
from typing import ClassVar, Literal

from attrs import frozen

# What a call is offered for: by its queue, or by another agent who consults, invites, or gives the call away; or it
# comes back to the agent that gave it away.
Kind = Literal["agent", "mobile", "number"]
Purpose = Literal["queue", "consult", "transfer", "three_way", "returned", "referred"]


class State(Enum):
    """The one state machine of an agent, as its log and its page show it."""

    SIGNED_OUT = "signed_out"
    IDLE = "idle"
    RINGING = "ringing"
    TALKING = "talking"
    AFTER_CALL_WORK = "after_call_work"
    BREAK = "break"
    MOBILE = "mobile_answer"


@frozen
class AgentState:
    """The agent's state changed; `reason` says why in a word or two, `since` when.

    `until` is there where it ends by itself: after-call work of a queue that allows only so much of it. `from_break`:
    after-call work of a call that began on break. `by_mobile`: calls ring on the agent's mobile, this one too.
    """

    event: ClassVar[str] = "agent.state"
    state: State
    reason: str
    since: float
    until: float | None = None
    from_break: bool = False
    by_mobile: bool = False


@frozen
class CallOffered:
    """A call rings here. `number` is empty where the caller withheld it; unanswered at `ring_until` it moves on.

    `diverted_from` is the number that the caller had dialled and that sent the call on to `dialled`; empty: none.
    `purpose`: by a queue; or the agent `by` consults, invites, or gives its call away; or it comes back from `by`, or
    from `by_number`, who did not take it: `why` is one of the codes of failures.
    """

    event: ClassVar[str] = "call.offered"
    call: str
    queue: str
    queue_name: str
    number: str
    name: str
    dialled: str
    waiting_since: float
    offered_at: float
    ring_until: float
    diverted_from: str = ""
    purpose: Purpose = "queue"
    by: str = ""
    by_name: str = ""
    by_number: str = ""
    why: str = ""
    status: int = 0


@frozen
class CallWithdrawn:
    """The offer is gone: caller left, answered elsewhere, no answer, waited too long, declined, signed out, break, or
    failed.
    """

    event: ClassVar[str] = "call.withdrawn"
    call: str
    reason: str


@frozen
class CallConnected:
    """Both hear each other from the next tick on."""

    event: ClassVar[str] = "call.connected"
    call: str
    queue: str
    queue_name: str
    number: str
    name: str
    dialled: str
    since: float
    muted: bool = False
    direction: Literal["inbound", "outbound"] = "inbound"
    diverted_from: str = ""
    purpose: Purpose = "queue"
    by: str = ""
    by_name: str = ""


@frozen
class CallDialling:
    """A call is on its way to `number`; told again as it goes on. It `rings` there; `early`: it is heard already."""

    event: ClassVar[str] = "call.dialling"
    call: str
    number: str
    since: float
    rings: bool = False
    early: bool = False


@frozen
class CallFailed:
    """The call to `number` came to nothing: `why` is one of the codes of failures, `status` the SIP answer, or 0."""

    event: ClassVar[str] = "call.failed"
    call: str
    number: str
    why: str
    text: str
    status: int = 0


@frozen
class CallMuted:
    """What the switch does with the agent's voice now."""

    event: ClassVar[str] = "call.muted"
    call: str
    muted: bool


@frozen
class SecondParty:
    """Who is in a call beside the customer and the agent whose call it is, or rings, `since` then; `held`: the agent
    talks with the customer meanwhile. `number` is there where it is no agent's page. Where the customer's side puts the
    call through to another, "referred", that one rings, and has the customer's place when it answers."""

    purpose: Literal["consult", "three_way", "referred"]
    kind: Kind
    agent: str
    name: str
    number: str
    state: Literal["ringing", "talking"]
    early: bool
    held: bool
    since: float


@frozen
class CallParties:
    """Who is in the call, and how: told whenever that changes. `held_since`: since when the customer is held.

    For the one whose call it is, `role` "agent", and for the `second` party, who hears of itself: it is there for the
    agent `by`. It becomes the agent where that one leaves the call to it. `number` is the customer's where its side put
    the call through to another, else empty.
    """

    event: ClassVar[str] = "call.parties"
    call: str
    role: Literal["agent", "second"] = "agent"
    customer_held: bool = False
    held_since: float | None = None
    second: SecondParty | None = None
    by: str = ""
    by_name: str = ""
    number: str = ""


@frozen
class CallSecondOver:
    """A second party did not come, or is gone: `why` is one of the codes of failures, `status` the SIP answer, or 0."""

    event: ClassVar[str] = "call.second_over"
    call: str
    purpose: Purpose
    kind: Kind
    agent: str
    name: str
    number: str
    why: str
    text: str
    status: int = 0


@frozen
class CallAway:
    """The agent's audio is gone: the caller hears a prompt, and goes back to the front of the queue at `until`."""

    event: ClassVar[str] = "call.away"
    call: str
    until: float


@frozen
class CallBack:
    """The agent's audio is back: both hear each other."""

    event: ClassVar[str] = "call.back"
    call: str


@frozen
class CallSound:
    """Whose sound does not get through in the call; told when that changes, and all is well until it is told.

    `caller_heard`: what the caller says comes to the switch. `caller_hears` and `agent_hears`: what the switch sends
    arrives there. `caller_silent_since`: since when nothing at all came from the caller, be it that it pauses, or null.
    """

    event: ClassVar[str] = "call.sound"
    call: str
    caller_heard: bool = True
    caller_hears: bool = True
    agent_hears: bool = True
    caller_silent_since: float | None = None


@frozen
class TestCallBegun:
    """The agent hears itself, until `until` at most."""

    event: ClassVar[str] = "agent.test_call"
    until: float


@frozen
class TestCallOver:
    """The agent no longer hears itself."""

    event: ClassVar[str] = "agent.test_call_over"


@frozen
class CallEnded:
    """The call is over: `by` is "caller", "callee", "agent" or "system"; `cause` is for people."""

    event: ClassVar[str] = "call.ended"
    call: str
    by: str
    cause: str


@frozen
class MediaConnected:
    """The media connection of sign-in is up: calls can come."""

    event: ClassVar[str] = "media.connected"


@frozen
class MediaFailed:
    """The media connection is lost: the owner's page renews it with `agent.media`. No call is offered meanwhile."""

    event: ClassVar[str] = "media.failed"
    reason: str


@frozen
class MediaQuality:
    """The agent's voice as the switch hears it, every 2 s: loss in percent, the rest in milliseconds and dBov.

    `far_` is what the browser's last report says of what it hears; null before the first. `speaks`: the switch heard
    the agent speak in these 2 s; `hears_speech`: somebody spoke whom the agent was to hear.
    """

    event: ClassVar[str] = "media.quality"
    loss_percent: float
    jitter_ms: float
    delay_ms: float
    level: float
    rtt_ms: float | None = None
    far_loss_percent: float | None = None
    far_jitter_ms: float | None = None
    speaks: bool = False
    hears_speech: bool = False


@frozen
class TakenOver:
    """Another page of this agent took over; this one no longer owns the media and may only watch."""

    event: ClassVar[str] = "agent.taken_over"


@frozen
class Seat:
    """The page that carried the audio is gone, by its websocket alone or altogether; or there is one again."""

    event: ClassVar[str] = "agent.seat"
    taken: bool


@frozen
class Numbers:
    """The numbers of ours that the agent's calls may show, as they changed."""

    event: ClassVar[str] = "agent.numbers"
    numbers: tuple[str, ...]


@frozen
class QueueStatus:
    """How one of the agent's queues stands. `oldest_since` is when its longest waiting call came, or null; `message_at`
    when a caller has left a message last."""

    event: ClassVar[str] = "queue.status"
    queue: str
    name: str
    waiting: int
    oldest_since: float | None
    agents_idle: int
    message_at: float | None = None


@frozen
class Colleague:
    """How one agent stands, the page's own among them."""

    agent: str
    name: str
    state: State
    reason: str
    since: float
    # A mobile number is known, where it can be reached in any state.
    mobile: bool = False


@frozen
class Colleagues:
    """How agents stand who `changed`, and who is `gone`; where it `begins`, the page forgets the list it had.

    For pages that asked by `colleagues.watch`. Its `rev` counts the changes of this list and not those of the agent.
    """

    event: ClassVar[str] = "colleagues"
    begins: bool = False
    changed: tuple[Colleague, ...] = ()
    gone: tuple[str, ...] = ()


Event = (
    AgentState
    | CallOffered
    | CallWithdrawn
    | CallConnected
    | CallDialling
    | CallFailed
    | CallMuted
    | CallParties
    | CallSecondOver
    | CallAway
    | CallBack
    | CallSound
    | TestCallBegun
    | TestCallOver
    | CallEnded
    | MediaConnected
    | MediaFailed
    | MediaQuality
    | TakenOver
    | Seat
    | Numbers
    | QueueStatus
    | Colleagues
)
