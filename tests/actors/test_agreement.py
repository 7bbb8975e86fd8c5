"""What the engine reports, and what it was told."""

from __future__ import annotations

from cordboard.actors.agreement import REPORTS, Agreement, Known


def heard(*reports: tuple[int, int, Known]) -> bool:
    made = Agreement()
    for report in reports:
        made.hear(*report)
    return made.holds


def test_the_same_numbers_agree() -> None:
    assert heard(*[(2, 4, Known(2, 2, 4))] * (REPORTS + 1))


def test_more_legs_or_fewer_edges_do_not_in_so_many_reports_in_a_row() -> None:
    for legs, edges in ((3, 4), (1, 4), (2, 3), (2, 5)):
        assert not heard(*[(legs, edges, Known(2, 2, 4))] * REPORTS)
        assert heard(*[(legs, edges, Known(2, 2, 4))] * (REPORTS - 1))
        assert heard(*[(legs, edges, Known(2, 2, 4))] * (REPORTS - 1), (2, 4, Known(2, 2, 4)))


def test_what_is_on_its_way_agrees_however_long_calls_only_begin_or_only_end() -> None:
    """A hundred calls a second: the engine has always a few less than was asked of it, or a few more."""
    begin = [(100 * n + 97, 400 * n + 390, Known(100 * n + 98, 100 * n + 100, 400 * n + 400)) for n in range(20)]
    assert heard(*begin)
    end = [(legs + 5, edges + 15, known) for legs, edges, known in reversed(begin)]
    assert heard(*end)


def test_a_leg_that_is_not_answered_may_be_there_or_not() -> None:
    assert heard(*[(1, 0, Known(1, 2, 0))] * 9)
    assert heard(*[(2, 0, Known(1, 2, 0))] * 9)


def test_what_differs_now_this_way_and_now_that_is_on_its_way() -> None:
    assert heard(*[(1 + 2 * (n % 2), 4, Known(2, 2, 4)) for n in range(20)])
