"""Adaptive playout of all legs at once: packets come when the network pleases, frames leave every 20 ms.

A leg's packets are stored as they came, by their timestamp, in a ring of 20 ms slots (store.py): arrival order,
duplicates and wrapped counters cost nothing there, and the payload is decoded only when it is played (or never, if
nobody listens).
`play` is the next slot to leave; it moves one slot a tick whatever comes, so a gap in the stream is a gap in time.

The *lead* of a packet is how long it lies before it is played. Late packets (negative lead) hold the playout back by
one slot each, up to what they would have needed; so one straggler costs 20 ms of delay and a stall costs its length.
The smallest lead of the last 4 s says how much delay is idle: that much is let go, a frame at a time, by
cross-fading two frames into one where the talker pauses; who does not pause for 2 s is cut into. A drifting clock of
the far side is the same thing, slowly.

What is missing when it is due is concealed, but whether it was ever sent is told by the next packet alone. One that has
the next number and is of a later time comes after a pause (RFC 3551 §4.1), or after telephone events in place of sound:
before it nothing was lost.

A new SSRC, a timestamp far off, or a stream that comes back after a second of nothing begins the row anew. A packet of
before that comes after such a second does not.

Clock: G.711 counts samples at 8 kHz and is stored in blocks of 10 ms, two to a slot; Opus counts them at 48 kHz (RFC
7587 §4.1), in blocks of 2.5 ms, eight to a slot. A timestamp is taken for the nearest block's, so coarse blocks bear
with those who read theirs off a clock. Whose packets of G.711 are no multiple of 10 ms (some gateways have 5, 15 and
25) is stored in blocks of 5 ms from the first of them on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from ..codecs.opuspacket import UNIT
from .legs import those
from .store import FINE_SHIFT, NARROW_SHIFT, OCTETS, SLOTS, WIDE_SHIFT, Arrivals, Rows, Store

TICK: Final = 0.020  # seconds of a slot
START_DELAY: Final = 0.010  # a stream's first frame lies this long and then waits for the tick: 10 to 30 ms
# Lead that is left when delay is let go: what a stream begins with, less what a calm network varies by. With as much as
# at the beginning, every fifth stream would keep 20 ms that it did not begin with, for the sake of 4 ms.
MARGIN: Final = 0.008
RESTART_LEAD: Final = -0.5  # a packet this late is a stream that has jumped
# So many packets behind the newest one may still be of its stream; what is further behind is of another that has begun
# with the same SSRC (RFC 3550 A.1).
MAX_MISORDER: Final = 100
IDLE_SLOTS: Final = 50  # after this many empty slots the next packet begins the row anew
WINDOW_TICKS: Final = 100  # 2 s: how often delay is reconsidered
MAX_DELAY_SLOTS: Final = 15  # late packets push the playout back no further: 300 ms
# More packets of one leg in one batch than this are dropped, the oldest: 20 ms of 10 ms packets after a stall of 200 ms
# are 22.
MAX_ROUNDS: Final = 24


@frozen
class _Clock:
    """How some rows count: units of a timestamp in a block, a second of one, and blocks of a slot as a power of two."""

    units: int
    second: float
    shift: int


_NARROW: Final = _Clock(OCTETS >> NARROW_SHIFT, 1 / 8000, NARROW_SHIFT)
_FINE: Final = _Clock(OCTETS >> FINE_SHIFT, 1 / 8000, FINE_SHIFT)
_WIDE: Final = _Clock(UNIT, 1 / 48000, WIDE_SHIFT)
_SMOOTH: Final = 1 / 16  # RFC 3550 §6.4.1


@frozen
class Due:
    """What one tick plays: `rows` have a frame in `cells` of the store; `missing` rows have none.

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
        self.store = Store(n)
        # Timestamp units of a block, and blocks of a slot as a power of two.
        self._block_units = np.full(n, _NARROW.units, np.int64)
        self._shift = np.full(n, _NARROW.shift, np.int64)
        self._fine_rows: frozenset[int] = frozenset()
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
        self._unjudged = np.zeros(n, np.int64)  # slots that were missing since the newest packet came
        self._unsent_until = np.zeros(n, np.int64)  # the slot before which nothing is missing that was sent
        self._least = np.full(n, np.inf, np.float64)
        self._least_before = np.full(n, np.inf, np.float64)
        self._next_tick = 0.0
        self._ticks = 0
        # What reports are made of; counts only grow.
        self.received = np.zeros(n, np.int64)
        self.expected = np.zeros(n, np.int64)
        self.late = np.zeros(n, np.int64)
        self.concealed = np.zeros(n, np.int64)  # slots of what was sent
        self.resets = np.zeros(n, np.int64)
        self.jitter = np.zeros(n, np.float64)  # seconds, RFC 3550 §6.4.1
        self.delay = np.zeros(n, np.float64)  # seconds, smoothed lead
        self.flooded = 0

    def open(self, row: int, *, wide: bool) -> None:
        """A row of a leg that begins, or begins anew with another codec."""
        self.store.open(row, wide=wide)
        clock = _WIDE if wide else _NARROW
        self._block_units[row], self._shift[row] = clock.units, clock.shift
        self._fine_rows -= {row}
        for column in (self.active, self._started, self._hold, self._drop, self._overdue, self._empty):
            column[row] = 0
        for counter in (self.received, self.expected, self.late, self.concealed, self.resets):
            counter[row] = 0
        self._unjudged[row] = 0
        self.jitter[row] = self.delay[row] = 0.0

    def insert(self, arrivals: Arrivals) -> None:
        """Stores a batch; many packets of one row are taken in the order they stand."""
        if not len(arrivals.row):
            return
        if self.store.wide_rows and np.count_nonzero(wide := self.store.is_wide[arrivals.row]):
            if np.count_nonzero(wide) < len(wide):
                self._insert_narrow(arrivals.select((~wide).nonzero()[0]))
                arrivals = arrivals.select(wide.nonzero()[0])
            self._insert_all(arrivals, _WIDE)
        else:
            self._insert_narrow(arrivals)

    def _insert_narrow(self, arrivals: Arrivals) -> None:
        """Of G.711 and G.722."""
        if np.count_nonzero(other := arrivals.length != OCTETS):
            self._refine(arrivals.row[other][arrivals.length[other] % _NARROW.units != 0])
        if self._fine_rows and np.count_nonzero(fine := self._shift[arrivals.row] == FINE_SHIFT):
            if np.count_nonzero(fine) < len(fine):
                self._insert_all(arrivals.select((~fine).nonzero()[0]), _NARROW)
                arrivals = arrivals.select(fine.nonzero()[0])
            self._insert_all(arrivals, _FINE)
        else:
            self._insert_all(arrivals, _NARROW)

    def _refine(self, rows: Rows) -> None:
        """Packets of `rows` are no multiple of their blocks: each begins anew with such of 5 ms, if it has not yet."""
        if len(coarse := rows[self._shift[rows] == NARROW_SHIFT]):
            self._block_units[coarse], self._shift[coarse] = _FINE.units, _FINE.shift
            self._fine_rows |= set(coarse.tolist())
            self.active[coarse] = False

    def _insert_all(self, arrivals: Arrivals, clock: _Clock) -> None:
        rows = arrivals.row
        count = np.bincount(rows)
        if count.max() == 1:
            self._insert(arrivals, clock)
            return
        # Of most rows there is one: only the others' packets are put in turns.
        several = np.flatnonzero(count[rows] > 1)
        order = several[np.argsort(rows[several], kind="stable")]
        first = np.searchsorted(rows[order], rows[order])
        rank = np.zeros(len(rows), np.intp)
        rank[order] = np.arange(len(order)) - first - np.maximum(count[rows[order]] - MAX_ROUNDS, 0)
        for i in range(min(int(count.max()), MAX_ROUNDS)):
            self._insert(arrivals.select(np.flatnonzero(rank == i)), clock)
        self.flooded += int((rank < 0).sum())

    def count(self, rows: Rows, sequence: NDArray[np.uint16]) -> None:
        """Packets of `rows` [n] that are not played have sequence numbers of the same stream: they are not lost."""
        np.add.at(self.received, rows, 1)
        some, which = np.unique(rows, return_inverse=True)
        newest = np.zeros(len(some), np.int64)
        np.maximum.at(newest, which, (sequence - self._sequence[rows]).view(np.int16).astype(np.int64))
        newest[~self.active[some] | (newest >= 3000)] = 0
        self.expected[some] += newest
        self._sequence[some] += newest.astype(np.uint16)

    def _insert(self, a: Arrivals, clock: _Clock) -> None:
        """At most one packet per row; all are of one clock."""
        rows, shift = a.row, clock.shift
        step = (a.timestamp - self._base_timestamp[rows]).view(np.int32).astype(np.int64)
        block = self._base_block[rows] + (step + clock.units // 2) // clock.units
        ahead = (block >> shift) - self._play[rows]
        started = self._started[rows]
        all_started = np.count_nonzero(started) == len(rows)
        next_play = self._next_tick if all_started else np.where(started, self._next_tick, self._start_at[rows])
        lead = ahead * TICK + (next_play - a.at)
        newer = (a.sequence - self._sequence[rows]).view(np.int16).astype(np.int64)
        # Of a stream that goes on, and in time: mostly all are.
        usual = a.ssrc == self._ssrc[rows]
        usual &= self.active[rows]
        usual &= ahead.view(np.uint64) < SLOTS
        usual &= lead >= RESTART_LEAD
        if np.count_nonzero(usual) == len(rows):
            self.received[rows] += 1
            self._measure(a, clock, newer, step, block, lead)
            self.store.put(a, block, self._play, shift)
            return
        active = self.active[rows]
        over = ~active & ~self._straggles(a, newer, ahead)
        anew = over | (a.ssrc != self._ssrc[rows]) | (ahead >= SLOTS) | ((lead < RESTART_LEAD) & (newer > 0))
        if np.count_nonzero(anew):
            begun = rows[anew]
            self._begin(begun, a.timestamp[anew], a.sequence[anew], a.ssrc[anew], a.at[anew])
            self.resets[begun] += active[anew]
            block[anew] = self._ticks << shift
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
        self._measure(a, clock, newer, step, block, lead)
        if not np.count_nonzero(late):
            self.store.put(a, block, self._play, shift)
            return
        self._be_late(rows[late], lead[late])
        # Of a long packet the rest may still be in time.
        last = (block + self.store.blocks(a, shift) - 1) >> shift
        if len(keep := np.flatnonzero(~late | (last >= self._play[rows]))):
            self.store.put(a.select(keep), block[keep], self._play, shift)

    def _straggles(self, a: Arrivals, newer: NDArray[np.int64], ahead: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which packets are the last of a stream that has ended: they begin none, and nothing is said once more."""
        known = (self.received[a.row] > 0) & (a.ssrc == self._ssrc[a.row])
        straggles: NDArray[np.bool_] = known & (newer <= 0) & (newer > -MAX_MISORDER) & (ahead < 0)
        return straggles

    def _begin(
        self,
        rows: Rows,
        timestamp: NDArray[np.uint32],
        sequence: NDArray[np.uint16],
        ssrc: NDArray[np.uint32],
        at: NDArray[np.float64],
    ) -> None:
        self.store.forget(rows)
        self.active[rows] = True
        self.streams[rows] += 1
        self._started[rows] = False
        self._start_at[rows] = at + START_DELAY
        # Slots are numbered by ticks, so that what a tick plays lies together in memory.
        self._play[rows] = self._ticks
        self._base_block[rows] = self._ticks << self._shift[rows]
        self._base_timestamp[rows] = timestamp
        self.expected[rows] += 1
        self._sequence[rows] = sequence
        self._ssrc[rows] = ssrc
        self._arrived[rows] = at
        self._hold[rows] = self._drop[rows] = self._empty[rows] = self._unjudged[rows] = self._unsent_until[rows] = 0
        self._overdue[rows] = False
        self._least[rows] = self._least_before[rows] = np.inf

    def _measure(
        self,
        a: Arrivals,
        clock: _Clock,
        newer: NDArray[np.int64],
        step: NDArray[np.int64],
        block: NDArray[np.int64],
        lead: NDArray[np.float64],
    ) -> None:
        """Counts, jitter, and the leads from which the delay is steered."""
        rows = a.row
        self._least[rows] = np.minimum(self._least[rows], lead)
        delay = self.delay[rows]
        self.delay[rows] = delay + (lead - delay) * _SMOOTH
        ahead = those(newer > 0)
        r, advance, at = rows[ahead], newer[ahead], a.at[ahead]
        self._judge(a, ahead, clock, advance, step, block, lead)
        # A jump in sequence numbers that is no loss (a restarted sender) is not counted as one (RFC 3550 A.1).
        self.expected[r] += np.where(advance < 3000, advance, 1)
        difference = (at - self._arrived[r]) - step[ahead] * clock.second
        jitter = self.jitter[r]
        self.jitter[r] = jitter + (np.minimum(np.abs(difference), 1.0) - jitter) * _SMOOTH
        self._arrived[r] = at
        self._sequence[r] = a.sequence[ahead]
        self._base_timestamp[r] = a.timestamp[ahead]
        self._base_block[r] = block[ahead]

    def _judge(
        self,
        a: Arrivals,
        ahead: Rows | slice,
        clock: _Clock,
        advance: NDArray[np.int64],
        step: NDArray[np.int64],
        block: NDArray[np.int64],
        lead: NDArray[np.float64],
    ) -> None:
        """Whether what was missing before the packets that are `ahead` of all others was sent at all."""
        rows, slot = a.row[ahead], clock.units << clock.shift
        unsent = (advance == 1) & (step[ahead] > slot)
        if np.count_nonzero(unsent):  # or packets are as long as that
            some = np.arange(len(a.row))[ahead][unsent]
            gap = step[some] - self.store.blocks(a.select(some), clock.shift) * clock.units
            unsent[unsent] = (2 * gap >= slot) & (lead[some] >= 0)
            after = np.arange(len(a.row))[ahead][unsent]
            self._unsent_until[a.row[after]] = block[after] >> clock.shift
        if np.count_nonzero(unjudged := self._unjudged[rows]):
            self.concealed[rows] += np.where(unsent, 0, unjudged)
            self._unjudged[rows] = 0

    def _be_late(self, rows: Rows, lead: NDArray[np.float64]) -> None:
        self.late[rows] += 1
        needed = np.ceil(-lead / TICK).astype(np.int32)
        hold = self._hold[rows]
        grown = np.maximum(hold, np.minimum(np.minimum(hold + 1, needed), MAX_DELAY_SLOTS))
        self._hold[rows] = grown
        self._drop[rows] = 0

    def next(self, rows: Rows) -> tuple[Rows, Rows]:
        """Those of `rows` whose next frame is there, unless they wait a tick before it, and the cells it stands in."""
        rows = rows[self.active[rows] & (self._hold[rows] == 0)]
        play = self._play[rows]
        cells = self.store.cells(rows, play)
        got = np.flatnonzero(self.store.whole(cells, play))
        return rows[got], cells[got]

    def slot_of(self, rows: Rows, timestamp: NDArray[np.uint32]) -> NDArray[np.int64]:
        """The slot in which a packet of each of `rows` with that timestamp [n] would stand."""
        units = self._block_units[rows]
        step = (timestamp - self._base_timestamp[rows]).view(np.int32).astype(np.int64)
        block: NDArray[np.int64] = self._base_block[rows] + np.floor_divide(step + (units >> 1), units)
        return block >> self._shift[rows]

    def played(self, rows: Rows) -> NDArray[np.int64]:
        """The slot that each of `rows` played last, or would have."""
        last: NDArray[np.int64] = self._play[rows] - 1
        return last

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
        cells = self.store.cells(r, play)
        got = self.store.whole(cells, play)
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
            after = self.store.cells(r, play + 1)
            dropping &= self.store.whole(after, play + 1)
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
        silent = self.quiet[r] | (play < self._unsent_until[r])
        self._empty[r] = np.where(got | silent, 0, self._empty[r] + 1)
        self._unjudged[missing] += ~silent[~got]
        over = missing[self._empty[missing] >= IDLE_SLOTS]
        if len(over):
            self.active[over] = False
            self._unjudged[over] = 0  # it was no loss, the stream had ended
        return Due(r[got], cells[got], missing, merged, merged_cells)

    def skip(self, rows: Rows, ticks: int) -> None:
        """Time went by without ticks: what was due then is not played any more, and came no later for it."""
        self._play[rows[self._started[rows]]] += ticks
        self._next_tick += ticks * TICK

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
