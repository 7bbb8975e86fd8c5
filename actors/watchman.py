"""Who looks whether the invariants hold, of a centre that lives: whom he has to look at, and what stands.

What is true of an actor follows from that actor and from those whom he asked about when he looked at it last. So he
looks at whoever has changed since (`touched`), at whoever had made him ask about them, at those on whom somebody has
begun or ceased to rely, and where one is gone at all who keep books of many; beside that, slowly, at everybody in turn,
and each time at what shells have open. A look at one is one instant, and between two of them the centre goes on.

What is untrue may be so because somebody has not read yet what it was told. It stands when it is seen again `STANDS`
seconds later, and all have read by then what had come before it was seen first. What is `sure` stands at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from functools import cache
from operator import attrgetter, is_
from typing import Any, Final, Protocol

import attrs
from attrs import define, frozen

from .agreement import Difference
from .effects import Behaviour
from .invariants import SHELLS, untrue
from .truth import UNMINDED, Centre, Untrue

# How often he looks, in seconds, and how long something must be seen before it stands: two looks, and one takes time.
LOOK: Final = 1.0
STANDS: Final = 0.9
# In so many looks he has been at everybody, whatever had changed.
SWEEP: Final = 30
# To ask for all there are takes as long as so many other questions.
ALL: Final = 100
_NOBODY: Final[frozenset[str]] = frozenset()


class Watched(Centre, Protocol):
    """The centre as he sees it."""

    def unread_since(self) -> float:
        """When the oldest message came that somebody has not read; math.inf where all are read."""
        ...


def leg_name(leg: str) -> str:
    """Under which a leg, or a channel of a recording, is touched."""
    return f"leg {leg}"


@define
class _Seen:
    """Something untrue, as it was seen last; since when, and whether it stands."""

    untrue: Untrue
    since: float
    stands: bool = False


@frozen
class Verdict:
    """What stands from now on, and what no longer does."""

    stands: tuple[Untrue, ...]
    over: tuple[Untrue, ...]


class Watchman:
    """See the module's docstring. A look is `begin`, then `next` as long as there is anything, then `verdict`."""

    def __init__(self, centre: Watched) -> None:
        self._centre = centre
        self._asking = _Asking(centre)
        # Actors, and legs by `leg_name`, that are others than they were; those of this look; each as it was last.
        self.touched: set[str] = set()
        self._changed: set[str] = set()
        self._known: dict[str, object] = {}
        # About whom each of them made him ask, and the other way round.
        self._asked: dict[str, frozenset[str]] = {}
        self._askers: dict[str, set[str]] = {}
        # Who keeps books of many: it was only asked whether these live.
        self._counting: set[str] = set()
        self._due: set[str] = set()
        self._sweep: list[str] = []
        self._part = 1
        self._seen: dict[str, dict[Untrue, _Seen]] = {}
        self._over: list[Untrue] = []
        # How many times he has looked at one.
        self.looked = 0

    @property
    def standing(self) -> int:
        """How much is untrue now, and stands."""
        return sum(each.stands for seen in self._seen.values() for each in seen.values())

    def begin(self, now: float) -> None:
        """Another look."""
        self._changed, self.touched = self.touched, set()
        self._due |= self._seen.keys()
        if not self._sweep:
            self._sweep = list(self._centre.living())
            self._part = len(self._sweep) // SWEEP + 1
        self._due.update(self._sweep[-self._part :])
        del self._sweep[-self._part :]
        self._due |= SHELLS.keys()

    def next(self, now: float) -> int:
        """Looks at one more; gives how many questions that took, or 0 where that was all."""
        if self._changed:
            self._has_changed(self._changed.pop())
        elif self._due:
            before = self._asking.questions
            self._look_at(self._due.pop(), now)
            return self._asking.questions - before + 1
        else:
            return 0
        return 1

    def _has_changed(self, name: str) -> None:
        """Whether that is anything to look at, and for whom."""
        actor = self._centre.glance(name)
        if actor is not None:
            known = self._known.get(name)
            self._known[name] = actor.state
            if known is not None and same(known, actor.state):
                return
            self._due.add(name)
        elif self._known.pop(name, None) is not None:
            self._due.add(name)
            self._due |= self._counting
        self._due |= self._askers.get(name, _NOBODY)

    def _look_at(self, name: str, now: float) -> None:
        if name in SHELLS:
            self._note(name, SHELLS[name](self._asking), now)
            return
        self.looked += 1
        asked = self._asking.about = set()
        self._asking.counts = False
        self._note(name, untrue(name, self._asking), now)
        asked.discard(name)
        (self._counting.add if self._asking.counts else self._counting.discard)(name)
        before = self._asked.get(name, _NOBODY)
        if asked != before:
            self._relies(name, before, frozenset(asked))

    def verdict(self, now: float) -> Verdict:
        """What has come of this look."""
        stands: list[Untrue] = []
        unread_since = self._centre.unread_since() if self._seen else now
        for seen in self._seen.values():
            for each in seen.values():
                if each.stands:
                    continue
                if each.untrue.sure or (now - each.since >= STANDS and unread_since > each.since):
                    each.stands = True
                    stands.append(each.untrue)
        over, self._over = self._over, []
        return Verdict(tuple(stands), tuple(over))

    def _note(self, name: str, found: Iterable[Untrue], now: float) -> None:
        """All that is untrue there."""
        before = self._seen.pop(name, {})
        seen: dict[Untrue, _Seen] = {}
        for one in found:
            known = before.pop(one, None)
            seen[one] = _Seen(one, now) if known is None else _Seen(one, known.since, known.stands)
        if seen:
            self._seen[name] = seen
        self._over += [each.untrue for each in before.values() if each.stands]

    def _relies(self, name: str, before: frozenset[str], asked: frozenset[str]) -> None:
        """On others than before."""
        for other in before - asked:
            askers = self._askers[other]
            askers.discard(name)
            if not askers:
                del self._askers[other]
        for other in asked - before:
            self._askers.setdefault(other, set()).add(name)
        self._due |= (before ^ asked) & self._centre.living()
        if asked:
            self._asked[name] = asked
        else:
            self._asked.pop(name, None)


