"""What is done in all calls, whatever queue they came by: `[calls]` and `[recording]` of the configuration."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

Accepts = Literal["key-1", "any-key", "pick-up"]
GoesOn = Literal["agents", "all", "never"]


@frozen
class Customs:
    """What is done where nothing else is set."""

    # What says that a person is there, and no mailbox, where a call rings on a mobile.
    accept: Accepts = "key-1"
    # With whom the customer goes on when the agent leaves a conversation of three.
    three_way: GoesOn = "agents"
    # A call that is given from one to the next without end has lost its way.
    transfers: int = 10
    # How long who is asked for a rating has to find a key, before that is none; and how often it is asked again where
    # that was another key.
    survey_seconds: float = 8.0
    survey_again: int = 3
    # What is said while the customer is held is recorded too.
    tapes_holds: bool = False


CUSTOMS = Customs()
