"""The soak itself, with the real switch: in short among the usual tests, an hour of it among the long ones."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trio
from cordboard.bench import page
from cordboard.bench.callers import KINDS
from cordboard.bench.report import keep, show
from cordboard.bench.series import Sample, Soak
from cordboard.bench.soak import Plan, organisation, soak

# Of work; what is left of two minutes goes to starting, leaving, and the last timers of those who vanished.
SHORT_SECONDS = 70.0


def run(plan: Plan) -> tuple[Soak, float]:
    """The result, shown, and how long it took."""
    begun = time.monotonic()

    def phase(text: str) -> None:
        print(f"{time.monotonic() - begun:6.1f} s: {text}", file=sys.stderr)

    def sample(sample: Sample) -> None:
        pass

    found = trio.run(soak, plan, sample, phase)
    show(found)
    return found, time.monotonic() - begun


def check(found: Soak) -> None:
    """Nothing is left, nothing failed, and it was a soak: everybody did what they came for."""
    assert found.problems == []
    assert found.before.sessions == found.before.calls == found.before.legs == 0
    assert found.calls["answered"] > 20
    assert set(found.kinds) >= {kind.name for kind in KINDS if kind.share > 10}
    for did in ("call.answer", "call.hang_up", "agent.start_answering", "agent.sign_out", "heard"):
        assert found.robots.get(did, 0) > 0, did
    busiest = max(sample.standing.calls for sample in found.samples)
    assert busiest > 2
    if page.chromium() is not None:
        assert found.robots.get("page: Sign in", 0) == 1


def test_every_agent_is_of_the_organisation() -> None:
    text = organisation(Plan(silent=2, speaking=3))
    assert text.count("[[agent]]") == 6
    assert 'pattern = "7\\\\d\\\\d"' in text


@pytest.mark.timeout(400)
def test_two_minutes_of_calls_leave_nothing_behind() -> None:
    found, took = run(Plan(seconds=SHORT_SECONDS, per_minute=60))
    print(f"in {took:.0f} s")
    check(found)


@pytest.mark.long
@pytest.mark.timeout(2 * 3600)
def test_an_hour_of_calls_leaves_nothing_behind_and_memory_where_it_was() -> None:
    found, took = run(Plan(note="make test-all"))
    print(f"in {took / 60:.0f} minutes; kept in {', '.join(map(str, keep(found)))}")
    check(found)
    assert found.control_growth_mb is not None
    assert found.media_growth_mb is not None


def test_told_to_end_it_takes_the_switch_with_it(tmp_path: Path) -> None:
    """A soak that runs for an hour in the background is also ended there."""
    command = [sys.executable, "-m", "cordboard.actors.main", "bench", "soak", "--minutes", "1", "--no-page"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stderr is not None
        said = [process.stderr.readline() for _ in range(2)]
        assert said == ["starts the switch\n", "works\n"]
        (folder,) = tmp_path.iterdir()
        pids = [int(file.read_text()) for file in (folder / "data" / "run").glob("*.pid")]
        process.terminate()
        process.wait(60)
    assert process.returncode == 1
    assert len(pids) == 3
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert list(tmp_path.iterdir()) == []
