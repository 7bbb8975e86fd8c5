"""Consulting a colleague: what each party hears after each step, what pages are told, and what is kept."""

from __future__ import annotations

import pytest
from cordboard.actors import agent_state as agents
from cordboard.actors import call_state as calls
from cordboard.actors import page, records, signals
from cordboard.actors import queue_state as queues
from cordboard.actors.effects import Tell
from cordboard.actors.parties import Standing
from cordboard.switch import protocol as media

from .house import CALLER, NOW, PAGE_OFFER, code
from .party import HELD, LEG, TALKS, Centre, second

RINGS = {"customer": "on-hold", "lin": "ringback:CN", "left": "", "right": ""}
CONSULTS = {"customer": "on-hold", "lin": "wei", "wei": "lin", "left": "", "right": ""}
SWAPPED = {**TALKS, "wei": "on-hold"}
THREE = {"customer": "lin wei", "lin": "customer wei", "wei": "customer lin", "left": "customer", "right": "lin wei"}
LEFT = signals.Released("c", "hung up", by_caller=True)


@pytest.fixture
def centre() -> Centre:
    return Centre().begin().answered()


def consulting(centre: Centre) -> Centre:
    centre.do("lin", page.Consult("wei"))
    centre.do("wei", page.Answer())
    assert centre.ears() == CONSULTS
    return centre


def test_a_colleague_rings_while_the_customer_is_held(centre: Centre) -> None:
    assert centre.ears() == TALKS
    centre.do("lin", page.Consult("wei"))
    assert centre.ears() == RINGS
    assert centre.phases() == ("talking", "ringing")
    (offered,) = centre.told("wei", page.CallOffered)
    assert offered == page.CallOffered(
        "c", "support", "Support", CALLER, "Wang", "+861055501000", NOW, NOW + 5, NOW + 35,
        purpose="consult", by="lin", by_name="Lin",
    )  # fmt: skip
    assert centre.told("lin", page.CallParties)[-1] == page.CallParties(
        "c", "agent", True, NOW + 5, second("wei", state="ringing")
    )
    centre.do("wei", page.Answer())
    assert centre.ears() == CONSULTS
    assert centre.phases() == ("talking", "talking")
    consulted = page.CallParties("c", "agent", True, NOW + 5, second("wei"))
    assert centre.told("lin", page.CallParties)[-1] == consulted
    assert centre.told("wei", page.CallParties) == [
        page.CallParties("c", "second", True, NOW + 5, second("wei"), "lin", "Lin")
    ]
    (connected,) = centre.told("wei", page.CallConnected)
    assert (connected.purpose, connected.by, connected.by_name, connected.number) == ("consult", "lin", "Lin", CALLER)


def test_complete_gives_the_call_to_whom_was_consulted(centre: Centre) -> None:
    consulting(centre).after(10)
    centre.do("lin", page.Complete())
    assert centre.ears() == {"customer": "wei", "wei": "customer", "lin": "", "left": "customer", "right": "wei"}
    assert centre.phases() == ("after_call_work", "talking")
    assert centre.one("lin").state.reason == "transferred"
    assert centre.told("lin", page.CallEnded) == [page.CallEnded("c", "agent", "transferred")]
    assert centre.told("wei", page.CallParties)[-1] == page.CallParties("c")
    assert [(each.party, each.began, each.ended) for each in centre.kept(records.LegEntry)] == [
        ("caller", NOW, None),
        ("lin", NOW + 5, NOW + 15),
        ("wei", NOW + 5, None),
    ]  # fmt: skip
    centre.do("wei", page.Hold(), page.Retrieve(), page.HangUp())
    assert centre.phases() == ("after_call_work", "after_call_work")
    assert "call:c" not in centre.actors
    talks = {each.agent: (each.decided, each.ended) for each in centre.kept(records.OfferEntry)}
    assert talks == {"lin": (NOW + 5, NOW + 15), "wei": (NOW + 5, NOW + 15)}


