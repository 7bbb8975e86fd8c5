"""Digits in and out of the engine: telephone events whatever the network does to them, tones where there are none."""

# mypy: allow-untyped-calls
# The far sides of conftest.py have no types.

from __future__ import annotations

import struct
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from attrs import evolve, frozen
from cordboard.codecs import dtmf
from cordboard.switch import protocol, rtp
from cordboard.switch.digits import Digits
from cordboard.switch.legs import Kind, Legs
from cordboard.switch.protocol import (
    Codec,
    DigitPressed,
    KeyAnswered,
    Part,
    Pause,
    Playlist,
    PressKey,
    Prompt,
    SendDigits,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from .conftest import Far, World

NO_EVENTS = Codec("pcmu", 0)
EVENTS = Codec("pcmu", 0, 101)


@frozen
class Packet:
    timestamp: int
    event: int
    duration: int
    end: bool
    marker: bool
    sent: int  # ms


def reports(digit: str, begins: int, ms: int, per_ms: int, base: int) -> list[Packet]:
    """A digit that begins `begins` ms after timestamp `base`, as RFC 4733 §2.5.1 has it sent, every 20 ms."""
    event, total, step = dtmf.DIGITS.index(digit), ms * per_ms, 20 * per_ms
    first = base + begins * per_ms
    made: list[Packet] = []
    segment, at = 0, 0
    while at < total:
        at = min(at + step, total)
        while at - segment > 0xFFFF:
            made.append(Packet(first + segment, event, 0xFFFF, False, not made, begins + at // per_ms))
            segment += 0xFFFF
        if at < total:
            made.append(Packet(first + segment, event, at - segment, False, not made, begins + at // per_ms))
    last = Packet(first + segment, event, total - segment, True, not made, begins + ms)
    return [*made, *(evolve(last, sent=last.sent + 20 * i, marker=last.marker and i == 0) for i in range(3))]


def heard(packets: list[tuple[float, Packet]], per_ms: int) -> list[tuple[str, int]]:
    """What a leg makes of packets that come at these ms."""
    legs = Legs(2)
    row = legs.add("a", Kind.LEG, 0.0)
    assert row is not None
    legs.event_step[row] = 20 * per_ms
    digits = Digits(legs)
    told: list[DigitPressed] = []
    coming = sorted(packets, key=lambda one: one[0])
    numbers = {id(one): i for i, (_, one) in enumerate(sorted(packets, key=lambda each: each[1].sent))}
    for tick in range(int(max(at for at, _ in packets)) // 20 + 15):
        now = [packet for at, packet in coming if tick * 20 <= at < tick * 20 + 20]
        if now:
            data = np.zeros((len(now), 1536), np.uint8)
            for i, one in enumerate(now):
                octets = struct.pack(
                    "!BBHIIBBH", 0x80, 101 | one.marker << 7, numbers[id(one)], one.timestamp & 0xFFFFFFFF, 7,
                    one.event, one.end << 7 | 10, one.duration,
                )  # fmt: skip
                data[i, :16] = np.frombuffer(octets, np.uint8)
            headers = rtp.parse(data, np.full(len(now), 16, np.int32))
            digits.arrive(np.full(len(now), row), np.arange(len(now)), headers, data)
        told += digits.tick()
    assert {fact.how for fact in told} <= {"event"}
    return [(fact.digit, fact.duration_ms) for fact in told]


KEYS = st.lists(
    st.tuples(st.sampled_from(dtmf.DIGITS), st.sampled_from([40, 60, 100, 240, 1380, 2800]), st.integers(50, 200)),
    min_size=1,
    max_size=4,
)


@given(KEYS, st.sampled_from([8, 48]), st.integers(0, 2**32 - 1), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_any_digits_come_through_any_network(
    keys: list[tuple[str, int, int]], per_ms: int, base: int, seed: int
) -> None:
    """Of the three ends up to two are lost, of the others a third; the rest is late, doubled and out of order."""
    rng, begins = Random(seed), 0
    come: list[tuple[float, Packet]] = []
    for digit, ms, gap in keys:
        *before, end1, end2, end3 = reports(digit, begins, ms, per_ms, base)
        kept = [one for i, one in enumerate(before) if i % 4 == 0 or rng.random() < 0.6]
        kept += rng.sample([end1, end2, end3], rng.randint(1, 3))
        for one in kept:
            for _ in range(rng.choice((1, 1, 1, 2))):
                come.append((one.sent + rng.uniform(0, 45), one))
        begins += ms + gap
    assert heard(come, per_ms) == [(digit, ms) for digit, ms, _ in keys]


def test_the_keys_of_sipp_come_through(world: World) -> None:
    """As sipp 3.6 says `play_dtmf`: a key begins 400 units of timestamp after the one before, in whose duration of 1600
    that lies; reserved bits are set; before them come packets of a type that nobody agreed on. Its type for events is
    96 whatever was agreed on, so that must be what is."""
    far = world.far("a", 4000, codec=Codec("pcma", 8, 96))

    def say(octets: bytes, kind: int, sequence: int, timestamp: int) -> None:
        header = struct.pack("!BBHII", 0x80, kind, sequence, timestamp, 0x01020305)
        world.receive((far.to, far.name, header + octets, world.now))

    for i in range(20):
        say(bytes(4), 97, 1200 + 2 * i, 24000 + 20 * i)
        world.step()
    sequence = 1240
    for n, key in enumerate("1122#"):
        timestamp = 24400 + 400 * n
        for i in range(10):
            volume = 0x4A if i in (6, 8) else 10
            say(struct.pack("!BBH", dtmf.DIGITS.index(key), volume, 160 * i), 96 | (i == 0) << 7, sequence, timestamp)
            sequence += 1
            world.step()
        for _ in range(3):
            say(struct.pack("!BBH", dtmf.DIGITS.index(key), 0x8A, 1600), 96, sequence, timestamp)
            sequence += 1
        world.run(0.2)
    assert [(fact.digit, fact.duration_ms) for fact in world.all(DigitPressed)] == [(key, 200) for key in "1122#"]
    assert world.engine.counters["packets_of_wrong_type"] == 20


def test_a_digit_whose_ends_are_all_lost_is_told_by_what_there_was() -> None:
    packets = [(float(one.sent), one) for one in reports("4", 0, 200, 8, 0) if not one.end]
    assert heard(packets, 8) == [("4", 180)]
    late = [*packets, *((one.sent + 400.0, one) for one in reports("4", 0, 200, 8, 0) if one.end)]
    assert heard(late, 8) == [("4", 180)]
    after = [*packets, *((float(one.sent), one) for one in reports("4", 220, 100, 8, 0))]
    assert heard(after, 8) == [("4", 180), ("4", 100)]


def test_a_browsers_digits_are_ends_only() -> None:
    come = []
    for i, digit in enumerate("1590*#"):
        one = Packet(100_000 + 8_160 * i, dtmf.DIGITS.index(digit), 960, True, True, 0)
        come += [(170.0 * i, one), (170.0 * i + 1, one), (170.0 * i + 2, one)]
    assert heard(come, 48) == [(digit, 20) for digit in "1590*#"]


def test_a_key_that_is_held_for_long_is_one_digit() -> None:
    """On a clock of 48 kHz a segment is 1.4 s."""
    packets = [(float(one.sent), one) for one in reports("9", 0, 7000, 48, 2**32 - 5000)]
    assert len({one.timestamp for _, one in packets}) == 6
    assert heard(packets, 48) == [("9", 7000)]
    assert heard([(at, one) for at, one in packets if one.duration != 0xFFFF], 48) == [("9", 7000)]


def test_what_is_no_digit_is_nothing(world: World) -> None:
    a = world.far("a", 4000, codec=EVENTS)
    a.says(440)
    for payload in (b"", b"\x01\x8a\x03", b"\x10\x8a\x03\x20", b"\xff\xff\xff\xff"):
        world.receive((a.to, a.name, a.packet(payload, payload_type=101), world.now))
    world.run(1.2)
    assert not world.all(DigitPressed)
    assert world.engine.counters["digits_ignored"] == 4


def test_reports_of_chance_raise_nothing_and_tell_only_digits(world: World) -> None:
    a = world.far("a", 4000, codec=EVENTS)
    for _ in range(400):
        payload = world.rng.randbytes(world.rng.randrange(9))
        fields = {name: world.rng.choice((0, 1, 2**31, world.rng.randrange(1 << 32))) for name in ("timestamp", "ssrc")}
        world.receive((a.to, a.name, a.packet(payload, 101 | world.rng.choice((0, 128)), **fields), world.now))
        world.step()
    assert {fact.digit for fact in world.all(DigitPressed)} <= set(dtmf.DIGITS)


def test_a_flood_of_events_is_bounded(world: World) -> None:
    a = world.far("a", 4000, codec=EVENTS)
    for i in range(50):
        for j in range(20):
            event = a.packet(b"\x01\x8a\x03\x20", payload_type=101, timestamp=10_000 * i + 100 * j)
            world.receive((a.to, a.name, event, world.now))
        world.step()
    assert len(world.all(DigitPressed)) <= 4 * 50 / 3 + 4


def test_another_stream_begins_anew(world: World) -> None:
    a = world.far("a", 4000, codec=EVENTS)
    for ssrc, digit in ((1, 3), (2, 3), (3, 7)):
        event = a.packet(bytes([digit, 0x8A, 3, 32]), payload_type=101, timestamp=1000, ssrc=ssrc)
        world.receive((a.to, a.name, event, world.now))
    world.run(0.2)
    assert [fact.digit for fact in world.all(DigitPressed)] == ["3", "3", "7"]


@pytest.mark.parametrize("later", [-1_000_000, 2**31 + 160, 2**32 - 1])
@pytest.mark.parametrize("seconds", [0.3, 2.5])
def test_a_stream_whose_time_is_another_with_the_same_ssrc_is_heard_on(
    world: World, later: int, seconds: float
) -> None:
    """As far sides begin anew in a call that is put through; or a clock of 48 kHz, half of whose count is 12 hours."""
    a = world.far("a", 4000, codec=EVENTS)
    for i, digit in enumerate((3, 3, 7, 5, 5)):
        timestamp = (10_000_000 + i * 9_600 + (later if i else 0)) % 2**32
        for again in range(3):
            event = bytes([digit, 0x8A, 3, 32])
            sent = a.packet(event, payload_type=101, timestamp=timestamp, sequence=65_530 + 4 * i + again & 0xFFFF)
            world.receive((a.to, a.name, sent, world.now))
        world.run(seconds)
    assert "".join(fact.digit for fact in world.all(DigitPressed)) == "33755"


def test_what_overtook_an_event_that_was_told_tells_nothing_again(world: World) -> None:
    a = world.far("a", 4000, codec=EVENTS)
    for timestamp, sequence in ((9_600, 20), (8_000, 10), (9_600, 21), (8_000, 11), (9_600, 19)):
        event = a.packet(b"\x05\x8a\x03\x20", payload_type=101, timestamp=timestamp, sequence=sequence)
        world.receive((a.to, a.name, event, world.now))
        world.run(0.4)
    assert [fact.digit for fact in world.all(DigitPressed)] == ["5"]


def test_events_of_another_clock_begin_anew(world: World) -> None:
    """The same payload type, as where 101 stands for both: what waits to be sent, and what is half heard, is not."""
    a = world.far("a", 4000, codec=EVENTS)
    world.do(SendDigits("a", "12", duration_ms=200))
    world.run(0.1)
    opus = Codec("opus", 107, 101)
    assert sent_events(a)
    world.do(protocol.UpdateRtpLeg("a", "198.51.100.7", 4000, opus))
    before = len(a.packets)
    world.run(0.5)
    assert {kind for *_, kind, _ in a.packets[before:]} == {107}
    world.do(SendDigits("a", "7"))
    world.run(0.3)
    assert [duration for _, event, duration, end, _ in sent_events(a) if event == 7 and end] == [4800] * 3


def test_a_leg_that_closes_before_its_key_was_told_takes_it_along(world: World) -> None:
    a, b = world.far("a", 4000, codec=EVENTS), world.far("b", 4002, codec=NO_EVENTS)
    for ssrc in (1, 2):  # the second stream ends what the first began, between two ticks
        event = a.packet(b"\x05\x8a\x03\x20", payload_type=101, ssrc=ssrc)
        world.receive((a.to, a.name, event, world.now))
    pcm = dtmf.tones(np.array([5] * 10, np.uint8), np.arange(10) * 160, np.full(10, 640)).reshape(-1)
    b.source = lambda n: pcm[np.minimum(n, len(pcm) - 1)]
    world.do(protocol.CloseLeg("a"))
    world.fars.remove(a)
    world.run(0.1)
    for _ in range(10):
        world.step()
        if world.engine._digits._pressed:
            world.do(protocol.CloseLeg("b"))
            world.fars.remove(b)
            break
    world.step()
    assert "b" not in world.engine.started("e", 1).legs
    assert not world.all(DigitPressed)


def test_a_stream_that_begins_anew_sends_the_rest_of_no_digit(world: World) -> None:
    a = world.far("a", 4000, codec=EVENTS)
    world.run(0.1)
    world.do(SendDigits("a", "12"))
    world.run(0.06)
    ours = a.packets[-1][4]
    a.ssrc = ours  # it takes our own
    a.says(440)
    world.run(1)
    by_stream = {ssrc: set[int]() for *_, ssrc in a.packets}
    for (*_, kind, ssrc), payload in zip(a.packets, a.payloads, strict=True):
        if kind == 101:
            by_stream[ssrc].add(payload[0])
    assert list(by_stream.values()) == [{1}, {2}]


# --- sent ---------------------------------------------------------------------------------------------------------


def sent_events(far: Far) -> list[tuple[int, int, int, bool, bool]]:
    """(timestamp, event, duration, end, marker) of each event packet that this far side was sent."""
    made = []
    for (_, timestamp, marker, kind, _), payload in zip(far.packets, far.payloads, strict=True):
        if kind == 101:
            event, flags, duration = struct.unpack("!BBH", payload)
            made.append((timestamp, event, duration, flags >= 0x80, bool(marker)))
    return made


def test_a_digit_is_sent_as_rfc_4733_has_it(world: World) -> None:
    a = world.far("a", 4000, codec=EVENTS)
    world.run(0.1)
    world.do(SendDigits("a", "5", duration_ms=90))
    world.run(0.5)
    events = sent_events(a)
    assert [duration for _, _, duration, _, _ in events] == [160, 320, 480, 640, 720, 720, 720]
    assert [end for *_, end, _ in events] == [False] * 4 + [True] * 3
    assert [marker for *_, marker in events] == [True] + [False] * 6
    assert len({(timestamp, event) for timestamp, event, *_ in events}) == 1
    # One stream: every number once, and sound where its clock has it.
    first = a.packets[0]
    assert [packet[0] - first[0] for packet in a.packets] == list(range(len(a.packets)))
    kinds = [packet[3] for packet in a.packets]
    begins = kinds.index(101)
    assert events[0][0] == a.packets[0][1] + 160 * begins
    assert kinds == [0] * begins + [101] * 7 + [0] * (len(kinds) - begins - 7)
    after = begins + 7
    assert a.packets[after][1:3] == (a.packets[0][1] + 160 * after, 1)
    assert {len(payload) for payload in a.payloads[after:]} == {160}
    assert set(b"".join(a.payloads[after:])) == {0xFF}


def test_digits_follow_each_other_evenly_in_silence_and_in_sound(world: World) -> None:
    a, b = world.far("a", 4000, codec=EVENTS), world.far("b", 4002, codec=EVENTS)
    b.says(440)
    world.hears(a=["b"])
    world.do(SendDigits("a", "12"), SendDigits("a", "#", gap_ms=40), SendDigits("a", "D", 40, 40))
    world.run(1.2)
    events = sent_events(a)
    begun = {timestamp: event for timestamp, event, *_ in events}
    assert [dtmf.DIGITS[event] for event in begun.values()] == list("12#D")
    starts = list(begun)
    assert [later - earlier for earlier, later in pairwise(starts)] == [1600, 1600, 1120]
    world.run(1)
    assert a.tones() == [440]


def test_a_digit_longer_than_its_field_goes_on_in_segments(world: World) -> None:
    a = world.far("a", 4000, codec=EVENTS)
    world.do(SendDigits("a", "0", duration_ms=9000))
    world.run(9.3)
    events = sent_events(a)
    segments = sorted({timestamp for timestamp, *_ in events})
    assert segments[1] - segments[0] == 0xFFFF
    assert max(duration for timestamp, _, duration, *_ in events if timestamp == segments[0]) == 0xFFFF
    assert [(one[0], one[2]) for one in events if one[3]] == [(segments[1], 72000 - 0xFFFF)] * 3
    packets = [(20.0 * i, Packet(t, e, d, end, m, 0)) for i, (t, e, d, end, m) in enumerate(events)]
    assert heard(packets, 8) == [("0", 9000)]


@pytest.mark.parametrize("codec", [NO_EVENTS, Codec("pcma", 8)])
def test_without_events_digits_are_tones_both_ways(world: World, codec: Codec) -> None:
    a, b = world.far("a", 4000, codec=codec), world.far("b", 4002, codec=codec)
    b.says(440)
    world.run(0.2)
    begins = len(a.payloads)
    world.do(SendDigits("a", dtmf.DIGITS, 80, 60))
    world.run(16 * 0.14 + 0.2)
    # What it was sent comes back on another leg, that nobody hears.
    said = a.heard()[begins * 160 :]
    b.source = lambda n: said[np.minimum(n, len(said) - 1)]
    b.samples = 0
    world.run(16 * 0.14 + 0.5)
    pressed = world.all(DigitPressed)
    assert "".join(fact.digit for fact in pressed) == dtmf.DIGITS
    assert {(fact.leg, fact.how) for fact in pressed} == {("b", "tone")}
    assert all(abs(fact.duration_ms - 80) <= 10 for fact in pressed)


def test_a_tone_is_heard_in_place_of_what_is_heard_and_no_longer(world: World) -> None:
    a, b = world.far("a", 4000, codec=NO_EVENTS), world.far("b", 4002, codec=EVENTS)
    b.says(440)
    world.hears(a=["b"])
    world.run(0.5)
    world.do(SendDigits("a", "1", 1000))
    world.run(1)
    assert [abs(hertz - tone) <= 2 for hertz, tone in zip(a.tones(0.5), (697, 1209), strict=True)] == [True, True]
    world.run(1.2)
    assert a.tones() == [440]


def test_digits_that_cannot_be_sent_are_counted(world: World) -> None:
    world.far("a", 4000, codec=EVENTS)
    for command in (
        SendDigits("nobody", "1"),
        SendDigits("a", ""),
        SendDigits("a", "12x"),
        SendDigits("a", "1" * 65),
        SendDigits("a", "1", 39),
        SendDigits("a", "1", 100, 10_001),
    ):
        world.do(command)
    assert world.engine.counters["digits_refused"] == 6
    world.do(SendDigits("a", "1" * 64), SendDigits("a", "2"))
    assert world.engine.counters["digits_refused"] == 7


def test_a_leg_that_closes_or_changes_its_codec_sends_no_more(world: World) -> None:
    a = world.far("a", 4000, codec=EVENTS)
    world.do(SendDigits("a", "123"), protocol.UpdateRtpLeg("a", "198.51.100.7", 4000, NO_EVENTS))
    world.run(0.5)
    assert not sent_events(a)
    assert set(b"".join(a.payloads)) == {0xFF}
    world.do(SendDigits("a", "123"), protocol.CloseLeg("a"))
    world.fars.clear()
    b = world.far("b", 4002, codec=NO_EVENTS)
    world.run(0.5)
    assert set(b"".join(b.payloads)) == {0xFF}


# --- barge-in -----------------------------------------------------------------------------------------------------

HELLO, BYE = Part(Prompt("hello", "en")), Part(Prompt("bye", "en"))


def press(world: World, far: Far, digit: str = "1") -> None:
    event = bytes([dtmf.DIGITS.index(digit), 0x8A, 3, 32])
    world.receive((far.to, far.name, far.packet(event, payload_type=101, timestamp=round(world.now * 8000)), world.now))


def test_a_digit_ends_the_prompt_that_its_leg_hears(world: World) -> None:
    a, b = world.far("a", 4000, codec=EVENTS), world.far("b", 4002, codec=EVENTS)
    world.do(protocol.OpenSource("p", Playlist((HELLO, Part(Pause(), 0.5), BYE), barge_in=True)))
    world.do(protocol.OpenSource("q", Playlist((HELLO,))))
    world.hears(a=["p"], b=["q"])
    world.run(0.1)
    press(world, a)
    press(world, b)
    world.run(0.1)
    assert not world.all(protocol.SourceFinished)
    assert [fact.leg for fact in world.all(DigitPressed)] == ["a", "b"]
    world.run(0.06)
    assert set(b"".join(a.payloads[-2:])) == {0xFF}
    world.do(PressKey("a", "1"))  # a pause is no prompt
    world.run(0.52)
    assert not world.all(protocol.SourceFinished) or world.all(protocol.SourceFinished)[-1].source == "q"
    twice = DigitPressed("a", "2", 0, "info")
    assert world.do(PressKey("nobody", "2"), PressKey("a", "2"), PressKey("a", "2")) == [
        twice, protocol.SourceFinished("p"), twice,
    ]  # fmt: skip


def test_a_key_that_is_told_in_two_ways_is_one_in_whatever_order_they_come(world: World) -> None:
    """By INFO as each is pressed, when it was let go, or after the next; who uses one way loses none."""
    a, b = world.far("a", 4000, codec=EVENTS), world.far("b", 4002, codec=EVENTS)
    told: list[protocol.Fact] = []

    def come(*ways: tuple[Far, str, str]) -> None:
        for far, digit, how in ways:
            if how == "event":
                press(world, far, digit)
                world.run(0.2)
            else:
                told.extend(world.do(PressKey("a" if far is a else "b", digit)))
                world.run(0.1)

    come((a, "1", "info"), (a, "1", "event"), (a, "1", "event"), (a, "1", "info"))
    come((a, "2", "event"), (a, "3", "event"), (a, "2", "info"), (a, "3", "info"))
    come((b, "4", "info"), (b, "4", "info"), (b, "5", "event"), (b, "5", "event"), (a, "4", "event"))
    world.run(4)
    come((b, "4", "event"), (a, "1", "event"))
    told += world.all(DigitPressed)
    keys = [(fact.leg, fact.digit) for fact in told if isinstance(fact, DigitPressed)]
    assert sorted(keys) == [("a", one) for one in "111234"] + [("b", one) for one in "44455"]
    assert world.engine.counters["digits_told_twice"] == 4


def test_a_digit_of_who_is_asked_for_one_is_an_answer_and_no_other_is(world: World) -> None:
    """Whatever is said in that moment, and when it has been said; by INFO too."""
    a, b = world.far("a", 4000, codec=EVENTS), world.far("b", 4002, codec=EVENTS)
    world.do(protocol.OpenSource("asks", Playlist((Part(Pause(), 0.1), HELLO), asks=True)))
    world.do(protocol.OpenSource("says", Playlist((HELLO,))))
    world.hears(a=["asks"], b=["says"])
    for _ in range(2):
        press(world, a, "7")
        press(world, b, "8")
        world.run(0.2)
    assert world.do(PressKey("a", "9"), PressKey("b", "9")) == [
        KeyAnswered("a", "9"),
        DigitPressed("b", "9", 0, "info"),
    ]
    world.run(3)
    press(world, a, "*")
    world.run(0.2)
    world.hears(a=[])
    press(world, a, "#")
    world.run(0.2)
    assert [fact.key for fact in world.all(KeyAnswered)] == ["7", "7", "*"]
    assert [(fact.leg, fact.digit) for fact in world.all(DigitPressed)] == [("b", "8"), ("b", "8"), ("a", "#")]
