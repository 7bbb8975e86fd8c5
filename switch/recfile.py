"""The file of a recording while its call lasts: crash-safe, because nothing that was written is ever changed.

    file     header chunk*
    header   "CORDREC1", rate u32, channels u32, begun f64 (the monotonic clock, s), begun f64 (Unix time, s), crc32
    chunk    "CHNK", position u64, frames u32, length u32, crc32 of the header so far and the samples, samples

All little-endian. A position is in frames of 20 ms from the beginning. Samples are int16 [frames, channels, 160]; a
`length` of 0 is silence in all channels. What no chunk covers is silence, too. A reader stops at the first chunk that
is not whole: it was being written when the process died. Nothing has to be mended at the end.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from io import SEEK_END
from typing import BinaryIO, Final

from attrs import frozen

SUFFIX: Final = ".cbr"
ASIDE: Final = ".cbr.damaged"  # a file that could not be continued
RATE: Final = 8000
CHANNELS: Final = 2
FRAME: Final = 160  # samples
FRAMES_PER_SECOND: Final = RATE // FRAME
# No chunk is longer than 10 s: what claims to be is broken.
MAX_FRAMES: Final = 500

_MAGIC: Final = b"CORDREC1"
_HEADER: Final = struct.Struct("<8sIIdd")
_CHUNK: Final = struct.Struct("<4sQII")
_CRC: Final = struct.Struct("<I")
_CHUNK_MAGIC: Final = b"CHNK"
HEADER_LENGTH: Final = _HEADER.size + _CRC.size
CHUNK_HEADER_LENGTH: Final = _CHUNK.size + _CRC.size
_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,119}")


class BrokenFileError(Exception):
    """No recording, or one of whose header is damaged."""


def is_name(recording: str) -> bool:
    """Whether a recording can name a file of the directory, and none elsewhere."""
    return _NAME.fullmatch(recording) is not None


@frozen
class Header:
    """`monotonic` is for continuing in the same run of the machine, `unix` for people. Seconds."""

    monotonic: float
    unix: float
    rate: int = RATE
    channels: int = CHANNELS

    def encode(self) -> bytes:
        header = _HEADER.pack(_MAGIC, self.rate, self.channels, self.monotonic, self.unix)
        return header + _CRC.pack(zlib.crc32(header))


@frozen
class Chunk:
    """`frames` of sound from `position` on; `samples` as int16 [frames, 2, 160], or empty for silence."""

    position: int
    frames: int
    samples: bytes = b""

    @property
    def end(self) -> int:
        return self.position + self.frames

    @property
    def sounding(self) -> int:
        """Frames that are missed where it is lost."""
        return self.frames if self.samples else 0

    def encode(self) -> bytes:
        header = _CHUNK.pack(_CHUNK_MAGIC, self.position, self.frames, len(self.samples))
        return header + _CRC.pack(zlib.crc32(self.samples, zlib.crc32(header))) + self.samples


def read_header(file: BinaryIO) -> Header:
    """From the beginning of a file. Raises BrokenFileError."""
    octets = file.read(HEADER_LENGTH)
    if len(octets) < HEADER_LENGTH or octets[:8] != _MAGIC:
        raise BrokenFileError("this is no recording")
    if zlib.crc32(octets[: _HEADER.size]) != _CRC.unpack_from(octets, _HEADER.size)[0]:
        raise BrokenFileError("the header is damaged")
    _, rate, channels, monotonic, unix = _HEADER.unpack_from(octets)
    if rate != RATE or channels != CHANNELS:
        raise BrokenFileError(f"{channels} channels at {rate} Hz are not known here")
    return Header(monotonic, unix, rate, channels)


def read_chunks(file: BinaryIO) -> Iterator[Chunk]:
    """All whole chunks behind the header, in order of time; one at a time is in memory."""
    end = 0
    while (chunk := _read_chunk(file, end)) is not None:
        yield chunk
        end = chunk.end


def find_end(file: BinaryIO) -> tuple[int, int]:
    """Where the last whole chunk ends, in octets and in frames.

    Samples are passed over, except those of the last chunk: whoever died wrote at the end.
    """
    size = file.seek(0, SEEK_END)
    place, end = HEADER_LENGTH, 0
    last = (place, end)
    while place < size:
        file.seek(place)
        head = _read_head(file, end)
        if head is None or (after := place + CHUNK_HEADER_LENGTH + head.length) > size:
            break
        last = (place, end)
        place, end = after, head.position + head.frames
    file.seek(last[0])
    return (place, end) if _read_chunk(file, last[1]) is not None else last


@frozen
class _Head:
    position: int
    frames: int
    length: int
    octets: bytes
    crc: int


def _read_head(file: BinaryIO, end: int) -> _Head | None:
    """A chunk's header; None where there is none that could follow what ends at frame `end`."""
    octets = file.read(CHUNK_HEADER_LENGTH)
    if len(octets) < CHUNK_HEADER_LENGTH:
        return None
    magic, position, frames, length = _CHUNK.unpack_from(octets)
    if magic != _CHUNK_MAGIC or not 0 < frames <= MAX_FRAMES or position < end:
        return None
    if length not in (0, frames * CHANNELS * FRAME * 2):
        return None
    return _Head(position, frames, length, octets[: _CHUNK.size], _CRC.unpack_from(octets, _CHUNK.size)[0])


def _read_chunk(file: BinaryIO, end: int) -> Chunk | None:
    head = _read_head(file, end)
    if head is None:
        return None
    samples = file.read(head.length)
    if zlib.crc32(samples, zlib.crc32(head.octets)) != head.crc:
        return None
    return Chunk(head.position, head.frames, samples)
