"""Lines over real endpoints: a mobile that an owner asks for, the gate, limits and redirects, and the ends of both."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from attrs import evolve, frozen
from cordboard.actors import signals
from cordboard.actors.call_state import Follow, Redirected, Stay
from cordboard.actors.effects import Effect, Media, Record, Sip, Tell
from cordboard.actors.entries import Agent as Staff
from cordboard.actors.invariants import untrue
from cordboard.actors.line import EndLine, LineBegun, LineOver, LineRings, LineUp, Reach
from cordboard.actors.organisation import Organisation
from cordboard.actors.switchboard import Drain, MediaFull
from cordboard.actors.truth import What
from cordboard.sip.events import CallCancelled, CallEnded
from cordboard.switch import protocol as media

from .dialler import CUSTOMER, Far, dialling, rings_and_answers
from .house import House
from .invariants import StandIn
from .playing import play
from .test_line import CALLED, HOST, LEG, begun, hears, over
from .test_world import settle
from .world import World


@frozen
class Kept:
    """What an owner has heard, and when."""

    heard: tuple[tuple[float, object], ...] = ()


class Owner(StandIn):
    """Whoever wants lines: it keeps what it hears."""

    def __init__(self) -> None:
        self.state = Kept()

    def receive(self, message: object, now: float) -> list[Effect]:
        self.state = Kept((*self.state.heard, (now, message)))
        return []

    def deadline(self) -> float:
        return float("inf")

    def wake(self, now: float) -> list[Effect]:
        return []

    def will(self, reason: str, now: float) -> list[Record]:
        return []

    def last(self) -> object:
        return self.state.heard[-1][1]


def centre(calls_per_minute: int = 0) -> Organisation:
    """Wei has a mobile; Lin's are the calls that count."""
    plain = dialling()
    staff = (Staff(id="1001", calls_per_minute=calls_per_minute), Staff(id="1002", mobile=CUSTOMER))
    return evolve(plain, agents=staff, queues=(), numbers=plain.numbers[1:2])


def tell(run: Callable[[World, Owner], Awaitable[None]], organisation: Organisation | None = None) -> None:
    async def told(world: World) -> None:
        owner = Owner()
        world.system.spawn("agent:owner", owner)
        await settle(world)
        await run(world, owner)
        await settle(world, 60)
        world.assert_empty()

    play(told, organisation or centre())


def reach(world: World, number: str = "", mobile_of: str = "") -> None:
    world.system.tell("switchboard", Reach("c+1", "agent:owner", "1001", number, mobile_of))


def test_a_colleagues_mobile_rings_and_hears_what_its_owner_lets_it_hear() -> None:
    async def run(world: World, owner: Owner) -> None:
        far = Far(world, rings_and_answers)
        reach(world, mobile_of="1002")
        await settle(world, 1)
        (call,) = far.calls
        assert call.number == CUSTOMER
        leg = "line:c+1/caller"
        assert [message for _, message in owner.state.heard[1:]] == [
            LineBegun("c+1", CUSTOMER),
            LineRings("c+1", CUSTOMER, early=False, leg=leg),
        ]
        await settle(world, 2)
        assert owner.last() == LineUp("c+1", leg)
        assert world.engine.hears(leg) == {}
        far.hang_up()
        await settle(world)
        assert owner.last() == LineOver("c+1", "callee", "hung_up")
        assert world.system.state_of("switchboard").usage["1001"].calls == frozenset()
        assert world.system.state_of("trunk:carrier").usage.calls == frozenset()

    tell(run)


def test_a_line_whose_owner_knows_of_none_is_nobodys() -> None:
    """Whoever is not an agent or a call has none; production is told, a test's own owner is let be."""

    async def run(world: World, owner: Owner) -> None:
        far = Far(world, rings_and_answers)
        reach(world, mobile_of="1002")
        await settle(world, 3)
        assert [each.what for each in untrue("line:c+1", world.centre)] == [What.LINE_UNOWNED]
        far.hang_up()

    tell(run)


