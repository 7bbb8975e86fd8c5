"""When each of many wants to be woken: a heap of moments.

To look when the next one comes is a look at the top. What is no longer waited for stays where it is: it is thrown away
when its time comes, or when such are the most, so that nobody who is gone is kept for it.
"""

from __future__ import annotations

import heapq
import itertools
import math
from typing import Final, Generic, Protocol, TypeVar


class Sleeper(Protocol):
    """Somebody who can be woken; the field is kept here."""

    # The earliest moment that the heap has of it; math.inf: none, -math.inf: it wants none.
    scheduled: float


S = TypeVar("S", bound=Sleeper)

# A heap that is shorter is not worth being looked through.
LOOKED_THROUGH: Final = 100


class Moments(Generic[S]):
    """The moments, in seconds."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, S]] = []
        self._serial = itertools.count()
        # Entries that nobody waits for.
        self._stale = 0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, one: S, moment: float) -> None:
        """It wants to be woken then, if it does not come sooner."""
        if moment < one.scheduled:
            self._stale += one.scheduled < math.inf
            one.scheduled = moment
            heapq.heappush(self._heap, (moment, next(self._serial), one))

    def drop(self, one: S) -> None:
        """It waits for nothing."""
        if -math.inf < one.scheduled < math.inf:
            self._stale += 1
            one.scheduled = math.inf
        if LOOKED_THROUGH < len(self._heap) < 2 * self._stale:
            self._heap = [each for each in self._heap if each[0] == each[2].scheduled]
            heapq.heapify(self._heap)
            self._stale = 0

    def next(self) -> float:
        """When somebody wants to be woken next, never too late, at times too early; math.inf for never."""
        return self._heap[0][0] if self._heap else math.inf

    def take(self, now: float) -> S | None:
        """Whose moment has come, the earliest first."""
        while self._heap and self._heap[0][0] <= now:
            moment, _, one = heapq.heappop(self._heap)
            if moment == one.scheduled:
                one.scheduled = math.inf
                return one
            self._stale -= 1
        return None
