"""Who speaks, told from noise, tones and silence: in columns, and of the legs of an engine."""

from __future__ import annotations

from functools import partial

import numpy as np
from cordboard.bench import customer
from cordboard.codecs import g711
from cordboard.switch import protocol
from cordboard.switch.speech import LOOK_TICKS, Speech
from numpy.typing import NDArray

from tests.switch.conftest import G722, OPUS, World

FRAME, SECOND = 160, 8000
WINDOW = 100  # ticks of 2 s
SPEECH = g711.decode_ulaw(customer.speech("en")).reshape(-1)
CHANCE = np.random.default_rng(1)


def at_level(pcm: NDArray[np.int16] | NDArray[np.float64], dbov: float) -> g711.Pcm:
    """... over all of it."""
    sound = pcm.astype(np.float64)
    made: g711.Pcm = np.rint(sound * 32768 * 10 ** (dbov / 20) / np.sqrt(np.mean(sound**2))).astype(np.int16)
    return made


def white(seconds: float, dbov: float) -> g711.Pcm:
    return at_level(CHANCE.normal(size=round(seconds * SECOND)), dbov)


def fan(seconds: float, dbov: float, falls: float = 0.5) -> g711.Pcm:
    """Noise as of a fan or a street, as a microphone lets it through: from 100 Hz on it falls, by 3 dB an octave (pink)
    or more."""
    n = round(seconds * SECOND)
    hertz = np.maximum(np.fft.rfftfreq(n, 1 / SECOND), 1.0) / 100
    return at_level(
        np.fft.irfft(np.fft.rfft(CHANCE.normal(size=n)) * np.where(hertz < 1, hertz**2, hertz**-falls)), dbov
    )


def tone(seconds: float, *hertz: float, on: float = 0.0, off: float = 0.0) -> g711.Pcm:
    """Of one frequency or two, all the time or on and off."""
    t = np.arange(round(seconds * SECOND)) / SECOND
    sound = sum(np.sin(2 * np.pi * one * t) for one in hertz) * 6000.0
    if on:
        sound = np.where(t % (on + off) < on, sound, 0)
    made: g711.Pcm = np.rint(sound).astype(np.int16)
    return made


