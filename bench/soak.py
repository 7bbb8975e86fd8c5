"""`cordboard bench soak`: an hour of a call centre at work, and whether anything is left of it when all have gone.

The switch runs in processes of its own. Customers call by chance: long and short, hanging up while it rings, vanishing.
Robots answer, decline, miss, take breaks and reload, without media and with it, in each codec; beside them works one
real page, where Playwright and Chromium are installed. Every second the switch is asked for its figures, every ten a
sample is kept. Then everybody leaves, and what stands open in the switch must return to what it was before the first
came.
"""

from __future__ import annotations

import os
import platform
import random
import signal
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click
import trio
from attrs import define, field, frozen

from . import page
from .callers import Crowd
from .centre import Centre, serving
from .line import STEPS, voice
from .media import machine
from .mind import Habits, Mind
from .report import Screen, as_json, keep, show
from .robot import Robot, Tally
from .series import MB, Sample, Soak, Standing, growth, missing, standing

LOOK_SECONDS = 1.0
SAMPLE_SECONDS = 10.0
# So often must the same stand open, looked at every second, before the first customer comes.
STEADY_LOOKS = 5
# When the time is over, robots end their calls; customers who are still there then are cut off.
FAREWELL_SECONDS = 10.0
# A caller who vanished is found after 60 s without a packet; its transactions last 32 s more (RFC 3261, 64*T1).
RETURN_SECONDS = 180.0
# Of the time, after which no caller vanishes any more.
NOBODY_VANISHES = 0.5
PAGE_AGENT = "2001"
# What robots with media offer, one after the other: all codecs are spoken by some.
VOICES = (("opus", "pcmu"), ("pcmu",), ("pcma",))
SKILLS = ("{ support = 1 }", "{ support = 1, quick = 1 }", "{ quick = 1 }")


@frozen
class Plan:
    """`silent` robots have no media, `speaking` ones do; `most` customers at once; `note` is kept with the result."""

    seconds: float = 3600.0
    silent: int = 6
    speaking: int = 6
    page: bool = True
    per_minute: float = 40.0
    most: int = 12
    seed: int = 1
    note: str = ""


def agents(plan: Plan) -> list[tuple[str, tuple[str, ...]]]:
    """The robots' ids, and the codecs that each offers."""
    voices = [*[()] * plan.silent, *(VOICES[number % len(VOICES)] for number in range(plan.speaking))]
    return [(f"1{number:03}", codecs) for number, codecs in enumerate(voices)]


def password(agent: str) -> str:
    return f"soak-{agent}"


def organisation(plan: Plan) -> str:
    """Two queues, of which one rings briefly, and the numbers that the customers of `callers.py` dial."""
    entries = [
        '[organisation]\nname = "Soak"\nlanguage = "en"',
        '[[trunk]]\nid = "carrier"\npeers = ["127.0.0.1"]',
        '[[queue]]\nid = "support"\nname = "Support"\nring_seconds = 10',
        '[[queue]]\nid = "quick"\nname = "Quick"\nring_seconds = 3',
        '[[number]]\nnumber = "5001"\nroute = "queue:support"',
        '[[number]]\nnumber = "5002"\nroute = "queue:quick"',
        '[[number]]\nnumber = "600"\nroute = "echo"',
        '[[number]]\nnumber = "601"\nroute = "tone:440"',
        '[[number]]\nnumber = "602"\nroute = "hold"',
        '[[number]]\npattern = "7\\\\d\\\\d"\nroute = "room"',
    ]
    for number, agent in enumerate([*(agent for agent, _ in agents(plan)), PAGE_AGENT]):
        words = f'id = "{agent}"\nname = "{agent}"\npassword = "{password(agent)}"\nskills = {SKILLS[number % 3]}'
        entries.append(f"[[agent]]\n{words}")
    return "\n\n".join(entries) + "\n"


# --- looking ----------------------------------------------------------------------------------------------------


