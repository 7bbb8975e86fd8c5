"""A queue and its agents, told without an event loop."""

from __future__ import annotations

import math

import pytest
from cordboard.actors import page, records, signals
from cordboard.actors import queue_state as queues
from cordboard.actors.agent import Agent
from cordboard.actors.agent_state import Phase
from cordboard.actors.effects import Log, Record, Tell, Watch
from cordboard.actors.patience import PATIENCE
from cordboard.actors.queue import STATUS_INTERVAL, STATUSES_PER_SECOND, Queue
from cordboard.actors.queue_state import OFFER_GRACE

from .house import NOW, House


def phase(agent: Agent) -> Phase:
    return agent.state.phase


def calls(house: House) -> dict[str, str]:
    """The calls that wait, in order, and to whom each is offered."""
    queue = house.actors["queue:support"]
    assert isinstance(queue, Queue)
    return {name: " ".join(waiting.rung) for name, waiting in queue.state.calls.items()}


@pytest.fixture
def house() -> House:
    house = House()
    house.queue()
    return house


def test_the_longest_idle_agent_is_offered_the_longest_waiting_call(house: House) -> None:
    lin = house.robot("lin")
    house.after(1)
    wei = house.robot("wei")
    for name in ("a", "b", "c"):
        house.call(name)
        house.after(1)
    assert calls(house) == {"a": "lin", "b": "wei", "c": ""}
    house.ask("wei", page.Decline())
    assert calls(house) == {"a": "lin", "b": "", "c": "wei"}
    assert (phase(lin), phase(wei)) == (Phase.RINGING, Phase.RINGING)


def test_only_agents_of_the_group_are_offered(house: House) -> None:
    house.queue("sales")
    lin = house.robot("lin", "sales")
    house.call()
    house.after(60)
    assert (calls(house), phase(lin)) == ({"c": ""}, Phase.IDLE)


def test_a_decliner_rests_10_s_and_the_next_agent_is_rung_at_once(house: House) -> None:
    lin = house.robot("lin")
    house.after(1)
    wei = house.robot("wei")
    house.call()
    house.ask("lin", page.Decline())
    assert (calls(house), phase(lin)) == ({"c": "wei"}, Phase.IDLE)
    house.ask("wei", page.Decline())
    assert calls(house) == {"c": ""}
    house.until(NOW + 1 + 9.999)
    assert calls(house) == {"c": ""}
    house.until(NOW + 1 + 10)
    assert calls(house) == {"c": "lin"}
    assert phase(wei) is Phase.IDLE


def test_an_offer_that_came_to_nothing_costs_nobody_its_place(house: House) -> None:
    """A caller who leaves while it rings, or a decline: who was idle for longest still is."""
    lin = house.robot("lin")
    house.after(1)
    wei = house.robot("wei")
    house.call("leaves")
    house.after(5)
    house.tell("call:leaves", signals.Released("leaves", "hung up", by_caller=True))
    house.call("declined")
    assert (phase(lin), phase(wei)) == (Phase.RINGING, Phase.IDLE)
    house.after(5)
    house.ask("lin", page.Decline())
    house.ask("wei", page.Answer())
    house.ask("wei", page.HangUp())
    house.ask("wei", page.StartAnswering())
    house.call("next")
    assert calls(house) == {"next": "lin"}


def test_a_decliner_is_offered_other_calls_meanwhile(house: House) -> None:
    house.robot("lin")
    house.call("a")
    house.ask("lin", page.Decline())
    house.call("b")
    assert calls(house) == {"a": "", "b": "lin"}


def test_a_missed_call_keeps_its_time_and_goes_to_another(house: House) -> None:
    lin = house.robot("lin")
    house.after(1)
    wei = house.robot("wei")
    house.call()
    house.until(NOW + 1 + 30)
    assert (phase(lin), calls(house)) == (Phase.ON_BREAK, {"c": "wei"})
    assert wei.state.call is not None
    assert wei.state.call.waiting_since == NOW + 1