def test_complete_while_it_rings_is_a_transfer_from_there(centre: Centre) -> None:
    centre.do("lin", page.Consult("wei"), page.Complete())
    assert centre.ears() == {"customer": "ringback:CN", "lin": "", "left": "customer", "right": ""}
    assert centre.phases() == ("after_call_work", "ringing")
    centre.do("wei", page.Answer())
    assert centre.ears() == {"customer": "wei", "wei": "customer", "lin": "", "left": "customer", "right": "wei"}


def test_cancel_is_back_with_the_customer(centre: Centre) -> None:
    centre.do("lin", page.Consult("wei"), page.Cancel())
    assert (centre.ears(), centre.phases()) == (TALKS, ("talking", "idle"))
    assert centre.told("wei", page.CallWithdrawn) == [page.CallWithdrawn("c", "taken back")]
    assert code(centre.ask("wei", page.Answer())) == "taken_back"
    consulting(centre)
    centre.do("lin", page.Cancel())
    assert (centre.ears(), centre.phases()) == (TALKS, ("talking", "after_call_work"))
    assert centre.told("wei", page.CallEnded) == [page.CallEnded("c", "agent", "the other agent ended it")]
    assert centre.told("lin", page.CallParties)[-1] == page.CallParties("c")
    assert centre.told("lin", page.CallSecondOver) == []


def test_both_agents_are_told_whose_sound_does_not_get_through_and_who_comes_later_too(
    centre: Centre,
) -> None:
    unheard, well = page.CallSound("c", caller_heard=False), page.CallSound("c")
    consulting(centre)
    centre.do("lin", page.Merge())
    centre.after(3)
    centre.fact(media.LegWays(LEG, comes=False, goes=True))
    assert centre.told("lin", page.CallSound) == centre.told("wei", page.CallSound) == [unheard]
    centre.do("lin", page.Cancel(), page.Invite("zoe"))
    centre.do("zoe", page.Answer())
    assert centre.told("zoe", page.CallSound) == [unheard]
    centre.after(2)
    centre.fact(media.LegWays(LEG, comes=True, goes=True))
    assert centre.told("lin", page.CallSound) == centre.told("zoe", page.CallSound) == [unheard, well]
    assert centre.told("wei", page.CallSound) == [unheard]  # who had left by then


def test_who_was_told_of_the_sound_is_not_told_again_as_it_gets_the_call(centre: Centre) -> None:
    consulting(centre)
    centre.after(3)
    centre.fact(media.LegWays(LEG, comes=False, goes=True))
    centre.do("lin", page.Complete())
    assert centre.told("wei", page.CallSound) == [page.CallSound("c", caller_heard=False)]


def test_swap_lets_one_wait_while_the_other_talks(centre: Centre) -> None:
    consulting(centre)
    centre.do("lin", page.Swap())
    assert centre.ears() == SWAPPED
    assert centre.told("wei", page.CallParties)[-1] == page.CallParties(
        "c", "second", False, None, second("wei", held=True), "lin", "Lin"
    )
    centre.do("lin", page.Retrieve())
    assert centre.ears() == SWAPPED
    assert code(centre.ask("lin", page.Hold())) == "second_there"
    centre.do("lin", page.Swap())
    assert centre.ears() == CONSULTS
    centre.do("lin", page.Hold())
    assert code(centre.ask("lin", page.Retrieve())) == "second_there"
    centre.do("lin", page.Swap(), page.Cancel())
    assert centre.ears() == TALKS
    assert [each.ended is not None for each in centre.kept(records.HoldEntry)] == [True, True]


def test_who_is_let_in_where_it_had_gone_hears_on_what_it_heard(centre: Centre) -> None:
    """An offer that it had given up is answered after all, late: its ear is taken out of that call, and of no other."""
    consulting(centre)
    centre.do("lin", page.Swap())
    centre.tell("agent:wei", agents.Joined("another"))
    assert ("call:another", calls.AgentGone("wei")) in centre.dead_letters
    assert centre.ears() == SWAPPED


