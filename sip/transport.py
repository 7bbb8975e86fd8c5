"""The shell around the endpoint: UDP (`udp`), TCP and TLS (`tcp`), the clock, and the endpoint's timers (Trio).

    async with trio.open_nursery() as nursery:
        transport = await nursery.start(serve, endpoint, addresses, on_output)

One task sleeps until the endpoint's deadline, others receive. `perform` is synchronous: it calls `before`,
which may write what must not be lost, then sends every `Transmit` at once and hands everything else to `on_output`; so
a command is `transport.perform(endpoint.answer(call, sdp, transport.now()))`, or `transport.command(lambda now:
endpoint.answer(call, sdp, now))`. A message that cannot be sent, or one that breaks the endpoint, is counted and costs
nobody else anything.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import trio

from .arrivals import Arrivals
from .connections import Connections
from .endpoint import Endpoint
from .events import Output, Transmit
from .homes import Homes
from .message import Address
from .tcp import Door, TcpTransport, listen
from .tls import Tls
from .udp import Datagrams, bind

# What an idle timer task sleeps at most before it looks again, in seconds
_LONGEST_SLEEP = 3600.0
# Timers that are due within so many seconds fire together: a call has three or four, most of them to forget something,
# and to wake takes as long as many of them. The shortest that SIP knows is an estimate of 0.5 s (RFC 3261 table 4).
_TOGETHER = 0.02


def local_address_for(remote: str) -> str:
    """The address this machine would send from to `remote` (numeric): what belongs in Contact and SDP with 0.0.0.0.
    Where there is no route it is loopback: a Contact may name any address, and that a message cannot be sent there is
    found out by sending it (RFC 3261 §18.4)."""
    family = socket.AF_INET6 if ":" in remote else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((remote, 9))  # UDP: asks the routing table, sends nothing
        except OSError:
            return "::1" if family == socket.AF_INET6 else "127.0.0.1"
        return str(probe.getsockname()[0])


class Tap(Protocol):
    """Sees every message. Raises nothing."""

    def received(self, data: bytes, source: Address, at: float, outputs: Iterable[Output]) -> None:
        """The endpoint made `outputs` of it, and nothing of them is done yet."""
        ...

    def sent(self, data: bytes, destination: Address, at: float) -> None: ...


class SipTransport:
    """Sockets of one endpoint. `addresses` are the bound ones, those of UDP first, with the ports the system chose for
    0."""

    def __init__(
        self,
        endpoint: Endpoint,
        sockets: Sequence[socket.socket],
        doors: Sequence[Door],
        on_output: Callable[[Output], None],
        clock: Callable[[], float] = trio.current_time,
        on_error: Callable[[Exception], None] | None = None,
        before: Callable[[], None] = lambda: None,
        tap: Tap | None = None,
        secure: Tls | None = None,
        homes: Homes | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._tap = tap
        self.now = clock
        connections = Connections(endpoint.counters, endpoint.hears, endpoint.living)
        homes = homes or Homes(local_address_for)
        self._udp = Datagrams(
            sockets,
            homes,
            self._receive,
            lambda: Arrivals(endpoint.expects, lambda: endpoint.room(), endpoint.counters),
        )
        self._tcp = TcpTransport(
            doors, secure, connections, homes, clock, self._receive, self._lost, on_output, endpoint.name_at
        )
        self.addresses = [*self._udp.addresses, *self._tcp.addresses]
        homes.bind(self.addresses)
        self._on_output = on_output
        self._on_error = on_error
        self._before = before
        self._changed = trio.Event()
        self._sleeping_until = math.inf

    def command(self, act: Callable[[float], list[Output]]) -> None:
        """Runs one command of the endpoint now, and performs what comes of it. Raises what the command raises."""
        self.perform(act(self.now()))

    def perform(self, outputs: Iterable[Output]) -> None:
        """Sends what is to be sent, hands out the rest, in order; `before` comes first."""
        self._before()
        for output in outputs:
            if isinstance(output, Transmit):
                self._transmit(output)
            else:
                self._on_output(output)
        if self.endpoint.deadline() < self._sleeping_until:
            self._changed.set()

    def _transmit(self, output: Transmit) -> None:
        try:
            if output.destination.reliable:
                self._tcp.transmit(output)
            else:
                self._send(output)
        except OSError:
            self.perform(self.endpoint.unsent(output, self.now()))
            return
        if self._tap is not None:
            self._tap.sent(output.data, output.destination, self.now())

    def _send(self, output: Transmit) -> None:
        """One datagram. Raises OSError where it cannot be sent."""
        try:
            self._udp.send(output.data, output.destination)
        except BlockingIOError:
            # a full send buffer is loss, and retransmission is made for loss
            self.endpoint.counters["send buffer full"] += 1
        except ConnectionRefusedError:
            # an ICMP error of an earlier datagram, to whomever; this one was not sent either, and its timer sends it
            # again
            self.endpoint.counters["connection refused"] += 1

    def close(self) -> None:
        self._udp.close()
        self._tcp.close()

    def _attend(self, act: Callable[[float], list[Output]]) -> None:
        """The supervisor's rule, at the endpoint's door: one message or timer must not end the centre's SIP."""
        try:
            self.command(act)
        except Exception as error:  # whatever it is, no other call has a part in it
            self.endpoint.counters["crashed"] += 1
            if self._on_error is None:
                raise
            self._on_error(error)

    def _receive(self, data: bytes, source: Address, late: bool = False) -> None:
        def act(now: float) -> list[Output]:
            outputs = self.endpoint.receive(data, source, now, late=late)
            if self._tap is not None:
                self._tap.received(data, source, now, outputs)
            return outputs

        self._attend(act)

    def _lost(self, remote: Address, unwritten: Sequence[Transmit]) -> None:
        self._attend(lambda now: self.endpoint.disconnected(remote, unwritten, now))

    async def _wake(self) -> None:
        while True:
            self._changed = trio.Event()
            now = self.now()
            self._sleeping_until = self.endpoint.deadline()
            if self._sleeping_until <= now:
                self._sleeping_until = -math.inf
                self._attend(self.endpoint.wake)
                await trio.lowlevel.checkpoint()
                continue
            with trio.move_on_after(min(self._sleeping_until - now + _TOGETHER, _LONGEST_SLEEP)):
                await self._changed.wait()

    async def run(self, task_status: trio.TaskStatus[SipTransport] = trio.TASK_STATUS_IGNORED) -> None:
        """Serves until cancelled, then closes the sockets."""
        try:
            async with trio.open_nursery() as nursery:
                self._udp.start(nursery)
                self._tcp.start(nursery)
                nursery.start_soon(self._wake)
                task_status.started(self)
        finally:
            self.close()