def test_who_missed_a_call_is_not_offered_it_while_another_could_take_it(house: House) -> None:
    house.robot("lin")
    house.after(1)
    house.robot("wei")
    house.call("missed")
    house.after(29)
    house.call("other")
    house.after(1)
    # lin missed the first while wei was rung by the other; whatever becomes of it there, it does not come back to lin.
    assert calls(house) == {"missed": "", "other": "wei"}
    house.ask("lin", page.SetState("idle"))
    assert calls(house) == {"missed": "", "other": "wei"}
    house.ask("wei", page.Decline())
    assert calls(house) == {"missed": "wei", "other": "lin"}
    house.ask("wei", page.Decline())
    house.ask("lin", page.Decline())
    assert calls(house) == {"missed": "", "other": ""}
    house.after(10)
    assert calls(house) == {"missed": "wei", "other": "lin"}


def test_a_missed_call_is_offered_again_to_one_who_is_alone(house: House) -> None:
    lin = house.robot("lin")
    house.call()
    house.after(30)
    assert (phase(lin), calls(house)) == (Phase.ON_BREAK, {"c": ""})
    house.ask("lin", page.SetState("idle"))
    assert calls(house) == {"c": "lin"}


@pytest.mark.parametrize("leave", [page.SetState("break"), page.SignOut()])
def test_a_missed_call_waits_for_who_is_at_work_and_not_for_who_left(house: House, leave: page.Command) -> None:
    wei = house.robot("wei")
    house.call("first")
    house.ask("wei", page.Answer())
    house.robot("lin")
    house.call()
    house.after(30)
    house.ask("lin", page.SetState("idle"))
    assert (phase(wei), calls(house)) == (Phase.TALKING, {"c": ""})
    house.ask("wei", page.HangUp())
    assert (phase(wei), calls(house)) == (Phase.AFTER_CALL_WORK, {"c": ""})
    house.ask("wei", leave)
    assert calls(house) == {"c": "lin"}


def test_all_who_missed_it_are_offered_it_again(house: House) -> None:
    house.robot("lin")
    house.after(1)
    house.robot("wei")
    house.call()
    house.after(60)
    house.ask("wei", page.SetState("idle"))
    assert calls(house) == {"c": "wei"}


def test_a_caller_who_leaves_stops_the_ringing_at_once(house: House) -> None:
    lin = house.robot("lin")
    house.call()
    house.after(3)
    house.tell("call:c", signals.Released("c", "hung up", by_caller=True))
    assert (phase(lin), lin.state.since, calls(house)) == (Phase.IDLE, NOW + 3, {})
    assert page.CallWithdrawn("c", "caller left") in house.events("lin")


def test_a_call_that_dies_without_a_word_is_no_ghost(house: House) -> None:
    house.call("a")
    house.call("b")
    lin = house.robot("lin")
    house.crash("call:a")
    house.crash("call:b")
    assert (calls(house), phase(lin)) == ({}, Phase.IDLE)


def test_an_agent_that_dies_without_a_word_is_offered_nothing_more(house: House) -> None:
    house.robot("lin")
    house.after(1)
    wei = house.robot("wei")
    house.call("a")
    house.crash("agent:lin")
    assert (calls(house), phase(wei)) == ({"a": "wei"}, Phase.RINGING)
    house.call("b")
    house.after(100)
    assert not any(isinstance(message, queues.Profile) for _, message in house.dead_letters)
    assert calls(house) == {"a": "", "b": ""}


def test_an_agent_that_does_not_answer_an_offer_loses_it(house: House) -> None:
    lin = house.robot("lin")
    house.sleep("agent:lin")
    house.call()
    house.until(NOW + 34.999)
    assert calls(house) == {"c": "lin"}
    house.until(NOW + 35)
    assert calls(house) == {"c": ""}  # and rests, or it would be rung in vain again and again
    house.wake("agent:lin")
    assert phase(lin) is Phase.IDLE
    house.until(NOW + 45)
    assert calls(house) == {"c": "lin"}


