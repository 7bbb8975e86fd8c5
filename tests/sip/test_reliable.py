"""Provisional responses that have to arrive, and what is agreed on before an answer (RFC 3262, RFC 3311)."""

from __future__ import annotations

import pytest
from cordboard.sip import sdp
from cordboard.sip.digest import Account
from cordboard.sip.endpoint import Endpoint, TrunkSettings
from cordboard.sip.events import (
    CallAnswered,
    CallCancelled,
    CallConfirmed,
    CallEnded,
    CallProgressed,
    CallReanswered,
    CallReoffered,
    IncomingCall,
    Output,
)
from cordboard.sip.message import LocalSipError, Request, Row
from cordboard.sip.provisional import MOST_PRACKS
from cordboard.sip.reliable import MOST_HELD

from . import net as n
from .far import PROXY, SDP_TYPE, Scripted, events, reply, requests, responses, statuses

ANSWER = n.answer_to(n.OFFER_A, n.A.host)
NEW = sdp.offer("192.0.2.9", 4444, session_id=1, version=2)
CONTACT = ("Contact", "<sip:gw@192.0.2.9>")
CAN = ("Supported", "100rel")
MUST = ("Require", "100rel")


def ringing(*rows: Row, offer: sdp.SessionDescription | None = n.OFFER_A) -> Scripted:
    """A call of the script's that waits for us."""
    far = Scripted.__new__(Scripted)
    far.endpoint, far.tag, far.cseq, far.call_id, far.ours = n.endpoint(n.A), "far", 0, "waiting", ""
    incoming = far.send("INVITE", *rows, sdp=offer)[-1]
    assert isinstance(incoming, IncomingCall)
    far.call = incoming.call
    return far


def progress(far: Scripted, now: float = 0.0) -> tuple[int, list[Output]]:
    """Our 183: its RSeq, 0 for none."""
    out = far.endpoint.progress(far.call, ANSWER, now)
    (response,) = responses(out)
    assert response.status == 183
    far.ours = response.to.tag or ""
    return int(response.get("RSeq") or "0"), out


def prack(far: Scripted, rseq: int, now: float, offer: object = None, cseq: int | None = None) -> list[Output]:
    return far.send("PRACK", ("RAck", f"{rseq} 1 INVITE"), sdp=offer, now=now, cseq=cseq)


def test_early_media_is_sent_again_until_it_has_arrived() -> None:
    far = ringing(CAN)
    rseq, out = progress(far)
    first = responses(out)[0]
    assert 1 <= rseq < 2**31
    assert (first.get("Require"), first.body, first.get("Contact") is not None) == ("100rel", bytes(ANSWER), True)
    times = []
    while (when := far.endpoint.deadline()) < 16:
        assert responses(far.endpoint.wake(when)) == [first]
        times.append(when)
    assert times == [0.5, 1.5, 3.5, 7.5, 15.5]
    assert statuses(prack(far, rseq, 16.0)) == [200]
    assert responses(far.wake(59.0)) == []
    (ok,) = responses(far.endpoint.answer(far.call, ANSWER, 59.0))
    assert (ok.status, ok.body) == (200, bytes(ANSWER))
    assert events(far.send("ACK", now=59.1, cseq=1)) == [CallConfirmed(far.call, None)]


def test_an_answer_waits_for_the_prack() -> None:
    """RFC 3262 §3: no 2xx while a description is on its way."""
    far = ringing(CAN)
    rseq, _ = progress(far)
    assert far.endpoint.answer(far.call, ANSWER, 0.1) == []
    with pytest.raises(LocalSipError):
        far.endpoint.answer(far.call, ANSWER, 0.2)
    out = prack(far, rseq, 0.3)
    assert [(each.status, each.method) for each in responses(out)] == [(200, "PRACK"), (200, "INVITE")]
    assert statuses(prack(far, rseq, 0.4, cseq=far.cseq)) == [200]
    assert events(far.send("ACK", now=0.5, cseq=1)) == [CallConfirmed(far.call, None)]