@define
class Watch:
    """Asks the switch every second, and keeps a sample every ten."""

    centre: Centre
    crowd: Crowd
    news: page.News
    on_sample: Callable[[Sample], None]
    begun: float = field(factory=trio.current_time)
    samples: list[Sample] = field(factory=list)
    # When the switch did not answer, in seconds, and why.
    unanswered: list[str] = field(factory=list)
    _ticks: list[tuple[float, float, float]] = field(factory=list)
    _counted: dict[str, int] = field(factory=dict)

    async def run(self) -> None:
        self._counted = _counts((await look(self.centre))[0])
        while True:
            await trio.sleep(LOOK_SECONDS)
            try:
                metrics, stands = await look(self.centre)
            except OSError as error:
                self.unanswered.append(f"{trio.current_time() - self.begun:.0f} s: {error}")
                continue
            self._ticks.append(_tick_ms(metrics))
            if len(self._ticks) == round(SAMPLE_SECONDS / LOOK_SECONDS):
                self._keep(metrics, stands)

    def _keep(self, metrics: dict[str, float], stands: Standing) -> None:
        counts = _counts(metrics)
        ledger, heap = self.crowd.ledger, self.news.heap
        p50, p99, most = zip(*self._ticks, strict=True)
        sample = Sample(
            at=round(trio.current_time() - self.begun, 1),
            standing=stands,
            control_mb=round(metrics["process_resident_memory_bytes"] / MB, 2),
            media_mb=round(metrics["cordboard_media_process_resident_memory_bytes"] / MB, 2),
            page_mb=None if heap is None else round(heap / MB, 2),
            load=os.getloadavg()[0],
            tick_p50_ms=sorted(p50)[len(p50) // 2],
            tick_p99_ms=max(p99),
            tick_max_ms=max(most),
            ticks=counts["ticks"] - self._counted["ticks"],
            late_ticks=counts["ticks_late"] - self._counted["ticks_late"],
            made=ledger.made,
            answered=ledger.answered,
            failed=ledger.failed.total(),
        )
        self._ticks, self._counted = [], counts
        self.samples.append(sample)
        self.on_sample(sample)


async def look(centre: Centre) -> tuple[dict[str, float], Standing]:
    """The figures of now, and what stands open."""
    metrics = await trio.to_thread.run_sync(centre.metrics)
    return metrics, standing(metrics, centre.open_files("control"), centre.open_files("media"))


def _counts(metrics: dict[str, float]) -> dict[str, int]:
    return {name: int(metrics[f'cordboard_media_total{{what="{name}"}}']) for name in ("ticks", "ticks_late")}


def _tick_ms(metrics: dict[str, float]) -> tuple[float, float, float]:
    p50, p99, most = (metrics[f"cordboard_media_tick_{name}_ms"] for name in ("p50", "p99", "max"))
    return p50, p99, most


async def steady(centre: Centre) -> Standing:
    """What stands open once it has been the same for some looks."""
    while "cordboard_media_edges" not in await trio.to_thread.run_sync(centre.metrics):
        await trio.sleep(LOOK_SECONDS)  # the engine has not reported yet
    seen: list[Standing] = []
    while True:
        seen = [*seen[1 - STEADY_LOOKS :], (await look(centre))[1]]
        if len(seen) == STEADY_LOOKS and len(set(seen)) == 1:
            return seen[0]
        await trio.sleep(LOOK_SECONDS)


async def returned(centre: Centre, before: Standing) -> tuple[Standing, float]:
    """What stands open when it is as before, or at last, and after how many seconds that was."""
    begun = trio.current_time()
    while True:
        after = (await look(centre))[1]
        took = trio.current_time() - begun
        if not missing(before, after) or took > RETURN_SECONDS:
            return after, took
        await trio.sleep(LOOK_SECONDS)


# --- the whole --------------------------------------------------------------------------------------------------


async def soak(plan: Plan, on_sample: Callable[[Sample], None], on_phase: Callable[[str], None]) -> Soak:
    """One run. Raises RuntimeError where the switch does not start."""
    rng = random.Random(plan.seed)
    tally, news = Tally(), page.News()
    program = page.chromium() if plan.page else None
    with tempfile.TemporaryDirectory(prefix="cordboard-soak-") as name:
        on_phase("starts the switch")
        for codec in STEPS:
            await trio.to_thread.run_sync(voice, codec)
        async with serving(Path(name), organisation(plan)) as centre:
            before = await steady(centre)
            crowd = Crowd(centre.sip, random.Random(rng.random()), plan.per_minute, plan.most)
            robots = [
                Robot(
                    centre.door,
                    agent,
                    password(agent),
                    codecs,
                    Mind(Habits(), random.Random(rng.random())),
                    random.Random(rng.random()),
                    tally,
                )
                for agent, codecs in agents(plan)
            ]
            watch = Watch(centre, crowd, news, on_sample)
            leave = trio.Event()
            on_phase("works")
            async with trio.open_nursery() as watching:
                watching.start_soon(watch.run)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(crowd.run)
                    for robot in robots:
                        nursery.start_soon(robot.run)
                    if program is not None:
                        seed = rng.randrange(1 << 30)
                        args = (program, centre.door, PAGE_AGENT, password(PAGE_AGENT), seed, news, leave)
                        nursery.start_soon(page.work, *args)
                    await trio.sleep(plan.seconds * NOBODY_VANISHES)
                    crowd.vanishing = False
                    await trio.sleep(plan.seconds * (1 - NOBODY_VANISHES))
                    on_phase("says goodbye")
                    crowd.stop()
                    leave.set()
                    for robot in robots:
                        robot.go_home()
                    await trio.sleep(FAREWELL_SECONDS)
                    crowd.hang_up()
                watching.cancel_scope.cancel()
            on_phase("waits for what is left")
            after, took = await returned(centre, before)
        ledger, samples = crowd.ledger, watch.samples
        return Soak(
            date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            machine=machine(),
            cores=len(os.sched_getaffinity(0)),
            python=platform.python_version(),
            note=plan.note,
            seconds=plan.seconds,
            seed=plan.seed,
            calls={"made": ledger.made, "answered": ledger.answered, **_by(ledger.ended_by, "ended by ")},
            kinds=dict(ledger.kinds),
            robots={**tally.did, **_by(tally.crossed, "crossed: "), **_by(news.did, "page: ")},
            failed=dict(ledger.failed),
            refused=dict(tally.refused),
            deaf=tally.did["deaf"],
            vanished=ledger.ended_by["nobody"],
            control_growth_mb=growth(samples, "control_mb"),
            media_growth_mb=growth(samples, "media_mb"),
            before=before,
            after=after,
            missing=missing(before, after),
            return_seconds=round(took, 1),
            tick_p99_ms=max((sample.tick_p99_ms for sample in samples), default=0.0),
            tick_max_ms=max((sample.tick_max_ms for sample in samples), default=0.0),
            late_ticks=sum(sample.late_ticks for sample in samples),
            ticks=sum(sample.ticks for sample in samples),
            exit_code=centre.exit_code,
            complaints=[
                *centre.complaints,
                *(f"no answer at {each}" for each in watch.unanswered),
                *(f"page: {problem}" for problem in news.problems),
            ],
            samples=samples,
        )


def _by(counts: dict[str, int], prefix: str) -> dict[str, int]:
    return {f"{prefix}{name}": number for name, number in counts.items()}


async def until_told(plan: Plan, on_sample: Callable[[Sample], None], on_phase: Callable[[str], None]) -> Soak | None:
    """`soak`, but SIGTERM and SIGINT end it, with the switch that it has started: then there is no result."""
    found: Soak | None = None
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:

            async def end() -> None:
                async for _ in signals:
                    nursery.cancel_scope.cancel()

            nursery.start_soon(end)
            found = await soak(plan, on_sample, on_phase)
            nursery.cancel_scope.cancel()
    return found


@click.command("soak")
@click.option("--minutes", default=60.0, show_default=True, type=click.FloatRange(min=0.5), help="Of work.")
@click.option("--silent", default=6, show_default=True, type=click.IntRange(min=0), help="Robots without media.")
@click.option("--speaking", default=6, show_default=True, type=click.IntRange(min=0), help="Robots with media.")
@click.option("--per-minute", default=40.0, show_default=True, type=click.FloatRange(min=1), help="Calls that come.")
@click.option("--customers", default=12, show_default=True, type=click.IntRange(min=1), help="At most, at once.")
@click.option("--page/--no-page", default=True, show_default=True, help="A real page, where a browser is there.")
@click.option("--seed", default=1, show_default=True, help="Of all chances.")
@click.option("--note", default="", help="Kept with the result.")
@click.option("--json", "json_too", is_flag=True, help="Print JSON instead of a table.")
def command(
    minutes: float,
    silent: int,
    speaking: int,
    per_minute: float,
    customers: int,
    page: bool,
    seed: int,
    note: str,
    json_too: bool,
) -> None:
    """Hours of calls, and whether anything is left when all have gone.

    The series and its picture are kept in bench/results. Exit code 1 where something is left, grew or failed."""
    plan = Plan(60 * minutes, silent, speaking, page, per_minute, customers, seed, note)
    with Screen(plan.seconds) as screen:
        found = trio.run(until_told, plan, screen.sample, screen.phase)
    if found is None:
        raise click.Abort
    for path in keep(found):
        click.echo(f"kept: {path}", err=True)
    if json_too:
        click.echo(as_json(found))
    else:
        show(found)
    if found.problems:
        sys.exit(1)


if __name__ == "__main__":
    command()
