"""Call control in whole stories over real endpoints and lines: what was heard is looked at after every step."""

from __future__ import annotations

from pathlib import Path

from cordboard.actors import page
from cordboard.actors.agent_state import Phase
from cordboard.sip.events import CallEnded

from .dialler import Far, rings_and_answers, story
from .far import Caller, Robot
from .house import what_is_heard
from .playing import play
from .test_world import HOTLINE, organisation, phase, settle
from .world import World


async def talking(world: World) -> tuple[Robot, Caller]:
    lin = await world.sign_in("1001")
    caller = world.dial(HOTLINE)
    await lin.hears(page.CallOffered)
    assert await lin.ask(page.Answer()) == page.Accepted()
    await settle(world, 5)
    return lin, caller


def legs(world: World) -> tuple[str, str]:
    """Of the customer, and of the line."""
    (customer,) = (leg for leg in world.engine.legs if leg.startswith("call:"))
    (line,) = (leg for leg in world.engine.legs if leg.startswith("line:"))
    return customer, line


@story
async def test_an_outside_number_is_consulted_and_then_has_the_customer(world: World) -> None:
    lin, caller = await talking(world)
    far = Far(world, rings_and_answers)
    assert await lin.ask(page.Consult(number="138 0013 8000")) == page.Accepted()
    await settle(world, 1)
    customer, line = legs(world)
    assert what_is_heard(world.engine, customer) == "on-hold"
    assert what_is_heard(world.engine, world.agent("1001").voice) == "ringback:CN"
    await settle(world, 3)
    assert list(world.engine.hears(line)) == [world.agent("1001").voice]
    assert await lin.ask(page.Swap()) == await lin.ask(page.Complete()) == page.Accepted()
    await settle(world)
    assert (list(world.engine.hears(customer)), list(world.engine.hears(line))) == ([line], [customer])
    assert phase(world, "1001") is Phase.AFTER_CALL_WORK
    far.hang_up()
    await caller.over.wait()
    assert isinstance(caller.last, CallEnded)
    await settle(world, 40)
    world.assert_empty()


@story
async def test_a_transfer_to_a_busy_number_comes_back(world: World) -> None:
    lin, caller = await talking(world)
    Far(world, lambda far, call: far.refuse(call, 486))
    assert await lin.ask(page.Transfer(number="13800138000")) == page.Accepted()
    offered = await lin.hears(page.CallOffered)
    assert isinstance(offered, page.CallOffered)
    assert (offered.purpose, offered.why, offered.status) == ("returned", "line_busy", 486)
    assert await lin.ask(page.Answer()) == page.Accepted()
    await settle(world)
    assert phase(world, "1001") is Phase.TALKING
    caller.hang_up()
    await settle(world, 40)
    world.assert_empty()


def test_a_consultation_outlives_the_control_process(tmp_path: Path) -> None:
    """It is killed and goes on: who is held stays held, who talks talks, and the consultation is completed."""

    async def run(world: World) -> None:
        lin, caller = await talking(world)
        wei = await world.sign_in("1002")
        assert await lin.ask(page.Consult("1002")) == page.Accepted()
        await wei.hears(page.CallOffered)
        assert await wei.ask(page.Answer()) == page.Accepted()
        await settle(world, 5)
        leg = {name: world.agent(name).leg for name in ("1001", "1002")}
        world.kill_control()
        await settle(world, 0.5)
        world.restart_control()
        await settle(world)
        again = {name: world.open_page(name) for name in leg}
        for name, robot in again.items():
            assert isinstance(await robot.ask(page.Resume(leg[name])), page.Accepted)
        snapshot = await again["1002"].ask(page.GetSnapshot())
        assert isinstance(snapshot, page.Snapshot)
        assert snapshot.parties is not None
        assert (snapshot.parties.role, snapshot.parties.by, snapshot.parties.customer_held) == ("second", "1001", True)
        await settle(world)
        assert await again["1001"].ask(page.Complete()) == page.Accepted()
        await settle(world)
        assert (phase(world, "1001"), phase(world, "1002")) == (Phase.AFTER_CALL_WORK, Phase.TALKING)
        caller.hang_up()
        await settle(world, 40)
        world.assert_empty()

    play(run, organisation(), data=tmp_path)
