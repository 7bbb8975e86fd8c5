"""Guests: trunks without an address of their own, who show a user name and a password (RFC 3261 §22.4, RFC 7616, RFC
8760).

A request from an address that is nobody's is challenged, with MD5 and with SHA-256, while there is a guest at all. By
UDP it is as it comes again: a client asks again after half a second (RFC 3261 §17.1, Timers A and E), and a scanner,
which sends a datagram to each address and for each name, hears nothing. An address where a guest is registered, or that
has shown a password lately, is challenged at once.

The nonce says when it was made, and for which address, under an HMAC that only this process can make; each use of it
has to count higher (`nc`). One that is too old, of another process, or counted wrong is answered with `stale=true`,
whatever the password: only under a nonce of ours is a password looked at. So a wrong one can be counted against an
address that has really heard us, and nobody can have another banned. Ten in a minute, and that address hears nothing
more for a while. Who is asked again and again and shows nothing that is right, as whoever tries numbers and names does,
is not asked any more in that minute: there is silence.

A user who is unknown costs the same work and has the same answer as one who is not.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from attrs import frozen

from .digest import Account, Challenge, parameters, response_of
from .message import Address, RemoteSipError, Request, Row

REALM: Final = "cordboard"
# What a nonce lasts, in seconds: as long as a call set-up may take with everything lost that can be, and then some.
NONCE_SECONDS: Final = 300
# An address that has given so many wrong answers within so many seconds is not heard for that long.
WRONG: Final = 10
WRONG_WITHIN: Final = 60.0
BAN_SECONDS: Final = 600.0
# An address is challenged so often within so many seconds in which it shows nothing that is right. A PBX that is heard
# for the first time may have as many calls at once.
CHALLENGES: Final = 30
CHALLENGES_WITHIN: Final = 60.0
# How long a client asks again, in seconds: 64*T1 (RFC 3261 §17.1, Timers B and F).
ASKS_AGAIN: Final = 32.0
# How long an address is known from which a right password came: a PBX that does not register, and calls once an hour,
# waits for none of its calls.
KNOWN_SECONDS: Final = 3600.0
# What is remembered of nonces, of requests and of addresses; the oldest goes.
MAX_NONCES: Final = 10000
MAX_ADDRESSES: Final = 10000
# What is asked for by default. A client that knows nothing of RFC 8760 reads the first challenge alone, and gives up
# where it cannot answer that; one that knows both may choose. There are some (libre before its version 2) that give up
# where any of them is not MD5.
ALGORITHMS: Final = ("MD5", "SHA-256")

_COUNT = re.compile(r"[0-9A-Fa-f]{8}", re.ASCII)
_NONCE = re.compile(r"([0-9a-f]{1,16})-([0-9A-Za-z.\-]{1,64})-([0-9a-f]{32})", re.ASCII)
_NOBODY: Final = Account("", "nobody has this password")


@frozen
class Admitted:
    trunk: str


@frozen
class Challenged:
    """The rows of the 401. `reason` is there when that is news."""

    rows: tuple[Row, ...]
    reason: str = ""


@frozen
class Ignored:
    """No answer. `reason` is there when that is news."""

    reason: str = ""


Verdict: TypeAlias = Admitted | Challenged | Ignored


class Guard:
    """Who comes in. `token` gives an unguessable string."""

    def __init__(self, token: Callable[[], str], algorithms: tuple[str, ...] = ALGORITHMS) -> None:
        """`algorithms` are those of the challenges, in their order."""
        self._token = token
        self._algorithms = algorithms
        self._secret = (token() + token()).encode()
        self._guests: dict[str, tuple[str, Account]] = {}
        # how far each nonce has been counted
        self._counts: dict[str, int] = {}
        self._wrong: dict[str, deque[float]] = {}
        self._banned: dict[str, float] = {}
        # how often each address was challenged in vain, and from when on
        self._asked: dict[str, tuple[float, int]] = {}
        # until when a request may come again that had no answer, and an address is known
        self._unanswered: dict[str, float] = {}
        self._known: dict[str, float] = {}

    def set(self, guests: Mapping[str, Account]) -> None:
        """By trunk; of two with one user name the first. Where one is another now, nobody is banned any more: whoever
        has mended a password here looks whether it works."""
        before, self._guests = self._guests, {}
        for trunk, account in guests.items():
            self._guests.setdefault(account.username, (trunk, account))
        if self._guests != before:
            self._banned.clear()
            self._wrong.clear()

    def hears(self, host: str, now: float) -> bool:
        """Whether somebody may come from there at all."""
        return bool(self._guests) and self._banned.get(_network(host), now) <= now

    def tag(self, request: Request) -> str:
        """The To tag of an answer of which nothing is remembered: the same whenever the request comes again (RFC 3261
        §8.2.7)."""
        return self._sign("tag", request.call_id, request.from_.tag or "", str(request.cseq), request.via.branch)

    def check(self, request: Request, source: Address, now: float, *, known: bool = False) -> Verdict:
        """A request that begins something. `known`: a guest is at this address."""
        host = source.host
        given = _given(request)
        nonce = given.get("nonce", "") if given is not None else ""
        if given is None or not self._ours(nonce, host, now):
            if not (known or source.reliable or self._is_known(host, now) or self._came_before(request, host, now)):
                return Ignored()
            return self._challenge(host, now, stale=given is not None, known=known)
        trunk, account = self._guests.get(given.get("username", ""), ("", _NOBODY))
        asked = given.get("algorithm", "MD5").upper() in self._algorithms
        if not (_is_right(given, nonce, account, request) and trunk and asked):
            return self._refuse(host, trunk, now)
        count = int(given["nc"], 16)
        if count <= self._counts.get(nonce, 0):
            return self._challenge(host, now, stale=True, known=True)
        self._asked.pop(_network(host), None)
        self._counts.pop(nonce, None)
        self._counts[nonce] = count
        while len(self._counts) > MAX_NONCES:
            self._counts.pop(next(iter(self._counts)))
        _remember(self._known, _network(host), now + KNOWN_SECONDS)
        return Admitted(trunk)

    def _is_known(self, host: str, now: float) -> bool:
        return self._known.get(_network(host), now) > now

    def _came_before(self, request: Request, host: str, now: float) -> bool:
        """From the same address, as what is sent again does."""
        mark = f"{self.tag(request)} {host}"
        before = self._unanswered.get(mark, now) > now
        if not before:
            _remember(self._unanswered, mark, now + ASKS_AGAIN)
        return before

    def _challenge(self, host: str, now: float, *, stale: bool, known: bool = False, reason: str = "") -> Verdict:
        if not known and not self._may_ask(_network(host), now):
            return Ignored()
        at, salt = f"{int(now):x}", self._token()
        nonce = f"{at}-{salt}-{self._sign('nonce', at, salt, host)}"
        more = ", stale=true" if stale else ""
        value = f'Digest realm="{REALM}", nonce="{nonce}", algorithm={{}}, qop="auth"{more}'
        return Challenged(tuple(("WWW-Authenticate", value.format(each)) for each in self._algorithms), reason)

    def _may_ask(self, address: str, now: float) -> bool:
        since, count = self._asked.pop(address, (now, 0))
        if now >= since + CHALLENGES_WITHIN:
            since, count = now, 0
        self._asked[address] = since, count + 1
        while len(self._asked) > MAX_ADDRESSES:
            self._asked.pop(next(iter(self._asked)))
        return count < CHALLENGES

    def _ours(self, nonce: str, host: str, now: float) -> bool:
        """Whether it was made here, for this address, and not too long ago."""
        found = _NONCE.fullmatch(nonce)
        if not found or not hmac.compare_digest(found[3], self._sign("nonce", found[1], found[2], host)):
            return False
        return int(found[1], 16) + NONCE_SECONDS > now

    def _refuse(self, host: str, trunk: str, now: float) -> Verdict:
        """`trunk` is whose user name it is, empty for nobody's."""
        address = _network(host)
        times = self._wrong.pop(address, None) or deque(maxlen=WRONG)
        self._wrong[address] = times
        news = not times or times[-1] < now - WRONG_WITHIN
        times.append(now)
        while len(self._wrong) > MAX_ADDRESSES:
            self._wrong.pop(next(iter(self._wrong)))
        if len(times) < WRONG or times[0] < now - WRONG_WITHIN:
            reason = f"a wrong password for trunk {trunk}" if trunk else "a user name that no trunk has"
            return self._challenge(host, now, stale=False, reason=reason if news else "")
        _remember(self._banned, address, now + BAN_SECONDS)
        return Ignored(f"{WRONG} wrong passwords within {WRONG_WITHIN:.0f} s")

    def _sign(self, *parts: str) -> str:
        text = "|".join(parts).encode("utf-8", "surrogateescape")
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()[:32]


