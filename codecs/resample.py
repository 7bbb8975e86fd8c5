"""Between the rates: 48 kHz, what Opus decodes to, 16 kHz of wideband codecs, and 8 kHz.

Each filter is a windowed sinc at its higher rate. Down it is evaluated at those samples only that are left, up at those
only that are not zeros: a matrix product of all rows, of which each sample of the past and of now stands in one line,
so that nothing is copied together for it (`_Filter`). The delay is 1 ms between 48 kHz and 8, 2 ms else.

Sound of more than 8 kHz is there at each band up to its own (bands.py), as late in each as what comes up to it from
8 kHz (`Sound`). So what a band has that the lowest has not is its frame less what comes up from there: whatever the
filters are, both add up to the sound as it was, and either may fail to come without a click of the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .bands import RATES, Band
from .g711 import Pcm

Rows = NDArray[np.intp]
Real = NDArray[np.float32]

# Samples of the lower rate at once: as many columns of a product as a processor makes in one go.
BLOCK: Final = 16
# Of a larger product BLAS makes work for threads, which take longer to wake than it takes.
_MOST_PRODUCTS: Final = 400_000
_NARROW: Final = RATES[Band.NARROW]
# How many samples of the lower rate a filter spans, and the turns in one of its edge. To and from 8 kHz they leave
# G.711's 300-3400 Hz alone, between 48 and 16 what G.722 carries; all keep images out.
_Shape = tuple[int, float]
_DOWN: Final[Mapping[int, _Shape]] = {6: (16, 3500 / 8000), 2: (32, 3700 / 8000), 3: (32, 7200 / 16000)}
_UP: Final[Mapping[int, _Shape]] = {6: (32, 3700 / 8000), 2: (32, 3700 / 8000), 3: (32, 7200 / 16000)}
# By how many samples of the higher rate what is decoded at a rate waits, beside what its filter takes, to be in a band
# as late as what has come down to 8 kHz and up again.
_LATE: Final = {
    (16_000, Band.NARROW): 0,
    (16_000, Band.WIDE): 62,
    (16_000, Band.FULL): 140,
    (48_000, Band.NARROW): 0,
    (48_000, Band.WIDE): 92,
    (48_000, Band.FULL): 138,
}


def _taps(factor: int, shape: _Shape) -> Real:
    """Of unit gain at 0 Hz, at the higher rate, `factor` times the lower one."""
    span, edge = shape
    # Between 48 and 16 kHz there is a middle one, so that what is brought up is late by whole samples.
    taps = span * factor - (factor == 3)
    t = np.arange(taps) - (taps - 1) / 2
    made = np.sinc(2 * edge / factor * t) * np.kaiser(taps, 6.0)
    return np.asarray(np.append(made, np.zeros(span * factor - taps)) / made.sum(), np.float32)


class _Filter:
    """A filter as a matrix, for blocks of so many samples `into` and `out`.

    What a block of samples adds to the block of outputs that it stands in, and to those that follow, is one product;
    the outputs are sums of what their own block and those before it add. So the samples are taken as they lie.
    """

    def __init__(self, into: int, outputs: Sequence[tuple[int, Real]]) -> None:
        """Of each output of a block: the sample that it begins to look at, counted from the block's first, and by what
        each from there on is multiplied."""
        self.into, self.out = into, len(outputs)
        self.blocks = 1 + max(-(first // into) for first, _ in outputs)
        self.past = (self.blocks - 1) * into  # samples before a frame that it looks at
        window = np.zeros((self.blocks * into, self.out), np.float32)
        for k, (first, taps) in enumerate(outputs):
            window[self.past + first : self.past + first + len(taps), k] = taps
        by_block = window.reshape(self.blocks, into, self.out)
        self._matrix = np.ascontiguousarray(by_block.transpose(1, 0, 2)).reshape(into, -1)

    @classmethod
    def down(cls, factor: int) -> _Filter:
        taps = _taps(factor, _DOWN[factor])[::-1]
        # The last output of a frame looks at its last samples: nothing of it is left for the next frame.
        return cls(factor * BLOCK, [(factor * (k + 1) - len(taps), taps) for k in range(BLOCK)])

    @classmethod
    def up(cls, factor: int, late: int = 0) -> _Filter:
        """What comes out is `late` by so many samples of it."""
        taps = factor * _taps(factor, _UP[factor])
        outputs = []
        for k in range(factor * BLOCK):
            its = taps[(k - late) % factor :: factor][::-1]
            outputs.append(((k - late) // factor + 1 - len(its), its))
        return cls(BLOCK, outputs)

    def of(self, signal: Pcm) -> Real:
        """int16 [n, past + m * into] to float32 [n, m * out]."""
        n, m = len(signal), signal.shape[1] // self.into - self.blocks + 1
        made = np.empty((n, m, self.out), np.float32)
        rows = max(1, _MOST_PRODUCTS // (signal.shape[1] * self._matrix.shape[1]))
        for i in range(0, n, rows):
            some = signal[i : i + rows].astype(np.float32).reshape(-1, self.into)
            each = (some @ self._matrix).reshape(-1, m + self.blocks - 1, self.blocks, self.out)
            np.add(each[:, :m, 0], each[:, 1 : m + 1, 1], out=made[i : i + rows])
            for block in range(2, self.blocks):
                made[i : i + rows] += each[:, block : m + block, block]
        return made.reshape(n, m * self.out)

    def last(self) -> Real:
        """What the last output of a frame is of its last samples, from the first that it looks at on."""
        column = self._matrix.reshape(self.into, self.blocks, self.out)[:, :, -1].T.reshape(-1)
        return column[np.flatnonzero(column)[0] :]


def _rounded(sound: Real) -> Pcm:
    np.rint(sound, out=sound)
    return np.clip(sound, -32768, 32767, out=sound).astype(np.int16)


class Sound:
    """What `capacity` rows were decoded to at `rate`, 16000 or 48000: of each the newest 20 ms, and of those before as
    much as the bands are made of. Whoever decodes writes it where it stays (`matrix`, from `begin` on)."""

    def __init__(self, capacity: int, rate: int) -> None:
        late = {band: _LATE[rate, band] for band in range(len(RATES))}
        self._filters: dict[int, tuple[_Filter | None, int]] = {}
        for band, its in enumerate(RATES):
            if its == rate:
                self._filters[band] = None, late[band]
            elif its < rate:
                self._filters[band] = _Filter.down(rate // its), late[band]
            else:
                self._filters[band] = _Filter.up(its // rate, late[band]), 0
        self.begin = max(late + (0 if made is None else made.past) for made, late in self._filters.values())
        self._samples = rate // 50
        self.matrix = np.zeros((capacity, self.begin + self._samples), np.int16)
        self._new = np.ones(capacity, np.bool_)

    def forget(self, rows: Rows) -> None:
        """What these rows said before is silence."""
        self.matrix[rows, self._samples :] = 0
        self._new[rows] = True

    def next(self, rows: Rows) -> NDArray[np.bool_]:
        """Before their next 20 ms are written: which of `rows` [n] (unique) follow nothing."""
        self.matrix[rows, : self.begin] = self.matrix[rows, self._samples :]
        begins: NDArray[np.bool_] = self._new[rows]
        self._new[rows] = False
        return begins

    def put(self, rows: Rows, pcm: Pcm) -> NDArray[np.bool_]:
        """The same, and they are `pcm` int16 [n, samples]."""
        begins = self.next(rows)
        self.matrix[rows, self.begin :] = pcm
        return begins

    def of(self, rows: Rows, band: int) -> Pcm:
        """The newest 20 ms of `rows` [n] in a band, int16 [n, samples of the band]."""
        made, late = self._filters[band]
        past = 0 if made is None else made.past
        signal: Pcm = self.matrix[rows, self.begin - late - past : self.begin - late + self._samples]
        return signal if made is None else _rounded(made.of(signal))


class Upsampler:
    """From 8 kHz to a `factor` times higher rate, 2 or 6, for `capacity` rows, each with its own past."""

    def __init__(self, capacity: int, factor: int) -> None:
        self._filter = _Filter.up(factor)
        self._last = self._filter.last()
        self._past = np.zeros((capacity, self._filter.past), np.int16)

    def forget(self, rows: Rows) -> None:
        """The rows' past is silence again."""
        self._past[rows] = 0

    def up(self, rows: Rows, pcm: Pcm) -> Real:
        """The next 20 ms of each of `rows` (unique): int16 [n, m] to float32 [n, m * factor]."""
        sound = self.look(rows, pcm)
        self.follow(rows, pcm)
        return sound

    def look(self, rows: Rows, pcm: Pcm) -> Real:
        """What `up` would give, which is still the next then."""
        return self._filter.of(np.concatenate([self._past[rows], pcm], axis=1))

    def follow(self, rows: Rows, pcm: Pcm) -> None:
        """What `up` leaves behind: nothing is brought up."""
        self._past[rows] = pcm[:, -self._past.shape[1] :]

    def last(self, pcm: Pcm) -> Real:
        """The last samples of what `up` would give, float32 [n]: no row's past is in them."""
        return pcm[:, -len(self._last) :].astype(np.float32) @ self._last

    def stands_as(self, other: Upsampler, rows: Rows) -> NDArray[np.bool_]:
        """Whether `rows` [n] have the same past in both."""
        same: NDArray[np.bool_] = (self._past[rows].view(np.uint64) == other._past[rows].view(np.uint64)).all(axis=1)
        return same
