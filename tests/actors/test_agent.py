"""An agent and its calls, told without an event loop."""

from __future__ import annotations

from typing import get_args

import pytest
from cordboard.actors import agent_state as agents
from cordboard.actors import call_state as calls
from cordboard.actors import page, queue, signals
from cordboard.actors import queue_state as queues
from cordboard.actors.agent import Agent
from cordboard.actors.agent_state import Phase
from cordboard.actors.effects import Down, Effect, Record, Reply
from cordboard.switch import protocol as media

from .house import NOW, PAGE_OFFER, House, code
from .samples import BY_CLASS

LEFT = signals.Released("c", "hung up", by_caller=True)


def phase(agent: Agent) -> Phase:
    return agent.state.phase


@pytest.fixture
def house() -> House:
    house = House()
    house.queue()
    return house


# --- signing in and out -------------------------------------------------------------------------------------------


def test_logged_in_is_not_signed_in(house: House) -> None:
    lin = house.agent("lin")
    assert phase(lin) is Phase.SIGNED_OUT
    house.call()
    house.after(60)
    assert phase(lin) is Phase.SIGNED_OUT
    for command in (page.Answer(), page.SignOut(), page.SetState("idle"), page.HangUp(), page.StartAnswering()):
        assert code(house.ask("lin", command)) == "not_signed_in"


def test_signing_in_without_media_is_idle_at_once(house: House) -> None:
    lin = house.robot("lin")
    assert lin.state.ready
    assert house.events("lin")[-1] == page.AgentState(page.State.IDLE, "signed in", NOW)
    snapshot = house.ask("lin", page.GetSnapshot())
    assert isinstance(snapshot, page.Snapshot)
    assert (snapshot.owner, snapshot.media, snapshot.state) == ("this", "none", page.State.IDLE)
    house.after(queue.STATUS_INTERVAL)
    assert [(status.waiting, status.agents_idle) for status in lin.state.queue_status] == [(0, 1)]


def test_a_page_is_idle_at_once_and_rung_when_its_media_is_connected(house: House) -> None:
    lin = house.agent("lin")
    reply = house.ask("lin", page.SignIn(sdp=PAGE_OFFER))
    assert isinstance(reply, page.Accepted)
    assert "a=setup:passive" in reply.sdp
    house.call()
    assert phase(lin) is Phase.IDLE
    house.fact(*house.engine.connect(lin.state.leg))
    assert phase(lin) is Phase.RINGING
    assert page.MediaConnected() in house.events("lin")


def test_an_offer_that_cannot_be_used_is_refused_with_the_reason(house: House) -> None:
    lin = house.agent("lin")
    for offer in ("", "nonsense", PAGE_OFFER.replace("opus/48000/2", "iLBC/8000").replace(" 0 8", ""), "v=0"):
        assert code(house.ask("lin", page.SignIn(sdp=offer))) == "media_refused"
    assert phase(lin) is Phase.SIGNED_OUT


def test_an_engine_that_refuses_the_leg_refuses_the_sign_in(house: House) -> None:
    lin = house.agent("lin")
    reply = house.ask("lin", page.SignIn(sdp=PAGE_OFFER.replace("sha-256", "sha-1")))
    assert code(reply) == "media_refused"
    assert (lin.state.phase, lin.state.opening) == (Phase.SIGNED_OUT, None)


def test_a_second_page_must_take_over_and_the_first_is_told(house: House) -> None:
    lin = house.robot("lin")
    house.tell("agent:lin", page.Attached("other"))
    assert code(house.ask("lin", page.SignIn(media="none"), "other")) == "signed_in_elsewhere"
    assert code(house.ask("lin", page.SetState("break"), "other")) == "not_owner"
    assert house.ask("lin", page.SignIn(media="none", take_over=True), "other") == page.Accepted()
    assert house.events("lin")[-1] == page.TakenOver()
    assert page.TakenOver() not in house.events("other")
    assert code(house.ask("lin", page.SetState("break"))) == "not_owner"
    # The first may go: nothing is lost.
    house.tell("agent:lin", page.Detached("lin"))
    house.after(60)
    assert lin.state.ready


