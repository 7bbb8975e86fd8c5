"""The machine as a room for tests that drive real programs: many may be in it, and one that tries again is in it alone.

What a test measures in real time is its own and that of the tests of other workers beside it. One that failed beside
them is tried again without them: they end what they do and wait at the door. Both door and room are locks of files
(flock(2)), which whoever dies gives back.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parents[1] / ".pytest_cache" / "room"


class Room:
    """Of this process; a test is in it from its first set-up to its last teardown."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._door, self._room = (os.open(folder / name, os.O_CREAT | os.O_RDWR) for name in ("door", "room"))
        self._is_alone = False

    @contextmanager
    def shared(self) -> Iterator[None]:
        fcntl.flock(self._door, fcntl.LOCK_EX)
        try:
            fcntl.flock(self._room, fcntl.LOCK_SH)
        finally:
            fcntl.flock(self._door, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(self._room, fcntl.LOCK_UN)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """For whoever shares it. Nobody comes in by the door while we wait in it for the others to leave; two who want
        this have both left, and have it one after the other."""
        if self._is_alone:
            yield
            return
        fcntl.flock(self._room, fcntl.LOCK_UN)
        fcntl.flock(self._door, fcntl.LOCK_EX)
        try:
            fcntl.flock(self._room, fcntl.LOCK_EX)
        finally:
            fcntl.flock(self._door, fcntl.LOCK_UN)
        self._is_alone = True
        try:
            yield
        finally:
            self._is_alone = False
            fcntl.flock(self._room, fcntl.LOCK_SH)


@cache
def room() -> Room:
    """That of all workers of this checkout."""
    return Room(FOLDER)
