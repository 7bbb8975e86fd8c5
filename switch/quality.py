"""What is known of each leg's media, told as facts: connected, silent, heard again, and a report every 2 s.

Legs take turns, so that no tick pays for all: every 100 ms a twentieth of them report. Who fell silent is looked for
every 100 ms. In every other tick the legs that somebody hears are measured for their level, and for whether somebody
speaks there (speech.py). How the ticks themselves fare is told every second, and sooner where they grow long.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..codecs.g711 import Pcm
from .jitter import Playout
from .legs import Kind, Legs
from .protocol import (
    EngineReport,
    Fact,
    LegChecked,
    LegConnected,
    LegHeard,
    LegQuality,
    LegSilent,
    LegUnchecked,
    LegWays,
    TicksLong,
)
from .reports import Reports
from .rooms import Rooms
from .speech import LOOK_TICKS, Speech, dbov

Rows = NDArray[np.intp]

SILENT_AFTER: Final = 3.0  # seconds
MISSED_AFTER: Final = 2.5  # ... that sound goes one way is told within three, on a busy machine too
# A browser sends every 20 ms as long as there is a page, and its customer is not to wait for a page that is gone.
SECURE_SILENT_AFTER: Final = 0.5
REPORT_TICKS: Final = 100  # 2 s
TURN_TICKS: Final = 5  # a turn each 100 ms: every message wakes two processes
# The usual (the median) of so many ticks is long where it takes so much of their 20 ms. So many, that a moment in which
# the machine is slow is not their usual; no more, for a hundred calls of G.722 a second make a tick 9 ms longer in one.
LONG_OF: Final = 20
LONG_MS: Final = 13.0
LONG_TURN_TICKS: Final = 10


class Quality:
    """The observer of the columns: it writes only the columns of what was told."""

    def __init__(self, legs: Legs, playout: Playout, reports: Reports, rooms: Rooms) -> None:
        self._legs = legs
        self._playout = playout
        self._reports = reports
        self._rooms = rooms
        self._speech = Speech(legs.capacity)
        # Of the rows heard last, which stay the same array until edges are edited, the legs.
        self._heard: Rows | None = None
        self._heard_legs: Rows = np.zeros(0, np.intp)
        self._seconds: list[float] = []
        self._latest: deque[float] = deque(maxlen=LONG_OF)
        self._late = 0

    def begin(self, row: int) -> None:
        """A leg begins in this row, or begins anew with another codec: the playout's counters began anew."""
        legs = self._legs
        self._speech.begin(row)
        legs.reported_received[row] = legs.reported_expected[row] = legs.reported_concealed[row] = 0

    def listen(self, tick: int, heard: Rows, pcm: Pcm) -> None:
        """Measures the level of the legs that are among the rows `heard`, and who of them speaks."""
        if heard is not self._heard:
            self._heard, self._heard_legs = heard, heard[self._legs.kind[heard] == Kind.LEG]
        rows = self._heard_legs
        if tick % LOOK_TICKS or not len(rows):
            return
        frames = pcm[rows].astype(np.float32)
        power = np.vecdot(frames, frames)
        self._legs.energy[rows] += power / np.float32(frames.shape[1])
        self._legs.energy_frames[rows] += 1
        self._speech.listen(tick, rows, frames, power)

    def tick(self, tick: int, rows: Rows, now: float) -> list[Fact]:
        """The facts of this tick about the legs `rows`."""
        legs = self._legs
        facts: list[Fact] = []
        if np.count_nonzero(fresh := legs.heard_ever[rows] > legs.connected[rows]):
            for row in rows[fresh]:
                legs.connected[row] = True
                facts.append(LegConnected(legs.names[row]))
        if tick % TURN_TICKS:
            return facts
        patience = np.where(legs.secure[rows], SECURE_SILENT_AFTER, SILENT_AFTER)
        quiet = now - legs.heard_at[rows] > patience
        # a browser is waited for until it is connected; a trunk may send from the opening on
        may_send = legs.heard_ever[rows] | ~legs.secure[rows]
        for row in rows[quiet & may_send & ~legs.silent[rows]]:
            legs.silent[row] = True
            facts.append(LegSilent(legs.names[row], float(now - legs.heard_at[row])))
        for row in rows[~quiet & legs.silent[rows]]:
            legs.silent[row] = False
            facts.append(LegHeard(legs.names[row]))
        facts.extend(self._ways(rows, now))
        turn = rows[(rows % (REPORT_TICKS // TURN_TICKS) == tick // TURN_TICKS % (REPORT_TICKS // TURN_TICKS))]
        facts.extend(self._of(turn[legs.connected[turn]], tick))
        return facts

    def _ways(self, rows: Rows, now: float) -> list[Fact]:
        """Where sound began to go one way, or both again."""
        legs = self._legs
        # who pauses may send nothing; who says that it sent since the last that came does not pause
        missed = ~legs.media_ever[rows] | (self._reports.sends_since[rows] > legs.media_at[rows])
        awaited = ~legs.secure[rows] & legs.reached[rows] & legs.hears[rows]
        comes = ~(awaited & missed & (now - legs.media_at[rows] > MISSED_AFTER))
        goes = ~(legs.sending[rows] & self._reports.deaf[rows])
        changed = rows[(comes != legs.comes[rows]) | (goes != legs.goes[rows])]
        legs.comes[rows], legs.goes[rows] = comes, goes
        return [LegWays(legs.names[row], bool(legs.comes[row]), bool(legs.goes[row])) for row in changed]

    def standing(self, rows: Rows, now: float) -> list[Fact]:
        """What was told of the legs `rows` and is so now: for a listener who may have missed it."""
        legs = self._legs
        facts: list[Fact] = []
        for row in rows[legs.connected[rows] | ~legs.secure[rows]]:
            name, seconds = legs.names[row], float(legs.unchecked[row])
            if legs.connected[row]:
                facts.append(LegConnected(name))
            facts.append(LegSilent(name, float(now - legs.heard_at[row])) if legs.silent[row] else LegHeard(name))
            if legs.secure[row]:
                facts.append(LegUnchecked(name, seconds) if seconds else LegChecked(name))
            if not (legs.comes[row] and legs.goes[row]):
                facts.append(LegWays(name, bool(legs.comes[row]), bool(legs.goes[row])))
        return facts

    def _of(self, rows: Rows, tick: int) -> list[LegQuality]:
        """What was heard of each of `rows` since its last report."""
        legs, playout = self._legs, self._playout
        received = playout.received[rows] - legs.reported_received[rows]
        lost = np.maximum(playout.expected[rows] - legs.reported_expected[rows] - received, 0)
        concealed_ms = np.maximum(playout.concealed[rows] - legs.reported_concealed[rows], 0) * 20.0
        legs.reported_received[rows] = playout.received[rows]
        legs.reported_expected[rows] = playout.expected[rows]
        legs.reported_concealed[rows] = playout.concealed[rows]
        power = legs.energy[rows] / np.maximum(legs.energy_frames[rows], 1)
        legs.energy[rows] = legs.energy_frames[rows] = 0
        told, since = self._reports, tick - REPORT_TICKS
        return list(
            map(
                LegQuality,
                [legs.names[row] for row in rows],
                received.tolist(),
                lost.tolist(),
                concealed_ms.tolist(),
                np.round(playout.jitter[rows] * 1000, 2).tolist(),
                np.round(np.maximum(playout.delay[rows], 0.0) * 1000, 1).tolist(),
                np.round(dbov(power), 1).tolist(),
                *(_known(column[rows]) for column in (1000 * told.round_trip, 100 * told.loss, 1000 * told.jitter)),
                (self._speech.spoke_at[rows] > since).tolist(),
                [self._speech.spoke(self._rooms.heard_by(row), since) for row in rows.tolist()],
            )
        )

    def ran(self, seconds: float, *, late: bool) -> None:
        self._seconds.append(seconds)
        self._latest.append(seconds)
        self._late += late

    def long(self, tick: int) -> list[TicksLong]:
        """Whether the ticks have grown long, each time it is to be told."""
        if tick % LONG_TURN_TICKS or len(self._latest) < LONG_OF:
            return []
        usual = 1000 * sorted(self._latest)[(LONG_OF - 1) // 2]
        return [TicksLong(round(usual, 3))] if usual >= LONG_MS else []

    def report(self, legs: int, edges: int, counters: Counter[str]) -> EngineReport:
        """How the ticks since the last report fared; `counters` get them too."""
        spent = np.array(self._seconds or [0.0]) * 1000
        p50, p99 = np.percentile(spent, (50, 99))
        late, ticks = self._late, len(self._seconds)
        self._seconds, self._late = [], 0
        counters["ticks"] += ticks
        counters["ticks_late"] += late
        tick_ms = (round(float(p50), 3), round(float(p99), 3), round(float(spent.max()), 3))
        return EngineReport(legs, ticks, late, tick_ms, dict(counters), edges)


def _known(column: NDArray[np.float64]) -> list[float | None]:
    """None where a report of the far side is still to come, which is NaN in the column."""
    return [None if math.isnan(value) else round(value, 2) for value in column.tolist()]
