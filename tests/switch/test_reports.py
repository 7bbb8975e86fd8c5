"""RTCP in the engine: who is told what and when, what is believed, and what a hold and a collision change."""

# mypy: allow-untyped-calls
# The far sides of conftest.py have no types.

from __future__ import annotations

import itertools
import struct

import numpy as np
import pytest
from cordboard.codecs.opus import OpusEncoder
from cordboard.switch import protocol, rtcp
from cordboard.switch.jitter import Playout
from cordboard.switch.legs import Legs
from cordboard.switch.protocol import CloseLeg, Codec, LegQuality, OpenRtpLeg, UpdateRtpLeg
from cordboard.switch.reports import Reports

from .conftest import PCMU, TICK, Far, World
from .test_webrtc_engine import Switch, batch
from .webrtc_peer import Browser, rtp

FIRST = 2.5 * 1.5 / 1.21828  # seconds until the first report at most (RFC 3550 §6.3.1)
LONGEST = 5.0 * 1.5 / 1.21828
TURN = 0.1  # ... when the legs of a turn report together


def words(octets: bytes) -> tuple[int, ...]:
    return struct.unpack(f"!{len(octets) // 4}I", octets)


def kind(octets: bytes) -> int:
    return octets[1]


def block_about(far: Far, ssrc: int, *, lost: int = 0, jitter: int = 0, last_sr: int = 0, since: int = 0) -> bytes:
    """The far side's sender report with one block."""
    sender = struct.pack("!BBHIIIIII", 0x81, 200, 12, far.ssrc, 7, 9 << 16, 160, 50, 8000)
    return sender + struct.pack("!IIIIII", ssrc, lost << 24, 500, jitter, last_sr, since)


def answer(world: World, far: Far, delay: float, lay: float = 0.5) -> None:
    """The far side answers the last report that it was sent: on the way for `delay` there and back, and `lay` there."""
    at, octets = far.reports[-1]
    last_sr = (words(octets)[2] & 0xFFFF) << 16 | words(octets)[3] >> 16
    reply = block_about(far, words(octets)[1], lost=64, jitter=80, last_sr=last_sr, since=round(lay * 65536))
    while world.now < at + delay + lay:
        world.step()
    world.reports((far.to, far.beside, reply, at + delay + lay))


def test_each_leg_reports_within_the_interval_and_not_all_at_once(world: World) -> None:
    fars = [world.far(f"leg-{i}", 4000 + 2 * i) for i in range(40)]
    world.run(FIRST + TURN)
    assert all(len(far.reports) == 1 for far in fars)
    assert len({at for far in fars for at, _ in far.reports}) > 10
    world.run(25)
    gaps = [b - a for far in fars for (a, _), (b, _) in itertools.pairwise(far.reports)]
    assert LONGEST / 3 - TURN <= min(gaps) <= max(gaps) <= LONGEST + TURN
    assert np.mean(gaps) == pytest.approx(5 / 1.21828 + TURN / 2, rel=0.1)
    assert len({far.reports[0][1][-24:] for far in fars}) == 40  # each has a CNAME of its own


def test_a_sender_report_tells_what_was_sent_and_heard(world: World) -> None:
    a = world.far("a", 4000)
    a.says(400)
    world.lost = lambda far: far.sequence % 4 == 0
    world.run(12)
    at, octets = a.reports[-1]
    said = words(octets)
    assert kind(octets) == 200
    assert said[1] == a.packets[0][4]
    sent = round((at - 1000.0) / TICK)
    assert said[5:7] == (sent, 160 * sent)
    # the packet of that moment had this timestamp
    assert said[4] == a.packets[sent - 1][1]
    assert said[2] + said[3] / 2**32 == pytest.approx(at, abs=1e-4)
    source, loss, highest, jitter, *_ = said[7:13]
    assert source == a.ssrc
    assert loss >> 24 == pytest.approx(64, abs=3)
    assert loss & 0xFFFFFF == pytest.approx((at - 1000.0) / TICK / 4, abs=3)
    assert highest & 0xFFFF == pytest.approx(a.sequence - 1 - (world.now - at) / TICK, abs=2)
    assert jitter < 40


