"""The media process: the pacer, the sockets, and the link to the control plane. A shell around engine.py.

One Trio task is the pacer. It meets absolute times, `start + n * TICK`: it reads all sockets, lets the engine make the
next 20 ms and sends them. While there are browsers' legs, it reads their sockets half-way between the ticks, too, and
while a browser measures the way to us every 5 ms: what waits here is measured with it. It never awaits for a packet. A
tick that comes late is counted, and those behind it follow at half the interval until time is caught up; after a longer
stop the missed ticks are skipped instead of being sent as a burst.

The link is a listener that accepts one connection at a time (a new one replaces the old), framed as wire.py says.
Commands are carried out between two ticks, as they are read. Facts wait in a queue bounded in messages; a control
plane that does not read loses the link, not the calls.

What the engine raises is a bug of ours, and ends at one door: the batch, the command or the tick is lost and counted,
and the calls go on. An engine that cannot tick at all ends the process, and the supervisor starts another.

`serve` runs in its own process (`python -m cordboard.switch.process`, the configuration as JSON on standard input),
or in the caller's nursery with any Trio listener (`inline`).
"""

from __future__ import annotations

import contextlib
import datetime
import gc
import ipaddress
import json
import math
import os
import secrets
import signal
import socket
import sys
import traceback
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import attrs
import numpy as np
import trio
from attrs import frozen

from ..codecs import tones
from . import prompts
from .addresses import expanded
from .browsers import Browsers
from .coders import Coders
from .codingprocess import coding, cores
from .dtls import Identity
from .engine import Engine
from .link import unix_listener
from .musicfile import Shelf
from .points import Point
from .ports import LocalPort
from .priority import hurry
from .protocol import Fact
from .seams import Datagrams, OpusCodec, SecureTransport
from .timer import Timer
from .udp import UdpSockets, bind
from .webrtc import WebrtcTransport
from .wire import Frames, WireError, decode_command, encode
from .writer import RecordingWriter

TICK: Final = 0.020
LATE: Final = 0.002  # seconds after its time that a tick may begin before it is counted as late
BEHIND: Final = 5  # ticks behind which are caught up; more are skipped
REPORT_TICKS: Final = 10  # how often reports of RTCP are read, which the kernel dates: they make no hurry
FACTS: Final = 4096  # facts waiting for a control plane that does not read
# Octets of commands carried out before a tick may come between: some 80, of 50 µs each where they open legs.
COMMANDS: Final = 4096
EPHEMERAL_PORTS: Final = 8
CRASHED_TICKS: Final = 5  # in a row: 100 ms without a packet, and no reason to think that the next one will do
TRACEBACKS: Final = 3  # a minute; a bug that every packet meets must not fill the log


# Pairs of neighbouring ports are tried for until both are free; on a machine that has no two left, nothing works.
_PAIRS_TRIED: Final = 50


@frozen
class AccessPoint:
    """Addresses at which browsers reach the switch; `public_port` 0 is the port itself."""

    id: str = "main"
    name: str = "Main"
    addresses: tuple[str, ...] = ("0.0.0.0",)
    port: int = 20000
    public_address: str = ""
    public_port: int = 0


