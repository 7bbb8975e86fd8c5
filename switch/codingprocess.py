"""A process that codes for this one (coder.py): started, asked, and started again when it is lost. A shell.

It shares a file in memory with this process, and a socket. It is lost when it died, or when an answer takes too long;
then it is ended, what it has is gone, and the next one is started a while later.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Final

from . import coder
from .coders import LostError
from .coding import Columns, Requests
from .priority import take_turns

# More than three are of no use: by then the ticks, which are one process's, are as long as they may be.
MOST: Final = 3
PATIENCE: Final = 0.2  # seconds that an answer may take; ten ticks
# Seconds from when one was lost to the next start: twice as many after each that was not there for a minute.
FIRST_DELAY: Final = 0.5
LAST_DELAY: Final = 30.0
PEACE: Final = 60.0


def cores() -> int:
    """How many processes are to code beside this one: on one core, none."""
    return min(len(os.sched_getaffinity(0)) - 1, MOST)


@contextlib.contextmanager
def coding(processes: int, slots: int) -> Iterator[tuple[CodingProcess, ...]]:
    """So many, which are soon ready, for `slots` legs each; they end with it."""
    with contextlib.ExitStack() as stack:
        made = []
        for _ in range(processes):
            made.append(CodingProcess(slots))
            stack.callback(made[-1].end)
        yield tuple(made)


class CodingProcess:
    """One after the other, an `Other` of coders.py."""

    def __init__(self, slots: int) -> None:
        self.requests: Requests | None = None
        self._slots = slots
        self._memory = os.memfd_create("coding")
        os.ftruncate(self._memory, Columns.size(slots))
        self._columns = coder.columns(self._memory, slots)
        self._process: subprocess.Popen[bytes] | None = None
        self._delay = FIRST_DELAY
        self._start()

    @property
    def pid(self) -> int | None:
        """Of the one that there is."""
        return None if self._process is None else self._process.pid

    def look(self) -> None:
        """Looks whether one that was started is ready, and starts one where it is time for that."""
        if self.requests is not None:
            return
        if self._process is None:
            if time.monotonic() >= self._next:
                self._start()
        elif self._poll.poll(0):
            with contextlib.suppress(LostError):
                self._receive()
                self.requests = Requests(self._columns)

    def ask(self, request: bytes) -> None:
        """Raises LostError."""
        try:
            coder.send(self._socket, request)
        except OSError as error:
            raise self._lost() from error

    def answers(self, *, wait: bool) -> Sequence[bytes]:
        """Those that have come; with `wait` at least one. Raises LostError."""
        answers = [self._receive()] if wait else []
        while self._poll.poll(0):
            answers.append(self._receive())
        return answers

    def end(self) -> None:
        """No other is started."""
        self._stop()
        os.close(self._memory)

    def _start(self) -> None:
        self._began = time.monotonic()
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(PATIENCE)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        arguments = [theirs.fileno(), self._memory, self._slots]
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", coder.__name__, *map(str, arguments)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=arguments[:2],
                    env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # the matrices are small
                )
            except OSError as error:
                self._stop()
                self._later(f"no coding process can be started: {error}")
            else:
                take_turns(self._process.pid)  # until it is ready, nobody waits for it

    def _receive(self) -> bytes:
        try:
            if (message := coder.receive(self._socket)) is not None:
                return message
        except OSError as error:
            raise self._lost() from error
        raise self._lost()

    def _lost(self) -> LostError:
        """It is ended, whatever it does, and another follows."""
        code = self._stop()
        killed = code == -signal.SIGKILL
        self._later("a coding process was killed, or did not answer" if killed else f"a coding process ended ({code})")
        return LostError()

    def _later(self, why: str) -> None:
        now = time.monotonic()
        if now - self._began > PEACE:
            self._delay = FIRST_DELAY
        print(f"media: {why}; the next one is started in {self._delay:g} s", file=sys.stderr, flush=True)
        self._next, self._delay = now + self._delay, min(2 * self._delay, LAST_DELAY)

    def _stop(self) -> int:
        """Returns the exit code of the one that there was."""
        process, self._process, self.requests = self._process, None, None
        self._socket.close()
        if process is None:
            return 0
        process.kill()
        return process.wait()
