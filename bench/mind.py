"""What an agent who is no person does next, by its habits and by chance: without I/O, a clock or a random of its own.

`Mind` hears the states of its agent, as events and snapshots tell them, and says what to do and when.
"""

from __future__ import annotations

import math
import random

from attrs import frozen

# Beside the commands of a page: it reloads. The states of `agent.state` stand for that command.
RELOAD = "reload"
# What a switch that is well is given to answer; then the same is asked again.
PATIENCE = 15.0

Range = tuple[float, float]


@frozen
class Habits:
    """Ranges are in seconds, drawn anew each time; the others are shares: of offers, of conversations, of paperwork.
    Who misses an offer is put on break by the switch, and comes back as from any."""

    answers_after: Range = (0.3, 2.5)
    declines: float = 0.06
    misses: float = 0.04
    talks: Range = (2.0, 25.0)
    reloads: float = 0.08
    writes: Range = (0.5, 3.0)
    rests: float = 0.06
    rest: Range = (1.0, 5.0)
    leaves: float = 0.05


class Mind:
    """What is done next, `do`, at `deadline()`; nothing is planned before the first state is heard."""

    def __init__(self, habits: Habits, rng: random.Random) -> None:
        self.state = ""
        self.leaving = False
        self._habits = habits
        self._rng = rng
        self._do = ""
        self._at = math.inf

    def deadline(self) -> float:
        return self._at

    def hear(self, state: str, now: float) -> None:
        """The agent's state, as an event or a snapshot tells it; heard again it changes no plan."""
        if state != self.state:
            self.state = state
            self._decide(now)

    def forget(self) -> None:
        """The page is another one: it hears where it is."""
        self.state, self._do, self._at = "", "", math.inf

    def _decide(self, now: float) -> None:
        self._do, wait = self._leave() if self.leaving else self._plan()
        self._at = now + wait if self._do else math.inf

    def go_home(self, now: float) -> None:
        """From now on it only ends what there is, and signs out."""
        self.leaving = True
        self._decide(now)

    def act(self, now: float) -> str:
        """What is due, once; it is tried again where no new state comes of it."""
        assert now >= self._at, "nothing is due"
        self._at = now + PATIENCE
        return self._do

    def _leave(self) -> tuple[str, float]:
        match self.state:
            case "talking":
                return "call.hang_up", 0.0
            case "signed_out" | "":
                return "", math.inf
            case _:
                return "agent.sign_out", 0.0

    def _plan(self) -> tuple[str, float]:
        habits, rng = self._habits, self._rng
        chance = rng.random()
        match self.state:
            case "ringing":
                wait = rng.uniform(*habits.answers_after)
                if chance < habits.misses:
                    return "", math.inf
                return "call.decline" if chance < habits.misses + habits.declines else "call.answer", wait
            case "talking":
                return RELOAD if chance < habits.reloads else "call.hang_up", rng.uniform(*habits.talks)
            case "after_call_work":
                if chance < habits.leaves:
                    return "agent.sign_out", rng.uniform(*habits.writes)
                resting = chance < habits.leaves + habits.rests
                return "break" if resting else "agent.start_answering", rng.uniform(*habits.writes)
            case "break":
                return "idle", rng.uniform(*habits.rest)
            case "signed_out":
                return "agent.sign_in", rng.uniform(*habits.rest)
            case _:
                return "", math.inf
