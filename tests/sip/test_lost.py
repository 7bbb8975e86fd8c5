"""Each message of a call that may get lost, on its way from us and to us: it comes again, and nothing happens twice."""

from __future__ import annotations

from functools import partial

import pytest
from cordboard.sip.events import CallAnswered, CallConfirmed, CallEnded, CallFailed, IncomingCall
from cordboard.sip.message import Address

from . import net as n
from .far import PROXY, SDP_TYPE, Scripted, events, reply, requests, responses, statuses

UNTIL = 31.9  # 64*T1, but for a moment


def scripted(*, dialled: bool) -> Scripted:
    return Scripted(n.endpoint(n.A), dialled=dialled)


# --- BYE ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialled", [False, True])
def test_our_bye_comes_again_until_it_is_answered(dialled: bool) -> None:
    far = scripted(dialled=dialled)
    (bye,) = requests(far.endpoint.hang_up(far.call, 0.0))
    again = requests(far.wake(3.6))
    assert [each.method for each in again] == ["BYE"] * 3
    assert {(each.via.branch, each.cseq) for each in again} == {(bye.via.branch, bye.cseq)}
    assert events(reply(far.endpoint, bye, 200, tag=far.tag, now=3.7)) == []
    assert requests(far.wake(100.0)) == []
    assert far.endpoint.idle


@pytest.mark.parametrize("dialled", [False, True])
def test_a_bye_that_nobody_answers_is_the_end_all_the_same(dialled: bool) -> None:
    far = scripted(dialled=dialled)
    far.endpoint.hang_up(far.call, 0.0)
    assert far.endpoint.live_calls == 0
    assert [each.method for each in requests(far.wake(UNTIL))] == ["BYE"] * 10
    assert requests(far.wake(200.0)) == []
    assert far.endpoint.idle


@pytest.mark.parametrize("dialled", [False, True])
def test_our_200_to_their_bye_comes_again_with_it_and_the_call_ends_once(dialled: bool) -> None:
    far = scripted(dialled=dialled)
    out = far.send("BYE", now=1.0)
    assert (statuses(out), events(out)) == ([200], [CallEnded(far.call, "bye")])
    for now in (1.5, 2.5, 4.5, 8.5):
        again = far.send("BYE", now=now, cseq=far.cseq)
        assert (responses(again), events(again)) == (responses(out), [])
    far.wake(200.0)
    assert far.endpoint.idle


def test_their_bye_that_never_arrives_ends_with_the_session_timer() -> None:
    """RFC 4028 §10: whoever should refresh it is gone."""
    far = Scripted(n.endpoint(n.A), ("Session-Expires", "90;refresher=uas"), ("Supported", "timer"))
    out = far.wake(100.0)
    assert events(out) == [CallEnded(far.call, "expired")]
    assert [each.method for each in requests(out)][:1] == ["BYE"]


# --- 200 and ACK --------------------------------------------------------------------------------------------------


def test_our_200_comes_again_until_their_ack_and_the_call_begins_once() -> None:
    far = Scripted(n.endpoint(n.A), dialled=False, acknowledges=False)
    first = far.answered
    assert [each.status for each in responses(far.wake(3.6))] == [200] * 3
    assert events(far.send("ACK", now=3.7)) == [CallConfirmed(far.call, None)]
    assert (events(far.send("ACK", now=3.8)), responses(far.wake(UNTIL))) == ([], [])
    assert statuses(first) == [200]


def test_our_ack_comes_again_with_their_200_and_the_call_begins_once() -> None:
    far = scripted(dialled=True)
    (ack,) = requests(far.answered)
    rows = ("Contact", "<sip:gw@192.0.2.9>"), SDP_TYPE
    body = bytes(n.answer_to(n.OFFER_A))
    for now in (0.5, 1.5, 3.5):
        out = reply(far.endpoint, far.invite, 200, *rows, body=body, tag=far.tag, now=now)
        assert (requests(out), events(out)) == ([ack], [])
    assert far.endpoint.live_calls == 1


def test_the_last_ack_of_a_call_that_has_ended_comes_again_too() -> None:
    far = scripted(dialled=True)
    (ack,) = requests(far.answered)
    far.endpoint.hang_up(far.call, 0.1)
    rows = ("Contact", "<sip:gw@192.0.2.9>"), SDP_TYPE
    out = reply(far.endpoint, far.invite, 200, *rows, body=bytes(n.answer_to(n.OFFER_A)), tag=far.tag, now=0.5)
    assert (requests(out), events(out)) == ([ack], [])


# --- INVITE and its refusal -----------------------------------------------------------------------------------------


def test_our_invite_comes_again_and_one_answer_counts() -> None:
    endpoint = n.endpoint(n.A)
    (invite,) = requests(endpoint.dial("out", "sip:600@192.0.2.9", PROXY, "1001", n.OFFER_A, 0.0))
    again = [out for when in (0.5, 1.5) for out in endpoint.wake(when)]
    assert requests(again) == [invite, invite]
    assert events(reply(endpoint, invite, 486, now=2.0)) == [CallFailed("out", 486, "Busy Here")]
    # their 486 comes again, for our ACK got lost
    out = reply(endpoint, invite, 486, now=2.5)
    assert ([each.method for each in requests(out)], events(out)) == (["ACK"], [])


def test_their_invite_that_comes_again_is_one_call() -> None:
    far = Scripted.__new__(Scripted)
    far.endpoint, far.tag, far.cseq, far.call_id, far.ours = n.endpoint(n.A), "far", 0, "lost", ""
    incoming = far.send("INVITE", sdp=n.OFFER_A)[-1]
    assert isinstance(incoming, IncomingCall)
    again = far.send("INVITE", sdp=n.OFFER_A, now=0.5, cseq=1)
    assert (statuses(again), events(again)) == ([100], [])
    far.endpoint.reject(incoming.call, 486, 1.0)
    assert statuses(far.send("INVITE", sdp=n.OFFER_A, now=1.2, cseq=1)) == [486]
    assert statuses(far.wake(32.9)) == [486] * 10


def _is_lost(net: n.Net, lost: int, what: str, source: Address) -> bool:
    return len(net.log) - 1 == lost


def test_a_call_is_answered_whatever_of_it_gets_lost() -> None:
    """By two endpoints, of whose messages each once in a row is the one that is lost."""
    for lost in range(12):
        net, a, b = n.pair()
        b.react = n.answering
        net.drop = partial(_is_lost, net, lost)
        n.dial(net, a, b)
        net.run(10.0)
        net.do(a, a.endpoint.hang_up("out", net.now))
        net.run(100.0)
        assert sum(isinstance(each, CallAnswered) for each in a.events) == 1, lost
        assert b.kinds() == ["IncomingCall", "CallConfirmed", "CallEnded"], lost
        assert a.endpoint.idle, lost
        assert b.endpoint.idle, lost
