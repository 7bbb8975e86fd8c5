"""Opus, decoded ahead of the tick that plays it: half a tick before, what the next one will play has mostly come.

    begin(rows)           half-way between two ticks, while nothing else is to be done
    decode(rows, cells)   in the tick: what is ready is taken, what came later is decoded now

A decoder must see its packets in the order in which they are played, and each once: what was decoded ahead and is not
played yet, because the playout waits, is kept until it is. A frame is known by its slot and its stream, so one that was
decoded before the stream began anew is not played in another's place.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..codecs.g711 import Pcm
from ..codecs.work import Decoded, Work
from .jitter import Playout
from .legs import CodecId, Kind, Legs
from .raised import Raised
from .seams import OpusCodec, Rows

_NOTHING = np.iinfo(np.int64).min


class Ahead:
    """Columns of the newest frame of each row that was decoded and not played."""

    def __init__(
        self,
        legs: Legs,
        playout: Playout,
        codec: OpusCodec,
        decoded: Pcm,
        above: Sequence[Raised],
        wanted: NDArray[np.uint8],
    ) -> None:
        """Frames are written to `decoded`, int16 [capacity, 160], and in the bands above 8 kHz to those that are
        `above`, where they are wanted: of each row in which bands, uint8 [capacity] with a bit of each, is kept by
        whoever plays them."""
        n = legs.capacity
        self._legs = legs
        self._playout = playout
        self._codec = codec
        self._slot = np.full(n, _NOTHING, np.int64)
        self._stream = np.zeros(n, np.int64)
        self._pcm = decoded
        self._good = np.zeros(n, np.bool_)
        self._above = {each.band: each for each in above}
        self._wanted = wanted
        self.bands = np.zeros(n, np.uint8)  # of the frames that `decode` gave last
        self._rows: Rows = np.zeros(0, np.intp)
        self._work: Work[Decoded] = Work(())

    def forget(self, rows: Rows) -> None:
        """What these rows said before is not for who hears them now."""
        self.take()
        self._slot[rows] = _NOTHING
        self._codec.forget(rows)

    def begin(self, rows: Rows) -> None:
        """Of `rows`, those that are legs of Opus and whose next frame is there."""
        self.take()
        legs = self._legs
        rows = rows[(legs.kind[rows] == Kind.LEG) & (legs.codec[rows] == CodecId.OPUS)]
        rows, cells = self._playout.next(rows)
        later = ~self._ready(rows, cells)
        self._begin(rows[later], cells[later])

    def decode(self, rows: Rows, cells: Rows) -> tuple[Pcm, NDArray[np.bool_]]:
        """The frames that stand in `cells` of the playout for `rows` [n]: int16 [n, 160] at 8 kHz, and which of them
        are sound at all, bool [n]."""
        self.take()
        later = ~self._ready(rows, cells)
        self._begin(rows[later], cells[later])
        self.take()
        self._slot[rows] = _NOTHING
        return self._pcm[rows], self._good[rows]

    def _ready(self, rows: Rows, cells: Rows) -> NDArray[np.bool_]:
        ready: NDArray[np.bool_] = self._slot[rows] == self._playout.store.slots(cells)
        ready &= self._stream[rows] == self._playout.streams[rows]
        return ready

    def _begin(self, rows: Rows, cells: Rows) -> None:
        if not len(rows):
            return
        frames = self._playout.store.frames[cells].tolist()
        self._slot[rows], self._stream[rows] = self._playout.store.slots(cells), self._playout.streams[rows]
        self._rows = rows
        self.bands[rows] = bands = self._wanted[rows]
        self._work = self._codec.decode(rows, frames, bands)

    def take(self) -> None:
        """What was begun is over, and kept: before anything else is begun with the codec."""
        for done in self._work.results():
            for part in done.upper:  # each looks at what is below of the frame before
                self._above[part.band].put(self._rows[part.index], part.pcm, part.begins)
            rows = self._rows[done.index]
            self._pcm[rows], self._good[rows] = done.pcm, done.good
