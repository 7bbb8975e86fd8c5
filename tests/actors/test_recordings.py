"""Recordings when their calls are over: encoded by the real encoder, told to the store, repaired after a crash."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
import trio
from attrs import define, field
from cordboard.actors import encoding, recordings
from cordboard.actors.recordings import Recordings
from cordboard.switch.protocol import RecordingClosed, RecordingTroubled, RecordingWell
from cordboard.switch.recfile import Chunk, Header


@define
class Desk:
    """A directory of recordings, a store and an operator, who remember what they hear."""

    folder: Path
    ready: dict[str, tuple[str, str, float, int, str]] = field(factory=dict)
    short: dict[str, str] = field(factory=dict)
    lost: dict[str, str] = field(factory=dict)
    alarms: list[str] = field(factory=list)

    def recording_ready(
        self, call: str, file: str, format_: str, seconds: float, size: int, peaks: str, reason: str, /
    ) -> None:
        self.ready[call] = (file, format_, seconds, size, peaks)
        self.short[call] = reason

    def recording_lost(self, call: str, reason: str, /) -> None:
        self.lost[call] = reason

    def alarm(self, text: str) -> None:
        if text not in self.alarms:
            self.alarms.append(text)

    def clear_alarm(self, text: str) -> None:
        if text in self.alarms:
            self.alarms.remove(text)

    def record(self, name: str, seconds: int = 3, *, age: float = 60.0) -> Path:
        """What the engine would have written, the last of it `age` seconds ago."""
        path = self.folder / f"{name}.cbr"
        tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)).astype(np.int16).reshape(50, 1, 160)
        second = np.concatenate([tone, tone // 2], axis=1).tobytes()
        chunks = [Chunk(50 * i, 50, second).encode() for i in range(seconds)]
        path.write_bytes(b"".join([Header(0.0, 0.0).encode(), *chunks]))
        then = time.time() - age
        os.utime(path, (then, then))
        return path

    def files(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    for name in ("SETTLE", "TOGETHER", "RETRY"):
        monkeypatch.setattr(recordings, name, 0.05)
    return Desk(tmp_path)


# What a program does that goes on as the real encoder.
REAL = f'exec {sys.executable} "$@"'
ENCODED = '{"is": "encoded", "seconds": 3.0, "bytes": 9, "peaks": "p"}'


@define
class Program:
    """Stands in for the interpreter of the encoder, which cannot be made to fail from outside."""

    folder: Path

    def is_(self, text: str) -> None:
        path = self.folder / "python"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)


@pytest.fixture
def program(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Program:
    made = Program(tmp_path_factory.mktemp("bin"))
    monkeypatch.setattr(sys, "executable", str(made.folder / "python"))
    return made


@asynccontextmanager
async def working(desk: Desk, format_: str = "opus") -> AsyncIterator[Recordings]:
    async with trio.open_nursery() as nursery:
        made = Recordings(desk.folder, format_, desk, desk)
        nursery.start_soon(made.run)
        yield made
        nursery.cancel_scope.cancel()


# Encoders are processes of the lowest priority: on a machine that does other things each waits for seconds.
PATIENCE = 100.0


async def until(true: Callable[[], bool]) -> None:
    with trio.fail_after(PATIENCE):
        while not true():
            await trio.sleep(0.005)


def story(tell: Callable[[], Awaitable[None]]) -> None:
    trio.run(tell)


@pytest.mark.parametrize("format_", ["opus", "wav", "mp3", "flac"])
def test_a_closed_recording_is_encoded_told_and_its_first_file_goes(desk: Desk, format_: str) -> None:
    async def tell() -> None:
        desk.record("c1", age=0.0)
        async with working(desk, format_) as made:
            made.on_fact(RecordingClosed("c1", 3.0))
            await until(lambda: desk.files() == {f"c1.{format_}", f"c1.{format_}.peaks.json"})

    story(tell)
    file, said, seconds, size, peaks = desk.ready["c1"]
    assert (file, said, seconds, peaks) == (f"c1.{format_}", format_, 3.0, f"c1.{format_}.peaks.json")
    assert size == (desk.folder / file).stat().st_size
    with av.open(str(desk.folder / file)) as container:
        assert container.streams.audio[0].channels == 2
    assert (desk.lost, desk.alarms) == ({}, [])


def test_after_a_crash_everything_but_live_calls_is_encoded_and_nothing_half_done_stays(desk: Desk) -> None:
    cut = desk.record("cut")
    cut.write_bytes(cut.read_bytes()[:-5000])
    os.utime(cut, (0, 0))
    desk.record("twice")
    (desk.folder / "twice.opus").write_bytes(b"of before")
    desk.record("live")
    (desk.folder / "broken.cbr").write_bytes(b"\0" * 4000)
    (desk.folder / "aside.cbr.damaged").write_bytes(b"\0" * 4000)
    (desk.folder / "empty.cbr").write_bytes(b"")
    for path in desk.folder.iterdir():
        os.utime(path, (0, 0))
    (desk.folder / "cut.opus.123.part").write_bytes(b"half")

    async def tell() -> None:
        async with working(desk) as made:
            await made.repair({"live"})
            await until(lambda: not made.waiting and len(desk.ready) == 2 and len(desk.files()) == 6)

    story(tell)
    encoded = {f"{name}.opus{peaks}" for name in ("cut", "twice") for peaks in ("", ".peaks.json")}
    assert desk.files() == {*encoded, "live.cbr", "damaged"}
    assert {path.name for path in (desk.folder / "damaged").iterdir()} == {"broken.cbr", "aside.cbr.damaged"}
    assert {name: said[2] for name, said in desk.ready.items()} == {"cut": 2.0, "twice": 3.0}
    assert desk.lost == {"broken": "its file is damaged", "empty": "there is no sound in it"}
    assert set(desk.alarms) == {f"recordings could not be read: they are kept in {desk.folder / 'damaged'}"}


def test_a_file_that_an_engine_still_writes_is_left_until_it_does_not(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings, "FRESH", 0.5)

    async def tell() -> None:
        path = desk.record("c1", age=0.0)
        async with working(desk) as made:
            await made.repair(set())
            for _ in range(10):
                await trio.sleep(0.1)
                os.utime(path)
            assert not desk.ready
            await until(lambda: "c1" in desk.ready)

    story(tell)


def test_what_goes_on_while_it_is_encoded_is_encoded_again(desk: Desk, program: Program) -> None:
    program.is_(f"touch {program.folder}/begun\nuntil [ -e {program.folder}/go ]; do sleep 0.01; done\n{REAL}")

    async def tell() -> None:
        path = desk.record("c1", 20)
        async with working(desk) as made:
            made.on_fact(RecordingClosed("c1", 20.0))
            await until((program.folder / "begun").exists)
            with path.open("ab") as file:
                file.write(Chunk(50 * 30, 50).encode())
            (program.folder / "go").touch()
            await until(lambda: "c1" in desk.ready)

    story(tell)
    assert desk.ready["c1"][2] == 31.0


def test_what_was_encoded_and_never_written_down_is_told_again(desk: Desk) -> None:
    async def tell() -> None:
        desk.record("c1")
        async with working(desk) as made:
            made.on_fact(RecordingClosed("c1", 3.0))
            await until(lambda: "c1.cbr" not in desk.files())
        said = desk.ready.pop("c1")
        async with working(desk) as made:
            await made.repair(set(), ["c1", "c2"])
            await until(lambda: "c1" in desk.ready and "c2" in desk.lost)
        assert desk.ready["c1"] == said

    story(tell)
    assert set(desk.lost) == {"c2"}


@pytest.mark.parametrize("name", ["nothing", "../elsewhere"])
def test_what_was_never_written_is_lost(desk: Desk, name: str) -> None:
    async def tell() -> None:
        async with working(desk) as made:
            made.on_fact(RecordingClosed(name, 0.0))
            await until(lambda: name in desk.lost)

    story(tell)
    assert desk.alarms == []


def test_what_fails_is_tried_again_a_few_times_and_others_are_encoded_meanwhile(
    desk: Desk, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.is_(
        f"echo x >>{program.folder}/begun\n"
        f"while read job; do case $job in *bad*) echo x >>{program.folder}/tries; echo broken >&2; exit 1;; esac\n"
        f"echo '{ENCODED}'; done"
    )
    monkeypatch.setattr(recordings, "RETRY", 0.001)

    async def tell() -> None:
        for call in ("good1", "bad", "good2", "good3"):
            desk.record(call)
        async with working(desk) as made:
            for call in ("good1", "bad", "good2", "good3"):
                made.on_fact(RecordingClosed(call, 3.0))
            await until(lambda: "bad" in desk.lost and len(desk.ready) == 3)

    story(tell)
    assert set(desk.ready) == {"good1", "good2", "good3"}
    assert (program.folder / "tries").read_text().count("x") == recordings.TRIES
    # One that died is followed by another, which does all that there is.
    assert (program.folder / "begun").read_text().count("x") <= recordings.TRIES + 1
    assert desk.lost == {"bad": "it could not be encoded and is kept as bad.cbr"}
    assert desk.alarms == [f"recordings could not be encoded: they are kept in {desk.folder}"]


def test_what_waits_too_long_for_its_turn_is_an_alarm_and_is_counted(
    desk: Desk, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.is_(f"until [ -e {program.folder}/go ]; do sleep 0.01; done\nwhile read job; do echo '{ENCODED}'; done")
    monkeypatch.setattr(recordings, "BEHIND", 0.2)
    monkeypatch.setattr(recordings, "LOOK", 0.02)

    async def tell() -> None:
        for call in ("c1", "c2"):
            desk.record(call)
        async with working(desk) as made:
            assert (made.waiting, made.waited) == (0, 0.0)
            for call in ("c1", "c2"):
                made.on_fact(RecordingClosed(call, 3.0))
            await until(lambda: bool(desk.alarms))
            assert made.waiting == 2
            assert made.waited > 0.2
            (program.folder / "go").touch()
            await until(lambda: not desk.alarms)
            assert (made.waiting, made.waited) == (0, 0.0)

    story(tell)
    assert set(desk.ready) == {"c1", "c2"}


def test_an_encoder_that_has_nothing_to_do_ends_and_begins_again(
    desk: Desk, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = program.folder / "begun"
    program.is_(f"echo $$ >>{begun}\nwhile read job; do echo '{ENCODED}'; done")
    monkeypatch.setattr(encoding, "IDLE", 0.05)

    def living() -> list[bool]:
        return [Path(f"/proc/{pid}").exists() for pid in begun.read_text().split()]

    def lives(wanted: list[bool]) -> bool:
        return living() == wanted

    async def tell() -> None:
        async with working(desk) as made:
            for call, none_lives in (("c1", [False]), ("c2", [False, False])):
                desk.record(call)
                made.on_fact(RecordingClosed(call, 3.0))
                await until(partial(desk.ready.__contains__, call))
                await until(partial(lives, none_lives))

    story(tell)


def test_a_full_disk_keeps_the_first_file_and_tries_until_there_is_room(
    desk: Desk, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = program.folder / "full"
    full.touch()
    refused = '{"is": "refused", "why": "disk refuses", "reason": "no room"}'
    program.is_(f"while [ -e {full} ] && read job; do echo '{refused}'; done\n{REAL}")
    monkeypatch.setattr(recordings, "REFUSED_RETRY", 0.05)

    async def tell() -> None:
        desk.record("c1")
        async with working(desk) as made:
            made.on_fact(RecordingClosed("c1", 3.0))
            await until(lambda: bool(desk.alarms))
            assert desk.files() == {"c1.cbr"}
            assert desk.alarms == [f"recordings wait unencoded in {desk.folder}: no room"]
            full.unlink()
            await until(lambda: "c1" in desk.ready)

    story(tell)
    assert (desk.alarms, desk.lost) == ([], {})


def test_a_directory_that_cannot_be_reached_is_waited_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "REFUSED_RETRY", 0.05)
    away = desk.folder.with_name("away")

    async def tell() -> None:
        desk.record("c1")
        desk.folder.rename(away)
        desk.folder.write_text("in the way")
        async with working(desk) as made:
            made.on_fact(RecordingClosed("c1", 3.0))
            made.on_fact(RecordingClosed("never", 0.0))
            await until(lambda: bool(desk.alarms))
            assert desk.alarms == [f"recordings wait unencoded in {desk.folder}: {os.strerror(errno.ENOTDIR)}"]
            desk.folder.unlink()
            away.rename(desk.folder)
            await until(lambda: "c1" in desk.ready and "never" in desk.lost)

    story(tell)
    assert (desk.alarms, set(desk.lost)) == ([], {"never"})


def test_an_encoder_that_cannot_be_started_is_started_later(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "REFUSED_RETRY", 0.05)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    python = sys.executable
    monkeypatch.setattr(sys, "executable", str(desk.folder / "absent"))

    async def tell() -> None:
        desk.record("c1")
        async with working(desk) as made:
            made.on_fact(RecordingClosed("c1", 3.0))
            await until(lambda: bool(desk.alarms))
            monkeypatch.setattr(sys, "executable", python)
            await until(lambda: "c1" in desk.ready)

    story(tell)
    assert (desk.alarms, desk.lost) == ([], {})


@pytest.mark.parametrize("ahead", [86400.0, -86400.0])
def test_a_clock_that_was_set_anew_keeps_no_recording_waiting(desk: Desk, ahead: float) -> None:
    async def tell() -> None:
        desk.record("c1", age=-ahead)
        async with working(desk) as made:
            await made.repair(set())
            await until(lambda: "c1" in desk.ready)

    story(tell)


def test_what_cannot_be_written_is_an_alarm_while_it_lasts(desk: Desk) -> None:
    async def tell() -> None:
        async with working(desk) as made:
            full, slow = "the disk is full", "the disk is slow"
            made.on_fact(RecordingTroubled("a", full))
            made.on_fact(RecordingTroubled("b", full))
            made.on_fact(RecordingTroubled("c", slow))
            assert set(desk.alarms) == {f"recordings are not written: {reason}" for reason in (full, slow)}
            made.on_fact(RecordingWell("a"))
            made.on_fact(RecordingWell("c"))
            assert desk.alarms == [f"recordings are not written: {full}"]
            made.on_fact(RecordingClosed("b", 1.0))
            assert desk.alarms == [f"recordings are not written: {full}"]  # for all that is known it is still full
            made.on_fact(RecordingClosed("d", 0.0))
            assert desk.alarms == [f"recordings are not written: {full}"]
            made.on_fact(RecordingClosed("e", 1.0))
            assert desk.alarms == []

    story(tell)


def test_one_that_is_closed_in_trouble_is_an_alarm_until_another_is_written(desk: Desk) -> None:
    async def tell() -> None:
        async with working(desk) as made:
            for call, reason in (("a", "the disk is full"), ("b", "Input/output error")):
                made.on_fact(RecordingTroubled(call, reason))
                made.on_fact(RecordingClosed(call, 1.0))
            assert len(desk.alarms) == 2
            made.on_fact(RecordingTroubled("c", "the disk is full"))
            made.on_fact(RecordingTroubled("d", "the disk is slow"))
            made.on_fact(RecordingWell("d"))
            assert set(desk.alarms) == {"recordings are not written: the disk is full"}
            made.on_fact(RecordingWell("c"))
            assert desk.alarms == []

    story(tell)


def test_the_record_says_what_was_not_written_and_what_cannot_be_read(desk: Desk) -> None:
    damaged = desk.folder / "damaged"

    async def tell() -> None:
        for call in ("whole", "gap", "cut"):
            desk.record(call)
        async with working(desk) as made:
            made.on_fact(RecordingClosed("whole", 3.0))
            made.on_fact(RecordingClosed("gap", 3.0, lost=0.5))
            made.on_fact(RecordingClosed("cut", 5.0))  # the engine wrote more than is there
            await until(lambda: not any(name.endswith(".cbr") for name in desk.files()))

    story(tell)
    short = "a part of it could not be written"
    assert desk.short == {"whole": "", "gap": short, "cut": short}
    assert {call: said[2] for call, said in desk.ready.items()} == {"whole": 3.0, "gap": 3.0, "cut": 3.0}
    assert [path.name for path in damaged.iterdir()] == ["cut.cbr"]
    assert desk.alarms == [f"recordings could not be read: they are kept in {damaged}"]


def test_a_directory_that_cannot_be_is_an_alarm(desk: Desk) -> None:
    desk.folder = desk.folder / "file"
    desk.folder.write_text("in the way")

    async def tell() -> None:
        async with working(desk) as made:
            await made.repair(set())

    story(tell)
    assert desk.alarms == [f"recordings cannot be looked for in {desk.folder}: {os.strerror(errno.EEXIST)}"]
