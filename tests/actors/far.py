"""Who stands around a centre on a virtual clock: ends of SIP, customers behind them, pages that do as a story says."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Set
from typing import TYPE_CHECKING

import trio
from attrs import define, field
from cordboard.actors import page
from cordboard.actors.wire import Wire
from cordboard.sip.endpoint import Endpoint, Settings, TrunkSettings
from cordboard.sip.events import CallAnswered, CallCancelled, CallEnded, CallFailed, Output, Transmit
from cordboard.sip.message import Address
from cordboard.sip.sdp import SessionDescription

from .house import PEER

if TYPE_CHECKING:
    from .world import World


class Overheard(Endpoint):
    """One that does not hear all: of calls that are `elsewhere` it is said that their far sides make offers, in ways
    that nobody here speaks. What is answered to those goes nowhere."""

    elsewhere: Set[str] = frozenset()

    def reanswer(self, call: str, sdp: SessionDescription, now: float) -> list[Output]:
        return [] if call in self.elsewhere else super().reanswer(call, sdp, now)

    def reject_reoffer(self, call: str, status: int, now: float) -> list[Output]:
        return [] if call in self.elsewhere else super().reject_reoffer(call, status, now)


class SipHost:
    """An endpoint on the network: its timers, and where its outputs go."""

    def __init__(self, world: World, address: Address, trunks: dict[str, TrunkSettings], mark: str) -> None:
        self.address = address
        self._serial = itertools.count()
        self._trunks, self._mark = trunks, mark
        # Calls of which an offer is said that was not heard: who comes after this endpoint does not hear it either.
        self.elsewhere: set[str] = set()
        self.endpoint = self._new()
        self.on_output: Callable[[Output], None] = lambda output: None
        self.before: Callable[[], None] = lambda: None
        self.tap: Wire | None = None
        # There is no process: what comes is lost.
        self.deaf = False
        self._world = world
        self._wakes_at = math.inf

    def _new(self) -> Endpoint:
        settings = Settings(lambda remote: (self.address.host, self.address.port))
        made = Overheard(settings, token=lambda: f"{self._mark}{next(self._serial):016x}", changed=set())
        made.elsewhere = self.elsewhere
        made.set_trunks(self._trunks)
        return made

    def renew(self) -> None:
        """Another endpoint in its place, that knows of no call."""
        self.endpoint = self._new()

    def perform(self, outputs: list[Output]) -> None:
        self.before()
        for output in outputs:
            if isinstance(output, Transmit):
                self._world.carry(self.address, output)
                if self.tap is not None:
                    self.tap.sent(output.data, output.destination, self._world.now())
            else:
                self.on_output(output)
        self._wait()

    def receive(self, data: bytes, source: Address) -> None:
        if not self.deaf:
            outputs = self.endpoint.receive(data, source, self._world.now())
            if self.tap is not None:
                self.tap.received(data, source, self._world.now(), outputs)
            self.perform(outputs)

    def _wait(self) -> None:
        """For its next timer."""
        when = self.endpoint.deadline()
        if when < self._wakes_at:
            self._wakes_at = when
            self._world.later(when - self._world.now(), lambda: self._wake(when))

    def _wake(self, when: float) -> None:
        if when != self._wakes_at:
            return
        self._wakes_at = math.inf
        if self.endpoint.deadline() <= self._world.now():
            self.perform(self.endpoint.wake(self._world.now()))
        else:
            self._wait()


@define(eq=False)
class Caller:
    """One call of a customer, and what its telephone showed: (time, output)."""

    world: World
    call: str
    dialled_at: float
    shown: list[tuple[float, Output]] = field(factory=list)
    on_answer: Callable[[], None] = lambda: None
    over: trio.Event = field(factory=trio.Event)
    answered: trio.Event = field(factory=trio.Event)

    def hang_up(self) -> None:
        """CANCEL or BYE, as it stands."""
        if not self.over.is_set():
            self.over.set()
            carrier = self.world.carrier
            carrier.perform(carrier.endpoint.hang_up(self.call, self.world.now()))

    def show(self, output: Output) -> None:
        self.shown.append((self.world.now(), output))
        match output:
            case CallAnswered():
                self.answered.set()
                self.on_answer()
            case CallFailed() | CallEnded() | CallCancelled():
                self.over.set()
            case _:
                pass

    @property
    def last(self) -> Output:
        return self.shown[-1][1]


@define(eq=False)
class Robot:
    """A page of an agent: asks, and hears (time, event)."""

    world: World
    agent: str
    session: str
    heard: list[tuple[float, page.Event]] = field(factory=list)
    on_event: Callable[[page.Event], None] = lambda event: None
    _asked: dict[int, tuple[page.Command, trio.Event]] = field(factory=dict)
    _replies: dict[int, page.Accepted | page.Refused | page.Snapshot] = field(factory=dict)
    _serial: itertools.count[int] = field(factory=itertools.count)
    _read: int = 0

    def tell(self, message: object) -> None:
        self.world.system.offer(f"agent:{self.agent}", message)

    def click(self, command: page.Command) -> int:
        """Asks, and does not wait."""
        number = next(self._serial)
        self._asked[number] = command, trio.Event()
        self.tell(page.Request(self.session, number, PEER, command))
        return number

    async def ask(self, command: page.Command) -> page.Accepted | page.Refused | page.Snapshot:
        number = self.click(command)
        await self._asked[number][1].wait()
        return self._replies[number]

    def reply(self, number: int, result: page.Accepted | page.Refused | page.Snapshot) -> None:
        assert number not in self._replies, "a request has one reply"
        command, answered = self._asked[number]
        if isinstance(result, page.Refused):
            assert result.code in command.refusals, (command, result.code)
        self._replies[number] = result
        answered.set()

    def last_reply(self) -> tuple[page.Command, page.Accepted | page.Refused | page.Snapshot]:
        """... and to what."""
        number = max(self._replies)
        return self._asked[number][0], self._replies[number]

    def unanswered(self) -> list[int]:
        return [number for number in self._asked if number not in self._replies]

    async def hears(self, kind: type[page.Event]) -> page.Event:
        """The next event of that kind; those before it are taken as read."""
        while True:
            for _, event in self.heard[self._read :]:
                self._read += 1
                if isinstance(event, kind):
                    return event
            await self.world.something()

    def last(self, kind: type[page.Event]) -> page.Event:
        return next(event for _, event in reversed(self.heard) if isinstance(event, kind))

    def close(self) -> None:
        """The websocket is gone."""
        del self.world.pages[self.session]
        self.tell(page.Detached(self.session))
