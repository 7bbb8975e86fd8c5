"""docs/machines.md says what the tables say."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_the_page_of_the_machines_is_current() -> None:
    drawn = runpy.run_path(str(ROOT / "tools" / "machines.py"))["page"]()
    assert (ROOT / "docs" / "machines.md").read_text(encoding="utf-8") == drawn, "run python tools/machines.py"