def test_who_is_let_in_where_it_had_gone_is_away_on_where_it_is_away(centre: Centre) -> None:
    centre.fact(*centre.engine.uncheck(centre.one("lin").state.voice, 10.0))
    assert centre.heard("c") == "agent-away"
    centre.tell("agent:lin", agents.Joined("another"))
    assert centre.heard("c") == "agent-away"


def test_merge_is_a_conversation_of_three(centre: Centre) -> None:
    consulting(centre)
    centre.do("lin", page.Merge())
    assert centre.ears() == THREE
    assert centre.told("lin", page.CallParties)[-1] == page.CallParties(
        "c", "agent", False, None, second("wei", purpose="three_way")
    )
    centre.do("lin", page.Merge(), page.Cancel())
    assert centre.ears() == TALKS
    centre.do("wei", page.StartAnswering())
    consulting(centre)
    centre.do("lin", page.Swap(), page.Merge())
    assert centre.ears() == THREE


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (page.Decline(), "declined"),
        (page.SetState("break"), "declined"),
        (page.SignOut(), "gone"),
        (None, "no_answer"),
    ],
)
def test_a_colleague_who_does_not_answer_leaves_the_customer_held(
    centre: Centre, act: page.Command | None, why: str
) -> None:
    centre.do("lin", page.Consult("wei"))
    centre.do("wei", act) if act is not None else centre.after(30)
    assert centre.standing is Standing.HELD
    assert centre.ears() == HELD
    assert centre.told("lin", page.CallSecondOver) == [
        page.CallSecondOver("c", "consult", "agent", "wei", "Wei", "", why, page.FAILURES[why])
    ]
    centre.do("lin", page.Retrieve())
    assert centre.ears() == TALKS


def test_a_colleague_who_dies_while_it_rings_or_talks(centre: Centre) -> None:
    centre.do("lin", page.Consult("wei"))
    centre.crash("agent:wei")
    assert centre.standing is Standing.HELD
    centre.do("lin", page.Consult("zoe"))
    centre.do("zoe", page.Answer())
    centre.crash("agent:zoe")
    assert centre.ears() == HELD
    assert [each.why for each in centre.told("lin", page.CallSecondOver)] == ["gone", "gone"]


def test_whom_is_consulted_hangs_up(centre: Centre) -> None:
    consulting(centre)
    centre.do("wei", page.HangUp())
    assert (centre.ears(), centre.phases()) == (HELD, ("talking", "after_call_work"))
    assert centre.told("lin", page.CallSecondOver)[-1] == page.CallSecondOver(
        "c", "consult", "agent", "wei", "Wei", "", "hung_up", page.FAILURES["hung_up"]
    )
    centre.do("wei", page.StartAnswering())
    centre.do("lin", page.Consult("wei"))
    centre.do("wei", page.Answer())
    centre.do("lin", page.Swap())
    centre.do("wei", page.HangUp())
    assert centre.ears() == TALKS


@pytest.mark.parametrize("answered", [False, True])
def test_the_customer_leaves_and_all_of_it_is_over(centre: Centre, answered: bool) -> None:
    centre.do("lin", page.Consult("wei"))
    if answered:
        centre.do("wei", page.Answer())
    centre.tell("call:c", LEFT)
    assert "call:c" not in centre.actors
    assert centre.phases() == ("after_call_work", "after_call_work" if answered else "idle")
    assert centre.told("lin", page.CallEnded) == [page.CallEnded("c", "caller", "hung up")]
    if answered:
        assert centre.told("wei", page.CallEnded) == [page.CallEnded("c", "caller", "hung up")]
    assert set(centre.ears().values()) == {""}


@pytest.mark.parametrize("answered", [False, True])
def test_the_agent_hangs_up_and_all_of_it_is_over(centre: Centre, answered: bool) -> None:
    centre.do("lin", page.Consult("wei"))
    if answered:
        centre.do("wei", page.Answer())
    centre.do("lin", page.HangUp())
    assert "call:c" not in centre.actors
    assert centre.phases() == ("after_call_work", "after_call_work" if answered else "idle")
    assert isinstance(centre.sip()[-1], signals.Release)
    assert set(centre.ears().values()) == {""}


