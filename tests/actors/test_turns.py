"""Whose turn it is: in the order in which there came to be something to do, and at the moments that were wanted."""

from __future__ import annotations

import math
from random import Random

from attrs import define
from cordboard.actors.turns import Turns
from cordboard.sip.moments import LOOKED_THROUGH


@define(eq=False)
class One:
    name: str
    scheduled: float = math.inf


def taken(turns: Turns[One], now: float) -> list[str]:
    found = []
    while (one := turns.take(now)) is not None:
        found.append(one.name)
    return found


def test_what_came_first_is_done_first_whoever_has_to_do_it() -> None:
    turns: Turns[One] = Turns()
    a, b, c = (One(name) for name in "abc")
    for one in (b, a, b, b, c, a):
        turns.add(one)
    assert len(turns) == 6
    assert taken(turns, 0.0) == ["b", "a", "b", "b", "c", "a"]
    turns.add(a)
    turns.again(b)
    assert taken(turns, 0.0) == ["b", "a"]


def test_a_moment_is_kept_until_it_comes() -> None:
    turns: Turns[One] = Turns()
    late, soon = One("late"), One("soon")
    turns.wake(late, 5.0)
    turns.wake(soon, 3.0)
    assert (turns.deadline(), taken(turns, 2.9)) == (3.0, [])
    assert taken(turns, 3.0) == ["soon"]
    assert taken(turns, 9.0) == ["late"]
    assert turns.deadline() == math.inf


def test_an_earlier_moment_takes_the_place_of_a_later_one() -> None:
    turns: Turns[One] = Turns()
    one = One("one")
    turns.wake(one, 5.0)
    turns.wake(one, 3.0)
    turns.wake(one, 4.0)  # it is looked at before that
    assert taken(turns, 3.0) == ["one"]
    assert taken(turns, 9.0) == []


def test_who_left_is_not_woken_and_not_kept() -> None:
    turns: Turns[One] = Turns()
    stays = One("stays")
    turns.wake(stays, 7.0)
    for number in range(10 * LOOKED_THROUGH):
        one = One(str(number))
        turns.wake(one, 1000.0)
        turns.leave(one)
        assert len(turns._moments) <= LOOKED_THROUGH + 2
    assert taken(turns, 2000.0) == ["stays"]


def test_whatever_happens_everybody_has_a_turn_in_time() -> None:
    """Against a list that is looked through."""
    rng = Random(5)
    turns: Turns[One] = Turns(rng.randrange)
    everybody = [One(str(number)) for number in range(300)]
    wanted: dict[str, float] = {}
    now = 0.0
    for _ in range(5000):
        now += rng.random()
        while (one := turns.take(now)) is not None:
            if wanted.get(one.name, now) <= now:
                wanted.pop(one.name, None)
            else:
                turns.wake(one, wanted[one.name])  # it was looked at too early
        assert all(moment > now for moment in wanted.values())
        one = rng.choice(everybody)
        if rng.random() < 0.1:
            turns.leave(one)
            wanted.pop(one.name, None)
            everybody[everybody.index(one)] = One(one.name)
            continue
        moment = now if rng.random() < 0.3 else now + rng.uniform(0, 50)
        if moment == now:
            turns.add(one)
        else:
            turns.wake(one, moment)
        wanted[one.name] = min(moment, wanted.get(one.name, math.inf))
