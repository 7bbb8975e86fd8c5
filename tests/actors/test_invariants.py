"""Each invariant is made untrue in a centre that lives: within two looks there is an alarm that names those concerned,
what the journal has of them is put aside, and where they can be told what they missed all is well again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import structlog
import trio
from attrs import define, evolve, field, frozen
from cordboard.actors import agent_state as agents
from cordboard.actors import call_state as calls
from cordboard.actors import evidence, page, records
from cordboard.actors import queue_state as queues
from cordboard.actors.agent import Agent
from cordboard.actors.call import Call
from cordboard.actors.effects import Media
from cordboard.actors.guard import Guard
from cordboard.actors.journal import write
from cordboard.actors.line import EndLine, LineOver
from cordboard.actors.mediaconnection import PING_INTERVAL
from cordboard.actors.truth import What
from cordboard.actors.watchman import LOOK
from cordboard.switch import protocol as media

from .beginnings import LIN, ORGANISATION, POSITIONS, Step
from .desks import HOTLINE
from .histories import History
from .playing import play
from .walk import Walk
from .world import World

# Two looks, and what was planted may have happened just after one.
SOON: Final = 2 * LOOK + 0.001
# A leg of a trunk, for whoever has none.
OPENED: Final = media.OpenRtpLeg("call:ghost/caller", "198.51.100.9", 4000, media.Codec("pcma", 8))


@pytest.fixture(autouse=True)
def _unlogged() -> Iterator[None]:
    """Alarms are looked at as such."""
    before = structlog.get_config()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(50), logger_factory=structlog.ReturnLoggerFactory()
    )
    yield
    structlog.configure(**before)


@define
class Centre:
    """A world in some position, and the guard over it; `kept` is what was put aside of what."""

    world: World
    guard: Guard = field(init=False)
    kept: dict[str, str] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        world = self.world
        self.guard = Guard(world.system, world.link, world.signalling, world.now, self._keep)
        self.world.planted = True

    def _keep(self, what: str, actors: Collection[str]) -> None:
        world = self.world
        assert world.data is not None
        assert world.journal is not None
        write(world.journal.take())
        told = [path for path in evidence.keep(world.data, what, actors) if path.suffix == ".txt"]
        self.kept[what] = told[0].read_text(encoding="utf-8") if told else ""

    @property
    def call(self) -> Call:
        (name,) = self.world.system.alive("call:")
        call = self.world.system.find(name)
        assert isinstance(call, Call)
        return call

    @property
    def actor(self) -> str:
        return f"call:{self.call.id}"

    @property
    def lin(self) -> agents.Data:
        return self.world.agent(LIN)

    def tell(self, name: str, message: object) -> str:
        """... and gives what a trace has of it."""
        assert self.world.system.tell(name, message)
        return type(message).__name__

    def change(self, actor: Call | Agent, **changes: Any) -> str:
        """Its state is another, of itself."""
        name = self.actor if isinstance(actor, Call) else f"agent:{LIN}"
        state: Any = actor.state
        actor.state = evolve(state, **changes)
        self.world.system.touch(name)
        return "is there"

    def agent(self) -> Agent:
        agent = self.world.system.find(f"agent:{LIN}")
        assert isinstance(agent, Agent)
        return agent

    def order(self, command: media.Command) -> str:
        """The engine is told something by nobody."""
        self.world.link.perform("call:ghost", Media(command))
        return ""

    def forgotten(self) -> str:
        """The shell of SIP knows nothing of the call any more, when its actor ends."""
        call = self.call.id
        self.world.signalling._over(call)
        self.world.system.end(self.actor, "planted")
        return "planted"


@frozen
class Plant:
    """What is made untrue, from which position, how (giving a word of the trace), and whom the alarm names first."""

    what: What
    position: tuple[Step, ...]
    how: Callable[[Centre], str]
    whom: str
    cured: bool = True


def _line_gone(centre: Centre) -> str:
    """It is forgotten that the switchboard watches it, and so that one does not hear of its end."""
    (line,) = centre.world.system.alive("line:")
    cells = centre.world.system._cells
    del cells[line].watchers["switchboard"]
    del cells["switchboard"].watched[line]
    return centre.tell(line, EndLine(line.removeprefix("line:")))


def _offer_again(centre: Centre) -> str:
    return centre.tell(
        f"agent:{LIN}", agents.Offer(centre.call.id, "support", "", "", "", "", 0.0, 30.0, offerer="queue:support")
    )


def _rings_for_ever(centre: Centre) -> str:
    return centre.change(centre.call, second=evolve(centre.call.second(), ring_until=math.inf))


def _busy(centre: Centre) -> str:
    ghost = agents.Offer("ghost", "support", "", "", "", "", 0.0, 30.0, offerer="queue:support")
    parties = page.CallParties("ghost")
    return centre.change(centre.agent(), phase=agents.Phase.TALKING, call=ghost, parties=parties)


_MUTED, _GONE = calls.MuteAgent(LIN, muted=True), queues.AgentStands(LIN, None)
PLANTS: Final = (
    Plant(What.NO_OWNER, POSITIONS["talks"], lambda c: c.change(c.call, agent=""), "call:", cured=False),
    Plant(What.NOT_WAITING, (HOTLINE,), lambda c: c.tell("queue:support", queues.Leave(c.call.id)), "call:"),
    Plant(
        What.TALKS_TO_NOBODY,
        POSITIONS["talks"],
        lambda c: c.tell(f"agent:{LIN}", agents.Ended(c.call.id, "x", "y")),
        "call:",
    ),
    Plant(
        What.DIALLED_BY_NOBODY,
        POSITIONS["dials"],
        lambda c: c.tell(f"agent:{LIN}", agents.NotConnected(c.call.id, "not_answered")),
        "call:",
    ),
    Plant(What.NO_TIMER, POSITIONS["rings outside"], _rings_for_ever, "call:", cured=False),
    Plant(What.NO_MEDIA, POSITIONS["talks"], lambda c: c.order(media.CloseLeg(c.call.state.leg)), "call:"),
    Plant(What.BUSY_FOR_NOTHING, POSITIONS["idle"], _busy, f"agent:{LIN}"),
    Plant(What.MUTED_AND_HEARD, POSITIONS["talks"], lambda c: c.tell(c.actor, _MUTED), "call:"),
    Plant(What.OTHER_VOICE, POSITIONS["talks"], lambda c: c.tell(c.actor, calls.AgentLeg(LIN, "")), "call:"),
    Plant(
        What.NOT_OFFERED,
        POSITIONS["idle"],
        lambda c: c.tell("queue:support", _GONE),
        f"agent:{LIN}",
    ),
    Plant(
        What.OFFER_OPEN,
        POSITIONS["idle"],
        lambda c: c.change(c.agent(), offer_entry=records.OfferEntry("ghost", LIN, "support", 1.0)),
        f"agent:{LIN}",
        cured=False,
    ),
    Plant(
        What.RECORD_OPEN,
        POSITIONS["talks"],
        lambda c: c.change(c.call, legs=c.call.state.legs[:1]),
        "call:",
        cured=False,
    ),
    Plant(
        What.QUEUE_HAS_STRANGER,
        POSITIONS["talks"],
        lambda c: c.tell("queue:sales", c.call.joins(again=False)),
        "queue:sales",
    ),
    Plant(
        What.RINGS_UNHEARD,
        POSITIONS["rings"],
        lambda c: c.tell(f"agent:{LIN}", agents.Withdraw(c.call.id, "taken_back")),
        "queue:support",
    ),
    Plant(
        What.LINE_UNOWNED,
        POSITIONS["consults outside"],
        lambda c: c.tell(c.actor, LineOver(c.world.system.alive("line:")[0].removeprefix("line:"), "system", "gone")),
        "line:",
    ),
    Plant(What.STILL_COUNTED, POSITIONS["consults outside"], _line_gone, "switchboard"),
    Plant(
        What.HEARS_OTHERWISE,
        POSITIONS["talks"],
        lambda c: c.order(media.Rewire((media.Hears(c.call.state.leg, ()),))),
        "call:",
    ),
    Plant(
        What.HEARS_OTHERWISE,
        POSITIONS["idle"],
        lambda c: c.order(media.Rewire((media.Hears(c.lin.voice, ((c.lin.voice, 1.0),)),))),
        f"agent:{LIN}",
    ),
    Plant(What.MEDIA_UNOWNED, POSITIONS["nothing"], lambda c: c.order(OPENED), "call:ghost"),
    Plant(What.SIP_UNOWNED, POSITIONS["talks"], Centre.forgotten, "call:"),
)


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: f"{plant.what.name.lower()} of {plant.whom}")
def test_what_is_made_untrue_is_an_alarm_in_two_seconds(plant: Plant, tmp_path: Path) -> None:
    """... and is over as soon as somebody was told what it had missed; what cannot be cured stands."""

    async def run(world: World) -> None:
        walk = Walk(world, History("nothing", 1, ()))
        await trio.sleep(0.4)
        for step in plant.position:
            await trio.sleep(walk.take(step))
        centre = Centre(world)
        world.nursery.start_soon(centre.guard.run)
        await trio.sleep(3 * LOOK + 0.3)
        assert (sum(centre.guard.found.values()), world.system.alarms) == (0, [])
        word, what = plant.how(centre), plant.what.name.lower()
        await trio.sleep(LOOK)
        assert centre.guard.found[what] == 0, "it may yet be told what it has not read"
        await trio.sleep(SOON - LOOK)
        assert centre.guard.found[what] == 1
        (alarm,) = (text for text in world.system.alarms if plant.what.value in text)
        assert f"({plant.whom}" in alarm
        assert word in centre.kept[what]
        assert centre.guard.cured[what] == plant.cured
        await trio.sleep(SOON)
        assert (alarm in world.system.alarms) is not plant.cured
        assert centre.guard.standing == len(world.system.alarms)

    play(run, ORGANISATION, data=tmp_path)


def test_every_invariant_is_planted() -> None:
    engine = {What.ENGINE_LACKS, What.ENGINE_KEEPS}
    assert {plant.what for plant in PLANTS} | engine == set(What)
    assert {fault.what for fault in FAULTS.values()} == engine


@frozen
class Fault:
    """What the engine does of itself; what is found; who is named beside it, and what of it."""

    what: What
    does: Callable[[Centre], media.Command]
    of: Callable[[Centre], str]


def _listener(centre: Centre) -> media.Hears:
    """What the caller hears."""
    leg = centre.call.state.leg
    return media.Hears(leg, tuple(centre.world.engine.hears(leg).items()))


FAULTS: Final = {
    "a leg too much": Fault(What.ENGINE_KEEPS, lambda c: OPENED, lambda c: "call:ghost, call:ghost/caller"),
    "a leg too few": Fault(
        What.ENGINE_LACKS,
        lambda c: media.CloseLeg(c.call.state.leg),
        lambda c: f"{c.actor}, {c.call.state.leg}",
    ),
    "an edge too few": Fault(
        What.ENGINE_LACKS,
        lambda c: media.Rewire((media.Hears(c.call.state.leg, ()),)),
        lambda c: f"{c.actor}, {c.call.state.leg} hears {c.lin.voice}",
    ),
    "an edge too much": Fault(
        What.ENGINE_KEEPS,
        lambda c: media.Rewire((evolve(h := _listener(c), sources=(*h.sources, (h.listener, 1.0))),)),
        lambda c: f"{c.actor}, {c.call.state.leg} hears {c.call.state.leg}",
    ),
    "another gain": Fault(
        What.ENGINE_LACKS,
        lambda c: media.Rewire((media.Hears(c.call.state.leg, ((c.lin.voice, 0.5),)),)),
        lambda c: f"{c.actor}, {c.call.state.leg} hears {c.lin.voice}",
    ),
    "a source too much": Fault(
        What.ENGINE_KEEPS, lambda c: media.OpenSource("tone", media.Tone(440.0)), lambda c: "tone"
    ),
    "a recording too few": Fault(
        What.ENGINE_LACKS, lambda c: media.CloseRecording(c.call.id), lambda c: f"{c.actor}, {media.left(c.call.id)}"
    ),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("after", [0.0, 0.25, 0.499, 0.75])
def test_an_engine_that_has_something_else_is_found_by_name_within_two_seconds_and_mended(
    name: str, after: float, tmp_path: Path
) -> None:
    """As many legs and edges are no proof that they are the same. The link is made anew, once, and all is as it was."""
    fault = FAULTS[name]

    async def ping(world: World) -> None:
        while True:
            world.ping()
            await trio.sleep(PING_INTERVAL)

    async def run(world: World) -> None:
        walk = Walk(world, History("nothing", 1, ()))
        await trio.sleep(0.4)
        for step in POSITIONS["talks"]:
            await trio.sleep(walk.take(step))
        centre = Centre(world)
        world.nursery.start_soon(ping, world)
        world.nursery.start_soon(centre.guard.run)
        anew = list[float]()

        world.link.hang_up = lambda: anew.append(world.now())
        await trio.sleep(8.0 + after)
        assert (sum(centre.guard.found.values()), anew) == (0, [])
        wanted, began, who = world.engine.sums(), world.now(), fault.of(centre)
        facts = world.engine.command(fault.does(centre), began)
        assert world.engine.sums() != wanted
        assert all(isinstance(fact, media.LegOpened | media.RecordingClosed) for fact in facts), "nobody is told"
        await trio.sleep(SOON)
        assert centre.guard.found[fault.what.name.lower()] >= 1
        assert len(anew) == 1
        assert anew[0] - began <= SOON
        (first, *_) = (text for text in world.system.alarms if fault.what.value in text)
        assert f"media, {who})" in first, "it is named, and whose it is"
        world.link.connect(None)
        world.connect_engine()
        await trio.sleep(SOON)
        assert world.engine.sums() == wanted
        assert (centre.guard.standing, world.system.alarms) == (0, [])

    play(run, ORGANISATION, data=tmp_path)


def test_an_engine_that_is_not_mended_by_a_new_link_is_an_alarm_that_stands(tmp_path: Path) -> None:
    """As one without room; and the link is not made anew again and again."""

    async def run(world: World) -> None:
        assert Walk(world, History("nothing", 1, ())).walkers.whole
        await trio.sleep(0.4)
        centre, anew = Centre(world), list[float]()

        async def ping() -> None:
            while True:
                world.engine.command(media.OpenSource("tone", media.Tone(440.0)), world.now())
                world.ping()
                await trio.sleep(PING_INTERVAL)

        world.link.hang_up = lambda: anew.append(world.now())
        world.nursery.start_soon(ping)
        world.nursery.start_soon(centre.guard.run)
        await trio.sleep(500.0)
        assert (centre.guard.standing, len(world.system.alarms), len(anew)) == (1, 1, 1)

    play(run, ORGANISATION, data=tmp_path)
