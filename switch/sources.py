"""Rows that speak by themselves: tones, ringback, hold music, and playlists of these and of spoken prompts.

What is known beforehand (a loop, a prompt) is a run of 20 ms frames in one bank that all rows share. A row plays one
part at a time: a place in the bank or a frequency, how many frames of it have been, and after how many it is over. A
sound that is no playlist is one part without an end and runs from its opening, heard or not, so that who joins later
hears what the others hear. A playlist waits for who hears it. A tick costs one addition and one comparison for all
rows, one gather for those that are heard, and a few steps for each of the few whose part is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, assert_never

import numpy as np
from attrs import define, field, frozen
from numpy.typing import NDArray

from ..codecs import tones
from ..codecs.g711 import Pcm
from . import protocol

Rows = NDArray[np.intp]
# Spoken pieces by (name, language): int16 [frames * 160], from zero to zero.
Prompts = Mapping[tuple[str, str], Pcm]

FRAME: Final = tones.FRAME
FRAMES_PER_SECOND: Final = tones.RATE // FRAME
# A tone below or above cannot be carried at 8 kHz.
LOWEST_TONE: Final = 20.0
HIGHEST_TONE: Final = 3800.0
# What is cut out of an endless sound rises and falls this long, in frames: music that makes room for a voice.
FADE: Final = 20
_ENDLESS: Final = 1 << 62


class UnknownSourceError(Exception):
    """No such piece, no such tone, or a playlist that cannot be; the text is for people."""


def check(sound: protocol.Sound, prompts: Prompts) -> None:
    """Raises UnknownSourceError where there is no such sound."""
    match sound:
        case protocol.Tone(frequency):
            if not LOWEST_TONE <= frequency <= HIGHEST_TONE:
                raise UnknownSourceError(f"no tone of {frequency} Hz: {LOWEST_TONE:.0f} to {HIGHEST_TONE:.0f}")
        case protocol.Music(name):
            if name != "hold":
                raise UnknownSourceError(f"no music named {name}")
        case protocol.Prompt(name, language):
            if (name, language) not in prompts:
                raise UnknownSourceError(f"no prompt named {name} in {language}")
        case protocol.Ringback() | protocol.Pause():
            pass
        case _:
            assert_never(sound)


def lengths(playlist: protocol.Playlist, prompts: Prompts) -> tuple[int, ...]:
    """How many frames each part lasts. Raises UnknownSourceError."""
    if not 1 <= len(playlist.parts) <= protocol.MAX_PARTS:
        raise UnknownSourceError(f"a playlist of {len(playlist.parts)} parts: 1 to {protocol.MAX_PARTS}")
    made = []
    for part in playlist.parts:
        check(part.sound, prompts)
        if isinstance(part.sound, protocol.Prompt):
            if part.seconds:
                raise UnknownSourceError("a prompt is as long as it is")
            made.append(len(prompts[part.sound.name, part.sound.language]) // FRAME)
        elif 0 < part.seconds <= protocol.MAX_PART:
            made.append(max(1, round(part.seconds * FRAMES_PER_SECOND)))
        else:
            raise UnknownSourceError(f"a part of {part.seconds} s: up to {protocol.MAX_PART:.0f}")
    return tuple(made)


@frozen
class _Cut:
    """One part: frames `first` to `first + frames` of the bank, or where those are none a sine, of 0 Hz for silence."""

    first: int = 0
    frames: int = 0
    frequency: float = 0.0
    length: int = _ENDLESS
    fade: int = 0


@define
class _Program:
    """What a row plays: `at` which part it is, and how much of each has been played before."""

    kind: protocol.SourceKind
    cuts: tuple[_Cut, ...]
    repeat: bool
    at: int = 0
    played: list[int] = field(factory=list)


class Sources:
    """Columns of `capacity` rows, and the bank of what is known beforehand."""

    def __init__(self, capacity: int, prompts: Prompts) -> None:
        self._prompts = prompts
        self._bank: Pcm = np.zeros((0, FRAME), np.int16)
        self._runs: dict[tuple[str, ...], tuple[int, int]] = {}
        self._programs: dict[int, _Program] = {}
        # Of the part that a row plays:
        self._first = np.zeros(capacity, np.int64)  # its first frame in the bank
        self._frames = np.zeros(capacity, np.int64)  # how many there are; 0: a sine
        self._frequency = np.zeros(capacity, np.float64)
        self._begun = np.zeros(capacity, np.int64)  # the frame of them that it began with
        self._age = np.zeros(capacity, np.int64)  # frames since it began
        self._until = np.full(capacity, _ENDLESS, np.int64)  # the age at which it is over
        self._fade = np.zeros(capacity, np.int64)  # frames of rise and fall
        self._running = np.zeros(capacity, np.int64)  # 0 while it waits for who hears it
        # What is built in takes a tenth of a second to make: at the start, not under a call.
        self._cut(protocol.Music())
        for name, language in prompts:
            self._cut(protocol.Prompt(name, language))

    def open(self, row: int, kind: protocol.SourceKind) -> None:
        """Raises UnknownSourceError."""
        if isinstance(kind, protocol.Playlist):
            whole = lengths(kind, self._prompts)
            cuts = tuple(self._cut(part.sound, length) for part, length in zip(kind.parts, whole, strict=True))
            program = _Program(kind, cuts, kind.repeat, played=[0] * len(cuts))
        else:
            check(kind, self._prompts)
            program = _Program(kind, (self._cut(kind),), repeat=False, played=[0])
        self._programs[row] = program
        self._begin(row, program)
        self._running[row] = not isinstance(kind, protocol.Playlist)

    def kind(self, row: int) -> protocol.SourceKind:
        return self._programs[row].kind

    def close(self, row: int) -> None:
        del self._programs[row]
        self._silence(row)

    def speak(self, rows: Rows) -> Pcm:
        """This tick's frame of each of `rows`, which somebody hears: int16 [n, 160]."""
        self._running[rows] = 1
        pcm = np.empty((len(rows), FRAME), np.int16)
        known = self._frames[rows] > 0
        banked, toned = rows[known], rows[~known]
        place = (self._begun[banked] + self._age[banked]) % np.maximum(self._frames[banked], 1)
        pcm[known] = self._bank[self._first[banked] + place]
        if len(toned):
            pcm[~known] = tones.sines(self._frequency[toned], self._age[toned] * FRAME)
        age, fade = self._age[rows], self._fade[rows]
        if len(edge := np.flatnonzero((age < fade) | (self._until[rows] - age <= fade))):
            pcm[edge] = _faded(pcm[edge], age[edge], self._until[rows[edge]], fade[edge])
        return pcm

    def advance(self) -> Rows:
        """One tick has passed for all; gives the rows whose playlist is over."""
        self._age += self._running
        over = np.flatnonzero(self._age >= self._until)
        return over[[not self._step(int(row)) for row in over]] if len(over) else over

    def barge_in(self, row: int) -> bool | None:
        """A listener of this row pressed a key, between two ticks. None: nothing is ended by that. Else the prompt that
        is being played is over; False: so is the playlist."""
        program = self._programs[row]
        kind = program.kind
        if not isinstance(kind, protocol.Playlist) or not kind.barge_in or not self._running[row]:
            return None
        if program.at == len(program.cuts) or not isinstance(kind.parts[program.at].sound, protocol.Prompt):
            return None
        return self._step(row)

    @property
    def finished(self) -> list[int]:
        """The rows whose playlist is over."""
        return [row for row, program in self._programs.items() if program.at == len(program.cuts)]

    def _step(self, row: int) -> bool:
        """The part is over: the next one begins, if there is one."""
        program = self._programs[row]
        program.played[program.at] += int(self._age[row])
        program.at += 1
        if program.at == len(program.cuts) and not program.repeat:
            self._silence(row)
            return False
        program.at %= len(program.cuts)
        self._begin(row, program)
        return True

    def _begin(self, row: int, program: _Program) -> None:
        cut = program.cuts[program.at]
        self._first[row], self._frames[row], self._frequency[row] = cut.first, cut.frames, cut.frequency
        self._until[row], self._fade[row] = cut.length, cut.fade
        self._begun[row] = program.played[program.at]
        self._age[row] = 0

    def _silence(self, row: int) -> None:
        """The row is a sine of 0 Hz, for ever."""
        self._frames[row] = self._frequency[row] = self._age[row] = self._fade[row] = 0
        self._until[row] = _ENDLESS

    def _cut(self, sound: protocol.Sound, length: int = _ENDLESS) -> _Cut:
        """`sound`, which is known to be there, for `length` frames."""
        fade = 0 if length == _ENDLESS else min(FADE, length // 2)
        match sound:
            case protocol.Tone(frequency):
                return _Cut(frequency=frequency, length=length, fade=fade)
            case protocol.Music(name):
                return _Cut(*self._run("music", name), length=length, fade=fade)
            case protocol.Ringback(country):
                code = country.upper()
                return _Cut(*self._run("ringback", code if code in tones.RINGBACK else ""), length=length, fade=fade)
            case protocol.Prompt(name, language):
                return _Cut(*self._run("prompt", name, language), length=length)
            case protocol.Pause():
                return _Cut(length=length)
            case _:
                assert_never(sound)

    def _run(self, kind: str, name: str, language: str = "") -> tuple[int, int]:
        """Where the piece is in the bank, and how long; it is put there when it is first wanted."""
        key = (kind, name, language)
        if key not in self._runs:
            match kind:
                case "music":
                    pcm = tones.hold_music()
                case "ringback":
                    pcm = tones.ringback(name)
                case _:
                    pcm = self._prompts[name, language]
            frames = pcm.reshape(-1, FRAME)
            self._runs[key] = (len(self._bank), len(frames))
            self._bank = np.concatenate([self._bank, frames])
        return self._runs[key]


def _faded(pcm: Pcm, age: NDArray[np.int64], until: NDArray[np.int64], fade: NDArray[np.int64]) -> Pcm:
    """Frames [n, 160] near the beginning or the end of their part, at the gain that they have there."""

    def gain(at: NDArray[np.int64]) -> NDArray[np.float32]:
        rise: NDArray[np.float32] = (np.minimum(at, until - at) / fade).clip(0, 1).astype(np.float32)
        return rise

    begin, end = gain(age), gain(age + 1)
    slope = begin[:, None] + (end - begin)[:, None] * _RAMP
    faded: Pcm = np.rint(pcm * slope).astype(np.int16)
    return faded


_RAMP: Final = (np.arange(FRAME) / FRAME).astype(np.float32)
