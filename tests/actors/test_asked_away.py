"""A colleague who is asked into a call while its page reloads, crashes or loses its voice: it rings on there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cordboard.actors import page, records
from cordboard.actors.parties import Standing
from cordboard.actors.patience import PATIENCE

from .house import NOW, PAGE_OFFER
from .party import HELD, TALKS, Centre
from .test_consult import CONSULTS, RINGS

Away = Callable[[Centre], None]


@pytest.fixture
def centre() -> Centre:
    return Centre().begin().answered()


def closes(centre: Centre) -> None:
    """As a browser does on a reload: the media connection says goodbye, and the websocket is gone."""
    leg = centre.one("wei").state.voice
    centre.tell("agent:wei", page.Detached("wei"))
    centre.fact(*centre.engine.fail(leg, "closed", centre.now))


def loses_its_media(centre: Centre) -> None:
    centre.fact(*centre.engine.fail(centre.one("wei").state.voice, "closed", centre.now))


def loads(centre: Centre, session: str = "again") -> page.Snapshot:
    """A page that is loaded anew signs in by itself, and its media is connected."""
    centre.tell("agent:wei", page.Attached(session))
    snapshot = centre.ask("wei", page.GetSnapshot(), session)
    assert isinstance(snapshot, page.Snapshot)
    assert isinstance(centre.ask("wei", page.SignIn(sdp=PAGE_OFFER), session), page.Accepted)
    centre.fact(*centre.engine.connect(centre.one("wei").state.leg))
    return snapshot


def renews(centre: Centre) -> None:
    assert isinstance(centre.ask("wei", page.RenewMedia(PAGE_OFFER)), page.Accepted)
    centre.fact(*centre.engine.connect(centre.one("wei").state.leg))


def test_a_page_that_reloads_while_it_rings_finds_the_call_ringing(centre: Centre) -> None:
    centre.do("lin", page.Consult("wei"))
    closes(centre)
    centre.after(3)
    assert (centre.ears(), centre.phases()) == (RINGS, ("talking", "ringing"))
    snapshot = loads(centre)
    assert (snapshot.state, snapshot.owner) == (page.State.RINGING, "none")
    assert snapshot.offered == centre.told("wei", page.CallOffered)[0]
    centre.after(10)
    assert centre.ask("wei", page.Answer(), "again") == page.Accepted()
    assert (centre.ears(), centre.phases()) == (CONSULTS, ("talking", "talking"))
    assert centre.told("lin", page.CallSecondOver) == []
    (offer,) = [each for each in centre.kept(records.OfferEntry) if each.agent == "wei"]
    assert (offer.offered, offer.outcome) == (NOW + 5, records.Outcome.ANSWERED)


def test_a_voice_that_is_renewed_while_it_rings_is_the_one_that_answers(centre: Centre) -> None:
    centre.do("lin", page.Consult("wei"))
    loses_its_media(centre)
    assert centre.phases() == ("talking", "ringing")
    renews(centre)
    centre.do("wei", page.Answer())
    assert centre.ears() == CONSULTS


def test_a_computer_that_answers_no_check_rings_on_when_it_is_there_again(centre: Centre) -> None:
    centre.do("lin", page.Consult("wei"))
    leg = centre.one("wei").state.leg
    centre.fact(*centre.engine.uncheck(leg, 10.0))
    assert centre.phases() == ("talking", "ringing")
    centre.after(PATIENCE.away - 1)
    centre.fact(*centre.engine.check(leg))
    centre.after(2)
    centre.do("wei", page.Answer())
    assert centre.ears() == CONSULTS


@pytest.mark.parametrize(
    ("away", "stands", "reason"),
    [(closes, "signed_out", "page gone"), (loses_its_media, "idle", "media failed")],
)
def test_who_does_not_come_back_in_20_s_is_gone_and_the_customer_still_there(
    centre: Centre, away: Away, stands: str, reason: str
) -> None:
    centre.do("lin", page.Consult("wei"))
    centre.after(2)
    away(centre)
    centre.until(NOW + 7 + PATIENCE.away - 0.001)
    assert centre.standing is Standing.CONSULT_RINGS
    centre.until(NOW + 7 + PATIENCE.away)
    assert (centre.standing, centre.ears()) == (Standing.HELD, HELD)
    assert [each.why for each in centre.told("lin", page.CallSecondOver)] == ["gone"]
    wei = centre.one("wei").state
    assert (wei.phase.value, wei.reason) == (stands, reason)
    centre.do("lin", page.Retrieve())
    assert centre.ears() == TALKS


def test_each_absence_has_its_own_20_s_and_none_more_than_the_ring_time(centre: Centre) -> None:
    centre.do("lin", page.Consult("wei"))
    for before, session in (("wei", "again"), ("again", "once more")):
        centre.after(9)
        centre.tell("agent:wei", page.Detached(before))
        centre.after(3)
        loads(centre, session)
    centre.tell("agent:wei", page.Detached("once more"))
    centre.until(NOW + 5 + 30)
    assert (centre.standing, centre.phases()) == (Standing.HELD, ("talking", "break"))
    assert [each.why for each in centre.told("lin", page.CallSecondOver)] == ["no_answer"]


def test_who_is_invited_or_given_the_call_may_reload_too(centre: Centre) -> None:
    centre.do("lin", page.Invite("wei"))
    closes(centre)
    assert (centre.ears(), centre.standing) == (TALKS, Standing.INVITED)
    loads(centre)
    centre.do("lin", page.Cancel(), page.Transfer("wei"))
    centre.tell("agent:wei", page.Detached("again"))
    assert (centre.ears()["customer"], centre.phases()) == ("ringback:CN", ("after_call_work", "ringing"))
    loads(centre, "at last")
    assert centre.ask("wei", page.Answer(), "at last") == page.Accepted()
    assert centre.ears() == {"customer": "wei", "wei": "customer", "lin": "", "left": "customer", "right": "wei"}


def test_a_transfer_to_who_does_not_come_back_rings_at_who_gave_it(centre: Centre) -> None:
    centre.do("lin", page.Transfer("wei"))
    closes(centre)
    centre.after(PATIENCE.away)
    assert (centre.standing, centre.phases()) == (Standing.RETURNED, ("ringing", "signed_out"))
    assert centre.told("lin", page.CallOffered)[-1].why == "gone"


def test_a_call_that_comes_back_rings_on_for_who_reloads_in_its_paperwork(centre: Centre) -> None:
    centre.do("lin", page.Transfer("wei"))
    centre.do("wei", page.Decline())
    assert centre.phases() == ("ringing", "idle")
    centre.tell("agent:lin", page.Detached("lin"))
    assert centre.standing is Standing.RETURNED
    centre.after(PATIENCE.away)  # as long as it rings there
    assert centre.phases("lin") == ("after_call_work",)
    assert centre.standing.value == "waiting"
