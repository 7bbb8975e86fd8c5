"""The shell on the loopback, UDP and TCP, in real time but without waiting for it: what ends it, and what must not."""

from __future__ import annotations

import errno
import itertools
import math
import re
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import ExitStack

import pytest
import trio
import trio.testing
from cordboard.sip import sdp
from cordboard.sip.connections import LOOK, Connections, Standing
from cordboard.sip.endpoint import Endpoint, Settings, TrunkSettings
from cordboard.sip.events import (
    CallAnswered,
    CallConfirmed,
    CallEnded,
    CallFailed,
    CallTried,
    IncomingCall,
    Output,
    Refused,
    Transmit,
    Unconnected,
)
from cordboard.sip.homes import Homes
from cordboard.sip.message import Address
from cordboard.sip.tcp import TcpTransport, listen
from cordboard.sip.tls import Tls
from cordboard.sip.transaction import Timers
from cordboard.sip.transport import SipTransport, local_address_for, serve

# Long enough for any loaded machine
LIMIT_S = 10
USUAL = Timers()
# For who waits until nobody has answered: a busy machine takes longer than this to answer.
QUICK = Timers(t1=0.01, t2=0.04, t4=0.05)


class Seen:
    """A tap: what came and went, by its status and its method; and whether a call was made of what came. On a machine
    that is slow some of it is said again, which is nothing new."""

    def __init__(self) -> None:
        self._messages: dict[str, str] = {}

    @property
    def messages(self) -> list[str]:
        return list(self._messages.values())

    def received(self, data: bytes, source: Address, at: float, outputs: Iterable[Output]) -> None:
        calls = [each for each in outputs if isinstance(each, IncomingCall)]
        self._add(f"{_what(data)} in", ", a call" if calls else "")

    def sent(self, data: bytes, destination: Address, at: float) -> None:
        self._add(f"{_what(data)} out")

    def _add(self, message: str, made: str = "") -> None:
        self._messages.setdefault(message, message + made)


def _what(data: bytes) -> str:
    found = re.match(rb"SIP/2\.0 (\d+)", data), re.search(rb"^CSeq: \d+ (\w+)\r$", data, re.MULTILINE)
    return b" ".join(each[1] for each in found if each).decode()


class Peer:
    """A transport, and a queue of what its application hears."""

    def __init__(self, host: str, timers: Timers = QUICK, secure: Tls | None = None) -> None:
        serial = itertools.count()
        self.endpoint = Endpoint(
            Settings(lambda remote: (host, self.ports[remote.transport])), lambda: f"{id(self)}-{next(serial)}", timers
        )
        self.endpoint.set_trunks({"loop": TrunkSettings(("127.0.0.0/8", "::1"))})
        self.host = host
        self.secure = secure
        self.ports: dict[str, int] = {}
        self._send, self.heard = trio.open_memory_channel[Output](1000)
        self.errors: list[Exception] = []
        self.seen = Seen()
        self.transport: SipTransport

    async def start(self, nursery: trio.Nursery) -> None:
        async def run(task_status: trio.TaskStatus[SipTransport]) -> None:
            await serve(
                self.endpoint,
                [(self.host, 0)],
                self._heard,
                tcp=[(self.host, 0)],
                tls=[(self.host, 0)] if self.secure is not None else [],
                secure=self.secure,
                on_error=self.errors.append,
                tap=self.seen,
                task_status=task_status,
            )

        self.transport = await nursery.start(run)
        self.ports = {each.transport: each.port for each in self.transport.addresses}

    def _heard(self, output: Output) -> None:
        if not isinstance(output, CallTried):  # before all that anybody waits for
            self._send.send_nowait(output)

    @property
    def address(self) -> Address:
        return Address(self.host, self.ports["udp"])

    @property
    def by_tcp(self) -> Address:
        return Address(self.host, self.ports["tcp"], "tcp")

    @property
    def by_tls(self) -> Address:
        return Address(self.host, self.ports["tls"], "tls")

    async def hears(self, kind: type[Output]) -> Output:
        """The next event of that kind."""
        while not isinstance(event := await self.heard.receive(), kind):
            pass
        return event


