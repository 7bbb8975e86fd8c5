"""Octets of RTCP: the RFC's own example, what is written is what is read, and nothing raises."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from cordboard.switch import rtcp
from cordboard.switch.rtcp import Report
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

number = st.integers(0, 2**32 - 1)
OURS = 0x1234ABCD


def u4(*values: int) -> NDArray[np.uint32]:
    return np.array(values, np.uint32)


def report(ssrc: int = OURS, source: int = 7, lost: int = 3, timestamp: int = 160) -> Report:
    return Report(
        u4(ssrc),
        np.frombuffer(b"0123456789abcdef", np.uint8)[None, :],
        u4(timestamp),
        u4(50),
        u4(8000),
        u4(source),
        u4(12),
        np.array([lost]),
        u4(65600),
        u4(80),
        u4(0xB7052000),
        u4(0x00054000),
    )


def parse(*datagrams: bytes, ours: int = OURS, width: int = 1536) -> rtcp.Heard:
    data = np.zeros((len(datagrams), width), np.uint8)
    for i, datagram in enumerate(datagrams):
        data[i, : len(datagram)] = np.frombuffer(datagram[:width], np.uint8)
    length = np.array([len(datagram) for datagram in datagrams], np.int32)
    return rtcp.parse(data, length, np.full(len(datagrams), ours, np.uint32))


def test_the_round_trip_of_the_rfc() -> None:
    """RFC 3550 §6.4.1, figure 2: 46864.500 s, less 5.250 s there, less 46853.125 s."""
    arrived = np.array([0xB7108000 / 65536])
    assert rtcp.round_trip(arrived, u4(0xB7052000), u4(0x00054000)).tolist() == [6.125]


def test_a_round_trip_over_the_wrap_of_the_short_time() -> None:
    """The middle 32 bits begin anew after 65536 s."""
    trip = rtcp.round_trip(np.array([65536.05]), rtcp.short_time(np.array([65535.9])), u4(0x1000))
    assert trip[0] == pytest.approx(0.15 - 0x1000 / 65536, abs=2e-5)


def test_no_round_trip_before_a_report_of_ours_came() -> None:
    assert np.isnan(rtcp.round_trip(np.array([10.0]), u4(0), u4(0)))[0]


def test_a_senders_report_octet_by_octet() -> None:
    """RFC 3550 §6.4.1, §6.5, §6.6, field by field."""
    octets = rtcp.write(report(lost=-2), 2.5, sender=True, block=True, bye=True).tobytes()
    assert octets[:28] == struct.pack("!BBHIIIIII", 0x81, 200, 12, OURS, 2, 1 << 31, 160, 50, 8000)
    about = struct.pack("!IIIIII", 7, 12 << 24 | 0xFFFFFE, 65600, 80, 0xB7052000, 0x54000)
    assert octets[28:52] == about
    assert octets[52:80] == struct.pack("!BBHIBB", 0x81, 202, 6, OURS, 1, 16) + b"0123456789abcdef" + b"\0\0"
    assert octets[80:] == struct.pack("!BBHI", 0x81, 203, 1, OURS)


def test_a_goodbye_octet_by_octet() -> None:
    """RFC 3550 §6.4.2, §6.5, §6.6: it says of nobody anything, and two are two rows."""
    names = np.frombuffer(b"0123456789abcdefABCDEFGHIJKLMNOP", np.uint8).reshape(2, 16)
    both = rtcp.goodbye(u4(OURS, 9), names)
    for octets, ssrc, name in zip(both, (OURS, 9), (b"0123456789abcdef", b"ABCDEFGHIJKLMNOP"), strict=True):
        described = struct.pack("!BBHIBB", 0x81, 202, 6, ssrc, 1, 16) + name + b"\0\0"
        left = struct.pack("!BBHI", 0x81, 203, 1, ssrc)
        assert octets.tobytes() == struct.pack("!BBHI", 0x80, 201, 1, ssrc) + described + left


@pytest.mark.parametrize("sender", [False, True])
@pytest.mark.parametrize("block", [False, True])
@pytest.mark.parametrize("bye", [False, True])
def test_what_is_written_is_read(sender: bool, block: bool, bye: bool) -> None:
    octets = rtcp.write(report(ssrc=7, source=OURS), 100.25, sender=sender, block=block, bye=bye).tobytes()
    heard = parse(octets)
    assert heard.valid.tolist() == [True]
    assert heard.ssrc.tolist() == [7]
    assert heard.sender.tolist() == [sender]
    assert heard.about_us.tolist() == [block]
    if sender:
        assert (heard.sr.tolist(), heard.packets.tolist()) == ([round(100.25 * 65536)], [50])
    if block:
        said = (heard.fraction, heard.highest, heard.jitter, heard.last_sr, heard.since)
        assert [int(column[0]) for column in said] == [12, 65600, 80, 0xB7052000, 0x54000]


def test_the_block_about_us_is_found_among_others() -> None:
    blocks = b"".join(struct.pack("!IIIIII", source, 1 << 24, 0, source, 1, 2) for source in (5, 6, OURS, 8))
    heard = parse(struct.pack("!BBHI", 0x84, 201, 25, 9) + blocks)
    assert heard.about_us.tolist() == [True]
    assert heard.jitter.tolist() == [OURS]


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x80\xc9\x00",
        struct.pack("!BBHI", 0x40, 201, 1, 9),  # version 1
        struct.pack("!BBHI", 0x80, 202, 1, 9),  # begins with no report
        struct.pack("!BBHI", 0x80, 201, 2, 9),  # longer than it is
        struct.pack("!BBHII", 0x80, 201, 1, 9, 0),  # and shorter: what follows is of version 0
        struct.pack("!BBHI", 0x81, 201, 1, 9),  # no room for its block
        struct.pack("!BBHI", 0x80, 200, 1, 9),  # no room for what a sender says
        struct.pack("!BBHI", 0x80, 201, 1, 9) * 17,  # more packets than anyone has a reason for
        struct.pack("!BBHI", 0x80, 201, 0xFFFF, 9),
    ],
)
def test_what_is_no_compound(octets: bytes) -> None:
    assert parse(octets).valid.tolist() == [False]


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=8), st.sampled_from([16, 64, 1536]))
def test_no_octets_raise(datagrams: list[bytes], width: int) -> None:
    parse(*datagrams, width=width)


@given(st.lists(st.tuples(st.integers(0, 107), st.integers(0, 255)), max_size=6), st.booleans())
def test_no_change_of_a_report_raises(changes: list[tuple[int, int]], sender: bool) -> None:
    octets = bytearray(rtcp.write(report(ssrc=7, source=OURS), 1.0, sender=sender, block=True, bye=True).tobytes())
    for at, octet in changes:
        octets[at % len(octets)] = octet
    heard = parse(bytes(octets), bytes(octets[:40]))
    assert len(heard.valid) == 2


@given(number, number, number, number)
def test_any_numbers_come_through(ssrc: int, timestamp: int, highest: int, since: int) -> None:
    one = report(ssrc, OURS, timestamp=timestamp)
    one.highest[:], one.since[:] = highest, since
    heard = parse(rtcp.write(one, 5.0, sender=True, block=True).tobytes())
    assert (int(heard.ssrc[0]), int(heard.highest[0]), int(heard.since[0])) == (ssrc, highest, since)
