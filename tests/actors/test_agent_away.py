"""An agent whose page goes and comes back, and one that hears itself, told without an event loop."""

from __future__ import annotations

import pytest
from cordboard.actors import agent_state as agents
from cordboard.actors import page
from cordboard.actors.agent_state import Phase
from cordboard.actors.patience import PATIENCE
from cordboard.actors.seat import TEST_CALL
from cordboard.switch import protocol as media

from .house import NOW, PAGE_OFFER, House, code

CALLER = "call:c/caller"


@pytest.fixture
def house() -> House:
    house = House()
    house.queue()
    house.sitting("lin")
    return house


@pytest.fixture
def talking(house: House) -> House:
    house.call()
    assert house.ask("lin", page.Answer()) == page.Accepted()
    return house


def agent(house: House, name: str = "lin") -> agents.Data:
    state = house.actors[f"agent:{name}"].state
    assert isinstance(state, agents.Data)
    return state


def snapshot(house: House, session: str = "lin") -> page.Snapshot:
    reply = house.ask("lin", page.GetSnapshot(), session)
    assert isinstance(reply, page.Snapshot)
    return reply


# --- pages --------------------------------------------------------------------------------------------------------


def test_a_page_with_a_new_websocket_takes_its_seat_again_and_no_edge_changes(talking: House) -> None:
    leg = agent(talking).leg
    talking.tell("agent:lin", page.Attached("watcher"), page.Detached("lin"), page.Attached("again"))
    assert snapshot(talking, "again").leg == leg
    before = len(talking.said)
    assert talking.ask("lin", page.Resume(leg), "again") == page.Accepted("", leg)
    assert not any(type(effect).__name__ == "Media" for _, effect in talking.said[before:])
    assert snapshot(talking, "again").owner == "this"
    assert talking.engine.hears(CALLER) == {leg: 1.0}
    assert [each for each in talking.events("watcher") if isinstance(each, page.Seat)] == [
        page.Seat(taken=False),
        page.Seat(taken=True),
    ]


def test_a_page_whose_dead_websocket_is_thought_alive_takes_its_seat_too(talking: House) -> None:
    talking.tell("agent:lin", page.Attached("again"))
    assert talking.ask("lin", page.Resume(agent(talking).leg), "again") == page.Accepted("", agent(talking).leg)
    assert page.TakenOver() in talking.events("lin")
    assert code(talking.ask("lin", page.HangUp())) == "not_owner"
    assert talking.ask("lin", page.HangUp(), "again") == page.Accepted()


def test_only_the_connection_in_use_can_be_resumed(talking: House) -> None:
    talking.tell("agent:lin", page.Attached("again"))
    assert code(talking.ask("lin", page.Resume("agent:lin/0"), "again")) == "media_lost"
    leg = agent(talking).leg
    talking.fact(*talking.engine.fail(leg, "closed", talking.now))
    assert code(talking.ask("lin", page.Resume(leg), "again")) == "media_lost"


def test_a_connection_has_a_name_that_no_earlier_life_of_the_agent_gave() -> None:
    first, second = House(), House(now=NOW + 1)
    for house in (first, second):
        house.queue()
        house.sitting("lin")
    assert agent(first).leg != agent(second).leg


def test_a_page_that_loads_while_the_caller_waits_sees_until_when(talking: House) -> None:
    talking.after(3)
    talking.fact(*talking.engine.silence(agent(talking).leg, 0.5))
    talking.tell("agent:lin", page.Attached("again"))
    until = talking.now + PATIENCE.away
    assert snapshot(talking, "again").away_until == until
    assert page.CallAway("c", until) in talking.events("lin")
    talking.fact(media.LegHeard(agent(talking).leg))
    assert talking.events("again")[-1] == page.CallBack("c")
    assert snapshot(talking, "again").away_until is None


def test_a_page_that_loads_in_after_call_work_sees_the_call_that_was(talking: House) -> None:
    talking.after(30)
    talking.ask("lin", page.HangUp())
    talking.tell("agent:lin", page.Detached("lin"))
    talking.after(60)
    talking.tell("agent:lin", page.Attached("again"))
    shown = snapshot(talking, "again")
    assert shown.since == NOW + 30
    assert shown.last == page.LastCall(
        "c", "support", "Support", "+8613912345678", "Wang", "+861055501000", NOW, NOW + 30, "agent", "hung up"
    )
    assert isinstance(talking.ask("lin", page.SignIn(sdp=PAGE_OFFER), "again"), page.Accepted)
    assert (agent(talking).phase, agent(talking).since) == (Phase.AFTER_CALL_WORK, NOW + 30)
    talking.ask("lin", page.StartAnswering(), "again")
    assert snapshot(talking, "again").last is None


def test_an_agent_that_is_not_heard_for_20_s_has_paperwork_and_the_caller_the_first_place(talking: House) -> None:
    talking.after(3)
    talking.fact(*talking.engine.silence(agent(talking).leg, 0.5))
    talking.after(PATIENCE.away)
    lin = agent(talking)
    assert (lin.phase, lin.reason) == (Phase.AFTER_CALL_WORK, "media lost")
    assert talking.heard() == "music"
    assert talking.engine.hears(lin.leg) == {}, "the next agent's conversation is none of hers"
    last = snapshot(talking).last
    assert last is not None
    assert (last.by, last.cause) == ("system", "the agent could not be heard")
    assert page.CallEnded("c", last.by, last.cause) in talking.events("lin")


# --- the test call ------------------------------------------------------------------------------------------------


def test_an_agent_hears_itself_until_it_has_enough(house: House) -> None:
    leg = agent(house).leg
    assert house.ask("lin", page.TestCall(on=True)) == page.Accepted()
    assert house.engine.hears(leg) == {leg: 1.0}
    assert page.TestCallBegun(NOW + TEST_CALL) in house.events("lin")
    assert snapshot(house).testing_until == NOW + TEST_CALL
    assert house.ask("lin", page.TestCall(on=False)) == page.Accepted()
    assert house.engine.hears(leg) == {}
    assert house.events("lin")[-1] == page.TestCallOver()
    assert snapshot(house).testing_until is None


def test_a_test_call_ends_by_itself(house: House) -> None:
    house.ask("lin", page.TestCall(on=True))
    house.until(NOW + TEST_CALL)
    assert house.engine.hears(agent(house).leg) == {}
    assert house.events("lin")[-1] == page.TestCallOver()


def test_a_call_ends_the_test_call(house: House) -> None:
    house.ask("lin", page.TestCall(on=True))
    house.call()
    assert agent(house).phase is Phase.RINGING
    assert house.engine.hears(agent(house).leg) == {}
    assert page.TestCallOver() in house.events("lin")


def test_a_new_connection_ends_the_test_call(house: House) -> None:
    house.ask("lin", page.TestCall(on=True))
    house.ask("lin", page.RenewMedia(PAGE_OFFER))
    assert page.TestCallOver() in house.events("lin")


def test_there_is_no_test_call_in_a_call_or_without_media(house: House) -> None:
    house.fact(*house.engine.fail(agent(house).leg, "closed", house.now))
    assert code(house.ask("lin", page.TestCall(on=True))) == "media_lost"
    house.ask("lin", page.RenewMedia(PAGE_OFFER))
    house.fact(*house.engine.connect(agent(house).leg))
    house.call()
    assert code(house.ask("lin", page.TestCall(on=True))) == "ringing"
    house.ask("lin", page.Answer())
    assert code(house.ask("lin", page.TestCall(on=True))) == "in_call"
