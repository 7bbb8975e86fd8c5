"""Every alarm is in the catalogue, and docs/operations.md has the catalogue."""

from __future__ import annotations

import ast
from pathlib import Path

from cordboard.actors import alarms

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "operations.md"
PRODUCT = ("actors", "bench", "sip", "switch", "web")


def test_the_page_of_operations_has_the_catalogue() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == alarms.drawn(page), "python -m cordboard.actors.alarms docs/operations.md"
    assert alarms.table() in page


def test_the_catalogue_has_every_alarm_there_is() -> None:
    there = [each for each in vars(alarms).values() if isinstance(each, alarms.Alarm)]
    assert list(alarms.CATALOGUE) == there


def raised(source: str) -> list[int]:
    """The lines where an alarm is raised or cleared by a text of its own."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and node.args:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name.lstrip("_") in ("alarm", "clear_alarm", "raise_alarm") and isinstance(
                node.args[0], ast.Constant | ast.JoinedStr
            ):
                lines.append(node.lineno)
    return lines


def test_no_alarm_has_a_text_of_its_own() -> None:
    assert raised("system.alarm(f'{x} is broken')\nsystem.alarm(alarms.FLOODED.says(actor=x))") == [1]
    found = {str(file): raised(file.read_text()) for folder in PRODUCT for file in (ROOT / folder).rglob("*.py")}
    assert {file: lines for file, lines in found.items() if lines} == {}