@pytest.mark.parametrize("pledged", [True, False])
def test_a_caller_that_never_acknowledges_is_refused(pledged: bool) -> None:
    far = ringing(CAN)
    progress(far)
    if pledged:
        far.endpoint.answer(far.call, ANSWER, 0.1)
    assert events(far.wake(31.9)) == []
    out = far.wake(32.0)
    assert responses(out)[-1].status == 504
    assert events(out) == [CallCancelled(far.call)]
    assert far.endpoint.live_calls == 0


def test_where_it_is_required_ringing_arrives_too_and_the_next_one_waits() -> None:
    far = ringing(MUST)
    (ring,) = responses(far.endpoint.ring(far.call, 0.0))
    far.ours = ring.to.tag or ""
    rseq = int(ring.get("RSeq") or "0")
    assert (ring.status, ring.get("Require")) == (180, "100rel")
    assert far.endpoint.progress(far.call, ANSWER, 0.1) == []
    ok, early = responses(prack(far, rseq, 0.2))
    assert (ok.status, early.status, early.get("RSeq"), early.body) == (200, 183, str(rseq + 1), bytes(ANSWER))
    # a 2xx may overtake what has no description
    second = ringing(MUST)
    second.endpoint.ring(second.call, 0.0)
    assert statuses(second.endpoint.answer(second.call, ANSWER, 0.1)) == [200]
    assert statuses(second.wake(0.55)) == []
    assert statuses(second.wake(0.6)) == [200]


def test_a_caller_that_cannot_is_told_once() -> None:
    far = ringing()
    rseq, out = progress(far)
    assert rseq == 0
    assert responses(out)[0].get("Require") is None
    assert responses(out)[0].body == bytes(ANSWER)
    assert statuses(far.endpoint.answer(far.call, ANSWER, 0.1)) == [200]
    assert statuses(prack(far, 0, 0.2)) == [481]


def test_what_is_said_meanwhile_arrives_in_its_order() -> None:
    """A ringing that is required to arrive, early media, and another ringing: none takes the place of another."""
    far = ringing(MUST)
    (ring,) = responses(far.endpoint.ring(far.call, 0.0))
    far.ours = ring.to.tag or ""
    rseq = int(ring.get("RSeq") or "0")
    for _ in range(2):
        assert far.endpoint.progress(far.call, ANSWER, 0.1) == []
    assert far.endpoint.ring(far.call, 0.2) == []
    for number, (status, body) in enumerate([(183, bytes(ANSWER)), (180, b"")], rseq):
        _, said = responses(prack(far, number, 0.3))
        assert (said.status, said.body, said.get("RSeq")) == (status, body, str(number + 1))
    assert statuses(prack(far, rseq + 2, 0.4)) == [200]
    assert statuses(prack(far, rseq + 1, 0.5)) == [481]
    assert statuses(far.endpoint.answer(far.call, ANSWER, 0.6)) == [200]


def test_what_waits_is_bounded_and_forgotten_at_the_answer() -> None:
    far = ringing(MUST)
    far.endpoint.ring(far.call, 0.0)
    for _ in range(MOST_HELD):
        far.endpoint.progress(far.call, ANSWER, 0.1)
        far.endpoint.ring(far.call, 0.1)
    assert len(far.endpoint._calls[far.call].reliable.held) == MOST_HELD
    (ok,) = responses(far.endpoint.answer(far.call, ANSWER, 0.2))
    far.ours = ok.to.tag or ""
    rseq = far.endpoint._calls[far.call].reliable.rseq
    assert statuses(prack(far, rseq, 0.3)) == [200]


# --- without an offer of theirs -----------------------------------------------------------------------------------


def offers(far: Scripted) -> int:
    """Our 183 with an offer: its RSeq."""
    out = far.endpoint.progress(far.call, n.OFFER_A, 0.0)
    (response,) = responses(out)
    assert (response.status, response.body, response.get("Require")) == (183, bytes(n.OFFER_A), "100rel")
    far.ours = response.to.tag or ""
    return int(response.get("RSeq") or "0")


