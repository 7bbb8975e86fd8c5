"""Browsers' media in columns: a call of the library for each packet, none for strangers', and where a leg's own go."""

import random
from collections import Counter
from types import FrameType

import numpy as np
import pytest
from cordboard.switch import srtp
from cordboard.switch.browsers import Browsers
from cordboard.switch.matrix import cut, lay
from cordboard.switch.seams import Batch
from cordboard.switch.sockaddr import NAME, socket_name
from cordboard.switch.stun import Address
from cordboard.switch.webrtc import WebrtcTransport
from pylibsrtp import Policy, Session

from .profiled import profiled
from .webrtc_peer import IDENTITY, rtp, secrets

REPORT = bytes.fromhex("80c9000100001234")
PROFILES = tuple(srtp.PROFILES.values())


class Pages:
    """So many legs that have their keys, of both profiles in turn, each at an address of its own."""

    def __init__(self, n: int) -> None:
        self.transport = WebrtcTransport(IDENTITY, secrets(), capacity=n)
        self.seam, media = Browsers(self.transport, []), self.transport.media
        self.rows = np.arange(n)
        self.out: list[Session] = []
        self.back: list[Session] = []
        for row in range(n):
            profile = PROFILES[row % 2]
            cut = srtp.keys(profile, random.Random(row).randbytes(profile.material_length))
            self.out.append(Session(Policy(cut.client, Policy.SSRC_ANY_OUTBOUND, 0, profile.policy)))
            self.back.append(Session(Policy(cut.server, Policy.SSRC_ANY_INBOUND, 0, profile.policy)))
            media.own(address(row), row)
            media.aim(row, address(row))
            media.open(row, cut)

    def batch(self, number: int, *more: tuple[bytes, Address]) -> Batch:
        """A packet of each, with more behind them."""
        plain = [rtp(number, ssrc=7 + row, payload=bytes(100 + number)) for row in self.rows.tolist()]
        sealed = [one.protect(packet) for one, packet in zip(self.out, plain, strict=True)]
        return batched([*((packet, address(row)) for row, packet in enumerate(sealed)), *more])


def address(row: int) -> Address:
    """Every third has IPv6."""
    return (f"2001:db8::{row + 1:x}" if row % 3 == 2 else f"192.0.2.{row % 250}", 1000 + row, row % 2)


def batched(datagrams: list[tuple[bytes, Address]]) -> Batch:
    data, length = lay([octets for octets, _ in datagrams])
    name = np.frombuffer(b"".join(socket_name(*where[:2]) for _, where in datagrams), np.uint8).reshape(-1, NAME)
    ports = np.array([where[2] for _, where in datagrams], np.int32)
    return Batch(data.copy(), length, ports, name, np.arange(len(datagrams), dtype=np.float64) + 5.0)


