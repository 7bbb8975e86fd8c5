"""Whether somebody speaks: decided for all rows at once, by how loud they are and how that changes.

Speech is louder than what is always there, and does not stay as loud as it is: from one frame to the next but one it
rises or falls by decibels. The noise of a line, however loud, and a tone, however long, stay. So a row speaks where it
is **loud**, some decibels above its floor, and **moved** in many of its last loud frames. How a sound begins and ends
moves too, that of a tone as well: the first and the last loud frame of a run count for nothing. How loud is measured
from one sample to the next: the rumble of a room, which does not stay as loud as it is, lies so low that little of it
is left. That nobody speaks between two words is for whoever asks: by how long ago it was.

    floor       what is always there: falls at once where it is quieter, rises slowly where it is louder
    loud        well above the floor, and loud enough to be understood at all
    moving      how much of it moved lately, 0 to 1
    spoke_at    the tick in which it spoke last

Music that moves as speech does is taken for speech. What is too soft to be told from its noise is not: in noise 15 dB
below it nine parts of ten of a speech are found, in noise 10 dB below it half.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from .seams import Rows

Real = TypeVar("Real", np.float32, np.float64)

# A frame is looked at every 40 ms: of all rows at once, for to begin costs as much as 300 of them.
LOOK_TICKS: Final = 2
SILENCE: Final = -127.0  # dBov: RFC 6464's word for it
_NO_POWER: Final = 1e-9  # far below that level
_OVERLOAD: Final = 20 * np.log10(32768.0)
# dBov of what is measured here, in which speech has 6 to 10 dB less than else, and white noise 3 more. The noise of an
# idle line is at -65 at most (ITU-T G.712 §8).
LEAST: Final = -58.0
ABOVE: Final = 6.0  # dB from the floor to what is loud
# dB in 40 ms that a frame moves at least. Noise of 160 samples differs by 0.6 from frame to frame, ringing of two tones
# by 1; speech by 5.
MOVES: Final = 2.0
MOVING: Final = 0.4  # of its last loud frames
_SMOOTH: Final = 0.15
# The floor falls so much of the way to what is softer, and rises so many dB towards what is louder: 2 dB a second.
_FALLS: Final = 0.5
_RISES: Final = 0.08
_FLOOR: Final = LEAST - ABOVE  # below it, it would decide nothing; of a row, too, of which nothing is known
NEVER: Final = -(1 << 40)


def dbov(power: NDArray[Real]) -> NDArray[Real]:
    """The levels of mean squares, in dBov: a square wave at the overload point is 0 (ITU-T G.100.1)."""
    level: NDArray[Real] = np.maximum(10 * np.log10(np.maximum(power, _NO_POWER)) - _OVERLOAD, SILENCE)
    return level


class Speech:
    """The columns of `capacity` rows."""

    def __init__(self, capacity: int) -> None:
        n = capacity
        self.spoke_at = np.full(n, NEVER, np.int64)
        self._floor = np.full(n, _FLOOR, np.float32)
        self._before = np.full(n, _FLOOR, np.float32)  # the level of the last frame
        self._run = np.zeros(n, np.int32)  # loud frames in a row
        self._moved = np.zeros(n, np.bool_)  # the last loud frame, which may yet turn out to be the end
        self._moving = np.zeros(n, np.float32)

    def begin(self, row: int) -> None:
        """Something else is in this row: nothing is known of it."""
        self.spoke_at[row] = NEVER
        self._floor[row] = self._before[row] = _FLOOR
        self._run[row] = self._moved[row] = self._moving[row] = 0

    def spoke(self, rows: Iterable[int], since: int) -> bool:
        """Whether any of `rows` spoke after that tick."""
        return any(self.spoke_at[row] > since for row in rows)

    def listen(self, tick: int, rows: Rows, frames: NDArray[np.float32], power: NDArray[np.float32]) -> None:
        """This tick's `frames` [n, samples] of `rows` [n], of which int16 is the full scale, and the sum [n] of the
        squares of each."""
        # The sum of the squares of the steps from one sample to the next.
        steps = 2 * (power - np.vecdot(frames[:, 1:], frames[:, :-1])) - frames[:, 0] ** 2 - frames[:, -1] ** 2
        level = dbov(steps / np.float32(frames.shape[1]))
        floor, change = self._floor[rows], np.abs(level - self._before[rows])
        loud = level > np.maximum(floor + ABOVE, LEAST)
        run = np.where(loud, self._run[rows] + 1, 0)
        # Whether the frame before moved counts now that it was not the last.
        inner = loud & (run > 3)
        moving = self._moving[rows]
        moving += np.where(inner, (self._moved[rows] - moving) * _SMOOTH, 0).astype(np.float32)
        self._moving[rows] = moving
        self._moved[rows] = loud & (run > 2) & (change >= MOVES)
        self._run[rows] = run
        self._before[rows] = level
        rise = level - floor
        floor += np.where(rise < 0, rise * _FALLS, np.minimum(rise, _RISES)).astype(np.float32)
        self._floor[rows] = np.maximum(floor, _FLOOR)
        self.spoke_at[rows[inner & (moving >= MOVING)]] = tick
