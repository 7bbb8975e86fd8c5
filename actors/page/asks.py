"""What a page may ask of its agent, by the names of `do`, and how the agent hears it.

Beside each stands what it may be refused with (`REFUSALS` has the words). Every request may be refused with
`bad_request`, and with `busy` where a page asks too much at once.
"""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from attrs import frozen

from .. import gate

# What only the page that has the seat may ask.
_SEATED: Final = ("not_signed_in", "not_owner")
# ... about a call, about who is in it, and about who is to come into it.
_ABOUT: Final = (*_SEATED, "no_call")
_PARTIES: Final = (*_ABOUT, "not_answered_yet", "not_yours")
_BRINGS: Final = (
    *_PARTIES,
    "second_there",
    "bad_target",
    "own_self",
    "no_such_agent",
    "agent_not_idle",
    "no_mobile",
    "busy",
)
# ... about a call that rang, and what became of it.
_RANG: Final = (
    *_SEATED,
    "in_call",
    "not_ringing",
    "caller_left",
    "answered_elsewhere",
    "no_answer",
    "taken_back",
    "waited_too_long",
)


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
    refusals: ClassVar[tuple[str, ...]] = ("on_mobile", "signed_in_elsewhere", "media_refused", "busy")
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
    refusals: ClassVar[tuple[str, ...]] = ("media_lost",)
    leg: str


@frozen
class SignOut:
    """Ends routing to this agent. A ringing call goes back to its place in the queue; in a call it is refused."""

    do: ClassVar[str] = "agent.sign_out"
    refusals: ClassVar[tuple[str, ...]] = (*_SEATED, "in_call")


@frozen
class RenewMedia:
    """A new WebRTC offer in place of the media connection of sign-in; a call in progress goes on with it.

    With `leg`, the name of the connection that is there, the offer is an ICE restart of that one (RFC 8829 §5.2.1): its
    way changes, by `access_point` or because the page's network did, and nothing else. Refused with `media_lost` where
    that is not the agent's connection any more.
    """

    do: ClassVar[str] = "agent.media"
    refusals: ClassVar[tuple[str, ...]] = (*_SEATED, "media_lost", "media_refused", "busy")
    sdp: str
    leg: str = ""
    access_point: str = ""


@frozen
class SetState:
    """Idle or on break. Going on break while ringing declines that offer."""

    do: ClassVar[str] = "agent.state"
    refusals: ClassVar[tuple[str, ...]] = (*_SEATED, "ringing", "in_call")
    state: Literal["idle", "break"]


@frozen
class MobileAnswer:
    """From now on calls ring on a mobile: at `number`, or left out at the one that is known of the agent.

    The number must pass the dialling rules, and is kept. Accepted where the agent is signed out, idle, on break or in
    after-call work; the page's media connection is of no more use then. Whoever picks up presses 1 to take the call.
    Signing in, a break and signing out end it.
    """

    do: ClassVar[str] = "agent.mobile"
    refusals: ClassVar[tuple[str, ...]] = ("not_owner", "ringing", "in_call", "no_mobile", "busy", *gate.WORDS)
    number: str = ""


@frozen
class TestCall:
    """Between calls the agent hears itself through the switch, or no more; it ends after 30 s, or by an offer."""

    do: ClassVar[str] = "agent.test_call"
    refusals: ClassVar[tuple[str, ...]] = (*_SEATED, "ringing", "in_call", "media_lost")
    on: bool


@frozen
class StartAnswering:
    """Ends after-call work: the agent is idle, whatever came before the call."""

    do: ClassVar[str] = "agent.start_answering"
    refusals: ClassVar[tuple[str, ...]] = (*_SEATED, "ringing", "in_call", "not_in_after_call_work")


@frozen
class Answer:
    """Takes the offered call. `call` may be left out: then it is the one that rings."""

    do: ClassVar[str] = "call.answer"
    refusals: ClassVar[tuple[str, ...]] = _RANG
    call: str = ""


@frozen
class Decline:
    """Refuses the offered call: it goes to the next agent at once, and not to this one for 10 s."""

    do: ClassVar[str] = "call.decline"
    refusals: ClassVar[tuple[str, ...]] = _RANG
    call: str = ""