# What any page of an agent may ask, whoever owns the media.
ANY_PAGES = (page.GetSnapshot, page.WatchColleagues, page.SignIn, page.Resume)


@pytest.mark.parametrize(
    "command", [each for each in get_args(page.Command) if each not in ANY_PAGES], ids=lambda command: command.__name__
)
def test_what_is_for_the_owner_no_other_page_may_ask(house: House, command: type[page.Command]) -> None:
    lin = house.robot("lin")
    house.call()
    house.ask("lin", page.Answer())
    house.tell("agent:lin", page.Attached("other"))
    before = lin.state
    asked = BY_CLASS[command]
    assert isinstance(asked, page.Command)
    assert code(house.ask("lin", asked, "other")) == "not_owner"
    assert lin.state == before


def test_taking_over_in_a_call_keeps_the_call_and_its_mute(house: House) -> None:
    lin = house.sitting("lin")
    call = house.call()
    house.ask("lin", page.Answer())
    house.ask("lin", page.Mute())
    old = lin.state.leg
    house.tell("agent:lin", page.Attached("other"))
    assert isinstance(house.ask("lin", page.SignIn(sdp=PAGE_OFFER, take_over=True), "other"), page.Accepted)
    new = lin.state.leg
    assert house.engine.hears(old) == {call.state.leg: 1.0}  # until the new one is connected
    house.fact(*house.engine.connect(new))
    assert house.engine.legs == (call.state.leg, new)
    assert house.engine.hears(new) == {call.state.leg: 1.0}
    assert house.engine.hears(call.state.leg) == {}
    house.ask("lin", page.Unmute(), "other")
    assert house.engine.hears(call.state.leg) == {new: 1.0}


def test_a_renewal_of_a_renewal_keeps_the_connected_leg_in_use(house: House) -> None:
    lin = house.sitting("lin")
    call = house.call()
    house.ask("lin", page.Answer())
    first = lin.state.leg
    house.ask("lin", page.RenewMedia(PAGE_OFFER))
    second = lin.state.leg
    house.ask("lin", page.RenewMedia(PAGE_OFFER))
    third = lin.state.leg
    assert set(house.engine.legs) == {first, third, call.state.leg}
    assert house.engine.hears(call.state.leg) == {first: 1.0}
    house.fact(media.LegConnected(second))  # it had connected as it was closed
    assert lin.state.voice == first
    house.fact(*house.engine.connect(third))
    assert house.engine.hears(call.state.leg) == {third: 1.0}
    assert set(house.engine.legs) == {third, call.state.leg}


def restart(leg: str, point: str = "") -> page.RenewMedia:
    return page.RenewMedia(PAGE_OFFER, leg, point)


def test_a_restart_of_ice_leaves_call_leg_and_sound_as_they_are(house: House) -> None:
    lin = house.sitting("lin")
    call = house.call()
    house.ask("lin", page.Answer())
    leg, events = lin.state.leg, len(house.events("lin"))
    answers = [house.ask("lin", restart(leg, "main")) for _ in range(2)]
    accepted = [each for each in answers if isinstance(each, page.Accepted)]
    assert [each.leg for each in accepted] == [leg, leg]
    versions = [line for each in accepted for line in (each.sdp or "").splitlines() if line.startswith("o=")]
    assert len(set(versions)) == 2  # each answer is another description of the same session (RFC 3264 §5)
    assert set(house.engine.legs) == {leg, call.state.leg}
    assert house.engine.hears(call.state.leg) == {leg: 1.0}
    assert len(house.events("lin")) == events


def test_a_restart_of_a_leg_that_is_gone_is_refused(house: House) -> None:
    lin = house.sitting("lin")
    leg = lin.state.leg
    assert code(house.ask("lin", restart(f"{leg}0"))) == "media_lost"
    assert code(house.ask("lin", restart(leg, "nowhere"))) == "media_refused"
    assert house.engine.legs == (leg,)
    house.fact(*house.engine.fail(leg, "consent gone", house.now))
    assert code(house.ask("lin", restart(leg))) == "media_lost"


