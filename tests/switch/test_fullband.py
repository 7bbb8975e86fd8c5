"""Stories of legs of Opus that hear all that there is, up to 20 kHz, and of rooms with others beside them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from attrs import evolve
from cordboard.switch import protocol

from .conftest import G722, OPUS, PCMU, Far, Full, World
from .test_wideband import clicks, level

PLAYS_WIDE = evolve(OPUS, opus=protocol.OpusWishes(playback_rate=16000))
PLAYS_NARROW = evolve(OPUS, opus=protocol.OpusWishes(playback_rate=8000))
GIVES_WIDE = evolve(OPUS, opus=protocol.OpusWishes(capture_rate=16000))
GIVES_NARROW = evolve(OPUS, opus=protocol.OpusWishes(capture_rate=8000))
FULL = {31}  # what the first octet of a packet says (RFC 6716 §3.1): CELT, full band, 20 ms
WIDE = {9}  # SILK, wideband
NARROW = {1}


def far(world: World, leg: str, port: int, codec: protocol.Codec = OPUS) -> Far:
    """One that codes all that it says, as music is."""
    made = world.far(leg, port, codec=codec)
    if codec.name == "opus":
        made.voice = Full("audio")
    return made


def kinds(one: Far, first: int = 10) -> set[int]:
    return {payload[0] >> 3 for payload in one.payloads[first:]}


@pytest.mark.parametrize("hertz", [440, 4000, 7000, 8000, 12000, 19000])
def test_all_bands_make_the_whole(world: World, hertz: int) -> None:
    a, b = far(world, "a", 4000), far(world, "b", 4001)
    a.says(hertz)
    world.hears(b=["a"])
    world.run(0.7)
    heard = b.heard(0.4)
    assert level(heard, 48000, hertz) == pytest.approx(0, abs=0.5)
    others = [abs(turn - hertz) for turn in (8000, 16000, 24000) if abs(abs(turn - hertz) - hertz) > 100]
    assert max((level(heard, 48000, other) for other in others), default=-100) < -50  # no image of it
    assert kinds(b) == FULL


@pytest.mark.parametrize("codec", [PLAYS_WIDE, PLAYS_NARROW, G722, PCMU], ids=["16 kHz", "8 kHz", "g722", "pcmu"])
def test_who_cannot_hear_what_is_above_its_band_does_not_and_the_others_do(world: World, codec: protocol.Codec) -> None:
    a, b, c = far(world, "a", 4000), far(world, "b", 4001), far(world, "c", 4002, codec)
    a.says(12000)
    world.hears(a=["b", "c"], b=["a", "c"], c=["a", "b"])
    world.run(0.7)
    assert level(b.heard(0.4), 48000, 12000) == pytest.approx(0, abs=1)
    heard = c.heard(0.4)
    loudest = 20 * np.log10(np.abs(np.fft.rfft(heard * np.hanning(len(heard)))).max() * 4 / len(heard) / 8000 + 1e-9)
    print(f"12 kHz at who is not full band: {loudest:.0f} dB at any frequency")
    assert loudest < -40


@pytest.mark.parametrize(
    ("codec", "expected"), [(GIVES_NARROW, NARROW), (GIVES_WIDE, WIDE), (G722, WIDE), (PCMU, NARROW)]
)
def test_a_leg_is_sent_no_more_than_anybody_in_its_room_can_give(
    world: World, codec: protocol.Codec, expected: set[int]
) -> None:
    a, b = far(world, "a", 4000), far(world, "b", 4001, codec)
    b.says(1000)
    world.hears(a=["b"], b=["a"])
    world.run(0.6)
    assert kinds(a) == expected


def test_music_and_tones_are_no_reason_to_be_full_band_and_have_no_images_in_it(world: World) -> None:
    a, b = far(world, "a", 4000), far(world, "b", 4001)
    world.do(protocol.OpenSource("t", protocol.Tone(3000.0)))
    world.hears(a=["t"], b=["t", "a"])
    world.run(0.7)
    assert kinds(a) == NARROW
    heard = b.heard(0.4)
    assert kinds(b) == FULL
    assert max(level(heard, 48000, image) for image in (5000, 13000, 19000)) < level(heard, 48000, 3000) - 50


def test_a_room_turns_full_band_and_back_without_a_click(world: World) -> None:
    """C, of 16 kHz at most to begin with, hears A's tone all the time, while one who gives more comes and goes."""
    a, c = far(world, "a", 4000, G722), far(world, "c", 4002)
    far(world, "b", 4001)
    a.says(500)
    world.hears(c=["a"])
    world.run(1)
    for _ in range(3):
        world.hears(b=["a", "c"], c=["a", "b"])
        world.run(0.4)
        world.hears(b=[], c=["a"])
        world.run(0.4)
    sent = [payload[0] >> 3 for payload in c.payloads[10:]]
    assert sum(before != after for before, after in pairwise(sent)) == 6
    # It falls silent over 10 ms and rises again over 5; of a cut it would be more than 100.
    assert clicks(c.heard()[24000:], 500, 48000) < 20


