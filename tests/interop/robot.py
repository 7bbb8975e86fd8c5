"""An agent's page without a page: a websocket and what is said on it. Synchronous, and read only while asked."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import msgpack
import wsproto
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)

from .product import Product

JSON, MSGPACK = "cordboard.v1.json", "cordboard.v1.msgpack"
Message = dict[str, Any]
# A page may ask 50 times a second; beyond that it is told `busy`.
MAX_RATE = 45


class RejectedError(Exception):
    """The upgrade was refused."""

    def __init__(self, status: int) -> None:
        super().__init__(f"refused with {status}")
        self.status = status


class Robot:
    """One websocket of one agent. `events` are those that no test has taken yet, each with `at`, when it was read."""

    def __init__(
        self,
        product: Product,
        agent: str = "",
        *,
        token: str | None = None,
        subprotocol: str = JSON,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Raises RejectedError."""
        if token is None:
            token = product.log_in(agent) if agent else ""
        self.token = token
        self.agent = agent
        self.events: list[Message] = []
        self.close_code = 0
        self._replies: dict[int | None, Message] = {}
        self._next = 0
        self._sent: list[float] = []
        self._binary = subprotocol == MSGPACK
        context = ssl._create_unverified_context()
        plain = socket.create_connection(("127.0.0.1", product.web_port), timeout=10)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = context.wrap_socket(plain)
        self._wire = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
        sent = dict(headers or {})
        if token:
            sent.setdefault("Authorization", f"Bearer {token}")
        host = sent.pop("Host", f"127.0.0.1:{product.web_port}")
        extra = [(name.encode(), value.encode()) for name, value in sent.items()]
        names = [subprotocol] if subprotocol else []
        request = Request(host=host, target="/ws", subprotocols=names, extra_headers=extra)
        self._socket.sendall(self._wire.send(request))
        self._accepted = False
        self._parts: list[str | bytes] = []
        deadline = time.monotonic() + 10
        try:
            while not self._accepted:
                self._read(deadline)
        except BaseException:
            self._socket.close()
            raise

    # --- requests -----------------------------------------------------------------------------------------------

    def send(self, do: str, **fields: object) -> int:
        """The id of the request."""
        self._next += 1
        self._keep_below_the_limit()
        self.send_raw({"id": self._next, "do": do, **fields})
        return self._next

    def _keep_below_the_limit(self) -> None:
        now = time.monotonic()
        self._sent = [at for at in self._sent if at > now - 1]
        if len(self._sent) >= MAX_RATE:
            time.sleep(self._sent[0] + 1 - now)
        self._sent.append(time.monotonic())

    def send_raw(self, message: object) -> None:
        """Any message; text and bytes go as they are."""
        if isinstance(message, str):
            frame: TextMessage | BytesMessage = TextMessage(message)
        elif isinstance(message, bytes):
            frame = BytesMessage(message)
        elif self._binary:
            frame = BytesMessage(msgpack.packb(message))
        else:
            frame = TextMessage(json.dumps(message))
        self._socket.sendall(self._wire.send(frame))

    def reply(self, number: int | None, seconds: float = 10.0) -> Message:
        deadline = time.monotonic() + seconds
        while number not in self._replies:
            self._read(deadline)
        return self._replies.pop(number)

    def ask(self, do: str, **fields: object) -> Message:
        return self.reply(self.send(do, **fields))

    def do(self, do: str, **fields: object) -> Message:
        """A command that must be accepted."""
        reply = self.ask(do, **fields)
        assert reply.get("ok") is True, reply
        return reply

    def refusal(self, do: str, **fields: object) -> str:
        """The code of the refusal that it must get."""
        reply = self.ask(do, **fields)
        assert "error" in reply, reply
        assert reply["error"]["text"], reply
        code: str = reply["error"]["code"]
        return code

    # --- events -------------------------------------------------------------------------------------------------

    def event(self, name: str, seconds: float = 10.0, **fields: object) -> Message:
        """The next event of that name with those fields; it is taken, and those before it stay."""
        deadline = time.monotonic() + seconds
        while True:
            for index, event in enumerate(self.events):
                if event["event"] == name and all(event.get(key) == value for key, value in fields.items()):
                    return self.events.pop(index)
            self._read(deadline, f"{name} {fields or ''}")

    def state(self, state: str, seconds: float = 10.0, **fields: object) -> Message:
        return self.event("agent.state", seconds, state=state, **fields)

    def look(self, seconds: float = 0.05) -> list[Message]:
        """Reads what comes in that time; gives all events not taken."""
        with contextlib.suppress(TimeoutError):
            deadline = time.monotonic() + seconds
            while True:
                self._read(deadline)
        return self.events

    def closed(self, seconds: float = 10.0) -> int:
        """The close code, when the switch closes."""
        deadline = time.monotonic() + seconds
        with contextlib.suppress(ConnectionError):
            while not self.close_code:
                self._read(deadline)
        return self.close_code

    @contextlib.contextmanager
    def stays(self) -> Iterator[None]:
        """Goes on reading, and answers pings, while nobody asks it anything: a page that is not heard of for half a
        minute is given up, and to listen three times, and to wait for a machine that has time for it, takes longer."""
        over = threading.Event()

        def read() -> None:
            with contextlib.suppress(OSError):  # whoever asks it next is told so
                while not over.is_set():
                    self.look(0.2)

        reader = threading.Thread(target=read, name="robot")
        reader.start()
        try:
            yield
        finally:
            over.set()
            reader.join()

    # --- stories ------------------------------------------------------------------------------------------------

    def sign_in(self, **fields: object) -> Robot:
        self.do("agent.sign_in", media="none", **fields)
        if not any(event["event"] == "agent.state" for event in self.events):
            self.look(0)
        return self

    def close(self) -> None:
        """Signs out where it can, so that the next test meets nobody."""
        with contextlib.suppress(OSError, TimeoutError, AssertionError, wsproto.utilities.ProtocolError):
            snapshot = self.ask("snapshot")
            if snapshot["owner"] == "this":
                if snapshot["state"] == "talking":
                    self.ask("call.hang_up")
                    self.state("after_call_work")
                self.ask("agent.sign_out")
            self._socket.sendall(self._wire.send(CloseConnection(1000)))
        self._socket.close()

    def vanish(self) -> None:
        """As a computer that lost its power: nothing is said."""
        self._socket.close()

    def __enter__(self) -> Robot:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- the wire -----------------------------------------------------------------------------------------------

    def _read(self, deadline: float, what: str = "anything") -> None:
        """Waits for bytes. Raises TimeoutError when the time is over, ConnectionError when the socket is."""
        left = deadline - time.monotonic()
        if left <= 0 and not self._socket.pending():
            raise TimeoutError(f"{what} did not come; there is {self.events}")
        self._socket.settimeout(max(left, 0.001))
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            raise TimeoutError(f"{what} did not come; there is {self.events}") from None
        if not data:
            raise ConnectionResetError("the switch closed the connection")
        self._wire.receive_data(data)
        for event in self._wire.events():
            match event:
                case AcceptConnection():
                    self._accepted = True
                case RejectConnection(status_code=status):
                    raise RejectedError(status)
                case Ping():
                    self._socket.sendall(self._wire.send(event.response()))
                case TextMessage(data=part) | BytesMessage(data=part):
                    self._parts.append(bytes(part) if not isinstance(part, str) else part)
                    if event.message_finished:
                        parts, self._parts = self._parts, []
                        self._take(parts)
                case CloseConnection(code=code):
                    self.close_code = int(code)
                    raise ConnectionResetError(f"closed with {code}")

    def _take(self, parts: list[str | bytes]) -> None:
        whole: Any = parts[0][:0].join(parts)  # type: ignore[arg-type]
        message: Message = json.loads(whole) if isinstance(whole, str) else msgpack.unpackb(whole)
        if "event" in message:
            self.events.append({**message, "at": time.time()})
        else:
            self._replies[message["id"]] = message
