"""The journal: what every actor received, when, and what it made of it, in files that `cordboard replay` takes again.

It never stops or delays a step. Steps are put aside as they are, packed and veiled some dozens in a row, and written
some times a second by a worker thread. What cannot be written (a full disk) raises an alarm, and the journal goes on
with another file as soon as it can. Each file begins with all the actors that there are, so that it can be replayed
alone, and has pseudonyms of its own (`veil.py`); all files together are bounded, and the oldest go.

A message that crashed its actor is kept beside it, in a file of its own: the actor as it was, the message, the trace.
Such a file can be replayed too, and crashes again.
"""

from __future__ import annotations

import hashlib
import os
import platform
import secrets
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Final

import structlog
import trio
from attrs import define, field, frozen

from . import steps, switchboard, values
from .alarms import JOURNAL_UNWRITTEN
from .effects import Behaviour, Effect, Record, Spawn
from .frames import framed
from .organisation import Organisation
from .packing import Packer, revive
from .redact import redact_number
from .states import ActorState
from .steps import Begins, Crashed, Ends, Entry, Lives, Spoke, Took, Unjournalled
from .veil import Veil

FORMAT: Final = 2
# Directories in the data directory.
JOURNAL: Final = "journal"
QUARANTINE: Final = "quarantine"
SUFFIX: Final = ".journal"
# A file is closed when it is this long: some tens of thousands of steps, replayed in seconds.
FILE_BYTES: Final = 16 << 20
# All files together; the hours of a busy centre before something went wrong.
ALL_BYTES: Final = 256 << 20
MAX_FILES: Final = 200
MAX_QUARANTINED: Final = 100
# ... of which so many between two writes: each has a veil of its own, which takes some milliseconds.
MAX_AT_ONCE: Final = 5
# So many records are packed at once: in a row they take half of what they take one by one among all else that is done.
TOGETHER: Final = 64
# What was put aside is written this often, in seconds: as much may be missing after a kill.
FLUSH: Final = 0.2
# ... and more than this is never put aside: the disk is slower than the centre.
MAX_WAITING: Final = 16 << 20
# A disk that has not taken it after this long is as good as full, in seconds.
PATIENCE: Final = 10.0
# After a failure it is tried again this much later, in seconds.
RETRY: Final = 5.0

# What a step depends on: folders of ours, and packages whose answers are in effects.
_FOLDERS: Final = ("actors", "sip", "switch")
_PACKAGES: Final = ("attrs", "msgpack", "phonenumbers")

RECORDS: Final = Packer((steps,), (), named=True)

log = structlog.get_logger()


