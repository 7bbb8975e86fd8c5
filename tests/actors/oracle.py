"""Who has to hear whom in a call, by its standing: the table of what was promised, beside the function that does it."""

from __future__ import annotations

from cordboard.actors import call_state as calls
from cordboard.actors.parties import Standing
from cordboard.switch import protocol as media
from cordboard.switch.model import ModelEngine

from .house import what_is_heard

# Standing -> who hear each other, who is held, and who hears it ring: C the customer, A the agent, S the second party.
TOGETHER: dict[Standing, tuple[str, str, str]] = {
    Standing.TALKING: ("CA", "", ""),
    Standing.HELD: ("A", "C", ""),
    Standing.CONSULT_RINGS: ("A", "C", "A"),
    Standing.CONSULT: ("AS", "C", ""),
    Standing.SWAPPED: ("CA", "S", ""),
    Standing.INVITED: ("CA", "", ""),
    Standing.INVITED_HELD: ("A", "C", "A"),
    Standing.THREE_WAY: ("CAS", "", ""),
    Standing.THREE_WAY_HELD: ("AS", "C", ""),
    Standing.TRANSFER: ("C", "", "C"),
    Standing.RETURNED: ("C", "", "C"),
    Standing.JOINED: ("CS", "", ""),
    Standing.REFERRED: ("A", "", "A"),
}


def assert_heard(engine: ModelEngine, data: calls.Data) -> None:
    """... is what the model engine has been told, of a call in which somebody talks or is to."""
    together, held, ringing = TOGETHER[data.standing]
    second = data.second
    legs = {"C": data.leg, "A": data.agent_leg, "S": second.leg if second is not None else ""}
    away = {"C": False, "A": data.agent_away, "S": second is not None and second.away}
    muted = {"C": False, "A": data.muted, "S": second is not None and second.muted}
    speaks = {who: legs[who] for who in together if legs[who] and not muted[who] and not away[who]}
    for who in together + held:
        if not legs[who]:
            continue
        others = [each for each in together if each != who]
        if who in held:
            wanted = {"on-hold"}
        elif who in ringing and second is not None and second.early and who == "A":
            wanted = {legs["S"]}  # what it lets be heard before it answers
        elif who in ringing:
            wanted = {f"ringback:{data.country}"}
        elif others and all(away[each] for each in others):
            wanted = {"agent-away"}
        else:
            wanted = {leg for each, leg in speaks.items() if each != who}
        assert set(what_is_heard(engine, legs[who]).split()) == wanted, (data.arrived.call, data.standing, who)
    if data.entry is not None and data.entry.recorded:
        call, talks = data.arrived.call, "C" in together
        assert set(engine.hears(media.left(call))) == ({data.leg} if talks else set())
        right = {leg for each, leg in speaks.items() if each != "C"} if talks else set()
        assert set(engine.hears(media.right(call))) == right
    assert data.held is ("C" in held)
    assert (data.held_since < float("inf")) is data.held
