"""Who served a caller last: the database is asked for it, and the queue that wants to know is told. A shell.

A queue does not wait for long (`queue.LOOK_BACK`), so that a slow database delays nobody by more. Of very many
questions at once those that are too many are answered at once: it was nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import structlog
import trio
from sqlalchemy import Connection

from .effects import LookBack
from .queue_state import LastServed
from .store import StoreError
from .store.history import last_served

# Questions that are under way at once: more than calls come in the time that one may take.
MOST: Final = 100

log = structlog.get_logger()


class Reads(Protocol):
    """The store."""

    async def read(self, query: Callable[[Connection], str]) -> str: ...


class Recollection:
    """`look_back` never waits; the answer is told to the actor."""

    def __init__(self, nursery: trio.Nursery, store: Reads, tell: Callable[[str, object], object]) -> None:
        self._nursery = nursery
        self._store = store
        self._tell = tell
        self._asking = 0

    def look_back(self, actor: str, question: LookBack) -> None:
        if self._asking >= MOST:
            self._tell(actor, LastServed(question.ask, ""))
            return
        self._asking += 1
        self._nursery.start_soon(self._answer, actor, question)

    async def _answer(self, actor: str, question: LookBack) -> None:
        agent = ""
        try:
            agent = await self._store.read(
                lambda connection: last_served(connection, question.number, question.since, question.ask)
            )
        except StoreError as error:
            log.error("who served a caller last is not known", error=str(error))
        finally:
            self._asking -= 1
        self._tell(actor, LastServed(question.ask, agent))
