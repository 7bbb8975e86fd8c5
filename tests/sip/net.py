"""A seeded network between endpoints on a virtual clock: loss, duplication, delay and so reordering.

What goes by TCP is cut into pieces, comes late but in order, and is lost only where a connection is."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from functools import partial
from random import Random

from attrs import define, evolve, field
from cordboard.sip import sdp
from cordboard.sip.connections import LOOK, Close, Connection, Connections, Heard, Write
from cordboard.sip.endpoint import Endpoint, Settings, TrunkSettings
from cordboard.sip.events import (
    CallAnswered,
    CallCancelled,
    CallConfirmed,
    CallEnded,
    CallFailed,
    CallKeyed,
    CallProgressed,
    CallReanswered,
    CallReferred,
    CallReoffered,
    CallReofferRefused,
    CallTried,
    FlowLost,
    IncomingCall,
    Output,
    Refused,
    Registered,
    Replied,
    Sought,
    Transmit,
    Unconnected,
    Undelivered,
)
from cordboard.sip.message import Address, Message, Request, parse
from cordboard.sip.snapshot import CallSnapshot
from cordboard.sip.transaction import Timers

# What a kernel holds that nobody acknowledges, before it gives the connection up, in seconds (`tcp.STALLED`)
UNACKNOWLEDGED = 15.0

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
    """One endpoint, and all that its application heard. `kept` is what its shell has stored of its calls, `begun` how
    it begins, in which life, where that is not as all do."""

    address: Address
    endpoint: Endpoint
    connections: Connections
    react: Callable[[Peer, Output, float], list[Output]] | None = None
    events: list[Output] = field(factory=list)
    kept: dict[str, CallSnapshot] = field(factory=dict)
    begun: Callable[[int], Endpoint] | None = None

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
        event = next(
            event
            for event in reversed(self.events)
            if not isinstance(
                event, FlowLost | Refused | Registered | Replied | Sought | Transmit | Unconnected | Undelivered
            )
        )
        return event.call

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events]


def endpoint(
    address: Address, timers: Timers | None = None, *, max_calls: int = 3000, life: int = 0, within: str = ""
) -> Endpoint:
    """`within`: the address that it knows itself by, behind a NAT."""
    serial = itertools.count()
    made = Endpoint(
        Settings(lambda remote: (within or address.host, address.port), max_calls=max_calls),
        lambda: f"{address.host.replace('.', 'x')}-{life}-{next(serial)}",
        timers,
        changed=set(),
    )
    made.set_trunks({"carrier": TrunkSettings(("192.0.2.0/24",))})
    return made


def connections(of: Endpoint) -> Connections:
    return Connections(of.counters, of.hears, of.living)


@define
class Wire:
    """One side's end of a TCP connection: whose it is, and the other end."""

    peer: Peer
    connection: Connection
    other: Wire | None = None
    open: bool = True
    # when the last octet sent to the other end arrives there
    arrives: float = 0.0


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
    _flying: list[tuple[float, int, Callable[[], None]]] = field(factory=list)
    _wires: dict[Connection, Wire] = field(factory=dict)
    _looking: set[Address] = field(factory=set)
    _serial: itertools.count[int] = field(factory=itertools.count)
    _lives: itertools.count[int] = field(factory=lambda: itertools.count(1))

    def add(
        self,
        address: Address,
        timers: Timers | None = None,
        *,
        max_calls: int = 3000,
        begun: Callable[[int], Endpoint] | None = None,
    ) -> Peer:
        made = begun(0) if begun else endpoint(address, timers, max_calls=max_calls)
        peer = self.peers[address] = Peer(address, made, connections(made), begun=begun)
        return peer

    def kill(self, peer: Peer) -> None:
        """From now on nothing is heard or done there; what had left is on its way. Its kernel ends its connections."""
        del self.peers[peer.address]
        self.cut(peer)

    def cut(self, peer: Peer) -> None:
        """All its connections break."""
        for wire in [each for each in self._wires.values() if each.peer is peer]:
            self._close(wire)

    def vanish(self, peer: Peer) -> None:
        """The machine is gone without a word: nobody ends its connections."""
        del self.peers[peer.address]

    def restart(self, peer: Peer) -> None:
        """A new endpoint in its place, that knows only what was kept."""
        life = next(self._lives)
        peer.endpoint = peer.begun(life) if peer.begun else endpoint(peer.address, life=life)
        peer.connections = connections(peer.endpoint)
        self.peers[peer.address] = peer
        for snapshot in list(peer.kept.values()):
            self.do(peer, peer.endpoint.restore(snapshot, self.now))

    def do(self, peer: Peer, outputs: list[Output]) -> None:
        peer.keep()
        for output in outputs:
            if isinstance(output, Transmit):
                self._send(peer, output)
                continue
            if not isinstance(output, CallTried):  # before all that anybody waits for
                peer.events.append(output)
            if peer.react:
                self.do(peer, peer.react(peer, output, self.now))

    def _send(self, peer: Peer, output: Transmit) -> None:
        source, what = peer.address, describe(output.data)
        self.log.append((round(self.now, 6), source, what))
        self.sent.append((source, output.data))
        if self.drop(what, source):
            return
        if output.destination.reliable:
            self._send_on(peer, output)
            return
        copies = (self.rng.random() >= self.loss) + (self.rng.random() < self.duplication)
        for _ in range(copies):
            self._later(self.now + self.rng.uniform(*self.delay), partial(self._arrive, source, output))

    def _later(self, at: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._flying, (at, next(self._serial), what))

    def _arrive(self, source: Address, output: Transmit) -> None:
        if peer := self.peers.get(output.destination):
            self.do(peer, peer.endpoint.receive(output.data, source, self.now))

    # --- TCP ---

    def _send_on(self, peer: Peer, output: Transmit) -> None:
        way = peer.connections.way(output, self.now)
        if way is None:
            self.do(peer, peer.endpoint.unsent(output, self.now))
        elif isinstance(way, Address):
            self._connect(peer, way, output)
        else:
            self._write(self._wires[way], output.data)

    def _connect(self, peer: Peer, remote: Address, output: Transmit) -> None:
        other = self.peers.get(Address(remote.host, remote.port))
        made = peer.connections.open(remote, self.now)
        assert made is not None
        ours = Address(peer.address.host, 40000 + next(self._serial), remote.transport)
        accepted = other and other.connections.accept(ours, self.now)
        wire = self._wires[made] = Wire(peer, made)
        if other is None or not isinstance(accepted, Connection):
            # not at once: it is a round trip until that is known
            self._later(self.now + self.delay[1], partial(self._end, wire, [output]))
            return
        wire.other = self._wires[accepted] = Wire(other, accepted, wire)
        for each in (peer, other):
            self._look(each, first=True)
        self._write(wire, output.data)

    def _write(self, wire: Wire, data: bytes) -> None:
        if wire.other is None or wire.other.peer.address not in self.peers:
            self._later(self.now + UNACKNOWLEDGED, partial(self._end, wire, []))
            return
        while data:
            size = self.rng.choice((1, 7, 100, 1460))
            wire.arrives = max(wire.arrives, self.now + self.rng.uniform(*self.delay))
            self._later(wire.arrives, partial(self._read, wire.other, data[:size]))
            data = data[size:]

    def _read(self, wire: Wire, data: bytes) -> None:
        if wire.open and wire.peer.address in self.peers:
            for action in wire.peer.connections.receive(wire.connection, data, self.now):
                self._act(wire, action)

    def _act(self, wire: Wire, action: Heard | Write | Close) -> None:
        match action:
            case Heard(message):
                self.do(wire.peer, wire.peer.endpoint.receive(message, wire.connection.remote, self.now))
            case Write(_, octets):
                self._write(wire, octets)
            case Close():
                self._close(wire)

    def _close(self, wire: Wire) -> None:
        if wire.other is not None:
            self._later(max(wire.arrives, self.now + self.delay[0]), partial(self._end, wire.other, []))
        self._end(wire, [])

    def _end(self, wire: Wire, unwritten: list[Transmit]) -> None:
        if not wire.open:
            return
        wire.open = False
        del self._wires[wire.connection]
        wire.peer.connections.closed(wire.connection)
        if wire.peer.address in self.peers:
            self.do(wire.peer, wire.peer.endpoint.disconnected(wire.connection.remote, unwritten, self.now))

    def _look(self, peer: Peer, *, first: bool = False) -> None:
        if first and peer.address in self._looking:
            return
        self._looking.add(peer.address)
        if not first:
            for action in peer.connections.look(self.now):
                self._act(self._wires[action.connection], action)
        if len(peer.connections):
            self._later(self.now + LOOK, partial(self._look, peer))
        else:
            self._looking.discard(peer.address)

    # --- time ---

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
                _, _, happens = heapq.heappop(self._flying)
                happens()
            else:
                self.now = max(self.now, wake_at)
                self.do(waking, waking.endpoint.wake(self.now))
        self.now = until

    def messages(self) -> list[Message]:
        return [parse(data) for _, data in self.sent]


def pair(seed: int = 1, timers: Timers | None = None) -> tuple[Net, Peer, Peer]:
    net = Net(Random(seed))
    return net, net.add(A, timers), net.add(B, timers)


def dial(net: Net, caller: Peer, callee: Peer, call: str = "out", transport: str = "udp") -> None:
    target = evolve(callee.address, transport=transport)
    net.do(
        caller,
        caller.endpoint.dial(call, f"sip:600@{callee.address.host}", target, "1001", OFFER_A, net.now, "Lin"),
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
            | CallKeyed()
            | CallProgressed()
            | CallReanswered()
            | CallReferred()
            | CallTried()
            | CallReofferRefused()
            | FlowLost()
            | Refused()
            | Registered()
            | Replied()
            | Sought()
            | Transmit()
            | Unconnected()
            | Undelivered()
        ):
            return []
