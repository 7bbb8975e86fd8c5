"""The ears themselves: what they take for a voice, and that no leak of a window escapes them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from . import sound
from .ears import AMPLITUDE, VOICES, WINDOW, Windows, exactly, leaks

Pcm = NDArray[np.int16]
LIN, CUSTOMER = frozenset({"lin"}), frozenset({"customer"})


def sung(*voices: str, windows: int = 10, db: float = 0.0) -> Pcm:
    at = np.arange(windows * WINDOW) / sound.RATE
    whole = sum(np.sin(2 * np.pi * VOICES[voice] * at) for voice in voices)
    return np.rint(AMPLITUDE * 10 ** (db / 20) * (whole if voices else np.zeros_like(at))).astype(np.int16)


def heard(pcm: Pcm) -> Windows:
    """As a telephone hears it, by G.711."""
    octets = sound.encode(pcm, ulaw=False)
    rows = sound.decode(octets, ulaw=False).reshape(-1, WINDOW)
    return Windows.of_pcm(np.arange(1, len(rows) + 1, dtype=np.float64) / 25, rows)


@pytest.mark.parametrize("voices", [[], ["lin"], ["lin", "maya"], ["customer", "lin", "outside"], ["music", "maya"]])
def test_each_window_shows_exactly_who_is_in_it(voices: list[str]) -> None:
    windows = heard(sung(*voices))
    assert exactly(windows, frozenset(voices)).all()
    for other in ("customer", "lin", "maya", "outside"):
        assert not exactly(windows, frozenset(voices) ^ {other}).any()


def test_one_window_of_a_voice_that_is_not_allowed_is_found() -> None:
    before, leak, after = sung("lin", windows=5), sung("lin", "maya", windows=1), sung("customer", windows=5)
    assert len(leaks(heard(np.concatenate([before, after])), LIN | CUSTOMER).at) == 0
    assert len(leaks(heard(np.concatenate([before, leak, after])), LIN | CUSTOMER).at) >= 1


def test_a_faint_voice_that_goes_on_is_found_too() -> None:
    faint = sung("lin", windows=6) + sung("maya", windows=6, db=-36)
    assert len(leaks(heard(faint), LIN).at) == 6
    assert len(leaks(heard(sung("lin", windows=6)), LIN).at) == 0


def test_in_words_a_voice_as_it_is_given_is_found() -> None:
    words = np.random.default_rng(1).normal(0, 3000, 6 * WINDOW).astype(np.int16)
    assert heard(words).other.all()
    assert len(leaks(heard(words), frozenset()).at) == 0
    assert len(leaks(heard(words + sung("maya", windows=6)), frozenset()).at) == 6
