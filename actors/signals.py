"""What calls say to the SIP stack and hear from it: `sip/` in the words of a call, without messages or sockets.

The signalling shell turns these into commands of `sip.endpoint.Endpoint` and back. `call` is the endpoint's id of the
SIP call. `c` is that of a caller, and belongs to the actor `call:c`; `c/2` the second attempt of one that is dialled;
`c+x` belongs to `line:c+x`, another far side that is dialled for the call `c`. What is asked of a trunk's hosts outside
of calls is the trunk's: it is named `trunk:` and its id.
"""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from ..sip.binding import Binding
from ..sip.dialog import MAX_FORWARDS
from ..sip.sdp import TRUNK_CODECS, SessionDescription, TrunkCodec

# --- heard from SIP ---------------------------------------------------------------------------------------------


@frozen
class Arrived:
    """An INVITE of a trunk, from the address `peer`: the first message of its call actor. `caller` is empty where it is
    withheld; `codecs` are what it may speak; `diverted_from` is whom it had dialled that sent it on to us, empty:
    nobody says so. `srtp`: its media is encrypted, or there is none. `early`: it can hear us before the answer.
    `forwards`: so many hops away may be who is called for it (RFC 7332)."""

    call: str
    trunk: str
    dialled: str
    caller: str
    caller_name: str
    offer: SessionDescription | None
    peer: str
    codecs: tuple[TrunkCodec, ...] = TRUNK_CODECS
    diverted_from: str = ""
    srtp: bool = False
    early: bool = True
    forwards: int = MAX_FORWARDS


@frozen
class Confirmed:
    """The far side has answered an offer of ours: in the ACK where its INVITE carried none, or before that, to what was
    said early; or our re-INVITE."""

    call: str
    answer: SessionDescription


@frozen
class Cancelled:
    """The caller gave up before the answer; the INVITE has had its 487."""

    call: str


@frozen
class Released:
    """The SIP call is over: the far side's BYE, an ACK that never came, a transport that failed."""

    call: str
    cause: str
    by_caller: bool


@frozen
class Reoffered:
    """A re-INVITE with a new offer: answered by `Reanswer` or `RejectReoffer`."""

    call: str
    offer: SessionDescription | None


@frozen
class KeyPressed:
    """The caller pressed a key; its side says so by INFO, not in the media."""

    call: str
    digit: str


@frozen
class Referred:
    """The far side wants whom it talks with to have `number` in its place: answered by `AcceptReferral` or
    `RejectReferral`."""

    call: str
    number: str


SipSignal = Arrived | Confirmed | Cancelled | Released | Reoffered | KeyPressed | Referred


@frozen
class Progressed:
    """A call that we dialled makes its way, with status 1xx; `answer` is there where it can be heard already."""

    call: str
    status: int
    answer: SessionDescription | None


@frozen
class PickedUp:
    """A call that we dialled is answered; without an `answer` what was agreed on while it rang stands."""

    call: str
    answer: SessionDescription | None


@frozen
class Failed:
    """A call that we dialled came to nothing. `retry_after` in seconds where its host wants none meanwhile. `redirects`
    are where it sends the call on to, preferred first; `cause` is that of the telephone network (Q.850), 0: none."""

    call: str
    status: int
    reason: str
    retry_after: int | None = None
    redirects: tuple[Redirect, ...] = ()
    cause: int = 0


DialledSignal = Progressed | PickedUp | Failed


@frozen
class Host:
    """A machine that takes a trunk's calls: the address that its `proxy` has, and the proxies (`routes`) that what goes
    there passes. Of a `guest`, a PBX that registers with us, `proxy` is its Contact, and the address where it is
    heard."""

    proxy: str
    address: str
    port: int
    transport: str
    routes: tuple[str, ...] = ()
    guest: bool = False

    @property
    def fields(self) -> tuple[tuple[str, object], ...]:
        """As a line of the log has it: where a carrier is is no secret, where a guest comes from may be a home."""
        return ("address" if self.guest else "host", self.address), ("port", self.port)


@frozen
class Contact:
    """Where a PBX is that registers with us: `host` as a host of its trunk, until the `binding` ends."""

    host: Host
    binding: Binding


@frozen
class Registered:
    """Where the PBX of this trunk is from now on, preferred first. `lost`: a connection with it went."""

    contacts: tuple[Contact, ...]
    lost: bool = False


