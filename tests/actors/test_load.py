"""Calls that were let in still have to end: a flood is refused before its ends take all the time there is."""

from __future__ import annotations

from collections import deque
from random import Random

import pytest
from attrs import define, field
from cordboard.actors.load import Load
from cordboard.actors.pressure import Pressure


@define
class Server:
    """One core: a call takes `half` of it to be set up, and as much when it is over, `talk` later; to refuse one takes
    `refusing`. Whatever comes waits until all before it is done."""

    half: float
    talk: float
    refusing: float = 0.0003
    pressure: Pressure = field(factory=lambda: Pressure(0.02))
    now: float = 0.0
    rested: float = 0.0
    waited: list[float] = field(factory=list)
    let_in: int = 0
    refused: int = 0

    def run(self, rate: float, seconds: float, seed: int = 1) -> None:
        rng, load, setups = Random(seed), self.pressure.load, self.pressure.setups
        load.rested = lambda: self.rested
        arrives, ends, line = rng.expovariate(rate), deque[float](), deque[tuple[float, str]]()
        while arrives < seconds:
            while arrives <= self.now or (not line and (not ends or arrives <= ends[0])):
                self._rest_until(arrives)
                if self.pressure.room(len(line), self.now):
                    self.let_in += 1
                    line.append((arrives, f"{self.let_in}"))
                    setups.begin(f"{self.let_in}", arrives)
                    load.begun()
                else:
                    self.refused += 1
                    self.now += self.refusing
                arrives += rng.expovariate(rate)
            while ends and (ends[0] <= self.now or not line):
                self._rest_until(ends[0])
                line.append((ends.popleft(), ""))
            came, call = line.popleft()
            self.now += self.half
            self.pressure.took(1, self.half)
            self.waited.append(self.now - came)
            if call:
                setups.done(call, self.now)
                ends.append(self.now + self.talk)
            else:
                load.ended()

    def _rest_until(self, moment: float) -> None:
        self.rested += max(0.0, moment - self.now)
        self.now = max(self.now, moment)


@pytest.mark.parametrize("talk", [0.3, 4.0, 30.0])
def test_the_ends_of_a_flood_keep_nobody_waiting(talk: float) -> None:
    server = Server(0.002, talk)
    server.run(500.0, 60.0)
    assert sorted(server.waited)[len(server.waited) * 99 // 100] < 0.15
    # ... and it is no refuge: most of the time is for calls
    assert server.let_in * 0.004 > 0.5 * 60.0


def test_fewer_than_can_be_served_are_all_let_in() -> None:
    server = Server(0.002, 0.3)
    server.run(200.0, 60.0)
    assert server.refused == 0


def test_a_machine_that_does_something_else_refuses_nobody_while_few_call() -> None:
    load = Load(lambda: 0.0)  # never rests
    for number in range(100):
        load.begun()
        load.look(number / 10)
    assert (load.works > 0.99, load.full) == (True, False)
    for number in range(100, 200):
        for _ in range(5):
            load.begun()
        load.look(number / 10)
    assert load.full  # fifty a second, of which none is over
    for number in range(200, 300):
        for _ in range(5):
            load.begun()
        for _ in range(6):
            load.ended()
        load.look(number / 10)
    assert not load.full  # as many end as begin: it will be no more than it is


def test_who_cannot_tell_whether_it_rests_refuses_nobody() -> None:
    pressure = Pressure(0.02)
    for number in range(1000):
        pressure.load.begun()
        assert pressure.room(0, number / 1000) > 0


def test_whoever_has_had_time_to_spare_lately_is_at_ease() -> None:
    """Between the calls of a busy second nobody waits, and yet there is no time to spare."""
    server = Server(0.004, 1.0)
    found = [server.pressure.load.easy]
    server.run(100.0, 5.0)
    assert server.pressure.load.works > 0.7
    found.append(server.pressure.load.easy)
    server._rest_until(server.now + 3.0)
    server.pressure.load.look(server.now)
    found.append(server.pressure.load.easy)
    assert found == [True, False, True]