def test_the_extended_number_counts_wraps(world: World) -> None:
    a = world.far("a", 4000)
    a.says(400)
    a.sequence = 65500
    world.run(10)
    assert words(a.reports[-1][1])[9] > 65536


def test_the_round_trip_and_how_the_far_side_hears_us(world: World) -> None:
    a = world.far("a", 4000)
    a.says(400)
    world.run(6)
    assert world.all(LegQuality)[-1].rtt_ms is None
    answer(world, a, 0.080)
    world.run(2)
    last = world.all(LegQuality)[-1]
    assert last.rtt_ms == pytest.approx(80, abs=0.1)
    assert (last.far_loss_percent, last.far_jitter_ms) == (25.0, 10.0)


def test_our_report_lets_the_far_side_know_the_round_trip(world: World) -> None:
    a = world.far("a", 4000)
    a.says(400)
    world.run(1)
    world.reports((a.to, a.beside, block_about(a, 1), world.now - 0.01))
    heard = world.now - 0.01
    while not a.reports:
        world.step()
    at, octets = a.reports[0]
    last_sr, since = words(octets)[11:13]
    assert last_sr == 7 << 16 | 9
    assert since / 65536 == pytest.approx(at - heard, abs=1e-4)


@pytest.mark.parametrize("where", ["another port", "another address", "the other's ssrc"])
def test_only_the_remotes_word_counts(world: World, where: str) -> None:
    a = world.far("a", 4000)
    b = world.far("b", 4000, address="198.51.100.8")
    a.says(400)
    world.run(5)
    name = {"another port": a.name, "another address": b.beside, "the other's ssrc": a.beside}[where]
    ssrc = b.packets[0][4] if where == "the other's ssrc" else a.packets[0][4]
    world.reports((a.to, name, block_about(a, ssrc, lost=128), world.now))
    world.run(3)
    assert {one.far_loss_percent for one in world.all(LegQuality) if one.leg == "a"} == {None}


def test_who_is_not_sent_to_reports_as_a_receiver(world: World) -> None:
    opened = world.do(OpenRtpLeg("a", "198.51.100.7", 4000, PCMU, sends=False))[0]
    assert isinstance(opened, protocol.LegOpened)
    a = Far(world, "198.51.100.7", 4000, PCMU, world.index(opened))
    world.fars.append(a)
    a.says(400)
    world.run(10)
    assert a.packets == []
    assert {kind(octets) for _, octets in a.reports} == {201}
    assert words(a.reports[-1][1])[2] == a.ssrc


def test_a_hold_stops_the_sound_and_not_the_reports(world: World) -> None:
    a, b = world.far("a", 4000), world.far("b", 5000)
    b.says(400)
    world.hears(a=["b"])
    world.run(2)
    before = len(a.packets)
    assert world.do(UpdateRtpLeg("a", "198.51.100.7", 0, PCMU, sends=False)) == [
        protocol.LegOpened("a", world.ports[a.to].address, world.ports[a.to].port)
    ]
    world.run(10)
    assert len(a.packets) == before
    assert len([at for at, _ in a.reports if at > world.now - 10]) >= 1
    world.do(UpdateRtpLeg("a", "198.51.100.7", 4000, PCMU))
    world.run(2)
    assert a.tones() == [400]
    (sequence, timestamp, *_), (again, later, marker, *_) = a.packets[before - 1 : before + 1]
    assert (again - sequence & 0xFFFF, marker) == (1, 1)
    # time went on while nothing was sent (RFC 3550 §5.1)
    assert (later - timestamp & 0xFFFFFFFF) == 160 * (1 + 500)


def test_a_leg_says_goodbye(world: World) -> None:
    a = world.far("a", 4000)
    world.run(1)
    world.do(CloseLeg("a"))
    world.run(TICK)
    _, octets = a.reports[-1]
    assert octets[-8:] == struct.pack("!BBHI", 0x81, 203, 1, a.packets[0][4])


def test_a_leg_that_said_nothing_says_no_goodbye(world: World) -> None:
    a = world.far("a", 4000)
    world.do(CloseLeg("a"))
    world.run(1)
    assert a.reports == []