def test_a_leg_that_dies_as_it_restarts_tells_the_page_so(house: House) -> None:
    lin = house.sitting("lin")
    leg = lin.state.leg
    request = page.Request("lin", 904, "192.0.2.7", restart(leg))
    house.sleep("agent:lin")
    house.tell("agent:lin", request, media.LegFailed(leg, "consent gone"))
    house.engine.fail(leg, "consent gone", house.now)
    house.wake("agent:lin")
    [answer] = [each.result for _, each in house.said if isinstance(each, Reply) and each.id == 904]
    assert code(answer) == "media_lost"
    assert lin.state.opening is None


def test_a_restart_that_is_overtaken_leaves_its_leg(house: House) -> None:
    lin = house.sitting("lin")
    leg = lin.state.leg
    first = page.Request("lin", 905, "192.0.2.7", restart(leg))
    second = page.Request("lin", 906, "192.0.2.7", restart(leg))
    house.tell("agent:lin", first, second)
    answers = {each.id: each.result for _, each in house.said if isinstance(each, Reply)}
    assert code(answers[905]) == "busy"
    assert isinstance(answers[906], page.Accepted)
    assert house.engine.legs == (leg,)


def test_an_access_point_is_asked_of_the_engine(house: House) -> None:
    lin = house.agent("lin")
    assert code(house.ask("lin", page.SignIn(sdp=PAGE_OFFER, access_point="nowhere"))) == "media_refused"
    assert isinstance(house.ask("lin", page.SignIn(sdp=PAGE_OFFER, access_point="main")), page.Accepted)
    assert house.engine.legs == (lin.state.leg,)


def test_a_caller_hears_a_prompt_while_the_agents_media_is_away(house: House) -> None:
    lin = house.sitting("lin")
    call = house.call()
    house.ask("lin", page.Answer())
    leg = lin.state.leg
    house.fact(*house.engine.fail(leg, "consent gone", house.now))
    assert house.heard() == "agent-away"
    assert house.events("lin")[-2:] == [page.MediaFailed("consent gone"), page.CallAway("c", house.now + 20)]
    assert phase(lin) is Phase.TALKING
    house.ask("lin", page.RenewMedia(PAGE_OFFER))
    house.fact(*house.engine.connect(lin.state.leg))
    assert house.engine.hears(call.state.leg) == {lin.state.leg: 1.0}


def test_the_old_leg_that_dies_under_a_renewal_gives_a_prompt_too(house: House) -> None:
    lin = house.sitting("lin")
    call = house.call()
    house.ask("lin", page.Answer())
    old = lin.state.leg
    house.ask("lin", page.RenewMedia(PAGE_OFFER))
    house.fact(*house.engine.fail(old, "closed by the page", house.now))
    assert house.heard() == "agent-away"
    house.fact(*house.engine.connect(lin.state.leg))
    assert house.engine.hears(call.state.leg) == {lin.state.leg: 1.0}


def test_a_second_request_before_the_engine_answered_is_told_from_the_first(house: House) -> None:
    lin = house.agent("lin")
    first = page.Request("lin", 901, "192.0.2.7", page.SignIn(sdp=PAGE_OFFER))
    second = page.Request("lin", 902, "192.0.2.7", page.SignIn(sdp=PAGE_OFFER))
    house.tell("agent:lin", first, second)
    answers = {each.id: each.result for _, each in house.said if isinstance(each, Reply)}
    assert code(answers[901]) == "busy"
    assert isinstance(answers[902], page.Accepted)
    assert house.engine.legs == (lin.state.leg,)


