"""Whose turn it is: a turn for each thing that is to be done now, in the order in which that came about, whoever has to
do it, and when the next one wants to be woken.

So nobody to whom much is told lags behind those to whom little is, and how long the next one has waited is how long
everything does. One task serves all actors, so that a message costs no switch of tasks.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from ..sip.moments import Moments, Sleeper

W = TypeVar("W", bound=Sleeper)


def oldest(ready: int) -> int:
    """What came first."""
    return 0


class Turns(Generic[W]):
    """`choose` says which of so many comes next: a test lets chance do it."""

    def __init__(self, choose: Callable[[int], int] = oldest) -> None:
        self._choose = choose
        self._ready: deque[W] = deque()
        self._moments: Moments[W] = Moments()

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
        self._moments.add(one, moment)

    def leave(self, one: W) -> None:
        """It never has anything to do again."""
        self._moments.drop(one)
        one.scheduled = -math.inf

    def first(self) -> W | None:
        """Whose turn has been owed for longest."""
        return self._ready[0] if self._ready else None

    def deadline(self) -> float:
        """When somebody wants to be woken next, never too late, at times too early; math.inf for never."""
        return self._moments.next()

    def take(self, now: float) -> W | None:
        """Whose turn it is; None where nobody has anything to do."""
        while (woken := self._moments.take(now)) is not None:
            self.add(woken)
        if not self._ready:
            return None
        at = self._choose(len(self._ready))
        one = self._ready[at]
        del self._ready[at]
        return one
