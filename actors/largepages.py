"""Large pages of memory for what a process has when it is ready. A shell.

A call touches a little of tens of megabytes. A core remembers where some thousand pages of 4 kB are; for every other
one it has to look into tables in memory, and in a virtual machine into those of its host as well. What is there when
everything is loaded stays for good (`collecting.py`): the kernel puts it together into pages of 2 MB (MADV_COLLAPSE,
since Linux 6.1; madvise(2)), and a core remembers all of them. What calls bring and take along again stays as it is.
Where the kernel does nothing of the kind, nothing is otherwise.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path
from typing import Final

# asm-generic/mman-common.h
MADV_COLLAPSE: Final = 25
LARGE: Final = 2 << 20


def heaps(maps: str) -> Iterator[tuple[int, int]]:
    """Where memory begins and ends that is of no file, from /proc/PID/maps (proc(5))."""
    for line in maps.splitlines():
        place, rights, _offset, _device, inode, *name = line.split(maxsplit=5)
        if rights == "rw-p" and inode == "0" and name in ([], ["[heap]"]):
            begin, end = place.split("-")
            yield int(begin, 16), int(end, 16)


def collapse() -> int:
    """How many large pages were made of small ones. Takes a millisecond for each, without the interpreter's lock."""
    madvise = ctypes.CDLL(None).madvise
    made = 0
    for begin, end in heaps(Path("/proc/self/maps").read_text()):
        for at in range(-(-begin // LARGE) * LARGE, end - LARGE + 1, LARGE):
            made += madvise(ctypes.c_void_p(at), ctypes.c_size_t(LARGE), MADV_COLLAPSE) == 0
    return made
