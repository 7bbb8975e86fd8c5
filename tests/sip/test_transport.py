"""The UDP shell on the loopback, in real time but without waiting for it: what ends it, and what must not."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Awaitable, Callable

import pytest
import trio
from cordboard.sip import sdp
from cordboard.sip.endpoint import Endpoint, Settings
from cordboard.sip.events import CallAnswered, CallEnded, CallFailed, IncomingCall, Output, Refused, Transmit
from cordboard.sip.message import Address
from cordboard.sip.transaction import Timers
from cordboard.sip.transport import SipTransport, local_address_for, serve

# Long enough for any loaded machine
LIMIT_S = 10
QUICK = Timers(t1=0.01, t2=0.04, t4=0.05)


class Peer:
    """A transport, and a queue of what its application hears."""

    def __init__(self, host: str, timers: Timers = QUICK) -> None:
        serial = itertools.count()
        self.endpoint = Endpoint(
            Settings(lambda remote: (host, self.port)), lambda: f"{id(self)}-{next(serial)}", timers
        )
        self.endpoint.set_trunks({"loop": ["127.0.0.0/8", "::1"]})
        self.host, self.port = host, 0
        self._send, self.heard = trio.open_memory_channel[Output](1000)
        self.errors: list[Exception] = []
        self.transport: SipTransport

    async def start(self, nursery: trio.Nursery) -> None:
        async def run(task_status: trio.TaskStatus[SipTransport]) -> None:
            await serve(
                self.endpoint,
                [(self.host, 0)],
                self._send.send_nowait,
                on_error=self.errors.append,
                task_status=task_status,
            )

        self.transport = await nursery.start(run)
        self.port = self.transport.addresses[0].port

    @property
    def address(self) -> Address:
        return Address(self.host, self.port)


def with_peers(host: str, story: Callable[[Peer, Peer], Awaitable[None]]) -> None:
    async def main() -> None:
        with trio.fail_after(LIMIT_S):
            async with trio.open_nursery() as nursery:
                a, b = Peer(host), Peer(host)
                await a.start(nursery)
                await b.start(nursery)
                await story(a, b)
                assert not a.errors + b.errors
                nursery.cancel_scope.cancel()

    trio.run(main)


async def a_call(a: Peer, b: Peer) -> None:
    offer = sdp.offer(a.host, 4000, session_id=1)
    uri = f"sip:600@{b.address}"
    a.transport.command(lambda now: a.endpoint.dial("out", uri, b.address, "1001", offer, now))
    while isinstance(incoming := await b.heard.receive(), Refused):
        pass
    assert isinstance(incoming, IncomingCall)
    assert incoming.offer is not None
    answer = sdp.answer(incoming.offer, sdp.negotiate(incoming.offer), b.host, 4002, session_id=2)
    b.transport.command(lambda now: b.endpoint.answer(incoming.call, answer, now))
    assert await a.heard.receive() == CallAnswered("out", answer)
    a.transport.command(lambda now: a.endpoint.hang_up("out", now))
    while not isinstance(await b.heard.receive(), CallEnded):
        pass


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_call_over_real_sockets(host: str) -> None:
    with_peers(host, a_call)


def test_what_is_malformed_or_cannot_be_sent_ends_nothing() -> None:
    async def story(a: Peer, b: Peer) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as raw:
            for data in (b"", b"\r\n\r\n", b"\x00" * 100, b"INVITE", b"SIP/2.0 200\r\n\r\n", b"\xff" * 60000):
                raw.sendto(data, (b.host, b.port))
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

    with_peers("127.0.0.1", story)


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
