"""Where guests are: their REGISTER (RFC 3261 §10.3), one binding for each.

A guest is dialled where it was heard from, by the Contact that it gave: behind a NAT that is the only way to it.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

from attrs import frozen

from .events import Registered
from .message import Address, NameAddr, RemoteSipError, Request, Row, Uri

# In seconds: what is granted where nothing is asked for, at least and at most (RFC 3261 §10.3, steps 7 and 8).
USUAL: Final = 3600
LEAST: Final = 60
MOST: Final = 86400

_DIGITS = re.compile(r"[0-9]{1,10}", re.ASCII)


@frozen
class Binding:
    uri: str
    destination: Address
    call_id: str
    cseq: int
    until: float


# A status, its rows, and what has become of the guest, if anything has.
Answer: TypeAlias = tuple[int, tuple[Row, ...], Registered | None]


class Registrar:
    """By trunk."""

    def __init__(self) -> None:
        self._bindings: dict[str, Binding] = {}

    def register(self, trunk: str, username: str, request: Request, source: Address, now: float) -> Answer:
        """A REGISTER of this guest. Raises RemoteSipError where it cannot be read."""
        if Uri.parse(request.to.uri).number != username:
            return 404, (), None  # step 5: no address of record of its own
        contacts = request.items("Contact")
        if not contacts:
            return 200, self._listed(trunk, now), None
        known = self._bindings.get(trunk)
        if known is not None and known.call_id == request.call_id and request.cseq <= known.cseq:
            return 500, (), None  # step 7: out of order
        asked = request.get("Expires")
        if contacts == ["*"]:
            # step 6
            if asked is None or not _DIGITS.fullmatch(asked) or int(asked):
                return 400, (), None
            return self._gone(trunk, known)
        contact = NameAddr.parse(contacts[0])
        uri = Uri.parse(contact.uri)
        if uri.scheme != "sip":
            raise RemoteSipError("Contact is not a SIP URI")
        seconds = _seconds(contact.param("expires")) if contact.param("expires") is not None else _seconds(asked)
        if not seconds:
            return self._gone(trunk, known)
        if seconds < LEAST:
            return 423, (("Min-Expires", str(LEAST)),), None
        seconds = min(seconds, MOST)
        self._bindings[trunk] = Binding(contact.uri, source, request.call_id, request.cseq, now + seconds)
        return 200, self._listed(trunk, now), Registered(trunk, contact.uri, source, seconds)

    def forget(self, trunks: frozenset[str]) -> None:
        """All but these are guests no more."""
        self._bindings = {trunk: each for trunk, each in self._bindings.items() if trunk in trunks}

    def _gone(self, trunk: str, known: Binding | None) -> Answer:
        self._bindings.pop(trunk, None)
        return 200, (), None if known is None else Registered(trunk, known.uri, known.destination, 0)

    def _listed(self, trunk: str, now: float) -> tuple[Row, ...]:
        """Step 8: what is bound, and how long it still is."""
        binding = self._bindings.get(trunk)
        if binding is None or binding.until <= now:
            return ()
        return (("Contact", f"<{binding.uri}>;expires={int(binding.until - now)}"),)


def _seconds(value: str | None) -> int:
    """Nonsense is as good as nothing said (RFC 3261 §10.2.1.1)."""
    return int(value) if value is not None and _DIGITS.fullmatch(value) else USUAL
