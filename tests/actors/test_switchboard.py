"""The switchboard and the trunks, told without an event loop."""

from __future__ import annotations

import pytest
from attrs import evolve
from cordboard.actors import agent_state as agents
from cordboard.actors import call_state as calls
from cordboard.actors import page, signals, switchboard, trunk
from cordboard.actors import queue_state as queues
from cordboard.actors.agent import Agent
from cordboard.actors.call import Call
from cordboard.actors.effects import Down, Tell
from cordboard.actors.organisation import Organisation, parse_organisation
from cordboard.actors.patience import PATIENCE, Patience
from cordboard.actors.queue import Queue
from cordboard.actors.routes import Echo, ToQueue
from cordboard.actors.switchboard import Configure, Switchboard
from cordboard.switch import protocol as media

from .house import House, arrived

ORGANISATION = parse_organisation(
    """
    trunk = [{ id = "carrier", peers = ["198.51.100.0/24"] }]
    queue = [{ id = "support", name = "Support" }, { id = "sales" }]
    agent = [
      { id = "lin", name = "Lin", skills = { support = 1 } },
      { id = "wei", name = "Wei", skills = { support = 1, sales = 1 } },
    ]
    number = [
      { number = "+861055501000", route = "queue:support" },
      { number = "600", route = "echo" },
      { pattern = "7\\\\d\\\\d", route = "room" },
    ]
    """
)


def without(*names: str) -> Organisation:
    """The organisation without these agents and queues."""
    return evolve(
        ORGANISATION,
        queues=tuple(each for each in ORGANISATION.queues if each.id not in names),
        agents=tuple(
            evolve(each, skills=tuple(skill for skill in each.skills if skill.queue not in names))
            for each in ORGANISATION.agents
            if each.id not in names
        ),
    )


def configured(organisation: Organisation) -> Configure:
    return Configure(organisation, ("opus",))


@pytest.fixture
def house() -> House:
    house = House()
    house.spawn("switchboard", Switchboard(ORGANISATION, ("opus",)))
    house.run()
    return house


def sign_in(house: House, name: str) -> Agent:
    agent = house.actors[f"agent:{name}"]
    assert isinstance(agent, Agent)
    house.tell(f"agent:{name}", page.Attached(name))
    assert house.ask(name, page.SignIn(media="none")) == page.Accepted()
    return agent


def known(house: House, queue: str = "support") -> list[str]:
    """Who the queue knows to be signed in."""
    actor = house.actors[f"queue:{queue}"]
    assert isinstance(actor, Queue)
    return sorted(name for name, standing in actor.state.agents.items() if standing.at_work)


def dial(house: House, number: str, call: str = "c") -> Call | None:
    """A call for that number; None when it was refused at once."""
    made = Call(evolve(arrived(call), dialled=number), house.now)
    house.spawn(f"call:{call}", made)
    house.run()
    return made if f"call:{call}" in house.actors else None


def test_it_starts_everyone_queues_before_agents(house: House) -> None:
    assert list(house.actors) == [
        "switchboard",
        "directory",
        "trunk:carrier",
        "queue:support",
        "queue:sales",
        "agent:lin",
        "agent:wei",
    ]


def test_every_agent_and_queue_knows_how_long_it_is_waited(house: House) -> None:
    all_of_them = [each for name, each in house.actors.items() if name.startswith(("agent:", "queue:"))]
    assert {each.state.profile.patience for each in all_of_them} == {PATIENCE}
    longer = Patience(45.0, 46.0, 47.0, 48.0)
    house.tell("switchboard", Configure(ORGANISATION, ("opus",), patience=longer))
    assert {each.state.profile.patience for each in all_of_them} == {longer}
    board = Switchboard(ORGANISATION, ("opus",), patience=longer)
    told = [each for each in board._profiles().values() if isinstance(each, agents.Profile | queues.Profile)]
    assert {each.patience for each in told} == {longer}


def test_a_call_of_a_queue_hears_the_music_of_its_queue(house: House) -> None:
    call = dial(house, "+861055501000")
    assert call is not None
    assert call.state.music == "hold"
    organisation = house.actors["switchboard"].state.organisation
    queues = tuple(evolve(each, music="ours-1") for each in organisation.queues)
    house.tell("switchboard", Configure(evolve(organisation, queues=queues), ("pcmu",)))
    call = dial(house, "+861055501000", "d")
    assert call is not None
    assert call.state.music == "ours-1"
    echo = dial(house, "600", "e")
    assert echo is not None
    assert echo.state.music == "hold"


def test_a_dialled_number_leads_where_the_organisation_says(house: House) -> None:
    call = dial(house, "010 5550 1000".replace(" ", ""))
    assert call is not None
    assert call.state.route == ToQueue("support")
    echo = dial(house, "600", "e")
    assert echo is not None
    assert echo.state.route == Echo()
    assert dial(house, "999", "n") is None
    assert house.sip("n") == [signals.Reject("n", 404)]


