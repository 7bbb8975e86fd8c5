"""New calls are refused before those that live are heard to break up, and taken again when there is room."""

from __future__ import annotations

import pytest
from attrs import evolve
from cordboard.actors import admission, alarms, switchboard
from cordboard.actors.admission import FULL_AFTER, OPEN_AFTER, Admission
from cordboard.sip.events import CallFailed
from cordboard.switch.protocol import EngineReport, EngineStarted, TicksLong

from .test_world import settle, story
from .world import World


def report(p50: float, p99: float, late: int = 0) -> EngineReport:
    return EngineReport(1500, 50, late, (p50, p99, p99))


def reports(world: World, one: EngineReport, times: int) -> None:
    """The engine of that world says so, of what it has."""
    for _ in range(times):
        legs, edges = world.engine_has()
        world.link.on_fact(evolve(one, legs=legs, edges=edges))


STRAINED = report(10.0, 17.0)
LATE = report(10.0, 12.0, late=3)
BETWEEN = report(7.0, 14.0)
EASY = report(7.0, 11.0)
STOLEN = report(1.0, 25.0, late=20)  # a machine that is busy with something else


@pytest.mark.parametrize(
    ("one", "strained", "easy"),
    [
        (STRAINED, True, False),
        (LATE, True, False),
        (BETWEEN, False, False),
        (EASY, False, True),
        (STOLEN, False, True),
        (EngineReport(0, 0, 0, (0.0, 0.0, 0.0)), False, True),
    ],
)
def test_what_a_second_says(one: EngineReport, strained: bool, easy: bool) -> None:
    assert (admission.strained(one), admission.easy(one)) == (strained, easy)


@pytest.mark.parametrize("bad", [STRAINED, LATE])
def test_three_bad_seconds_make_it_full_and_five_good_ones_open(bad: EngineReport) -> None:
    gate = Admission()
    assert [gate.hear(bad) for _ in range(FULL_AFTER)] == [False] * (FULL_AFTER - 1) + [True]
    assert gate.full
    assert not any(gate.hear(each) for each in (BETWEEN, bad, BETWEEN, EASY, BETWEEN) * 3)
    assert [gate.hear(EASY) for _ in range(OPEN_AFTER)] == [False] * (OPEN_AFTER - 1) + [True]
    assert not gate.full


def test_seconds_that_are_not_in_a_row_change_nothing() -> None:
    gate = Admission()
    assert not any(gate.hear(each) for each in (STRAINED, STRAINED, EASY, STRAINED, BETWEEN, STRAINED, STOLEN) * 5)


def test_ticks_that_are_long_now_make_it_full_at_once_and_begin_the_good_seconds_anew() -> None:
    gate = Admission()
    assert [gate.press(), gate.press()] == [True, False]
    assert not any(gate.hear(EASY) for _ in range(OPEN_AFTER - 1))
    assert not gate.press()
    assert [gate.hear(EASY) for _ in range(OPEN_AFTER)] == [False] * (OPEN_AFTER - 1) + [True]
    assert not any(gate.hear(STRAINED) for _ in range(FULL_AFTER - 1))
    assert gate.press()
    assert gate.full


async def is_full(world: World) -> None:
    """There is an alarm, and whoever calls now is refused."""
    await settle(world)
    assert world.system.alarms == [alarms.MEDIA_FULL.says()]
    refused = world.dial("600")
    await refused.over.wait()
    assert isinstance(refused.last, CallFailed)
    assert (refused.last.status, refused.last.retry_after) == (503, switchboard.FULL_RETRY_AFTER)


@story
async def test_a_full_engine_refuses_calls_and_keeps_those_it_has(world: World) -> None:
    await settle(world)
    living = world.dial("600")
    await living.answered.wait()
    reports(world, STRAINED, FULL_AFTER)
    await is_full(world)
    assert not living.over.is_set()
    reports(world, EASY, OPEN_AFTER)
    await settle(world)
    assert world.system.alarms == []
    again = world.dial("600")
    await again.answered.wait()
    world.link.on_fact(TicksLong(13.5))
    await is_full(world)
    reports(world, EASY, OPEN_AFTER)
    for each in (living, again):
        each.hang_up()
    await settle(world)
    world.assert_empty()


@story
async def test_a_new_engine_is_not_as_full_as_the_last(world: World) -> None:
    await settle(world)
    reports(world, STRAINED, FULL_AFTER)
    await settle(world)
    world.link.on_fact(EngineStarted("another", (), 1))
    await settle(world)
    assert world.system.alarms == []
    assert not world.system.state_of("switchboard").full
