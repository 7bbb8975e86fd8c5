"""HTTP/1.1 on one stream: h11 reads the requests, an ASGI application answers them.

A shell. `HttpStream` is a stream under h11 with its timeouts and limits: `next_request` gives the next request head,
`respond` sends a whole response, and `run` carries one request to an ASGI application and its answer back. A request's
body is read whole before the application is called, because none may be longer than `MAX_BODY`; a response is streamed.
Whatever is wrong with what the peer sent raises `BadHttpError`, which says how to answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import unquote

import h11
import trio
from attrs import frozen
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message

# A request's line and headers together: twice what a browser with many cookies sends.
MAX_HEAD = 16 * 1024
# Logins and small forms; nothing is uploaded.
MAX_BODY = 64 * 1024
_READ_SIZE = 16 * 1024
# A piece of a response: each has `Timeouts.write`, so that a large file may take a slow line its time.
_WRITE_SIZE = 64 * 1024


@frozen
class Timeouts:
    """Seconds that a connection has for each thing; a peer that takes longer is closed."""

    handshake: float = 10.0
    # From a request's first byte to the end of its headers, and as long again for its body.
    request: float = 10.0
    # Between two requests of one connection.
    idle: float = 30.0
    # For a piece of a response to leave.
    write: float = 30.0
    # For the peer to take an error before the connection is closed under what it still sends.
    linger: float = 1.0


class BadHttpError(Exception):
    """What the peer sent is not served: the status it gets, or none where it went away or was too slow."""

    def __init__(self, status: int | None, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@contextmanager
def _in_time(reason: str, seconds: float) -> Iterator[None]:
    """The peer has so many seconds for what is inside; then `BadHttpError`, without an answer."""
    with trio.move_on_after(seconds) as scope:
        yield
    if scope.cancelled_caught:
        raise BadHttpError(None, reason)


class HttpStream:
    """The server's side of one HTTP/1.1 connection."""

    def __init__(self, stream: trio.abc.Stream, timeouts: Timeouts) -> None:
        self.stream = stream
        self._timeouts = timeouts
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self._head = False

    async def next_request(self, *, first: bool) -> h11.Request | None:
        """The next request's head; None when the peer is done. Raises `BadHttpError`."""
        if not first:
            if self._h11.our_state is not h11.DONE or self._h11.their_state is not h11.DONE:
                return None
            self._h11.start_next_cycle()
        event = self._event()
        if event is h11.NEED_DATA and not first:
            with trio.move_on_after(self._timeouts.idle) as idle:
                await self._receive()
            if idle.cancelled_caught:
                return None
            event = self._event()
        with _in_time("slow headers", self._timeouts.request):
            while event is h11.NEED_DATA:
                await self._receive()
                event = self._event()
        if isinstance(event, h11.ConnectionClosed):
            return None
        assert isinstance(event, h11.Request)
        self._head = event.method == b"HEAD"
        return event

    async def body(self) -> bytes:
        """The whole body of the request whose head was read. Raises `BadHttpError`."""
        parts: list[bytes] = []
        size = 0
        with _in_time("slow body", self._timeouts.request):
            while True:
                if self._h11.they_are_waiting_for_100_continue:
                    await self._send(h11.InformationalResponse(status_code=100, headers=[]))
                event = self._event()
                if event is h11.NEED_DATA:
                    await self._receive()
                elif isinstance(event, h11.Data):
                    size += len(event.data)
                    if size > MAX_BODY:
                        raise BadHttpError(413, "body too long")
                    parts.append(bytes(event.data))
                else:
                    return b"".join(parts)

    async def respond(self, status: int, headers: list[tuple[str, str]], body: bytes = b"") -> None:
        """A whole response, after which the connection is closed."""
        head = [*headers, ("Content-Length", str(len(body))), ("Connection", "close")]
        content = [] if self._is_without_body(status) else [h11.Data(data=body)]
        await self._send(h11.Response(status_code=status, headers=head), *content, h11.EndOfMessage())

    async def respond_json(self, status: int, body: object, headers: list[tuple[str, str]] | None = None) -> None:
        """As `respond`, with a JSON body."""
        plain = [("Content-Type", "application/json"), ("Cache-Control", "no-store"), *(headers or [])]
        await self.respond(status, plain, json.dumps(body).encode())

    @property
    def can_respond(self) -> bool:
        """Nothing of a response has left yet."""
        return self._h11.our_state in (h11.IDLE, h11.SEND_RESPONSE)

    async def linger(self) -> None:
        """Reads and forgets what the peer still sends: a close under unread bytes would take our answer with it."""
        with trio.move_on_after(self._timeouts.linger), suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while await self.stream.receive_some(_READ_SIZE):
                pass

    def trailing_data(self) -> bytes:
        """What came after the request head on its way to another protocol."""
        return self._h11.trailing_data[0]

    async def run(self, app: ASGIApp, request: h11.Request, client: tuple[str, int], server: tuple[str, int]) -> int:
        """One request through `app`; gives the response's status. Raises `BadHttpError`, and what the app raises."""
        length = Headers(raw=list(request.headers)).get("content-length", "0")
        if int(length) > MAX_BODY:  # h11 has seen that it is digits
            raise BadHttpError(413, "body too long")
        body = await self.body()
        path, _, query = request.target.partition(b"?")
        scope = {
            "type": "http",
            # From 2.4 on, a lost peer shows as OSError from send, and nothing waits for a disconnect.
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": request.http_version.decode(),
            "method": request.method.decode(),
            "scheme": "https",
            "path": unquote(path.decode("ascii")),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": list(request.headers),
            "client": client,
            "server": server,
        }
        received = False
        status = 0
        # The head waits for the first piece of the body, to leave in the same TLS record.
        waiting: list[h11.Event] = []

        async def receive() -> Message:
            nonlocal received
            if received:
                await trio.sleep_forever()
            received = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                waiting.append(h11.Response(status_code=status, headers=message["headers"]))
                return
            piece = message.get("body", b"")
            if piece and not self._is_without_body(status):
                waiting.append(h11.Data(data=piece))
            if not message.get("more_body", False):
                waiting.append(h11.EndOfMessage())
            leaving = waiting.copy()
            waiting.clear()
            try:
                await self._send(*leaving)
            except BadHttpError as lost:
                raise OSError from lost

        try:
            await app(scope, receive, send)
        except OSError as error:
            # Our own, from `send`, or the framework's wrapping of it.
            if isinstance(error.__cause__, BadHttpError):
                raise error.__cause__ from None
            raise
        return status

    def _is_without_body(self, status: int) -> bool:
        """RFC 9110 §6.4.1: the answer to HEAD, 204 and 304 have a length but no bytes."""
        return self._head or status in (204, 304)

    def _event(self) -> object:
        try:
            return self._h11.next_event()
        except h11.RemoteProtocolError as error:
            raise BadHttpError(error.error_status_hint, str(error)) from None

    async def _receive(self) -> None:
        try:
            data = await self.stream.receive_some(_READ_SIZE)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise BadHttpError(None, "lost") from None
        self._h11.receive_data(bytes(data))

    async def _send(self, *events: h11.Event) -> None:
        data = b"".join(self._h11.send(event) or b"" for event in events)
        for at in range(0, len(data), _WRITE_SIZE):
            with _in_time("slow reader", self._timeouts.write):
                try:
                    await self.stream.send_all(data[at : at + _WRITE_SIZE])
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    raise BadHttpError(None, "lost") from None
