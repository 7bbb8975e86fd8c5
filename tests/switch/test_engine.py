"""Stories of one engine on a virtual clock."""

import struct

import numpy as np
import pytest
from cordboard.codecs import g711
from cordboard.switch import protocol
from cordboard.switch.sockaddr import socket_name

from .conftest import OPUS, Far, World

PCMU = protocol.Codec("pcmu", 0, 101)
PCMA = protocol.Codec("pcma", 8, 101)


def test_a_leg_is_sent_silence_from_its_opening_without_a_gap(world: World) -> None:
    a = world.far("a", 4000)
    world.run(1)
    assert set(a.payloads) == {bytes([g711.ULAW_SILENCE]) * 160}
    first = a.packets[0]
    assert len(a.packets) == 50
    assert [p[0] for p in a.packets] == [first[0] + i & 0xFFFF for i in range(50)]
    assert [p[1] for p in a.packets] == [first[1] + 160 * i & 0xFFFFFFFF for i in range(50)]
    assert [p[2] for p in a.packets] == [1] + [0] * 49
    assert len({p[4] for p in a.packets}) == 1


@pytest.mark.parametrize("codec", [PCMU, PCMA])
def test_an_echo_leg_hears_itself(world: World, codec: protocol.Codec) -> None:
    a = world.far("a", 4000, codec=codec)
    a.says(440)
    world.hears(a=["a"])
    world.run(2)
    assert a.tones() == [440]
    assert abs(np.abs(a.heard(1.0)).max() - 8000) < 300
    assert world.all(protocol.LegConnected) == [protocol.LegConnected("a")]


def test_an_echo_comes_back_within_60_ms(world: World) -> None:
    a = world.far("a", 4000)
    a.says(440)
    world.hears(a=["a"])
    world.run(1)
    silence = next(i for i, payload in enumerate(a.payloads) if payload != b"\xff" * 160)
    assert silence <= 3


def test_ticks_that_have_grown_long_are_told_before_their_second_is_over(world: World) -> None:
    """Not one, nor as many as a machine that is slow for a moment makes long, but the usual one; until it is short."""

    def told(*seconds: float) -> list[float]:
        world.facts.clear()
        for one in seconds:
            world.run(0.02)
            world.engine.ran(one, late=False)
        return [fact.usual_ms for fact in world.all(protocol.TicksLong)]

    short, long = 0.005, 0.014
    assert told(*[short] * 50) == []
    assert told(0.4, *[short] * 9, *[long] * 10, *[short] * 30) == []
    assert told(*[long] * 21) == [14.0]
    assert told(*[long] * 29) == [14.0] * 3
    assert told(*[short] * 50) == [14.0]


def test_a_tone_is_within_5_hz(world: World) -> None:
    a = world.far("a", 4000)
    world.do(protocol.OpenSource("t", protocol.Tone(440.0)))
    world.hears(a=["t"])
    world.run(2)
    pcm = a.heard(1.0).astype(float)
    spectrum = np.abs(np.fft.rfft(pcm * np.hanning(8000), 80000))
    assert abs(np.argmax(spectrum) / 10 - 440) < 1
    level = 20 * np.log10(np.abs(pcm).max() / g711.ULAW_OVERLOAD) + 3.17
    assert abs(level + 16) < 0.5


def test_music_and_ringback_go_on_for_who_joins_later(world: World) -> None:
    a, b = world.far("a", 4000), world.far("b", 4001)
    world.do(protocol.OpenSource("m", protocol.Music()), protocol.OpenSource("r", protocol.Ringback("DE")))
    world.hears(a=["m"])
    world.run(1)
    world.hears(b=["m"])
    world.run(1)
    assert a.payloads[-20:] == b.payloads[-20:]
    world.hears(a=["r"])
    world.run(3)
    # Opened 5 s ago: a whole cycle of 1 s on and 4 s off.
    assert not a.heard(0.5).any()
    world.run(1)
    assert a.tones(0.8) == [425]


