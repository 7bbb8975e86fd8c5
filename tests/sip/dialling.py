"""Scenarios in which we call sipp, or ask it."""

from __future__ import annotations

from collections.abc import Callable

from cordboard.sip import accounts, sessions
from cordboard.sip import call as calls
from cordboard.sip import exchange as exchanges
from cordboard.sip.digest import Account
from cordboard.sip.endpoint import Endpoint, TrunkSettings
from cordboard.sip.events import CallAnswered, CallFailed, CallProgressed, CallReoffered, Replied
from cordboard.sip.reason import ELSEWHERE
from cordboard.sip.sending import Context

from .breaking import does_nothing, ignores, instead, refuses, without_row
from .sipp import HOST, TRYING, App, Scenario, answer, ask, description, has, recv

S, IN = calls.State, calls.Input
XS, XIN = exchanges.State, exchanges.Input
ALICE = Account("alice", "secret")
CHALLENGE = 'Digest realm="carrier.example", nonce="n1", algorithm=MD5, qop="auth"'


def dials(user: str = "service", **options: object) -> Callable[[App], None]:
    return lambda app: app.dial(user, **options)


def dials_and(event: type, do: Callable[[App], None]) -> Callable[[App], None]:
    def act(app: App) -> None:
        app.then[event] = do
        app.dial()

    return act


def hangs_up(app: App) -> None:
    app.command(app.endpoint.hang_up, "out")


def gives_up(app: App) -> None:
    """Before sipp has heard of it."""
    app.dial()
    app.transport.command(lambda now: app.endpoint.hang_up("out", now, ELSEWHERE))


def failed(status: int, **expected: object) -> Callable[[App], None]:
    def check(app: App) -> None:
        last = app.events[-1]
        assert isinstance(last, CallFailed)
        assert last.status == status
        for name, value in expected.items():
            assert getattr(last, name) == value

    return check


def redirected(app: App) -> None:
    last = app.events[-1]
    assert isinstance(last, CallFailed)
    assert last.redirects == (f"sip:+8610@{HOST}:5099",)


def replied(status: int, **expected: object) -> Callable[[App], None]:
    def check(app: App) -> None:
        (reply,) = app.events
        assert isinstance(reply, Replied)
        assert reply.status == status
        for name, value in expected.items():
            assert getattr(reply, name) == value

    return check


def asks(method: str, **options: object) -> Callable[[App], None]:
    def act(app: App) -> None:
        app.transport.command(
            lambda now: app.endpoint.ask("r", "sipp", method, f"sip:{app.sipp}", app.sipp, now, **options)  # type: ignore[arg-type]
        )

    return act


def _early(app: App) -> None:
    progressed = app.events[0]
    assert isinstance(progressed, CallProgressed)
    assert progressed.answer is not None


def _held(app: App) -> None:
    (reoffered,) = [event for event in app.events if isinstance(event, CallReoffered)]
    assert reoffered.offer is not None
    assert b"sendonly" in bytes(reoffered.offer)


INVITE = recv("INVITE", keep=True)
ENDS = (recv("BYE"), answer(200, to=False))
ACCOUNT = {"sipp": TrunkSettings((HOST,), account=ALICE)}
VERIFY = '<verifyauth assign_to="right" username="alice" password="secret"/>'
WRONG = '<nop><action><error message="the credentials are wrong"/></action></nop>'
FAIL_IF_WRONG = f'<nop test="right" next="1"/>{WRONG}<label id="1"/>'

