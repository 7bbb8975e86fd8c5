"""Agents who dial: the same by what happens at the agent's seat, its page and its switch."""

from __future__ import annotations

from cordboard.actors import agent_state as agents
from cordboard.actors import page, records
from cordboard.sip import sdp
from cordboard.sip.events import CallCancelled

from .dialler import CUSTOMER, Far, entries, leg_hears, outcomes, rings_and_answers, story
from .house import PROMPT_SECONDS
from .test_world import HOTLINE, settle
from .world import CARRIER, World


@story
async def test_a_caller_is_not_offered_to_who_dials(world: World) -> None:
    lin = await world.sign_in("1001")
    Far(world, lambda far, call: far.ring(call))
    await settle(world)
    await lin.ask(page.Dial(CUSTOMER))
    await settle(world)
    caller = arriving(world)
    await settle(world, 5)
    assert not any(isinstance(event, page.CallOffered) for _, event in lin.heard)
    await lin.ask(page.HangUp())
    await lin.hears(page.CallOffered)
    assert caller


def arriving(world: World) -> bool:
    """A customer calls the hotline; what becomes of its telephone is nobody's business here."""
    description = sdp.offer(CARRIER.host, 4100, session_id=1)
    dial = world.carrier.endpoint.dial(
        "in", f"sip:{HOTLINE}@192.0.2.1", world.switch.address, "1", description, world.now()
    )
    world.carrier.perform(dial)
    return True


@story
async def test_redial_from_paperwork_that_stays_where_nobody_answers(world: World) -> None:
    lin = await world.sign_in("1001")
    far = Far(world, rings_and_answers)
    await settle(world)
    await lin.ask(page.Dial(CUSTOMER))
    connected = await lin.hears(page.CallConnected)
    assert isinstance(connected, page.CallConnected)
    await lin.ask(page.HangUp())
    await settle(world)
    far.act = lambda far, call: far.refuse(call, 486)
    await lin.ask(page.Dial(CUSTOMER))
    await settle(world)
    data = world.agent("1001")
    assert (data.phase, data.last and data.last.call) == (agents.Phase.AFTER_CALL_WORK, connected.call)
    snapshot = await lin.ask(page.GetSnapshot())
    assert isinstance(snapshot, page.Snapshot)
    assert snapshot.last is not None
    assert (snapshot.last.direction, snapshot.dialling) == ("outbound", None)


@story
async def test_the_paperwork_of_a_call_that_began_on_break_says_so_until_another_began_otherwise(world: World) -> None:
    """... redialled from the paperwork too, also where nobody answers."""
    lin = await world.sign_in("1001")
    far = Far(world, rings_and_answers)
    await settle(world)
    await lin.ask(page.SetState("break"))

    async def worked(number: str = CUSTOMER) -> bool:
        await lin.ask(page.Dial(number))
        await lin.hears(page.CallConnected)
        await lin.ask(page.HangUp())
        await lin.hears(page.CallEnded)
        snapshot = await lin.ask(page.GetSnapshot())
        assert isinstance(snapshot, page.Snapshot)
        assert snapshot.state is page.State.AFTER_CALL_WORK
        await settle(world)
        return snapshot.from_break

    assert await worked()
    assert await worked()
    far.act = lambda far, call: far.refuse(call, 486)
    await lin.ask(page.Dial(CUSTOMER))
    await settle(world)
    assert world.agent("1001").may_return
    assert await lin.ask(page.SetState("break")) == page.Accepted()
    assert world.agent("1001").phase is agents.Phase.ON_BREAK
    await lin.ask(page.SetState("idle"))
    far.act = rings_and_answers
    assert not await worked()
    await lin.ask(page.StartAnswering())
    await settle(world, 40)


