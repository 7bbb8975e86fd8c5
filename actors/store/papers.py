"""The paperwork of calls, for those who may see and write it: the customer's profile and tags, what each agent wrote of
the call, tickets. No actor is the owner of these facts, the database is.

Whoever may see a call may look at its paper; agents who talk or talked in it, or dial it, may write, also later, and so
may who oversees. A page asks within milliseconds of the offer, when the row that allows it may still wait in the
ledger: so nobody is refused before what was stated up to then is written.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar

from attrs import frozen
from sqlalchemy import Connection, exists, select

from ..records import Outcome
from . import customers, fields, paperwork, schema
from .access import NotAllowedError, NotThereError, Viewer, knows, oversees
from .customers import Draw, Subject
from .database import StoreError
from .fields import Author, BadEditError, Kind, Place, Put, Version
from .paperwork import Paper

if TYPE_CHECKING:
    from .store import Clock, Store

T = TypeVar("T")

# How long it is waited for that what was stated is written: a fraction of a second, but where a disk stands still. A
# page waits for 8 s before it takes an answer for lost.
SETTLE_SECONDS: Final = 5.0


class ConflictError(Exception):
    """Somebody else has written the field meanwhile; the paper as it stands."""

    def __init__(self, paper: Paper) -> None:
        super().__init__("written meanwhile")
        self.paper = paper


@frozen
class Edit:
    """A value of a field, made from its `version`; of a ticket with its id. A summary is the viewer's own."""

    kind: Kind
    field: str
    value: str
    version: int
    ticket: str = ""


@frozen
class Tag:
    tag: str
    on: bool


@frozen
class NewTicket:
    key: str
    title: str
    text: str


Change = Edit | Tag | NewTicket


def draw_id() -> str:
    """Of a customer or a ticket."""
    return secrets.token_hex(8)


