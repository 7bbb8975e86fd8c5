"""A file that only grows, written by way of memory. A shell.

Its pages are mapped, so that adding to it is a copy and no system call; the kernel has them as soon as they are written
there, whatever becomes of the process. Room for it is reserved before it is used: where there is none that is an error
here, and no signal that ends the process. Behind its end are zeros.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Final

# Reserved at once: some hundreds of records.
ROOM: Final = 1 << 18


class GrowingFile:
    """`length` is what was added so far. Every method raises OSError."""

    def __init__(self, path: Path) -> None:
        self.length = 0
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(self._file, 0, ROOM)
            self._octets = mmap.mmap(self._file, ROOM)
        except BaseException:
            os.close(self._file)
            raise
        self._size = ROOM

    def add(self, octets: bytes) -> None:
        end = self.length + len(octets)
        if end > self._size:
            self._grow(end)
        self._octets[self.length : end] = octets
        self.length = end

    def _grow(self, end: int) -> None:
        size = -(-end // ROOM) * ROOM
        os.posix_fallocate(self._file, self._size, size - self._size)
        self._octets.resize(size)
        self._size = size

    @property
    def deleted(self) -> bool:
        """Whatever is written there, nobody will find it."""
        return os.fstat(self._file).st_nlink == 0

    def close(self) -> None:
        self._octets.close()
        os.close(self._file)