async def serve(
    endpoint: Endpoint,
    addresses: Iterable[tuple[str, int]],
    on_output: Callable[[Output], None],
    *,
    tcp: Iterable[tuple[str, int]] = (),
    tls: Iterable[tuple[str, int]] = (),
    secure: Tls | None = None,
    clock: Callable[[], float] = trio.current_time,
    on_error: Callable[[Exception], None] | None = None,
    before: Callable[[], None] = lambda: None,
    tap: Tap | None = None,
    homes: Homes | None = None,
    task_status: trio.TaskStatus[SipTransport] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Binds `addresses` for UDP, `tcp`, and `tls`, for which `secure` has what we show, and tells `homes` of them.
    Serves until cancelled; `nursery.start` gives the `SipTransport`. Raises OSError where it cannot bind.

    An exception of the endpoint or of `on_output` goes to `on_error`; without one it ends the task."""
    sockets: list[socket.socket] = []
    doors: list[Door] = []
    try:
        for host, port in addresses:
            sockets.append(bind(host, port))
        for transport, wanted in (("tcp", tcp), ("tls", tls)):
            for host, port in wanted:
                doors.append(listen(host, port, transport))
    except OSError:
        for made in sockets:
            made.close()
        for door in doors:
            door.listener.socket.close()
        raise
    await SipTransport(endpoint, sockets, doors, on_output, clock, on_error, before, tap, secure, homes).run(
        task_status
    )
