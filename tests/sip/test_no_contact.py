"""A 2xx that does not say where it is to be reached, as it must (RFC 3261 §12.1.1, §13.3.1.4), or so that nobody can
read it."""

from __future__ import annotations

import pytest
from cordboard.sip.endpoint import Endpoint
from cordboard.sip.events import CallFailed, CallReanswered, Output, Refused, Transmit
from cordboard.sip.message import Address, Request, Row, parse

from . import net as n
from .far import PROXY, SDP_TYPE, Scripted, events, reply, requests
from .hops import asks, silence

ODD: dict[str, tuple[Row, ...]] = {
    "none": (),
    "no URI": (("Contact", "<sip:>"),),
    "another scheme": (("Contact", "<tel:+861055501000>"),),
    "a route that is none": (("Contact", "<sip:gw@192.0.2.9>"), ("Record-Route", "junk")),
}
# Neither the proxy nor what was called
HEARD = Address("192.0.2.44", 5062)


def dialled(tcp: bool = False) -> tuple[Endpoint, Request]:
    endpoint = n.endpoint(n.A)
    at = Address(HEARD.host, HEARD.port, "tcp") if tcp else PROXY
    (invite,) = requests(endpoint.dial("out", "sip:600@192.0.2.9", at, "1001", n.OFFER_A, 0.0))
    return endpoint, invite


def sent(out: list[Output]) -> list[tuple[str, Address]]:
    found = [(parse(each.data), each.destination) for each in out if isinstance(each, Transmit)]
    return [(each.method, at) for each, at in found]


def answered(endpoint: Endpoint, invite: Request, *rows: Row, now: float = 0.1, **more: object) -> list[Output]:
    body = bytes(n.answer_to(n.OFFER_A))
    return reply(endpoint, invite, 200, *rows, SDP_TYPE, source=HEARD, body=body, now=now, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("rows", ODD.values(), ids=ODD)
def test_a_call_that_is_answered_so_is_acknowledged_and_ended_where_it_was_heard(rows: tuple[Row, ...]) -> None:
    """Else the callee, who has picked up, says so again and again, and hears nothing for half a minute."""
    endpoint, invite = dialled()
    out = answered(endpoint, invite, *rows)
    assert sent(out) == [("ACK", HEARD), ("BYE", HEARD)]
    ack, bye = requests(out)
    assert (ack.uri, ack.cseq, bye.uri, bye.cseq) == (invite.uri, 1, invite.uri, 2)
    assert (ack.to.tag, bye.to.tag) == ("t", "t")
    assert bye.get("Reason") == 'SIP;cause=400;text="no usable Contact"'
    refused, failed = events(out)
    assert isinstance(failed, CallFailed)
    assert (failed.call, failed.status) == ("out", 400)
    assert refused == Refused(HEARD, f"200: {failed.reason}"), "a word in the log"
    assert endpoint.counters["2xx without a dialog"] == 1
    # the ACK was lost
    assert sent(answered(endpoint, invite, *rows, now=0.6)) == [("ACK", HEARD)]
    reply(endpoint, bye, 200, source=HEARD, now=0.7)
    assert events(silence(endpoint, 200.0)) == []
    assert endpoint.idle


def test_one_that_crosses_our_cancel_is_let_go_there_too() -> None:
    endpoint, invite = dialled()
    reply(endpoint, invite, 180, source=HEARD)
    ((cancel, _),) = asks(endpoint.hang_up("out", 0.2), "CANCEL")
    reply(endpoint, cancel, 200, source=HEARD, now=0.3)
    out = answered(endpoint, invite, now=0.4)
    assert sent(out) == [("ACK", HEARD), ("BYE", HEARD)]
    assert [type(each) for each in events(out)] == [Refused]


def test_a_second_callee_behind_a_fork_is_let_go_there() -> None:
    endpoint, invite = dialled()
    answered(endpoint, invite, ("Contact", "<sip:gw@192.0.2.9>"))
    out = answered(endpoint, invite, tag="u", now=0.2)
    assert sent(out) == [("ACK", HEARD), ("BYE", HEARD)]
    assert {each.to.tag for each in requests(out)} == {"u"}
    assert endpoint.live_calls == 1


def test_what_it_says_on_a_connection_is_answered_on_that() -> None:
    endpoint, invite = dialled(tcp=True)
    at = Address(HEARD.host, HEARD.port, "tcp")
    out = reply(endpoint, invite, 200, SDP_TYPE, source=at, body=bytes(n.answer_to(n.OFFER_A)))
    assert sent(out) == [("ACK", at), ("BYE", at)]


@pytest.mark.parametrize("rows", [(), (("Contact", "<sip:>"),)], ids=["none", "no URI"])
def test_the_answer_to_an_offer_leaves_the_call_where_it_was(rows: tuple[Row, ...]) -> None:
    far = Scripted(n.endpoint(n.A))
    ((invite, _),) = asks(far.endpoint.reoffer("out", n.OFFER_B, 1.0), "INVITE")
    body = bytes(n.answer_to(n.OFFER_B))
    out = reply(far.endpoint, invite, 200, *rows, SDP_TYPE, body=body, tag="far", now=1.1)
    assert [type(each) for each in events(out)] == [CallReanswered]
    ((bye, at),) = asks(far.endpoint.hang_up("out", 2.0), "BYE")
    assert (bye.uri, at) == ("sip:gw@192.0.2.9", PROXY)
    assert far.endpoint.counters["2xx with a Contact that cannot be read"] == len(rows)
