"""Calls out that a trunk does not let through: what it says of us is not the callee's word, and another trunk is asked,
of an emergency call whatever is said."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from attrs import evolve
from click.testing import CliRunner
from cordboard.actors import alarms, outward, page, signals
from cordboard.actors.commands import replay
from cordboard.actors.organisation import Organisation
from cordboard.actors.trunk import Phase as TrunkPhase
from cordboard.sip import sdp
from cordboard.sip.events import CallCancelled, IncomingCall, Output
from cordboard.sip.message import Address

from .appointments import Jumping
from .dialler import (
    CUSTOMER,
    SECOND,
    Far,
    announces,
    dialling,
    entries,
    failures,
    leg_hears,
    refuses,
    rings_and_answers,
)
from .playing import play
from .test_world import HOTLINE, settle
from .world import CARRIER, World

THIRD = Address("198.51.100.3", 5060)
FOURTH = Address("198.51.100.4", 5060)


def by_three_trunks() -> Organisation:
    """Two before the one that far sides of these stories are behind."""
    made = dialling()
    (carrier,) = made.trunks
    first = evolve(carrier, id="first", peers=(), proxy=(f"sip:{SECOND.host}",))
    second = evolve(carrier, id="second", peers=(), proxy=(f"sip:{THIRD.host}",), priority=2)
    return evolve(made, trunks=(first, second, evolve(carrier, priority=3)))


@pytest.mark.parametrize("number", ["110", CUSTOMER])
@pytest.mark.parametrize("status", [401, 403, 407])
def test_a_trunk_that_refuses_us_and_one_that_is_down_keep_no_call_from_the_next(number: str, status: int) -> None:
    async def tell(world: World) -> None:
        world.add_host(SECOND)
        refused = refuses(world, THIRD, status)
        lin = await world.sign_in("1001")
        far = Far(world, rings_and_answers)
        world.unplug(SECOND)
        await settle(world, 30)
        assert world.system.state_of("trunk:first").phase is TrunkPhase.DOWN
        dialled_at = world.now()
        await lin.ask(page.Dial(number))
        while not far.calls:
            await world.something()
        assert world.now() - dialled_at < 0.5
        assert (refused, [call.number for call in far.calls]) == ([number], [number])
        await lin.hears(page.CallConnected)
        await settle(world)
        (leg,) = (leg for leg in world.engine.legs if leg.startswith("call:"))
        assert leg_hears(world, lin) == [leg]
        await lin.ask(page.HangUp())
        await settle(world, 40)
        (entry,) = entries(world).values()
        assert entry.trunk == "carrier"
        assert [world.system.state_of(f"trunk:{each}").usage.calls for each in ("second", "carrier")] == [
            frozenset()
        ] * 2
        world.assert_no_calls()

    play(tell, by_three_trunks())


@pytest.mark.parametrize("ends", ["rings", "username", "password"])
def test_a_trunk_that_wants_another_password_is_an_alarm_until_it_takes_a_call_or_has_another(
    tmp_path: Path, ends: str
) -> None:
    alarm = alarms.TRUNK_WANTS_PASSWORD.says(trunk="carrier")

    async def tell(world: World) -> None:
        lin = await world.sign_in("1001")
        Far(world, lambda far, call: far.refuse(call, 401))
        await settle(world)
        for _ in range(2):
            await lin.ask(page.Dial(CUSTOMER))
            await settle(world)
        assert failures(lin) == [("trunk_refused", 401)] * 2
        assert world.system.alarms == [alarm]
        world.kill_control()
        world.restart_control()
        await settle(world, 30)
        assert world.system.alarms == [alarm]
        lin = await world.sign_in("1001")
        if ends != "rings":
            (carrier,) = world.organisation.trunks
            known = evolve(carrier, username="harbour") if ends == "username" else evolve(carrier, password="harbour")
            world.configure(evolve(world.organisation, trunks=(known,)))
            await settle(world)
            assert world.system.alarms == []
            return
        Far(world, lambda far, call: far.refuse(call, 486))
        await lin.ask(page.Dial(CUSTOMER))
        await settle(world)
        assert world.system.alarms == [alarm]  # which says nothing of us
        Far(world, lambda far, call: far.ring(call))
        await lin.ask(page.Dial(CUSTOMER))
        await settle(world)
        assert world.system.alarms == []
        await lin.ask(page.HangUp())
        await settle(world, 40)
        world.assert_no_calls()

    play(tell, dialling(), data=tmp_path)


def test_an_emergency_call_that_all_refuse_who_are_up_leaves_by_one_that_is_said_to_be_down() -> None:
    async def tell(world: World) -> None:
        wrong, unknown = refuses(world, SECOND, 401), refuses(world, THIRD, 404)
        lin = await world.sign_in("1001")
        far = Far(world, rings_and_answers)
        world.unplug(CARRIER)
        await settle(world, 30)
        assert world.system.state_of("trunk:carrier").phase is TrunkPhase.DOWN
        world.plug(CARRIER)
        await lin.ask(page.Dial("110"))
        await lin.hears(page.CallConnected)
        assert (wrong, unknown, [call.number for call in far.calls]) == (["110"], ["110"], ["110"])
        await lin.ask(page.HangUp())
        await settle(world, 40)
        world.assert_no_calls()

    play(tell, by_three_trunks())


def test_a_carrier_that_takes_its_time_is_waited_for() -> None:
    """It says at once that it tries (100), and finds a mobile for seven seconds before that rings."""

    async def tell(world: World) -> None:
        def finds(far: Far, call: IncomingCall) -> None:
            world.later(7.0, lambda: far.ring(call))
            world.later(9.0, lambda: far.answer(call))

        lin = await world.sign_in("1001")
        far = Far(world, finds)
        await settle(world)
        dialled_at = world.now()
        await lin.ask(page.Dial(CUSTOMER))
        await lin.hears(page.CallConnected)
        assert 9.0 <= world.now() - dialled_at < 10.0
        assert (len(far.calls), failures(lin)) == (1, [])
        await lin.ask(page.HangUp())
        await settle(world, 40)
        world.assert_no_calls()

    play(tell, dialling())


def test_an_emergency_call_leaves_a_trunk_that_only_says_that_it_tries() -> None:
    """It has said 100, and would be waited for three minutes."""

    async def tell(world: World) -> None:
        asked: list[Output] = []
        world.add_host(SECOND).on_output = asked.append
        unknown = refuses(world, THIRD, 404)
        lin = await world.sign_in("1001")
        far = Far(world, rings_and_answers)
        await settle(world)
        dialled_at = world.now()
        await lin.ask(page.Dial("110"))
        await lin.hears(page.CallConnected)
        assert 2 + outward.EMERGENCY <= world.now() - dialled_at < 3 + outward.EMERGENCY  # the last one rings for 2 s
        assert any(isinstance(each, CallCancelled) for each in asked)
        assert (unknown, [call.number for call in far.calls]) == (["110"], ["110"])
        await lin.ask(page.HangUp())
        await settle(world, 40)
        world.assert_no_calls()

    play(tell, by_three_trunks())


def test_an_emergency_call_leaves_such_a_trunk_whatever_other_hosts_it_has() -> None:
    """Each may take as long."""

    async def tell(world: World) -> None:
        asked: list[Output] = []
        for each in (SECOND, FOURTH):
            world.add_host(each).on_output = asked.append
        unknown = refuses(world, THIRD, 404)
        lin = await world.sign_in("1001")
        far = Far(world, rings_and_answers)
        await settle(world)
        dialled_at = world.now()
        await lin.ask(page.Dial("110"))
        await lin.hears(page.CallConnected)
        assert 2 + outward.EMERGENCY <= world.now() - dialled_at < 3 + outward.EMERGENCY
        assert len([each for each in asked if isinstance(each, IncomingCall)]) == 1
        assert (unknown, [call.number for call in far.calls]) == (["110"], ["110"])
        await lin.ask(page.HangUp())
        await settle(world, 40)
        world.assert_no_calls()

    made = by_three_trunks()
    first, *others = made.trunks
    two = evolve(first, proxy=(*first.proxy, f"sip:{FOURTH.host}"))
    play(tell, evolve(made, trunks=(two, *others)))


def test_an_emergency_call_leaves_a_host_that_only_tries_for_the_next_one_of_the_only_trunk() -> None:
    async def tell(world: World) -> None:
        asked: list[Output] = []
        world.add_host(SECOND).on_output = asked.append
        lin = await world.sign_in("1001")
        Far(world, rings_and_answers)
        await settle(world)
        dialled_at = world.now()
        await lin.ask(page.Dial("110"))
        await lin.hears(page.CallConnected)
        assert 2 + outward.EMERGENCY <= world.now() - dialled_at < 3 + outward.EMERGENCY
        assert any(isinstance(each, CallCancelled) for each in asked)
        await lin.ask(page.HangUp())
        await settle(world, 40)
        world.assert_no_calls()

    made = dialling()
    (carrier,) = made.trunks
    hosts = tuple(f"sip:{each.host}" for each in (SECOND, CARRIER))
    play(tell, evolve(made, trunks=(evolve(carrier, proxy=hosts),)))


@pytest.mark.parametrize("seconds", [5.0, outward.EMERGENCY - 0.5])
def test_an_emergency_call_goes_on_as_the_process_dies_that_makes_it(tmp_path: Path, seconds: float) -> None:
    """... also where the moment to leave a trunk comes while nobody is there."""

    async def tell(world: World) -> None:
        world.add_host(SECOND)
        refused = refuses(world, THIRD, 403)
        lin = await world.sign_in("1001")
        far = Far(world, rings_and_answers)
        await settle(world)
        await lin.ask(page.Dial("110"))
        await settle(world, seconds)
        world.kill_control()
        await settle(world, 2.0)
        world.restart_control()
        lin = await world.sign_in("1001")
        await settle(world, outward.EMERGENCY + 3 - seconds)
        (leg,) = (leg for leg in world.engine.legs if leg.startswith("call:"))
        assert (leg_hears(world, lin), refused) == ([leg], ["110"])
        assert [call.number for call in far.calls] == ["110"]
        await lin.ask(page.HangUp())
        await settle(world, 40)
        world.assert_no_calls()

    play(tell, by_three_trunks(), data=tmp_path)
    replayed = CliRunner().invoke(replay, [str(tmp_path)])
    assert replayed.output.endswith("all effects equal\n"), replayed.output


def test_an_emergency_call_asks_every_host_of_the_only_trunk_that_refuses_us() -> None:
    async def tell(world: World) -> None:
        refused = [refuses(world, each, 403) for each in (SECOND, THIRD)]
        lin = await world.sign_in("1001")
        far = Far(world, rings_and_answers)
        await settle(world)
        await lin.ask(page.Dial("110"))
        await lin.hears(page.CallConnected)
        assert (refused, [call.number for call in far.calls]) == ([["110"]] * 2, ["110"])
        await lin.ask(page.HangUp())
        await settle(world, 40)
        world.assert_no_calls()

    made = dialling()
    (carrier,) = made.trunks
    hosts = tuple(f"sip:{each.host}" for each in (SECOND, THIRD, CARRIER))
    play(tell, evolve(made, trunks=(evolve(carrier, proxy=hosts),)))


def test_who_was_heard_and_is_left_for_another_trunk_is_heard_by_nobody_any_more() -> None:
    """A customer's agent asks for the police; the first network announces that it cannot, the second takes its time."""

    async def tell(world: World) -> None:
        announces(world, SECOND, then=403)
        lin = await world.sign_in("1001")
        far = Far(world, lambda far, call: world.later(3.0, lambda: rings_and_answers(far, call)))
        await settle(world)
        caller = world.dial(HOTLINE)
        await lin.hears(page.CallOffered)
        await lin.ask(page.Answer())
        await caller.answered.wait()
        await settle(world)
        await lin.ask(page.Consult(number="110"))
        await settle(world, 0.5)
        announced = leg_hears(world, lin)
        assert [each for each in announced if each.startswith("line:")] == announced
        await settle(world, 2.0)
        assert leg_hears(world, lin) == ["ringback:CN"]
        await settle(world, 5.0)
        (line,) = (leg for leg in world.engine.legs if leg.startswith("line:"))
        assert (leg_hears(world, lin), len(far.calls)) == ([line], 1)
        caller.hang_up()
        await lin.ask(page.Complete())
        await settle(world, 40)

    made = by_three_trunks()
    first, _, carrier = made.trunks
    play(tell, evolve(made, trunks=(first, carrier)))


