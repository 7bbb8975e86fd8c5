"""The file of a recording that is being made: whatever is cut off or damaged, what stands before it can be read."""

import io
import zlib

import pytest
from cordboard.switch.recfile import (
    HEADER_LENGTH,
    BrokenFileError,
    Chunk,
    Header,
    find_end,
    read_chunks,
    read_header,
)
from hypothesis import given
from hypothesis import strategies as st

HEADER = Header(123.5, 1_750_000_000.25)


def sound(frames: int, value: int = 1) -> bytes:
    return value.to_bytes(2, "little") * (frames * 2 * 160)


@st.composite
def recordings(draw: st.DrawFn) -> list[Chunk]:
    chunks, end = [], 0
    for _ in range(draw(st.integers(0, 5))):
        position = end + draw(st.integers(0, 100))
        frames = draw(st.integers(1, 3))
        chunks.append(Chunk(position, frames, sound(frames, draw(st.integers(1, 9))) if draw(st.booleans()) else b""))
        end = position + frames
    return chunks


def written(chunks: list[Chunk]) -> bytes:
    return HEADER.encode() + b"".join(chunk.encode() for chunk in chunks)


@given(recordings())
def test_what_is_written_is_read(chunks: list[Chunk]) -> None:
    octets = written(chunks)
    file = io.BytesIO(octets)
    assert read_header(file) == HEADER
    assert list(read_chunks(file)) == chunks
    assert find_end(file) == (len(octets), chunks[-1].end if chunks else 0)


@given(recordings(), st.integers(0, 5000), st.binary(max_size=100))
def test_a_file_cut_off_anywhere_gives_the_whole_chunks_before(chunks: list[Chunk], cut: int, rubbish: bytes) -> None:
    octets = written(chunks)
    kept = max(len(octets) - cut, HEADER_LENGTH)
    whole, length = [], HEADER_LENGTH
    for chunk in chunks:
        if length + len(chunk.encode()) > kept:
            break
        whole.append(chunk)
        length += len(chunk.encode())
    file = io.BytesIO(octets[:kept] + rubbish if whole != chunks else octets[:kept])
    read_header(file)
    assert list(read_chunks(file)) == whole
    assert find_end(file) == (length, whole[-1].end if whole else 0)


@given(recordings(), st.data())
def test_no_damage_raises_and_none_is_read_as_sound(chunks: list[Chunk], data: st.DataObject) -> None:
    octets = bytearray(written(chunks))
    at = data.draw(st.integers(0, len(octets) - 1))
    octets[at] ^= data.draw(st.integers(1, 255))
    file = io.BytesIO(octets)
    if at < HEADER_LENGTH:
        with pytest.raises(BrokenFileError):
            read_header(file)
        return
    read_header(file)
    read = list(read_chunks(file))
    assert read == chunks[: len(read)]
    assert len(read) < len(chunks)
    assert find_end(file)[0] <= len(octets)


@given(st.binary(max_size=200))
def test_any_octets_are_a_recording_or_are_refused(octets: bytes) -> None:
    with pytest.raises(BrokenFileError):
        read_header(io.BytesIO(octets))
    assert list(read_chunks(io.BytesIO(octets))) == []


def test_another_rate_is_refused_by_name() -> None:
    other = Header(0.0, 0.0, rate=16000).encode()
    assert zlib.crc32(other[:-4]) == int.from_bytes(other[-4:], "little")
    with pytest.raises(BrokenFileError, match="2 channels at 16000 Hz"):
        read_header(io.BytesIO(other))
