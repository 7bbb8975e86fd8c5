"""The server's side of TLS on a connection, which can also be written to at once. A shell.

Most of what a page hears is some hundred octets, which the system takes at once. `send_now` encrypts them and hands
them over without waiting, so that whoever has something to say to many pages says it to one after the other, and
neither a task of each nor a turn of the event loop is needed. What the system does not take waits here until `flush`
has seen it go; what is given meanwhile comes after it. (Trio's `SSLStream` lets several tasks share it, and each
waits.)

The end of a stream without the peer's farewell is an end, as browsers make it (RFC 9112 §9.8). Session tickets go out
with the first octets, and not to a peer that may be gone by then.
"""

from __future__ import annotations

import os
import ssl
from contextlib import suppress
from typing import Final

import trio

# What is read of a socket at once: a whole TLS record (RFC 8446 §5.2) with room to spare. Where more is asked for, such
# buffers, cut to the hundred octets that came, leave the heap of a process that runs for months full of holes.
_RECORD: Final = 17 * 1024


class Tunnel(trio.abc.Stream):
    """TLS with what `context` shows. One task at a time may receive, and one wait to send; `send_now` is for anybody.

    Every method but `send_now` and `aclose` may wait; all but `aclose` raise trio.BrokenResourceError where the
    connection or the peer's TLS is broken."""

    def __init__(self, stream: trio.SocketStream, context: ssl.SSLContext) -> None:
        self._stream = stream
        self._heard, self._said = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._heard, self._said, server_side=True)
        # What the system has not taken yet.
        self._leaving = b""

    async def do_handshake(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self.flush()
                await self._hear()
            except ssl.SSLError as error:
                with suppress(trio.BrokenResourceError):
                    self._give()  # what is wrong with it (RFC 8446 §6.2)
                raise trio.BrokenResourceError from error
            else:
                return

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        waited = False
        while True:
            try:
                data = self._tls.read(max_bytes or _RECORD)
            except ssl.SSLWantReadError:
                await self._hear()
                waited = True
            except ssl.SSLEOFError:
                data = b""
                break
            except ssl.SSLError as error:
                raise trio.BrokenResourceError from error
            else:
                break
        if not waited:
            await trio.lowlevel.checkpoint()
        return data

    async def _hear(self) -> None:
        data = await self._stream.receive_some(_RECORD)
        if data:
            self._heard.write(data)
        else:
            self._heard.write_eof()

    def send_now(self, data: bytes | bytearray | memoryview) -> bool:
        """Whether the system has taken all of it, and all before it."""
        try:
            self._tls.write(data)
        except ssl.SSLError as error:
            raise trio.BrokenResourceError from error
        return self._give()

    def _give(self) -> bool:
        self._leaving += self._said.read()
        while self._leaving:
            try:
                taken = os.write(self._stream.socket.fileno(), self._leaving)
            except BlockingIOError:
                return False
            except OSError as error:
                raise trio.BrokenResourceError from error
            self._leaving = self._leaving[taken:]
        return True

    async def flush(self) -> None:
        """Waits until the system has taken everything."""
        while not self._give():
            await trio.lowlevel.wait_writable(self._stream.socket)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        if data and not self.send_now(data):
            await self.flush()
        else:
            await trio.lowlevel.cancel_shielded_checkpoint()

    async def wait_send_all_might_not_block(self) -> None:
        await self.flush()
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Says farewell, and waits for none."""
        try:
            with suppress(ssl.SSLError, trio.BrokenResourceError, trio.ClosedResourceError):
                self._tls.unwrap()
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await self.flush()
        finally:
            await self._stream.aclose()