@story
async def test_a_page_that_reloads_while_it_rings_finds_the_call(world: World) -> None:
    lin = await world.sign_in("1001")
    far = Far(world, rings_and_answers)
    await settle(world)
    await lin.ask(page.Dial(CUSTOMER))
    await settle(world)
    lin.tell(page.Detached(lin.session))
    again = await world.sign_in("1001")
    snapshot = await again.ask(page.GetSnapshot())
    assert isinstance(snapshot, page.Snapshot)
    assert snapshot.dialling is not None or snapshot.connected is not None
    await settle(world, 4)
    assert world.agent("1001").phase is agents.Phase.TALKING
    (leg,) = (leg for leg in world.engine.legs if leg.startswith("call:"))
    assert leg_hears(world, again) == [leg]
    far.hang_up()
    await again.hears(page.CallEnded)


@story
async def test_an_agent_who_is_gone_for_20_s_ends_it_with_a_prompt(world: World) -> None:
    """Whom an agent called has no queue to go back to."""
    lin = await world.sign_in("1001")
    far = Far(world, rings_and_answers)
    await settle(world)
    await lin.ask(page.Dial(CUSTOMER))
    await lin.hears(page.CallConnected)
    await settle(world)
    world.on_facts(world.engine.silence(world.agent("1001").voice, 0.6))
    await settle(world, 19)
    assert not far.over.is_set()
    await settle(world, 3 + PROMPT_SECONDS["goodbye"])
    assert far.over.is_set()
    assert world.announced["goodbye"] == 1
    assert entries(world).popitem()[1].cause == "the agent is gone"


@story
async def test_a_page_that_stays_away_while_it_rings_gives_up(world: World) -> None:
    lin = await world.sign_in("1001", sound=False)
    far = Far(world, lambda far, call: far.ring(call))
    await settle(world)
    await lin.ask(page.Dial(CUSTOMER))
    await settle(world)
    lin.tell(page.Detached(lin.session))
    await settle(world, 25)
    assert isinstance(far.heard[-1], CallCancelled)
    assert world.agent("1001").phase is agents.Phase.SIGNED_OUT
    world.assert_empty()


@story
async def test_a_restart_while_it_rings_and_one_in_the_call_lose_nothing(world: World) -> None:
    lin = await world.sign_in("1001")
    far = Far(world, lambda far, call: far.ring(call))
    await settle(world)
    await lin.ask(page.Dial(CUSTOMER))
    await settle(world)
    voice = world.agent("1001").voice
    world.kill_control()
    await settle(world)
    world.restart_control()
    await settle(world)
    back = world.open_page("1001")
    assert isinstance(await back.ask(page.Resume(voice)), page.Accepted)
    far.answer(far.calls[-1])
    await back.hears(page.CallConnected)
    await settle(world)
    world.kill_control()
    world.restart_control()
    back = world.open_page("1001")
    assert isinstance(await back.ask(page.Resume(voice)), page.Accepted)
    await settle(world)
    assert world.agent("1001").phase is agents.Phase.TALKING
    await back.ask(page.HangUp())
    await far.over.wait()
    await settle(world, 40)
    assert outcomes(world) == [records.Outcome.ANSWERED]
    world.assert_empty()


@story
async def test_a_call_that_was_dialled_given_away_and_wanted_by_nobody_waits_in_the_agents_queue(world: World) -> None:
    """It came by no queue, and is dropped all the same by nobody."""
    lin, wei = await world.sign_in("1001"), await world.sign_in("1002")
    far = Far(world, rings_and_answers)
    await settle(world)
    await lin.ask(page.Dial(CUSTOMER))
    connected = await lin.hears(page.CallConnected)
    assert isinstance(connected, page.CallConnected)
    assert await lin.ask(page.Transfer("1002")) == page.Accepted()
    await settle(world)
    await wei.ask(page.Decline())
    await settle(world)
    assert world.agent("1001").phase is agents.Phase.RINGING
    await lin.ask(page.Decline())
    await settle(world)
    offer = world.agent("1002").call
    assert offer is not None
    assert (offer.call, offer.queue, offer.purpose) == (connected.call, "support", "queue")
    await wei.ask(page.Answer())
    await settle(world)
    assert leg_hears(world, wei) == [f"call:{connected.call}/caller"]
    far.hang_up()
    await wei.hears(page.CallEnded)