@frozen
class MediaConfig:
    """Where the media plane lives. `rtp_ports` is FIRST-LAST, of which the even ports are used and for RTCP the one
    after each, or 0: eight pairs that the kernel chooses. `local_networks` are CIDR; a peer outside them is told
    `public_address`, if there is one of its family. `recordings` is the directory for recordings of calls that last;
    where it is empty, nothing is recorded. `music` is the directory of pieces that are no built-in ones. `bare`:
    without meters and reports of RTCP, to measure what they cost."""

    addresses: tuple[str, ...] = ("0.0.0.0",)
    public_address: str = ""
    local_networks: tuple[str, ...] = ()
    rtp_ports: str = "20002-20032"
    access_points: tuple[AccessPoint, ...] = (AccessPoint(),)
    capacity: int = 4096
    recordings: str = ""
    music: str = ""
    bare: bool = False

    def to_json(self) -> str:
        return json.dumps(attrs.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> MediaConfig:
        """Raises ValueError, TypeError or KeyError for what `to_json` did not write."""
        values: Mapping[str, Any] = json.loads(text)
        points = tuple(
            AccessPoint(**{**point, "addresses": tuple(point["addresses"])}) for point in values["access_points"]
        )
        lists = {name: tuple(values[name]) for name in ("addresses", "local_networks")}
        return cls(**{**values, **lists, "access_points": points})


def port_numbers(text: str) -> tuple[int, ...]:
    """The even ports of `FIRST-LAST`, or zeros for as many as the kernel is to choose. Raises ValueError."""
    if text == "0":
        return (0,) * EPHEMERAL_PORTS
    first, dash, last = text.partition("-")
    if not (dash and first.isascii() and first.isdigit() and last.isascii() and last.isdigit()):
        raise ValueError(f"rtp_ports is FIRST-LAST, not {text!r}")
    ports = tuple(port for port in range(int(first), int(last) + 1) if port % 2 == 0)
    if not ports or not 0 < ports[0] <= ports[-1] < 65536:
        raise ValueError(f"rtp_ports holds no even port: {text!r}")
    return ports


def bind_pair(address: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Sockets for RTP and, on the port after it, RTCP (RFC 3550 §11); port 0 is any two that are free. Raises
    OSError."""
    for attempt in range(_PAIRS_TRIED):
        rtp = bind(address, port)
        try:
            return rtp, bind(address, rtp.getsockname()[1] + 1)
        except (OSError, OverflowError):
            rtp.close()
            if port or attempt + 1 == _PAIRS_TRIED:
                raise
        except BaseException:
            rtp.close()
            raise
    raise AssertionError("the last attempt raised")


@contextlib.contextmanager
def _wanted_by(key: str) -> Iterator[None]:
    """An OSError of what is bound in it begins with the key of the configuration that names it."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, f"{key}: {error.strerror}") from error


def route_source(peer: str) -> str:
    """The address of ours that packets to `peer` leave from, which the kernel knows; no packet is sent."""
    family = socket.AF_INET6 if ":" in peer else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((peer or "0.0.0.0", 9))
        except OSError:
            return "::1" if family == socket.AF_INET6 else "127.0.0.1"
        return str(probe.getsockname()[0])


def advertiser(config: MediaConfig, ports: tuple[LocalPort, ...]) -> Callable[[int, str], tuple[str, int]]:
    """Our address on the way to a peer, for SDP."""
    networks = [ipaddress.ip_network(network) for network in config.local_networks]

    def advertise(index: int, peer: str) -> tuple[str, int]:
        local = ports[index]
        try:
            ip = ipaddress.ip_address(peer)
        except ValueError:
            ip = None
        # what is public for one family is nothing to the other
        public = config.public_address if ip is not None and (":" in config.public_address) == (ip.version == 6) else ""
        if public and ip is not None and not ip.is_loopback and not any(ip in one for one in networks):
            return public, local.port
        if not ipaddress.ip_address(local.address).is_unspecified:
            return local.address, local.port
        return route_source(peer), local.port

    return advertise


# The sockets of each access point, by its id.
Doors = Mapping[str, tuple[LocalPort, ...]]


def reachable(config: MediaConfig, doors: Doors) -> tuple[Point, ...]:
    """The access points as browsers are told of them: behind a 1:1 NAT by their public address and port."""

    def point(one: AccessPoint) -> Point:
        public, ports = one.public_address or config.public_address, doors[one.id]
        advertise = advertiser(attrs.evolve(config, public_address=public), ports)

        def candidate(index: int, peer: str) -> tuple[str, int]:
            address, port = advertise(index, peer)
            return address, (one.public_port or port) if address == public else port

        def candidates(peer: str) -> tuple[tuple[str, int], ...]:
            source = route_source(peer)
            near = [index for index, local in enumerate(ports) if local.address == source]
            return tuple(dict.fromkeys(candidate(index, peer) for index in near or range(len(ports))))

        return Point(one.id, one.name, candidates)

    return tuple(point(one) for one in config.access_points)


@contextlib.contextmanager
def browsers(config: MediaConfig, doors: Doors, beside: int) -> Iterator[tuple[SecureTransport, OpusCodec]]:
    """What browsers' legs need behind `doors`: a certificate of this process, and so many processes `beside` this one
    that code Opus."""
    identity = Identity(datetime.datetime.now(datetime.UTC))
    transport = WebrtcTransport(identity, secrets.token_bytes, capacity=config.capacity)
    with coding(beside, config.capacity) as others:
        yield Browsers(transport, reachable(config, doors)), Coders(others, config.capacity)


Secure = Callable[[MediaConfig, Doors, int], contextlib.AbstractContextManager[tuple[SecureTransport, OpusCodec]]]


class _Link:
    """The connection to the control plane that counts now, and the facts that wait for it."""

    def __init__(self) -> None:
        self._outbox: trio.MemorySendChannel[Fact] | None = None
        self._scope: trio.CancelScope | None = None

    def tell(self, facts: list[Fact]) -> None:
        if self._outbox is None:
            return
        try:
            for fact in facts:
                self._outbox.send_nowait(fact)
        except (trio.WouldBlock, trio.BrokenResourceError):
            self._drop()

    def _drop(self) -> None:
        if self._scope is not None:
            self._scope.cancel()
        self._outbox = self._scope = None

    @contextlib.asynccontextmanager
    async def taken(self, first: list[Fact]) -> AsyncIterator[trio.MemoryReceiveChannel[Fact]]:
        """This connection is the link from now on, until it ends or another takes its place."""
        self._drop()
        outbox, inbox = trio.open_memory_channel[Fact](FACTS + len(first))
        for fact in first:
            outbox.send_nowait(fact)
        with trio.CancelScope() as scope:
            self._outbox, self._scope = outbox, scope
            try:
                yield inbox
            finally:
                if self._scope is scope:
                    self._outbox = self._scope = None


class _Door:
    """Where what the engine raises ends, so that one bad batch, command or tick costs only itself."""

    def __init__(self, counters: Counter[str]) -> None:
        self._counters = counters
        self._in_a_row: Counter[str] = Counter()
        self._told: deque[float] = deque(maxlen=TRACEBACKS)

    @contextlib.contextmanager
    def stops(self, crashed: str, *, at_most: float = math.inf) -> Iterator[None]:
        """What is raised within is counted as `crashed` and dropped; the `at_most`th in a row is raised again."""
        try:
            yield
        except Exception:  # the supervisor's own: whatever it is, other calls have no part in it
            self._counters[crashed] += 1
            self._in_a_row[crashed] += 1
            if self._in_a_row[crashed] >= at_most:
                raise
            now = trio.current_time()
            if len(self._told) < TRACEBACKS or now - self._told[0] > 60:
                self._told.append(now)
                print(f"media: {crashed}\n{traceback.format_exc()}", end="", file=sys.stderr, flush=True)
        else:
            self._in_a_row[crashed] = 0


def prepare() -> None:
    """What an engine begins with and takes a third of a second to be made is made: who does it ahead need not wait for
    it later. Raises what `prompts.load` raises."""
    prompts.load()
    tones.hold_music()


async def serve(
    config: MediaConfig,
    link_listener: trio.abc.Listener[trio.abc.Stream],
    *,
    secure: Secure | None = browsers,
    own_process: bool = False,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Runs the media plane until it is cancelled. Raises OSError when a port cannot be bound, and what the engine
    raised when it can make no more ticks.

    `own_process`: the garbage collector is taken out of the ticks, and other cores are used. `secure` makes the
    browsers' transport behind the ports that follow the RTP pool's; without it there are no such ports.
    """
    with contextlib.ExitStack() as stack:
        numbers = port_numbers(config.rtp_ports)
        with _wanted_by("[media] rtp_ports"):
            pairs = [bind_pair(address, port) for address in config.addresses for port in numbers]
        pool = [rtp for rtp, _ in pairs]
        for pair in pairs:
            for one in pair:
                stack.callback(one.close)
        ports = tuple(LocalPort(*one.getsockname()[:2]) for one in pool)
        shared: list[socket.socket] = []
        transport: tuple[SecureTransport | None, OpusCodec | None] = (None, None)
        if secure is not None:
            doors: dict[str, tuple[LocalPort, ...]] = {}
            bound: dict[tuple[str, int], LocalPort] = {}  # two points behind different public addresses may share one
            for point in config.access_points:
                for address in expanded(point.addresses):
                    if point.port == 0 or (address, point.port) not in bound:
                        with _wanted_by(f'[media] webrtc_port, or [[access_point]] "{point.id}"'):
                            shared.append(bind(address, point.port))
                        stack.callback(shared[-1].close)
                        bound[address, point.port] = LocalPort(*shared[-1].getsockname()[:2])
                    doors[point.id] = (*doors.get(point.id, ()), bound[address, point.port])
            transport = stack.enter_context(secure(config, doors, cores() if own_process else 0))
        sockets = UdpSockets([*pool, *shared])
        reports = UdpSockets([rtcp for _, rtcp in pairs])
        sink = stack.enter_context(RecordingWriter(config.recordings)) if config.recordings else None
        reader = ThreadPoolExecutor(1, "music")
        stack.callback(reader.shutdown, wait=False, cancel_futures=True)
        engine = Engine(
            ports=ports,
            advertise=advertiser(config, ports),
            home=route_source,
            rng=np.random.default_rng(secrets.randbits(128)),
            now=trio.current_time(),
            secure=transport[0],
            opus=transport[1],
            sink=sink,
            prompts=prompts.load(),
            library=Shelf(config.music, reader) if config.music else None,
            token=secrets.token_bytes,
            capacity=config.capacity,
            bare=config.bare,
        )
        stack.callback(engine.stop)
        link = _Link()
        door = _Door(engine.counters)
        epoch = secrets.token_hex(8)
        async with trio.open_nursery() as nursery:

            async def talk(stream: trio.abc.Stream) -> None:
                await _talk(stream, engine, door, link, epoch)

            nursery.start_soon(trio.serve_listeners, talk, [link_listener])
            nursery.start_soon(_pace, engine, door, sockets, reports, link, own_process)
            task_status.started()


async def _pace(
    engine: Engine, door: _Door, sockets: UdpSockets, reports: UdpSockets, link: _Link, own_process: bool
) -> None:
    pool = len(reports.sockets)
    if own_process:
        gc.collect()
        gc.freeze()
        gc.disable()
    begun = trio.current_time()
    due = begun + TICK
    ticks = 0
    between = 0.0  # seconds that were worked since the last tick
    with Timer() as timer:
        while True:
            # Browsers' handshakes and checks are not kept waiting; RTP is dated by the kernel and can lie.
            reads = engine.reads(trio.current_time())
            for before in range(reads - 1, 0, -1):
                if trio.current_time() < (at := due - before * TICK / reads):
                    await timer.until(at)
                    woken = trio.current_time()
                    _sweep(engine, door, sockets, woken, pool)
                    if 2 * before == reads:
                        with door.stops("crashed_aheads"):
                            engine.ahead()
                    between += trio.current_time() - woken
            # On time this is `due`. Behind time, ticks follow each other at half the interval, not as a burst.
            await timer.until(max(due, begun + TICK / 2))
            begun = trio.current_time()
            late = begun - due > LATE
            if begun - due > BEHIND * TICK:
                missed = int((begun - due) / TICK)
                engine.skip(missed)
                engine.counters["ticks_skipped"] += missed
                due += missed * TICK
            _sweep(engine, door, sockets, begun, 0)
            with door.stops("crashed_ticks", at_most=CRASHED_TICKS):
                outgoing, facts = engine.tick(due)
                for part in outgoing.parts:
                    sockets.send(part)
                link.tell(facts)
                for part in outgoing.reports:
                    reports.send(part)
                for part in outgoing.later:
                    sockets.send(part)
            engine.ran(between + trio.current_time() - begun, late=late)
            between = 0.0
            due += TICK
            ticks += 1
            if ticks % REPORT_TICKS == 0 and (batch := reports.receive(begun)) is not None:
                with door.stops("crashed_receives"):
                    engine.hear_reports(batch, begun)
            if ticks % 50 == 25:
                engine.counters["datagrams_unsent"] = sockets.unsent
                engine.counters["datagrams_refused"] = sockets.refused
                engine.counters["datagrams_cut"] = sockets.cut
                if own_process:
                    gc.collect(1)  # frozen is what lives long: what is left of a second is soon looked through


def _sweep(engine: Engine, door: _Door, sockets: UdpSockets, now: float, first: int) -> None:
    batch = sockets.receive(now, first)
    if batch is None:
        return
    with door.stops("crashed_receives"):
        if replies := engine.receive(batch, now):
            sockets.send(Datagrams.of(replies))


async def _talk(stream: trio.abc.Stream, engine: Engine, door: _Door, link: _Link, epoch: str) -> None:
    first = [engine.started(epoch, os.getpid()), *engine.standing(trio.current_time())]
    async with link.taken(first) as facts:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_write, stream, facts)
                frames = Frames(decode_command)
                while data := await stream.receive_some(COMMANDS):
                    for message in frames.feed(bytes(data)):
                        with door.stops("crashed_commands"):
                            link.tell(engine.command(message, trio.current_time()))
                nursery.cancel_scope.cancel()
        except* WireError as group:
            # Theirs: this connection ends, the legs go on, and the next connection says what lives.
            print(f"media link: {group.exceptions[0]}", file=sys.stderr, flush=True)
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass


async def _write(stream: trio.abc.Stream, facts: trio.MemoryReceiveChannel[Fact]) -> None:
    async for fact in facts:
        data = bytearray(encode(fact))
        with contextlib.suppress(trio.WouldBlock, trio.EndOfChannel):
            while len(data) < 65536:
                data += encode(facts.receive_nowait())
        await stream.send_all(data)


async def _run(config: MediaConfig, path: str) -> None:
    async with trio.open_nursery() as nursery:

        async def stop(*, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
            with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                task_status.started()
                async for _ in signals:
                    nursery.cancel_scope.cancel()
                    return

        await nursery.start(stop)
        listener = unix_listener(path)
        await nursery.start(lambda task_status: serve(config, listener, own_process=True, task_status=task_status))
        print("ready", flush=True)


def main() -> None:
    """`python -m cordboard.switch.process LINK_PATH`, MediaConfig as JSON on standard input; prints `ready`."""
    config = MediaConfig.from_json(sys.stdin.readline())
    hurry()
    trio.run(_run, config, sys.argv[1])


if __name__ == "__main__":
    main()
