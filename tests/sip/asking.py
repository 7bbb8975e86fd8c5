"""Whoever asks a trunk for something, or dials by it: with which accounts, and what it shows of them."""

from __future__ import annotations

from cordboard.sip.digest import Account, Challenge, parameters, response_of
from cordboard.sip.endpoint import Endpoint, TrunkSettings
from cordboard.sip.message import Address, Request, Row

from . import net as n
from .far import PROXY, requests

ALICE = Account("alice", "secret")
MD5 = ("WWW-Authenticate", 'Digest realm="carrier.example", nonce="n1", algorithm=MD5, qop="auth"')
SHA = ("WWW-Authenticate", 'Digest realm="carrier.example", nonce="n2", algorithm=SHA-256, qop="auth"')


TLS = Address("192.0.2.9", 5061, "tls")


def known(account: Account | None = ALICE, *, trusted: bool = False) -> Endpoint:
    made = n.endpoint(n.A)
    settings = TrunkSettings(("192.0.2.9",), ("proxy.carrier.example",), account, trusted=trusted)
    made.set_trunks({"carrier": settings, "other": TrunkSettings(("192.0.2.10",), account=Account("bob", "pw"))})
    return made


def register(endpoint: Endpoint, now: float = 0.0, request: str = "r", **options: object) -> Request:
    outputs = endpoint.ask(
        request, "carrier", "REGISTER", "sip:carrier.example", PROXY, now, user="alice", expires=600,
        **options,  # type: ignore[arg-type]
    )  # fmt: skip
    (sent,) = requests(outputs)
    return sent


def shown(request: Request, name: str = "Authorization") -> dict[str, str]:
    value = request.get(name)
    assert value is not None
    return parameters(value)


def is_right(request: Request, asked: Row, account: Account = ALICE) -> bool:
    """What a registrar reckons."""
    challenge = Challenge.parse(asked[1])
    assert challenge is not None
    name = "Authorization" if asked[0] == "WWW-Authenticate" else "Proxy-Authorization"
    given = shown(request, name)
    count = int(given.get("nc", "0"), 16)
    expected = response_of(challenge, account, request.method, request.uri, given.get("cnonce", ""), count)
    return given["uri"] == request.uri and given["response"] == expected


def dial(endpoint: Endpoint, caller: str | None = "1001", **options: object) -> Request:
    outputs = endpoint.dial(
        "out", "sip:+86139@192.0.2.9", PROXY, caller, n.OFFER_A, 0.0, trunk="carrier",
        **options,  # type: ignore[arg-type]
    )  # fmt: skip
    (sent,) = requests(outputs)
    return sent
