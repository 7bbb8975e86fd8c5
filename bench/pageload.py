"""A load of browsers' legs in a process of its own: each on a socket of its own, sending what pages.py recorded.

Sending is spread over four phases of 5 ms; each socket is read once in 20 ms, 10 ms after its leg has sent. Counted is
as in rtpload.py: packets against what the other side says it sent.

Run by density.py: `python -m cordboard.bench.pageload`, a line of JSON in (`PageLoad`), a line out with the offers, a
line in with the answers, a line out when all are connected, a line in to begin, and at the end one line out
(`rtpload.Heard`).
"""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

import attrs
import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from ..codecs import g711
from ..codecs.opus import OpusDecoder
from ..switch.priority import hurry
from ..switch.seams import Batch, Datagram, Datagrams
from ..switch.sockaddr import socket_name
from ..switch.udp import UdpSockets, bind
from .pages import Pages
from .rtpload import GAP, PHASES, REMEMBERED, TICK, Heard
from .whom import FRAMES, tones_in

CONNECT_SECONDS: Final = 30.0
KEPT: Final = 1.5  # the last seconds, of which the checked legs keep what they hear
WAKE_TICKS: Final = 10


@frozen
class PageLoad:
    """As rtpload.Load, of one codec. The checked legs give tones, the others speak."""

    codec: str
    legs: int
    settle: float
    seconds: float
    tail: float
    checked: tuple[int, ...]


class _Group:
    """The pages of one phase, and their sockets."""

    def __init__(self, legs: Sequence[int], sockets: Sequence[socket.socket]) -> None:
        self.legs = np.array(legs)
        self.sockets = UdpSockets(sockets)
        self._ports = np.arange(len(legs), dtype=np.int32)
        self._names = np.zeros((len(legs), 32), np.uint8)

    def aim(self, remotes: Sequence[tuple[str, int]]) -> None:
        self._names[:] = [np.frombuffer(socket_name(*remotes[leg]), np.uint8) for leg in self.legs]

    def send(self, data: NDArray[np.uint8], length: NDArray[np.int32]) -> None:
        self.sockets.send(Datagrams(np.ascontiguousarray(data[self.legs]), length[self.legs], self._ports, self._names))

    def say(self, place: int, datagrams: Sequence[bytes]) -> None:
        name = self._names[place].tobytes()
        self.sockets.send(Datagrams.of([Datagram(place, name, each) for each in datagrams]))


