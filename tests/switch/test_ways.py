"""Sound that goes one way is told by leg, soon, and never where it goes both ways or need not."""

# mypy: allow-untyped-calls
# The far sides of conftest.py have no types.

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from cordboard.switch import protocol
from cordboard.switch.protocol import LegWays, OpenRtpLeg, UpdateRtpLeg

from .conftest import PCMU, TICK, Far, World

LOST = LegWays("a", comes=False, goes=True)
DEAF = LegWays("a", comes=True, goes=False)
WELL = LegWays("a", comes=True, goes=True)


def tell(world: World, far: Far, packets: int, *blocks: tuple[int, int, int], bye: bool = False) -> None:
    """The far side's sender report: how many packets it sent, and (ssrc, fraction lost of 256, highest) by block."""
    size = 6 + 6 * len(blocks)
    octets = struct.pack("!BBHIIIIII", 0x80 | len(blocks), 200, size, far.ssrc, 7, 9 << 16, 160, packets, 160 * packets)
    for ssrc, fraction, highest in blocks:
        octets += struct.pack("!IIIIII", ssrc, fraction << 24, highest, 0, 0, 0)
    if bye:
        octets += struct.pack("!BBHI", 0x81, 203, 1, far.ssrc)
    world.reports((far.to, far.beside, octets, world.now))


def hears(world: World, far: Far, *, fraction: int = 0) -> tuple[int, int, int]:
    sequence, *_, ssrc = far.packets[-1]
    return ssrc, fraction, sequence


def test_nothing_ever_came_is_told_within_three_seconds(world: World) -> None:
    a = world.far("a", 4000)
    while not world.all(LegWays):
        world.step()
        if round((world.now - 1000.0) / TICK) % 25 == 0:  # it is there, and reports
            tell(world, a, 0, hears(world, a))
    assert world.now - 1000.0 == pytest.approx(2.55, abs=0.06)
    assert world.all(LegWays) == [LOST]
    assert world.engine.counters["legs_one_way"] == 1
    a.says(400)
    world.run(0.3)
    assert world.all(LegWays) == [LOST, WELL]


def test_who_pauses_is_not_missed_and_who_says_that_it_sends_is(world: World) -> None:
    a = world.far("a", 4000)
    a.says(400)
    world.run(2)
    a.source = None
    for n in range(2):
        world.run(5)
        tell(world, a, 100, hears(world, a))
        world.run(0.2)
        assert world.all(LegWays) == [], n
    world.run(4)
    tell(world, a, 300, hears(world, a))
    world.run(0.2)
    assert world.all(LegWays) == [LOST]


def test_a_count_that_grew_before_the_pause_is_no_sign(world: World) -> None:
    a = world.far("a", 4000)
    a.says(400)
    world.run(2)
    tell(world, a, 90, hears(world, a))
    world.run(1)
    a.source = None
    world.run(4)
    tell(world, a, 150, hears(world, a))
    world.run(1)
    assert world.all(LegWays) == []


@pytest.mark.parametrize("report", ["no block", "all lost", "nothing new", "another's block"])
def test_a_far_side_that_hears_nothing_says_so(world: World, report: str) -> None:
    a = world.far("a", 4000)
    a.says(400)
    world.run(2.5)
    before = hears(world, a)
    tell(world, a, 100, before)
    world.run(5)
    assert world.all(LegWays) == []
    blocks: dict[str, list[tuple[int, int, int]]] = {
        "no block": [],
        "all lost": [hears(world, a, fraction=255)],
        "nothing new": [before],
        "another's block": [(1, 0, 500)],
    }
    tell(world, a, 300, *blocks[report])
    world.run(0.2)
    assert world.all(LegWays) == [DEAF]
    world.run(5)
    tell(world, a, 600, hears(world, a))
    world.run(0.2)
    assert world.all(LegWays) == [DEAF, WELL]


@pytest.mark.parametrize("moment", ["at once", "just reported", "leaves"])
def test_a_report_that_need_not_speak_of_us(world: World, moment: str) -> None:
    a = world.far("a", 4000)
    a.says(400)
    world.run(0.5 if moment == "at once" else 4)
    if moment == "just reported":
        tell(world, a, 100, hears(world, a))
        world.run(0.5)
    tell(world, a, 100, bye=moment == "leaves")
    world.run(1)
    assert world.all(LegWays) == []


def opened(world: World, *, sends: bool = True, hears: bool = True) -> Far:
    (fact,) = world.do(OpenRtpLeg("a", "198.51.100.7", 4000, PCMU, sends=sends, hears=hears))
    assert isinstance(fact, protocol.LegOpened)
    far = Far(world, "198.51.100.7", 4000, PCMU, world.index(fact))
    world.fars.append(far)
    return far


def test_who_holds_neither_sends_nor_hears(world: World) -> None:
    a = opened(world, sends=False, hears=False)
    for _ in range(3):
        world.run(5)
        tell(world, a, 0)
    assert world.all(LegWays) == []
    world.do(UpdateRtpLeg("a", "198.51.100.7", 4000, PCMU))
    world.run(2.3)
    assert world.all(LegWays) == []
    world.run(0.4)
    assert world.all(LegWays) == [LOST]


def test_who_is_not_reached_is_not_missed(world: World) -> None:
    world.do(OpenRtpLeg("a", "198.51.100.7", 0, PCMU))
    world.run(10)
    assert world.all(LegWays) == []


def test_another_ssrc_of_ours_is_given_time(world: World) -> None:
    a = world.far("a", 4000)
    a.says(400)
    world.run(4)
    old = hears(world, a)
    a.ssrc = old[0]
    world.run(0.5)
    tell(world, a, 100, old)
    world.run(1)
    assert world.engine.counters["ssrc_collisions"] == 1
    assert world.all(LegWays) == []


@pytest.mark.parametrize("change", [lambda w: w.far("a", 4000), lambda w: opened(w)])
def test_a_new_listener_is_told_what_is_so(world: World, change: Callable[[World], Far]) -> None:
    change(world)
    world.run(3.2)
    assert LOST in world.engine.standing(world.now)
