"""Two endpoints and a network: the stories of RFC 3261 and of every switch that got them wrong."""

from __future__ import annotations

import re
from random import Random

import pytest
from cordboard.sip.events import CallAnswered, CallConfirmed, CallEnded, CallFailed, IncomingCall, Transmit
from cordboard.sip.message import Address

from . import net as n


def test_a_call_is_set_up_and_released() -> None:
    net, a, b = n.pair()
    b.react = n.answering
    n.dial(net, a, b)
    net.run(1)
    incoming = b.events[0]
    assert isinstance(incoming, IncomingCall)
    assert (incoming.trunk, incoming.number, incoming.caller, incoming.caller_name) == ("carrier", "600", "1001", "Lin")
    assert incoming.offer == n.OFFER_A
    assert a.kinds() == ["CallProgressed", "CallAnswered"]
    assert b.events[1:] == [CallConfirmed(incoming.call, None)]
    net.do(a, a.endpoint.hang_up("out", net.now, "Q.850;cause=16"))
    net.run(2)
    assert b.events[-1] == CallEnded(incoming.call, "bye", "Q.850;cause=16")
    assert [what for _, _, what in net.log] == [
        "INVITE", "100 INVITE", "180 INVITE", "200 INVITE", "ACK", "BYE", "200 BYE",
    ]  # fmt: skip
    net.run(100)
    assert a.endpoint.live_calls == b.endpoint.live_calls == 0
    assert a.endpoint.idle
    assert b.endpoint.idle


@pytest.mark.parametrize("seed", range(20))
def test_a_call_survives_a_bad_network(seed: int) -> None:
    """30 % loss, 10 % duplicates, delays that reorder: up on both sides, then over on both."""
    net, a, b = n.pair(seed)
    net.loss, net.duplication, net.delay = 0.3, 0.1, (0.005, 0.2)
    b.react = n.answering
    n.dial(net, a, b)
    net.run(60)
    assert "CallAnswered" in a.kinds()
    assert b.kinds() == ["IncomingCall", "CallConfirmed"]
    net.do(b, b.endpoint.hang_up(b.last_call(), net.now))
    net.run(120)
    assert a.kinds()[-1] == "CallEnded"
    net.run(300)
    assert a.endpoint.live_calls == b.endpoint.live_calls == 0
    assert a.endpoint.idle
    assert b.endpoint.idle


@pytest.mark.parametrize("seed", range(20))
def test_many_calls_on_a_bad_network_all_end(seed: int) -> None:
    """Whatever the network does, both sides agree in the end that nothing is left, and each call has one end."""
    net, a, b = n.pair(seed)
    net.loss, net.duplication, net.delay = 0.3, 0.2, (0.001, 0.8)
    rng = Random(seed)
    b.react = n.answering
    for index in range(5):
        n.dial(net, a, b, f"c{index}")
        net.run(net.now + rng.uniform(0, 3))
        if rng.random() < 0.7:
            net.do(a, a.endpoint.hang_up(f"c{index}", net.now))
    for event in list(b.events):
        if isinstance(event, IncomingCall):
            net.do(b, b.endpoint.hang_up(event.call, net.now))
    net.run(net.now + 200)
    for event in list(b.events):
        if isinstance(event, IncomingCall):
            net.do(b, b.endpoint.hang_up(event.call, net.now))
    for index in range(5):
        net.do(a, a.endpoint.hang_up(f"c{index}", net.now))
    net.run(net.now + 300)
    assert a.endpoint.idle
    assert b.endpoint.idle
    ends = [event.call for event in b.events if isinstance(event, CallEnded)]
    assert len(ends) == len(set(ends))


def test_the_answer_crosses_the_cancel() -> None:
    """The caller gives up as the callee answers: 200 for the CANCEL, and the call that came up ends with BYE."""
    net, a, b = n.pair()
    n.dial(net, a, b)
    net.run(0.1)
    net.do(a, a.endpoint.hang_up("out", net.now))
    net.do(b, b.endpoint.answer(b.last_call(), n.OFFER_B, net.now))
    net.run(5)
    assert a.kinds() == []
    assert b.kinds() == ["IncomingCall", "CallConfirmed", "CallEnded"]
    assert [what for _, _, what in net.log][2:] == ["CANCEL", "200 INVITE", "200 CANCEL", "ACK", "BYE", "200 BYE"]
    net.run(100)
    assert a.endpoint.idle


