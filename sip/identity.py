"""Who a call of ours comes from: From, P-Asserted-Identity and Privacy (RFC 3323, RFC 3325)."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote as escape

from .message import LocalSipError, NameAddr, RemoteSipError, Row, Uri, bracket, quote

ANONYMOUS: Final = '"Anonymous" <sip:anonymous@anonymous.invalid>'

# What of the user of a URI needs no escape beside letters, digits and `-_.~` (RFC 3261 §25.1)
_UNESCAPED: Final = "!*'()&=+$,;?/"
_USER = re.compile(rf"[A-Za-z0-9\-_.~{re.escape(_UNESCAPED)}]{{1,128}}", re.ASCII)
_WITHHELD: Final = "anonymous"


def checked_user(user: str) -> str:
    """What may stand before the @ of a URI as it is: a number or a name without line breaks, quotes or brackets. Raises
    LocalSipError."""
    if not _USER.fullmatch(user):
        raise LocalSipError("not the user of a URI")
    return user


def contact_user(ours: str, registered: str) -> str:
    """The user of our Contact in a call, as it is written, for some far sides take no Contact without one: as whom we
    are `registered` there, or, where we are not, who we are in this call: `ours` is its From, or the To of one that
    came. What is withheld there is withheld here (RFC 3323 §4.1.1.3)."""
    try:
        user = Uri.parse(NameAddr.parse(ours).uri).number
    except RemoteSipError:
        user = ""
    return escape(user if user == _WITHHELD or not registered else registered, safe=_UNESCAPED)


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
