"""How much of its time this process works, and whether the calls that it has let in leave room for more.

A call takes about as much when it ends as when it begins: half of the work of a flood that has just come is still to be
done, when nobody can refuse it any more. So what the process does now is taken for as much as it will be when as many
calls end as begin. Where that is more than all of its time, no more calls are let in.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from attrs import define, field

# It is reckoned anew this often, in seconds, and what was so long ago counts for a third.
PART: Final = 0.1
SPAN: Final = 1.0
# Who has worked for less of its time lately may well have nothing to do for a moment longer.
EASY: Final = 0.5
# Fewer calls a second are no flood, whatever the machine does beside them.
FLOOD: Final = 20.0


@define
class Load:
    """`rested` says for how many seconds the process has waited for something to do, since it began; None: nobody
    knows."""

    rested: Callable[[], float] | None = None
    # As it was lately: the share of its time, and calls a second.
    works: float = field(default=0.0, init=False)
    begin: float = field(default=0.0, init=False)
    end: float = field(default=0.0, init=False)
    # Since it was reckoned last.
    _since: float = field(default=-math.inf, init=False)
    _rested: float = field(default=0.0, init=False)
    _begun: int = field(default=0, init=False)
    _ended: int = field(default=0, init=False)

    def begun(self) -> None:
        """A call has begun."""
        self._begun += 1

    def ended(self) -> None:
        """A call is over."""
        self._ended += 1

    @property
    def full(self) -> bool:
        """The calls that live will want all the time that there is."""
        if self.begin < FLOOD:
            return False
        return self.works * 2 * self.begin > self.begin + min(self.end, self.begin)

    @property
    def easy(self) -> bool:
        """There was time to spare."""
        return self.works < EASY

    def look(self, now: float) -> None:
        """Reckons anew, when it is time."""
        took = now - self._since
        if self.rested is None or took < PART:
            return
        rested = self.rested()
        if took < math.inf:
            new = 1 - math.exp(-took / SPAN)
            self.works += (1 - min(1.0, (rested - self._rested) / took) - self.works) * new
            self.begin += (self._begun / took - self.begin) * new
            self.end += (self._ended / took - self.end) * new
        self._since, self._rested, self._begun, self._ended = now, rested, 0, 0
