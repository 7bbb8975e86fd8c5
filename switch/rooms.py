"""Who hears whom: edges (listener, source, gain), compiled to a plan of sums whenever they were edited.

A listener that is alone with what it hears gets a sum of its own. Listeners that hear the same set, themselves
included (a room), share one sum of the whole set, from which each subtracts itself: a room of n costs n additions and
n subtractions, not n (n - 1) additions. Sums are exact, so what is left of oneself after subtracting is zero. Only then
the result is saturated, once.

All sums are made together: sources stand in columns, sums with more of them first, and column j is added to all of
the sums that have more than j. Most sums of int16 samples are int16 again: they are made as such, in half the memory,
and where one is not, its sign tells (of two that are added, neither has the sign that comes out). Those, and sums with
gains, are made anew in int32, and saturated.

There is a plan for each band (codecs/bands.py) that somebody hears; what speaks is there at each rate that it is heard
at. A listener is mixed at the highest band that anybody among those it hears can give, within what it can hear itself:
so a room turns wideband when a second wideband leg comes, full band when a second of that comes, and costs what it
always did before. In the tick in which it turns such a listener is still mixed at its old rate, and is to be faded out:
`Plans.turning`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from ..codecs.bands import SAMPLES, Band
from ..codecs.g711 import Pcm
from .holdings import Sums, edge

Rows = NDArray[np.intp]
_Group = frozenset[tuple[int, float]]

_EMPTY: Final = np.zeros(0, np.intp)
_INAUDIBLE: Final = np.zeros(0, np.bool_)


@frozen
class Reach:
    """The highest band that a row can give, and the lowest and the highest that it can hear."""

    gives: int = Band.NARROW
    least: int = Band.NARROW
    most: int = Band.NARROW


TELEPHONE: Final = Reach()


@frozen
class Heard:
    """What each of `listeners` [n] hears in a tick in one band: int16 [n, samples]; `audible` bool [n]: whether it is
    not all zeros."""

    band: int
    listeners: Rows
    pcm: Pcm
    audible: NDArray[np.bool_]


def up_to(band: int, heard: Sequence[Heard]) -> list[Heard]:
    """What is heard, by band from the lowest on, and up to `band` at least: in those beyond by nobody."""
    beyond = range(len(heard), band + 1)
    return [*heard, *(Heard(one, _EMPTY, np.zeros((0, SAMPLES[one]), np.int16), _INAUDIBLE) for one in beyond)]


@frozen
class _Column:
    """The j-th source of the first len(rows) sums; `gain` float32 [n]."""

    rows: Rows
    gain: NDArray[np.float32]


@frozen
class Plan:
    """What a tick mixes in one band. `heard`: every row that some listener hears in it, ascending; at 8 kHz, of which
    the other bands are made, in any. `listeners`: rows, first those that have a sum of their own (`direct`, indices of
    sums), then those that subtract themselves (`shared`, indices of sums)."""

    band: int
    heard: Rows
    listeners: Rows
    columns: tuple[_Column, ...]
    sums: int
    direct: Rows
    shared: Rows
    own: Rows
    gained: Rows  # sums some source of which has a gain
    # Where it is mixed, kept because fresh memory costs more than the sums: the sums, what is added to them, and what
    # comes out, int16 [sums, samples] each.
    frames: Pcm
    added: Pcm
    result: Pcm


@frozen
class Plans:
    """The plans of all bands from the lowest to the highest that has a listener, and every row that somebody hears,
    ascending. `turning` are listeners that are to be mixed in another band from the next tick on."""

    heard: Rows
    bands: tuple[Plan, ...]
    turning: Rows


class Rooms:
    """The edges, by listener row, and the plan made of them. `marks` are those of rows (holdings.py)."""

    def __init__(self, marks: Sequence[int]) -> None:
        self._marks = marks
        self.sums = Sums()
        self._hears: dict[int, dict[int, float]] = {}
        self._heard_by: dict[int, set[int]] = {}
        self._group: dict[int, _Group] = {}
        self._members: dict[_Group, list[int]] = {}
        self._reach: dict[int, Reach] = {}  # of rows that are no telephone
        self._bands: dict[int, int] = {}  # of listeners: in which each is mixed
        self._plans: Plans | None = None
        # Listeners whose edges were edited since this was last cleared.
        self.edited: set[int] = set()

    def tune(self, row: int, reach: Reach) -> None:
        """What this row, which begins or begins anew, can give and hear."""
        self._reach[row] = reach
        self._settle(row)
        self._plans = None

    def turn(self, listeners: Rows) -> None:
        """The tick is over in which they were `turning`."""
        for listener in listeners.tolist():
            self._settle(listener)
            self.edited.add(listener)
        self._plans = None

    def _settle(self, listener: int) -> None:
        self._bands[listener] = self._wanted(listener)

    def _wanted(self, listener: int) -> int:
        reach = self._reach.get(listener, TELEPHONE)
        if reach.least == reach.most:
            return reach.least
        given = max(
            (self._reach.get(row, TELEPHONE).gives for row in self._hears.get(listener, ())), default=reach.least
        )
        return min(max(given, reach.least), reach.most)

    def _band(self, listener: int) -> int:
        return self._bands.get(listener, Band.NARROW)

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
        mark = self._marks[listener]
        for row, gain in heard.items():
            self._heard_by.setdefault(row, set()).add(listener)
            self.sums.add(mark, edge(mark, self._marks[row], gain))
        group = frozenset(heard.items()) if listener in heard else frozenset((*heard.items(), (listener, 1.0)))
        self._group[listener] = group
        self._members.setdefault(group, []).append(listener)

    def heard_by(self, listener: int) -> tuple[int, ...]:
        """The rows that `listener` hears."""
        return tuple(self._hears.get(listener, ()))

    def gains(self, listener: int) -> Mapping[int, float]:
        """... and with which gain."""
        return self._hears.get(listener, {})

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
        self._reach.pop(row, None)
        self._bands.pop(row, None)
        self.edited.discard(row)

    @property
    def edges(self) -> int:
        """Pairs of a listener and what it hears."""
        return sum(map(len, self._hears.values()))

    def plans(self) -> Plans:
        """The same until edges are edited."""
        if self._plans is None:
            turning = [one for one in self._hears if self._wanted(one) != self._band(one)]
            bands = range(max(map(self._band, self._hears), default=Band.NARROW) + 1)
            heard = np.array(sorted(self._heard_by), np.intp)
            self._plans = Plans(heard, tuple(map(self._compile, bands)), np.array(turning, np.intp))
        return self._plans

    def _detach(self, listener: int) -> None:
        mark = self._marks[listener]
        for row, gain in self._hears.pop(listener, {}).items():
            self.sums.take(mark, edge(mark, self._marks[row], gain))
            self._heard_by[row].discard(listener)
            if not self._heard_by[row]:
                del self._heard_by[row]
        group = self._group.pop(listener, None)
        if group is not None:
            self._members[group].remove(listener)
            if not self._members[group]:
                del self._members[group]

    def _compile(self, band: int) -> Plan:
        """The plan of those who are mixed in that band."""
        sums: list[list[tuple[int, float]]] = []
        direct: list[tuple[int, int]] = []  # listener, sum
        shared: list[tuple[int, int]] = []
        heard = set(self._heard_by) if band == Band.NARROW else set()
        for group, everybody in self._members.items():
            if not (members := [one for one in everybody if self._band(one) == band]):
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
            columns.append(_Column(np.array([row for row, _ in edges], np.intp), gains))
        direct.sort(key=lambda pair: place[pair[1]])
        gained = [place[i] for i, edges in enumerate(sums) if any(gain != 1.0 for _, gain in edges)]
        shape = (len(sums), SAMPLES[band])
        return Plan(
            band=band,
            heard=np.array(sorted(heard), np.intp),
            listeners=np.array([listener for listener, _ in (*direct, *shared)], np.intp),
            columns=tuple(columns),
            sums=len(sums),
            direct=np.array([place[i] for _, i in direct], np.intp),
            shared=np.array([place[i] for _, i in shared], np.intp),
            own=np.array([listener for listener, _ in shared], np.intp) if shared else _EMPTY,
            gained=np.array(sorted(gained), np.intp),
            frames=np.zeros(shape, np.int16),
            added=np.zeros(shape, np.int16),
            result=np.zeros(shape, np.int16),
        )


def mix(plan: Plan, pcm: Pcm, speaking: NDArray[np.bool_]) -> Heard:
    """What every listener of the plan hears in this tick, good until the plan is mixed again.

    `pcm` int16 [rows, samples] of the plan's band, zeros where a row does not speak; `speaking` bool [rows]. A listener
    is audible where any source of it speaks.
    """
    if not plan.sums:
        return Heard(plan.band, plan.listeners, plan.frames, _INAUDIBLE)
    frames, first = plan.frames, plan.columns[0]
    pcm.take(first.rows, axis=0, out=frames, mode="clip")
    voices = speaking[first.rows].astype(np.int32)
    broken = plan.gained
    for column in plan.columns[1:]:
        n = len(column.rows)
        pcm.take(column.rows, axis=0, out=plan.added[:n], mode="clip")
        broken = _with(broken, _add(frames[:n], plan.added[:n], plan.result[:n]))
        voices[:n] += speaking[column.rows]
    if not len(plan.shared):
        if len(broken):
            frames[broken] = _saturated(_totals(plan, pcm, broken))
        if len(plan.direct) == plan.sums:  # one listener each, in their order
            return Heard(plan.band, plan.listeners, frames, voices > 0)
        return Heard(plan.band, plan.listeners, frames[plan.direct], voices[plan.direct] > 0)
    own, rest = pcm.take(plan.own, axis=0), frames.take(plan.shared, axis=0)
    short = _subtract(rest, own)
    if len(broken):
        short = _with(short, np.flatnonzero(np.isin(plan.shared, broken)))
        frames[broken] = _saturated(_totals(plan, pcm, broken))
    if len(short):
        rest[short] = _saturated(_totals(plan, pcm, plan.shared[short]) - own[short])
    voices = np.concatenate([voices[plan.direct], voices[plan.shared] - speaking[plan.own]])
    return Heard(plan.band, plan.listeners, np.concatenate([frames[plan.direct], rest]), voices > 0)


def _add(sums: Pcm, added: Pcm, result: Pcm) -> Rows:
    """Adds to `sums` int16 [n, samples] in place; which of them are beyond int16 now. `added` and `result` are used
    up."""
    np.add(sums, added, out=result)
    np.bitwise_xor(added, result, out=added)
    np.bitwise_xor(sums, result, out=sums)
    np.bitwise_and(sums, added, out=added)
    sums[:] = result
    return _negative(added)


def _subtract(sums: Pcm, own: Pcm) -> Rows:
    """Subtracts from `sums` int16 [n, samples] in place; which of them are beyond int16 now."""
    result = sums - own
    # Beyond it is what has another sign than the sum had, where what was subtracted had another too.
    beyond = (sums ^ own) & (sums ^ result)
    sums[:] = result
    return _negative(beyond)


def _negative(signs: Pcm) -> Rows:
    """The rows some sample of which is negative."""
    return np.flatnonzero((signs < 0).any(axis=1)) if signs.min() < 0 else _EMPTY


def _with(some: Rows, others: Rows) -> Rows:
    return np.union1d(some, others) if len(some) and len(others) else some if len(some) else others


def _totals(plan: Plan, pcm: Pcm, sums: Rows) -> NDArray[np.int32]:
    """Those of the plan's sums whole: int32 [n, samples]."""
    total = np.zeros((len(sums), pcm.shape[1]), np.int32)
    for column in plan.columns:
        some = np.flatnonzero(sums < len(column.rows))
        rows, gain = column.rows[sums[some]], column.gain[sums[some], None]
        total[some] += np.rint(pcm[rows] * gain).astype(np.int32)
    return total


def _saturated(total: NDArray[np.int32]) -> Pcm:
    return np.clip(total, -32768, 32767).astype(np.int16)
