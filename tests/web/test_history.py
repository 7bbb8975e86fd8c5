"""What has happened, over HTTP, from a real store: who sees what, what is wrong with a question, and recordings."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import define, evolve
from cordboard.actors import decisions
from cordboard.actors.acd import Free, Question
from cordboard.actors.organisation import parse_organisation
from cordboard.actors.records import (
    CallEntry,
    DecisionEntry,
    Entry,
    LegEntry,
    MessageEntry,
    OfferEntry,
    Outcome,
    QualityEntry,
    RosterEntry,
    SoundEntry,
    StateEntry,
)
from cordboard.actors.store import Store
from cordboard.actors.store.access import PLAY_SECONDS
from cordboard.actors.store.history import PAGE
from cordboard.actors.store.schema import audit
from cordboard.actors.timeline import QualityPoint, pack
from sqlalchemy import select

from .support import House, Response, house

NOW = 1_800_000_000.0
CENTRE = parse_organisation("""
[organisation]
time_zone = "Asia/Shanghai"
[[queue]]
id = "support"
name = "Support"
[[agent]]
id = "1001"
name = "Lin"
[[agent]]
id = "1002"
[[agent]]
id = "1003"
role = "supervisor"
[[agent]]
id = "1004"
skills = { support = 1 }
""")
SOUND = bytes(range(256)) * 1000
CALL = CallEntry(
    "c1", "carrier", "inbound", "+8613912345678", "", "+861055501000", "support", NOW - 600, NOW - 590, NOW - 500,
    "caller", "hung up", recorded=True,
)  # fmt: skip
STATED: tuple[Entry, ...] = (
    CALL,
    LegEntry("c1", 0, "caller", NOW - 600, NOW - 500),
    LegEntry("c1", 1, "1001", NOW - 590, NOW - 500),
    OfferEntry("c1", "1001", "support", NOW - 598, Outcome.ANSWERED, NOW - 590, NOW - 500),
    evolve(CALL, call="c2", began=NOW - 300, answered=None, ended=NOW - 280, recorded=False),
    OfferEntry("c2", "1001", "support", NOW - 299, Outcome.MISSED, NOW - 285),
    OfferEntry("c2", "1002", "support", NOW - 284, Outcome.CALLER_LEFT, NOW - 280),
    StateEntry("1001", 1, NOW - 900, "idle", "signed in"),
    StateEntry("1001", 2, NOW - 100, "break", "lunch"),
)


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


@define
class Scene:
    """A server with a store behind it."""

    house: House
    store: Store
    clock: Clock
    directory: Path

    async def ask(
        self, target: str, agent: str = "1001", method: str = "GET", headers: list[tuple[str, str]] | None = None
    ) -> Response:
        token = await self.house.token(agent)
        client = await self.house.http()
        return await client.ask(method, target, headers=[("Authorization", f"Bearer {token}"), *(headers or [])])

    async def calls(self, target: str, agent: str = "1001") -> list[tuple[object, object]]:
        answer = await self.ask(target, agent)
        assert answer.status == 200
        found = answer.json["calls"]
        assert isinstance(found, list)
        return [(line["call"], line["class"]) for line in found]

    async def audit(self) -> list[tuple[object, ...]]:
        asked = select(audit.c.agent, audit.c.call, audit.c.address, audit.c.allowed).order_by(audit.c.id)
        return await self.store.read(lambda connection: [tuple(row) for row in connection.execute(asked)])

    def recorded(self, call: str = "c1", format_: str = "opus") -> Path:
        """A recording that is ready."""
        file = self.directory / f"{call}.{format_}"
        file.write_bytes(SOUND)
        self.store.ledger.recording_ready(call, file.name, format_, 90.5, len(SOUND), f"{call}.peaks", "")
        (self.directory / f"{call}.peaks").write_text('{"channels": [[1], [2]]}')
        return file


@asynccontextmanager
async def scene(data_dir: Path, *more: Entry) -> AsyncIterator[Scene]:
    clock = Clock()
    (data_dir / "recordings").mkdir()
    async with await Store.open(data_dir, clock) as store:
        await store.import_organisation(CENTRE)
        await store.apply([*STATED, *more])
        async with house(data_dir, history=store.history) as h:
            h.book.passwords["1003"] = h.book.passwords["1004"] = "look"
            h.book.roles["1003"] = "supervisor"
            yield Scene(h, store, clock, data_dir / "recordings")


# --- lists ------------------------------------------------------------------------------------------------------


async def test_an_agent_sees_its_calls_and_a_supervisor_all(data_dir: Path) -> None:
    async with scene(data_dir) as s:
        assert await s.calls("/api/calls?days=7") == [("c2", "not_connected"), ("c1", "normal")]
        assert await s.calls("/api/calls", "1002") == [("c2", "ring_abandoned")]
        assert await s.calls("/api/calls", "1003") == [("c2", "ring_abandoned"), ("c1", "normal")]
        assert await s.calls("/api/calls?agent=1001", "1003") == [("c2", "not_connected"), ("c1", "normal")]
        assert await s.calls("/api/calls?agent=1003", "1003") == []
        assert await s.calls("/api/calls?class=normal&days=1") == [("c1", "normal")]
        assert await s.calls("/api/calls?class=ring_abandoned&agent=1001") == []
        answer = await s.ask("/api/calls?agent=1001", "1002")
        assert (answer.status, answer.code) == (403, "not_allowed")


async def test_a_line_of_the_list(data_dir: Path) -> None:
    async with scene(data_dir) as s:
        answer = await s.ask("/api/calls?class=normal")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.json == {
            "calls": [
                {
                    "call": "c1", "class": "normal", "direction": "inbound", "number": "+8613912345678", "name": "",
                    "dialled": "+861055501000", "queue": "support", "queue_name": "Support", "began": NOW - 600,
                    "answered": NOW - 590, "ended": NOW - 500, "ended_by": "caller", "cause": "hung up",
                    "talk_seconds": 90.0, "recording": "encoding", "agents": [{"agent": "1001", "name": "Lin"}],
                    "message": None,
                }
            ],
            "next": None,
        }  # fmt: skip


async def test_the_next_page(data_dir: Path) -> None:
    many = [evolve(CALL, call=f"m{number}", began=NOW - 4000 + number) for number in range(PAGE + 5)]
    async with scene(data_dir, *many) as s:
        first = (await s.ask("/api/calls", "1003")).json
        second = (await s.ask(f"/api/calls?cursor={first['next']}", "1003")).json
        assert second["next"] is None
        names = [line["call"] for page in (first, second) for line in page["calls"]]  # type: ignore[attr-defined]
        assert names == ["c2", "c1", *(each.call for each in reversed(many))]


async def test_a_supervisor_hears_why_of_all_and_an_agent_of_itself(data_dir: Path) -> None:
    roster = ["1001", "1002", "1003"]
    free = (Free("1001", 1, 0, NOW - 700), Free("1002", 1, 1, NOW - 650))
    question = Question("c1", "longest-idle", NOW - 600, NOW - 598, free=free)
    stated = (
        RosterEntry(decisions.roster_key(roster), "\n".join(roster), NOW - 598),
        DecisionEntry(
            "c1",
            "support",
            NOW - 598,
            0,
            "1001",
            decisions.roster_key(roster),
            decisions.pack(question, roster, ["free", "free", "break"]),
        ),
    )
    async with scene(data_dir, *stated) as s:

        async def told(agent: str, query: str = "") -> Any:
            (decision,) = json.loads((await s.ask(f"/api/calls/c1/why{query}", agent)).body)["decisions"]
            return decision

        of_all = await told("1003")
        assert [each["agent"] for each in of_all["ranked"]] == ["1001", "1002"]
        assert of_all["passed"] == [{"why": "break", "count": 1, "agents": [{"agent": "1003", "name": "1003"}]}]
        assert (of_all["told"], of_all["same"], of_all["waited"]) == (None, True, 2.0)
        assert (await told("1003", "?agent=1002"))["told"] == {"agent": "1002", "rank": 2, "why": ""}
        own = await told("1001")
        assert (own["ranked"], own["passed"]) == ([], [{"why": "break", "count": 1, "agents": []}])
        assert (own["told"]["rank"], own["candidates"]) == (1, 2)
        assert (await s.ask("/api/calls/c1/why?agent=1002", "1001")).code == "not_allowed"
        assert (await s.ask("/api/calls/c1/why", "1002")).code == "not_allowed"  # it never rang there
        assert (await s.ask("/api/calls/c9/why", "1003")).status == 404
        assert (await s.ask("/api/calls/c1/why?days=7", "1003")).status == 400


@pytest.mark.parametrize(
    ("target", "wrong"),
    [
        ("/api/calls?days=0", "days"),
        ("/api/calls?days=367", "days"),
        ("/api/calls?days=-1", "days"),
        ("/api/calls?days=%D9%A7", "days"),  # an Arabic seven
        ("/api/calls?days=7.0", "days"),
        ("/api/calls?days=", "days"),
        ("/api/calls?days=7&days=8", "days"),
        ("/api/calls?class=busy", "class"),
        ("/api/calls?cursor=", "cursor"),
        ("/api/calls?cursor=yesterday", "cursor"),
        ("/api/calls?page=2", "page"),
        ("/api/calls/c1?days=7", "days"),
        ("/api/calls/c1?agent=1001&agent=1002", "agent"),
        ("/api/agents/1001/states?days=x", "days"),
        ("/api/agents/1001/states?cursor=-1", "cursor"),
    ],
)
async def test_a_wrong_parameter_is_named(data_dir: Path, target: str, wrong: str) -> None:
    async with scene(data_dir) as s:
        answer = await s.ask(target)
        assert (answer.status, answer.code) == (400, "bad_parameter")
        assert f"{wrong}: " in str(answer.json)


@pytest.mark.parametrize(
    "target",
    ["/api/calls", "/api/calls/c1", "/api/calls/c1/recording", "/api/calls/c1/peaks", "/api/agents/1001/states"],
)
async def test_nobody_sees_anything_who_is_not_logged_in(data_dir: Path, target: str) -> None:
    async with scene(data_dir) as s:
        s.recorded()
        answer = await (await s.house.http()).ask("GET", target)
        assert (answer.status, answer.code) == (401, "not_logged_in")


# --- one call and states ----------------------------------------------------------------------------------------


async def test_one_call(data_dir: Path) -> None:
    async with scene(data_dir) as s:
        whole = (await s.ask("/api/calls/c2", "1002")).json
        assert (whole["call"], whole["class"], whole["recording"]) == ("c2", "ring_abandoned", "none")
        assert whole["trunk"] == "carrier"
        assert [offer["outcome"] for offer in whole["offers"]] == ["missed", "caller_left"]  # type: ignore[attr-defined]
        assert [line["call"] for line in whole["history"]] == ["c1"]  # type: ignore[attr-defined]
        assert whole["sound"] == {"state": "none", "format": "", "seconds": 0.0, "size": 0, "reason": ""}
        assert [leg["party"] for leg in (await s.ask("/api/calls/c1")).json["legs"]] == ["caller", "1001"]  # type: ignore[attr-defined]
        refused = await s.ask("/api/calls/c1", "1002")
        assert (refused.status, refused.code) == (403, "not_allowed")
        missing = await s.ask("/api/calls/c3")
        assert (missing.status, missing.code) == (404, "not_found")


async def test_one_call_as_one_agent_sees_it(data_dir: Path) -> None:
    async with scene(data_dir) as s:

        async def seen(agent: str, by: str = "1003") -> tuple[int, object]:
            answer = await s.ask(f"/api/calls/c2?agent={agent}", by)
            return answer.status, answer.json.get("class")

        assert await seen("1001") == (200, "not_connected")
        assert await seen("1002") == (200, "ring_abandoned")
        assert await seen("1003") == (404, None)  # it never rang there
        assert await seen("1001", by="1001") == (200, "not_connected")
        assert await seen("1001", by="1002") == (403, None)


async def test_an_agents_states(data_dir: Path) -> None:
    async with scene(data_dir) as s:
        idle = {"state": "idle", "reason": "signed in", "call": "", "since": NOW - 900, "until": NOW - 100}
        rests = {"state": "break", "reason": "lunch", "call": "", "since": NOW - 100, "until": None}
        expected = [{**idle, "seconds": 800.0}, {**rests, "seconds": 100.0}]
        for agent in ("1001", "1003"):
            assert (await s.ask("/api/agents/1001/states?days=1", agent)).json == {"states": expected, "next": None}
        assert (await s.ask("/api/agents/1002/states", "1002")).json == {"states": [], "next": None}
        rest = [{**expected[1]}]
        assert (await s.ask("/api/agents/1001/states?cursor=1", "1003")).json == {"states": rest, "next": None}
        assert (await s.ask("/api/agents/1001/states", "1002")).status == 403
        assert (await s.ask("/api/agents/nobody/states", "1003")).status == 404


async def test_how_a_call_sounded_is_for_those_who_may_see_the_call(data_dir: Path) -> None:
    point = QualityPoint(NOW - 600, 5.0, 240, 10, 200.0, 2.0, 40.0, 20.0, None, None)
    ways = SoundEntry("c1", "1001", NOW - 550, comes=True, goes=False)
    async with scene(data_dir, QualityEntry("c1", "caller", NOW - 600, pack(point, NOW - 600)), ways) as s:
        for agent in ("1001", "1003"):
            answer = await s.ask("/api/calls/c1/quality", agent)
            assert answer.headers["cache-control"] == "no-store"
            assert answer.json == {
                "tracks": [
                    {
                        "party": "caller", "name": "", "at": [NOW - 600], "seconds": [5.0], "loss_percent": [4.0],
                        "jitter_ms": [2.0], "delay_ms": [40.0], "mos": [4.03], "rtt_ms": [20.0],
                        "far_loss_percent": [None], "far_jitter_ms": [None], "far_mos": [None],
                    }
                ],
                "ways": [{"party": "1001", "name": "Lin", "at": NOW - 550, "comes": True, "goes": False}],
            }  # fmt: skip
        assert (await s.ask("/api/calls/c2/quality")).json == {"tracks": [], "ways": []}
        refused = [await s.ask(*asked) for asked in (
            ("/api/calls/c1/quality", "1002"), ("/api/calls/c9/quality",), ("/api/calls/c1/quality?days=1",)
        )]  # fmt: skip
        assert [answer.code for answer in refused] == ["not_allowed", "not_found", "bad_parameter"]


# --- recordings -------------------------------------------------------------------------------------------------


LEFT = (
    evolve(CALL, call="m1", began=NOW - 200, answered=None, ended=NOW - 150, cause="closed"),
    MessageEntry("m1", "support", NOW - 190, NOW - 150),
    evolve(CALL, call="m2", began=NOW - 100, answered=None, ended=NOW - 90, cause="closed"),
    MessageEntry("m2", "support", NOW - 91, NOW - 90.5),  # who hung up at the tone
    evolve(CALL, call="m3", began=NOW - 80, answered=None, ended=NOW - 30, cause="closed"),
    MessageEntry("m3", "sales", NOW - 70, NOW - 30),
    MessageEntry("c1", "support", NOW - 520, NOW - 500),  # after Lin had talked with it
)


async def test_a_message_is_for_the_agents_of_its_queue(data_dir: Path) -> None:
    async with scene(data_dir, *LEFT) as s:
        for call in ("m1", "m3", "c1"):
            s.recorded(call)
        await s.store.ledger.flush()
        assert await s.calls("/api/calls?class=voicemail", "1002") == []
        assert await s.calls("/api/calls?class=voicemail", "1004") == [("m1", "not_connected"), ("c1", "normal")]
        everything = [("m3", "not_connected"), ("m1", "not_connected"), ("c1", "normal")]
        assert await s.calls("/api/calls?class=voicemail", "1003") == everything
        line = (await s.ask("/api/calls?class=voicemail", "1004")).json["calls"][0]  # type: ignore[index]
        assert line["recording"] == "ready"
        assert line["message"] == {
            "queue": "support", "queue_name": "Support", "began": NOW - 190, "ended": NOW - 150,
            "handled_by": None, "handled_at": None,
        }  # fmt: skip
        for call, agent, status in (
            ("m1", "1004", 200),
            ("m1", "1002", 403),
            ("m3", "1004", 403),
            ("m3", "1003", 200),
            ("c1", "1004", 403),  # what it said to Lin is Lin's
            ("c1", "1001", 200),
        ):
            assert (await s.ask(f"/api/calls/{call}/recording", agent)).status == status, (call, agent)
        for part, agent, status in (("quality", "1004", 200), ("why", "1004", 200), ("quality", "1002", 403)):
            assert (await s.ask(f"/api/calls/m1/{part}", agent)).status == status, (part, agent)
        whole = await s.ask("/api/calls/m1", "1004")
        assert (whole.status, whole.json["sound"]["state"]) == (200, "ready")  # type: ignore[index]
        whole = await s.ask("/api/calls/c1", "1004")
        assert (whole.status, whole.json["sound"]["state"]) == (200, "withheld")  # type: ignore[index]
        assert (await s.ask("/api/calls?class=voicemail&agent=1004", "1004")).code == "bad_parameter"


async def test_somebody_sees_to_a_message_and_whoever_was_first_stays(data_dir: Path) -> None:
    async with scene(data_dir, *LEFT) as s:

        async def handled(call: str, agent: str, body: object = None, headers: tuple[tuple[str, str], ...] = ()) -> int:
            token = await s.house.token(agent)
            client = await s.house.http()
            said = json.dumps({"handled": True} if body is None else body).encode()
            known = [("Authorization", f"Bearer {token}"), *headers]
            return (await client.ask("POST", f"/api/calls/{call}/message", said, known)).status

        async def by(call: str) -> object:
            answer = await s.ask(f"/api/calls/{call}", "1003")
            return answer.json["message"]["handled_by"]  # type: ignore[index]

        assert await handled("m1", "1002") == 403
        assert await handled("m2", "1003") == 404
        assert await handled("nothing", "1003") == 404
        assert await handled("c2", "1003") == 404
        assert await by("m1") is None
        assert await handled("m1", "1004") == 204
        assert await handled("m1", "1003") == 204
        assert await by("m1") == {"agent": "1004", "name": "1004"}
        assert await handled("m1", "1003", {"handled": False}) == 204
        assert await by("m1") is None
        wrong: object
        for wrong in ({}, {"handled": 1}, {"handled": True, "more": 1}, []):
            assert await handled("m1", "1003", wrong) == 400
        assert await handled("m1", "1003", None, (("Origin", "https://elsewhere.example"),)) == 403
        assert await by("m1") is None
        assert (await s.ask("/api/calls/m1/message", "1003")).status == 405


@pytest.mark.parametrize(
    ("format_", "type_"),
    [("opus", "audio/ogg; codecs=opus"), ("wav", "audio/wav"), ("mp3", "audio/mpeg"), ("flac", "audio/flac")],
)
async def test_a_recording_is_played_whole(data_dir: Path, format_: str, type_: str) -> None:
    async with scene(data_dir) as s:
        s.recorded(format_=format_)
        await s.store.ledger.flush()
        answer = await s.ask("/api/calls/c1/recording")
        assert (answer.status, answer.body) == (200, SOUND)
        assert answer.headers["content-type"] == type_
        assert answer.headers["content-disposition"] == f'inline; filename="call-c1.{format_}"'
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.headers["cache-control"] == "private, no-cache"
        for asked in ([], [("Range", "bytes=5-9")], [("Range", "bytes=-0")]):  # which means nothing to HEAD
            head = await s.ask("/api/calls/c1/recording", method="HEAD", headers=asked)
            assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(SOUND)))
        again = await s.ask("/api/calls/c1/recording", headers=[("If-None-Match", answer.headers["etag"])])
        assert (again.status, again.body) == (304, b"")


LENGTH = len(SOUND)


@pytest.mark.parametrize(
    ("asked", "status", "first", "last"),
    [
        ("bytes=0-0", 206, 0, 0),
        ("bytes=0-", 206, 0, LENGTH - 1),
        ("bytes=100-199", 206, 100, 199),
        ("Bytes=100000-200000", 206, 100000, 200000),
        ("bytes=100-999999999999", 206, 100, LENGTH - 1),
        ("bytes=-500", 206, LENGTH - 500, LENGTH - 1),
        ("bytes=-999999999", 206, 0, LENGTH - 1),
        (f"bytes={LENGTH - 1}-", 206, LENGTH - 1, LENGTH - 1),
        (f"bytes={LENGTH}-", 416, 0, 0),
        ("bytes=-0", 416, 0, 0),
        ("bytes=200-100", 200, 0, 0),
        ("bytes=-", 200, 0, 0),
        ("bytes=0-1,5-6", 200, 0, 0),
        ("bytes=1_0-", 200, 0, 0),
        ("pages=1-2", 200, 0, 0),
        ("bytes=" + "9" * 30 + "-", 200, 0, 0),
    ],
)
async def test_ranges(data_dir: Path, asked: str, status: int, first: int, last: int) -> None:
    async with scene(data_dir) as s:
        s.recorded()
        await s.store.ledger.flush()
        answer = await s.ask("/api/calls/c1/recording", headers=[("Range", asked)])
        assert answer.status == status
        match status:
            case 206:
                assert answer.body == SOUND[first : last + 1]
                assert answer.headers["content-range"] == f"bytes {first}-{last}/{LENGTH}"
                assert answer.headers["content-length"] == str(last - first + 1)
            case 416:
                assert answer.code == "range_not_satisfiable"
                assert answer.headers["content-range"] == f"bytes */{LENGTH}"
            case _:
                assert answer.body == SOUND
                assert "content-range" not in answer.headers


async def test_a_range_of_what_has_changed_is_the_whole(data_dir: Path) -> None:
    async with scene(data_dir) as s:
        file = s.recorded()
        await s.store.ledger.flush()
        part = [("Range", "bytes=10-19")]
        etag = (await s.ask("/api/calls/c1/recording", method="HEAD")).headers["etag"]
        assert (await s.ask("/api/calls/c1/recording", headers=[*part, ("If-Range", etag)])).status == 206
        date = ("If-Range", "Fri, 15 Jan 2027 08:00:00 GMT")
        assert (await s.ask("/api/calls/c1/recording", headers=[*part, date])).status == 200
        os.utime(file, (1, 1))
        assert (await s.ask("/api/calls/c1/recording", headers=[*part, ("If-Range", etag)])).status == 200


async def test_a_recording_that_is_not_there_says_why(data_dir: Path) -> None:
    talks = evolve(CALL, call="talks", ended=None)
    async with scene(data_dir, talks) as s:
        for call, status, told in (
            ("talks", 409, {"retry-after": "10"}),
            ("c1", 409, {"retry-after": "2"}),
            ("c2", 404, {}),
            ("none", 404, {}),
        ):
            for what in ("recording", "peaks"):
                answer = await s.ask(f"/api/calls/{call}/{what}", "1003")
                assert answer.status == status
                assert answer.headers.items() >= told.items()
        s.store.ledger.recording_lost("c1", "the disk was full")
        await s.store.ledger.flush()
        lost = await s.ask("/api/calls/c1/recording")
        assert lost.status == 404
        assert "the disk was full" in str(lost.json)
        s.recorded().unlink()
        await s.store.ledger.flush()
        gone = await s.ask("/api/calls/c1/recording")
        assert (gone.status, gone.code) == (404, "not_found")


async def test_peaks(data_dir: Path) -> None:
    async with scene(data_dir) as s:
        s.recorded()
        await s.store.ledger.flush()
        assert (await s.ask("/api/calls/c1/peaks")).json == {"channels": [[1], [2]]}
        assert (await s.ask("/api/calls/c1/peaks", "1002")).status == 403
        assert await s.audit() == []


async def test_every_play_is_in_the_audit_and_every_refusal(data_dir: Path) -> None:
    async with scene(data_dir) as s:
        s.recorded()
        await s.store.ledger.flush()
        mine, others = ("1001", "c1", "127.0.0.1", True), ("1002", "c1", "127.0.0.1", False)
        assert (await s.ask("/api/calls/c1/recording", method="HEAD")).status == 200
        assert await s.audit() == []
        await s.ask("/api/calls/c1/recording")
        await s.ask("/api/calls/c1/recording", headers=[("Range", "bytes=0-")])
        assert await s.audit() == [mine, mine]
        await s.ask("/api/calls/c1/recording", headers=[("Range", "bytes=1000-")])  # the same play, further on
        assert await s.audit() == [mine, mine]
        refused = await s.ask("/api/calls/c1/recording", "1002")
        assert (refused.status, refused.code) == (403, "not_allowed")
        assert await s.audit() == [mine, mine, others]
        await s.ask("/api/calls/c1/recording", "1003", headers=[("Range", "bytes=1000-")])  # nobody's play went before
        s.clock.now += PLAY_SECONDS
        await s.ask("/api/calls/c1/recording", headers=[("Range", "bytes=1000-")])
        assert await s.audit() == [mine, mine, others, ("1003", "c1", "127.0.0.1", True), mine]


async def test_who_only_let_it_ring_hears_nothing_of_what_others_said(data_dir: Path) -> None:
    declined = OfferEntry("c1", "1002", "support", NOW - 599, Outcome.DECLINED, NOW - 598, NOW - 598)
    async with scene(data_dir, declined) as s:
        s.recorded()
        await s.store.ledger.flush()
        for what in ("recording", "peaks"):
            refused = await s.ask(f"/api/calls/c1/{what}", "1002")
            assert (refused.status, refused.code) == (403, "not_allowed")
        assert await s.audit() == [("1002", "c1", "127.0.0.1", False)]
        for agent, state in (("1002", "withheld"), ("1001", "ready"), ("1003", "ready")):
            listed, whole = await s.ask("/api/calls", agent), (await s.ask("/api/calls/c1", agent)).json
            assert isinstance(listed.json["calls"], list)
            (line,) = (each for each in listed.json["calls"] if each["call"] == "c1")
            assert isinstance(whole["sound"], dict)
            assert (line["recording"], whole["recording"], whole["sound"]["state"]) == (state, state, state)


async def test_nothing_is_played_that_the_audit_cannot_take(data_dir: Path) -> None:
    async with scene(data_dir) as s:
        s.recorded()
        await s.store.ledger.flush()
        await s.store.write(
            lambda connection: connection.exec_driver_sql(
                "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
            )
        )
        answer = await s.ask("/api/calls/c1/recording")
        assert (answer.status, answer.code) == (503, "unavailable")


async def test_who_takes_a_recording_slowly_holds_up_nobody(data_dir: Path) -> None:
    async with scene(data_dir) as s:
        s.recorded().write_bytes(b"x" * 30_000_000)
        await s.store.ledger.flush()
        token = await s.house.token()
        slow = await s.house.tls()
        head = f"GET /api/calls/c1/recording HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
        await slow.send_all(head.encode())
        assert (await slow.receive_some(100)).startswith(b"HTTP/1.1 200")
        with trio.fail_after(5):
            assert (await s.ask("/api/calls")).status == 200
            assert (await s.ask("/api/calls/c1/recording", headers=[("Range", "bytes=-5")])).body == b"xxxxx"
        await trio.aclose_forcefully(slow)
