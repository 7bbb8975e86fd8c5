"""What an agent's page may ask of its agent actor, and what it hears back.

The classes are the protocol: `web/protocol.py` puts them on the wire by their `do` and `event` names and draws
docs/protocol.md from them; the agent actor receives a `Request` and answers it with effects. A reply means *accepted*;
results are events. Every event of one agent carries a revision that only grows, so that a page which took a snapshot at
revision n can drop what it hears up to n. All times are seconds since the Unix epoch.
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar, Literal

from attrs import field, frozen

from . import gate

# What a call is offered for: by its queue, or by another agent who consults, invites, or gives the call away; or it
# comes back to the agent that gave it away.
Kind = Literal["agent", "mobile", "number"]
Purpose = Literal["queue", "consult", "transfer", "three_way", "returned"]


class State(Enum):
    """The one state machine of an agent, as its log and its page show it."""

    SIGNED_OUT = "signed_out"
    IDLE = "idle"
    RINGING = "ringing"
    TALKING = "talking"
    AFTER_CALL_WORK = "after_call_work"
    BREAK = "break"
    MOBILE = "mobile_answer"


# --- commands ---------------------------------------------------------------------------------------------------


@frozen
class SignIn:
    """Makes the agent idle and this page the owner of its media.

    `sdp` is the page's WebRTC offer, kept connected until sign-out; the reply carries the answer as `sdp`, and as `leg`
    the name of the media connection. The answer has the addresses of `access_point`, one of those that
    `GET /api/access-points` lists, or of all of them where it is left out. A robot says `media: "none"` instead. Where
    another page owns the media the reply is the error `signed_in_elsewhere`, unless `take_over` is true: then that page
    hears `agent.taken_over`.
    """

    do: ClassVar[str] = "agent.sign_in"
    sdp: str = ""
    media: Literal["", "none"] = ""
    take_over: bool = False
    access_point: str = ""


@frozen
class Resume:
    """This page's websocket was lost and its media connection `leg` was not: it takes its seat again, and no audio
    changes. Refused with `media_lost` where that is not the agent's connection any more: then the page signs in anew.
    """

    do: ClassVar[str] = "agent.resume"
    leg: str


@frozen
class SignOut:
    """Ends routing to this agent. A ringing call goes back to its place in the queue; in a call it is refused."""

    do: ClassVar[str] = "agent.sign_out"


@frozen
class RenewMedia:
    """A new WebRTC offer in place of the media connection of sign-in; a call in progress goes on with it.

    With `leg`, the name of the connection that is there, the offer is an ICE restart of that one (RFC 8829 §5.2.1): its
    way changes, by `access_point` or because the page's network did, and nothing else. Refused with `media_lost` where
    that is not the agent's connection any more.
    """

    do: ClassVar[str] = "agent.media"
    sdp: str
    leg: str = ""
    access_point: str = ""


@frozen
class SetState:
    """Idle or on break. Going on break while ringing declines that offer."""

    do: ClassVar[str] = "agent.state"
    state: Literal["idle", "break"]


@frozen
class MobileAnswer:
    """From now on calls ring on a mobile: at `number`, or left out at the one that is known of the agent.

    The number must pass the dialling rules, and is kept. Accepted where the agent is signed out, idle, on break or in
    after-call work; the page's media connection is of no more use then. Whoever picks up presses 1 to take the call.
    Signing in, a break and signing out end it.
    """

    do: ClassVar[str] = "agent.mobile"
    number: str = ""


@frozen
class TestCall:
    """Between calls the agent hears itself through the switch, or no more; it ends after 30 s, or by an offer."""

    do: ClassVar[str] = "agent.test_call"
    on: bool


@frozen
class StartAnswering:
    """Ends after-call work: the agent is idle, whatever came before the call."""

    do: ClassVar[str] = "agent.start_answering"


@frozen
class Answer:
    """Takes the offered call. `call` may be left out: then it is the one that rings."""

    do: ClassVar[str] = "call.answer"
    call: str = ""


@frozen
class Decline:
    """Refuses the offered call: it goes to the next agent at once, and not to this one for 10 s."""

    do: ClassVar[str] = "call.decline"
    call: str = ""


@frozen
class HangUp:
    """Ends the call for both sides; after-call work begins."""

    do: ClassVar[str] = "call.hang_up"
    call: str = ""


@frozen
class Mute:
    """The caller no longer hears the agent; the agent hears the caller."""

    do: ClassVar[str] = "call.mute"
    call: str = ""


@frozen
class Unmute:
    do: ClassVar[str] = "call.unmute"
    call: str = ""


@frozen
class Hold:
    """The customer hears the hold prompt, and neither hears the other; what is so already is accepted."""

    do: ClassVar[str] = "call.hold"
    call: str = ""


@frozen
class Retrieve:
    """Both hear each other again."""

    do: ClassVar[str] = "call.retrieve"
    call: str = ""


@frozen
class Consult:
    """Asks somebody while the customer is held: a colleague in its page, with `mobile` on its mobile, or a `number`, in
    whatever writing. What becomes of it are events.
    """

    do: ClassVar[str] = "call.consult"
    agent: str = ""
    call: str = ""
    mobile: bool = False
    number: str = ""


@frozen
class Invite:
    """A colleague, or a number, is to talk with both; meanwhile they go on."""

    do: ClassVar[str] = "call.invite"
    agent: str = ""
    call: str = ""
    mobile: bool = False
    number: str = ""


@frozen
class Transfer:
    """Gives the call away, to a colleague, a number or a queue; this agent's after-call work begins at once.

    Who does not take it leaves it to this agent again: an offer of 20 s, of the purpose "returned".
    """

    do: ClassVar[str] = "call.transfer"
    agent: str = ""
    queue: str = ""
    call: str = ""
    mobile: bool = False
    number: str = ""


@frozen
class Complete:
    """The customer and whom this agent consults talk, and the call is no longer this agent's. While it still rings
    there it goes on as a transfer."""

    do: ClassVar[str] = "call.complete"
    call: str = ""


@frozen
class Cancel:
    """The second party is no longer in the call, or rings no more; who was held for a consultation is back."""

    do: ClassVar[str] = "call.cancel"
    call: str = ""


@frozen
class Swap:
    """In a consultation: who was held talks with this agent, and the other is held."""

    do: ClassVar[str] = "call.swap"
    call: str = ""


@frozen
class Merge:
    """A consultation becomes a conversation of all three."""

    do: ClassVar[str] = "call.merge"
    call: str = ""


@frozen
class Dial:
    """Calls a number, in whatever writing: from idle, break and after-call work. What becomes of it are events.

    The number passes the dialling rules first; one that does not is told by `call.failed`, as is every call that is not
    answered, and the agent does again what it did before. `call.hang_up` gives it up.

    `shown` is the number of ours that is seen there, one of those of `agent.numbers`. Where it is left out that is one
    at home in the city of who is called, else in the province, else any.
    """

    do: ClassVar[str] = "call.dial"
    number: str
    shown: str = ""


@frozen
class Survey:
    """Ends the agent's part of the call, and asks the customer how satisfied it was; after-call work begins at once.

    While dialling the customer is asked as soon as it answers.
    """

    do: ClassVar[str] = "call.survey"
    call: str = ""


@frozen
class GetSnapshot:
    """All that the page shows; the reply's fields are those of `Snapshot`."""

    do: ClassVar[str] = "snapshot"


