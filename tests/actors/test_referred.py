"""A far side that puts its call through to another number (REFER): who hears whom, what its trunk is told, and where it
comes to nothing. The line is played by the story."""

from __future__ import annotations

import pytest
from cordboard.actors import call_state as calls
from cordboard.actors import line, page, records, signals
from cordboard.actors.customs import CUSTOMS
from cordboard.actors.directory import Directory
from cordboard.actors.effects import Sip, Tell
from cordboard.actors.parties import Standing
from cordboard.actors.seconds import UNASKED_SECONDS
from cordboard.switch import protocol as media

from .house import CALLER, NOW, OFFER
from .party import HELD, LEG, OUTSIDE, TALKS, Centre, second
from .test_outside import said

NUMBER = "+8613800138001"
LINE = "c+1"
REFER = signals.Referred("c", NUMBER)
LEFT = signals.Released("c", "hung up", by_caller=True)
RINGS = {"customer": "", "lin": "ringback:CN", "left": "", "right": ""}
THROUGH = {"customer": "", "lin": "outside", "outside": "lin", "left": "outside", "right": "lin"}


@pytest.fixture
def centre() -> Centre:
    made = Centre().begin().answered()
    made.engine.command(media.OpenRtpLeg(OUTSIDE, "198.51.100.9", 4000, media.Codec("pcma", 8)), made.now)
    return made


def refers(centre: Centre) -> Centre:
    """... and the gate lets the number out."""
    centre.tell("call:c", REFER)
    centre.spawn(f"line:{LINE}", Directory())
    centre.sleep(f"line:{LINE}")
    centre.tell("call:c", line.LineBegun(LINE, NUMBER))
    return centre


def up(centre: Centre) -> Centre:
    centre.tell("call:c", line.LineRings(LINE, NUMBER, False, OUTSIDE), line.LineUp(LINE, OUTSIDE))
    return centre


def over(centre: Centre, why: str, status: int = 0, by: str = "system") -> None:
    centre.tell("call:c", line.LineOver(LINE, by, why, status))


def sip(centre: Centre) -> list[object]:
    """What the trunk is told of what it referred, and whether its call is ended."""
    kinds = (*signals.ReferralCommand.__args__, signals.Release)
    commands = [each.command for each in centre.of("call:c") if isinstance(each, Sip)]
    return [command for command in commands if isinstance(command, kinds)]


def to_line(centre: Centre) -> list[object]:
    return [each.message for each in centre.of("call:c") if isinstance(each, Tell) and each.to == f"line:{LINE}"]


def test_the_number_rings_and_then_has_the_place_of_who_referred(centre: Centre) -> None:
    centre.tell("call:c", REFER)
    assert said(centre, "switchboard") == [line.Reach(LINE, "call:c", "lin", NUMBER, trunk="carrier")]
    assert (sip(centre), centre.ears()) == ([], RINGS)
    centre.spawn(f"line:{LINE}", Directory())
    centre.sleep(f"line:{LINE}")
    centre.tell("call:c", line.LineBegun(LINE, NUMBER))
    assert sip(centre) == [signals.AcceptReferral("c")]
    rings = second("", kind="number", number=NUMBER, state="ringing", purpose="referred")
    assert centre.told("lin", page.CallParties)[-1] == page.CallParties("c", second=rings)
    centre.after(5)
    up(centre)
    assert sip(centre)[1:] == [
        signals.ReferralStands("c", 180), signals.ReferralStands("c", 200), signals.Release("c", "put through"),
    ]  # fmt: skip
    assert (centre.ears(), centre.standing) == (THROUGH, Standing.TALKING)
    assert LEG not in centre.engine.legs
    assert centre.told("lin", page.CallParties)[-1] == page.CallParties("c", number=NUMBER)
    (kept,) = centre.kept(records.TransferEntry)
    assert kept == records.TransferEntry("c", 1, "referred", "", NOW + 5, to=NUMBER, outcome="connected")
    assert [(each.party, each.ended, each.to) for each in centre.kept(records.LegEntry)] == [
        ("caller", NOW + 10, ""), ("lin", None, ""), ("outside", None, NUMBER),
    ]  # fmt: skip


def test_what_still_comes_of_who_referred_changes_nothing(centre: Centre) -> None:
    up(refers(centre))
    before = len(centre.said)
    crossing = (
        LEFT, signals.Confirmed("c", OFFER), signals.KeyPressed("c", "5"), REFER, media.LegSilent(LEG, 1.0),
        media.LegFailed(LEG, "gone"), media.DigitPressed(LEG, "5", 100, "event"),
    )  # fmt: skip
    centre.tell("call:c", *crossing)
    assert {type(effect).__name__ for _, effect in centre.said[before:]} == {"Log"}
    centre.after(100)
    assert (centre.ears(), centre.phases("lin")) == (THROUGH, ("talking",))


