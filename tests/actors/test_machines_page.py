"""docs/machines.md says what the tables say."""

from __future__ import annotations

from pathlib import Path

from cordboard.actors import machines

PAGE = Path(__file__).parent.parent.parent / "docs" / "machines.md"


def test_the_page_of_the_machines_is_current() -> None:
    again = "python -m cordboard.actors.machines > docs/machines.md"
    assert PAGE.read_text(encoding="utf-8") == machines.page(), again
