"""Which leg is (our port, remote), and what is refused."""

import numpy as np
import pytest
from cordboard.switch import elsewhere, protocol
from cordboard.switch.learning import PROBATION, SOURCES
from cordboard.switch.ports import LocalPort, PortPool, PortsExhaustedError
from cordboard.switch.sockaddr import socket_name

from .conftest import Far, World

PCMU = protocol.Codec("pcmu", 0)
FOUR = 2


def pool(n: int = 16) -> PortPool:
    return PortPool(tuple(LocalPort("192.0.2.1", 20002 + 2 * i) for i in range(n)), 64)


def remote(port: int = 4000, address: str = "198.51.100.7") -> bytes:
    return socket_name(address, port)


def test_two_legs_with_one_remote_get_different_ports() -> None:
    made = pool()
    got = [made.open(row, remote(), family=FOUR, nat=False, now=0.0) for row in range(16)]
    assert sorted(got) == list(range(16))


def test_out_of_ports_is_a_clear_refusal() -> None:
    made = pool(2)
    for row in range(2):
        made.open(row, remote(), family=FOUR, nat=False, now=0.0)
    with pytest.raises(PortsExhaustedError, match="no RTP port is free"):
        made.open(2, remote(), family=FOUR, nat=False, now=0.0)
    made.open(2, remote(4002), family=FOUR, nat=False, now=0.0)


def test_a_refused_leg_leaves_nothing_behind(new_world: type[World]) -> None:
    world = new_world(ports=1)
    world.far("a", 4000)
    for _ in range(300):  # more than the engine has rows
        (fact,) = world.do(protocol.OpenRtpLeg("b", "198.51.100.7", 4000, PCMU))
        assert isinstance(fact, protocol.LegRefused)
    assert world.engine.started("e", 1).legs == ("a",)


def test_a_closed_pair_rests_30_s() -> None:
    made = pool(1)
    made.open(0, remote(), family=FOUR, nat=False, now=0.0)
    made.close(0, 100.0)
    with pytest.raises(PortsExhaustedError):
        made.open(1, remote(), family=FOUR, nat=False, now=129.9)
    made.expire(129.9)
    with pytest.raises(PortsExhaustedError):
        made.open(1, remote(), family=FOUR, nat=False, now=129.9)
    assert made.open(1, remote(4001), family=FOUR, nat=False, now=129.9) == 0
    assert made.open(2, remote(), family=FOUR, nat=False, now=130.1) == 0


def test_the_last_packets_of_a_call_are_not_heard_in_the_next(world: World) -> None:
    a = world.far("a", 4000)
    a.says(440)
    world.hears(a=["a"])
    world.run(0.5)
    world.do(protocol.CloseLeg("a"))
    b = world.far("b", 4000)
    world.hears(b=["b"])
    world.run(0.5)
    assert set(b.payloads) == {b"\xff" * 160}


def test_moving_lets_the_old_pair_rest() -> None:
    made = pool(1)
    made.open(0, remote(), family=FOUR, nat=False, now=0.0)
    made.move(0, remote(5000), 10.0)
    names = np.stack([np.frombuffer(remote(p), np.uint8) for p in (4000, 5000)])
    assert made.find(np.zeros(2, np.int32), names).tolist() == [-1, 0]
    with pytest.raises(PortsExhaustedError):
        made.open(1, remote(), family=FOUR, nat=False, now=39.0)
    made.open(1, remote(6000), family=FOUR, nat=False, now=39.0)
    with pytest.raises(PortsExhaustedError):
        made.move(1, remote(5000), 39.0)


