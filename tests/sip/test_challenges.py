"""What is sent again because it was challenged, by questions and by calls (RFC 3261 §22)."""

from __future__ import annotations

from cordboard.sip.digest import Account, parameters
from cordboard.sip.endpoint import TrunkSettings
from cordboard.sip.events import CallAnswered, CallFailed, Refused, Replied
from cordboard.sip.message import Request

from . import net as n
from .asking import ALICE, MD5, SHA, dial, is_right, known, register, shown
from .far import PROXY, STRANGER, answered, events, reply, requests


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