@frozen
class WatchColleagues:
    """From now on this page hears how all agents stand: the whole list at once, then what changes (`colleagues`)."""

    do: ClassVar[str] = "colleagues.watch"


Command = (
    SignIn
    | Resume
    | SignOut
    | RenewMedia
    | SetState
    | MobileAnswer
    | TestCall
    | StartAnswering
    | Answer
    | Decline
    | HangUp
    | Mute
    | Unmute
    | Hold
    | Retrieve
    | Consult
    | Invite
    | Transfer
    | Complete
    | Cancel
    | Swap
    | Merge
    | Dial
    | Survey
    | GetSnapshot
    | WatchColleagues
)


@frozen
class Request:
    """A command as the agent receives it: whose page, which request, from which IP address."""

    session: str
    id: int
    peer: str
    command: Command


@frozen
class Attached:
    """A page logged in as this agent opened its websocket: it hears the agent's events from now on."""

    session: str


@frozen
class Detached:
    """That websocket is gone."""

    session: str


# --- replies ----------------------------------------------------------------------------------------------------


@frozen
class Accepted:
    """`{"id": ..., "ok": true}`; `sdp` and `leg` are there where a WebRTC offer was answered."""

    sdp: str = ""
    leg: str = ""


# Every code a reply's error may have, with what it tells a person; docs/protocol.md lists them.
REFUSALS: dict[str, str] = {
    "bad_request": "The message is not a request of this protocol.",
    "unknown_command": "There is no such command.",
    "not_signed_in": "Sign in first.",
    "not_owner": "Another page of this agent is signed in; take over first.",
    "signed_in_elsewhere": "This agent is signed in on another page; take over to use this one.",
    "media_refused": "The media offer cannot be used.",
    "media_lost": "That media connection is gone; sign in again.",
    "in_call": "Not while in a call.",
    "ringing": "Not while a call is ringing.",
    "not_in_after_call_work": "There is no after-call work to end.",
    "no_call": "There is no such call here.",
    "not_answered_yet": "The far side has not answered yet.",
    "not_ringing": "No call is ringing.",
    "caller_left": "The caller left before the answer.",
    "answered_elsewhere": "Another agent answered this call.",
    "no_answer": "The call was not answered in time.",
    "bad_target": "Name one target: a colleague or a number, or a queue for a transfer.",
    "no_such_agent": "There is no such colleague.",
    "own_self": "That is yourself.",
    "agent_not_idle": "This colleague is not idle.",
    "no_such_queue": "There is no such queue.",
    "second_there": "Somebody else is in this call; end that first.",
    "no_second": "You consult nobody, and nobody is invited.",
    "not_yours": "Who is consulted or invited does not control the call.",
    "on_hold": "Not while the customer is held.",
    "too_many_transfers": "This call has been transferred as often as a call may be.",
    "taken_back": "The other agent took it back.",
    "waited_too_long": "The caller had waited for as long as the queue allows.",
    "busy": "The switch is busy; try again.",
    "on_mobile": "Not while a call is on the mobile.",
    "no_mobile": "No mobile number is known of that agent.",
    **{str(why): words for why, words in gate.WORDS.items()},
}


