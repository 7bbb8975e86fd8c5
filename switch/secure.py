"""Browsers' media, in columns: whose each packet is, what is in it under its SRTP, and where a leg's own go.

A leg is known by the addresses from which its ICE checks passed, and is sent to one: webrtc.py, which talks with its
browser, says which (`own`, `disown`, `aim`), and hands over the keys (`open`). Whose a batch is, is one search for all
of it (sockaddr.py); each packet then has its one call of libsrtp (srtp.py), and lies in a matrix all the while.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from .legs import those
from .matrix import cut, width
from .seams import NO_PACKETS, Batch, Datagrams, Octets, Packets, Rows
from .sockaddr import NAME, Owners, socket_name
from .srtp import TRAILER, Srtp, SrtpKeys
from .stun import Address


class SecureMedia:
    """Columns of `capacity` rows. `counters` counts what is dropped, by its reason."""

    def __init__(self, counters: Counter[str], capacity: int) -> None:
        self._srtp = Srtp(counters, capacity)
        # Where each row is sent to: the number of our socket, -1 for nowhere yet, and a sockaddr.
        self._port = np.full(capacity, -1, np.int32)
        self._name = np.zeros((capacity, NAME), np.uint8)
        self._owned: dict[tuple[int, bytes], int] = {}
        self._owners: Owners | None = None  # to be made anew

    def own(self, address: Address, row: int) -> None:
        """What comes from there is the row's from now on, whosever it was."""
        pair = _pair(address)
        if self._owned.get(pair) != row:
            self._owned[pair] = row
            self._owners = None

    def disown(self, address: Address, row: int) -> None:
        """... nobody's, if it was the row's."""
        pair = _pair(address)
        if self._owned.get(pair) == row:
            del self._owned[pair]
            self._owners = None

    def owner(self, port: int, name: bytes) -> int | None:
        """Whose a sockaddr at our socket number `port` is."""
        return self._owned.get((port, name))

    def aim(self, row: int, address: Address) -> None:
        """What the row is sent goes there from now on."""
        self._port[row], name = _pair(address)
        self._name[row] = np.frombuffer(name, np.uint8)

    def open(self, row: int, keys: SrtpKeys) -> None:
        self._srtp.open(row, keys)

    def close(self, row: int) -> None:
        self._srtp.close(row)
        self._port[row] = -1

    def find(self, batch: Batch) -> Rows:
        """Whose each datagram is, by where it comes from; -1 for strangers. intp [n]."""
        if self._owners is None:
            ports = np.array([port for port, _ in self._owned], np.int32)
            names = np.frombuffer(b"".join([name for _, name in self._owned]), np.uint8).reshape(-1, NAME)
            self._owners = Owners.of(ports, names, np.array(list(self._owned.values()), np.intp))
        return self._owners.find(batch.port, batch.name)

    def unprotect(self, batch: Batch, index: Rows | slice, rows: Rows, *, rtcp: bool = False) -> Packets:
        """The datagrams `index` [m] of a batch, of legs `rows` [m], which demux.py takes for SRTP or for SRTCP. All of
        it are opened where they lie."""
        if not len(rows):
            return NO_PACKETS
        length = batch.length[index]
        data = batch.data[index, : width(length)]
        length = self._srtp.unprotect(rows, data, length, rtcp=rtcp)
        came = those(length > 0)
        return Packets(rows[came], data[came], length[came], batch.at[index][came])

    def protect(self, rows: Rows, data: Octets, length: NDArray[np.int32], *, rtcp: bool = False) -> Datagrams:
        """n packets `data` uint8 [n, W] with `length` int32 [n] for the legs `rows` [n]. Those without keys are left
        out and counted."""
        n, octets = data.shape
        sealed = np.empty((n, octets + TRAILER), np.uint8)
        sealed[:, :octets] = data
        length = self._srtp.protect(rows, sealed, length, rtcp=rtcp)
        went = those(length > 0)
        rows = rows[went]
        return Datagrams(sealed[went], length[went], self._port[rows], self._name[rows])


def each(batch: Batch, index: Rows) -> list[tuple[bytes, int, bytes]]:
    """The datagrams `index` of a batch one by one: (octets, number of our socket, sockaddr)."""
    length = batch.length[index]
    data = batch.data[index, : width(length)]
    names = cut(batch.name[index], np.full(len(index), NAME, np.int32))
    return list(zip(cut(data, length), batch.port[index].tolist(), names, strict=True))


def _pair(address: Address) -> tuple[int, bytes]:
    host, port, socket = address
    return socket, socket_name(host, port)
