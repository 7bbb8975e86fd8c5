"""Agents who dial: whole stories over real endpoints, by what the far side, its trunk and the limits do."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve
from cordboard.actors import agent_state as agents
from cordboard.actors import page, records
from cordboard.actors.entries import Dialling
from cordboard.actors.organisation import Organisation
from cordboard.actors.switchboard import Drain, MediaFull, Open
from cordboard.actors.trunk import Phase as TrunkPhase
from cordboard.sip import sdp
from cordboard.sip.events import CallCancelled, CallEnded, IncomingCall, Output, Transmit
from cordboard.sip.message import respond

from .dialler import (
    CUSTOMER,
    SECOND,
    SHOWN,
    Far,
    dialling,
    entries,
    failures,
    leg_hears,
    outcomes,
    rings_and_answers,
    story,
)
from .playing import play
from .test_world import settle
from .world import CARRIER, SWITCH, World


@story
async def test_a_number_rings_answers_talks_and_ends_in_paperwork(world: World) -> None:
    lin = await world.sign_in("1001")
    far = Far(world, rings_and_answers)
    await settle(world)
    assert await lin.ask(page.Dial("138-0013 8000")) == page.Accepted()
    assert world.agent("1001").phase is agents.Phase.DIALLING
    await settle(world)
    (call,) = far.calls
    assert (call.number, call.caller, call.trunk) == (CUSTOMER, SHOWN.number, "switch")
    assert leg_hears(world, lin) == ["ringback:CN"]
    dial = world.agent("1001").dial
    assert dial is not None
    assert (dial.number, dial.rings, dial.early) == (CUSTOMER, True, False)
    connected = await lin.hears(page.CallConnected)
    assert isinstance(connected, page.CallConnected)
    assert (connected.number, connected.direction, connected.queue) == (CUSTOMER, "outbound", "")
    await settle(world)
    leg = f"call:{connected.call}/caller"
    assert leg_hears(world, lin) == [leg]
    assert list(world.engine.hears(leg)) == [world.agent("1001").voice]
    assert world.engine.recordings == (connected.call,)
    far.hang_up()
    ended = await lin.hears(page.CallEnded)
    assert isinstance(ended, page.CallEnded)
    assert (ended.by, world.agent("1001").phase) == ("callee", agents.Phase.AFTER_CALL_WORK)
    await settle(world, 40)
    (entry,) = entries(world).values()
    assert (entry.direction, entry.trunk) == ("outbound", "carrier")
    assert (entry.caller, entry.dialled) == (CUSTOMER, SHOWN.number)
    assert (entry.recorded, entry.ended_by, entry.test) == (True, "callee", False)
    assert entry.answered is not None
    assert outcomes(world) == [records.Outcome.ANSWERED]
    await lin.ask(page.StartAnswering())
    world.assert_empty()


@story
async def test_who_hangs_up_in_the_call_ends_it_for_both(world: World) -> None:
    lin = await world.sign_in("1001")
    far = Far(world, rings_and_answers)
    await settle(world)
    await lin.ask(page.Dial(CUSTOMER))
    await lin.hears(page.CallConnected)
    await lin.ask(page.Mute())
    await lin.ask(page.HangUp())
    await far.over.wait()
    assert world.agent("1001").phase is agents.Phase.AFTER_CALL_WORK
    await settle(world, 40)
    world.assert_empty()


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (486, "line_busy"),
        (600, "line_busy"),
        (404, "no_such_number"),
        (480, "not_answered"),
        (603, "call_declined"),
        (403, "trunk_refused"),
        (488, "no_common_media"),
        (302, "number_moved"),
        (420, "call_failed"),
    ],
)
def test_what_the_far_side_says_is_told_in_words_and_the_agent_does_again_what_it_did(status: int, why: str) -> None:
    async def tell(world: World) -> None:
        lin = await world.sign_in("1001")
        Far(world, lambda far, call: far.refuse(call, status))
        await settle(world)
        await lin.ask(page.SetState("break"))
        await lin.ask(page.Dial(CUSTOMER))
        failed = await lin.hears(page.CallFailed)
        assert isinstance(failed, page.CallFailed)
        assert (failed.why, failed.status, failed.number) == (why, status, CUSTOMER)
        assert failed.text == page.FAILURES[why]
        assert (world.agent("1001").phase, world.agent("1001").reason) == (agents.Phase.ON_BREAK, "chosen")
        await settle(world, 40)
        (entry,) = entries(world).values()
        assert (entry.answered, entry.cause.endswith(f"(SIP {status})")) == (None, True)
        assert outcomes(world) == [records.Outcome.NOT_CONNECTED]
        world.assert_empty()

    play(tell, dialling())


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("+442079460958", "not_allowed"),
        ("16812345", "premium_rate"),
        ("nobody", "not_a_number"),
        ("+1", "not_a_number"),
    ],
)
def test_what_the_gate_bars_never_leaves(number: str, why: str) -> None:
    async def tell(world: World) -> None:
        lin = await world.sign_in("1001")
        far = Far(world, rings_and_answers)
        await settle(world)
        await lin.ask(page.Dial(number))
        await settle(world)
        assert failures(lin) == [(why, 0)]
        assert (world.agent("1001").phase, world.agent("1001").reason) == (agents.Phase.IDLE, "not connected")
        assert (far.calls, entries(world), outcomes(world)) == ([], {}, [])
        assert world.agent("1001").phase is agents.Phase.IDLE
        assert world.system.state_of("switchboard").barred == {why: 1}
        world.assert_empty()

    play(tell, dialling())


@story
async def test_an_emergency_call_leaves_by_a_trunk_that_is_down_beyond_all_limits(world: World) -> None:
    lin = await world.sign_in("1001")
    far = Far(world, rings_and_answers)
    world.configure(
        evolve(
            world.organisation,
            dialling=(Dialling(deny=""),),
            agents=tuple(evolve(each, calls_per_minute=1) for each in world.organisation.agents),
        )
    )
    world.unplug(CARRIER)
    await settle(world, 20)
    assert world.system.state_of("trunk:carrier").phase is TrunkPhase.DOWN
    world.plug(CARRIER)
    for _ in range(3):
        await lin.ask(page.Dial("110"))
        await settle(world)
        await lin.ask(page.HangUp())
        await settle(world)
    assert [call.number for call in far.calls] == ["110"] * 3
    assert failures(lin) == [("given_up", 0)] * 3


@story
async def test_a_trunk_that_is_down_is_told_at_once(world: World) -> None:
    lin = await world.sign_in("1001")
    world.unplug(CARRIER)
    await settle(world, 20)
    await lin.ask(page.Dial(CUSTOMER))
    await settle(world)
    assert failures(lin) == [("trunk_down", 0)]
    assert world.agent("1001").phase is agents.Phase.IDLE


def by_two_hosts() -> Organisation:
    """The first of them is a trunk's own, the second that of another trunk, which is tried after it."""
    made = dialling()
    (carrier,) = made.trunks
    first = evolve(carrier, id="first", peers=(), proxy=(f"sip:{SECOND.host}",))
    return evolve(made, trunks=(first, evolve(carrier, priority=2)))


