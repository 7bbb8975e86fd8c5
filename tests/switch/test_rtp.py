import struct

import numpy as np
from cordboard.switch import rtp
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray


def batch(*packets: bytes) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    data = np.full((len(packets), 1536), 0xAA, np.uint8)  # what earlier packets left
    for i, packet in enumerate(packets):
        data[i, : len(packet)] = np.frombuffer(packet, np.uint8)
    return data, np.array([len(packet) for packet in packets], np.int32)


def header(
    flags: int = 0x80, second: int = 0, sequence: int = 0x1234, timestamp: int = 0x89ABCDEF, ssrc: int = 0xDEADBEEF
) -> bytes:
    return struct.pack("!BBHII", flags, second, sequence, timestamp, ssrc)


def test_fields_of_a_plain_packet() -> None:
    h = rtp.parse(*batch(header(second=0x80 | 8) + bytes(160)))
    fields = (h.valid, h.payload_type, h.marker, h.sequence, h.timestamp, h.ssrc, h.offset, h.length)
    assert [column[0] for column in fields] == [True, 8, True, 0x1234, 0x89ABCDEF, 0xDEADBEEF, 12, 160]


def test_csrc_extension_and_padding_are_stepped_over() -> None:
    extension = struct.pack("!HH", 0xBEDE, 2) + bytes(8)
    packets = [
        header(0x82) + bytes(8) + b"payload",
        header(0x90) + extension + b"payload",
        header(0xB1) + bytes(4) + extension + b"payload" + b"\0\0\3",
        header(0xA0) + b"payload\1",
    ]
    data, length = batch(*packets)
    h = rtp.parse(data, length)
    assert h.valid.all()
    for i in range(len(packets)):
        assert data[i, h.offset[i] : h.offset[i] + h.length[i]].tobytes() == b"payload"


def test_lies_are_not_valid() -> None:
    h = rtp.parse(
        *batch(
            b"",
            header()[:11],
            header(0x40) + bytes(160),
            header(0x8F) + bytes(59),
            header(0x90) + b"\xbe\xde\xff\xff" + bytes(100),
            header(0x90) + b"\xbe",
            header(0xA0) + b"\0",
            header(0xA0) + b"\x0e",
        )
    )
    assert not h.valid.any()


def test_rtcp_on_the_same_port_is_told_apart() -> None:
    h = rtp.parse(*batch(bytes([0x81, 201, 0, 7]) + bytes(28), header(second=0x80 | 111) + b"x"))
    assert h.rtcp.tolist() == [True, False]
    assert h.valid.tolist() == [False, True]


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=8))
def test_nothing_raises_and_payloads_lie_within_their_packets(packets: list[bytes]) -> None:
    data, length = batch(*packets)
    h = rtp.parse(data, length)
    assert (h.offset[h.valid] >= 12).all()
    assert (h.length[h.valid] >= 0).all()
    assert (h.offset + h.length <= length)[h.valid].all()


@given(st.integers(0, 127), st.booleans(), st.integers(0, 65535), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_what_is_written_is_read(kind: int, marker: bool, sequence: int, timestamp: int, ssrc: int) -> None:
    packets = np.zeros((2, 172), np.uint8)
    columns = [np.full(2, v, t) for v, t in zip((kind, marker, sequence, timestamp, ssrc), "B?HII", strict=True)]
    rtp.write(packets, *columns)
    assert packets[0, :12].tobytes() == header(0x80, marker << 7 | kind, sequence, timestamp, ssrc)