# Every code that a call out may fail with, with what it tells a person; docs/protocol.md lists them.
FAILURES: dict[str, str] = {
    **{str(why): words for why, words in gate.WORDS.items()},
    "number_not_ours": "The caller number that you chose is no longer available; choose another.",
    "too_many_calls": "You have as many calls out as you may have.",
    "too_often": "You have dialled as often as you may in a minute.",
    "trunk_down": "The trunk that would take this call is down.",
    "not_registered": "The telephone system that would take this call is not connected.",
    "trunk_busy": "The trunk has as many calls as it may have.",
    "switch_busy": "The switch takes no more calls for now; try again.",
    "no_such_number": "The number is not in service.",
    "line_busy": "The line is busy.",
    "not_answered": "Nobody answered.",
    "switched_off": "The telephone is switched off, or out of reach.",
    "call_declined": "The call was declined.",
    "call_blocked": "A network on the way blocks this call as unwanted.",
    "number_wanted": "The other side takes no calls that show no number.",
    "trunk_refused": "The trunk does not let this call through.",
    "no_common_media": "The far side speaks nothing that the switch speaks.",
    "number_moved": "The number has moved.",
    "redirect_barred": "The number is forwarded to one that the dialling rules do not allow.",
    "unreachable": "The network cannot reach this number now.",
    "no_media": "The switch has no sound for this call.",
    "no_mobile": "No mobile number is known of that agent.",
    "not_accepted": "The call was picked up, and nobody pressed 1 to take it.",
    "given_up": "You hung up before there was an answer.",
    "call_failed": "The call failed.",
    "declined": "Your colleague declined.",
    "no_answer": "Your colleague did not answer.",
    "not_idle": "Your colleague is not idle any more.",
    "hung_up": "The other party hung up.",
    "gone": "The other party is gone.",
}


