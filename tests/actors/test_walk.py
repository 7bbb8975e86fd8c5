"""Random walks through a whole centre: all that can happen is reached, and nothing is ever untrue.

A history that fails names its seed; `--walk SEED` takes it again and prints what left anybody, to the last datagram.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from .reached import Reached
from .walk import position_of, walk

# Of each test; where something is still to be reached then it goes on, but not for ever. The long run has twenty.
HISTORIES = 500
SEEDS = 750
BLOCKS = 20
AGAIN = ".venv/bin/python -m pytest -s tests/actors/test_walk.py --walk"


@pytest.fixture(autouse=True)
def _unlogged() -> Iterator[None]:
    """What actors log is not what is looked at."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.configure(**before)


@pytest.mark.timeout(1800)  # of a machine that does other things; time in the centre is virtual
@pytest.mark.parametrize("block", [0, *(pytest.param(block, marks=pytest.mark.long) for block in range(1, BLOCKS))])
def test_every_pair_of_every_table_is_reached(block: int, pytestconfig: pytest.Config) -> None:
    """... of an agent, a call, the parties in it, a survey, a line and a queue; how often is printed."""
    again = pytestconfig.getoption("--walk")
    if again is not None:
        print("\n".join(walk(again, silent=False)))
        return
    reached = Reached()
    seeds = iter(range(block * SEEDS, (block + 1) * SEEDS))
    with reached.counting():
        for number, seed in enumerate(seeds, 1):
            try:
                walk(seed)
            except BaseException as error:
                what = f"history {seed}, which begins so: {position_of(seed)}"
                raise AssertionError(f"{what}\nagain, with its log: {AGAIN} {seed}") from error
            if number >= HISTORIES and not reached.never():
                break
    print(reached.told())
    assert reached.never() == []


def test_the_same_seed_is_the_same_walk() -> None:
    assert walk(17, silent=False) == walk(17, silent=False)
    assert walk(17, silent=False) != walk(18, silent=False)
