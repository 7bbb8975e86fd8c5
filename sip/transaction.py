"""The four transaction machines of RFC 3261 §17, with the Accepted state of RFC 6026.

Each machine is one table. It is total over its own states and inputs: a pair is a `Move`, a `Late` (a crossing that the
network can produce and that is dropped, by name), or a `Bug` (cannot happen while the code is right, and raises).
Timers belong to states: entering a state starts its timers unless they run already, and leaving it ends them. So
"Timer B stops in Proceeding" needs no line of code.

    INVITE client   Calling -> Proceeding -> Completed (ACK sent here) -> Terminated;  2xx: -> Accepted -> Terminated
    INVITE server   Proceeding -> Completed -> Confirmed -> Terminated;                2xx: -> Accepted -> Terminated
    other client    Trying -> Proceeding -> Completed -> Terminated
    other server    Trying -> Proceeding -> Completed -> Terminated

A `Transaction` holds the last message it sent, for retransmission, and knows nothing of addresses: its owner routes the
bytes of `Send`. Shape: `receive(input, now, ...) -> effects`, `deadline()`, `wake(now) -> effects`.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import TypeAlias

from attrs import frozen

from .message import LocalSipError, Request, Response, serialise


@frozen
class Timers:
    """The base timers in seconds (RFC 3261 table 4). `t1`: round trip estimate; `t2`: the longest retransmission
    interval of what is not an INVITE request; `t4`: the longest a message stays in the network."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0

    @property
    def timeout(self) -> float:
        """64*T1: Timers B, F, H, J, L and M, and how long a 2xx waits for its ACK."""
        return 64 * self.t1

    @property
    def patience(self) -> float:
        """8*T1: of who is there something is heard by then, for by UDP it was asked four times."""
        return 8 * self.t1


class Word(Enum):
    """A state, an input or an action of a table. Each is itself and no other, so that it is looked up as what it is:
    `Enum` hashes names, which takes two thirds of a look into a table."""

    __hash__ = object.__hash__


class Timer(Word):
    A = "A"  # INVITE request retransmission, doubles
    B = "B"  # INVITE timeout
    D = "D"  # wait for response retransmissions
    E = "E"  # non-INVITE request retransmission, doubles up to T2
    F = "F"  # non-INVITE timeout
    G = "G"  # INVITE response retransmission, doubles up to T2
    H = "H"  # wait for ACK
    I = "I"  # wait for ACK retransmissions  # noqa: E741
    J = "J"  # wait for request retransmissions
    K = "K"  # wait for response retransmissions
    L = "L"  # wait for INVITE retransmissions after 2xx (RFC 6026)
    M = "M"  # wait for 2xx retransmissions (RFC 6026)


# Timer D is at least 32 s whatever T1 is (RFC 3261 §17.1.1.2), for it waits for the other side's Timer H.
TIMER_D = 32.0
REPEATING = frozenset({Timer.A, Timer.E, Timer.G})
# On a reliable transport nothing is retransmitted, and there is nothing to wait for.
ZERO_WHEN_RELIABLE = frozenset({Timer.D, Timer.I, Timer.J, Timer.K})


class State(Word):
    CALLING = "Calling"
    TRYING = "Trying"
    PROCEEDING = "Proceeding"
    COMPLETED = "Completed"
    CONFIRMED = "Confirmed"
    ACCEPTED = "Accepted"
    TERMINATED = "Terminated"


class Input(Word):
    RECEIVE_1XX = "1xx from transport"
    RECEIVE_2XX = "2xx from transport"
    RECEIVE_FINAL = "300-699 from transport"
    RECEIVE_REQUEST = "request from transport"
    RECEIVE_ACK = "ACK from transport"
    SEND_1XX = "1xx from TU"
    SEND_2XX = "2xx from TU"
    SEND_FINAL = "300-699 from TU"
    TRANSPORT_ERROR = "transport error"
    TIMER_A = "Timer A"
    TIMER_B = "Timer B"
    TIMER_D = "Timer D"
    TIMER_E = "Timer E"
    TIMER_F = "Timer F"
    TIMER_G = "Timer G"
    TIMER_H = "Timer H"
    TIMER_I = "Timer I"
    TIMER_J = "Timer J"
    TIMER_K = "Timer K"
    TIMER_L = "Timer L"
    TIMER_M = "Timer M"