def test_late_words_of_an_agent_do_not_offer_a_call_twice(house: House) -> None:
    house.robot("lin")
    house.after(1)
    house.robot("wei")
    house.call()
    house.ask("lin", page.Decline())
    assert calls(house) == {"c": "wei"}
    for how in queues.GaveBack:
        house.tell("queue:support", queues.OfferOver("c", "lin", how, 1))
    assert calls(house) == {"c": "wei"}
    house.tell("queue:support", queues.Taken("c", "lin", 1))
    assert calls(house) == {}
    wei = house.actors["agent:wei"]
    assert isinstance(wei, Agent)
    assert (wei.state.phase, wei.state.reason) == (Phase.IDLE, "answered elsewhere")
    for message in (queues.Taken("c", "wei"), queues.Leave("c"), queues.OfferOver("c", "wei", queues.GaveBack.MISSED)):
        house.tell("queue:support", message)
    assert house.late()[-3:] == ["Taken", "Leave", "OfferOver"]


def test_an_answer_that_counts_after_all_takes_back_what_the_same_agent_was_offered_since(house: House) -> None:
    """The call was with somebody meanwhile and is back, and what rings now is nobody's answer."""
    lin = house.robot("lin")
    house.call()
    back = queues.Join("c", "", "", "", NOW, again=True)
    house.tell("queue:support", queues.Leave("c"), back)
    assert (calls(house), phase(lin)) == ({"c": "lin"}, Phase.RINGING)
    house.tell("queue:support", queues.Taken("c", "lin", 1))
    assert calls(house) == {}
    assert (phase(lin), lin.state.reason) == (Phase.IDLE, "answered elsewhere")
    house.tell("queue:support", back, queues.OfferOver("c", "lin", queues.GaveBack.REFUSED, 2))
    assert (calls(house), phase(lin)) == ({"c": "lin"}, Phase.RINGING)


def test_an_offer_that_is_lost_on_its_way_is_made_again(house: House) -> None:
    """The queue had noted that it rings there, and nobody says otherwise."""
    lin = house.robot("lin")
    house.sleep("agent:lin")
    house.call()
    house.mail["agent:lin"].clear()
    house.wake("agent:lin")
    house.after(house.actors["queue:support"].state.profile.ring_seconds + OFFER_GRACE + PATIENCE.declined + 1)
    assert (calls(house), phase(lin)) == ({"c": "lin"}, Phase.RINGING)


def test_the_more_agents_look_the_less_often_each_is_told(house: House) -> None:
    for number in range(2 * STATUSES_PER_SECOND):
        house.robot(f"a{number}")
    house.after(60)
    told = len([event for event in house.events("a0") if isinstance(event, page.QueueStatus)])
    for number in range(10):
        house.call(f"c{number}")
        house.after(1)
    statuses = [event for event in house.events("a0") if isinstance(event, page.QueueStatus)]
    assert len(statuses) - told == 6, "at once, and then every two seconds"
    assert statuses[-1].agents_idle == 2 * STATUSES_PER_SECOND - 10


def test_what_an_agent_says_late_of_an_offer_that_is_over_does_not_bar_it(house: House) -> None:
    """It left as it rang, another has been rung since, and it is back: it may have the call again."""
    house.robot("lin")
    house.after(1)
    house.robot("wei")
    house.call()
    house.ask("lin", page.SignOut())
    assert calls(house) == {"c": "wei"}
    house.ask("lin", page.SignIn(media="none"))
    house.tell("queue:support", queues.OfferOver("c", "lin", queues.GaveBack.MISSED, 1))
    assert calls(house) == {"c": "wei"}
    house.ask("wei", page.Decline())
    assert calls(house) == {"c": "lin"}


