"""Scenarios in which sipp calls us, or registers with us."""

from __future__ import annotations

from collections.abc import Callable

from cordboard.sip import call as calls
from cordboard.sip import exchange as exchanges
from cordboard.sip import reliable, renegotiation, screening, sdp
from cordboard.sip.dialog import Dialog
from cordboard.sip.endpoint import Endpoint
from cordboard.sip.events import CallEnded, CallKeyed, IncomingCall
from cordboard.sip.grammar import Via

from .breaking import does_nothing, ignores, instead, refuses, without_row
from .sipp import (
    ACK,
    ANSWERED,
    HOST,
    OK_BYE,
    RINGING,
    TRYING,
    App,
    Scenario,
    answer,
    call,
    description,
    has,
    invited,
    recv,
    refused,
    says,
    send,
)

S, IN = calls.State, calls.Input
XS, XIN = exchanges.State, exchanges.Input
# Quick enough that 64*T1, a second and a quarter, can be waited for
QUICK = 0.02
UP = ("IncomingCall", "CallConfirmed")
CALL = (*UP, "CallEnded")


def hears(number: str) -> Callable[[App], None]:
    def check(app: App) -> None:
        (key,) = [event for event in app.events if isinstance(event, CallKeyed)]
        assert key.digit == number

    return check


def diverted(app: App) -> None:
    incoming = app.events[0]
    assert isinstance(incoming, IncomingCall)
    assert incoming.diverted_from == "+8610"


def comes_from(caller: str | None, name: str = "") -> Callable[[App], None]:
    def check(app: App) -> None:
        incoming = app.events[0]
        assert isinstance(incoming, IncomingCall)
        assert (incoming.caller, incoming.caller_name) == (caller, name)

    return check


def by(cause: str) -> Callable[[App], None]:
    def check(app: App) -> None:
        ended = app.events[-1]
        assert isinstance(ended, CallEnded)
        assert ended.cause == cause

    return check


def has_no_room(app: App) -> None:
    """Until the refusal is acknowledged."""
    app.endpoint.room = lambda: 0.0
    app.upon[b"ACK "] = lambda app: setattr(app.endpoint, "room", lambda: 9.0)


RELIABLE = (has("RSeq", "[0-9]+", "rseq"), has("Require", "100rel"))
PRACK = (send("PRACK", "RAck: [$rseq] 1 INVITE", cseq=2), recv(200))

