"""The Makefile, as a newcomer meets it."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_nothing_long_is_done_without_a_word(tmp_path: Path) -> None:
    done = subprocess.run(
        ["make", "--dry-run", "run", f"VENV={tmp_path / 'venv'}"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    steps = done.stdout.splitlines()
    for long in ("-m venv", "pip install"):
        at = next(n for n, step in enumerate(steps) if long in step and not step.startswith("echo"))
        assert steps[at - 1].startswith('echo "')


def test_what_the_step_of_all_other_tests_leaves_out_is_of_another_step() -> None:
    steps = ["test", "test-first", "test-peers", "test-others"]
    done = subprocess.run(["make", "--dry-run", *steps], cwd=ROOT, capture_output=True, text=True, check=True)
    runs = [line.split() for line in done.stdout.replace("\\\n", "").splitlines() if "-m pytest" in line]
    (others,) = (words for words in runs if not [word for word in words if word.startswith("tests/")])
    taken = {word for words in runs if words is not others for word in words if word.startswith("tests/")}
    assert len(taken) > 5
    assert {word.removeprefix("--ignore=") for word in others if word.startswith("--ignore=")} == taken
    assert all((ROOT / path).exists() for path in taken)
