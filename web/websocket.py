"""A page's websocket: admitted by its HTTP request, then three tasks between the frames and the session.

A shell. `admit` looks at the upgrade request before anything is upgraded: origin, login, subprotocol. Then a
request of our own making with only what was checked is replayed to trio-websocket, so that no second parser sees what
the peer wrote. One task reads frames into the `Session`, one writes what the system does not take at once, one keeps
watch. All that waits in the outbox goes out together, when the hub has it said: most of what a message costs is its
TLS record, its segment, and whatever else has to be woken for it.

Keeping watch must not kill a busy page. A ping goes out every 10 s, but its answer is not what is looked at:
trio-websocket does not read while its queue is full, and a page under load answers late. The watch asks how long the
stream has been *waited for* without a byte of any kind; while we are the ones who do not read, that is no time.
"""

from __future__ import annotations

import base64
import binascii
import math
import secrets
from collections.abc import Callable

import h11
import structlog
import trio
from attrs import frozen
from starlette.datastructures import Headers
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream
from wsproto.utilities import LocalProtocolError

from ..actors import page
from ..actors.store import StoreError
from .access import origin_allowed, token_of
from .asgi import Timeouts
from .hub import Hub
from .interfaces import Accounts, Desk, Login
from .protocol import MAX_FRAME, Close, Subprotocol, framed
from .session import DemoRequest, Session
from .tunnel import Tunnel

PATH = b"/ws"
PING_SECONDS = 10.0
# Three pings, and not a byte of any kind: the page, its computer or the way to it is gone.
SILENCE_SECONDS = 35.0
# For what is still in the outbox when the session must close, and then for the peer's close frame.
FLUSH_SECONDS = 2.0
CLOSE_SECONDS = 1.0
# For our close frame alone, when the whole server stops: trio-websocket reads no answer any more.
STOP_SECONDS = 0.1
# Frames read ahead of the session, which takes them at once.
_READ_AHEAD = 16
_READ_SIZE = 16 * 1024
# Octets of frames that are put together at most, but for one that is longer itself.
_TOGETHER = 16 * 1024
# Waits between attempts to tell an overloaded agent that a page is gone: it must hear it.
_DETACH_WAITS = (0.0, 0.05, 0.2, 1.0)

log = structlog.get_logger("web")


@frozen
class Admitted:
    """A websocket request that may be upgraded."""

    login: Login
    subprotocol: Subprotocol
    key: str


@frozen
class NotAdmitted:
    """The HTTP error it gets instead, one of `api.HTTP_ERRORS`."""

    code: str
    detail: str = ""


async def admit(request: h11.Request, origins: tuple[str, ...], accounts: Accounts) -> Admitted | NotAdmitted:
    """Whether this request for `PATH` may become a websocket (RFC 6455 §4.2.1)."""
    headers = Headers(raw=list(request.headers))
    if request.method != b"GET":
        return NotAdmitted("method_not_allowed")
    if not _lists(headers, "upgrade", "websocket") or not _lists(headers, "connection", "upgrade"):
        return NotAdmitted("upgrade_required")
    if not origin_allowed(headers, origins):
        return NotAdmitted("bad_origin")
    token = token_of(headers)
    try:
        login = await accounts.who(token) if token else None
    except StoreError as error:
        log.error("store", error=str(error))
        return NotAdmitted("unavailable")
    if login is None:
        return NotAdmitted("not_logged_in")
    if headers.get("sec-websocket-version") != "13":
        return NotAdmitted("upgrade_required", "Its version is 13.")
    key = headers.get("sec-websocket-key", "")
    if request.http_version != b"1.1" or not _is_key(key):
        return NotAdmitted("bad_request", "It is not a websocket handshake.")
    known = {subprotocol.value: subprotocol for subprotocol in Subprotocol}
    for offered in _items(headers, "sec-websocket-protocol"):
        if offered in known:
            return Admitted(login, known[offered], key)
    return NotAdmitted("bad_request", f"The subprotocol must be {' or '.join(known)}.")


def _items(headers: Headers, name: str) -> list[str]:
    return [item.strip(" \t") for line in headers.getlist(name) for item in line.split(",")]


