"""What an engine has, in few numbers: by these it is found out whether whoever told it of that means the same.

An engine has **rows** (legs, sources, channels of recordings) and **edges** (a listener, what it hears, with which
gain). Each has a mark, 64 bits that follow from its names alone, and belongs to one of `PARTS` parts by the name of its
row, or of its listener. Of each part the marks are summed: a sum changes with what comes and goes, so that to say all
of them costs the same for ten legs and for a thousand. Where one side's sum is another, the names of that part are
told, and nothing else.

    sums      two sides that have the same have the same; by chance alone others do once in 2 to the 64
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

PARTS: Final = 64
_OCTETS: Final = 8
_MASK: Final = (1 << 8 * _OCTETS) - 1
# Gains that differ by less are one.
_STEPS: Final = 1 << 16


class Kind:
    """What a row is. These are plain numbers, because numpy takes 15 µs to compare a column with a member of an
    enumeration, and half of one with a number."""

    FREE: Final = 0
    LEG: Final = 1
    SOURCE: Final = 2
    CHANNEL: Final = 3  # of a recording: it listens and does not speak


def mark(kind: int, name: str) -> int:
    """Of a row."""
    return int.from_bytes(blake2b(f"{kind} {name}".encode(), digest_size=_OCTETS).digest(), "big")


def edge(listener: int, source: int, gain: float) -> int:
    """Of an edge between two rows with these marks. A product: where two listeners have changed what they hear, a sum
    of sums would be the same."""
    return ((listener | 1) * (source + round(gain * _STEPS))) & _MASK


def part(row: int) -> int:
    """To which the row with this mark belongs."""
    return row % PARTS


class Sums:
    """Of each part."""

    def __init__(self) -> None:
        self.values = [0] * PARTS

    def add(self, row: int, made: int) -> None:
        """A mark that was `made` of what belongs to the row with the mark `row`."""
        at = row % PARTS
        self.values[at] = (self.values[at] + made) & _MASK

    def take(self, row: int, made: int) -> None:
        """... is not there any more."""
        at = row % PARTS
        self.values[at] = (self.values[at] - made) & _MASK


def together(rows: Sequence[int], edges: Sequence[int]) -> tuple[int, ...]:
    """The sums of both."""
    return tuple((a + b) & _MASK for a, b in zip(rows, edges, strict=True))
