"""What a recording becomes when its call is over: one file that every player knows, and its waveform. A shell.

    python -m cordboard.switch.encoder

A worker: it reads jobs from standard input, does one after the other, and answers each on standard output (jobs.py).
It lives for many of them, since it takes longer to begin than most of them do, and gives way to everything else; it
ends when nobody can give it another. While it is at a long one it says every second how far it is, so that whoever
waits knows that it goes on.

Reads a recording chunk by chunk, whatever there is of it, so a long call takes no more memory than a short one. The
file and its waveform (peaks.py) appear whole or not at all: each is written beside, synced and renamed, the file last.
What is no fault of a recording's, its disk's or libav's ends the worker, with its trace on standard error.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Final

import av
import numpy as np
from attrs import frozen

from ..codecs.g711 import Pcm
from .jobs import Answer, Encoded, Progress, Refused, Wanted, Why, part_of, peaks_of, to_line
from .peaks import Peaks
from .recfile import CHANNELS, FRAME, HEADER_LENGTH, RATE, BrokenFileError, read_chunks, read_header

# What is wrong with the disk or the rights to it, whatever the recording.
_REFUSALS: Final = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE}
)
# Frames given to the encoder at once.
BLOCK: Final = 50
# How often it is said how far a recording is, in seconds.
TELL: Final = 1.0


@frozen
class Format:
    """A file format in libav's words. Bit rates are for both channels together."""

    container: str
    codec: str
    samples: str
    bit_rate: int | None = None
    options: tuple[tuple[str, str], ...] = ()


FORMATS: Final = {
    # Below 40 kbit/s Opus takes two talkers for one in a wide room: what one says is heard on both sides. As "voip" a
    # quiet talker is lost beside a loud one.
    "opus": Format("ogg", "libopus", "s16", 48_000, (("application", "audio"), ("compression_level", "5"))),
    "wav": Format("wav", "pcm_s16le", "s16"),
    "mp3": Format("mp3", "libmp3lame", "s16p", 48_000, (("joint_stereo", "0"),)),
    "flac": Format("flac", "flac", "s16"),
}


class NoSoundError(Exception):
    """Whoever made the file died before the first sound."""


class GoesOnError(Exception):
    """Whoever makes the file is still at it."""


def sound(raw: BinaryIO) -> Iterator[Pcm]:
    """The sound of a recording whose header was read: int16 [2, n], at most BLOCK frames each, silence in the gaps."""
    end = 0
    for chunk in read_chunks(raw):
        yield from _silence(chunk.position - end)
        if chunk.samples:
            frames = np.frombuffer(chunk.samples, np.int16).reshape(chunk.frames, CHANNELS, FRAME)
            yield frames.transpose(1, 0, 2).reshape(CHANNELS, -1)
        else:
            yield from _silence(chunk.frames)
        end = chunk.end


def _silence(frames: int) -> Iterator[Pcm]:
    while frames > 0:
        yield np.zeros((CHANNELS, min(frames, BLOCK) * FRAME), np.int16)
        frames -= BLOCK


def encode(raw: Path, out: Path, format_: Format, tell: Callable[[float], None]) -> Encoded:
    """`tell` hears after each block how many seconds are done. Raises BrokenFileError, NoSoundError, GoesOnError,
    OSError, what libav raises, and what `tell` does."""
    peaks = Peaks()
    waveform = peaks_of(out)
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(raw.open("rb"))
        size = os.stat(source.fileno()).st_size
        if size <= HEADER_LENGTH:
            raise NoSoundError
        read_header(source)
        made = stack.enter_context(_appearing(out))
        samples = _encode(source, made, format_, peaks, tell)
        if not samples:
            raise NoSoundError
        with _appearing(waveform) as drawn:
            drawn.write(peaks.to_json().encode())
        if raw.stat().st_size != size:
            raise GoesOnError
    return Encoded(samples / RATE, out.stat().st_size, waveform.name)


def _encode(source: BinaryIO, made: BinaryIO, format_: Format, peaks: Peaks, tell: Callable[[float], None]) -> int:
    """Returns the samples per channel."""
    samples = 0
    with _opened(made, format_.container) as container:
        stream = container.add_stream(format_.codec, rate=RATE, layout="stereo", options=dict(format_.options))
        assert isinstance(stream, av.AudioStream)
        stream.format = format_.samples
        if format_.bit_rate is not None:
            stream.bit_rate = format_.bit_rate
        for pcm in sound(source):
            peaks.add(pcm)
            laid = pcm if format_.samples.endswith("p") else pcm.T.reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(laid), format=format_.samples, layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = RATE, samples, Fraction(1, RATE)
            container.mux(stream.encode(frame))
            samples += pcm.shape[1]
            tell(samples / RATE)
        container.mux(stream.encode(None))
    return samples


@contextlib.contextmanager
def _opened(made: BinaryIO, container: str) -> Iterator[av.container.OutputContainer]:
    """Closed in any case; what closing raises after an error would hide that error."""
    opened = av.open(made, "w", format=container)
    try:
        yield opened
    except BaseException:
        with contextlib.suppress(OSError, av.error.FFmpegError):
            opened.close()
        raise
    opened.close()


@contextlib.contextmanager
def _appearing(path: Path) -> Iterator[BinaryIO]:
    """A file that is there, whole and synced, once this was left without an error."""
    part = part_of(path, os.getpid())
    try:
        with open(os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "r+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class _Teller:
    """Says how far a recording is, not too often. Raises BrokenPipeError where nobody hears it any more."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def __call__(self, seconds: float) -> None:
        now = time.monotonic()
        if now >= self._told + TELL:
            self._told = now
            _say(Progress(seconds))


def _say(answer: Answer) -> None:
    os.write(sys.stdout.fileno(), to_line(answer))


def _do(wanted: Wanted) -> Encoded | Refused:
    if not os.path.exists(wanted.raw):
        return Refused(Why.ABSENT, "there is no such file")
    try:
        return encode(Path(wanted.raw), Path(wanted.out), FORMATS[wanted.format], _Teller())
    except BrokenFileError as error:
        return Refused(Why.UNUSABLE, str(error))
    except NoSoundError:
        return Refused(Why.NO_SOUND, "there is no sound in it")
    except GoesOnError:
        return Refused(Why.GOES_ON, "more of it was written meanwhile")
    except BrokenPipeError:  # no disk says that: whoever wanted it is gone
        raise
    except (OSError, av.error.FFmpegError) as error:
        why = Why.DISK_REFUSES if error.errno in _REFUSALS else Why.FAILED
        return Refused(why, error.strerror or str(error))


def main() -> None:
    os.setpriority(os.PRIO_PROCESS, 0, 19)  # whatever who began it has
    with contextlib.suppress(BrokenPipeError):
        for line in iter(sys.stdin.buffer.readline, b""):
            _say(_do(Wanted.parse(line)))


if __name__ == "__main__":
    main()
