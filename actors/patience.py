"""How long people are waited for, in all calls, whatever queue they came by: `[calls]` of the configuration."""

from __future__ import annotations

from attrs import frozen


@frozen
class Patience:
    """In seconds: each until something else is done."""

    # Whoever an agent asks into its call has this to answer.
    ring: float = 30.0
    # A page that does not come back within this is gone: an idle agent is signed out, a call returns to its queue.
    away: float = 20.0
    # How long an agent is rung to whom its call comes back.
    back: float = 20.0
    # An agent that declined a call is not offered it again for this long.
    declined: float = 10.0
    # Who picks up a mobile has it at the ear by then, and the prompt has been said twice.
    accept: float = 20.0


PATIENCE = Patience()
