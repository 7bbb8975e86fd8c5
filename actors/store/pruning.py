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
from sqlalchemy import Connection, Table, and_, delete, func, select

from ..records import ROSTER_SECONDS
from . import schema
from .database import StoreError
from .entries import upsert

if TYPE_CHECKING:
    from .store import Store

DAY: Final = 86400.0
# How often it is looked for what is old, in seconds.
LOOK: Final = 3600.0
# For how long a batch is to have the writer, and what others have between two of them.
HOLDS: Final = 0.010
BREATH: Final = 0.050
# Rows of a batch: at first, and at most; and their octets, of which one row has 2 to 37 kB.
FIRST: Final = 8
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
    octets = gone = 0
    for *key, size in connection.execute(old).all():
        octets += size
        if gone and octets > MOST_OCTETS:
            break
        connection.execute(delete(table).where(and_(*(column == one for column, one in zip(keys, key, strict=True)))))
        gone += 1
    return gone


class Pruning:
    """Of one store; `run` until it is cancelled. `days` 0: nothing is ever taken away."""

    def __init__(self, store: Store, days: int, clock: Callable[[], float]) -> None:
        self._store = store
        self._days = days
        self._clock = clock
        # How long the last batches had the writer, at most, in seconds.
        self.held = 0.0

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
        size, gone, told = FIRST, 0, time.monotonic()
        self.held = 0.0
        if not await self._store.read(lambda connection: _is_old(connection, table, before)):
            return
        await self._store.write(lambda connection: announce(connection, table, before))
        while True:
            taken, held = await self._batch(table, before, size)
            gone += taken
            if not taken:
                break
            self.held = max(self.held, held)
            size = _next_size(size, held)
            if time.monotonic() - told >= TELL:
                told = time.monotonic()
                log.info("pruning", table=table.name, rows=gone)
            await trio.sleep(BREATH)
        log.info("pruned", table=table.name, rows=gone, days=self._days)

    async def _batch(self, table: Table, before: float, size: int) -> tuple[int, float]:
        """How many rows are gone, and for how long nobody else could write."""
        began = 0.0

        def change(connection: Connection) -> int:
            nonlocal began
            began = time.perf_counter()  # the writer is ours from here on
            return prune(connection, table, before, size)

        return await self._store.write(change), time.perf_counter() - began


def _is_old(connection: Connection, table: Table, before: float) -> bool:
    oldest = connection.execute(select(func.min(table.c.at))).scalar()
    return oldest is not None and oldest < before


def _next_size(size: int, held: float) -> int:
    """Rows of the next batch."""
    if held > HOLDS:
        return max(1, size // 2)
    return min(MOST, 2 * size) if held < HOLDS / 4 else size
