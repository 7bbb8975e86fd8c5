"""Watches of the runtime: told once, and nothing of them is left behind."""

from __future__ import annotations

import math

import trio
import trio.testing
from attrs import define, field
from cordboard.actors.effects import Down, Effect, Record, Stop, Unwatch, Watch
from cordboard.actors.runtime import Hands, System, unix_clock


@define
class Heard:
    """An actor that does what it is told and remembers who went down."""

    state: tuple[Down, ...] = field(default=())

    def receive(self, message: object, now: float) -> list[Effect]:
        match message:
            case Down():
                self.state = (*self.state, message)
            case Watch() | Unwatch() | Stop():
                return [message]
        return []

    def deadline(self) -> float:
        return math.inf

    def wake(self, now: float) -> list[Effect]:
        return []

    def will(self, reason: str, now: float) -> list[Record]:
        return []


def nothing(*said: object) -> None:
    raise AssertionError(said)


def test_a_watch_ends_with_either_side() -> None:
    async def story() -> None:
        async with trio.open_nursery() as nursery:
            system = System(unix_clock(0.0), nursery)
            system.connect(Hands(nothing, nothing, nothing, nothing, nothing, nothing))
            queue = Heard()
            system.spawn("queue", queue)
            for number in range(100):
                call = Heard()
                system.spawn(f"call:{number}", call)
                system.tell("queue", Watch(f"call:{number}"))
                system.tell("queue", Watch(f"call:{number}"))
                system.tell(f"call:{number}", Watch("queue"))
                await trio.testing.wait_all_tasks_blocked()
                system.tell(f"call:{number}", Stop("over"))
                await trio.testing.wait_all_tasks_blocked()
            assert [down.name for down in queue.state] == [f"call:{number}" for number in range(100)]
            cell = system._cells["queue"]
            assert (cell.watchers, cell.watched) == ({}, {})
            system.spawn("call:last", last := Heard())
            system.tell("call:last", Watch("queue"))
            system.tell("call:last", Watch("nobody"))
            await trio.testing.wait_all_tasks_blocked()
            system.tell("queue", Stop("gone"))
            await trio.testing.wait_all_tasks_blocked()
            assert last.state == (Down("nobody", "not alive"), Down("queue", "gone"))
            assert system._cells["call:last"].watched == {}
            system.stop()

    trio.run(story, clock=trio.testing.MockClock(autojump_threshold=0))


def test_who_watches_no_more_hears_nothing_and_may_watch_again() -> None:
    async def story() -> None:
        async with trio.open_nursery() as nursery:
            system = System(unix_clock(0.0), nursery)
            system.connect(Hands(nothing, nothing, nothing, nothing, nothing, nothing))
            system.spawn("queue", queue := Heard())
            for name in ("left", "back"):
                system.spawn(name, Heard())
                for watch in (Watch(name), Unwatch(name), Unwatch(name), Unwatch("nobody")):
                    system.tell("queue", watch)
            system.tell("queue", Watch("back"))
            await trio.testing.wait_all_tasks_blocked()
            assert (system._cells["left"].watchers, list(system._cells["queue"].watched)) == ({}, ["back"])
            for name in ("left", "back"):
                system.tell(name, Stop("over"))
            await trio.testing.wait_all_tasks_blocked()
            assert queue.state == (Down("back", "over"),)
            system.stop()

    trio.run(story, clock=trio.testing.MockClock(autojump_threshold=0))