def test_a_page_that_left_before_its_leg_opened_leaves_no_leg(house: House) -> None:
    lin = house.agent("lin")
    house.tell("agent:lin", page.Request("lin", 903, "192.0.2.7", page.SignIn(sdp=PAGE_OFFER)), page.Detached("lin"))
    assert (lin.state.phase, lin.state.opening, house.engine.legs) == (Phase.SIGNED_OUT, None, ())


def test_signing_out_while_ringing_gives_the_call_its_place_back(house: House) -> None:
    house.robot("lin")
    house.call("first")
    house.after(2)
    house.call("second")
    assert house.ask("lin", page.SignOut()) == page.Accepted()
    assert house.events("lin")[-2:] == [
        page.CallWithdrawn("first", "signed out"),
        page.AgentState(page.State.SIGNED_OUT, "signed out", NOW + 2),
    ]
    queue = house.actors["queue:support"].state
    assert [(name, each.join.since, dict(each.rung)) for name, each in queue.calls.items()] == [
        ("first", NOW, {}),
        ("second", NOW + 2, {}),
    ]
    wei = house.robot("wei")
    assert wei.state.call is not None
    assert (wei.state.call.call, wei.state.call.waiting_since) == ("first", NOW)


def test_signing_out_in_a_call_is_refused(house: House) -> None:
    lin = house.robot("lin")
    house.call()
    house.ask("lin", page.Answer())
    for command in (
        page.SignOut(),
        page.SetState("break"),
        page.SetState("idle"),
        page.StartAnswering(),
        page.Decline(),
    ):
        assert code(house.ask("lin", command)) == "in_call"
    assert phase(lin) is Phase.TALKING


# --- ringing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "wins"), [(29.99, True), (29.999, True), (30.0, False), (30.01, False)])
def test_an_answer_at_29_99_s_wins_and_one_at_30_01_s_does_not(house: House, seconds: float, wins: bool) -> None:
    lin = house.robot("lin")
    house.call()
    house.until(NOW + seconds)
    reply = house.ask("lin", page.Answer())
    if wins:
        assert (reply, lin.state.phase) == (page.Accepted(), Phase.TALKING)
    else:
        assert code(reply) == "no_answer"
        assert (lin.state.phase, lin.state.reason, lin.state.since) == (Phase.ON_BREAK, "no answer", NOW + 30)
        assert house.events("lin")[-2:] == [
            page.CallWithdrawn("c", "no answer"),
            page.AgentState(page.State.BREAK, "no answer", NOW + 30),
        ]


def test_the_ring_time_is_the_queues() -> None:
    house = House()
    house.queue(ring_seconds=12.5)
    lin = house.robot("lin")
    house.call()
    offered = next(event for event in house.events("lin") if isinstance(event, page.CallOffered))
    assert offered.ring_until == NOW + 12.5
    house.until(NOW + 12.499)
    assert phase(lin) is Phase.RINGING
    house.until(NOW + 12.5)
    assert phase(lin) is Phase.ON_BREAK


def test_break_while_ringing_declines_that_offer(house: House) -> None:
    lin = house.robot("lin")
    house.call()
    assert code(house.ask("lin", page.SetState("idle"))) == "ringing"
    assert house.ask("lin", page.SetState("break")) == page.Accepted()
    assert (lin.state.phase, lin.state.reason) == (Phase.ON_BREAK, "chosen")
    assert house.ask("lin", page.SetState("idle")) == page.Accepted()
    house.until(NOW + 9.99)
    assert phase(lin) is Phase.IDLE
    house.until(NOW + 10)
    assert phase(lin) is Phase.RINGING


def test_media_that_fails_while_ringing_sends_the_call_on(house: House) -> None:
    lin = house.sitting("lin")
    house.call()
    assert phase(lin) is Phase.RINGING
    wei = house.robot("wei")
    house.fact(*house.engine.fail(lin.state.leg, "consent gone", house.now))
    assert (lin.state.phase, lin.state.ready) == (Phase.IDLE, False)
    assert wei.state.phase is Phase.RINGING


