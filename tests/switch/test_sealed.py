"""Trunks' legs under SRTP in the engine: keys both ways, strangers to them, other keys in a call, and other engines."""

from __future__ import annotations

import struct
from base64 import b64decode, b64encode
from itertools import chain
from random import Random

import numpy as np
import pytest
from attrs import evolve
from cordboard.codecs import g711
from cordboard.switch import protocol
from cordboard.switch.engine import Engine
from cordboard.switch.ports import LocalPort
from cordboard.switch.protocol import Srtp, SrtpKey, Suite
from cordboard.switch.sealed import LENGTHS, SUITES
from cordboard.switch.sockaddr import socket_name
from cordboard.switch.winding import Key
from pylibsrtp import Policy, Session

from .conftest import OPUS, PCMA, PCMU, TICK, World, each
from .webrtc_peer import rtp

ADDRESS, PORT = "198.51.100.7", 4000
POLICIES: dict[Suite, int] = {
    "AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}
FRAME = g711.encode_ulaw(np.full(160, 3000, np.int16)).tobytes()


def key(suite: Suite, seed: int) -> SrtpKey:
    return SrtpKey(suite, b64encode(Random(seed).randbytes(LENGTHS[suite])).decode())


def sessions(theirs: SrtpKey, ours: SrtpKey) -> tuple[Session, Session]:
    """What a far side encrypts with, and what it decrypts with."""
    out, back = (Key(POLICIES[one.suite], b64decode(one.key)) for one in (theirs, ours))
    return out.outbound(), back.inbound()


class Line:
    """A leg under SRTP that hears itself, and its far side."""

    def __init__(self, world: World, suite: Suite = SUITES[0], *, answers: bool = False, nat: bool = False) -> None:
        """`answers`: our offer comes first."""
        self.world = world
        self.heard = key(suite, 1)
        self.sequence, self.ssrc = 65000, 77
        self.packets: list[bytes] = []  # as they came
        self.reports: list[bytes] = []
        port = 0 if answers else PORT
        self.keys = self.told(
            protocol.OpenRtpLeg(
                "a", ADDRESS, port, PCMU, nat, srtp=Srtp(None if answers else self.heard), peer="203.0.113.9"
            )
        )
        if answers:
            self.keys = self.update(Srtp(self.heard, self.keys))
        self.rekey()
        world.hears(a=["a"])

    def told(self, command: protocol.Command) -> tuple[SrtpKey, ...]:
        (fact,) = self.world.do(command)
        assert isinstance(fact, protocol.LegOpened), fact
        self.to = self.world.index(fact)
        return fact.keys

    def update(self, srtp: Srtp, port: int = PORT) -> tuple[SrtpKey, ...]:
        return self.told(protocol.UpdateRtpLeg("a", ADDRESS, port, PCMU, srtp=srtp))

    @property
    def ours(self) -> SrtpKey:
        """The key that we are sent with."""
        return next(one for one in self.keys if one.suite == self.heard.suite)

    def rekey(self) -> None:
        self.out, self.back = sessions(self.heard, self.ours)

    def sealed(self) -> bytes:
        self.sequence += 1
        return self.out.protect(rtp(self.sequence & 0xFFFF, ssrc=self.ssrc, payload=FRAME))

    def speak(self, data: bytes | None = None, address: str = ADDRESS, port: int = PORT) -> None:
        data = self.sealed() if data is None else data
        self.world.receive((self.to, socket_name(address, port), data, self.world.now))

    def run(self, ticks: int, *, speaks: bool = True) -> None:
        for _ in range(ticks):
            if speaks:
                self.speak()
            self.world.now += TICK
            outgoing, facts = self.world.engine.tick(self.world.now)
            self.world.facts += facts
            self.packets += [one.data for one in each(chain(outgoing.parts, outgoing.later))]
            self.reports += [one.data for one in each(outgoing.reports)]

    def opened(self, last: int = 20) -> list[bytes]:
        """What the far side makes of the last packets."""
        return [self.back.unprotect(one) for one in self.packets[-last:]]

    def hears_itself(self) -> bool:
        return any(one[12:] == FRAME for one in self.opened())

    @property
    def counters(self) -> dict[str, int]:
        return dict(self.world.engine.counters)


@pytest.fixture(params=SUITES)
def suite(request: pytest.FixtureRequest) -> Suite:
    found: Suite = request.param
    return found


@pytest.mark.parametrize("answers", [False, True])
def test_each_suite_both_ways(world: World, suite: Suite, answers: bool) -> None:
    """Their offer, and ours: what they say comes back, and none of it is on the wire as it is."""
    line = Line(world, suite, answers=answers)
    assert [one.suite for one in line.keys] == list(SUITES)
    assert len({one.key for one in line.keys}) == len(SUITES)
    line.run(40)
    assert line.hears_itself()
    assert not any(FRAME in one for one in line.packets)
    assert line.counters["packets_received"] == 40
    assert not [name for name in line.counters if name.startswith("srtp_")]


def test_what_is_not_encrypted_with_the_key_is_counted_and_not_heard(world: World) -> None:
    line = Line(world)
    stranger, _ = sessions(key(line.heard.suite, 2), line.ours)
    for number in range(10):
        line.speak(stranger.protect(rtp(number, ssrc=line.ssrc, payload=FRAME)))
        line.speak(rtp(number, ssrc=line.ssrc, payload=FRAME))
        line.run(1, speaks=False)
    assert line.counters["srtp_unauthentic"] == 20
    assert not line.counters.get("packets_received")
    line.run(30)
    assert line.hears_itself()
    replayed = line.sealed()
    line.speak(replayed)
    line.speak(replayed)
    assert line.counters["srtp_replayed"] == 1


def test_reports_are_encrypted_both_ways(world: World) -> None:
    line = Line(world)
    line.run(260)
    assert line.reports
    report = line.back.unprotect_rtcp(line.reports[0])
    assert report[1] == 200
    (ssrc,) = struct.unpack("!I", report[4:8])
    block = struct.pack("!IIIIII", ssrc, 64 << 24, 0, 8, 0, 0)
    theirs = struct.pack("!BBHI", 0x81, 201, 7, line.ssrc) + block
    plain = (line.to, socket_name(ADDRESS, PORT + 1), theirs, world.now)
    world.reports(plain)
    assert "packets_rtcp" not in line.counters
    assert line.counters["srtp_unauthentic"] == 1
    world.reports((line.to, socket_name(ADDRESS, PORT + 1), line.out.protect_rtcp(theirs), world.now))
    assert line.counters["packets_rtcp"] == 1
    line.run(150)
    quality = world.all(protocol.LegQuality)[-1]
    assert quality.far_loss_percent == 25.0


def test_digits_are_heard_and_sent_under_srtp(world: World) -> None:
    line = Line(world)
    line.run(20)
    for number in range(8):
        line.sequence += 1
        header = struct.pack("!BBHII", 0x80, 101, line.sequence & 0xFFFF, 4242, line.ssrc)
        event = struct.pack("!BBH", 5, 0x8A if number > 4 else 10, 160 * (number + 1))
        line.speak(line.out.protect(header + event))
        line.run(1, speaks=False)
    assert [fact.digit for fact in world.all(protocol.DigitPressed)] == ["5"]
    world.do(protocol.SendDigits("a", "7"))
    line.run(12)
    assert any(one[1] & 127 == 101 and one[12] == 7 for one in line.opened(12))


def test_opus_follows_under_srtp(world: World) -> None:
    """What is encoded by threads leaves later, and encrypted as well."""
    line = Line(world)
    wanted = Srtp(line.heard, (line.ours,))
    line.keys = line.told(protocol.UpdateRtpLeg("a", ADDRESS, PORT, OPUS, srtp=wanted))
    world.do(protocol.OpenSource("tone", protocol.Tone(440.0)))
    world.hears(a=["tone"])
    line.run(30, speaks=False)
    opened = line.opened(10)
    assert [one[1] & 127 for one in opened] == [OPUS.payload_type] * 10
    assert min(map(len, opened)) > 12 + 3, "a tone, not silence"


def test_packets_of_another_length_are_encrypted_too(world: World) -> None:
    line = Line(world)
    line.told(
        protocol.UpdateRtpLeg("a", ADDRESS, PORT, evolve(PCMA, packet_ms=40), srtp=Srtp(line.heard, (line.ours,)))
    )
    line.run(30, speaks=False)
    assert {len(one) for one in line.opened(4)} == {12 + 320}


def test_a_new_key_of_theirs_is_taken_without_a_gap(world: World) -> None:
    """What they sent before they knew that we knew is heard too; ours stays."""
    line = Line(world)
    line.run(30)
    before = line.out
    line.heard = key(line.heard.suite, 3)
    assert line.update(Srtp(line.heard, (line.ours,))) == (line.ours,)
    ssrc = line.packets[-1][8:12]
    line.run(10)  # still under the key that was
    assert "srtp_unauthentic" not in line.counters
    line.out, _ = sessions(line.heard, line.ours)
    line.run(20)
    assert line.hears_itself()
    assert line.packets[-1][8:12] == ssrc
    assert "srtp_unauthentic" not in line.counters
    line.speak(before.protect(rtp(line.sequence + 1 & 0xFFFF, ssrc=line.ssrc, payload=FRAME)))
    assert line.counters["srtp_unauthentic"] == 1


def test_who_goes_on_counting_under_a_new_key_is_found(world: World) -> None:
    """RFC 3711 §3.3.1: the rollover counter of a stream outlives its key."""
    line = Line(world)
    line.run(30)
    line.heard = key(line.heard.suite, 3)
    line.update(Srtp(line.heard, (line.ours,)))
    line.out, _ = sessions(line.heard, line.ours)
    for number in range(line.sequence + 1, line.sequence + 2 * 65536, 16384):
        line.out.protect(rtp(number & 0xFFFF, ssrc=line.ssrc))
    line.run(30)
    assert 0 < line.counters["srtp_unauthentic"] < 10
    assert line.hears_itself()


def test_another_suite_is_another_key_and_another_stream(world: World) -> None:
    """There and back: no key of ours encrypts two streams."""
    line = Line(world)
    line.run(10)
    used = {line.ours}
    ssrcs = [line.packets[-1][8:12]]
    for suite in (SUITES[1], SUITES[0]):
        line.heard = key(suite, 4)
        line.keys = line.update(Srtp(line.heard))
        line.rekey()
        assert line.ours not in used
        used.add(line.ours)
        line.packets.clear()
        line.run(30)
        assert line.hears_itself()
        ssrcs.append(line.packets[-1][8:12])
    assert len(set(ssrcs)) == 3


def test_whoever_takes_over_their_media_is_told_a_new_key(world: World) -> None:
    """Far side elsewhere: without keys in the command there are new ones, and a stream of its own for them."""
    line = Line(world)
    line.run(10)
    ssrc, before = line.packets[-1][8:12], line.ours
    line.keys = line.update(Srtp(line.heard), port=PORT + 2)
    assert line.ours != before
    line.rekey()
    line.packets.clear()
    line.run(10, speaks=False)
    assert len(line.opened(10)) == 10
    assert line.packets[-1][8:12] != ssrc


def resumed(world: World, line: Line, engines: int) -> World:
    """Another engine with the leg of the first."""
    other = World(seed=99)
    opening = protocol.OpenRtpLeg(
        "a",
        ADDRESS,
        PORT,
        PCMU,
        local_port=world.ports[line.to].port,
        srtp=Srtp(line.heard, line.keys, engines),
    )
    other.now = world.now + 1.0
    line.world = other
    assert line.told(opening) == line.keys
    other.hears(a=["a"])
    return other


@pytest.mark.parametrize("rounds", [0, 1, 5])
def test_another_engine_goes_on_with_the_keys(world: World, suite: Suite, rounds: int) -> None:
    """However often the far side's numbers began again, which nobody tells; with an SSRC that was not there before."""
    line = Line(world, suite)
    line.run(30)
    seen = {line.packets[-1][8:12]}
    for number in range(line.sequence + 1, line.sequence + rounds * 65536, 16384):
        line.out.protect(rtp(number & 0xFFFF, ssrc=line.ssrc))
    line.sequence += rounds * 65536
    for engines in (1, 2):
        resumed(world, line, engines)
        line.packets.clear()
        line.run(50)
        assert line.hears_itself()
        assert line.packets[-1][8] == engines
        seen.add(line.packets[-1][8:12])
        assert line.counters.get("srtp_unauthentic", 0) <= 4 * rounds
    assert len(seen) == 3


def test_the_longest_call_is_found_again_within_seconds(world: World) -> None:
    """A day: 66 rounds."""
    line = Line(world)
    line.run(5)
    for number in range(line.sequence + 1, line.sequence + 66 * 65536, 32000):
        line.out.protect(rtp(number & 0xFFFF, ssrc=line.ssrc))
    line.sequence += 66 * 65536
    resumed(world, line, 1)
    line.run(260)
    line.packets.clear()
    line.run(20)
    assert line.hears_itself()


def test_a_leg_behind_a_nat_is_wherever_its_key_is(world: World) -> None:
    """A thief's stream teaches nothing, and the first packet under the key everything."""
    line = Line(world, nat=True)
    for number in range(40):
        line.speak(rtp(number, ssrc=line.ssrc, payload=FRAME), "203.0.113.66", 1000)
        line.speak(rtp(number, ssrc=line.ssrc, payload=FRAME), "203.0.113.9", 1000)
        line.run(1, speaks=False)
    assert not line.counters.get("packets_received")
    line.packets.clear()
    line.speak(line.sealed(), "203.0.113.77", 5000)
    assert line.counters["packets_received"] == 1
    world.now += TICK
    outgoing, _ = world.engine.tick(world.now)
    (sent,) = each(outgoing.parts)
    assert sent.name == socket_name("203.0.113.77", 5000)


def test_a_plain_leg_beside_it_is_as_ever(world: World) -> None:
    """In one batch, from one socket, and each is sent its own."""
    line = Line(world)
    far = world.far("plain", 4100)
    world.hears(plain=["a"], a=["plain"])
    for number in range(30):
        plain = rtp(number, ssrc=5, payload=FRAME)
        world.receive(
            (far.to, far.name, plain, world.now), (line.to, socket_name(ADDRESS, PORT), line.sealed(), world.now)
        )
        line.run(1, speaks=False)
    sent = [one for one in line.packets if one[12:] == FRAME]
    assert sent  # the plain one's
    line.packets = [one for one in line.packets if len(one) > 172]
    assert line.hears_itself()
    assert line.counters["packets_received"] == 60


@pytest.mark.parametrize(
    "srtp",
    [
        Srtp(SrtpKey("AEAD_AES_128_GCM", "!")),
        Srtp(SrtpKey("AEAD_AES_128_GCM", b64encode(bytes(30)).decode())),
        Srtp(key(SUITES[0], 1), (key(SUITES[1], 1),)),
        Srtp(key(SUITES[0], 1), engines=256),
        Srtp(key(SUITES[0], 1), engines=-1),
    ],
)
def test_keys_that_are_none_open_nothing(world: World, srtp: Srtp) -> None:
    (fact,) = world.do(protocol.OpenRtpLeg("a", ADDRESS, PORT, PCMU, srtp=srtp))
    assert isinstance(fact, protocol.LegRefused)
    (fact,) = world.do(protocol.OpenRtpLeg("a", ADDRESS, PORT, PCMU))
    assert isinstance(fact, protocol.LegOpened)


def test_a_leg_is_encrypted_from_its_beginning_or_never(world: World) -> None:
    world.do(protocol.OpenRtpLeg("a", ADDRESS, PORT, PCMU), protocol.OpenRtpLeg("b", ADDRESS, PORT, PCMU, srtp=Srtp()))
    for leg, srtp in (("a", Srtp(key(SUITES[0], 1))), ("b", None)):
        (fact,) = world.do(protocol.UpdateRtpLeg(leg, ADDRESS, PORT, PCMU, srtp=srtp))
        assert isinstance(fact, protocol.LegRefused)


def test_without_a_source_of_keys_there_is_no_leg_under_srtp() -> None:
    engine = Engine(
        ports=(LocalPort("192.0.2.1", 20002),),
        advertise=lambda index, peer: ("192.0.2.1", 20002),
        rng=np.random.default_rng(1),
        now=0.0,
    )
    (fact,) = engine.command(protocol.OpenRtpLeg("a", ADDRESS, PORT, PCMU, srtp=Srtp()), 0.0)
    assert isinstance(fact, protocol.LegRefused)


def test_no_key_outlives_its_leg(world: World) -> None:
    line = Line(world)
    line.run(5)
    world.do(protocol.CloseLeg("a"))
    line.run(3, speaks=False)
    goodbye = line.back.unprotect_rtcp(line.reports[-1])
    assert goodbye[-8:-4] == struct.pack("!BBH", 0x81, 203, 1)
    assert not world.engine._sealed.legs