@frozen
class Refused:
    """`{"id": ..., "error": {"code": ..., "text": ...}}`; `code` is one of `REFUSALS`."""

    code: str
    text: str


def refuse(code: str, detail: str = "") -> Refused:
    """The refusal of that code, with `detail` after the text it always has."""
    return Refused(code, f"{REFUSALS[code]} {detail}".strip())


# --- events -----------------------------------------------------------------------------------------------------


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
    talks with the customer meanwhile. `number` is there where it is no agent's page."""

    purpose: Literal["consult", "three_way"]
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
    agent `by`. It becomes the agent where that one leaves the call to it.
    """

    event: ClassVar[str] = "call.parties"
    call: str
    role: Literal["agent", "second"] = "agent"
    customer_held: bool = False
    held_since: float | None = None
    second: SecondParty | None = None
    by: str = ""
    by_name: str = ""


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

    `far_` is what the browser's last report says of what it hears; null before the first.
    """

    event: ClassVar[str] = "media.quality"
    loss_percent: float
    jitter_ms: float
    delay_ms: float
    level: float
    rtt_ms: float | None = None
    far_loss_percent: float | None = None
    far_jitter_ms: float | None = None


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
    """How one of the agent's queues stands. `oldest_since` is when its longest waiting call came, or null."""

    event: ClassVar[str] = "queue.status"
    queue: str
    name: str
    waiting: int
    oldest_since: float | None
    agents_idle: int


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


@frozen
class LastCall:
    """The call whose paperwork is done: what its pages heard of it, for one that comes when it is over."""

    call: str
    queue: str
    queue_name: str
    number: str
    name: str
    dialled: str
    since: float
    ended: float
    by: str
    cause: str
    direction: Literal["inbound", "outbound"] = "inbound"
    diverted_from: str = ""
    purpose: Purpose = "queue"


@frozen
class QueueName:
    """A queue that a call can be given to."""

    queue: str
    name: str


@frozen
class Snapshot:
    """Everything a page needs to draw itself; deltas with a greater revision follow."""

    rev: int
    agent: str
    name: str
    state: State
    reason: str
    since: float
    # This page owns the media; another does; or the agent is signed out and nobody does.
    owner: Literal["this", "other", "none"]
    media: Literal["none", "connecting", "connected", "failed"]
    # When after-call work is over by itself, and whether its call began on break.
    until: float | None = None
    from_break: bool = False
    # Calls ring on the agent's mobile; and its number, where one is known.
    by_mobile: bool = False
    mobile: str = ""
    offered: CallOffered | None = None
    connected: CallConnected | None = None
    # ... and who is in it, and how.
    parties: CallParties | None = None
    # While a call of the agent's is on its way out.
    dialling: CallDialling | None = None
    # The media connection of whoever owns it: a page that finds its own here may resume.
    leg: str = ""
    # In a call whose agent cannot be heard: until when it waits for the agent.
    away_until: float | None = None
    # In a call where some sound does not get through: which.
    sound: CallSound | None = None
    # In after-call work: the call that was.
    last: LastCall | None = None
    # While the agent hears itself: until when.
    testing_until: float | None = None
    queues: tuple[QueueStatus, ...] = field(factory=tuple)
    # Those of ours that calls may show.
    numbers: tuple[str, ...] = ()
    # All queues: where a call may be transferred to.
    transfer_queues: tuple[QueueName, ...] = field(factory=tuple)
    now: float = 0.0
