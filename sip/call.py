"""One call as the endpoint sees it: the life of an INVITE session from either side, as one table (RFC 3261 §9, §13 to
§15).

    offered to us    Offered -> Accepted (200 sent, ACK awaited) -> Up -> Ended;   hung up before the ACK: Leaving
                     answered before the PRACK of our early answer came: Pledged, then Accepted
    dialled by us    Dialling -> Early -> Up -> Ended;   hung up: Withdrawn (CANCEL must wait for a 1xx), then Cancelled

The table is total (see `machine`). Doing is `sessions`'; here is only who may do what when. What is offered and
answered while the call is up is a machine of its own, `exchange`, and so are the session timer, `refresh`, and the
provisional responses that have to arrive, `reliable`, and what comes of a REFER, `referral`: a `Call` is the record of
all five.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import define

from .dialog import Dialog
from .exchange import Exchange
from .machine import NO_TIMER, Plan, Table, Timed, rows, stay
from .machine import Move as Moved
from .message import Address, Request, Row
from .referral import Referral
from .refresh import SESSION_EXPIRES, Refresh
from .reliable import Reliable
from .sdp import SessionDescription
from .transaction import Bug, Late, Timers, Transaction, Word

if TYPE_CHECKING:
    from .snapshot import DialogSnapshot

# RFC 3261 §13.3.1.1: a callee who lets a caller wait says so again at least every minute, or proxies give up
PROGRESS_INTERVAL = 60.0


class State(Word):
    OFFERED = "Offered"
    PLEDGED = "Pledged"
    ACCEPTED = "Accepted"
    LEAVING = "Leaving"
    DIALLING = "Dialling"
    EARLY = "Early"
    WITHDRAWN = "Withdrawn"
    CANCELLED = "Cancelled"
    UP = "Up"
    ENDED = "Ended"


# The application wants it no more; what is left is to end it, or to remember it.
GIVEN_UP = frozenset({State.LEAVING, State.WITHDRAWN, State.CANCELLED, State.ENDED})


class Input(Word):
    # the application
    RING = "ring"
    EARLY_ANSWER = "progress"
    ANSWER = "answer"
    PLEDGE = "answer, when what was said before has arrived"
    REJECT = "reject"
    HANG_UP = "hang up"
    OFFER = "reoffer"
    REANSWER = "reanswer"
    REJECT_REOFFER = "reject reoffer"
    # the other machines
    BROKEN = "cannot go on"
    HEARD = "what was said before has arrived"
    UNHEARD = "no PRACK"
    # their requests
    CANCEL = "CANCEL"
    ACK = "ACK"
    BYE = "BYE"
    INVITE = "re-INVITE"
    UPDATE = "UPDATE"
    PRACK = "PRACK"
    INFO = "INFO"
    REFER = "REFER"
    # responses to our first INVITE
    PROGRESS = "1xx"
    SUCCESS = "2xx"
    FAILURE = "300-699"
    RETRY = "a refusal that can be met"
    NO_RESPONSE = "no response"  # Timer B, or the transport failed
    # timers of the call
    RETRANSMIT = "2xx retransmission"
    NO_ACK = "no ACK"
    STILL_WAITING = "still waiting"
    EXPIRED = "Expires"
    NO_FINAL = "no final response to CANCEL"
    FORGET = "forget"


class Do(Word):
    RING = "send 180"
    EARLY_ANSWER = "send 183 with our answer"
    HOLD_ANSWER = "keep our answer until what was said before has arrived"
    ANSWER_HELD = "send 200 with the answer that was kept"
    ANSWER = "send 200 with our description, keep it for retransmission"
    EXCHANGE = "this is for the offers and answers of the call"
    REFER = "this is for what is referred"
    UPDATE = "answer this UPDATE, or let its offer be answered"
    PRACK = "answer this PRACK, and say what was held"
    RESEND = "send the last response again"
    REJECT = "send the final response that the application chose"
    REJECT_480 = "send 480: nobody is there any more"
    REJECT_487 = "send 487 to the INVITE that waits"
    REJECT_504 = "send 504 to the INVITE that waits"
    REPLY_200 = "answer this request with 200"
    REPLY_481 = "answer this request with 481"
    REPLY_491 = "answer this re-INVITE with 491"
    REPLY_500 = "answer this request with 500 and Retry-After"
    BYE = "send BYE"
    CANCEL = "send CANCEL"
    INVITE_AGAIN = "send our INVITE again, as the refusal asked"
    ACK = "acknowledge the 2xx"
    DROP_INVITE = "forget our INVITE"
    DROP_OFFER = "forget our re-INVITE, if it had no final response"
    TELL_CANCELLED = "CallCancelled"
    TELL_CONFIRMED = "CallConfirmed"
    TELL_KEYED = "CallKeyed, if the INFO tells of a key"
    TELL_BYE = "CallEnded: bye"
    TELL_NO_ACK = "CallEnded: no-ack"
    TELL_BROKEN = "CallEnded, with the cause that was given"
    TELL_PROGRESS = "CallProgressed"
    TELL_ANSWERED = "CallAnswered"
    TELL_FAILED = "CallFailed"


Move = Moved[State, Do]
S, IN, D = State, Input, Do
WAITING = (S.OFFERED, S.PLEDGED)
CALLEE = (*WAITING, S.ACCEPTED, S.LEAVING)
CALLER = (S.DIALLING, S.EARLY, S.WITHDRAWN, S.CANCELLED)

_WRONG_COMMAND = Bug("the application gave a command that this call cannot take")
_NOT_OURS = Bug("a response to an INVITE that this call did not send or that its transaction has settled")
_LATE_COMMAND = Late("command for a call that had ended")


TABLE: Table[State, Input, Do] = {
    # ring
    (S.OFFERED, IN.RING): Move(S.OFFERED, (D.RING,)),
    **rows((S.PLEDGED, S.ACCEPTED, S.LEAVING, *CALLER, S.UP), IN.RING, _WRONG_COMMAND),
    (S.ENDED, IN.RING): _LATE_COMMAND,
    # early media
    (S.OFFERED, IN.EARLY_ANSWER): Move(S.OFFERED, (D.EARLY_ANSWER,)),
    **rows((S.PLEDGED, S.ACCEPTED, S.LEAVING, *CALLER, S.UP), IN.EARLY_ANSWER, _WRONG_COMMAND),
    (S.ENDED, IN.EARLY_ANSWER): _LATE_COMMAND,
    # answer
    (S.OFFERED, IN.ANSWER): Move(S.ACCEPTED, (D.ANSWER,)),
    **rows((S.PLEDGED, S.ACCEPTED, S.LEAVING, *CALLER, S.UP), IN.ANSWER, _WRONG_COMMAND),
    (S.ENDED, IN.ANSWER): _LATE_COMMAND,
    # RFC 3262 §3: no 2xx while a description of ours has not arrived
    (S.OFFERED, IN.PLEDGE): Move(S.PLEDGED, (D.HOLD_ANSWER,)),
    **rows((S.PLEDGED, S.ACCEPTED, S.LEAVING, *CALLER, S.UP, S.ENDED), IN.PLEDGE, _WRONG_COMMAND),
    (S.PLEDGED, IN.HEARD): Move(S.ACCEPTED, (D.ANSWER_HELD,)),
    **rows((S.OFFERED, S.ACCEPTED, S.LEAVING, *CALLER, S.UP, S.ENDED), IN.HEARD, Late("nothing waited for the PRACK")),
    **rows(WAITING, IN.UNHEARD, Move(S.ENDED, (D.REJECT_504, D.TELL_CANCELLED))),
    **rows((S.ACCEPTED, S.LEAVING, *CALLER, S.UP, S.ENDED), IN.UNHEARD, Bug("the final response ended that wait")),
    # reject
    (S.OFFERED, IN.REJECT): Move(S.ENDED, (D.REJECT,)),
    **rows((S.PLEDGED, S.ACCEPTED, S.LEAVING, *CALLER, S.UP), IN.REJECT, _WRONG_COMMAND),
    (S.ENDED, IN.REJECT): _LATE_COMMAND,
    # hang up
    **rows(WAITING, IN.HANG_UP, Move(S.ENDED, (D.REJECT_480,))),
    # RFC 3261 §15: the callee must not send BYE before the ACK came or its time is over
    (S.ACCEPTED, IN.HANG_UP): Move(S.LEAVING),
    (S.LEAVING, IN.HANG_UP): Late("hung up twice"),
    # RFC 3261 §9.1: no CANCEL before a provisional response
    (S.DIALLING, IN.HANG_UP): Move(S.WITHDRAWN),
    (S.EARLY, IN.HANG_UP): Move(S.CANCELLED, (D.CANCEL,)),
    (S.WITHDRAWN, IN.HANG_UP): Late("hung up twice"),
    (S.CANCELLED, IN.HANG_UP): Late("hung up twice"),
    (S.UP, IN.HANG_UP): Move(S.ENDED, (D.BYE,)),
    (S.ENDED, IN.HANG_UP): _LATE_COMMAND,
    # new offers and answers
    **rows((*CALLEE, *CALLER), IN.OFFER, _WRONG_COMMAND),
    (S.UP, IN.OFFER): Move(S.UP, (D.EXCHANGE,)),
    (S.ENDED, IN.OFFER): _LATE_COMMAND,
    **stay((*CALLEE, *CALLER, S.UP), IN.REANSWER, D.EXCHANGE),
    (S.ENDED, IN.REANSWER): _LATE_COMMAND,
    **stay((*CALLEE, *CALLER, S.UP), IN.REJECT_REOFFER, D.EXCHANGE),
    (S.ENDED, IN.REJECT_REOFFER): _LATE_COMMAND,
    # a re-INVITE or a session timer came to nothing
    **rows((*CALLEE, *CALLER), IN.BROKEN, Bug("no other machine of a call runs before it is up")),
    (S.UP, IN.BROKEN): Move(S.ENDED, (D.BYE, D.TELL_BROKEN)),
    (S.ENDED, IN.BROKEN): Late("broken after the end"),
    # CANCEL of the INVITE that waits; its own 200 is sent before this
    **rows(WAITING, IN.CANCEL, Move(S.ENDED, (D.REJECT_487, D.TELL_CANCELLED))),
    **rows((S.ACCEPTED, S.LEAVING, S.ENDED), IN.CANCEL, Late("CANCEL after the final response")),
    (S.UP, IN.CANCEL): Move(S.UP, (D.EXCHANGE,)),
    **rows(CALLER, IN.CANCEL, Bug("a CANCEL matches an INVITE of theirs, and there is none")),
    # ACK of a 2xx of ours
    **rows(WAITING, IN.ACK, Late("an ACK for a 2xx that was not sent")),
    (S.ACCEPTED, IN.ACK): Move(S.UP, (D.TELL_CONFIRMED,)),
    (S.LEAVING, IN.ACK): Move(S.ENDED, (D.BYE,)),
    **rows(CALLER, IN.ACK, Late("an ACK to the caller")),
    (S.UP, IN.ACK): Move(S.UP, (D.EXCHANGE,)),
    (S.ENDED, IN.ACK): Late("ACK after the end"),
    # BYE
    **rows(WAITING, IN.BYE, Move(S.ENDED, (D.REPLY_200, D.REJECT_487, D.TELL_CANCELLED))),
    (S.ACCEPTED, IN.BYE): Move(S.ENDED, (D.REPLY_200, D.TELL_BYE)),
    (S.LEAVING, IN.BYE): Move(S.ENDED, (D.REPLY_200,)),
    # RFC 3261 §15: a callee must not send BYE on an early dialog
    **stay(CALLER, IN.BYE, D.REPLY_481),
    (S.UP, IN.BYE): Move(S.ENDED, (D.REPLY_200, D.TELL_BYE)),
    # two BYE crossed: both are answered
    (S.ENDED, IN.BYE): Move(S.ENDED, (D.REPLY_200,)),
    # re-INVITE (RFC 3261 §14.2)
    **stay(WAITING, IN.INVITE, D.REPLY_500),
    (S.ACCEPTED, IN.INVITE): Move(S.ACCEPTED, (D.REPLY_491,)),
    (S.LEAVING, IN.INVITE): Move(S.LEAVING, (D.REPLY_491,)),
    **stay(CALLER, IN.INVITE, D.REPLY_491),
    (S.UP, IN.INVITE): Move(S.UP, (D.EXCHANGE,)),
    (S.ENDED, IN.INVITE): Move(S.ENDED, (D.REPLY_481,)),
    # RFC 3311 §5.2: in an early dialog too
    **stay((*CALLEE, *CALLER, S.UP), IN.UPDATE, D.UPDATE),
    (S.ENDED, IN.UPDATE): Move(S.ENDED, (D.REPLY_481,)),
    # RFC 3262 §3, also after the final response
    **stay((*CALLEE, S.UP, S.ENDED), IN.PRACK, D.PRACK),
    **stay(CALLER, IN.PRACK, D.REPLY_481),
    # INFO; a key that is pressed before there is an answer has nobody to hear it
    **stay((*WAITING, S.LEAVING, *CALLER), IN.INFO, D.REPLY_200),
    **stay((S.ACCEPTED, S.UP), IN.INFO, D.REPLY_200, D.TELL_KEYED),
    (S.ENDED, IN.INFO): Move(S.ENDED, (D.REPLY_481,)),
    # REFER: there is no call yet that could be given to somebody
    **stay((*CALLEE, *CALLER), IN.REFER, D.REPLY_500),
    (S.UP, IN.REFER): Move(S.UP, (D.REFER,)),
    (S.ENDED, IN.REFER): Move(S.ENDED, (D.REPLY_481,)),
    # responses to our first INVITE
    **rows(CALLEE, IN.PROGRESS, _NOT_OURS),
    (S.DIALLING, IN.PROGRESS): Move(S.EARLY, (D.TELL_PROGRESS,)),
    (S.EARLY, IN.PROGRESS): Move(S.EARLY, (D.TELL_PROGRESS,)),
    (S.WITHDRAWN, IN.PROGRESS): Move(S.CANCELLED, (D.CANCEL,)),
    (S.CANCELLED, IN.PROGRESS): Late("provisional after our CANCEL"),
    (S.UP, IN.PROGRESS): _NOT_OURS,
    (S.ENDED, IN.PROGRESS): _NOT_OURS,
    **rows(CALLEE, IN.SUCCESS, _NOT_OURS),
    (S.DIALLING, IN.SUCCESS): Move(S.UP, (D.ACK, D.TELL_ANSWERED)),
    (S.EARLY, IN.SUCCESS): Move(S.UP, (D.ACK, D.TELL_ANSWERED)),
    # the answer crossed our CANCEL: there is a dialog now, and it ends with BYE
    (S.WITHDRAWN, IN.SUCCESS): Move(S.ENDED, (D.ACK, D.BYE)),
    (S.CANCELLED, IN.SUCCESS): Move(S.ENDED, (D.ACK, D.BYE)),
    # our ACK was lost (RFC 3261 §13.2.2.4)
    (S.UP, IN.SUCCESS): Move(S.UP, (D.ACK,)),
    (S.ENDED, IN.SUCCESS): Move(S.ENDED, (D.ACK,)),
    **rows((*CALLEE, S.UP, S.ENDED), IN.FAILURE, _NOT_OURS),
    (S.DIALLING, IN.FAILURE): Move(S.ENDED, (D.TELL_FAILED,)),
    (S.EARLY, IN.FAILURE): Move(S.ENDED, (D.TELL_FAILED,)),
    (S.WITHDRAWN, IN.FAILURE): Move(S.ENDED),
    (S.CANCELLED, IN.FAILURE): Move(S.ENDED),
    # RFC 3261 §22.2, RFC 4028 §7.3: another transaction, of which nothing has been heard
    **rows((*CALLEE, S.UP, S.ENDED), IN.RETRY, _NOT_OURS),
    (S.DIALLING, IN.RETRY): Move(S.DIALLING, (D.INVITE_AGAIN,)),
    (S.EARLY, IN.RETRY): Move(S.DIALLING, (D.INVITE_AGAIN,)),
    (S.WITHDRAWN, IN.RETRY): Move(S.ENDED),
    (S.CANCELLED, IN.RETRY): Move(S.ENDED),
    **rows((*CALLEE, S.UP, S.EARLY, S.CANCELLED, S.ENDED), IN.NO_RESPONSE, _NOT_OURS),
    (S.DIALLING, IN.NO_RESPONSE): Move(S.ENDED, (D.TELL_FAILED,)),
    (S.WITHDRAWN, IN.NO_RESPONSE): Move(S.ENDED),
    # timers
    **rows((*WAITING, *CALLER, S.UP, S.ENDED), IN.RETRANSMIT, NO_TIMER),
    **stay((S.ACCEPTED, S.LEAVING), IN.RETRANSMIT, D.RESEND),
    **rows((*WAITING, *CALLER, S.UP, S.ENDED), IN.NO_ACK, NO_TIMER),
    # RFC 3261 §13.3.1.4: the session is confirmed, and ends with BYE
    (S.ACCEPTED, IN.NO_ACK): Move(S.ENDED, (D.BYE, D.TELL_NO_ACK)),
    (S.LEAVING, IN.NO_ACK): Move(S.ENDED, (D.BYE,)),
    **rows((S.ACCEPTED, S.LEAVING, *CALLER, S.UP, S.ENDED), IN.STILL_WAITING, NO_TIMER),
    **stay(WAITING, IN.STILL_WAITING, D.RESEND),
    **rows((S.ACCEPTED, S.LEAVING, *CALLER, S.UP, S.ENDED), IN.EXPIRED, NO_TIMER),
    **rows(WAITING, IN.EXPIRED, Move(S.ENDED, (D.REJECT_487, D.TELL_CANCELLED))),
    **rows((*CALLEE, S.UP, S.DIALLING, S.EARLY, S.WITHDRAWN, S.ENDED), IN.NO_FINAL, NO_TIMER),
    # RFC 3261 §9.1: the client gives up on the INVITE 64*T1 after its CANCEL
    (S.CANCELLED, IN.NO_FINAL): Move(S.ENDED, (D.DROP_INVITE,)),
    **rows((*CALLEE, *CALLER, S.UP), IN.FORGET, NO_TIMER),
    # the far side of an ended call owes our re-INVITE no final response that would be sent again
    (S.ENDED, IN.FORGET): Move(S.ENDED, (D.DROP_OFFER,)),
}

# What sends something again changes nothing that must be kept.
UNTOLD = frozenset({IN.RETRANSMIT, IN.STILL_WAITING})

PLAN = Plan(
    "call",
    TABLE,
    {
        S.OFFERED: (IN.STILL_WAITING,),
        S.PLEDGED: (IN.STILL_WAITING,),
        S.ACCEPTED: (IN.RETRANSMIT, IN.NO_ACK),
        S.LEAVING: (IN.RETRANSMIT, IN.NO_ACK),
        S.CANCELLED: (IN.NO_FINAL,),
        S.ENDED: (IN.FORGET,),
    },
)


@define
class Early:
    """An early dialog of a call that we dialled: `rseq` is the number of its last reliable response, 0 for none;
    `renewed`: another offer was agreed on after `answer`."""

    dialog: Dialog | None = None
    rseq: int = 0
    answer: SessionDescription | None = None
    renewed: bool = False


class Call(Timed[State, Input, Do]):
    """The record of one call. `invite`, `transaction` and `peer` are of the INVITE of theirs that is open or was last,
    with where it came from; of a call that we dialled they are those of ours until they send one. `ours` is the
    description that we sent last."""

    __slots__ = (
        "_timers", "ack", "dialog", "early", "exchange", "final", "frozen_dialog", "frozen_invite", "id", "invite",
        "invite_cseq", "needs_answer", "open", "ours", "parting", "peer", "referral", "refresh", "reliable",
        "scheduled", "settled", "tag", "transaction", "trunk",
    )  # fmt: skip

    def __init__(
        self,
        call_id: str,
        tag: str,
        state: State,
        timers: Timers,
        now: float,
        *,
        chance: Callable[[], float] = lambda: 0.0,
        session_expires: int = SESSION_EXPIRES,
    ) -> None:
        self.id = call_id
        self.tag = tag
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
        # ... and was answered before we answer the call
        self.settled = False
        self.ours = b""
        # why we end it, for the BYE or CANCEL that may have to wait
        self.parting: tuple[Row, ...] = ()
        # of each callee behind a fork, by its tag
        self.early: dict[str, Early] = {}
        self.scheduled = math.inf
        # what its last snapshot had of them
        self.frozen_dialog: tuple[Dialog, DialogSnapshot] | None = None
        self.frozen_invite: tuple[Request, bytes] | None = None
        # the keys of its transactions that are not over, in the order they began
        self.open: dict[tuple[str, ...], None] = {}
        self._timers = timers
        self.exchange = Exchange(timers, chance, now, owner=state is State.DIALLING)
        self.refresh = Refresh(session_expires, now)
        self.reliable = Reliable(timers, now)
        self.referral = Referral(now)
        super().__init__(PLAN, state, now)

    def expire(self, when: float) -> None:
        """The Expires of the INVITE (RFC 3261 §13.3.1), while it waits."""
        self.running[Input.EXPIRED] = when

    def _enter(self, now: float) -> None:
        expires = self.running.get(Input.EXPIRED)
        super()._enter(now)
        if expires is not None and self.state in WAITING:
            self.expire(expires)

    def deadline(self) -> float:
        soonest = super().deadline()
        for each in (self.exchange, self.refresh, self.reliable, self.referral):
            if each.running:
                soonest = min(soonest, each.deadline())
        return soonest

    def _begin(self, timer: Input) -> float:
        match timer:
            case Input.RETRANSMIT:
                self.interval = self._timers.t1
                return self.interval
            case Input.STILL_WAITING:
                return PROGRESS_INTERVAL
            case _:
                return self._timers.timeout

    def _repeat(self, timer: Input) -> float | None:
        match timer:
            case Input.RETRANSMIT:
                # RFC 3261 §13.3.1.4: T1, doubled up to T2
                self.interval = min(2 * self.interval, self._timers.t2)
                return self.interval
            case Input.STILL_WAITING:
                return PROGRESS_INTERVAL
            case _:
                return None