@pytest.mark.parametrize(
    ("how", "after"), [("silent", 4.0), (500, 0.0), (503, 0.0), (504, 0.0)], ids=["silence", "500", "503", "504"]
)
def test_a_host_that_does_not_take_it_costs_four_seconds_at_most(how: int | str, after: float) -> None:
    """... and one that says when to come again is not asked before that."""

    async def tell(world: World) -> None:
        host = world.add_host(SECOND)
        refused: list[str] = []

        def refuse(output: Output) -> None:
            if isinstance(output, IncomingCall) and isinstance(how, int):
                refused.append(output.call)
                host.perform(
                    host.endpoint.reject(output.call, how, world.now(), retry_after=30 if how == 503 else None)
                )

        host.on_output = refuse
        lin = await world.sign_in("1001")
        far = Far(world, rings_and_answers)
        await settle(world)
        if how == "silent":
            world.unplug(SECOND)
        dialled_at = world.now()
        await lin.ask(page.Dial(CUSTOMER))
        while not far.calls:
            await world.something()
        assert after <= world.now() - dialled_at < after + 0.2
        await lin.hears(page.CallConnected)
        await settle(world)
        (leg,) = (leg for leg in world.engine.legs if leg.startswith("call:"))
        assert leg_hears(world, lin) == [leg]
        await lin.ask(page.HangUp())
        await settle(world, 20)
        (entry,) = entries(world).values()
        assert entry.trunk == "carrier"
        before = len(refused)
        await lin.ask(page.StartAnswering())
        await lin.ask(page.Dial(CUSTOMER))  # 503: the first is left alone; else it is tried again, or down
        await lin.hears(page.CallConnected)
        assert len(refused) - before == (1 if how in (500, 504) else 0)
        assert world.system.state_of("trunk:first").usage.calls == frozenset()
        await lin.ask(page.HangUp())
        await settle(world, 40)
        world.assert_no_calls()

    play(tell, by_two_hosts())


