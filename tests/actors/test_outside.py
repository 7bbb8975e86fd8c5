"""Second parties outside, by lines: an outside number, a colleague's mobile. The line is played by the story."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from attrs import evolve
from cordboard.actors import agent_state as agents
from cordboard.actors import call_state as calls
from cordboard.actors import line, page, records, signals
from cordboard.actors.directory import Directory
from cordboard.actors.effects import Tell
from cordboard.actors.parties import Standing
from cordboard.actors.patience import PATIENCE, Patience
from cordboard.actors.switchboard import FindRoute
from cordboard.switch import protocol as media

from .house import NOW, code
from .party import HELD, OUTSIDE, TALKS, Centre, second

NUMBER = "+8613800138000"
WANTED = "13800138000"
LINE = "c+1"
RINGS = {"customer": "on-hold", "lin": "ringback:CN", "left": "", "right": ""}
CONSULTS = {"customer": "on-hold", "lin": "outside", "outside": "lin", "left": "", "right": ""}
JOINED = {"customer": "outside", "outside": "customer", "lin": "", "left": "customer", "right": "outside"}
THREE = {
    "customer": "lin outside", "lin": "customer outside", "outside": "customer lin", "left": "customer",
    "right": "lin outside",
}  # fmt: skip


@pytest.fixture
def centre() -> Centre:
    made = Centre().begin().answered()
    made.engine.command(media.OpenRtpLeg(OUTSIDE, "198.51.100.9", 4000, media.Codec("pcma", 8)), made.now)
    return made


def said(centre: Centre, to: str) -> list[object]:
    """... since it has its route."""
    told = (each.message for each in centre.of("call:c") if isinstance(each, Tell) and each.to == to)
    return [each for each in told if not isinstance(each, FindRoute)]


def begun(centre: Centre) -> Centre:
    """There is somebody of the line's name, who does nothing."""
    centre.spawn(f"line:{LINE}", Directory())
    centre.sleep(f"line:{LINE}")
    centre.tell("call:c", line.LineBegun(LINE, NUMBER))
    return centre


def up(centre: Centre) -> Centre:
    centre.tell("call:c", line.LineRings(LINE, NUMBER, False, OUTSIDE), line.LineUp(LINE, OUTSIDE))
    return centre


def over(centre: Centre, why: str, status: int = 0, by: str = "system") -> None:
    centre.tell("call:c", line.LineOver(LINE, by, why, status))


def consulting(centre: Centre) -> Centre:
    centre.do("lin", page.Consult(number=WANTED))
    return up(begun(centre))


def test_an_outside_number_is_consulted(centre: Centre) -> None:
    centre.do("lin", page.Consult(number=WANTED))
    assert said(centre, "switchboard") == [line.Reach(LINE, "call:c", "lin", WANTED)]
    assert centre.ears() == RINGS
    begun(centre)
    outside = second("", kind="number", number=NUMBER, state="ringing")
    assert centre.told("lin", page.CallParties)[-1] == page.CallParties("c", "agent", True, NOW + 5, outside)
    centre.tell("call:c", line.LineRings(LINE, NUMBER, True, OUTSIDE))
    assert centre.ears() == {**RINGS, "lin": "outside"}
    up(centre)
    assert centre.ears() == CONSULTS
    centre.do("lin", page.Swap())
    assert centre.ears() == {**TALKS, "outside": "on-hold"}
    centre.do("lin", page.Swap(), page.Merge())
    assert centre.ears() == THREE
    centre.do("lin", page.Cancel())
    assert (centre.ears(), said(centre, f"line:{LINE}")) == (TALKS, [line.EndLine(LINE)])


def test_a_colleague_on_its_mobile_in_any_state(centre: Centre) -> None:
    profile = centre.one("wei").state.profile
    centre.do("wei", page.SetState("break"))
    assert code(centre.ask("lin", page.Consult("wei"))) == "agent_not_idle"
    assert code(centre.ask("lin", page.Consult("wei", mobile=True))) == "no_mobile"
    centre.tell("agent:wei", type(profile)("wei", "Wei", (agents.Skill("support"),), mobile=NUMBER))
    centre.do("lin", page.Consult("wei", mobile=True))
    assert said(centre, "switchboard") == [line.Reach(LINE, "call:c", "lin", "", "wei", True)]
    up(begun(centre))
    assert centre.ears() == CONSULTS
    assert centre.told("lin", page.CallParties)[-1].second == second("wei", kind="mobile")
    assert centre.told("wei", page.CallParties) == []
    assert centre.phases() == ("talking", "break")