def calls(pages: Pages, batch: Batch) -> Counter[str]:
    """For this batch and as many packets back: of Python functions, and of the library's."""
    made: Counter[str] = Counter()

    def note(frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            made["ours"] += 1
        elif event == "c_call" and (name := getattr(argument, "__name__", "")).startswith("srtp_"):
            made[name] += 1

    data, length = lay([rtp(int(batch.length[0]))] * len(pages.rows))  # of a number that was not sent yet
    with profiled(note):
        given = pages.seam.receive(batch, 5.0)
        sent = pages.seam.protect(pages.rows, data, length)
    assert len(given.rtp.row) == len(sent.port) == len(pages.rows)
    return made


def test_a_packet_is_one_call_of_the_library_and_none_of_ours() -> None:
    few, many = Pages(20), Pages(200)
    for pages in (few, many):
        pages.seam.receive(pages.batch(1), 5.0)  # until then every SSRC is new
    once, often = calls(few, few.batch(2)), calls(many, many.batch(2))
    assert once["ours"] == often["ours"]
    assert once == {"ours": once["ours"], "srtp_unprotect": 20, "srtp_protect": 20}
    assert often == {"ours": once["ours"], "srtp_unprotect": 200, "srtp_protect": 200}


def test_what_strangers_send_is_counted_and_not_looked_at_one_by_one() -> None:
    pages = Pages(20)
    nobody = ("198.51.100.7", 9, 0)
    kinds = [(octets, nobody) for octets in (rtp(1), REPORT, b"\x16\xfe\xfd" + bytes(10), b"\xff" * 20)]
    pages.seam.receive(pages.batch(1, *kinds), 5.0)
    assert calls(pages, pages.batch(2, *kinds)) == calls(pages, pages.batch(3, *kinds * 498))
    assert pages.transport.counters == {
        "rtp_from_stranger": 500,
        "rtcp_from_stranger": 500,
        "dtls_from_stranger": 500,
        "not_demultiplexed": 500,
    }


def test_each_packet_keeps_its_row_and_its_moment() -> None:
    pages = Pages(12)
    given = pages.seam.receive(pages.batch(1), 5.0)
    assert given.rtp.row.tolist() == list(range(12))
    assert given.rtp.at.tolist() == [5.0 + i for i in range(12)]
    assert cut(given.rtp.data, given.rtp.length) == [rtp(1, ssrc=7 + row, payload=bytes(101)) for row in range(12)]
    # What is dropped leaves the others where they are, and of two kinds each is for itself.
    datagrams = [(pages.out[row].protect(rtp(2, payload=bytes(row))), address(row)) for row in range(12)]
    datagrams[3] = datagrams[3][0][:-1] + b"?", address(3)
    datagrams[7] = pages.out[7].protect_rtcp(REPORT), address(7)
    given = pages.seam.receive(batched(datagrams), 5.0)
    assert given.rtp.row.tolist() == [row for row in range(12) if row not in (3, 7)]
    assert given.rtp.at.tolist() == [5.0 + row for row in range(12) if row not in (3, 7)]
    assert (given.rtcp.row.tolist(), given.rtcp.at.tolist()) == ([7], [12.0])
    assert cut(given.rtcp.data, given.rtcp.length) == [REPORT]
    assert pages.transport.counters == {"srtp_unauthentic": 1}


@pytest.mark.parametrize("lengths", [[160] * 6, [3, 160, 3, 40, 41, 42]])
def test_packets_of_any_lengths_go_where_each_leg_is(lengths: list[int]) -> None:
    pages = Pages(6)
    plain = [rtp(9, payload=bytes([1 + row]) * octets) for row, octets in enumerate(lengths)]
    order = [4, 0, 5, 1, 3]
    data, length = lay([plain[row] for row in order])
    sent = pages.seam.protect(np.array(order), data, length)
    assert sent.port.tolist() == [address(row)[2] for row in order]
    assert [name.tobytes() for name in sent.name] == [socket_name(*address(row)[:2]) for row in order]
    assert [pages.back[row].unprotect(one) for row, one in zip(order, cut(sent.data, sent.length), strict=True)] == [
        plain[row] for row in order
    ]
    # One without keys is left out, and the others are not.
    pages.transport.media.close(0)
    data, length = lay([rtp(10)] * 6)
    sent = pages.seam.protect(pages.rows, data, length)
    assert [name.tobytes() for name in sent.name] == [socket_name(*address(row)[:2]) for row in range(1, 6)]
    assert pages.transport.counters == {"srtp_unsent_no_keys": 1}


def test_an_address_is_whose_it_was_last_and_only_its_owner_gives_it_up() -> None:
    pages = Pages(2)
    media, there = pages.transport.media, ("203.0.113.9", 7, 1)

    def whose() -> int:
        return int(media.find(batched([(b"", there)]))[0])

    assert whose() == -1
    media.own(there, 0)
    media.own(there, 1)
    assert whose() == 1
    media.disown(there, 0)
    assert whose() == 1
    media.disown(there, 1)
    assert whose() == -1
