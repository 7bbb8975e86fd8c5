"""Packets of another length than a tick's, for far sides that ask for them (`a=ptime`): 10 ms, or 30 to 60.

What such a leg is sent is gathered here octet by octet as it is encoded, 160 in a tick; as many packets leave as there
are whole ones of its length, with the timestamp of their first octet. Each has a header of its own; there are few such
legs, so they are not in the matrix of the others. A digit's report takes the place of what is gathered.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from . import rtp
from .legs import Legs
from .seams import Octets, Rows

TICK: Final = 160  # octets and units of time of a tick, G.711 and G.722 alike
SHORTEST: Final = 80
LONGEST: Final = 480


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

    def take(self, rows: Rows, octets: Octets) -> list[tuple[Rows, Octets, NDArray[np.int32]]]:
        """What `rows` [n] are sent in this tick, uint8 [n, 160], after which their clocks go on; the packets that are
        whole now, in turns of at most one for each row: rows [m], uint8 [m, W], lengths [m]."""
        legs = self._legs
        at = self._filled[rows]
        self._octets[rows[:, None], at[:, None] + np.arange(TICK)] = octets
        self._filled[rows] = at + TICK
        legs.timestamp[rows] += np.uint32(TICK)
        turns = []
        while len(rows := rows[self._filled[rows] >= legs.packet_octets[rows]]):
            turns.append(self._packets(rows))
        return turns

    def _packets(self, rows: Rows) -> tuple[Rows, Octets, NDArray[np.int32]]:
        legs, size, filled = self._legs, self._legs.packet_octets[rows], self._filled[rows]
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
