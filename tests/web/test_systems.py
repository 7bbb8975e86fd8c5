"""The systems that are told by webhooks, over HTTP, from a real store: whose they are, a test, and what is sent now."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from attrs import define, field
from cordboard.actors.integrations import Webhook
from cordboard.actors.organisation import Organisation
from cordboard.actors.othersystems import OtherSystems
from cordboard.actors.records import CallEntry, SurveyEntry
from cordboard.actors.store import Store
from cordboard.actors.webhooks import Answer, Webhooks

from .support import House, Response, Unheard, house

NOW = 1_800_000_000.0
SECRET = "a secret of enough characters"
CRM = Webhook("crm", "https://crm.example/in?token=hidden", SECRET)
CALL = CallEntry("c1", "carrier", "inbound", "+8613912345678", "", "+861055501000", "support", NOW)


@define
class Line:
    """Gives an answer to everything that is posted."""

    answer: Answer = field(factory=lambda: Answer(204))
    came: list[bytes] = field(factory=list)

    async def __call__(self, url: str, body: bytes, headers: dict[str, str]) -> Answer:
        self.came.append(body)
        return self.answer

    async def aclose(self) -> None: ...


@define
class Scene:
    house: House
    store: Store
    line: Line

    async def ask(self, target: str, agent: str, method: str = "GET", origin: str = "") -> Response:
        client = await self.house.http()
        headers = [("Authorization", f"Bearer {await self.house.token(agent)}")]
        return await client.ask(method, target, headers=[*headers, *([("Origin", origin)] if origin else [])])


@asynccontextmanager
async def scene(data_dir: Path) -> AsyncIterator[Scene]:
    """1002 is an administrator."""
    line = Line()
    async with await Store.open(data_dir, lambda: NOW) as store:
        await store.import_organisation(Organisation(webhooks=(CRM,)))
        await store.apply([CALL, SurveyEntry("c1", "1001", "support", NOW - 6, "4", NOW)])
        systems = OtherSystems(store.outbox, Webhooks(store.outbox, Unheard(), lambda: NOW + 9, line))
        async with house(data_dir, systems=systems) as h:
            h.book.roles["1002"] = "administrator"
            yield Scene(h, store, line)


async def test_an_administrator_sees_how_each_fares_and_no_secret(data_dir: Path) -> None:
    async with scene(data_dir) as s:
        answer = await s.ask("/api/webhooks", "1002")
        assert answer.json == {
            "webhooks": [
                {
                    "id": "crm", "url": "https://crm.example/in?…", "signed": True,
                    "events": ["survey.ended", "voicemail.left"], "waiting": 1, "oldest": NOW, "due": NOW,
                    "trouble": "", "taken": None, "given_up": 0,
                }
            ]
        }  # fmt: skip
        assert b"hidden" not in answer.body
        assert SECRET.encode() not in answer.body


async def test_a_test_gives_the_system_s_own_answer(data_dir: Path) -> None:
    async with scene(data_dir) as s:
        answer = await s.ask("/api/webhooks/crm/test", "1002", "POST")
        assert answer.json == {"taken": True, "status": 204, "trouble": ""}
        s.line.answer = Answer(0, "connection refused")
        answer = await s.ask("/api/webhooks/crm/test", "1002", "POST")
        assert answer.json == {"taken": False, "status": 0, "trouble": "connection refused"}
        assert [b"webhook.test" in body for body in s.line.came] == [True, True]


async def test_what_waits_is_due_at_once(data_dir: Path) -> None:
    async with scene(data_dir) as s:
        letter = await s.store.outbox.next("crm", NOW)
        assert letter is not None
        await s.store.outbox.failed(letter, "HTTP 500", NOW + 3600)
        assert (await s.ask("/api/webhooks/crm/send", "1002", "POST")).status == 204
        assert await s.store.outbox.next("crm", NOW + 9) is not None


@pytest.mark.parametrize(
    ("method", "target"), [("GET", "webhooks"), ("POST", "webhooks/crm/test"), ("POST", "webhooks/crm/send")]
)
async def test_they_are_administrators_alone(data_dir: Path, method: str, target: str) -> None:
    async with scene(data_dir) as s:
        for role in ("agent", "supervisor"):
            s.house.book.roles["1001"] = role
            answer = await s.ask(f"/api/{target}", "1001", method)
            assert (answer.status, answer.code) == (403, "not_allowed")
        client = await s.house.http()
        assert (await client.ask(method, f"/api/{target}")).status == 401
        assert s.line.came == []


@pytest.mark.parametrize("act", ["test", "send"])
async def test_what_is_none_and_what_comes_from_elsewhere(data_dir: Path, act: str) -> None:
    async with scene(data_dir) as s:
        assert (await s.ask(f"/api/webhooks/nobody/{act}", "1002", "POST")).status == 404
        assert (await s.ask(f"/api/webhooks/crm/{act}", "1002", "GET")).status == 405
        foreign = await s.ask(f"/api/webhooks/crm/{act}", "1002", "POST", "https://elsewhere.example")
        assert (foreign.status, foreign.code) == (403, "bad_origin")
        assert s.line.came == []
