"""Crossings that random walks have found: each told once, without an event loop."""

from __future__ import annotations

from attrs import evolve
from cordboard.actors import agent_state as agents
from cordboard.actors import call_state as calls
from cordboard.actors import page, trunk
from cordboard.actors import queue_state as queues
from cordboard.actors.dialler import GATE_TIMEOUT
from cordboard.actors.effects import Down

from .house import NOW, PAGE_OFFER, House, code
from .party import Centre


def centre() -> Centre:
    return Centre().begin()


def test_a_test_call_ends_where_another_page_takes_over() -> None:
    """The leg that hears itself is the old one until the new one is connected."""
    house = House()
    lin = house.sitting("lin")
    old = lin.state.leg
    house.ask("lin", page.TestCall(on=True))
    house.tell("agent:lin", page.Attached("another"))
    house.ask("lin", page.SignIn(sdp=PAGE_OFFER, take_over=True), "another")
    assert lin.state.voice == old
    assert dict(house.engine.hears(old)) == {}


def test_a_call_that_dies_as_it_rings_at_a_colleague_leaves_no_tone() -> None:
    made = centre().answered()
    made.do("lin", page.Consult("wei"))
    assert made.ears()["lin"] == "ringback:CN"
    made.crash("call:c")
    assert made.phases("lin", "wei") == ("after_call_work", "idle")
    assert made.ears()["lin"] == ""


def test_what_a_call_makes_an_agent_hear_that_has_left_it_is_undone() -> None:
    """The call is slow: it wires the agent's new leg after the agent is gone, and then hears so."""
    made = centre().answered()
    made.sleep("call:c")
    voice = made.one("lin").state.voice
    made.tell("call:c", calls.AgentLeg("lin", voice), calls.AgentGone("lin"))
    made.tell("agent:lin", agents.Ended("c", "system", "media lost"))
    made.wake("call:c")
    assert made.phases("lin") == ("after_call_work",)
    assert made.ears()["lin"] == ""


def test_the_refusal_of_an_offer_that_crossed_a_sign_out_leaves_nobody_signed_in() -> None:
    """The caller hears that nobody is there, and not music for ever."""
    house = House()
    house.queue()
    house.robot("lin")
    house.sleep("agent:lin")
    house.ask("lin", page.SignOut())
    house.call()
    house.wake("agent:lin")
    assert house.heard() == "nobody-here"


def test_a_call_that_is_slow_takes_an_answer_whose_agent_has_left_and_been_rung_again() -> None:
    """The queue hears whose answer counted, and takes back what it has offered since; then it offers it anew."""
    house = House()
    house.queue()
    lin = house.robot("lin")
    house.call()
    house.sleep("call:c")
    house.ask("lin", page.Answer())
    house.tell("agent:lin", agents.Lost("c", "taken_back"))
    house.tell("queue:support", queues.OfferOver("c", "lin", queues.GaveBack.RETURNED, 1))
    assert lin.state.phase is agents.Phase.RINGING
    house.wake("call:c")
    queue = house.actors["queue:support"]
    assert lin.state.phase is agents.Phase.RINGING
    assert list(queue.state.calls["c"].rung) == ["lin"]


def test_a_mobile_of_which_the_switchboard_says_nothing_is_refused_and_comes_too_late() -> None:
    house = House()
    lin = house.sitting("lin")
    assert house.ask("lin", page.MobileAnswer("+8613800138000")) is None
    house.after(GATE_TIMEOUT)
    assert code(house.replies("lin")[-1]) == "busy"
    house.tell("agent:lin", agents.MobileBound("+8613800138000"))
    assert (lin.state.phase, lin.state.profile.mobile) == (agents.Phase.IDLE, "+8613800138000")


def test_an_agent_that_is_none_of_the_queues_any_more_and_ends_takes_its_offer_along() -> None:
    made = centre()
    made.call()
    (rung,) = made.actors["queue:support"].state.calls["c"].rung
    made.sleep(f"agent:{rung}")
    made.tell("queue:support", queues.AgentStands(rung, None), Down(f"agent:{rung}", "dismissed"))
    assert rung not in made.actors["queue:support"].state.calls["c"].rung


def test_what_a_queue_offered_that_died_rings_no_more() -> None:
    made = centre()
    made.call()
    (rung,) = made.actors["queue:support"].state.calls["c"].rung
    made.crash("queue:support")
    assert made.phases(rung) == ("idle",)
    assert made.told(rung, page.CallWithdrawn)[-1].reason == "taken back"


def test_an_agent_whose_media_moved_before_its_call_began_is_heard_in_it() -> None:
    house = House()
    house.sitting("lin")
    house.ask("lin", page.Dial("+8613800138000"))
    call = house.state_of("lin").call
    assert call is not None
    house.tell("agent:lin", agents.Dialled(call.call, "+8613800138000"))
    told = [each for _, each in house.dead_letters if isinstance(each, calls.AgentLeg)]
    assert told == [calls.AgentLeg("lin", house.state_of("lin").voice)]


def test_a_call_that_begins_after_its_agent_gave_it_up_is_told_so() -> None:
    house = House()
    house.sitting("lin")
    house.ask("lin", page.Dial("+8613800138000"))
    call = house.state_of("lin").call
    assert call is not None
    house.ask("lin", page.HangUp())
    house.dead_letters.clear()
    house.tell("agent:lin", agents.Dialled(call.call, "+8613800138000"))
    assert house.dead_letters == [(f"call:{call.call}", calls.HangUp("lin"))]


def test_a_trunk_that_begins_anew_asks_by_other_names() -> None:
    """What an earlier one asked may still be open."""
    first, second = (trunk.Trunk(trunk.Profile("carrier"), NOW + later).state.hosts_had for later in (0.0, 1.0))
    assert first < second


def test_paperwork_is_interrupted_by_ones_own_call_that_comes_back_and_by_no_queue() -> None:
    """A queue to which the call came back believed for a moment that this agent is free."""
    made = centre().answered()
    made.do("lin", page.Transfer("wei"))
    offer = agents.Offer("c", "support", "Support", "", "", "", NOW, 30.0, offerer="queue:support")
    made.tell("agent:lin", offer)
    assert made.phases() == ("after_call_work", "ringing")
    made.do("wei", page.Decline())
    assert made.phases() == ("ringing", "idle")


def test_an_offer_that_nobody_made_is_refused_in_time() -> None:
    """... of a call that is gone: it is withdrawn as soon as that is seen."""
    made = centre()
    offer = agents.Offer("gone", "support", "Support", "", "", "", NOW, 30.0, offerer="queue:support")
    made.tell("agent:lin", evolve(offer))
    assert made.phases("lin") == ("idle",)
