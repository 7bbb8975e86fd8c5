"""Opus frames: one packet for each, the sound comes back, losses fade, junk is refused, threads change nothing."""

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import av
import numpy as np
import pytest
from cordboard.codecs import opus
from cordboard.codecs.opus import OpusDecoder, OpusEncoder, OpusError, Pcm


def tone(rate: int, frames: int, frequency: float = 440.0) -> Pcm:
    """int16 [frames, rate / 50]"""
    t = np.arange(frames * rate // 50) / rate
    pcm: Pcm = np.rint(8000 * np.sin(2 * np.pi * frequency * t)).astype(np.int16).reshape(frames, -1)
    return pcm


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_one_packet_for_each_frame_and_the_tone_comes_back(rate: int) -> None:
    encoder, decoder = OpusEncoder(rate), OpusDecoder()
    packets = [encoder.encode(frame) for frame in tone(rate, 50)]
    assert all(3 <= len(packet) <= 200 for packet in packets)
    pcm = np.concatenate([decoder.decode(packet) for packet in packets])
    assert len(pcm) == 50 * opus.FRAME
    steady = pcm[10 * opus.FRAME :].astype(float)
    spectrum = np.abs(np.fft.rfft(steady * np.hanning(len(steady))))
    assert spectrum.argmax() * 48000 / len(steady) == pytest.approx(440, abs=2)
    assert np.sqrt(np.mean(steady**2)) == pytest.approx(8000 / np.sqrt(2), rel=0.2)


def test_the_delay_of_both_ends_is_libopus_look_ahead() -> None:
    encoder, decoder = OpusEncoder(48000), OpusDecoder()
    rng = np.random.default_rng(5)
    noise = np.convolve(rng.standard_normal(48000), np.ones(20) / 20, "same") * 8000
    sent = noise.astype(np.int16).reshape(50, 960)
    back = np.concatenate([decoder.decode(encoder.encode(frame)) for frame in sent]).astype(float)
    lags = np.correlate(back[4800:14400], sent.reshape(-1)[3840:13440].astype(float), "full")
    assert (lags.argmax() - 9599 + 960) / 48 == pytest.approx(6.5, abs=0.5)  # ms


def test_a_lost_packet_fades_and_more_are_silence() -> None:
    encoder, decoder = OpusEncoder(48000), OpusDecoder()
    for frame in tone(48000, 10):
        last = decoder.decode(encoder.encode(frame))
    first, second, third = (decoder.decode(None) for _ in range(3))

    def level(pcm: Pcm) -> float:
        return float(np.sqrt(np.mean(pcm.astype(float) ** 2)))

    assert 0.6 < level(first) / level(last) < 0.85
    assert 0.2 < level(second) / level(last) < 0.4
    assert level(third) == 0
    assert level(decoder.decode(encoder.encode(tone(48000, 1)[0]))) > 0


def test_before_the_first_packet_is_silence() -> None:
    assert not OpusDecoder().decode(None).any()


@pytest.mark.parametrize("payload", [b"\x78", b"\xf8\xff", b"\x0b\x00"])
def test_a_toc_byte_with_nothing_behind_it_is_silence(payload: bytes) -> None:
    encoder, decoder = OpusEncoder(48000), OpusDecoder()
    for frame in tone(48000, 5):
        decoder.decode(encoder.encode(frame))
    assert not decoder.decode(payload).any()
    assert not decoder.decode(None).any()


def test_stereo_is_mixed_down() -> None:
    context = av.CodecContext.create("libopus", "w")
    context.sample_rate, context.layout, context.format = 48000, "stereo", "s16"
    context.time_base = Fraction(1, 48000)
    context.options = {"frame_duration": "20"}
    context.open()
    frame = av.AudioFrame(format="s16", layout="stereo", samples=960)
    frame.sample_rate = 48000
    decoder = OpusDecoder()
    for index, left in enumerate(tone(48000, 10)):
        frame.planes[0].update(np.stack([left, np.zeros_like(left)], axis=1).tobytes())
        frame.pts = index * 960
        [packet] = context.encode(frame)
        pcm = decoder.decode(bytes(packet))
        assert pcm.shape == (960,)
    assert np.abs(pcm).max() == pytest.approx(4000, rel=0.1)


@pytest.mark.parametrize("payload", [b"\xff" * 10, b"\xfc" + b"\xff" * 3000, bytes(8000)])
def test_junk_is_refused_and_the_next_packet_plays(payload: bytes) -> None:
    encoder, decoder = OpusEncoder(48000), OpusDecoder()
    with pytest.raises(OpusError):
        decoder.decode(payload)
    assert decoder.decode(encoder.encode(tone(48000, 1)[0])).any()


def test_random_bytes_raise_nothing_else() -> None:
    decoder = OpusDecoder()
    rng = np.random.default_rng(3)
    for length in list(range(40)) * 5 + [200, 600, 1275]:
        try:
            assert decoder.decode(rng.bytes(length)).shape == (960,)
        except OpusError:
            continue


def test_many_on_two_threads_are_what_they_are_one_by_one() -> None:
    frames = np.stack([tone(8000, 6, 200.0 + 50 * row) for row in range(7)])  # [rows, frames, 160]
    with ThreadPoolExecutor(1) as executor:
        outcome = []
        for threads in (None, executor):
            encoders = [OpusEncoder(8000) for _ in range(7)]
            decoders = [OpusDecoder() for _ in range(7)]
            for index in range(6):
                packets: list[bytes | None] = [*opus.encode_many(encoders, frames[:, index], threads)]
                packets[2] = None
                packets[3] = b"\xff" * 10
                pcm, refused = opus.decode_many(decoders, packets, threads)
                outcome.append((packets, pcm.tolist(), refused))
        assert outcome[:6] == outcome[6:]
        assert {refused for _, _, refused in outcome} == {1}
        assert opus.encode_many([], np.zeros((0, 160), np.int16), executor) == []
