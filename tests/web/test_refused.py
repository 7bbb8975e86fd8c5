"""Every refusal of every command, by a raw websocket client at the real server, a whole centre of actors behind it.

What a command may be refused with stands beside it (`actors/page/asks.py`), and in docs/protocol.md. Here each of these
happens, by the way there is, and none that does not stand there; what was refused has changed nothing for the agent.
The cases take turns at both subprotocols. The clock stands still, but where a test moves it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle
from pathlib import Path
from typing import Any, get_args

import msgpack
import pytest
import trio.testing
from attrs import define, evolve, field
from cordboard.actors import page, signals
from cordboard.actors.agent import Agent
from cordboard.actors.call import Call
from cordboard.actors.customs import CUSTOMS
from cordboard.actors.effects import Push, Reply
from cordboard.actors.organisation import parse_organisation
from cordboard.actors.switchboard import Configure, Switchboard
from cordboard.actors.trunk import Trunk
from cordboard.web.hub import Hub
from cordboard.web.metrics import WebMetrics
from cordboard.web.protocol import COMMANDS, Message, WatchPaper
from cordboard.web.session import REQUEST_BURST
from prometheus_client import CollectorRegistry
from trio_websocket import WebSocketConnection

from tests.actors.house import PAGE_OFFER, House, arrived
from tests.actors.positions import HOST

from .support import JSON, MSGPACK, Book, Door, closing, server

ORGANISATION = """
    organisation = { country = "CN", language = "zh" }
    trunk = [{ id = "carrier", peers = ["192.0.2.10"], proxy = "sip:192.0.2.10" }]
    queue = [
      { id = "support", name = "Support", ring_seconds = 30 },
      { id = "all", name = "All", strategy = "ring-all" },
      { id = "brief", name = "Brief", max_wait_seconds = 20 },
    ]
    agent = [
      { id = "lin", name = "Lin", skills = { support = 1, all = 1, brief = 1 } },
      { id = "wei", name = "Wei", skills = { all = 1 }, mobile = "+8613900139000" },
      { id = "zoe", name = "Zoe" },
    ]
    number = [
      { number = "+861055501000", route = "queue:support", outbound = true },
      { number = "+861055501001", route = "queue:all" },
      { number = "+861055501002", route = "queue:brief" },
    ]
    dialling = [{ allow = "+86" }, { deny = "+86900" }]
