"""The real engine in memory, with browsers' legs that have keys and packets that were recorded: no socket, no clock.

It goes as fast as it goes. So it says what the engine itself takes of a core, whether two cores take more legs than
one, what legs weigh, and how many calls of Python a tick makes.

    python -m cordboard.bench.recorded CODEC LEGS TICKS     one line of JSON; Opus on as many cores as there are
"""

from __future__ import annotations

import datetime
import itertools
import json
import secrets
import sys
import time
from collections.abc import Sequence
from typing import Final

import numpy as np

from ..switch import protocol
from ..switch.browsers import Browsers
from ..switch.coders import Coders, Other
from ..switch.codingprocess import coding, cores
from ..switch.dtls import Identity
from ..switch.engine import Engine
from ..switch.points import Point
from ..switch.ports import LocalPort
from ..switch.priority import hurry
from ..switch.seams import Batch
from ..switch.sockaddr import socket_name
from ..switch.webrtc import WebrtcTransport
from .pages import WIDTH, Pages, answer, opening, rooms

TICK: Final = 0.020
WARM: Final = 25  # ticks until playouts have found their delay
_POOL: Final = LocalPort("127.0.0.1", 20002)


class Recorded:
    """Legs of one codec in rooms of `size`, connected; `run` plays what was recorded."""

    def __init__(
        self, codec: protocol.CodecName, legs: int, ticks: int, others: Sequence[Other] = (), size: int = 3
    ) -> None:
        self.legs = legs
        self.sent = 0
        self._now = 1000.0
        self._names = np.stack([np.frombuffer(socket_name("192.0.2.7", 1000 + leg), np.uint8) for leg in range(legs)])
        transport = WebrtcTransport(Identity(datetime.datetime.now(datetime.UTC)), secrets.token_bytes)
        self.engine = Engine(
            ports=(_POOL,),
            advertise=lambda index, peer: (_POOL.address, _POOL.port),
            rng=np.random.default_rng(1),
            now=self._now,
            secure=Browsers(transport, [Point("main", "Main", lambda peer: (("127.0.0.1", 20000),))]),
            opus=Coders(others, 2 * legs),
            capacity=2 * legs,
        )
        pages = Pages(codec, legs)
        for leg in range(legs):
            self._connect(pages, codec, leg)
        self.engine.command(rooms(legs, size), self._now)
        self._ticks = pages.record(ticks)

    def run(self) -> None:
        """All ticks that were recorded."""
        for number, (data, length) in enumerate(self._ticks):
            if number % 50 == 0:
                self.engine.command(protocol.Ping(number), self._now)
            self.step(data, length)

    def step(self, data: np.ndarray, length: np.ndarray) -> None:
        at = np.full(self.legs, self._now + 0.005)
        self.engine.receive(Batch(data, length, np.ones(self.legs, np.int32), self._names, at), self._now + TICK / 2)
        self.engine.ahead()
        self._now += TICK
        outgoing, _ = self.engine.tick(self._now)
        self.sent += sum(len(part.port) for part in itertools.chain(outgoing.parts, outgoing.later))

    def _connect(self, pages: Pages, codec: protocol.CodecName, leg: int) -> None:
        page = pages.browsers[leg]
        offer = page.offer()
        (opened,) = self.engine.command(opening(str(leg), offer, codec), self._now)
        assert isinstance(opened, protocol.WebrtcLegOpened), opened
        page.accept(answer(offer, codec, opened), self._now)
        said = page.wake(self._now)
        while said:
            replies = self.engine.receive(self._batch(said, leg), self._now)
            said = [each for one in replies for each in page.receive(one.data, self._now).replies]

    def _batch(self, datagrams: list[bytes], leg: int) -> Batch:
        n = len(datagrams)
        data = np.zeros((n, max(1536, WIDTH)), np.uint8)
        for i, datagram in enumerate(datagrams):
            data[i, : len(datagram)] = np.frombuffer(datagram, np.uint8)
        length = np.array([len(datagram) for datagram in datagrams], np.int32)
        return Batch(data, length, np.ones(n, np.int32), np.tile(self._names[leg], (n, 1)), np.full(n, self._now))


def main() -> None:
    names: dict[str, protocol.CodecName] = {"opus": "opus", "pcmu": "pcmu", "pcma": "pcma"}
    codec, legs, ticks = names[sys.argv[1]], int(sys.argv[2]), int(sys.argv[3])
    hurry()
    with coding(cores(), 2 * legs) as others:
        while any(other.requests is None for other in others):
            time.sleep(TICK)
            for other in others:
                other.look()
        recorded = Recorded(codec, legs, ticks, others)
        begun, spent = time.monotonic(), time.process_time()
        recorded.run()
        seconds, spent = time.monotonic() - begun, time.process_time() - spent
    print(json.dumps({"seconds": seconds, "cpu_seconds": spent, "sent": recorded.sent}), flush=True)


if __name__ == "__main__":
    main()
