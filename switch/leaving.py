"""By which way packets of legs leave: as they are, or under SRTP, from the pool's sockets or the browsers'.

Both who makes media (sender.py) and who makes reports (outbox.py) hand them over here, whole matrices at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .legs import Legs
from .ports import PortPool
from .sealed import Sealed
from .seams import Datagrams, Octets, Rows, SecureTransport


class Leaving:
    """The ways out of all legs: those of trunks without encryption and with it, and those of browsers."""

    def __init__(self, legs: Legs, ports: PortPool, sealed: Sealed, secure: SecureTransport | None) -> None:
        self._legs = legs
        self._ports = ports
        self._sealed = sealed
        self._secure = secure

    def plain(self, rows: Rows) -> NDArray[np.bool_]:
        """Which of `rows` [n] are sent their packets as they are."""
        plain: NDArray[np.bool_] = ~(self._legs.secure[rows] | self._legs.sealed[rows])
        return plain

    def media(self, rows: Rows, packets: Octets, length: NDArray[np.int32]) -> Iterator[Datagrams]:
        """n packets of `rows` [n], uint8 [n, W] of `length` int32 [n]."""
        plain = self.plain(rows)
        if np.count_nonzero(plain):
            of = rows[plain]
            yield Datagrams(packets[plain], length[plain], self._ports.port[of], self._ports.name[of])
        if np.count_nonzero(plain) < len(rows):
            yield from self.encrypted(rows[~plain], packets[~plain], length[~plain])

    def encrypted(self, rows: Rows, packets: Octets, length: NDArray[np.int32]) -> Iterator[Datagrams]:
        """... of which none is plain."""
        secure = self._legs.secure[rows]
        browsers = np.count_nonzero(secure)
        if browsers == len(rows):
            assert self._secure is not None, "without it no such leg is opened"
            yield self._secure.protect(rows, packets, length)
            return
        yield self._sealed.protect(rows[~secure], packets[~secure], length[~secure])
        if browsers and self._secure is not None:
            yield self._secure.protect(rows[secure], packets[secure], length[secure])

    def reports(self, rows: Rows, octets: Octets) -> tuple[list[Datagrams], list[Datagrams]]:
        """Reports uint8 [n, W] of `rows` [n]: what goes among the media, those of browsers, and what goes by the ports
        beside it."""
        among: list[Datagrams] = []
        beside: list[Datagrams] = []
        secure, sealed = self._legs.secure[rows], self._legs.sealed[rows]
        if self._secure is not None and np.count_nonzero(secure):
            among.append(self._secure.protect_rtcp(rows[secure], octets[secure]))
        if np.count_nonzero(sealed):
            beside.append(self._sealed.protect_reports(rows[sealed], octets[sealed]))
        if len(plain := rows[~(secure | sealed)]):
            names, port = self._ports.beside(plain)
            length = np.full(len(plain), octets.shape[1], np.int32)
            beside.append(Datagrams(octets[~(secure | sealed)], length, port, names))
        return among, beside
