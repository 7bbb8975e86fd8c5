"""Whether this process is asked for more than it can do, by how long what happens waits for its turn.

    EASY  --LASTING windows on end all that had its turn, and much had, had waited longer than `limit`-->  PRESSED
    PRESSED  --some of it had waited for less than half of that, or hardly anything had its turn-->  EASY

What counts is what waited least: a burst or a long step makes many wait, and is over. So is a machine that does
something else for a while: all that came meanwhile has waited, and is done within the next window. Where even the
luckiest has to wait, and again, more comes than is done, and the line grows. New calls are then refused at the door,
before they cost anything, and those that live go on. So they are while too many are in set-up (setups.py), whatever
these wait for, and while those that were let in will want all there is when they end (load.py).
"""

from __future__ import annotations

import math
from typing import Final

from attrs import define, field

from .load import Load
from .setups import SetUps

# It is looked at this often, in seconds: in a shorter time a burst looks like a flood, in a longer one a flood lets so
# many in that everybody waits for them.
WINDOW: Final = 0.05
# ... and has to be found so this often: what a pause has left takes one window to be done.
LASTING: Final = 2
# Fewer turns in that time are no line: the machine did something else.
LEAST: Final = 20
# What a turn takes follows so much of each: it is that of the last few hundred.
SHARE: Final = 1 / 256
# For how long nobody must have been refused before the alarm about it is over, in seconds.
CALM: Final = 10.0


@define
class Pressure:
    """`limit` in seconds; 0: nobody is ever refused. `pressed`: all that happens waits for too long."""

    limit: float = 0.0
    setups: SetUps = field(factory=SetUps, init=False)
    load: Load = field(factory=Load, init=False)
    pressed: bool = field(default=False, init=False)
    # How often it has come to that, and when a call was refused for it last.
    times: int = field(default=0, init=False)
    last: float = field(default=-math.inf, init=False)
    # Of this window: what waited least, and how much had its turn.
    _least: float = field(default=math.inf, init=False)
    _turns: int = field(default=0, init=False)
    _ends: float = field(default=-math.inf, init=False)
    # What a turn takes, in seconds, as it was lately.
    _step: float = field(default=0.0, init=False)
    # So many windows on end there was a line.
    _lines: int = field(default=0, init=False)

    def waited(self, seconds: float, now: float) -> None:
        """Something has its turn that had waited for so long; 0 where nothing waits."""
        self.look(now)
        self._least = min(self._least, seconds)
        self._turns += 1

    def look(self, now: float) -> None:
        """Judges what came before, when it is time."""
        if now < self._ends:
            return
        least, turns, idle = self._least, self._turns, now - self._ends > WINDOW
        self._least, self._turns, self._ends = math.inf, 0, now + WINDOW
        line = least > self.limit > 0 and turns >= LEAST and not idle
        self._lines = self._lines + 1 if line else 0
        if least < self.limit / 2 or turns < LEAST or idle:
            self.pressed = False
        elif self._lines >= LASTING and not self.pressed:
            self.pressed = True
            self.times += 1

    @property
    def refusing(self) -> bool:
        """Whether calls are refused now."""
        return self.pressed or (self.limit > 0 and (self.load.full or self.setups.full))

    def took(self, turns: int, seconds: float) -> None:
        """So many turns were done within so long, together with what comes between them."""
        if turns:
            self._step += (seconds / turns - self._step) * min(1.0, turns * SHARE)

    def room(self, turns: int, now: float) -> float:
        """How many calls that come now may begin, where so many turns are owed."""
        if self.limit <= 0:
            return math.inf
        self.load.look(now)
        room = 0 if self.pressed or self.load.full else self.setups.room(turns * self._step)
        if not room:
            self.last = now
        return room

    def calm(self, now: float) -> bool:
        """Nobody was refused for a while."""
        return now - self.last > CALM
