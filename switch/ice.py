"""The lite end of ICE: one agent for each browser's leg (RFC 8445 §2.5).

A lite agent gathers nothing and sends no check. It answers the checks of the browser, which is always the controlling
side (§6.1.1), and learns three things from them: the addresses that are valid, because a check from there was signed
with our password; the one that was nominated (USE-CANDIDATE), where media goes; and that the browser is still there
and still wants our packets (RFC 7675).

    state      | check        nomination         conflict     silence     close
    -----------+-----------------------------------------------------------------
    NEW        | CHECKED      NOMINATED          NEW (487)    FAILED      CLOSED
    CHECKED    | CHECKED      NOMINATED          same (487)   FAILED      CLOSED
    NOMINATED  | NOMINATED    NOMINATED, follows same (487)   FAILED      CLOSED
    FAILED     | late         late               late         bug         late
    CLOSED     | late         late               late         bug         late

A check says nothing signed of where it comes from, so whoever reads one on the wire can send it again from an address
of its own, which would be nominated by it, and get the call's packets in the browser's place. A check that came once is
good for addresses that are valid already, and for no new one.

A browser that changes networks nominates the new pair and is followed: the last nomination wins. (Towards a lite agent
browsers nominate only the pair they have selected.) Before a nomination, whoever sends uses the address that the far
side's DTLS came from, once it is valid.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from enum import Enum

import numpy as np
from attrs import frozen

from . import stun
from .stun import Address, BindingRequest

# A browser that never sent a check by then will not (seconds); Chromium itself gives up at 15.
SETUP_SECONDS = 30.0
# Without an authenticated check for this long we have no consent to send any more (RFC 7675 §5.1).
CONSENT_SECONDS = 30.0
# Without one for this long it is told that the browser may be gone: Chromium checks every 2.5 s, Firefox every 5.
UNCHECKED_SECONDS = 10.0
# Checks that are remembered, 4 octets each of their 96 random bits: those of half a day of Chromium's.
REMEMBERED = 1 << 14
# More addresses than any machine has interfaces; the one checked longest ago makes room.
MAX_VALID = 16


class State(Enum):
    NEW = "new"
    CHECKED = "checked"
    NOMINATED = "nominated"
    FAILED = "failed"
    CLOSED = "closed"


class Input(Enum):
    CHECK = "check"
    NOMINATION = "nomination"
    CONFLICT = "conflict"
    SILENCE = "silence"
    CLOSE = "close"


class Crossing(Enum):
    """Inputs that cross the agent's end on the wire; they change nothing."""

    CHECK_AFTER_END = "check after the end"
    CLOSED_TWICE = "closed twice"


# Every (state, input) is a next state or a named late crossing; what is in neither is a bug and raises KeyError.
# Silence is our own timer, and a timer dies with its state: after the end it cannot come.
TABLE: dict[tuple[State, Input], State | Crossing] = {
    (State.NEW, Input.CHECK): State.CHECKED,
    (State.NEW, Input.NOMINATION): State.NOMINATED,
    (State.NEW, Input.CONFLICT): State.NEW,
    (State.NEW, Input.SILENCE): State.FAILED,
    (State.NEW, Input.CLOSE): State.CLOSED,
    (State.CHECKED, Input.CHECK): State.CHECKED,
    (State.CHECKED, Input.NOMINATION): State.NOMINATED,
    (State.CHECKED, Input.CONFLICT): State.CHECKED,
    (State.CHECKED, Input.SILENCE): State.FAILED,
    (State.CHECKED, Input.CLOSE): State.CLOSED,
    (State.NOMINATED, Input.CHECK): State.NOMINATED,
    (State.NOMINATED, Input.NOMINATION): State.NOMINATED,
    (State.NOMINATED, Input.CONFLICT): State.NOMINATED,
    (State.NOMINATED, Input.SILENCE): State.FAILED,
    (State.NOMINATED, Input.CLOSE): State.CLOSED,
    (State.FAILED, Input.CHECK): Crossing.CHECK_AFTER_END,
    (State.FAILED, Input.NOMINATION): Crossing.CHECK_AFTER_END,
    (State.FAILED, Input.CONFLICT): Crossing.CHECK_AFTER_END,
    (State.FAILED, Input.CLOSE): Crossing.CLOSED_TWICE,
    (State.CLOSED, Input.CHECK): Crossing.CHECK_AFTER_END,
    (State.CLOSED, Input.NOMINATION): Crossing.CHECK_AFTER_END,
    (State.CLOSED, Input.CONFLICT): Crossing.CHECK_AFTER_END,
    (State.CLOSED, Input.CLOSE): Crossing.CLOSED_TWICE,
}


@frozen
class Credentials:
    """A user fragment and its password, both of ICE characters (RFC 8445 §5.3)."""

    ufrag: str
    pwd: str


def draw_credentials(secret: Callable[[int], bytes]) -> Credentials:
    """New credentials from `secret(n)`, n random bytes: 48 bits of fragment, 144 of password.

    §5.3 asks for at least 24 and 128. Base64's alphabet is exactly the ICE characters.
    """
    return Credentials(base64.b64encode(secret(6)).decode(), base64.b64encode(secret(18)).decode())


