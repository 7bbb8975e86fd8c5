"""What an encoder (encoder.py) is told and answers: one line of JSON each.

    wanted    {"raw": "DIR/ID.cbr", "out": "DIR/ID.opus", "format": "opus"}
    answers   {"is": "progress", "seconds": 61.0}                            any number of them, then one of:
              {"is": "encoded", "seconds": 90.5, "bytes": 540000, "peaks": "ID.opus.peaks.json"}
              {"is": "refused", "why": "disk refuses", "reason": "No space left on device"}

Both ends are of one version and of one machine: a line that is none of these is an error of ours.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import attrs
from attrs import frozen

PART: Final = ".part"


class Why(StrEnum):
    """Why nothing was made of a recording."""

    ABSENT = "absent"  # there is no such file
    NO_SOUND = "no sound"
    GOES_ON = "goes on"  # more of it was written meanwhile
    UNUSABLE = "unusable"  # it is no recording
    DISK_REFUSES = "disk refuses"  # it is full or read-only, whatever the recording
    FAILED = "failed"


@frozen
class Wanted:
    """One recording that is to be encoded: `out` and its waveform of `raw`."""

    raw: str
    out: str
    format: str

    def line(self) -> bytes:
        return json.dumps(attrs.asdict(self)).encode() + b"\n"

    @staticmethod
    def parse(line: bytes) -> Wanted:
        """Raises ValueError or TypeError."""
        return Wanted(**json.loads(line))


@frozen
class Progress:
    """So many seconds of the recording are encoded."""

    seconds: float


@frozen
class Encoded:
    """It is done: how long it is, the size of its file, and the name of the waveform's."""

    seconds: float
    bytes: int
    peaks: str


@frozen
class Refused:
    """Nothing was made; `reason` is for people."""

    why: Why
    reason: str


Answer = Progress | Encoded | Refused


def to_line(answer: Answer) -> bytes:
    return json.dumps({"is": type(answer).__name__.lower(), **attrs.asdict(answer)}).encode() + b"\n"


def parse_answer(line: bytes) -> Answer:
    """Raises ValueError, KeyError or TypeError."""
    said: dict[str, Any] = dict(json.loads(line))
    match said.pop("is"):
        case "progress":
            return Progress(**said)
        case "encoded":
            return Encoded(**said)
        case "refused":
            return Refused(Why(said["why"]), said["reason"])
        case other:
            raise ValueError(f"no answer of an encoder: {other}")


def peaks_of(out: Path) -> Path:
    """Where the waveform of an encoded recording is."""
    return out.with_name(out.name + ".peaks.json")


def part_of(path: Path, pid: int) -> Path:
    """What an encoder's process makes of it before it is whole: one that lost whoever started it may be at it too."""
    return path.with_name(f"{path.name}.{pid}{PART}")
