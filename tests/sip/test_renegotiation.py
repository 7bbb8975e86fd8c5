"""New offers in a call that is up: re-INVITE and UPDATE from either side, and what they meet (RFC 3261 §14, RFC
3311)."""

from __future__ import annotations

import pytest
from cordboard.sip import sdp
from cordboard.sip.digest import Account
from cordboard.sip.endpoint import Endpoint, TrunkSettings
from cordboard.sip.events import (
    CallEnded,
    CallReanswered,
    CallReoffered,
    CallReofferRefused,
    Output,
)
from cordboard.sip.exchange import MAX_GLARES
from cordboard.sip.message import LocalSipError, respond

from . import net as n
from .far import PROXY, SDP_TYPE, Scripted, events, reply, requests, responses, statuses

NEW = sdp.offer("192.0.2.1", 4444, session_id=1, version=2)
NEWER = sdp.offer("192.0.2.1", 4446, session_id=1, version=3)
ANSWER = n.answer_to(NEW, "192.0.2.9")
CONTACT = ("Contact", "<sip:gw@192.0.2.9>")


def up() -> tuple[n.Net, n.Peer, n.Peer]:
    net, a, b = n.pair()
    a.react = b.react = n.answering
    n.dial(net, a, b)
    net.run(1)
    assert b.kinds() == ["IncomingCall", "CallConfirmed"]
    a.events.clear()
    b.events.clear()
    net.log.clear()
    return net, a, b


def scripted(*, dialled: bool = True) -> Scripted:
    return Scripted(n.endpoint(n.A), dialled=dialled)


def sends(net: n.Net, peer: n.Peer, what: str) -> list[float]:
    return [time for time, source, each in net.log if source == peer.address and each == what]


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_either_side_offers_anew_and_takes_the_answer(who: str) -> None:
    net, a, b = up()
    mine, other = (a, b) if who == "caller" else (b, a)
    call = "out" if mine is a else next(iter(b.endpoint._calls))
    net.do(mine, mine.endpoint.reoffer(call, NEW, net.now))
    net.run(3)
    assert [what for _, _, what in net.log] == ["INVITE", "100 INVITE", "200 INVITE", "ACK"]
    (reoffered,) = other.events
    assert isinstance(reoffered, CallReoffered)
    assert reoffered.offer == NEW
    assert mine.events == [CallReanswered(call, n.answer_to(NEW))]
    net.do(other, other.endpoint.hang_up(reoffered.call, net.now))
    net.run(100)
    assert isinstance(mine.events[-1], CallEnded)
    assert a.endpoint.idle
    assert b.endpoint.idle


def test_two_offers_that_cross_are_both_refused_and_both_come_again() -> None:
    """RFC 3261 §14.1: the owner of the Call-ID waits longer, and goes on when the other is through."""
    net, a, b = up()
    call = next(iter(b.endpoint._calls))
    net.do(a, a.endpoint.reoffer("out", NEW, net.now))
    net.do(b, b.endpoint.reoffer(call, n.OFFER_B, net.now))
    net.run(10)
    assert [what for _, _, what in net.log].count("491 INVITE") == 2
    first, second = sends(net, a, "INVITE"), sends(net, b, "INVITE")
    assert len(first) == len(second) == 2
    assert 0.0 <= second[1] - second[0] - 0.02 <= 2.0
    assert first[1] == pytest.approx(sends(net, b, "ACK")[-1] + 0.01)
    assert [type(each).__name__ for each in a.events] == ["CallReoffered", "CallReanswered"]
    assert [type(each).__name__ for each in b.events] == ["CallReanswered", "CallReoffered"]


@pytest.mark.parametrize(("dialled", "least", "most"), [(True, 2.1, 4.0), (False, 0.0, 2.0)])
def test_a_peer_that_never_gives_way_is_left_with_the_session_as_it_is(
    dialled: bool, least: float, most: float
) -> None:
    """RFC 3261 §14.1: the owner of the Call-ID backs off from 2.1 to 4 s, the other up to 2 s."""
    far = scripted(dialled=dialled)
    out = far.endpoint.reoffer(far.call, NEW, 1.0)
    now, pauses = 1.0, []
    while True:
        (invite,) = [each for each in requests(out) if each.method == "INVITE"]
        assert invite.body == bytes(NEW)
        out = reply(far.endpoint, invite, 491, now=now)
        if events(out):
            break
        refused, out = now, []
        while not any(each.method == "INVITE" for each in requests(out)):
            now = far.endpoint.deadline()
            out = far.endpoint.wake(now)
        pauses.append(round(now - refused, 6))
    assert len(pauses) == MAX_GLARES
    assert least <= min(pauses) < max(pauses) <= most
    assert events(out) == [CallReofferRefused(far.call, 491)]
    assert far.endpoint.live_calls == 1