def test_mute_and_hold_of_full_band_legs_leak_nothing(new_world: type[World]) -> None:
    told = []
    for goes_on in (True, False):
        world = new_world(seed=5)
        a, b, c = (far(world, name, 4000 + i) for i, name in enumerate("abc"))
        a.says(440, 12000)
        c.says(13000, 12000)
        world.hears(b=["a", "c"])
        world.run(0.6)
        world.hears(b=[])
        if not goes_on:
            a.source = c.source = lambda n: np.zeros(len(n), np.int16)
        world.run(0.4)
        told.append(b.payloads)
    assert told[0] == told[1]
    assert np.abs(b.heard(0.5)[:4800]).max() > 12000
    assert not b.heard(0.3).any()


def test_who_begins_to_hear_a_leg_hears_nothing_of_before(world: World) -> None:
    a, b = far(world, "a", 4000), far(world, "b", 4001)
    a.says(12000, 20000)
    world.hears(b=["a"])
    world.run(0.5)
    world.hears(b=[])
    a.source = lambda n: np.zeros(len(n), np.int16)
    world.run(0.5)
    world.hears(b=["a"])
    world.run(0.5)
    assert np.abs(b.heard(0.4)).max() <= 2


def test_a_lost_frame_takes_the_upper_bands_along_softly(world: World) -> None:
    a, b = far(world, "a", 4000), far(world, "b", 4001)
    a.source = lambda n: np.rint(sum(3000 * np.sin(2 * np.pi * f * n / 8000) for f in (400, 6000, 12000))).astype(
        np.int16
    )
    world.hears(b=["a"])
    world.run(1)
    lost = iter([True])
    world.lost = lambda one: one is a and next(lost, False)
    world.run(0.6)
    frames = b.heard(0.8).reshape(-1, 960)
    for hertz in (6000, 12000):
        of = [level(frame, 48000, hertz) for frame in frames]
        assert sum(one < -14 for one in of) in (1, 2)  # of 8000: each tone is at -8.5
    assert min(level(frame, 48000, 400) for frame in frames) > -12


@pytest.mark.parametrize("codec", [OPUS, G722], ids=["opus", "g722"])
def test_a_narrowband_leg_hears_the_same_whoever_listens_beside_it(
    new_world: type[World], codec: protocol.Codec
) -> None:
    """Listeners of more than 8 kHz in the room change not one octet of what one of 8 is sent."""
    told = []
    for beside in (PLAYS_NARROW, codec):
        world = new_world(seed=3)
        a, b = world.far("a", 4000), far(world, "b", 4001)
        world.far("c", 4002, codec=beside)
        a.says(440)
        b.says(700)
        world.hears(a=["b", "c"], b=["a"], c=["a", "b"])
        world.run(1)
        told.append((a.payloads, b.payloads))
    assert told[0] == told[1]


def test_keys_are_tones_at_48_khz_where_no_events_were_agreed(world: World) -> None:
    a, b = far(world, "a", 4000, protocol.Codec("opus", 107)), far(world, "b", 4001)
    b.source = lambda n: np.zeros(len(n), np.int16)
    world.hears(a=["b"])
    world.run(0.3)
    world.do(protocol.SendDigits("a", "5", 200, 60))
    world.run(0.5)
    heard = a.heard()
    at = int(np.argmax(np.abs(heard) > 1000)) + 1200
    pair = [level(heard[at : at + 7200], 48000, hertz) for hertz in (770, 1336)]
    assert min(pair) > -12
    assert max(level(heard[at : at + 7200], 48000, hertz) for hertz in (697, 852, 1209, 1477)) < min(pair) - 20
    assert kinds(a, 16) == FULL


def test_packets_of_one_length_are_so_in_every_band(world: World) -> None:
    """RFC 6562: whoever comes and goes, in sound and in silence."""
    a = world.far("a", 4000, codec=evolve(OPUS, opus=protocol.OpusWishes(constant=True)))
    far(world, "b", 4001).says(500)
    far(world, "c", 4002, G722).says(600)
    for heard in (["b"], ["c"], [], ["b", "c"]):
        world.hears(a=heard)
        world.run(0.3)
    assert {len(payload) for payload in a.payloads} == {160}
