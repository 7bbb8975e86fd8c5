"""`cordboard bench peer`: the switch and Asterisk, one after the other on the same core, under the same loads.

    rooms of three, plain G.711      % of a core: as many legs as Asterisk has, and ten times as many
    calls to a number that answers   ms of a core for each call
    calls through a queue            ms of a core for each call

The load is that of `density` and of `setup`, and so are the floors: the same packets by the same system calls, and the
same messages from templates. What a switch gives back is counted at the load, and who hears whom is told by tones.
Asterisk's queue rings telephones that answer at once, ours rings pages that do. Rooms of ours are weighed in the media
process, calls in the control and the media process together; Asterisk is one process, without recordings and call
records. It must be installed (with modules as they are); no test needs it.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import attrs
import click
import trio
from attrs import frozen
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from . import weigh
from .chart import Bars, bars
from .media import machine, process, tell, told
from .outcome import finish
from .peers import asterisk
from .peers.legs import legs
from .rtpload import Heard, Load
from .setup import floor as calls_floor
from .setupload import Load as Calls
from .setupload import Wave
from .waves import TALK, WARM, Scene, Step, loading, made, staged, step, wave
from .whom import judge

SIZE: Final = 3  # of a room
ROOMS: Final = weigh.Scene(size=SIZE)
LEGS: Final = 150
TIMES: Final = 10  # so many legs of ours are held against one
RATE: Final = 50.0  # calls a second, which both hold
TELEPHONES: Final = 120  # as many as there are agents
HEARD: Final = 0.99  # of all packets, at least: else what a leg costs is that of another load


@frozen
class Rooms:
    """One switch's. `heard`: of the packets that the legs should have been sent, those that came; `gaps`: pauses of
    60 ms; `wrongly_heard`: who heard whom they should not, or not whom they should, a line each."""

    legs: int
    percent_per_leg: float
    heard: float
    gaps: int
    wrongly_heard: Sequence[str]

    @property
    def percent(self) -> float:
        """Of a core, of all legs."""
        return round(self.legs * self.percent_per_leg, 1)


@frozen
class Side:
    """One switch."""

    rooms: Rooms
    dialled: Step
    queued: Step


@frozen
class Beside:
    """One measurement, as it is kept. `many` are the rooms of ours with TIMES the legs."""

    date: str
    machine: str
    cores: int
    python: str
    peer: str
    floor_percent_per_leg: float
    floor_ms: float
    ours: Side
    many: Rooms
    theirs: Side

    @property
    def problems(self) -> list[str]:
        """Why it says nothing, a line each."""
        told = []
        for name, rooms in (("ours", self.ours.rooms), ("ours", self.many), (self.peer, self.theirs.rooms)):
            if rooms.heard < HEARD:
                told.append(f"{name}: of {rooms.legs} legs {100 * rooms.heard:.2f} % of the packets came")
            told += [f"{name}: {line}" for line in rooms.wrongly_heard]
        for name, side in (("ours", self.ours), (self.peer, self.theirs)):
            for what, each in (("dialled", side.dialled), ("queued", side.queued)):
                if not each.sustained:
                    told.append(f"{name}: {each.up} of {each.made} {what} calls came up, p99 {each.p99_ms} ms")
        return told


def cost_ms(each: Step) -> float:
    """Of a core for each call, of all processes."""
    return round(each.cpu_ms + each.media_ms, 2)


async def _our_rooms(count: int, seconds: float, cores: Sequence[int]) -> Rooms:
    found = await weigh.weigh(ROOMS, count, seconds, cores)
    return Rooms(count, found.cpu_percent_per_leg, found.heard, found.gaps, found.wrongly_heard)


async def _rooms(path: str, count: int, seconds: float, cores: Sequence[int]) -> Rooms:
    """Asterisk's."""
    sockets, ends = -(-count // weigh.LEGS_PER_SOCKET), weigh.checked(count, SIZE)
    load = Load(count, sockets, weigh.SETTLE, seconds, weigh.TAIL, ends)
    with tempfile.TemporaryDirectory() as folder, process("rtpload", core=cores[-1]) as source:
        tell(source, json.dumps(attrs.asdict(load)))
        ports: list[int] = json.loads(told(source))
        numbers = [f"{asterisk.ROOM}{leg // SIZE:03}" for leg in range(count)]
        of_legs = [ports[leg % sockets] for leg in range(count)]
        async with (
            asterisk.serving(path, Path(folder), cores[0]) as running,
            legs(running.port, numbers, of_legs) as remotes,
        ):
            tell(source, json.dumps(remotes))
            await trio.to_thread.run_sync(told, source)
            await trio.sleep(load.settle)
            before = running.cpu_seconds()
            await trio.sleep(seconds)
            spent = running.cpu_seconds() - before
            heard = Heard(**json.loads(await trio.to_thread.run_sync(told, source)))
    percent, wrong = round(100 * spent / seconds / count, 4), judge(heard.tones, SIZE).wrong
    return Rooms(count, percent, heard.share(count, seconds), heard.gaps, wrong)


async def _our_calls(seconds: float, *, queued: bool) -> Step:
    scene = Scene(queued)
    async with staged(scene) as stage:
        return await step(stage, scene.wave(RATE, seconds))


async def _calls(path: str, seconds: float, cores: Sequence[int], *, queued: bool) -> Step:
    """Asterisk's. Who has a 200 is up: the caller of its queue gets it as a telephone has answered."""
    wanted = Wave(RATE, seconds, TALK, asterisk.QUEUE if queued else asterisk.TONE)
    rest = cores[1:] or cores
    with tempfile.TemporaryDirectory() as folder, process("answering", core=rest) as telephones:
        port = int(told(telephones))
        names = [f"t{number}" for number in range(TELEPHONES if queued else 0)]
        async with (
            asterisk.serving(path, Path(folder), cores[0], names, port) as running,
            loading(Calls(running.port), rest) as load,
        ):
            await wave(load, attrs.evolve(wanted, seconds=WARM))
            before = running.cpu_seconds()
            heard = await wave(load, wanted)
            return made(wanted, heard, running.cpu_seconds() - before, 0.0)


async def measure(path: str, count: int, seconds: float, progress: Progress) -> Beside:
    """All of it, one after the other. Raises RuntimeError when a switch refuses or a process ends."""
    cores = sorted(os.sched_getaffinity(0))
    count -= count % SIZE
    task = progress.add_task("the floors", total=8)

    def begin(what: str) -> None:
        progress.update(task, advance=1, description=what)

    lowest = await weigh.floor(ROOMS, count, seconds, cores)
    lowest_ms = await calls_floor(seconds, [cores[0], *(cores[1:] or cores)])
    begin("rooms of ours")
    rooms = await _our_rooms(count, seconds, cores)
    begin("rooms of Asterisk")
    theirs = await _rooms(path, count, seconds, cores)
    begin(f"{TIMES * count} legs of ours")
    many = await _our_rooms(TIMES * count, seconds, cores)
    steps: list[tuple[Step, Step]] = []
    for queued in (False, True):
        what = "queued" if queued else "dialled"
        begin(f"{what} calls of ours")
        ours = await _our_calls(seconds, queued=queued)
        begin(f"{what} calls of Asterisk")
        steps.append((ours, await _calls(path, seconds, cores, queued=queued)))
    begin("done")
    return Beside(
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        machine=machine(),
        cores=len(cores),
        python=platform.python_version(),
        peer=asterisk.version(path),
        floor_percent_per_leg=lowest,
        floor_ms=lowest_ms,
        ours=Side(rooms, steps[0][0], steps[1][0]),
        many=many,
        theirs=Side(theirs, steps[0][1], steps[1][1]),
    )


def picture(found: Beside) -> str:
    """What each takes, as an SVG."""
    ours, theirs, peer = found.ours, found.theirs, "Asterisk"
    shares = {
        f"Cordboard, {found.many.legs} legs": found.many.percent,
        f"{peer}, {theirs.rooms.legs} legs": theirs.rooms.percent,
    }
    groups = (
        Bars("A leg in a room of three, % of a core",
             {"floor": found.floor_percent_per_leg, "Cordboard": ours.rooms.percent_per_leg,
              f"Cordboard, {TIMES} times as many": found.many.percent_per_leg, peer: theirs.rooms.percent_per_leg}),
        Bars("All legs, % of a core", shares),
        Bars("A call to a number that answers, ms of a core",
             {"floor": found.floor_ms, "Cordboard": cost_ms(ours.dialled), peer: cost_ms(theirs.dialled)}),
        Bars("A call through a queue, ms of a core",
             {"Cordboard": cost_ms(ours.queued), peer: cost_ms(theirs.queued)}),
    )  # fmt: skip
    return bars(f"Cordboard and {found.peer} on {found.date}", groups)


def table(found: Beside) -> Table:
    """The result, to be read."""
    made = Table(title=f"Cordboard and {found.peer}")
    for heading in ("", "floor", "Cordboard", f"{TIMES} times as many", "Asterisk"):
        made.add_column(heading, justify="right")
    ours, theirs, many = found.ours, found.theirs, found.many
    rooms = (ours.rooms, many, theirs.rooms)
    made.add_row("legs in rooms of three", "", *(str(each.legs) for each in rooms))
    made.add_row(
        "% of a core, each",
        f"{found.floor_percent_per_leg:.4f}",
        *(f"{each.percent_per_leg:.4f}" for each in rooms),
    )
    made.add_row("% of a core, all", "", *(f"{each.percent:.1f}" for each in rooms))
    made.add_row("% of packets heard", "", *(f"{100 * each.heard:.2f}" for each in rooms))
    made.add_row("pauses of 60 ms", "", *(str(each.gaps) for each in rooms))
    for what, floor, one, other in (
        ("dialled", str(found.floor_ms), ours.dialled, theirs.dialled),
        ("queued", "", ours.queued, theirs.queued),
    ):
        made.add_row(f"a {what} call, ms of a core", floor, str(cost_ms(one)), "", str(cost_ms(other)))
        made.add_row(
            "set-up, p50 / p99, ms", "", f"{one.p50_ms} / {one.p99_ms}", "", f"{other.p50_ms} / {other.p99_ms}"
        )
    return made


@click.command("peer")
@click.option("--program", default="asterisk", show_default=True, help="Asterisk's program.")
@click.option("--legs", "count", default=LEGS, show_default=True, type=click.IntRange(min=3), help="Of Asterisk.")
@click.option("--seconds", default=10.0, show_default=True, type=click.FloatRange(min=3), help="Of each load.")
@click.option("--json", "json_wanted", is_flag=True, help="Print JSON instead of a table.")
def command(program: str, count: int, seconds: float, json_wanted: bool) -> None:
    """Asterisk beside ours: rooms of three, and calls."""
    path = asterisk.program(program)
    with Progress(console=Console(stderr=True)) as progress:
        found = trio.run(measure, path, count, seconds, progress)
    finish("peer-asterisk", found, picture(found), table(found), json_wanted=json_wanted)
