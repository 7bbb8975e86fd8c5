"""What is kept of calls and agents: facts that actors state with the `Record` effect and the store keeps.

Each entry is one whole row of one table, named by its key, and replaces what was kept under that key: saying it twice
changes nothing, so what was said before a crash may be said again after it. Nothing that can be worked out from these
rows is kept beside them. The class that a call has for an agent follows from the outcomes of its offers; a state
of an agent lasts until the next one begins, so that the history has no gap and no overlap.

Times are seconds since the Unix epoch; `None` where it has not happened yet.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from attrs import frozen

# The party of a call who is reached by a number, and is no agent.
OUTSIDE: Final = "outside"


class Outcome(Enum):
    """What became of one offer of a call to an agent."""

    RINGING = "ringing"
    ANSWERED = "answered"
    MISSED = "missed"
    DECLINED = "declined"
    CALLER_LEFT = "caller_left"  # while it rang at that agent
    ANSWERED_ELSEWHERE = "answered_elsewhere"
    NOT_CONNECTED = "not_connected"  # the agent dialled, and nobody answered
    RETURNED = "returned"  # it rang, and the agent signed out, left the page or lost the media


@frozen
class CallEntry:
    """One call, by `call`. `queue` is empty for a test number or a room; `began` is when the INVITE came."""

    call: str
    trunk: str
    direction: str  # "inbound", or "outbound": an agent dialled `caller`, the customer, and showed `dialled`
    caller: str  # empty: withheld
    caller_name: str
    dialled: str
    queue: str
    began: float
    # When the first agent was connected, and when it was over: who ended it ("caller", "callee", "agent" or "system"),
    # and why.
    answered: float | None = None
    ended: float | None = None
    ended_by: str = ""
    cause: str = ""
    # A test number or a room: not counted, not listed, not recorded.
    test: bool = False
    # There is a recording of this call, or will be.
    recorded: bool = False
    # The number that sent the caller on to us, where one did and says so.
    diverted_from: str = ""


@frozen
class LegEntry:
    """One party of a call, by (`call`, `number`): the caller is number 0, each time an agent talks is another."""

    call: str
    number: int
    party: str  # "caller", the agent's id, or OUTSIDE
    began: float
    ended: float | None = None
    to: str = ""  # the number of somebody outside


@frozen
class HoldEntry:
    """One time that the far side of a call was held by its agent, by (`call`, `number`); the first is number 1."""

    call: str
    number: int
    began: float
    ended: float | None = None


@frozen
class TransferEntry:
    """One time that a call was given to somebody else, by (`call`, `number`); the first is number 1.

    The agent `by` gave it, or the queue in which it waited, and `by` is empty; as the kind says: "agent" or "mobile" to
    that `agent`, "queue" to that `queue`, "number" to the number `to`. "referred": the customer's side put it through
    to that number. `outcome`: "ringing", "connected", "returned" to the agent (or to who referred it), "queued",
    "failed" where there is nobody to return it to, or "abandoned" by the customer; `why` is a code of `page.FAILURES`
    where nobody took it.
    """

    call: str
    number: int
    kind: str
    by: str
    at: float
    agent: str = ""
    queue: str = ""
    to: str = ""
    outcome: str = "ringing"
    why: str = ""
    # Why the queue in which it waited sent it on, where no agent did.
    cause: str = ""


@frozen
class OfferEntry:
    """One offer of a call to an agent, by (`call`, `agent`, `offered`)."""

    call: str
    agent: str
    queue: str
    offered: float
    outcome: Outcome = Outcome.RINGING
    # When it was answered or given up, and when the conversation that followed was over.
    decided: float | None = None
    ended: float | None = None
    # What for, as pages hear it.
    purpose: str = "queue"


@frozen
class DecisionEntry:
    """To whom a queue offered a call and why, by (`call`, `queue`, `at`, `number`): it had been offered that often.

    `chosen` are agents with spaces between, `roster` names all who were in the queue, `facts` is what the decision was
    made of (`decisions.py`).
    """

    call: str
    queue: str
    at: float
    number: int
    chosen: str
    roster: str
    facts: bytes = b""


# A decision speaks of a roster that was stated this long before it at most.
ROSTER_SECONDS: Final = 86400.0


@frozen
class RosterEntry:
    """The agents of a queue, one on each line, in the order that decisions mean; by `roster`, which they make.
    `at`: when that was stated last; a queue that goes on to decide by it states it again once in `ROSTER_SECONDS`."""

    roster: str
    agents: str
    at: float


@frozen
class StateEntry:
    """An agent's state from `since` on, by (`agent`, `number`); numbers only grow."""

    agent: str
    number: int
    since: float
    state: str  # a value of page.State
    reason: str
    call: str = ""


@frozen
class QualityEntry:
    """A piece of the quality timeline of one party of a call, by (`call`, `party`, `began`).

    `points` are those of `timeline.py`, 30 octets each.
    """

    call: str
    party: str  # as of a LegEntry
    began: float
    points: bytes = b""


@frozen
class SoundEntry:
    """Whether sound `comes` from a party and `goes` to it from `at` on, by (`call`, `party`, `at`): both until there is
    another word, and after it until the next."""

    call: str
    party: str  # as of a LegEntry
    at: float
    comes: bool
    goes: bool


@frozen
class SurveyEntry:
    """The survey of a call, by `call`: of what its `agent` did for it, in its `queue` or none.

    `answer` is the key that was pressed, "none" where nothing was, "invalid" where no key was one of those asked for,
    "abandoned" where the customer hung up, or "lost"; empty while it is asked.
    """

    call: str
    agent: str
    queue: str
    began: float
    answer: str = ""
    ended: float | None = None


@frozen
class MessageEntry:
    """What a caller said after the tone, by `call`, for the `queue` that could not take it; the recording of the call
    has it."""

    call: str
    queue: str
    began: float
    ended: float | None = None


@frozen
class MobileEntry:
    """The mobile `number` that an agent has bound, by `agent`, and whether it is `answering` by it."""

    agent: str
    number: str
    answering: bool


Entry = (
    CallEntry
    | LegEntry
    | HoldEntry
    | TransferEntry
    | OfferEntry
    | DecisionEntry
    | RosterEntry
    | StateEntry
    | QualityEntry
    | SoundEntry
    | SurveyEntry
    | MessageEntry
    | MobileEntry
)


@frozen
class RecordingEntry:
    """What became of the sound of a call that was `recorded`, by `call`; there is none until that is known.

    Stated by the shell that makes recordings, and by no actor. `file` and `peaks` are names within the directory of
    recordings, `size` is in bytes. An empty `file`: it was lost, for this `reason`; else the `reason`
    is why it is not whole, or empty.
    """

    call: str
    file: str = ""
    format: str = ""
    seconds: float = 0.0
    size: int = 0
    peaks: str = ""
    reason: str = ""
