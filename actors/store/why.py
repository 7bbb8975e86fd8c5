"""Why a call was offered to whom it was, and not to another: each decision about it, made again from what was kept.

Queries, synchronous, inside a transaction of the caller's. Nothing of the answer is stored: it follows from the facts
of each decision (`decisions.py`) by the very function that decided, and `same` says whether that comes to the same now.
What became of an offer is in the call's offers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import frozen
from sqlalchemy import Connection, exists, select

from ..acd import Free, decide, order
from ..decisions import SCORES, Kept, UnreadableError, unpack
from . import schema
from .pruning import kept_since
from .told import Who

# Agents of one decision who are named: of those who were free the best, and of those who were passed over for one
# reason the first.
NAMED = 50

decisions, rosters, queues = schema.decisions, schema.rosters, schema.queues


@frozen
class Candidate:
    """One who was free and could have the call; the lowest `rank` is 1. What the strategy did not look at is null."""

    agent: str
    name: str
    rank: int
    level: int
    idle_seconds: float | None
    calls: int | None
    talk_seconds: float | None


@frozen
class Passed:
    """Why so many others were not asked: what they did ("talking", "break", …), or, of those who were free, "declined"
    and "missed" of this call, or "level": that is asked later. `agents` are some of them."""

    why: str
    count: int
    agents: tuple[Who, ...]


@frozen
class Told:
    """The answer for one agent: its `rank` among those who could have the call, or null and `why` not."""

    agent: str
    rank: int | None
    why: str


@frozen
class Decided:
    """One decision of a queue about a call that had waited for `waited` seconds, and had been offered `offered` times:
    the `chosen` were rung. `candidates` could have it, of whom the best are `ranked`; the others are `passed` over."""

    at: float
    queue: str
    queue_name: str
    strategy: str
    waited: float
    offered: int
    chosen: tuple[Who, ...]
    candidates: int
    ranked: tuple[Candidate, ...]
    passed: tuple[Passed, ...]
    told: Told | None
    same: bool


@frozen
class Reasons:
    """Each decision by which a call rang, the first first. `kept_since`: of what was decided about it before then
    nothing is kept any more; null where all is."""

    decisions: tuple[Decided, ...]
    kept_since: float | None = None


def reasons(connection: Connection, call: str, agent: str | None = None) -> Reasons:
    """Of each decision about a call; with what it says of `agent`, where one is named. Raises UnreadableError."""
    query = (
        select(decisions, rosters.c.agents, queues.c.name.label("queue_name"))
        .outerjoin(rosters, rosters.c.roster == decisions.c.roster)
        .outerjoin(queues, queues.c.id == decisions.c.queue)
        .where(decisions.c.call == call)
        .order_by(decisions.c.at, decisions.c.number)
    )
    rows = connection.execute(query).all()
    named = dict(connection.execute(select(schema.agents.c.id, schema.agents.c.name)).all()) if rows else {}
    made = []
    for row in rows:
        if row.agents is None:
            raise UnreadableError(f"nobody knows who was in the queue, roster {row.roster}")
        kept = unpack(call, row.agents.split("\n"), row.facts)
        made.append(_decided(kept, row.queue, row.queue_name or row.queue, row.chosen.split(" "), named, agent))
    return Reasons(tuple(made), _kept_since(connection, call))


def _kept_since(connection: Connection, call: str) -> float | None:
    since = kept_since(connection, decisions)
    if since is None:
        return None
    calls, offers = schema.calls, schema.offers
    by_a_queue = exists().where(offers.c.call == call, offers.c.queue != "")
    older = select(calls.c.call).where(calls.c.call == call, calls.c.began < since, by_a_queue)
    return since if connection.execute(older).first() is not None else None


def _decided(
    kept: Kept, queue: str, queue_name: str, chosen: list[str], names: Mapping[str, str], agent: str | None
) -> Decided:
    question = kept.question
    again, ranked = decide(question), order(question)
    seen = {name for name, _ in SCORES[question.strategy]}

    def who(agents: Iterable[str]) -> tuple[Who, ...]:
        return tuple(Who(each, names.get(each) or each) for each in agents)

    def candidate(rank: int, one: Free) -> Candidate:
        return Candidate(
            one.agent,
            names.get(one.agent) or one.agent,
            rank,
            one.level,
            question.now - one.ready_since if "ready_since" in seen else None,
            one.calls if "calls" in seen else None,
            one.talked if "talked" in seen else None,
        )

    passed: dict[str, list[str]] = {}
    for name, why in [*again.excluded.items(), *((name, does) for name, does in kept.doing.items() if does != "free")]:
        passed.setdefault(why, []).append(name)
    return Decided(
        at=question.now,
        queue=queue,
        queue_name=queue_name,
        strategy=question.strategy,
        waited=question.now - question.since,
        offered=question.offered,
        chosen=who(chosen),
        candidates=len(ranked),
        ranked=tuple(candidate(rank, one) for rank, one in enumerate(ranked[:NAMED], 1)),
        passed=tuple(Passed(why, len(agents), who(agents[:NAMED])) for why, agents in passed.items()),
        told=None if agent is None else _told(agent, ranked, passed),
        same=list(again.chosen) == chosen,
    )


def _told(agent: str, ranked: list[Free], passed: Mapping[str, list[str]]) -> Told:
    rank = next((at for at, one in enumerate(ranked, 1) if one.agent == agent), None)
    why = next((why for why, agents in passed.items() if agent in agents), "" if rank else "elsewhere")
    return Told(agent, rank, why)
