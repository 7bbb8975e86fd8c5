"""The ledger against a real file: nothing stated is lost, whatever the database says, and `committed` is true."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing
from attrs import define, evolve, field
from cordboard.actors.effects import Record
from cordboard.actors.records import CallEntry
from cordboard.actors.store import Store, database, ledger, parts, schema, told
from cordboard.actors.store.database import FILE
from cordboard.actors.store.entries import Kept
from cordboard.actors.store.ledger import GATHER_SECONDS, Ledger
from sqlalchemy import func, select

T0 = 1_800_000_000.0


def call(number: int, ended: float | None = None) -> CallEntry:
    entry = CallEntry(f"c{number}", "carrier", "inbound", "+8613912345678", "", "+861055501000", "support", T0 + number)
    return evolve(entry, ended=ended)


@define
class Scene:
    """A store whose ledger runs, and what it told."""

    store: Store
    commits: list[int] = field(factory=list)
    alarms: list[str] = field(factory=list)
    cleared: list[str] = field(factory=list)

    def keep(self, *entries: CallEntry) -> None:
        for entry in entries:
            self.store.ledger.keep(Record(entry))

    async def until(self, truth: Callable[[], bool]) -> None:
        with trio.fail_after(10):
            while not truth():
                await trio.sleep(0.002)

    async def rows(self) -> int:
        return await self.store.read(lambda c: c.execute(select(func.count()).select_from(schema.calls)).scalar() or 0)


@asynccontextmanager
async def scene(data: Path) -> AsyncIterator[Scene]:
    async with await Store.open(data) as store, trio.open_nursery() as nursery:
        made = Scene(store)
        store.ledger.on_commit = made.commits.append
        nursery.start_soon(store.ledger.run, made.alarms.append, made.cleared.append)
        yield made
        nursery.cancel_scope.cancel()


def story(data: Path, tell: Callable[[Scene], Awaitable[None]]) -> None:
    async def run() -> None:
        async with scene(data) as made:
            await tell(made)

    trio.run(run)


def kept(data: Path) -> list[str]:
    with sqlite3.connect(data / FILE) as connection:
        found = connection.execute("SELECT call FROM calls ORDER BY began").fetchall()
    connection.close()
    return [name for (name,) in found]


def test_what_is_stated_at_once_is_committed_together(tmp_path: Path) -> None:
    async def tell(s: Scene) -> None:
        s.keep(call(0))
        await s.until(lambda: s.store.ledger.committed == 1)
        s.keep(*(call(number) for number in range(100)))
        s.keep(*(call(number, ended=T0 + 500) for number in range(100)))
        await s.until(lambda: s.store.ledger.behind == 0)
        assert s.commits == [1, 201]
        assert await s.rows() == 100
        open_rows = select(func.count()).where(schema.calls.c.ended.is_(None))
        assert await s.store.read(lambda connection: connection.execute(open_rows).scalar()) == 0

    story(tmp_path, tell)


def test_what_is_stated_while_it_writes_comes_with_the_next(tmp_path: Path) -> None:
    async def run() -> None:
        written: list[list[Kept]] = []
        busy, go = trio.Event(), trio.Event()

        async def write(entries: Sequence[Kept]) -> None:
            written.append([*entries])
            busy.set()
            await go.wait()

        book = Ledger(write)
        async with trio.open_nursery() as nursery:
            book.keep(Record(call(1)))
            nursery.start_soon(book.run, print, print)
            began = trio.current_time()
            await busy.wait()
            assert trio.current_time() - began <= 0.1
            newer = call(1, ended=T0 + 9)
            book.keep(Record(newer))
            go.set()
            await trio.testing.wait_all_tasks_blocked()
            assert (book.committed, book.behind) == (1, 1)
            await trio.sleep(2 * GATHER_SECONDS)
            assert written == [[call(1)], [newer]]
            assert book.behind == 0
            nursery.cancel_scope.cancel()

    trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0))


def test_an_orderly_stop_writes_what_waits(tmp_path: Path) -> None:
    async def tell(s: Scene) -> None:
        s.keep(*(call(number) for number in range(50)))

    story(tmp_path, tell)
    assert len(kept(tmp_path)) == 50


def test_a_locked_database_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.01)

    async def tell(s: Scene) -> None:
        other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        s.keep(*(call(number) for number in range(10)))
        await s.until(lambda: s.store.ledger.failures >= 2)
        assert len(s.alarms) == 1
        assert s.alarms[0].endswith("database is locked")
        assert s.store.ledger.failing
        assert s.store.ledger.behind == 10
        other.execute("ROLLBACK")
        other.close()
        await s.until(lambda: s.store.ledger.behind == 0)
        assert (s.cleared, s.store.ledger.failing) == (s.alarms, "")
        assert await s.rows() == 10

    story(tmp_path, tell)


def test_a_stop_while_it_cannot_be_written_tries_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.01)

    async def run() -> None:
        async with trio.open_nursery() as nursery:
            async with scene(tmp_path) as s:
                other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
                other.execute("BEGIN IMMEDIATE")
                s.keep(call(1))
                await s.until(lambda: s.store.ledger.failures == 1)

                async def release() -> None:
                    await s.until(lambda: s.store.ledger.failures >= 3)
                    other.execute("ROLLBACK")
                    other.close()

                nursery.start_soon(release)

    trio.run(run)
    assert kept(tmp_path) == ["c1"]


def test_beyond_the_bound_new_rows_are_lost_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "MAX_WAITING", 3)

    async def tell(s: Scene) -> None:
        await trio.testing.wait_all_tasks_blocked()
        s.keep(*(call(number) for number in range(5)))
        s.keep(call(2, ended=T0 + 9))  # a row that waits already
        assert (s.store.ledger.lost, s.store.ledger.behind, s.store.ledger.kept) == (2, 3, 6)
        assert s.store.ledger.unsafe == [(1, call(0)), (2, call(1)), (6, call(2, ended=T0 + 9))]
        assert s.alarms == ["records are lost: 3 rows wait for the database, and no more can"]
        await s.until(lambda: s.store.ledger.behind == 0)
        s.keep(call(9))
        await s.until(lambda: s.store.ledger.behind == 0)

    story(tmp_path, tell)
    assert kept(tmp_path) == ["c0", "c1", "c2", "c9"]


def test_the_last_word_on_a_recording_counts_and_is_no_statement_of_an_actor(tmp_path: Path) -> None:
    async def tell(s: Scene) -> None:
        s.keep(call(1), call(2))
        s.store.ledger.recording_lost("c1", "no sound was found")
        s.store.ledger.recording_ready("c1", "c1.opus", "opus", 9.5, 12345, "c1.peaks", "")
        s.store.ledger.recording_lost("c2", "damaged")
        await s.until(lambda: s.store.ledger.behind == 0)
        assert s.commits == [2]
        found = [await s.store.read(partial(parts.recording, call=f"c{number}")) for number in (1, 2)]
        assert found == [
            told.Recording(told.Sound.READY, "c1.opus", "opus", 9.5, 12345, "c1.peaks", ""),
            told.Recording(told.Sound.LOST, reason="damaged"),
        ]

    story(tmp_path, tell)