@frozen
class Reply:
    """Send this to the address the check came from (RFC 8445 §7.3.1.3)."""

    datagram: bytes
    address: Address


@frozen
class Passed:
    """A check from this address passed, the first or another one: DTLS and media may come from it."""

    address: Address


@frozen
class Invalid:
    """The address lost its place to newer ones."""

    address: Address


@frozen
class Nominated:
    """Media goes here from now on."""

    address: Address


@frozen
class Refused:
    """The request was no valid check: counted, and answered by the Reply that may stand beside it."""

    reason: str


@frozen
class Failed:
    """No consent: nothing may be sent any more."""

    reason: str


@frozen
class Unchecked:
    """No check from any address for so many seconds. Told once."""

    seconds: float


@frozen
class Checked:
    """... and there is one again."""


Output = Reply | Passed | Invalid | Nominated | Refused | Failed | Unchecked | Checked


class IceAgent:
    """One leg's agent. `receive`, `wake` and `close` return what follows from them; `deadline` is when to wake it."""

    def __init__(self, local: Credentials, remote_ufrag: str, now: float) -> None:
        self.local = local
        self.state = State.NEW
        self.nominated: Address | None = None
        # The last authenticated check from any address; None before the first.
        self.last_check: float | None = None
        # When the last check came from each valid address.
        self.valid: dict[Address, float] = {}
        self._remote_ufrag = remote_ufrag
        self._key = local.pwd.encode("ascii")
        self._opened = now
        # Of the checks that passed: the last octets of their transaction ids, the newest last.
        self._seen = bytearray()
        self.unchecked = False  # Unchecked was told

    def receive(self, request: BindingRequest, address: Address, now: float) -> list[Output]:
        """A check whose USERNAME named us. The order of the tests is RFC 8489 §6.3 and §9.1.3."""
        if request.remote_ufrag != self._remote_ufrag or not stun.authentic(request, self._key):
            return [Refused("stun_unauthenticated"), Reply(stun.error(request, 401, None), address)]
        if request.unknown:
            return [Refused("stun_unknown_attribute"), Reply(stun.error(request, 420, self._key), address)]
        if request.controlled:
            # We are lite, so we never take the controlling role (RFC 8445 §6.1.1): the other end must (§7.3.1.1).
            if self._move(Input.CONFLICT):
                return [Refused("stun_role_conflict"), Reply(stun.error(request, 487, self._key), address)]
            return [Refused("stun_late")]
        if address not in self.valid and self._came(request):
            return [Refused("stun_replayed")]
        if not self._move(Input.NOMINATION if request.use_candidate else Input.CHECK):
            return [Refused("stun_late")]
        self._remember(request)
        outputs: list[Output] = [Reply(stun.success(request, address, self._key), address), Passed(address)]
        self.last_check = now
        if self.unchecked:
            self.unchecked = False
            outputs.append(Checked())
        if address not in self.valid:
            outputs += self._make_room()
        self.valid[address] = now
        if request.use_candidate and address != self.nominated:
            self.nominated = address
            outputs.append(Nominated(address))
        return outputs

    def deadline(self) -> float:
        """When consent ends or its lack of checks is told, unless a check comes before; infinity after the end."""
        if self.last_check is None or self.unchecked:
            return self._consent_ends()
        return min(self._consent_ends(), self.last_check + UNCHECKED_SECONDS)

    def _consent_ends(self) -> float:
        match self.state:
            case State.NEW:
                return self._opened + SETUP_SECONDS
            case State.CHECKED | State.NOMINATED:
                # Consent is for the pair in use (RFC 7675 §5.1).
                last = self.valid[self.nominated] if self.nominated is not None else max(self.valid.values())
                return last + CONSENT_SECONDS
            case State.FAILED | State.CLOSED:
                return math.inf

    def wake(self, now: float) -> list[Output]:
        if now < self.deadline():
            return []
        if now < self._consent_ends():
            assert self.last_check is not None
            self.unchecked = True
            return [Unchecked(now - self.last_check)]
        reason = "no ICE check came" if self.state is State.NEW else "the browser's ICE checks stopped"
        self._move(Input.SILENCE)
        return [Failed(reason)]

    def close(self) -> None:
        self._move(Input.CLOSE)

    def _move(self, what: Input) -> bool:
        """The one door for state changes. False: a late crossing, nothing changed."""
        after = TABLE[self.state, what]
        if isinstance(after, Crossing):
            return False
        self.state = after
        return True

    def _came(self, request: BindingRequest) -> bool:
        """Whether this very check has passed before."""
        seen = np.frombuffer(self._seen, np.uint32)
        return bool(np.count_nonzero(seen == np.frombuffer(request.transaction_id[-4:], np.uint32)))

    def _remember(self, request: BindingRequest) -> None:
        self._seen += request.transaction_id[-4:]
        if len(self._seen) > 4 * (REMEMBERED + REMEMBERED // 8):  # seldom, for all the rest is moved
            del self._seen[: -4 * REMEMBERED]

    def _make_room(self) -> list[Output]:
        """Drops the valid address checked longest ago, never the nominated one, when the table is full."""
        if len(self.valid) < MAX_VALID:
            return []
        oldest = min((seen, address) for address, seen in self.valid.items() if address != self.nominated)[1]
        del self.valid[oldest]
        return [Invalid(oldest)]
