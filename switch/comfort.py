"""Comfort noise (RFC 3389): what is heard of a far side that says how loud its silence is, and sends nothing meanwhile.

A packet of it has a timestamp as speech has, and a level. From its place in the stream on, a row whose frames do not
come is not missing them: it is played noise of that level, white, whatever spectrum the packet describes. The next
frame of speech that is played ends it. A packet of Opus without sound (DTX, RFC 7587 §3.1.3) says the same of silence:
none may follow for 400 ms. A far side that sends nothing without such a word is played silence, after a concealment.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..codecs.g711 import Pcm
from .jitter import Due, Playout
from .rtp import Headers

Rows = NDArray[np.intp]
Octets = NDArray[np.uint8]

PAYLOAD_TYPE: Final = 13  # RFC 3389 §4, for codecs of a clock of 8000
FRAME: Final = 160
# The level is that of silence, in dB below the overload point without its sign (§3.1). A louder one is no silence.
LOUDEST: Final = 30
_FRAMES: Final = 97  # of noise: two seconds, and prime, so that rows begin at places of their own


def _noise() -> NDArray[np.float32]:
    """float32 [97, 160], of unit power; without the loudest, so that it is soft."""
    made = np.random.default_rng(3389).uniform(-1.0, 1.0, (_FRAMES, FRAME))
    return np.asarray(made / np.sqrt(np.mean(made**2)), np.float32)


class Comfort:
    """Columns of what each row's silence is like."""

    def __init__(self, playout: Playout, capacity: int) -> None:
        self._playout = playout
        self._quiet = np.zeros(capacity, np.bool_)  # one was told of
        self._amplitude = np.zeros(capacity, np.float32)  # ... and what of
        self._slot = np.zeros(capacity, np.int64)  # where it begins in the row's stream; 0: at once
        self._noise = _noise()
        self._tick = 0
        self.told = False  # of any row

    def forget(self, row: int) -> None:
        """A leg begins or ends in this row, or begins anew with another codec."""
        self._quiet[row] = False

    def pause(self, rows: Rows, timestamps: NDArray[np.uint32]) -> None:
        """Packets of Opus without sound, of `rows` [n] with those timestamps [n], which are played themselves: what
        follows them may not come."""
        self._begin(rows, self._playout.slot_of(rows, timestamps) + 1, 0.0)

    def arrive(self, rows: Rows, packets: Rows, headers: Headers, data: Octets) -> None:
        """Takes in comfort noise: `packets` [n] of the batch `data` uint8 [m, W] and its `headers`, each of the leg in
        `rows` [n]; of many of one leg the last counts."""
        whole = headers.length[packets] >= 1
        rows, packets = rows[whole], packets[whole]
        level = np.maximum(data[packets, headers.offset[packets]] & 0x7F, LOUDEST)
        slot = self._playout.slot_of(rows, headers.timestamp[packets])
        self._begin(rows, np.where(self._playout.active[rows], slot, 0), 32768 * 10 ** (level / -20.0))

    def _begin(self, rows: Rows, slots: NDArray[np.int64], amplitude: NDArray[np.float64] | float) -> None:
        self._quiet[rows], self._slot[rows], self._amplitude[rows] = True, slots, amplitude
        self.told |= bool(len(rows))

    def tick(self, due: Due, decoded: Rows) -> tuple[Rows, Pcm]:
        """The rows of `decoded` that are played noise in this tick, and their frames, int16 [n, 160]."""
        self._tick += 1
        speech = due.rows[self._quiet[due.rows]]
        self._quiet[speech[self._playout.played(speech) >= self._slot[speech]]] = False
        rows = decoded[self._quiet[decoded]]
        rows = rows[self._begun(rows, 0) & ~np.isin(rows, due.rows)]
        told = self._quiet.nonzero()[0]
        self._playout.quiet[:] = False
        self._playout.quiet[told[self._begun(told, 1)]] = True  # of what may not come in the next tick
        self.told = bool(len(told))
        frames = self._noise[(self._tick + 7 * rows) % _FRAMES] * self._amplitude[rows, None]
        return rows, np.rint(frames).astype(np.int16)

    def _begun(self, rows: Rows, ticks: int) -> NDArray[np.bool_]:
        """Whether it has begun in this tick, or will have so many later: bool [n]."""
        begun: NDArray[np.bool_] = self._playout.played(rows) + ticks >= self._slot[rows]
        return begun | ~self._playout.active[rows]
