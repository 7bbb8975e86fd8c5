"""What happens in a walk: the acts of agents at their pages, of customers and telephones, and faults of everything.

An act looks at how things stand, chooses whom it means, and does it; it gives False where there is nobody it could
mean. Half of what agents do fits their call, the other half is anything at all: buttons that are grey, the same button
twice, the opposite one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cordboard.actors import page

from .faults import Faults
from .latewords import dropped, words


class Walkers(Faults):
    """All who do something, and the world in which they do."""

    def crowd(self) -> bool:
        """All at once: an actor's mail waits for a moment, and many want something of it. What comes first moves it,
        and the rest meets it where nobody thought that it was."""
        kind = self.rng.choices(("call:", "agent:", "line:"), (4, 3, 2))[0]
        name = self.choose(self.world.system.alive(kind))
        if name is None:
            return False
        self.sleep(name, self.rng.choice((1e-5, 0.002, 0.02, 0.6)))
        call = name.partition(":")[2].partition("+")[0]
        for _ in range(self.rng.randint(2, 8)):
            self.rng.choice((self._crowd_agents, self._crowd_agents, self._crowd_legs, self._crowd_sip))(call)
        return True

    def late_word(self) -> bool:
        """Some of what comes too late."""
        actors = self.world.system.behaviours()
        kind = self.rng.choices(("call:", "agent:", "line:", "queue:"), (6, 6, 3, 1.5))[0]
        name = self.choose([each for each in actors if each.startswith(kind)])
        said = words(name, actors[name], self.rng) if name is not None else ()
        for _ in range(self.rng.randint(2, 12)):
            word = self.choose(said)
            if name is not None and word is not None:
                self.world.system.tell(name, word)
        return bool(said)

    def late_words(self, kind: str = "") -> bool:
        """All that comes too late where somebody stands, and so changes nothing."""
        actors = self.world.system.behaviours()
        kind = kind or self.rng.choice(("call:", "agent:", "line:"))
        name = self.choose([each for each in actors if each.startswith(kind)])
        for word in dropped(name, actors[name], self.rng) if name is not None else ():
            assert name is not None
            self.world.system.tell(name, word)
        return name is not None

    def press_all(self) -> bool:
        """A child at the keyboard: every button, in any order."""
        agent = self.choose([each for each in self.pages if self.pages[each] and self.state_of(each) is not None])
        state = self.state_of(agent) if agent is not None else None
        robot = self.owner(agent) if agent is not None else None
        if state is None or robot is None:
            return False
        commands = self.any_command(state)
        self.rng.shuffle(commands)
        for command in commands:
            self.click(robot, command)
        return True

    def press_all_that_are_grey(self) -> None:
        """... which the page would not let anybody press, at each page that may ask for anything."""
        for agent in self.pages:
            state, robot = self.state_of(agent), self.owner(agent)
            if state is not None and robot is not None:
                fits = {type(command) for command in self.fitting(state)}
                for command in self.any_command(state):
                    if type(command) not in fits:
                        self.click(robot, command)

    def _crowd_agents(self, call: str) -> None:
        """Whoever has that call, or is asked for it, clicks what a call takes."""
        mine = [
            agent
            for agent in self.pages
            if (state := self.state_of(agent)) is not None
            and (call == agent or (state.call and state.call.call == call))
        ]
        agent = self.choose(mine)
        state = self.state_of(agent) if agent is not None else None
        robot = self.owner(agent) if agent is not None else None
        if state is None or robot is None:
            return
        whom = self._whom(state)
        fits = self.fitting(state)
        gives: list[page.Command] = [page.Survey(), page.Transfer(queue="sales"), page.HangUp()]
        brings: list[page.Command] = [
            page.Consult(**whom),
            page.Invite(**whom),
            page.Transfer(**whom),
            page.Hold(),
            page.Mute(),
        ]
        seconds: list[page.Command] = [
            page.Complete(),
            page.Cancel(),
            page.Swap(),
            page.Merge(),
            page.Retrieve(),
            page.Unmute(),
        ]
        among = self.rng.choice((fits, fits, gives, brings, seconds))
        self.click(robot, self.rng.choice(among))

    def _crowd_legs(self, call: str) -> None:
        legs = [leg for leg in self.legs() if call in leg or self._talks_by(leg, call)]
        leg = self.choose(legs)
        if leg is not None:
            self.rng.choice((self.fact, self.fact, self.key, self.leg_fails))(leg)

    def _talks_by(self, leg: str, call: str) -> bool:
        state = self.state_of(leg.partition("/")[0].removeprefix("agent:")) if leg.startswith("agent:") else None
        return state is not None and state.call is not None and state.call.call == call

    def _crowd_sip(self, call: str) -> None:
        self.rng.choice((self.caller_hangs_up, self.telephone, self.telephone, self.key_by_info, self.caller_offers))()


# How often each is done, before a history weighs them for itself.
ACTS: Final[dict[str, tuple[float, Callable[[Walkers], bool]]]] = {
    "press": (20, Walkers.press),
    "press any": (14, Walkers.press_any),
    "press twice": (5, Walkers.press_twice),
    "press in both": (3, Walkers.press_in_both),
    "sign in": (4, Walkers.sign_in),
    "reload": (4, Walkers.reload),
    "dial": (5, Walkers.dial),
    "caller hangs up": (3, Walkers.caller_hangs_up),
    "caller offers": (3, Walkers.caller_offers),
    "telephone": (10, Walkers.telephone),
    "key by info": (2, Walkers.key_by_info),
    "key": (3, Walkers.key),
    "accept by key": (4, Walkers.accept_by_key),
    "fact": (10, Walkers.fact),
    "fact twice": (2, Walkers.fact_twice),
    "leg fails": (2, Walkers.leg_fails),
    "recording": (1, Walkers.recording),
    "control dies": (0.7, Walkers.control_dies),
    "engine dies": (0.5, Walkers.engine_dies),
    "link breaks": (1, Walkers.link_breaks),
    "no port": (1, Walkers.no_port),
    "trunk dies": (1, Walkers.trunk_dies),
    "datagrams suffer": (2, Walkers.datagrams_suffer),
    "store stands": (1, Walkers.store_stands),
    "settings": (1.5, Walkers.settings),
    "queue is new": (0.7, Walkers.queue_is_new),
    "dismiss": (1.5, Walkers.dismiss),
    "isolate": (0.7, Walkers.isolate),
    "dialog is lost": (1, Walkers.dialog_is_lost),
    "refers": (2, Walkers.refers),
    "offers nothing": (3, Walkers.offers_nothing),
    "rings elsewhere": (2, Walkers.rings_elsewhere),
    "supervise": (1, Walkers.supervise),
    "crash": (1.5, Walkers.crash),
    "nap": (8, Walkers.nap),
    "crowd": (14, Walkers.crowd),
    "late word": (12, Walkers.late_word),
    "late words": (3, Walkers.late_words),
    "press all": (1, Walkers.press_all),
}
# What goes on while there is no control process.
WITHOUT: Final = frozenset(
    {
        "dial",
        "caller hangs up",
        "caller offers",
        "telephone",
        "key",
        "accept by key",
        "fact",
        "fact twice",
        "leg fails",
        "recording",
        "engine dies",
        "trunk dies",
        "datagrams suffer",
        "settings",
    }
)