class _Load:
    def __init__(self, load: PageLoad) -> None:
        self._load = load
        self.pages = Pages(load.codec, load.legs, load.checked)
        every = range(load.legs)
        self._groups = [
            _Group(every[phase::PHASES], [bind("127.0.0.1", 0) for _ in every[phase::PHASES]])
            for phase in range(PHASES)
        ]
        self._checked = np.isin(np.arange(load.legs), load.checked)
        self._kept: dict[int, list[bytes]] = {leg: [] for leg in load.checked}
        self._last = np.full(load.legs, np.nan)
        self._looked = [0.0] * PHASES
        self.sent = self.received = self.in_time = self.gaps = 0
        self.stall = self.late = 0.0

    def connect(self, answers: Sequence[str]) -> None:
        """All handshakes. Raises TimeoutError."""
        for page, answer in zip(self.pages.browsers, answers, strict=True):
            page.accept(answer, time.monotonic())
        for group in self._groups:
            group.aim([page.remote for page in self.pages.browsers])
        end = time.monotonic() + CONNECT_SECONDS
        while not self.pages.connected:
            if time.monotonic() > end:
                raise TimeoutError("not all legs could be connected")
            self._wake()
            for phase in range(PHASES):
                self.receive(phase, time.monotonic(), measured=False, keep=False)
            time.sleep(0.002)

    def _wake(self) -> None:
        now = time.monotonic()
        for group in self._groups:
            for place, leg in enumerate(group.legs.tolist()):
                page = self.pages.browsers[leg]
                if page.deadline() <= now:
                    group.say(place, page.wake(now))

    def receive(self, phase: int, now: float, *, measured: bool, keep: bool) -> None:
        group = self._groups[phase]
        looked, self._looked[phase] = self._looked[phase], now
        if measured:
            self.stall = max(self.stall, now - looked)
        batch = group.sockets.receive(now)
        if batch is None:
            return
        first, second = batch.data[:, 0], batch.data[:, 1]
        media = (first >= 128) & ~((second >= 192) & (second < 224))  # RFC 7983 §7, RFC 5761 §4
        for i in np.flatnonzero(~media).tolist():
            self._other(group, batch, i, now)
        ports = batch.port[media]
        legs = group.legs[ports]
        self.received += len(legs)
        if measured:
            self.in_time += len(legs)
            # At least this long nothing came, for it came after the socket was looked at before.
            self.gaps += int((looked - self._last[np.unique(legs)] >= GAP - TICK / 2).sum())
        self._last[legs] = now
        if keep:
            for i in np.flatnonzero(media)[self._checked[legs]].tolist():
                self._kept[int(group.legs[batch.port[i]])].append(batch.data[i, : batch.length[i]].tobytes())

    def _other(self, group: _Group, batch: Batch, i: int, now: float) -> None:
        place = int(batch.port[i])
        page = self.pages.browsers[int(group.legs[place])]
        replies = page.receive(batch.data[i, : batch.length[i]].tobytes(), now).replies
        if replies:
            group.say(place, replies)

    def run(self) -> Heard:
        load = self._load
        end = load.settle + load.seconds
        recorded = self.pages.record(round(end / TICK))
        print("connected", flush=True)
        sys.stdin.readline()
        start, step = time.monotonic() + TICK, 0
        while (due := step * TICK / PHASES) <= end + load.tail:
            if (wait := start + due - time.monotonic()) > 0:
                time.sleep(wait)
            phase, tick = step % PHASES, step // PHASES
            if tick < len(recorded):
                self._groups[phase].send(*recorded[tick])
                self.sent += len(self._groups[phase].legs)
                if due > end - REMEMBERED:
                    self.late = max(self.late, time.monotonic() - start - due)
            measured = load.settle < due < end
            keep = end - KEPT < due < end
            self.receive((phase + PHASES // 2) % PHASES, time.monotonic(), measured=measured, keep=keep)
            if step % (WAKE_TICKS * PHASES) == 0:
                self._wake()
            step += 1
        tones = {str(leg): tones_in(self._heard(leg)) for leg in load.checked}
        stall_ms, late_ms = (round(1000 * seconds, 1) for seconds in (self.stall, self.late))
        return Heard(self.sent, self.received, self.in_time, self.gaps, stall_ms, late_ms, tones)

    def _heard(self, leg: int) -> g711.Pcm:
        """The last second that a checked leg heard."""
        page = self.pages.browsers[leg]
        packets = [packet for each in self._kept[leg] if (packet := page.receive(each, 0.0).packet) is not None]
        payloads = [packet[12:] for packet in sorted(packets, key=lambda packet: packet[4:8])]
        if self._load.codec == "opus":
            decoder = OpusDecoder()
            sound = np.concatenate([decoder.decode(payload) for payload in payloads])
            return sound[-48000:]
        law = g711.decode_ulaw if self._load.codec == "pcmu" else g711.decode_alaw
        return law(np.frombuffer(b"".join(payloads[-FRAMES:]), np.uint8))


def main() -> None:
    wanted: dict[str, Any] = json.loads(sys.stdin.readline())
    load = _Load(PageLoad(**{**wanted, "checked": tuple(wanted["checked"])}))
    hurry()
    print(json.dumps([page.offer() for page in load.pages.browsers]), flush=True)
    load.connect(json.loads(sys.stdin.readline()))
    print(json.dumps(attrs.asdict(load.run())), flush=True)


if __name__ == "__main__":
    main()
