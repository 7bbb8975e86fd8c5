"""Digits as tones against the limits of ITU-T Q.24, and against voices that are none."""

from __future__ import annotations

import time
from pathlib import Path

import av
import numpy as np
import pytest
from cordboard.codecs import dtmf, g711
from cordboard.codecs import tones as sounds
from cordboard.codecs.callprogress import COUNTRIES, busy, ringback
from numpy.typing import NDArray

KEYPAD = "123A456B789C*0#D"
VOICES = Path(__file__).parents[2]
Sound = NDArray[np.float64]


def amplitude(dbm0: float) -> float:
    return float(g711.ULAW_OVERLOAD * 10 ** ((dbm0 - 3.17) / 20))


def pressed(
    digit: str, ms: float, *, low: float = -10, high: float = -8, off: tuple[float, float] = (0, 0), seed: int = 0
) -> Sound:
    """A digit made as Q.23 says, not as the generator makes it: no rise, any phase, levels in dBm0, frequencies off by
    a fraction."""
    row, column = divmod(KEYPAD.index(digit), 4)
    phase = np.random.default_rng(seed).uniform(0, 2 * np.pi, 2)
    t = 2 * np.pi * np.arange(round(ms * 8)) / 8000
    sound: Sound = amplitude(low) * np.sin(dtmf.LOW[row] * (1 + off[0]) * t + phase[0])
    sound += amplitude(high) * np.sin(dtmf.HIGH[column] * (1 + off[1]) * t + phase[1])
    return sound


def silence(ms: float) -> Sound:
    return np.zeros(round(ms * 8))


