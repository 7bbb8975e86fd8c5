"""Records in a file, one after the other, so that a torn one is seen.

frame    length and CRC-32 of the packed record (32 bits each, big-endian), then the record
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final

_HEAD: Final = struct.Struct(">II")
# A record longer than this is a length that was torn.
MAX_RECORD: Final = 64 << 20


class DamagedError(Exception):
    """Octets that were not written here, or have changed since."""


def framed(packed: bytes) -> bytes:
    return _HEAD.pack(len(packed), zlib.crc32(packed)) + packed


class Frames:
    """The records in `octets`. When all are read, `torn` is how many octets at the end belong to one that was not
    finished, as its writer was killed."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self.torn = 0

    def __iter__(self) -> Iterator[bytes]:
        """Raises DamagedError."""
        at, end = 0, len(self._octets)
        while at < end:
            begin = at + _HEAD.size
            if begin > end:
                break
            length, crc = _HEAD.unpack_from(self._octets, at)
            if not 0 < length <= MAX_RECORD:
                raise DamagedError(f"no record at octet {at}")
            if begin + length > end:
                break
            packed = self._octets[begin : begin + length]
            if zlib.crc32(packed) != crc:
                raise DamagedError(f"the record at octet {at} is not as it was written")
            yield packed
            at = begin + length
        self.torn = end - at
