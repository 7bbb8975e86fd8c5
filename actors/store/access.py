"""Who may see what of what has happened, and the audit of who listened to it.

An agent sees the calls it touched, hears those in which it talked, and sees its own states; supervisors and
administrators see and hear everything. No recording is played without an entry in the audit, and a refusal has one too.
A player asks for many ranges of one file: those that go on within `PLAY_SECONDS` of an entry of the same agent, at the
same address, belong to that one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Protocol, TypeVar

from attrs import evolve
from sqlalchemy import Connection, delete, exists, insert, select

from . import history, parts, schema
from .quality import CallQuality, call_quality
from .told import CallClass, Cursor, ListedCall, Listing, Recording, Sound, States, WholeCall
from .why import Decided, Reasons, reasons

if TYPE_CHECKING:
    from .store import Clock, Store

Line = TypeVar("Line", bound=ListedCall)
# Whether an agent may, of a call.
Allows = Callable[[Connection, str, str], bool]

# A recording and its pauses.
PLAY_SECONDS = 3600.0
PLAY = "recording.play"


class NotThereError(Exception):
    """There is no such call or agent."""


class NotAllowedError(Exception):
    """This role may not see it."""


class Viewer(Protocol):
    """Who asks."""

    @property
    def agent(self) -> str: ...
    @property
    def role(self) -> str: ...


def oversees(viewer: Viewer) -> bool:
    return viewer.role in ("supervisor", "administrator")


class History:
    """What has happened, for those who may see it. Raises NotThereError, NotAllowedError, and StoreError."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def calls(
        self,
        viewer: Viewer,
        days: int,
        agent: str | None = None,
        kind: CallClass | None = None,
        after: Cursor | None = None,
    ) -> Listing:
        """Calls of the last `days` days: of `agent`, or without one of all that the viewer may see."""
        if agent is None and not oversees(viewer):
            agent = viewer.agent
        if agent is not None:
            _check_agent(viewer, agent)
        now = self._clock()

        def ask(connection: Connection) -> Listing:
            begin = history.since(connection, now, days)
            listing = history.list_calls(connection, agent, begin, now, kind, after)
            return _seen(connection, viewer, listing)

        return await self._store.read(ask)

    async def messages(self, viewer: Viewer, days: int, after: Cursor | None = None) -> Listing:
        """Calls of the last `days` days that left a message for a queue of the viewer's, or for any where it oversees
        them."""
        now = self._clock()

        def ask(connection: Connection) -> Listing:
            begin = history.since(connection, now, days)
            agent = None if oversees(viewer) else viewer.agent
            return _seen(connection, viewer, history.list_messages(connection, agent, begin, now, after))

        return await self._store.read(ask)

    async def handle(self, viewer: Viewer, call: str, *, handled: bool) -> None:
        """Somebody has seen to the message of a call, or has not; whoever was first stays."""
        now, table = self._clock(), schema.handled

        def change(connection: Connection) -> None:
            _check_call(connection, viewer, call, history.message_for)
            if not history.has_message(connection, call):
                raise NotThereError
            known = connection.execute(select(exists().where(table.c.call == call))).scalar()
            if not handled:
                connection.execute(delete(table).where(table.c.call == call))
            elif not known:
                connection.execute(insert(table).values(call=call, agent=viewer.agent, at=now))

        await self._store.write(change)

    async def call(self, viewer: Viewer, call: str, agent: str | None = None) -> WholeCall:
        """One call as `agent` sees it, or without one as this viewer does."""
        if agent is None and not oversees(viewer):
            agent = viewer.agent
        if agent is not None:
            _check_agent(viewer, agent)
        now = self._clock()

        def ask(connection: Connection) -> WholeCall:
            _check_call(connection, viewer, call, knows)
            whole = history.whole_call(connection, call, agent, now)
            if whole is None:  # a test call, or one that did not touch this agent
                raise NotThereError
            seen = _as_seen(viewer, whole, history.queues_of(connection, viewer.agent))
            withheld = seen.recording is Sound.WITHHELD
            return evolve(seen, sound=Recording(Sound.WITHHELD)) if withheld else seen

        return await self._store.read(ask)

    async def quality(self, viewer: Viewer, call: str) -> CallQuality:
        """How a call sounded."""

        def ask(connection: Connection) -> CallQuality:
            _check_call(connection, viewer, call, knows)
            return call_quality(connection, call)

        return await self._store.read(ask)

    async def why(self, viewer: Viewer, call: str, agent: str | None = None) -> Reasons:
        """Why the call was offered to whom it was, and why not to `agent`, or to this viewer: an agent hears of itself,
        and of the others whom it rang at and how many there were."""
        if agent is None and not oversees(viewer):
            agent = viewer.agent
        if agent is not None:
            _check_agent(viewer, agent)

        def ask(connection: Connection) -> Reasons:
            _check_call(connection, viewer, call, knows)
            found = reasons(connection, call, agent)
            return found if oversees(viewer) else evolve(found, decisions=tuple(map(_of_itself, found.decisions)))

        return await self._store.read(ask)

    async def states(self, viewer: Viewer, agent: str, days: int, after: int | None = None) -> States:
        """How an agent stood in the last `days` days."""
        _check_agent(viewer, agent)
        now = self._clock()

        def ask(connection: Connection) -> States:
            page = history.state_spans(connection, agent, history.since(connection, now, days), now, after)
            known = exists().where(schema.agents.c.id == agent)
            if not page.states and not connection.execute(select(known)).scalar():
                raise NotThereError
            return page

        return await self._store.read(ask)

    async def recording(self, viewer: Viewer, call: str) -> Recording:
        """What is known of the recording of a call; not to be played."""

        def ask(connection: Connection) -> Recording:
            _check_sound(connection, viewer, call)
            return _recording(connection, call)

        return await self._store.read(ask)

    async def play(self, viewer: Viewer, call: str, address: str, *, goes_on: bool) -> Recording:
        """As `recording`, to be played at `address`; `goes_on` where it is not played from its beginning."""
        now = self._clock()

        def ask(connection: Connection) -> Recording | NotAllowedError:
            try:
                _check_sound(connection, viewer, call)
            except NotAllowedError as refused:
                _audit(connection, now, viewer.agent, address, call, allowed=False)
                return refused  # an exception would undo the entry
            if not (goes_on and _playing(connection, now, viewer.agent, address, call)):
                _audit(connection, now, viewer.agent, address, call, allowed=True)
            return _recording(connection, call)

        answer = await self._store.write(ask)
        if isinstance(answer, NotAllowedError):
            raise answer
        return answer


