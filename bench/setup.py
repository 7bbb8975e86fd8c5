"""`cordboard bench setup`: how many calls a second one core sets up, how fast, and what a call costs there.

The real switch, its control process alone on one core; the media process and the load (setupload.py) have the others.
Calls come at higher and higher rates until some fail or wait too long. Then many calls at once are weighed. Last, more
come than one core can: those that are refused must hear 503 with Retry-After at once, the others must not wait for
them, and a minute later the memory must be what it was. So it must be after a second such flood, which shows what is
kept of each one beside what is taken for the largest. With `--queue` every call waits in a queue until a robot agent
answers it, and set-up is until it has it; else the dialled number answers, and set-up is until its 200. So it is in
both cases where more come than one core can, for agents are fewer then, and most callers wait and hang up.

The floor, in the same run: the same messages answered from a template by a program that does nothing else
(answering.py). With `--calls` there are so many, at one rate, and what counts is what is left of them (leftovers.py).
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import click
import trio
from attrs import frozen
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from . import leftovers
from .centre import Centre
from .chart import Line, Panel, draw
from .media import cpu_seconds, machine, process, told
from .outcome import finish
from .setupload import Load, Wave
from .waves import DIALLED, SLOW_MS, TALK, Scene, Stage, Step, loading, resident_kb, staged, step, wave

RATES: Final = (25.0, 50.0, 100.0, 150.0, 200.0, 250.0, 300.0)
# Past what one core can: so many calls a second, of so many seconds each.
BEYOND: Final = 500.0
BEYOND_TALK: Final = 4.0
# Its memory is back after so many seconds, but for so many MB.
BACK_SECONDS: Final = 60.0
BACK_MB: Final = 10.0
# ... and of a second one less: there is room for all of it.
AGAIN_MB: Final = 2.0
# So many calls at once are weighed, after so many seconds in which nothing but they is there.
WEIGHED: Final = 300
WEIGHED_SECONDS: Final = 3.0
STILL: Final = 2.0
FLOOR_RATE: Final = 200.0
# What must hold.
AIM_RATE: Final = 200.0
AIM_P99_MS: Final = 100.0
AIM_CPU_MS: Final = 4.0
AIM_KB: Final = 60.0


@frozen
class Found:
    """One measurement, as it is kept. `at_aim` is the step of the aimed rate, where it was reached."""

    date: str
    machine: str
    cores: int
    python: str
    scene: str
    agents: int
    floor_ms: float
    sustained: float
    steps: Sequence[Step]
    beyond: Step
    # Once more as many.
    again: Step
    # MB of both processes, before those that were too many, and a minute after each time.
    before_mb: float
    after_mb: float
    again_mb: float
    kb_per_call: float

    @property
    def problems(self) -> list[str]:
        """Why it is not good, a line each."""
        told = []
        if self.sustained < AIM_RATE:
            told.append(f"{self.sustained:g} calls a second are sustained, less than {AIM_RATE:g}")
        for each in self.steps:
            if each.rate == AIM_RATE and each.p99_ms > AIM_P99_MS:
                told.append(f"at {AIM_RATE:g} a second p99 is {each.p99_ms} ms, more than {AIM_P99_MS:g}")
        if (cost := self.cpu_ms) > AIM_CPU_MS:
            told.append(f"a call takes {cost} ms of the core, more than {AIM_CPU_MS:g}")
        if self.kb_per_call > AIM_KB:
            told.append(f"a call takes {self.kb_per_call} kB, more than {AIM_KB:g}")
        for each in (self.beyond, self.again):
            if each.lost or each.unsaid:
                told.append(f"beyond the limit {each.lost} heard nothing, {each.unsaid} no Retry-After")
            if not each.refused:
                told.append("beyond the limit nobody was refused")
            if each.p99_ms > SLOW_MS:
                told.append(f"beyond the limit p99 is {each.p99_ms} ms, more than {SLOW_MS:g}")
        if self.after_mb - self.before_mb > BACK_MB:
            told.append(f"a minute later {self.after_mb} MB are in use, {self.before_mb} were before")
        if self.again_mb - self.after_mb > AGAIN_MB:
            told.append(f"a second flood leaves {self.again_mb - self.after_mb:.1f} MB more, more than {AGAIN_MB:g}")
        return told

    @property
    def cpu_ms(self) -> float:
        """Of the fastest step that is sustained."""
        return next((each.cpu_ms for each in reversed(self.steps) if each.sustained), self.steps[0].cpu_ms)


async def floor(seconds: float, cores: Sequence[int]) -> float:
    """ms of a core for each call."""
    with process("answering", core=cores[0]) as answering:
        port = int(told(answering))
        async with loading(Load(port), cores[1:]) as load:
            before = cpu_seconds(answering.pid)
            heard = await wave(load, Wave(FLOOR_RATE, seconds, TALK, DIALLED))
            return round(1000 * (cpu_seconds(answering.pid) - before) / heard.made, 3)


def both_kb(centre: Centre) -> int:
    """Of the control and the media process."""
    return sum(resident_kb(centre.pid(name)) for name in ("control", "media"))


async def weigh(stage: Stage, scene: Scene) -> float:
    """kB that each of many calls at once takes, of both processes."""
    await trio.sleep(STILL)
    before = most = both_kb(stage.centre)

    async def look() -> None:
        nonlocal most
        while True:
            most = max(most, both_kb(stage.centre))
            await trio.sleep(0.2)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look)
        await wave(stage.load, scene.wave(WEIGHED / WEIGHED_SECONDS, WEIGHED_SECONDS, 2 * WEIGHED_SECONDS))
        nursery.cancel_scope.cancel()
    return round((most - before) / WEIGHED, 1)


async def measure(scene: Scene, rates: Sequence[float], seconds: float, progress: Progress) -> Found:
    """All of it, one after the other."""
    cores = sorted(os.sched_getaffinity(0))
    task = progress.add_task("floor", total=len(rates) + 7)

    def begin(what: str) -> None:
        progress.update(task, advance=1, description=what)

    lowest = await floor(seconds, [cores[0], *(cores[1:] or cores)])
    steps: list[Step] = []
    begin("the switch and its agents")
    async with staged(scene) as stage:
        for rate in rates:
            begin(f"{rate:g} calls a second")
            steps.append(await step(stage, scene.wave(rate, seconds)))
            if not steps[-1].sustained:
                break
        begin("many at once")
        kb = await weigh(stage, scene)
        await trio.sleep(STILL)
        kilobytes, floods = [both_kb(stage.centre)], list[Step]()
        for _ in range(2):
            begin("beyond the limit")
            floods.append(await step(stage, Wave(BEYOND, seconds, BEYOND_TALK, scene.number)))
            begin("a minute later")
            await trio.sleep(BACK_SECONDS)
            kilobytes.append(both_kb(stage.centre))
    progress.update(task, completed=len(rates) + 7)
    beyond, again = floods
    before, after, after_again = (round(each / 1024, 1) for each in kilobytes)
    sustained = [each.rate for each in steps if each.sustained]
    return Found(
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        machine=machine(),
        cores=len(cores),
        python=platform.python_version(),
        scene=scene.name,
        agents=scene.agents,
        floor_ms=lowest,
        sustained=max(sustained, default=0.0),
        steps=steps,
        beyond=beyond,
        again=again,
        before_mb=before,
        after_mb=after,
        again_mb=after_again,
        kb_per_call=kb,
    )


def picture(found: Found) -> str:
    """Set-up and cost over the rate, as an SVG."""
    steps = found.steps
    panels = [
        Panel(
            "Set-up while it is sustained, ms",
            [
                Line("p50", [each.p50_ms if each.sustained else None for each in steps]),
                Line("p99", [each.p99_ms if each.sustained else None for each in steps]),
            ],
        ),
        Panel(
            "Of a core for each call, ms",
            [
                Line("control", [each.cpu_ms for each in steps]),
                Line("media", [each.media_ms for each in steps]),
                Line("floor", [found.floor_ms for _ in steps]),
            ],
        ),
    ]
    return draw(
        f"Cordboard, {found.scene} calls a second on {found.date}", [each.rate for each in steps], panels, unit="/s"
    )


def table(found: Found) -> Table:
    """The result, to be read."""
    title = f"Calls a second, {found.scene}" + (f" to {found.agents} robot agents" if found.agents else "")
    made = Table(title=f"{title}; the floor takes {found.floor_ms} ms of a core")
    for heading in ("a second", "up", "refused", "lost", "sent again", "p50", "p99", "control", "media"):
        made.add_column(heading, justify="right")
    for each in (*found.steps, found.beyond, found.again):
        made.add_row(
            f"{each.rate:g}" + (" (too many)" if each in (found.beyond, found.again) else ""),
            f"{each.up} of {each.made}",
            str(each.refused),
            str(each.lost),
            str(each.again),
            f"{each.p50_ms} ms",
            f"{each.p99_ms} ms",
            f"{each.cpu_ms} ms",
            f"{each.media_ms} ms",
        )
    return made


def summary(found: Found) -> str:
    return (
        f"{found.sustained:g} calls a second are sustained (aim {AIM_RATE:g}) at {found.cpu_ms} ms of a core each (aim "
        f"{AIM_CPU_MS:g}); a call takes {found.kb_per_call} kB (aim {AIM_KB:g}); memory was {found.before_mb} MB "
        f"before too many came, {found.after_mb} a minute after, and {found.again_mb} a minute after as many came again"
    )


@click.command("setup")
@click.option("--queue", "queued", is_flag=True, help="Through a queue, to robot agents.")
@click.option("--seconds", default=8.0, show_default=True, type=click.FloatRange(min=2), help="Of each rate.")
@click.option("--calls", default=0, type=click.IntRange(min=0), help="So many, and what is left of them.")
@click.option("--rate", default=100.0, show_default=True, type=click.FloatRange(min=1), help="A second, of those.")
@click.option("--json", "json_wanted", is_flag=True, help="Print JSON instead of a table.")
def command(queued: bool, seconds: float, calls: int, rate: float, json_wanted: bool) -> None:
    """Calls that are set up: how many a second, how fast, at which cost, and what happens past the limit."""
    scene = Scene(queued)
    with Progress(console=Console(stderr=True)) as progress:
        if calls:
            left = trio.run(leftovers.measure, scene, calls, rate, progress)
        else:
            found = trio.run(measure, scene, RATES, seconds, progress)
    if calls:
        name = f"setup-{scene.name}-{calls}"
        finish(name, left, leftovers.picture(left), leftovers.table(left), json_wanted=json_wanted)
    else:
        name = f"setup-{scene.name}"
        finish(name, found, picture(found), table(found), summary(found), json_wanted=json_wanted)
