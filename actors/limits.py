"""How many calls somebody may have at once, and how many it may begin in a minute: of an agent, or of a trunk.

`Usage` is what there was; `refusal` says whether one more would be too many, and `begun` and `over` keep it. Values and
no actor: whoever owns the calls owns their usage.
"""

from __future__ import annotations

from typing import Final, Literal

from attrs import evolve, frozen

MINUTE = 60.0

TooMany = Literal["too_many_calls", "too_often"]


@frozen
class Limits:
    """0: no limit."""

    calls: int = 0
    per_minute: int = 0


NO_LIMITS: Final = Limits()


@frozen
class Usage:
    """The `calls` that live, and when the last ones began."""

    calls: frozenset[str] = frozenset()
    began: tuple[float, ...] = ()

    def refusal(self, limits: Limits, now: float) -> TooMany | None:
        """Why one more may not begin now."""
        if limits.calls and len(self.calls) >= limits.calls:
            return "too_many_calls"
        if limits.per_minute and len(_within(self.began, now)) >= limits.per_minute:
            return "too_often"
        return None

    def begun(self, call: str, now: float) -> Usage:
        return Usage(self.calls | {call}, (*_within(self.began, now), now))

    def over(self, call: str) -> Usage:
        return evolve(self, calls=self.calls - {call})


UNUSED: Final = Usage()


def _within(began: tuple[float, ...], now: float) -> tuple[float, ...]:
    """A call that began a minute ago to the moment counts no more."""
    return tuple(at for at in began if at > now - MINUTE)
