"""Playlists: announcements and music for one listener, from the first word to the last, without a click."""

from __future__ import annotations

import numpy as np
import pytest
from cordboard.codecs import tones
from cordboard.codecs.g711 import Pcm, decode_ulaw, encode_ulaw
from cordboard.switch import protocol
from cordboard.switch.prompts import load
from cordboard.switch.protocol import (
    Busy,
    CloseSource,
    EngineReport,
    LegSilent,
    LegWays,
    Music,
    OpenSource,
    Part,
    Pause,
    Playlist,
    Prompt,
    Ringback,
    SourceFinished,
    Tone,
)
from cordboard.switch.sources import FADE, Prompts, Sources, UnknownSourceError, lengths

from .conftest import PROMPTS, Books, Far, World

HELLO = Part(Prompt("hello", "en"))
BYE = Part(Prompt("bye", "en"))
ROW = np.array([1])


def played(sources: Sources, frames: int) -> Pcm:
    """What row 1 says in so many ticks, while it is heard."""
    made = []
    for _ in range(frames):
        made.append(sources.speak(ROW)[0])
        sources.advance()
    return np.concatenate(made)


def opened(*parts: Part, repeat: bool = False) -> Sources:
    sources = Sources(4, PROMPTS)
    sources.open(1, Playlist(parts, repeat))
    return sources


