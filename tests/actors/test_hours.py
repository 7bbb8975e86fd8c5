"""When a queue is open, by the clock and the calendar of its organisation."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from cordboard.actors.hours import DAYS, holiday, is_open, opening, span
from cordboard.actors.keys import ConfigError

OFFICE = ("Mon-Fri 09:00-18:00", "Sat 10:00-14:00")
NATIONAL = ("2026-10-01", "2026-10-02")


def at(written: str, zone: str = "Asia/Shanghai") -> float:
    return datetime.fromisoformat(written).replace(tzinfo=ZoneInfo(zone)).timestamp()


def opens(moment: str, *hours: str, holidays: tuple[str, ...] = (), zone: str = "Asia/Shanghai") -> bool:
    return is_open(tuple(map(span, hours)), holidays, zone, at(moment, zone))


@pytest.mark.parametrize(
    ("moment", "open_"),
    [
        ("2026-11-26 08:59:59.999", False),  # a Thursday
        ("2026-11-26 09:00", True),
        ("2026-11-26 17:59:59.999", True),
        ("2026-11-26 18:00", False),
        ("2026-11-28 09:30", False),
        ("2026-11-28 10:00", True),
        ("2026-11-29 12:00", False),
        ("2026-10-01 12:00", False),  # a Thursday, and a holiday
        ("2026-10-03 12:00", True),
    ],
)
def test_the_hours_of_an_office(moment: str, open_: bool) -> None:
    assert opens(moment, *OFFICE, holidays=NATIONAL) is open_


def test_without_hours_it_is_always_open_on_holidays_too() -> None:
    assert opens("2026-10-01 03:00", holidays=NATIONAL)


def test_a_night_belongs_to_the_day_it_began() -> None:
    nights = "Thu,Sat-Sun 22:00-06:00"
    assert [
        opens(f"2026-11-{day} {time}", nights) for day, time in (("26", "22:00"), ("27", "05:59"), ("27", "06:00"))
    ] == [
        True,
        True,
        False,
    ]
    assert not opens("2026-11-27 23:00", nights)
    assert opens("2026-11-30 03:00", nights)  # from Sunday
    # The night of a holiday is left out, the one before it goes on into its morning.
    assert not opens("2026-11-27 03:00", nights, holidays=("2026-11-26",))
    assert opens("2026-11-27 03:00", nights, holidays=("2026-11-27",))


def test_days_go_round_the_week_and_no_day_is_every_day() -> None:
    assert span("Sat-Mon 08:00-09:00").days == (0, 5, 6)
    assert span("Mon,Wed-Thu 08:00-09:00").days == (0, 2, 3)
    assert span("00:00-24:00").days == tuple(range(7))
    assert all(opens(f"2026-11-{day} 23:59:59", "00:00-24:00") for day in range(23, 30))
    assert [span(f"{day} 08:00-09:00").days for day in DAYS] == [(at_,) for at_ in range(7)]


def test_the_clock_of_the_organisation_counts_and_summer_time_moves_it() -> None:
    office = "Mon-Fri 09:00-18:00"
    assert is_open((span(office),), (), "Asia/Shanghai", at("2026-11-26 02:00", "UTC"))
    assert not is_open((span(office),), (), "Europe/Berlin", at("2026-11-26 02:00", "UTC"))
    # Berlin is at 9 o'clock at 8 UTC in winter, at 7 in summer.
    for day, hour in (("2026-03-27", 8), ("2026-03-30", 7)):
        assert not is_open((span(office),), (), "Europe/Berlin", at(f"{day} {hour - 1:02}:59", "UTC"))
        assert is_open((span(office),), (), "Europe/Berlin", at(f"{day} {hour:02}:00", "UTC"))


@pytest.mark.parametrize(
    ("written", "error"),
    [
        ("Mon-Fri", "must be as"),
        ("mon 09:00-18:00", "must be as"),
        ("Mon 9:00-18:00", "must be as"),
        ("Mon-Fri 09:00-18:00 ", "must be as"),
        ("Mon, Tue 09:00-18:00", "must be as"),
        ("Mon ٠٩:00-18:00", "must be as"),
        ("Mon 09:60-18:00", "no such time"),
        ("Mon 09:00-24:01", "no such time"),
        ("Mon 09:00-09:00", "lasts no time"),
        ("Mon 24:00-06:00", "lasts no time"),
        (900, "must be a text"),
    ],
)
def test_what_are_no_hours_is_said(written: object, error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        opening(written)


def test_holidays_are_days() -> None:
    assert holiday(date(2026, 10, 1)) == holiday("2026-10-01") == "2026-10-01"
    noon = datetime(2026, 10, 1, 12, tzinfo=ZoneInfo("UTC"))
    for wrong in ("2026-13-01", "2026-02-30", "20261001", "2026-W40-4", noon, 20261001, ""):
        with pytest.raises(ConfigError):
            holiday(wrong)
