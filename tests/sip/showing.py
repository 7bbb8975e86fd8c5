"""Scenarios of passwords and their nonces (RFC 7616 §3.4): sipp shows its own more than once for one of them, or too
late, and somebody who has heard it shows it again; we show ours, anew where it was too late, and to nobody else."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable

import pytest
from attrs import evolve
from cordboard.sip import accounts, guests
from cordboard.sip.digest import Account
from cordboard.sip.endpoint import Endpoint, TrunkSettings
from cordboard.sip.events import CallAnswered, Registered

from .breaking import instead
from .dialling import ACCOUNT, CHALLENGE, ENDS, FAIL_IF_WRONG, VERIFY, dials, dials_and, failed, hangs_up
from .entering import AUTH, GUEST
from .sipp import HOST, App, Scenario, answer, description, has, recv, send

# A nonce is too old then
LATER = guests.NONCE_SECONDS + 1.0
COUNT = re.compile(rb"nc=([0-9a-f]{8})")


def registers(*rows: str, cseq: int) -> str:
    return send("REGISTER", "Expires: 120", *rows, to="alice", cseq=cseq, within=False)


CHALLENGED = (registers(cseq=1), recv(401, more='auth="true"'), registers(AUTH, cseq=2), recv(200))


def counts(*expected: int) -> Callable[[App], None]:
    """How often sipp said that it has shown it."""

    def check(app: App) -> None:
        found = [int(each[1], 16) for data in app.heard if (each := COUNT.search(data))]
        assert tuple(found) == expected

    return check


def replays(app: App) -> None:
    """Whoever has heard sipp says the same again, as another request; sipp hears what it is told."""
    again = app.heard[-1].replace(b";branch=", b";branch=z9hG4bK-replayed-")
    ours = app.transport.addresses[0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as somebody:
        somebody.sendto(again, (ours.host, ours.port))


def ignores_stale(endpoint: Endpoint, patch: pytest.MonkeyPatch) -> None:
    """Takes a nonce that was too old for a wrong password."""
    challenges = accounts._challenges
    patch.setattr(
        accounts,
        "_challenges",
        lambda response: [(name, evolve(each, stale=False)) for name, each in challenges(response)],
    )


SHOWING = [
    Scenario(
        "password_that_is_shown_again_for_the_same_nonce",
        (*CHALLENGED, registers(AUTH, cseq=3), recv(200)),
        ("Registered", "Registered"),
        instead(guests, "_COUNT", re.compile("00000001")),
        check=counts(1, 2),
        trunks=GUEST,
    ),
    Scenario(
        "password_that_somebody_has_heard",
        (*CHALLENGED, recv(401, has("WWW-Authenticate", "stale=true"))),
        ("Registered",),
        instead(guests, "MAX_NONCES", 0),
        act=lambda app: app.then.update({Registered: replays}),
        trunks=GUEST,
    ),
    Scenario(
        "password_that_is_shown_too_late",
        (
            *CHALLENGED,
            registers(AUTH, cseq=3),
            recv(401, has("WWW-Authenticate", "stale=true"), more='auth="true"'),
            registers(AUTH, cseq=4),
            recv(200),
        ),
        ("Registered", "Registered"),
        instead(guests, "NONCE_SECONDS", 10 * LATER),
        act=lambda app: app.then.update({Registered: lambda app: app.leap(LATER)}),
        trunks=GUEST,
    ),
    Scenario(
        "nonce_of_theirs_that_is_stale",
        (
            recv("INVITE"),
            answer(401, f"WWW-Authenticate: {CHALLENGE}"),
            recv("ACK"),
            recv("INVITE", has("Authorization", 'nonce="n1"')),
            answer(401, f"WWW-Authenticate: {CHALLENGE.replace('n1', 'n2')}, stale=TRUE"),
            recv("ACK"),
            recv("INVITE", VERIFY, has("Authorization", 'nonce="n2".*nc=00000001'), keep=True),
            FAIL_IF_WRONG,
            answer(200, body=description()),
            recv("ACK"),
            *ENDS,
        ),
        ("CallAnswered",),
        ignores_stale,
        act=dials_and(CallAnswered, hangs_up),
        trunks=ACCOUNT,
    ),
    Scenario(
        "proxy_and_carrier_that_ask_in_two_realms",
        (
            recv("INVITE"),
            answer(407, f"Proxy-Authenticate: {CHALLENGE.replace('carrier', 'proxy')}"),
            recv("ACK"),
            recv("INVITE", has("Proxy-Authorization", 'realm="proxy.example".*nc=00000001')),
            answer(401, f"WWW-Authenticate: {CHALLENGE}"),
            recv("ACK"),
            recv("INVITE", VERIFY, has("Proxy-Authorization", 'realm="proxy.example".*nc=00000002'), keep=True),
            FAIL_IF_WRONG,
            answer(200, body=description()),
            recv("ACK"),
            *ENDS,
        ),
        ("CallAnswered",),
        instead(Account, "realms", ("proxy.example",)),
        act=dials_and(CallAnswered, hangs_up),
        trunks={
            "sipp": TrunkSettings((HOST,), account=Account("alice", "secret", ("proxy.example", "carrier.example")))
        },
    ),
    Scenario(
        "password_for_another_realm",
        (recv("INVITE"), answer(401, f"WWW-Authenticate: {CHALLENGE.replace('carrier', 'evil')}"), recv("ACK")),
        ("Refused", "CallFailed"),
        instead(Account, "realms", ()),
        act=dials(),
        check=failed(401),
        trunks={"sipp": TrunkSettings((HOST,), account=Account("alice", "secret", ("carrier.example",)))},
    ),
]
