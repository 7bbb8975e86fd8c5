"""What is asked of what has happened: lists of calls, one call whole, an agent's states.

Queries, synchronous, inside a transaction of the caller's; `store.py` runs them in threads. Days are those of the
organisation and begin at its midnight, be they 23, 24 or 25 hours long.

The class of a call is never kept, it follows from the offers. For one agent: any answered offer makes the call
normal, else one during which the caller left makes it ring-abandoned, else one missed, declined or returned makes it
not connected; an offer that rings still, or that another agent answered, makes it none of this agent's calls. For the
whole centre, without an agent: normal where anybody answered, else ring-abandoned where the caller left while it rang
somewhere, else not connected; a call that may still be answered is in no class and in no list.

Nor is talk time: for one agent it is as long as that agent was connected, and for the centre as long as any was. It
ends with an agent's part, as that gives the call away or has the customer asked for a rating; waiting for the next
agent is none, and where two were connected at once it counts once.
"""

from __future__ import annotations

import math
import zoneinfo
from collections.abc import Iterable
from datetime import datetime, time, timedelta
from typing import Final

import attrs
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    RowMapping,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    or_,
    select,
)

from ..records import Outcome
from ..voicemail import SHORTEST
from . import customers, schema
from .parts import holds_of, legs_of, offers_of, offers_where, recording, sound, survey_of, transfers_of
from .told import (
    CallClass,
    Cursor,
    ListedCall,
    Listing,
    Message,
    Recording,
    Sound,
    Span,
    States,
    Who,
    WholeCall,
)

# Calls of one page of a list, states of one page, and calls of the same customer that come with one call. A page is
# made in the event loop, where it must not take longer than a packet may wait.
PAGE = 100
STATES = 2000
HISTORY = 20

calls, offers, legs, states = schema.calls, schema.offers, schema.legs, schema.agent_states
messages, handled = schema.messages, schema.handled


# --- days -------------------------------------------------------------------------------------------------------


def first_moment(now: float, days: int, zone: zoneinfo.ZoneInfo) -> float:
    """When the first of the last `days` days began, today counted."""
    day = datetime.fromtimestamp(now, zone).date() - timedelta(days=days - 1)
    # A midnight that the clocks skip is the moment they do; one that comes twice is its first (PEP 495, fold=0).
    return datetime.combine(day, time.min, zone).timestamp()


def since(connection: Connection, now: float, days: int) -> float:
    """`first_moment` in the zone of the organisation."""
    zone = connection.execute(select(schema.organisation.c.time_zone)).scalar()
    return first_moment(now, days, zoneinfo.ZoneInfo(zone or "UTC"))


# --- lists of calls ---------------------------------------------------------------------------------------------


def _any(*outcomes: Outcome) -> ColumnElement[bool]:
    """Whether any of a group of offers came to one of these."""
    return func.max(case((offers.c.outcome.in_([each.value for each in outcomes]), 1), else_=0)) == 1


def _of_agent(agent: str, where: ColumnElement[bool]) -> Select[tuple[object, ...]]:
    """The calls whose offers to an agent are `where`, with their `class`."""
    touched = (
        select(
            offers.c.call,
            case(
                (_any(Outcome.ANSWERED), literal(CallClass.NORMAL.value)),
                (_any(Outcome.CALLER_LEFT), literal(CallClass.RING_ABANDONED.value)),
                (
                    _any(Outcome.MISSED, Outcome.DECLINED, Outcome.RETURNED, Outcome.NOT_CONNECTED),
                    literal(CallClass.NOT_CONNECTED.value),
                ),
            ).label("class"),
        )
        .where(offers.c.agent == agent, where)
        .group_by(offers.c.call)
        .subquery()
    )
    return _listed(touched.c["class"]).join(touched, touched.c.call == calls.c.call)


