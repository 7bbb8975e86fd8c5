"""What recordings hear: the two channels in step, for as long as time goes on, whatever the disk does."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from cordboard.codecs import g711
from cordboard.switch import protocol, recorder
from cordboard.switch.protocol import (
    CloseRecording,
    OpenRecording,
    RecordingClosed,
    RecordingTroubled,
    RecordingWell,
    left,
    right,
)
from cordboard.switch.recfile import Chunk
from cordboard.switch.recorder import CHUNK, MAX_WAITING, SLOW, Recorder

from .conftest import Shelf, World


def level(pcm: g711.Pcm, hertz: int) -> float:
    """Amplitude of a tone in int16 samples at 8 kHz."""
    wave = np.exp(-2j * np.pi * hertz * np.arange(len(pcm)) / 8000)
    return float(2 * np.abs(pcm @ wave) / len(pcm))


def recording(world: World, *names: str) -> None:
    for name in names:
        world.do(OpenRecording(name))
        world.hears(**{left(name): ["a"], right(name): ["b"]})


def loud(sound: g711.Pcm) -> np.ndarray:
    """Whether each frame of each channel is, bool [2, frames]; not counting the 5 ms in which an edit fades."""
    return np.asarray(np.abs(sound.reshape(2, -1, 160))[:, :, 40:].max(axis=2) > 4000)


def talk(world: World) -> None:
    """Two legs, a at 400 Hz and b at 700 Hz, each at 8000."""
    for leg, port, hertz in (("a", 4000, 400), ("b", 4002, 700)):
        world.far(leg, port).says(hertz)
    world.hears(a=["b"], b=["a"])
    world.run(1)


def test_left_is_what_left_hears_and_right_what_right_hears(world: World) -> None:
    talk(world)
    recording(world, "r")
    world.run(3.3)
    assert world.do(CloseRecording("r")) == [RecordingClosed("r", 3.3)]
    sound = world.shelf.sound("r")
    assert sound.shape == (2, 26400)
    tones = [[level(channel[400:], hertz) for hertz in (400, 700)] for channel in sound]
    assert tones == [
        [pytest.approx(8000, rel=0.02), pytest.approx(0, abs=5)],
        [pytest.approx(0, abs=5), pytest.approx(8000, rel=0.02)],
    ]


def test_edges_and_hold_are_heard_at_their_tick_and_silence_takes_no_room(world: World) -> None:
    talk(world)
    recording(world, "r")
    world.run(2)
    world.hears(**{left("r"): [], right("r"): []})
    world.run(4)
    world.hears(**{left("r"): ["b"]})
    world.run(2)
    world.do(CloseRecording("r"))
    sound = world.shelf.sound("r")
    assert sound.shape == (2, 64000)
    assert loud(sound)[0].tolist() == [True] * 100 + [False] * 200 + [True] * 100
    assert loud(sound)[1].tolist() == [True] * 100 + [False] * 300
    assert sum(not chunk.samples for chunk in world.shelf.chunks["r"]) >= 3


def test_many_recordings_at_once_take_turns(world: World) -> None:
    talk(world)
    names = [f"r{i}" for i in range(60)]
    for name in names:
        recording(world, name)
        world.run(0.02)
    world.run(1.5)
    for name in names:
        world.do(CloseRecording(name))
    for i, name in enumerate(names):
        sound = world.shelf.sound(name)
        assert sound.shape == (2, 160 * (60 - i + 75))
        assert loud(sound).all()


def test_a_recording_goes_on_where_the_time_is(world: World) -> None:
    talk(world)
    recording(world, "r")
    world.run(1.5)
    world.engine.skip(25)
    world.now += 0.5
    world.run(1)
    (closed,) = world.do(CloseRecording("r"))
    assert closed == RecordingClosed("r", 3.0)
    heard = loud(world.shelf.sound("r"))[0]
    assert heard[:100].tolist() == [True] * 75 + [False] * 25
    assert heard[125:].all()  # between, the jitter buffer fills anew


def test_a_slot_that_is_used_again_has_nothing_of_the_recording_before(world: World) -> None:
    talk(world)
    recording(world, "r")
    world.run(0.5)
    world.do(CloseRecording("r"), OpenRecording("s"))
    world.run(0.5)
    world.do(CloseRecording("s"))
    assert not world.shelf.sound("s").any()


def test_what_cannot_be_kept_is_told_once_and_its_end_too(world: World) -> None:
    talk(world)
    recording(world, "r")
    world.run(2)
    world.shelf.lost = "no space left on device"
    world.run(3)
    world.shelf.lost = ""
    world.run(2)
    assert world.do(CloseRecording("r")) == [RecordingClosed("r", 7.0, lost=3.0)]
    told = [fact for fact in world.facts if isinstance(fact, RecordingTroubled | RecordingWell)]
    assert told == [RecordingTroubled("r", "no space left on device"), RecordingWell("r")]
    assert world.engine.counters["recording_chunks_lost"] == 3 * 50 // CHUNK
    assert world.shelf.sound("r").shape == (2, 56000)


def test_a_slow_disk_is_told_and_never_takes_more_than_its_share_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf, counters = Shelf(), Counter[str]()
    monkeypatch.setattr(recorder, "MAX_WAITING", 20)
    one = Recorder(shelf, 16, counters)
    one.open("r", (0, 1))
    shelf.slow = True
    rows, frame, audible = np.array([0, 1]), np.full((2, 160), 7, np.int16), np.array([True, True])
    facts: list[protocol.Fact] = []
    for _ in range(CHUNK * 30):
        one.record(rows, frame, audible)
        facts += one.facts()
    assert facts == [RecordingTroubled("r", "the disk is slow")]
    assert 8 <= counters["recording_chunks_dropped"] <= 11
    assert SLOW < 20 < MAX_WAITING
    shelf.slow = False
    assert one.facts() == [RecordingWell("r")]
    one.close("r")
    assert one.facts() == [RecordingClosed("r", shelf.frames("r") / 50, counters["recording_chunks_dropped"] / 2)]


class Full(recorder.NoSink):
    """A disk that takes nothing yet."""

    def write(self, key: int, chunk: Chunk) -> None:
        self._results.append(recorder.Held(key, "the disk is full"))

    def takes(self, key: int, chunks: int) -> None:
        self._results += [recorder.Kept(key)] * chunks


def test_what_is_held_until_there_is_room_is_a_trouble_and_not_lost() -> None:
    disk, counters = Full(), Counter[str]()
    one = Recorder(disk, 16, counters)
    one.open("r", (0, 1))
    rows, frame, audible = np.array([0, 1]), np.full((2, 160), 7, np.int16), np.array([True, True])
    for _ in range(CHUNK * 3):
        one.record(rows, frame, audible)
    assert one.facts() == [RecordingTroubled("r", "the disk is full")]
    disk.takes(1, 1)
    assert one.facts() == []
    disk.takes(1, 2)
    assert one.facts() == [RecordingWell("r")]
    assert not counters


class Broken(recorder.NoSink):
    """A disk that takes everything, and does not say before the end that it was in vain."""

    def write(self, key: int, chunk: Chunk) -> None:
        self._results.append(recorder.Kept(key))

    def close(self, key: int) -> None:
        self._results += [recorder.Doubted(key, "Input/output error"), recorder.Ended(key, 1.5)]


def test_what_could_not_be_synced_as_it_was_closed_is_a_trouble_and_counted() -> None:
    one = Recorder(Broken(), 16, counters := Counter[str]())
    one.open("r", (0, 1))
    for _ in range(CHUNK * 3):
        one.record(np.array([0, 1]), np.full((2, 160), 7, np.int16), np.array([True, True]))
    one.close("r")
    assert one.facts() == [RecordingTroubled("r", "Input/output error"), RecordingClosed("r", 1.5)]
    assert counters["recordings_unsynced"] == 1


def test_without_a_directory_a_recording_is_troubled_and_the_call_goes_on() -> None:
    one = Recorder(recorder.NoSink(), 16, Counter())
    one.open("r", (0, 1))
    none, silence = np.zeros(0, np.intp), np.zeros((0, 160), np.int16)
    for _ in range(120):
        one.record(none, silence, np.zeros(0, np.bool_))
    one.close("r")
    assert one.facts() == [
        RecordingTroubled("r", "no directory for recordings is configured"),
        RecordingClosed("r", 0.0),
    ]
