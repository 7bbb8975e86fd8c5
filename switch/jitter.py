"""Adaptive playout of all legs at once: packets come when the network pleases, frames leave every 20 ms.

A leg's packets are stored as they came, by their timestamp, in a ring of 20 ms slots: arrival order, duplicates and
wrapped counters cost nothing there, and the payload is decoded only when it is played (or never, if nobody listens).
`play` is the next slot to leave; it moves one slot a tick whatever comes, so a gap in the stream is a gap in time.

The *lead* of a packet is how long it lies before it is played. Late packets (negative lead) hold the playout back by
one slot each, up to what they would have needed; so one straggler costs 20 ms of delay and a stall costs its length.
The smallest lead of the last 4 s says how much delay is idle: that much is let go, a frame at a time, by
cross-fading two frames into one where the talker pauses; who does not pause for 2 s is cut into. A drifting clock of
the far side is the same thing, slowly.

A new SSRC, a timestamp far off, or a stream that comes back after a second of nothing begins the row anew.

Clock: G.711 counts samples at 8 kHz, Opus at 48 kHz (RFC 7587 §4.1); both are stored in blocks of 10 ms, two to a slot.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from .legs import those

Octets = NDArray[np.uint8]
Rows = NDArray[np.intp]

TICK: Final = 0.020  # seconds of a slot
SLOTS: Final = 32  # 640 ms: more than any delay at which people can talk
WIDE: Final = 512  # the longest Opus payload kept: 20 ms at 200 kbit/s
START_DELAY: Final = 0.010  # a stream's first frame lies this long and then waits for the tick: 10 to 30 ms
MARGIN: Final = 0.010  # lead that is left when delay is let go: half a slot
RESTART_LEAD: Final = -0.5  # a packet this late is a stream that has jumped
IDLE_SLOTS: Final = 50  # after this many empty slots the next packet begins the row anew
WINDOW_TICKS: Final = 100  # 2 s: how often delay is reconsidered
MAX_DELAY_SLOTS: Final = 15  # late packets push the playout back no further: 300 ms
# More packets of one leg in one batch than this are dropped: 20 ms of 10 ms packets after a stall of 200 ms are 22.
MAX_ROUNDS: Final = 24

_NOWHERE: Final = np.iinfo(np.int64).min // 2
_HALF: Final = np.uint8(1)  # bit of a slot's first block; the second block is bit 1
_WHOLE: Final = np.uint8(3)


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


@frozen
class Due:
    """What one tick plays: `rows` have a frame in `cells` (indices into `narrow` and `wide`); `missing` rows have none.

    `merged` rows are among `rows`; each also has the frame after it in `merged_cells`, both to be made into one.
    """

    rows: Rows
    cells: Rows
    missing: Rows
    merged: Rows
    merged_cells: Rows


class Playout:
    """The columns of `capacity` rows; memory is touched only for rows that carry packets."""

    def __init__(self, capacity: int) -> None:
        n = capacity
        # uint8 [cells, 160]: G.711 payloads; a cell is (slot % SLOTS) * capacity + row.
        self._capacity = n
        self.narrow = np.zeros((n * SLOTS, 160), np.uint8)
        self._blocks = self.narrow.reshape(n * SLOTS * 2, 80)
        # uint8 [cells, 512], int32 [cells]: Opus payloads and their lengths.
        self.wide = np.zeros((n * SLOTS, WIDE), np.uint8)
        self.wide_length = np.zeros(n * SLOTS, np.int32)
        self._number = np.full(n * SLOTS, _NOWHERE, np.int64)
        self._have = np.zeros(n * SLOTS, np.uint8)
        self._is_wide = np.zeros(n, np.bool_)
        self._block_units = np.full(n, 80, np.int64)  # timestamp units of 10 ms
        self.active = np.zeros(n, np.bool_)  # a stream is known
        self.quiet = np.zeros(n, np.bool_)  # nothing is missing: it said that it is silent (comfort.py)
        self.streams = np.zeros(n, np.int64)  # how many have begun in this row
        self._started = np.zeros(n, np.bool_)
        self._start_at = np.zeros(n, np.float64)
        self._play = np.zeros(n, np.int64)
        self._ssrc = np.zeros(n, np.uint32)
        self._base_timestamp = np.zeros(n, np.uint32)
        self._base_block = np.zeros(n, np.int64)
        self._sequence = np.zeros(n, np.uint16)
        self._arrived = np.zeros(n, np.float64)
        self._hold = np.zeros(n, np.int32)
        self._drop = np.zeros(n, np.int32)
        self._overdue = np.zeros(n, np.bool_)  # no pause came in which delay could be let go
        self._empty = np.zeros(n, np.int32)
        self._least = np.full(n, np.inf, np.float64)
        self._least_before = np.full(n, np.inf, np.float64)
        self._next_tick = 0.0
        self._ticks = 0
        # What reports are made of; counts only grow.
        self.received = np.zeros(n, np.int64)
        self.expected = np.zeros(n, np.int64)
        self.late = np.zeros(n, np.int64)
        self.duplicate = np.zeros(n, np.int64)
        self.concealed = np.zeros(n, np.int64)  # slots
        self.resets = np.zeros(n, np.int64)
        self.jitter = np.zeros(n, np.float64)  # seconds, RFC 3550 §6.4.1
        self.delay = np.zeros(n, np.float64)  # seconds, smoothed lead
        self.flooded = 0

    def open(self, row: int, *, wide: bool) -> None:
        """A row of a leg that begins, or begins anew with another codec."""
        self._is_wide[row] = wide
        self._block_units[row] = 480 if wide else 80
        self._number.reshape(SLOTS, -1)[:, row] = _NOWHERE
        for column in (self.active, self._started, self._hold, self._drop, self._overdue, self._empty):
            column[row] = 0
        for counter in (self.received, self.expected, self.late, self.duplicate, self.concealed, self.resets):
            counter[row] = 0
        self.jitter[row] = self.delay[row] = 0.0

    def insert(self, arrivals: Arrivals) -> None:
        """Stores a batch; many packets of one row are taken in the order they stand."""
        rows = arrivals.row
        if not len(rows):
            return
        count = np.bincount(rows)
        if count.max() == 1:
            self._insert(arrivals)
            return
        order = np.argsort(rows, kind="stable")
        first = np.searchsorted(rows[order], rows[order])
        rank = np.empty(len(rows), np.intp)
        rank[order] = np.arange(len(rows)) - first
        for i in range(min(int(rank.max()) + 1, MAX_ROUNDS)):
            self._insert(arrivals.select(np.flatnonzero(rank == i)))
        self.flooded += int((rank >= MAX_ROUNDS).sum())

    def count(self, rows: Rows, sequence: NDArray[np.uint16]) -> None:
        """Packets of `rows` [n] that are not played have sequence numbers of the same stream: they are not lost."""
        np.add.at(self.received, rows, 1)
        some, which = np.unique(rows, return_inverse=True)
        newest = np.zeros(len(some), np.int64)
        np.maximum.at(newest, which, (sequence - self._sequence[rows]).view(np.int16).astype(np.int64))
        newest[~self.active[some] | (newest >= 3000)] = 0
        self.expected[some] += newest
        self._sequence[some] += newest.astype(np.uint16)

    def _cells(self, rows: Rows, slots: NDArray[np.int64]) -> Rows:
        return (slots & SLOTS - 1) * self._capacity + rows

    def _insert(self, a: Arrivals) -> None:
        """At most one packet per row."""
        rows = a.row
        units: NDArray[np.int64] = self._block_units[rows]
        step = (a.timestamp - self._base_timestamp[rows]).view(np.int32).astype(np.int64)
        block = self._base_block[rows] + np.floor_divide(step + (units >> 1), units, dtype=np.int64)
        started = self._started[rows]
        all_started = np.count_nonzero(started) == len(rows)
        next_play = self._next_tick if all_started else np.where(started, self._next_tick, self._start_at[rows])
        ahead = (block >> 1) - self._play[rows]
        lead = ahead * TICK + (next_play - a.at)
        newer = (a.sequence - self._sequence[rows]).view(np.int16).astype(np.int64)
        active = self.active[rows]
        anew = ~active | (a.ssrc != self._ssrc[rows]) | (ahead >= SLOTS) | ((lead < RESTART_LEAD) & (newer > 0))
        if np.count_nonzero(anew):
            begun = rows[anew]
            self._begin(begun, a.timestamp[anew], a.sequence[anew], a.ssrc[anew], a.at[anew])
            self.resets[begun] += active[anew]
            block[anew] = 2 * self._ticks
            ahead[anew] = 0
            lead[anew] = START_DELAY
            newer[anew] = 0
        late = ahead < 0
        # The first packets of a stream may be out of order: until it plays, the earliest is where it begins.
        if np.count_nonzero(late) and np.count_nonzero(early := late & ~self._started[rows] & (ahead > -4)):
            self._play[rows[early]] += ahead[early]
            lead[early] -= ahead[early] * TICK
            late &= ~early

        self.received[rows] += 1
        self._measure(rows, a, newer, step, units, block, lead)
        if not np.count_nonzero(late):
            self._store(a, block)
            return
        self._be_late(rows[late], lead[late])
        if len(keep := np.flatnonzero(~late)):
            self._store(a.select(keep), block[keep])

    def _begin(
        self,
        rows: Rows,
        timestamp: NDArray[np.uint32],
        sequence: NDArray[np.uint16],
        ssrc: NDArray[np.uint32],
        at: NDArray[np.float64],
    ) -> None:
        self._number.reshape(SLOTS, -1)[:, rows] = _NOWHERE
        self.active[rows] = True
        self.streams[rows] += 1
        self._started[rows] = False
        self._start_at[rows] = at + START_DELAY
        # Slots are numbered by ticks, so that what a tick plays lies together in memory.
        self._play[rows] = self._ticks
        self._base_block[rows] = 2 * self._ticks
        self._base_timestamp[rows] = timestamp
        self.expected[rows] += 1
        self._sequence[rows] = sequence
        self._ssrc[rows] = ssrc
        self._arrived[rows] = at
        self._hold[rows] = self._drop[rows] = self._empty[rows] = 0
        self._overdue[rows] = False
        self._least[rows] = self._least_before[rows] = np.inf

    def _measure(
        self,
        rows: Rows,
        a: Arrivals,
        newer: NDArray[np.int64],
        step: NDArray[np.int64],
        units: NDArray[np.int64],
        block: NDArray[np.int64],
        lead: NDArray[np.float64],
    ) -> None:
        """Counts, jitter, and the leads from which the delay is steered."""
        self._least[rows] = np.minimum(self._least[rows], lead)
        delay = self.delay[rows]
        self.delay[rows] = delay + (lead - delay) / 16
        ahead = those(newer > 0)
        r, advance, at = rows[ahead], newer[ahead], a.at[ahead]
        # A jump in sequence numbers that is no loss (a restarted sender) is not counted as one (RFC 3550 A.1).
        self.expected[r] += np.where(advance < 3000, advance, 1)
        difference = (at - self._arrived[r]) - step[ahead] * (0.010 / units[ahead])
        jitter = self.jitter[r]
        self.jitter[r] = jitter + (np.minimum(np.abs(difference), 1.0) - jitter) / 16
        self._arrived[r] = at
        self._sequence[r] = a.sequence[ahead]
        self._base_timestamp[r] = a.timestamp[ahead]
        self._base_block[r] = block[ahead]

    def _be_late(self, rows: Rows, lead: NDArray[np.float64]) -> None:
        self.late[rows] += 1
        needed = np.ceil(-lead / TICK).astype(np.int32)
        hold = self._hold[rows]
        grown = np.maximum(hold, np.minimum(np.minimum(hold + 1, needed), MAX_DELAY_SLOTS))
        self._hold[rows] = grown
        self._drop[rows] = 0

    def _store(self, a: Arrivals, block: NDArray[np.int64]) -> None:
        wide = self._is_wide[a.row]
        if np.count_nonzero(wide):
            self._store_wide(a.select(np.flatnonzero(wide)), block[wide] >> 1)
            a, block = a.select(np.flatnonzero(~wide)), block[~wide]
            if not len(block):
                return
        rows = a.row
        if np.count_nonzero((a.length == 160) & (a.offset == 12) & (block & 1 == 0)) == len(rows):
            slot = block >> 1
            cells = self._cells(rows, slot)
            stored = self._number[cells] == slot
            if np.count_nonzero(stored):
                self.duplicate[rows] += stored & (self._have[cells] == _WHOLE)
            whole_batch = len(rows) == len(a.data)  # each packet once: no need to pick them
            self.narrow[cells] = a.data[:, 12:172] if whole_batch else a.data[a.packet, 12:172]
            self._number[cells] = slot
            self._have[cells] = _WHOLE
            return
        self._store_blocks(a.data, a.packet, rows, block, a.offset, a.length // 80)

    def _store_blocks(
        self,
        data: Octets,
        packet: Rows,
        rows: Rows,
        block: NDArray[np.int64],
        offset: NDArray[np.int32],
        blocks: NDArray[np.int32],
    ) -> None:
        """The general way for G.711: any packet time that is a multiple of 10 ms, any offset (RFC 3551 §4.2)."""
        for i in range(int(blocks.max(initial=0))):
            some = blocks > i
            row, number = rows[some], block[some] + i
            slot = number >> 1
            # Beyond the ring, or before what is played: the rest of a long packet at either edge.
            fits = (slot >= self._play[row]) & (slot < self._play[row] + SLOTS)
            row, number, slot = row[fits], number[fits], slot[fits]
            source, begin = packet[some][fits], offset[some][fits] + 80 * i
            cells = self._cells(row, slot)
            bit = (_HALF << (number & 1)).astype(np.uint8)
            have = np.where(self._number[cells] == slot, self._have[cells], 0).astype(np.uint8)
            if i == 0:
                self.duplicate[row] += (have & bit) != 0
            self._blocks[2 * cells + (number & 1)] = data[source[:, None], begin[:, None] + np.arange(80)]
            self._number[cells] = slot
            self._have[cells] = have | bit

    def _store_wide(self, a: Arrivals, slot: NDArray[np.int64]) -> None:
        fits = np.flatnonzero((a.length > 0) & (a.length <= WIDE))
        if not len(fits):
            return
        a, slot = a.select(fits), slot[fits]
        cells = self._cells(a.row, slot)
        self.duplicate[a.row] += self._number[cells] == slot
        reach = int(a.length.max())
        columns = np.minimum(a.offset[:, None] + np.arange(reach), a.data.shape[1] - 1)
        self.wide[cells, :reach] = a.data[a.packet[:, None], columns]
        self.wide_length[cells] = a.length
        self._number[cells] = slot
        self._have[cells] = _WHOLE

    def next(self, rows: Rows) -> tuple[Rows, Rows]:
        """Those of `rows` whose next frame is there, unless they wait a tick before it, and the cells it stands in."""
        rows = rows[self.active[rows] & (self._hold[rows] == 0)]
        play = self._play[rows]
        cells = self._cells(rows, play)
        got = np.flatnonzero((self._number[cells] == play) & (self._have[cells] == _WHOLE))
        return rows[got], cells[got]

    def slot_of(self, rows: Rows, timestamp: NDArray[np.uint32]) -> NDArray[np.int64]:
        """The slot in which a packet of each of `rows` with that timestamp [n] would stand."""
        units = self._block_units[rows]
        step = (timestamp - self._base_timestamp[rows]).view(np.int32).astype(np.int64)
        block: NDArray[np.int64] = self._base_block[rows] + np.floor_divide(step + (units >> 1), units)
        return block >> 1

    def played(self, rows: Rows) -> NDArray[np.int64]:
        """The slot that each of `rows` played last, or would have."""
        last: NDArray[np.int64] = self._play[rows] - 1
        return last

    def slots(self, cells: Rows) -> NDArray[np.int64]:
        """Which slot of its row's stream stands in each of `cells`."""
        slots: NDArray[np.int64] = self._number[cells]
        return slots

    def play(self, rows: Rows, now: float, pausing: Callable[[Rows], NDArray[np.bool_]]) -> Due:
        """What the tick at `now` plays for the open legs `rows`; every started stream moves one slot on.

        `pausing` says of some rows [n] which were played a pause last: bool [n].
        """
        self._next_tick = now + TICK
        self._ticks += 1
        r = rows[those(self.active[rows])]
        waiting = ~self._started[r]
        if np.count_nonzero(waiting):
            # Half a millisecond of grace: ticks and times are sums of floats.
            ready = r[waiting & (self._start_at[r] <= now + 0.0005)]
            self._started[ready] = True
            r = r[self._started[r]]
        if self._ticks % WINDOW_TICKS == 0:
            self._reconsider(r)
        play = self._play[r]
        cells = self._cells(r, play)
        got = (self._number[cells] == play) & (self._have[cells] == _WHOLE)
        move = np.ones(len(r), np.int64)
        if np.count_nonzero(holding := self._hold[r] > 0):
            self._hold[r[holding]] -= 1
            # As it waits, every lead measured so far has grown by a slot.
            self._least[r[holding]] += TICK
            self._least_before[r[holding]] += TICK
            got &= ~holding
            move[holding] = 0
        merged = merged_cells = r[:0]
        if np.count_nonzero(dropping := got & (self._drop[r] > 0)):
            dropping[dropping] = pausing(r[dropping]) | self._overdue[r[dropping]]
            after = self._cells(r, play + 1)
            dropping &= (self._number[after] == play + 1) & (self._have[after] == _WHOLE)
            merged, merged_cells = r[dropping], after[dropping]
            self._drop[merged] -= 1
            self._least[merged] -= TICK
            self._least_before[merged] -= TICK
            move[dropping] = 2
        self._play[r] = play + move
        if np.count_nonzero(got) == len(r):
            self._empty[r] = 0
            return Due(r, cells, r[:0], merged, merged_cells)
        missing = r[~got]
        self._empty[r] = np.where(got | self.quiet[r], 0, self._empty[r] + 1)
        self.concealed[missing] += ~self.quiet[missing]
        over = missing[self._empty[missing] >= IDLE_SLOTS]
        if len(over):
            self.active[over] = False
            self.concealed[over] -= IDLE_SLOTS  # it was no loss, the stream had ended
        return Due(r[got], cells[got], missing, merged, merged_cells)

    def skip(self, rows: Rows, ticks: int) -> None:
        """Time went by without ticks: what was due then is not played any more."""
        self._play[rows[self._started[rows]]] += ticks

    def stream(self, rows: Rows) -> tuple[NDArray[np.uint32], NDArray[np.uint16]]:
        """SSRC and highest sequence number of what was heard last of each of `rows`; zeros where nothing was."""
        known = self.received[rows] > 0
        return np.where(known, self._ssrc[rows], 0).astype(np.uint32), self._sequence[rows]

    def _reconsider(self, rows: Rows) -> None:
        """Lets idle delay go: all but MARGIN of the least lead of two windows, half of it at once if it is much."""
        self._overdue[rows] = self._drop[rows] > 0
        least = np.minimum(self._least[rows], self._least_before[rows])
        idle = np.where(np.isfinite(least), (least - MARGIN) // TICK, 0.0)
        drop = np.clip(np.where(idle >= 4, idle // 2, np.minimum(idle, 1)), 0, MAX_DELAY_SLOTS).astype(np.int32)
        self._drop[rows] = drop
        self._least_before[rows] = self._least[rows]
        self._least[rows] = np.inf
