"""Lengths of Opus packets by their first octets, against a plain reading of RFC 6716 and against libopus."""

from fractions import Fraction

import av
import numpy as np
import pytest
from av.audio.codeccontext import AudioCodecContext
from cordboard.codecs import opuspacket
from cordboard.codecs.opus import OpusDecoder


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
