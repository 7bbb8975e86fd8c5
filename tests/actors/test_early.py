"""Callers who wait before their call is answered: they hear the same (183), and it may cost them nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from cordboard.actors import page, records
from cordboard.actors.call_state import Phase
from cordboard.actors.organisation import Organisation
from cordboard.sip import sdp
from cordboard.sip.events import CallAnswered, CallFailed, CallProgressed

from .dialler import entries
from .far import Caller
from .playing import play
from .test_world import HOTLINE, organisation, settle
from .world import World

EARLY = 60.0


def early(**changes: Any) -> Organisation:
    plain = organisation()
    return evolve(plain, queues=tuple(evolve(each, early_seconds=EARLY, **changes) for each in plain.queues))


def events(caller: Caller) -> list[str]:
    return [type(each).__name__ for _, each in caller.shown]


def answered_at(caller: Caller) -> float:
    return next(at for at, each in caller.shown if isinstance(each, CallAnswered)) - caller.dialled_at


def test_music_is_heard_before_the_answer_and_the_agent_answers_the_call() -> None:
    async def tell(world: World) -> None:
        caller = world.dial(HOTLINE)
        await settle(world, 20)
        (progressed,) = (each for _, each in caller.shown if isinstance(each, CallProgressed))
        assert (progressed.status, isinstance(progressed.answer, sdp.SessionDescription)) == (183, True)
        assert not caller.answered.is_set()
        lin = await world.sign_in("1001")
        await lin.hears(page.CallOffered)
        await lin.ask(page.Answer())
        await caller.answered.wait()
        await settle(world)
        (call,) = world.system.alive("call:")
        assert world.system.state_of(call).phase is Phase.TALKING
        await lin.ask(page.HangUp())
        await settle(world, 40)
        world.assert_empty()

    play(tell, early())


def test_a_caller_is_answered_at_the_latest_when_its_network_would_give_up() -> None:
    async def tell(world: World) -> None:
        await world.sign_in("1001")
        caller = world.dial(HOTLINE)
        await settle(world, EARLY + 200)  # longer than a caller may be silent who is answered
        assert answered_at(caller) == pytest.approx(EARLY, abs=0.1)
        assert not caller.over.is_set()

    # nobody takes the call; a caller that is answered sends something, and the model's does
    play(tell, early(ring_seconds=1000.0))


def test_who_gives_up_meanwhile_was_never_answered() -> None:
    async def tell(world: World) -> None:
        lin = await world.sign_in("1001")
        caller = world.dial(HOTLINE)
        await lin.hears(page.CallOffered)
        caller.hang_up()
        await settle(world)
        assert "CallAnswered" not in events(caller)
        await settle(world, 40)
        (entry,) = entries(world).values()
        assert (entry.answered, entry.ended_by) == (None, "caller")
        outcomes = [each.entry.outcome for each in world.records if isinstance(each.entry, records.OfferEntry)]
        assert outcomes[-1] is records.Outcome.CALLER_LEFT
        world.assert_empty()

    play(tell, early())


def test_who_waits_too_long_hears_goodbye_and_480() -> None:
    async def tell(world: World) -> None:
        await world.sign_in("1001")
        caller = world.dial(HOTLINE)
        await settle(world, 29)
        assert not caller.over.is_set()
        await settle(world, 20)
        assert isinstance(caller.last, CallFailed)
        assert caller.last.status == 480
        assert world.announced["goodbye"] == 1
        await settle(world, 40)
        world.assert_empty()

    play(tell, early(max_wait_seconds=30.0, ring_seconds=1000.0))


def test_over_a_restart_it_is_still_not_answered(tmp_path: Path) -> None:
    async def tell(world: World) -> None:
        caller = world.dial(HOTLINE)
        await settle(world, 5)
        world.kill_control()
        await settle(world, 2)
        world.restart_control()
        await settle(world, 5)
        assert not caller.answered.is_set()
        lin = await world.sign_in("1001")
        await lin.hears(page.CallOffered)
        await lin.ask(page.Answer())
        await caller.answered.wait()
        await settle(world)
        await lin.ask(page.HangUp())
        await settle(world, 40)
        world.assert_empty()

    play(tell, early(), data=tmp_path)
