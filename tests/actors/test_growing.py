"""A file that is written by way of memory: what is in it at any instant, and where there is no room."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cordboard.actors.growing import ROOM, GrowingFile


def test_what_was_added_is_there_at_once_and_behind_it_are_zeros(tmp_path: Path) -> None:
    file = GrowingFile(tmp_path / "f")
    file.add(b"one")
    file.add(b"two")
    assert (tmp_path / "f").read_bytes() == b"onetwo" + bytes(ROOM - 6)
    assert (file.length, (tmp_path / "f").stat().st_mode & 0o777) == (6, 0o600)
    file.close()
    assert (tmp_path / "f").read_bytes().startswith(b"onetwo\0")


def test_it_grows_by_as_much_as_is_added(tmp_path: Path) -> None:
    file = GrowingFile(tmp_path / "f")
    file.add(bytes([1]) * (ROOM - 1))
    file.add(bytes([2]) * (3 * ROOM))
    found = (tmp_path / "f").read_bytes()
    assert found == bytes([1]) * (ROOM - 1) + bytes([2]) * (3 * ROOM) + bytes(1)
    file.close()


def test_it_begins_anew_where_there_was_one(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"old" * 1000)
    file = GrowingFile(tmp_path / "f")
    file.add(b"new")
    assert (tmp_path / "f").read_bytes().rstrip(b"\0") == b"new"
    deleted = [file.deleted]
    (tmp_path / "f").unlink()
    assert [*deleted, file.deleted] == [False, True]
    file.close()


def test_where_there_is_no_room_nothing_is_torn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = GrowingFile(tmp_path / "f")
    file.add(b"kept")

    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        file.add(bytes(ROOM))
    assert file.length == 4
    file.add(b" and more")
    file.close()
    assert (tmp_path / "f").read_bytes().rstrip(b"\0") == b"kept and more"
    files = os.listdir("/proc/self/fd")
    with pytest.raises(OSError, match="No space left"):
        GrowingFile(tmp_path / "g")
    assert len(os.listdir("/proc/self/fd")) == len(files)


def test_what_was_added_outlives_a_process_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "f"
    program = (
        "import os, signal, sys; from pathlib import Path; from cordboard.actors.growing import GrowingFile\n"
        "file = GrowingFile(Path(sys.argv[1])); file.add(b'last words'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_bytes().rstrip(b"\0") == b"last words"
