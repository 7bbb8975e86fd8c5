"""Session timers (RFC 4028), as either refresher, by UPDATE and by re-INVITE."""

from __future__ import annotations

import pytest
from attrs import evolve
from cordboard.sip import sdp
from cordboard.sip.endpoint import Endpoint, TrunkSettings
from cordboard.sip.events import CallEnded, CallReanswered, Output
from cordboard.sip.message import Request, Row

from . import net as n
from .far import PROXY, SDP_TYPE, Scripted, answered, events, reply, requests, responses, statuses

ALLOW = ("Allow", "INVITE, ACK, BYE, CANCEL, UPDATE")
SUPPORTED = ("Supported", "timer, 100rel")
CONTACT = ("Contact", "<sip:gw@192.0.2.9>")


def session(seconds: int, who: str = "") -> Row:
    return ("Session-Expires", f"{seconds}{f';refresher={who}' if who else ''}")


def test_a_call_between_two_of_us_lives_for_hours_and_ends_when_one_dies() -> None:
    net, a, b = n.pair()
    a.react = b.react = n.answering
    n.dial(net, a, b)
    net.run(4 * 3600)
    updates = [time for time, source, what in net.log if what == "UPDATE"]
    # the callee refreshes, every half of the interval
    assert [round(time) for time in updates] == [900 * (index + 1) for index in range(len(updates))]
    assert len(updates) == 15
    assert [what for _, _, what in net.log].count("200 UPDATE") == 15
    net.vanish(a)
    net.run(net.now + 900 + 40)
    assert b.events[-1] == CallEnded(b.last_call(), "lost")
    assert b.endpoint.live_calls == 0


def test_a_caller_that_never_refreshes_is_given_up_before_the_interval_ends() -> None:
    """RFC 4028 §10: 32 s before, or a third."""
    for seconds, lapses in ((1800, 1768.0), (90, 60.0)):
        far = Scripted(n.endpoint(n.A), SUPPORTED, session(seconds, "uac"), dialled=False)
        answer = responses(far.answered)[-1]
        assert answer.get("Session-Expires") == f"{seconds};refresher=uac"
        assert answer.get("Require") == "timer"
        assert events(far.wake(lapses - 0.1)) == []
        out = far.wake(lapses)
        assert [request.method for request in requests(out)] == ["BYE"]
        assert events(out) == [CallEnded(far.call, "expired")]


@pytest.mark.parametrize("by", ["INVITE", "UPDATE"])
def test_a_caller_that_refreshes_is_not_given_up(by: str) -> None:
    far = Scripted(n.endpoint(n.A), SUPPORTED, session(90, "uac"), dialled=False)
    now = 0.0
    for _ in range(5):
        now += 45.0
        far.wake(now)
        sdp = n.OFFER_A if by == "INVITE" else None
        out = far.send(by, SUPPORTED, session(90, "uac"), sdp=sdp, now=now)
        if by == "INVITE":
            out = far.endpoint.reanswer(far.call, n.OFFER_B, now)
            far.send("ACK", now=now)
        assert responses(out)[-1].get("Session-Expires") == "90;refresher=uac"
    assert far.endpoint.live_calls == 1
    assert events(far.wake(now + 60)) == [CallEnded(far.call, "expired")]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((SUPPORTED,), "1800;refresher=uas"),
        ((SUPPORTED, session(600)), "600;refresher=uas"),
        ((SUPPORTED, session(600, "uas")), "600;refresher=uas"),
        ((SUPPORTED, session(600, "UAC")), "600;refresher=uac"),
        ((session(600),), "600;refresher=uas"),  # put in by a proxy
        ((SUPPORTED, session(10**9)), "86400;refresher=uas"),
        ((SUPPORTED, ("Session-Expires", "soon")), "1800;refresher=uas"),
        # nothing less than the least that anybody on the way takes (§9)
        ((SUPPORTED, ("Min-SE", "3600")), "3600;refresher=uas"),
        ((), None),
    ],
)
def test_who_refreshes_is_agreed_with_the_caller(rows: tuple[Row, ...], said: str | None) -> None:
    """RFC 4028 §9."""
    far = Scripted(n.endpoint(n.A), *rows, dialled=False)
    answer = responses(far.answered)[-1]
    assert answer.get("Session-Expires") == said
    assert (answer.get("Require") == "timer") is (SUPPORTED in rows)


