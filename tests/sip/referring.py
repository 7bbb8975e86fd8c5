"""Scenarios in which sipp calls us, and wants the call to be put through to somebody else (REFER)."""

from __future__ import annotations

import re
from collections.abc import Callable

from cordboard.sip import referral
from cordboard.sip.endpoint import TrunkSettings
from cordboard.sip.events import CallEnded, CallReferred
from cordboard.sip.trunks import Trunks

from .breaking import ignores, instead, without_row
from .sipp import ANSWERED, HOST, OK_BYE, App, Scenario, answer, call, has, recv, says, send

UP = ("IncomingCall", "CallConfirmed")
REFERS = {"sipp": TrunkSettings((HOST,), refers=True)}
REFER_TO = f"Refer-To: <sip:+8610@{HOST}>"


def refers(*stands: int) -> Callable[[App], None]:
    """Accepts what is referred, and says how it stands one after the other."""

    def accept(app: App) -> None:
        referred = app.events[-1]
        assert isinstance(referred, CallReferred)
        assert referred.number == "+8610"
        app.command(app.endpoint.accept_referral, referred.call)
        for status in stands:
            app.command(app.endpoint.referral_stands, referred.call, status)

    def act(app: App) -> None:
        app.then[CallReferred] = accept

    return act


def refers_until_the_end(status: int) -> Callable[[App], None]:
    """... and says what came of it when the call is over."""

    def last(app: App) -> None:
        ended = app.events[-1]
        assert isinstance(ended, CallEnded)
        app.command(app.endpoint.referral_stands, ended.call, status)

    def act(app: App) -> None:
        refers()(app)
        app.then[CallEnded] = last

    return act


def notified(fragment: str, state: str, event: str = "refer;id=2") -> tuple[str, ...]:
    return (
        recv("NOTIFY", has("Event", event), has("Subscription-State", state), says(f"SIP/2.0 {fragment}")),
        answer(200, to=False),
    )


REFERRING = [
    Scenario(
        "refer_that_is_answered",
        (
            call(),
            *ANSWERED,
            send("REFER", REFER_TO, cseq=2),
            recv(202),
            *notified("100 Trying", "active;expires=180", "refer;id=2"),
            *notified("200 OK", "terminated;reason=noresource"),
            *OK_BYE,
        ),
        (*UP, "CallReferred", "CallEnded"),
        without_row(referral.PLAN, referral.State.SAYING, referral.Input.HEARD),
        act=refers(200),
        trunks=REFERS,
    ),
    Scenario(
        "refer_and_bye_at_once",
        (
            call(),
            *ANSWERED,
            send("REFER", REFER_TO, cseq=2),
            recv(202),
            *notified("100 Trying", "active"),
            *OK_BYE,
            *notified("486 Busy Here", "terminated;reason=noresource"),
        ),
        (*UP, "CallReferred", "CallEnded"),
        without_row(referral.PLAN, referral.State.SAID, referral.Input.LAST),
        act=refers_until_the_end(486),
        trunks=REFERS,
    ),
    Scenario(
        "refer_that_wants_no_notify",
        (
            call(),
            *ANSWERED,
            send("REFER", REFER_TO, "Refer-Sub: false", "Supported: norefersub", cseq=2),
            recv(202, has("Refer-Sub", "false")),
            *OK_BYE,
        ),
        (*UP, "CallReferred", "CallEnded"),
        ignores("Refer-Sub"),
        act=refers(200),
        trunks=REFERS,
    ),
    Scenario(
        "refer_that_takes_a_call_over",
        (
            call(),
            *ANSWERED,
            send("REFER", f"Refer-To: <sip:+8610@{HOST}?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>", cseq=2),
            recv(603, has("Warning", "Replaces")),
            *OK_BYE,
        ),
        (*UP, "Refused", "CallEnded"),
        instead(referral, "_REPLACES", re.compile("never this")),
        act=refers(200),
        trunks=REFERS,
    ),
    Scenario(
        "refer_to_elsewhere",
        (
            call(),
            *ANSWERED,
            send("REFER", "Refer-To: <sip:+86900@evil.example>", cseq=2),
            recv(603, has("Warning", "elsewhere")),
            send("REFER", cseq=3),
            recv(400),
            send("REFER", REFER_TO, REFER_TO.replace("8610", "8620"), cseq=4),
            recv(400),
            *OK_BYE,
        ),
        (*UP, "Refused", "Refused", "Refused", "CallEnded"),
        instead(Trunks, "owns", lambda *arguments: True),
        act=refers(200),
        trunks=REFERS,
    ),
]
