"""Who gets a call: each strategy, levels, tiers, priorities and turns, as a function and in a centre of actors."""

from __future__ import annotations

import math
from typing import get_args

import pytest
from attrs import evolve
from cordboard.actors import acd, page
from cordboard.actors.acd import Free, Question, choose, decide
from cordboard.actors.agent import Agent
from cordboard.actors.agent_state import Phase, Skill
from cordboard.actors.entries import Strategy
from cordboard.actors.routes import ToQueue
from hypothesis import given
from hypothesis import strategies as st

from .house import NOW, House

ANNA = Free("anna", level=1, place=0, ready_since=NOW - 10, calls=3, talked=900.0)
BO = Free("bo", level=1, place=1, ready_since=NOW - 60, calls=4, talked=100.0)
CY = Free("cy", level=1, place=2, ready_since=NOW - 30, calls=2, talked=500.0)
DEE = Free("dee", level=2, place=3, ready_since=NOW - 900)
ALL = (DEE, CY, ANNA, BO)

STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
FREE = st.builds(
    Free,
    st.text("abcdefgh", min_size=1, max_size=4),
    st.integers(1, 4),
    st.integers(0, 50),
    st.floats(0, 1e9),
    st.integers(0, 9),
    st.floats(0, 1e5),
)
QUESTIONS = st.builds(
    Question,
    st.just("c"),
    st.sampled_from(STRATEGIES),
    st.floats(0, 1e6),
    st.floats(0, 1e6),
    st.integers(0, 3),
    st.sampled_from([0.0, 10.0]),
    st.integers(-1, 50),
    st.lists(FREE, max_size=70, unique_by=lambda each: each.agent).map(tuple),
    st.dictionaries(st.text("abcdefgh", min_size=1, max_size=4), st.sampled_from(get_args(acd.Why)), max_size=5),
    st.sampled_from(["", "", "a", "b"]),
)


@pytest.mark.parametrize(
    ("strategy", "order"),
    [
        ("longest-idle", "bo cy anna dee"),
        ("fewest-calls", "cy anna bo dee"),
        ("least-talk-time", "bo cy anna dee"),
        ("round-robin", "bo cy anna dee"),  # anna was last
        ("top-down", "anna bo cy dee"),
    ],
)
def test_the_order_of_each_strategy_with_the_better_level_before_all(strategy: Strategy, order: str) -> None:
    decided = decide(Question("c", strategy, NOW - 5, NOW, after=0, free=ALL))
    assert [each.agent for each in decided.ranked] == order.split()
    assert decided.chosen == (order.split()[0],)


def test_ring_all_rings_everybody_of_every_level_that_is_asked() -> None:
    assert set(decide(Question("c", "ring-all", NOW, NOW, free=ALL)).chosen) == {"anna", "bo", "cy", "dee"}
    question = Question("c", "ring-all", NOW - 9.99, NOW, widen_seconds=10.0, free=ALL)
    assert set(decide(question).chosen) == {"anna", "bo", "cy"}
    many = tuple(Free(f"a{i}", 1, i, NOW) for i in range(acd.RING_ALL + 5))
    assert len(decide(Question("c", "ring-all", NOW, NOW, free=many)).chosen) == acd.RING_ALL


def test_lots_are_fair_the_same_when_asked_again_and_anew_for_the_next_offer() -> None:
    first = [decide(Question(f"c{i}", "random", NOW, NOW, free=(ANNA, BO, CY))).chosen[0] for i in range(300)]
    again = [decide(Question(f"c{i}", "random", NOW, NOW, free=(CY, BO, ANNA))).chosen[0] for i in range(300)]
    second = [decide(Question(f"c{i}", "random", NOW, NOW, 1, free=(ANNA, BO, CY))).chosen[0] for i in range(300)]
    assert first == again
    assert first != second
    assert all(70 < first.count(name) < 130 for name in ("anna", "bo", "cy"))


@given(QUESTIONS)
def test_who_is_chosen_may_have_it_and_nobody_of_a_better_level_is_passed_over(question: Question) -> None:
    decided = decide(question)
    excluded = dict(decided.excluded)
    assert len(decided.ranked) + decided.more + len(excluded) == len(question.free)
    for each in question.free:
        in_time = question.asked_from(each.level) <= question.now
        asked = each.agent not in question.barred and (
            each.agent == question.kept_for if question.kept_for else in_time
        )
        assert asked == (each.agent not in excluded)
    assert bool(decided.chosen) == bool(decided.ranked)
    assert [each.level for each in decided.ranked] == sorted(each.level for each in decided.ranked)
    assert decide(question) == decided
    assert choose(question) == decided.chosen


@given(QUESTIONS)
def test_more_are_asked_just_when_it_is_said_that_they_will_be(question: Question) -> None:
    if question.kept_for:  # by another timer
        assert acd.widens_at(question) == math.inf
        question = evolve(question, kept_for="")
    at = acd.widens_at(question)
    assert at > question.now
    later = Question(
        question.call,
        question.strategy,
        question.since,
        at if at < math.inf else question.now + 1e9,
        widen_seconds=question.widen_seconds,
        free=question.free,
        barred=question.barred,
    )
    now, then = decide(question), decide(later)
    fewer = len(then.excluded) < len(now.excluded)
    assert fewer == (at < math.inf)


# --- in a centre --------------------------------------------------------------------------------------------------


@pytest.fixture
def house() -> House:
    return House()


def phases(*agents: Agent) -> list[Phase]:
    return [agent.state.phase for agent in agents]


def talks(house: House, agent: str, call: str, seconds: float) -> None:
    """Answers, and is idle again when the call is over."""
    house.ask(agent, page.Answer())
    house.after(seconds)
    house.ask(agent, page.HangUp())
    house.ask(agent, page.StartAnswering())
    assert call not in house.actors


