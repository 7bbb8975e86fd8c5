"""What a tick does for each leg, it does in arrays: twice the legs make no more calls of Python, whatever their codec.

Counted are calls of Python functions in everything between a batch and the datagrams, of 300 legs and of 600. Opus,
G.722 and SRTP have a call of their libraries for each leg, and are not here: in their places stand codecs and a
transport that do nothing (what is around SRTP is counted in test_secure.py).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from types import FrameType, MappingProxyType, SimpleNamespace

import numpy as np
import pytest
from cordboard.codecs import g711, g722
from cordboard.codecs.bands import ABOVE, SAMPLES, bit
from cordboard.codecs.opus import MOST_PARTS, ROOM, Tuning
from cordboard.codecs.opuspacket import Frame
from cordboard.codecs.work import Decoded, Encoded, Upper, Work
from cordboard.switch import protocol, rtp
from cordboard.switch.engine import Engine
from cordboard.switch.ports import LocalPort
from cordboard.switch.seams import NO_PACKETS, Batch, Datagram, Datagrams, Octets, Packets, Rows, SecureInput
from cordboard.switch.sockaddr import socket_name
from numpy.typing import NDArray

from .profiled import profiled

TICK = 0.020
WARM, COUNTED = 6, 3  # ticks; those that are counted report nothing, which is done in turns of five


class KnownTransport:
    """Legs by their addresses, and the packets that they are sent, unread."""

    def __init__(self) -> None:
        self.counters: dict[str, int] = {}
        self.probed_at = -math.inf
        self.sent = 0

    def open(self, row: int, command: protocol.OpenWebrtcLeg, now: float) -> protocol.WebrtcLegOpened:
        return protocol.WebrtcLegOpened(command.leg, "u", "p", protocol.Fingerprint("sha-256", "AA"), (("::", 1),))

    def restart(self, row: int, command: protocol.RestartIce, now: float) -> protocol.WebrtcLegOpened:
        raise AssertionError("never asked")

    def access_points(self, command: protocol.ListAccessPoints) -> protocol.AccessPoints:
        raise AssertionError("never asked")

    def close(self, row: int, now: float) -> list[Datagram]:
        return []

    def receive(self, batch: Batch, now: float) -> SecureInput:
        rows = batch.name[:, 2:4].copy().view(">u2")[:, 0].astype(np.intp) - 1000
        facts = [protocol.LegConnected(f"leg {row}") for row in rows] if now < TICK else []
        return SecureInput([], Packets(rows, batch.data, batch.length, batch.at), NO_PACKETS, facts)

    def protect(self, rows: Rows, data: Octets, length: NDArray[np.int32]) -> Datagrams:
        self.sent += len(rows)
        return Datagrams.of([])

    def protect_rtcp(self, rows: Rows, data: Octets) -> Datagrams:
        return Datagrams.of([])

    def deadline(self) -> float:
        return math.inf

    def wake(self, now: float) -> SecureInput:
        raise AssertionError("never due")


class StillCodec:
    """All is the same sound, in as many parts as OpusRows makes."""

    counters: Mapping[str, int] = MappingProxyType({})

    def open(self, row: int) -> None:
        pass

    def tune(self, row: int, tuning: Tuning) -> None:
        pass

    def close(self, row: int) -> None:
        pass

    def forget(self, rows: Rows) -> None:
        pass

    def failed(self) -> list[int]:
        return []

    def decode(self, rows: Rows, frames: Sequence[Frame], bands: NDArray[np.uint8]) -> Work[Decoded]:
        pcm, good = np.full((len(rows), 160), 1000, np.int16), np.ones(len(rows), np.bool_)
        wanted = [(band, np.flatnonzero(bands & bit(band))) for band in ABOVE]
        upper = [
            Upper(band, some, np.full((len(some), SAMPLES[band]), 1000, np.int16), np.zeros(len(some), np.bool_))
            for band, some in wanted
        ]
        return Work([Decoded(np.arange(len(rows)), pcm, good, upper)])

    def encode(self, rows: Rows, frames: g711.Pcm, samples: Rows) -> Work[Encoded]:
        def part(index: Rows) -> Encoded:
            return Encoded(index, np.full((len(index), ROOM), 99, np.uint8), np.array([(40, 0)] * len(index), np.int32))

        return Work(part(index) for index in np.array_split(np.arange(len(rows)), MOST_PARTS))


class StillContext:
    """In the place of one of FFmpeg's for G.722: always the same sound, and the same octets."""

    def encode(self, frame: object) -> Sequence[bytes]:
        return (bytes(g722.OCTETS),)

    def decode(self, packet: object) -> Sequence[object]:
        return (SimpleNamespace(planes=(b"\x10\x20" * g722.FRAME,)),)


