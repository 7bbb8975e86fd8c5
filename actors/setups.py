"""How many calls may be in set-up at once: as many as are all set up within `BOUND`.

A call is in set-up from its INVITE until it is answered, heard early, refused or gone. Whatever it waits for meanwhile,
its turn, its route or the engine, it waits in one line with the others. What one call takes of that line is measured:
how long it was in set-up, over the place in the line that it had as it came. Where the next one would be in set-up for
longer than `BOUND`, it is refused at the door, before it costs anything; so a flood has as many calls set up as can be,
and none of them waits for long. What else is owed counts too: each turn of a set-up comes after all that.
"""

from __future__ import annotations

import math
from typing import Final

from attrs import define, field

# In seconds. A caller hears nothing meanwhile, and by T1 it asks again (RFC 3261 §17.1.1.2): half of that.
BOUND: Final = 0.25
# So many turns a set-up has one after the other, and before each it waits as all that happens does: a call begins, is
# routed, hears that, has a leg, joins its queue, and rings.
TURNS: Final = 6
# What one call takes of the line before anything is measured, in seconds; and so many may be in set-up at once on the
# slowest machine, and after any pause of it.
USUAL: Final = 0.004
LEAST: Final = 8
# The measured figure follows so much of each new one: it is that of the last few dozens.
SHARE: Final = 1 / 16
# Who had fewer before it tells nothing of what a line takes, but that it is no more than this.
LINE: Final = 8


@define
class SetUps:
    """`cost`: what each call takes of the line, in seconds."""

    cost: float = field(default=USUAL, init=False)
    # call -> since when it is in set-up, and in which place it came, from 1
    _begun: dict[str, tuple[float, int]] = field(factory=dict, init=False)

    def __len__(self) -> int:
        return len(self._begun)

    def begin(self, call: str, now: float) -> None:
        self._begun[call] = now, len(self._begun) + 1

    def done(self, call: str, now: float) -> None:
        """It is answered, or heard; of a call that was not in set-up any more this says nothing."""
        begun = self._begun.pop(call, None)
        if begun is None:
            return
        since, place = begun
        found = min((now - since) / place, BOUND / LEAST)
        if place > LINE or found < self.cost:
            self.cost += (found - self.cost) * SHARE

    def gone(self, call: str) -> None:
        """It is over before it was set up: how long that took tells nothing."""
        self._begun.pop(call, None)

    def room(self, waits: float = 0.0) -> int:
        """How many more would not be in set-up for too long, where each turn comes after so long."""
        return max(0, math.ceil((BOUND - TURNS * waits) / self.cost) - len(self._begun))

    @property
    def full(self) -> bool:
        """One more would be in set-up for too long."""
        return not self.room()
