"""What is done in calls where something else is set than the default: each key of `[calls]` and `[recording]` that says
so; how long people are waited for is `test_patience.py`."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from cordboard.actors import call_state as calls
from cordboard.actors import page, records, signals, switchboard
from cordboard.actors.agent_state import Phase
from cordboard.actors.config import parse_config
from cordboard.actors.customs import CUSTOMS, Customs
from cordboard.actors.effects import Tell
from cordboard.actors.keys import ConfigError
from cordboard.actors.line import EndLine, LineOver, LineUp
from cordboard.actors.line import Phase as LinePhase
from cordboard.actors.parties import Standing
from cordboard.actors.patience import Patience
from cordboard.sip.events import IncomingCall
from cordboard.switch import protocol as media

from .dialler import Far
from .house import House, code, what_is_heard
from .party import HELD, TALKS, Centre
from .playing import play
from .test_line import ANSWER, CALLED, LEG, hears, over
from .test_line import begun as line_begun
from .test_mobile import by_mobile, customer_leg, mobile_leg, organisation, press
from .test_outside import CONSULTS, JOINED, LINE, WANTED, begun, consulting, said, up
from .test_outside import centre as centre
from .test_survey import call_of, customer, in_a_call, survey_of
from .test_survey import press as customer_presses
from .test_switchboard import ORGANISATION
from .test_switchboard import house as house
from .test_transfer import LEFT, THREE, WITH_WEI, three
from .test_world import HOTLINE, phase, settle
from .world import World

WRITTEN = """
[recording]
hold = "recorded"
[calls]
accept = "any-key"
accept_seconds = 31
three_way = "never"
transfers = 3
survey_seconds = 12
survey_again = 0
"""


def customs(made: Centre, **how: Any) -> Centre:
    """So it is set from now on, in the call and at its agents."""
    call = made.the_call
    call.state = evolve(call.state, customs=Customs(**how))
    for name in ("lin", "wei"):
        made.tell(f"agent:{name}", evolve(made.one(name).state.profile, customs=Customs(**how)))
    return made


def set_so(world: World, **how: Any) -> None:
    """... in a whole centre."""
    organisation = world.organisation
    world.system.tell("switchboard", switchboard.Configure(organisation, ("opus",), customs=Customs(**how)))


# --- where it is written, and who is told -------------------------------------------------------------------------


def test_the_file_says_what_is_done() -> None:
    config = parse_config(WRITTEN)
    assert config.customs == Customs("any-key", "never", 3, 12.0, 0, tapes_holds=True)
    assert config.calls.patience == Patience(accept=31.0)
    assert parse_config("").customs == CUSTOMS


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ('[recording]\nhold = "loud"', "[recording] hold"),
        ('[calls]\naccept = "1"', "[calls] accept"),
        ("[calls]\naccept_seconds = 4", "[calls] accept_seconds: must be 5 to 300 seconds, found 4"),
        ("[calls]\nthree_way = true", "[calls] three_way"),
        ("[calls]\ntransfers = 0", "[calls] transfers"),
        ("[calls]\nsurvey_seconds = 61", "[calls] survey_seconds: must be 2 to 60 seconds, found 61"),
        ("[calls]\nsurvey_again = 11", "[calls] survey_again"),
    ],
)
def test_what_none_of_them_can_be_is_refused_in_words(written: str, what: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_config(written)
    assert what in str(raised.value)


def test_every_agent_call_and_line_is_told(house: House) -> None:
    other = Customs("any-key", "all", 2, 3.0, 1, tapes_holds=True)
    told = switchboard.Configure(ORGANISATION, ("opus",), patience=Patience(accept=33.0), customs=other)
    house.tell("switchboard", told)
    people = [each.state.profile.customs for name, each in house.actors.items() if name.startswith("agent:")]
    assert people
    assert set(people) == {other}
    board = house.actors["switchboard"]
    (answer,) = board.receive(switchboard.FindRoute("c", "+861055501000", "carrier"), house.now)
    assert isinstance(answer, Tell)
    assert isinstance(answer.message, calls.Routed)
    assert answer.message.customs == other


# --- who takes a call on a mobile ---------------------------------------------------------------------------------


def test_any_key_takes_it() -> None:
    made = line_begun(confirm=True, customs=Customs(accept="any-key"))
    hears(made, *CALLED, signals.PickedUp("c+1/1", ANSWER))
    assert made.state.phase is LinePhase.CONFIRMING
    assert Tell("agent:lin", LineUp("c+1", LEG)) in hears(made, media.KeyAnswered(LEG, "5"))


def test_whoever_picks_up_has_taken_it() -> None:
    made = line_begun(confirm=True, customs=Customs(accept="pick-up"))
    told = hears(made, *CALLED, signals.PickedUp("c+1/1", ANSWER))
    assert Tell("agent:lin", LineUp("c+1", LEG)) in told


@pytest.mark.parametrize("accept", ["key-1", "any-key"])
def test_the_key_has_to_come_in_time(accept: Any) -> None:
    made = line_begun(confirm=True, patience=Patience(accept=7.0), customs=Customs(accept=accept))
    hears(made, *CALLED, signals.PickedUp("c+1/1", ANSWER), at=1000.0)
    assert made.deadline() == 1007.0
    assert made.wake(1007.0) == over("system", "not_accepted")


@pytest.mark.parametrize("accept", ["key-1", "any-key", "pick-up"])
def test_a_call_on_a_mobile_is_taken_as_is_set(accept: Any) -> None:
    """In a whole centre: who is asked is heard by nobody before."""

    def picks_up(far: Far, call: IncomingCall) -> None:
        far.ring(call)
        far.world.later(2.0, lambda: far.answer(call))

    async def run(world: World) -> None:
        set_so(world, accept=accept)
        lin, _ = await by_mobile(world, picks_up)
        caller = world.dial(HOTLINE)
        await lin.hears(page.CallOffered)
        await settle(world, 3)
        leg, far_side = mobile_leg(world), customer_leg(world)
        if accept != "pick-up":
            assert what_is_heard(world.engine, leg) == "accept-call"
            press(world, "7")
            await settle(world)
        talks = accept != "key-1"
        assert (list(world.engine.hears(leg)) == [far_side]) is talks
        assert phase(world, "1001") is (Phase.TALKING if talks else Phase.RINGING)
        caller.hang_up()
        await settle(world, 40)
        world.assert_empty()

    play(run, organisation())


# --- the end of a conversation of three ---------------------------------------------------------------------------


def three_with_one_outside(made: Centre) -> Centre:
    consulting(made).do("lin", page.Merge())
    assert made.standing is Standing.THREE_WAY
    return made


@pytest.mark.parametrize("held", [False, True])
def test_the_customer_goes_on_with_somebody_outside(centre: Centre, held: bool) -> None:
    three_with_one_outside(customs(centre, three_way="all"))
    centre.do("lin", *([page.Hold()] if held else []), page.HangUp())
    assert (centre.standing, centre.ears()) == (Standing.JOINED, JOINED)
    assert centre.phases("lin") == ("after_call_work",)
    assert EndLine(LINE) not in said(centre, f"line:{LINE}")
    centre.tell("call:c", LineOver(LINE, "callee", "hung_up"))
    assert "call:c" not in centre.actors


def test_the_customer_goes_on_with_somebody_outside_where_the_agent_is_lost(centre: Centre) -> None:
    three_with_one_outside(customs(centre, three_way="all"))
    centre.crash("agent:lin")
    assert (centre.standing, centre.ears()) == (Standing.JOINED, {who: ear for who, ear in JOINED.items() if ear})
    centre.tell("call:c", LEFT)
    assert "call:c" not in centre.actors


@pytest.mark.parametrize("three_way", ["agents", "all"])
def test_it_goes_on_with_a_colleague(three_way: Any) -> None:
    made = customs(Centre().begin().answered(), three_way=three_way)
    three(made).do("lin", page.HangUp())
    assert (made.ears(), made.phases()) == (WITH_WEI, ("after_call_work", "talking"))


def test_it_never_goes_on() -> None:
    """Of three colleagues the one whose call it is ends it for all; who leaves as the third only leaves."""
    made = customs(Centre().begin().answered(), three_way="never")
    three(made).do("wei", page.HangUp())
    assert made.ears() == TALKS
    made.do("wei", page.StartAnswering())
    three(made)
    assert made.ears() == THREE
    made.do("lin", page.HangUp())
    assert "call:c" not in made.actors
    assert made.phases() == ("after_call_work", "after_call_work")
    (ended,) = made.told("lin", page.CallEnded)
    assert (ended.by, ended.cause) == ("agent", "hung up")


# --- how often it is given on -------------------------------------------------------------------------------------


def test_a_call_is_given_on_as_often_as_is_set() -> None:
    made = customs(Centre().begin().answered(), transfers=1)
    made.do("lin", page.Transfer("wei"))
    made.do("wei", page.Answer())
    made.do("lin", page.StartAnswering())
    assert code(made.ask("wei", page.Transfer("lin"))) == "too_many_transfers"


# --- the survey ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("again", "keys", "answer"), [(0, "9", "invalid"), (1, "95", "5"), (1, "99", "invalid")])
def test_a_rating_is_asked_for_again_as_often_as_is_set(again: int, keys: str, answer: str) -> None:
    async def run(world: World) -> None:
        set_so(world, survey_again=again)
        lin, caller = await in_a_call(world)
        await lin.ask(page.Survey())
        for key in keys:
            await settle(world, 1)
            customer_presses(world, key)
        await settle(world, 0.1)
        assert what_is_heard(world.engine, customer(world)) == "survey-thanks"
        await caller.over.wait()
        assert survey_of(world).answer == answer
        assert world.announced["survey-again"] == min(again, sum(key not in "12345" for key in keys))
        await settle(world, 40)
        world.assert_no_calls()

    play(run, organisation())


def test_a_rating_is_waited_for_as_long_as_is_set() -> None:
    async def run(world: World) -> None:
        set_so(world, survey_seconds=20.0)
        lin, caller = await in_a_call(world)
        await lin.ask(page.Survey())
        asked = world.now()
        await settle(world, 25)  # the question takes six seconds of it, and eight seconds were the default
        customer_presses(world, "4")
        await caller.over.wait()
        assert survey_of(world).answer == "4"
        assert world.now() - asked > 25
        assert call_of(world).cause == "survey"

    play(run, organisation())


# --- what is recorded of a hold -----------------------------------------------------------------------------------


def test_a_hold_is_recorded_where_that_is_set() -> None:
    """The customer hears the prompt, which is in no recording; neither hears the other."""
    made = customs(Centre().begin().answered(), tapes_holds=True)
    made.do("lin", page.Hold())
    assert made.ears() == {**HELD, "left": "customer", "right": "lin"}
    made.do("lin", page.Mute())
    assert made.ears() == {**HELD, "left": "customer"} | {"right": ""}
    made.do("lin", page.Unmute(), page.Retrieve())
    assert made.ears() == TALKS
    assert len(made.kept(records.HoldEntry)) == 1, "when it was is kept as ever"


def test_a_consultation_is_recorded_where_that_is_set(centre: Centre) -> None:
    customs(centre, tapes_holds=True).do("lin", page.Consult(number=WANTED))
    begun(centre)
    assert (centre.ears()["left"], centre.ears()["right"]) == ("customer", "lin")
    up(centre)
    assert centre.ears() == {**CONSULTS, "left": "customer", "right": "lin outside"}
    centre.do("lin", page.Swap())
    assert (centre.ears()["left"], centre.ears()["right"]) == ("customer", "lin")
