"""Files of music: what people bring, in any format that FFmpeg reads, and what is kept of it. A shell.

    decode(file) -> Piece   once, when a piece is taken in: 8 kHz mono, mastered to be looped
    save(piece, path)       kept as WAV, under a name of its own
    Shelf                   reads kept pieces for the engine in a thread, so that no disk makes a tick wait

Decoding is long work on a file from outside; the media process never does it. What it reads has the form that `save`
gives it, or is refused.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import tempfile
import wave
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import BinaryIO, Final

import av
import numpy as np
from attrs import frozen

from ..codecs.g711 import Pcm
from ..codecs.mastering import mastered
from ..codecs.tones import FRAME, RATE
from .seams import Read
from .sources import is_music

SUFFIX: Final = ".wav"
# An hour of uncompressed sound would be less on the line than this is on the disk: nobody waits through more.
MAX_BYTES: Final = 64 * 1024 * 1024
# In memory a piece takes 16 kB a second; what is shorter than a second is a noise.
MIN_SECONDS: Final = 1.0
MAX_SECONDS: Final = 600.0


class UnusableMusicError(Exception):
    """The file cannot be played; the text is for people and follows the file's name."""


@frozen(eq=False)
class Piece:
    """As it is heard: int16 [frames * 160] at 8 kHz, a loop."""

    pcm: Pcm

    @property
    def seconds(self) -> float:
        return len(self.pcm) / RATE

    @property
    def digest(self) -> str:
        """In hexadecimal, of what is heard."""
        return hashlib.sha256(self.pcm.tobytes()).hexdigest()


def decode(file: BinaryIO) -> Piece:
    """The piece in a file. Takes a second or two for minutes of it.

    Raises UnusableMusicError, and OSError where the file cannot be read.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size > MAX_BYTES:
        raise UnusableMusicError(f"has {size / 2**20:.0f} MB; at most {MAX_BYTES // 2**20} MB")
    try:
        # A list of other files or addresses is no piece: nothing but this file is opened.
        with av.open(file, "r", options={"protocol_whitelist": "none"}) as source:
            if not source.streams.audio:
                raise UnusableMusicError("has no sound in it")
            sound = _samples(source)
    except (av.FFmpegError, ValueError) as error:
        raise UnusableMusicError("is not a file of sound, or a broken one") from error
    if not np.isfinite(sound).all():  # as samples in floating point may be
        raise UnusableMusicError("is not a file of sound, or a broken one")
    if len(sound) < MIN_SECONDS * RATE:
        # Not rounded: what is a little too short does not last as long as it must.
        raise UnusableMusicError(f"lasts {len(sound) * 10 // RATE / 10:.1f} s; at least {MIN_SECONDS:g} s")
    try:
        return Piece(mastered(sound))
    except ValueError as error:
        raise UnusableMusicError("is silent") from error


def _samples(source: av.container.InputContainer) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """All of the first sound in it. Raises UnusableMusicError as soon as it is too much."""
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=RATE)
    parts, length = [], 0
    for frame in itertools.chain(source.decode(audio=0), [None]):
        for made in resampler.resample(frame):
            parts.append(made.to_ndarray()[0])
            length += made.samples
        if length > MAX_SECONDS * RATE:
            raise UnusableMusicError(f"lasts longer than {MAX_SECONDS / 60:g} minutes")
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def save(piece: Piece, path: Path) -> None:
    """Whole and synced, or not at all. Raises OSError."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            with wave.open(file, "wb") as made:
                made.setparams((1, 2, RATE, len(piece.pcm), "NONE", ""))
                made.writeframes(piece.pcm.astype("<i2").tobytes())
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise


def load(path: Path) -> Piece:
    """What was saved there. Raises UnusableMusicError, and OSError where it cannot be read."""
    try:
        with wave.open(str(path), "rb") as kept:
            form = (kept.getnchannels(), kept.getsampwidth(), kept.getframerate())
            length = kept.getnframes()
            octets = kept.readframes(min(length, round(MAX_SECONDS * RATE)))
    except (wave.Error, EOFError) as error:
        raise UnusableMusicError("is damaged") from error
    if form != (1, 2, RATE) or not length or length % FRAME or len(octets) != 2 * length:
        raise UnusableMusicError("is damaged")
    return Piece(np.frombuffer(octets, "<i2").astype(np.int16))


class Shelf:
    """The directory of kept pieces, which `executor` reads. It is a `Library` of the engine."""

    def __init__(self, directory: str, executor: Executor) -> None:
        self._directory = Path(directory)
        self._executor = executor
        self._reading: dict[str, Future[Pcm]] = {}

    def want(self, name: str) -> None:
        if name not in self._reading:
            self._reading[name] = self._executor.submit(self._load, name)

    def read(self) -> list[Read]:
        if not self._reading:
            return []
        done = [name for name, reading in self._reading.items() if reading.done()]
        return [_outcome(name, self._reading.pop(name)) for name in done]

    def _load(self, name: str) -> Pcm:
        if not is_music(name):
            raise UnusableMusicError("has no name of a piece")
        return load(self._directory / f"{name}{SUFFIX}").pcm


def _outcome(name: str, reading: Future[Pcm]) -> Read:
    try:
        return Read(name, reading.result())
    except UnusableMusicError as error:
        return Read(name, None, f"its file {error}")
    except OSError as error:
        return Read(name, None, error.strerror or str(error))