@pytest.mark.parametrize("by", ["voice", "report"])
def test_of_two_with_one_ssrc_it_is_we_who_change(world: World, by: str) -> None:
    a, b = world.far("a", 4000), world.far("b", 5000)
    a.says(400)
    world.hears(b=["a"])
    world.run(1)
    ours = a.packets[0][4]
    a.ssrc = ours
    if by == "voice":
        world.run(0.1)
    else:
        world.reports((a.to, a.beside, block_about(a, 1), world.now))
        a.ssrc = 1
    world.run(2)
    assert a.reports[0][1][-8:] == struct.pack("!BBHI", 0x81, 203, 1, ours)
    assert len({packet[4] for packet in a.packets}) == 2
    assert a.packets[-1][4] != ours
    assert b.tones() == [400]
    assert world.engine.counters["ssrc_collisions"] == 1


def test_an_echo_is_no_collision_twice(world: World) -> None:
    """Who sends us our own packets back (§8.2 calls it a loop) is heard, and asks for one other number at most."""
    a, b = world.far("a", 4000), world.far("b", 5000)
    a.says(400)
    world.hears(b=["a"])
    world.run(0.2)
    for _ in range(200):
        a.ssrc = a.packets[-1][4]
        world.step()
    assert len({packet[4] for packet in a.packets}) == 2
    assert world.engine.counters["ssrc_collisions"] == 1
    assert world.engine.counters["packets_looped"] > 100
    assert b.tones() == [400]


def test_a_page_is_told_by_srtcp_and_tells(new_world: type[World]) -> None:
    switch, browser = Switch(), Browser()
    switch.open(browser, Codec("opus", 111))
    switch.connect(browser)
    out, back = browser.dtls.sessions()
    (payload,) = OpusEncoder(8000).encode(np.zeros(160, np.int16))
    told: list[tuple[float, bytes]] = []
    for n in range(400):
        packet = bytearray(rtp(n, payload=payload))
        packet[1], packet[4:8] = 111, (n * 960).to_bytes(4, "big")
        one = batch([out.protect(bytes(packet))])
        one.at[:] = switch.now
        switch.engine.receive(one, switch.now)
        for datagram in switch.tick():
            if 192 <= datagram.data[1] <= 223:
                told.append((switch.now, back.unprotect_rtcp(datagram.data)))
                if len(told) == 1:
                    said = words(told[0][1])
                    last_sr = (said[2] & 0xFFFF) << 16 | said[3] >> 16
                    reply = struct.pack("!BBHIIIIIII", 0x81, 201, 7, 42, said[1], 0, 500, 480, last_sr, 0)
                    late = batch([out.protect_rtcp(reply)])
                    late.at[:] = switch.now + 0.08
                    switch.engine.receive(late, switch.now + 0.08)
    assert words(told[0][1])[7] == int.from_bytes(packet[8:12], "big")
    qualities = [fact for fact in switch.facts if isinstance(fact, LegQuality)]
    assert qualities[-1].rtt_ms == pytest.approx(80, abs=0.1)
    assert qualities[-1].far_jitter_ms == 10.0
    switch.engine.command(CloseLeg("leg-1"), switch.now)
    goodbye = [back.unprotect_rtcp(one.data) for one in switch.tick() if 192 <= one.data[1] <= 223]
    assert [octets[-8:-4] for octets in goodbye] == [struct.pack("!BBH", 0x81, 203, 1)]


@pytest.mark.parametrize(("secure", "deaf"), [(True, False), (False, True)])
def test_a_browser_s_sender_report_says_nothing_of_what_it_hears(secure: bool, deaf: bool) -> None:
    """Chromium's sender and receiver report apart; a telephone that hears us would say so in its one report."""
    legs = Legs(1)
    legs.secure[0] = secure
    reports = Reports(legs, Playout(1), np.random.default_rng(1))
    reports.open(0)
    reports.send(0, 0.0)

    def say(at: float, *, block: bool) -> None:
        yes, no, one = np.array([True]), np.array([False]), np.array([1], np.uint32)
        packets = np.array([int(50 * at)], np.uint32)
        octet = np.zeros(1, np.uint8)
        about = yes if block else no
        told = rtcp.Heard(yes, one, no, no if block else yes, one, packets, about, octet, packets, one, one, one)
        reports.hear(np.array([0]), told, np.array([at]))

    say(5.0, block=True)
    assert not reports.deaf[0]
    say(9.0, block=False)
    assert reports.deaf[0] == deaf
