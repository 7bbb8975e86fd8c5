"""Digits that the far sides are sent: telephone events where they agreed on them (RFC 4733), tones where not.

A leg's digits follow one another. While a digit is sent its packets take the place of the leg's sound, one a tick: the
timestamp is that of its beginning, the duration grows by a tick with each, and the last one is sent three times
(§2.5.1.4). Sound and the clock of its timestamps go on meanwhile, so what follows is where it belongs. A tone takes the
place of what the leg hears.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from ..codecs import dtmf
from ..codecs.bands import SAMPLES
from . import protocol
from .digits import LONGEST
from .legs import NO_EVENT, TICK_MS, Legs
from .rooms import Heard, up_to

Rows = NDArray[np.intp]

ENDS: Final = 3  # RFC 4733 §2.5.1.4: the last packet, so often in all
VOLUME: Final = round(-dtmf.HIGH_DBM0)  # dBm0 without its sign (§2.3.4)
_NONE: Final = np.zeros(0, np.intp)


@frozen
class Keyed:
    """What digits there are in one tick.

    The packets of `rows` [n] are reports of events: `payload` uint8 [n, 4], `timestamp` uint32 [n], `marker` bool [n].
    Those of `tones` hear them instead of what they hear, each in its band.
    """

    rows: Rows
    payload: NDArray[np.uint8]
    timestamp: NDArray[np.uint32]
    marker: NDArray[np.bool_]
    tones: Sequence[Heard]


def over(heard: Sequence[Heard], tones: Sequence[Heard]) -> list[Heard]:
    """What is heard, by band, with the tones in place of it."""
    made = up_to(max((one.band for one in tones), default=0), heard)
    for one in tones:
        of = made[one.band]
        stays = np.flatnonzero(~np.isin(of.listeners, one.listeners))
        made[one.band] = Heard(
            one.band,
            np.concatenate([of.listeners[stays], one.listeners]),
            np.concatenate([of.pcm[stays], one.pcm]),
            np.concatenate([of.audible[stays], one.audible]),
        )
    return made


def speakable(command: protocol.SendDigits) -> bool:
    """Whether that can be sent."""
    return (
        1 <= len(command.digits) <= protocol.MAX_DIGITS
        and set(command.digits) <= set(dtmf.DIGITS)
        and protocol.MIN_DIGIT_MS <= command.duration_ms <= protocol.MAX_DIGIT_MS
        and protocol.MIN_DIGIT_MS <= command.gap_ms <= protocol.MAX_DIGIT_MS
    )


class Keying:
    """Columns of the digit that each row sends, and what waits behind it."""

    def __init__(self, legs: Legs) -> None:
        n = legs.capacity
        self._legs = legs
        self._event = np.zeros(n, np.uint8)
        self._begun = np.zeros(n, np.uint32)  # timestamp
        self._age = np.zeros(n, np.int64)  # ticks since it began
        self._units = np.zeros(n, np.int64)  # its length on the events' clock; of a tone in samples
        self._ends = np.zeros(n, np.int64)  # last packets sent
        self._pause = np.zeros(n, np.int64)  # ticks until the next may begin
        self._gap = np.zeros(n, np.int64)  # ticks of it, as wanted
        self._waiting: dict[int, deque[tuple[int, int, int]]] = {}  # event, ms, ms of the gap behind it
        self._busy = _NONE  # rows with a digit, or a pause behind one

    def forget(self, row: int) -> None:
        """The leg of this row ends, or agreed on something else: digits that were to be sent are not."""
        if self._waiting.pop(row, None) is not None:
            self._busy = self._busy[self._busy != row]

    def send(self, row: int, command: protocol.SendDigits) -> bool:
        """`command` is speakable. False where so many digits wait already that these cannot."""
        waiting = self._waiting.setdefault(row, deque())
        if len(waiting) + len(command.digits) > protocol.MAX_DIGITS:
            return False
        waiting.extend((dtmf.DIGITS.index(digit), command.duration_ms, command.gap_ms) for digit in command.digits)
        if row not in self._busy:
            self._busy = np.append(self._busy, row)
            self._pause[row] = self._units[row] = 0
        return True

    def restart(self, row: int) -> None:
        """The leg's stream begins anew: of a digit that was half sent no more is, for it would be another there."""
        self._units[row], self._pause[row] = 0, self._gap[row]

    def tick(self) -> Keyed | None:
        """What this tick sends; None where nobody is sent a digit."""
        if not len(self._busy):
            return None
        legs = self._legs
        rows = self._busy[legs.sending[self._busy]]
        for row in rows[(self._units[rows] == 0) & (self._pause[rows] == 0)]:
            self._next(int(row))
        rows = rows[np.isin(rows, self._busy)]
        self._pause[rows] = np.maximum(self._pause[rows] - 1, 0)
        keying = rows[self._units[rows] > 0]
        by_event = legs.telephone_event[keying] != NO_EVENT
        events, toned = keying[by_event], keying[~by_event]
        payload, timestamp, marker = self._reports(events)
        bands = legs.band[toned]
        tones = [self._tones(toned[bands == band], band) for band in np.unique(bands).tolist()]
        self._age[keying] += 1
        over = np.concatenate(
            [events[self._ends[events] == ENDS], toned[self._age[toned] * dtmf.FRAME >= self._units[toned]]]
        )
        self._units[over] = 0
        # Of the gap the packets that repeat the end are a part.
        self._pause[over] = np.maximum(self._gap[over] - np.maximum(self._ends[over] - 1, 0), 0)
        return Keyed(events, payload, timestamp, marker, tones)

    def _tones(self, rows: Rows, band: int) -> Heard:
        tones = dtmf.tones(self._event[rows], self._age[rows] * dtmf.FRAME, self._units[rows], SAMPLES[band])
        return Heard(band, rows, tones, np.ones(len(rows), np.bool_))

    def _next(self, row: int) -> None:
        """The pause is over: the next digit begins, or all have been sent."""
        waiting = self._waiting[row]
        if not waiting:
            self.forget(row)
            return
        event, duration_ms, gap_ms = waiting.popleft()
        by_event = self._legs.telephone_event[row] != NO_EVENT
        step = int(self._legs.event_step[row]) if by_event else dtmf.FRAME
        self._event[row] = event
        self._begun[row] = self._legs.timestamp[row]
        self._age[row] = self._ends[row] = 0
        self._units[row] = duration_ms * step // TICK_MS
        self._gap[row] = -(-gap_ms // TICK_MS)

    def _reports(self, rows: Rows) -> tuple[NDArray[np.uint8], NDArray[np.uint32], NDArray[np.bool_]]:
        """The packet of this tick for each of `rows`."""
        step = self._legs.event_step[rows].astype(np.int64)
        units, age = self._units[rows], self._age[rows]
        # A segment is reported to its full length before the next begins (§2.5.1.3).
        segment = np.minimum(age * step, units - 1) // LONGEST
        sofar = np.minimum((age + 1) * step, units) - segment * LONGEST
        ends = (sofar + segment * LONGEST == units) & (sofar <= LONGEST)
        duration = np.minimum(sofar, LONGEST)
        payload = np.empty((len(rows), 4), np.uint8)
        payload[:, 0] = self._event[rows]
        payload[:, 1] = np.where(ends, 0x80 | VOLUME, VOLUME)
        payload[:, 2] = duration >> 8
        payload[:, 3] = duration & 0xFF
        self._ends[rows] += ends
        of_clock = self._legs.clock_step[rows] // step
        timestamp = self._begun[rows] + (segment * LONGEST * of_clock).astype(np.uint32)
        return payload, timestamp, age == 0