def test_whose_agent_leaves_has_its_place_in_the_record_as_long_as_it_waits(centre: Centre) -> None:
    """It is the far side of the call by now, and not a colleague who leaves with the agent."""
    up(refers(centre))
    centre.tell("call:c", calls.AgentGone("lin"))
    assert centre.standing is not calls.Phase.TALKING
    legs = [(each.party, each.ended is None) for each in centre.the_call.state.legs]
    assert legs == [("caller", False), ("lin", False), ("outside", True)]


def test_it_is_held_and_has_keys_as_any_customer(centre: Centre) -> None:
    up(refers(centre))
    centre.do("lin", page.Hold())
    assert centre.ears() == {**HELD, "customer": "", "outside": "on-hold"}
    centre.do("lin", page.Retrieve())
    assert centre.ears() == THROUGH
    centre.tell("call:c", calls.AgentDigit("lin", "5"))
    assert to_line(centre) == [line.SendDigit(LINE, "5")]
    over(centre, "hung_up", by="callee")
    assert centre.phases("lin") == ("after_call_work",)
    assert centre.told("lin", page.CallEnded) == [page.CallEnded("c", "caller", "hung up")]


def test_it_waits_in_the_queue_under_its_own_number_where_the_agent_is_gone(centre: Centre) -> None:
    up(refers(centre))
    centre.tell("call:c", calls.AgentGone("lin"))
    assert centre.standing is calls.Phase.WAITING
    offered = centre.told("wei", page.CallOffered)[-1]
    assert (offered.number, offered.name) == (NUMBER, "")
    centre.do("wei", page.Answer())
    assert centre.ears()["wei"] == "outside"
    over(centre, "hung_up", by="callee")
    assert "call:c" not in centre.actors


@pytest.mark.parametrize(
    ("why", "status", "told"),
    [("line_busy", 486, 486), ("not_answered", 0, 480), ("no_such_number", 404, 404), ("unreachable", 503, 503)],
)
def test_where_nobody_answers_who_referred_is_there_again(centre: Centre, why: str, status: int, told: int) -> None:
    over(refers(centre), why, status)
    assert (centre.ears(), centre.standing) == (TALKS, Standing.TALKING)
    assert sip(centre) == [signals.AcceptReferral("c"), signals.ReferralStands("c", told)]
    (said,) = centre.told("lin", page.CallSecondOver)
    assert (said.purpose, said.number, said.why, said.status) == ("referred", NUMBER, why, status)
    (kept,) = centre.kept(records.TransferEntry)
    assert (kept.outcome, kept.why) == ("returned", why)
    centre.tell("call:c", LEFT)
    assert centre.phases("lin") == ("after_call_work",)


def test_a_number_that_no_agent_asked_for_rings_for_a_minute(centre: Centre) -> None:
    refers(centre).after(UNASKED_SECONDS - 0.01)
    assert centre.standing is Standing.REFERRED
    centre.after(0.02)
    assert (centre.ears(), centre.standing) == (TALKS, Standing.TALKING)
    assert [each.why for each in centre.told("lin", page.CallSecondOver)] == ["not_answered"]


@pytest.mark.parametrize(
    ("why", "status"), [("not_allowed", 403), ("premium_rate", 403), ("not_a_number", 404), ("too_often", 503)]
)
def test_what_the_gate_bars_is_refused(centre: Centre, why: str, status: int) -> None:
    centre.tell("call:c", REFER)
    over(centre, why)
    assert (centre.ears(), sip(centre)) == (TALKS, [signals.RejectReferral("c", status)])
    assert [each.why for each in centre.told("lin", page.CallSecondOver)] == [why]
    assert centre.kept(records.TransferEntry) == []


def test_who_refers_may_hang_up_at_once(centre: Centre) -> None:
    refers(centre)
    centre.tell("call:c", LEFT)
    assert (centre.ears(), centre.phases("lin")) == (RINGS, ("talking",))
    up(centre)
    assert centre.ears() == THROUGH
    assert sip(centre)[1:] == [signals.ReferralStands("c", 180), signals.ReferralStands("c", 200)]


def test_who_hung_up_is_not_there_again(centre: Centre) -> None:
    refers(centre)
    centre.tell("call:c", LEFT)
    over(centre, "line_busy", 486)
    assert centre.phases("lin") == ("after_call_work",)
    assert centre.told("lin", page.CallEnded) == [page.CallEnded("c", "caller", "hung up")]
    assert sip(centre)[:2] == [signals.AcceptReferral("c"), signals.ReferralStands("c", 486)]


