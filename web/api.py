"""The HTTP side as one Starlette application: logging in and out, what has happened, paperwork, health, metrics, files.

No business rule: every answer is a question to `Accounts`, `History`, `Health`, the metrics registry or the files. It
reads no clock and opens no file itself.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Awaitable, Callable

import structlog
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as AsgiMessage

from ..actors.othersystems import OtherSystems
from ..actors.store import History, NotAllowedError, NotThereError, StoreError
from .access import COOKIE, WRONG_PER_ADDRESS, WRONG_PER_AGENT, Throttle, bearer_of, origin_allowed, token_of
from .conditional import unchanged
from .errors import BadParameterError, error
from .files import Files
from .history import Histories
from .hub import Hub
from .interfaces import Accounts, Health, Login, Reach, Site, WebSettings
from .papers import Paperwork
from .recordings import Recordings
from .systems import Systems

# An agent's name and a password are shorter; argon2 is not given more to chew on.
MAX_CREDENTIAL = 256

# On every response; pages have a Content-Security-Policy of their own (web/files.py).
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_CODE_OF_STATUS = {404: "not_found", 405: "method_not_allowed"}

log = structlog.get_logger("web")


Handler = Callable[[Request, Login], Awaitable[ASGIApp]]


def build_app(
    settings: WebSettings,
    hub: Hub,
    accounts: Accounts,
    health: Health,
    history: History,
    paperwork: Paperwork,
    systems: OtherSystems,
    reach: Reach,
    site: Site,
    files: Files,
    clock: Callable[[], float],
) -> ASGIApp:
    """The application; `clock` is any that runs evenly, for the limit on wrong passwords."""
    histories = Histories(history)
    recordings = Recordings(history, settings.recordings)
    told = Systems(systems)
    per_agent = Throttle(WRONG_PER_AGENT)
    per_address = Throttle(WRONG_PER_ADDRESS)

    async def log_in(request: Request) -> Response:
        if not origin_allowed(request.headers, settings.origins):
            return error("bad_origin")
        credentials = _credentials(await request.body())
        if credentials is None:
            return error("bad_request", 'It must be {"agent": text, "password": text}.')
        agent, password = credentials
        address = _address(request)
        wait = per_address.charge(address, clock())
        if not wait and (wait := per_agent.charge(agent, clock())):
            per_address.give_back(address, clock())
        if wait:
            return error("too_many_attempts", headers={"Retry-After": str(wait)})
        wrong = False
        try:
            login = await accounts.log_in(agent, password)
            wrong = login is None
        finally:
            if not wrong:  # right, or our own failure
                per_address.give_back(address, clock())
                per_agent.give_back(agent, clock())
        if login is None:
            return error("wrong_login")
        body = {"agent": login.agent, "name": login.name, "role": login.role}
        if "origin" not in request.headers:
            body["token"] = login.token
        response = JSONResponse(body, headers={"Cache-Control": "no-store"})
        response.set_cookie(COOKIE, login.token, path="/", secure=True, httponly=True, samesite="strict")
        return response

    async def log_out(request: Request) -> Response:
        if not origin_allowed(request.headers, settings.origins):
            return error("bad_origin")
        if token := token_of(request.headers):
            await accounts.log_out(token)
            hub.end_login(token)
        response = Response(status_code=204, headers={"Cache-Control": "no-store"})
        response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
        return response

    def logged_in(path: str, handle: Handler, *, changes: bool = False) -> Route:
        """A route for those who are logged in; one that `changes` something is for our own pages and for scripts."""

        async def handle_known(request: Request) -> ASGIApp:
            if changes and not origin_allowed(request.headers, settings.origins):
                return error("bad_origin")
            token = token_of(request.headers)
            login = await accounts.who(token) if token else None
            return error("not_logged_in") if login is None else await handle(request, login)

        return Route(path, handle_known, methods=["POST"] if changes else None)

    async def me(request: Request, login: Login) -> Response:
        body = {"agent": login.agent, "name": login.name, "role": login.role, **site()}
        return JSONResponse(body, headers={"Cache-Control": "no-store"})

    async def access_points(request: Request, login: Login) -> Response:
        found = await reach(_address(request))
        return error("no_media") if found is None else JSONResponse(found, headers={"Cache-Control": "no-store"})

    async def show_health(request: Request) -> Response:
        ready, facts = health()
        body = {"ready": ready, **facts}
        return JSONResponse(body, 200 if ready else 503, headers={"Cache-Control": "no-store"})

    async def metrics(request: Request) -> Response:
        if not ipaddress.ip_address(_address(request)).is_loopback:
            token = bearer_of(request.headers)
            if not token or await accounts.who(token) is None:
                return error("forbidden")
        return Response(
            generate_latest(hub.metrics.registry),
            media_type=CONTENT_TYPE_LATEST,
            headers={"Cache-Control": "no-store"},
        )

    def file(name: str, request: Request) -> Response:
        found = files.get(name)
        if found is None:
            return error("not_found")
        # Names carry no version, so a browser asks each time, and mostly hears 304.
        headers = {"ETag": found.etag, "Cache-Control": "no-cache"}
        if found.policy:
            headers["Content-Security-Policy"] = found.policy
        if unchanged(request.headers, found.etag):
            return Response(status_code=304, headers=headers)
        return Response(found.body, media_type=found.type, headers=headers)

    async def static(request: Request) -> Response:
        return file(request.path_params["name"], request)

    def page(name: str) -> Route:
        async def show(request: Request) -> Response:
            return file(f"{name}.html", request)

        return Route("/" if name == "index" else f"/{name}", show)

    async def on_http_error(request: Request, failed: Exception) -> Response:
        assert isinstance(failed, HTTPException)
        return error(_CODE_OF_STATUS.get(failed.status_code, "bad_request"), headers=dict(failed.headers or {}))

    async def on_store_error(request: Request, failed: Exception) -> Response:
        log.error("store", error=str(failed))
        return error("unavailable")

    async def on_history_error(request: Request, failed: Exception) -> Response:
        match failed:
            case BadParameterError():
                return error("bad_parameter", str(failed))
            case NotAllowedError():
                return error("not_allowed")
            case _:
                return error("not_found")

    async def listen(request: Request, login: Login) -> ASGIApp:
        return await recordings.sound(request, login, _address(request))

    async def on_failure(request: Request, failed: Exception) -> Response:
        return error("failure")

    app = Starlette(
        routes=[
            Route("/api/login", log_in, methods=["POST"]),
            Route("/api/logout", log_out, methods=["POST"]),
            logged_in("/api/me", me),
            logged_in("/api/access-points", access_points),
            logged_in("/api/calls", histories.calls),
            logged_in("/api/calls/{call}", histories.call),
            logged_in("/api/calls/{call}/message", histories.handle, changes=True),
            logged_in("/api/calls/{call}/quality", histories.quality),
            logged_in("/api/calls/{call}/why", histories.why),
            logged_in("/api/calls/{call}/paper", paperwork.paper),
            logged_in("/api/calls/{call}/paper", paperwork.change, changes=True),
            logged_in("/api/calls/{call}/paper/versions", paperwork.versions),
            logged_in("/api/calls/{call}/recording", listen),
            logged_in("/api/calls/{call}/peaks", recordings.peaks),
            logged_in("/api/agents/{agent}/states", histories.states),
            logged_in("/api/webhooks", told.listed),
            logged_in("/api/webhooks/{webhook}/test", told.test, changes=True),
            logged_in("/api/webhooks/{webhook}/send", told.hurry, changes=True),
            Route("/api/health", show_health),
            Route("/metrics", metrics),
            page("index"),
            page("admin"),
            page("wall"),
            Route("/static/{name:path}", static),
        ],
        exception_handlers={
            HTTPException: on_http_error,
            BadParameterError: on_history_error,
            NotAllowedError: on_history_error,
            NotThereError: on_history_error,
            StoreError: on_store_error,
            Exception: on_failure,
        },
    )
    # A path with a slash too many is not another name of a page.
    app.router.redirect_slashes = False
    return with_security_headers(app)


def with_security_headers(app: ASGIApp) -> ASGIApp:
    """The application with `SECURITY_HEADERS` on every response that does not set them itself."""

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: AsgiMessage) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await app(scope, receive, send_with_headers)

    return outer


def _credentials(body: bytes) -> tuple[str, str] | None:
    """`agent` and `password` of a login request; None where it is not exactly the two, or too long."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    match parsed:
        case {"agent": str(agent), "password": str(password), **rest} if not rest:
            short = all(0 < len(text) <= MAX_CREDENTIAL for text in (agent, password))
            # A lone surrogate, which only JSON can carry, is no text.
            surrogate = any("\ud800" <= character <= "\udfff" for character in agent + password)
            return (agent, password) if short and not surrogate else None
        case _:
            return None


def _address(request: Request) -> str:
    """The address of the peer of this connection."""
    assert request.client is not None
    return request.client.host.split("%")[0]
