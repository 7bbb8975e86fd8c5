"""Session timers (RFC 4028): a call whose far side has died without a word ends when nobody refreshes it.

    Off        nobody agreed to a timer
    Ours       we refresh after half of the interval: -> Asking until that is answered, else the call ends
    Refused    the far side is there and would not, for now: asked again, as long as the interval lasts
    Theirs     they refresh, or the call ends shortly before the interval does (§10)

Who refreshes is agreed anew with every 2xx to an INVITE or UPDATE: `accepted` as the one who answers (§9), `granted`
as the one who asked (§7). `asked` gives the rows of a request of ours.
"""

from __future__ import annotations

import re
from typing import Final

from .machine import NO_TIMER, Plan, Table, Timed, rows
from .machine import Move as Moved
from .message import Request, Response, Row
from .transaction import Late, Word

# RFC 4028 §4 recommends it, in seconds.
SESSION_EXPIRES: Final = 1800
# RFC 4028 §4: no interval may be shorter.
MIN_SE: Final = 90
# ... and none that we take is longer than a day: it would be none.
MAX_SE: Final = 86400
# RFC 4028 §10: who waits for a refresh gives up that much before the interval ends, or a third of it.
EARLIER: Final = 32.0
TIMER: Final = "timer"
# A refresh that was refused without a word about when is tried again so many times in what is left of the interval.
TRIES: Final = 4

_SESSION = re.compile(r"[ \t]*([0-9]{1,10})(?![0-9])", re.ASCII)
_REFRESHER = re.compile(r";[ \t]*refresher[ \t]*=[ \t]*(uac|uas)(?![0-9A-Za-z])", re.ASCII | re.IGNORECASE)


class State(Word):
    OFF = "Off"
    OURS = "Ours"
    ASKING = "Asking"
    REFUSED = "Refused"
    THEIRS = "Theirs"


class Input(Word):
    NOBODY = "nobody refreshes"
    WE = "we refresh"
    THEY = "they refresh"
    OVER = "the call is over"
    HALF = "half of the interval"
    REFUSED = "the refresh was refused"
    AGAIN = "refresh again"
    LAPSE = "the interval ends"


class Do(Word):
    REFRESH = "send UPDATE, or a re-INVITE with our last description"
    BREAK = "the call cannot go on"


Move = Moved[State, Do]
S, IN, D = State, Input, Do

TABLE: Table[State, Input, Do] = {
    **rows(S, IN.NOBODY, Move(S.OFF)),
    **rows(S, IN.WE, Move(S.OURS)),
    **rows(S, IN.THEY, Move(S.THEIRS)),
    **rows(S, IN.OVER, Move(S.OFF)),
    (S.OURS, IN.HALF): Move(S.ASKING, (D.REFRESH,)),
    **rows((S.OFF, S.ASKING, S.REFUSED, S.THEIRS), IN.HALF, NO_TIMER),
    # RFC 4028 §10: only 408, 481 and silence say that the far side is gone
    (S.ASKING, IN.REFUSED): Move(S.REFUSED),
    **rows((S.OFF, S.OURS, S.REFUSED, S.THEIRS), IN.REFUSED, Late("a refusal that is of no refresh")),
    (S.REFUSED, IN.AGAIN): Move(S.ASKING, (D.REFRESH,)),
    **rows((S.OFF, S.OURS, S.ASKING, S.THEIRS), IN.AGAIN, NO_TIMER),
    **rows((S.OFF, S.OURS), IN.LAPSE, NO_TIMER),
    **rows((S.ASKING, S.REFUSED, S.THEIRS), IN.LAPSE, Move(S.OFF, (D.BREAK,))),
}

PLAN = Plan(
    "session timer",
    TABLE,
    {S.OURS: (IN.HALF,), S.ASKING: (IN.LAPSE,), S.REFUSED: (IN.AGAIN, IN.LAPSE), S.THEIRS: (IN.LAPSE,)},
)


