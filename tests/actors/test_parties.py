"""Who is in a call: the table of it, standing by standing and turn by turn."""

from __future__ import annotations

from typing import get_args

import attrs
import pytest
from cordboard.actors import acts, call, line, parties, signals
from cordboard.actors import call_state as calls
from cordboard.actors import queue_state as queues
from cordboard.actors.effects import Effect, Log, Stop
from cordboard.actors.table import Bug, ImpossibleInputError, Late

from .house import NOW
from .positions import KNOWN, OFFERED, a_call

# How a call that an agent has comes to stand so: what is told to it, from TALKING on.
ACCEPTED = calls.Accept("wei", "agent:wei/1", "call:c", 1)
WAYS: dict[parties.Standing, list[object]] = {
    parties.Standing.TALKING: [],
    parties.Standing.HELD: [calls.Hold("lin")],
    parties.Standing.CONSULT_RINGS: [calls.Consult("lin", "wei", "Wei", OFFERED)],
    parties.Standing.CONSULT: [calls.Consult("lin", "wei", "Wei", OFFERED), ACCEPTED],
    parties.Standing.SWAPPED: [calls.Consult("lin", "wei", "Wei", OFFERED), ACCEPTED, calls.Swap("lin")],
    parties.Standing.INVITED: [calls.Invite("lin", "wei", "Wei", OFFERED)],
    parties.Standing.INVITED_HELD: [calls.Invite("lin", "wei", "Wei", OFFERED), calls.Hold("lin")],
    parties.Standing.THREE_WAY: [calls.Invite("lin", "wei", "Wei", OFFERED), ACCEPTED],
    parties.Standing.THREE_WAY_HELD: [calls.Invite("lin", "wei", "Wei", OFFERED), ACCEPTED, calls.Hold("lin")],
    parties.Standing.TRANSFER: [calls.Transfer("lin", "wei", "Wei", attrs.evolve(OFFERED, by="lin"), KNOWN)],
    parties.Standing.RETURNED: [
        calls.Transfer("lin", "wei", "Wei", attrs.evolve(OFFERED, by="lin"), KNOWN),
        queues.OfferOver("c", "wei", queues.GaveBack.DECLINED, 1),
    ],
}
WAYS[parties.Standing.JOINED] = [
    calls.Consult("lin", "", "", OFFERED, "+8613800138000"),
    line.LineUp("c+1", "line:c+1/caller"),
    calls.Complete("lin", KNOWN),
]
REFERRED = signals.Referred("c", "+8613800138001")
WAYS[parties.Standing.REFERRED] = [REFERRED, line.LineBegun("c+1", "+8613800138001")]
TURNS: list[object] = [
    calls.Hold("lin"),
    calls.Retrieve("lin"),
    calls.Consult("lin", "wei", "Wei", OFFERED),
    calls.Invite("lin", "wei", "Wei", OFFERED),
    calls.Transfer("lin", "wei", "Wei", OFFERED, KNOWN),
    calls.Divert("lin", KNOWN),
    calls.Complete("lin", KNOWN),
    calls.Cancel("lin"),
    calls.Swap("lin"),
    calls.Merge("lin"),
    parties.SecondUp("agent:wei/1"),
    parties.SecondFails("declined"),
    parties.SecondLeaves("hung_up"),
    parties.AgentHangsUp(),
    parties.AgentLeaves(),
    REFERRED,
]


@pytest.mark.parametrize("what", TURNS, ids=lambda what: type(what).__name__)
@pytest.mark.parametrize("standing", parties.Standing)
def test_every_turn_of_the_parties_does_what_its_row_says(standing: parties.Standing, what: object) -> None:
    made = a_call(calls.Phase.TALKING)
    assert isinstance(made, call.Call)
    for message in WAYS[standing]:
        made.receive(message, NOW)
    assert (made.state.phase, made.state.standing) == (calls.Phase.TALKING, standing)
    before = made.state
    entry = next(each for s, m, each in acts.PARTIES.pairs() if (s, m) == (standing, type(what)))
    if isinstance(entry, Bug):
        with pytest.raises(ImpossibleInputError, match=entry.why):
            made.turn(what, NOW + 1)
        assert made.state is before
    elif isinstance(entry, Late):
        late = (("input", type(what).__name__), ("state", standing.value), ("why", entry.why))
        assert made.turn(what, NOW + 1) == [Log("late", late, "debug")]
        assert made.state is before
    else:
        effects = made.turn(what, NOW + 1)
        assert all(isinstance(effect, get_args(Effect)) for effect in effects)
        ended = any(isinstance(effect, Stop) for effect in effects)
        data = made.state
        assert ended or data.agent or data.phase is calls.Phase.WAITING or data.standing in parties.LEFT
        assert (
            made.deadline() < float("inf")
            or (data.agent and data.standing not in parties.RINGS)
            or ended
            or (data.phase is calls.Phase.WAITING)
            or data.standing is parties.Standing.JOINED
        )


def test_every_turn_has_been_taken() -> None:
    assert {type(what) for what in TURNS} == set(acts.PARTIES.messages)
    assert set(WAYS) == set(parties.Standing)
