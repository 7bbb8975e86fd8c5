"""How a soak is shown while it lasts, and kept when it is over: a table, JSON, and a picture of its series."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType

import attrs
from rich.console import Console
from rich.live import Live
from rich.table import Table

from . import outcome
from .chart import Line, Panel, draw
from .media import RESULTS
from .series import MAY_GROW_MB, Sample, Soak


class Screen:
    """The last sample, live, on standard error; a line each where that is no terminal."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._phase = ""
        self._sample: Sample | None = None
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False) if self._console.is_terminal else None

    def __enter__(self) -> Screen:
        if self._live is not None:
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, trace)

    def phase(self, text: str) -> None:
        self._phase = text
        self._draw(text)

    def sample(self, sample: Sample) -> None:
        self._sample = sample
        self._draw("; ".join(_rows(sample).values()))

    def _draw(self, line: str) -> None:
        if self._live is None:
            self._console.print(line, soft_wrap=True)
            return
        table = Table(title=f"soak of {self._seconds / 60:g} minutes: {self._phase}", show_header=False)
        if self._sample is not None:
            for name, value in _rows(self._sample).items():
                table.add_row(name, value)
        self._live.update(table, refresh=True)


def _rows(sample: Sample) -> dict[str, str]:
    stands = sample.standing
    return {
        "time": f"{sample.at / 60:.1f} minutes",
        "calls": f"{sample.made} made, {sample.answered} answered, {sample.failed} failed; {stands.calls} live",
        "memory": f"control {sample.control_mb:.1f} MB, media {sample.media_mb:.1f} MB"
        + ("" if sample.page_mb is None else f", page {sample.page_mb:.1f} MB"),
        "control": f"{stands.tasks} tasks, {stands.control_sockets} sockets, {stands.transactions} SIP transactions",
        "media": f"{stands.legs} legs, {stands.edges} edges, {stands.media_sockets} sockets",
        "open rows": f"{stands.open_calls} calls, {stands.open_legs} legs, {stands.open_offers} offers",
        "tick": f"p50 {sample.tick_p50_ms:.2f}, p99 {sample.tick_p99_ms:.2f}, longest {sample.tick_max_ms:.2f} ms; "
        f"{sample.late_ticks} late of {sample.ticks}",
    }


def show(found: Soak) -> None:
    """The result on standard output."""
    table = Table(title=f"{found.seconds / 60:g} minutes of calls", show_header=False)

    def grew(value: float | None) -> str:
        return "too short to tell" if value is None else f"{value:+.2f} MB (less than {MAY_GROW_MB:g})"

    rows = {
        "calls": _joined(found.calls),
        "of customers": _joined(found.kinds),
        "robots": _joined(found.robots),
        "control after minute 10": grew(found.control_growth_mb),
        "media after minute 10": grew(found.media_growth_mb),
        "ticks": f"{found.late_ticks} late of {found.ticks}; p99 of a second {found.tick_p99_ms} ms at most, "
        f"longest {found.tick_max_ms} ms",
        "all is as it was": f"after {found.return_seconds} s" if not found.missing else "no",
        "verdict": "good" if not found.problems else "not good",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    outcome.show(found, table)


def _joined(counts: object) -> str:
    assert isinstance(counts, dict)
    return ", ".join(f"{name} {number}" for name, number in sorted(counts.items()))


def as_json(found: Soak, *, series: bool = False) -> str:
    """With `series` all samples, a line each; without them what they come to."""
    values = {**attrs.asdict(found), "problems": found.problems}
    samples = values.pop("samples")
    text = json.dumps(values, indent=2, ensure_ascii=False)
    if not series:
        return text
    lines = ",\n".join(f"    {json.dumps(_flat(sample))}" for sample in samples)
    return f'{text[:-2]},\n  "samples": [\n{lines}\n  ]\n}}'


def _flat(sample: dict[str, object]) -> dict[str, object]:
    stands = sample.pop("standing")
    assert isinstance(stands, dict)
    return {**sample, **stands}


def keep(found: Soak, folder: Path = RESULTS) -> list[Path]:
    """Writes the result, its series and its picture; gives the files."""
    name = f"soak-{found.date[:10]}-{found.seconds / 60:g}min"
    return outcome.keep(name, as_json(found, series=True), picture(found), folder)


def picture(found: Soak) -> str:
    """The series as an SVG."""
    samples = found.samples
    stands = [sample.standing for sample in samples]
    panels = [
        Panel(
            "Memory, MB",
            [
                Line("control process", [sample.control_mb for sample in samples]),
                Line("media process", [sample.media_mb for sample in samples]),
            ],
            from_zero=False,
        ),
        Panel("Heap of the page, MB", [Line("after a collection", [sample.page_mb for sample in samples])]),
        Panel(
            "Control process",
            [
                Line("Trio tasks", [each.tasks for each in stands]),
                Line("sockets", [each.control_sockets for each in stands]),
                Line("SIP transactions", [each.transactions for each in stands]),
            ],
        ),
        Panel(
            "Media",
            [
                Line("legs", [each.legs for each in stands]),
                Line("edges", [each.edges for each in stands]),
                Line("live calls", [each.calls for each in stands]),
            ],
        ),
        Panel(
            "Rows not ended",
            [
                Line("calls", [each.open_calls for each in stands]),
                Line("legs", [each.open_legs for each in stands]),
                Line("offers", [each.open_offers for each in stands]),
            ],
        ),
        Panel(
            "Ticks, ms",
            [
                Line("half", [sample.tick_p50_ms for sample in samples]),
                Line("99 %", [sample.tick_p99_ms for sample in samples]),
                Line("longest", [sample.tick_max_ms for sample in samples]),
            ],
        ),
        Panel(
            "Calls since the start",
            [
                Line("made", [sample.made for sample in samples]),
                Line("answered", [sample.answered for sample in samples]),
                Line("failed", [sample.failed for sample in samples]),
            ],
        ),
        Panel("Load of the machine", [Line("over a minute", [sample.load for sample in samples])]),
    ]
    title = f"Cordboard, a soak of {found.seconds / 60:g} minutes on {found.date}"
    return draw(title, [sample.at / 60 for sample in samples], panels)
