"""Webhooks: what is signed, when what is not taken is tried again, and that nothing is lost or told twice."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import attrs
import pytest
import trio
import trio.testing
from attrs import define, field
from cordboard.actors.integrations import Webhook
from cordboard.actors.organisation import Organisation
from cordboard.actors.records import CallEntry, SurveyEntry
from cordboard.actors.store import Store
from cordboard.actors.store.database import StoreError
from cordboard.actors.store.outbox import KEEP_SECONDS, Letter, Standing, Waiting
from cordboard.actors.webhooks import GIVE_UP_SECONDS, Answer, Http, Webhooks, signature

from tests.receiver import receiver

T0 = 1_800_000_000.0
SECRET = "a secret of enough characters"
CALL = CallEntry("c1", "carrier", "inbound", "+8613912345678", "", "+861055501000", "support", T0)
ASKED = SurveyEntry("c1", "1001", "support", T0 + 60)
SAID = attrs.evolve(ASKED, answer="4", ended=T0 + 66)
TOOK, BROKEN, NOBODY = Answer(200), Answer(500), Answer(0, "connection refused")


def test_what_is_signed_is_what_the_standard_says() -> None:
    """The example of the Standard Webhooks specification."""
    body = b'{"event_type":"ping","data":{"success":true}}'
    made = signature("whsec_plJ3nmyCDGBKInavdOK15jsl", "msg_loFOjxBNrRLzqYUf", 1731705121, body)
    assert made == "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="


def test_a_secret_that_only_looks_like_base64_signs_as_it_is_written() -> None:
    assert signature("whsec_no base64 at all", "evt_1", 1, b"{}") != signature("no base64 at all", "evt_1", 1, b"{}")


# --- what becomes of a letter -------------------------------------------------------------------------------------


@define
class Box:
    """An outbox without a database."""

    letters: dict[tuple[str, str], tuple[Letter, float | None]] = field(factory=dict)
    taken_at: dict[str, float] = field(factory=dict)
    troubles: list[str] = field(factory=list)
    cleared: int = 0
    broken: bool = False
    on_letters: Callable[[], None] = lambda: None

    def put(self, name: str, webhook: str = "crm", at: float = T0) -> None:
        letter = Letter(webhook, name, f"https://{webhook}.example/", SECRET, "{}", at, 0)
        self.letters[webhook, name] = letter, at
        self.on_letters()

    async def waiting(self) -> Waiting:
        if self.broken:
            raise StoreError("database is locked")
        due: dict[str, float] = {}
        for letter, at in self.letters.values():
            if at is not None:
                due[letter.webhook] = min(at, due.get(letter.webhook, at))
        return Waiting(sum(at is not None for _, at in self.letters.values()), due)

    async def next(self, webhook: str, now: float) -> Letter | None:
        mine = [(at, letter) for letter, at in self.letters.values() if letter.webhook == webhook and at is not None]
        found = min(mine, default=None, key=lambda each: (each[0], each[1].id))
        return found[1] if found is not None and found[0] <= now else None

    async def taken(self, letter: Letter, now: float) -> None:
        if self.broken:
            raise StoreError("database is locked")
        self.taken_at[letter.id] = now - T0
        self.letters[letter.webhook, letter.id] = letter, None

    async def failed(self, letter: Letter, trouble: str, due: float | None) -> None:
        self.troubles.append(trouble)
        self.letters[letter.webhook, letter.id] = attrs.evolve(letter, tries=letter.tries + 1), due

    async def clear(self, now: float) -> None:
        self.cleared += 1

    async def trial(self, webhook: str, now: float) -> Letter | None:
        return Letter(webhook, "trial", f"https://{webhook}.example/", SECRET, "{}", now, 0)

    async def hurry(self, webhook: str, now: float) -> bool:
        for name, (letter, at) in self.letters.items():
            if letter.webhook == webhook and at is not None:
                self.letters[name] = letter, min(at, now)
        return True


@define
class Scene:
    box: Box
    hooks: Webhooks
    # What each webhook answers, the last for ever, and what came to it.
    answers: dict[str, list[Answer]]
    came: list[tuple[float, str, str]] = field(factory=list)
    alarms: list[str] = field(factory=list)
    takes: float = 0.0

    def alarm(self, text: str) -> None:
        if text not in self.alarms:
            self.alarms.append(text)

    def clear_alarm(self, text: str) -> None:
        if text in self.alarms:
            self.alarms.remove(text)

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> Answer:
        webhook = url.removeprefix("https://").partition(".")[0]
        self.came.append((round(trio.current_time(), 3), webhook, headers["webhook-id"]))
        at = int(headers["webhook-timestamp"])
        assert headers["webhook-signature"] == signature(SECRET, headers["webhook-id"], at, body)
        await trio.sleep(self.takes)
        answers = self.answers[webhook]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def when(self, letter: str) -> list[float]:
        return [at for at, _, each in self.came if each == letter]


@asynccontextmanager
async def scene(**answers: list[Answer]) -> AsyncIterator[Scene]:
    box = Box()
    made: Scene

    class Line:
        async def __call__(self, url: str, body: bytes, headers: dict[str, str]) -> Answer:
            return await made.post(url, body, headers)

        async def aclose(self) -> None: ...

    class Board:
        def alarm(self, text: str) -> None:
            made.alarm(text)

        def clear_alarm(self, text: str) -> None:
            made.clear_alarm(text)

    made = Scene(box, Webhooks(box, Board(), lambda: T0 + trio.current_time(), Line()), answers)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.hooks.run)
        yield made
        nursery.cancel_scope.cancel()


def run(story: Callable[[], Awaitable[None]]) -> None:
    trio.run(story, clock=trio.testing.MockClock(autojump_threshold=0))


def test_what_is_taken_is_told_once() -> None:
    async def story() -> None:
        async with scene(crm=[TOOK]) as on:
            on.box.put("a")
            on.box.put("b")
            await trio.sleep(100_000)
            assert [each for _, _, each in on.came] == ["a", "b"]
            assert on.hooks.counters == {"taken": 2, "failed": 0, "given_up": 0}
            assert (on.hooks.waiting, on.alarms) == (0, [])
            assert 27 <= on.box.cleared <= 29  # once an hour

    run(story)


def test_what_is_not_taken_is_tried_ever_more_rarely_and_told_of_at_the_second_time() -> None:
    async def story() -> None:
        async with scene(crm=[BROKEN, BROKEN, BROKEN, TOOK]) as on:
            on.box.put("a")
            await trio.sleep(4.9)
            assert on.alarms == []
            await trio.sleep(1)
            assert on.alarms == ["the webhook crm does not take what it is told: HTTP 500"]
            await trio.sleep(200)
            assert on.when("a") == [0, 5, 25, 105]
            assert on.alarms == []
            assert on.box.taken_at == {"a": 105}

    run(story)


def test_one_that_a_webhook_refuses_holds_up_no_other_and_no_other_webhook() -> None:
    async def story() -> None:
        async with scene(crm=[BROKEN, TOOK], other=[TOOK]) as on:
            on.takes = 1.0
            on.box.put("a")
            on.box.put("b")
            on.box.put("c", "other")
            await trio.sleep(60)
            assert (on.when("a"), on.when("b"), on.when("c")) == ([0, 6], [1], [0])

    run(story)


def test_where_nobody_answers_all_that_is_for_it_waits() -> None:
    async def story() -> None:
        async with scene(crm=[NOBODY, NOBODY, TOOK]) as on:
            for name in "abc":
                on.box.put(name)
            await trio.sleep(4)
            assert on.came == [(0, "crm", "a")]
            await trio.sleep(60)
            assert [at for at, _, _ in on.came] == [0, 5, 25, 25, 25]
            assert set(on.box.taken_at) == {"a", "b", "c"}
            assert on.box.troubles == ["connection refused"] * 2

    run(story)


def test_it_is_given_up_after_three_days() -> None:
    async def story() -> None:
        async with scene(crm=[BROKEN]) as on:
            on.box.put("a")
            await trio.sleep(GIVE_UP_SECONDS + 7200)
            tries = on.when("a")
            assert GIVE_UP_SECONDS - 3600 <= tries[-1] <= GIVE_UP_SECONDS
            assert max(b - a for a, b in pairwise(tries)) == pytest.approx(3600)
            assert on.hooks.counters == {"taken": 0, "failed": len(tries), "given_up": 1}
            assert on.alarms == []  # nothing waits any more

    run(story)


def test_a_database_that_cannot_be_written_makes_it_come_twice_and_never_not_at_all() -> None:
    async def story() -> None:
        async with scene(crm=[TOOK]) as on:
            on.box.put("a")
            on.box.broken = True
            await trio.sleep(0.5)
            assert on.box.taken_at == {}
            on.box.broken = False
            await trio.sleep(20)
            assert on.box.taken_at
            assert len(on.when("a")) in (1, 2)

    run(story)


def test_what_waits_is_told_at_once_when_somebody_wants_it() -> None:
    async def story() -> None:
        async with scene(crm=[NOBODY, NOBODY, NOBODY, TOOK], other=[TOOK]) as on:
            on.box.put("a")
            on.box.put("b")
            await trio.sleep(30)  # the next try would be 105 s after the first
            assert [at for at, _, _ in on.came] == [0, 5, 25]
            assert await on.hooks.hurry("crm")
            assert await on.hooks.hurry("other")  # has nothing to be told
            await trio.sleep(1)
            assert [at for at, _, _ in on.came] == [0, 5, 25, 30, 30]
            assert on.box.taken_at == {"a": 30, "b": 30}
            assert on.alarms == []

    run(story)


def test_a_test_tells_what_was_said_to_it_and_changes_nothing() -> None:
    async def story() -> None:
        async with scene(crm=[NOBODY, NOBODY, BROKEN, TOOK]) as on:
            on.box.put("a")
            await trio.sleep(6)
            (alarm,) = on.alarms
            assert await on.hooks.test("crm") == BROKEN
            assert await on.hooks.test("crm") == TOOK
            assert on.alarms == [alarm]
            assert on.hooks.counters == {"taken": 0, "failed": 2, "given_up": 0}
            await trio.sleep(30)
            assert [at for at, _, name in on.came if name == "trial"] == [6, 6]
            assert on.box.taken_at == {"a": 25}

    run(story)


# --- with the database, and by HTTP -------------------------------------------------------------------------------


async def bodies(store: Store, webhook: str = "crm") -> list[dict[str, object]]:
    found = []
    for at in range(10):
        letter = await store.outbox.next(webhook, T0 + 1000 + at)
        if letter is None:
            break
        found.append(json.loads(letter.body))
        await store.outbox.taken(letter, T0 + 1000)
    return found


@asynccontextmanager
async def opened(data: Path, *hooks: Webhook) -> AsyncIterator[Store]:
    async with await Store.open(data) as store:
        await store.import_organisation(Organisation(webhooks=hooks))
        yield store


def test_a_survey_that_is_over_is_one_letter_however_often_it_is_stated(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path, Webhook("crm", "https://crm.example/"), Webhook("bi", "https://bi.example/")) as on:
            rings: list[bool] = []
            on.outbox.on_letters = lambda: rings.append(True)
            await on.apply([CALL, ASKED])
            assert (await on.outbox.waiting()).letters == 0
            assert rings == []
            await on.apply([CALL, ASKED, SAID])
            await on.apply([SAID])
            assert (await on.outbox.waiting()) == Waiting(2, {"bi": T0 + 66, "crm": T0 + 66})
            assert rings
            assert await bodies(on) == [
                {
                    "type": "survey.ended",
                    "timestamp": "2027-01-15T08:01:06.000+00:00",
                    "data": {
                        "call": "c1",
                        "agent": "1001",
                        "queue": "support",
                        "began": T0 + 60,
                        "answer": "4",
                        "ended": T0 + 66,
                        "customer": "+8613912345678",
                        "direction": "inbound",
                        "dialled": "+861055501000",
                    },
                }
            ]
            await on.apply([SAID])  # said again after it was taken
            assert (await on.outbox.waiting()).due == {"bi": T0 + 66}
            await on.import_organisation(Organisation(webhooks=(Webhook("crm", "https://crm.example/"),)))
            assert (await on.outbox.waiting()).letters == 0  # nobody is there who could be told

    trio.run(story)


def test_what_is_over_is_kept_for_a_week(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path, Webhook("crm", "https://crm.example/")) as on:
            await on.apply([CALL, SAID])
            letter = await on.outbox.next("crm", T0 + 100)
            assert letter is not None
            await on.outbox.failed(letter, "HTTP 500", T0 + 200)
            assert await on.outbox.next("crm", T0 + 199) is None
            await on.outbox.clear(T0 + 66 + KEEP_SECONDS + 1)  # it waits still
            assert (await on.outbox.waiting()).letters == 1
            await on.outbox.failed(letter, "HTTP 500", None)
            await on.outbox.clear(T0 + 66 + KEEP_SECONDS - 1)
            await on.apply([SAID])
            assert (await on.outbox.waiting()).letters == 0
            await on.outbox.clear(T0 + 66 + KEEP_SECONDS + 1)
            await on.apply([SAID])
            assert (await on.outbox.waiting()).letters == 1

    trio.run(story)


def test_how_each_webhook_fares_is_told_without_what_is_secret(tmp_path: Path) -> None:
    hooks = (
        Webhook("crm", "https://crm.example/in?token=hidden", SECRET, ("survey.ended",)),
        Webhook("bi", "https://bi.example/", events=("voicemail.left",)),
    )

    async def story() -> None:
        async with opened(tmp_path, *hooks) as on:
            quiet = Standing("crm", "https://crm.example/in?…", True, ("survey.ended",), 0, None, None, "", None, 0)
            other = Standing("bi", "https://bi.example/", False, ("voicemail.left",), 0, None, None, "", None, 0)
            assert await on.outbox.standings() == (quiet, other)
            for call, at in ("c1", 66.0), ("c2", 70.0), ("c3", 80.0):
                await on.apply([attrs.evolve(CALL, call=call), attrs.evolve(SAID, call=call, ended=T0 + at)])
            waits = attrs.evolve(quiet, waiting=3, oldest=T0 + 66, due=T0 + 66)
            assert await on.outbox.standings() == (waits, other)
            first = await due(on, 66)
            await on.outbox.failed(first, "HTTP 500", T0 + 200)
            await on.outbox.taken(await due(on, 70), T0 + 100)
            stands = attrs.evolve(waits, waiting=2, due=T0 + 80, trouble="HTTP 500", taken=T0 + 100)
            assert await on.outbox.standings() == (stands, other)
            assert await on.outbox.hurry("crm", T0 + 90)
            assert await on.outbox.standings() == (stands, other)  # what was due before stays so
            assert (await due(on, 90)).made == T0 + 80
            await on.outbox.failed(first, "HTTP 410", None)
            over = attrs.evolve(stands, waiting=1, oldest=T0 + 80, trouble="", given_up=1)
            assert await on.outbox.standings() == (over, other)
            assert not await on.outbox.hurry("nobody", T0)
            assert await on.outbox.trial("nobody", T0) is None

    trio.run(story)


async def due(store: Store, seconds: float) -> Letter:
    """What is sent first, so long after the beginning."""
    letter = await store.outbox.next("crm", T0 + seconds)
    assert letter is not None
    return letter


def test_a_test_is_signed_and_looks_like_what_happens(tmp_path: Path) -> None:
    async def story(base: str) -> None:
        async with opened(tmp_path, Webhook("crm", f"{base}/hooks", SECRET)) as on:
            made = Webhooks(on.outbox, Nowhere(), lambda: T0 + 100)
            answer = await made.test("crm")
            assert (answer, await made.test("bi")) == (Answer(204), None)
            assert (await on.outbox.waiting()).letters == 0

    with receiver() as (base, came):
        trio.run(story, base)
    ((path, headers, body),) = came
    assert path == "/hooks"
    assert headers["webhook-id"].startswith("evt_")
    expected = signature(SECRET, headers["webhook-id"], int(headers["webhook-timestamp"]), body)
    assert headers["webhook-signature"] == expected
    assert json.loads(body) == {"type": "webhook.test", "timestamp": "2027-01-15T08:01:40.000+00:00", "data": {}}


class Nowhere:
    def alarm(self, text: str) -> None: ...

    def clear_alarm(self, text: str) -> None: ...


def test_it_goes_by_http_and_follows_no_redirection(tmp_path: Path) -> None:
    async def story(base: str) -> None:
        hooks = [Webhook("crm", f"{base}/hooks?a=b", SECRET), Webhook("gone", f"{base}/elsewhere")]
        async with opened(tmp_path, *hooks) as on, trio.open_nursery() as nursery:
            made = Webhooks(on.outbox, Nowhere(), lambda: T0 + 100)
            nursery.start_soon(made.run)
            await on.apply([CALL, SAID])
            with trio.fail_after(20):
                while made.counters["taken"] + made.counters["failed"] < 2:
                    await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
        assert made.counters == {"taken": 1, "failed": 1, "given_up": 0}

    with receiver() as (base, came):
        trio.run(story, base)
    assert sorted(path for path, _, _ in came) == ["/elsewhere", "/hooks?a=b"]
    headers, body = next((headers, body) for path, headers, body in came if path != "/elsewhere")
    assert headers["content-type"] == "application/json"
    expected = signature(SECRET, headers["webhook-id"], int(headers["webhook-timestamp"]), body)
    assert headers["webhook-signature"] == expected
    assert json.loads(body)["data"]["answer"] == "4"


def test_who_is_not_there_is_named() -> None:
    async def story() -> None:
        post = Http()
        for url in ("http://127.0.0.1:9/", "https://127.0.0.1:9/", "http://[::1", "http://\u2603.invalid/"):
            answer = await post(url, b"{}", {})
            assert not answer.took
            assert not answer.there
            assert str(answer)
        await post.aclose()

    trio.run(story)
