"""The waveform of a recording for people to look at: the loudest sample of each short time, per channel.

As JSON: `{"seconds": 61.2, "per_second": 20.0, "channels": [[0, 12, ...], [...]]}`. A peak is an absolute value, 0 to
127 (full scale); the n-th one covers the time from n / per_second on. Left comes first. There are 20 a second; a long
recording has fewer, so that there are never more than MAX_POINTS in a channel.
"""

from __future__ import annotations

import json
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..codecs.g711 import Pcm
from .recfile import CHANNELS, RATE

PER_SECOND: Final = 20
MAX_POINTS: Final = 4000  # more than any screen is wide, and some 20 kB of JSON


class Peaks:
    """Grows with the sound; memory does not."""

    def __init__(self) -> None:
        self._bucket = RATE // PER_SECOND  # samples of a point
        self._points: NDArray[np.uint8] = np.zeros((CHANNELS, MAX_POINTS), np.uint8)
        self._samples = 0

    def add(self, pcm: Pcm) -> None:
        """The next samples of all channels, int16 [2, n]."""
        loud = np.minimum(np.abs(pcm.astype(np.int32)) >> 8, 127).astype(np.uint8)
        while self._samples + pcm.shape[1] > MAX_POINTS * self._bucket:
            self._halve()
        place = np.arange(self._samples, self._samples + pcm.shape[1]) // self._bucket
        for points, channel in zip(self._points, loud, strict=True):
            np.maximum.at(points, place, channel)
        self._samples += pcm.shape[1]

    def _halve(self) -> None:
        half = MAX_POINTS // 2
        self._points[:, :half] = self._points.reshape(CHANNELS, half, 2).max(axis=2)
        self._points[:, half:] = 0
        self._bucket *= 2

    def to_json(self) -> str:
        count = -(-self._samples // self._bucket)
        return json.dumps(
            {
                "seconds": self._samples / RATE,
                "per_second": RATE / self._bucket,
                "channels": self._points[:, :count].tolist(),
            },
            separators=(",", ":"),
        )
