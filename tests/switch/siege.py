"""A call in an engine that is attacked: the same seconds with and without what attackers send, in virtual time.

A caller on plain RTP and a page on SRTP talk, and are recorded. Beside them are legs whose far sides may send what they
like (the prey), and addresses that are nobody's. `Siege` has two engines with the same seed. Both hear the call, packet
by packet the same; only one hears the attack. What the call is sent, what is recorded of it and what is told of it must
be the same in both, sample by sample.
"""

from __future__ import annotations

import struct
from collections import Counter
from random import Random
from typing import Final

import numpy as np
from attrs import define, field, frozen
from cordboard.codecs import g711
from cordboard.codecs.opus import OpusEncoder
from cordboard.switch import protocol
from cordboard.switch.browsers import Browsers
from cordboard.switch.coders import Coders
from cordboard.switch.engine import Engine
from cordboard.switch.points import Point
from cordboard.switch.ports import LocalPort
from cordboard.switch.protocol import Codec
from cordboard.switch.seams import Batch, Datagram
from cordboard.switch.sockaddr import NAME, socket_name
from cordboard.switch.webrtc import Limits, WebrtcTransport
from pylibsrtp import Session

from .conftest import Shelf, each
from .webrtc_peer import IDENTITY, Browser, secrets

TICK: Final = 0.020
POOL: Final = (*(LocalPort("192.0.2.1", 20002 + 2 * i) for i in range(4)), LocalPort("2001:db8::1", 20002))
BROWSERS_PORT: Final = len(POOL)
CALL: Final = ("caller", "page")
PCMU: Final = Codec("pcmu", 0, 101)


@frozen
class Sent:
    """A datagram on its way to us: the number of our socket, the source as a sockaddr; `beside`, on RTCP's ports."""

    port: int
    name: bytes
    data: bytes
    beside: bool = False


def batch(datagrams: list[Sent], now: float) -> Batch:
    data = np.zeros((len(datagrams), 1536), np.uint8)
    for i, one in enumerate(datagrams):
        data[i, : len(one.data)] = np.frombuffer(one.data, np.uint8)
    names = np.frombuffer(b"".join(one.name for one in datagrams), np.uint8).reshape(-1, NAME)
    ports = np.array([one.port for one in datagrams], np.int32)
    return Batch(data, np.array([len(one.data) for one in datagrams], np.int32), ports, names, np.full(len(ports), now))


@define
class Voice:
    """RTP of a far side, a tone."""

    hertz: float
    ssrc: int
    codec: Codec = PCMU
    sequence: int = 65_000  # so that it wraps
    timestamp: int = 2**32 - 40_000
    _said: int = 0
    _payloads: list[bytes] = field(factory=list)  # half a second of it, again and again

    def __attrs_post_init__(self) -> None:
        opus = OpusEncoder(8000)
        pcm = np.rint(8000 * np.sin(2 * np.pi * self.hertz / 8000 * np.arange(4000))).astype(np.int16)
        for frame in pcm.reshape(-1, 160):
            match self.codec.name:
                case "pcmu":
                    self._payloads.append(g711.encode_ulaw(frame).tobytes())
                case "pcma":
                    self._payloads.append(g711.encode_alaw(frame).tobytes())
                case "opus":
                    self._payloads += opus.encode(frame)

    def packet(self) -> bytes:
        packet = self.header() + self._payloads[self._said % len(self._payloads)]
        self._said += 1
        self.sequence = self.sequence + 1 & 0xFFFF
        self.timestamp = self.timestamp + (960 if self.codec.name == "opus" else 160) & 0xFFFFFFFF
        return packet

    def header(self, payload_type: int | None = None) -> bytes:
        kind = self.codec.payload_type if payload_type is None else payload_type
        return struct.pack("!BBHII", 0x80, kind, self.sequence, self.timestamp, self.ssrc)