@pytest.mark.parametrize("answered", [False, True])
def test_an_agent_who_does_not_come_back_leaves_nobody_held(centre: Centre, answered: bool) -> None:
    centre.do("lin", page.Consult("wei"))
    if answered:
        centre.do("wei", page.Answer())
    centre.after(2)
    voice = centre.one("lin").state.voice
    centre.tell("agent:lin", page.Detached("lin"))
    centre.fact(*centre.engine.silence(voice, 0.5))
    assert centre.ears() == ({**CONSULTS, "wei": "agent-away"} if answered else RINGS)
    centre.after(21)
    assert centre.standing is calls.Phase.WAITING
    assert centre.ears()["customer"] == "music"
    assert centre.phases() == ("signed_out", "after_call_work" if answered else "idle")
    assert "wei" not in centre.ears()
    again = centre.actors["queue:support"].state.calls["c"]
    assert (again.join.again, again.join.since) == (True, NOW)


def test_a_page_that_reloads_finds_all_of_it(centre: Centre) -> None:
    consulting(centre)
    for name, role in (("lin", "agent"), ("wei", "second")):
        voice = centre.one(name).state.voice
        centre.tell(f"agent:{name}", page.Detached(name))
        centre.fact(*centre.engine.silence(voice, 0.5))
        centre.tell(f"agent:{name}", page.Attached("again"))
        snapshot = centre.ask(name, page.GetSnapshot(), "again")
        assert isinstance(snapshot, page.Snapshot)
        assert snapshot.parties is not None
        assert (snapshot.parties.role, snapshot.parties.customer_held) == (role, True)
        assert snapshot.parties.second == second("wei")
        centre.ask(name, page.Resume(voice), "again")
        centre.fact(*centre.engine.hear(voice))
        assert centre.ears() == CONSULTS


@pytest.mark.parametrize("name", ["lin", "wei"])
def test_a_new_leg_of_either_agent_takes_the_place_of_its_old_one(centre: Centre, name: str) -> None:
    """A page that reloads brings another, which counts from when it is connected."""
    consulting(centre)
    old = centre.one(name).state.voice
    assert isinstance(centre.ask(name, page.RenewMedia(PAGE_OFFER)), page.Accepted)
    assert (centre.one(name).state.voice, centre.ears()) == (old, CONSULTS)
    centre.fact(*centre.engine.connect(centre.one(name).state.leg))
    assert centre.one(name).state.voice != old
    assert centre.ears() == CONSULTS
    centre.do("lin", page.Merge())
    assert centre.ears() == THREE


def test_mutes_stay_with_who_is_muted(centre: Centre) -> None:
    consulting(centre)
    centre.do("wei", page.Mute())
    assert centre.ears() == {**CONSULTS, "lin": ""}
    centre.do("lin", page.Mute(), page.Merge())
    assert centre.ears() == {"customer": "", "lin": "customer", "wei": "customer", "left": "customer", "right": ""}
    centre.do("wei", page.Unmute())
    assert centre.ears() == {
        "customer": "wei", "lin": "customer wei", "wei": "customer", "left": "customer", "right": "wei",
    }  # fmt: skip
    centre.do("lin", page.HangUp())
    assert centre.ears() == {"customer": "wei", "wei": "customer", "lin": "", "left": "customer", "right": "wei"}


def test_whose_call_it_is_from_now_on_stays_muted(centre: Centre) -> None:
    consulting(centre)
    centre.do("wei", page.Mute())
    centre.do("lin", page.Complete())
    muted = {"customer": "", "wei": "customer", "lin": "", "left": "customer", "right": ""}
    assert centre.ears() == muted
    centre.do("wei", page.Hold(), page.Retrieve())
    assert centre.ears() == muted
    centre.do("wei", page.Unmute())
    assert centre.ears() == {**muted, "customer": "wei", "right": "wei"}


# --- crossings ----------------------------------------------------------------------------------------------------


