"""The shell of the store: everything synchronous runs in worker threads, the event loop never waits for a disk.

Writers take their turn at one limiter, because SQLite has one writer anyway; readers go in parallel, each with a state
of its own (WAL). Hashing has a limiter besides, so that a storm of logins does not take every core. A cancelled caller
waits until its transaction has ended: nothing is half done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import structlog
import trio
from sqlalchemy import Connection, Engine

from ..organisation import Organisation
from ..records import MobileEntry
from . import entries, logins, organisations, parts
from .access import History
from .database import StoreError, open_database, read_database, reading, writing
from .ledger import Ledger
from .logins import Login
from .outbox import Outbox, put
from .papers import Papers

T = TypeVar("T")

# Queries that run at once; each has a connection of the pool's five.
READERS = 4
# Hashes that are computed at once.
HASHERS = 2

Clock = Callable[[], float]

log = structlog.get_logger()


class Store:
    """The records of one data directory: `async with await Store.open(data) as store`."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._writer = trio.CapacityLimiter(1)
        self._readers = trio.CapacityLimiter(READERS)
        self._hashers = trio.CapacityLimiter(HASHERS)
        self.accounts = Accounts(self, clock)
        self.history = History(self, clock)
        self.papers = Papers(self, clock)
        self.ledger = Ledger(self.apply)
        self.outbox = Outbox(self)

    @classmethod
    async def open(cls, data_dir: Path, clock: Clock = time.time) -> Store:
        """Opens, makes or migrates `data_dir`/cordboard.db. Raises StoreError where that cannot be used."""
        return cls(await trio.to_thread.run_sync(open_database, data_dir), clock)

    @classmethod
    async def asked(cls, data_dir: Path) -> Store:
        """Opens it to be asked alone, and changes nothing. Raises StoreError, also where there is none or it is of
        another schema."""
        return cls(await trio.to_thread.run_sync(read_database, data_dir), time.time)

    async def close(self) -> None:
        """Writes what the ledger still has, and lets the database go."""
        with trio.CancelScope(shield=True):
            await self.ledger.flush()
            await trio.to_thread.run_sync(self._engine.dispose)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def import_organisation(self, organisation: Organisation) -> None:
        """Makes `organisation` all there is, in one transaction; what it has not is removed, logins with their agents.

        An agent without a password keeps the one it has; one whose password is new must log in again.
        """
        stored = await self.read(logins.password_hashes)
        hashes: dict[str, str] = {}

        async def renew(agent: str, password: str) -> None:
            changed = await self.hash(lambda: logins.new_hash(password, stored.get(agent)))
            if changed is not None:
                hashes[agent] = changed

        async with trio.open_nursery() as nursery:
            for each in organisation.agents:
                if each.password is not None:
                    nursery.start_soon(renew, each.id, each.password)
        await self.write(lambda connection: organisations.write_organisation(connection, organisation, hashes))

    async def load_organisation(self) -> Organisation:
        """What was imported last, without the passwords of agents; `Organisation()` where nothing was."""
        return await self.read(organisations.read_organisation)

    async def apply(self, stated: Iterable[entries.Kept]) -> None:
        """Keeps entries, in one transaction: also those that were kept before, as after a crash; what is told of them
        goes into the outbox. Raises StoreError."""
        kept = list(stated)

        def keep(connection: Connection) -> int:
            entries.write(connection, kept)
            return put(connection, kept)

        if await self.write(keep):
            self.outbox.on_letters()

    async def close_open(self, now: float, live_calls: Collection[str], live_agents: Collection[str] = ()) -> int:
        """At a start, after `apply`: ends what other calls and agents than these left open. Gives how many rows those
        were."""
        return await self.write(lambda connection: entries.close_open(connection, now, live_calls, live_agents))

    async def mobiles(self) -> tuple[MobileEntry, ...]:
        """At a start, after `apply`: the mobiles that agents have bound."""
        return await self.read(entries.mobiles)

    async def untold_recordings(self) -> list[str]:
        """At a start, after `close_open`: calls whose recording was neither said to be ready nor to be lost."""
        return await self.read(parts.untold_recordings)

    # --- for the parts of the store ---

    async def read(self, query: Callable[[Connection], T]) -> T:
        """`query` in a worker thread, in a transaction that changes nothing. Raises StoreError."""

        def run() -> T:
            with reading(self._engine) as connection:
                return query(connection)

        return await trio.to_thread.run_sync(run, limiter=self._readers)

    async def write(self, change: Callable[[Connection], T]) -> T:
        """`change` in a worker thread, alone, in a transaction committed at its end. Raises StoreError."""

        def run() -> T:
            with writing(self._engine) as connection:
                return change(connection)

        return await trio.to_thread.run_sync(run, limiter=self._writer)

    async def hash(self, work: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(work, limiter=self._hashers)


class Accounts:
    """Who may come in, and who is in. Raises StoreError where the database cannot tell."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._decoy: str | None = None

    async def log_in(self, agent: str, password: str) -> Login | None:
        """A new login, or None for a wrong password and for an agent that is not there: both take the same time."""
        if not logins.fits(password):
            return None
        if self._decoy is None:
            self._decoy = await self._store.hash(logins.decoy)
        stored = await self._store.read(lambda connection: logins.password_hash_of(connection, agent))
        right = await self._store.hash(lambda: logins.verify(stored or self._decoy or "", password))
        if stored is None or not right:
            return None
        renewed = None
        if logins.HASHER.check_needs_rehash(stored):
            renewed = await self._store.hash(lambda: logins.hash_password(password))
        now = self._clock()
        return await self._store.write(lambda connection: logins.add_login(connection, agent, stored, renewed, now))

    async def who(self, token: str) -> Login | None:
        """Whose token that is, or None; a token in use does not expire."""
        now = self._clock()
        found = await self._store.read(lambda connection: logins.find_login(connection, token, now))
        if found is None:
            return None
        login, expires = found
        if logins.stale(expires, now):
            try:
                await self._store.write(lambda connection: logins.slide(connection, token, now))
            except StoreError as error:  # a full disk must not keep out who is in
                log.error("login not prolonged", error=str(error))
        return login

    async def log_out(self, token: str) -> None:
        """The token is worth nothing from now on; one that is unknown is no error."""
        await self._store.write(lambda connection: logins.remove_login(connection, token))
