"""Where the actors' effects for pages find the pages: the runtime calls `push` and `reply`, synchronously.

What is pushed while actors have their turns leaves when they have had them: `run` lets each page that is owed something
say it, one after the other.

Sessions come and go with their websockets; an effect for one that is gone is dropped and counted, because a page that
comes back takes a snapshot and never relies on what it missed. A session ends with its login and with its agent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog
import trio

from ..actors.store import StoreError
from .interfaces import Accounts
from .metrics import WebMetrics
from .protocol import Close
from .session import Session

if TYPE_CHECKING:
    from ..actors.effects import Push, Reply

log = structlog.get_logger("web")


class Hub:
    """Every open session by its id."""

    def __init__(self, metrics: WebMetrics) -> None:
        self.metrics = metrics
        self._sessions: dict[str, Session] = {}
        # What lets pages say what waits for them, by their sessions, in the order in which they came to owe it.
        self._owing: dict[str, Callable[[], None]] = {}
        self._bell = trio.Event()

    async def run(self) -> None:
        """Lets pages say what they are owed, until cancelled."""
        while True:
            await self._bell.wait()
            self._bell = trio.Event()
            owing, self._owing = self._owing, {}
            for name, say in owing.items():
                try:
                    say()
                except Exception:  # the supervisor: what fails at one page is that page's
                    self.metrics.crashes.inc()
                    log.exception("page_failed")
                    if name in self._sessions:
                        self._sessions[name].close(Close.INTERNAL, "failure")

    def owe(self, session: str, say: Callable[[], None]) -> None:
        """Something waits for a page, which `say` lets it hear."""
        self._owing[session] = say
        self._bell.set()

    def push(self, effect: Push) -> None:
        """An event for a page."""
        session = self._sessions.get(effect.session)
        if session is None:
            self.metrics.dropped.labels("event").inc()
        else:
            session.push(effect.rev, effect.event)

    def reply(self, effect: Reply) -> None:
        """The answer to a page's request."""
        session = self._sessions.get(effect.session)
        if session is None:
            self.metrics.dropped.labels("reply").inc()
        else:
            session.reply(effect.id, effect.result)

    def add(self, session: Session) -> None:
        self._sessions[session.id] = session
        self.metrics.sessions.set(len(self._sessions))

    def remove(self, session: Session) -> None:
        del self._sessions[session.id]
        self.metrics.sessions.set(len(self._sessions))

    def end_login(self, token: str) -> None:
        """Closes every page that came in with this login."""
        for session in list(self._sessions.values()):
            if session.token == token:
                session.close(Close.POLICY, "logged out")

    def end_agent(self, agent: str) -> None:
        """Closes every page of an agent whose actor has ended: a new one of that name would not know them."""
        for session in list(self._sessions.values()):
            if session.agent == agent:
                session.close(Close.POLICY, "the agent is gone")

    async def check_logins(self, accounts: Accounts) -> None:
        """Closes the pages whose login has ended meanwhile; the others' are in use and so do not expire."""
        for token in {session.token for session in self._sessions.values()}:
            try:
                if await accounts.who(token) is None:
                    self.end_login(token)
            except StoreError as error:
                log.error("store", error=str(error))

    def __len__(self) -> int:
        return len(self._sessions)
