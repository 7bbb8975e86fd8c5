"""The SQLite file of a data directory: made with mode 0600, opened in WAL, brought to the newest schema.

Alembic is embedded: no ini file, no logging set up; the connection is passed in and the revisions are package data. It
is loaded where there is something to migrate, and else nobody waits for it.
Transactions are begun here and not by the driver, which would leave DDL outside them: reading ones with BEGIN, writing
ones with BEGIN IMMEDIATE, so that a writer waits for its turn before it reads.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import sqlalchemy
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DatabaseError, DBAPIError

from . import schema

FILE = "cordboard.db"
MIGRATIONS = Path(__file__).with_name("migrations")
# How long a writer waits for another process: an import beside a running server takes less.
BUSY_SECONDS = 10
# Of pages, for each connection of the pool; SQLite's own choice is 2,000. What is asked every few seconds reads the day
# through, and each connection would keep a copy of it; the system keeps one for all.
CACHE_KIB = 256
# Prepared, for each connection, with what was bound last. Python's own choice is 128. A question about n calls is
# another statement for each n, and one takes 10 to 20 kB.
STATEMENTS = 24

# What is committed outlives a power cut too: the log is synced at each commit. With NORMAL a cut may take back the last
# ones, which others were told are safe. The ledger commits some ten times a second at most, in a thread, and a sync
# took 0.2 ms.
_KEEPS = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON")
_READS = ("query_only = ON",)
_WRITES = "cordboard_writes"
NEWER = "was made by a newer version of Cordboard"
OLDER = "was made by an older version of Cordboard; `cordboard run` brings it to this one"


class StoreError(Exception):
    """The database cannot be used as it is: locked, full, damaged, of a newer version; one line for people."""


def open_database(data: Path) -> Engine:
    """The database of the data directory `data`, made where there is none, at the newest schema. Raises StoreError."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = data / FILE
        # SQLite gives its -wal and -shm files the mode of this one.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise StoreError(f"{error.filename}: {error.strerror}") from error
    return _opened(path, _migrate, _KEEPS)


def read_database(data: Path) -> Engine:
    """The same for whoever asks and changes nothing: one that is not there is not made, one of another schema is left
    as it is. Raises StoreError for either."""
    path = data / FILE
    if not path.exists():
        raise StoreError(f"{data}: {'there is no database in it' if data.is_dir() else os.strerror(errno.ENOENT)}")
    return _opened(path, _require_newest, _READS)


def _opened(path: Path, prepare: Callable[[Engine], None], pragmas: tuple[str, ...]) -> Engine:
    engine = _engine(path, pragmas)
    try:
        prepare(engine)
    except DatabaseError as error:
        engine.dispose()
        raise StoreError(f"{path}: {error.orig}") from error
    except StoreError:
        engine.dispose()
        raise
    return engine


def _engine(path: Path, pragmas: tuple[str, ...]) -> Engine:
    url = sqlalchemy.URL.create("sqlite", database=str(path))
    # An error must not carry what was to be stored: numbers, names, the passwords of trunks.
    engine = sqlalchemy.create_engine(
        url, connect_args={"timeout": BUSY_SECONDS, "cached_statements": STATEMENTS}, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def connected(driver: Any, record: object) -> None:
        driver.isolation_level = None
        for pragma in (*pragmas, f"cache_size = -{CACHE_KIB}"):
            driver.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees one state of the database and changes nothing."""
    with _told(engine), engine.connect() as connection, connection.begin():
        yield connection


@contextlib.contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that is alone in writing; committed at its end, undone by an exception."""
    with _told(engine), engine.connect() as connection:
        connection = connection.execution_options(**{_WRITES: True})
        with connection.begin():
            yield connection


@contextlib.contextmanager
def _told(engine: Engine) -> Iterator[None]:
    """A disk that is full, a file that is locked or damaged: StoreError, whatever the driver calls it."""
    try:
        yield
    except DBAPIError as error:
        raise StoreError(f"{engine.url.database}: {error.orig}") from error


def newest_revision() -> str:
    """Of the schema: `0007` of `r0007_dialling.py`."""
    return max(path.name[1:5] for path in (MIGRATIONS / "versions").glob("r*.py"))


def _revision(connection: Connection) -> str | None:
    """That of the database; None where nothing is in it."""
    table = "SELECT name FROM sqlite_master WHERE name = 'alembic_version'"
    if connection.exec_driver_sql(table).first() is None:
        return None
    found: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return found


def _require_newest(engine: Engine) -> None:
    with engine.connect() as connection:
        found = _revision(connection)
    if found != newest_revision():
        newer = found is not None and found > newest_revision()
        raise StoreError(f"{engine.url.database}: {NEWER if newer else OLDER}")


def _migrate(engine: Engine) -> None:
    """To the newest revision, in one transaction. A database of a newer version is refused, not touched."""
    with engine.connect() as connection:
        # Rebuilding a table drops the old one, which would take the rows that refer to it along (SQLite, "Making
        # Other Kinds Of Table Schema Changes"). The pragma does nothing inside a transaction.
        driver = cast(sqlite3.Connection, connection.connection.driver_connection)
        driver.execute("PRAGMA foreign_keys = OFF")
        connection = connection.execution_options(**{_WRITES: True})
        try:
            with connection.begin():
                if _revision(connection) != newest_revision():
                    _upgrade(connection)
                if connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                    raise StoreError(f"{engine.url.database}: has rows that refer to what is not there")
        finally:
            driver.execute("PRAGMA foreign_keys = ON")


def _upgrade(connection: Connection) -> None:
    import alembic.command
    import alembic.config
    import alembic.util

    config = alembic.config.Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes.update(connection=connection, metadata=schema.metadata)
    try:
        alembic.command.upgrade(config, "heads")
    except alembic.util.CommandError as error:
        database = connection.engine.url.database
        raise StoreError(f"{database}: {NEWER}") from error
