"""Stories of far sides that ask for packets of another length than 20 ms."""

import itertools

import numpy as np
import pytest
from attrs import evolve
from cordboard.codecs import g711, opuspacket
from cordboard.switch import protocol
from cordboard.switch.gather import OpusGather
from cordboard.switch.legs import Legs

from .conftest import G722, OPUS, PCMA, PCMU, Far, World


@pytest.mark.parametrize("codec", [PCMU, PCMA, G722])
@pytest.mark.parametrize("packet_ms", [10, 20, 30, 40, 50, 60])
def test_a_far_side_gets_packets_as_long_as_it_asks_for(world: World, codec: protocol.Codec, packet_ms: int) -> None:
    a = world.far("a", 4000, codec=evolve(codec, packet_ms=packet_ms))
    b = world.far("b", 4001)
    b.says(440)
    world.hears(a=["b"])
    world.run(3)
    assert {len(payload) for payload in a.payloads} == {8 * packet_ms}
    assert len(a.payloads) == 3000 // packet_ms
    first = a.packets[0]
    assert [packet[0] for packet in a.packets] == [first[0] + i & 0xFFFF for i in range(len(a.packets))]
    steps = np.diff(np.array([packet[1] for packet in a.packets], np.uint32))
    assert set(steps.tolist()) == {8 * packet_ms}
    assert [packet[2] for packet in a.packets] == [1] + [0] * (len(a.packets) - 1)
    assert a.tones() == [440]
    if codec is not G722:
        whole = World()
        plain, other = whole.far("a", 4000, codec=codec), whole.far("b", 4001)
        other.says(440)
        whole.hears(a=["b"])
        whole.run(3)
        assert b"".join(plain.payloads).startswith(b"".join(a.payloads))


def test_a_hold_takes_along_what_waits_and_time_goes_on(world: World) -> None:
    codec = evolve(PCMU, packet_ms=60)
    a, b = world.far("a", 4000, codec=codec), world.far("b", 4001)
    b.says(440, 20000)
    world.hears(a=["b"])
    world.run(1)
    told = len(a.payloads)
    world.do(protocol.UpdateRtpLeg("a", "198.51.100.7", 4000, codec, sends=False))
    world.hears(a=[])
    world.run(0.5)
    assert len(a.payloads) == told
    world.do(protocol.UpdateRtpLeg("a", "198.51.100.7", 4000, codec))
    world.run(0.5)
    after = g711.decode_ulaw(np.frombuffer(b"".join(a.payloads[told:]), np.uint8))
    assert not after.any()
    # 480 of the last packet, 320 that waited and were not sent, and the half second
    assert a.packets[told][1] - a.packets[told - 1][1] & 0xFFFFFFFF == 480 + 320 + 8 * 500
    assert a.packets[told][2] == 1


def test_a_key_is_sent_every_tick_in_the_place_of_sound(world: World) -> None:
    a, b = world.far("a", 4000, codec=evolve(PCMA, packet_ms=30)), world.far("b", 4001)
    b.says(440)
    world.hears(a=["b"])
    world.run(0.5)
    world.do(protocol.SendDigits("a", "5", 100, 60))
    world.run(0.5)
    kinds = [packet[3] for packet in a.packets]
    events = [i for i, kind in enumerate(kinds) if kind == 101]
    assert events == list(range(events[0], events[0] + 7))  # five ticks, and the end twice more
    assert len({a.packets[i][1] for i in events}) == 1
    assert [packet[0] for packet in a.packets] == [a.packets[0][0] + i & 0xFFFF for i in range(len(a.packets))]
    after = a.packets[events[-1] + 1]
    assert after[2] == 1
    assert after[1] - a.packets[events[0]][1] & 0xFFFFFFFF == 7 * 160


def steps_of(far: Far) -> list[int]:
    """How far apart the timestamps of its packets are."""
    return [after[1] - before[1] & 0xFFFFFFFF for before, after in itertools.pairwise(far.packets)]


