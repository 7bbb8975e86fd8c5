"""RFC 7983 §7, RFC 5761 §4: what a datagram is by its first bytes."""

import numpy as np
import pytest
from cordboard.switch.demux import Kind, kinds
from hypothesis import given
from hypothesis import strategies as st


def kind(datagram: bytes) -> int:
    """Of one in a batch, with leftovers of another behind it that look like RTP."""
    batch = np.full((1, 64), 0x80, np.uint8)
    batch[0, : len(datagram)] = np.frombuffer(datagram, np.uint8)
    return int(kinds(batch, np.array([len(datagram)], np.int32))[0])


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (0, 1, Kind.STUN),
        (3, 0, Kind.STUN),
        (4, 0, Kind.OTHER),
        (16, 0, Kind.OTHER),  # ZRTP
        (19, 0, Kind.OTHER),
        (20, 0xFE, Kind.DTLS),
        (63, 0xFE, Kind.DTLS),
        (64, 0, Kind.OTHER),  # a TURN channel
        (127, 0, Kind.OTHER),
        (128, 0, Kind.RTP),
        (128, 0x80 | 111, Kind.RTP),  # Opus with the marker
        (128, 191, Kind.RTP),
        (128, 192, Kind.RTCP),
        (128, 200, Kind.RTCP),
        (128, 223, Kind.RTCP),
        (128, 224, Kind.RTP),
        (191, 0, Kind.RTP),
        (192, 0, Kind.OTHER),
        (255, 255, Kind.OTHER),
    ],
)
def test_ranges(first: int, second: int, expected: int) -> None:
    assert kind(bytes([first, second]) + bytes(30)) == expected


@pytest.mark.parametrize(
    ("first", "second", "enough", "expected"),
    [(0, 1, 20, Kind.STUN), (22, 0xFE, 13, Kind.DTLS), (128, 0, 12, Kind.RTP), (128, 200, 8, Kind.RTCP)],
)
def test_what_is_shorter_than_its_header_is_nothing(first: int, second: int, enough: int, expected: int) -> None:
    whole = bytes([first, second]) + bytes(enough - 2)
    assert kind(whole) == expected
    assert kind(whole[:-1]) == Kind.OTHER
    assert kind(b"") == Kind.OTHER
    assert kind(whole[:1]) == Kind.OTHER


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_a_batch_is_what_its_datagrams_are(datagrams: list[bytes]) -> None:
    batch = np.full((len(datagrams), 64), 0x80, np.uint8)
    for row, datagram in enumerate(datagrams):
        batch[row, : len(datagram)] = np.frombuffer(datagram, np.uint8)
    lengths = np.array([len(datagram) for datagram in datagrams], np.int32)
    assert kinds(batch, lengths).tolist() == [kind(datagram) for datagram in datagrams]