"""
LEFT = signals.Released("c", "hung up", by_caller=True)
MOBILE = "+8613800138000"
# Requests are numbered from 1 on.
FIRST_MARK = 1_000_000


@define
class Desk:
    """One page of an agent: what it says and what it hears are frames of its websocket."""

    centre: Centre
    agent: str
    connection: WebSocketConnection
    subprotocol: str
    told: int = 0
    marks: int = 0
    heard: dict[object, Message] = field(factory=dict)

    async def all_at_once(self, *asked: Mapping[str, object]) -> list[Message]:
        """The replies, as far as there are any, to requests that the agent finds in its mailbox at one moment, in the
        order of the requests."""
        first = self.told + 1
        asleep = f"agent:{self.agent}" in self.centre.asleep
        self.centre.sleep(f"agent:{self.agent}")
        for each in asked:
            await self._say(each)
        await self._hear_all()
        if not asleep:
            self.centre.wake(f"agent:{self.agent}")
        return await self.replies(*range(first, first + len(asked)))

    async def replies(self, *ids: int) -> list[Message]:
        """... as far as there are any."""
        await self._hear_all()
        return [self.heard[number] for number in ids if number in self.heard]

    async def ask(self, do: str, **fields: object) -> Message:
        await self._say({"do": do, **fields})
        [reply] = await self.replies(self.told)
        return reply

    async def do(self, do: str, **fields: object) -> Message:
        reply = await self.ask(do, **fields)
        assert reply.get("ok") is True, reply
        return reply

    async def sign_in(self) -> Desk:
        """With media that is connected."""
        leg = (await self.do("agent.sign_in", sdp=PAGE_OFFER))["leg"]
        assert isinstance(leg, str)
        self.centre.fact(*self.centre.engine.connect(leg))
        return self

    async def _say(self, request: Mapping[str, object]) -> None:
        self.told += 1
        await self._send({"id": self.told, **request})

    async def _send(self, message: Mapping[str, object]) -> None:
        frame = json.dumps(message) if self.subprotocol == JSON else msgpack.packb(message)
        await self.connection.send_message(frame)

    async def _hear_all(self) -> None:
        """What was said so far is taken, and what there is of replies has come: frames are read in their order, and
        what is no command is refused at once, by no agent."""
        self.marks += 1
        mark = FIRST_MARK + self.marks
        await self._send({"id": mark, "do": "mark"})
        while mark not in self.heard:
            frame = await self.connection.get_message()
            message = json.loads(frame) if self.subprotocol == JSON else msgpack.unpackb(frame)
            self.heard[message.get("id")] = message


@define
class Centre(House):
    """Three agents as the organisation has them, at the real server; the trunk is up. Actors act in no time."""

    hub: Hub = field(factory=lambda: Hub(WebMetrics(CollectorRegistry())))
    subprotocol: str = JSON
    door: Door = field(init=False)
    stack: AsyncExitStack = field(init=False)
    desks: dict[str, Desk] = field(factory=dict)
    told: int = 0

    @classmethod
    @asynccontextmanager
    async def opened(cls, data_dir: Path, subprotocol: str = JSON) -> AsyncIterator[Centre]:
        made = cls(subprotocol=subprotocol)
        made.spawn("switchboard", Switchboard(parse_organisation(ORGANISATION), ("opus",)))
        made.run()
        trunk = made.actors["trunk:carrier"]
        assert isinstance(trunk, Trunk)
        made.tell("trunk:carrier", signals.Resolved((HOST,), lasting=True, proxies=trunk.state.profile.proxy))
        made.tell("trunk:carrier", signals.Replied(trunk.state.gateways[0].ask, 200, True, 1, "id"))
        book = Book({"lin": "a", "wei": "b", "zoe": "c"})
        async with server(data_dir, made.hub, Agents(made), book) as port:
            made.door = Door(port, book)
            async with closing(made.door, made.hub), AsyncExitStack() as made.stack:
                for agent in ("lin", "wei"):
                    made.desks[agent] = await made.page(agent)
                yield made

    async def page(self, agent: str) -> Desk:
        """Another page of that agent."""
        connection = await self.stack.enter_async_context(self.door.page(self.subprotocol, agent))
        return Desk(self, agent, connection, self.subprotocol)

    def run(self) -> None:
        """What the actors say to pages is sent."""
        House.run(self)
        new, self.told = self.said[self.told :], len(self.said)
        for _, effect in new:
            match effect:
                case Reply():
                    self.hub.reply(effect)
                case Push():
                    self.hub.push(effect)
                case _:
                    pass

    @property
    def lin(self) -> Desk:
        return self.desks["lin"]

    @property
    def wei(self) -> Desk:
        return self.desks["wei"]

    def comes(self, dialled: str = "+861055501000") -> None:
        """The customer calls."""
        self.spawn("call:c", Call(evolve(arrived(), dialled=dialled), self.now))
        self.run()

    async def shown(self) -> object:
        """All that Lin's page would show, but for the time."""
        agent = self.actors["agent:lin"]
        assert isinstance(agent, Agent)
        told = await self.lin.do("snapshot")
        return {key: value for key, value in told.items() if key not in ("id", "now", "rev")}


@define
class Agents:
    """The way from the server to the actors."""

    centre: Centre

    def tell(self, agent_id: str, message: object) -> bool:
        self.centre.tell(f"agent:{agent_id}", message)
        return True


# --- positions of Lin, by the way there is ------------------------------------------------------------------------


async def signed_out(centre: Centre) -> None:
    pass


async def signed_in(centre: Centre) -> None:
    await centre.lin.sign_in()


async def without_sound(centre: Centre) -> None:
    """The media connection is not there yet."""
    await centre.lin.do("agent.sign_in", sdp=PAGE_OFFER)


async def elsewhere(centre: Centre) -> None:
    """Another page of Lin's has the seat."""
    await (await centre.page("lin")).sign_in()


async def on_break(centre: Centre) -> None:
    await signed_in(centre)
    await centre.lin.do("agent.state", state="break")


