"""Sounds that are made, not recorded: sines, and the built-in hold music. callprogress.py has the tones of countries.

Everything is deterministic numpy at 8 kHz. Loops are whole numbers of 20 ms frames, so that a source row is a position
in a list of frames, and they join without a seam: what still sounds at the end of the music is added to its beginning.
"""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .g711 import ULAW_OVERLOAD, Pcm

RATE: Final = 8000
FRAME: Final = 160
# Call progress tones at -16 dBm0: within the -10 +/- 5 dBm0 that ITU-T E.180 recommends, on the soft side.
TONE_AMPLITUDE: Final = ULAW_OVERLOAD * 10 ** (-(16.0 + 3.17) / 20)


def sines(frequencies: NDArray[np.float64], first: NDArray[np.int64]) -> Pcm:
    """One frame of a sine per row: frequencies in Hz [n], `first` the index of the frame's first sample [n].

    Returns int16 [n, 160]; frames of consecutive `first` join in phase.
    """
    # The whole turns are taken off before the sine, so that hours of a tone lose no precision.
    start = np.mod(frequencies * first / RATE, 1.0)
    turns = start[:, None] + frequencies[:, None] * (np.arange(FRAME) / RATE)
    return np.rint(TONE_AMPLITUDE * np.sin(2 * np.pi * turns)).astype(np.int16)


# --- hold music ---------------------------------------------------------------------------------------------------

_BAR: Final = 3.0  # seconds
_BEATS: Final = 6  # to the bar: a slow, rocking six
# Eight bars in C: MIDI notes of each chord from the bass up, and the tune's note (or None) on each beat.
_CHORDS: Final = (
    (48, 60, 64, 67, 71),
    (45, 57, 60, 64, 67),
    (41, 57, 60, 65, 69),
    (43, 55, 59, 62, 69),
    (48, 60, 64, 67, 71),
    (40, 55, 59, 64, 67),
    (41, 57, 60, 65, 69),
    (43, 55, 60, 62, 67),
)
_TUNE: Final = (
    (76, None, None, 79, None, 76),
    (72, None, None, None, 74, None),
    (72, None, 69, None, None, 72),
    (74, None, None, None, None, None),
    (76, None, None, 79, None, 83),
    (79, None, None, None, 76, None),
    (77, None, 76, None, 72, None),
    (74, None, None, 72, None, None),
)
_ARPEGGIO: Final = (0, 2, 3, 4, 3, 2)
# Of music, in dBFS: quieter than speech at its usual -18 to -20, so that who waits is not shouted at.
MUSIC_LEVEL: Final = -21.0


def _note(midi: int, seconds: float, attack: float, decay: float, partials: tuple[float, ...]) -> NDArray[np.float64]:
    """A note with a raised-cosine attack and an exponential decay that reaches zero, without partials above 3.4 kHz."""
    frequency = 440.0 * 2 ** ((midi - 69) / 12)
    t = np.arange(round(seconds * RATE)) / RATE
    sound = np.zeros(t.size)
    for k, level in enumerate(partials, start=1):
        if k * frequency < 3400:
            sound += level * np.sin(2 * np.pi * k * frequency * t) * np.exp(-t * (k - 1) / decay)
    rise = 0.5 - 0.5 * np.cos(np.pi * np.minimum(t / attack, 1.0))
    release = 0.5 - 0.5 * np.cos(np.pi * np.minimum((seconds - t) / (0.2 * seconds), 1.0))
    return sound * rise * release * np.exp(-t / decay)


@functools.cache
def hold_music() -> Pcm:
    """The built-in piece: 24 s of a soft pad, a plucked arpeggio and a slow tune; int16 [192000], made to be looped.
    Read-only.
    """
    total = round(_BAR * len(_CHORDS) * RATE)
    loop = np.zeros(total)

    note = functools.cache(_note)  # most of them come again

    def play(at: float, level: float, sound: NDArray[np.float64]) -> None:
        begin = round(at * RATE)
        until_end = min(sound.size, total - begin)
        loop[begin : begin + until_end] += level * sound[:until_end]
        loop[: sound.size - until_end] += level * sound[until_end:]

    beat = _BAR / _BEATS
    for bar, (chord, tune) in enumerate(zip(_CHORDS, _TUNE, strict=True)):
        start = bar * _BAR
        play(start, 0.5, note(chord[0] + 12, _BAR * 1.2, 0.25, 2.5, (1.0, 0.35, 0.12)))
        for midi in chord[1:4]:
            play(start, 0.16, note(midi, _BAR * 1.3, 0.7, 4.0, (1.0, 0.2)))
        for i, step in enumerate(_ARPEGGIO):
            midi = chord[step] + (12 if step == 0 else 0)
            play(start + i * beat, 0.30, note(midi, 1.6, 0.02, 0.55, (1.0, 0.3, 0.1)))
        for i, melody in enumerate(tune):
            if melody is not None:
                play(start + i * beat, 0.34, note(melody, 2.2, 0.045, 0.9, (1.0, 0.18, 0.08)))
    loop *= 32768 * 10 ** (MUSIC_LEVEL / 20) / np.sqrt(np.mean(loop**2))
    pcm: Pcm = np.rint(np.clip(loop, -24000, 24000)).astype(np.int16)
    pcm.setflags(write=False)
    return pcm
