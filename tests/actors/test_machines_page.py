"""docs/machines.md says what the tables say."""

from __future__ import annotations

from pathlib import Path

from cordboard.actors import machines
from cordboard.actors.table import Late

PAGE = Path(__file__).parent.parent.parent / "docs" / "machines.md"


def test_the_page_of_the_machines_is_current() -> None:
    again = "python -m cordboard.actors.machines > docs/machines.md"
    assert PAGE.read_text(encoding="utf-8") == machines.page(), again


def test_every_late_crossing_of_every_table_has_its_name_on_the_page() -> None:
    """... with the input and the state: none is dropped that is not listed."""
    _, _, crossings = PAGE.read_text(encoding="utf-8").partition("# The late crossings")
    listed = {each.partition("\n")[0]: each for each in crossings.split("## Late for the ")[1:]}
    number = 0
    for table in machines.TABLES:
        for state, message, entry in table.pairs():
            if not isinstance(entry, Late):
                continue
            number += 1
            lines = [line for line in listed[table.name].splitlines() if line.startswith(f"- **{entry.why}**: ")]
            assert len(lines) == 1, (table.name, entry.why)
            met = dict(each.split(" in ", 1) for each in lines[0].partition("**: ")[2].split("; "))
            assert state.name.lower() in met[message.__name__].split(", "), (table.name, state, message)
    assert number > 100
