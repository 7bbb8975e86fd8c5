"""Tones, music, concealment and resampling: what must hold for an ear is measured."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from cordboard.codecs import callprogress, tones
from cordboard.codecs.bands import ABOVE, RATES, Band
from cordboard.codecs.g711 import Pcm
from cordboard.codecs.resample import _DOWN, Sound, Upsampler, _taps
from numpy.typing import NDArray


def frequency_of(pcm: Pcm, rate: int = 8000) -> float:
    spectrum = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm)), 4 * len(pcm)))
    return float(np.argmax(spectrum)) * rate / (4 * len(pcm))


def test_a_tone_goes_on_in_phase() -> None:
    frames = [tones.sines(np.array([441.7]), np.array([i * 160]))[0] for i in range(50)]
    pcm = np.concatenate(frames)
    t = np.arange(len(pcm)) / 8000
    assert np.abs(pcm - tones.TONE_AMPLITUDE * np.sin(2 * np.pi * 441.7 * t)).max() <= 1.0


@pytest.mark.parametrize(
    ("country", "make", "hertz", "length", "on"),
    [
        ("CN", callprogress.ringback, [450], 5.0, 1.0),
        ("CN", callprogress.busy, [450], 0.7, 0.35),
        ("DE", callprogress.ringback, [425], 5.0, 1.0),
        ("US", callprogress.ringback, [440, 480], 6.0, 2.0),
        ("us", callprogress.busy, [480, 620], 1.0, 0.5),
        ("GB", callprogress.ringback, [400, 450], 3.0, 0.4),
        ("GB", callprogress.busy, [400], 1.5, 0.375),  # 37.5 frames: two cycles
        ("JP", callprogress.ringback, [384, 416], 3.0, 1.0),
        ("QQ", callprogress.ringback, [425], 5.0, 1.0),
        ("QQ", callprogress.busy, [425], 1.0, 0.5),
    ],
)
def test_tones_are_those_of_the_country(
    country: str, make: Callable[[str], Pcm], hertz: list[int], length: float, on: float
) -> None:
    pcm = make(country)
    assert len(pcm) == length * 8000
    assert not pcm[int(on * 8000) : int((on + 0.15) * 8000)].any()
    sounds = pcm[: int(on * 8000)]
    found = np.abs(np.fft.rfft(sounds * np.hanning(len(sounds)), 8000))
    peaks = [at for at in range(1, 4000) if found[at] > found.max() / 2 and found[at] == found[at - 6 : at + 7].max()]
    assert peaks == pytest.approx(hertz, abs=3)


@pytest.mark.parametrize("country", callprogress.COUNTRIES)
def test_every_tone_is_as_loud_as_the_recommendation_says_and_does_not_click(country: str) -> None:
    for pcm in (callprogress.ringback(country), callprogress.busy(country)):
        assert len(pcm) % tones.FRAME == 0
        assert np.abs(pcm).max() <= tones.TONE_AMPLITUDE + 1
        assert np.abs(pcm).max() > 0.9 * tones.TONE_AMPLITUDE
        # The steepest sine of its frequencies is as steep as any edge.
        assert np.abs(np.diff(np.tile(pcm, 2).astype(int))).max() <= 2 * np.pi * 620 / 8000 * tones.TONE_AMPLITUDE
        assert pcm[0] == pcm[-1] == 0


def test_hold_music_is_gentle_and_seamless() -> None:
    pcm = tones.hold_music()
    assert 20 * 8000 <= len(pcm) <= 30 * 8000
    assert len(pcm) % tones.FRAME == 0
    level = 20 * np.log10(np.sqrt(np.mean(pcm.astype(float) ** 2)) / 32768)
    assert -24 < level < -18
    assert np.abs(pcm).max() < 24000
    # A seam or an attack that clicks is a step which the sound itself does not have.
    steps = np.abs(np.diff(np.concatenate([pcm, pcm[:160]]).astype(int)))
    assert steps[-161:].max() <= steps.max()
    bend = np.abs(np.diff(np.concatenate([pcm[-800:], pcm[:800]]).astype(float), 3))
    assert bend[790:810].max() < 4 * np.percentile(bend, 95) + 8


def test_hold_music_is_the_same_every_time() -> None:
    assert np.array_equal(tones.hold_music(), tones.hold_music())


def down(sound: Sound, rows: NDArray[np.intp], pcm: Pcm) -> Pcm:
    """The next 20 ms of each, at 8 kHz."""
    sound.put(rows, pcm)
    return sound.of(rows, Band.NARROW)


def test_48_to_8_khz_keeps_speech_and_drops_the_rest() -> None:
    rows = np.array([0, 1])
    sound = Sound(2, 48000)
    t = np.arange(960 * 50) / 48000
    low, high = 8000 * np.sin(2 * np.pi * 1000 * t), 8000 * np.sin(2 * np.pi * 5000 * t)
    pcm = np.stack([low, high]).astype(np.int16).reshape(2, 50, 960)
    out = np.concatenate([down(sound, rows, pcm[:, i]) for i in range(50)], axis=1)
    assert abs(frequency_of(out[0]) - 1000) < 3
    assert abs(np.abs(out[0, 200:]).max() - 8000) < 250
    assert np.abs(out[1, 200:]).max() < 30


@pytest.mark.parametrize(("rate", "rows"), [(48000, 1), (48000, 13), (16000, 1), (16000, 90)])
def test_frames_join(rate: int, rows: int) -> None:
    """The filter, written as the definition: every so manyth of the full convolution. So for each of many rows."""
    rng, factor, index = np.random.default_rng(1), rate // 8000, np.arange(rows)
    pcm = rng.integers(-8000, 8000, (rows, 4, rate // 50)).astype(np.int16)
    sound = Sound(rows, rate)
    parts = np.concatenate([down(sound, index, pcm[:, i]) for i in range(4)], axis=1)
    taps = _taps(factor, _DOWN[factor])
    for row in range(rows):
        whole = np.concatenate([np.zeros(len(taps) - 1), pcm[row].reshape(-1)])
        full = np.convolve(whole, taps, "valid")[factor - 1 :: factor]
        assert np.abs(parts[row] - full).max() <= 1


def test_what_a_row_said_before_it_was_forgotten_is_silence() -> None:
    sound, rows = Sound(3, 48000), np.array([0, 2])
    loud = np.full((2, 960), 9000, np.int16)
    assert sound.put(rows, loud).all()
    assert not sound.put(rows, loud).any()
    sound.forget(rows[:1])
    assert sound.put(rows, 0 * loud).tolist() == [True, False]
    for band in (Band.NARROW, *ABOVE):
        forgotten, other = sound.of(rows, band)
        assert not forgotten.any()
        assert np.abs(other).max() > 8000


@pytest.mark.parametrize("factor", [2, 6])
@pytest.mark.parametrize("rows", [1, 3, 90])
def test_up_and_down_again_is_what_it_was(rows: int, factor: int) -> None:
    rate = 8000 * factor
    up, sound = Upsampler(rows, factor), Sound(rows, rate)
    index = np.arange(rows)
    t = np.arange(160 * 50) / 8000
    hertz = np.linspace(300, 2500, rows)
    pcm = np.rint(8000 * np.sin(2 * np.pi * hertz[:, None] * t)).astype(np.int16)
    frames = [np.ascontiguousarray(pcm[:, at : at + 160]) for at in range(0, pcm.shape[1], 160)]
    wide = [np.rint(up.up(index, frame)).astype(np.int16) for frame in frames]
    back = np.concatenate([down(sound, index, frame) for frame in wide], axis=1)
    delay = {2: 31 / 8, 6: 138 / 48}[factor]  # ms, of both filters
    expected = 8000 * np.sin(2 * np.pi * hertz[:, None] * (t - delay / 1000))
    assert np.abs(back[:, 200:] - expected[:, 200:]).max() < 25
    steady = np.concatenate(wide, axis=1)[:, rate // 5 :]
    spectrum = np.abs(np.fft.rfft(steady * np.hanning(steady.shape[1])))
    image = 4600 * steady.shape[1] // rate
    assert spectrum[:, image:].max() < spectrum.max() * 10 ** (-60 / 20)  # none above 4.6 kHz


# Samples at the band's rate by which what was decoded at a rate is late there.
LATE = {(16000, Band.WIDE): 62, (16000, Band.FULL): 187, (48000, Band.WIDE): 137 / 3, (48000, Band.FULL): 138}
HERTZ = (300, 1000, 3700, 4000, 5000, 6300, 7000, 7700, 8000, 8300, 12000, 20000)


@pytest.mark.parametrize(
    ("rate", "band", "hertz"),
    [(rate, band, hertz) for rate, band in LATE for hertz in HERTZ if 2 * hertz < min(rate, RATES[band])],
)
def test_a_band_and_what_comes_up_to_it_add_up_to_the_whole(rate: int, band: int, hertz: int) -> None:
    """It is what came in, 3 or 4 ms later: nothing is lost between the bands, nothing is there twice, and a tone that
    one can carry by itself is in that alone."""
    row, t = np.array([0]), np.arange(rate // 2) / rate
    sent = np.rint(8000 * np.sin(2 * np.pi * hertz * t)).astype(np.int16)
    sound, factor = Sound(1, rate), RATES[band] // 8000
    up, from_below = Upsampler(1, factor), Upsampler(1, factor)
    wholes, heard, lows, uppers = [], [], [], []
    for frame in sent.reshape(25, 1, -1):
        low = down(sound, row, frame)
        whole = sound.of(row, band)
        upper = whole - from_below.up(row, low)
        lows.append(low[0])
        uppers.append(upper[0])
        wholes.append(whole[0])
        heard.append(np.rint(up.up(row, low) + upper)[0])
    assert np.abs(np.concatenate(heard) - np.concatenate(wholes)).max() <= 1
    at = (np.arange(RATES[band] // 2) - LATE[rate, band]) / RATES[band]
    steady = slice(RATES[band] // 10, None)
    if hertz < 6200 or rate == RATES[band]:  # between 48 and 16 kHz a filter has its edge at 7.2
        expected = 8000 * np.sin(2 * np.pi * hertz * at)
        assert np.abs(np.concatenate(wholes) - expected)[steady].max() < 8
    low_peak, upper_peak, peak = (np.abs(np.concatenate(each[2:])).max() for each in (lows, uppers, wholes))
    if hertz < 2600:
        assert low_peak == pytest.approx(8000, rel=0.02)
        assert upper_peak < 40
    elif hertz > 4600:
        assert low_peak < 40
        assert upper_peak == pytest.approx(peak, abs=40)