def test_who_refuses_is_not_asked_again_before_it_says_how_it_stands(house: House) -> None:
    lin = house.robot("lin")
    house.after(1)
    house.robot("wei")
    house.sleep("agent:lin")
    house.call()
    assert calls(house) == {"c": "lin"}
    house.mail["agent:lin"].clear()
    house.tell("queue:support", queues.OfferOver("c", "lin", queues.GaveBack.REFUSED, 1))
    assert calls(house) == {"c": "wei"}
    house.ask("wei", page.Decline())
    assert calls(house) == {"c": ""}
    house.wake("agent:lin")
    for state in ("break", "idle"):
        house.ask("lin", page.SetState(state))
    assert (calls(house), phase(lin)) == ({"c": "lin"}, Phase.RINGING)


def test_a_queue_that_is_dismissed_lets_its_calls_go(house: House) -> None:
    lin = house.robot("lin")
    house.call("a")
    house.call("b")
    house.tell("queue:support", queues.Dismiss())
    assert "queue:support" not in house.actors
    assert (phase(lin), house.heard("a"), house.heard("b")) == (Phase.IDLE, "goodbye", "goodbye")
    house.after(10)
    assert {"call:a", "call:b"}.isdisjoint(house.actors)
    assert (house.engine.legs, house.engine.sources) == ((), ("music:hold",))
    assert house.sip("a")[-1] == signals.Release("a", "the queue is gone")


def test_a_call_in_conversation_outlives_its_queue(house: House) -> None:
    lin = house.robot("lin")
    house.call("a")
    house.ask("lin", page.Answer())
    house.tell("queue:support", queues.Dismiss())
    assert "call:a" in house.actors
    house.ask("lin", page.HangUp())
    assert phase(lin) is Phase.AFTER_CALL_WORK


def test_pages_hear_how_the_queue_stands_twice_a_second_at_most(house: House) -> None:
    house.robot("lin")
    house.after(1)
    house.said.clear()
    for i in range(50):
        house.call(str(i))
        house.after(0.02)
    house.after(1)
    statuses = [event for event in house.events("lin") if isinstance(event, page.QueueStatus)]
    assert len(statuses) <= 4
    assert (statuses[-1].waiting, statuses[-1].oldest_since, statuses[-1].agents_idle) == (50, NOW + 1, 0)
    queue = house.actors["queue:support"]
    assert isinstance(queue, Queue)
    assert queue.deadline() == next(iter(queue.state.calls.values())).moment


def test_a_changed_ring_time_counts_from_the_next_offer(house: House) -> None:
    lin = house.robot("lin")
    house.call()
    house.tell("queue:support", queues.Profile("support", "Support", ring_seconds=5))
    house.after(29)
    assert phase(lin) is Phase.RINGING
    house.after(1)
    house.ask("lin", page.SetState("idle"))
    house.after(5)
    assert phase(lin) is Phase.ON_BREAK


def test_an_empty_queue_sleeps(house: House) -> None:
    queue = house.actors["queue:support"]
    assert queue.deadline() == math.inf
    assert [type(effect) for effect in queue.receive(queues.Join("c", "", "", "", NOW), NOW)] == [
        Log,
        Watch,
        Tell,
    ]
    assert queue.deadline() == NOW + STATUS_INTERVAL


def test_who_is_in_the_queue_is_stated_again_once_a_day(house: House) -> None:
    """So that what was stated long before any decision that is kept serves none; and at once when there are others."""

    def stated() -> list[str]:
        effects = (effect for effect in house.of("queue:support") if isinstance(effect, Record))
        return [each.entry.agents for each in effects if isinstance(each.entry, records.RosterEntry)]

    house.robot("lin")
    for name, later in (("a", 1.0), ("b", records.ROSTER_SECONDS - 20), ("c", 30.0)):
        house.call(name)
        house.after(5)
        house.tell(f"call:{name}", signals.Released(name, "hung up", by_caller=True))
        house.after(later)
    assert stated() == ["lin"]
    house.call("d")
    assert stated() == ["lin", "lin"]
    house.robot("wei")
    house.call("e")
    assert stated() == ["lin", "lin", "lin\nwei"]