def test_the_caller_gives_up_while_it_rings() -> None:
    net, a, b = n.pair()
    n.dial(net, a, b)
    net.run(0.1)
    net.do(b, b.endpoint.ring(b.last_call(), net.now))
    net.run(1)
    net.do(a, a.endpoint.hang_up("out", net.now, 'SIP;cause=200;text="Call completed elsewhere"'))
    net.run(2)
    assert b.kinds() == ["IncomingCall", "CallCancelled"]
    net.do(b, b.endpoint.answer(b.last_call(), n.OFFER_B, net.now))
    assert b.endpoint.counters["late: command for a call that had ended"] == 1
    assert [what for _, _, what in net.log][3:] == ["CANCEL", "200 CANCEL", "487 INVITE", "ACK"]
    net.run(100)
    assert b.endpoint.idle


def test_a_cancel_waits_for_the_first_response() -> None:
    """RFC 3261 §9.1."""
    net, a, b = n.pair()
    n.dial(net, a, b)
    net.do(a, a.endpoint.hang_up("out", net.now))
    assert [what for _, _, what in net.log] == ["INVITE"]
    net.run(1)
    assert [what for _, _, what in net.log][1:] == ["100 INVITE", "CANCEL", "200 CANCEL", "487 INVITE", "ACK"]
    assert b.kinds() == ["IncomingCall", "CallCancelled"]


def test_two_bye_cross() -> None:
    net, a, b = n.pair()
    b.react = n.answering
    n.dial(net, a, b)
    net.run(1)
    net.do(a, a.endpoint.hang_up("out", net.now))
    net.do(b, b.endpoint.hang_up(b.last_call(), net.now))
    net.run(2)
    assert [what for _, _, what in net.log][-4:] == ["BYE", "BYE", "200 BYE", "200 BYE"]
    assert "CallEnded" not in a.kinds() + b.kinds()


def test_a_lost_ack_is_sent_again_for_each_200() -> None:
    net, a, b = n.pair()
    b.react = n.answering
    net.drop = lambda what, source: what == "ACK" and net.now < 1
    n.dial(net, a, b)
    net.run(10)
    # 200 leaves at 0.01; the third ACK gets through
    assert [time for time, _, what in net.log if what == "200 INVITE"] == [0.01, 0.51, 1.51]
    assert b.kinds() == ["IncomingCall", "CallConfirmed"]


def test_a_200_without_ack_is_sent_for_32_seconds_and_then_bye() -> None:
    net, a, b = n.pair()
    b.react = n.answering
    net.drop = lambda what, source: what == "ACK"
    n.dial(net, a, b)
    net.run(100)
    times = [round(time - 0.01, 3) for time, _, what in net.log if what == "200 INVITE"]
    assert times == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert b.events[-1] == CallEnded(b.last_call(), "no-ack")
    assert [round(time, 3) for time, source, what in net.log if what == "BYE"] == [32.01]
    assert a.kinds()[-1] == "CallEnded"


def test_hanging_up_between_200_and_ack_waits_for_the_ack() -> None:
    """RFC 3261 §15."""
    net, a, b = n.pair()
    n.dial(net, a, b)
    net.run(0.1)
    call = b.last_call()
    net.do(b, b.endpoint.answer(call, n.OFFER_B, net.now))
    net.do(b, b.endpoint.hang_up(call, net.now))
    net.run(1)
    assert [what for _, _, what in net.log][2:] == ["200 INVITE", "ACK", "BYE", "200 BYE"]
    assert b.kinds() == ["IncomingCall"]
    assert a.kinds() == ["CallAnswered", "CallEnded"]


def test_nobody_answers_at_all() -> None:
    net, a, b = n.pair()
    net.loss = 1.0
    n.dial(net, a, b)
    net.run(100)
    assert a.events == [CallFailed("out", 408, "no response")]
    assert a.endpoint.idle is False or net.now >= 64
    assert [time for time, _, _ in net.log] == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]


def test_a_refused_call_says_why() -> None:
    net, a, b = n.pair()
    n.dial(net, a, b)
    net.run(0.1)
    net.do(b, b.endpoint.reject(b.last_call(), 486, net.now, "Busy", retry_after=30))
    net.run(1)
    assert a.events == [CallFailed("out", 486, "Busy", 30)]
    assert [what for _, _, what in net.log][2:] == ["486 INVITE", "ACK"]


def test_a_callee_that_waits_says_so_every_minute() -> None:
    net, a, b = n.pair()
    n.dial(net, a, b)
    net.run(0.1)
    net.do(b, b.endpoint.ring(b.last_call(), net.now))
    net.run(130)
    assert [time for time, _, what in net.log if what == "180 INVITE"] == pytest.approx([0.1, 60.01, 120.01])