def with_peers(
    host: str,
    story: Callable[[Peer, Peer], Awaitable[None]],
    clock: trio.testing.MockClock | None = None,
    secure: tuple[Tls, Tls] | None = None,
    timers: Timers = USUAL,
) -> None:
    async def main() -> None:
        with trio.fail_after(LIMIT_S if clock is None else math.inf):
            async with trio.open_nursery() as nursery:
                a, b = (Peer(host, timers, each) for each in secure or (None, None))
                await a.start(nursery)
                await b.start(nursery)
                await story(a, b)
                assert not a.errors + b.errors
                nursery.cancel_scope.cancel()

    trio.run(main, clock=clock)


@pytest.mark.parametrize(
    ("kind", "key"), [(socket.SOCK_DGRAM, "udp"), (socket.SOCK_STREAM, "tcp"), (socket.SOCK_STREAM, "tls")]
)
def test_an_address_in_use_is_told_with_the_key_that_names_it(kind: socket.SocketKind, key: str) -> None:
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            other.listen()
        port = other.getsockname()[1]
        wanted: dict[str, list[tuple[str, int]]] = {"udp": [], "tcp": [], "tls": []} | {key: [("127.0.0.1", port)]}
        protocol = "UDP" if key == "udp" else "TCP"
        said = f"[sip] {key}: cannot listen on {protocol} 127.0.0.1 port {port}: Address already in use"

        async def main() -> None:
            endpoint = Peer("127.0.0.1").endpoint
            await serve(endpoint, wanted["udp"], lambda output: None, tcp=wanted["tcp"], tls=wanted["tls"])

        with pytest.raises(OSError, match=re.escape(said)):
            trio.run(main)


async def a_call(a: Peer, b: Peer, target: Address | None = None) -> None:
    offer = sdp.offer(a.host, 4000, session_id=1)
    to = target or b.address
    uri = f"sip:600@{to}"
    a.transport.command(lambda now: a.endpoint.dial("out", uri, to, "1001", offer, now))
    while isinstance(incoming := await b.heard.receive(), Refused):
        pass
    assert isinstance(incoming, IncomingCall)
    assert incoming.offer is not None
    answer = sdp.answer(incoming.offer, sdp.negotiate(incoming.offer), b.host, 4002, session_id=2)
    b.transport.command(lambda now: b.endpoint.answer(incoming.call, answer, now))
    assert await a.heard.receive() == CallAnswered("out", answer)
    a.transport.command(lambda now: a.endpoint.hang_up("out", now))
    await b.hears(CallEnded)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_call_over_real_sockets(host: str) -> None:
    with_peers(host, a_call)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_tap_sees_all_that_comes_and_goes_in_order(transport: str) -> None:
    """What came is seen before anything that is done about it."""

    async def story(a: Peer, b: Peer) -> None:
        await a_call(a, b, Address(b.host, b.ports[transport], transport))
        assert b.seen.messages == [
            "INVITE in, a call", "100 INVITE out", "200 INVITE out", "ACK in", "BYE in", "200 BYE out",
        ]  # fmt: skip

    with_peers("127.0.0.1", story)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_call_over_one_real_connection(host: str) -> None:
    async def story(a: Peer, b: Peer) -> None:
        await a_call(a, b, b.by_tcp)
        assert b.endpoint.counters["connections accepted"] == a.endpoint.counters["connections opened"] == 1
        assert b.endpoint.counters["connections opened"] == 0

    with_peers(host, story)


def test_a_connection_that_breaks_is_made_again_for_the_bye() -> None:
    async def story(a: Peer, b: Peer) -> None:
        offer = sdp.offer(a.host, 4000, session_id=1)
        a.transport.command(lambda now: a.endpoint.dial("out", "sip:6@127.0.0.1", b.by_tcp, "1", offer, now))
        incoming = await b.hears(IncomingCall)
        assert isinstance(incoming, IncomingCall)
        b.transport.command(lambda now: b.endpoint.answer(incoming.call, offer, now))
        await a.hears(CallAnswered)
        await b.hears(CallConfirmed)
        # what is no SIP breaks the connection, and both sides know
        a.transport.perform([Transmit(b"\x00", b.by_tcp, b.by_tcp)])
        while not a.endpoint.counters["connections closed"]:
            await trio.lowlevel.checkpoint()
        b.transport.command(lambda now: b.endpoint.hang_up(incoming.call, now))
        await a.hears(CallEnded)
        assert b.endpoint.counters["connections opened"] == 1

    with_peers("127.0.0.1", story)


