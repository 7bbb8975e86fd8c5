"""Digits that the far sides press: telephone events (RFC 4733), and tones where no events were agreed on.

An event is reported by many packets: one timestamp (when it began), a duration that grows, and at its end three packets
with the end bit, of which any one is enough. Browsers send only those three. So an event is known by its timestamp, and
told once: a little after its end, so that packets that overtook each other are told in order; or when nothing more of
it comes, for all three may be lost; or when a later one has ended. What comes of it afterwards says nothing new.

A row keeps the last few events. Those that were told are remembered for as long as packets of them may come, and no
longer: a timestamp says which of two events is the earlier only within one count of it, and far sides begin another in
the middle of a call, with the same SSRC.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..codecs import dtmf
from ..codecs.g711 import Pcm
from .legs import NO_EVENT, Legs
from .protocol import DigitPressed
from .rtp import Headers
from .twice import Ways

Rows = NDArray[np.intp]
Octets = NDArray[np.uint8]

EVENTS: Final = 4  # of a row at a time: nobody presses more keys within the time that an event is held
HOLD: Final = 3  # ticks from an event's end until it is told: what was overtaken by it may still come
PATIENCE: Final = 8  # ticks without a packet after which an event without an end is over
MEMORY: Final = 100  # ticks after the last packet of an event that was told in which another may come: 2 s
MAX_ROUNDS: Final = 8  # packets of one leg in one batch: three ends and what a stall held back
REPORT: Final = 4  # octets of an event's report (RFC 4733 §2.3)
# RFC 4733 §2.5.1.3: an event longer than its duration field goes on in another segment, which begins when the field is
# full; who counts in whole packets begins it some packets earlier.
LONGEST: Final = 0xFFFF
_NEARLY: Final = 0xF000
_TICK_MS: Final = 20


class Digits:
    """Columns of `EVENTS` events for each row."""

    def __init__(self, legs: Legs) -> None:
        n = legs.capacity
        self._legs = legs
        self._detector = dtmf.Detector(n)
        self._tick = 0
        shape = (n, EVENTS)
        self._known = np.zeros(shape, np.bool_)  # there is an event in this place
        self._told = np.zeros(shape, np.bool_)
        self._event = np.zeros(shape, np.uint8)
        self._first = np.zeros(shape, np.uint32)  # timestamp of its beginning
        self._last = np.zeros(shape, np.uint32)  # ... and of its last segment
        self._sequence = np.zeros(shape, np.uint16)  # of the newest packet of it
        self._duration = np.zeros(shape, np.int64)  # timestamp units, of all segments
        self._ended_at = np.full(shape, -1, np.int64)  # tick; -1: no packet with the end bit came yet
        self._heard_at = np.zeros(shape, np.int64)
        self._ssrc = np.zeros(n, np.uint32)
        self._waits = np.zeros(n, np.bool_)  # something is to be told
        self._pressed: list[DigitPressed] = []
        self._ways: dict[int, Ways] = {}  # of rows that pressed something
        self._by_tone: Rows | None = None
        self._heard = self._listening = np.zeros(0, np.intp)  # what was asked of `listening`, and the answer
        self.ignored = 0  # reports of what is no digit, too short, too many, or of long ago

    def forget(self, row: int) -> None:
        """A leg begins or ends in this row, or agreed on something else: what was pressed before is nothing to it."""
        self._known[row] = self._waits[row] = False
        self._detector.forget(np.array([row]))
        self._ways.pop(row, None)
        self._by_tone = None

    def is_new(self, row: int, digit: str, now: float, *, by_info: bool) -> bool:
        """Whether this key, which is told now, was not told by the other way."""
        return self._ways.setdefault(row, Ways()).is_new(digit, now, by_info=by_info)

    # --- tones ----------------------------------------------------------------------------------------------------

    def listening(self, heard: Rows) -> Rows:
        """The rows that must be decoded where those of `heard` are heard: also the legs with which no events were
        agreed on. Ascending; the same array as long as nothing has changed."""
        if self._by_tone is None or heard is not self._heard:
            rows = self._legs.leg_rows()
            self._by_tone = rows[self._legs.telephone_event[rows] == NO_EVENT]
            self._heard = heard
            self._listening = np.union1d(heard, self._by_tone) if len(self._by_tone) else heard
        return self._listening

    def listen(self, pcm: Pcm) -> None:
        """This tick's frames of all rows, int16 [capacity, 160]."""
        rows = self._by_tone
        if rows is None or not len(rows):
            return
        found = self._detector.listen(rows, pcm[rows])
        for row, event, duration_ms in zip(found.rows, found.events, found.duration_ms, strict=True):
            digit = dtmf.DIGITS[event]
            self._pressed.append(DigitPressed(self._legs.names[row], digit, int(duration_ms), "tone"))

    # --- events ---------------------------------------------------------------------------------------------------

    def arrive(self, rows: Rows, packets: Rows, headers: Headers, data: Octets) -> None:
        """Takes in telephone events: `packets` [n] of the batch `data` uint8 [m, W] and its `headers`, each of the leg
        in `rows` [n]; many of one leg in the order they stand."""
        order = np.argsort(rows, kind="stable")
        rows, packets = rows[order], packets[order]
        rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
        for i in range(min(int(rank.max(initial=-1)) + 1, MAX_ROUNDS)):
            self._arrive(rows[rank == i], packets[rank == i], headers, data)
        self.ignored += int((rank >= MAX_ROUNDS).sum())

    def _arrive(self, rows: Rows, packets: Rows, headers: Headers, data: Octets) -> None:
        """At most one packet per row."""
        whole = headers.length[packets] >= REPORT
        at = np.where(whole, headers.offset[packets], 0)
        octets = data[packets[:, None], at[:, None] + np.arange(REPORT)].astype(np.int64)
        digit = whole & (octets[:, 0] < len(dtmf.DIGITS))
        self.ignored += len(packets) - int(digit.sum())
        rows, packets, octets = rows[digit], packets[digit], octets[digit]
        timestamp, sequence = headers.timestamp[packets], headers.sequence[packets]
        self._follow_ssrc(rows, headers.ssrc[packets])
        self._known[rows] &= ~self._told[rows] | (self._tick - self._heard_at[rows] <= MEMORY)
        event, end = octets[:, 0].astype(np.uint8), octets[:, 1] >= 0x80
        duration = octets[:, 2] << 8 | octets[:, 3]

        into = (timestamp[:, None] - self._first[rows]).view(np.int32).astype(np.int64)
        span = (self._last[rows] - self._first[rows]).view(np.int32).astype(np.int64)
        since = into - span  # the beginning of the last segment
        same = self._known[rows] & (into >= 0) & (since <= 0)
        segment = (
            self._known[rows]
            & (self._event[rows] == event[:, None])
            & (self._ended_at[rows] < 0)
            & (since >= _NEARLY)
            & (since <= LONGEST)
            & ~headers.marker[packets][:, None]  # a new event's first packet has it
        )
        mine = same | segment
        found = mine.any(axis=1)
        if np.count_nonzero(found):
            r, place = rows[found], mine[found].argmax(axis=1)
            new = segment[found, place]
            self._last[r[new], place[new]] = timestamp[found][new]
            # What an older segment says of its own duration is known by the beginning of the next.
            total = into[found, place] + duration[found]
            self._duration[r, place] = np.maximum(self._duration[r, place], total)
            self._heard_at[r, place] = self._tick
            newer = _is_after(sequence[found], self._sequence[r, place])
            self._sequence[r[newer], place[newer]] = sequence[found][newer]
            ends = end[found] & (self._ended_at[r, place] < 0)
            self._ended_at[r[ends], place[ends]] = self._tick
        if np.count_nonzero(~found):
            fresh = ~found
            self._begin(rows[fresh], event[fresh], timestamp[fresh], sequence[fresh], duration[fresh], end[fresh])

    def _begin(
        self,
        rows: Rows,
        event: NDArray[np.uint8],
        timestamp: NDArray[np.uint32],
        sequence: NDArray[np.uint16],
        duration: NDArray[np.int64],
        end: NDArray[np.bool_],
    ) -> None:
        """Events that were not known, unless they are older than one that was told: by their time, and sent before it.
        What was sent after it counts its time anew."""
        since = (timestamp[:, None] - self._first[rows]).view(np.int32)
        told = self._known[rows] & self._told[rows]
        old = (told & (since <= 0) & ~_is_after(sequence[:, None], self._sequence[rows])).any(axis=1)
        # A free place, or else that of the event that was told the longest ago.
        since_heard = self._tick - self._heard_at[rows]
        age = np.where(told, since_heard, np.where(self._known[rows], -1, np.iinfo(np.int64).max))
        place = age.argmax(axis=1)
        room = ~old & (np.take_along_axis(age, place[:, None], axis=1)[:, 0] >= 0)
        self.ignored += len(rows) - int(room.sum())
        r, p = rows[room], place[room]
        self._known[r, p] = True
        self._told[r, p] = False
        self._event[r, p] = event[room]
        self._first[r, p] = self._last[r, p] = timestamp[room]
        self._sequence[r, p] = sequence[room]
        self._duration[r, p] = duration[room]
        self._heard_at[r, p] = self._tick
        self._ended_at[r, p] = np.where(end[room], self._tick, -1)
        self._waits[r] = True

    def _follow_ssrc(self, rows: Rows, ssrc: NDArray[np.uint32]) -> None:
        """Timestamps of another stream have nothing to do with those before: what was begun is over, nothing is old."""
        changed = rows[self._ssrc[rows] != ssrc]
        if len(changed):
            self._tell(changed, self._known[changed] & ~self._told[changed])
            self._known[changed] = False
        self._ssrc[rows] = ssrc

    def tick(self) -> list[DigitPressed]:
        """The digits that are over with this tick, those of a leg in the order they were pressed."""
        self._tick += 1
        if np.count_nonzero(self._waits):
            rows = np.flatnonzero(self._waits)
            waits = self._known[rows] & ~self._told[rows]
            ended = self._ended_at[rows] >= 0
            due = waits & ended & (self._tick - self._ended_at[rows] >= HOLD)
            due |= waits & (self._tick - self._heard_at[rows] >= PATIENCE)
            # Who presses the next key has let the one before go.
            after = (self._first[rows][:, None, :] - self._first[rows][:, :, None]).view(np.int32) > 0
            due |= waits & (after & due[:, None, :]).any(axis=2)
            self._tell(rows, due)
            self._waits[rows] = (waits & ~due).any(axis=1)
        pressed, self._pressed = self._pressed, []
        return pressed

    def _tell(self, rows: Rows, which: NDArray[np.bool_]) -> None:
        """`which` bool [n, EVENTS] of the events of `rows` [n] are over."""
        for i in np.flatnonzero(which.any(axis=1)):
            row = int(rows[i])
            places = np.flatnonzero(which[i])
            first = self._first[row, places]
            for place in places[np.argsort((first - first[0]).view(np.int32))]:
                digit = dtmf.DIGITS[self._event[row, place]]
                duration_ms = int(self._duration[row, place]) * _TICK_MS // int(self._legs.event_step[row])
                self._pressed.append(DigitPressed(self._legs.names[row], digit, duration_ms, "event"))
            self._told[row, places] = True


def _is_after(sequence: NDArray[np.uint16], other: NDArray[np.uint16]) -> NDArray[np.bool_]:
    """Whether packets were sent after others: their numbers go round (RFC 3550 §5.1)."""
    after: NDArray[np.bool_] = (sequence - other).view(np.int16) > 0
    return after
