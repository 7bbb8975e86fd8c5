"""Waves of calls against the real switch, its control process alone on one core, for `cordboard bench setup`.

The media process, the encoder of recordings and the load (setupload.py) have the other cores.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from subprocess import Popen
from typing import Final

import attrs
import numpy as np
import trio
from attrs import frozen

from .centre import Centre, serving
from .media import cpu_seconds, process, tell, told
from .setupload import Heard, Load, Wave

TALK: Final = 0.3
WARM: Final = 2.0
WARM_RATE: Final = 25.0
# Agents: each is busy for TALK and what its paperwork takes.
AGENTS: Final = 120
# A rate is sustained where hardly any call fails and the slowest are no slower than this.
MOST_FAILED: Final = 0.002
SLOW_MS: Final = 500.0
DIALLED, QUEUE = "601", "5001"
# How often it is looked whether the control process has begun others, in seconds: they begin on its core.
LOOK: Final = 0.2


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
class Scene:
    """Through a queue to robot agents, or to a number that answers."""

    queued: bool

    @property
    def name(self) -> str:
        return "queued" if self.queued else "dialled"

    @property
    def agents(self) -> int:
        return AGENTS if self.queued else 0

    @property
    def number(self) -> str:
        return QUEUE if self.queued else DIALLED

    def wave(self, rate: float, seconds: float, talk: float = TALK) -> Wave:
        return Wave(rate, seconds, talk, self.number, self.queued)


@frozen
class Stage:
    """A switch that serves, and who calls it."""

    centre: Centre
    load: Popen[str]


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


async def keep_apart(pid: int, cores: Sequence[int]) -> None:
    """What this process begins has those cores, until cancelled."""
    while True:
        for task in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError):  # the task or its child has ended meanwhile
                for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split():
                    pin(int(child), cores)
        await trio.sleep(LOOK)


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


async def step(stage: Stage, wanted: Wave) -> Step:
    pids = [stage.centre.pid(name) for name in ("control", "media")]
    before = [cpu_seconds(pid) for pid in pids]
    heard = await wave(stage.load, wanted)
    return made(wanted, heard, *(cpu_seconds(pid) - used for pid, used in zip(pids, before, strict=True)))


@asynccontextmanager
async def loading(load: Load, cores: Sequence[int]) -> AsyncIterator[Popen[str]]:
    with process("setupload", core=cores) as running:
        tell(running, json.dumps(attrs.asdict(load)))
        await trio.to_thread.run_sync(told, running)
        yield running


@asynccontextmanager
async def staged(scene: Scene) -> AsyncIterator[Stage]:
    """The switch with its agents signed in, and warm: what is made once is nobody's."""
    cores = sorted(os.sched_getaffinity(0))
    rest = cores[1:] or cores
    with tempfile.TemporaryDirectory() as folder:
        async with serving(Path(folder), organisation(scene.agents)) as centre:
            pin(centre.pid("media"), rest)
            async with loading(Load(centre.sip[1], centre.door.port, robots(scene.agents)), rest) as load:
                pin(centre.pid("control"), cores[:1])
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(keep_apart, centre.pid("control"), rest)
                    await wave(load, scene.wave(WARM_RATE, WARM))
                    yield Stage(centre, load)
                    nursery.cancel_scope.cancel()