def test_an_answer_that_crosses_the_cancel_is_told_so(centre: Centre) -> None:
    centre.do("lin", page.Consult("wei"))
    centre.sleep("call:c")
    centre.do("lin", page.Cancel())
    centre.do("wei", page.Answer())
    centre.wake("call:c")
    assert (centre.ears(), centre.phases()) == (TALKS, ("talking", "idle"))
    assert centre.told("wei", page.CallWithdrawn) == [page.CallWithdrawn("c", "taken back")]


def test_a_decline_of_an_earlier_offer_is_not_one_of_the_next(centre: Centre) -> None:
    centre.do("lin", page.Consult("wei"))
    centre.sleep("call:c")
    centre.do("lin", page.Cancel())
    centre.do("wei", page.Decline())
    centre.wake("call:c")
    centre.do("lin", page.Consult("wei"))
    assert centre.phases() == ("talking", "ringing")
    stale = queues.OfferOver("c", "wei", queues.GaveBack.DECLINED, 1)
    centre.tell("call:c", stale)
    assert centre.standing is Standing.CONSULT_RINGS
    centre.do("wei", page.Answer())
    assert centre.ears() == CONSULTS


def test_an_answer_to_an_earlier_offer_is_none_to_the_next(centre: Centre) -> None:
    """The click had crossed both that it was cancelled and that it was asked for anew."""
    centre.do("lin", page.Consult("wei"), page.Cancel(), page.Consult("wei"))
    assert centre.phases() == ("talking", "ringing")
    centre.tell("call:c", calls.Accept("wei", centre.one("wei").state.voice, "call:c", 1))
    assert (centre.standing, centre.phases(), centre.ears()) == (
        Standing.CONSULT_RINGS,
        ("talking", "ringing"),
        RINGS,
    )
    centre.do("wei", page.Answer())
    assert centre.ears() == CONSULTS


def test_what_the_call_has_come_to_meanwhile_is_late_by_name(centre: Centre) -> None:
    consulting(centre)
    for command in (page.Complete(), page.Cancel(), page.Swap(), page.Merge()):
        centre.sleep("call:c")
        centre.do("wei", page.HangUp())
        centre.do("lin", command)
        centre.wake("call:c")
        assert centre.ears() == HELD
        centre.do("wei", page.StartAnswering())
        consulting(centre)
    assert centre.late() == ["Complete", "Cancel", "Swap", "Merge"]


def test_the_customer_leaves_as_the_agent_completes(centre: Centre) -> None:
    consulting(centre)
    centre.sleep("call:c")
    centre.tell("call:c", LEFT)
    centre.do("lin", page.Complete())
    centre.wake("call:c")
    assert centre.phases() == ("after_call_work", "after_call_work")
    assert set(centre.ears().values()) == {""}


def test_a_target_that_is_no_longer_idle_when_it_is_offered_the_call(centre: Centre) -> None:
    centre.sleep("agent:wei")
    centre.do("lin", page.Consult("wei"))
    centre.tell("agent:wei", page.Request("wei", 99, "", page.SetState("break")))
    centre.mail["agent:wei"].rotate(1)
    centre.wake("agent:wei")
    assert centre.standing is Standing.HELD
    assert [each.why for each in centre.told("lin", page.CallSecondOver)] == ["not_idle"]


def test_an_offer_of_which_nothing_is_heard_is_over_by_itself(centre: Centre) -> None:
    centre.sleep("agent:wei")
    centre.do("lin", page.Consult("wei"))
    centre.after(30 + queues.OFFER_GRACE)
    assert centre.standing is Standing.HELD
    centre.wake("agent:wei")
    assert centre.phases() == ("talking", "idle")


def test_a_call_that_died_takes_both_agents_along(centre: Centre) -> None:
    consulting(centre)
    centre.crash("call:c")
    assert centre.phases() == ("after_call_work", "after_call_work")


# --- refusals -----------------------------------------------------------------------------------------------------

