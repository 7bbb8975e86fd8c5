"""`cordboard bench density`: how many legs a core holds, and what they cost beside what they must cost.

The real media process under a load on another core (weigh.py): its CPU time, its ticks, every packet against what was
sent, pauses at the receivers, and who hears whom. In the same run the same machine is asked what cannot be saved, once
before and once after, for a machine is not as fast all the time:

    (none)      rooms of three, plain G.711, all recorded    the floor: the same packets by the same system calls
    --bare      ... without meters, reports and recordings   the floor
    --record    rooms of two, every call recorded            % of a core
    --srtp      rooms of three of pages, G.711               the floor, and pylibsrtp in a bare loop
    --opus      rooms of three of pages, Opus                PyAV in a bare loop, and libopus itself in one; and what a
                                                             second core is worth

A spinning probe says what the machine itself took away, before and after.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import attrs
import click
import trio
from attrs import frozen
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ..switch.jitter import MARGIN
from .chart import Line, Panel, draw
from .media import machine
from .outcome import finish, passing
from .weigh import PROBE, SETTLE, TAIL, Scene, Weighed, alone, cores_ratio, floor, weigh

SCENES: Final = {
    "full": Scene(recorded=True),
    "bare": Scene(bare=True),
    "record": Scene(size=2, recorded=True),
    "srtp": Scene(secure=True),
    "opus": Scene(codec="opus", secure=True),
}
# How many legs fit where the scene is not told.
LEGS: Final = {"full": 600, "bare": 600, "record": 600, "srtp": 300, "opus": 90}
# What must hold. How often what the scene is held against, and % of a core.
TIMES: Final = {"full": 2.0, "bare": 1.5, "srtp": 1.5, "opus": 1.3}
PERCENT: Final = {"full": 0.05, "record": 0.07}
CORES: Final = 1.7  # times the legs of one core on two
LATE_PERCENT: Final = 0.1  # of the ticks
ALONE_SECONDS: Final = 3.0
RATIO_TICKS: Final = 250


@frozen
class Density:
    """One measurement, as it is kept. Percentages are of one core; `against_percent_per_leg` is what the legs are held
    against, `times` how often they take it, and `apart_percent` by how much more of it the one measurement found than
    the other. Of Opus, `libopus_percent_per_leg` is what libopus takes where it is called as the switch calls it, and
    `cores` what a second core is worth. 0: not measured."""

    date: str
    machine: str
    machine_cores: int
    python: str
    scene: str
    legs: int
    seconds: float
    floor_percent_per_leg: float
    alone_percent_per_leg: float
    libopus_percent_per_leg: float
    against_percent_per_leg: float
    times: float
    apart_percent: float
    cores: float
    weighed: Weighed

    @property
    def lost(self) -> int:
        found = self.weighed
        return found.sent_to_switch - found.received_by_switch + found.sent_by_switch - found.received_by_legs

    @property
    def problems(self) -> list[str]:
        """Why it is not good, a line each."""
        found, told = self.weighed, []
        if (most := TIMES.get(self.scene)) and self.times > most:
            told.append(f"the legs take {self.times} times what they are held against, more than {most}")
        if (most := PERCENT.get(self.scene)) and found.cpu_percent_per_leg > most:
            told.append(f"a leg takes {found.cpu_percent_per_leg} % of a core, more than {most}")
        if self.cores and self.cores < CORES:
            told.append(f"two cores hold {self.cores} times the legs of one, less than {CORES}")
        if 100 * found.late_ticks > LATE_PERCENT * found.ticks:
            told.append(f"{found.late_ticks} of {found.ticks} ticks were late, more than {LATE_PERCENT} %")
        if found.gaps:
            told.append(f"{found.gaps} pauses of 60 ms")
        if self.lost:
            told.append(f"{self.lost} packets are not there")
        if found.broken and found.load_late_ms < 1000 * MARGIN:
            told.append(f"{len(found.broken)} legs heard whom they should, with breaks: {'; '.join(found.broken)}")
        return [*told, *found.wrongly_heard]


@frozen
class _Least:
    """What cannot be saved, in % of a core per leg: the floor, the libraries, and of Opus libopus alone; 0 where the
    scene has none of it."""

    floor: float
    libraries: float
    libopus: float

    def against(self, scene: Scene) -> float:
        return self.libraries if scene.codec == "opus" else self.floor + self.libraries


async def _least(scene: Scene, legs: int, seconds: float, cores: Sequence[int]) -> _Least:
    lowest = await floor(scene, legs, seconds, cores)
    loops = {"opus": ("opus", "libopus"), "pcmu": ("srtp",)}.get(scene.codec, ()) if scene.secure else ()
    taken = [await trio.to_thread.run_sync(alone, loop, legs, ALONE_SECONDS, cores[0]) for loop in loops]
    return _Least(lowest, *[*taken, 0.0, 0.0][:2])


async def measure(scene: str, legs: int, seconds: float, progress: Progress) -> Density:
    """All of it, one after the other. Raises RuntimeError when the switch refuses or a process ends."""
    wanted = SCENES[scene]
    legs -= legs % wanted.size
    cores = sorted(os.sched_getaffinity(0))
    async with passing(progress, scene, 3 * SETTLE + 2 * seconds + 2 * TAIL + 2 * PROBE):
        before = await _least(wanted, legs, seconds / 2, cores)
        weighed = await weigh(wanted, legs, seconds, cores)
        after = await _least(wanted, legs, seconds / 2, cores)
        ratio = 0.0
        if wanted.codec == "opus" and len(cores) > 1:
            ratio = await trio.to_thread.run_sync(cores_ratio, legs, RATIO_TICKS, cores)
    lowest, libraries, libopus = (
        round((one + other) / 2, 4) for one, other in zip(attrs.astuple(before), attrs.astuple(after), strict=True)
    )
    less, more = sorted(each.against(wanted) for each in (before, after))
    against = (less + more) / 2
    return Density(
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        machine=machine(),
        machine_cores=len(cores),
        python=platform.python_version(),
        scene=scene,
        legs=legs,
        seconds=seconds,
        floor_percent_per_leg=lowest,
        alone_percent_per_leg=libraries,
        libopus_percent_per_leg=libopus,
        against_percent_per_leg=round(against, 4),
        times=round(weighed.cpu_percent_per_leg / against, 2),
        apart_percent=round(100 * (more / less - 1), 1),
        cores=ratio,
        weighed=weighed,
    )


def picture(found: Density) -> str:
    """Each second's ticks and share of a core, as an SVG."""
    series = found.weighed.series
    panels = [
        Panel(
            "Ticks, ms", [Line(name, [one[i] for one in series]) for i, name in enumerate(("half", "99 %", "longest"))]
        ),
        Panel("Of a core, %", [Line("media process", [one[3] for one in series])]),
    ]
    title = f"Cordboard, {found.legs} legs ({found.scene}) on {found.date}"
    return draw(title, [float(second) for second in range(len(series))], panels, unit="s")


