"""Stories of plain legs that speak Opus: packets of any length, pauses that are not sent, what the far side wants."""

import numpy as np
import pytest
from attrs import evolve
from cordboard.codecs import g711
from cordboard.switch import protocol

from .conftest import OPUS, PCMU, Far, Full, World

LENGTHS = [2.5, 5, 10, 20, 40, 60, 80, 100, 120]


def bend(pcm: g711.Pcm, hertz: float, rate: int = 8000) -> float:
    """How far what is heard of a tone ever bends from it, in parts of its own bend."""
    turn = 2 * np.pi * hertz / rate
    heard = pcm.astype(float)
    residue = heard[2:] - 2 * np.cos(turn) * heard[1:-1] + heard[:-2]
    return float(np.abs(residue).max() / (8000 * turn**2))


def concealed(world: World, leg: str) -> float:
    return sum(fact.concealed_ms for fact in world.all(protocol.LegQuality) if fact.leg == leg)


def test_an_echo_leg_hears_itself_on_the_clock_of_rfc_7587(world: World) -> None:
    a = world.far("a", 4000, codec=OPUS)
    a.says(440)
    world.hears(a=["a"])
    world.run(2)
    assert len(a.packets) == 100
    assert {packet[3] for packet in a.packets} == {107}
    assert set(np.diff(np.array([packet[1] for packet in a.packets], np.uint32)).tolist()) == {960}
    assert set(np.diff(np.array([packet[0] for packet in a.packets], np.uint16)).tolist()) == {1}
    assert a.tones() == [440]
    assert np.abs(a.heard(1.0)).max() == pytest.approx(8000, rel=0.2)


@pytest.mark.parametrize("application", ["voip", "audio"])
@pytest.mark.parametrize("ptime", LENGTHS)
def test_packets_of_any_length_are_played_whole(world: World, ptime: float, application: str) -> None:
    """SILK has frames of 10 to 60 ms, CELT of 2.5 to 20; longer packets hold several."""
    a, b = world.far("a", 4000, codec=OPUS), world.far("b", 4001)
    a.voice, a.ptime = Full(application), ptime
    a.says(440)
    world.hears(b=["a"])
    world.run(3)
    assert b.tones() == [440]
    assert bend(b.heard(1.0), 440) < 1.5  # a cut is ten times that
    assert np.abs(b.heard(1.0)).max() == pytest.approx(8000, rel=0.15)
    print(f"{ptime:g} ms: {concealed(world, 'a'):g} ms concealed")
    assert concealed(world, "a") <= 40


@pytest.mark.parametrize("ptime", [20, 60])
def test_stereo_is_heard_as_mono(world: World, ptime: float) -> None:
    a, b = world.far("a", 4000, codec=OPUS), world.far("b", 4001)
    a.voice, a.ptime = Full(stereo=True), ptime
    a.says(440)
    world.hears(b=["a"])
    world.run(2)
    assert b.tones() == [440]
    assert np.abs(b.heard(1.0)).max() == pytest.approx(4000, rel=0.15)  # half of both


def test_padding_and_any_code_of_packets_are_read(world: World) -> None:
    """The same frames, each packet with another code of §3.2 and with padding: nothing of it is heard."""
    a, b = world.far("a", 4000, codec=OPUS), world.far("b", 4001)

    class Padded(Full):
        made = 0

        def encode(self, pcm: g711.Pcm) -> bytes:
            packet = super().encode(pcm)
            self.made += 1
            if packet[0] & 3 or self.made % 2:
                return packet
            # code 3, with padding: of 300 octets as two octets of length, 255 and 46 (§3.2.5)
            return bytes([packet[0] | 3, 0x41, 255, 46]) + packet[1:] + bytes(300)

    a.voice = Padded()
    a.says(440)
    world.hears(b=["a"])
    world.run(2)
    assert b.tones() == [440]
    assert bend(b.heard(1.0), 440) < 1.5


@pytest.mark.parametrize(
    "junk", [b"", b"\x03", b"\x03\x00", b"\xfb\x3f" + bytes(20), b"\xff" * 10, b"\xfc" + b"\xff" * 1300]
)
def test_what_is_no_opus_is_as_good_as_lost(world: World, junk: bytes) -> None:
    a, b = world.far("a", 4000, codec=OPUS), world.far("b", 4001)

    class Broken(Full):
        made = 0

        def encode(self, pcm: g711.Pcm) -> bytes:
            self.made += 1
            return junk if self.made == 70 else super().encode(pcm)

    a.voice = Broken()
    a.says(400)
    world.hears(b=["a"])
    world.run(2)
    assert not world.all(protocol.LegFailed)
    loud = np.sqrt(np.mean(b.heard(1.0).astype(float).reshape(-1, 160) ** 2, axis=1))
    assert loud.min() > 0.5 * loud.max()


@pytest.mark.parametrize("codec", [OPUS, PCMU])
def test_of_a_long_packet_that_came_late_the_rest_is_played(world: World, codec: protocol.Codec) -> None:
    """60 ms, of which two frames are too late and the playout waits for a third: it does not miss that, and play on."""
    a = world.far("a", 4000, codec=codec)
    world.far("b", 4001)
    a.ptime = 60
    a.says(440)
    world.hears(b=["a"])
    world.run(3)
    before = concealed(world, "a")
    late = iter([0.035])
    world.delay = lambda far: 0.005 + (next(late, 0.0) if far is a else 0.0)
    world.run(4)
    assert concealed(world, "a") - before == 60


