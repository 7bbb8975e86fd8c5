"""A trunk: a carrier or PBX, the calls it brought, and whether it may bring more.

Every call asks its trunk first, so the count of live calls is true and a draining switch refuses here, with 503 and
Retry-After, before anything else is asked.
"""

from __future__ import annotations

import math
from enum import Enum

from attrs import evolve, frozen

from . import agent_state as agents
from . import call_state as calls
from . import switchboard
from .effects import Down, Effect, Started, Stop, Tell, Watch
from .table import Bug, Machine, Table, always, row

# What a caller's switch is asked to wait before it tries a draining one again: a restart takes less.
RETRY_AFTER = 10


class Phase(Enum):
    OPEN = "open"
    DRAINING = "draining"


# --- messages -----------------------------------------------------------------------------------------------------


@frozen
class Profile:
    """What the organisation says of the trunk; comes again when it changes."""

    trunk: str
    nat: bool = False


@frozen
class Admit:
    """A call of this trunk asks for its route."""

    call: str
    dialled: str


@frozen
class Drain:
    """No more calls; those that live go on."""


@frozen
class Open:
    """Calls again."""


@frozen
class Dismiss:
    """The trunk is no longer in the organisation: its calls go on, it ends."""


# --- data ---------------------------------------------------------------------------------------------------------


@frozen
class Data:
    profile: Profile
    phase: Phase = Phase.OPEN
    calls: frozenset[str] = frozenset()
    brought: int = 0


class Trunk(Machine[Phase]):
    state: Data

    def __init__(self, profile: Profile) -> None:
        self.state = Data(profile)

    def receive(self, message: object, now: float) -> list[Effect]:
        return self.dispatch(self.state.phase, message, now)

    def deadline(self) -> float:
        return math.inf

    def wake(self, now: float) -> list[Effect]:
        return []

    def _started(self, message: Started, now: float) -> list[Effect]:
        return []

    def _profile(self, message: Profile, now: float) -> list[Effect]:
        self.state = evolve(self.state, profile=message)
        return []

    def _admit(self, message: Admit, now: float) -> list[Effect]:
        data = self.state
        name = f"call:{message.call}"
        self.state = evolve(data, calls=data.calls | {name}, brought=data.brought + 1)
        return [
            Watch(name),
            Tell("switchboard", switchboard.FindRoute(message.call, message.dialled, data.profile.nat)),
        ]

    def _refuse(self, message: Admit, now: float) -> list[Effect]:
        return [Tell(f"call:{message.call}", calls.NotRouted(503, "draining", RETRY_AFTER))]

    def _call_over(self, message: Down, now: float) -> list[Effect]:
        self.state = evolve(self.state, calls=self.state.calls - {message.name})
        return []

    def _drain(self, message: Drain, now: float) -> list[Effect]:
        self.state = evolve(self.state, phase=Phase.DRAINING)
        return []

    def _reopen(self, message: Open, now: float) -> list[Effect]:
        self.state = evolve(self.state, phase=Phase.OPEN)
        return []

    def _dismiss(self, message: Dismiss, now: float) -> list[Effect]:
        return [Stop(agents.DISMISSED)]


TABLE = Table(
    "trunk",
    Phase,
    row(Started, open=Trunk._started, draining=Bug("an actor starts once")),
    always(Profile, Trunk._profile, Phase),
    row(Admit, open=Trunk._admit, draining=Trunk._refuse),
    always(Down, Trunk._call_over, Phase),
    always(Drain, Trunk._drain, Phase),
    always(Open, Trunk._reopen, Phase),
    always(Dismiss, Trunk._dismiss, Phase),
)
Trunk.table = TABLE
