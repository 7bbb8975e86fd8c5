"""How long people are waited for is a setting: each of `[calls]` with another value than its default."""

from __future__ import annotations

import pytest
from attrs import evolve
from cordboard.actors import page
from cordboard.actors.agent import Agent
from cordboard.actors.agent_state import Phase
from cordboard.actors.config import parse_config
from cordboard.actors.patience import PATIENCE, Patience

from .house import NOW, House
from .party import Centre


def phase(agent: Agent) -> Phase:
    return agent.state.phase


def test_the_file_says_how_long() -> None:
    written = "[calls]\nring_seconds = 45\naway_seconds = 46\nreturn_seconds = 47\ndecline_seconds = 48\n"
    written += "accept_seconds = 49\n"
    assert parse_config(written).calls.patience == Patience(45.0, 46.0, 47.0, 48.0, 49.0)
    assert parse_config("").calls.patience == PATIENCE


def test_a_decliner_rests_as_long_as_is_set() -> None:
    house = House()
    house.queue(patience=Patience(declined=3.0))
    lin = house.robot("lin")
    house.call()
    house.ask("lin", page.Decline())
    house.until(NOW + 2.999)
    assert phase(lin) is Phase.IDLE
    house.until(NOW + 3)
    assert phase(lin) is Phase.RINGING


def test_a_call_that_nobody_takes_rings_at_who_gave_it_away_as_long_as_is_set() -> None:
    centre = Centre().begin().answered()
    centre.tell("agent:lin", evolve(centre.one("lin").state.profile, patience=Patience(back=50.0)))
    centre.do("lin", page.Transfer("wei"))
    centre.do("wei", page.Decline())
    assert centre.told("lin", page.CallOffered)[-1].ring_until == centre.now + 50
    centre.after(49.9)
    assert centre.phases("lin") == ("ringing",)
    centre.after(0.2)
    assert centre.phases("lin") == ("after_call_work",)


@pytest.mark.parametrize("seconds", [5.0, 60.0])
def test_an_agent_whose_page_is_gone_is_waited_for_as_long_as_is_set(seconds: float) -> None:
    house = House()
    house.queue()
    lin = house.sitting("lin")
    house.tell("agent:lin", evolve(lin.state.profile, patience=Patience(away=seconds)))
    house.tell("agent:lin", page.Detached("lin"))
    house.after(seconds - 0.1)
    assert phase(lin) is Phase.IDLE
    house.after(0.2)
    assert phase(lin) is Phase.SIGNED_OUT
