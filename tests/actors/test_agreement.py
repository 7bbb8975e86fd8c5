"""What the engine says it has, and what it was told: by the model engine, over a link that takes its time."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Final

import pytest
from attrs import define, field
from cordboard.actors.agreement import ASKED, Agreement, Difference
from cordboard.actors.hearing import Hearing
from cordboard.switch import protocol as media
from cordboard.switch.holdings import PARTS, Kind, mark, part
from cordboard.switch.model import ModelEngine
from cordboard.switch.ports import LocalPort

PCMA: Final = media.Codec("pcma", 8)
PORT: Final = LocalPort("192.0.2.1", 20002)


@define
class Pair:
    """An engine and what it was told; commands and facts wait on the link until `arrive`."""

    engine: ModelEngine = field(
        factory=lambda: ModelEngine(
            ports=(PORT,), advertise=lambda index, peer: (PORT.address, PORT.port), now=0.0, capacity=512
        )
    )
    hearing: Hearing = field(factory=Hearing)
    agreement: Agreement = field(init=False)
    sent: deque[media.Command] = field(factory=deque)
    said: deque[media.Fact] = field(factory=deque)
    asked: int = 0
    ports: int = 4000

    def __attrs_post_init__(self) -> None:
        self.agreement = Agreement(self.hearing)

    def order(self, command: media.Command) -> None:
        """As the link does it."""
        match command:
            case media.OpenRtpLeg(leg=leg):
                self.hearing.open(Kind.LEG, leg)
            case media.OpenSource(source):
                self.hearing.open(Kind.SOURCE, source)
            case media.CloseLeg(name) | media.CloseSource(name):
                self.hearing.forget(name)
                self.hearing.close(name)
            case media.Rewire(hears):
                for one in hears:
                    self.hearing.tell(one)
            case _:
                pass
        self.sent.append(command)

    def leg(self, name: str) -> None:
        self.ports += 2
        self.order(media.OpenRtpLeg(name, "198.51.100.9", self.ports, PCMA))

    def hears(self, listener: str, *sources: str) -> None:
        self.order(media.Rewire((media.Hears(listener, tuple((each, 1.0) for each in sources)),)))

    def ping(self) -> None:
        self.order(self.agreement.ping())

    def arrive(self) -> None:
        """Everything that is on its way, and what follows from it."""
        while self.sent or self.said:
            while self.sent:
                self.carry_out()
            while self.said:
                self.hear()

    def carry_out(self) -> None:
        command = self.sent.popleft()
        self.asked += isinstance(command, media.ListHoldings)
        self.said += self.engine.command(command, 0.0)

    def hear(self) -> None:
        match self.said.popleft():
            case media.Pong() as pong:
                self.sent += self.agreement.hear(pong)
            case media.Holdings() as has:
                self.agreement.learn(has)
            case media.LegRefused(leg) | media.LegFailed(leg):
                self.agreement.lost()
                self.hearing.forget(leg)
                self.hearing.close(leg)
            case _:
                pass


def room(*names: str) -> Pair:
    """All hear each other."""
    pair = Pair()
    for name in names:
        pair.leg(name)
    for name in names:
        pair.hears(name, *(other for other in names if other != name))
    pair.ping()
    pair.arrive()
    assert pair.agreement.differences == ()
    return pair


def found(pair: Pair) -> tuple[Difference, ...]:
    pair.ping()
    pair.arrive()
    return pair.agreement.differences


def test_what_has_the_same_numbers_and_other_names_is_found_by_name() -> None:
    pair = room("a", "b", "c", "d")
    pair.engine.command(media.Rewire((media.Hears("a", (("b", 1.0), ("c", 1.0), ("a", 1.0))),)), 0.0)
    assert found(pair) == (Difference("a", "a", missing=False), Difference("a", "d", missing=True))
    pair.engine.command(media.CloseLeg("a"), 0.0)
    pair.engine.command(media.OpenRtpLeg("x", "198.51.100.9", 5000, PCMA), 0.0)
    found(pair)  # five parts differ: more than are asked for at a time
    assert set(found(pair)) == {Difference("a", "", missing=True), Difference("x", "", missing=False)}


def test_two_who_hear_each_others_callers_are_found() -> None:
    """As many edges, of the same listeners and the same sources: only who hears whom is another."""
    pair = Pair()
    for name in ("agent 1", "agent 2", "caller 1", "caller 2"):
        pair.leg(name)
    pair.hears("agent 1", "caller 1")
    pair.hears("agent 2", "caller 2")
    assert found(pair) == ()
    crossed = (media.Hears("agent 1", (("caller 2", 1.0),)), media.Hears("agent 2", (("caller 1", 1.0),)))
    pair.engine.command(media.Rewire(crossed), 0.0)
    assert len(found(pair)) == 4


def test_what_was_mended_is_over_with_the_next_answer() -> None:
    pair = room("a", "b")
    pair.engine.command(media.Rewire((media.Hears("a", ()),)), 0.0)
    assert found(pair) == (Difference("a", "b", missing=True),)
    pair.hears("a", "b")
    assert found(pair) == ()


def test_names_are_asked_for_once_and_again_where_a_side_has_changed() -> None:
    pair = room("a", "b")
    pair.engine.command(media.Rewire((media.Hears("a", ()),)), 0.0)
    for _ in range(5):
        assert len(found(pair)) == 1
    assert pair.asked == 1
    pair.engine.command(media.CloseLeg("b"), 0.0)
    assert Difference("b", "", missing=True) in found(pair)
    assert pair.asked > 1


def test_of_an_engine_that_has_lost_all_some_parts_are_asked_for_at_a_time() -> None:
    names = [f"leg{number}" for number in range(200)]
    pair = Pair()
    for name in names:
        pair.leg(name)
    assert found(pair) == ()
    for name in names:
        pair.engine.command(media.CloseLeg(name), 0.0)
    told = list[str]()
    while len(told) < len(names):
        before, _ = pair.asked, found(pair)
        assert 0 < pair.asked - before <= ASKED
        told = [each.name for each in pair.agreement.differences]
    assert sorted(told) == sorted(names)
    assert pair.asked <= PARTS


def test_what_was_never_told_is_asked_for_before_what_changes_all_the_time() -> None:
    """Where much is wrong and as much goes on, each part is another at each answer."""
    names = dict[int, list[str]]()
    for name in (f"leg{number}" for number in range(2000)):
        names.setdefault(part(mark(Kind.LEG, name)), []).append(name)
    pair, lost = Pair(), [names[number][0] for number in range(PARTS)]
    for name in lost:
        pair.leg(name)
    assert found(pair) == ()
    for name in lost:
        pair.engine.command(media.CloseLeg(name), 0.0)
    for answer in range(PARTS // ASKED):
        for number in range(PARTS):
            pair.order(media.CloseLeg(names[number][1 + answer % 2]))
            pair.leg(names[number][2 - answer % 2])
        found(pair)
    assert {each.name for each in pair.agreement.differences} == set(lost)


def test_who_is_told_to_hear_somebody_with_no_gain_hears_nobody() -> None:
    """Whatever opens and closes meanwhile."""
    pair = Pair()
    for name in ("a", "b"):
        pair.leg(name)
    pair.order(media.Rewire((media.Hears("a", (("b", 0.0),)),)))
    assert found(pair) == ()
    pair.order(media.CloseLeg("b"))
    pair.leg("b")
    assert found(pair) == ()
    assert pair.hearing.sums == pair.engine.sums()


def test_nothing_is_said_of_a_leg_that_was_lost_meanwhile() -> None:
    """It is closed here and fails there, and a ping is under way: the answer is of neither before nor after."""
    pair = room("a", "b")
    pair.ping()
    pair.said += pair.engine.fail("a", "consent gone", 0.0)
    pair.order(media.CloseLeg("a"))
    pair.arrive()
    assert pair.asked == 0
    assert found(pair) == ()


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_on_its_way_nothing_differs(seed: int) -> None:
    """Legs open and close, fail and are refused, and hear now these and now those, faster than the link; each turn may
    ping. In the end both sides have the same, and what is done there alone is found."""
    rng, pair, serial = Random(seed), Pair(), 0
    for _ in range(400):
        legs = sorted(name for kind, name in (row for part in range(PARTS) for row in pair.hearing.part(part).rows))
        match rng.randrange(8):
            case 0 | 1:
                serial += 1
                pair.leg(f"leg{serial}")
            case 2 if legs:
                pair.order(media.CloseLeg(rng.choice(legs)))
            case 3 | 4 if legs:
                pair.hears(rng.choice(legs), *rng.sample(legs, rng.randrange(min(len(legs), 5))))
            case 5 if legs and pair.engine.legs:
                pair.said += pair.engine.fail(rng.choice(pair.engine.legs), "consent gone", 0.0)
            case 6:
                serial += 1  # refused: another leg has that far side and the only port
                pair.hearing.open(Kind.LEG, f"leg{serial}")
                pair.sent.append(media.OpenRtpLeg(f"leg{serial}", "198.51.100.9", 0, media.Codec("pcma", 200)))
            case _:
                pair.ping()
        for _ in range(rng.randrange(3)):
            if pair.sent and rng.random() < 0.7:
                pair.carry_out()
            elif pair.said:
                pair.hear()
        assert pair.agreement.differences == ()
    pair.arrive()
    assert found(pair) == ()
    assert pair.hearing.sums == pair.engine.sums()
    pair.engine.command(media.OpenSource("tone", media.Tone(440.0)), 0.0)
    assert found(pair) == (Difference("tone", "", missing=False),)
