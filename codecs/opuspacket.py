"""How long a packet of Opus is, by its first two octets (RFC 6716 §3.1, §3.2), and what of several makes up a frame.

A packet holds 1 to 48 frames of 2.5 to 60 ms each, 120 ms at most. It is never cut: a decoder has state and takes it
whole. What is played in 20 ms is made up of **pieces** of what packets decode to: one piece where packets are 20 ms
long, two halves of 10 ms, or the second third of 60. Lengths and places are counted in **units** of 2.5 ms, the
shortest frame that there is.

What is sent is as long as the far side asks for: `join` puts the frames of several packets into one, which it may where
they are of one configuration, and `split` takes any packet apart.
"""

from __future__ import annotations

from collections.abc import Sequence
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
_UNEQUAL: Final = 2
_SAID: Final = 3  # the code of a packet that says its number of frames; those of 0, 1 and 2 have one, two and two
_COUNT: Final = np.array([1, 2, 2, 0], np.int64)
MAX_FRAME: Final = 1275  # octets of a frame (§3.2.1)
_LONG: Final = 252  # from here on a frame's length takes two octets
_MORE: Final = 255  # of the octets that say how long the padding is: there is another
_LONGER: Final = 254


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


def alike(packet: bytes, other: bytes) -> bool:
    """Whether frames of both may be in one packet: of one mode, bandwidth, length and number of channels."""
    return packet[0] | 3 == other[0] | 3


def split(packet: bytes) -> list[bytes]:
    """The frames of a packet, without padding. Raises ValueError where it breaks a rule of §3.2."""
    if not packet:
        raise ValueError("no octet")
    code, rest = packet[0] & 3, packet[1:]
    if code == _UNEQUAL:
        first, rest = _length(rest)
        return _cut(rest, [first, len(rest) - first])
    if code != _SAID:
        return _cut(rest, [len(rest) // (code + 1)] * (code + 1))
    if not rest or not 0 < (count := rest[0] & 0x3F) * int(_FRAME[packet[0] >> 3]) <= MAX_UNITS:
        raise ValueError("no frames, or more than 120 ms of them")
    variable, padded, rest = bool(rest[0] & 0x80), bool(rest[0] & 0x40), rest[1:]
    padding, more = 0, padded
    while more:
        if not rest:
            raise ValueError("no length of the padding")
        more = rest[0] == _MORE
        padding, rest = padding + rest[0] - more, rest[1:]
    if padding > len(rest):
        raise ValueError("more padding than there is")
    rest = rest[: len(rest) - padding]
    lengths = []
    for _ in range(count - 1 if variable else 0):
        one, rest = _length(rest)
        lengths.append(one)
    return _cut(rest, [*lengths, len(rest) - sum(lengths)] if variable else [len(rest) // count] * count)


def join(packets: Sequence[bytes], octets: int = 0) -> bytes:
    """One packet of the frames of several that are `alike`, 120 ms in all at most; padded to at least so many octets
    (§3.2.5). One packet alone stays as it is."""
    if len(packets) == 1:
        return packets[0]
    frames = [frame for packet in packets for frame in split(packet)]
    variable = len({len(frame) for frame in frames}) > 1
    lengths = b"".join(_octets_of(len(frame)) for frame in frames[:-1]) if variable else b""
    body = lengths + b"".join(frames)
    padding = max(octets - 2 - len(body), 0)
    head = bytes([packets[0][0] | 3, len(frames) | variable << 7 | (padding > 0) << 6])
    if not padding:
        return head + body
    # An octet of 255 stands for itself and 254 others, the last for itself and as many as it says.
    more, last = divmod(padding - 1, _MORE)
    return head + bytes([_MORE] * more + [last]) + body + bytes(_LONGER * more + last)


def _cut(octets: bytes, lengths: Sequence[int]) -> list[bytes]:
    if sum(lengths) != len(octets) or max(lengths) > MAX_FRAME or min(lengths) < 0:
        raise ValueError("frames are not as long as they say, or too long")
    ends = np.cumsum(lengths).tolist()
    return [octets[end - one : end] for end, one in zip(ends, lengths, strict=True)]


def _length(octets: bytes) -> tuple[int, bytes]:
    """A frame's length, which is said in one octet or two (§3.2.1), and what is behind it."""
    if not octets:
        raise ValueError("no length of a frame")
    if octets[0] < _LONG:
        return octets[0], octets[1:]
    if len(octets) < 2:
        raise ValueError("half a length of a frame")
    return octets[0] + 4 * octets[1], octets[2:]


def _octets_of(length: int) -> bytes:
    if length < _LONG:
        return bytes([length])
    first = _LONG + (length & 3)
    return bytes([first, (length - first) // 4])


def whole(packet: bytes) -> Frame:
    """A frame that one packet of 20 ms fills."""
    return ((0, FRAME_UNITS, packet, 0),)
