"""What we ask a trunk outside dialogs, and what is sent again because it challenged us (RFC 3261 §10.2, §22)."""

from __future__ import annotations

import pytest
from cordboard.sip.digest import Account, Challenge, parameters, response_of
from cordboard.sip.endpoint import Endpoint, TrunkSettings
from cordboard.sip.events import CallAnswered, CallFailed, FlowLost, Refused, Replied, Transmit
from cordboard.sip.message import Address, LocalSipError, Request, Row

from . import net as n
from .far import PROXY, STRANGER, Scripted, answered, events, reply, requests, responses

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


def test_of_several_challenges_the_strongest_is_answered() -> None:
    endpoint = known()
    first = register(endpoint, call_id="c")
    (again,) = requests(reply(endpoint, first, 401, MD5, SHA))
    assert shown(again)["algorithm"] == "SHA-256"
    assert is_right(again, SHA)
    assert (again.call_id, again.cseq, again.from_.tag) == ("c", 2, first.from_.tag)
    assert again.via.branch != first.via.branch
    (told,) = reply(endpoint, again, 200)
    assert isinstance(told, Replied)
    assert (told.status, told.cseq) == (200, 2)


def test_the_next_request_shows_its_credentials_at_once_and_counts_them() -> None:
    endpoint = known()
    (again,) = requests(reply(endpoint, register(endpoint), 401, SHA))
    reply(endpoint, again, 200)
    third = register(endpoint, 10.0)
    assert shown(third)["nc"] == "00000002"
    assert is_right(third, SHA)
    assert shown(third)["cnonce"] != shown(again)["cnonce"]
    # the nonce is too old by now: a new one, counted from the beginning
    fresh = ("WWW-Authenticate", 'Digest realm="carrier.example", nonce="n3", stale=true, qop="auth"')
    (fourth,) = requests(reply(endpoint, third, 401, fresh, now=10.1))
    assert shown(fourth)["nc"] == "00000001"
    assert is_right(fourth, fresh)


def test_a_wrong_password_is_offered_once() -> None:
    endpoint = known()
    (again,) = requests(reply(endpoint, register(endpoint), 401, MD5))
    outputs = reply(endpoint, again, 401, ("WWW-Authenticate", MD5[1].replace("n1", "n9")))
    assert requests(outputs) == []
    (told,) = events(outputs)
    assert isinstance(told, Replied)
    assert told.status == 401


def test_a_registrar_that_is_never_content_is_asked_three_times_in_all() -> None:
    endpoint = known()
    request, sent = register(endpoint), 1
    while True:
        stale = ("WWW-Authenticate", f'Digest realm="carrier.example", nonce="s{sent}", stale=true, qop="auth"')
        outputs = reply(endpoint, request, 401, stale)
        if not requests(outputs):
            break
        (request,) = requests(outputs)
        sent += 1
    assert sent == 3
    assert [type(each) for each in events(outputs)] == [Replied]


def test_a_proxy_and_a_registrar_may_both_ask() -> None:
    endpoint = known()
    proxy = ("Proxy-Authenticate", MD5[1])
    (second,) = requests(reply(endpoint, register(endpoint), 407, proxy))
    (third,) = requests(reply(endpoint, second, 401, SHA))
    assert is_right(third, proxy)
    assert is_right(third, SHA)


def test_a_password_answers_one_realm_only() -> None:
    named = known(Account("alice", "secret", ("carrier.example",)))
    elsewhere = ("WWW-Authenticate", 'Digest realm="evil.example", nonce="x", qop="auth"')
    word, told = reply(named, register(named), 401, elsewhere)
    assert (type(word), type(told)) == (Refused, Replied)
    (again,) = requests(reply(named, register(named, request="s"), 401, elsewhere, MD5, source=STRANGER))
    assert shown(again)["realm"] == "carrier.example"
    # without a name it is the first realm that the trunk's own host asks for
    unnamed = known()
    assert requests(reply(unnamed, register(unnamed), 401, elsewhere, source=STRANGER)) == []
    (again,) = requests(reply(unnamed, register(unnamed, request="s"), 401, MD5))
    assert is_right(again, MD5)
    assert requests(reply(unnamed, register(unnamed, request="t"), 401, elsewhere)) == []


# --- a proxy and the carrier behind it, each in a realm of its own (RFC 3261 §22.3) ---------------------------------

BOTH = Account("alice", "secret", ("edge.example", "carrier.example"))
EDGE = ("Proxy-Authenticate", 'Digest realm="edge.example", nonce="e1", algorithm=SHA-256, qop="auth"')


