"""Every refusal of every command, frame for frame: a websocket's session before a whole centre of actors.

What a command may be refused with stands beside it (`actors/page/asks.py`), and in docs/protocol.md. Here each of these
happens, by the way there is, and none that does not stand there; what was refused has changed nothing for the agent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args

import pytest
from attrs import define, evolve, field
from cordboard.actors import page, signals
from cordboard.actors.agent import Agent
from cordboard.actors.call import Call
from cordboard.actors.effects import Reply
from cordboard.actors.organisation import parse_organisation
from cordboard.actors.parties import MAX_TRANSFERS
from cordboard.actors.switchboard import Configure, Switchboard
from cordboard.actors.trunk import Trunk
from cordboard.web.metrics import WebMetrics
from cordboard.web.protocol import COMMANDS, Message, Subprotocol
from cordboard.web.session import REQUEST_BURST, Session
from prometheus_client import CollectorRegistry

from tests.actors.house import PAGE_OFFER, PEER, House, arrived
from tests.actors.positions import HOST

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


@define
class Desk:
    """One page's websocket, without a socket: what it says and what it hears are frames."""

    house: House
    agent: str
    session: Session
    told: int = 0
    read: int = 0

    @classmethod
    def of(cls, house: House, agent: str, name: str = "") -> Desk:
        metrics = WebMetrics(CollectorRegistry())
        session = Session(name or agent, agent, PEER, "token", Subprotocol.JSON, metrics, house.now)
        house.tell(f"agent:{agent}", page.Attached(session.id))
        return cls(house, agent, session)

    def all_at_once(self, *asked: Mapping[str, object]) -> list[Message]:
        """The replies to requests that come in one moment, in the order of the requests."""
        first = self.told + 1
        requests = [
            self.session.receive(json.dumps({"id": first + n, **one}), self.house.now) for n, one in enumerate(asked)
        ]
        self.told += len(asked)
        self.house.tell(f"agent:{self.agent}", *(each for each in requests if each is not None))
        return self.replies(*range(first, first + len(asked)))

    def replies(self, *ids: int) -> list[Message]:
        """... as far as there are any."""
        for _, effect in self.house.said[self.read :]:
            if isinstance(effect, Reply) and effect.session == self.session.id:
                self.session.reply(effect.id, effect.result)
        self.read = len(self.house.said)
        heard = []
        while (message := self.session.next()) is not None:
            heard.append(message)
        return [message for number in ids for message in heard if message.get("id") == number]

    def ask(self, do: str, **fields: object) -> Message:
        [reply] = self.all_at_once({"do": do, **fields})
        return reply

    def do(self, do: str, **fields: object) -> Message:
        reply = self.ask(do, **fields)
        assert reply.get("ok") is True, reply
        return reply

    def sign_in(self) -> Desk:
        """With media that is connected."""
        leg = self.do("agent.sign_in", sdp=PAGE_OFFER)["leg"]
        assert isinstance(leg, str)
        self.house.fact(*self.house.engine.connect(leg))
        return self


@define
class Centre(House):
    """Three agents as the organisation has them; the trunk is up."""

    desks: dict[str, Desk] = field(factory=dict)

    @classmethod
    def opened(cls) -> Centre:
        made = cls()
        made.spawn("switchboard", Switchboard(parse_organisation(ORGANISATION), ("opus",)))
        made.run()
        trunk = made.actors["trunk:carrier"]
        assert isinstance(trunk, Trunk)
        made.tell("trunk:carrier", signals.Resolved((HOST,), lasting=True))
        made.tell("trunk:carrier", signals.Replied(trunk.state.gateways[0].ask, 200, True, 1, "id"))
        made.desks = {agent: Desk.of(made, agent) for agent in ("lin", "wei", "zoe")}
        return made

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

    def shown(self) -> object:
        """All that Lin's page would show, but for the time."""
        agent = self.actors["agent:lin"]
        assert isinstance(agent, Agent)
        told = self.lin.do("snapshot")
        return {key: value for key, value in told.items() if key not in ("id", "now", "rev")}