def test_a_room_is_heard_by_all_but_oneself(house: House) -> None:
    for name in "abc":
        dial(house, "701", name)
    dial(house, "702", "d")
    hears = {name: sorted(house.engine.hears(f"call:{name}/caller")) for name in "abcd"}
    assert hears == {
        "a": ["call:b/caller", "call:c/caller"],
        "b": ["call:a/caller", "call:c/caller"],
        "c": ["call:a/caller", "call:b/caller"],
        "d": [],
    }
    house.tell("call:b", signals.Released("b", "hung up", by_caller=True))
    assert sorted(house.engine.hears("call:a/caller")) == ["call:c/caller"]
    for name in "acd":
        house.tell(f"call:{name}", signals.Released(name, "hung up", by_caller=True))
    assert house.actors["switchboard"].state.rooms == {}


def test_a_room_takes_64_and_no_more(house: House) -> None:
    board = house.actors["switchboard"]
    for i in range(media.MAX_HEARD):
        board.receive(switchboard.JoinRoom(f"m{i}", "701", f"leg{i}"), house.now)
    assert board.receive(switchboard.JoinRoom("late", "701", "leg"), house.now) == [Tell("call:late", calls.RoomFull())]


def test_a_caller_who_left_before_joining_the_room_is_forgotten(house: House) -> None:
    house.tell("switchboard", switchboard.JoinRoom("gone", "701", "leg"))
    assert house.actors["switchboard"].state.rooms == {}


# --- a changed organisation ---------------------------------------------------------------------------------------


def test_who_left_is_dismissed_who_came_is_started_who_changed_is_told(house: House) -> None:
    wei = sign_in(house, "wei")
    changed = evolve(without("lin"), trunks=(evolve(ORGANISATION.trunks[0], nat=True),))
    house.tell("switchboard", configured(changed))
    assert "agent:lin" not in house.actors
    assert house.actors["trunk:carrier"].state.profile == trunk.Profile("carrier", nat=True)
    house.tell("switchboard", configured(without("sales")))
    assert "queue:sales" not in house.actors
    assert wei.state.profile.skills == (agents.Skill("support"),)
    assert "agent:lin" in house.actors
    assert house.dead_letters == []  # wei's good-bye comes before its end


@pytest.mark.parametrize("name", ["agent:lin", "queue:support", "trunk:carrier"])
def test_who_is_wanted_again_before_it_has_left_is_started_anew(house: House, name: str) -> None:
    sign_in(house, "wei")
    old = house.actors[name]
    gone = evolve(without("lin", "support"), trunks=(), numbers=())
    house.sleep(name)
    house.tell("switchboard", configured(gone), configured(ORGANISATION))
    house.wake(name)
    assert name in house.actors
    assert house.actors[name] is not old
    assert known(house) == ["wei"]
    assert set(house.actors) == house.actors["switchboard"].state.alive | {"switchboard", "directory"}


def test_an_agent_wanted_again_in_its_last_call_stays(house: House) -> None:
    lin = sign_in(house, "lin")
    dial(house, "+861055501000")
    house.ask("lin", page.Answer())
    house.tell("switchboard", configured(without("lin")))
    house.tell("switchboard", configured(ORGANISATION))
    house.ask("lin", page.HangUp())
    house.ask("lin", page.StartAnswering())
    assert house.actors["agent:lin"] is lin
    assert lin.state.ready


def test_one_that_was_isolated_is_started_when_the_organisation_comes_again(house: House) -> None:
    sign_in(house, "lin")
    house.crash("queue:support")
    assert "queue:support" not in house.actors
    house.tell("switchboard", configured(ORGANISATION))
    assert known(house) == ["lin"]
    house.crash("agent:lin")
    assert known(house) == []
    house.tell("switchboard", configured(ORGANISATION))
    assert "agent:lin" in house.actors


# --- trunks and draining ------------------------------------------------------------------------------------------


def test_a_draining_switch_refuses_calls_and_keeps_those_it_has(house: House) -> None:
    assert dial(house, "600") is not None
    house.tell("switchboard", switchboard.Drain())
    assert dial(house, "600", "d") is None
    assert house.sip("d") == [signals.Reject("d", 503, "", switchboard.RETRY_AFTER)]
    assert "call:c" in house.actors


def test_a_switch_that_goes_on_takes_calls_again(house: House) -> None:
    house.tell("switchboard", switchboard.Drain(), switchboard.Open())
    assert dial(house, "600") is not None


def test_a_trunk_that_is_dismissed_leaves_its_calls(house: House) -> None:
    dial(house, "600")
    house.tell("switchboard", configured(evolve(ORGANISATION, trunks=())))
    assert "trunk:carrier" not in house.actors
    assert "call:c" in house.actors
    assert dial(house, "600", "d") is None
    assert house.sip("d") == [signals.Reject("d", 503, "", 5)]


def test_the_down_of_nobody_it_knows_changes_nothing(house: House) -> None:
    before = house.actors["switchboard"].state
    house.tell("switchboard", Down("agent:nobody", agents.DISMISSED), Down("call:nobody", "over"))
    assert house.actors["switchboard"].state == before