def counts(request: Request) -> list[tuple[str, int]]:
    """The realms that it shows credentials for, and their `nc`."""
    rows = (*request.values("Proxy-Authorization"), *request.values("Authorization"))
    return [(given["realm"], int(given["nc"], 16)) for given in map(parameters, rows)]


def test_a_proxy_and_the_carrier_behind_it_ask_one_after_the_other() -> None:
    endpoint = known(BOTH)
    _, second = requests(reply(endpoint, dial(endpoint), 407, EDGE))
    assert (is_right(second, EDGE), counts(second)) == (True, [("edge.example", 1)])
    _, third = requests(reply(endpoint, second, 401, MD5))
    assert (is_right(third, EDGE), is_right(third, MD5), third.cseq) == (True, True, 3)
    assert counts(third) == [("edge.example", 2), ("carrier.example", 1)], "each counts by itself"
    outputs = answered(endpoint, third)
    assert events(outputs) == [CallAnswered("out", n.answer_to(n.OFFER_A))]
    (ack,) = requests(outputs)
    assert counts(ack) == counts(third), "those of the INVITE"
    # what comes later shows both at once
    (bye,) = requests(endpoint.hang_up("out", 1.0))
    assert counts(bye) == [("edge.example", 3), ("carrier.example", 2)]
    assert (is_right(bye, EDGE), is_right(bye, MD5)) == (True, True)
    # one of the nonces is too old
    stale = ("Proxy-Authenticate", EDGE[1].replace("e1", "e2") + ", stale=true")
    (again,) = requests(reply(endpoint, bye, 407, stale, now=1.1))
    assert (is_right(again, stale), is_right(again, MD5)) == (True, True)
    assert counts(again) == [("edge.example", 1), ("carrier.example", 3)]


def test_they_ask_in_one_answer() -> None:
    """As a proxy that forks passes on what it was asked itself."""
    endpoint = known(BOTH)
    (again,) = requests(reply(endpoint, register(endpoint), 401, MD5, EDGE))
    assert (is_right(again, EDGE), is_right(again, MD5)) == (True, True)


def test_two_proxies_ask_each_in_a_realm_of_its_own() -> None:
    endpoint = known(BOTH)
    (second,) = requests(reply(endpoint, register(endpoint), 407, EDGE))
    (third,) = requests(reply(endpoint, second, 407, ("Proxy-Authenticate", MD5[1])))
    assert counts(third) == [("edge.example", 2), ("carrier.example", 1)]


def test_a_realm_that_is_not_named_is_answered_by_nothing() -> None:
    """Whoever asks: the trunk's own host passes on what was asked behind it."""
    for account, named in ((ALICE, MD5), (BOTH, EDGE)):
        endpoint = known(account)
        (second,) = requests(reply(endpoint, register(endpoint), 407, ("Proxy-Authenticate", named[1])))
        elsewhere = ("WWW-Authenticate", 'Digest realm="evil.example", nonce="x", qop="auth"')
        word, told = reply(endpoint, second, 401, elsewhere)
        assert word == Refused(PROXY, "401: no password for the realm 'evil.example'")
        assert isinstance(told, Replied)
        assert told.status == 401
        assert all(realm != "evil.example" for realm, _ in counts(register(endpoint, request="later")))


def test_a_realm_that_is_not_named_is_told_of_once() -> None:
    """Else nobody knows what to name."""
    endpoint = known()
    for number, said in enumerate([["401: no password for the realm 'edge.example'"], [], []]):
        request = register(endpoint, request=f"{number}")
        if not number:  # it knows the realm of this one, and shows the password at once from then on
            (request,) = requests(reply(endpoint, request, 401, MD5))
        out = reply(endpoint, request, 401, ("WWW-Authenticate", EDGE[1]))
        assert [each.reason for each in out if isinstance(each, Refused)] == said
    # until somebody has named it
    endpoint.set_trunks({"carrier": TrunkSettings(("192.0.2.9",), account=BOTH)})
    assert requests(reply(endpoint, register(endpoint, request="named"), 401, ("WWW-Authenticate", EDGE[1])))
    # a wrong password is none of that
    endpoint = known()
    (again,) = requests(reply(endpoint, register(endpoint), 401, MD5))
    assert [type(each) for each in events(reply(endpoint, again, 401, MD5))] == [Replied]


def test_two_that_are_never_content_are_asked_four_times_in_all() -> None:
    endpoint = known(BOTH)
    request, sent = register(endpoint), 1
    while True:
        asked = EDGE if sent % 2 else ("WWW-Authenticate", MD5[1])
        outputs = reply(endpoint, request, 407, (asked[0], f'{asked[1]}, opaque="{sent}", stale=true'))
        if not requests(outputs):
            break
        (request,) = requests(outputs)
        sent += 1
    assert sent == 4


