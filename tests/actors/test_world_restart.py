"""Whole centres whose control process is killed at any instant: the next one goes on, from its file and nothing else.

After every step of the second life the same invariants are looked at as in the first; in the end the books are whole.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import msgpack
import pytest
from cordboard.actors import machines, page, past, statefile, values
from cordboard.actors.agent_state import Phase
from cordboard.actors.call_state import Phase as CallPhase
from cordboard.actors.frames import DamagedError, Frames, framed
from cordboard.actors.records import CallEntry
from cordboard.actors.states import Header
from cordboard.sip.events import CallEnded, CallFailed

from .books import books
from .far import Robot
from .house import PAGE_OFFER
from .playing import play
from .test_world import HOTLINE, Staff, customer, organisation, phase, settle
from .world import World

Story = Callable[[World], Awaitable[None]]
DOWN = 2.0  # what a process takes to begin anew, in seconds


def run(story: Story, data: Path, agents: int = 2, seed: int = 1, **settings: float) -> None:
    play(story, organisation(agents, **settings), seed, data)


async def restart(world: World, down: float = DOWN) -> past.Past:
    """Killed, and after a while another begins."""
    world.kill_control()
    await settle(world, down)
    return world.restart_control()


async def come_back(world: World, robot: Robot) -> Robot:
    """The page finds its websocket closed, opens another and resumes its media, if they live."""
    leg = world.agent(robot.agent).leg
    again = world.open_page(robot.agent)
    reply = await again.ask(page.Resume(leg))
    if reply == page.refuse("media_lost"):
        reply = await again.ask(page.SignIn(sdp=PAGE_OFFER))
    assert isinstance(reply, page.Accepted)
    return again


async def end(world: World) -> None:
    """Everybody hangs up, and nothing is left of it."""
    for caller in world.callers.values():
        caller.hang_up()
    await settle(world, 40)
    world.assert_empty()
    books(world)


# --- one call -----------------------------------------------------------------------------------------------------


def test_a_conversation_goes_on_and_its_media_are_left_alone(tmp_path: Path) -> None:
    async def tell(world: World) -> None:
        lin = await world.sign_in("1001")
        caller = world.dial(HOTLINE)
        await lin.hears(page.CallOffered)
        await lin.ask(page.Answer())
        await settle(world)
        heard = {leg: world.engine.hears(leg) for leg in (*world.engine.legs, *world.engine.recordings)}
        since = world.agent("1001").since
        commands = len([line for line in world.log if "engine <-" in line])
        await restart(world)
        await settle(world)
        assert {leg: world.engine.hears(leg) for leg in (*world.engine.legs, *world.engine.recordings)} == heard
        again = [line for line in world.log if "engine <-" in line][commands:]
        assert not [line for line in again if "CloseLeg" in line or "OpenRtpLeg" in line or "Recording" in line]
        assert (phase(world, "1001"), world.agent("1001").since) == (Phase.TALKING, since)
        assert not world.agent("1001").present
        lin = await come_back(world, lin)
        await settle(world, 60)
        assert phase(world, "1001") is Phase.TALKING
        assert not caller.over.is_set()
        await lin.ask(page.HangUp())
        await settle(world)
        assert isinstance(caller.last, CallEnded)
        assert phase(world, "1001") is Phase.AFTER_CALL_WORK
        await end(world)
        (call,) = (entry for entry in books(world) if isinstance(entry, CallEntry))
        assert (call.ended_by, call.cause, call.recorded) == ("agent", "hung up", True)

    run(tell, tmp_path)


def test_who_waits_keeps_its_place_and_its_music(tmp_path: Path) -> None:
    async def tell(world: World) -> None:
        first, second = world.dial(HOTLINE), world.dial(HOTLINE)
        await first.answered.wait()
        await second.answered.wait()
        await restart(world)
        lin = await world.sign_in("1001")
        offered = await lin.hears(page.CallOffered)
        assert isinstance(offered, page.CallOffered)
        assert offered.call == world.system.alive("call:")[0].removeprefix("call:")
        assert offered.waiting_since < world.now() - DOWN
        await lin.ask(page.Answer())
        await settle(world)
        await end(world)

    run(tell, tmp_path)


def test_a_call_that_ended_meanwhile_is_over_and_one_that_ends_then_too(tmp_path: Path) -> None:
    """The caller's BYE meets nobody; it is sent again until somebody is there."""

    async def tell(world: World) -> None:
        lin = await world.sign_in("1001")
        caller = world.dial(HOTLINE)
        await lin.hears(page.CallOffered)
        await lin.ask(page.Answer())
        await settle(world)
        world.kill_control()
        caller.hang_up()
        await settle(world, DOWN)
        world.restart_control()
        await settle(world, 5)
        assert phase(world, "1001") is Phase.AFTER_CALL_WORK
        world.assert_empty()
        await end(world)

    run(tell, tmp_path)


