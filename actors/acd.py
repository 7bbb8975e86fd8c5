"""Automatic call distribution: which agent a call is offered to, and why not another.

    choose(question) -> who is offered it
    decide(question) -> Decision(chosen, ranked, more, excluded)

Pure functions of what a queue knows at that moment: how the call stands, and who is free. A queue chooses; whoever asks
why is told the whole decision. Of two free agents the one
of the lower level is the better, whatever the strategy; it settles among those of one level. Where the queue widens,
only agents of level 1 are asked at first, and every so many seconds of waiting those of one level more. A call that is
kept for one agent is that one's alone, for as long as it is kept.

| strategy | first is |
| --- | --- |
| longest-idle | who has been idle longest |
| round-robin | who comes after the one that was offered a call last, in the order of the organisation |
| fewest-calls | who has taken the fewest calls since signing in; of equals who has been idle longest |
| least-talk-time | who has talked least since signing in; of equals who has been idle longest |
| random | drawn by lot from the call's id and how often it has been offered, so that it is the same when asked again |
| ring-all | everybody at once |
| top-down | who comes first in the organisation |

Each decision by which a call rings is kept with all that it was made of (`decisions.py`), and comes out the same when
it is made again.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, assert_never
from zlib import crc32

from attrs import field, frozen

from .entries import Strategy

# So many of the best are told in a decision; who comes after them is one of `more`.
RANKED: Final = 50
# More agents are not rung at once: each is a page that rings.
RING_ALL: Final = 50

# What an agent does, as its queues see it: one of these is asked, "free", and the others say why it was not.
# "unreachable": its page or its voice is away; "refused": it had just begun something else, and will say what.
Doing = Literal[
    "free", "signed_out", "break", "ringing", "talking", "after_call_work", "dialling", "unreachable", "refused"
]
# Why one who is free is not asked about this call.
Why = Literal["declined", "missed", "level", "kept"]

# Times by which agents are compared come in steps of this many seconds, a power of two: what is kept of them is short.
STEP: Final = 1 / 1024

# What is less comes first.
Key = Callable[["Free"], tuple[float, ...]]


@frozen
class Free:
    """An agent as one who may take a call. `place` is its place in the organisation, `calls` and `talked`, in seconds,
    are of the time since it signed in."""

    agent: str
    level: int
    place: int
    ready_since: float
    calls: int = 0
    talked: float = 0.0


@frozen
class Question:
    """A call that waits, to be `offered` for that time again, and who is free. `barred` are those who may not have it.

    `after` is the place of the agent that this queue offered a call last. `kept_for`: that agent alone may have it, of
    whatever level, for the moment; empty: whoever comes first.
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
    kept_for: str = ""

    def asked_from(self, level: int) -> float:
        """When agents of that level are asked."""
        return self.since + (level - 1) * self.widen_seconds if self.widen_seconds > 0 else -math.inf


@frozen
class Decision:
    """Who is offered the call, all of them at once; the best of who could be, in order; and who could not, and why."""

    chosen: tuple[str, ...]
    ranked: tuple[Free, ...]
    more: int
    excluded: Mapping[str, Why]


def step(moment: float) -> float:
    """The last step before a moment."""
    return math.floor(moment / STEP) * STEP


def choose(question: Question) -> tuple[str, ...]:
    """Who is offered the call, all of them at once; nobody where nobody is free who may have it."""
    asked, _ = _asked(question)
    if question.strategy == "ring-all":
        return tuple(each.agent for each in heapq.nsmallest(RING_ALL, asked, key=_key(question)))
    return (min(asked, key=_key(question)).agent,) if asked else ()


def decide(question: Question) -> Decision:
    """What `choose` came to, and why it is not another."""
    asked, excluded = _asked(question)
    # without a list of all keys: thousands of them at once wake the collector of garbage
    ranked = tuple(heapq.nsmallest(RANKED, asked, key=_key(question)))
    chosen = ranked[:RING_ALL] if question.strategy == "ring-all" else ranked[:1]
    return Decision(tuple(each.agent for each in chosen), ranked, len(asked) - len(ranked), excluded)


def order(question: Question) -> list[Free]:
    """All who could be offered the call, the first before all others."""
    asked, _ = _asked(question)
    return sorted(asked, key=_key(question))


def _asked(question: Question) -> tuple[Sequence[Free], dict[str, Why]]:
    """Who of the free may have it, and why the others may not."""
    barred, now = question.barred, question.now
    if question.kept_for:
        others: dict[str, Why] = {
            each.agent: barred.get(each.agent, "kept")
            for each in question.free
            if each.agent in barred or each.agent != question.kept_for
        }
        return [each for each in question.free if each.agent not in others], others
    late = {level for level in {each.level for each in question.free} if question.asked_from(level) > now}
    if not late and not barred:
        return question.free, {}
    asked = [each for each in question.free if each.agent not in barred and each.level not in late]
    excluded: dict[str, Why] = {
        each.agent: barred.get(each.agent, "level")
        for each in question.free
        if each.agent in barred or each.level in late
    }
    return asked, excluded


def _key(question: Question) -> Key:
    """By what they are ranked."""
    match question.strategy:
        case "longest-idle" | "ring-all":
            return lambda each: (each.level, each.ready_since, each.place)
        case "round-robin":
            after = question.after
            return lambda each: (each.level, each.place <= after, each.place)
        case "fewest-calls":
            return lambda each: (each.level, each.calls, each.ready_since, each.place)
        case "least-talk-time":
            return lambda each: (each.level, each.talked, each.ready_since, each.place)
        case "random":
            # each has a lot of its own: who else is free changes nothing between two
            lot = crc32(f"{question.call} {question.offered} ".encode())
            return lambda each: (each.level, crc32(each.agent.encode(), lot), each.place)
        case "top-down":
            return lambda each: (each.level, each.place)
        case _:
            assert_never(question.strategy)


def widens_at(question: Question) -> float:
    """When agents are asked that are free and not asked yet, or `math.inf`; of a call that is kept for one, never."""
    if question.kept_for:
        return math.inf
    moments = (question.asked_from(each.level) for each in question.free if each.agent not in question.barred)
    return min((moment for moment in moments if moment > question.now), default=math.inf)
