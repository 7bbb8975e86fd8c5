"""A random walk: some minutes of a whole centre in which agents, customers, outside parties and faults do anything.

A history (`histories.py`) begins at a position (`beginnings.py`: a short script that brings a call into one standing),
goes on with rounds of acts (`walkers.py`), several in one instant at times, some between two turns of the actors, and
is brought to its end: all hang up, the clock runs, and nothing may be left.

After every step of an actor the invariants hold (`world.py`), and what every table was asked is counted (`reached.py`).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

import trio
from cordboard.actors.agent_state import Phase
from cordboard.actors.alarms import TRUNK_DOWN
from cordboard.actors.call import DIALS as OUTWARD
from cordboard.actors.call_state import AgentGone
from cordboard.actors.memory import MEMORY
from cordboard.actors.queue_state import LastServed
from cordboard.actors.records import MobileEntry
from cordboard.actors.switchboard import MediaFull, Open
from cordboard.switch import protocol as media

from .beginnings import LIN, MO, ORGANISATION, POSITIONS, SPARE, WEI, Step
from .books import books
from .customers import CUSTOMER
from .histories import Act, History, Round
from .playing import play
from .walkers import ACTS, WITHOUT, Walkers
from .world import World

# Between the steps of a position, in seconds: a page's handshake takes its time.
PACE: Final = 0.4
WHILE: Final = 21.0
# After a process died another is there: what a supervisor takes.
DOWN: Final = 2.0
# At the end: what an INVITE that nobody answered takes at most, and how often it is looked; how long there is peace
# then, for whatever has a timer of its own; who vanished during a hold will not be missed for two hours.
END: Final = 70.0
LOOK: Final = 2.0
REST: Final = 25.0
VANISHED: Final = 7300.0
AT_REST: Final = (Phase.SIGNED_OUT, Phase.IDLE, Phase.ON_BREAK, Phase.AFTER_CALL_WORK, Phase.MOBILE)
# Of so many histories one begins with a mobile that was bound before.
BOUND: Final = 7


class Walk:
    """One walk; see the module's docstring."""

    def __init__(self, world: World, history: History) -> None:
        self.world = world
        self._history = history
        spare = world.add_host(SPARE)
        assert spare is not world.carrier
        rng = Random(history.chance)
        # Who served the customer last who does not hide its number; at times somebody who is none any more, or nobody.
        world.served[CUSTOMER] = rng.choice((LIN, WEI, MO, "1009", ""))
        self.walkers = Walkers(world, rng)

    async def live(self) -> None:
        await trio.sleep(PACE)
        for step in POSITIONS[self._history.position]:
            await trio.sleep(self.take(step))
        for outside in self.walkers.outside:
            outside.habit = ""
        for one in self._history.rounds:
            self._do(one)
            await trio.sleep(one.wait)
        await self.end()

    def take(self, step: Step) -> float:
        """Does that; gives how long it takes."""
        walkers, world = self.walkers, self.world
        if isinstance(step, tuple):
            agent, command = step
            robot = walkers.owner(agent) or walkers.open_page(agent)
            if robot is not None:
                walkers.click(robot, command)
            return PACE
        match step.split():
            case ["press", *keys]:
                for _ in keys:
                    walkers.accept_by_key()
            case ["wait"]:
                return WHILE
            case ["sleep", seconds]:
                return float(seconds)
            case ["engine", seconds]:
                world.lose_engine()
                world.later(float(seconds), lambda: world.start_engine("second"))
            case ["silence", whose]:
                for leg in [leg for leg in world.engine.legs if leg.startswith(whose)]:
                    world.on_facts(world.engine.silence(leg, 0.5))
            case ["nap", kind, seconds]:
                for name in world.system.alive(kind):
                    walkers.sleep(name, float(seconds))
            case ["isolate", name]:
                world.system.end(name, "crashed")
            case ["end", kind]:
                for name in world.system.alive(kind):
                    world.system.end(name, "crashed")
            case ["tab"]:
                for agent in list(walkers.pages):
                    walkers.open_page(agent)
            case ["new", "queues"]:
                walkers.settings()
                walkers.queue_is_new()
            case ["grey"]:
                walkers.press_all_that_are_grey()
            case ["restart", *both]:
                talk = [caller for caller in walkers.callers() if caller.answered.is_set()]
                talk_outside = [(outside, call) for outside in walkers.outside for call in outside.up]
                world.kill_control()
                if both:
                    world.start_engine("second")
                world.later(DOWN, walkers.control_is_back)

                def all_talk_on() -> None:
                    assert [caller.call for caller in talk if caller.over.is_set()] == []
                    assert [call for outside, call in talk_outside if call not in outside.up] == []

                world.later(DOWN + PACE / 2, all_talk_on)
                return DOWN + PACE
            case ["close"]:
                for pages in list(walkers.pages.values()):
                    for robot in list(pages):
                        walkers.close(robot)
            case ["no", "sales"]:
                world.configure(walkers.without_sales())
            case ["no", "update"]:
                world.refuses[media.UpdateRtpLeg] += 1
            case ["no", "open"]:
                world.refuses[media.OpenRtpLeg] += 1
            case ["caller", "offers"]:
                walkers.caller_offers()
            case ["hang", "up"]:
                walkers.caller_hangs_up()
            case ["lose"]:
                world.deaf = True
            case ["link"]:
                walkers.link_is_lost()
            case ["lost", whose]:
                walkers.dialog_is_lost(whose)
            case ["offers", "nothing"]:
                walkers.offers_nothing()
            case ["key", whose]:
                for leg in [leg for leg in world.engine.legs if leg.startswith(whose)]:
                    walkers.key(leg)
            case ["known"]:
                for call in walkers.calls():
                    world.system.tell(call.queue(), LastServed(call.id, WEI))
            case ["dismiss"]:
                walkers.dismiss(LIN)
            case ["gone"]:
                for call in walkers.calls():
                    if call.state.phase in OUTWARD and call.state.agent:
                        world.system.tell(f"call:{call.id}", AgentGone(call.state.agent))
            case ["facts", whose]:
                for leg in [leg for leg in world.engine.legs if leg.startswith(whose)]:
                    for _ in range(12):
                        walkers.fact(leg)
            case ["refer"]:
                walkers.all_refer()
            case ["info"]:
                walkers.key_by_info()
            case ["late"]:
                for kind in ("call:", "agent:1001", "agent:1002", "line:"):
                    walkers.late_words(kind)
            case ["child"]:
                walkers.press_all()
            case ["recording"]:
                walkers.recording()
            case ["telephones", "offer"]:
                for outside in walkers.outside:
                    for rung in list(outside.calls):
                        outside.offer(rung)
            case [number] if number[-1].isdigit():
                walkers.dial(number)
            case _:
                for outside in walkers.outside:
                    outside.habit = step
        return PACE

    def _do(self, one: Round) -> None:
        for act in one.acts:
            if act.turns and not self.world.life.over:
                self.world.system.between(act.turns, partial(self._act, act))
            else:
                self._act(act)

    def _act(self, act: Act) -> None:
        if self.world.life.over and act.name not in WITHOUT:
            return
        _, does = ACTS[act.name]
        self.walkers.by(Random(act.choice), partial(does, self.walkers))

    # --- the end ----------------------------------------------------------------------------------------------

    async def end(self) -> None:
        world, walkers = self.world, self.walkers
        walkers.over = True
        world.fates.clear()
        world.system.forget_between()
        while walkers.owed:
            await trio.sleep(LOOK)
        world.configure(walkers.whole)
        for outside in walkers.outside:
            outside.closes()
            world.plug(outside.host.address)
        world.system.tell("switchboard", Open())
        world.system.tell("switchboard", MediaFull(full=False))
        for caller in list(world.callers.values()):
            caller.hang_up()
        await self._is_over()
        for leg in [leg for leg in world.engine.legs if not leg.startswith("agent:")]:
            world.on_facts(world.engine.silence(leg, 3.0))
        await self._is_over()
        if world.calls_left():
            await trio.sleep(VANISHED)
        await trio.sleep(REST)
        self._nothing_is_left()

    async def _is_over(self) -> None:
        """Until nothing is left of any call, and for as long as that may take."""
        until = trio.current_time() + END
        while self.world.calls_left() and trio.current_time() < until:
            await trio.sleep(LOOK)

    def _nothing_is_left(self) -> None:
        world = self.world
        world.assert_no_calls()
        assert [text for text in world.system.alarms if not text.startswith(TRUNK_DOWN.text[:9])] == []
        for agent in self.walkers.whole_agents():
            state = self.walkers.state_of(agent)
            assert state is None or state.phase in AT_REST, (agent, state.phase)
        books(world)


def walk(history: History, *, silent: bool = True) -> list[str]:
    """That history; gives its log, which is empty where it is `silent`."""

    async def live(world: World) -> None:
        world.silent = silent
        await Walk(world, history).live()

    mobiles = (MobileEntry(MO, "+8613800138004", True),) if history.chance % BOUND == BOUND - 1 else ()
    if not history.has("control dies", "restart"):
        return play(live, ORGANISATION, history.chance, mobiles=mobiles)
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as directory:
        return play(live, ORGANISATION, history.chance, Path(directory), mobiles, journalled=False)
