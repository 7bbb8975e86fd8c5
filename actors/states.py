"""What a control process knows, as records from which the next one can go on.

Every step of every actor is one record, written before its effects are carried out: what it changed, whether it took a
message that it had been told, and what it wants done. With what the shells add (what they tell actors, SIP dialogs,
media ports, how far the database is) the records are the whole centre at any instant: `runtime.System.recall` and
`medialink.MediaLink.recall` bring a new process there. `statefile.py` writes and reads them, `past.py` goes on from
there.

What a page asks is not kept: it lives no longer than the websocket that it came by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from itertools import compress, filterfalse
from operator import attrgetter, is_not
from typing import Any, Final

import attrs
from attrs import evolve, frozen

from ..switch import protocol as media
from .effects import Behaviour, Effect
from .records import Entry

# --- records ------------------------------------------------------------------------------------------------------


@frozen
class Header:
    """The first record: how to read the others."""

    format: int
    shapes: Mapping[str, tuple[str, ...]]


@frozen
class ActorState:
    """One live actor: its state, what waits for it, and who hears when it ends."""

    name: str
    at: float
    behaviour: Behaviour
    mailbox: tuple[tuple[float, object], ...] = ()
    watchers: tuple[str, ...] = ()


@frozen
class LinkState:
    """What the engine has been told, in commands that would bring a new one to the same point: who wants each leg and
    recording, at which port of ours the far side sends, and what everybody hears."""

    # actor, opening, and our port: None while the engine has not answered, 0 for a browser's leg
    legs: tuple[tuple[str, media.OpenRtpLeg | media.OpenWebrtcLeg, int | None], ...] = ()
    updates: tuple[media.UpdateRtpLeg | media.RestartIce, ...] = ()  # not answered
    recordings: tuple[tuple[str, str], ...] = ()  # actor, recording
    sources: tuple[tuple[str, media.OpenSource], ...] = ()  # the actor of a playlist, or empty
    hears: tuple[media.Hears, ...] = ()


@frozen
class Whole:
    """Everything there is. The database has not yet taken the entries that are `unsafe`, the newest of each key, each
    with its number among all that were `stated` since the process began. `recalls` are when other processes went on
    with what is told here, the last of them."""

    at: float
    actors: tuple[ActorState, ...] = ()
    dialogs: tuple[tuple[str, object], ...] = ()
    link: LinkState = LinkState()
    unsafe: tuple[tuple[int, Entry], ...] = ()
    stated: int = 0
    recalls: tuple[float, ...] = ()


@frozen
class Step:
    """`told`: it took the oldest message of those that it was told. `changes`: see `changes`."""

    name: str
    at: float
    told: bool
    changes: Mapping[str, object]
    effects: tuple[Effect, ...]


@frozen
class Told:
    """A shell told an actor a message that would be missed: of SIP, of the engine, of the organisation."""

    name: str
    at: float
    message: object


@frozen
class Born:
    """An actor that a shell started."""

    name: str
    at: float
    behaviour: Behaviour


@frozen
class Ended:
    """An actor that did not end by itself."""

    name: str
    at: float
    reason: str


@frozen
class Said:
    """Entries that came from no step: the will of an actor."""

    entry: Entry


@frozen
class Dialog:
    """A SIP call as its endpoint would go on with it; None: it is over."""

    call: str
    snapshot: object | None


@frozen
class LegAt:
    """The engine has this leg at this port of ours. `moved`: it follows what it was told last."""

    leg: str
    port: int
    moved: bool = True


@frozen
class LegSealed:
    """What a leg is encrypted with, before its far side or an engine is told."""

    leg: str
    srtp: media.Srtp


@frozen
class LegGone:
    """The engine has this leg no more."""

    leg: str


@frozen
class Committed:
    """The database has the first so many of all entries that were stated since the process began."""

    upto: int


@frozen
class Alive:
    """The process was there at that time."""

    at: float


Record = Whole | Step | Told | Born | Ended | Said | Dialog | LegAt | LegSealed | LegGone | Committed | Alive


# --- what changed in a state --------------------------------------------------------------------------------------


@frozen
class Patch:
    """What changed in a mapping or a set that is otherwise the same: of a thousand agents one."""

    put: tuple[tuple[object, object], ...]
    removed: tuple[object, ...]


def changes(before: Any, after: Any) -> dict[str, object]:
    """The fields of a frozen state that are not the same object any more."""
    if before is after:
        return {}
    kind: type = type(after)
    names, get = _fields(kind)
    # of some fifty fields a few are others: they are found without a word of Python for each
    others = compress(names, map(is_not, get(before), get(after)))
    return {taken: _patch(getattr(before, name), getattr(after, name)) for taken, name in others}


@cache
def _fields(kind: type) -> tuple[tuple[tuple[str, str], ...], Callable[[Any], Iterable[Any]]]:
    """By which names a class takes and has its fields, and all their values at once, in the same order."""
    fields = attrs.fields(kind)
    names = tuple((each.alias or each.name, each.name) for each in fields)
    if not any("__slots__" in vars(each) for each in kind.__mro__):
        return names, lambda value: value.__dict__.values()  # which whoever makes one fills in the order of its class
    if len(fields) == 1:
        only = attrgetter(fields[0].name)
        return names, lambda state: (only(state),)
    return names, attrgetter(*(each.name for each in fields))


def _patch(old: object, new: object) -> object:
    if isinstance(old, frozenset) and isinstance(new, frozenset) and len(new) > 8:
        return Patch(tuple((each, None) for each in new - old), tuple(old - new))
    if isinstance(old, dict) and isinstance(new, dict) and len(new) > 8:
        if list(old) == list(new):  # of all that there are one is another: what happens most
            other = compress(new, map(is_not, new.values(), old.values()))
            return Patch(tuple([(key, new[key]) for key in other]), ())
        # without a word of Python for each of thousands
        removed, added = [*filterfalse(new.__contains__, old)], [*filterfalse(old.__contains__, new)]
        kept = [*filter(new.__contains__, old)]
        if [*kept, *added] == list(new):  # the order is part of it
            others = map(is_not, map(new.__getitem__, kept), map(old.__getitem__, kept))
            put = [*compress(kept, others), *added]
            return Patch(tuple([(key, new[key]) for key in put]), tuple(removed))
    return new


def changed(before: Any, changes: Mapping[str, object]) -> Any:
    """`before` with `changes` made to it."""
    made: dict[str, Any] = {}
    for each in attrs.fields(type(before)):
        name = each.alias or each.name
        if name in changes:
            made[name] = _patched(getattr(before, each.name), changes[name])
    return evolve(before, **made) if made else before


def _patched(old: Any, new: object) -> object:
    if not isinstance(new, Patch):
        return new
    if isinstance(old, frozenset):
        return (old - frozenset(new.removed)) | {key for key, _ in new.put}
    rest = {key: value for key, value in old.items() if key not in new.removed}
    rest.update(new.put)
    return rest


# --- who keeps them ------------------------------------------------------------------------------------------------


class Unwritten:
    """Keeps nothing: for a centre that need not survive its process."""

    def step(self, name: str, at: float, told: bool, before: object, after: object, effects: Iterable[Effect]) -> None:
        """One step of an actor, before its effects are carried out."""

    def said(self, entry: Entry) -> None:
        """An entry that came from no step."""

    def add(self, record: Record) -> None:
        """What a shell knows."""


UNWRITTEN: Final = Unwritten()