class Do(Word):
    SEND = "send"  # the message given, and keep it for retransmission
    RESEND = "resend"  # what was sent last
    ACK = "ack"  # build the ACK of this final response, send and keep it (RFC 3261 §17.1.1.3)
    DELIVER = "deliver"  # hand the message to the transaction user
    TIMEOUT = "timeout"  # tell the transaction user that nobody answered
    FAIL = "fail"  # tell the transaction user that the transport failed


@frozen
class Move:
    state: State
    do: tuple[Do, ...] = ()


@frozen
class Late:
    """A crossing that is dropped, and why it can happen."""

    name: str


@frozen
class Bug:
    text: str


Row: TypeAlias = Move | Late | Bug


@frozen
class Machine:
    """A table, with the timers that each state runs."""

    name: str
    initial: State
    timers: dict[State, tuple[Timer, ...]]
    inputs: tuple[Input, ...]
    table: dict[tuple[State, Input], Row]


_NO_TIMER = Bug("a timer of another state: it died with its state")
_OVER = Bug("the transaction is over and its owner has let go of it")
_ONE_FINAL = Bug("the transaction user already sent the final response")
_TU_ORDER = Bug("the transaction user already sent a final response")

S, IN = State, Input


def _over(inputs: tuple[Input, ...]) -> dict[tuple[State, Input], Row]:
    return {(S.TERMINATED, item): _OVER for item in inputs}


_INVITE_CLIENT_INPUTS = (
    IN.RECEIVE_1XX, IN.RECEIVE_2XX, IN.RECEIVE_FINAL, IN.TRANSPORT_ERROR,
    IN.TIMER_A, IN.TIMER_B, IN.TIMER_D, IN.TIMER_M,
)  # fmt: skip

# RFC 3261 §17.1.1, figure 5, as RFC 6026 §8.4 corrects it
INVITE_CLIENT = Machine(
    "INVITE client",
    S.CALLING,
    {S.CALLING: (Timer.A, Timer.B), S.COMPLETED: (Timer.D,), S.ACCEPTED: (Timer.M,)},
    _INVITE_CLIENT_INPUTS,
    {
        (S.CALLING, IN.RECEIVE_1XX): Move(S.PROCEEDING, (Do.DELIVER,)),
        (S.CALLING, IN.RECEIVE_2XX): Move(S.ACCEPTED, (Do.DELIVER,)),
        (S.CALLING, IN.RECEIVE_FINAL): Move(S.COMPLETED, (Do.ACK, Do.DELIVER)),
        (S.CALLING, IN.TRANSPORT_ERROR): Move(S.TERMINATED, (Do.FAIL,)),
        (S.CALLING, IN.TIMER_A): Move(S.CALLING, (Do.RESEND,)),
        (S.CALLING, IN.TIMER_B): Move(S.TERMINATED, (Do.TIMEOUT,)),
        (S.CALLING, IN.TIMER_D): _NO_TIMER,
        (S.CALLING, IN.TIMER_M): _NO_TIMER,
        (S.PROCEEDING, IN.RECEIVE_1XX): Move(S.PROCEEDING, (Do.DELIVER,)),
        (S.PROCEEDING, IN.RECEIVE_2XX): Move(S.ACCEPTED, (Do.DELIVER,)),
        (S.PROCEEDING, IN.RECEIVE_FINAL): Move(S.COMPLETED, (Do.ACK, Do.DELIVER)),
        (S.PROCEEDING, IN.TRANSPORT_ERROR): Late("an early send failed, a later one was answered"),
        (S.PROCEEDING, IN.TIMER_A): _NO_TIMER,
        (S.PROCEEDING, IN.TIMER_B): _NO_TIMER,
        (S.PROCEEDING, IN.TIMER_D): _NO_TIMER,
        (S.PROCEEDING, IN.TIMER_M): _NO_TIMER,
        (S.COMPLETED, IN.RECEIVE_1XX): Late("provisional overtaken by the final response"),
        (S.COMPLETED, IN.RECEIVE_2XX): Late("2xx of another branch after a failure"),
        (S.COMPLETED, IN.RECEIVE_FINAL): Move(S.COMPLETED, (Do.RESEND,)),
        (S.COMPLETED, IN.TRANSPORT_ERROR): Move(S.TERMINATED),
        (S.COMPLETED, IN.TIMER_A): _NO_TIMER,
        (S.COMPLETED, IN.TIMER_B): _NO_TIMER,
        (S.COMPLETED, IN.TIMER_D): Move(S.TERMINATED),
        (S.COMPLETED, IN.TIMER_M): _NO_TIMER,
        (S.ACCEPTED, IN.RECEIVE_1XX): Late("provisional overtaken by the 2xx"),
        (S.ACCEPTED, IN.RECEIVE_2XX): Move(S.ACCEPTED, (Do.DELIVER,)),
        (S.ACCEPTED, IN.RECEIVE_FINAL): Late("failure of another branch after a 2xx"),
        (S.ACCEPTED, IN.TRANSPORT_ERROR): Late("an early send failed, a later one was answered"),
        (S.ACCEPTED, IN.TIMER_A): _NO_TIMER,
        (S.ACCEPTED, IN.TIMER_B): _NO_TIMER,
        (S.ACCEPTED, IN.TIMER_D): _NO_TIMER,
        (S.ACCEPTED, IN.TIMER_M): Move(S.TERMINATED),
        **_over(_INVITE_CLIENT_INPUTS),
    },
)