def test_a_page_that_goes_while_ringing_gives_the_call_back_at_once(house: House) -> None:
    lin, wei = house.robot("lin"), house.robot("wei")
    house.call()
    house.tell("agent:lin", page.Detached("lin"))
    assert (lin.state.phase, lin.state.ready, wei.state.phase) == (Phase.IDLE, False, Phase.RINGING)


def test_a_page_that_goes_while_idle_is_signed_out_after_20_s(house: House) -> None:
    lin = house.robot("lin")
    house.tell("agent:lin", page.Detached("lin"))
    house.call()
    house.until(NOW + 19.999)
    assert phase(lin) is Phase.IDLE
    house.until(NOW + 20)
    assert (lin.state.phase, lin.state.reason) == (Phase.SIGNED_OUT, "page gone")


def test_a_page_that_is_back_within_20_s_goes_on(house: House) -> None:
    lin = house.robot("lin")
    house.tell("agent:lin", page.Detached("lin"))
    house.until(NOW + 19)
    house.tell("agent:lin", page.Attached("again"))
    assert house.ask("lin", page.SignIn(media="none"), "again") == page.Accepted()
    house.until(NOW + 100)
    assert lin.state.ready


def test_two_queues_offering_one_agent_is_settled_by_the_agent() -> None:
    house = House()
    house.queue("support")
    house.queue("sales")
    lin = house.robot("lin", "support", "sales")
    house.sleep("agent:lin")
    for name in ("support", "sales"):
        house.spawn(f"call:{name}", Sleeper())
        house.tell(f"queue:{name}", queues.Join(name, "", "", "", house.now))
    house.wake("agent:lin")
    assert lin.state.call is not None
    assert lin.state.call.call == "support"
    assert house.actors["queue:sales"].state.calls["sales"].rung == {}
    house.ask("lin", page.Decline())
    assert lin.state.call.call == "sales"


class Sleeper:
    """A call that only waits."""

    state = None

    def receive(self, message: object, now: float) -> list[Effect]:
        return []

    def deadline(self) -> float:
        return float("inf")

    def wake(self, now: float) -> list[Effect]:
        raise AssertionError("nothing to wake for")

    def will(self, reason: str, now: float) -> list[Record]:
        return []


# --- crossings ----------------------------------------------------------------------------------------------------


def offer(call: str = "c") -> agents.Offer:
    return agents.Offer(call, "support", "Support", "", "", "", NOW, 30.0)


def test_what_takes_back_an_earlier_offer_leaves_the_one_that_rings(house: House) -> None:
    lin = house.robot("lin")
    house.call("first")
    house.ask("lin", page.Decline())
    house.call("second")
    assert lin.state.call is not None
    assert lin.state.call.call == "second"
    for message in (agents.Withdraw("first", "caller_left"), agents.Withdraw("first", "answered_elsewhere")):
        house.tell("agent:lin", message)  # said before its queue heard of the decline
        assert phase(lin) is Phase.RINGING
    house.ask("lin", page.Answer())
    assert phase(lin) is Phase.TALKING


def test_answer_crosses_the_callers_leave_before_the_call_heard_it(house: House) -> None:
    """The click is on its way as the caller hangs up: the call is gone when the answer gets there."""
    lin = house.robot("lin")
    house.call()
    house.sleep("call:c", "agent:lin")
    house.tell("call:c", LEFT)
    house.ask("lin", page.Answer())  # accepted later, when the agent gets to it
    house.wake("agent:lin")
    assert phase(lin) is Phase.ANSWERING
    house.wake("call:c")
    assert (lin.state.phase, lin.state.reason) == (Phase.IDLE, "caller left")
    assert house.events("lin")[-2:] == [
        page.CallWithdrawn("c", "caller left"),
        page.AgentState(page.State.IDLE, "caller left", NOW),
    ]


