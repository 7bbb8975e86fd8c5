"""What we ask a trunk outside dialogs, and by which connection we are reached (RFC 3261 §10.2, §11)."""

from __future__ import annotations

import pytest
from cordboard.sip.digest import Account
from cordboard.sip.endpoint import Endpoint, TrunkSettings
from cordboard.sip.events import FlowLost, Replied, Transmit
from cordboard.sip.message import Address, LocalSipError, Row

from . import net as n
from .asking import ALICE, MD5, TLS, is_right, known, register, shown
from .far import PROXY, events, reply, requests


def test_an_options_is_answered_once() -> None:
    endpoint = known()
    outputs = endpoint.ask("ping", "carrier", "OPTIONS", "sip:192.0.2.9", PROXY, 0.0)
    (sent,) = requests(outputs)
    assert (sent.method, sent.uri, sent.get("Contact")) == ("OPTIONS", "sip:192.0.2.9", "<sip:192.0.2.1:5060>")
    assert sent.get("Authorization") is None
    outputs = reply(endpoint, sent, 200)
    assert outputs == [Replied("ping", 200, "OK", PROXY, 1, sent.call_id)]
    assert reply(endpoint, sent, 200, now=0.2) == []
    endpoint.wake(60)
    assert endpoint.idle


@pytest.mark.parametrize(
    ("rows", "routes"),
    [
        ((), ()),
        (("<sip:a.example;lr>",), ("<sip:a.example;lr>",)),
        (
            ('"One" <sips:orig@a.example:5061;lr>;x=1, <sip:[2001:db8::1];lr=on>', "<sip:c.example;transport=tcp;lr>"),
            (
                '"One" <sips:orig@a.example:5061;lr>;x=1',
                "<sip:[2001:db8::1];lr=on>",
                "<sip:c.example;transport=tcp;lr>",
            ),
        ),
        # a strict router, no SIP URI, no URI, and more than anybody has: none of it counts
        (("<sip:a.example;lr>, <sip:b.example>",), ()),
        (("<tel:+8610;lr>",), ()),
        (("<sip:a.example;lr>, nonsense",), ()),
        (('<sip:a.example;lr>, "<',), ()),
        (("<sip:a.example;lr>",) * 9, ()),
        # what a call could not repeat
        (('"caf\udce9" <sip:a.example;lr>',), ()),
        ((f"<sip:a.example;lr;t={'x' * 1000}>",), ()),
    ],
)
def test_where_calls_pass_is_told_as_the_registrar_says_or_not_at_all(
    rows: tuple[str, ...], routes: tuple[str, ...]
) -> None:
    """RFC 3608 §5, §6.1."""
    endpoint = known()
    (granted,) = reply(endpoint, register(endpoint), 200, *(("Service-Route", row) for row in rows))
    assert isinstance(granted, Replied)
    assert granted.routes == routes
    assert endpoint.counters["Service-Route not usable"] == (bool(rows) and not routes)
    assert routes == () or requests(
        endpoint.dial("c", "sips:600@192.0.2.9", PROXY, "1001", n.OFFER_A, 0.0, trunk="carrier", routes=routes)
    )[0].items("Route") == list(routes)


def test_calls_are_in_the_domain_that_a_trunk_names() -> None:
    endpoint = known()
    settings = TrunkSettings(("192.0.2.9",), account=ALICE, registers=True, user="+8610", domain="ims.example")
    endpoint.set_trunks({"carrier": settings})
    (invite,) = requests(
        endpoint.dial("c", "sip:600@ims.example", PROXY, "1001", n.OFFER_A, 0.0, trunk="carrier", asserted="1001")
    )
    assert (invite.from_.uri, invite.get("Contact")) == ("sip:1001@ims.example", "<sip:+8610@192.0.2.1:5060>")
    (signed,) = [each for each in requests(reply(endpoint, invite, 401, MD5)) if each.method == "INVITE"]
    assert shown(signed)["username"] == "alice", "the password has a name of its own"


def test_whoever_says_nothing_is_told_of() -> None:
    endpoint = known()
    outputs = endpoint.ask("ping", "carrier", "OPTIONS", "sip:192.0.2.9", PROXY, 0.0)
    with pytest.raises(LocalSipError):
        endpoint.ask("ping", "carrier", "OPTIONS", "sip:192.0.2.9", PROXY, 0.0)
    outputs = endpoint.wake(32.0)
    (told,) = events(outputs)
    assert isinstance(told, Replied)
    assert (told.request, told.status, told.source) == ("ping", 408, None)
    sent = endpoint.ask("ping", "carrier", "OPTIONS", "sip:192.0.2.9", PROXY, 40.0)[0]
    assert isinstance(sent, Transmit)
    (told,) = endpoint.unsent(sent, 40.0)
    assert isinstance(told, Replied)
    assert (told.status, told.source) == (503, None)


def test_a_registration_lasts_as_long_as_the_registrar_says_of_our_contact() -> None:
    endpoint = known()
    sent = register(endpoint, call_id="binding", cseq=7)
    assert sent.get("Contact") == "<sip:alice@192.0.2.1:5060>;expires=600"
    assert (sent.to.uri, sent.from_.uri) == ("sip:alice@carrier.example",) * 2
    assert (sent.call_id, sent.cseq) == ("binding", 7)
    other = ("Contact", "<sip:alice@192.0.2.99>;expires=60")
    ours = ("Contact", "<sip:alice@192.0.2.1:5060>;expires=240")
    (told,) = reply(endpoint, sent, 200, other, ours)
    assert told == Replied("r", 200, "OK", PROXY, 7, "binding", expires=240)