def test_both_processes_die_and_the_call_goes_on(tmp_path: Path) -> None:
    async def tell(world: World) -> None:
        lin = await world.sign_in("1001")
        caller = world.dial(HOTLINE)
        await lin.hears(page.CallOffered)
        await lin.ask(page.Answer())
        await settle(world)
        world.kill_control()
        await settle(world, 0.5)
        world.start_engine("second")
        await settle(world, DOWN)
        world.restart_control()
        await settle(world)
        lin = await come_back(world, lin)
        await lin.hears(page.CallBack)
        await settle(world)
        assert phase(world, "1001") is Phase.TALKING
        assert not caller.over.is_set()
        await end(world)

    run(tell, tmp_path)


@pytest.mark.parametrize("microseconds", range(0, 60_000, 1500))
def test_killed_at_any_instant_of_a_call_that_is_answered(tmp_path: Path, microseconds: int) -> None:
    """From the INVITE to the moment both talk, at every millisecond or so: it is answered in the end, or refused."""

    async def tell(world: World) -> None:
        lin = await world.sign_in("1001")

        def answer(event: page.Event) -> None:
            if isinstance(event, page.CallOffered):
                lin.click(page.Answer())

        lin.on_event = answer
        caller = world.dial(HOTLINE)
        await settle(world, microseconds / 1e6)
        await restart(world)
        await settle(world)
        again = await come_back(world, lin)
        if phase(world, "1001") is Phase.IDLE and not caller.over.is_set():
            await again.hears(page.CallOffered)
            await again.ask(page.Answer())
        await settle(world, 5)
        if caller.over.is_set():
            assert isinstance(caller.last, CallFailed)
            assert caller.last.status == 503
        else:
            assert phase(world, "1001") is Phase.TALKING
            (call,) = world.system.alive("call:")
            assert world.system.state_of(call).phase is CallPhase.TALKING
        await end(world)

    run(tell, tmp_path, agents=1)


@pytest.mark.parametrize("microseconds", range(500, 60_000, 7000))
def test_a_file_that_is_begun_anew_at_every_step_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, microseconds: int
) -> None:
    monkeypatch.setattr(statefile, "ROTATE_BYTES", 0)
    monkeypatch.setattr(statefile, "ROTATE_TIMES", 1)
    test_killed_at_any_instant_of_a_call_that_is_answered(tmp_path, microseconds)


# --- an hour ------------------------------------------------------------------------------------------------------


class Steady(Staff):
    """Comes back after every restart, once."""

    def soon(self) -> None:
        self.world.nursery.start_soon(self.come_back)

    async def come_back(self) -> None:
        if self.world.life.over or self.world.agent(self.robot.agent).present:
            return
        self.robot = self.world.open_page(self.robot.agent)
        self.robot.on_event = self.on_event
        assert isinstance(await self.robot.ask(page.SignIn(sdp=PAGE_OFFER, take_over=True)), page.Accepted)
        if phase(self.world, self.robot.agent) is Phase.AFTER_CALL_WORK:
            self.click(5, page.StartAnswering())


@pytest.mark.timeout(600)  # of a machine that does other things; time in the centre is virtual
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in (2, 3, 4))])
def test_an_hour_in_which_the_process_is_killed_every_few_minutes(tmp_path: Path, seed: int) -> None:
    async def tell(world: World) -> None:
        staff = [Steady(await world.sign_in(str(1001 + i), sound=i % 4 != 0)) for i in range(12)]
        for when in sorted(world.rng.uniform(0, 3500) for _ in range(150)):
            world.later(when, lambda: customer(world))
        begun = world.now()
        while world.now() < begun + 3500:
            await settle(world, world.rng.uniform(60, 400))
            world.kill_control()
            if world.rng.random() < 0.3:
                world.start_engine(f"engine {world.kills}")
            await settle(world, world.rng.uniform(0.5, 5))
            world.restart_control()
            for one in staff:
                world.later(world.rng.uniform(0.5, 10), one.soon)
        await end(world)
        calls = [entry for entry in books(world) if isinstance(entry, CallEntry)]
        talked = [call for call in calls if call.answered is not None]
        print(f"killed {world.kills} times in an hour: {len(calls)} calls, {len(talked)} of them answered")
        assert world.kills > 8
        assert len(talked) > 100

    run(tell, tmp_path, agents=12, seed=seed, wrap_up=60.0)


# --- what cannot be gone on with ----------------------------------------------------------------------------------


def add(file: Path, record: list[object]) -> None:
    """Behind the last record, where there is room."""
    end = 0
    with suppress(DamagedError):
        for frame in Frames(file.read_bytes()):
            end += len(framed(frame))
    with file.open("r+b") as room:
        room.seek(end)
        room.write(framed(msgpack.packb(record)))


