"""How a bench ends."""

import json
from pathlib import Path

import pytest
from attrs import frozen
from cordboard.bench import outcome
from rich.table import Table


@frozen
class Found:
    ms: float = 1.5
    date: str = "2026-01-02 03:04 UTC"
    problems: tuple[str, ...] = ()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(outcome, "RESULTS", tmp_path / "results")
    return tmp_path / "results"


def test_a_result_is_kept_by_name_and_day_with_its_picture(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome.finish("echo", Found(), "<svg/>", Table(), json_wanted=True)
    assert {file.name for file in folder.iterdir()} == {"echo-2026-01-02.json", "echo-2026-01-02.svg"}
    kept = json.loads((folder / "echo-2026-01-02.json").read_text())
    assert kept == {"ms": 1.5, "date": "2026-01-02 03:04 UTC", "problems": []}
    assert json.loads(capsys.readouterr().out) == kept


def test_what_is_wrong_is_printed_and_is_the_exit_code(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        outcome.finish("echo", Found(problems=("too late",)), "<svg/>", Table(), "a line", json_wanted=False)
    assert ended.value.code == 1
    assert capsys.readouterr().out.splitlines()[-2:] == ["a line", "too late"]
    assert json.loads((folder / "echo-2026-01-02.json").read_text())["problems"] == ["too late"]


def test_in_a_file_no_column_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    cells = [f"{number:>20} of many" for number in range(9)]
    made = Table(*(f"the heading {number}" for number in range(9)), title="Calls a second")
    made.add_row(*cells)
    outcome.finish("echo", Found(), "<svg/>", made, json_wanted=False)
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "of many" in line]
    assert [cell.strip() for cell in row.strip("│").split("│")] == [cell.strip() for cell in cells]
