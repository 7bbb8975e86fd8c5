"""Whether the engine has what it was told: by the numbers of legs, and of pairs of a listener and what it hears.

It reports both every second. What is on its way makes them differ for a moment, one way or the other: they have to lie
between what was known here at the report before and what is known now. Outside of that, and on the same side of it, in
`REPORTS` reports in a row is something that nobody here knows of, or that is missing there.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from attrs import define, field, frozen

REPORTS: Final = 5


@frozen
class Known:
    """What is known here: legs that are open and answered, and all that are open or asked for; pairs."""

    answered: int
    legs: int
    edges: int


@define
class Agreement:
    """Of one engine, over one link."""

    _before: Known | None = None
    # Of the last reports: -1 less than was known, 1 more, 0 as it should be.
    _legs: deque[int] = field(factory=lambda: deque(maxlen=REPORTS))
    _edges: deque[int] = field(factory=lambda: deque(maxlen=REPORTS))

    def hear(self, legs: int, edges: int, now: Known) -> None:
        """A report, and what is known as it comes."""
        before, self._before = self._before or now, now
        self._legs.append(_side(legs, min(before.answered, now.answered), max(before.legs, now.legs)))
        self._edges.append(_side(edges, min(before.edges, now.edges), max(before.edges, now.edges)))

    @property
    def holds(self) -> bool:
        return not any(len(sides) == REPORTS and abs(sum(sides)) == REPORTS for sides in (self._legs, self._edges))


def _side(number: int, least: int, most: int) -> int:
    return (number > most) - (number < least)
