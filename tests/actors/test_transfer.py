"""Calls that are given away, and conversations of three: what each party hears, and where nobody wants the call."""

from __future__ import annotations

import math

import pytest
from cordboard.actors import agent_state as agents
from cordboard.actors import call_state as calls
from cordboard.actors import page, records, signals
from cordboard.actors.customs import CUSTOMS
from cordboard.actors.directory import Directory
from cordboard.actors.parties import Standing
from cordboard.actors.routes import ToQueue

from .house import NOW, code
from .party import TALKS, Centre

LEFT = signals.Released("c", "hung up", by_caller=True)
RINGS = {"customer": "ringback:CN", "lin": "", "left": "customer", "right": ""}
WITH_WEI = {"customer": "wei", "wei": "customer", "lin": "", "left": "customer", "right": "wei"}
THREE = {"customer": "lin wei", "lin": "customer wei", "wei": "customer lin", "left": "customer", "right": "lin wei"}


@pytest.fixture
def centre() -> Centre:
    return Centre().begin().answered()


# --- to a colleague -----------------------------------------------------------------------------------------------


def test_the_agent_is_free_at_once_and_the_customer_hears_it_ring(centre: Centre) -> None:
    centre.after(10)
    centre.do("lin", page.Transfer("wei"))
    assert (centre.ears(), centre.phases()) == (RINGS, ("after_call_work", "ringing"))
    assert centre.told("lin", page.CallEnded) == [page.CallEnded("c", "agent", "transferred")]
    (offered,) = centre.told("wei", page.CallOffered)
    assert (offered.purpose, offered.by_name, offered.ring_until) == ("transfer", "Lin", NOW + 45)
    centre.after(4)
    centre.do("wei", page.Answer())
    assert (centre.ears(), centre.phases()) == (WITH_WEI, ("after_call_work", "talking"))
    assert [each.second for each in centre.told("wei", page.CallParties) if isinstance(each, page.CallParties)] == [
        None
    ]
    talks = {each.agent: (each.decided, each.ended) for each in centre.kept(records.OfferEntry)}
    assert talks == {"lin": (NOW + 5, NOW + 15), "wei": (NOW + 19, None)}
    assert [each.purpose for each in centre.kept(records.OfferEntry)] == ["queue", "transfer"]
    (kept,) = centre.kept(records.TransferEntry)
    assert kept == records.TransferEntry("c", 1, "agent", "lin", NOW + 15, "wei", outcome="connected")


def test_a_customer_who_was_held_is_not_when_it_is_given_away(centre: Centre) -> None:
    centre.do("lin", page.Hold(), page.Transfer("wei"))
    assert centre.ears() == RINGS
    centre.do("wei", page.Answer())
    assert centre.ears() == WITH_WEI


@pytest.mark.parametrize(("act", "why"), [(page.Decline(), "declined"), (page.SignOut(), "gone"), (None, "no_answer")])
def test_nobody_wants_it_and_it_rings_at_who_gave_it_away(centre: Centre, act: page.Command | None, why: str) -> None:
    centre.do("lin", page.Transfer("wei"))
    centre.do("wei", act) if act is not None else centre.after(30)
    assert centre.ears() == RINGS
    assert centre.phases("lin") == ("ringing",)
    (kept,) = centre.kept(records.TransferEntry)
    assert kept == records.TransferEntry("c", 1, "agent", "lin", NOW + 5, "wei", outcome="returned", why=why)
    returned = centre.told("lin", page.CallOffered)[-1]
    assert (returned.purpose, returned.by, returned.by_name, returned.why) == ("returned", "wei", "Wei", why)
    assert returned.ring_until == centre.now + 20
    centre.do("lin", page.Answer())
    assert centre.ears() == TALKS
    assert centre.phases("lin") == ("talking",)


@pytest.mark.parametrize("act", [page.Decline(), None])
def test_who_does_not_take_it_back_goes_on_with_the_paperwork(centre: Centre, act: page.Command | None) -> None:
    centre.do("lin", page.Transfer("wei"))
    centre.do("wei", page.Decline())
    assert centre.phases() == ("ringing", "idle")
    centre.after(20) if act is None else centre.do("lin", act)
    state = centre.one("lin").state
    assert (state.phase.value, state.reason) == ("after_call_work", "transferred")
    assert state.last is not None
    waiting = centre.actors["queue:support"].state.calls["c"]
    assert (waiting.join.again, waiting.join.since, list(waiting.rung)) == (True, NOW, ["wei"])
    centre.do("wei", page.Answer())
    assert centre.ears() == WITH_WEI


