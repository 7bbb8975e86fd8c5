"""Agents at their pages in a walk: what they do by themselves, buttons that fit, and any button at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any, Final, TypeVar

from cordboard.actors import agent_state as agents
from cordboard.actors import page
from cordboard.actors.agent_state import Phase
from cordboard.actors.call import Call

from .far import Robot
from .house import PAGE_OFFER
from .outside import Outside
from .world import World

T = TypeVar("T")

HOTLINE: Final = "+861055501000"
SALES: Final = "+861055501001"
NIGHT: Final = "+861055501002"
MAILBOX: Final = "+861055501003"
# What agents dial: three that may be, one that may not, and one that is no number.
NUMBERS: Final = ("13800138005", "13800138006", "+861055508000", "13912345678", "12")


class Desks:
    """The pages of all agents."""

    def __init__(self, world: World, rng: Random) -> None:
        self.world = world
        # Of whatever is done now; and of what agents do by themselves.
        self.rng = self._habits = rng
        self.outside = [
            Outside(world, host, Random(rng.getrandbits(32)))
            for host in world.hosts.values()
            if host is not world.switch
        ]
        # The pages of each agent that are open, the oldest first.
        self.pages: dict[str, list[Robot]] = {}
        # How likely an agent does by itself what is to be done next.
        self.diligence = rng.choice((0.2, 0.6, 0.9))
        self.whole = world.organisation
        self._versions = 1
        # How much is still to be done later.
        self.owed = 0
        # Who is at the button though nothing is asked: no more of it at the end.
        self.over = False

    # --- chance -----------------------------------------------------------------------------------------------

    def choose(self, among: Sequence[T]) -> T | None:
        return self.rng.choice(among) if among else None

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def by(self, rng: Random, act: Callable[[], object]) -> None:
        """Does that, with this chance: what others did before changes nothing in it."""
        before, self.rng = self.rng, rng
        try:
            act()
        finally:
            self.rng = before

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """... with the chance that it has now."""
        rng = self.rng

        def do() -> None:
            self.owed -= 1
            self.by(rng, act)

        self.owed += 1
        self.world.later(seconds, do)

    # --- how things stand -------------------------------------------------------------------------------------

    def state_of(self, agent: str) -> agents.Data | None:
        actor = self.world.system.behaviours().get(f"agent:{agent}")
        return actor.state if actor is not None else None

    def owner(self, agent: str) -> Robot | None:
        """The page that may ask for anything, else any."""
        state, pages = self.state_of(agent), self.pages.get(agent, [])
        if state is None or not pages:
            return None
        return next((each for each in pages if each.session == state.owner), pages[-1])

    def calls(self) -> list[Call]:
        return [each for each in self.world.system.behaviours().values() if isinstance(each, Call)]

    def legs(self) -> list[str]:
        return list(self.world.engine.legs)

    # --- pages ------------------------------------------------------------------------------------------------

    def open_page(self, agent: str) -> Robot | None:
        if self.world.life.over or f"agent:{agent}" not in self.world.system.behaviours():
            return None
        robot = self.world.open_page(agent)
        robot.on_event = lambda event: self.by(self._habits, lambda: self._goes_on(robot, event))
        self.pages.setdefault(agent, []).append(robot)
        return robot

    def click(self, robot: Robot, command: page.Command) -> None:
        if robot.session in self.world.pages:
            robot.click(command)

    def close(self, robot: Robot) -> None:
        if robot.session in self.world.pages:
            robot.close()
        if robot in self.pages.get(robot.agent, []):
            self.pages[robot.agent].remove(robot)

    def _soon(self, robot: Robot, least: float, most: float, command: page.Command) -> None:
        if not self.over and self.chance(self.diligence):
            self.later(self.rng.uniform(least, most), lambda: None if self.over else self.click(robot, command))

    def _goes_on(self, robot: Robot, event: page.Event) -> None:
        """What an agent does by itself, that more happens than rings."""
        match event:
            case page.CallOffered():
                self._soon(robot, 0.1, 8.0, page.Answer(event.call))
            case page.AgentState(state=page.State.AFTER_CALL_WORK):
                self._soon(robot, 1.0, 15.0, page.StartAnswering())
            case page.AgentState(state=page.State.BREAK):
                self._soon(robot, 1.0, 10.0, page.SetState("idle"))
            case page.MediaFailed():
                self._soon(robot, 0.1, 3.0, page.RenewMedia(PAGE_OFFER))
            case _:
                pass

    def sign_in(self) -> bool:
        """A page, a script, a page that comes back, or one that takes over."""
        agent = self.choose([each for each in self.whole_agents() if self.state_of(each) is not None])
        if agent is None:
            return False
        state = self.state_of(agent)
        robot = self.open_page(agent)
        assert robot is not None
        assert state is not None
        if state.leg and self.chance(0.5):
            self.click(robot, page.Resume(state.leg))
        elif self.chance(0.15):
            self.click(robot, page.SignIn(media="none", take_over=self.chance(0.5)))
        elif self.chance(0.1) and state.profile.mobile:
            self.click(robot, page.MobileAnswer())
        else:
            self.click(robot, page.SignIn(sdp=PAGE_OFFER, take_over=self.chance(0.5)))
        return True

    def reload(self) -> bool:
        """The page is closed, and comes back soon or not so soon; its media stay, or not."""
        robot = self.choose([each for pages in self.pages.values() for each in pages])
        if robot is None:
            return False
        state = self.state_of(robot.agent)
        leg = state.voice if state is not None and state.owner == robot.session else ""
        self.close(robot)
        if leg and self.chance(0.7):
            self.later(0.5, lambda: self.world.on_facts(self.world.engine.silence(leg, 0.5)))
        self.later(self.rng.choice((0.3, 2.0, 15.0, 25.0)), partial(self.comes_back, robot))
        return True

    def comes_back(self, robot: Robot) -> None:
        """A page that lost its websocket opens another."""
        if self.over:
            return
        if self.world.life.over:
            self.later(1.0, partial(self.comes_back, robot))
            return
        again, state = self.open_page(robot.agent), self.state_of(robot.agent)
        if again is not None and state is not None:
            resumes = bool(state.leg) and self.chance(0.6)
            if resumes:
                self.world.on_facts(self.world.engine.hear(state.leg))
            self.click(again, page.Resume(state.leg) if resumes else page.SignIn(sdp=PAGE_OFFER))

    # --- buttons ----------------------------------------------------------------------------------------------

    def whole_agents(self) -> list[str]:
        return [each.id for each in self.whole.agents]

    def press(self) -> bool:
        """A button that fits."""
        agent = self.choose([each for each in self.pages if self.pages[each] and self.state_of(each) is not None])
        return agent is not None and self._press(agent, fits=True)

    def press_any(self) -> bool:
        """Any button at all, at any page of an agent."""
        agent = self.choose([each for each in self.pages if self.pages[each] and self.state_of(each) is not None])
        return agent is not None and self._press(agent, fits=False)

    def press_twice(self) -> bool:
        """The same one, or the opposite, in one moment."""
        agent = self.choose([each for each in self.pages if self.pages[each] and self.state_of(each) is not None])
        if agent is None:
            return False
        self._press(agent, fits=True)
        return self._press(agent, fits=True)

    def press_in_both(self) -> bool:
        """The same one in two tabs, in one moment."""
        agent = self.choose([each for each in self.pages if self.pages[each] and self.state_of(each) is not None])
        state = self.state_of(agent) if agent is not None else None
        if agent is None or state is None:
            return False
        if len(self.pages[agent]) < 2:
            self.open_page(agent)
        command = self.rng.choice(self.fitting(state))
        for robot in self.pages[agent][-2:]:
            self.click(robot, command)
        return True

    def _press(self, agent: str, *, fits: bool) -> bool:
        state = self.state_of(agent)
        robot = self.owner(agent) if fits or self.chance(0.8) else self.choose(self.pages[agent])
        if state is None or robot is None:
            return False
        command = self.choose(self.fitting(state) if fits else self.any_command(state))
        if command is None:
            return False
        self.click(robot, command)
        return True

    def _whom(self, state: agents.Data) -> dict[str, Any]:
        """A second party: a colleague at its page or on its mobile, or a number; at times one that cannot be."""
        colleague = self.rng.choice([each for each in self.whole_agents() if each != state.profile.agent])
        kind = self.rng.random()
        if kind < 0.5:
            return {"agent": colleague}
        if kind < 0.65:
            return {"agent": colleague, "mobile": True}
        if kind < 0.97:
            return {"number": self.rng.choice(NUMBERS)}
        return {"agent": state.profile.agent} if self.chance(0.5) else {}

    def fitting(self, state: agents.Data) -> list[page.Command]:
        """What the page would let its agent do now."""
        rng = self.rng
        match state.phase:
            case Phase.SIGNED_OUT:
                return [page.SignIn(sdp=PAGE_OFFER), page.SignIn(media="none"), page.MobileAnswer("13800138001")]
            case Phase.IDLE | Phase.MOBILE:
                return [
                    page.SetState("break"), page.Dial(rng.choice(NUMBERS)), page.Dial(rng.choice(NUMBERS)),
                    page.SignOut(), page.TestCall(on=True), page.MobileAnswer("13800138001"),
                ]  # fmt: skip
            case Phase.RINGING | Phase.ANSWERING:
                return [page.Answer(), page.Answer(), page.Decline(), page.SetState("break"), page.SignOut()]
            case Phase.AFTER_CALL_WORK:
                return [page.StartAnswering(), page.SetState("break"), page.Dial(rng.choice(NUMBERS)), page.SignOut()]
            case Phase.ON_BREAK:
                return [page.SetState("idle"), page.Dial(rng.choice(NUMBERS)), page.MobileAnswer("13800138001")]
            case Phase.DIALLING:
                return [page.HangUp(), page.Survey()]
            case Phase.TALKING:
                return self._fitting_talk(state)

    def _fitting_talk(self, state: agents.Data) -> list[page.Command]:
        parties = state.parties
        plain: list[page.Command] = [page.HangUp(), page.Unmute() if state.muted else page.Mute()]
        if parties is None or parties.role == "second":
            return plain
        held: page.Command = page.Retrieve() if parties.customer_held else page.Hold()
        if parties.second is None:
            bring: list[page.Command] = [
                page.Consult(**self._whom(state)),
                page.Consult(**self._whom(state)),
                page.Transfer(**self._whom(state)),
                page.Transfer(queue=self.rng.choice(("support", "sales"))),
                page.Survey(),
            ]
            return [*plain, held, *bring, *([] if parties.customer_held else [page.Invite(**self._whom(state))])]
        if parties.second.purpose == "consult":
            return [*plain, page.Complete(), page.Cancel(), page.Swap(), page.Swap(), page.Merge()]
        return [*plain, held, held, page.Cancel(), page.Merge()]

    def any_command(self, state: agents.Data) -> list[page.Command]:
        leg = state.leg or "agent:nobody/1"
        return [
            page.SignIn(sdp=PAGE_OFFER), page.SignIn(sdp=PAGE_OFFER, take_over=True), page.SignIn(media="none"),
            page.Resume(leg), page.SignOut(), page.RenewMedia(PAGE_OFFER), page.RenewMedia(PAGE_OFFER, leg),
            page.SetState("idle"), page.SetState("break"), page.MobileAnswer(), page.MobileAnswer("13800138001"),
            page.TestCall(on=True), page.TestCall(on=False), page.StartAnswering(), page.Answer(), page.Decline(),
            page.HangUp(), page.Mute(), page.Unmute(), page.Hold(), page.Retrieve(), page.Consult(**self._whom(state)),
            page.Invite(**self._whom(state)), page.Transfer(**self._whom(state)), page.Transfer(queue="sales"),
            page.Complete(), page.Cancel(), page.Swap(), page.Merge(), page.Dial(self.rng.choice(NUMBERS)),
            page.Survey(), page.GetSnapshot(), page.WatchColleagues(),
        ]  # fmt: skip
