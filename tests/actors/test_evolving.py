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


def test_a_class_that_does_not_take_its_fields_by_their_places_is_a_bug() -> None:
    @frozen
    class Odd:
        made: int = field(init=False, default=0)

    @frozen
    class Looked:
        at: int = field(validator=attrs.validators.ge(0))

    @frozen(slots=False)
    class Wide:
        at: int

    with pytest.raises(TypeError, match="Wide"):
        evolving.evolve(Wide(1))
    with pytest.raises(TypeError, match="Odd"):
        evolving.evolve(Odd())
    with pytest.raises(TypeError, match="Looked"):
        evolving.evolve(Looked(1))
    unknown: Any = {"nothing": 1}
    with pytest.raises(KeyError):
        evolving.evolve(agent_state.Lost("a", "b"), **unknown)
