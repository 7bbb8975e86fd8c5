"""Why a call ended, in the words of the telephone network (RFC 3326): `Reason: Q.850;cause=17;text="User busy"`.

A gateway to the telephone network says 480 or 503 for many things; the cause that it was told says which. What we say
as we end a call are the texts here.
"""

from __future__ import annotations

import re
from typing import Final

from .grammar import TOKEN, RemoteSipError, parse_params
from .message import Request, Response

_PROTOCOL: Final = re.compile(rf"[ \t]*({TOKEN})", re.ASCII)
# Q.850 has seven bits for it.
_CAUSE: Final = re.compile(r"[0-9]{1,3}", re.ASCII)
MOST: Final = 127

# Q.850 §2.2.7; a telephone that has been called beside others shows no missed call where one of those was answered.
CLEARED: Final = 'Q.850;cause=16;text="Normal call clearing"'
NO_ANSWER: Final = 'Q.850;cause=19;text="No answer from user"'
FAILED: Final = 'Q.850;cause=41;text="Temporary failure"'
TIMER: Final = 'Q.850;cause=102;text="Recovery on timer expiry"'
ELSEWHERE: Final = 'SIP;cause=200;text="Call completed elsewhere"'


def q850(message: Request | Response) -> int:
    """The cause that a message tells, 0 where it tells none that can be read."""
    try:
        for value in message.items("Reason"):
            found = _PROTOCOL.match(value)
            if found is None or found[1].upper() != "Q.850":
                continue
            cause = next((text for name, text in parse_params(value, found.end()) if name == "cause"), None) or ""
            if _CAUSE.fullmatch(cause) and int(cause) <= MOST:
                return int(cause)
    except RemoteSipError:
        pass
    return 0
