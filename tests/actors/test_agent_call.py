"""An agent in a call and after it, told without an event loop."""

from __future__ import annotations

import math

import pytest
from cordboard.actors import agent_state as agents
from cordboard.actors import call_state as calls
from cordboard.actors import page, records, signals
from cordboard.actors.agent import Agent
from cordboard.actors.agent_state import Phase
from cordboard.actors.effects import Push
from cordboard.actors.queue import Queue
from cordboard.switch import protocol as media

from .house import CALLER, NOW, PAGE_OFFER, House, code

LEFT = signals.Released("c", "hung up", by_caller=True)


def phase(agent: Agent) -> Phase:
    return agent.state.phase


@pytest.fixture
def house() -> House:
    house = House()
    house.queue()
    return house


@pytest.fixture
def talking(house: House) -> House:
    house.sitting("lin")
    house.call()
    house.after(5)
    assert house.ask("lin", page.Answer()) == page.Accepted()
    return house


def agent(house: House, name: str = "lin") -> agents.Data:
    state = house.actors[f"agent:{name}"].state
    assert isinstance(state, agents.Data)
    return state


def test_answering_connects_both_ways_at_once(talking: House) -> None:
    lin = agent(talking)
    assert lin.phase is Phase.TALKING
    caller = "call:c/caller"
    assert talking.engine.hears(caller) == {lin.leg: 1.0}
    assert talking.engine.hears(lin.leg) == {caller: 1.0}
    connected = page.CallConnected("c", "support", "Support", CALLER, "Wang", "+861055501000", NOW + 5)
    assert connected in talking.events("lin")
    snapshot = talking.ask("lin", page.GetSnapshot())
    assert isinstance(snapshot, page.Snapshot)
    assert (snapshot.connected, snapshot.offered) == (connected, None)


def test_an_answer_that_was_given_up_and_is_taken_late_ends_the_offer_that_followed_it(house: House) -> None:
    """The call has it for longer than it rings: its queue takes it back, offers it again, and then it is taken."""
    house.sitting("lin")
    house.call()
    house.sleep("call:c")
    assert house.ask("lin", page.Answer()) == page.Accepted()
    house.after(46)
    assert agent(house).phase is Phase.RINGING
    house.wake("call:c")
    lin, queue = agent(house), house.actors["queue:support"]
    assert isinstance(queue, Queue)
    (waiting,) = queue.state.calls.values()
    assert lin.phase is (Phase.RINGING if waiting.rung else Phase.IDLE)
    assert house.heard("c") == "music"
    assert house.engine.hears(lin.leg) == {}


def test_who_is_let_in_late_to_one_call_is_rung_on_for_another(house: House) -> None:
    lin = house.sitting("lin")
    house.call()
    house.tell("agent:lin", agents.Joined("another"))
    assert ("call:another", calls.AgentGone("lin")) in house.dead_letters
    assert lin.state.phase is Phase.RINGING
    assert house.ask("lin", page.Answer()) == page.Accepted()
    assert house.heard("c") == lin.state.leg


def test_who_is_let_in_late_in_a_test_call_hears_itself_no_more_and_is_told(house: House) -> None:
    """The call that let it in took its ear: it must not go on for who hears nothing."""
    lin = house.sitting("lin")
    assert house.ask("lin", page.TestCall(on=True)) == page.Accepted()
    house.tell("agent:lin", agents.Joined("another"))
    assert house.engine.hears(lin.state.leg) == {}
    assert house.events("lin")[-1] == page.TestCallOver()


def test_a_queue_that_hears_late_of_an_agents_earlier_actor_knows_how_this_one_stands(house: House) -> None:
    house.sleep("queue:support")
    first = house.sitting("lin")
    house.crash("agent:lin")
    house.spawn("agent:lin", Agent(first.state.profile, house.now))
    house.run()
    house.wake("queue:support")
    queue = house.actors["queue:support"]
    assert isinstance(queue, Queue)
    assert {name: each.doing for name, each in queue.state.agents.items()} == {"lin": "signed_out"}


