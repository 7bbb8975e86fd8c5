"""An endpoint dies at some moment and another goes on with its calls, from what was kept and nothing else."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from random import Random
from typing import Any

import attrs
import msgpack
import pytest
from cordboard.sip import snapshot as snapshots
from cordboard.sip.events import CallCancelled, CallConfirmed, CallEnded, CallFailed, IncomingCall, Output
from cordboard.sip.message import LocalSipError

from . import net as n

CLASSES = {kind.__name__: kind for kind in vars(snapshots).values() if isinstance(kind, type) and attrs.has(kind)}


def packed(value: Any) -> bytes:
    """As a store writes it that knows attrs classes and nothing of SIP."""

    def plain(value: Any) -> Any:
        if attrs.has(type(value)):
            return {type(value).__name__: [plain(getattr(value, field.name)) for field in attrs.fields(type(value))]}
        return [plain(each) for each in value] if isinstance(value, tuple) else value

    made: bytes = msgpack.packb(plain(value))
    return made


def unpacked(data: bytes) -> Any:
    def whole(value: Any) -> Any:
        if isinstance(value, dict):
            ((name, fields),) = value.items()
            return CLASSES[name](*(whole(each) for each in fields))
        return tuple(whole(each) for each in value) if isinstance(value, list) else value

    return whole(msgpack.unpackb(data))


def restart(net: n.Net, peer: n.Peer, down: float = 0.5) -> None:
    """Dead for `down` seconds; what it had kept went through a store."""
    net.kill(peer)
    net.run(net.now + down)
    peer.kept = {call: unpacked(packed(each)) for call, each in peer.kept.items()}
    net.restart(peer)


def answer(net: n.Net, peer: n.Peer) -> None:
    net.do(peer, peer.endpoint.answer(peer.last_call(), n.answer_to(n.OFFER_A), net.now))


def hang_up(net: n.Net, peer: n.Peer) -> None:
    net.do(peer, peer.endpoint.hang_up(peer.last_call(), net.now))


def all_over(net: n.Net) -> None:
    net.run(net.now + 200)
    for peer in net.peers.values():
        assert peer.endpoint.idle
        assert peer.kept == {}


def sent(net: n.Net, peer: n.Peer, what: str) -> list[bytes]:
    return [data for source, data in net.sent if source == peer.address and n.describe(data) == what]


def up() -> tuple[n.Net, n.Peer, n.Peer]:
    net, a, b = n.pair()
    b.react = n.answering
    n.dial(net, a, b)
    net.run(1)
    assert b.kinds() == ["IncomingCall", "CallConfirmed"]
    return net, a, b


@pytest.mark.parametrize("dies", ["caller", "callee"])
@pytest.mark.parametrize("ends", ["caller", "callee"])
def test_a_call_that_is_up_goes_on_and_either_side_ends_it(dies: str, ends: str) -> None:
    net, a, b = up()
    restart(net, a if dies == "caller" else b, down=10)
    ending, other = (a, b) if ends == "caller" else (b, a)
    hang_up(net, ending)
    net.run(net.now + 1)
    assert other.events[-1] == CallEnded(other.last_call(), "bye")
    assert len(sent(net, ending, "BYE")) == len(sent(net, other, "200 BYE")) == 1
    assert b.kinds().count("IncomingCall") == 1
    all_over(net)


def test_a_reinvite_comes_to_the_second_life_of_a_call() -> None:
    net, a, b = up()
    invite = sent(net, a, "INVITE")[0]
    restart(net, b)
    tag = net.messages()[-2].to.tag
    again = invite.replace(b"z9hG4bK", b"z9hG4bKr").replace(b"CSeq: 1 ", b"CSeq: 2 ")
    again = again.replace(b"To: <sip:600@192.0.2.2>", b"To: <sip:600@192.0.2.2>;tag=" + (tag or "").encode())
    net.do(b, b.endpoint.receive(again, n.A, net.now))
    assert b.kinds() == ["IncomingCall", "CallConfirmed", "CallReoffered"]
    # ... and its answer is what a third life goes on with
    assert len(sent(net, b, "200 INVITE")) == 2
    restart(net, b)
    assert len(set(sent(net, b, "200 INVITE")[1:])) == 1
    ack = sent(net, a, "ACK")[0].replace(b"CSeq: 1 ", b"CSeq: 2 ")
    net.do(b, b.endpoint.receive(ack, n.A, net.now))
    hang_up(net, b)
    assert b"CSeq: 1 BYE" in sent(net, b, "BYE")[0]
    all_over(net)


def test_a_reinvite_that_waited_at_the_crash_is_still_refused_or_answered() -> None:
    net, a, b = up()
    b.react = None
    tag = net.messages()[-2].to.tag
    again = sent(net, a, "INVITE")[0].replace(b"z9hG4bK", b"z9hG4bKr").replace(b"CSeq: 1 ", b"CSeq: 2 ")
    again = again.replace(b"To: <sip:600@192.0.2.2>", b"To: <sip:600@192.0.2.2>;tag=" + (tag or "").encode())
    net.do(b, b.endpoint.receive(again, n.A, net.now))
    restart(net, b)
    net.do(b, b.endpoint.receive(again, n.A, net.now))
    assert b.kinds()[2:] == ["CallReoffered"]
    net.do(b, b.endpoint.reject_reoffer(b.last_call(), 488, net.now))
    assert len(sent(net, b, "488 INVITE")) == 1
    hang_up(net, b)
    all_over(net)


def test_a_call_that_was_not_answered_at_the_crash_is_answered_after_it() -> None:
    """The caller has heard 100 and waits: it sends nothing more by itself."""
    net, a, b = n.pair()
    n.dial(net, a, b)
    net.run(0.1)
    restart(net, b, down=5)
    assert len(sent(net, a, "INVITE")) == 1
    answer(net, b)
    net.run(net.now + 1)
    assert a.kinds() == ["CallAnswered"]
    assert b.kinds() == ["IncomingCall", "CallConfirmed"]
    hang_up(net, a)
    all_over(net)


def test_a_call_that_was_not_answered_at_the_crash_is_refused_or_cancelled_after_it() -> None:
    net, a, b = n.pair()
    for index in range(2):
        n.dial(net, a, b, f"c{index}")
    net.run(0.1)
    first, second = (event.call for event in b.events if isinstance(event, IncomingCall))
    restart(net, b)
    net.do(b, b.endpoint.reject(first, 503, net.now, retry_after=5))
    net.do(a, a.endpoint.hang_up("c1", net.now))
    net.run(net.now + 1)
    assert [(type(e).__name__, getattr(e, "status", 0)) for e in a.events] == [("CallFailed", 503)]
    assert b.kinds() == ["IncomingCall", "IncomingCall", "CallCancelled"]
    assert b.last_call() == second
    all_over(net)


def test_the_refusal_that_was_lost_with_its_sender_is_sent_again() -> None:
    net, a, b = n.pair()
    n.dial(net, a, b)
    net.run(0.1)
    net.drop = lambda what, source: what == "486 INVITE"
    net.do(b, b.endpoint.reject(b.last_call(), 486, net.now))
    net.drop = lambda what, source: False
    restart(net, b)
    net.run(net.now + 1)
    assert [getattr(event, "status", 0) for event in a.events] == [486]
    all_over(net)


def test_a_200_without_ack_is_sent_again_in_the_second_life_until_the_ack() -> None:
    net, a, b = n.pair()
    b.react = n.answering
    net.drop = lambda what, source: what == "ACK" and net.now < 4
    n.dial(net, a, b)
    net.run(1)
    restart(net, b)
    restarted = net.now
    net.run(20)
    answers = sent(net, b, "200 INVITE")
    assert len(set(answers)) == 1
    assert restarted in [time for time, _, what in net.log if what == "200 INVITE"]
    assert b.events[1:] == [CallConfirmed(b.last_call(), None)]
    hang_up(net, b)
    all_over(net)


def test_a_200_that_is_never_acknowledged_ends_after_32_seconds_of_both_lives() -> None:
    net, a, b = n.pair()
    b.react = n.answering
    net.drop = lambda what, source: what == "ACK"
    n.dial(net, a, b)
    net.run(20)
    restart(net, b)
    net.run(40)
    assert [round(time, 2) for time, _, what in net.log if what == "BYE"] == [32.01]
    assert b.events[-1] == CallEnded(b.last_call(), "no-ack")
    all_over(net)


def test_an_invite_that_comes_again_is_the_same_call_and_has_the_same_answer() -> None:
    net, a, b = n.pair()
    b.react = n.answering
    net.drop = lambda what, source: source == n.B
    n.dial(net, a, b)
    net.run(0.1)
    net.drop = lambda what, source: False
    restart(net, b, down=0.1)
    net.run(10)
    assert b.kinds() == ["IncomingCall", "CallConfirmed"]
    assert len(set(sent(net, b, "200 INVITE"))) == 1
    assert a.kinds() == ["CallAnswered"]
    hang_up(net, a)
    all_over(net)


def test_a_bye_that_nobody_had_answered_is_sent_again() -> None:
    net, a, b = up()
    net.drop = lambda what, source: what == "BYE"
    hang_up(net, b)
    (kept,) = b.kept.values()
    assert not kept.live
    net.drop = lambda what, source: False
    restart(net, b)
    net.run(net.now + 1)
    assert a.events[-1] == CallEnded("out", "bye")
    assert len(set(sent(net, b, "BYE"))) == 1
    all_over(net)


def test_hanging_up_before_the_ack_is_remembered() -> None:
    """RFC 3261 §15."""
    net, a, b = n.pair()
    n.dial(net, a, b)
    net.run(0.1)
    answer(net, b)
    hang_up(net, b)
    restart(net, b)
    net.run(net.now + 5)
    assert a.kinds() == ["CallAnswered", "CallEnded"]
    all_over(net)


def test_a_call_we_dialled_goes_on_ringing() -> None:
    net, a, b = n.pair()
    n.dial(net, a, b)
    net.run(0.1)
    net.do(b, b.endpoint.ring(b.last_call(), net.now))
    net.run(1)
    restart(net, a)
    answer(net, b)
    net.run(net.now + 1)
    assert a.kinds() == ["CallProgressed", "CallAnswered"]
    hang_up(net, a)
    net.run(net.now + 1)
    assert b.kinds()[-1] == "CallEnded"
    all_over(net)


def test_a_clock_that_was_set_back_holds_no_call_for_ever() -> None:
    net, a, b = n.pair()
    net.drop = lambda what, source: what == "ACK"
    n.dial(net, a, b)
    net.run(0.1)
    answer(net, b)
    (kept,) = b.kept.values()
    timers = tuple((name, when + 86400) for name, when in kept.machine.timers)
    later = attrs.evolve(kept, machine=attrs.evolve(kept.machine, timers=timers))
    fresh = n.endpoint(n.B)
    fresh.restore(later, net.now)
    assert any(isinstance(output, CallEnded) for output in fresh.wake(net.now + 60))


def test_a_call_is_restored_once() -> None:
    _, _, b = up()
    (kept,) = b.kept.values()
    with pytest.raises(LocalSipError):
        b.endpoint.restore(kept, 1.0)
    assert b.endpoint.snapshot("nobody") is None


def test_what_is_no_utf8_survives() -> None:
    net, a, b = n.pair()
    b.react = n.answering
    net.do(a, a.endpoint.dial("out", "sip:600@192.0.2.2", n.B, "1001", n.OFFER_A, 0.0))
    invite = sent(net, a, "INVITE")[0].replace(b"From: ", b'From: "\xff\xc3" ')
    assert b"\xff\xc3" in invite
    net.do(b, b.endpoint.receive(invite, n.A, net.now))
    restart(net, b)
    assert b'From: "\xff\xc3" <sip:1001@192.0.2.1>' in sent(net, b, "200 INVITE")[-1]


def moments() -> list[Callable[[n.Net, n.Peer, n.Peer], None]]:
    """What may happen between two peers, one after the other."""

    def dialled(net: n.Net, a: n.Peer, b: n.Peer) -> None:
        n.dial(net, a, b)

    def rings(net: n.Net, a: n.Peer, b: n.Peer) -> None:
        _for_each_call(net, b, b.endpoint.ring)

    def answers(net: n.Net, a: n.Peer, b: n.Peer) -> None:
        _for_each_call(net, b, lambda call, now: b.endpoint.answer(call, n.answer_to(n.OFFER_A), now))

    def refuses(net: n.Net, a: n.Peer, b: n.Peer) -> None:
        _for_each_call(net, b, lambda call, now: b.endpoint.reject(call, 486, now))

    def caller_leaves(net: n.Net, a: n.Peer, b: n.Peer) -> None:
        net.do(a, a.endpoint.hang_up("out", net.now))

    def callee_leaves(net: n.Net, a: n.Peer, b: n.Peer) -> None:
        _for_each_call(net, b, b.endpoint.hang_up)

    return [dialled, rings, answers, refuses, caller_leaves, callee_leaves]


def _for_each_call(net: n.Net, peer: n.Peer, command: Callable[[str, float], list[Output]]) -> None:
    for call in {event.call for event in peer.events if isinstance(event, IncomingCall)}:
        with contextlib.suppress(LocalSipError):  # not in this state
            net.do(peer, command(call, net.now))


@pytest.mark.parametrize("seed", range(150))
def test_from_every_state_a_second_life_ends_with_nothing_left(seed: int) -> None:
    """A bad network, commands at random, and both sides killed at random: in the end both are idle, nothing is kept,
    and no call was heard of twice."""
    rng = Random(seed)
    net, a, b = n.pair(seed)
    net.loss, net.duplication, net.delay = rng.choice([0.0, 0.2]), 0.1, (0.005, 0.3)
    n.dial(net, a, b)
    for _ in range(8):
        net.run(net.now + rng.choice([0.0, 0.02, 0.2, 1.0, 7.0]))
        if rng.random() < 0.5:
            restart(net, rng.choice([a, b]), down=rng.choice([0.0, 0.3, 2.0]))
        else:
            rng.choice(moments()[1:])(net, a, b)
    restart(net, a)
    restart(net, b)
    net.do(a, a.endpoint.hang_up("out", net.now))
    _for_each_call(net, b, b.endpoint.hang_up)
    net.loss = 0.0
    all_over(net)
    for peer in (a, b):
        ends = [e.call for e in peer.events if isinstance(e, CallEnded | CallCancelled | CallFailed)]
        assert len(ends) == len(set(ends))
    assert b.kinds().count("IncomingCall") <= 1


def test_a_snapshot_costs_little(capsys: pytest.CaptureFixture[str]) -> None:
    """An hour's work in a long test's loop must not hide here: what is measured is printed, and bounded generously."""
    _, _, b = up()
    (call,) = b.kept
    rounds = 500
    begun = time.perf_counter()
    for _ in range(rounds):
        b.endpoint.snapshot(call)
    taken = (time.perf_counter() - begun) / rounds * 1e6
    begun = time.perf_counter()
    for _ in range(rounds):
        n.endpoint(n.B).restore(b.kept[call], 1.0)
    thawed = (time.perf_counter() - begun) / rounds * 1e6
    size = len(packed(b.kept[call]))
    with capsys.disabled():
        print(f"\na snapshot takes {taken:.0f} us, its restoring {thawed:.0f} us; packed it has {size} octets")
    assert taken < 1000
