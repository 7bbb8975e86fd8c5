"""The voice of a robot: one WebRTC connection on a socket of its own, which speaks while it is told to, and an ear.

As a page does, it is connected from sign-in on, sends nothing between calls, and may vanish without a word. What it
says is the speech of the demonstration's customer in a loop, in packets of 20 ms at an absolute pace.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import secrets
import socket
from collections.abc import Sequence

import numpy as np
import trio

from ..codecs import g711
from ..codecs.opus import OpusEncoder
from . import customer
from .browser import Browser, State
from .customer import FRAME_SECONDS

# Opus of digital silence is shorter than this, and that of a voice is not.
SILENT_OCTETS = 12
# The peak of an int16 sample below which a frame of G.711 is silence.
SILENT_PEAK = 500
# RTP clocks: samples of 20 ms (RFC 7587 §4.2; RFC 3551 §4.5.14).
STEPS = {"opus": 960, "pcmu": 160, "pcma": 160}


@functools.cache
def voice(codec: str) -> tuple[bytes, ...]:
    """What a robot says once through, a payload for every 20 ms. Call it in a thread: Opus takes a second."""
    frames = customer.speech("en")
    if codec == "pcmu":
        return tuple(frame.tobytes() for frame in frames)
    pcm = g711.decode_ulaw(frames)
    if codec == "pcma":
        return tuple(frame.tobytes() for frame in g711.encode_alaw(pcm))
    encoder = OpusEncoder(8000)
    return tuple(packet for frame in pcm for packet in encoder.encode(frame))


def audible(codec: str, payload: bytes) -> bool:
    """Whether a payload carries more than silence."""
    if codec == "opus":
        return len(payload) >= SILENT_OCTETS
    decode = g711.decode_ulaw if codec == "pcmu" else g711.decode_alaw
    return bool(np.abs(decode(np.frombuffer(payload, np.uint8)).astype(np.int32)).max() >= SILENT_PEAK)


class Line:
    """`heard` counts packets since it was last set to 0, `sounding` those of them that carry sound."""

    def __init__(self, codecs: Sequence[str]) -> None:
        self.browser = Browser(codecs, datetime.datetime.now(datetime.UTC), secrets.token_bytes)
        self.heard = self.sounding = 0
        self._speaks = trio.Event()
        self._changed = trio.Event()
        self._over = trio.CancelScope()
        # Sending is synchronous, on the same descriptor.
        self._plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._plain.bind(("0.0.0.0", 0))
        self._socket = trio.socket.from_stdlib_socket(self._plain)

    def accept(self, answer: str) -> None:
        """The switch's answer to `browser.offer()`. Raises SdpError."""
        self.browser.accept(answer, trio.current_time())

    def speak(self) -> None:
        """Until `hush`, or the end."""
        self.heard = self.sounding = 0
        self._speaks.set()

    def hush(self) -> None:
        if self._speaks.is_set():
            self._speaks = trio.Event()

    def close(self, *, silently: bool = False) -> None:
        """Ends `run`; the switch hears of it, unless it is to be as if the power had failed."""
        if not silently:
            self._send(self.browser.close())
        self._over.cancel()

    async def run(self) -> None:
        """Until `close`, or until the switch closes."""
        with self._socket, self._over:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._receive)
                nursery.start_soon(self._speak)
                while self.browser.state is not State.ENDED:
                    self._changed = trio.Event()
                    with trio.move_on_at(self.browser.deadline()):
                        await self._changed.wait()
                    if self.browser.deadline() <= trio.current_time():
                        self._send(self.browser.wake(trio.current_time()))
                nursery.cancel_scope.cancel()

    def _send(self, datagrams: list[bytes]) -> None:
        for datagram in datagrams:
            with contextlib.suppress(OSError):  # full, or refused: as good as lost on the way
                self._plain.sendto(datagram, self.browser.remote)

    async def _receive(self) -> None:
        while True:
            try:
                datagram, source = await self._socket.recvfrom(2048)
            except ConnectionError:
                continue  # an ICMP error of an earlier send
            if source != self.browser.remote:
                continue
            before = self.browser.deadline()
            received = self.browser.receive(datagram, trio.current_time())
            self._send(received.replies)
            if self.browser.deadline() != before:
                self._changed.set()
            if received.packet is not None:
                self.heard += 1
                self.sounding += audible(self.browser.codec, received.packet[12:])

    async def _speak(self) -> None:
        ssrc, sequence, timestamp = (secrets.randbits(bits) for bits in (32, 15, 31))
        position = 0
        while True:
            await self._speaks.wait()
            begun, sent = trio.current_time(), 0
            # Time goes on between talkspurts as it does on a sound card (RFC 3550 §5.1).
            while self._speaks.is_set():
                if self.browser.state is State.CONNECTED:
                    codec = self.browser.codec
                    said = voice(codec)
                    payload, kind = said[position % len(said)], self.browser.payload_type
                    packet = customer.rtp(sequence, timestamp, ssrc, payload, first=sent == 0, kind=kind)
                    self._send([self.browser.seal(packet)])
                    sequence, timestamp = sequence + 1, timestamp + STEPS[codec]
                position += 1
                sent += 1
                await trio.sleep_until(begun + sent * FRAME_SECONDS)
