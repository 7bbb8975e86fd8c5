"""A machine that gives too little time: ticks come late and are skipped, packets come in heaps, or much too late.

What is heard has breaks then, and nobody hears a stranger in them: next to rooms that shout there are others, of legs
that come and go, in rows that a shouting leg has just left. What is sent in those is the same, octet by octet, where
nobody shouts.
"""

from __future__ import annotations

import numpy as np
import pytest
from cordboard.codecs import g711
from cordboard.switch.protocol import CloseLeg
from numpy.typing import NDArray

from tests.switch.conftest import G722, OPUS, PCMU, TICK, Companion, Far, Sound, World

ROOMS, SIZE = 4, 3
CODECS = (PCMU, OPUS, G722)
TICKS = 120


def shout(n: NDArray[np.intp | np.float64]) -> g711.Pcm:
    t = np.asarray(n)
    pcm: g711.Pcm = (8000 * np.sin(2 * np.pi * 500 * t / 8000) * np.sign(np.sin(2 * np.pi * 3 * t / 8000))).astype(
        np.int16
    )
    return pcm


def murmur(n: NDArray[np.intp | np.float64]) -> g711.Pcm:
    pcm: g711.Pcm = (500 * np.sin(2 * np.pi * 300 * np.asarray(n) / 8000)).astype(np.int16)
    return pcm


def nothing(n: NDArray[np.intp | np.float64]) -> g711.Pcm:
    return np.zeros(len(n), np.int16)


class Rooms:
    """Every other room shouts, or is silent; the others murmur. A leg has its place, and a number of its own."""

    def __init__(self, world: World, loud: Sound) -> None:
        self.world = world
        self.sounds = murmur, loud
        self.legs: dict[tuple[int, int], tuple[str, Far]] = {}
        self.lives = 0
        self.quiet: list[Far] = []  # all there ever were of rooms that murmur
        self.loud: list[Far] = []
        for room in range(ROOMS):
            for place in range(SIZE):
                self.open(room, place)
            self.wire(room)

    def open(self, room: int, place: int) -> None:
        self.lives += 1
        leg = f"{room}-{place}-{self.lives}"
        far = self.world.far(leg, 4000 + 2 * self.lives, codec=CODECS[(place + self.lives) % len(CODECS)])
        far.source = self.sounds[room % 2]
        (self.loud if room % 2 else self.quiet).append(far)
        self.legs[room, place] = leg, far

    def wire(self, room: int) -> None:
        names = [self.legs[room, place][0] for place in range(SIZE)]
        self.world.hears(**{name: [other for other in names if other != name] for name in names})

    def change(self) -> None:
        """One leg of each kind of room goes, and the next two may take each other's rows; whom the others hear is said
        anew at once, or later."""
        rng = self.world.rng
        loud, quiet = 1 + 2 * rng.randrange(ROOMS // 2), 2 * rng.randrange(ROOMS // 2)
        place = rng.randrange(SIZE)
        for room in (loud, quiet):
            leg, far = self.legs[room, place]
            far.source = None
            self.world.do(CloseLeg(leg))
        for room in rng.sample((quiet, loud), 2):
            self.open(room, place)
            if rng.random() < 0.5:
                self.wire(room)

    def hold(self) -> None:
        """Somebody hears nobody for a moment."""
        leg, _ = self.legs[self.world.rng.randrange(ROOMS), self.world.rng.randrange(SIZE)]
        self.world.hears(**{leg: []})


def late(seed: int, loud: Sound, others: int) -> Rooms:
    world = World(seed, others=[Companion() for _ in range(others)])
    rng = world.rng
    rooms = Rooms(world, loud)
    # Whole heaps of packets come at once, and some much too late.
    world.delay = lambda far: rng.choice((0.005, 0.005, 0.06, rng.uniform(0, 0.3)))
    world.lost = lambda far: rng.random() < 0.05
    for _ in range(TICKS):
        if rng.random() < 0.2:
            skipped = rng.randrange(1, 6)
            world.engine.skip(skipped)
            world.now += skipped * TICK
        if rng.random() < 0.1:
            rooms.change()
        if rng.random() < 0.1:
            rooms.hold()
        if rng.random() < 0.1:
            rooms.wire(rng.randrange(ROOMS))
        world.step()
    return rooms


@pytest.mark.parametrize("others", [0, 2])
@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.long) for n in (2, 3, 4))])
def test_in_lateness_nobody_hears_a_stranger(seed: int, others: int) -> None:
    loud, silent = late(seed, shout, others), late(seed, nothing, others)
    assert [far.payloads for far in loud.quiet] == [far.payloads for far in silent.quiet]
    # There was something to be heard, in both kinds of rooms.
    for rooms, least in ((loud.loud, 4000), (loud.quiet, 250)):
        assert sum(np.abs(far.heard().astype(np.int32)).max(initial=0) > least for far in rooms if far.payloads) > ROOMS