def test_a_call_out_goes_on_to_the_next_host_though_the_process_dies_meanwhile(tmp_path: Path) -> None:
    async def tell(world: World) -> None:
        world.add_host(SECOND)
        lin = await world.sign_in("1001")
        far = Far(world, rings_and_answers)
        await settle(world)
        world.unplug(SECOND)
        dialled_at = world.now()
        await lin.ask(page.Dial(CUSTOMER))
        await settle(world, 2.0)
        world.kill_control()
        await settle(world, 1.0)
        world.restart_control()
        while not far.calls:
            await world.something()
        assert 4.0 <= world.now() - dialled_at < 4.2
        await settle(world, 10)
        assert world.agent("1001").phase is agents.Phase.TALKING
        (leg,) = (leg for leg in world.engine.legs if leg.startswith("call:"))
        far.hang_up()
        await settle(world, 40)
        (entry,) = entries(world).values()
        assert (entry.trunk, leg.rpartition("/")[0]) == ("carrier", f"call:{entry.call}/caller")
        assert not [each for each in world.engine.legs if each.startswith("call:")]

    play(tell, by_two_hosts(), data=tmp_path)


def test_a_trunk_goes_on_by_its_next_host_and_is_one_call() -> None:
    async def tell(world: World) -> None:
        world.add_host(SECOND)
        lin = await world.sign_in("1001")
        far = Far(world, rings_and_answers)
        await settle(world)
        world.unplug(SECOND)
        await lin.ask(page.Dial(CUSTOMER))
        await settle(world, 5)
        assert len(far.calls) == 1
        state = world.system.state_of("trunk:carrier")
        assert (len(state.usage.calls), len(state.usage.began)) == (1, 1)
        world.unplug(CARRIER)
        await lin.ask(page.HangUp())

    made = dialling(calls=1, calls_per_minute=1)
    (carrier,) = made.trunks
    both = evolve(carrier, proxy=(f"sip:{SECOND.host}", *carrier.proxy))
    play(tell, evolve(made, trunks=(both,)))


def test_where_one_behind_a_fork_gives_up_nothing_rings() -> None:
    """199 (RFC 6228): the last of them may be followed by a failure that another trunk does not have."""

    async def tell(world: World) -> None:
        host = world.add_host(SECOND)

        def refuse(output: Output) -> None:
            if isinstance(output, IncomingCall):
                call = host.endpoint._calls[output.call]
                assert call.invite is not None
                world.carry(SECOND, Transmit(bytes(respond(call.invite, 199, SWITCH, tag=call.tag)), SWITCH))
                world.later(0.1, lambda: host.perform(host.endpoint.reject(output.call, 500, world.now())))

        host.on_output = refuse
        lin = await world.sign_in("1001")
        far = Far(world, rings_and_answers)
        await settle(world)
        await lin.ask(page.Dial(CUSTOMER))
        await lin.hears(page.CallConnected)
        assert len(far.calls) == 1
        await lin.ask(page.HangUp())
        await settle(world, 40)
        world.assert_no_calls()

    play(tell, by_two_hosts())


@story
async def test_early_media_is_heard_before_the_answer(world: World) -> None:
    """An announcement of the network, in 183."""
    lin = await world.sign_in("1001")

    far = Far(world, Far.announce)
    await settle(world)
    await lin.ask(page.Dial(CUSTOMER))
    await settle(world)
    dial = world.agent("1001").dial
    assert dial is not None
    assert dial.early
    (leg,) = (leg for leg in world.engine.legs if leg.startswith("call:"))
    assert leg_hears(world, lin) == [leg]
    assert list(world.engine.hears(leg)) == []
    far.answer(far.calls[0])
    await lin.hears(page.CallConnected)
    await settle(world)
    assert list(world.engine.hears(leg)) == [world.agent("1001").voice]
    far.hang_up()
    await lin.hears(page.CallEnded)


@story
async def test_a_far_side_that_rings_elsewhere_is_followed_there(world: World) -> None:
    """It has answered early and reliably (RFC 3262), and moves its media by UPDATE (RFC 3311) before it answers."""
    lin = await world.sign_in("1001")

    far = Far(world, Far.announce)
    await settle(world)
    await lin.ask(page.Dial(CUSTOMER))
    await settle(world)
    record = world.carrier.endpoint._calls[far.calls[0].call]
    assert record.dialog is not None
    moved = sdp.offer(CARRIER.host, 4444, session_id=9, version=2)
    rows = (("Contact", f"<sip:{CARRIER}>"), ("Content-Type", "application/sdp"))
    update = record.dialog.request("UPDATE", 1, "moved", CARRIER, rows, bytes(moved))
    world.carry(CARRIER, Transmit(bytes(update), SWITCH))
    await settle(world)
    (leg,) = (leg for leg in world.engine.legs if leg.startswith("call:"))
    (call,) = world.system.alive("call:")
    assert world.system.state_of(call).agreed.remote == (CARRIER.host, 4444)
    far.answer(far.calls[0])
    await lin.hears(page.CallConnected)
    await settle(world)
    assert world.system.state_of(call).agreed.remote == (CARRIER.host, 4444)
    assert list(world.engine.hears(leg)) == [world.agent("1001").voice]
    far.hang_up()
    await lin.hears(page.CallEnded)