def test_an_interval_that_is_too_short_is_refused_with_ours() -> None:
    far = Scripted(n.endpoint(n.A), SUPPORTED, dialled=False)
    (refused,) = responses(far.send("UPDATE", SUPPORTED, session(60), now=1.0))
    assert (refused.status, refused.get("Min-SE")) == (422, "90")
    # who does not speak of timers cannot be told so
    assert statuses(far.send("UPDATE", session(60), now=1.0)) == [200]


@pytest.mark.parametrize("seconds", [0, 1, 89])
def test_an_interval_that_nobody_may_have_is_none(seconds: int) -> None:
    """RFC 4028 §4, §9: who knows of timers is told so; what a proxy put in cannot be refused, and is not obeyed: a
    refresh each half second, or before the ACK."""
    far = Scripted(n.endpoint(n.A), session(seconds), dialled=False)
    assert responses(far.answered)[-1].get("Session-Expires") is None
    assert far.wake(3600.0) == []
    assert statuses(far.send("UPDATE", session(seconds), now=3600.0)) == [200]
    assert far.wake(7200.0) == []
    assert far.endpoint.live_calls == 1


# --- as the one who asked -----------------------------------------------------------------------------------------


def dialled(*rows: Row) -> Scripted:
    return Scripted(n.endpoint(n.A), *rows)


def test_we_ask_for_half_an_hour_and_take_what_comes() -> None:
    far = dialled()
    assert far.invite.get("Session-Expires") == "1800"
    assert far.invite.get("Min-SE") is None
    assert far.invite.get("Supported") == "100rel, timer"
    # without Session-Expires in the 2xx nobody refreshes (RFC 4028 §7.2)
    assert far.wake(7200) == []
    assert far.endpoint.live_calls == 1


def refreshed(far: Scripted, at: float) -> tuple[Request, list[Output]]:
    """What we send at that moment and not before."""
    assert requests(far.wake(at - 0.1)) == []
    out = far.wake(at)
    (request,) = requests(out)
    return request, out


def test_we_refresh_by_update_where_they_take_it() -> None:
    far = dialled(ALLOW, session(600, "uac"))
    update, _ = refreshed(far, 300.0)
    assert (update.method, update.body) == ("UPDATE", b"")
    assert update.get("Session-Expires") == "600;refresher=uac"
    assert update.get("Contact")
    out = reply(far.endpoint, update, 200, CONTACT, session(400, "uac"), tag="far", now=300.1)
    assert events(out) == []
    update, _ = refreshed(far, 500.1)
    # and they may take it over
    reply(far.endpoint, update, 200, CONTACT, session(400, "uas"), tag="far", now=500.1)
    assert events(far.wake(500.1 + 400 - 32)) == [CallEnded("out", "expired")]


def test_we_refresh_by_reinvite_where_they_do_not() -> None:
    far = dialled(("Allow", "INVITE, ACK, BYE"), session(600, "uac"))
    invite, _ = refreshed(far, 300.0)
    assert (invite.method, invite.body, invite.to.tag) == ("INVITE", bytes(n.OFFER_A), "far")
    assert invite.get("Session-Expires") == "600;refresher=uac"
    answer = n.answer_to(n.OFFER_A, port=4444)
    out = reply(
        far.endpoint, invite, 200, CONTACT, SDP_TYPE, session(600, "uac"), body=bytes(answer), tag="far", now=300.1
    )
    assert events(out) == [CallReanswered("out", answer)]
    assert refreshed(far, 600.1)[0].method == "INVITE"


