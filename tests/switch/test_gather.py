"""Stories of far sides that ask for packets of another length than 20 ms."""

import numpy as np
import pytest
from attrs import evolve
from cordboard.codecs import g711
from cordboard.switch import protocol

from .conftest import G722, PCMA, PCMU, World


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
