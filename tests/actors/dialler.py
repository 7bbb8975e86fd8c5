"""What stories of agents who dial have in common: the organisation, and a carrier's side that does as a story says."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import trio
from attrs import evolve
from click.testing import CliRunner
from cordboard.actors import page, records
from cordboard.actors.commands import replay
from cordboard.actors.entries import Dialling, Number
from cordboard.actors.organisation import Organisation
from cordboard.actors.routes import ToQueue
from cordboard.sip import sdp
from cordboard.sip.events import CallCancelled, CallEnded, IncomingCall, Output
from cordboard.sip.message import Address

from .far import Robot
from .playing import play
from .test_world import organisation
from .world import CARRIER, World

CUSTOMER = "+8613800138000"
# Another machine of a carrier.
SECOND = Address("198.51.100.2", 5060)
SHOWN = Number(number="+861055502000", route=ToQueue("support"), outbound=True)


def dialling(**changes: Any) -> Organisation:
    """The organisation whose agents may call China, by the trunk that brings its calls."""
    plain = organisation()
    (carrier,) = plain.trunks
    carrier = evolve(carrier, proxy=(f"sip:{CARRIER.host}",), **changes)
    return evolve(plain, trunks=(carrier,), dialling=(Dialling(allow="+86"),), numbers=(*plain.numbers, SHOWN))


class Far:
    """Whoever is called: what it does with each INVITE, and what it hears."""

    def __init__(self, world: World, act: Callable[[Far, IncomingCall], object]) -> None:
        self.world = world
        self.act = act
        self.calls: list[IncomingCall] = []
        self.ports: dict[str, int] = {}
        self.heard: list[Output] = []
        self.over = trio.Event()
        world.carrier.on_output = self._hear

    def _hear(self, output: Output) -> None:
        if getattr(output, "call", "") in self.world.callers:
            self.world.to_caller(output)
            return
        self.world.note("far", type(output).__name__)
        self.heard.append(output)
        if isinstance(output, IncomingCall):
            self.calls.append(output)
            self.act(self, output)
        if isinstance(output, CallCancelled | CallEnded):
            self.over.set()

    def answer(self, call: IncomingCall) -> None:
        self.do(lambda now: self.world.carrier.endpoint.answer(call.call, self._described(call), now))

    def announce(self, call: IncomingCall) -> None:
        """Early media: 183 with the answer."""
        self.do(lambda now: self.world.carrier.endpoint.progress(call.call, self._described(call), now))

    def _described(self, call: IncomingCall) -> sdp.SessionDescription:
        """As the far side answers; each call at a port of its own, as telephones do."""
        assert call.offer is not None
        agreed = sdp.negotiate(call.offer, sdp.TRUNK_CODECS, peer=call.peer)
        port = self.ports.setdefault(call.call, 14000 + 2 * len(self.ports))
        return sdp.answer(call.offer, agreed, CARRIER.host, port, session_id=9, version=1)

    def ring(self, call: IncomingCall) -> None:
        self.do(lambda now: self.world.carrier.endpoint.ring(call.call, now))

    def refuse(self, call: IncomingCall, status: int, retry_after: int | None = None) -> None:
        self.do(lambda now: self.world.carrier.endpoint.reject(call.call, status, now, retry_after=retry_after))

    def hang_up(self) -> None:
        self.do(lambda now: self.world.carrier.endpoint.hang_up(self.calls[-1].call, now))

    def do(self, act: Callable[[float], list[Output]]) -> None:
        self.world.carrier.perform(act(self.world.now()))


def rings_and_answers(far: Far, call: IncomingCall) -> None:
    far.ring(call)
    far.world.later(2.0, lambda: far.answer(call))


def refuses(world: World, address: Address, status: int) -> list[str]:
    """A host that answers every call so; the numbers that it was asked for."""
    host, asked = world.add_host(address), list[str]()

    def refuse(output: Output) -> None:
        if isinstance(output, IncomingCall):
            asked.append(output.number)
            host.perform(host.endpoint.reject(output.call, status, world.now()))

    host.on_output = refuse
    return asked


def announces(world: World, address: Address, then: int | None = None) -> None:
    """A host that is heard before it would answer any call, and a second later refuses it, where there is a `then`."""
    host = world.add_host(address)

    def announce(output: Output) -> None:
        if not isinstance(output, IncomingCall):
            return
        assert output.offer is not None
        agreed = sdp.negotiate(output.offer, sdp.TRUNK_CODECS, peer=output.peer)
        answer = sdp.answer(output.offer, agreed, address.host, 24000, session_id=9, version=1)
        host.perform(host.endpoint.progress(output.call, answer, world.now()))
        if then is not None:
            world.later(1.0, lambda: host.perform(host.endpoint.reject(output.call, then, world.now())))

    host.on_output = announce


def story(run: Callable[[World], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    """A story that is replayed from its journal."""

    def test(tmp_path: Path) -> None:
        play(run, dialling(), data=tmp_path)
        result = CliRunner().invoke(replay, [str(tmp_path)])
        assert (result.exit_code, result.output.endswith("all effects equal\n")) == (0, True), result.output

    test.__doc__ = run.__doc__
    return test


def failures(robot: Robot) -> list[tuple[str, int]]:
    return [(event.why, event.status) for _, event in robot.heard if isinstance(event, page.CallFailed)]


def entries(world: World) -> dict[str, records.CallEntry]:
    return {each.entry.call: each.entry for each in world.records if isinstance(each.entry, records.CallEntry)}


def outcomes(world: World) -> list[records.Outcome]:
    last = {each.entry.call: each.entry for each in world.records if isinstance(each.entry, records.OfferEntry)}
    return [entry.outcome for entry in last.values()]


def leg_hears(world: World, robot: Robot) -> list[str]:
    return list(world.engine.hears(world.agent(robot.agent).voice))
