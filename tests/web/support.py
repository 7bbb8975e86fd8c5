"""A real server on 127.0.0.1 with small real things around it, and raw clients that say whatever a test wants."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import h11
import trio
import trio.testing
from attrs import define, field, frozen
from cordboard.actors import page
from cordboard.actors.effects import Push, Reply
from cordboard.actors.othersystems import OtherSystems
from cordboard.actors.store import History, Papers, Store, StoreError
from cordboard.actors.webhooks import Webhooks
from cordboard.web import certificate
from cordboard.web.asgi import Timeouts
from cordboard.web.hub import Hub
from cordboard.web.interfaces import Desk, WebSettings
from cordboard.web.metrics import WebMetrics
from cordboard.web.server import Limits, serve
from prometheus_client import CollectorRegistry
from sqlalchemy import create_engine
from trio_websocket import WebSocketConnection
from trio_websocket._impl import wrap_client_stream

JSON = "cordboard.v1.json"
MSGPACK = "cordboard.v1.msgpack"


@frozen
class Entry:
    """A login of `Book`."""

    agent: str
    name: str
    role: str
    token: str


@define
class Book:
    """Accounts in a dict. A password of "crash" is a bug in the store; while it is `full`, it can tell nothing."""

    passwords: dict[str, str] = field(factory=lambda: {"1001": "sesame", "1002": "open"})
    roles: dict[str, str] = field(factory=dict)  # agent where nothing else is said
    logins: dict[str, Entry] = field(factory=dict)
    asked: int = 0
    full: bool = False

    async def log_in(self, agent: str, password: str) -> Entry | None:
        await trio.lowlevel.checkpoint()
        self.asked += 1
        self._read()
        if password == "crash":
            raise RuntimeError("the store is broken")
        if self.passwords.get(agent) != password:
            return None
        entry = Entry(agent, f"Agent {agent}", self.roles.get(agent, "agent"), f"token-{agent}-{len(self.logins)}")
        self.logins[entry.token] = entry
        return entry

    async def who(self, token: str) -> Entry | None:
        await trio.lowlevel.checkpoint()
        self._read()
        return self.logins.get(token)

    async def log_out(self, token: str) -> None:
        await trio.lowlevel.checkpoint()
        self._read()
        self.logins.pop(token, None)

    def _read(self) -> None:
        if self.full:
            raise StoreError("data/cordboard.db: database or disk is full")


@define
class EchoDesk:
    """Agents that accept everything at once, except as the tests set them."""

    hub: Hub
    heard: list[object] = field(factory=list)
    full: bool = False
    silent: bool = False
    answer: Callable[[page.Request], page.Accepted | page.Refused | page.Snapshot] = lambda request: page.Accepted()
    attached: trio.Event = field(factory=trio.Event)
    detached: trio.Event = field(factory=trio.Event)

    def tell(self, agent_id: str, message: object) -> bool:
        if self.full:
            return False
        self.heard.append(message)
        match message:
            case page.Attached():
                self.attached.set()
            case page.Detached():
                self.detached.set()
            case page.Request() if not self.silent:
                self.hub.reply(Reply(message.session, message.id, self.answer(message)))
        return True

    @property
    def session(self) -> str:
        """The session that attached last."""
        return [message.session for message in self.heard if isinstance(message, page.Attached)][-1]

    def push(self, rev: int, event: page.Event) -> None:
        self.hub.push(Push(self.session, rev, event))


@define
class Door:
    """A running server, and ways in."""

    port: int
    book: Book
    streams: list[trio.SocketStream] = field(factory=list, kw_only=True)

    async def tcp(self) -> trio.SocketStream:
        stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        self.streams.append(stream)
        return stream

    async def tls(self) -> trio.SSLStream[trio.SocketStream]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        stream = trio.SSLStream(await self.tcp(), context, server_hostname="localhost", https_compatible=True)
        await stream.do_handshake()
        return stream

    async def http(self) -> Client:
        return Client(await self.tls(), f"localhost:{self.port}")

    async def token(self, agent: str = "1001") -> str:
        """A login of `agent`, without a request."""
        entry = await self.book.log_in(agent, self.book.passwords[agent])
        assert entry is not None
        return entry.token

    @asynccontextmanager
    async def page(self, subprotocol: str = JSON, agent: str = "1001") -> AsyncIterator[WebSocketConnection]:
        """A logged-in page's websocket."""
        token = await self.token(agent)
        async with trio.open_nursery() as nursery:
            stream = await self.tls()
            connection = await wrap_client_stream(
                nursery,
                stream,
                f"localhost:{self.port}",
                "/ws",
                subprotocols=[subprotocol],
                extra_headers=[(b"cookie", b"cordboard=" + token.encode())],
            )
            async with connection:
                yield connection
            nursery.cancel_scope.cancel()


@define
class House(Door):
    """... with agents that accept everything."""

    hub: Hub
    desk: EchoDesk
    demo_calls: list[int]
    facts: dict[str, object]

    def count(self, name: str, **labels: str) -> float:
        """A metric's value now."""
        return count(self.hub, name, **labels)


def count(hub: Hub, name: str, **labels: str) -> float:
    return hub.metrics.registry.get_sample_value(f"cordboard_web_{name}", labels) or 0.0