def told(far: Far) -> None:
    """Nothing is lost between any two of its packets, and each begins where the one before ends."""
    assert [packet[0] for packet in far.packets] == [far.packets[0][0] + i & 0xFFFF for i in range(len(far.packets))]
    assert steps_of(far) == [opuspacket.length(payload) * opuspacket.UNIT for payload in far.payloads[:-1]]


@pytest.mark.parametrize("packet_ms", [10, 20, 30, 40, 50, 60])
def test_packets_of_opus_are_as_long_as_asked_for(world: World, packet_ms: int) -> None:
    """And what is in them is what there is in packets of 20 ms."""
    a, b = world.far("a", 4000, codec=evolve(OPUS, packet_ms=packet_ms)), world.far("b", 4001)
    b.says(440)
    world.hears(a=["b"])
    world.run(1.5)
    told(a)
    lengths = [opuspacket.length(payload) * 2.5 for payload in a.payloads]
    assert set(lengths[-20:]) == {packet_ms}
    assert a.packets[0][2] == 1
    assert not any(packet[2] for packet in a.packets[1:])
    assert a.loudest() == 440
    if packet_ms % 20 == 0:
        other = World()
        c, d = other.far("a", 4000, codec=OPUS), other.far("b", 4001)
        d.says(440)
        other.hears(a=["b"])
        other.run(1.5)
        assert np.array_equal(a.heard(), c.heard()[: len(a.heard())])


@pytest.mark.parametrize("packet_ms", [10, 40, 60])
def test_silence_in_opus_is_as_long_and_costs_no_encoder(world: World, packet_ms: int) -> None:
    a = world.far("a", 4000, codec=evolve(OPUS, packet_ms=packet_ms))
    world.run(1.2)
    told(a)
    assert {opuspacket.length(payload) * 2.5 for payload in a.payloads} == {packet_ms}
    assert len(a.payloads) == 1200 // packet_ms
    assert {frame for payload in a.payloads for frame in opuspacket.split(payload)} == {b"\xff\xfe"}
    assert not a.heard().any()


@pytest.mark.parametrize("packet_ms", [10, 40, 60])
def test_who_comes_and_goes_is_heard_at_once_and_nothing_of_it_is_lost(world: World, packet_ms: int) -> None:
    """A frame that may not be in one packet with those that wait sends them on their way: of all of it there is as much
    as there was time."""
    a, b = world.far("a", 4000, codec=evolve(OPUS, packet_ms=packet_ms)), world.far("b", 4001, codec=OPUS)
    c = world.far("c", 4002)
    b.says(440)
    c.says(660)
    for sources in (["c"], [], ["b", "c"], ["c"], [], ["b"]) * 2:  # 8 kHz, silence, 16 kHz, and back
        world.hears(a=sources)
        world.run(0.1 + 0.02 * world.rng.randrange(3))
    told(a)
    sent = sum(opuspacket.length(payload) for payload in a.payloads) * 2.5
    assert -0.01 < 1000 * (world.now - 1000.0) - sent < packet_ms + 0.01
    assert max(opuspacket.length(payload) for payload in a.payloads) * 2.5 == packet_ms
    a.payloads.clear()
    world.run(1.2)
    assert a.loudest() == 440


@pytest.mark.parametrize("bit_rate", [0, 16000])
@pytest.mark.parametrize("packet_ms", [20, 60])
def test_packets_of_one_length_tell_nobody_who_speaks(world: World, packet_ms: int, bit_rate: int) -> None:
    """Not where they are joined, in silence, nor as a room turns wideband and back."""
    wishes = protocol.OpusWishes(bit_rate=bit_rate, constant=True)
    a, b = world.far("a", 4000, codec=evolve(OPUS, packet_ms=packet_ms, opus=wishes)), world.far("b", 4001, codec=OPUS)
    c = world.far("c", 4002)
    world.run(0.24)  # nobody is heard
    noise = np.random.default_rng(3)
    for far in (b, c):
        far.source = lambda n: noise.integers(-8000, 8000, len(n)).astype(np.int16)
    for sources in (["c"], [], ["b"], ["b", "c"], ["c"]):
        world.hears(a=sources)
        world.run(0.24)
    b.source = c.source = None
    world.run(0.24)
    per_frame = {len(payload) / opuspacket.length(payload) for payload in a.payloads}
    assert len(per_frame) == 1, per_frame
    assert opuspacket.length(a.payloads[-1]) * 2.5 == packet_ms


