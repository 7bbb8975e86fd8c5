"""The one TLS port for pages, API and websockets.

A shell. Each connection is one task with its own supervisor: one byte is peeked; anything but a TLS handshake is plain
http and is redirected; inside TLS h11 reads requests, `/ws` becomes a websocket (web/websocket.py), and everything else
goes to the application (web/asgi.py). A failure ends its own connection, is logged and counted. Every wait for a peer
has a time limit, every buffer a size, and connections a number, in all and per address.
"""

from __future__ import annotations

import socket
import ssl
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import structlog
import trio
from attrs import frozen
from starlette.types import ASGIApp

from ..actors.othersystems import OtherSystems
from ..actors.store import History, Papers
from . import certificate, websocket
from .access import split_host
from .api import build_app
from .asgi import BadHttpError, HttpStream, Timeouts
from .errors import HTTP_ERRORS, error_body
from .files import Files
from .hub import Hub
from .interfaces import Accounts, Desk, Health, Reach, Site, WebSettings
from .papers import Paperwork
from .tunnel import Tunnel

STATIC = Path(__file__).parent / "static"
_TLS_HANDSHAKE = 0x16  # the content type of a ClientHello's record (RFC 8446 §5.1)
_CERTIFICATE_CHECK_SECONDS = 24 * 3600.0
# An open page keeps its login in use; this is far less than a login lasts.
_LOGIN_CHECK_SECONDS = 600.0
_CODE_OF_STATUS = {413: "too_large", 431: "headers_too_large"}

log = structlog.get_logger("web")


@frozen
class Limits:
    """Open connections, in all and from one address: an office behind one NAT is one address."""

    connections: int = 4096
    per_address: int = 1024


DEFAULT_TIMEOUTS = Timeouts()
DEFAULT_LIMITS = Limits()