def test_double_clicks_are_one_click(talking: House) -> None:
    before = len(talking.events("lin"))
    assert talking.ask("lin", page.Answer()) == talking.ask("lin", page.Answer("c")) == page.Accepted()
    assert code(talking.ask("lin", page.Answer("another"))) == "in_call"
    assert len(talking.events("lin")) == before
    talking.sleep("call:c")
    assert talking.ask("lin", page.HangUp()) == talking.ask("lin", page.HangUp()) == page.Accepted()
    talking.wake("call:c")
    assert agent(talking).phase is Phase.AFTER_CALL_WORK
    assert code(talking.ask("lin", page.HangUp())) == "no_call"
    assert sum(isinstance(event, page.CallEnded) for event in talking.events("lin")) == 1
    assert talking.ask("lin", page.StartAnswering()) == talking.ask("lin", page.StartAnswering()) == page.Accepted()


def test_double_clicks_while_the_call_has_not_heard_the_first(house: House) -> None:
    lin = house.robot("lin")
    house.call()
    house.sleep("call:c")
    assert house.ask("lin", page.Answer()) == house.ask("lin", page.Answer()) == page.Accepted()
    assert code(house.ask("lin", page.Answer("another"))) == "in_call"
    house.wake("call:c")
    assert phase(lin) is Phase.TALKING


def test_a_hang_up_right_after_the_click_ends_the_call(house: House) -> None:
    lin = house.robot("lin")
    house.call()
    house.sleep("call:c")
    house.ask("lin", page.Answer())
    assert house.ask("lin", page.HangUp()) == page.Accepted()
    house.wake("call:c")
    assert (lin.state.phase, lin.state.reason) == (Phase.AFTER_CALL_WORK, "agent hung up")


def test_mute_is_one_way_and_hears_on(talking: House) -> None:
    lin, caller = agent(talking), "call:c/caller"
    assert code(talking.ask("lin", page.Mute("another"))) == "no_call"
    for _ in range(2):
        assert talking.ask("lin", page.Mute()) == page.Accepted()
        assert talking.engine.hears(caller) == {}
        assert talking.engine.hears(lin.leg) == {caller: 1.0}
    assert talking.events("lin")[-1] == page.CallMuted("c", muted=True)
    assert talking.ask("lin", page.Unmute()) == page.Accepted()
    assert talking.engine.hears(caller) == {lin.leg: 1.0}
    assert talking.events("lin")[-1] == page.CallMuted("c", muted=False)


def test_mute_does_not_reach_into_the_next_call(talking: House) -> None:
    talking.ask("lin", page.Mute())
    talking.ask("lin", page.HangUp())
    talking.ask("lin", page.StartAnswering())
    talking.call("d")
    talking.ask("lin", page.Answer())
    assert not agent(talking).muted
    assert talking.engine.hears("call:d/caller") == {agent(talking).leg: 1.0}


def test_the_agent_hangs_up(talking: House) -> None:
    assert talking.ask("lin", page.HangUp("c")) == page.Accepted()
    lin = agent(talking)
    assert (lin.phase, lin.reason) == (Phase.AFTER_CALL_WORK, "agent hung up")
    assert page.CallEnded("c", "agent", "hung up") in talking.events("lin")
    assert isinstance(talking.sip()[-1], signals.Release)
    assert talking.engine.legs == (lin.leg,)
    assert talking.engine.hears(lin.leg) == {}
    assert "call:c" not in talking.actors


def test_the_caller_hangs_up(talking: House) -> None:
    talking.tell("call:c", LEFT)
    lin = agent(talking)
    assert (lin.phase, lin.reason) == (Phase.AFTER_CALL_WORK, "caller hung up")
    assert page.CallEnded("c", "caller", "hung up") in talking.events("lin")
    assert not any(isinstance(command, signals.Release) for command in talking.sip())
    assert (talking.engine.legs, dict(talking.engine.hears(lin.leg))) == ((lin.leg,), {})


def test_both_hang_up_at_once(talking: House) -> None:
    talking.sleep("call:c")
    assert talking.ask("lin", page.HangUp()) == page.Accepted()
    talking.tell("call:c", LEFT)
    talking.wake("call:c")
    assert agent(talking).phase is Phase.AFTER_CALL_WORK
    assert sum(isinstance(event, page.CallEnded) for event in talking.events("lin")) == 1