def test_a_key_takes_the_place_of_what_waits_of_opus(world: World) -> None:
    a, b = world.far("a", 4000, codec=evolve(OPUS, packet_ms=60)), world.far("b", 4001)
    b.says(440)
    world.hears(a=["b"])
    world.run(0.5)
    world.do(protocol.SendDigits("a", "5", 100, 60))
    world.run(0.5)
    kinds = [packet[3] for packet in a.packets]
    events = [i for i, kind in enumerate(kinds) if kind == 102]
    assert events == list(range(events[0], events[0] + 7))
    assert len({a.packets[i][1] for i in events}) == 1
    assert [packet[0] for packet in a.packets] == [a.packets[0][0] + i & 0xFFFF for i in range(len(a.packets))]
    after = a.packets[events[-1] + 1]
    assert after[2] == 1
    assert after[1] - a.packets[events[0]][1] & 0xFFFFFFFF == 7 * 960


def test_a_hold_takes_along_what_waits_of_opus(world: World) -> None:
    codec = evolve(OPUS, packet_ms=60)
    a, b = world.far("a", 4000, codec=codec), world.far("b", 4001)
    b.says(440)
    world.hears(a=["b"])
    world.run(1.04)
    sent = len(a.payloads)
    world.do(protocol.UpdateRtpLeg("a", "198.51.100.7", 4000, codec, sends=False))
    world.hears(a=[])
    world.run(0.5)
    assert len(a.payloads) == sent
    world.do(protocol.UpdateRtpLeg("a", "198.51.100.7", 4000, codec))
    world.run(0.5)
    # 2880 of the last packet, 1920 that waited and were not sent, and the half second
    assert a.packets[sent][1] - a.packets[sent - 1][1] & 0xFFFFFFFF == 2880 + 1920 + 48 * 500
    assert a.packets[sent][2] == 1
    assert {frame for payload in a.payloads[sent:] for frame in opuspacket.split(payload)} == {b"\xff\xfe"}


@pytest.mark.parametrize(("before", "after"), [(60, 20), (20, 60), (40, 10), (30, 60)])
def test_the_length_changes_in_a_call(world: World, before: int, after: int) -> None:
    """A new offer asks for another: nothing of what waited is doubled, and what comes is as long as it says."""
    for codec in (OPUS, PCMU):
        a, b = world.far(codec.name, 4000, codec=evolve(codec, packet_ms=before)), world.far(f"b{codec.name}", 4001)
        b.says(440)
        world.hears(**{codec.name: [f"b{codec.name}"]})
        world.run(0.5)
        wanted = evolve(codec, packet_ms=after)
        world.do(protocol.UpdateRtpLeg(codec.name, "198.51.100.7", 4000, wanted))
        a.payloads.clear()
        a.packets.clear()
        world.run(1.2)
        assert a.loudest() == 440
        if codec is OPUS:
            told(a)
            assert {opuspacket.length(payload) * 2.5 for payload in a.payloads[3:]} == {after}
        else:
            assert {len(payload) // 8 for payload in a.payloads[3:]} == {after}
            assert set(steps_of(a)[3:]) == {8 * after}


def test_an_encoder_that_breaks_takes_along_what_waits() -> None:
    """Its leg is over; until the next tick ends it, no packet pretends that its frames were neighbours."""
    legs = Legs(4)
    gather, row = OpusGather(legs), np.array([0])
    legs.packet_ms[0] = 60
    frame = b"\xf8abc"
    for made in ([frame], [frame], [], [frame], [frame]):
        legs.timestamp[0] += 960
        assert not len(gather.take(row, [made])[0])
    legs.timestamp[0] += 960
    rows, packets, length = gather.take(row, [[frame]])
    assert rows.tolist() == [0]
    assert opuspacket.split(packets[0, 12 : length[0]].tobytes()) == [b"abc"] * 3
    assert int.from_bytes(packets[0, 4:8].tobytes(), "big") == 3 * 960
