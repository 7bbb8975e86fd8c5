"""What other systems are to be told, on its way to them.

A letter is put here in the transaction that keeps what it tells of, for each webhook that wants it: neither is there
without the other, and what is stated twice, as after a crash, is one letter. `webhooks.py` takes them from here. One
that was taken, or given up, stays for `KEEP_SECONDS`, so that an entry that comes again meets it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs
from attrs import frozen
from sqlalchemy import Connection, case, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ..integrations import SURVEY_ENDED, TEST, VOICEMAIL_LEFT
from ..records import MessageEntry, SurveyEntry
from ..voicemail import was_left
from . import schema
from .entries import Kept

if TYPE_CHECKING:
    from .store import Store

# How long a letter stays when nothing more is done about it.
KEEP_SECONDS = 7 * 86400.0

hooks, letters = schema.webhooks, schema.deliveries


@frozen
class Letter:
    """One event for one webhook; `id` is the event's, the same however often and to whomever it is sent."""

    webhook: str
    id: str
    url: str
    secret: str = attrs.field(repr=False)
    body: str = attrs.field(repr=False)
    made: float
    tries: int


@frozen
class Waiting:
    """How many letters wait, and when the next of each webhook is to be tried."""

    letters: int
    due: dict[str, float]


@frozen
class Standing:
    """How one webhook fares, for whoever administers it: nothing here is secret, nor from a call.

    `waiting` letters are not taken yet, the oldest of them made at `oldest`; the next try is `due`, and the last one of
    what waits met `trouble`. `taken` is when it took a letter last, `given_up` how many it never took, of those kept.
    """

    id: str
    url: str
    signed: bool
    events: tuple[str, ...]
    waiting: int
    oldest: float | None
    due: float | None
    trouble: str
    taken: float | None
    given_up: int


def put(connection: Connection, stated: Iterable[Kept]) -> int:
    """Makes the letters that tell of what was stated, after that is written; gives how many events there were."""
    events = 0
    for entry in stated:
        match entry:
            case SurveyEntry(ended=float(ended)):
                _put(connection, SURVEY_ENDED, entry.call, ended, _about(connection, entry))
            case MessageEntry(ended=float(ended)) if was_left(entry):
                _put(connection, VOICEMAIL_LEFT, entry.call, ended, _about(connection, entry))
            case _:
                continue
        events += 1
    return events


def _about(connection: Connection, entry: SurveyEntry | MessageEntry) -> dict[str, object]:
    """The entry, and whose call it is of."""
    calls = schema.calls
    about = select(calls.c.caller, calls.c.direction, calls.c.dialled).where(calls.c.call == entry.call)
    number, direction, dialled = connection.execute(about).first() or ("", "", "")
    return attrs.asdict(entry) | {"customer": number, "direction": direction, "dialled": dialled}


def _put(connection: Connection, event: str, subject: str, at: float, data: dict[str, object]) -> None:
    wanted = [row.id for row in connection.execute(select(hooks.c.id, hooks.c.events)) if event in row.events]
    if not wanted:
        return
    name, body = _name(event, subject), _body(event, at, data)
    insert = postgresql.insert(letters) if connection.dialect.name == "postgresql" else sqlite.insert(letters)
    rows = [
        {"webhook": hook, "id": name, "body": body, "made": at, "tries": 0, "due": at, "trouble": ""} for hook in wanted
    ]
    connection.execute(insert.on_conflict_do_nothing(), rows)


def _name(event: str, subject: str) -> str:
    return f"evt_{hashlib.sha256(f'{event} {subject}'.encode()).hexdigest()[:32]}"


def _body(event: str, at: float, data: dict[str, object]) -> str:
    when = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return json.dumps({"type": event, "timestamp": when, "data": data}, ensure_ascii=False, separators=(",", ":"))


def shown_url(url: str) -> str:
    """Where a webhook is; what stands behind a question mark may be a secret."""
    address, mark, _ = url.partition("?")
    return f"{address}{mark}…" if mark else address


