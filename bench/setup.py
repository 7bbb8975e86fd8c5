"""`cordboard bench setup`: how many calls a second one core sets up, how fast, and what a call costs there.

The real switch, its control process alone on one core; the media process and the load (setupload.py) have the others.
Calls come at higher and higher rates until some fail or wait too long. Then more come than `[limits] calls` allows:
each that is too many must hear 503 with Retry-After at once, and the others must be as well as before. Last, many calls
at once are weighed. With `--queue` every call waits in a queue until a robot agent answers it, and set-up is until it
has it; else the dialled number answers, and set-up is until its 200.

The floor, in the same run: the same messages answered from a template by a program that does nothing else
(answering.py).
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from subprocess import Popen
from typing import Final

import attrs
import click
import numpy as np
import trio
from attrs import frozen
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from .centre import Centre, serving
from .chart import Line, Panel, draw
from .media import cpu_seconds, machine, process, tell, told
from .outcome import finish
from .setupload import Heard, Load, Wave

RATES: Final = (25.0, 50.0, 100.0, 150.0, 200.0, 250.0, 300.0)
TALK: Final = 0.3
WARM: Final = 2.0
# More than any of those rates has at once.
LIMIT: Final = 400
# Past the limit: so many calls a second, of so many seconds each.
BEYOND: Final = 500.0
BEYOND_TALK: Final = 4.0
# So many calls at once are weighed, after so many seconds in which nothing but they is there.
WEIGHED: Final = 300
WEIGHED_SECONDS: Final = 3.0
STILL: Final = 2.0
FLOOR_RATE: Final = 200.0
# Agents: each is busy for TALK and what its paperwork takes.
AGENTS: Final = 120
# What must hold.
AIM_RATE: Final = 200.0
AIM_P99_MS: Final = 100.0
AIM_CPU_MS: Final = 4.0
AIM_KB: Final = 60.0
# A rate is sustained where hardly any call fails and the slowest are no slower than this.
MOST_FAILED: Final = 0.002
SLOW_MS: Final = 500.0
DIALLED, QUEUE = "601", "5001"


@frozen
class Step:
    """A wave of calls. `cpu_ms`: of the control process, for each call made; `media_ms` of the media process."""

    rate: float
    made: int
    up: int
    refused: int
    unsaid: int
    lost: int
    again: int
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    media_ms: float

    @property
    def sustained(self) -> bool:
        return self.made - self.up <= MOST_FAILED * self.made and self.p99_ms <= SLOW_MS


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
    limit: int
    kb_per_call: float

    @property
    def problems(self) -> list[str]:
        """Why it is not good, a line each."""
        told = []
        if self.sustained < AIM_RATE:
            told.append(f"{self.sustained:g} calls a second are sustained, less than {AIM_RATE:g}")
        for step in self.steps:
            if step.rate == AIM_RATE and step.p99_ms > AIM_P99_MS:
                told.append(f"at {AIM_RATE:g} a second p99 is {step.p99_ms} ms, more than {AIM_P99_MS:g}")
        if (cost := self.cpu_ms) > AIM_CPU_MS:
            told.append(f"a call takes {cost} ms of the core, more than {AIM_CPU_MS:g}")
        if self.kb_per_call > AIM_KB:
            told.append(f"a call takes {self.kb_per_call} kB, more than {AIM_KB:g}")
        if self.beyond.lost or self.beyond.unsaid:
            told.append(f"beyond the limit {self.beyond.lost} heard nothing, {self.beyond.unsaid} no Retry-After")
        if not self.beyond.refused:
            told.append("beyond the limit nobody was refused")
        if self.beyond.p99_ms > SLOW_MS:
            told.append(f"beyond the limit p99 is {self.beyond.p99_ms} ms, more than {SLOW_MS:g}")
        return told

    @property
    def cpu_ms(self) -> float:
        """Of the fastest step that is sustained."""
        return next((step.cpu_ms for step in reversed(self.steps) if step.sustained), self.steps[0].cpu_ms)


def organisation(agents: int) -> str:
    entries = [
        '[organisation]\nname = "Setup"\nlanguage = "en"',
        '[[trunk]]\nid = "carrier"\npeers = ["127.0.0.1"]',
        '[[queue]]\nid = "support"\nname = "Support"\nring_seconds = 10',
        '[[number]]\nnumber = "5001"\nroute = "queue:support"',
        '[[number]]\nnumber = "601"\nroute = "tone:440"',
        *(
            f'[[agent]]\nid = "{agent}"\nname = "{agent}"\npassword = "{password}"\nskills = {{ support = 1 }}'
            for agent, password in robots(agents)
        ),
    ]
    return "\n\n".join(entries) + "\n"


def robots(agents: int) -> list[tuple[str, str]]:
    return [(f"1{number:03}", f"setup-1{number:03}") for number in range(agents)]


def resident_kb(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def pin(pid: int, cores: Sequence[int]) -> None:
    """All threads of a process."""
    for task in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(task), set(cores))


async def wave(load: Popen[str], wanted: Wave) -> Heard:
    tell(load, json.dumps(attrs.asdict(wanted)))
    return Heard(**json.loads(await trio.to_thread.run_sync(told, load)))


def made(wanted: Wave, heard: Heard, control: float, media: float) -> Step:
    p50, p99 = np.percentile(heard.setup, (50, 99)) if heard.setup else (0.0, 0.0)
    return Step(
        rate=wanted.rate,
        made=heard.made,
        up=len(heard.setup),
        refused=sum(heard.refused.values()),
        unsaid=heard.unsaid,
        lost=heard.lost,
        again=heard.again,
        p50_ms=round(1000 * float(p50), 1),
        p99_ms=round(1000 * float(p99), 1),
        cpu_ms=round(1000 * control / max(heard.made, 1), 2),
        media_ms=round(1000 * media / max(heard.made, 1), 2),
    )


async def step(centre: Centre, load: Popen[str], wanted: Wave) -> Step:
    pids = [centre.pid(name) for name in ("control", "media")]
    before = [cpu_seconds(pid) for pid in pids]
    heard = await wave(load, wanted)
    return made(wanted, heard, *(cpu_seconds(pid) - used for pid, used in zip(pids, before, strict=True)))


@asynccontextmanager
async def loading(load: Load, cores: Sequence[int]) -> AsyncIterator[Popen[str]]:
    with process("setupload", core=cores) as running:
        tell(running, json.dumps(attrs.asdict(load)))
        await trio.to_thread.run_sync(told, running)
        yield running


async def floor(seconds: float, cores: Sequence[int]) -> float:
    """ms of a core for each call."""
    with process("answering", core=cores[0]) as answering:
        port = int(told(answering))
        async with loading(Load(port), cores[1:]) as load:
            before = cpu_seconds(answering.pid)
            heard = await wave(load, Wave(FLOOR_RATE, seconds, TALK, DIALLED))
            return round(1000 * (cpu_seconds(answering.pid) - before) / heard.made, 3)


async def weigh(centre: Centre, load: Popen[str], number: str) -> float:
    """kB that each of many calls at once takes, of both processes."""
    pids = [centre.pid(name) for name in ("control", "media")]
    await trio.sleep(STILL)
    before = sum(map(resident_kb, pids))
    most = before

    async def look() -> None:
        nonlocal most
        while True:
            most = max(most, sum(map(resident_kb, pids)))
            await trio.sleep(0.2)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look)
        await wave(load, Wave(WEIGHED / WEIGHED_SECONDS, WEIGHED_SECONDS, 2 * WEIGHED_SECONDS, number))
        nursery.cancel_scope.cancel()
    return round((most - before) / WEIGHED, 1)


async def measure(scene: str, rates: Sequence[float], seconds: float, progress: Progress) -> Found:
    """All of it, one after the other."""
    cores = sorted(os.sched_getaffinity(0))
    rest = cores[1:] or cores
    queued = scene == "queued"
    agents = AGENTS if queued else 0
    number = QUEUE if queued else DIALLED
    task = progress.add_task("floor", total=len(rates) + 4)

    def begin(what: str) -> None:
        progress.update(task, advance=1, description=what)

    lowest = await floor(seconds, [cores[0], *rest])
    steps: list[Step] = []
    begin("the switch and its agents")
    with tempfile.TemporaryDirectory() as folder:
        async with serving(Path(folder), organisation(agents), calls=LIMIT) as centre:
            pin(centre.pid("media"), rest)
            async with loading(Load(centre.sip[1], centre.door.port, robots(agents)), rest) as load:
                pin(centre.pid("control"), cores[:1])
                await wave(load, Wave(rates[0], WARM, TALK, number, queued))  # what is made once is nobody's
                for rate in rates:
                    begin(f"{rate:g} calls a second")
                    steps.append(await step(centre, load, Wave(rate, seconds, TALK, number, queued)))
                    if not steps[-1].sustained:
                        break
                begin("many at once")
                kb = await weigh(centre, load, number)
                begin("beyond the limit")
                beyond = await step(centre, load, Wave(BEYOND, seconds, BEYOND_TALK, DIALLED))
    progress.update(task, completed=len(rates) + 4)
    sustained = [each.rate for each in steps if each.sustained]
    return Found(
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        machine=machine(),
        cores=len(cores),
        python=platform.python_version(),
        scene=scene,
        agents=agents,
        floor_ms=lowest,
        sustained=max(sustained, default=0.0),
        steps=steps,
        beyond=beyond,
        limit=LIMIT,
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
    for each in (*found.steps, found.beyond):
        made.add_row(
            f"{each.rate:g}" + (f" (limit {found.limit})" if each is found.beyond else ""),
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
        f"{AIM_CPU_MS:g}); a call takes {found.kb_per_call} kB (aim {AIM_KB:g})"
    )


@click.command("setup")
@click.option("--queue", "scene", flag_value="queued", help="Through a queue, to robot agents.")
@click.option("--seconds", default=8.0, show_default=True, type=click.FloatRange(min=2), help="Of each rate.")
@click.option("--json", "json_wanted", is_flag=True, help="Print JSON instead of a table.")
def command(scene: str | None, seconds: float, json_wanted: bool) -> None:
    """Calls that are set up: how many a second, how fast, at which cost, and what happens past the limit."""
    with Progress(console=Console(stderr=True)) as progress:
        found = trio.run(measure, scene or "dialled", RATES, seconds, progress)
    finish(f"setup-{found.scene}", found, picture(found), table(found), summary(found), json_wanted=json_wanted)