def same(before: object, after: object) -> bool:
    """Two states of an actor, in all that any invariant follows from."""
    kind: type = type(after)
    get = _minded(kind)
    return type(before) is type(after) and all(map(is_, get(before), get(after)))


@cache
def _minded(kind: type) -> Callable[[Any], tuple[object, ...]]:
    names = [each.name for each in attrs.fields(kind) if each.name not in UNMINDED]
    # of one alone it gives no tuple
    return attrgetter(*names, "__class__")


class _Asking(Centre):
    """The centre, and whom was asked `about`, or only whether somebody lives."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre
        self.about: set[str] = set()
        # Who was asked, each time, in all.
        self.questions = 0
        self.counts = False

    def find(self, name: str) -> Behaviour | None:
        self.questions += 1
        self.about.add(name)
        return self._centre.find(name)

    def glance(self, name: str) -> Behaviour | None:
        self.questions += 1
        return self._centre.find(name)

    def lives(self, name: str) -> bool:
        self.questions += 1
        self.counts = True
        return self._centre.lives(name)

    def holds(self, leg: str) -> str:
        self.questions += 1
        return self._centre.holds(leg)

    def hears(self, listener: str) -> frozenset[str] | None:
        self.questions += 1
        self.about.add(leg_name(listener))
        return self._centre.hears(listener)

    def living(self) -> Set[str]:
        return self._centre.living()

    def media_owners(self) -> Set[str]:
        self.questions += ALL
        return self._centre.media_owners()

    def sip_owners(self) -> Set[str]:
        self.questions += ALL
        return self._centre.sip_owners()

    def engine_differs(self) -> Iterable[Difference]:
        return self._centre.engine_differs()

    def whose(self, name: str) -> str:
        return self._centre.whose(name)
