"""The cause in a Reason header (RFC 3326): theirs, and ours in whatever ends a call."""

from __future__ import annotations

import pytest
from cordboard.sip.endpoint import Endpoint
from cordboard.sip.events import CallFailed, Output
from cordboard.sip.message import Request
from cordboard.sip.reason import CLEARED, ELSEWHERE, TIMER, q850

from . import net as n
from .far import PROXY, Scripted, answered, reply, requests, responses
from .test_guests import build


@pytest.mark.parametrize(
    ("values", "cause"),
    [
        ((), 0),
        (("Q.850;cause=17",), 17),
        (('q.850 ;cause=16;text="Terminated"',), 16),
        (('SIP;cause=580;text="x", Q.850;cause=20',), 20),
        (("SIP;cause=200", "Q.850;cause=1"), 1),
        (("SIP;cause=17",), 0),
        (("Q.850;cause=128",), 0),
        (("Q.850;cause=\u0661",), 0),
        (("Q.850;cause=1_0",), 0),
        (("Q.850;cause",), 0),
        (("Q.850",), 0),
        (("Q.850;cause=;x",), 0),
        (("Q.850;cause=+5",), 0),
        ((";;,",), 0),
        (("Q.850;text=;cause=17",), 0),
    ],
)
def test_the_cause_that_a_message_tells(values: tuple[str, ...], cause: int) -> None:
    endpoint = n.endpoint(n.A)
    (invite,) = requests(endpoint.dial("out", "sip:600@192.0.2.9", PROXY, "1001", n.OFFER_A, 0.0))
    (*_, failed) = reply(endpoint, invite, 480, *(("Reason", value) for value in values))
    assert isinstance(failed, CallFailed)
    assert failed.cause == cause


def test_other_messages_tell_it_too() -> None:
    endpoint = n.endpoint(n.A)
    (refused,) = responses(endpoint.receive(build("BYE", ("Reason", "Q.850;cause=31"), tag="x"), PROXY, 0.0))
    assert (refused.status, q850(refused)) == (481, 0)


def said(out: list[Output]) -> dict[str, str | None]:
    return {each.method: each.get("Reason") for each in requests(out) if each.method in ("BYE", "CANCEL")}


def dialling() -> tuple[Endpoint, Request]:
    endpoint = n.endpoint(n.A)
    (invite,) = requests(endpoint.dial("out", "sip:600@192.0.2.9", PROXY, "1001", n.OFFER_A, 0.0))
    return endpoint, invite


@pytest.mark.parametrize("again", [False, True])
def test_a_cancel_says_why_also_where_it_had_to_wait(again: bool) -> None:
    """RFC 3261 §9.1: for a provisional response; and over a restart of the process."""
    endpoint, invite = dialling()
    assert said(endpoint.hang_up("out", 0.1, ELSEWHERE)) == {}
    if again:
        ((_, snapshot),) = endpoint.snapshots()
        endpoint = n.endpoint(n.A, life=1)
        endpoint.restore(snapshot, 1.0)
    assert said(reply(endpoint, invite, 180, now=1.1)) == {"CANCEL": ELSEWHERE}
    assert said(answered(endpoint, invite)) == {"BYE": ELSEWHERE}


def test_a_bye_says_why_also_where_the_ack_comes_first() -> None:
    far = Scripted(n.endpoint(n.A), dialled=False, acknowledges=False)
    assert said(far.endpoint.hang_up(far.call, 0.1, CLEARED)) == {}
    assert said(far.send("ACK", now=0.2)) == {"BYE": CLEARED}


def test_what_ends_by_its_time_says_so() -> None:
    far = Scripted(n.endpoint(n.A), dialled=False, acknowledges=False)
    assert said(far.wake(40.0)) == {"BYE": TIMER}
    far = Scripted(n.endpoint(n.A), ("Session-Expires", "90;refresher=uas"), ("Supported", "timer"))
    assert said(far.wake(100.0)) == {"BYE": TIMER}


def test_who_answered_too_behind_a_fork_hears_that_another_did() -> None:
    endpoint, invite = dialling()
    answered(endpoint, invite, "one")
    assert said(answered(endpoint, invite, "other")) == {"BYE": ELSEWHERE}
