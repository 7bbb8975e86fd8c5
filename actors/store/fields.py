"""What is typed of customers, calls and tickets: fields, each with a version. Inside a transaction of the caller's.

An edit names the version that it was made from. If that is the newest, the value is stored as the next one; what is
stored already is accepted and changes nothing, so that it may be said again by whoever lost the answer. Anything else
is a conflict: nothing is stored, and whoever typed it sees what somebody else has typed meanwhile and chooses.

Every value that was stored can be read again, but for those before the newest `KEPT`. Only what the same agent types on
in the same call takes the place of its own newest value without a trace, or each pause in typing would be a version:
within `RUN_SECONDS` of the first of them, and not where more than half of the text goes, taken away or written over.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from enum import Enum
from itertools import takewhile
from typing import Final

from attrs import frozen
from sqlalchemy import ColumnElement, Connection, RowMapping, Table, and_, bindparam, delete, insert, select, update

from . import schema


class Kind(Enum):
    """What a field is of."""

    CUSTOMER = "customer"
    SUMMARY = "summary"
    TICKET = "ticket"


class Status(Enum):
    """Of a ticket."""

    OPEN = "open"
    WAITING = "waiting"
    DONE = "done"


# How long a value may be, in characters; those of `ONE_LINE` have no line breaks.
LIMITS: Final = {
    Kind.CUSTOMER: {"name": 100, "company": 100, "email": 254, "address": 4000, "note": 4000},
    Kind.SUMMARY: {"text": 4000},
    Kind.TICKET: {"title": 200, "text": 4000, "status": 16},
}
ONE_LINE: Final = frozenset({"name", "company", "email", "title", "status"})
# What one agent types on in one call within this time, in seconds, is one version.
RUN_SECONDS: Final = 60.0
# Versions of a field that are told; and those before the newest one that are kept, more than people make in years, and
# not more than a script makes in an hour.
VERSIONS: Final = 50
KEPT: Final = 500
# What turns the writing round, which in one line makes of a name another (Unicode Bidirectional Algorithm, §2).
_TURNS: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class BadEditError(Exception):
    """What was to be written is not stored; the text names what is wrong with it, and not the value."""

    def __init__(self, name: str, wrong: str) -> None:
        super().__init__(f"{name}: {wrong}")


class Put(Enum):
    """What became of an edit."""

    STORED = "stored"
    SAME = "same"
    CONFLICT = "conflict"


@frozen
class Place:
    """Which field. `of` is a customer, a ticket, or the call of a summary, whose `field` is its agent."""

    kind: Kind
    of: str
    field: str


@frozen
class Author:
    """Which agent writes, in which call, and when."""

    agent: str
    call: str
    at: float


@frozen
class Field:
    """A field as it stands: whose value, and since when; version 0 where nothing was ever written."""

    value: str = ""
    version: int = 0
    agent: str = ""
    name: str = ""
    at: float = 0.0


@frozen
class Version:
    """A value that a field has, or had."""

    value: str
    version: int
    agent: str
    name: str
    at: float
    call: str


def check(kind: Kind, field: str, value: str) -> None:
    """Raises BadEditError."""
    limit = LIMITS[kind].get(field)
    if limit is None:
        raise BadEditError("field", f"is not {' or '.join(LIMITS[kind])}.")
    if len(value) > limit:
        raise BadEditError(field, f"is longer than {limit} characters.")
    check_text(field, value, lines=field not in ONE_LINE)
    if field == "title" and not value.strip():
        raise BadEditError(field, "is empty.")
    if field == "email" and value and "@" not in value:
        raise BadEditError(field, "has no @.")
    if field == "status" and value not in [each.value for each in Status]:
        raise BadEditError(field, f"is not {' or '.join(each.value for each in Status)}.")


def check_text(name: str, value: str, *, lines: bool = False) -> None:
    """Raises BadEditError where something of it is no text: a control character, or half of a surrogate pair. With
    `lines`, line feeds and tabs are, and what turns the writing round."""
    allowed = "\n\t" if lines else ""
    if not lines and not _TURNS.isdisjoint(value):
        raise BadEditError(name, "has a character that turns the writing round.")
    if any(unicodedata.category(each) in ("Cc", "Cs") and each not in allowed for each in value):
        raise BadEditError(name, "has a control character.")


def put(connection: Connection, place: Place, value: str, version: int, by: Author) -> Put:
    """An edit of a value that was checked, made from the `version`."""
    newest = connection.execute(select(schema.fields).where(_at(schema.fields, place))).mappings().first()
    if value == (newest["value"] if newest is not None else ""):
        return Put.SAME
    if version != (newest["version"] if newest is not None else 0):
        return Put.CONFLICT
    written = {"value": value, "agent": by.agent, "call": by.call, "at": by.at, "since": by.at}
    if newest is None:
        key = {"kind": place.kind.value, "of": place.of, "field": place.field}
        connection.execute(insert(schema.fields).values(**key, version=1, **written))
        return Put.STORED
    if _types_on(newest, value, by):
        written["since"] = newest["since"]
    else:
        kept = {column.name: newest[column.name] for column in schema.field_versions.columns}
        connection.execute(insert(schema.field_versions).values(**kept))
        _drop_oldest(connection, place)
    next_ = update(schema.fields).where(_at(schema.fields, place)).values(version=newest["version"] + 1, **written)
    connection.execute(next_)
    return Put.STORED


def _drop_oldest(connection: Connection, place: Place) -> None:
    """What is older than those that are kept."""
    kept = schema.field_versions
    of = select(kept.c.version).where(_at(kept, place))
    oldest = connection.scalar(of.order_by(kept.c.version.desc()).offset(KEPT).limit(1))
    if oldest is not None:
        connection.execute(delete(kept).where(_at(kept, place), kept.c.version <= oldest))


def _types_on(newest: RowMapping, value: str, by: Author) -> bool:
    same = (newest["agent"], newest["call"]) == (by.agent, by.call)
    return (
        same
        and 0 <= by.at - newest["since"] < RUN_SECONDS
        and 2 * _stays(newest["value"], value) >= len(newest["value"])
    )


def _stays(before: str, after: str) -> int:
    """How many characters of the text stand at its beginning and its end still."""
    begins = _alike(before, after)
    return begins + _alike(before[begins:][::-1], after[begins:][::-1])


def _alike(one: str, other: str) -> int:
    """With how many characters both begin."""
    return sum(1 for _ in takewhile(lambda each: each[0] == each[1], zip(one, other, strict=False)))


# Each paper asks three or four times: what takes longest is to make the question.
_READ: Final = (
    select(
        *(schema.fields.c[name] for name in ("of", "field", "value", "version", "agent", "at")), schema.agents.c.name
    )
    .outerjoin(schema.agents, schema.agents.c.id == schema.fields.c.agent)
    .where(schema.fields.c.kind == bindparam("kind"), schema.fields.c.of.in_(bindparam("all_of", expanding=True)))
    .order_by(schema.fields.c.of, schema.fields.c.field)
)


def read(connection: Connection, kind: Kind, of: Sequence[str]) -> dict[tuple[str, str], Field]:
    """The fields of these, by what they are of and their names."""
    if not of:
        return {}
    return {
        (row.of, row.field): Field(row.value, row.version, row.agent, row.name or row.agent, row.at)
        for row in connection.execute(_READ, {"kind": kind.value, "all_of": of})
    }


def versions(connection: Connection, place: Place) -> tuple[Version, ...]:
    """The newest values of a field, the newest first."""
    found: list[Version] = []
    for table in (schema.fields, schema.field_versions):
        asked = (
            select(table.c.value, table.c.version, table.c.agent, schema.agents.c.name, table.c.at, table.c.call)
            .outerjoin(schema.agents, schema.agents.c.id == table.c.agent)
            .where(_at(table, place))
            .order_by(table.c.version.desc())
            .limit(VERSIONS - len(found))
        )
        found += [
            Version(row.value, row.version, row.agent, row.name or row.agent, row.at, row.call)
            for row in connection.execute(asked)
        ]
    return tuple(found)


def _at(table: Table, place: Place) -> ColumnElement[bool]:
    return and_(table.c.kind == place.kind.value, table.c.of == place.of, table.c.field == place.field)
