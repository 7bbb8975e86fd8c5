"""What a queue believes of an agent: belief by belief, and input by input."""

from __future__ import annotations

from enum import Enum
from typing import get_args

import attrs
import pytest
from cordboard.actors import acd
from cordboard.actors import agent_state as agents
from cordboard.actors import queue_state as queues
from cordboard.actors.effects import Down, Effect, Log, Tell
from cordboard.actors.patience import PATIENCE
from cordboard.actors.queue import Queue
from cordboard.actors.queue_agents import BELIEFS
from cordboard.actors.queue_state import OFFER_GRACE, Belief, GaveBack
from cordboard.actors.table import Bug, ImpossibleInputError, Late

from .house import NOW

RING = 30.0


def standing(doing: acd.Doing) -> queues.Standing:
    return queues.Standing(doing, acd.Free("lin", 1, 0, NOW), follows=False)


def says(doing: acd.Doing) -> queues.AgentStands:
    return queues.AgentStands("lin", standing(doing))


def joins(call: str = "c") -> queues.Join:
    return queues.Join(call, "", "", "", NOW)


def over(how: GaveBack, serial: int = 1) -> queues.OfferOver:
    return queues.OfferOver("c", "lin", how, serial)


# What is told to a queue with the call `c`, until it believes that of `lin`.
WAYS: dict[Belief, tuple[object, ...]] = {
    Belief.UNKNOWN: (joins(),),
    Belief.SAID: (says("break"), joins()),
    Belief.RINGS: (says("free"), joins()),
    Belief.RINGS_FREE: (says("free"), joins(), says("free")),
    Belief.TALKS: (joins("earlier"), says("free"), queues.Leave("earlier"), joins(), queues.Taken("c", "lin")),
    Belief.REFUSED: (says("free"), joins(), over(GaveBack.REFUSED)),
}


def believing(belief: Belief) -> Queue:
    made = Queue(queues.Profile("support", "Support", ring_seconds=RING))
    for message in WAYS[belief]:
        made.receive(message, NOW)
    return made


def believed(queue: Queue) -> tuple[Belief, str]:
    standing = queue.state.agents.get("lin")
    return (Belief.UNKNOWN, "") if standing is None else (standing.belief, standing.doing)


DOES = {
    Belief.UNKNOWN: "",
    Belief.SAID: "break",
    Belief.RINGS: "ringing",
    Belief.RINGS_FREE: "ringing",
    Belief.TALKS: "talking",
    Belief.REFUSED: "refused",
}


@pytest.mark.parametrize("belief", Belief)
def test_each_belief_is_come_to_by_what_a_queue_hears(belief: Belief) -> None:
    assert believed(believing(belief)) == (belief, DOES[belief])


INPUTS: list[object] = [
    queues.Says("lin", standing("talking")),
    queues.Offered("lin"),
    queues.OfferEnded("lin", GaveBack.DECLINED),
    queues.Answered("lin"),
]


