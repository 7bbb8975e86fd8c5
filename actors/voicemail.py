"""A message that a caller leaves, since its queue does not keep the call.

    GREETING --the tone is over--> RECORDING --#, too long, gone--> OVER

A value of the call, and no actor, as `survey.py` is: it is told what the caller does, and says what that means for the
record. What is heard, and what follows in the call, is `taking_messages.py`. Who hangs up before the tone is over has
left none.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from attrs import frozen

from . import records
from .effects import Effect
from .evolving import evolve
from .table import Bug, Table, Untimed, row

# What ends a message, as in any voicemail.
END: Final = "#"
# The longest one, in seconds.
LONGEST: Final = 180.0
# A shorter one is somebody who hung up at the tone.
SHORTEST: Final = 1.0


class Phase(Enum):
    GREETING = "greeting"
    RECORDING = "recording"
    OVER = "over"


# --- inputs -------------------------------------------------------------------------------------------------------


@frozen
class Said:
    """The caller has heard the greeting and the tone."""


@frozen
class Pressed:
    """The caller pressed a key."""

    key: str


@frozen
class TimeOut:
    """The message is as long as one may be, or the greeting was never over."""


@frozen
class Gone:
    """The call is over."""


# --- data ---------------------------------------------------------------------------------------------------------


@frozen
class Data:
    """For which `queue`; `entry` is what is kept of it, once it has begun."""

    queue: str
    phase: Phase = Phase.GREETING
    entry: records.MessageEntry | None = None

    @property
    def left(self) -> bool:
        return self.entry is not None and was_left(self.entry)


def was_left(entry: records.MessageEntry) -> bool:
    """There is a message, and it is whole."""
    return entry.ended is not None and entry.ended - entry.began >= SHORTEST


class Voicemail(Untimed[Phase]):
    """The steps of one message of the call `call`; `state` is what the call keeps."""

    def __init__(self, state: Data, call: str) -> None:
        self.state = state
        self._call = call

    def receive(self, message: object, now: float) -> list[Effect]:
        return self.dispatch(self.state.phase, message, now)

    def _begin(self, message: Said, now: float) -> list[Effect]:
        entry = records.MessageEntry(self._call, self.state.queue, now)
        self.state = evolve(self.state, phase=Phase.RECORDING, entry=entry)
        return []

    def _skip(self, message: Pressed, now: float) -> list[Effect]:
        """A key ends the greeting where it is played, and the tone still follows."""
        return []

    def _pressed(self, message: Pressed, now: float) -> list[Effect]:
        return self._over(message, now) if message.key == END else []

    def _over(self, message: Pressed | TimeOut | Gone, now: float) -> list[Effect]:
        entry = self.state.entry
        kept = evolve(entry, ended=now) if entry is not None else None
        self.state = evolve(self.state, phase=Phase.OVER, entry=kept)
        return []


_OVER = Bug("the call takes no message any more, and tells nothing of it")

TABLE = Table(
    "voicemail",
    Phase,
    row(Said, greeting=Voicemail._begin, recording=Bug("the tone is heard once"), over=_OVER),
    row(Pressed, greeting=Voicemail._skip, recording=Voicemail._pressed, over=_OVER),
    row(TimeOut, greeting=Voicemail._over, recording=Voicemail._over, over=_OVER),
    row(Gone, greeting=Voicemail._over, recording=Voicemail._over, over=_OVER),
)
Voicemail.table = TABLE
