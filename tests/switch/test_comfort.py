"""Stories of far sides that send nothing in their pauses, but how loud these are (RFC 3389), or nothing at all; and of
those that send something else meanwhile."""

import struct

import numpy as np
import pytest
from cordboard.codecs import g711
from cordboard.switch import protocol

from .conftest import G722, PCMA, PCMU, Far, World

COMFORT = 13


def pause(world: World, far: Far, level: int) -> None:
    """The far side has nothing more to say, and says so at the time of its next packet."""
    far.source = None
    assert far.next_at is not None
    world.post(far, far.packet(bytes([level, 100, 90]), payload_type=COMFORT), far.next_at)
    far.sequence = far.sequence + 1 & 0xFFFF


def resume(world: World, far: Far, seconds: float, hertz: float) -> None:
    """It speaks again after so long; its clock has gone on."""
    assert far.next_at is not None
    ticks = round(seconds / 0.020)
    far.next_at += ticks * 0.020
    far.timestamp = far.timestamp + 160 * ticks & 0xFFFFFFFF
    far.says(hertz)


def dbov(pcm: g711.Pcm) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(pcm.astype(float) ** 2)) / 32768 + 1e-9))


def frames(far: Far) -> list[float]:
    """The level of each frame that it heard."""
    return [dbov(frame) for frame in far.heard().reshape(-1, 160)]


@pytest.mark.parametrize("codec", [PCMU, PCMA])
@pytest.mark.parametrize("seconds", [0.3, 3.0])
def test_a_pause_is_heard_as_soft_noise_until_speech_comes(world: World, codec: protocol.Codec, seconds: float) -> None:
    a, b = world.far("a", 4000, codec=codec), world.far("b", 4001)
    a.says(440)
    world.hears(b=["a"])
    world.run(2.05)
    pause(world, a, 55)
    world.run(seconds)
    resume(world, a, seconds, 700)
    world.run(1)
    heard = frames(b)
    quiet = [n for n, level in enumerate(heard) if -58 < level < -52]
    loud = [n for n, level in enumerate(heard) if level > -20]
    assert abs(len(quiet) - seconds / 0.020) <= 3
    assert quiet == list(range(quiet[0], quiet[-1] + 1))
    assert loud[-1] - loud[0] + 1 - len(loud) <= len(quiet) + 2  # nothing is between speech and noise, but for an edge
    assert b.tones(0.5) == [700]
    assert sum(fact.concealed_ms for fact in world.all(protocol.LegQuality) if fact.leg == "a") <= 40
    assert not any(fact.lost for fact in world.all(protocol.LegQuality))


def test_the_level_follows_each_word_and_is_never_loud(world: World) -> None:
    a, b = world.far("a", 4000), world.far("b", 4001)
    a.says(440)
    world.hears(b=["a"])
    world.run(1)
    pause(world, a, 60)
    world.run(0.4)
    for level, expected in ((45, -45), (0, -30), (127, -127)):
        world.receive((a.to, a.name, a.packet(bytes([level]), payload_type=COMFORT), world.now))
        world.run(0.4)
        pcm = b.heard(0.2)
        assert not pcm.any() if expected == -127 else abs(dbov(pcm) - expected) < 1


def test_who_does_not_listen_hears_none_and_a_hold_ends_it(world: World) -> None:
    a, b, c = (world.far(name, 4000 + i) for i, name in enumerate("abc"))
    a.says(440)
    world.hears(b=["a"])
    world.run(1)
    pause(world, a, 40)
    world.run(0.5)
    assert b.heard(0.2).any()
    assert not c.heard(0.5).any()
    world.hears(b=[])
    world.run(0.5)
    assert not b.heard(0.4).any()


def test_a_loss_in_speech_is_concealed_as_ever_after_a_pause(world: World) -> None:
    a, b = world.far("a", 4000), world.far("b", 4001)
    a.says(400)
    world.hears(b=["a"])
    world.run(1)
    pause(world, a, 70)
    world.run(0.5)
    resume(world, a, 0.5, 400)
    world.run(0.6)
    lost = iter([True])
    world.lost = lambda far: far is a and next(lost, False)
    world.run(0.4)
    assert min(frames(b)[-20:]) > -20


def concealed(world: World) -> float:
    return sum(fact.concealed_ms for fact in world.all(protocol.LegQuality) if fact.leg == "a")


def loses_one(world: World, far: Far) -> float:
    """What is told to have been concealed of a packet of `far` that is lost."""
    before, lost = concealed(world), iter([True])
    world.lost = lambda one: one is far and next(lost, False)
    world.run(2.5)
    return concealed(world) - before


@pytest.mark.parametrize("codec", [PCMU, G722])
@pytest.mark.parametrize("seconds", [0.06, 0.4, 0.94])
def test_a_pause_without_a_word_is_no_loss(world: World, codec: protocol.Codec, seconds: float) -> None:
    """As silence suppression has it (RFC 3551 §4.1): numbers go on where they were, time does not."""
    a = world.far("a", 4000, codec=codec)
    world.delay = lambda far: world.rng.uniform(0.005, 0.020)
    a.says(440)
    world.run(2)
    for _ in range(6):
        a.source = None
        world.run(seconds)
        resume(world, a, seconds, 440)
        world.run(0.3)
    world.run(2)
    assert concealed(world) == 0
    assert loses_one(world, a) == 20


@pytest.mark.parametrize("every", [1, 3])
def test_keys_in_place_of_sound_are_no_loss(world: World, every: int) -> None:
    """However often a far side reports them; nor are those reports lost that it does not send."""
    a = world.far("a", 4000)
    a.says(440)
    world.run(2)
    for event in range(6):
        assert a.next_at is not None
        a.source, first, ticks = None, a.timestamp, 4 + 5 * event
        reports = [(160 * n, 0) for n in range(1, ticks) if n % every == 0] + [(160 * ticks, 0x80)] * 3
        for duration, end in reports:
            packet = a.packet(struct.pack("!BBH", event, 10 | end, duration), 101, timestamp=first)
            world.post(a, packet, a.next_at + duration / 8000)
            a.sequence = a.sequence + 1 & 0xFFFF
        world.run(ticks * 0.020)
        resume(world, a, ticks * 0.020, 440)
        world.run(0.3)
    world.run(2)
    assert "".join(fact.digit for fact in world.all(protocol.DigitPressed)) == "012345"
    assert concealed(world) == 0
    assert not any(fact.lost for fact in world.all(protocol.LegQuality))
    assert loses_one(world, a) == 20


def test_comfort_noise_before_any_speech_and_of_no_length(world: World) -> None:
    a, b = world.far("a", 4000, codec=G722), world.far("b", 4001)
    world.hears(b=["a"])
    world.receive((a.to, a.name, a.packet(b"", payload_type=COMFORT), world.now))
    world.run(0.2)
    assert not b.heard().any()
    world.receive((a.to, a.name, a.packet(b"\x32", payload_type=COMFORT), world.now))
    world.run(0.4)
    assert abs(dbov(b.heard(0.2)) + 50) < 1
    a.says(440)
    world.run(1)
    assert b.tones(0.5) == [440]
