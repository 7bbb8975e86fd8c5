"""Who reports to whom over RTCP, and what the reports of far sides say (RFC 3550 §6).

Every leg whose far side is known reports about every 5 s, its own moment drawn by chance so that the legs are spread
over the ticks (§6.2, §6.3.1; of two parties there are never so many that the interval would grow). What we hear of a
leg is in the columns of the playout; here is what was said of it last. What the far side says of us is kept per leg:
loss, jitter, and the time that a report takes there and back.

A report is believed where it came from the leg's remote, which whoever calls this has made sure of.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from . import rtcp
from .jitter import Playout
from .legs import Legs
from .rtcp import Heard, Report
from .seams import Octets, Rows

INTERVAL: Final = 5.0  # seconds, Tmin of §6.2
# §6.3.1: half to one and a half of it, and less by e - 3/2, which makes up for timers that are reconsidered.
_LEAST: Final = 0.5 / 1.21828
_MOST: Final = 1.5 / 1.21828
# A collision that comes again from the same remote within ten intervals is a loop (§8.2): an echo.
LOOP: Final = 10 * INTERVAL
_ALPHABET: Final = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", np.uint8)
# Of a report nothing is concluded sooner after we began to send, or after the last report.
SETTLED: Final = 2.0  # seconds
# A longer round trip is no time of a network but a report that lies, or the clock of whoever made it.
_LONGEST: Final = 10.0


class Reports:
    """Columns of all legs. `rng` draws intervals and CNAMEs."""

    def __init__(self, legs: Legs, playout: Playout, rng: np.random.Generator) -> None:
        n = legs.capacity
        self._legs = legs
        self._playout = playout
        self._rng = rng
        self._cname = np.zeros((n, rtcp.CNAME), np.uint8)
        self._due = np.zeros(n, np.float64)
        # Of what we sent and heard: as it stood at the last report, and whether the one before said that we send.
        self._packets = np.zeros(n, np.uint32)
        self._was_sender = np.zeros(n, np.bool_)
        self._source = np.zeros(n, np.uint32)
        self._highest = np.zeros(n, np.uint32)
        self._received = np.zeros(n, np.int64)
        self._expected = np.zeros(n, np.int64)
        self._first_received = np.zeros(n, np.int64)
        self._first_expected = np.zeros(n, np.int64)
        # Their last sender's report: its time as they wrote it, and when it came.
        self._last_sr = np.zeros(n, np.uint32)
        self._sr_source = np.zeros(n, np.uint32)
        self._sr_at = np.zeros(n, np.float64)
        self._spoke = np.zeros(n, np.bool_)  # we have sent a report, or media: a BYE is due (§6.3.7)
        self._collided_at = np.full(n, -np.inf, np.float64)
        # Since when we send, when the far side reported last, since when at the latest it sent packets by its own
        # account, how far it had heard us, and whether it says that nothing of ours arrives.
        self._since = np.full(n, np.inf, np.float64)
        self._reported_at = np.full(n, -np.inf, np.float64)
        self.sends_since = np.full(n, -np.inf, np.float64)
        self._their_packets = np.zeros(n, np.uint32)
        self._their_highest = np.zeros(n, np.int64)
        self.deaf = np.zeros(n, np.bool_)
        # What the far side says, NaN where it has said nothing: parts of one, seconds, seconds.
        self.loss = np.full(n, np.nan, np.float64)
        self.jitter = np.full(n, np.nan, np.float64)
        self.round_trip = np.full(n, np.nan, np.float64)

    def open(self, row: int) -> None:
        """A leg that begins."""
        self._cname[row] = _ALPHABET[self._rng.integers(len(_ALPHABET), size=rtcp.CNAME)]
        self._packets[row] = self._last_sr[row] = 0
        self._was_sender[row] = self._spoke[row] = False
        self._collided_at[row] = self._reported_at[row] = self.sends_since[row] = -np.inf
        self._their_packets[row] = 0
        self.send(row, np.inf)
        self.restart(row)
        self.loss[row] = self.jitter[row] = self.round_trip[row] = np.nan

    def send(self, row: int, since: float) -> None:
        """Media goes to the far side with an SSRC that it has not heard; infinity: none does."""
        self._since[row] = since
        self._their_highest[row] = -1
        self.deaf[row] = False

    def restart(self, row: int) -> None:
        """The playout's counters of this row began anew."""
        self._source[row] = self._highest[row] = 0
        self._received[row] = self._expected[row] = 0
        self._first_received[row] = self._first_expected[row] = 0

    def reach(self, row: int, now: float) -> None:
        """It is known now where the far side is: the first report is due after half an interval (§6.2)."""
        self._due[row] = now + INTERVAL / 2 * self._rng.uniform(_LEAST, _MOST)

    def due(self, rows: Rows, now: float) -> Rows:
        """Which of the legs `rows` report now; their next time is set."""
        found = rows[self._legs.reached[rows] & (self._due[rows] <= now)]
        if len(found):
            self._due[found] = now + INTERVAL * self._rng.uniform(_LEAST, _MOST, len(found))
        return found

    def write(self, rows: Rows, now: float) -> list[tuple[Rows, Octets]]:
        """The reports of `rows`, by shape: rows [n] and their compound packets uint8 [n, W]."""
        legs = self._legs
        sends = legs.packets[rows] != self._packets[rows]
        # also where it was one interval ago that we sent last (§6.4)
        sender = sends | self._was_sender[rows]
        report, block = self._report(rows, now)
        self._packets[rows] = legs.packets[rows]
        self._was_sender[rows] = sends
        self._spoke[rows] = True
        written = []
        for shape in np.unique(2 * sender + block):
            of = np.flatnonzero(2 * sender + block == shape)
            octets = rtcp.write(report.select(of), now, sender=bool(shape & 2), block=bool(shape & 1))
            written.append((rows[of], octets))
        return written

    def goodbye(self, row: int) -> Octets | None:
        """The last packet of a leg's SSRC, uint8 [1, W]; None where it has said nothing yet (§6.3.7)."""
        if not self._legs.reached[row] or not (self._spoke[row] or self._legs.packets[row]):
            return None
        return rtcp.goodbye(self._legs.ssrc[row : row + 1], self._cname[row : row + 1])

    def _report(self, rows: Rows, now: float) -> tuple[Report, NDArray[np.bool_]]:
        """What is to be said of `rows`, and of which of them there is something to say of the far side."""
        legs, playout = self._legs, self._playout
        source, sequence = playout.stream(rows)
        anew = source != self._source[rows]
        received, expected = playout.received[rows], playout.expected[rows]
        if np.count_nonzero(anew):
            # The counters of the playout go on over a change of the far side's SSRC, those of a report do not.
            begun = rows[anew]
            self._first_received[begun] = self._received[begun]
            self._first_expected[begun] = self._expected[begun]
            self._source[begun] = source[anew]
            # its first number: the highest, less what has been since
            first = sequence[anew] - (expected[anew] - self._first_expected[begun]) + 1
            self._highest[begun] = first & 0xFFFF
        new = received - self._received[rows]
        asked = expected - self._expected[rows]
        fraction = np.clip(
            ((asked - new) << 8) // np.maximum(asked, 1), 0, 255
        )  # §A.3: duplicates may make it negative
        highest = self._highest[rows]
        # Of its wraps the extended number keeps count, which reports see if less than 65536 packets lie between them.
        highest += (sequence - highest.astype(np.uint16)).astype(np.uint32)
        self._received[rows], self._expected[rows], self._highest[rows] = received, expected, highest
        rate = legs.clock_step[rows] * 50.0
        last_sr = np.where(self._sr_source[rows] == source, self._last_sr[rows], 0)
        since = np.where(last_sr != 0, now - self._sr_at[rows], 0.0)
        # The time of the report: of the next packet, one tick from now, less that tick.
        timestamp = legs.timestamp[rows] - legs.clock_step[rows]
        report = Report(
            ssrc=legs.ssrc[rows],
            cname=self._cname[rows],
            timestamp=timestamp,
            packets=legs.packets[rows],
            octets=legs.octets[rows],
            source=source,
            fraction=fraction.astype(np.uint32),
            lost=(expected - self._first_expected[rows]) - (received - self._first_received[rows]),
            highest=highest,
            jitter=np.rint(playout.jitter[rows] * rate).astype(np.uint32),
            last_sr=last_sr,
            since=rtcp.short_time(np.maximum(since, 0.0)),
        )
        return report, new > 0

    def hear(self, rows: Rows, heard: Heard, at: NDArray[np.float64]) -> None:
        """Takes in the valid reports `heard` [n] of the legs `rows` [n], which came `at` float64 [n]."""
        told = heard.sender
        grew = told & (heard.packets != self._their_packets[rows]) & (self._their_packets[rows] > 0)
        self.sends_since[rows[grew]] = self._sr_at[rows[grew]]
        self._their_packets[rows[told]] = heard.packets[told]
        self._last_sr[rows[told]] = heard.sr[told]
        self._sr_source[rows[told]] = heard.ssrc[told]
        self._sr_at[rows[told]] = at[told]
        # Who leaves need not say what it heard, nor who says so again at once.
        # A browser's sender reports have no block of what it hears: its receiver tells that in reports of its own.
        tells = heard.about_us | ~told | ~self._legs.secure[rows]
        judge = tells & ~heard.leaves & (at - self._since[rows] > SETTLED) & (at - self._reported_at[rows] > SETTLED)
        nothing = ~heard.about_us | (heard.fraction == 255) | (heard.highest == self._their_highest[rows])
        self.deaf[rows[judge]] = nothing[judge]
        self._reported_at[rows[tells]] = at[tells]
        us = heard.about_us
        self._their_highest[rows[us]] = heard.highest[us]
        of = rows[us]
        self.loss[of] = heard.fraction[us] / 256
        self.jitter[of] = heard.jitter[us] / np.maximum(self._legs.clock_step[of] * 50.0, 1.0)
        trip = rtcp.round_trip(at[us], heard.last_sr[us], heard.since[us])
        sound = trip <= _LONGEST  # not where it is NaN
        self.round_trip[of[sound]] = trip[sound]

    def collides(self, row: int, now: float) -> bool:
        """Our SSRC came from the far side: whether it is to be another one. Where the new one comes back as well, what
        comes is our own voice, and no number helps (§8.2)."""
        looped = bool(now - self._collided_at[row] < LOOP)
        self._collided_at[row] = now
        return not looped
