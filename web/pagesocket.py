"""The frames of one page's websocket, once it is upgraded (RFC 6455). A shell.

`wsproto` takes apart what comes, and whoever waits for messages reads the stream itself: between the octets and the
session is no other task and no queue, and nothing is read while nobody wants it. Pings are answered here, fragments
put together, and what is no websocket is said to be none.

What leaves is whole frames: `send_now` hands over what the system takes at once, `send_all` waits. `over`: the peer has
said that this is the end, or has heard it for what it sent, or is gone; nothing more can be said.
"""

from __future__ import annotations

import trio
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.utilities import generate_accept_token

from .protocol import MAX_FRAME, Subprotocol
from .tunnel import Tunnel

_READ_SIZE = 16 * 1024


def accepted(key: str, subprotocol: Subprotocol) -> bytes:
    """The answer to an upgrade request that was admitted (RFC 6455 §4.2.2)."""
    token = generate_accept_token(key.encode("ascii")).decode("ascii")
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {token}\r\nSec-WebSocket-Protocol: {subprotocol.value}\r\n\r\n"
    ).encode("ascii")


class TooLongError(Exception):
    """A message longer than `MAX_FRAME`."""


class PageSocket:
    """`trailing` is what the page sent right after its request. One task at a time may receive.

    All methods but `silent_for` raise trio.BrokenResourceError where the connection is broken."""

    def __init__(self, stream: Tunnel, trailing: bytes) -> None:
        self.over = False
        self._stream = stream
        self._frames = Connection(ConnectionType.SERVER, trailing_data=trailing)
        # Octets that have not been taken apart.
        self._heard = True
        # Of a message that is not all here yet, and how long that is.
        self._parts: list[str | bytes | bytearray] = []
        self._length = 0
        self._too_long = False
        self._writing = trio.Lock()
        self._waiting_since: float | None = None

    def silent_for(self, now: float) -> float:
        """Seconds since somebody waits for the peer; 0 while nobody does."""
        return 0.0 if self._waiting_since is None else now - self._waiting_since

    # --- what comes -------------------------------------------------------------------------------------------

    async def receive(self) -> list[str | bytes]:
        """The next messages that have come, in order; none of them: it is over. Raises TooLongError."""
        while not self.over:
            if not self._heard:
                await self._hear()
                continue
            messages = await self._take()
            if messages:
                return messages
            if self._too_long:
                raise TooLongError
        return []

    async def _hear(self) -> None:
        self._waiting_since = trio.current_time()
        try:
            data = await self._stream.receive_some(_READ_SIZE)
        finally:
            self._waiting_since = None
        if data:
            self._frames.receive_data(data)
            self._heard = True
        else:
            self.over = True

    async def _take(self) -> list[str | bytes]:
        """What is in the octets that have come."""
        messages: list[str | bytes] = []
        for event in self._frames.events():
            match event:
                case TextMessage() | BytesMessage():
                    if event.data or not self._parts:  # of parts with nothing in them there may be any number
                        self._parts.append(event.data)
                    self._length += len(event.data)
                    self._too_long = self._length > MAX_FRAME
                    if self._too_long:
                        return messages
                    if event.message_finished:
                        messages.append(self._whole())
                case Ping() if self._frames.state is ConnectionState.OPEN:
                    await self._answer(self._frames.send(event.response()))
                case CloseConnection():  # said by the peer, or what is wrong with its frames (RFC 6455 §7.1.7)
                    self.over = True
                    if self._frames.state in (ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING):
                        await self._answer(self._frames.send(event.response()))
                    return messages
                case _:
                    pass  # a pong, or a ping that crosses our close
        self._heard = False
        return messages

    def _whole(self) -> str | bytes:
        parts, self._parts, self._length = self._parts, [], 0
        texts = [each for each in parts if isinstance(each, str)]
        return "".join(texts) if texts else b"".join([each for each in parts if not isinstance(each, str)])

    async def _answer(self, frame: bytes) -> None:
        if not self._stream.send_now(frame):
            await self.flush()

    # --- what leaves ------------------------------------------------------------------------------------------

    def send_now(self, frames: bytes | bytearray) -> bool:
        """Whether the system has taken them."""
        return self._stream.send_now(frames)

    async def flush(self) -> None:
        """Waits until the system has taken everything."""
        async with self._writing:
            await self._stream.flush()

    async def send_all(self, frames: bytes | bytearray) -> None:
        async with self._writing:
            await self._stream.send_all(frames)

    async def ping(self) -> None:
        if self._frames.state is ConnectionState.OPEN:
            await self.send_all(self._frames.send(Ping()))

    async def close(self, code: int, reason: str) -> None:
        """Says that this is the end and why, and reads until the peer has said so too."""
        if self.over or self._frames.state is not ConnectionState.OPEN:
            return
        await self.send_all(self._frames.send(CloseConnection(code, reason)))
        while not self.over:
            self._parts, self._length, self._too_long = [], 0, False
            await self._take()
            if not self.over and not self._too_long:
                await self._hear()
