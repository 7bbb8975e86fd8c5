"""The directory of colleagues: how every agent stands now, told to the pages that show it.

It hears how those agents stand that have changed (`standings.py`), and agents say which of their pages watch. A page
that begins to watch hears the whole list at once, in events of at most `CHUNK` agents; from then on what changed since
the last telling, each agent once. That is told at most every `INTERVAL`, and where very many watch, at most
`PUSHES_PER_SECOND`. The directory watches the agents: one that ends is gone from the list.

    QUIET --somebody changed--> OWING --time to tell--> QUIET
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from enum import Enum
from typing import TypeVar

from attrs import field, frozen

from . import agent_state as agents
from . import page
from .effects import Down, Effect, Push, Started, Tell, Watch
from .evolving import evolve
from .table import Bug, Machine, Table, always, row

T = TypeVar("T")

# Pages hear what changed at most this often, in seconds: quicker than a glance, and a call that rings and is answered
# at once is one change.
INTERVAL = 0.5
# Events told to all pages together, in one second at most: what a fifth of a core writes.
PUSHES_PER_SECOND = 4000
# Agents in one event: some 20 kB.
CHUNK = 200


class Phase(Enum):
    QUIET = "quiet"
    OWING = "owing"


# --- messages -----------------------------------------------------------------------------------------------------


@frozen
class Stands:
    """Agents are as this says from now on."""

    colleagues: tuple[page.Colleague, ...]


@frozen
class Watchers:
    """The pages of this agent that show the directory, all of them."""

    agent: str
    sessions: tuple[str, ...]


@frozen
class Seek:
    """The agent `by` wants that `agent` in its call, at its page or on its mobile: answered by `Sought`."""

    by: str
    agent: str
    mobile: bool = False


@frozen
class Timeout:
    """Never sent: what `wake` looks up in the table."""


# --- data ---------------------------------------------------------------------------------------------------------


@frozen
class Data:
    phase: Phase = Phase.QUIET
    # agent -> how it stands; replaced, never changed
    agents: Mapping[str, page.Colleague] = field(factory=dict)
    # agent -> its pages that watch; only those that have some
    watchers: Mapping[str, tuple[str, ...]] = field(factory=dict)
    # Agents whose change has not been told, in the order of their changes; and since when it may be.
    owed: Mapping[str, None] = field(factory=dict)
    tell_at: float = 0.0
    rev: int = 0


class Directory(Machine[Phase]):
    """The one directory of a centre; see `Data` for what it remembers."""

    state: Data

    def __init__(self) -> None:
        self.state = Data()

    def receive(self, message: object, now: float) -> list[Effect]:
        effects = self.dispatch(self.state.phase, message, now)
        if self.state.phase is Phase.OWING and self.state.tell_at <= now:
            effects = [*effects, *self._tell(Timeout(), now)]
        return effects

    def deadline(self) -> float:
        return self.state.tell_at if self.state.phase is Phase.OWING else math.inf

    def wake(self, now: float) -> list[Effect]:
        return self.receive(Timeout(), now)

    # --- what is heard ----------------------------------------------------------------------------------------

    def _started(self, message: Started, now: float) -> list[Effect]:
        return []

    def _stands(self, message: Stands, now: float) -> list[Effect]:
        before = self.state.agents
        told = {each.agent: each for each in message.colleagues if before.get(each.agent) != each}
        self.state = evolve(self.state, agents={**before, **told})
        self._owe(told)
        return [Watch(f"agent:{agent}") for agent in told if agent not in before]

    def _gone(self, message: Down, now: float) -> list[Effect]:
        agent = message.name.removeprefix("agent:")
        self.state = evolve(self.state, agents=_without(self.state.agents, agent))
        self.state = evolve(self.state, watchers=_without(self.state.watchers, agent))
        self._owe((agent,))
        return []

    def _watchers(self, message: Watchers, now: float) -> list[Effect]:
        before = self.state.watchers.get(message.agent, ())
        others = _without(self.state.watchers, message.agent)
        known = {**others, message.agent: message.sessions} if message.sessions else others
        self.state = evolve(self.state, watchers=known)
        return [push for session in message.sessions if session not in before for push in self._whole(session)]

    def _seek(self, message: Seek, now: float) -> list[Effect]:
        found = self.state.agents.get(message.agent)
        if found is None:
            sought = agents.Sought(message.agent, code="no_such_agent")
        elif message.mobile:
            sought = agents.Sought(message.agent, found.name, "" if found.mobile else "no_mobile")
        elif found.state not in (page.State.IDLE, page.State.MOBILE):
            sought = agents.Sought(message.agent, found.name, "agent_not_idle")
        else:
            sought = agents.Sought(message.agent, found.name)
        return [Tell(f"agent:{message.by}", sought)]

    # --- what is told -----------------------------------------------------------------------------------------

    def _owe(self, agents: Collection[str]) -> None:
        """To nobody who watches is nothing owed: who begins to hears the whole list."""
        if self.state.watchers and agents:
            before = {each: None for each in self.state.owed if each not in agents}
            owed = {**before, **dict.fromkeys(agents)}
            self.state = evolve(self.state, phase=Phase.OWING, owed=owed)

    def _whole(self, session: str) -> list[Effect]:
        """The list from its beginning. What is still owed is in it, and said again it changes nothing."""
        everybody = tuple(self.state.agents.values())
        chunks = [everybody[at : at + CHUNK] for at in range(0, len(everybody), CHUNK)] or [()]
        return [
            Push(session, self._next_rev(), page.Colleagues(begins=at == 0, changed=chunk))
            for at, chunk in enumerate(chunks)
        ]

    def _tell(self, message: Timeout, now: float) -> list[Effect]:
        sessions = [session for each in self.state.watchers.values() for session in each]
        events = list(self._events()) if sessions else []
        pause = max(INTERVAL, len(sessions) * len(events) / PUSHES_PER_SECOND)
        self.state = evolve(self.state, phase=Phase.QUIET, owed={}, tell_at=now + pause)
        effects: list[Effect] = []
        for event in events:
            rev = self._next_rev()
            effects += [Push(session, rev, event) for session in sessions]
        return effects

    def _events(self) -> Iterator[page.Colleagues]:
        data = self.state
        owed = list(data.owed)
        for at in range(0, len(owed), CHUNK):
            chunk = owed[at : at + CHUNK]
            yield page.Colleagues(
                changed=tuple(data.agents[agent] for agent in chunk if agent in data.agents),
                gone=tuple(agent for agent in chunk if agent not in data.agents),
            )

    def _next_rev(self) -> int:
        self.state = evolve(self.state, rev=self.state.rev + 1)
        return self.state.rev


def _without(known: Mapping[str, T], name: str) -> dict[str, T]:
    return {each: value for each, value in known.items() if each != name}


TABLE = Table(
    "directory",
    Phase,
    always(Started, Directory._started, Phase),
    always(Stands, Directory._stands, Phase),
    always(Down, Directory._gone, Phase),
    always(Watchers, Directory._watchers, Phase),
    always(Seek, Directory._seek, Phase),
    row(Timeout, quiet=Bug("nothing is owed, so nothing is waited for"), owing=Directory._tell),
)
Directory.table = TABLE
