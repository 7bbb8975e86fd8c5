"""What a recording becomes when its call is over: one file that every player knows, and its waveform. A shell.

    python -m cordboard.switch.encoder RAW OUT [--format opus|wav|mp3|flac]

Reads the recording chunk by chunk, whatever there is of it, so a long call takes no more memory than a short one. OUT
and OUT.peaks.json (peaks.py) appear whole or not at all: each is written beside, synced and renamed, OUT last. Prints
one line of JSON: `seconds`, `bytes`, `channels`, `rate` and the name of the `peaks`. It gives way to everything else.

Ends with 0 when done, 2 when RAW is no recording, 4 when there is no sound in it, 3 when the disk does not take it (it
is full or read-only), 1 when all else fails; the reason is a line on standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import os
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Final

import av
import numpy as np
from attrs import asdict, frozen

from ..codecs.g711 import Pcm
from .peaks import Peaks
from .recfile import CHANNELS, FRAME, HEADER_LENGTH, RATE, BrokenFileError, read_chunks, read_header

UNUSABLE: Final = 2
DISK_REFUSES: Final = 3
NO_SOUND: Final = 4
PART: Final = ".part"
# What is wrong with the disk or the rights to it, whatever the recording.
_REFUSALS: Final = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE}
)
# Frames given to the encoder at once.
BLOCK: Final = 50


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


@frozen
class Encoded:
    """What was made."""

    seconds: float
    bytes: int
    channels: int
    rate: int
    peaks: str


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


def encode(raw: Path, out: Path, format_: Format) -> Encoded:
    """Raises BrokenFileError, NoSoundError, OSError and what libav raises."""
    peaks = Peaks()
    waveform = peaks_of(out)
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(raw.open("rb"))
        if raw.stat().st_size <= HEADER_LENGTH:
            raise NoSoundError
        read_header(source)
        made = stack.enter_context(_appearing(out))
        samples = _encode(source, made, format_, peaks)
        if not samples:
            raise NoSoundError
        with _appearing(waveform) as drawn:
            drawn.write(peaks.to_json().encode())
    return Encoded(samples / RATE, out.stat().st_size, CHANNELS, RATE, waveform.name)


def peaks_of(out: Path) -> Path:
    """Where the waveform of an encoded recording is."""
    return out.with_name(out.name + ".peaks.json")


def _encode(source: BinaryIO, made: BinaryIO, format_: Format, peaks: Peaks) -> int:
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
    # An encoder that lost whoever started it may be at the same file.
    part = path.with_name(f"{path.name}.{os.getpid()}{PART}")
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


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m cordboard.switch.encoder")
    parser.add_argument("raw", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--format", choices=FORMATS, default="opus")
    wanted = parser.parse_args()
    os.nice(19)
    try:
        print(json.dumps(asdict(encode(wanted.raw, wanted.out, FORMATS[wanted.format]))))
    except BrokenFileError as error:
        print(f"{wanted.raw.name}: {error}", file=sys.stderr)
        return UNUSABLE
    except NoSoundError:
        print(f"{wanted.raw.name}: there is no sound in it", file=sys.stderr)
        return NO_SOUND
    except OSError as error:  # libav's errors are, too
        print(error.strerror or error, file=sys.stderr)
        return DISK_REFUSES if error.errno in _REFUSALS else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