_INVITE_SERVER_INPUTS = (
    IN.RECEIVE_REQUEST, IN.RECEIVE_ACK, IN.SEND_1XX, IN.SEND_2XX, IN.SEND_FINAL,
    IN.TIMER_G, IN.TIMER_H, IN.TIMER_I, IN.TIMER_L,
)  # fmt: skip

# RFC 3261 §17.2.1, figure 7, as RFC 6026 §8.5 corrects it
INVITE_SERVER = Machine(
    "INVITE server",
    S.PROCEEDING,
    {S.COMPLETED: (Timer.G, Timer.H), S.CONFIRMED: (Timer.I,), S.ACCEPTED: (Timer.L,)},
    _INVITE_SERVER_INPUTS,
    {
        (S.PROCEEDING, IN.RECEIVE_REQUEST): Move(S.PROCEEDING, (Do.RESEND,)),
        (S.PROCEEDING, IN.RECEIVE_ACK): Late("an ACK for a final response that was not sent"),
        (S.PROCEEDING, IN.SEND_1XX): Move(S.PROCEEDING, (Do.SEND,)),
        (S.PROCEEDING, IN.SEND_2XX): Move(S.ACCEPTED, (Do.SEND,)),
        (S.PROCEEDING, IN.SEND_FINAL): Move(S.COMPLETED, (Do.SEND,)),
        (S.PROCEEDING, IN.TIMER_G): _NO_TIMER,
        (S.PROCEEDING, IN.TIMER_H): _NO_TIMER,
        (S.PROCEEDING, IN.TIMER_I): _NO_TIMER,
        (S.PROCEEDING, IN.TIMER_L): _NO_TIMER,
        (S.COMPLETED, IN.RECEIVE_REQUEST): Move(S.COMPLETED, (Do.RESEND,)),
        (S.COMPLETED, IN.RECEIVE_ACK): Move(S.CONFIRMED),
        (S.COMPLETED, IN.SEND_1XX): _TU_ORDER,
        (S.COMPLETED, IN.SEND_2XX): _TU_ORDER,
        (S.COMPLETED, IN.SEND_FINAL): _ONE_FINAL,
        (S.COMPLETED, IN.TIMER_G): Move(S.COMPLETED, (Do.RESEND,)),
        (S.COMPLETED, IN.TIMER_H): Move(S.TERMINATED, (Do.TIMEOUT,)),
        (S.COMPLETED, IN.TIMER_I): _NO_TIMER,
        (S.COMPLETED, IN.TIMER_L): _NO_TIMER,
        (S.CONFIRMED, IN.RECEIVE_REQUEST): Late("INVITE retransmission overtaken by the ACK"),
        (S.CONFIRMED, IN.RECEIVE_ACK): Late("ACK retransmission"),
        (S.CONFIRMED, IN.SEND_1XX): _TU_ORDER,
        (S.CONFIRMED, IN.SEND_2XX): _TU_ORDER,
        (S.CONFIRMED, IN.SEND_FINAL): _ONE_FINAL,
        (S.CONFIRMED, IN.TIMER_G): _NO_TIMER,
        (S.CONFIRMED, IN.TIMER_H): _NO_TIMER,
        (S.CONFIRMED, IN.TIMER_I): Move(S.TERMINATED),
        (S.CONFIRMED, IN.TIMER_L): _NO_TIMER,
        (S.ACCEPTED, IN.RECEIVE_REQUEST): Late("INVITE retransmission after the 2xx"),
        (S.ACCEPTED, IN.RECEIVE_ACK): Move(S.ACCEPTED, (Do.DELIVER,)),
        (S.ACCEPTED, IN.SEND_1XX): _TU_ORDER,
        (S.ACCEPTED, IN.SEND_2XX): Move(S.ACCEPTED, (Do.SEND,)),
        (S.ACCEPTED, IN.SEND_FINAL): _ONE_FINAL,
        (S.ACCEPTED, IN.TIMER_G): _NO_TIMER,
        (S.ACCEPTED, IN.TIMER_H): _NO_TIMER,
        (S.ACCEPTED, IN.TIMER_I): _NO_TIMER,
        (S.ACCEPTED, IN.TIMER_L): Move(S.TERMINATED),
        **_over(_INVITE_SERVER_INPUTS),
    },
)

