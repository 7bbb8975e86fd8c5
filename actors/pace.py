"""How fast the line of a queue moves, and so how long a caller will wait: an estimate by the length of the line.

By Little's law a line of `n` that moves on `rate` times a second takes `n / rate` seconds to pass. The rate is
measured: the calls that agents took, by the seconds in which somebody waited, both counted for less the longer ago they
were. It knows nothing of how many agents there are, nor of how long they talk, and follows both. Callers who give up
move the line too, and are not counted: who waits is told rather a minute too much. Nothing is said before `ENOUGH`
calls were taken.
"""

from __future__ import annotations

import math
from typing import Final

from attrs import frozen

from .evolving import evolve

# What was so long ago counts for half: long enough to have seen some calls, short enough to follow a morning.
HALF_LIFE: Final = 900.0
_RATE: Final = math.log(2) / HALF_LIFE
# Fewer than this many calls that count say nothing.
ENOUGH: Final = 3.0


@frozen
class Pace:
    """Of what was until `at`, as much as counts now: calls `taken`, and seconds in which somebody `waited`. `waits`:
    somebody does since."""

    taken: float = 0.0
    waited: float = 0.0
    at: float = 0.0
    waits: bool = False

    def until(self, now: float) -> Pace:
        passed = max(0.0, now - self.at)
        left = math.exp(-_RATE * passed)
        new = (1 - left) / _RATE if self.waits else 0.0  # of each second what counts of it now
        return Pace(self.taken * left, self.waited * left + new, max(now, self.at), self.waits)

    def somebody_waits(self, waits: bool, now: float) -> Pace:
        return self if waits is self.waits else evolve(self.until(now), waits=waits)

    def took(self, now: float) -> Pace:
        """An agent has taken a call."""
        before = self.until(now)
        return evolve(before, taken=before.taken + 1.0)

    def wait(self, number: int, now: float) -> float | None:
        """In how many seconds whoever is that number in line will be taken, or None where nobody can tell."""
        current = self.until(now)
        return number * current.waited / current.taken if current.taken >= ENOUGH else None


UNKNOWN: Final = Pace()
