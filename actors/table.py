"""Transition tables that are total: every (state, input) pair has an entry, and no entry is missing by accident.

A machine writes one `Row` for each kind of input it can receive, naming for every state what happens there: a handler,
or `Late(why)` where the input is a known crossing that came too late and is dropped by name, or `Bug(why)` where it can
only come through an error of ours, which raises. `Table` checks at import that rows and states cover the product, so a
new state or message that nobody thought about does not start. Tests walk `pairs()`; docs draw it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, ClassVar, Generic, TypeVar

from attrs import frozen

from . import page
from .effects import Effect, Log, Record

S = TypeVar("S", bound=Enum)

# (behaviour, message, now) -> effects. The message's type is that of the row, so each handler declares its own.
Handler = Callable[[Any, Any, float], list[Effect]]


@frozen
class Late:
    """A named late crossing: the input is dropped, because `why`."""

    why: str


@frozen
class Bug:
    """Cannot happen unless we are wrong, because `why`: raises."""

    why: str


class ImpossibleInputError(AssertionError):
    """A pair marked as a bug was met: our own error, which crashes that message."""


Entry = Handler | Late | Bug


@frozen
class Row:
    """One kind of input and what each state, by its lower-case name, does with it."""

    message: type
    entries: dict[str, Entry]


def row(message: type, **entries: Entry) -> Row:
    """`row(Offer, idle=ring, talking=Late("..."), ...)`: an entry for every state."""
    return Row(message, entries)


def each(states: str, entry: Entry) -> dict[str, Entry]:
    """The same entry for several states, named one by one: `**each("idle on_break", refuse)` within a row."""
    return dict.fromkeys(states.split(), entry)


def always(message: type, entry: Entry, states: type[Enum]) -> Row:
    """The same entry in every state: for inputs that have nothing to do with the state."""
    return Row(message, {state.name.lower(): entry for state in states})


class Table(Generic[S]):
    """Looks up what to do; total over `states` x the rows' messages."""

    def __init__(self, name: str, states: type[S], *rows: Row) -> None:
        self.name = name
        self.states = states
        self._entries: dict[tuple[S, type], Entry] = {}
        names = {state.name.lower() for state in states}
        for each in rows:
            if each.entries.keys() != names:
                wrong = sorted(each.entries.keys() ^ names)
                raise TypeError(f"{name}: the row of {each.message.__name__} is not total: {', '.join(wrong)}")
            for state in states:
                if (state, each.message) in self._entries:
                    raise TypeError(f"{name}: two rows for {each.message.__name__}")
                self._entries[state, each.message] = each.entries[state.name.lower()]

    def pairs(self) -> Iterator[tuple[S, type, Entry]]:
        for (state, message), entry in self._entries.items():
            yield state, message, entry

    @property
    def messages(self) -> tuple[type, ...]:
        return tuple(dict.fromkeys(message for _, message in self._entries))

    def draw(self) -> str:
        """The table as Markdown: a row for each input, a column for each state; handlers by their names."""
        states = [state.name.lower() for state in self.states]
        lines = [f"| | {' | '.join(states)} |", f"| --- |{' --- |' * len(states)}"]
        for message in self.messages:
            cells = [drawn(self._entries[state, message]) for state in self.states]
            lines.append(f"| **{message.__module__.rpartition('.')[2]}.{message.__name__}** | {' | '.join(cells)} |")
        return "\n".join(lines)

    def late(self) -> dict[str, list[tuple[type, list[str]]]]:
        """The late crossings by their names: which inputs, in which states."""
        found: dict[str, list[tuple[type, list[str]]]] = {}
        for message in self.messages:
            names: dict[str, list[str]] = {}
            for state in self.states:
                entry = self._entries[state, message]
                if isinstance(entry, Late):
                    names.setdefault(entry.why, []).append(state.name.lower())
            for why, states in names.items():
                found.setdefault(why, []).append((message, states))
        return found

    def find(self, state: S, message: object) -> Handler | Late:
        """The handler or the late crossing for this pair; raises ImpossibleInputError for a bug or an unknown input."""
        entry = self._entries.get((state, type(message)))
        if entry is None:
            raise ImpossibleInputError(f"{self.name} knows no {type(message).__name__}")
        if isinstance(entry, Bug):
            raise ImpossibleInputError(f"{self.name} in {state.name}: {type(message).__name__}: {entry.why}")
        return entry

    def take(self, behaviour: object, state: S, message: object, now: float) -> list[Effect]:
        """The effects of one input on what this is a table of; raises ImpossibleInputError for a bug."""
        looked_up = message.command if isinstance(message, page.Request) else message
        entry = self.find(state, looked_up)
        if isinstance(entry, Late):
            return [_late(looked_up, state, entry.why)]
        return entry(behaviour, message, now)


def _late(message: object, state: Enum, why: str) -> Effect:
    return Log("late", (("input", type(message).__name__), ("state", state.value), ("why", why)), "debug")


def drawn(entry: Entry) -> str:
    """As docs have it."""
    match entry:
        case Late(why):
            return f"late: {why}"
        case Bug(why):
            return f"bug: {why}"
        case _:
            return f"`{entry.__name__.lstrip('_')}`"


class Machine(Generic[S]):
    """A behaviour whose steps are one look-up: `table[phase, type of the input]`.

    A page's command is looked up by its own type; its handler receives the whole `page.Request`.
    """

    table: ClassVar[Table[Any]]

    def will(self, reason: str, now: float) -> list[Record]:
        """Nothing is kept of most."""
        return []

    def dispatch(self, phase: S, message: object, now: float) -> list[Effect]:
        """The effects of one input in `phase`; raises ImpossibleInputError for what the table calls a bug."""
        return self.table.take(self, phase, message, now)


class Untimed(Machine[S]):
    """One without a timer: nothing is to be timed, or whoever keeps it times it."""

    def deadline(self) -> float:
        return math.inf

    def wake(self, now: float) -> list[Effect]:
        return []
