"""What a journal tells: every step of every actor, so that a fresh process can take it again.

A journal begins with the actors there are, each with its state; then come those that are born, the steps, and how
actors end. A step is what was received, when, and the effects it gave. Since a behaviour is nothing but a function of
its state, what it hears and the time, a replay of one actor needs nothing of the others, and every effect must come
out again byte for byte. Between them are the SIP messages that came and went, for who draws a call (`trace.py`).

`journal.py` writes these records, `replay.py` reads them. What is private in them is veiled (`veil.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import field, frozen

from .effects import Behaviour, Effect, Record, Stop
from .packing import Shapes

# --- records ------------------------------------------------------------------------------------------------------


@frozen
class Begins:
    """The first record: by which format and which code the others were written, and when; and the shapes of what is
    packed in them (`packing.py`)."""

    format: int
    code: str
    at: float
    shapes: Shapes = field(factory=dict)


@frozen
class Lives:
    """From now on there is this actor, packed: it is there already, or it is born."""

    name: str
    at: float
    behaviour: bytes


@frozen
class Took:
    """One step. `message` and `effects` (a tuple) are packed; an empty message is a timer that came due. `told`: the
    states had it too, as they have all but what the next process would not miss."""

    name: str
    at: float
    message: bytes
    told: bool
    effects: bytes


@frozen
class Crashed:
    """A step that raised `error`, a class, and was undone."""

    name: str
    at: float
    message: bytes
    told: bool
    error: str
    trace: str


@frozen
class Ends:
    """An actor that did not end by itself; `will` is the packed tuple of what was kept of it, empty where it has none
    that can be read."""

    name: str
    at: float
    reason: str
    will: bytes


@frozen
class Spoke:
    """A SIP message of a trunk, as it may be shown (`wire.py`); no step of an actor. `call` is empty where nobody knew
    it yet: `call_id`, a digest of its Call-ID, says whose it was."""

    at: float
    trunk: str
    call: str
    call_id: str
    sent: bool
    text: str


Entry = Begins | Lives | Took | Crashed | Ends | Spoke


# --- one step -----------------------------------------------------------------------------------------------------


class StandingTimerError(AssertionError):
    """A wake that changed nothing and left its deadline where it was: it would be woken for ever."""


def step(behaviour: Behaviour, message: object | None, now: float) -> list[Effect]:
    """Takes a step: of a message, or of a timer that is due where there is none. What it raises undoes the step."""
    before = behaviour.state
    try:
        return behaviour.receive(message, now) if message is not None else _wake(behaviour, now)
    except Exception:  # whatever it is, and it goes on: here only the state is put back
        behaviour.state = before
        raise


def _wake(behaviour: Behaviour, now: float) -> list[Effect]:
    before = behaviour.state
    effects = behaviour.wake(now)
    ends = any(isinstance(effect, Stop) for effect in effects)
    if not ends and behaviour.state is before and behaviour.deadline() <= now:
        raise StandingTimerError(type(behaviour).__name__)
    return effects


# --- who keeps them -----------------------------------------------------------------------------------------------


class Unjournalled:
    """Keeps nothing; told of every step after it was taken and before its effects are carried out."""

    def born(self, name: str, at: float, behaviour: Behaviour) -> None:
        """An actor begins to live."""

    def took(self, name: str, at: float, message: object | None, told: bool, effects: list[Effect]) -> None:
        """A step that went well; None for a timer."""

    def crashed(
        self, name: str, at: float, message: object | None, told: bool, behaviour: Behaviour, error: Exception
    ) -> None:
        """A step that raised; `behaviour` is as it was before."""

    def ended(self, name: str, at: float, reason: str, will: list[Record] | None) -> None:
        """An actor that did not end by itself; None: its will could not be read."""

    def spoke(self, message: Callable[[], Spoke | None]) -> None:
        """A SIP message came or went; it may be made by and by. None: there is nothing to keep of it."""


UNJOURNALLED: Final = Unjournalled()