def test_paperwork_lasts_until_start_answering(talking: House) -> None:
    talking.ask("lin", page.HangUp())
    talking.call("d")
    talking.after(3600)
    assert agent(talking).phase is Phase.AFTER_CALL_WORK
    assert talking.ask("lin", page.StartAnswering()) == page.Accepted()
    assert agent(talking).phase is Phase.RINGING
    assert code(talking.ask("lin", page.StartAnswering())) == "ringing"


def test_paperwork_ends_after_the_queues_maximum() -> None:
    house = House()
    house.queue(wrap_up_seconds=15.0)
    lin = house.robot("lin")
    house.call()
    house.ask("lin", page.Answer())
    house.after(60)
    house.ask("lin", page.HangUp())
    work = page.AgentState(page.State.AFTER_CALL_WORK, "agent hung up", NOW + 60, NOW + 75)
    assert work in house.events("lin")
    snapshot = house.ask("lin", page.GetSnapshot())
    assert isinstance(snapshot, page.Snapshot)
    assert snapshot.until == NOW + 75
    house.until(NOW + 74.999)
    assert phase(lin) is Phase.AFTER_CALL_WORK
    house.until(NOW + 75)
    assert (lin.state.phase, lin.state.reason, lin.state.call) == (Phase.IDLE, "after-call work over", None)


def test_who_dials_in_vain_has_no_more_time_for_the_paperwork_than_was_left() -> None:
    """... however often; what the dialling took is not counted, and paperwork without a maximum has none."""
    house = House()
    house.queue(wrap_up_seconds=15.0)
    lin = house.robot("lin")
    house.call()
    house.ask("lin", page.Answer())
    house.ask("lin", page.HangUp())
    for _ in range(2):
        house.after(5)
        house.ask("lin", page.Dial("+8613800138000"))
        assert lin.state.work_until == math.inf
        house.after(2)
        dialled = lin.state.call
        assert dialled is not None
        house.tell("agent:lin", agents.NotConnected(dialled.call, "line_busy", 486))
        assert phase(lin) is Phase.AFTER_CALL_WORK
    until = NOW + 2 * (5 + 2) + 5
    work = page.AgentState(page.State.AFTER_CALL_WORK, "agent hung up", NOW + 2 * (5 + 2), until)
    assert work in house.events("lin")
    house.until(until - 0.001)
    assert phase(lin) is Phase.AFTER_CALL_WORK
    house.until(until)
    assert phase(lin) is Phase.IDLE


def test_break_and_sign_out_from_paperwork(talking: House) -> None:
    talking.ask("lin", page.HangUp())
    assert talking.ask("lin", page.SetState("break")) == page.Accepted()
    assert code(talking.ask("lin", page.StartAnswering())) == "not_in_after_call_work"
    assert (agent(talking).phase, agent(talking).call) == (Phase.ON_BREAK, None)
    assert talking.ask("lin", page.SignOut()) == page.Accepted()
    assert (agent(talking).phase, talking.engine.legs) == (Phase.SIGNED_OUT, ())


def test_a_page_gone_for_20_s_in_a_call_sends_the_caller_to_the_front(talking: House) -> None:
    talking.call("later")
    talking.tell("agent:lin", page.Detached("lin"))
    talking.after(100)
    assert agent(talking).phase is Phase.TALKING  # a lost websocket alone changes nothing
    assert talking.engine.hears("call:c/caller") == {agent(talking).leg: 1.0}
    talking.fact(*talking.engine.silence(agent(talking).leg, 0.5))
    start = talking.now
    assert talking.heard() == "agent-away"
    talking.until(start + 19.999)
    assert agent(talking).phase is Phase.TALKING
    talking.until(start + 20)
    assert (agent(talking).phase, agent(talking).reason) == (Phase.SIGNED_OUT, "page gone")
    assert talking.heard() == "nobody-here"
    assert [(each, waiting.join.since) for each, waiting in talking.actors["queue:support"].state.calls.items()] == [
        ("c", NOW),
        ("later", NOW + 5),
    ]
    wei = talking.robot("wei")
    assert wei.state.call is not None
    assert wei.state.call.call == "c"


