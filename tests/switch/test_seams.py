"""The two seams, with the plainest thing that fits each: a transport without encryption, and 48 kHz PCM for a codec."""

import math
import struct
from collections.abc import Sequence

import numpy as np
import pytest
from attrs import evolve
from cordboard.codecs import g711
from cordboard.switch import protocol
from cordboard.switch.engine import Engine
from cordboard.switch.ports import LocalPort, socket_name
from cordboard.switch.seams import NO_PACKETS, Batch, Datagram, Octets, Packets, Rows, SecureInput
from numpy.typing import NDArray

PCMU = protocol.Codec("pcmu", 0)
OPUS = protocol.Codec("opus", 111)
TICK = 0.020


class ClearTransport:
    """Legs by their port; the datagram `hello` is answered and connects, `bye` fails."""

    def __init__(self) -> None:
        self.rows: dict[bytes, int] = {}
        self.names: dict[int, bytes] = {}
        self.legs: dict[int, str] = {}
        self.counters: dict[str, int] = {}

    def open(self, row: int, command: protocol.OpenWebrtcLeg, now: float) -> protocol.WebrtcLegOpened:
        if command.ice_pwd == "":
            raise ValueError("no password")
        name = socket_name(command.peer, 5000 + row)
        self.rows[name], self.names[row], self.legs[row] = row, name, command.leg
        return protocol.WebrtcLegOpened(command.leg, "u", "p", protocol.Fingerprint("sha-256", "AA"), (("::", 1),))

    def close(self, row: int, now: float) -> list[Datagram]:
        name = self.names.pop(row)
        del self.rows[name]
        return [Datagram(1, name, b"closed")]

    def receive(self, batch: Batch, now: float) -> SecureInput:
        replies: list[Datagram] = []
        facts: list[protocol.Fact] = []
        media: list[int] = []
        for i in range(len(batch.port)):
            name = batch.name[i].tobytes()
            octets = batch.data[i, : batch.length[i]].tobytes()
            if octets == b"hello":
                replies.append(Datagram(int(batch.port[i]), name, b"hello back"))
                facts.append(protocol.LegConnected(self.legs[self.rows[name]]))
            elif octets == b"bye":
                facts.append(protocol.LegFailed(self.legs[self.rows[name]], "closed by the far side"))
            else:
                media.append(i)
        rows = np.array([self.rows[batch.name[i].tobytes()] for i in media], np.intp)
        rtp = Packets(rows, batch.data[media], batch.length[media], batch.at[media])
        return SecureInput(replies, rtp, NO_PACKETS, facts)

    def protect(self, rows: Rows, data: Octets, length: NDArray[np.int32]) -> list[Datagram]:
        return [Datagram(1, self.names[int(row)], data[i, : length[i]].tobytes()) for i, row in enumerate(rows)]

    def protect_rtcp(self, rows: Rows, data: Octets) -> list[Datagram]:
        return [Datagram(1, self.names[int(row)], data[i].tobytes()) for i, row in enumerate(rows)]

    def deadline(self) -> float:
        return math.inf

    def wake(self, now: float) -> SecureInput:
        return SecureInput([], NO_PACKETS, NO_PACKETS, [])


class HeldSamples:
    """A payload is one sample, held for 20 ms."""

    def __init__(self) -> None:
        self.lost = 0

    def open(self, row: int) -> None:
        pass

    def close(self, row: int) -> None:
        pass

    def decode(self, rows: Rows, payloads: Sequence[bytes | None]) -> g711.Pcm:
        self.lost += sum(payload is None for payload in payloads)
        held = [0 if payload is None else struct.unpack("!h", payload)[0] for payload in payloads]
        return np.repeat(np.array(held, np.int16)[:, None], 960, axis=1)

    def encode(self, rows: Rows, pcm: g711.Pcm) -> list[bytes]:
        return [struct.pack("!h", int(frame[80])) for frame in pcm]


class Browsers:
    def __init__(self) -> None:
        self.transport, self.codec, self.now = ClearTransport(), HeldSamples(), 0.0
        self.engine = Engine(
            ports=(LocalPort("192.0.2.1", 20002),),
            advertise=lambda index, peer: ("192.0.2.1", 20002),
            rng=np.random.default_rng(1),
            now=0.0,
            secure=self.transport,
            opus=self.codec,
            capacity=64,
        )
        self.sequence = 0

    def open(self, leg: str, codec: protocol.Codec) -> None:
        (fact,) = self.engine.command(protocol.OpenWebrtcLeg(leg, "198.51.100.7", "u", "p", (), codec), self.now)
        assert isinstance(fact, protocol.WebrtcLegOpened)

    def come(self, row: int, octets: bytes) -> list[Datagram]:
        data = np.zeros((1, 64), np.uint8)
        data[0, : len(octets)] = np.frombuffer(octets, np.uint8)
        name = np.frombuffer(self.transport.names[row], np.uint8).reshape(1, -1)
        one = np.ones(1, np.int32)
        return self.engine.receive(Batch(data, one * len(octets), one, name, np.array([self.now])), self.now)

    def tick(self, **samples: int) -> tuple[dict[int | None, bytes], list[protocol.Fact]]:
        """One tick, before which the leg in each row `r0`, `r1`... sends a sample; returns payloads by row, facts."""
        self.now += TICK
        for row, sample in samples.items():
            header = struct.pack("!BBHII", 0x80, 111, self.sequence, self.sequence * 960, 7)
            assert self.come(int(row[1:]), header + struct.pack("!h", sample)) == []
        self.sequence += 1
        outgoing, facts = self.engine.tick(self.now)
        assert len(outgoing.port) == 0
        return {self.transport.rows.get(d.name): d.data for d in outgoing.datagrams}, facts


