"""What calls say to the SIP stack and hear from it: `sip/` in the words of a call, without messages or sockets.

The signalling shell turns these into commands of `sip.endpoint.Endpoint` and back. `call` is the endpoint's id of the
SIP call; the actor that owns it is named `call:` and that id.
"""

from __future__ import annotations

from attrs import frozen

from ..sip.sdp import TRUNK_CODECS, SessionDescription, TrunkCodec

# --- heard from SIP ---------------------------------------------------------------------------------------------


@frozen
class Arrived:
    """An INVITE of a trunk, from the address `peer`: the first message of its call actor. `caller` is empty where it is
    withheld; `codecs` are what it may speak."""

    call: str
    trunk: str
    dialled: str
    caller: str
    caller_name: str
    offer: SessionDescription | None
    peer: str
    codecs: tuple[TrunkCodec, ...] = TRUNK_CODECS


@frozen
class Confirmed:
    """The ACK came; `answer` is in it where the INVITE carried no offer."""

    call: str
    answer: SessionDescription | None


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


SipSignal = Arrived | Confirmed | Cancelled | Released | Reoffered | KeyPressed

# --- said to SIP ------------------------------------------------------------------------------------------------


@frozen
class Ring:
    call: str


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


@frozen
class Release:
    """Ends the SIP call in whatever state it is."""

    call: str
    cause: str = ""


@frozen
class Reanswer:
    call: str
    description: SessionDescription


@frozen
class RejectReoffer:
    call: str
    status: int


SipCommand = Ring | AnswerSip | Reject | Release | Reanswer | RejectReoffer
