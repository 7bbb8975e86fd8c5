"""What the far side refers (REFER, RFC 3515): taken or refused, and what it is told of it (NOTIFY), also after the
call."""

from __future__ import annotations

import pytest
from attrs import evolve
from cordboard.sip.digest import Account
from cordboard.sip.endpoint import Endpoint, TrunkSettings
from cordboard.sip.events import CallEnded, CallReferred, IncomingCall, Output
from cordboard.sip.message import LocalSipError, RemoteSipError, Request, Row, parse
from cordboard.sip.referral import EXPIRES, refer_to
from hypothesis import given
from hypothesis import strategies as st

from . import net as n
from .far import PROXY, Scripted, events, reply, requests, responses, statuses
from .test_endpoint import build

TO = ("Refer-To", "<sip:+8610@192.0.2.9>")


def endpoint(**settings: object) -> Endpoint:
    made = n.endpoint(n.A)
    made.set_trunks({"carrier": TrunkSettings((PROXY.host,), hosts=("pbx.example",), **{"refers": True, **settings})})  # type: ignore[arg-type]
    return made


def scripted(*, dialled: bool = False, **settings: object) -> Scripted:
    return Scripted(endpoint(**settings), dialled=dialled)


def notified(out: list[Output]) -> list[tuple[str | None, str | None, str]]:
    """The event, how the subscription stands, and what is told, of each NOTIFY."""
    found = [each for each in requests(out) if each.method == "NOTIFY"]
    return [(each.get("Event"), each.get("Subscription-State"), each.body.decode().strip()) for each in found]


def answer(far: Scripted, out: list[Output], status: int = 200, now: float = 0.1) -> list[Output]:
    """The far side's to the last NOTIFY."""
    return reply(far.endpoint, requests(out)[-1], status, source=PROXY, now=now, tag=far.tag)


def accepted(far: Scripted) -> list[Output]:
    out = far.send("REFER", TO)
    assert events(out) == [CallReferred(far.call, "+8610")]
    assert statuses(out) == []
    return far.endpoint.accept_referral(far.call, 0.0)


@pytest.mark.parametrize("dialled", [False, True])
def test_who_refers_hears_what_comes_of_it(dialled: bool) -> None:
    far = scripted(dialled=dialled)
    out = accepted(far)
    assert statuses(out) == [202]
    (first,) = notified(out)
    assert first == (f"refer;id={far.cseq}", "active;expires=180", "SIP/2.0 100 Trying")
    assert requests(out)[0].get("Content-Type") == "message/sipfrag;version=2.0"
    out = [*answer(far, out), *far.endpoint.referral_stands(far.call, 180, 5.0)]
    assert notified(out) == [(f"refer;id={far.cseq}", "active;expires=175", "SIP/2.0 180 Ringing")]
    out = [*answer(far, out), *far.endpoint.referral_stands(far.call, 200, 9.0)]
    assert notified(out) == [(f"refer;id={far.cseq}", "terminated;reason=noresource", "SIP/2.0 200 OK")]
    assert answer(far, out) == []
    assert statuses(far.send("BYE", now=10.0)) == [200]


def test_one_notify_is_on_its_way_at_a_time_and_the_last_word_is_said() -> None:
    far = scripted()
    out = accepted(far)
    assert far.endpoint.referral_stands(far.call, 180, 0.1) == []
    assert far.endpoint.referral_stands(far.call, 486, 0.2) == []
    again = answer(far, out)
    assert [said for _, _, said in notified(again)] == ["SIP/2.0 486 Busy Here"]


def test_the_last_word_comes_after_the_call_too() -> None:
    """Who refers hangs up at once, mostly."""
    far = scripted()
    answer(far, accepted(far))
    assert CallEnded(far.call, "bye") in far.send("BYE", now=1.0)
    far.wake(60.0)
    out = far.endpoint.referral_stands(far.call, 200, 60.0)
    assert [said for _, _, said in notified(out)] == ["SIP/2.0 200 OK"]
    answer(far, out, now=60.1)
    far.wake(200.0)
    assert far.endpoint.idle


def test_what_nobody_says_anything_of_expires() -> None:
    far = scripted()
    answer(far, accepted(far))
    far.send("BYE", now=1.0)
    out = far.wake(EXPIRES + 0.1)
    assert notified(out)[-1][1] == "terminated;reason=timeout"
    assert far.endpoint.referral_stands(far.call, 200, EXPIRES + 1) == []
    far.wake(400.0)
    assert far.endpoint.idle