@story
async def test_limits_of_an_agent_and_of_a_trunk(world: World) -> None:
    limited = tuple(evolve(each, calls_per_minute=2) for each in world.organisation.agents)
    world.configure(evolve(world.organisation, agents=limited))
    lin = await world.sign_in("1001")
    Far(world, lambda far, call: far.refuse(call, 486))
    await settle(world)
    for _ in range(3):
        await lin.ask(page.Dial(CUSTOMER))
        await settle(world)
    assert failures(lin) == [("line_busy", 486), ("line_busy", 486), ("too_often", 0)]
    await settle(world, 60)
    (carrier,) = world.organisation.trunks
    world.configure(evolve(world.organisation, trunks=(evolve(carrier, calls=1),)))
    wei = await world.sign_in("1002")
    Far(world, lambda far, call: far.ring(call))
    await lin.ask(page.Dial(CUSTOMER))
    await settle(world)
    await wei.ask(page.Dial(CUSTOMER))
    await settle(world)
    assert failures(wei) == [("trunk_busy", 0)]
    await lin.ask(page.HangUp())
    await settle(world)
    await wei.ask(page.Dial(CUSTOMER))
    await settle(world)
    assert world.agent("1002").phase is agents.Phase.DIALLING


@story
async def test_an_agent_has_so_many_calls_at_once_and_what_is_over_does_not_count(world: World) -> None:
    limited = tuple(evolve(each, calls=1) for each in world.organisation.agents)
    world.configure(evolve(world.organisation, agents=limited))
    lin = await world.sign_in("1001")
    Far(world, rings_and_answers)
    await settle(world)
    for times in (1, 2):
        await lin.ask(page.Dial(CUSTOMER))
        await settle(world, 4)
        assert world.agent("1001").phase is agents.Phase.TALKING
        await lin.ask(page.Consult(number="+8613800138005"))
        await settle(world)
        over = [event.why for _, event in lin.heard if isinstance(event, page.CallSecondOver)]
        assert over == ["too_many_calls"] * times
        await lin.ask(page.HangUp())
        await settle(world)


@story
async def test_a_switch_that_is_full_or_draining_lets_emergency_calls_out_alone(world: World) -> None:
    lin = await world.sign_in("1001")
    far = Far(world, rings_and_answers)
    await settle(world)
    for shut, opened in ((MediaFull(full=True), MediaFull(full=False)), (Drain(), Open())):
        world.system.tell("switchboard", shut)
        for number in (CUSTOMER, "119"):
            await lin.ask(page.Dial(number))
            await settle(world)
        assert failures(lin)[-1] == ("switch_busy", 0)
        assert far.calls[-1].number == "119"
        await lin.ask(page.HangUp())
        await settle(world)
        world.system.tell("switchboard", opened)
    assert len(far.calls) == 2


@story
async def test_giving_up_is_free_at_once_whatever_the_far_side_does(world: World) -> None:
    """An answer that crosses the cancel is hung up (RFC 3261 §9.1)."""
    lin = await world.sign_in("1001")
    far = Far(world, lambda far, call: far.ring(call))
    await settle(world)
    for crosses in (False, True):
        await lin.ask(page.Dial(CUSTOMER))
        await settle(world)
        if crosses:
            far.answer(far.calls[-1])
        await lin.ask(page.HangUp())
        assert world.agent("1001").phase is agents.Phase.IDLE
        await settle(world, 40)
        assert failures(lin)[-1] == ("given_up", 0)
        world.assert_empty()
    ends = [type(each) for each in far.heard if isinstance(each, CallCancelled | CallEnded)]
    assert ends == [CallCancelled, CallEnded]


@story
async def test_nobody_answers_for_three_minutes(world: World) -> None:
    lin = await world.sign_in("1001")
    far = Far(world, lambda far, call: far.ring(call))
    await settle(world)
    await lin.ask(page.Dial(CUSTOMER))
    await settle(world, 179)
    assert world.agent("1001").phase is agents.Phase.DIALLING
    await settle(world, 3)
    assert failures(lin) == [("not_answered", 0)]
    assert isinstance(far.heard[-1], CallCancelled)