@pytest.mark.parametrize(
    ("rows", "expires"),
    [
        ([("Contact", "<sip:alice@198.51.100.1:1024>;expires=120")], 120),  # rewritten by a NAT helper
        ([("Contact", "<sip:alice@192.0.2.1:5060>"), ("Expires", "90")], 90),
        ([("Contact", "<sip:alice@192.0.2.1:5060>")], 600),
        ([], 600),
        ([("Contact", "<<<")], 600),
    ],
)
def test_what_a_registrar_grants_is_read_wherever_it_says_so(rows: list[Row], expires: int) -> None:
    endpoint = known()
    (told,) = reply(endpoint, register(endpoint), 200, *rows)
    assert isinstance(told, Replied)
    assert told.expires == expires


def test_a_registrar_that_wants_longer_or_is_full_says_so() -> None:
    endpoint = known()
    (brief,) = reply(endpoint, register(endpoint), 423, ("Min-Expires", "1800"))
    (busy,) = reply(endpoint, register(endpoint, request="s"), 503, ("Retry-After", "120 (maintenance)"))
    assert isinstance(brief, Replied)
    assert isinstance(busy, Replied)
    assert (brief.status, brief.min_expires) == (423, 1800)
    assert (busy.status, busy.retry_after) == (503, 120)


def test_what_cannot_be_asked_is_our_own_mistake() -> None:
    endpoint = known()
    for uri, user, call_id in (
        ("sip:a b", "alice", ""),
        ("sip:carrier.example", "al\r\nice", ""),
        ("sip:carrier.example", "alice", "a\r\nX: y"),
    ):
        with pytest.raises(LocalSipError):
            endpoint.ask("r", "carrier", "REGISTER", uri, PROXY, 0.0, user=user, call_id=call_id)


# --- by which connection we are reached ---------------------------------------------------------------------------


def registered(destination: Address, granted: int = 600, **options: object) -> Endpoint:
    """By a registrar that is spoken to so."""
    made = known()
    made.set_trunks({"carrier": TrunkSettings(("192.0.2.9",), account=ALICE, registers=True)})
    outputs = made.ask(
        "r", "carrier", "REGISTER", "sip:carrier.example", destination, 0.0, user="alice", expires=600,
        **options,  # type: ignore[arg-type]
    )  # fmt: skip
    (sent,) = requests(outputs)
    reply(made, sent, 200, ("Expires", str(granted)), source=destination)
    made.wake(0.1 if destination.reliable else 10.0)  # its transaction is over
    return made


def test_the_connection_by_which_a_registrar_reaches_us_is_kept_and_missed() -> None:
    made = registered(TLS)
    assert made.living(599.0) == {TLS}
    assert made.living(601.0) == set()
    assert made.disconnected(Address("192.0.2.9", 40000, "tls"), [], 300.0) == []
    assert made.disconnected(TLS, [], 300.0) == [FlowLost("carrier")]
    assert made.disconnected(TLS, [], 301.0) == []
    assert made.living(302.0) == set()


@pytest.mark.parametrize(("destination", "granted"), [(PROXY, 600), (TLS, 0)])
def test_who_reaches_us_by_no_connection_misses_none(destination: Address, granted: int) -> None:
    made = registered(destination, granted)
    assert made.living(1.0) == set()
    assert made.disconnected(destination, [], 1.0) == []


def test_another_host_that_registers_us_is_who_reaches_us() -> None:
    made = registered(TLS)
    other = Address("192.0.2.9", 5071, "tls")
    outputs = made.ask("s", "carrier", "REGISTER", "sip:carrier.example", other, 1.0, user="alice", expires=600)
    reply(made, requests(outputs)[0], 200, source=other, now=1.1)
    assert made.disconnected(TLS, [], 2.0) == []
    assert made.disconnected(other, [], 2.0) == [FlowLost("carrier")]


def test_a_trunk_that_is_taken_away_misses_nothing() -> None:
    made = registered(TLS)
    made.set_trunks({})
    assert made.living(1.0) == set()
    assert made.disconnected(TLS, [], 1.0) == []


def test_what_is_asked_as_the_connection_goes_has_its_answer_first() -> None:
    made = registered(TLS)
    made.ask("s", "carrier", "REGISTER", "sip:carrier.example", TLS, 400.0, user="alice", expires=600)
    replied, lost = made.disconnected(TLS, [], 401.0)
    assert isinstance(replied, Replied)
    assert (replied.status, replied.source, lost) == (503, None, FlowLost("carrier"))


def test_a_question_of_somebody_else_is_answered_for_by_their_account() -> None:
    """Who gives back what was registered before the account was changed (RFC 3261 §10.2.2)."""
    endpoint = known(Account("bob", "new"))
    # the realm of the new account is known already
    ((ours),) = requests(reply(endpoint, register(endpoint), 401, MD5))
    assert is_right(ours, MD5, Account("bob", "new"))
    out = endpoint.ask(
        "ends", "carrier", "REGISTER", "sip:carrier.example", PROXY, 1.0,
        user="alice", expires=0, call_id="held", cseq=9, account=ALICE,
    )  # fmt: skip
    (first,) = requests(out)
    assert first.get("Authorization") is None, "nothing was asked of this one yet"
    other = ("WWW-Authenticate", MD5[1].replace("n1", "n9"))
    (again,) = requests(reply(endpoint, first, 401, other, now=1.1))
    assert (shown(again)["username"], again.cseq, is_right(again, other)) == ("alice", 10, True)
    assert events(reply(endpoint, again, 200, now=1.2)) == [Replied("ends", 200, "OK", PROXY, 10, "held", 0)]
    assert endpoint._others == {}
    # ours has not changed by it
    assert shown(register(endpoint, 2.0, "later"))["username"] == "bob"
