"""`cordboard bench quality`: what a listener gets of a talker, as PESQ, with and without loss.

The corpus is `bench/voices`: sixteen sentences of telephone speech in English and Chinese, by espeak-ng. Each is sent
through the real engine in virtual time, once for every seed and share of loss, all of them at once; the engine decodes,
conceals, mixes and encodes, and what comes out is compared with the sentence. Beside it stand the bare codec (mu-law
and back) and, for the same lost packets, ITU-T G.711 Appendix I done plainly (appendix.py), each sentence by itself.

PESQ (ITU-T P.862.1, narrow band) is the package `pesq`: `pip install 'cordboard[bench]'`.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import numpy as np
from attrs import frozen
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ..codecs import g711
from ..codecs.g711 import Pcm
from ..switch import protocol, rtp
from ..switch.engine import Engine
from ..switch.ports import LocalPort
from ..switch.seams import Batch
from ..switch.sockaddr import NAME, socket_name
from .appendix import concealed
from .chart import Line, Panel, draw
from .customer import decode
from .media import machine
from .outcome import finish

CORPUS: Final = Path(__file__).with_name("voices")
LOSSES: Final = (0.0, 0.01, 0.03, 0.05)
MEASURED: Final = (0.03, 0.05)  # where it must stand beside the Appendix
AIM: Final = 0.1  # of PESQ
TICK: Final = 0.020
FRAME: Final = 160
# Before it and after it nothing is said: the playout begins, and the last frame has time to come.
LEAD_IN, LEAD_OUT = 10, 10
ARRIVES: Final = 0.005  # seconds after a tick: no playout finds delay that it could let go
LISTENERS_FROM: Final = 40_000  # their port numbers; talkers' are below


@frozen
class Point:
    """Mean PESQ at one share of loss, over all sentences and seeds."""

    loss_percent: float
    switch: float
    appendix: float
    runs: int


@frozen
class Found:
    """One measurement, as it is kept."""

    date: str
    machine: str
    python: str
    corpus: str
    sentences: int
    seeds: int
    codec: float
    points: Sequence[Point]

    @property
    def problems(self) -> list[str]:
        """Why it is not good, a line each."""
        found = []
        for point in self.points:
            if point.loss_percent == 0 and point.switch < self.codec - AIM:
                found.append(f"clean: {point.switch:.2f}, and the bare codec has {self.codec:.2f}")
            if point.loss_percent / 100 in MEASURED and point.switch < point.appendix - AIM:
                found.append(f"{point.loss_percent:g} % loss: {point.switch:.2f}, and Appendix I {point.appendix:.2f}")
        return found


@frozen
class Run:
    """One talker: a sentence in whole frames int16 [n, 160], and which of its packets are lost, bool [n]."""

    sentence: Pcm
    lost: NDArray[np.bool_]


def sentences(corpus: Path = CORPUS) -> list[Pcm]:
    """Each file of the corpus in whole frames: int16 [n, 160]."""
    sounds = [decode(path) for path in sorted(corpus.glob("*.opus"))]
    return [sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME) for sound in sounds]


def losing(sentence: Pcm, loss: float, seed: int) -> Run:
    """Each packet is lost by itself, with the same chance."""
    return Run(sentence, np.random.default_rng(seed).random(len(sentence)) < loss)


def through_the_switch(runs: Sequence[Run]) -> list[Pcm]:
    """What each talker's listener hears, in time with the sentence: int16 [n, 160] each."""
    n = len(runs)
    now = 1000.0
    port = LocalPort("192.0.2.1", 20002)
    engine = Engine(
        ports=(port,),
        advertise=lambda index, peer: (port.address, port.port),
        rng=np.random.default_rng(1),
        now=now,
        capacity=2 * n,
    )
    for i in range(n):
        for name, number in ((f"talker {i}", i + 1), (f"listener {i}", LISTENERS_FROM + i)):
            (fact,) = engine.command(protocol.OpenRtpLeg(name, "198.51.100.1", number, protocol.Codec("pcmu", 0)), now)
            assert isinstance(fact, protocol.LegOpened), fact
    edges = (protocol.Hears(f"listener {i}", ((f"talker {i}", 1.0),)) for i in range(n))
    engine.command(protocol.Rewire(tuple(edges)), now)
    names = np.stack([np.frombuffer(socket_name("198.51.100.1", i + 1), np.uint8) for i in range(n)])
    said = np.full((LEAD_IN + max(len(run.sentence) for run in runs) + LEAD_OUT, n, FRAME), g711.ULAW_SILENCE, np.uint8)
    lost = np.zeros(said.shape[:2], np.bool_)
    for i, run in enumerate(runs):
        part = slice(LEAD_IN, LEAD_IN + len(run.sentence))
        said[part, i], lost[part, i] = g711.encode_ulaw(run.sentence), run.lost
    heard = np.full_like(said, g711.ULAW_SILENCE)
    for tick in range(len(said)):
        some = np.flatnonzero(~lost[tick])
        engine.receive(_packets(some, tick, said[tick], names[some], now + ARRIVES), now + ARRIVES)
        now += TICK
        outgoing, _ = engine.tick(now)
        (sent,) = outgoing.parts
        numbers = sent.name[:, 2].astype(np.intp) << 8 | sent.name[:, 3]
        ours = np.flatnonzero(numbers >= LISTENERS_FROM)
        heard[tick, numbers[ours] - LISTENERS_FROM] = sent.data[ours, 12:172]
    pcm = g711.decode_ulaw(heard)
    late = _late(said, heard, lost)
    return [pcm[LEAD_IN + late : LEAD_IN + late + len(run.sentence), i] for i, run in enumerate(runs)]


