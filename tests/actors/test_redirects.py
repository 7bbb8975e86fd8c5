"""A carrier that sends our call on to another number (3xx): followed within the trunk, through the gate, to an end."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from attrs import evolve
from cordboard.actors import agent_state as agents
from cordboard.actors import page
from cordboard.actors.entries import Dialling
from cordboard.actors.outward import REDIRECTS
from cordboard.sip.events import IncomingCall, Transmit
from cordboard.sip.message import respond

from .dialler import CUSTOMER, SECOND, Far, dialling, entries, failures, leg_hears, refuses, rings_and_answers, story
from .far import SipHost
from .playing import play
from .test_world import HOTLINE, settle
from .world import CARRIER, SWITCH, World

OTHER = "+8613800138001"


def sends_on(*contacts: str, by: Callable[[World], SipHost] = lambda world: world.carrier) -> Callable[..., None]:
    """302 with these Contacts, as whoever is called says it."""

    def act(far: Far, call: IncomingCall) -> None:
        host = by(far.world)
        invite = host.endpoint._calls[call.call].invite
        assert invite is not None
        rows = tuple(("Contact", contact) for contact in contacts)
        moved = respond(invite, 302, SWITCH, tag=host.endpoint._calls[call.call].tag, rows=rows)
        far.world.carry(host.address, Transmit(bytes(moved), SWITCH))
        far.world.later(0.1, lambda: far.refuse(call, 302))  # ... and is done with it

    return act


def first(act: Callable[[Far, IncomingCall], None]) -> Callable[[Far, IncomingCall], None]:
    """Does so with the first call, and answers the others."""
    return lambda far, call: (act if len(far.calls) == 1 else rings_and_answers)(far, call)


@story
async def test_a_number_that_is_forwarded_within_the_trunk_is_reached(world: World) -> None:
    lin = await world.sign_in("1001")
    far = Far(world, first(sends_on("<sip:1@evil.example>;q=0.9", f"<sip:{OTHER}@{CARRIER.host}>;q=0.5")))
    await settle(world)
    await lin.ask(page.Dial(CUSTOMER))
    await lin.hears(page.CallConnected)
    assert [call.number for call in far.calls] == [CUSTOMER, OTHER]
    await settle(world)
    (leg,) = (leg for leg in world.engine.legs if leg.startswith("call:"))
    assert list(world.engine.hears(leg)) == [world.agent("1001").voice]
    (trunk,) = (world.system.state_of("trunk:carrier"),)
    assert (len(trunk.usage.calls), len(trunk.usage.began)) == (1, 1)  # it is one call
    far.hang_up()
    await lin.hears(page.CallEnded)
    await settle(world, 40)
    (entry,) = entries(world).values()
    assert entry.caller == CUSTOMER  # whom the agent dialled
    await lin.ask(page.StartAnswering())
    world.assert_empty()


def tells(to: str, why: str, calls: int, **changes: Any) -> Callable[[World], Coroutine[Any, Any, None]]:
    async def tell(world: World) -> None:
        lin = await world.sign_in("1001")
        far = Far(world, sends_on(to))
        world.configure(evolve(world.organisation, **changes))
        await settle(world)
        await lin.ask(page.Dial(CUSTOMER))
        await settle(world, 2)
        assert failures(lin) == [(why, 302)]
        assert len(far.calls) == calls
        assert world.system.state_of("switchboard").barred == ({why: 1} if why == "redirect_barred" else {})
        assert world.agent("1001").phase is agents.Phase.IDLE
        await settle(world, 40)
        world.assert_empty()

    return tell


@pytest.mark.parametrize(
    ("to", "why"),
    [
        (f"<sip:+442079460958@{CARRIER.host}>", "redirect_barred"),
        (f"<sip:110@{CARRIER.host}>", "redirect_barred"),  # an emergency call is dialled by whoever has one
        (f"<sip:16812345@{CARRIER.host}>", "redirect_barred"),
        (f"<sip:{OTHER}%0d%0aX:@{CARRIER.host}>", "redirect_barred"),
        (f"<sip:{OTHER}@203.0.113.9>", "number_moved"),
        (f"<sip:{OTHER}@carrier.example>", "number_moved"),
        ("<tel:+8613800138001>", "number_moved"),
        (f"<sip:{OTHER}@{CARRIER.host};transport=sctp>", "number_moved"),
    ],
)
def test_what_the_gate_bars_or_is_no_host_of_the_trunk_is_not_followed(to: str, why: str) -> None:
    play(tells(to, why, calls=1), dialling())


def test_a_redirection_to_itself_is_followed_once() -> None:
    play(tells(f"<sip:{OTHER}@{CARRIER.host}>", "number_moved", calls=2), dialling())


@pytest.mark.parametrize(("to", "calls"), [(SECOND.host, [CUSTOMER]), (CARRIER.host, [])])
def test_who_is_sent_on_to_a_host_alone_calls_the_same_number_there(to: str, calls: list[str]) -> None:
    """And once more where it was, where that is the host."""

    async def tell(world: World) -> None:
        host = world.add_host(SECOND)
        there: list[str] = []

        def refuse(output: object) -> None:
            if isinstance(output, IncomingCall):
                there.append(output.number)
                host.perform(host.endpoint.reject(output.call, 486, world.now()))

        host.on_output = refuse
        lin = await world.sign_in("1001")
        far = Far(world, sends_on(f"<sip:{to}>"))
        await settle(world)
        await lin.ask(page.Dial(CUSTOMER))
        await settle(world, 5)
        assert there == calls
        assert [call.number for call in far.calls] == [CUSTOMER] * (2 - len(calls))
        assert failures(lin) == [("line_busy", 486) if calls else ("number_moved", 302)]
        await settle(world, 40)
        await lin.ask(page.StartAnswering())
        world.assert_empty()

    play(tell, dialling())


@pytest.mark.parametrize("to", [f"110@{SECOND.host}", SECOND.host, f"119@{SECOND.host}"])
def test_an_emergency_call_is_sent_on_to_another_host_and_to_another_emergency_number(to: str) -> None:
    """As a carrier does that sends every call to the machine that has the least to do."""

    async def tell(world: World) -> None:
        there = refuses(world, SECOND, 486)
        lin = await world.sign_in("1001")
        far = Far(world, sends_on(f"<sip:{to}>"))
        await settle(world)
        await lin.ask(page.Dial("110"))
        await settle(world, 5)
        assert ([call.number for call in far.calls], there) == (["110"], ["119" if "119" in to else "110"])
        assert failures(lin) == [("line_busy", 486)]
        await settle(world, 40)
        world.assert_no_calls()

    play(tell, dialling())


def test_an_emergency_call_that_is_sent_where_it_may_not_go_is_asked_of_the_other_hosts() -> None:
    async def tell(world: World) -> None:
        there = refuses(world, SECOND, 486)
        lin = await world.sign_in("1001")
        far = Far(world, sends_on(f"<sip:+442079460958@{CARRIER.host}>"))
        await settle(world)
        await lin.ask(page.Dial("110"))
        await settle(world, 5)
        assert ([call.number for call in far.calls], there) == (["110"], ["110"])
        assert failures(lin) == [("line_busy", 486)]
        await settle(world, 40)
        world.assert_no_calls()

    made = dialling()
    (carrier,) = made.trunks
    hosts = tuple(f"sip:{each.host}" for each in (CARRIER, SECOND))
    play(tell, evolve(made, trunks=(evolve(carrier, proxy=hosts),)))


@story
async def test_what_a_number_announces_before_it_is_forwarded_is_heard_no_longer(world: World) -> None:
    """It has changed, says a network, and sends the call on."""

    def announces(far: Far, call: IncomingCall) -> None:
        far.announce(call)
        world.later(1.0, lambda: sends_on(f"<sip:{OTHER}@{CARRIER.host}>")(far, call))

    def then_rings(far: Far, call: IncomingCall) -> None:
        world.later(1.0, lambda: far.ring(call))
        world.later(3.0, lambda: far.answer(call))

    lin = await world.sign_in("1001")
    far = Far(world, lambda far, call: (announces if len(far.calls) == 1 else then_rings)(far, call))
    await settle(world)
    caller = world.dial(HOTLINE)
    await lin.hears(page.CallOffered)
    await lin.ask(page.Answer())
    await caller.answered.wait()
    await settle(world)
    await lin.ask(page.Consult(number=CUSTOMER))
    await settle(world, 0.5)
    announced = leg_hears(world, lin)
    assert [each for each in announced if each.startswith("line:")] == announced
    await settle(world, 1.0)
    assert leg_hears(world, lin) == ["ringback:CN"]
    await settle(world, 5.0)
    (line,) = (leg for leg in world.engine.legs if leg.startswith("line:"))
    assert (leg_hears(world, lin), [call.number for call in far.calls]) == ([line], [CUSTOMER, OTHER])
    caller.hang_up()
    await lin.ask(page.Complete())
    await settle(world, 40)


def test_redirections_come_to_an_end() -> None:
    async def tell(world: World) -> None:
        lin = await world.sign_in("1001")
        far = Far(world, lambda far, call: sends_on(f"<sip:+861380013{len(far.calls):04}@{CARRIER.host}>")(far, call))
        await settle(world)
        await lin.ask(page.Dial(CUSTOMER))
        await settle(world, 5)
        assert failures(lin) == [("number_moved", 302)]
        assert len(far.calls) == 1 + REDIRECTS
        await settle(world, 40)
        world.assert_empty()

    play(tell, dialling())


def test_another_host_of_the_trunk_is_reached_there_and_its_failure_is_told() -> None:
    async def tell(world: World) -> None:
        host = world.add_host(SECOND)
        there: list[IncomingCall] = []

        def refuse(output: object) -> None:
            if isinstance(output, IncomingCall):
                there.append(output)
                host.perform(host.endpoint.reject(output.call, 486, world.now()))

        host.on_output = refuse
        lin = await world.sign_in("1001")
        Far(world, sends_on(f"<sip:{OTHER}@{SECOND.host}>"))
        await settle(world)
        await lin.ask(page.Dial(CUSTOMER))
        await settle(world, 2)
        assert [call.number for call in there] == [OTHER]
        assert failures(lin) == [("line_busy", 486)]
        await settle(world, 40)
        world.assert_empty()

    play(tell, dialling())


def test_a_rule_may_change_while_the_call_is_on_its_way() -> None:
    async def tell(world: World) -> None:
        lin = await world.sign_in("1001")
        forward = sends_on(f"<sip:{OTHER}@{CARRIER.host}>")

        def act(far: Far, call: IncomingCall) -> None:
            world.configure(evolve(world.organisation, dialling=(Dialling(allow=CUSTOMER),)))
            forward(far, call)

        Far(world, act)
        await settle(world)
        await lin.ask(page.Dial(CUSTOMER))
        await settle(world, 2)
        assert failures(lin) == [("redirect_barred", 302)]

    play(tell, dialling())
