"""Puts aside what the journal has of some actors, in the moment in which something was found to be wrong with them.

    DATA/quarantine/…-NAME-1.journal    their lines of the newest files of the journal: they can be replayed, since they
                                        begin as each file does, with these actors as they were
    DATA/quarantine/…-NAME.txt          for people: the ladder of each call among them, then what each heard and did

`Evidence` is what the control process has of it: a process of the lowest priority that reads and writes these files,
one at a time, as to look through the journal takes a part of a second that no call should wait for. A shell.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog
import trio

from . import ladder, values
from .frames import DamagedError, Frames, framed
from .journal import JOURNAL, QUARANTINE, RECORDS, SUFFIX, Part, write
from .packing import Packer, UnpackError
from .steps import Begins, Crashed, Ends, Entry, Lives, Spoke, Took
from .trace import Trace

# The newest files of the journal are looked through: one may just have begun.
NEWEST: Final = 2
# Of each actor so many steps are written out for people, the last ones.
LAST: Final = 60
# What waits at most; more of one error says nothing new.
MOST: Final = 20
# A disk that hangs is not waited for, in seconds.
PATIENCE: Final = 60.0
TEXT: Final = ".txt"

log = structlog.get_logger()


class Evidence:
    """What is to be put aside of the data directory `data`; `run` does it."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._wanted: deque[tuple[str, tuple[str, ...]]] = deque(maxlen=MOST)
        self._more = trio.Event()

    def keep(self, name: str, actors: Collection[str]) -> None:
        """What the journal has of these actors, by and by."""
        self._wanted.append((name, tuple(actors)))
        self._more.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._more.wait()
            self._more = trio.Event()
            while self._wanted:
                name, actors = self._wanted.popleft()
                with trio.move_on_after(PATIENCE):
                    await self._keep(name, actors)

    async def _keep(self, name: str, actors: Sequence[str]) -> None:
        command = [sys.executable, "-m", __name__, str(self._data), name, *actors]
        done = await trio.run_process(command, check=False, stdin=subprocess.DEVNULL, capture_stderr=True)
        if done.returncode:
            words = done.stderr.decode(errors="replace").strip().splitlines()
            log.error("no evidence", what=name, error=words[-1] if words else f"code {done.returncode}")


def keep(data: Path, name: str, actors: Collection[str]) -> list[Path]:
    """Writes the files, of those that were found in the journal in `data`. Raises OSError."""
    parts: list[Part] = []
    found: list[list[Entry]] = []
    stem = ""
    for number, source in enumerate(sorted((data / JOURNAL).glob(f"*{SUFFIX}"))[-NEWEST:], 1):
        packed = list(_theirs(source.read_bytes(), actors))
        found.append([RECORDS.unpack(each) for each in packed])
        if len(packed) > 1:  # more than how it begins
            stem = stem or f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}-{name}"
            octets = b"".join(map(framed, packed))
            parts.append(Part(data / QUARANTINE / f"{stem}-{number}{SUFFIX}", octets, first=True))
    if not parts:
        return []
    write(parts)
    told = data / QUARANTINE / f"{stem}{TEXT}"
    part = told.with_suffix(".part")
    part.touch(0o600)
    part.write_text(told_of(found, name, actors), encoding="utf-8")
    part.replace(told)
    return [*(part.path for part in parts), told]


def _theirs(octets: bytes, actors: Collection[str]) -> Iterator[bytes]:
    """The records that are theirs, and the first."""
    marks = [name.partition(":")[2].encode() or name.encode() for name in actors]
    calls = {name.partition(":")[2] for name in actors}
    first = True
    try:
        for packed in Frames(octets):
            if first or any(mark in packed for mark in marks):
                entry = RECORDS.unpack(packed)
                match entry:
                    case Begins():
                        theirs = True
                    case Spoke():
                        theirs = entry.call in calls
                    case _:
                        theirs = entry.name in actors
                if theirs:
                    yield packed
            first = False
    except DamagedError as error:  # what was not flushed whole is the end of it
        log.warning("journal is damaged", error=str(error))


# --- for people -----------------------------------------------------------------------------------------------------


def told_of(found: Sequence[Iterable[Entry]], name: str, actors: Collection[str]) -> str:
    """All of it as text; each file has pseudonyms of its own."""
    words = [f"{name}: {', '.join(actors)}", ""]
    packer = values.packer()
    for entries in found:
        kept = list(entries)
        shapes = next((entry.shapes for entry in kept if isinstance(entry, Begins)), packer.shapes)
        read = packer.reader(shapes)
        for actor in actors:
            kind, _, call = actor.partition(":")
            if kind == "call":
                words += _ladder(packer, kept, call)
        for actor in actors:
            steps = [line for entry in kept if (line := _step(read, entry, actor))]
            if steps:
                words += [f"{actor}, the last {min(len(steps), LAST)} of {len(steps)} steps:", *steps[-LAST:], ""]
    return "\n".join(words) + "\n"


def _ladder(packer: Packer, entries: Iterable[Entry], call: str) -> list[str]:
    trace = Trace(packer, call)
    for entry in entries:
        trace.take(entry)
    trace.finish()
    return [ladder.text(trace), ""] if trace.lines else []


def _step(read: Callable[[bytes], object], entry: Entry, actor: str) -> str:
    """What it heard, and what it wanted done; empty for another's."""
    if isinstance(entry, Begins | Spoke) or entry.name != actor:
        return ""
    when = datetime.fromtimestamp(entry.at, UTC).strftime("%H:%M:%S.%f")[:-3]
    match entry:
        case Lives():
            return f"{when} is there"
        case Took(message=message, effects=effects):
            done = _unpacked(read, effects, ())
            wanted = "".join(f"\n    {each}" for each in (done if isinstance(done, tuple) else (done,)))
            return f"{when} {_unpacked(read, message, 'timer')}{wanted}"
        case Crashed(message=message, error=error):
            return f"{when} {_unpacked(read, message, 'timer')}\n    crashed: {error}"
        case Ends(reason=reason):
            return f"{when} ended: {reason}"


def _unpacked(read: Callable[[bytes], object], packed: bytes, nothing: object) -> object:
    try:
        return read(packed) if packed else nothing
    except (UnpackError, KeyError) as error:
        return f"of another version of the code: {error}"


def main(data: str, name: str, *actors: str) -> None:
    os.setpriority(os.PRIO_PROCESS, 0, 19)  # whatever who began it has
    os.umask(0o077)
    for path in keep(Path(data), name, actors):
        print(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
