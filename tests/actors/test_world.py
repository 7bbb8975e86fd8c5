"""Whole calls through a whole centre, on a virtual clock."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import trio
from cordboard.actors import page
from cordboard.actors.agent_state import Phase
from cordboard.actors.announcements import LEAD, TAIL
from cordboard.actors.organisation import Organisation, parse_organisation
from cordboard.actors.records import CallEntry
from cordboard.sip.events import CallAnswered, CallEnded, CallFailed

from .far import Caller, Robot
from .house import PAGE_OFFER, PROMPT_SECONDS, what_is_heard
from .playing import play
from .world import LINK_DELAY, SIP_DELAY, World

HOTLINE = "+861055501000"


def organisation(agents: int = 2, wrap_up: float = 0.0, max_wait: float = 0.0) -> Organisation:
    staff = "\n".join(f'[[agent]]\nid = "{1001 + i}"\nskills = {{ support = 1 }}' for i in range(agents))
    return parse_organisation(
        f"""
        [[trunk]]
        id = "carrier"
        peers = ["198.51.100.0/24"]
        [[queue]]
        id = "support"
        name = "Support"
        wrap_up_seconds = {wrap_up}
        max_wait_seconds = {max_wait}
        [[number]]
        number = "{HOTLINE}"
        route = "queue:support"
        [[number]]
        number = "600"
        route = "echo"
        {staff}
        """
    )


def story(run: Callable[[World], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """A story as a test."""

    def test() -> None:
        play(run, organisation())

    test.__doc__ = run.__doc__
    return test


async def settle(world: World, seconds: float = 1.0) -> None:
    await trio.sleep_until(trio.current_time() + seconds)


def phase(world: World, agent: str) -> Phase:
    return world.agent(agent).phase


@story
async def test_a_number_a_queue_a_ring_an_answer_a_talk_a_hang_up(world: World) -> None:
    lin = await world.sign_in("1001")
    caller = world.dial(HOTLINE)
    offered = await lin.hears(page.CallOffered)
    assert isinstance(offered, page.CallOffered)
    assert (offered.queue, offered.number, offered.name, offered.dialled) == (
        "support",
        "+8613912345678",
        "Wang",
        HOTLINE,
    )
    # From the INVITE to the ring: one datagram, and the engine's leg.
    assert world.now() - caller.dialled_at <= SIP_DELAY[1] + 2 * LINK_DELAY
    await settle(world, 5)
    clicked = world.now()
    assert await lin.ask(page.Answer()) == page.Accepted()
    connected = await lin.hears(page.CallConnected)
    assert isinstance(connected, page.CallConnected)
    assert connected.since == clicked
    await settle(world, 0.1)
    (leg,) = (leg for leg in world.engine.legs if leg.startswith("call:"))
    assert world.engine.audible(leg) == (world.agent("1001").leg, f"{connected.call}/left")
    assert world.engine.audible(world.agent("1001").leg) == (leg, f"{connected.call}/right")
    await settle(world, 60)
    caller.hang_up()
    ended = await lin.hears(page.CallEnded)
    assert ended == page.CallEnded(connected.call, "caller", "hung up")
    assert phase(world, "1001") is Phase.AFTER_CALL_WORK
    assert await lin.ask(page.StartAnswering()) == page.Accepted()
    await settle(world, 40)
    world.assert_empty()
    assert world.switch.endpoint.idle


@story
async def test_the_agent_hangs_up_and_the_caller_hears_bye(world: World) -> None:
    lin = await world.sign_in("1001")
    caller = world.dial(HOTLINE)
    await lin.hears(page.CallOffered)
    await lin.ask(page.Answer())
    await settle(world, 3)
    await lin.ask(page.HangUp())
    await caller.over.wait()
    assert isinstance(caller.last, CallEnded)
    await settle(world)
    world.assert_empty()


@story
async def test_30_s_without_an_answer_to_the_millisecond(world: World) -> None:
    lin = await world.sign_in("1001")
    await settle(world)
    wei = await world.sign_in("1002")
    world.dial(HOTLINE)
    await lin.hears(page.CallOffered)
    rang_at = world.now()
    await wei.hears(page.CallOffered)
    assert abs(world.now() - rang_at - 30) < 1e-6
    state = world.agent("1001")
    assert (state.phase, state.reason, round(state.since - rang_at, 6)) == (Phase.ON_BREAK, "no answer", 30)
    waiting = world.agent("1002").call
    assert waiting is not None
    assert waiting.waiting_since < rang_at


@pytest.mark.parametrize(("milliseconds", "wins"), [(29_990, True), (29_999, True), (30_000, False), (30_010, False)])
def test_a_click_at_29_99_s_wins_and_one_at_30_01_s_does_not(milliseconds: int, wins: bool) -> None:
    async def run(world: World) -> None:
        lin = await world.sign_in("1001")
        world.dial(HOTLINE)
        await lin.hears(page.CallOffered)
        await trio.sleep_until(trio.current_time() + milliseconds / 1000)
        reply = await lin.ask(page.Answer())
        if wins:
            assert reply == page.Accepted()
        else:
            assert reply == page.refuse("no_answer")
        await settle(world, 0.1)
        assert phase(world, "1001") is (Phase.TALKING if wins else Phase.ON_BREAK)

    play(run, organisation())


@pytest.mark.parametrize("microseconds", range(-30_000, 30_001, 2_500))
def test_the_caller_leaves_as_the_agent_answers(microseconds: int) -> None:
    """Whichever is first by however little: one true state on both sides, and nothing left."""

    async def run(world: World) -> None:
        lin = await world.sign_in("1001")
        caller = world.dial(HOTLINE)
        await lin.hears(page.CallOffered)
        await settle(world, 2)
        world.later(0.05, caller.hang_up)
        world.later(0.05 + microseconds / 1e6, lambda: lin.click(page.Answer()))
        await settle(world, 1)
        talked = any(isinstance(event, page.CallConnected) for _, event in lin.heard)
        assert phase(world, "1001") is (Phase.AFTER_CALL_WORK if talked else Phase.IDLE)
        if not talked:
            assert world.agent("1001").reason == "caller left"
            assert await lin.ask(page.Answer()) == page.refuse("caller_left")
        await settle(world, 40)
        world.assert_empty()

    play(run, organisation(), seed=microseconds % 1000)


@pytest.mark.parametrize("microseconds", range(0, 25_001, 1_000))
def test_the_caller_cancels_as_the_call_comes_in(microseconds: int) -> None:
    """From before the INVITE arrives until after the answer: no ghost waits or rings."""

    async def run(world: World) -> None:
        lin = await world.sign_in("1001")
        caller = world.dial(HOTLINE)
        world.later(microseconds / 1e6, caller.hang_up)
        await settle(world, 2)
        world.assert_empty()
        assert phase(world, "1001") is Phase.IDLE
        await settle(world, 100)
        assert phase(world, "1001") is Phase.IDLE
        assert all(event.reason == "caller left" for _, event in lin.heard if isinstance(event, page.CallWithdrawn))

    play(run, organisation(), seed=microseconds)


@story
async def test_two_agents_one_call_and_two_calls_one_agent(world: World) -> None:
    lin, wei = await world.sign_in("1001"), await world.sign_in("1002")
    first = world.dial(HOTLINE)
    await settle(world)
    second = world.dial(HOTLINE)
    third = world.dial(HOTLINE)
    await settle(world)
    assert {phase(world, "1001"), phase(world, "1002")} == {Phase.RINGING}
    for robot, command in (
        (lin, page.Answer()),
        (wei, page.Answer()),
        (lin, page.HangUp()),
        (lin, page.StartAnswering()),
    ):
        assert await robot.ask(command) == page.Accepted()
        await settle(world, 0.1)
    assert phase(world, "1001") is Phase.RINGING
    for caller in (first, second, third):
        caller.hang_up()
    await settle(world, 1)
    assert (phase(world, "1001"), phase(world, "1002")) == (Phase.IDLE, Phase.AFTER_CALL_WORK)
    world.assert_empty()


@story
async def test_numbers_that_lead_nowhere_and_strangers(world: World) -> None:
    caller = world.dial("999")
    await caller.over.wait()
    assert isinstance(caller.last, CallFailed)
    assert caller.last.status == 404
    echo = world.dial("600")
    await echo.answered.wait()
    (leg,) = world.engine.legs
    await settle(world)
    assert dict(world.engine.hears(leg)) == {leg: 1.0}
    echo.hang_up()
    await settle(world)
    world.assert_empty()


@story
async def test_a_page_that_dies_in_a_call_and_comes_back(world: World) -> None:
    lin = await world.sign_in("1001")
    world.dial(HOTLINE)
    await lin.hears(page.CallOffered)
    await lin.ask(page.Answer())
    await settle(world, 3)
    lin.close()
    await settle(world, 15)
    again = await world.sign_in("1001")
    assert phase(world, "1001") is Phase.TALKING
    snapshot = await again.ask(page.GetSnapshot())
    assert isinstance(snapshot, page.Snapshot)
    assert snapshot.connected is not None
    await settle(world, 60)
    assert phase(world, "1001") is Phase.TALKING
    again.close()
    world.on_facts(world.engine.silence(world.agent("1001").leg, 0.5))
    wei = await world.sign_in("1002")
    offered = await wei.hears(page.CallOffered)
    assert isinstance(offered, page.CallOffered)
    assert offered.call == snapshot.connected.call
    assert phase(world, "1001") is Phase.SIGNED_OUT


@story
async def test_nobody_is_signed_in_and_then_somebody_is(world: World) -> None:
    caller = world.dial(HOTLINE)
    await caller.answered.wait()
    await settle(world, 0.05)
    (leg,) = world.engine.legs
    assert what_is_heard(world.engine, leg) == "nobody-here"
    await settle(world, 300)  # it waits for as long as it likes
    assert what_is_heard(world.engine, leg) == "nobody-here"
    lin = await world.sign_in("1001")
    await lin.hears(page.CallOffered)
    await settle(world, 0.05)
    assert what_is_heard(world.engine, leg) == "music"
    await lin.ask(page.Decline())
    await lin.ask(page.SignOut())
    await settle(world, 0.05)
    assert what_is_heard(world.engine, leg) == "nobody-here"
    assert world.announced == {"nobody-here": 2}
    assert len([source for source in world.engine.sources if source.startswith("call:")]) == 1
    caller.hang_up()
    await settle(world)
    world.assert_empty()


def test_who_waits_for_too_long_hears_goodbye_and_bye() -> None:
    async def run(world: World) -> None:
        lin = await world.sign_in("1001")
        caller = world.dial(HOTLINE)
        await lin.hears(page.CallOffered)
        waits_since = world.now()
        await lin.hears(page.CallWithdrawn)
        assert abs(world.now() - waits_since - 20) < 0.001
        assert (phase(world, "1001"), world.agent("1001").reason) == (Phase.IDLE, "waited too long")
        assert await lin.ask(page.Answer()) == page.refuse("waited_too_long")
        await caller.over.wait()
        assert isinstance(caller.last, CallEnded)
        spoken = LEAD + PROMPT_SECONDS["goodbye"] + TAIL
        assert abs(world.now() - waits_since - 20 - spoken) < 0.02
        (entry,) = {
            each.entry for each in world.records if isinstance(each.entry, CallEntry) and each.entry.ended is not None
        }
        assert (entry.ended_by, entry.cause, entry.answered) == ("system", "waited too long", None)
        await settle(world)
        world.assert_empty()

    play(run, organisation(max_wait=20.0))


@pytest.mark.parametrize("microseconds", range(-2000, 2001, 250))
def test_the_agent_answers_as_the_caller_has_waited_too_long(microseconds: int) -> None:
    """Whichever is first: both talk, or the caller hears goodbye and the agent hears why."""

    async def run(world: World) -> None:
        lin = await world.sign_in("1001")
        caller = world.dial(HOTLINE)
        await lin.hears(page.CallOffered)
        world.later(20 + microseconds / 1e6, lambda: lin.click(page.Answer()))
        await settle(world, 21)
        talks = microseconds < 0
        assert phase(world, "1001") is (Phase.TALKING if talks else Phase.IDLE)
        assert world.announced == ({} if talks else {"goodbye": 1})
        await settle(world, 60)
        assert caller.over.is_set() is not talks
        caller.hang_up()
        await settle(world, 40)
        world.assert_empty()

    play(run, organisation(max_wait=20.0))


@story
async def test_a_new_engine_in_mid_call_has_the_callers_again_and_pages_renew(world: World) -> None:
    lin = await world.sign_in("1001")
    talking = world.dial(HOTLINE)
    await lin.hears(page.CallOffered)
    await lin.ask(page.Answer())
    waiting = world.dial(HOTLINE)
    await settle(world)
    ports = dict(world.link._open.ports)
    world.start_engine("second")
    await lin.hears(page.CallAway)
    await settle(world)  # where it is looked that the callers hear music
    assert {leg: port for leg, port in world.link._open.ports.items() if port} == {
        leg: port for leg, port in ports.items() if port
    }
    assert isinstance(await lin.ask(page.RenewMedia(PAGE_OFFER)), page.Accepted)
    await lin.hears(page.CallBack)
    await settle(world)
    assert phase(world, "1001") is Phase.TALKING
    assert not talking.over.is_set()
    talking.hang_up()
    await settle(world)
    await lin.ask(page.StartAnswering())
    await lin.hears(page.CallOffered)
    assert not waiting.over.is_set()


@story
async def test_a_sign_in_during_an_engines_restart_is_answered(world: World) -> None:
    await settle(world)
    lin = world.open_page("1001")
    number = lin.click(page.SignIn(sdp=PAGE_OFFER))
    await settle(world, LINK_DELAY / 2)
    world.start_engine("second")
    await settle(world)
    assert lin.unanswered() == []
    assert number == 0
    assert phase(world, "1001") is Phase.IDLE


@story
async def test_a_withheld_number_is_empty(world: World) -> None:
    lin = await world.sign_in("1001", sound=False)
    caller = world.dial(HOTLINE, caller=None)
    offered = await lin.hears(page.CallOffered)
    assert isinstance(offered, page.CallOffered)
    assert offered.number == ""
    await caller.answered.wait()
    assert isinstance(caller.shown[-1][1], CallAnswered)


# --- an hour ----------------------------------------------------------------------------------------------------------


class Staff:
    """What an agent does, by chance."""

    def __init__(self, robot: Robot) -> None:
        self.robot = robot
        self.world = robot.world
        self.rng = robot.world.rng
        robot.on_event = self.on_event

    def click(self, after: float, command: page.Command) -> None:
        def act() -> None:
            if self.robot.session in self.world.pages:
                self.robot.click(command)

        self.world.later(after, act)

    def on_event(self, event: page.Event) -> None:
        rng = self.rng
        match event:
            case page.CallOffered():
                chance = rng.random()
                if chance < 0.80:
                    self.click(rng.uniform(0.5, 8), page.Answer())
                elif chance < 0.84:
                    self.click(rng.uniform(29.99, 30.01), page.Answer())
                elif chance < 0.92:
                    self.click(rng.uniform(0.5, 5), page.Decline())
                elif chance < 0.95:
                    self.click(rng.uniform(0.5, 5), page.SetState("break"))
                if rng.random() < 0.1:
                    self.click(rng.uniform(0.5, 8), page.Answer())
            case page.CallConnected():
                self.click(rng.uniform(5, 20), page.Mute())
                self.click(rng.uniform(15, 30), page.Unmute())
                for _ in range(rng.choice((0, 0, 1, 4, 8))):
                    self.click(rng.uniform(2, 60), self.some_act())
                if rng.random() < 0.5:
                    self.click(rng.expovariate(1 / 150), page.HangUp())
                if rng.random() < 0.05:
                    self.world.later(rng.uniform(1, 30), self.reload)
            case page.AgentState(state=page.State.AFTER_CALL_WORK):
                if rng.random() < 0.2:
                    self.world.later(rng.uniform(2, 40), self.go_to_lunch)
                else:
                    self.click(rng.uniform(2, 40), page.StartAnswering())
            case page.AgentState(state=page.State.BREAK):
                self.click(rng.uniform(10, 120), page.SetState("idle"))
            case _:
                pass

    def some_act(self) -> page.Command:
        """Whatever an agent may click in a call, whether it fits or not."""
        colleague = str(1001 + self.rng.randrange(20))
        return self.rng.choice(
            (
                page.Hold(),
                page.Retrieve(),
                page.Consult(colleague),
                page.Consult(colleague),
                page.Invite(colleague),
                page.Transfer(colleague),
                page.Transfer(queue="support"),
                page.Complete(),
                page.Cancel(),
                page.Swap(),
                page.Merge(),
            )
        )

    def go_to_lunch(self) -> None:
        """Signs out, and comes back after half a minute to ten minutes."""
        if self.robot.session in self.world.pages:
            self.robot.click(page.SignOut())
            self.world.later(1.0, self.robot.close)
            self.world.later(self.rng.uniform(30, 600), lambda: self.world.nursery.start_soon(self.come_back))

    def reload(self) -> None:
        """The page is closed, and what it sends with it; it comes back after 1 to 30 s."""
        if self.robot.session in self.world.pages:
            self.robot.close()
            leg = self.world.agent(self.robot.agent).voice
            self.world.later(0.5, lambda: self.world.on_facts(self.world.engine.silence(leg, 0.5)))
            self.world.later(self.rng.uniform(1, 30), lambda: self.world.nursery.start_soon(self.come_back))

    async def come_back(self) -> None:
        self.robot = await self.world.sign_in(self.robot.agent)
        self.robot.on_event = self.on_event
        if phase(self.world, self.robot.agent) is Phase.AFTER_CALL_WORK:
            self.click(5, page.StartAnswering())


def customer(world: World) -> Caller:
    """Calls, waits as long as patience lasts, and hangs up in half of the talks."""
    rng = world.rng
    caller = world.dial(HOTLINE)
    if rng.random() < 0.03:
        world.later(rng.uniform(0.0, 0.03), caller.hang_up)  # at once
    world.later(rng.expovariate(1 / 240) + 1, caller.hang_up)
    return caller


def hour(calls: int, agents: int, log_to: dict[str, int]) -> Callable[[World], Coroutine[Any, Any, None]]:
    async def run(world: World) -> None:
        for i in range(agents):
            Staff(await world.sign_in(str(1001 + i), sound=i % 4 != 0))
        # Two peaks, as mornings and afternoons have.
        times = sorted(world.rng.triangular(0, 3600, world.rng.choice((900, 2700))) for _ in range(calls))
        for when in times:
            world.later(when, lambda: customer(world))
        await settle(world, 3600)
        for caller in world.callers.values():
            caller.hang_up()
        await settle(world, 120)
        world.assert_empty()
        assert world.switch.endpoint.idle
        assert world.carrier.endpoint.idle
        log_to.update(
            world.system.counters,
            looked=world.looked,
            **world.announced,
            answered=sum(
                any(isinstance(output, CallAnswered) for _, output in caller.shown) for caller in world.callers.values()
            ),
        )

    return run


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_hour_of_200_calls_and_20_agents_breaks_nothing(seed: int) -> None:
    counted: dict[str, int] = {}
    play(hour(200, 20, counted), organisation(20, wrap_up=60), seed)
    assert counted["calls"] > 190
    assert counted["answered"] > 150
    assert counted["looked"] > 5000


def test_an_hour_of_too_few_agents_breaks_nothing() -> None:
    """Nobody is there at times, and callers wait for longer than they may."""
    counted: dict[str, int] = {}
    play(hour(200, 2, counted), organisation(2, max_wait=150.0), seed=13)
    assert counted["calls"] > 190
    print({name: counted[name] for name in ("agent-away", "nobody-here", "goodbye")})
    assert min(counted[name] for name in ("agent-away", "nobody-here", "goodbye")) > 0


def test_the_same_seed_is_the_same_hour_and_another_is_another() -> None:
    first = play(hour(60, 6, {}), organisation(6), seed=11)
    assert play(hour(60, 6, {}), organisation(6), seed=11) == first
    assert play(hour(60, 6, {}), organisation(6), seed=12) != first