@pytest.mark.parametrize("leaves", [page.Decline(), LEFT, None])
def test_a_call_that_comes_back_in_vain_gives_the_paperwork_no_more_time_than_was_left(
    leaves: page.Command | signals.Released | None,
) -> None:
    """... nor less: the time in which it rang is not counted."""
    centre = Centre()
    centre.spawn("directory", Directory())
    centre.queue(wrap_up_seconds=15.0)
    for name in ("lin", "wei"):
        centre.sitting(name)
    centre.answered().do("lin", page.Transfer("wei"))
    assert centre.one("lin").state.work_until == NOW + 5 + 15
    centre.after(4)
    centre.do("wei", page.Decline())
    assert (centre.phases("lin"), centre.one("lin").state.work_until) == (("ringing",), math.inf)
    centre.after(7 if leaves is not None else 20)
    if isinstance(leaves, page.Decline):
        centre.do("lin", leaves)
    elif leaves is not None:
        centre.tell("call:c", leaves)
    rang = 20 if leaves is None else 7
    until = NOW + 5 + 15 + rang
    work = page.AgentState(page.State.AFTER_CALL_WORK, "transferred", NOW + 5 + 4 + rang, until)
    assert centre.told("lin", page.AgentState)[-1] == work
    centre.until(until - 0.001)
    assert centre.phases("lin") == ("after_call_work",)
    centre.until(until)
    assert centre.phases("lin") == ("idle",)


@pytest.mark.parametrize("busy", [page.StartAnswering(), page.SetState("break"), page.SignOut()])
def test_who_is_elsewhere_by_then_is_asked_only_if_idle(centre: Centre, busy: page.Command) -> None:
    centre.do("lin", page.Transfer("wei"), busy)
    centre.do("zoe", page.SetState("break"))
    centre.do("wei", page.Decline())
    idle = isinstance(busy, page.StartAnswering)
    assert centre.standing is (Standing.RETURNED if idle else calls.Phase.WAITING)
    assert (
        centre.phases("lin")[0]
        == {"StartAnswering": "ringing", "SetState": "break", "SignOut": "signed_out"}[type(busy).__name__]
    )
    if idle:
        centre.after(20)
        assert centre.phases("lin") == ("break",)
        assert centre.standing is calls.Phase.WAITING


def test_the_customer_leaves_while_it_rings(centre: Centre) -> None:
    centre.do("lin", page.Transfer("wei"))
    centre.tell("call:c", LEFT)
    assert centre.phases() == ("after_call_work", "idle")
    assert centre.told("wei", page.CallWithdrawn) == [page.CallWithdrawn("c", "caller left")]
    assert "call:c" not in centre.actors


def test_the_customer_leaves_while_it_comes_back(centre: Centre) -> None:
    centre.do("lin", page.Transfer("wei"))
    centre.do("wei", page.Decline())
    centre.tell("call:c", LEFT)
    assert centre.phases() == ("after_call_work", "idle")
    state = centre.one("lin").state
    assert state.last is not None
    assert state.call is not None


def test_both_agents_die_and_the_customer_waits_at_the_front(centre: Centre) -> None:
    centre.do("lin", page.Transfer("wei"))
    centre.crash("agent:lin")
    centre.crash("agent:wei")
    assert centre.standing is calls.Phase.WAITING
    assert centre.ears()["customer"] == "music"


def test_ten_times_is_enough(centre: Centre) -> None:
    two = ["lin", "wei"]
    for _ in range(CUSTOMS.transfers):
        giver, taker = two
        centre.do(giver, page.Transfer(taker))
        centre.do(taker, page.Answer())
        centre.do(giver, page.StartAnswering())
        two.reverse()
    giver, taker = two
    for act in (page.Transfer(taker), page.Transfer(queue="sales")):
        assert code(centre.ask(giver, act)) == "too_many_transfers"
    centre.do(giver, page.Consult(taker))
    assert code(centre.ask(giver, page.Complete())) == "too_many_transfers"
    centre.do(taker, page.Answer())
    centre.do(giver, page.Merge(), page.HangUp())
    assert centre.phases(taker) == ("talking",)


# --- to a queue ---------------------------------------------------------------------------------------------------


def test_to_a_queue_with_the_time_that_it_has_waited(centre: Centre) -> None:
    known = agents.QueueKnown("sales", "Sales", "hold")
    profile = centre.one("lin").state.profile
    centre.tell("agent:lin", type(profile)("lin", "Lin", (agents.Skill("support"),), queues=(known,)))
    centre.agent("max", "sales")
    centre.do("lin", page.Hold(), page.Transfer(queue="sales"))
    assert centre.phases("lin") == ("after_call_work",)
    assert centre.the_call.state.route == ToQueue("sales")
    assert centre.actors["queue:sales"].state.calls["c"].join.since == NOW
    assert centre.actors["queue:support"].state.calls == {}
    assert (centre.ears()["lin"], centre.ears()["right"]) == ("", "")
    centre.sitting("kim", "sales")
    centre.do("kim", page.Answer())
    assert centre.ears()["customer"] == "kim"
    assert centre.told("kim", page.CallOffered)[0].queue == "sales"


# --- three --------------------------------------------------------------------------------------------------------


