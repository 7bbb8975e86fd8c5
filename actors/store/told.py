"""What is told of what has happened: calls as lists have them, one call whole, recordings, an agent's states.

The values that `history.py` makes of the rows, and that others turn into JSON.
"""

from __future__ import annotations

import re
from enum import Enum

from attrs import frozen

from ..records import Outcome


class CallClass(Enum):
    NORMAL = "normal"
    NOT_CONNECTED = "not_connected"
    RING_ABANDONED = "ring_abandoned"


class Sound(Enum):
    """How far the recording of a call is."""

    NONE = "none"
    RECORDING = "recording"
    ENCODING = "encoding"
    READY = "ready"
    LOST = "lost"
    WITHHELD = "withheld"  # from who asks: other agents talked in it


@frozen
class Cursor:
    """The last call of a page: the next page begins after it."""

    began: float
    call: str

    def __str__(self) -> str:
        return f"{self.began!r}_{self.call}"


_CURSOR = re.compile(r"([0-9]{1,12}\.[0-9]{1,17})_([\x21-\x7e]{1,256})")


def cursor(text: str) -> Cursor | None:
    """What `str` of a cursor says; None where it is none."""
    found = _CURSOR.fullmatch(text)
    return Cursor(float(found[1]), found[2]) if found else None


@frozen
class Who:
    agent: str
    name: str


@frozen
class Message:
    """What a caller left for a queue in its voicemail, and who has seen to it, if somebody has."""

    queue: str
    queue_name: str
    began: float
    ended: float
    handled_by: Who | None
    handled_at: float | None


@frozen
class ListedCall:
    """A line of a list: `class_` and `talk_seconds` are the agent's whose list it is, or the whole centre's.

    `class_` is None while it has none, and such a call is in no list. `agents` answered it, or
    dialled, in the order they did.
    """

    call: str
    class_: CallClass | None
    direction: str
    number: str
    name: str
    dialled: str
    queue: str
    queue_name: str
    began: float
    answered: float | None
    ended: float | None
    ended_by: str
    cause: str
    talk_seconds: float
    recording: Sound
    agents: tuple[Who, ...]
    message: Message | None


@frozen
class Listing:
    """A page of a list, the newest first; `next` is where the next one begins, None after the last."""

    calls: tuple[ListedCall, ...]
    next: Cursor | None


@frozen
class Leg:
    """A party of a call; `to` is the number of one who is "outside"."""

    party: str
    name: str
    began: float
    ended: float | None
    to: str


@frozen
class Hold:
    """One time that the customer was held; in the recording it is silence."""

    began: float
    ended: float | None


@frozen
class Survey:
    """What the customer said of the service of that agent: a key from 1 to 5, or as a `SurveyEntry` has it."""

    agent: str
    queue: str
    began: float
    outcome: str


@frozen
class Transfer:
    """One time that the call was given away: by an agent to another, to a queue, or to the number `to`. `outcome`:
    "ringing", "connected", "returned", "queued", "failed" or "abandoned"; `why`: a code of failures where nobody took
    it. Where no agent gave it, the queue did in which it waited: `cause` says why."""

    kind: str
    by: str
    at: float
    agent: str
    queue: str
    queue_name: str
    to: str
    outcome: str
    why: str
    cause: str


@frozen
class Offer:
    agent: str
    name: str
    queue: str
    offered: float
    outcome: Outcome
    decided: float | None
    ended: float | None
    purpose: str


@frozen
class Recording:
    """`file` and `peaks` are names within the directory of recordings; `reason` is why it was lost, or is
    not whole."""

    state: Sound
    file: str = ""
    format: str = ""
    seconds: float = 0.0
    size: int = 0
    peaks: str = ""
    reason: str = ""


@frozen
class WholeCall(ListedCall):
    """All that is known of one call; `history` is the same customer's calls before it, the newest first."""

    trunk: str
    diverted_from: str
    legs: tuple[Leg, ...]
    holds: tuple[Hold, ...]
    transfers: tuple[Transfer, ...]
    offers: tuple[Offer, ...]
    survey: Survey | None
    sound: Recording
    history: tuple[ListedCall, ...]


@frozen
class Span:
    """A state of an agent; the next one begins where it ends, and the last has no end."""

    state: str
    reason: str
    call: str
    since: float
    until: float | None
    seconds: float


@frozen
class States:
    """A page of an agent's states, the oldest first; `next` is where the next one begins, None after the last."""

    states: tuple[Span, ...]
    next: int | None