@cache
def code_version() -> str:
    """A digest of all that a step depends on: a journal is replayed by the code that wrote it, and by no other."""
    digest = hashlib.sha256(platform.python_version().encode())
    for package in _PACKAGES:
        digest.update(f"{package} {version(package)}\n".encode())
    root = Path(__file__).parents[1]
    for path in sorted(path for folder in _FOLDERS for path in (root / folder).rglob("*.py")):
        digest.update(f"{path.relative_to(root)}\n".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


@frozen
class Part:
    """What is to be added to a file; `first`: it is not there yet."""

    path: Path
    octets: bytes
    first: bool


# A step that is not packed yet: as `Unjournalled.took` is told of it.
_Step = tuple[str, float, object | None, bool, list[Effect]]


@define(eq=False)
class _File:
    """A file, its pseudonyms, and what was put aside for it."""

    path: Path
    veil: Veil
    pack: Callable[[object], bytes]
    size: int = 0
    aside: list[bytes] = field(factory=list)
    first: bool = True

    def add(self, entry: Entry | None) -> int:
        return 0 if entry is None else self._put(RECORDS.pack(entry))

    def _put(self, packed: bytes) -> int:
        frame = framed(packed)
        self.aside.append(frame)
        self.size += len(frame)
        return len(frame)

    def heard(self, message: object | None) -> bytes:
        return b"" if message is None else self.pack(message)

    def took(self, step: _Step) -> int:
        """`add(Took(...))`, of which there are the most."""
        name, at, message, told, effects = step
        return self._put(RECORDS.pack_made(Took, name, at, self.heard(message), told, self.pack(tuple(effects))))

    def take(self) -> Part:
        part = Part(self.path, b"".join(self.aside), self.first)
        self.aside.clear()
        self.first = False
        return part


class Journal(Unjournalled):
    """The journal of one process in `data`/journal, and its quarantine in `data`/quarantine.

    Nothing is kept before `begin`. `alarm` raises or clears the one alarm that there is about it.
    """

    def __init__(self, data: Path, clock: Callable[[], float], alarm: Callable[[str, bool], None]) -> None:
        self._directory, self._apart = data / JOURNAL, data / QUARANTINE
        self._clock = clock
        self._alarm = alarm
        self._actors: Callable[[], Iterable[ActorState]] | None = None
        # What the switchboard was told last, and all that a number of this file may meet.
        self._told: tuple[Organisation, ...] = ()
        self._met: tuple[Organisation, ...] = ()
        self._file: _File | None = None
        # What happened and is not packed yet; only while there is a file.
        self._behind: list[_Step | Callable[[_File], Entry | None]] = []
        # Of files that are closed.
        self._closed: list[Part] = []
        self._waiting = 0
        # One thread, so that a disk that hangs holds no other.
        self._writers = trio.CapacityLimiter(1)
        self._failing = False
        self._retry_at = 0.0
        self._serial = 0
        self.counters: Counter[str] = Counter(steps=0, octets=0, files=0, failures=0, quarantined=0)
        # What it has cost the steps so far.
        self.seconds = 0.0

    # --- life -------------------------------------------------------------------------------------------------

    def begin(self, actors: Callable[[], Iterable[ActorState]]) -> None:
        """From now on everything is kept; `actors` tells who lives whenever it is asked, between two steps."""
        self._actors = actors
        self._open()

    def take_up(self, organisation: Organisation) -> None:
        """The switchboard is told this one next: a pseudonym must lead in it where the number leads."""
        self._told = (*self._told[-1:], organisation)  # the one before may still be on its way
        if self._actors is not None:
            self._open()

    async def run(self) -> None:
        """Writes what was put aside until cancelled, and the rest then."""
        try:
            while True:
                await trio.sleep(FLUSH)
                self.look()
                await self._flush()
        finally:
            with trio.CancelScope(shield=True):
                await self._flush()

    def look(self) -> None:
        """Begins another file where this one is long enough, or where there is none; between two steps."""
        if self._actors is None:
            return
        self._pack()
        if self._file is None:
            if self._clock() >= self._retry_at:
                self._open()
        elif self._file.size > FILE_BYTES:
            self._open()

    # --- what happens -----------------------------------------------------------------------------------------

    def born(self, name: str, at: float, behaviour: Behaviour) -> None:
        newborn = revive(type(behaviour), behaviour.state)  # as it is now, whatever it becomes meanwhile
        self._keep(lambda file: Lives(name, at, file.pack(newborn)))

    def took(self, name: str, at: float, message: object | None, told: bool, effects: list[Effect]) -> None:
        self._keep((name, at, message, told, effects))
        self.counters["steps"] += 1
        if Spawn in map(type, effects):
            self._pack()  # who is born now, is another after its first step

    def crashed(
        self, name: str, at: float, message: object | None, told: bool, behaviour: Behaviour, error: Exception
    ) -> None:
        what, trace = type(error).__name__, _trace(error)

        def entry(file: _File) -> Entry:
            return Crashed(name, at, file.heard(message), told, what, trace)

        self._keep(entry)
        self._quarantine(name, at, behaviour, entry)

    def ended(self, name: str, at: float, reason: str, will: list[Record] | None) -> None:
        self._keep(lambda file: Ends(name, at, file.veil.text(reason), b"" if will is None else file.pack(tuple(will))))

    def spoke(self, message: Callable[[], Spoke | None]) -> None:
        self._keep(lambda file: message())

    def _keep(self, entry: _Step | Callable[[_File], Entry | None]) -> None:
        """What it is made of never changes any more, so that it can be packed by and by."""
        if self._file is not None:
            self._behind.append(entry)
            if len(self._behind) >= TOGETHER:
                self._pack()

    def _pack(self) -> None:
        """All that has happened, into the file that there was then."""
        behind, self._behind = self._behind, []
        file, began = self._file, time.perf_counter()
        if file is None or not behind:
            return
        try:
            octets = sum([file.took(each) if isinstance(each, tuple) else file.add(each(file)) for each in behind])
        except Exception as error:  # whatever is wrong with the journal, the steps were well
            self._failed(error, lost=False)
            return
        self.seconds += time.perf_counter() - began
        self.counters["octets"] += octets
        self._waiting += octets
        if self._waiting > MAX_WAITING:
            self._failed(OSError("the disk is slower than the centre"), lost=True)

    def _quarantine(self, name: str, at: float, behaviour: Behaviour, crashed: Callable[[_File], Entry]) -> None:
        """What crashed an actor, with the actor as it was before. What cannot be packed is only counted, and what comes
        in a storm is in the journal alone."""
        self.counters["quarantined"] += 1
        if self._actors is None or sum(part.path.parent == self._apart for part in self._closed) >= MAX_AT_ONCE:
            return
        with suppress(Exception):
            file = self._new(self._apart, name.partition(":")[0])
            file.add(Lives(name, at, file.pack(behaviour)))
            file.add(crashed(file))
            self._waiting += file.size
            self._closed.append(file.take())

    # --- files ------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        assert self._actors is not None, "begin() comes first"
        actors = tuple(self._actors())
        states = [each.behaviour.state for each in actors]
        standing = [state.organisation for state in states if isinstance(state, switchboard.Data)]
        self._met = (*standing, *(each for each in self._told if each not in standing))
        self._close()
        try:
            self._file = self._new(self._directory, f"{os.getpid()}")
        except Exception as error:  # a field of which nobody said whether it is private
            self._failed(error, lost=False)
            return
        self.counters["files"] += 1
        for one in actors:
            self.born(one.name, one.at, one.behaviour)
        self._pack()

    def _new(self, directory: Path, suffix: str) -> _File:
        now = self._clock()
        self._serial += 1
        stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%S")
        path = directory / f"{stamp}-{self._serial:06d}-{suffix}{SUFFIX}"
        veil = Veil(self._met, Random(secrets.randbits(128)))
        packer = values.packer(veil)
        file = _File(path, veil, packer.pack)
        file.add(Begins(FORMAT, code_version(), now, packer.shapes))
        return file

    def _close(self) -> None:
        self._pack()
        if self._file is not None:
            self._closed.append(self._file.take())
            self._file = None

    def _failed(self, error: Exception, *, lost: bool) -> None:
        """No file goes on after this; `lost`: nothing of what was put aside can be written either."""
        log.error("journal not written", error=redact_number(f"{type(error).__name__}: {error}"))
        self.counters["failures"] += 1
        self._close()
        if lost:
            self._closed.clear()
            self._waiting = 0
        self._failing = True
        self._retry_at = self._clock() + RETRY
        self._alarm(JOURNAL_UNWRITTEN.text, True)

    # --- writing ----------------------------------------------------------------------------------------------

    def take(self) -> list[Part]:
        """What was put aside, for `write`."""
        self._pack()
        current = [] if self._file is None else [self._file.take()]
        parts = [part for part in (*self._closed, *current) if part.octets]
        self._closed.clear()
        self._waiting = 0
        return parts

    async def _flush(self) -> None:
        parts = self.take()
        if not parts:
            return
        with trio.move_on_after(PATIENCE, shield=True) as patience:
            try:
                await trio.to_thread.run_sync(write, parts, abandon_on_cancel=True, limiter=self._writers)
            except OSError as error:
                self._failed(error, lost=True)
                return
        if patience.cancelled_caught:
            self._failed(TimeoutError("the disk does not answer"), lost=True)
        elif self._failing and self._file is not None:
            self._failing = False
            self._alarm(JOURNAL_UNWRITTEN.text, False)


def write(parts: Iterable[Part]) -> None:
    """Adds to files, and makes room for those that are new. Raises OSError."""
    for part in parts:
        part.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        create = os.O_CREAT | os.O_EXCL if part.first else 0  # one that was deleted is not gone on with
        file = os.open(part.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | create, 0o600)
        try:
            if os.write(file, part.octets) != len(part.octets):
                raise OSError("the disk took only a part of it")
        finally:
            os.close(file)
        if part.first:
            _make_room(part.path.parent)


def _make_room(directory: Path) -> None:
    """The oldest files go, but never the newest."""
    files = sorted(directory.glob(f"*{SUFFIX}"), reverse=True)
    most = MAX_QUARANTINED if directory.name == QUARANTINE else MAX_FILES
    octets = 0
    for number, path in enumerate(files):
        with suppress(FileNotFoundError):  # somebody else makes room too
            octets += path.stat().st_size
            if number and (number >= most or octets > ALL_BYTES):
                path.unlink()
                path.with_name(f"{path.stem.rpartition('-')[0]}.txt").unlink(missing_ok=True)  # what people read of it


def _trace(error: Exception) -> str:
    """Where it came from, without what it says: that may be private."""
    return "".join(traceback.format_tb(error.__traceback__))
