"""Packets as the rows of a matrix, and as `bytes` for libraries that take nothing else.

To cut a matrix into `bytes`, numpy takes each row as one item of raw octets and makes them all at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Octets = NDArray[np.uint8]

LEAST_WIDTH: Final = 16  # of a matrix, whose width is a multiple of 4: words of a header are read as columns


def width(length: NDArray[np.int32]) -> int:
    """What packets of these lengths need."""
    return max((int(length.max(initial=0)) + 3) // 4 * 4, LEAST_WIDTH)


def cut(data: Octets, length: NDArray[np.int32]) -> list[bytes]:
    """The first `length` int32 [n] octets of each row of `data` uint8 [n, W]."""
    longest = int(length.max(initial=0))
    if not longest:
        return [b""] * len(length)
    rows: list[bytes] = np.ascontiguousarray(data[:, :longest]).view(f"V{longest}")[:, 0].tolist()
    if np.count_nonzero(length == longest) == len(length):
        return rows
    return [row[:octets] for row, octets in zip(rows, length.tolist(), strict=True)]


def lay(packets: Sequence[bytes]) -> tuple[Octets, NDArray[np.int32]]:
    """n packets as a matrix uint8 [n, W] with zeros behind them, W as `width` says; and their lengths int32 [n]."""
    length = np.fromiter(map(len, packets), np.int32, len(packets))
    wide = width(length)
    octets = b"".join([packet.ljust(wide, b"\0") for packet in packets])
    return np.frombuffer(octets, np.uint8).reshape(len(packets), wide), length
