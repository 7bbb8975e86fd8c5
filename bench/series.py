"""What a soak keeps: one sample every few seconds, and the verdict that follows from them. No I/O.

Memory may grow while a process warms up; after that a straight line is fitted through it. What was there before anybody
came must be there when all have left, to the last socket: `missing` names what is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import numpy as np
from attrs import frozen

MB = 1 << 20
# Memory is measured from here on: by then every code path has run, and every pool is as large as it gets.
WARM_SECONDS = 600.0
# ... over at least this long; less is no measurement.
LEAST_SECONDS = 600.0
MAY_GROW_MB = 5.0


@frozen
class Standing:
    """What stands open in the switch at one moment; equal before and after, or something leaks."""

    tasks: int
    control_sockets: int
    control_files: int
    media_sockets: int
    media_files: int
    actors: int
    calls: int
    transactions: int
    legs: int
    edges: int
    sessions: int
    open_calls: int
    open_legs: int
    open_offers: int


@frozen
class Sample:
    """One line of the series. Times are seconds since the first customer; `made` to `failed` count from there."""

    at: float
    standing: Standing
    control_mb: float
    media_mb: float
    page_mb: float | None
    # Of the machine, over a minute: the bench, its browser and whoever else is there.
    load: float
    tick_p50_ms: float
    tick_p99_ms: float
    tick_max_ms: float
    ticks: int
    late_ticks: int
    made: int
    answered: int
    failed: int


# By the name of a metric; the files are looked at from outside.
_METRICS = {
    "tasks": "cordboard_tasks",
    "actors": "cordboard_actors",
    "calls": "cordboard_calls",
    "transactions": "cordboard_sip_transactions",
    "legs": "cordboard_legs",
    "edges": "cordboard_media_edges",
    "sessions": "cordboard_web_sessions",
    "open_calls": 'cordboard_open_rows{table="calls"}',
    "open_legs": 'cordboard_open_rows{table="legs"}',
    "open_offers": 'cordboard_open_rows{table="offers"}',
}


def standing(metrics: Mapping[str, float], control: Mapping[str, int], media: Mapping[str, int]) -> Standing:
    """`metrics` as /metrics has them, and the open files of both processes by kind. Raises KeyError."""
    return Standing(
        control_sockets=control["sockets"],
        control_files=control["others"],
        media_sockets=media["sockets"],
        media_files=media["others"],
        **{field: int(metrics[name]) for field, name in _METRICS.items()},
    )


def missing(before: Standing, after: Standing) -> dict[str, tuple[int, int]]:
    """What did not return to what it was: (before, after) by name."""
    pairs = ((name, (value, getattr(after, name))) for name, value in attrs.asdict(before).items())
    return {name: pair for name, pair in pairs if pair[0] != pair[1]}


def growth(samples: Sequence[Sample], field: str) -> float | None:
    """Megabytes that a straight line through `field` gains from minute 10 to the end; None: too short to tell."""
    warm = [sample for sample in samples if sample.at >= WARM_SECONDS]
    if not warm or warm[-1].at - warm[0].at < LEAST_SECONDS:
        return None
    at = np.array([sample.at for sample in warm])
    values = np.array([getattr(sample, field) for sample in warm], float)
    slope = np.polyfit(at - at[0], values, 1)[0]
    return float(slope * (at[-1] - at[0]))


@frozen
class Soak:
    """One run, as it is kept: what was done, what the switch stood at before and after, and its series."""

    date: str
    machine: str
    cores: int
    python: str
    # What else the machine did, for whoever reads the ticks.
    note: str
    seconds: float
    seed: int
    calls: Mapping[str, int]
    kinds: Mapping[str, int]
    robots: Mapping[str, int]
    failed: Mapping[str, int]
    refused: Mapping[str, int]
    deaf: int
    vanished: int
    control_growth_mb: float | None
    media_growth_mb: float | None
    before: Standing
    after: Standing
    missing: Mapping[str, tuple[int, int]]
    return_seconds: float
    tick_p99_ms: float
    tick_max_ms: float
    late_ticks: int
    ticks: int
    exit_code: int | None
    complaints: Sequence[str]
    samples: Sequence[Sample]

    @property
    def problems(self) -> list[str]:
        """Why it is not good, a line each."""
        found = [f"{name}: {before} before, {after} after" for name, (before, after) in self.missing.items()]
        found += [f"calls failed: {number} times {why}" for why, number in self.failed.items()]
        found += [f"robots were refused: {number} times {why}" for why, number in self.refused.items()]
        found += [f"the switch complains: {line}" for line in self.complaints]
        # Who picks up a call whose caller has vanished meanwhile hears nothing, and rightly.
        if self.deaf > self.vanished:
            found.append(f"{self.deaf} conversations were silent; {self.vanished} callers had vanished")
        for process, grown in (("control", self.control_growth_mb), ("media", self.media_growth_mb)):
            if grown is not None and grown >= MAY_GROW_MB:
                found.append(f"the {process} process grew by {grown:.1f} MB after minute {WARM_SECONDS / 60:.0f}")
        if self.exit_code:
            found.append(f"the switch ended with {self.exit_code}")
        return found
