"""What changed in a state, and the state again from it: exact, in order, and as small as the change."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

import attrs
from attrs import field, frozen
from cordboard.actors import agent_state, call_state, page, queue_state
from cordboard.actors.evolving import evolve
from cordboard.actors.states import Patch, changed, changes

from .house import House


@frozen
class State:
    known: Mapping[str, object] = field(factory=dict)
    names: frozenset[str] = frozenset()
    rev: int = 0


@frozen(slots=False)
class Wide:
    """As states with many fields are."""

    at: float
    since: float = 0.0
    phase: str = "idle"
    names: frozenset[str] = frozenset()


def of(number: int) -> State:
    return State({f"a{each}": object() for each in range(number)})


def test_of_a_thousand_one_is_told() -> None:
    before = of(1000)
    new = object()
    after = evolve(before, known={**before.known, "a7": new}, rev=1)
    assert changes(before, after) == {"known": Patch((("a7", new),), ()), "rev": 1}
    gone = evolve(before, known={name: each for name, each in before.known.items() if name != "a7"})
    assert changes(before, gone) == {"known": Patch((), ("a7",))}


def test_of_a_state_that_keeps_its_fields_in_a_dict_each_is_found_under_its_name() -> None:
    before = Wide(1.0, names=frozenset("ab"))
    for change in ({"at": 2.0}, {"since": 3.0}, {"names": frozenset(), "phase": "talking", "since": 4.0}):
        after = evolve(before, **change)
        assert changes(before, after) == change
        assert changed(before, changes(before, after)) == after
    assert changes(before, evolve(before)) == {}


def test_whoever_has_taken_steps_has_its_fields_in_the_order_of_its_class() -> None:
    house = House()
    house.queue()
    house.robot("lin")
    house.call()
    house.ask("lin", page.Answer())
    states = [each.state for each in house.actors.values() if "__slots__" not in vars(type(each.state))]
    assert {type(each) for each in states} == {agent_state.Data, call_state.Data, queue_state.Data}
    for each in states:
        assert list(vars(each)) == [field.name for field in attrs.fields(type(each))]


def test_another_order_is_all_of_it() -> None:
    before = of(20)
    after = evolve(before, known=dict(sorted(before.known.items())))
    assert changes(before, after) == {"known": after.known}


def test_whatever_changes_comes_out_again() -> None:
    rng = Random(4)
    state = of(12)
    for _ in range(2000):
        known = dict(state.known)
        for _ in range(rng.randrange(3)):
            name = f"a{rng.randrange(30)}"
            match rng.randrange(4):
                case 0:
                    known.pop(name, None)
                case 1:
                    known[name] = known.pop(name, object())  # at the end
                case _:
                    known[name] = object()
        names = state.names ^ {f"n{rng.randrange(20)}"}
        after = evolve(state, known=known, names=names, rev=state.rev + 1)
        again = changed(state, changes(state, after))
        assert again == after
        assert list(again.known) == list(known)
        assert all(again.known[name] is known[name] for name in known)
        state = after
