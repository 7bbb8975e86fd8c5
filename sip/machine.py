"""What the machines of a call have in common: a total table, and timers that live and die with states.

Each row of a table is a `Move` with what to do, a `Late` crossing that is dropped by name, or a `Bug` that raises.
Entering a state starts its timers unless they run already; leaving it ends them. The five of a call are its life
(`call`), its offers and answers (`exchange`), its session timer (`refresh`), its reliable responses (`reliable`) and
what the far side refers (`referral`): they are orthogonal, and tell one another by inputs.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Generic, TypeAlias, TypeVar

from attrs import frozen

from .message import LocalSipError
from .transaction import Bug, Late

S = TypeVar("S", bound=Enum)
I = TypeVar("I", bound=Enum)  # noqa: E741
D = TypeVar("D", bound=Enum)


@frozen
class Move(Generic[S, D]):
    state: S
    do: tuple[D, ...] = ()


Row: TypeAlias = Move[S, D] | Late | Bug
Table: TypeAlias = dict[tuple[S, I], Row[S, D]]

NO_TIMER = Bug("a timer of another state: it died with its state")


@frozen
class Plan(Generic[S, I, D]):
    """A table, with the timers that each state runs."""

    name: str
    table: Mapping[tuple[S, I], Row[S, D]]
    timers: Mapping[S, tuple[I, ...]]


def rows(states: Iterable[S], given: I, row: Row[S, D]) -> Table[S, I, D]:
    """The same in several states."""
    return {(state, given): row for state in states}


def stay(states: Iterable[S], given: I, *do: D) -> Table[S, I, D]:
    """The same done in several states, which stay as they are."""
    return {(state, given): Move(state, do) for state in states}


class Timed(ABC, Generic[S, I, D]):
    """One instance of a plan. `running` are its timers and when they are due; `interval` is of the one that doubles."""

    __slots__ = ("interval", "plan", "running", "state")

    def __init__(self, plan: Plan[S, I, D], state: S, now: float) -> None:
        self.plan = plan
        self.state = state
        self.interval = 0.0
        self.running: dict[I, float] = {}
        self._enter(now)

    @abstractmethod
    def _begin(self, timer: I) -> float:
        """How long after its state was entered a timer is due, in seconds."""

    @abstractmethod
    def _repeat(self, timer: I) -> float | None:
        """How long after it was due it is due again; None: once."""

    def receive(self, given: I, now: float) -> Move[S, D] | Late:
        """Move, and say what is to be done. Raises LocalSipError on a bug; then nothing has changed."""
        row = self.plan.table[self.state, given]
        if isinstance(row, Bug):
            raise LocalSipError(f"{self.plan.name} {self.state.value}, {given.value}: {row.text}")
        if isinstance(row, Move) and row.state is not self.state:
            self.state = row.state
            self._enter(now)
        return row

    def _enter(self, now: float) -> None:
        timers = self.plan.timers.get(self.state)
        before, self.running = self.running, {}
        if timers is not None:
            self.running = {timer: before.get(timer, now + self._begin(timer)) for timer in timers}

    def deadline(self) -> float:
        return min(self.running.values()) if self.running else math.inf

    def due(self, now: float) -> I | None:
        """The next timer that is due at `now`, taken off or, where it repeats, set again."""
        if not self.running:
            return None
        timer, when = min(self.running.items(), key=lambda item: (item[1], item[0].value))
        if when > now:
            return None
        again = self._repeat(timer)
        if again is None:
            del self.running[timer]
        else:
            # counted from when it was due, so that a late wake does not shift the rest; but never a burst
            self.running[timer] = when + again if when + again > now else now + again
        return timer
