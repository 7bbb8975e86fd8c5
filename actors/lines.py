"""The log of a process whose event loop is Trio's: lines are written together, before the loop waits for the outside.

Of each call there are a dozen, and a system call for each is more than what makes it. What is grave is written at once.
Who is killed loses the lines of that round of the loop, some milliseconds.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TextIO

import trio


class Lines(trio.abc.Instrument):
    """What structlog hands its lines to; an instrument of `trio.run`, after which `write` is called once more."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        # threads say something too
        self._aside: deque[str] = deque()

    def debug(self, line: str) -> None:
        self._aside.append(line)

    info = warning = debug

    def error(self, line: str) -> None:
        """Whatever comes of it may be the end."""
        self._aside.append(line)
        self.write()

    critical = error

    def write(self) -> None:
        """All that was put aside. What cannot be written is lost, as there is nobody to tell; the log goes on."""
        lines = list[str]()
        with suppress(IndexError):  # a thread may take some of it meanwhile
            while True:
                lines.append(self._aside.popleft())
        if lines:
            with suppress(OSError):
                self._out.write("\n".join([*lines, ""]))
                self._out.flush()

    def before_io_wait(self, timeout: float) -> None:
        self.write()