def test_an_offerless_invite_is_offered_in_the_200_and_answered_in_the_ack() -> None:
    net, _, b = n.pair()
    call_id, branch = "offerless", "z9hG4bK-1"
    head = (
        "Via: SIP/2.0/UDP 192.0.2.9:5060;branch={branch}\r\nMax-Forwards: 70\r\nTo: <sip:600@192.0.2.2>{tag}\r\n"
        "From: <sip:1@192.0.2.9>;tag=f\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\nContact: <sip:192.0.2.9>\r\n"
    )
    source = Address("192.0.2.9", 5060)
    invite = "INVITE sip:600@192.0.2.2 SIP/2.0\r\n" + head.format(
        branch=branch, tag="", call_id=call_id, method="INVITE"
    )
    net.do(b, b.endpoint.receive((invite + "\r\n").encode(), source, 0.0))
    incoming = b.events[0]
    assert isinstance(incoming, IncomingCall)
    assert incoming.offer is None
    net.do(b, b.endpoint.answer(incoming.call, n.OFFER_B, 0.0))
    answered = net.messages()[-1]
    answer = n.answer_to(n.OFFER_B, "192.0.2.9", 9000)
    ack = "ACK sip:192.0.2.2 SIP/2.0\r\n" + head.format(
        branch="z9hG4bK-2", tag=f";tag={answered.to.tag}", call_id=call_id, method="ACK"
    )
    body = bytes(answer)
    data = f"{ack}Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    net.do(b, b.endpoint.receive(data, source, 0.1))
    assert b.events[1:] == [CallConfirmed(incoming.call, answer)]


def test_calls_above_the_limit_are_shed_with_503() -> None:
    net = n.Net(Random(1))
    a = net.add(n.A)
    b = net.add(n.B, max_calls=1)
    n.dial(net, a, b, "one")
    n.dial(net, a, b, "two")
    net.run(1)
    assert a.events == [CallFailed("two", 503, "Service Unavailable", 5)]
    assert b.kinds() == ["IncomingCall", "Refused"]


def test_while_the_application_is_busy_new_calls_hear_503_and_those_that_live_go_on() -> None:
    net, a, b = n.pair()
    n.dial(net, a, b, "one")
    net.run(1)
    b.endpoint.room = lambda: 0
    n.dial(net, a, b, "two")
    net.do(b, b.endpoint.answer(b.last_call(), n.answer_to(n.OFFER_A), net.now))
    net.run(2)
    assert CallFailed("two", 503, "Service Unavailable", 5) in a.events
    assert "CallAnswered" in a.kinds()
    assert b.endpoint.counters["refused busy"] == 1
    net.do(a, a.endpoint.hang_up("one", net.now))
    b.endpoint.room = lambda: 1
    n.dial(net, a, b, "three")
    net.run(3)
    assert b.kinds()[-2:] == ["CallEnded", "IncomingCall"]


def test_a_call_that_was_refused_as_it_came_again_is_not_let_in_though_there_is_room_by_then() -> None:
    net, a, b = n.pair()
    out = a.endpoint.dial("one", "sip:600@192.0.2.2", n.B, "1001", n.OFFER_A, net.now)
    invite = next(each.data for each in out if isinstance(each, Transmit))
    first, again = (b.endpoint.receive(invite, n.A, net.now, late=late) for late in (True, False))
    said = [[each.data for each in out if isinstance(each, Transmit)] for out in (first, again)]
    assert said[0] == said[1]
    assert said[0][0].startswith(b"SIP/2.0 503 ")
    assert b.endpoint.live_calls == 0
    b.endpoint.receive(invite, n.A, net.now + 4.1)  # the answer was lost, and it asks on
    assert b.endpoint.live_calls == 1


def test_of_one_for_which_there_is_no_room_nothing_else_is_looked_at() -> None:
    _, a, b = n.pair()
    out = a.endpoint.dial("one", "sip:600@192.0.2.2", n.B, "1001", n.OFFER_A, 1.0)
    invite = next(each.data for each in out if isinstance(each, Transmit))
    unable = invite.replace(b"\r\nCSeq:", b"\r\nRequire: 100rel, magic\r\nCSeq:")
    said = []
    for room, branch in ((0, b"z9hG4bKone"), (1, b"z9hG4bKtwo")):
        b.endpoint.room = [lambda: 0, lambda: 1][room]
        asked = re.sub(rb"branch=[^;\r]+", b"branch=" + branch, unable)
        said += [each.data[:11] for each in b.endpoint.receive(asked, n.A, 1.0) if isinstance(each, Transmit)]
    assert said == [b"SIP/2.0 503", b"SIP/2.0 420"]


