"""A switch that does what a test tells it, for the page alone: the real protocol over http and one websocket per page.

It keeps one agent the way the protocol describes it and pushes what the test says happened. Pages come to it through
the door (`door.py`), which has the files and the far end of the media.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from tests.page.door import Door
from tests.page.kept import Answer, Kept
from tests.page.papers import Papers
from tests.page.party import COMMANDS, Parties

RING_S = 30.0
COOKIE = "session=lin"

Message = dict[str, Any]


class Switch:
    """One agent named Lin, password "right". Methods without underscore may be called from the test's thread."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.demo = False
        self.language = "en"
        self.accept = "key-1"
        self.role = "agent"
        self.time_zone = "UTC"
        self.kept = Kept()  # what has happened, as HTTP gives it
        self.papers = Papers()
        self.colleagues: list[Message] = []
        self.retry_after = 0  # seconds; log-ins are refused with 429 while it is not 0
        self.down = False  # websockets are refused
        self.keep_the_seat = False  # a websocket that went is not noticed
        self.refuse: dict[str, str] = {}  # command -> code of the error it gets
        self.hold: set[str] = set()  # commands that get no reply
        self.asked: list[Message] = []  # every request heard, with `at`, but for those to watch a call's paper
        self.watched: list[str] = []  # calls
        self.agent, self.name = "1001", "Lin"  # who is logged in
        self.state, self.reason, self.since = "signed_out", "", time.time()
        self.offered: Message | None = None
        self.connected: Message | None = None
        self.parties: Parties | None = None
        self.all_queues = [{"queue": "support", "name": "Support"}, {"queue": "bookings", "name": "Bookings"}]
        self.dialling: Message | None = None
        self.before_dialling = "idle"
        self.media = "none"
        self.leg = ""
        self.away_until: float | None = None
        self.trouble: Message | None = None  # as of `call.sound`
        self.testing_until: float | None = None
        self.last: Message | None = None
        self.work_seconds = 0.0  # of after-call work; 0: until the agent is done
        self.from_break = False  # ... whose call began on break
        self.by_mobile = False
        self.mobile = ""  # the number that is known of the agent
        self.queues: list[Message] = []
        self.numbers: list[str] = []
        self._owner: WebSocketConnection | None = None
        self._owned = False
        self._rev = self._legs = 0
        self._pages: list[WebSocketConnection] = []

    # --- for tests ----------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return self.door.url

    def push(self, event: str, **fields: object) -> None:
        self._run(partial(self._push, event, **fields))

    def move(self, state: str, reason: str = "") -> None:
        self._run(partial(self._move, state, reason))

    def offer(
        self,
        number: str = "+8613800138000",
        name: str = "",
        call: str = "c1",
        waited: float = 17,
        **more: object,
    ) -> None:
        """`more`: who asks, and for what (`purpose`, `by`, `by_name`, `why`), and who sent the call on."""
        now = time.time()
        offer = {
            "call": call,
            "queue": "support",
            "queue_name": "Support",
            "number": number,
            "name": name,
            "dialled": "+861055501000",
            "waiting_since": now - waited,
            "offered_at": now,
            "ring_until": now + RING_S,
            "diverted_from": "",
            "purpose": "queue",
            **more,
        }

        async def ring() -> None:
            self.offered = offer
            await self._move("ringing", "offered")
            await self._push("call.offered", **offer)

        self._run(ring)

    def press_1(self) -> None:
        """Whoever has the mobile takes the call."""
        self._run(self._take)

    def withdraw(self, reason: str, then: str = "idle", why: str = "") -> None:
        async def gone() -> None:
            await self._withdraw(reason)
            await self._move(then, why or reason)

        self._run(gone)

    def progress(self, *, rings: bool = False, early: bool = False) -> None:
        """The call that the agent dials goes on."""
        self._run(partial(self._progress, rings=rings, early=early))

    def fail(self, why: str, status: int = 0) -> None:
        self._run(partial(self._fail, why, status))

    def pick_up(self) -> None:
        self._run(self._pick_up)

    def second_answers(self, *, early: bool = False) -> None:
        assert self.parties is not None
        self.parties.answered(early=early)
        self.push("call.parties", **self.parties.told)

    def second_leaves(self, why: str, status: int = 0) -> None:
        """The one who was asked into the call is not in it any more, by itself."""
        assert self.parties is not None
        over = self.parties.over(why, status)
        self.push("call.second_over", **over)
        self.push("call.parties", **self.parties.told)

    def become_the_agent(self) -> None:
        """The agent who was asked into the call has it from now on."""
        assert self.parties is not None
        self.parties = Parties(self.parties.call)
        self.push("call.parties", **self.parties.told)

    def end(self, by: str = "caller", cause: str = "caller hung up") -> None:
        self._run(partial(self._end, by, cause))

    def set_numbers(self, *numbers: str) -> None:
        """Those that calls may show."""
        self.numbers = list(numbers)
        self.push("agent.numbers", numbers=self.numbers)

    def set_queues(self, *rows: tuple[str, int, float | None, int]) -> None:
        for name, waiting, oldest, idle in rows:
            since = None if oldest is None else time.time() - oldest
            row = {
                "queue": name,
                "name": name,
                "waiting": waiting,
                "oldest_since": since,
                "agents_idle": idle,
                "message_at": None,
            }
            self.queues = [*(one for one in self.queues if one["queue"] != name), row]
            self.push("queue.status", **row)

    def take_over(self) -> None:
        """Another page of this agent takes the media."""

        async def taken() -> None:
            self._owner, self._owned = None, True
            await self._push("agent.taken_over")

        self._run(taken)

    def be_signed_in_elsewhere(self) -> None:
        self._owned, self.state, self.since, self.leg = True, "idle", time.time(), "elsewhere"

    def go_away(self, seconds: float = 20.0) -> None:
        """The caller no longer hears the agent."""
        self.away_until = time.time() + seconds
        assert self.connected is not None
        self.push("call.away", call=self.connected["call"], until=self.away_until)

    def come_back(self) -> None:
        self.away_until = None
        assert self.connected is not None
        self.push("call.back", call=self.connected["call"])

    def sound(self, **told: object) -> None:
        """What does not get through in the call; nothing said: all does."""
        assert self.connected is not None
        well = {"caller_heard": True, "caller_hears": True, "agent_hears": True, "caller_silent_since": None}
        sound = {"call": self.connected["call"], **well, **told}
        self.trouble = sound if told else None
        self.push("call.sound", **sound)

    def leave_the_seat(self) -> None:
        """The page that carried the audio is gone; nobody has taken its place."""
        self._owner, self._owned = None, False
        self.push("agent.seat", taken=False)

    def cut(self) -> None:
        """Every websocket breaks and no new one is let in until `down` is false."""
        self.down = True

        async def close() -> None:
            for page in list(self._pages):
                with trio.move_on_after(1):
                    await page.aclose(1011)

        self._run(close)

    def stand(self, *colleagues: Message, gone: tuple[str, ...] = ()) -> None:
        """Colleagues stand so from now on."""
        names = {one["agent"] for one in colleagues} | set(gone)
        self.colleagues = [*(one for one in self.colleagues if one["agent"] not in names), *colleagues]
        self.push("colleagues", begins=False, changed=list(colleagues), gone=list(gone))

    # --- the agent ----------------------------------------------------------------------------------------------

    async def _push(self, event: str, **fields: object) -> None:
        self._rev += 1
        for page in list(self._pages):
            await self._send(page, {"event": event, "rev": self._rev, **fields})

    async def _send(self, page: WebSocketConnection, message: Message) -> None:
        try:
            await page.send_message(json.dumps(message))
        except ConnectionClosed:
            return

    async def _move(self, state: str, reason: str = "") -> None:
        self.state, self.reason, self.since = state, reason, time.time()
        self.by_mobile = self.by_mobile and state not in ("idle", "break", "signed_out")
        if state == "signed_out" or self.by_mobile:
            self._owner, self._owned, self.media, self.leg = None, False, "none", ""
        await self._push("agent.state", state=state, reason=reason, since=self.since, **self._work)

    @property
    def _work(self) -> Message:
        working = self.state == "after_call_work"
        until = self.since + self.work_seconds if working and self.work_seconds else None
        return {"until": until, "from_break": working and self.from_break, "by_mobile": self.by_mobile}

    async def _take(self) -> None:
        offer, self.offered = self.offered, None
        assert offer is not None
        rings_only = ("waiting_since", "offered_at", "ring_until", "why", "status")
        known = {key: value for key, value in offer.items() if key not in rings_only}
        self.connected = known | {"since": time.time(), "muted": False}
        await self._connect()

    async def _withdraw(self, reason: str) -> None:
        offer, self.offered = self.offered, None
        assert offer is not None
        await self._push("call.withdrawn", call=offer["call"], reason=reason)

    async def _progress(self, *, rings: bool = False, early: bool = False) -> None:
        assert self.dialling is not None
        self.dialling = {**self.dialling, "rings": rings, "early": early}
        await self._push("call.dialling", **self.dialling)

    async def _fail(self, why: str, status: int) -> None:
        dial, self.dialling = self.dialling, None
        assert dial is not None
        await self._push("call.failed", call=dial["call"], number=dial["number"], why=why, text=why, status=status)
        await self._move(self.before_dialling, "signed in")

    async def _pick_up(self) -> None:
        dial, self.dialling = self.dialling, None
        assert dial is not None
        about = {"queue": "", "queue_name": "", "name": "", "number": dial["number"], "dialled": dial["number"]}
        self.connected = {"call": dial["call"], **about, "since": time.time(), "muted": False, "direction": "outbound"}
        await self._connect()

    async def _connect(self) -> None:
        """The call `connected` is talked in from now on."""
        assert self.connected is not None
        asked = self.connected.get("purpose") in ("consult", "three_way")
        by, name = (str(self.connected.get(key, "")) if asked else "" for key in ("by", "by_name"))
        self.parties = Parties(self.connected["call"], "second" if asked else "agent", by, name)
        await self._move("talking", "answered")
        await self._push("call.connected", **self.connected)
        await self._push("call.parties", **self.parties.told)

    async def _control(self, request: Message) -> Message:
        """A command about the parties of the call."""
        if self.parties is None:
            return {"error": {"code": "no_call", "text": "There is no such call here."}}
        names = {one["agent"]: one["name"] for one in self.colleagues}
        if code := self.parties.act(request, names):
            return {"error": {"code": code, "text": code}}
        if request["do"] in ("call.complete", "call.transfer"):
            await self._end("agent", "transferred")
        else:
            await self._push("call.parties", **self.parties.told)
        return {}

    async def _end(self, by: str, cause: str) -> None:
        call, self.connected = self.connected, None
        assert call is not None
        self.away_until = self.trouble = self.parties = None
        self.last = {**call, "ended": time.time(), "by": by, "cause": cause}
        await self._push("call.ended", call=call["call"], by=by, cause=cause)
        await self._move("after_call_work", "call ended")

    def _snapshot(self, page: WebSocketConnection) -> Message:
        return {
            "rev": self._rev,
            "agent": self.agent,
            "name": self.name,
            "state": self.state,
            "reason": self.reason,
            "since": self.since,
            **self._work,
            "mobile": self.mobile,
            "owner": "this" if self._owner is page else "other" if self._owned else "none",
            "media": self.media,
            "offered": self.offered,
            "connected": self.connected,
            "parties": None if self.parties is None else self.parties.told,
            "dialling": self.dialling,
            "leg": self.leg,
            "away_until": self.away_until,
            "sound": self.trouble,
            "testing_until": self.testing_until,
            "last": self.last if self.state == "after_call_work" else None,
            "queues": self.queues,
            "transfer_queues": self.all_queues,
            "numbers": self.numbers,
            "now": time.time(),
        }

    async def _do(self, page: WebSocketConnection, request: Message) -> Message:
        do = request["do"]
        if do in self.refuse:
            return {"error": {"code": self.refuse[do], "text": f"Refused: {self.refuse[do]}"}}
        match do:
            case "snapshot":
                return self._snapshot(page)
            case "agent.sign_in" | "agent.media":
                if do == "agent.sign_in" and self._owned and self._owner is not page and not request.get("take_over"):
                    return {"error": {"code": "signed_in_elsewhere", "text": "Signed in on another page."}}
                if request.get("leg"):  # the far page makes a connection for each offer
                    return {"error": {"code": "media_lost", "text": "That media connection is gone."}}
                answer = await self.door.answer_of(request["sdp"])
                self._legs += 1
                self._owner, self._owned, self.media, self.leg = page, True, "connected", f"leg {self._legs}"
                if self.state in ("signed_out", "mobile_answer"):
                    await self._move("idle", "signed in")
                self.by_mobile = False
                await self._push("media.connected")
                return {"sdp": answer, "leg": self.leg}
            case "agent.resume":
                if request["leg"] != self.leg:
                    return {"error": {"code": "media_lost", "text": "That media connection is gone."}}
                self._owner, self._owned = page, True
            case "agent.test_call":
                self.testing_until = time.time() + 30 if request["on"] else None
                if self.testing_until is None:
                    await self._push("agent.test_call_over")
                else:
                    await self._push("agent.test_call", until=self.testing_until)
            case "agent.sign_out":
                await self._move("signed_out", "signed out")
            case "agent.mobile":
                self.by_mobile, self.mobile = True, request["number"] or self.mobile
                await self._move("mobile_answer", "chosen")
            case "agent.state":
                if self.offered:
                    await self._withdraw("break")
                await self._move(request["state"], request["state"])
            case "call.answer":
                if self.offered is None:
                    return {"error": {"code": "not_ringing", "text": "No call is ringing."}}
                await self._take()
            case "call.dial":
                self.before_dialling = self.state
                self.dialling = {"call": "out", "number": request["number"], "since": time.time()}
                await self._progress()
                await self._move("talking", "dialling")
            case "call.decline":
                await self._withdraw("declined")
                await self._move("mobile_answer" if self.by_mobile else "idle", "declined")
            case "call.hang_up" if self.dialling is not None:
                await self._fail("given_up", 0)
            case "call.hang_up":
                await self._end("agent", "agent hung up")
            case "call.mute" | "call.unmute":
                assert self.connected is not None
                self.connected["muted"] = do == "call.mute"
                await self._push("call.muted", call=self.connected["call"], muted=self.connected["muted"])
            case "call.survey":
                if self.dialling is not None:
                    about = {"queue": "", "queue_name": "", "name": "", "dialled": "", "direction": "outbound"}
                    self.connected, self.dialling = {**about, **self.dialling, "since": time.time()}, None
                await self._end("agent", "survey")
            case _ if do in COMMANDS:
                return await self._control(request)
            case "agent.start_answering":
                await self._move("idle", "start answering")
            case "demo.call" | "paper.watch":
                pass
            case "colleagues.watch":
                await self._send(
                    page, {"event": "colleagues", "rev": 1, "begins": True, "changed": self.colleagues, "gone": []}
                )
            case _:
                return {"error": {"code": "unknown_command", "text": "There is no such command."}}
        return {}

    # --- behind the door ----------------------------------------------------------------------------------------

    def _run(self, act: Callable[[], Awaitable[None]]) -> None:
        self.door.run(act)

    async def serve(self, page: WebSocketConnection, nursery: trio.Nursery) -> None:
        self._pages.append(page)
        try:
            while True:
                request = json.loads(await page.get_message())
                if request["do"] == "paper.watch":
                    self.watched.append(request["call"])
                else:
                    self.asked.append({**request, "at": time.time()})
                if request["do"] not in self.hold:
                    nursery.start_soon(self._reply, page, request)
        finally:
            self._pages.remove(page)
            if self._owner is page and not self.keep_the_seat:
                self._owner, self._owned = None, False

    async def _reply(self, page: WebSocketConnection, request: Message) -> None:
        reply = await self._do(page, request)
        ok = {} if "error" in reply else {"ok": True}
        await self._send(page, {"id": request["id"], **ok, **reply})

    def answer(self, method: str, target: str, head: str, body: bytes) -> Answer:
        path = target.partition("?")[0]
        about = {"demo": self.demo, "language": self.language, "time_zone": self.time_zone, "accept": self.accept}
        me = json.dumps({"agent": self.agent, "name": self.name, "role": self.role, **about}).encode()
        if method == "POST" and path == "/api/login":
            if self.retry_after:
                return Answer("429 Too Many Requests", headers=(f"Retry-After: {self.retry_after}",))
            if json.loads(body)["password"] != "right":
                return Answer("401 Unauthorized")
            return Answer("200 OK", me, headers=(f"Set-Cookie: {COOKIE}; HttpOnly; Path=/",))
        if path == "/api/logout":
            return Answer("200 OK", headers=("Set-Cookie: session=; Path=/; Max-Age=0",))
        if path == "/api/me":
            return Answer("200 OK", me) if COOKIE in head else Answer("401 Unauthorized")
        if paper := re.fullmatch(r"/api/calls/([^/]+)/paper", path):
            if body and json.loads(body)["agent"] != self.agent:
                return Answer("401 Unauthorized")
            return self.papers.answer(paper[1], body)
        if past := re.fullmatch(r"/api/calls/([^/]+)/paper/versions", path):
            asked = dict(parse_qsl(target.partition("?")[2]))
            return self.papers.versions(past[1], asked["kind"], asked["field"], asked.get("ticket", ""))
        if path.startswith(("/api/calls", "/api/agents/", "/api/webhooks")):
            return self.kept.answer(target, head, body)
        return Answer("503 Service Unavailable" if path == "/api/access-points" else "404 Not Found")


def eventually(true: Callable[[], bool], within: float = 5.0) -> None:
    """Waits for what another thread does."""
    deadline = time.monotonic() + within
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s")
        time.sleep(0.01)