def test_a_refresh_that_waits_says_what_was_agreed_on_meanwhile() -> None:
    """It crossed their hold, for which it made way: what it would have said before is older than our answer."""
    far = dialled(SUPPORTED, session(600, "uac"))
    reinvite, _ = refreshed(far, 300.0)
    reply(far.endpoint, reinvite, 491, now=300.1, tag="far")
    held = sdp.offer("192.0.2.2", 4002, session_id=2, version=2, direction="sendonly")
    far.send("INVITE", SUPPORTED, sdp=held, now=300.2)
    answer = sdp.answer(held, sdp.negotiate(held), "192.0.2.1", 4000, session_id=1, version=2)
    far.endpoint.reanswer(far.call, answer, 300.3)
    far.send("ACK", now=300.4)
    again, *_ = (each for each in requests(far.wake(310.0)) if each.method == "INVITE")
    assert again.body == bytes(answer)


def test_a_refresh_takes_no_new_offers_place() -> None:
    far = dialled(SUPPORTED, session(600, "uac"))
    far.send("INVITE", sdp=n.OFFER_B, now=299.9)
    assert requests(far.endpoint.reoffer(far.call, n.OFFER_B, 299.95)) == [], "theirs is open"
    assert requests(far.wake(300.0)) == []
    (ours,) = [each for each in requests(far.endpoint.reject_reoffer(far.call, 488, 300.1)) if each.method == "INVITE"]
    assert ours.body == bytes(n.OFFER_B)


def test_a_refresh_that_comes_due_takes_the_place_of_no_offer_that_is_made_again() -> None:
    """Their hold crossed it, so that what was said last is the answer to that."""
    far = dialled(SUPPORTED, session(600, "uac"))
    (ours,) = requests(far.endpoint.reoffer(far.call, n.OFFER_B, 299.9))
    far.wake(300.0)
    reply(far.endpoint, ours, 491, now=300.1, tag="far")
    held = sdp.offer("192.0.2.2", 4002, session_id=2, version=2, direction="sendonly")
    far.send("INVITE", SUPPORTED, sdp=held, now=300.2)
    answer = sdp.answer(held, sdp.negotiate(held), "192.0.2.1", 4000, session_id=1, version=2)
    far.endpoint.reanswer(far.call, answer, 300.3)
    far.send("ACK", now=300.4)
    again, *_ = (each for each in requests(far.wake(310.0)) if each.method == "INVITE")
    assert again.body == bytes(n.OFFER_B)


def test_a_peer_that_had_no_update_after_all_is_asked_otherwise() -> None:
    far = dialled(ALLOW, session(600, "uac"))
    update, _ = refreshed(far, 300.0)
    (invite,) = requests(reply(far.endpoint, update, 405, tag="far", now=300.1))
    assert (invite.method, invite.body) == ("INVITE", bytes(n.OFFER_A))


@pytest.mark.parametrize("status", [481, 408])
def test_a_peer_that_knows_no_such_call_ends_it(status: int) -> None:
    far = dialled(ALLOW, session(600, "uac"))
    update, _ = refreshed(far, 300.0)
    out = reply(far.endpoint, update, status, tag="far", now=300.1)
    assert [request.method for request in requests(out)] == ["BYE"]
    assert events(out) == [CallEnded("out", "lost")]


def test_a_refresh_that_is_always_refused_lets_the_session_end_when_it_ends() -> None:
    far = dialled(ALLOW, session(600, "uac"))
    update, _ = refreshed(far, 300.0)
    for count in range(1, 5):
        assert reply(far.endpoint, update, 500, tag="far", now=300.0 + 60 * (count - 1)) == []
        update, out = refreshed(far, 300.0 + 60 * count)
        assert events(out) == []
    reply(far.endpoint, update, 500, tag="far", now=540.1)
    assert events(far.wake(599.9)) == []
    assert events(far.wake(600.0)) == [CallEnded("out", "expired")]


