"""Faults of a walk: processes that die, links and trunks that break, a database that stands still, datagrams that are
lost, doubled or late, settings that change, actors that crash, sleep or end."""

from __future__ import annotations

from functools import partial
from random import Random
from typing import Any, Final

from attrs import evolve
from cordboard.actors import call_state as calls
from cordboard.actors import page
from cordboard.actors.line import Line
from cordboard.actors.line import Phase as LinePhase
from cordboard.actors.organisation import Organisation
from cordboard.actors.signals import Released
from cordboard.actors.switchboard import Drain, MediaFull, Open
from cordboard.switch import protocol as media

from .customers import Customers
from .desks import SALES
from .house import PAGE_OFFER
from .watched import Life, Poison
from .world import World

# For how long somebody's mail waits: some turns, a moment, for longer than anybody waits for it.
NAPS: Final = (1e-5, 1e-5, 0.01, 0.6, 6.0, 45.0)
# Whose mail waits how often.
SLEEPERS: Final = {"call:": 5, "agent:": 5, "line:": 4, "queue:": 3, "switchboard": 1, "trunk:": 2, "directory": 1}
# After a crash the same actor does not crash again at once: the fifth in 30 s would isolate it.
MAX_CRASHES: Final = 2
# How long it is until the next process is there: what a supervisor takes, and longer than anybody goes on with a file.
DOWN: Final = (0.05, 0.5, 2.0, 2.0, 5.0, 33.0)
# What becomes of a datagram: lost; doubled, at once or by somebody who sends it again much later; late.
FATES: Final[tuple[tuple[float, ...], ...]] = ((), (), (0.0, 0.0), (0.0, 0.03), (0.0, 2.0), (0.3,), (3.0,))


