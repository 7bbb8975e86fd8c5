"""What the machine itself takes from a process: a loop that does nothing but look at the clock.

Where two looks are further apart than a look takes, somebody else had the core: the host of a virtual machine, an
interrupt, or a process of higher priority.

    python -m cordboard.bench.probe SECONDS     prints the stolen share in %, and the longest piece in ms
"""

from __future__ import annotations

import json
import sys
import time
from typing import Final

from ..switch.priority import hurry

LEAST: Final = 0.0001  # seconds: a look takes a hundredth of that


def spin(seconds: float) -> tuple[float, float]:
    """(percent, ms)"""
    stolen = longest = 0.0
    begun = before = time.monotonic()
    while before - begun < seconds:
        now = time.monotonic()
        if (apart := now - before) > LEAST:
            stolen += apart
            longest = max(longest, apart)
        before = now
    return 100 * stolen / seconds, 1000 * longest


def main() -> None:
    hurry()
    percent, ms = spin(float(sys.argv[1]))
    print(json.dumps([round(percent, 2), round(ms, 1)]), flush=True)


if __name__ == "__main__":
    main()