def test_find_knows_every_leg_and_no_stranger() -> None:
    local = [LocalPort(address, 20002 + 2 * i) for address in ("192.0.2.1", "2001:db8::1") for i in range(8)]
    made = PortPool(tuple(local), 64)
    rng = np.random.default_rng(1)
    names, ports = [], []
    for row in range(60):
        address = f"10.0.0.{rng.integers(1, 5)}" if row % 2 else f"2001:db8::{rng.integers(1, 5)}"
        names.append(socket_name(address, 4000 + row))
        ports.append(made.open(row, names[-1], family=FOUR if row % 2 else 10, nat=False, now=0.0))
    matrix = np.stack([np.frombuffer(name, np.uint8) for name in names])
    port = np.array(ports, np.int32)
    assert made.find(port, matrix).tolist() == list(range(60))
    assert (made.find(port ^ 1, matrix) == -1).all()
    # Another remote address, another remote port.
    for octet in (3, 7, 23):
        other = matrix.copy()
        other[:, octet] ^= 0x55
        some = slice(1, None, 2) if octet == 7 else slice(0, None, 2) if octet == 23 else slice(None)
        assert (made.find(port[some], other[some]) == -1).all()
    # The flow label of IPv6, and what stands behind an IPv4 address, are not the remote's.
    matrix[::2, 4:8] = matrix[1::2, 16:] = 7
    assert made.find(port, matrix).tolist() == list(range(60))


@pytest.mark.parametrize("nat", [False, True])
def test_of_several_addresses_a_leg_has_a_port_of_the_one_that_leads_there(nat: bool) -> None:
    """By another its sound would go nowhere, and who is told of it would send nowhere. The same numbers are bound on
    each."""
    addresses = ("10.0.0.5", "203.0.113.5")
    made = PortPool(tuple(LocalPort(address, 20002 + 2 * i) for address in addresses for i in range(8)), 64)
    for row in range(12 if not nat else 8):
        home = addresses[row % 2]
        index = made.open(row, remote(4000 + row), family=FOUR, nat=nat, now=0.0, home=home)
        assert made.ports[index].address == home
    # ... also the port that the far side knows already
    index = made.open(20, remote(7000), family=FOUR, nat=nat, now=0.0, preferred=20004, home=addresses[1])
    assert made.ports[index] == LocalPort(addresses[1], 20004)
    # where nothing is bound to it, it is any: all of them may be listened on
    assert made.open(21, remote(7001), family=FOUR, nat=nat, now=0.0, home="192.0.2.77") >= 0


def test_a_nat_leg_has_a_port_of_its_own_from_the_top() -> None:
    made = pool(4)
    assert made.open(0, remote(), family=FOUR, nat=True, now=0.0) == 3
    assert [made.open(row, remote(4000 + row), family=FOUR, nat=False, now=0.0) for row in (1, 2, 3)] == [0, 1, 2]
    with pytest.raises(PortsExhaustedError, match="NAT"):
        made.open(4, remote(), family=FOUR, nat=True, now=0.0)
    made.close(0, 10.0)
    with pytest.raises(PortsExhaustedError, match="NAT"):
        made.open(4, remote(), family=FOUR, nat=True, now=39.0)
    assert made.open(5, remote(5000), family=FOUR, nat=False, now=39.0) != 3
    assert made.open(4, remote(), family=FOUR, nat=True, now=41.0) == 3


def test_a_leg_behind_a_nat_learns_once(world: World) -> None:
    a = world.far("a", 61000, address="203.0.113.9", nat=True, dial=("192.168.1.5", 4000))
    thief = socket_name("198.51.100.66", 6666)
    # What is no packet of this leg teaches nothing.
    world.receive((a.to, thief, b"\x80\x65" + bytes(20), world.now), (a.to, thief, b"junk", world.now))
    a.says(440)
    world.hears(a=["a"])
    world.fars.append(Far(world, "192.168.1.5", 4000, PCMU, a.to))  # where the SDP pointed
    world.run(1)
    world.receive((a.to, thief, a.packet(bytes(160)), world.now))
    world.run(1)
    assert a.tones(0.5) == [440]
    assert world.engine.counters["packets_from_strangers"] >= 3


