"""The paperwork of calls in a real file: at which moment of a call who has it, and what outlives what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
from attrs import frozen
from cordboard.actors import page
from cordboard.actors.effects import Record
from cordboard.actors.organisation import parse_organisation
from cordboard.actors.records import CallEntry, OfferEntry, Outcome
from cordboard.actors.store import ConflictError, NotAllowedError, NotThereError, Store, StoreError, entries, papers
from cordboard.actors.store.database import FILE, open_database
from cordboard.actors.store.fields import Kind
from cordboard.actors.store.papers import Edit, NewTicket, Tag
from cordboard.actors.store.paperwork import Paper
from cordboard.sip.events import IncomingCall
from sqlalchemy import Connection, event

from .dialler import CUSTOMER, Far, dialling, rings_and_answers
from .party import Centre
from .playing import play
from .test_world import settle
from .world import World

NOW = 1_000_000.0
STAFF = parse_organisation("""
[[agent]]
id = "lin"
name = "Lin"
[[agent]]
id = "wei"
name = "Wei"
[[agent]]
id = "zoe"
role = "supervisor"
""")


@frozen
class Viewer:
    agent: str
    role: str = "agent"


LIN, WEI, ZOE = Viewer("lin"), Viewer("wei"), Viewer("zoe", "supervisor")


def told(data: Path, tell: Callable[[Store], Awaitable[None]]) -> None:
    """Runs `tell` with a store of the staff."""

    async def run() -> None:
        async with await Store.open(data, lambda: NOW) as store:
            await store.import_organisation(STAFF)
            await tell(store)

    trio.run(run)


def summary(text: str, version: int = 0) -> Edit:
    return Edit(Kind.SUMMARY, "text", text, version)


def note(text: str, version: int = 0) -> Edit:
    return Edit(Kind.CUSTOMER, "note", text, version)


def talked(call: str, agent: str = "lin", number: str = "+8613912345678") -> list[CallEntry | OfferEntry]:
    entry = CallEntry(call, "t", "inbound", number, "", "+861055501000", "support", NOW - 60, NOW - 50)
    return [entry, OfferEntry(call, agent, "support", NOW - 55, Outcome.ANSWERED, NOW - 50)]


# --- a call goes from one to the other --------------------------------------------------------------------------


@pytest.mark.parametrize("command", [page.Consult("wei"), page.Transfer("wei"), page.Invite("wei")])
def test_a_colleague_has_the_first_agents_notes_as_soon_as_it_rings(tmp_path: Path, command: page.Command) -> None:
    centre = Centre().begin()

    async def tell(store: Store) -> None:
        async def stated() -> None:
            await store.apply([each.entry for _, each in centre.said if isinstance(each, Record)])

        async def write(viewer: Viewer, text: str) -> Paper:
            return await store.papers.change(viewer, "c", summary(text))

        centre.call()
        await stated()
        assert (await store.papers.paper(LIN, "c")).writable is False
        with pytest.raises(NotAllowedError):
            await store.papers.paper(WEI, "c")
        centre.after(5)
        centre.do("lin", page.Answer())
        await stated()
        await write(LIN, "wants a refund")
        centre.do("lin", command)
        await stated()
        rings = await store.papers.paper(WEI, "c")
        assert [(each.name, each.text.value) for each in rings.summaries] == [("Lin", "wants a refund")]
        assert rings.writable is False
        with pytest.raises(NotAllowedError):
            await write(WEI, "too early")
        centre.do("wei", page.Answer())
        await stated()
        after = await write(WEI, "refunded")
        assert [each.text.value for each in after.summaries] == ["refunded", "wants a refund"]
        centre.end("call:c", "over")
        centre.run()
        await stated()
        for viewer in (LIN, WEI):
            assert (await store.papers.paper(viewer, "c")).writable is True

    told(tmp_path, tell)


def busy(far: Far, call: IncomingCall) -> None:
    far.refuse(call, 486)


def test_who_dials_may_write_while_it_rings_and_when_nobody_has_answered(tmp_path: Path) -> None:
    engine = open_database(tmp_path)

    async def story(world: World) -> None:
        lin = await world.sign_in("1001")
        far = Far(world, rings_and_answers)
        await settle(world)
        for act, moments in ((rings_and_answers, (1.0, 3.0)), (busy, (1.0,))):
            far.act = act
            await lin.ask(page.Dial(CUSTOMER))
            for seconds in moments:
                await settle(world, seconds)
                with engine.begin() as connection:
                    entries.write(connection, [each.entry for each in world.records])
                    call = [each.entry.call for each in world.records if isinstance(each.entry, CallEntry)][-1]
                    whose = papers._looks(connection, Viewer("1001"), call)
                    assert (whose.number, whose.direction) == (CUSTOMER, "outbound")
                    assert papers._writes(connection, Viewer("1001"), call)
                    assert not papers._writes(connection, Viewer("1002"), call)
            await lin.ask(page.HangUp())
            await settle(world)

    play(story, dialling())
    engine.dispose()


# --- what outlives what -----------------------------------------------------------------------------------------


def test_all_is_there_again_after_a_restart(tmp_path: Path) -> None:
    before: list[Paper] = []

    async def write(store: Store) -> None:
        await store.apply(talked("c1"))
        for change in (note("likes tea"), summary("a refund"), Tag("vip", True), NewTicket("k" * 16, "Refund", "")):
            await store.papers.change(LIN, "c1", change)
        before.append(await store.papers.paper(LIN, "c1"))

    async def read(store: Store) -> None:
        assert await store.papers.paper(LIN, "c1") == before[0]

    told(tmp_path, write)
    told(tmp_path, read)


def test_on_a_full_disk_nobody_is_told_that_it_is_stored_and_the_next_try_is_good(tmp_path: Path) -> None:
    async def tell(store: Store) -> None:
        await store.apply(talked("c1"))
        heard: list[str] = []
        store.papers.on_change = lambda whose: heard.append(whose.key)
        await store.papers.change(LIN, "c1", note("likes tea"))

        def fill(*tables: str) -> Callable[[Connection], None]:
            def change(connection: Connection) -> None:
                for table in tables:
                    for act in ("INSERT", "UPDATE"):
                        connection.exec_driver_sql(
                            f"CREATE TRIGGER full_{table}_{act} BEFORE {act} ON {table} "
                            "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
                        )

            return change

        tables = ("fields", "customer_tags", "tickets")
        await store.write(fill(*tables))
        for change in (note("likes coffee", 1), summary("a refund"), Tag("vip", True), NewTicket("k" * 16, "R", "")):
            with pytest.raises(StoreError, match="disk is full") as full:
                await store.papers.change(LIN, "c1", change)
            assert "refund" not in str(full.value)
        paper = await store.papers.paper(LIN, "c1")
        assert (paper.customer.fields.note.value, paper.customer.tags, paper.tickets) == ("likes tea", (), ())
        # what had become a version before the disk was full is none
        assert [each.value for each in await store.papers.versions(LIN, "c1", Kind.CUSTOMER, "note")] == ["likes tea"]

        def room(connection: Connection) -> None:
            for table in tables:
                for act in ("INSERT", "UPDATE"):
                    connection.exec_driver_sql(f"DROP TRIGGER full_{table}_{act}")

        await store.write(room)
        paper = await store.papers.change(LIN, "c1", note("likes coffee", 1))
        assert paper.customer.fields.note.value == "likes coffee"
        assert heard == ["number +8613912345678"] * 2

    told(tmp_path, tell)


def test_two_who_write_the_first_word_of_a_customer_at_once(tmp_path: Path) -> None:
    """One is stored, the other is shown it; there is one customer."""

    async def tell(store: Store) -> None:
        await store.apply([*talked("c1"), *talked("c2", "wei", "013912345678")])
        conflicts: list[Paper] = []

        async def write(viewer: Viewer, call: str, text: str) -> None:
            try:
                await store.papers.change(viewer, call, note(text))
            except ConflictError as conflict:
                conflicts.append(conflict.paper)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(write, LIN, "c1", "tea")
            nursery.start_soon(write, WEI, "c2", "coffee")
        lin, wei = await store.papers.paper(LIN, "c1"), await store.papers.paper(WEI, "c2")
        assert lin.customer == wei.customer == conflicts[0].customer
        assert len(conflicts) == 1

    told(tmp_path, tell)


def test_tags_that_others_use_are_known_at_once_and_the_most_used_come_first(tmp_path: Path) -> None:
    async def tell(store: Store) -> None:
        await store.apply([*talked("c1"), *talked("c2", number="+8613912345679")])
        assert (await store.papers.paper(LIN, "c2")).known_tags == ()
        for call, tag in (("c1", "vip"), ("c1", "angry"), ("c2", "vip")):
            await store.papers.change(LIN, call, Tag(tag, True))
        assert (await store.papers.paper(LIN, "c2")).known_tags == ("vip", "angry")
        paper = await store.papers.change(LIN, "c1", Tag("angry", False))
        assert (paper.known_tags, paper.customer.tags) == (("vip",), ("vip",))

    told(tmp_path, tell)


def test_what_changes_nothing_makes_no_customer(tmp_path: Path) -> None:
    async def tell(store: Store) -> None:
        await store.apply(talked("c1"))
        for change in (note(""), Tag("vip", False)):
            assert (await store.papers.change(LIN, "c1", change)).customer.customer == ""
        with pytest.raises(ConflictError):
            await store.papers.change(LIN, "c1", note("tea", 3))
        assert (await store.papers.paper(LIN, "c1")).customer.customer == ""

    told(tmp_path, tell)


def test_who_oversees_writes_under_its_own_name(tmp_path: Path) -> None:
    async def tell(store: Store) -> None:
        await store.apply(talked("c1"))
        await store.papers.change(LIN, "c1", summary("a refund"))
        paper = await store.papers.change(ZOE, "c1", summary("well done"))
        assert [(each.agent, each.text.value) for each in paper.summaries] == [
            ("zoe", "well done"),
            ("lin", "a refund"),
        ]
        with pytest.raises(NotThereError):
            await store.papers.paper(ZOE, "none")

    told(tmp_path, tell)


def test_the_queries_of_a_paper_use_their_indices(tmp_path: Path) -> None:
    """Whatever is kept of other customers."""

    async def tell(store: Store) -> None:
        await store.apply([*talked("c1"), *talked("c2")])
        for change in (note("tea"), Tag("vip", True), NewTicket("k" * 16, "Refund", ""), summary("a refund")):
            await store.papers.change(LIN, "c1", change)
        asked: list[str] = []

        @event.listens_for(store._engine, "before_cursor_execute")
        def before(connection: object, cursor: object, statement: str, *more: object) -> None:
            asked.append(statement)

        await store.papers.paper(LIN, "c2")
        await store.papers.change(LIN, "c2", NewTicket("l" * 16, "Another", ""))
        await store.papers.change(LIN, "c2", note("coffee", 1))
        await store.papers.versions(LIN, "c2", Kind.CUSTOMER, "note")
        event.remove(store._engine, "before_cursor_execute", before)
        # of two rows one each; known tags are counted when one is added or removed, and by no other question
        small = ("SCAN CONSTANT ROW", "SCAN organisation", "SCAN agents", "SCAN queues")
        for statement in {each for each in asked if each.startswith(("SELECT", "UPDATE", "DELETE"))}:

            def plan(connection: Connection, statement: str = statement) -> list[str]:
                values = (None,) * statement.count("?")
                rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
                return [row[3] for row in rows]

            steps = await store.read(plan)
            assert [step for step in steps if step.startswith("SCAN") and not step.startswith(small)] == [], statement

    told(tmp_path, tell)


def test_the_file_has_what_was_answered(tmp_path: Path) -> None:
    """Whatever becomes of the process then: what is answered is synced."""

    async def tell(store: Store) -> None:
        await store.apply(talked("c1"))
        await store.papers.change(LIN, "c1", note("likes tea"))
        copy = tmp_path / "copy"
        copy.mkdir()
        for file in tmp_path.glob(f"{FILE}*"):
            (copy / file.name).write_bytes(file.read_bytes())
        async with await Store.open(copy, lambda: NOW) as other:
            assert (await other.papers.paper(LIN, "c1")).customer.fields.note.value == "likes tea"

    told(tmp_path, tell)
