"""Who was refused a moment ago is refused again; only for that moment, and only so many are remembered."""

from __future__ import annotations

from cordboard.sip.refusals import MOST, Refusals


def test_a_refusal_is_remembered_for_a_moment() -> None:
    refusals = Refusals(4.0)
    refusals.add(("a",), 1.0)
    refusals.add(("b",), 2.0)
    refusals.add(("a",), 3.0)
    assert (refusals.has(("a",), 6.9), refusals.has(("b",), 6.9), len(refusals)) == (True, False, 1)
    assert (refusals.has(("a",), 7.0), len(refusals)) == (False, 0)


def test_of_a_flood_so_many_are_remembered() -> None:
    refusals = Refusals(4.0)
    for number in range(MOST + 1):
        refusals.add((f"{number}",), 1.0)
    assert (len(refusals), refusals.has(("0",), 1.0), refusals.has(("1",), 1.0)) == (MOST, False, True)
