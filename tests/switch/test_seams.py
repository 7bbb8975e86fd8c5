"""The two seams, with the plainest thing that fits each: a transport without encryption, and 48 kHz PCM for a codec."""

import itertools
import math
import struct
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pytest
from attrs import evolve
from cordboard.codecs import g711
from cordboard.codecs.bands import ABOVE, SAMPLES, bit
from cordboard.codecs.opus import Tuning
from cordboard.codecs.opuspacket import Frame
from cordboard.codecs.work import Decoded, Encoded, Upper, Work
from cordboard.switch import protocol
from cordboard.switch.engine import Engine
from cordboard.switch.matrix import lay
from cordboard.switch.ports import LocalPort
from cordboard.switch.seams import NO_PACKETS, Batch, Datagram, Datagrams, Octets, Packets, Rows, SecureInput
from cordboard.switch.sockaddr import NAME, socket_name
from numpy.typing import NDArray

from .conftest import each

PCMU = protocol.Codec("pcmu", 0)
OPUS = protocol.Codec("opus", 111)
TICK = 0.020
SILENCE = b"\xf8\xff\xfe"


class ClearTransport:
    """Legs by their port; the datagram `hello` is answered and connects, `bye` fails."""

    def __init__(self) -> None:
        self.rows: dict[bytes, int] = {}
        self.names: dict[int, bytes] = {}
        self.legs: dict[int, str] = {}
        self.counters: dict[str, int] = {}
        self.probed_at = -math.inf

    def open(self, row: int, command: protocol.OpenWebrtcLeg, now: float) -> protocol.WebrtcLegOpened:
        if command.ice_pwd == "":
            raise ValueError("no password")
        name = socket_name(command.peer, 5000 + row)
        self.rows[name], self.names[row], self.legs[row] = row, name, command.leg
        return protocol.WebrtcLegOpened(command.leg, "u", "p", protocol.Fingerprint("sha-256", "AA"), (("::", 1),))

    def restart(self, row: int, command: protocol.RestartIce, now: float) -> protocol.WebrtcLegOpened:
        return protocol.WebrtcLegOpened(command.leg, "v", "q", protocol.Fingerprint("sha-256", "AA"), (("::", 1),))

    def access_points(self, command: protocol.ListAccessPoints) -> protocol.AccessPoints:
        return protocol.AccessPoints(command.request, "", "", ())

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

    def protect(self, rows: Rows, data: Octets, length: NDArray[np.int32]) -> Datagrams:
        sent = [Datagram(1, self.names[int(row)], data[i, : length[i]].tobytes()) for i, row in enumerate(rows)]
        return Datagrams.of(sent)

    def protect_rtcp(self, rows: Rows, data: Octets) -> Datagrams:
        return Datagrams.of([Datagram(1, self.names[int(row)], data[i].tobytes()) for i, row in enumerate(rows)])

    def deadline(self) -> float:
        return math.inf

    def wake(self, now: float) -> SecureInput:
        return SecureInput([], NO_PACKETS, NO_PACKETS, [])


