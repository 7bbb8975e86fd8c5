"""The cable between one computer and the switch: a relay of its TCP and its UDP that can be pulled and put back.

While it is pulled nothing passes and nobody is told: what was sent by TCP waits, as it does for the next retransmission
of a real network, and datagrams are lost. TCP alone can be torn down: a websocket ends and the voice goes on.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from types import TracebackType

LOCAL = "127.0.0.1"

# A page answers the switch at the cable's port instead of the switch's own.
REDIRECT = """
{
  const set = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
    return set.call(this, { type, sdp: sdp.replace(/(a=candidate:.* )%d( typ host)/g, '$1%d$2') });
  };
}
"""


class Cable:
    """To the switch's ports `tcp` and `udp`; its own are `tcp_port` and `udp_port`."""

    def __init__(self, tcp: int, udp: int) -> None:
        self._tcp, self._udp = tcp, udp
        self._listener = socket.create_server((LOCAL, 0))
        self._near = self._bound()  # the computer's datagrams come here
        self.tcp_port = self._listener.getsockname()[1]
        self.udp_port = self._near.getsockname()[1]
        self.script = REDIRECT % (udp, self.udp_port)
        self._streams: dict[socket.socket, socket.socket] = {}  # each end to its other
        self._far: dict[tuple[str, int], socket.socket] = {}  # the computer's address to our socket towards the switch
        self._back: dict[socket.socket, tuple[str, int]] = {}
        self._pulled = threading.Event()
        self._torn = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Cable:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        for one in (self._listener, self._near, *self._streams, *self._back):
            one.close()

    def pull(self) -> None:
        self._pulled.set()

    def put_back(self) -> None:
        self._pulled.clear()

    def tear(self) -> None:
        """Every TCP connection ends now."""
        self._torn.set()

    @staticmethod
    def _bound() -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((LOCAL, 0))
        return made

    def _run(self) -> None:
        while not self._stop.is_set():
            if self._torn.is_set():
                self._torn.clear()
                for one in list(self._streams):
                    self._end(one)
            pulled = self._pulled.is_set()
            streams = [] if pulled else [self._listener, *self._streams]
            ready, _, _ = select.select([self._near, *self._back, *streams], [], [], 0.02)
            for one in ready:
                if one is self._listener:
                    self._accept()
                elif one in self._streams:
                    self._forward(one)
                elif one is self._near or one in self._back:
                    self._relay(one, lost=pulled)

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        far = socket.create_connection((LOCAL, self._tcp))
        self._streams[near], self._streams[far] = far, near

    def _forward(self, one: socket.socket) -> None:
        try:
            data = one.recv(65536)
            if data:
                self._streams[one].sendall(data)
                return
        except OSError:
            pass  # reset: its other end hears of it as of any end
        self._end(one)

    def _end(self, one: socket.socket) -> None:
        other = self._streams.pop(one, None)
        if other is not None:
            self._streams.pop(other, None)
            other.close()
        one.close()

    def _relay(self, one: socket.socket, *, lost: bool) -> None:
        data, address = one.recvfrom(2048)
        if lost:
            return
        with contextlib.suppress(OSError):  # whoever it was for is gone
            if one is not self._near:
                self._near.sendto(data, self._back[one])
                return
            if address not in self._far:
                self._far[address] = far = self._bound()
                self._back[far] = address
            self._far[address].sendto(data, (LOCAL, self._udp))
