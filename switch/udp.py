"""UDP by the hundred: recvmmsg and sendmmsg over several sockets, through ctypes, with arrays made once. A shell.

The kernel's structures (mmsghdr, iovec, sockaddr) are numpy records whose pointers are numbers; a batch is received
into one matrix and sent from another without a Python object per datagram. Nothing the network does raises: what
cannot be sent now is dropped and counted, as the network would, and ICMP errors are read past.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import math
import socket
import time
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .seams import Batch, Datagrams
from .sockaddr import NAME, name_length

# The longest datagram taken whole: an Ethernet MTU; DTLS flights and RTP are shorter. A longer one is cut and counted.
WIDTH: Final = 1536
# Datagrams read in one sweep; what is beyond stays in the kernel until the next.
SWEEP: Final = 4096
# ... and of one socket: 2000 browsers' packets of 20 ms. A flood on one port is left in its own buffer.
PER_SOCKET: Final = 2048
# ICMP errors read past on one socket in one sweep: an error that stays must not keep the tick.
MAX_ERRORS: Final = 64
# Asked of the kernel per socket: 100 ms of 600 legs' packets at the kernel's book-keeping of about 1 kB each.
BUFFER: Final = 4 << 20
_SO_RCVBUFFORCE: Final = 33  # Linux, with CAP_NET_ADMIN: beyond net.core.rmem_max
_SO_SNDBUFFORCE: Final = 32
_SO_TIMESTAMPNS: Final = 35  # arrival in real time, as a control message of 32 octets
_MSG_DONTWAIT: Final = 0x40
_PER_CALL: Final = 1024  # UIO_MAXIOV: the kernel's limit for sendmmsg and recvmmsg

_HEADER: Final = np.dtype(
    {
        "names": ["name", "name_length", "iov", "iov_count", "control", "control_length", "flags", "length"],
        "formats": ["u8", "u4", "u8", "u8", "u8", "u8", "u4", "u4"],
        "offsets": [0, 8, 16, 24, 32, 40, 48, 56],
        "itemsize": 64,
    }
)
_IOVEC: Final = np.dtype([("base", "u8"), ("length", "u8")])

_libc = ctypes.CDLL(None, use_errno=True)
_recvmmsg = _libc.recvmmsg
_recvmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)
_sendmmsg = _libc.sendmmsg
_sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)


def bind(address: str, port: int) -> socket.socket:
    """A UDP socket with large buffers. Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        for force, plain in ((_SO_RCVBUFFORCE, socket.SO_RCVBUF), (_SO_SNDBUFFORCE, socket.SO_SNDBUF)):
            try:
                made.setsockopt(socket.SOL_SOCKET, force, BUFFER)
            except OSError:
                made.setsockopt(socket.SOL_SOCKET, plain, BUFFER)
        made.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        # DSCP EF for voice (RFC 4594 §4.1); what forbids it is no reason not to speak.
        with contextlib.suppress(OSError):
            if family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 46 << 2)
            else:
                made.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 46 << 2)
        made.setblocking(False)
        made.bind((address, port))
    except OSError as error:
        made.close()
        raise OSError(error.errno, f"cannot listen on UDP {address} port {port}: {error.strerror}") from error
    except BaseException:
        made.close()
        raise
    return made