def test_an_offer_that_is_refused_for_the_moment_comes_again_when_they_say() -> None:
    """Without it the far side would go on sending to where nobody listens any more."""
    far = Scripted(n.endpoint(n.A))
    (offer,) = requests(far.endpoint.reoffer("out", NEW, 1.0))
    out = reply(far.endpoint, offer, 500, ("Retry-After", "7"), tag="far", now=1.1)
    assert (events(out), requests(far.wake(8.0))) == ([], [])
    (again,) = requests(far.wake(8.1))
    assert (again.body, again.cseq) == (bytes(NEW), offer.cseq + 1)
    # later than any who is busy for the moment: it is refused
    out = reply(far.endpoint, again, 500, ("Retry-After", "11"), tag="far", now=8.2)
    assert events(out) == [CallReofferRefused("out", 500)]


def test_a_refused_offer_changes_nothing_and_the_next_one_is_heard() -> None:
    far = scripted()
    (invite,) = requests(far.endpoint.reoffer("out", NEW, 1.0))
    assert invite.to.tag == "far"
    out = far.endpoint.reoffer("out", NEWER, 1.0)
    assert out == []
    out = reply(far.endpoint, invite, 488, now=1.1)
    assert events(out) == [CallReofferRefused("out", 488)]
    ack, again = requests(out)
    assert (ack.method, again.method, again.body) == ("ACK", "INVITE", bytes(NEWER))
    out = reply(far.endpoint, again, 200, CONTACT, SDP_TYPE, body=bytes(ANSWER), now=1.2)
    assert events(out) == [CallReanswered("out", ANSWER)]


def test_an_offer_waits_until_theirs_is_answered() -> None:
    far = scripted()
    out = far.send("INVITE", sdp=n.OFFER_B, now=1.0)
    assert events(out) == [CallReoffered("out", n.OFFER_B)]
    assert far.endpoint.reoffer("out", NEW, 1.1) == []
    assert statuses(far.endpoint.reanswer("out", n.answer_to(n.OFFER_B), 1.2)) == [200]
    (invite,) = requests(far.send("ACK", now=1.3))
    assert (invite.method, invite.body) == ("INVITE", bytes(NEW))


@pytest.mark.parametrize(("status", "cause"), [(481, "lost"), (408, "lost")])
def test_a_peer_that_knows_no_such_call_ends_it(status: int, cause: str) -> None:
    """RFC 3261 §12.2.1.2."""
    far = scripted()
    (invite,) = requests(far.endpoint.reoffer("out", NEW, 1.0))
    out = reply(far.endpoint, invite, status, now=1.1)
    assert [request.method for request in requests(out)] == ["ACK", "BYE"]
    assert events(out) == [CallEnded("out", "lost")]
    assert far.endpoint.live_calls == 0


def test_a_peer_that_answers_nothing_at_all_ends_it() -> None:
    far = scripted()
    far.endpoint.reoffer("out", NEW, 1.0)
    out = far.wake(34.0)
    assert events(out) == [CallEnded("out", "lost")]
    assert requests(out)[-1].method == "BYE"


def test_an_answer_that_cannot_be_used_ends_the_call() -> None:
    far = scripted()
    (invite,) = requests(far.endpoint.reoffer("out", NEW, 1.0))
    out = reply(far.endpoint, invite, 200, CONTACT, now=1.1)
    assert [request.method for request in requests(out)] == ["ACK", "BYE"]
    assert events(out) == [CallEnded("out", "bad-answer")]


