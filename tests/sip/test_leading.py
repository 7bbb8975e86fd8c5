"""Next hops that are names: what waits for them, and where it goes (RFC 3263 §4)."""

from __future__ import annotations

from attrs import evolve
from cordboard.sip import places
from cordboard.sip.endpoint import TrunkSettings
from cordboard.sip.events import Transmit
from cordboard.sip.message import Address, Request, parse
from cordboard.sip.places import Places

from . import net as n
from .far import PROXY, SDP_TYPE, Scripted, reply, requests
from .hops import AT, GATE, NAME, ONE, ROUTE, TWO, answered, asks, by_tcp, known, over, sent, sought

# --- the first request ----------------------------------------------------------------------------------------------


def test_what_goes_to_a_name_waits_until_it_is_known_where_that_leads() -> None:
    endpoint = n.endpoint(n.A)
    far = Scripted(endpoint, ROUTE, dialled=False)
    outputs = endpoint.hang_up(far.call, 1.0)
    assert (sought(outputs), sent(outputs)) == ([NAME], [])
    ((bye, at),) = asks(endpoint.located(NAME, (ONE, TWO), 60.0, 1.1), "BYE")
    assert at == ONE
    assert bye.get("Route") == "<sip:Edge.carrier.example.;lr>"
    reply(endpoint, bye, 200, source=ONE, now=1.2)
    assert endpoint.wake(40.0) == []
    over(endpoint)


def test_by_udp_nothing_waits_longer_than_until_it_is_sent_again() -> None:
    endpoint = n.endpoint(n.A)
    far = Scripted(endpoint, ROUTE, dialled=False)
    endpoint.hang_up(far.call, 1.0)
    ((bye, at),) = asks(endpoint.wake(1.5), "BYE")
    assert at == PROXY, "where the peer was heard"
    assert endpoint.located(NAME, (ONE,), 60.0, 1.6) == []
    reply(endpoint, bye, 200, now=1.7)
    over(endpoint)


def test_what_leads_nowhere_goes_where_the_peer_was_heard() -> None:
    endpoint = n.endpoint(n.A)
    far = Scripted(endpoint, ROUTE, dialled=False)
    endpoint.hang_up(far.call, 1.0)
    ((_, at),) = asks(endpoint.located(NAME, (), 60.0, 1.1), "BYE")
    assert at == PROXY
    assert endpoint.counters["next hop not found"] == 1
    over(endpoint)


def test_a_name_is_known_for_as_long_as_is_said_and_meanwhile_asked_for_again() -> None:
    endpoint = known(ONE)
    for now, again in ((59.0, []), (61.0, [NAME]), (62.0, [])):
        far = Scripted(endpoint, ROUTE, dialled=False, now=now, call_id=str(now))
        outputs = endpoint.hang_up(far.call, now)
        ((bye, at),) = asks(outputs, "BYE")
        assert (sought(outputs), at) == (again, ONE)
        reply(endpoint, bye, 200, source=ONE, now=now)
    # nothing is found for once: what was found before stands
    assert endpoint.located(NAME, (), 60.0, 63.0) == []
    assert endpoint._places.targets(NAME) == (ONE,)


def test_the_ack_waits_too_and_comes_again_the_same() -> None:
    endpoint = n.endpoint(n.A)
    (invite,) = requests(endpoint.dial("out", "sip:600@192.0.2.9", PROXY, "1001", n.OFFER_A, 0.0))
    outputs = answered(endpoint, invite, "t")
    assert (sought(outputs), sent(outputs)) == ([GATE], [])
    # it takes so long that the 200 comes again
    ((first, at),) = asks(answered(endpoint, invite, "t", 0.6), "ACK")
    assert at == PROXY
    ((ack, at),) = asks(endpoint.located(GATE, (AT,), 60.0, 0.7), "ACK")
    assert (at, bytes(ack)) == (AT, bytes(first))
    ((again, at),) = asks(answered(endpoint, invite, "t", 1.7), "ACK")
    assert (at, bytes(again)) == (AT, bytes(first))


def test_a_second_callee_is_acknowledged_and_let_go_in_this_order() -> None:
    endpoint = n.endpoint(n.A)
    (invite,) = requests(endpoint.dial("out", "sip:600@192.0.2.9", PROXY, "1001", n.OFFER_A, 0.0))
    answered(endpoint, invite, "t")
    assert sent(answered(endpoint, invite, "u", 0.2)) == []
    outputs = endpoint.located(GATE, (AT,), 60.0, 0.3)
    assert [(parse(each.data).method, each.destination) for each in outputs if isinstance(each, Transmit)] == [
        ("ACK", AT),
        ("ACK", AT),
        ("BYE", AT),
    ]


