"""A directory in memory, for files that are to outlive a process and need not outlive the machine. A shell.

Whoever writes to a disk waits for it, however little it is and though nobody syncs it: the time of the change alone
makes ext4 wait for its journal. Beside a disk that takes 200 kB/s and should take more, 66 octets took 2.7 s to be
appended to a file, and 34 s while a long file was deleted there. In memory they take microseconds, whatever else is.

`DATA/run/memory` is a link to the directory, which has one back, so that a copy of a data directory gets another. Its
name is made by chance, and only its owner can enter it. Where there is no memory for files, `DATA/run` has to do.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

MEMORY: Final = Path("/dev/shm")  # POSIX shared memory: on Linux a file system in memory
PREFIX: Final = "cordboard-"
LINK: Final = "memory"
BACK: Final = "of"
# What nobody has written to for so long is of nobody who is alive (control.ALIVE_SECONDS), and nobody would go on with
# it (past.STALE). In seconds.
LEFT: Final = 3600.0

log = structlog.get_logger()


def directory(run: Path, memory: Path = MEMORY) -> Path:
    """The one that `run` has had before, or another; `run` where none can be made."""
    left = _of(run)
    if left is not None:
        return left
    try:
        made = Path(tempfile.mkdtemp(prefix=PREFIX, dir=memory))
        (made / BACK).symlink_to(run.resolve())
        new = run / f".{LINK}"
        new.unlink(missing_ok=True)
        new.symlink_to(made)
        new.replace(run / LINK)
    except OSError as error:
        log.warning("no directory in memory", error=str(error))
        return run
    return made


def leave(run: Path) -> None:
    """Nobody goes on with what is in it."""
    left = _of(run)
    if left is not None:
        shutil.rmtree(left, ignore_errors=True)
    with suppress(OSError):
        (run / LINK).unlink(missing_ok=True)


def clear(memory: Path = MEMORY) -> None:
    """Deletes directories of ours that processes left which were killed, and whose data directories nobody began with
    again: memory holds them until then."""
    for path in memory.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if _is_ours(path) and time.time() - max(each.lstat().st_mtime for each in (path, *path.iterdir())) > LEFT:
                shutil.rmtree(path, ignore_errors=True)


def _of(run: Path) -> Path | None:
    """The directory that belongs to it, if there is one."""
    try:
        path = Path(os.readlink(run / LINK))
        return path if _is_ours(path) and os.readlink(path / BACK) == str(run.resolve()) else None
    except OSError:
        return None


def _is_ours(path: Path) -> bool:
    """Raises OSError."""
    about = path.lstat()
    return stat.S_ISDIR(about.st_mode) and about.st_uid == os.geteuid()