def test_nobody_listens_and_nobody_answers() -> None:
    async def story(a: Peer, b: Peer) -> None:
        offer = sdp.offer(a.host, 4000, session_id=1)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as nobody:
            nobody.bind(("127.0.0.1", 0))
            closed = Address("127.0.0.1", nobody.getsockname()[1], "tcp")
            a.transport.command(lambda now: a.endpoint.dial("out", "sip:1@127.0.0.1", closed, None, offer, now))
            assert await a.heard.receive() == Unconnected(closed, "connection refused")
            assert await a.heard.receive() == CallFailed("out", 503, "cannot be sent")
            # one that takes the connection and says nothing
            nobody.listen()
            a.transport.command(lambda now: a.endpoint.dial("two", "sip:1@127.0.0.1", closed, None, offer, now))
            assert await a.heard.receive() == CallFailed("two", 408, "no response")

    with_peers("127.0.0.1", story, timers=QUICK)


def test_a_host_that_takes_no_connection_is_given_up_before_another_is_asked() -> None:
    """Its packets are lost: a call goes to another host after 4 s (`actors/outward`), and has been told before."""
    clock = trio.testing.MockClock()

    async def story(a: Peer, b: Peer) -> None:
        with ExitStack() as opened:
            silent = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            silent.bind(("127.0.0.1", 0))
            silent.listen(0)
            for _ in range(4):  # more than wait there: what comes now has no answer
                waits = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
                waits.setblocking(False)
                waits.connect_ex(silent.getsockname())
            there = Address("127.0.0.1", silent.getsockname()[1], "tcp")
            offer, begun = sdp.offer(a.host, 4000, session_id=1), clock.current_time()
            a.transport.command(lambda now: a.endpoint.dial("out", "sip:1@127.0.0.1", there, None, offer, now))
            assert await a.heard.receive() == Unconnected(there, "no connection within 2.5 s")
            assert await a.heard.receive() == CallFailed("out", 503, "cannot be sent")
            assert 1 < clock.current_time() - begun < 4

    clock.autojump_threshold = 0.05
    with_peers("127.0.0.1", story, clock)


def test_where_not_even_a_way_is_found_no_connection_is_left_behind() -> None:
    """A process without descriptors: what was left there would end SIP when it is looked at."""

    def no_descriptor(host: str) -> str:
        raise OSError(errno.EMFILE, "Too many open files")

    async def story() -> None:
        door, homes = listen("0.0.0.0", 0, "tcp"), Homes(no_descriptor)
        connections = Connections(Counter(), lambda host, now: Standing.TRUNK, lambda now: ())
        transport = TcpTransport(
            [door],
            None,
            connections,
            homes,
            trio.current_time,
            lambda data, source: None,
            lambda remote, unwritten: None,
            lambda output: None,
            lambda address: address,
        )
        homes.bind(transport.addresses)
        there = Address("127.0.0.1", 5060, "tcp")
        async with trio.open_nursery() as nursery:
            transport.start(nursery)
            for _ in range(2):
                with pytest.raises(OSError, match="Too many open files"):
                    transport.transmit(Transmit(b"", there, there))
            nursery.cancel_scope.cancel()
        transport.close()
        assert len(connections) == 0

    trio.run(story)


async def connected(peer: Peer, address: str = "127.0.0.1") -> trio.SocketStream:
    return await trio.open_tcp_stream(peer.host, peer.ports["tcp"], local_address=address)


async def closed(stream: trio.SocketStream) -> bytes:
    """What the other end said before it closed."""
    said = b""
    try:
        while data := await stream.receive_some():
            said += data
    except trio.BrokenResourceError:
        pass
    await trio.aclose_forcefully(stream)
    return said


def test_a_stranger_is_closed_without_an_answer_and_noise_after_what_was_good() -> None:
    async def story(a: Peer, b: Peer) -> None:
        b.endpoint.set_trunks({"carrier": TrunkSettings(("127.0.0.1",))})
        stranger = await connected(b, "127.0.0.2")
        assert await closed(stranger) == b""
        trunk = await connected(b)
        await trunk.send_all(b"\r\n\r\n")
        assert await trunk.receive_some() == b"\r\n"
        await trunk.send_all(b"INVITE sip:x SIP/2.0\r\nContent-Length: many\r\n\r\n")
        source = Address("127.0.0.1", trunk.socket.getsockname()[1], "tcp")
        assert await closed(trunk) == b""
        assert await b.heard.receive() == Refused(source, "connection closed: Content-Length is unclear")
        await a_call(a, b, b.by_tcp)

    with_peers("127.0.0.1", story)


