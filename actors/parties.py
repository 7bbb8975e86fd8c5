"""Who is in a call that an agent has, or had: the standing of a call beside its phase, and its second party.

A call has a customer, at most one agent whose call it is, and at most one second party, who is consulted, invited, or
to have the call. `Standing` says all of it that decides who hears whom; `acts.py` has the table of what changes it.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from attrs import frozen

from . import agent_state as agents
from . import page
from .records import OUTSIDE


class Standing(Enum):
    # The agent and the customer.
    TALKING = "talking"
    HELD = "held"
    # A second party is consulted while the customer is held; SWAPPED: it is held, and the customer is not.
    CONSULT_RINGS = "consult_rings"
    CONSULT = "consult"
    SWAPPED = "swapped"
    # A second party is invited, while the agent and the customer go on.
    INVITED = "invited"
    INVITED_HELD = "invited_held"
    THREE_WAY = "three_way"
    THREE_WAY_HELD = "three_way_held"
    # The agent has left. It rings at whoever is to have the call, or at the agent again since nobody wanted it.
    TRANSFER = "transfer"
    RETURNED = "returned"
    # The customer and an outside party, who are alone.
    JOINED = "joined"
    # The customer wants to be put through to whoever rings.
    REFERRED = "referred"


# Where the customer is held,
HOLDS: Final = frozenset(
    {
        Standing.HELD,
        Standing.CONSULT_RINGS,
        Standing.CONSULT,
        Standing.INVITED_HELD,
        Standing.THREE_WAY_HELD,
    }
)
# ... where the second party rings,
RINGS: Final = frozenset(
    {
        Standing.CONSULT_RINGS,
        Standing.INVITED,
        Standing.INVITED_HELD,
        Standing.TRANSFER,
        Standing.RETURNED,
        Standing.REFERRED,
    }
)
# ... where it is in a conversation of three, or shall be, and where no agent has the call.
THREE: Final = frozenset({Standing.INVITED, Standing.INVITED_HELD, Standing.THREE_WAY, Standing.THREE_WAY_HELD})
LEFT: Final = frozenset({Standing.TRANSFER, Standing.RETURNED, Standing.JOINED})


@frozen
class Second:
    """The second party of a call: whom it was `offer`ed to as the call's offer of that serial, in whose name, and since
    when it rings or is there.

    One of the kind "mobile" or "number" is reached by a `line`; an empty one is over, or was never wanted.
    """

    agent: str
    name: str
    offer: agents.Offer
    since: float
    kind: page.Kind = "agent"
    number: str = ""
    line: str = ""
    # ... which has begun.
    begun: bool = False
    # It rings there, and is heard by its leg already.
    early: bool = False
    # Where the call goes on if nobody wants it and it came by no queue.
    home: agents.QueueKnown | None = None
    # When somebody who says nothing about the offer is taken to be lost.
    ring_until: float = 0.0
    # Once it is there: its media.
    leg: str = ""
    away: bool = False
    muted: bool = False

    @property
    def sits(self) -> str:
        """The agent at whose pages it is; empty where it is reached by a line."""
        return self.agent if self.kind == "agent" else ""

    @property
    def party(self) -> str:
        """As the record of the legs has it: an agent, or somebody outside."""
        return self.agent or OUTSIDE

    @property
    def outside(self) -> str:
        """The number of somebody outside."""
        return "" if self.agent else self.number


# --- inputs: what becomes of the parties, whoever says it -----------------------------------------------------------


@frozen
class SecondUp:
    """It answers, and is heard by `leg`."""

    leg: str


@frozen
class SecondFails:
    """It rings no more: `why` is a code of `page.FAILURES`."""

    why: str
    status: int = 0


@frozen
class SecondLeaves:
    """It was there, and hangs up or is gone."""

    why: str


@frozen
class AgentHangsUp:
    """The agent whose call it is ends its part."""


@frozen
class AgentLeaves:
    """... or is gone without a word."""


def purpose_of(standing: Standing) -> page.Purpose:
    """What a second party is there for."""
    if standing in THREE:
        return "three_way"
    if standing in LEFT:
        return "transfer" if standing is Standing.TRANSFER else "returned"
    if standing is Standing.REFERRED:
        return "referred"
    return "consult"
