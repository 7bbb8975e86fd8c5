"""An emergency call reaches whoever would take it, whatever all other hosts say, and though the process dies meanwhile.

Trunks, hosts and what they do are drawn by a seed; somewhere among them is one that answers. The invariants hold after
every step, and the journal replays.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Final

import pytest
from attrs import evolve
from click.testing import CliRunner
from cordboard.actors import outward, page
from cordboard.actors.call_state import Phase
from cordboard.actors.commands import replay
from cordboard.actors.organisation import Organisation
from cordboard.sip import sdp
from cordboard.sip.events import IncomingCall, Output, Transmit
from cordboard.sip.message import Address, respond

from .dialler import Far, dialling, leg_hears, rings_and_answers
from .far import SipHost
from .playing import play
from .test_world import settle
from .world import CARRIER, SWITCH, World

HOSTS: Final = tuple(Address(f"198.51.100.{number}", 5060) for number in range(20, 26))
HABITS: Final = ("says nothing", "is down", "tries", "refuses", "rings", "announces", "sends on", "answers in nothing")
REFUSALS: Final = (401, 403, 404, 408, 480, 488, 500, 503, 603, 604)
# Five other hosts, each of which is heard of for as long as it may be, and the last one of a trunk for three minutes.
LONGEST: Final = 5 * outward.EMERGENCY + outward.PATIENCE

pytestmark = pytest.mark.usefixtures("unlogged")


class Habit:
    """A host that does so with every call."""

    def __init__(self, world: World, address: Address, what: str, rng: Random) -> None:
        self.world, self.what, self.address = world, what, address
        self.host: SipHost = world.add_host(address)
        self.host.on_output = self.hear
        self.status = rng.choice(REFUSALS)
        self.later = rng.choice((0.3, 1.0, 5.0))
        number = rng.choice(("110@", "119@", "+442079460958@", ""))
        self.to = f"<sip:{number}{rng.choice(HOSTS).host}>"

    def hear(self, output: Output) -> None:
        if not isinstance(output, IncomingCall):
            return
        endpoint, now = self.host.endpoint, self.world.now()
        match self.what:
            case "refuses":
                self.refuse(output.call)
            case "rings":
                self.host.perform(endpoint.ring(output.call, now))
                self.world.later(self.later, lambda: self.refuse(output.call))
            case "announces":
                self.host.perform(endpoint.progress(output.call, self.answer(output), now))
                self.world.later(self.later, lambda: self.refuse(output.call))
            case "sends on":
                call = endpoint._calls[output.call]
                assert call.invite is not None
                moved = respond(call.invite, 302, SWITCH, tag=call.tag, rows=(("Contact", self.to),))
                self.world.carry(self.address, Transmit(bytes(moved), SWITCH))
                self.world.later(0.1, lambda: self.refuse(output.call))
            case "answers in nothing":
                answer = self.answer(output)
                nothing = evolve(answer, media=(evolve(answer.media[0], formats=("99",)),))
                self.host.perform(endpoint.answer(output.call, nothing, now))

    def answer(self, call: IncomingCall) -> sdp.SessionDescription:
        assert call.offer is not None
        agreed = sdp.negotiate(call.offer, sdp.TRUNK_CODECS, peer=call.peer)
        port = 24000 + 2 * len(self.host.endpoint._calls)
        return sdp.answer(call.offer, agreed, self.address.host, port, session_id=9, version=1)

    def refuse(self, call: str) -> None:
        if call in self.host.endpoint._calls:
            self.host.perform(self.host.endpoint.reject(call, self.status, self.world.now()))


def drawn(rng: Random) -> Organisation:
    """Up to three trunks of up to three hosts, one of which is the carrier's that answers."""
    made = dialling()
    (carrier,) = made.trunks
    hosts = rng.sample(HOSTS, len(HOSTS))
    count = rng.randint(1, 3)
    answers = rng.randrange(count)
    trunks = []
    for number in range(count):
        own = [hosts.pop() for _ in range(rng.randint(number != answers, 2))]
        if number == answers:
            own.insert(rng.randint(0, len(own)), CARRIER)
        proxy = tuple(f"sip:{each.host}" for each in own)
        name = "carrier" if number == answers else f"other{number}"
        trunks.append(evolve(carrier, id=name, peers=(), proxy=proxy, priority=number + 1))
    return evolve(made, trunks=tuple(trunks))


def tells(seed: int, data: Path) -> None:
    rng = Random(seed)
    organisation = drawn(rng)

    async def tell(world: World) -> None:
        proxies = {proxy for trunk in organisation.trunks for proxy in trunk.proxy}
        habits = [Habit(world, each, rng.choice(HABITS), rng) for each in HOSTS if f"sip:{each.host}" in proxies]
        lin = await world.sign_in("1001")
        Far(world, rings_and_answers)
        down = [each.address for each in habits if each.what == "is down"]
        for each in down:
            world.unplug(each)
        await settle(world, 30)
        for each in (habit.address for habit in habits if habit.what == "says nothing"):
            world.unplug(each)
        for each in down:
            world.plug(each)
        await lin.ask(page.Dial("110"))
        (name,) = world.system.alive("call:")
        dies = sorted(world.now() + rng.uniform(0.05, 40) for _ in range(rng.choice((0, 0, 1, 2))))
        until = world.now() + LONGEST
        while world.now() < until and world.system.state_of(name).phase is not Phase.TALKING:
            if dies and world.now() >= dies[0]:
                del dies[0]
                world.kill_control()
                await settle(world, rng.choice((0.5, 2.0)))
                world.restart_control()
                lin = await world.sign_in("1001")
            await settle(world, 0.5)
        talks = world.system.state_of(name)
        assert (talks.phase, leg_hears(world, lin)) == (Phase.TALKING, [talks.leg])
        await lin.ask(page.HangUp())
        await settle(world, 40)
        world.assert_no_calls()

    play(tell, organisation, data=data)
    replayed = CliRunner().invoke(replay, [str(data)])
    assert replayed.output.endswith("all effects equal\n"), replayed.output


@pytest.mark.parametrize("seed", range(8))
def test_an_emergency_call_reaches_whoever_would_take_it(tmp_path: Path, seed: int) -> None:
    tells(seed, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(8, 200))
def test_an_emergency_call_reaches_whoever_would_take_it_in_two_hundred_stories(tmp_path: Path, seed: int) -> None:
    tells(seed, tmp_path)
