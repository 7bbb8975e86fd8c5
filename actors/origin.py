"""Which number of ours a call out shows where nobody chose one: one that is at home where the callee is.

Where a number is at home is a fact from outside (`geography.py`); here it is only compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from attrs import frozen


@frozen
class Place:
    """Where a telephone number is at home. `country` is a calling code; one name may be city and province."""

    country: int
    city: str
    province: str


@frozen
class Located:
    """The answer to `effects.Locate`: where the callee is at home, and where our numbers are; None: nobody knows."""

    ask: str
    callee: Place | None
    ours: tuple[Place | None, ...]


def nearest(callee: Place | None, ours: Sequence[tuple[str, Place | None]], lot: Random) -> str:
    """Of `ours` one of the callee's city, else one of its province, else any: drawn by lot among equals."""
    city = [number for number, place in ours if place is not None and place == callee]
    province = [number for number, place in ours if _same_province(place, callee)]
    return lot.choice(city or province or [number for number, _ in ours])


def _same_province(one: Place | None, other: Place | None) -> bool:
    if one is None or other is None:
        return False
    return (one.country, one.province) == (other.country, other.province)
