"""The columns: one row for each leg, source and channel of a recording, in arrays that every stage indexes by row.

A row is given out lowest first, so that the rows in use stay together, and belongs to one id from `add` to `remove`.
All share the rows, because legs and sources speak, and legs and channels listen. There is no object per leg: a leg is
its row.
"""

from __future__ import annotations

import heapq
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..codecs import g711
from .holdings import Kind as Kind
from .holdings import Sums, mark

# How long packets are that a far side may ask for, in tens (gather.py), and of how much sound a tick is.
LEAST_MS: Final = 10
TICK_MS: Final = 20
LONGEST_MS: Final = 60
NO_EVENT: Final = 255  # no payload type is so large (RFC 3550 §5.1: 7 bits)


class CodecId:
    """What a leg speaks, as a plain number."""

    PCMU: Final = 0
    PCMA: Final = 1
    G722: Final = 2
    OPUS: Final = 3


# What an octet of silence is in each law; G.722 has none (codecs/g722.py).
SILENCE: Final = {CodecId.PCMU: g711.ULAW_SILENCE, CodecId.PCMA: g711.ALAW_SILENCE}


def those(mask: NDArray[np.bool_]) -> NDArray[np.intp] | slice:
    """An index of where `mask` is true; where that is everywhere, as it mostly is, one that takes a column as it is.

    What is got by it may be a view: it is for reading, or for setting.

    (Here and in every stage count_nonzero is asked instead of any() and all(): they go through Python and take thrice
    the time, which for some hundred rows is more than what is done with the rows.)
    """
    return slice(None) if np.count_nonzero(mask) == len(mask) else mask.nonzero()[0]


class Legs:
    """Columns of `capacity` rows."""

    def __init__(self, capacity: int) -> None:
        n = capacity
        self.capacity = n
        self.ids: dict[str, int] = {}
        self.names: list[str] = [""] * n
        # Of each row that is in use, and their sums (holdings.py).
        self.marks: list[int] = [0] * n
        self.sums = Sums()
        self._free = list(range(n))
        self._leg_rows: NDArray[np.intp] | None = None
        self.kind = np.zeros(n, np.uint8)
        self.codec = np.zeros(n, np.uint8)
        self.secure = np.zeros(n, np.bool_)  # a browser's: SRTP over the browsers' port
        self.sealed = np.zeros(n, np.bool_)  # a trunk's under SRTP: over the pool's sockets as plain RTP is
        self.reached = np.zeros(n, np.bool_)  # there is somewhere to send to
        self.held = np.zeros(n, np.bool_)  # the far side wants to hear nothing (RFC 3264 §8.4)
        self.sending = np.zeros(n, np.bool_)  # reached, and not held
        self.payload_type = np.zeros(n, np.uint8)  # of what it is sent
        self.heard_type = np.zeros(n, np.uint8)  # ... and of what it sends
        self.heard_begins = np.zeros(n, np.uint32)  # ... and how that begins (rtp.usual)
        self.band = np.zeros(n, np.uint8)  # in which it is sent what it hears
        self.telephone_event = np.full(n, NO_EVENT, np.uint8)
        self.heard_event = np.full(n, NO_EVENT, np.uint8)
        # Outgoing RTP: the next packet's numbers.
        self.ssrc = np.zeros(n, np.uint32)
        self.sequence = np.zeros(n, np.uint16)
        self.timestamp = np.zeros(n, np.uint32)
        self.clock_step = np.zeros(n, np.uint32)  # timestamp units of 20 ms
        self.event_step = np.ones(n, np.uint32)  # ... and of events
        self.packet_ms = np.full(n, TICK_MS, np.int64)  # ... and how long a packet is
        self.constant = np.zeros(n, np.bool_)  # ... and, of Opus, all of one length
        self.marker = np.zeros(n, np.bool_)  # the next packet is the first (RFC 3551 §4.1)
        # ... and what was sent with this SSRC (RFC 3550 §6.4.1).
        self.packets = np.zeros(n, np.uint32)
        self.octets = np.zeros(n, np.uint32)
        self.last_sample = np.zeros(n, np.int16)  # the end of the last frame that was mixed for it
        # What was heard.
        self.opened_at = np.zeros(n, np.float64)
        self.heard_at = np.zeros(n, np.float64)
        self.heard_ever = np.zeros(n, np.bool_)
        self.hears = np.zeros(n, np.bool_)  # the far side is to send
        self.media_at = np.zeros(n, np.float64)  # when media came last, or may have begun to
        self.media_ever = np.zeros(n, np.bool_)
        self.comes = np.zeros(n, np.bool_)  # what LegWays told, both true before it did
        self.goes = np.zeros(n, np.bool_)
        self.elsewhere = np.zeros(n, np.bool_)  # LegElsewhere was told
        self.connected = np.zeros(n, np.bool_)  # LegConnected was told
        self.silent = np.zeros(n, np.bool_)  # LegSilent was told
        self.unchecked = np.zeros(n, np.float64)  # the seconds of the LegUnchecked that was told; 0: LegChecked
        self.energy = np.zeros(n, np.float64)  # sum of mean squares of sampled frames since the last report
        self.energy_frames = np.zeros(n, np.int64)
        self.reported_received = np.zeros(n, np.int64)
        self.reported_expected = np.zeros(n, np.int64)
        self.reported_concealed = np.zeros(n, np.int64)

    def add(self, name: str, kind: int, now: float) -> int | None:
        """A fresh row for a new id, or None when all rows are taken."""
        if not self._free:
            return None
        row = heapq.heappop(self._free)
        self.ids[name] = row
        self.names[row] = name
        self.kind[row] = kind
        self.marks[row] = made = mark(kind, name)
        self.sums.add(made, made)
        self._leg_rows = None
        self.opened_at[row] = self.heard_at[row] = now
        self.telephone_event[row] = self.heard_event[row] = NO_EVENT
        for flag in (self.secure, self.reached, self.held, self.sending, self.heard_ever, self.connected, self.silent):
            flag[row] = False
        self.sealed[row] = self.media_ever[row] = self.elsewhere[row] = False
        self.hears[row] = self.comes[row] = self.goes[row] = True
        self.media_at[row] = now
        for counter in (
            self.packets,
            self.octets,
            self.unchecked,
            self.energy,
            self.energy_frames,
            self.last_sample,
            self.band,
        ):
            counter[row] = 0
        return row

    def remove(self, row: int) -> None:
        del self.ids[self.names[row]]
        self.names[row] = ""
        self.sums.take(self.marks[row], self.marks[row])
        self.kind[row] = Kind.FREE
        self._leg_rows = None
        self.reached[row] = self.sending[row] = False
        heapq.heappush(self._free, row)

    def find(self, name: str, kind: int) -> int | None:
        """The row of an id, or None where none of that kind has it."""
        row = self.ids.get(name)
        return row if row is not None and self.kind[row] == kind else None

    def leg_rows(self) -> NDArray[np.intp]:
        """The rows of all legs, ascending: intp [n]."""
        if self._leg_rows is None:
            self._leg_rows = np.flatnonzero(self.kind == Kind.LEG)
        return self._leg_rows