@frozen
class HangUp:
    """Ends the call for both sides; after-call work begins."""

    do: ClassVar[str] = "call.hang_up"
    refusals: ClassVar[tuple[str, ...]] = _ABOUT
    call: str = ""


@frozen
class Mute:
    """The caller no longer hears the agent; the agent hears the caller."""

    do: ClassVar[str] = "call.mute"
    refusals: ClassVar[tuple[str, ...]] = _ABOUT
    call: str = ""


@frozen
class Unmute:
    do: ClassVar[str] = "call.unmute"
    refusals: ClassVar[tuple[str, ...]] = _ABOUT
    call: str = ""


@frozen
class Hold:
    """The customer hears the hold prompt, and neither hears the other; what is so already is accepted."""

    do: ClassVar[str] = "call.hold"
    refusals: ClassVar[tuple[str, ...]] = (*_PARTIES, "second_there")
    call: str = ""


@frozen
class Retrieve:
    """Both hear each other again."""

    do: ClassVar[str] = "call.retrieve"
    refusals: ClassVar[tuple[str, ...]] = (*_PARTIES, "second_there")
    call: str = ""


@frozen
class Consult:
    """Asks somebody while the customer is held: a colleague in its page, with `mobile` on its mobile, or a `number`, in
    whatever writing. What becomes of it are events.

    Whoever it is has `[calls] ring_seconds` to answer, of which setting up a call to a telephone, and the key 1 of a
    mobile, are a part.
    """

    do: ClassVar[str] = "call.consult"
    refusals: ClassVar[tuple[str, ...]] = _BRINGS
    agent: str = ""
    call: str = ""
    mobile: bool = False
    number: str = ""


@frozen
class Invite:
    """A colleague, or a number, is to talk with both; meanwhile they go on. Who is invited has as long to answer as who
    is consulted."""

    do: ClassVar[str] = "call.invite"
    refusals: ClassVar[tuple[str, ...]] = (*_BRINGS, "on_hold")
    agent: str = ""
    call: str = ""
    mobile: bool = False
    number: str = ""


@frozen
class Transfer:
    """Gives the call away, to a colleague, a number or a queue; this agent's after-call work begins at once.

    Who does not take it, in as long as one who is consulted has, leaves it to this agent again: an offer of `[calls]
    return_seconds`, of the purpose "returned".
    """

    do: ClassVar[str] = "call.transfer"
    refusals: ClassVar[tuple[str, ...]] = (*_BRINGS, "no_such_queue", "too_many_transfers")
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
    refusals: ClassVar[tuple[str, ...]] = (*_PARTIES, "no_second", "too_many_transfers")
    call: str = ""


@frozen
class Cancel:
    """The second party is no longer in the call, or rings no more; who was held for a consultation is back."""

    do: ClassVar[str] = "call.cancel"
    refusals: ClassVar[tuple[str, ...]] = (*_PARTIES, "no_second")
    call: str = ""


@frozen
class Swap:
    """In a consultation: who was held talks with this agent, and the other is held."""

    do: ClassVar[str] = "call.swap"
    refusals: ClassVar[tuple[str, ...]] = (*_PARTIES, "no_second")
    call: str = ""


@frozen
class Merge:
    """A consultation becomes a conversation of all three."""

    do: ClassVar[str] = "call.merge"
    refusals: ClassVar[tuple[str, ...]] = (*_PARTIES, "no_second")
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
    refusals: ClassVar[tuple[str, ...]] = (*_SEATED, "ringing", "in_call", "media_lost")
    number: str
    shown: str = ""


@frozen
class Survey:
    """Ends the agent's part of the call, and asks the customer how satisfied it was; after-call work begins at once.

    While dialling the customer is asked as soon as it answers.
    """

    do: ClassVar[str] = "call.survey"
    refusals: ClassVar[tuple[str, ...]] = (*_ABOUT, "not_yours", "busy")
    call: str = ""


@frozen
class GetSnapshot:
    """All that the page shows; the reply's fields are those of `Snapshot`."""

    do: ClassVar[str] = "snapshot"
    refusals: ClassVar[tuple[str, ...]] = ()


@frozen
class WatchColleagues:
    """From now on this page hears how all agents stand: the whole list at once, then what changes (`colleagues`)."""

    do: ClassVar[str] = "colleagues.watch"
    refusals: ClassVar[tuple[str, ...]] = ()


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
