"""The spoken prompts that come with the switch: the one place that reads their files (voices/make.py made them).

They are read once a process, before its engine begins: what a tick plays is in memory. A prompt is whole 20 ms frames,
and begins and ends at zero.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Final

import av
import numpy as np

from ..codecs.g711 import Pcm
from ..codecs.tones import FRAME, RATE
from .sources import Prompts

VOICES: Final = Path(__file__).with_name("voices")
# What a codec left of the silence at either end is brought to zero over 5 ms.
EDGE: Final = np.linspace(0.0, 1.0, RATE // 200)


@functools.cache
def load(directory: Path = VOICES) -> Prompts:
    """Every prompt by (name, language). Raises OSError or av.FFmpegError where one cannot be read."""
    found = {}
    for file in sorted(directory.glob("*.opus")):
        language, _, name = file.stem.partition("-")
        found[name, language] = _read(file)
    return found


def _read(file: Path) -> Pcm:
    with av.open(str(file)) as source:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        frames = [made for frame in [*source.decode(audio=0), None] for made in resampler.resample(frame)]
    sound = np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(np.float64)
    sound[: len(EDGE)] *= EDGE
    sound[-len(EDGE) :] *= EDGE[::-1]
    pcm: Pcm = np.rint(np.pad(sound, (0, -len(sound) % FRAME))).astype(np.int16)
    pcm.setflags(write=False)
    return pcm
