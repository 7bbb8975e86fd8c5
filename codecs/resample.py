"""Between the rates: 48 kHz, what Opus decodes to, 16 kHz of wideband codecs, and 8 kHz.

Each filter is a windowed sinc at its higher rate. Down it is evaluated at those samples only that are left, up at those
only that are not zeros: a matrix product for all rows. The end of each row's past is its state, so frames join without
a seam; the delay is 1 ms from 48 kHz, 2 ms between 16 and 8.

Wideband sound is kept in two parts: at 8 kHz what G.711 carries, which is heard, concealed and mixed as everything is,
and at 16 kHz what is above it (`UpperBand`). What comes up from 8 kHz and the upper band add up to the sound as it was,
for the filters are made for each other; either may fail to come without a click of the other.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .g711 import Pcm

Rows = NDArray[np.intp]

# Samples of the lower rate at once: a block matrix does some times the needed work, but in BLAS.
BLOCK: Final = 20
# Of a larger product BLAS makes work for threads, which take longer to wake than it takes.
_MOST_PRODUCTS: Final = 400_000


def _filter(factor: int) -> NDArray[np.float32]:
    """Taps at the higher rate, of unit gain at 0 Hz. All leave G.711's 300-3400 Hz alone and keep images out."""
    span, edge = {6: (16, 3500 / 8000), 2: (32, 3700 / 8000)}[factor]  # samples and turns of the lower rate
    taps = span * factor
    t = np.arange(taps) - (taps - 1) / 2
    made = np.sinc(2 * edge / factor * t) * np.kaiser(taps, 6.0)
    return np.asarray(made / made.sum(), np.float32)


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
    """Of sound at 16 kHz, or of `factor` 3 times as much, what is lost on the way down to 8 kHz and up again, at 16
    kHz and in step with it; for `capacity` rows, each with its own past."""

    def __init__(self, capacity: int, factor: int) -> None:
        there, back = _filter(2 * factor), _filter(2)
        spread = np.zeros(factor * (len(back) - 1) + 1, np.float32)
        spread[::factor] = back
        # Outputs look at windows that end with input `factor` * j + `factor` - 1; the first taps are next to nothing.
        lower = np.convolve(there, spread)[factor:]
        middle = (len(there) + len(spread) - 2) // 2 - factor
        t = np.arange(len(lower)) - middle
        whole = np.where(t == 0, 1.0, 0.0)
        if factor > 1:
            shape = np.where(np.abs(t) <= 48, np.i0(6.0 * np.sqrt(np.maximum(1 - (t / 48) ** 2, 0))), 0.0)
            whole = np.sinc(2 * 7000 / 48000 * t) * shape
            whole /= whole.sum()
        taps = np.asarray(whole - lower, np.float32)
        self._factor = factor
        self._past = np.zeros((capacity, len(taps) - 1), np.float32)
        self._matrix = np.zeros((len(taps) + factor * (BLOCK - 1), BLOCK), np.float32)
        for k in range(BLOCK):
            self._matrix[k * factor : k * factor + len(taps), k] = taps[::-1]

    def forget(self, rows: Rows) -> None:
        """The rows' past is silence again."""
        self._past[rows] = 0

    def above(self, rows: Rows, pcm: Pcm) -> NDArray[np.float32]:
        """The next 20 ms of each of `rows` (unique): int16 [n, 320 * factor] to float32 [n, 320]."""
        signal = np.concatenate([self._past[rows], pcm], axis=1, dtype=np.float32)
        self._past[rows] = signal[:, -self._past.shape[1] :]
        return _product(signal[:, self._factor - 1 :], self._factor * BLOCK, self._matrix)


class Upsampler:
    """From 8 kHz to 16 for `capacity` rows, each with its own past."""

    def __init__(self, capacity: int) -> None:
        taps = 2 * _filter(2)
        span = len(taps) // 2
        self._past = np.zeros((capacity, span - 1), np.float32)
        # Two outputs for each sample, by every second tap.
        self._matrix = np.zeros((span - 1 + BLOCK, 2 * BLOCK), np.float32)
        for k in range(BLOCK):
            for phase in (0, 1):
                self._matrix[k : k + span, 2 * k + phase] = taps[phase::2][::-1]

    def forget(self, rows: Rows) -> None:
        """The rows' past is silence again."""
        self._past[rows] = 0

    def up(self, rows: Rows, pcm: Pcm) -> NDArray[np.float32]:
        """The next 20 ms of each of `rows` (unique): int16 [n, 160] to float32 [n, 320]."""
        signal = np.concatenate([self._past[rows], pcm], axis=1, dtype=np.float32)
        self._past[rows] = signal[:, -self._past.shape[1] :]
        return _product(signal, BLOCK, self._matrix)
