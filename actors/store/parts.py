"""What a call is made of: its offers, legs, holds, transfers and survey, and what became of its sound. Queries."""

from __future__ import annotations

import attrs
from sqlalchemy import ColumnElement, Connection, func, select

from ..records import Outcome
from . import schema
from .told import Hold, Leg, Offer, Recording, Sound, Survey, Transfer

calls, offers, legs, holds = schema.calls, schema.offers, schema.legs, schema.holds


def offers_of(connection: Connection, call: str) -> tuple[Offer, ...]:
    """Every offer of a call, the first first."""
    return tuple(offer for _, offer in offers_where(connection, offers.c.call == call))


def offers_where(connection: Connection, where: ColumnElement[bool]) -> list[tuple[str, Offer]]:
    agents = schema.agents
    query = (
        select(offers, agents.c.name)
        .outerjoin(agents, agents.c.id == offers.c.agent)
        .where(where)
        .order_by(offers.c.offered, offers.c.agent)
    )
    return [
        (
            row.call,
            Offer(
                row.agent,
                row.name or row.agent,
                row.queue,
                row.offered,
                Outcome(row.outcome),
                row.decided,
                row.ended,
                row.purpose,
            ),
        )
        for row in connection.execute(query)
    ]


def legs_of(connection: Connection, call: str) -> tuple[Leg, ...]:
    agents = schema.agents
    query = (
        select(legs, agents.c.name)
        .outerjoin(agents, agents.c.id == legs.c.party)
        .where(legs.c.call == call)
        .order_by(legs.c.number)
    )
    return tuple(Leg(row.party, row.name or "", row.began, row.ended, row.to) for row in connection.execute(query))


def holds_of(connection: Connection, call: str) -> tuple[Hold, ...]:
    query = select(holds).where(holds.c.call == call).order_by(holds.c.number)
    return tuple(Hold(row.began, row.ended) for row in connection.execute(query))


def survey_of(connection: Connection, call: str) -> Survey | None:
    asked = schema.surveys
    query = select(asked.c.agent, asked.c.queue, asked.c.began, asked.c.answer).where(asked.c.call == call)
    row = connection.execute(query).first()
    return None if row is None else Survey(*row)


def transfers_of(connection: Connection, call: str) -> tuple[Transfer, ...]:
    kept, queues = schema.transfers, schema.queues
    query = (
        select(kept, func.coalesce(queues.c.name, kept.c.queue).label("queue_name"))
        .outerjoin(queues, queues.c.id == kept.c.queue)
        .where(kept.c.call == call)
        .order_by(kept.c.number)
    )
    names = [field.name for field in attrs.fields(Transfer)]
    return tuple(Transfer(**{name: row[name] for name in names}) for row in connection.execute(query).mappings())


def recording(connection: Connection, call: str) -> Recording | None:
    """What became of the sound of a call; None where there is no such call."""
    kept = schema.recordings
    query = (
        select(calls.c.recorded, calls.c.ended, kept.c.file, kept.c.format, kept.c.seconds, kept.c.size, kept.c.peaks)
        .add_columns(kept.c.reason)
        .outerjoin(kept, kept.c.call == calls.c.call)
        .where(calls.c.call == call)
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    state = sound(row.recorded, row.ended, row.file)
    if row.file is None:
        return Recording(state)
    return Recording(state, row.file, row.format, row.seconds, row.size, row.peaks, row.reason)


def untold_recordings(connection: Connection) -> list[str]:
    """The calls that are over and were recorded, and of whose recording nothing is known."""
    kept = schema.recordings
    query = (
        select(calls.c.call)
        .outerjoin(kept, kept.c.call == calls.c.call)
        .where(calls.c.recorded, calls.c.ended.is_not(None), kept.c.call.is_(None))
        .order_by(calls.c.began)
    )
    return list(connection.scalars(query))


def count_recordings(connection: Connection, since: float) -> dict[Sound, int]:
    """How many calls that began at `since` or later have a recording that is so far."""
    kept = schema.recordings
    group = (calls.c.ended.is_(None), kept.c.file.is_(None), kept.c.file == "")
    query = (
        select(func.count(), func.min(calls.c.ended), func.min(kept.c.file))
        .outerjoin(kept, kept.c.call == calls.c.call)
        .where(calls.c.began >= since, calls.c.recorded)
        .group_by(*group)
    )
    counts = dict.fromkeys((Sound.RECORDING, Sound.ENCODING, Sound.READY, Sound.LOST), 0)
    for number, ended, file in connection.execute(query):
        counts[sound(True, ended, file)] += number
    return counts


def sound(recorded: bool, ended: float | None, file: str | None) -> Sound:
    """`file` as in the row of the recording: None where there is none, empty where it was lost."""
    if file is not None:
        return Sound.READY if file else Sound.LOST
    if not recorded:
        return Sound.NONE
    return Sound.RECORDING if ended is None else Sound.ENCODING
