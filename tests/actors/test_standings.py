"""How agents stand, told to the directory: together, once, and of each life of an agent anew."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio
import trio.testing
from attrs import define, field
from cordboard.actors import agent_state as agents
from cordboard.actors import page
from cordboard.actors.agent import Agent
from cordboard.actors.directory import Directory
from cordboard.actors.effects import Effect
from cordboard.actors.runtime import Hands, System, unix_clock
from cordboard.actors.standings import GATHER, Standings
from cordboard.actors.states import Record, Told, Unwritten

START = 1_700_000_000.0
PEER = "192.0.2.7"


@define
class Scene:
    """A directory, what pages were pushed, and what the states were told beside steps."""

    system: System
    pushed: list[tuple[float, page.Colleagues]]
    kept: list[Record] = field(factory=list)

    def agent(self, name: str) -> None:
        self.system.spawn(f"agent:{name}", Agent(agents.Profile(name, name.title(), ()), START))
        self.system.tell(f"agent:{name}", page.Attached(name))

    def ask(self, name: str, command: page.Command) -> None:
        assert self.system.offer(f"agent:{name}", page.Request(name, 1, PEER, command))

    def news(self) -> list[tuple[float, list[tuple[str, str]], tuple[str, ...]]]:
        """What the page that watches has heard since it was asked last."""
        heard, self.pushed[:] = list(self.pushed), []
        return [(at, [(each.agent, each.state.value) for each in event.changed], event.gone) for at, event in heard]


def play(story: Callable[[Scene], Awaitable[None]]) -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            clock = unix_clock(START)
            pushed: list[tuple[float, page.Colleagues]] = []
            kept: list[Record] = []

            class States(Unwritten):
                def add(self, record: Record) -> None:
                    kept.append(record)

            def push(effect: Effect) -> None:
                event = getattr(effect, "event", None)
                if isinstance(event, page.Colleagues):
                    pushed.append((round(clock() - START, 6), event))

            system = System(clock, nursery, States())
            system.connect(Hands(drop, drop, push, drop, drop, drop))
            system.spawn("directory", Directory())
            scene = Scene(system, pushed, kept)
            scene.agent("lin")
            nursery.start_soon(Standings(system).run)
            await trio.sleep(1)
            scene.ask("lin", page.WatchColleagues())
            await trio.sleep(1)
            await story(scene)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def drop(*effect: object) -> None:
    """Nobody asks for it here."""


def test_who_lives_already_is_told_and_who_changes() -> None:
    async def story(scene: Scene) -> None:
        assert scene.news() == [(1.0, [("lin", "signed_out")], ())]
        scene.agent("wei")
        await trio.sleep(1)
        assert scene.news() == [(2.0, [("wei", "signed_out")], ())]
        scene.ask("lin", page.SignIn(media="none"))
        await trio.sleep(1)
        assert scene.news() == [(3.0, [("lin", "idle")], ())]

    play(story)


def test_what_changes_within_a_moment_is_told_together_and_only_what_has_come_of_it() -> None:
    async def story(scene: Scene) -> None:
        scene.news()
        told: list[object] = []
        tell = scene.system.tell

        def listening(name: str, message: object, *, kept: bool = True) -> bool:
            if name == "directory":
                told.append(message)
            return tell(name, message, kept=kept)

        scene.system.tell = listening  # type: ignore[method-assign] # to hear what is said
        for state in ("idle", "break", "idle", "break"):
            scene.ask("lin", page.SignIn(media="none") if state == "idle" else page.SetState("break"))
            await trio.sleep(GATHER / 10)
        await trio.sleep(1)
        assert len(told) == 2
        (_, first, _), (_, last, _) = scene.news()
        assert (first, last) == ([("lin", "idle")], [("lin", "break")])

    play(story)


def test_what_colleagues_do_not_see_is_not_told() -> None:
    async def story(scene: Scene) -> None:
        scene.news()
        scene.ask("lin", page.GetSnapshot())
        scene.system.tell("agent:lin", page.Attached("another"))
        await trio.sleep(1)
        assert scene.news() == []

    play(story)


def test_one_that_comes_back_as_it_was_is_told_anew() -> None:
    async def story(scene: Scene) -> None:
        scene.agent("wei")
        await trio.sleep(1)
        scene.news()
        scene.system.end("agent:wei", "dismissed")
        scene.agent("wei")
        await trio.sleep(1)
        assert scene.news() == [(3.0, [], ("wei",)), (3.5, [("wei", "signed_out")], ())]

    play(story)


def test_the_next_process_is_not_told_what_it_sees() -> None:
    async def story(scene: Scene) -> None:
        assert not [each for each in scene.kept if isinstance(each, Told) and each.name == "directory"]

    play(story)
