"""What the engine's process and one that codes for it (coder.py) say to each other, and what that one does.

A **request** is one message: legs that were opened, tuned, closed and forgotten since the last, and then what is to be
decoded or encoded. It is answered in parts, as they are ready, each of them a message that says of which legs. Sound is
not sent, nor are the packets that are made: they lie in `Columns` of memory that both have, a slot for each leg of the
request, where nobody writes while the other reads. A row here is what a codec has as its number (coders.py).

    decode    rows, the bands that are wanted, frames    ->  which are sound; sound in `narrow` and `above`
    encode    rows, their samples; sound in `heard`      ->  lengths; packets in `said`

A packet of more than 20 ms is decoded once and played in several ticks: what follows of one is known by its being the
same object (codecs/opus.py). Here it is sent once, and named by its leg then.

Both ends are of one version and of one machine. Messages are msgpack, which can do nothing but be read: who decodes
what comes from outside is not trusted with more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Any, Final, Generic, TypeVar

import msgpack
import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from ..codecs.bands import ABOVE, SAMPLES, Band
from ..codecs.g711 import Pcm
from ..codecs.opus import ROOM, OpusRows, Tuning
from ..codecs.opuspacket import Frame, Piece
from ..codecs.work import Decoded, Encoded, Upper
from .seams import Rows

# Of how many legs a part of what is encoded is made: some 1.3 ms. Their packets are sealed and sent meanwhile.
PART: Final = 16
_INT16: Final = 2

T = TypeVar("T", Decoded, Encoded)


class _Edit(IntEnum):
    OPEN = 0
    TUNE = 1
    CLOSE = 2
    FORGET = 3


class _Kind(IntEnum):
    DECODE = 0
    ENCODE = 1


class Columns:
    """The sound of one request, a slot for each of its legs: int16 [slots, samples of the band], and its packets, uint8
    [slots, ROOM]."""

    def __init__(self, memory: memoryview, slots: int) -> None:
        """`memory` is of `size(slots)` octets."""
        self.narrow: Pcm
        self.above: dict[int, Pcm] = {}
        at = 0
        made = []
        for samples in (*SAMPLES, SAMPLES[Band.FULL]):
            made.append(np.frombuffer(memory, np.int16, slots * samples, at).reshape(slots, samples))
            at += made[-1].nbytes
        self.narrow, self.heard = made[0], made[-1]
        self.above = {band: made[band] for band in ABOVE}
        self.said = np.frombuffer(memory, np.uint8, slots * ROOM, at).reshape(slots, ROOM)

    @staticmethod
    def size(slots: int) -> int:
        return slots * (_INT16 * (sum(SAMPLES) + SAMPLES[Band.FULL]) + ROOM)


@frozen(eq=False)
class Part(Generic[T]):
    """An answer: what became of some legs of the request, by their `index` in it; and rows whose codec has raised."""

    result: T
    failed: Sequence[int]


class Requests:
    """What one coder is told: as it is started, it knows of no leg."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._edits: list[tuple[object, ...]] = []
        self._packets: dict[int, bytes | None] = {}  # by row: the one that was sent last
        self._new: set[int] = set()  # rows of legs of which the coder has not heard yet

    def open(self, row: int) -> None:
        self._edits.append((_Edit.OPEN, row))
        self._packets[row] = None
        self._new.add(row)

    def tune(self, row: int, tuning: Tuning) -> None:
        self._edits.append((_Edit.TUNE, row, tuning.bit_rate, tuning.constant, tuning.frame_ms, tuning.rate))

    def close(self, row: int) -> None:
        self._edits.append((_Edit.CLOSE, row))
        del self._packets[row]

    def forget(self, rows: Rows) -> None:
        self._edits.append((_Edit.FORGET, _octets(rows)))

    def decode(self, rows: Rows, frames: Sequence[Frame], bands: NDArray[np.uint8]) -> bytes:
        named = [self._named(row, frame) for row, frame in zip(rows.tolist(), frames, strict=True)]
        return self._message(_Kind.DECODE, _octets(rows), bands.tobytes(), named)

    def encode(self, rows: Rows, frames: Pcm, samples: Rows, index: Rows) -> bytes:
        """Of `frames` [m, 960] those that are the `index` [n]."""
        np.take(frames, index, axis=0, out=self._columns.heard[: len(rows)], mode="clip")
        return self._message(_Kind.ENCODE, _octets(rows), _octets(samples))

    def decoded(self, message: bytes) -> Part[Decoded]:
        """What was said to the last request. Its sound is good until the next one."""
        octets, (good, uppers), broken = msgpack.unpackb(message, use_list=False)
        above = [
            Upper(band, its, self._columns.above[band][its], np.frombuffer(begins, np.bool_))
            for band, its, begins in ((band, _rows(its), begins) for band, its, begins in uppers)
        ]
        index = _rows(octets)
        decoded = Decoded(index, self._columns.narrow[index], np.frombuffer(good, np.bool_), above)
        return Part(decoded, self._failed(broken))

    def encoded(self, message: bytes) -> Part[Encoded]:
        octets, said, broken = msgpack.unpackb(message, use_list=False)
        index, lengths = _rows(octets), np.frombuffer(said, np.int32).reshape(-1, 2)
        return Part(Encoded(index, self._columns.said[index], lengths), self._failed(broken))

    def _failed(self, broken: Sequence[int]) -> list[int]:
        return [row for row in broken if row in self._packets and row not in self._new]

    def _named(self, row: int, frame: Frame) -> list[tuple[int, int, bytes | None, int]]:
        named: list[tuple[int, int, bytes | None, int]] = []
        for at, units, packet, begin in frame:
            named.append((at, units, None if packet is self._packets[row] else packet, begin))
            self._packets[row] = packet
        return named

    def _message(self, kind: _Kind, *said: object) -> bytes:
        edits, self._edits = self._edits, []
        self._new.clear()
        packed: bytes = msgpack.packb((edits, kind, *said))
        return packed


