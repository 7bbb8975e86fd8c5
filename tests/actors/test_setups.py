"""How many calls are in set-up at once: as many as none of them waits for long."""

from __future__ import annotations

import math
from collections import deque
from random import Random

import pytest
from attrs import frozen
from cordboard.actors.pressure import Pressure
from cordboard.actors.setups import BOUND, LEAST, TURNS, USUAL, SetUps


@frozen
class Flood:
    """What became of calls that came to one server: how long each was in set-up that was let in, and how many were
    not."""

    waited: list[float]
    refused: int


def flood(setups: SetUps, rate: float, cost: float, seconds: float, seed: int = 1) -> Flood:
    """Calls come at that rate, and one after the other is set up."""
    rng = Random(seed)
    line: deque[tuple[str, float]] = deque()
    waited, refused, arrives, free, number = list[float](), 0, 0.0, 0.0, 0
    while arrives < seconds:
        arrives += rng.expovariate(rate)
        while line and free <= arrives:
            call, since = line.popleft()
            setups.done(call, free)
            waited.append(free - since)
            free += rng.uniform(0.2, 1.8) * cost
        if setups.full:
            refused += 1
            continue
        if not line:
            free = arrives + rng.uniform(0.2, 1.8) * cost
        number += 1
        line.append((f"{number}", arrives))
        setups.begin(f"{number}", arrives)
    return Flood(waited, refused)


def test_where_more_come_than_are_set_up_none_of_them_waits_for_long() -> None:
    for cost in (0.002, 0.004, 0.012):
        made = flood(SetUps(), 1000.0, cost, 20.0)
        steady = made.waited[len(made.waited) // 10 :]  # by then it is known what each takes
        assert sorted(steady)[len(steady) * 99 // 100] < 1.5 * BOUND
        # ... and it had always something to do
        assert len(made.waited) * cost > 0.97 * 20.0
        assert made.refused > 1000.0 * 20.0 - 21.0 / cost


def test_where_fewer_come_nobody_is_refused() -> None:
    made = flood(SetUps(), 200.0, 0.004, 60.0)
    assert (made.refused, len(made.waited) > 11_000) == (0, True)


def test_calls_that_wait_for_others_fill_it_too() -> None:
    """An engine that answers nobody."""
    setups = SetUps()
    while not setups.full:
        setups.begin(f"{len(setups)}", 0.0)
    assert len(setups) == math.ceil(BOUND / USUAL)
    for number in range(10):
        setups.gone(f"{number}")  # they hung up
    assert (setups.full, setups.cost) == (False, USUAL)


def test_after_any_pause_a_few_are_let_in_and_tell_what_they_take() -> None:
    setups = SetUps()
    for number in range(200):
        setups.begin(f"{number}", number / 50)
        setups.done(f"{number}", number / 50 + 9.0)
    pause, at = setups.cost, 2000.0
    for turn in range(20):
        for number in range(LEAST - 1):
            setups.begin(f"{turn} {number}", at)
            assert not setups.full
        for number in range(LEAST - 1):
            at += 0.002
            setups.done(f"{turn} {number}", at)
    assert pause == USUAL  # who comes alone tells nothing of a line
    assert setups.cost < 0.0025


def test_one_that_is_slow_tells_that_it_is() -> None:
    setups = SetUps()
    for turn in range(10):
        at = 10.0 * turn
        for number in range(40):
            setups.begin(f"{turn} {number}", at)
        for number in range(40):
            setups.done(f"{turn} {number}", at + 1.0 + number * 0.03)
    assert setups.cost == pytest.approx(BOUND / LEAST)
    setups.done("unknown", 1.0)
    assert len(setups) == 0


def test_while_it_is_full_the_process_refuses_calls() -> None:
    pressure, unbounded = Pressure(0.02), Pressure()
    for number in range(1000):
        pressure.setups.begin(f"{number}", 1.0)
        unbounded.setups.begin(f"{number}", 1.0)
    assert (pressure.pressed, pressure.room(0, 1.0), pressure.calm(1.0)) == (False, 0, False)
    assert (unbounded.room(0, 1.0), unbounded.calm(1.0)) == (math.inf, True)


def test_the_more_turns_are_owed_the_fewer_begin() -> None:
    pressure = Pressure(0.02)
    for _ in range(1000):
        pressure.took(10, 0.002)  # each 0.2 ms
    free = pressure.room(0, 1.0)
    assert free == math.ceil(BOUND / USUAL)
    assert pressure.room(100, 1.0) == math.ceil((BOUND - TURNS * 100 * 0.0002) / USUAL)
    assert pressure.room(250, 1.0) == 0
