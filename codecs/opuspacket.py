"""How long a packet of Opus is, by its first two octets (RFC 6716 §3.1, §3.2), and what of several makes up a frame.

A packet holds 1 to 48 frames of 2.5 to 60 ms each, 120 ms at most. It is never cut: a decoder has state and takes it
whole. What is played in 20 ms is made up of **pieces** of what packets decode to: one piece where packets are 20 ms
long, two halves of 10 ms, or the second third of 60. Lengths and places are counted in **units** of 2.5 ms, the
shortest frame that there is.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

UNIT: Final = 120  # samples of 2.5 ms at 48 kHz, the clock of RTP too (RFC 7587 §4.1)
FRAME_UNITS: Final = 8
MAX_UNITS: Final = 48  # a packet of 120 ms (RFC 6716 §3.2.5, R5)
# A packet of at most this many octets has nothing behind its header to decode (RFC 6716 §3.1, §3.4): DTX, or lost.
SILENT_OCTETS: Final = 2

# Units of one frame by the configuration number: SILK of three bandwidths, hybrid of two, CELT of four (§3.1, table 2).
_FRAME: Final = np.array([4, 8, 16, 24] * 3 + [4, 8] * 2 + [1, 2, 4, 8] * 4, np.int64)
_SAID: Final = 3  # the code of a packet that says its number of frames; those of 0, 1 and 2 have one, two and two
_COUNT: Final = np.array([1, 2, 2, 0], np.int64)


# A place in a frame, and how long from there: so many units of what a packet decodes to, from one of them on:
# (at, units, packet, begin). Pieces of one packet are of one object: it is decoded when the first of them is wanted.
Piece: TypeAlias = tuple[int, int, bytes, int]
# What is known of 20 ms: pieces in their order, none over another.
Frame: TypeAlias = tuple[Piece, ...]


def units(first: NDArray[np.uint8], second: NDArray[np.uint8], length: NDArray[np.int32]) -> NDArray[np.int64]:
    """How long n packets are by their first two octets, uint8 [n], and their lengths, int32 [n]; 0: it is no packet.

    The second octet means something only where there is one."""
    code = first & 3
    count = _COUNT[code]
    said = (code == _SAID) & (length > 1)
    count[said] = second[said] & 0x3F
    found: NDArray[np.int64] = count * _FRAME[first >> 3]
    found[(found > MAX_UNITS) | (length < 1)] = 0
    return found


def length(packet: bytes) -> int:
    """Units of one."""
    first, second, octets = (np.array([one]) for one in (*packet[:2].ljust(2, b"\0"), len(packet)))
    return int(units(first.astype(np.uint8), second.astype(np.uint8), octets.astype(np.int32))[0])


def whole(packet: bytes) -> Frame:
    """A frame that one packet of 20 ms fills."""
    return ((0, FRAME_UNITS, packet, 0),)
