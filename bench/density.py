"""How many legs a core holds: three-party rooms of plain G.711 through the real media process, and the floor beside it.

The switch runs as its own process, driven through its real link, on one core; the load (rtpload.py) on another.
Measured are the CPU time of the media process (from /proc), its ticks, every packet against what was sent, pauses at
the receivers, and who hears whom: each leg sends its own tone, and some must hear exactly the two others of their
room. Then the same load meets floor.py, which only receives and sends.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from datetime import UTC, datetime
from typing import Any, Final

import attrs
import click
import trio
from attrs import frozen
from rich.console import Console
from rich.table import Table

from ..switch import protocol
from ..switch.process import MediaConfig, connect_unix
from .media import RESULTS, Link, cpu_seconds, machine, memory_kb, process, tell, told
from .rtpload import Heard, Load, tone_of

SETTLE: Final = 3.0  # seconds: playouts find their delay
TAIL: Final = 2.0
LEGS_PER_SOCKET: Final = 8  # of the load; fewer than the switch has ports
CHECKED_ROOMS: Final = 10
# What must hold: the share of a core per leg, and against the floor.
AIM_PERCENT: Final = 0.05
AIM_FLOORS: Final = 2.0


@frozen
class Density:
    """One measurement; percentages are of one core."""

    date: str
    machine: str
    cores: int
    python: str
    legs: int
    seconds: float
    cpu_percent_per_leg: float
    floor_percent_per_leg: float
    floors: float
    tick_ms_p50: float
    tick_ms_p99: float
    tick_ms_max: float
    ticks: int
    late_ticks: int
    sent_to_switch: int
    received_by_switch: int
    sent_by_switch: int
    received_by_legs: int
    gaps: int
    load_stall_ms: float
    checked: int
    wrongly_heard: tuple[str, ...]
    memory_kb: int

    @property
    def lost(self) -> int:
        return (self.sent_to_switch - self.received_by_switch) + (self.sent_by_switch - self.received_by_legs)

    @property
    def good(self) -> bool:
        right = not (self.lost or self.gaps or self.wrongly_heard)
        return right and self.cpu_percent_per_leg <= AIM_PERCENT and self.floors <= AIM_FLOORS


def _rooms(legs: int) -> protocol.Rewire:
    """Rooms of three: every leg hears the two others."""
    return protocol.Rewire(
        tuple(
            protocol.Hears(str(leg), tuple((str(other), 1.0) for other in _room(leg) if other != leg))
            for leg in range(legs)
        )
    )


def _room(leg: int) -> range:
    return range(leg - leg % 3, leg - leg % 3 + 3)


async def _measure_switch(load: Load, cores: list[int]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/media.sock"
        config = MediaConfig(addresses=("127.0.0.1",), rtp_ports="20002-20032")
        with (
            process("cordboard.switch.process", path, core=cores[0]) as switch,
            process("rtpload", core=cores[-1]) as source,
        ):
            tell(switch, config.to_json())
            told(switch)
            tell(source, json.dumps(attrs.asdict(load)))
            ports: list[int] = json.loads(told(source))
            async with await connect_unix(path) as stream, trio.open_nursery() as nursery:
                link = Link(stream)
                nursery.start_soon(link.listen)
                nursery.start_soon(link.ping)
                # With events, as trunks have them: a leg without is listened to for tones (+1.2 us a tick, test_dtmf).
                codec = protocol.Codec("pcmu", 0, 101)
                for leg in range(load.legs):
                    await link.tell(protocol.OpenRtpLeg(str(leg), "127.0.0.1", ports[leg % load.sockets], codec))
                opened = await link.answers(load.legs)
                await link.tell(_rooms(load.legs))
                tell(source, json.dumps([(fact.address, fact.port) for fact in opened]))
                told(source)
                await trio.sleep(load.settle)
                first, before = len(link.reports()), cpu_seconds(switch.pid)
                await trio.sleep(load.seconds)
                spent = cpu_seconds(switch.pid) - before
                reports = link.reports()[first:]
                await trio.sleep(0.2)
                for leg in range(load.legs):
                    await link.tell(protocol.CloseLeg(str(leg)))
                heard = Heard(**json.loads(await trio.to_thread.run_sync(told, source)))
                counters = link.reports()[-1].counters
                memory = memory_kb(switch.pid)
                nursery.cancel_scope.cancel()
    wrong = tuple(
        f"leg {leg} heard {tones}, not {wanted}"
        for leg, tones in heard.tones.items()
        if tones != (wanted := sorted(tone_of(other) for other in _room(int(leg)) if other != int(leg)))
    )
    return {
        "cpu_percent_per_leg": round(100 * spent / load.seconds / load.legs, 4),
        "tick_ms_p50": sorted(report.tick_ms[0] for report in reports)[len(reports) // 2],
        "tick_ms_p99": max(report.tick_ms[1] for report in reports),
        "tick_ms_max": max(report.tick_ms[2] for report in reports),
        "ticks": sum(report.ticks for report in reports),
        "late_ticks": sum(report.late_ticks for report in reports),
        "sent_to_switch": heard.sent,
        "received_by_switch": counters["packets_received"],
        "sent_by_switch": counters["packets_sent"],
        "received_by_legs": heard.received,
        "gaps": heard.gaps,
        "load_stall_ms": heard.stall_ms,
        "checked": len(heard.tones),
        "wrongly_heard": wrong,
        "memory_kb": memory,
    }


async def _measure_floor(load: Load, cores: list[int]) -> float:
    with process("floor", core=cores[0]) as floor, process("rtpload", core=cores[-1]) as source:
        port = int(told(floor))
        tell(source, json.dumps({**attrs.asdict(load), "checked": []}))
        ports: list[int] = json.loads(told(source))
        tell(floor, json.dumps([ports[leg % load.sockets] for leg in range(load.legs)]))
        tell(source, json.dumps([("127.0.0.1", port)] * load.legs))
        told(source)
        await trio.sleep(load.settle)
        before = cpu_seconds(floor.pid)
        await trio.sleep(load.seconds)
        return 100 * (cpu_seconds(floor.pid) - before) / load.seconds / load.legs


async def measure(legs: int, seconds: float) -> Density:
    """Both measurements, one after the other. Raises RuntimeError when the switch refuses or a process ends."""
    legs -= legs % 3
    cores = sorted(os.sched_getaffinity(0))
    ends = (*range(3 * CHECKED_ROOMS), *range(legs - 3 * CHECKED_ROOMS, legs))
    load = Load(
        legs=legs,
        sockets=-(-legs // LEGS_PER_SOCKET),
        settle=SETTLE,
        seconds=seconds,
        tail=TAIL,
        checked=tuple(sorted({leg for leg in ends if 0 <= leg < legs})),
    )
    switch = await _measure_switch(load, cores)
    floor = await _measure_floor(load, cores)
    return Density(
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        machine=machine(),
        cores=len(cores),
        python=platform.python_version(),
        legs=legs,
        seconds=seconds,
        floor_percent_per_leg=round(floor, 4),
        floors=round(switch["cpu_percent_per_leg"] / floor, 2),
        **switch,
    )


def _show(found: Density) -> None:
    table = Table(title=f"{found.legs} legs in rooms of three, {found.seconds:.0f} s", show_header=False)
    rows = {
        "CPU per leg": f"{found.cpu_percent_per_leg:.4f} % of a core (aim {AIM_PERCENT} %)",
        "the floor": f"{found.floor_percent_per_leg:.4f} %; the switch takes {found.floors:.2f} of it",
        "tick": f"p50 {found.tick_ms_p50} ms, p99 {found.tick_ms_p99} ms, longest {found.tick_ms_max} ms",
        "late ticks": f"{found.late_ticks} of {found.ticks}",
        "to the switch": f"{found.received_by_switch} packets of {found.sent_to_switch}",
        "from the switch": f"{found.received_by_legs} packets of {found.sent_by_switch}",
        "pauses of 40 ms": f"{found.gaps} (the load itself once paused {found.load_stall_ms} ms)",
        "who hears whom": f"{found.checked - len(found.wrongly_heard)} right of {found.checked}",
        "memory": f"{found.memory_kb // 1024} MB",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    console = Console()
    console.print(table)
    for wrong in found.wrongly_heard:
        console.print(wrong)


def run(legs: int = 600, seconds: float = 20.0, json: bool = False) -> Density:
    """Measures, prints a table or JSON, and keeps the result in bench/results."""
    found = trio.run(measure, legs, seconds)
    text = _as_json(found)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"density-{found.date[:10]}.json").write_text(text + "\n")
    if json:
        click.echo(text)
    else:
        _show(found)
    return found


def _as_json(found: Density) -> str:
    return json.dumps({**attrs.asdict(found), "lost": found.lost, "good": found.good}, indent=2)


@click.command("density")
@click.option("--legs", default=600, show_default=True, type=click.IntRange(min=3), help="Legs, in rooms of three.")
@click.option("--seconds", default=20.0, show_default=True, type=click.FloatRange(min=3), help="Measured time.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def command(legs: int, seconds: float, as_json: bool) -> None:
    """CPU per leg of the media process, and the floor."""
    if not run(legs, seconds, as_json).good:
        sys.exit(1)


if __name__ == "__main__":
    command()
