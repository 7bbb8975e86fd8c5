"""The shell of SIP over TCP and TLS: listeners, and for each connection a task that reads and one that writes (Trio).

`transmit` never waits: it puts a message into the outbox of the connection that `connections` names, which may still be
on its way up. A connection that ends gives back what it had not written. That one breaks, or is not read by the other
end, is the affair of that one alone. A connection of TLS is one of TCP with a handshake before all else (`tls`).
"""

from __future__ import annotations

import math
import os
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import trio
from attrs import frozen

from .connections import LOOK, Close, Connection, Connections, Heard, Write
from .events import Output, Refused, Transmit, Unconnected
from .grammar import Address
from .homes import Homes
from .tls import SecureStream, Tls, trouble

# What is read at once; a message of usual length is 1 kB
_CHUNK = 16384
# Messages that wait for one connection. Whoever lets more of them lie reads nothing, or floods.
_WAITING = 256
# A peer on the other side of the world is there within a second, and in one more where the first packet was lost (RFC
# 6298 §2); what takes longer will not come, in seconds. A call that was too long for a datagram still has its time to
# go by one after all, before it is given to another host (`actors/outward`).
CONNECT_TIMEOUT = 2.5
# ... and a handshake, of which one side may be busy with many.
HANDSHAKE_TIMEOUT = 5.0
# What was written and is not acknowledged, or lies there unwritten, for so long ends a connection, in seconds: with it
# the other end that went without a word is found out. A call outlives its connection.
STALLED = 15.0
_BACKLOG = 128


@frozen
class Door:
    """Where connections are made to us, and of which transport they are."""

    listener: trio.SocketListener
    transport: str

    @property
    def address(self) -> Address:
        return _address(self.listener.socket.getsockname(), self.transport)


def listen(host: str, port: int, transport: str) -> Door:
    """A door on a numeric address, IPv4 or IPv6 (without brackets). Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(_BACKLOG)
    except OSError as error:
        made.close()
        raise OSError(
            error.errno, f"[sip] {transport}: cannot listen on TCP {host} port {port}: {error.strerror}"
        ) from error
    return Door(trio.SocketListener(trio.socket.from_stdlib_socket(made)), transport)


def _address(name: tuple[str, int], transport: str) -> Address:
    """Of a socket's name, which has more to it with IPv6."""
    return Address(name[0], name[1], transport)


def _why(error: OSError | trio.TooSlowError) -> str:
    """There is no connection, for people."""
    if isinstance(error, trio.TooSlowError):
        return f"no connection within {CONNECT_TIMEOUT:g} s"
    return (os.strerror(error.errno) if error.errno else str(error)).lower()


class _Line:
    """What the shell has of one connection: what waits to be written, and how to end it."""

    def __init__(self) -> None:
        self.scope = trio.CancelScope()
        self.waiting: deque[bytes | Transmit] = deque()
        self.more = trio.Event()

    def put(self, item: bytes | Transmit) -> bool:
        """False: so much waits that nobody reads at the other end, and the connection ends."""
        if len(self.waiting) >= _WAITING:
            self.scope.cancel()
            return False
        self.waiting.append(item)
        self.more.set()
        return True