@pytest.mark.parametrize("again", [False, True])
def test_an_offer_of_ours_in_183_is_answered_by_the_prack(again: bool) -> None:
    """RFC 3262 §5; the 200 has no description then, which would be another offer (RFC 6337 §3.1.1)."""
    far = ringing(CAN, offer=None)
    rseq = offers(far)
    assert statuses(far.send("UPDATE", sdp=NEW, now=0.1)) == [491]
    out = prack(far, rseq, 0.2, NEW)
    assert statuses(out) == [200]
    assert events(out) == [CallReanswered(far.call, NEW)]
    if again:
        ((_, snapshot),) = far.endpoint.snapshots()
        far.endpoint = n.endpoint(n.A, life=1)
        far.endpoint.restore(snapshot, 0.3)
    (more,) = responses(far.endpoint.progress(far.call, n.OFFER_A, 0.3))
    assert (more.status, more.body) == (183, b"")
    (ok,) = responses(far.endpoint.answer(far.call, n.OFFER_A, 0.4))
    assert (ok.status, ok.body, ok.get("Content-Type")) == (200, b"", None)
    assert events(far.send("ACK", now=0.5, cseq=1)) == [CallConfirmed(far.call, None)]
    assert events(far.send("INVITE", sdp=NEW, now=1.0)) == [CallReoffered(far.call, NEW)]
    assert responses(far.endpoint.reanswer(far.call, n.answer_to(NEW), 1.1))[0].body == bytes(n.answer_to(NEW))


def test_an_answer_of_the_call_waits_for_that_of_the_offer() -> None:
    far = ringing(CAN, offer=None)
    rseq = offers(far)
    assert far.endpoint.answer(far.call, n.OFFER_A, 0.1) == []
    out = prack(far, rseq, 0.2, NEW)
    assert [(each.status, each.method, each.body) for each in responses(out)] == [
        (200, "PRACK", b""),
        (200, "INVITE", b""),
    ]
    assert events(out) == [CallReanswered(far.call, NEW)]


def test_a_prack_that_does_not_answer_our_offer_ends_the_call() -> None:
    far = ringing(CAN, offer=None)
    rseq = offers(far)
    out = prack(far, rseq, 0.2)
    assert [(each.method, each.status) for each in responses(out)] == [("PRACK", 488), ("INVITE", 504)]
    assert events(out) == [CallCancelled(far.call)]


@pytest.mark.parametrize(("rows", "early"), [((), False), ((CAN,), True), ((MUST,), True)])
def test_a_caller_that_cannot_acknowledge_hears_our_offer_in_the_200(rows: tuple[Row, ...], early: bool) -> None:
    far = Scripted.__new__(Scripted)
    far.endpoint, far.tag, far.cseq, far.call_id, far.ours = n.endpoint(n.A), "far", 0, "waiting", ""
    incoming = far.send("INVITE", *rows)[-1]
    assert isinstance(incoming, IncomingCall)
    assert incoming.early is early
    if not early:
        (response,) = responses(far.endpoint.progress(incoming.call, n.OFFER_A, 0.0))
        assert (response.body, response.get("Require")) == (b"", None)
        (ok,) = responses(far.endpoint.answer(incoming.call, n.OFFER_A, 0.1))
        assert (ok.status, ok.body) == (200, bytes(n.OFFER_A))


# --- ends -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["1 1 INVITE", "{rseq} 2 INVITE", "{rseq} 1 BYE", "{rseq}", "\u0661 1 INVITE"])
def test_a_prack_of_something_else_is_refused(wrong: str) -> None:
    far = ringing(CAN)
    rseq, _ = progress(far)
    assert statuses(far.send("PRACK", ("RAck", wrong.format(rseq=rseq)), now=0.1)) == [481]
    assert statuses(far.send("PRACK", now=0.2)) == [481]
    assert statuses(prack(far, rseq, 0.3)) == [200]


