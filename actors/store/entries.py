"""Entries of `records.py` into their tables. Runs inside a transaction of the caller's.

A column is named as the field it keeps. Each entry is written whole under its key, whether that is new or not, so any
tail of what was stated may be written again and the tables are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cache
from operator import attrgetter
from typing import assert_never

import attrs
from attrs import evolve
from sqlalchemy import ColumnElement, Connection, Dialect, Insert, RowMapping, Table, and_, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from .. import page
from ..records import (
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
from . import schema

Kept = Entry | RecordingEntry
# What begins and ends.
Lasting = CallEntry | LegEntry | HoldEntry | OfferEntry | StateEntry | SurveyEntry | MessageEntry
SIGNED_OUT = page.State.SIGNED_OUT.value

TABLES: dict[type[Kept], Table] = {
    CallEntry: schema.calls,
    LegEntry: schema.legs,
    HoldEntry: schema.holds,
    TransferEntry: schema.transfers,
    OfferEntry: schema.offers,
    DecisionEntry: schema.decisions,
    RosterEntry: schema.rosters,
    StateEntry: schema.agent_states,
    RecordingEntry: schema.recordings,
    QualityEntry: schema.qualities,
    SoundEntry: schema.sounds,
    SurveyEntry: schema.surveys,
    MessageEntry: schema.messages,
    MobileEntry: schema.mobiles,
}
_KEYS: dict[type[Kept], Callable[[Kept], object]] = {
    kind: attrgetter(*(column.name for column in table.primary_key.columns)) for kind, table in TABLES.items()
}

Key = tuple[object, ...]


def key_of(entry: Kept) -> Key:
    """What the entry replaces: one entry of each key is all that needs to be written."""
    kind = type(entry)
    return kind, _KEYS[kind](entry)


def write(connection: Connection, entries: Iterable[Kept]) -> None:
    """Keeps the entries; of several of one key the last."""
    rows: dict[type[Kept], dict[Key, Kept]] = {kind: {} for kind in TABLES}
    for entry in entries:
        rows[type(entry)][key_of(entry)] = entry
    for kind, newest in rows.items():
        if newest:
            text, cells = _statement(connection.dialect, TABLES[kind])
            connection.exec_driver_sql(text, [tuple(map(_cell, cells(entry))) for entry in newest.values()])


@cache
def _statement(dialect: Dialect, table: Table) -> tuple[str, Callable[[Kept], tuple[object, ...]]]:
    """What keeps rows of a table, as the driver takes it, and what gives it the fields of each in their places: written
    out once, since rows are written by the thousand each second and their values need no conversion."""
    compiled = upsert(dialect.name, table).compile(dialect=dialect)
    assert compiled.positiontup is not None, "the drivers of our databases count parameters"
    return str(compiled), attrgetter(*compiled.positiontup)


def upsert(dialect: str, table: Table) -> Insert:
    """A whole row in the place of the one that has its key, if any."""
    insert = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    keys = list(table.primary_key.columns)
    rest = {column.name: insert.excluded[column.name] for column in table.columns if column not in keys}
    return insert.on_conflict_do_update(index_elements=keys, set_=rest)


def _cell(value: object) -> object:
    if isinstance(value, Outcome):
        return value.value
    if isinstance(value, str) and (not value.isascii() or "\0" in value):
        # What came by the wire may hold what no database takes: half of a surrogate pair, and NUL for PostgreSQL.
        return value.encode("utf-8", "replace").decode().replace("\0", "?")
    return value


def mobiles(connection: Connection) -> tuple[MobileEntry, ...]:
    """What agents have bound."""
    return tuple(MobileEntry(**row) for row in connection.execute(select(schema.mobiles)).mappings())


def close_open(
    connection: Connection, now: float, live_calls: Collection[str], live_agents: Collection[str] = ()
) -> int:
    """Ends what is open of calls that are not `live_calls`: by "system", for the cause "lost"; and signs out who is
    none of the `live_agents`. Gives how many rows.

    The process that knew them is gone. It lived until the last moment that any row tells of, so that is when they
    ended, though not in a future that a wrong clock once wrote. An offer that rang was given up.
    """
    calls, legs, holds, offers = schema.calls, schema.legs, schema.holds, schema.offers
    rang = offers.c.outcome == Outcome.RINGING.value
    talked = offers.c.outcome == Outcome.ANSWERED.value
    opened: list[CallEntry | LegEntry | HoldEntry | OfferEntry | SurveyEntry | MessageEntry] = [
        *(CallEntry(**row) for row in _mappings(connection, calls, calls.c.ended.is_(None))),
        *(LegEntry(**row) for row in _mappings(connection, legs, legs.c.ended.is_(None))),
        *(HoldEntry(**row) for row in _mappings(connection, holds, holds.c.ended.is_(None))),
        *(SurveyEntry(**row) for row in _mappings(connection, schema.surveys, schema.surveys.c.ended.is_(None))),
        *(MessageEntry(**row) for row in _mappings(connection, schema.messages, schema.messages.c.ended.is_(None))),
        *(
            OfferEntry(**{**row, "outcome": Outcome(row["outcome"])})
            for row in _mappings(connection, offers, and_(offers.c.ended.is_(None), or_(rang, talked)))
        ),
    ]
    lost: list[Lasting] = [entry for entry in opened if entry.call not in live_calls]
    lost += [state for state in _signed_in(connection) if state.agent not in live_agents]
    transfers = schema.transfers
    given = and_(transfers.c.outcome == "ringing", transfers.c.call.not_in(live_calls))
    connection.execute(update(transfers).where(given).values(outcome="abandoned"))
    if lost:
        last = min(now, _last_moment(connection, lost))
        write(connection, [_ended(entry, last) for entry in lost])
    return len(lost)


def _signed_in(connection: Connection) -> list[StateEntry]:
    """The newest state of each agent who is not signed out. From agent to agent, not through all their states."""
    states = schema.agent_states
    found: list[StateEntry] = []
    agent = connection.execute(select(func.min(states.c.agent))).scalar()
    while agent is not None:
        newest = select(states).where(states.c.agent == agent).order_by(states.c.number.desc()).limit(1)
        state = StateEntry(**connection.execute(newest).mappings().one())
        if state.state != SIGNED_OUT:
            found.append(state)
        agent = connection.execute(select(func.min(states.c.agent)).where(states.c.agent > agent)).scalar()
    return found


def _mappings(connection: Connection, table: Table, where: ColumnElement[bool]) -> Sequence[RowMapping]:
    return connection.execute(select(table).where(where)).mappings().all()


def _last_moment(connection: Connection, lost: Sequence[Lasting]) -> float:
    """Of calls that are over and states that have begun, by their indices, and of all that is lost."""
    calls, legs, offers, states = schema.calls, schema.legs, schema.offers, schema.agent_states
    ends = (calls.c.began, calls.c.ended, legs.c.ended, offers.c.ended, states.c.since)
    found = [connection.execute(select(func.max(each))).scalar() for each in ends]
    found += [value for entry in lost for value in attrs.asdict(entry).values() if isinstance(value, float)]
    return max(float(each) for each in found if each is not None)


def _ended(entry: Lasting, last: float) -> Lasting:
    match entry:
        case StateEntry():
            return StateEntry(entry.agent, entry.number + 1, max(last, entry.since), SIGNED_OUT, "restart")
        case CallEntry():
            ended = max(last, entry.answered or entry.began)
            return evolve(entry, ended=ended, ended_by="system", cause="lost")
        case SurveyEntry():
            return evolve(entry, answer="lost", ended=max(last, entry.began))
        case LegEntry() | HoldEntry() | MessageEntry():
            return evolve(entry, ended=max(last, entry.began))
        case OfferEntry(outcome=Outcome.ANSWERED):
            return evolve(entry, ended=max(last, entry.decided or entry.offered))
        case OfferEntry():
            over = max(last, entry.offered)
            return evolve(entry, outcome=Outcome.RETURNED, decided=over, ended=over)
        case _:
            assert_never(entry)
