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
