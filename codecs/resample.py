"""From 48 kHz, what Opus decodes to, down to the 8 kHz that everything is mixed at.

One low-pass filter (windowed sinc, 3.5 kHz, 96 taps) evaluated at every sixth sample: one matrix product for all rows.
The last 95 samples of each row's past are its state, so frames join without a seam; the delay is 1 ms.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .g711 import Pcm

FACTOR: Final = 6
TAPS: Final = 96
CUTOFF: Final = 3500.0  # Hz: leaves G.711's 300-3400 Hz alone and keeps images out
IN: Final = 960
OUT: Final = 160
# Output samples per matrix product: a block matrix [TAPS - 1 + 6 * 20, 20] does 8 times the needed work, but in BLAS.
BLOCK: Final = 20


def _filter() -> NDArray[np.float32]:
    t = np.arange(TAPS) - (TAPS - 1) / 2
    taps = np.sinc(2 * CUTOFF / 48000 * t) * np.kaiser(TAPS, 6.0)
    return np.asarray(taps / taps.sum(), np.float32)


def _block_matrix() -> NDArray[np.float32]:
    taps = _filter()
    matrix = np.zeros((TAPS + FACTOR * (BLOCK - 1), BLOCK), np.float32)
    for k in range(BLOCK):
        matrix[k * FACTOR : k * FACTOR + TAPS, k] = taps[::-1]
    return matrix


_MATRIX: Final = _block_matrix()
_MATRIX.setflags(write=False)


class Downsampler:
    """48 kHz to 8 kHz for `capacity` rows, each with its own past."""

    def __init__(self, capacity: int) -> None:
        self._past = np.zeros((capacity, TAPS - 1), np.float32)

    def forget(self, rows: NDArray[np.intp]) -> None:
        """The rows' past is silence again."""
        self._past[rows] = 0

    def down_48_to_8(self, rows: NDArray[np.intp], pcm: Pcm) -> Pcm:
        """The next 20 ms of each of `rows` (unique): int16 [n, 960] at 48 kHz to int16 [n, 160] at 8 kHz."""
        signal = np.concatenate([self._past[rows], pcm], axis=1, dtype=np.float32)
        self._past[rows] = signal[:, -(TAPS - 1) :]
        width = len(_MATRIX)
        # Output k looks at the TAPS samples that end at input 6k + 5: nothing of the frame is left for the next one.
        windows = np.lib.stride_tricks.sliding_window_view(signal[:, FACTOR - 1 :], width, axis=1)
        blocks = np.ascontiguousarray(windows[:, :: FACTOR * BLOCK]).reshape(-1, width)
        out = (blocks @ _MATRIX).reshape(len(pcm), OUT)
        narrow: Pcm = np.clip(np.rint(out), -32768, 32767).astype(np.int16)
        return narrow
