"""The link to an engine that lives on while it is lost."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

import trio
import trio.testing
from cordboard.actors.effects import Effect, Media, Record
from cordboard.actors.medialink import MediaLink
from cordboard.actors.runtime import System
from cordboard.switch import protocol as media
from cordboard.switch.model import ModelEngine
from cordboard.switch.ports import LocalPort

PCMU = media.Codec("pcmu", 0)


class Owner:
    """An actor that only listens."""

    def __init__(self) -> None:
        self.state: object = None
        self.heard: list[object] = []

    def receive(self, message: object, now: float) -> list[Effect]:
        self.heard.append(message)
        return []

    def deadline(self) -> float:
        return math.inf

    def wake(self, now: float) -> list[Effect]:
        return []

    def will(self, reason: str, now: float) -> list[Record]:
        return []


class Story:
    """A link, one actor that owns its legs, and an engine that can be reached or not."""

    def __init__(self, system: System) -> None:
        self.link = MediaLink(system)
        self.owner = Owner()
        self.engine = ModelEngine(
            ports=(LocalPort("192.0.2.1", 20002),),
            advertise=lambda index, peer: ("192.0.2.1", 20002),
            now=0.0,
        )
        system.spawn("call:1", self.owner)

    def up(self) -> None:
        self.link.connect(self.send)
        self.link.on_fact(self.engine.started("epoch", 7))

    def send(self, command: media.Command) -> None:
        for fact in self.engine.command(command, 0.0):
            self.link.on_fact(fact)

    def do(self, *commands: media.Command) -> None:
        for command in commands:
            self.link.perform("call:1", Media(command))


def story(tell: Callable[[Story], Awaitable[None]]) -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await tell(Story(System(trio.current_time, nursery)))
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def opened(leg: str, port: int) -> media.OpenRtpLeg:
    return media.OpenRtpLeg(leg, "198.51.100.7", port, PCMU)


def test_what_was_rewired_while_the_link_was_lost_counts_when_it_is_back() -> None:
    async def tell(one: Story) -> None:
        one.up()
        one.do(opened("a", 4000), opened("b", 4002), opened("c", 4004))
        one.do(media.Rewire((media.Hears("a", (("b", 1.0),)), media.Hears("b", (("a", 1.0),)))))
        one.link.connect(None)
        one.do(media.Rewire((media.Hears("a"), media.Hears("b", (("c", 1.0),)))), media.CloseLeg("c"))
        assert one.engine.hears("a") == {"b": 1.0}
        one.up()
        assert one.engine.legs == ("a", "b")
        assert one.engine.hears("a") == {}
        assert one.engine.hears("b") == {}

    story(tell)


def test_an_update_whose_answer_was_lost_with_the_link_is_asked_again() -> None:
    async def tell(one: Story) -> None:
        one.up()
        one.do(opened("a", 4000))
        one.link.connect(lambda command: None)  # it takes what is written and answers no more
        one.do(media.UpdateRtpLeg("a", "198.51.100.7", 4002, PCMU))
        one.link.connect(None)
        one.do(media.UpdateRtpLeg("a", "198.51.100.7", 4004, PCMU))
        await trio.testing.wait_all_tasks_blocked()
        assert len(one.owner.heard) == 2  # that it began, and the first opening
        one.up()
        await trio.testing.wait_all_tasks_blocked()
        assert one.owner.heard[2:] == [media.LegOpened("a", "192.0.2.1", 20002)]
        one.do(media.UpdateRtpLeg("nobody's", "198.51.100.7", 4002, PCMU))
        assert one.link.legs == 1

    story(tell)
