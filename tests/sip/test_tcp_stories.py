"""Two endpoints and connections between them: what RFC 3261 §18 says of them, and what becomes of calls when they
break."""

from __future__ import annotations

from random import Random

import pytest
from cordboard.sip.endpoint import TrunkSettings
from cordboard.sip.events import CallEnded, CallFailed, CallReoffered, IncomingCall
from cordboard.sip.message import Address, Request, Response
from cordboard.sip.reason import TIMER

from . import net as n


def pair(seed: int = 1) -> tuple[n.Net, n.Peer, n.Peer]:
    """A call of A is up at B, over one connection; B answers everything."""
    net, a, b = n.pair(seed)
    b.react = n.answering
    n.dial(net, a, b, transport="tcp")
    net.run(1)
    assert a.kinds() == ["CallProgressed", "CallAnswered"]
    assert b.kinds() == ["IncomingCall", "CallConfirmed"]
    return net, a, b


def counted(peer: n.Peer, what: str) -> int:
    return peer.endpoint.counters[what]


def over(net: n.Net, *peers: n.Peer) -> None:
    """A while later nothing is left: no call, no transaction, no connection."""
    net.run(net.now + 100)
    for peer in peers:
        assert peer.endpoint.idle
        assert len(peer.connections) == 0


def said(net: n.Net) -> list[str]:
    return [what for _, _, what in net.log]


def test_a_call_goes_over_one_connection_and_nothing_is_sent_twice() -> None:
    net, a, b = pair()
    net.do(a, a.endpoint.hang_up("out", net.now))
    net.run(2)
    assert said(net) == ["INVITE", "100 INVITE", "180 INVITE", "200 INVITE", "ACK", "BYE", "200 BYE"]
    assert counted(a, "connections opened") == counted(b, "connections accepted") == 1
    assert counted(b, "connections opened") == 0
    over(net, a, b)


def test_nothing_waits_for_what_cannot_come_again() -> None:
    """Timers D, I, J and K are zero (RFC 3261 table 4): a transaction that is over is forgotten at once."""
    net, a, b = n.pair()
    request = b"OPTIONS sip:192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
    request += b"From: <sip:a@192.0.2.1>;tag=1\r\nTo: <sip:192.0.2.2>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n"
    for source, idle in ((Address("192.0.2.1", 40000, "tcp"), True), (Address("192.0.2.1", 5060), False)):
        net.do(b, b.endpoint.receive(request.replace(b"TCP", source.transport.upper().encode()), source, net.now))
        net.run(net.now + 0.1)
        assert b.endpoint.idle is idle
    # a call that is refused: its INVITE is over with the ACK
    net.run(100)
    n.dial(net, a, b, transport="tcp")
    net.run(101)
    net.do(b, b.endpoint.reject(b.last_call(), 486, net.now))
    net.run(102)
    assert said(net)[-2:] == ["486 INVITE", "ACK"]
    assert a.endpoint.living(net.now) == b.endpoint.living(net.now) == set()


def test_a_slow_network_is_no_reason_to_send_again() -> None:
    """Timers A, E and G do not run on TCP (RFC 3261 §17.1.1.2); the 2xx alone is repeated, for the hops behind."""
    net, a, b = n.pair()
    net.delay = (3.0, 3.0)
    b.react = n.answering
    n.dial(net, a, b, transport="tcp")
    net.run(12)
    net.do(a, a.endpoint.hang_up("out", net.now))
    net.run(30)
    assert [said(net).count(what) for what in ("INVITE", "180 INVITE", "BYE", "200 BYE")] == [1, 1, 1, 1]
    assert said(net).count("200 INVITE") > 1
    over(net, a, b)


def test_via_and_contact_name_the_transport() -> None:
    net, _, _ = pair()
    invite, ok = net.messages()[0], net.messages()[3]
    assert isinstance(invite, Request)
    assert isinstance(ok, Response)
    assert invite.via.transport == "TCP"
    assert invite.get("Contact") == "<sip:1001@192.0.2.1:5060;transport=tcp>"
    assert ok.get("Contact") == "<sip:600@192.0.2.2:5060;transport=tcp>"


def test_the_callee_hangs_up_on_the_callers_connection() -> None:
    net, a, b = pair()
    net.do(b, b.endpoint.hang_up(b.last_call(), net.now))
    net.run(2)
    assert a.events[-1] == CallEnded("out", "bye")
    assert counted(b, "connections opened") == 0
    over(net, a, b)


def test_a_connection_that_breaks_ends_no_call_and_the_bye_goes_by_another() -> None:
    net, a, b = pair()
    net.cut(a)
    net.run(60)
    assert a.endpoint.live_calls == b.endpoint.live_calls == 1
    net.do(b, b.endpoint.hang_up(b.last_call(), net.now))
    net.run(61)
    assert a.events[-1] == CallEnded("out", "bye")
    assert counted(b, "connections opened") == 1
    over(net, a, b)


def test_a_bye_on_a_connection_that_is_breaking_is_sent_again() -> None:
    net, a, b = pair()
    net.do(b, b.endpoint.hang_up(b.last_call(), net.now))
    net.cut(a)
    net.run(3)
    assert a.events[-1] == CallEnded("out", "bye")
    assert said(net).count("BYE") == 2
    over(net, a, b)


def test_the_caller_is_gone_with_its_connection() -> None:
    """Its process died; the media's silence makes the switch hang up, and nobody takes the BYE."""
    net, a, b = pair()
    net.kill(a)
    net.run(60)
    net.do(b, b.endpoint.hang_up(b.last_call(), net.now))
    net.run(62)
    assert counted(b, "cannot be sent: BYE") == 1
    over(net, b)


