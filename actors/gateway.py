"""One host of a trunk: whether it answers, found out by an OPTIONS every so often (RFC 3261 §11).

    NEW --answers--> UP --silent for PATIENCE--> DOWN --answers UP_AGAIN times in a row--> UP
                     `--503--> RESTING --as long as it said--> DOWN

Any final answer but 503 is a sign of life: many carriers refuse OPTIONS, and are well. A host that is asked at the
longest interval and falls silent just after its answer is down `PING_SECONDS + PATIENCE` later. One that says 503 with
Retry-After is left alone for so long (RFC 3261 §20.33), and proves itself like one that was down.

A machine and no actor: the trunk (`trunk.py`) owns it, and asks what it wants asked.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from attrs import evolve, frozen

from . import signals
from .effects import Effect, Log, Sip
from .table import Bug, Late, Machine, Table, always, each, row

# How often a host is asked that is up; and one that is not, so that it is soon up again.
PING_SECONDS: Final = 10.0
DOWN_PING_SECONDS: Final = 5.0
# How long an answer is waited for: by UDP it is asked four times by then (RFC 3261 §17.1.2, Timer E).
PATIENCE: Final = 4.0
# A host that comes and goes is not trusted at its first word.
UP_AGAIN: Final = 2
# What a 503 without Retry-After is worth, in seconds; and the most and the least that one with it is.
REST: Final = 10
LONGEST_REST: Final = 3600
SHORTEST_REST: Final = DOWN_PING_SECONDS


class Phase(Enum):
    NEW = "new"
    UP = "up"
    DOWN = "down"
    RESTING = "resting"


# --- messages -----------------------------------------------------------------------------------------------------


@frozen
class Answered:
    """It said something to what was asked."""


@frozen
class Busy:
    """It said 503."""

    retry_after: int | None = None


@frozen
class Silent:
    """Nobody answered, or nothing could be sent there, and why, where there was no connection."""

    trouble: str = ""


@frozen
class PatienceOver:
    """Never sent: the answer that is waited for has not come in time."""


@frozen
class PingDue:
    """Never sent: it is time to ask, or the rest is over."""


# --- data ---------------------------------------------------------------------------------------------------------


@frozen
class Data:
    """`number` is that of the host among all that the trunk has had; `ask` is the id of the question that is open,
    empty for none, and `asks` counts them. `trouble`: why it is down, where more is known than that it says nothing."""

    trunk: str
    number: int
    host: signals.Host
    ping_at: float
    phase: Phase = Phase.NEW
    asks: int = 0
    ask: str = ""
    asked_at: float = 0.0
    # Answers in a row while it is down.
    good: int = 0
    trouble: str = ""

    @property
    def reason(self) -> str:
        return self.trouble or "no answer"


class Gateway(Machine[Phase]):
    """See the module's docstring."""

    state: Data

    def __init__(self, state: Data) -> None:
        self.state = state

    def receive(self, message: object, now: float) -> list[Effect]:
        before = self.state.phase
        effects = self.dispatch(before, message, now)
        after = self.state
        if after.phase is before:
            return effects
        fields = (("trunk", after.trunk), *after.host.fields, ("state", after.phase.value))
        why = (("reason", after.reason),) if after.phase is Phase.DOWN and before is not Phase.RESTING else ()
        return [*effects, Log("trunk host", (*fields, *why))]

    def deadline(self) -> float:
        data = self.state
        return data.asked_at + PATIENCE if data.ask else data.ping_at

    def wake(self, now: float) -> list[Effect]:
        return self.receive(PatienceOver() if self.state.ask else PingDue(), now)

    # --- steps ------------------------------------------------------------------------------------------------

    def _ping(self, message: PingDue, now: float) -> list[Effect]:
        data = self.state
        ask = f"{data.trunk} host {data.number} {data.asks + 1}"
        self.state = evolve(data, ask=ask, asks=data.asks + 1, asked_at=now)
        return [Sip(signals.Ask(ask, data.trunk, "OPTIONS", data.host))]

    def _rested(self, message: PingDue, now: float) -> list[Effect]:
        self._move(Phase.DOWN, now)
        return self._ping(message, now)

    def _up(self, message: Answered, now: float) -> list[Effect]:
        self._move(Phase.UP, now + PING_SECONDS)
        return []

    def _perhaps_up(self, message: Answered, now: float) -> list[Effect]:
        good = self.state.good + 1
        if good >= UP_AGAIN:
            return self._up(message, now)
        self._move(Phase.DOWN, now + DOWN_PING_SECONDS)
        self.state = evolve(self.state, good=good)
        return []

    def _down(self, message: Silent | PatienceOver, now: float) -> list[Effect]:
        self._move(Phase.DOWN, max(self.state.asked_at + DOWN_PING_SECONDS, now))
        self.state = evolve(self.state, trouble=message.trouble if isinstance(message, Silent) else "")
        return []

    def _rest(self, message: Busy, now: float) -> list[Effect]:
        said = REST if message.retry_after is None else message.retry_after
        self._move(Phase.RESTING, now + min(max(said, SHORTEST_REST), LONGEST_REST))
        return []

    def _move(self, phase: Phase, ping_at: float) -> None:
        """The one door for state changes: nothing is asked any more."""
        self.state = evolve(self.state, phase=phase, ping_at=ping_at, ask="", good=0, trouble="")


_ALONE = Late("it is left alone, and was asked before")

TABLE = Table(
    "gateway",
    Phase,
    row(
        Answered,
        new=Gateway._up,
        up=Gateway._up,
        down=Gateway._perhaps_up,
        resting=_ALONE,
    ),
    always(Busy, Gateway._rest, Phase),
    row(
        Silent,
        resting=_ALONE,
        **each("new up down", Gateway._down),
    ),
    row(
        PatienceOver,
        resting=Bug("nothing is asked of who rests"),
        **each("new up down", Gateway._down),
    ),
    row(
        PingDue,
        resting=Gateway._rested,
        **each("new up down", Gateway._ping),
    ),
)
Gateway.table = TABLE


def begun(trunk: str, number: int, host: signals.Host, now: float) -> Data:
    """A host of which nothing is known: it is asked at once."""
    return Data(trunk, number, host, ping_at=now)


def heard(trunk: str, number: int, host: signals.Host, now: float) -> Data:
    """One that has just spoken to us, and heard us."""
    return Data(trunk, number, host, ping_at=now + PING_SECONDS, phase=Phase.UP)


def forgotten(data: Data, now: float) -> Data:
    """What was asked is lost, with the process that asked it: it is asked again."""
    return evolve(data, ask="", ping_at=now) if data.ask else data
