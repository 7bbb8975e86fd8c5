"""Two endpoints that do anything at any moment, over a network that does anything too: in the end nothing is left of a
call, and both sides tell the same of it."""

from __future__ import annotations

import contextlib
from random import Random

import pytest
from attrs import define, evolve, field
from cordboard.sip import sdp
from cordboard.sip.digest import Account
from cordboard.sip.endpoint import TrunkSettings
from cordboard.sip.events import (
    CallAnswered,
    CallCancelled,
    CallConfirmed,
    CallEnded,
    CallFailed,
    CallReferred,
    CallReoffered,
    IncomingCall,
    Output,
)
from cordboard.sip.message import Address, LocalSipError

from . import net as n

# Where a caller is no trunk's, and has to show its password.
ELSEWHERE = Address("203.0.113.1", 5060)
BLOCK = 50
# Long enough for a session timer of 90 s to be refreshed and to lapse.
LIFE = 300.0


@define
class Side:
    """What one application said, and heard."""

    peer: n.Peer
    rng: Random
    call: str = ""
    over: bool = False
    ended: list[str] = field(factory=list)

    def act(self, net: n.Net) -> None:
        """Any command there is, in a state that may take it or not."""
        endpoint, call, now = self.peer.endpoint, self.call, net.now
        if not call or self.over:
            return
        version = self.rng.randrange(1000)
        ours = sdp.offer(self.peer.address.host, 4000 + 2 * version, session_id=1, version=version)
        up = self.heard(CallAnswered, CallConfirmed)
        with contextlib.suppress(LocalSipError):
            match self.rng.choice((5, 5, 5, 5, 7, 8, 9, 9, 10)) if up else self.rng.randrange(9):
                case 0:
                    net.do(self.peer, endpoint.ring(call, now))
                case 1:
                    net.do(self.peer, endpoint.progress(call, n.answer_to(n.OFFER_A), now))
                case 2 | 3 | 4:
                    net.do(self.peer, endpoint.answer(call, n.answer_to(n.OFFER_A), now))
                case 5:
                    net.do(self.peer, endpoint.reoffer(call, ours, now))
                case 6:
                    net.do(self.peer, endpoint.reject(call, 486, now))
                    self.over = True
                case 7:
                    net.do(self.peer, endpoint.reject_reoffer(call, 488, now))
                case 8:
                    self.leave(net)
                case 9:
                    self.refer(net)
                case _:
                    self.tell(net)

    def refer(self, net: n.Net) -> None:
        """No command of ours, for we refer nothing: the other side does."""
        endpoint = self.peer.endpoint
        call = endpoint._calls.get(self.call)
        if call is not None and call.dialog is not None:
            out: list[Output] = []
            endpoint._within(call, "REFER", net.now, out, (("Refer-To", "<tel:+8610>"),))
            net.do(self.peer, out)

    def tell(self, net: n.Net) -> None:
        """What came of what was referred, also after the call."""
        with contextlib.suppress(LocalSipError):
            net.do(self.peer, self.peer.endpoint.referral_stands(self.call, self.rng.choice((180, 200, 486)), net.now))

    def leave(self, net: n.Net) -> None:
        if self.call and not self.over:
            self.over = True
            net.do(self.peer, self.peer.endpoint.hang_up(self.call, net.now))

    def hear(self, peer: n.Peer, output: Output, now: float) -> list[Output]:
        call = getattr(output, "call", None)
        if call is not None and self.call:
            assert call == self.call
            assert not self.over, f"{output} after the end"
        match output:
            case IncomingCall(call=call):
                self.call = call
            case CallReoffered(call=call, offer=offer) if self.rng.random() < 0.7:
                return peer.endpoint.reanswer(call, n.answer_to(offer) if offer else n.OFFER_B, now)
            case CallReoffered(call=call):
                return peer.endpoint.reject_reoffer(call, 488, now)
            case CallReferred(call=call) if self.rng.random() < 0.7:
                return peer.endpoint.accept_referral(call, now)
            case CallReferred(call=call):
                return peer.endpoint.reject_referral(call, 603, now)
            case CallCancelled() | CallEnded() | CallFailed():
                self.over = True
            case _:
                pass
        return []

    def heard(self, *kinds: type) -> int:
        return sum(isinstance(event, kinds) for event in self.peer.events)


def play(seed: int) -> None:
    rng = Random(seed)
    net = n.Net(Random(seed))
    net.loss, net.duplication = rng.choice([0.0, 0.1, 0.3]), rng.choice([0.0, 0.2])
    net.delay = (0.005, rng.choice([0.01, 0.3, 1.5]))
    a, b = net.add(ELSEWHERE if rng.random() < 0.3 else n.A), net.add(n.B)
    account = Account("office", "secret")
    a.endpoint.set_trunks({"switch": TrunkSettings(("192.0.2.0/24",), account=account, refers=True)})
    b.endpoint.set_trunks(
        {"carrier": TrunkSettings(("192.0.2.0/24",), refers=True), "office": TrunkSettings(guest=account, refers=True)}
    )
    for peer in (a, b):
        peer.endpoint.settings = evolve(peer.endpoint.settings, session_expires=90)
    caller, callee = Side(a, rng, "out"), Side(b, rng)
    a.react, b.react = caller.hear, callee.hear
    net.do(a, a.endpoint.dial("out", "sip:600@192.0.2.2", n.B, "1001", n.OFFER_A, net.now, trunk="switch"))
    for _ in range(rng.randrange(1, 15)):
        net.run(net.now + rng.choice([0.0, 0.01, 0.1, 1.0, 5.0, 40.0]))
        for side in rng.choice([[caller], [callee], [caller, callee]]):
            side.act(net)
    if rng.random() < 0.5:
        # with nothing lost any more, a call that is up stays up for as long as nobody ends it
        net.run(net.now + 100)
        net.loss = 0.0
        net.run(net.now + LIFE)
        if not (caller.over or callee.over) and caller.heard(CallAnswered):
            assert (a.endpoint.live_calls, b.endpoint.live_calls) == (1, 1)
    rng.choice([caller, callee]).leave(net)
    net.run(net.now + 100)
    for side in (caller, callee):
        side.leave(net)
        side.tell(net)
    net.loss = 0.0
    net.run(net.now + 300)
    check(net, caller, callee)


def check(net: n.Net, caller: Side, callee: Side) -> None:
    for side in (caller, callee):
        assert side.peer.endpoint.live_calls == 0
        assert side.peer.endpoint.idle
        assert side.peer.kept == {}
        assert side.heard(CallCancelled, CallEnded, CallFailed) <= 1
    assert callee.heard(IncomingCall) <= 1
    assert caller.heard(CallAnswered) <= 1
    assert callee.heard(CallConfirmed) <= 1
    # who is told of a talk had one, and each side that did not end it itself was told of its end
    if caller.heard(CallAnswered):
        assert callee.heard(IncomingCall)
    if callee.heard(CallConfirmed):
        assert caller.heard(CallAnswered) or caller.over
    assert caller.over
    assert callee.over or not callee.call


def play_block(first: int) -> None:
    for seed in range(first, first + BLOCK):
        try:
            play(seed)
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error


@pytest.mark.parametrize("first", range(0, 500, BLOCK))
def test_whatever_happens_both_sides_end_alike(first: int) -> None:
    play_block(first)


@pytest.mark.long
@pytest.mark.parametrize("first", range(500, 10000, BLOCK))
def test_whatever_else_happens_both_sides_end_alike(first: int) -> None:
    play_block(first)