def test_round_robin_goes_round(house: House) -> None:
    house.queue(strategy="round-robin")
    for name in ("anna", "bo", "cy"):
        house.robot(name)
    took: list[str] = []
    for i in range(6):
        house.call(f"c{i}")
        (rung,) = (name for name in ("anna", "bo", "cy") if house.actor_phase(name) is Phase.RINGING)
        took.append(rung)
        talks(house, rung, f"call:c{i}", 1.0)
    assert took == ["anna", "bo", "cy"] * 2


@pytest.mark.parametrize(("strategy", "second"), [("fewest-calls", "bo"), ("least-talk-time", "anna")])
def test_calls_and_talk_are_counted_since_the_agent_signed_in(house: House, strategy: Strategy, second: str) -> None:
    house.queue(strategy=strategy)
    anna = house.robot("anna")
    for i in range(2):  # two short ones for anna
        house.call(f"a{i}")
        talks(house, "anna", f"call:a{i}", 1.0)
    house.ask("anna", page.SetState("break"))
    bo = house.robot("bo")
    house.call("b0")  # a long one for bo
    talks(house, "bo", "call:b0", 500.0)
    assert (anna.state.taken, bo.state.taken) == (2, 1)
    assert (round(anna.state.talked), round(bo.state.talked)) == (2, 500)
    house.ask("anna", page.SetState("idle"))
    house.after(1)
    house.call("c")
    assert house.actor_phase(second) is Phase.RINGING
    house.ask(second, page.Decline())
    house.ask(second, page.SignOut())
    house.ask(second, page.SignIn(media="none"))
    assert (house.state_of(second).taken, house.state_of(second).talked) == (0, 0.0)


def test_ring_all_rings_all_one_gets_it_and_nobody_has_missed_it(house: House) -> None:
    house.queue(strategy="ring-all")
    anna, bo = house.robot("anna"), house.robot("bo")
    house.call()
    assert phases(anna, bo) == [Phase.RINGING, Phase.RINGING]
    cy = house.robot("cy")  # who comes later rings too
    assert phases(cy) == [Phase.RINGING]
    house.ask("bo", page.Decline())
    assert phases(anna, bo, cy) == [Phase.RINGING, Phase.IDLE, Phase.RINGING]
    house.ask("anna", page.Answer())
    assert phases(anna, bo, cy) == [Phase.TALKING, Phase.IDLE, Phase.IDLE]
    withdrawn = [event for event in house.events("cy") if isinstance(event, page.CallWithdrawn)]
    assert [event.reason for event in withdrawn] == ["answered elsewhere"]
    house.after(60)
    assert phases(cy) == [Phase.IDLE]


def test_in_ring_all_a_call_that_rings_nowhere_comes_before_one_that_rings_elsewhere(house: House) -> None:
    house.queue(strategy="ring-all")
    house.robot("anna")
    house.call("first")
    house.call("second")
    bo = house.robot("bo")
    offer = bo.state.call
    assert offer is not None
    assert offer.call == "second"


def test_who_lets_it_ring_out_is_on_break_and_the_others_ring_on(house: House) -> None:
    house.queue(strategy="ring-all", ring_seconds=20.0)
    anna = house.robot("anna")
    house.call()
    house.after(15)
    bo = house.robot("bo")
    house.after(6)
    assert phases(anna, bo) == [Phase.ON_BREAK, Phase.RINGING]


def test_tiers_widen_with_waiting_to_the_moment(house: House) -> None:
    house.queue(widen_seconds=10.0)
    second, third = house.robot("bo", Skill("support", 2)), house.robot("cy", Skill("support", 3))
    house.call()
    house.after(9.99)
    assert phases(second, third) == [Phase.IDLE, Phase.IDLE]
    house.after(0.02)
    assert phases(second, third) == [Phase.RINGING, Phase.IDLE]
    house.ask("bo", page.Decline())
    house.after(9.9)
    assert phases(second, third) == [Phase.IDLE, Phase.IDLE]
    house.after(0.2)
    assert phases(third) == [Phase.RINGING]


def test_the_important_call_comes_first_and_one_that_an_agent_had_before_all(house: House) -> None:
    house.queue()
    house.call("normal")
    house.call("late", priority=9)
    house.call("vip", priority=1)
    order = []
    for name in ("anna", "bo", "cy"):
        offer = house.robot(name).state.call
        assert offer is not None
        order.append(offer.call)
    assert order == ["vip", "normal", "late"]


def test_an_agent_of_two_queues_takes_the_important_one_first_and_else_in_turn(house: House) -> None:
    house.queue("sales")
    house.queue("support")
    took: list[str] = []
    for i in range(3):
        house.call(f"sales-{i}", ToQueue("sales"))
        house.call(f"support-{i}", ToQueue("support"))
    house.robot("anna", "sales", "support")
    for _ in range(6):
        offer = house.state_of("anna").call
        assert offer is not None
        took.append(offer.queue)
        talks(house, "anna", f"call:{offer.call}", 1.0)
    assert took == ["sales", "support"] * 3
    for i in range(2):
        house.call(f"sales+{i}", ToQueue("sales"))
        house.call(f"support+{i}", ToQueue("support"))
    house.ask("anna", page.Decline())
    house.ask("anna", page.SignOut())
    house.robot("bo", Skill("sales", 1, 5), Skill("support", 1, 2))
    took = []
    for _ in range(4):
        offer = house.state_of("bo").call
        assert offer is not None
        took.append(offer.queue)
        talks(house, "bo", f"call:{offer.call}", 1.0)
    assert took == ["support", "support", "sales", "sales"]
