"""Customers of the demonstration who have called before: who they are, what was written of their calls, and a ticket.

Written as an agent's page would write it, by the store's own `Papers`, in calls of some weeks ago: they are in nobody's
list of the last days. The others of `customer.PEOPLE` are not known, as most who call for the first time.
"""

from __future__ import annotations

from functools import partial

from attrs import frozen

from ..actors.records import CallEntry, LegEntry, OfferEntry, Outcome
from ..actors.store import Store
from ..actors.store.fields import Kind
from ..actors.store.papers import Change, Edit, NewTicket, Papers, Tag
from .customer import NUMBER, PEOPLE

DAY = 86400.0


@frozen
class Agent:
    """Whose page it was."""

    agent: str
    role: str = "agent"


def field(name: str, value: str) -> Edit:
    return Edit(Kind.CUSTOMER, name, value, 0)


def summary(text: str) -> Edit:
    return Edit(Kind.SUMMARY, "text", text, 0)


@frozen
class Past:
    """A call of one of `PEOPLE`, so many days ago and so many seconds long, and what its agent wrote."""

    person: int
    agent: str
    days: float
    seconds: float
    written: tuple[Change, ...]


PAST = (
    Past(
        0,
        "1001",
        33.2,
        214.0,
        (
            field("name", "王芳"),
            field("company", "海光贸易"),
            field("email", "wang.fang@example.com"),
            field("note", "喜欢靠窗座位；请用中文沟通。"),
            Tag("vip", True),
            summary("预订了三张去新加坡的机票，已发确认邮件。"),
        ),
    ),
    Past(
        0,
        "1003",
        12.4,
        167.0,
        (
            NewTicket("demonstration-wang", "改签新加坡航班", "希望推迟一天出发，等航空公司答复。"),
            summary("想把新加坡的行程推迟一天。已建工单，答应两天内回电。"),
        ),
    ),
    Past(
        1,
        "1002",
        19.6,
        305.0,
        (
            field("name", "Emma Clarke"),
            field("company", "Clarke & Daughters"),
            field("email", "emma@example.com"),
            field("address", "14 Quay Street\nBristol"),
            field("note", "Travels with a wheelchair: ask the hotel for a step-free room."),
            Tag("vip", True),
            Tag("accessible room", True),
            NewTicket(
                "demonstration-emma", "Refund of the ferry", "The crossing was cancelled; she has sent the receipt."
            ),
            summary("The ferry to Jersey was cancelled. Refund asked for, see the ticket."),
        ),
    ),
    Past(
        3,
        "1001",
        8.7,
        96.0,
        (
            field("name", "Daniel Reyes"),
            Tag("complaint", True),
            summary("Waited an hour for the airport pick-up. Apologised, and sent a voucher."),
        ),
    ),
)


async def introduce(store: Store, now: float) -> None:
    """Makes them known."""
    for number, past in enumerate(PAST, 1):
        call, person, began = f"demonstration-{number}", PEOPLE[past.person], now - past.days * DAY
        answered, ended = began + 9.0, began + 9.0 + past.seconds
        talk = CallEntry(
            call,
            "customer",
            "inbound",
            person.number,
            person.name,
            NUMBER,
            "support",
            began,
            answered,
            ended,
            "caller",
            "hung up",
        )
        await store.apply(
            [
                talk,
                LegEntry(call, 0, "caller", began, ended),
                LegEntry(call, 1, past.agent, answered, ended),
                OfferEntry(call, past.agent, "support", began + 3.0, Outcome.ANSWERED, answered, ended),
            ]
        )
        papers = Papers(store, partial(float, ended))
        for change in past.written:
            await papers.change(Agent(past.agent), call, change)
