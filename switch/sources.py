"""Rows that speak by themselves: tones, ringback, hold music, and playlists of these and of spoken prompts.

What is known beforehand (a loop, a prompt) is a run of 20 ms frames in one bank that all rows share. A row plays one
part at a time: a place in the bank or a frequency, how many frames of it have been, and after how many it is over. A
sound that is no playlist is one part without an end and runs from its opening, heard or not, so that who joins later
hears what the others hear. A playlist waits for who hears it. A tick costs one addition and one comparison for all
rows, one gather for those that are heard, and a few steps for each of the few whose part is over.

Music of a file is a bank of its own, which the library reads beside the ticks when it is first wanted; rows that play
it begin it when it comes, and play the built-in piece until then. A tick gathers once more for each such piece that is
heard, by however many. A piece that no row plays stays until another is read.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, assert_never

import numpy as np
from attrs import define, field, frozen
from numpy.typing import NDArray

from ..codecs import callprogress, tones
from ..codecs.g711 import Pcm
from . import protocol
from .seams import Library, Read
from .sounds import BUILT_IN

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
# What a piece may be called that is a file.
_MUSIC: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,119}")


class UnknownSourceError(Exception):
    """No such piece, no such tone, or a playlist that cannot be; the text is for people."""


def is_music(name: str) -> bool:
    """Whether a piece may be called so: then it names a file of its directory, and none elsewhere."""
    return _MUSIC.fullmatch(name) is not None


def check(sound: protocol.Sound, prompts: Prompts) -> None:
    """Raises UnknownSourceError where there is no such sound."""
    match sound:
        case protocol.Tone(frequency):
            if not LOWEST_TONE <= frequency <= HIGHEST_TONE:
                raise UnknownSourceError(f"no tone of {frequency} Hz: {LOWEST_TONE:.0f} to {HIGHEST_TONE:.0f}")
        case protocol.Music(name):
            if not is_music(name):
                raise UnknownSourceError(f"no music named {name}")
        case protocol.Prompt(name, language):
            if (name, language) not in prompts:
                raise UnknownSourceError(f"no prompt named {name} in {language}")
        case protocol.Ringback() | protocol.Busy() | protocol.Pause():
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
    """One part: frames `first` to `first + frames` of a bank, or where those are none a sine, of 0 Hz for silence."""

    bank: int = 0
    first: int = 0
    frames: int = 0
    frequency: float = 0.0
    length: int = _ENDLESS
    fade: int = 0


@define
class _Program:
    """What a row plays: `at` which part it is, and how much of each has been played before."""

    kind: protocol.SourceKind
    sounds: tuple[protocol.Sound, ...]
    cuts: tuple[_Cut, ...]
    repeat: bool
    at: int = 0
    played: list[int] = field(factory=list)


class Sources:
    """Columns of `capacity` rows, and the banks of what they play: what is built in, and by number each file's."""

    def __init__(self, capacity: int, prompts: Prompts, library: Library | None = None) -> None:
        self._prompts = prompts
        self._library = library or NoLibrary()
        self._bank: Pcm = np.zeros((0, FRAME), np.int16)
        self._runs: dict[tuple[str, ...], tuple[int, int, int]] = {}
        self._files: dict[int, Pcm] = {}
        self._music: dict[str, int] = {}
        self._numbers = itertools.count(1)
        self._missing: dict[str, str] = {}  # why each of those cannot be read
        self._programs: dict[int, _Program] = {}
        self._rows: Rows | None = None  # those of the programs, ascending, where they are known
        # Of the part that a row plays:
        self._banks = np.zeros(capacity, np.int64)  # which bank it is in; 0: the built-in one
        self._first = np.zeros(capacity, np.int64)  # its first frame there
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
            sounds = tuple(part.sound for part in kind.parts)
            cuts = tuple(map(self._cut, sounds, whole))
            program = _Program(kind, sounds, cuts, kind.repeat, played=[0] * len(cuts))
        else:
            check(kind, self._prompts)
            program = _Program(kind, (kind,), (self._cut(kind),), repeat=False, played=[0])
        self._programs[row] = program
        self._rows = None
        self._begin(row, program)
        self._running[row] = not isinstance(kind, protocol.Playlist)

    def kind(self, row: int) -> protocol.SourceKind:
        return self._programs[row].kind

    def close(self, row: int) -> None:
        del self._programs[row]
        self._rows = None
        self._silence(row)

    def speak(self, rows: Rows) -> Pcm:
        """This tick's frame of each of `rows`, which somebody hears: int16 [n, 160]."""
        self._running[rows] = 1
        pcm = np.empty((len(rows), FRAME), np.int16)
        known = self._frames[rows] > 0
        banked, toned = rows[known], rows[~known]
        place = self._first[banked] + (self._begun[banked] + self._age[banked]) % np.maximum(self._frames[banked], 1)
        pcm[known] = self._gathered(self._banks[banked], place)
        if len(toned):
            pcm[~known] = tones.sines(self._frequency[toned], self._age[toned] * FRAME)
        age, fade = self._age[rows], self._fade[rows]
        if len(edge := np.flatnonzero((age < fade) | (self._until[rows] - age <= fade))):
            pcm[edge] = _faded(pcm[edge], age[edge], self._until[rows[edge]], fade[edge])
        return pcm

    def _gathered(self, banks: NDArray[np.int64], place: NDArray[np.int64]) -> Pcm:
        """Frame `place` of each bank: int16 [n, 160]."""
        if not banks.any():
            return self._bank[place]
        frames = np.empty((len(place), FRAME), np.int16)
        for bank in np.unique(banks):
            some = banks == bank
            frames[some] = (self._files[int(bank)] if bank else self._bank)[place[some]]
        return frames

    def advance(self) -> Rows:
        """One tick has passed for all; gives the rows whose playlist is over."""
        if self._rows is None:
            self._rows = np.array(sorted(self._programs), np.intp)
        if not len(rows := self._rows):
            return rows
        self._age[rows] = age = self._age[rows] + self._running[rows]
        over = rows[age >= self._until[rows]]
        return over[[not self._step(int(row)) for row in over]] if len(over) else over

    def barge_in(self, row: int) -> bool | None:
        """A listener of this row pressed a key, between two ticks. None: nothing is ended by that. Else what is being
        said is over, all prompts up to another part; False: so is the playlist."""
        program = self._programs[row]
        kind = program.kind
        if not isinstance(kind, protocol.Playlist) or not kind.barge_in or not self._running[row]:
            return None
        if program.at == len(program.cuts) or not _is_prompt(program):
            return None
        while self._step(row):
            if program.at == 0 or not _is_prompt(program):
                return True
        return False

    def asks(self, row: int) -> bool:
        """Whoever hears this row is asked for a key."""
        kind = self._programs[row].kind
        return isinstance(kind, protocol.Playlist) and kind.asks

    @property
    def finished(self) -> list[int]:
        """The rows whose playlist is over."""
        return [row for row, program in self._programs.items() if program.at == len(program.cuts)]

    # --- music of files -------------------------------------------------------------------------------------------

    def take_music(self) -> tuple[list[protocol.Fact], list[int]]:
        """What the library has read since the last tick; also the rows whose music is another from now on."""
        facts: list[protocol.Fact] = []
        rows: list[int] = []
        for read in self._library.read():
            if read.pcm is None:
                if read.name not in self._missing:
                    facts.append(protocol.MusicTroubled(read.name, read.reason))
                self._missing[read.name] = read.reason
                continue
            if self._missing.pop(read.name, None) is not None:
                facts.append(protocol.MusicWell(read.name))
            rows += self._put(read.name, read.pcm)
        return facts, rows

    @property
    def missing(self) -> list[protocol.Fact]:
        """What was told of music that cannot be read."""
        return [protocol.MusicTroubled(name, reason) for name, reason in self._missing.items()]

    def _put(self, name: str, pcm: Pcm) -> list[int]:
        """The piece is there: all rows that play it begin it."""
        begun = []
        played = {each.name for program in self._programs.values() for each in _music_of(program.sounds)}
        for other in self._music.keys() - played - {name}:
            del self._files[self._music.pop(other)]
        self._music[name] = number = next(self._numbers)
        self._files[number] = pcm.reshape(-1, FRAME)
        for row, program in self._programs.items():
            if all(each.name != name for each in _music_of(program.sounds)):
                continue
            before = program.cuts
            program.cuts = tuple(map(self._cut, program.sounds, (cut.length for cut in before)))
            if program.at < len(before) and before[program.at] != program.cuts[program.at]:
                program.played[program.at] = -int(self._age[row])
                self._play(row, program)
                begun.append(row)
        return begun

    # --- steps ----------------------------------------------------------------------------------------------------

    def _step(self, row: int) -> bool:
        """The part is over: the next one begins, if there is one."""
        program = self._programs[row]
        if not _is_prompt(program):  # which is said from its first word every time
            program.played[program.at] += int(self._age[row])
        program.at += 1
        if program.at == len(program.cuts) and not program.repeat:
            self._silence(row)
            return False
        program.at %= len(program.cuts)
        self._begin(row, program)
        return True

    def _begin(self, row: int, program: _Program) -> None:
        self._age[row] = 0
        self._play(row, program)

    def _play(self, row: int, program: _Program) -> None:
        cut = program.cuts[program.at]
        self._banks[row], self._first[row], self._frames[row] = cut.bank, cut.first, cut.frames
        self._frequency[row], self._until[row], self._fade[row] = cut.frequency, cut.length, cut.fade
        self._begun[row] = program.played[program.at]

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
            case protocol.Music(name) if name in self._music:
                number = self._music[name]
                return _Cut(number, 0, len(self._files[number]), length=length, fade=fade)
            case protocol.Music(name):
                if name != BUILT_IN:
                    self._library.want(name)
                return _Cut(*self._run("music", BUILT_IN), length=length, fade=fade)
            case protocol.Ringback(country):
                return _Cut(*self._run("ringback", _listed(country)), length=length, fade=fade)
            case protocol.Busy(country):
                return _Cut(*self._run("busy", _listed(country)), length=length, fade=fade)
            case protocol.Prompt(name, language):
                return _Cut(*self._run("prompt", name, language), length=length)
            case protocol.Pause():
                return _Cut(length=length)
            case _:
                assert_never(sound)

    def _run(self, kind: str, name: str, language: str = "") -> tuple[int, int, int]:
        """Where the piece is in the built-in bank, and how long; it is put there when it is first wanted."""
        key = (kind, name, language)
        if key not in self._runs:
            match kind:
                case "music":
                    pcm = tones.hold_music()
                case "ringback":
                    pcm = callprogress.ringback(name)
                case "busy":
                    pcm = callprogress.busy(name)
                case _:
                    pcm = self._prompts[name, language]
            frames = pcm.reshape(-1, FRAME)
            self._runs[key] = (0, len(self._bank), len(frames))
            self._bank = np.concatenate([self._bank, frames])
        return self._runs[key]


def _listed(country: str) -> str:
    """The country that has those tones; empty for all that are not listed."""
    return country.upper() if country.upper() in callprogress.COUNTRIES else ""


def _is_prompt(program: _Program) -> bool:
    """Whether the part that it is at is one."""
    return isinstance(program.sounds[program.at], protocol.Prompt)


def _music_of(sounds: Iterable[protocol.Sound]) -> Iterator[protocol.Music]:
    return (sound for sound in sounds if isinstance(sound, protocol.Music))


class NoLibrary:
    """Where no directory is configured."""

    def __init__(self) -> None:
        self._wanted: list[str] = []

    def want(self, name: str) -> None:
        self._wanted.append(name)

    def read(self) -> Sequence[Read]:
        wanted, self._wanted = self._wanted, []
        return [Read(name, None, "no directory for music is configured") for name in wanted]


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
