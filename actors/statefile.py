"""The file of the states: records appended as they happen, and read by the next process.

It is a file in memory (memory.py), mapped (growing.py), since the event loop writes it, before anybody hears of what a
step wants: that must wait for no disk, and costs no system call. What was written survives the death of the process,
which is what this is for; when the machine dies the calls are gone anyway. It is read as far as it goes. When it has
grown it is begun anew with all that there is then, always between two steps: within one, what is not carried out yet
would be missed. So it is, within a second, where it was deleted by somebody else, as some systems do with files in
memory when their owner logs out; and where it is large because many lived whose calls are over.

A file that cannot be written (memory is full) never stops a call: an alarm is raised, the file goes, because what it
tells is no longer true, and all is written anew as soon as that is possible.

    file     frames (`frames.py`): Header, Whole, then records in the order in which they happened; then zeros
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from . import states
from .alarms import STATES_UNWRITTEN
from .effects import Effect, Log, Push, Reply
from .frames import DamagedError, Frames, framed
from .growing import GrowingFile
from .packing import Packer, UnpackError
from .records import Entry
from .states import Alive, Header, Record, Said, Step, Unwritten, Whole, changes

FORMAT: Final = 3
# The file is begun anew when it is this long, which is read in half a second, and this many times as long as what it
# would begin with: what it began with, for so many as live by now.
ROTATE_BYTES: Final = 4 << 20
ROTATE_TIMES: Final = 4
# After a failure it is tried again with the first step that comes this much later, in seconds; or as much later as to
# take no more than this share of the time, where it takes long because the database cannot be written either.
RETRY: Final = 2.0
SHARE: Final = 0.02
# How often it is looked whether somebody has deleted it, in seconds.
LOOK: Final = 1.0
ALARM: Final = STATES_UNWRITTEN.says()
# What no other process would carry out again.
_FLEETING: Final = frozenset({Push, Reply, Log})

HEADERS: Final = Packer((states,), (), named=True)

log = structlog.get_logger()


class States(Unwritten):
    """The file of the states, at the place that `place` says whenever it is begun; `alarm` raises or clears the one
    alarm that there is about it.

    Nothing is written before `begin`, which is given who can tell everything there is.
    """

    def __init__(
        self, place: Callable[[], Path], packer: Packer, clock: Callable[[], float], alarm: Callable[[str, bool], None]
    ) -> None:
        self._place = place
        self._path = place()
        self._packer = packer
        self._clock = clock
        self._alarm = alarm
        self._whole: Callable[[], Whole] | None = None
        self._living: Callable[[], int] = lambda: 0
        self._file: GrowingFile | None = None
        # What it began with for each actor.
        self._each = 0.0
        self._retry_at = 0.0
        self._look_at = 0.0

    def begin(self, whole: Callable[[], Whole], living: Callable[[], int]) -> None:
        """From now on everything is kept; `whole` tells all that there is at the moment it is asked, and `living` how
        many actors that are."""
        self._whole, self._living = whole, living
        self._rotate()

    def end(self) -> None:
        """The centre ended in good order: there is nothing to go on with."""
        self._whole = None
        self._close()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    # --- what happens -----------------------------------------------------------------------------------------

    def step(self, name: str, at: float, told: bool, before: object, after: object, effects: Iterable[Effect]) -> None:
        """One step of an actor, before its effects are carried out."""
        if self._whole is None:
            return
        kept = tuple([each for each in effects if type(each) not in _FLEETING])
        if self._is_due(at):
            self._rotate()  # the whole has what the step changed, and not what it wants done
            self.add(Step(name, at, False, {}, kept))
        elif told or kept or before is not after:
            self._keep(self._packer.pack_made, Step, name, at, told, changes(before, after), kept)

    def said(self, entry: Entry) -> None:
        """An entry that came from no step."""
        if self._whole is not None:
            self.add(Said(entry))

    def alive(self, at: float) -> None:
        """The process is there, though nothing may have happened; between two steps."""
        if self._whole is None:
            return
        if self._is_due(at):
            self._rotate()
        self.add(Alive(at))

    def add(self, record: Record) -> None:
        """What a shell knows, before it is told to anybody."""
        if self._whole is not None:
            self._keep(self._packer.pack, record)

    def _keep(self, pack: Callable[..., bytes], *what: object) -> None:
        if self._file is None:
            return
        try:
            self._file.add(framed(pack(*what)))
        except (OSError, TypeError, ValueError) as error:
            self._failed(error)

    def _is_due(self, now: float) -> bool:
        file = self._file
        if file is None:
            return now >= self._retry_at
        if now >= self._look_at:
            self._look_at = now + LOOK
            if file.deleted:
                return True
        if file.length <= ROTATE_BYTES:
            return False
        return file.length > ROTATE_TIMES * self._each * self._living()

    def _rotate(self) -> None:
        assert self._whole is not None, "begin() comes first"
        began = self._clock()
        self._path = self._place()
        new = self._path.with_suffix(".new")
        try:
            file = GrowingFile(new)
            try:
                file.add(framed(HEADERS.pack(Header(FORMAT, self._packer.shapes))))
                whole = self._whole()
                file.add(framed(self._packer.pack(whole)))
                new.replace(self._path)
            except BaseException:
                file.close()
                with suppress(OSError):
                    new.unlink(missing_ok=True)
                raise
        except (OSError, TypeError, ValueError) as error:
            self._failed(error, self._clock() - began)
            return
        self._close()
        self._file, self._each = file, file.length / max(len(whole.actors), 1)
        self._alarm(ALARM, False)

    def _failed(self, error: Exception, took: float = 0.0) -> None:
        """Nothing may follow a torn record, and calls that are over must not be taken up: it is begun anew later."""
        log.error("states not written", error=str(error))
        self._close()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        self._retry_at = self._clock() + max(RETRY, took / SHARE)
        self._alarm(ALARM, True)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def read(path: Path, packer: Packer) -> Iterator[Record | UnpackError]:
    """The records of a file as far as it is whole, in the place of one that this version cannot read its error.

    Raises UnpackError where it is not a file of states, OSError."""
    frames = _frames(path)
    header = next(map(HEADERS.unpack, frames), None)
    if not isinstance(header, Header):
        raise UnpackError("not a file of states")
    if header.format != FORMAT:
        yield UnpackError(f"format {header.format}")
    unpack = packer.reader(header.shapes)
    for frame in frames:
        try:
            record: Record = unpack(frame)
        except UnpackError as error:
            yield error
        else:
            yield record


def _frames(path: Path) -> Iterator[bytes]:
    with suppress(DamagedError):
        yield from Frames(path.read_bytes())
