"""Our accounts at trunks: which challenges are answered, and what is shown before anybody asks (RFC 3261 §22.2, §22.3).

A password answers the realms that the account names, where a proxy on the way may ask in one (407) and whoever takes
the request in another (401), at once or one after the other; or where it names none, the first one that a host of the
trunk's own asks for. Who chooses a realm and a nonce may try passwords on what it is answered for as long as it likes.
Of several challenges of a realm the strongest algorithm is answered. A request is tried anew twice at most, once more
for each further realm, and a second time for the same one only where the answer was right but its nonce too old
(`stale`): a wrong password is not offered again. The last challenge of each is remembered, so that the next request
carries its credentials at once, with an `nc` of its own that is one higher (§22.3).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from attrs import define

from .digest import Account, Challenge, authorization
from .message import RemoteSipError, Response, Row

# How often a request is sent again because of challenges of one realm.
MAX_TRIES: Final = 2
# So many realms of a trunk are told of: whoever is asked behind it chooses their names.
MAX_TOLD: Final = 8
_ANSWERED_BY: Final = {"WWW-Authenticate": "Authorization", "Proxy-Authenticate": "Proxy-Authorization"}
CREDENTIALS: Final = frozenset(_ANSWERED_BY.values())

# The header field that met each refusal, and the realm.
Tried: TypeAlias = tuple[tuple[str, str], ...]


@define
class _Known:
    challenge: Challenge
    count: int = 0


class Accounts:
    """By trunk. `token` gives a cnonce that nobody can guess."""

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token
        self._accounts: dict[str, Account] = {}
        self._realms: dict[str, tuple[str, ...]] = {}
        self._known: dict[str, dict[tuple[str, str], _Known]] = {}
        # The realms that are told of, for no password of ours counts in them
        self._told: dict[str, set[str]] = {}

    def set(self, accounts: Mapping[str, Account]) -> None:
        """What was learnt with an account that has changed is forgotten."""
        for trunk in [each for each in self._accounts if self._accounts[each] != accounts.get(each)]:
            self._realms.pop(trunk, None)
            self._known.pop(trunk, None)
            self._told.pop(trunk, None)
        self._accounts = dict(accounts)

    def rows(self, trunk: str, method: str, uri: str) -> tuple[Row, ...]:
        """What a request to this trunk shows."""
        account = self._accounts.get(trunk)
        if account is None:
            return ()
        rows: list[Row] = []
        for (name, _), known in self._known.get(trunk, {}).items():
            known.count += 1
            rows.append((name, authorization(known.challenge, account, method, uri, self._token(), known.count)))
        return tuple(rows)

    def challenged(self, trunk: str, response: Response, tried: Tried, *, own: bool) -> Tried | None:
        """Takes the challenges of a 401 or 407 to a request that was tried so already: what it has been tried with when
        it is sent again, None where it must not be. `own`: it comes from one of the trunk's own hosts."""
        account = self._accounts.get(trunk)
        if account is None:
            return None
        if sum(name in CREDENTIALS for name, _ in tried) >= MAX_TRIES + len(account.realms[1:]):
            return None
        challenges = _challenges(response)
        realms = account.realms or self._realms.get(trunk, ())
        if not realms and own and challenges:
            realms = (challenges[0][1].realm,)
        ours = [(name, challenge) for name, challenge in challenges if challenge.realm in realms]
        # the strongest of each last, so that it is the one that stays
        strongest = {(name, each.realm): each for name, each in sorted(ours, key=lambda item: -item[1].strength)}
        taken = {which: each for which, each in strongest.items() if each.stale or which not in tried}
        if not taken:
            return None
        self._realms[trunk] = realms
        self._known.setdefault(trunk, {}).update({which: _Known(each) for which, each in taken.items()})
        return (*tried, *taken)

    def unnamed(self, trunk: str, response: Response) -> str:
        """A realm of these challenges in which our password does not count, though there is one; "" where it does, or
        was told before."""
        account = self._accounts.get(trunk)
        realms = () if account is None else account.realms or self._realms.get(trunk, ())
        told = self._told.setdefault(trunk, set())
        found = {each.realm for _, each in _challenges(response)} - told - set(realms)
        if not realms or not found or len(told) >= MAX_TOLD:
            return ""
        told.add(realm := min(found))
        return realm


def _challenges(response: Response) -> list[tuple[str, Challenge]]:
    """With the header field that answers each. What cannot be read is as good as none."""
    found: list[tuple[str, Challenge]] = []
    for asked, name in _ANSWERED_BY.items():
        for value in response.values(asked):
            with contextlib.suppress(RemoteSipError):
                if (challenge := Challenge.parse(value)) is not None:
                    found.append((name, challenge))
    return found
