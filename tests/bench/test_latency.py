"""The bench of latency: its verdict, and a run of it through the real process."""

import pytest
import trio
from attrs import evolve
from cordboard.bench.latency import CLEAN, ROUGH, Found, Stage, measure, picture, rise, table
from cordboard.bench.outcome import show


def test_the_verdict() -> None:
    clean = Stage("clean", 0.0, 0.0, 20.0, 31.0, 0.0, 1000, CLEAN)
    rough = Stage("rough", 60.0, 3.0, 70.0, 99.0, 0.4, 1000, ROUGH)
    found = Found("2026-01-01 00:00 UTC", "a machine", 2, "3.11", 16, 1, 0.1, 0.4, (clean, rough), (20.0, None, 70.0))
    assert found.problems == []
    worse = evolve(found, stages=(evolve(clean, added_p50_ms=25.5), evolve(rough, unheard_percent=1.2)))
    assert worse.problems == ["clean: p50, ms: 25.5, more than 25", "rough: unheard, %: 1.2, more than 1"]
    assert "Added delay" in picture(found)
    assert rise(evolve(found, stolen=(3.5, 12.0))).endswith("before and after, 12.0 ms at once")


def test_frames_are_known_again_and_delay_rises_with_jitter(capsys: pytest.CaptureFixture[str]) -> None:
    """A short run: the delay is not let go yet when it is over. How small it is, only a quiet machine can say."""
    found = trio.run(measure, 2, 3.0, 1, 1.0)
    with capsys.disabled():
        print(rise(found))
    clean, rough, again = found.stages
    assert clean.frames > 250
    assert again.frames > 250
    assert rough.added_p50_ms > clean.added_p50_ms


@pytest.mark.long
@pytest.mark.timeout(300)
def test_delay_rises_with_jitter_and_falls_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    found = trio.run(measure, 8, 10.0, 1)
    with capsys.disabled():
        show(found, table(found), rise(found))
    clean, rough, again = found.stages
    assert rough.added_p50_ms > clean.added_p50_ms + 20
    assert again.added_p50_ms < rough.added_p50_ms - 20
