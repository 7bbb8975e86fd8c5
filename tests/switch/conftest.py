"""A world for engine stories: an engine, far sides that speak, a seeded network and a virtual clock."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from itertools import chain
from random import Random
from typing import Protocol, TypeVar

import av
import numpy as np
import pytest
from attrs import evolve
from av.audio.codeccontext import AudioCodecContext
from cordboard.codecs import g711, g722
from cordboard.codecs.opus import OpusDecoder, OpusRows
from cordboard.switch import protocol
from cordboard.switch.coders import Coders, LostError, Other
from cordboard.switch.coding import PART, Answers, Columns, Requests
from cordboard.switch.engine import Engine
from cordboard.switch.ports import LocalPort
from cordboard.switch.recfile import FRAMES_PER_SECOND, Chunk
from cordboard.switch.recorder import Ended, Kept, Lost, Result
from cordboard.switch.seams import Batch, Datagram, Datagrams, Read
from cordboard.switch.sockaddr import NAME, socket_name
from numpy.typing import NDArray

TICK = 0.020


def each(parts: Iterable[Datagrams]) -> list[Datagram]:
    """All that is sent, one by one."""
    return [
        Datagram(int(part.port[i]), part.name[i].tobytes(), part.data[i, : part.length[i]].tobytes())
        for part in parts
        for i in range(len(part.port))
    ]


PCMU = protocol.Codec("pcmu", 0, 101)
PCMA = protocol.Codec("pcma", 8, 101)
G722 = protocol.Codec("g722", 9, 101)
OPUS = protocol.Codec("opus", 107, 102)
T = TypeVar("T")


def _spoken(seconds: float, hertz: float) -> g711.Pcm:
    """Something like speech: it comes and goes, from zero to zero."""
    t = np.arange(round(seconds * 8000)) / 8000
    pcm: g711.Pcm = np.rint(8000 * np.sin(2 * np.pi * hertz * t) * np.sin(np.pi * t / seconds) ** 2).astype(np.int16)
    return pcm


PROMPTS = {("hello", "en"): _spoken(1.2, 700.0), ("bye", "en"): _spoken(0.4, 900.0)}

# Sample numbers at 8 kHz, parts of them too -> samples.
Sound = Callable[[NDArray[np.intp | np.float64]], g711.Pcm]
Edge = str | tuple[str, float]  # a source, or (source, gain)


class Voice(Protocol):
    """How a far side codes what it says, in packets of any length, and reads all that it was sent, in order."""

    rate: int  # Hz of its samples
    clock: int  # ... and of RTP

    def encode(self, pcm: g711.Pcm) -> bytes: ...

    def decode(self, payloads: Sequence[bytes]) -> g711.Pcm: ...


class Narrow:
    """G.711."""

    rate = clock = 8000

    def __init__(self, encode: Callable[[g711.Pcm], g711.Octets], decode: Callable[[g711.Octets], g711.Pcm]) -> None:
        self._encode, self._decode = encode, decode

    def encode(self, pcm: g711.Pcm) -> bytes:
        return self._encode(pcm).tobytes()

    def decode(self, payloads: Sequence[bytes]) -> g711.Pcm:
        return self._decode(np.frombuffer(b"".join(payloads), np.uint8))


class Wide:
    """G.722."""

    rate, clock = 16000, 8000

    def __init__(self) -> None:
        self._encoders = g722.Encoders()
        self._pcm = np.zeros(g722.FRAME // 2, np.int16)  # what is to be encoded: whole frames of it are
        self._octets = np.zeros(0, np.uint8)

    def encode(self, pcm: g711.Pcm) -> bytes:
        self._pcm = np.concatenate([self._pcm, pcm])
        while len(self._pcm) >= g722.FRAME:
            made = self._encoders.encode(ROW, self._pcm[None, : g722.FRAME])
            self._octets, self._pcm = np.concatenate([self._octets, made[0]]), self._pcm[g722.FRAME :]
        packet, self._octets = np.split(self._octets, [len(pcm) // 2])
        return packet.tobytes()

    def decode(self, payloads: Sequence[bytes]) -> g711.Pcm:
        octets = np.frombuffer(b"".join(payloads), np.uint8)
        decoders = g722.Decoders()
        return np.concatenate([decoders.decode(ROW, one) for one in octets.reshape(-1, 1, g722.OCTETS)]).reshape(-1)


class Full:
    """Opus: its encoder is libopus as FFmpeg has it, of whatever length the first packet is; `stereo` has all of it on
    the left."""

    rate = clock = 48000

    def __init__(self, application: str = "voip", *, stereo: bool = False, bit_rate: int = 64000) -> None:
        self._options = {"application": application}
        self._stereo = stereo
        self._bit_rate = bit_rate
        self._encoder: AudioCodecContext | None = None
        self._pts = 0

    def encode(self, pcm: g711.Pcm) -> bytes:
        layout = "stereo" if self._stereo else "mono"
        if self._encoder is None:
            context = av.CodecContext.create("libopus", "w")
            assert isinstance(context, AudioCodecContext)
            context.sample_rate, context.layout, context.format = self.rate, layout, "s16"
            context.bit_rate, context.time_base = self._bit_rate, Fraction(1, self.rate)
            context.options = {**self._options, "frame_duration": f"{len(pcm) / 48:g}"}
            context.open()
            self._encoder = context
        frame = av.AudioFrame(format="s16", layout=layout, samples=len(pcm))
        frame.sample_rate, frame.pts = self.rate, self._pts
        self._pts += len(pcm)
        samples = np.stack([pcm, np.zeros_like(pcm)], axis=1) if self._stereo else pcm
        frame.planes[0].update(samples.tobytes())
        (packet,) = self._encoder.encode(frame)
        return bytes(packet)

    def decode(self, payloads: Sequence[bytes]) -> g711.Pcm:
        decoder = OpusDecoder()
        return np.concatenate([decoder.decode(payload) for payload in payloads])


ROW = np.array([0])


class Far:
    """The far side of a leg: what it sends, frame by frame, and all that it was sent."""

    def __init__(self, world: World, address: str, port: int, codec: protocol.Codec, to: int) -> None:
        self.world, self.name, self.codec, self.to = world, socket_name(address, port), codec, to
        self.beside = socket_name(address, port + 1)
        match codec.name:
            case "pcmu":
                self.voice: Voice = Narrow(g711.encode_ulaw, g711.decode_ulaw)
            case "pcma":
                self.voice = Narrow(g711.encode_alaw, g711.decode_alaw)
            case "g722":
                self.voice = Wide()
            case "opus":
                self.voice = Full()
        self.phase = world.rng.uniform(0.0, TICK)
        self.sequence = world.rng.randrange(1 << 16)
        self.timestamp = world.rng.randrange(1 << 32)
        self.ssrc = world.rng.randrange(1 << 32)
        self.source: Sound | None = None
        self.samples = 0
        self.ptime: float = 20
        self.slow = 0.0  # parts per million by which its clock is slow
        self.next_at: float | None = None
        # (sequence, timestamp, marker, payload type, ssrc)
        self.packets: list[tuple[int, int, int, int, int]] = []
        self.payloads: list[bytes] = []
        self.reports: list[tuple[float, bytes]] = []  # what came to the port beside, and when

    def says(self, hertz: float, amplitude: float = 8000) -> None:
        self.source = lambda n: (amplitude * np.sin(2 * np.pi * hertz * n / 8000)).astype(np.int16)

    def packet(self, payload: bytes, payload_type: int | None = None, **changes: int) -> bytes:
        fields = {"sequence": self.sequence, "timestamp": self.timestamp, "ssrc": self.ssrc, **changes}
        kind = self.codec.payload_type if payload_type is None else payload_type
        header = struct.pack("!BBHII", 0x80, kind, fields["sequence"], fields["timestamp"], fields["ssrc"])
        return header + payload

    def speak(self, until: float) -> None:
        """Puts all packets that are due by `until` onto the network."""
        if self.source is None:
            return
        if self.next_at is None:
            self.next_at = self.world.now + self.phase
        while self.next_at <= until:
            ratio, n = self.voice.rate // 8000, round(self.ptime * self.voice.rate / 1000)
            samples = np.arange(self.samples, self.samples + n)
            pcm = self.source(samples if ratio == 1 else samples / ratio)
            self.world.post(self, self.packet(self.voice.encode(pcm)), self.next_at)
            self.samples += n
            self.sequence = self.sequence + 1 & 0xFFFF
            self.timestamp = self.timestamp + round(self.ptime * self.voice.clock / 1000) & 0xFFFFFFFF
            self.next_at += self.ptime / 1000 * (1 + self.slow * 1e-6)

    def heard(self, last: float | None = None) -> g711.Pcm:
        """All that it heard as int16 at its codec's rate, or the last so many seconds."""
        pcm = self.voice.decode(self.payloads)
        return pcm if last is None else pcm[-round(last * self.voice.rate) :]

    def loudest(self) -> float:
        """The strongest frequency of the last second that it heard, in whole Hz. (What Opus codes at 16 kbit/s has weak
        ones beside.)"""
        pcm = self.heard(1.0)
        return float(np.abs(np.fft.rfft(pcm * np.hanning(len(pcm)))).argmax())

    def tones(self, last: float = 1.0) -> list[int]:
        """The frequencies in what it heard last, in whole Hz."""
        pcm = self.heard(last)
        spectrum = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm))))
        strong = (spectrum > 0.03 * spectrum.max()) & (spectrum > 20000)
        peak = strong[1:-1] & (spectrum[1:-1] >= spectrum[:-2]) & (spectrum[1:-1] > spectrum[2:])
        return [round((i + 1) / last) for i in np.flatnonzero(peak)]


