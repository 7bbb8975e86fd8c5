"""Between the rates: 48 kHz, what Opus decodes to, 16 kHz of wideband codecs, and 8 kHz.

Each filter is a windowed sinc at its higher rate. Down it is evaluated at those samples only that are left, up at those
only that are not zeros: a matrix product for all rows. The end of each row's past is its state, so frames join without
a seam; the delay is 1 ms between 48 kHz and the others, 2 ms between 16 and 8.

Sound of more than 8 kHz is there at each band up to its own (bands.py), as late in each as what comes up to it from
8 kHz (`to_band`). So what a band has that the one below it has not is its frame less what comes up from below: whatever
the filters are, both add up to the sound as it was, and either may fail to come without a click of the other.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .bands import RATES, Band
from .g711 import Pcm

Rows = NDArray[np.intp]

# Samples of the lower rate at once: a block matrix does some times the needed work, but in BLAS.
BLOCK: Final = 20
# Of a larger product BLAS makes work for threads, which take longer to wake than it takes.
_MOST_PRODUCTS: Final = 400_000
# By how many samples of its own rate sound is later where it has come down to 8 kHz and up again to a band; what it is
# compared with has to be as late. At 16 kHz the 48 that Opus decodes to are filtered: so many of those before that.
_LATE: Final = {(16_000, Band.WIDE): 62, (48_000, Band.WIDE): 92, (48_000, Band.FULL): 184}


def _filter(factor: int) -> NDArray[np.float32]:
    """Taps at the higher rate, of unit gain at 0 Hz: 6 between 48 kHz and 8, 2 between 16 and 8, 3 between 48 and 16.

    The first two leave G.711's 300-3400 Hz alone, the third what G.722 carries; all keep images out."""
    # samples and turns of the lower rate
    span, edge = {6: (16, 3500 / 8000), 2: (32, 3700 / 8000), 3: (32, 7200 / 16000)}[factor]
    # Of 3 there is a middle one, so that what it brings up is late by whole samples.
    taps = span * factor - (factor == 3)
    t = np.arange(taps) - (taps - 1) / 2
    made = np.sinc(2 * edge / factor * t) * np.kaiser(taps, 6.0)
    return np.asarray(np.append(made, np.zeros(span * factor - taps)) / made.sum(), np.float32)


def _product(signal: NDArray[np.float32], step: int, matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Windows of `signal` [n, m], one every `step` samples, times `matrix`: [n, windows * outputs]."""
    width, outputs = matrix.shape
    windows = np.lib.stride_tricks.sliding_window_view(signal, width, axis=1)[:, ::step]
    out = np.empty((*windows.shape[:2], outputs), np.float32)
    rows = max(1, _MOST_PRODUCTS // (windows.shape[1] * width * outputs))
    for i in range(0, len(signal), rows):
        some = np.ascontiguousarray(windows[i : i + rows]).reshape(-1, width)
        np.matmul(some, matrix, out=out[i : i + rows].reshape(-1, outputs))
    return out.reshape(len(signal), windows.shape[1] * outputs)


class Downsampler:
    """To a `factor` times lower rate for `capacity` rows, each with its own past: 6 or 3 from 48 kHz, 2 from 16.

    What comes out may be `late` by so many samples of what goes in."""

    def __init__(self, capacity: int, factor: int, late: int = 0) -> None:
        taps = _filter(factor)
        self._factor = factor
        self._late = late
        self._past = np.zeros((capacity, len(taps) - 1 + late), np.float32)
        self._matrix = np.zeros((len(taps) + factor * (BLOCK - 1), BLOCK), np.float32)
        for k in range(BLOCK):
            self._matrix[k * factor : k * factor + len(taps), k] = taps[::-1]

    def forget(self, rows: Rows) -> None:
        """The rows' past is silence again."""
        self._past[rows] = 0

    def down(self, rows: Rows, pcm: Pcm) -> Pcm:
        """The next 20 ms of each of `rows` (unique): int16 [n, m * factor] to int16 [n, m]."""
        factor = self._factor
        signal = np.concatenate([self._past[rows], pcm], axis=1, dtype=np.float32)
        self._past[rows] = signal[:, -self._past.shape[1] :]
        # The last output looks at the last samples that are wanted: nothing of them is left for the next frame.
        out = _product(signal[:, factor - 1 : signal.shape[1] - self._late], factor * BLOCK, self._matrix)
        low: Pcm = np.clip(np.rint(out), -32768, 32767).astype(np.int16)
        return low


class Delay:
    """`late` samples of `capacity` rows."""

    def __init__(self, capacity: int, late: int) -> None:
        self._past = np.zeros((capacity, late), np.int16)

    def forget(self, rows: Rows) -> None:
        """The rows' past is silence again."""
        self._past[rows] = 0

    def down(self, rows: Rows, pcm: Pcm) -> Pcm:
        """The next 20 ms of each of `rows` (unique), int16 [n, m], and what they are later."""
        signal = np.concatenate([self._past[rows], pcm], axis=1)
        self._past[rows] = signal[:, pcm.shape[1] :]
        later: Pcm = signal[:, : pcm.shape[1]]
        return later


def to_band(capacity: int, rate: int, band: int) -> Downsampler | Delay:
    """What brings sound at `rate` to a band above 8 kHz, as late as what comes up there from below, for `capacity`
    rows."""
    factor, late = rate // RATES[band], _LATE[rate, band]
    return Downsampler(capacity, factor, late) if factor > 1 else Delay(capacity, late)


class Upsampler:
    """To a `factor` times higher rate for `capacity` rows, each with its own past: 2 from 8 kHz, 3 from 16 to 48."""

    def __init__(self, capacity: int, factor: int) -> None:
        taps = factor * _filter(factor)
        span = len(taps) // factor
        self._past = np.zeros((capacity, span - 1), np.float32)
        # An output for each phase of a sample, by every tap of that phase.
        self._matrix = np.zeros((span - 1 + BLOCK, factor * BLOCK), np.float32)
        for k in range(BLOCK):
            for phase in range(factor):
                self._matrix[k : k + span, factor * k + phase] = taps[phase::factor][::-1]

    def forget(self, rows: Rows) -> None:
        """The rows' past is silence again."""
        self._past[rows] = 0

    def up(self, rows: Rows, pcm: Pcm) -> NDArray[np.float32]:
        """The next 20 ms of each of `rows` (unique): int16 [n, m] to float32 [n, m * factor]."""
        sound = self.look(rows, pcm)
        self.follow(rows, pcm)
        return sound

    def look(self, rows: Rows, pcm: Pcm) -> NDArray[np.float32]:
        """What `up` would give, which is still the next then."""
        return _product(np.concatenate([self._past[rows], pcm], axis=1, dtype=np.float32), BLOCK, self._matrix)

    def follow(self, rows: Rows, pcm: Pcm) -> None:
        """What `up` leaves behind: nothing is brought up."""
        self._past[rows] = pcm[:, -self._past.shape[1] :]

    def last(self, pcm: Pcm) -> NDArray[np.float32]:
        """The last samples of what `up` would give, float32 [n]: no row's past is in them."""
        taps = self._matrix[BLOCK - 1 :, -1]
        return pcm[:, -len(taps) :].astype(np.float32) @ taps

    def stands_as(self, other: Upsampler, rows: Rows) -> NDArray[np.bool_]:
        """Whether `rows` [n] have the same past in both."""
        same: NDArray[np.bool_] = (self._past[rows] == other._past[rows]).all(axis=1)
        return same
