"""Whether the media plane can take more calls, by what its ticks say of themselves.

    open  --strained for FULL_AFTER reports in a row-->  full  --easy for OPEN_AFTER reports in a row-->  open
    open  --TicksLong-->                                 full

A tick has 20 ms. Strained is an engine whose usual tick is long and whose longest fill their time, or begin late: one
more leg makes them longer, and then every call is heard to break up. A machine that is busy with something else makes
single ticks long or late, but not the usual one; refusing calls would not help there. Between strained and easy nothing
changes.

Reports come every second, which is long where many calls come: a hundred that speak G.722 make a tick 9 ms longer. So
an engine whose usual tick has grown long tells it at once (`TicksLong`, of its last 0.4 s), and is full at once.
"""

from __future__ import annotations

from typing import Final

from attrs import define, field

from ..switch.protocol import EngineReport

# A usual tick (the median) of so many ms is long by what it does.
BUSY_MS: Final = 8.0
# ... and there is no room where the longest of a hundred take this of their 20 ms, or of all so many begin late.
FULL_MS: Final = 16.0
FULL_LATE: Final = 0.05
# Calls are taken again where the usual tick leaves room, or the longest do and hardly any is late.
ROOM_MS: Final = 6.0
OPEN_MS: Final = 12.0
OPEN_LATE: Final = 0.01
# Reports come every second: a burst of openings is over within three, and some calls end within five.
FULL_AFTER: Final = 3
OPEN_AFTER: Final = 5


def strained(report: EngineReport) -> bool:
    """Whether more legs would be heard."""
    p50, p99, _ = report.tick_ms
    return p50 >= BUSY_MS and (p99 >= FULL_MS or _late_share(report) > FULL_LATE)


def easy(report: EngineReport) -> bool:
    """Whether there is room for more."""
    p50, p99, _ = report.tick_ms
    return p50 < ROOM_MS or (p99 < OPEN_MS and _late_share(report) <= OPEN_LATE)


def _late_share(report: EngineReport) -> float:
    return report.late_ticks / report.ticks if report.ticks else 0.0


@define
class Admission:
    """What the reports so far make of it: whether the plane is `full`."""

    full: bool = False
    _in_a_row: int = field(default=0, init=False)

    def hear(self, report: EngineReport) -> bool:
        """Takes in the report of a second; true where `full` is another than before."""
        turns = easy(report) if self.full else strained(report)
        self._in_a_row = self._in_a_row + 1 if turns else 0
        if self._in_a_row < (OPEN_AFTER if self.full else FULL_AFTER):
            return False
        self.full, self._in_a_row = not self.full, 0
        return True

    def press(self) -> bool:
        """Takes in that ticks are long now; true where it was not `full` before."""
        before, self.full, self._in_a_row = self.full, True, 0
        return not before