class Shelf:
    """Keeps recordings in memory, at once: chunks by recording, each opening's positions counted on from the last."""

    def __init__(self) -> None:
        self.chunks: dict[str, list[Chunk]] = {}
        self.lost = ""  # a reason why nothing can be kept now
        self.slow = False  # nothing is done meanwhile
        self._names: dict[int, tuple[str, int]] = {}
        self._results: list[Result] = []

    def open(self, key: int, recording: str) -> None:
        kept = self.chunks.setdefault(recording, [])
        self._names[key] = recording, kept[-1].end if kept else 0

    def write(self, key: int, chunk: Chunk) -> None:
        recording, base = self._names[key]
        if self.lost:
            self._results.append(Lost(key, chunk.sounding, self.lost))
        else:
            self.chunks[recording].append(evolve(chunk, position=base + chunk.position))
            self._results.append(Kept(key))

    def close(self, key: int) -> None:
        self._results.append(Ended(key, self.frames(self._names.pop(key)[0]) / FRAMES_PER_SECOND))

    def results(self) -> list[Result]:
        if self.slow:
            return []
        results, self._results = self._results, []
        return results

    def frames(self, recording: str) -> int:
        return max((chunk.end for chunk in self.chunks[recording]), default=0)

    def sound(self, recording: str) -> g711.Pcm:
        """All of it, int16 [2, samples]; what was not kept is silence."""
        frames = np.zeros((self.frames(recording), 2, 160), np.int16)
        for chunk in self.chunks[recording]:
            if chunk.samples:
                frames[chunk.position : chunk.end] = np.frombuffer(chunk.samples, np.int16).reshape(-1, 2, 160)
        return frames.transpose(1, 0, 2).reshape(2, -1)


