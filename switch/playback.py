"""This tick's sound of every row that somebody hears: decode, drop a frame, conceal a loss, let sources speak.

Frames lie in four matrices taken in turn: the newest, and the three before it, from which a loss is concealed. A row
that nobody hears is not decoded, unless its digits are listened for. When somebody hears it again, its older frames are
stale and what was begun with them is forgotten: whoever begins to hear a row hears nothing that it said before.

All of that is at 8 kHz. Of a row that somebody hears at 16 or 48 kHz there is another frame in that band, made of the
narrow one, with what G.722 and Opus decode to there (raised.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..codecs import g711, g722
from ..codecs.bands import ABOVE, Band, bit
from ..codecs.plc import HISTORY, Concealer
from ..codecs.resample import Sound
from .ahead import Ahead
from .comfort import Comfort
from .jitter import Due, Playout
from .legs import SILENCE, CodecId, Kind, Legs, those
from .raised import Raised
from .seams import OpusCodec, Rows
from .sources import Sources

FRAME: Final = 160
_KEPT: Final = 4  # frames: this tick's, and what a concealment looks back at
_CROSS: Final = ((np.arange(FRAME) + 0.5) / FRAME).astype(np.float32)
_NONE: Final = np.zeros(0, np.intp)
_DECODE: Final = {CodecId.PCMU: g711.decode_ulaw, CodecId.PCMA: g711.decode_alaw}
_G722: Final = CodecId.G722
_OPUS: Final = CodecId.OPUS
# A pause is 18 dB below the loudest that the talker was lately, or nothing that anybody hears: -54 dBFS.
_HUSH: Final = 64
_SOFTER: Final = 8


class Playback:
    """The frames of all rows, and the state of what makes them."""

    def __init__(self, legs: Legs, playout: Playout, sources: Sources, opus: OpusCodec | None) -> None:
        n = legs.capacity
        self._legs = legs
        self._playout = playout
        self._sources = sources
        self.comfort = Comfort(playout, n)
        self._concealer = Concealer(n)
        self._g722 = g722.Decoders()
        self._of_g722 = Sound(n, g722.RATE)
        self._pcm = np.zeros((_KEPT, n, FRAME), np.int16)
        self._below = np.zeros((n, FRAME), np.int16)  # of the newest frame that was decoded to more than this
        self._raised = tuple(Raised(n, band, self._below) for band in ABOVE)
        self._wanted = np.zeros(n, np.uint8)  # the bands above that each row is heard in, a bit of each
        self._opus = None if opus is None else Ahead(legs, playout, opus, self._below, self._raised, self._wanted)
        self._played_at = np.full((_KEPT, n), -1, np.int64)  # the tick of each frame; another tick's is stale
        self._loudest = np.zeros(n, np.int32)  # of the frames that `pausing` was asked about
        self._tick = 0
        # Of the rows decoded and heard last, which stay the same arrays until edges are edited.
        self._decoded: Rows | None = None
        self._heard: Rows | None = None
        self._audible = np.zeros(n, np.bool_)
        self._listening = np.zeros(n, np.bool_)
        self._heard_sources = np.zeros(0, np.intp)

    def begin(self, row: int) -> None:
        """A leg begins or ends in this row, or begins anew with another codec: nothing of before is left."""
        rows = np.array([row])
        self._forget(rows)
        for raised in self._raised:
            raised.begin(rows)
        self.comfort.forget(row)
        self._played_at[:, row] = -1
        self._loudest[row] = 0

    def ahead(self) -> None:
        """Half-way to the next tick: what takes time to be decoded and has come is begun."""
        if self._opus is not None and self._decoded is not None:
            self._opus.begin(self._decoded)

    def pausing(self, rows: Rows) -> NDArray[np.bool_]:
        """Whether each of `rows` [n] is in a pause, to judge by its last frame; a row that nobody hears is."""
        frames = self.pcm[rows].astype(np.int32)
        level = np.where(self._played_at[self._tick % _KEPT, rows] == self._tick, np.abs(frames).max(axis=1), 0)
        self._loudest[rows] = np.maximum(self._loudest[rows], level)
        return level <= np.maximum(_HUSH, self._loudest[rows] // _SOFTER)

    @property
    def pcm(self) -> g711.Pcm:
        """This tick's frames: int16 [capacity, 160], 8 kHz; zeros where a row that is heard does not speak."""
        newest: g711.Pcm = self._pcm[self._tick % _KEPT]
        return newest

    def speak(self, due: Due, decoded: Rows, heard: Rows) -> NDArray[np.bool_]:
        """Fills this tick's frame of every row of `decoded`, of which some are `heard`; returns bool [capacity]: which
        are not silence."""
        self._tick += 1
        if self._opus is not None:
            self._opus.take()
        if heard is not self._heard:
            self._hear(heard)
        if decoded is not self._decoded:
            self._listen(decoded)
        legs, now, listening = self._legs, self._tick % _KEPT, self._listening
        pcm = self._pcm[now]
        speaking = np.zeros(legs.capacity, np.bool_)
        self._forget(decoded[self._played_at[(self._tick - 1) % _KEPT, decoded] != self._tick - 1])
        wanted = those(listening[due.rows])
        rows, cells = due.rows[wanted], due.cells[wanted]
        codec = legs.codec[rows]
        spoken = np.bincount(codec, minlength=_OPUS + 1).tolist()
        for law in _DECODE:
            if spoken[law]:
                some = those(codec == law)
                self._decode_law(law, rows[some], cells[some], speaking)
        missing = due.missing
        if spoken[_G722]:
            adpcm = codec == _G722
            self._decode_g722(rows[adpcm], cells[adpcm], speaking)
        if spoken[_OPUS]:
            opus = codec == _OPUS
            bad = self._decode_opus(rows[opus], cells[opus], speaking)
            if len(bad):  # as good as lost
                missing = np.concatenate([missing, bad])
                rows = rows[~np.isin(rows, bad)]
        if len(due.merged):
            merged = listening[due.merged]
            self._merge(due.merged[merged], due.merged_cells[merged], speaking)
        if np.count_nonzero(gone := self._concealer.missing[rows] > 0):
            back = rows[gone]
            pcm[back] = self._concealer.rejoin(back, pcm[back])
            speaking[back] = True
        if self.comfort.told:
            quiet, noise = self.comfort.tick(due, decoded)
            pcm[quiet] = noise
            speaking[quiet] = True
            missing = missing[~np.isin(missing, quiet)]
        if len(missing) and len(missing := missing[listening[missing]]):
            self._conceal(missing, speaking)
        if len(sources := self._heard_sources):
            pcm[sources] = self._sources.speak(sources)
            speaking[sources] = pcm[sources].any(axis=1)
        if np.count_nonzero(loud := speaking[decoded]) < len(decoded):
            pcm[decoded[~loud]] = 0
        self._played_at[now, decoded] = self._tick
        return speaking

    def raise_to(self, rows: Sequence[Rows]) -> None:
        """Those that somebody hears from now on, by band from 16 kHz on; those that were not heard so before begin with
        nothing."""
        wanted = np.zeros(len(self._wanted), np.uint8)
        for number, raised in enumerate(self._raised):
            some = rows[number] if number < len(rows) else _NONE
            raised.begin(some[self._wanted[some] & bit(raised.band) == 0])
            raised.rows = some
            wanted[some] |= bit(raised.band)
        self._wanted[:] = wanted

    def speak_above(self, bands: int) -> list[tuple[g711.Pcm, NDArray[np.bool_]]]:
        """After `speak`: this tick's frames of so many bands above 8 kHz, int16 [capacity, samples], and which rows are
        not silence there, bool [capacity]."""
        return [raised.speak(self.pcm, self._tick) for raised in self._raised[:bands]]

    def _forget(self, rows: Rows) -> None:
        """Nobody heard these rows in the last tick: an unfinished concealment and a filter's past are of long ago."""
        if len(rows):
            self._concealer.forget(rows)
            if self._opus is not None and np.count_nonzero(opus := self._legs.codec[rows] == _OPUS):
                self._opus.forget(rows[opus])
            self._of_g722.forget(rows)
            self._g722.forget(rows)

    def _hear(self, heard: Rows) -> None:
        """What a row said while only its digits were listened for is not for who begins to hear it."""
        self._played_at[:, heard[~self._audible[heard]]] = -1
        self._heard = heard
        self._audible[:] = False
        self._audible[heard] = True

    def _listen(self, decoded: Rows) -> None:
        self._decoded = decoded
        self._listening[:] = False
        self._listening[decoded] = True
        self._heard_sources = decoded[self._legs.kind[decoded] == Kind.SOURCE]

    def _decode_law(self, law: int, rows: Rows, cells: Rows, speaking: NDArray[np.bool_]) -> None:
        octets = self._playout.store.narrow.take(cells, axis=0)
        words, silence = octets.view(np.uint64), np.uint64(SILENCE[law] * 0x0101010101010101)
        if np.count_nonzero(quiet := words[:, 0] == silence):
            quiet &= (words == silence).all(axis=1)
            self.pcm[rows[quiet]] = 0
            rows, octets = rows[~quiet], octets[~quiet]
        if not len(rows):
            return
        if rows[-1] - rows[0] + 1 == len(rows):  # ascending: they lie together
            _DECODE[law](octets, self.pcm[rows[0] : rows[-1] + 1])
        else:
            self.pcm[rows] = _DECODE[law](octets)
        speaking[rows] = True

    def _decode_g722(self, rows: Rows, cells: Rows, speaking: NDArray[np.bool_]) -> None:
        whole = self._g722.decode(rows, self._playout.store.narrow[cells])
        begins = self._of_g722.put(rows, whole)
        for raised in self._raised:
            if len(some := (self._wanted[rows] & bit(raised.band)).nonzero()[0]):
                its = rows[some]
                raised.put(its, self._of_g722.of(its, raised.band), begins[some])
                raised.came(its, self._tick)
        self.pcm[rows] = self._below[rows] = self._of_g722.of(rows, Band.NARROW)
        speaking[rows] = self.pcm[rows].any(axis=1)

    def _decode_opus(self, rows: Rows, cells: Rows, speaking: NDArray[np.bool_]) -> Rows:
        """Returns those that turn out to be no Opus."""
        if self._opus is None:
            return rows
        frames, good = self._opus.decode(rows, cells)
        sound, frames = rows[good], frames[good]
        self.pcm[sound] = frames
        speaking[sound] = frames.view(np.uint64).any(axis=1)
        bands = self._opus.bands[sound]
        for raised in self._raised:
            if np.count_nonzero(there := bands & bit(raised.band)):
                raised.came(sound[there.nonzero()[0]], self._tick)
        return rows[~good]

    def _merge(self, rows: Rows, cells: Rows, speaking: NDArray[np.bool_]) -> None:
        """Two frames in the time of one: from the first, which stands in this tick's frame, across to the second."""
        pcm = self._pcm[self._tick % _KEPT]
        first = pcm[rows].astype(np.float32)
        above = [(raised, raised.parts(rows, self._tick)) for raised in self._raised if len(raised.rows)]
        for law in _DECODE:
            some = self._legs.codec[rows] == law
            if some.any():
                pcm[rows[some]] = _DECODE[law](self._playout.store.narrow[cells[some]])
        if (adpcm := self._legs.codec[rows] == _G722).any():
            self._decode_g722(rows[adpcm], cells[adpcm], speaking)
        if (opus := self._legs.codec[rows] == _OPUS).any():
            self._decode_opus(rows[opus], cells[opus], speaking)
        pcm[rows] = np.rint(first * (1 - _CROSS) + pcm[rows] * _CROSS).astype(np.int16)
        for raised, parts in above:
            raised.cross(rows, parts, self._tick)
        speaking[rows] = True

    def _conceal(self, rows: Rows, speaking: NDArray[np.bool_]) -> None:
        pcm, tick = self._pcm, self._tick
        past = np.zeros((len(rows), _KEPT - 1, FRAME), np.int16)
        for i, back in enumerate(range(_KEPT - 1, 0, -1)):
            fresh = self._played_at[(tick - back) % _KEPT, rows] == tick - back
            past[fresh, i] = pcm[(tick - back) % _KEPT, rows[fresh]]
        frames = self._concealer.conceal(rows, past.reshape(len(rows), -1)[:, -HISTORY:])
        pcm[tick % _KEPT, rows] = frames
        speaking[rows] = frames.any(axis=1)
