"""Surveys: whole stories over real endpoints, by what the customer presses, and how the agent leaves."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from click.testing import CliRunner
from cordboard.actors import page
from cordboard.actors import survey as surveys
from cordboard.actors.agent_state import Phase
from cordboard.actors.announcements import LEAD, TAIL
from cordboard.actors.commands import replay
from cordboard.actors.customs import CUSTOMS
from cordboard.actors.organisation import Organisation
from cordboard.actors.records import CallEntry, LegEntry, Outcome, SurveyEntry
from cordboard.sip.events import CallEnded

from .dialler import CUSTOMER, Far, dialling, leg_hears, outcomes, rings_and_answers
from .far import Caller, Robot
from .house import PROMPT_SECONDS, code, what_is_heard
from .playing import play
from .test_world import HOTLINE, phase, settle
from .world import World


def organisation(survey: bool = False) -> Organisation:
    made = dialling()
    return evolve(made, queues=tuple(evolve(each, survey=survey) for each in made.queues))


def tell(run: Callable[[World], Coroutine[Any, Any, None]], data: Path, *, survey: bool = False) -> None:
    """A story that is replayed from its journal, keys and all."""
    play(run, organisation(survey), data=data)
    result = CliRunner().invoke(replay, [str(data)])
    assert (result.exit_code, result.output.endswith("all effects equal\n")) == (0, True), result.output


async def in_a_call(world: World) -> tuple[Robot, Caller]:
    lin = await world.sign_in("1001")
    caller = world.dial(HOTLINE)
    await lin.hears(page.CallOffered)
    await lin.ask(page.Answer())
    await settle(world, 5)
    return lin, caller


def customer(world: World) -> str:
    (leg,) = (leg for leg in world.engine.legs if leg.startswith("call:"))
    return leg


def press(world: World, keys: str) -> None:
    for key in keys:
        world.on_facts(world.engine.press(customer(world), key, 100, "event", world.now()))


def survey_of(world: World) -> SurveyEntry:
    """The last word of it."""
    return [each.entry for each in world.records if isinstance(each.entry, SurveyEntry)][-1]


def call_of(world: World) -> CallEntry:
    return [each.entry for each in world.records if isinstance(each.entry, CallEntry)][-1]


def test_a_key_is_kept_with_the_call_the_agent_and_the_queue(tmp_path: Path) -> None:
    async def run(world: World) -> None:
        lin, caller = await in_a_call(world)
        asked = world.now()
        assert await lin.ask(page.Survey()) == page.Accepted()
        assert phase(world, "1001") is Phase.AFTER_CALL_WORK
        assert lin.last(page.CallEnded) == page.CallEnded(call_of(world).call, "agent", "survey")
        await settle(world, 0.1)
        assert LEAD <= 1, "the customer hears it within a second"
        assert what_is_heard(world.engine, customer(world)) == "survey"
        assert world.engine.recordings == ()
        assert await lin.ask(page.StartAnswering()) == page.Accepted()
        await settle(world, 2)
        press(world, "4")
        await settle(world, 0.1)
        assert what_is_heard(world.engine, customer(world)) == "survey-thanks"
        await caller.over.wait()
        assert isinstance(caller.last, CallEnded)
        entry = survey_of(world)
        assert (entry.agent, entry.queue, entry.answer) == ("1001", "support", "4")
        assert (entry.call, entry.began) == (call_of(world).call, asked)
        assert (call_of(world).ended_by, call_of(world).cause) == ("agent", "survey")
        legs = {(each.entry.number): each.entry for each in world.records if isinstance(each.entry, LegEntry)}
        assert legs[1].ended == asked, "the agent's part ends as it is asked for"
        assert outcomes(world) == [Outcome.ANSWERED]
        await settle(world, 40)
        world.assert_empty()

    tell(run, tmp_path)


@pytest.mark.parametrize(
    ("keys", "outcome"),
    [("9", "none"), ("0", "none"), ("95", "5"), ("*#1", "1"), ("6661", "1"), ("6666", "invalid"), ("66661", "invalid")],
)
def test_another_key_is_asked_for_again_up_to_three_times(tmp_path: Path, keys: str, outcome: str) -> None:
    async def run(world: World) -> None:
        lin, caller = await in_a_call(world)
        await lin.ask(page.Survey())
        for at, key in enumerate(keys):
            await settle(world, 1)
            heard = what_is_heard(world.engine, customer(world))
            assert heard == ("survey" if at == 0 else "survey-again" if at < 4 else "survey-thanks")
            press(world, key)
        await caller.over.wait()
        assert survey_of(world).answer == outcome
        assert world.announced["survey-again"] == min(3, sum(key not in "12345" for key in keys))
        await settle(world, 40)
        world.assert_no_calls()

    tell(run, tmp_path)


def test_who_presses_nothing_is_none_and_no_zero(tmp_path: Path) -> None:
    async def run(world: World) -> None:
        lin, caller = await in_a_call(world)
        await lin.ask(page.Survey())
        asked = world.now()
        await caller.over.wait()
        said = 2 * LEAD + PROMPT_SECONDS["survey"] + CUSTOMS.survey_seconds + PROMPT_SECONDS["survey-thanks"] + TAIL
        assert abs(world.now() - asked - said) < 0.05
        assert survey_of(world).answer == "none"

    tell(run, tmp_path)


@pytest.mark.parametrize("after", [0.0, 0.2, 3.0, 10.0])
def test_who_hangs_up_has_abandoned_it(tmp_path: Path, after: float) -> None:
    async def run(world: World) -> None:
        lin, caller = await in_a_call(world)
        await lin.ask(page.Survey())
        await settle(world, after)
        caller.hang_up()
        await settle(world)
        assert survey_of(world).answer == "abandoned"
        assert (call_of(world).ended_by, call_of(world).cause) == ("caller", "survey")
        assert phase(world, "1001") is Phase.AFTER_CALL_WORK
        await settle(world, 40)
        world.assert_empty()

    tell(run, tmp_path)


def test_who_had_given_its_answer_keeps_it_though_it_hangs_up(tmp_path: Path) -> None:
    async def run(world: World) -> None:
        lin, caller = await in_a_call(world)
        await lin.ask(page.Survey())
        await settle(world)
        press(world, "5")
        caller.hang_up()
        await settle(world)
        assert survey_of(world).answer == "5"

    tell(run, tmp_path)


def test_a_queue_that_says_so_asks_when_its_agent_hangs_up_and_only_then(tmp_path: Path) -> None:
    async def run(world: World) -> None:
        lin, caller = await in_a_call(world)
        await lin.ask(page.HangUp())
        assert phase(world, "1001") is Phase.AFTER_CALL_WORK
        assert lin.last(page.CallEnded) == page.CallEnded(call_of(world).call, "agent", "hung up")
        await settle(world)
        press(world, "5")
        await caller.over.wait()
        assert survey_of(world).answer == "5"
        await lin.ask(page.StartAnswering())
        second = world.dial(HOTLINE)
        await lin.hears(page.CallOffered)
        await lin.ask(page.Answer())
        await settle(world, 3)
        second.hang_up()
        await settle(world)
        assert survey_of(world).call != call_of(world).call, "who hangs up itself is asked nothing"

    tell(run, tmp_path, survey=True)


def test_a_customer_on_hold_is_asked_too(tmp_path: Path) -> None:
    async def run(world: World) -> None:
        lin, _ = await in_a_call(world)
        await lin.ask(page.Hold())
        await settle(world)
        await lin.ask(page.Survey())
        await settle(world)
        assert what_is_heard(world.engine, customer(world)) == "survey"

    tell(run, tmp_path)


# --- a call out -------------------------------------------------------------------------------------------------------


def test_whoever_is_dialled_is_asked_when_it_answers(tmp_path: Path) -> None:
    async def run(world: World) -> None:
        lin = await world.sign_in("1001")
        far = Far(world, rings_and_answers)
        await settle(world)
        await lin.ask(page.Dial(CUSTOMER))
        await settle(world)
        assert await lin.ask(page.Survey()) == page.Accepted()
        state = world.agent("1001")
        assert (state.phase, state.reason) == (Phase.AFTER_CALL_WORK, "survey")
        last = lin.last(page.CallEnded)
        assert isinstance(last, page.CallEnded)
        assert (last.by, last.cause) == ("agent", "survey")
        snapshot = await lin.ask(page.GetSnapshot())
        assert isinstance(snapshot, page.Snapshot)
        assert snapshot.last is not None
        assert (snapshot.last.number, snapshot.last.direction) == (CUSTOMER, "outbound")
        assert snapshot.last.ended == snapshot.last.since, "nobody has talked"
        await settle(world, 0.5)
        assert world.engine.hears(state.voice) == {}
        await settle(world, 3)
        (leg,) = (leg for leg in world.engine.legs if leg.startswith("call:"))
        assert what_is_heard(world.engine, leg) == "survey"
        press(world, "3")
        await far.over.wait()
        entry = survey_of(world)
        assert (entry.agent, entry.queue, entry.answer) == ("1001", "", "3")
        assert (call_of(world).answered is not None, call_of(world).recorded) == (True, False)
        assert outcomes(world) == [Outcome.NOT_CONNECTED]
        # the paperwork leads to the next call to the same number
        assert await lin.ask(page.Dial(CUSTOMER)) == page.Accepted()
        await settle(world)
        assert phase(world, "1001") is Phase.DIALLING
        assert [call.number for call in far.calls] == [CUSTOMER, CUSTOMER]

    tell(run, tmp_path)


def test_nobody_is_asked_where_nobody_answers(tmp_path: Path) -> None:
    async def run(world: World) -> None:
        lin = await world.sign_in("1001")
        far = Far(world, Far.ring)
        await settle(world)
        await lin.ask(page.Dial(CUSTOMER))
        await settle(world)
        await lin.ask(page.Survey())
        far.refuse(far.calls[0], 486)
        await settle(world, 40)
        assert not [each for each in world.records if isinstance(each.entry, SurveyEntry)]
        assert phase(world, "1001") is Phase.AFTER_CALL_WORK
        assert call_of(world).cause == "line busy (SIP 486)"
        world.assert_empty()

    tell(run, tmp_path)


def test_a_call_that_hears_late_that_it_was_left_to_a_survey_silences_nobody_in_the_next(tmp_path: Path) -> None:
    """The agent has taken another call by then, and hears on in it."""

    async def run(world: World) -> None:
        lin = await world.sign_in("1001")
        Far(world, Far.ring)
        await settle(world)
        await lin.ask(page.Dial(CUSTOMER))
        await settle(world)
        (dialled,) = world.system.alive("call:1001-")
        world.system.sleep(dialled, world.now() + 2.0)
        world.later(2.0, world.system.wake)
        assert await lin.ask(page.Survey()) == page.Accepted()
        assert await lin.ask(page.StartAnswering()) == page.Accepted()
        caller = world.dial(HOTLINE)
        await lin.hears(page.CallOffered)
        await lin.ask(page.Answer())
        await settle(world)
        heard = leg_hears(world, lin)
        offer = world.agent("1001").call
        assert offer is not None
        assert heard == [f"call:{offer.call}/caller"]
        await settle(world, 3)
        assert leg_hears(world, lin) == heard
        caller.hang_up()

    tell(run, tmp_path)


@pytest.mark.parametrize("microseconds", range(-20_000, 20_001, 8_000))
def test_the_customer_answers_as_the_agent_leaves_it_to_a_survey(tmp_path: Path, microseconds: int) -> None:
    """In the call or before it: it is asked."""

    async def run(world: World) -> None:
        lin = await world.sign_in("1001")
        far = Far(world, Far.ring)
        await settle(world)
        await lin.ask(page.Dial(CUSTOMER))
        await settle(world)
        world.later(0.05, lambda: far.answer(far.calls[0]))
        world.later(0.058 + microseconds / 1e6, lambda: lin.click(page.Survey()))
        await settle(world, 2)
        assert phase(world, "1001") is Phase.AFTER_CALL_WORK
        press(world, "2")
        await far.over.wait()
        assert survey_of(world).answer == "2"
        await settle(world, 40)
        world.assert_empty()

    tell(run, tmp_path)


# --- refusals, restarts, the value ------------------------------------------------------------------------------------


def test_there_is_nobody_to_ask_without_a_call(tmp_path: Path) -> None:
    async def run(world: World) -> None:
        lin = world.open_page("1001")
        await settle(world)
        assert code(await lin.ask(page.Survey())) == "not_signed_in"
        lin, _ = await in_a_call(world)
        assert code(await lin.ask(page.Survey("another"))) == "no_call"
        assert await lin.ask(page.Survey()) == page.Accepted()
        assert code(await lin.ask(page.Survey())) == "no_call"

    tell(run, tmp_path)


@pytest.mark.parametrize("after", [0.0, 1.0, 7.0])
def test_a_survey_goes_on_in_the_next_process(tmp_path: Path, after: float) -> None:
    async def run(world: World) -> None:
        lin, caller = await in_a_call(world)
        await lin.ask(page.Survey())
        await settle(world, after)
        world.kill_control()
        await settle(world, 0.5)
        world.restart_control()
        await settle(world, 1)
        press(world, "5")
        await caller.over.wait()
        assert survey_of(world).answer == "5"
        await settle(world, 40)
        world.assert_no_calls()

    play(run, organisation(), data=tmp_path)


def test_one_whose_call_is_lost_is_lost() -> None:
    made = surveys.Survey(surveys.Data(SurveyEntry("c", "lin", "support", 1.0)))
    made.receive(surveys.Gone(hung_up=False), 2.0)
    assert made.state.entry == SurveyEntry("c", "lin", "support", 1.0, "lost", 2.0)
