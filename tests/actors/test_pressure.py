"""When a process refuses new calls because it cannot keep up, and when it takes them again."""

from __future__ import annotations

from random import Random

from cordboard.actors.pressure import CALM, LEAST, WINDOW, Pressure

LIMIT = 0.03


def turns(pressure: Pressure, begins: float, waits: list[float]) -> float:
    """A turn each millisecond; gives when the next one would be."""
    for number, wait in enumerate(waits):
        pressure.waited(wait, begins + number / 1000)
    return begins + len(waits) / 1000


def test_where_even_the_luckiest_waits_for_longer_it_is_pressed() -> None:
    pressure = Pressure(LIMIT)
    now = turns(pressure, 0.0, [0.031] * 99)
    pressed = [pressure.pressed]
    turns(pressure, now, [0.031] * 10)
    assert ([*pressed, pressure.pressed], pressure.times) == ([False, True], 1)


def test_what_a_pause_has_left_is_no_line() -> None:
    """The machine did something else for a while, again and again; all that came meanwhile has waited."""
    pressure = Pressure(LIMIT)
    now = 0.0
    for _ in range(20):
        now = turns(pressure, now, [0.1 - number / 1000 for number in range(60)] + [0.001] * 40)
    assert pressure.times == 0


def test_a_burst_is_no_flood() -> None:
    pressure = Pressure(LIMIT)
    now = 0.0
    for _ in range(20):
        now = turns(pressure, now, [0.2] * 40 + [0.001] * 10)
    assert pressure.times == 0


def test_few_that_wait_long_are_no_line() -> None:
    pressure = Pressure(LIMIT)
    for number in range(500):
        pressure.waited(0.5, number * WINDOW / (LEAST / 2))
    assert pressure.times == 0


def test_it_is_over_when_something_hardly_waits() -> None:
    pressure = Pressure(LIMIT)
    now = turns(pressure, 0.0, [0.1] * 110)
    refused = pressure.room(0, now) == 0
    now = turns(pressure, now, [0.02] * 100)  # in between nothing changes
    pressed = [pressure.pressed]
    now = turns(pressure, now, [0.014] * 110)
    assert [refused, *pressed, pressure.pressed, pressure.room(0, now) == 0] == [True, True, False, False]
    assert not pressure.calm(now)
    assert pressure.calm(now + CALM)


def test_where_nobody_called_meanwhile_nobody_was_refused() -> None:
    pressure = Pressure(LIMIT)
    now = turns(pressure, 0.0, [0.1] * 110)
    assert (pressure.pressed, pressure.calm(now)) == (True, True)


def test_where_nothing_happens_it_is_over() -> None:
    pressure = Pressure(LIMIT)
    now = turns(pressure, 0.0, [0.1] * 110)
    pressed = [pressure.pressed]
    pressure.look(now + 3 * WINDOW)  # what was last is of no account any more
    assert [*pressed, pressure.pressed] == [True, False]


def test_without_a_limit_it_never_is() -> None:
    pressure = Pressure()
    turns(pressure, 0.0, [9.0] * 500)
    assert not pressure.pressed
    assert pressure.calm(0.0)


def test_a_server_that_is_asked_for_twice_what_it_can_keeps_its_line_short() -> None:
    """Steps come at twice the rate that can be served; refused ones cost a tenth."""
    rng = Random(3)
    pressure = Pressure(LIMIT)
    now, free, arrives = 0.0, 0.0, 0.0
    waits, refused = [], 0
    while arrives < 5.0:
        arrives += rng.expovariate(5000.0)
        now = max(free, arrives)
        waits.append(now - arrives)
        pressure.waited(now - arrives, now)
        if not pressure.room(0, now):
            refused += 1
            free = now + 0.00004
        else:
            free = now + 0.0004
    assert sorted(waits)[int(0.99 * len(waits))] < 0.15
    assert 0.4 * len(waits) < refused < 0.7 * len(waits)