def test_answer_comes_after_the_caller_left(house: House) -> None:
    lin = house.robot("lin")
    house.call()
    house.tell("call:c", LEFT)
    assert code(house.ask("lin", page.Answer())) == "caller_left"
    assert code(house.ask("lin", page.Answer("c"))) == "caller_left"
    assert code(house.ask("lin", page.Answer("another"))) == "not_ringing"
    assert (lin.state.phase, lin.state.reason) == (Phase.IDLE, "caller left")


def test_the_call_took_the_answer_as_the_caller_left(house: House) -> None:
    """The answer was first: a call that was answered and ended, with its paperwork."""
    lin = house.robot("lin")
    house.call()
    house.sleep("call:c")
    house.ask("lin", page.Answer())
    house.tell("call:c", LEFT)
    house.wake("call:c")
    assert (lin.state.phase, lin.state.reason) == (Phase.AFTER_CALL_WORK, "caller hung up")
    assert house.events("lin")[-2:] == [
        page.CallEnded("c", "caller", "hung up"),
        page.AgentState(page.State.AFTER_CALL_WORK, "caller hung up", NOW),
    ]


def test_two_agents_accept_one_call_and_one_is_told_answered_elsewhere(house: House) -> None:
    lin, wei = house.robot("lin"), house.robot("wei")
    house.call()
    house.tell("agent:wei", offer())  # as a queue that rings all would
    house.sleep("call:c")
    assert house.ask("lin", page.Answer()) == house.ask("wei", page.Answer()) == page.Accepted()
    house.wake("call:c")
    assert (lin.state.phase, wei.state.phase) == (Phase.TALKING, Phase.IDLE)
    assert house.events("wei")[-2:] == [
        page.CallWithdrawn("c", "answered elsewhere"),
        page.AgentState(page.State.IDLE, "answered elsewhere", NOW),
    ]
    assert code(house.ask("wei", page.Answer())) == "answered_elsewhere"
    assert not any(isinstance(event, page.CallConnected | page.CallEnded) for event in house.events("wei"))
    house.after(60)
    assert wei.state.phase is Phase.IDLE  # nothing missed


def test_an_answer_that_no_call_hears_leaves_nobody_hanging(house: House) -> None:
    """The call is stuck for longer than the offer lasts: whoever clicked is idle again, and one agent has the call."""
    lin, wei = house.robot("lin"), house.robot("wei")
    call = house.call()
    house.sleep("call:c")
    house.ask("lin", page.Answer())
    house.until(NOW + 35)
    assert (lin.state.phase, lin.state.reason, wei.state.phase) == (Phase.IDLE, "no answer", Phase.RINGING)
    house.ask("wei", page.Answer())
    house.wake("call:c")
    assert (lin.state.phase, wei.state.phase) == (Phase.RINGING, Phase.IDLE)
    house.ask("lin", page.Answer())
    assert (lin.state.phase, call.state.phase, call.state.agent) == (Phase.TALKING, calls.Phase.TALKING, "lin")


def test_a_call_that_joins_an_agent_who_talks_to_another_is_sent_back(house: House) -> None:
    lin = house.sitting("lin")
    mine = house.call("mine")
    house.ask("lin", page.Answer())
    other = house.call("other")
    house.tell("call:other", calls.Accept("lin", lin.state.leg))
    assert (mine.state.phase, other.state.phase) == (calls.Phase.TALKING, calls.Phase.WAITING)
    assert house.engine.hears(lin.state.leg) == {mine.state.leg: 1.0}
    assert house.heard("other") == "music"
    for message in (
        agents.Lost("other", "answered_elsewhere"),
        agents.Ended("other", "caller", ""),
        Down("call:x", ""),
    ):
        house.tell("agent:lin", message)
    assert phase(lin) is Phase.TALKING


def test_a_call_that_joins_an_agent_who_left_is_sent_back_and_not_heard(house: House) -> None:
    lin = house.sitting("lin")
    call = house.call()
    house.ask("lin", page.SetState("break"))
    house.tell("call:c", calls.Accept("lin", lin.state.leg))
    assert call.state.phase is calls.Phase.WAITING
    assert house.engine.hears(lin.state.leg) == {}