class Faults(Customers):
    """All that goes wrong."""

    def __init__(self, world: World, rng: Random) -> None:
        super().__init__(world, rng)
        self.crashed: dict[str, int] = {}

    # --- processes --------------------------------------------------------------------------------------------

    def control_dies(self) -> bool:
        """The control process is killed, at once or in the middle of a step, and another goes on."""
        life = self.world.life
        if life.over or self.world.data is None:
            return False
        die = partial(self._die, life, self.rng.choice(DOWN))
        if self.chance(0.5):
            self.world.system.doom(self.rng.randint(0, 12), die)
            self.later(1.0, die)
        else:
            die()
        return True

    def _die(self, life: Life, down: float) -> None:
        if not life.over:
            self.world.kill_control()
            self.later(down, self.control_is_back)

    def control_is_back(self) -> None:
        """It goes on, the database with it, and the pages come back by themselves, as they do."""
        self.world.store_stands_until = 0.0
        self.world.restart_control()
        gone = [robot for pages in self.pages.values() for robot in pages]
        self.pages.clear()
        for robot in gone:
            self.later(self.rng.choice((0.05, 0.5, 2.0, 8.0)), partial(self.comes_back, robot))

    # --- the media plane --------------------------------------------------------------------------------------

    def engine_dies(self) -> bool:
        """Another is there soon, or in a while."""
        self.world.lose_engine()
        name = f"engine {self.rng.random()}"
        self.later(self.rng.choice((0.0, 0.05, 1.0, 6.0, 6.0, 40.0)), lambda: self.world.start_engine(name))
        return True

    def link_breaks(self) -> bool:
        """What the engine answers meanwhile is lost; it is well, and says how its legs stand when the link is back."""
        if not self.world.link.connected:
            return False
        self.world.deaf = True
        self.later(self.rng.choice((0.0005, 0.002, 0.02, 0.4)), self.link_is_lost)
        return True

    def link_is_lost(self) -> None:
        self.world.deaf = False
        if not self.world.life.over and self.world.link.connected:
            self.world.lose_engine()
            self.later(self.rng.choice((0.0005, 0.002, 0.4, 3.0)), self._link_is_back)

    def _link_is_back(self) -> None:
        if self.world.life.over or self.world.link.connected:
            return  # to another engine, or another process will be
        self.world.connect_engine()
        opening = [
            each.state.leg for each in self.calls() if each.state.phase in (calls.Phase.OPENING, calls.Phase.READYING)
        ]
        lines = [each for each in self.world.system.behaviours().values() if isinstance(each, Line)]
        opening += [each.state.leg for each in lines if each.state.phase is LinePhase.READYING]
        for leg in opening:
            for _ in range(self.rng.randint(0, 6)):
                self.rng.choice((self.fact, self.fact, self.fact, self.key))(leg)
            if self.chance(0.3):
                self.leg_fails(leg)

    def no_port(self) -> bool:
        """The engine cannot do what it is asked next: of a telephone that moves, or of a page that asks at once."""
        kind = self.rng.choice((media.OpenRtpLeg, media.UpdateRtpLeg, media.UpdateRtpLeg, media.OpenWebrtcLeg))
        self.world.refuses[kind] += self.rng.randint(1, 2)
        robot = self.choose([each for each in map(self.owner, self.pages) if each is not None])
        if kind is media.OpenWebrtcLeg and robot is not None:
            self.click(robot, page.RenewMedia(PAGE_OFFER))
        return True

    # --- trunks and the database ------------------------------------------------------------------------------

    def trunk_dies(self) -> bool:
        """No datagram comes through, for a moment or for a while."""
        host = self.rng.choice(self.outside).host.address
        self.world.unplug(host)
        self.later(self.rng.choice((0.1, 3.0, 10.0, 40.0)), lambda: self.world.plug(host))
        return True

    def datagrams_suffer(self) -> bool:
        """The next few of SIP are lost, doubled or late."""
        self.world.fates.extend(self.rng.choice(FATES) for _ in range(self.rng.randint(1, 6)))
        return True

    def store_stands(self) -> bool:
        """The database answers nobody and commits nothing for a while."""
        self.world.store_stands_until = self.world.now() + self.rng.choice((0.5, 3.0, 20.0))
        return True

    # --- settings ---------------------------------------------------------------------------------------------

    def settings(self) -> bool:
        """An administrator changes something, and at times takes it back."""
        self.world.configure(self.rng.choice((self.whole, self._changed())))
        return True

    def _changed(self) -> Organisation:
        whole, rng = self.whole, self.rng
        queues = tuple(
            evolve(each, wrap_up_seconds=5.0, name="Other", survey=self.chance(0.5)) for each in whole.queues
        )
        without = rng.choice(whole.agents)
        fewer = tuple(each for each in whole.agents if each is not without)
        return rng.choice(
            (
                evolve(whole, queues=queues),
                evolve(whole, agents=fewer),
                evolve(whole, agents=tuple(evolve(each, skills=each.skills[:1], calls=1) for each in whole.agents)),
                self.without_sales(),
                evolve(whole, trunks=whole.trunks[1:]),
                evolve(whole, dialling=()),
            )
        )

    def without_sales(self) -> Organisation:
        whole = self.whole
        return evolve(
            whole,
            queues=tuple(each for each in whole.queues if each.id != "sales"),
            numbers=tuple(each for each in whole.numbers if each.number != SALES),
            agents=tuple(
                evolve(each, skills=tuple(skill for skill in each.skills if skill.queue != "sales"))
                for each in whole.agents
            ),
        )

    def dismiss(self, agent: str | None = None) -> bool:
        """An agent is none any more, and again soon."""
        agent = agent or self.choose([each for each in self.whole_agents() if self.state_of(each) is not None])
        whole = self.whole
        self.world.configure(evolve(whole, agents=tuple(each for each in whole.agents if each.id != agent)))
        self.later(self.rng.choice((0.0, 0.001, 3.0)), lambda: self.world.configure(whole))
        return agent is not None

    def queue_is_new(self) -> bool:
        """A queue is dismissed and wanted again in one moment."""
        self.world.configure(self.without_sales())
        self.world.configure(self.whole)
        return True

    def supervise(self) -> bool:
        """The whole switch takes no more calls, or again."""
        told: Any = self.rng.choice((Drain(), Open(), Open(), MediaFull(full=True), MediaFull(full=False)))
        return self.world.system.tell("switchboard", told)

    # --- actors -----------------------------------------------------------------------------------------------

    def isolate(self) -> bool:
        """An actor that has crashed too often is ended."""
        prefix = self.rng.choice(("agent:", "agent:", "agent:", "queue:", "trunk:"))
        name = self.choose(self.world.system.alive(prefix))
        if name is not None:
            self.world.system.end(name, "crashed")
            self.later(5.0, lambda: self.world.configure(self.world.organisation))
        return name is not None

    def dialog_is_lost(self, whose: str = "") -> bool:
        """As after a restart: an actor hears that SIP knows nothing of its call."""
        name = self.choose(self.world.system.alive(whose or self.rng.choice(("call:", "line:"))))
        if name is not None:
            self.world.signalling.on_end(name, "lost")
            self.world.system.tell(name, Released(name.partition(":")[2], "lost in a restart", by_caller=False))
        return name is not None

    def crash(self) -> bool:
        """An actor meets a bug: of a call or a line that is its end; of what they ask, the answer is lost."""
        names = [each for each in self.world.system.alive() if self.crashed.get(each, 0) < MAX_CRASHES]
        name = self.choose(names)
        if name is None:
            return False
        self.crashed[name] = self.crashed.get(name, 0) + 1
        if name.startswith(("agent:", "queue:")):
            self.world.system.tell(name, Poison(), kept=False)
        else:
            self.world.system.poison(name)
        return True

    def nap(self) -> bool:
        """An actor's mail waits."""
        kind = self.rng.choices(list(SLEEPERS), list(SLEEPERS.values()))[0]
        name = self.choose(self.world.system.alive(kind))
        if name is not None:
            self.sleep(name, self.rng.choice(NAPS))
        return name is not None

    def sleep(self, name: str, seconds: float) -> None:
        system = self.world.system
        system.sleep(name, self.world.now() + seconds)
        self.later(seconds, system.wake)
