"""The verdict on a soak, and how it is kept: from samples that are made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from attrs import evolve
from cordboard.bench.chart import GRID, Line, Panel, draw, steps
from cordboard.bench.report import as_json, keep, show
from cordboard.bench.series import Sample, Soak, Standing, growth, missing, standing

STANDING = Standing(40, 8, 6, 15, 6, 18, 0, 0, 0, 0, 0, 0, 0, 0)
SVG = "{http://www.w3.org/2000/svg}"


def samples(minutes: float, *, leak_mb_per_hour: float = 0.0) -> list[Sample]:
    """One every 10 s; memory rises by 60 MB in the first five minutes, and a little up and down ever after."""
    made = []
    for number in range(round(minutes * 6)):
        at = 10.0 * number
        control = 100 + min(60.0, at / 5) + leak_mb_per_hour * at / 3600 + number % 3
        made.append(
            Sample(
                at, STANDING, control, 150.0, None if number < 3 else 3.5, 2.0, 1.0, 3.0, 9.0, 500, 2, number, number, 0
            )
        )
    return made


def soak(minutes: float = 60, **changes: Any) -> Soak:
    kept = samples(minutes)
    made = Soak(
        date="2026-11-25 20:00 UTC",
        machine="a machine",
        cores=2,
        python="3.11",
        note="",
        seconds=60 * minutes,
        seed=1,
        calls={"made": 40},
        kinds={"short": 40},
        robots={"call.answer": 40},
        failed={},
        refused={},
        deaf=0,
        vanished=0,
        control_growth_mb=growth(kept, "control_mb"),
        media_growth_mb=growth(kept, "media_mb"),
        before=STANDING,
        after=STANDING,
        missing={},
        return_seconds=20.0,
        tick_p99_ms=3.0,
        tick_max_ms=9.0,
        late_ticks=2,
        ticks=500,
        exit_code=0,
        complaints=[],
        samples=kept,
    )
    return evolve(made, **changes)


def test_what_grows_while_it_warms_up_is_no_leak() -> None:
    assert growth(samples(60), "control_mb") == pytest.approx(0.0, abs=0.1)
    assert soak().problems == []


def test_a_leak_is_found_by_its_line() -> None:
    grown = growth(samples(60, leak_mb_per_hour=8), "control_mb")
    assert grown == pytest.approx(8 * 50 / 60, abs=0.2)
    (problem,) = soak(control_growth_mb=grown).problems
    assert problem.startswith("the control process grew by 6.")


def test_a_short_run_says_nothing_of_memory() -> None:
    assert growth(samples(2), "control_mb") is None
    assert growth(samples(19), "control_mb") is None
    assert growth([], "control_mb") is None


def test_what_did_not_return_is_named() -> None:
    after = evolve(STANDING, tasks=43, open_offers=1)
    assert missing(STANDING, after) == {"tasks": (40, 43), "open_offers": (0, 1)}
    assert soak(missing=missing(STANDING, after)).problems == [
        "tasks: 40 before, 43 after",
        "open_offers: 0 before, 1 after",
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"failed": {"503 Service Unavailable": 2}}, "calls failed: 2 times 503 Service Unavailable"),
        ({"refused": {"media_refused": 1}}, "robots were refused: 1 times media_refused"),
        ({"complaints": ["level='error'"]}, "the switch complains: level='error'"),
        ({"exit_code": -9}, "the switch ended with -9"),
        ({"deaf": 3, "vanished": 2}, "3 conversations were silent; 2 callers had vanished"),
    ],
)
def test_what_went_wrong_is_said(changes: dict[str, Any], said: str) -> None:
    assert soak(**changes).problems == [said]


def test_a_caller_who_vanished_is_not_heard() -> None:
    assert soak(deaf=2, vanished=2).problems == []


def test_metrics_and_open_files_make_a_standing() -> None:
    names = ("tasks", "actors", "calls", "sip_transactions", "legs", "media_edges", "web_sessions")
    metrics = {f"cordboard_{name}": float(number) for number, name in enumerate(names)}
    metrics |= {f'cordboard_open_rows{{table="{table}"}}': 9.0 for table in ("calls", "legs", "offers")}
    stands = standing(metrics, {"sockets": 8, "others": 6, "database": 3}, {"sockets": 15, "others": 7, "database": 0})
    assert stands == Standing(0, 8, 6, 15, 7, 1, 2, 3, 4, 5, 6, 9, 9, 9)


def test_it_is_kept_with_its_series_and_a_picture(tmp_path: Path) -> None:
    data, picture = keep(soak(), tmp_path)
    kept = json.loads(data.read_text())
    assert (data.name, picture.name) == ("soak-2026-11-25-60min.json", "soak-2026-11-25-60min.svg")
    assert len(kept["samples"]) == 360
    assert kept["samples"][-1]["tasks"] == 40
    assert kept["problems"] == []
    assert "samples" not in json.loads(as_json(soak()))
    drawn = ElementTree.fromstring(picture.read_text())
    assert len(drawn.findall(f"{SVG}path")) >= 15
    title = drawn.find(f"{SVG}title")
    assert title is not None
    assert title.text == "Cordboard, a soak of 60 minutes on 2026-11-25 20:00 UTC"


def test_it_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    show(soak(deaf=1))
    said = capsys.readouterr().out
    assert "not good" in said
    assert "1 conversations were silent" in said


@pytest.mark.parametrize(("low", "high"), [(0, 0.7), (0, 100), (3, 17), (99.9, 100.1), (0, 0), (0, 250000)])
def test_an_axis_has_few_round_numbers_around_its_values(low: float, high: float) -> None:
    made = steps(low, high)
    assert made[0] <= low + 1e-9
    assert made[-1] >= high - 1e-9
    assert 2 <= len(made) <= GRID + 2 or low == high


def test_a_line_leaves_out_what_is_not_known() -> None:
    drawn = ElementTree.fromstring(draw("t", [0, 1, 2, 3], [Panel("p", [Line("l", [1.0, None, 2.0, 3.0])])]))
    path = drawn.find(f"{SVG}path")
    assert path is not None
    assert path.get("d", "").count("M") == 2
    assert path.get("d", "").count("L") == 1
