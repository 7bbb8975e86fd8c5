"""In which order datagrams are heard that have come, and which new calls among them come too late.

What is of a call that lives is heard before whatever begins one: it ends calls, and so makes room. New calls follow as
they came. Where more of them wait than there is room for, those that have waited longest are refused: they would be set
up late, and their callers are about to ask again (RFC 3261 §17.1.1.2, Timer A). Those that came last are set up in
time. So all that came is set up where the machine did something else for a while, and in a flood nobody waits who is
not refused. A CANCEL stays behind its INVITE.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable
from typing import Final

from attrs import frozen

from .grammar import TOKEN, Address

# So many beginnings wait at most, some seconds of a flood: whoever asked before that has asked again.
LONGEST: Final = 2000

_BEGINNING = re.compile(rb"[\r\n]*(INVITE|CANCEL) ")
# To whom something is said, without taking it apart.
TAG_OF_TO: Final = re.compile(
    rf"\n(?:to|t)[ \t]*:[^\r\n]*?;[ \t]*tag[ \t]*=[ \t]*({TOKEN})[ \t]*[;\r]".encode(), re.IGNORECASE
)


@frozen
class Arrival:
    """A datagram, from where, and to which address of ours. `late`: there is no room for the call that it begins."""

    data: bytes
    source: Address
    local: Address
    late: bool = False


class Arrivals:
    """What waits to be heard. `room` says how many calls may begin now."""

    def __init__(self, room: Callable[[], float], counters: Counter[str]) -> None:
        self._room = room
        self._counters = counters
        self._first: deque[tuple[bytes, Address, Address]] = deque()
        # what begins a call, or takes that back; and how many of them begin one
        self._later: deque[tuple[bytes, Address, Address, bool]] = deque()
        self._calls = 0

    def __len__(self) -> int:
        return len(self._first) + len(self._later)

    def add(self, data: bytes, source: Address, local: Address) -> None:
        """It has come after all others."""
        found = _BEGINNING.match(data)
        if found is None or TAG_OF_TO.search(data) is not None:
            self._first.append((data, source, local))
            return
        call = found[1] == b"INVITE"
        self._calls += call
        self._later.append((data, source, local, call))
        if len(self._later) > LONGEST:
            self._calls -= self._later.popleft()[3]
            self._counters["dropped, too many"] += 1

    def next(self) -> Arrival | None:
        """What is heard now; None where nothing waits."""
        if self._first:
            return Arrival(*self._first.popleft())
        if not self._later:
            return None
        data, source, local, call = self._later.popleft()
        late = call and self._calls > self._room()
        self._calls -= call
        return Arrival(data, source, local, late)
