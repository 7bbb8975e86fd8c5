"""Opus frames: one packet for each, the sound comes back, junk is refused, one leg ends alone."""

from collections import deque
from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np
import pytest
from cordboard.bench import pyav
from cordboard.codecs import libopus, opus
from cordboard.codecs.bands import ABOVE, Band, bit
from cordboard.codecs.opus import OpusDecoder, OpusEncoder, OpusError, OpusRows, Pcm, Rows, Tuning
from cordboard.codecs.opuspacket import Frame, whole
from cordboard.codecs.work import Work


def tone(rate: int, frames: int, frequency: float = 440.0) -> Pcm:
    """int16 [frames, rate / 50]"""
    t = np.arange(frames * rate // 50) / rate
    pcm: Pcm = np.rint(8000 * np.sin(2 * np.pi * frequency * t)).astype(np.int16).reshape(frames, -1)
    return pcm


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_one_packet_for_each_frame_and_the_tone_comes_back(rate: int) -> None:
    encoder, decoder = OpusEncoder(rate), OpusDecoder()
    packets = [packet for frame in tone(rate, 50) for packet in encoder.encode(frame)]
    assert all(3 <= len(packet) <= 320 for packet in packets)
    pcm = np.concatenate([decoder.decode(packet) for packet in packets])
    assert len(pcm) == 50 * opus.FRAME
    steady = pcm[10 * opus.FRAME :].astype(float)
    spectrum = np.abs(np.fft.rfft(steady * np.hanning(len(steady))))
    assert spectrum.argmax() * 48000 / len(steady) == pytest.approx(440, abs=2)
    assert np.sqrt(np.mean(steady**2)) == pytest.approx(8000 / np.sqrt(2), rel=0.2)


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("frame_ms", [10, 20])
@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_what_is_coded_is_to_the_octet_what_pyav_makes_of_it(rate: int, frame_ms: int, constant: bool) -> None:
    ours = OpusEncoder(rate, tuning=Tuning(constant=constant, frame_ms=frame_ms))
    theirs = pyav.Encoder(rate, constant=constant, frame_ms=frame_ms)
    hears, theirs_hears = OpusDecoder(), pyav.Decoder()
    chance = np.random.default_rng(rate + frame_ms)
    for frame in tone(rate, 25):
        loud = np.clip(frame * chance.uniform(0, 4) + chance.normal(0, 900, len(frame)), -32768, 32767)
        packets = ours.encode(loud.astype(np.int16))
        assert packets == theirs.encode(loud.astype(np.int16))
        assert len(packets) == 20 // frame_ms
        for packet in packets:
            assert np.array_equal(hears.decode(packet), theirs_hears.decode(packet))


def test_what_libopus_refuses_is_an_error_of_ours() -> None:
    with pytest.raises(libopus.LibopusError, match="encoder"):
        libopus.Encoder(44100, libopus.VOIP, 16000, 5, constant=False, constrained=False)
    with pytest.raises(libopus.LibopusError, match="decoder"):
        libopus.Decoder(11025)
    pcm, packet = libopus.Memory(np.zeros((1, 960), np.int16)), libopus.Memory(np.zeros((1, opus.ROOM), np.uint8))
    made = libopus.Encoder(48000, libopus.AUDIO, 64000, 5, constant=False, constrained=True)
    with pytest.raises(libopus.LibopusError, match="encode"):
        made.encode(pcm.rows[0], 959, packet.rows[0], opus.ROOM)
    octets = made.encode(pcm.rows[0], 960, packet.rows[0], opus.ROOM)
    with pytest.raises(libopus.LibopusError, match="decode"):
        libopus.Decoder(48000).decode(packet.matrix[0, :octets].tobytes(), pcm.rows[0], 959)


def test_the_delay_of_both_ends_is_libopus_look_ahead() -> None:
    encoder, decoder = OpusEncoder(48000), OpusDecoder()
    rng = np.random.default_rng(5)
    noise = np.convolve(rng.standard_normal(48000), np.ones(20) / 20, "same") * 8000
    sent = noise.astype(np.int16).reshape(50, 960)
    back = np.concatenate([decoder.decode(encoder.encode(frame)[0]) for frame in sent]).astype(float)
    lags = np.correlate(back[4800:14400], sent.reshape(-1)[3840:13440].astype(float), "full")
    assert (lags.argmax() - 9599 + 960) / 48 == pytest.approx(6.5, abs=0.5)  # ms


@pytest.mark.parametrize(("packet", "ms"), [(b"\x78", 20), (b"\xf8\xff", 20), (b"\x18", 60), (b"\x0b\x03", 60)])
def test_a_toc_byte_with_nothing_behind_it_is_silence_of_its_length(packet: bytes, ms: int) -> None:
    encoder, decoder = OpusEncoder(48000), OpusDecoder()
    for frame in tone(48000, 5):
        decoder.decode(encoder.encode(frame)[0])
    silence = decoder.decode(packet)
    assert len(silence) == 48 * ms
    assert not silence.any()
    decoder.pcm[:] = 1
    decoder.play(whole(packet))
    assert not decoder.pcm.any()


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


@pytest.mark.parametrize("payload", [b"", b"\x0b\x00", b"\xff" * 10, b"\xfc" + b"\xff" * 3000, bytes(8000)])
def test_junk_is_refused_and_the_next_packet_plays(payload: bytes) -> None:
    encoder, decoder = OpusEncoder(48000), OpusDecoder()
    with pytest.raises(OpusError):
        decoder.play(whole(payload))
    assert decoder.decode(encoder.encode(tone(48000, 1)[0])[0]).any()


def test_random_bytes_raise_nothing_else() -> None:
    decoder = OpusDecoder()
    rng = np.random.default_rng(3)
    for length in list(range(40)) * 5 + [200, 600, 1275]:
        try:
            assert len(decoder.decode(rng.bytes(length))) % 120 == 0
        except OpusError:
            continue


ROWS = np.arange(40) * 3  # more than one leg


def heard(pcm: Pcm) -> tuple[Pcm, Rows]:
    """`pcm` int16 [n, samples] as an encoder has it, and how many samples they are."""
    frames = np.full((len(pcm), opus.FRAME), 7777, np.int16)
    frames[:, : pcm.shape[1]] = pcm
    return frames, np.full(len(pcm), pcm.shape[1])


def coded(codec: OpusRows, pcm: Pcm) -> tuple[list[bytes], Pcm, list[bool]]:
    """One frame of each of ROWS there and back, but for one that is no Opus; `pcm` int16 [rows, 160]."""
    payloads = [b""] * len(ROWS)
    for made in codec.encode(ROWS, *heard(pcm)).results():
        for i, (payload,) in zip(made.index.tolist(), made.packets(), strict=True):
            payloads[i] = payload
    back, good = np.zeros((len(ROWS), 160), np.int16), np.zeros(len(ROWS), np.bool_)
    narrow = np.zeros(len(ROWS), np.uint8)
    frames = [whole(payload) for payload in (*payloads[:3], b"\xff" * 10, *payloads[4:])]
    for done in codec.decode(ROWS, frames, narrow).results():
        back[done.index], good[done.index] = done.pcm, done.good
        assert not done.upper
    return payloads, back, good.tolist()


def opened() -> OpusRows:
    codec = OpusRows(capacity=128)
    for row in ROWS.tolist():
        codec.open(row)
    return codec


def test_what_is_decoded_comes_down_to_8_khz_without_a_seam() -> None:
    codec = opened()
    heard = np.concatenate([coded(codec, np.repeat(frame[None], len(ROWS), axis=0))[1] for frame in tone(8000, 50)], 1)
    steady = heard[0, 1600:].astype(float)
    spectrum = np.abs(np.fft.rfft(steady * np.hanning(len(steady))))
    assert spectrum.argmax() * 8000 / len(steady) == pytest.approx(440, abs=2)
    assert np.abs(np.diff(steady, 2)).max() < 1.5 * 8000 * (2 * np.pi * 440 / 8000) ** 2


def test_a_codec_that_breaks_is_its_leg_s_end_and_no_other_s(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = opened()
    coded(codec, tone(8000, 40))
    play = OpusDecoder.play
    bad = codec._legs[ROWS[5]].decoder

    def crashing(self: OpusDecoder, frame: Frame) -> None:
        if self is bad:
            raise RuntimeError("a bug")
        play(self, frame)

    monkeypatch.setattr(OpusDecoder, "play", crashing)
    assert codec.failed() == []
    _, _, good = coded(codec, tone(8000, 40))
    assert [i for i, well in enumerate(good) if not well] == [3, 5]
    assert codec.failed() == [15]
    assert codec.failed() == []
    coded(codec, tone(8000, 40))
    codec.close(15)
    codec.open(15)
    assert codec.failed() == []  # another leg is in that row


def test_a_leg_turns_to_another_rate_and_goes_on() -> None:
    codec, decoder = opened(), OpusDecoder()
    for rate in (8000, 16000, 48000, 8000):
        for frame in tone(rate, 10):
            (made,) = codec.encode(ROWS[:1], *heard(frame[None])).results()
            sound = decoder.decode(made.packets()[0][0])
        assert np.abs(sound).max() == pytest.approx(8000, rel=0.2)


class Others:
    """They make a result whenever they are asked for one, and more where nobody waits."""

    def __init__(self, n: int) -> None:
        self.left = deque(range(100, 100 + n))
        self.waited = 0

    @property
    def over(self) -> bool:
        return not self.left

    def take(self, *, wait: bool) -> Sequence[int]:
        self.waited += wait
        return [self.left.popleft() for _ in range(1 if wait else min(2, len(self.left)))]


@pytest.mark.parametrize(("ours", "theirs", "waits"), [(3, 0, 0), (0, 3, 1), (3, 3, 0), (1, 7, 3), (5, 4, 0)])
def test_work_is_made_once_and_nobody_waits_who_has_some_left(ours: int, theirs: int, waits: int) -> None:
    others = Others(theirs)
    work = Work(iter(range(1, 1 + ours)), others)
    assert sorted(work.results()) == [*range(1, 1 + ours), *range(100, 100 + theirs)]
    assert others.waited == waits
    assert list(work.results()) == []


def test_work_that_is_dropped_is_over() -> None:
    others = Others(3)
    work = Work(iter(range(3)), others)
    assert next(work.results()) in (0, 100)
    work.make_ours()
    work.drop()
    assert others.over
    assert list(work.results()) == []


@pytest.mark.parametrize(("hertz", "of"), [(1000.0, Band.NARROW), (5000.0, Band.WIDE), (12000.0, Band.FULL)])
def test_the_bands_above_are_given_of_those_of_which_they_are_wanted(hertz: float, of: int) -> None:
    """A tone is in those that reach as high, and next to nothing of it in those below."""
    codec, encoder = opened(), OpusEncoder(48000)
    bands = (2 * (np.arange(len(ROWS)) % 4)).astype(np.uint8)
    last = int(np.flatnonzero(bands == bit(Band.WIDE) | bit(Band.FULL))[0])
    told: dict[int, list[Pcm]] = {band: [] for band in range(3)}
    for frame in tone(48000, 50, hertz):
        parts = list(codec.decode(ROWS, [whole(encoder.encode(frame)[0])] * len(ROWS), bands).results())
        told[Band.NARROW].append(next(part.pcm[part.index == last][0] for part in parts if last in part.index))
        for band in ABOVE:
            given = [upper for part in parts for upper in part.upper if upper.band == band]
            assert sorted(int(i) for one in given for i in one.index) == np.flatnonzero(bands & bit(band)).tolist()
            told[band].append(next(one.pcm[one.index == last][0] for one in given if last in one.index))
    loud = {band: np.sqrt(np.mean(np.concatenate(each[10:]).astype(float) ** 2)) for band, each in told.items()}
    for band, level in loud.items():
        assert level == pytest.approx(8000 / np.sqrt(2), rel=0.2) if band >= of else level < 8000 / 100


@pytest.mark.parametrize(("bit_rate", "expected"), [(0, 64_000), (8_000, 8_000), (500, opus.LEAST_BIT_RATE)])
def test_a_far_side_gets_no_more_bits_than_it_wants_and_packets_of_one_length(bit_rate: int, expected: int) -> None:
    codec = opened()
    codec.tune(0, Tuning(bit_rate, constant=True))
    rng = np.random.default_rng(2)
    sizes = []
    for _ in range(20):
        (made,) = codec.encode(ROWS[:1], *heard(rng.integers(-8000, 8000, (1, 160)).astype(np.int16))).results()
        sizes.append(len(made.packets()[0][0]))
    assert sizes == [expected // 400] * 20
    codec.tune(0, Tuning(bit_rate))
    (made,) = codec.encode(ROWS[:1], *heard(np.zeros((1, 160), np.int16))).results()
    assert len(made.packets()[0][0]) < sizes[0]