@frozen
class Response:
    """What a server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        parsed = json.loads(self.body)
        assert isinstance(parsed, dict)
        return parsed

    @property
    def code(self) -> object:
        error = self.json["error"]
        assert isinstance(error, dict)
        return error["code"]


class Client:
    """HTTP/1.1 on one stream."""

    def __init__(self, stream: trio.abc.Stream, host: str) -> None:
        self.stream = stream
        self._host = host
        self._h11 = h11.Connection(h11.CLIENT)

    async def ask(
        self, method: str, target: str, body: bytes = b"", headers: list[tuple[str, str]] | None = None
    ) -> Response:
        if self._h11.our_state is h11.DONE:
            self._h11.start_next_cycle()
        lines = [("Host", self._host), *(headers or [])]
        if body:
            lines.append(("Content-Length", str(len(body))))
        request = h11.Request(method=method, target=target, headers=lines)
        sent = self._h11.send(request)
        assert sent is not None
        if body:
            sent += self._h11.send(h11.Data(data=body)) or b""
        sent += self._h11.send(h11.EndOfMessage()) or b""
        await self.stream.send_all(sent)
        return await self.response()

    async def login(self, agent: str, password: str, headers: list[tuple[str, str]] | None = None) -> Response:
        return await self.ask(
            "POST", "/api/login", json.dumps({"agent": agent, "password": password}).encode(), headers
        )

    async def response(self) -> Response:
        head: h11.Response | None = None
        body = b""
        while True:
            event = self._h11.next_event()
            if event is h11.NEED_DATA:
                self._h11.receive_data(bytes(await self.stream.receive_some(65536)))
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                assert head is not None
                return Response(head.status_code, {k.decode(): v.decode() for k, v in head.headers}, body)
            elif isinstance(event, h11.ConnectionClosed):
                raise EOFError


@asynccontextmanager
async def house(
    data_dir: Path,
    *,
    demo: bool = False,
    origins: tuple[str, ...] = (),
    timeouts: Timeouts | None = None,
    limits: Limits | None = None,
    static: Path | None = None,
    crashes: int = 0,
    history: History | None = None,
    papers: Papers | None = None,
    systems: OtherSystems | None = None,
    listen: str = "127.0.0.1:0",
) -> AsyncIterator[House]:
    """A server until the block ends; so many of its connections may have ended by a failure of its own."""
    hub = Hub(WebMetrics(CollectorRegistry()))
    desk, book = EchoDesk(hub), Book()
    calls: list[int] = []
    facts: dict[str, object] = {"ready": True}
    async with server(
        data_dir,
        hub,
        desk,
        book,
        facts=facts,
        demo_call=(lambda: calls.append(1)) if demo else None,
        origins=origins,
        timeouts=timeouts,
        limits=limits,
        static=static,
        history=history,
        papers=papers,
        systems=systems,
        listen=listen,
    ) as port:
        opened = House(port, book, hub, desk, calls, facts)
        async with closing(opened, hub, crashes):
            yield opened


@asynccontextmanager
async def closing(door: Door, hub: Hub, crashes: int = 0) -> AsyncIterator[None]:
    """Its clients' streams are closed at the end, when so many connections have ended by a failure of the server."""
    try:
        yield
        await trio.testing.wait_all_tasks_blocked()
        assert count(hub, "crashes_total") == crashes
    finally:
        for stream in door.streams:
            await trio.aclose_forcefully(stream)


@asynccontextmanager
async def server(
    data_dir: Path,
    hub: Hub,
    desk: Desk,
    book: Book,
    *,
    facts: Mapping[str, object] | None = None,
    demo_call: Callable[[], None] | None = None,
    origins: tuple[str, ...] = (),
    timeouts: Timeouts | None = None,
    limits: Limits | None = None,
    static: Path | None = None,
    history: History | None = None,
    papers: Papers | None = None,
    systems: OtherSystems | None = None,
    listen: str = "127.0.0.1:0",
) -> AsyncIterator[int]:
    """It serves until the block ends; its port."""
    settings = WebSettings(listen=(listen,), data_dir=data_dir, origins=origins, recordings=data_dir / "recordings")
    ready = {"ready": True} if facts is None else facts
    async with trio.open_nursery() as nursery:

        async def reach(peer: str) -> dict[str, object] | None:
            return {"ice_ufrag": "abcd", "ice_pwd": "x" * 24, "points": [], "peer": peer} if ready["ready"] else None

        async def run(task_status: trio.TaskStatus[tuple[tuple[str, int], ...]]) -> None:
            await serve(
                settings,
                hub,
                desk,
                book,
                lambda: (ready["ready"] is True, {"calls": 0}),
                history or no_history(),
                papers or no_papers(),
                systems or no_systems(),
                reach,
                demo_call,
                static=static or data_dir,
                timeouts=timeouts or Timeouts(),
                limits=limits or Limits(),
                task_status=task_status,
            )

        bound = await nursery.start(run)
        yield bound[0][1]
        nursery.cancel_scope.cancel()


def no_history() -> History:
    """That of an empty file in memory, which cannot tell anything."""
    return Store(create_engine("sqlite://"), time.time).history


def no_papers() -> Papers:
    """Those of an empty file in memory, which cannot be read."""
    return Store(create_engine("sqlite://"), time.time).papers


def no_systems() -> OtherSystems:
    """Those of an empty file in memory, of which nobody can tell anything."""
    outbox = Store(create_engine("sqlite://"), time.time).outbox
    return OtherSystems(outbox, Webhooks(outbox, Unheard(), time.time))


class Unheard:
    """Alarms that nobody sees."""

    def alarm(self, text: str) -> None: ...

    def clear_alarm(self, text: str) -> None: ...


def trusted(directory: Path) -> None:
    """Makes the certificate now, so that no test pays for it."""
    certificate.ensure(directory / "tls", (), datetime.now(UTC))
