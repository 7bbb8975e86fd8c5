"""The cable between one computer and the switch: a relay of its TCP and its UDP that can be pulled and put back.

While it is pulled nothing passes and nobody is told: what was sent by TCP waits, as it does for the next retransmission
of a real network, and datagrams are lost. TCP alone can be torn down: a websocket ends and the voice goes on.
"""

from __future__ import annotations

import select
import socket
import threading
from types import TracebackType

from .relay import Relay

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
    """To the switch's ports `tcp` and `udp`; pages reach `tcp_port`, and run `script` for their datagrams."""

    def __init__(self, tcp: int, udp: int) -> None:
        self._tcp = tcp
        self._datagrams = Relay(LOCAL, udp, 0.0)
        self._listener = socket.create_server((LOCAL, 0))
        self.tcp_port = self._listener.getsockname()[1]
        self.script = REDIRECT % (udp, self._datagrams.port)
        self._streams: dict[socket.socket, socket.socket] = {}  # each end to its other
        self._pulled = threading.Event()
        self._torn = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Cable:
        self._datagrams.__enter__()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._datagrams.__exit__(kind, error, trace)
        self._stop.set()
        self._thread.join()
        for one in (self._listener, *self._streams):
            one.close()

    def pull(self) -> None:
        self._pulled.set()
        self._datagrams.die()

    def put_back(self) -> None:
        self._pulled.clear()
        self._datagrams.revive()

    def tear(self) -> None:
        """Every TCP connection ends now."""
        self._torn.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            if self._torn.is_set():
                self._torn.clear()
                for one in list(self._streams):
                    self._end(one)
            streams = [] if self._pulled.is_set() else [self._listener, *self._streams]
            ready, _, _ = select.select(streams, [], [], 0.02)
            for one in ready:
                if one is self._listener:
                    self._accept()
                elif one in self._streams:
                    self._forward(one)

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
