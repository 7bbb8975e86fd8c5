"""What actors stated, on its way into the database."""

from __future__ import annotations

from collections import deque

from ..effects import Record
from ..records import Entry


class Ledger:
    """Entries in the order in which they were stated."""

    def __init__(self) -> None:
        self._waiting: deque[Entry] = deque()

    def keep(self, record: Record) -> None:
        """Never waits and never fails: the entry is written by and by."""
        self._waiting.append(record.entry)
