"""What the engine was told to have: the rows that are open, and what each listener was last told to hear.

A source counts as unheard once its last listener hears something else. An edge is there while both its rows are open;
the sums are those of an engine that has done all it was told (switch/holdings.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from attrs import frozen

from ..switch.holdings import Kind, Sums, edge, mark, part, together
from ..switch.protocol import MAX_HEARD, Hears

# A listener, what it hears, and with which gain.
Edge = tuple[str, str, float]
_NOTHING: Final[Mapping[str, float]] = {}


@frozen
class Part:
    """One part of what is open: rows as kind and name, and the edges of its listeners."""

    rows: frozenset[tuple[int, str]]
    edges: frozenset[Edge]


class Hearing:
    """See the module's docstring."""

    def __init__(self) -> None:
        self._hears: dict[str, Hears] = {}
        # The same by source, as the engine takes it; who was told to hear a source; which ones have lost their last.
        self._gains: dict[str, Mapping[str, float]] = {}
        self._listeners: dict[str, set[str]] = {}
        self._unheard: set[str] = set()
        # Of what is open: its kind, and its mark.
        self._open: dict[str, tuple[int, int]] = {}
        self._rows, self._edges = Sums(), Sums()

    @property
    def all(self) -> tuple[Hears, ...]:
        return tuple(self._hears.values())

    @property
    def sums(self) -> tuple[int, ...]:
        """Of each part."""
        return together(self._rows.values, self._edges.values)

    def part(self, number: int) -> Part:
        """All that one part has."""
        rows = {name: kind for name, (kind, made) in self._open.items() if part(made) == number}
        edges = ((name, *one) for name in rows for one in self._gains.get(name, _NOTHING).items())
        return Part(
            frozenset((kind, name) for name, kind in rows.items()),
            frozenset(one for one in edges if self._is(*one[:2])),
        )

    def of(self, listener: str) -> frozenset[str]:
        """What it was told to hear, of what is open."""
        one = self._hears.get(listener)
        return frozenset() if one is None else frozenset(name for name, _ in one.sources if name in self._open)

    # --- rows ---

    def open(self, kind: int, name: str) -> None:
        """It is there, or was before."""
        if name not in self._open:
            made = mark(kind, name)
            self._open[name] = kind, made
            self._rows.add(made, made)
            for one in self._at(name):
                self._add(*one)

    def close(self, name: str) -> None:
        """It is not there any more, or never was."""
        if name in self._open:
            for one in self._at(name):
                self._take(*one)
            _, made = self._open.pop(name)
            self._rows.take(made, made)

    def _at(self, name: str) -> Iterator[Edge]:
        """The edges that end there."""
        for source, gain in self._gains.get(name, _NOTHING).items():
            yield name, source, gain
        for listener in self._listeners.get(name, ()):
            if listener != name and (heard := self._gains.get(listener, _NOTHING).get(name)) is not None:
                yield listener, name, heard

    # --- edges ---

    def tell(self, one: Hears) -> None:
        """It replaces what the listener was told before."""
        before = self._hears.get(one.listener)
        self._edit(one.listener, {name: gain for name, gain in dict(one.sources[:MAX_HEARD]).items() if gain})
        self._hears[one.listener] = one
        for name, _ in one.sources:
            self._listeners.setdefault(name, set()).add(one.listener)
        self._leave(one.listener, before, one)

    def forget(self, listener: str) -> None:
        """It hears nothing, and is told nothing."""
        self._edit(listener, _NOTHING)
        self._leave(listener, self._hears.pop(listener, None), None)

    def _edit(self, listener: str, gains: Mapping[str, float]) -> None:
        for source, gain in self._gains.pop(listener, _NOTHING).items():
            self._take(listener, source, gain)
        if gains:
            self._gains[listener] = gains
        for source, gain in gains.items():
            self._add(listener, source, gain)

    def _leave(self, listener: str, before: Hears | None, now: Hears | None) -> None:
        """What it was told to hear, and is no more."""
        stays = dict(now.sources) if now is not None else _NOTHING
        for name, _ in before.sources if before is not None else ():
            if name not in stays and name in self._listeners:
                self._listeners[name].discard(listener)
                if not self._listeners[name]:
                    del self._listeners[name]
                    self._unheard.add(name)

    def _is(self, listener: str, source: str) -> bool:
        """Whether the engine has that edge."""
        return listener in self._open and self._open.get(source, (Kind.FREE,))[0] in (Kind.LEG, Kind.SOURCE)

    def _add(self, listener: str, source: str, gain: float) -> None:
        if self._is(listener, source):
            _, row = self._open[listener]
            self._edges.add(row, edge(row, self._open[source][1], gain))

    def _take(self, listener: str, source: str, gain: float) -> None:
        if self._is(listener, source):
            _, row = self._open[listener]
            self._edges.take(row, edge(row, self._open[source][1], gain))

    def take_unheard(self) -> list[str]:
        """Those that have lost their last listener since this was last asked, and have none now."""
        unheard = sorted(self._unheard - self._listeners.keys())
        self._unheard.clear()
        return unheard
