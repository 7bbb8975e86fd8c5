"""Why this agent, and why not another: what is kept of a decision, and that it comes out the same when made again."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable
from random import Random
from typing import get_args

import pytest
from attrs import evolve
from cordboard.actors import decisions, page
from cordboard.actors.acd import Doing, Free, Question, decide, order, step
from cordboard.actors.agent_state import Phase, Skill
from cordboard.actors.decisions import DOINGS, UnreadableError, pack, roster_key, unpack
from cordboard.actors.effects import Record
from cordboard.actors.entries import Strategy
from cordboard.actors.records import DecisionEntry, OfferEntry, RosterEntry
from hypothesis import given, settings
from hypothesis import strategies as st

from .house import NOW, House
from .test_acd import QUESTIONS, STRATEGIES

OTHERS = st.lists(st.text("xyz", min_size=1, max_size=3), max_size=9, unique=True)


@settings(max_examples=60, deadline=None)
@given(QUESTIONS, OTHERS, st.data())
def test_a_decision_is_made_again_from_what_was_kept(
    question: Question, others: list[str], data: st.DataObject
) -> None:
    """To the last agent, whoever else is in the queue and whatever it does."""
    free = {each.agent for each in question.free}
    roster = data.draw(st.permutations([*free, *(each for each in others if each not in free)]))
    question = evolve(question, free=tuple(sorted(question.free, key=lambda each: roster.index(each.agent))))
    doing = ["free" if each in free else data.draw(st.sampled_from(DOINGS)) for each in roster]
    kept = unpack("c", roster, pack(question, roster, doing))
    one, again = decide(question), decide(kept.question)
    assert again.chosen == one.chosen
    assert [each.agent for each in order(kept.question)] == [each.agent for each in order(question)]
    assert (again.more, again.excluded) == (one.more, one.excluded)
    # Who was free by its own word, and is none of those who were asked, rings by now.
    assert kept.doing == {
        each: "ringing" if does == "free" and each not in free else does
        for each, does in zip(roster, doing, strict=True)
    }


def many(number: int, strategy: Strategy) -> tuple[Question, list[str]]:
    rng = Random(5)
    free = tuple(
        Free(
            f"agent-{at}",
            rng.randint(1, 3),
            at,
            step(NOW - rng.random() * 3600),
            rng.randint(0, 60),
            step(rng.random() * 9000),
        )
        for at in range(number)
    )
    return Question("c", strategy, NOW - 12.5, NOW, free=free), [each.agent for each in free]


def test_a_decision_about_thousands_is_short() -> None:
    """Most of them at work as in a busy centre, or all of them free as at night; the one costs no disk, the other is
    seldom."""
    sizes = {}
    for strategy in STRATEGIES:
        question, roster = many(5000, strategy)
        all_free: list[Doing] = ["free"] * 5000
        sizes[strategy, "all free"] = len(pack(question, roster, all_free))
        rng = Random(6)
        doing: list[Doing] = [
            rng.choice(("talking", "talking", "talking", "after_call_work", "break", "signed_out")) for _ in roster
        ]
        doing[7] = "free"
        sizes[strategy, "one free"] = len(pack(evolve(question, free=question.free[7:8]), roster, doing))
    print("; ".join(f"{strategy}, {who}: {size / 1000:.1f} kB" for (strategy, who), size in sizes.items()))
    assert max(size for (_, who), size in sizes.items() if who == "one free") < 2500
    assert max(size for (_, who), size in sizes.items() if who == "all free") < 45_000


@pytest.mark.parametrize(
    "spoil",
    [
        lambda facts: facts[:-3],
        lambda facts: b"nothing of ours",
        lambda facts: zlib.compress(b"\x92\x02\x00"),
        lambda facts: zlib.compress(zlib.decompress(facts)[:-1]),
    ],
)
def test_facts_that_cannot_be_read_are_an_error(spoil: Callable[[bytes], bytes]) -> None:
    question, roster = many(3, "longest-idle")
    with pytest.raises(UnreadableError):
        unpack("c", roster, spoil(pack(question, roster, ["free"] * 3)))


def test_another_roster_than_it_was_is_an_error() -> None:
    question, roster = many(3, "longest-idle")
    with pytest.raises(UnreadableError):
        unpack("c", roster[:2], pack(question, roster, ["free"] * 3))


# --- in a centre --------------------------------------------------------------------------------------------------


def kept_by(house: House) -> list[tuple[DecisionEntry, decisions.Kept]]:
    """Each decision that was kept, with its facts as they are read again."""
    stated = [each.entry for name, each in house.said if isinstance(each, Record) and name.startswith("queue:")]
    rosters = {each.roster: each.agents.split("\n") for each in stated if isinstance(each, RosterEntry)}
    assert all(key == roster_key(agents) for key, agents in rosters.items())
    made = [each for each in stated if isinstance(each, DecisionEntry)]
    return [(each, unpack(each.call, rosters[each.roster], each.facts)) for each in made]


ACTS = ("call", "answer", "decline", "hang up", "start answering", "break", "idle", "sign out", "sign in", "wait")


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(get_args(Strategy)),
    st.sampled_from([0.0, 10.0]),
    st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 3)), min_size=15, max_size=60),
)
def test_every_decision_of_a_centre_comes_out_the_same_when_made_again(
    strategy: Strategy, widen_seconds: float, story: list[tuple[str, int]]
) -> None:
    house = House()
    house.queue(strategy=strategy, widen_seconds=widen_seconds, ring_seconds=15.0)
    names = ("anna", "bo", "cy", "dee")
    for level, name in enumerate(names, 1):
        house.robot(name, Skill("support", (level + 1) // 2))
    numbers = itertools.count()
    commands: dict[str, Callable[[], page.Command]] = {
        "answer": page.Answer,
        "decline": page.Decline,
        "hang up": page.HangUp,
        "start answering": page.StartAnswering,
        "break": lambda: page.SetState("break"),
        "idle": lambda: page.SetState("idle"),
        "sign out": page.SignOut,
        "sign in": lambda: page.SignIn(media="none"),
    }
    for act, who in story:
        if act == "call":
            house.call(f"c{next(numbers)}", priority=1 + who)
        elif act == "wait":
            house.after(7.0 * (1 + who))
        else:
            house.ask(names[who], commands[act]())
        house.after(0.25)
    made = kept_by(house)
    for entry, kept in made:
        again = decide(kept.question)
        assert " ".join(again.chosen) == entry.chosen
        assert (kept.question.call, kept.question.now, kept.question.offered) == (entry.call, entry.at, entry.number)
        assert set(kept.doing) == set(names)
    # Whoever was rung by the queue was rung by a decision.
    rung = {
        (each.entry.call, each.entry.agent)
        for _, each in house.said
        if isinstance(each, Record) and isinstance(each.entry, OfferEntry)
    }
    assert rung <= {(entry.call, agent) for entry, _ in made for agent in entry.chosen.split(" ")}


def test_what_the_others_did_is_kept_with_the_decision() -> None:
    house = House()
    house.queue(widen_seconds=60.0)
    house.robot("talks")
    house.call("first")
    house.ask("talks", page.Answer())
    house.robot("declines")
    house.robot("pauses")
    house.ask("pauses", page.SetState("break"))
    house.agent("out")
    house.ask("out", page.SignIn(media="none"))
    house.ask("out", page.SignOut())
    house.robot("later", Skill("support", 2))
    house.call("second")
    house.ask("declines", page.Decline())
    gone = house.robot("away")
    house.tell("agent:away", page.Detached("away"))
    assert gone.state.phase is Phase.RINGING or gone.state.phase is Phase.IDLE
    house.robot("takes")
    (entry, kept) = kept_by(house)[-1]
    assert (entry.call, entry.chosen) == ("second", "takes")
    assert kept.doing == {
        "talks": "talking",
        "declines": "free",
        "pauses": "break",
        "out": "signed_out",
        "later": "free",
        "away": "unreachable",
        "takes": "free",
    }
    assert decide(kept.question).excluded == {"declines": "declined", "later": "level"}


def test_who_is_in_the_queue_is_kept_once_as_long_as_they_are_the_same() -> None:
    house = House()
    house.queue()
    house.robot("lin")
    for name in ("a", "b", "c"):
        house.call(name)
        house.ask("lin", page.Decline())
    rosters = [each.entry for _, each in house.said if isinstance(each, Record) and isinstance(each.entry, RosterEntry)]
    assert [each.agents for each in rosters] == ["lin"]
    house.robot("wei")
    house.crash("agent:lin")
    house.ask("wei", page.Decline())
    house.call("d")
    rosters = [each.entry for _, each in house.said if isinstance(each, Record) and isinstance(each.entry, RosterEntry)]
    assert [each.agents for each in rosters] == ["lin", "lin\nwei", "wei"]
