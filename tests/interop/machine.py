"""The machine under the tests: its address, and how long it kept the switch waiting, which is no fault of the switch.

A machine of two cores runs other work beside these tests, and pauses are measured in milliseconds. Linux counts for
each process how long it was ready and not let run (/proc/PID/schedstat, the second figure). That is read every few
milliseconds, so a pause in what the switch sends can be told apart: what the switch did, and what was done to it.
"""

from __future__ import annotations

import socket
import threading
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from attrs import frozen

from tests.room import room

from .caller import Caller

LOOK = 0.01
# Of the time somebody waited for a processor: what a browser's audio no longer bears.
CROWDED = 0.3
TRIES = 3

T = TypeVar("T")


def own_address() -> str:
    """The address from which this machine would reach the world; loopback where it has no other."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def _pressure() -> float:
    """Seconds since the start of the machine in which some process waited for a processor (Linux PSI)."""
    try:
        return int(Path("/proc/pressure/cpu").read_text().split("total=")[1].split()[0]) / 1e6
    except (OSError, IndexError):
        return 0.0


def fairly(measure: Callable[[], T]) -> T:
    """Measures what depends on more than the switch, which a crowded machine starves: then it is measured again, while
    the tests of other workers wait.

    A failure on a machine that had room counts at once.
    """
    with ExitStack() as stack:
        for turn in range(1, TRIES + 1):
            if turn > 1:
                stack.enter_context(room().alone())
            begun, waited = time.monotonic(), _pressure()
            try:
                return measure()
            except AssertionError as error:
                crowded = (_pressure() - waited) / (time.monotonic() - begun)
                said = str(error).splitlines()[0]
                print(f"turn {turn}: {said} (processes waited {crowded:.0%} of the time)")
                if crowded < CROWDED or turn == TRIES:
                    raise
    raise AssertionError("there is no turn")


@frozen
class Pause:
    """Milliseconds between two packets, and how many of them the machine withheld."""

    at: float
    ms: float
    withheld: float

    @property
    def own(self) -> float:
        return self.ms - self.withheld

    def __str__(self) -> str:
        return f"{self.own:.0f} ms" + (f" (and {self.withheld:.0f} ms the machine's)" if self.withheld >= 1 else "")


class Waits:
    """The time that process `pid` has waited for a processor, sampled while the context lasts."""

    def __init__(self, pid: int) -> None:
        self._file = Path(f"/proc/{pid}/schedstat")
        self._times: list[float] = []
        self._waited: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Waits:
        self._look()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        waited = int(self._file.read_text().split()[1]) / 1e6
        self._waited.append(waited)
        self._times.append(time.time())

    def _run(self) -> None:
        while not self._stop.wait(LOOK):
            self._look()

    def withheld(self, begin: float, end: float) -> float:
        """Milliseconds, at most the whole of it."""
        after = bisect_left(self._times, end)
        before = bisect_right(self._times, begin) - 1
        if after >= len(self._times):
            self._look()
            after = len(self._times) - 1
        waited = self._waited[after] - self._waited[max(0, before)]
        return min(waited, (end - begin) * 1000)

    def longest_pause(self, customer: Caller, begin: float = 0.0, end: float = float("inf")) -> Pause:
        """The pause that is longest by the switch's own part."""
        packets = customer.between(begin, end)
        assert len(packets) > 1, "nothing was heard"
        pauses = []
        for one, two in pairwise(packets):
            ms = (two.at - one.at) * 1000
            pauses.append(Pause(one.at, ms, self.withheld(one.at, two.at) if ms > 30 else 0.0))
        return max(pauses, key=lambda pause: pause.own)
