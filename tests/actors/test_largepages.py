"""What is there when a process is ready lies in large pages, where the kernel makes some."""

from __future__ import annotations

import subprocess
import sys

import pytest
from cordboard.actors.largepages import heaps

MAPS = """\
55d0c8a00000-55d0c8c00000 r-xp 00000000 fe:00 1234   /usr/bin/python3.11
55d0c9a00000-55d0c9c21000 rw-p 00000000 00:00 0      [heap]
7f0000000000-7f0000400000 rw-p 00000000 00:00 0
7f0000400000-7f0000500000 ---p 00000000 00:00 0
7f0000600000-7f0000700000 rw-s 00000000 00:01 99     /dev/shm/states (deleted)
7f0000700000-7f0000800000 rw-p 00001000 fe:00 1235   /usr/lib/lib c.so
7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0      [stack]
"""

GROWS = """
from pathlib import Path
from cordboard.actors.largepages import collapse

def large() -> int:
    rollup = Path("/proc/self/smaps_rollup").read_text()
    return int(rollup.partition("AnonHugePages:")[2].split()[0])

kept = [bytes(1000) for _ in range(40_000)]
before = large()
made = collapse()
print(made, large() - before, len(kept))
"""


def test_only_memory_of_no_file_is_put_together() -> None:
    assert list(heaps(MAPS)) == [(0x55D0C9A00000, 0x55D0C9C21000), (0x7F0000000000, 0x7F0000400000)]


def test_what_a_process_has_lies_in_large_pages() -> None:
    said = subprocess.run([sys.executable, "-c", GROWS], capture_output=True, text=True, check=True).stdout
    made, more_kb, kept = map(int, said.split())
    assert kept == 40_000
    if not made:
        pytest.skip("this kernel makes no large pages when it is asked to (MADV_COLLAPSE)")
    assert more_kb == made * 2048
