"""Where pages of these tests come in: one port for a whole run, and behind it the switch of the test that runs.

A page is more than a hundred modules. Browsers may keep them for as long as the run lasts; all else is answered by
the switch, and kept by nobody. WebRTC offers are answered by a second browser page (`/far`), which stays open between
tests, so that media in these tests is real in both directions. It listens on plain http at 127.0.0.1, which browsers
take for a secure context; the pages get the policy that the server sends.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream

from tests.page.kept import Answer

STATIC = Path(__file__).parents[2] / "web" / "static"
FAR_PAGE = Path(__file__).parent / "far.html"
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; media-src 'self' blob:"
)
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
PAGES = {"/": "index.html", "/admin": "admin.html"}
KEPT = "max-age=86400, immutable"

T = TypeVar("T")


class Behind(Protocol):
    """What is behind the door."""

    down: bool  # websockets are refused

    def answer(self, method: str, target: str, head: str, body: bytes) -> Answer:
        """A request for anything but a file."""

    async def serve(self, page: WebSocketConnection, nursery: trio.Nursery) -> None:
        """A page's websocket, until it is closed."""


class Replayed(trio.abc.Stream):
    """A stream whose first bytes were read already."""

    def __init__(self, stream: trio.abc.Stream, read: bytes) -> None:
        self._stream, self._read = stream, read

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        if self._read:
            read, self._read = self._read, b""
            return read
        return await self._stream.receive_some(max_bytes)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


class Door:
    """Methods without underscore, but for `answer_of`, may be called from the test's thread."""

    def __init__(self) -> None:
        self.port = 0
        self._behind: Behind | None = None
        self._far: WebSocketConnection | None = None
        self._answers: dict[int, Callable[[str], None]] = {}
        self._token: trio.lowlevel.TrioToken | None = None
        self._scope = trio.CancelScope()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=trio.run, args=(self._serve,), daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        trio.from_thread.run_sync(self._scope.cancel, trio_token=self._token)
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, act: Callable[[], Awaitable[T]]) -> T:
        """On the loop that serves the pages."""
        return trio.from_thread.run(act, trio_token=self._token)

    def open(self, behind: Behind) -> None:
        self._behind = behind

    def close(self) -> None:
        """Nobody is behind it any more, and what the far end still heard is over."""
        self._behind = None
        self.run(self._forget)

    # --- the far end of media -----------------------------------------------------------------------------------

    async def answer_of(self, sdp: str) -> str:
        """The far page's answer to an offer; what it hears and says goes on until the test is over."""
        assert self._far is not None, "open the far page before signing in"
        got = trio.Event()
        answer = ""

        def take(text: str) -> None:
            nonlocal answer
            answer = text
            got.set()

        key = len(self._answers)
        self._answers[key] = take
        await self._far.send_message(json.dumps({"key": key, "sdp": sdp}))
        await got.wait()
        return answer

    async def _forget(self) -> None:
        if self._far is not None:
            await self._far.send_message(json.dumps({"key": None}))

    async def _hear_far(self, page: WebSocketConnection, nursery: trio.Nursery) -> None:
        self._far = page
        while True:
            message = json.loads(await page.get_message())
            self._answers[message["key"]](message["sdp"])

    # --- the wire -----------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        with self._scope:
            async with trio.open_nursery() as nursery:
                listeners = await nursery.start(
                    partial(trio.serve_tcp, self._connection, 0, host="127.0.0.1", handler_nursery=nursery)
                )
                self.port = listeners[0].socket.getsockname()[1]
                self._ready.set()

    async def _connection(self, stream: trio.SocketStream) -> None:
        """Requests one after the other, as long as the browser keeps it open."""
        read = b""
        try:
            while True:
                while b"\r\n\r\n" not in read:
                    read += await self._more(stream)
                head, _, rest = read.partition(b"\r\n\r\n")
                text = head.decode("latin-1")
                if re.search(r"^upgrade: websocket", text, re.M | re.I):
                    return await self._websocket(Replayed(stream, read), text)
                length = re.search(r"^content-length: (\d+)", text, re.M | re.I)
                size = int(length[1]) if length else 0
                while len(rest) < size:
                    rest += await self._more(stream)
                body, read = rest[:size], rest[size:]
                await stream.send_all(self._http(text, body))
        except (EOFError, trio.BrokenResourceError, trio.ClosedResourceError, ConnectionClosed):
            return None
        finally:
            await trio.aclose_forcefully(stream)

    @staticmethod
    async def _more(stream: trio.SocketStream) -> bytes:
        more = await stream.receive_some(65536)
        if not more:
            raise EOFError
        return bytes(more)

    async def _websocket(self, stream: Replayed, head: str) -> None:
        if head.startswith("GET /far-socket "):
            serve = self._hear_far
        elif self._behind is not None and not self._behind.down:
            serve = self._behind.serve
        else:
            return
        async with trio.open_nursery() as nursery:
            request = await wrap_server_stream(nursery, stream)
            names = request.proposed_subprotocols
            page = await request.accept(subprotocol=names[0] if names else None)
            try:
                await serve(page, nursery)
            except ConnectionClosed:
                pass
            finally:
                nursery.cancel_scope.cancel()

    def _http(self, head: str, body: bytes) -> bytes:
        method, target, _ = head.split("\r\n")[0].split(" ")
        path = target.partition("?")[0]
        if path.startswith("/api/"):
            return self._written(
                Answer("503 Service Unavailable")
                if self._behind is None
                else self._behind.answer(method, target, head, body)
            )
        if path == "/far":
            return self._written(Answer("200 OK", FAR_PAGE.read_bytes(), "text/html"), policy=False)
        file = STATIC / PAGES.get(path, path.removeprefix("/static/"))
        if not file.is_file() or STATIC not in file.resolve().parents:
            return self._written(Answer("404 Not Found"))
        found = Answer("200 OK", file.read_bytes(), TYPES.get(file.suffix, "application/octet-stream"))
        return self._written(found, kept="no-store" if path in PAGES else KEPT)

    @staticmethod
    def _written(answer: Answer, *, policy: bool = True, kept: str = "no-store") -> bytes:
        lines = [f"HTTP/1.1 {answer.status}", f"Content-Type: {answer.kind}; charset=utf-8"]
        lines += [f"Content-Length: {len(answer.body)}", f"Cache-Control: {kept}", *answer.headers]
        if policy:
            lines.append(f"Content-Security-Policy: {POLICY}")
        return "\r\n".join([*lines, "", ""]).encode() + answer.body