def table(found: Density) -> Table:
    """The result, to be read."""
    weighed, scene = found.weighed, SCENES[found.scene]
    made = Table(
        title=f"{found.legs} legs in rooms of {scene.size} ({found.scene}), {found.seconds:g} s", show_header=False
    )
    p50, p99, longest = (sorted(one[i] for one in weighed.series) for i in range(3))
    rows = {
        "CPU per leg": f"{weighed.cpu_percent_per_leg:.4f} % of a core",
        "the floor": f"{found.floor_percent_per_leg:.4f} %",
        "held against": f"{found.against_percent_per_leg:.4f} %: {found.times} times"
        + (f" (aim {TIMES[found.scene]})" if found.scene in TIMES else "")
        + f"; {found.apart_percent} % apart before and after",
        "libopus alone": f"{found.libopus_percent_per_leg:.4f} %: "
        f"{weighed.cpu_percent_per_leg / found.libopus_percent_per_leg:.2f} times"
        if found.libopus_percent_per_leg
        else "",
        "two cores": f"{found.cores} times the legs of one (aim {CORES})" if found.cores else "",
        "made into a file": f"{weighed.encoding_percent} % per leg, afterwards, by one process for all"
        if scene.recorded
        else "",
        "tick": f"p50 {p50[len(p50) // 2]} ms, p99 of a second {p99[-1]} ms at most, longest {longest[-1]} ms",
        "late ticks": f"{weighed.late_ticks} of {weighed.ticks}",
        "to the switch": f"{weighed.received_by_switch} packets of {weighed.sent_to_switch}",
        "from the switch": f"{weighed.received_by_legs} packets of {weighed.sent_by_switch}",
        "pauses of 60 ms": f"{weighed.gaps} (the load itself once paused {weighed.load_stall_ms} ms)",
        "who hears whom": f"{weighed.checked - len(weighed.wrongly_heard)} right of {weighed.checked}"
        + (f", {len(weighed.broken)} with breaks" if weighed.broken else "")
        + (f" (the load itself came {weighed.load_late_ms} ms late)" if weighed.broken else ""),
        "memory": f"{weighed.memory_kb // 1024} MB",
        "stolen": f"{weighed.stolen[0]} % of the core before and after, {weighed.stolen[1]} ms at once",
    }
    for name, value in rows.items():
        if value:
            made.add_row(name, value)
    return made


@click.command("density")
@click.option("--legs", type=click.IntRange(min=3), help="In all; by default as many as the scene is for.")
@click.option("--seconds", default=20.0, show_default=True, type=click.FloatRange(min=3), help="Measured time.")
@click.option("--bare", "scene", flag_value="bare", help="Without meters, RTCP and recordings.")
@click.option("--record", "scene", flag_value="record", help="Two by two, every call recorded.")
@click.option("--srtp", "scene", flag_value="srtp", help="Pages that speak G.711.")
@click.option("--opus", "scene", flag_value="opus", help="Pages that speak Opus.")
@click.option("--json", "json_wanted", is_flag=True, help="Print JSON instead of a table.")
def command(legs: int | None, seconds: float, scene: str | None, json_wanted: bool) -> None:
    """CPU per leg of the media process, beside what cannot be saved."""
    name = scene or "full"
    with Progress(console=Console(stderr=True)) as progress:
        found = trio.run(measure, name, legs or LEGS[name], seconds, progress)
    finish(f"density-{name}-{found.legs}", found, picture(found), table(found), json_wanted=json_wanted)