def test_an_emergency_call_that_is_announced_to_be_refused_goes_on() -> None:
    """Networks say so in early media, which is the end of any other call."""

    async def tell(world: World) -> None:
        unknown = refuses(world, THIRD, 404)
        host = world.add_host(SECOND)

        def announce(output: Output) -> None:
            if isinstance(output, IncomingCall):
                host.perform(host.endpoint.ring(output.call, world.now()))
                world.later(1.0, lambda: host.perform(host.endpoint.reject(output.call, 403, world.now())))

        host.on_output = announce
        lin = await world.sign_in("1001")
        far = Far(world, rings_and_answers)
        await settle(world)
        await lin.ask(page.Dial(CUSTOMER))
        await settle(world, 5)
        assert (failures(lin), far.calls) == ([("trunk_refused", 403)], [])
        await lin.ask(page.Dial("119"))
        await lin.hears(page.CallConnected)
        assert (unknown, [call.number for call in far.calls]) == (["119"], ["119"])
        await lin.ask(page.HangUp())
        await settle(world, 40)
        world.assert_no_calls()

    play(tell, by_three_trunks())


def test_a_far_side_that_moves_as_an_emergency_call_leaves_it_is_too_late() -> None:
    """It was heard for as long as anybody is waited for, and its UPDATE (RFC 3311) waits behind the moment to go on."""

    async def tell(world: World) -> None:
        announces(world, SECOND)
        lin = await world.sign_in("1001")
        far = Far(world, rings_and_answers)
        await settle(world)
        await lin.ask(page.Dial("110"))
        await settle(world)
        (name,) = world.system.alive("call:")
        calling = world.system.state_of(name)
        await trio.sleep(calling.out.until - world.now() - 0.01)
        assert far.calls == []
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, Jumping)
        clock.jump(0.02)
        world.system.tell(name, signals.Reoffered(calling.sip, sdp.offer(SECOND.host, 4444, session_id=9, version=2)))
        await settle(world, 5)
        assert (world.system.counters["crashes"], [call.number for call in far.calls]) == (0, ["110"])
        await lin.ask(page.HangUp())
        await settle(world, 40)

    made = by_three_trunks()
    first, _, carrier = made.trunks
    play(tell, evolve(made, trunks=(first, carrier)))
