"""Takes the steps of a journal again, with behaviours that know nothing of it, and compares every effect.

Each actor is replayed by itself: from its state where the journal begins or its birth, by what it received, to its end.
The effects of each step must be those of the journal byte for byte, and a step that crashed must crash again. What does
not come out the same was not a function of state, message and time: a clock, chance, or the order of a set.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any, assert_never

from attrs import define, field, frozen

from .effects import Behaviour, Stop
from .packing import Packer, UnpackError
from .steps import Begins, Crashed, Ends, Entry, Lives, Spoke, Took, step


@frozen
class Difference:
    """A step that did not come out as it was; for people."""

    number: int
    actor: str
    at: float
    message: str
    expected: str
    got: str

    def __str__(self) -> str:
        when = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds")
        head = f"step {self.number}: {self.actor} at {when} ({self.at!r}), {self.message}"
        return f"{head}\n  expected  {self.expected}\n  got       {self.got}"


@define
class Replay:
    """`take` takes the records of one file or of several, in order; `only` is the one actor that is looked at."""

    packer: Packer
    only: str | None = None
    steps: int = 0
    actors: set[str] = field(factory=set)
    _live: dict[str, Behaviour] = field(factory=dict)

    def take(self, entry: Entry) -> Difference | None:
        """The next record. What cannot be unpacked raises UnpackError."""
        if isinstance(entry, Begins):
            self._live.clear()
            return None
        if isinstance(entry, Spoke):
            return None
        if self.only is not None and entry.name != self.only:
            return None
        match entry:
            case Lives(name, _, behaviour):
                self._live[name] = self.packer.unpack(behaviour)
                self.actors.add(name)
                return None
            case Took() | Crashed():
                return self._step(entry)
            case Ends():
                return self._end(entry)
            case _:
                assert_never(entry)

    def _step(self, entry: Took | Crashed) -> Difference | None:
        self.steps += 1
        behaviour = self._alive(entry.name)
        message = self.packer.unpack(entry.message) if entry.message else None
        if message is None and behaviour.deadline() > entry.at:
            return self._differs(entry, "woken", f"wants to be woken at {behaviour.deadline()!r}")
        try:
            effects = step(behaviour, message, entry.at)
        except Exception as error:  # what a behaviour raises is what is asked for
            if isinstance(entry, Crashed) and entry.error == type(error).__name__:
                return None
            wanted = f"raises {entry.error}" if isinstance(entry, Crashed) else "goes well"
            return self._differs(entry, wanted, f"raises {type(error).__name__}: {error}")
        if any(isinstance(effect, Stop) for effect in effects):
            del self._live[entry.name]
        if isinstance(entry, Crashed):
            return self._differs(entry, f"raises {entry.error}", "goes well")
        return self._compared(entry, entry.effects, tuple(effects))

    def _end(self, entry: Ends) -> Difference | None:
        self.steps += 1
        behaviour = self._alive(entry.name)
        del self._live[entry.name]
        return self._compared(entry, entry.will, tuple(behaviour.will(entry.reason, entry.at))) if entry.will else None

    def _alive(self, name: str) -> Behaviour:
        if name not in self._live:
            raise UnpackError(f"a step of {name}, who is not there")
        return self._live[name]

    def _compared(self, entry: Took | Ends, expected: bytes, effects: tuple[object, ...]) -> Difference | None:
        got = self.packer.pack(effects)
        if got == expected:
            return None
        pairs = zip_longest(self.packer.unpack(expected), self.packer.unpack(got))
        for number, (wanted, given) in enumerate(pairs, 1):
            if self.packer.pack(wanted) != self.packer.pack(given):
                return self._differs(entry, _shown(number, wanted), _shown(number, given))
        return self._differs(entry, expected.hex(), got.hex())

    def _differs(self, entry: Took | Crashed | Ends, expected: str, got: str) -> Difference:
        return Difference(self.steps, entry.name, entry.at, self._message(entry), expected, got)

    def _message(self, entry: Took | Crashed | Ends) -> str:
        if isinstance(entry, Ends):
            return f"ended: {entry.reason}"
        if not entry.message:
            return "a timer"
        return f"{'told' if entry.told else 'heard'} {self.packer.unpack(entry.message)}"


def _shown(number: int, effect: Any) -> str:
    return "nothing more" if effect is None else f"effect {number}: {effect}"
