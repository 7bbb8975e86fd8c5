"""Some random walks through the whole centre, the last to look for a planted bug; no test of its own.

The walk that reaches everything (tests/actors/test_walk.py) takes minutes. These begin at positions all over it.
"""

from __future__ import annotations

import pytest

from ..actors.beginnings import POSITIONS
from ..actors.test_walk import walk_from

# Every so many positions of those that there are.
STEP = 3


pytestmark = pytest.mark.usefixtures("unlogged")


@pytest.mark.parametrize("position", list(POSITIONS)[::STEP])
def test_nothing_is_untrue_in_a_walk(position: str) -> None:
    walk_from(position, 0, 2)