def test_two_browsers_talk_in_opus() -> None:
    world = Browsers()
    world.open("a", OPUS)
    world.open("b", OPUS)
    world.engine.command(protocol.Rewire((protocol.Hears("b", (("a", 1.0),)),)), world.now)
    assert world.tick()[0] == {}  # not connected: nothing is sent
    assert [d.data for d in world.come(0, b"hello")] == [b"hello back"]
    world.come(1, b"hello")
    facts: list[protocol.Fact] = []
    for _ in range(50):
        sent, more = world.tick(r0=5000)
        facts += more
    assert facts[:2] == [protocol.LegConnected("a"), protocol.LegConnected("b")]
    assert abs(struct.unpack("!h", sent[1][12:])[0] - 5000) < 5
    assert sent[0][12:] == b"\xf8\xff\xfe"
    one, two = (struct.unpack("!BBHII", world.tick(r0=5000)[0][1][:12]) for _ in range(2))
    assert (two[2] - one[2], two[3] - one[3]) == (1, 960)
    assert one[1] == 111
    world.tick()
    world.tick()
    world.tick()
    assert world.codec.lost > 0


@pytest.mark.parametrize("telephone_event", [110, None])  # without events its tones are listened to all the time
def test_a_decoder_conceals_nothing_with_what_another_listener_heard(telephone_event: int | None) -> None:
    world = Browsers()
    for leg in ("a", "b", "c"):
        world.open(leg, evolve(OPUS, telephone_event=telephone_event))
    world.engine.command(protocol.Rewire((protocol.Hears("b", (("a", 1.0),)),)), world.now)
    for _ in range(20):
        world.tick(r0=5000)
    world.engine.command(protocol.Rewire((protocol.Hears("b"),)), world.now)
    world.tick(r0=5000)
    world.tick(r0=5000)
    for _ in range(5):
        world.tick()
    world.engine.command(protocol.Rewire((protocol.Hears("c", (("a", 1.0),)),)), world.now)
    lost = world.codec.lost
    for _ in range(5):
        world.tick()
    assert world.codec.lost == lost
    for _ in range(5):
        world.tick(r0=5000)
    for _ in range(5):
        world.tick()
    assert world.codec.lost > lost


def test_a_g711_browser_goes_through_the_same_matrix() -> None:
    world = Browsers()
    world.open("a", PCMU)
    world.come(0, b"hello")
    sent, _ = world.tick()
    assert sent[0][12:] == b"\xff" * 160


def test_a_leg_that_fails_is_closed_and_one_that_is_closed_says_so() -> None:
    world = Browsers()
    world.open("a", OPUS)
    world.open("b", OPUS)
    world.come(0, b"bye")
    sent, facts = world.tick()
    assert facts == [protocol.LegFailed("a", "closed by the far side")]
    assert sent == {None: b"closed"}
    assert world.engine.started("e", 1).legs == ("b",)


def test_a_refusal_of_the_transport_is_told() -> None:
    world = Browsers()
    command = protocol.OpenWebrtcLeg("a", "198.51.100.7", "u", "", (), OPUS)
    assert world.engine.command(command, 0.0) == [protocol.LegRefused("a", "no password")]
    assert world.engine.started("e", 1).legs == ()


@pytest.mark.parametrize("n", [1, 3])
def test_legs_of_both_transports_hear_each_other(n: int) -> None:
    world = Browsers()
    for i in range(n):
        world.open(f"browser{i}", OPUS)
        world.come(i, b"hello")
    world.engine.command(protocol.OpenRtpLeg("trunk", "198.51.100.9", 4000, PCMU), 0.0)
    edges = (protocol.Hears("trunk", tuple((f"browser{i}", 1.0) for i in range(n))),)
    world.engine.command(protocol.Rewire(edges), world.now)
    last = b""
    for sequence in range(20):
        world.now += TICK
        for i in range(n):
            header = struct.pack("!BBHII", 0x80, 111, sequence, sequence * 960, 7)
            world.come(i, header + struct.pack("!h", 1000))
        outgoing, _ = world.engine.tick(world.now)
        last = outgoing.data[0, 12:172].tobytes()
    heard = g711.decode_ulaw(np.frombuffer(last, np.uint8))
    assert (np.abs(heard - 1000 * n) < 80).all()
