"""Scenarios of who gets in: PBXs with a password and without, scanners, guesses, and keys that anybody can read."""

from __future__ import annotations

from cordboard.sip import guests, registrar
from cordboard.sip.digest import Account
from cordboard.sip.endpoint import Endpoint, TrunkSettings
from cordboard.sip.trunks import Trunks

from .breaking import instead
from .sipp import HOST, OK_BYE, RINGING, TRYING, Scenario, call, description, has, invited, recv, refused, send

CALL = ("IncomingCall", "CallConfirmed", "CallEnded")
GUEST = {"office": TrunkSettings(guest=Account("alice", "secret"))}
AUTH = "[authentication username=alice password=secret]"
WRONG = "[authentication username=alice password=guess]"
CRYPTO = "\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 40
# Whatever comes meanwhile is more than nothing, and fails.
SILENCE = '<pause milliseconds="1200"/>'


def guess(cseq: int) -> tuple[str, ...]:
    """A wrong password for the last nonce, which is answered with another."""
    return call("600", WRONG, cseq=cseq), recv(401, more='auth="true"'), refused(cseq)


ENTERING = [
    Scenario(
        "keys_that_anybody_could_read",
        (
            call("600", body=description().replace("RTP/AVP", "RTP/SAVP") + CRYPTO),
            TRYING,
            recv(488, has("Warning", "TLS")),
            refused(),
            call("600", cseq=2),
            TRYING,
            recv(488, has("Warning", "TLS")),
            refused(2),
        ),
        ("Refused", "Refused"),
        instead(Endpoint, "_exposed", lambda *arguments: None),
        trunks={"sipp": TrunkSettings((HOST,), private=True)},
    ),
    Scenario(
        "pbx_with_a_password",
        (
            call(),
            recv(401, more='auth="true"'),
            refused(),
            call("600", AUTH, cseq=2),
            TRYING,
            RINGING,
            recv(200),
            send("ACK", cseq=2),
            *OK_BYE,
        ),
        CALL,
        instead(guests, "_is_right", lambda *arguments: False),
        trunks=GUEST,
    ),
    Scenario(
        "pbx_that_registers",
        (
            send("REGISTER", "Expires: 120", to="alice", within=False),
            recv(401, more='auth="true"'),
            send("REGISTER", "Expires: 120", AUTH, to="alice", cseq=2, within=False),
            recv(200, has("Contact", "expires=1[12][0-9]")),
        ),
        ("Registered",),
        instead(registrar, "_listed", lambda bindings, now: ()),
        trunks=GUEST,
    ),
    Scenario(
        "pbx_with_a_wrong_password",
        (
            call(),
            recv(401, more='auth="true"'),
            refused(),
            call("600", WRONG, cseq=2),
            recv(401),
            refused(2),
        ),
        ("Refused",),
        instead(guests, "_is_right", lambda *arguments: True),
        trunks=GUEST,
    ),
    Scenario(
        "user_whom_nobody_knows",
        (
            call(),
            recv(401, more='auth="true"'),
            refused(),
            call("600", AUTH.replace("alice", "mallory"), cseq=2),
            recv(401),
            refused(2),
        ),
        ("Refused",),
        instead(guests.Guard, "_refuse", lambda self, host, trunk, now: guests.Ignored()),
        trunks=GUEST,
    ),
    Scenario(
        "scanner_that_hears_nothing",
        (*(send(method, within=False, retrans=False) for method in ("INVITE", "OPTIONS", "REGISTER")), SILENCE),
        (),
        instead(Trunks, "match", lambda self, host: "sipp"),
        trunks={"sipp": TrunkSettings(("203.0.113.1",))},
    ),
    Scenario(
        "scanner_where_pbxs_show_a_password",
        (*(send(method, within=False, retrans=False) for method in ("INVITE", "OPTIONS", "REGISTER")), SILENCE),
        (),
        instead(guests.Guard, "_came_before", lambda *arguments: True),
        trunks=GUEST,
    ),
    Scenario(
        "password_that_is_guessed_ten_times",
        (
            call(),
            recv(401, more='auth="true"'),
            refused(),
            *(step for cseq in range(2, 11) for step in guess(cseq)),
            send("INVITE", WRONG, cseq=11, within=False, retrans=False, branch=invited(11)),
            SILENCE,
            call("600", cseq=12).replace(' retrans="500"', ""),
            SILENCE,
        ),
        ("Refused", "Refused"),  # the first one, and that nothing more is heard
        instead(guests, "WRONG", 100),
        trunks=GUEST,
    ),
]
