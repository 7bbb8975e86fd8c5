"""`cordboard bench latency`: how much later than said is it heard, through the real media process over real sockets.

Pairs of plain G.711 legs, a talker and a listener each, in three weathers one after the other: clean, 60 ms of jitter
with 3 % loss, and clean again. Beside it, in the same run, goes the floor: the same packets straight through the relay
(relay.py). Added delay is what is heard against when it was due, less the floor's median; so in jitter it holds what
the jitter buffer must wait. How the delay rises and falls is printed, and kept as a picture. A spinning probe says what
the machine itself took away, before and after.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import attrs
import click
import numpy as np
import trio
from attrs import evolve, frozen
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ..switch import protocol
from ..switch.link import connect_unix
from ..switch.process import MediaConfig
from .chart import Line, Panel, draw
from .media import Link, machine, process, tell, told
from .outcome import finish, passing
from .relay import Journey, Weather
from .weigh import PROBE, stolen

SETTLE: Final = 10.0  # seconds of each weather until it is measured: the playouts find their delay
JITTER: Final = 0.060
LOSS: Final = 0.03
STEP: Final = 1.0  # seconds that a point of the series is the median of


@frozen
class Aim:
    """What must hold, in ms and %."""

    p50: float
    p99: float
    unheard: float


CLEAN: Final = Aim(25.0, 40.0, 1.0)
ROUGH: Final = Aim(80.0, 120.0, 1.0)


@frozen
class Stage:
    """One weather. `unheard_percent` is of the packets that the relay let through, whose frame nobody heard whole: too
    late, or one of two that became one. `came`, `lost` and what follows from them are of all its packets but those of
    the time in which it settled."""

    name: str
    jitter_ms: float
    loss_percent: float
    added_p50_ms: float
    added_p99_ms: float
    unheard_percent: float
    frames: int
    aim: Aim


@frozen
class Found:
    """One measurement, as it is kept. `series`: the added delay of each second, ms. `stolen`: of the switch's core
    while nothing ran, in % and the longest piece in ms; None where nobody looked."""

    date: str
    machine: str
    cores: int
    python: str
    pairs: int
    seed: int
    floor_p50_ms: float
    floor_p99_ms: float
    stages: Sequence[Stage]
    series: Sequence[float | None]
    stolen: tuple[float, float] | None = None

    @property
    def problems(self) -> list[str]:
        """Why it is not good, a line each."""
        found = []
        for stage in self.stages:
            for what, value, most in (
                ("p50, ms", stage.added_p50_ms, stage.aim.p50),
                ("p99, ms", stage.added_p99_ms, stage.aim.p99),
                ("unheard, %", stage.unheard_percent, stage.aim.unheard),
            ):
                if value > most:
                    found.append(f"{stage.name}: {what}: {value:g}, more than {most:g}")
        return found


def weathers(seconds: float, settle: float = SETTLE) -> tuple[Weather, ...]:
    """Each of `seconds` that are measured after `settle`; the last one gives delay time to be let go."""
    return (
        Weather("clean", settle + seconds, 0.0, 0.0),
        Weather("60 ms jitter, 3 % loss", settle + seconds, JITTER, LOSS),
        Weather("clean again", 3 * settle + seconds, 0.0, 0.0),
    )


async def _travelled(journey: Journey) -> dict[str, Any]:
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/media.sock"
        with (
            process("cordboard.switch.process", path, core=cores[0]) as switch,
            process("relay", core=cores[-1]) as relay,
        ):
            tell(switch, MediaConfig(addresses=("127.0.0.1",), rtp_ports="20002-20032").to_json())
            told(switch)
            tell(relay, json.dumps(attrs.asdict(journey)))
            talkers, listeners = json.loads(told(relay))
            async with await connect_unix(path) as stream, trio.open_nursery() as nursery:
                link = Link(stream)
                nursery.start_soon(link.listen)
                nursery.start_soon(link.ping)
                for pair in range(journey.pairs):
                    for name, port in (("talker", talkers[pair]), ("listener", listeners[pair])):
                        codec = protocol.Codec("pcmu", 0)
                        await link.tell(protocol.OpenRtpLeg(f"{name} {pair}", "127.0.0.1", port, codec))
                ports = {fact.leg: fact.port for fact in await link.answers(2 * journey.pairs)}
                edges = (protocol.Hears(f"listener {i}", ((f"talker {i}", 1.0),)) for i in range(journey.pairs))
                await link.tell(protocol.Rewire(tuple(edges)))
                tell(relay, json.dumps([ports[f"talker {pair}"] for pair in range(journey.pairs)]))
                heard: dict[str, Any] = json.loads(await trio.to_thread.run_sync(told, relay))
                nursery.cancel_scope.cancel()
    return heard


def _stages(
    journey: Journey, heard: dict[str, Any], frames: NDArray[np.float64], floor_ms: float, seconds: float
) -> list[Stage]:
    stages, begin = [], 0.0
    for number, (weather, aim) in enumerate(zip(journey.weathers, (CLEAN, ROUGH, CLEAN), strict=True)):
        end = begin + weather.seconds
        since = end - seconds
        measured = frames[(frames[:, 0] >= since) & (frames[:, 0] < end), 1] * 1000 - floor_ms
        p50, p99 = np.percentile(measured, (50, 99)) if len(measured) else (np.inf, np.inf)
        came = heard["came"][number] * seconds / weather.seconds
        unheard = 100 * (1 - len(measured) / came)
        stages.append(
            Stage(
                weather.name,
                1000 * weather.jitter,
                100 * weather.loss,
                round(float(p50), 1),
                round(float(p99), 1),
                round(unheard, 2),
                len(measured),
                aim,
            )
        )
        begin = end
    return stages


async def measure(pairs: int, seconds: float, seed: int, settle: float = SETTLE) -> Found:
    """Raises RuntimeError when the switch refuses or a process ends."""
    journey = Journey(pairs, seed, weathers(seconds, settle))
    heard = await _travelled(journey)
    frames, straight = (np.array(heard[name]).reshape(-1, 2) for name in ("frames", "straight"))
    floor_p50, floor_p99 = np.percentile(straight[:, 1] * 1000, (50, 99))
    at = frames[:, 0] // STEP
    series: list[float | None] = []
    for step in range(round(sum(weather.seconds for weather in journey.weathers) / STEP)):
        some = frames[at == step, 1]
        series.append(round(float(np.median(some)) * 1000 - float(floor_p50), 1) if len(some) else None)
    return Found(
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        machine=machine(),
        cores=len(os.sched_getaffinity(0)),
        python=platform.python_version(),
        pairs=pairs,
        seed=seed,
        floor_p50_ms=round(float(floor_p50), 2),
        floor_p99_ms=round(float(floor_p99), 2),
        stages=_stages(journey, heard, frames, float(floor_p50), seconds),
        series=series,
    )


def picture(found: Found) -> str:
    """The added delay over time, as an SVG."""
    seconds = [STEP * step for step in range(len(found.series))]
    names = ", ".join(stage.name for stage in found.stages)
    panel = Panel(f"Added delay, ms: {names}", [Line("of each second", found.series)])
    return draw(f"Cordboard, delay of {found.pairs} talkers on {found.date}", seconds, [panel], unit="s")


def table(found: Found) -> Table:
    """The result, to be read."""
    floor = f"the floor: p50 {found.floor_p50_ms} ms, p99 {found.floor_p99_ms} ms"
    made = Table(title=f"Added delay of {found.pairs} talkers; {floor}")
    for heading in ("weather", "p50", "p99", "not heard whole", "frames"):
        made.add_column(heading, justify="left" if heading == "weather" else "right")
    for stage in found.stages:
        aim = stage.aim
        made.add_row(
            stage.name,
            f"{stage.added_p50_ms} ms (aim {aim.p50:g})",
            f"{stage.added_p99_ms} ms (aim {aim.p99:g})",
            f"{stage.unheard_percent} % (aim {aim.unheard:g})",
            str(stage.frames),
        )
    return made


def rise(found: Found) -> str:
    """The added delay over time, in a line, and in another what the machine took."""
    every = max(len(found.series) // 16, 1)
    shown = " ".join("-" if value is None else f"{value:.0f}" for value in found.series[::every])
    told = f"delay every {every * STEP:g} s, ms: {shown}"
    if found.stolen is None:
        return told
    return f"{told}\nstolen: {found.stolen[0]} % of the core before and after, {found.stolen[1]} ms at once"


async def _watched(pairs: int, seconds: float, seed: int) -> Found:
    total = sum(weather.seconds for weather in weathers(seconds)) + 2 * PROBE
    with Progress(console=Console(stderr=True)) as progress:
        async with passing(progress, "clean, jitter, clean", total):
            core = min(os.sched_getaffinity(0))
            before = await trio.to_thread.run_sync(stolen, core)
            found = await measure(pairs, seconds, seed)
            after = await trio.to_thread.run_sync(stolen, core)
    return evolve(found, stolen=(round((before[0] + after[0]) / 2, 2), max(before[1], after[1])))


@click.command("latency")
@click.option("--pairs", default=16, show_default=True, type=click.IntRange(1, 64), help="Talkers, a listener each.")
@click.option("--seconds", default=20.0, show_default=True, type=click.FloatRange(min=2), help="Of each weather.")
@click.option("--seed", default=1, show_default=True, help="Of the network.")
@click.option("--json", "json_wanted", is_flag=True, help="Print JSON instead of a table.")
def command(pairs: int, seconds: float, seed: int, json_wanted: bool) -> None:
    """Delay that the switch adds, clean and in 60 ms of jitter with 3 % loss, and how it rises and falls."""
    found = trio.run(_watched, pairs, seconds, seed)
    finish("latency", found, picture(found), table(found), rise(found), json_wanted=json_wanted)
