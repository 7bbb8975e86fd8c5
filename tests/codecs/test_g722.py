"""G.722 row by row: the sound comes back, of both bands; frames join; a row begun anew knows nothing of before.

ITU-T G.722's own sequences go in and come out behind the filters that split the bands, which PyAV does not open. So the
whole codec is held to the reference of ITU-T G.191, by digests of what that makes of sound that is made here; others
are heard to understand us, baresip (spandsp) and Chromium, in tests/interop.
"""

from hashlib import sha256

import numpy as np
import pytest
from cordboard.codecs.g711 import Octets, Pcm
from cordboard.codecs.g722 import FRAME, OCTETS, Decoders, Encoders

ROWS = np.array([3, 8])


def reference_sound() -> Pcm:
    """Noise as loud as there is, a triangle, silence, and soft noise with and without one: int16 [17600] at 16 kHz, by
    whole numbers alone."""
    state, drawn = 722, []
    for _ in range(6400):
        state = (1103515245 * state + 12345) % 2**31
        drawn.append((state >> 15) - 32768)
    noise = np.array(drawn)
    wave = np.abs(np.arange(3200) * 500 % 32000 - 16000) - 8000
    soft = noise[:3200] // 64, wave // 16 + noise[3200:] // 256
    return np.concatenate([noise, wave, np.zeros(1600, np.int_), *soft]).astype(np.int16)


# SHA-256 of what the G.722 of ITU-T G.191 (STL2023, mode 1) makes of it: octets, what they are decoded to as int16 in
# little endian, and what the high halves of the noise are decoded to as octets.
ENCODED = "4508c2e2ef6f7cfb12c4929d43ba3060c82e260940bfc82bf8057b1076a85a2f"
DECODED = "f184bc1dd84b0c345d91b0c73acba34b021ca266f3476a69f35a1aa3cb9ec24d"
ANY_DECODED = "7937db6f0bf86b63a0081130ec621ca1b13703ca6d78c8e94bc77666272746c3"


def decoded(octets: Octets) -> str:
    decoders = Decoders()
    pcm = np.concatenate([decoders.decode(ROWS[:1], one) for one in octets.reshape(-1, 1, OCTETS)])
    return sha256(pcm.astype("<i2").tobytes()).hexdigest()


def test_it_is_the_reference_of_the_itu_octet_for_octet_and_sample_for_sample() -> None:
    sound, encoders = reference_sound(), Encoders()
    octets = np.concatenate([encoders.encode(ROWS[:1], frame) for frame in sound.reshape(-1, 1, FRAME)])
    assert sha256(octets.tobytes()).hexdigest() == ENCODED
    assert decoded(octets) == DECODED
    assert decoded((sound[:6400].astype(np.int_) + 32768 >> 8).astype(np.uint8)) == ANY_DECODED


def sines(*hertz: float, seconds: float = 1.0) -> Pcm:
    """int16 [rows, samples] at 16 kHz"""
    t = np.arange(round(16000 * seconds)) / 16000
    pcm: Pcm = np.rint(8000 * np.sin(2 * np.pi * np.outer(hertz, t))).astype(np.int16)
    return pcm


def through(pcm: Pcm, encoders: Encoders, decoders: Decoders) -> Pcm:
    back = []
    for at in range(0, pcm.shape[1], FRAME):
        octets = encoders.encode(ROWS, np.ascontiguousarray(pcm[:, at : at + FRAME]))
        assert octets.shape == (2, OCTETS)
        back.append(decoders.decode(ROWS, octets))
    return np.concatenate(back, axis=1)


@pytest.mark.parametrize("hertz", [300.0, 1000.0, 3400.0, 5000.0, 6800.0])
def test_a_tone_of_either_band_comes_back_a_frame_for_a_frame(hertz: float) -> None:
    back = through(sines(hertz, 440.0), Encoders(), Decoders())
    assert back.shape == (2, 16000)
    for row, wanted in zip(back[:, 1600:].astype(float), (hertz, 440.0), strict=True):
        spectrum = np.abs(np.fft.rfft(row * np.hanning(len(row))))
        assert spectrum.argmax() * 16000 / len(row) == pytest.approx(wanted, abs=2)
        assert np.sqrt(np.mean(row**2)) == pytest.approx(8000 / np.sqrt(2), rel=0.06)


def test_silence_stays_below_what_g711_can_say() -> None:
    assert np.abs(through(np.zeros((2, 16000), np.int16), Encoders(), Decoders())[:, 3200:]).max() < 8


def test_a_row_that_is_begun_anew_has_nothing_of_before() -> None:
    encoders, decoders = Encoders(), Decoders()
    through(sines(1000.0, 1000.0), encoders, decoders)
    quiet = Encoders().encode(ROWS, np.zeros((2, FRAME), np.int16))
    decoders.forget(ROWS[:1])
    heard = np.abs(decoders.decode(ROWS, quiet)).max(axis=1)
    assert heard[0] < 16 < heard[1]
    encoders.forget(int(ROWS[0]))
    again = encoders.encode(ROWS, np.zeros((2, FRAME), np.int16))
    assert np.array_equal(again[0], quiet[0])
    assert not np.array_equal(again[1], quiet[1])


def test_both_sides_agree_again_soon_after_a_loss() -> None:
    encoders, decoders = Encoders(), Decoders()
    pcm = sines(700.0, 5200.0)
    frames = [np.ascontiguousarray(pcm[:, at : at + FRAME]) for at in range(0, pcm.shape[1], FRAME)]
    whole = through(pcm, Encoders(), Decoders())
    back = [decoders.decode(ROWS, encoders.encode(ROWS, frame)) for frame in frames[:20]]
    for frame in frames[20:25]:
        encoders.encode(ROWS, frame)
    back += [decoders.decode(ROWS, encoders.encode(ROWS, frame)) for frame in frames[25:]]
    heard = np.concatenate(back, axis=1)[:, 22 * FRAME :].astype(int)
    assert np.abs(heard - whole[:, 27 * FRAME :]).max() < 400


@pytest.mark.parametrize("seed", range(3))
def test_any_octets_are_sound(seed: int) -> None:
    octets = np.random.default_rng(seed).integers(0, 256, (2, OCTETS)).astype(np.uint8)
    assert Decoders().decode(ROWS, octets).shape == (2, FRAME)
