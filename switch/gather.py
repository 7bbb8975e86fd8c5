"""Packets of another length than a tick's, for far sides that ask for them (`a=ptime`): 10 ms, or 30 to 60.

What such a leg is sent is gathered here octet by octet as it is encoded, 160 in a tick; as many packets leave as there
are whole ones of its length, with the timestamp of their first octet. Each has a header of its own; there are few such
legs, so they are not in the matrix of the others. A digit's report takes the place of what is gathered.

Of Opus the packets of 20 or of 10 ms that were encoded are gathered, and become one (opuspacket.join). One that is of
another mode or bandwidth than those that wait, as silence is, begins the next packet: that before it leaves as it is,
shorter than was asked for, and nothing is late or lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from ..codecs import opuspacket
from ..codecs.opuspacket import FRAME_UNITS
from . import rtp
from .legs import LEAST_MS, TICK_MS, Legs
from .matrix import lay
from .seams import Octets, Rows

TICK: Final = 160  # octets and units of time of a tick, G.711 and G.722 alike
OCTETS: Final = 8  # ... of a millisecond
LONGEST: Final = 480


def frame_ms(packet_ms: int) -> int:
    """How long the frames of Opus are of which packets of that length are made."""
    return TICK_MS if packet_ms % TICK_MS == 0 else LEAST_MS


class Gather:
    """Columns of the octets that wait."""

    def __init__(self, legs: Legs) -> None:
        self._legs = legs
        # A packet less an octet and a tick's.
        self._octets = np.zeros((legs.capacity, LONGEST + TICK), np.uint8)
        self._filled = np.zeros(legs.capacity, np.int64)

    def forget(self, rows: Rows) -> None:
        """What waits of these rows is not sent any more."""
        self._filled[rows] = 0

    def keep(self, rows: Rows) -> None:
        """... of all but these."""
        kept = self._filled[rows]
        self._filled[:] = 0
        self._filled[rows] = kept

    def take(self, rows: Rows, octets: Octets) -> list[tuple[Rows, Octets, NDArray[np.int32]]]:
        """What `rows` [n] are sent in this tick, uint8 [n, 160], after which their clocks go on; the packets that are
        whole now, in turns of at most one for each row: rows [m], uint8 [m, W], lengths [m]."""
        legs = self._legs
        at = self._filled[rows]
        self._octets[rows[:, None], at[:, None] + np.arange(TICK)] = octets
        self._filled[rows] = at + TICK
        legs.timestamp[rows] += np.uint32(TICK)
        turns = []
        while len(rows := rows[self._filled[rows] >= OCTETS * legs.packet_ms[rows]]):
            turns.append(self._packets(rows))
        return turns

    def _packets(self, rows: Rows) -> tuple[Rows, Octets, NDArray[np.int32]]:
        legs, size, filled = self._legs, OCTETS * self._legs.packet_ms[rows], self._filled[rows]
        packets = np.zeros((len(rows), rtp.HEADER + LONGEST), np.uint8)
        packets[:, rtp.HEADER :] = self._octets[rows, :LONGEST]
        first = legs.timestamp[rows] - filled.astype(np.uint32)
        rtp.write(packets, legs.payload_type[rows], legs.marker[rows], legs.sequence[rows], first, legs.ssrc[rows])
        legs.marker[rows] = False
        legs.sequence[rows] += np.uint16(1)
        legs.packets[rows] += np.uint32(1)
        legs.octets[rows] += size.astype(np.uint32)
        rest = np.minimum(size[:, None] + np.arange(LONGEST + TICK), LONGEST + TICK - 1)
        self._octets[rows] = self._octets[rows[:, None], rest]
        self._filled[rows] = filled - size
        return rows, packets, (rtp.HEADER + size).astype(np.int32)


@define(eq=False)
class _Waiting:
    """Packets of Opus that are `alike`, and how long they are together."""

    packets: list[bytes] = field(factory=list)
    units: int = 0

    def leave(self) -> bytes:
        packets, self.packets, self.units = self.packets, [], 0
        octets = {len(packet) for packet in packets}
        # Packets of one length, as a far side may want them, make such ones.
        return opuspacket.join(packets, len(packets) * octets.pop() if len(octets) == 1 else 0)


class OpusGather:
    """What waits of Opus, by row."""

    def __init__(self, legs: Legs) -> None:
        self._legs = legs
        self._waiting: dict[int, _Waiting] = {}

    def forget(self, rows: Iterable[int]) -> None:
        """What waits of these rows is not sent any more."""
        for row in rows:
            self._waiting.pop(row, None)

    def keep(self, rows: Rows) -> None:
        """... of all but these."""
        self.forget(self._waiting.keys() - set(rows.tolist()))

    def take(self, rows: Rows, made: Sequence[Sequence[bytes]]) -> tuple[Rows, Octets, NDArray[np.int32]]:
        """What `rows` [n], whose clocks have gone on, are sent in this tick: some packets each, 20 ms together, or none
        where an encoder broke. The packets that are whole now, those of a row in their order: rows [m], uint8 [m, W],
        lengths [m]."""
        legs = self._legs
        whole: list[tuple[int, int, bytes]] = []
        for row, packets in zip(rows.tolist(), made, strict=True):
            if not packets:
                self.forget((row,))
                continue
            waiting = self._waiting.setdefault(row, _Waiting())
            wanted = int(legs.packet_ms[row]) * FRAME_UNITS // TICK_MS
            begin = int(legs.timestamp[row]) - (waiting.units + FRAME_UNITS) * opuspacket.UNIT
            for packet in packets:
                if waiting.packets and not opuspacket.alike(waiting.packets[0], packet):
                    begin, left = begin + waiting.units * opuspacket.UNIT, begin
                    whole.append((row, left, waiting.leave()))
                waiting.packets.append(packet)
                waiting.units += FRAME_UNITS // len(packets)
                if waiting.units >= wanted:
                    begin, left = begin + waiting.units * opuspacket.UNIT, begin
                    whole.append((row, left, waiting.leave()))
        return self._packets(whole)

    def _packets(self, whole: Sequence[tuple[int, int, bytes]]) -> tuple[Rows, Octets, NDArray[np.int32]]:
        legs = self._legs
        rows = np.array([row for row, _, _ in whole], np.intp)
        packets, length = lay([bytes(rtp.HEADER) + payload for _, _, payload in whole])
        first = (np.array([begin for _, begin, _ in whole], np.int64) & 0xFFFFFFFF).astype(np.uint32)
        # Of a row with several each stands so many behind the first.
        some, begins, which, counts = np.unique(rows, return_index=True, return_inverse=True, return_counts=True)
        nth = np.arange(len(rows)) - begins[which]
        marker = legs.marker[rows] & (nth == 0)
        packets = packets.copy()
        sequence = legs.sequence[rows] + nth.astype(np.uint16)
        rtp.write(packets, legs.payload_type[rows], marker, sequence, first, legs.ssrc[rows])
        legs.marker[some] = False
        legs.sequence[some] += counts.astype(np.uint16)
        legs.packets[some] += counts.astype(np.uint32)
        np.add.at(legs.octets, rows, (length - rtp.HEADER).astype(np.uint32))
        return rows, packets, length
