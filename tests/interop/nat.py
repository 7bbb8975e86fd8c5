"""A router between a PBX and the switch, for SIP by UDP and TCP: who is behind it has an address that leads nowhere.

The PBX speaks to the `inside` port, and the switch hears it from another, that the router has for it alone and may
change at any moment (`move`). So that all of it is on one machine, what the PBX says of itself in Via and Contact is
said to the switch with an address that nobody reaches, and what the switch says of itself in Contact is said to the PBX
with the port inside.
"""

from __future__ import annotations

import re
import selectors
import socket
import threading
from contextlib import suppress
from types import TracebackType

from .product import free_port

# Where the PBX says it is (RFC 5737): nothing that is sent there arrives.
PRIVATE = "203.0.113.77"
LENGTH = re.compile(rb"\r\n(?:Content-Length|l)[ \t]*:[ \t]*([0-9]+)", re.IGNORECASE)


class Nat:
    """At `address`, before the switch's `port`. What passed, as the switch has it, is `outgoing` or `incoming`."""

    def __init__(self, address: str, port: int) -> None:
        self.address, self.target = address, (address, port)
        self.inside = free_port(1, "0.0.0.0")
        self.outgoing: list[bytes] = []
        self.incoming: list[bytes] = []
        own = re.escape(address).encode()
        self._named = re.compile(rb"^((?:Via|Contact):[^\r\n]*?[ @])" + own + rb"(?=[:;>])", re.MULTILINE)
        self._switch = re.compile(rb"^(Contact:[^\r\n]*@)" + own + rb":%d(?=[;>])" % port, re.MULTILINE)
        self._ready = selectors.DefaultSelector()
        self._datagrams = self._bound(socket.SOCK_DGRAM, self.inside)
        self._listener = self._bound(socket.SOCK_STREAM, self.inside)
        self._listener.listen()
        self._outside = self._bound(socket.SOCK_DGRAM, 0)
        self._pbx: tuple[str, int] | None = None
        self._streams: dict[socket.socket, tuple[socket.socket, bytearray]] = {}  # each end: its other, what has come
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _bound(self, kind: socket.SocketKind, port: int) -> socket.socket:
        made = socket.socket(socket.AF_INET, kind)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((self.address, port))
        self._ready.register(made, selectors.EVENT_READ)
        return made

    def __enter__(self) -> Nat:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(10)
        for each in (self._datagrams, self._listener, self._outside, *self._streams):
            each.close()
        self._ready.close()

    @property
    def ports(self) -> set[int]:
        """By which the switch hears it now."""
        with self._lock:
            streams = {each.getsockname()[1] for each, _ in self._streams.values() if each.getpeername() == self.target}
            return {self._outside.getsockname()[1], *streams}

    def move(self) -> None:
        """The router begins anew: nothing comes in any more by the ports that it had, and connections break."""
        with self._lock:
            for each in (self._outside, *self._streams):
                self._ready.unregister(each)
                each.close()
            self._streams.clear()
            self._outside = self._bound(socket.SOCK_DGRAM, 0)

    def _run(self) -> None:
        while not self._over.is_set():
            ready = self._ready.select(0.05)
            with self._lock:
                for key, _ in ready:
                    each = key.fileobj
                    assert isinstance(each, socket.socket)
                    if each.fileno() >= 0:  # it may have moved meanwhile
                        with suppress(OSError):  # whoever it was for is gone
                            self._take(each)

    def _take(self, each: socket.socket) -> None:
        if each is self._datagrams:
            data, self._pbx = each.recvfrom(65535)
            self._outside.sendto(self._out(data), self.target)
        elif each is self._outside:
            data, _ = each.recvfrom(65535)
            assert self._pbx is not None, "who sends here was spoken to"
            self._datagrams.sendto(self._in(data), self._pbx)
        elif each is self._listener:
            near, _ = each.accept()
            far = socket.create_connection(self.target, 5, (self.address, 0))
            self._streams[near], self._streams[far] = (far, bytearray()), (near, bytearray())
            for one in (near, far):
                self._ready.register(one, selectors.EVENT_READ)
        else:
            self._flow(each)

    def _flow(self, each: socket.socket) -> None:
        other, come = self._streams[each]
        try:
            data = each.recv(65536)
        except OSError:
            data = b""
        if not data:
            for one in (each, other):
                del self._streams[one]
                self._ready.unregister(one)
                one.close()
            return
        come += data
        change = self._in if each.getpeername() == self.target else self._out
        while message := _first(come):
            del come[: len(message)]
            other.sendall(change(message))

    def _out(self, data: bytes) -> bytes:
        head, end, body = data.partition(b"\r\n\r\n")
        data = self._named.sub(rb"\g<1>" + PRIVATE.encode(), head) + end + body
        self.outgoing.append(data)
        return data

    def _in(self, data: bytes) -> bytes:
        self.incoming.append(data)
        head, end, body = data.partition(b"\r\n\r\n")
        head = head.replace(PRIVATE.encode(), self.address.encode())
        return self._switch.sub(rb"\g<1>%s:%d" % (self.address.encode(), self.inside), head) + end + body


def _first(come: bytearray) -> bytes:
    """The first whole message, or line ends that keep a connection alive; empty where there is none yet."""
    if come.startswith(b"\r\n"):
        return b"\r\n"
    head = come.find(b"\r\n\r\n")
    if head < 0:
        return b""
    found = LENGTH.search(come, 0, head + 2)
    size = head + 4 + (int(found[1]) if found else 0)
    return bytes(come[:size]) if len(come) >= size else b""