def test_a_room_of_three_hears_the_two_others_and_not_itself(world: World) -> None:
    fars = [world.far(name, 4000 + i) for i, name in enumerate("abc")]
    for far, hertz in zip(fars, (400, 700, 1100), strict=True):
        far.says(hertz, 6000)
    world.hears(a=["b", "c"], b=["a", "c"], c=["a", "b"])
    world.run(2)
    assert [far.tones() for far in fars] == [[700, 1100], [400, 1100], [400, 700]]


@pytest.mark.parametrize("size", [2, 3, 6, 9])
def test_who_speaks_alone_in_a_room_hears_exact_silence(new_world: type[World], size: int) -> None:
    world = new_world(seed=size)
    names = [f"p{i}" for i in range(size)]
    fars = [world.far(name, 4000 + i) for i, name in enumerate(names)]
    fars[0].says(500, 30000)
    world.hears(**{name: [other for other in names if other != name] for name in names})
    world.run(1)
    assert set(fars[0].payloads) == {b"\xff" * 160}
    assert all(far.tones(0.5) == [500] for far in fars[1:])


def test_a_loud_room_is_saturated_once(world: World) -> None:
    names = [f"p{i}" for i in range(8)]
    fars = [world.far(name, 4000 + i) for i, name in enumerate(names)]
    for far in fars:
        far.source = lambda n: np.full(len(n), 20000, np.int16)
    for far in fars[4:]:
        far.source = lambda n: np.full(len(n), -20000, np.int16)
    world.hears(**{name: [other for other in names if other != name] for name in names})
    world.run(1)
    value = int(g711.decode_ulaw(g711.encode_ulaw(np.array([20000], np.int16)))[0])
    # 3 against 4: one of the other sign is left, whatever order they are added in.
    assert set(fars[0].heard(0.5).tolist()) == {-value}
    assert set(fars[7].heard(0.5).tolist()) == {value}


@pytest.mark.parametrize("seed", range(3))
def test_whoever_hears_whom_hears_their_sum(new_world: type[World], seed: int) -> None:
    """Rooms, gains, mutes, holds and far sides that hold, edited again and again: each frame is what addition says.

    Every leg says one number for ever, so that what is heard does not depend on when it was said.
    """
    world = new_world(seed=seed)
    rng = world.rng
    names = [f"p{i}" for i in range(9)]
    values = [int(g711.decode_ulaw(np.array([rng.randrange(256)], np.uint8))[0]) for _ in names]
    fars = {name: world.far(name, 4000 + i) for i, name in enumerate(names)}
    for name, value in zip(names, values, strict=True):
        fars[name].source = lambda n, value=value: np.full(len(n), value, np.int16)
    says = dict(zip(names, values, strict=True))
    edges: dict[str, dict[str, float]] = {name: {} for name in names}
    holding: set[str] = set()
    world.run(0.2)
    for _ in range(40):
        who = rng.choice(names)
        match rng.choice(("room", "listen", "mute", "hold", "hold us")):
            case "room":
                room = rng.sample(names, rng.randrange(2, 9))
                edges |= {one: {other: 1.0 for other in room if other != one} for one in room}
            case "listen":
                some = rng.sample(names, rng.randrange(0, 5))
                edges[who] = {other: rng.choice((0.25, 0.5, 1.0, 2.0)) for other in some}
            case "mute":
                edges = {
                    one: {other: gain for other, gain in heard.items() if other != who} for one, heard in edges.items()
                }
            case "hold":
                edges[who] = {}
            case "hold us":
                holding ^= {who}
                far = fars[who]
                world.do(
                    protocol.UpdateRtpLeg(who, "198.51.100.7", 4000 + names.index(who), PCMU, sends=who not in holding)
                )
        world.hears(**{one: list(heard.items()) for one, heard in edges.items()})
        before = {name: len(far.payloads) for name, far in fars.items()}
        world.run(0.06)
        for name, far in fars.items():
            assert len(far.payloads) - before[name] == (0 if name in holding else 3)
            if name in holding:
                continue
            parts = [np.rint(np.float32(says[other]) * np.float32(gain)) for other, gain in edges[name].items()]
            total = np.array([np.clip(sum(int(part) for part in parts), -32768, 32767)], np.int16)
            assert set(far.payloads[-1]) == set(g711.encode_ulaw(total).tobytes()), (name, edges[name])


