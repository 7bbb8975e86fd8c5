"""What was written reaches the disk, for all files of a directory at once. A shell.

To sync each of 300 growing files takes 100 µs of CPU and a commit of the file system's journal a file; one `syncfs`
takes 6 µs a file and one commit for all of them, whoever else wrote there. It is done by a thread of its own, in turns:
what is slow makes the next turn later, and nothing else. It is slow where others have filled the disk's queue: then
only a machine that loses its power loses more, not a process that dies.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Final

# Seconds from one turn to the next: what a machine that loses its power may lose beside what waits to be written.
EVERY: Final = 1.0

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syncfs.argtypes = (ctypes.c_int,)


def syncfs(fd: int) -> None:
    """Everything of the file system of `fd` is on its disk. Raises OSError, also for what failed since `fd` was opened
    (Linux 5.8)."""
    if _libc.syncfs(fd):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


class DiskSync:
    """`failed` is called by its thread with what `syncfs` raised. Use it as a context manager."""

    def __init__(self, failed: Callable[[OSError], None]) -> None:
        self._failed = failed
        self._written = threading.Event()
        self._stopped = threading.Event()
        self._fd = -1
        self._replaced: deque[int] = deque()  # which the thread closes, for it may be using them
        self._thread = threading.Thread(target=self._run, name="recordings' sync", daemon=True)

    def __enter__(self) -> DiskSync:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Its files are closed and synced, each by itself; a turn that hangs is not waited for."""
        self._stopped.set()
        self._written.set()

    def watch(self, directory: str) -> None:
        """Before a file is opened there; it may be another directory than the last time. Raises OSError."""
        if self._fd < 0 or not os.path.samestat(os.stat(directory), os.fstat(self._fd)):
            fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            if self._fd >= 0:
                self._replaced.append(self._fd)
            self._fd = fd

    def leave(self) -> None:
        """No file is open there any more."""
        if self._fd >= 0:
            self._replaced.append(self._fd)
            self._fd = -1
            self._written.set()

    def written(self) -> None:
        """Something was, in the directory that is watched."""
        self._written.set()

    def _run(self) -> None:
        while self._written.wait() and not self._stopped.is_set():
            self._written.clear()
            while self._replaced:
                os.close(self._replaced.popleft())
            began, fd = time.monotonic(), self._fd
            if fd >= 0:
                try:
                    syncfs(fd)
                except OSError as error:
                    self._failed(error)
            self._stopped.wait(began + EVERY - time.monotonic())
        for fd in (*self._replaced, self._fd):
            if fd >= 0:
                os.close(fd)