def _of_centre() -> Select[tuple[object, ...]]:
    """The calls of all, with their `class`."""
    left = exists().where(offers.c.call == calls.c.call, offers.c.outcome == Outcome.CALLER_LEFT.value)
    kind = case(
        (calls.c.answered.is_not(None), literal(CallClass.NORMAL.value)),
        (calls.c.ended.is_(None), None),
        (left, literal(CallClass.RING_ABANDONED.value)),
        else_=literal(CallClass.NOT_CONNECTED.value),
    )
    return _listed(kind)


def _listed(kind: ColumnElement[str]) -> Select[tuple[object, ...]]:
    queues, recordings, mailboxes, agents = schema.queues, schema.recordings, schema.queues.alias(), schema.agents
    return (
        select(
            calls,
            kind.label("class"),
            queues.c.name.label("queue_name"),
            recordings.c.file.label("file"),
            messages.c.queue.label("mailbox"),
            mailboxes.c.name.label("mailbox_name"),
            messages.c.began.label("message_began"),
            messages.c.ended.label("message_ended"),
            handled.c.agent.label("handled_by"),
            agents.c.name.label("handled_name"),
            handled.c.at.label("handled_at"),
        )
        .outerjoin(queues, queues.c.id == calls.c.queue)
        .outerjoin(recordings, recordings.c.call == calls.c.call)
        .outerjoin(messages, and_(messages.c.call == calls.c.call, _whole_message()))
        .outerjoin(mailboxes, mailboxes.c.id == messages.c.queue)
        .outerjoin(handled, handled.c.call == messages.c.call)
        .outerjoin(agents, agents.c.id == handled.c.agent)
        .where(calls.c.test.is_(False))
    )


def _whole_message() -> ColumnElement[bool]:
    return messages.c.ended - messages.c.began >= SHORTEST


def list_calls(
    connection: Connection, agent: str | None, since: float, now: float, kind: CallClass | None, after: Cursor | None
) -> Listing:
    """A page of the calls of `agent`, or of all, that began at `since` or later; of one class, or of all."""
    # No call is offered before it began, so that the index of offers serves.
    query = _of_agent(agent, offers.c.offered >= since) if agent is not None else _of_centre()
    found = query.selected_columns["class"]
    query = query.where(found == kind.value if kind is not None else found.is_not(None))
    return _page(connection, query, since, agent, now, after)


def list_messages(connection: Connection, agent: str | None, since: float, now: float, after: Cursor | None) -> Listing:
    """A page of the calls that left a message for a queue of `agent`, or for any."""
    query = _of_centre().where(messages.c.call.is_not(None))
    if agent is not None:
        query = query.where(messages.c.queue.in_(_queues_of(agent)))
    return _page(connection, query, since, None, now, after)


def _queues_of(agent: str) -> Select[tuple[str]]:
    return select(schema.skills.c.queue).where(schema.skills.c.agent == agent)


def queues_of(connection: Connection, agent: str) -> frozenset[str]:
    """The queues that it answers."""
    return frozenset(connection.scalars(_queues_of(agent)))


def _page(
    connection: Connection,
    query: Select[tuple[object, ...]],
    since: float,
    agent: str | None,
    now: float,
    after: Cursor | None,
) -> Listing:
    query = query.where(calls.c.began >= since)
    if after is not None:
        query = query.where(
            or_(calls.c.began < after.began, and_(calls.c.began == after.began, calls.c.call < after.call))
        )
    query = query.order_by(calls.c.began.desc(), calls.c.call.desc()).limit(PAGE + 1)
    rows = connection.execute(query).all()
    page = _lines(connection, rows[:PAGE], agent, now)
    more = Cursor(page[-1].began, page[-1].call) if len(rows) > PAGE else None
    return Listing(page, more)