class Stage:
    """One engine with the call and the prey, all legs open, the pages connected but for those in `unfinished`."""

    def __init__(self, seed: int) -> None:
        self.now = 0.0
        self.transport = WebrtcTransport(IDENTITY, secrets(seed), Limits(legs=16))
        self.shelf = Shelf()
        self.engine = Engine(
            ports=POOL,
            advertise=lambda index, peer: (POOL[index].address, POOL[index].port),
            rng=np.random.default_rng(seed),
            now=self.now,
            secure=Browsers(self.transport, [Point("main", "Main", lambda peer: (("192.0.2.1", 20000),))]),
            opus=Coders(),
            sink=self.shelf,
            capacity=32,
        )
        self.facts: list[protocol.Fact] = []
        self.names: dict[str, bytes] = {}  # where the far side of each leg is
        self.ports: dict[str, int] = {}  # ... and at which of our sockets it is heard
        self.pages: dict[str, Browser] = {}
        self.sessions: dict[str, tuple[Session, Session]] = {}
        self.heard: dict[str, list[bytes]] = {}  # RTP that each leg was sent, in the clear
        self.replies: list[Datagram] = []  # what was answered at once

        self._dial("caller", "198.51.100.7", 4000, PCMU)
        self._offer("page", "192.0.2.7", 50000, Codec("pcmu", 0))
        self._dial("plain", "198.51.100.8", 4000, PCMU)
        self._dial("six", "2001:db8::8", 4000, Codec("pcma", 8))
        self._offer("secure", "192.0.2.8", 50000, Codec("pcmu", 0, 101))
        self._offer("opus", "192.0.2.9", 50000, Codec("opus", 111, 110))
        for leg in list(self.pages):
            self.connect(leg)
        for leg in ("waiting", "shaking"):
            self.reopen(leg)
        self.command(
            protocol.OpenRecording("r"),
            protocol.Rewire(
                (
                    protocol.Hears("caller", (("page", 1.0),)),
                    protocol.Hears("page", (("caller", 1.0),)),
                    protocol.Hears(protocol.left("r"), (("caller", 1.0),)),
                    protocol.Hears(protocol.right("r"), (("page", 1.0),)),
                    *(protocol.Hears(leg, ((leg, 1.0),)) for leg in ("plain", "six", "secure", "opus")),
                )
            ),
        )

    def command(self, *messages: protocol.Command) -> list[protocol.Fact]:
        return [fact for message in messages for fact in self.engine.command(message, self.now)]

    def reopen(self, leg: str) -> None:
        """A page that passed a check: `waiting` has not begun its handshake, `shaking` is in the midst of it."""
        self._offer(leg, "192.0.2.10", {"waiting": 50000, "shaking": 50001}[leg], Codec("pcmu", 0))
        self.hand(leg, self.pages[leg].check(nominate=True))
        if leg == "shaking":
            self.hand(leg, *self.pages[leg].dtls.step())

    def hand(self, leg: str, *datagrams: bytes) -> list[Datagram]:
        """Datagrams of a leg's far side, at once; what is answered."""
        sent = [Sent(self.ports[leg], self.names[leg], one) for one in datagrams]
        return self.engine.receive(batch(sent, self.now), self.now)

    def _dial(self, leg: str, address: str, port: int, codec: Codec) -> None:
        [opened] = self.command(protocol.OpenRtpLeg(leg, address, port, codec))
        assert isinstance(opened, protocol.LegOpened)
        self.names[leg] = socket_name(address, port)
        self.ports[leg] = POOL.index(LocalPort(opened.address, opened.port))
        self.heard[leg] = []

    def _offer(self, leg: str, address: str, port: int, codec: Codec) -> None:
        page = self.pages[leg] = Browser(leg)
        offer = page.offer()
        [opened] = self.command(
            protocol.OpenWebrtcLeg(leg, address, offer.ice_ufrag, offer.ice_pwd, offer.fingerprints, codec)
        )
        assert isinstance(opened, protocol.WebrtcLegOpened)
        page.answer = opened
        self.names[leg], self.ports[leg] = socket_name(address, port), BROWSERS_PORT
        self.heard[leg] = []

    def connect(self, leg: str) -> None:
        page = self.pages[leg]
        self.hand(leg, page.check(nominate=True))
        datagrams = page.dtls.step()
        while not page.dtls.done:
            datagrams = [answer for one in self.hand(leg, *datagrams) for answer in page.dtls.step(one.data)]
        self.sessions[leg] = page.dtls.sessions()

    def seal(self, leg: str, packet: bytes) -> bytes:
        sealed: bytes = self.sessions[leg][0].protect(packet)
        return sealed

    def step(self, datagrams: list[Sent]) -> list[Datagram]:
        """20 ms in which these came; what was answered at once."""
        self.now += TICK
        front = [one for one in datagrams if not one.beside]
        beside = [one for one in datagrams if one.beside]
        replies = self.engine.receive(batch(front, self.now - TICK / 2), self.now) if front else []
        if beside:
            self.engine.hear_reports(batch(beside, self.now - TICK / 2), self.now)
        outgoing, facts = self.engine.tick(self.now)
        self.facts += facts
        legs = {(self.ports[leg], name): leg for leg, name in self.names.items()}
        for one in each(outgoing.parts):
            leg = legs[one.port, one.name]
            if leg not in self.pages:
                self.heard[leg].append(one.data)
            elif leg in self.sessions and one.data[0] >> 6 == 2 and not 192 <= one.data[1] < 224:
                self.heard[leg].append(self.sessions[leg][1].unprotect(one.data))
        return replies

    def of_call(self) -> list[protocol.Fact]:
        """What was told of the call."""
        return [fact for fact in self.facts if getattr(fact, "leg", None) in CALL]


