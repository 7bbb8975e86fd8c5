"""Who calls: customers by their numbers, with tags and tickets. Inside a transaction of the caller's.

A customer comes into being with the first thing that is written about it, and is found by its number from then on, in
whatever writing a trunk brings that: +86, 0086 and a leading 0 are one number. Of a call that showed no number there is
a customer too, of that call alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Final

import phonenumbers
from attrs import frozen
from sqlalchemy import Connection, delete, exists, func, insert, select

from ..organisation import e164
from . import fields, schema
from .fields import Author, BadEditError, Kind, Place, Put, Status

# A tag, in characters, and how many a customer has; and how many are proposed, the most used first.
TAG: Final = 32
TAGS: Final = 20
KNOWN_TAGS: Final = 50
TICKETS: Final = 200
# Enough of a key that nobody draws it twice, in characters.
KEY: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")
# What is dialled before the country code of another country: in most, and in North America.
_ABROAD: Final = ("00", "011")

_COUNTRY: Final = select(schema.organisation.c.country)

Draw = Callable[[], str]


@frozen
class Subject:
    """Whose call it is: `number` in the writing in which all of that customer are one, empty where it was withheld;
    `customer` is empty while nothing is known of it."""

    call: str
    number: str
    customer: str
    direction: str
    began: float

    @property
    def key(self) -> str:
        """The same for all calls of one customer, also before there is one."""
        return f"number {self.number}" if self.number else f"call {self.call}"


def subject(connection: Connection, call: str) -> Subject | None:
    """None where there is no such call, or it was to a test number or a room."""
    calls = schema.calls.c
    asked = select(calls.caller, calls.direction, calls.began).where(calls.call == call, calls.test.is_(False))
    row = connection.execute(asked).first()
    if row is None:
        return None
    number = normal(connection, row.caller)
    known = (
        select(schema.customer_numbers.c.customer).where(schema.customer_numbers.c.number == number)
        if number
        else select(schema.call_customers.c.customer).where(schema.call_customers.c.call == call)
    )
    return Subject(call, number, connection.execute(known).scalar() or "", row.direction, row.began)


def normal(connection: Connection, number: str) -> str:
    """E.164 where it is a telephone number, else as it came."""
    return e164(number, _country(connection)) or number


def writings(connection: Connection, number: str) -> frozenset[str]:
    """How a trunk may bring the number of a customer."""
    country, digits = _country(connection), number[1:]
    if not number.startswith("+") or e164(number, country) != number:
        return frozenset({number})
    parsed = phonenumbers.parse(number)
    national = re.sub("[^0-9]", "", phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL))
    short = phonenumbers.national_significant_number(parsed)
    likely = {digits, *(abroad + digits for abroad in _ABROAD), national, short, f"0{short}"}
    return frozenset({number, *(each for each in likely if e164(each, country) == number)})


def _country(connection: Connection) -> str:
    return connection.execute(_COUNTRY).scalar() or "CN"


def customer_of(connection: Connection, whose: Subject, draw: Draw, now: float) -> str:
    """The customer of a call, made where there is none."""
    if whose.customer:
        return whose.customer
    customer = draw()
    connection.execute(insert(schema.customers).values(customer=customer, made=now))
    if whose.number:
        connection.execute(insert(schema.customer_numbers).values(number=whose.number, customer=customer))
    else:
        connection.execute(insert(schema.call_customers).values(call=whose.call, customer=customer))
    return customer


def numbers(connection: Connection, customer: str) -> tuple[str, ...]:
    kept = schema.customer_numbers.c
    return tuple(connection.scalars(select(kept.number).where(kept.customer == customer).order_by(kept.number)))


# --- tags -------------------------------------------------------------------------------------------------------


def tag_of(text: str) -> str:
    """As it is kept. Raises BadEditError."""
    tag = unicodedata.normalize("NFC", text).strip()
    if not 0 < len(tag) <= TAG:
        raise BadEditError("tag", f"has not 1 to {TAG} characters.")
    fields.check_text("tag", tag)
    return tag


def add_tag(connection: Connection, customer: str, tag: str, by: Author) -> Put:
    """Raises BadEditError where it has too many."""
    there = tags(connection, customer)
    if tag in there:
        return Put.SAME
    if len(there) >= TAGS:
        raise BadEditError("tag", f"is one too many: a customer has {TAGS}.")
    row = {"customer": customer, "tag": tag, "agent": by.agent, "call": by.call, "at": by.at}
    connection.execute(insert(schema.customer_tags).values(row))
    return Put.STORED


def remove_tag(connection: Connection, customer: str, tag: str) -> Put:
    kept = schema.customer_tags
    gone = connection.execute(delete(kept).where(kept.c.customer == customer, kept.c.tag == tag))
    return Put.STORED if gone.rowcount else Put.SAME


def tags(connection: Connection, customer: str) -> tuple[str, ...]:
    """In the order in which they were added."""
    kept = schema.customer_tags.c
    return tuple(connection.scalars(select(kept.tag).where(kept.customer == customer).order_by(kept.at, kept.tag)))


def known_tags(connection: Connection) -> tuple[str, ...]:
    """The most used, the most used first."""
    tag = schema.customer_tags.c.tag
    asked = select(tag).group_by(tag).order_by(func.count().desc(), tag).limit(KNOWN_TAGS)
    return tuple(connection.scalars(asked))


# --- tickets ----------------------------------------------------------------------------------------------------


def open_ticket(connection: Connection, customer: str, key: str, title: str, text: str, draw: Draw, by: Author) -> Put:
    """A ticket of a customer whose `title` and `text` were checked; one of that `key` there is once. Raises
    BadEditError where it has too many."""
    kept = schema.tickets
    if connection.execute(select(exists().where(kept.c.customer == customer, kept.c.key == key))).scalar():
        return Put.SAME
    count = connection.execute(select(func.count()).select_from(kept).where(kept.c.customer == customer)).scalar_one()
    if count >= TICKETS:
        raise BadEditError("ticket", f"is one too many: a customer has {TICKETS}.")
    ticket = draw()
    row = {"ticket": ticket, "customer": customer, "call": by.call, "agent": by.agent, "opened": by.at, "key": key}
    connection.execute(insert(kept).values(row))
    for field, value in (("title", title), ("text", text), ("status", Status.OPEN.value)):
        fields.put(connection, Place(Kind.TICKET, ticket, field), value, 0, by)
    return Put.STORED


def has_ticket(connection: Connection, customer: str, ticket: str) -> bool:
    kept = schema.tickets.c
    return bool(connection.execute(select(exists().where(kept.ticket == ticket, kept.customer == customer))).scalar())