@pytest.mark.parametrize("how", ["CANCEL", "BYE", "hang up", "expires"])
def test_a_call_ends_while_its_answer_waits(how: str) -> None:
    far = ringing(CAN, ("Expires", "20"))
    progress(far)
    far.endpoint.answer(far.call, ANSWER, 0.1)
    match how:
        case "CANCEL":
            cancel = (
                "CANCEL sip:600@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKwaitingINVITE1\r\n"
                "To: <sip:600@192.0.2.1>\r\nFrom: <sip:gw@192.0.2.9>;tag=far\r\nCall-ID: waiting\r\n"
                "CSeq: 1 CANCEL\r\nMax-Forwards: 70\r\n\r\n"
            )
            out, final = far.endpoint.receive(cancel.encode(), PROXY, 0.2), 487
        case "BYE":
            out, final = far.send("BYE", now=0.2), 487
        case "expires":
            out, final = far.wake(20.0), 487
        case _:
            out, final = far.endpoint.hang_up(far.call, 0.2), 480
    assert final in statuses(out)
    assert events(out) == ([] if how == "hang up" else [CallCancelled(far.call)])
    assert far.endpoint.live_calls == 0
    far.wake(100)
    assert far.endpoint.idle


def test_an_offer_in_a_prack_and_in_an_early_update_is_answered() -> None:
    far = ringing(CAN)
    rseq, _ = progress(far)
    assert statuses(far.send("UPDATE", sdp=NEW, now=0.1)) == [500]
    out = prack(far, rseq, 0.2, NEW)
    assert events(out) == [CallReoffered(far.call, NEW)]
    answer = n.answer_to(NEW, n.A.host)
    (ok,) = responses(far.endpoint.reanswer(far.call, answer, 0.3))
    assert (ok.status, ok.method, ok.body) == (200, "PRACK", bytes(answer))
    out = far.send("UPDATE", sdp=NEW, now=0.4)
    assert events(out) == [CallReoffered(far.call, NEW)]
    assert statuses(far.endpoint.reject_reoffer(far.call, 488, 0.5)) == [488]
    assert statuses(far.endpoint.answer(far.call, ANSWER, 0.6)) == [200]
    assert events(far.send("ACK", now=0.7, cseq=1)) == [CallConfirmed(far.call, None)]


def test_an_early_offer_that_waits_when_the_caller_leaves_is_answered() -> None:
    far = ringing(CAN)
    rseq, _ = progress(far)
    prack(far, rseq, 0.2, NEW)
    out = far.send("BYE", now=0.3)
    assert {(each.method, each.status) for each in responses(out)} == {("BYE", 200), ("INVITE", 487), ("PRACK", 481)}


# --- as the caller ------------------------------------------------------------------------------------------------


def dialled(account: Account | None = None) -> tuple[Endpoint, Request]:
    endpoint = n.endpoint(n.A)
    endpoint.set_trunks({"carrier": TrunkSettings(("192.0.2.0/24",), account=account)})
    (invite,) = requests(
        endpoint.dial("out", "sip:600@192.0.2.9", PROXY, "1001", n.OFFER_A, 0.0, trunk="carrier" if account else "")
    )
    assert invite.get("Supported") == "100rel, timer"
    return endpoint, invite


def early(
    endpoint: Endpoint, invite: Request, rseq: int, now: float, tag: str = "x", body: bytes = bytes(ANSWER)
) -> list[Output]:
    rows = (CONTACT, MUST, ("RSeq", str(rseq)), *([SDP_TYPE] if body else []))
    return reply(endpoint, invite, 183, *rows, body=body, tag=tag, now=now)


def test_a_reliable_response_is_acknowledged_once_and_told_once() -> None:
    endpoint, invite = dialled()
    out = early(endpoint, invite, 7, 0.1)
    (sent,) = requests(out)
    assert (sent.method, sent.get("RAck"), sent.cseq, sent.to.tag) == ("PRACK", "7 1 INVITE", 2, "x")
    assert sent.uri == "sip:gw@192.0.2.9"
    assert events(out) == [CallProgressed("out", 183, ANSWER)]
    for again in (7, 9, 6):  # a retransmission, one too early, one too late
        assert early(endpoint, invite, again, 0.2) == []
    reply(endpoint, sent, 200, tag="x", now=0.3)
    (sent,) = requests(early(endpoint, invite, 8, 0.4, body=b""))
    assert (sent.get("RAck"), sent.cseq) == ("8 1 INVITE", 3)
    # the answer that came early counts, and the numbers go on
    out = reply(endpoint, invite, 200, CONTACT, tag="x", now=0.5)
    assert events(out) == [CallAnswered("out", ANSWER)]
    (ack,) = requests(out)
    assert ack.cseq == 1
    (bye,) = requests(endpoint.hang_up("out", 0.6))
    assert bye.cseq == 4


