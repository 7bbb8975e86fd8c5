"""Talkers, a network that delays and drops, and listeners, in a process of their own: when is what was said heard?

Every talker sends packets of 20 ms of noise, loud and then in a pause, of which no two are alike; so a frame that comes
out of the switch says by itself which one it is. A packet goes by the relay twice: through the network's weather to
the switch, and straight to a socket here, which is the floor. Delay is counted from the moment a packet was due.

Run by latency.py: `python -m cordboard.bench.relay`, a line of JSON in (`Journey`), a line out with the ports of all
talkers and of all listeners, a line in with the switch's port for each, and at the end one line out (`Heard`).
"""

from __future__ import annotations

import heapq
import json
import random
import select
import socket
import struct
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

import attrs
from attrs import frozen

from ..switch.priority import hurry

TICK: Final = 0.020
HOST: Final = "127.0.0.1"
WORD_FRAMES, PAUSE_FRAMES = 75, 25  # 1.5 s of speech, half a second of pause
# Octets of mu-law: the loud ones up to 8031, and those of a pause within 24, of which none is silence itself.
LOUD: Final = bytes(octet for octet in range(256) if octet & 0x7F >= 0x20 and octet & 0x7F < 0x7A)
SOFT: Final = bytes((0xFC, 0xFD, 0xFE, 0x7B, 0x7C, 0x7D, 0x7E))
# A frame after a loss is cross-faded in its first half: its second half says which it is.
NAMED: Final = slice(80, 160)


@frozen
class Weather:
    """What the network does for `seconds`: each packet is delayed by up to `jitter`, evenly, or lost."""

    name: str
    seconds: float
    jitter: float
    loss: float


@frozen
class Journey:
    pairs: int
    seed: int
    weathers: tuple[Weather, ...]


@frozen
class Heard:
    """`frames`: [when it was due, seconds since the start; its delay, seconds] of every frame that was heard whole;
    `straight`: the same of the floor. `came`: of each weather, how many packets the relay let through; `lost`: not."""

    frames: Sequence[tuple[float, float]]
    straight: Sequence[tuple[float, float]]
    came: Sequence[int]
    lost: Sequence[int]


class _Network:
    """All that is under way, by its time."""

    def __init__(self, journey: Journey, talkers: list[socket.socket], floor: socket.socket, ports: list[int]) -> None:
        self._rng = random.Random(journey.seed)
        self._journey = journey
        self._talkers, self._floor, self._ports = talkers, floor, ports
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._weather = 0
        self._ends = [
            sum(weather.seconds for weather in journey.weathers[: i + 1]) for i in range(len(journey.weathers))
        ]
        self.start = time.monotonic() + 0.1
        self.end = self.start + self._ends[-1]
        self.came, self.lost = [0] * len(self._ends), [0] * len(self._ends)
        self.said: dict[bytes, tuple[int, float]] = {}  # what names a frame: who said it, and when it was due
        for pair in range(journey.pairs):
            self._plan(self.start + self._rng.uniform(0, TICK), pair, 0)

    def _at(self, when: float, action: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._due, (when, self._number, action))

    def _plan(self, when: float, pair: int, number: int) -> None:
        if when < self.end:
            self._at(when, lambda: self._speak(when, pair, number))

    def _speak(self, when: float, pair: int, number: int) -> None:
        rng = self._rng
        while when - self.start >= self._ends[self._weather]:
            self._weather += 1
        weather = self._journey.weathers[self._weather]
        loud = (number + 7 * pair) % (WORD_FRAMES + PAUSE_FRAMES) < WORD_FRAMES
        payload = bytes(rng.choices(LOUD if loud else SOFT, k=160))
        packet = struct.pack("!BBHII", 0x80, 0, number & 0xFFFF, number * 160, pair + 1) + payload
        self.said[payload[NAMED]] = (pair, when)
        self._floor.sendto(packet, self._floor.getsockname())
        if rng.random() < weather.loss:
            self.lost[self._weather] += 1
        else:
            self.came[self._weather] += 1
            to = (HOST, self._ports[pair])
            self._at(when + rng.uniform(0, weather.jitter), lambda: _send(self._talkers[pair], packet, to))
        self._plan(when + TICK, pair, number + 1)

    def run(self) -> float:
        """Does what is due; how long nothing is."""
        while self._due and self._due[0][0] <= time.monotonic():
            heapq.heappop(self._due)[2]()
        return max(self._due[0][0] - time.monotonic(), 0) if self._due else TICK


def _send(by: socket.socket, packet: bytes, to: tuple[str, int]) -> None:
    by.sendto(packet, to)


def _travel(journey: Journey, talkers: list[socket.socket], listeners: list[socket.socket], ports: list[int]) -> Heard:
    floor = _bound()
    network = _Network(journey, talkers, floor, ports)
    who = {listener: pair for pair, listener in enumerate(listeners)}
    frames: list[tuple[float, float]] = []
    straight: list[tuple[float, float]] = []
    while time.monotonic() < network.end + 1:
        ready, _, _ = select.select([floor, *listeners], [], [], min(network.run(), TICK))
        now = time.monotonic()
        for one in ready:
            payload = one.recv(2048)[12:]
            pair, when = network.said.get(payload[NAMED], (-1, 0.0))
            if one is floor:
                straight.append((round(when - network.start, 4), round(now - when, 6)))
            elif pair == who[one]:
                frames.append((round(when - network.start, 4), round(now - when, 6)))
    return Heard(frames, straight, network.came, network.lost)


def _bound() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((HOST, 0))
    return made


def main() -> None:
    wanted = json.loads(sys.stdin.readline())
    weathers = tuple(Weather(**weather) for weather in wanted["weathers"])
    journey = Journey(wanted["pairs"], wanted["seed"], weathers)
    hurry()
    talkers, listeners = ([_bound() for _ in range(journey.pairs)] for _ in range(2))
    print(json.dumps([[one.getsockname()[1] for one in end] for end in (talkers, listeners)]), flush=True)
    ports: list[int] = json.loads(sys.stdin.readline())
    print(json.dumps(attrs.asdict(_travel(journey, talkers, listeners, ports))), flush=True)


if __name__ == "__main__":
    main()
