"""What the endpoint gives back: messages to send, and what happened to calls. All frozen; the union is closed.

`call` is the id that names a call in every command: made by the endpoint for a call that comes in, by the application
for one that it dials. After CallCancelled, CallEnded, CallFailed, or after the application's own `hang_up` or
`reject`, no output names that call again, but for `Undelivered`.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import frozen

from .binding import Binding
from .dialog import MAX_FORWARDS
from .message import Address
from .sdp import SessionDescription

EndCause: TypeAlias = Literal["bye", "no-ack", "bad-answer", "lost", "expired"]


@frozen
class Transmit:
    """A message for `destination`: a datagram, or by TCP what goes on the connection with it, if there is one, and if
    not on one that is opened to `otherwise`; None: then it cannot be sent."""

    data: bytes
    destination: Address
    otherwise: Address | None = None


@frozen
class IncomingCall:
    """A new INVITE of a trunk; 100 has been sent. `number` is the user of the Request-URI, `caller` the asserted or
    the From user, None where it is withheld. `offer` None: the application makes the offer in `answer`. `peer` is the
    address it came from, `diverted_from` the number that the caller was diverted from, empty for none. `early`: it can
    hear us before the answer (`progress`). `forwards`: through so many hops it may still go."""

    call: str
    trunk: str
    number: str
    caller: str | None
    caller_name: str
    called_uri: str
    offer: SessionDescription | None
    peer: str
    diverted_from: str = ""
    early: bool = True
    forwards: int = MAX_FORWARDS


@frozen
class CallCancelled:
    """The caller left before the answer, or its invitation expired (487 has been sent), or it never acknowledged what
    it has to (RFC 3262; 504)."""

    call: str


@frozen
class CallConfirmed:
    """Their ACK came. `answer` is there when the INVITE (or re-INVITE) had no offer and `answer` (`reanswer`) made
    one."""

    call: str
    answer: SessionDescription | None


@frozen
class CallEnded:
    """The call was up, or answered, and is over. `bye`: they hung up (200 sent; `reason` is their Reason header).
    `no-ack`: our 200 was never acknowledged. `bad-answer`: to our offer came no answer that can be used. `lost`: they
    know of no such call, or do not answer. `expired`: nobody refreshed the session (RFC 4028). BYE has been sent."""

    call: str
    cause: EndCause
    reason: str = ""


@frozen
class CallReoffered:
    """Their re-INVITE or UPDATE. Answer with `reanswer` or `reject_reoffer`. `offer` None: they ask for ours."""

    call: str
    offer: SessionDescription | None


@frozen
class CallReanswered:
    """The answer to the description that we sent last: in a re-INVITE, of the application's or one that refreshes the
    session; or in `progress`, of a caller that made no offer."""

    call: str
    answer: SessionDescription


@frozen
class CallReofferRefused:
    """They did not take our re-INVITE; the call goes on as it was."""

    call: str
    status: int


@frozen
class CallKeyed:
    """They pressed a key, and say so by INFO; 200 has been sent. `digit` is one of `0123456789*#ABCD`."""

    call: str
    digit: str


@frozen
class CallReferred:
    """They want whom they talk with to have `number` in their place (REFER). Answer with `accept_referral` or
    `reject_referral`; then `referral_stands` tells them how it goes on, also after the end of the call."""

    call: str
    number: str


@frozen
class CallTried:
    """Who has our INVITE is there, and tries (100): what comes of it may take a while. Told once, and where the INVITE
    went out again for a challenge once more."""

    call: str


@frozen
class CallProgressed:
    """A provisional response to a call we dialled; `answer` for early media."""

    call: str
    status: int
    answer: SessionDescription | None


@frozen
class CallAnswered:
    """The callee answered; the ACK has been sent. `answer` None: what was agreed on while it rang (`CallReoffered`)
    stands."""

    call: str
    answer: SessionDescription | None


@frozen
class CallFailed:
    """A call we dialled ended without being up. 408: nobody responded; 503: the datagram could not be sent; 488: the
    2xx had no usable description, 400: it did not say where it is (BYE sent). `reason` is the phrase or the Reason
    header; `retry_after` in seconds. `redirects` are the Contacts of a 3xx that stay within the trunk's own hosts,
    preferred first. `cause` is what the telephone network said behind them (Q.850), 0: nothing."""

    call: str
    status: int
    reason: str
    retry_after: int | None = None
    redirects: tuple[str, ...] = ()
    cause: int = 0


@frozen
class Registered:
    """Where a guest is dialled from now on, preferred first. `lost`: a connection went, and a binding with it."""

    trunk: str
    bindings: tuple[Binding, ...]
    lost: bool = False


@frozen
class Sought:
    """The next hop of a dialog is a name: where does it lead? Answered once, by `located`. `name` is a SIP URI that has
    a host, a transport, and perhaps a port."""

    name: str


@frozen
class FlowLost:
    """The connection is gone by which this trunk's registrar was to reach us: where we are has to be said again."""

    trunk: str


@frozen
class Replied:
    """The one answer to `ask`; challenges have been answered before. 408 without a source: nobody responded; 503: the
    request could not be sent. `cseq` and `call_id` are those that it had in the end. `expires` is what a registrar
    granted for our Contact, `min_expires` what it wants at least (423), all in seconds. `routes` are the proxies that
    calls of whoever is registered have to pass, as Route values (RFC 3608)."""

    request: str
    status: int
    phrase: str
    source: Address | None
    cseq: int
    call_id: str
    expires: int | None = None
    min_expires: int | None = None
    retry_after: int | None = None
    routes: tuple[str, ...] = ()


@frozen
class Refused:
    """A message that never became a call, or that ends one of ours, of a trunk or of who says it is one, and why; also
    counted."""

    source: Address
    reason: str


@frozen
class Unconnected:
    """A connection to `remote` that was wanted and did not come about, and why. That what waited for it could not be
    sent is told next."""

    remote: Address
    reason: str


@frozen
class Undelivered:
    """A request of ours within a call that could not be sent, though it waited for a guest to register; also counted.
    The call may be over."""

    call: str
    trunk: str
    method: str


Output: TypeAlias = (
    Transmit
    | IncomingCall
    | CallCancelled
    | CallConfirmed
    | CallEnded
    | CallReoffered
    | CallReanswered
    | CallReofferRefused
    | CallKeyed
    | CallReferred
    | CallTried
    | CallProgressed
    | CallAnswered
    | CallFailed
    | Replied
    | Registered
    | FlowLost
    | Sought
    | Refused
    | Unconnected
    | Undelivered
)
