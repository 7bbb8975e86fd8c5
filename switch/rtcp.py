"""RTCP of many legs at once, in and out: sender and receiver reports, CNAME and BYE (RFC 3550 §6).

Octets only; who reports when, and what is made of it, is reports.py. A batch is a matrix of octets, a row per compound
packet, read and written by its 32-bit words as columns. A leg is a session of two parties, so that a report of ours has
one block at most, and of theirs the one is read that is about us.

    SR or RR [+ block]   SDES with CNAME   [BYE]
"""

from __future__ import annotations

from typing import Final

import numpy as np
from attrs import fields, frozen
from numpy.typing import NDArray

from .seams import Octets

Words = NDArray[np.uint32]

SR: Final = 200
RR: Final = 201
SDES: Final = 202
BYE: Final = 203
CNAME: Final = 16  # octets of ours: 96 random bits in base64 (RFC 7022 §4.2)
SHORTEST: Final = 8  # octets: an empty receiver report
# Packets of one compound that are walked through: SR, SDES, BYE and what extensions add; beyond that it is no report.
_MAX_PACKETS: Final = 16
_SDES_WORDS: Final = 7  # header, SSRC, item of 2 + 16 octets and two that end the chunk (§6.5)
_UNITS: Final = 65536  # of a second, in what 32 bits keep of an NTP timestamp (§4)


@frozen
class Report:
    """What n legs report: uint32 [n] each, but `cname` uint8 [n, CNAME] and `lost` int64 [n].

    `timestamp`, `packets` and `octets` are what we sent; `source`, `fraction` (of 256), `lost` (cumulative), `highest`
    (extended), `jitter` (timestamp units), `last_sr` and `since` (1/65536 s) are about whom we hear (§6.4.1).
    """

    ssrc: Words
    cname: Octets
    timestamp: Words
    packets: Words
    octets: Words
    source: Words
    fraction: Words
    lost: NDArray[np.int64]
    highest: Words
    jitter: Words
    last_sr: Words
    since: Words

    def select(self, index: NDArray[np.intp]) -> Report:
        """Some of them, in their order."""
        return Report(*(getattr(self, each.name)[index] for each in fields(Report)))


def short_time(seconds: NDArray[np.float64]) -> Words:
    """The middle 32 bits of an NTP timestamp: 1/65536 s, which begin anew every 18 hours (§6.4.1, LSR)."""
    units = np.rint(seconds * _UNITS).astype(np.int64)
    return (units & 0xFFFFFFFF).astype(np.uint32)


def write(report: Report, now: float, *, sender: bool, block: bool, bye: bool = False) -> Octets:
    """n compound packets of one shape, uint8 [n, W]: a sender's report or a receiver's, with a block or without, and a
    goodbye or none. `now` is the sender's clock in seconds: elapsed time, which no other clock can be told from
    (§6.4.1 allows it, and only differences of it are used).
    """
    n = len(report.ssrc)
    info, blocks = 5 * sender, 6 * block
    size = 2 + info + blocks + _SDES_WORDS + 2 * bye
    words = np.zeros((n, size), ">u4")
    words[:, 0] = 0x80000000 | block << 24 | (SR if sender else RR) << 16 | 1 + info + blocks
    words[:, 1] = report.ssrc
    if sender:
        # in 1/65536 s, so that what comes back as LSR is exactly what was sent
        units = round(now * _UNITS)
        words[:, 2] = units >> 16 & 0xFFFFFFFF
        words[:, 3] = (units & 0xFFFF) << 16
        words[:, 4] = report.timestamp
        words[:, 5] = report.packets
        words[:, 6] = report.octets
    if block:
        at = 2 + info
        lost = np.clip(report.lost, -(1 << 23), (1 << 23) - 1) & 0xFFFFFF
        words[:, at] = report.source
        words[:, at + 1] = report.fraction << 24 | lost.astype(np.uint32)
        words[:, at + 2] = report.highest
        words[:, at + 3] = report.jitter
        words[:, at + 4] = report.last_sr
        words[:, at + 5] = report.since
    at = 2 + info + blocks
    words[:, at] = 0x80000000 | 1 << 24 | SDES << 16 | _SDES_WORDS - 1
    words[:, at + 1] = report.ssrc
    octets = words.view(np.uint8)
    item = 4 * (at + 2)
    octets[:, item] = 1  # CNAME
    octets[:, item + 1] = CNAME
    octets[:, item + 2 : item + 2 + CNAME] = report.cname
    if bye:
        at += _SDES_WORDS
        words[:, at] = 0x80000000 | 1 << 24 | BYE << 16 | 1
        words[:, at + 1] = report.ssrc
    return octets


