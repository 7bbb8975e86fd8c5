"""What is kept of a centre when all is over, and what the database ends of its own when a process is no more."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from attrs import evolve
from cordboard.actors.effects import Record
from cordboard.actors.records import (
    CallEntry,
    Entry,
    HoldEntry,
    LegEntry,
    MessageEntry,
    OfferEntry,
    Outcome,
    StateEntry,
    SurveyEntry,
)
from cordboard.actors.store.entries import SIGNED_OUT, Key, key_of

if TYPE_CHECKING:
    from .world import World


def books(world: World) -> list[Entry]:
    """The newest row of every key; nothing in them is open."""
    newest = _newest(world.records)
    for entry in newest:
        match entry:
            case CallEntry() | LegEntry() | HoldEntry() | SurveyEntry() | MessageEntry():
                assert entry.ended is not None, entry
            case OfferEntry():
                assert entry.outcome is not Outcome.RINGING, entry
                assert entry.outcome is not Outcome.ANSWERED or entry.ended is not None, entry
            case _:
                pass
    busy = {agent: one.state for agent, one in _states(newest).items()}
    assert not {"ringing", "talking"} & set(busy.values()), busy
    return newest


def lost(records: Iterable[Record], alive: Collection[str], now: float) -> list[Entry]:
    """Of these, what is open of calls and agents that are not `alive`, ended as `close_open` of the store does."""
    newest = _newest(records)
    ended: list[Entry] = []
    for entry in newest:
        match entry:
            case CallEntry(ended=None) if f"call:{entry.call}" not in alive:
                ended.append(evolve(entry, ended=now, ended_by="system", cause="lost"))
            case LegEntry() | HoldEntry() | MessageEntry() if entry.ended is None and f"call:{entry.call}" not in alive:
                ended.append(evolve(entry, ended=now))
            case SurveyEntry(ended=None) if f"call:{entry.call}" not in alive:
                ended.append(evolve(entry, answer="lost", ended=now))
            case OfferEntry(ended=None, outcome=Outcome.RINGING) if f"call:{entry.call}" not in alive:
                ended.append(evolve(entry, outcome=Outcome.RETURNED, decided=now, ended=now))
            case OfferEntry(ended=None, outcome=Outcome.ANSWERED) if f"call:{entry.call}" not in alive:
                ended.append(evolve(entry, ended=now))
            case _:
                pass
    for agent, one in _states(newest).items():
        if one.state != SIGNED_OUT and f"agent:{agent}" not in alive:
            ended.append(StateEntry(agent, one.number + 1, max(now, one.since), SIGNED_OUT, "restart"))
    return ended


def _newest(records: Iterable[Record]) -> list[Entry]:
    newest: dict[Key, Entry] = {}
    for record in records:
        newest[key_of(record.entry)] = record.entry
    return list(newest.values())


def _states(newest: Iterable[Entry]) -> dict[str, StateEntry]:
    """The newest of each agent."""
    states = [entry for entry in newest if isinstance(entry, StateEntry)]
    return {one.agent: one for one in sorted(states, key=lambda one: one.number)}