@pytest.mark.parametrize("status", [481, 500, 0])
def test_who_does_not_take_a_notify_hears_no_more(status: int) -> None:
    far = scripted()
    out = accepted(far)
    assert answer(far, out, status) == [] if status else notified(far.wake(40.0))
    assert far.endpoint.referral_stands(far.call, 200, 50.0) == []
    assert statuses(far.send("INFO", now=50.0)) == [200]


def test_a_notify_that_is_challenged_is_sent_again() -> None:
    far = scripted(account=Account("us", "secret"), dialled=True)
    far.endpoint._calls[far.call].trunk = "carrier"
    out = accepted(far)
    challenge = ("Proxy-Authenticate", 'Digest realm="r", nonce="n", algorithm=MD5, qop="auth"')
    again = reply(far.endpoint, requests(out)[-1], 407, challenge, tag=far.tag)
    assert [said for _, _, said in notified(again)] == ["SIP/2.0 100 Trying"]
    assert requests(again)[0].get("Proxy-Authorization")


def test_who_wants_to_hear_nothing_hears_nothing() -> None:
    """RFC 4488."""
    far = scripted()
    out = far.send("REFER", TO, ("Refer-Sub", "false"), ("Require", "norefersub"))
    assert events(out) == [CallReferred(far.call, "+8610")]
    out = far.endpoint.accept_referral(far.call, 0.0)
    assert [(each.status, each.get("Refer-Sub")) for each in responses(out)] == [(202, "false")]
    assert requests(out) == []
    assert far.endpoint.referral_stands(far.call, 200, 1.0) == []


def test_what_is_rejected_is_over_and_may_be_asked_for_again() -> None:
    far = scripted()
    far.send("REFER", TO)
    assert statuses(far.endpoint.reject_referral(far.call, 403, 0.0)) == [403]
    assert statuses(accepted(far)) == [202]


def test_one_thing_is_referred_at_a_time() -> None:
    far = scripted()
    far.send("REFER", TO)
    assert statuses(far.send("REFER", TO)) == [491]
    far.endpoint.accept_referral(far.call, 0.0)
    assert statuses(far.send("REFER", TO)) == [491]


def test_a_refer_that_waits_is_answered_at_the_end_of_the_call() -> None:
    far = scripted()
    far.send("REFER", TO)
    out = far.send("BYE")
    assert statuses(out) == [481, 200]
    assert far.endpoint.accept_referral(far.call, 0.0) == []


def test_there_must_be_a_call_that_can_be_given() -> None:
    made = endpoint()
    assert statuses(made.receive(build("REFER"), PROXY, 0.0)) == [481]
    far = scripted()
    far.send("BYE")
    assert statuses(far.send("REFER", TO)) == [481]
    with pytest.raises(LocalSipError):
        scripted().endpoint.reject_referral(far.call, 200, 0.0)


REFUSED: list[tuple[tuple[Row, ...], int]] = [
    ((), 400),
    ((TO, TO), 400),
    ((("Refer-To", "<sip:+8610@192.0.2.9>, <sip:+8620@192.0.2.9>"),), 400),
    ((("Refer-To", "<http://192.0.2.9/>"),), 416),
    ((("Refer-To", "<sip:+8610@192.0.2.9;method=BYE>"),), 603),
    ((("Refer-To", "<sip:+8610@192.0.2.9?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>"),), 603),
    ((("Refer-To", "<sip:+8610@192.0.2.9?Subject=x&replaces=a>"),), 603),
    ((("Refer-To", "<sip:+8610@203.0.113.9>"),), 603),
    ((("Refer-To", "<sip:+8610@elsewhere.example>"),), 603),
    ((TO, ("Require", "multiple-refer")), 420),
]


@pytest.mark.parametrize(("rows", "status"), REFUSED)
def test_what_cannot_be_done_is_refused_and_the_call_goes_on(rows: tuple[Row, ...], status: int) -> None:
    far = scripted()
    out = far.send("REFER", *rows)
    assert statuses(out) == [status]
    assert [type(each).__name__ for each in events(out)] == ["Refused"]
    assert statuses(far.send("INFO")) == [200]


