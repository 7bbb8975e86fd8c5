"""What came and is not played yet: payloads as they came, in a ring of 20 ms slots for each row.

A cell is one slot of one row. In a cell of G.711 or G.722 lie the octets of two **blocks** of 10 ms, or of four of 5
ms, where a far side's packets are no multiple of 10 (jitter.py). In one of Opus lie the pieces of packets that fill it
(codecs/opuspacket.py), in blocks of 2.5 ms: a packet of 60 ms is in three cells, one object and no copy, and a cell may
hold eight packets. So packets of any length are played whole, and what is known of a cell is a bit for each 2.5 ms of
it; half a cell is none.

Where in its row's stream a block stands is for jitter.py to say.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from ..codecs import opuspacket
from ..codecs.opuspacket import FRAME_UNITS

Octets = NDArray[np.uint8]
Rows = NDArray[np.intp]

SLOTS: Final = 32  # 640 ms: more than any delay at which people can talk
# A slot of G.711 and G.722 is 2 ** 1 blocks of 10 ms, or 2 ** 2 of 5 ms; one of Opus 2 ** 3 of 2.5 ms.
NARROW_SHIFT: Final = 1
FINE_SHIFT: Final = 2
WIDE_SHIFT: Final = 3
OCTETS: Final = 160  # of a slot of G.711 and G.722

_NOWHERE: Final = np.iinfo(np.int64).min // 2
_WHOLE: Final = np.uint8(0xFF)
_PAYLOAD: Final = np.dtype("V160")
# By how many blocks a slot has, as a power of two, the bits of each.
_BITS: Final = {
    NARROW_SHIFT: np.array([0x0F, 0xF0], np.uint8),
    FINE_SHIFT: np.array([0x03, 0x0C, 0x30, 0xC0], np.uint8),
}


@frozen
class Arrivals:
    """Accepted packets of one batch, n of them.

    row: the leg; packet: which row of `data` uint8 [m, W] it is, ascending; sequence uint16; timestamp, ssrc uint32;
    offset, length int32 of its payload; at float64, when it came, in seconds.
    """

    row: Rows
    packet: Rows
    sequence: NDArray[np.uint16]
    timestamp: NDArray[np.uint32]
    ssrc: NDArray[np.uint32]
    data: Octets
    offset: NDArray[np.int32]
    length: NDArray[np.int32]
    at: NDArray[np.float64]

    def select(self, index: Rows | slice) -> Arrivals:
        """Some of them, in their order."""
        return Arrivals(
            self.row[index],
            self.packet[index],
            self.sequence[index],
            self.timestamp[index],
            self.ssrc[index],
            self.data,
            self.offset[index],
            self.length[index],
            self.at[index],
        )


class Store:
    """The cells of `capacity` rows; memory is touched only for rows that carry packets."""

    def __init__(self, capacity: int) -> None:
        n = capacity
        self._capacity = n
        # uint8 [cells, 160]: payloads of G.711 and G.722; a cell is (slot % SLOTS) * capacity + row.
        self.narrow = np.zeros((n * SLOTS, 160), np.uint8)
        self._payloads = self.narrow.view(_PAYLOAD)[:, 0]
        # object [cells]: a Frame of Opus each.
        self.frames = np.full(n * SLOTS, None, np.object_)
        self._number = np.full(n * SLOTS, _NOWHERE, np.int64)
        self._have = np.zeros(n * SLOTS, np.uint8)
        self.is_wide = np.zeros(n, np.bool_)  # rows of Opus
        self.wide_rows = 0
        self.duplicate = np.zeros(n, np.int64)  # packets

    def open(self, row: int, *, wide: bool) -> None:
        """A row of a leg that begins, or begins anew with another codec."""
        self.wide_rows += int(wide) - int(self.is_wide[row])
        self.is_wide[row] = wide
        self.frames.reshape(SLOTS, -1)[:, row] = None
        self.duplicate[row] = 0
        self.forget(np.array([row]))

    def forget(self, rows: Rows) -> None:
        """Another stream begins in these rows."""
        self._number.reshape(SLOTS, -1)[:, rows] = _NOWHERE

    def cells(self, rows: Rows, slots: NDArray[np.int64]) -> Rows:
        """Where those slots [n] of `rows` [n] lie."""
        return (slots & SLOTS - 1) * self._capacity + rows

    def whole(self, cells: Rows, slots: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether all of those slots [n] lies in `cells` [n]."""
        found: NDArray[np.bool_] = (self._number[cells] == slots) & (self._have[cells] == _WHOLE)
        return found

    def slots(self, cells: Rows) -> NDArray[np.int64]:
        """Which slot of its row's stream stands in each of `cells`."""
        slots: NDArray[np.int64] = self._number[cells]
        return slots

    def blocks(self, a: Arrivals, shift: int) -> NDArray[np.int64]:
        """How many blocks each packet is, of 2 ** `shift` in a slot: int64 [n]; 0 of what is too short for one, or no
        packet of Opus."""
        if shift != WIDE_SHIFT:
            return a.length.astype(np.int64) // (OCTETS >> shift)
        first = a.data[a.packet, a.offset]
        second = a.data[a.packet, np.minimum(a.offset + 1, a.data.shape[1] - 1)]
        return opuspacket.units(first, second, a.length).astype(np.int64)

    def put(self, a: Arrivals, block: NDArray[np.int64], play: NDArray[np.int64], shift: int) -> None:
        """At most one packet per row, each from its `block` [n] on, of 2 ** `shift` in a slot. `play` [capacity] is the
        slot that each row plays next: what stands before it, or too far behind, is let go."""
        if shift == WIDE_SHIFT:
            self._put_wide(a, block, play)
            return
        rows = a.row
        whole = a.length == OCTETS
        whole &= a.offset == 12
        whole &= (block & (1 << shift) - 1) == 0
        if np.count_nonzero(whole) == len(rows):
            slot = block >> shift
            cells = self.cells(rows, slot)
            stored = self._number[cells] == slot
            if np.count_nonzero(stored):
                self.duplicate[rows] += stored & (self._have[cells] == _WHOLE)
            # Each payload as one item of raw octets: numpy moves it twice as fast as 160.
            octets = a.data[:, 12:172].view(_PAYLOAD)[:, 0]
            # Where each packet is there once, there is no need to pick them.
            self._payloads[cells] = octets if len(rows) == len(a.data) else octets[a.packet]
            self._number[cells] = slot
            self._have[cells] = _WHOLE
            return
        self._put_blocks(a, block, play, shift)

    def _put_blocks(self, a: Arrivals, block: NDArray[np.int64], play: NDArray[np.int64], shift: int) -> None:
        """The general way for G.711: any packet time that is a multiple of a block, any offset (RFC 3551 §4.2)."""
        count, octets, bits = self.blocks(a, shift), OCTETS >> shift, _BITS[shift]
        blocks = self.narrow.reshape(-1, octets)
        for i in range(int(count.max(initial=0))):
            some = count > i
            row, number = a.row[some], block[some] + i
            slot, first = number >> shift, play[row]
            # Beyond the ring, or before what is played: the rest of a long packet at either edge.
            fits = (slot >= first) & (slot < first + SLOTS)
            row, number, slot = row[fits], number[fits], slot[fits]
            source, begin = a.packet[some][fits], a.offset[some][fits] + octets * i
            cells, place = self.cells(row, slot), number & (1 << shift) - 1
            bit = bits[place]
            have = np.where(self._number[cells] == slot, self._have[cells], 0).astype(np.uint8)
            if i == 0:
                self.duplicate[row] += (have & bit) != 0
            blocks[(cells << shift) + place] = a.data[source[:, None], begin[:, None] + np.arange(octets)]
            self._number[cells] = slot
            self._have[cells] = have | bit

    def _put_wide(self, a: Arrivals, block: NDArray[np.int64], play: NDArray[np.int64]) -> None:
        """Opus: the packet itself into each cell that it fills a part of. What is there already stays."""
        where = zip(a.packet.tolist(), a.offset.tolist(), (a.offset + a.length).tolist(), strict=True)
        packets = [a.data[i, begin:end].tobytes() for i, begin, end in where]
        next_slot, blocks = play[a.row], self.blocks(a, WIDE_SHIFT)
        slot = block >> WIDE_SHIFT
        cells = self.cells(a.row, slot)
        # Mostly each is one whole slot, of which nothing is there yet.
        usual = blocks == FRAME_UNITS
        usual &= block & FRAME_UNITS - 1 == 0
        usual &= self._number[cells] != slot
        usual &= slot >= next_slot
        usual &= slot < next_slot + SLOTS
        if np.count_nonzero(usual) == len(usual):
            frames = self.frames
            for cell, packet in zip(cells.tolist(), packets, strict=True):
                frames[cell] = ((0, FRAME_UNITS, packet, 0),)
            self._number[cells], self._have[cells] = slot, _WHOLE
            return
        end = block + blocks
        begin_slot, end_slot = block >> WIDE_SHIFT, (end + FRAME_UNITS - 1) >> WIDE_SHIFT
        for i in range(int((end_slot - begin_slot).max())):
            slot = begin_slot + i
            first, last = np.maximum(block, slot << WIDE_SHIFT), np.minimum(end, slot + 1 << WIDE_SHIFT)
            some = np.flatnonzero((first < last) & (slot >= next_slot) & (slot < next_slot + SLOTS))
            row, number, at, count = a.row[some], slot[some], first[some] & FRAME_UNITS - 1, (last - first)[some]
            cells = self.cells(row, number)
            empty = self._number[cells] != number
            have = np.where(empty, 0, self._have[cells])
            bits = ((1 << count) - 1) << at
            known = (have & bits) != 0
            if i == 0:
                self.duplicate[row] += known
            pieces = zip(
                cells.tolist(), empty.tolist(), at.tolist(), count.tolist(), some.tolist(), known.tolist(), strict=True
            )
            begins = (first - block)[some].tolist()
            for (cell, alone, place, units, which, there), begin in zip(pieces, begins, strict=True):
                if not there:
                    piece = (place, units, packets[which], begin)
                    self.frames[cell] = (piece,) if alone else tuple(sorted((*self.frames[cell], piece)))
            self._number[cells] = number
            self._have[cells] = np.where(known, have, have | bits)