EVERY_ACT = (
    page.Hold(),
    page.Retrieve(),
    page.Consult("zoe"),
    page.Invite("zoe"),
    page.Transfer("zoe"),
    page.Complete(),
    page.Cancel(),
    page.Swap(),
    page.Merge(),
)


def refusals(centre: Centre, agent: str) -> list[str]:
    """The code that each act is refused with there, "" where it is accepted: asked of a call that does not hear it."""
    centre.sleep("call:c", "directory")
    before = centre.one(agent).state
    codes = []
    for act in EVERY_ACT:
        reply = centre.ask(agent, act)
        codes.append("" if not isinstance(reply, page.Refused) else reply.code)
        centre.one(agent).state = before
    for name in ("call:c", "directory"):
        centre.mail[name].clear()
    centre.wake("call:c", "directory")
    return codes


def test_every_act_in_every_standing_is_accepted_or_refused_for_its_reason(centre: Centre) -> None:
    there, none, rings = "second_there", "no_second", "not_answered_yet"
    assert refusals(centre, "lin") == ["", "", "", "", "", none, none, none, none]
    assert refusals(centre, "zoe") == ["no_call"] * 9
    centre.do("lin", page.Hold())
    assert refusals(centre, "lin") == ["", "", "", "on_hold", "", none, none, none, none]
    centre.do("lin", page.Consult("wei"))
    assert refusals(centre, "lin") == ["", there, there, there, there, "", "", rings, rings]
    centre.do("wei", page.Answer())
    assert refusals(centre, "lin") == ["", there, there, there, there, "", "", "", ""]
    assert refusals(centre, "wei") == ["not_yours"] * 9
    centre.do("lin", page.Swap())
    assert refusals(centre, "lin") == [there, "", there, there, there, "", "", "", ""]
    centre.do("lin", page.Merge())
    assert refusals(centre, "lin") == ["", "", there, there, there, none, "", none, ""]
    assert refusals(centre, "wei") == ["not_yours"] * 9
    centre.do("lin", page.Cancel(), page.Invite("zoe"))
    assert refusals(centre, "lin") == ["", "", there, there, there, none, "", none, rings]


def test_whom_one_can_not_consult(centre: Centre) -> None:
    centre.agent("off")
    for target, why in (
        ("", "bad_target"),
        ("lin", "own_self"),
        ("nobody", "no_such_agent"),
        ("off", "agent_not_idle"),
    ):
        for act in (page.Consult(target), page.Invite(target), page.Transfer(agent=target)):
            assert code(centre.ask("lin", act)) == why
    assert code(centre.ask("lin", page.Transfer("wei", "sales"))) == "bad_target"
    assert code(centre.ask("lin", page.Transfer(queue="no such"))) == "no_such_queue"
    assert code(centre.ask("lin", page.Consult("wei", "another call"))) == "no_call"
    assert centre.ears() == TALKS
    assert centre.standing is Standing.TALKING


def test_a_colleague_is_sought_once_and_a_request_is_always_answered(centre: Centre) -> None:
    centre.sleep("directory")
    assert centre.ask("lin", page.Consult("wei")) is None
    assert code(centre.ask("lin", page.Consult("zoe"))) == "second_there"
    centre.after(5)
    assert [each.code for each in centre.replies("lin") if isinstance(each, page.Refused)] == ["second_there", "busy"]
    assert centre.ask("lin", page.Invite("wei")) is None
    centre.tell("call:c", LEFT)
    assert code(centre.replies("lin")[-1]) == "no_call"
    centre.wake("directory")
    assert centre.phases() == ("after_call_work", "idle")


def test_no_agent_of_another_call_can_act(centre: Centre) -> None:
    consulting(centre)
    before = centre.the_call.state
    for agent in ("wei", "zoe"):
        for message in (calls.Hold(agent), calls.Cancel(agent), calls.Complete(agent), calls.Merge(agent)):
            centre.tell("call:c", message)
    assert centre.the_call.state == before
    assert [each for each in centre.of("call:c") if isinstance(each, Tell) and each.to == "agent:zoe"] == []
