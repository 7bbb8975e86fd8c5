"""What each leg of a call hears, by what the call remembers: its seats by `edges.py`, and the sounds that they hear.

A pure function of the state. The call says it to the engine whenever anything of it changes (`conversation.py`), and
who looks after the centre compares it with what the engine was told last (`invariants.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from ..switch import protocol as media
from . import announcements, edges
from .call_state import Data
from .edges import Alone, Party, Seat
from .parties import LEFT, RINGS, Standing

# Legs and sources, a shared source that has to be there, or a playlist for this listener alone.
Sound = tuple[str, ...] | media.Playlist | media.OpenSource


def seats(data: Data) -> edges.Seats:
    """Who is in the call, and how."""
    there = {
        Party.CUSTOMER: Seat("" if data.left else data.leg, held=data.held, leaves=data.standing is Standing.REFERRED)
    }
    if data.agent:
        there[Party.AGENT] = Seat(data.agent_leg, muted=data.muted, away=data.agent_away)
    if data.second is not None:
        second, standing = data.second, data.standing
        there[Party.SECOND] = Seat(
            second.leg,
            held=standing is Standing.SWAPPED,
            muted=second.muted,
            away=second.away,
            rings=standing in RINGS,
            early=second.early and standing not in LEFT,
        )
    return there


def heard(data: Data) -> Mapping[str, Sound]:
    """By leg, of everybody who is there; whoever rings hears nothing of the call yet."""
    there = seats(data)
    return {
        seat.leg: _sound(data, edges.heard(party, there))
        for party, seat in there.items()
        if seat.leg and not seat.rings
    }


def taped(data: Data) -> Mapping[str, tuple[str, ...]]:
    """By channel of the recording, where there is one."""
    if data.entry is None or not data.entry.recorded:
        return {}
    call = data.arrived.call
    left, right = edges.taped(seats(data), holds=data.customs.tapes_holds)
    return {media.left(call): left, media.right(call): right}


def _sound(data: Data, heard: edges.Heard) -> Sound:
    match heard:
        case Alone.HOLD:
            return announcements.on_hold(data.language, data.music)
        case Alone.AWAY:
            return announcements.agent_away(data.language, data.music)
        case Alone.RINGBACK:
            return media.OpenSource(f"ringback:{data.country}", media.Ringback(data.country))
        case legs:
            return legs
