"""The cause in a Reason header (RFC 3326)."""

from __future__ import annotations

import pytest
from cordboard.sip.events import CallFailed
from cordboard.sip.reason import q850

from . import net as n
from .far import PROXY, reply, requests, responses
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
