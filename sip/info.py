"""Keys that were pressed, in the body of an INFO request, as trunks and telephones send them where they send no events.

Two bodies are in use that no RFC has (RFC 6086 §1 calls them legacy INFO usage): `application/dtmf-relay` holds lines
as `Signal=5` and `Duration=160`, `application/dtmf` the key alone. An INFO of an Info Package is another thing: none is
spoken here.
"""

from __future__ import annotations

import re
from typing import Final

from .message import RemoteSipError, Request, Row

ACCEPT_INFO: Final[Row] = ("Accept", "application/dtmf-relay, application/dtmf")
# RFC 6086 §4.2.2: of the Info Packages that we understand there are none.
RECEIVES: Final[Row] = ("Recv-Info", "")

_RELAY: Final = re.compile(r"[ \t]*application[ \t]*/[ \t]*dtmf-relay[ \t]*(?:;.*)?", re.ASCII | re.IGNORECASE)
_PLAIN: Final = re.compile(r"[ \t]*application[ \t]*/[ \t]*dtmf[ \t]*(?:;.*)?", re.ASCII | re.IGNORECASE)
_SIGNAL: Final = re.compile(
    rb"(?:^|[\r\n])[ \t]*Signal[ \t]*=[ \t]*([0-9*#A-D!]{1,2})[ \t]*(?:[\r\n]|$)", re.IGNORECASE
)
_KEY: Final = re.compile(rb"[ \t\r\n]*([0-9*#A-D!]{1,2})[ \t\r\n]*", re.IGNORECASE)
# Some say a key by the code of its event (RFC 4733 §3.2).
_CODES: Final = {"10": "*", "11": "#", "12": "A", "13": "B", "14": "C", "15": "D"}
_KEYS: Final = frozenset("0123456789*#ABCD")


def key_of(request: Request) -> str | None:
    """The key that an INFO tells of, one of `0123456789*#ABCD`; None where it tells of none, as an empty one does or a
    hook flash. Raises RemoteSipError: 415 for another type of body, 400 where none can be read in it."""
    if not request.body:
        return None
    kind = request.get("Content-Type") or ""
    if _RELAY.fullmatch(kind):
        found = _SIGNAL.search(request.body)
    elif _PLAIN.fullmatch(kind):
        found = _KEY.fullmatch(request.body) or _SIGNAL.search(request.body)
    else:
        raise RemoteSipError("INFO: Content-Type", status=415)
    if found is None:
        raise RemoteSipError("INFO: no key in it", status=400)
    said = found[1].decode("ascii").upper()
    key = _CODES.get(said, said)
    return key if key in _KEYS else None
