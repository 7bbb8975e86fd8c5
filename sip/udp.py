"""The shell of SIP over UDP: sockets, what comes by them, and by which of them a datagram goes (Trio).

What is answered leaves from the address that was asked (`homes`). A socket that is bound to all addresses of the
machine says with each datagram to which of them it came, and is told with each from which it goes (ip(7) and ipv6(7):
PKTINFO).
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache

import trio

from .arrivals import Arrival, Arrivals
from .grammar import Address
from .homes import Homes, is_any

# More than a UDP datagram can hold
_BUFFER = 65536
# So many datagrams are read at once at most, and so many heard, before others have their turn. What waits in the socket
# is seen by nobody: which of it is heard first, and what is too much, is decided of all.
_READ_AT_ONCE = 1000
_HEARD_AT_ONCE = 32
# Asked of the system for what comes meanwhile: a second of a busy trunk. What it does not grant is not missed.
_WAITING = 1 << 20
# linux/in.h; Python has no name for it. A struct in_pktinfo is the interface, our address, and the destination.
_IP_PKTINFO = 8
# A struct in6_pktinfo, the larger one, is our address and the interface: 16 octets and 4.
_NO_INTERFACE = bytes(4)
_ROOM = socket.CMSG_SPACE(20)


def bind(host: str, port: int) -> socket.socket:
    """A UDP socket on a numeric address, IPv4 or IPv6 (without brackets). Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    udp = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        if family == socket.AF_INET6:
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            udp.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _WAITING)
        udp.bind((host, port))
    except OSError as error:
        udp.close()
        raise OSError(error.errno, f"[sip] udp: cannot listen on UDP {host} port {port}: {error.strerror}") from error
    return udp


def address_of(udp: socket.socket) -> Address:
    return Address(*udp.getsockname()[:2])


class Datagrams:
    """All UDP of one endpoint; `receive(datagram, source, late)` is the endpoint's, `arrivals` makes what waits at one
    socket."""

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        homes: Homes,
        receive: Callable[[bytes, Address, bool], None],
        arrivals: Callable[[], Arrivals],
    ) -> None:
        self.addresses = [address_of(udp) for udp in sockets]
        self._sockets = sockets
        # by whether they are of IPv6
        self._families: dict[bool, list[tuple[socket.socket, Address]]] = {False: [], True: []}
        for udp, bound in zip(sockets, self.addresses, strict=True):
            self._families[bound.six].append((udp, bound))
        self._homes = homes
        self._receive = receive
        self._arrivals = arrivals

    def start(self, nursery: trio.Nursery) -> None:
        """Everything runs in `nursery`, until it is cancelled."""
        for udp in self._sockets:
            nursery.start_soon(self._read, udp)

    def close(self) -> None:
        for udp in self._sockets:
            trio.lowlevel.notify_closing(udp)
            udp.close()

    def send(self, data: bytes, destination: Address) -> None:
        """One datagram. Raises OSError where it cannot be sent."""
        self._homes.answered(destination)
        to, local = (destination.host, destination.port), self._homes.heard(destination)
        udp, bound = self._by(destination, local)
        if local is not None and is_any(bound.host):
            try:
                udp.sendmsg([data], [_from(local.host)], 0, to)
            except BlockingIOError:
                raise
            except OSError:  # that address is ours no more
                self._homes.forget(destination)
            else:
                return
        udp.sendto(data, to)

    def _by(self, destination: Address, local: Address | None) -> tuple[socket.socket, Address]:
        """The socket by which it goes, and to what that is bound. Raises OSError."""
        family = self._families[destination.six]
        if not family:
            raise OSError("no socket of this address family")
        if len(family) == 1:
            return family[0]
        home = local or self._homes.of(destination)
        return min(family, key=lambda each: _strangeness(each[1], home))

    async def _read(self, udp: socket.socket) -> None:
        # One buffer for all: a new one for each datagram, cut to its size, leaves the heap full of holes behind what is
        # kept of it for a transaction's time.
        buffer = bytearray(_BUFFER)
        bound = address_of(udp)
        arrivals = self._arrivals()
        while True:
            if arrivals:
                await trio.lowlevel.checkpoint()
            else:
                await trio.lowlevel.wait_readable(udp)
            for _ in range(_READ_AT_ONCE):
                if arrivals.full:
                    break
                try:
                    length, ancillary, _, source = udp.recvmsg_into([buffer], _ROOM)
                except BlockingIOError:
                    break
                except ConnectionError:
                    continue  # an ICMP error of an earlier send
                local = _address(_to(*ancillary) or bound.host, bound.port)
                arrivals.add(bytes(memoryview(buffer)[:length]), _address(source[0], source[1]), local)
            for _ in range(_HEARD_AT_ONCE):
                arrival = arrivals.next()
                if arrival is None:
                    break
                self._hear(arrival)

    def _hear(self, arrival: Arrival) -> None:
        self._homes.begin(arrival.source, arrival.local)
        try:
            self._receive(arrival.data, arrival.source, arrival.late)
        finally:
            self._homes.end()


def _strangeness(bound: Address, home: Address) -> tuple[bool, bool, bool]:
    """How little a socket is that of an address of ours."""
    return bound.port != home.port, bound.host != home.host, not is_any(bound.host)


# Of the same few trunks and of our own; whoever writes other senders on its datagrams has them made anew.
@lru_cache(maxsize=1000)
def _address(host: str, port: int) -> Address:
    return Address(host, port)


@lru_cache(maxsize=100)
def _to(*ancillary: tuple[int, int, bytes]) -> str:
    """To which address of ours it came, "" where the system does not say."""
    for level, kind, data in ancillary:
        with suppress(ValueError):
            if (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO):
                return socket.inet_ntop(socket.AF_INET, data[4:8])
            if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
                return socket.inet_ntop(socket.AF_INET6, data[:16])
    return ""


@lru_cache(maxsize=100)
def _from(host: str) -> tuple[int, int, bytes]:
    """From which address of ours it goes; by which interface says the routing table."""
    if ":" in host:
        packed = socket.inet_pton(socket.AF_INET6, host)
        return socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, packed + _NO_INTERFACE
    return socket.IPPROTO_IP, _IP_PKTINFO, _NO_INTERFACE + socket.inet_pton(socket.AF_INET, host) + bytes(4)
