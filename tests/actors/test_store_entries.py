"""Entries in their tables: said twice is said once, any tail may be said again, and a start closes what was left."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import alembic.command
import alembic.config
import pytest
from attrs import evolve
from cordboard.actors.entries import Agent, Dialling, Trunk
from cordboard.actors.records import (
    CallEntry,
    DecisionEntry,
    Entry,
    HoldEntry,
    LegEntry,
    MessageEntry,
    MobileEntry,
    OfferEntry,
    Outcome,
    QualityEntry,
    RecordingEntry,
    RosterEntry,
    SoundEntry,
    StateEntry,
    SurveyEntry,
    TransferEntry,
)
from cordboard.actors.store import entries, schema
from cordboard.actors.store.database import FILE, MIGRATIONS, open_database, reading, writing
from cordboard.actors.store.organisations import read_organisation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, create_engine, delete, event, make_url, select
from sqlalchemy.schema import CreateTable

TABLES = tuple(entries.TABLES.values())

T0 = 1_800_000_000.0
CALL = CallEntry("c1", "carrier", "inbound", "+8613912345678", "", "+861055501000", "support", T0)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    made = open_database(tmp_path_factory.mktemp("entries"))
    yield made
    made.dispose()


@pytest.fixture(autouse=True)
def _empty(engine: Engine) -> None:
    empty(engine)


def empty(engine: Engine) -> None:
    with writing(engine) as connection:
        for table in TABLES:
            connection.execute(delete(table))


def write(engine: Engine, *stated: entries.Kept) -> None:
    with writing(engine) as connection:
        entries.write(connection, stated)


def everything(engine: Engine) -> list[list[tuple[object, ...]]]:
    with reading(engine) as connection:
        return [
            [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns))]
            for table in TABLES
        ]


# --- what may be stated -----------------------------------------------------------------------------------------

calls = st.sampled_from(["c1", "c2", "c3"])
agents = st.sampled_from(["1001", "1002"])
times = st.floats(0, 4e9)
maybe = st.none() | times
words = st.text(max_size=8) | st.sampled_from(["\ud800", "a\0b", "林"])
stated: st.SearchStrategy[list[Entry]] = st.lists(
    st.one_of(
        st.builds(
            CallEntry, call=calls, trunk=words, direction=words, caller=words, caller_name=words, dialled=words,
            queue=words, began=times, answered=maybe, ended=maybe, ended_by=words, cause=words, test=st.booleans(),
            recorded=st.booleans(),
        ),
        st.builds(LegEntry, call=calls, number=st.integers(0, 2), party=agents, began=times, ended=maybe, to=words),
        st.builds(
            TransferEntry, call=calls, number=st.integers(1, 2), kind=words, by=agents, at=times, agent=agents,
            queue=words, to=words, outcome=words, why=words, cause=words,
        ),
        st.builds(HoldEntry, call=calls, number=st.integers(1, 2), began=times, ended=maybe),
        st.builds(
            OfferEntry, call=calls, agent=agents, queue=words, offered=st.sampled_from([T0, T0 + 0.1, T0 + 1e-6]),
            outcome=st.sampled_from(Outcome), decided=maybe, ended=maybe,
        ),
        st.builds(
            StateEntry, agent=agents, number=st.integers(0, 3), since=times, state=words, reason=words, call=calls
        ),
        st.builds(
            QualityEntry, call=calls, party=agents, began=st.sampled_from([T0, T0 + 60]),
            points=st.binary(max_size=90),
        ),
        st.builds(
            DecisionEntry, call=calls, queue=words, at=st.sampled_from([T0, T0 + 1]), number=st.integers(0, 2),
            chosen=agents, roster=words, facts=st.binary(max_size=90),
        ),
        st.builds(
            SoundEntry, call=calls, party=agents, at=st.sampled_from([T0, T0 + 1]), comes=st.booleans(),
            goes=st.booleans(),
        ),
    ),
    max_size=30,
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stated, st.data())
def test_batches_and_a_replayed_tail_leave_what_one_by_one_leaves(
    engine: Engine, all_of_it: list[Entry], data: st.DataObject
) -> None:
    empty(engine)
    with writing(engine) as connection:
        for entry in all_of_it:
            entries.write(connection, [entry])
    expected = everything(engine)
    assert sum(map(len, expected)) == len({entries.key_of(entry) for entry in all_of_it})
    empty(engine)
    cut, again = (data.draw(st.integers(0, len(all_of_it))) for _ in range(2))
    write(engine, *all_of_it[:cut])  # then the process dies
    write(engine, *all_of_it[min(cut, again) :])  # and what may not have been kept is said again
    assert everything(engine) == expected
    write(engine, *all_of_it[again:])
    assert everything(engine) == expected


def test_every_field_comes_back(engine: Engine) -> None:
    said: list[entries.Kept] = [
        evolve(CALL, answered=T0 + 1.25, ended=T0 + 60.1, ended_by="caller", cause="hung up", recorded=True),
        LegEntry("c1", 1, "1001", T0 + 1.25, T0 + 60.1),
        HoldEntry("c1", 1, T0 + 20, T0 + 31.5),
        TransferEntry("c1", 1, "number", "1001", T0 + 40, "", "", "+8613800138000", "returned", "line_busy"),
        OfferEntry("c1", "1001", "support", T0 + 0.1, Outcome.ANSWERED, T0 + 1.25, T0 + 60.1),
        DecisionEntry("c1", "support", T0, 0, "1001", "r1", bytes(range(60))),
        RosterEntry("r1", "1001\n1002", T0),
        StateEntry("1001", 7, T0, "talking", "answered", "c1"),
        RecordingEntry("c1", "c1.opus", "opus", 9.5, 5_000_000_000, "c1.peaks"),
        QualityEntry("c1", "1001", T0, bytes(range(60))),
        SoundEntry("c1", "caller", T0 + 5, comes=False, goes=True),
        SurveyEntry("c1", "1001", "support", T0 + 60.2, "5", T0 + 66),
        MessageEntry("c1", "support", T0 + 70, T0 + 90),
        MobileEntry("1001", "+8613800138000", answering=True),
    ]
    write(engine, *said)
    with reading(engine) as connection:
        for entry, (kind, table) in zip(said, entries.TABLES.items(), strict=True):
            row = connection.execute(select(table)).mappings().one()
            values = {**row, "outcome": Outcome(row["outcome"])} if kind is OfferEntry else row
            assert kind(**values) == entry


def test_what_no_database_takes_is_written_as_a_question_mark(engine: Engine) -> None:
    write(engine, evolve(CALL, caller="\ud800", caller_name="a\0b"))
    with reading(engine) as connection:
        row = connection.execute(select(schema.calls)).one()
    assert (row.caller, row.caller_name) == ("?", "a?b")


# --- a start ----------------------------------------------------------------------------------------------------


def close_open(engine: Engine, now: float, live: Sequence[str] = (), agents: Sequence[str] = ()) -> int:
    with writing(engine) as connection:
        return entries.close_open(connection, now, live, agents)


OPEN: tuple[Entry, ...] = (
    evolve(CALL, answered=T0 + 5),
    LegEntry("c1", 0, "caller", T0),
    LegEntry("c1", 1, "1001", T0 + 5),
    HoldEntry("c1", 1, T0 + 6),
    OfferEntry("c1", "1002", "support", T0 + 1, Outcome.DECLINED, T0 + 2),
    OfferEntry("c1", "1001", "support", T0 + 3, Outcome.ANSWERED, T0 + 5),
)


def test_what_was_open_ended_at_the_last_moment_that_is_known(engine: Engine) -> None:
    write(engine, *OPEN, StateEntry("1003", 1, T0 + 90, "break", "lunch"))
    assert close_open(engine, T0 + 1000, agents=["1003"]) == 5
    with reading(engine) as connection:
        call = connection.execute(select(schema.calls)).one()
        assert (call.ended, call.ended_by, call.cause) == (T0 + 90, "system", "lost")
        assert set(connection.scalars(select(schema.legs.c.ended))) == {T0 + 90}
        assert connection.scalars(select(schema.holds.c.ended)).one() == T0 + 90
        offers = connection.execute(select(schema.offers).order_by(schema.offers.c.offered)).all()
        assert [(each.outcome, each.decided, each.ended) for each in offers] == [
            ("declined", T0 + 2, None),
            ("answered", T0 + 5, T0 + 90),
        ]
    assert close_open(engine, T0 + 1000, agents=["1003"]) == 0


def test_who_was_signed_in_is_signed_out_but_who_goes_on(engine: Engine) -> None:
    left = (
        StateEntry("1001", 1, T0, "idle", "signed in"),
        StateEntry("1001", 2, T0 + 5, "talking", "answered", "c1"),
        StateEntry("1002", 7, T0 + 1, "idle", "signed in"),
        StateEntry("1002", 8, T0 + 9, "signed_out", "signed out"),
        StateEntry("1003", 1, T0 + 2, "break", "chosen"),
    )
    write(engine, *left)
    assert close_open(engine, T0 + 1000, agents=["1003"]) == 1
    with reading(engine) as connection:
        newest = connection.execute(
            select(schema.agent_states).where(schema.agent_states.c.agent == "1001").order_by("number")
        ).all()[-1]
    assert tuple(newest) == ("1001", 3, T0 + 9, "signed_out", "restart", "")
    assert close_open(engine, T0 + 1000, agents=["1003"]) == 0


def test_an_offer_that_rang_is_given_up(engine: Engine) -> None:
    write(engine, CALL, OfferEntry("c1", "1001", "support", T0 + 3))
    assert close_open(engine, T0 + 1000) == 2
    with reading(engine) as connection:
        offer = connection.execute(select(schema.offers)).one()
    assert (offer.outcome, offer.decided, offer.ended) == ("returned", T0 + 3, T0 + 3)


def test_what_goes_on_stays_open(engine: Engine) -> None:
    write(engine, *OPEN)
    before = everything(engine)
    assert close_open(engine, T0 + 1000, ["c1"]) == 0
    assert everything(engine) == before


def test_nothing_ends_in_the_future_nor_before_it_began(engine: Engine) -> None:
    write(engine, *OPEN, StateEntry("1003", 1, T0 + 10**9, "idle", "a clock that was wrong"))
    close_open(engine, T0 + 50)
    with reading(engine) as connection:
        assert connection.scalars(select(schema.calls.c.ended)).one() == T0 + 50
    empty(engine)
    write(engine, *OPEN)
    close_open(engine, T0 - 50)
    with reading(engine) as connection:
        assert connection.scalars(select(schema.calls.c.ended)).one() == T0 + 5


def test_a_start_does_not_read_what_is_over(engine: Engine) -> None:
    write(engine, *OPEN, StateEntry("1001", 1, T0, "idle", ""), StateEntry("1002", 1, T0, "signed_out", ""))
    plans: list[str] = []

    def ask(connection: Connection, cursor: object, statement: str, parameters: tuple[object, ...], *_: object) -> None:
        if statement.startswith("SELECT"):
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            plans.extend(row[3] for row in driver.execute("EXPLAIN QUERY PLAN " + statement, parameters))

    event.listen(engine, "before_cursor_execute", ask)
    try:
        assert close_open(engine, T0 + 1000) == 6
    finally:
        event.remove(engine, "before_cursor_execute", ask)
    assert len(plans) >= 10
    assert [plan for plan in plans if plan.startswith("SCAN")] == []


def test_nothing_is_open_in_an_empty_database(engine: Engine) -> None:
    assert close_open(engine, T0) == 0


# --- the schema -------------------------------------------------------------------------------------------------


def test_a_database_of_the_first_version_keeps_its_data(tmp_path: Path) -> None:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    old = create_engine(f"sqlite:///{tmp_path / FILE}")
    with old.begin() as connection:
        config.attributes.update(connection=connection, metadata=schema.metadata)
        alembic.command.upgrade(config, "0001")
        connection.exec_driver_sql("INSERT INTO organisation VALUES (1, 'Harbour', 'Europe/London', 'GB', 'en')")
        connection.exec_driver_sql("INSERT INTO agents VALUES ('ann', 0, 'Ann', '', 'hash', 'agent', '')")
        connection.exec_driver_sql("INSERT INTO logins VALUES (x'00', 'ann', 9e9)")
        for at, proxy in enumerate(("", "sip:192.0.2.1")):
            connection.exec_driver_sql(
                f"INSERT INTO trunks VALUES ('t{at}', {at}, '[]', '{proxy}', 'user', 'secret', 0, 0, 1)"
            )
        connection.exec_driver_sql("INSERT INTO dialling VALUES (0, '+86', NULL)")
    old.dispose()
    engine = open_database(tmp_path)
    with reading(engine) as connection:
        assert connection.execute(select(schema.organisation.c.name)).scalar() == "Harbour"
        assert connection.execute(select(schema.logins.c.agent)).scalar() == "ann"
        organisation = read_organisation(connection)
        assert organisation.trunks == (
            Trunk("t0", username="user", password="secret"),
            Trunk("t1", proxy=("sip:192.0.2.1",), username="user", password="secret"),
        )
        assert organisation.agents == (Agent("ann", "Ann"),)
        assert organisation.dialling == (Dialling(allow="+86"),)
    write(engine, CALL)
    engine.dispose()
    with sqlite3.connect(tmp_path / FILE) as plain:
        assert plain.execute("SELECT caller FROM calls").fetchall() == [("+8613912345678",)]
    plain.close()


@pytest.mark.parametrize("table", schema.metadata.sorted_tables, ids=lambda table: table.name)
def test_postgresql_would_take_it_too(table: object) -> None:
    assert isinstance(table, type(schema.calls))
    dialect = make_url("postgresql+psycopg://").get_dialect()()
    assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=dialect))
    if table in TABLES:
        assert "ON CONFLICT" in str(entries.upsert("postgresql", table).compile(dialect=dialect))
