"""Automatic call distribution: which agent a call is offered to, and why not another (F-82, X-4).

    decide(question) -> Decision(chosen, ranked, excluded)

A pure function of what a queue knows at that moment: how the call stands, and who is free. Of two free agents the one
of the lower level is the better, whatever the strategy; it settles among those of one level. Where the queue widens,
only agents of level 1 are asked at first, and every so many seconds of waiting those of one level more.

| strategy | first is |
| --- | --- |
| longest-idle | who has been idle longest |
| round-robin | who comes after the one that was offered a call last, in the order of the organisation |
| fewest-calls | who has taken the fewest calls since signing in; of equals who has been idle longest |
| least-talk-time | who has talked least since signing in; of equals who has been idle longest |
| random | drawn by lot from the call's id and how often it has been offered, so that it is the same when asked again |
| ring-all | everybody at once |
| top-down | who comes first in the organisation |
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping
from operator import itemgetter
from typing import Final, Literal, assert_never
from zlib import crc32

from attrs import field, frozen

from .organisation import Strategy

# So many of the best are told in a decision; who comes after them is one of `more`.
RANKED: Final = 50
# More agents are not rung at once: each is a page that rings.
RING_ALL: Final = 50

Why = Literal["declined", "missed", "level"]


@frozen
class Free:
    """An agent who may take a call now. `place` is its place in the organisation, `calls` and `talked`, in seconds, are
    of the time since it signed in."""

    agent: str
    level: int
    place: int
    ready_since: float
    calls: int = 0
    talked: float = 0.0


@frozen
class Question:
    """A call that waits, to be `offered` for that time again, and who is free. `barred` are those who may not have it.

    `after` is the place of the agent that this queue offered a call last.
    """

    call: str
    strategy: Strategy
    since: float
    now: float
    offered: int = 0
    widen_seconds: float = 0.0
    after: int = -1
    free: tuple[Free, ...] = ()
    barred: Mapping[str, Why] = field(factory=dict)

    def asked_from(self, level: int) -> float:
        """When agents of that level are asked."""
        return self.since + (level - 1) * self.widen_seconds if self.widen_seconds > 0 else -math.inf


@frozen
class Decision:
    """Who is offered the call, all of them at once; the best of who could be, in order; and who could not, and why."""

    chosen: tuple[str, ...]
    ranked: tuple[Free, ...]
    more: int
    excluded: tuple[tuple[str, Why], ...]


def decide(question: Question) -> Decision:
    """Nobody is chosen where nobody is free who may have it."""
    barred, now = question.barred, question.now
    late = {level for level in {each.level for each in question.free} if question.asked_from(level) > now}
    asked = [each for each in question.free if each.agent not in barred and each.level not in late]
    excluded = tuple(
        (each.agent, barred.get(each.agent, "level"))
        for each in question.free
        if each.agent in barred or each.level in late
    )
    ranked = [each[-1] for each in heapq.nsmallest(RANKED, _keyed(question, asked), key=itemgetter(0))]
    chosen = ranked[:RING_ALL] if question.strategy == "ring-all" else ranked[:1]
    return Decision(tuple(each.agent for each in chosen), tuple(ranked), len(asked) - len(ranked), excluded)


def _keyed(question: Question, asked: list[Free]) -> list[tuple[tuple[float, ...], Free]]:
    """Each with what it is ranked by, the lowest first."""
    match question.strategy:
        case "longest-idle" | "ring-all":
            return [((each.level, each.ready_since, each.place), each) for each in asked]
        case "round-robin":
            after = question.after
            return [((each.level, each.place <= after, each.place), each) for each in asked]
        case "fewest-calls":
            return [((each.level, each.calls, each.ready_since, each.place), each) for each in asked]
        case "least-talk-time":
            return [((each.level, each.talked, each.ready_since, each.place), each) for each in asked]
        case "random":
            # each has a lot of its own: who else is free changes nothing between two
            lot = crc32(f"{question.call} {question.offered} ".encode())
            return [((each.level, crc32(each.agent.encode(), lot), each.place), each) for each in asked]
        case "top-down":
            return [((each.level, each.place), each) for each in asked]
        case _:
            assert_never(question.strategy)


def widens_at(question: Question) -> float:
    """When agents are asked that are free and not asked yet, or `math.inf`."""
    moments = (question.asked_from(each.level) for each in question.free if each.agent not in question.barred)
    return min((moment for moment in moments if moment > question.now), default=math.inf)
