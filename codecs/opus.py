"""Opus for a phone call: mono frames of 20 ms in and out, by PyAV's libopus (RFC 6716, RFC 7587).

An `OpusEncoder` and an `OpusDecoder` belong to one leg each and are used by one thread at a time; PyAV lets go of the
GIL while libopus works, so `encode_many` and `decode_many` spread the legs of a tick over an executor given to them.

The encoder takes 8, 16 or 48 kHz and gives exactly one packet for each frame of 20 ms, the first included: libopus
looks ahead inside (6.5 ms that the far side hears as delay), which PyAV shows only in timestamps. The decoder always
gives 48 kHz. libopus' concealment and FEC cannot be reached through PyAV: a missing packet is played as the last frame
turned down to nothing within two frames. What carries no sound, a DTX frame of one or two bytes, is silence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from fractions import Fraction
from typing import TypeVar

import av
import numpy as np
import numpy.typing as npt
from av.audio.codeccontext import AudioCodecContext

Pcm = npt.NDArray[np.int16]

OUTPUT_RATE = 48000
FRAME = 960  # samples of 20 ms at 48 kHz
# Speech at 48 kHz needs no more (RFC 7587 §3.1.1 has 28-40 kbit/s for full band speech, 8-12 for narrow band).
BIT_RATE = {8000: 16_000, 16000: 24_000, 48000: 32_000}
# The longest packet: 120 ms of frames of 1,275 bytes (RFC 6716 §3.2); no more ever reaches libopus.
MAX_PACKET = 6 * 1275 + 13
# A frame of at most this many bytes is a TOC byte and nothing to decode (RFC 6716 §3.1, §3.4): DTX, or lost.
SILENT_LENGTH = 2

_SILENCE = np.zeros(FRAME, np.int16)
_SILENCE.setflags(write=False)

# Losses are hidden for two frames: the gain falls in a straight line from where the last one ended.
_FADE_FRAMES = 2
_FADES = tuple(
    np.linspace(1 - step / _FADE_FRAMES, 1 - (step + 1) / _FADE_FRAMES, FRAME, endpoint=False, dtype=np.float32)
    for step in range(_FADE_FRAMES)
)

# Below this many legs a thread's wake-up (some 50 µs) costs more than it saves.
MIN_SHARE = 2

_T = TypeVar("_T")


class OpusError(Exception):
    """The far side's payload is not Opus. The decoder goes on with the next one."""


class OpusEncoder:
    """One leg's encoder. `rate` 8000, 16000 or 48000 Hz in; `complexity` 0 (54 µs a frame at 8 kHz) to 10 (136 µs)."""

    def __init__(self, rate: int, complexity: int = 5) -> None:
        self.samples = rate // 50
        context = av.CodecContext.create("libopus", "w")
        assert isinstance(context, AudioCodecContext)
        context.sample_rate = rate
        context.layout = "mono"
        context.format = "s16"
        context.bit_rate = BIT_RATE[rate]
        context.time_base = Fraction(1, rate)
        context.thread_count = 1
        context.options = {"application": "voip", "frame_duration": "20", "compression_level": str(complexity)}
        context.open()
        # One frame for good, its buffer written anew each time. Until libopus has taken it, encode() does not return.
        frame = av.AudioFrame(format="s16", layout="mono", samples=self.samples)
        frame.sample_rate = rate
        self._context = context
        self._frame = frame
        self._plane = frame.planes[0]
        self._pts = 0

    def encode(self, pcm: Pcm) -> bytes:
        """`pcm`: int16 `[rate / 50]`, 20 ms. Returns one packet, an RTP payload as it is (RFC 7587 §4.2)."""
        self._plane.update(pcm.astype(np.int16, copy=False).tobytes())
        self._frame.pts = self._pts
        self._pts += self.samples
        (packet,) = self._context.encode(self._frame)
        return bytes(packet)


