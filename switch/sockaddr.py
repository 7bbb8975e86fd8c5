"""Where datagrams come from and go to, as Linux sockaddrs of NAME octets; and whose each is, a whole batch at once.

A row's datagrams are known by (number of our socket, the sockaddr they come from). All of a batch are found by one
binary search in sorted keys of 64 bits. An IPv4 remote (32 bits of address, 16 of port) and our socket fit into a key
as they are. With IPv6 they are hashed, and what is found is compared in full: a colliding stranger stays a stranger.
"""

from __future__ import annotations

import ipaddress
import struct
from typing import Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

Octets = NDArray[np.uint8]
Rows = NDArray[np.intp]
Words = NDArray[np.uint64]

NAME: Final = 32  # octets kept of a sockaddr: sockaddr_in6 has 28
AF_INET: Final = 2  # Linux
AF_INET6: Final = 10

# The first word of a sockaddr: family, port, and an IPv4 address or IPv6 flow label, from the lowest bits on.
_NOT_FAMILY: Final = np.uint64(2**64 - 2**16)
_PORT: Final = np.uint64(0xFFFF0000)
_NOBODY: Final = np.uint64(2**64 - 1)
# Odd constants with bits everywhere: a product carries every bit of its operand upwards.
_HIGH: Final = np.uint64(0x9E3779B97F4A7C15)
_LOW: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_PORTS: Final = np.uint64(0xD6E8FEB86659FD93)
_SHIFT: Final = np.uint64(29)


def socket_name(address: str, port: int) -> bytes:
    """A Linux sockaddr_in or sockaddr_in6, padded to NAME octets. Raises ValueError for what is no IP address."""
    if not 0 < port < 65536:
        raise ValueError(f"no port: {port}")
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv4Address):
        return (struct.pack("=H", AF_INET) + struct.pack("!H", port) + ip.packed).ljust(NAME, b"\0")
    return (struct.pack("=H", AF_INET6) + struct.pack("!HI", port, 0) + ip.packed).ljust(NAME, b"\0")


def host_and_port(name: bytes) -> tuple[str, int]:
    """... and what it says as text and number."""
    family, port = struct.unpack_from("=H", name)[0], struct.unpack_from("!H", name, 2)[0]
    if family == AF_INET:
        return str(ipaddress.IPv4Address(name[4:8])), port
    return str(ipaddress.IPv6Address(name[8:24])), port


def family_of(name: bytes) -> int:
    """AF_INET or AF_INET6."""
    return int(struct.unpack_from("=H", name)[0])


def name_length(name: bytes) -> int:
    """What the kernel wants to hear as the length of this sockaddr."""
    return 16 if family_of(name) == AF_INET else 28


def _four_keys(port: NDArray[np.int32], names: Octets) -> Words:
    """Keys of n sockaddr_in, uint8 [n, 32], C-contiguous: remote address, remote port, and ours for the family, which a
    socket has one of."""
    keys: Words = names.view(np.uint64)[:, 0] & _NOT_FAMILY | port.astype(np.uint64)
    return keys


def _six_keys(port: NDArray[np.int32], names: Octets) -> Words:
    """Keys of n sockaddr_in6, uint8 [n, 32], C-contiguous: hashes of remote address, remote port, and ours."""
    words = names.view(np.uint64)
    ports = words[:, 0] & _PORT | port.astype(np.uint64)  # without the flow label
    mixed = words[:, 1] * _HIGH ^ words[:, 2] * _LOW ^ ports * _PORTS
    keys: Words = mixed ^ mixed >> _SHIFT
    return keys


def _is_four(names: Octets) -> NDArray[np.bool_]:
    four: NDArray[np.bool_] = names.view(np.uint16)[:, 0] == AF_INET
    return four


@frozen(eq=False)
class _Sorted:
    """What each of m keys stands for, by ascending keys [m + 1], of which the last is nobody's."""

    keys: Words
    values: Rows

    @classmethod
    def of(cls, keys: Words, values: Rows) -> _Sorted:
        order = np.argsort(keys, kind="stable")
        return cls(np.append(keys[order], _NOBODY), np.append(values[order], -1))

    def find(self, keys: Words) -> Rows:
        """-1 where there is none."""
        at = self.keys.searchsorted(keys)
        found: Rows = np.where(self.keys[at] == keys, self.values[at], -1)
        return found


@frozen(eq=False)
class Owners:
    """Whose the m pairs are of which each is (`port`, `name`) of the row `row`; of what is there twice, the first."""

    _row: Rows  # of each pair, and at the end nobody's
    _port: NDArray[np.int32]
    _name: Octets
    _four: _Sorted  # rows
    _six: _Sorted  # pairs

    @classmethod
    def of(cls, port: NDArray[np.int32], name: Octets, row: Rows) -> Owners:
        """int32 [m], uint8 [m, 32], C-contiguous, and intp [m]."""
        is_four = _is_four(name)
        four, six = np.flatnonzero(is_four), np.flatnonzero(~is_four)
        return cls(
            np.append(row, -1),
            port,
            name,
            _Sorted.of(_four_keys(port[four], name[four]), row[four]),
            _Sorted.of(_six_keys(port[six], name[six]), six),
        )

    def find(self, port: NDArray[np.int32], names: Octets) -> Rows:
        """The row of each of n datagrams by the number of our socket int32 [n] and their sockaddrs uint8 [n, 32]; -1
        for strangers. intp [n]."""
        rows = self._four.find(_four_keys(port, names))
        if len(self._six.keys) > 1 and len(six := (~_is_four(names)).nonzero()[0]):
            rows[six] = self._find_six(port[six], names[six])
        return rows

    def _find_six(self, port: NDArray[np.int32], names: Octets) -> Rows:
        pair = self._six.find(_six_keys(port, names))
        # The address [8:24] and port [2:4]; flow label and scope between and behind them may differ.
        known = self._name[pair]
        same = (known[:, 8:24] == names[:, 8:24]).all(axis=1) & (known[:, 2:4] == names[:, 2:4]).all(axis=1)
        return self._row[np.where(same & (self._port[pair] == port), pair, -1)]
