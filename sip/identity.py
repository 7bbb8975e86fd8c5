"""Who a call of ours comes from: From, P-Asserted-Identity and Privacy (RFC 3323, RFC 3325)."""

from __future__ import annotations

import re
from typing import Final

from .message import LocalSipError, Row, bracket, quote

ANONYMOUS: Final = '"Anonymous" <sip:anonymous@anonymous.invalid>'

_USER = re.compile(r"[A-Za-z0-9\-_.!~*'()&=+$,;?/]{1,128}", re.ASCII)


def checked_user(user: str) -> str:
    """What may stand before the @ of a URI as it is: a number or a name without line breaks, quotes or brackets. Raises
    LocalSipError."""
    if not _USER.fullmatch(user):
        raise LocalSipError("not the user of a URI")
    return user


def identified(
    caller: str | None, name: str, asserted: str, home: str, *, trusted: bool
) -> tuple[str, tuple[Row, ...]]:
    """The From without tag, and the rows that go with it. `home` is the host of our addresses. `caller` None is
    withheld; `asserted`, the number that a `trusted` side is told in any case, is none where it is empty. Raises
    LocalSipError."""
    host = bracket(home)
    rows: list[Row] = []
    if asserted:
        checked_user(asserted)
    if asserted and trusted:
        rows.append(("P-Asserted-Identity", f"<sip:{asserted}@{host}>"))
    if caller is None:
        # RFC 3323 §4.1.1.3, RFC 3325 §9.3
        return ANONYMOUS, (*rows, ("Privacy", "id"))
    display = f"{quote(name)} " if name else ""
    return f"{display}<sip:{checked_user(caller)}@{host}>", tuple(rows)
