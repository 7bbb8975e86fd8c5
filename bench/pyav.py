"""Opus by PyAV's codec contexts, what a leg of the switch is held against: one frame of 20 ms in, one out.

The switch calls libopus itself (codecs/libopus.py), and what comes out is the same to the octet. These are the
cheapest calls by which PyAV does it: a frame and its buffer are kept, and what is decoded is looked at where it lies.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext

from ..codecs.g711 import Pcm
from ..codecs.opus import BIT_RATE, OUTPUT_RATE


def _context(mode: Literal["r", "w"], rate: int) -> AudioCodecContext:
    context = av.CodecContext.create("libopus", mode)
    assert isinstance(context, AudioCodecContext)
    context.sample_rate = rate
    context.layout = "mono"
    context.thread_count = 1
    return context


class Encoder:
    """Of the bits and the kind that the switch has at `rate`."""

    def __init__(self, rate: int = OUTPUT_RATE, *, constant: bool = False, frame_ms: int = 20) -> None:
        context = _context("w", rate)
        context.format = "s16"
        context.bit_rate = BIT_RATE[OUTPUT_RATE if constant else rate]
        context.time_base = Fraction(1, rate)
        celt = rate == OUTPUT_RATE
        context.options = {
            "application": "audio" if celt else "voip",
            "frame_duration": str(frame_ms),
            "compression_level": "5",
            "vbr": "off" if constant else "constrained" if celt else "on",
        }
        context.open()
        # One frame for good, its buffer written anew each time. Until libopus has taken it, encode() does not return.
        frame = av.AudioFrame(format="s16", layout="mono", samples=rate // 50)
        frame.sample_rate = rate
        self._context = context
        self._frame = frame
        self._plane = frame.planes[0]
        self._pts = 0

    def encode(self, pcm: Pcm) -> list[bytes]:
        self._plane.update(pcm.tobytes())
        self._frame.pts = self._pts
        self._pts += len(pcm)
        return [bytes(packet) for packet in self._context.encode(self._frame)]


class Decoder:
    """To 48 kHz."""

    def __init__(self) -> None:
        self._context = _context("r", OUTPUT_RATE)
        self._context.open()

    def decode(self, packet: bytes) -> Pcm:
        (frame,) = self._context.decode(av.Packet(packet))
        return np.frombuffer(memoryview(frame.planes[0]), np.int16, count=frame.samples)
