"""`cordboard bench memory`: what a leg takes, and whether a hundred thousand that came and went leave any.

The real engine in virtual time, in this process. First all legs at once, in pairs that hear each other, with two
seconds of packets both ways, so that every column of a leg is in use: what the process has grown by is theirs. Then as
many at a time are opened, talk and are closed, over and over, half a minute apart, as ports rest between two calls.
Memory is what is resident. What a page's leg of Opus takes is weighed in the real media process (weigh.py): what many
such legs take more than a few.
"""

from __future__ import annotations

import gc
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import numpy as np
import trio
from attrs import evolve, frozen
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ..codecs import g711
from ..switch import protocol, rtp
from ..switch.engine import Engine
from ..switch.ports import LocalPort
from ..switch.seams import Batch
from ..switch.sockaddr import socket_name
from .chart import Line, Panel, draw
from .media import machine
from .outcome import finish
from .weigh import Scene, weigh

TICK: Final = 0.020
AT_ONCE: Final = 500
TALK_TICKS: Final = 100  # 2 s: the ring of the playout has gone round three times
CHURN_TICKS: Final = 10
APART: Final = 31.0  # seconds, more than a port rests
WARM: Final = 0.2  # of the churn: by then every pool is as large as it gets
AIM_KB: Final = 40.0
AIM_OPUS_KB: Final = 180.0
FEW, MANY = 12, 72  # legs of Opus
OPUS_SECONDS: Final = 3.0
MAY_GROW_MB: Final = 2.0


@frozen
class Found:
    """One measurement, as it is kept. `series`: resident MB after each `at_once` legs; `grown_mb`: what a straight line
    through it gains from the first fifth on. `kb_per_opus_leg`: 0 where it was not weighed."""

    date: str
    machine: str
    python: str
    at_once: int
    kb_per_leg: float
    legs: int
    grown_mb: float
    series: Sequence[float]
    kb_per_opus_leg: float = 0.0

    @property
    def problems(self) -> list[str]:
        """Why it is not good, a line each."""
        found = []
        if self.kb_per_leg > AIM_KB:
            found.append(f"a leg takes {self.kb_per_leg:.1f} kB, more than {AIM_KB:g}")
        if self.kb_per_opus_leg > AIM_OPUS_KB:
            found.append(f"a leg of Opus takes {self.kb_per_opus_leg:.1f} kB, more than {AIM_OPUS_KB:g}")
        if self.grown_mb > MAY_GROW_MB:
            found.append(f"{self.legs} legs left {self.grown_mb:.1f} MB, more than {MAY_GROW_MB:g}")
        return found


def grown(series: Sequence[float]) -> float:
    """What a straight line gains over the series from where it is warm."""
    warm = np.array(series[round(WARM * len(series)) :])
    return float(np.polyfit(np.arange(len(warm)), warm, 1)[0] * (len(warm) - 1)) if len(warm) > 1 else 0.0


def resident_mb() -> float:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


class Exchange:
    """An engine, and the far sides of `at_once` legs."""

    def __init__(self, at_once: int) -> None:
        self._n = at_once
        self._now = 1000.0
        self._opened = 0
        port = LocalPort("192.0.2.1", 20002)
        self._engine = Engine(
            ports=(port,),
            advertise=lambda index, peer: (port.address, port.port),
            rng=np.random.default_rng(1),
            now=self._now,
            capacity=2 * at_once,
        )
        self._names = np.stack([np.frombuffer(socket_name("198.51.100.1", i + 1), np.uint8) for i in range(at_once)])
        noise = np.random.default_rng(2).integers(-8000, 8000, (at_once, 160)).astype(np.int16)
        self._data = np.zeros((at_once, 172), np.uint8)
        self._data[:, 12:] = g711.encode_ulaw(noise)

    def talk(self, ticks: int) -> None:
        """Opens all legs, lets them talk in pairs for `ticks`, and closes them."""
        self._engine.command(protocol.Ping(self._opened), self._now)
        names = [f"leg {self._opened + i}" for i in range(self._n)]
        self._opened += self._n
        for i, name in enumerate(names):
            open_leg = protocol.OpenRtpLeg(name, "198.51.100.1", i + 1, protocol.Codec("pcmu", 0, 101))
            (fact,) = self._engine.command(open_leg, self._now)
            assert isinstance(fact, protocol.LegOpened), fact
        edges = (protocol.Hears(names[i], ((names[i ^ 1], 1.0),)) for i in range(self._n))
        self._engine.command(protocol.Rewire(tuple(edges)), self._now)
        every = np.arange(self._n)
        for tick in range(ticks):
            numbers = np.full(self._n, tick, np.uint16), np.full(self._n, 160 * tick, np.uint32)
            rtp.write(self._data, np.zeros(self._n, np.uint8), every < 0, *numbers, every.astype(np.uint32))
            at = np.full(self._n, self._now + 0.011)
            length, socket = np.full(self._n, 172, np.int32), np.zeros(self._n, np.int32)
            self._engine.receive(Batch(self._data, length, socket, self._names, at), self._now + 0.011)
            self._now += TICK
            self._engine.tick(self._now)
        self._before_closing = resident_mb()
        for name in names:
            self._engine.command(protocol.CloseLeg(name), self._now)
        self._now += APART
        self._engine.command(protocol.Ping(self._opened), self._now)
        self._engine.tick(self._now)

    @property
    def most_mb(self) -> float:
        """Resident before the last legs were closed."""
        return self._before_closing