_CLIENT_INPUTS = (
    IN.RECEIVE_1XX, IN.RECEIVE_2XX, IN.RECEIVE_FINAL, IN.TRANSPORT_ERROR, IN.TIMER_E, IN.TIMER_F, IN.TIMER_K,
)  # fmt: skip

# RFC 3261 §17.1.2, figure 6
CLIENT = Machine(
    "non-INVITE client",
    S.TRYING,
    {S.TRYING: (Timer.E, Timer.F), S.PROCEEDING: (Timer.E, Timer.F), S.COMPLETED: (Timer.K,)},
    _CLIENT_INPUTS,
    {
        (S.TRYING, IN.RECEIVE_1XX): Move(S.PROCEEDING, (Do.DELIVER,)),
        (S.TRYING, IN.RECEIVE_2XX): Move(S.COMPLETED, (Do.DELIVER,)),
        (S.TRYING, IN.RECEIVE_FINAL): Move(S.COMPLETED, (Do.DELIVER,)),
        (S.TRYING, IN.TRANSPORT_ERROR): Move(S.TERMINATED, (Do.FAIL,)),
        (S.TRYING, IN.TIMER_E): Move(S.TRYING, (Do.RESEND,)),
        (S.TRYING, IN.TIMER_F): Move(S.TERMINATED, (Do.TIMEOUT,)),
        (S.TRYING, IN.TIMER_K): _NO_TIMER,
        (S.PROCEEDING, IN.RECEIVE_1XX): Move(S.PROCEEDING, (Do.DELIVER,)),
        (S.PROCEEDING, IN.RECEIVE_2XX): Move(S.COMPLETED, (Do.DELIVER,)),
        (S.PROCEEDING, IN.RECEIVE_FINAL): Move(S.COMPLETED, (Do.DELIVER,)),
        (S.PROCEEDING, IN.TRANSPORT_ERROR): Move(S.TERMINATED, (Do.FAIL,)),
        (S.PROCEEDING, IN.TIMER_E): Move(S.PROCEEDING, (Do.RESEND,)),
        (S.PROCEEDING, IN.TIMER_F): Move(S.TERMINATED, (Do.TIMEOUT,)),
        (S.PROCEEDING, IN.TIMER_K): _NO_TIMER,
        (S.COMPLETED, IN.RECEIVE_1XX): Late("provisional overtaken by the final response"),
        (S.COMPLETED, IN.RECEIVE_2XX): Late("final response retransmission"),
        (S.COMPLETED, IN.RECEIVE_FINAL): Late("final response retransmission"),
        (S.COMPLETED, IN.TRANSPORT_ERROR): Late("an early send failed, a later one was answered"),
        (S.COMPLETED, IN.TIMER_E): _NO_TIMER,
        (S.COMPLETED, IN.TIMER_F): _NO_TIMER,
        (S.COMPLETED, IN.TIMER_K): Move(S.TERMINATED),
        **_over(_CLIENT_INPUTS),
    },
)