CALLING = [
    Scenario(
        "early_media",
        (call("early"), TRYING, recv(183, has("Content-Type", "application/sdp")), recv(200), ACK, *OK_BYE),
        CALL,
        without_row(calls.PLAN, S.OFFERED, IN.EARLY_ANSWER),
    ),
    Scenario(
        "early_media_arrives",
        (call("early", "Supported: 100rel"), TRYING, recv(183, *RELIABLE), *PRACK, recv(200), ACK, *OK_BYE),
        CALL,
        instead(screening, "METHODS", screening.METHODS[:6]),
    ),
    Scenario(
        "ringing_arrives_where_required",
        (call("600", "Require: 100rel"), TRYING, recv(180, *RELIABLE), *PRACK, recv(200), ACK, *OK_BYE),
        CALL,
        instead(reliable.Reliable, "must", lambda self, described: False),
    ),
    Scenario(
        "early_media_is_never_acknowledged",
        (call("early", "Supported: 100rel"), TRYING, recv(183, *RELIABLE), recv(504), refused()),
        ("IncomingCall", "CallCancelled"),
        instead(reliable.Reliable, "_begin", lambda self, timer: 60.0),
        t1=QUICK,
    ),
    Scenario(
        "prack_of_nothing",
        (call(), *ANSWERED, send("PRACK", "RAck: 1 1 INVITE", cseq=2), recv(481), *OK_BYE),
        CALL,
        instead(reliable.Reliable, "matches", lambda self, prack, cseq: True),
    ),
    Scenario(
        "update_with_an_offer",
        (
            call(),
            *ANSWERED,
            send("UPDATE", cseq=2, body=description(2, 6002)),
            recv(200, has("Content-Type", "application/sdp")),
            *OK_BYE,
        ),
        (*UP, "CallReoffered", "CallEnded"),
        refuses("UPDATE"),
    ),
    Scenario(
        "update_without_an_offer",
        (call(), *ANSWERED, send("UPDATE", cseq=2), recv(200, has("Contact", "sip:")), *OK_BYE),
        CALL,
        refuses("UPDATE"),
    ),
    Scenario(
        "session_timer_of_theirs",
        (
            call("600", "Supported: timer", "Session-Expires: 120;refresher=uac"),
            TRYING,
            RINGING,
            recv(200, has("Session-Expires", "120;refresher=uac"), has("Require", "timer")),
            ACK,
            send("UPDATE", "Supported: timer", "Session-Expires: 120;refresher=uac", cseq=2),
            recv(200, has("Session-Expires", "120;refresher=uac")),
            *OK_BYE,
        ),
        CALL,
        ignores("Session-Expires"),
    ),
    Scenario(
        "session_timer_that_is_too_short",
        (
            call("600", "Supported: timer", "Session-Expires: 30"),
            TRYING,
            recv(422, has("Min-SE", "90")),
            refused(),
        ),
        ("Refused",),
        instead(screening, "MIN_SE", 10),
    ),
    Scenario(
        "we_offer_anew",
        (
            call("reoffer"),
            *ANSWERED,
            recv("INVITE", has("Content-Type", "application/sdp")),
            answer(200, body=description(2), to=False),
            recv("ACK"),
            *OK_BYE,
        ),
        (*UP, "CallReanswered", "CallEnded"),
        without_row(exchanges.PLAN, XS.STABLE, XIN.OFFER),
    ),
    Scenario(
        "our_offer_meets_theirs",
        (
            call("reoffer"),
            *ANSWERED,
            recv("INVITE"),
            answer(491, to=False),
            recv("ACK"),
            recv("INVITE"),
            answer(200, body=description(2), to=False),
            recv("ACK"),
            *OK_BYE,
        ),
        (*UP, "CallReanswered", "CallEnded"),
        instead(exchanges, "MAX_GLARES", 0),
    ),
    Scenario(
        "our_offer_is_refused",
        (call("reoffer"), *ANSWERED, recv("INVITE"), answer(488, to=False), recv("ACK"), *OK_BYE),
        (*UP, "CallReofferRefused", "CallEnded"),
        instead(renegotiation, "GONE", frozenset({488})),
    ),
    Scenario(
        "our_offer_meets_a_call_that_is_gone",
        (
            call("reoffer"),
            *ANSWERED,
            recv("INVITE"),
            answer(481, to=False),
            recv("ACK"),
            recv("BYE"),
            answer(200, to=False),
        ),
        (*UP, "CallEnded"),
        instead(renegotiation, "GONE", frozenset()),
        check=by("lost"),
    ),
    Scenario(
        "their_offer_while_another_waits",
        (
            call("wait"),
            *ANSWERED,
            send("INVITE", cseq=2, body=description(2)),
            recv(100),
            send("INVITE", cseq=3, body=description(3), branch=invited(3)),
            TRYING,
            recv(500, has("Retry-After", "[0-9]+")),
            refused(3),
            send("BYE", cseq=4),
            recv(487),
            recv(200),
        ),
        (*UP, "CallReoffered", "CallEnded"),
        without_row(exchanges.PLAN, XS.INVITED, XIN.INVITE),
    ),
    Scenario(
        "their_offer_without_one",
        (
            call(),
            *ANSWERED,
            send("INVITE", cseq=2),
            TRYING,
            recv(200, has("Content-Type", "application/sdp")),
            send("ACK", cseq=2, body=description(2)),
            *OK_BYE,
        ),
        (*UP, "CallReoffered", "CallConfirmed", "CallEnded"),
        without_row(exchanges.PLAN, XS.ANSWERED, XIN.ACK),
    ),
    Scenario(
        "invite_without_an_offer",
        (
            send("INVITE", within=False),
            TRYING,
            RINGING,
            recv(200, has("Content-Type", "application/sdp")),
            send("ACK", body=description()),
            *OK_BYE,
        ),
        CALL,
        without_row(calls.PLAN, S.OFFERED, IN.ANSWER),
    ),
    Scenario(
        "ack_without_the_answer_it_owes",
        (send("INVITE", within=False), TRYING, RINGING, recv(200), send("ACK"), recv("BYE"), answer(200, to=False)),
        ("IncomingCall", "CallEnded"),
        does_nothing("_confirmed"),
        check=by("bad-answer"),
    ),
    Scenario(
        "ack_that_never_comes",
        (call(), TRYING, RINGING, recv(200), recv("BYE"), answer(200, to=False)),
        ("IncomingCall", "CallEnded"),
        without_row(calls.PLAN, S.ACCEPTED, IN.NO_ACK),
        check=by("no-ack"),
        t1=QUICK,
    ),
    Scenario(
        "hold_as_before_rfc_3264",
        (
            call(),
            *ANSWERED,
            send("INVITE", cseq=2, body=description(2).replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0")),
            TRYING,
            recv(200, says("a=recvonly")),
            send("ACK", cseq=2),
            *OK_BYE,
        ),
        (*UP, "CallReoffered", "CallEnded"),
        instead(sdp, "_remote", lambda media, peer: (HOST, 6000)),
    ),
    Scenario(
        "hold_of_both_sides",
        (
            call(),
            *ANSWERED,
            send("INVITE", cseq=2, body=description(2).replace("sendrecv", "inactive")),
            TRYING,
            recv(200, says("a=inactive")),
            send("ACK", cseq=2),
            *OK_BYE,
        ),
        (*UP, "CallReoffered", "CallEnded"),
        instead(sdp, "MIRROR", dict.fromkeys(sdp.MIRROR, "sendrecv")),
    ),
    Scenario(
        "bye_before_the_ack",
        (call(), TRYING, RINGING, recv(200), send("BYE", cseq=2), recv(200)),
        ("IncomingCall", "CallEnded"),
        without_row(calls.PLAN, S.ACCEPTED, IN.BYE),
        check=by("bye"),
    ),
    Scenario(
        "cancel_that_crosses_the_answer",
        (
            call(),
            TRYING,
            RINGING,
            recv(200),
            send("CANCEL", within=False, branch=invited()),
            recv(200),
            ACK,
            *OK_BYE,
        ),
        CALL,
        does_nothing("_cancel"),
    ),
    Scenario(
        "invitation_that_expires",
        (call("ring", "Expires: 1"), TRYING, RINGING, recv(487), refused()),
        ("IncomingCall", "CallCancelled"),
        ignores("Expires"),
    ),
    Scenario(
        "key_by_info",
        (
            call(),
            *ANSWERED,
            send("INFO", cseq=2, body="Signal=5\nDuration=160\n").replace("application/sdp", "application/dtmf-relay"),
            recv(200),
            *OK_BYE,
        ),
        (*UP, "CallKeyed", "CallEnded"),
        refuses("INFO"),
        check=hears("5"),
    ),
    Scenario(
        "options_in_a_call",
        (call(), *ANSWERED, send("OPTIONS", cseq=2), recv(200, has("Allow", "UPDATE")), *OK_BYE),
        CALL,
        refuses("OPTIONS"),
    ),
    Scenario(
        "offer_of_ours_before_the_answer",
        (
            send("INVITE", "Supported: 100rel", to="early", within=False, branch=invited()),
            TRYING,
            recv(183, *RELIABLE, has("Content-Type", "application/sdp")),
            send("PRACK", "RAck: [$rseq] 1 INVITE", cseq=2, body=description()),
            recv(200),
            recv(200, has("Content-Length", "0")),
            ACK,
            *OK_BYE,
        ),
        ("IncomingCall", "CallReanswered", "CallConfirmed", "CallEnded"),
        instead(reliable.Reliable, "keeps_answer", property(lambda self: False)),
    ),
    Scenario(
        "refer_is_refused",
        (
            call(),
            *ANSWERED,
            send("REFER", "Refer-To: <sip:+86900@evil.example>", cseq=2),
            recv(405, has("Allow", "BYE")),
            *OK_BYE,
        ),
        (*UP, "Refused", "CallEnded"),
        instead(screening, "KNOWN_METHODS", frozenset(screening.METHODS)),
    ),
    Scenario(
        "number_that_was_used_before",
        (
            call("600", cseq=5),
            TRYING,
            RINGING,
            recv(200),
            send("ACK", cseq=5),
            send("INFO", cseq=4),
            recv(500),
            *OK_BYE,
        ),
        (*UP, "Refused", "CallEnded"),
        instead(Dialog, "accepts", lambda self, request: True),
    ),
    Scenario(
        "caller_who_does_not_know_its_port",
        tuple(
            step.replace("[local_ip]:[local_port];branch", f"{HOST}:9;rport;branch")
            for step in (call(), TRYING, RINGING, recv(200, has("Via", "rport=[0-9]+.*received=")), ACK, *OK_BYE)
        ),
        CALL,
        instead(Via, "stamped", lambda self, source: self.text),
    ),
    Scenario(
        "call_that_comes_while_we_have_no_room",
        (
            call(),
            recv(503, has("Retry-After", "[0-9]+")),
            refused(),
            call("600", cseq=2),
            TRYING,
            RINGING,
            recv(200),
            send("ACK", cseq=2),
            *OK_BYE,
        ),
        ("Refused", *CALL),
        instead(Endpoint, "_is_full", lambda self, request, *, late: False),
        act=has_no_room,
    ),
    Scenario(
        "hops_that_are_used_up",
        (call("600").replace("Max-Forwards: 70", "Max-Forwards: 0"), TRYING, recv(483), refused()),
        ("Refused",),
        ignores("Max-Forwards"),
    ),
    Scenario(
        "caller_as_its_carrier_asserts_it",
        (call("600", 'P-Asserted-Identity: "Lin" <sip:+861055501000@carrier.example>'), *ANSWERED, *OK_BYE),
        CALL,
        ignores("P-Asserted-Identity"),
        check=comes_from("+861055501000", "Lin"),
    ),
    Scenario(
        "caller_that_withholds_its_number",
        (
            call("600", "P-Asserted-Identity: <sip:+861055501000@carrier.example>", "Privacy: id"),
            *ANSWERED,
            *OK_BYE,
        ),
        CALL,
        ignores("Privacy"),
        check=comes_from(None),
    ),
    Scenario(
        "caller_whose_way_here_is_in_its_history",
        (
            call("600", "History-Info: <sip:+8610@x>;index=1, <sip:600@x;cause=302>;index=1.1"),
            *ANSWERED,
            *OK_BYE,
        ),
        CALL,
        ignores("History-Info"),
        check=diverted,
    ),
    Scenario(
        "their_offer_of_another_codec_at_another_address",
        (
            call(),
            *ANSWERED,
            send(
                "INVITE",
                cseq=2,
                body=description(2, 6006)
                .replace("RTP/AVP 8 0 101", "RTP/AVP 0")
                .replace("c=IN IP4 127.0.0.1", "c=IN IP4 127.0.0.2"),
            ),
            TRYING,
            recv(200, says("m=audio [0-9]+ RTP/AVP 0")),
            send("ACK", cseq=2),
            *OK_BYE,
        ),
        (*UP, "CallReoffered", "CallEnded"),
        without_row(exchanges.PLAN, XS.STABLE, XIN.INVITE),
    ),
    Scenario(
        "diverted_caller",
        (call("600", "Diversion: <sip:+8610@x>;reason=no-answer"), *ANSWERED, *OK_BYE),
        CALL,
        ignores("Diversion"),
        check=diverted,
    ),
]
