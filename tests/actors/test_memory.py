"""The directory in memory: found again by the next process of the same data directory, and by nobody else."""

from __future__ import annotations

import os
import shutil
import stat
import time
from pathlib import Path

import pytest
from cordboard.actors import memory


@pytest.fixture
def ram(tmp_path: Path) -> Path:
    """Where there is memory for files."""
    made = tmp_path / "shm"
    made.mkdir()
    return made


@pytest.fixture
def run(tmp_path: Path) -> Path:
    made = tmp_path / "data" / "run"
    made.mkdir(parents=True)
    return made


def test_the_next_process_finds_what_the_last_one_left(ram: Path, run: Path) -> None:
    first = memory.directory(run, ram)
    (first / "states").write_bytes(b"calls")
    assert first.parent == ram
    assert stat.S_IMODE(first.stat().st_mode) == 0o700
    assert memory.directory(run, ram) == first
    assert (memory.directory(run, ram) / "states").read_bytes() == b"calls"


def test_what_is_left_in_good_order_leaves_nothing(ram: Path, run: Path) -> None:
    (memory.directory(run, ram) / "states").write_bytes(b"calls")
    memory.leave(run)
    assert (list(ram.iterdir()), list(run.iterdir())) == ([], [])
    memory.leave(run)


def test_one_that_is_gone_is_made_anew(ram: Path, run: Path) -> None:
    first = memory.directory(run, ram)
    shutil.rmtree(first)
    second = memory.directory(run, ram)
    assert second.is_dir()
    assert second != first
    assert memory.directory(run, ram) == second


def test_a_copy_of_a_data_directory_has_another(ram: Path, run: Path) -> None:
    first = memory.directory(run, ram)
    copy = run.parent.with_name("copy")
    shutil.copytree(run.parent, copy, symlinks=True)
    assert memory.directory(copy / "run", ram) != first
    assert memory.directory(run, ram) == first


def test_what_others_put_in_its_place_is_not_entered(ram: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = memory.directory(run, ram)
    aside = first.rename(ram / "aside")
    first.symlink_to(aside)
    assert memory.directory(run, ram) != first  # a link, wherever it leads
    second = memory.directory(run, ram)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert memory.directory(run, ram) != second  # somebody else's


def test_where_there_is_no_memory_for_files_the_run_directory_has_to_do(tmp_path: Path, run: Path) -> None:
    assert memory.directory(run, tmp_path / "absent") == run
    memory.leave(run)
    assert run.is_dir()


def test_what_killed_processes_left_is_cleared_away_in_time(
    ram: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [tmp_path / name / "run" for name in ("old", "live", "young")]
    for run in runs:
        run.mkdir(parents=True)
    old, live, young = (memory.directory(run, ram) for run in runs)
    foreign = ram / "cordboard-file"
    foreign.write_bytes(b"")
    (ram / "others").mkdir()
    for directory in (old, live):
        (directory / "states").write_bytes(b"calls")
    hour_ago = time.time() - memory.LEFT - 10
    for path in (old / "states", old / memory.BACK, old, live / memory.BACK, live, foreign, ram / "others"):
        os.utime(path, (hour_ago, hour_ago), follow_symlinks=False)
    memory.clear(ram)
    assert set(ram.iterdir()) == {live, young, foreign, ram / "others"}
    assert memory.directory(runs[0], ram).is_dir()