_SERVER_INPUTS = (IN.RECEIVE_REQUEST, IN.SEND_1XX, IN.SEND_2XX, IN.SEND_FINAL, IN.TIMER_J)

# RFC 3261 §17.2.2, figure 8
SERVER = Machine(
    "non-INVITE server",
    S.TRYING,
    {S.COMPLETED: (Timer.J,)},
    _SERVER_INPUTS,
    {
        (S.TRYING, IN.RECEIVE_REQUEST): Late("request retransmission before any response"),
        (S.TRYING, IN.SEND_1XX): Move(S.PROCEEDING, (Do.SEND,)),
        (S.TRYING, IN.SEND_2XX): Move(S.COMPLETED, (Do.SEND,)),
        (S.TRYING, IN.SEND_FINAL): Move(S.COMPLETED, (Do.SEND,)),
        (S.TRYING, IN.TIMER_J): _NO_TIMER,
        (S.PROCEEDING, IN.RECEIVE_REQUEST): Move(S.PROCEEDING, (Do.RESEND,)),
        (S.PROCEEDING, IN.SEND_1XX): Move(S.PROCEEDING, (Do.SEND,)),
        (S.PROCEEDING, IN.SEND_2XX): Move(S.COMPLETED, (Do.SEND,)),
        (S.PROCEEDING, IN.SEND_FINAL): Move(S.COMPLETED, (Do.SEND,)),
        (S.PROCEEDING, IN.TIMER_J): _NO_TIMER,
        (S.COMPLETED, IN.RECEIVE_REQUEST): Move(S.COMPLETED, (Do.RESEND,)),
        (S.COMPLETED, IN.SEND_1XX): _TU_ORDER,
        (S.COMPLETED, IN.SEND_2XX): _ONE_FINAL,
        (S.COMPLETED, IN.SEND_FINAL): _ONE_FINAL,
        (S.COMPLETED, IN.TIMER_J): Move(S.TERMINATED),
        **_over(_SERVER_INPUTS),
    },
)

MACHINES = (INVITE_CLIENT, INVITE_SERVER, CLIENT, SERVER)
_TIMER_INPUT = {timer: Input(f"Timer {timer.value}") for timer in Timer}


@frozen
class Send:
    data: bytes


@frozen
class Deliver:
    """For the transaction user: a response, or the ACK of a 2xx that came with the branch of its INVITE."""

    message: Request | Response


@frozen
class TimedOut:
    """Timer B, F or H."""


@frozen
class Failed:
    """The transport could not send."""


@frozen
class Dropped:
    """A late crossing, for the counters."""

    name: str


Effect: TypeAlias = Send | Deliver | TimedOut | Failed | Dropped


