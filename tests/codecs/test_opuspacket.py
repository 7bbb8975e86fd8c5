"""Opus packets: their lengths by their first octets, and what is joined of several, against RFC 6716 and libopus."""

from fractions import Fraction

import av
import numpy as np
import pytest
from av.audio.codeccontext import AudioCodecContext
from cordboard.codecs import opuspacket
from cordboard.codecs.opus import OpusDecoder, OpusEncoder, Tuning
from hypothesis import given
from hypothesis import strategies as st


def read(packet: bytes) -> float:
    """The milliseconds of a packet by the tables of §3.1 and the rules of §3.2; 0 where it is none."""
    config, code = packet[0] >> 3, packet[0] & 3
    if config < 12:
        frame = (10.0, 20.0, 40.0, 60.0)[config % 4]
    elif config < 16:
        frame = (10.0, 20.0)[config % 2]
    else:
        frame = (2.5, 5.0, 10.0, 20.0)[config % 4]
    match code:
        case 0:
            count = 1
        case 1 | 2:
            count = 2
        case _ if len(packet) < 2:
            return 0.0
        case _:
            count = packet[1] % 64
    return count * frame if count * frame <= 120 else 0.0


def test_every_header_is_as_long_as_the_rfc_says() -> None:
    first, second = (axis.reshape(-1).astype(np.uint8) for axis in np.meshgrid(np.arange(256), np.arange(256)))
    for octets in (1, 2, 3, 1275):
        found = opuspacket.units(first, second, np.full(len(first), octets, np.int32)) * 2.5
        expected = [read(bytes([one, other])[:octets]) for one, other in zip(first, second, strict=True)]
        assert found.tolist() == expected
    assert opuspacket.units(first[:1], second[:1], np.zeros(1, np.int32)).tolist() == [0]


@pytest.mark.parametrize("ms", [2.5, 5, 10, 20, 40, 60, 80, 100, 120])
@pytest.mark.parametrize("application", ["voip", "audio", "lowdelay"])
def test_libopus_decodes_as_much_as_its_packets_say(ms: float, application: str) -> None:
    context = av.CodecContext.create("libopus", "w")
    assert isinstance(context, AudioCodecContext)
    context.sample_rate, context.layout, context.format = 48000, "stereo", "s16"
    context.time_base, context.bit_rate = Fraction(1, 48000), 32000
    context.options = {"frame_duration": f"{ms:g}", "application": application}
    context.open()
    samples = round(48 * ms)
    frame = av.AudioFrame(format="s16", layout="stereo", samples=samples)
    frame.sample_rate = 48000
    noise = np.random.default_rng(1).integers(-9000, 9000, 4 * samples)
    decoder = OpusDecoder()
    for n in range(2):
        frame.planes[0].update(noise[2 * n * samples : 2 * (n + 1) * samples].astype(np.int16).tobytes())
        frame.pts = n * samples
        (packet,) = context.encode(frame)
        assert opuspacket.length(bytes(packet)) * 2.5 == ms
        assert len(decoder.decode(bytes(packet))) == samples


def made_of(ms: float, count: int, *, rate: int = 16000, constant: bool = False) -> list[bytes]:
    """So many packets of speech-like noise as libopus makes them."""
    encoder = OpusEncoder(rate, tuning=Tuning(constant=constant, frame_ms=round(ms)))
    noise = np.random.default_rng(7).normal(0, 4000, (count, rate // 50)).astype(np.int16)
    packets = [packet for pcm in noise for packet in encoder.encode(pcm)]
    return packets[:count]


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize(("ms", "count"), [(10, 2), (10, 3), (10, 5), (10, 12), (20, 2), (20, 3), (20, 6)])
def test_what_is_joined_is_heard_as_it_was_apart(ms: int, count: int, constant: bool) -> None:
    """libopus decodes one packet of several frames to the same samples as it does them one by one."""
    packets = made_of(ms, count, constant=constant)
    whole = opuspacket.join(packets, sum(map(len, packets)) if constant else 0)
    assert opuspacket.length(whole) * 2.5 == ms * count
    assert len(whole) == sum(map(len, packets)) if constant else len(whole) <= sum(map(len, packets)) + 2
    apart, together = OpusDecoder(), OpusDecoder()
    heard = np.concatenate([apart.decode(packet) for packet in packets])
    assert np.array_equal(together.decode(whole), heard)
    assert [frame for packet in packets for frame in opuspacket.split(packet)] == opuspacket.split(whole)
    assert opuspacket.join(packets[:1]) == packets[0]


@given(
    st.sampled_from([0xF8, 0xF0, 0x08, 0x48]),
    st.lists(st.binary(max_size=opuspacket.MAX_FRAME), min_size=2, max_size=6),
    st.integers(0, 3000),
)
def test_frames_are_the_same_after_any_join(first: int, frames: list[bytes], octets: int) -> None:
    """Whatever the frames' lengths, of one octet or two, and however long the padding, of one octet or several."""
    packet = opuspacket.join([bytes([first]) + frame for frame in frames], octets)
    assert opuspacket.split(packet) == frames
    assert len(packet) >= octets
    assert packet[0] == first | 3
    assert opuspacket.alike(packet, bytes([first]))


@pytest.mark.parametrize(
    ("packet", "frames"),
    [
        (b"\xf8ab", [b"ab"]),
        (b"\xf8", [b""]),
        (b"\xf9abcd", [b"ab", b"cd"]),
        (b"\xfa\x01abc", [b"a", b"bc"]),
        (b"\xfa\xfd\x01" + bytes(257) + b"z", [bytes(257), b"z"]),  # 253 + 4 * 1 (§3.2.1)
        (b"\xfb\x02abcd", [b"ab", b"cd"]),
        (b"\xfb\x83\x01\x00abc", [b"a", b"", b"bc"]),
        (b"\xfb\x42\x02abcd\0\0", [b"ab", b"cd"]),
        (b"\xfb\x41\xff\x01a" + bytes(255), [b"a"]),  # 254 octets of padding, and one (§3.2.5)
        (b"\xfb\xc2\x01\x01abc\0", [b"a", b"bc"]),
    ],
)
def test_packets_of_each_code(packet: bytes, frames: list[bytes]) -> None:
    assert opuspacket.split(packet) == frames


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\xf9abc",  # R3: two of one length in an odd number of octets
        b"\xfa",  # R4: no length
        b"\xfa\xfc",
        b"\xfa\x03ab",  # ... or longer than the packet
        b"\xfb",  # R5: no number of frames
        b"\xfb\x00",
        b"\xfb\x07abcdefg",  # ... or 140 ms
        b"\xfb\x03abcd",  # R6: not a multiple
        b"\xfb\x41\x05abc",  # ... or more padding than there is
        b"\xfb\x41\xff",
        b"\xfb\x83\x01\xfcab",  # R7
        b"\xfb\x82\x05abc",
        b"\xf8" + bytes(1276),  # R2
    ],
)
def test_what_breaks_a_rule_is_no_packet(packet: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        opuspacket.split(packet)


@given(st.binary(max_size=80))
def test_any_octets_are_frames_or_refused(packet: bytes) -> None:
    """And never more of them than there are octets, nor longer than 120 ms."""
    try:
        frames = opuspacket.split(packet)
    except ValueError:
        return
    assert sum(map(len, frames)) < len(packet)
    assert 0 < opuspacket.length(packet) <= opuspacket.MAX_UNITS