async def _in_a_call(world: World) -> None:
    lin = await world.sign_in("1001")
    caller = world.dial(HOTLINE)
    await lin.hears(page.CallOffered)
    await lin.ask(page.Answer())
    await settle(world)
    assert not caller.over.is_set()


async def _ended_with_bye(world: World) -> None:
    await settle(world)
    (caller,) = world.callers.values()
    assert isinstance(caller.last, CallEnded)
    assert phase(world, "1001") is Phase.SIGNED_OUT
    assert world.engine.legs == ()
    assert world.engine.recordings == ()
    assert isinstance((await world.sign_in("1001")).last(page.AgentState), page.AgentState)


@pytest.mark.parametrize("what", ["another format", "a field that is gone", "an actor of another kind"])
def test_a_file_of_another_version_ends_the_calls_with_bye(tmp_path: Path, what: str) -> None:
    def other(file: Path) -> None:
        if what == "another format":
            first, later = (
                framed(statefile.HEADERS.pack(Header(version, past.packer().shapes)))
                for version in (statefile.FORMAT, statefile.FORMAT + 1)
            )
            data = file.read_bytes()
            assert data.startswith(first)
            file.write_bytes(later + data.removeprefix(first))
        elif what == "a field that is gone":
            add(file, ["actors.states.Step", "nobody"])
        else:
            add(file, ["actors.states.Born", "ivr:1", 0.0, ["actors.ivr.Ivr", {}]])

    async def tell(world: World) -> None:
        await _in_a_call(world)
        world.kill_control()
        other(tmp_path / past.FILE)
        await settle(world, DOWN)
        left = world.restart_control()
        assert "another version" in left.trouble
        await _ended_with_bye(world)

    run(tell, tmp_path)


def test_a_file_that_is_none_is_no_reason_not_to_begin(tmp_path: Path) -> None:
    async def tell(world: World) -> None:
        await _in_a_call(world)
        world.kill_control()
        (tmp_path / past.FILE).write_bytes(b"rubbish")
        left = world.restart_control()
        assert left.trouble == "not a file of states"
        await settle(world)
        assert world.engine.legs == ()
        assert phase(world, "1001") is Phase.SIGNED_OUT

    run(tell, tmp_path)


def test_records_that_contradict_each_other_are_not_gone_on_with(tmp_path: Path) -> None:
    async def tell(world: World) -> None:
        await _in_a_call(world)
        world.kill_control()
        pack = past.packer()
        add(tmp_path / past.FILE, ["actors.states.Ended", "agent:nobody", world.now(), "gone"])
        await settle(world, DOWN)
        left = past.read(tmp_path / past.FILE, pack, world.now())
        assert left.trouble == ""
        assert world.restart_control().trouble == "KeyError: 'agent:nobody'"
        await _ended_with_bye(world)

    run(tell, tmp_path)


def test_what_is_too_old_is_ended(tmp_path: Path) -> None:
    async def tell(world: World) -> None:
        await _in_a_call(world)
        left = await restart(world, past.STALE + 1)
        assert left.trouble == ""
        await _ended_with_bye(world)

    run(tell, tmp_path)


def test_what_kills_every_process_that_goes_on_with_it_is_dropped(tmp_path: Path) -> None:
    """The supervisor would give up at the fifth death: the fourth process begins without."""

    async def tell(world: World) -> None:
        await _in_a_call(world)
        for _ in range(past.RECALLS):
            assert (await restart(world, 0.5)).trouble == ""
            await settle(world)
            assert phase(world, "1001") is Phase.TALKING
        left = await restart(world, 0.5)
        assert "have ended soon after" in left.trouble
        await _ended_with_bye(world)

    run(tell, tmp_path)


def test_a_message_that_crashed_its_actor_stays_forgotten(tmp_path: Path) -> None:
    async def tell(world: World) -> None:
        await world.sign_in("1001")
        before = world.agent("1001")
        world.look = lambda: None  # type: ignore[method-assign] # nothing crashes otherwise
        world.system._look = lambda: None
        world.system.tell("agent:1001", "no message of any table")
        await settle(world)
        assert world.system.counters["crashes"] == 1
        await restart(world)
        await settle(world)
        assert world.system.counters["crashes"] == 0
        assert world.agent("1001").phase is before.phase

    run(tell, tmp_path)


# --- what must be packable ----------------------------------------------------------------------------------------


def test_every_message_of_every_table_can_be_kept() -> None:
    """A module that is not named in `values` would cost the file of states at the first message of it."""
    known = {kind for kind in values.packer()._forms if isinstance(kind, type)}
    missing = {message.__qualname__ for table in machines.TABLES for message in table.messages} - {
        kind.__qualname__ for kind in known
    }
    assert missing == set()