def test_who_pings_and_does_not_read_the_answers_is_closed() -> None:
    async def story(a: Peer, b: Peer) -> None:
        b.endpoint.set_trunks({"carrier": TrunkSettings(("127.0.0.1",))})
        async with await connected(b) as line:

            async def ping_for_ever() -> None:
                while True:
                    await line.send_all(b"\r\n\r\n" * 1000)

            with pytest.raises(trio.BrokenResourceError):
                await ping_for_ever()

    with_peers("127.0.0.1", story)


def test_connections_that_nothing_lives_on_are_closed_within_half_a_minute() -> None:
    clock = trio.testing.MockClock()

    async def story(a: Peer, b: Peer) -> None:
        silent, slow = await connected(b), await connected(b)
        await slow.send_all(b"INVITE sip:")
        while b.endpoint.counters["connections accepted"] < 2:
            await trio.lowlevel.checkpoint()
        begun = clock.current_time()
        for stream in (silent, slow):
            while True:
                with trio.move_on_after(LOOK) as waited:
                    assert await closed(stream) == b""
                if not waited.cancelled_caught:
                    break
        assert clock.current_time() - begun <= 30
        assert b.endpoint.counters["idle connection"] + b.endpoint.counters["slow connection"] == 2

    clock.autojump_threshold = 0.05
    with_peers("127.0.0.1", story, clock)


def test_what_is_malformed_or_cannot_be_sent_ends_nothing() -> None:
    async def story(a: Peer, b: Peer) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as raw:
            for data in (b"", b"\r\n\r\n", b"\x00" * 100, b"INVITE", b"SIP/2.0 200\r\n\r\n", b"\xff" * 60000):
                raw.sendto(data, (b.host, b.address.port))
        # no socket of this family, no such port, a closed port
        b.transport.perform([Transmit(b"x", Address("2001:db8::1", 5060)), Transmit(b"x", Address("127.0.0.1", 0))])
        b.transport.perform([Transmit(b"x", Address("127.0.0.1", 9))] * 3)
        await a_call(a, b)
        assert b.endpoint.counters["unsent"] == 2
        assert b.endpoint.counters["malformed"] == 3

    with_peers("127.0.0.1", story)


def test_a_call_that_cannot_be_sent_fails_at_once() -> None:
    async def story(a: Peer, b: Peer) -> None:
        nowhere = Address("2001:db8::1", 5060)
        offer = sdp.offer(a.host, 4000, session_id=1)
        a.transport.command(lambda now: a.endpoint.dial("out", "sip:1@[2001:db8::1]", nowhere, None, offer, now))
        assert await a.heard.receive() == CallFailed("out", 503, "cannot be sent")

    with_peers("127.0.0.1", story)


def test_timers_run_without_any_datagram() -> None:
    async def story(a: Peer, b: Peer) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            target = Address("127.0.0.1", silent.getsockname()[1])
            offer = sdp.offer(a.host, 4000, session_id=1)
            a.transport.command(lambda now: a.endpoint.dial("out", f"sip:1@{target}", target, None, offer, now))
            assert await a.heard.receive() == CallFailed("out", 408, "no response")

    with_peers("127.0.0.1", story, timers=QUICK)


def test_an_address_in_use_is_said_at_once() -> None:
    async def main() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            peer = Peer("127.0.0.1")
            with pytest.raises(OSError, match="in use"):
                await serve(peer.endpoint, [("127.0.0.1", 0), ("127.0.0.1", port)], lambda output: None)

    trio.run(main)


def test_the_local_address_is_the_routes() -> None:
    assert local_address_for("127.0.0.1") == "127.0.0.1"


@pytest.mark.parametrize("remote", ["255.255.255.255", "fe80::1", "127.0.0.1", "::1"])
def test_our_own_address_is_known_where_there_is_no_route(remote: str) -> None:
    """A far side's Contact may name what nothing can be sent to: its BYE must still be made."""
    assert local_address_for(remote) in ("127.0.0.1", "::1")
