"""The encoder's process: one for many jobs, ended when idle, when it stands still and when it has done enough."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
from attrs import define
from cordboard.actors import encoding
from cordboard.actors.encoding import Encoder
from cordboard.switch.jobs import Encoded, Refused, Wanted, Why, part_of, peaks_of

DONE = Encoded(3.0, 9, "p")
ENCODED = '{"is": "encoded", "seconds": 3.0, "bytes": 9, "peaks": "p"}'
PROGRESS = '{"is": "progress", "seconds": 1.0}'
OBEYS = f"while read job; do echo '{ENCODED}'; done"


@define
class Stage:
    """A program in the place of the encoder's interpreter, and the process ids of all that were begun."""

    folder: Path

    def plays(self, text: str) -> None:
        path = self.folder / "python"
        path.write_text(f"#!/bin/sh\necho $$ >>{self.folder}/begun\n{text}\n")
        path.chmod(0o755)

    @property
    def begun(self) -> list[int]:
        return [int(line) for line in (self.folder / "begun").read_text().split()]

    @property
    def living(self) -> list[int]:
        return [pid for pid in self.begun if Path(f"/proc/{pid}").exists()]

    def wanted(self, name: str = "c") -> Wanted:
        return Wanted(str(self.folder / f"{name}.cbr"), str(self.folder / f"{name}.opus"), "opus")


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    return Stage(tmp_path)


def story(tell: Callable[[Encoder], Awaitable[None]]) -> None:
    async def main() -> None:
        encoder = Encoder()
        with trio.fail_after(60):
            await tell(encoder)
            await encoder.kill()

    trio.run(main)


def test_one_process_does_many_jobs_and_rests_when_there_are_none(stage: Stage) -> None:
    stage.plays(OBEYS)

    async def tell(encoder: Encoder) -> None:
        assert encoder.deadline() == float("inf")
        for _ in range(5):
            assert await encoder.encode(stage.wanted()) == DONE
        assert 0 < encoder.deadline() - trio.current_time() <= encoding.IDLE
        assert len(stage.living) == 1
        await encoder.rest()
        assert encoder.deadline() == float("inf")
        assert (len(stage.begun), stage.living) == (1, [])
        assert await encoder.encode(stage.wanted()) == DONE
        assert len(stage.begun) == 2

    story(tell)
    assert stage.living == []


def test_after_so_many_jobs_another_begins(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "JOBS", 2)
    stage.plays(OBEYS)

    async def tell(encoder: Encoder) -> None:
        for jobs in range(5):
            assert await encoder.encode(stage.wanted()) == DONE
            assert len(stage.begun) == jobs // 2 + 1

    story(tell)


@pytest.mark.parametrize(
    ("dies", "still", "reason"),
    [
        ("echo one >&2; echo two >&2; exit 7", 30.0, "code 7: two"),
        ("kill -9 $$", 30.0, "code -9: "),
        ("echo nonsense; exec sleep 60", 30.0, "what it said is no answer"),
        ("exec sleep 60", 0.3, "it stood still for 0.3 s"),
    ],
)
def test_a_job_that_ends_or_holds_its_process_has_failed_and_the_next_has_another(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, dies: str, still: float, reason: str
) -> None:
    stage.plays(f"while read job; do case $job in *bad*) {dies};; esac; echo '{ENCODED}'; done")

    async def tell(encoder: Encoder) -> None:
        assert await encoder.encode(stage.wanted("good")) == DONE
        with monkeypatch.context() as impatient:  # only of this one: a machine may hold the others as long
            impatient.setattr(encoding, "STILL", still)
            assert await encoder.encode(stage.wanted("bad")) == Refused(Why.FAILED, reason)
        assert stage.living == []
        assert await encoder.encode(stage.wanted("good")) == DONE
        assert len(stage.begun) == 2

    story(tell)


def test_one_that_says_how_far_it_is_may_take_its_time(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "STILL", 1.0)
    stage.plays(f"read job; for i in 1 2 3 4 5 6; do sleep 0.3; echo '{PROGRESS}'; done; echo '{ENCODED}'")

    async def tell(encoder: Encoder) -> None:
        begun = trio.current_time()
        assert await encoder.encode(stage.wanted()) == DONE
        assert trio.current_time() - begun > encoding.STILL

    story(tell)


def test_what_one_that_died_left_unfinished_is_cleared_away_and_nothing_of_others(stage: Stage) -> None:
    out = stage.folder / "c.opus"
    stage.plays(f"read job; touch {out}.$$.part {peaks_of(out)}.$$.part; exit 1")
    other = part_of(out, os.getpid())
    other.touch()

    async def tell(encoder: Encoder) -> None:
        await encoder.encode(stage.wanted())

    story(tell)
    assert [path.name for path in stage.folder.iterdir() if path.suffix == ".part"] == [other.name]


def test_whoever_ends_while_it_works_does_not_leave_it_behind(stage: Stage) -> None:
    stage.plays("read job; exec sleep 60")

    async def tell(encoder: Encoder) -> None:
        with trio.move_on_after(0.3):
            await encoder.encode(stage.wanted())
        await encoder.kill()
        assert (len(stage.begun), stage.living) == (1, [])

    story(tell)
