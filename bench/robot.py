"""An agent who is no person: it signs in like a page, answers, talks, hangs up and reloads, as its `Mind` decides.

A shell: login, websocket, and the `Line` of a robot that has media. A reload drops both, half the time without a word
to the switch, and comes back as a page does: a new websocket, a new offer, the old seat taken over.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import ssl
from collections import Counter
from collections.abc import Sequence
from typing import Any

import trio
import trio_websocket
from attrs import define, field, frozen
from trio_websocket import ConnectionClosed, WebSocketConnection
from wsproto.utilities import LocalProtocolError

from .line import Line
from .mind import PATIENCE, RELOAD, Mind, Range

SUBPROTOCOL = "cordboard.v1.json"
BACK_AFTER: Range = (0.2, 4.0)
# Of reloads, those of which the switch is not told: a crash, a cable, a battery.
SILENT_RELOADS = 0.5
# A conversation of this many seconds is long enough to hear the customer in it: the first sentence begins at once.
HEARING_SECONDS = 3.0
# Replies that tell only of events that crossed: the caller left, the ring was over, another agent was quicker.
CROSSINGS = frozenset(
    {
        "answered_elsewhere",
        "caller_left",
        "in_call",
        "no_answer",
        "no_call",
        "not_in_after_call_work",
        "not_ringing",
        "not_signed_in",
        "ringing",
    }
)

Message = dict[str, Any]


@define
class Tally:
    """What all robots did and met. `did` by command or outcome; `refused` by code, where no crossing explains it."""

    did: Counter[str] = field(factory=Counter)
    crossed: Counter[str] = field(factory=Counter)
    refused: Counter[str] = field(factory=Counter)


@frozen
class Door:
    """Where the switch serves pages."""

    host: str
    port: int


class Robot:
    """One agent. `codecs` are those of its voice, the one it wants first; none: it says `media: "none"`."""

    def __init__(
        self, door: Door, agent: str, password: str, codecs: Sequence[str], mind: Mind, rng: random.Random, tally: Tally
    ) -> None:
        self.agent = agent
        self._door = door
        self._password = password
        self._codecs = codecs
        self._mind = mind
        self._rng = rng
        self._tally = tally
        self._context = ssl._create_unverified_context()  # a self-signed certificate on this machine
        self._next = 0
        self._home = trio.Event()
        self._waiting = trio.CancelScope()
        self._line: Line | None = None
        self._talking_since: float | None = None

    def go_home(self) -> None:
        """It ends what it does and signs out; `run` returns then."""
        self._mind.go_home(trio.current_time())
        self._home.set()
        self._waiting.cancel()

    async def run(self) -> None:
        """Works until `go_home`. Raises OSError where the switch is not there."""
        token = await trio.to_thread.run_sync(self._log_in)
        while not await self._shift(token):
            with trio.move_on_after(self._rng.uniform(*BACK_AFTER)):
                await self._home.wait()

    def _log_in(self) -> str:
        connection = http.client.HTTPSConnection(
            self._door.host, self._door.port, timeout=PATIENCE, context=self._context
        )
        with contextlib.closing(connection):
            body = json.dumps({"agent": self.agent, "password": self._password})
            connection.request("POST", "/api/login", body, {"Content-Type": "application/json"})
            token: str = json.loads(connection.getresponse().read())["token"]
            return token

    # --- one websocket ------------------------------------------------------------------------------------------

    async def _shift(self, token: str) -> bool:
        """From connecting to a reload, or until it has gone home: then True."""
        host, port = self._door.host, self._door.port
        stream = await trio.open_ssl_over_tcp_stream(host, port, ssl_context=self._context)
        silently = self._rng.random() < SILENT_RELOADS
        self._mind.forget()
        home = False
        try:
            async with trio.open_nursery() as nursery:
                headers = [(b"Authorization", f"Bearer {token}".encode())]
                page = await trio_websocket.wrap_client_stream(
                    nursery, stream, f"{host}:{port}", "/ws", subprotocols=[SUBPROTOCOL], extra_headers=headers
                )
                try:
                    await self._sit(page, nursery)
                    home = await self._work(page, nursery)
                except ConnectionClosed as closed:
                    self._tally.refused[f"closed: {closed.reason.name if closed.reason else 'without a word'}"] += 1
                finally:
                    self._leave_line(silently=silently)
                if home or not silently:
                    await page.aclose()
                await trio.aclose_forcefully(stream)
                nursery.cancel_scope.cancel()
        except* LocalProtocolError:
            pass  # trio-websocket answers a ping that crosses our own close
        return home

    async def _sit(self, page: WebSocketConnection, nursery: trio.Nursery) -> None:
        """Signs in, whoever sat there; the line of before is over."""
        self._leave_line(silently=False)
        if not self._codecs:
            await self._ask(page, "agent.sign_in", media="none", take_over=True)
        else:
            line = Line(self._codecs)
            reply = await self._ask(page, "agent.sign_in", sdp=line.browser.offer(), take_over=True)
            if "sdp" in reply:
                line.accept(reply["sdp"])
                self._line = line
                nursery.start_soon(line.run)
            else:
                line.close(silently=True)
        self._tally.did["agent.sign_in"] += 1
        snapshot = await self._ask(page, "snapshot")
        self._stand(snapshot["state"])

    def _leave_line(self, *, silently: bool) -> None:
        if self._line is not None:
            self._line.close(silently=silently)
            self._line = None
            self._talking_since = None

    async def _work(self, page: WebSocketConnection, nursery: trio.Nursery) -> bool:
        while not (self._mind.leaving and self._mind.state == "signed_out"):
            message: Message | None = None
            with trio.CancelScope(deadline=self._mind.deadline()) as self._waiting:
                message = json.loads(await page.get_message())
            if message is not None:
                self._take(message)
            elif self._mind.deadline() <= trio.current_time():
                act = self._mind.act(trio.current_time())
                self._tally.did[act] += 1
                if act == RELOAD:
                    return False
                await self._do(page, nursery, act)
        return True

    async def _do(self, page: WebSocketConnection, nursery: trio.Nursery, act: str) -> None:
        match act:
            case "agent.sign_in":
                await self._sit(page, nursery)
            case "idle" | "break":
                await self._send(page, "agent.state", state=act)
            case _:
                await self._send(page, act)

    # --- messages -----------------------------------------------------------------------------------------------

    async def _send(self, page: WebSocketConnection, do: str, **fields: object) -> int:
        self._next += 1
        await page.send_message(json.dumps({"id": self._next, "do": do, **fields}))
        return self._next

    async def _ask(self, page: WebSocketConnection, do: str, **fields: object) -> Message:
        """The reply; what comes before it is taken."""
        number = await self._send(page, do, **fields)
        with trio.fail_after(PATIENCE):
            while True:
                message: Message = json.loads(await page.get_message())
                if message.get("id") != number:
                    self._take(message)
                    continue
                self._count(message)
                return message

    def _take(self, message: Message) -> None:
        match message.get("event"):
            case None:
                self._count(message)
            case "agent.state":
                self._stand(message["state"])
            case "call.connected":
                self._tally.did["talks"] += 1
            case "media.failed" | "agent.taken_over" as event:
                self._tally.refused[event] += 1
            case _:
                pass

    def _count(self, reply: Message) -> None:
        if "error" in reply:
            code = reply["error"]["code"]
            (self._tally.crossed if code in CROSSINGS else self._tally.refused)[code] += 1

    def _stand(self, state: str) -> None:
        """The agent's state, new or heard again."""
        self._mind.hear(state, trio.current_time())
        if state == "talking":
            if self._line is not None and self._talking_since is None:
                self._talking_since = trio.current_time()
                self._line.speak()
        elif self._talking_since is not None and self._line is not None:
            if trio.current_time() - self._talking_since >= HEARING_SECONDS:
                self._tally.did["heard" if self._line.sounding else "deaf"] += 1
            self._talking_since = None
            self._line.hush()
