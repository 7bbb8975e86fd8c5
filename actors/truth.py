"""What can be untrue of a centre, how it is told, and who is asked how things stand: `invariants.py` looks."""

from __future__ import annotations

from collections.abc import Iterable, Set
from enum import Enum
from typing import Final, Protocol

from attrs import field, frozen

from .agreement import Difference
from .effects import Behaviour, Tell

# What of the actors' states no invariant follows from, and changes most: how it sounds, and what pages were told.
UNMINDED: Final = frozenset({"timeline", "rev", "queue_status", "caller", "told", "tell_at", "pace"})
# Who is no actor, and may have something open that nobody knows of.
ENGINE: Final = "media"
# Why somebody is gone who did not say so.
LOST: Final = "it was gone, and nobody had been told"


class What(Enum):
    """Each invariant, by what is said where it does not hold."""

    NO_OWNER = "a caller has no owner"
    NOT_WAITING = "a caller waits in no queue"
    TALKS_TO_NOBODY = "a caller talks to somebody who is not there"
    DIALLED_BY_NOBODY = "a call is dialled by nobody"
    NO_TIMER = "a call waits for something without a timer"
    NO_MEDIA = "a caller has no media"
    BUSY_FOR_NOTHING = "an agent is busy for no call"
    MUTED_AND_HEARD = "a call and its agent do not agree whether it is muted"
    OTHER_VOICE = "a call and its agent do not agree by which leg it is heard"
    NOT_OFFERED = "a queue does not know what an agent does"
    OFFER_OPEN = "nothing has become of an offer that is over"
    RECORD_OPEN = "the record of a call has other parties than the call"
    QUEUE_HAS_STRANGER = "a queue has a call that does not wait in it"
    RINGS_UNHEARD = "a call rings at an agent who does not know"
    LINE_UNOWNED = "a line is nobody's"
    STILL_COUNTED = "a call that is gone is still counted"
    HEARS_OTHERWISE = "somebody hears what the mode does not allow"
    MEDIA_UNOWNED = "media is open for nobody"
    SIP_UNOWNED = "a SIP call is nobody's"
    ENGINE_LACKS = "the media engine lacks what it was told to have"
    ENGINE_KEEPS = "the media engine has what nobody told it to have"


@frozen
class Untrue:
    """What does not hold, and of whom: the one that was looked at first, then those that it relies on.

    `cure` tells one of them again what it missed.
    """

    what: What
    names: tuple[str, ...]
    # The leg or channel that it is about.
    leg: str = ""
    cure: Tell | None = field(default=None, eq=False)
    # Both sides were seen at one instant: nothing is on its way that could make it true.
    sure: bool = field(default=False, eq=False)
    # What one of them knew of the other: where that is something else the next time, it was told meanwhile, and what is
    # untrue then is another thing.
    known: object = None


class Centre(Protocol):
    """Who is asked how things stand, at one moment."""

    def find(self, name: str) -> Behaviour | None:
        """The live actor of that name."""
        ...

    def glance(self, name: str) -> Behaviour | None:
        """... where whoever looks need not look again whenever that one changes."""
        ...

    def lives(self, name: str) -> bool: ...

    def holds(self, leg: str) -> str:
        """The actor that has this media leg open; empty for none."""
        ...

    def hears(self, listener: str) -> frozenset[str] | None:
        """What a leg, or a channel of a recording, was last told to hear, of what is open; None: it is not."""
        ...

    def living(self) -> Set[str]:
        """The names of all actors."""
        ...

    def media_owners(self) -> Set[str]:
        """The actors for which legs, playlists or recordings are open."""
        ...

    def sip_owners(self) -> Set[str]:
        """The actors for which SIP calls live that somebody wants."""
        ...

    def engine_differs(self) -> Iterable[Difference]:
        """What the media engine has that it was not told, or has not though it was."""
        ...

    def whose(self, name: str) -> str:
        """The actor by whom such a leg, channel or playlist was opened; empty where it is everybody's."""
        ...
