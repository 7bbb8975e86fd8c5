"""G.722 at 64 kbit/s (ITU-T G.722): 16 kHz speech in two sub-bands of ADPCM, an octet for two samples, by PyAV.

Encoder and decoder are recursive in every sample, so a row has one of each, and they must see its frames in order. Both
forget by themselves: after a gap they agree again within some 20 ms. No octets are always silence, for what zeros are
coded to depends on what was before: a leg that hears nothing is encoded too.

A decoder that has not heard its row for a while would begin with the level of then: it is made anew instead.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from numpy.typing import NDArray

from .g711 import Octets, Pcm

Rows = NDArray[np.intp]

RATE: Final = 16000
FRAME: Final = 320  # samples of 20 ms
OCTETS: Final = 160  # of a frame; RTP counts 8000 a second for them (RFC 3551 §4.5.2)


def _encoder() -> AudioCodecContext:
    context = av.CodecContext.create("g722", "w")
    assert isinstance(context, AudioCodecContext)
    context.format = "s16"
    context.time_base = Fraction(1, RATE)
    return _opened(context)


def _decoder() -> AudioCodecContext:
    context = av.CodecContext.create("g722", "r")
    assert isinstance(context, AudioCodecContext)
    return _opened(context)


def _opened(context: AudioCodecContext) -> AudioCodecContext:
    context.sample_rate = RATE
    context.layout = "mono"
    context.thread_count = 1
    context.open()
    return context


class Encoders:
    """One for each row that is encoded, made when it first is."""

    def __init__(self) -> None:
        self._contexts: dict[int, AudioCodecContext] = {}
        # One frame for good, its buffer written anew each time. Until FFmpeg has taken it, encode() does not return.
        self._frame = av.AudioFrame(format="s16", layout="mono", samples=FRAME)
        self._frame.sample_rate = RATE
        self._plane = self._frame.planes[0]

    def forget(self, row: int) -> None:
        """Another stream begins in this row, or none."""
        self._contexts.pop(row, None)

    def encode(self, rows: Rows, pcm: Pcm) -> Octets:
        """The next 20 ms of each row: int16 [n, 320] at 16 kHz to uint8 [n, 160]."""
        out = np.empty((len(rows), OCTETS), np.uint8)
        for i, row in enumerate(rows.tolist()):
            if (context := self._contexts.get(row)) is None:
                context = self._contexts[row] = _encoder()
            self._plane.update(pcm[i].tobytes())
            (packet,) = context.encode(self._frame)
            out[i] = np.frombuffer(memoryview(packet), np.uint8)
        return out


class Decoders:
    """One for each row that is decoded, made when it first is."""

    def __init__(self) -> None:
        self._contexts: dict[int, AudioCodecContext] = {}

    def forget(self, rows: Rows) -> None:
        """Nothing was heard of these rows lately, or another stream begins in them."""
        for row in rows.tolist():
            self._contexts.pop(row, None)

    def decode(self, rows: Rows, octets: Octets) -> Pcm:
        """The next 20 ms of each row: uint8 [n, 160] to int16 [n, 320] at 16 kHz. Any octets are sound."""
        out = np.empty((len(rows), FRAME), np.int16)
        for i, row in enumerate(rows.tolist()):
            if (context := self._contexts.get(row)) is None:
                context = self._contexts[row] = _decoder()
            (frame,) = context.decode(av.Packet(octets[i].tobytes()))
            out[i] = np.frombuffer(memoryview(frame.planes[0]), np.int16, count=FRAME)
        return out
