"""The paperwork of calls over HTTP, from a real store: who looks, who writes, what is refused, and who hears of it."""

from __future__ import annotations

import gc
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from attrs import define, evolve
from cordboard.actors.effects import Record
from cordboard.actors.organisation import parse_organisation
from cordboard.actors.records import CallEntry, Entry, OfferEntry, Outcome
from cordboard.actors.store import Store, customers, papers
from cordboard.actors.store.customers import TAG, TAGS, TICKETS
from cordboard.actors.store.fields import LIMITS, Author, Kind
from cordboard.web.papers import CHANGES_PER_AGENT
from cordboard.web.session import Session
from sqlalchemy import Connection
from trio_websocket import WebSocketConnection

from tests.page.papers import Papers as Scripted

from .support import Client, House, Response, house

NOW = 1_800_000_000.0
CENTRE = parse_organisation("""
[organisation]
time_zone = "Asia/Shanghai"
[[queue]]
id = "support"
[[agent]]
id = "1001"
name = "Lin"
[[agent]]
id = "1002"
name = "Chen"
[[agent]]
id = "1003"
role = "supervisor"
[[agent]]
id = "1004"
""")
CALL = CallEntry(
    "c1", "carrier", "inbound", "013912345678", "", "+861055501000", "support", NOW - 600, NOW - 590, NOW - 500,
)  # fmt: skip
# Lin talked in c1, and it had rung at Chen; c2 of the same customer rings at Chen.
STATED: tuple[Entry, ...] = (
    CALL,
    OfferEntry("c1", "1002", "support", NOW - 599, Outcome.MISSED, NOW - 595),
    OfferEntry("c1", "1001", "support", NOW - 594, Outcome.ANSWERED, NOW - 590, NOW - 500),
    evolve(CALL, call="c2", caller="+8613912345678", began=NOW - 20, answered=None, ended=None),
    OfferEntry("c2", "1002", "support", NOW - 10),
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
    client: Client

    async def look(self, call: str = "c1", agent: str = "1001", target: str = "") -> Response:
        return await self._ask("GET", f"/api/calls/{call}/paper{target}", b"", agent)

    async def post(self, said: object, call: str = "c1", agent: str = "1001") -> Response:
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        return await self._ask("POST", f"/api/calls/{call}/paper", body, agent)

    async def _ask(self, method: str, target: str, body: bytes, agent: str) -> Response:
        token = await self.house.token(agent)
        return await self.client.ask(method, target, body, [("Authorization", f"Bearer {token}")])

    async def paper(self, call: str = "c1", agent: str = "1001") -> Any:
        answer = await self.look(call, agent)
        assert answer.status == 200, answer.body
        return answer.json

    async def written(self, said: object, call: str = "c1", agent: str = "1001") -> Any:
        answer = await self.post(said, call, agent)
        assert answer.status == 200, answer.body
        return answer.json

    async def edited(self, field: str, value: str, version: int, **more: str) -> Any:
        return await self.written(edit(field, value, version), **more)

    async def wrong(self, said: object, call: str = "c1", agent: str = "1001") -> str:
        """What it is told whose change is no good."""
        answer = await self.post(said, call, agent)
        assert (answer.status, answer.code) == (400, "bad_request"), answer.body
        told: Any = answer.json["error"]
        return str(told["text"])


def edit(field: str, value: str, version: int, kind: str = "customer", **more: object) -> dict[str, object]:
    return {"edit": {"kind": kind, "field": field, "value": value, "version": version, **more}}


def ticket(key: str = "k" * 16, title: str = "Refund", text: str = "") -> dict[str, object]:
    return {"ticket": {"key": key, "title": title, "text": text}}


@asynccontextmanager
async def scene(data_dir: Path, *more: Entry) -> AsyncIterator[Scene]:
    clock = Clock()
    async with await Store.open(data_dir, clock) as store:
        await store.import_organisation(CENTRE)
        await store.apply([*STATED, *more])
        async with house(data_dir, history=store.history, papers=store.papers) as h:
            h.book.passwords["1003"] = h.book.passwords["1004"] = "look"
            h.book.roles["1003"] = "supervisor"
            yield Scene(h, store, clock, await h.http())


# --- what there is ----------------------------------------------------------------------------------------------


async def test_of_an_unknown_number_everything_is_blank(data_dir: Path) -> None:
    async with scene(data_dir) as s:
        paper = await s.paper()
        blank = {"value": "", "version": 0, "agent": "", "name": "", "at": 0.0}
        assert paper["customer"] == {
            "customer": "",
            "numbers": ["+8613912345678"],
            "fields": dict.fromkeys(("name", "company", "email", "address", "note"), blank),
            "tags": [],
        }
        assert (paper["call"], paper["number"], paper["direction"]) == ("c1", "+8613912345678", "inbound")
        assert paper["summaries"] == [{"agent": "1001", "name": "Lin", "text": blank}]
        assert (paper["tickets"], paper["earlier"], paper["known_tags"]) == ([], [], [])
        assert paper["limits"]["note"] == 4000


async def test_what_was_written_comes_with_the_customers_next_call(data_dir: Path) -> None:
    """... at the moment that it rings, at another agent, from a number that the trunk writes otherwise."""
    async with scene(data_dir) as s:
        await s.edited("name", "Wang Fang", 0)
        await s.written({"tag": " vip ", "on": True})
        await s.written(edit("text", "wants a refund", 0, "summary"))
        await s.written(ticket(text="of the flight"))
        paper = await s.paper("c2", "1002")
        name = paper["customer"]["fields"]["name"]
        assert name == {"value": "Wang Fang", "version": 1, "agent": "1001", "name": "Lin", "at": NOW}
        assert paper["customer"]["customer"]
        assert (paper["customer"]["tags"], paper["known_tags"]) == (["vip"], ["vip"])
        assert paper["writable"] is False
        assert paper["summaries"] == []
        (line,) = paper["earlier"]
        assert line == {
            "call": "c1",
            "began": NOW - 600,
            "direction": "inbound",
            "class": "normal",
            "agents": ["Lin"],
            "summary": "wants a refund",
            "message": False,
        }
        (opened,) = paper["tickets"]
        assert {name: field["value"] for name, field in opened["fields"].items()} == {
            "title": "Refund",
            "text": "of the flight",
            "status": "open",
        }
        assert (opened["agent"], opened["name"], opened["call"], opened["opened"]) == ("1001", "Lin", "c1", NOW)


async def test_each_agent_has_a_summary_of_its_own_and_sees_the_others(data_dir: Path) -> None:
    also = OfferEntry("c1", "1002", "", NOW - 550, Outcome.ANSWERED, NOW - 549, NOW - 500, "consult")
    async with scene(data_dir, also) as s:
        await s.written(edit("text", "a refund", 0, "summary"))
        assert [each["agent"] for each in (await s.paper("c1", "1002"))["summaries"]] == ["1002", "1001"]
        paper = await s.written(edit("text", "refunded", 0, "summary"), agent="1002")
        assert [(each["name"], each["text"]["value"]) for each in paper["summaries"]] == [
            ("Chen", "refunded"),
            ("Lin", "a refund"),
        ]
        assert (await s.paper("c2", "1002"))["earlier"][0]["summary"] == "Lin: a refund\nChen: refunded"


async def test_a_ticket_is_edited_in_a_later_call(data_dir: Path) -> None:
    async with scene(data_dir) as s:
        (opened,) = (await s.written(ticket()))["tickets"]
        change = edit("status", "done", 1, "ticket", ticket=opened["ticket"])
        (after,) = (await s.written(change, "c2", "1003"))["tickets"]
        assert (after["fields"]["status"]["value"], after["fields"]["status"]["agent"]) == ("done", "1003")


async def test_a_withheld_number_has_a_customer_of_that_call_alone(data_dir: Path) -> None:
    hidden = [evolve(CALL, call=name, caller="", ended=None) for name in ("h1", "h2")]
    talks = [OfferEntry(each.call, "1001", "support", NOW, Outcome.ANSWERED, NOW) for each in hidden]
    async with scene(data_dir, *hidden, *talks) as s:
        paper = await s.edited("name", "Nobody", 0, call="h1")
        assert (paper["number"], paper["customer"]["numbers"], paper["earlier"]) == ("", [], [])
        assert (await s.paper("h1"))["customer"]["fields"]["name"]["value"] == "Nobody"
        assert (await s.paper("h2"))["customer"]["customer"] == ""


def shape(value: Any) -> Any:
    """What a page may rely on: the fields, and of lists what is in them."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    return [shape(each) for each in value[:1]] if isinstance(value, list) else type(value)


async def test_the_switch_at_which_pages_are_tested_answers_as_the_real_one(data_dir: Path) -> None:
    scripted = Scripted(known_tags=["vip"], earlier=[])
    async with scene(data_dir) as s:
        for said in ({"tag": "vip", "on": True}, ticket(), edit("name", "Wang", 0), edit("text", "Hm", 0, "summary")):
            answer = scripted.answer("c1", json.dumps(said).encode())
            assert shape(json.loads(answer.body)) == shape(await s.written(said))
        late = edit("name", "Li", 0)
        refused = json.loads(scripted.answer("c1", json.dumps(late).encode()).body)
        assert shape(refused) == shape((await s.post(late)).json)
        assert refused["paper"]["limits"] == (await s.paper())["limits"]


# --- two who write ----------------------------------------------------------------------------------------------


async def test_who_has_not_seen_what_another_wrote_is_shown_it_and_chooses(data_dir: Path) -> None:
    async with scene(data_dir) as s:
        await s.edited("note", "likes tea", 0)
        refused = await s.post(edit("note", "likes coffee", 0), agent="1003")
        assert (refused.status, refused.code) == (409, "conflict")
        shown: Any = refused.json["paper"]
        assert shown == await s.paper("c1", "1003")
        assert shown["customer"]["fields"]["note"]["value"] == "likes tea"
        paper = await s.edited("note", "likes coffee", 1, agent="1003")
        assert paper["customer"]["fields"]["note"]["version"] == 2
        kept = await s.look(target="/versions?kind=customer&field=note")
        versions: Any = kept.json["versions"]
        assert [(each["value"], each["version"], each["agent"]) for each in versions] == [
            ("likes coffee", 2, "1003"),
            ("likes tea", 1, "1001"),
        ]


async def test_what_was_sent_again_changes_nothing(data_dir: Path) -> None:
    async with scene(data_dir) as s:
        for said in (edit("name", "Wang", 0), {"tag": "vip", "on": True}, ticket()):
            first = await s.written(said)
            assert await s.written(said) == first
        gone = await s.written({"tag": "vip", "on": False})
        assert await s.written({"tag": "vip", "on": False}) == gone


# --- who may ----------------------------------------------------------------------------------------------------


WHO = [
    ("c1", "1001", 200, 200),  # talked
    ("c1", "1002", 200, 403),  # missed it
    ("c1", "1003", 200, 200),  # oversees
    ("c1", "1004", 403, 403),  # had nothing to do with it
    ("c2", "1002", 200, 403),  # it rings there
    ("c2", "1001", 403, 403),  # talked with the customer in another call
    ("elsewhere", "1004", 403, 403),  # another was quicker
    ("out", "1001", 200, 200),  # dials
    ("vain", "1001", 200, 200),  # dialled, and nobody answered
    ("test", "1001", 404, 404),  # of no customer
    ("none", "1003", 404, 404),
]


async def test_who_looks_and_who_writes(data_dir: Path) -> None:
    out = evolve(CALL, call="out", direction="outbound", queue="", answered=None, ended=None)
    more = (
        evolve(CALL, call="elsewhere"),
        OfferEntry("elsewhere", "1004", "support", NOW - 90, Outcome.ANSWERED_ELSEWHERE, NOW - 80),
        out,
        OfferEntry("out", "1001", "", NOW - 10),
        evolve(out, call="vain", ended=NOW),
        OfferEntry("vain", "1001", "", NOW - 30, Outcome.NOT_CONNECTED, NOW - 20, NOW - 20),
        evolve(CALL, call="test", test=True),
        OfferEntry("test", "1001", "", NOW - 30, Outcome.ANSWERED, NOW - 20),
    )
    async with scene(data_dir, *more) as s:
        for call, agent, look, write in WHO:
            assert (await s.look(call, agent)).status == look, (call, agent)
            assert (await s.look(call, agent, "/versions?kind=customer&field=name")).status == look
            for said in (edit("name", "Wang", 0), {"tag": "vip", "on": True}, ticket()):
                assert (await s.post(said, call, agent)).status == write, (call, agent)
            if look == 200:
                assert (await s.paper(call, agent))["writable"] == (write == 200)
        assert s.house.count("paper_changes_total", outcome="not_allowed") == 3 * [each[3] for each in WHO].count(403)


async def test_nobody_is_served_who_is_not_logged_in_or_comes_from_elsewhere(data_dir: Path) -> None:
    async with scene(data_dir) as s:
        client = await s.house.http()
        for method, target in (("GET", ""), ("POST", ""), ("GET", "/versions?kind=customer&field=name")):
            assert (await client.ask(method, f"/api/calls/c1/paper{target}")).code == "not_logged_in"
        cookie = ("Cookie", f"cordboard={await s.house.token()}")
        body = json.dumps({"tag": "vip", "on": True}).encode()
        foreign = [cookie, ("Origin", "https://elsewhere.example")]
        assert (await client.ask("POST", "/api/calls/c1/paper", body, foreign)).code == "bad_origin"
        assert (await s.paper())["customer"]["tags"] == []


async def test_what_a_page_says_of_whom_another_has_logged_in_after_is_not_that_one_s(data_dir: Path) -> None:
    async with scene(data_dir) as s:
        for another in ("1002", "", None, ["1001"]):
            answer = await s.post({**edit("name", "Wang", 0), "agent": another})
            assert (answer.status, answer.code) == (401, "not_logged_in"), another
        assert (await s.paper())["customer"]["fields"]["name"]["version"] == 0
        await s.written({**edit("name", "Wang", 0), "agent": "1001"})


async def test_who_asks_before_the_offer_is_written_waits_for_it(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(papers, "SETTLE_SECONDS", 60.0)  # the machine may have others to serve
    async with scene(data_dir) as s, trio.open_nursery() as nursery:
        ledger = s.store.ledger
        nursery.start_soon(ledger.run, print, print)
        ledger.keep(Record(evolve(CALL, call="c3", answered=None, ended=None)))
        ledger.keep(Record(OfferEntry("c3", "1004", "support", NOW)))
        assert (await s.paper("c3", "1004"))["writable"] is False
        ledger.keep(Record(OfferEntry("c3", "1004", "support", NOW, Outcome.ANSWERED, NOW)))
        assert (await s.paper("c3", "1004"))["writable"] is True
        nursery.cancel_scope.cancel()


async def test_while_what_was_stated_cannot_be_written_nobody_is_told_that_there_is_nothing(data_dir: Path) -> None:
    async with scene(data_dir) as s:
        s.store.ledger.keep(Record(evolve(CALL, call="c3")))
        answer = await s.look("c3")
        assert (answer.status, answer.code) == (503, "unavailable")


# --- what is refused --------------------------------------------------------------------------------------------


REFUSED: list[tuple[object, str]] = [
    *[
        (edit(name, "x" * (limit + 1), 0, kind.value), f"{name}: is longer than {limit} characters.")
        for kind, names in LIMITS.items()
        for name, limit in names.items()
        if kind is not Kind.TICKET
    ],
    (edit("title", "x" * 201, 1, "ticket", ticket="t"), "title: is longer than 200 characters."),
    (edit("title", " ", 1, "ticket", ticket="t"), "title: is empty."),
    (edit("text", "x" * 4001, 1, "ticket", ticket="t"), "text: is longer than 4000 characters."),
    (edit("status", "lost", 1, "ticket", ticket="t"), "status: is not open or waiting or done."),
    (edit("email", "wang", 0), "email: has no @."),
    (edit("name", "a\nb", 0), "name: has a control character."),
    (edit("note", "a\rb", 0), "note: has a control character."),
    (edit("note", "a\x00b", 0), "note: has a control character."),
    (edit("note", "\ud800", 0), "note: has a control character."),
    (edit("name", "Wang\u202egnaW", 0), "name: has a character that turns the writing round."),
    (edit("company", "\u2067a", 0), "company: has a character that turns the writing round."),
    (edit("age", "7", 0), "field: is not name or company or email or address or note."),
    (edit("title", "x", 1, "ticket", ticket="\ud800"), "ticket: has a control character."),
    (edit("title", "x", 1, "ticket", ticket="t"), "ticket: this customer has none of that id."),
    (edit("name", "x", 0, "person"), "kind: is not customer or summary or ticket."),
    (edit("name", "x", True), "version: is not a whole number."),
    (edit("title", "x", 1, "ticket"), "edit: It must be"),
    (edit("name", "x", 0, ticket="t"), "edit: It must be"),
    (edit("name", "x", 0, surprise=1), "edit: It must be"),
    ({"edit": {"kind": "customer", "field": "name", "value": 7, "version": 0}}, "edit: It must be"),
    ({"tag": "x" * (TAG + 1), "on": True}, f"tag: has not 1 to {TAG} characters."),
    ({"tag": "  ", "on": True}, f"tag: has not 1 to {TAG} characters."),
    ({"tag": "a\tb", "on": True}, "tag: has a control character."),
    ({"tag": "a\u200fb", "on": True}, "tag: has a character that turns the writing round."),
    ({"tag": "vip", "on": 1}, "body: It must be"),
    (ticket("short"), "key: is not 16 to 64 letters, digits, - and _."),
    (ticket("k" * 65), "key: is not 16 to 64 letters, digits, - and _."),
    (ticket(title="x" * 201), "title: is longer than 200 characters."),
    (ticket(title=""), "title: is empty."),
    (ticket(text="x" * 4001), "text: is longer than 4000 characters."),
    ({"ticket": {"key": "k" * 16, "title": "x"}}, "body: It must be"),
    ({"tag": "vip", "on": True, "more": 1}, "body: It must be"),
    (b"", "body: It must be"),
    (b"[" * 10_000, "body: It must be"),
    ([], "body: It must be"),
]


async def test_what_is_no_good_says_which_and_why_and_changes_nothing(data_dir: Path) -> None:
    async with scene(data_dir) as s:
        before = await s.paper()
        for said, text in REFUSED:
            assert f" {text}" in await s.wrong(said), said
        assert await s.paper() == before
        assert s.house.count("paper_changes_total", outcome="bad_request") == len(REFUSED)


async def test_an_agent_makes_so_many_changes_a_minute_and_others_are_not_in_the_way(
    data_dir: Path, clock: trio.testing.MockClock
) -> None:
    """What was refused is counted, changes nothing, and may be said again when it is time."""
    async with scene(data_dir) as s:
        said, other = edit("name", "Wang", 0), edit("name", "Zhang", 1)
        assert {(await s.post(said)).status for _ in range(CHANGES_PER_AGENT)} == {200}
        late = await s.post(other)
        assert (late.status, late.code) == (429, "too_many_changes")
        assert (await s.paper())["customer"]["fields"]["name"]["value"] == "Wang"
        assert (await s.post({"tag": "vip", "on": True}, agent="1003")).status == 200
        clock.jump(int(late.headers["retry-after"]))
        assert (await s.post(other)).status == 200
        assert s.house.count("paper_changes_total", outcome="too_many") == 1


async def test_a_value_of_full_length_is_stored(data_dir: Path) -> None:
    async with scene(data_dir) as s:
        for name in ("name", "company", "address", "note"):
            full = "林" * LIMITS[Kind.CUSTOMER][name]
            assert (await s.edited(name, full, 0))["customer"]["fields"][name]["value"] == full
        lines = "a\n\u200fb" + "𠀀" * 3996
        assert (await s.written(edit("text", lines, 0, "summary")))["summaries"][0]["text"]["value"] == lines


async def test_a_customer_has_so_many_tags_and_tickets(data_dir: Path) -> None:
    async with scene(data_dir) as s:
        await s.written({"tag": "tag 0", "on": True})
        await s.written(ticket("key-000000000000"))
        by = Author("1001", "c1", NOW)
        numbers = itertools.count()

        def fill(connection: Connection) -> None:
            whose = customers.subject(connection, "c1")
            assert whose is not None
            for number in range(1, TAGS):
                customers.add_tag(connection, whose.customer, f"tag {number}", by)
            for number in range(1, TICKETS):
                key = f"key-{number:012}"
                customers.open_ticket(connection, whose.customer, key, "x", "", lambda: f"t{next(numbers)}", by)

        await s.store.write(fill)
        assert "tag: is one too many" in await s.wrong({"tag": "another", "on": True})
        await s.written({"tag": "tag 7", "on": True})
        assert "ticket: is one too many" in await s.wrong(ticket())
        paper = await s.written(ticket(f"key-{7:012}"))
        assert (len(paper["tickets"]), len(paper["customer"]["tags"])) == (TICKETS, TAGS)


ASKED_WRONGLY = [
    ("", "kind"),
    ("?kind=person&field=name", "kind"),
    ("?kind=customer", "field"),
    ("?kind=customer&field=text", "field"),
    ("?kind=customer&field=name&agent=1001", "agent"),
    ("?kind=summary&field=text&ticket=t", "ticket"),
    ("?kind=customer&field=name&more=1", "more"),
]


async def test_a_wrong_question_for_versions_is_named(data_dir: Path) -> None:
    async with scene(data_dir) as s:
        for asked, wrong in ASKED_WRONGLY:
            answer = await s.look(target=f"/versions{asked}")
            told: Any = answer.json["error"]
            assert (answer.status, told["code"]) == (400, "bad_parameter")
            assert f" {wrong}: " in told["text"]


async def test_versions_of_a_summary_and_of_a_ticket(data_dir: Path) -> None:
    async with scene(data_dir) as s:
        await s.written(edit("text", "a refund", 0, "summary"))
        (opened,) = (await s.written(ticket()))["tickets"]
        for asked, agent, values in (
            ("kind=summary&field=text", "1001", ["a refund"]),
            ("kind=summary&field=text", "1003", []),
            ("kind=summary&field=text&agent=1001", "1003", ["a refund"]),
            (f"kind=ticket&field=title&ticket={opened['ticket']}", "1002", ["Refund"]),
        ):
            answer = await s.look("c1", agent, f"/versions?{asked}")
            versions: Any = answer.json["versions"]
            assert [each["value"] for each in versions] == values
        assert (await s.look(target="/versions?kind=ticket&field=title&ticket=none")).status == 404


# --- who hears of it --------------------------------------------------------------------------------------------


async def watch(connection: WebSocketConnection, call: str) -> dict[str, Any]:
    await connection.send_message(json.dumps({"id": 1, "do": "paper.watch", "call": call}))
    return await heard(connection)


async def heard(connection: WebSocketConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(await connection.get_message())
    return message


async def test_a_page_that_watches_a_call_hears_of_all_changes_of_its_customer(data_dir: Path) -> None:
    async with scene(data_dir) as s, s.house.page(agent="1002") as page:
        assert await watch(page, "c2") == {"id": 1, "ok": True}
        await s.edited("name", "Wang", 0)
        assert await heard(page) == {"event": "paper.changed", "rev": 1, "call": "c2"}
        await s.edited("name", "Wang", 0)  # it stands there
        assert (await s.post(edit("name", "Li", 0), agent="1003")).status == 409
        await s.written({"tag": "vip", "on": True})
        assert await heard(page) == {"event": "paper.changed", "rev": 2, "call": "c2"}
        assert (await watch(page, "c1"))["ok"] is True
        await s.written(edit("text", "a refund", 0, "summary"))
        assert await heard(page) == {"event": "paper.changed", "rev": 3, "call": "c1"}
        assert (await watch(page, ""))["ok"] is True
        await s.written(edit("text", "none", 1, "summary"))
        assert await watch(page, "c1") == {"id": 1, "ok": True}  # and nothing before it
    assert s.house.count("paper_changes_total", outcome="accepted") == 5
    assert s.house.count("paper_changes_total", outcome="conflict") == 1


async def test_of_many_calls_asked_for_at_once_the_last_is_watched(data_dir: Path) -> None:
    other = evolve(CALL, call="c4", caller="+447700900142")
    async with scene(data_dir, other, OfferEntry("c4", "1001", "support", NOW, Outcome.ANSWERED, NOW)) as s:
        async with s.house.page(agent="1001") as page:
            asked = ("c1", "c4", "none", "c1", "c4")
            for number, call in enumerate(asked):
                await page.send_message(json.dumps({"id": number, "do": "paper.watch", "call": call}))
            replies = [await heard(page) for _ in asked]
            assert [(each["id"], "ok" in each) for each in replies] == [
                (n, call != "none") for n, call in enumerate(asked)
            ]
            await s.edited("name", "Wang", 0)
            await s.edited("name", "Emma", 0, call="c4")
            assert await heard(page) == {"event": "paper.changed", "rev": 1, "call": "c4"}


async def test_a_page_that_is_gone_is_not_kept(data_dir: Path) -> None:
    def kept(name: str) -> int:
        gc.collect()
        return len([each for each in gc.get_objects() if type(each) is Session and each.id == name])

    async with scene(data_dir) as s:
        async with s.house.page(agent="1001") as page:
            assert (await watch(page, "c1"))["ok"] is True
            gone = s.house.desk.session
            assert kept(gone) == 1
        await s.house.desk.detached.wait()
        async with s.house.page(agent="1002") as page:
            with trio.fail_after(10):
                while kept(gone):
                    await watch(page, "")  # the hub remembers whom it let speak last


async def test_nobody_hears_of_what_it_may_not_see(data_dir: Path) -> None:
    async with scene(data_dir) as s, s.house.page(agent="1001") as page:
        for call in ("c2", "none"):
            refused = await watch(page, call)
            assert refused["error"]["code"] == "not_found"
        await s.edited("name", "Wang", 0)
        assert (await watch(page, "c1"))["ok"] is True  # and nothing before it


async def test_a_page_whose_questions_cannot_be_answered_is_told_so(data_dir: Path) -> None:
    async with house(data_dir) as h, h.page() as page:
        assert (await watch(page, "c1"))["error"]["code"] == "unavailable"
