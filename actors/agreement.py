"""Whether the engine has what it was told, by name: rows that are too much there or missing, and edges.

Twice a second it is pinged, and answers with the sums of what it has (switch/holdings.py). Both sides do all in the
order in which it is sent. So it had then what was known here when the ping left, unless it told in between of a leg
that it lost: that answer says nothing, and the next one does. Nothing can be on its way, and what differs once differs.
Of parts that do, it is asked for the names, some at a time, and again only where either side has changed since.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attrs import define, field, frozen

from ..switch import protocol as media
from ..switch.holdings import PARTS, Kind
from .hearing import Hearing, Part

# Of so many parts names are asked after one pong: a part of 700 conversations is some 20 kB.
ASKED: Final = 4


@frozen
class Difference:
    """A row, or, with a `source`, what a listener hears: missing in the engine, or there though nobody told it so."""

    name: str
    source: str
    missing: bool

    def __str__(self) -> str:
        return f"{self.name} hears {self.source}" if self.source else self.name


@frozen
class _Asked:
    """What was known of a part when its names were asked for, and the sums that differed."""

    part: int
    known: Part
    sums: tuple[int, int]


@define
class Agreement:
    """Of one engine at a time."""

    _hearing: Hearing
    _number: int = 0
    # What was known as each ping left that was not answered yet, and each question.
    _pinged: dict[int, tuple[int, ...]] = field(factory=dict)
    _asked: dict[int, _Asked] = field(factory=dict)
    # By part that differs: the sums whose names were told last, and what these were.
    _named: dict[int, tuple[int, int]] = field(factory=dict)
    _found: dict[int, tuple[Difference, ...]] = field(factory=dict)

    @property
    def differences(self) -> tuple[Difference, ...]:
        """As far as the engine has answered; of what a row takes along with it, the row alone."""
        every = [each for found in self._found.values() for each in found]
        rows = {each.name for each in every if not each.source}
        return tuple(each for each in every if not each.source or rows.isdisjoint((each.name, each.source)))

    def begin(self) -> None:
        """Another engine, or another link to it."""
        self.lost()
        self._named.clear()
        self._found.clear()

    def ping(self) -> media.Ping:
        """To be sent now."""
        self._number += 1
        self._pinged[self._number] = self._hearing.sums
        return media.Ping(self._number)

    def lost(self) -> None:
        """The engine told of a leg that is not there: what is under way to it or from it is of before or after."""
        self._pinged.clear()
        self._asked.clear()

    def hear(self, pong: media.Pong) -> list[media.ListHoldings]:
        """Gives what is to be asked now."""
        known = self._pinged.pop(pong.number, None)
        if known is None or len(pong.sums) != PARTS:
            return []
        differ = [part for part in range(PARTS) if known[part] != pong.sums[part]]
        for part in self._found.keys() - set(differ):
            del self._found[part], self._named[part]
        new = [part for part in differ if self._named.get(part) != (known[part], pong.sums[part])]
        new.sort(key=self._named.__contains__)  # what nothing was told of yet goes before what changes all the time
        return [self._ask(part, (known[part], pong.sums[part])) for part in new[:ASKED]]

    def _ask(self, part: int, sums: tuple[int, int]) -> media.ListHoldings:
        self._number += 1
        self._asked[self._number] = _Asked(part, self._hearing.part(part), sums)
        return media.ListHoldings(self._number, part)

    def learn(self, has: media.Holdings) -> None:
        """The names that were asked for."""
        asked = self._asked.pop(has.request, None)
        if asked is not None:
            self._named[asked.part] = asked.sums
            self._found[asked.part] = tuple(_differences(asked.known, has))


def _differences(known: Part, has: media.Holdings) -> Iterator[Difference]:
    rows = {
        *((Kind.LEG, name) for name in has.legs),
        *((Kind.SOURCE, name) for name in has.sources),
        *((Kind.CHANNEL, name) for name in has.channels),
    }
    edges = {(one.listener, source, gain) for one in has.hears for source, gain in one.sources}
    for row in sorted(known.rows ^ rows):
        yield Difference(row[1], "", missing=row in known.rows)
    for edge in sorted(known.edges ^ edges):
        yield Difference(edge[0], edge[1], missing=edge in known.edges)
