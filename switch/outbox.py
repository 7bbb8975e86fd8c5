"""What goes out with the next tick beside the media: answers of the SecureTransport, and RTCP.

A browser's reports are encrypted and go among its media's datagrams; a plain leg's go from the port after that of its
RTP to the port after that of the far side's (RFC 3550 §11), and are kept apart, for they have sockets of their own.
"""

from __future__ import annotations

from collections.abc import Iterable

from .leaving import Leaving
from .seams import Datagram, Datagrams, Octets, Rows


class Outbox:
    """Datagrams of all legs, from one tick to the next. `reports` are for the ports beside those of RTP."""

    def __init__(self, leaving: Leaving) -> None:
        self._leaving = leaving
        self._single: list[Datagram] = []
        self._among: list[Datagrams] = []
        self.reports: list[Datagrams] = []

    def add(self, datagrams: Iterable[Datagram]) -> None:
        """What the SecureTransport sends of its own accord."""
        self._single += datagrams

    def post(self, rows: Rows, octets: Octets) -> None:
        """Reports uint8 [n, W] of `rows` [n] go out with the next tick: a trunk's by the ports beside."""
        among, beside = self._leaving.reports(rows, octets)
        self._among += among
        self.reports += beside

    def take(self) -> list[Datagrams]:
        """What there is for the sockets of media; it is the caller's now."""
        taken = [Datagrams.of(self._single), *self._among] if self._single else self._among
        self._single, self._among = [], []
        return taken

    def take_reports(self) -> list[Datagrams]:
        """What there is for the ports beside; it is the caller's now."""
        reports, self.reports = self.reports, []
        return reports