def test_a_thief_who_is_there_first_does_not_get_a_leg_behind_a_nat(world: World) -> None:
    """It has found the port and sends a stream that nothing is wrong with, before the far side says a word."""
    a = world.far("a", 61000, address="203.0.113.9", nat=True, dial=("192.168.1.5", 4000), peer="203.0.113.9")
    world.fars.append(Far(world, "192.168.1.5", 4000, PCMU, a.to))
    thief = socket_name("198.51.100.66", 6666)
    world.hears(a=["a"])
    for i in range(50):
        stolen = a.packet(bytes(160), sequence=i, timestamp=160 * i, ssrc=99)
        world.receive((a.to, thief, stolen, world.now))
        if i == 15:  # a third of a second
            a.says(440)
        world.step()  # which fails where anything is sent to the thief
    assert a.tones(0.5) == [440]
    assert world.engine.counters["packets_from_strangers"] == 50


def test_whose_stream_comes_from_elsewhere_than_its_signalling_is_learned_after_half_a_second(world: World) -> None:
    a = world.far("a", 61000, address="203.0.113.9", nat=True, dial=("192.168.1.5", 4000), peer="203.0.113.1")
    b = world.far("b", 61000, address="203.0.113.10", nat=True, dial=("192.168.1.5", 4000), peer="no address")
    for far in (a, b):
        world.fars.append(Far(world, "192.168.1.5", 4000, PCMU, far.to))
        far.says(440)
    world.lost = lambda far: world.rng.random() < 0.1
    world.hears(a=["a"], b=["b"])
    world.run(1)
    world.lost = lambda far: False
    world.run(1)
    assert a.tones(0.5) == b.tones(0.5) == [440]
    assert world.engine.counters["packets_from_strangers"] == 2 * (PROBATION - 1)


def streams(world: World, seconds: float, *sources: tuple[int, bytes]) -> None:
    """From each to a port of ours."""
    for i in range(round(seconds / 0.02)):
        for to, name in sources:
            packet = world.fars[0].packet(bytes(160), sequence=i, timestamp=160 * i, ssrc=99)
            world.receive((to, name, packet, world.now))
        world.step()


@pytest.mark.parametrize("address", ["198.51.100.66", "2001:db8::66"])
def test_who_is_not_heard_and_sends_from_elsewhere_is_told_once(world: World, address: str) -> None:
    six = ":" in address
    a = world.far("a", 4000, address="2001:db8::7" if six else "198.51.100.7")
    streams(world, 6, (a.to, socket_name(address, 6000)))
    (told,) = world.all(protocol.LegElsewhere)
    assert told == protocol.LegElsewhere("a", "2001:db8::7" if six else "198.51.100.7", 4000, address, 6000)
    assert world.all(protocol.LegWays) == [protocol.LegWays("a", comes=False, goes=True)]
    assert world.engine.counters["legs_from_elsewhere"] == 1
    # another that takes its row is told of anew
    world.do(protocol.CloseLeg("a"))
    b = world.far("b", 4001, address="2001:db8::7" if six else "198.51.100.7")
    streams(world, 6, (b.to, socket_name(address, 6002)))
    assert [(each.leg, each.source_port) for each in world.all(protocol.LegElsewhere)][1:] == [("b", 6002)]


def test_of_whom_nothing_is_known_nothing_is_told(world: World) -> None:
    """Who is heard; who is sprayed, by many and by what is no RTP; and another port's leg."""
    a, b = world.far("a", 4000), world.far("b", 4000)
    thief = socket_name("198.51.100.66", 6666)
    b.says(440)
    world.lost = lambda far: far is a
    streams(world, 6, (b.to, thief))
    assert [each.leg for each in world.all(protocol.LegWays)] == ["a"]
    streams(world, 2, (a.to, thief), (a.to, socket_name("198.51.100.67", 6666)))
    for i in range(100):
        world.receive((a.to, thief, b"\x00" * 172, world.now), (a.to, socket_name("198.51.100.9", 7000 + i), b"", 0.0))
        world.step()
    assert world.all(protocol.LegElsewhere) == []


