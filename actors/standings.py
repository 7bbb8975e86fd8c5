"""How agents stand as colleagues see them, told to the directory ten times a second at most. A shell.

A call changes four times how its agent stands, and whoever is told does not look so quickly. So no agent says it to the
directory itself: it is seen from outside what has become of those who have changed, and the directory hears of all of
them together. Who seeks a colleague hears how it stood a tenth of a second ago at most; what crosses that is settled
where the call is offered, as it ever was.
"""

from __future__ import annotations

from typing import Final

import trio

from . import page
from .agent import Agent
from .directory import Stands
from .runtime import System
from .shift import colleague

# What changes within this time is told together, in seconds: less than anybody notices.
GATHER: Final = 0.1
_AGENT: Final = "agent:"


class Standings:
    """Of all agents of `system`, those that live already among them."""

    def __init__(self, system: System) -> None:
        self._system = system
        # In the order in which they changed.
        self._changed: dict[str, None] = {}
        # Each life of an agent with what the directory has heard of it: it forgets one that ends.
        self._told: dict[str, tuple[Agent, page.Colleague]] = {}
        self._bell = trio.Event()
        system.touches.append(self._touch)
        for name in system.names:
            self._touch(name)

    def _touch(self, name: str) -> None:
        if name.startswith(_AGENT):
            self._changed[name] = None
            self._bell.set()

    async def run(self) -> None:
        """Tells until cancelled."""
        while True:
            await self._bell.wait()
            self._bell = trio.Event()
            self._tell()
            await trio.sleep(GATHER)

    def _tell(self) -> None:
        changed, self._changed = self._changed, {}
        news: list[page.Colleague] = []
        for name in changed:
            agent = self._system.find(name)
            if not isinstance(agent, Agent):  # it is over, or nobody whom colleagues see
                self._told.pop(name, None)
                continue
            stands = agent, colleague(agent.state)
            if self._told.get(name) != stands:
                self._told[name] = stands
                news.append(stands[1])
        if news:
            # Not kept: the next process sees for itself how they stand.
            self._system.tell("directory", Stands(tuple(news)), kept=False)
