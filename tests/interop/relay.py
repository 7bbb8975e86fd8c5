"""A stretch of network in front of one UDP port: a relay that takes its time, and that can die.

It is a 1:1 NAT as well: whoever is told its address and port reaches the port behind it, which sees another source.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import select
import socket
import threading
import time
from types import TracebackType


class Relay:
    """To `(address, target)`, with `rtt` seconds more there and back; its own port is `port`."""

    def __init__(self, address: str, target: int, rtt: float) -> None:
        self.target = target
        self._address, self._way = address, rtt / 2
        self._near = self._bound()
        self.port: int = self._near.getsockname()[1]
        self._far: dict[tuple[str, int], socket.socket] = {}  # who came here to our socket towards the target
        self._back: dict[socket.socket, tuple[str, int]] = {}
        self._under_way: list[tuple[float, int, socket.socket, bytes, tuple[str, int]]] = []
        self._order = itertools.count()
        self._dead = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _bound(self) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((self._address, 0))
        return made

    def __enter__(self) -> Relay:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        for one in (self._near, *self._back):
            one.close()

    def die(self) -> None:
        """Nothing passes any more, and nobody is told."""
        self._dead.set()

    def revive(self) -> None:
        self._dead.clear()

    def _run(self) -> None:
        while not self._stop.is_set():
            due = self._under_way[0][0] - time.monotonic() if self._under_way else 0.05
            ready, _, _ = select.select([self._near, *self._back], [], [], min(max(due, 0.0), 0.05))
            for one in ready:
                self._take(one)
            while self._under_way and self._under_way[0][0] <= time.monotonic():
                _, _, through, data, to = heapq.heappop(self._under_way)
                with contextlib.suppress(OSError):  # whoever it was for is gone
                    through.sendto(data, to)

    def _take(self, one: socket.socket) -> None:
        try:
            data, source = one.recvfrom(2048)
        except OSError:
            return  # an ICMP error of an earlier datagram
        if self._dead.is_set():
            return
        if one is not self._near:
            through, to = self._near, self._back[one]
        else:
            if source not in self._far:
                self._far[source] = made = self._bound()
                self._back[made] = source
            through, to = self._far[source], (self._address, self.target)
        heapq.heappush(self._under_way, (time.monotonic() + self._way, next(self._order), through, data, to))