class Refresh(Timed[State, Input, Do]):
    """`interval` is that of the session, in seconds, and `least` the shortest that anybody on the way takes; `speaks`:
    they know of session timers, `updates`: they take UPDATE; `pause` is for how long they refused."""

    __slots__ = ("least", "pause", "speaks", "updates")

    def __init__(self, interval: int, now: float) -> None:
        self.least = MIN_SE
        self.speaks = False
        self.updates = False
        self.pause = 0.0
        super().__init__(PLAN, State.OFF, now)
        self.interval = float(interval)

    def agree(self, given: Input, now: float) -> Move | Late:
        """A refresh has come through, or nobody is to: all begins anew."""
        self.running = {}
        row = self.receive(given, now)
        self._enter(now)
        return row

    def refused(self, retry_after: int | None, now: float) -> Move | Late:
        """By a final answer that does not say that they know of no call."""
        self.pause = self.interval / 2 / (TRIES + 1) if retry_after is None else float(max(retry_after, 1))
        return self.receive(Input.REFUSED, now)

    def _begin(self, timer: Input) -> float:
        if timer is Input.AGAIN:
            return self.pause
        if self.state is State.THEIRS:
            return self.interval - min(EARLIER, self.interval / 3)
        return self.interval / 2

    def _repeat(self, timer: Input) -> float | None:
        return None

    # --- what is said ---------------------------------------------------------------------------------------------

    def asked(self) -> tuple[Row, ...]:
        """In an INVITE or UPDATE of ours (§7.1, §7.4). Who refreshes stays who it is."""
        who = {State.OFF: "", State.THEIRS: ";refresher=uas"}.get(self.state, ";refresher=uac")
        rows_: tuple[Row, ...] = (("Session-Expires", f"{self.interval:.0f}{who}"),)
        return rows_ if self.least == MIN_SE else (*rows_, ("Min-SE", str(self.least)))

    def granted(self, response: Response, now: float) -> None:
        """A 2xx to such a request (§7.2): without Session-Expires nobody refreshes."""
        self._hear(response)
        found = session_expires(response)
        if found is None:
            self.agree(Input.NOBODY, now)
            return
        seconds, who = found
        self.interval = float(min(max(seconds, MIN_SE), MAX_SE))
        self.agree(Input.THEY if who == "uas" else Input.WE, now)

    def accepted(self, request: Request, now: float) -> tuple[Row, ...]:
        """The rows of a 2xx to a request of theirs (§9): we refresh, unless they want to or do so already."""
        self._hear(request)
        found = session_expires(request)
        if found is not None and found[0] < MIN_SE:
            # who speaks of timers was told so (422); a proxy that put it in cannot be
            found, self.speaks = None, TIMER in tags(request, "Supported")
        if not self.speaks:
            self.agree(Input.NOBODY, now)
            return ()
        least = _SESSION.match(request.get("Min-SE") or "")
        wanted = self.interval if found is None else float(found[0])
        self.interval = min(max(wanted, float(least[1]) if least else 0.0), float(MAX_SE))
        who = (found[1] if found is not None else "") or ("uac" if self.state is State.THEIRS else "uas")
        self.agree(Input.THEY if who == "uac" else Input.WE, now)
        row = ("Session-Expires", f"{self.interval:.0f};refresher={who}")
        # one that a proxy put in is not their own
        return (row, ("Require", TIMER)) if TIMER in tags(request, "Supported") else (row,)

    def too_small(self, response: Response) -> bool:
        """Takes a 422 (§7.3): whether the request can be sent again with a longer interval."""
        found = _SESSION.match(response.get("Min-SE") or "")
        if response.status != 422 or not found or not self.least < int(found[1]) <= MAX_SE:
            return False
        self.least = int(found[1])
        self.interval = max(self.interval, float(self.least))
        return True

    def _hear(self, message: Request | Response) -> None:
        speaks = isinstance(message, Response) or TIMER in tags(message, "Supported")
        self.speaks = speaks or session_expires(message) is not None
        if message.get("Allow") is not None:
            self.updates = "update" in tags(message, "Allow")


def session_expires(message: Request | Response) -> tuple[int, str] | None:
    """Seconds, and who refreshes: `uac`, `uas` or "" where it is left open."""
    value = message.get("Session-Expires") or ""
    found = _SESSION.match(value)
    if not found:
        return None
    who = _REFRESHER.search(value)
    return int(found[1]), who[1].lower() if who else ""


def tags(message: Request | Response, name: str) -> set[str]:
    """The option tags or methods of a list header field, in lower case."""
    return {item.strip(" \t").lower() for value in message.values(name) for item in value.split(",")}
