"""Which number of ours is shown: over the number plan, in stories of agents who dial, and by the real gazetteer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
import trio
from attrs import evolve
from click.testing import CliRunner
from cordboard.actors import call_state as calls
from cordboard.actors import gazetteer, page, switchboard
from cordboard.actors.commands import replay
from cordboard.actors.dialler import GATE_TIMEOUT
from cordboard.actors.effects import Locate
from cordboard.actors.entries import Number
from cordboard.actors.geography import Geography
from cordboard.actors.organisation import Organisation
from cordboard.actors.origin import Located, Place, nearest
from cordboard.actors.page import Snapshot
from cordboard.actors.routes import ToQueue
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers.geodata import GEOCODE_DATA

from .dialler import CUSTOMER, SHOWN, Far, dialling, failures, rings_and_answers, story
from .playing import play
from .test_world import settle
from .world import World

BEIJING = Place(86, "Beijing", "Beijing")
NANJING = Place(86, "Nanjing, Jiangsu", "Jiangsu")
SUZHOU = Place(86, "Suzhou, Jiangsu", "Jiangsu")
SHANGHAI = Place(86, "Shanghai", "Shanghai")

# Chinese numbers with every prefix that the number plan names a place for, filled up with any digits.
PREFIXES = sorted(prefix for prefix in GEOCODE_DATA if prefix.startswith("86"))
NUMBERS = st.builds(
    lambda prefix, rest: f"+{prefix}{rest:010d}"[: 14 if prefix.startswith("861") and len(prefix) > 4 else 13],
    st.sampled_from(PREFIXES),
    st.integers(0, 10**10 - 1),
)


def place_of(number: str) -> Place | None:
    place = gazetteer.place_of(number)
    return None if place is None else Place(*place)


@given(NUMBERS, st.lists(NUMBERS, min_size=1, max_size=8, unique=True), st.integers())
def test_a_number_of_the_city_else_of_the_province_else_any(callee: str, ours: list[str], seed: int) -> None:
    home, places = place_of(callee), {number: place_of(number) for number in ours}
    chosen = nearest(home, list(places.items()), Random(seed))
    assert chosen in ours
    assert chosen == nearest(home, list(places.items()), Random(seed))
    of_city = [number for number, place in places.items() if place is not None and place == home]
    of_province = [
        number for number, place in places.items() if place is not None and home and place.province == home.province
    ]
    assert chosen in (of_city or of_province or ours)


def test_the_number_plan_of_the_property_has_places_of_every_kind() -> None:
    places = [place_of(f"+{prefix}0000000000"[: 14 if prefix[2] == "1" else 13]) for prefix in PREFIXES[::500]]
    known = [place for place in places if place is not None]
    assert len(known) > 0.9 * len(places)
    assert {place.city == place.province for place in known} == {True, False}


def test_equals_are_drawn_by_lot() -> None:
    ours = [("+861055502001", BEIJING), ("+861055502002", BEIJING), ("+862155502003", SHANGHAI)]
    drawn = [nearest(BEIJING, ours, Random(seed)) for seed in range(200)]
    assert 60 < drawn.count("+861055502001") < 140
    assert drawn.count("+862155502003") == 0


@pytest.mark.parametrize(
    ("number", "place"),
    [
        ("+8613800138000", BEIJING),
        ("+861055502000", BEIJING),
        ("+8618912345678", Place(86, "Changzhou, Jiangsu", "Jiangsu")),
        ("+12125550100", Place(1, "New York, NY", "NY")),
        ("+864008208820", None),  # of the whole country
        ("+99912345678", None),
        ("10086", None),
        ("", None),
    ],
)
def test_where_numbers_are_at_home(number: str, place: Place | None) -> None:
    assert place_of(number) == place


# --- agents who dial ----------------------------------------------------------------------------------------------

OURS = ("+861055502000", "+862555502000", "+862155502000")
HOMES = dict(zip(OURS, (BEIJING, NANJING, SHANGHAI), strict=True))


def several() -> Organisation:
    plain = dialling()
    more = [Number(number=number, route=ToQueue("support"), outbound=True) for number in OURS if number != SHOWN.number]
    return evolve(plain, numbers=(*plain.numbers, *more))


def shows(home: Place | None, asked: str = "") -> Callable[[Path], str]:
    """What a callee at `home` sees of an agent who dials, and asks for that number to be shown."""

    def seen(data: Path) -> str:
        callers: list[str] = []

        async def run(world: World) -> None:
            world.places = {**HOMES, **({CUSTOMER: home} if home is not None else {})}
            lin = await world.sign_in("1001")
            far = Far(world, rings_and_answers)
            await settle(world)
            await lin.ask(page.Dial("138-0013 8000", asked))
            await lin.hears(page.CallConnected)
            callers.extend(call.caller or "" for call in far.calls)
            far.hang_up()
            await settle(world, 40)

        play(run, several(), data=data)
        result = CliRunner().invoke(replay, [str(data)])
        assert result.output.endswith("all effects equal\n"), result.output
        (caller,) = callers
        return caller

    return seen


def test_the_callee_sees_the_number_of_its_city(tmp_path: Path) -> None:
    assert shows(SHANGHAI)(tmp_path) == OURS[2]


def test_the_callee_sees_a_number_of_its_province_where_none_is_of_its_city(tmp_path: Path) -> None:
    assert shows(SUZHOU)(tmp_path) == OURS[1]


def test_a_callee_that_is_at_home_nowhere_sees_any(tmp_path: Path) -> None:
    assert shows(None)(tmp_path) in OURS


def test_a_chosen_number_is_shown_wherever_the_callee_is(tmp_path: Path) -> None:
    assert shows(BEIJING, OURS[2])(tmp_path) == OURS[2]


@story
async def test_a_chosen_number_that_is_no_longer_ours_is_an_error(world: World) -> None:
    lin = await world.sign_in("1001")
    snapshot = await lin.ask(page.GetSnapshot())
    assert isinstance(snapshot, Snapshot)
    assert snapshot.numbers == (SHOWN.number,)
    without = tuple(each for each in world.organisation.numbers if each != SHOWN)
    changed = evolve(world.organisation, numbers=without)
    world.system.tell("switchboard", switchboard.Configure(changed, ("opus",)))
    told = await lin.hears(page.Numbers)
    assert told == page.Numbers(())
    await lin.ask(page.Dial(CUSTOMER, SHOWN.number))
    await settle(world)
    assert failures(lin) == [("number_not_ours", 0)]


def test_an_answer_that_comes_too_late_begins_no_call_and_what_waits_is_bounded() -> None:
    board = switchboard.Switchboard(several(), ("opus",))
    dial = calls.Dial("1001-1", "1001", CUSTOMER, "leg")
    assert board.receive(dial, 0.0) == [Locate("1001-1", CUSTOMER, OURS)]
    assert board.receive(evolve(dial, call="1001-2"), switchboard.GIVEN_UP + GATE_TIMEOUT)[-1:] == [
        Locate("1001-2", CUSTOMER, OURS)
    ]
    assert list(board.state.choosing) == ["1001-2"]
    assert board.receive(Located("1001-1", None, (None, None, None)), 16.0) == []


# --- the worker ---------------------------------------------------------------------------------------------------


def asked(enough: Callable[[Geography, list[Located]], bool], ours: tuple[str, ...]) -> list[Located]:
    """What is said to one question, asked again and again until that is enough."""
    heard: list[Located] = []

    async def main() -> None:
        shell = Geography(lambda actor, located: heard.append(located))
        shell.want()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(shell.run)
            with trio.fail_after(60):
                while not enough(shell, heard):
                    shell.locate("switchboard", Locate("c", CUSTOMER, ours))
                    await trio.sleep(0.01)
            nursery.cancel_scope.cancel()

    trio.run(main)
    return heard


def test_the_worker_knows_where_numbers_are_at_home_and_nobody_waits_while_it_begins() -> None:
    ours = ("+862155502000", "")
    nobody = Located("c", None, (None, None))
    heard = asked(lambda shell, heard: heard[-1:] not in ([], [nobody]), ours)
    assert heard[0] == nobody
    assert heard[-1] == Located("c", BEIJING, (SHANGHAI, None))


@pytest.mark.parametrize("program", ["exit 3", "read line; echo '[]'; read line; echo '[[1, 2, 3]]'", "echo nonsense"])
def test_a_worker_that_dies_or_talks_nonsense_is_no_place(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "python").write_text(f"#!/bin/sh\n{program}\n")
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    failed: list[bool] = []

    def over(shell: Geography, heard: list[Located]) -> bool:
        """It had served, or was never ready, and is dead."""
        failed.append(shell.failures > 0)
        return failed[-1] and bool(heard)

    heard = asked(over, ("",))
    assert set(heard) == {Located("c", None, (None,))}
