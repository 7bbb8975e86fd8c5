"""What the endpoint answers to single requests (RFC 3261 §8.2, §9.2, §12.2, §14.2)."""

from __future__ import annotations

import contextlib
from random import Random

import pytest
from attrs import evolve
from cordboard.sip.endpoint import MOST_OPEN, Endpoint
from cordboard.sip.events import (
    CallCancelled,
    CallEnded,
    CallFailed,
    CallKeyed,
    CallProgressed,
    CallReoffered,
    CallTried,
    IncomingCall,
    Output,
    Refused,
    Transmit,
)
from cordboard.sip.message import Address, LocalSipError, Request, Response, parse
from cordboard.sip.trunks import Trunks, TrunkSettings
from hypothesis import given
from hypothesis import strategies as st

from . import net as n
from .far import Scripted, events, reply, requests

CARRIER = Address("192.0.2.9", 5060)
SDP = bytes(n.OFFER_A).decode()


def build(
    method: str = "INVITE",
    *,
    uri: str = "sip:600@192.0.2.2",
    branch: str = "z9hG4bK1",
    tag: str = "",
    cseq: int = 1,
    extra: str = "",
    body: str = "",
    contact: str = "Contact: <sip:1@192.0.2.9:5070>\r\n",
) -> bytes:
    kind = "Content-Type: application/sdp\r\n" if body and "Content-Type" not in extra else ""
    to = f";tag={tag}" if tag else ""
    return (
        f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch={branch}\r\nMax-Forwards: 70\r\n"
        f"To: <sip:600@192.0.2.2>{to}\r\nFrom: <sip:1@192.0.2.9>;tag=f\r\nCall-ID: c\r\nCSeq: {cseq} {method}\r\n"
        f"{contact}{extra}{kind}Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def fresh() -> Endpoint:
    return n.endpoint(n.B)


def responses(outputs: list[Output]) -> list[Response]:
    found = [parse(output.data) for output in outputs if isinstance(output, Transmit)]
    return [message for message in found if isinstance(message, Response)]


def statuses(outputs: list[Output]) -> list[int]:
    return [response.status for response in responses(outputs)]


def up() -> tuple[Endpoint, str, str]:
    """An endpoint with one call that is up: the call and our tag."""
    endpoint = fresh()
    incoming = endpoint.receive(build(body=SDP), CARRIER, 0.0)[-1]
    assert isinstance(incoming, IncomingCall)
    assert incoming.peer == CARRIER.host
    answered = responses(endpoint.answer(incoming.call, n.OFFER_B, 0.0))[0]
    endpoint.receive(build("ACK", tag=answered.to.tag or "", branch="z9hG4bKack"), CARRIER, 0.1)
    return endpoint, incoming.call, answered.to.tag or ""


@pytest.mark.parametrize(
    ("data", "status", "header"),
    [
        (build("OPTIONS"), 200, ("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE")),
        (build("OPTIONS"), 200, ("Accept", "application/sdp, multipart/mixed")),
        (build("REGISTER"), 405, ("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE")),
        (build("REFER"), 405, ("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE")),
        (build("BYE"), 481, None),
        (build("BYE", tag="nobody"), 481, None),
        (build("CANCEL"), 481, None),
        (build(extra="Require: path\r\nRequire: timer, x, 100rel\r\n"), 420, ("Unsupported", "path, x")),
        (build(extra="Supported: timer\r\nSession-Expires: 60\r\n"), 422, ("Min-SE", "90")),
        (build(extra="Content-Type: text/html\r\n", body="<p>"), 415, ("Accept", "application/sdp, multipart/mixed")),
        (build(extra="Content-Encoding: gzip\r\n", body=SDP), 415, ("Accept-Encoding", "identity")),
        (build(uri="soap:600@192.0.2.2"), 416, None),
        (build(body="v=1\r\n"), 400, None),
        (build(contact=""), 400, None),
        (build(contact="Contact: <mailto:x@y>\r\n"), 416, None),
        (build().replace(b"Max-Forwards: 70", b"Max-Forwards: 0"), 483, None),
        (build().replace(b"Max-Forwards: 70", b"Max-Forwards: x"), 400, None),
        (build("OPTIONS").replace(b"Max-Forwards: 70", b"Max-Forwards: 0"), 200, None),
    ],
)
def test_answers_to_single_requests(data: bytes, status: int, header: tuple[str, str] | None) -> None:
    outputs = fresh().receive(data, CARRIER, 0.0)
    assert statuses(outputs) == [status]
    response = responses(outputs)[0]
    assert response.to.tag
    if header:
        assert response.get(header[0]) == header[1]
    assert all(isinstance(output, Transmit | Refused) for output in outputs)


def test_strangers_are_not_answered_and_are_counted() -> None:
    endpoint = fresh()
    stranger = Address("203.0.113.5", 5060)
    for data in (build(), build("OPTIONS"), build("WIGGLE"), b"nonsense"):
        assert endpoint.receive(data, stranger, 0.0) == []
    assert endpoint.receive(b"SIP/2.0 200 OK\r\n\r\n", stranger, 0.0) == []
    assert +endpoint.counters == {
        "stranger INVITE": 1,
        "stranger OPTIONS": 1,
        "stranger other": 2,
        "malformed": 1,
    }


def test_a_retransmitted_invite_is_absorbed() -> None:
    endpoint = fresh()
    first = endpoint.receive(build(body=SDP), CARRIER, 0.0)
    again = endpoint.receive(build(body=SDP), CARRIER, 0.5)
    assert [type(output) for output in first] == [Transmit, IncomingCall]
    assert again == first[:1]
    assert statuses(first) == [100]


def test_a_timestamp_comes_back_with_the_100_and_with_no_other() -> None:
    """RFC 3261 §8.2.6.1."""
    endpoint = fresh()
    out = endpoint.receive(build(extra="Timestamp: 54.2\r\n", body=SDP), CARRIER, 0.0)
    (trying,) = responses(out)
    assert (trying.status, trying.get("Timestamp")) == (100, "54.2")
    incoming = out[-1]
    assert isinstance(incoming, IncomingCall)
    (ringing,) = responses(endpoint.ring(incoming.call, 0.1))
    assert ringing.get("Timestamp") is None


def test_the_same_invite_by_another_way_is_merged() -> None:
    """RFC 3261 §8.2.2.2."""
    endpoint = fresh()
    endpoint.receive(build(body=SDP), CARRIER, 0.0)
    assert statuses(endpoint.receive(build(body=SDP, branch="z9hG4bK2"), CARRIER, 0.1)) == [482]


def test_cancel_of_a_waiting_invite() -> None:
    endpoint = fresh()
    call = endpoint.receive(build(body=SDP), CARRIER, 0.0)[-1]
    assert isinstance(call, IncomingCall)
    outputs = endpoint.receive(build("CANCEL"), CARRIER, 0.1)
    assert statuses(outputs) == [200, 487]
    assert outputs[-1] == CallCancelled(call.call)
    ok, terminated = responses(outputs)
    assert ok.to.tag == terminated.to.tag


@pytest.mark.parametrize("tagged", [True, False])
def test_cancel_of_a_reinvite_is_answered_with_the_tag_that_it_has(tagged: bool) -> None:
    """Also where the CANCEL has none, as it must (RFC 3261 §9.1)."""
    endpoint, _, tag = up()
    first = build(tag=tag, cseq=2, branch="z9hG4bKre", body=SDP)
    endpoint.receive(build("UPDATE", tag=tag, cseq=2, branch="z9hG4bKup", body=SDP), CARRIER, 1.0)
    assert statuses(endpoint.receive(first.replace(b"CSeq: 2", b"CSeq: 3"), CARRIER, 1.1)) == [100, 500]
    cancel = build("CANCEL", tag=tag if tagged else "", cseq=3, branch="z9hG4bKre")
    (ok,) = responses(endpoint.receive(cancel, CARRIER, 1.2))
    assert (ok.status, ok.to.tag) == (200, tag)


def test_cancel_after_the_answer_changes_nothing() -> None:
    endpoint = fresh()
    call = endpoint.receive(build(body=SDP), CARRIER, 0.0)[-1]
    assert isinstance(call, IncomingCall)
    endpoint.answer(call.call, n.OFFER_B, 0.0)
    outputs = endpoint.receive(build("CANCEL"), CARRIER, 0.1)
    assert statuses(outputs) == [200]
    assert len(outputs) == 1


def test_an_invitation_expires() -> None:
    endpoint = fresh()
    call = endpoint.receive(build(body=SDP, extra="Expires: 20\r\n"), CARRIER, 0.0)[-1]
    assert isinstance(call, IncomingCall)
    assert endpoint.wake(19.9) == []
    outputs = endpoint.wake(20.0)
    assert statuses(outputs) == [487]
    assert outputs[-1] == CallCancelled(call.call)


def test_requests_in_a_dialog() -> None:
    endpoint, call, tag = up()
    assert statuses(endpoint.receive(build("OPTIONS", tag=tag, branch="z9hG4bKo", cseq=2), CARRIER, 1.0)) == [200]
    assert statuses(endpoint.receive(build("UPDATE", tag=tag, branch="z9hG4bKu", cseq=3), CARRIER, 1.0)) == [200]
    assert statuses(endpoint.receive(build("REFER", tag=tag, branch="z9hG4bKv", cseq=3), CARRIER, 1.0)) == [405]
    # RFC 3261 §12.2.2: a lower CSeq
    assert statuses(endpoint.receive(build("BYE", tag=tag, branch="z9hG4bKl", cseq=1), CARRIER, 1.0)) == [500]
    outputs = endpoint.receive(build("BYE", tag=tag, branch="z9hG4bKb", cseq=4), CARRIER, 1.0)
    assert statuses(outputs) == [200]
    assert outputs[-1] == CallEnded(call, "bye")
    # the BYE again, and another one
    assert statuses(endpoint.receive(build("BYE", tag=tag, branch="z9hG4bKb", cseq=4), CARRIER, 1.5)) == [200]
    assert statuses(endpoint.receive(build("BYE", tag=tag, branch="z9hG4bKc", cseq=5), CARRIER, 1.5)) == [200]


RELAY, PLAIN = "Content-Type: application/dtmf-relay\r\n", "Content-Type: application/dtmf\r\n"


@pytest.mark.parametrize(
    ("extra", "body", "status", "digit"),
    [
        (RELAY, "Signal=5\r\nDuration=160\r\n", 200, "5"),
        (RELAY, "Signal= *\r\nDuration= 250", 200, "*"),
        (RELAY, "Duration=160\nsignal = d\n", 200, "D"),
        (RELAY, "Signal=11\r\n", 200, "#"),
        ("Content-Type: Application/DTMF ; charset=x\r\n", "#", 200, "#"),
        (PLAIN, " 7\r\n", 200, "7"),
        (PLAIN, "Signal=8", 200, "8"),
        (PLAIN, "!", 200, None),  # a hook flash
        (RELAY, "Signal=16\r\n", 200, None),
        ("", "", 200, None),
        (RELAY, "Signal=\r\nDuration=160\r\n", 400, None),
        (RELAY, "Signal=555\r\n", 400, None),
        (PLAIN, "55 5", 400, None),
        ("Content-Type: application/sdp\r\n", "5", 415, None),
        ("Content-Type: application/dtmf-relayed\r\n", "5", 415, None),
        ("Info-Package: keys\r\n", "5", 469, None),
    ],
)
def test_an_info_tells_of_a_key_once(extra: str, body: str, status: int, digit: str | None) -> None:
    endpoint, call, tag = up()
    info = build("INFO", tag=tag, branch="z9hG4bKi", cseq=2, extra=extra, body=body)
    outputs = endpoint.receive(info, CARRIER, 1.0)
    assert statuses(outputs) == [status]
    assert [each for each in outputs if isinstance(each, CallKeyed)] == ([CallKeyed(call, digit)] if digit else [])
    again = endpoint.receive(info, CARRIER, 1.5)
    assert statuses(again) == [status]
    assert not any(isinstance(each, CallKeyed) for each in again)
    headers = {415: ("Accept", "application/dtmf-relay, application/dtmf"), 469: ("Recv-Info", "")}
    if status in headers:
        name, value = headers[status]
        assert responses(outputs)[0].get(name) == value


@given(st.sampled_from([RELAY, PLAIN, ""]), st.text(st.characters(max_codepoint=127), max_size=60))
def test_an_info_with_anything_in_it_is_answered(extra: str, body: str) -> None:
    endpoint, _, tag = up()
    outputs = endpoint.receive(build("INFO", tag=tag, branch="z9hG4bKi", cseq=2, extra=extra, body=body), CARRIER, 1.0)
    keys = [each.digit for each in outputs if isinstance(each, CallKeyed)]
    assert (statuses(outputs), len(keys)) in (([200], 0), ([200], 1), ([400], 0), ([415], 0))
    assert set(keys) <= set("0123456789*#ABCD")


def test_an_info_of_no_call_or_no_answered_one_tells_of_nothing() -> None:
    endpoint = fresh()
    key = {"extra": PLAIN, "body": "5"}
    assert statuses(endpoint.receive(build("INFO", branch="z9hG4bKi", **key), CARRIER, 0.0)) == [481]  # type: ignore[arg-type]
    endpoint, call, tag = up()
    endpoint.hang_up(call, 1.0)
    ended = endpoint.receive(build("INFO", tag=tag, branch="z9hG4bKj", cseq=2, **key), CARRIER, 1.1)
    assert statuses(ended) == [481]
    assert not any(isinstance(each, CallKeyed) for each in ended)


def test_what_is_kept_of_a_call_has_no_key_in_it() -> None:
    endpoint, call, tag = up()
    endpoint.receive(build("INFO", tag=tag, branch="z9hG4bKi", cseq=2, extra=RELAY, body="Signal=5\r\n"), CARRIER, 1.0)
    assert "Signal" not in repr(endpoint.snapshot(call))


def test_a_reinvite_moves_the_target() -> None:
    endpoint, call, tag = up()
    moved = "Contact: <sip:1@192.0.2.77:5099>\r\n"
    outputs = endpoint.receive(build(tag=tag, branch="z9hG4bKr", cseq=2, body=SDP, contact=moved), CARRIER, 1.0)
    assert outputs[-1] == CallReoffered(call, n.OFFER_A)
    assert statuses(endpoint.reanswer(call, n.OFFER_B, 1.0)) == [200]
    endpoint.receive(build("ACK", tag=tag, branch="z9hG4bKs", cseq=2), CARRIER, 1.1)
    bye = endpoint.hang_up(call, 2.0)[0]
    assert isinstance(bye, Transmit)
    assert bye.destination == Address("192.0.2.77", 5099)
    request = parse(bye.data)
    assert isinstance(request, Request)
    assert (request.method, request.uri) == ("BYE", "sip:1@192.0.2.77:5099")


def test_a_refused_reinvite_leaves_the_call_as_it_was() -> None:
    endpoint, call, tag = up()
    endpoint.receive(build(tag=tag, branch="z9hG4bKr", cseq=2, body=SDP), CARRIER, 1.0)
    assert statuses(endpoint.reject_reoffer(call, 488, 1.0)) == [488]
    assert endpoint.live_calls == 1


def test_reinvites_that_come_at_the_wrong_time() -> None:
    """RFC 3261 §14.2."""
    endpoint, call, tag = up()
    endpoint.receive(build(tag=tag, branch="z9hG4bKr", cseq=2, body=SDP), CARRIER, 1.0)
    outputs = endpoint.receive(build(tag=tag, branch="z9hG4bKs", cseq=3, body=SDP), CARRIER, 1.0)
    assert statuses(outputs) == [100, 500]
    assert responses(outputs)[-1].get("Retry-After")
    endpoint.reanswer(call, n.OFFER_B, 1.1)
    outputs = endpoint.receive(build(tag=tag, branch="z9hG4bKt", cseq=4, body=SDP), CARRIER, 1.2)
    assert statuses(outputs) == [100, 491]


def test_glare_with_a_callee_that_reinvites_before_its_answer() -> None:
    endpoint = fresh()
    endpoint.dial("out", "sip:1@192.0.2.9", CARRIER, "600", n.OFFER_B, 0.0)
    invite = parse(
        next(
            o.data
            for o in endpoint.dial("two", "sip:1@192.0.2.9", CARRIER, "600", n.OFFER_B, 0.0)
            if isinstance(o, Transmit)
        )
    )
    data = build(tag=invite.from_.tag or "", branch="z9hG4bKg", body=SDP).replace(
        b"Call-ID: c", f"Call-ID: {invite.call_id}".encode()
    )
    assert statuses(endpoint.receive(data, CARRIER, 0.1)) == [100, 491]


def test_a_malformed_2xx_fails_the_call_instead_of_hanging_it() -> None:
    endpoint = fresh()
    sent = endpoint.dial("out", "sip:1@192.0.2.9", CARRIER, "600", n.OFFER_B, 0.0)[0]
    assert isinstance(sent, Transmit)
    invite = parse(sent.data)
    answer = (
        f"SIP/2.0 200 OK\r\nVia: {invite.via.text}\r\nTo: <sip:1@192.0.2.9>;tag=x\r\nFrom: {invite.get('From')}\r\n"
        f"Call-ID: {invite.call_id}\r\nCSeq: 1 INVITE\r\n\r\n"
    ).encode()
    failed = endpoint.receive(answer, CARRIER, 0.1)[-1]
    assert getattr(failed, "status", None) == 400
    assert [each.method for each in requests(endpoint.receive(answer, CARRIER, 0.2))] == ["ACK"]
    assert endpoint.live_calls == 0


def test_two_callees_answer_behind_a_fork() -> None:
    """RFC 3261 §13.2.2.4: the second is acknowledged and let go."""
    endpoint = fresh()
    sent = endpoint.dial("out", "sip:1@192.0.2.9", CARRIER, "600", n.OFFER_A, 0.0)[0]
    assert isinstance(sent, Transmit)
    invite = parse(sent.data)
    body = bytes(n.answer_to(n.OFFER_A)).decode()
    kinds = []
    for tag in ("x", "y", "x"):
        answer = (
            f"SIP/2.0 200 OK\r\nVia: {invite.via.text}\r\nTo: <sip:1@192.0.2.9>;tag={tag}\r\n"
            f"From: {invite.get('From')}\r\nCall-ID: {invite.call_id}\r\nCSeq: 1 INVITE\r\n"
            f"Contact: <sip:{tag}@192.0.2.9>\r\nContent-Type: application/sdp\r\n\r\n{body}"
        )
        outputs = endpoint.receive(answer.encode(), CARRIER, 0.1)
        kinds.append([n.describe(o.data) if isinstance(o, Transmit) else type(o).__name__ for o in outputs])
    assert kinds == [["ACK", "CallAnswered"], ["ACK", "BYE"], ["ACK"]]


def test_however_many_answer_behind_a_fork_eight_are_let_go_and_each_once() -> None:
    """Who answers under a thousand tags has us send a thousand BYE, again and again, to wherever its Contact says."""
    endpoint = fresh()
    sent = endpoint.dial("out", "sip:1@192.0.2.9", CARRIER, "600", n.OFFER_A, 0.0)[0]
    assert isinstance(sent, Transmit)
    invite = parse(sent.data)
    body = bytes(n.answer_to(n.OFFER_A)).decode()
    told: list[str] = []
    for tag in ["x", *[f"y{number}" for number in range(100)] * 2]:
        answer = (
            f"SIP/2.0 200 OK\r\nVia: {invite.via.text}\r\nTo: <sip:1@192.0.2.9>;tag={tag}\r\n"
            f"From: {invite.get('From')}\r\nCall-ID: {invite.call_id}\r\nCSeq: 1 INVITE\r\n"
            f"Contact: <sip:{tag}@203.0.113.80>\r\nContent-Type: application/sdp\r\n\r\n{body}"
        )
        outputs = endpoint.receive(answer.encode(), CARRIER, 0.1)
        told += [n.describe(each.data) for each in outputs if isinstance(each, Transmit)]
    # ... while it is acknowledged as often as it says so
    assert (told.count("BYE"), told.count("ACK")) == (8, 1 + 8 + 8)


def test_what_is_of_no_call_costs_no_memory_above_the_limit_whatever_tag_it_has() -> None:
    endpoint = fresh()
    endpoint.settings = evolve(endpoint.settings, max_transactions=50)
    found = [
        statuses(endpoint.receive(build("BYE", tag=f"t{number}", branch=f"z9hG4bKf{number}"), CARRIER, 0.1))
        for number in range(60)
    ]
    assert found == [[481]] * 50 + [[503]] * 10
    assert endpoint.transactions == 50


def test_cancels_of_nothing_cost_no_memory_above_the_limit_and_one_of_a_call_is_heard() -> None:
    endpoint = fresh()
    endpoint.settings = evolve(endpoint.settings, max_transactions=50)
    endpoint.receive(build(body=SDP), CARRIER, 0.0)
    found = [
        statuses(endpoint.receive(build("CANCEL", branch=f"z9hG4bKf{number}"), CARRIER, 0.1)) for number in range(60)
    ]
    assert found == [[481]] * 49 + [[503]] * 11
    assert statuses(endpoint.receive(build("CANCEL"), CARRIER, 0.2)) == [200, 487]


def test_who_says_again_and_again_that_it_tries_is_told_of_once() -> None:
    """Each would be a message to the call, and a line of its journal."""
    endpoint = fresh()
    (invite,) = requests(endpoint.dial("out", "sip:1@192.0.2.9", CARRIER, "600", n.OFFER_A, 0.0))
    told = [each for _ in range(5) for each in events(reply(endpoint, invite, 100, source=CARRIER))]
    assert told == [CallTried("out")]
    assert events(reply(endpoint, invite, 180, source=CARRIER)) == [CallProgressed("out", 180, None)]
    assert events(reply(endpoint, invite, 100, source=CARRIER)) == []
    assert endpoint.counters["late: 100 again"] == 5


def test_a_call_has_so_many_transactions_at_once_and_is_ended_all_the_same() -> None:
    endpoint = fresh()
    far = Scripted(endpoint, dialled=False)
    found = [statuses(far.send("INFO"))[0] for _ in range(300)]
    served = found.count(200)
    assert (served, found[served:]) == (MOST_OPEN - 1, [503] * (300 - served)), "the INVITE is one of them"
    assert [statuses(far.send("BYE")), statuses(far.send("BYE"))] == [[200], [503]]
    assert endpoint.transactions == MOST_OPEN + 1
    # what had its time makes room again
    far.wake(33.0)
    assert statuses(far.send("BYE", now=33.0)) == [481]


def _late_bye(far: Scripted, number: int) -> bytes:
    """One of a number that is over, in a transaction of its own."""
    return (
        f"BYE sip:600@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKlate{number}\r\n"
        f"To: {far.to};tag={far.ours}\r\nFrom: <sip:gw@192.0.2.9>;tag={far.tag}\r\nCall-ID: {far.call_id}\r\n"
        "CSeq: 0 BYE\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def test_what_is_refused_within_a_call_is_bounded_too_and_its_bye_is_heard_longest() -> None:
    endpoint = fresh()
    far = Scripted(endpoint, dialled=False)
    endpoint.settings = evolve(endpoint.settings, max_transactions=50)
    before = endpoint.transactions
    junk = [statuses(far.send("INVITE", contact="junk"))[-1] for _ in range(120)]
    late = [statuses(far.send("BYE", cseq=0, now=0.1))[-1] for _ in range(1)]
    assert (junk.count(400), junk.count(503), late) == (100 - before, 20 + before, [500])
    found = [statuses(endpoint.receive(_late_bye(far, number), CARRIER, 0.2))[-1] for number in range(80)]
    assert (found.count(500), found.count(503)) == (49, 31)
    assert endpoint.transactions == 150


@pytest.mark.parametrize(("said", "left"), [("", 70), ("Max-Forwards: 5\r\n", 5), ("Max-Forwards: 255\r\n", 70)])
def test_a_call_says_through_how_many_hops_it_may_still_go(said: str, left: int) -> None:
    endpoint = fresh()
    request = build(body=SDP).replace(b"Max-Forwards: 70\r\n", said.encode())
    (incoming,) = [each for each in endpoint.receive(request, CARRIER, 0.0) if isinstance(each, IncomingCall)]
    assert incoming.forwards == left
    outputs = endpoint.dial("out", "sip:1@192.0.2.9", CARRIER, "600", n.OFFER_A, 0.0, forwards=left)
    (sent,) = [parse(each.data) for each in outputs if isinstance(each, Transmit)]
    assert sent.get("Max-Forwards") == str(left)


def test_what_cannot_be_sent_fails_at_once() -> None:
    endpoint = fresh()
    sent = endpoint.dial("out", "sip:1@192.0.2.9", CARRIER, "600", n.OFFER_A, 0.0)[0]
    assert isinstance(sent, Transmit)
    failed = endpoint.unsent(sent, 0.0)[-1]
    assert getattr(failed, "status", None) == 503


def test_commands_of_a_confused_application() -> None:
    endpoint, call, _ = up()
    with pytest.raises(LocalSipError):
        endpoint.answer(call, n.OFFER_B, 1.0)
    with pytest.raises(LocalSipError):
        endpoint.reject(call, 200, 1.0)
    with pytest.raises(LocalSipError):
        endpoint.hang_up(call, 1.0, "Q.850\r\nX: y")
    with pytest.raises(LocalSipError):
        endpoint.dial("x", "sip:a b", CARRIER, "1", n.OFFER_A, 1.0)
    with pytest.raises(LocalSipError):
        endpoint.dial("x", "sip:a@b", CARRIER, "1>", n.OFFER_A, 1.0)
    assert endpoint.ring("never heard of", 1.0) == []
    assert endpoint.counters["late: command for a forgotten call"] == 1


def test_the_longest_prefix_names_the_trunk() -> None:
    peers = {"all": "10.0.0.0/8 2001:db8::/32", "site": "10.1.0.0/16", "host": "10.1.2.3", "late": "10.1.2.3"}
    trunks = Trunks({trunk: TrunkSettings(tuple(each.split())) for trunk, each in peers.items()})
    names = [
        trunks.match(host)
        for host in ("10.9.9.9", "10.1.9.9", "10.1.2.3", "2001:db8::1", "::ffff:10.1.2.3", "x", "11.0.0.1")
    ]
    assert names == ["all", "site", "host", "all", "host", None, None]
    with pytest.raises(LocalSipError):
        Trunks({"bad": TrunkSettings(("carrier.example",))})


def test_the_deadline_is_cheap_and_everything_is_forgotten() -> None:
    endpoint = fresh()
    for index in range(500):
        data = build("OPTIONS", branch=f"z9hG4bK{index}").replace(b"Call-ID: c", b"Call-ID: c%d" % index)
        endpoint.receive(data, CARRIER, index / 1000)
    assert endpoint.deadline() == 32.0
    endpoint.wake(40.0)
    assert endpoint.idle
    assert endpoint.deadline() == float("inf")


@pytest.mark.parametrize("seed", range(60))
def test_any_order_of_their_messages_and_our_commands(seed: int) -> None:
    """Whatever a trunk sends to a call, and whenever: `receive` and `wake` raise nothing, and every call ends once."""
    rng = Random(seed)
    endpoint = fresh()
    first = endpoint.receive(build(body=SDP), CARRIER, 0.0)[-1]
    assert isinstance(first, IncomingCall)
    sent = endpoint.dial("out", "sip:1@192.0.2.9", CARRIER, "600", n.OFFER_A, 0.0)[0]
    assert isinstance(sent, Transmit)
    invite = parse(sent.data)
    answer = bytes(n.answer_to(n.OFFER_A)).decode()
    tag = ""
    ends: list[str] = []
    now = 0.0
    for step in range(40):
        now += rng.choice([0.0, 0.1, 1.0, 40.0])
        outputs = endpoint.wake(now)
        call = rng.choice([first.call, "out"])
        cseq, branch = rng.randint(1, 5), f"z9hG4bK{rng.choice([1, step])}"
        method = rng.choice(["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO"])
        match rng.randint(0, 3):
            case 0:
                body = rng.choice(["", SDP])
                outputs += endpoint.receive(build(method, tag=tag, cseq=cseq, branch=branch, body=body), CARRIER, now)
            case 1:
                theirs = build(method, tag=invite.from_.tag or "", cseq=cseq, branch=branch, body=SDP)
                theirs = theirs.replace(b"Call-ID: c", f"Call-ID: {invite.call_id}".encode()).replace(
                    b";tag=f", b";tag=x"
                )
                outputs += endpoint.receive(theirs, CARRIER, now)
            case 2:
                status = rng.choice([100, 180, 183, 200, 200, 302, 486, 487])
                text = (
                    f"SIP/2.0 {status} X\r\nVia: {invite.via.text}\r\nTo: <sip:1@192.0.2.9>;"
                    f"tag={rng.choice('xxxy')}\r\n"
                    f"From: {invite.get('From')}\r\nCall-ID: {invite.call_id}\r\n"
                    f"CSeq: 1 {rng.choice(['INVITE', 'INVITE', 'CANCEL'])}\r\nContact: <sip:x@192.0.2.9>\r\n"
                    f"Content-Type: application/sdp\r\n\r\n{rng.choice([answer, answer, ''])}"
                )
                outputs += endpoint.receive(text.encode(), CARRIER, now)
            case _:
                command = rng.randint(0, 5)
                with contextlib.suppress(LocalSipError):
                    match command:
                        case 0:
                            outputs += endpoint.ring(call, now)
                        case 1:
                            outputs += endpoint.answer(call, n.OFFER_B, now)
                        case 2:
                            outputs += endpoint.reject(call, 486, now)
                        case 3:
                            outputs += endpoint.hang_up(call, now)
                        case 4:
                            outputs += endpoint.reanswer(call, n.OFFER_B, now)
                        case _:
                            outputs += endpoint.reject_reoffer(call, 488, now)
        for response in responses(outputs):
            if response.call_id == "c" and response.status > 100 and response.method == "INVITE" and not tag:
                tag = response.to.tag or ""
        ends += [output.call for output in outputs if isinstance(output, CallEnded | CallCancelled | CallFailed)]
    for call in (first.call, "out"):
        endpoint.hang_up(call, now)
    for _ in range(300):
        outputs = endpoint.wake(now := now + 1)
        for output in outputs:
            if isinstance(output, IncomingCall):
                endpoint.hang_up(output.call, now)
    assert endpoint.live_calls >= 0
    assert len(ends) == len(set(ends))
