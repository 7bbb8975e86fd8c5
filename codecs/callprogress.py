"""The ringing and busy tones of countries, by which a caller knows what becomes of a call without a word.

By ISO 3166 code: frequencies in Hz, seconds on, off, on, off. They are those that public lists give after ITU-T E.180
Supplement 2, "Various tones used in national networks", and for about half of the countries were compared with one; the
supplement itself was not at hand. Where a country has several, it is the one of its largest network. A tone that is one
frequency modulated wholly by another is here as what it consists of, the sum and the difference of the two.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from attrs import frozen

from .g711 import Pcm
from .tones import FRAME, RATE, TONE_AMPLITUDE

# A cadence's edges rise and fall this long, so that they do not click.
EDGE_SECONDS: Final = 0.008


@frozen
class Cadence:
    """Frequencies that sound together, and seconds on, off, on, off ... of one cycle."""

    frequencies: tuple[float, ...]
    seconds: tuple[float, ...]


@frozen
class Country:
    ringing: Cadence
    busy: Cadence


NORTH_AMERICA: Final = Country(Cadence((440, 480), (2.0, 4.0)), Cadence((480, 620), (0.5, 0.5)))
COUNTRIES: Final = {
    "AT": Country(Cadence((420,), (1.0, 5.0)), Cadence((420,), (0.4, 0.4))),
    "AU": Country(Cadence((400, 425), (0.4, 0.2, 0.4, 2.0)), Cadence((425,), (0.375, 0.375))),
    "BE": Country(Cadence((425,), (1.0, 3.0)), Cadence((425,), (0.5, 0.5))),
    "BG": Country(Cadence((425,), (1.0, 4.0)), Cadence((425,), (0.5, 0.5))),
    "BR": Country(Cadence((425,), (1.0, 4.0)), Cadence((425,), (0.25, 0.25))),
    "CA": NORTH_AMERICA,
    "CH": Country(Cadence((425,), (1.0, 4.0)), Cadence((425,), (0.5, 0.5))),
    "CL": Country(Cadence((400,), (1.0, 3.0)), Cadence((400,), (0.5, 0.5))),
    "CN": Country(Cadence((450,), (1.0, 4.0)), Cadence((450,), (0.35, 0.35))),
    "CZ": Country(Cadence((425,), (1.0, 4.0)), Cadence((425,), (0.33, 0.33))),
    "DE": Country(Cadence((425,), (1.0, 4.0)), Cadence((425,), (0.48, 0.48))),
    "DK": Country(Cadence((425,), (1.0, 4.0)), Cadence((425,), (0.5, 0.5))),
    "EE": Country(Cadence((425,), (1.0, 4.0)), Cadence((425,), (0.3, 0.3))),
    "ES": Country(Cadence((425,), (1.5, 3.0)), Cadence((425,), (0.2, 0.2))),
    "FI": Country(Cadence((425,), (1.0, 4.0)), Cadence((425,), (0.3, 0.3))),
    "FR": Country(Cadence((440,), (1.5, 3.5)), Cadence((440,), (0.5, 0.5))),
    "GB": Country(Cadence((400, 450), (0.4, 0.2, 0.4, 2.0)), Cadence((400,), (0.375, 0.375))),
    "GR": Country(Cadence((425,), (1.0, 4.0)), Cadence((425,), (0.3, 0.3))),
    "HU": Country(Cadence((425,), (1.25, 3.75)), Cadence((425,), (0.3, 0.3))),
    "ID": Country(Cadence((425,), (1.0, 4.0)), Cadence((425,), (0.5, 0.5))),
    "IN": Country(Cadence((375, 425), (0.4, 0.2, 0.4, 2.0)), Cadence((400,), (0.75, 0.75))),
    "IT": Country(Cadence((425,), (1.0, 4.0)), Cadence((425,), (0.5, 0.5))),
    "JP": Country(Cadence((384, 416), (1.0, 2.0)), Cadence((400,), (0.5, 0.5))),
    "LT": Country(Cadence((425,), (1.0, 4.0)), Cadence((425,), (0.35, 0.35))),
    "MX": Country(Cadence((425,), (1.0, 4.0)), Cadence((425,), (0.25, 0.25))),
    "MY": Country(Cadence((425,), (0.4, 0.2, 0.4, 2.0)), Cadence((425,), (0.5, 0.5))),
    "NL": Country(Cadence((425,), (1.0, 4.0)), Cadence((425,), (0.5, 0.5))),
    "NO": Country(Cadence((425,), (1.0, 4.0)), Cadence((425,), (0.5, 0.5))),
    "NZ": Country(Cadence((400, 450), (0.4, 0.2, 0.4, 2.0)), Cadence((400,), (0.5, 0.5))),
    "PH": Country(Cadence((425, 480), (1.0, 4.0)), Cadence((480, 620), (0.5, 0.5))),
    "PL": Country(Cadence((425,), (1.0, 4.0)), Cadence((425,), (0.5, 0.5))),
    "PT": Country(Cadence((425,), (1.0, 5.0)), Cadence((425,), (0.5, 0.5))),
    "RU": Country(Cadence((425,), (1.0, 4.0)), Cadence((425,), (0.35, 0.35))),
    "SE": Country(Cadence((425,), (1.0, 5.0)), Cadence((425,), (0.25, 0.25))),
    "SG": Country(Cadence((401, 449), (0.4, 0.2, 0.4, 2.0)), Cadence((425,), (0.75, 0.75))),
    "TH": Country(Cadence((420,), (1.0, 5.0)), Cadence((400,), (0.5, 0.5))),
    "TW": Country(Cadence((440, 480), (1.0, 2.0)), Cadence((480, 620), (0.5, 0.5))),
    "US": NORTH_AMERICA,
    "VE": Country(Cadence((425,), (1.0, 4.0)), Cadence((425,), (0.5, 0.5))),
    "ZA": Country(Cadence((367, 433), (0.4, 0.2, 0.4, 2.0)), Cadence((400,), (0.5, 0.5))),
}
# What E.180 itself recommends: 425 Hz, ringing for 1 s in 5, busy half of the time.
ELSEWHERE: Final = Country(Cadence((425,), (1.0, 4.0)), Cadence((425,), (0.5, 0.5)))


def ringback(country: str) -> Pcm:
    """A country's ringing tone, to be looped: int16 [frames * 160]."""
    return _loop(_of(country).ringing)


def busy(country: str) -> Pcm:
    """A country's busy tone, to be looped: int16 [frames * 160]."""
    return _loop(_of(country).busy)


def _of(country: str) -> Country:
    return COUNTRIES.get(country.upper(), ELSEWHERE)


def _loop(cadence: Cadence) -> Pcm:
    """As many cycles as whole frames take."""
    parts = []
    for i, seconds in enumerate(cadence.seconds):
        n = round(seconds * RATE)
        if i % 2:
            parts.append(np.zeros(n))
            continue
        t = np.arange(n) / RATE
        tone = sum((np.sin(2 * np.pi * f * t) for f in cadence.frequencies), np.zeros(n))
        edge = np.minimum(np.minimum(t, (n - 1) / RATE - t) / EDGE_SECONDS, 1.0)
        parts.append(tone * edge * TONE_AMPLITUDE / len(cadence.frequencies))
    cycle = np.concatenate(parts)
    return np.tile(np.rint(cycle).astype(np.int16), FRAME // np.gcd(FRAME, len(cycle)))
