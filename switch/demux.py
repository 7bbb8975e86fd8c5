"""What a datagram on a browser's port is, by its first byte (RFC 7983 §7).

STUN, DTLS, SRTP and SRTCP share one port. The first byte tells the first three apart; behind RTP's version bits the
second byte, the marker and the payload type, tells SRTCP from SRTP (RFC 5761 §4). Both tests are one table of 65,536
entries, looked up by the first two bytes of each datagram of a batch. What is shorter than the header of what it claims
to be is not that thing, so the stages behind need no length check for their headers.

    0..3 STUN      4..15 nobody      16..19 ZRTP      20..63 DTLS      64..79 TURN channel      128..191 RTP or RTCP

ZRTP and TURN channels are not spoken here and count as `OTHER`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt


class Kind:
    """What a datagram is: plain numbers, as columns want them (legs.py)."""

    OTHER: Final = 0
    STUN: Final = 1
    DTLS: Final = 2
    RTP: Final = 3
    RTCP: Final = 4


# The shortest datagram that can be one of each kind, in bytes: a STUN header (RFC 8489 §5), a DTLS record header
# (RFC 6347 §4.1), an RTP header (RFC 3550 §5.1), an RTCP header and its SSRC (RFC 3550 §6.4).
MIN_LENGTH: dict[int, int] = {Kind.OTHER: 0, Kind.STUN: 20, Kind.DTLS: 13, Kind.RTP: 12, Kind.RTCP: 8}


def _table() -> npt.NDArray[np.uint8]:
    """`[65536]`: the kind by the first two bytes read as a big-endian number."""
    table = np.zeros((256, 256), np.uint8)
    table[0:4] = Kind.STUN
    table[20:64] = Kind.DTLS
    table[128:192] = Kind.RTP
    # Payload types 64 to 95 are RTCP's packet types 192 to 223 with their top bit read as the marker (RFC 5761 §4).
    table[128:192, 192:224] = Kind.RTCP
    table.setflags(write=False)
    return table.reshape(-1)


_BY_TWO_BYTES = _table()
_LENGTHS = np.array([MIN_LENGTH[kind] for kind in sorted(MIN_LENGTH)], np.int64)


def kinds(batch: npt.NDArray[np.uint8], lengths: npt.NDArray[np.int32]) -> npt.NDArray[np.uint8]:
    """The kind of each datagram of a batch.

    `batch`: uint8 `[n, at least 2]`, a datagram per row from its first byte; `lengths`: int32 `[n]`, bytes of each.
    Returns uint8 `[n]`, values of `Kind`.
    """
    # A row shorter than two bytes holds leftovers there, and is shorter than any of the kinds.
    found: npt.NDArray[np.uint8] = _BY_TWO_BYTES[batch[:, 0].astype(np.intp) << 8 | batch[:, 1]]
    found[lengths < _LENGTHS[found]] = Kind.OTHER
    return found
