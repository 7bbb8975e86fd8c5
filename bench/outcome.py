"""How a bench ends: its result is kept in bench/results, printed, and judged by the exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Protocol

import attrs
import click
import trio
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from .media import RESULTS

# Columns of a line where no terminal ends it: more than any table has.
IN_A_FILE: Final = 1000


class Result(attrs.AttrsInstance, Protocol):
    """What a bench found: an attrs class. `date` is in ISO 8601; `problems` tells why it is not good, a line each."""

    @property
    def date(self) -> str: ...

    @property
    def problems(self) -> Sequence[str]: ...


@asynccontextmanager
async def passing(progress: Progress, what: str, seconds: float) -> AsyncIterator[None]:
    """The time that `what` takes, shown as it passes."""
    task = progress.add_task(what, total=seconds)

    async def tick() -> None:
        while True:
            await trio.sleep(1)
            progress.advance(task)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(tick)
        yield
        nursery.cancel_scope.cancel()


def as_json(found: Result) -> str:
    """Its fields, and what is wrong with them."""
    return json.dumps({**attrs.asdict(found), "problems": list(found.problems)}, indent=2, ensure_ascii=False)


def keep(name: str, text: str, picture: str, folder: Path | None = None) -> list[Path]:
    """Writes the result and its picture (SVG); gives the files."""
    folder = RESULTS if folder is None else folder
    folder.mkdir(exist_ok=True)
    kept = [folder / f"{name}.json", folder / f"{name}.svg"]
    kept[0].write_text(text + "\n")
    kept[1].write_text(picture)
    return kept


def show(found: Result, table: Table, *lines: str) -> None:
    """On standard output: the table, further lines, and every problem. In a file a table has the width it needs."""
    console = Console(width=None if sys.stdout.isatty() else IN_A_FILE)
    console.print(table)
    for line in (*lines, *found.problems):
        console.print(line, soft_wrap=True)


def finish(name: str, found: Result, picture: str, table: Table, *lines: str, json_wanted: bool) -> None:
    """Keeps, prints and judges what `cordboard bench NAME` found. Exit code 1 where it has problems."""
    text = as_json(found)
    keep(f"{name}-{found.date[:10]}", text, picture)
    if json_wanted:
        click.echo(text)
    else:
        show(found, table, *lines)
    if found.problems:
        sys.exit(1)