class Books:
    """A library whose pieces come when the test says so."""

    def __init__(self) -> None:
        self.wanted: list[str] = []
        self._read: list[Read] = []

    def want(self, name: str) -> None:
        self.wanted.append(name)

    def come(self, name: str, pcm: g711.Pcm | None, reason: str = "") -> None:
        self._read.append(Read(name, pcm, reason))

    def read(self) -> list[Read]:
        read, self._read = self._read, []
        return read


class Companion:
    """Another process that codes, but in this one: it is there at once, or when it is `let`, and `dies` when it is
    told."""

    def __init__(self, slots: int = 256, *, there: bool = True) -> None:
        self.requests: Requests | None = None
        self._slots = slots
        self._answers: list[bytes] = []
        self.there = there
        self.look()

    def look(self) -> None:
        if self.requests is None and self.there:
            columns = Columns(memoryview(bytearray(Columns.size(self._slots))), self._slots)
            self.requests = Requests(columns)
            self._ends = Answers(columns, OpusRows(2 * self._slots, together=PART))

    def die(self) -> None:
        """It answers nothing any more."""
        self.there = False

    def ask(self, request: bytes) -> None:
        self._live()
        self._answers = list(self._ends.to(request))

    def answers(self, *, wait: bool) -> list[bytes]:
        """One at a time; without waiting, not the first."""
        self._live()
        if not wait and self._answers:
            return [self._answers.pop()] if len(self._answers) > 1 else []
        return [self._answers.pop()] if self._answers else []

    def _live(self) -> None:
        if not self.there:
            self.requests = None
            raise LostError


