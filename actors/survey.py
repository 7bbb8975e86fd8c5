"""A survey: the customer is asked how satisfied it was, when the agent's part of a call is over.

    ASKING --a key from 1 to 5, too many others, silence, gone--> OVER

A value of the call, and no actor: it is told what comes of each asking, and says what that means for the record. What
is asked, and what follows in the call, is `surveying.py`. There is one survey in a call, since the call ends with it.
Whoever said nothing is no 0: it is "none", as who kept pressing other keys is "invalid", and who hung up "abandoned".
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from attrs import frozen

from . import records
from .customs import CUSTOMS
from .effects import Effect
from .evolving import evolve
from .table import Bug, Table, Untimed, row

# What may be pressed; 5 is the best.
RATINGS: Final = "12345"


class Phase(Enum):
    ASKING = "asking"
    OVER = "over"


# --- inputs -------------------------------------------------------------------------------------------------------


@frozen
class Pressed:
    """The customer pressed a key."""

    key: str


@frozen
class Silent:
    """It was asked, and pressed nothing in the time that it had."""


@frozen
class Gone:
    """The call is over: the customer hung up, or something of ours failed."""

    hung_up: bool


# --- data ---------------------------------------------------------------------------------------------------------


@frozen
class Data:
    """`entry` is what is kept of it; it has been asked so many times, and is asked `again` so often at most, where
    another key was pressed."""

    entry: records.SurveyEntry
    phase: Phase = Phase.ASKING
    asked: int = 1
    again: int = CUSTOMS.survey_again


class Survey(Untimed[Phase]):
    """The steps of one survey; `state` is what the call keeps."""

    def __init__(self, state: Data) -> None:
        self.state = state

    def receive(self, message: object, now: float) -> list[Effect]:
        return self.dispatch(self.state.phase, message, now)

    def _pressed(self, message: Pressed, now: float) -> list[Effect]:
        if message.key in RATINGS:
            return self._over(message.key, now)
        if self.state.asked > self.state.again:
            return self._over("invalid", now)
        self.state = evolve(self.state, asked=self.state.asked + 1)
        return []

    def _silent(self, message: Silent, now: float) -> list[Effect]:
        return self._over("none", now)

    def _gone(self, message: Gone, now: float) -> list[Effect]:
        return self._over("abandoned" if message.hung_up else "lost", now)

    def _over(self, answer: str, now: float) -> list[Effect]:
        entry = evolve(self.state.entry, answer=answer, ended=now)
        self.state = evolve(self.state, phase=Phase.OVER, entry=entry)
        return []


_OVER = Bug("the call asks nobody any more, and tells nothing of it")

TABLE = Table(
    "survey",
    Phase,
    row(Pressed, asking=Survey._pressed, over=_OVER),
    row(Silent, asking=Survey._silent, over=_OVER),
    row(Gone, asking=Survey._gone, over=_OVER),
)
Survey.table = TABLE