def test_a_page_that_reloads_in_a_call_goes_on(talking: House) -> None:
    talking.ask("lin", page.Mute())
    talking.tell("agent:lin", page.Detached("lin"))
    talking.after(19)
    talking.tell("agent:lin", page.Attached("again"))
    assert code(talking.ask("lin", page.HangUp(), "again")) == "not_owner"
    assert isinstance(talking.ask("lin", page.SignIn(sdp=PAGE_OFFER), "again"), page.Accepted)
    talking.fact(*talking.engine.connect(agent(talking).leg))
    talking.after(100)
    assert agent(talking).phase is Phase.TALKING
    assert talking.engine.hears("call:c/caller") == {}  # muted still
    snapshot = talking.ask("lin", page.GetSnapshot(), "again")
    assert isinstance(snapshot, page.Snapshot)
    assert snapshot.connected is not None
    assert snapshot.connected.muted


def test_an_engine_that_restarts_ends_the_call_and_not_the_agent(talking: House) -> None:
    lin = agent(talking)
    talking.fact(*talking.engine.fail(lin.leg, "the media engine was restarted", talking.now))
    talking.fact(*talking.engine.fail("call:c/caller", "the media engine was restarted", talking.now))
    assert agent(talking).phase is Phase.AFTER_CALL_WORK
    assert isinstance(talking.sip()[-1], signals.Release)
    talking.ask("lin", page.StartAnswering())
    talking.call("d")
    assert agent(talking).phase is Phase.IDLE  # nobody could be heard
    talking.ask("lin", page.RenewMedia(PAGE_OFFER))
    talking.fact(*talking.engine.connect(agent(talking).leg))
    assert agent(talking).phase is Phase.RINGING


@pytest.mark.parametrize("answered", [False, True])
def test_a_call_that_crashes_frees_its_agent_and_its_queue(house: House, answered: bool) -> None:
    lin = house.sitting("lin")
    house.call()
    if answered:
        house.ask("lin", page.Answer())
    house.crash("call:c")
    assert lin.state.phase is (Phase.AFTER_CALL_WORK if answered else Phase.IDLE)
    assert (house.engine.legs, house.actors["queue:support"].state.calls) == ((lin.state.leg,), {})
    house.ask("lin", page.StartAnswering())
    house.after(100)
    assert phase(lin) is Phase.IDLE


# --- the organisation ---------------------------------------------------------------------------------------------


def test_an_agent_dismissed_while_ringing_ends_and_the_call_goes_on(house: House) -> None:
    house.robot("lin")
    wei = house.robot("wei")
    house.call()
    house.tell("agent:lin", agents.Dismiss())
    assert "agent:lin" not in house.actors
    assert wei.state.phase is Phase.RINGING
    assert list(house.actors["queue:support"].state.agents) == ["wei"]


def test_an_agent_dismissed_in_a_call_ends_with_it(talking: House) -> None:
    talking.tell("agent:lin", agents.Dismiss())
    assert agent(talking).phase is Phase.TALKING
    talking.ask("lin", page.HangUp())
    assert "agent:lin" not in talking.actors
    assert talking.engine.legs == ()


def test_an_agent_that_crashes_in_a_call_is_signed_out_of_no_call(talking: House) -> None:
    lin = talking.actors["agent:lin"]
    offer, state = (record.entry for record in lin.will("crashed", NOW + 9))
    assert isinstance(offer, records.OfferEntry)
    assert (offer.call, offer.outcome, offer.ended) == ("c", records.Outcome.ANSWERED, NOW + 9)
    assert isinstance(state, records.StateEntry)
    assert (state.state, state.reason, state.call, state.since) == ("signed_out", "crashed", "", NOW + 9)


def test_an_agent_dismissed_between_click_and_lost_race_ends(house: House) -> None:
    house.robot("lin")
    house.robot("wei")
    house.call()
    house.sleep("call:c")
    house.ask("lin", page.Answer())
    house.tell("agent:lin", agents.Dismiss())
    assert "agent:lin" in house.actors
    house.crash("call:c")
    assert "agent:lin" not in house.actors


