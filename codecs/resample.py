"""Between the rates: 48 kHz, what Opus decodes to, 16 kHz of wideband codecs, and 8 kHz.

Each filter is a windowed sinc at its higher rate. Down it is evaluated at those samples only that are left, up at those
only that are not zeros: a matrix product for all rows. The end of each row's past is its state, so frames join without
a seam; the delay is 1 ms between 48 kHz and the others, 2 ms between 16 and 8.

Sound of more than 8 kHz is kept in parts, one for each band (bands.py): at 8 kHz what G.711 carries, which is heard,
concealed and mixed as everything is; at 16 kHz what is above it; at 48 what is above that (`UpperBand`). What comes up
from the band below and the upper band add up to the sound as it was, for the filters are made for each other; either
may fail to come without a click of the other.
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
# Of what comes down from 48 kHz to 16: samples at 48 kHz on either side of the middle.
_REACH: Final = 48
# How many samples, at 16 kHz or at 3 times as much, the middle of a sample at 16 kHz is behind the newest that its
# upper band is made of: so late is what comes up from 8 kHz.
_LATE: Final = {1: 62, 3: 139}


def _filter(factor: int) -> NDArray[np.float32]:
    """Taps at the higher rate, of unit gain at 0 Hz: 6 between 48 kHz and 8, 2 between 16 and 8, 3 between 48 and 16.

    The first two leave G.711's 300-3400 Hz alone, the third what G.722 carries; all keep images out."""
    # samples and turns of the lower rate
    span, edge = {6: (16, 3500 / 8000), 2: (32, 3700 / 8000), 3: (32, 7300 / 16000)}[factor]
    # Of 3 there is a middle one, so that what it brings up is late by whole samples.
    taps = span * factor - (factor == 3)
    t = np.arange(taps) - (taps - 1) / 2
    made = np.sinc(2 * edge / factor * t) * np.kaiser(taps, 6.0)
    return np.asarray(np.append(made, np.zeros(span * factor - taps)) / made.sum(), np.float32)


def _wideband() -> NDArray[np.float64]:
    """What is left at 16 kHz of sound at 48: taps at 48 kHz about a middle, `_REACH` on either side."""
    t = np.arange(-_REACH, _REACH + 1)
    made = np.sinc(2 * 7000 / 48000 * t) * np.i0(6.0 * np.sqrt(1 - (t / _REACH) ** 2))
    return np.asarray(made / made.sum(), np.float64)


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
    """To a `factor` times lower rate for `capacity` rows, each with its own past: 6 from 48 kHz to 8, 2 from 16."""

    def __init__(self, capacity: int, factor: int) -> None:
        taps = _filter(factor)
        self._factor = factor
        self._past = np.zeros((capacity, len(taps) - 1), np.float32)
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
        # The last output looks at the last samples: nothing of the frame is left for the next one.
        out = _product(signal[:, factor - 1 :], factor * BLOCK, self._matrix)
        low: Pcm = np.clip(np.rint(out), -32768, 32767).astype(np.int16)
        return low


class UpperBand:
    """Of sound at `rate`, what a band has that the one below it has not: what is lost on the way down to that and up
    again, at the band's rate and in step with it; for `capacity` rows, each with its own past."""

    def __init__(self, capacity: int, rate: int, band: int) -> None:
        self._factor = rate // RATES[band]
        taps, self._late = _above_narrow(self._factor) if band == Band.WIDE else _above_wide()
        self._past = np.zeros((capacity, len(taps) - 1 + self._late), np.float32)
        self._matrix = np.zeros((len(taps) + self._factor * (BLOCK - 1), BLOCK), np.float32)
        for k in range(BLOCK):
            self._matrix[k * self._factor : k * self._factor + len(taps), k] = taps[::-1]

    def forget(self, rows: Rows) -> None:
        """The rows' past is silence again."""
        self._past[rows] = 0

    def above(self, rows: Rows, pcm: Pcm) -> NDArray[np.float32]:
        """The next 20 ms of each of `rows` (unique): int16 [n, samples * factor] to float32 [n, samples]."""
        signal = np.concatenate([self._past[rows], pcm], axis=1, dtype=np.float32)
        self._past[rows] = signal[:, -self._past.shape[1] :]
        signal = signal[:, self._factor - 1 : signal.shape[1] - self._late]
        return _product(signal, self._factor * BLOCK, self._matrix)


def _above_narrow(factor: int) -> tuple[NDArray[np.float32], int]:
    """From 16 kHz, or `factor` 3 times as much, to 16: taps, and how many samples before the last they begin."""
    there, back = _filter(2 * factor), _filter(2)
    spread = np.zeros(factor * (len(back) - 1) + 1, np.float32)
    spread[::factor] = back
    # Outputs look at windows that end with input `factor` * j + `factor` - 1; the first taps are next to nothing.
    lower = np.convolve(there, spread)[factor:]
    whole, middle = _wideband() if factor > 1 else np.ones(1), _LATE[factor]
    above = -lower.astype(np.float64)
    above[middle - len(whole) // 2 : middle + len(whole) // 2 + 1] += whole
    return above.astype(np.float32), 0


def _above_wide() -> tuple[NDArray[np.float32], int]:
    """From 48 kHz to 48: as above."""
    above = -np.convolve(_wideband(), _filter(3))
    above[len(above) // 2 - 1] += 1.0  # the last tap of the way up is none
    # Its first output is that of an input two before the last that a wideband one looks at.
    return above.astype(np.float32), _LATE[3] - 2 - _REACH


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
        signal = np.concatenate([self._past[rows], pcm], axis=1, dtype=np.float32)
        self._past[rows] = signal[:, -self._past.shape[1] :]
        return _product(signal, BLOCK, self._matrix)