class OpusDecoder:
    """One leg's decoder."""

    def __init__(self) -> None:
        # FFmpeg's libopus wrapper mixes stereo down itself when it is opened as mono.
        context = av.CodecContext.create("libopus", "r")
        assert isinstance(context, AudioCodecContext)
        context.sample_rate = OUTPUT_RATE
        context.layout = "mono"
        context.thread_count = 1
        context.open()
        self._context = context
        self._last: Pcm = _SILENCE
        self._missing = _FADE_FRAMES

    def decode(self, payload: bytes | None) -> Pcm:
        """20 ms as int16 `[960]`, 48 kHz, mono; never write into it.

        None is a packet that did not come: the last frame, fading. A packet of several frames (we ask for 20 ms, and
        browsers do send them so) is cut or filled to the first 20 ms. Raises OpusError for what libopus refuses; the
        caller plays None instead.
        """
        if payload is None:
            return self._conceal()
        if len(payload) <= SILENT_LENGTH:
            self._last, self._missing = _SILENCE, _FADE_FRAMES
            return _SILENCE
        if len(payload) > MAX_PACKET:
            raise OpusError("longer than any Opus packet")
        try:
            frames = self._context.decode(av.Packet(payload))
        except av.FFmpegError as error:
            raise OpusError(str(error)) from error
        if not frames:
            raise OpusError("no frame in the packet")
        samples = min(frames[0].samples, FRAME)
        # A copy: the plane belongs to FFmpeg's frame, which is let go here.
        pcm = np.zeros(FRAME, np.int16)
        pcm[:samples] = np.frombuffer(memoryview(frames[0].planes[0]), np.int16, count=samples)
        self._last, self._missing = pcm, 0
        return pcm

    def _conceal(self) -> Pcm:
        if self._missing >= _FADE_FRAMES:
            return _SILENCE
        fade = _FADES[self._missing]
        self._missing += 1
        faded: Pcm = (self._last * fade).astype(np.int16)
        return faded


class OpusRows:
    """Encoders from 8 kHz and decoders to 48 kHz by row, spread over `threads`: this one and the executor's."""

    def __init__(self, executor: Executor | None = None, threads: int = 1, complexity: int = 5) -> None:
        self._executor = executor
        self._threads = threads
        self._complexity = complexity
        self._encoders: dict[int, OpusEncoder] = {}
        self._decoders: dict[int, OpusDecoder] = {}

    def open(self, row: int) -> None:
        """A fresh pair, 0.2 ms and 120 kB."""
        self._encoders[row] = OpusEncoder(8000, self._complexity)
        self._decoders[row] = OpusDecoder()

    def close(self, row: int) -> None:
        del self._encoders[row], self._decoders[row]

    def decode(self, rows: npt.NDArray[np.intp], payloads: Sequence[bytes | None]) -> Pcm:
        """The next 20 ms of each row, int16 `[n, 960]` at 48 kHz; what is no Opus plays as None does, a loss."""
        return decode_many([self._decoders[row] for row in rows.tolist()], payloads, self._executor, self._threads)[0]

    def encode(self, rows: npt.NDArray[np.intp], pcm: Pcm) -> list[bytes]:
        """int16 `[n, 160]` at 8 kHz to a payload for each row."""
        return encode_many([self._encoders[row] for row in rows.tolist()], pcm, self._executor, self._threads)


def encode_many(encoders: Sequence[OpusEncoder], pcm: Pcm, executor: Executor | None, threads: int = 2) -> list[bytes]:
    """One frame for each encoder: `pcm` int16 `[n, rate / 50]`, a row each, all encoders of one rate. `[n]` packets.

    The rows are shared out over `threads` of the executor, this thread doing one share itself; None does all here.
    """

    def share(start: int, stop: int) -> list[bytes]:
        return [encoders[i].encode(pcm[i]) for i in range(start, stop)]

    return _spread(share, len(encoders), executor, threads)


def decode_many(
    decoders: Sequence[OpusDecoder], payloads: Sequence[bytes | None], executor: Executor | None, threads: int = 2
) -> tuple[Pcm, int]:
    """One frame from each decoder: int16 `[n, 960]`, 48 kHz, and how many payloads were refused (and concealed)."""
    out = np.empty((len(decoders), FRAME), np.int16)

    def share(start: int, stop: int) -> list[int]:
        refused = 0
        for i in range(start, stop):
            try:
                out[i] = decoders[i].decode(payloads[i])
            except OpusError:
                refused += 1
                out[i] = decoders[i].decode(None)
        return [refused]

    return out, sum(_spread(share, len(decoders), executor, threads))


def _spread(share: Callable[[int, int], list[_T]], n: int, executor: Executor | None, threads: int) -> list[_T]:
    """`share(start, stop)` over 0..n in order of the rows, in parts of equal size, the last one on this thread."""
    parts = min(threads, n // MIN_SHARE) if executor is not None else 1
    if executor is None or parts < 2:
        return share(0, n)
    edges = [n * i // parts for i in range(parts + 1)]
    futures: list[Future[list[_T]]] = [executor.submit(share, edges[i], edges[i + 1]) for i in range(parts - 1)]
    last = share(edges[-2], n)
    return [item for future in futures for item in future.result()] + last