class Papers:
    """Raises NotThereError, NotAllowedError, and StoreError; `on_change` is told whose paper has changed."""

    def __init__(self, store: Store, clock: Clock, draw: Draw = draw_id) -> None:
        self._store = store
        self._clock = clock
        self._draw = draw
        self._known_tags: tuple[str, ...] | None = None
        self._tag_changes = 0
        self.on_change: Callable[[Subject], None] = lambda whose: None

    async def paper(self, viewer: Viewer, call: str) -> Paper:
        """All of it; who has just begun to talk may write by then."""
        now, known = self._clock(), await self._known()

        def ask(connection: Connection) -> Paper:
            whose = _looks(connection, viewer, call)
            writable = _writes(connection, viewer, call)
            return paperwork.read(connection, whose, viewer.agent, known, now, writable=writable)

        stated = self._store.ledger.kept
        found = await self._patiently(lambda: self._store.read(ask))
        if not found.writable and self._store.ledger.committed < stated:
            await self._store.ledger.settle(SETTLE_SECONDS)
            found = await self._store.read(ask)
        return found

    async def change(self, viewer: Viewer, call: str, change: Change) -> Paper:
        """The paper with the change in it. Raises BadEditError, and ConflictError where an edit was not made from what
        stands there."""
        now = self._clock()
        change = _checked(change)

        def write(connection: Connection) -> tuple[Put, Subject]:
            whose = _looks(connection, viewer, call)
            if not _writes(connection, viewer, call):
                raise NotAllowedError
            return self._put(connection, whose, change, Author(viewer.agent, call, now)), whose

        done, whose = await self._patiently(lambda: self._store.write(write))
        if done is Put.STORED:
            if isinstance(change, Tag):
                self._known_tags, self._tag_changes = None, self._tag_changes + 1
            self.on_change(whose)
        paper = await self.paper(viewer, call)
        if done is Put.CONFLICT:
            raise ConflictError(paper)
        return paper

    def _put(self, connection: Connection, whose: Subject, change: Change, by: Author) -> Put:
        match change:
            case Edit(kind=Kind.SUMMARY):
                place = Place(Kind.SUMMARY, whose.call, by.agent)
                return fields.put(connection, place, change.value, change.version, by)
            case Edit(kind=Kind.TICKET):
                if not customers.has_ticket(connection, whose.customer, change.ticket):
                    raise BadEditError("ticket", "this customer has none of that id.")
                place = Place(Kind.TICKET, change.ticket, change.field)
                return fields.put(connection, place, change.value, change.version, by)
            case Edit(value="") | Tag(on=False) if not whose.customer:
                return Put.SAME  # to take away from nothing makes no customer
            case Edit() if change.version and not whose.customer:
                return Put.CONFLICT
        customer = customers.customer_of(connection, whose, self._draw, by.at)
        match change:
            case Edit():
                place = Place(Kind.CUSTOMER, customer, change.field)
                return fields.put(connection, place, change.value, change.version, by)
            case Tag(tag, True):
                return customers.add_tag(connection, customer, tag, by)
            case Tag(tag):
                return customers.remove_tag(connection, customer, tag)
            case NewTicket(key, title, text):
                return customers.open_ticket(connection, customer, key, title, text, self._draw, by)

    async def versions(
        self, viewer: Viewer, call: str, kind: Kind, field: str, ticket: str = "", agent: str = ""
    ) -> tuple[Version, ...]:
        """What a field was; of a ticket, or of the summary of `agent`, or without one of the viewer's own."""

        def ask(connection: Connection) -> tuple[Version, ...]:
            whose = _looks(connection, viewer, call)
            if kind is Kind.SUMMARY:
                return fields.versions(connection, Place(kind, call, agent or viewer.agent))
            if kind is Kind.TICKET and not customers.has_ticket(connection, whose.customer, ticket):
                raise NotThereError
            of = ticket if kind is Kind.TICKET else whose.customer
            return fields.versions(connection, Place(kind, of, field))

        return await self._patiently(lambda: self._store.read(ask))

    async def whose(self, viewer: Viewer, call: str) -> Subject:
        """Whose call it is, for who may look at its paper."""
        return await self._patiently(lambda: self._store.read(lambda connection: _looks(connection, viewer, call)))

    async def _known(self) -> tuple[str, ...]:
        """Counted anew when a tag was added or removed, which nobody else does."""
        if self._known_tags is not None:
            return self._known_tags
        changes = self._tag_changes
        known = await self._store.read(customers.known_tags)
        if changes == self._tag_changes:  # and none came while they were counted
            self._known_tags = known
        return known

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Asks again, before anybody is refused, when what was stated by now is written."""
        try:
            return await ask()
        except (NotThereError, NotAllowedError):
            ledger = self._store.ledger
            if ledger.committed == ledger.kept:
                raise
        if not await ledger.settle(SETTLE_SECONDS):
            raise StoreError("what was stated of the call is not written yet")
        return await ask()


def _checked(change: Change) -> Change:
    """As it is kept. Raises BadEditError."""
    match change:
        case Edit(kind, field, value):
            fields.check_text("ticket", change.ticket)
            fields.check(kind, field, value)
            return change
        case Tag(tag, on):
            return Tag(customers.tag_of(tag), on)
        case NewTicket(key, title, text):
            if not customers.KEY.fullmatch(key):
                raise BadEditError("key", "is not 16 to 64 letters, digits, - and _.")
            fields.check(Kind.TICKET, "title", title)
            fields.check(Kind.TICKET, "text", text)
            return change


def _looks(connection: Connection, viewer: Viewer, call: str) -> Subject:
    """Whoever may see the call may look."""
    whose = customers.subject(connection, call)
    if whose is None:
        raise NotThereError
    if not oversees(viewer) and not knows(connection, call, viewer.agent):
        raise NotAllowedError
    return whose


def _writes(connection: Connection, viewer: Viewer, call: str) -> bool:
    """Who talked, or dialled: such an offer is of no queue, and of a call out."""
    offers, calls = schema.offers.c, schema.calls.c
    mine = (offers.call == call) & (offers.agent == viewer.agent)
    dialled = (offers.queue == "") & (offers.purpose == "queue") & (calls.direction == "outbound")
    talked = offers.outcome == Outcome.ANSWERED.value
    asked = select(exists().where(mine, calls.call == offers.call, talked | dialled))
    return oversees(viewer) or bool(connection.execute(asked).scalar())