def digits(text: str, ms: int) -> g711.Pcm:
    """In band, as long as the gaps between them."""
    low, high = (697, 770, 852, 941), (1209, 1336, 1477)
    gap = np.zeros(SECOND * ms // 1000, np.int16)
    places = ["123456789*0#".index(digit) for digit in text]
    return np.concatenate([part for n in places for part in (tone(ms / 1000, low[n // 3], high[n % 3]), gap)])


def frames(pcm: g711.Pcm) -> NDArray[np.float32]:
    return pcm[: len(pcm) // FRAME * FRAME].reshape(-1, FRAME).astype(np.float32)


def spoke(*sounds: g711.Pcm) -> list[list[bool]]:
    """Of each of these sounds, and of each whole 2 s of it, whether somebody spoke. Each is in a row of its own."""
    columns, rows = Speech(len(sounds)), np.arange(len(sounds))
    together = np.stack([frames(np.resize(pcm, max(map(len, sounds)))) for pcm in sounds], axis=1)
    told: list[list[bool]] = [[] for _ in sounds]
    for tick, frame in enumerate(together):
        if tick % LOOK_TICKS == 0:
            columns.listen(tick, rows, frame, np.vecdot(frame, frame))
        if tick % WINDOW == WINDOW - 1:
            for row in range(len(sounds)):
                told[row].append(columns.spoke([row], tick - WINDOW))
    return told


def talks(pcm: g711.Pcm) -> list[bool]:
    """Of each whole 2 s of clean speech, whether it is no pause."""
    power = np.mean(frames(pcm) ** 2, axis=1)
    loud = power[: len(power) // WINDOW * WINDOW].reshape(-1, WINDOW) > power.mean() / 100
    told: list[bool] = (loud.sum(axis=1) > 20).tolist()
    return told


def test_who_speaks_loudly_or_softly_is_told_within_two_seconds() -> None:
    wanted = talks(SPEECH)
    assert sum(wanted) > 20
    for told in spoke(*(at_level(SPEECH, dbov) for dbov in (-16, -26, -36))):
        assert all(speaks for speaks, talking in zip(told, wanted, strict=True) if talking)


def test_who_speaks_in_noise_is_heard_as_long_as_that_is_softer() -> None:
    loud = at_level(SPEECH, -26)
    for decibels, part in ((10, 0.5), (15, 0.85), (25, 1.0)):
        noise = fan(len(loud) / SECOND + 2, -26 - decibels)
        (told,) = spoke(np.concatenate([noise[: 2 * SECOND], loud + noise[2 * SECOND :]]))
        assert not told[0]
        heard = [speaks for speaks, talking in zip(told[1:], talks(SPEECH), strict=True) if talking]
        assert sum(heard) / len(heard) >= part


def test_noise_is_no_speech_be_it_ever_so_loud() -> None:
    levels = (-70, -50, -40, -26, -12)
    for made in (white, fan, partial(fan, falls=1.0)):
        assert not np.any(spoke(*(made(20, dbov) for dbov in levels)))
    gap = np.zeros(SECOND, np.int16)
    assert not np.any(spoke(np.concatenate([gap, white(1.3, -30), gap, fan(0.7, -20), gap] * 4)))


TONES = {
    "tone": tone(12, 440),
    "dial tone": tone(12, 350, 440),
    "ringback, US": tone(12, 440, 480, on=2, off=4),
    "ringback, UK": tone(12, 400, 450, on=0.4, off=0.2),
    "busy, China": tone(12, 450, on=0.35, off=0.35),
    "congestion, US": tone(12, 480, 620, on=0.25, off=0.25),
    "digits": digits("0123456789*#" * 5, 100),
    "digits of 80 ms": digits("0123456789*#" * 6, 80),
    "silence": np.zeros(12 * SECOND, np.int16),
}


def test_neither_tones_nor_digits_nor_silence_are_speech() -> None:
    told = spoke(*TONES.values(), *(g711.decode_ulaw(g711.encode_ulaw(each)) for each in TONES.values()))
    assert [name for name, windows in zip([*TONES, *TONES], told, strict=True) if any(windows)] == []


def test_rows_are_told_apart_and_one_that_begins_anew_knows_nothing_of_who_was_there() -> None:
    columns, rows = Speech(4), np.array([1, 3])
    for tick, (said, noise) in enumerate(zip(frames(SPEECH), frames(white(2, -26)), strict=False)):
        both = np.stack([said, noise])
        columns.listen(tick, rows, both, np.vecdot(both, both))
    assert columns.spoke([0, 1], 0)
    assert not columns.spoke([0, 2, 3], 0)
    columns.begin(1)
    assert not columns.spoke([0, 1, 2, 3], 0)


# --- legs of an engine --------------------------------------------------------------------------------------------


def said(n: NDArray[np.intp | np.float64]) -> g711.Pcm:
    """The speech as a far side says it, at any rate."""
    pcm: g711.Pcm = SPEECH[np.floor(n).astype(np.intp)]
    return pcm


def last(world: World, leg: str) -> tuple[bool, bool]:
    """What its last report says: whether it speaks, and hears speech."""
    fact = [each for each in world.all(protocol.LegQuality) if each.leg == leg][-1]
    return fact.speaks, fact.hears_speech


def test_of_three_in_a_room_it_is_told_who_speaks_and_who_hears_speech(world: World) -> None:
    a, b, c = world.far("a", 4000, codec=OPUS), world.far("b", 4010, codec=G722), world.far("c", 4020)
    a.source = said
    b.says(440)
    c.source = lambda n: CHANCE.normal(0, 400, size=len(n)).astype(np.int16)
    world.hears(a=["b", "c"], b=["a", "c"], c=["b"])
    world.run(3)
    assert (last(world, "a"), last(world, "b"), last(world, "c")) == ((True, False), (False, True), (False, False))
    # Held, it is heard by nobody: what it says is not listened to, and nothing of it is told.
    world.hears(a=[], b=[], c=[])
    world.run(4)
    assert (last(world, "a"), last(world, "b")) == ((False, False), (False, False))
    # A test call: who hears itself hears speech.
    world.hears(a=["a"])
    world.run(3)
    assert last(world, "a") == (True, True)


def test_what_the_switch_says_is_nobody_who_speaks(world: World) -> None:
    a, b = world.far("a", 4000), world.far("b", 4010)
    a.source = said
    b.says(440)
    world.hears(b=["a"])
    world.run(4)
    assert last(world, "b") == (False, True)
    # In the row of one who spoke there is a prompt now.
    world.do(
        protocol.CloseLeg("a"),
        protocol.OpenSource("prompt", protocol.Playlist((protocol.Part(protocol.Prompt("hello", "en")),))),
    )
    world.hears(b=["prompt"])
    world.run(2)
    assert last(world, "b") == (False, False)
