"""One weighing of the media process under a load, for density.py: what it took, tick by tick, and what came of it.

A scene says what the legs are and what they do; the switch runs as its own process, driven through its real link, on
one core, and the load on another.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import Popen
from typing import Final

import attrs
import trio
from attrs import frozen

from ..switch import jobs, protocol
from ..switch.engine import READS
from ..switch.link import connect_unix
from ..switch.process import AccessPoint, MediaConfig
from .floor import Floor
from .media import Link, cpu_seconds, memory_kb, process, tell, told
from .pageload import PageLoad
from .pages import answer, opening, rooms
from .rtpload import Heard, Load
from .whom import judge

SETTLE: Final = 3.0  # seconds: playouts find their delay
TAIL: Final = 2.0
LEGS_PER_SOCKET: Final = 8  # of a load of plain legs: as many as the switch has ports
TAG: Final = 16  # octets of AEAD_AES_128_GCM, which pages and we agree on
CHECKED_ROOMS: Final = 10
ENCODED: Final = 10  # calls that are made into files
PROBE: Final = 2.0  # seconds before and after
TURNS: Final = 2  # of one core and of two
# With events, as trunks have them: a leg without is listened to for tones (+1.2 us a tick, test_dtmf).
PLAIN: Final = protocol.Codec("pcmu", 0, 101)


@frozen
class Scene:
    """`codec` and `secure`: plain G.711, G.711 of pages, or Opus of pages; `size` of the rooms; whether all calls are
    recorded; `bare`: without meters and reports."""

    codec: protocol.CodecName = "pcmu"
    secure: bool = False
    size: int = 3
    recorded: bool = False
    bare: bool = False


@frozen
class Weighed:
    """Percentages are of one core. `heard`: of the packets that the legs should have been sent while it was measured,
    those that came. `series`: (ms p50, p99, longest, % of a core) of each second. Of the legs that were
    `checked`, some heard others than they should, `wrongly_heard`, and some whom they should, with breaks, `broken`
    (whom.py), which are the load's own where it came later than a playout waits for (`load_late_ms`). `stolen`: of the
    switch's core while nothing ran, in % and the longest piece in ms. `encoding_percent`: of a core per leg, once its
    call is over and is made into a file, for as long as the call was, by an encoder that has begun."""

    cpu_percent_per_leg: float
    series: Sequence[tuple[float, float, float, float]]
    ticks: int
    late_ticks: int
    sent_to_switch: int
    received_by_switch: int
    sent_by_switch: int
    received_by_legs: int
    heard: float
    gaps: int
    load_stall_ms: float
    load_late_ms: float
    checked: int
    wrongly_heard: tuple[str, ...]
    broken: tuple[str, ...]
    memory_kb: int
    stolen: tuple[float, float]
    encoding_percent: float


def checked(legs: int, size: int) -> tuple[int, ...]:
    """The legs of the first and the last rooms."""
    ends = (*range(size * CHECKED_ROOMS), *range(legs - size * CHECKED_ROOMS, legs))
    return tuple(sorted({leg for leg in ends if 0 <= leg < legs}))


def stolen(core: int) -> tuple[float, float]:
    with process("probe", str(PROBE), core=core) as probe:
        percent, ms = json.loads(told(probe))
    return percent, ms


@asynccontextmanager
async def _switch(scene: Scene, folder: str, core: int) -> AsyncIterator[tuple[Link, int]]:
    """The media process on one core: its link and its pid."""
    path = f"{folder}/media.sock"
    config = MediaConfig(
        addresses=("127.0.0.1",),
        rtp_ports="0",
        access_points=(AccessPoint(addresses=("127.0.0.1",), port=0),),
        recordings=folder if scene.recorded else "",
        bare=scene.bare,
    )
    with process("cordboard.switch.process", path, core=core) as switch:
        tell(switch, config.to_json())
        told(switch)
        async with await connect_unix(path) as stream, trio.open_nursery() as nursery:
            link = Link(stream)
            nursery.start_soon(link.listen)
            nursery.start_soon(link.ping)
            yield link, switch.pid
            nursery.cancel_scope.cancel()


async def _begin_plain(link: Link, source: Popen[str], legs: int, settle: float, seconds: float, ends: tuple[int, ...],
                       size: int) -> None:  # fmt: skip
    load = Load(legs, -(-legs // LEGS_PER_SOCKET), settle, seconds, TAIL, ends)
    tell(source, json.dumps(attrs.asdict(load)))
    ports: list[int] = json.loads(told(source))
    for leg in range(legs):
        await link.tell(protocol.OpenRtpLeg(str(leg), "127.0.0.1", ports[leg % load.sockets], PLAIN))
    opened = await link.answers(legs)
    await link.tell(rooms(legs, size))
    tell(source, json.dumps([(fact.address, fact.port) for fact in opened]))
    told(source)


async def _begin_pages(link: Link, source: Popen[str], codec: protocol.CodecName, legs: int, settle: float,
                       seconds: float, ends: tuple[int, ...], size: int) -> None:  # fmt: skip
    tell(source, json.dumps(attrs.asdict(PageLoad(codec, legs, settle, seconds, TAIL, ends))))
    offers: list[str] = json.loads(await trio.to_thread.run_sync(told, source))
    for leg, offer in enumerate(offers):
        await link.tell(opening(str(leg), offer, codec))
    opened = await link.page_answers(legs)
    await link.tell(rooms(legs, size))
    answers = [answer(offer, codec, fact) for offer, fact in zip(offers, opened, strict=True)]
    tell(source, json.dumps(answers))
    await trio.to_thread.run_sync(told, source)
    tell(source, "go")


async def weigh(scene: Scene, legs: int, seconds: float, cores: Sequence[int]) -> Weighed:
    """Raises RuntimeError when the switch refuses or a process ends."""
    before = stolen(cores[0])
    ends = checked(legs, scene.size)
    with (
        tempfile.TemporaryDirectory() as folder,
        process("pageload" if scene.secure else "rtpload", core=cores[-1]) as source,
    ):
        async with _switch(scene, folder, cores[0]) as (link, pid):
            if scene.secure:
                await _begin_pages(link, source, scene.codec, legs, SETTLE, seconds, ends, scene.size)
            else:
                await _begin_plain(link, source, legs, SETTLE, seconds, ends, scene.size)
            calls = [f"call-{leg}" for leg in range(0, legs, scene.size)] if scene.recorded else []
            for call in calls:
                await link.tell(protocol.OpenRecording(call))
            for call, leg in zip(calls, range(0, legs, scene.size), strict=False):
                customer = protocol.Hears(protocol.left(call), ((str(leg), 1.0),))
                agents = tuple((str(leg + i), 1.0) for i in range(1, scene.size))
                await link.tell(protocol.Rewire((customer, protocol.Hears(protocol.right(call), agents))))
            await trio.sleep(SETTLE)
            spent, series = await _watch(link, pid, seconds)
            await trio.sleep(0.2)
            for leg in range(legs):
                await link.tell(protocol.CloseLeg(str(leg)))
            for call in calls:
                await link.tell(protocol.CloseRecording(call))
            heard = Heard(**json.loads(await trio.to_thread.run_sync(told, source)))
            await link.recordings_closed(len(calls))
            counters, memory = link.reports()[-1].counters, memory_kb(pid)
        encoding = _encode(Path(folder), cores[0], scene.size) if scene.recorded else 0.0
    after = stolen(cores[0])
    reports, verdict = series[1], judge(heard.tones, scene.size)
    return Weighed(
        cpu_percent_per_leg=round(100 * spent / seconds / legs, 4),
        series=series[0],
        ticks=sum(report.ticks for report in reports),
        late_ticks=sum(report.late_ticks for report in reports),
        sent_to_switch=heard.sent,
        received_by_switch=counters["packets_received"],
        sent_by_switch=counters["packets_sent"],
        received_by_legs=heard.received,
        heard=heard.share(legs, seconds),
        gaps=heard.gaps,
        load_stall_ms=heard.stall_ms,
        load_late_ms=heard.late_ms,
        checked=len(heard.tones),
        wrongly_heard=verdict.wrong,
        broken=verdict.broken,
        memory_kb=memory,
        stolen=(round((before[0] + after[0]) / 2, 2), max(before[1], after[1])),
        encoding_percent=encoding,
    )


async def _watch(
    link: Link, pid: int, seconds: float
) -> tuple[float, tuple[list[tuple[float, float, float, float]], list[protocol.EngineReport]]]:
    """The CPU seconds of the process in so many seconds, and what each report in them says."""
    first, begun = len(link.reports()), cpu_seconds(pid)
    series: list[tuple[float, float, float, float]] = []
    seen, spent, at = first, begun, time.monotonic()
    end = trio.current_time() + seconds
    while trio.current_time() < end:
        await trio.sleep_until(min(trio.current_time() + 0.1, end))
        if len(reports := link.reports()) > seen:
            seen, now, used = len(reports), time.monotonic(), cpu_seconds(pid)
            series.append((*reports[-1].tick_ms, round(100 * (used - spent) / (now - at), 1)))
            spent, at = used, now
    return cpu_seconds(pid) - begun, (series, link.reports()[first:])


def _encode(folder: Path, core: int, size: int) -> float:
    """Makes files of some calls: % of a core per leg and second of them. That the encoder begins is not counted: it
    does so once for hundreds of calls."""
    raws = sorted(folder.rglob("*.cbr"))[:ENCODED]
    with process("cordboard.switch.encoder", core=core) as made:
        _encoded(made, raws[0])
        begun = cpu_seconds(made.pid)
        seconds = sum(_encoded(made, raw) for raw in raws)
        return round(100 * (cpu_seconds(made.pid) - begun) / seconds / size, 4)


def _encoded(made: Popen[str], raw: Path) -> float:
    """How many seconds long it is."""
    tell(made, jobs.Wanted(str(raw), str(raw.with_suffix(".opus")), "opus").line().decode().strip())
    while True:
        answer = jobs.parse_answer(told(made).encode())
        if isinstance(answer, jobs.Encoded):
            return answer.seconds


async def floor(scene: Scene, legs: int, seconds: float, cores: Sequence[int]) -> float:
    """% of a core per leg: the packets of the scene's legs of G.711, from as many sockets as they have there."""
    tag = TAG if scene.secure else 0
    load = Load(legs, legs if scene.secure else -(-legs // LEGS_PER_SOCKET), SETTLE, seconds, TAIL, (), tag)
    with process("floor", core=cores[0]) as bare, process("rtpload", core=cores[-1]) as source:
        port = int(told(bare))
        tell(source, json.dumps(attrs.asdict(load)))
        ports: list[int] = json.loads(told(source))
        of_legs = [ports[leg % load.sockets] for leg in range(load.legs)]
        tell(bare, json.dumps(attrs.asdict(Floor(of_legs, 172 + tag, READS if scene.secure else 1))))
        tell(source, json.dumps([("127.0.0.1", port)] * load.legs))
        told(source)
        await trio.sleep(load.settle)
        before = cpu_seconds(bare.pid)
        await trio.sleep(load.seconds)
        return round(100 * (cpu_seconds(bare.pid) - before) / load.seconds / load.legs, 4)


def alone(what: str, legs: int, seconds: float, core: int) -> float:
    """% of a core per leg that the libraries take by themselves."""
    with process("alone", what, str(legs), str(seconds), core=core) as loop:
        return round(100 * float(told(loop)) / 0.020, 4)


def cores_ratio(legs: int, ticks: int, cores: Sequence[int]) -> float:
    """How many times the legs of one core two hold: recorded packets of Opus through the engine, as fast as it goes, by
    turns on one and on both."""
    seconds = [0.0, 0.0]
    for turn in range(2 * TURNS):
        with process("recorded", "opus", str(legs), str(ticks), core=cores[: 1 + turn % 2]) as run:
            seconds[turn % 2] += float(json.loads(told(run))["seconds"])
    return round(seconds[0] / seconds[1], 2)
