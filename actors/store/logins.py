"""Passwords and logins: argon2id hashes, tokens kept only as their SHA-256, an expiry that slides while they are used.

Synchronous; the hashing takes tens of milliseconds, so `store.py` runs all of it in threads. Time is an argument. An
unknown agent, one without a password and a wrong password all cost one verification and all give None.
"""

from __future__ import annotations

import hashlib
import secrets
import unicodedata

import argon2
from attrs import field, frozen
from sqlalchemy import Connection, delete, insert, select, update

from ..entries import MAX_PASSWORD
from . import schema

# A shift and its breaks; a page that is used keeps its login.
LOGIN_SECONDS = 12 * 3600
# How stale the stored expiry may be: a request writes at most once in this time.
SLIDE_SECONDS = 600
TOKEN_BYTES = 32

# OWASP's first choice for argon2id (19 MiB, two passes, one lane). More lanes would take both cores of a small machine
# from the media ticks.
HASHER = argon2.PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)


@frozen
class Login:
    """Who is logged in, and the token that says so: it goes into a cookie and nowhere else."""

    agent: str
    name: str
    role: str
    token: str = field(repr=False)


def _normal(password: str) -> bytes:
    # The same characters typed on another keyboard are the same password (RFC 8265 §4.2.1).
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")


def hash_password(password: str) -> str:
    return HASHER.hash(_normal(password))


def verify(password_hash: str, password: str) -> bool:
    """Whether that is the password; a stored hash that is none verifies nothing."""
    try:
        return HASHER.verify(password_hash, _normal(password))
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


def decoy() -> str:
    """A hash that no password has, to spend the same time on agents that are not there."""
    return HASHER.hash(secrets.token_bytes(TOKEN_BYTES))


def new_hash(password: str, stored: str | None) -> str | None:
    """The hash to store for `password`, or None where `stored` is one of it by today's parameters."""
    if stored is not None and verify(stored, password) and not HASHER.check_needs_rehash(stored):
        return None
    return hash_password(password)


def password_hashes(connection: Connection) -> dict[str, str]:
    """Of every agent that has one."""
    rows = connection.execute(select(schema.agents.c.id, schema.agents.c.password_hash))
    return {agent: password_hash for agent, password_hash in rows if password_hash is not None}


def password_hash_of(connection: Connection, agent: str) -> str | None:
    """None where there is no such agent or it has no password. `agent` is any text that came by the wire."""
    if not agent.isascii():  # ids are ASCII, and a lone surrogate would not pass the driver
        return None
    return connection.execute(select(schema.agents.c.password_hash).where(schema.agents.c.id == agent)).scalar()


def fits(password: str) -> bool:
    return 1 <= len(password) <= MAX_PASSWORD


def add_login(connection: Connection, agent: str, password_hash: str, renewed: str | None, now: float) -> Login | None:
    """A new login of an agent whose password was found right against `password_hash`.

    None where the agent was removed or its password changed since. `renewed` is the hash by today's parameters where
    the stored one is older. Logins that have expired, of whomever, are deleted.
    """
    connection.execute(delete(schema.logins).where(schema.logins.c.expires <= now))
    agents = schema.agents
    row = connection.execute(
        select(agents.c.name, agents.c.role).where(agents.c.id == agent, agents.c.password_hash == password_hash)
    ).first()
    if row is None:
        return None
    if renewed is not None:
        connection.execute(update(agents).where(agents.c.id == agent).values(password_hash=renewed))
    token = secrets.token_urlsafe(TOKEN_BYTES)
    connection.execute(insert(schema.logins).values(token_hash=_hash(token), agent=agent, expires=now + LOGIN_SECONDS))
    return Login(agent, row.name, row.role, token)


def find_login(connection: Connection, token: str, now: float) -> tuple[Login, float] | None:
    """Whose token that is and when it expires, or None for one that is unknown or expired."""
    agents, logins = schema.agents, schema.logins
    row = connection.execute(
        select(agents.c.id, agents.c.name, agents.c.role, logins.c.expires)
        .join(agents, agents.c.id == logins.c.agent)
        .where(logins.c.token_hash == _hash(token), logins.c.expires > now)
    ).first()
    return (Login(row.id, row.name, row.role, token), row.expires) if row is not None else None


def stale(expires: float, now: float) -> bool:
    return expires < now + LOGIN_SECONDS - SLIDE_SECONDS


def slide(connection: Connection, token: str, now: float) -> None:
    connection.execute(
        update(schema.logins).where(schema.logins.c.token_hash == _hash(token)).values(expires=now + LOGIN_SECONDS)
    )


def remove_login(connection: Connection, token: str) -> None:
    connection.execute(delete(schema.logins).where(schema.logins.c.token_hash == _hash(token)))


def _hash(token: str) -> bytes:
    # 256 random bits need no salt and no slow hash.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