def measure(legs: int, progress: Progress, at_once: int = AT_ONCE) -> Found:
    """All of it."""
    few = Exchange(2)
    few.talk(TALK_TICKS)  # what is imported and made once is nobody's
    before = resident_mb()
    exchange = Exchange(at_once)
    exchange.talk(TALK_TICKS)
    kb = (exchange.most_mb - before) * 1024 / at_once
    task = progress.add_task("legs opened and closed", total=legs)
    series, gone = [], 0
    while gone < legs:
        exchange.talk(CHURN_TICKS)
        gone += at_once
        series.append(round(resident_mb(), 2))
        progress.update(task, completed=gone)
    return Found(
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        machine=machine(),
        python=platform.python_version(),
        at_once=at_once,
        kb_per_leg=round(kb, 1),
        legs=gone,
        grown_mb=round(grown(series), 2),
        series=series,
    )


async def opus_leg() -> float:
    """kB of each leg that MANY are more than FEW: both ends of its codec, its keys, and what its handshake left."""
    cores = sorted(os.sched_getaffinity(0))
    scene = Scene(codec="opus", secure=True)
    few, many = [(await weigh(scene, legs, OPUS_SECONDS, cores)).memory_kb for legs in (FEW, MANY)]
    return round((many - few) / (MANY - FEW), 1)


def picture(found: Found) -> str:
    """Resident memory over legs, as an SVG."""
    thousands = [(i + 1) * found.at_once / 1000 for i in range(len(found.series))]
    panel = Panel("Resident, MB, over thousands of legs", [Line("engine", found.series)], from_zero=False)
    return draw(f"Cordboard, {found.legs} legs opened and closed on {found.date}", thousands, [panel], unit="k")


def table(found: Found) -> Table:
    """The result, to be read."""
    made = Table(title="Memory of legs: plain G.711, if nothing else is said", show_header=False)
    made.add_row("a leg", f"{found.kb_per_leg} kB (aim {AIM_KB:g}), {found.at_once} at once")
    if found.kb_per_opus_leg:
        made.add_row("a page's leg of Opus", f"{found.kb_per_opus_leg} kB (aim {AIM_OPUS_KB:g}), {MANY} at once")
    made.add_row(f"{found.legs} legs", f"{found.grown_mb:+.2f} MB (less than {MAY_GROW_MB:g})")
    made.add_row("resident", f"{found.series[0]} MB at first, {found.series[-1]} MB at last")
    return made


@click.command("memory")
@click.option("--legs", default=100_000, show_default=True, type=click.IntRange(min=1000), help="Opened and closed.")
@click.option("--json", "json_wanted", is_flag=True, help="Print JSON instead of a table.")
def command(legs: int, json_wanted: bool) -> None:
    """What a leg takes, of plain G.711 and of Opus in a page, and what a hundred thousand leave."""
    with Progress(console=Console(stderr=True)) as progress:
        found = measure(legs, progress)
    found = evolve(found, kb_per_opus_leg=trio.run(opus_leg))
    finish("memory", found, picture(found), table(found), json_wanted=json_wanted)
