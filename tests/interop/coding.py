"""How a customer codes what it says and reads what it hears, by FFmpeg or by formulas and nothing of the product's.

A sound is so many packets of 20 ms, sent again and again.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

import av
import numpy as np
from attrs import frozen
from av.audio.codeccontext import AudioCodecContext

from . import sound
from .caller import FRAME
from .sound import Pcm


@frozen
class Coding:
    """A payload type of a description: what its own side is sent (RFC 3264 §5.1)."""

    kind: int
    name: str  # as in its rtpmap
    fmtp: str = ""

    @property
    def rate(self) -> int:
        """Hz of its samples."""
        return {"PCMU/8000": 8000, "PCMA/8000": 8000, "G722/8000": 16000, "opus/48000/2": 48000}[self.name]

    @property
    def step(self) -> int:
        """Units of RTP time of a packet."""
        return 960 if self.rate == 48000 else FRAME

    @property
    def lines(self) -> str:
        fmtp = f"a=fmtp:{self.kind} {self.fmtp}\r\n" if self.fmtp else ""
        return f"a=rtpmap:{self.kind} {self.name}\r\n{fmtp}"

    def _context(self, mode: Literal["r", "w"]) -> AudioCodecContext:
        context = av.CodecContext.create("g722" if self.rate == 16000 else "libopus", mode)
        assert isinstance(context, AudioCodecContext)
        context.sample_rate, context.layout = self.rate, "mono"
        if mode == "w":
            context.format, context.time_base = "s16", Fraction(1, self.rate)
        context.open()
        return context

    def encode(self, pcm: Pcm) -> list[bytes]:
        """Packets of `pcm`, whole frames at this rate."""
        if self.rate == 8000:
            octets = sound.encode(pcm, ulaw=self.name.startswith("PCMU"))
            return [octets[at : at + FRAME] for at in range(0, len(octets), FRAME)]
        context, samples, packets = self._context("w"), self.rate // 50, []
        for number, part in enumerate(pcm.reshape(-1, samples)):
            frame = av.AudioFrame(format="s16", layout="mono", samples=samples)
            frame.sample_rate, frame.pts = self.rate, number * samples
            frame.planes[0].update(part.tobytes())
            packets += [bytes(packet) for packet in context.encode(frame)]
        return packets

    def decode(self, payloads: Sequence[bytes]) -> Pcm:
        if self.rate == 8000:
            return sound.decode(b"".join(payloads), ulaw=self.name.startswith("PCMU"))
        context = self._context("r")
        frames = [frame for payload in payloads for frame in context.decode(av.Packet(payload))]
        return np.concatenate([np.frombuffer(memoryview(frame.planes[0]), np.int16, frame.samples) for frame in frames])


PCMU = Coding(0, "PCMU/8000")
PCMA = Coding(8, "PCMA/8000")
G722 = Coding(9, "G722/8000")
OPUS = Coding(96, "opus/48000/2", "maxplaybackrate=48000;sprop-stereo=0;useinbandfec=1")
