"""Concealment of lost frames by ITU-T G.711 Appendix I, over all rows at once that miss one.

The pitch period of what was heard last is found by normalised cross-correlation, coarse and then fine (I.2.2). For the
first 10 ms that period is repeated, for the next 10 the last two, then the last three, each loop closed by a quarter of
a period of overlap-add (I.2.3, I.2.7). From 10 ms on the level falls by a fifth each 10 ms: after 60 ms there is exact
silence (I.2.8). When the stream is back, the repetition goes on under it, cross-faded, the longer the more was lost
(I.2.6).

One thing is not as the Appendix has it. It delays all sound by 3.75 ms, so that at a loss the last quarter of a period
can still be bent towards the repetition (I.2.5). Here that is played already: the step between what was played and the
repetition is let go over the same quarter of a period instead. `cordboard bench quality` says what it comes to.

A row's state is the past at its loss, and where in the repetition it stands; the Appendix' frames of 10 ms are halves
of ours.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from .g711 import Pcm

Rows = NDArray[np.intp]
Samples = NDArray[np.float32]

FRAME: Final = 160
HALF: Final = 80  # the Appendix' frame: 10 ms
SHORTEST_PERIOD: Final = 40  # 200 Hz; higher voices repeat two or more of their periods
LONGEST_PERIOD: Final = 120  # 66 Hz
QUARTER: Final = LONGEST_PERIOD // 4  # the longest overlap within the repetition
HISTORY: Final = 3 * LONGEST_PERIOD + QUARTER  # samples of the past that a loss begins with
CORRELATED: Final = 160  # samples that two pieces of the past are compared over
LEAST_POWER: Final = 250.0
EVERY: Final = 2  # the coarse search looks at every second sample and lag
FADE: Final = np.float32(0.2)  # of the level, each 10 ms after the first
LONGER: Final = 32  # samples by which each further 10 ms of loss prolong the overlap as the stream comes back
SILENT: Final = 6  # halves after which nothing is left

_WITHIN: Final = np.arange(HALF)
_BEGIN: Final = HISTORY - CORRELATED - LONGEST_PERIOD  # of the piece that lies the longest period back


def periods(past: Samples) -> Rows:
    """The pitch period in samples of each row of the past, float32 [n, 390], in 40..120 (I.2.2)."""
    now, then = past[:, -CORRELATED:], past[:, _BEGIN:-SHORTEST_PERIOD]
    windows = sliding_window_view(then[:, ::EVERY], CORRELATED // EVERY, axis=1)
    coarse = _correlations(windows, now[:, ::EVERY])
    # Windows go from the longest period to the shortest: of equals the shorter, as the Appendix has it.
    best = EVERY * (coarse.shape[1] - 1 - np.argmax(coarse[:, ::-1], axis=1))
    # The lags beside it; at either edge three that begin or end there.
    first = np.clip(best - 1, 0, LONGEST_PERIOD - SHORTEST_PERIOD - 2)
    near = np.take_along_axis(then, first[:, None] + np.arange(CORRELATED + 2), axis=1)
    fine = _correlations(sliding_window_view(near, CORRELATED, axis=1), now)
    fine[np.abs(first[:, None] + np.arange(3) - best[:, None]) > 1] = -np.inf
    found: Rows = LONGEST_PERIOD - (first + np.argmax(fine, axis=1))
    return found


def _correlations(windows: Samples, now: Samples) -> Samples:
    """Normalised cross-correlation of `now` [n, m] with each of `windows` [n, lags, m]: [n, lags]."""
    power = np.einsum("nlm,nlm->nl", windows, windows)
    product: Samples = np.einsum("nlm,nm->nl", windows, now)
    normalised: Samples = product / np.sqrt(np.maximum(power, np.float32(LEAST_POWER)))
    return normalised


class Concealer:
    """Columns of `capacity` rows; a row that misses nothing costs nothing."""

    def __init__(self, capacity: int) -> None:
        self.missing = np.zeros(capacity, np.int32)  # halves concealed since the last frame that came, 6 at most
        self._past = np.zeros((capacity, HISTORY), np.float32)  # its last quarter of a period closes the repetition
        self._last_quarter = np.zeros((capacity, QUARTER), np.float32)  # ... and what stood there
        self._period = np.full(capacity, LONGEST_PERIOD, np.int32)
        self._looped = np.full(capacity, LONGEST_PERIOD, np.int32)  # one, two or three periods
        self._offset = np.zeros(capacity, np.int32)  # where in them the next sample is

    def forget(self, rows: Rows) -> None:
        """These rows begin anew: nothing is missing."""
        self.missing[rows] = 0

    def conceal(self, rows: Rows, history: Pcm) -> Pcm:
        """A frame for each of `rows` [n] that misses one; `history` int16 [n, 390] is what the row played before.

        Returns int16 [n, 160]; exact zeros from 60 ms of loss on.
        """
        frame = np.zeros((len(rows), FRAME), np.float32)
        if len(begun := np.flatnonzero(self.missing[rows] == 0)):
            self._begin(rows[begun], history[begun])
        for half in (frame[:, :HALF], frame[:, HALF:]):
            self._replace(rows, half)
            self.missing[rows] = np.minimum(self.missing[rows] + 1, SILENT)
        if len(begun):
            self._step_off(rows[begun], history[begun, -1], frame, begun)
        return np.clip(np.rint(frame), -32768, 32767).astype(np.int16)

    def rejoin(self, rows: Rows, pcm: Pcm) -> Pcm:
        """Cross-fades from the repetition into the frames `pcm` [n, 160] that came after a loss (I.2.6)."""
        missing = self.missing[rows][:, None]
        length = np.minimum((self._period[rows] >> 2)[:, None] + (missing - 1) * LONGER, HALF)
        gain = np.maximum(1 - (missing - 1) * FADE, 0)
        rise = np.minimum((_WITHIN + 1) / length, 1).astype(np.float32)
        joined = pcm.copy()
        under = self._repetition(rows) * (gain * (1 - rise))
        joined[:, :HALF] = np.clip(np.rint(under + pcm[:, :HALF] * rise), -32768, 32767)
        self.missing[rows] = 0
        return joined

    def _begin(self, rows: Rows, history: Pcm) -> None:
        past = history.astype(np.float32)
        self._period[rows] = periods(past)
        self._past[rows] = past
        self._last_quarter[rows] = past[:, -QUARTER:]
        self._offset[rows] = 0
        self._loop(rows, 1)

    def _loop(self, rows: Rows, number: int | NDArray[np.int32]) -> None:
        """From here on the last `number` periods are repeated: their end is bent towards what stands before them."""
        period = self._period[rows][:, None]
        looped = period * np.reshape(number, (-1, 1))
        self._looped[rows] = looped[:, 0]
        quarter = period >> 2
        past, column = self._past[rows], np.arange(-QUARTER, 0)
        rise = np.clip((column + quarter + 1) / quarter, 0, 1).astype(np.float32)
        before = np.take_along_axis(past, HISTORY - looped + column, axis=1)
        self._past[rows, -QUARTER:] = self._last_quarter[rows] * (1 - rise) + before * rise

    def _repetition(self, rows: Rows) -> Samples:
        """The next 10 ms of it, float32 [n, 80], at full level."""
        looped = self._looped[rows][:, None]
        index = HISTORY - looped + (self._offset[rows][:, None] + _WITHIN) % looped
        return np.take_along_axis(self._past[rows], index, axis=1)

    def _replace(self, rows: Rows, half: Samples) -> None:
        missing = self.missing[rows]
        going = np.flatnonzero(missing < SILENT)
        rows, missing = rows[going], missing[going]
        longer = np.flatnonzero((missing == 1) | (missing == 2))
        before = self._repetition(rows[longer])
        if len(longer):
            some = rows[longer]
            # Back by whole periods, into the first of those that are repeated now.
            self._offset[some] -= np.maximum((self._offset[some] - 1) // self._period[some], 0) * self._period[some]
            self._loop(some, missing[longer] + 1)
        sound = self._repetition(rows)
        self._offset[rows] = (self._offset[rows] + HALF) % self._looped[rows]
        rise = np.minimum((_WITHIN + 1) / (self._period[rows[longer]] >> 2)[:, None], 1).astype(np.float32)
        sound[longer] = before * (1 - rise) + sound[longer] * rise
        elapsed = (missing[:, None] - 1) + _WITHIN / np.float32(HALF)
        half[going] = sound * (1 - np.maximum(elapsed, 0).astype(np.float32) * FADE * (missing[:, None] > 0))

    def _step_off(self, rows: Rows, last: NDArray[np.int16], frame: Samples, begun: Rows) -> None:
        """What was played stands off what the repetition would have had there: let go over a quarter of a period."""
        quarter = (self._period[rows] >> 2)[:, None]
        own = self._past[rows, HISTORY - 1 - self._period[rows]]
        fall = np.maximum(1 - (np.arange(QUARTER) + 1) / quarter, 0).astype(np.float32)
        frame[begun, :QUARTER] += (last - own)[:, None] * fall
