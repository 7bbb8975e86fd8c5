"""Trunks in a whole centre: real endpoints on both sides, a network between them, restarts, the journal."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from attrs import evolve
from click.testing import CliRunner
from cordboard.actors import alarms
from cordboard.actors.commands import replay
from cordboard.actors.organisation import Organisation
from cordboard.actors.trunk import Data, Phase
from cordboard.actors.wire import Wire
from cordboard.sip import sdp
from cordboard.sip.digest import Account
from cordboard.sip.endpoint import TrunkSettings
from cordboard.sip.events import CallFailed, IncomingCall, Output, Registered
from cordboard.sip.grammar import Address

from .dialler import CUSTOMER, dialling
from .playing import play
from .test_world import HOTLINE, organisation, settle
from .world import CARRIER, SWITCH, World

DOWN = alarms.TRUNK_DOWN.says(trunk="carrier", reason="no answer")


def asked() -> Organisation:
    """The organisation whose trunk has a proxy."""
    plain = organisation()
    (carrier,) = plain.trunks
    return evolve(plain, trunks=(evolve(carrier, proxy=(f"sip:{CARRIER.host}",)),))


def story(run: Callable[[World], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def test() -> None:
        play(run, asked())

    test.__doc__ = run.__doc__
    return test


def carrier(world: World) -> Data:
    state = world.system.state_of("trunk:carrier")
    assert isinstance(state, Data)
    return state


@story
async def test_a_carrier_that_is_cut_off_is_down_within_15_s_and_takes_calls_all_the_same(world: World) -> None:
    await settle(world, 40)
    assert carrier(world).phase is Phase.UP
    assert world.signalling.answers["carrier", "out", "OPTIONS", 200] == 4
    world.unplug(CARRIER)
    await settle(world, 15)
    assert (carrier(world).phase, world.system.alarms) == (Phase.DOWN, [DOWN])
    await settle(world, 60)
    world.plug(CARRIER)
    echo = world.dial("600")  # still down
    await echo.answered.wait()
    assert carrier(world).phase is Phase.DOWN
    await settle(world, 12)
    assert (carrier(world).phase, world.system.alarms) == (Phase.UP, [])
    assert world.signalling.answers["carrier", "in", "INVITE", 200] == 1


@story
async def test_a_carrier_whose_calls_come_from_its_proxy_needs_no_peers(world: World) -> None:
    """Where calls go, calls come from."""
    (trunk,) = world.organisation.trunks
    world.configure(evolve(world.organisation, trunks=(evolve(trunk, peers=()),)))
    echo = world.dial("600")
    await echo.answered.wait()
    world.configure(evolve(world.organisation, trunks=(evolve(trunk, peers=(), proxy=()),)))
    await settle(world)
    stranger = world.dial("600")
    await settle(world, 40)
    assert not stranger.answered.is_set()


def in_a_directory(run: Callable[[World], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    """A story with states and a journal, which is replayed in the end."""

    def test(tmp_path: Path) -> None:
        play(run, asked(), data=tmp_path)
        result = CliRunner().invoke(replay, [str(tmp_path)])
        assert (result.exit_code, result.output.endswith("all effects equal\n")) == (0, True), result.output

    test.__doc__ = run.__doc__
    return test


@in_a_directory
async def test_a_restart_finds_the_trunk_as_it_was(world: World) -> None:
    await settle(world, 20.1)
    world.kill_control()
    await settle(world, 2)
    world.restart_control()
    await settle(world, 60)
    assert (carrier(world).phase, world.system.alarms) == (Phase.UP, [])
    assert carrier(world).since < world.now() - 80
    world.unplug(CARRIER)
    await settle(world, 20)
    world.kill_control()
    world.restart_control()
    await settle(world, 10)
    assert (carrier(world).phase, world.system.alarms) == (Phase.DOWN, [DOWN])
    world.plug(CARRIER)
    caller = world.dial(HOTLINE)
    await caller.answered.wait()
    await settle(world, 20)
    assert (carrier(world).phase, world.system.alarms) == (Phase.UP, [])


@in_a_directory
async def test_nobody_is_down_because_the_process_was_away(world: World) -> None:
    """A host had been asked as it died: what waits for the answer comes due long before anybody can hear one."""
    await settle(world, 1)
    for _ in range(5000):
        await settle(world, 0.005)
        if any(each.ask for each in carrier(world).gateways):
            break
    else:
        raise AssertionError("no host was ever asked")
    since = carrier(world).since
    world.kill_control()
    await settle(world, 8)
    world.restart_control()
    for _ in range(20):
        await settle(world, 0.5)
        assert (carrier(world).phase, carrier(world).since, world.system.alarms) == (Phase.UP, since, [])


@story
async def test_who_corrects_the_account_of_a_silent_registrar_breaks_nothing(world: World) -> None:
    """The registrar of the wrong one is still waited for as the right one is asked."""
    (trunk,) = world.organisation.trunks
    world.unplug(CARRIER)
    for name in ("first", "second", "third"):
        account = evolve(trunk, username=name, password="secret", register=True)
        world.configure(evolve(world.organisation, trunks=(account,)))
        await settle(world, 3)
    assert world.system.counters["crashes"] == 0
    kept = carrier(world).registration
    assert kept is not None
    assert (kept.username, kept.asks) == ("third", 1)


class Registers(Wire):
    """Of each REGISTER that the switch sends the Request-URI, and whether it takes back."""

    def __init__(self) -> None:
        super().__init__(lambda host, tags: ("", ""), lambda told: None)
        self.seen: list[tuple[str, bool]] = []

    def sent(self, data: bytes, destination: Address, at: float) -> None:
        if data.startswith(b"REGISTER "):
            self.seen.append((data.split()[1].decode(), b";expires=0" in data))


@story
async def test_who_is_registered_under_another_account_from_now_on_has_left_as_who_it_was(world: World) -> None:
    """By an import of another user name, login, password and domain at once; then the trunk is gone altogether."""
    world.carrier.endpoint.set_trunks(
        {name: TrunkSettings(guest=Account(name, secret)) for name, secret in (("us", "one"), ("them", "two"))}
    )
    told: list[tuple[str, int]] = []

    def hear(output: Output) -> None:
        if isinstance(output, Registered):
            told.append((output.trunk, len(output.bindings)))

    world.carrier.on_output = hear
    world.switch.tap = wire = Registers()
    (trunk,) = world.organisation.trunks
    for name, secret, domain in (("us", "one", "old.example"), ("them", "two", "new.example")):
        account = evolve(trunk, username=name, password=secret, domain=domain, register=True)
        world.configure(evolve(world.organisation, trunks=(account,)))
        await settle(world, 5)
        assert carrier(world).phase is Phase.UP
    assert told == [("us", 1), ("us", 0), ("them", 1)]
    world.configure(evolve(world.organisation, trunks=()))
    await settle(world, 5)
    assert told[3:] == [("them", 0)]
    old, new = "sip:old.example", "sip:new.example"
    assert list(dict.fromkeys(wire.seen)) == [(old, False), (old, True), (new, False), (new, True)]
    assert world.signalling._former == {}


def test_a_number_that_sends_its_calls_back_to_us_ends_where_their_hops_do(tmp_path: Path) -> None:
    """RFC 7332: an answering service that is forwarded to whoever forwards to it; each turn is two calls that cost."""
    plain = dialling()
    queues = tuple(evolve(each, unattended="overflow", overflow=f"number:{CUSTOMER}") for each in plain.queues)

    async def loop(world: World) -> None:
        carrier = world.carrier.endpoint
        # the call that went out, by the one that comes back for it
        back: dict[str, str] = {}
        hops: list[int] = []

        def hear(output: Output) -> None:
            if isinstance(output, IncomingCall):
                hops.append(output.forwards)
                again = f"back{len(back)}"
                back[again] = output.call
                offer = sdp.offer(CARRIER.host, 14000 + 2 * len(back), session_id=1)
                left = output.forwards - 1
                uri = f"sip:{HOTLINE}@{SWITCH.host}"
                dial = carrier.dial(again, uri, SWITCH, "1", offer, world.now(), trunk="switch", forwards=left)
                world.carrier.perform(dial)
            elif isinstance(output, CallFailed):
                world.carrier.perform(carrier.reject(back[output.call], output.status, world.now()))
            elif getattr(output, "call", "") in world.callers:
                world.to_caller(output)

        world.carrier.on_output = hear
        await settle(world, 1)  # the trunk is up
        caller = world.dial(HOTLINE)
        await settle(world, 60)
        assert hops == list(range(69, 0, -2)), "each of the two takes one"
        caller.hang_up()
        await settle(world, 60)
        assert [each for each in world.system.names if each.startswith(("call:", "line:"))] == []

    play(loop, evolve(plain, queues=queues), data=tmp_path)
    result = CliRunner().invoke(replay, [str(tmp_path)])
    assert (result.exit_code, result.output.endswith("all effects equal\n")) == (0, True), result.output
