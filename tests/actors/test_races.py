"""What happens to a call in each standing ends in one true state, which docs/races.md says."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from .races import HAPPENINGS, HEAD, STANDINGS, UNHEARD, fits, section

PAGE: Final = Path(__file__).parent.parent.parent / "docs" / "races.md"

pytestmark = pytest.mark.usefixtures("unlogged")


@pytest.mark.parametrize("standing", STANDINGS)
def test_whatever_happens_in_a_standing_ends_as_the_page_says(standing: str) -> None:
    """... by the row that it names, and leaves nothing behind when all have hung up."""
    assert section(standing) in PAGE.read_text(encoding="utf-8"), "python -m tests.actors.races > docs/races.md"


def test_the_page_has_every_pair_and_nothing_else() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page.startswith(HEAD)
    pairs = [happening for standing in STANDINGS for happening in HAPPENINGS if fits(standing, happening)]
    lines = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")]
    assert [
        line[0].removeprefix("| ") for line in lines if "`" in line[1] or "late: " in line[1] or line[1] == UNHEARD
    ] == pairs
