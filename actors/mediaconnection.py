"""The socket to the engine: commands go out by it and facts come in, and it is made anew when it is lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog
import trio

from ..switch import protocol as media
from ..switch.wire import Frames, WireError, decode_fact, encode
from .medialink import MediaLink

# How often the engine is told that we live, 30 s without it ends its legs, and asked what it has.
PING_INTERVAL: Final = 0.5
# Commands that wait for an engine which does not read; a busy second is some hundreds.
MAX_COMMANDS: Final = 10_000
# Of them, so many are written at once.
MAX_TOGETHER: Final = 200
# Octets of facts read at once: they are small and many, and a large buffer for each leaves holes in the heap.
FACTS: Final = 8192
# How long to wait before the link is tried again, in seconds.
RECONNECT: Final = 0.1

log = structlog.get_logger()


async def run(link: MediaLink, connect: Callable[[], Awaitable[trio.abc.Stream]]) -> None:
    """Keeps the link up until cancelled: connects, tries again while there is no engine, and pings it."""
    while True:
        try:
            stream = await connect()
        except OSError:
            await trio.sleep(RECONNECT)
            continue
        try:
            await _converse(link, stream)
        finally:
            link.connect(None)
        log.warning("engine lost")


async def _converse(link: MediaLink, stream: trio.abc.Stream) -> None:
    """One connection, until either side ends it."""
    outbox, waiting = trio.open_memory_channel[bytes](MAX_COMMANDS)

    async with stream:
        try:
            async with trio.open_nursery() as nursery:

                def send(command: media.Command) -> None:
                    try:
                        outbox.send_nowait(encode(command))
                    except (trio.WouldBlock, trio.BrokenResourceError):
                        # An engine that takes nothing is as good as dead: the link ends and starts anew.
                        link.connect(None)
                        nursery.cancel_scope.cancel()

                link.hang_up = nursery.cancel_scope.cancel
                nursery.start_soon(_write, stream, waiting)
                nursery.start_soon(_ping, link, send)
                frames = Frames(decode_fact)
                while data := await stream.receive_some(FACTS):
                    for fact in frames.feed(bytes(data)):
                        if isinstance(fact, media.EngineStarted):
                            link.connect(send)
                        link.on_fact(fact)
                nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        except* WireError as group:
            log.error("media link", error=str(group.exceptions[0]))


async def _write(stream: trio.abc.Stream, waiting: trio.MemoryReceiveChannel[bytes]) -> None:
    """All that waits goes out together."""
    async for frame in waiting:
        frames = [frame]
        with suppress(trio.WouldBlock):
            while len(frames) < MAX_TOGETHER:
                frames.append(waiting.receive_nowait())
        await stream.send_all(b"".join(frames))


async def _ping(link: MediaLink, send: Callable[[media.Command], None]) -> None:
    while True:
        send(link.ping())
        await trio.sleep(PING_INTERVAL)