def _check_agent(viewer: Viewer, agent: str) -> None:
    if agent != viewer.agent and not oversees(viewer):
        raise NotAllowedError


def _check_call(connection: Connection, viewer: Viewer, call: str, allows: Allows = history.touched) -> None:
    if not connection.execute(select(exists().where(schema.calls.c.call == call))).scalar():
        raise NotThereError
    if not oversees(viewer) and not allows(connection, call, viewer.agent):
        raise NotAllowedError


def _check_sound(connection: Connection, viewer: Viewer, call: str) -> None:
    """What a customer said to one agent is not for all at whom the call rang; what it left for their queue is."""
    _check_call(connection, viewer, call, _may_hear)


def knows(connection: Connection, call: str, agent: str) -> bool:
    """Whether an agent may see a call."""
    return history.touched(connection, call, agent) or history.message_for(connection, call, agent)


def _may_hear(connection: Connection, call: str, agent: str) -> bool:
    return history.talked(connection, call, agent) or history.message_alone(connection, call, agent)


def _seen(connection: Connection, viewer: Viewer, listing: Listing) -> Listing:
    queues = history.queues_of(connection, viewer.agent)
    return evolve(listing, calls=tuple(_as_seen(viewer, call, queues) for call in listing.calls))


def _as_seen(viewer: Viewer, call: Line, queues: Collection[str]) -> Line:
    """A line of the viewer's own list, of one that it oversees, or of the messages for its `queues`."""
    if oversees(viewer):
        return call
    if call.message is not None and call.message.queue not in queues:
        call = evolve(call, message=None)
    talked = call.class_ is CallClass.NORMAL and any(who.agent == viewer.agent for who in call.agents)
    alone = call.message is not None and call.answered is None
    if talked or alone or call.recording is Sound.NONE:
        return call
    return evolve(call, recording=Sound.WITHHELD)


def _of_itself(decided: Decided) -> Decided:
    """What an agent may know who oversees nobody: how the others stood is not for it."""
    return evolve(decided, ranked=(), passed=tuple(evolve(each, agents=()) for each in decided.passed))


def _recording(connection: Connection, call: str) -> Recording:
    found = parts.recording(connection, call)
    if found is None:
        raise NotThereError
    return found


def _audit(connection: Connection, now: float, agent: str, address: str, call: str, *, allowed: bool) -> None:
    entry = {"at": now, "agent": agent, "address": address, "action": PLAY, "call": call, "allowed": allowed}
    connection.execute(insert(schema.audit).values(entry))


def _playing(connection: Connection, now: float, agent: str, address: str, call: str) -> bool:
    audit = schema.audit.c
    recent = exists().where(
        audit.call == call, audit.at > now - PLAY_SECONDS, audit.agent == agent, audit.address == address, audit.allowed
    )
    return bool(connection.execute(select(recent)).scalar())