def test_a_wrong_password_in_one_realm_is_offered_once() -> None:
    endpoint = known(BOTH)
    (second,) = requests(reply(endpoint, register(endpoint), 407, EDGE))
    (third,) = requests(reply(endpoint, second, 401, MD5))
    assert requests(reply(endpoint, third, 401, ("WWW-Authenticate", MD5[1].replace("n1", "n9")))) == []


# --- accounts that change ---------------------------------------------------------------------------------------------


def test_another_account_begins_anew_and_no_account_answers_nothing() -> None:
    endpoint = known()
    reply(endpoint, register(endpoint), 401, MD5)
    endpoint.set_trunks({"carrier": TrunkSettings(("192.0.2.9",), account=Account("carol", "pw"))})
    assert register(endpoint, request="s").get("Authorization") is None
    endpoint.set_trunks({"carrier": TrunkSettings(("192.0.2.9",))})
    (told,) = reply(endpoint, register(endpoint, request="t"), 401, MD5)
    assert isinstance(told, Replied)


def test_what_cannot_be_asked_is_our_own_mistake() -> None:
    endpoint = known()
    for uri, user, call_id in (
        ("sip:a b", "alice", ""),
        ("sip:carrier.example", "al\r\nice", ""),
        ("sip:carrier.example", "alice", "a\r\nX: y"),
    ):
        with pytest.raises(LocalSipError):
            endpoint.ask("r", "carrier", "REGISTER", uri, PROXY, 0.0, user=user, call_id=call_id)


# --- calls ------------------------------------------------------------------------------------------------------


def dial(endpoint: Endpoint, caller: str | None = "1001", **options: object) -> Request:
    outputs = endpoint.dial(
        "out", "sip:+86139@192.0.2.9", PROXY, caller, n.OFFER_A, 0.0, trunk="carrier",
        **options,  # type: ignore[arg-type]
    )  # fmt: skip
    (sent,) = requests(outputs)
    return sent


def test_a_challenged_call_is_dialled_again_and_everything_of_it_carries_credentials() -> None:
    endpoint = known()
    invite = dial(endpoint)
    reply(endpoint, invite, 100)
    proxy = ("Proxy-Authenticate", SHA[1])
    ack, again = requests(reply(endpoint, invite, 407, proxy))
    assert (ack.method, ack.via) == ("ACK", invite.via)
    assert (again.method, again.cseq, again.call_id, again.body) == ("INVITE", 2, invite.call_id, invite.body)
    assert is_right(again, proxy)
    outputs = answered(endpoint, again)
    assert events(outputs) == [CallAnswered("out", n.answer_to(n.OFFER_A))]
    (ack,) = requests(outputs)
    # RFC 3261 §13.2.2.4: the credentials of the INVITE
    assert ack.get("Proxy-Authorization") == again.get("Proxy-Authorization")
    assert ack.cseq == 2
    (bye,) = requests(endpoint.hang_up("out", 1.0))
    assert (bye.method, bye.cseq) == ("BYE", 3)
    assert is_right(bye, proxy)
    # ... which may be refused nevertheless
    stale = ("Proxy-Authenticate", 'Digest realm="carrier.example", nonce="n5", stale=true, qop="auth"')
    (bye_again,) = requests(reply(endpoint, bye, 407, stale, now=1.1))
    assert (bye_again.method, bye_again.cseq) == ("BYE", 4)
    assert is_right(bye_again, stale)
    assert reply(endpoint, bye_again, 200, now=1.2) == []
    endpoint.wake(100)
    assert endpoint.idle


def test_a_call_that_was_given_up_is_not_dialled_again() -> None:
    for heard in ((), (100,)):
        endpoint = known()
        invite = dial(endpoint)
        for status in heard:
            reply(endpoint, invite, status)
        endpoint.hang_up("out", 0.05)
        outputs = reply(endpoint, invite, 401, MD5)
        assert [request.method for request in requests(outputs)] == ["ACK"]
        assert events(outputs) == []
        assert endpoint.live_calls == 0