def test_who_is_invited_rings_while_the_two_go_on(centre: Centre) -> None:
    centre.do("lin", page.Invite("wei"))
    assert (centre.ears(), centre.phases()) == (TALKS, ("talking", "ringing"))
    assert centre.told("wei", page.CallOffered)[0].purpose == "three_way"
    centre.do("wei", page.Answer())
    assert centre.ears() == THREE


@pytest.mark.parametrize(("act", "why"), [(page.Decline(), "declined"), (None, "no_answer")])
def test_who_does_not_come_changes_nothing(centre: Centre, act: page.Command | None, why: str) -> None:
    centre.do("lin", page.Invite("wei"))
    centre.do("wei", act) if act is not None else centre.after(30)
    assert (centre.ears(), centre.standing) == (TALKS, Standing.TALKING)
    (over,) = centre.told("lin", page.CallSecondOver)
    assert (over.purpose, over.why) == ("three_way", why)


def three(centre: Centre) -> Centre:
    centre.do("lin", page.Invite("wei"))
    centre.do("wei", page.Answer())
    return centre


def test_the_third_leaves_and_it_is_a_call_as_any(centre: Centre) -> None:
    three(centre)
    centre.do("wei", page.HangUp())
    assert (centre.ears(), centre.phases()) == (TALKS, ("talking", "after_call_work"))
    centre.do("wei", page.StartAnswering())
    three(centre)
    centre.do("lin", page.Cancel())
    assert (centre.ears(), centre.phases()) == (TALKS, ("talking", "after_call_work"))


def test_the_agent_leaves_and_the_third_goes_on_with_the_customer(centre: Centre) -> None:
    three(centre)
    centre.do("lin", page.HangUp())
    assert (centre.ears(), centre.phases()) == (WITH_WEI, ("after_call_work", "talking"))
    assert centre.told("wei", page.CallParties)[-1] == page.CallParties("c")
    centre.do("wei", page.HangUp())
    assert "call:c" not in centre.actors


def test_the_agent_is_gone_and_the_third_goes_on(centre: Centre) -> None:
    three(centre).after(2)
    voice = centre.one("lin").state.voice
    centre.tell("agent:lin", page.Detached("lin"))
    centre.fact(*centre.engine.silence(voice, 0.5))
    assert centre.ears() == {
        "customer": "wei", "lin": "customer wei", "wei": "customer", "left": "customer", "right": "wei",
    }  # fmt: skip
    centre.after(20)
    assert (centre.ears(), centre.phases()) == (
        {each: who for each, who in WITH_WEI.items() if who},
        ("signed_out", "talking"),
    )


def test_the_customer_leaves_and_all_hear_so(centre: Centre) -> None:
    three(centre)
    centre.tell("call:c", LEFT)
    assert centre.phases() == ("after_call_work", "after_call_work")
    assert set(centre.ears().values()) == {""}


def test_a_hold_among_three_is_the_customers_alone(centre: Centre) -> None:
    three(centre)
    centre.do("lin", page.Hold())
    assert centre.ears() == {"customer": "on-hold", "lin": "wei", "wei": "lin", "left": "", "right": ""}
    centre.do("lin", page.Retrieve())
    assert centre.ears() == THREE
    centre.do("lin", page.Hold(), page.Merge())
    assert centre.ears() == THREE
    centre.do("lin", page.Hold(), page.HangUp())
    assert (centre.ears(), centre.standing) == (WITH_WEI, Standing.TALKING)


def test_a_hold_while_it_rings_lasts_when_it_is_answered(centre: Centre) -> None:
    centre.do("lin", page.Invite("wei"), page.Hold())
    assert centre.ears() == {"customer": "on-hold", "lin": "ringback:CN", "left": "", "right": ""}
    centre.do("wei", page.Answer())
    assert centre.ears() == {"customer": "on-hold", "lin": "wei", "wei": "lin", "left": "", "right": ""}
    centre.do("wei", page.HangUp())
    assert centre.standing is Standing.HELD
    assert code(centre.ask("lin", page.Invite("zoe"))) == "on_hold"
    centre.do("lin", page.Retrieve(), page.Invite("zoe"), page.Hold(), page.Retrieve())
    assert centre.ears() == TALKS
    centre.do("lin", page.Hold(), page.Cancel())
    assert centre.standing is Standing.HELD


def test_keys_go_to_the_far_side_from_all_who_talk_with_it(centre: Centre) -> None:
    three(centre)
    sent = centre.engine.sent
    centre.tell("call:c", calls.AgentDigit("lin", "1"), calls.AgentDigit("wei", "2"), calls.AgentDigit("zoe", "3"))
    assert sent("call:c/caller") == "12"
    centre.do("lin", page.Hold())
    centre.tell("call:c", calls.AgentDigit("lin", "4"))
    centre.do("lin", page.Cancel(), page.Consult("zoe"))
    centre.do("zoe", page.Answer())
    centre.do("lin", page.Swap())
    centre.tell("call:c", calls.AgentDigit("zoe", "5"), calls.AgentDigit("lin", "6"))
    assert sent("call:c/caller") == "126"
