"""Rows that speak by themselves: tones, ringback, hold music.

A loop (ringback, music) is a run of 20 ms frames in one bank that all rows share; a row of it is a position. A tone
is a frequency and the number of its next sample. Every source runs from its opening, heard or not, so that who joins
later hears what the others hear; a tick costs one addition for all rows and one gather for those that are heard.
"""

from __future__ import annotations

from typing import Final, assert_never

import numpy as np
from numpy.typing import NDArray

from ..codecs import tones
from ..codecs.g711 import Pcm
from . import protocol

Rows = NDArray[np.intp]

FRAME: Final = tones.FRAME
# A tone below or above cannot be carried at 8 kHz.
LOWEST_TONE: Final = 20.0
HIGHEST_TONE: Final = 3800.0


class UnknownSourceError(Exception):
    """No such piece, or no such tone; the text is for people."""


class Sources:
    """Columns of `capacity` rows, and the bank of loops."""

    def __init__(self, capacity: int) -> None:
        self._bank: Pcm = np.zeros((0, FRAME), np.int16)
        self._loops: dict[tuple[str, str], tuple[int, int]] = {}
        self._first = np.zeros(capacity, np.int64)  # the loop's first frame in the bank
        self._frames = np.zeros(capacity, np.int64)  # its length; 0: not a loop
        self._frequency = np.zeros(capacity, np.float64)
        self._age = np.zeros(capacity, np.int64)  # frames since the opening
        self._kinds: dict[int, protocol.SourceKind] = {}
        # The built-in piece takes a tenth of a second to make: at the start, not under a call.
        self._loop("music", "hold")

    def open(self, row: int, kind: protocol.SourceKind) -> None:
        """Raises UnknownSourceError."""
        self._frames[row] = 0
        match kind:
            case protocol.Tone(frequency):
                if not LOWEST_TONE <= frequency <= HIGHEST_TONE:
                    raise UnknownSourceError(f"no tone of {frequency} Hz: {LOWEST_TONE:.0f} to {HIGHEST_TONE:.0f}")
                self._frequency[row] = frequency
            case protocol.Music(name):
                self._first[row], self._frames[row] = self._loop("music", name)
            case protocol.Ringback(country):
                self._first[row], self._frames[row] = self._loop("ringback", country.upper())
            case _:
                assert_never(kind)
        self._age[row] = 0
        self._kinds[row] = kind

    def kind(self, row: int) -> protocol.SourceKind:
        return self._kinds[row]

    def close(self, row: int) -> None:
        del self._kinds[row]

    def speak(self, rows: Rows) -> Pcm:
        """This tick's frame of each of `rows`: int16 [n, 160]."""
        pcm = np.empty((len(rows), FRAME), np.int16)
        loop = self._frames[rows] > 0
        looped, toned = rows[loop], rows[~loop]
        pcm[loop] = self._bank[self._first[looped] + self._age[looped] % np.maximum(self._frames[looped], 1)]
        if len(toned):
            pcm[~loop] = tones.sines(self._frequency[toned], self._age[toned] * FRAME)
        return pcm

    def advance(self) -> None:
        """One tick has passed for all."""
        self._age += 1

    def _loop(self, kind: str, name: str) -> tuple[int, int]:
        key = (kind, name if kind == "music" or name in tones.RINGBACK else "")
        if key not in self._loops:
            if kind == "music" and name != "hold":
                raise UnknownSourceError(f"no music named {name}")
            pcm = tones.hold_music() if kind == "music" else tones.ringback(name)
            frames = pcm.reshape(-1, FRAME)
            self._loops[key] = (len(self._bank), len(frames))
            self._bank = np.concatenate([self._bank, frames])
        return self._loops[key]