def test_a_cancel_after_a_challenge_waits_for_the_second_invite_to_be_heard() -> None:
    endpoint = known()
    invite = dial(endpoint)
    reply(endpoint, invite, 100)
    _, again = requests(reply(endpoint, invite, 401, MD5))
    assert requests(endpoint.hang_up("out", 0.2)) == []
    (cancel,) = requests(reply(endpoint, again, 100, now=0.3))
    assert (cancel.method, cancel.via, cancel.cseq) == ("CANCEL", again.via, 2)
    # a challenge of a CANCEL is not answered (RFC 3261 §22.1)
    assert reply(endpoint, cancel, 401, MD5, now=0.4) == []
    outputs = reply(endpoint, again, 487, now=0.5)
    assert [request.method for request in requests(outputs)] == ["ACK"]
    assert endpoint.live_calls == 0


def test_a_call_that_cannot_show_itself_fails_with_what_was_said() -> None:
    endpoint = known(None)
    outputs = reply(endpoint, dial(endpoint), 407, ("Proxy-Authenticate", MD5[1]))
    assert events(outputs) == [CallFailed("out", 407, "Proxy Authentication Required")]


def test_a_dialled_call_goes_on_after_a_restart_and_is_still_challenged() -> None:
    endpoint = known()
    invite = dial(endpoint)
    kept = endpoint.snapshot("out")
    assert kept is not None
    assert "secret" not in repr(kept)
    second = known()
    assert requests(second.restore(kept, 1.0)) == [invite]
    _, again = requests(reply(second, invite, 401, MD5, now=1.1))
    assert again.body == invite.body
    assert is_right(again, MD5)
    kept = second.snapshot("out")
    assert kept is not None
    third = known()
    third.restore(kept, 2.0)
    # a third time it is not tried with the same password
    outputs = reply(third, again, 401, MD5, now=2.1)
    assert [type(each) for each in events(outputs)] == [CallFailed]
    fourth = known()
    fourth.restore(kept, 3.0)
    (ack,) = requests(answered(fourth, again))
    assert ack.get("Authorization") == again.get("Authorization")


def test_a_redirect_is_told_where_it_stays_with_the_trunk() -> None:
    endpoint = known()
    contacts = (
        "<sip:+86139@evil.example>",
        "<sip:+86900@192.0.2.9:5070>;q=0.4",
        "<sip:+86139@Proxy.Carrier.Example.>;q=0.8",
        "<tel:+8613900000000>",
        "<sip:+86139@192.0.2.10>",  # another trunk
    )
    outputs = reply(endpoint, dial(endpoint), 302, *(("Contact", each) for each in contacts))
    (failed,) = events(outputs)
    assert failed == CallFailed(
        "out", 302, "Moved Temporarily", None, ("sip:+86139@Proxy.Carrier.Example.", "sip:+86900@192.0.2.9:5070")
    )
    assert endpoint.counters["redirect elsewhere"] == 3


@pytest.mark.parametrize(("uri", "kept"), [("sips:1@192.0.2.9", 1), ("sip:1@192.0.2.9", 2)])
def test_who_asked_for_a_secure_uri_is_sent_on_to_no_other(uri: str, kept: int) -> None:
    """RFC 3261 §8.1.3.4."""
    endpoint = known()
    (invite,) = requests(endpoint.dial("out", uri, TLS, "1001", n.OFFER_A, 0.0, trunk="carrier"))
    contacts = ("Contact", "<sips:2@192.0.2.9>;q=0.1, <sip:3@192.0.2.9;transport=tls>;q=0.9")
    failed = events(reply(endpoint, invite, 302, contacts, source=TLS))[-1]
    assert isinstance(failed, CallFailed)
    assert len(failed.redirects) == kept
    assert failed.redirects[-1] == "sips:2@192.0.2.9"


def test_early_media_is_of_whoever_answers_in_the_end() -> None:
    endpoint = known()
    invite = dial(endpoint)
    kind = ("Content-Type", "application/sdp")
    first, second = n.answer_to(n.OFFER_A, "192.0.2.20"), n.answer_to(n.OFFER_A, "192.0.2.21")
    for tag, answer in (("x", first), ("y", second)):
        outputs = reply(endpoint, invite, 183, kind, body=bytes(answer), tag=tag)
        assert [getattr(each, "answer", None) for each in events(outputs)] == [answer]
    kept = endpoint.snapshot("out")
    assert kept is not None
    endpoint = known()
    endpoint.restore(kept, 1.0)
    outputs = reply(endpoint, invite, 200, ("Contact", "<sip:gw@192.0.2.9>"), tag="x", now=1.1)
    assert events(outputs) == [CallAnswered("out", first)]


