"""Who hears whom: edges (listener, source, gain), compiled to a plan of sums whenever they were edited.

A listener that is alone with what it hears gets a sum of its own. Listeners that hear the same set, themselves
included (a room), share one sum of the whole set, from which each subtracts itself: a room of n costs n additions and
n subtractions, not n (n - 1) additions. Sums are made in int32 from int16 samples, so subtracting is exact: what is
left of oneself is zero. Only then the result is saturated, once.

All sums are made together: sources stand in columns, sums with more of them first, and column j is added to all of
the sums that have more than j.

There are two plans, one for each rate; what speaks is there at each rate that somebody hears it at. A listener that has
one rate alone is mixed at that. One that has either is mixed at 16 kHz where it hears somebody who speaks at 16 kHz, at
8 kHz else: so a room turns wideband when a second wideband leg comes, and costs what it always did before. In the tick
in which it turns such a listener is still mixed at its old rate, and is to be faded out: `Plans.turning`.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from ..codecs.g711 import Pcm

Rows = NDArray[np.intp]
_Group = frozenset[tuple[int, float]]

NARROW: Final = 160  # samples of a frame at 8 kHz
WIDE: Final = 320  # ... at 16


class Rate(Enum):
    """What a row can say and hear: 8 kHz, 16, or either."""

    NARROW = 8000
    EITHER = 0
    WIDE = 16000


@frozen
class Heard:
    """What each of `listeners` [n] hears in a tick: int16 [n, 160] at 8 kHz or [n, 320] at 16; `audible` bool [n]:
    whether it is not all zeros."""

    listeners: Rows
    pcm: Pcm
    audible: NDArray[np.bool_]


@frozen
class _Column:
    """The j-th source of the first len(rows) sums; `gain` float32 [n, 1] or None where all are 1."""

    rows: Rows
    gain: NDArray[np.float32] | None


@frozen
class Plan:
    """What a tick mixes at one rate. `heard`: every row that some listener hears, ascending. `listeners`: rows, first
    those that have a sum of their own (`direct`, indices of sums), then those that subtract themselves (`shared`,
    indices of sums)."""

    heard: Rows
    listeners: Rows
    columns: tuple[_Column, ...]
    sums: int
    direct: Rows
    shared: Rows
    own: Rows
    # Where it is mixed, kept because fresh memory costs more than the sums: int32 and int16 [sums, samples].
    total: NDArray[np.int32]
    frames: Pcm


@frozen
class Plans:
    """The plans of both rates, and every row that somebody hears at either, ascending. `turning` are listeners that are
    to be mixed at the other rate from the next tick on."""

    heard: Rows
    narrow: Plan
    wide: Plan
    turning: Rows


_EMPTY: Final = np.zeros(0, np.intp)


class Rooms:
    """The edges, by listener row, and the plan made of them."""

    def __init__(self) -> None:
        self._hears: dict[int, dict[int, float]] = {}
        self._heard_by: dict[int, set[int]] = {}
        self._group: dict[int, _Group] = {}
        self._members: dict[_Group, list[int]] = {}
        self._rates: dict[int, Rate] = {}  # of rows that have more than 8 kHz
        self._wide: set[int] = set()  # listeners that are mixed at 16
        self._plans: Plans | None = None
        # Listeners whose edges were edited since this was last cleared.
        self.edited: set[int] = set()

    def tune(self, row: int, rate: Rate) -> None:
        """What this row, which begins or begins anew, can say and hear."""
        self._rates[row] = rate
        self._settle(row)
        self._plans = None

    def turn(self, listeners: Rows) -> None:
        """The tick is over in which they were `turning`."""
        for listener in listeners.tolist():
            self._settle(listener)
            self.edited.add(listener)
        self._plans = None

    def _settle(self, listener: int) -> None:
        if self._wants_wide(listener):
            self._wide.add(listener)
        else:
            self._wide.discard(listener)

    def _wants_wide(self, listener: int) -> bool:
        rate = self._rates.get(listener, Rate.NARROW)
        if rate is Rate.EITHER:
            return any(self._rates.get(row, Rate.NARROW) is not Rate.NARROW for row in self._hears.get(listener, ()))
        return rate is Rate.WIDE

    def hear(self, listener: int, sources: dict[int, float]) -> None:
        """All that `listener` hears from now on: gain by source row; a gain of 0 is not hearing."""
        heard = {row: gain for row, gain in sources.items() if gain != 0.0}
        if heard == self._hears.get(listener, {}):
            return
        idle = listener not in self._hears
        self._detach(listener)
        self.edited.add(listener)
        self._plans = None
        if not heard:
            return
        self._hears[listener] = heard
        if idle:
            self._settle(listener)
        for row in heard:
            self._heard_by.setdefault(row, set()).add(listener)
        group = frozenset(heard.items()) if listener in heard else frozenset((*heard.items(), (listener, 1.0)))
        self._group[listener] = group
        self._members.setdefault(group, []).append(listener)

    def heard_by(self, listener: int) -> tuple[int, ...]:
        """The rows that `listener` hears."""
        return tuple(self._hears.get(listener, ()))

    def break_off(self, row: int) -> None:
        """What this row says goes over into something else: to who hears it, that is as an edit."""
        self.edited |= self._heard_by.get(row, set())

    def remove(self, row: int) -> None:
        """The row is gone: nobody hears it and it hears nobody."""
        for listener in tuple(self._heard_by.get(row, ())):
            if listener != row:
                rest = dict(self._hears[listener])
                del rest[row]
                self.hear(listener, rest)
        self.hear(row, {})
        self._rates.pop(row, None)
        self._wide.discard(row)
        self.edited.discard(row)

    @property
    def edges(self) -> int:
        """Pairs of a listener and what it hears."""
        return sum(map(len, self._hears.values()))

    def plans(self) -> Plans:
        """The same until edges are edited."""
        if self._plans is None:
            heard = np.array(sorted(self._heard_by), np.intp)
            turning = [one for one in self._hears if self._wants_wide(one) is not (one in self._wide)]
            plans = self._compile(wide=False), self._compile(wide=True)
            self._plans = Plans(heard, *plans, np.array(turning, np.intp))
        return self._plans

    def _detach(self, listener: int) -> None:
        for row in self._hears.pop(listener, {}):
            self._heard_by[row].discard(listener)
            if not self._heard_by[row]:
                del self._heard_by[row]
        group = self._group.pop(listener, None)
        if group is not None:
            self._members[group].remove(listener)
            if not self._members[group]:
                del self._members[group]

    def _compile(self, *, wide: bool) -> Plan:
        """The plan of those who hear 16 kHz, or who do not."""
        sums: list[list[tuple[int, float]]] = []
        direct: list[tuple[int, int]] = []  # listener, sum
        shared: list[tuple[int, int]] = []
        heard: set[int] = set()
        for group, everybody in self._members.items():
            if not (members := [one for one in everybody if (one in self._wide) is wide]):
                continue
            heard.update(*(self._hears[listener] for listener in members))
            # Sharing reads and subtracts once per listener beside the sum; below five it is dearer than adding anew.
            if len(group) + 2 * len(members) < len(members) * (len(group) - 1):
                for listener in members:
                    # Who hears itself (an echo in a room) has the whole sum.
                    (direct if listener in self._hears[listener] else shared).append((listener, len(sums)))
                sums.append(list(group))
            else:
                for listener in members:
                    direct.append((listener, len(sums)))
                    sums.append(list(self._hears[listener].items()))
        order = sorted(range(len(sums)), key=lambda i: -len(sums[i]))
        place = {old: new for new, old in enumerate(order)}
        columns = []
        for j in range(len(sums[order[0]]) if sums else 0):
            edges = [sums[i][j] for i in order if len(sums[i]) > j]
            gains = np.array([gain for _, gain in edges], np.float32)
            rows = np.array([row for row, _ in edges], np.intp)
            columns.append(_Column(rows, None if (gains == 1.0).all() else gains[:, None]))
        direct.sort(key=lambda pair: place[pair[1]])
        return Plan(
            heard=np.array(sorted(heard), np.intp),
            listeners=np.array([listener for listener, _ in (*direct, *shared)], np.intp),
            columns=tuple(columns),
            sums=len(sums),
            direct=np.array([place[i] for _, i in direct], np.intp),
            shared=np.array([place[i] for _, i in shared], np.intp),
            own=np.array([listener for listener, _ in shared], np.intp) if shared else _EMPTY,
            total=np.zeros((len(sums), WIDE if wide else NARROW), np.int32),
            frames=np.zeros((len(sums), WIDE if wide else NARROW), np.int16),
        )


def mix(plan: Plan, pcm: Pcm, speaking: NDArray[np.bool_]) -> Heard:
    """What every listener of the plan hears in this tick, good until the plan is mixed again.

    `pcm` int16 [rows, 160] at 8 kHz or [rows, 320] at 16, as the plan is, zeros where a row does not speak; `speaking`
    bool [rows]. A listener is audible where any source of it speaks.
    """
    if not plan.sums:
        return Heard(plan.listeners, plan.frames, np.zeros(0, np.bool_))
    first, *more = plan.columns
    total = plan.total
    total[:] = _heard(first, pcm, plan.frames)
    voices = speaking[first.rows].astype(np.int32)
    for column in more:
        n = len(column.rows)
        some = total[:n]
        some += _heard(column, pcm, plan.frames[:n])
        voices[:n] += speaking[column.rows]
    if len(plan.shared):
        rest = total[plan.shared]
        rest -= pcm[plan.own]
        total = np.concatenate([total[plan.direct], rest])
        voices = np.concatenate([voices[plan.direct], voices[plan.shared] - speaking[plan.own]])
    np.clip(total, -32768, 32767, out=total)
    if len(plan.shared):
        return Heard(plan.listeners, total.astype(np.int16), voices > 0)
    plan.frames[:] = total
    return Heard(plan.listeners, plan.frames, voices > 0)


def _heard(column: _Column, pcm: Pcm, frames: Pcm) -> Pcm | NDArray[np.int32]:
    pcm.take(column.rows, axis=0, out=frames, mode="clip")
    if column.gain is None:
        return frames
    scaled: NDArray[np.int32] = np.rint(frames * column.gain).astype(np.int32)
    return scaled
