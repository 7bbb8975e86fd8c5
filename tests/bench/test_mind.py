"""What robots do: by their habits, by chance that a seed fixes, and nothing but going home once they are told to."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest
from cordboard.bench.mind import PATIENCE, RELOAD, Habits, Mind

T0 = 1000.0


def mind(seed: int = 1, **habits: float) -> Mind:
    return Mind(Habits(**habits), random.Random(seed))  # type: ignore[arg-type]


def planned(made: Mind, state: str) -> tuple[str, float]:
    """What it does in that state, and how long after it heard of it; "" for nothing."""
    made.forget()
    made.hear(state, T0)
    wait = made.deadline() - T0
    return ("", wait) if wait == math.inf else (made.act(made.deadline()), wait)


@pytest.mark.parametrize(
    ("state", "acts"),
    [
        ("idle", {""}),
        ("ringing", {"call.answer", "call.decline", ""}),
        ("talking", {"call.hang_up", RELOAD}),
        ("after_call_work", {"agent.start_answering", "break", "agent.sign_out"}),
        ("break", {"idle"}),
        ("signed_out", {"agent.sign_in"}),
    ],
)
def test_every_state_has_its_acts(state: str, acts: set[str]) -> None:
    made = mind()
    assert {planned(made, state)[0] for _ in range(300)} == acts


def test_shares_are_what_the_habits_say() -> None:
    made = mind(declines=0.2, misses=0.1)
    did = Counter(planned(made, "ringing")[0] for _ in range(5000))
    assert did["call.decline"] / 5000 == pytest.approx(0.2, abs=0.02)
    assert did[""] / 5000 == pytest.approx(0.1, abs=0.02)


def test_waits_are_within_their_range() -> None:
    made = mind(misses=0.0)
    waits = [planned(made, "ringing")[1] for _ in range(500)]
    low, high = Habits().answers_after
    assert low <= min(waits) < max(waits) <= high


def test_the_same_seed_does_the_same() -> None:
    states = ["ringing", "talking", "after_call_work", "break", "signed_out"] * 20
    one, two = mind(4), mind(4)
    assert [planned(one, state) for state in states] == [planned(two, state) for state in states]


def test_a_state_heard_again_changes_no_plan() -> None:
    made = mind()
    made.hear("talking", T0)
    due = made.deadline()
    made.hear("talking", T0 + 1)
    assert made.deadline() == due


def test_what_came_to_nothing_is_tried_again() -> None:
    made = mind()
    made.hear("break", T0)
    due = made.deadline()
    assert made.act(due) == "idle"
    assert made.deadline() == due + PATIENCE
    assert made.act(due + PATIENCE) == "idle"


@pytest.mark.parametrize(
    ("state", "act"),
    [
        ("talking", "call.hang_up"),
        ("ringing", "agent.sign_out"),
        ("idle", "agent.sign_out"),
        ("break", "agent.sign_out"),
        ("after_call_work", "agent.sign_out"),
        ("signed_out", ""),
    ],
)
def test_told_to_go_home_it_goes_at_once(state: str, act: str) -> None:
    made = mind()
    made.hear(state, T0)
    made.go_home(T0)
    if act:
        assert made.deadline() == T0
        assert made.act(T0) == act
    else:
        assert made.deadline() == math.inf