@pytest.mark.parametrize(("why", "status"), [("line_busy", 486), ("not_allowed", 0), ("no_such_number", 404)])
def test_a_number_that_is_not_reached_is_told_with_its_reason(centre: Centre, why: str, status: int) -> None:
    centre.do("lin", page.Consult(number=WANTED))
    over(centre, why, status)
    assert centre.ears() == HELD
    (told,) = centre.told("lin", page.CallSecondOver)
    assert (told.kind, told.number, told.why, told.status) == ("number", WANTED, why, status)
    assert said(centre, f"line:{LINE}") == []


ASKED = ({"agent": "wei"}, {"agent": "wei", "mobile": True}, {"number": WANTED})


@pytest.mark.parametrize("seconds", [PATIENCE.ring, 12.5])
@pytest.mark.parametrize("target", ASKED)
@pytest.mark.parametrize("asks", [page.Consult, page.Invite, page.Transfer])
def test_whoever_is_asked_has_the_same_time_to_answer(
    centre: Centre, asks: type[page.Consult | page.Invite | page.Transfer], target: dict[str, Any], seconds: float
) -> None:
    """A colleague, a colleague's mobile and a number outside; an answer a moment before the end counts."""
    for name in ("lin", "wei"):
        profile = evolve(centre.one(name).state.profile, mobile=NUMBER, patience=Patience(ring=seconds))
        centre.tell(f"agent:{name}", profile)
    centre.do("lin", asks(**target))
    by_line = target != ASKED[0]
    if by_line:
        begun(centre)
        centre.tell("call:c", line.LineRings(LINE, NUMBER, False, OUTSIDE))
    rings = centre.the_call.state.standing
    centre.after(seconds - 0.01)
    assert centre.the_call.state.standing is rings
    centre.after(0.02)
    why = "not_answered" if by_line else "no_answer"
    if asks is page.Transfer:
        assert centre.the_call.state.standing is Standing.RETURNED
        assert [each.why for each in centre.told("lin", page.CallOffered)] == ["", why]
    else:
        assert centre.ears() == (HELD if asks is page.Consult else TALKS)
        assert [each.why for each in centre.told("lin", page.CallSecondOver)] == [why]
    if by_line:
        assert said(centre, f"line:{LINE}") == [line.EndLine(LINE)]


@pytest.mark.parametrize("target", ASKED)
def test_an_answer_at_the_last_moment_counts(centre: Centre, target: dict[str, Any]) -> None:
    centre.tell("agent:wei", evolve(centre.one("wei").state.profile, mobile=NUMBER))
    centre.do("lin", page.Consult(**target))
    by_line = target != ASKED[0]
    if by_line:
        begun(centre)
    centre.after(PATIENCE.ring - 0.01)
    if by_line:
        up(centre)
    else:
        centre.do("wei", page.Answer())
    centre.after(PATIENCE.ring)
    assert centre.standing is Standing.CONSULT


def test_complete_leaves_the_customer_with_the_outside_party(centre: Centre) -> None:
    consulting(centre).after(10)
    centre.do("lin", page.Complete())
    assert (centre.ears(), centre.phases("lin"), centre.standing) == (JOINED, ("after_call_work",), Standing.JOINED)
    assert [(each.party, each.ended, each.to) for each in centre.kept(records.LegEntry)] == [
        ("caller", None, ""), ("lin", NOW + 15, ""), ("outside", None, NUMBER),
    ]  # fmt: skip
    over(centre, "hung_up", by="callee")
    assert "call:c" not in centre.actors
    assert isinstance(centre.sip()[-1], signals.Release)


def test_the_customer_leaves_the_outside_party(centre: Centre) -> None:
    consulting(centre)
    centre.do("lin", page.Complete())
    centre.tell("call:c", signals.Released("c", "hung up", by_caller=True))
    assert "call:c" not in centre.actors


def test_a_blind_transfer_to_a_number(centre: Centre) -> None:
    centre.do("lin", page.Transfer(number=WANTED))
    ringing = {"customer": "ringback:CN", "lin": "", "left": "customer", "right": ""}
    assert (centre.ears(), centre.phases("lin")) == (ringing, ("after_call_work",))
    begun(centre)
    centre.tell("call:c", line.LineRings(LINE, NUMBER, True, OUTSIDE))
    assert centre.ears() == ringing
    up(centre)
    assert centre.ears() == JOINED