@pytest.mark.parametrize("what", INPUTS, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("belief", Belief)
def test_every_pair_does_what_its_row_says(belief: Enum, what: object) -> None:
    entry = next(each for state, kind, each in BELIEFS.pairs() if (state, kind) == (belief, type(what)))
    assert isinstance(belief, Belief)
    queue = believing(belief)
    before = queue.state
    if isinstance(entry, Bug):
        with pytest.raises(ImpossibleInputError, match=entry.why):
            BELIEFS.take(queue, belief, what, NOW + 1)
        assert queue.state is before
        return
    effects = BELIEFS.take(queue, belief, what, NOW + 1)
    if isinstance(entry, Late):
        assert effects == [
            Log("late", (("input", type(what).__name__), ("state", belief.value), ("why", entry.why)), "debug")
        ]
        assert queue.state is before
    else:
        assert all(isinstance(effect, get_args(Effect)) for effect in effects)


def test_the_table_has_no_other_inputs() -> None:
    assert set(BELIEFS.messages) == {type(each) for each in INPUTS}


@pytest.mark.parametrize("belief", Belief)
@pytest.mark.parametrize("doing", ["signed_out", "break", "ringing", "talking", "unreachable"])
def test_what_an_agent_says_counts_whatever_was_believed(belief: Belief, doing: acd.Doing) -> None:
    queue = believing(belief)
    queue.receive(says(doing), NOW + 1)
    assert believed(queue) == (Belief.SAID, doing)


def test_who_says_that_it_is_free_while_it_rings_is_free_when_the_offer_is_over() -> None:
    for how in (GaveBack.DECLINED, GaveBack.RETURNED, GaveBack.MISSED):
        queue = believing(Belief.RINGS_FREE)
        assert not queue.receive(says("free"), NOW + 1)
        assert believed(queue) == (Belief.RINGS_FREE, "ringing"), "it is not offered a call twice"
        queue.receive(over(how), NOW + 1)
        rests = how is GaveBack.DECLINED
        assert believed(queue) == ((Belief.SAID, "free") if rests else (Belief.RINGS, "ringing")), (
            "nobody else is there"
        )


def test_who_rang_and_says_nothing_of_itself_is_not_taken_for_free() -> None:
    for how in (GaveBack.DECLINED, GaveBack.RETURNED, GaveBack.MISSED):
        queue = believing(Belief.RINGS)
        queue.receive(over(how), NOW + 1)
        assert believed(queue) == (Belief.RINGS, "ringing")
        queue.receive(says("after_call_work"), NOW + 1)
        assert believed(queue) == (Belief.SAID, "after_call_work")


@pytest.mark.parametrize("belief", [Belief.RINGS, Belief.RINGS_FREE])
def test_who_refuses_was_not_free_and_is_asked_no_more_until_it_says_so(belief: Belief) -> None:
    queue = believing(belief)
    queue.receive(over(GaveBack.REFUSED), NOW + 1)
    assert believed(queue) == (Belief.REFUSED, "refused")
    assert not [each for each in queue.receive(joins("d"), NOW + 2) if isinstance(each, Tell) and "agent" in each.to]
    offered = queue.receive(says("free"), NOW + 3)
    assert [each.message.call for each in offered if isinstance(each, Tell) and isinstance(each.message, agents.Offer)]
    assert believed(queue) == (Belief.RINGS, "ringing")


def test_who_has_said_what_it_does_before_it_refuses_does_that() -> None:
    """Another queue was quicker."""
    queue = believing(Belief.RINGS)
    queue.receive(says("ringing"), NOW + 1)
    queue.receive(over(GaveBack.REFUSED), NOW + 1)
    assert believed(queue) == (Belief.SAID, "ringing")


@pytest.mark.parametrize("belief", [Belief.RINGS, Belief.RINGS_FREE])
def test_who_never_says_anything_to_an_offer_is_as_free_as_before(belief: Belief) -> None:
    """... and rests, since the offer may have been lost on its way to it."""
    queue = believing(belief)
    told = queue.receive(queues.Timeout(), NOW + RING + OFFER_GRACE)
    assert Tell("agent:lin", agents.Withdraw("c", "no_answer")) in told
    assert believed(queue) == (Belief.SAID, "free")
    queue.receive(queues.Timeout(), NOW + RING + OFFER_GRACE + PATIENCE.declined)
    assert believed(queue) == (Belief.RINGS, "ringing")


def test_whose_answer_counts_talks_and_has_taken_one_more() -> None:
    queue = believing(Belief.RINGS)
    queue.receive(queues.Taken("c", "lin", 1), NOW + 1)
    assert believed(queue) == (Belief.TALKS, "talking")
    assert queue.state.agents["lin"].who.calls == 1


def test_who_talks_by_an_earlier_answer_talks_on_when_its_offer_is_over() -> None:
    queue = believing(Belief.RINGS)
    queue.receive(joins("d"), NOW)
    queue.receive(queues.Taken("d", "lin"), NOW + 1)
    assert (believed(queue), list(queue.state.calls["c"].rung)) == ((Belief.TALKS, "talking"), ["lin"])
    for how in GaveBack:
        late = attrs.evolve(queue.state, calls=queue.state.calls)
        queue.receive(over(how), NOW + 1)
        assert (believed(queue), list(queue.state.calls["c"].rung)) == ((Belief.TALKS, "talking"), [])
        queue.state = late


def test_of_an_agent_that_is_gone_nothing_is_believed_and_what_comes_of_it_is_late() -> None:
    for gone in (queues.AgentStands("lin", None), Down("agent:lin", "crashed")):
        queue = believing(Belief.RINGS)
        queue.receive(gone, NOW + 1)
        assert believed(queue) == (Belief.UNKNOWN, "")
        said = queue.receive(queues.Taken("c", "lin", 1), NOW + 1)
        late = (("input", "Answered"), ("state", "unknown"), ("why", "the agent was none of the queue's any more"))
        assert Log("late", late, "debug") in said
        assert (believed(queue), queue.state.calls) == ((Belief.UNKNOWN, ""), {})
        queue.receive(says("free"), NOW + 2)
        assert believed(queue) == (Belief.SAID, "free")
