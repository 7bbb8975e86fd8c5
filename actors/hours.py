"""When a queue is open: spans of the week on the organisation's clock, but not on its holidays.

    "Mon-Fri 09:00-18:00"    "Sat 10:00-14:00"    "Fri,Sat 22:00-06:00"    "09:00-24:00"

A span without days is of every day. One that ends before it begins goes on into the next morning, and belongs to the
day it began: it is left out where that was a holiday. Without any span a queue is always open.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from attrs import frozen

from .keys import ConfigError, found, text

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MINUTES: Final = 24 * 60
_DAY: Final = "|".join(DAYS)
_SOME_DAYS: Final = rf"(?:{_DAY})(?:-(?:{_DAY}))?"
_TIME: Final = "([0-9]{2}):([0-9]{2})"
_SPAN: Final = re.compile(rf"(?:({_SOME_DAYS}(?:,{_SOME_DAYS})*) +)?{_TIME}-{_TIME}")
_EXAMPLE: Final = '"Mon-Fri 09:00-18:00"'


@frozen
class Span:
    """Minutes of a day, on days of the week (0 is Monday); `end` is below `begin` where that is on the next day."""

    days: tuple[int, ...]
    begin: int
    end: int

    def holds(self, day: date, minute: int, holidays: Collection[str]) -> bool:
        """Whether it is open at that minute of that day, by what began on it."""
        if day.weekday() not in self.days or day.isoformat() in holidays:
            return False
        return self.begin <= minute < (self.end if self.end > self.begin else _MINUTES)

    def goes_on(self, day: date, minute: int, holidays: Collection[str]) -> bool:
        """... by what began on the day before."""
        before = day - timedelta(days=1)
        begun = before.weekday() in self.days and before.isoformat() not in holidays
        return begun and self.end < self.begin and minute < self.end


def is_open(spans: Sequence[Span], holidays: Collection[str], zone: str, now: float) -> bool:
    """Whether a queue with these hours is open at that moment."""
    if not spans:
        return True
    there = datetime.fromtimestamp(now, ZoneInfo(zone))
    day, minute = there.date(), there.hour * 60 + there.minute
    return any(each.holds(day, minute, holidays) or each.goes_on(day, minute, holidays) for each in spans)


def opening(value: object) -> str:
    """A span as it is written. Raises ConfigError."""
    span(text(value))
    return text(value)


@lru_cache(maxsize=1000)
def span(written: str) -> Span:
    """Raises ConfigError."""
    match = _SPAN.fullmatch(written)
    if match is None:
        raise ConfigError(f"must be as {_EXAMPLE}, found {found(written)}")
    begin, end = int(match[2]) * 60 + int(match[3]), int(match[4]) * 60 + int(match[5])
    for minutes, part in ((begin, match[3]), (end, match[5])):
        if minutes > _MINUTES or int(part) > 59:
            raise ConfigError(f"has no such time of day, found {found(written)}")
    if begin in (end, _MINUTES):
        raise ConfigError(f"lasts no time, found {found(written)}; the whole day is 00:00-24:00")
    return Span(_days(match[1]), begin, end)


def _days(written: str | None) -> tuple[int, ...]:
    """Of `Mon-Fri,Sun`; all of them where none is named. `Sat-Mon` goes round the week."""
    if written is None:
        return tuple(range(len(DAYS)))
    days: set[int] = set()
    for part in written.split(","):
        first, _, last = part.partition("-")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        days.update(at % len(DAYS) for at in range(begin, end + 1 if end >= begin else end + len(DAYS) + 1))
    return tuple(sorted(days))


def holiday(value: object) -> str:
    """A day, as TOML has dates or in quotes. Raises ConfigError."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text(value)):
            return date.fromisoformat(text(value)).isoformat()
    except ValueError:
        pass
    raise ConfigError(f"must be a day as 2026-10-01, found {found(value)}")