def test_a_200_that_comes_again_is_acknowledged_again() -> None:
    """RFC 3261 §13.2.2.4, for a re-INVITE, also when the call is over or another offer is on its way."""
    far = scripted()
    (invite,) = requests(far.endpoint.reoffer("out", NEW, 1.0))
    answer = (CONTACT, SDP_TYPE)
    reply(far.endpoint, invite, 200, *answer, body=bytes(ANSWER), now=1.1)
    (ack,) = requests(reply(far.endpoint, invite, 200, *answer, body=bytes(ANSWER), now=1.2))
    assert (ack.method, ack.cseq) == ("ACK", invite.cseq)
    far.endpoint.reoffer("out", NEWER, 1.3)
    out = reply(far.endpoint, invite, 200, *answer, body=bytes(ANSWER), now=1.4)
    assert [(each.method, each.cseq) for each in requests(out)] == [("ACK", invite.cseq)]
    assert events(out) == []
    far.endpoint.hang_up("out", 1.5)
    (ack,) = requests(reply(far.endpoint, invite, 200, *answer, body=bytes(ANSWER), now=1.6))
    assert ack.method == "ACK"


def test_an_answer_moves_the_target() -> None:
    far = scripted()
    (invite,) = requests(far.endpoint.reoffer("out", NEW, 1.0))
    moved = ("Contact", "<sip:gw@192.0.2.9:5099>")
    (ack,) = requests(reply(far.endpoint, invite, 200, moved, SDP_TYPE, body=bytes(ANSWER), now=1.1))
    assert ack.uri == "sip:gw@192.0.2.9:5099"


def test_a_challenged_offer_is_made_again() -> None:
    endpoint = n.endpoint(n.A)
    endpoint.set_trunks({"carrier": TrunkSettings(("192.0.2.9",), account=Account("alice", "secret"))})
    far = Scripted(endpoint, dialled=False)
    (invite,) = requests(endpoint.reoffer(far.call, NEW, 1.0))
    asked = ("WWW-Authenticate", 'Digest realm="r", nonce="n", qop="auth"')
    ack, again = requests(reply(endpoint, invite, 401, asked, now=1.1))
    assert (ack.method, again.method, again.cseq, again.body) == ("ACK", "INVITE", invite.cseq + 1, invite.body)
    assert again.get("Authorization")
    out = reply(endpoint, again, 200, CONTACT, SDP_TYPE, body=bytes(ANSWER), now=1.2)
    assert events(out) == [CallReanswered(far.call, ANSWER)]


def test_an_offer_of_which_nothing_more_is_heard_ends_the_call() -> None:
    far = scripted()
    (invite,) = requests(far.endpoint.reoffer("out", NEW, 1.0))
    reply(far.endpoint, invite, 100, now=1.1)
    assert events(far.wake(60.9)) == []
    out = far.wake(61.0)
    assert [request.method for request in requests(out)] == ["BYE"]
    assert events(out) == [CallEnded("out", "lost")]
    far.wake(200.0)
    assert far.endpoint.live_calls == 0


def test_an_offer_that_is_never_answered_is_forgotten_with_its_call() -> None:
    """The far side heard our BYE before its 200 arrived, and sends that no more."""
    far = scripted()
    (invite,) = requests(far.endpoint.reoffer("out", NEW, 1.0))
    reply(far.endpoint, invite, 100, now=1.1)
    (bye,) = requests(far.endpoint.hang_up("out", 1.2))
    reply(far.endpoint, bye, 200, now=1.3)
    far.wake(34.0)
    assert far.endpoint.idle


# --- UPDATE -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialled", [True, False])
def test_an_update_with_an_offer_is_answered_without_an_ack(dialled: bool) -> None:
    far = scripted(dialled=dialled)
    out = far.send("UPDATE", sdp=NEW, now=1.0)
    assert events(out) == [CallReoffered(far.call, NEW)]
    (ok,) = responses(far.endpoint.reanswer(far.call, ANSWER, 1.1))
    assert (ok.status, ok.method, ok.body) == (200, "UPDATE", bytes(ANSWER))
    assert ok.get("Contact")
    out = far.send("UPDATE", sdp=NEWER, now=1.2)
    assert statuses(far.endpoint.reject_reoffer(far.call, 488, 1.3)) == [488]
    # whoever sends it again hears the same
    assert statuses(far.send("UPDATE", sdp=NEWER, now=1.4, cseq=far.cseq)) == [488]
    with pytest.raises(LocalSipError):
        far.endpoint.reject_reoffer(far.call, 200, 1.5)
    # an answer that comes too late is dropped
    assert far.endpoint.reanswer(far.call, ANSWER, 1.6) == []


