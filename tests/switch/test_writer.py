"""Recordings in real files: names, modes, continuing, full and missing disks."""

from __future__ import annotations

import errno
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import pytest
from cordboard.switch import disksync, writer
from cordboard.switch.recfile import Chunk, Header, read_chunks, read_header
from cordboard.switch.recorder import Doubted, Ended, Held, Kept, Lost, Result
from cordboard.switch.writer import RecordingWriter, file_name

SECOND = np.arange(50 * 320, dtype=np.int16).tobytes()


class Desk:
    """A writer in `folder`, and what it said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[Result] = []

    def until(self, count: int) -> list[Result]:
        """The next `count` results."""
        end = time.monotonic() + 10
        while len(self.said) < count:
            assert time.monotonic() < end, self.said
            self.said += self.writer.results()
            threading.Event().wait(0.001)
        said, self.said = self.said[:count], self.said[count:]
        return said

    @contextmanager
    def works(self) -> Iterator[RecordingWriter]:
        with RecordingWriter(str(self.folder)) as self.writer:
            yield self.writer

    def read(self, recording: str) -> list[Chunk]:
        with (self.folder / f"{recording}.cbr").open("rb") as file:
            read_header(file)
            return list(read_chunks(file))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "recordings")


def test_a_recording_is_a_private_file_of_its_chunks(desk: Desk) -> None:
    with desk.works() as one:
        one.open(1, "call-1")
        one.write(1, Chunk(0, 50, SECOND))
        one.write(1, Chunk(50, 50))
        one.close(1)
        assert desk.until(3) == [Kept(1), Kept(1), Ended(1, 2.0)]
    assert desk.read("call-1") == [Chunk(0, 50, SECOND), Chunk(50, 50)]
    assert desk.folder.stat().st_mode & 0o777 == 0o700
    assert (desk.folder / "call-1.cbr").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["", ".", "..", "../up", "a/b", ".hidden", "a\0b", "a b", "ü", "x" * 121])
def test_names_that_lead_elsewhere_are_refused(desk: Desk, name: str) -> None:
    with pytest.raises(ValueError, match="no recording can be named"):
        file_name(name)
    with desk.works() as one:
        one.open(1, name)
        one.write(1, Chunk(0, 50, SECOND))
        one.close(1)
        held, lost, ended = desk.until(3)
    assert isinstance(held, Held)
    assert isinstance(lost, Lost)
    assert ended == Ended(1, 0.0)
    assert list(desk.folder.iterdir()) == []


def test_what_an_earlier_process_began_is_continued_where_the_time_is(desk: Desk) -> None:
    with desk.works() as one:
        one.open(1, "r")
        one.write(1, Chunk(0, 50, SECOND))
        desk.until(1)
    path = desk.folder / "r.cbr"
    octets = path.read_bytes()
    header = Header(time.monotonic() - 60, 0.0).encode()  # it began a minute ago
    path.write_bytes(header + octets[len(header) :] + octets[len(header) : -7])  # and its last chunk is not whole
    with desk.works() as one:
        one.open(9, "r")
        one.write(9, Chunk(0, 50, SECOND))
        one.close(9)
        kept, ended = desk.until(2)
    first, second = desk.read("r")
    assert (kept, first) == (Kept(9), Chunk(0, 50, SECOND))
    assert 3000 <= second.position <= 3010
    assert ended == Ended(9, second.end / 50)


def test_after_the_machine_was_started_anew_a_recording_goes_on_at_its_end(desk: Desk) -> None:
    desk.folder.mkdir()
    later = Header(time.monotonic() + 1e6, 0.0).encode()
    (desk.folder / "r.cbr").write_bytes(later + Chunk(0, 50, SECOND).encode())
    with desk.works() as one:
        one.open(1, "r")
        one.write(1, Chunk(0, 50, SECOND))
        desk.until(1)
    assert [chunk.position for chunk in desk.read("r")] == [0, 50]


def test_a_file_whose_header_is_damaged_is_put_aside(desk: Desk) -> None:
    desk.folder.mkdir()
    (desk.folder / "r.cbr").write_bytes(b"\0" * 500)
    with desk.works() as one:
        one.open(1, "r")
        one.write(1, Chunk(0, 50, SECOND))
        assert desk.until(1) == [Kept(1)]
    assert desk.read("r") == [Chunk(0, 50, SECOND)]
    assert (desk.folder / "r.cbr.damaged").read_bytes() == b"\0" * 500


def test_a_link_is_not_followed(desk: Desk, tmp_path: Path) -> None:
    desk.folder.mkdir()
    (tmp_path / "mine").write_bytes(b"precious")
    (desk.folder / "r.cbr").symlink_to(tmp_path / "mine")
    with desk.works() as one:
        one.open(1, "r")
        one.write(1, Chunk(0, 50, SECOND))
        (held,) = desk.until(1)
    assert isinstance(held, Held)
    assert (tmp_path / "mine").read_bytes() == b"precious"


@contextmanager
def file_size(limit: int) -> Iterator[None]:
    """No file of this process grows beyond `limit` octets: how a disk is full without one."""
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def test_a_full_disk_loses_nothing_that_can_wait(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "RETRY", 0.0)
    with desk.works() as one:
        one.open(1, "r")
        one.write(1, Chunk(0, 50, SECOND))
        desk.until(1)
        with file_size(50_000):  # the second chunk fits in part
            one.write(1, Chunk(50, 50, SECOND))
            one.write(1, Chunk(100, 50, SECOND))
            assert desk.until(2) == [Held(1, "the disk is full")] * 2
        one.write(1, Chunk(150, 50, SECOND))
        one.close(1)
        assert desk.until(4) == [Kept(1)] * 3 + [Ended(1, 4.0)]
    assert desk.read("r") == [Chunk(50 * i, 50, SECOND) for i in range(4)]


def test_what_waits_when_the_call_is_over_is_written_then_or_never(desk: Desk) -> None:
    with desk.works() as one:
        with file_size(50_000):
            for key in (1, 2):
                one.open(key, f"r{key}")
                one.write(key, Chunk(0, 200, SECOND * 4))
            assert desk.until(2) == [Held(1, "the disk is full"), Held(2, "the disk is full")]
            one.close(1)
            assert desk.until(2) == [Lost(1, 200, "the disk is full"), Ended(1, 0.0)]
        one.close(2)
        assert desk.until(2) == [Kept(2), Ended(2, 4.0)]
    assert desk.read("r2") == [Chunk(0, 200, SECOND * 4)]


def test_a_disk_that_failed_is_left_alone_for_a_while(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "RETRY", 3600.0)
    with desk.works() as one:
        with file_size(50_000):
            one.open(1, "r")
            one.write(1, Chunk(0, 200, SECOND * 4))
            desk.until(1)
        one.write(1, Chunk(200, 50, SECOND))
        assert desk.until(1) == [Held(1, "the disk is full")]
    assert [chunk.position for chunk in desk.read("r")] == [0, 200]  # the last words


@pytest.mark.parametrize(
    "mend", [lambda folder: folder.unlink(), lambda folder: folder.rename(folder.parent / "aside")]
)
def test_a_directory_that_comes_later_is_found(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, mend: Callable[[Path], object]
) -> None:
    monkeypatch.setattr(writer, "RETRY", 0.0)
    desk.folder.write_text("in the way")
    with desk.works() as one:
        one.open(1, "r")
        one.write(1, Chunk(0, 50, SECOND))
        (held,) = desk.until(1)
        mend(desk.folder)
        one.write(1, Chunk(50, 50, SECOND))
        assert desk.until(2) == [Kept(1), Kept(1)]
    assert isinstance(held, Held)
    assert desk.read("r") == [Chunk(0, 50, SECOND), Chunk(50, 50, SECOND)]


def test_a_file_that_cannot_be_closed_ends_no_other_recording(desk: Desk) -> None:
    with desk.works() as one:
        one.open(1, "first")
        one.write(1, Chunk(0, 50, SECOND))
        desk.until(1)
        (lost,) = (int(each.name) for each in Path("/proc/self/fd").iterdir() if each.resolve().name == "first.cbr")
        os.close(lost)
        one.close(1)
        assert desk.until(2) == [Doubted(1, os.strerror(errno.EBADF)), Ended(1, 1.0)]
        one.open(2, "second")
        one.write(2, Chunk(0, 50, SECOND))
        one.close(2)
        assert desk.until(2) == [Kept(2), Ended(2, 1.0)]
    assert desk.read("second") == [Chunk(0, 50, SECOND)]


def test_all_files_are_synced_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = threading.Event()
    calls: list[int] = []

    def note(fd: int) -> None:
        calls.append(os.fstat(fd).st_ino)
        synced.set()

    monkeypatch.setattr(disksync, "syncfs", note)
    monkeypatch.setattr(disksync, "EVERY", 3600.0)
    with desk.works() as one:
        for key in range(50):
            one.open(key, f"r{key}")
            one.write(key, Chunk(0, 50, SECOND))
        desk.until(50)
        assert synced.wait(10)
        assert calls == [desk.folder.stat().st_ino]  # the rest have their turn in an hour


def test_a_disk_that_syncs_slowly_holds_no_chunk(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    began, go_on = threading.Event(), threading.Event()

    def hang(fd: int) -> None:
        began.set()
        go_on.wait(10)

    monkeypatch.setattr(disksync, "syncfs", hang)
    with desk.works() as one:
        one.open(1, "r")
        one.write(1, Chunk(0, 50, SECOND))
        assert began.wait(10)
        one.write(1, Chunk(50, 50, SECOND))
        assert desk.until(2) == [Kept(1), Kept(1)]
        go_on.set()


def test_a_sync_that_fails_as_a_file_is_closed_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(fd: int) -> None:
        raise OSError(errno.EIO, "not shown")

    with desk.works() as one:
        one.open(1, "r")
        one.write(1, Chunk(0, 50, SECOND))
        desk.until(1)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", fail)
            one.close(1)
            assert desk.until(2) == [Doubted(1, "Input/output error"), Ended(1, 1.0)]
        one.open(2, "s")
        one.write(2, Chunk(0, 50, SECOND))
        one.close(2)
        assert desk.until(2) == [Kept(2), Ended(2, 1.0)]


def test_a_sync_that_failed_is_told_with_the_next_chunk(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = threading.Event()

    def fail(fd: int) -> None:
        if not failed.is_set():
            failed.set()
            raise OSError(errno.EIO, "not shown")

    monkeypatch.setattr(disksync, "syncfs", fail)
    monkeypatch.setattr(writer, "RETRY", 0.2)
    with desk.works() as one:
        one.open(1, "r")
        one.write(1, Chunk(0, 50, SECOND))
        assert desk.until(1) == [Kept(1)]
        assert failed.wait(10)
        said: list[Result] = []
        for i in range(1, 1000):  # the word of the other thread comes in between two of them
            one.write(1, Chunk(50 * i, 50, SECOND))
            said += desk.until(1)
            if isinstance(said[-1], Held):
                break
        assert said[-1] == Held(1, "Input/output error")
        threading.Event().wait(0.2)
        one.close(1)
        assert desk.until(2)[-1] == Ended(1, (i + 1) * 1.0)
    assert len(desk.read("r")) == i + 1


def test_nothing_is_open_when_no_recording_is(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disksync, "EVERY", 0.0)
    monkeypatch.setattr(disksync, "syncfs", lambda fd: None)  # a disk that others fill takes seconds

    def opened() -> list[str]:
        ours = [str(each.resolve()) for each in Path("/proc/self/fd").iterdir()]
        return [each for each in ours if each.startswith(str(desk.folder))]

    with desk.works() as one:
        for key in (1, 2):
            one.open(key, f"r{key}")
            one.write(key, Chunk(0, 50, SECOND))
            desk.until(1)
            assert len(opened()) == 2  # the file, and its directory
            one.close(key)
            desk.until(1)
            end = time.monotonic() + 10
            while opened():
                assert time.monotonic() < end, opened()
                threading.Event().wait(0.001)


def test_a_directory_that_was_replaced_is_the_one_that_is_synced(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: SimpleQueue[int] = SimpleQueue()
    monkeypatch.setattr(disksync, "syncfs", lambda fd: calls.put(os.fstat(fd).st_ino))
    monkeypatch.setattr(disksync, "EVERY", 0.0)
    with desk.works() as one:
        one.open(1, "r")
        one.write(1, Chunk(0, 50, SECOND))
        assert calls.get(timeout=10) == desk.folder.stat().st_ino
        one.close(1)
        desk.until(2)
        desk.folder.rename(desk.folder.parent / "aside")
        one.open(2, "s")
        one.write(2, Chunk(0, 50, SECOND))
        desk.until(1)
        new = desk.folder.stat().st_ino
        while calls.get(timeout=10) != new:
            pass


def test_a_stop_writes_what_waits(desk: Desk) -> None:
    with desk.works() as one:
        one.open(1, "r")
        for i in range(100):
            one.write(1, Chunk(50 * i, 50, SECOND))
    assert desk.read("r")[-1].end == 5000
