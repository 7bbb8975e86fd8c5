"""Pieces of music made fit for a line: how loud they are, and what is heard where they begin again."""

from __future__ import annotations

import numpy as np
import pytest
from cordboard.codecs.mastering import CEILING, SEAM, Samples, loudness, mastered
from cordboard.codecs.tones import FRAME, MUSIC_LEVEL, RATE, hold_music

SPEECH = -20.0  # of the prompts, which voices/make.py brings there


def song(seconds: float = 7.3, amplitude: float = 0.3, hertz: float = 440.0) -> Samples:
    """Notes that swell and die, and whose end does not fit their beginning."""
    t = np.arange(round(seconds * RATE)) / RATE
    sound: Samples = (amplitude * np.cos(2 * np.pi * hertz * t + 1) * (0.3 + np.sin(2 * t) ** 2)).astype(np.float32)
    return sound


def steepest(pcm: np.ndarray) -> int:
    return int(np.abs(np.diff(pcm.astype(int))).max())


@pytest.mark.parametrize("amplitude", [0.001, 0.05, 0.3, 1.0, 32768.0, 1e25])
def test_whatever_a_file_was_it_is_as_loud_as_the_built_in_piece_and_softer_than_speech(amplitude: float) -> None:
    level = loudness((mastered(song(amplitude=amplitude)) / 32768).astype(np.float32))
    assert level == pytest.approx(MUSIC_LEVEL, abs=0.1)
    assert level < SPEECH
    assert loudness((hold_music() / 32768).astype(np.float32)) == pytest.approx(level, abs=1.0)


@pytest.mark.parametrize("seconds", [1.0, 7.3, 8.003])
def test_a_loop_has_no_click_where_it_begins_again(seconds: float) -> None:
    sound = song(seconds, hertz=71.3)
    pcm = mastered(sound)
    assert len(pcm) % FRAME == 0
    assert 0 <= seconds - SEAM - len(pcm) / RATE < 2 * FRAME / RATE
    as_it_was = sound[: len(pcm)] * (np.abs(pcm[2000:4000].astype(int)).max() / np.abs(sound[2000:4000]).max())
    # The same end put to the same beginning without a seam would be heard.
    assert abs(as_it_was[0] - as_it_was[-1]) > 1.2 * steepest(as_it_was)
    assert steepest(np.concatenate([pcm[-2000:], pcm[:2000]])) <= 1.1 * steepest(as_it_was)


def test_between_its_seams_a_piece_is_what_it_was() -> None:
    sound = song()
    pcm = mastered(sound).astype(np.float64)
    seam = round(SEAM * RATE)
    assert np.corrcoef(pcm[seam:], sound[seam : len(pcm)])[0, 1] > 0.9999


def test_a_peak_is_made_softer_with_what_is_near_it_and_not_cut_off() -> None:
    sound = song(amplitude=0.02)
    sound[20000:20400] *= 60
    pcm = mastered(sound).astype(np.float64)
    assert np.abs(pcm).max() <= CEILING
    loud, meant = pcm[20040:20360], sound[20040:20360]
    assert np.corrcoef(loud, meant)[0, 1] > 0.999
    # ... also where it stands at the end, and is heard again after it.
    sound[-700:-300] *= 60
    assert np.abs(mastered(sound)).max() <= CEILING


def test_a_constant_is_taken_off_and_is_no_sound() -> None:
    pcm = mastered(song() + np.float32(0.2))
    assert abs(pcm.mean()) < 50
    with pytest.raises(ValueError, match="silence"):
        mastered(np.zeros(RATE, np.float32))
    assert loudness(np.zeros(10, np.float32)) == -np.inf
