"""Next hops that are names, and what goes to them, for tests."""

from __future__ import annotations

from collections.abc import Sequence

from cordboard.sip.endpoint import Endpoint
from cordboard.sip.events import Output, Sought, Transmit
from cordboard.sip.message import Address, Request, parse

from . import net as n
from .far import SDP_TYPE, Scripted, reply

ROUTE = ("Record-Route", "<sip:Edge.carrier.example.;lr>")
NAME = "sip:edge.carrier.example;transport=udp"
ONE, TWO = Address("192.0.2.21", 5060), Address("192.0.2.22", 5060)


def sent(outputs: Sequence[Output]) -> list[tuple[str, Address]]:
    return [
        (str(parse(each.data)).partition(" ")[0], each.destination) for each in outputs if isinstance(each, Transmit)
    ]


def asks(outputs: Sequence[Output], method: str) -> list[tuple[Request, Address]]:
    found = [(parse(each.data), each.destination) for each in outputs if isinstance(each, Transmit)]
    return [(each, at) for each, at in found if isinstance(each, Request) and each.method == method]


def sought(outputs: Sequence[Output]) -> list[str]:
    return [each.name for each in outputs if isinstance(each, Sought)]


def known(*targets: Address, now: float = 0.0) -> Endpoint:
    """It has found the name before."""
    made = n.endpoint(n.A)
    first = Scripted(made, ROUTE, dialled=False, call_id="first")
    assert sought(made.hang_up(first.call, now)) == [NAME]
    ((bye, _),) = asks(made.located(NAME, targets, 60.0, now), "BYE")
    reply(made, bye, 200, now=now)
    return made


def over(endpoint: Endpoint, now: float = 1000.0) -> None:
    endpoint.wake(now)
    endpoint.wake(now + 100)
    assert endpoint.idle


GATE = "sip:gate.carrier.example:5070;transport=udp"
AT = Address("192.0.2.23", 5070)


def answered(endpoint: Endpoint, invite: Request, tag: str, now: float = 0.1) -> list[Output]:
    rows = ("Contact", "<sip:gw@gate.carrier.example:5070>"), SDP_TYPE
    return reply(endpoint, invite, 200, *rows, body=bytes(n.answer_to(n.OFFER_A)), tag=tag, now=now)


def by_tcp(endpoint: Endpoint) -> tuple[str, Address]:
    """A call that came by a connection, whose Contact is a name."""
    invite = (
        "INVITE sip:600@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.9;branch=z9hG4bKtcp\r\nMax-Forwards: 70\r\n"
        "To: <sip:600@192.0.2.1>\r\nFrom: <sip:gw@192.0.2.9>;tag=far\r\nCall-ID: tcp\r\nCSeq: 1 INVITE\r\n"
        "Contact: <sip:gw@gate.carrier.example:5070>\r\nContent-Type: application/sdp\r\n"
    )
    body = bytes(n.OFFER_A)
    peer = Address("192.0.2.9", 40000, "tcp")
    outputs = endpoint.receive(f"{invite}Content-Length: {len(body)}\r\n\r\n".encode() + body, peer, 0.0)
    call = outputs[-1].call  # type: ignore[union-attr]
    (ok,) = [parse(each.data) for each in endpoint.answer(call, n.OFFER_B, 0.0) if isinstance(each, Transmit)]
    ack = (
        "ACK sip:600@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.9;branch=z9hG4bKack\r\nMax-Forwards: 70\r\n"
        f"To: {ok.to}\r\nFrom: <sip:gw@192.0.2.9>;tag=far\r\nCall-ID: tcp\r\nCSeq: 1 ACK\r\n\r\n"
    )
    endpoint.receive(ack.encode(), peer, 0.0)
    return call, peer


def silence(endpoint: Endpoint, until: float) -> list[Output]:
    """What the endpoint does by itself up to then."""
    outputs: list[Output] = []
    while endpoint.deadline() <= until:
        outputs += endpoint.wake(endpoint.deadline())
    return outputs