# --- positions of Lin, by the way there is ------------------------------------------------------------------------


def signed_out(centre: Centre) -> None:
    pass


def signed_in(centre: Centre) -> None:
    centre.lin.sign_in()


def without_sound(centre: Centre) -> None:
    """The media connection is not there yet."""
    centre.lin.do("agent.sign_in", sdp=PAGE_OFFER)


def elsewhere(centre: Centre) -> None:
    """Another page of Lin's has the seat."""
    Desk.of(centre, "lin", "another").sign_in()


def on_break(centre: Centre) -> None:
    signed_in(centre)
    centre.lin.do("agent.state", state="break")


def ringing(centre: Centre) -> None:
    signed_in(centre)
    centre.comes()


def talking(centre: Centre) -> None:
    ringing(centre)
    centre.lin.do("call.answer")


def dialling(centre: Centre) -> None:
    """... and the switchboard has not said a word yet."""
    signed_in(centre)
    centre.sleep("switchboard")
    centre.lin.do("call.dial", number=MOBILE)


def held(centre: Centre) -> None:
    talking(centre)
    centre.lin.do("call.hold")


def asking_wei(centre: Centre) -> None:
    """Wei is consulted, and it rings there."""
    talking(centre)
    centre.wei.sign_in()
    centre.lin.do("call.consult", agent="wei")


def with_wei(centre: Centre) -> None:
    asking_wei(centre)
    centre.wei.do("call.answer")


def swapped(centre: Centre) -> None:
    with_wei(centre)
    centre.lin.do("call.swap")


def taken_by_wei(centre: Centre) -> None:
    signed_in(centre)
    centre.wei.sign_in()
    centre.comes("+861055501001")
    centre.wei.do("call.answer")


def asked_by_wei(centre: Centre) -> None:
    """The call is Wei's, who asks Lin."""
    on_break(centre)
    centre.wei.sign_in()
    centre.comes("+861055501001")
    centre.wei.do("call.answer")
    centre.lin.do("agent.state", state="idle")
    centre.wei.do("call.consult", agent="lin")


def consulted(centre: Centre) -> None:
    asked_by_wei(centre)
    centre.lin.do("call.answer")


def sought(centre: Centre) -> None:
    """Wei is wanted, and the directory has not answered."""
    talking(centre)
    centre.sleep("directory")
    assert centre.lin.all_at_once({"do": "call.consult", "agent": "wei"}) == []


def given_ten_times(centre: Centre) -> None:
    talking(centre)
    centre.wei.sign_in()
    giver, taker = centre.lin, centre.wei
    for _ in range(MAX_TRANSFERS):
        giver.do("call.transfer", agent=taker.agent)
        taker.do("call.answer")
        giver.do("agent.start_answering")
        giver, taker = taker, giver
    assert giver is centre.lin


def given_ten_times_and_with_wei(centre: Centre) -> None:
    given_ten_times(centre)
    centre.lin.do("call.consult", agent="wei")


def on_the_mobile(centre: Centre) -> None:
    centre.lin.do("agent.mobile", number=MOBILE)
    centre.comes()


def left(centre: Centre) -> None:
    ringing(centre)
    centre.tell("call:c", LEFT)


def missed(centre: Centre) -> None:
    ringing(centre)
    centre.after(31)


def taken_back(centre: Centre) -> None:
    asked_by_wei(centre)
    centre.wei.do("call.cancel")


def too_late(centre: Centre) -> None:
    signed_in(centre)
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
Position = Callable[[Centre], None]
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
        for do in commands:
            told = {**GIVEN.get(do, {}), **fields}
            told = {key: value for key, value in told.items() if key in COMMANDS[do].__annotations__}
            yield pytest.param(position, code, do, told, id=f"{do}-{code}-{position.__name__}")


