"""`cordboard bench acd`: how long a queue takes to decide who gets a call, with many agents and many calls that wait.

Agents become free one after the other while calls wait: each time the queue offers the first call to that agent, who
takes it, and another call comes. That is how it is all day in a centre that is full. The other case is a centre with
nobody waiting: all agents are free, and one call comes. Both by every strategy; a decision is the whole step of the
queue's actor, from the message to its effects, and how it is written down for a next process. Garbage is looked for as
the control process does it.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, get_args

import attrs
import click
from attrs import frozen
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ..actors import collecting, past
from ..actors import queue_state as queues
from ..actors.acd import Free
from ..actors.agent_state import Offer
from ..actors.effects import Effect, Tell
from ..actors.entries import Strategy
from ..actors.queue import Queue
from ..actors.queue_state import AgentStands, Join, Profile, Standing, Taken
from ..actors.states import Step, changes
from .chart import Line, Panel, draw
from .media import machine
from .outcome import finish

STRATEGIES: Final[tuple[Strategy, ...]] = get_args(Strategy)
# What must hold, in milliseconds: of 99 decisions in a hundred.
AIM_MS: Final = 5.0
BEGIN: Final = 1_000_000.0
LEVELS: Final = 3


@frozen
class Timed:
    """Milliseconds of a step: in the middle, of 99 in a hundred, and the longest; `written` is what it takes of the
    first of these to write it down."""

    p50: float
    p99: float
    longest: float
    written: float


@frozen
class Decided:
    """`full`: calls wait and an agent becomes free. `quiet`: all are free and a call comes. By strategy."""

    machine: str
    date: str
    agents: int
    calls: int
    decisions: int
    full: dict[str, Timed]
    quiet: dict[str, Timed]

    @property
    def problems(self) -> list[str]:
        return [
            f"{kind}, {strategy}: a decision took {timed.p99:.1f} ms (p99), {AIM_MS:g} at most"
            for kind, found in (("full", self.full), ("quiet", self.quiet))
            for strategy, timed in found.items()
            if timed.p99 > AIM_MS
        ]


class Centre:
    """A queue with agents at work; `calls` wait in it."""

    def __init__(self, strategy: Strategy, agents: int, calls: int) -> None:
        self.queue = Queue(Profile("support", "Support", strategy=strategy))
        self.now = BEGIN
        self._pack = past.packer().pack
        self._came = 0
        for number in range(agents):
            self.tell(AgentStands(f"a{number}", standing(number, None)))
        for _ in range(calls):
            self.come()

    def tell(self, message: object) -> list[Effect]:
        self.now += 0.01
        return self.queue.receive(message, self.now)

    def come(self) -> str:
        """Another call; its id."""
        self._came += 1
        self.tell(Join(f"c{self._came}", "+8613800138000", "", "+861055501000", self.now))
        return f"c{self._came}"

    def timed(self, message: object) -> tuple[Offer, float, float]:
        """The first offer that follows from a message, how long that took, and to write it down, in milliseconds."""
        self.now += 0.01
        before, began = self.queue.state, time.perf_counter()
        effects = self.queue.receive(message, self.now)
        decided = time.perf_counter()
        changed = changes(before, self.queue.state)
        self._pack(Step("queue:support", self.now, told=False, changes=changed, effects=tuple(effects)))
        written = time.perf_counter()
        offer = next(each.message for each in effects if isinstance(each, Tell) and isinstance(each.message, Offer))
        return offer, (written - began) * 1e3, (written - decided) * 1e3


def standing(number: int, ready_since: float | None) -> Standing:
    who = Free(f"a{number}", 1 + number % LEVELS, number, ready_since or 0.0)
    return Standing("talking" if ready_since is None else "free", who, follows=False)


def full(strategy: Strategy, agents: int, calls: int, decisions: int) -> Iterator[tuple[float, float]]:
    centre = Centre(strategy, agents, calls)
    for turn in range(decisions):
        number = turn % agents
        offer, took, written = centre.timed(AgentStands(f"a{number}", standing(number, centre.now)))
        yield took, written
        centre.tell(AgentStands(f"a{number}", standing(number, None)))
        centre.tell(Taken(offer.call, f"a{number}"))
        centre.come()


def quiet(strategy: Strategy, agents: int, decisions: int) -> Iterator[tuple[float, float]]:
    centre = Centre(strategy, agents, 0)
    for number in range(agents):
        centre.tell(AgentStands(f"a{number}", standing(number, centre.now)))
    for turn in range(decisions):
        join = Join(f"q{turn}", "+8613800138000", "", "+861055501000", centre.now)
        offer, took, written = centre.timed(join)
        yield took, written
        centre.tell(queues.Leave(offer.call))


def timed(found: list[tuple[float, float]]) -> Timed:
    took = sorted(each for each, _ in found)
    written = sorted(each for _, each in found)
    return Timed(took[len(took) // 2], took[len(took) * 99 // 100], took[-1], written[len(written) // 2])


def measure(agents: int, calls: int, decisions: int, progress: Progress) -> Decided:
    task = progress.add_task("deciding", total=2 * len(STRATEGIES) * decisions)
    results: dict[str, dict[str, Timed]] = {"full": {}, "quiet": {}}
    collecting.settle()
    for strategy in STRATEGIES:
        for kind in results:
            gc.collect()
            found = []
            steps = full(strategy, agents, calls, decisions) if kind == "full" else quiet(strategy, agents, decisions)
            for each in steps:
                found.append(each)
                progress.advance(task)
            results[kind][strategy] = timed(found)
    date = datetime.now(UTC).isoformat(timespec="seconds")
    return Decided(machine(), date, agents, calls, decisions, **results)


def pictured(found: Decided) -> str:
    """The strategies side by side, in the order of the table."""
    titles = {
        f"ms; {found.calls} calls wait, one of {found.agents} agents becomes free": found.full,
        f"ms; {found.agents} agents are free, a call comes": found.quiet,
    }
    panels = [
        Panel(title, [Line("p50", [each.p50 for each in by.values()]), Line("p99", [each.p99 for each in by.values()])])
        for title, by in titles.items()
    ]
    names = ", ".join(f"{at} {strategy}" for at, strategy in enumerate(found.full, 1))
    return draw(f"A decision of a queue on {found.date[:10]}: {names}", range(1, len(found.full) + 1), panels, unit="")


@click.command("acd")
@click.option("--agents", type=click.IntRange(1, 50_000), default=5000, show_default=True, help="Agents of the queue.")
@click.option("--calls", type=click.IntRange(1, 50_000), default=1000, show_default=True, help="Calls that wait in it.")
@click.option("--decisions", type=click.IntRange(1), default=300, show_default=True, help="For each case and strategy.")
@click.option("--json", "json_wanted", is_flag=True, help="Print the result as JSON.")
def command(agents: int, calls: int, decisions: int, json_wanted: bool) -> None:
    """Measure how long a queue takes to decide who gets a call."""
    with Progress(console=Console(stderr=True), transient=True) as progress:
        found = measure(agents, calls, decisions, progress)
    table = Table(title=f"{agents} agents, {calls} calls, {decisions} decisions each; aim: p99 <= {AIM_MS:g} ms")
    for column in ("", "strategy", "p50 ms", "p99 ms", "longest ms", "of it written ms"):
        table.add_column(column, justify="left" if column in ("", "strategy") else "right")
    for kind, by in (("full", found.full), ("quiet", found.quiet)):
        for strategy, each in by.items():
            table.add_row(kind, strategy, *(f"{value:.2f}" for value in attrs.astuple(each)))
    finish("acd", found, pictured(found), table, json_wanted=json_wanted)