def test_who_sprays_while_somebody_is_not_heard_takes_no_memory(world: World) -> None:
    a = world.far("a", 4000)
    world.run(4)
    for i in range(45):
        packet = a.packet(bytes(160), sequence=i, timestamp=160 * i, ssrc=99)
        spray = [socket_name(f"198.51.100.{j}", 7000 + i) for j in range(10, 60)]
        world.receive(*((a.to, name, packet, world.now) for name in spray))
        world.step()
    assert len(world.engine._elsewhere._counts) <= elsewhere.SOURCES
    assert world.all(protocol.LegElsewhere) == []


def test_who_sprays_a_port_that_learns_is_not_learned_and_takes_no_memory(world: World) -> None:
    """Single packets from many addresses, and a stream whose numbers are no stream's."""
    thief = socket_name("198.51.100.66", 6666)
    a = world.far("a", 61000, address="203.0.113.9", nat=True, dial=("192.168.1.5", 4000), peer="203.0.113.9")
    world.fars.append(Far(world, "192.168.1.5", 4000, PCMU, a.to))
    for i in range(90):
        spray = [thief, *(socket_name("198.51.100.66", 7000 + 20 * i + j) for j in range(20))]
        world.receive(*((a.to, name, a.packet(bytes(160), sequence=7 * i & 0xFFFF), world.now) for name in spray))
        world.step()
    assert not world.all(protocol.LegConnected)
    assert sum(len(leg.sources) for leg in world.engine._ports._nat._legs.values()) <= SOURCES
    a.says(440)
    world.hears(a=["a"])
    world.run(1)
    assert a.tones(0.5) == [440]


def test_the_learning_window_closes(world: World) -> None:
    a = world.far("a", 61000, address="203.0.113.9", nat=True, dial=("192.168.1.5", 4000))
    world.fars.append(Far(world, "192.168.1.5", 4000, PCMU, a.to))
    world.run(2.1)
    a.says(440)
    world.run(1)
    assert not a.packets
    assert not world.all(protocol.LegConnected)


def test_a_hold_leaves_a_leg_behind_a_nat_where_it_was_learned(world: World) -> None:
    """The far side is quiet from its hold on, so there is nothing to learn from a second time."""
    a = world.far("a", 61000, address="203.0.113.9", nat=True, dial=("192.168.1.5", 4000))
    a.says(440)
    world.fars.append(type(a)(world, "192.168.1.5", 4000, PCMU, a.to))
    world.run(1)
    a.source = None
    hold = protocol.UpdateRtpLeg("a", "192.168.1.5", 4000, PCMU)
    assert isinstance(world.do(hold)[0], protocol.LegOpened)  # though the pair of that address rests
    world.now += 31
    assert isinstance(world.do(protocol.Ping(1), hold)[1], protocol.LegOpened)
    world.run(3)
    world.do(hold, protocol.OpenSource("t", protocol.Tone(800)))
    world.hears(a=["t"])
    world.run(1)
    assert a.tones(0.5) == [800]
    thief = socket_name("198.51.100.66", 6666)
    world.receive((a.to, thief, a.packet(bytes(160)), world.now))
    world.run(1)
    assert a.tones(0.5) == [800]


def test_naming_the_same_remote_again_gives_another_chance_to_learn(world: World) -> None:
    a = world.far("a", 61000, address="203.0.113.9", nat=True, dial=("192.168.1.5", 4000))
    world.fars.append(type(a)(world, "192.168.1.5", 4000, PCMU, a.to))
    world.run(5)
    world.do(protocol.UpdateRtpLeg("a", "192.168.1.5", 4000, PCMU))
    a.says(440)
    world.hears(a=["a"])
    world.run(1)
    assert a.tones(0.5) == [440]