class HeldSamples:
    """A payload that comes is one sample, held for 20 ms, behind the octet that says so; one that leaves is the sample.
    Decoders say what they were given, and break of a sample of 666. What is begun is to be taken before more is."""

    counters: Mapping[str, int] = MappingProxyType({})

    def __init__(self) -> None:
        self.work: Work[Decoded] | Work[Encoded] = Work(())
        self.given: list[tuple[int, int]] = []  # (row, sample)
        self.frames: dict[int, list[g711.Pcm]] = {}  # what each row was to hear
        self.broken: list[int] = []

    def open(self, row: int) -> None:
        pass

    def tune(self, row: int, tuning: Tuning) -> None:
        pass

    def close(self, row: int) -> None:
        pass

    def forget(self, rows: Rows) -> None:
        pass

    def failed(self) -> list[int]:
        broken, self.broken = self.broken, []
        return broken

    def decode(self, rows: Rows, frames: Sequence[Frame], bands: NDArray[np.uint8]) -> Work[Decoded]:
        assert not list(self.work.results()), "what was begun before is lost"
        samples = [struct.unpack("!xh", packet)[0] for ((_, _, packet, _),) in frames]
        self.given += zip(rows.tolist(), samples, strict=True)
        self.broken += [row for row, sample in zip(rows.tolist(), samples, strict=True) if sample == 666]
        good = np.array([sample not in (666, -1) for sample in samples], np.bool_)
        pcm = np.repeat(np.array(samples, np.int16)[:, None], 160, axis=1)
        upper = []
        for band in ABOVE:
            above = np.flatnonzero(bands & bit(band))
            wide = np.repeat(pcm[above, :1], SAMPLES[band], axis=1)
            upper.append(Upper(band, above, wide, np.zeros(len(above), np.bool_)))
        self.work = work = Work([Decoded(np.arange(len(rows)), pcm, good, upper)])
        return work

    def encode(self, rows: Rows, frames: g711.Pcm, samples: Rows) -> Work[Encoded]:
        assert not list(self.work.results()), "what was begun before is lost"
        for row, frame, many in zip(rows.tolist(), frames.copy(), samples.tolist(), strict=True):
            self.frames.setdefault(row, []).append(frame[:many])
        halves = [np.arange(len(rows))[i::2] for i in (1, 0)]

        def part(index: Rows) -> Encoded:
            # late in the frame: of the one before no filter has anything left there
            octets = frames[index, samples[index] * 3 // 4].astype(">i2")[:, None].view(np.uint8)
            return Encoded(index, np.tile(octets, (1, 8)), np.array([(2, 0)] * len(index), np.int32).reshape(-1, 2))

        self.work = work = Work(part(index) for index in halves)
        return work


def held(packet: bytes) -> int:
    """The sample that a packet holds; 0 of silence."""
    return 0 if packet[12:] == SILENCE else int.from_bytes(packet[12:], "big", signed=True)


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

    def speak(self, late: int = 0, **samples: int) -> None:
        """The leg in each row `r0`, `r1`... sends its next sample, or again one of so many before."""
        for row, sample in samples.items():
            number = self.sequence - late
            header = struct.pack("!BBHII", 0x80, 111, number, number * 960, 7)
            assert self.come(int(row[1:]), header + b"\xf8" + struct.pack("!h", sample)) == []
        self.sequence += not late

    def tick(self, **samples: int) -> tuple[dict[int | None, bytes], list[protocol.Fact]]:
        """One tick, before which the leg in each row `r0`, `r1`... sends a sample; returns payloads by row, facts."""
        self.now += TICK
        self.speak(**samples)
        outgoing, facts = self.engine.tick(self.now)
        every = each(itertools.chain(outgoing.parts, outgoing.later))
        return {self.transport.rows.get(d.name): d.data for d in every}, facts


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
    heard = [held(world.tick()[0][1]) for _ in range(4)]
    assert heard[0] > 1000  # concealed
    assert heard[3] == 0


@pytest.mark.parametrize("telephone_event", [110, None])  # without events its tones are listened to all the time
def test_nothing_is_concealed_with_what_another_listener_heard(telephone_event: int | None) -> None:
    world = Browsers()
    for row, leg in enumerate(("a", "b", "c")):
        world.open(leg, evolve(OPUS, telephone_event=telephone_event))
        world.come(row, b"hello")
    world.engine.command(protocol.Rewire((protocol.Hears("b", (("a", 1.0),)),)), world.now)
    for _ in range(20):
        world.tick(r0=5000)
    world.engine.command(protocol.Rewire((protocol.Hears("b"),)), world.now)
    world.tick(r0=5000)
    world.tick(r0=5000)
    for _ in range(5):
        world.tick()
    world.engine.command(protocol.Rewire((protocol.Hears("c", (("a", 1.0),)),)), world.now)
    assert {world.tick()[0][2][12:] for _ in range(5)} == {SILENCE}
    for _ in range(5):
        world.tick(r0=5000)
    world.tick()
    assert world.tick()[0][2][12:] != SILENCE


def talking(*, ahead: bool = True) -> Browsers:
    """Row 1 hears row 0, which has said 1, 2, ... 10, each half a tick before it is decoded ahead."""
    world = Browsers()
    for row, leg in enumerate(("a", "b")):
        world.open(leg, evolve(OPUS, telephone_event=110))
        world.come(row, b"hello")
    world.engine.command(protocol.Rewire((protocol.Hears("b", (("a", 1.0),)),)), world.now)
    for sample in range(1, 11):
        world.tick(r0=100 * sample)
        if ahead:
            world.engine.ahead()
    return world


def test_what_has_come_is_decoded_half_a_tick_before_it_is_played() -> None:
    world = talking()
    given = len(world.codec.given)
    world.speak(r0=1100)
    world.engine.ahead()
    assert world.codec.given[given:] == []  # the one of the tick before was begun, this one is for the tick after
    sent: dict[int | None, bytes] = {}
    for sample in range(12, 20):
        sent, _ = world.tick(r0=100 * sample)
        world.engine.ahead()
    assert world.codec.given == [(0, 100 * sample) for sample in range(1, world.codec.given[-1][1] // 100 + 1)]
    assert held(sent[1]) == world.codec.given[-2][1]


def test_ahead_or_not_the_same_is_heard() -> None:
    assert talking().tick(r0=1100)[0] == talking(ahead=False).tick(r0=1100)[0]


def test_a_frame_that_was_decoded_ahead_and_waits_is_played_then() -> None:
    world = talking()
    world.engine.ahead()
    for _ in range(3):
        world.engine.ahead()  # again and again: it is decoded once
    before = list(world.codec.given)
    world.speak(late=6, r0=0)  # one that is too late holds the playout
    world.tick(r0=1200)
    world.tick(r0=1300)
    assert world.codec.given[: len(before)] == before
    assert len(set(world.codec.given)) == len(world.codec.given)


def test_a_stream_that_begins_anew_is_not_played_from_the_one_before() -> None:
    world = talking()
    ahead = world.codec.given[-1][1]
    world.sequence = 30000  # and so are timestamps
    heard = []
    for sample in range(50, 60):
        sent, _ = world.tick(r0=100 * sample)
        heard.append(held(sent[1]))
    assert ahead not in heard
    assert heard[-1] > 5000


def test_what_is_no_opus_is_concealed_and_a_codec_that_breaks_ends_its_leg_alone() -> None:
    world = talking()
    for sample in range(11, 30):
        world.tick(r0=100 * sample)
    world.tick(r0=-1)
    heard = [held(world.tick(r0=2000)[0][1]) for _ in range(4)]
    assert min(heard) > 1000
    facts = [*world.tick(r0=666)[1], *(fact for _ in range(3) for fact in world.tick()[1])]
    assert [fact for fact in facts if isinstance(fact, protocol.LegFailed)] == [
        protocol.LegFailed("a", "its codec has crashed")
    ]
    assert world.engine.started("e", 1).legs == ("b",)
    assert world.engine.counters["legs_crashed"] == 1


@pytest.mark.parametrize("rate", [16000, 48000])
def test_a_room_turns_with_its_second_leg_of_more_than_8_khz_and_back_softly(rate: int) -> None:
    world = Browsers()
    gives = protocol.OpusWishes(capture_rate=rate)
    for row, leg in enumerate(("a", "b")):
        world.open(leg, evolve(OPUS, telephone_event=110, opus=gives))
        world.come(row, b"hello")
    world.engine.command(protocol.OpenSource("tone", protocol.Tone(500.0)), world.now)
    alone, both = (("tone", 1.0),), (("tone", 1.0), ("b", 1.0))
    for sources in (alone, both, alone):
        world.engine.command(protocol.Rewire((protocol.Hears("a", sources),)), world.now)
        for _ in range(10):
            world.tick(r1=0)
    heard = world.codec.frames[0]
    n = rate // 50
    assert [len(frame) for frame in heard] == [160] * 11 + [n] * 10 + [160] * 9  # a tick later than the edges
    for turns in (10, 20):
        last = heard[turns]
        assert np.abs(last[: len(last) // 4]).max() > 1000
        assert not last[len(last) // 2 :].any()
    for its, frames in ((8000, heard[:11]), (rate, heard[11:21]), (8000, heard[21:])):
        pcm = np.concatenate(frames).astype(float)[its // 50 :]
        # where edges are edited one step of the tone is missing, and no more
        assert np.abs(np.diff(pcm, 2)).max() < 1.2 * np.abs(heard[5]).max() * 2 * np.pi * 500 / its
    # Who comes to an idle leg is heard at its rate from the first.
    world.engine.command(protocol.Rewire((protocol.Hears("a"),)), world.now)
    for _ in range(3):
        world.tick(r1=0)
    before = len(heard)
    world.engine.command(protocol.Rewire((protocol.Hears("a", both),)), world.now)
    world.tick(r1=0)
    assert [len(frame) for frame in heard[before:]] == [n]


def test_a_digit_is_sent_in_the_place_of_what_is_heard_and_silence_where_nothing_is() -> None:
    world = talking()
    world.engine.command(protocol.SendDigits("b", "5"), world.now)
    sent, _ = world.tick(r0=1100)
    assert sent[1][1] & 0x7F == 110
    assert sent[0][12:] == SILENCE


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


@pytest.mark.parametrize("order", ["tb", "bt", "tbt", "btb"])
def test_a_batch_has_packets_of_both_transports_in_any_order(order: str) -> None:
    world = Browsers()
    world.open("browser", OPUS)
    world.come(0, b"hello")
    world.engine.command(protocol.OpenRtpLeg("trunk", "198.51.100.9", 4000, PCMU), 0.0)
    packets = {
        "b": (1, world.transport.names[0], struct.pack("!BBHIIh", 0x80, 111, 0, 0, 7, 1000)),
        "t": (0, socket_name("198.51.100.9", 4000), struct.pack("!BBHII", 0x80, 0, 0, 0, 8) + bytes(160)),
    }
    port, name, octets = zip(*(packets[one] for one in order), strict=True)
    data, length = lay(octets)
    names = np.frombuffer(b"".join(name), np.uint8).reshape(-1, NAME)
    ports = np.array(port, np.int32)
    assert world.engine.receive(Batch(data, length, ports, names, np.zeros(len(order))), 0.0) == []
    assert world.engine.counters["packets_received"] == len(order)
    assert world.engine.counters["packets_from_strangers"] == 0


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
            world.come(i, header + b"\xf8" + struct.pack("!h", 1000))
        outgoing, _ = world.engine.tick(world.now)
        last = outgoing.parts[0].data[0, 12:172].tobytes()
        list(outgoing.later)
    heard = g711.decode_ulaw(np.frombuffer(last, np.uint8))
    assert (np.abs(heard - 1000 * n) < 80).all()