async def ringing(centre: Centre) -> None:
    await signed_in(centre)
    centre.comes()


async def talking(centre: Centre) -> None:
    await ringing(centre)
    await centre.lin.do("call.answer")


async def dialling(centre: Centre) -> None:
    """... and the switchboard has not said a word yet."""
    await signed_in(centre)
    centre.sleep("switchboard")
    await centre.lin.do("call.dial", number=MOBILE)


async def held(centre: Centre) -> None:
    await talking(centre)
    await centre.lin.do("call.hold")


async def asking_wei(centre: Centre) -> None:
    """Wei is consulted, and it rings there."""
    await talking(centre)
    await centre.wei.sign_in()
    await centre.lin.do("call.consult", agent="wei")


async def with_wei(centre: Centre) -> None:
    await asking_wei(centre)
    await centre.wei.do("call.answer")


async def swapped(centre: Centre) -> None:
    await with_wei(centre)
    await centre.lin.do("call.swap")


async def taken_by_wei(centre: Centre) -> None:
    await signed_in(centre)
    await centre.wei.sign_in()
    centre.comes("+861055501001")
    await centre.wei.do("call.answer")


async def asked_by_wei(centre: Centre) -> None:
    """The call is Wei's, who asks Lin."""
    await on_break(centre)
    await centre.wei.sign_in()
    centre.comes("+861055501001")
    await centre.wei.do("call.answer")
    await centre.lin.do("agent.state", state="idle")
    await centre.wei.do("call.consult", agent="lin")


async def consulted(centre: Centre) -> None:
    await asked_by_wei(centre)
    await centre.lin.do("call.answer")


async def sought(centre: Centre) -> None:
    """Wei is wanted, and the directory has not answered."""
    await talking(centre)
    centre.sleep("directory")
    assert await centre.lin.all_at_once({"do": "call.consult", "agent": "wei"}) == []


async def given_ten_times(centre: Centre) -> None:
    await talking(centre)
    await centre.wei.sign_in()
    giver, taker = centre.lin, centre.wei
    for _ in range(CUSTOMS.transfers):
        await giver.do("call.transfer", agent=taker.agent)
        await taker.do("call.answer")
        await giver.do("agent.start_answering")
        giver, taker = taker, giver
    assert giver is centre.lin


async def given_ten_times_and_with_wei(centre: Centre) -> None:
    await given_ten_times(centre)
    await centre.lin.do("call.consult", agent="wei")


async def on_the_mobile(centre: Centre) -> None:
    await centre.lin.do("agent.mobile", number=MOBILE)
    centre.comes()


async def left(centre: Centre) -> None:
    await ringing(centre)
    centre.tell("call:c", LEFT)


async def missed(centre: Centre) -> None:
    await ringing(centre)
    centre.after(31)


async def taken_back(centre: Centre) -> None:
    await asked_by_wei(centre)
    await centre.wei.do("call.cancel")


async def too_late(centre: Centre) -> None:
    await signed_in(centre)
    centre.comes("+861055501002")
    centre.after(21)


# --- what is refused there ----------------------------------------------------------------------------------------

