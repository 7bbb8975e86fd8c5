"""The other side as a script: an endpoint of ours dials or is dialled, and its messages are answered by hand."""

from __future__ import annotations

from cordboard.sip.endpoint import Endpoint
from cordboard.sip.events import IncomingCall, Output, Transmit
from cordboard.sip.message import Address, Request, Response, Row, parse, respond

from . import net as n

PROXY = Address("192.0.2.9", 5060)
STRANGER = Address("203.0.113.5", 5060)
SDP_TYPE = ("Content-Type", "application/sdp")


def messages(outputs: list[Output]) -> list[Request | Response]:
    return [parse(output.data) for output in outputs if isinstance(output, Transmit)]


def requests(outputs: list[Output]) -> list[Request]:
    return [message for message in messages(outputs) if isinstance(message, Request)]


def responses(outputs: list[Output]) -> list[Response]:
    return [message for message in messages(outputs) if isinstance(message, Response)]


def statuses(outputs: list[Output]) -> list[int]:
    return [response.status for response in responses(outputs)]


def events(outputs: list[Output]) -> list[Output]:
    return [output for output in outputs if not isinstance(output, Transmit)]


def reply(
    endpoint: Endpoint,
    request: Request,
    status: int,
    *rows: Row,
    source: Address = PROXY,
    now: float = 0.1,
    body: bytes = b"",
    tag: str = "t",
) -> list[Output]:
    return endpoint.receive(bytes(respond(request, status, n.A, tag=tag, rows=tuple(rows), body=body)), source, now)


def answered(endpoint: Endpoint, request: Request, tag: str = "t") -> list[Output]:
    body = bytes(n.answer_to(n.OFFER_A))
    rows = ("Contact", "<sip:gw@192.0.2.9>"), ("Content-Type", "application/sdp")
    return reply(endpoint, request, 200, *rows, body=body, tag=tag)


class Scripted:
    """A call that is up, whose other side is this script. `dialled`: by the endpoint."""

    to = "<sip:600@192.0.2.1>"

    def __init__(
        self,
        endpoint: Endpoint,
        *rows: Row,
        dialled: bool = True,
        acknowledges: bool = True,
        now: float = 0.0,
        call_id: str = "scripted",
        to: str = to,
    ) -> None:
        self.endpoint = endpoint
        self.to = to
        self.tag, self.cseq = "far", 0
        if dialled:
            (invite,) = requests(endpoint.dial("out", "sip:600@192.0.2.9", PROXY, "1001", n.OFFER_A, now))
            self.call, self.invite = "out", invite
            self.ours = invite.from_.tag or ""
            self.call_id = invite.call_id
            rows = (("Contact", "<sip:gw@192.0.2.9>"), SDP_TYPE, *rows)
            self.answered = reply(
                endpoint, invite, 200, *rows, body=bytes(n.answer_to(n.OFFER_A)), tag=self.tag, now=now
            )
            return
        self.call_id, self.ours = call_id, ""
        out = self.send("INVITE", *rows, sdp=n.OFFER_A, now=now)
        incoming = out[-1]
        assert isinstance(incoming, IncomingCall)
        self.call = incoming.call
        self.answered = endpoint.answer(self.call, n.OFFER_B, now)
        self.ours = responses(self.answered)[-1].to.tag or ""
        if acknowledges:
            self.send("ACK", now=now)

    def send(
        self,
        method: str,
        *rows: Row,
        sdp: object = None,
        now: float = 0.0,
        cseq: int | None = None,
        contact: str = "<sip:gw@192.0.2.9>",
    ) -> list[Output]:
        """A request of the far side within the call."""
        if cseq is None and method != "ACK":
            self.cseq += 1
        number = self.cseq if cseq is None else cseq
        body = bytes(sdp) if sdp is not None else b""  # type: ignore[call-overload]
        kind = "Content-Type: application/sdp\r\n" if body else ""
        more = "".join(f"{name}: {value}\r\n" for name, value in rows)
        branch = f"z9hG4bK{self.call_id}{method}{number}"
        to = f";tag={self.ours}" if self.ours else ""
        head = (
            f"{method} sip:600@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch={branch}\r\nMax-Forwards: 70\r\n"
            f"To: {self.to}{to}\r\nFrom: <sip:gw@192.0.2.9>;tag={self.tag}\r\nCall-ID: {self.call_id}\r\n"
            f"CSeq: {number} {method}\r\nContact: {contact}\r\n{more}{kind}Content-Length: {len(body)}\r\n\r\n"
        )
        return self.endpoint.receive(head.encode() + body, PROXY, now)

    def wake(self, until: float) -> list[Output]:
        """All that the endpoint does by itself up to then."""
        out: list[Output] = []
        while (when := self.endpoint.deadline()) <= until:
            out += self.endpoint.wake(when)
        return out