def test_who_is_ended_because_nobody_is_there_is_sent_no_more(world: World) -> None:
    """Nor what was being encoded for it in that tick: the world knows whom each packet is for."""
    fars = [world.far("a", 4000, codec=OPUS), world.far("b", 4002)]
    world.do(protocol.OpenSource("t", protocol.Tone(440.0)))
    world.hears(a=["t"], b=["t"])
    world.run(0.2)
    world.now += 31
    world.step()
    assert sorted(fact.leg for fact in world.all(protocol.LegFailed)) == ["a", "b"]
    before = [len(far.payloads) for far in fars]
    world.run(0.1)
    assert [len(far.payloads) for far in fars] == before


def test_gain_scales_one_edge_only(world: World) -> None:
    a, b, c = (world.far(name, 4000 + i) for i, name in enumerate("abc"))
    a.says(500, 8000)
    world.hears(b=[("a", 0.5)], c=["a"])
    world.run(1)
    assert abs(np.abs(b.heard(0.5)).max() - 4000) < 200
    assert abs(np.abs(c.heard(0.5)).max() - 8000) < 300


def test_mute_and_hold_leak_nothing(world: World) -> None:
    a, b = world.far("a", 4000), world.far("b", 4001)
    a.says(440, 12000)
    b.says(660, 12000)
    world.hears(a=["b"], b=["a"])
    world.run(1)
    world.hears(b=[])
    world.run(1)
    after = b.payloads[-50:]
    assert set(after[1:]) == {b"\xff" * 160}
    # The step to silence takes 5 ms and has no tone in it; then there is nothing.
    step = g711.decode_ulaw(np.frombuffer(after[0], np.uint8)).astype(int)
    assert not step[40:].any()
    assert len(set(np.sign(np.diff(step[:40]))) - {0}) <= 1
    assert a.tones(0.5) == [660]
    world.hears(b=["a"])
    world.run(1)
    assert b.tones(0.5) == [440]


def test_who_ceases_or_begins_to_hear_hears_no_click(world: World) -> None:
    """What is loud at that moment falls, or rises, over 5 ms: 200 a sample, and what µ-law makes of it."""
    a, b = world.far("a", 4000), world.far("b", 4001)
    a.source = lambda n: np.full(len(n), 8000, np.int16)
    world.hears(b=["a"])
    world.run(1)
    for sources, level in (([], 0), (["a"], 8000)):
        before = len(b.payloads)
        world.hears(b=sources)
        world.run(0.1)
        pcm = b.heard()[160 * (before - 1) :].astype(int)
        assert abs(pcm[0] - (8000 - level)) < 200
        assert abs(pcm[-1] - level) < 200
        assert np.abs(np.diff(pcm)).max() < 600


