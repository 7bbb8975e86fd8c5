"""TLS that is written to at once: what the system does not take waits in its order, and a peer's end is an end."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from cordboard.web import certificate
from cordboard.web.tunnel import Tunnel

# More than the buffers of both sockets hold.
MUCH = 16 << 20
# What a TLS record is made of that is no handshake.
NONSENSE = b"\x16\x03\x01\x00\x05hello"


@asynccontextmanager
async def connected(data_dir: Path) -> AsyncIterator[tuple[Tunnel, trio.SocketStream]]:
    """Our end, which has the certificate of `data_dir`, and the bare connection of the other one."""
    context = certificate.tls_context()
    context.load_cert_chain(data_dir / "tls" / "cert.pem", data_dir / "tls" / "key.pem")
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        far = await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1])
        async with far, await listener.accept() as near:
            yield Tunnel(near, context), far


async def shaken(near: Tunnel, far: trio.SocketStream) -> trio.SSLStream[trio.SocketStream]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    browser = trio.SSLStream(far, context, https_compatible=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.do_handshake)
        nursery.start_soon(browser.do_handshake)
    return browser


async def heard(browser: trio.SSLStream[trio.SocketStream], length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        data += await browser.receive_some()
    return bytes(data)


async def test_what_is_said_at_once_and_what_is_waited_for_come_in_order(data_dir: Path) -> None:
    async with connected(data_dir) as (near, far):
        browser = await shaken(near, far)
        await browser.send_all(b"hello")
        assert await near.receive_some() == b"hello"
        assert near.send_now(b"one ")
        await near.send_all(b"two ")
        assert near.send_now(b"three")
        assert await heard(browser, 13) == b"one two three"


async def test_what_a_peer_does_not_read_waits_and_nothing_overtakes_it(data_dir: Path) -> None:
    async with connected(data_dir) as (near, far):
        browser = await shaken(near, far)
        assert not near.send_now(b"1" * MUCH)
        assert not near.send_now(b"2")
        with trio.move_on_after(0.01) as waits:
            await near.flush()
        assert waits.cancelled_caught
        async with trio.open_nursery() as nursery:
            nursery.start_soon(near.flush)
            assert await heard(browser, MUCH + 1) == b"1" * MUCH + b"2"
        assert near.send_now(b"3")
        assert await heard(browser, 1) == b"3"


async def test_a_peer_that_says_farewell_and_one_that_is_gone_have_ended(data_dir: Path) -> None:
    async with connected(data_dir) as (near, far):
        browser = await shaken(near, far)
        await browser.aclose()
        assert await near.receive_some() == b""
    async with connected(data_dir) as (near, far):
        await shaken(near, far)
        await far.aclose()
        assert await near.receive_some() == b""
        with pytest.raises(trio.BrokenResourceError):
            near.send_now(b"is anybody there?")
    async with connected(data_dir) as (near, far):
        await shaken(near, far)
        await far.aclose()
        near.send_now(b"is anybody there?")
        with pytest.raises(trio.BrokenResourceError):
            near.send_now(b"nobody")


async def test_ours_says_farewell(data_dir: Path) -> None:
    async with connected(data_dir) as (near, far):
        browser = await shaken(near, far)
        near.send_now(b"bye")
        await near.aclose()
        assert await heard(browser, 3) == b"bye"
        assert await browser.receive_some() == b""


async def test_who_speaks_no_tls_is_told_so(data_dir: Path) -> None:
    async with connected(data_dir) as (near, far):
        await far.send_all(NONSENSE)
        with pytest.raises(trio.BrokenResourceError):
            await near.do_handshake()
        alert = await far.receive_some()
        assert alert[0] == 21, "RFC 8446 §5.1"


async def test_what_is_no_record_breaks_it(data_dir: Path) -> None:
    async with connected(data_dir) as (near, far):
        await shaken(near, far)
        await far.send_all(NONSENSE)
        with pytest.raises(trio.BrokenResourceError):
            await near.receive_some()
