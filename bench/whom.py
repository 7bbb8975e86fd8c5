"""Who hears whom: each leg gives a tone of its own, and by the tones in what a leg hears it is known who is heard.

A tone of one second joins its own beginning, and its spectrum is one line. Where the load or the switch came late, or
a packet was lost, the tone is broken: what is missed was concealed, waited for or left out, and after it the tone goes
on in another phase. Then its line is spread over its neighbours, and some of them may be the tones of other legs. So
what lies near the tone of one who should be heard, and should not be there, is that tone with breaks in it: a fault of
its own, but nobody's sound in the wrong ear. What lies elsewhere is somebody, or something, that is wrongly heard.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from attrs import frozen

from ..codecs import g711

FRAMES: Final = 50  # of the tone, which repeats each second: frequencies are whole numbers of Hz
LOWEST: Final = 300
STEP: Final = 5
TONES: Final = 600
STRIDE: Final = 37
AMPLITUDE: Final = 6000.0
# Of the loudest tone: who is heard is as loud as the others, and what Opus and breaks add to them is not.
LEAST: Final = 0.25
# Hz to either side of a tone that its own breaks may reach. The tones of a room are further apart than twice that.
NEAR: Final = 90


def tone_of(leg: int) -> int:
    """The frequency that a leg sends, in Hz; those of neighbours are far apart, for no codec keeps two that are not."""
    return LOWEST + STEP * (STRIDE * leg % TONES)


def leg_of(tone: int) -> int | None:
    """The first leg that gives it; None where none does."""
    place, beside = divmod(tone - LOWEST, STEP)
    return None if beside or not 0 <= place < TONES else pow(STRIDE, -1, TONES) * place % TONES


def tone_pcm(leg: int) -> g711.Pcm:
    """One second of a leg's tone, int16 [8000], which joins its own beginning."""
    t = np.arange(FRAMES * 160) / 8000
    pcm: g711.Pcm = (AMPLITUDE * np.sin(2 * np.pi * tone_of(leg) * t)).astype(np.int16)
    return pcm


def tones_in(pcm: g711.Pcm) -> list[int]:
    """The frequencies in one second of sound, at any rate, that have LEAST of the strongest's amplitude, in Hz."""
    spectrum = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm))))
    strong = (spectrum > LEAST * spectrum.max()) & (spectrum > 1000.0)
    peak = strong[1:-1] & (spectrum[1:-1] >= spectrum[:-2]) & (spectrum[1:-1] >= spectrum[2:])
    return [int(f) + 1 for f in np.flatnonzero(peak)]


def room(leg: int, size: int) -> range:
    return range(leg - leg % size, leg - leg % size + size)


@frozen
class Verdict:
    """Of the legs that were listened to, a text each: who heard others than those of its room, or not all of them; and
    who heard those, with breaks."""

    wrong: tuple[str, ...]
    broken: tuple[str, ...]


def judge(heard: Mapping[str, Sequence[int]], size: int) -> Verdict:
    """By the tones that each leg `heard`."""
    wrong, broken = [], []
    for leg, tones in heard.items():
        others = [other for other in room(int(leg), size) if other != int(leg)]
        wanted = sorted(map(tone_of, others))
        if list(tones) == wanted:
            continue
        strange = [tone for tone in tones if min(abs(tone - one) for one in wanted) > NEAR]
        missed = [other for other in others if all(abs(tone - tone_of(other)) > NEAR for tone in tones)]
        if strange or missed:
            told = [*(f"heard {_named(tone)}" for tone in strange), *(f"did not hear leg {one}" for one in missed)]
            wrong.append(f"leg {leg} {', '.join(told)}")
        else:
            broken.append(f"leg {leg} heard {list(tones)} Hz for {wanted}")
    return Verdict(tuple(wrong), tuple(broken))


def _named(tone: int) -> str:
    leg = leg_of(tone)
    return f"{tone} Hz, which is no leg's" if leg is None else f"leg {leg} ({tone} Hz)"
