"""ITU-T G.711 Appendix I for one stream, sample by sample in the order of its text, to measure the switch against.

Slow and plain on purpose. It shares nothing with `codecs/plc.py`, which does the same for all rows of a tick at once;
`cordboard bench quality` compares what both sound like, and a test compares them sample by sample.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]

FRAME: Final = 80  # 10 ms at 8 kHz, the Appendix' frame
PITCH_MIN: Final = 40  # 200 Hz
PITCH_MAX: Final = 120  # 66 Hz
OVERLAP_MAX: Final = PITCH_MAX // 4  # 3.75 ms, by which the output is delayed
HISTORY: Final = 3 * PITCH_MAX + OVERLAP_MAX
CORRELATED: Final = 160  # samples of a correlation: 20 ms
LEAST_POWER: Final = 250.0
EVERY: Final = 2  # the coarse search looks at every second sample and lag
FADE: Final = 0.2  # of the level, each 10 ms after the first
LONGER: Final = 32  # samples by which each further erased frame prolongs the overlap at the end
ERASED_MAX: Final = 5  # frames of 10 ms after which there is silence, beside the first


def crossed(left: list[float], right: list[float], gain: float = 1.0) -> list[float]:
    """Overlap-add: from `left`, scaled by `gain`, to `right` in straight lines."""
    n = len(left)
    return [gain * (1 - (i + 1) / n) * a + (i + 1) / n * b for i, (a, b) in enumerate(zip(left, right, strict=True))]


def found_pitch(past: list[float]) -> int:
    """The pitch period of the last 390 samples, in 40..120: the best of normalised cross-correlations (I.2.2)."""

    def score(lag: int, every: int) -> float:
        end = len(past)
        now = past[end - CORRELATED : end : every]
        then = past[end - CORRELATED - lag : end - lag : every]
        power = max(sum(b * b for b in then), LEAST_POWER)
        return sum(a * b for a, b in zip(now, then, strict=True)) / math.sqrt(power)

    # From the longest to the shortest, so that of equals the shorter wins.
    coarse = max(range(PITCH_MIN, PITCH_MAX + 1, EVERY), key=lambda lag: (score(lag, EVERY), -lag))
    near = range(min(coarse + 1, PITCH_MAX), max(coarse - 1, PITCH_MIN) - 1, -1)
    return max(near, key=lambda lag: (score(lag, 1), lag))


class Appendix:
    """One stream: a frame that came or None in, a frame out, 30 samples later."""

    def __init__(self) -> None:
        self._history = [0.0] * HISTORY
        self._erased = 0
        self._pitch = 0
        self._quarter = 0
        self._periods = 0
        self._offset = 0
        self._buffer: list[float] = []
        self._last_quarter: list[float] = []

    def frame(self, came: Pcm | None) -> Pcm:
        """10 ms, int16 [80]."""
        if came is None:
            out = self._replacement()
            self._erased += 1
        else:
            out = self._rejoined([float(sample) for sample in came])
        self._history = [*self._history, *out][-HISTORY:]
        delayed = self._history[HISTORY - FRAME - OVERLAP_MAX : HISTORY - OVERLAP_MAX]
        return np.clip(np.rint(delayed), -32768, 32767).astype(np.int16)

    def _replacement(self) -> list[float]:
        if self._erased == 0:
            self._pitch = found_pitch(self._history)
            self._quarter = self._pitch // 4
            self._buffer = list(self._history)
            self._last_quarter = self._buffer[-self._quarter :]
            self._offset = 0
            self._use_periods(1)
            # The end of what is not yet played bends towards the repetition (I.2.5).
            self._history[-self._quarter :] = self._buffer[-self._quarter :]
            return self._synthesised(FRAME)
        if self._erased in (1, 2):  # one more period each, so that it does not buzz (I.2.7)
            offset = self._offset
            before = self._synthesised(self._quarter)
            self._offset = offset
            while self._offset > self._pitch:
                self._offset -= self._pitch
            self._use_periods(self._erased + 1)
            out = self._synthesised(FRAME)
            out[: self._quarter] = crossed(before, out[: self._quarter])
        elif self._erased > ERASED_MAX:
            return [0.0] * FRAME
        else:
            out = self._synthesised(FRAME)
        gain = 1 - (self._erased - 1) * FADE
        return [sample * (gain - i * FADE / FRAME) for i, sample in enumerate(out)]

    def _use_periods(self, periods: int) -> None:
        self._periods = periods
        begin = HISTORY - periods * self._pitch
        before = self._buffer[begin - self._quarter : begin]
        self._buffer[-self._quarter :] = crossed(self._last_quarter, before)

    def _synthesised(self, n: int) -> list[float]:
        length = self._periods * self._pitch
        out = []
        for _ in range(n):
            out.append(self._buffer[HISTORY - length + self._offset])
            self._offset = (self._offset + 1) % length
        return out

    def _rejoined(self, came: list[float]) -> list[float]:
        if self._erased == 0:
            return came
        n = min(self._quarter + (self._erased - 1) * LONGER, FRAME)
        gain = max(0.0, 1 - (self._erased - 1) * FADE)
        came[:n] = crossed(self._synthesised(n), came[:n], gain)
        self._erased = 0
        return came


def concealed(frames: Iterable[Pcm | None], frame: int) -> Pcm:
    """A whole stream of frames of `frame` samples, a multiple of 80; None is lost. As long as the input."""
    appendix = Appendix()
    parts = []
    for one in frames:
        for at in range(0, frame, FRAME):
            parts.append(appendix.frame(None if one is None else one[at : at + FRAME]))
    return np.concatenate(parts)
