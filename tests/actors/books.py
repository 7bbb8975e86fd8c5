"""What is kept of a centre when all is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cordboard.actors.records import CallEntry, Entry, LegEntry, OfferEntry, Outcome, StateEntry
from cordboard.actors.store.entries import Key, key_of

if TYPE_CHECKING:
    from .world import World


def books(world: World) -> list[Entry]:
    """The newest row of every key; nothing in them is open."""
    newest: dict[Key, Entry] = {}
    for record in world.records:
        newest[key_of(record.entry)] = record.entry
    for entry in newest.values():
        match entry:
            case CallEntry() | LegEntry():
                assert entry.ended is not None, entry
            case OfferEntry():
                assert entry.outcome is not Outcome.RINGING, entry
                assert entry.outcome is not Outcome.ANSWERED or entry.ended is not None, entry
            case StateEntry():
                pass
    busy = {one.agent: one.state for one in sorted(_states(newest), key=lambda one: one.number)}
    assert not {"ringing", "talking"} & set(busy.values()), busy
    return list(newest.values())


def _states(newest: dict[Key, Entry]) -> list[StateEntry]:
    return [entry for entry in newest.values() if isinstance(entry, StateEntry)]