def _lists(headers: Headers, name: str, item: str) -> bool:
    return item in (found.lower() for found in _items(headers, name))


def _is_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


class ReplayStream(trio.abc.Stream):
    """A stream that gives `head` before anything else, and knows how long it has been waited for in vain.

    What a page sent right after its request, `trailing`, is held back until `release`: trio-websocket does not look
    at what came before the upgrade is accepted until more comes.
    """

    def __init__(self, stream: Tunnel, head: bytes, trailing: bytes) -> None:
        self._stream = stream
        self._head = head
        self._trailing = trailing
        self._released = trio.Event()
        self._reading = trio.Lock()
        self._writing = trio.Lock()
        self._draining = False
        self._waiting_since: float | None = None

    def release(self) -> None:
        self._released.set()

    def silent_for(self, now: float) -> float:
        """Seconds since somebody waits for the peer; 0 while nobody does."""
        return 0.0 if self._waiting_since is None else now - self._waiting_since

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        # Both are shorter than what is ever asked for: `MAX_HEAD` holds them.
        if self._head:
            await trio.lowlevel.checkpoint()
            given, self._head = self._head, b""
            return given
        await self._released.wait()
        if self._trailing:
            given, self._trailing = self._trailing, b""
            return given
        async with self._reading:
            self._waiting_since = trio.current_time()
            try:
                data = bytes(await self._stream.receive_some(max_bytes))
            finally:
                self._waiting_since = None
        return b"" if self._draining else data

    async def drain(self) -> None:
        """Reads and forgets until the peer is done; whoever reads hears that it is."""
        self._draining = True
        async with self._reading:
            while await self._stream.receive_some(_READ_SIZE):
                pass

    def send_now(self, data: bytes | bytearray) -> bool:
        """Whole frames; whether the system has taken them. Raises trio.BrokenResourceError."""
        return self._stream.send_now(data)

    async def flush(self) -> None:
        """Waits until the system has taken everything. Raises trio.BrokenResourceError."""
        async with self._writing:
            await self._stream.flush()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Whole frames, of whoever has some to send."""
        async with self._writing:
            await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


async def serve_page(
    stream: Tunnel,
    trailing: bytes,
    admitted: Admitted,
    peer: str,
    hub: Hub,
    desk: Desk,
    demo_call: Callable[[], None] | None,
    timeouts: Timeouts,
) -> None:
    """Upgrades and serves one page until either side ends it. `trailing` is what came after the request."""
    head = (
        "GET /ws HTTP/1.1\r\nHost: page\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {admitted.key}\r\n"
        f"Sec-WebSocket-Protocol: {admitted.subprotocol.value}\r\n\r\n"
    )
    replay = ReplayStream(stream, head.encode("ascii"), trailing)
    try:
        # trio-websocket's own reading task lives in this nursery.
        async with trio.open_nursery() as nursery:
            with trio.fail_after(timeouts.handshake):
                request = await wrap_server_stream(nursery, replay, _READ_AHEAD, MAX_FRAME, _READ_SIZE)
                connection = await request.accept(subprotocol=admitted.subprotocol.value)
            replay.release()
            await _Page(connection, replay, admitted, peer, hub, desk, demo_call).run()
            nursery.cancel_scope.cancel()
    except* (ConnectionClosed, trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
        pass  # the peer is gone
    except* LocalProtocolError:
        pass  # trio-websocket answers a ping that crosses our own close


class _Page:
    """The tasks of one page."""

    def __init__(
        self,
        connection: WebSocketConnection,
        stream: ReplayStream,
        admitted: Admitted,
        peer: str,
        hub: Hub,
        desk: Desk,
        demo_call: Callable[[], None] | None,
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._hub = hub
        self._desk = desk
        self._demo_call = demo_call
        # The system takes no more, or there will be no more: the rest is `_write`'s.
        self._writes = False
        self._changed = trio.Event()
        self._scope = trio.CancelScope()
        self._session = Session(
            secrets.token_hex(8),
            admitted.login.agent,
            peer,
            admitted.login.token,
            admitted.subprotocol,
            hub.metrics,
            trio.current_time(),
            demo=demo_call is not None,
            on_change=self._on_change,
        )

    async def run(self) -> None:
        session = self._session
        if not self._desk.tell(session.agent, page.Attached(session.id)):
            session.close(Close.TRY_AGAIN, "the agent is busy")
            await self._close(CLOSE_SECONDS)
            return
        self._hub.add(session)
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._read)
                    nursery.start_soon(self._write)
                    nursery.start_soon(self._ping)
                    nursery.start_soon(self._watch)
        except Exception:
            session.close(Close.INTERNAL, "failure")
            raise
        finally:
            self._writes = True  # what is still said is said by `_close`
            self._hub.remove(session)
            stopping = trio.current_effective_deadline() == -math.inf
            with trio.CancelScope(shield=True):
                await self._detach()
                await self._close(STOP_SECONDS if stopping else CLOSE_SECONDS)

    def _on_change(self) -> None:
        self._hub.owe(self._session.id, self._say)

    def _say(self) -> None:
        """All that waits in the outbox, as far as the system takes it at once."""
        if self._writes:
            return
        if self._connection.closed is not None:
            self._scope.cancel()
            return
        taken = True
        try:
            while taken and (frames := self._waiting()):
                taken = self._stream.send_now(frames)
        except trio.BrokenResourceError:
            self._scope.cancel()
        if not taken or self._session.closing is not None:
            self._writes = True
            self._changed.set()

    async def _read(self) -> None:
        session = self._session
        while True:
            try:
                frame = await self._connection.get_message()
            except ConnectionClosed:
                self._scope.cancel()
                return
            match session.receive(frame, trio.current_time()):
                case None:
                    pass
                case DemoRequest(asked):
                    assert self._demo_call is not None
                    self._demo_call()
                    session.reply(asked, page.Accepted())
                case page.Request() as request:
                    if not self._desk.tell(session.agent, request):
                        session.refuse_busy(request.id, "mailbox")

    async def _write(self) -> None:
        """What the system did not take at once, and what waits behind it; then the end, if that is it."""
        session = self._session
        while True:
            await self._changed.wait()
            self._changed = trio.Event()
            try:
                with trio.fail_after(SILENCE_SECONDS):
                    await self._stream.flush()
                while self._connection.closed is None and (frames := self._waiting()):
                    with trio.fail_after(SILENCE_SECONDS):
                        await self._stream.send_all(frames)
            except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
                self._scope.cancel()
                return
            self._writes = False
            if session.closing is not None or self._connection.closed is not None:
                self._scope.cancel()
                return

    def _waiting(self) -> bytearray:
        """What is in the outbox, as frames (RFC 6455 §5.2)."""
        frames = bytearray()
        session = self._session
        while len(frames) < _TOGETHER and (message := session.next()) is not None:
            frames += framed(message, session.subprotocol)
        return frames

    async def _ping(self) -> None:
        while True:
            await trio.sleep(PING_SECONDS)
            try:
                await self._connection.ping()
            except ConnectionClosed:
                return

    async def _watch(self) -> None:
        """Ends the page when it is silent for too long, or will not take what is left to say before the close."""
        closing_since: float | None = None
        while True:
            await trio.sleep(1.0)
            now = trio.current_time()
            if self._session.closing is not None and closing_since is None:
                closing_since = now
            flushing_too_long = closing_since is not None and now - closing_since >= FLUSH_SECONDS
            if flushing_too_long or self._stream.silent_for(now) >= SILENCE_SECONDS:
                self._scope.cancel()
                return

    async def _detach(self) -> None:
        for wait in _DETACH_WAITS:
            await trio.sleep(wait)
            if self._desk.tell(self._session.agent, page.Detached(self._session.id)):
                return
        self._hub.metrics.lost_detach.inc()

    async def _close(self, grace: float) -> None:
        """Says why, where the peer can still hear it."""
        closed = self._connection.closed
        if closed is not None and closed.code != Close.TOO_BIG:
            return
        with trio.move_on_after(grace):
            if closed is not None:
                # trio-websocket has said so and reads no more: a close under unread bytes would take that with it.
                self._hub.metrics.closed.labels(int(Close.TOO_BIG)).inc()
                await self._stream.drain()
                return
            self._session.close(Close.GOING_AWAY, "the switch is stopping")
            assert self._session.closing is not None
            await self._connection.aclose(*self._session.closing)