@pytest.mark.parametrize(
    "to",
    [
        "<sip:+8610@PBX.example>",
        "<sip:+8610@192.0.2.1>",
        "<tel:+8610>",
        "sip:+8610@192.0.2.9",
        '"X" <sip:+8610@192.0.2.9:5080;transport=tcp>',
    ],
)
def test_the_trunk_names_its_hosts_or_ours(to: str) -> None:
    far = scripted()
    assert events(far.send("REFER", ("Refer-To", to))) == [CallReferred(far.call, "+8610")]


@pytest.mark.parametrize("host", ["switch.example", "office.example", "10.0.0.5"])
def test_it_may_name_what_the_two_sides_of_the_call_are_called(host: str) -> None:
    """... in To, From and its Contact: a PBX behind a NAT, and one that knows us by a name, have no other."""
    made = endpoint()
    head = (
        "{method} sip:600@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK{method}\r\nCall-ID: named\r\n"
        "To: <sip:600@switch.example>{tag}\r\nFrom: <sip:1@office.example>;tag=f\r\nCSeq: {cseq} {method}\r\n"
        "Contact: <sip:1@10.0.0.5>\r\nMax-Forwards: 70\r\n{more}\r\n"
    )

    def send(method: str, cseq: int, tag: str = "", more: str = "") -> list[Output]:
        text = head.format(method=method, cseq=cseq, tag=tag, more=more)
        return made.receive(text.encode(), PROXY, 0.0)

    incoming = send("INVITE", 1)[-1]
    assert isinstance(incoming, IncomingCall)
    (ok,) = responses(made.answer(incoming.call, n.OFFER_B, 0.0))
    tag = f";tag={ok.to.tag}"
    ack = bytes(n.answer_to(n.OFFER_B)).decode()
    send("ACK", 1, tag, f"Content-Type: application/sdp\r\nContent-Length: {len(ack)}\r\n\r\n{ack}"[:-2])
    out = send("REFER", 2, tag, f"Refer-To: <sip:+8610@{host}>\r\n")
    assert events(out) == [CallReferred(incoming.call, "+8610")]


def test_a_trunk_that_may_not_refer_is_told_so_by_allow() -> None:
    far = scripted(refers=False)
    out = far.send("REFER", TO)
    (refused,) = responses(out)
    assert refused.status == 405
    assert "REFER" not in (refused.get("Allow") or "REFER")
    (may,) = responses(scripted().send("OPTIONS"))
    assert (may.get("Allow") or "").endswith(", REFER")
    assert "norefersub" in (may.get("Supported") or "")
    (may_not,) = responses(far.send("OPTIONS"))
    assert (may_not.get("Allow"), may_not.get("Supported")) == (refused.get("Allow"), "100rel, timer")


def test_it_is_told_after_a_restart() -> None:
    far = scripted()
    out = accepted(far)
    (snapshot,) = [each for _, each in far.endpoint.snapshots()]
    again = endpoint()
    again_out = again.restore(snapshot, 1.0)
    assert [said for _, _, said in notified(again_out)] == ["SIP/2.0 100 Trying"]  # it may not have arrived
    far.endpoint = again
    answer(far, out, now=1.1)
    assert [said for _, _, said in notified(again.referral_stands(far.call, 486, 2.0))] == ["SIP/2.0 486 Busy Here"]


def test_it_is_told_after_a_restart_and_the_call() -> None:
    far = scripted()
    answer(far, accepted(far))
    far.send("BYE", now=1.0)
    (snapshot,) = [each for _, each in far.endpoint.snapshots()]
    assert not snapshot.live
    again = endpoint()
    assert again.restore(snapshot, 2.0) == []
    assert [said for _, _, said in notified(again.referral_stands(far.call, 200, 3.0))] == ["SIP/2.0 200 OK"]


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=60), max_size=3))
def test_whoever_is_named_is_read_or_refused(values: list[str]) -> None:
    request = build_with(values)
    try:
        said = refer_to(request).scheme
    except RemoteSipError as error:
        said = str(error.status)
    assert said in ("sip", "sips", "tel", "400", "416", "603")


def build_with(values: list[str]) -> Request:
    request = parse(build("REFER"))
    assert isinstance(request, Request)
    return evolve(request, rows=(*request.rows, *(("Refer-To", value) for value in values)))
