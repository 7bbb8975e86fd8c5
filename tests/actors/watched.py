"""The runtime with somebody who looks after each step, and with bad luck: actors that sleep, messages that crash.

An actor that sleeps takes no turn until it wakes, and its mail waits: so messages cross that a quick process would have
taken one after the other. A step that is made to crash meets a message that no table knows, in the place of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import trio
from cordboard.actors.effects import Behaviour, Effect
from cordboard.actors.runtime import System
from cordboard.actors.states import Unwritten
from cordboard.actors.steps import Unjournalled

# Seconds since the epoch have no more digits.
ROUNDING: Final = 1e-6


class KilledError(BaseException):
    """The process that did this is no more."""


class Life:
    """The tasks of one control process, which end all at once when it is killed. A nursery to the runtime."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._scopes: list[trio.CancelScope] = []
        self.over = False

    def start_soon(self, task: Callable[..., Awaitable[object]], *arguments: object, name: object = None) -> None:
        scope = trio.CancelScope()
        self._scopes.append(scope)

        async def live() -> None:
            with scope, suppress(KilledError):
                await task(*arguments)

        self._nursery.start_soon(live, name=name)

    def end(self) -> None:
        self.over = True
        for scope in self._scopes:
            scope.cancel()


class Poison:
    """A message that no table knows."""


class WatchedSystem(System):
    """See the module's docstring; `look` is called after each step."""

    def __init__(
        self,
        clock: Callable[[], float],
        life: Life,
        look: Callable[[], None],
        states: Unwritten,
        journal: Unjournalled,
        choose: Callable[[int], int],
    ) -> None:
        super().__init__(clock, life, states, journal, choose)  # type: ignore[arg-type] # all that it asks of a nursery
        self._look = look
        self._life = life
        # How much more steps get of what they want before the process dies of it, and how it does.
        self._doom: tuple[int, Callable[[], None]] | None = None
        self._asleep: dict[str, float] = {}
        self._owed: list[Any] = []
        # How many steps were made to crash, and whose next one is.
        self.poisoned = 0
        # Who has lost a message so.
        self.lost: set[str] = set()
        self._poison: set[str] = set()
        # What is done between two turns: after so many more of them.
        self._between: list[tuple[int, Callable[[], object]]] = []
        self._turns_taken = 0

    def behaviours(self) -> dict[str, Behaviour]:
        return {name: cell.behaviour for name, cell in self._cells.items()}

    def pending(self) -> bool:
        """Whether there is a message that no actor has read yet."""
        return any(cell.mailbox for cell in self._cells.values())

    def poison(self, name: str) -> None:
        """The next message of that actor crashes it, and is lost."""
        self._poison.add(name)

    def between(self, turns: int, act: Callable[[], object]) -> None:
        """Does that between two turns of an instant: after so many more of them."""
        self._between.append((self._turns_taken + turns, act))

    def forget_between(self) -> None:
        """What was to be done between two turns is not done."""
        self._between.clear()

    def sleep(self, name: str, until: float) -> None:
        """That actor takes no turn until then, when somebody calls `wake`."""
        self._asleep[name] = until

    def doom(self, effects: int, die: Callable[[], None]) -> None:
        """The process dies within a step, when so many more effects of steps were carried out."""
        self._doom = effects, die

    def wake(self) -> None:
        """Whoever has slept for long enough goes on."""
        if self._life.over:
            return
        now = self._clock() + ROUNDING
        self._asleep = {name: until for name, until in self._asleep.items() if until > now}
        owed, self._owed = self._owed, []
        for cell in owed:
            self._turns.add(cell)
        self._ring()

    def _perform(self, cell: Any, effect: Effect) -> None:
        if self._doom is not None:
            left, die = self._doom
            self._doom = left - 1, die
            if left == 0:
                die()
                raise KilledError
        super()._perform(cell, effect)

    def _turn(self, cell: Any, now: float) -> None:
        if self._life.over:
            raise KilledError
        if self._asleep.get(cell.name, now) > now:
            self._owed.append(cell)
        else:
            super()._turn(cell, now)

    def _step(self, cell: Any, message: object | None, told: bool) -> None:
        if message is not None and cell.name in self._poison:
            self._poison.remove(cell.name)
            self.lost.add(cell.name)
            message = Poison()
        self.poisoned += isinstance(message, Poison)
        super()._step(cell, message, told)
        self._look()
        self._turns_taken += 1
        due = [act for turns, act in self._between if turns <= self._turns_taken]
        if due:
            self._between = [each for each in self._between if each[0] > self._turns_taken]
            for act in due:
                act()
