"""Next hops that are names: what waits for them, where it goes, and to whom next where a host fails (RFC 3263 §4)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from attrs import evolve
from cordboard.sip import places
from cordboard.sip.digest import Account
from cordboard.sip.endpoint import Endpoint, TrunkSettings
from cordboard.sip.events import CallEnded, CallReanswered, Output, Sought, Transmit
from cordboard.sip.message import Address, Request, parse, respond
from cordboard.sip.places import Places

from . import net as n
from .far import PROXY, SDP_TYPE, Scripted, reply, requests

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


def answered(endpoint: Endpoint, invite: Request, tag: str, now: float = 0.1) -> list[Output]:
    rows = ("Contact", "<sip:gw@gate.carrier.example:5070>"), SDP_TYPE
    return reply(endpoint, invite, 200, *rows, body=bytes(n.answer_to(n.OFFER_A)), tag=tag, now=now)


GATE = "sip:gate.carrier.example:5070;transport=udp"
AT = Address("192.0.2.23", 5070)


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


# --- where a host fails ---------------------------------------------------------------------------------------------


def silence(endpoint: Endpoint, until: float) -> list[Output]:
    """What the endpoint does by itself up to then."""
    outputs: list[Output] = []
    while endpoint.deadline() <= until:
        outputs += endpoint.wake(endpoint.deadline())
    return outputs


def test_a_host_that_says_nothing_is_followed_by_the_next_within_four_seconds() -> None:
    endpoint = known(ONE, TWO)
    far = Scripted(endpoint, ROUTE, dialled=False)
    ((first, at),) = asks(endpoint.hang_up(far.call, 1.0), "BYE")
    assert at == ONE
    assert sent(silence(endpoint, 4.99)) == [(str(first).partition(" ")[0], ONE)] * 3
    ((second, at),) = asks(silence(endpoint, 5.0), "BYE")
    assert at == TWO
    assert (second.cseq, second.get("Route")) == (first.cseq, first.get("Route"))
    assert second.via.branch != first.via.branch
    # what the first one says after all is nobody's any more
    assert reply(endpoint, first, 200, source=ONE, now=5.1) == []
    reply(endpoint, second, 200, source=TWO, now=5.2)
    # whoever has failed comes last from now on
    assert endpoint._places.targets(NAME) == (TWO, ONE)
    over(endpoint)


def test_the_last_host_has_all_the_time_there_is() -> None:
    endpoint = known(ONE, TWO)
    far = Scripted(endpoint, ROUTE, dialled=False)
    endpoint.reoffer(far.call, n.OFFER_B, 1.0)
    assert {at for _, at in asks(silence(endpoint, 36.9), "INVITE")} == {ONE, TWO}
    ended = silence(endpoint, 37.0)
    assert [each.cause for each in ended if isinstance(each, CallEnded)] == ["lost"], "64*T1 after the second"


def test_a_host_that_says_100_is_there_and_waits_itself() -> None:
    endpoint = known(ONE, TWO)
    far = Scripted(endpoint, ROUTE, dialled=False)
    ((invite, _),) = asks(endpoint.reoffer(far.call, n.OFFER_B, 1.0), "INVITE")
    reply(endpoint, invite, 100, source=ONE, now=1.1)
    assert sent(silence(endpoint, 12.0)) == []
    rows = ("Contact", "<sip:gw@192.0.2.9>"), SDP_TYPE
    outputs = reply(endpoint, invite, 200, *rows, source=ONE, body=bytes(n.answer_to(n.OFFER_B)), tag="far", now=12.0)
    assert [type(each) for each in outputs if not isinstance(each, Transmit)] == [CallReanswered]


def test_who_asks_for_credentials_and_falls_silent_then_is_followed_by_the_next() -> None:
    endpoint = known(ONE, TWO)
    endpoint.set_trunks({"carrier": TrunkSettings(("192.0.2.0/24",), account=Account("alice", "secret"))})
    far = Scripted(endpoint, ROUTE, dialled=False)
    ((bye, _),) = asks(endpoint.hang_up(far.call, 1.0), "BYE")
    challenge = ("WWW-Authenticate", 'Digest realm="carrier.example", nonce="n1", algorithm=MD5, qop="auth"')
    reply(endpoint, bye, 401, challenge, source=ONE, now=3.0)
    assert {at for _, at in asks(silence(endpoint, 6.9), "BYE")} == {ONE}
    ((again, at),) = asks(silence(endpoint, 7.0), "BYE")
    assert at == TWO
    assert again.get("Authorization") is not None


def test_a_connection_on_which_nothing_comes_back_is_left_for_the_next_host() -> None:
    endpoint = n.endpoint(n.A)
    call, peer = by_tcp(endpoint)
    (name,) = sought(endpoint.reoffer(call, n.OFFER_B, 1.0))
    one, two = (Address(host, 5070, "tcp") for host in ("192.0.2.21", "192.0.2.22"))
    endpoint.located(name, (one, two), 60.0, 1.1)
    ((_, at),) = asks(silence(endpoint, 5.0), "INVITE")
    assert at == one, "the connection with the peer was none of the name's hosts"
    ((_, at),) = asks(silence(endpoint, 9.0), "INVITE")
    assert at == two
    assert asks(endpoint.disconnected(peer, [], 9.1), "INVITE") == []


def test_an_ack_that_does_not_arrive_goes_to_the_next_host_and_to_the_next() -> None:
    endpoint = n.endpoint(n.A)
    (invite,) = requests(endpoint.dial("out", "sip:600@192.0.2.9", PROXY, "1001", n.OFFER_A, 0.0))
    answered(endpoint, invite, "t")
    second = evolve(AT, host="192.0.2.24")
    been = [at for _, at in asks(endpoint.located(GATE, (AT, second), 60.0, 0.2), "ACK")]
    for after in (0.5, 1.5, 3.5, 7.5, 11.5):
        been += [at for _, at in asks(answered(endpoint, invite, "t", 0.2 + after), "ACK")]
    assert been == [AT, AT, AT, second, AT, second]
    # and so does what comes after it
    ((_, at),) = asks(endpoint.hang_up("out", 12.0), "BYE")
    assert at == second


def test_the_ack_of_a_new_offer_goes_to_the_next_host_too() -> None:
    endpoint = known(ONE, TWO)
    far = Scripted(endpoint, ROUTE, dialled=False)
    ((invite, _),) = asks(endpoint.reoffer(far.call, n.OFFER_B, 1.0), "INVITE")
    rows = ("Contact", "<sip:gw@192.0.2.9>"), SDP_TYPE
    body = bytes(n.answer_to(n.OFFER_B))
    been = [
        at
        for now in (1.1, 1.6, 2.6, 4.6)
        for _, at in asks(reply(endpoint, invite, 200, *rows, source=ONE, body=body, tag="far", now=now), "ACK")
    ]
    assert been == [ONE, ONE, ONE, TWO]


@pytest.mark.parametrize("targets", [(ONE,), (ONE, TWO)])
def test_what_is_too_long_for_a_datagram_goes_to_no_silent_host_again(targets: tuple[Address, ...]) -> None:
    endpoint = known(*targets)
    endpoint.settings = evolve(endpoint.settings, tcp=True)
    far = Scripted(endpoint, ("Record-Route", f"<sip:edge.carrier.example;lr;cookie={'x' * 1400}>"), dialled=False)
    byes = asks(endpoint.hang_up(far.call, 1.0), "BYE") + asks(silence(endpoint, 200.0), "BYE")
    assert [at for _, at in byes] == [evolve(each, transport="tcp") for each in targets]
    over(endpoint)


def test_all_hosts_are_tried_and_none_twice() -> None:
    endpoint = known(ONE, TWO)
    far = Scripted(endpoint, ROUTE, dialled=False)
    outputs = endpoint.reoffer(far.call, n.OFFER_B, 1.0)
    been = []
    for _ in range(2):
        ((invite, at),) = asks(outputs, "INVITE")
        been.append(at)
        outputs = reply(endpoint, invite, 503, source=at, now=1.1)
    assert been == [ONE, TWO]
    assert asks(outputs, "INVITE") == []
    assert [type(each).__name__ for each in outputs if not isinstance(each, Transmit)] == ["CallReofferRefused"]


def test_a_reinvite_is_answered_by_the_second_host() -> None:
    endpoint = known(ONE, TWO)
    far = Scripted(endpoint, ROUTE, dialled=False)
    ((invite, _),) = asks(endpoint.reoffer(far.call, n.OFFER_B, 1.0), "INVITE")
    (again,) = [each for each in reply(endpoint, invite, 503, source=ONE, now=1.1) if each.destination == TWO]  # type: ignore[union-attr]
    assert isinstance(again, Transmit)
    second = parse(again.data)
    assert isinstance(second, Request)
    body = bytes(n.answer_to(n.OFFER_B))
    rows = ("Contact", "<sip:gw@192.0.2.9>"), SDP_TYPE
    answer = bytes(respond(second, 200, n.A, rows=rows, body=body))
    outputs = endpoint.receive(answer, TWO, 1.2)
    assert [type(each) for each in outputs if not isinstance(each, Transmit)] == [CallReanswered]
    assert [at for _, at in asks(outputs, "ACK")] == [TWO]
    # the first one's refusal comes again, and has its ACK again
    assert [at for _, at in asks(reply(endpoint, invite, 503, source=ONE, now=1.3), "ACK")] == [ONE]


def test_a_datagram_that_cannot_be_sent_goes_to_the_next_host() -> None:
    endpoint = known(Address("2001:db8::1", 5060), TWO)
    far = Scripted(endpoint, ROUTE, dialled=False)
    (bye,) = endpoint.hang_up(far.call, 1.0)
    assert isinstance(bye, Transmit)
    assert bye.destination.six
    assert [at for _, at in asks(endpoint.unsent(bye, 1.0), "BYE")] == [TWO]


def test_an_ack_that_cannot_be_sent_goes_to_the_next_host_as_it_is_asked_for_again() -> None:
    one, two = (Address(host, 5070) for host in ("2001:db8::1", "192.0.2.22"))
    for by in ("udp", "tcp"):
        endpoint = n.endpoint(n.A)
        (invite,) = requests(endpoint.dial("out", "sip:600@192.0.2.9", PROXY, "1001", n.OFFER_A, 0.0))
        rows = ("Contact", f"<sip:gw@gate.carrier.example:5070;transport={by}>"), SDP_TYPE
        body = bytes(n.answer_to(n.OFFER_A))
        (name,) = sought(reply(endpoint, invite, 200, *rows, body=body))
        first, second = evolve(one, transport=by), evolve(two, transport=by)
        (ack,) = endpoint.located(name, (first, second), 60.0, 0.2)
        assert isinstance(ack, Transmit)
        assert ack.destination == first
        assert (endpoint.unsent(ack, 0.2) if by == "udp" else endpoint.disconnected(first, [ack], 0.2)) == []
        ((_, at),) = asks(reply(endpoint, invite, 200, *rows, body=body, now=0.7), "ACK")
        assert at == second


def test_the_only_host_of_a_name_that_fails_ends_the_call_as_ever() -> None:
    endpoint = known(ONE)
    far = Scripted(endpoint, ROUTE, dialled=False)
    endpoint.reoffer(far.call, n.OFFER_B, 1.0)
    outputs: list[Output] = []
    while endpoint.deadline() < 40:
        outputs += endpoint.wake(endpoint.deadline())
    assert [each.cause for each in outputs if isinstance(each, CallEnded)] == ["lost"]


def test_credentials_that_are_asked_for_leave_the_other_hosts_as_they_were() -> None:
    endpoint = known(ONE, TWO)
    endpoint.set_trunks({"carrier": TrunkSettings(("192.0.2.0/24",), account=Account("alice", "secret"))})
    far = Scripted(endpoint, ROUTE, dialled=False)
    ((bye, _),) = asks(endpoint.hang_up(far.call, 1.0), "BYE")
    challenge = ("WWW-Authenticate", 'Digest realm="carrier.example", nonce="n1", algorithm=MD5, qop="auth"')
    ((signed, at),) = asks(reply(endpoint, bye, 401, challenge, source=ONE, now=1.1), "BYE")
    assert at == ONE
    ((_, at),) = asks(reply(endpoint, signed, 503, source=ONE, now=1.2), "BYE")
    assert at == TWO


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
