"""The frames of one band above 8 kHz, of the rows that are heard at it: the narrow ones brought up, and its own part.

Who decodes gives the whole of a frame in each band that is heard (`put`). The band's own part of it is the whole less
what comes up of its frame below, so that both are the whole again. Where what is heard below is what was decoded, they
are not taken apart at all: that is every frame of a stream that nothing happens to, and a quarter of what a tick would
do for it. Where it is not, for it was concealed, or another frame goes over into it, the part is added to what is.

Of a frame that did not come the part is not made up: it falls silent over 5 ms from where the last one ended, and rises
again with the frame that does come. So a concealment, a tone or a prompt, which is all of the lowest band, is heard at
any rate.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..codecs.bands import RATES, SAMPLES, Band
from ..codecs.g711 import Pcm
from ..codecs.resample import Upsampler
from .legs import those
from .seams import Rows

_NONE: Final = np.zeros(0, np.intp)
_NO_PARTS: Final = np.zeros((0, 0), np.float32)
_LONG_AGO: Final = -1


class Raised:
    """Columns of the band's frames."""

    def __init__(self, capacity: int, band: int, below: Pcm) -> None:
        """`below` int16 [capacity, 160]: what the newest frame that was decoded of each row is at 8 kHz. Whoever
        decodes writes it there when this band has its own."""
        samples, factor = SAMPLES[band], RATES[band] // RATES[Band.NARROW]
        self.band = band
        self.rows: Rows = _NONE  # those that somebody hears at this band
        self.whole = np.zeros((capacity, samples), np.int16)  # of the newest frame that was decoded
        self._below = below
        self._decoded = Upsampler(capacity, factor)  # as if all that was decoded had come up
        self._at = np.full(capacity, _LONG_AGO, np.int64)  # the tick of the newest
        self._since = np.full(capacity, _LONG_AGO, np.int64)  # ... and of the first without a gap
        self._last = np.zeros(capacity, np.float32)  # how the part of the last one that was heard ended
        self._crossed: tuple[Rows, NDArray[np.float32]] = _NONE, _NO_PARTS  # rows and parts of this tick
        self._up = Upsampler(capacity, factor)
        self._pcm = np.zeros((capacity, samples), np.int16)
        self._speaking = np.zeros(capacity, np.bool_)
        self._cross = ((np.arange(samples) + 0.5) / samples).astype(np.float32)
        self._fall = np.linspace(1.0, 0.0, samples // 4, endpoint=False, dtype=np.float32)
        # Longer than the filters whose past is silence as it begins.
        self._rise = np.linspace(0.0, 1.0, samples // 2, endpoint=False, dtype=np.float32)

    def begin(self, rows: Rows) -> None:
        """Nothing of what these rows were before is left."""
        self._up.forget(rows)
        self._at[rows] = self._since[rows] = _LONG_AGO

    def put(self, rows: Rows, whole: Pcm, begins: NDArray[np.bool_]) -> None:
        """The frames that `rows` [n] were decoded to, int16 [n, samples]; those that `begins` bool [n] follow nothing.
        What they are below is put there after."""
        self._decoded.follow(rows, self._below[rows])
        self._decoded.forget(rows[begins])
        self.whole[rows] = whole

    def came(self, rows: Rows, tick: int) -> None:
        """The frames of `rows` that stand in `whole` are those of this tick."""
        self._since[rows[self.begins(rows, tick)]] = tick
        self._at[rows] = tick

    def begins(self, rows: Rows, tick: int) -> NDArray[np.bool_]:
        """Which of `rows` [n], of which a frame of this tick comes, had none in the last."""
        begins: NDArray[np.bool_] = self._at[rows] < tick - 1
        return begins

    def parts(self, rows: Rows, tick: int) -> NDArray[np.float32]:
        """This band's own of the frames that stand there now, float32 [n, samples]; nothing of those of earlier
        ticks."""
        parts = np.zeros((len(rows), self.whole.shape[1]), np.float32)
        came = self._at[rows] == tick
        some = rows[came]
        parts[came] = self.whole[some] - self._decoded.look(some, self._below[some])
        return parts

    def cross(self, rows: Rows, first: NDArray[np.float32], tick: int) -> None:
        """Two frames in the time of one: from the `first` parts [n] across to those that stand there now."""
        self._crossed = rows, first * (1 - self._cross) + self.parts(rows, tick) * self._cross

    def speak(self, below: Pcm, tick: int) -> tuple[Pcm, NDArray[np.bool_]]:
        """This tick's frames, made of the narrow ones `below`: int16 [capacity, samples], and which are not silence,
        bool [capacity]; those of `rows` mean something."""
        rows = self.rows
        low = below[rows]
        whole = (self._at[rows] == tick) & (self._since[rows] < tick) & self._up.stands_as(self._decoded, rows)
        whole &= (low.view(np.uint64) == self._below[rows].view(np.uint64)).all(axis=1)
        if len(self._crossed[0]):
            whole &= ~np.isin(rows, self._crossed[0])
        if count := np.count_nonzero(whole):
            index = those(whole)
            some, its = rows[index], low[index]
            pcm = self.whole[some]
            self._pcm[some] = pcm
            self._speaking[some] = pcm.view(np.uint64).any(axis=1)
            self._last[some] = pcm[:, -1] - self._up.last(its)
            self._up.follow(some, its)
        if count < len(rows):
            self._add(rows[~whole], low[~whole], tick)
        self._crossed = _NONE, _NO_PARTS
        return self._pcm, self._speaking

    def _add(self, rows: Rows, low: Pcm, tick: int) -> None:
        """The frames of those `rows` whose parts, if there are any, are added to what comes up of `low`."""
        sound = self._up.up(rows, low)
        at = self._at[rows]
        if len(came := np.flatnonzero(at == tick)):
            parts = self.parts(rows[came], tick)
            crossed, theirs = self._crossed
            for row, part in zip(crossed.tolist(), theirs, strict=True):
                parts[rows[came] == row] = part
            self._last[rows[came]] = parts[:, -1]
            parts[self._since[rows[came]] == tick, : len(self._rise)] *= self._rise
            sound[came] += parts
        if len(ended := np.flatnonzero(at == tick - 1)):
            sound[ended, : len(self._fall)] += self._last[rows[ended], None] * self._fall
        pcm = np.clip(np.rint(sound), -32768, 32767).astype(np.int16)
        self._pcm[rows] = pcm
        self._speaking[rows] = pcm.any(axis=1)