def _lines(
    connection: Connection, rows: Iterable[Row[tuple[object, ...]]], agent: str | None, now: float
) -> tuple[ListedCall, ...]:
    """As `agent` has them, or the whole centre."""
    found = [row._mapping for row in rows]
    had: dict[str, dict[str, Who]] = {}
    spans: dict[str, list[tuple[float, float]]] = {}
    shown = offers.c.call.in_([row["call"] for row in found])
    for call, offer in offers_where(connection, and_(shown, offers.c.outcome.in_(_HAD))):
        had.setdefault(call, {}).setdefault(offer.agent, Who(offer.agent, offer.name))
        if offer.outcome is Outcome.ANSWERED and offer.decided is not None and agent in (None, offer.agent):
            spans.setdefault(call, []).append((offer.decided, now if offer.ended is None else offer.ended))
    return tuple(
        ListedCall(
            call=row["call"],
            class_=CallClass(row["class"]) if row["class"] is not None else None,
            direction=row["direction"],
            number=row["caller"],
            name=row["caller_name"],
            dialled=row["dialled"],
            queue=row["queue"],
            queue_name=row["queue_name"] or row["queue"],
            began=row["began"],
            answered=row["answered"],
            ended=row["ended"],
            ended_by=row["ended_by"],
            cause=row["cause"],
            talk_seconds=together(spans.get(row["call"], ())),
            recording=sound(row["recorded"], row["ended"], row["file"]),
            agents=tuple(had.get(row["call"], {}).values()),
            message=_message(row),
        )
        for row in found
    )


# An agent had the call: it was connected, or it had dialled.
_HAD: Final = (Outcome.ANSWERED.value, Outcome.NOT_CONNECTED.value)


def together(spans: Iterable[tuple[float, float]]) -> float:
    """How long the spans last, each moment counted once."""
    total, until = 0.0, -math.inf
    for began, ended in sorted(spans):
        total += max(0.0, ended - max(began, until))
        until = max(until, ended)
    return total


def _message(row: RowMapping) -> Message | None:
    if row["mailbox"] is None:
        return None
    by = row["handled_by"]
    return Message(
        row["mailbox"],
        row["mailbox_name"] or row["mailbox"],
        row["message_began"],
        row["message_ended"],
        Who(by, row["handled_name"] or by) if by is not None else None,
        row["handled_at"],
    )


# --- one call ---------------------------------------------------------------------------------------------------


def touched(connection: Connection, call: str, agent: str) -> bool:
    """Whether the call rings or rang at that agent, other than in vain because another was quicker."""
    query = exists().where(
        offers.c.call == call, offers.c.agent == agent, offers.c.outcome != Outcome.ANSWERED_ELSEWHERE.value
    )
    return bool(connection.execute(select(query)).scalar())


def talked(connection: Connection, call: str, agent: str) -> bool:
    """Whether that agent was connected with the caller."""
    answered = offers.c.outcome == Outcome.ANSWERED.value
    query = exists().where(offers.c.call == call, offers.c.agent == agent, answered)
    return bool(connection.execute(select(query)).scalar())


def has_message(connection: Connection, call: str) -> bool:
    """Whether a message was left in that call."""
    return bool(connection.execute(select(exists().where(messages.c.call == call, _whole_message()))).scalar())


def message_for(connection: Connection, call: str, agent: str) -> bool:
    """Whether a message was left in that call for a queue of that agent."""
    query = exists().where(messages.c.call == call, _whole_message(), messages.c.queue.in_(_queues_of(agent)))
    return bool(connection.execute(select(query)).scalar())


def message_alone(connection: Connection, call: str, agent: str) -> bool:
    """... and nothing else was said in it."""
    answered = select(calls.c.answered).where(calls.c.call == call)
    return message_for(connection, call, agent) and connection.execute(answered).scalar() is None


def last_served(connection: Connection, number: str, since: float, but: str) -> str:
    """The agent who was connected last with that number, in whatever writing, in a call that began at `since` or later,
    other than the call `but`; empty: none."""
    talked = (
        select(offers.c.agent)
        .join(calls, calls.c.call == offers.c.call)
        .where(calls.c.caller.in_(_writings(connection, number)), calls.c.began >= since, calls.c.call != but)
        .where(offers.c.outcome == Outcome.ANSWERED.value)
        .order_by(offers.c.decided.desc())
        .limit(1)
    )
    return connection.execute(talked).scalar() or ""