class Siege:
    """The engine that is attacked and the one that is spared. Legs of both are heard at the same addresses."""

    def __init__(self, seed: int = 1) -> None:
        self.rng = Random(seed)
        self.attacked, self.spared = Stage(seed), Stage(seed)
        self.voices = {
            "caller": Voice(440.0, 0x11111111),
            "page": Voice(700.0, 0x22222222, Codec("pcmu", 0)),
            "plain": Voice(500.0, 0x33333333),
            "six": Voice(600.0, 0x44444444, Codec("pcma", 8)),
            "secure": Voice(800.0, 0x55555555, Codec("pcmu", 0, 101)),
            "opus": Voice(900.0, 0x66666666, Codec("opus", 111, 110)),
        }
        self._ticks = 0

    def step(self, attack: list[Sent], speaking: tuple[str, ...] = CALL) -> list[Datagram]:
        """20 ms with an attack on one of them; what it was answered at once. The call's packets come in its midst."""
        self._ticks += 1
        packets = {leg: self.voices[leg].packet() for leg in speaking}
        replies: list[Datagram] = []
        for stage in (self.attacked, self.spared):
            if self._ticks % 100 == 0:
                stage.command(protocol.Ping(self._ticks))
            mine = []
            for leg, packet in packets.items():
                sealed = stage.seal(leg, packet) if leg in stage.sessions else packet
                mine.append(Sent(stage.ports[leg], stage.names[leg], sealed))
            if self._ticks % 100 == 50:  # browsers ask for consent every 2.5 s
                for leg in stage.sessions:
                    stage.hand(leg, stage.pages[leg].check())
            if stage is self.attacked:
                middle = len(attack) // 2
                replies = stage.step([*attack[:middle], *mine, *attack[middle:]])
            else:
                stage.step(mine)
        for leg in CALL:
            heard, expected = self.attacked.heard[leg], self.spared.heard[leg]
            assert len(heard) == len(expected) == self._ticks
            assert heard[-1] == expected[-1]
        return replies

    def counted(self) -> Counter[str]:
        """What the attacked engine has counted more than the other; both have told within the last tick."""
        more = Counter(self.attacked.engine.counters)
        more.subtract(self.spared.engine.counters)
        return Counter({name: n for name, n in more.items() if n})

    def assert_call_is_whole(self) -> None:
        """The sound, the recording and the facts of the call are those of the engine that was spared."""
        assert self.attacked.of_call() == self.spared.of_call()
        self.attacked.command(protocol.CloseRecording("r"))
        self.spared.command(protocol.CloseRecording("r"))
        sound = self.attacked.shelf.sound("r")
        assert np.array_equal(sound, self.spared.shelf.sound("r"))
        assert (np.abs(sound[:, 8000:].reshape(2, -1, 160)).max(axis=2) > 7000).all()  # a tone, in every frame

    def tone(self, leg: str) -> float:
        """The strongest frequency of what a leg of the attacked engine was sent in the last second, in Hz."""
        codec = self.voices[leg].codec
        decode = {"pcmu": g711.decode_ulaw, "pcma": g711.decode_alaw}[codec.name]
        octets = b"".join(packet[12:] for packet in self.attacked.heard[leg][-50:])
        pcm = decode(np.frombuffer(octets, np.uint8))
        return float(np.abs(np.fft.rfft(pcm * np.hanning(len(pcm)))).argmax()) * 8000 / len(pcm)