# What each command says where nothing else is written.
GIVEN: dict[str, Message] = {
    "agent.sign_in": {"media": "none"},
    "agent.resume": {"leg": "gone"},
    "agent.media": {"sdp": PAGE_OFFER},
    "agent.state": {"state": "idle"},
    "agent.test_call": {"on": True},
    "call.consult": {"agent": "wei"},
    "call.invite": {"agent": "wei"},
    "call.transfer": {"agent": "wei"},
    "call.dial": {"number": MOBILE},
}
SEATED = [do for do, command in COMMANDS.items() if "not_signed_in" in command.refusals]
BRINGS = ["call.consult", "call.invite", "call.transfer"]
PARTIES = [*BRINGS, *(f"call.{name}" for name in ("hold", "retrieve", "complete", "cancel", "swap", "merge"))]
RANG = ["call.answer", "call.decline"]
Position = Callable[[Centre], Awaitable[None]]
# Where Lin is, the code, the commands that are refused with it, and what they say there.
TABLE: list[tuple[Position, str, list[str], Message]] = [
    (signed_out, "not_signed_in", SEATED, {}),
    (elsewhere, "not_owner", [*SEATED, "agent.mobile"], {}),
    (elsewhere, "signed_in_elsewhere", ["agent.sign_in"], {}),
    (signed_out, "media_refused", ["agent.sign_in"], {"media": "", "sdp": "nonsense"}),
    (signed_in, "media_refused", ["agent.media"], {"sdp": "nonsense"}),
    (signed_in, "media_lost", ["agent.resume", "agent.media"], {"leg": "gone"}),
    (without_sound, "media_lost", ["agent.test_call", "call.dial"], {}),
    (on_the_mobile, "on_mobile", ["agent.sign_in"], {}),
    (signed_out, "no_mobile", ["agent.mobile"], {}),
    (signed_out, "not_a_number", ["agent.mobile"], {"number": "Lin"}),
    (signed_out, "not_allowed", ["agent.mobile"], {"number": "+44 7911 123456"}),
    (signed_out, "premium_rate", ["agent.mobile"], {"number": "+86 168 12345"}),
    (ringing, "ringing", ["agent.state", "agent.test_call", "agent.start_answering", "agent.mobile", "call.dial"], {}),
    (
        talking,
        "in_call",
        ["agent.sign_out", "agent.state", "agent.test_call", "agent.start_answering", "agent.mobile", "call.dial"],
        {},
    ),
    (dialling, "in_call", RANG, {}),
    (on_break, "not_in_after_call_work", ["agent.start_answering"], {}),
    (signed_in, "no_call", [*PARTIES, "call.hang_up", "call.mute", "call.unmute", "call.survey"], {}),
    (dialling, "not_answered_yet", PARTIES, {}),
    (asking_wei, "not_answered_yet", ["call.swap", "call.merge"], {}),
    (consulted, "not_yours", [*PARTIES, "call.survey"], {}),
    (with_wei, "second_there", [*BRINGS, "call.retrieve"], {}),
    (swapped, "second_there", ["call.hold"], {}),
    (sought, "second_there", BRINGS, {}),
    (talking, "no_second", ["call.complete", "call.cancel", "call.swap", "call.merge"], {}),
    (held, "on_hold", ["call.invite"], {}),
    (talking, "bad_target", BRINGS, {"number": MOBILE}),
    (talking, "own_self", BRINGS, {"agent": "lin"}),
    (talking, "no_such_agent", BRINGS, {"agent": "nobody"}),
    (talking, "agent_not_idle", BRINGS, {}),
    (talking, "no_mobile", BRINGS, {"agent": "zoe", "mobile": True}),
    (talking, "no_such_queue", ["call.transfer"], {"agent": "", "queue": "nowhere"}),
    (given_ten_times, "too_many_transfers", ["call.transfer"], {}),
    (given_ten_times_and_with_wei, "too_many_transfers", ["call.complete"], {}),
    (dialling, "busy", ["call.survey"], {}),
    (signed_in, "not_ringing", RANG, {}),
    (left, "caller_left", RANG, {}),
    (taken_by_wei, "answered_elsewhere", RANG, {}),
    (missed, "no_answer", RANG, {}),
    (taken_back, "taken_back", RANG, {}),
    (too_late, "waited_too_long", RANG, {}),
]


def cases() -> Iterator[Any]:
    for position, code, commands, fields in TABLE:
        for do, subprotocol in zip(commands, cycle((JSON, MSGPACK)), strict=False):
            told = {**GIVEN.get(do, {}), **fields}
            told = {key: value for key, value in told.items() if key in COMMANDS[do].__annotations__}
            yield pytest.param(subprotocol, position, code, do, told, id=f"{do}-{code}-{position.__name__}")


def code(reply: Message) -> object:
    error = reply["error"]
    assert isinstance(error, dict)
    assert str(error["text"]).startswith(page.REFUSALS[error["code"]])
    return error["code"]


