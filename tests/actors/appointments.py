"""What is to happen later in a world on a virtual clock: one task for all of it, where a task for each costs more than
what it does."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable
from random import Random

import trio


class Jumping(trio.abc.Clock):
    """A clock that stands while anybody does anything, and then is where the next of all waits for it.

    As `MockClock` with `autojump_threshold=0`, in half of Trio's work; there must be no thread and no socket.
    """

    def __init__(self) -> None:
        self._now = 0.0

    def start_clock(self) -> None:
        """It is where it was made."""

    def current_time(self) -> float:
        return self._now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Trio asks where nobody has anything to do before then."""
        if deadline == math.inf:
            return deadline
        self._now = max(self._now, deadline)
        return 0.0

    def jump(self, seconds: float) -> None:
        """So long nobody could do anything: what came due meanwhile is late."""
        self._now += seconds


class Appointments:
    """`at(when, act)`, in seconds of Trio's clock. Of what is due at the same moment any may come first."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._serial = itertools.count()
        self._heap: list[tuple[float, float, int, Callable[[], object]]] = []
        self._waits_until = -math.inf
        self._sooner = trio.Event()

    def at(self, when: float, act: Callable[[], object]) -> None:
        heapq.heappush(self._heap, (when, self._rng.random(), next(self._serial), act))
        if when < self._waits_until:
            self._sooner.set()

    async def run(self) -> None:
        while True:
            self._sooner = trio.Event()
            self._waits_until = self._heap[0][0] if self._heap else math.inf
            with trio.move_on_at(self._waits_until):
                await self._sooner.wait()
            self._waits_until = -math.inf
            now = trio.current_time()
            while self._heap and self._heap[0][0] <= now:
                heapq.heappop(self._heap)[-1]()