def test_an_agent_that_is_wanted_again_during_its_last_call_stays(talking: House) -> None:
    talking.tell("agent:lin", agents.Dismiss(), agent(talking).profile)
    talking.ask("lin", page.HangUp())
    assert agent(talking).phase is Phase.AFTER_CALL_WORK
    talking.ask("lin", page.StartAnswering())
    assert talking.actors["queue:support"].state.agents["lin"].doing == "free"


def test_a_new_skill_is_a_new_queue(house: House) -> None:
    house.queue("sales")
    lin = house.robot("lin")
    house.tell("agent:lin", agents.Profile("lin", "Lin", (agents.Skill("sales"),)))
    assert list(house.actors["queue:sales"].state.agents) == ["lin"]
    assert not house.actors["queue:support"].state.agents
    house.call("d")
    assert phase(lin) is Phase.IDLE


# --- pages --------------------------------------------------------------------------------------------------------


def test_a_queue_that_was_left_is_not_shown_any_more(house: House) -> None:
    house.queue("sales")
    lin = house.robot("lin", "support", "sales")
    house.after(1)
    assert [each.queue for each in lin.state.queue_status] == ["sales", "support"]
    house.tell(
        "agent:lin",
        agents.Profile("lin", "Lin", (agents.Skill("sales"),)),
        agents.QueueMoved(lin.state.queue_status[1]),
    )
    assert [each.queue for each in lin.state.queue_status] == ["sales"]


def test_every_event_has_the_next_revision_and_goes_to_every_page(house: House) -> None:
    house.robot("lin")
    house.tell("agent:lin", page.Attached("watcher"))
    house.call()
    house.ask("lin", page.Answer())
    house.ask("lin", page.HangUp())
    pushes = {
        session: [each for _, each in house.said if isinstance(each, Push) and each.session == session]
        for session in ("lin", "watcher")
    }
    revs = [each.rev for each in pushes["lin"]]
    assert revs == sorted(set(revs))
    shared = [each for each in pushes["lin"] if each.rev >= pushes["watcher"][0].rev]
    assert [(each.rev, each.event) for each in shared] == [(each.rev, each.event) for each in pushes["watcher"]]


def test_the_log_of_states_has_no_gap_and_no_overlap(house: House) -> None:
    house.robot("lin")
    house.call()
    house.after(1)
    house.ask("lin", page.Decline())
    house.after(10)
    house.ask("lin", page.Answer())
    house.after(30)
    house.ask("lin", page.HangUp())
    house.after(5)
    house.ask("lin", page.StartAnswering())
    house.ask("lin", page.SetState("break"))
    house.ask("lin", page.SignOut())
    states = [event for event in house.events("lin") if isinstance(event, page.AgentState)]
    assert [(each.state.value, each.reason, each.since - NOW) for each in states] == [
        ("idle", "signed in", 0),
        ("ringing", "offer", 0),
        ("idle", "declined", 1),
        ("ringing", "offer", 11),
        ("ringing", "answer", 11),
        ("talking", "answered", 11),
        ("after_call_work", "agent hung up", 41),
        ("idle", "start answering", 46),
        ("break", "chosen", 46),
        ("signed_out", "signed out", 46),
    ]


def test_quality_is_told_of_the_leg_in_use(talking: House) -> None:
    lin = agent(talking)
    talking.tell("agent:lin", media.LegQuality(lin.leg, 90, 10, 0.0, 3.0, 40.0, -30.0, 12.0))
    assert talking.events("lin")[-1] == page.MediaQuality(10.0, 3.0, 40.0, -30.0, 12.0)
    before = len(talking.events("lin"))
    talking.tell("agent:lin", media.LegQuality("agent:lin/0", 90, 10, 0.0, 3.0, 40.0, -30.0))
    assert len(talking.events("lin")) == before


def test_the_agents_keys_reach_the_callers_side_in_order(talking: House) -> None:
    lin = agent(talking)
    for digit in "42#":
        talking.fact(*talking.engine.press(lin.leg, digit, 20, "event", talking.now))
    assert talking.engine.sent("call:c/caller") == "42#"
    talking.ask("lin", page.HangUp())
    talking.fact(*talking.engine.press(lin.leg, "9", 20, "event", talking.now))
    assert talking.engine.sent("call:c/caller") == ""
