"""A history of the random walk: where it begins, and rounds of acts, as hypothesis draws and shrinks it.

    History    position, chance, rounds     all there is of it: played again it is the same, to the last datagram
    Round      acts, wait                   what is done in one instant, and how long it is until the next
    Act        name, choice, turns          what, whom by chance it means, and after how many turns of the actors

Each history has a mood of its own (swarm testing): one is full of reloads, the next has none, so that rare things meet
rare things. Whom an act means follows from its own `choice` and how things stand, never from the acts before it: what
hypothesis takes away changes nothing in what it leaves.

A history is written in one line, and read from it (`--walk`):

    talks #17: press.3 nap.5@2 ~0.05; dial.8 ~31
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate
from random import Random
from typing import Final

from attrs import frozen
from hypothesis import strategies as st
from hypothesis.vendor.pretty import RepresentationPrinter

from .beginnings import POSITIONS
from .walkers import ACTS

# From one instant to what is longer than anybody rings, in seconds; and how often, before a history weighs it.
WAITS: Final = (0.0, 0.0005, 0.004, 0.008, 0.012, 0.05, 0.3, 1.0, 3.0, 6.0, 16.0, 31.0)
OFTEN: Final = (10, 8, 8, 8, 8, 8, 10, 12, 10, 5, 4, 2)
# How far a mood takes a weight from its own, as a power of two.
ACTS_BY: Final = 2.5
WAITS_BY: Final = 2.0
LEAST, MOST = 8, 24  # rounds; an empty one is none
ACTS_AT_ONCE: Final = 5
# Of 16 acts so many are done between two turns.
BETWEEN: Final = (0,) * 11 + (1, 2, 3, 4, 6)
# What chance says, as octets, of which hypothesis draws all alike; of whole numbers it prefers the small ones.
OCTETS: Final = 2
SHARE: Final = 2**16


@frozen
class Act:
    """What is done: a name of `ACTS`; `choice` says to whom. After so many `turns` of the actors, or at once."""

    name: str
    choice: int
    turns: int = 0

    def __str__(self) -> str:
        return f"{self.name.replace(' ', '-')}.{self.choice}" + (f"@{self.turns}" if self.turns else "")


@frozen
class Round:
    """The acts of one instant, and the seconds until the next."""

    acts: tuple[Act, ...]
    wait: float

    def __str__(self) -> str:
        return " ".join([*map(str, self.acts), *([f"~{self.wait:g}"] if self.wait else [])])


@frozen(repr=False)
class History:
    """One walk. `chance` is the network's, the actors' order, the habits of telephones and agents."""

    position: str
    chance: int
    rounds: tuple[Round, ...]

    def __repr__(self) -> str:
        return f"{self.position} #{self.chance}: " + "; ".join(map(str, self.rounds))

    def _repr_pretty_(self, printer: RepresentationPrinter, cycle: bool) -> None:
        """As hypothesis prints it."""
        printer.text(repr(self))

    def has(self, *names: str) -> bool:
        """Whether any such act, or step of where it begins, is in it."""
        steps = [step for step in POSITIONS[self.position] if isinstance(step, str)]
        acts = [act.name for one in self.rounds for act in one.acts]
        return any(each.startswith(names) for each in (*steps, *acts))


def written(line: str) -> History:
    """The history of a line; raises ValueError for what is none."""
    begins = re.fullmatch(r"(.+) #([0-9]+):(.*)", line.strip())
    if begins is None or begins[1] not in POSITIONS:
        raise ValueError(f"no history: {line}")
    rounds = [_round(each) for each in begins[3].split(";") if each.strip()]
    return History(begins[1], int(begins[2]), tuple(rounds))


def _round(text: str) -> Round:
    *acts, last = text.split()
    wait = re.fullmatch(r"~([0-9.e-]+)", last)
    if wait is None:
        acts.append(last)
    return Round(tuple(map(_act, acts)), float(wait[1]) if wait is not None else 0.0)


def _act(text: str) -> Act:
    act = re.fullmatch(r"([a-z-]+)\.([0-9]+)(?:@([0-9]+))?", text)
    if act is None or act[1].replace("-", " ") not in ACTS:
        raise ValueError(f"no act: {text}")
    return Act(act[1].replace("-", " "), int(act[2]), int(act[3] or 0))


# --- chance -----------------------------------------------------------------------------------------------------------


class Mood:
    """How often what is done in a history, and how long nothing is."""

    def __init__(self, number: int) -> None:
        rng = Random(number)
        weights = [weight * 2.0 ** rng.uniform(-ACTS_BY, ACTS_BY) for weight, _ in ACTS.values()]
        self._acts = list(accumulate(weights))
        self._waits = list(accumulate(weight * 2.0 ** rng.uniform(-WAITS_BY, WAITS_BY) for weight in OFTEN))

    def act(self, share: int) -> str:
        return _NAMES[_at(self._acts, share)]

    def wait(self, share: int) -> float:
        return WAITS[_at(self._waits, share)]


_NAMES: Final = tuple(ACTS)


def _at(sums: list[float], share: int) -> int:
    return bisect_right(sums, share / SHARE * sums[-1])


# An act: which, whom it means, and between which turns; a round: its acts, and the wait.
_ACT: Final = st.binary(min_size=2 + OCTETS + 1, max_size=2 + OCTETS + 1)
_ROUND: Final = st.tuples(st.lists(_ACT, max_size=ACTS_AT_ONCE), st.binary(min_size=2, max_size=2))
_ROUNDS: Final = st.lists(_ROUND, min_size=LEAST, max_size=MOST)
_CHANCE: Final = st.binary(min_size=2 * OCTETS, max_size=2 * OCTETS)


@st.composite
def histories(draw: st.DrawFn, position: str) -> History:
    """Those that begin there."""
    chance = draw(_CHANCE)
    mood = Mood(_number(chance[OCTETS:]))
    rounds = [
        Round(tuple(_acted(mood, octets) for octets in acts), mood.wait(_number(wait))) for acts, wait in draw(_ROUNDS)
    ]
    return History(position, _number(chance[:OCTETS]), tuple(one for one in rounds if one.acts or one.wait))


def _acted(mood: Mood, octets: bytes) -> Act:
    what, choice, turns = octets[:2], octets[2:-1], octets[-1]
    return Act(mood.act(_number(what)), _number(choice), BETWEEN[turns * len(BETWEEN) // 256])


def _number(octets: bytes) -> int:
    return int.from_bytes(octets, "big")