def _late(said: NDArray[np.uint8], heard: NDArray[np.uint8], lost: NDArray[np.bool_]) -> int:
    """How many ticks later than said it is heard: where most frames that came are the same."""
    came = ~lost[:-LEAD_OUT]
    same = [
        int(((said[:-LEAD_OUT] == heard[late : len(said) - LEAD_OUT + late]).all(axis=2) & came).sum())
        for late in range(LEAD_OUT)
    ]
    return int(np.argmax(same))


def _packets(rows: NDArray[np.intp], tick: int, said: NDArray[np.uint8], names: NDArray[np.uint8], at: float) -> Batch:
    n = len(rows)
    data = np.zeros((n, 172), np.uint8)
    numbers = np.full(n, tick, np.uint16), np.full(n, tick * FRAME, np.uint32)
    rtp.write(data, np.zeros(n, np.uint8), np.full(n, tick == 0), *numbers, rows.astype(np.uint32))
    data[:, 12:] = said[rows]
    names = names.reshape(n, NAME)
    return Batch(data, np.full(n, 172, np.int32), np.zeros(n, np.int32), names, np.full(n, at))


def by_the_codec(sentence: Pcm) -> Pcm:
    """To mu-law and back."""
    return g711.decode_ulaw(g711.encode_ulaw(sentence))


def by_the_appendix(run: Run) -> Pcm:
    """What Appendix I makes of the packets that came; it is 3.75 ms late, for which PESQ does not care."""
    frames = [None if gone else frame for frame, gone in zip(by_the_codec(run.sentence), run.lost, strict=True)]
    return concealed(frames, FRAME)


def measure(seeds: int, progress: Progress) -> Found:
    """All of it. Raises ImportError where `pesq` is not installed."""
    from pesq import pesq

    def rated(sentence: Pcm, heard: Pcm) -> float:
        return float(pesq(8000, sentence.reshape(-1), heard.reshape(-1), "nb"))

    spoken = sentences()
    codec = [rated(sentence, by_the_codec(sentence)) for sentence in spoken]
    points = []
    for loss in LOSSES:
        # Without loss all seeds are one.
        runs = [losing(sentence, loss, seed) for sentence in spoken for seed in range(seeds if loss else 1)]
        task = progress.add_task(f"{100 * loss:g} % loss", total=len(runs))
        scores = []
        for run, heard in zip(runs, through_the_switch(runs), strict=True):
            scores.append((rated(run.sentence, heard), rated(run.sentence, by_the_appendix(run))))
            progress.advance(task)
        switch, appendix = (round(float(score), 3) for score in np.mean(scores, axis=0))
        points.append(Point(100 * loss, switch, appendix, len(runs)))
    return Found(
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        machine=machine(),
        python=platform.python_version(),
        corpus="bench/voices: espeak-ng, English and Chinese, 8 kHz",
        sentences=len(spoken),
        seeds=seeds,
        codec=round(float(np.mean(codec)), 3),
        points=points,
    )


def picture(found: Found) -> str:
    """PESQ over loss, as an SVG."""
    lines = [
        Line("bare codec", [found.codec] * len(found.points)),
        Line("the switch", [point.switch for point in found.points]),
        Line("Appendix I, offline", [point.appendix for point in found.points]),
    ]
    title = f"Cordboard, PESQ of {found.sentences} sentences and {found.seeds} seeds on {found.date}"
    percent = [point.loss_percent for point in found.points]
    return draw(title, percent, [Panel("PESQ over packets lost", lines, from_zero=False)], unit="%")


def table(found: Found) -> Table:
    """The result, to be read."""
    made = Table(title=f"PESQ of {found.sentences} sentences, {found.seeds} seeds; bare codec {found.codec:.3f}")
    for heading in ("loss", "the switch", "Appendix I, offline", "difference", "runs"):
        made.add_column(heading, justify="right")
    for point in found.points:
        cells = f"{point.loss_percent:g} %", f"{point.switch:.3f}", f"{point.appendix:.3f}"
        made.add_row(*cells, f"{point.switch - point.appendix:+.3f}", str(point.runs))
    return made


@click.command("quality")
@click.option("--seeds", default=20, show_default=True, type=click.IntRange(min=1), help="Of losses, per sentence.")
@click.option("--json", "json_wanted", is_flag=True, help="Print JSON instead of a table.")
def command(seeds: int, json_wanted: bool) -> None:
    """PESQ of what a listener gets, clean and with loss, beside G.711 Appendix I."""
    try:
        with Progress(console=Console(stderr=True)) as progress:
            found = measure(seeds, progress)
    except ImportError as error:
        raise click.ClickException("PESQ is missing: pip install 'cordboard[bench]'") from error
    finish("quality", found, picture(found), table(found), json_wanted=json_wanted)
