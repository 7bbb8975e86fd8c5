"""Calls by the second for `cordboard bench setup`: a caller that knows only templates, and robots that answer at once.

`python -m cordboard.bench.setupload`: reads a line of JSON (`Load`), says `ready` when its robots are signed in, and
then for each line of JSON (`Wave`) makes calls at that rate and answers with a line of JSON (`Heard`). It parses no
more than it needs, so that one core of load is many times what the switch can do: an INVITE is sent again as Timer A
wants it, its 200 is acknowledged, and some seconds later comes BYE.

The media addresses are a network of loopback, one for each call, whose packets all end in one socket that nobody reads:
so no address is in use twice within the time in which the switch lets it rest.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import ssl
import sys
from collections.abc import Sequence
from typing import Any, Final

import attrs
import trio
import trio_websocket
from attrs import define, field, frozen

from .robot import SUBPROTOCOL, Door

HOST: Final = "127.0.0.1"
# RFC 863: where nothing is listened to
DISCARD: Final = 9
# RFC 3261 §17.1.1.2
T1: Final = 0.5
# When a wave is over, so long is waited for what is still under way, in seconds.
TAIL: Final = 4.0
LOGINS_AT_ONCE: Final = 2
LOGIN_SECONDS: Final = 60.0
RETRY: Final = re.compile(rb"\r\nRetry-After:[ \t]*[0-9]+", re.IGNORECASE)
_TO: Final = re.compile(rb"\r\nTo:[ \t]*([^\r\n]+)", re.IGNORECASE)
_CALL: Final = re.compile(rb"\r\nCall-ID:[ \t]*b([0-9]+)", re.IGNORECASE)
_CSEQ: Final = re.compile(rb"\r\nCSeq:[ \t]*[0-9]+[ \t]+([A-Z]+)", re.IGNORECASE)


@frozen
class Load:
    """Where the switch is, and the agents that answer, with their passwords."""

    sip_port: int
    web_port: int = 0
    agents: Sequence[tuple[str, str]] = ()


@frozen
class Wave:
    """So many calls a second for so long to `number`, each of `talk` seconds after its 200. It is up with its 200, or
    `by_agent`: when one has it."""

    rate: float
    seconds: float
    talk: float
    number: str
    by_agent: bool = False


@define
class Heard:
    """What became of the calls of a wave. `setup`: seconds from the INVITE to the 200, or to the agent, of each that
    came up; `refused` by code; `unsaid`: of the 503 those without Retry-After; `lost`: no final answer, or no agent."""

    made: int = 0
    setup: list[float] = field(factory=list)
    refused: dict[str, int] = field(factory=dict)
    unsaid: int = 0
    lost: int = 0
    again: int = 0


@define(eq=False)
class _Call:
    number: int
    sent: float
    invite: bytes
    answered: bool = False
    to: bytes = b""
    final: trio.Event = field(factory=trio.Event)


class Caller:
    """All calls, over one socket."""

    def __init__(self, udp: trio.socket.SocketType, load: Load, media_port: int = DISCARD) -> None:
        self._udp = udp
        self._media_port = media_port
        self._switch = (HOST, load.sip_port)
        self._ours = f"{HOST}:{udp.getsockname()[1]}"
        self._target = ""
        self._by_agent = False
        self._serial = 0
        self._calls: dict[int, _Call] = {}
        self.heard = Heard()

    async def wave(self, wave: Wave) -> Heard:
        self.heard = Heard()
        self._target, self._by_agent = f"sip:{wave.number}@{HOST}:{self._switch[1]}", wave.by_agent
        begun = trio.current_time()
        async with trio.open_nursery() as nursery:
            for number in range(round(wave.rate * wave.seconds)):
                await trio.sleep_until(begun + number / wave.rate)
                nursery.start_soon(self._call, wave.talk)
            with trio.move_on_after(wave.talk + TAIL):
                while self._calls:
                    await trio.sleep(0.05)
            nursery.cancel_scope.cancel()
        self.heard.lost += sum(not call.answered for call in self._calls.values())
        self._calls.clear()
        return self.heard

    def connected(self, number: int) -> None:
        """An agent has the call of this caller."""
        call = self._calls.get(number)
        if call is not None and not call.answered:
            call.answered = True
            self.heard.setup.append(trio.current_time() - call.sent)

    async def _call(self, talk: float) -> None:
        self._serial += 1
        number = self._serial
        call = _Call(number, trio.current_time(), self._request("INVITE", number, 1, self._sdp(number)))
        self._calls[number] = call
        self.heard.made += 1
        await self._send(call.invite)
        again = T1
        while not call.final.is_set():
            with trio.move_on_after(again):
                await call.final.wait()
            if not call.final.is_set():
                self.heard.again += 1
                again *= 2
                await self._send(call.invite)
        if call.to:
            await trio.sleep(talk)
            await self._send(self._request("BYE", number, 2, b"", call.to))

    async def listen(self) -> None:
        while True:
            data, _ = await self._udp.recvfrom(4096)
            found, cseq = _CALL.search(data), _CSEQ.search(data)
            call = self._calls.get(int(found[1])) if found else None
            if data[:8] != b"SIP/2.0 " or call is None or cseq is None:
                continue
            status = int(data[8:11])
            if cseq[1] == b"BYE":
                if call.answered:
                    self._calls.pop(call.number, None)
            elif status >= 200:
                await self._final(call, status, data)

    async def _final(self, call: _Call, status: int, data: bytes) -> None:
        found = _TO.search(data)
        assert found, "a response without To"
        await self._send(self._request("ACK", call.number, 1, b"", found[1]))
        if call.final.is_set():
            return
        call.final.set()
        if status < 300:
            call.to = found[1]
            if not self._by_agent:
                self.connected(call.number)
        else:
            code = str(status)
            self.heard.refused[code] = self.heard.refused.get(code, 0) + 1
            self.heard.unsaid += status == 503 and not RETRY.search(data)
            self._calls.pop(call.number, None)  # the wave may be over

    async def _send(self, data: bytes) -> None:
        await self._udp.sendto(data, self._switch)

    def _request(self, method: str, number: int, cseq: int, body: bytes, to: bytes = b"") -> bytes:
        branch = f"z9hG4bKb{number}{'a' if method == 'ACK' and to else ''}{cseq}"
        head = (
            f"{method} {self._target} SIP/2.0\r\nVia: SIP/2.0/UDP {self._ours};branch={branch}\r\nMax-Forwards: 70\r\n"
            f"From: <sip:{number:06}@{self._ours}>;tag=f{number}\r\nTo: "
        )
        tail = (
            f"\r\nCall-ID: b{number}\r\nCSeq: {cseq} {method}\r\nContact: <sip:{number:06}@{self._ours}>\r\n"
            f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + (to or f"<{self._target}>".encode()) + tail.encode() + body

    def _sdp(self, number: int) -> bytes:
        address = f"127.{1 + number // 65000}.{number // 250 % 250}.{1 + number % 250}"
        return (
            f"v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n"
            f"m=audio {self._media_port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        ).encode()


class Robots:
    """Agents without media, who answer at once and are ready again at once."""

    def __init__(self, door: Door, caller: Caller) -> None:
        self._door = door
        self._caller = caller
        self._context = ssl._create_unverified_context()  # a self-signed certificate on this machine
        self._logins = trio.CapacityLimiter(LOGINS_AT_ONCE)

    async def work(self, agent: str, password: str, *, task_status: trio.TaskStatus[None]) -> None:
        token = await trio.to_thread.run_sync(self._log_in, agent, password, limiter=self._logins)
        stream = await trio.open_ssl_over_tcp_stream(self._door.host, self._door.port, ssl_context=self._context)
        async with trio.open_nursery() as nursery:
            page = await trio_websocket.wrap_client_stream(
                nursery, stream, f"{self._door.host}:{self._door.port}", "/ws", subprotocols=[SUBPROTOCOL],
                extra_headers=[(b"Authorization", f"Bearer {token}".encode())],
            )  # fmt: skip
            asked = 0

            async def ask(do: str, **more: object) -> None:
                nonlocal asked
                asked += 1
                await page.send_message(json.dumps({"id": asked, "do": do, **more}))

            await ask("agent.sign_in", media="none")
            while True:
                said: dict[str, Any] = json.loads(await page.get_message())
                match said.get("event"):
                    case "agent.state" if said["state"] == "after_call_work":
                        await ask("agent.start_answering")
                    case "agent.state" if said["reason"] == "signed in":
                        task_status.started()
                    case "call.offered":
                        await ask("call.answer", call=said["call"])
                    case "call.connected":
                        self._caller.connected(int(said["number"]))

    def _log_in(self, agent: str, password: str) -> str:
        connection = http.client.HTTPSConnection(
            self._door.host, self._door.port, timeout=LOGIN_SECONDS, context=self._context
        )
        with contextlib.closing(connection):
            body = json.dumps({"agent": agent, "password": password})
            connection.request("POST", "/api/login", body, {"Content-Type": "application/json"})
            token: str = json.loads(connection.getresponse().read())["token"]
            return token


async def run() -> None:
    load = Load(**json.loads(await trio.to_thread.run_sync(sys.stdin.readline)))
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear,
        trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        ear.bind(("0.0.0.0", 0))
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        await udp.bind((HOST, 0))
        caller = Caller(udp, load, ear.getsockname()[1])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(caller.listen)
            robots = Robots(Door(HOST, load.web_port), caller)
            async with trio.open_nursery() as arriving:
                for agent, password in load.agents:
                    arriving.start_soon(nursery.start, robots.work, agent, password)
            print("ready", flush=True)
            while line := await trio.to_thread.run_sync(sys.stdin.readline):
                heard = await caller.wave(Wave(**json.loads(line)))
                print(json.dumps(attrs.asdict(heard)), flush=True)
            nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(run)
