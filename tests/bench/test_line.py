"""The voice of a robot, and whether a payload is one: what tells a silent conversation from a heard one."""

from __future__ import annotations

import numpy as np
import pytest
from cordboard.bench.line import STEPS, audible, voice
from cordboard.codecs import g711
from cordboard.codecs.opus import OpusEncoder

SILENCE = np.zeros(160, np.int16)


@pytest.mark.parametrize("codec", STEPS)
def test_a_voice_is_heard_and_pauses(codec: str) -> None:
    said = voice(codec)
    share = sum(audible(codec, payload) for payload in said) / len(said)
    assert 0.3 < share < 0.95
    # The first sentence begins within the time in which a robot must have heard a customer, who speaks alike.
    assert any(audible(codec, payload) for payload in said[:50])


def test_silence_is_not_heard() -> None:
    encoder = OpusEncoder(8000)
    packets = [packet for _ in range(50) for packet in encoder.encode(SILENCE)]
    assert not any(audible("opus", packet) for packet in packets[10:])
    assert not audible("pcmu", g711.encode_ulaw(SILENCE).tobytes())
    assert not audible("pcma", g711.encode_alaw(SILENCE).tobytes())
