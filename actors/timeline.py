"""How one party of a call was heard, over time: reports of the engine become points, and points what is kept.

A point is some 5 s of reports, in the first ten minutes; then as long as a 120th of what has passed, so that a call of
ten hours has about 600 points of each party, and a day has 700. What is kept is said again with every point, a row for
`ROW` of them, so that a process that dies takes a point along. All of this is in the state of an actor, which is
written down with every report: so a row is octets, and what grows between two points stands beside it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from attrs import frozen

from ..switch import protocol as media
from .effects import Record
from .evolving import evolve
from .records import QualityEntry

# The shortest point, and the part of the time so far that a longer one is.
POINT = 5.0
PART = 1 / 120
# Reports come so often. A point ends with the one that comes nearest to its end, and where some were missed between two
# points there is a gap.
REPORT = 2.0
# Points of one row.
ROW = 12

# A point on disk: since the row began and for how long, in 1/100 s; packets received and lost; ms concealed; jitter,
# delay and round trip in 1/10 ms; the far side's loss in 1/100 % and its jitter in 1/10 ms.
_PACKED: Final = struct.Struct(">5I5H")
_UNKNOWN: Final = 0xFFFF


@frozen
class QualityPoint:
    """How one party was heard from `at` on for `seconds`, and by the last word of its far side how it hears us.

    Packets are counted, jitter and the delay of the playout are the longest; what is not known yet is None.
    """

    at: float
    seconds: float
    received: int
    lost: int
    concealed_ms: float
    jitter_ms: float
    delay_ms: float
    rtt_ms: float | None
    far_loss_percent: float | None
    far_jitter_ms: float | None


@frozen
class Timeline:
    """`entry` is the newest row, whose last point ended at `until`; `gathered` are the reports since then, as one point
    that still grows and is to end at `due`."""

    began: float
    until: float
    due: float
    entry: QualityEntry
    gathered: QualityPoint | None = None

    def heard(self, fact: media.LegQuality, now: float) -> Timeline:
        """After one more report."""
        more = _with(self.gathered, fact, self._since(now), now)
        if now < self.due - REPORT / 2:
            return evolve(self, gathered=more)
        return self._pointed(more, now)

    def over(self) -> Timeline:
        """The party has left: what was gathered is the last point."""
        gathered = self.gathered
        return self if gathered is None else self._pointed(gathered, gathered.at + gathered.seconds)

    def _since(self, now: float) -> float:
        """When a point begins whose first report came now."""
        return self.until if now - self.until < 2 * REPORT else now - REPORT

    def _pointed(self, point: QualityPoint, now: float) -> Timeline:
        entry = self.entry
        if len(entry.points) == ROW * _PACKED.size:
            entry = QualityEntry(entry.call, entry.party, point.at)
        entry = evolve(entry, points=entry.points + pack(point, entry.began))
        span = max(POINT, (now - self.began) * PART)
        due = self.due + span
        return Timeline(self.began, point.at + point.seconds, due if due > now else now + span, entry)


def begun(call: str, party: str, now: float) -> Timeline:
    return Timeline(now, now, now + POINT, QualityEntry(call, party, now))


def recorded(before: Timeline | None, after: Timeline | None) -> list[Record]:
    """What is kept after a step: the newest row, where it has a point more."""
    if after is None or not after.entry.points or (before is not None and before.entry == after.entry):
        return []
    return [Record(after.entry)]


def _with(before: QualityPoint | None, fact: media.LegQuality, since: float, now: float) -> QualityPoint:
    """The point so far with one report more: counts are added, of delays the longest stays, of the far side's word the
    last."""
    at = since if before is None else before.at
    received, lost, concealed, jitter, delay = (
        (0, 0, 0.0, 0.0, 0.0)
        if before is None
        else (before.received, before.lost, before.concealed_ms, before.jitter_ms, before.delay_ms)
    )
    return QualityPoint(
        at=at,
        seconds=round(now - at, 2),
        received=received + fact.received,
        lost=lost + fact.lost,
        concealed_ms=concealed + fact.concealed_ms,
        jitter_ms=max(jitter, fact.jitter_ms),
        delay_ms=max(delay, fact.delay_ms),
        rtt_ms=fact.rtt_ms,
        far_loss_percent=fact.far_loss_percent,
        far_jitter_ms=fact.far_jitter_ms,
    )


# --- as octets ----------------------------------------------------------------------------------------------------


def pack(point: QualityPoint, began: float) -> bytes:
    """One point of a row that `began` then; what is beyond the scale is at its end."""
    return _PACKED.pack(
        max(0, round(100 * (point.at - began))),
        max(0, round(100 * point.seconds)),
        point.received,
        point.lost,
        round(point.concealed_ms),
        _short(point.jitter_ms, 10),
        _short(point.delay_ms, 10),
        _short(point.rtt_ms, 10),
        _short(point.far_loss_percent, 100),
        _short(point.far_jitter_ms, 10),
    )


def unpack(points: bytes, began: float) -> Iterator[QualityPoint]:
    """The points of a row."""
    for at, seconds, received, lost, concealed, *rest in _PACKED.iter_unpack(points):
        jitter, delay, rtt, far_loss, far_jitter = rest
        yield QualityPoint(
            began + at / 100,
            seconds / 100,
            received,
            lost,
            float(concealed),
            jitter / 10,
            delay / 10,
            None if rtt == _UNKNOWN else rtt / 10,
            None if far_loss == _UNKNOWN else far_loss / 100,
            None if far_jitter == _UNKNOWN else far_jitter / 10,
        )


def _short(value: float | None, parts: int) -> int:
    return _UNKNOWN if value is None else min(round(parts * value), _UNKNOWN - 1)
