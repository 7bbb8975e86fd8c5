"""The files of recordings, written by a thread, so that no disk makes the tick wait. A shell.

The recorder's chunks wait in a queue; the thread writes all that waits. What was written, and the names of new files
with it, is synced every second, for all files together and beside the writing (disksync.py), and what is in each file
once more as it is closed. What cannot be
written is told and waits in memory, as much as the recorder lets wait: the disk is tried again every second or so, also
after a sync that failed. A file is only ever written at the end of its last whole chunk, so whenever the process dies,
what was written can be read (recfile.py).
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from queue import SimpleQueue
from types import TracebackType
from typing import Final, assert_never

from attrs import define, evolve, field, frozen

from .disksync import DiskSync
from .recfile import (
    ASIDE,
    FRAMES_PER_SECOND,
    HEADER_LENGTH,
    SUFFIX,
    BrokenFileError,
    Chunk,
    Header,
    find_end,
    is_name,
    read_header,
)
from .recorder import Doubted, Ended, Held, Kept, Lost, Result

RETRY: Final = 1.0  # seconds after which what failed is tried again
LAST_WORDS: Final = 5.0  # seconds that a stop waits for what is still to be written
_REASONS: Final = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "the recordings' directory is not writable",
}


def file_name(recording: str) -> str:
    """What the file of a recording is called in its directory. Raises ValueError for what is no file's name."""
    if not is_name(recording):
        raise ValueError(f"no recording can be named {recording[:40]!r}")
    return recording + SUFFIX


@frozen
class _Open:
    key: int
    recording: str
    monotonic: float
    unix: float


@frozen
class _Write:
    key: int
    chunk: Chunk


@frozen
class _Close:
    key: int


@frozen
class _Unsynced:
    """The disk did not take what was written."""

    error: OSError


_Task = _Open | _Write | _Close | _Unsynced


@define(eq=False)
class _File:
    """One opening, and its file once that could be opened; `base` is the place of the opening's position 0 in it."""

    opened: _Open
    fd: int = -1
    length: int = 0  # octets up to the end of the last whole chunk
    end: int = 0  # frames
    base: int = 0
    retry_at: float = 0.0
    reason: str = ""
    waits: deque[Chunk] = field(factory=deque)


class RecordingWriter:
    """The recordings of one engine, in `directory`, which is made when it is needed. Use it as a context manager."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._results: deque[Result] = deque()
        self._files: dict[int, _File] = {}
        self._sync = DiskSync(lambda error: self._tasks.put(_Unsynced(error)))
        self._thread = threading.Thread(target=self._run, name="recordings", daemon=True)

    def __enter__(self) -> RecordingWriter:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tasks.put(None)
        self._thread.join(LAST_WORDS)

    # --- the recorder's sink ----------------------------------------------------------------------------------

    def open(self, key: int, recording: str) -> None:
        self._tasks.put(_Open(key, recording, time.monotonic(), time.time()))

    def write(self, key: int, chunk: Chunk) -> None:
        self._tasks.put(_Write(key, chunk))

    def close(self, key: int) -> None:
        self._tasks.put(_Close(key))

    def results(self) -> Sequence[Result]:
        results = []
        while self._results:
            results.append(self._results.popleft())
        return results

    # --- the thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        with self._sync:
            while (task := self._tasks.get()) is not None:
                self._do(task)
            for file in list(self._files.values()):
                self._write_last(file)
                self._finish(file)

    def _do(self, task: _Task) -> None:
        match task:
            case _Open(key):
                file = self._files[key] = _File(task)
                self._attempt(file, None)
            case _Write(key, chunk):
                file = self._files[key]
                file.waits.append(chunk)
                self._write_waiting(file)
                if file.waits:
                    self._results.append(Held(key, file.reason))
            case _Close(key):
                file = self._files.pop(key)
                self._write_last(file)
                self._finish(file)
                if not self._files:
                    self._sync.leave()
                self._results.append(Ended(key, file.end / FRAMES_PER_SECOND))
            case _Unsynced(error):
                for file in self._files.values():
                    self._fail(file, error)
            case _:
                assert_never(task)

    def _write_waiting(self, file: _File) -> None:
        while file.waits and self._attempt(file, file.waits[0]):
            file.waits.popleft()
            self._results.append(Kept(file.opened.key))

    def _write_last(self, file: _File) -> None:
        """Now or never."""
        file.retry_at = 0.0
        self._write_waiting(file)
        self._results.extend(Lost(file.opened.key, chunk.sounding, file.reason) for chunk in file.waits)

    def _attempt(self, file: _File, chunk: Chunk | None) -> bool:
        """Opens the file where it is not, and writes the chunk; False: not now, for `file.reason`."""
        if time.monotonic() < file.retry_at:
            return False
        try:
            if file.fd < 0:
                self._open_file(file)
            if chunk is not None:
                self._append(file, evolve(chunk, position=file.base + chunk.position))
        except (OSError, ValueError) as error:
            self._fail(file, error)
            return False
        return True

    def _fail(self, file: _File, error: OSError | ValueError) -> None:
        code = error.errno if isinstance(error, OSError) and error.errno is not None else 0
        file.reason = _REASONS.get(code) or (os.strerror(code) if code else str(error))
        file.retry_at = time.monotonic() + RETRY

    def _open_file(self, file: _File) -> None:
        if not os.path.isdir(self._directory):
            os.makedirs(self._directory, 0o700, exist_ok=True)
        self._sync.watch(self._directory)
        path = os.path.join(self._directory, file_name(file.opened.recording))
        try:
            self._take_up(file, path)
        except BrokenFileError:
            os.rename(path, path.removesuffix(SUFFIX) + ASIDE)
            self._take_up(file, path)
        self._sync.written()

    def _take_up(self, file: _File, path: str) -> None:
        """Opens a new file, or one of an earlier opening, to go on at the place of the time that has passed since."""
        opened = file.opened
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            if os.fstat(fd).st_size < HEADER_LENGTH:  # new, or whoever made it died at once
                file.length, file.end = HEADER_LENGTH, 0
                _write_all(fd, Header(opened.monotonic, opened.unix).encode(), 0)
            else:
                with open(fd, "rb", closefd=False) as reader:
                    begun = read_header(reader).monotonic
                    file.length, file.end = find_end(reader)
                os.ftruncate(fd, file.length)
                # The machine was started anew since: nobody knows how long it was.
                passed = opened.monotonic - begun if opened.monotonic >= begun else 0.0
                file.base = max(round(passed * FRAMES_PER_SECOND), file.end)
        except BaseException:
            os.close(fd)
            raise
        file.fd = fd

    def _append(self, file: _File, chunk: Chunk) -> None:
        octets = chunk.encode()
        try:
            _write_all(file.fd, octets, file.length)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(file.fd, file.length)
            raise
        file.length += len(octets)
        file.end = chunk.end
        self._sync.written()

    def _finish(self, file: _File) -> None:
        if file.fd >= 0:
            try:
                try:
                    os.fdatasync(file.fd)
                finally:
                    os.close(file.fd)
            except OSError as error:  # of any time since it was opened; a network's disk says only here that it is full
                self._fail(file, error)
                self._results.append(Doubted(file.opened.key, file.reason))


def _write_all(fd: int, octets: bytes, offset: int) -> None:
    """Raises OSError where the disk takes only a part."""
    if os.pwrite(fd, octets, offset) < len(octets):
        raise OSError(errno.ENOSPC, "written in part")
