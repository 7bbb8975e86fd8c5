"""In which order datagrams are heard that have come, and which new calls among them come too late.

What is of a call that lives is heard before whatever begins one: it ends calls, and so makes room. New calls follow as
they came. Where more of them wait than there is room for, those that have waited longest are refused: they would be set
up late, and their callers are about to ask again (RFC 3261 §17.1.1.2, Timer A). Those that came last are set up in
time. So all that came is set up where the machine did something else for a while, and in a flood nobody waits who is
not refused. A CANCEL stays behind its INVITE.

All this is of what is `expected`, of trunks and of calls that live. Whatever else comes waits in a line of its own, of
which one is heard for each beginning of a call: who is not known is not heard before those who are, nor makes their
calls late. All that waits is bounded.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable
from typing import Final, TypeAlias

from attrs import define, field, frozen

from .grammar import TOKEN, Address

# So many wait in each line at most, some seconds of a flood: whoever asked before that has asked again. And so many
# octets: what is no call may be long.
LONGEST: Final = 2000
MOST_OCTETS: Final = 4 << 20

_BEGINNING = re.compile(rb"[\r\n]*(INVITE|CANCEL) ")
# To whom something is said, without taking it apart.
TAG_OF_TO: Final = re.compile(
    rf"\n(?:to|t)[ \t]*:[^\r\n]*?;[ \t]*tag[ \t]*=[ \t]*({TOKEN})[ \t]*[;\r]".encode(), re.IGNORECASE
)

_Datagram: TypeAlias = tuple[bytes, Address, Address]


@frozen
class Arrival:
    """A datagram, from where, and to which address of ours. `late`: there is no room for the call that it begins."""

    data: bytes
    source: Address
    local: Address
    late: bool = False


@define
class _Line:
    """What waits, as it came; and of each whether it begins a call."""

    _waiting: deque[tuple[_Datagram, bool]] = field(factory=deque)
    _calls: int = 0
    _octets: int = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        return len(self._waiting) >= LONGEST or self._octets >= MOST_OCTETS

    def add(self, datagram: _Datagram, *, call: bool = False) -> None:
        self._calls += call
        self._octets += len(datagram[0])
        self._waiting.append((datagram, call))

    def next(self, room: Callable[[], float]) -> Arrival:
        late = self._waiting[0][1] and self._calls > room()
        return Arrival(*self.drop(), late)

    def drop(self) -> _Datagram:
        """Its first is not in it any more."""
        datagram, call = self._waiting.popleft()
        self._calls -= call
        self._octets -= len(datagram[0])
        return datagram


class Arrivals:
    """What waits to be heard. `expected` says whether a datagram is of a trunk, or of a call that lives; `room` says
    how many calls may begin now."""

    def __init__(
        self, expected: Callable[[bytes, Address], bool], room: Callable[[], float], counters: Counter[str]
    ) -> None:
        self._expected = expected
        self._room = room
        self._counters = counters
        # what is of a call; what begins one, or takes that back; and what nobody expects
        self._first, self._later, self._strange = _Line(), _Line(), _Line()
        self._strange_next = False

    def __len__(self) -> int:
        return len(self._first) + len(self._later) + len(self._strange)

    @property
    def full(self) -> bool:
        """So much waits of calls that live that no more is to be added: the system's buffer is left to overflow."""
        return self._first.full

    def add(self, data: bytes, source: Address, local: Address) -> None:
        """It has come after all others."""
        found, expected = _BEGINNING.match(data), self._expected(data, source)
        if expected and (found is None or TAG_OF_TO.search(data) is not None):
            self._first.add((data, source, local))
            return
        line = self._later if expected else self._strange
        while line.full:
            line.drop()
            self._counters["dropped, too many"] += 1
        line.add((data, source, local), call=found is not None and found[1] == b"INVITE")

    def next(self) -> Arrival | None:
        """What is heard now; None where nothing waits."""
        if self._first:
            return self._first.next(self._room)
        line = self._strange if self._strange and (self._strange_next or not self._later) else self._later
        self._strange_next = line is self._later
        return line.next(self._room) if line else None
