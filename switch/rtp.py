"""RTP headers of a whole batch at once, in and out (RFC 3550 §5.1).

A batch is a matrix of octets, a row per packet; its 32-bit words are read as columns, so a field of all packets is one
expression. Whatever is rare (CSRC lists, extensions, padding) is worked out only for the packets that have it, and
where all packets are what they mostly are, nothing of it (`plain`).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

Octets = NDArray[np.uint8]

HEADER: Final = 12
# RFC 5761 §4: with the marker bit, RTCP's packet types 192..223 look like payload types 64..95.
_RTCP_FIRST: Final = 192
_RTCP_LAST: Final = 223
_VERSION_2: Final = 0x8000
_NO_MARKER: Final = np.uint32(0xFF7F)


@frozen
class Headers:
    """The columns of a batch of n packets.

    valid: bool, version and lengths are right and it is RTP. rtcp: bool, it is RTCP on the same port instead.
    payload_type: uint8; marker: bool; sequence: uint16; timestamp, ssrc: uint32.
    offset, length: int32, where the payload begins and how many octets it has.
    """

    valid: NDArray[np.bool_]
    rtcp: NDArray[np.bool_]
    payload_type: NDArray[np.uint8]
    marker: NDArray[np.bool_]
    sequence: NDArray[np.uint16]
    timestamp: NDArray[np.uint32]
    ssrc: NDArray[np.uint32]
    offset: NDArray[np.int32]
    length: NDArray[np.int32]


@frozen
class Plain:
    """The columns of n packets whose payload begins behind the first 12 octets and ends where they do: sequence
    uint16; timestamp, ssrc uint32."""

    sequence: NDArray[np.uint16]
    timestamp: NDArray[np.uint32]
    ssrc: NDArray[np.uint32]


def usual(payload_type: int) -> int:
    """How a packet of that type begins, in 16 bits and without the marker, that has no options; 0, as none does, where
    with the marker it would look like RTCP."""
    return 0 if _RTCP_FIRST <= payload_type | 0x80 <= _RTCP_LAST else _VERSION_2 | payload_type


def plain(data: Octets, length: NDArray[np.int32], begins: NDArray[np.uint32]) -> Plain | None:
    """Reads n packets as `parse` does where each `begins` uint32 [n] as is `usual` of the type that it is to have, and
    has a payload; None where one does not."""
    first, timestamp, ssrc = np.array(data[:, :HEADER].view(">u4").T, np.uint32, order="C")
    right = (first >> 16 & _NO_MARKER) == begins
    right &= length > HEADER
    if np.count_nonzero(right) < len(right):
        return None
    return Plain(first.astype(np.uint16), timestamp, ssrc)


def parse(data: Octets, length: NDArray[np.int32]) -> Headers:
    """Reads n packets: `data` uint8 [n, W], C-contiguous rows with W a multiple of 4 and at least 16; `length` int32
    [n].

    Nothing raises: what is not RTP of version 2 with room for all that its header announces is not `valid`.
    """
    words = data.view(">u4")
    first = words[:, 0].astype(np.uint32)
    flags = (first >> 24).astype(np.uint8)
    second = (first >> 16).astype(np.uint8)
    version_2 = (flags & 0xC0) == 0x80
    rtcp = version_2 & (second >= _RTCP_FIRST) & (second <= _RTCP_LAST) & (length >= 8)
    valid = version_2 & ~rtcp & (length >= HEADER)
    offset = np.full(len(length), HEADER, np.int32)
    end = length.copy()
    if np.count_nonzero(odd := valid & ((flags & 0x3F) != 0)):
        _walk_options(data, length, flags, np.flatnonzero(odd), offset, end)
        valid &= offset <= end
    return Headers(
        valid=valid,
        rtcp=rtcp,
        payload_type=(second & 0x7F).astype(np.uint8),
        marker=second >= 0x80,
        sequence=(first & 0xFFFF).astype(np.uint16),
        timestamp=words[:, 1].astype(np.uint32),
        ssrc=words[:, 2].astype(np.uint32),
        offset=offset,
        length=end - offset,
    )


def _walk_options(
    data: Octets,
    length: NDArray[np.int32],
    flags: NDArray[np.uint8],
    odd: NDArray[np.intp],
    offset: NDArray[np.int32],
    end: NDArray[np.int32],
) -> None:
    """CSRC list, header extension (§5.3.1) and padding (§5.1) of the packets `odd`; a lie makes offset exceed end."""
    offset[odd] += 4 * (flags[odd] & 15)
    extended = odd[(flags[odd] & 0x10) != 0]
    at = np.minimum(offset[extended], data.shape[1] - 4)
    words = data[extended, at + 2].astype(np.int32) << 8 | data[extended, at + 3]
    offset[extended] += 4 + 4 * words
    padded = odd[(flags[odd] & 0x20) != 0]
    padding = data[padded, length[padded] - 1].astype(np.int32)
    # A padded packet says at least 1 octet: the count itself.
    end[padded] = np.where(padding > 0, length[padded] - padding, -1)


def write(
    packets: Octets,
    payload_type: NDArray[np.uint8],
    marker: NDArray[np.bool_],
    sequence: NDArray[np.uint16],
    timestamp: NDArray[np.uint32],
    ssrc: NDArray[np.uint32],
) -> None:
    """Writes the headers of n packets into the first 12 octets of each row of `packets` uint8 [n, W], W a multiple of
    4.
    """
    words = packets.view(">u4")
    second = payload_type.astype(np.uint32) | marker.astype(np.uint32) << 7
    words[:, 0] = np.uint32(0x80000000) | second << 16 | sequence
    words[:, 1] = timestamp
    words[:, 2] = ssrc
