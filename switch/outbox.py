"""What goes out with the next tick beside the media: answers of the SecureTransport, and RTCP.

A browser's reports are encrypted and go among its media's datagrams; a plain leg's go from the port after that of its
RTP to the port after that of the far side's (RFC 3550 §11), and are kept apart, for they have sockets of their own.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .legs import Legs
from .ports import PortPool
from .seams import Datagram, Datagrams, Octets, Rows, SecureTransport


class Outbox:
    """Datagrams of all legs, from one tick to the next. `reports` are for the ports beside those of RTP."""

    def __init__(self, legs: Legs, ports: PortPool, secure: SecureTransport | None) -> None:
        self._legs = legs
        self._ports = ports
        self._secure = secure
        self._single: list[Datagram] = []
        self._sealed: list[Datagrams] = []
        self.reports: list[Datagrams] = []

    def add(self, datagrams: Iterable[Datagram]) -> None:
        """What the SecureTransport sends of its own accord."""
        self._single += datagrams

    def post(self, rows: Rows, octets: Octets) -> None:
        """Reports uint8 [n, W] of `rows` [n] go out with the next tick: a trunk's by the ports beside."""
        secure = self._legs.secure[rows]
        if self._secure is not None and np.count_nonzero(secure):
            self._sealed.append(self._secure.protect_rtcp(rows[secure], octets[secure]))
        if len(plain := rows[~secure]):
            names, port = self._ports.beside(plain)
            length = np.full(len(plain), octets.shape[1], np.int32)
            self.reports.append(Datagrams(octets[~secure], length, port, names))

    def take(self) -> list[Datagrams]:
        """What there is for the sockets of media; it is the caller's now."""
        taken = [Datagrams.of(self._single), *self._sealed] if self._single else self._sealed
        self._single, self._sealed = [], []
        return taken

    def take_reports(self) -> list[Datagrams]:
        """What there is for the ports beside; it is the caller's now."""
        reports, self.reports = self.reports, []
        return reports