@frozen
class Redirect:
    """Where a host sends a call on to: another number, at one of the trunk's own hosts."""

    number: str
    host: Host


@frozen
class Resolved:
    """The hosts of a trunk as its proxies are found now, preferred first; `lasting` where no name was looked up, else
    they count for so many seconds. `proxies` are those that were asked for."""

    hosts: tuple[Host, ...]
    lasting: bool
    seconds: float = 60.0
    proxies: tuple[str, ...] = ()


@frozen
class Replied:
    """The answer to `Ask`, exactly one; of what an earlier process asked there is none. `heard`: it came from there,
    and is not the 408 or 503 of our own side that nobody said anything, or that it could not be sent, for the `trouble`
    of a connection where there was one. `routes`: what calls of whoever was registered have to pass."""

    ask: str
    status: int
    heard: bool
    cseq: int
    call_id: str
    expires: int | None = None
    min_expires: int | None = None
    retry_after: int | None = None
    routes: tuple[str, ...] = ()
    trouble: str = ""


@frozen
class FlowLost:
    """The connection is gone by which the carrier that registered us was to reach us."""


TrunkSignal = Resolved | Replied | Registered | FlowLost

# --- said to SIP ------------------------------------------------------------------------------------------------


@frozen
class AnswerEarly:
    """The caller hears us before it is answered (183)."""

    call: str
    description: SessionDescription


@frozen
class AnswerSip:
    call: str
    description: SessionDescription


@frozen
class Reject:
    """A final failure for an INVITE not yet answered; `retry_after` in whole seconds goes with 503."""

    call: str
    status: int
    reason: str = ""
    retry_after: int = 0


# `elsewhere`: somebody else answered who was called beside; `timer`: nothing was heard in time.
Why = Literal["cleared", "no_answer", "elsewhere", "timer", "failed"]


@frozen
class Release:
    """Ends the SIP call in whatever state it is. `cause` is in words, `why` what the far side is told of it."""

    call: str
    cause: str = ""
    why: Why = "cleared"


@frozen
class Reanswer:
    call: str
    description: SessionDescription


@frozen
class RejectReoffer:
    call: str
    status: int


@frozen
class Dial:
    """An INVITE to `number`, which was `dialled` so, by a host of the trunk. `call` is the actor's, with a `/` and the
    number of the attempt behind it. `shown` is the number of ours that is seen there, empty: none."""

    call: str
    trunk: str
    host: Host
    number: str
    dialled: str
    shown: str
    description: SessionDescription
    forwards: int = MAX_FORWARDS


@frozen
class AcceptReferral:
    call: str


@frozen
class RejectReferral:
    call: str
    status: int


@frozen
class ReferralStands:
    """How what was referred goes on, as the status of an INVITE; a final one is the last. Also after the call."""

    call: str
    status: int


ReferralCommand = AcceptReferral | RejectReferral | ReferralStands
CallCommand = AnswerEarly | AnswerSip | Reject | Release | Reanswer | RejectReoffer | Dial | ReferralCommand


def owner(call: str) -> str:
    """Without the attempt that `call` may be: the id of the actor that owns it."""
    return call.partition("/")[0]


def actor(call: str) -> str:
    """The actor that owns the SIP call."""
    whose = owner(call)
    return f"line:{whose}" if "+" in whose else f"call:{whose}"


def call_of(call: str) -> str:
    """The call for which there is this SIP call."""
    return owner(call).partition("+")[0]


@frozen
class Resolve:
    """Finds the hosts of a trunk's proxies: `Resolved` comes back."""

    trunk: str
    proxies: tuple[str, ...]


@frozen
class Ask:
    """A request outside of calls: `Replied` with the same `ask` comes back. A REGISTER binds `username` for `expires`
    seconds, 0: no longer; `call_id` is empty for the first of a registration."""

    ask: str
    trunk: str
    method: Literal["OPTIONS", "REGISTER"]
    host: Host
    username: str = ""
    expires: int = 0
    call_id: str = ""
    cseq: int = 1


@frozen
class Bind:
    """Where the PBX of a trunk is, for a SIP stack that has not been told."""

    trunk: str
    bindings: tuple[Binding, ...]


@frozen
class ServiceRoute:
    """The proxies that calls to any of the trunk's own hosts pass from now on, for it registered us so (RFC 3608)."""

    trunk: str
    routes: tuple[str, ...]


TrunkCommand = Resolve | Ask | Bind | ServiceRoute
SipCommand = CallCommand | TrunkCommand