@pytest.mark.parametrize("allow", [ALLOW, ("Allow", "INVITE, ACK, BYE")], ids=["UPDATE", "INVITE"])
def test_a_refresh_that_is_refused_for_now_is_asked_again_when_they_say(allow: Row) -> None:
    """As one that meets another transaction of theirs is (RFC 3261 §14.2, RFC 3311 §5.2)."""
    far = dialled(allow, session(600, "uac"))
    request, _ = refreshed(far, 300.0)
    reply(far.endpoint, request, 500, ("Retry-After", "7"), tag="far", now=300.1)
    far.wake(300.2)
    again, _ = refreshed(far, 307.1)
    rows = (CONTACT, SDP_TYPE, session(600, "uac"))
    reply(far.endpoint, again, 200, *rows, body=bytes(n.answer_to(n.OFFER_A)), tag="far", now=307.2)
    assert refreshed(far, 607.2)[0].method == request.method
    assert far.endpoint.live_calls == 1


def test_a_longer_interval_is_asked_for_as_each_on_the_way_wants_it() -> None:
    """RFC 4028 §7.1, §7.3: a proxy first, then the callee; who is never content is not asked in circles."""
    endpoint = n.endpoint(n.A)
    endpoint.settings = evolve(endpoint.settings, session_expires=90)
    (invite,) = requests(endpoint.dial("out", "sip:600@192.0.2.9", PROXY, "1001", n.OFFER_A, 0.0))
    assert invite.get("Session-Expires") == "90"
    ack, again = requests(reply(endpoint, invite, 422, ("Min-SE", "3600")))
    assert (ack.method, again.method, again.cseq, again.body) == ("ACK", "INVITE", 2, invite.body)
    assert (again.get("Session-Expires"), again.get("Min-SE")) == ("3600", "3600")
    for least in (7200, 7300):
        _, again = requests(reply(endpoint, again, 422, ("Min-SE", str(least))))
        assert (again.get("Session-Expires"), again.get("Min-SE")) == (str(least), str(least))
    out = reply(endpoint, again, 422, ("Min-SE", "7400"))
    assert [getattr(each, "status", None) for each in events(out)] == [422]


def test_an_interval_that_was_granted_before_is_too_short_for_nobody_else() -> None:
    """The same least again is no news, and asking again would be a circle."""
    endpoint = n.endpoint(n.A)
    (invite,) = requests(endpoint.dial("out", "sip:600@192.0.2.9", PROXY, "1001", n.OFFER_A, 0.0))
    _, again = requests(reply(endpoint, invite, 422, ("Min-SE", "3600")))
    out = reply(endpoint, again, 422, ("Min-SE", "3600"))
    assert [getattr(each, "status", None) for each in events(out)] == [422]


@pytest.mark.parametrize("least", [None, "60", "soon", "999999999"])
def test_an_interval_that_makes_no_sense_is_not_asked_for(least: str | None) -> None:
    endpoint = n.endpoint(n.A)
    (invite,) = requests(endpoint.dial("out", "sip:600@192.0.2.9", PROXY, "1001", n.OFFER_A, 0.0))
    out = reply(endpoint, invite, 422, *([("Min-SE", least)] if least else []))
    assert [getattr(each, "status", None) for each in events(out)] == [422]


def test_a_timer_runs_on_in_the_next_process() -> None:
    far = dialled(ALLOW, session(600, "uac"))
    far.wake(100.0)
    kept = far.endpoint.snapshot("out")
    assert kept is not None
    far.endpoint = Endpoint(far.endpoint.settings, lambda: "second")
    far.endpoint.set_trunks({"carrier": TrunkSettings(("192.0.2.0/24",))})
    assert far.endpoint.restore(kept, 200.0) == []
    assert refreshed(far, 300.0)[0].method == "UPDATE"
    assert events(far.wake(600.0)) == [CallEnded("out", "lost")]


def test_an_answered_call_that_is_hung_up_refreshes_nothing() -> None:
    far = dialled(ALLOW, session(90, "uac"))
    far.endpoint.hang_up("out", 1.0)
    assert not [request for request in requests(far.wake(300.0)) if request.method != "BYE"]
    endpoint = n.endpoint(n.A)
    (invite,) = requests(endpoint.dial("out", "sip:600@192.0.2.9", PROXY, "1001", n.OFFER_A, 0.0))
    assert [type(each).__name__ for each in events(answered(endpoint, invite))] == ["CallAnswered"]
