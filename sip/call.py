"""One call as the endpoint sees it: the life of an INVITE session from either side, as one table (RFC 3261 §9, §13 to
§15).

    offered to us    Offered -> Accepted (200 sent, ACK awaited) -> Up -> Ended;   hung up before the ACK: Leaving
    dialled by us    Dialling -> Early -> Up -> Ended;   hung up: Withdrawn (CANCEL must wait for a 1xx), then Cancelled
    in a call        Up -> Reoffered (their re-INVITE waits for the application) -> Reanswered (200 sent) -> Up

The table is total: each pair of state and input is a `Move` with what to do, a `Late` crossing that is dropped by
name, or a `Bug` that raises. Doing is `endpoint`'s; here is only who may do what when. The timers of a call belong to
its states, as those of a transaction do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import Enum
from typing import TypeAlias

from attrs import frozen

from .dialog import Dialog
from .message import Address, LocalSipError, Request
from .sdp import SessionDescription
from .transaction import Bug, Late, Timers, Transaction

# RFC 3261 §13.3.1.1: a callee who lets a caller wait says so again at least every minute, or proxies give up
PROGRESS_INTERVAL = 60.0


class State(Enum):
    OFFERED = "Offered"
    ACCEPTED = "Accepted"
    LEAVING = "Leaving"
    DIALLING = "Dialling"
    EARLY = "Early"
    WITHDRAWN = "Withdrawn"
    CANCELLED = "Cancelled"
    UP = "Up"
    REOFFERED = "Reoffered"
    REANSWERED = "Reanswered"
    ENDED = "Ended"


class Input(Enum):
    # the application
    RING = "ring"
    ANSWER = "answer"
    REJECT = "reject"
    HANG_UP = "hang up"
    REANSWER = "reanswer"
    REJECT_REOFFER = "reject reoffer"
    # their requests
    CANCEL = "CANCEL"
    ACK = "ACK"
    BYE = "BYE"
    INVITE = "re-INVITE"
    INFO = "INFO"
    # responses to our INVITE
    PROGRESS = "1xx"
    SUCCESS = "2xx"
    FAILURE = "300-699"
    CHALLENGED = "401 or 407 that can be answered"
    NO_RESPONSE = "no response"  # Timer B, or the transport failed
    # timers of the call
    RETRANSMIT = "2xx retransmission"
    NO_ACK = "no ACK"
    STILL_WAITING = "still waiting"
    EXPIRED = "Expires"
    NO_FINAL = "no final response to CANCEL"
    FORGET = "forget"


class Do(Enum):
    RING = "send 180"
    ANSWER = "send 200 with our description, keep it for retransmission"
    RESEND = "send the last response again"
    REJECT = "send the final response that the application chose"
    REJECT_480 = "send 480: nobody is there any more"
    REJECT_487 = "send 487 to the INVITE that waits"
    REPLY_200 = "answer this request with 200"
    REPLY_481 = "answer this request with 481"
    REPLY_491 = "answer this re-INVITE with 491"
    REPLY_500 = "answer this re-INVITE with 500 and Retry-After"
    BYE = "send BYE"
    CANCEL = "send CANCEL"
    INVITE_AGAIN = "send our INVITE again, with credentials"
    ACK = "acknowledge the 2xx"
    DROP_INVITE = "forget our INVITE"
    TELL_CANCELLED = "CallCancelled"
    TELL_CONFIRMED = "CallConfirmed"
    TELL_REOFFERED = "CallReoffered"
    TELL_KEYED = "CallKeyed, if the INFO tells of a key"
    TELL_REOFFER_DONE = "CallConfirmed, if the ACK had to bring the answer"
    TELL_BYE = "CallEnded: bye"
    TELL_NO_ACK = "CallEnded: no-ack"
    TELL_PROGRESS = "CallProgressed"
    TELL_ANSWERED = "CallAnswered"
    TELL_FAILED = "CallFailed"


@frozen
class Move:
    state: State
    do: tuple[Do, ...] = ()


Row: TypeAlias = Move | Late | Bug

S, IN, D = State, Input, Do
CALLEE = (S.OFFERED, S.ACCEPTED, S.LEAVING)
CALLER = (S.DIALLING, S.EARLY, S.WITHDRAWN, S.CANCELLED)
CONFIRMED = (S.UP, S.REOFFERED, S.REANSWERED)

_WRONG_COMMAND = Bug("the application gave a command that this call cannot take")
_NO_TIMER = Bug("a timer of another state: it died with its state")
_NOT_OURS = Bug("a response to an INVITE that this call did not send or that its transaction has settled")
_LATE_COMMAND = Late("command for a call that had ended")


def _rows(states: Iterable[State], given: Input, row: Row) -> dict[tuple[State, Input], Row]:
    return {(state, given): row for state in states}


TABLE: dict[tuple[State, Input], Row] = {
    # ring
    (S.OFFERED, IN.RING): Move(S.OFFERED, (D.RING,)),
    **_rows((S.ACCEPTED, S.LEAVING, *CALLER, *CONFIRMED), IN.RING, _WRONG_COMMAND),
    (S.ENDED, IN.RING): _LATE_COMMAND,
    # answer
    (S.OFFERED, IN.ANSWER): Move(S.ACCEPTED, (D.ANSWER,)),
    **_rows((S.ACCEPTED, S.LEAVING, *CALLER, *CONFIRMED), IN.ANSWER, _WRONG_COMMAND),
    (S.ENDED, IN.ANSWER): _LATE_COMMAND,
    # reject
    (S.OFFERED, IN.REJECT): Move(S.ENDED, (D.REJECT,)),
    **_rows((S.ACCEPTED, S.LEAVING, *CALLER, *CONFIRMED), IN.REJECT, _WRONG_COMMAND),
    (S.ENDED, IN.REJECT): _LATE_COMMAND,
    # hang up
    (S.OFFERED, IN.HANG_UP): Move(S.ENDED, (D.REJECT_480,)),
    # RFC 3261 §15: the callee must not send BYE before the ACK came or its time is over
    (S.ACCEPTED, IN.HANG_UP): Move(S.LEAVING),
    (S.LEAVING, IN.HANG_UP): Late("hung up twice"),
    # RFC 3261 §9.1: no CANCEL before a provisional response
    (S.DIALLING, IN.HANG_UP): Move(S.WITHDRAWN),
    (S.EARLY, IN.HANG_UP): Move(S.CANCELLED, (D.CANCEL,)),
    (S.WITHDRAWN, IN.HANG_UP): Late("hung up twice"),
    (S.CANCELLED, IN.HANG_UP): Late("hung up twice"),
    (S.UP, IN.HANG_UP): Move(S.ENDED, (D.BYE,)),
    (S.REOFFERED, IN.HANG_UP): Move(S.ENDED, (D.REJECT_487, D.BYE)),
    (S.REANSWERED, IN.HANG_UP): Move(S.ENDED, (D.BYE,)),
    (S.ENDED, IN.HANG_UP): _LATE_COMMAND,
    # reanswer and its refusal
    **_rows((*CALLEE, *CALLER), IN.REANSWER, _WRONG_COMMAND),
    (S.UP, IN.REANSWER): Late("answer to a re-INVITE that was cancelled"),
    (S.REOFFERED, IN.REANSWER): Move(S.REANSWERED, (D.ANSWER,)),
    (S.REANSWERED, IN.REANSWER): _WRONG_COMMAND,
    (S.ENDED, IN.REANSWER): _LATE_COMMAND,
    **_rows((*CALLEE, *CALLER), IN.REJECT_REOFFER, _WRONG_COMMAND),
    (S.UP, IN.REJECT_REOFFER): Late("answer to a re-INVITE that was cancelled"),
    (S.REOFFERED, IN.REJECT_REOFFER): Move(S.UP, (D.REJECT,)),
    (S.REANSWERED, IN.REJECT_REOFFER): _WRONG_COMMAND,
    (S.ENDED, IN.REJECT_REOFFER): _LATE_COMMAND,
    # CANCEL of the INVITE that waits; its own 200 is sent before this
    (S.OFFERED, IN.CANCEL): Move(S.ENDED, (D.REJECT_487, D.TELL_CANCELLED)),
    **_rows((S.ACCEPTED, S.LEAVING, S.UP, S.REANSWERED, S.ENDED), IN.CANCEL, Late("CANCEL after the final response")),
    **_rows(CALLER, IN.CANCEL, Bug("a CANCEL matches an INVITE of theirs, and there is none")),
    (S.REOFFERED, IN.CANCEL): Move(S.UP, (D.REJECT_487,)),
    # ACK of a 2xx of ours
    (S.OFFERED, IN.ACK): Late("an ACK for a 2xx that was not sent"),
    (S.ACCEPTED, IN.ACK): Move(S.UP, (D.TELL_CONFIRMED,)),
    (S.LEAVING, IN.ACK): Move(S.ENDED, (D.BYE,)),
    **_rows(CALLER, IN.ACK, Late("an ACK to the caller")),
    (S.UP, IN.ACK): Late("ACK retransmission"),
    (S.REOFFERED, IN.ACK): Late("ACK retransmission"),
    (S.REANSWERED, IN.ACK): Move(S.UP, (D.TELL_REOFFER_DONE,)),
    (S.ENDED, IN.ACK): Late("ACK after the end"),
    # BYE
    (S.OFFERED, IN.BYE): Move(S.ENDED, (D.REPLY_200, D.REJECT_487, D.TELL_CANCELLED)),
    (S.ACCEPTED, IN.BYE): Move(S.ENDED, (D.REPLY_200, D.TELL_BYE)),
    (S.LEAVING, IN.BYE): Move(S.ENDED, (D.REPLY_200,)),
    # RFC 3261 §15: a callee must not send BYE on an early dialog
    **{(state, IN.BYE): Move(state, (D.REPLY_481,)) for state in CALLER},
    (S.UP, IN.BYE): Move(S.ENDED, (D.REPLY_200, D.TELL_BYE)),
    (S.REOFFERED, IN.BYE): Move(S.ENDED, (D.REPLY_200, D.REJECT_487, D.TELL_BYE)),
    (S.REANSWERED, IN.BYE): Move(S.ENDED, (D.REPLY_200, D.TELL_BYE)),
    # two BYE crossed: both are answered
    (S.ENDED, IN.BYE): Move(S.ENDED, (D.REPLY_200,)),
    # re-INVITE (RFC 3261 §14.2)
    (S.OFFERED, IN.INVITE): Move(S.OFFERED, (D.REPLY_500,)),
    (S.ACCEPTED, IN.INVITE): Move(S.ACCEPTED, (D.REPLY_491,)),
    (S.LEAVING, IN.INVITE): Move(S.LEAVING, (D.REPLY_491,)),
    **{(state, IN.INVITE): Move(state, (D.REPLY_491,)) for state in CALLER},
    (S.UP, IN.INVITE): Move(S.REOFFERED, (D.TELL_REOFFERED,)),
    (S.REOFFERED, IN.INVITE): Move(S.REOFFERED, (D.REPLY_500,)),
    (S.REANSWERED, IN.INVITE): Move(S.REANSWERED, (D.REPLY_491,)),
    (S.ENDED, IN.INVITE): Move(S.ENDED, (D.REPLY_481,)),
    # INFO; a key that is pressed before there is an answer has nobody to hear it
    **{(state, IN.INFO): Move(state, (D.REPLY_200,)) for state in (S.OFFERED, S.LEAVING, *CALLER)},
    **{(state, IN.INFO): Move(state, (D.REPLY_200, D.TELL_KEYED)) for state in (S.ACCEPTED, *CONFIRMED)},
    (S.ENDED, IN.INFO): Move(S.ENDED, (D.REPLY_481,)),
    # responses to our INVITE
    **_rows((*CALLEE, S.REOFFERED, S.REANSWERED), IN.PROGRESS, _NOT_OURS),
    (S.DIALLING, IN.PROGRESS): Move(S.EARLY, (D.TELL_PROGRESS,)),
    (S.EARLY, IN.PROGRESS): Move(S.EARLY, (D.TELL_PROGRESS,)),
    (S.WITHDRAWN, IN.PROGRESS): Move(S.CANCELLED, (D.CANCEL,)),
    (S.CANCELLED, IN.PROGRESS): Late("provisional after our CANCEL"),
    (S.UP, IN.PROGRESS): _NOT_OURS,
    (S.ENDED, IN.PROGRESS): _NOT_OURS,
    **_rows(CALLEE, IN.SUCCESS, _NOT_OURS),
    (S.DIALLING, IN.SUCCESS): Move(S.UP, (D.ACK, D.TELL_ANSWERED)),
    (S.EARLY, IN.SUCCESS): Move(S.UP, (D.ACK, D.TELL_ANSWERED)),
    # the answer crossed our CANCEL: there is a dialog now, and it ends with BYE
    (S.WITHDRAWN, IN.SUCCESS): Move(S.ENDED, (D.ACK, D.BYE)),
    (S.CANCELLED, IN.SUCCESS): Move(S.ENDED, (D.ACK, D.BYE)),
    # our ACK was lost (RFC 3261 §13.2.2.4)
    (S.UP, IN.SUCCESS): Move(S.UP, (D.ACK,)),
    (S.REOFFERED, IN.SUCCESS): Move(S.REOFFERED, (D.ACK,)),
    (S.REANSWERED, IN.SUCCESS): Move(S.REANSWERED, (D.ACK,)),
    (S.ENDED, IN.SUCCESS): Move(S.ENDED, (D.ACK,)),
    **_rows((*CALLEE, *CONFIRMED, S.ENDED), IN.FAILURE, _NOT_OURS),
    (S.DIALLING, IN.FAILURE): Move(S.ENDED, (D.TELL_FAILED,)),
    (S.EARLY, IN.FAILURE): Move(S.ENDED, (D.TELL_FAILED,)),
    (S.WITHDRAWN, IN.FAILURE): Move(S.ENDED),
    (S.CANCELLED, IN.FAILURE): Move(S.ENDED),
    # RFC 3261 §22.2: another transaction, of which nothing has been heard
    **_rows((*CALLEE, *CONFIRMED, S.ENDED), IN.CHALLENGED, _NOT_OURS),
    (S.DIALLING, IN.CHALLENGED): Move(S.DIALLING, (D.INVITE_AGAIN,)),
    (S.EARLY, IN.CHALLENGED): Move(S.DIALLING, (D.INVITE_AGAIN,)),
    (S.WITHDRAWN, IN.CHALLENGED): Move(S.ENDED),
    (S.CANCELLED, IN.CHALLENGED): Move(S.ENDED),
    **_rows((*CALLEE, *CONFIRMED, S.EARLY, S.CANCELLED, S.ENDED), IN.NO_RESPONSE, _NOT_OURS),
    (S.DIALLING, IN.NO_RESPONSE): Move(S.ENDED, (D.TELL_FAILED,)),
    (S.WITHDRAWN, IN.NO_RESPONSE): Move(S.ENDED),
    # timers
    **_rows((S.OFFERED, *CALLER, S.UP, S.REOFFERED, S.ENDED), IN.RETRANSMIT, _NO_TIMER),
    **{(state, IN.RETRANSMIT): Move(state, (D.RESEND,)) for state in (S.ACCEPTED, S.LEAVING, S.REANSWERED)},
    **_rows((S.OFFERED, *CALLER, S.UP, S.REOFFERED, S.ENDED), IN.NO_ACK, _NO_TIMER),
    # RFC 3261 §13.3.1.4 and §14.2: the session is confirmed, and ends with BYE
    (S.ACCEPTED, IN.NO_ACK): Move(S.ENDED, (D.BYE, D.TELL_NO_ACK)),
    (S.LEAVING, IN.NO_ACK): Move(S.ENDED, (D.BYE,)),
    (S.REANSWERED, IN.NO_ACK): Move(S.ENDED, (D.BYE, D.TELL_NO_ACK)),
    **_rows((S.ACCEPTED, S.LEAVING, *CALLER, *CONFIRMED, S.ENDED), IN.STILL_WAITING, _NO_TIMER),
    (S.OFFERED, IN.STILL_WAITING): Move(S.OFFERED, (D.RESEND,)),
    **_rows((S.ACCEPTED, S.LEAVING, *CALLER, *CONFIRMED, S.ENDED), IN.EXPIRED, _NO_TIMER),
    (S.OFFERED, IN.EXPIRED): Move(S.ENDED, (D.REJECT_487, D.TELL_CANCELLED)),
    **_rows((*CALLEE, *CONFIRMED, S.DIALLING, S.EARLY, S.WITHDRAWN, S.ENDED), IN.NO_FINAL, _NO_TIMER),
    # RFC 3261 §9.1: the client gives up on the INVITE 64*T1 after its CANCEL
    (S.CANCELLED, IN.NO_FINAL): Move(S.ENDED, (D.DROP_INVITE,)),
    **_rows((*CALLEE, *CALLER, *CONFIRMED), IN.FORGET, _NO_TIMER),
    (S.ENDED, IN.FORGET): Late("the end of an ended call"),
}

# What sends something again changes nothing that must be kept.
UNTOLD = frozenset({IN.RETRANSMIT, IN.STILL_WAITING})

_STATE_TIMERS: dict[State, tuple[Input, ...]] = {
    S.OFFERED: (IN.STILL_WAITING,),
    S.ACCEPTED: (IN.RETRANSMIT, IN.NO_ACK),
    S.LEAVING: (IN.RETRANSMIT, IN.NO_ACK),
    S.REANSWERED: (IN.RETRANSMIT, IN.NO_ACK),
    S.CANCELLED: (IN.NO_FINAL,),
    S.ENDED: (IN.FORGET,),
}


class Call:
    """The record of one call. `transaction` is the INVITE transaction that is open or was last, of theirs or of ours;
    `peer` the source of their last INVITE."""

    __slots__ = (
        "_timers", "ack", "dialog", "early_answers", "final", "id", "interval", "invite", "invite_cseq",
        "needs_answer", "open", "peer", "running", "scheduled", "state", "tag", "transaction", "trunk",
    )  # fmt: skip

    def __init__(self, call_id: str, tag: str, state: State, timers: Timers, now: float) -> None:
        self.id = call_id
        self.tag = tag
        self.state = state
        self.trunk = ""
        self.dialog: Dialog | None = None
        self.invite: Request | None = None
        self.invite_cseq = 0
        self.transaction: Transaction | None = None
        self.peer = Address("", 0)
        # the last response, which a timer sends again
        self.final = b""
        # our ACK, which answers every 2xx that comes again
        self.ack = b""
        self.needs_answer = False
        # of each callee behind a fork, by its tag
        self.early_answers: dict[str, SessionDescription] = {}
        self.scheduled = math.inf
        # the keys of its transactions that are not over, in the order they began
        self.open: dict[tuple[str, ...], None] = {}
        self._timers = timers
        # of the 2xx retransmission
        self.interval = 0.0
        self.running: dict[Input, float] = {}
        self._enter(state, now)

    def receive(self, given: Input, now: float) -> Move | Late:
        """Move, and say what is to be done. Raises LocalSipError on a bug; then nothing has changed."""
        row = TABLE[self.state, given]
        if isinstance(row, Bug):
            raise LocalSipError(f"call {self.state.value}, {given.value}: {row.text}")
        if isinstance(row, Move) and row.state is not self.state:
            self.state = row.state
            self._enter(row.state, now)
        return row

    def expire(self, when: float) -> None:
        """The Expires of the INVITE (RFC 3261 §13.3.1), while it waits."""
        self.running[Input.EXPIRED] = when

    def _enter(self, state: State, now: float) -> None:
        running: dict[Input, float] = {}
        for timer in _STATE_TIMERS.get(state, ()):
            if timer in self.running:
                running[timer] = self.running[timer]
            elif timer is Input.RETRANSMIT:
                self.interval = self._timers.t1
                running[timer] = now + self.interval
            elif timer is Input.STILL_WAITING:
                running[timer] = now + PROGRESS_INTERVAL
            else:
                running[timer] = now + self._timers.timeout
        self.running = running

    def deadline(self) -> float:
        return min(self.running.values(), default=math.inf)

    def due(self, now: float) -> Input | None:
        """The next timer that is due at `now`, taken off or, where it repeats, set again."""
        if not self.running:
            return None
        timer, when = min(self.running.items(), key=lambda item: (item[1], item[0].value))
        if when > now:
            return None
        if timer is Input.RETRANSMIT:
            # RFC 3261 §13.3.1.4: T1, doubled up to T2
            self.interval = min(2 * self.interval, self._timers.t2)
            self.running[timer] = when + self.interval if when + self.interval > now else now + self.interval
        elif timer is Input.STILL_WAITING:
            self.running[timer] = now + PROGRESS_INTERVAL
        else:
            del self.running[timer]
        return timer