def test_each_callee_behind_a_fork_has_numbers_of_its_own() -> None:
    endpoint, invite = dialled()
    for tag, rseq in (("x", 100), ("y", 5), ("x", 101), ("y", 6)):
        (sent,) = requests(early(endpoint, invite, rseq, 0.1, tag))
        assert (sent.to.tag, sent.get("RAck"), sent.cseq) == (tag, f"{rseq} 1 INVITE", 2 + (rseq in (101, 6)))
    out = reply(endpoint, invite, 200, CONTACT, tag="y", now=0.5)
    (bye,) = requests(endpoint.hang_up("out", 0.6))
    assert (bye.to.tag, bye.cseq) == ("y", 4)
    assert events(out) == [CallAnswered("out", ANSWER)]


def test_who_says_more_than_it_waits_for_has_so_many_pracks_sent_and_no_more() -> None:
    """Each would go again and again, to wherever its Contact says."""
    endpoint, invite = dialled()
    sent = [requests(early(endpoint, invite, 100 + number, 0.1)) for number in range(100)]
    assert [len(each) for each in sent] == [1] * MOST_PRACKS + [0] * (100 - MOST_PRACKS)
    for (prack,) in sent[:MOST_PRACKS]:
        reply(endpoint, prack, 200, tag="x", now=0.2)
    # ... and goes on where it had been told
    endpoint.wake(6.0)
    (prack,) = requests(early(endpoint, invite, 100 + MOST_PRACKS, 6.1))
    assert prack.get("RAck") == f"{100 + MOST_PRACKS} 1 INVITE"


def test_a_callee_offers_anew_while_it_rings() -> None:
    endpoint, invite = dialled()
    far = Scripted.__new__(Scripted)
    far.endpoint, far.tag, far.cseq, far.call_id = endpoint, "x", 0, invite.call_id
    far.ours, far.call = invite.from_.tag or "", "out"
    reply(endpoint, invite, 180, CONTACT, tag="x", now=0.1)
    assert statuses(far.send("UPDATE", sdp=NEW, now=0.2)) == [491]
    early(endpoint, invite, 7, 0.3)
    out = far.send("UPDATE", sdp=NEW, now=0.4, contact="<sip:gw@192.0.2.9:5077>")
    assert events(out) == [CallReoffered("out", NEW)]
    assert statuses(endpoint.reanswer("out", n.answer_to(NEW), 0.5)) == [200]
    # RFC 3261 §12.2.2: the numbers of theirs are held to their order here too
    assert statuses(far.send("INFO", now=0.6, cseq=1)) == [500]
    (sent,) = requests(early(endpoint, invite, 8, 0.7))
    assert sent.uri == "sip:gw@192.0.2.9:5077"
    # the answer to our INVITE, which the 2xx repeats, is older than that; also in the next process
    kept = endpoint.snapshot("out")
    assert kept is not None
    second = n.endpoint(n.A, life=1)
    second.restore(kept, 0.8)
    for each in (endpoint, second):
        out = reply(each, invite, 200, CONTACT, SDP_TYPE, body=bytes(ANSWER), tag="x", now=0.9)
        assert events(out) == [CallAnswered("out", None)]


def test_a_challenged_prack_is_sent_again() -> None:
    endpoint, invite = dialled(Account("alice", "secret"))
    (sent,) = requests(early(endpoint, invite, 7, 0.1))
    asked = ("Proxy-Authenticate", 'Digest realm="r", nonce="n", qop="auth"')
    (again,) = requests(reply(endpoint, sent, 407, asked, tag="x", now=0.2))
    assert (again.method, again.cseq, again.get("RAck")) == ("PRACK", 3, "7 1 INVITE")
    assert again.get("Proxy-Authorization")
    (third,) = requests(early(endpoint, invite, 8, 0.3))
    assert third.cseq == 4


