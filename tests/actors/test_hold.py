"""Hold and retrieve, told without an event loop: who hears whom after every step, and what is kept of it."""

from __future__ import annotations

import pytest
from cordboard.actors import call_state as calls
from cordboard.actors import page, records, signals
from cordboard.actors.agent_state import Phase
from cordboard.actors.effects import Media, Record
from cordboard.switch import protocol as media

from .house import NOW, House, code

LEG = "call:c/caller"


@pytest.fixture
def house() -> House:
    made = House()
    made.queue()
    lin = made.sitting("lin")
    made.call()
    made.after(5)
    made.ask("lin", page.Answer())
    assert lin.state.phase is Phase.TALKING
    return made


def voice(house: House) -> str:
    leg = house.actors["agent:lin"].state.voice
    assert isinstance(leg, str)
    return leg


def edges(house: House) -> dict[str, str]:
    """What the customer, the agent and both channels of the recording hear."""
    engine = house.engine
    ears = {"customer": LEG, "agent": voice(house), "left": "c/left", "right": "c/right"}
    names = {LEG: "customer", voice(house): "agent"}
    return {
        who: house.heard() if who == "customer" and not set(engine.hears(ear)) <= set(names)
        else " ".join(names[each] for each in engine.hears(ear))
        for who, ear in ears.items()
    }  # fmt: skip


TALKS = {"customer": "agent", "agent": "customer", "left": "customer", "right": "agent"}
HELD = {"customer": "on-hold", "agent": "", "left": "", "right": ""}


def holds(house: House) -> list[records.HoldEntry]:
    """As they are in the end."""
    said = [each.entry for _, each in house.said if isinstance(each, Record)]
    return list({each.number: each for each in said if isinstance(each, records.HoldEntry)}.values())


def parties(house: House) -> list[page.CallParties]:
    return [event for event in house.events("lin") if isinstance(event, page.CallParties)]


def test_on_hold_the_customer_hears_the_prompt_and_neither_hears_the_other(house: House) -> None:
    assert edges(house) == TALKS
    assert house.ask("lin", page.Hold()) == page.Accepted()
    assert edges(house) == HELD
    house.after(12)
    assert house.ask("lin", page.Retrieve("c")) == page.Accepted()
    assert edges(house) == TALKS
    assert parties(house) == [page.CallParties("c", "agent", True, NOW + 5), page.CallParties("c")]
    assert holds(house) == [records.HoldEntry("c", 1, NOW + 5, NOW + 17)]
    assert [source for source in house.engine.sources if source.startswith("call:")] == []


def test_a_hold_is_one_change_of_edges(house: House) -> None:
    """All of it between the same two ticks: the customer never hears half of it."""
    before = len(house.said)
    house.ask("lin", page.Hold())
    rewires = [
        each.command
        for _, each in house.said[before:]
        if isinstance(each, Media) and isinstance(each.command, media.Rewire)
    ]
    assert [{one.listener for one in each.hears} for each in rewires] == [{LEG, voice(house), "c/left", "c/right"}]


def test_the_same_click_twice_and_the_opposite_one(house: House) -> None:
    assert house.ask("lin", page.Retrieve()) == page.Accepted()
    assert edges(house) == TALKS
    for _ in range(2):
        assert house.ask("lin", page.Hold()) == page.Accepted()
        assert edges(house) == HELD
    house.sleep("call:c")
    for command in (page.Retrieve(), page.Hold(), page.Retrieve(), page.Retrieve()):
        assert house.ask("lin", command) == page.Accepted()
    house.wake("call:c")
    assert edges(house) == TALKS
    assert [each.ended is not None for each in holds(house)] == [True, True]


def test_a_mute_outlives_a_hold_and_is_made_in_one(house: House) -> None:
    house.ask("lin", page.Mute())
    house.ask("lin", page.Hold())
    house.ask("lin", page.Retrieve())
    assert edges(house) == {**TALKS, "customer": "", "right": ""}
    house.ask("lin", page.Hold())
    house.ask("lin", page.Unmute())
    assert edges(house) == HELD
    house.ask("lin", page.Mute())
    house.ask("lin", page.Retrieve())
    assert edges(house) == {**TALKS, "customer": "", "right": ""}


def test_the_customer_hangs_up_on_hold(house: House) -> None:
    house.ask("lin", page.Hold())
    house.after(3)
    house.tell("call:c", signals.Released("c", "hung up", by_caller=True))
    assert page.CallEnded("c", "caller", "hung up") in house.events("lin")
    assert house.actors["agent:lin"].state.phase is Phase.AFTER_CALL_WORK
    assert holds(house) == [records.HoldEntry("c", 1, NOW + 5, NOW + 8)]
    assert house.engine.hears(voice(house)) == {}
    assert [source for source in house.engine.sources if source.startswith("call:")] == []


def test_a_page_that_reloads_finds_its_customer_held(house: House) -> None:
    house.ask("lin", page.Hold())
    leg = voice(house)
    house.tell("agent:lin", page.Detached("lin"))
    house.fact(*house.engine.silence(leg, 0.5))
    assert house.heard() == "on-hold"
    house.after(5)
    house.tell("agent:lin", page.Attached("again"))
    snapshot = house.ask("lin", page.GetSnapshot(), "again")
    assert isinstance(snapshot, page.Snapshot)
    assert snapshot.parties == page.CallParties("c", "agent", True, NOW + 5)
    house.ask("lin", page.Resume(leg), "again")
    house.fact(*house.engine.hear(leg))
    assert edges(house) == HELD
    assert house.ask("lin", page.Retrieve(), "again") == page.Accepted()
    assert edges(house) == TALKS


def test_an_agent_who_does_not_come_back_leaves_nobody_on_hold(house: House) -> None:
    house.ask("lin", page.Hold())
    house.tell("agent:lin", page.Detached("lin"))
    house.fact(*house.engine.silence(voice(house), 0.5))
    house.after(21)  # its first word is awaited for 1 s
    assert house.actors["call:c"].state.phase is calls.Phase.WAITING
    assert house.heard() == "nobody-here"
    assert [each.ended for each in holds(house)] == [NOW + 26]
    house.sitting("wei")
    house.ask("wei", page.Answer())
    assert house.engine.hears(LEG) == {house.actors["agent:wei"].state.voice: 1.0}


def test_nobody_holds_what_is_not_theirs(house: House) -> None:
    assert code(house.ask("lin", page.Hold("another"))) == "no_call"
    house.robot("wei")
    assert [code(house.ask("wei", each)) for each in (page.Hold(), page.Retrieve())] == ["no_call"] * 2
    before = house.actors["call:c"].state
    house.tell("call:c", calls.Hold("wei"), calls.Retrieve("wei"))
    assert house.actors["call:c"].state == before
    house.ask("lin", page.HangUp())
    assert code(house.ask("lin", page.Hold())) == "no_call"
    assert code(house.ask("lin", page.Hold(), "a page that owns nothing")) == "not_owner"


def test_a_call_that_is_dialled_is_held_when_it_is_answered(house: House) -> None:
    house.sitting("wei")
    house.ask("wei", page.Dial("+8613800138000"))
    assert [code(house.ask("wei", each)) for each in (page.Hold(), page.Retrieve())] == ["not_answered_yet"] * 2
    assert code(house.ask("wei", page.Hold("another"))) == "no_call"
