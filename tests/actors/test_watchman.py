"""The watchman: at whom it looks, and from when on something stands."""

from __future__ import annotations

import ast
import math
from collections.abc import Set
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
from attrs import define, evolve, field
from cordboard.actors import earshot, edges, invariants, wiring
from cordboard.actors import queue_state as queues
from cordboard.actors.agreement import Difference
from cordboard.actors.effects import Behaviour
from cordboard.actors.limits import Usage
from cordboard.actors.truth import UNMINDED, What
from cordboard.actors.watchman import LOOK, SWEEP, Verdict, Watchman, leg_name

from .house import House

# The same moment for all who look at one.
AT: Final = 1000.0


@define
class Centre:
    """A house as the watchman sees it; `legs` are those for which something is open, and `looked` whom it asked for."""

    house: House = field(factory=House)
    legs: dict[str, str] = field(factory=dict)
    unread: float = math.inf
    differs: tuple[Difference, ...] = ()
    looked: list[str] = field(factory=list)

    def find(self, name: str) -> Behaviour | None:
        self.looked.append(name)
        return self.house.actors.get(name)

    def glance(self, name: str) -> Behaviour | None:
        return self.house.actors.get(name)

    def lives(self, name: str) -> bool:
        return name in self.house.actors

    def holds(self, leg: str) -> str:
        return self.house.owners.get(leg, "")

    def hears(self, listener: str) -> frozenset[str] | None:
        known = listener in self.house.engine.legs or listener.rpartition("/")[0] in self.house.engine.recordings
        return frozenset(self.house.engine.hears(listener)) if known else None

    def living(self) -> Set[str]:
        return self.house.actors.keys()

    def media_owners(self) -> Set[str]:
        return set(self.legs.values())

    def sip_owners(self) -> Set[str]:
        return set()

    def engine_differs(self) -> tuple[Difference, ...]:
        return self.differs

    def whose(self, name: str) -> str:
        return name.rpartition("/")[0]

    def unread_since(self) -> float:
        return self.unread


@define
class Watch:
    """A queue, an agent and a call that waits, with a watchman who has looked at all of them."""

    centre: Centre = field(factory=Centre)
    man: Watchman = field(init=False)
    now: float = AT
    known: queues.Data = field(init=False)

    def __attrs_post_init__(self) -> None:
        house = self.centre.house
        house.queue()
        house.agent("lin")
        house.call()
        self.man = Watchman(self.centre)
        self.man.touched.update(house.actors)
        assert self.look() == Verdict((), ())
        # ... and whose turn it is whatever happens, for a while
        for _ in range(SWEEP):
            self.look()

    def look(self) -> Verdict:
        self.centre.looked.clear()
        self.now += LOOK
        self.man.begin(self.now)
        while self.man.next(self.now):
            pass
        return self.man.verdict(self.now)

    def forget(self) -> None:
        """The queue does not know its call any more."""
        self.known = self.centre.house.actors["queue:support"].state
        self.knows(evolve(self.known, calls={}))

    def changes(self, name: str, **changes: Any) -> None:
        actor = self.centre.house.actors[name]
        actor.state = evolve(actor.state, **changes)
        self.man.touched.add(name)

    def knows(self, state: queues.Data) -> None:
        self.centre.house.actors["queue:support"].state = state
        self.man.touched.add("queue:support")


def whats(verdict: Verdict) -> tuple[list[What], list[What]]:
    return [each.what for each in verdict.stands], [each.what for each in verdict.over]


def test_what_is_untrue_stands_from_the_second_look_on_and_is_over_when_it_is_true_again() -> None:
    watch = Watch()
    watch.forget()
    assert whats(watch.look()) == ([], [])
    assert whats(watch.look()) == ([What.NOT_WAITING], [])
    assert whats(watch.look()) == ([], [])
    assert watch.man.standing == 1
    watch.knows(watch.known)
    assert whats(watch.look()) == ([], [What.NOT_WAITING])
    assert watch.man.standing == 0


def test_what_is_true_again_at_the_second_look_never_stood() -> None:
    watch = Watch()
    watch.forget()
    watch.look()
    watch.knows(watch.known)
    assert whats(watch.look()) == ([], [])
    watch.forget()
    assert whats(watch.look()) == ([], []), "it begins anew"
    assert whats(watch.look()) == ([What.NOT_WAITING], [])


def test_nothing_stands_while_somebody_has_not_read_what_came_before() -> None:
    watch = Watch()
    watch.centre.unread = watch.now + 0.5
    watch.forget()
    for _ in range(5):
        assert whats(watch.look()) == ([], [])
    watch.centre.unread = watch.now - 0.5  # what came since is no matter
    assert whats(watch.look()) == ([What.NOT_WAITING], [])


