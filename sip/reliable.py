"""Provisional responses that arrive (RFC 3262): what we send while a call of theirs waits, until their PRACK came.

    Idle -> Sent (1xx with RSeq; sent again until the PRACK) -> Idle;  Over with the final response

One is on its way at a time, as §3 recommends; what the application says meanwhile is held, and said in its order.
`Reliable` is the callee's side. The caller's is a number for each early dialog: `rseq_of` reads it, `rack` is what a
PRACK says.
"""

from __future__ import annotations

import re
from typing import Final

from .machine import NO_TIMER, Plan, Table, Timed, rows
from .machine import Move as Moved
from .message import Request, Response, Row
from .refresh import tags
from .transaction import Bug, Late, Timers, Word

REL100: Final = "100rel"
# RFC 3262 §3: the first RSeq is from 1 to 2**31 - 1; a bit less leaves room to count.
MAX_FIRST: Final = 2**31 - 1024
# Who does not acknowledge has said so after 32 s; by then nobody has more to say. Of more the last counts.
MOST_HELD: Final = 8

_RACK = re.compile(r"([0-9]{1,10})[ \t]+([0-9]{1,10})[ \t]+INVITE", re.ASCII)
_RSEQ = re.compile(r"[0-9]{1,10}", re.ASCII)


class State(Word):
    IDLE = "Idle"
    SENT = "Sent"
    OVER = "Over"


class Input(Word):
    SAY = "a response that must arrive"
    PRACK = "PRACK"
    OVER = "final response"
    RETRANSMIT = "1xx retransmission"
    NO_PRACK = "no PRACK"


class Do(Word):
    SEND = "send it with the next RSeq"
    HOLD = "hold it until the PRACK of what is before it"
    NEXT = "send what was held"
    RESEND = "send it again"
    GIVE_UP = "the call cannot wait any longer"


Move = Moved[State, Do]
S, IN, D = State, Input, Do

TABLE: Table[State, Input, Do] = {
    (S.IDLE, IN.SAY): Move(S.SENT, (D.SEND,)),
    (S.SENT, IN.SAY): Move(S.SENT, (D.HOLD,)),
    (S.OVER, IN.SAY): Bug("a provisional response after the final one"),
    (S.IDLE, IN.PRACK): Late("PRACK retransmission"),
    (S.SENT, IN.PRACK): Move(S.IDLE, (D.NEXT,)),
    (S.OVER, IN.PRACK): Late("PRACK after the final response"),
    **rows(S, IN.OVER, Move(S.OVER)),
    (S.SENT, IN.RETRANSMIT): Move(S.SENT, (D.RESEND,)),
    **rows((S.IDLE, S.OVER), IN.RETRANSMIT, NO_TIMER),
    # RFC 3262 §3: 64*T1 without it, and the INVITE is refused with 5xx
    (S.SENT, IN.NO_PRACK): Move(S.OVER, (D.GIVE_UP,)),
    **rows((S.IDLE, S.OVER), IN.NO_PRACK, NO_TIMER),
}

PLAN = Plan("reliable response", TABLE, {S.SENT: (IN.RETRANSMIT, IN.NO_PRACK)})


class Reliable(Timed[State, Input, Do]):
    """`able` and `required`: what the caller says of 100rel. `rseq` is the number sent last, 0 for none, `last` that
    response, `described` whether it held a description of ours; `held` are the status and the body of what waits."""

    __slots__ = ("_timers", "able", "described", "held", "last", "required", "rseq")

    def __init__(self, timers: Timers, now: float) -> None:
        self._timers = timers
        self.able = self.required = False
        self.rseq = 0
        self.last = b""
        self.described = False
        self.held: tuple[tuple[int, bytes], ...] = ()
        super().__init__(PLAN, State.IDLE, now)

    def hear(self, invite: Request) -> None:
        """What the caller can, and wants."""
        self.required = REL100 in tags(invite, "Require")
        self.able = self.required or REL100 in tags(invite, "Supported")

    def must(self, *, described: bool) -> bool:
        """Whether a response has to arrive: all where the caller wants that, else those with our answer, if it can."""
        return self.required or (self.able and described)

    @property
    def keeps_answer(self) -> bool:
        """RFC 3262 §3: no 2xx while a description of ours has not arrived."""
        return self.state is State.SENT and self.described

    def hold(self, said: tuple[int, bytes]) -> None:
        if said not in self.held[-1:]:
            self.held = (*self.held[: MOST_HELD - 1], said)

    def next(self) -> tuple[int, bytes] | None:
        """What has waited longest, taken off."""
        said, self.held = self.held[:1], self.held[1:]
        return said[0] if said else None

    def number(self, chance: float) -> tuple[Row, ...]:
        """The rows of the next response."""
        self.rseq = self.rseq + 1 if self.rseq else 1 + int(chance * MAX_FIRST)
        return ("Require", REL100), ("RSeq", str(self.rseq))

    def matches(self, prack: Request, invite_cseq: int) -> bool:
        """Whether it acknowledges what was sent last (RFC 3262 §3, §7.2)."""
        found = _RACK.fullmatch((prack.get("RAck") or "").strip(" \t"))
        return found is not None and (int(found[1]), int(found[2])) == (self.rseq, invite_cseq) and self.rseq > 0

    def _begin(self, timer: Input) -> float:
        if timer is Input.RETRANSMIT:
            self.interval = self._timers.t1
            return self.interval
        return self._timers.timeout

    def _repeat(self, timer: Input) -> float | None:
        if timer is not Input.RETRANSMIT:
            return None
        self.interval *= 2  # RFC 3262 §3: no upper bound
        return self.interval


def rseq_of(response: Response) -> int | None:
    """The number of a provisional response that wants a PRACK, None for one that does not (RFC 3262 §4)."""
    value = (response.get("RSeq") or "").strip(" \t")
    wanted = 100 < response.status < 200 and REL100 in tags(response, "Require")
    return int(value) if wanted and _RSEQ.fullmatch(value) else None


def rack(response: Response, rseq: int) -> Row:
    return ("RAck", f"{rseq} {response.cseq} INVITE")
