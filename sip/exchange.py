"""Offers and answers of a call after the first: re-INVITE and UPDATE from either side (RFC 3261 §14, RFC 3311, RFC
6337).

    theirs   Stable -> Invited (their re-INVITE waits for the application) -> Answered (200 sent) -> Stable at the ACK
             Stable -> Updated (their UPDATE, or PRACK, with an offer waits) -> Stable
    ours     Stable -> Offering (our re-INVITE) -> Stable;  491: Backing off, and again

One offer is open at a time. What the application wants to offer meanwhile is kept, the last of it, and offered when
the way is free. A new offer is refused with 491 while ours is open, with 500 and Retry-After while another of theirs
is. An offer of ours that meets either comes again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from .machine import NO_TIMER, Plan, Table, Timed, rows, stay
from .machine import Move as Moved
from .message import Address
from .transaction import Bug, Late, Timers, Transaction, Word

if TYPE_CHECKING:
    from .layer import Slot

# How often 491 is met: by then the two have had half a minute to miss each other.
MAX_GLARES: Final = 8
# Whoever says 100 to an offer and then nothing for so long, in seconds, is not there any more: no person is asked about
# it, and meanwhile no other offer can be made.
OFFER_TIMEOUT: Final = 60.0
# Who is not free for an offer for the moment says so by 500, and for up to how many seconds (RFC 3261 §14.2, RFC 3311
# §5.2).
MAX_RETRY_AFTER: Final = 10
# An offer that changes nothing: what we said last, whatever that is by the time that the way is free.
UNCHANGED: Final = b"unchanged"


class State(Word):
    OPENING = "Opening"
    STABLE = "Stable"
    INVITED = "Invited"
    ANSWERED = "Answered"
    UPDATED = "Updated"
    OFFERING = "Offering"
    BACKING_OFF = "Backing off"
    OVER = "Over"


class Input(Word):
    # the call
    AGREED = "first offer and answer are through"
    OVER = "the call is over"
    # the application
    OFFER = "reoffer"
    REANSWER = "reanswer"
    REJECT = "reject reoffer"
    # their requests
    INVITE = "re-INVITE"
    CANCEL = "CANCEL"
    ACK = "ACK"
    UPDATE = "UPDATE or PRACK with an offer"
    # final responses to our re-INVITE
    SUCCESS = "2xx"
    GLARE = "491, or 500 for the moment"
    RETRY = "a refusal that can be met"
    REFUSED = "300-699"
    LOST = "408, 481 or no response"
    # ... which was sent to the next host of its name meanwhile
    ELSEWHERE = "2xx by a host that was left"
    # timers
    RETRANSMIT = "2xx retransmission"
    NO_ACK = "no ACK"
    AGAIN = "offer again"
    NO_FINAL = "no final response"


class Do(Word):
    ASK = "CallReoffered"
    ANSWER = "send 200 to their re-INVITE"
    ANSWER_UPDATE = "send 200 to their UPDATE"
    REJECT = "send the final response to their re-INVITE that the application chose"
    REJECT_UPDATE = "send the final response to their UPDATE that the application chose"
    REJECT_487 = "send 487 to their re-INVITE"
    LEAVE_UPDATE = "send 481 to their UPDATE: the call is over"
    RESEND = "send the last response again"
    REPLY_481 = "answer this request with 481"
    REPLY_491 = "answer this request with 491"
    REPLY_500 = "answer this request with 500 and Retry-After"
    REPLY_OPEN = "answer this request with 491 where the first offer is ours, 500 where it is theirs"
    INVITE = "send our re-INVITE"
    INVITE_AGAIN = "send our re-INVITE again, as the refusal asked"
    KEEP = "keep this offer until the way is free"
    KEEP_OURS = "keep the offer that was refused, unless there is a newer one"
    SETTLE = "nothing that comes of our re-INVITE where it is now counts any more, nor does it come again"
    NEXT = "offer what was kept"
    ACK = "acknowledge the 2xx"
    TELL_DONE = "CallConfirmed, if the ACK had to bring the answer"
    TELL_ANSWER = "CallReanswered"
    TELL_REFUSED = "CallReofferRefused"
    BREAK = "the call cannot go on"


Move = Moved[State, Do]
S, IN, D = State, Input, Do
FREE = (S.STABLE, S.BACKING_OFF)
_LIVE = (S.STABLE, S.INVITED, S.ANSWERED, S.UPDATED, S.OFFERING, S.BACKING_OFF)

_WRONG_COMMAND = Bug("the application gave a command that this call cannot take")
_LATE_COMMAND = Late("command for a call that had ended")
_CANCELLED = Late("answer to a re-INVITE that was cancelled")
_NOT_OPEN = Bug("a response to a re-INVITE that is not open")
_LATE_RESPONSE = Late("response to a re-INVITE of a call that had ended")
_NOT_UP = Bug("before the call is up its own table answers")

TABLE: Table[State, Input, Do] = {
    # the call
    (S.OPENING, IN.AGREED): Move(S.STABLE),
    # by a reliable response, before the call was up
    **stay((*_LIVE, S.OVER), IN.AGREED),
    (S.OPENING, IN.OVER): Move(S.OVER),
    (S.STABLE, IN.OVER): Move(S.OVER),
    (S.INVITED, IN.OVER): Move(S.OVER, (D.REJECT_487,)),
    (S.ANSWERED, IN.OVER): Move(S.OVER),
    (S.UPDATED, IN.OVER): Move(S.OVER, (D.LEAVE_UPDATE,)),
    (S.OFFERING, IN.OVER): Move(S.OVER),
    (S.BACKING_OFF, IN.OVER): Move(S.OVER),
    (S.OVER, IN.OVER): Move(S.OVER),
    # our offers
    (S.OPENING, IN.OFFER): _WRONG_COMMAND,
    (S.STABLE, IN.OFFER): Move(S.OFFERING, (D.KEEP, D.INVITE)),
    **stay((S.INVITED, S.ANSWERED, S.UPDATED, S.OFFERING, S.BACKING_OFF), IN.OFFER, D.KEEP),
    (S.OVER, IN.OFFER): _LATE_COMMAND,
    # our answers
    **rows((S.OPENING, S.ANSWERED), IN.REANSWER, _WRONG_COMMAND),
    **rows((S.STABLE, S.OFFERING, S.BACKING_OFF), IN.REANSWER, _CANCELLED),
    (S.INVITED, IN.REANSWER): Move(S.ANSWERED, (D.ANSWER,)),
    (S.UPDATED, IN.REANSWER): Move(S.STABLE, (D.ANSWER_UPDATE, D.NEXT)),
    (S.OVER, IN.REANSWER): _LATE_COMMAND,
    **rows((S.OPENING, S.ANSWERED), IN.REJECT, _WRONG_COMMAND),
    **rows((S.STABLE, S.OFFERING, S.BACKING_OFF), IN.REJECT, _CANCELLED),
    (S.INVITED, IN.REJECT): Move(S.STABLE, (D.REJECT, D.NEXT)),
    (S.UPDATED, IN.REJECT): Move(S.STABLE, (D.REJECT_UPDATE, D.NEXT)),
    (S.OVER, IN.REJECT): _LATE_COMMAND,
    # their re-INVITE (RFC 3261 §14.2)
    (S.OPENING, IN.INVITE): _NOT_UP,
    **rows(FREE, IN.INVITE, Move(S.INVITED, (D.ASK,))),
    (S.INVITED, IN.INVITE): Move(S.INVITED, (D.REPLY_500,)),
    (S.ANSWERED, IN.INVITE): Move(S.ANSWERED, (D.REPLY_491,)),
    (S.UPDATED, IN.INVITE): Move(S.UPDATED, (D.REPLY_500,)),
    (S.OFFERING, IN.INVITE): Move(S.OFFERING, (D.REPLY_491,)),
    (S.OVER, IN.INVITE): _NOT_UP,
    # CANCEL of it; its own 200 is sent before this
    (S.OPENING, IN.CANCEL): _NOT_UP,
    (S.INVITED, IN.CANCEL): Move(S.STABLE, (D.REJECT_487, D.NEXT)),
    **rows(
        (S.STABLE, S.ANSWERED, S.UPDATED, S.OFFERING, S.BACKING_OFF, S.OVER),
        IN.CANCEL,
        Late("CANCEL after the final response"),
    ),
    # ACK of our 2xx to it
    (S.OPENING, IN.ACK): _NOT_UP,
    (S.ANSWERED, IN.ACK): Move(S.STABLE, (D.TELL_DONE, D.NEXT)),
    **rows((S.STABLE, S.INVITED, S.UPDATED, S.OFFERING, S.BACKING_OFF, S.OVER), IN.ACK, Late("ACK retransmission")),
    # RFC 3311 §5.2; an offer in a PRACK (RFC 3262 §5) is no other
    (S.OPENING, IN.UPDATE): Move(S.OPENING, (D.REPLY_OPEN,)),
    **rows(FREE, IN.UPDATE, Move(S.UPDATED, (D.ASK,))),
    (S.INVITED, IN.UPDATE): Move(S.INVITED, (D.REPLY_500,)),
    (S.ANSWERED, IN.UPDATE): Move(S.ANSWERED, (D.REPLY_491,)),
    (S.UPDATED, IN.UPDATE): Move(S.UPDATED, (D.REPLY_500,)),
    (S.OFFERING, IN.UPDATE): Move(S.OFFERING, (D.REPLY_491,)),
    (S.OVER, IN.UPDATE): Move(S.OVER, (D.REPLY_481,)),
    # final responses to our re-INVITE
    (S.OPENING, IN.SUCCESS): _NOT_OPEN,
    (S.OFFERING, IN.SUCCESS): Move(S.STABLE, (D.ACK, D.TELL_ANSWER, D.NEXT)),
    # our ACK was lost (RFC 3261 §13.2.2.4)
    **stay((S.STABLE, S.INVITED, S.ANSWERED, S.UPDATED, S.BACKING_OFF, S.OVER), IN.SUCCESS, D.ACK),
    # RFC 3263 §4.3: a host that said nothing for long has passed it on after all; of two answers the first one counts
    (S.OPENING, IN.ELSEWHERE): _NOT_OPEN,
    (S.OFFERING, IN.ELSEWHERE): Move(S.STABLE, (D.SETTLE, D.TELL_ANSWER, D.NEXT)),
    (S.BACKING_OFF, IN.ELSEWHERE): Move(S.STABLE, (D.SETTLE, D.TELL_ANSWER, D.NEXT)),
    **rows((S.STABLE, S.INVITED, S.ANSWERED, S.UPDATED, S.OVER), IN.ELSEWHERE, Late("2xx by a host that was left")),
    **rows((S.OPENING, S.STABLE, S.INVITED, S.ANSWERED, S.UPDATED, S.BACKING_OFF), IN.GLARE, _NOT_OPEN),
    (S.OFFERING, IN.GLARE): Move(S.BACKING_OFF, (D.KEEP_OURS,)),
    (S.OVER, IN.GLARE): _LATE_RESPONSE,
    **rows((S.OPENING, S.STABLE, S.INVITED, S.ANSWERED, S.UPDATED, S.BACKING_OFF), IN.RETRY, _NOT_OPEN),
    (S.OFFERING, IN.RETRY): Move(S.OFFERING, (D.INVITE_AGAIN,)),
    (S.OVER, IN.RETRY): _LATE_RESPONSE,
    **rows((S.OPENING, S.STABLE, S.INVITED, S.ANSWERED, S.UPDATED, S.BACKING_OFF), IN.REFUSED, _NOT_OPEN),
    # RFC 3261 §14.1: the session goes on as it was
    (S.OFFERING, IN.REFUSED): Move(S.STABLE, (D.TELL_REFUSED, D.NEXT)),
    (S.OVER, IN.REFUSED): _LATE_RESPONSE,
    **rows((S.OPENING, S.STABLE, S.INVITED, S.ANSWERED, S.UPDATED, S.BACKING_OFF), IN.LOST, _NOT_OPEN),
    # RFC 3261 §12.2.1.2
    (S.OFFERING, IN.LOST): Move(S.OVER, (D.BREAK,)),
    (S.OVER, IN.LOST): _LATE_RESPONSE,
    # timers
    **rows((S.OPENING, S.STABLE, S.INVITED, S.UPDATED, S.OFFERING, S.BACKING_OFF, S.OVER), IN.RETRANSMIT, NO_TIMER),
    (S.ANSWERED, IN.RETRANSMIT): Move(S.ANSWERED, (D.RESEND,)),
    **rows((S.OPENING, S.STABLE, S.INVITED, S.UPDATED, S.OFFERING, S.BACKING_OFF, S.OVER), IN.NO_ACK, NO_TIMER),
    # RFC 3261 §14.2: the session ends with BYE
    (S.ANSWERED, IN.NO_ACK): Move(S.OVER, (D.BREAK,)),
    **rows((S.OPENING, S.STABLE, S.INVITED, S.ANSWERED, S.UPDATED, S.OFFERING, S.OVER), IN.AGAIN, NO_TIMER),
    (S.BACKING_OFF, IN.AGAIN): Move(S.OFFERING, (D.INVITE,)),
    **rows((S.OPENING, S.STABLE, S.INVITED, S.ANSWERED, S.UPDATED, S.BACKING_OFF, S.OVER), IN.NO_FINAL, NO_TIMER),
    (S.OFFERING, IN.NO_FINAL): Move(S.OVER, (D.BREAK,)),
}

PLAN = Plan(
    "exchange",
    TABLE,
    {S.ANSWERED: (IN.RETRANSMIT, IN.NO_ACK), S.BACKING_OFF: (IN.AGAIN,), S.OFFERING: (IN.NO_FINAL,)},
)


class Exchange(Timed[State, Input, Do]):
    """`sent` is the offer in our re-INVITE, `wanted` one that waits, both as octets or `UNCHANGED`; `transaction` is
    that of our re-INVITE, `waiting` that of their UPDATE, with where it came from. `chance` gives a number from 0 up to
    1; `owner`: the Call-ID is ours; `pause`: for how long we back off, where they say so."""

    __slots__ = ("_chance", "_timers", "glares", "owner", "pause", "sent", "transaction", "waiting", "wanted")

    def __init__(self, timers: Timers, chance: Callable[[], float], now: float, *, owner: bool) -> None:
        self._timers = timers
        self._chance = chance
        self.owner = owner
        self.sent = self.wanted = b""
        self.transaction: Transaction | None = None
        self.waiting: tuple[Slot, Address] | None = None
        self.glares = 0
        self.pause: int | None = None
        super().__init__(PLAN, State.OPENING, now)

    def keep(self, offer: bytes) -> None:
        """One that waits for the way to be free; what changes nothing takes no other's place."""
        self.wanted = self.wanted or offer if offer == UNCHANGED else offer

    def comes_again(self, status: int, retry_after: int | None, *, copied: bool = False) -> bool:
        """Whether our offer that was refused so is made again. `copied`: it was at another host before, and may have
        come from there too (RFC 3261 §8.2.2.2)."""
        self.pause = None if status == 491 else retry_after
        busy = status == 500 and (copied if retry_after is None else retry_after <= MAX_RETRY_AFTER)
        return (status == 491 or busy or (status == 482 and copied)) and self.glares < MAX_GLARES

    def _begin(self, timer: Input) -> float:
        match timer:
            case Input.RETRANSMIT:
                self.interval = self._timers.t1
                return self.interval
            case Input.NO_FINAL:
                return OFFER_TIMEOUT
            case Input.AGAIN if self.pause is not None:
                return max(float(self.pause), self._timers.t1)
            case Input.AGAIN:
                # RFC 3261 §14.1, in units of 10 ms: 2.1 to 4 s for the owner of the Call-ID, 0 to 2 s for the other
                least, most = (210, 400) if self.owner else (0, 200)
                return (least + int(self._chance() * (most - least + 1))) / 100
            case _:
                return self._timers.timeout

    def _repeat(self, timer: Input) -> float | None:
        if timer is not Input.RETRANSMIT:
            return None
        # RFC 3261 §13.3.1.4: T1, doubled up to T2
        self.interval = min(2 * self.interval, self._timers.t2)
        return self.interval
