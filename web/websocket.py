"""A page's websocket: admitted by its HTTP request, then three tasks between the frames and the session.

A shell. `admit` looks at the upgrade request before anything is upgraded: origin, login, subprotocol. Then one task
reads messages into the `Session` (`pagesocket.py`), one writes what the system does not take at once, one keeps watch.
What a page asks of the database has a task as long as it takes.
All that waits in the outbox goes out together, when the hub has it said: most of what a message costs is its TLS
record, its segment, and whatever else has to be woken for it.

Keeping watch must not kill a busy page. A ping goes out every 10 s, but its answer is not what is looked at: a page
under load answers late. The watch asks how long the stream has been *waited for* without a byte of any kind; while we
are the ones who do not read, that is no time.
"""

from __future__ import annotations

import base64
import binascii
import math
import secrets
from collections.abc import Callable
from contextlib import suppress

import h11
import structlog
import trio
from attrs import frozen
from starlette.datastructures import Headers

from ..actors import page
from ..actors.store import StoreError
from .access import origin_allowed, token_of
from .asgi import Timeouts
from .hub import Hub
from .interfaces import Accounts, Desk, Login
from .pagesocket import PageSocket, TooLongError, accepted
from .papers import Paperwork
from .protocol import MAX_FRAME, Close, Subprotocol, framed
from .session import DemoRequest, Session, WatchRequest
from .tunnel import Tunnel

PATH = b"/ws"
PING_SECONDS = 10.0
# Three pings, and not a byte of any kind: the page, its computer or the way to it is gone.
SILENCE_SECONDS = 35.0
# For what is still in the outbox when the session must close, and then for the peer's close frame.
FLUSH_SECONDS = 2.0
CLOSE_SECONDS = 1.0
# ... when the whole server stops.
STOP_SECONDS = 0.1
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


async def serve_page(
    stream: Tunnel,
    trailing: bytes,
    admitted: Admitted,
    peer: str,
    hub: Hub,
    desk: Desk,
    paperwork: Paperwork,
    demo_call: Callable[[], None] | None,
    timeouts: Timeouts,
) -> None:
    """Upgrades and serves one page until either side ends it. `trailing` is what came after the request."""
    try:
        with trio.fail_after(timeouts.handshake):
            await stream.send_all(accepted(admitted.key, admitted.subprotocol))
        await _Page(PageSocket(stream, trailing), admitted, peer, hub, desk, paperwork, demo_call).run()
    except* (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
        pass  # the peer is gone


class _Page:
    """The tasks of one page."""

    def __init__(
        self,
        socket: PageSocket,
        admitted: Admitted,
        peer: str,
        hub: Hub,
        desk: Desk,
        paperwork: Paperwork,
        demo_call: Callable[[], None] | None,
    ) -> None:
        self._socket = socket
        self._login = admitted.login
        self._hub = hub
        self._desk = desk
        self._paperwork = paperwork
        # What it asks to watch, until the answer is found; each in its turn, for the last is what counts.
        self._watches: list[WatchRequest] = []
        self._nursery: trio.Nursery
        self._demo_call = demo_call
        # The system takes no more, or there will be no more: the rest is `_write`'s.
        self._writes = False
        self._changed = trio.Event()
        self._ends = trio.Event()
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
                async with trio.open_nursery() as self._nursery:
                    for task in (self._read, self._write, self._ping, self._watch):
                        self._nursery.start_soon(task)
        except Exception:
            session.close(Close.INTERNAL, "failure")
            raise
        finally:
            self._writes = True  # what is still said is said by `_close`
            self._hub.remove(session)
            self._paperwork.forget(session)
            stopping = trio.current_effective_deadline() == -math.inf
            with trio.CancelScope(shield=True):
                await self._detach()
                await self._close(STOP_SECONDS if stopping else CLOSE_SECONDS)

    def _on_change(self) -> None:
        if self._session.closing is not None:
            self._ends.set()
        self._hub.owe(self._session.id, self._say)

    def _say(self) -> None:
        """All that waits in the outbox, as far as the system takes it at once."""
        if self._writes:
            return
        if self._socket.over:
            self._scope.cancel()
            return
        taken = True
        try:
            while taken and (frames := self._waiting()):
                taken = self._socket.send_now(frames)
        except trio.BrokenResourceError:
            self._scope.cancel()
        if not taken or self._session.closing is not None:
            self._writes = True
            self._changed.set()

    async def _read(self) -> None:
        try:
            while messages := await self._socket.receive():
                for message in messages:
                    self._take(message)
        except TooLongError:
            self._session.close(Close.TOO_BIG, f"more than {MAX_FRAME}")
            return
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        self._scope.cancel()

    def _take(self, message: str | bytes) -> None:
        session = self._session
        match session.receive(message, trio.current_time()):
            case None:
                pass
            case DemoRequest(asked):
                assert self._demo_call is not None
                self._demo_call()
                session.reply(asked, page.Accepted())
            case WatchRequest() as watch:
                self._watches.append(watch)
                if len(self._watches) == 1:
                    self._nursery.start_soon(self._watch_papers)
            case page.Request() as request:
                if not self._desk.tell(session.agent, request):
                    session.refuse_busy(request.id, "mailbox")

    async def _watch_papers(self) -> None:
        while self._watches:
            asked = self._watches[0]
            self._session.reply(asked.id, await self._paperwork.watch(self._session, self._login, asked.call))
            del self._watches[0]

    async def _write(self) -> None:
        """What the system did not take at once, and what waits behind it; then the end, if that is it."""
        session = self._session
        while True:
            await self._changed.wait()
            self._changed = trio.Event()
            try:
                with trio.fail_after(SILENCE_SECONDS):
                    await self._socket.flush()
                while not self._socket.over and (frames := self._waiting()):
                    with trio.fail_after(SILENCE_SECONDS):
                        await self._socket.send_all(frames)
            except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
                self._scope.cancel()
                return
            self._writes = False
            if session.closing is not None or self._socket.over:
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
                await self._socket.ping()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self._scope.cancel()
                return

    async def _watch(self) -> None:
        """Ends the page when it is silent for too long, or will not take what is left to say before the close."""
        while not self._ends.is_set():
            left = SILENCE_SECONDS - self._socket.silent_for(trio.current_time())
            if left <= 0:
                self._scope.cancel()
                return
            with trio.move_on_after(left):
                await self._ends.wait()
        await trio.sleep(FLUSH_SECONDS)
        self._scope.cancel()

    async def _detach(self) -> None:
        for wait in _DETACH_WAITS:
            await trio.sleep(wait)
            if self._desk.tell(self._session.agent, page.Detached(self._session.id)):
                return
        self._hub.metrics.lost_detach.inc()

    async def _close(self, grace: float) -> None:
        """Says why, where the peer can still hear it."""
        if self._socket.over:
            return
        with trio.move_on_after(grace), suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            self._session.close(Close.GOING_AWAY, "the switch is stopping")
            assert self._session.closing is not None
            await self._socket.close(*self._session.closing)