def sent_in_pauses(world: World, far: Far, seconds: float) -> None:
    """One packet without sound each 400 ms, as DTX has it (RFC 7587 §3.1.3)."""
    for n in range(round(seconds / 0.4)):
        world.post(far, far.packet(b"\x08"), world.now + 0.4 * n + 0.001)
        far.sequence = far.sequence + 1 & 0xFFFF
        far.timestamp = far.timestamp + 19200 & 0xFFFFFFFF


def test_pauses_of_dtx_are_silence_and_no_loss(world: World) -> None:
    a, b = world.far("a", 4000, codec=OPUS), world.far("b", 4001)
    a.says(440)
    world.hears(b=["a"])
    world.run(2)
    told, a.source = concealed(world, "a"), None
    sent_in_pauses(world, a, 4.0)
    a.next_at = world.now + 4.0
    world.run(4)
    assert not b.heard(3.5).any()
    a.says(700)
    world.run(3)
    assert b.tones() == [700]
    assert concealed(world, "a") - told <= 60
    assert not any(fact.lost for fact in world.all(protocol.LegQuality))


def test_what_a_far_side_plays_no_more_of_it_is_not_sent(world: World) -> None:
    """Of who says that it plays 8 kHz (maxplaybackrate) a wideband talker does not make a wideband listener."""
    narrow = evolve(OPUS, opus=protocol.OpusWishes(playback_rate=8000))
    a, b = world.far("a", 4000, codec=OPUS), world.far("b", 4001, codec=narrow)
    c = world.far("c", 4002, codec=OPUS)
    a.says(5000)
    world.hears(b=["a"], c=["a"])
    world.run(2)
    spectrum = np.abs(np.fft.rfft(c.heard(1.0)))
    assert spectrum[4990:5011].max() > 0.1 * 24000 * 8000
    assert np.abs(np.fft.rfft(b.heard(1.0)))[4000:].max() < 0.01 * spectrum.max()
    assert all(payload[0] >> 3 <= 3 or 16 <= payload[0] >> 3 <= 19 for payload in b.payloads[5:])  # of 8 kHz (§3.1)


def test_a_leg_turns_to_opus_in_a_call_and_back(world: World) -> None:
    a, b = world.far("a", 4000), world.far("b", 4001)
    b.says(660)
    world.hears(a=["b"], b=["a"])
    for codec, hertz in ((OPUS, 440), (PCMU, 500), (evolve(OPUS, payload_type=98), 550)):
        world.run(0.1)
        world.do(protocol.UpdateRtpLeg("a", "198.51.100.7", 4000, codec))
        world.fars.remove(a)
        a = Far(world, "198.51.100.7", 4000, codec, a.to)
        world.fars.append(a)
        a.says(hertz)
        world.run(1.5)
        assert {packet[3] for packet in a.packets} == {codec.payload_type}
        assert a.loudest() == 660
        assert b.tones() == [hertz]


def test_payload_types_may_differ_by_direction(world: World) -> None:
    """RFC 3264 §5.1: each side is sent what its own description says."""
    codec = evolve(OPUS, heard_type=96, heard_event=97)
    a, b = world.far("a", 4000, codec=codec), world.far("b", 4001)
    a.codec = evolve(codec, payload_type=96)
    a.says(440)
    b.says(660)
    world.hears(a=["b"], b=["a"])
    world.run(1.5)
    assert b.tones() == [440]
    assert a.loudest() == 660
    assert {packet[3] for packet in a.packets} == {107}
    for duration in (480, 960, 1440):
        end = 0x80 if duration == 1440 else 0
        report = bytes([5, end | 10, duration >> 8, duration & 255])
        world.receive((a.to, a.name, a.packet(report, payload_type=97), world.now))
    world.run(0.5)
    assert [(fact.digit, fact.duration_ms) for fact in world.all(protocol.DigitPressed)] == [("5", 30)]
    world.do(protocol.SendDigits("a", "1", 60, 60))
    world.run(0.5)
    assert {packet[3] for packet in a.packets} == {107, 102}
    count = sum(world.engine.counters[name] for name in ("packets_of_wrong_type", "packets_invalid"))
    assert count == 0


def test_events_on_another_clock_than_the_codecs_are_as_long(world: World) -> None:
    """Who has Opus and telephone-event/8000 alone counts events by that."""
    a = world.far("a", 4000, codec=evolve(OPUS, event_clock=8000))
    report = bytes([7, 0x80 | 10, 960 >> 8, 960 & 255])
    world.receive((a.to, a.name, a.packet(report, payload_type=102), world.now))
    world.run(0.5)
    assert [fact.duration_ms for fact in world.all(protocol.DigitPressed)] == [120]
    world.do(protocol.SendDigits("a", "4", 60, 60))
    world.run(0.3)
    reports = [payload for payload, packet in zip(a.payloads, a.packets, strict=True) if packet[3] == 102]
    assert [int.from_bytes(one[2:], "big") for one in reports] == [160, 320, 480, 480, 480]