def code(reply: Message) -> object:
    error = reply["error"]
    assert isinstance(error, dict)
    assert str(error["text"]).startswith(page.REFUSALS[error["code"]])
    return error["code"]


@pytest.mark.parametrize(("position", "refused", "do", "fields"), list(cases()))
def test_it_is_refused_in_words_and_nothing_has_changed(
    position: Position, refused: str, do: str, fields: Message
) -> None:
    centre = Centre.opened()
    position(centre)
    before = centre.shown()
    assert code(centre.lin.ask(do, **fields)) == refused
    assert refused in COMMANDS[do].refusals
    assert centre.shown() == before


# What takes two requests, or an actor that says nothing: the code is that of the first, and its command is the key.
def overtaken(centre: Centre, do: str) -> Message:
    """A second offer comes before the engine has answered the first."""
    request = {"do": do, "sdp": PAGE_OFFER}
    first, second = centre.lin.all_at_once(request, request)
    assert second["ok"] is True
    return first


def twice(centre: Centre, do: str) -> Message:
    """The switchboard has not answered the first."""
    centre.sleep("switchboard")
    request = {"do": do, "number": MOBILE}
    [refused] = centre.lin.all_at_once(request, request)
    centre.wake("switchboard")
    assert centre.lin.replies(1)[0]["ok"] is True
    return refused


def nobody_answers(centre: Centre, do: str) -> Message:
    """The directory says nothing."""
    centre.sleep("directory")
    asked = centre.lin.told + 1
    assert centre.lin.all_at_once({"do": do, "agent": "wei"}) == []
    centre.after(6)
    [refused] = centre.lin.replies(asked)
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
def test_who_asks_too_soon_is_told_that_the_switch_is_busy(
    position: Position, do: str, story: Callable[[Centre, str], Message]
) -> None:
    centre = Centre.opened()
    position(centre)
    assert code(story(centre, do)) == "busy"
    assert "busy" in COMMANDS[do].refusals


def test_a_mobile_needs_a_trunk_that_takes_calls_out() -> None:
    centre = Centre.opened()
    inward = ORGANISATION.replace(', proxy = "sip:192.0.2.10"', "")
    centre.tell("switchboard", Configure(parse_organisation(inward), ("opus",)))
    assert code(centre.lin.ask("agent.mobile", number=MOBILE)) == "no_way_out"


@pytest.mark.parametrize("do", COMMANDS)
def test_every_command_is_refused_where_it_is_not_well_said_or_comes_too_often(do: str) -> None:
    centre = Centre.opened()
    centre.lin.sign_in()
    centre.after(1)
    before = centre.shown()
    assert code(centre.lin.ask(do, **{**GIVEN.get(do, {}), "surprise": 1})) == "bad_request"
    request: Message = {"do": do, **GIVEN.get(do, {})}
    replies = centre.lin.all_at_once(*[{"do": "snapshot"}] * int(REQUEST_BURST), request)
    assert code(replies[-1]) == "busy"
    centre.after(1)
    assert centre.shown() == before
    assert code(centre.lin.ask(f"{do}.nonsense")) == "unknown_command"


def test_what_stands_beside_the_commands_happens_and_every_code_is_some_command_s() -> None:
    said = {(do, command_code) for do, command in COMMANDS.items() for command_code in command.refusals}
    shown = {(do, refused) for _, refused, commands, _ in TABLE for do in commands}
    busy = {(do, "busy") for do in ("agent.sign_in", "agent.media", "agent.mobile", *BRINGS)}
    assert shown | busy | {("agent.mobile", "no_way_out")} == said
    anywhere = {"bad_request", "unknown_command", "busy"}
    assert {each for _, each in said} | anywhere == set(page.REFUSALS)
    assert {command.do for command in get_args(page.Command)} == set(COMMANDS)
