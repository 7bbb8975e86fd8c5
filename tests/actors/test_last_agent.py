"""A caller is kept for who served it last, for a while; and who that was, by what is kept of calls."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing
from attrs import evolve
from cordboard.actors import agent_state as agents
from cordboard.actors import page
from cordboard.actors.acd import decide
from cordboard.actors.effects import LookBack
from cordboard.actors.queue import DAY, LOOK_BACK
from cordboard.actors.queue_state import LastServed
from cordboard.actors.recollection import MOST, Recollection
from cordboard.actors.records import CallEntry, OfferEntry, Outcome
from cordboard.actors.store import Store, StoreError

from .house import CALLER, NOW, House
from .test_decisions import kept_by


@pytest.fixture
def house() -> House:
    """anna has been idle longest, bo served the caller last, cy is of a lower skill."""
    house = House()
    house.queue(last_agent_seconds=20.0)
    for name in ("anna", "bo"):
        house.robot(name)
        house.after(1)
    return house


def rung(house: House) -> list[str]:
    names = [name.removeprefix("agent:") for name in house.actors if name.startswith("agent:")]
    return [name for name in names if house.actor_phase(name) is agents.Phase.RINGING]


def was(house: House, agent: str) -> None:
    house.tell("queue:support", LastServed("c", agent))


def test_the_queue_asks_who_it_was_and_offers_nothing_meanwhile(house: House) -> None:
    house.call()
    (asked,) = [each for each in house.of("queue:support") if isinstance(each, LookBack)]
    assert asked == LookBack("c", CALLER, house.now - 7 * DAY)
    assert rung(house) == []
    was(house, "bo")
    assert rung(house) == ["bo"]
    ((entry, kept),) = kept_by(house)
    assert (entry.chosen, kept.question.kept_for) == ("bo", "bo")
    assert decide(kept.question).excluded == {"anna": "kept"}


@pytest.mark.parametrize("late", [False, True])
def test_where_nobody_did_or_nobody_answers_whoever_comes_first_is_rung(house: House, late: bool) -> None:
    house.call()
    if late:
        house.after(LOOK_BACK - 0.01)
        assert rung(house) == []
        house.after(0.02)
    else:
        was(house, "")
    assert rung(house) == ["anna"]
    was(house, "bo")  # too late
    assert rung(house) == ["anna"]


def test_who_it_was_is_told_too_late_and_the_call_is_kept_back_for_nobody(house: House) -> None:
    house.ask("anna", page.SetState("break"))
    house.call("other")
    house.tell("queue:support", LastServed("other", "bo"))
    house.ask("bo", page.Answer())
    house.call()
    house.after(LOOK_BACK + 0.1)
    was(house, "bo")  # who talks, and would be waited for
    house.ask("anna", page.SetState("idle"))
    assert rung(house) == ["anna"]


def test_one_who_talks_is_waited_for_and_then_no_more(house: House) -> None:
    house.tell("queue:support", evolve(house.actors["queue:support"].state.profile, last_agent_seconds=0.0))
    house.ask("anna", page.SetState("break"))
    house.call("other")
    house.ask("bo", page.Answer())
    house.ask("anna", page.SetState("idle"))
    house.tell("queue:support", evolve(house.actors["queue:support"].state.profile, last_agent_seconds=20.0))
    house.call()
    was(house, "bo")
    began = house.now
    house.until(began + 19.9)
    assert rung(house) == []
    house.until(began + 20)
    assert rung(house) == ["anna"]


def test_one_who_is_free_in_time_has_it_though_others_were_free_before(house: House) -> None:
    house.ask("bo", page.Decline())  # nothing rings: no matter
    house.tell("queue:support", evolve(house.actors["queue:support"].state.profile, last_agent_seconds=0.0))
    house.ask("anna", page.SetState("break"))
    house.call("other")
    house.ask("bo", page.Answer())
    house.ask("anna", page.SetState("idle"))
    house.tell("queue:support", evolve(house.actors["queue:support"].state.profile, last_agent_seconds=20.0))
    house.call()
    was(house, "bo")
    house.after(10)
    house.ask("bo", page.HangUp())
    house.ask("bo", page.StartAnswering())
    assert rung(house) == ["bo"]


def test_one_who_is_on_break_or_gone_or_of_no_such_queue_is_not_waited_for(house: House) -> None:
    house.ask("bo", page.SetState("break"))
    house.call()
    was(house, "bo")
    assert rung(house) == ["anna"]
    house.ask("anna", page.Decline())
    house.ask("bo", page.SetState("idle"))
    assert rung(house) == ["bo"]
    house.call("second")
    house.tell("queue:support", LastServed("second", "somebody"))
    assert house.actors["queue:support"].state.calls["second"].kept_for == ""


def test_one_who_goes_on_break_meanwhile_is_not_waited_for_any_longer(house: House) -> None:
    house.ask("anna", page.SetState("break"))
    house.call("other")
    house.tell("queue:support", LastServed("other", ""))
    house.ask("bo", page.Answer())
    house.call()
    was(house, "bo")
    house.ask("anna", page.SetState("idle"))
    assert rung(house) == []
    house.ask("bo", page.HangUp())
    house.ask("bo", page.SetState("break"))
    assert rung(house) == ["anna"]


@pytest.mark.parametrize("missed", [False, True])
def test_one_who_does_not_want_it_leaves_it_to_the_others(house: House, missed: bool) -> None:
    house.call()
    was(house, "bo")
    if missed:
        house.after(30)
    else:
        house.ask("bo", page.Decline())
    assert rung(house) == ["anna"]
    house.ask("anna", page.Decline())
    house.after(10.1)  # the one who declined has rested, and it is nobody's any more
    assert rung(house) == ["anna"] if missed else ["bo"]


def test_the_level_of_one_who_knows_the_caller_does_not_matter() -> None:
    house = House()
    house.queue(last_agent_seconds=20.0, widen_seconds=60.0)
    house.robot("anna")
    house.robot("cy", agents.Skill("support", 2))
    house.call()
    was(house, "cy")
    assert rung(house) == ["cy"]


def test_who_withholds_its_number_or_comes_back_from_an_agent_is_not_looked_for(house: House) -> None:
    house.call()
    was(house, "bo")
    house.ask("bo", page.Answer())
    house.crash("agent:bo")
    assert rung(house) == ["anna"]
    assert len([each for each in house.of("queue:support") if isinstance(each, LookBack)]) == 1


# --- what is kept -----------------------------------------------------------------------------------------------------


def call(name: str, at: float, agent: str, outcome: Outcome, number: str = CALLER) -> list[CallEntry | OfferEntry]:
    return [
        CallEntry(name, "carrier", "inbound", number, "", "+861055501000", "support", at),
        OfferEntry(name, agent, "support", at + 1, outcome, at + 2),
    ]


def test_the_database_knows_who_it_was(tmp_path: Path) -> None:
    """The last one who was connected, in a call that began within those days, with that number in any writing."""
    told: list[tuple[str, object]] = []

    async def look() -> None:
        async with await Store.open(tmp_path) as store, trio.open_nursery() as nursery:
            await store.apply(
                [
                    *call("old", NOW - 8 * DAY, "dee", Outcome.ANSWERED),
                    *call("first", NOW - 3 * DAY, "anna", Outcome.ANSWERED),
                    *call("last", NOW - 2 * DAY, "bo", Outcome.ANSWERED),
                    *call("missed", NOW - DAY, "cy", Outcome.MISSED),
                    *call("other", NOW - 60, "eve", Outcome.ANSWERED, "+8613800138000"),
                    *call("c", NOW, "cy", Outcome.ANSWERED),
                ]
            )
            asked = [(CALLER, 7), (CALLER.removeprefix("+86"), 7), (CALLER, 1), ("+8610", 20000)]
            for number, days in asked:
                into, out = trio.open_memory_channel[tuple[str, object]](1)
                recollection = Recollection(nursery, store, lambda *answer, into=into: into.send_nowait(answer))
                recollection.look_back("queue:support", LookBack("c", number, NOW - days * DAY))
                told.append(await out.receive())

    trio.run(look)
    assert told == [("queue:support", LastServed("c", agent)) for agent in ("bo", "bo", "", "")]


def test_a_database_that_does_not_answer_and_too_many_questions_are_nobody() -> None:
    told: list[object] = []

    class Broken:
        async def read(self, query: object) -> str:
            await trio.sleep(1)
            raise StoreError("disk is gone")

    async def look() -> None:
        async with trio.open_nursery() as nursery:
            recollection = Recollection(nursery, Broken(), lambda actor, message: told.append(message))
            for number in range(MOST + 1):
                recollection.look_back("queue:support", LookBack(f"c{number}", CALLER, 0.0))
            assert told == [LastServed(f"c{MOST}", "")]

    trio.run(look, clock=trio.testing.MockClock(autojump_threshold=0))
    assert len(told) == MOST + 1
    assert set(told) == {LastServed(f"c{number}", "") for number in range(MOST + 1)}
