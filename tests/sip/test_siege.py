"""Calls beside a flood of mutated messages: nothing of theirs is another than without it, and nothing of it is left."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Final

import pytest
from attrs import evolve
from cordboard.sip.events import IncomingCall, Output, Transmit
from cordboard.sip.message import Address

from . import net as n
from .mutation import Mutator
from .torture import messages

# A trunk's other machine, which attacks; and nobody's.
ATTACKER: Final = Address("192.0.2.66", 5060)
STRANGER: Final = Address("203.0.113.1", 5060)
# Messages of the flood in a virtual second: what a trunk of this size sends in a busy one.
RATE: Final = 400
# A call begins so often, in seconds, and lasts as long.
EVERY: Final = 2.0


def answer_each_other(peer: n.Peer, output: Output, now: float) -> list[Output]:
    """An application that answers the calls of the other, and declines those of the flood."""
    if isinstance(output, IncomingCall) and output.peer not in (n.A.host, n.B.host):
        return peer.endpoint.reject(output.call, 486, now)
    return n.answering(peer, output, now)


class Between(n.Net):
    """Tells of what A and B say to each other; what goes elsewhere is gone."""

    def _send(self, peer: n.Peer, output: Transmit) -> None:
        if output.destination in self.peers:
            super()._send(peer, output)


class World:
    """B calls A, again and again, over UDP."""

    def __init__(self) -> None:
        self.net = Between(Random(1))
        self.a, self.b = self.net.add(n.A), self.net.add(n.B)
        self.a.react = self.b.react = answer_each_other
        self._calls = 0

    def run(self, until: float) -> None:
        while self._calls * EVERY < until:
            self.net.run(self._calls * EVERY)
            if self._calls:
                self.net.do(self.b, self.b.endpoint.hang_up(f"c{self._calls - 1}", self.net.now))
            n.dial(self.net, self.b, self.a, f"c{self._calls}")
            self._calls += 1
        self.net.run(until)

    def finish(self) -> None:
        self.net.do(self.b, self.b.endpoint.hang_up(f"c{self._calls - 1}", self.net.now))
        self.net.run(self.net.now + 300)

    def of_the_calls(self) -> tuple[list[tuple[float, Address, str]], list[str]]:
        """All that went between the two, and all that B heard."""
        heard = (event for event in self.b.events if getattr(event, "call", "").startswith("c"))
        return self.net.log, [type(event).__name__ for event in heard]


def corpus() -> tuple[bytes, ...]:
    """The torture messages, and all that two endpoints say to each other."""
    net, a, b = n.pair()
    b.react = n.answering
    n.dial(net, a, b)
    net.run(1)
    net.do(a, a.endpoint.hang_up("out", net.now))
    net.run(2)
    net.do(a, a.endpoint.dial("again", f"sip:600@{n.B.host}", n.B, "1001", n.OFFER_A, net.now))
    net.do(a, a.endpoint.hang_up("again", net.now))
    net.run(3)
    said = {data for _, data in net.sent}
    return (*messages("rfc4475").values(), *messages("rfc5118").values(), *sorted(said))


def besiege(number: int, seed: int) -> Counter[str]:
    alone, besieged = World(), World()
    mutator = Mutator(Random(seed), corpus())
    sources = (ATTACKER, ATTACKER, ATTACKER, evolve(ATTACKER, transport="tcp"), STRANGER)
    sides = (besieged.a, besieged.b)
    for sent in range(number):
        besieged.run(sent / RATE)
        side = sides[sent % 2]
        outputs = side.endpoint.receive(mutator.message(), sources[sent % len(sources)], besieged.net.now)
        besieged.net.do(side, outputs)
    for world in (alone, besieged):
        world.run(number / RATE)
        world.finish()
    for side in sides:
        assert side.endpoint.live_calls == side.endpoint.transactions == 0
        assert side.endpoint.idle
    assert besieged.of_the_calls() == alone.of_the_calls()
    return besieged.a.endpoint.counters + besieged.b.endpoint.counters


def test_calls_beside_a_flood_of_mutated_messages() -> None:
    counters = besiege(5000, seed=4475)
    # the flood is of every kind: what nobody can read, what is refused, and what is taken for a call
    assert counters["malformed"] > 500
    assert min(counters["stranger INVITE"], counters["received INVITE"], counters["refused 405"]) > 100
    assert min(counters["refused 481"], counters["refused 400"], counters["late: response of no transaction"]) > 40


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(10))
def test_calls_beside_a_million_mutated_messages(seed: int) -> None:
    besiege(100_000, seed)


def test_a_contact_without_a_value_is_none() -> None:
    """Found by the flood: it broke the endpoint."""
    net, a, _ = n.pair()
    n.dial(net, a, net.peers[n.B])
    invite = net.sent[0][1].replace(f"Contact: <sip:1001@{n.A}>".encode(), b"Contact:")
    (answer,) = (each for each in n.endpoint(n.B).receive(invite, n.A, 0.0) if isinstance(each, Transmit))
    assert answer.data.startswith(b"SIP/2.0 400 ")
