"""Who may come in: the login a request carries, the origin it comes from, and how often it may guess passwords.

Pure: headers and times in, verdicts out. A browser proves its login by the cookie and is held to an allowed `Origin`;
a script proves it by `Authorization: Bearer` and sends none. Guessing is slowed per agent and per address: each
attempt is charged before the password is looked at, and given back when it was right, so that attempts made at the
same time count too.
"""

from __future__ import annotations

import math
import re
from http.cookies import CookieError, SimpleCookie

from attrs import frozen
from starlette.datastructures import Headers

COOKIE = "cordboard"
# Wrong passwords per minute, for one agent's name and from one address (an office behind one NAT).
WRONG_PER_AGENT = 10
WRONG_PER_ADDRESS = 60
WRONG_WINDOW = 60.0
# Names and addresses remembered; beyond it the longest unused is forgotten.
MAX_REMEMBERED = 10_000

_TOKEN = re.compile(r"[A-Za-z0-9._~-]{1,256}")
_BEARER = re.compile(r"[Bb]earer +([A-Za-z0-9._~-]{1,256})")
# RFC 3986 §3.2: a name, an IPv4 or a bracketed IPv6 address, and perhaps a port. ASCII only.
_HOST = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?")


def bearer_of(headers: Headers) -> str:
    """The token in `Authorization`, or empty."""
    found = _BEARER.fullmatch(headers.get("authorization", ""))
    return found[1] if found else ""


def token_of(headers: Headers) -> str:
    """The token a request carries, in `Authorization` or else in the cookie; empty where there is none."""
    if "authorization" in headers:
        return bearer_of(headers)
    try:
        morsel = SimpleCookie("; ".join(headers.getlist("cookie"))).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel is not None and _TOKEN.fullmatch(morsel.value) else ""


def split_host(host: str) -> tuple[str, int | None] | None:
    """A `Host` header's name and port; None where it is neither a name nor an address."""
    found = _HOST.fullmatch(host)
    if found is None:
        return None
    port = int(found[2]) if found[2] else None
    return None if port is not None and port > 65535 else (found[1], port)


def origin_allowed(headers: Headers, origins: tuple[str, ...]) -> bool:
    """Whether the request's `Origin` is absent, its own host over https, or one of `origins`."""
    sent = headers.getlist("origin")
    if not sent:
        return True
    if len(sent) > 1:
        return False
    allowed = {_plain(origin) for origin in origins}
    if split_host(headers.get("host", "")) is not None:
        allowed.add(_plain(f"https://{headers['host']}"))
    return _plain(sent[0]) in allowed


def _plain(origin: str) -> str:
    return origin.lower().removesuffix("/").removesuffix(":443")


@frozen
class _Charged:
    """Attempts still counted at `at`; they fade evenly over the window."""

    attempts: float
    at: float


class Throttle:
    """At most `limit` attempts in a window, per key."""

    def __init__(self, limit: int, window: float = WRONG_WINDOW) -> None:
        self._limit = limit
        self._window = window
        self._charged: dict[str, _Charged] = {}

    def charge(self, key: str, now: float) -> int:
        """Counts an attempt of `key` and gives 0; or does not, and gives the whole seconds until one is free."""
        attempts = self._left(key, now)
        if attempts + 1 > self._limit:
            return math.ceil((attempts + 1 - self._limit) * self._window / self._limit)
        self._charged.pop(key, None)
        self._charged[key] = _Charged(attempts + 1, now)
        if len(self._charged) > MAX_REMEMBERED:
            del self._charged[next(iter(self._charged))]
        return 0

    def give_back(self, key: str, now: float) -> None:
        """The attempt was none: the password was right."""
        if key in self._charged:
            self._charged[key] = _Charged(max(0.0, self._left(key, now) - 1), now)

    def _left(self, key: str, now: float) -> float:
        charged = self._charged.get(key)
        if charged is None:
            return 0.0
        return max(0.0, charged.attempts - (now - charged.at) * self._limit / self._window)
