"""The bands that sound is kept in, each up to half of its rate: what G.711 carries, what G.722 adds, and all of it.

A narrow frame is there of whoever is heard; a frame of another band is the narrow one, brought up, and what is above
that added (resample.py).
"""

from __future__ import annotations

from typing import Final


class Band:
    """Plain numbers, in the order of their rates: numpy compares a column with one in a thirtieth of the time that it
    takes with a member of an enumeration."""

    NARROW: Final = 0
    WIDE: Final = 1
    FULL: Final = 2


# Hz, by band; and samples of a frame of 20 ms.
RATES: Final = (8000, 16000, 48000)
SAMPLES: Final = (160, 320, 960)
ABOVE: Final = (Band.WIDE, Band.FULL)


def bit(band: int) -> int:
    """In a number that says of each band whether it is one of some."""
    return 1 << band


def within(rate: int) -> int:
    """The highest band of which somebody who has `rate`, in Hz and at least 8000, has all."""
    return max(band for band, its in enumerate(RATES) if its <= rate)