class Legs:
    """So many legs of one codec in rooms of three, all of which speak: pages, or of plain RTP."""

    def __init__(self, codec: protocol.Codec, legs: int, *, pages: bool) -> None:
        self.codec, self.legs, self.now, self.number = codec, legs, 0.0, 0
        self.pages = pages
        self.transport = KnownTransport()
        port = LocalPort("192.0.2.1", 20002)
        self.engine = Engine(
            ports=(port,),
            advertise=lambda index, peer: (port.address, port.port),
            rng=np.random.default_rng(1),
            now=0.0,
            secure=self.transport,
            opus=StillCodec(),
            capacity=legs,
        )
        command: protocol.Command
        for leg in range(legs):
            if pages:
                command = protocol.OpenWebrtcLeg(f"leg {leg}", "198.51.100.7", "u", "p", (), codec)
            else:
                command = protocol.OpenRtpLeg(f"leg {leg}", "198.51.100.7", 1000 + leg, codec)
            (fact,) = self.engine.command(command, 0.0)
            assert not isinstance(fact, protocol.LegRefused)
        rooms = [range(leg - leg % 3, leg - leg % 3 + 3) for leg in range(legs)]
        self.engine.command(
            protocol.Rewire(
                tuple(
                    protocol.Hears(f"leg {leg}", tuple((f"leg {other}", 1.0) for other in room if other != leg))
                    for leg, room in enumerate(rooms)
                )
            ),
            0.0,
        )
        names = [socket_name("198.51.100.7", 1000 + leg) for leg in range(legs)]
        self.names = np.stack([np.frombuffer(name, np.uint8) for name in names])
        tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(160) / 8000)).astype(np.int16)
        # One frame of Opus of 20 ms, as far as its header says.
        self.payload = b"\xf8" + bytes(99) if codec.name == "opus" else g711.encode_ulaw(tone).tobytes()

    def tick(self) -> None:
        n = self.legs
        data = np.zeros((n, 12 + len(self.payload) + 3 & ~3), np.uint8)
        step = 960 if self.codec.name == "opus" else 160
        numbers = np.full(n, self.number, np.uint16), np.full(n, step * self.number, np.uint32)
        kinds, ssrc = np.full(n, self.codec.payload_type, np.uint8), np.arange(n, dtype=np.uint32)
        rtp.write(data, kinds, np.zeros(n, np.bool_), *numbers, ssrc)
        data[:, 12 : 12 + len(self.payload)] = np.frombuffer(self.payload, np.uint8)
        length = np.full(n, 12 + len(self.payload), np.int32)
        socket = np.full(n, self.pages, np.int32)
        at = np.full(n, self.now + 0.005)
        self.engine.receive(Batch(data, length, socket, self.names, at), self.now + 0.01)
        self.engine.ahead()
        self.now += TICK
        self.number += 1
        outgoing, _ = self.engine.tick(self.now)
        self.sent = sum(len(part.length) for part in itertools.chain(outgoing.parts, outgoing.later))


def calls(codec: protocol.Codec, legs: int, *, pages: bool) -> int:
    """Of Python functions in a tick, but for those of this file and of PyAV."""
    world = Legs(codec, legs, pages=pages)
    for _ in range(WARM):
        world.tick()
    made = 0

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal made
        file = frame.f_code.co_filename
        made += event == "call" and file != __file__ and not file.startswith("av/")

    with profiled(note):
        for _ in range(COUNTED):
            world.tick()
    assert world.engine.counters["packets_received"] == legs * (WARM + COUNTED)
    if pages:
        assert world.transport.sent >= legs * COUNTED
    else:
        assert world.sent == legs
    return made // COUNTED


@pytest.mark.parametrize(
    ("codec", "pages"),
    [
        (protocol.Codec("pcmu", 0, 101), False),
        (protocol.Codec("pcma", 8, 101), False),
        (protocol.Codec("g722", 9, 101), False),
        (protocol.Codec("opus", 107, 102), False),
        (protocol.Codec("opus", 111, 110), True),
    ],
    ids=["pcmu", "pcma", "g722", "opus", "opus of pages"],
)
def test_twice_the_legs_make_no_more_calls(codec: protocol.Codec, pages: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for made in ("_encoder", "_decoder"):
        monkeypatch.setattr(g722, made, StillContext)
    few, many = calls(codec, 300, pages=pages), calls(codec, 600, pages=pages)
    assert few > 100
    assert abs(many - few) <= 0.1 * few, (few, many)
