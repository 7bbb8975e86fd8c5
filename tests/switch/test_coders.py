"""Opus in several processes: what comes out is what comes out of one, whoever is lost, and all have their share."""

from __future__ import annotations

import numpy as np
import pytest
from cordboard.codecs.bands import SAMPLES, Band
from cordboard.codecs.g711 import Pcm
from cordboard.codecs.opus import OpusDecoder, OpusEncoder, Tuning
from cordboard.codecs.opuspacket import Frame, join, whole
from cordboard.codecs.work import Decoded, Work
from cordboard.switch import coders
from cordboard.switch.coders import Coders
from cordboard.switch.seams import Rows

from .conftest import OPUS, Companion, World

ROWS = np.arange(40) * 3


def tone(row: int, tick: int, band: int = Band.FULL) -> Pcm:
    n = SAMPLES[band]
    t = np.arange(tick * n, tick * n + n) / (50 * n)
    pcm: Pcm = np.rint(8000 * np.sin(2 * np.pi * (200.0 + 20 * row) * t)).astype(np.int16)
    return pcm


def opened(others: list[Companion], rows: Rows = ROWS) -> Coders:
    codec = Coders(others, capacity=256)
    for row in rows.tolist():
        codec.open(row)
    return codec


def heard(frames: list[Pcm]) -> tuple[Pcm, Rows]:
    """As an encoder has them, and how many samples they are."""
    made = np.full((len(frames), SAMPLES[Band.FULL]), 7777, np.int16)
    for i, frame in enumerate(frames):
        made[i, : len(frame)] = frame
    return made, np.array([len(frame) for frame in frames])


def encoded(codec: Coders, frames: list[Pcm], rows: Rows = ROWS) -> list[list[bytes]]:
    packets: list[list[bytes]] = [[b"never told"]] * len(rows)
    for made in codec.encode(rows, *heard(frames)).results():
        for i, its in zip(made.index.tolist(), made.packets(), strict=True):
            packets[i] = list(its)
    return packets


Told = tuple[list[bytes], list[bool], dict[int, dict[int, tuple[bytes, bool]]]]


def told(work: Work[Decoded], n: int) -> Told:
    """Sound and whether it is any, by row, and by band and row what is above, and whether it begins."""
    pcm, good = [b""] * n, [False] * n
    above: dict[int, dict[int, tuple[bytes, bool]]] = {Band.WIDE: {}, Band.FULL: {}}
    for part in work.results():
        for k, i in enumerate(part.index.tolist()):
            pcm[i], good[i] = part.pcm[k].tobytes(), bool(part.good[k])
        for one in part.upper:
            for k, i in enumerate(one.index.tolist()):
                above[one.band][i] = one.pcm[k].tobytes(), bool(one.begins[k])
    return pcm, good, above


@pytest.mark.parametrize("n", [1, 3])
def test_legs_at_others_are_what_they_are_here(n: int) -> None:
    """Frames of all bands, one of which is no Opus, in packets of 20 ms and of 60, and listeners of each band."""
    alone, spread = opened([]), opened([Companion() for _ in range(n)])
    for codec in (alone, spread):
        codec.tune(9, Tuning(constant=True, frame_ms=10))
    long: list[bytes] = []
    for tick in range(9):
        frames = [tone(row, tick, i % 3) for i, row in enumerate(ROWS.tolist())]
        packets = encoded(alone, frames)
        assert packets == encoded(spread, frames)
        assert [len(its) for its in packets] == [2 if row == 9 else 1 for row in ROWS]
        if tick % 3 == 0:
            long = [join([OpusEncoder(48000).encode(tone(row, tick + k))[0] for k in range(3)]) for row in range(4)]
        parts: list[Frame] = [((0, 8, packet, 8 * (tick % 3)),) for packet in long]
        parts += [whole(packets[i][0] if row != 9 else b"\xff" * 10) for i, row in enumerate(ROWS.tolist()) if i > 3]
        parts[3] = whole(b"\xff" * 10)
        bands = (2 * (np.arange(len(ROWS)) % 4)).astype(np.uint8)
        here, there = (told(codec.decode(ROWS, parts, bands), len(ROWS)) for codec in (alone, spread))
        assert here == there
        assert there[1] == [i != 3 for i in range(len(ROWS))]
        assert len(there[2][Band.FULL]) == 20
        if tick == 4:
            for codec in (alone, spread):
                codec.forget(ROWS[5:20])
    assert not spread.counters


def shares(codec: Coders, *others: Companion) -> list[list[int]]:
    """How many decoders and how many encoders are here, and at each of the others."""
    return [[spread._many[place] for place in (None, *others)] for spread in (codec._decoders, codec._encoders)]


def talk(codec: Coders, rows: Rows) -> None:
    packets = encoded(codec, [tone(0, 0)] * len(rows), rows)
    assert all(packets)
    _, good, _ = told(codec.decode(rows, [whole(its[0]) for its in packets], np.zeros(len(rows), np.uint8)), len(rows))
    assert all(good)