class World:
    def __init__(self, seed: int = 1, ports: int = 16, others: Sequence[Other] = ()) -> None:
        self.rng = Random(seed)
        self.now = 1000.0
        self.ports = tuple(LocalPort("192.0.2.1", 20002 + 2 * i) for i in range(ports))
        self.ports += (LocalPort("2001:db8::1", 20002),)
        self.shelf = Shelf()
        self.books = Books()
        self.engine = Engine(
            ports=self.ports,
            advertise=lambda index, peer: (self.ports[index].address, self.ports[index].port),
            rng=np.random.default_rng(seed),
            now=self.now,
            sink=self.shelf,
            prompts=PROMPTS,
            library=self.books,
            opus=Coders(others, capacity=256),
            token=Random(seed).randbytes,
            capacity=256,
        )
        self.fars: list[Far] = []
        self.air: list[tuple[float, int, bytes, bytes]] = []  # (arrives at, port index, sockaddr, octets)
        self.facts: list[protocol.Fact] = []
        self.delay: Callable[[Far], float] = lambda far: 0.005
        self.lost: Callable[[Far], bool] = lambda far: False
        self.twice: Callable[[Far], bool] = lambda far: False

    def far(
        self,
        leg: str,
        port: int,
        address: str = "198.51.100.7",
        codec: protocol.Codec = PCMU,
        nat: bool = False,
        dial: tuple[str, int] | None = None,
        peer: str = "",
    ) -> Far:
        """Opens a leg and returns its far side; `dial` is what the SDP said, if that is not where it is, and `peer`
        where the signalling came from."""
        to_address, to_port = dial or (address, port)
        (fact,) = self.engine.command(protocol.OpenRtpLeg(leg, to_address, to_port, codec, nat, peer=peer), self.now)
        assert isinstance(fact, protocol.LegOpened), fact
        made = Far(self, address, port, codec, self.index(fact))
        self.fars.append(made)
        return made

    def index(self, opened: protocol.LegOpened) -> int:
        return self.ports.index(LocalPort(opened.address, opened.port))

    def do(self, *commands: protocol.Command) -> list[protocol.Fact]:
        facts: list[protocol.Fact] = []
        for command in commands:
            facts += self.engine.command(command, self.now)
        return facts

    def hears(self, **edges: Sequence[Edge]) -> None:
        """Who hears whom: listener=[source, ...] or [(source, gain), ...]."""
        self.do(
            protocol.Rewire(
                tuple(
                    protocol.Hears(who, tuple(one if isinstance(one, tuple) else (one, 1.0) for one in sources))
                    for who, sources in edges.items()
                )
            )
        )

    def post(self, far: Far, data: bytes, at: float) -> None:
        for _ in range(2 if self.twice(far) else 1):
            if not self.lost(far):
                self.air.append((at + self.delay(far), far.to, far.name, data))

    def receive(self, *datagrams: tuple[int, bytes, bytes, float]) -> None:
        """Hands (port index, sockaddr, octets, time) to the engine in one batch."""
        assert self.engine.receive(self._batch(*datagrams), self.now) == []

    def reports(self, *datagrams: tuple[int, bytes, bytes, float]) -> None:
        """... that came to the ports beside."""
        self.engine.hear_reports(self._batch(*datagrams), self.now)

    @staticmethod
    def _batch(*datagrams: tuple[int, bytes, bytes, float]) -> Batch:
        n = len(datagrams)
        data = np.zeros((n, 1536), np.uint8)
        for i, (_, _, octets, _) in enumerate(datagrams):
            data[i, : len(octets)] = np.frombuffer(octets, np.uint8)
        return Batch(
            data,
            np.array([len(octets) for _, _, octets, _ in datagrams], np.int32),
            np.array([port for port, _, _, _ in datagrams], np.int32),
            np.frombuffer(b"".join(name for _, name, _, _ in datagrams), np.uint8).reshape(n, NAME),
            np.array([at for _, _, _, at in datagrams]),
        )

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / TICK)):
            self.step()

    def step(self) -> None:
        self.now += TICK
        for far in self.fars:
            far.speak(self.now)
        come = sorted((one for one in self.air if one[0] <= self.now), key=lambda one: one[0])
        self.air = [one for one in self.air if one[0] > self.now]
        if come:
            self.receive(*((port, name, data, at) for at, port, name, data in come))
        self.engine.ahead()
        outgoing, facts = self.engine.tick(self.now)
        self.facts += facts
        by_name = {(far.to, far.name): far for far in self.fars}
        by_beside = {(far.to, far.beside): far for far in self.fars}
        for one in each(chain(outgoing.parts, outgoing.later)):
            to = by_name.get((one.port, one.name))
            assert to is not None, "sent to nobody"
            _, second, sequence, timestamp, ssrc = struct.unpack("!BBHII", one.data[:12])
            to.packets.append((sequence, timestamp, second >> 7, second & 127, ssrc))
            to.payloads.append(one.data[12:])
        for one in each(outgoing.reports):
            if (to := by_beside.get((one.port, one.name))) is not None:  # or a goodbye to one that is gone
                to.reports.append((self.now, one.data))

    def all(self, kind: type[T]) -> list[T]:
        return [fact for fact in self.facts if isinstance(fact, kind)]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def new_world() -> type[World]:
    return World
