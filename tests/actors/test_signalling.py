"""Between SIP and the calls, over a real endpoint on both sides."""

from __future__ import annotations

from collections.abc import Callable

import structlog.testing
from attrs import evolve
from cordboard.actors import agent_state as agents
from cordboard.actors import page, signals
from cordboard.actors.signalling import Signalling
from cordboard.actors.switchboard import Drain
from cordboard.sip.connections import Standing
from cordboard.sip.digest import Account
from cordboard.sip.endpoint import TrunkSettings
from cordboard.sip.events import CallAnswered, CallEnded, CallFailed, Refused
from cordboard.sip.grammar import Address
from cordboard.switch import protocol as media

from .test_world import HOTLINE, settle, story
from .world import CARRIER, World


@story
async def test_a_call_that_crashes_is_hung_up_and_so_is_one_that_is_ended(world: World) -> None:
    echo, other = world.dial("600"), world.dial("600")
    await echo.answered.wait()
    await other.answered.wait()
    await settle(world)
    first, second = world.system.alive("call:")
    world.system.end(first, "crashed")
    await echo.over.wait()
    assert isinstance(echo.last, CallEnded)
    world.system.end(second, "stopping")
    await other.over.wait()
    await settle(world)
    world.assert_empty()


@story
async def test_the_calls_that_live_are_counted_by_the_trunk_that_brought_them(world: World) -> None:
    echo, other = world.dial("600"), world.dial("600")
    await echo.answered.wait()
    await other.answered.wait()
    assert world.signalling.brought() == {"carrier": 2}
    echo.hang_up()
    await settle(world)
    assert world.signalling.brought() == {"carrier": 1}
    other.hang_up()
    await settle(world)
    assert world.signalling.brought() == {}


@story
async def test_a_call_that_ends_before_its_answer_is_480(world: World) -> None:
    await settle(world)
    echo = world.dial("600")
    while not world.system.alive("call:"):
        await world.something()
    world.system.end(world.system.alive("call:")[0], "crashed")
    await echo.over.wait()
    assert isinstance(echo.last, CallFailed)
    assert echo.last.status == 480
    await settle(world)
    world.assert_empty()


@story
async def test_a_far_side_whose_contact_is_a_name_hears_the_end_where_that_leads(world: World) -> None:
    asked: list[str] = []

    def seek(name: str, tell: Callable[[tuple[Address, ...], float], None]) -> None:
        asked.append(name)
        tell((CARRIER,), 60.0)

    far = world.carrier.endpoint
    far.settings = evolve(far.settings, local_address=lambda remote: ("carrier.example", CARRIER.port))
    world.signalling.seek = seek
    echo = world.dial("600")
    await echo.answered.wait()
    await settle(world)
    world.system.end(world.system.alive("call:")[0], "stopping")
    await echo.over.wait()
    assert isinstance(echo.last, CallEnded)
    assert asked == [f"sip:carrier.example:{CARRIER.port};transport=udp"]
    await settle(world)
    world.assert_empty()


@story
async def test_a_draining_switch_says_503_and_when_to_come_again(world: World) -> None:
    await settle(world)
    world.system.tell("switchboard", Drain())
    await settle(world)
    echo = world.dial("600")
    await echo.over.wait()
    assert isinstance(echo.last, CallFailed)
    assert (echo.last.status, echo.last.retry_after) == (503, 10)
    world.assert_empty()


@story
async def test_an_engine_that_is_away_is_503(world: World) -> None:
    await settle(world)
    world.link.connect(None)
    echo = world.dial("600")
    await echo.over.wait()
    assert isinstance(echo.last, CallFailed)
    assert (echo.last.status, echo.last.retry_after) == (503, 5)


@story
async def test_an_engine_that_says_nothing_is_503_after_4_s(world: World) -> None:
    await settle(world)
    world.deaf = True  # the engine hears nothing of what it is told
    world.link.connect(lambda command: None)
    echo = world.dial("600")
    await echo.over.wait()
    assert isinstance(echo.last, CallFailed)
    assert (echo.last.status, echo.last.retry_after) == (503, 5)
    assert 4 <= world.now() - echo.dialled_at < 4.1