@pytest.mark.parametrize(("subprotocol", "position", "refused", "do", "fields"), list(cases()))
async def test_it_is_refused_in_words_and_nothing_has_changed(
    data_dir: Path,
    clock: trio.testing.MockClock,
    subprotocol: str,
    position: Position,
    refused: str,
    do: str,
    fields: Message,
) -> None:
    async with Centre.opened(data_dir, subprotocol) as centre:
        await position(centre)
        before = await centre.shown()
        assert code(await centre.lin.ask(do, **fields)) == refused
        assert refused in COMMANDS[do].refusals
        assert await centre.shown() == before


# What takes two requests, or an actor that says nothing: the code is that of the first, and its command is the key.
async def overtaken(centre: Centre, do: str) -> Message:
    """A second offer comes before the engine has answered the first."""
    request = {"do": do, "sdp": PAGE_OFFER}
    first, second = await centre.lin.all_at_once(request, request)
    assert second["ok"] is True
    return first


async def twice(centre: Centre, do: str) -> Message:
    """The switchboard has not answered the first."""
    centre.sleep("switchboard")
    request = {"do": do, "number": MOBILE}
    [refused] = await centre.lin.all_at_once(request, request)
    centre.wake("switchboard")
    [bound] = await centre.lin.replies(1)
    assert bound["ok"] is True
    return refused


async def nobody_answers(centre: Centre, do: str) -> Message:
    """The directory says nothing."""
    centre.sleep("directory")
    asked = centre.lin.told + 1
    assert await centre.lin.all_at_once({"do": do, "agent": "wei"}) == []
    centre.after(6)
    [refused] = await centre.lin.replies(asked)
    return refused


@pytest.mark.parametrize(
    ("position", "do", "story"),
    [
        (signed_out, "agent.sign_in", overtaken),
        (signed_in, "agent.media", overtaken),
        (signed_out, "agent.mobile", twice),
        *((talking, do, nobody_answers) for do in BRINGS),
    ],
)
async def test_who_asks_too_soon_is_told_that_the_switch_is_busy(
    data_dir: Path,
    clock: trio.testing.MockClock,
    position: Position,
    do: str,
    story: Callable[[Centre, str], Awaitable[Message]],
) -> None:
    async with Centre.opened(data_dir) as centre:
        await position(centre)
        assert code(await story(centre, do)) == "busy"
        assert "busy" in COMMANDS[do].refusals


async def test_a_mobile_needs_a_trunk_that_takes_calls_out(data_dir: Path, clock: trio.testing.MockClock) -> None:
    async with Centre.opened(data_dir) as centre:
        inward = ORGANISATION.replace(', proxy = "sip:192.0.2.10"', "")
        centre.tell("switchboard", Configure(parse_organisation(inward), ("opus",)))
        assert code(await centre.lin.ask("agent.mobile", number=MOBILE)) == "no_way_out"


@pytest.mark.parametrize("do", COMMANDS)
async def test_every_command_is_refused_where_it_is_not_well_said_or_comes_too_often(
    data_dir: Path, clock: trio.testing.MockClock, do: str
) -> None:
    async with Centre.opened(data_dir) as centre:
        await centre.lin.sign_in()
        clock.jump(1)
        before = await centre.shown()
        assert code(await centre.lin.ask(do, **{**GIVEN.get(do, {}), "surprise": 1})) == "bad_request"
        request: Message = {"do": do, **GIVEN.get(do, {})}
        replies = await centre.lin.all_at_once(*[{"do": "snapshot"}] * int(REQUEST_BURST), request)
        assert code(replies[-1]) == "busy"
        clock.jump(1)
        assert await centre.shown() == before
        assert code(await centre.lin.ask(f"{do}.nonsense")) == "unknown_command"


def test_what_stands_beside_the_commands_happens_and_every_code_is_some_command_s() -> None:
    said = {(do, command_code) for do, command in COMMANDS.items() for command_code in command.refusals}
    shown = {(do, refused) for _, refused, commands, _ in TABLE for do in commands}
    busy = {(do, "busy") for do in ("agent.sign_in", "agent.media", "agent.mobile", *BRINGS)}
    assert shown | busy | {("agent.mobile", "no_way_out")} == said
    anywhere = {"bad_request", "unknown_command", "busy"}
    assert {each for _, each in said} | anywhere | set(WatchPaper.refusals) == set(page.REFUSALS)
    assert {command.do for command in get_args(page.Command)} == set(COMMANDS)