class TcpTransport:
    """All TCP and TLS of one endpoint. `receive(message, source)` and `lost(remote, unwritten)` go to the endpoint;
    `tell` hands out what the application should know; `name_at(address)` is what a certificate has to be for."""

    def __init__(
        self,
        doors: Sequence[Door],
        tls: Tls | None,
        connections: Connections,
        homes: Homes,
        clock: Callable[[], float],
        receive: Callable[[bytes, Address], None],
        lost: Callable[[Address, Sequence[Transmit]], None],
        tell: Callable[[Output], None],
        name_at: Callable[[str], str],
    ) -> None:
        self.addresses = [each.address for each in doors]
        self.connections = connections
        self._homes = homes
        self._doors = doors
        self._tls = tls
        self._clock = clock
        self._receive = receive
        self._lost = lost
        self._tell = tell
        self._name_at = name_at
        self._lines: dict[Connection, _Line] = {}
        self._nursery: trio.Nursery | None = None
        self._told_at = -math.inf

    def start(self, nursery: trio.Nursery) -> None:
        """Everything runs in `nursery`, until it is cancelled."""
        self._nursery = nursery
        nursery.start_soon(self._look)

        async def accept(door: Door) -> None:
            async def accepted(stream: trio.SocketStream) -> None:
                await self._accepted(stream, door.transport)

            await trio.serve_listeners(accepted, [door.listener], handler_nursery=nursery)

        for each in self._doors:
            nursery.start_soon(accept, each)

    def close(self) -> None:
        for each in self._doors:
            each.listener.socket.close()

    def transmit(self, output: Transmit) -> None:
        """Raises OSError where there is no connection for it and none can be made."""
        now = self._clock()
        way = self.connections.way(output, now)
        if isinstance(way, Address):
            way = self._connect(way, now)
        if way is None:
            raise OSError("no connection")
        if not self._lines[way].put(output):
            raise OSError("the other end does not read")

    def _connect(self, remote: Address, now: float) -> Connection | None:
        near = [each for each in self.addresses if (each.transport, each.six) == (remote.transport, remote.six)]
        if not near or self._nursery is None:
            self._refused(remote, f"[sip] {remote.transport} names no address to connect from")
            return None
        local = self._homes.of(remote)
        made = self.connections.open(remote, now)
        if made is None:
            return None

        async def connect() -> trio.SocketStream:
            """From an address we listen on: by that one the peer knows us."""
            ours = trio.socket.socket(socket.AF_INET6 if remote.six else socket.AF_INET, socket.SOCK_STREAM)
            try:
                await ours.bind((local.host, 0))
                with trio.fail_after(CONNECT_TIMEOUT):
                    await ours.connect((remote.host, remote.port))
            except BaseException as error:
                ours.close()
                if isinstance(error, OSError | trio.TooSlowError):
                    self._tell(Unconnected(remote, _why(error)))
                raise
            return trio.SocketStream(ours)

        def secure(tls: Tls, stream: trio.SocketStream) -> SecureStream:
            return tls.connected(stream, self._name_at(remote.host))

        self._lines[made] = _Line()
        self._nursery.start_soon(self._serve, made, connect, secure, True)
        return made

    async def _accepted(self, stream: trio.SocketStream, transport: str) -> None:
        try:
            remote = _address(stream.socket.getpeername(), transport)
            local = _address(stream.socket.getsockname(), transport)
        except OSError:
            return  # it is gone already
        made = self.connections.accept(remote, self._clock())
        if isinstance(made, str):
            self._refused(remote, made)
            await trio.aclose_forcefully(stream)
            return

        async def connected() -> trio.SocketStream:
            return stream

        self._homes.hear(remote, local)
        self._lines[made] = _Line()
        await self._serve(made, connected, Tls.accepted, False)

    def _refused(self, remote: Address, reason: str) -> None:
        """Said once in a while: whoever is refused tries again."""
        now = self._clock()
        if reason and now - self._told_at >= STALLED:
            self._told_at = now
            self._tell(Refused(remote, f"connection refused: {reason}"))

    async def _handshake(self, remote: Address, secure: SecureStream, wanted: bool) -> None:
        """Raises TooSlowError or BrokenResourceError where the two do not come together."""
        try:
            with trio.fail_after(HANDSHAKE_TIMEOUT):
                await secure.do_handshake()
        except (trio.TooSlowError, trio.BrokenResourceError) as error:
            self.connections.counters["TLS handshake failed"] += 1
            self._refused(remote, trouble(error))
            if wanted:
                self._tell(Unconnected(remote, trouble(error)))
            raise

    async def _serve(
        self,
        connection: Connection,
        connect: Callable[[], Awaitable[trio.SocketStream]],
        secure: Callable[[Tls, trio.SocketStream], SecureStream],
        wanted: bool,
    ) -> None:
        """One connection, until it ends; `wanted` is one that we make."""
        line = self._lines[connection]
        try:
            with line.scope:
                plain = await connect()
                async with plain:
                    with suppress(OSError):  # not on every kernel
                        plain.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(STALLED * 1000))
                    stream: trio.abc.Stream = plain
                    if connection.remote.transport == "tls":
                        assert self._tls is not None
                        stream = wrapped = secure(self._tls, plain)
                        await self._handshake(connection.remote, wrapped, wanted)
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(self._read, connection, stream, line)
                        nursery.start_soon(self._write, stream, line)
        except* (OSError, trio.TooSlowError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # theirs, or the network's; what was not written is given back
        finally:
            del self._lines[connection]
            self._homes.forget(connection.remote)
            self.connections.closed(connection)
            self._lost(connection.remote, [each for each in line.waiting if isinstance(each, Transmit)])

    async def _read(self, connection: Connection, stream: trio.abc.Stream, line: _Line) -> None:
        while data := await stream.receive_some(_CHUNK):
            for action in self.connections.receive(connection, bytes(data), self._clock()):
                match action:
                    case Heard(message):
                        self._receive(message, connection.remote)
                    case Write(_, octets):
                        line.put(octets)
                    case Close(_, reason):
                        self._tell(Refused(connection.remote, f"connection closed: {reason}"))
                        line.scope.cancel()
        line.scope.cancel()

    async def _write(self, stream: trio.abc.Stream, line: _Line) -> None:
        while True:
            while line.waiting:
                item = line.waiting[0]
                with trio.fail_after(STALLED):
                    await stream.send_all(item.data if isinstance(item, Transmit) else item)
                line.waiting.popleft()
            line.more = trio.Event()
            await line.more.wait()

    async def _look(self) -> None:
        while True:
            await trio.sleep(LOOK)
            for action in self.connections.look(self._clock()):
                match action:
                    case Write(connection, octets):
                        self._lines[connection].put(octets)
                    case Close(connection, _):
                        self._lines[connection].scope.cancel()
