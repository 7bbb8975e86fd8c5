"""Concealment of lost frames, over all rows that miss one at once (after the idea of ITU-T G.711 Appendix I).

A missing frame goes on with the last pitch period heard, which is found by normalised correlation in the last 40 ms,
and fades: the first 10 ms at full level, then linearly to exact silence at 60 ms. The period is repeated with its seam
cross-faded, so that nothing clicks. When the stream is back, the repetition goes on for 5 ms under it, cross-faded.

A row's state is where it stands in the repetition: `Concealer` keeps the period and how many frames are missing.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .g711 import Pcm

Rows = NDArray[np.intp]

FRAME: Final = 160
HISTORY: Final = 320  # samples of the past that a search looks at: 40 ms
LONGEST_PERIOD: Final = 120  # 66 Hz
SHORTEST_PERIOD: Final = 32  # 250 Hz; higher voices repeat two or more of their periods
SEAM: Final = 24  # samples of cross-fade within the repeated period: 3 ms
OVERLAP: Final = 40  # samples of cross-fade as the stream comes back: 5 ms
FULL: Final = 80  # samples before the fade begins
SILENT: Final = 480  # samples after which there is nothing left

_FADE: Final = np.clip((SILENT - np.arange(FULL + SILENT + FRAME)) / (SILENT - FULL), 0.0, 1.0).astype(np.float32)
_RISE: Final = ((np.arange(OVERLAP) + 0.5) / OVERLAP).astype(np.float32)
_SEAM_RISE: Final = ((np.arange(SEAM) + 0.5) / SEAM).astype(np.float32)


def periods(history: NDArray[np.float32]) -> NDArray[np.intp]:
    """The pitch period in samples of each row of the past [n, 320], in 32..120, by normalised correlation."""
    template = history[:, -FRAME:]
    best = np.full(len(history), -np.inf, np.float32)
    period = np.full(len(history), LONGEST_PERIOD, np.intp)
    for lag in range(SHORTEST_PERIOD, LONGEST_PERIOD + 1, 2):
        shifted = history[:, HISTORY - FRAME - lag : HISTORY - lag]
        score = np.einsum("ij,ij->i", template, shifted) / np.sqrt(np.einsum("ij,ij->i", shifted, shifted) + 1.0)
        better = score > best
        best[better] = score[better]
        period[better] = lag
    return period


class Concealer:
    """Columns of `capacity` rows; a row that misses nothing costs nothing."""

    def __init__(self, capacity: int) -> None:
        self.missing = np.zeros(capacity, np.int32)  # samples concealed since the last frame that came
        self._period = np.zeros(capacity, np.intp)
        self._step = np.zeros(capacity, np.float32)
        self._cycle = np.zeros((capacity, LONGEST_PERIOD), np.float32)  # what is repeated, seam cross-faded

    def forget(self, rows: Rows) -> None:
        """These rows begin anew: nothing is missing."""
        self.missing[rows] = 0

    def conceal(self, rows: Rows, history: Pcm) -> Pcm:
        """A frame for each of `rows` [n] that misses one; `history` int16 [n, 320] is what the row played before.

        Returns int16 [n, 160]; exact zeros when the fade is over.
        """
        begin = self.missing[rows] == 0
        if begin.any():
            self._begin(rows[begin], history[begin])
        frame = self._continuation(rows, FRAME)
        if begin.any():
            frame[begin, :SEAM] += self._step[rows[begin]][:, None] * (1 - _SEAM_RISE)
        self.missing[rows] = np.minimum(self.missing[rows] + FRAME, SILENT)
        return np.rint(frame).astype(np.int16)

    def rejoin(self, rows: Rows, pcm: Pcm) -> Pcm:
        """Cross-fades from the repetition into the frames `pcm` [n, 160] that came after a loss; they are returned."""
        tail = self._continuation(rows, OVERLAP)
        joined = pcm.copy()
        joined[:, :OVERLAP] = np.rint(tail * (1 - _RISE) + pcm[:, :OVERLAP] * _RISE).astype(np.int16)
        self.missing[rows] = 0
        return joined

    def _begin(self, rows: Rows, history: Pcm) -> None:
        past = history.astype(np.float32)
        period = periods(past)
        self._period[rows] = period
        # The last period as it was, its end bent towards what came before its beginning: then repeating has no step.
        index = HISTORY - period[:, None] + np.arange(LONGEST_PERIOD)
        cycle = np.take_along_axis(past, np.minimum(index, HISTORY - 1), axis=1)
        seam = period[:, None] - SEAM + np.arange(SEAM)
        before = np.take_along_axis(past, HISTORY - 2 * period[:, None] + seam, axis=1)
        ending = np.take_along_axis(cycle, seam, axis=1)
        np.put_along_axis(cycle, seam, ending * (1 - _SEAM_RISE) + before * _SEAM_RISE, axis=1)
        self._cycle[rows] = cycle
        # The first repetition follows the past, whose end is played already: what it stands off is let go slowly.
        own = np.take_along_axis(past, HISTORY - 1 - period[:, None], axis=1)[:, 0]
        self._step[rows] = past[:, -1] - own

    def _continuation(self, rows: Rows, length: int) -> NDArray[np.float32]:
        offset = self.missing[rows][:, None] + np.arange(length)
        sound = np.take_along_axis(self._cycle[rows], offset % self._period[rows][:, None], axis=1)
        return np.asarray(sound * _FADE[offset], np.float32)
