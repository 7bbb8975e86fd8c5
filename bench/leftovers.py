"""`cordboard bench setup --calls N`: so many short calls, and what is left of them when all are over.

Everybody hangs up, the transactions' last timers run out (RFC 3261: 32 s), and then every task, actor, call, leg,
socket, file and open row must be as it was before the first call; the database must have a row for each call that was
let in; and memory may not have grown since the pools were as large as they get, which is when as many transactions
end by their timers as begin.
"""

from __future__ import annotations

import math
import os
import platform
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import attrs
import trio
from attrs import frozen
from rich.progress import Progress
from rich.table import Table

from .centre import Centre
from .chart import Line, Panel, draw
from .media import cpu_seconds, machine
from .series import Standing, missing
from .soak import LOOK_SECONDS, returned, steady
from .waves import MOST_FAILED, Scene, Step, resident_kb, staged, step

# Memory is looked at after each of so many equal parts; from the end of the first that ends so late, in seconds, it may
# grow by so much, in MB: twice the timers.
PARTS: Final = 10
FULL_SECONDS: Final = 64.0
MAY_GROW_MB: Final = 8.0
# Of what the switch complains about, so much is kept.
COMPLAINTS: Final = 20


@frozen
class Left:
    """One measurement, as it is kept. `control_mb` and `media_mb`: resident memory before the first call, after each
    part, and at last."""

    date: str
    machine: str
    cores: int
    python: str
    scene: str
    agents: int
    rate: float
    seconds: float
    made: int
    up: int
    refused: int
    lost: int
    again: int
    rows: int
    cpu_ms: float
    before: Standing
    after: Standing
    missing: Mapping[str, tuple[int, int]]
    return_seconds: float
    control_mb: Sequence[float]
    media_mb: Sequence[float]
    complaints: Sequence[str]

    @property
    def full(self) -> int:
        """By the end of which part the pools were as large as they get."""
        return min(math.ceil(FULL_SECONDS * self.rate * PARTS / self.made), PARTS)

    @property
    def problems(self) -> list[str]:
        """Why it is not good, a line each."""
        told = [f"{name}: {before} before, {after} after" for name, (before, after) in self.missing.items()]
        if self.made - self.up > MOST_FAILED * self.made:
            told.append(f"{self.made - self.up} of {self.made} calls did not come up")
        if not self.made - self.refused <= self.rows <= self.made:  # who is refused at the door has none
            told.append(f"{self.rows} rows of {self.made} calls, of which {self.refused} were refused")
        for name, mb in (("control", self.control_mb), ("media", self.media_mb)):
            if mb[-1] - mb[self.full] > MAY_GROW_MB:
                calls = self.full * self.made // PARTS
                told.append(f"{name} grew by {mb[-1] - mb[self.full]:.1f} MB after its first {calls} calls")
        return [*told, *(f"the switch complains: {line}" for line in self.complaints)]


def rows(folder: Path) -> int:
    """Of calls in the database."""
    with closing(sqlite3.connect(folder / "data" / "cordboard.db")) as database:
        return int(database.execute("select count(*) from calls").fetchone()[0])


async def measure(scene: Scene, calls: int, rate: float, progress: Progress) -> Left:
    """One run. Raises RuntimeError where the switch does not start."""
    task = progress.add_task("the switch and its agents", total=PARTS + 1)
    async with staged(scene) as stage:
        centre, begun = stage.centre, trio.current_time()
        while (before := await steady(centre)).transactions:
            await trio.sleep(LOOK_SECONDS)  # those of what warmed it
        kept = rows(centre.folder)
        used = cpu_seconds(centre.pid("control"))
        steps: list[Step] = []
        memory = [(_mb(centre, "control"), _mb(centre, "media"))]
        for part in range(PARTS):
            progress.update(task, completed=part, description=f"{calls} calls, {rate:g} a second")
            steps.append(await step(stage, scene.wave(rate, calls / PARTS / rate)))
            memory.append((_mb(centre, "control"), _mb(centre, "media")))
        seconds = trio.current_time() - begun
        used = cpu_seconds(centre.pid("control")) - used
        progress.update(task, completed=PARTS, description="waits for what is left")
        after, took = await returned(centre, before)
        memory.append((_mb(centre, "control"), _mb(centre, "media")))
        kept = rows(centre.folder) - kept
        made = sum(each.made for each in steps)
        return Left(
            date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            machine=machine(),
            cores=len(os.sched_getaffinity(0)),
            python=platform.python_version(),
            scene=scene.name,
            agents=scene.agents,
            rate=rate,
            seconds=round(seconds, 1),
            made=made,
            up=sum(each.up for each in steps),
            refused=sum(each.refused for each in steps),
            lost=sum(each.lost for each in steps),
            again=sum(each.again for each in steps),
            rows=kept,
            cpu_ms=round(1000 * used / made, 2),
            before=before,
            after=after,
            missing=missing(before, after),
            return_seconds=round(took, 1),
            control_mb=[control for control, _ in memory],
            media_mb=[media for _, media in memory],
            complaints=centre.complaints[:COMPLAINTS],
        )


def _mb(centre: Centre, process: str) -> float:
    return round(resident_kb(centre.pid(process)) / 1024, 1)


def picture(left: Left) -> str:
    """Memory over the calls, as an SVG."""
    at = [left.made * part / PARTS for part in range(PARTS + 1)]
    panels = [
        Panel("Resident, MB", [Line("control", left.control_mb[:-1]), Line("media", left.media_mb[:-1])]),
    ]
    return draw(f"Cordboard, {left.made} calls {left.scene} on {left.date}", at, panels, unit=" calls")


def table(left: Left) -> Table:
    """The result, to be read."""
    made = Table(title=f"{left.made} calls, {left.scene}, {left.rate:g} a second, in {left.seconds:.0f} s")
    for heading in ("", "before", "after"):
        made.add_column(heading, justify="left" if not heading else "right")
    for name, value in attrs.asdict(left.before).items():
        made.add_row(name, str(value), str(getattr(left.after, name)))
    made.add_row("control, MB", str(left.control_mb[0]), str(left.control_mb[-1]))
    made.add_row("media, MB", str(left.media_mb[0]), str(left.media_mb[-1]))
    made.add_row("up, refused, lost, sent again", "", f"{left.up}, {left.refused}, {left.lost}, {left.again}")
    made.add_row("rows of calls", "", str(left.rows))
    made.add_row("ms of a core for each", "", str(left.cpu_ms))
    return made