def test_a_name_of_another_transport_is_spoken_to_by_that() -> None:
    endpoint = n.endpoint(n.A)
    far = Scripted(endpoint, ("Record-Route", "<sip:edge.carrier.example;lr;transport=tcp>"), dialled=False)
    (name,) = sought(endpoint.hang_up(far.call, 1.0))
    assert name == "sip:edge.carrier.example;transport=tcp"
    at = evolve(ONE, transport="tcp")
    (bye,) = endpoint.located(name, (at,), 60.0, 1.1)
    assert isinstance(bye, Transmit)
    assert (bye.destination, bye.otherwise) == (at, at)
    request = parse(bye.data)
    assert isinstance(request, Request)
    assert request.via.transport == "TCP"
    reply(endpoint, request, 200, source=at, now=1.2)
    over(endpoint)


def test_an_ack_goes_by_the_transport_of_the_name_too() -> None:
    endpoint = n.endpoint(n.A)
    (invite,) = requests(endpoint.dial("out", "sip:600@192.0.2.9", PROXY, "1001", n.OFFER_A, 0.0))
    rows = ("Contact", "<sip:gw@gate.carrier.example;transport=tcp>"), SDP_TYPE
    (name,) = sought(reply(endpoint, invite, 200, *rows, body=bytes(n.answer_to(n.OFFER_A))))
    at = evolve(AT, transport="tcp")
    ((ack, to),) = asks(endpoint.located(name, (at,), 60.0, 0.3), "ACK")
    assert (ack.via.transport, to) == ("TCP", at)
    ((again, to),) = asks(reply(endpoint, invite, 200, *rows, body=bytes(n.answer_to(n.OFFER_A))), "ACK")
    assert (bytes(again), to) == (bytes(ack), at)


def test_a_connection_that_lives_goes_before_any_name() -> None:
    endpoint = n.endpoint(n.A)
    call, peer = by_tcp(endpoint)
    outputs = endpoint.hang_up(call, 1.0)
    assert sought(outputs) == ["sip:gate.carrier.example:5070;transport=tcp"]
    (bye,) = [each for each in outputs if isinstance(each, Transmit)]
    assert (bye.destination, bye.otherwise) == (peer, peer)


def test_where_the_connection_is_gone_one_is_made_to_where_the_name_leads() -> None:
    endpoint = n.endpoint(n.A)
    call, peer = by_tcp(endpoint)
    (name,) = sought(endpoint.reoffer(call, n.OFFER_B, 1.0))
    one, two = (Address(host, 5070, "tcp") for host in ("192.0.2.21", "192.0.2.22"))
    assert endpoint.located(name, (one, two), 60.0, 1.1) == []
    ((_, at),) = asks(endpoint.disconnected(peer, [], 2.0), "INVITE")
    assert at == one
    ((_, at),) = asks(endpoint.disconnected(one, [], 3.0), "INVITE")
    assert at == two


def test_one_that_is_reached_where_it_was_heard_has_no_name() -> None:
    endpoint = n.endpoint(n.A)
    endpoint.set_trunks({"carrier": TrunkSettings(("192.0.2.0/24",), nat=True)})
    far = Scripted(endpoint, ROUTE, dialled=False)
    outputs = endpoint.hang_up(far.call, 1.0)
    assert (sought(outputs), [at for _, at in asks(outputs, "BYE")]) == ([], [PROXY])


def test_a_restart_waits_for_no_name() -> None:
    net, a, _ = n.pair()
    far = Scripted(a.endpoint, ROUTE, dialled=False)
    net.do(a, a.endpoint.hang_up(far.call, net.now))
    assert [what for _, _, what in net.log].count("BYE") == 0
    net.restart(a)
    assert [what for _, _, what in net.log].count("BYE") == 1


# --- what is remembered ---------------------------------------------------------------------------------------------


def test_few_are_asked_for_at_once_and_not_all_are_remembered() -> None:
    kept = Places()
    for at in range(places.MOST_ASKED):
        assert kept.wants(f"sip:{at}.example;transport=udp", 0.0)
    assert not kept.wants("sip:more.example;transport=udp", 0.0)
    assert not kept.awaits("sip:more.example;transport=udp"), "nothing waits for what nobody asks"
    for at in range(places.REMEMBERED + 1):
        kept.found(f"sip:{at}.example;transport=udp", (ONE,), 60.0, 0.0)
    assert kept.targets("sip:0.example;transport=udp") == ()
    assert kept.targets("sip:1.example;transport=udp") == (ONE,)
    assert kept.wants("sip:more.example;transport=udp", 0.0)


def test_no_name_is_asked_for_by_each_request_whatever_dns_says() -> None:
    kept = Places()
    assert kept.wants(NAME, 0.0)
    kept.found(NAME, (ONE,), 0.0, 0.0)
    assert not kept.wants(NAME, places.LEAST_SECONDS - 0.1)
    assert kept.wants(NAME, places.LEAST_SECONDS)


def test_the_certificate_of_a_next_hop_is_for_its_name() -> None:
    endpoint = known(evolve(ONE, transport="tls"))
    assert endpoint.name_at(ONE.host) == "edge.carrier.example"
    assert endpoint.name_at(TWO.host) == TWO.host
    endpoint.set_trunks({"carrier": TrunkSettings((ONE.host,), named={ONE.host: "carrier.example"})})
    assert endpoint.name_at(ONE.host) == "carrier.example", "a trunk's own host is who its trunk says"