def test_an_update_without_an_offer_moves_the_target_and_nothing_else() -> None:
    far = scripted()
    out = far.send("UPDATE", now=1.0, contact="<sip:gw@192.0.2.9:5070>")
    assert statuses(out) == [200]
    assert events(out) == []
    (bye,) = requests(far.endpoint.hang_up("out", 2.0))
    assert bye.uri == "sip:gw@192.0.2.9:5070"


def test_a_refused_update_does_not_move_the_target() -> None:
    far = scripted()
    far.endpoint.reoffer("out", NEW, 1.0)
    assert statuses(far.send("UPDATE", sdp=NEWER, now=1.1, contact="<sip:gw@192.0.2.9:5070>")) == [491]
    (bye,) = requests(far.endpoint.hang_up("out", 2.0))
    assert bye.uri == "sip:gw@192.0.2.9"


def crossing(first: str) -> tuple[Scripted, list[Output]]:
    far = scripted()
    if first == "ours":
        far.endpoint.reoffer("out", NEW, 1.0)
        return far, []
    return far, far.send(first, sdp=NEW, now=1.0)


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        ("ours", "INVITE", 491),
        ("ours", "UPDATE", 491),
        ("INVITE", "INVITE", 500),
        ("INVITE", "UPDATE", 500),
        ("UPDATE", "INVITE", 500),
        ("UPDATE", "UPDATE", 500),
    ],
)
def test_one_offer_is_open_at_a_time(first: str, second: str, status: int) -> None:
    """RFC 3261 §14.2, RFC 3311 §5.2."""
    far, _ = crossing(first)
    refused = responses(far.send(second, sdp=NEWER, now=1.1))[-1]
    assert refused.status == status
    assert (refused.get("Retry-After") is not None) is (status == 500)


def test_an_update_before_the_ack_of_a_reinvite_has_to_wait() -> None:
    far, _ = crossing("INVITE")
    far.endpoint.reanswer("out", ANSWER, 1.1)
    assert statuses(far.send("UPDATE", sdp=NEWER, now=1.2)) == [491]


def test_an_update_before_the_first_answer_has_to_wait() -> None:
    endpoint = n.endpoint(n.A)
    far = Scripted.__new__(Scripted)
    far.endpoint, far.tag, far.cseq, far.call_id, far.ours = endpoint, "far", 0, "early", ""
    far.send("INVITE", sdp=NEW)
    call = next(iter(endpoint._calls))
    far.ours = responses(endpoint.ring(call, 0.1))[0].to.tag or ""
    (refused,) = responses(far.send("UPDATE", sdp=NEWER, now=0.2))
    assert refused.status == 500
    assert refused.get("Retry-After")
    assert statuses(far.send("UPDATE", now=0.3)) == [200]
    # ... and where the first offer is ours, it is that which is open
    (invite,) = requests(endpoint.dial("out", "sip:1@192.0.2.9", PROXY, "1", n.OFFER_A, 0.0))
    reply(endpoint, invite, 180, CONTACT, tag="far")
    far.call_id, far.ours = invite.call_id, invite.from_.tag or ""
    assert statuses(far.send("UPDATE", sdp=NEWER, now=0.4)) == [491]