def test_all_have_their_share() -> None:
    """... and here, where packets are sealed and sent, there are fewer encoders."""
    others = Companion(), Companion()
    codec = opened(list(others))
    talk(codec, ROWS)
    assert shares(codec, *others) == [[13, 14, 13], [8, 16, 16]]


def test_who_was_there_first_gives_some_to_who_comes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coders, "LOOK", 4)
    late = Companion(there=False)
    codec = opened([late])
    talk(codec, ROWS)
    assert shares(codec, late) == [[40, 0], [40, 0]]
    late.there = True
    for _ in range(5 * coders.LOOK):
        talk(codec, ROWS)
    (_, decoders), (_, encoders) = shares(codec, late)
    assert 16 <= decoders <= 24
    assert 23 <= encoders <= 30


def test_a_leg_that_nothing_is_asked_of_has_no_codec_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coders, "IDLE", 2 * coders.LOOK)
    other = Companion()
    codec = opened([other])
    talk(codec, ROWS)
    for _ in range(coders.IDLE + 2 * coders.LOOK):
        list(codec.encode(ROWS[:1], *heard([tone(0, 0)])).results())
    talk(codec, ROWS[:2])
    assert [sum(each) for each in shares(codec, other)] == [2, 2]


@pytest.mark.parametrize("when", ["before", "between", "after"])
def test_when_a_process_is_lost_its_legs_go_on_elsewhere(when: str) -> None:
    other = Companion()
    codec = opened([other])
    decoder = OpusDecoder()
    for tick in range(10):
        packets = encoded(codec, [tone(row, tick) for row in ROWS.tolist()])
    if when == "before":
        other.die()
    work = codec.encode(ROWS, *heard([tone(row, 10) for row in ROWS.tolist()]))
    results = work.results()
    made = [next(results)]
    if when == "between":
        other.die()
    made += results
    if when == "after":
        other.die()
    assert sorted(i for each in made for i in each.index.tolist()) == list(range(len(ROWS)))
    lost = sum(not its for each in made for its in each.packets())
    assert 0 < lost < 30 if when != "after" else lost == 0
    _, good, _ = told(codec.decode(ROWS, [whole(its[0]) for its in packets], np.zeros(len(ROWS), np.uint8)), len(ROWS))
    assert all(good) if when != "after" else 0 < good.count(False) < 30
    assert codec.counters == {"coders_lost": 1}
    for tick in range(11, 20):
        packets = encoded(codec, [tone(row, tick) for row in ROWS.tolist()])
        sound = decoder.decode(packets[20][0])
    assert all(packets)
    assert np.abs(sound).max() == pytest.approx(8000, rel=0.2)
    assert codec.failed() == []


def test_a_codec_that_breaks_there_is_its_leg_s_end_and_not_of_who_has_its_row_by_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = Companion()
    codec = opened([other], ROWS[:2])
    packets = encoded(codec, [tone(row, 0) for row in ROWS[:2].tolist()], ROWS[:2])
    told(codec.decode(ROWS[:2], [whole(its[0]) for its in packets], np.zeros(2, np.uint8)), 2)
    (there,) = [row for row in ROWS[:2].tolist() if codec._decoders._places[row] is other]
    frames, narrow = [whole(its[0]) for its in packets], np.zeros(2, np.uint8)
    play, broken = OpusDecoder.play, []

    def crashing(self: OpusDecoder, frame: Frame) -> None:
        if frame == frames[there // 3]:
            broken.append(self)
            raise RuntimeError("a bug")
        play(self, frame)

    monkeypatch.setattr(OpusDecoder, "play", crashing)
    _, good, _ = told(codec.decode(ROWS[:2], frames, narrow), 2)
    assert good == [row != there for row in ROWS[:2].tolist()]
    assert codec.failed() == [there]
    assert codec.failed() == []
    work = codec.decode(ROWS[:2], frames, narrow)
    codec.close(there)
    codec.open(there)
    told(work, 2)
    assert len(broken) == 2
    assert codec.failed() == []


def test_a_room_whose_process_dies_hears_a_break_and_goes_on(new_world: type[World]) -> None:
    other = Companion()
    world = new_world(others=[other])
    legs = [world.far(name, 4000 + i, codec=OPUS) for i, name in enumerate("abcd")]
    for i, leg in enumerate(legs):
        leg.says(400 + 100 * i)
    world.hears(a=["b"], b=["a"], c=["d"], d=["c"])
    world.run(1)
    other.die()
    world.run(1)
    assert world.engine.counters["coders_lost"] == 1
    assert [leg.loudest() for leg in legs] == [500, 400, 700, 600]
    for leg in legs:
        assert 96 <= len(leg.packets) <= 100
        loud = np.sqrt(np.mean(leg.heard(0.8).astype(float).reshape(40, -1) ** 2, axis=1))
        assert loud.min() > 0.5 * loud.max()
