"""Digits as pairs of tones (ITU-T Q.23): made, and found again in what is heard (ITU-T Q.24), for all rows at once.

A digit is a tone of the low group and one of the high group. What is heard is looked at through windows of 20 ms
(Hann), one every 10 ms: a window's two strongest tones, one of each group, must be nearly all that there is in it,
within the twist, and loud enough. How far each is from its nominal frequency is told by how its phase went on since the
window before. A digit has begun when three windows in a row agree, which a tone of 40 ms always gives and one of 20 ms
never; it is over when two in a row have lost it, which a pause of 40 ms always gives and an interruption of 10 ms
never. Speech has the two tones now and then, but with others beside them, or not at the same pitch for so long.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from .g711 import ULAW_OVERLOAD, Pcm

Rows = NDArray[np.intp]

RATE: Final = 8000
FRAME: Final = 160
LOW: Final = (697.0, 770.0, 852.0, 941.0)
HIGH: Final = (1209.0, 1336.0, 1477.0, 1633.0)
# A digit's place here is its event code (RFC 4733 §3.2).
DIGITS: Final = "0123456789*#ABCD"
_KEYPAD: Final = "123A456B789C*0#D"  # a row of it for each low tone, a column for each high one

# --- made ---------------------------------------------------------------------------------------------------------

# Power of each tone: Q.23 leaves it to the network; the high one is sent 2 dB stronger, for lines carry it worse.
LOW_DBM0: Final = -10.0
HIGH_DBM0: Final = -8.0
RISE: Final = 16  # samples: 2 ms, so that it does not click; Q.24 wants less than 5 ms


def _amplitude(dbm0: float) -> float:
    return float(ULAW_OVERLOAD * 10 ** ((dbm0 - 3.17) / 20))


_PAIR: Final = np.array([divmod(_KEYPAD.index(digit), 4) for digit in DIGITS])
_LOW_OF: Final = np.array(LOW)[_PAIR[:, 0]]
_HIGH_OF: Final = np.array(HIGH)[_PAIR[:, 1]]


def tones(events: NDArray[np.uint8], first: NDArray[np.int64], length: NDArray[np.int64], samples: int = FRAME) -> Pcm:
    """One frame of a digit per row: event codes [n], the index of the frame's first sample in the digit [n], and how
    many samples the digit has [n], both at 8 kHz. int16 [n, samples], which are those of 20 ms; beyond the digit it is
    silent, and frames that follow each other join in phase.
    """
    at = first[:, None] + np.arange(samples) * (FRAME / samples)
    turns = at / RATE
    low = _amplitude(LOW_DBM0) * np.sin(2 * np.pi * _LOW_OF[events][:, None] * turns)
    high = _amplitude(HIGH_DBM0) * np.sin(2 * np.pi * _HIGH_OF[events][:, None] * turns)
    edge = np.clip(np.minimum(at + 1, length[:, None] - at) / RISE, 0.0, 1.0)
    pcm: Pcm = np.rint((low + high) * edge).astype(np.int16)
    return pcm


# --- found --------------------------------------------------------------------------------------------------------

HOP: Final = 80  # samples from window to window
HOP_MS: Final = 10
WINDOWS: Final = 3  # that agree before a digit has begun
LOST: Final = 2  # that disagree before it is over
# Q.24 annex A: within 1.5 % it is the digit, from 3.5 % on it is not. One window's measure is rougher than two.
TOLERANCE: Final = 0.025
ROUGH_TOLERANCE: Final = 0.031
# The low tone may be 8 dB stronger than the high one, the high one 4 dB stronger than the low; and a dB of ours.
TWIST_LOW: Final = 10 ** (9.0 / 10)
TWIST_HIGH: Final = 10 ** (5.0 / 10)
# The weakest tone that is one: networks deliver -25 dBm0 and more, far talkers' voices are about here.
_LEAST_POWER: Final = _amplitude(-36.0) ** 2
# Where no sample is as large no window has such a tone: its weights come to half of it, so that what a tone seems to be
# is no larger than twice the largest sample.
_QUIET: Final = int(_amplitude(-36.0) / 2) - 1
# How much of a window's energy is in the two tones: 15 dB above noise gives 0.97, a vowel seldom half of it.
PURITY: Final = 0.88
ROUGH_PURITY: Final = 0.55
# From window to window of one digit its tones keep their level, but for the edges.
_STEADY: Final = 10 ** (3.0 / 10)
# It is still there while it is no weaker than this below what it began with.
_KEPT: Final = 10 ** (-9.0 / 10)

_WINDOW: Final = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)).astype(np.float32)
_HERTZ: Final = np.array(LOW + HIGH)
_TURNS: Final = np.outer(np.arange(FRAME), _HERTZ) / RATE
# float32 [160, 16]: what projects a window on the eight tones, real parts and then imaginary ones.
_BANK: Final = (
    np.hstack([np.cos(2 * np.pi * _TURNS), -np.sin(2 * np.pi * _TURNS)]).astype(np.float32) * _WINDOW[:, None]
)
# By how much the phase of a nominal tone goes on in a hop.
_HOP_TURN: Final = np.exp(-2j * np.pi * _HERTZ * HOP / RATE).astype(np.complex64)
_BIN: Final = RATE / FRAME  # Hz
_HOP_HERTZ: Final = RATE / HOP
_EVENT: Final = np.array([DIGITS.index(digit) for digit in _KEYPAD], np.uint8)
# |X|^2 of a sine of amplitude A is A^2 (N/4)^2; the energy of it in the window is 3/N of |X|^2.
_TO_AMPLITUDE: Final = (4 / FRAME) ** 2
_TO_ENERGY: Final = 3 / FRAME
_NONE: Final = -1
_BLOCK: Final = 64


@frozen
class Found:
    """Digits that are over: their rows intp [m], event codes uint8 [m], and how long they were, in ms int64 [m]."""

    rows: Rows
    events: NDArray[np.uint8]
    duration_ms: NDArray[np.int64]


class Detector:
    """Columns of `capacity` rows. All is of one row from `forget` on."""

    def __init__(self, capacity: int) -> None:
        n = capacity
        self._tail = np.zeros((n, HOP), np.int16)  # what of the last frame the next window begins with
        self._spectrum = np.zeros((n, 8), np.complex64)  # of the last window
        self._pair = np.zeros(n, np.intp)  # key of its two strongest tones
        self._power = np.zeros((n, 2), np.float32)  # of each
        self._offset = np.zeros((n, 2), np.float32)  # Hz, from the nominal frequency
        self._run = np.zeros(n, np.int64)  # windows that agree, so far
        self._key = np.full(n, _NONE, np.intp)  # the digit that is there
        self._kept = np.zeros((n, 2), np.float32)  # the power below which its tones are lost
        self._length = np.zeros(n, np.int64)  # windows of it
        self._missed = np.zeros(n, np.int64)  # windows since it was seen last
        self._goes_on = np.zeros(n, np.bool_)  # the last frame was not quiet, or a digit is not over yet

    def forget(self, rows: Rows) -> None:
        """Nothing was heard of these rows before."""
        self._tail[rows] = 0
        self._spectrum[rows] = 0
        self._run[rows] = 0
        self._key[rows] = _NONE
        self._goes_on[rows] = False

    def listen(self, rows: Rows, pcm: Pcm) -> Found:
        """The next frame of each of `rows`, int16 [n, 160] at 8 kHz; says which digits are over with it.

        What is quiet behind what was quiet is not looked at: most who wait, or are spoken to by us, say nothing.
        """
        tail = self._tail[rows]
        self._tail[rows] = pcm[:, HOP:]
        sounds = (pcm.max(axis=1) >= _QUIET) | (pcm.min(axis=1) <= -_QUIET)
        some = np.flatnonzero(sounds | self._goes_on[rows])
        if not len(some):
            return _NOTHING
        rows = rows[some]
        frames = np.empty((len(rows), HOP + FRAME), np.float32)
        frames[:, :HOP] = tail[some]
        frames[:, HOP:] = pcm[some]
        first, second = self._look(rows, frames[:, :FRAME]), self._look(rows, frames[:, HOP:])
        self._goes_on[rows] = sounds[some] | (self._key[rows] != _NONE)
        if not len(second.rows):
            return first
        return Found(
            np.concatenate([first.rows, second.rows]),
            np.concatenate([first.events, second.events]),
            np.concatenate([first.duration_ms, second.duration_ms]),
        )

    def _look(self, rows: Rows, window: NDArray[np.float32]) -> Found:
        """One window float32 [n, 160] of each of `rows`; gives the digits that are over with it."""
        every = np.arange(len(rows))
        projected = _projected(window)
        spectrum = (projected[:, :8] + 1j * projected[:, 8:]).astype(np.complex64)
        shaped = window * _WINDOW
        energy = np.vecdot(shaped, shaped)
        power = projected[:, :8] ** 2 + projected[:, 8:] ** 2
        low, high = power[:, :4].argmax(axis=1), power[:, 4:].argmax(axis=1)
        pair = 4 * low + high
        picked = np.stack([low, 4 + high], axis=1)
        tone = np.take_along_axis(power, picked, axis=1)
        went_on = spectrum[every[:, None], picked] * self._spectrum[rows[:, None], picked].conj() * _HOP_TURN[picked]
        offset = (np.angle(went_on) * (_HOP_HERTZ / (2 * np.pi))).astype(np.float32)

        over = self._follow(rows, power)

        amplitude = tone * np.float32(_TO_AMPLITUDE)
        # Beside its nominal frequency a tone weighs less in the window than it is.
        right = tone / _droop(offset) ** 2
        loud = amplitude.min(axis=1) >= _LEAST_POWER
        rough = loud & (tone.sum(axis=1) * _TO_ENERGY >= ROUGH_PURITY * energy)
        steady = ((tone <= _STEADY * self._power[rows]) & (_STEADY * tone >= self._power[rows])).all(axis=1)
        near = (np.abs(offset) <= ROUGH_TOLERANCE * _HERTZ[picked]).all(axis=1)
        pure = right.sum(axis=1) * _TO_ENERGY >= PURITY * energy
        twist = (right[:, 0] <= TWIST_LOW * right[:, 1]) & (right[:, 1] <= TWIST_HIGH * right[:, 0])
        run = self._run[rows]
        goes_on = (run > 0) & (pair == self._pair[rows]) & rough & steady & near & pure & twist
        exact = (np.abs(offset + self._offset[rows]) <= 2 * TOLERANCE * _HERTZ[picked]).all(axis=1)
        run = np.where(goes_on & ((run < 2) | exact), run + 1, rough)
        self._run[rows] = run
        self._pair[rows], self._power[rows], self._offset[rows] = pair, tone, offset
        self._spectrum[rows] = spectrum

        begins = (run >= WINDOWS) & (self._key[rows] == _NONE)
        if np.count_nonzero(begins):
            begun = rows[begins]
            self._key[begun] = pair[begins]
            self._kept[begun] = tone[begins] * np.float32(_KEPT)
            self._length[begun], self._missed[begun] = WINDOWS, 0
        return over

    def _follow(self, rows: Rows, power: NDArray[np.float32]) -> Found:
        """The digits that are there: which of them are over with this window's `power` float32 [n, 8]."""
        key = self._key[rows]
        there = np.flatnonzero(key >= 0)
        if not len(there):
            return _NOTHING
        of, key = rows[there], key[there]
        kept = (power[there, key // 4] >= self._kept[of, 0]) & (power[there, 4 + key % 4] >= self._kept[of, 1])
        missed = np.where(kept, 0, self._missed[of] + 1)
        self._length[of] += np.where(kept, 1 + self._missed[of], 0)  # what was missed between was an interruption
        self._missed[of] = missed
        over = of[missed >= LOST]
        found = Found(over, _EVENT[self._key[over]], self._length[over] * HOP_MS)
        self._key[over] = _NONE
        self._run[over] = 0
        return found


_NOTHING: Final = Found(np.zeros(0, np.intp), np.zeros(0, np.uint8), np.zeros(0, np.int64))


def _projected(window: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 [n, 160] on the bank: [n, 16]. In blocks, for of a larger product BLAS makes work for threads, which
    take longer to wake than it takes."""
    projected = np.empty((len(window), 16), np.float32)
    for at in range(0, len(window), _BLOCK):
        np.matmul(window[at : at + _BLOCK], _BANK, out=projected[at : at + _BLOCK])
    return projected


def _droop(offset: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a Hann window leaves of the amplitude of a tone `offset` Hz from where it is measured."""
    x = np.minimum(np.abs(offset) / _BIN, 0.85)
    left: NDArray[np.float32] = (np.sinc(x) / (1 - x * x)).astype(np.float32)
    return left