def test_a_supervisor_listens_whispers_and_barges_in_and_the_caller_hears_what_it_should(
    new_world: type[World],
) -> None:
    """Where it listens and whispers, the caller is sent the same, octet by octet, as if it were not there."""

    def call(*, supervised: bool) -> tuple[World, Far, Far, Far]:
        world = new_world()
        caller, agent, chief = world.far("caller", 4000), world.far("agent", 4001), world.far("chief", 4002)
        for far, hertz in ((caller, 440), (agent, 660), (chief, 1000)):
            far.says(hertz, 4000)
        world.hears(caller=["agent"], agent=["caller"])
        world.run(1)
        if supervised:
            world.hears(chief=["caller", "agent"])
        world.run(1)
        if supervised:
            world.hears(agent=["caller", ("chief", 0.5)])
        world.run(1)
        return world, caller, agent, chief

    world, caller, agent, chief = call(supervised=True)
    _, alone, unadvised, _ = call(supervised=False)
    assert caller.payloads == alone.payloads
    assert agent.payloads[:100] == unadvised.payloads[:100]
    assert set(chief.payloads[:50]) == {b"\xff" * 160}
    assert (caller.tones(0.5), agent.tones(0.5), chief.tones(0.5)) == ([660], [440, 1000], [440, 660])
    # It barges in: a conversation of three, of which nobody hears itself; and leaves again.
    world.hears(caller=["agent", "chief"], agent=["caller", "chief"], chief=["caller", "agent"])
    world.run(1)
    assert (caller.tones(0.5), agent.tones(0.5), chief.tones(0.5)) == ([660, 1000], [440, 1000], [440, 660])
    world.hears(caller=["agent"], agent=["caller"], chief=[])
    world.run(1)
    assert (caller.tones(0.5), agent.tones(0.5)) == ([660], [440])
    assert set(chief.payloads[-40:]) == {b"\xff" * 160}


def test_who_begins_to_hear_in_a_gap_hears_nothing_of_before(world: World) -> None:
    """A loss was being concealed as the first listener left: the second is not given the rest of it."""
    a, _, c = (world.far(name, 4000 + i) for i, name in enumerate("abc"))
    a.says(300, 20000)
    world.hears(b=["a"])
    world.run(1)
    world.lost = lambda far: True
    world.run(0.06)
    world.hears(b=[])
    world.run(0.3)
    world.hears(c=["a"])
    world.run(0.3)
    assert set(c.payloads) == {b"\xff" * 160}


def test_edits_of_one_command_meet_at_one_tick(world: World) -> None:
    a, b, c = (world.far(name, 4000 + i) for i, name in enumerate("abc"))
    c.says(440)
    world.hears(a=["c"])
    world.run(0.5)
    world.hears(a=[], b=["c"])
    world.run(0.1)
    assert a.payloads[-4:] == [b"\xff" * 160] * 4
    assert all(payload != b"\xff" * 160 for payload in b.payloads[-5:])


def test_an_unknown_id_is_left_out_and_counted(world: World) -> None:
    a = world.far("a", 4000)
    world.do(protocol.OpenSource("t", protocol.Tone(500.0)))
    world.hears(a=["nobody", "t"], nobody=["a"])
    world.run(1)
    assert a.tones(0.5) == [500]
    assert world.engine.counters["unknown_sources"] == 1
    assert world.engine.counters["unknown_listeners"] == 1


def test_what_comes_in_the_place_of_a_closed_source_is_heard_by_nobody(world: World) -> None:
    a = world.far("a", 4000)
    world.do(protocol.OpenSource("t", protocol.Tone(500.0)))
    world.hears(a=["t"])
    world.run(0.5)
    assert a.payloads[-1] != b"\xff" * 160
    world.do(protocol.CloseSource("t"), *(protocol.OpenSource(f"t{n}", protocol.Tone(600.0 + n)) for n in range(9)))
    world.run(0.5)
    assert set(a.payloads[-20:]) == {b"\xff" * 160}


def test_a_closed_leg_is_heard_no_more_and_sent_nothing(world: World) -> None:
    a, b = world.far("a", 4000), world.far("b", 4001)
    a.says(440)
    world.hears(a=["b"], b=["a"])
    world.run(0.5)
    assert world.do(protocol.CloseLeg("a"), protocol.CloseLeg("a")) == []
    sent = len(a.packets)
    world.run(0.5)
    assert len(a.packets) == sent
    assert set(b.payloads[-20:]) == {b"\xff" * 160}
    assert world.engine.counters["packets_from_strangers"] > 20


