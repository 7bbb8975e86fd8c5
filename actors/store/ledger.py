"""What actors stated, on its way into the database.

Stating never waits: an entry is put under its key, in the place of an older one that still waits, and a background task
writes all that waits in one transaction, some ten times a second at most. So the database always has what was stated up
to one moment, and `committed` says up to which. While it cannot be written (locked, full, read-only), everything stays
here and is tried again: as many rows as `MAX_WAITING`, beyond which new ones are lost, counted and an alarm.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import structlog
import trio

from ..alarms import RECORDS_LOST, RECORDS_UNWRITTEN
from ..effects import Record
from ..records import Entry, RecordingEntry
from .database import StoreError
from .entries import Kept, Key, key_of

# What is stated within this time goes into one transaction: each takes the core a millisecond, however little is in it.
GATHER_SECONDS = 0.1
# Rows that wait at most: hours of a busy centre, some 50 MB.
MAX_WAITING = 100_000
# Between two tries while the database cannot be written: doubled from the first to the last.
RETRY_SECONDS = 0.1
MAX_RETRY_SECONDS = 5.0
# How long an orderly stop tries to write what waits.
FLUSH_SECONDS = 10.0

Write = Callable[[Sequence[Kept]], Awaitable[None]]

log = structlog.get_logger()


class Ledger:
    """Entries in the order in which they were stated; `write` commits some, or raises StoreError.

    `kept` counts what actors stated, `committed` those of them that are safe: the first so many. Of recordings it is
    told as well, as `recordings.RecordingStore`. `failing` is why the last try failed, or empty.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        # By key the newest, with how many entries had been stated up to it.
        self._waiting: dict[Key, tuple[int, Kept]] = {}
        self._bell = trio.Event()
        self._written = trio.Event()
        self.kept = 0
        self.committed = 0
        self.commits = 0
        self.failures = 0
        # Entries for which there was no room: they count as committed, for nobody need wait for them.
        self.lost = 0
        self.failing = ""
        self.on_commit: Callable[[int], None] = lambda committed: None
        self._alarm: Callable[[str], None] = lambda text: None

    @property
    def behind(self) -> int:
        """Rows that are not safe yet."""
        return len(self._waiting)

    @property
    def unsafe(self) -> list[tuple[int, Entry]]:
        """What actors stated and is not safe yet: of each key the newest, with its number among all that they did."""
        return [(number, entry) for number, entry in self._waiting.values() if not isinstance(entry, RecordingEntry)]

    def keep(self, record: Record) -> None:
        """Never waits and never fails: the entry is written by and by."""
        self.kept += 1
        self._put(record.entry)

    def recording_ready(
        self, call: str, file: str, format_: str, seconds: float, size: int, peaks: str, reason: str, /
    ) -> None:
        self._put(RecordingEntry(call, file, format_, seconds, size, peaks, reason))

    def recording_lost(self, call: str, reason: str, /) -> None:
        self._put(RecordingEntry(call, reason=reason))

    def _put(self, entry: Kept) -> None:
        key = key_of(entry)
        if len(self._waiting) >= MAX_WAITING and key not in self._waiting:
            if not self.lost:
                self._alarm(RECORDS_LOST.says(number=MAX_WAITING))
            self.lost += 1
            return
        self._waiting[key] = self.kept, entry
        self._bell.set()

    async def settle(self, seconds: float) -> bool:
        """Waits until all that was stated by now is safe; False: it is not after so many seconds."""
        upto = self.kept
        with trio.move_on_after(seconds):
            while self.committed < upto:
                await self._written.wait()
        return self.committed >= upto

    async def run(self, alarm: Callable[[str], None], clear: Callable[[str], None]) -> None:
        """Writes until cancelled; `alarm` is told that the database cannot be written, `clear` that it can again."""
        self._alarm = alarm
        retry = RETRY_SECONDS
        raised = ""
        while True:
            await self._bell.wait()
            self._bell = trio.Event()
            await trio.sleep(GATHER_SECONDS)
            try:
                if self._waiting:
                    await self._commit()
            except StoreError as error:
                if not raised:
                    raised = RECORDS_UNWRITTEN.says(reason=error)
                    alarm(raised)
                self.failing = str(error)
                await trio.sleep(retry)
                retry = min(2 * retry, MAX_RETRY_SECONDS)
                self._bell.set()
            else:
                if raised:
                    clear(raised)
                self.failing, raised, retry = "", "", RETRY_SECONDS

    async def flush(self) -> None:
        """Writes what waits, and gives up after `FLUSH_SECONDS`; after `run` has ended."""
        with trio.move_on_after(FLUSH_SECONDS, shield=True):
            while self._waiting:
                try:
                    await self._commit()
                except StoreError as error:
                    self.failing = str(error)
                    await trio.sleep(RETRY_SECONDS)
        if self._waiting:
            log.error("records are not written", rows=len(self._waiting), error=self.failing)

    async def _commit(self) -> None:
        batch, upto = list(self._waiting.items()), self.kept
        try:
            await self._write([entry for _, (_, entry) in batch])
        except StoreError:
            self.failures += 1
            raise
        self.commits += 1
        for key, stated in batch:
            if self._waiting[key] is stated:  # and not a newer one, stated while it was written
                del self._waiting[key]
        self.committed = upto
        self._written.set()
        self._written = trio.Event()
        self.on_commit(upto)
