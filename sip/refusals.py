"""Which new requests heard 503 just now, so that one that was on its way again hears it too.

Nothing else of them is left (RFC 3261 §8.2.7). Were the same INVITE let in a moment later, because there is room by
then, its caller would be answered who had been refused.
"""

from __future__ import annotations

from typing import Final, TypeAlias

Key: TypeAlias = tuple[str, ...]

# So many at most, some seconds of a flood; the oldest goes.
MOST: Final = 5000


class Refusals:
    """Each is known for `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: dict[Key, float] = {}

    def add(self, key: Key, now: float) -> None:
        """It is refused, perhaps again."""
        self._until.pop(key, None)
        self._until[key] = now + self._seconds
        if len(self._until) > MOST:
            del self._until[next(iter(self._until))]

    def has(self, key: Key, now: float) -> bool:
        """It was refused just now."""
        self._forget(now)
        return key in self._until

    def __len__(self) -> int:
        return len(self._until)

    def _forget(self, now: float) -> None:
        while self._until:
            key = next(iter(self._until))
            if self._until[key] > now:
                return
            del self._until[key]
