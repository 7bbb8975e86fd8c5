"""`cordboard trace`: a call drawn from the journal, or the SIP messages of a trunk as they come and go.

Both read the files of the journal, which only who runs the switch may read; the switch itself is asked nothing.
"""

from __future__ import annotations

import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import trio

from . import ladder, values
from .commands import journal_files
from .frames import DamagedError, Frames
from .journal import JOURNAL, RECORDS, SUFFIX
from .options import FILE, Unusable, data_option
from .packing import UnpackError
from .steps import Lives, Spoke
from .store import Store, StoreError
from .trace import Trace

# How often somebody who follows looks for more, in seconds; the journal writes as often.
LOOK: Final = 0.2
# What every record of a SIP message has in it, and every one of a call that begins: the others need not be unpacked.
_SPOKE: Final = b"steps.Spoke"
_BORN: Final = b"steps.Lives"
# So many calls are named where the one that was asked for is not there.
_LAST: Final = 5


class Tail:
    """The SIP messages that are written to a journal from now on."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        files = self._files()
        self._path = files[-1] if files else None
        self._at = self._path.stat().st_size if self._path is not None else 0

    def _files(self) -> list[Path]:
        return sorted(self._directory.glob(f"*{SUFFIX}"))

    def look(self) -> list[Spoke]:
        """Those since the last look. Raises DamagedError, UnpackError and OSError."""
        told = self._read()
        for path in self._files():
            if self._path is None or path.name > self._path.name:
                self._path, self._at = path, 0
                told += self._read()
        return told

    def _read(self) -> list[Spoke]:
        if self._path is None:
            return []
        try:
            with self._path.open("rb") as file:
                file.seek(self._at)
                octets = file.read()
        except FileNotFoundError:  # made room for others
            return []
        frames = Frames(octets)
        told = [RECORDS.unpack(frame) for frame in frames if _SPOKE in frame]
        self._at += len(octets) - frames.torn
        return [each for each in told if isinstance(each, Spoke)]


@click.command()
@click.argument("call", required=False)
@data_option
@click.option("--svg", metavar="FILE", type=FILE, help="Draw it into this file instead.")
@click.option("--trunk", metavar="ID", help="Follow the SIP messages of this trunk instead, until Ctrl-C.")
def trace(call: str | None, data: Path, svg: Path | None, trunk: str | None) -> None:
    """Draw the ladder of CALL: SIP, actors, pages and media on one time line.

    CALL is its id, as in the log and in /api/calls, or its SIP Call-ID, which also finds what was refused before it was
    a call; the journal must still have it. Nothing that is private is in it. A terminal is seldom so wide: `cordboard
    trace CALL | less -S`.
    """
    if (call is None) is (trunk is None):
        raise click.UsageError("give CALL or --trunk ID")
    if svg is not None and call is None:
        raise click.UsageError("--svg draws a CALL")
    if trunk is not None:
        _follow(trunk, data)
        return
    assert call is not None
    traced = _traced(call, data)
    if svg is None:
        click.echo(ladder.text(traced), nl=False)
        return
    try:
        svg.write_text(ladder.svg(traced), "utf-8")
    except OSError as error:
        raise Unusable(f"{svg}: {error.strerror}") from error
    click.echo(f"{svg}: {ladder.title(traced)}, {len(traced.lines)} lines")


def _traced(call: str, data: Path) -> Trace:
    """Raises Unusable."""
    traced = Trace(values.packer(), call)
    last: deque[str] = deque(maxlen=_LAST)
    for path in journal_files(data):
        try:
            for frame in Frames(path.read_bytes()):
                if _BORN in frame or traced.wants(frame):
                    _take(frame, traced, last)
        except OSError as error:
            raise Unusable(f"{path}: {error.strerror}") from error
        except DamagedError as error:
            raise Unusable(f"{path}: is damaged: {error}") from error
    traced.finish()
    if not traced.lines:
        known = f"; the last in it: {', '.join(last)}" if last else ""
        raise Unusable(f"{data}: there is no call {call} in its journal{known}")
    return traced


def _take(frame: bytes, traced: Trace, last: deque[str]) -> None:
    try:
        entry = RECORDS.unpack(frame)
    except UnpackError:
        traced.unread += 1
        return
    if isinstance(entry, Lives) and entry.name.startswith("call:") and (name := entry.name[5:]) not in last:
        last.append(name)
    traced.take(entry)


def _follow(trunk: str, data: Path) -> None:
    if not (data / JOURNAL).is_dir():
        raise Unusable(f"{data}: there is no journal in it")
    try:
        trunks = trio.run(_trunks, data)
    except StoreError as error:
        raise Unusable(str(error)) from error
    if trunk not in trunks:
        raise Unusable(f"{data}: there is no trunk {trunk}; there are: {', '.join(trunks) or 'none'}")
    click.echo(f"SIP of trunk {trunk}, as it comes and goes; Ctrl-C ends", err=True)
    tail = Tail(data / JOURNAL)
    try:
        while True:
            for each in tail.look():
                if each.trunk == trunk:
                    click.echo(shown(each))
            time.sleep(LOOK)
    except KeyboardInterrupt:
        return
    except OSError as error:
        raise Unusable(f"{error.filename}: {error.strerror}") from error
    except (DamagedError, UnpackError) as error:
        raise Unusable(f"{data / JOURNAL}: is damaged: {error}") from error


async def _trunks(data: Path) -> list[str]:
    async with await Store.asked(data) as store:
        return [each.id for each in (await store.load_organisation()).trunks]


def shown(message: Spoke) -> str:
    """A message for people: when, which way, of which call, and its text, indented."""
    when = datetime.fromtimestamp(message.at, UTC).strftime("%H:%M:%S.%f")[:-3]
    of = f"call {message.call}" if message.call else "no call"
    body = "\n".join(f"    {line}".rstrip() for line in message.text.split("\n"))
    return f"{when} {'-->' if message.sent else '<--'} {message.trunk}, {of}\n{body}\n"
