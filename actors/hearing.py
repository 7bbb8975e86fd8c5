"""What each listener was last told to hear, and which sources nobody hears any more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from ..switch.protocol import Hears


class Hearing:
    """By listener. A source counts as unheard once its last listener hears something else."""

    def __init__(self, all_: Iterable[Hears] = ()) -> None:
        self._hears: dict[str, Hears] = {}
        self._listeners: Counter[str] = Counter()
        self._unheard: set[str] = set()
        for one in all_:
            self.tell(one)

    @property
    def all(self) -> tuple[Hears, ...]:
        return tuple(self._hears.values())

    def pairs(self, opened: Callable[[str], bool]) -> int:
        """How many pairs of a listener and what it hears there are, of what is `opened`."""
        return sum(opened(name) for one in self._hears.values() for name, _ in one.sources)

    def of(self, listener: str) -> tuple[str, ...]:
        """The names of what it was told to hear."""
        one = self._hears.get(listener)
        return () if one is None else tuple(name for name, _ in one.sources)

    def tell(self, one: Hears) -> None:
        before = self._hears.get(one.listener)
        self._hears[one.listener] = one
        self._listeners.update(name for name, _ in one.sources)
        self._leave(before)

    def forget(self, listener: str) -> None:
        self._leave(self._hears.pop(listener, None))

    def _leave(self, before: Hears | None) -> None:
        for name, _ in before.sources if before is not None else ():
            self._listeners[name] -= 1
            if not self._listeners[name]:
                del self._listeners[name]
                self._unheard.add(name)

    def take_unheard(self) -> list[str]:
        """Those that have lost their last listener since this was last asked, and have none now."""
        unheard = sorted(self._unheard - self._listeners.keys())
        self._unheard.clear()
        return unheard
