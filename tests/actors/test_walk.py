"""Random walks through a whole centre: all that can happen is reached, and nothing is ever untrue.

Hypothesis draws the histories, the same in each run, and makes one that fails as short as it can. `--walk 'LINE'` takes
one again, as it is printed there, and prints what left anybody, to the last datagram.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from .beginnings import POSITIONS
from .histories import History, histories, written
from .reached import Reached
from .walk import walk

# From each position: the position itself, and what hypothesis makes of it.
EXAMPLES = 3
# Where something is still to be reached then it goes on, but not for ever.
AGAIN = 3
# The long run: under ten examples hypothesis draws each anew.
LONG_EXAMPLES = 9
BLOCKS = 5
COMMAND = ".venv/bin/python -m pytest -s tests/actors/test_walk.py --walk"


pytestmark = pytest.mark.usefixtures("unlogged")


def walk_from(position: str, block: int, examples: int) -> None:
    """So many histories that begin there."""

    @seed(f"{position}, {block}")
    @settings(
        max_examples=examples,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(history=histories(position))
    def stands(history: History) -> None:
        try:
            walk(history)
        except Exception as error:  # whatever it is, and it goes on: with how it is made again
            error.add_note(f"again, with its log: {COMMAND} {str(history)!r}")
            raise

    stands()


@pytest.mark.timeout(3600)  # of a machine that does other things; time in the centre is virtual
@pytest.mark.parametrize("block", [0, *(pytest.param(block, marks=pytest.mark.long) for block in range(1, BLOCKS + 1))])
def test_every_pair_of_every_table_is_reached(
    block: int, pytestconfig: pytest.Config, record_property: Callable[[str, object], None]
) -> None:
    """... of an agent, a call, the parties in it, a survey, a line and a queue; how often is printed."""
    again = pytestconfig.getoption("--walk")
    if again is not None:
        print("\n".join(walk(written(again), silent=False)))
        return
    reached = Reached()
    with reached.counting():
        for further in range(1 if block else AGAIN):
            for position in POSITIONS:
                walk_from(position, block + further * (BLOCKS + 1), LONG_EXAMPLES if block else EXAMPLES)
            if not reached.never():
                break
    record_property("printed", reached.told())
    assert reached.never() == []


@pytest.mark.parametrize("position", ["talks, and the process dies", "three with outside"])
def test_a_line_is_the_same_walk(position: str) -> None:
    """What is printed of a history that failed takes it again, to the last datagram."""

    @seed(1)
    @settings(max_examples=3, database=None, suppress_health_check=list(HealthCheck))
    @given(history=histories(position))
    def stands(history: History) -> None:
        assert written(str(history)) == history
        if history.rounds:
            assert walk(history, silent=False) == walk(written(str(history)), silent=False)

    stands()


def test_a_line_that_is_no_history_is_said_to_be_none() -> None:
    for line in ("", "talks", "nowhere #1:", "talks #1: fly.3", "talks #1: press"):
        with pytest.raises(ValueError, match="no "):
            written(line)
