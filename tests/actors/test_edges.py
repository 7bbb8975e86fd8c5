"""Who hears whom, for every way in which parties can be in a call."""

from __future__ import annotations

from collections.abc import Mapping

from cordboard.actors.edges import Alone, Party, Seat, heard, taped
from hypothesis import given
from hypothesis import strategies as st

CUSTOMER, AGENT = Party.CUSTOMER, Party.AGENT
SEATS = st.fixed_dictionaries(
    {
        party: st.builds(Seat, leg=st.sampled_from([party.value, ""]), held=st.booleans(), muted=st.booleans(),
                         away=st.booleans(), rings=st.booleans(), early=st.booleans())
        for party in Party
    }
)  # fmt: skip


def hears(who: Party, seats: Mapping[Party, Seat]) -> set[str]:
    found = heard(who, seats)
    return set() if isinstance(found, Alone) else set(found)


@given(SEATS)
def test_two_hear_each_other_or_there_is_a_reason(seats: dict[Party, Seat]) -> None:
    for listener, ear in seats.items():
        for speaker, voice in seats.items():
            if listener is speaker:
                assert voice.leg == "" or voice.leg not in hears(listener, seats), "nobody hears themself"
                continue
            together = ear.there and voice.there
            alone = not any(other.there for party, other in seats.items() if party is not listener)
            early = ear.there and alone and voice.rings and voice.early and voice.leg
            speaks = voice.leg and not voice.muted and not voice.away
            assert (voice.leg in hears(listener, seats) and voice.leg != "") == bool((together and speaks) or early)


@given(SEATS)
def test_who_is_held_hears_the_prompt_and_nobody_hears_it(seats: dict[Party, Seat]) -> None:
    for party, seat in seats.items():
        if seat.held and not seat.rings:
            assert heard(party, seats) is Alone.HOLD
            assert all(seat.leg not in hears(other, seats) for other in seats if other is not party and seat.leg)


@given(SEATS)
def test_a_mute_takes_nothing_from_what_is_heard(seats: dict[Party, Seat]) -> None:
    for party, seat in seats.items():
        loud = {**seats, party: Seat(seat.leg, seat.held, False, seat.away, seat.rings, seat.early)}
        assert heard(party, seats) == heard(party, loud)


@given(SEATS)
def test_the_recording_has_what_the_customer_says_and_hears_of_others(seats: dict[Party, Seat]) -> None:
    left, right = taped(seats)
    customer = seats[CUSTOMER]
    assert left == (() if customer.held else (customer.leg,))
    assert not isinstance(right, Alone)
    assert set(right) == (set() if customer.held else hears(CUSTOMER, seats))


@given(SEATS)
def test_where_holds_are_recorded_it_has_all_who_are_there_and_speak(seats: dict[Party, Seat]) -> None:
    left, right = taped(seats, holds=True)
    customer = seats[CUSTOMER]
    assert left == (customer.leg,)
    there = {each.leg for party, each in seats.items() if party is not CUSTOMER and each.there and each.speaks}
    assert set(right) == (there if customer.held else hears(CUSTOMER, seats))


def test_the_one_whose_company_is_away_hears_so() -> None:
    assert heard(CUSTOMER, {CUSTOMER: Seat("c"), AGENT: Seat("a", away=True)}) is Alone.AWAY
    assert heard(AGENT, {CUSTOMER: Seat("c"), AGENT: Seat("a", away=True)}) == ("c",)
    assert heard(CUSTOMER, {CUSTOMER: Seat("c", held=True), AGENT: Seat("a", away=True)}) is Alone.HOLD


def test_who_is_alone_hears_how_it_rings() -> None:
    assert heard(AGENT, {CUSTOMER: Seat("c", rings=True), AGENT: Seat("a")}) is Alone.RINGBACK
    assert heard(AGENT, {CUSTOMER: Seat("c", rings=True, early=True), AGENT: Seat("a")}) == ("c",)
    assert heard(CUSTOMER, {CUSTOMER: Seat("c")}) == ()
