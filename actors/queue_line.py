"""The line of a queue: which calls wait, in which order, and where each of them rings."""

from __future__ import annotations

import math
from collections.abc import Mapping

from . import agent_state as agents
from .effects import Effect, Tell
from .evolving import evolve
from .queue_state import Data, Join, Place, Waiting
from .table import Machine


class Lined(Machine[Place]):
    """The calls of a queue."""

    state: Data

    def line_up(self, newcomer: Waiting) -> None:
        """In its turn: mostly behind all others."""
        last = [*self.state.calls.values()][-1:]
        self.replace(newcomer)
        if any(_turn(each.join) > _turn(newcomer.join) for each in last):
            line = sorted(self.state.calls.items(), key=lambda item: _turn(item[1].join))
            self.state = evolve(self.state, calls=dict(line))

    def remove(self, call: str) -> Waiting:
        calls = dict(self.state.calls)
        waiting = calls.pop(call)
        self.state = evolve(self.state, calls=calls, moments=self._moments(call, math.inf))
        return waiting

    def replace(self, waiting: Waiting) -> None:
        call = waiting.join.call
        moments = self._moments(call, waiting.moment)
        self.state = evolve(self.state, calls={**self.state.calls, call: waiting}, moments=moments)

    def _moments(self, call: str, moment: float) -> Mapping[str, float]:
        """Of all, where that is the moment of this one."""
        moments = self.state.moments
        if moments.get(call, math.inf) == moment:
            return moments
        if moment < math.inf:
            return {**moments, call: moment}
        return {other: each for other, each in moments.items() if other != call}

    def ring_somewhere(self) -> list[Waiting]:
        """The calls that ring somewhere."""
        calls = self.state.calls
        return [each for call in self.state.moments if (each := calls[call]).rung]

    def withdraw(self, waiting: Waiting, code: str) -> list[Effect]:
        return [Tell(f"agent:{agent}", agents.Withdraw(waiting.join.call, code)) for agent in waiting.rung]


def _turn(join: Join) -> tuple[object, ...]:
    """By which calls stand in line."""
    return not join.again, join.priority, join.since