@story
async def test_a_caller_in_conversation_whose_trunk_dies_is_let_go(world: World) -> None:
    """Nothing comes any more, not even what is sent again: the engine's silence is all that tells."""
    lin = await world.sign_in("1001")
    caller = world.dial(HOTLINE)
    await lin.hears(page.CallOffered)
    await lin.ask(page.Answer())
    await settle(world, 2)
    world.unplug(CARRIER)
    (leg,) = (leg for leg in world.engine.legs if leg.startswith("call:"))
    world.on_facts(world.engine.silence(leg, 3.0))
    ended = await lin.hears(page.CallEnded)
    assert isinstance(ended, page.CallEnded)
    assert (ended.by, ended.cause) == ("system", "caller silent")
    await settle(world, 40)
    assert (world.signalling.calls, world.switch.endpoint.live_calls) == (0, 0)
    assert not caller.over.is_set()


@story
async def test_a_caller_of_whom_never_a_word_came_is_let_go(world: World) -> None:
    """It acknowledged the answer and died: its leg was never connected, and its silence counts all the same."""
    lin = await world.sign_in("1001")
    world.dial(HOTLINE)
    await lin.hears(page.CallOffered)
    await settle(world)
    world.unplug(CARRIER)
    (leg,) = (leg for leg in world.engine.legs if leg.startswith("call:"))
    world.engine._rows.connected[world.engine._rows.ids[leg]] = False
    world.on_facts(world.engine.silence(leg, 3.0))
    await lin.ask(page.Answer())
    ended = await lin.hears(page.CallEnded)
    assert isinstance(ended, page.CallEnded)
    assert (ended.by, ended.cause) == ("system", "caller silent")
    await settle(world, 40)
    assert (world.signalling.calls, world.switch.endpoint.idle) == (0, True)


@story
async def test_a_call_whose_ack_never_comes_ends_after_64_t1_with_paperwork(world: World) -> None:
    lin = await world.sign_in("1001")
    world.lose = ("ACK",)
    caller = world.dial(HOTLINE)
    await lin.hears(page.CallOffered)
    await lin.ask(page.Answer())
    # whoever has our 200 may speak, and is heard, whatever becomes of the ACK (RFC 3264 §6.1)
    await settle(world, 1)
    legs = {leg.startswith("call:"): leg for leg in world.engine.legs}
    assert [[*world.engine.hears(legs[each])] for each in (False, True)] == [[legs[True]], [legs[False]]]
    ended = await lin.hears(page.CallEnded)
    assert isinstance(ended, page.CallEnded)
    assert (ended.by, ended.cause) == ("system", "the answer was never acknowledged")
    assert 32 <= world.now() - caller.dialled_at < 33
    assert world.agent("1001").phase is agents.Phase.AFTER_CALL_WORK
    # the far side, which believes that the call is up, is told
    await caller.over.wait()
    await settle(world, 40)
    assert (world.signalling.calls, world.switch.endpoint.idle) == (0, True)


@story
async def test_what_is_refused_is_logged_with_the_trunk_and_its_address_but_none_of_a_stranger(world: World) -> None:
    with structlog.testing.capture_logs() as logs:
        for host in (CARRIER.host, "203.0.113.9"):
            world.signalling.on_output(Refused(Address(host, 5060), "400: no Via"))
    assert [{key: line[key] for key in line if key not in ("event", "log_level")} for line in logs] == [
        {"trunk": "carrier", "host": CARRIER.host, "reason": "400: no Via"},
        {"source": "<11 characters>", "reason": "400: no Via"},
    ]


@story
async def test_who_sends_from_elsewhere_is_logged_with_its_call_and_trunk(world: World) -> None:
    echo = world.dial("600")
    await echo.answered.wait()
    await settle(world)
    (actor,) = world.system.alive("call:")
    fact = media.LegElsewhere("leg", "198.51.100.1", 4000, "198.51.100.2", 5000)
    with structlog.testing.capture_logs() as logs:
        for owner in (actor, "call:over"):
            world.signalling.sends_from_elsewhere(owner, fact)
        (known,) = world.organisation.trunks
        world.configure(evolve(world.organisation, trunks=(evolve(known, peers=(), username="pbx", password="p"),)))
        world.signalling.sends_from_elsewhere(actor, fact)
    said = [line for line in logs if line["event"] == "sound comes from elsewhere than was said"]
    where = {"call": actor.removeprefix("call:"), "trunk": "carrier", "leg": "leg"}
    assert [{key: line[key] for key in line if key not in ("event", "log_level")} for line in said] == [
        {**where, "said": "198.51.100.1:4000", "comes_from": "198.51.100.2:5000"},
        {**where, "address": "<17 characters>", "source": "<17 characters>"},
    ]
    echo.hang_up()
    await settle(world)