def test_only_who_changed_is_looked_at_and_who_relies_on_it() -> None:
    watch = Watch()
    house = watch.centre.house
    before = watch.man.looked
    watch.look()
    assert watch.man.looked == before + 1, "one in its turn"
    watch.changes("agent:lin", since=5.0)
    watch.look()
    assert "agent:lin" in watch.centre.looked
    assert watch.man.looked <= before + 3
    watch.changes("call:c", since=5.0)  # on which its queue relies
    watch.look()
    assert {"call:c", "queue:support"} <= set(watch.centre.looked)
    leg = house.actors["call:c"].state.leg
    watch.man.touched.add(leg_name(leg))
    watch.look()
    assert "call:c" in watch.centre.looked, "it hears something else"


def test_what_no_invariant_follows_from_is_no_reason_to_look() -> None:
    """Most of what changes about an agent is what its pages were told, and how it sounds."""
    watch = Watch()
    before = watch.man.looked
    watch.changes("agent:lin", rev=77)
    watch.look()
    assert watch.man.looked == before + 1, "one in its turn"


@pytest.mark.parametrize("module", [invariants, earshot, wiring, edges])
def test_what_is_not_minded_is_looked_at_nowhere(module: ModuleType) -> None:
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    asked = {node.attr for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)}
    assert asked & UNMINDED == set()


def test_whoever_is_relied_on_no_more_is_looked_at() -> None:
    """The queue alone has changed, and it is the call of which something is untrue."""
    watch = Watch()
    watch.forget()
    watch.look()
    assert "call:c" in watch.centre.looked


def test_everybody_has_a_turn_though_nothing_changes() -> None:
    watch = Watch()
    seen: set[str] = set()
    for _ in range(SWEEP + 1):
        watch.look()
        seen.update(watch.centre.looked)
    assert set(watch.centre.house.actors) <= seen


def test_who_keeps_books_is_looked_at_where_anybody_is_gone() -> None:
    watch = Watch()
    house = watch.centre.house
    trunk = house.actors["trunk:carrier"]
    trunk.state = evolve(trunk.state, usage=Usage(frozenset({"c"})))
    watch.man.touched.add("trunk:carrier")
    watch.look()
    house.mail.pop("call:c")
    del house.actors["call:c"]
    watch.man.touched.add("call:c")
    watch.look()
    found = {each.what for each in watch.look().stands}
    assert {What.STILL_COUNTED, What.QUEUE_HAS_STRANGER} <= found


def test_what_is_open_for_nobody_is_found_at_each_look() -> None:
    watch = Watch()
    watch.centre.legs["call:ghost/caller"] = "call:ghost"
    watch.look()
    (found,) = watch.look().stands
    assert (found.what, found.names) == (What.MEDIA_UNOWNED, ("call:ghost",))
    watch.centre.legs.clear()
    assert whats(watch.look()) == ([], [What.MEDIA_UNOWNED])


def test_what_the_engine_has_otherwise_stands_at_once() -> None:
    """Whatever anybody has not read: both sides were seen at one instant."""
    watch = Watch()
    watch.centre.unread = watch.now
    watch.centre.differs = (
        Difference("call:c/caller", "music:hold", missing=True),
        Difference("call:ghost/caller", "", missing=False),
    )
    assert [(each.what, each.names, each.leg) for each in watch.look().stands] == [
        (What.ENGINE_LACKS, ("media", "call:c"), "call:c/caller hears music:hold"),
        (What.ENGINE_KEEPS, ("media", "call:ghost"), "call:ghost/caller"),
    ]
    watch.centre.differs = ()
    assert whats(watch.look()) == ([], [What.ENGINE_LACKS, What.ENGINE_KEEPS])


def test_a_queue_that_hears_of_an_agent_again_and_again_was_not_missed_twice() -> None:
    """Where each takes its turn late, the word of what an agent does now is on its way at every look."""
    watch = Watch()
    agent, queue = watch.centre.house.actors["agent:lin"], watch.centre.house.actors["queue:support"]
    phase, stands = type(agent.state.phase), queue.state.agents["lin"]
    for number in range(6):
        agent.state = evolve(agent.state, phase=(phase.ON_BREAK, phase.AFTER_CALL_WORK)[number % 2])
        heard = evolve(stands, who=evolve(stands.who, calls=number))
        queue.state = evolve(queue.state, agents={**queue.state.agents, "lin": heard})
        watch.man.touched |= {"agent:lin", "queue:support"}
        assert not watch.look().stands
    assert [each.what for each in watch.look().stands] == [What.NOT_OFFERED]


def test_what_is_told_again_is_what_it_is_by_then() -> None:
    """A cure is no part of what is untrue: who waits for two looks is told how things stand at the second."""
    watch = Watch()
    agent = watch.centre.house.actors["agent:lin"]
    queue = watch.centre.house.actors["queue:support"]
    queue.state = evolve(queue.state, agents={})
    agent.state = evolve(agent.state, phase=type(agent.state.phase).ON_BREAK)
    watch.man.touched.add("agent:lin")
    watch.look()
    agent.state = evolve(agent.state, phase=type(agent.state.phase).AFTER_CALL_WORK)
    (found,) = (each for each in watch.look().stands if each.what is What.NOT_OFFERED)
    assert found.cure is not None
    told = found.cure.message
    assert isinstance(told, queues.AgentStands)
    assert told.standing is not None
    assert told.standing.doing == "after_call_work"
