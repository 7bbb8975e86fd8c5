"""The planted bugs are still some, the page has all of them, and what pytest says is understood."""

from __future__ import annotations

from pathlib import Path

import pytest

from .bug import ROOT, Bug, OutdatedError
from .report import NOTHING, PAGE, Found, Outcome, kept, page
from .subjects import BUGS, SUBJECTS
from .tree import DoesNotLoadError, Failure, UnknownTestError, failure


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_can_still_be_planted(bug: Bug) -> None:
    bug.planted((ROOT / bug.file).read_text())


def test_no_two_bugs_are_the_same() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS)
    assert len({(bug.file, bug.was, bug.becomes) for bug in BUGS}) == len(BUGS)


def test_what_was_found_is_of_these_bugs_and_the_page_says_it() -> None:
    again = "python -m tests.planted --keep"
    found = kept()
    assert [each.bug for each in found.outcomes] == [bug.name for bug in BUGS], again
    assert found.enough
    assert PAGE.read_text() == page(found), again


@pytest.mark.parametrize(
    ("was", "becomes"),
    [("there is no such line", "x = 1"), ("x = 1", "x = 2"), ("y = 1", "y = 1  # the same"), ("y = 1", "y = = 1")],
)
def test_what_is_none_any_more_is_said_so(was: str, becomes: str) -> None:
    with pytest.raises(OutdatedError):
        Bug("none", "some.py", was, becomes).planted("x = 1\nx = 1\ny = 1\n")


def test_a_bug_is_all_that_changes() -> None:
    assert Bug("some", "some.py", "y = 1", "y = 2").planted("x = 1\ny = 1\n") == "x = 1\ny = 2\n"


def test_all_tests_that_are_to_catch_bugs_are_there() -> None:
    for subject in SUBJECTS:
        stages = subject.stages()
        assert all(stages), subject.name
        assert all((ROOT / test).is_file() for stage in stages for test in stage)


def test_what_pytest_says() -> None:
    said = "F\nFAILED tests/actors/test_hold.py::test_a[b c] - assert 1 == 2\n1 failed in 0.1s\n"
    assert failure(said, 1) == Failure("tests/actors/test_hold.py::test_a[b c]", "assert 1 == 2")
    assert failure("FAILED tests/a.py::test_b\n", 1) == Failure("tests/a.py::test_b", "")
    assert failure("1 passed", 0) is None
    with pytest.raises(DoesNotLoadError):
        failure("ERROR tests/actors/test_hold.py - TypeError: the row is not total\n", 2)
    with pytest.raises(UnknownTestError):
        failure("ERROR: not found: tests/actors/test_hold.py::test_a\n", 4)


def test_nine_of_ten_are_enough() -> None:
    def found(caught: int) -> Found:
        return Found("", tuple(Outcome(str(number), "tests/a.py::test" * (number < caught)) for number in range(20)))

    assert found(18).enough
    assert not found(17).enough


def test_what_came_of_some_is_kept_beside_what_came_of_the_others() -> None:
    one, other, gone = Outcome(BUGS[0].name, "a"), Outcome(BUGS[1].name, "b"), Outcome("a bug of yesterday", "c")
    again = Outcome(BUGS[1].name, "")
    assert Found("today", (again,)).beside(Found("before", (gone, other, one))) == Found("today", (one, again))


def test_the_page_says_what_nothing_caught(tmp_path: Path) -> None:
    bug = BUGS[0]
    assert f"| {bug.name} | `{bug.file}` | **nothing** |" in page(Found("today", (Outcome(bug.name, ""),)))
    caught = page(Found("today", (Outcome(bug.name, "tests/actors/test_hold.py::test_a"),)))
    assert f"| {bug.name} | `{bug.file}` | `test_hold.py`: `test_a` |" in caught
    assert kept(tmp_path / "none.json") == NOTHING