def test_who_hangs_up_before_the_gate_has_spoken_ends_the_call(centre: Centre) -> None:
    centre.tell("call:c", REFER, LEFT)
    assert "call:c" not in centre.actors
    centre.spawn(f"line:{LINE}", Directory())


def test_the_agent_goes_on_with_who_is_there(centre: Centre) -> None:
    refers(centre)
    centre.do("lin", page.Cancel())
    assert (centre.ears(), to_line(centre)) == (TALKS, [line.EndLine(LINE)])
    assert sip(centre) == [signals.AcceptReferral("c"), signals.ReferralStands("c", 487)]


@pytest.mark.parametrize("left", [False, True])
def test_the_agent_hangs_up_meanwhile(centre: Centre, left: bool) -> None:
    refers(centre)
    if left:
        centre.tell("call:c", LEFT)
    centre.do("lin", page.HangUp())
    assert "call:c" not in centre.actors
    assert sip(centre)[1] == signals.ReferralStands("c", 487)


@pytest.mark.parametrize("left", [False, True])
def test_the_agent_is_gone_meanwhile(centre: Centre, left: bool) -> None:
    refers(centre)
    if left:
        centre.tell("call:c", LEFT)
    centre.tell("call:c", calls.AgentGone("lin"))
    assert sip(centre)[1] == signals.ReferralStands("c", 487)
    assert ("call:c" in centre.actors) is not left
    if not left:
        assert centre.standing is calls.Phase.WAITING
        assert to_line(centre) == [line.EndLine(LINE)]


def test_it_is_heard_before_it_answers(centre: Centre) -> None:
    refers(centre)
    centre.tell("call:c", line.LineRings(LINE, NUMBER, True, OUTSIDE))
    assert centre.ears() == {**RINGS, "lin": "outside"}


def test_whoever_is_there_now_is_asked_how_satisfied_it_is(centre: Centre) -> None:
    """It is heard by a line, which says its keys."""
    up(refers(centre))
    centre.do("lin", page.Survey())
    assert (centre.standing, centre.ears()["outside"]) == (calls.Phase.GOODBYE, "survey")
    centre.tell("call:c", line.LineDigit(LINE, "5"))
    assert centre.kept(records.SurveyEntry)[-1].answer == ""
    centre.tell("call:c", line.LineDigit(LINE, "5", asked=True))
    assert centre.kept(records.SurveyEntry)[-1].answer == "5"


@pytest.mark.parametrize("left", [False, True])
def test_a_survey_ends_what_is_referred(centre: Centre, left: bool) -> None:
    refers(centre)
    if left:
        centre.tell("call:c", LEFT)
    centre.tell("call:c", calls.Survey("lin"))
    assert sip(centre)[1] == signals.ReferralStands("c", 487)
    assert (centre.kept(records.SurveyEntry) != []) is not left
    assert centre.phases("lin") == ("after_call_work",)


def test_a_call_is_put_through_so_often_and_no_more(centre: Centre) -> None:
    for serial in range(1, CUSTOMS.transfers + 1):
        centre.tell("call:c", REFER, line.LineBegun(f"c+{serial}", NUMBER))
        centre.tell("call:c", line.LineOver(f"c+{serial}", "system", "line_busy", 486))
    centre.tell("call:c", REFER)
    assert sip(centre)[-1] == signals.RejectReferral("c", 603)


def test_a_line_that_is_lost_is_the_end_of_who_was_put_through(centre: Centre) -> None:
    up(refers(centre))
    centre.crash(f"line:{LINE}")
    assert centre.phases("lin") == ("after_call_work",)


def test_it_is_declined_where_there_is_nobody_else_to_be_given(centre: Centre) -> None:
    declined = [signals.RejectReferral("c", 603)]
    centre.do("lin", page.Hold())
    centre.tell("call:c", REFER)
    assert sip(centre) == declined
    centre.do("lin", page.Retrieve(), page.Consult("wei"))
    centre.tell("call:c", REFER)
    assert sip(centre) == declined * 2
    assert centre.told("lin", page.CallOffered)[0].number == CALLER


def test_a_caller_that_waits_is_not_put_through() -> None:
    centre = Centre().begin("zoe")
    centre.do("zoe", page.SetState("break"))
    centre.call()
    centre.tell("call:c", REFER)
    assert sip(centre) == [signals.RejectReferral("c", 603)]