@story
async def test_strangers_are_no_calls(world: World) -> None:
    world.switch.endpoint.set_trunks({})
    caller = world.dial("600")
    await settle(world, 40)
    assert isinstance(caller.last, CallFailed)
    assert caller.last.status == 408
    assert world.system.counters["calls"] == 0


@story
async def test_a_look_up_of_a_proxy_that_was_left_makes_no_stranger_of_the_carrier(world: World) -> None:
    (carrier,) = world.organisation.trunks
    by_name = evolve(carrier, peers=(), proxy=(f"sip:{CARRIER.host}",))
    world.configure(evolve(world.organisation, trunks=(by_name,)))
    await settle(world)
    endpoint = world.switch.endpoint
    assert endpoint.hears(CARRIER.host, world.now()) is Standing.TRUNK
    left = signals.Host("sip:left.example", "203.0.113.77", 5060, "udp")
    world.signalling.resolved("carrier", signals.Resolved((left,), lasting=False, proxies=(left.proxy,)))
    heard = [endpoint.hears(each, world.now()) for each in (CARRIER.host, left.address)]
    assert heard == [Standing.TRUNK, Standing.NOBODY]


def second_life(world: World, *, owned: bool) -> Signalling:
    """SIP begins anew, with what was kept; the actors stayed, or (not `owned`) were lost."""
    kept = [snapshot for _, snapshot in world.switch.endpoint.snapshots()]
    world.switch.renew()
    signalling = Signalling(world.system, world.switch.endpoint, world.now)
    signalling.connect(world.switch.perform)
    world.switch.on_output = signalling.on_output
    for each in kept:
        signalling.restore(each, f"call:{each.id}" if owned else None)
    return signalling


@story
async def test_a_call_is_taken_up_again_for_its_actor(world: World) -> None:
    await settle(world)
    echo = world.dial("600")
    await echo.answered.wait()
    await settle(world)
    signalling = second_life(world, owned=True)
    assert signalling.calls == 1
    await settle(world)
    echo.hang_up()
    await settle(world)
    assert signalling.calls == 0
    assert not world.system.alive("call:")
    assert dict(signalling.snapshots()).popitem()[1] is None


@story
async def test_calls_whose_actors_are_lost_are_ended(world: World) -> None:
    await settle(world)
    echo = world.dial("600")
    await echo.answered.wait()
    await settle(world)
    world.deaf = True  # the engine hears nothing of what it is told
    world.link.connect(lambda command: None)
    waiting = world.dial("600")
    while len(world.system.alive("call:")) < 2:
        await world.something()
    assert second_life(world, owned=False).calls == 0
    await echo.over.wait()
    await waiting.over.wait()
    assert isinstance(echo.last, CallEnded)
    assert isinstance(waiting.last, CallFailed)
    assert not any(isinstance(output, CallAnswered) for _, output in waiting.shown)
    assert (waiting.last.status, waiting.last.retry_after) == (503, 2)


@story
async def test_a_pbx_without_an_address_comes_in_with_its_password(world: World) -> None:
    await settle(world)
    (carrier,) = world.organisation.trunks
    guest = evolve(carrier, peers=(), username="office", password="secret")
    world.signalling.take_up(evolve(world.organisation, trunks=(guest,)))
    stranger = world.dial("600")
    await stranger.over.wait()
    assert isinstance(stranger.last, CallFailed)
    assert stranger.last.status == 401
    known = TrunkSettings(("192.0.2.0/24",), account=Account("office", "secret"))
    world.carrier.endpoint.set_trunks({"switch": known})
    echo = world.dial("600")
    await echo.answered.wait()
    echo.hang_up()
    await echo.over.wait()
    await settle(world)
    assert world.switch.endpoint.counters["challenged INVITE"] == 2
    world.assert_empty()