class UdpSockets:
    """Sockets numbered as they are given, read and written together."""

    def __init__(self, sockets: Sequence[socket.socket]) -> None:
        self.sockets = tuple(sockets)
        self._fds = [one.fileno() for one in sockets]
        self.unsent = 0  # the kernel's buffer was full
        self.refused = 0  # unreachable, or an ICMP error of an earlier datagram
        self.cut = 0  # longer than WIDTH
        # When each was read to its end: nothing that lies there has waited for longer.
        self._emptied = np.full(len(sockets), -math.inf)
        self._data = np.zeros((SWEEP, WIDTH), np.uint8)
        self._names = np.zeros((SWEEP, NAME), np.uint8)
        self._port = np.zeros(SWEEP, np.int32)
        self._vectors = np.zeros(SWEEP, _IOVEC)
        self._headers = np.zeros(SWEEP, _HEADER)
        self._vectors["base"] = self._data.ctypes.data + np.arange(SWEEP, dtype=np.uint64) * WIDTH
        self._vectors["length"] = WIDTH
        # One cmsghdr (length, level and type) and its timespec (seconds, nanoseconds) per datagram.
        self._control = np.zeros((SWEEP, 4), np.int64)
        self._headers["control"] = self._control.ctypes.data + np.arange(SWEEP, dtype=np.uint64) * 32
        self._headers["control_length"] = 32
        self._point(self._headers, self._names, self._vectors)
        self._out_vectors = np.zeros(SWEEP, _IOVEC)
        self._out_headers = np.zeros(SWEEP, _HEADER)

    @staticmethod
    def _point(headers: NDArray[np.void], names: NDArray[np.uint8], vectors: NDArray[np.void]) -> None:
        n = np.arange(len(headers), dtype=np.uint64)
        headers["name"] = names.ctypes.data + n * NAME
        headers["name_length"] = NAME
        headers["iov"] = vectors.ctypes.data + n * _IOVEC.itemsize
        headers["iov_count"] = 1

    def receive(self, now: float, first: int = 0) -> Batch | None:
        """What lies in the buffers of the sockets from number `first` on, up to SWEEP datagrams, or None.

        Sockets take turns, so that one with a flood leaves the others their share.
        `now` is what the engine's clock says; the kernel's arrival times are brought to it.
        The matrices are this object's own and good until the next call.
        """
        headers, filled = self._headers, 0
        base = headers.ctypes.data
        waiting = list(range(first, len(self._fds)))
        turn = min(SWEEP // max(len(waiting), 1), _PER_CALL)
        for _ in range(max(PER_SOCKET // turn, 1)):
            more = []
            for number in waiting:
                room = min(SWEEP - filled, turn)
                got = self._take(self._fds[number], base + filled * _HEADER.itemsize, room) if room else 0
                self._port[filled : filled + got] = number
                filled += got
                if got == room:
                    more.append(number)
            waiting = more
            if not waiting or filled == SWEEP:
                break
        since = self._emptied[self._port[:filled]]
        left = self._emptied[waiting]
        self._emptied[first:] = now
        self._emptied[waiting] = left
        if not filled:
            return None
        length = headers["length"][:filled].astype(np.int32)
        self.cut += int((headers["flags"][:filled] & 0x20 != 0).sum())
        # The kernel wrote its lengths over ours.
        headers["name_length"][:filled] = NAME
        headers["control_length"][:filled] = 32
        age = time.time() - (self._control[:filled, 2] + self._control[:filled, 3] * 1e-9)
        at = now - np.clip(age, 0.0, now - since)  # the real-time clock may be set meanwhile
        return Batch(self._data[:filled], length, self._port[:filled], self._names[:filled], at)

    def _take(self, fd: int, headers: int, room: int) -> int:
        """Reads up to `room` datagrams; how many there were."""
        for _ in range(MAX_ERRORS):
            got = int(_recvmmsg(fd, headers, room, _MSG_DONTWAIT, None))
            if got >= 0 or ctypes.get_errno() in (errno.EAGAIN, errno.EINTR):
                return max(got, 0)
            self.refused += 1  # an ICMP error, now cleared: what lies behind it is still to be read
        return 0

    def send(self, datagrams: Datagrams) -> None:
        """Sends all of them, socket by socket."""
        for first in range(0, len(datagrams.port), SWEEP):
            part = slice(first, first + SWEEP)
            self._send(datagrams.data[part], datagrams.length[part], datagrams.port[part], datagrams.name[part])

    def _send(
        self, data: NDArray[np.uint8], length: NDArray[np.int32], port: NDArray[np.int32], names: NDArray[np.uint8]
    ) -> None:
        n = len(port)
        vectors, headers = self._out_vectors[:n], self._out_headers[:n]
        place = np.arange(n, dtype=np.uint64)
        if np.count_nonzero(port[1:] < port[:-1]):
            order = np.argsort(port, kind="stable")
            place, length, port, names = order.astype(np.uint64), length[order], port[order], names[order]
        vectors["base"] = data.ctypes.data + place * np.uint64(data.strides[0])
        vectors["length"] = length
        self._point(headers, names, vectors)
        four = np.uint32(name_length(b"\x02\x00"))
        headers["name_length"] = np.where(names[:, 0] == socket.AF_INET, four, np.uint32(28))
        base = headers.ctypes.data
        edges = np.searchsorted(port, np.arange(len(self._fds) + 1))
        for number, fd in enumerate(self._fds):
            at, end = int(edges[number]), int(edges[number + 1])
            while at < end:
                sent = _sendmmsg(fd, base + at * _HEADER.itemsize, min(end - at, _PER_CALL), _MSG_DONTWAIT)
                if sent > 0:
                    at += sent
                elif (code := ctypes.get_errno()) == errno.EAGAIN:
                    self.unsent += end - at
                    break
                elif code != errno.EINTR:
                    # An error of the first datagram, or an ICMP error of an earlier one: skip it, the rest goes on.
                    self.refused += 1
                    at += 1

    def close(self) -> None:
        for one in self.sockets:
            one.close()
