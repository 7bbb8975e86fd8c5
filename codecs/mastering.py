"""What makes a recorded piece fit for a telephone line: as loud as hold music, and a loop without a seam.

All that is here is done once for each piece, when it is taken in. Levels are those of what sounds: a piece with long
pauses is not made louder than one without.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .g711 import Pcm
from .tones import FRAME, MUSIC_LEVEL, RATE

Samples = NDArray[np.float32]

# What is this much softer than the loudest frame is a pause, in dB.
PAUSE: Final = 35.0
# The end of a piece goes over into its beginning for so long, in seconds: no click, and the beat is hardly moved.
SEAM: Final = 0.1
# No peak is above, as in the built-in piece: what a codec or a mix adds has room.
CEILING: Final = 24000
# A peak is made softer together with what is this near it, in samples of 5 ms: it is not cut off.
NEAR: Final = 40


def loudness(sound: Samples) -> float:
    """The level of what sounds of float32 [n] (full scale 1), in dBFS; -inf where nothing does."""
    whole = sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME)
    power = np.square(whole, dtype=np.float64).mean(axis=1)
    if not len(power) or not power.max():
        return -np.inf
    return float(10 * np.log10(power[power > power.max() * 10 ** (-PAUSE / 10)].mean()))


def mastered(sound: Samples) -> Pcm:
    """float32 [n] at 8 kHz of any level, longer than twice `SEAM`, as int16 [frames * 160] to be looped. Read-only.

    Raises ValueError where nothing can be heard in it.
    """
    loop = _looped(sound - sound.mean(dtype=np.float64).astype(np.float32))
    level = loudness(loop)
    if level == -np.inf:
        raise ValueError("silence")
    pcm: Pcm = np.rint(_limited(loop * np.float32(32768 * 10 ** ((MUSIC_LEVEL - level) / 20)))).astype(np.int16)
    pcm.setflags(write=False)
    return pcm


def _looped(sound: Samples) -> Samples:
    """Whole frames whose last sample is followed by the first: what comes after it fades into the beginning."""
    seam = round(SEAM * RATE)
    length = (len(sound) - seam) // FRAME * FRAME
    turn = (np.arange(seam, dtype=np.float32) + 0.5) / seam * np.float32(np.pi / 2)
    loop = sound[:length].copy()
    loop[:seam] = loop[:seam] * np.sin(turn) + sound[length : length + seam] * np.cos(turn)
    return loop


def _limited(loop: Samples) -> Samples:
    """No sample above `CEILING`: the gain goes down before a peak and up after it, around the loop's end too."""
    around = np.pad(np.abs(loop), 2 * NEAR, mode="wrap")
    if around.max() <= CEILING:
        return loop
    peak = np.lib.stride_tricks.sliding_window_view(around, 2 * NEAR + 1).max(axis=1)
    gain = np.minimum(1.0, CEILING / np.maximum(peak, 1.0))
    # The mean of gains that all hold the peak down holds it down.
    smooth: Samples = np.convolve(gain, np.full(2 * NEAR + 1, 1 / (2 * NEAR + 1)), mode="valid").astype(np.float32)
    return loop * smooth
