"""The paper of a call: all that is known of its customer, as whoever looks at the call has it on the desk.

Values, and the queries that make them, inside a transaction of the caller's. Who may look is `papers.py`.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen
from sqlalchemy import Connection, select

from . import customers, history, schema
from . import fields as kept
from .customers import TAG, TAGS, TICKETS, Subject
from .fields import LIMITS, Field, Kind
from .told import CallClass

# Calls of the same customer before this one.
EARLIER: Final = 10

# What a page may let be typed, in characters, and how many tags and tickets a customer has.
_LIMITS: Final = {
    **LIMITS[Kind.CUSTOMER],
    "summary": LIMITS[Kind.SUMMARY]["text"],
    "title": LIMITS[Kind.TICKET]["title"],
    "text": LIMITS[Kind.TICKET]["text"],
    "tag": TAG,
    "tags": TAGS,
    "tickets": TICKETS,
}


@frozen
class Profile:
    name: Field
    company: Field
    email: Field
    address: Field
    note: Field


@frozen
class Customer:
    """`customer` is its id, empty while nothing was ever written about it; `numbers` lead to it."""

    customer: str
    numbers: tuple[str, ...]
    fields: Profile
    tags: tuple[str, ...]


@frozen
class Summary:
    """What that agent wrote of the call."""

    agent: str
    name: str
    text: Field


@frozen
class TicketFields:
    title: Field
    text: Field
    status: Field


@frozen
class Ticket:
    """Opened by that agent in that call."""

    ticket: str
    opened: float
    agent: str
    name: str
    call: str
    fields: TicketFields


@frozen
class Earlier:
    """A call of the customer before; `agents` are the names of who had it, `summary` is what they wrote; `message`: it
    left one."""

    call: str
    began: float
    direction: str
    class_: CallClass | None
    agents: tuple[str, ...]
    summary: str
    message: bool


@frozen
class Limits:
    """How long each may be, in characters, and how many `tags` and `tickets` a customer has."""

    name: int
    company: int
    email: int
    address: int
    note: int
    summary: int
    title: int
    text: int
    tag: int
    tags: int
    tickets: int


@frozen
class Paper:
    """`writable`: by whoever asks. The viewer's own summary comes first; where it is `writable` it is there, blank if
    nothing was written. `tickets` and `earlier` the newest first; `known_tags` are those used most in the centre."""

    call: str
    number: str
    direction: str
    writable: bool
    customer: Customer
    summaries: tuple[Summary, ...]
    tickets: tuple[Ticket, ...]
    earlier: tuple[Earlier, ...]
    known_tags: tuple[str, ...]
    limits: Limits


def read(
    connection: Connection, whose: Subject, agent: str, known: tuple[str, ...], now: float, *, writable: bool
) -> Paper:
    """As that agent has it."""
    return Paper(
        whose.call,
        whose.number,
        whose.direction,
        writable,
        _customer(connection, whose),
        _summaries(connection, whose.call, agent, own=writable),
        _tickets(connection, whose.customer),
        _earlier(connection, whose, now),
        known,
        Limits(**_LIMITS),
    )


def _customer(connection: Connection, whose: Subject) -> Customer:
    customer = whose.customer
    found = kept.read(connection, Kind.CUSTOMER, [customer]) if customer else {}
    profile = Profile(**{name: found.get((customer, name), Field()) for name in LIMITS[Kind.CUSTOMER]})
    if not customer:
        return Customer("", (whose.number,) if whose.number else (), profile, ())
    return Customer(customer, customers.numbers(connection, customer), profile, customers.tags(connection, customer))


def _summaries(connection: Connection, call: str, agent: str, *, own: bool) -> tuple[Summary, ...]:
    found = kept.read(connection, Kind.SUMMARY, [call])
    told = [Summary(by, text.name, text) for (_, by), text in found.items() if by != agent and text.value]
    mine = found.get((call, agent))
    if mine is not None:
        return (Summary(agent, mine.name, mine), *told)
    if not own:
        return tuple(told)
    name = connection.execute(select(schema.agents.c.name).where(schema.agents.c.id == agent)).scalar()
    return (Summary(agent, name or agent, Field()), *told)


def _tickets(connection: Connection, customer: str) -> tuple[Ticket, ...]:
    if not customer:
        return ()
    table, agents = schema.tickets.c, schema.agents.c
    asked = (
        select(table.ticket, table.opened, table.agent, agents.name, table.call)
        .outerjoin(schema.agents, agents.id == table.agent)
        .where(table.customer == customer)
        .order_by(table.opened.desc(), table.ticket)
    )
    rows = connection.execute(asked).all()
    found = kept.read(connection, Kind.TICKET, [row.ticket for row in rows])

    def fields_of(ticket: str) -> TicketFields:
        return TicketFields(*(found.get((ticket, name), Field()) for name in ("title", "text", "status")))

    return tuple(
        Ticket(row.ticket, row.opened, row.agent, row.name or row.agent, row.call, fields_of(row.ticket))
        for row in rows
    )


def _earlier(connection: Connection, whose: Subject, now: float) -> tuple[Earlier, ...]:
    lines = history.calls_before(connection, whose.number, whose.began, EARLIER, now)
    written: dict[str, list[Field]] = {}
    for (call, _), text in kept.read(connection, Kind.SUMMARY, [line.call for line in lines]).items():
        if text.value:
            written.setdefault(call, []).append(text)
    return tuple(
        Earlier(
            line.call,
            line.began,
            line.direction,
            line.class_,
            tuple(who.name for who in line.agents),
            _together(written.get(line.call, [])),
            line.message is not None,
        )
        for line in lines
    )


def _together(texts: list[Field]) -> str:
    """What each wrote of one call."""
    if len(texts) == 1:
        return texts[0].value
    return "\n".join(f"{text.name}: {text.value}" for text in texts)
