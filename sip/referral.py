"""Calls that the far side wants given to somebody else (REFER, RFC 3515), and what it is told of that (NOTIFY).

    Idle -> Asked (the application decides) -> Saying (a NOTIFY is on its way) <-> Said
                                                                                    `-> Closing (the last one) -> Idle

One is told at a time, so that none overtakes another: what comes meanwhile is kept, the last of it. The last word ends
the subscription that the REFER made, which outlives the call, for who refers often hangs up at once. It ends by itself
after `EXPIRES`. Who wants none (RFC 4488) is told nothing.

`Referral` is the callee's side. We send no REFER.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from .grammar import Address, NameAddr, RemoteSipError, Uri
from .machine import NO_TIMER, Plan, Table, Timed, rows, stay
from .machine import Move as Moved
from .message import PHRASES, Request, Row
from .transaction import Bug, Late, Word

if TYPE_CHECKING:
    from .layer import Slot

# How long whoever is called may take: three minutes are a proxy's (RFC 3261 §16.6, Timer C). In seconds.
EXPIRES: Final = 180.0
SIPFRAG: Final[Row] = ("Content-Type", "message/sipfrag;version=2.0")
# RFC 4488: who refers does not want to hear what comes of it.
NOREFERSUB: Final = "norefersub"
UNTOLD: Final[Row] = ("Refer-Sub", "false")

_REPLACES = re.compile(r"[?&]replaces=", re.ASCII | re.IGNORECASE)
_UNTOLD = re.compile(r"[ \t]*false[ \t]*(?:;.*)?", re.ASCII | re.IGNORECASE)


class State(Word):
    IDLE = "Idle"
    ASKED = "Asked"
    SAYING = "Saying"
    SAID = "Said"
    CLOSING = "Closing"


class Input(Word):
    REFER = "REFER"
    # the call
    OVER = "the call is over"
    # the application
    ACCEPT = "accept"
    ACCEPT_UNTOLD = "accept, of one that wants to hear nothing"
    REJECT = "reject"
    STANDS = "how it stands"
    LAST = "what came of it"
    # the answer to our NOTIFY
    HEARD = "2xx"
    LOST = "300-699 or no response"
    EXPIRED = "Expires"


class Do(Word):
    ASK = "CallReferred"
    ACCEPT = "answer the REFER with 202"
    ACCEPT_UNTOLD = "answer the REFER with 202 and Refer-Sub"
    REJECT = "answer the REFER with the status that the application chose"
    LEAVE = "answer the REFER with 481: the call is over"
    REPLY_491 = "answer this REFER with 491"
    TRYING = "NOTIFY: 100"
    NOTIFY = "NOTIFY: how it stands"
    NOTIFY_LAST = "NOTIFY: what came of it, and that nothing follows"
    NOTIFY_EXPIRED = "NOTIFY: that nothing follows"
    KEEP = "keep this until the NOTIFY before has been heard"
    NEXT = "say what was kept"


Move = Moved[State, Do]
S, IN, D = State, Input, Do

_LATE_COMMAND = Late("what was referred is over")
_WRONG_COMMAND = Bug("no REFER waits for an answer")
_NOT_SENT = Bug("no NOTIFY was sent")

TABLE: Table[State, Input, Do] = {
    (S.IDLE, IN.REFER): Move(S.ASKED, (D.ASK,)),
    **stay((S.ASKED, S.SAYING, S.SAID, S.CLOSING), IN.REFER, D.REPLY_491),
    **stay((S.IDLE, S.SAYING, S.SAID, S.CLOSING), IN.OVER),
    (S.ASKED, IN.OVER): Move(S.IDLE, (D.LEAVE,)),
    (S.IDLE, IN.ACCEPT): _LATE_COMMAND,
    (S.ASKED, IN.ACCEPT): Move(S.SAYING, (D.ACCEPT, D.TRYING)),
    **rows((S.SAYING, S.SAID, S.CLOSING), IN.ACCEPT, _WRONG_COMMAND),
    (S.IDLE, IN.ACCEPT_UNTOLD): _LATE_COMMAND,
    (S.ASKED, IN.ACCEPT_UNTOLD): Move(S.IDLE, (D.ACCEPT_UNTOLD,)),
    **rows((S.SAYING, S.SAID, S.CLOSING), IN.ACCEPT_UNTOLD, _WRONG_COMMAND),
    (S.IDLE, IN.REJECT): _LATE_COMMAND,
    (S.ASKED, IN.REJECT): Move(S.IDLE, (D.REJECT,)),
    **rows((S.SAYING, S.SAID, S.CLOSING), IN.REJECT, _WRONG_COMMAND),
    (S.IDLE, IN.STANDS): _LATE_COMMAND,
    (S.ASKED, IN.STANDS): Bug("it has not been accepted"),
    (S.SAYING, IN.STANDS): Move(S.SAYING, (D.KEEP,)),
    (S.SAID, IN.STANDS): Move(S.SAYING, (D.NOTIFY,)),
    (S.CLOSING, IN.STANDS): Late("its time was over"),
    (S.IDLE, IN.LAST): _LATE_COMMAND,
    (S.ASKED, IN.LAST): Bug("it has not been accepted"),
    (S.SAYING, IN.LAST): Move(S.SAYING, (D.KEEP,)),
    (S.SAID, IN.LAST): Move(S.CLOSING, (D.NOTIFY_LAST,)),
    (S.CLOSING, IN.LAST): Late("its time was over"),
    **rows((S.IDLE, S.ASKED), IN.HEARD, Late("the answer to a NOTIFY whose time was over")),
    (S.SAYING, IN.HEARD): Move(S.SAID, (D.NEXT,)),
    (S.SAID, IN.HEARD): _NOT_SENT,
    (S.CLOSING, IN.HEARD): Move(S.IDLE),
    # RFC 6665 §4.2.2: then there is no such subscription any more
    **rows((S.IDLE, S.ASKED), IN.LOST, Late("the answer to a NOTIFY whose time was over")),
    (S.SAYING, IN.LOST): Move(S.IDLE),
    (S.SAID, IN.LOST): _NOT_SENT,
    (S.CLOSING, IN.LOST): Move(S.IDLE),
    **rows((S.IDLE, S.ASKED, S.CLOSING), IN.EXPIRED, NO_TIMER),
    # nobody has heard the NOTIFY before, and another would not be heard either
    (S.SAYING, IN.EXPIRED): Move(S.IDLE),
    (S.SAID, IN.EXPIRED): Move(S.CLOSING, (D.NOTIFY_EXPIRED,)),
}

PLAN = Plan("referral", TABLE, {S.SAYING: (IN.EXPIRED,), S.SAID: (IN.EXPIRED,)})


class Referral(Timed[State, Input, Do]):
    """`waiting` is their REFER that waits for the application, with where it came from; `event` names the subscription;
    `stands` is the status that was told last, `wanted` one that waits, 0: none."""

    __slots__ = ("event", "stands", "waiting", "wanted")

    def __init__(self, now: float) -> None:
        self.waiting: tuple[Slot, Address] | None = None
        self.event = ""
        self.stands = self.wanted = 0
        super().__init__(PLAN, State.IDLE, now)

    @property
    def untold(self) -> bool:
        """Who refers wants to hear nothing (RFC 4488 §4)."""
        assert self.waiting is not None, "a REFER waits"
        return _UNTOLD.fullmatch(self.waiting[0].transaction.request.get("Refer-Sub") or "") is not None

    def begin(self, request: Request) -> None:
        """RFC 3515 §2.4.6: with the number of the REFER, so that one is known from the next."""
        self.event = f"refer;id={request.cseq}"
        self.stands, self.wanted = 100, 0

    def said(self, now: float, reason: str = "") -> tuple[tuple[Row, ...], bytes]:
        """The rows and the body of a NOTIFY; with a `reason` it is the last one."""
        left = max(0, round(self.running.get(Input.EXPIRED, now) - now))
        state = f"terminated;reason={reason}" if reason else f"active;expires={left}"
        fragment = f"SIP/2.0 {self.stands} {PHRASES.get(self.stands, 'Unknown')}\r\n"
        return (("Event", self.event), ("Subscription-State", state), SIPFRAG), fragment.encode()

    def _begin(self, timer: Input) -> float:
        return EXPIRES

    def _repeat(self, timer: Input) -> float | None:
        return None


def refer_to(request: Request) -> Uri:
    """Whom the far side wants to have the call. Raises RemoteSipError: 400 where it is not one (RFC 3515 §2.4.2), 416
    for no telephone, 603 for what we do not do: another method than INVITE, and taking the place of a call that there
    is (Replaces, RFC 3891)."""
    targets = request.items("Refer-To")
    if len(targets) != 1:
        raise RemoteSipError("REFER wants one Refer-To")
    text = NameAddr.parse(targets[0]).uri
    uri = Uri.parse(text)
    if (uri.param("method") or "INVITE").upper() != "INVITE":
        raise RemoteSipError("refers to no call", 603)
    if _REPLACES.search(text):
        raise RemoteSipError("Replaces is not done here", 603)
    return uri
