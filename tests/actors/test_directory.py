"""The directory of colleagues: who is told what, and how often."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve
from cordboard.actors import directory, page
from cordboard.actors.directory import CHUNK, INTERVAL, PUSHES_PER_SECOND, Directory
from cordboard.actors.effects import Down, Effect, Push, Started

from .house import House

NOW = 1_000_000.0


def one(agent: str, state: page.State = page.State.IDLE, since: float = NOW) -> page.Colleague:
    return page.Colleague(agent, agent.title(), state, "", since)


def told(effects: list[Effect]) -> list[tuple[str, page.Colleagues]]:
    return [
        (each.session, each.event)
        for each in effects
        if isinstance(each, Push) and isinstance(each.event, page.Colleagues)
    ]


def revisions(effects: list[Effect]) -> list[int]:
    return [each.rev for each in effects if isinstance(each, Push)]


def filled(count: int) -> Directory:
    made = Directory()
    made.receive(Started(), NOW)
    for number in range(count):
        made.receive(directory.Stands((one(f"a{number}"),)), NOW)
    return made


def test_who_begins_to_watch_hears_the_whole_list_at_once() -> None:
    made = filled(2)
    assert told(made.receive(directory.Watchers("a0", ("page",)), NOW)) == [
        ("page", page.Colleagues(begins=True, changed=(one("a0"), one("a1"))))
    ]
    assert told(made.receive(directory.Watchers("a0", ("page", "second")), NOW)) == [
        ("second", page.Colleagues(begins=True, changed=(one("a0"), one("a1"))))
    ]


def test_an_empty_list_is_told_too() -> None:
    assert told(filled(0).receive(directory.Watchers("a0", ("page",)), NOW)) == [("page", page.Colleagues(begins=True))]


def test_a_change_is_told_at_once_and_those_that_follow_together() -> None:
    made = filled(2)
    made.receive(directory.Watchers("a0", ("page",)), NOW)
    first = told(made.receive(directory.Stands((one("a1", page.State.RINGING),)), NOW + 1))
    assert first == [("page", page.Colleagues(changed=(one("a1", page.State.RINGING),)))]
    assert made.receive(directory.Stands((one("a1", page.State.TALKING),)), NOW + 1.1) == []
    assert made.receive(directory.Stands((one("a1", page.State.AFTER_CALL_WORK),)), NOW + 1.2) == []
    assert made.receive(directory.Stands((one("a0", page.State.BREAK),)), NOW + 1.3) == []
    assert made.deadline() == NOW + 1 + INTERVAL
    later = (one("a1", page.State.AFTER_CALL_WORK), one("a0", page.State.BREAK))
    assert told(made.wake(NOW + 1 + INTERVAL)) == [("page", page.Colleagues(changed=later))]
    assert made.deadline() == float("inf")


def test_what_is_the_same_is_not_told() -> None:
    made = filled(1)
    made.receive(directory.Watchers("a0", ("page",)), NOW)
    assert made.receive(directory.Stands((one("a0"),)), NOW + 1) == []


def test_nobody_watches_and_nothing_is_owed() -> None:
    made = filled(3)
    assert made.deadline() == float("inf")
    made.receive(directory.Watchers("a0", ("page",)), NOW)
    made.receive(directory.Watchers("a0", ()), NOW)
    assert made.receive(directory.Stands((one("a1", page.State.BREAK),)), NOW) == []
    assert made.state.watchers == {}


def test_an_agent_that_ends_is_gone_from_the_list() -> None:
    made = filled(2)
    made.receive(directory.Watchers("a0", ("page",)), NOW)
    assert told(made.receive(Down("agent:a1", "dismissed"), NOW)) == [("page", page.Colleagues(gone=("a1",)))]
    assert list(made.state.agents) == ["a0"]


def test_revisions_only_grow() -> None:
    made = filled(CHUNK + 1)
    seen = revisions(made.receive(directory.Watchers("a0", ("page",)), NOW))
    for step in range(3):
        seen += revisions(made.receive(directory.Stands((one("a0", since=NOW + step + 1),)), NOW + step + 1))
    assert seen == sorted(set(seen))


def test_five_thousand_agents_are_told_in_pieces_and_less_often() -> None:
    made = filled(5000)
    whole = told(made.receive(directory.Watchers("a0", ("page",)), NOW))
    assert len(whole) == 5000 / CHUNK
    assert [event.begins for _, event in whole] == [True] + [False] * (len(whole) - 1)
    assert len({each.agent for _, event in whole for each in event.changed}) == 5000
    for number in range(5000):
        known = evolve(made.state, watchers={**made.state.watchers, f"a{number}": (f"page{number}",)})
        if number % 500 == 0:
            made.receive(directory.Watchers(f"a{number}", (f"page{number}",)), NOW)
        else:
            made.state = known
    made.receive(directory.Stands((one("a1", page.State.BREAK),)), NOW)
    made.receive(directory.Stands((one("a2", page.State.BREAK),)), NOW)
    assert made.deadline() == NOW + 5000 / PUSHES_PER_SECOND


def lists(house: House, session: str) -> Iterator[page.Colleagues]:
    return (event for event in house.events(session) if isinstance(event, page.Colleagues))


def test_agents_say_how_they_stand_and_a_page_that_went_hears_no_more() -> None:
    house = House()
    house.spawn("directory", Directory())
    house.queue()
    house.robot("lin")
    house.agent("wei")
    assert house.ask("wei", page.WatchColleagues()) == page.Accepted()
    (whole,) = lists(house, "wei")
    assert {(each.agent, each.state) for each in whole.changed} == {
        ("lin", page.State.IDLE),
        ("wei", page.State.SIGNED_OUT),
    }
    house.after(1)
    house.call()
    house.ask("lin", page.Answer())
    house.after(1)
    *_, last = lists(house, "wei")
    assert [(each.agent, each.state) for each in last.changed] == [("lin", page.State.TALKING)]
    count = len(list(lists(house, "wei")))
    house.tell("agent:wei", page.Detached("wei"))
    house.ask("lin", page.HangUp())
    house.after(1)
    assert len(list(lists(house, "wei"))) == count
    house.crash("agent:lin")
    behaviour = house.actors["directory"]
    assert isinstance(behaviour, Directory)
    assert list(behaviour.state.agents) == ["wei"]
