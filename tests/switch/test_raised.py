"""The frames of a band above 8 kHz: what the parts of frames that come, go and stand for two become, to the sample."""

from __future__ import annotations

import numpy as np
import pytest
from cordboard.codecs.bands import ABOVE, SAMPLES, Band
from cordboard.codecs.g711 import Pcm
from cordboard.switch.raised import Raised

ROW = np.array([3])
NARROW = SAMPLES[Band.NARROW]
NOT = np.zeros(1, np.bool_)


def opened(band: int) -> tuple[Raised, Pcm]:
    """Row 3 is heard at the band, and was decoded to nothing below it."""
    below = np.zeros((8, NARROW), np.int16)
    raised = Raised(8, band, below)
    raised.rows = ROW
    return raised, below


def heard(raised: Raised, below: Pcm, tick: int, part: int | None) -> Pcm:
    if part is not None:
        raised.put(ROW, np.full((1, raised.whole.shape[1]), part, np.int16), NOT)
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
    both = []
    for part in (1000, -1000):
        raised.put(ROW, np.full((1, SAMPLES[band]), part, np.int16), NOT)
        raised.came(ROW, 2)
        both.append(raised.parts(ROW, 2))
    assert (both[0] == 1000).all()
    raised.cross(ROW, both[0], 2)
    merged = heard(raised, below, 2, None).astype(int)
    assert merged[[0, SAMPLES[band] // 2, -1]] == pytest.approx([1000, 0, -1000], abs=8)
    assert np.abs(np.diff(merged)).max() <= 2000 / SAMPLES[band] + 1


@pytest.mark.parametrize("band", ABOVE)
def test_a_row_that_begins_anew_has_nothing_of_before(band: int) -> None:
    raised, _ = opened(band)
    below = np.zeros((8, NARROW), np.int16)
    below[:] = np.where(np.arange(NARROW) % 2, 3000, -3000)
    heard(raised, below, 1, 1000)
    raised.begin(ROW)
    assert not heard(raised, np.zeros_like(below), 2, None).any()


@pytest.mark.parametrize("band", ABOVE)
def test_what_nothing_happens_to_is_the_whole_and_what_is_added_up_would_be_too(band: int) -> None:
    """Where what is heard below is what was decoded, nothing is brought up; the same frames the other way, as they are
    after something else was heard there, are the same to the sample, but for what filters still hold of it."""
    chance = np.random.default_rng(band)
    wholes = chance.integers(-20000, 20000, (8, 1, SAMPLES[band])).astype(np.int16)
    lows = chance.integers(-20000, 20000, (8, NARROW)).astype(np.int16)
    told: list[list[Pcm]] = []
    for conceals in (False, True):
        raised, decoded = opened(band)
        frames = []
        for tick, (whole, low) in enumerate(zip(wholes, lows, strict=True), start=1):
            raised.put(ROW, whole, NOT)
            raised.came(ROW, tick)
            decoded[ROW] = low
            below = decoded.copy()
            if conceals and tick in (3, 6):
                below[ROW] //= 2
            frames.append(raised.speak(below, tick)[0][3].copy())
        told.append(frames)
    plain, other = told
    late = 2 * SAMPLES[band] // 10  # what the filter holds: 4 ms
    for tick in range(1, 8):
        assert (plain[tick] == wholes[tick][0]).all()
    for tick in (1, 3, 4, 6, 7):
        assert (other[tick][late:] == plain[tick][late:]).all()
    for tick in (2, 5):  # the third and the sixth
        assert (other[tick] != plain[tick]).mean() > 0.5
