"""A seeded network between endpoints on a virtual clock: loss, duplication, delay and so reordering."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from random import Random

from attrs import define, field
from cordboard.sip import sdp
from cordboard.sip.endpoint import Endpoint, Settings
from cordboard.sip.events import (
    CallAnswered,
    CallCancelled,
    CallConfirmed,
    CallEnded,
    CallFailed,
    CallProgressed,
    CallReoffered,
    IncomingCall,
    Output,
    Refused,
    Transmit,
)
from cordboard.sip.message import Address, Message, Request, parse
from cordboard.sip.snapshot import CallSnapshot
from cordboard.sip.transaction import Timers

A = Address("192.0.2.1", 5060)
B = Address("192.0.2.2", 5060)
OFFER_A = sdp.offer("192.0.2.1", 4000, session_id=1)
OFFER_B = sdp.offer("192.0.2.2", 4002, session_id=2)


def answer_to(offer: sdp.SessionDescription, host: str = "192.0.2.2", port: int = 4002) -> sdp.SessionDescription:
    return sdp.answer(offer, sdp.negotiate(offer), host, port, session_id=7)


def describe(data: bytes) -> str:
    message = parse(data)
    return message.method if isinstance(message, Request) else f"{message.status} {message.method}"


@define
class Peer:
    """One endpoint, and all that its application heard. `kept` is what its shell has stored of its calls."""

    address: Address
    endpoint: Endpoint
    react: Callable[[Peer, Output, float], list[Output]] | None = None
    events: list[Output] = field(factory=list)
    kept: dict[str, CallSnapshot] = field(factory=dict)

    def keep(self) -> None:
        """Stores what has changed, as a shell does before anything is sent."""
        changed = self.endpoint.changed
        assert changed is not None
        for call in changed:
            snapshot = self.endpoint.snapshot(call)
            if snapshot is None:
                self.kept.pop(call, None)
            else:
                self.kept[call] = snapshot
        changed.clear()

    def last_call(self) -> str:
        event = next(event for event in reversed(self.events) if not isinstance(event, Refused | Transmit))
        return event.call

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events]


def endpoint(address: Address, timers: Timers | None = None, *, max_calls: int = 3000, life: int = 0) -> Endpoint:
    serial = itertools.count()
    made = Endpoint(
        Settings(lambda remote: (address.host, address.port), max_calls=max_calls),
        lambda: f"{address.host.replace('.', 'x')}-{life}-{next(serial)}",
        timers,
        changed=set(),
    )
    made.set_trunks({"carrier": ["192.0.2.0/24"]})
    return made


@define
class Net:
    """Peers by address. `loss` and `duplication` are probabilities, delays uniform between the bounds, in seconds.

    `drop` may take a datagram out by its text; `log` holds every datagram that was sent: (time, source, what)."""

    rng: Random
    loss: float = 0.0
    duplication: float = 0.0
    delay: tuple[float, float] = (0.01, 0.01)
    drop: Callable[[str, Address], bool] = lambda what, source: False
    now: float = 0.0
    peers: dict[Address, Peer] = field(factory=dict)
    log: list[tuple[float, Address, str]] = field(factory=list)
    sent: list[tuple[Address, bytes]] = field(factory=list)
    _flying: list[tuple[float, int, Address, Address, bytes]] = field(factory=list)
    _serial: itertools.count[int] = field(factory=itertools.count)
    _lives: itertools.count[int] = field(factory=lambda: itertools.count(1))

    def add(self, address: Address, timers: Timers | None = None) -> Peer:
        peer = self.peers[address] = Peer(address, endpoint(address, timers))
        return peer

    def kill(self, peer: Peer) -> None:
        """From now on nothing is heard or done there; what had left is on its way."""
        del self.peers[peer.address]

    def restart(self, peer: Peer) -> None:
        """A new endpoint in its place, that knows only what was kept."""
        peer.endpoint = endpoint(peer.address, life=next(self._lives))
        self.peers[peer.address] = peer
        for snapshot in list(peer.kept.values()):
            self.do(peer, peer.endpoint.restore(snapshot, self.now))

    def do(self, peer: Peer, outputs: list[Output]) -> None:
        peer.keep()
        for output in outputs:
            if isinstance(output, Transmit):
                self._send(peer.address, output)
                continue
            peer.events.append(output)
            if peer.react:
                self.do(peer, peer.react(peer, output, self.now))

    def _send(self, source: Address, output: Transmit) -> None:
        what = describe(output.data)
        self.log.append((round(self.now, 6), source, what))
        self.sent.append((source, output.data))
        if self.drop(what, source):
            return
        copies = (self.rng.random() >= self.loss) + (self.rng.random() < self.duplication)
        for _ in range(copies):
            at = self.now + self.rng.uniform(*self.delay)
            heapq.heappush(self._flying, (at, next(self._serial), source, output.destination, output.data))

    def run(self, until: float) -> None:
        """Everything that happens up to `until`."""
        while True:
            waking = min(self.peers.values(), key=lambda peer: peer.endpoint.deadline())
            wake_at = waking.endpoint.deadline()
            fly_at = self._flying[0][0] if self._flying else float("inf")
            if min(wake_at, fly_at) > until:
                break
            if fly_at <= wake_at:
                self.now = fly_at
                _, _, source, destination, data = heapq.heappop(self._flying)
                if destination in self.peers:
                    peer = self.peers[destination]
                    self.do(peer, peer.endpoint.receive(data, source, self.now))
            else:
                self.now = max(self.now, wake_at)
                self.do(waking, waking.endpoint.wake(self.now))
        self.now = until

    def messages(self) -> list[Message]:
        return [parse(data) for _, data in self.sent]


def pair(seed: int = 1, timers: Timers | None = None) -> tuple[Net, Peer, Peer]:
    net = Net(Random(seed))
    return net, net.add(A, timers), net.add(B, timers)


def dial(net: Net, caller: Peer, callee: Peer, call: str = "out") -> None:
    net.do(
        caller,
        caller.endpoint.dial(call, f"sip:600@{callee.address.host}", callee.address, "1001", OFFER_A, net.now, "Lin"),
    )


def answering(peer: Peer, output: Output, now: float) -> list[Output]:
    """An application that rings, answers at once and accepts re-INVITEs."""
    match output:
        case IncomingCall(call=call, offer=offer):
            sdp_out = answer_to(offer) if offer else OFFER_B
            return [*peer.endpoint.ring(call, now), *peer.endpoint.answer(call, sdp_out, now)]
        case CallReoffered(call=call, offer=offer):
            return peer.endpoint.reanswer(call, answer_to(offer) if offer else OFFER_B, now)
        case (
            CallAnswered()
            | CallCancelled()
            | CallConfirmed()
            | CallEnded()
            | CallFailed()
            | CallProgressed()
            | Refused()
            | Transmit()
        ):
            return []
