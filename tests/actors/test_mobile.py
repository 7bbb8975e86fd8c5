"""Mobile answer: agents whose calls ring on a mobile, in whole stories over real endpoints."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from click.testing import CliRunner
from cordboard.actors import page
from cordboard.actors.agent_state import MobileBarred, MobileBound, Phase, Withdraw
from cordboard.actors.commands import replay
from cordboard.actors.effects import Record, Tell
from cordboard.actors.line import EndLine
from cordboard.actors.organisation import Organisation
from cordboard.actors.records import MobileEntry, OfferEntry, Outcome, StateEntry
from cordboard.sip.events import CallCancelled, CallEnded, IncomingCall

from .dialler import Far, dialling
from .far import Caller, Robot
from .house import House, code, what_is_heard
from .playing import play
from .test_world import HOTLINE, phase, settle
from .world import World

MOBILE = "+8613800138000"


def organisation(wrap_up: float = 0.0) -> Organisation:
    made = dialling()
    return evolve(made, queues=tuple(evolve(each, wrap_up_seconds=wrap_up) for each in made.queues))


def story(run: Callable[[World], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    """A story that is replayed from its journal, keys and all."""

    def test(tmp_path: Path) -> None:
        play(run, organisation(), data=tmp_path)
        result = CliRunner().invoke(replay, [str(tmp_path)])
        assert (result.exit_code, result.output.endswith("all effects equal\n")) == (0, True), result.output

    test.__doc__ = run.__doc__
    return test


def picks_up(far: Far, call: IncomingCall) -> None:
    far.ring(call)
    far.world.later(2.0, lambda: far.answer(call))


async def by_mobile(world: World, act: Callable[[Far, IncomingCall], object] = picks_up) -> tuple[Robot, Far]:
    """Lin, without a microphone, answers by mobile."""
    await settle(world)
    far = Far(world, act)
    lin = world.open_page("1001")
    assert await lin.ask(page.MobileAnswer("138 0013 8000")) == page.Accepted()
    return lin, far


def press(world: World, key: str) -> None:
    """Whoever has the mobile presses a key, if there is somebody."""
    for leg in [leg for leg in world.engine.legs if leg.startswith("line:")]:
        world.on_facts(world.engine.press(leg, key, 100, "event", world.now()))


def mobile_leg(world: World) -> str:
    (leg,) = (leg for leg in world.engine.legs if leg.startswith("line:"))
    return leg


def customer_leg(world: World) -> str:
    (leg,) = (leg for leg in world.engine.legs if leg.startswith("call:"))
    return leg


async def in_a_call(world: World) -> tuple[Robot, Far, Caller]:
    lin, far = await by_mobile(world)
    caller = world.dial(HOTLINE)
    await settle(world, 3)
    press(world, "1")
    await settle(world)
    return lin, far, caller


def outcomes(world: World) -> list[Outcome]:
    offers = (each.entry for each in world.records if isinstance(each.entry, OfferEntry))
    return [entry.outcome for entry in {(entry.agent, entry.offered): entry for entry in offers}.values()]


def bound(world: World) -> list[MobileEntry]:
    return [each.entry for each in world.records if isinstance(each.entry, MobileEntry)]


@story
async def test_a_call_rings_on_the_mobile_and_whoever_presses_1_has_it(world: World) -> None:
    """The page follows it, as far as there is one."""
    lin, far = await by_mobile(world)
    assert phase(world, "1001") is Phase.MOBILE
    assert bound(world) == [MobileEntry("1001", MOBILE, answering=True)]
    caller = world.dial(HOTLINE)
    await lin.hears(page.CallOffered)
    await settle(world, 3)
    (call,) = far.calls
    assert call.number == MOBILE
    assert phase(world, "1001") is Phase.RINGING
    leg, customer = mobile_leg(world), customer_leg(world)
    assert what_is_heard(world.engine, leg) == "accept-call"
    assert what_is_heard(world.engine, customer) == "music"
    press(world, "5")
    await settle(world)
    assert phase(world, "1001") is Phase.RINGING
    press(world, "1")
    await lin.hears(page.CallConnected)
    await settle(world)
    connected = lin.last(page.CallConnected)
    assert isinstance(connected, page.CallConnected)
    assert (list(world.engine.hears(leg)), list(world.engine.hears(customer))) == ([customer], [leg])
    assert list(world.engine.hears(f"{connected.call}/right")) == [leg]
    state = lin.last(page.AgentState)
    assert isinstance(state, page.AgentState)
    assert (state.state, state.by_mobile) == (page.State.TALKING, True)
    caller.hang_up()
    await lin.hears(page.CallEnded)
    await far.over.wait()
    assert isinstance(far.heard[-1], CallEnded)
    assert phase(world, "1001") is Phase.AFTER_CALL_WORK
    assert await lin.ask(page.MobileAnswer()) == page.Accepted()
    assert phase(world, "1001") is Phase.MOBILE
    assert outcomes(world) == [Outcome.ANSWERED]
    await settle(world, 40)
    world.assert_empty()


@story
async def test_it_needs_no_page(world: World) -> None:
    """Nor does it hold the next call up: paperwork has nobody who could end it."""
    lin, far = await by_mobile(world)
    lin.close()
    await settle(world, 100)
    assert phase(world, "1001") is Phase.MOBILE
    caller = world.dial(HOTLINE)
    await settle(world, 4)
    press(world, "1")
    await settle(world, 5)
    assert phase(world, "1001") is Phase.TALKING
    far.hang_up()
    await caller.over.wait()
    assert isinstance(caller.last, CallEnded)
    await settle(world)
    assert phase(world, "1001") is Phase.MOBILE
    world.dial(HOTLINE)
    await settle(world, 1)
    assert phase(world, "1001") is Phase.RINGING
    again = world.open_page("1001")
    snapshot = await again.ask(page.GetSnapshot())
    assert isinstance(snapshot, page.Snapshot)
    assert (snapshot.owner, snapshot.by_mobile, snapshot.mobile) == ("none", True, MOBILE)
    assert snapshot.offered is not None
    await settle(world, 2)
    press(world, "1")
    await again.hears(page.CallConnected)
    assert await again.ask(page.HangUp()) == page.Accepted()
    await settle(world)
    assert phase(world, "1001") is Phase.AFTER_CALL_WORK
    again.close()
    await settle(world, 21)
    assert (phase(world, "1001"), world.agent("1001").reason) == (Phase.MOBILE, "page gone")
    await settle(world, 40)
    world.assert_empty()


@pytest.mark.parametrize(
    ("act", "reason", "within"),
    [
        (lambda far, call: far.refuse(call, 486), "mobile busy", 1),
        (lambda far, call: far.refuse(call, 404), "mobile unreachable", 1),
        (lambda far, call: far.refuse(call, 480), "no answer", 1),
        (Far.ring, "no answer", 31),
        (lambda far, call: far.answer(call), "no answer", 21),
    ],
    ids=["busy", "unreachable", "refused", "30 s", "mailbox"],
)
def test_a_mobile_that_nobody_answers_is_as_no_answer(
    act: Callable[[Far, IncomingCall], object], reason: str, within: float
) -> None:
    """On break, and the call goes to the next agent: nobody who presses nothing has ever heard the caller."""

    async def run(world: World) -> None:
        lin, _ = await by_mobile(world, act)
        caller = world.dial(HOTLINE)
        await lin.hears(page.CallOffered)
        wei = await world.sign_in("1002", sound=False)
        heard: set[str] = set()
        for _ in range(int(within * 10)):
            await settle(world, 0.1)
            heard |= {what_is_heard(world.engine, leg) for leg in world.engine.legs if leg.startswith("line:")}
        assert heard <= {"", "accept-call"}
        assert (phase(world, "1001"), world.agent("1001").reason) == (Phase.ON_BREAK, reason)
        withdrawn = lin.last(page.CallWithdrawn)
        assert isinstance(withdrawn, page.CallWithdrawn)
        assert withdrawn.reason == reason
        await wei.hears(page.CallOffered)
        assert outcomes(world)[0] is Outcome.MISSED
        assert bound(world)[-1] == MobileEntry("1001", MOBILE, answering=False)
        caller.hang_up()
        await settle(world, 40)
        world.assert_empty()

    play(run, organisation())


@story
async def test_a_caller_who_leaves_stops_the_ringing_and_costs_nothing(world: World) -> None:
    lin, far = await by_mobile(world, Far.ring)
    caller = world.dial(HOTLINE)
    await lin.hears(page.CallOffered)
    await settle(world)
    caller.hang_up()
    await far.over.wait()
    assert isinstance(far.heard[-1], CallCancelled)
    await settle(world)
    assert (phase(world, "1001"), world.agent("1001").reason) == (Phase.MOBILE, "caller left")
    assert outcomes(world) == [Outcome.CALLER_LEFT]
    await settle(world, 40)
    world.assert_empty()


@pytest.mark.parametrize("microseconds", range(-3000, 3001, 1000))
def test_the_caller_leaves_as_1_is_pressed(microseconds: int) -> None:
    """Whichever is first by however little: one true state, and nothing left."""

    async def run(world: World) -> None:
        lin, _ = await by_mobile(world)
        caller = world.dial(HOTLINE)
        await settle(world, 3)
        world.later(0.05, caller.hang_up)
        world.later(0.058 + microseconds / 1e6, lambda: press(world, "1"))
        await settle(world, 2)
        talked = any(isinstance(event, page.CallConnected) for _, event in lin.heard)
        assert phase(world, "1001") is (Phase.AFTER_CALL_WORK if talked else Phase.MOBILE)
        await settle(world, 40)
        world.assert_empty()

    play(run, organisation(), seed=microseconds % 1000)


@pytest.mark.parametrize("microseconds", range(-3000, 3001, 1000))
def test_the_mobile_hangs_up_as_it_presses_1(microseconds: int) -> None:
    """The caller talks with nobody who is gone: it waits on, or its call ended as an agent ends one."""

    async def run(world: World) -> None:
        _, far = await by_mobile(world)
        caller = world.dial(HOTLINE)
        await settle(world, 3)
        world.later(0.05, far.hang_up)
        world.later(0.058 + microseconds / 1e6, lambda: press(world, "1"))
        await settle(world, 2)
        assert phase(world, "1001") in (Phase.MOBILE, Phase.AFTER_CALL_WORK, Phase.ON_BREAK, Phase.RINGING)
        caller.hang_up()
        await settle(world, 60)
        world.assert_empty()

    play(run, organisation(), seed=microseconds % 1000)


@pytest.mark.parametrize(
    ("command", "ends", "reason"),
    [
        (page.Decline(), Phase.MOBILE, "declined"),
        (page.SetState("break"), Phase.ON_BREAK, "chosen"),
        (page.SignOut(), Phase.SIGNED_OUT, "signed out"),
    ],
)
def test_what_a_page_does_while_it_rings(command: page.Command, ends: Phase, reason: str) -> None:
    async def run(world: World) -> None:
        lin, far = await by_mobile(world, Far.ring)
        world.dial(HOTLINE)
        await settle(world, 2)
        assert code(await lin.ask(page.Answer())) == "not_signed_in"
        assert code(await lin.ask(page.SignIn(media="none"))) == "on_mobile"
        assert code(await lin.ask(page.MobileAnswer())) == "ringing"
        assert await lin.ask(command) == page.Accepted()
        assert (phase(world, "1001"), world.agent("1001").reason) == (ends, reason)
        await far.over.wait()
        await settle(world, 5)
        assert len(far.calls) == 1

    play(run, organisation())


@story
async def test_what_a_page_does_in_the_call(world: World) -> None:
    lin, far, caller = await in_a_call(world)
    leg, customer = mobile_leg(world), customer_leg(world)
    assert code(await lin.ask(page.MobileAnswer())) == "in_call"
    assert code(await lin.ask(page.SignIn(media="none"))) == "on_mobile"
    assert code(await lin.ask(page.Dial(MOBILE))) == "not_signed_in"
    await lin.ask(page.Mute())
    await settle(world)
    assert (list(world.engine.hears(customer)), list(world.engine.hears(leg))) == ([], [customer])
    await lin.ask(page.Unmute())
    await lin.ask(page.Hold())
    await settle(world)
    assert what_is_heard(world.engine, customer) == "on-hold"
    await lin.ask(page.Retrieve())
    press(world, "7")
    await settle(world)
    assert world.engine.sent(customer) == "7"
    lin.close()
    await settle(world, 60)
    assert phase(world, "1001") is Phase.TALKING
    far.hang_up()
    await caller.over.wait()
    await settle(world)
    assert phase(world, "1001") is Phase.MOBILE


def test_a_line_that_is_lost_gives_the_caller_to_the_next_agent() -> None:
    async def run(world: World) -> None:
        _, far, caller = await in_a_call(world)
        wei = await world.sign_in("1002", sound=False)
        world.system.end(next(iter(world.system.alive("line:"))), "crashed")
        await wei.hears(page.CallOffered)
        await far.over.wait()
        assert phase(world, "1001") is Phase.AFTER_CALL_WORK
        assert not caller.over.is_set()
        caller.hang_up()
        await settle(world, 40)
        world.assert_empty()

    play(run, organisation())


def test_paperwork_by_mobile_ends_by_itself_where_the_queue_says_so() -> None:
    async def run(world: World) -> None:
        _, far, _ = await in_a_call(world)
        far.hang_up()
        await settle(world, 9)
        assert phase(world, "1001") is Phase.AFTER_CALL_WORK
        await settle(world, 2)
        assert (phase(world, "1001"), world.agent("1001").reason) == (Phase.MOBILE, "after-call work over")

    play(run, organisation(wrap_up=10.0))


@story
async def test_what_ends_it_and_where_it_begins(world: World) -> None:
    await settle(world)
    lin = await world.sign_in("1001")
    assert await lin.ask(page.MobileAnswer(MOBILE)) == page.Accepted()
    await settle(world)
    assert world.engine.legs == (), "the page's media is of no more use"
    assert code(await lin.ask(page.SetState("idle"))) == "not_signed_in"
    assert await lin.ask(page.SetState("break")) == page.Accepted()
    assert code(await lin.ask(page.SetState("idle"))) == "not_signed_in"
    assert await lin.ask(page.SignIn(media="none")) == page.Accepted()
    assert (phase(world, "1001"), world.agent("1001").by_mobile) == (Phase.IDLE, False)
    assert await lin.ask(page.SetState("break")) == page.Accepted()
    assert await lin.ask(page.MobileAnswer()) == page.Accepted()
    other = world.open_page("1001")
    assert await other.ask(page.SignIn(media="none")) == page.Accepted()
    assert phase(world, "1001") is Phase.IDLE
    assert code(await lin.ask(page.MobileAnswer())) == "not_owner"
    assert await other.ask(page.MobileAnswer()) == page.Accepted()
    assert await lin.ask(page.SignOut()) == page.Accepted()
    assert phase(world, "1001") is Phase.SIGNED_OUT
    assert [entry.answering for entry in bound(world)] == [True, False, True, False, True, False]


@pytest.mark.parametrize(
    ("number", "why"),
    [("", "no_mobile"), ("+442079460958", "not_allowed"), ("110", "not_allowed"), ("nobody", "not_a_number")],
)
def test_a_number_that_calls_may_not_go_to_is_none(number: str, why: str) -> None:
    async def run(world: World) -> None:
        lin = world.open_page("1001")
        await settle(world)
        assert code(await lin.ask(page.MobileAnswer(number))) == why
        assert (phase(world, "1001"), bound(world)) == (Phase.SIGNED_OUT, [])

    play(run, organisation())


def test_a_call_that_comes_as_the_number_is_bound_rings_in_the_page() -> None:
    house = House()
    house.queue()
    lin = house.robot("lin")
    assert house.ask("lin", page.MobileAnswer(MOBILE)) is None
    house.call()
    assert lin.state.phase is Phase.RINGING
    house.tell("agent:lin", MobileBound(MOBILE))
    assert house.replies("lin")[-1] == page.refuse("ringing")
    assert (lin.state.phase, lin.state.by_mobile, lin.state.profile.mobile) == (Phase.RINGING, False, MOBILE)
    assert ("agent:lin", Record(MobileEntry("lin", MOBILE, answering=False))) in house.said
    assert house.ask("lin", page.Answer()) == page.Accepted()
    house.tell("agent:lin", MobileBound(MOBILE))
    state = house.events("lin")[-1]
    assert isinstance(state, page.AgentState)
    assert (state.state, state.by_mobile) == (page.State.TALKING, False)


@pytest.mark.parametrize("code", ["answered_elsewhere", "caller_left"])
def test_a_mobile_that_rang_beside_others_shows_no_missed_call(code: str) -> None:
    """... where another agent has answered: it is told so, as it is not where the caller has left."""
    house = House()
    house.queue()
    lin = house.robot("lin")
    house.ask("lin", page.MobileAnswer(MOBILE))
    house.tell("agent:lin", MobileBound(MOBILE))
    house.call()
    line = lin.state.line
    house.tell("agent:lin", Withdraw("c", code))
    ended = [each.message for each in house.of("agent:lin") if isinstance(each, Tell) and each.to == f"line:{line}"]
    assert ended == [EndLine(line, elsewhere=code == "answered_elsewhere")]


def test_of_two_requests_the_first_counts() -> None:
    house = House()
    house.queue()
    house.robot("lin")
    house.ask("lin", page.MobileAnswer("110"))
    assert house.ask("lin", page.MobileAnswer(MOBILE)) == page.refuse("busy")
    house.tell("agent:lin", MobileBarred("not_allowed"))
    assert house.replies("lin")[-1] == page.refuse("not_allowed")


def test_the_administrators_number_is_what_there_is_until_another_is_bound() -> None:
    async def run(world: World) -> None:
        lin = world.open_page("1001")
        await settle(world)
        snapshot = await lin.ask(page.GetSnapshot())
        assert isinstance(snapshot, page.Snapshot)
        assert snapshot.mobile == "+8613900139000"
        await lin.ask(page.MobileAnswer(MOBILE))
        world.configure(evolve(made, name="Another"))
        await settle(world)
        assert world.agent("1001").profile.mobile == MOBILE

    made = organisation()
    made = evolve(made, agents=tuple(evolve(each, mobile="+8613900139000") for each in made.agents))
    play(run, made)


# --- over a restart ---------------------------------------------------------------------------------------------------


def test_a_process_that_dies_in_such_a_call_costs_nothing(tmp_path: Path) -> None:
    async def run(world: World) -> None:
        _, far, caller = await in_a_call(world)
        leg, customer = mobile_leg(world), customer_leg(world)
        world.kill_control()
        await settle(world)
        world.restart_control()
        await settle(world)
        assert phase(world, "1001") is Phase.TALKING
        assert (list(world.engine.hears(leg)), list(world.engine.hears(customer))) == ([customer], [leg])
        far.hang_up()
        await caller.over.wait()
        await settle(world, 40)
        assert phase(world, "1001") is Phase.MOBILE
        world.assert_no_calls()

    play(run, organisation(), data=tmp_path)


@pytest.mark.parametrize("microseconds", range(0, 24_001, 3_000))
def test_killed_at_any_instant_as_it_rings_and_is_answered(tmp_path: Path, microseconds: int) -> None:
    async def run(world: World) -> None:
        await by_mobile(world, lambda far, call: far.answer(call))
        caller = world.dial(HOTLINE)
        await settle(world, microseconds / 1e6)
        world.kill_control()
        await settle(world, 0.5)
        world.restart_control()
        await settle(world, 1)
        for _ in range(4):
            press(world, "1")
            await settle(world, 1)
        assert phase(world, "1001") in (Phase.TALKING, Phase.MOBILE, Phase.ON_BREAK)
        caller.hang_up()
        await settle(world, 60)
        world.assert_no_calls()

    play(run, organisation(), seed=microseconds, data=tmp_path)


def test_who_answered_by_mobile_when_the_switch_was_stopped_does_so_again(tmp_path: Path) -> None:
    async def run(world: World) -> None:
        await by_mobile(world)
        await settle(world)
        world.stop_control()
        await settle(world, 100)
        world.restart_control()
        await settle(world)
        assert (phase(world, "1001"), world.agent("1001").reason) == (Phase.MOBILE, "restart")
        assert phase(world, "1002") is Phase.SIGNED_OUT
        world.dial(HOTLINE)
        await settle(world, 4)
        press(world, "1")
        await settle(world)
        assert phase(world, "1001") is Phase.TALKING
        states = [each.entry for each in world.records if isinstance(each.entry, StateEntry)]
        assert [(each.state, each.reason) for each in states if each.agent == "1001"][:3] == [
            ("mobile_answer", "chosen"),
            ("signed_out", "stopping"),
            ("mobile_answer", "restart"),
        ]

    play(run, organisation(), data=tmp_path)