def goodbye(ssrc: Words, cname: Octets) -> Octets:
    """What n SSRCs say last, uint8 [n, W]: a receiver's report of nobody, with a goodbye (§6.6)."""
    none = np.zeros(len(ssrc), np.uint32)
    lost = none.astype(np.int64)
    report = Report(ssrc, cname, none, none, none, none, none, lost, none, none, none, none)
    return write(report, 0.0, sender=False, block=False, bye=True)


@frozen
class Heard:
    """What n datagrams say, columns [n].

    `valid` bool, it is a compound that begins with a report (§A.2); `ssrc` uint32 who reports; `leaves` bool, with a
    BYE; `sender` bool, it sends, and `sr` uint32 is the time of its report in 1/65536 s and `packets` uint32 how many
    it has sent; `about_us` bool, it hears us: `fraction` uint8 lost of 256, `highest`, `jitter` in timestamp units,
    `last_sr` and `since` uint32.
    """

    valid: NDArray[np.bool_]
    ssrc: Words
    leaves: NDArray[np.bool_]
    sender: NDArray[np.bool_]
    sr: Words
    packets: Words
    about_us: NDArray[np.bool_]
    fraction: NDArray[np.uint8]
    highest: Words
    jitter: Words
    last_sr: Words
    since: Words

    def select(self, index: NDArray[np.intp]) -> Heard:
        """Some of them, in their order."""
        return Heard(*(getattr(self, each.name)[index] for each in fields(Heard)))


def parse(data: Octets, length: NDArray[np.int32], ours: Words) -> Heard:
    """Reads n datagrams: `data` uint8 [n, W], C-contiguous rows with W a multiple of 4 and at least 16; `length` int32
    [n]; `ours` uint32 [n], our SSRC where each came. Nothing raises: what is no compound is not `valid`.
    """
    words = data.view(">u4")
    n, width = words.shape
    rows = np.arange(n)
    first = words[:, 0].astype(np.uint32)
    kind = first >> 16 & 0xFF
    sender = kind == SR
    blocks = (first >> 24 & 31).astype(np.int64)
    begin = np.where(sender, 7, 2)
    end = (first & 0xFFFF).astype(np.int64) + 1
    whole, leaves = _walk(words, length)
    valid = whole & (sender | (kind == RR)) & (begin + 6 * blocks <= end) & (end * 4 <= length)
    about_us = np.zeros(n, np.bool_)
    at = begin.copy()
    for i in range(int(blocks[valid].max(initial=0))):
        here = np.minimum(begin + 6 * i, width - 6)
        found = valid & ~about_us & (i < blocks) & (words[rows, here] == ours)
        at[found] = here[found]
        about_us |= found
    at = np.minimum(at, width - 6) if width >= 6 else np.zeros(n, np.int64)

    def word(offset: int) -> Words:
        column: Words = words[rows, np.minimum(at + offset, width - 1)].astype(np.uint32)
        return column

    def info(offset: int) -> Words:
        return words[:, min(offset, width - 1)].astype(np.uint32)

    return Heard(
        valid=valid,
        ssrc=words[:, 1].astype(np.uint32),
        leaves=leaves,
        sender=valid & sender,
        sr=info(2) << np.uint32(16) | info(3) >> np.uint32(16),
        packets=info(5),
        about_us=about_us,
        fraction=(word(1) >> np.uint32(24)).astype(np.uint8),
        highest=word(2),
        jitter=word(3),
        last_sr=word(4),
        since=word(5),
    )


def _walk(words: NDArray[np.generic], length: NDArray[np.int32]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether the lengths within add up to that of each datagram, and all is of version 2 (§A.2), and whether one of
    the packets is a BYE: bool [n] each."""
    n, width = words.shape
    rows = np.arange(n)
    at = np.zeros(n, np.int64)
    end = length.astype(np.int64) // 4
    sound = (length >= SHORTEST) & (length % 4 == 0) & (length <= 4 * width)
    leaves = np.zeros(n, np.bool_)
    for _ in range(_MAX_PACKETS):
        going = sound & (at < end)
        if not np.count_nonzero(going):
            break
        header = words[rows, np.minimum(at, width - 1)].astype(np.uint32)
        sound &= ~going | (header >> np.uint32(30) == 2)
        leaves |= going & (header >> np.uint32(16) & np.uint32(0xFF) == BYE)
        at += np.where(going, (header & np.uint32(0xFFFF)).astype(np.int64) + 1, 0)
    return sound & (at == end), leaves


def round_trip(arrived: NDArray[np.float64], last_sr: Words, since: Words) -> NDArray[np.float64]:
    """Seconds from our report there and back, without what it lay there (§6.4.1); NaN where none of ours had come.

    Negative where clocks ran apart, by as much as they did: that is a round trip of nothing.
    """
    units = (short_time(arrived) - last_sr - since).view(np.int32)
    return np.where(last_sr == 0, np.nan, np.maximum(units / _UNITS, 0.0))