def test_one_that_comes_late_is_refused_and_what_is_of_a_call_is_not() -> None:
    net, a, b = n.pair()
    b.react = n.answering
    n.dial(net, a, b)
    net.run(1)
    bye = next(each.data for each in a.endpoint.hang_up("out", net.now) if isinstance(each, Transmit))
    outputs = b.endpoint.receive(bye, n.A, net.now, late=True)
    assert [type(each).__name__ for each in outputs] == ["Transmit", "CallEnded"]


def test_an_early_answer_counts_where_the_200_has_none() -> None:
    net, a, _ = n.pair()
    net.do(a, a.endpoint.dial("out", "sip:600@192.0.2.50", Address("192.0.2.50", 5060), None, n.OFFER_A, 0.0))
    invite = net.messages()[-1]
    assert (
        invite.get(
            "From",
        )
        is not None
    )
    assert invite.from_.uri == "sip:anonymous@anonymous.invalid"
    assert invite.get("Privacy") == "id"
    head = (
        f"Via: {invite.via.text}\r\nTo: <sip:600@192.0.2.50>;tag=t\r\nFrom: {invite.get('From')}\r\n"
        f"Call-ID: {invite.call_id}\r\nCSeq: 1 INVITE\r\nContact: <sip:600@192.0.2.50:5070>\r\n"
        "Record-Route: <sip:192.0.2.51;lr>, <sip:192.0.2.52;lr>\r\n"
    )
    answer = n.answer_to(n.OFFER_A)
    early = f"SIP/2.0 183 Progress\r\n{head}Content-Type: application/sdp\r\n\r\n".encode() + bytes(answer)
    source = Address("192.0.2.50", 5060)
    net.do(a, a.endpoint.receive(early, source, 0.1))
    net.do(a, a.endpoint.receive(f"SIP/2.0 200 OK\r\n{head}\r\n".encode(), source, 0.2))
    assert a.events[-1] == CallAnswered("out", answer)
    ack = net.messages()[-1]
    # RFC 3261 §12.1.2: the route set is reversed, and the next hop is its first
    assert ack.values("Route") == ["<sip:192.0.2.52;lr>", "<sip:192.0.2.51;lr>"]
    assert ack.__class__.__name__ == "Request"
    assert bytes(ack).startswith(b"ACK sip:600@192.0.2.50:5070 SIP/2.0\r\n")


def test_an_ack_without_the_answer_it_owes_ends_the_call() -> None:
    net, a, b = n.pair()
    a.react = None
    net.drop = lambda what, source: False
    # an offerless INVITE of a caller whose ACK has no body: made of ours by taking the body away
    sent = a.endpoint.dial("out", "sip:600@192.0.2.2", n.B, "1001", n.OFFER_A, 0.0)[0]
    assert isinstance(sent, Transmit)
    bare = sent.data.partition(b"\r\n\r\n")[0].replace(b"Content-Type: application/sdp\r\n", b"")
    bare = b"\r\n".join(line for line in bare.split(b"\r\n") if not line.startswith(b"Content-Length"))
    net.do(b, b.endpoint.receive(bare + b"\r\n\r\n", n.A, 0.0))
    net.do(b, b.endpoint.answer(b.last_call(), n.OFFER_B, 0.0))
    net.run(1)
    assert a.kinds() == ["CallAnswered", "CallEnded"]
    assert b.events[-1] == CallEnded(b.last_call(), "bad-answer")
    assert a.endpoint.live_calls == b.endpoint.live_calls == 0


def test_a_200_without_a_description_is_acknowledged_and_ended() -> None:
    net, a, b = n.pair()
    n.dial(net, a, b)
    net.run(0.1)
    net.do(b, b.endpoint.answer(b.last_call(), n.OFFER_B, net.now))
    answer = next(data for source, data in reversed(net.sent) if b"200 OK" in data)
    head = answer.partition(b"\r\n\r\n")[0]
    head = b"\r\n".join(line for line in head.split(b"\r\n") if not line.startswith(b"Content-"))
    net.do(a, a.endpoint.receive(head + b"\r\n\r\n", n.B, net.now))
    net.run(5)
    assert a.events[-1] == CallFailed("out", 488, "no usable session description")
    assert [what for _, source, what in net.log if source == n.A][1:3] == ["ACK", "BYE"]
    assert a.endpoint.live_calls == b.endpoint.live_calls == 0
