"""What is kept of a decision (`acd.py`): the question as it was, so that it can be asked again, and what others did.

A queue of thousands decides many times a second, so it is short. Who is in the queue is kept once for many decisions
(`Roster`); of each agent there is then one octet that says what it did, and of who was free also what the strategy
looks at, in columns. The octets of one weight stand together, so that numbers which are much alike are packed well. Of
5000 agents who all work it takes 2 kB, of 5000 who are all free 2 to 37, by what their strategy looks at.
"""

from __future__ import annotations

import hashlib
import zlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, get_args

import msgpack
from attrs import frozen

from .acd import Doing, Free, Question, Why
from .entries import Strategy

FORMAT: Final = 1
# Fast, and what can be packed at all is packed by the order of the octets.
LEVEL: Final = 1

DOINGS: Final[tuple[Doing, ...]] = get_args(Doing)
WHYS: Final[tuple[Why, ...]] = get_args(Why)
STRATEGIES: Final[tuple[Strategy, ...]] = get_args(Strategy)
_CODES: Final = {doing: code for code, doing in enumerate(DOINGS)}
_FREE, _RINGING = _CODES["free"], _CODES["ringing"]

# A field of `Free`, and the type of its column.
_Column = tuple[str, str]
_ALWAYS: Final[tuple[_Column, ...]] = (("level", "B"), ("place", "I"))
_READY: Final = ("ready_since", "d")
# What each strategy looks at beside the level and the place.
SCORES: Final[Mapping[Strategy, tuple[_Column, ...]]] = {
    "longest-idle": (_READY,),
    "ring-all": (_READY,),
    "fewest-calls": (_READY, ("calls", "I")),
    "least-talk-time": (_READY, ("talked", "d")),
    "round-robin": (),
    "random": (),
    "top-down": (),
}


class UnreadableError(ValueError):
    """Facts that were not written here, or by a version that is too different."""


@frozen
class Kept:
    """A decision as it was kept: the question, and what each agent of the queue did, the free ones too."""

    question: Question
    doing: Mapping[str, Doing]


def roster_key(agents: Iterable[str]) -> str:
    """What names these agents in this order."""
    return hashlib.sha256("\n".join(agents).encode()).hexdigest()[:24]


def pack(question: Question, roster: Sequence[str], doing: Iterable[Doing]) -> bytes:
    """The facts of a decision. `doing` has what each agent of the roster does, and the free of the question stand in
    the roster's order; one who was free and is not among them rings by now."""
    codes = bytearray(map(_CODES.__getitem__, doing))
    if codes.count(_FREE) != len(question.free):
        free = {each.agent for each in question.free}
        for at, code in enumerate(codes):
            if code == _FREE and roster[at] not in free:
                codes[at] = _RINGING
    places = {agent: at for at, agent in enumerate(roster)} if question.barred else {}
    barred = [[places[agent], WHYS.index(why)] for agent, why in question.barred.items() if agent in places]
    columns = [
        _split(array(kind, map(attrgetter(name), question.free)))
        for name, kind in (*_ALWAYS, *SCORES[question.strategy])
    ]
    facts = [
        FORMAT,
        STRATEGIES.index(question.strategy),
        question.since,
        question.now,
        question.offered,
        question.widen_seconds,
        question.after,
        barred,
        question.kept_for,
        bytes(codes),
        *columns,
    ]
    return zlib.compress(msgpack.packb(facts), LEVEL)


def unpack(call: str, roster: Sequence[str], facts: bytes) -> Kept:
    """The decision again. Raises UnreadableError."""
    try:
        return _unpacked(call, roster, msgpack.unpackb(zlib.decompress(facts)))
    except (zlib.error, msgpack.UnpackException, ValueError, TypeError, IndexError, KeyError) as error:
        raise UnreadableError(f"{type(error).__name__}: {error}") from error


def _unpacked(call: str, roster: Sequence[str], facts: list[Any]) -> Kept:
    version, strategy_at, since, now, offered, widen_seconds, after, barred, kept_for, codes, *columns = facts
    if version != FORMAT:
        raise ValueError(f"format {version}")
    strategy = STRATEGIES[strategy_at]
    doing = {agent: DOINGS[code] for agent, code in zip(roster, codes, strict=True)}
    kinds = (*_ALWAYS, *SCORES[strategy])
    scores = {name: _joined(kind, column) for (name, kind), column in zip(kinds, columns, strict=True)}
    agents = [agent for agent, does in doing.items() if does == "free"]
    unseen: Sequence[float] = [0.0] * len(agents)
    free = tuple(
        Free(*each)
        for each in zip(
            agents,
            scores["level"],
            scores["place"],
            scores.get("ready_since", unseen),
            scores.get("calls", [0] * len(agents)),
            scores.get("talked", unseen),
            strict=True,
        )
    )
    why = {roster[at]: WHYS[code] for at, code in barred}
    question = Question(call, strategy, since, now, offered, widen_seconds, after, free, why, kept_for)
    return Kept(question, doing)


def _split(column: array[Any]) -> bytes:
    """The octets of all its numbers, the first of each before the second of any."""
    octets = column.tobytes()
    return b"".join(octets[at :: column.itemsize] for at in range(column.itemsize))


def _joined(kind: str, split: bytes) -> array[Any]:
    column = array(kind)
    count, rest = divmod(len(split), column.itemsize)
    if rest:
        raise ValueError("a column is torn")
    octets = bytearray(len(split))
    for at in range(column.itemsize):
        octets[at :: column.itemsize] = split[at * count : (at + 1) * count]
    column.frombytes(bytes(octets))
    return column