def test_a_blind_transfer_that_is_not_reached_rings_back(centre: Centre) -> None:
    centre.do("lin", page.Transfer(number=WANTED))
    over(centre, "line_busy", 486)
    returned = centre.told("lin", page.CallOffered)[-1]
    assert (returned.purpose, returned.by, returned.by_number, returned.why, returned.status) == (
        "returned", "", WANTED, "line_busy", 486,
    )  # fmt: skip
    centre.do("lin", page.Answer())
    assert centre.ears() == TALKS


def test_three_with_an_outside_party_end_with_the_agent(centre: Centre) -> None:
    centre.do("lin", page.Invite(number=WANTED))
    up(begun(centre))
    assert centre.ears() == THREE
    centre.do("lin", page.HangUp())
    assert "call:c" not in centre.actors
    assert centre.phases("lin") == ("after_call_work",)


def test_an_agent_who_is_lost_takes_the_outside_party_along(centre: Centre) -> None:
    centre.do("lin", page.Invite(number=WANTED))
    up(begun(centre))
    centre.crash("agent:lin")
    assert centre.standing is calls.Phase.WAITING
    assert said(centre, f"line:{LINE}") == [line.EndLine(LINE)]
    assert (centre.ears()["customer"], centre.engine.hears(OUTSIDE)) == ("music", {})


def test_the_outside_party_hangs_up_or_is_lost(centre: Centre) -> None:
    consulting(centre)
    over(centre, "hung_up", by="callee")
    assert centre.ears() == HELD
    assert [each.why for each in centre.told("lin", page.CallSecondOver)] == ["hung_up"]


def test_a_line_that_begins_when_nobody_wants_it_any_more_is_ended(centre: Centre) -> None:
    centre.do("lin", page.Consult(number=WANTED), page.Cancel())
    centre.tell("call:c", line.LineBegun(LINE, NUMBER), line.LineUp(LINE, OUTSIDE))
    assert centre.ears() == TALKS
    assert said(centre, f"line:{LINE}") == [line.EndLine(LINE), line.EndLine(LINE)]


def test_keys_go_to_whoever_hears_the_agent(centre: Centre) -> None:
    consulting(centre)
    centre.tell("call:c", calls.AgentDigit("lin", "1"))
    centre.do("lin", page.Swap())
    centre.tell("call:c", calls.AgentDigit("lin", "2"))
    centre.do("lin", page.Merge())
    centre.tell("call:c", calls.AgentDigit("lin", "3"), line.LineDigit(LINE, "4"))
    assert said(centre, f"line:{LINE}") == [line.SendDigit(LINE, "1"), line.SendDigit(LINE, "3")]
    assert centre.engine.sent("call:c/caller") == "234"


def key(digit: str, how: Literal["event", "tone"] = "event") -> media.DigitPressed:
    return media.DigitPressed("call:c/caller", digit, 100, how)


def test_keys_of_the_customer_and_the_outside_party_go_to_each_other_where_they_are_together(centre: Centre) -> None:
    """As a menu outside wants them; by INFO too. A tone has been heard, and while one is held nothing gets through."""
    consulting(centre)
    centre.tell("call:c", key("1"), line.LineDigit(LINE, "1"))
    centre.do("lin", page.Merge())
    centre.tell("call:c", key("2"), key("3", "tone"), signals.KeyPressed("c", "4"))
    centre.tell("call:c", line.LineDigit(LINE, "5"), line.LineDigit(LINE, "6", sounded=True))
    centre.do("lin", page.Hold())
    centre.tell("call:c", key("7"), line.LineDigit(LINE, "7"))
    assert said(centre, f"line:{LINE}") == [line.SendDigit(LINE, digit) for digit in "24"]
    assert centre.engine.sent("call:c/caller") == "5"


def test_keys_go_to_each_other_of_those_whom_the_agent_has_joined(centre: Centre) -> None:
    consulting(centre)
    centre.do("lin", page.Complete())
    assert centre.standing is Standing.JOINED
    centre.tell("call:c", key("8"), line.LineDigit(LINE, "9"), calls.AgentDigit("lin", "1"))
    assert said(centre, f"line:{LINE}") == [line.SendDigit(LINE, "8")]
    assert centre.engine.sent("call:c/caller") == "9"


def test_one_target_and_no_more(centre: Centre) -> None:
    for act in (page.Consult(), page.Consult("wei", number=WANTED), page.Invite(mobile=True, number=WANTED)):
        assert code(centre.ask("lin", act)) == "bad_target"
    assert code(centre.ask("lin", page.Transfer("wei", "sales", number=WANTED))) == "bad_target"
    assert code(centre.ask("lin", page.Consult("lin", mobile=True))) == "own_self"
