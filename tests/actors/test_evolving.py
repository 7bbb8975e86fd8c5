"""`evolve` of ours and of attrs give the same, for every class that an actor keeps."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from attrs import field, frozen
from cordboard.actors import agent_state, evolving


def test_it_is_what_attrs_makes() -> None:
    before = agent_state.Data(agent_state.Profile("1001", "Lin", (agent_state.Skill("support"),)))
    after = evolving.evolve(before, rev=7, reason="chosen", robot=True)
    assert after == attrs.evolve(before, rev=7, reason="chosen", robot=True)
    assert (before.rev, evolving.evolve(before)) == (0, before)


def test_private_names_and_single_fields() -> None:
    @frozen
    class One:
        _hidden: int

    @frozen
    class Two:
        _hidden: int
        shown: int = 0

    assert evolving.evolve(One(1), hidden=2) == One(2)
    assert evolving.evolve(Two(1, 2), hidden=5) == Two(5, 2)


def test_a_value_that_keeps_its_fields_in_a_dict() -> None:
    @frozen(slots=False)
    class Wide:
        at: int
        to: str = "here"

    before = Wide(1)
    assert evolving.evolve(before, to="there") == attrs.evolve(before, to="there") == Wide(1, "there")
    assert (before, evolving.evolve(before)) == (Wide(1), before)
    assert hash(evolving.evolve(before, at=2)) == hash(Wide(2))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        evolving.evolve(before, at=2).at = 3  # type: ignore[misc] # it is frozen
    unknown: Any = {"nothing": 1}
    with pytest.raises(KeyError, match="nothing"):
        evolving.evolve(before, **unknown)


def test_a_class_of_which_a_dict_does_not_have_all_by_name_is_a_bug() -> None:
    @frozen(slots=False)
    class Hidden:
        _at: int

    @frozen
    class Narrow:
        at: int

    @frozen(slots=False)
    class Half(Narrow):
        to: int = 0

    with pytest.raises(TypeError, match="Hidden"):
        evolving.evolve(Hidden(1))
    with pytest.raises(TypeError, match="Half"):
        evolving.evolve(Half(1))


def test_a_class_that_does_not_take_its_fields_by_their_places_is_a_bug() -> None:
    @frozen
    class Odd:
        made: int = field(init=False, default=0)

    @frozen
    class Looked:
        at: int = field(validator=attrs.validators.ge(0))

    with pytest.raises(TypeError, match="Odd"):
        evolving.evolve(Odd())
    with pytest.raises(TypeError, match="Looked"):
        evolving.evolve(Looked(1))
    unknown: Any = {"nothing": 1}
    with pytest.raises(KeyError):
        evolving.evolve(agent_state.Lost("a", "b"), **unknown)
