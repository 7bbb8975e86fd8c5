"""The engine's seam for browsers: batches of all their ports told apart (RFC 7983), and answers as datagrams.

    STUN          one by one, first -> webrtc.py
    DTLS          one by one, where it is no stranger's -> webrtc.py
    SRTP, SRTCP   in columns, after the rest of the batch -> secure.py
    else          counted, dropped

Of what strangers send, only STUN is looked at one by one. Sockets keep the numbers that the shell gave them, so an
answer leaves from where its question came to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .demux import MIN_LENGTH, Kind, kinds
from .points import Point, candidates
from .protocol import (
    AccessPoint,
    AccessPoints,
    LegRefused,
    ListAccessPoints,
    OpenWebrtcLeg,
    RestartIce,
    WebrtcLegOpened,
)
from .seams import NO_PACKETS, Batch, Datagram, Datagrams, Octets, Rows, SecureInput
from .secure import each
from .sockaddr import socket_name
from .stun import Address
from .webrtc import Received, WebrtcTransport

_FROM_STRANGERS: Final = {
    Kind.DTLS: "dtls_from_stranger",
    Kind.RTP: "rtp_from_stranger",
    Kind.RTCP: "rtcp_from_stranger",
}


class Browsers:
    """`points` are where browsers reach us, at least one."""

    def __init__(self, transport: WebrtcTransport, points: Sequence[Point]) -> None:
        self._transport = transport
        self._media = transport.media
        self._points = points

    @property
    def counters(self) -> Mapping[str, int]:
        return self._transport.counters

    def open(self, row: int, command: OpenWebrtcLeg, now: float) -> WebrtcLegOpened:
        """Raises ValueError with a text for people."""
        ours = candidates(self._points, command.access_point, command.peer)
        return _granted(self._transport.open(command, row, ours, now))

    def restart(self, row: int, command: RestartIce, now: float) -> WebrtcLegOpened:
        """Raises ValueError with a text for people."""
        ours = candidates(self._points, command.access_point, command.peer)
        return _granted(self._transport.restart(command, row, ours, now))

    def access_points(self, command: ListAccessPoints) -> AccessPoints:
        probe = self._transport.probes.credentials
        points = (AccessPoint(one.id, one.name, tuple(one.candidates(command.peer))) for one in self._points)
        return AccessPoints(command.request, probe.ufrag, probe.pwd, tuple(points))

    @property
    def probed_at(self) -> float:
        return self._transport.probes.answered_at

    def close(self, row: int, now: float) -> Sequence[Datagram]:
        return _datagrams(self._transport.close(row))

    def receive(self, batch: Batch, now: float) -> SecureInput:
        kind, received = kinds(batch.data, batch.length), Received()
        count = np.bincount(kind, minlength=len(MIN_LENGTH))
        if count[Kind.STUN]:
            self._transport.check(each(batch, (kind == Kind.STUN).nonzero()[0]), now, received)
        if count[Kind.OTHER]:
            self._transport.counters["not_demultiplexed"] += int(count[Kind.OTHER])
        rows = self._media.find(batch)
        known = rows >= 0
        if np.count_nonzero(known) < len(known):
            self._count_strangers(kind[~known])
        elif count[Kind.RTP] == len(kind):  # mostly it is nothing else
            opened = self._media.unprotect(batch, slice(None), rows)
            return SecureInput((), opened, NO_PACKETS, ())
        dtls, rtp, rtcp = ((known & (kind == one)).nonzero()[0] for one in (Kind.DTLS, Kind.RTP, Kind.RTCP))
        if len(dtls):
            self._transport.shake_hands(each(batch, dtls), rows[dtls].tolist(), now, received)
        return SecureInput(
            _datagrams(received.replies),
            self._media.unprotect(batch, rtp, rows[rtp]),
            self._media.unprotect(batch, rtcp, rows[rtcp], rtcp=True),
            received.facts,
        )

    def _count_strangers(self, kind: NDArray[np.uint8]) -> None:
        for one, reason in _FROM_STRANGERS.items():
            if n := int(np.count_nonzero(kind == one)):
                self._transport.counters[reason] += n

    def protect(self, rows: Rows, data: Octets, length: NDArray[np.int32]) -> Datagrams:
        return self._media.protect(rows, data, length)

    def protect_rtcp(self, rows: Rows, data: Octets) -> Datagrams:
        return self._media.protect(rows, data, np.full(len(rows), data.shape[1], np.int32), rtcp=True)

    def deadline(self) -> float:
        return self._transport.deadline()

    def wake(self, now: float) -> SecureInput:
        received = self._transport.wake(now)
        return SecureInput(_datagrams(received.replies), NO_PACKETS, NO_PACKETS, received.facts)


def _granted(answer: WebrtcLegOpened | LegRefused) -> WebrtcLegOpened:
    if isinstance(answer, LegRefused):
        raise ValueError(answer.reason)
    return answer


def _datagrams(replies: Sequence[tuple[bytes, Address]]) -> list[Datagram]:
    return [Datagram(port, socket_name(host, number), data) for data, (host, number, port) in replies]