def test_spoofed_packets_are_dropped_and_counted(world: World) -> None:
    a, b = world.far("a", 4000), world.far("b", 4001)
    world.hears(b=["a"])
    a.says(440)
    world.run(0.5)
    spoof = a.packet(bytes(range(160)))
    for name in (
        socket_name("198.51.100.8", 4000),
        socket_name("198.51.100.7", 4002),
        socket_name("2001:db8::7", 4000),
    ):
        world.receive((a.to, name, spoof, world.now))
    world.receive(((a.to + 1) % 16, a.name, spoof, world.now))
    assert world.engine.counters["packets_from_strangers"] == 4
    world.run(1)
    assert b.tones(0.5) == [440]


def test_ipv6_legs_talk(world: World) -> None:
    a = world.far("a", 4000, address="2001:db8::7")
    a.says(440)
    world.hears(a=["a"])
    world.run(1)
    assert a.tones(0.5) == [440]


def test_a_leg_whose_far_side_is_not_known_yet_waits(world: World) -> None:
    (opened,) = world.do(protocol.OpenRtpLeg("a", "198.51.100.7", 0, PCMU))
    world.run(0.2)
    (again,) = world.do(protocol.UpdateRtpLeg("a", "198.51.100.7", 4000, PCMA))
    assert again == opened
    assert isinstance(opened, protocol.LegOpened)
    far = Far(world, "198.51.100.7", 4000, PCMA, world.index(opened))
    world.fars.append(far)
    far.says(440)
    world.hears(a=["a"])
    world.run(1)
    assert far.tones(0.5) == [440]
    assert {p[3] for p in far.packets} == {8}


def test_what_is_no_leg_is_refused_in_words(world: World) -> None:
    for command in (
        protocol.OpenRtpLeg("x", "not an address", 4000, PCMU),
        protocol.OpenRtpLeg("x", "198.51.100.7", 70000, PCMU),
        protocol.OpenRtpLeg("x", "198.51.100.7", 4000, protocol.Codec("opus", 128)),
        protocol.OpenWebrtcLeg("x", "198.51.100.7", "u", "p", (), PCMU),
        protocol.UpdateRtpLeg("x", "198.51.100.7", 4000, PCMU),
    ):
        (fact,) = world.do(command)
        assert isinstance(fact, protocol.LegRefused)
        assert fact.reason
    world.run(0.1)


def test_rtcp_comfort_noise_and_digits_are_not_played(world: World) -> None:
    a, b = world.far("a", 4000), world.far("b", 4001)
    a.source = lambda n: np.zeros(len(n), np.int16)
    world.hears(b=["a"])
    world.run(0.5)
    for packet in (
        a.packet(b"\x05\x8a\x03\x20", payload_type=101),
        a.packet(b"\x40", payload_type=13),
        a.packet(bytes(160), payload_type=18),
        bytes([0x80, 200, 0, 6]) + bytes(24),
    ):
        world.receive((a.to, a.name, packet, world.now))
    world.run(0.5)
    assert set(b.payloads) == {b"\xff" * 160}
    counters = world.engine.counters
    names = ("packets_telephone_event", "packets_comfort_noise", "packets_of_wrong_type", "packets_rtcp")
    assert [counters[name] for name in names] == [1, 1, 1, 1]


def test_silence_is_told_once_and_its_end(world: World) -> None:
    a = world.far("a", 4000)
    a.says(440)
    world.run(1)
    a.source, world.air = None, []
    world.run(5)
    (silent,) = world.all(protocol.LegSilent)
    assert 3.0 < silent.seconds < 3.1
    a.next_at = None
    a.says(440)
    world.run(1)
    assert world.all(protocol.LegHeard) == [protocol.LegHeard("a")]


