"""Whose turn it is: a turn for each thing that is to be done now, in the order in which that came about, whoever has to
do it, and when the next one wants to be woken.

So nobody to whom much is told lags behind those to whom little is, and how long the next one has waited is how long
everything does. One task serves all actors, so that a message costs no switch of tasks. A heap holds the moments; its
deletion is lazy: an entry that is no longer what its actor waits for is thrown away when its time comes, or when such
are the most.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar


class Waiting(Protocol):
    """Somebody who takes turns; the field is kept here."""

    # The earliest moment that the heap has of it.
    wakes: float


W = TypeVar("W", bound=Waiting)

# A heap that is shorter is not worth being looked through.
LOOKED_THROUGH: Final = 100


def oldest(ready: int) -> int:
    """What came first."""
    return 0


class Turns(Generic[W]):
    """`choose` says which of so many comes next: a test lets chance do it."""

    def __init__(self, choose: Callable[[int], int] = oldest) -> None:
        self._choose = choose
        self._ready: deque[W] = deque()
        self._moments: list[tuple[float, int, W]] = []
        self._serial = itertools.count()
        # Entries that nobody waits for.
        self._stale = 0

    def __len__(self) -> int:
        """How many turns are owed."""
        return len(self._ready)

    def add(self, one: W) -> None:
        """It has one thing more to do."""
        self._ready.append(one)

    def again(self, one: W) -> None:
        """What it had its turn for is still to be done: it is next."""
        self._ready.appendleft(one)

    def wake(self, one: W, moment: float) -> None:
        """It has something to do then, if nothing comes before."""
        if moment < one.wakes:
            self._stale += one.wakes < math.inf
            one.wakes = moment
            heapq.heappush(self._moments, (moment, next(self._serial), one))

    def leave(self, one: W) -> None:
        """It never has anything to do again."""
        self._stale += one.wakes < math.inf
        one.wakes = -math.inf
        if LOOKED_THROUGH < len(self._moments) < 2 * self._stale:
            self._moments = [each for each in self._moments if each[0] == each[2].wakes]
            heapq.heapify(self._moments)
            self._stale = 0

    def first(self) -> W | None:
        """Whose turn has been owed for longest."""
        return self._ready[0] if self._ready else None

    def deadline(self) -> float:
        """When somebody wants to be woken next, never too late, at times too early; math.inf for never."""
        return self._moments[0][0] if self._moments else math.inf

    def take(self, now: float) -> W | None:
        """Whose turn it is; None where nobody has anything to do."""
        moments = self._moments
        while moments and moments[0][0] <= now:
            moment, _, one = heapq.heappop(moments)
            if moment == one.wakes:
                one.wakes = math.inf
                self.add(one)
            else:
                self._stale -= 1
        if not self._ready:
            return None
        at = self._choose(len(self._ready))
        one = self._ready[at]
        del self._ready[at]
        return one
