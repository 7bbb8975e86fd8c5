"""To whom it goes next where a host of a name fails, and what a host says after it was left (RFC 3263 §4.3)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from attrs import evolve
from cordboard.sip.digest import Account
from cordboard.sip.endpoint import Endpoint, TrunkSettings
from cordboard.sip.events import CallEnded, CallReanswered, Output, Transmit, Undelivered
from cordboard.sip.message import Address, Request, parse, respond

from . import net as n
from .far import PROXY, SDP_TYPE, Scripted, reply, requests
from .hops import AT, GATE, NAME, ONE, ROUTE, TWO, answered, asks, by_tcp, known, over, sent, silence, sought
from .test_restart import packed, unpacked

# --- where a host fails ---------------------------------------------------------------------------------------------


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


# --- what a host says after it was left -----------------------------------------------------------------------------


def moved(endpoint: Endpoint) -> tuple[Scripted, Request, Request]:
    """A re-INVITE of ours that is at the second host, for the first one said nothing."""
    far = Scripted(endpoint, ROUTE, dialled=False)
    ((first, _),) = asks(endpoint.reoffer(far.call, n.OFFER_B, 1.0), "INVITE")
    ((second, at),) = asks([each for each in silence(endpoint, 5.0) if to(each, TWO)], "INVITE")
    assert (at, second.cseq) == (TWO, first.cseq)
    return far, first, second


def to(output: Output, at: Address) -> bool:
    return isinstance(output, Transmit) and output.destination == at


def accepted(endpoint: Endpoint, invite: Request, source: Address, now: float, contact: str = "gw") -> list[Output]:
    rows = ("Contact", f"<sip:{contact}@192.0.2.9>"), SDP_TYPE
    body = bytes(n.answer_to(n.OFFER_B))
    return reply(endpoint, invite, 200, *rows, source=source, body=body, tag="far", now=now)


def told(outputs: Sequence[Output]) -> list[str]:
    return [type(each).__name__ for each in outputs if not isinstance(each, Transmit)]


def test_a_host_that_was_left_has_passed_the_offer_on_and_its_answer_counts() -> None:
    endpoint = known(ONE, TWO)
    far, first, second = moved(endpoint)
    outputs = accepted(endpoint, first, ONE, 5.1, contact="moved")
    assert told(outputs) == ["CallReanswered"]
    ((ack, at),) = asks(outputs, "ACK")
    assert (at, ack.cseq, ack.uri) == (ONE, first.cseq, "sip:moved@192.0.2.9"), "where it came from"
    # it did not arrive, and the 200 comes again
    outputs = accepted(endpoint, first, ONE, 5.6)
    assert (told(outputs), [at for _, at in asks(outputs, "ACK")]) == ([], [ONE])
    # the second one's answer is the other of two
    outputs = accepted(endpoint, second, TWO, 6.0)
    assert (told(outputs), [at for _, at in asks(outputs, "ACK")]) == ([], [TWO])
    assert asks(endpoint.reoffer(far.call, n.OFFER_B, 7.0), "INVITE"), "the way is free"


def test_a_host_that_was_left_answers_after_the_one_to_which_the_offer_went() -> None:
    endpoint = known(ONE, TWO)
    _, first, second = moved(endpoint)
    outputs = accepted(endpoint, second, TWO, 5.1)
    assert told(outputs) == ["CallReanswered"]
    outputs = accepted(endpoint, first, ONE, 5.2)
    assert (told(outputs), [at for _, at in asks(outputs, "ACK")]) == ([], [ONE])


@pytest.mark.parametrize("status", [482, 488, 491, 500, 503, 401, 408, 481])
def test_what_the_next_host_says_of_an_offer_that_was_answered_is_nobodys(status: int) -> None:
    endpoint = known(ONE, TWO, Address("192.0.2.23", 5060))
    _, first, second = moved(endpoint)
    accepted(endpoint, first, ONE, 5.1)
    outputs = reply(endpoint, second, status, source=TWO, now=5.2)
    assert (len(outputs), [at for _, at in asks(outputs, "ACK")]) == (1, [TWO]), "as every failure is"
    assert told(silence(endpoint, 100.0)) == []


def test_the_next_host_says_nothing_of_an_offer_that_was_answered() -> None:
    endpoint = known(ONE, TWO, Address("192.0.2.23", 5060))
    _, first, _ = moved(endpoint)
    accepted(endpoint, first, ONE, 5.1)
    outputs = silence(endpoint, 100.0)
    assert (told(outputs), {at for _, at in asks(outputs, "INVITE")}) == ([], {TWO}), (
        "by its own timers, and no further"
    )


@pytest.mark.parametrize("status", [482, 491, 500])
def test_the_callee_refuses_the_same_offer_by_another_way_and_takes_the_first(status: int) -> None:
    endpoint = known(ONE, TWO)
    far, first, second = moved(endpoint)
    assert told(reply(endpoint, second, status, source=TWO, now=5.1)) == []
    outputs = accepted(endpoint, first, ONE, 5.15)
    assert (told(outputs), [at for _, at in asks(outputs, "ACK")]) == (["CallReanswered"], [ONE])
    assert asks(silence(endpoint, 60.0), "INVITE") == [], "it need not come again"
    assert asks(endpoint.hang_up(far.call, 61.0), "BYE")


@pytest.mark.parametrize("status", [482, 491, 500])
def test_the_callee_refuses_the_same_offer_by_another_way_and_the_first_is_lost(status: int) -> None:
    endpoint = known(ONE, TWO)
    _, _, second = moved(endpoint)
    reply(endpoint, second, status, source=TWO, now=5.1)
    ((again, at),) = asks(silence(endpoint, 7.2), "INVITE")[:1]
    assert (at, again.cseq) == (TWO, second.cseq + 1)
    assert told(accepted(endpoint, again, TWO, 7.3)) == ["CallReanswered"]


def test_a_newer_offer_that_waits_is_made_after_the_late_answer() -> None:
    endpoint = known(ONE, TWO)
    far, first, second = moved(endpoint)
    endpoint.reoffer(far.call, n.OFFER_A, 5.0)
    reply(endpoint, second, 491, source=TWO, now=5.1)
    outputs = accepted(endpoint, first, ONE, 5.15)
    ((newer, _),) = asks(outputs, "INVITE")
    assert newer.body == bytes(n.OFFER_A)


def test_a_host_that_was_left_answers_as_the_call_is_over() -> None:
    endpoint = known(ONE, TWO)
    far, first, _ = moved(endpoint)
    ((bye, _),) = asks(endpoint.hang_up(far.call, 5.1), "BYE")
    outputs = accepted(endpoint, first, ONE, 5.2)
    assert (told(outputs), [at for _, at in asks(outputs, "ACK")]) == ([], [ONE])
    reply(endpoint, bye, 200, source=TWO, now=5.3)
    over(endpoint)


def test_an_answer_that_is_of_no_request_of_ours_is_not_acknowledged() -> None:
    endpoint = known(ONE, TWO)
    _, first, _ = moved(endpoint)
    other = evolve(
        first, call_id="other", rows=tuple(("Call-ID", "other") if r[0] == "Call-ID" else r for r in first.rows)
    )
    later = evolve(first, cseq=9, rows=tuple(("CSeq", "9 INVITE") if r[0] == "CSeq" else r for r in first.rows))
    for wrong in (other, later):
        assert accepted(endpoint, wrong, ONE, 5.1) == []
    fork = bytes(respond(first, 200, n.A, rows=(SDP_TYPE,))).replace(b";tag=far", b";tag=near")
    assert endpoint.receive(fork, ONE, 5.1) == []
    assert reply(endpoint, first, 486, source=ONE, tag="far", now=5.1) == []
    assert reply(endpoint, first, 180, source=ONE, tag="far", now=5.1) == []
    assert endpoint.counters["late: response of no transaction"] == 5


def test_an_answer_from_nowhere_near_is_acknowledged_where_the_route_leads() -> None:
    endpoint = known(ONE, TWO)
    _, first, _ = moved(endpoint)
    ((_, at),) = asks(accepted(endpoint, first, PROXY, 5.1), "ACK")
    assert at == TWO, "the first has failed"


# --- connections that break -----------------------------------------------------------------------------------------


def dialled_by_tcp(endpoint: Endpoint) -> tuple[Request, Address]:
    """A call by a connection of ours, whose 200 has not come yet."""
    at = evolve(PROXY, transport="tcp")
    (invite,) = requests(endpoint.dial("out", "sip:600@192.0.2.9", at, "1001", n.OFFER_A, 0.0))
    return invite, at


def test_a_bye_whose_connection_breaks_is_sent_on_another_and_then_given_up() -> None:
    endpoint = n.endpoint(n.A)
    invite, at = dialled_by_tcp(endpoint)
    rows = ("Contact", "<sip:gw@192.0.2.9;transport=tcp>"), SDP_TYPE
    reply(endpoint, invite, 200, *rows, source=at, body=bytes(n.answer_to(n.OFFER_A)))
    ((bye, _),) = asks(endpoint.hang_up("out", 1.0), "BYE")
    ((again, to),) = asks(endpoint.disconnected(at, [], 1.1), "BYE")
    assert (bytes(again), to) == (bytes(bye), at), "the same, for it may have arrived"
    assert endpoint.disconnected(at, [], 1.2) == [Undelivered("out", "", "BYE")]
    over(endpoint)


def test_a_bye_that_no_connection_takes_goes_nowhere_again() -> None:
    endpoint = n.endpoint(n.A)
    invite, at = dialled_by_tcp(endpoint)
    rows = ("Contact", "<sip:gw@192.0.2.9;transport=tcp>"), SDP_TYPE
    reply(endpoint, invite, 200, *rows, source=at, body=bytes(n.answer_to(n.OFFER_A)))
    (bye,) = endpoint.hang_up("out", 1.0)
    assert isinstance(bye, Transmit)
    assert endpoint.disconnected(at, [bye], 1.1) == [Undelivered("out", "", "BYE")]
    over(endpoint)


def test_an_offer_whose_connection_breaks_is_answered_by_another() -> None:
    endpoint = n.endpoint(n.A)
    invite, at = dialled_by_tcp(endpoint)
    rows = ("Contact", "<sip:gw@192.0.2.9;transport=tcp>"), SDP_TYPE
    reply(endpoint, invite, 200, *rows, source=at, body=bytes(n.answer_to(n.OFFER_A)), tag="far")
    endpoint.reoffer("out", n.OFFER_B, 1.0)
    ((again, _),) = asks(endpoint.disconnected(at, [], 1.1), "INVITE")
    assert told(accepted(endpoint, again, at, 1.2)) == ["CallReanswered"]


def test_a_call_whose_connection_breaks_before_it_rings_is_the_next_hosts() -> None:
    endpoint = n.endpoint(n.A)
    _, at = dialled_by_tcp(endpoint)
    assert told(endpoint.disconnected(at, [], 1.1)) == ["CallFailed"], "the trunk has others, at once"


@pytest.mark.parametrize("by", ["tcp", "tls"])
def test_an_ack_that_was_not_written_goes_by_a_new_connection_at_once_and_then_by_the_next_host(by: str) -> None:
    endpoint = n.endpoint(n.A)
    at, one, two = (Address(host, 5070, by) for host in ("192.0.2.9", "192.0.2.21", "192.0.2.22"))
    (invite,) = requests(endpoint.dial("out", "sip:600@192.0.2.9", at, "1001", n.OFFER_A, 0.0))
    rows = ("Contact", f"<sip:gw@gate.carrier.example:5070;transport={by}>"), SDP_TYPE
    body = bytes(n.answer_to(n.OFFER_A))
    outputs = reply(endpoint, invite, 200, *rows, source=at, body=body)
    (name,) = sought(outputs)
    endpoint.located(name, (one, two), 60.0, 0.1)
    (ack,) = [each for each in reply(endpoint, invite, 200, *rows, source=at, body=body, now=0.6) if to(each, at)]
    assert isinstance(ack, Transmit)
    # the connection breaks, and a new one is made to where the name leads
    (again,) = endpoint.disconnected(at, [ack], 0.7)
    assert again == Transmit(ack.data, one, one)
    assert isinstance(again, Transmit)
    # nobody takes it there: it waits to be asked for again, as by UDP
    assert endpoint.disconnected(one, [again], 0.8) == []
    (third,) = [each for each in reply(endpoint, invite, 200, *rows, source=at, body=body, now=1.7) if to(each, at)]
    assert isinstance(third, Transmit)
    assert third == Transmit(ack.data, at, two)


# --- over a restart -------------------------------------------------------------------------------------------------


def reborn(endpoint: Endpoint, call: str, now: float) -> tuple[Endpoint, list[Output]]:
    """Another endpoint goes on with the call."""
    snapshot = endpoint.snapshot(call)
    assert snapshot is not None
    made = n.endpoint(n.A, life=1)
    return made, made.restore(snapshot, now)


def test_a_failover_goes_on_in_the_next_life_where_it_stood() -> None:
    three = Address("192.0.2.23", 5060)
    before = known(ONE, TWO, three)
    far, _, second = moved(before)
    endpoint, outputs = reborn(before, far.call, 5.5)
    ((again, at),) = asks(outputs, "INVITE")
    assert (bytes(again), at) == (bytes(second), TWO), "the host where it was, of the three"
    assert sought(outputs) == [NAME]
    endpoint.located(NAME, (ONE, TWO, three), 60.0, 5.6)
    assert endpoint._places.targets(NAME) == (TWO, three, ONE), "whoever had failed has still"
    ((last, at),) = asks([each for each in silence(endpoint, 9.5) if to(each, three)], "INVITE")
    assert (at, last.cseq) == (three, second.cseq)
    assert told(accepted(endpoint, last, three, 9.6)) == ["CallReanswered"]


def test_names_that_take_long_to_find_after_a_restart_are_waited_for() -> None:
    before = known(ONE, TWO)
    far = Scripted(before, ROUTE, dialled=False)
    before.hang_up(far.call, 1.0)
    endpoint, outputs = reborn(before, far.call, 2.0)
    assert [at for _, at in asks(outputs, "BYE")] == [ONE]
    assert {at for _, at in asks(silence(endpoint, 8.0), "BYE")} == {ONE}
    endpoint.located(NAME, (ONE, TWO), 60.0, 9.0)
    ((_, at),) = asks([each for each in silence(endpoint, 10.0) if to(each, TWO)], "BYE")
    assert at == TWO


def test_a_host_that_was_left_before_a_restart_is_acknowledged_after_it() -> None:
    before = known(ONE, TWO)
    far, first, _ = moved(before)
    endpoint, _ = reborn(before, far.call, 5.5)
    outputs = accepted(endpoint, first, ONE, 5.6)
    assert told(outputs) == ["CallReanswered"]
    # where the name leads is not known again yet, and the ACK waits for it no longer than until the 200 comes again
    assert asks(endpoint.located(NAME, (ONE, TWO), 60.0, 5.7), "ACK")


def test_what_was_settled_before_a_restart_is_after_it() -> None:
    before = known(ONE, TWO)
    far, first, second = moved(before)
    accepted(before, first, ONE, 5.1)
    endpoint, _ = reborn(before, far.call, 5.5)
    outputs = reply(endpoint, second, 488, source=TWO, now=5.6)
    assert told(outputs) == []


def test_an_ack_that_was_not_heard_before_a_restart_goes_to_the_next_host_after_it() -> None:
    before = n.endpoint(n.A)
    (invite,) = requests(before.dial("out", "sip:600@192.0.2.9", PROXY, "1001", n.OFFER_A, 0.0))
    answered(before, invite, "t")
    second = evolve(AT, host="192.0.2.24")
    before.located(GATE, (AT, second), 60.0, 0.2)
    for now in (0.7, 1.7):
        answered(before, invite, "t", now)
    endpoint, outputs = reborn(before, "out", 2.0)
    assert sought(outputs) == [GATE]
    endpoint.located(GATE, (AT, second), 60.0, 2.1)
    ((_, at),) = asks(answered(endpoint, invite, "t", 3.7), "ACK")
    assert at == second


def too_long() -> tuple[Endpoint, str, Transmit]:
    """A BYE that is too long for a datagram, and so on a connection to the first of two hosts."""
    made = known(ONE, TWO)
    made.settings = evolve(made.settings, tcp=True)
    far = Scripted(made, ("Record-Route", f"<sip:edge.carrier.example;lr;cookie={'x' * 1400}>"), dialled=False)
    (bye,) = made.hang_up(far.call, 1.0)
    assert isinstance(bye, Transmit)
    assert bye.destination == evolve(ONE, transport="tcp")
    return made, far.call, bye


def reborn_by_tcp(before: Endpoint, call: str, now: float) -> tuple[Endpoint, list[Output]]:
    snapshot = before.snapshot(call)
    assert snapshot is not None
    made = n.endpoint(n.A, life=1)
    made.settings = evolve(made.settings, tcp=True)
    outputs = made.restore(unpacked(packed(snapshot)), now)
    made.located(NAME, (ONE, TWO), 60.0, now)
    return made, outputs


def test_what_is_too_long_for_a_datagram_goes_by_one_after_a_restart_where_nobody_takes_a_connection() -> None:
    before, call, bye = too_long()
    endpoint, outputs = reborn_by_tcp(before, call, 1.5)
    (again,) = [each for each in outputs if isinstance(each, Transmit)]
    assert (again.data, again.destination) == (bye.data, bye.destination)
    ((datagram, at),) = asks(endpoint.disconnected(again.destination, [again], 1.6), "BYE")
    assert (at, datagram.via.transport) == (ONE, "UDP")


def test_what_is_too_long_for_a_datagram_goes_to_no_silent_host_again_after_a_restart() -> None:
    before, call, _ = too_long()
    endpoint, _ = reborn_by_tcp(before, call, 1.5)
    byes = asks(silence(endpoint, 200.0), "BYE")
    assert [at for _, at in byes] == [evolve(TWO, transport="tcp")]
    over(endpoint)