@pytest.mark.parametrize(
    ("caller", "trusted", "from_uri", "asserted", "privacy"),
    [
        ("1001", True, "sip:1001@192.0.2.1", "<sip:+8610@192.0.2.1>", None),
        ("1001", False, "sip:1001@192.0.2.1", None, None),
        (None, True, "sip:anonymous@anonymous.invalid", "<sip:+8610@192.0.2.1>", "id"),
        (None, False, "sip:anonymous@anonymous.invalid", None, "id"),
    ],
)
def test_who_calls_is_told_to_whom_it_may_be_told(
    caller: str | None, trusted: bool, from_uri: str, asserted: str | None, privacy: str | None
) -> None:
    endpoint = known(trusted=trusted)
    invite = dial(endpoint, caller, asserted="+8610", routes=("<sip:192.0.2.9;lr>",))
    assert invite.from_.uri == from_uri
    assert (invite.get("P-Asserted-Identity"), invite.get("Privacy")) == (asserted, privacy)
    assert invite.values("Route") == ["<sip:192.0.2.9;lr>"]


@pytest.mark.parametrize(("registers", "home"), [(True, "carrier.example"), (False, "192.0.2.1")])
def test_where_we_are_registered_we_call_from_that_domain(registers: bool, home: str) -> None:
    """The address of record that was registered, not where it leads (RFC 3261 §10, §20.20)."""
    endpoint = n.endpoint(n.A)
    endpoint.set_trunks({"carrier": TrunkSettings(("192.0.2.0/24",), trusted=True, registers=registers)})
    uri, now = "sip:+86139@carrier.example", 0.0
    outputs = endpoint.dial("out", uri, PROXY, "+8610", n.OFFER_A, now, trunk="carrier", asserted="+8610")
    (invite,) = requests(outputs)
    assert invite.from_.uri == f"sip:+8610@{home}"
    assert invite.get("P-Asserted-Identity") == f"<sip:+8610@{home}>"
    assert invite.get("Contact") == "<sip:+8610@192.0.2.1:5060>"


# --- our Contact in a call ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("account", "registers", "caller", "user"),
    [
        # some carriers want to see the Contact that they have registered
        (ALICE, True, "+8610", "alice"),
        (Account("Grüße 1#", "secret"), True, "+8610", "Gr%C3%BC%C3%9Fe%201%23"),
        (ALICE, False, "+8610", "+8610"),
        (None, True, "+8610", "+8610"),
        # who is withheld in From is not shown beside it
        (ALICE, True, None, "anonymous"),
        (ALICE, False, None, "anonymous"),
    ],
)
def test_our_contact_names_us_as_the_far_side_knows_us(
    account: Account | None, registers: bool, caller: str | None, user: str
) -> None:
    endpoint = n.endpoint(n.A)
    endpoint.set_trunks({"carrier": TrunkSettings(("192.0.2.0/24",), account=account, registers=registers)})
    outputs = endpoint.dial("out", "sip:600@192.0.2.9", PROXY, caller, n.OFFER_A, 0.0, trunk="carrier")
    (invite,) = requests(outputs)
    assert invite.get("Contact") == f"<sip:{user}@192.0.2.1:5060>"
    answered(endpoint, invite)
    (reinvite,) = requests(endpoint.reoffer("out", n.OFFER_B, 1.0))
    assert reinvite.get("Contact") == invite.get("Contact")


@pytest.mark.parametrize(
    ("to", "user"),
    [
        ("<sip:+861055501000@192.0.2.1>", "+861055501000@"),
        ("<tel:+861055501000>", "+861055501000@"),
        ("<sip:a%0d%0ab@192.0.2.1>", "a%EF%BF%BD%EF%BF%BDb@"),
        ("<sip:192.0.2.1>", ""),
        ("<mailto:a@b>", ""),
    ],
)
def test_our_contact_is_whom_they_call(to: str, user: str) -> None:
    endpoint = n.endpoint(n.A)
    far = Scripted(endpoint, dialled=False, to=to, acknowledges=False)
    (ok,) = responses(far.answered)
    assert ok.get("Contact") == f"<sip:{user}192.0.2.1:5060>"


@pytest.mark.parametrize(
    "options",
    [
        {"asserted": "1>\r\nX: y"},
        {"caller": '1" <sip:x'},
        {"routes": ("<sip:x\r\nX: y>",)},
        {"routes": ("sip:",)},
    ],
)
def test_no_line_break_or_markup_becomes_a_header(options: dict[str, object]) -> None:
    with pytest.raises(LocalSipError):
        dial(known(trusted=True), **options)  # type: ignore[arg-type]
    named = dial(known(), caller_name='<b>"L"\r\nX: y')
    assert named.from_.name == '<b>"L"\ufffd\ufffdX: y'
    assert named.get("X") is None


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