def _given(request: Request) -> dict[str, str] | None:
    """The credentials for us, None where there are none that can be read."""
    for value in request.values("Authorization"):
        try:
            given = parameters(value)
        except RemoteSipError:
            continue
        if given.get("realm") == REALM:
            return given
    return None


def _is_right(given: dict[str, str], nonce: str, account: Account, request: Request) -> bool:
    algorithm = given.get("algorithm", "MD5").upper()
    count = given.get("nc", "")
    if algorithm not in ALGORITHMS or given.get("qop") != "auth" or not _COUNT.fullmatch(count):
        return False
    challenge = Challenge(REALM, nonce, None, algorithm, qop=True)
    uri = given.get("uri", "")
    expected = response_of(challenge, account, request.method, uri, given.get("cnonce", ""), int(count, 16))
    response = given.get("response", "").lower().encode("utf-8", "surrogateescape")
    # RFC 3261 §22.4: a proxy may have changed the Request-URI, so that the two need not be the same
    return hmac.compare_digest(expected.encode(), response)


def _remember(until: dict[str, float], what: str, when: float) -> None:
    until.pop(what, None)
    until[what] = when
    while len(until) > MAX_ADDRESSES:
        until.pop(next(iter(until)))


def _network(host: str) -> str:
    """Whoever has one address of IPv6 has 2**64 of them."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))
    return str(address)
