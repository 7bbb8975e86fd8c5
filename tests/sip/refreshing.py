"""Scenarios in which a session is refreshed, by us or by sipp (RFC 4028): our clock leaps."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from cordboard.sip import refresh, renegotiation
from cordboard.sip.events import CallAnswered, CallConfirmed
from cordboard.sip.refresh import Refresh

from .breaking import ignores, instead, without_row
from .calling import UP, by
from .dialling import INVITE, dials_and
from .sipp import ACK, OK_BYE, RINGING, TRYING, App, Scenario, answer, ask, call, description, has, recv

S, IN = refresh.State, refresh.Input
CALL = (*UP, "CallEnded")
# The shortest that there is
SECONDS = 90
HALF = SECONDS / 2
# A third of it before its end, where that is less than 32 s (RFC 4028 §10)
LAPSES = SECONDS * 2 / 3
# The 503 of a refresh says so
SOON = 5.0

ASKS = has("Session-Expires", f"{SECONDS};refresher=uac")
STAYS = f"Session-Expires: {SECONDS};refresher=uac"


def session(refresher: str) -> tuple[str, ...]:
    """Their call, and who refreshes it."""
    timer = f"Session-Expires: {SECONDS};refresher={refresher}"
    return (
        call("600", "Supported: timer", "Allow: INVITE, ACK, BYE, CANCEL, UPDATE", timer),
        TRYING,
        RINGING,
        recv(200, has("Session-Expires", f"{SECONDS};refresher={refresher}")),
        ACK,
    )


def leap(seconds: float) -> Callable[[App], None]:
    return partial(App.leap, seconds=seconds)


def leaps(seconds: float, *then: tuple[bytes, float]) -> Callable[[App], None]:
    """As soon as the call is up, and when something comes that begins so."""

    def act(app: App) -> None:
        app.then[CallConfirmed] = leap(seconds)
        app.upon.update((begins, leap(more)) for begins, more in then)

    return act


REFRESHING = [
    Scenario(
        "we_refresh_a_call_of_theirs",
        (*session("uas"), recv("UPDATE", ASKS), answer(200, STAYS, to=False), *OK_BYE),
        CALL,
        instead(Refresh, "_begin", lambda self, timer: self.interval),
        act=leaps(HALF),
        check=by("bye"),
    ),
    Scenario(
        "we_refresh_a_call_of_ours_by_an_offer",
        (
            INVITE,
            answer(200, STAYS, body=description()),
            recv("ACK"),
            recv("INVITE", ASKS, has("Content-Type", "application/sdp")),
            answer(200, STAYS, body=description(), to=False),
            recv("ACK"),
            ask("BYE"),
            recv(200),
        ),
        ("CallAnswered", "CallReanswered", "CallEnded"),
        without_row(refresh.PLAN, S.OURS, IN.HALF),
        act=dials_and(CallAnswered, leap(HALF)),
        check=by("bye"),
    ),
    Scenario(
        "refresh_of_a_call_that_is_gone",
        (*session("uas"), recv("UPDATE"), answer(481, to=False), recv("BYE"), answer(481, to=False)),
        CALL,
        instead(renegotiation, "GONE", frozenset()),
        act=leaps(HALF),
        check=by("lost"),
    ),
    Scenario(
        "refresh_by_an_offer_of_a_call_that_is_gone",
        (
            INVITE,
            answer(200, STAYS, body=description()),
            recv("ACK"),
            recv("INVITE", ASKS),
            answer(481, to=False),
            recv("ACK"),
            recv("BYE"),
            answer(481, to=False),
        ),
        ("CallAnswered", "CallEnded"),
        instead(renegotiation, "GONE", frozenset()),
        act=dials_and(CallAnswered, leap(HALF)),
        check=by("lost"),
    ),
    Scenario(
        "refresh_by_an_offer_that_is_too_short_for_them",
        (
            INVITE,
            answer(200, STAYS, body=description()),
            recv("ACK"),
            recv("INVITE", ASKS),
            answer(422, "Min-SE: 120", to=False),
            recv("ACK"),
            recv("INVITE", has("Session-Expires", "120;refresher=uac"), has("Min-SE", "120")),
            answer(200, "Session-Expires: 120;refresher=uac", body=description(), to=False),
            recv("ACK"),
            ask("BYE"),
            recv(200),
        ),
        ("CallAnswered", "CallReanswered", "CallEnded"),
        ignores("Min-SE"),
        act=dials_and(CallAnswered, leap(HALF)),
        check=by("bye"),
    ),
    Scenario(
        "refresh_that_reaches_nobody",
        (*session("uas"), recv("UPDATE"), answer(408, to=False), recv("BYE"), answer(408, to=False)),
        CALL,
        instead(renegotiation, "GONE", frozenset({481})),
        act=leaps(HALF),
        check=by("lost"),
    ),
    Scenario(
        "refresh_that_is_too_short_for_them",
        (
            *session("uas"),
            recv("UPDATE", ASKS),
            answer(422, "Min-SE: 120", to=False),
            recv("UPDATE", has("Session-Expires", "120;refresher=uac"), has("Min-SE", "120")),
            answer(200, "Session-Expires: 120;refresher=uac", to=False),
            recv("UPDATE", has("Session-Expires", "120;refresher=uac")),
            answer(200, "Session-Expires: 120;refresher=uac", to=False),
            *OK_BYE,
        ),
        CALL,
        ignores("Min-SE"),
        act=leaps(HALF, (b"SIP/2.0 200", 60.0)),
        check=by("bye"),
    ),
    Scenario(
        "refresh_that_is_refused_for_now",
        (
            *session("uas"),
            recv("UPDATE", ASKS),
            answer(503, f"Retry-After: {SOON:.0f}", to=False),
            recv("UPDATE", ASKS),
            answer(200, STAYS, to=False),
            *OK_BYE,
        ),
        CALL,
        without_row(refresh.PLAN, S.ASKING, IN.REFUSED),
        act=leaps(HALF, (b"SIP/2.0 503", SOON)),
        check=by("bye"),
    ),
    Scenario(
        "session_that_they_do_not_refresh",
        (*session("uac"), recv("BYE", has("Reason", ".")), answer(200, to=False)),
        CALL,
        without_row(refresh.PLAN, S.THEIRS, IN.LAPSE),
        act=leaps(LAPSES),
        check=by("expired"),
    ),
]
