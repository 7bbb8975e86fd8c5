"""Scenarios of who calls, and what the other side is told of that: asserted, withheld, and names that would be more
than names."""

from __future__ import annotations

from collections.abc import Callable

from cordboard.sip import endpoint, grammar, identity
from cordboard.sip.endpoint import TrunkSettings
from cordboard.sip.events import CallAnswered
from cordboard.sip.identity import identified

from .breaking import instead
from .calling import CALL, comes_from
from .dialling import ENDS, hangs_up
from .sipp import ANSWERED, HOST, OK_BYE, App, Scenario, answer, call, description, has, lacks, recv

NUMBER = "+861055501000"


def withholds(app: App) -> None:
    app.then[CallAnswered] = hangs_up
    app.dial(caller=None, asserted=NUMBER)


def introduces_itself(name: str) -> Callable[[App], None]:
    def act(app: App) -> None:
        app.then[CallAnswered] = hangs_up
        app.dial(caller_name=name)

    return act


def answered(*checks: str) -> tuple[str, ...]:
    return (recv("INVITE", *checks, keep=True), answer(200, body=description()), recv("ACK"), *ENDS)


NAMING = [
    Scenario(
        "number_that_is_for_the_carrier_alone",
        answered(has("From", "anonymous"), has("P-Asserted-Identity", f"sip:.{NUMBER[1:]}@"), has("Privacy", "id")),
        ("CallAnswered",),
        instead(endpoint, "identified", lambda caller, *told, trusted: identified(NUMBER, *told, trusted=trusted)),
        act=withholds,
        trunks={"sipp": TrunkSettings((HOST,), trusted=True)},
    ),
    Scenario(
        "number_that_a_trunk_is_not_told",
        answered(has("From", "anonymous"), lacks("P-Asserted-Identity")),
        ("CallAnswered",),
        instead(endpoint, "identified", lambda *told, trusted: identified(*told, trusted=True)),
        act=withholds,
    ),
    Scenario(
        "name_of_ours_that_would_be_an_address",
        answered(has("From", "Lin.. &lt;sip:evil@evil.example>. &lt;sip:1001@")),
        ("CallAnswered",),
        instead(identity, "quote", lambda name: f'"{name}"'),
        act=introduces_itself('Lin" <sip:evil@evil.example>'),
    ),
    Scenario(
        "number_of_theirs_that_would_be_a_header",
        (call().replace("+8613912345678", "%0d%0aX-Evil:1"), *ANSWERED, *OK_BYE),
        CALL,
        instead(grammar, "clean", lambda text: text),
        check=comes_from("\ufffd\ufffdX-Evil", "Caller"),
    ),
]