@pytest.mark.parametrize("how", ["asked", "died"])
def test_it_ends_with_its_owner(how: str) -> None:
    async def run(world: World, owner: Owner) -> None:
        far = Far(world, rings_and_answers)
        reach(world, number=CUSTOMER)
        await settle(world, 4)
        if how == "asked":
            world.system.tell("line:c+1", EndLine("c+1"))
        else:
            world.system.end("agent:owner", "isolated")
        await far.over.wait()
        assert isinstance(far.heard[-1], CallEnded)

    tell(run)


def test_one_that_still_rings_is_cancelled() -> None:
    async def run(world: World, owner: Owner) -> None:
        far = Far(world, Far.ring)
        reach(world, number=CUSTOMER)
        await settle(world, 1)
        world.system.tell("line:c+1", EndLine("c+1"))
        await far.over.wait()
        assert isinstance(far.heard[-1], CallCancelled)

    tell(run)


@pytest.mark.parametrize(
    ("number", "mobile_of", "a_minute", "why"),
    [
        ("", "1001", 0, "no_mobile"),
        ("", "nobody", 0, "no_mobile"),
        ("+442079460958", "", 0, "not_allowed"),
        ("nobody", "", 0, "not_a_number"),
        (CUSTOMER, "", 1, "too_often"),
    ],
)
def test_what_does_not_pass_the_gate_never_leaves(number: str, mobile_of: str, a_minute: int, why: str) -> None:
    async def run(world: World, owner: Owner) -> None:
        far = Far(world, lambda far, call: far.refuse(call, 486))
        if a_minute:
            reach(world, number=CUSTOMER)
            await settle(world)
            assert owner.last() == LineOver("c+1", "system", "line_busy", 486)
        calls = len(far.calls)
        reach(world, number, mobile_of)
        await settle(world)
        assert owner.last() == LineOver("c+1", "system", why)
        assert len(far.calls) == calls
        assert world.system.state_of("switchboard").barred == {why: 1}

    tell(run, centre(a_minute))


def test_calls_that_live_may_have_lines_while_no_more_calls_are_taken_but_no_more_than_the_media_bear() -> None:
    async def run(world: World, owner: Owner) -> None:
        Far(world, lambda far, call: far.refuse(call, 486))
        world.system.tell("switchboard", Drain())
        reach(world, number=CUSTOMER)
        await settle(world)
        assert owner.last() == LineOver("c+1", "system", "line_busy", 486)
        world.system.tell("switchboard", MediaFull(full=True))
        reach(world, number=CUSTOMER)
        await settle(world)
        assert owner.last() == LineOver("c+1", "system", "switch_busy")

    tell(run)


def test_who_is_sent_on_is_reached_there_or_barred_as_a_call_is() -> None:
    made = begun(trunks=("carrier", "other"))
    away = signals.Redirect("+8613800138001", HOST)
    moved = signals.Failed("c+1/1", 302, "Moved Temporarily", redirects=(away,))
    assert hears(made, *CALLED, moved)[1:] == [
        Media(media.CloseLeg(LEG)),
        Tell("switchboard", Redirected("c+1", "carrier", (away,))),
    ]
    opened = hears(made, Follow("+8613800138001", "+8613800138001", away))
    assert opened == [Media(media.OpenRtpLeg(f"{LEG}/2", "192.0.2.10", 0, media.Codec("pcma", 8), False, peer=""))]
    dialled = hears(made, media.LegOpened(f"{LEG}/2", "192.0.2.1", 20004))
    dials = [each.command for each in dialled if isinstance(each, Sip)]
    assert [each.number for each in dials if isinstance(each, signals.Dial)] == ["+8613800138001"]
    # ... which sends it back to where it was sent before: no more, and by no other trunk
    again = hears(made, evolve(moved, call="c+1/2"))
    assert again == over("system", "number_moved", 302, attempt=2)
    made = begun()
    assert hears(made, *CALLED, moved, Stay()) == over("system", "redirect_barred", 302)


def test_an_owner_that_is_gone_before_it_begins_leaves_nothing() -> None:
    house = House()
    house.spawn("trunk:carrier", Owner())
    house.spawn("line:c+1", begun())
    house.run()
    assert "line:c+1" not in house.actors


# --- how it sounds ------------------------------------------------------------------------------------------------
