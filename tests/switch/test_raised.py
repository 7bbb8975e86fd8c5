"""The frames of a band above 8 kHz: what the parts of frames that come, go and stand for two become, to the sample."""

from __future__ import annotations

import numpy as np
import pytest
from cordboard.codecs.bands import ABOVE, SAMPLES
from cordboard.codecs.g711 import Pcm
from cordboard.switch.raised import Raised

ROW = np.array([3])


def opened(band: int) -> tuple[Raised, Pcm]:
    """Row 3 is heard at the band, and says nothing below it."""
    raised = Raised(8, band)
    raised.rows = ROW
    return raised, np.zeros((8, SAMPLES[band - 1]), np.int16)


def heard(raised: Raised, below: Pcm, tick: int, part: float | None) -> Pcm:
    if part is not None:
        raised.upper[ROW] = part
        raised.came(ROW, tick)
    pcm, speaking = raised.speak(below, tick)
    frame: Pcm = pcm[3].copy()
    assert speaking[3] == frame.any()
    return frame


@pytest.mark.parametrize("band", ABOVE)
def test_a_part_rises_over_10_ms_stays_and_falls_over_5(band: int) -> None:
    raised, below = opened(band)
    n = SAMPLES[band]
    first, second, gone, silent, again = (
        heard(raised, below, tick, part) for tick, part in enumerate((1000, 1000, None, None, 600), start=1)
    )
    assert first[0] == 0
    assert first[n // 4] == 500
    assert (first[n // 2 :] == 1000).all()
    assert (second == 1000).all()
    assert gone[0] == 1000
    assert gone[n // 8] == 500
    assert not gone[n // 4 :].any()
    assert not silent.any()
    assert again[n // 4] == 300
    assert again[-1] == 600


@pytest.mark.parametrize("band", ABOVE)
def test_two_frames_in_the_time_of_one_go_over_into_each_other(band: int) -> None:
    raised, below = opened(band)
    heard(raised, below, 1, 1000)
    raised.upper[ROW] = 1000
    raised.came(ROW, 2)
    first = raised.upper[ROW]
    raised.upper[ROW] = -1000
    raised.came(ROW, 2)
    raised.cross(ROW, first)
    merged = heard(raised, below, 2, None).astype(int)
    assert merged[[0, SAMPLES[band] // 2, -1]] == pytest.approx([1000, 0, -1000], abs=8)
    assert np.abs(np.diff(merged)).max() <= 2000 / SAMPLES[band] + 1


@pytest.mark.parametrize("band", ABOVE)
def test_a_row_that_begins_anew_has_nothing_of_before(band: int) -> None:
    raised, below = opened(band)
    below[:] = np.where(np.arange(SAMPLES[band - 1]) % 2, 3000, -3000)
    heard(raised, below, 1, 1000)
    raised.begin(ROW)
    assert not heard(raised, np.zeros_like(below), 2, None).any()