def test_a_prompt_begins_when_it_is_heard_and_is_over_once() -> None:
    sources = opened(HELLO)
    for _ in range(70):  # nobody hears it yet
        assert not len(sources.advance())
    hello = PROMPTS["hello", "en"]
    over = []
    heard = []
    for i in range(80):
        heard.append(sources.speak(ROW)[0])
        over += [(i, row) for row in sources.advance()]
    assert over == [(len(hello) // 160 - 1, 1)]
    assert np.array_equal(np.concatenate(heard)[: len(hello)], hello)
    assert not np.concatenate(heard)[len(hello) :].any()


def test_parts_follow_each_other_and_the_first_the_last() -> None:
    sources = opened(HELLO, Part(Pause(), 0.3), BYE, repeat=True)
    once = np.concatenate([PROMPTS["hello", "en"], np.zeros(2400, np.int16), PROMPTS["bye", "en"]])
    assert np.array_equal(played(sources, 3 * len(once) // 160), np.tile(once, 3))


def test_music_makes_room_for_a_voice_and_goes_on_where_it_was() -> None:
    sources = opened(Part(Music(), 10.0), HELLO, repeat=True)
    song, hello = tones.hold_music(), PROMPTS["hello", "en"]
    heard = played(sources, 3 * (500 + len(hello) // 160))
    edge = FADE * 160
    for turn in range(3):
        begin = turn * (80000 + len(hello))
        part = heard[begin : begin + 80000]
        # 24 s of music: the third part comes to its end and begins again.
        meant = np.take(song, np.arange(turn * 80000, (turn + 1) * 80000), mode="wrap")
        assert np.array_equal(part[edge:-edge], meant[edge:-edge])
        assert np.array_equal(heard[begin + 80000 : begin + 80000 + len(hello)], hello)
        rises, falls = np.abs(part[:edge].astype(int)), np.abs(part[-edge:].astype(int))
        assert (rises <= np.abs(meant[:edge].astype(int)) + 1).all()
        assert rises[:16].max() < 60
        assert falls[-16:].max() < 60


@pytest.mark.parametrize(
    ("country", "frequencies", "on", "off"),
    [("CN", [450], 0.35, 0.35), ("GB", [400], 0.375, 0.375), ("US", [480, 620], 0.5, 0.5), ("XX", [425], 0.5, 0.5)],
)
def test_a_far_side_hears_the_busy_tone_of_its_country(
    world: World, country: str, frequencies: list[int], on: float, off: float
) -> None:
    """As it is on the line of a trunk: what frequencies, how long, how long not."""
    caller = world.far("caller", 4000)
    world.do(OpenSource("busy", Playlist((Part(Busy(country), 6.0),))))
    world.hears(caller=["busy"])
    world.run(6)
    pcm = caller.heard().astype(float)
    loud = np.abs(pcm).reshape(-1, 40).max(axis=1) > 500  # every 5 ms
    turns = np.flatnonzero(np.diff(loud.astype(int)))[1:]  # the first beat rises from nothing
    turns = turns[int(loud[turns[0]]) :]  # from the first silence that ends
    beats, pauses = 0.005 * np.diff(turns)[::2], 0.005 * np.diff(turns)[1::2]
    assert len(pauses) >= 4
    assert np.allclose(beats, on, atol=0.011)
    assert np.allclose(pauses, off, atol=0.011)
    tone = pcm[40 * turns[0] + 120 :][:2400]
    spectrum = np.abs(np.fft.rfft(tone * np.hanning(len(tone)), 8000))
    inner = spectrum[1:-1]
    peaks = (inner > 0.3 * inner.max()) & (inner >= spectrum[:-2]) & (inner > spectrum[2:])
    assert np.allclose(np.flatnonzero(peaks) + 1, frequencies, atol=4)


@pytest.mark.parametrize("sound", [Music(), Tone(440.0), Ringback("US"), Busy("GB")])
def test_what_is_cut_out_of_an_endless_sound_does_not_click(sound: protocol.Sound) -> None:
    whole = Sources(4, PROMPTS)
    whole.open(1, sound)  # type: ignore[arg-type]
    steepest = np.abs(np.diff(played(whole, 1500).astype(int))).max()
    heard = played(opened(Part(sound, 1.1), Part(Pause(), 0.2), repeat=True), 1500).astype(int)
    assert np.abs(heard).max() > 1000
    assert np.abs(np.diff(heard)).max() <= steepest
    # ... also where it is not longer than its rise and fall.
    heard = played(opened(Part(sound, 0.06), repeat=True), 300).astype(int)
    assert np.abs(np.diff(heard)).max() <= steepest


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ((), "a playlist of 0 parts"),
        ((HELLO,) * 65, "a playlist of 65 parts"),
        ((Part(Prompt("hello", "fr")),), "no prompt named hello in fr"),
        ((Part(Prompt("hello", "en"), 1.0),), "a prompt is as long as it is"),
        ((Part(Music()),), "a part of 0.0 s"),
        ((Part(Pause(), 3601.0),), "a part of 3601.0 s"),
        ((Part(Pause(), -1.0),), "a part of -1.0 s"),
        ((Part(Tone(5.0), 1.0),), "no tone of 5.0 Hz"),
        ((HELLO, Part(Music("none of ours"), 1.0)), "no music named none of ours"),
    ],
)
def test_a_playlist_that_cannot_be_is_refused(parts: tuple[Part, ...], why: str) -> None:
    with pytest.raises(UnknownSourceError, match=why):
        opened(*parts)


def test_the_shortest_part_is_a_frame() -> None:
    assert lengths(Playlist((Part(Pause(), 0.001), Part(Pause(), 0.05), HELLO)), PROMPTS) == (1, 2, 60)


def test_a_row_that_is_used_again_has_nothing_of_the_last() -> None:
    sources = opened(Part(Music(), 0.5), HELLO, repeat=True)
    played(sources, 40)
    sources.close(1)
    sources.open(1, Tone(500.0))
    assert np.array_equal(played(sources, 50), np.concatenate(tones.sines(np.full(50, 500.0), np.arange(50) * 160)))
    sources.close(1)
    assert all(not len(sources.advance()) for _ in range(200))
    sources.open(1, Playlist((BYE,)))
    assert np.array_equal(played(sources, 10), PROMPTS["bye", "en"][:1600])


def test_a_key_ends_all_that_is_being_said_and_the_next_turn_begins_with_the_first_word() -> None:
    sources = Sources(4, PROMPTS)
    sources.open(1, Playlist((HELLO, BYE, Part(Pause(), 0.1), BYE), repeat=True, barge_in=True))
    played(sources, 7)
    assert sources.barge_in(1) is True
    assert not played(sources, 5).any()  # the pause, which a key does not end
    played(sources, 3)
    assert sources.barge_in(1) is True
    once = np.concatenate([PROMPTS["hello", "en"], PROMPTS["bye", "en"]])
    assert np.array_equal(played(sources, len(once) // 160), once)
    sources.close(1)
    sources.open(1, Playlist((HELLO, BYE), barge_in=True))
    played(sources, 1)
    assert sources.barge_in(1) is False
    assert sources.finished == [1]
    # Where there is nothing else, it ends one turn.
    sources.close(1)
    sources.open(1, Playlist((HELLO, BYE), repeat=True, barge_in=True))
    played(sources, 1)
    assert sources.barge_in(1) is True
    assert np.array_equal(played(sources, 20), PROMPTS["hello", "en"][: 20 * 160])


# --- music of files -----------------------------------------------------------------------------------------------


def piece(seed: int, frames: int = 50) -> Pcm:
    return np.random.default_rng(seed).integers(-8000, 8000, frames * 160).astype(np.int16)


def test_music_of_a_file_is_one_piece_for_all_and_the_built_in_one_until_it_is_there() -> None:
    books, ours = Books(), piece(1)
    sources = Sources(4, PROMPTS, books)
    sources.open(1, Music("ours"))
    sources.open(2, Music("hold"))
    sources.open(3, Playlist((Part(Music("ours"), 1.0), HELLO), repeat=True))
    assert set(books.wanted) == {"ours"}
    song = tones.hold_music()

    def said(frames: int) -> list[Pcm]:
        """What each of the rows says, while all are heard."""
        made = []
        for _ in range(frames):
            made.append(sources.speak(np.array([1, 2, 3])))
            sources.advance()
        return list(np.concatenate(made, axis=1))

    assert np.array_equal(said(10)[0], song[:1600])
    books.come("ours", ours)
    assert sources.take_music() == ([], [1, 3])
    alone, built_in, listed = said(120)
    assert np.array_equal(alone, np.tile(ours, 3)[: 120 * 160])
    assert np.array_equal(built_in, song[1600 : 1600 + 120 * 160])
    # 40 frames were left of the part, which still rose; the next turn goes on where this one broke off.
    assert np.array_equal(listed[(FADE - 10) * 160 : (40 - FADE) * 160], ours[(FADE - 10) * 160 : (40 - FADE) * 160])
    assert np.array_equal(listed[40 * 160 : 100 * 160], PROMPTS["hello", "en"])
    on = np.tile(ours, 2)[40 * 160 : 60 * 160].astype(int)
    assert (np.abs(listed[-20 * 160 :].astype(int)) <= np.abs(on) + 1).all()
    assert np.corrcoef(listed[-10 * 160 :], on[-10 * 160 :])[0, 1] > 0.98


def test_a_piece_that_nobody_plays_makes_room_for_another() -> None:
    books = Books()
    sources = Sources(4, PROMPTS, books)
    for name in ("first", "second", "third"):
        sources.open(1, Music(name))
        books.come(name, piece(len(name)))
        sources.take_music()
        sources.close(1)
    sources.open(1, Music("third"))
    sources.open(2, Music("second"))
    assert books.wanted == ["first", "second", "third", "second"]


def test_music_that_is_missing_is_told_once_and_tried_at_every_opening() -> None:
    books, ours = Books(), piece(2)
    sources = Sources(4, PROMPTS, books)
    for row in (1, 2):
        sources.open(row, Music("ours"))
        books.come("ours", None, "no such file")
    assert sources.take_music() == ([protocol.MusicTroubled("ours", "no such file")], [])
    assert sources.missing == [protocol.MusicTroubled("ours", "no such file")]
    assert np.array_equal(played(sources, 5), tones.hold_music()[:800])
    sources.open(3, Music("ours"))
    books.come("ours", ours)
    facts, rows = sources.take_music()
    assert (facts, rows, sources.missing) == ([protocol.MusicWell("ours")], [1, 2, 3], [])
    assert np.array_equal(played(sources, 5), ours[:800])


def test_a_file_that_nobody_configured_is_missing() -> None:
    sources = Sources(4, PROMPTS)
    sources.open(1, Music("ours"))
    assert sources.take_music() == ([protocol.MusicTroubled("ours", "no directory for music is configured")], [])


# --- in the engine ------------------------------------------------------------------------------------------------


def as_heard(pcm: Pcm) -> Pcm:
    return decode_ulaw(encode_ulaw(pcm))


def test_a_caller_hears_the_whole_prompt_and_the_end_is_told(world: World) -> None:
    a = world.far("a", 4000)
    world.do(OpenSource("p", Playlist((HELLO,))))
    world.run(0.5)
    assert world.facts == []
    world.hears(a=["p"])
    hello = PROMPTS["hello", "en"]
    world.run(len(hello) / 8000 - 0.02)
    assert world.all(SourceFinished) == []
    world.run(0.02)
    assert world.all(SourceFinished) == [SourceFinished("p")]
    assert np.array_equal(a.heard(len(hello) / 8000), as_heard(hello))
    world.run(1)
    assert set(a.payloads[-40:]) == {b"\xff" * 160}  # silence, and not even encoded
    assert world.engine.started("e", 1).sources == ("p",)
    world.do(OpenSource("p", Playlist((HELLO,))))  # begins nothing anew
    world.run(1)
    assert [fact for fact in world.facts if not isinstance(fact, EngineReport | LegSilent | LegWays)] == [
        SourceFinished("p")
    ]


def test_two_callers_hear_their_own_from_the_beginning(world: World) -> None:
    a, b = world.far("a", 4000), world.far("b", 4001)
    hello = PROMPTS["hello", "en"]

    def begin(name: str, far: Far) -> None:
        world.do(OpenSource(f"p{name}", Playlist((HELLO,), repeat=True)))
        world.hears(**{name: [f"p{name}"]})

    begin("a", a)
    world.run(0.5)
    begin("b", b)
    world.run(len(hello) / 8000)
    assert np.array_equal(b.heard(len(hello) / 8000), as_heard(hello))
    assert np.array_equal(a.heard(0.5), as_heard(hello[:4000]))


def steps(pcm: Pcm) -> int:
    return int(np.abs(np.diff(pcm.astype(int))).max())


@pytest.mark.parametrize("begun", np.arange(0.02, 0.5, 0.06))
def test_from_music_to_a_prompt_and_back_without_a_click(world: World, begun: float) -> None:
    """Wherever the music is when an announcement comes, and wherever that is when it is no longer needed."""
    a = world.far("a", 4000)
    world.do(OpenSource("m", Music()))
    world.hears(a=["m"])
    world.run(0.3 + begun)
    world.do(OpenSource("p", Playlist((HELLO,), repeat=True)))
    world.hears(a=["p"])
    world.run(begun)
    world.hears(a=["m"])
    world.do(CloseSource("p"))
    world.run(0.5)
    both = (tones.hold_music(), PROMPTS["hello", "en"])
    assert steps(a.heard()) <= max(steps(as_heard(one)) for one in both) * 1.1


def test_a_file_that_comes_late_is_begun_without_a_click(world: World) -> None:
    t = np.arange(16000) / 8000
    ours = np.rint(6000 * np.cos(2 * np.pi * 300 * t)).astype(np.int16)
    a = world.far("a", 4000)
    world.do(OpenSource("m", Music("ours")))
    world.hears(a=["m"])
    world.run(0.5)
    world.books.come("ours", ours)
    world.run(1.0)
    assert a.tones(0.5) == [300]
    both = (tones.hold_music(), ours)
    assert steps(a.heard()) <= max(steps(as_heard(one)) for one in both) * 1.1
    assert world.all(protocol.MusicTroubled) == []


# --- the files ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def prompts() -> Prompts:
    return load()


def active(pcm: Pcm) -> float:
    """The level in dBFS where somebody speaks."""
    power = np.square(pcm.reshape(-1, 160) / 32768).mean(axis=1)
    return float(10 * np.log10(power[power > power.max() / 3000].mean()))


def test_every_prompt_is_there_in_both_languages(prompts: Prompts) -> None:
    names = {name for name, _ in prompts}
    assert set(prompts) == {(name, language) for name in names for language in ("zh", "en")}
    digits = {f"digit-{digit}" for digit in range(10)} | {"minutes"}
    digits |= {f"number-{number}" for number in (2, *range(10, 20), 20, 30, 40, 50)}
    said = {"agent-away", "on-hold", "nobody-here", "goodbye", "position", "accept-call", "closed"}
    said |= {"wait", "wait-short", "wait-long"}
    assert names == said | {"survey", "survey-again", "survey-thanks", "voicemail"} | digits
    for key, pcm in prompts.items():
        assert len(pcm) % 160 == 0, key
        low, high = (0.2, 0.9) if key[0] in digits else (1, 8)
        assert low < len(pcm) / 8000 < high, key


def test_prompts_are_as_loud_as_each_other_and_no_softer_than_music(prompts: Prompts) -> None:
    music = active(tones.hold_music())
    levels = {key: active(pcm) for key, pcm in prompts.items()}
    print(
        f"music {music:.1f} dBFS;",
        ", ".join(f"{language} {name} {one:.1f}" for (name, language), one in levels.items()),
    )
    for key, level in levels.items():
        assert level == pytest.approx(-20.0, abs=1.0), key
        assert 0 <= level - music < 4, key


def test_prompts_begin_and_end_in_silence(prompts: Prompts) -> None:
    for key, pcm in prompts.items():
        loudest = np.abs(pcm.astype(int)).max()
        assert loudest < 30000, key
        assert pcm[0] == pcm[-1] == 0, key
        for edge in (pcm[:80], pcm[-80:]):
            assert np.abs(edge.astype(int)).max() < loudest / 100, key
        # Somebody speaks at once, and to the end.
        power = np.square(pcm.reshape(-1, 160).astype(float)).mean(axis=1)
        words = np.flatnonzero(power > power.max() / 3000)
        assert words[0] <= 5, key
        assert words[-1] >= len(power) - 12, key


def test_an_unreadable_prompt_is_found_at_the_start(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("voices")
    (directory / "en-hello.opus").write_bytes(b"not a sound")
    with pytest.raises(Exception, match=r"en-hello\.opus"):
        load(directory)