DIALLING = [
    Scenario(
        "we_dial_and_hang_up",
        (INVITE, answer(180), answer(200, body=description()), recv("ACK"), *ENDS),
        ("CallProgressed", "CallAnswered"),
        does_nothing("_acknowledge"),
        act=dials_and(CallAnswered, hangs_up),
    ),
    Scenario(
        "early_media_of_theirs",
        (INVITE, answer(183, body=description()), answer(200, kept=True, body=description()), recv("ACK"), *ENDS),
        ("CallProgressed", "CallAnswered"),
        without_row(calls.PLAN, S.DIALLING, IN.PROGRESS),
        act=dials_and(CallAnswered, hangs_up),
        check=_early,
    ),
    Scenario(
        "reliable_early_media_of_theirs",
        (
            INVITE,
            answer(183, "Require: 100rel", "RSeq: 7", body=description()),
            recv("PRACK", has("RAck", "7 1 INVITE")),
            answer(200, to=False),
            answer(200, kept=True),
            recv("ACK"),
            *ENDS,
        ),
        ("CallProgressed", "CallAnswered"),
        does_nothing("_prack"),
        act=dials_and(CallAnswered, hangs_up),
    ),
    Scenario(
        "callee_asks_who_we_are",
        (
            recv("INVITE"),
            answer(401, f"WWW-Authenticate: {CHALLENGE}"),
            recv("ACK"),
            recv("INVITE", VERIFY, keep=True),
            FAIL_IF_WRONG,
            answer(200, body=description()),
            recv("ACK", has("Authorization", "alice")),
            *ENDS,
        ),
        ("CallAnswered",),
        instead(accounts, "MAX_TRIES", 0),
        act=dials_and(CallAnswered, hangs_up),
        trunks=ACCOUNT,
    ),
    Scenario(
        "proxy_asks_who_we_are_with_sha_256",
        (
            recv("INVITE"),
            answer(
                407, f"Proxy-Authenticate: {CHALLENGE}", f"Proxy-Authenticate: {CHALLENGE.replace('MD5', 'SHA-256')}"
            ),
            recv("ACK"),
            recv("INVITE", has("Proxy-Authorization", "algorithm=SHA-256"), keep=True),
            answer(200, body=description()),
            recv("ACK", has("Proxy-Authorization", "alice")),
            *ENDS,
        ),
        ("CallAnswered",),
        instead(accounts, "MAX_TRIES", 0),
        act=dials_and(CallAnswered, hangs_up),
        trunks=ACCOUNT,
    ),
    Scenario(
        "password_that_is_wrong",
        (
            recv("INVITE"),
            answer(401, f"WWW-Authenticate: {CHALLENGE}"),
            recv("ACK"),
            recv("INVITE"),
            answer(401, f"WWW-Authenticate: {CHALLENGE.replace('n1', 'n2')}"),
            recv("ACK"),
        ),
        ("CallFailed",),
        instead(accounts.Accounts, "challenged", lambda self, trunk, response, tried, own: None),
        act=dials(),
        check=failed(401),
        trunks=ACCOUNT,
    ),
    Scenario(
        "busy",
        (INVITE, answer(486), recv("ACK")),
        ("CallFailed",),
        ignores("CSeq"),
        act=dials(),
        check=failed(486, reason="Whatever"),
    ),
    Scenario(
        "unavailable_for_a_while",
        (INVITE, answer(503, "Retry-After: 30 (soon)"), recv("ACK")),
        ("CallFailed",),
        ignores("Retry-After"),
        act=dials(),
        check=failed(503, retry_after=30),
    ),
    Scenario(
        "reason_of_a_failure",
        (INVITE, answer(480, 'Reason: Q.850;cause=20;text="absent"'), recv("ACK")),
        ("CallFailed",),
        ignores("Reason"),
        act=dials(),
        check=failed(480, reason='Q.850;cause=20;text="absent"'),
    ),
    Scenario(
        "redirect",
        (
            INVITE,
            answer(302, f"Contact: <sip:+86900@evil.example>, <sip:+8610@{HOST}:5099>").replace(
                "Contact: <sip:sipp@[local_ip]:[local_port]>\n", ""
            ),
            recv("ACK"),
        ),
        ("CallFailed",),
        instead(sessions.Sessions, "_redirects", lambda self, call, response: ("sip:+86900@evil.example",)),
        act=dials(),
        check=redirected,
    ),
    Scenario(
        "we_give_up_while_it_rings",
        (INVITE, answer(180), recv("CANCEL"), answer(200, to=False), answer(487, kept=True), recv("ACK")),
        ("CallProgressed",),
        without_row(calls.PLAN, S.EARLY, IN.HANG_UP),
        act=dials_and(CallProgressed, hangs_up),
    ),
    Scenario(
        "why_we_give_up_before_anything_is_heard",
        (
            INVITE,
            answer(180),
            recv("CANCEL", has("Reason", "SIP;cause=200")),
            answer(200, to=False),
            answer(200, kept=True, body=description()),
            recv("ACK"),
            recv("BYE", has("Reason", "SIP;cause=200")),
            answer(200, to=False),
        ),
        (),
        instead(Endpoint, "hang_up", lambda self, call, now, reason: self._command(call, IN.HANG_UP, Context(now))),
        act=gives_up,
    ),
    Scenario(
        "answer_that_crosses_our_cancel",
        (
            INVITE,
            answer(180),
            recv("CANCEL"),
            answer(200, to=False),
            answer(200, kept=True, body=description()),
            recv("ACK"),
            *ENDS,
        ),
        ("CallProgressed",),
        without_row(calls.PLAN, S.CANCELLED, IN.SUCCESS),
        act=dials_and(CallProgressed, hangs_up),
    ),
    Scenario(
        "two_answers_behind_a_fork",
        (
            INVITE,
            answer(200, body=description()),
            recv("ACK"),
            answer(200, kept=True, tag="other", body=description()),
            recv("ACK", has("To", "tag=other")),
            recv("BYE", has("To", "tag=other")),
            answer(200, to=False),
            ask("BYE"),
            recv(200),
        ),
        ("CallAnswered", "CallEnded"),
        does_nothing("_in"),
        act=dials(),
    ),
    Scenario(
        "callee_that_holds_us",
        (
            INVITE,
            answer(200, body=description()),
            recv("ACK"),
            ask("INVITE", cseq=2, body=description(2).replace("sendrecv", "sendonly")),
            TRYING,
            recv(200, has("Content-Type", "application/sdp")),
            ask("ACK", cseq=2),
            ask("BYE", cseq=3),
            recv(200),
        ),
        ("CallAnswered", "CallReoffered", "CallEnded"),
        without_row(exchanges.PLAN, XS.STABLE, XIN.INVITE),
        act=dials(),
        check=_held,
    ),
    Scenario(
        "callee_that_updates",
        (
            INVITE,
            answer(200, body=description()),
            recv("ACK"),
            ask("UPDATE", cseq=2, body=description(2, 6004)),
            recv(200, has("Content-Type", "application/sdp")),
            ask("BYE", cseq=3),
            recv(200),
        ),
        ("CallAnswered", "CallReoffered", "CallEnded"),
        refuses("UPDATE"),
        act=dials(),
    ),
    Scenario(
        "session_timer_that_is_too_short_for_them",
        (
            recv("INVITE", has("Session-Expires", "1800")),
            answer(422, "Min-SE: 3600"),
            recv("ACK"),
            recv("INVITE", has("Session-Expires", "3600"), has("Min-SE", "3600"), keep=True),
            answer(200, "Session-Expires: 3600;refresher=uac", body=description()),
            recv("ACK"),
            *ENDS,
        ),
        ("CallAnswered",),
        ignores("Min-SE"),
        act=dials_and(CallAnswered, hangs_up),
    ),
    Scenario(
        "callee_without_a_usable_answer",
        (INVITE, answer(200), recv("ACK"), *ENDS),
        ("CallFailed",),
        does_nothing("_tell_answered"),
        act=dials(),
        check=failed(488),
    ),
    Scenario(
        "trunk_is_pinged",
        (recv("OPTIONS", has("Allow", "INVITE")), answer(200, to=True)),
        ("Replied",),
        does_nothing("_replied"),
        act=asks("OPTIONS"),
        check=replied(200),
    ),
    Scenario(
        "we_register",
        (
            recv("REGISTER", has("Contact", "expires=600")),
            answer(401, f"WWW-Authenticate: {CHALLENGE}"),
            recv("REGISTER", VERIFY, has("CSeq", "2 REGISTER")),
            FAIL_IF_WRONG,
            answer(200, "Expires: 120").replace("Contact: <sip:sipp@[local_ip]:[local_port]>\n", ""),
        ),
        ("Replied",),
        instead(accounts, "MAX_TRIES", 0),
        act=asks("REGISTER", user="alice", expires=600),
        check=replied(200, expires=120, cseq=2),
        trunks=ACCOUNT,
    ),
    Scenario(
        "registrar_that_says_where_calls_pass",
        (
            recv("REGISTER"),
            answer(200, "Service-Route: <sip:a.example;lr>, <sip:b.example;lr>").replace(
                "Contact: <sip:sipp@[local_ip]:[local_port]>", "Expires: 120"
            ),
        ),
        ("Replied",),
        ignores("Service-Route"),
        act=asks("REGISTER", user="alice", expires=600),
        check=replied(200, routes=("<sip:a.example;lr>", "<sip:b.example;lr>")),
    ),
    Scenario(
        "registrar_that_wants_longer",
        (recv("REGISTER"), answer(423, "Min-Expires: 1800")),
        ("Replied",),
        ignores("Min-Expires"),
        act=asks("REGISTER", user="alice", expires=60),
        check=replied(423, min_expires=1800),
    ),
]
