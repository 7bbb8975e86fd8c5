"""For how long a caller will wait: what is told, against what comes, in a simulated centre."""

from __future__ import annotations

import heapq
from collections import deque
from random import Random
from statistics import mean

import pytest
from cordboard.actors.announcements import wait
from cordboard.actors.pace import ENOUGH, HALF_LIFE, Pace


def simulated(seed: int, agents: int, talk: float, busy: float, hours: float) -> list[tuple[float, float]]:
    """A centre of so many agents who talk `talk` seconds on average, and callers who would keep `busy` of them at work:
    what each caller who joined the line was told, and for how long it waited."""
    rng = Random(seed)
    pace, now = Pace(), 0.0
    line: deque[tuple[float, float | None]] = deque()  # when it came, what it was told
    free_at = [0.0] * agents
    told: list[tuple[float, float]] = []
    next_call = rng.expovariate(busy / talk)
    while now < hours * 3600:
        if line and free_at[0] <= next_call:
            now = max(now, free_at[0])
            came, estimate = line.popleft()
            pace = pace.took(now).somebody_waits(bool(line), now)
            if estimate is not None:
                told.append((estimate, now - came))
            heapq.heapreplace(free_at, now + rng.expovariate(1 / talk))
            continue
        now = next_call
        next_call = now + rng.expovariate(busy / talk)
        if not line and free_at[0] <= now:
            heapq.heapreplace(free_at, now + rng.expovariate(1 / talk))
            continue  # answered at once
        line.append((now, pace.wait(len(line) + 1, now)))
        pace = pace.somebody_waits(True, now)
    return told


@pytest.mark.parametrize(("agents", "talk", "busy"), [(5, 180.0, 4.8), (20, 240.0, 19.5), (100, 300.0, 99.0)])
def test_what_callers_are_told_is_what_they_wait(agents: int, talk: float, busy: float) -> None:
    """On average to a fifth; of one caller it cannot be, since nobody knows when agents will have done."""
    told = [each for seed in range(6) for each in simulated(seed, agents, talk, busy, 12)]
    estimated, waited = mean(estimate for estimate, _ in told), mean(real for _, real in told)
    off = mean(abs(estimate - real) for estimate, real in told) / waited
    print(f"{agents} agents: {len(told)} callers, told {estimated:.0f} s, waited {waited:.0f} s, off by {off:.0%} each")
    assert len(told) > 500
    assert estimated == pytest.approx(waited, rel=0.2)
    assert off < 0.5


def test_nothing_is_told_before_enough_calls_were_taken_and_not_for_ever_after() -> None:
    pace = Pace(at=100.0).somebody_waits(True, 100.0)
    for taken in range(4):
        pace = pace.took(110.0 + 10 * taken)
        known = pace.wait(1, 110.0 + 10 * taken)
        assert (known is not None) == (pace.taken >= ENOUGH)
    assert pace.wait(1, 140.0) == pytest.approx(10.0, rel=0.1)
    assert pace.wait(5, 140.0) == pytest.approx(50.0, rel=0.1)
    idle = pace.somebody_waits(False, 140.0)
    assert idle.wait(1, 140.0 + HALF_LIFE) is None  # what was a quarter of an hour ago says little


def test_a_line_that_nobody_takes_calls_from_grows_longer() -> None:
    pace = Pace().somebody_waits(True, 0.0)
    for taken in range(1, 21):
        pace = pace.took(10.0 * taken)
    before, after = pace.wait(1, 200.0), pace.wait(1, 500.0)
    assert before is not None
    assert after is not None
    assert after > 2 * before


def test_a_wait_is_said_in_whole_minutes() -> None:
    said = {seconds: " ".join(wait(seconds)) for seconds in (0, 60, 61, 120.0, 600, 660, 1200, 1500, 3540, 3541)}
    assert said == {
        0: "wait-short",
        60: "wait-short",
        61: "wait number-2 minutes",
        120.0: "wait number-2 minutes",
        600: "wait number-10 minutes",
        660: "wait number-11 minutes",
        1200: "wait number-20 minutes",
        1500: "wait number-20 digit-5 minutes",
        3540: "wait number-50 digit-9 minutes",
        3541: "wait-long",
    }
