"""The bench of memory: a few thousand legs leave nothing, and its verdict."""

from attrs import evolve
from cordboard.bench.memory import Found, grown, measure, picture, table
from cordboard.bench.outcome import show
from rich.progress import Progress


def test_two_thousand_legs_leave_nothing_behind() -> None:
    with Progress(disable=True) as progress:
        found = measure(2000, progress, 200)
    show(found, table(found))
    assert found.legs == 2000
    assert found.grown_mb < 1.0
    # Of few legs what the engine itself takes is a larger part.
    assert found.kb_per_leg < 60


def test_what_grows_is_seen_and_what_warms_up_is_not() -> None:
    assert grown([100.0 + 0.5 * i for i in range(50)]) > 15
    assert abs(grown([90.0, 95.0, *[100.0] * 48])) < 0.001


def test_the_verdict() -> None:
    found = Found("2026-01-01 00:00 UTC", "a machine", "3.11", 500, 17.0, 100_000, 0.2, [100.0, 100.1])
    assert found.problems == []
    worse = evolve(found, kb_per_leg=41.0, grown_mb=3.0, kb_per_opus_leg=181.0)
    assert worse.problems == [
        "a leg takes 41.0 kB, more than 40",
        "a leg of Opus takes 181.0 kB, more than 180",
        "100000 legs left 3.0 MB, more than 2",
    ]
    assert "engine" in picture(found)