@pytest.mark.parametrize("rows", [(), (CONTACT, ("Record-Route", "junk"))], ids=["no Contact", "bad Record-Route"])
def test_a_reliable_response_that_makes_no_dialog_still_says_that_it_rings(rows: tuple[Row, ...]) -> None:
    """It cannot be acknowledged; but whoever gives the call up has to be able to say so, or it rings on, and nothing
    ever ends what was asked."""
    endpoint, invite = dialled()
    out = reply(endpoint, invite, 183, MUST, ("RSeq", "1"), *rows)
    assert requests(out) == []
    assert events(out) == [CallProgressed("out", 183, None)]
    (cancel,) = requests(endpoint.hang_up("out", 1.0))
    assert cancel.method == "CANCEL"
    endpoint.wake(200.0)
    while endpoint.deadline() < 300.0:
        endpoint.wake(endpoint.deadline())
    assert endpoint.idle


def test_a_call_that_is_given_up_still_acknowledges() -> None:
    endpoint, invite = dialled()
    endpoint.hang_up("out", 0.05)
    assert [request.method for request in requests(early(endpoint, invite, 7, 0.1))] == ["PRACK", "CANCEL"]


# --- both, and over a restart -------------------------------------------------------------------------------------


def telling(peer: n.Peer, output: Output, now: float) -> list[Output]:
    """Answers early, then answers; accepts new offers."""
    match output:
        case IncomingCall(call=call, offer=offer):
            assert offer is not None
            answer = n.answer_to(offer)
            return [*peer.endpoint.progress(call, answer, now), *peer.endpoint.answer(call, answer, now)]
        case _:
            return n.answering(peer, output, now)


@pytest.mark.parametrize("seed", range(40))
def test_early_media_survives_a_bad_network(seed: int) -> None:
    net, a, b = n.pair(seed)
    net.loss, net.duplication, net.delay = 0.3, 0.1, (0.005, 0.3)
    b.react = telling
    n.dial(net, a, b)
    net.run(60)
    assert a.kinds() == ["CallProgressed", "CallAnswered"]
    assert b.kinds() == ["IncomingCall", "CallConfirmed"]
    net.do(a, a.endpoint.hang_up("out", net.now))
    net.loss = 0.0
    net.run(200)
    assert b.events[-1] == CallEnded(b.last_call(), "bye")
    assert a.endpoint.idle
    assert b.endpoint.idle


def again(endpoint: Endpoint, call: str, now: float) -> tuple[Endpoint, list[Output]]:
    kept = endpoint.snapshot(call)
    assert kept is not None
    second = Endpoint(endpoint.settings, lambda: f"second-{now}")
    second.set_trunks({"carrier": TrunkSettings(("192.0.2.0/24",))})
    return second, second.restore(kept, now)


def test_what_has_not_arrived_is_sent_again_by_the_next_process() -> None:
    far = ringing(MUST)
    (ring,) = responses(far.endpoint.ring(far.call, 0.0))
    far.ours, rseq = ring.to.tag or "", int(ring.get("RSeq") or "0")
    far.endpoint.progress(far.call, ANSWER, 0.1)
    far.endpoint, _ = again(far.endpoint, far.call, 0.2)
    assert responses(far.wake(1.0)) == [ring]
    (early_,) = responses(prack(far, rseq, 1.1))[1:]
    far.endpoint.answer(far.call, ANSWER, 1.2)
    far.endpoint, _ = again(far.endpoint, far.call, 1.3)
    assert early_ in responses(far.wake(2.0))
    assert statuses(prack(far, rseq + 1, 2.1)) == [200, 200]


def test_early_dialogs_are_gone_on_with_by_the_next_process() -> None:
    endpoint, invite = dialled()
    early(endpoint, invite, 7, 0.1)
    second, out = again(endpoint, "out", 0.2)
    (sent,) = requests(out)
    assert (sent.method, sent.cseq) == ("PRACK", 2)  # nobody had answered it
    assert early(second, invite, 7, 0.3) == []
    (sent,) = requests(early(second, invite, 8, 0.4, body=b""))
    assert sent.cseq == 3
    out = reply(second, invite, 200, CONTACT, tag="x", now=0.5)
    assert events(out) == [CallAnswered("out", ANSWER)]