def test_a_peer_that_sends_only_reports_is_there(world: World) -> None:
    a = world.far("a", 4000)
    a.says(440)
    world.run(1)
    a.source, world.air = None, []
    report = struct.pack("!BBHIIIIII", 0x80, 200, 6, a.ssrc, 0, 0, 0, 0, 0)  # RFC 3550 §6.4.1
    for _ in range(5):
        world.run(2)
        world.receive((a.to, a.name, report, world.now))
    assert not world.all(protocol.LegSilent)
    world.run(3.2)
    assert len(world.all(protocol.LegSilent)) == 1


def test_a_trunk_that_never_says_a_word_is_silent_and_a_report_beside_its_voice_says_that_it_is_there(
    world: World,
) -> None:
    a = world.far("a", 4000)
    world.run(3.2)
    (silent,) = world.all(protocol.LegSilent)
    assert 3.0 < silent.seconds < 3.2
    assert not world.all(protocol.LegConnected)
    silence, ways = world.engine.standing(world.now)
    assert isinstance(silence, protocol.LegSilent)
    assert ways == protocol.LegWays("a", comes=False, goes=True)
    report = struct.pack("!BBHI", 0x80, 201, 1, a.ssrc)  # RFC 3550 §6.4.2, empty
    beside, elsewhere = socket_name("198.51.100.7", 4001), socket_name("198.51.100.7", 4003)
    for name, octets in ((elsewhere, report), (beside, a.packet(b"\xff" * 160))):
        world.reports((a.to, name, octets, world.now))
        world.run(0.2)
        assert not world.all(protocol.LegHeard)
    for _ in range(5):
        world.reports((a.to, beside, report, world.now))
        world.run(2)
    assert len(world.all(protocol.LegSilent)) == 1
    assert world.all(protocol.LegHeard) == [protocol.LegHeard("a")]
    assert world.engine.counters["packets_rtcp"] == 5


def test_quality_says_what_was_lost(world: World) -> None:
    a = world.far("a", 4000)
    a.says(440, 10000)
    world.hears(a=["a"])
    world.lost = lambda far: world.rng.random() < 0.1
    world.run(10)
    reports = world.all(protocol.LegQuality)
    assert len(reports) == 5
    received, lost = sum(r.received for r in reports), sum(r.lost for r in reports)
    assert abs(lost / (received + lost) - 0.1) < 0.03
    assert sum(r.concealed_ms for r in reports) >= 20 * lost - 100
    assert abs(reports[-1].level - -14) < 2


def test_an_engine_left_alone_ends_its_legs(world: World) -> None:
    world.far("a", 4000)
    world.run(20)
    assert world.do(protocol.Ping(7)) == [protocol.Pong(7, world.engine.sums())]
    world.run(29.5)
    assert not world.all(protocol.LegFailed)
    world.run(1)
    (failed,) = world.all(protocol.LegFailed)
    assert failed.leg == "a"
    assert world.engine.started("e", 1) == protocol.EngineStarted("e", (), 1)


def test_garbage_raises_nothing(world: World) -> None:
    a = world.far("a", 4000)
    world.hears(a=["a"])
    for _ in range(200):
        octets = world.rng.randbytes(world.rng.randrange(1, 60))
        if world.rng.random() < 0.7:
            octets = bytes([0x80 | world.rng.randrange(64), 0]) + octets
        world.receive((a.to, a.name, octets, world.now))
        world.step()


def test_a_far_side_that_another_engine_knew_is_told_silent_though_it_never_came(world: World) -> None:
    port = world.ports[world.far("a", 4000).to].port
    world.do(protocol.CloseLeg("a"), protocol.OpenRtpLeg("a", "198.51.100.7", 4000, PCMU, local_port=port))
    world.run(2.9)
    assert not world.all(protocol.LegSilent)
    world.run(0.3)
    (silent,) = world.all(protocol.LegSilent)
    assert silent.leg == "a"
    assert not world.all(protocol.LegConnected)
    assert [type(fact).__name__ for fact in world.engine.standing(world.now)] == ["LegConnected", "LegSilent"]