def whole_call(connection: Connection, call: str, agent: str | None, now: float) -> WholeCall | None:
    """All that is known of a call, as `agent` sees it, or as the whole centre; None where there is none."""
    query = _of_agent(agent, offers.c.call == call) if agent is not None else _of_centre()
    row = connection.execute(query.where(calls.c.call == call)).first()
    if row is None and agent is not None and message_for(connection, call, agent):
        row = connection.execute(_of_centre().where(calls.c.call == call)).first()
    if row is None:
        return None
    (line,) = _lines(connection, [row], agent, now)
    before = calls_before(connection, line.number, line.began, HISTORY, now)
    return WholeCall(
        **attrs.asdict(line, recurse=False),
        trunk=row._mapping["trunk"],
        diverted_from=row._mapping["diverted_from"],
        legs=legs_of(connection, call),
        holds=holds_of(connection, call),
        transfers=transfers_of(connection, call),
        offers=offers_of(connection, call),
        survey=survey_of(connection, call),
        sound=recording(connection, call) or Recording(Sound.NONE),
        history=before,
    )


# Asked with each paper of a call, and longer in the making than in the answering.
_BEFORE: Final = (
    _of_centre()
    .where(calls.c.caller.in_(bindparam("callers", expanding=True)), calls.c.began < bindparam("before"))
    .order_by(calls.c.began.desc(), calls.c.call.desc())
    .limit(bindparam("most"))
)


def calls_before(connection: Connection, number: str, began: float, most: int, now: float) -> tuple[ListedCall, ...]:
    """The newest calls of a customer that began before that, in whatever writing they brought the `number`; none where
    it was withheld."""
    if not number:
        return ()
    callers = _writings(connection, number)
    newest = connection.execute(_BEFORE, {"callers": callers, "before": began, "most": most}).all()
    return _lines(connection, newest, None, now) if newest else ()


def _writings(connection: Connection, number: str) -> list[str]:
    """All in which calls of that number may stand here."""
    return list({number, *customers.writings(connection, customers.normal(connection, number))})


def count_open(connection: Connection) -> dict[str, int]:
    """How many calls, legs and offers have not ended, by table, however long ago they began."""
    going_on = offers.c.outcome.in_([Outcome.RINGING.value, Outcome.ANSWERED.value])
    lasts = {calls: calls.c.ended.is_(None), legs: legs.c.ended.is_(None), offers: offers.c.ended.is_(None) & going_on}
    counted = {table: select(func.count()).select_from(table).where(open_) for table, open_ in lasts.items()}
    return {table.name: connection.execute(query).scalar_one() for table, query in counted.items()}


# --- an agent's states ------------------------------------------------------------------------------------------


def state_spans(connection: Connection, agent: str, begin: float, end: float, after: int | None = None) -> States:
    """How an agent stood from `begin` to `end`: each state whole, also where it began earlier, the oldest first; a page
    of it, the first or that `after` another.

    The last one has no end where no later state is known; `seconds` counts it up to `end`.
    """
    mine = states.c.agent == agent
    before = select(func.max(states.c.number)).where(mine, states.c.since <= begin).scalar_subquery()
    first = states.c.number >= func.coalesce(before, 0) if after is None else states.c.number > after
    query = select(states).where(mine, first, states.c.since < end).order_by(states.c.number).limit(STATES + 1)
    found = connection.execute(query).all()
    rows = found[:STATES]
    if not rows:
        return States((), None)
    later = select(states.c.since).where(mine, states.c.number > rows[-1].number).order_by(states.c.number).limit(1)
    untils = [*(row.since for row in rows[1:]), connection.execute(later).scalar()]
    spans = []
    for row, until in zip(rows, untils, strict=True):
        # A clock that was set back between two states makes one that lasted no time, not one that overlaps.
        lasted = max(0.0, (end if until is None else until) - row.since)
        spans.append(Span(row.state, row.reason, row.call, row.since, until, lasted))
    return States(tuple(spans), rows[-1].number if len(found) > STATES else None)