class Transaction:
    """One transaction of one machine. `request` is the request that made it; `running` are its timers and when they
    are due."""

    __slots__ = ("_timers", "interval", "last", "machine", "reliable", "request", "running", "state")

    def __init__(self, machine: Machine, request: Request, timers: Timers, *, reliable: bool = False) -> None:
        self.machine = machine
        self.request = request
        self.reliable = reliable
        self.state = machine.initial
        self.last = b""
        self._timers = timers
        self.running: dict[Timer, float] = {}
        # of the timer that repeats
        self.interval = 0.0

    def start(self, data: bytes, now: float) -> list[Effect]:
        """A client transaction sends its request."""
        self.last = data
        self._enter(now)
        return [Send(data)]

    def receive(
        self, given: Input, now: float, message: Request | Response | None = None, data: bytes = b""
    ) -> list[Effect]:
        """One input. `message` is what came from the wire, `data` what the transaction user sends. Raises
        LocalSipError on a bug; then nothing has changed."""
        match self.machine.table[self.state, given]:
            case Move(state, do):
                effects: list[Effect] = [self._effect(what, message, data) for what in do]
                if state is not self.state:
                    self.state = state
                    self._enter(now)
                return effects
            case Late(name):
                return [Dropped(name)]
            case Bug(text):
                raise LocalSipError(f"{self.machine.name}, {self.state.value}, {given.value}: {text}")

    def _effect(self, what: Do, message: Request | Response | None, data: bytes) -> Effect:
        match what:
            case Do.SEND:
                self.last = data
                return Send(data)
            case Do.RESEND:
                return Send(self.last)
            case Do.ACK:
                assert isinstance(message, Response)
                self.last = ack_of_failure(self.request, message)
                return Send(self.last)
            case Do.DELIVER:
                assert message is not None
                return Deliver(message)
            case Do.TIMEOUT:
                return TimedOut()
            case Do.FAIL:
                return Failed()

    def _enter(self, now: float) -> None:
        running = {}
        for timer in self.machine.timers.get(self.state, ()):
            if timer in self.running:
                running[timer] = self.running[timer]
            elif timer not in REPEATING:
                running[timer] = now + self._length(timer)
            elif not self.reliable:
                self.interval = self._timers.t1
                running[timer] = now + self.interval
        self.running = running

    def _length(self, timer: Timer) -> float:
        if self.reliable and timer in ZERO_WHEN_RELIABLE:
            return 0.0
        match timer:
            case Timer.D:
                return max(TIMER_D, self._timers.timeout)
            case Timer.I | Timer.K:
                return self._timers.t4
            case _:
                return self._timers.timeout

    @property
    def asks(self) -> bool:
        """A request of ours to which nothing was answered that would spare sending it again."""
        if self.machine is INVITE_CLIENT:
            return self.state is State.CALLING
        return self.machine is CLIENT and self.state in (State.TRYING, State.PROCEEDING)

    def deadline(self) -> float:
        return min(self.running.values()) if self.running else math.inf

    def wake(self, now: float) -> list[Effect]:
        """Every timer that is due, in the order of time."""
        effects: list[Effect] = []
        while self.running:
            timer, due = min(self.running.items(), key=lambda item: (item[1], item[0].value))
            if due > now:
                break
            if timer in REPEATING:
                self.interval = self._next_interval(timer)
                # counted from when it was due, so that a late wake does not shift the rest; but never a burst
                again = due + self.interval
                self.running[timer] = again if again > now else now + self.interval
            else:
                del self.running[timer]
            effects += self.receive(_TIMER_INPUT[timer], now)
        return effects

    def _next_interval(self, timer: Timer) -> float:
        doubled = 2 * self.interval
        match timer:
            case Timer.A:
                return doubled  # RFC 3261 §17.1.1.2: no upper bound but Timer B
            case Timer.E if self.state is State.PROCEEDING:
                return self._timers.t2  # RFC 3261 §17.1.2.2
            case _:
                return min(doubled, self._timers.t2)


def ack_of_failure(request: Request, response: Response) -> bytes:
    """The ACK that belongs to the transaction (RFC 3261 §17.1.1.3): one Via, the INVITE's; To of the response."""
    kept = [row for row in request.rows if row[0] in ("From", "Call-ID", "Route", "Max-Forwards")]
    rows = [
        ("Via", request.via.text),
        *kept,
        ("To", response.get("To") or ""),
        ("CSeq", f"{request.cseq} ACK"),
    ]
    return serialise(f"ACK {request.uri} SIP/2.0", rows, b"")
