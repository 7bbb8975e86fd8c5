"""A trunk that puts its calls through (REFER), in a whole centre: through the gate, by the same trunk, to the end."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve
from click.testing import CliRunner
from cordboard.actors import page
from cordboard.actors.commands import replay
from cordboard.sip.events import Transmit
from cordboard.sip.message import Address, Request, Response, parse, respond

from .dialler import CUSTOMER, Far, dialling, leg_hears, rings_and_answers
from .far import Robot
from .playing import play
from .test_world import settle
from .test_world_restart import come_back, restart
from .world import CARRIER, SWITCH, World

OTHER = "+8613800138001"


class Pbx(Far):
    """Answers what it is dialled with, puts calls through, and keeps what it is told of that."""

    def __init__(self, world: World) -> None:
        super().__init__(world, rings_and_answers)
        self.told: list[str] = []
        self.answers: list[int] = []
        self._receive = world.carrier.receive
        world.carrier.receive = self.receive  # type: ignore[method-assign] # to answer what the carrier does not

    def receive(self, data: bytes, source: Address) -> None:
        message = parse(data)
        if isinstance(message, Request) and message.method == "NOTIFY":
            self.told.append(message.body.decode().strip())
            self.world.carry(CARRIER, Transmit(bytes(respond(message, 200, source)), SWITCH))
            return
        if isinstance(message, Response) and message.method == "REFER":
            self.answers.append(message.status)
        self._receive(data, source)

    def refer(self, to: str, call: str = "") -> None:
        endpoint = self.world.carrier.endpoint
        record = endpoint._calls[call or self.calls[0].call]
        out: list[object] = []
        endpoint._within(record, "REFER", self.world.now(), out, (("Refer-To", f"<{to}>"),))  # type: ignore[arg-type] # as the endpoint has it
        self.world.carrier.perform(out)  # type: ignore[arg-type] # as above


async def talks(world: World) -> tuple[Robot, Pbx]:
    lin = await world.sign_in("1001")
    pbx = Pbx(world)
    await settle(world)
    await lin.ask(page.Dial(CUSTOMER))
    await lin.hears(page.CallConnected)
    return lin, pbx


@pytest.mark.parametrize("hangs_up", [False, True])
def test_whom_it_refers_to_has_its_place(tmp_path: Path, hangs_up: bool) -> None:
    async def tell(world: World) -> None:
        lin, pbx = await talks(world)
        pbx.refer(f"sip:{OTHER}@{SWITCH.host}")
        if hangs_up:
            await settle(world, 0.5)
            pbx.do(lambda now: world.carrier.endpoint.hang_up(pbx.calls[0].call, now))
        await settle(world, 6)
        assert pbx.answers == [202]
        assert [call.number for call in pbx.calls] == [CUSTOMER, OTHER]
        assert pbx.told == ["SIP/2.0 100 Trying", "SIP/2.0 180 Ringing", "SIP/2.0 200 OK"]
        assert leg_hears(world, lin) == [leg for leg in world.engine.legs if leg.startswith("line:")]
        assert world.carrier.endpoint.live_calls == 1
        pbx.hang_up()
        await lin.hears(page.CallEnded)
        await lin.ask(page.StartAnswering())
        await settle(world, 200)
        world.assert_empty()

    play(tell, dialling(refer=True), data=tmp_path)
    result = CliRunner().invoke(replay, [str(tmp_path)])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("to", "status"),
    [
        (f"sip:+442079460958@{CARRIER.host}", 403),
        (f"sip:110@{CARRIER.host}", 403),  # an emergency call is dialled by whoever has one
        (f"sip:16812345@{CARRIER.host}", 403),
        (f"sip:reception@{CARRIER.host}", 404),
        (f"sip:{OTHER}@203.0.113.9", 603),
        (f"sip:{OTHER}@{CARRIER.host}?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc", 603),
    ],
)
def test_what_it_may_not_refer_to_is_refused(to: str, status: int) -> None:
    async def tell(world: World) -> None:
        lin, pbx = await talks(world)
        pbx.refer(to)
        await settle(world, 2)
        assert (pbx.answers, pbx.told, len(pbx.calls)) == ([status], [], 1)
        assert leg_hears(world, lin) == [leg for leg in world.engine.legs if leg.startswith("call:")]
        pbx.hang_up()
        await lin.hears(page.CallEnded)

    play(tell, dialling(refer=True))


def test_a_trunk_refers_only_where_it_may() -> None:
    async def tell(world: World) -> None:
        _, pbx = await talks(world)
        pbx.refer(f"sip:{OTHER}@{CARRIER.host}")
        await settle(world, 2)
        assert (pbx.answers, len(pbx.calls)) == ([405], 1)

    play(tell, dialling())


def test_whom_it_refers_to_counts_against_the_agent_and_the_trunk() -> None:
    async def tell(world: World) -> None:
        _, pbx = await talks(world)
        pbx.refer(f"sip:{OTHER}@{CARRIER.host}")
        await settle(world, 2)
        assert (pbx.answers, len(pbx.calls)) == ([503], 1)

    plain = dialling(refer=True)
    agents = tuple(evolve(each, calls=1) for each in plain.agents)
    play(tell, evolve(plain, agents=agents))


@pytest.mark.parametrize("when", ["rings", "rings, and who referred has left", "talks"])
def test_a_restart_of_the_process_loses_nothing_of_it(tmp_path: Path, when: str) -> None:
    async def tell(world: World) -> None:
        lin, pbx = await talks(world)
        pbx.refer(f"sip:{OTHER}@{CARRIER.host}")
        await settle(world, 1)
        assert pbx.answers == [202]
        if when.endswith("left"):
            pbx.do(lambda now: world.carrier.endpoint.hang_up(pbx.calls[0].call, now))
        await settle(world, 6 if when == "talks" else 0.1)
        await restart(world)
        lin = await come_back(world, lin)
        await settle(world, 8)
        assert [call.number for call in pbx.calls] == [CUSTOMER, OTHER]
        assert pbx.told[-1] == "SIP/2.0 200 OK"
        assert world.carrier.endpoint.live_calls == 1
        assert leg_hears(world, lin) == [leg for leg in world.engine.legs if leg.startswith("line:")]
        pbx.hang_up()
        await lin.hears(page.CallEnded)

    play(tell, dialling(refer=True), data=tmp_path)
