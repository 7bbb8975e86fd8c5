"""The frames of one band above 8 kHz, of the rows that are heard at it: the one below brought up, and its own part.

What was said above the band below comes from who decodes (`upper`), of frames that came. Of one that did not it is not
made up: it falls silent over 5 ms from where the last one ended, and rises again with the frame that does come. So a
concealment, a tone or a prompt, which is all of the lowest band, is heard at any rate.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..codecs.bands import RATES, SAMPLES
from ..codecs.g711 import Pcm
from ..codecs.resample import Upsampler
from .seams import Rows

_NONE: Final = np.zeros(0, np.intp)
_LONG_AGO: Final = -1


class Raised:
    """Columns of the band's frames."""

    def __init__(self, capacity: int, band: int) -> None:
        samples = SAMPLES[band]
        self.band = band
        self.rows: Rows = _NONE  # those that somebody hears at this band, or at one above
        # Of the newest frame that has one, this band's own part: whoever decodes writes it here.
        self.upper = np.zeros((capacity, samples), np.float32)
        self._at = np.full(capacity, _LONG_AGO, np.int64)  # the tick of that
        self._since = np.full(capacity, _LONG_AGO, np.int64)  # ... and of the first without a gap
        self._last = np.zeros(capacity, np.float32)  # how the last one that was heard ended
        self._up = Upsampler(capacity, RATES[band] // RATES[band - 1])
        self._pcm = np.zeros((capacity, samples), np.int16)
        self._speaking = np.zeros(capacity, np.bool_)
        self._cross = ((np.arange(samples) + 0.5) / samples).astype(np.float32)
        self._fall = np.linspace(1.0, 0.0, samples // 4, endpoint=False, dtype=np.float32)
        # Longer than the filters whose past is silence as it begins.
        self._rise = np.linspace(0.0, 1.0, samples // 2, endpoint=False, dtype=np.float32)

    def begin(self, rows: Rows) -> None:
        """Nothing of what these rows were before is left."""
        self._up.forget(rows)
        self._at[rows] = self._since[rows] = _LONG_AGO

    def came(self, rows: Rows, tick: int) -> None:
        """The parts of `rows` that stand in `upper` are those of this tick's frames."""
        self._since[rows[self._at[rows] < tick - 1]] = tick
        self._at[rows] = tick

    def begins(self, rows: Rows, tick: int) -> Rows:
        """Those of `rows`, of whose frames of this tick a part comes, that had none in the last."""
        return rows[self._at[rows] < tick - 1]

    def cross(self, rows: Rows, first: NDArray[np.float32]) -> None:
        """Two frames in the time of one: from the `first` parts [n] across to those that stand there now."""
        self.upper[rows] = first * (1 - self._cross) + self.upper[rows] * self._cross

    def speak(self, below: Pcm, tick: int) -> tuple[Pcm, NDArray[np.bool_]]:
        """This tick's frames, made of those of the band `below`: int16 [capacity, samples], and which are not silence,
        bool [capacity]; those of `rows` mean something."""
        rows = self.rows
        sound = self._up.up(rows, below[rows])
        at = self._at[rows]
        if len(came := np.flatnonzero(at == tick)):
            parts = self.upper[rows[came]]
            self._last[rows[came]] = parts[:, -1]
            parts[self._since[rows[came]] == tick, : len(self._rise)] *= self._rise
            sound[came] += parts
        if len(ended := np.flatnonzero(at == tick - 1)):
            sound[ended, : len(self._fall)] += self._last[rows[ended], None] * self._fall
        pcm = np.clip(np.rint(sound), -32768, 32767).astype(np.int16)
        self._pcm[rows] = pcm
        self._speaking[rows] = pcm.any(axis=1)
        return self._pcm, self._speaking