def test_the_caller_vanishes_without_a_word() -> None:
    """Nobody ends the connection: a ping that is not acknowledged does."""
    net, a, b = pair()
    net.run(net.now + 100)
    net.vanish(a)
    net.run(net.now + 30)
    assert len(b.connections) == 0
    net.do(b, b.endpoint.hang_up(b.last_call(), net.now))
    over(net, b)


def test_an_answer_whose_connection_broke_goes_by_a_new_one() -> None:
    net, a, b = n.pair()
    n.dial(net, a, b, transport="tcp")
    net.run(1)
    net.cut(b)
    net.run(2)
    net.do(b, b.endpoint.answer(b.last_call(), n.answer_to(n.OFFER_A), net.now))
    net.run(3)
    assert counted(b, "connections opened") == 1
    assert a.kinds()[-1] == "CallAnswered"
    assert b.kinds()[-1] == "CallConfirmed"
    net.do(a, a.endpoint.hang_up("out", net.now))
    over(net, a, b)


def test_nobody_listens_there() -> None:
    net, a, b = n.pair()
    net.vanish(b)
    n.dial(net, a, b, transport="tcp")
    net.run(1)
    assert a.events == [CallFailed("out", 503, "cannot be sent")]
    over(net, a)


def test_a_stranger_gets_no_answer_over_tcp() -> None:
    net, a, b = n.pair()
    b.endpoint.set_trunks({"other": TrunkSettings(("198.51.100.0/24",))})
    n.dial(net, a, b, transport="tcp")
    net.run(1)
    assert a.events == [CallFailed("out", 503, "cannot be sent")]
    assert (counted(b, "stranger connection"), counted(b, "connections accepted")) == (1, 0)
    assert b.events == []


def test_a_lost_ack_ends_the_call_after_64_t1_and_the_2xx_came_again_all_the_while() -> None:
    """Over TCP too: hops behind the first may lose it (RFC 3261 §13.3.1.4)."""
    net, a, b = n.pair()
    net.drop = lambda what, source: what == "ACK"
    b.react = n.answering
    n.dial(net, a, b, transport="tcp")
    net.run(31)
    assert b.endpoint.live_calls == 1
    net.run(33)
    assert isinstance(b.events[-1], CallEnded)
    assert b.events[-1].cause == "no-ack"
    assert said(net).count("200 INVITE") == 11
    assert a.events[-1] == CallEnded("out", "bye", TIMER)
    over(net, a, b)


def test_a_restart_loses_the_connection_and_keeps_the_call() -> None:
    net, a, b = pair()
    net.kill(b)
    net.run(net.now + 0.5)
    net.restart(b)
    net.do(b, b.endpoint.hang_up(b.last_call(), net.now))
    net.run(net.now + 1)
    assert a.events[-1] == CallEnded("out", "bye")
    over(net, a, b)


def test_a_restart_before_the_answer_sends_it_by_a_new_connection() -> None:
    net, a, b = n.pair()
    n.dial(net, a, b, transport="tcp")
    net.run(1)
    net.kill(b)
    net.run(2)
    net.restart(b)
    net.do(b, b.endpoint.answer(b.last_call(), n.answer_to(n.OFFER_A), net.now))
    net.run(3)
    assert a.kinds()[-1] == "CallAnswered"
    net.do(a, a.endpoint.hang_up("out", net.now))
    net.run(4)
    assert isinstance(b.events[-1], CallEnded)
    over(net, a, b)


def test_a_call_of_hours_keeps_its_connection() -> None:
    net, a, b = pair()
    net.run(7200)
    assert len(a.connections) == len(b.connections) == 1
    net.do(a, a.endpoint.hang_up("out", net.now))
    net.run(net.now + 1)
    assert isinstance(b.events[-1], CallEnded)
    assert counted(b, "connections accepted") == 1
    over(net, a, b)


@pytest.mark.parametrize("seed", range(20))
def test_many_calls_over_connections_that_break_all_end(seed: int) -> None:
    """Whenever connections break, both sides agree in the end that nothing is left, and no call has two ends."""
    net, a, b = n.pair(seed)
    net.delay = (0.001, 0.3)
    b.react = n.answering
    rng = Random(seed)
    calls = [f"c{at}" for at in range(8)]
    moments = sorted(
        (rng.uniform(0, 20), rng.choice(("dial", "hang up", "hang up", "cut a", "cut b"))) for _ in range(30)
    )
    dialled: list[str] = []
    for when, what in moments:
        net.run(when)
        match what:
            case "dial" if calls:
                dialled.append(calls.pop())
                n.dial(net, a, b, dialled[-1], transport="tcp")
            case "hang up" if dialled:
                net.do(a, a.endpoint.hang_up(rng.choice(dialled), net.now))
            case "cut a":
                net.cut(a)
            case "cut b":
                net.cut(b)
    net.run(60)
    for call in dialled:
        net.do(a, a.endpoint.hang_up(call, net.now))
    net.run(150)
    for peer in (a, b):
        ends = [event.call for event in peer.events if isinstance(event, CallEnded | CallFailed)]
        assert len(ends) == len(set(ends))
        assert not any(isinstance(event, CallReoffered) for event in peer.events)
    # a call whose only BYE fell between two connections is ended by its media's silence
    for event in b.events:
        if isinstance(event, IncomingCall):
            net.do(b, b.endpoint.hang_up(event.call, net.now))
    over(net, a, b)