class Outbox:
    """The letters that wait. Raises StoreError where the database cannot tell, or cannot be written."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # Rung when there may be new ones.
        self.on_letters: Callable[[], None] = lambda: None

    async def waiting(self) -> Waiting:
        def query(connection: Connection) -> Waiting:
            open_ = select(letters.c.webhook, func.count(), func.min(letters.c.due)).where(letters.c.due.is_not(None))
            rows = connection.execute(open_.group_by(letters.c.webhook)).all()
            return Waiting(sum(row[1] for row in rows), {row[0]: row[2] for row in rows})

        return await self._store.read(query)

    async def next(self, webhook: str, now: float) -> Letter | None:
        """The oldest that is due, with where it goes by now."""

        def query(connection: Connection) -> Letter | None:
            columns = (letters.c.webhook, letters.c.id, hooks.c.url, hooks.c.secret)
            found = (
                select(*columns, letters.c.body, letters.c.made, letters.c.tries)
                .join(hooks, hooks.c.id == letters.c.webhook)
                .where(letters.c.webhook == webhook, letters.c.due <= now)
                .order_by(letters.c.due, letters.c.id)
                .limit(1)
            )
            row = connection.execute(found).first()
            return Letter(*row) if row is not None else None

        return await self._store.read(query)

    async def trial(self, webhook: str, now: float) -> Letter | None:
        """A letter of no event, which is not put here: to try a webhook with. None where there is none of that name."""
        where = select(hooks.c.url, hooks.c.secret).where(hooks.c.id == webhook)
        row = await self._store.read(lambda connection: connection.execute(where).first())
        if row is None:
            return None
        return Letter(webhook, _name(TEST, f"{webhook} {now}"), row.url, row.secret, _body(TEST, now, {}), now, 0)

    async def hurry(self, webhook: str, now: float) -> bool:
        """All that waits for it is due; False where there is no such webhook."""
        waits = (letters.c.webhook == webhook, letters.c.due > now)

        def change(connection: Connection) -> bool:
            connection.execute(update(letters).where(*waits).values(due=now))
            return connection.execute(select(hooks.c.id).where(hooks.c.id == webhook)).first() is not None

        return await self._store.write(change)

    async def standings(self) -> tuple[Standing, ...]:
        """Each webhook, in the order of the organisation."""
        waits = letters.c.due.is_not(None)
        given_up = letters.c.due.is_(None) & letters.c.taken.is_(None)
        counts = (
            func.count(case((waits, 1))),
            func.min(case((waits, letters.c.made))),
            func.min(letters.c.due),
            func.max(letters.c.taken),
            func.count(case((given_up & letters.c.id.is_not(None), 1))),
        )
        columns = (hooks.c.id, hooks.c.url, hooks.c.secret, hooks.c.events)
        joined = select(hooks.c.id, *counts).outerjoin_from(hooks, letters, hooks.c.id == letters.c.webhook)
        met = (
            select(letters.c.trouble)
            .where(letters.c.webhook == hooks.c.id, waits, letters.c.trouble != "")
            .order_by(letters.c.made, letters.c.id)
            .limit(1)
            .scalar_subquery()
        )

        def query(connection: Connection) -> tuple[Standing, ...]:
            counted = {row[0]: row[1:] for row in connection.execute(joined.group_by(hooks.c.id))}
            made = []
            for row in connection.execute(select(*columns, met).order_by(hooks.c.position)):
                waiting, oldest, due, taken, lost = counted[row.id]
                shown, signed = shown_url(row.url), bool(row.secret)
                trouble = row[-1] or ""
                made.append(
                    Standing(row.id, shown, signed, tuple(row.events), waiting, oldest, due, trouble, taken, lost)
                )
            return tuple(made)

        return await self._store.read(query)

    async def taken(self, letter: Letter, now: float) -> None:
        await self._note(letter, {"tries": letter.tries + 1, "due": None, "taken": now, "trouble": ""})

    async def failed(self, letter: Letter, trouble: str, due: float | None) -> None:
        """It is tried again when it is `due`, or not."""
        await self._note(letter, {"tries": letter.tries + 1, "due": due, "trouble": trouble})

    async def clear(self, now: float) -> None:
        """Forgets what was taken or given up long ago."""
        old = delete(letters).where(letters.c.due.is_(None), letters.c.made < now - KEEP_SECONDS)

        def change(connection: Connection) -> None:
            connection.execute(old)

        await self._store.write(change)

    async def _note(self, letter: Letter, values: dict[str, object]) -> None:
        mine = (letters.c.webhook == letter.webhook, letters.c.id == letter.id)

        def change(connection: Connection) -> None:
            connection.execute(update(letters).where(*mine).values(values))

        await self._store.write(change)