def found(sounds: list[Sound]) -> list[list[tuple[str, int]]]:
    """The digits in each of these, heard together by G.711, and how long they were."""
    frames = -(-max(map(len, sounds)) // 160) + 5
    pcm = np.zeros((len(sounds), frames * 160), np.int16)
    for i, sound in enumerate(sounds):
        pcm[i, : len(sound)] = np.clip(np.rint(sound), -32768, 32767)
    pcm = g711.decode_ulaw(g711.encode_ulaw(pcm))
    detector, rows = dtmf.Detector(len(sounds)), np.arange(len(sounds))
    heard: list[list[tuple[str, int]]] = [[] for _ in sounds]
    for at in range(0, pcm.shape[1], 160):
        over = detector.listen(rows, pcm[:, at : at + 160])
        for row, event, duration in zip(over.rows, over.events, over.duration_ms, strict=True):
            heard[row].append((dtmf.DIGITS[event], int(duration)))
    return heard


def everywhere(ms: float, **how: float | tuple[float, float]) -> tuple[int, int, int]:
    """All sixteen digits, each at sixteen places in the frames: how many there were, were found, and found rightly."""
    digits = [(digit, place) for digit in KEYPAD for place in range(16)]
    heard = found(
        [np.concatenate([silence(20 + 1.25 * i), pressed(d, ms, seed=i, **how)]) for d, i in digits]  # type: ignore[arg-type]
    )
    right = sum([d for d, _ in got] == [digit] for got, (digit, _) in zip(heard, digits, strict=True))
    return len(digits), sum(map(bool, heard)), right


@pytest.mark.parametrize(
    "how",
    [
        {"ms": 40},
        {"ms": 100},
        {"ms": 40, "off": (0.015, 0.015)},
        {"ms": 40, "off": (-0.015, 0.015)},
        {"ms": 40, "off": (-0.015, -0.015)},
        {"ms": 40, "low": -10, "high": -18},
        {"ms": 40, "low": -14, "high": -10},
        {"ms": 40, "low": -8, "high": -16, "off": (0.015, -0.015)},
        {"ms": 40, "low": -3, "high": -3},
        {"ms": 40, "low": -29, "high": -29},
    ],
)
def test_a_digit_within_the_limits_is_one(how: dict[str, float]) -> None:
    there, heard, right = everywhere(**how)
    assert (heard, right) == (there, there)


@pytest.mark.parametrize(
    "how",
    [
        {"ms": 20},
        {"ms": 23},
        {"ms": 60, "off": (0.035, 0.0)},
        {"ms": 60, "off": (-0.035, 0.0)},
        {"ms": 60, "off": (0.0, 0.035)},
        {"ms": 60, "off": (0.0, -0.035)},
        {"ms": 60, "off": (0.05, 0.05)},
        {"ms": 60, "low": -10, "high": -22},
        {"ms": 60, "low": -18, "high": -10},
        {"ms": 60, "low": -10, "high": -60},
        {"ms": 60, "low": -55, "high": -55},
    ],
)
def test_what_is_beyond_the_limits_is_none(how: dict[str, float]) -> None:
    assert everywhere(**how)[1] == 0


def test_noise_15_db_below_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    level = np.sqrt((amplitude(-10) ** 2 + amplitude(-8) ** 2) / 2 / 10**1.5)
    digits = KEYPAD * 10
    heard = found(
        [(s := np.pad(pressed(d, 50, seed=i), 400)) + rng.normal(0, level, len(s)) for i, d in enumerate(digits)]
    )
    assert [[d for d, _ in got] for got in heard] == [[d] for d in digits]


@pytest.mark.parametrize("ms", [2, 5, 10])
def test_an_interruption_of_10_ms_makes_no_second_digit(ms: float) -> None:
    heard = found([np.concatenate([silence(i), pressed("5", 60), silence(ms), pressed("5", 60)]) for i in range(20)])
    assert {len(got) for got in heard} == {1}


def test_a_pause_of_40_ms_does() -> None:
    heard = found([np.concatenate([silence(i), pressed("5", 60), silence(40), pressed("5", 60)]) for i in range(20)])
    assert {len(got) for got in heard} == {2}


def test_a_digit_that_follows_at_once_is_another() -> None:
    heard = found([np.concatenate([silence(i), pressed("5", 80), pressed("9", 80)]) for i in range(20)])
    assert {"".join(d for d, _ in got) for got in heard} == {"59"}


def test_what_the_generator_makes_is_found_at_its_length() -> None:
    lengths = (40, 100, 250, 1000)
    for ms in lengths:
        n = np.full(16, ms * 8)
        frames = [dtmf.tones(np.arange(16, dtype=np.uint8), np.full(16, at), n) for at in range(0, ms * 8, 160)]
        sound = np.concatenate(frames, axis=1).astype(float)
        assert not sound[:, ms * 8 :].any()
        heard = found([np.concatenate([silence(33), row]) for row in sound])
        assert [[d for d, _ in got] for got in heard] == [[d] for d in dtmf.DIGITS]
        assert all(abs(duration - ms) <= 10 for ((_, duration),) in heard)


def test_rows_know_nothing_of_each_other_and_forget() -> None:
    detector, frame = dtmf.Detector(4), np.rint(pressed("7", 20)).astype(np.int16)[None]
    for _ in range(3):
        assert not len(detector.listen(np.array([2]), frame).rows)
    detector.forget(np.array([2]))
    for _ in range(3):
        assert not len(detector.listen(np.array([1, 2]), np.zeros((2, 160), np.int16)).rows)


def test_what_is_not_looked_at_for_it_is_quiet_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digits of any length and loudness, behind pauses of any length with the noise of a line in them."""
    rng = np.random.default_rng(7)

    def line() -> Sound:
        sound = [silence(0)]
        for digit in rng.choice(list(KEYPAD), 12):
            low, seed = float(rng.uniform(-40, -3)), int(rng.integers(1 << 30))
            pause, ms = float(rng.exponential(30)), float(rng.uniform(20, 90))
            sound += [silence(pause), pressed(digit, ms, low=low, seed=seed)]
        return np.concatenate(sound)

    sounds = [(s := line()) + rng.uniform(-1, 1, len(s)) * 10 ** rng.uniform(0, 2.5) for _ in range(200)]
    heard = found(sounds)
    monkeypatch.setattr(dtmf, "_QUIET", 0)
    assert heard == found(sounds)
    assert sum(map(len, heard)) > 500


def test_who_says_nothing_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for what of the frame before reaches into the next."""
    looked: list[int] = []
    look = dtmf.Detector._look

    def counted(self: dtmf.Detector, rows: dtmf.Rows, window: NDArray[np.float32]) -> dtmf.Found:
        looked.append(len(rows))
        return look(self, rows, window)

    monkeypatch.setattr(dtmf.Detector, "_look", counted)
    detector, rows = dtmf.Detector(3), np.arange(3)
    quiet = np.full((3, 160), 8, np.int16)  # as A-law has it
    speaks = quiet.copy()
    speaks[1] = np.rint(pressed("7", 20))
    for pcm in (quiet, speaks, quiet, quiet, quiet):
        detector.listen(rows, pcm)
    assert looked == [1, 1, 1, 1]


def spoken() -> list[Sound]:
    """Every voice there is in this house, also slower and faster, and so lower and higher."""
    made: list[Sound] = []
    for path in sorted([*VOICES.glob("bench/voices/*.opus"), *VOICES.glob("switch/voices/*.opus")]):
        resampler = av.AudioResampler("s16", "mono", 8000)
        with av.open(str(path)) as file:
            parts = [out.to_ndarray()[0] for frame in file.decode(audio=0) for out in resampler.resample(frame)]
        voice = np.concatenate(parts).astype(float)
        for speed in (0.9, 1.1):
            made.append(np.interp(np.arange(0, len(voice) - 1, speed), np.arange(len(voice)), voice))
    return made


def test_no_voice_music_or_call_progress_tone_is_a_digit() -> None:
    progress = [make(country) for make in (ringback, busy) for country in COUNTRIES]
    tones = [np.tile(each, max(3, 24000 // len(each))).astype(float) for each in progress]
    heard = found([*spoken(), sounds.hold_music().astype(float), *tones])
    assert len(heard) > 40
    assert not any(heard)


def test_what_it_costs(capsys: pytest.CaptureFixture[str]) -> None:
    detector, rows = dtmf.Detector(600), np.arange(600)
    pcm = np.random.default_rng(1).integers(-3000, 3000, (600, 160)).astype(np.int16)
    took = []
    for _ in range(20):
        began = time.perf_counter()
        detector.listen(rows, pcm)
        took.append(time.perf_counter() - began)
    with capsys.disabled():
        print(f"\nin-band digits: {min(took) / 600 * 1e6:.2f} us a leg and tick at 600 legs")
    assert min(took) < 0.010  # half a tick
