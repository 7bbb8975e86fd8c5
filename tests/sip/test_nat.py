"""A trunk of a known address behind a NAT: what it says of itself leads nowhere, and where it is heard is the only way
there (RFC 3581 §1, `nat` of `[[trunk]]`)."""

from __future__ import annotations

import pytest
from cordboard.sip.endpoint import Endpoint, TrunkSettings
from cordboard.sip.events import CallAnswered, IncomingCall, Output, Transmit
from cordboard.sip.message import Address

from . import net as n
from .far import SDP_TYPE, reply, requests, responses
from .test_guests import SDP, build

# What the router makes of 10.0.0.5:5060 (`build`)
OUTSIDE = Address("203.0.113.7", 40123)


def fresh(*, nat: bool) -> Endpoint:
    endpoint = n.endpoint(n.A)
    endpoint.set_trunks({"office": TrunkSettings((OUTSIDE.host,), nat=nat)})
    return endpoint


def destinations(out: list[Output]) -> list[Address]:
    return [each.destination for each in out if isinstance(each, Transmit)]


@pytest.mark.parametrize(("nat", "to"), [(True, OUTSIDE), (False, Address("10.0.0.5", 5060))])
def test_a_call_that_it_brings_is_ended_where_it_is_heard(nat: bool, to: Address) -> None:
    endpoint = fresh(nat=nat)
    incoming = endpoint.receive(build(body=SDP), OUTSIDE, 0.0)[-1]
    assert isinstance(incoming, IncomingCall)
    tag = responses(endpoint.answer(incoming.call, n.OFFER_B, 0.1))[0].to.tag or ""
    endpoint.receive(build("ACK", branch="ack", tag=tag), OUTSIDE, 0.2)
    kept = endpoint.snapshot(incoming.call)
    assert kept is not None
    again = fresh(nat=nat)
    again.restore(kept, 0.3)
    for each in (endpoint, again):
        out = each.hang_up(incoming.call, 0.4)
        assert destinations(out) == [to]
        assert [request.uri for request in requests(out)] == ["sip:pbx@10.0.0.5:5060"]


def test_a_call_that_it_takes_is_acknowledged_renewed_and_ended_where_it_answers() -> None:
    endpoint = fresh(nat=True)
    (invite,) = requests(
        endpoint.dial("out", "sip:600@203.0.113.7", Address(OUTSIDE.host, 5060), "1001", n.OFFER_A, 0.0, trunk="office")
    )
    rows = ("Contact", "<sip:600@10.0.0.5:5060>"), SDP_TYPE
    out = reply(endpoint, invite, 200, *rows, source=OUTSIDE, body=bytes(n.answer_to(n.OFFER_A)))
    assert isinstance(out[-1], CallAnswered)
    assert destinations(out) == [OUTSIDE]
    assert destinations(endpoint.reoffer("out", n.OFFER_A, 1.0)) == [OUTSIDE]
    (bye,) = endpoint.hang_up("out", 2.0)
    assert destinations([bye]) == [OUTSIDE]


def test_it_is_answered_by_the_port_that_its_router_gives_it_by_now() -> None:
    endpoint = fresh(nat=True)
    incoming = endpoint.receive(build(body=SDP), OUTSIDE, 0.0)[-1]
    assert isinstance(incoming, IncomingCall)
    tag = responses(endpoint.answer(incoming.call, n.OFFER_B, 0.1))[0].to.tag or ""
    endpoint.receive(build("ACK", branch="ack", tag=tag), OUTSIDE, 0.2)
    moved = Address(OUTSIDE.host, 41000)
    endpoint.receive(build("UPDATE", cseq=2, tag=tag), moved, 1.0)
    (bye,) = endpoint.hang_up(incoming.call, 2.0)
    assert destinations([bye]) == [moved]