class Answers:
    """The other end: the codecs of its legs."""

    def __init__(self, columns: Columns, rows: OpusRows) -> None:
        self._columns = columns
        self._rows = rows
        self._packets: dict[int, bytes] = {}

    def to(self, request: bytes) -> Iterator[bytes]:
        """The parts of what becomes of it, as they are made."""
        edits, kind, octets, *said = msgpack.unpackb(request, use_list=False)
        for edit in edits:
            self._edit(*edit)
        rows = _rows(octets)
        if kind == _Kind.DECODE:
            bands, frames = said
            known = [self._known(row, frame) for row, frame in zip(rows.tolist(), frames, strict=True)]
            for decoded in self._rows.decode(rows, known, np.frombuffer(bands, np.uint8)).results():
                self._columns.narrow[decoded.index] = decoded.pcm
                for one in decoded.upper:
                    self._columns.above[one.band][one.index] = one.pcm
                uppers = [(one.band, _octets(one.index), one.begins.tobytes()) for one in decoded.upper]
                yield self._part(decoded.index, (decoded.good.tobytes(), uppers))
        else:
            (samples,) = said
            for encoded in self._rows.encode(rows, self._columns.heard[: len(rows)], _rows(samples)).results():
                self._columns.said[encoded.index] = encoded.octets
                yield self._part(encoded.index, encoded.lengths.tobytes())

    def _part(self, index: Rows, said: object) -> bytes:
        packed: bytes = msgpack.packb((_octets(index), said, self._rows.failed()))
        return packed

    def _known(self, row: int, frame: Sequence[tuple[int, int, bytes | None, int]]) -> Frame:
        pieces: list[Piece] = []
        for at, units, packet, begin in frame:
            if packet is not None:
                self._packets[row] = packet
            pieces.append((at, units, self._packets[row], begin))
        return tuple(pieces)

    def _edit(self, edit: int, row: Any, *said: Any) -> None:
        match _Edit(edit):
            case _Edit.OPEN:
                self._rows.open(row)
            case _Edit.TUNE:
                self._rows.tune(row, Tuning(*said))
            case _Edit.CLOSE:
                self._rows.close(row)
                self._packets.pop(row, None)
            case _Edit.FORGET:
                self._rows.forget(_rows(row))


def _octets(rows: Rows) -> bytes:
    return rows.astype(np.int32).tobytes()


def _rows(octets: bytes) -> Rows:
    return np.frombuffer(octets, np.int32).astype(np.intp)
