"""What is not kept for ever: decisions, and who was in a queue when they were made. A shell.

Both are the largest rows there are, and nobody asks for old ones. `Pruning` takes them away in batches, each a
transaction that has the writer for some milliseconds, and lets others write between two of them; how large a batch may
be is found out by how long the last one took. Since when they are kept is written down before the first is gone, so
that who asks for an older one is told.

A decision speaks of a roster that was stated `ROSTER_SECONDS` before it at most, so what was stated that long before
the oldest decision serves none.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import structlog
import trio
from sqlalchemy import Connection, Table, and_, bindparam, delete, func, select

from ..records import ROSTER_SECONDS
from . import schema
from .database import StoreError
from .entries import upsert

if TYPE_CHECKING:
    from .store import Store

DAY: Final = 86400.0
# How often it is looked for what is old, in seconds.
LOOK: Final = 3600.0
# For how long the rows of a batch are to be taken away, and what others have between two batches.
HOLDS: Final = 0.010
BREATH: Final = 0.020
# Rows of a batch: at first and at least, since fewer take no less; and at most. And their octets: one has 2 to 37 kB.
LEAST: Final = 8
MOST: Final = 256
MOST_OCTETS: Final = 512 * 1024
# How often it is told how far it is, in seconds.
TELL: Final = 60.0

log = structlog.get_logger()

_CONTENT: Final = {schema.decisions: schema.decisions.c.facts, schema.rosters: schema.rosters.c.agents}


def kept_since(connection: Connection, table: Table) -> float | None:
    """Rows of the table that are older were taken away; None: none was."""
    since = select(schema.pruned.c.since).where(schema.pruned.c.name == table.name)
    found: float | None = connection.execute(since).scalar()
    return found


def announce(connection: Connection, table: Table, before: float) -> None:
    """From now on it is known of older rows that they are gone, whoever asks for one."""
    since = max(before, kept_since(connection, table) or before)
    connection.execute(upsert(connection.dialect.name, schema.pruned), {"name": table.name, "since": since})


def prune(connection: Connection, table: Table, before: float, most: int) -> int:
    """Takes away the oldest rows of `table` whose `at` is `before` that: so many at most, and one at least. Gives how
    many."""
    keys = list(table.primary_key.columns)
    old = select(*keys, func.length(_CONTENT[table])).where(table.c.at < before).order_by(table.c.at).limit(most)
    sizes: list[int] = []
    goes: list[dict[str, object]] = []
    for *key, size in connection.execute(old).all():
        sizes.append(size)
        if goes and sum(sizes) > MOST_OCTETS:
            break
        goes.append({f"of_{column.name}": one for column, one in zip(keys, key, strict=True)})
    if goes:
        one = and_(*(column == bindparam(f"of_{column.name}") for column in keys))
        connection.execute(delete(table).where(one), goes)
    return len(goes)


class Pruning:
    """Of one store; `run` until it is cancelled. `days` 0: nothing is ever taken away."""

    def __init__(self, store: Store, days: int, clock: Callable[[], float]) -> None:
        self._store = store
        self._days = days
        self._clock = clock

    async def run(self) -> None:
        while self._days:
            try:
                await self.once()
            except StoreError as error:
                log.error("old decisions not pruned", error=str(error))
            await trio.sleep(LOOK)

    async def once(self) -> None:
        """All that is old by now."""
        before = self._clock() - self._days * DAY
        await self._prune(schema.decisions, before)
        await self._prune(schema.rosters, before - ROSTER_SECONDS)

    async def _prune(self, table: Table, before: float) -> None:
        size, gone, longest, told = LEAST, 0, 0.0, time.monotonic()
        if not await self._store.read(lambda connection: _is_old(connection, table, before)):
            return
        await self._store.write(lambda connection: announce(connection, table, before))
        while True:
            taken, took = await self.batch(table, before, size)
            gone, longest = gone + taken, max(longest, took)
            if not taken:
                break
            size = _next_size(size, took)
            if time.monotonic() - told >= TELL:
                told = time.monotonic()
                log.info("pruning", table=table.name, rows=gone)
            await trio.sleep(BREATH)
        log.info("pruned", table=table.name, rows=gone, days=self._days, longest_ms=round(1000 * longest, 1))

    async def batch(self, table: Table, before: float, size: int) -> tuple[int, float]:
        """How many rows are gone, and how long that took once the writer was ours; what a commit takes is its own."""

        def change(connection: Connection) -> tuple[int, float]:
            began = time.perf_counter()
            return prune(connection, table, before, size), time.perf_counter() - began

        return await self._store.write(change)


def _is_old(connection: Connection, table: Table, before: float) -> bool:
    oldest = connection.execute(select(func.min(table.c.at))).scalar()
    return oldest is not None and oldest < before


def _next_size(size: int, took: float) -> int:
    """Rows of the next batch."""
    if took > HOLDS:
        return max(LEAST, size // 2)
    return min(MOST, 2 * size) if took < HOLDS / 4 else size
