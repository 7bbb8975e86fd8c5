"""All that a page shows, for one that comes or has missed something."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from .events import CallConnected, CallDialling, CallOffered, CallParties, CallSound, Purpose, QueueStatus, State


@frozen
class LastCall:
    """The call whose paperwork is done: what its pages heard of it, for one that comes when it is over."""

    call: str
    queue: str
    queue_name: str
    number: str
    name: str
    dialled: str
    since: float
    ended: float
    by: str
    cause: str
    direction: Literal["inbound", "outbound"] = "inbound"
    diverted_from: str = ""
    purpose: Purpose = "queue"


@frozen
class QueueName:
    """A queue that a call can be given to."""

    queue: str
    name: str


@frozen
class Snapshot:
    """Everything a page needs to draw itself; deltas with a greater revision follow."""

    rev: int
    agent: str
    name: str
    state: State
    reason: str
    since: float
    # This page owns the media; another does; or the agent is signed out and nobody does.
    owner: Literal["this", "other", "none"]
    media: Literal["none", "connecting", "connected", "failed"]
    # When after-call work is over by itself, and whether its call began on break.
    until: float | None = None
    from_break: bool = False
    # Calls ring on the agent's mobile; and its number, where one is known.
    by_mobile: bool = False
    mobile: str = ""
    offered: CallOffered | None = None
    connected: CallConnected | None = None
    # ... and who is in it, and how.
    parties: CallParties | None = None
    # While a call of the agent's is on its way out.
    dialling: CallDialling | None = None
    # The media connection of whoever owns it: a page that finds its own here may resume.
    leg: str = ""
    # In a call whose agent cannot be heard: until when it waits for the agent.
    away_until: float | None = None
    # In a call where some sound does not get through: which.
    sound: CallSound | None = None
    # In after-call work: the call that was.
    last: LastCall | None = None
    # While the agent hears itself: until when.
    testing_until: float | None = None
    queues: tuple[QueueStatus, ...] = field(factory=tuple)
    # Those of ours that calls may show.
    numbers: tuple[str, ...] = ()
    # All queues: where a call may be transferred to.
    transfer_queues: tuple[QueueName, ...] = field(factory=tuple)
    now: float = 0.0
