"""The engine's seam for browsers: `WebrtcTransport` behind the matrices of seams.py.

A batch is cut into datagrams once, and a source is made an address once: sockaddrs of late are remembered, a bounded
number of them. Sockets keep the numbers that the shell gave them, so an answer leaves from where its question came to.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from .points import Point, candidates
from .ports import AF_INET, NAME, socket_name
from .protocol import (
    AccessPoint,
    AccessPoints,
    LegRefused,
    ListAccessPoints,
    OpenWebrtcLeg,
    RestartIce,
    WebrtcLegOpened,
)
from .seams import NO_PACKETS, Batch, Datagram, Octets, Packets, Rows, SecureInput
from .stun import Address
from .webrtc import Received, WebrtcTransport

# Addresses remembered before all are forgotten: every leg's and a flood of strangers, 2 MB.
MAX_REMEMBERED = 8192

_NO_TIMES = np.zeros(0, np.float64)


class Browsers:
    """`points` are where browsers reach us, at least one."""

    def __init__(self, transport: WebrtcTransport, points: Sequence[Point]) -> None:
        self._transport = transport
        self._points = points
        self._addresses: dict[tuple[int, bytes], Address] = {}
        self._names: dict[Address, bytes] = {}

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
        return self._datagrams(self._transport.close(row))

    def receive(self, batch: Batch, now: float) -> SecureInput:
        width = int(batch.length.max())  # not the whole matrix: most of it is empty
        data = batch.data[:, :width].tobytes()
        names = batch.name.tobytes()
        lengths, ports = batch.length.tolist(), batch.port.tolist()
        datagrams = [
            (data[i * width : i * width + length], self._address(ports[i], names[i * NAME : (i + 1) * NAME]))
            for i, length in enumerate(lengths)
        ]
        return self._input(self._transport.receive(datagrams, now), batch.at)

    def protect(self, rows: Rows, data: Octets, length: NDArray[np.int32]) -> Sequence[Datagram]:
        width = data.shape[1]
        octets = data.tobytes()
        packets = [
            (row, octets[i * width : i * width + size])
            for i, (row, size) in enumerate(zip(rows.tolist(), length.tolist(), strict=True))
        ]
        return self._datagrams(self._transport.protect(packets))

    def protect_rtcp(self, rows: Rows, data: Octets) -> Sequence[Datagram]:
        packets = [(row, packet.tobytes()) for row, packet in zip(rows.tolist(), data, strict=True)]
        return self._datagrams(self._transport.protect_rtcp(packets))

    def deadline(self) -> float:
        return self._transport.deadline()

    def wake(self, now: float) -> SecureInput:
        return self._input(self._transport.wake(now), _NO_TIMES)

    def last_check(self, row: int) -> float | None:
        """When the leg's last authenticated STUN check came."""
        return self._transport.last_check(row)

    def _input(self, received: Received, at: NDArray[np.float64]) -> SecureInput:
        return SecureInput(
            self._datagrams(received.replies),
            _packets(received.rtp, received.rtp_from, at),
            _packets(received.rtcp, received.rtcp_from, at),
            received.facts,
        )

    def _datagrams(self, datagrams: Sequence[tuple[bytes, Address]]) -> list[Datagram]:
        return [Datagram(address[2], self._name(address), data) for data, address in datagrams]

    def _address(self, port: int, name: bytes) -> Address:
        known = self._addresses.get((port, name))
        if known is None:
            if len(self._addresses) >= MAX_REMEMBERED:
                self._addresses.clear()
            known = self._addresses[port, name] = (*host_and_port(name), port)
        return known

    def _name(self, address: Address) -> bytes:
        known = self._names.get(address)
        if known is None:
            if len(self._names) >= MAX_REMEMBERED:
                self._names.clear()
            known = self._names[address] = socket_name(address[0], address[1])
        return known


def _granted(answer: WebrtcLegOpened | LegRefused) -> WebrtcLegOpened:
    if isinstance(answer, LegRefused):
        raise ValueError(answer.reason)
    return answer


def _packets(packets: Sequence[tuple[int, bytes]], places: Sequence[int], at: NDArray[np.float64]) -> Packets:
    """`places`: which datagram of the batch each came in, and so when."""
    if not packets:
        return NO_PACKETS
    length = np.array([len(packet) for _, packet in packets], np.int32)
    width = max((int(length.max()) + 3) // 4 * 4, NO_PACKETS.data.shape[1])
    padded = b"".join([packet.ljust(width, b"\0") for _, packet in packets])
    data = np.frombuffer(padded, np.uint8).reshape(-1, width)
    return Packets(np.array([row for row, _ in packets], np.intp), data, length, at[list(places)])


def host_and_port(name: bytes) -> tuple[str, int]:
    """A Linux sockaddr_in or sockaddr_in6 of NAME octets as text and number."""
    family, port = struct.unpack_from("=H", name)[0], struct.unpack_from("!H", name, 2)[0]
    if family == AF_INET:
        return str(ipaddress.IPv4Address(name[4:8])), port
    return str(ipaddress.IPv6Address(name[8:24])), port