async def serve(
    settings: WebSettings,
    hub: Hub,
    desk: Desk,
    accounts: Accounts,
    health: Health,
    history: History,
    papers: Papers,
    systems: OtherSystems,
    reach: Reach,
    demo_call: Callable[[], None] | None = None,
    *,
    site: Site = dict,
    static: Path = STATIC,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    limits: Limits = DEFAULT_LIMITS,
    task_status: trio.TaskStatus[tuple[tuple[str, int], ...]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serves until cancelled; starts with the bound (address, port) pairs.

    Raises `certificate.UnusableCertificateError`, ValueError for a `listen` that is no address, and OSError where one
    cannot be bound.
    """
    context = certificate.tls_context()
    certificate.load(context, settings, datetime.now(UTC))
    paperwork = Paperwork(papers, hub.metrics, trio.current_time)
    app = build_app(
        settings, hub, accounts, health, history, paperwork, systems, reach, site, Files(static), trio.current_time
    )
    listeners = await _listen(settings.listen)
    try:
        task_status.started(tuple(listener.socket.getsockname()[:2] for listener in listeners))
        server = Server(settings, hub, desk, accounts, paperwork, app, context, demo_call, timeouts, limits)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.keep_certificate)
            nursery.start_soon(server.keep_logins)
            nursery.start_soon(hub.run)
            await trio.serve_listeners(server.handle, listeners)
    finally:
        for listener in listeners:
            listener.socket.close()


async def _listen(addresses: tuple[str, ...]) -> list[trio.SocketListener]:
    listeners: list[trio.SocketListener] = []
    try:
        for address in addresses:
            split = split_host(address)
            if split is None or split[1] is None:
                raise ValueError(f"listen: {address!r} is not an address and a port")
            try:
                listeners += await trio.open_tcp_listeners(split[1], host=split[0].strip("[]"))
            except OSError as error:
                host, port = split[0], split[1]
                said = f"[web] listen: cannot listen on TCP {host} port {port}: {error.strerror}"
                raise OSError(error.errno, said) from error
    except BaseException:
        for listener in listeners:
            listener.socket.close()
        raise
    return listeners


class Server:
    """What every connection shares."""

    def __init__(
        self,
        settings: WebSettings,
        hub: Hub,
        desk: Desk,
        accounts: Accounts,
        paperwork: Paperwork,
        app: ASGIApp,
        context: ssl.SSLContext,
        demo_call: Callable[[], None] | None,
        timeouts: Timeouts,
        limits: Limits,
    ) -> None:
        self._settings = settings
        self._hub = hub
        self._metrics = hub.metrics
        self._desk = desk
        self._accounts = accounts
        self._paperwork = paperwork
        self._app = app
        self._context = context
        self._demo_call = demo_call
        self._timeouts = timeouts
        self._limits = limits
        self._open: Counter[str] = Counter()

    async def keep_certificate(self) -> None:
        """Takes up a renewed certificate, ours or the configured one, without a restart."""
        while True:
            await trio.sleep(_CERTIFICATE_CHECK_SECONDS)
            try:
                certificate.load(self._context, self._settings, datetime.now(UTC))
            except certificate.UnusableCertificateError as error:
                log.error("certificate_unusable", error=str(error))

    async def keep_logins(self) -> None:
        """Prolongs the logins of open pages, and closes the pages of those that have ended."""
        while True:
            await trio.sleep(_LOGIN_CHECK_SECONDS)
            await self._hub.check_logins(self._accounts)

    async def handle(self, stream: trio.SocketStream) -> None:
        """One connection, from accept to close; the supervisor."""
        try:
            peer = stream.socket.getpeername()[:2]
        except OSError:
            await trio.aclose_forcefully(stream)
            return
        address: str = peer[0]
        if self._open.total() >= self._limits.connections or self._open[address] >= self._limits.per_address:
            self._metrics.turned_away.labels("full").inc()
            await trio.aclose_forcefully(stream)
            return
        self._open[address] += 1
        self._metrics.connections.set(self._open.total())
        try:
            await self._converse(stream, peer)
        except BadHttpError as bad:
            self._metrics.turned_away.labels("malformed" if bad.status else bad.reason).inc()
        except Exception:
            self._metrics.crashes.inc()
            log.exception("connection_failed")
        finally:
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]
            self._metrics.connections.set(self._open.total())
            await trio.aclose_forcefully(stream)

    async def _converse(self, stream: trio.SocketStream, peer: tuple[str, int]) -> None:
        first = b""
        with trio.move_on_after(self._timeouts.handshake):
            with suppress(OSError):
                first = await stream.socket.recv(1, socket.MSG_PEEK)
        if not first:
            raise BadHttpError(None, "said nothing")
        if first[0] != _TLS_HANDSHAKE:
            await self._redirect(stream)
            return
        tls = Tunnel(stream, self._context)
        shaken = False
        with trio.move_on_after(self._timeouts.handshake):
            with suppress(trio.BrokenResourceError):
                await tls.do_handshake()
                shaken = True
        if not shaken:
            raise BadHttpError(None, "no handshake")
        await self._http(tls, peer, stream.socket.getsockname()[:2])
        with trio.move_on_after(self._timeouts.linger), suppress(trio.BrokenResourceError):
            await tls.aclose()

    async def _redirect(self, stream: trio.SocketStream) -> None:
        """Plain http: the same place over https, on the same port (RFC 9110 §15.4.9)."""
        http = HttpStream(stream, self._timeouts)
        try:
            request = await http.next_request(first=True)
            if request is None:
                return
            hosts = [value.decode("latin-1") for name, value in request.headers if name == b"host"]
            split = split_host(hosts[0]) if hosts else None
            if split is None or not request.target.startswith(b"/"):
                raise BadHttpError(400, "no host")
            port = split[1] or stream.socket.getsockname()[1]
            location = f"https://{split[0]}:{port}{request.target.decode('ascii')}"
            self._metrics.responses.labels(308).inc()
            await http.respond(308, [("Location", location)])
        except BadHttpError as bad:
            await self._refuse(http, bad)

    async def _http(self, tls: Tunnel, peer: tuple[str, int], own: tuple[str, int]) -> None:
        http = HttpStream(tls, self._timeouts)
        first = True
        try:
            while (request := await http.next_request(first=first)) is not None:
                first = False
                if not request.target.startswith(b"/"):
                    raise BadHttpError(400, "not a path")
                if request.target.partition(b"?")[0] == websocket.PATH:
                    admitted = await websocket.admit(request, self._settings.origins, self._accounts)
                    if isinstance(admitted, websocket.Admitted):
                        await websocket.serve_page(
                            tls,
                            http.trailing_data(),
                            admitted,
                            peer[0],
                            self._hub,
                            self._desk,
                            self._paperwork,
                            self._demo_call,
                            self._timeouts,
                        )
                    else:
                        await self._not_admitted(http, admitted)
                    return
                status = await http.run(self._app, request, peer, own)
                self._metrics.responses.labels(status).inc()
        except BadHttpError as bad:
            await self._refuse(http, bad)

    async def _not_admitted(self, http: HttpStream, refused: websocket.NotAdmitted) -> None:
        status = HTTP_ERRORS[refused.code][0]
        headers = [("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")] if status == 426 else []
        self._metrics.responses.labels(status).inc()
        await http.respond_json(status, error_body(refused.code, refused.detail), headers)

    async def _refuse(self, http: HttpStream, bad: BadHttpError) -> None:
        """Answers what was wrong with a request, where it can be answered; else raises it again."""
        if bad.status is None or not http.can_respond:
            raise bad
        code = _CODE_OF_STATUS.get(bad.status, "bad_request")
        self._metrics.responses.labels(bad.status).inc()
        await http.respond_json(bad.status, error_body(code))
        await http.linger()
