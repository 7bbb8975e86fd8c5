"""Keys that a far side tells in two ways: some send a telephone event and say the same by SIP INFO, and mean one key.

The two come within seconds of each other, in either order, a pair for each press. So a key is the other half of one
that was told lately by the other way and has none yet, and else a key of its own. Who uses one way, as nearly all do,
has no pairs.
"""

from __future__ import annotations

from typing import Final

from attrs import define, field

# A key is told of by INFO when it is pressed or let go, and as an event when it has been let go: seconds between them.
APART: Final = 3.0
MOST: Final = 16  # keys that are remembered


@define
class Ways:
    """What was pressed lately on one leg: the key, whether by INFO, and when."""

    _lately: list[tuple[str, bool, float]] = field(factory=list)

    def is_new(self, digit: str, now: float, *, by_info: bool) -> bool:
        """Whether this key was not told by the other way."""
        self._lately = [one for one in self._lately if now - one[2] <= APART][-MOST:]
        for i, (known, other, _) in enumerate(self._lately):
            if known == digit and other != by_info:
                del self._lately[i]
                return False
        self._lately.append((digit, by_info, now))
        return True
