"""How reports of the engine become the timeline of a party: points of 5 s, bounded rows, and no end that is lost."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TypeVar

import pytest
from attrs import evolve
from cordboard.actors import page, timeline
from cordboard.actors.effects import Record
from cordboard.actors.records import QualityEntry, SoundEntry
from cordboard.actors.timeline import QualityPoint, pack, unpack
from cordboard.switch import protocol as media
from hypothesis import given
from hypothesis import strategies as st

from .house import NOW, PAGE_OFFER, House

T = TypeVar("T", QualityEntry, SoundEntry)
LEG = "call:c/caller"
GOOD = media.LegQuality(LEG, 100, 0, 0.0, 1.5, 20.0, -30.0)


def follow(seconds: float, first: float = 2.0, report: media.LegQuality = GOOD) -> Iterator[timeline.Timeline]:
    """What is known after each report of a party that is heard for so long."""
    made = timeline.begun("c", "caller", NOW)
    at = first
    while at <= seconds:
        made = made.heard(report, NOW + at)
        yield made
        at += 2.0
    yield made.over()


def rows(seconds: float, first: float = 2.0) -> list[QualityEntry]:
    """What the store has at the end: of each key the last word."""
    kept: dict[float, QualityEntry] = {}
    before = None
    for made in follow(seconds, first):
        for record in timeline.recorded(before, made):
            assert isinstance(record.entry, QualityEntry)
            kept[record.entry.began] = record.entry
        before = made
    return list(kept.values())


def of(row: QualityEntry) -> tuple[QualityPoint, ...]:
    return tuple(unpack(row.points, row.began))


def points(seconds: float, first: float = 2.0) -> list[QualityPoint]:
    return [point for row in rows(seconds, first) for point in of(row)]


def test_a_point_adds_up_what_was_counted_and_keeps_the_worst_and_the_last_word() -> None:
    made = timeline.begun("c", "caller", NOW)
    made = made.heard(media.LegQuality(LEG, 90, 10, 200.0, 9.0, 40.0, -30.0, 80.0, 1.0, 2.0), NOW + 2)
    assert made.entry.points == b""
    made = made.heard(media.LegQuality(LEG, 95, 5, 100.0, 3.0, 60.0, -30.0, 70.0, 4.0, 1.0), NOW + 4)
    assert of(made.entry) == (QualityPoint(NOW, 4.0, 185, 15, 300.0, 9.0, 60.0, 70.0, 4.0, 1.0),)
    assert made.gathered is None


@pytest.mark.parametrize("first", [0.1, 1.0, 2.0])
def test_there_is_a_point_every_five_seconds_without_gap_or_overlap(first: float) -> None:
    found = points(60.0, first)
    assert len(found) == 12
    assert {point.seconds for point in found[1:-1]} <= {4.0, 6.0}
    for before, after in itertools.pairwise(found):
        assert after.at == pytest.approx(before.at + before.seconds)
    assert sum(point.received for point in found) == 100 * sum(1 for _ in follow(60.0, first)) - 100


def test_the_first_ten_minutes_are_fine_and_hours_are_bounded() -> None:
    assert len(points(600.0)) == 120
    day = rows(86_400.0)
    assert sum(len(of(row)) for row in day) < 750
    assert max(len(of(row)) for row in day) == timeline.ROW
    assert max(point.seconds for row in day for point in of(row)) < 86_400 / 119


def test_where_nothing_was_reported_there_is_a_gap() -> None:
    made = timeline.begun("c", "caller", NOW)
    for at in (2.0, 4.0, 32.0, 34.0):
        made = made.heard(GOOD, NOW + at)
    first, second, *_ = of(made.over().entry)
    assert (first.at, first.seconds) == (NOW, 4.0)
    assert second.at == NOW + 30.0


def test_what_was_gathered_is_kept_at_the_end_and_only_once() -> None:
    *_, last = follow(6.0)
    assert [point.seconds for point in of(last.entry)] == [4.0, 2.0]
    assert last.over() == last
    assert timeline.recorded(last, last.over()) == []


def tenths(most: int = 65_534) -> st.SearchStrategy[float]:
    return st.integers(0, most).map(lambda n: n / 10)


@given(
    st.builds(
        QualityPoint,
        at=st.just(NOW + 7.25),
        seconds=st.integers(0, 10**6).map(lambda n: n / 100),
        received=st.integers(0, 2**31),
        lost=st.integers(0, 2**31),
        concealed_ms=st.integers(0, 10**9).map(float),
        jitter_ms=tenths(),
        delay_ms=tenths(),
        rtt_ms=st.none() | tenths(),
        far_loss_percent=st.none() | tenths(1000),
        far_jitter_ms=st.none() | tenths(),
    )
)
def test_a_point_comes_back_from_its_octets(point: QualityPoint) -> None:
    octets = pack(point, NOW)
    assert len(octets) == 30
    assert tuple(unpack(octets * 2, NOW)) == (point, point)


def test_what_is_beyond_the_scale_is_at_its_end() -> None:
    most = 6553.4
    far = QualityPoint(NOW, 2.0, 1, 0, 0.0, 1e6, 1e6, 1e6, 100.0, 1e6)
    assert tuple(unpack(pack(far, NOW), NOW)) == (QualityPoint(NOW, 2.0, 1, 0, 0.0, most, most, most, 100.0, most),)


# --- in a call ----------------------------------------------------------------------------------------------------


@pytest.fixture
def talking() -> House:
    house = House()
    house.queue()
    house.sitting("lin")
    house.call()
    house.after(5)
    assert house.ask("lin", page.Answer()) == page.Accepted()
    return house


def kept(house: House, kind: type[T]) -> list[T]:
    return [each.entry for _, each in house.said if isinstance(each, Record) and isinstance(each.entry, kind)]


def leg(house: House) -> str:
    name: str = house.actors["agent:lin"].state.leg
    return name


def test_both_parties_of_a_call_have_a_timeline_to_its_last_report(talking: House) -> None:
    lin = leg(talking)
    for _ in range(3):
        talking.after(2)
        talking.fact(GOOD, evolve(GOOD, leg=lin, received=50, lost=50))
    talking.ask("lin", page.HangUp())
    caller = [each for each in kept(talking, QualityEntry) if each.party == "caller"]
    agent = [each for each in kept(talking, QualityEntry) if each.party == "lin"]
    assert (caller[-1].call, caller[-1].began) == ("c", NOW)
    assert of(caller[-1]) == (
        QualityPoint(NOW + 5, 2.0, 100, 0, 0.0, 1.5, 20.0, None, None, None),
        QualityPoint(NOW + 7, 2.0, 100, 0, 0.0, 1.5, 20.0, None, None, None),
        QualityPoint(NOW + 9, 2.0, 100, 0, 0.0, 1.5, 20.0, None, None, None),
    )  # fmt: skip
    assert (agent[-1].call, agent[-1].began) == ("c", NOW + 5)
    assert of(agent[-1]) == (
        QualityPoint(NOW + 5, 4.0, 100, 100, 0.0, 1.5, 20.0, None, None, None),
        QualityPoint(NOW + 9, 2.0, 50, 50, 0.0, 1.5, 20.0, None, None, None),
    )  # fmt: skip


def test_an_agent_between_calls_has_none(talking: House) -> None:
    talking.ask("lin", page.HangUp())
    before = len(kept(talking, QualityEntry))
    for _ in range(5):
        talking.after(2)
        talking.fact(evolve(GOOD, leg=leg(talking)))
    assert len(kept(talking, QualityEntry)) == before


# --- sound that goes one way --------------------------------------------------------------------------------------


def sounds(house: House) -> list[page.Event]:
    return [event for event in house.events("lin") if isinstance(event, page.CallSound)]


def trouble(house: House) -> page.CallSound | None:
    snapshot = house.ask("lin", page.GetSnapshot())
    assert isinstance(snapshot, page.Snapshot)
    return snapshot.sound


def test_the_page_is_told_which_side_is_not_heard_and_the_record_has_it(talking: House) -> None:
    assert (sounds(talking), trouble(talking)) == ([], None)
    talking.after(3)
    talking.fact(media.LegWays(LEG, comes=False, goes=True))
    assert sounds(talking) == [page.CallSound("c", caller_heard=False)]
    assert trouble(talking) == page.CallSound("c", caller_heard=False)
    talking.after(2)
    talking.fact(media.LegWays(leg(talking), comes=True, goes=False))
    assert sounds(talking)[1:] == [page.CallSound("c", caller_heard=False, agent_hears=False)]
    talking.after(2)
    talking.fact(media.LegWays(leg(talking), comes=True, goes=True))
    talking.after(2)
    talking.fact(media.LegWays(LEG, comes=True, goes=False))
    assert sounds(talking)[2:] == [page.CallSound("c", caller_heard=False), page.CallSound("c", caller_hears=False)]
    talking.after(2)
    talking.fact(media.LegWays(LEG, comes=True, goes=True))
    assert sounds(talking)[-1] == page.CallSound("c")
    assert trouble(talking) is None
    assert kept(talking, SoundEntry) == [
        SoundEntry("c", "caller", NOW + 8, comes=False, goes=True),
        SoundEntry("c", "lin", NOW + 10, comes=True, goes=False),
        SoundEntry("c", "lin", NOW + 12, comes=True, goes=True),
        SoundEntry("c", "caller", NOW + 14, comes=True, goes=False),
        SoundEntry("c", "caller", NOW + 16, comes=True, goes=True),
    ]


def test_who_answers_a_call_that_goes_one_way_already_is_told_with_it() -> None:
    house = House()
    house.queue()
    house.sitting("lin")
    house.call()
    house.after(3)
    house.fact(media.LegWays(LEG, comes=True, goes=False), media.LegWays(leg(house), comes=True, goes=False))
    assert sounds(house) == []
    house.after(2)
    house.ask("lin", page.Answer())
    assert sounds(house)[-1] == page.CallSound("c", caller_hears=False, agent_hears=False)
    assert kept(house, SoundEntry) == [
        SoundEntry("c", "caller", NOW + 3, comes=True, goes=False),
        SoundEntry("c", "lin", NOW + 5, comes=True, goes=False),
    ]


def test_a_new_connection_of_the_page_is_not_deaf_as_the_old_one_was(talking: House) -> None:
    talking.fact(media.LegWays(leg(talking), comes=True, goes=False))
    assert sounds(talking) == [page.CallSound("c", agent_hears=False)]
    talking.ask("lin", page.RenewMedia(sdp=PAGE_OFFER))
    talking.fact(*talking.engine.connect(leg(talking)))
    assert sounds(talking)[1:] == [page.CallSound("c")]


def test_a_caller_of_whom_nothing_comes_at_all_is_told_with_its_time(talking: House) -> None:
    talking.after(10)
    talking.fact(media.LegSilent(LEG, 3.0))
    assert sounds(talking) == [page.CallSound("c", caller_silent_since=NOW + 12)]
    talking.after(1)
    talking.fact(media.LegHeard(LEG))
    assert sounds(talking)[1:] == [page.CallSound("c")]
    assert kept(talking, SoundEntry) == []
