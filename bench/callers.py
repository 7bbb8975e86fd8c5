"""Customers for hours: a seeded mixture of those who talk long or briefly, hang up while it rings, or vanish.

A shell around the demonstration's `Customer`. All share one SIP endpoint, but for those who vanish: they have one of
their own, which is gone from one moment to the next with their media, so that nothing answers what the switch sends.
"""

from __future__ import annotations

import random
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from attrs import define, field, frozen

from ..sip.endpoint import Endpoint, Settings, TrunkSettings
from ..sip.events import Output
from ..sip.transport import SipTransport, serve
from .customer import LOOPBACK, PEOPLE, Customer, Manners, Report, Target, speech

# Reached by the organisation of the soak.
QUEUES = ("5001", "5002")
TESTS = ("600", "601", "602", "701", "702")
NOBODY = ("4999",)


@frozen
class Kind:
    """A sort of caller. `share` is its weight; `vanishes` the range of seconds after which it is gone, if it is."""

    name: str
    share: float
    numbers: tuple[str, ...]
    manners: Manners
    vanishes: tuple[float, float] | None = None
    refused: bool = False


KINDS = (
    Kind("short", 34, QUEUES, Manners((20.0, 40.0), enough=2.0)),
    Kind("long", 18, QUEUES, Manners((40.0, 60.0), enough=15.0)),
    Kind("impatient", 24, QUEUES, Manners((0.1, 4.0), enough=15.0)),
    Kind("testing", 14, TESTS, Manners((1.0, 6.0))),
    Kind("vanishing", 6, QUEUES, Manners((30.0, 60.0)), vanishes=(0.3, 12.0)),
    Kind("wrong", 4, NOBODY, Manners((5.0, 5.0)), refused=True),
)


@define
class Ledger:
    """What became of the calls, by outcome, and why those failed that should not have."""

    made: int = 0
    answered: int = 0
    failed: Counter[str] = field(factory=Counter)
    ended_by: Counter[str] = field(factory=Counter)
    kinds: Counter[str] = field(factory=Counter)

    def note(self, kind: Kind, report: Report) -> None:
        answered = report.answered_after is not None
        self.answered += answered
        self.ended_by[report.ended_by] += 1
        if not answered and report.ended_by == "switch" and not kind.refused:
            self.failed[report.why] += 1
        elif answered and kind.refused:
            self.failed["answered, where nobody is"] += 1


class Crowd:
    """Calls come at `per_minute` by chance, at most `most` at once. `stop` lets no more come; those there stay."""

    def __init__(self, target: tuple[str, int], rng: random.Random, per_minute: float, most: int) -> None:
        self.ledger = Ledger()
        self.live = 0
        # Nobody vanishes from here on, so that the switch has time to find out who did.
        self.vanishing = True
        self._target = target
        self._rng = rng
        self._wait = 60.0 / per_minute
        self._most = most
        self._coming = trio.CancelScope()
        self._calls = trio.CancelScope()

    def stop(self) -> None:
        self._coming.cancel()

    def hang_up(self) -> None:
        """Everybody, at once."""
        self._calls.cancel()

    async def run(self) -> None:
        """Until `stop`, and then until the last has hung up."""
        for language in sorted({person.language for person in PEOPLE}):
            await trio.to_thread.run_sync(speech, language)
        async with _telephones(self._target[0]) as (transport, customers):
            with self._calls:
                async with trio.open_nursery() as calls:
                    with self._coming:
                        while True:
                            if self.live < self._most:
                                calls.start_soon(self._call, self._draw(), transport, customers)
                            await trio.sleep(self._rng.expovariate(1.0) * self._wait)

    def _draw(self) -> Kind:
        kinds = [kind for kind in KINDS if self.vanishing or kind.vanishes is None]
        return self._rng.choices(kinds, [kind.share for kind in kinds])[0]

    async def _call(self, kind: Kind, transport: SipTransport, customers: dict[str, Customer]) -> None:
        self.live += 1
        self.ledger.made += 1
        self.ledger.kinds[kind.name] += 1
        try:
            if kind.vanishes is None:
                report = await self._live(kind, transport, customers)
            else:
                async with _telephones(self._target[0]) as own:
                    report = await self._live(kind, *own)
            self.ledger.note(kind, report)
        finally:
            self.live -= 1

    async def _live(self, kind: Kind, transport: SipTransport, customers: dict[str, Customer]) -> Report:
        target = Target(*self._target, self._rng.choice(kind.numbers))
        customer = Customer(transport, target, self._rng.choice(PEOPLE), kind.manners, self._rng)
        customers[customer.call] = customer
        try:
            async with trio.open_nursery() as nursery:
                if kind.vanishes is not None:
                    nursery.start_soon(_vanish, customer, self._rng.uniform(*kind.vanishes))
                report = await customer.live()
                nursery.cancel_scope.cancel()
            return report
        finally:
            del customers[customer.call]


async def _vanish(customer: Customer, seconds: float) -> None:
    await trio.sleep(seconds)
    customer.vanish()


@asynccontextmanager
async def _telephones(switch: str) -> AsyncIterator[tuple[SipTransport, dict[str, Customer]]]:
    """A SIP endpoint, and its customers by their calls."""
    customers: dict[str, Customer] = {}

    def route(output: Output) -> None:
        customer = customers.get(getattr(output, "call", ""))
        if customer is not None:
            customer.tell(output)

    async with trio.open_nursery() as nursery:
        endpoint = Endpoint(
            Settings(lambda host: (LOOPBACK, transport.addresses[0].port), user_agent="Cordboard soak"),
            lambda: secrets.token_hex(16),
        )
        endpoint.set_trunks({"switch": TrunkSettings((switch,))})
        transport: SipTransport = await nursery.start(serve, endpoint, [(LOOPBACK, 0)], route)
        yield transport, customers
        nursery.cancel_scope.cancel()
