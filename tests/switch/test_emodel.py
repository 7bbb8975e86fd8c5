"""The E-model against what ITU-T prints and against itself."""

from __future__ import annotations

import pytest
from cordboard.switch.emodel import mos
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("loss", "delay", "score"),
    [
        (0.0, 0.0, 4.41),  # G.107 table 2: R 93.2 is 4.41
        (0.0, 100.0, 4.41),
        (0.0, 400.0, 3.56),  # Idd 24.1: R 69.1
        (1.0, 0.0, 4.33),  # Ie-eff 3.6: R 89.6
        (2.0, 0.0, 4.23),
        (5.0, 0.0, 3.92),  # Ie-eff 15.8: R 77.4
        (20.0, 0.0, 2.63),  # Ie-eff 42.1: R 51.1
        (100.0, 1000.0, 1.0),
    ],
)
def test_what_loss_and_delay_come_to(loss: float, delay: float, score: float) -> None:
    assert round(mos(loss, delay), 2) == score


@given(st.floats(0, 100), st.floats(0, 100), st.floats(0, 5000), st.floats(0, 5000))
def test_more_of_either_is_never_better(loss: float, more: float, delay: float, longer: float) -> None:
    assert 1.0 <= mos(min(100.0, loss + more), delay + longer) <= mos(loss, delay) + 1e-9 <= 4.5
