"""Tones, music, concealment and resampling: what must hold for an ear is measured."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from cordboard.codecs import callprogress, tones
from cordboard.codecs.bands import ABOVE, RATES
from cordboard.codecs.g711 import Pcm
from cordboard.codecs.resample import Downsampler, Upsampler, to_band


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


def test_48_to_8_khz_keeps_speech_and_drops_the_rest() -> None:
    rows = np.array([0, 1])
    down = Downsampler(2, 6)
    t = np.arange(960 * 50) / 48000
    low, high = 8000 * np.sin(2 * np.pi * 1000 * t), 8000 * np.sin(2 * np.pi * 5000 * t)
    pcm = np.stack([low, high]).astype(np.int16).reshape(2, 50, 960)
    out = np.concatenate([down.down(rows, pcm[:, i]) for i in range(50)], axis=1)
    assert abs(frequency_of(out[0]) - 1000) < 3
    assert abs(np.abs(out[0, 200:]).max() - 8000) < 250
    assert np.abs(out[1, 200:]).max() < 30


def test_48_to_8_khz_frames_join() -> None:
    rng = np.random.default_rng(1)
    pcm = rng.integers(-8000, 8000, 960 * 4).astype(np.int16)
    down, at_once = Downsampler(1, 6), Downsampler(1, 6)
    row = np.array([0])
    parts = np.concatenate([down.down(row, pcm[None, i * 960 : (i + 1) * 960])[0] for i in range(4)])
    # The same filter, written as the definition: every sixth of the full convolution.
    from cordboard.codecs.resample import _filter

    full = np.convolve(np.concatenate([np.zeros(95), pcm]), _filter(6), "valid")[5::6]
    assert np.abs(parts - full).max() <= 1
    assert at_once.down(row, pcm[None, :960]).shape == (1, 160)


@pytest.mark.parametrize("rows", [1, 3, 90])
def test_up_to_16_khz_and_down_again_is_what_it_was(rows: int) -> None:
    up, down = Upsampler(rows, 2), Downsampler(rows, 2)
    index = np.arange(rows)
    t = np.arange(160 * 50) / 8000
    hertz = np.linspace(300, 3000, rows)
    pcm = np.rint(8000 * np.sin(2 * np.pi * hertz[:, None] * t)).astype(np.int16)
    frames = [np.ascontiguousarray(pcm[:, at : at + 160]) for at in range(0, pcm.shape[1], 160)]
    wide = [np.rint(up.up(index, frame)).astype(np.int16) for frame in frames]
    back = np.concatenate([down.down(index, frame) for frame in wide], axis=1)
    delay = 31 / 8  # ms, of both filters
    expected = 8000 * np.sin(2 * np.pi * hertz[:, None] * (t - delay / 1000))
    assert np.abs(back[:, 200:] - expected[:, 200:]).max() < 25
    spectrum = np.abs(np.fft.rfft(np.concatenate(wide, axis=1)[:, 3200:] * np.hanning(12800)))
    assert spectrum[:, 3700:].max() < spectrum.max() * 10 ** (-60 / 20)  # no image above 4.6 kHz


@pytest.mark.parametrize(("rate", "bands", "late"), [(16000, ABOVE[:1], 62), (48000, ABOVE, 184)])
@pytest.mark.parametrize("hertz", [300, 1000, 3700, 4000, 5000, 6300, 7000, 7700, 8000, 8300, 12000, 20000])
def test_all_bands_add_up_to_the_whole(rate: int, bands: tuple[int, ...], late: int, hertz: int) -> None:
    """It is what came in, 4 ms later: nothing is lost between the bands, nothing is there twice, and a tone that one
    can carry by itself is in that alone."""
    row, t = np.array([0]), np.arange(rate // 2) / rate
    sent = np.rint(8000 * np.sin(2 * np.pi * hertz * t)).astype(np.int16)
    down, above = Downsampler(1, rate // 8000), {band: to_band(1, rate, band) for band in bands}
    up, from_below = ({band: Upsampler(1, RATES[band] // RATES[band - 1]) for band in bands} for _ in range(2))
    heard = []
    parts: dict[int, list[float]] = {band: [] for band in (0, *bands)}
    for frame in sent.reshape(25, 1, -1):
        sound = below = down.down(row, frame)
        parts[0].append(float(np.abs(sound).max()))
        for band in bands:
            whole = above[band].down(row, frame)
            upper, below = whole - from_below[band].up(row, below), whole
            parts[band].append(float(np.abs(upper).max()))
            sound = np.rint(up[band].up(row, sound) + upper).astype(np.int16)
        heard.append(sound[0])
    error = np.concatenate(heard)[late:].astype(int) - sent[:-late]
    assert np.abs(error).max() <= 1
    loud = {band: max(levels[2:-1]) for band, levels in parts.items()}
    inside = [band for band, (low, high) in enumerate(((0, 3400), (4700, 6000), (9000, 24000))) if low <= hertz <= high]
    for band in inside:
        if band in loud:
            assert loud.pop(band) == pytest.approx(8000, rel=0.02)
            assert max(loud.values()) < 40