@pytest.mark.parametrize("first", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("ends", ["BYE", "hang up"])
def test_what_waits_when_the_call_ends_is_answered(first: str, ends: str) -> None:
    far, _ = crossing(first)
    out = far.send("BYE", now=1.1) if ends == "BYE" else far.endpoint.hang_up("out", 1.1)
    waiting = [each.status for each in responses(out) if each.method == first]
    assert waiting == [487 if first == "INVITE" else 481]
    assert statuses(far.send("UPDATE", sdp=NEWER, now=1.2)) == [481]


def test_a_cancelled_reinvite_lets_ours_go() -> None:
    far, _ = crossing("INVITE")
    far.endpoint.reoffer("out", NEWER, 1.1)
    out = far.endpoint.receive(_cancel(far), PROXY, 1.2)
    assert statuses(out) == [200, 487]
    (invite,) = requests(out)
    assert invite.body == bytes(NEWER)
    assert far.endpoint.reanswer("out", ANSWER, 1.3) == []


def _cancel(far: Scripted) -> bytes:
    return (
        "CANCEL sip:600@192.0.2.1 SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK{far.call_id}INVITE{far.cseq}\r\n"
        f"To: <sip:600@192.0.2.1>;tag={far.ours}\r\nFrom: <sip:gw@192.0.2.9>;tag=far\r\nCall-ID: {far.call_id}\r\n"
        f"CSeq: {far.cseq} CANCEL\r\nMax-Forwards: 70\r\n\r\n"
    ).encode()


def test_offers_are_of_calls_that_are_up() -> None:
    endpoint = n.endpoint(n.A)
    endpoint.dial("out", "sip:1@192.0.2.9", PROXY, "1", n.OFFER_A, 0.0)
    with pytest.raises(LocalSipError):
        endpoint.reoffer("out", NEW, 0.1)


# --- over a restart ---------------------------------------------------------------------------------------------


def again(far: Scripted, now: float) -> list[Output]:
    kept = far.endpoint.snapshot(far.call)
    assert kept is not None
    far.endpoint = Endpoint(far.endpoint.settings, lambda: f"second-{now}")
    far.endpoint.set_trunks({"carrier": TrunkSettings(("192.0.2.0/24",))})
    return far.endpoint.restore(kept, now)


def test_our_offer_outlives_the_process() -> None:
    far = scripted()
    (invite,) = requests(far.endpoint.reoffer("out", NEW, 1.0))
    far.endpoint.reoffer("out", NEWER, 1.0)
    assert requests(again(far, 1.5)) == [invite]
    out = reply(far.endpoint, invite, 491, now=1.6)
    kept = far.endpoint.snapshot("out")
    assert kept is not None
    assert again(far, 1.7) == []
    out = far.wake(6.0)
    assert {request.body for request in requests(out) if request.method == "INVITE"} == {bytes(NEWER)}


def test_their_offer_outlives_the_process() -> None:
    far = scripted()
    far.send("UPDATE", sdp=NEW, now=1.0)
    again(far, 1.1)
    assert far.endpoint.reanswer("out", ANSWER, 1.2) == []
    assert events(far.send("UPDATE", sdp=NEW, now=1.5, cseq=far.cseq)) == [CallReoffered("out", NEW)]
    assert statuses(far.endpoint.reanswer("out", ANSWER, 1.6)) == [200]


def test_a_far_side_without_a_tag_is_offered_anew_and_may_be_gone() -> None:
    """One of RFC 2543 (RFC 3261 §12.1.2): what is said in its dialog is of the call, and does not begin it. Found by
    the mad far side: a refresh that nobody answered broke the endpoint."""
    for answers in (True, False):
        endpoint = n.endpoint(n.A)
        (invite,) = requests(endpoint.dial("out", "sip:600@192.0.2.9", PROXY, "1001", n.OFFER_A, 0.0))
        body, rows = bytes(n.answer_to(n.OFFER_A)), (("Contact", "<sip:gw@192.0.2.9>"), SDP_TYPE)
        endpoint.receive(bytes(respond(invite, 200, n.A, rows=rows, body=body)), PROXY, 0.1)
        (offer,) = requests(endpoint.reoffer("out", n.OFFER_B, 1.0))
        assert offer.to.tag is None
        kept = endpoint.snapshot("out")
        assert kept is not None
        endpoint = n.endpoint(n.A, life=1)
        endpoint.restore(kept, 1.1)
        if answers:
            challenge = ("WWW-Authenticate", 'Digest realm="a", nonce="b", algorithm=MD5')
            endpoint.set_trunks({"": TrunkSettings(("192.0.2.0/24",), account=Account("u", "p"))})
            (_, again) = requests(endpoint.receive(bytes(respond(offer, 401, n.A, rows=(challenge,))), PROXY, 1.2))
            assert (again.method, again.cseq) == ("INVITE", offer.cseq + 1)
            out = endpoint.receive(bytes(respond(again, 200, n.A, rows=rows, body=body)), PROXY, 1.3)
            assert [type(each) for each in events(out)] == [CallReanswered]
            (bye,) = requests(endpoint.hang_up("out", 2.0))
            assert bye.cseq == again.cseq + 1
            continue
        out = []
        while endpoint.deadline() < 40:
            out += endpoint.wake(endpoint.deadline())
        assert [(type(each), each.cause) for each in events(out)] == [(CallEnded, "lost")]  # type: ignore[union-attr]
