"""Trunks without an address: who is challenged, who comes in, who is banned, and where they are (RFC 3261 §10.3,
§22.4)."""

from __future__ import annotations

import hmac
from random import Random
from typing import Any

import pytest
from cordboard.sip import guests
from cordboard.sip.digest import Account, Challenge, authorization, parameters, response_of
from cordboard.sip.diversion import diverted_from
from cordboard.sip.endpoint import Endpoint, Settings, TrunkSettings
from cordboard.sip.events import (
    CallConfirmed,
    CallEnded,
    IncomingCall,
    Output,
    Refused,
    Transmit,
)
from cordboard.sip.message import Address, Request, Row, parse

from . import net as n
from .far import responses, statuses

PBX = Address("203.0.113.7", 40123)
PEER = Address("192.0.2.9", 5060)
ALICE = Account("pbx", "secret")
SDP = bytes(n.OFFER_A).decode()


def fresh(**trunks: TrunkSettings) -> Endpoint:
    endpoint = n.endpoint(n.A)
    endpoint.set_trunks(
        {"carrier": TrunkSettings(("192.0.2.0/24",)), "office": TrunkSettings(guest=ALICE, trusted=True), **trunks}
    )
    return endpoint


def build(
    method: str = "INVITE",
    *rows: Row,
    cseq: int = 1,
    branch: str = "",
    tag: str = "",
    call_id: str = "c",
    body: str = "",
    contact: str | None = "<sip:pbx@10.0.0.5:5060>",
    to: str = "sip:pbx@192.0.2.1",
) -> bytes:
    more = "".join(f"{name}: {value}\r\n" for name, value in rows)
    more += f"Contact: {contact}\r\n" if contact is not None else ""
    more += "Content-Type: application/sdp\r\n" if body else ""
    via = f"10.0.0.5:5060;rport;branch=z9hG4bK{call_id}{branch or method}{cseq}"
    return (
        f"{method} sip:600@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP {via}"
        f"\r\nMax-Forwards: 70\r\nTo: <{to}>{f';tag={tag}' if tag else ''}\r\nFrom: <sip:pbx@192.0.2.1>;tag=f\r\n"
        f"Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n{more}Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def heard(endpoint: Endpoint, data: bytes, source: Address, now: float) -> list[Output]:
    """What it says in the end: a client asks again where nothing was said."""
    return endpoint.receive(data, source, now) or endpoint.receive(data, source, now + 0.5)


def challenge_in(out: list[Output], algorithm: str = "SHA-256") -> Challenge:
    (refused,) = responses(out)
    assert refused.status == 401
    found = [Challenge.parse(value) for value in refused.values("WWW-Authenticate")]
    return next(each for each in found if each is not None and each.algorithm == algorithm)


def shown(
    challenge: Challenge, method: str, account: Account = ALICE, count: int = 1, uri: str = "sip:600@192.0.2.1"
) -> Row:
    return ("Authorization", authorization(challenge, account, method, uri, "cn", count))


def enter(
    endpoint: Endpoint, method: str, *rows: Row, now: float = 0.0, source: Address = PBX, body: str = "", **more: str
) -> list[Output]:
    """Both requests, the second with credentials."""
    challenge = challenge_in(heard(endpoint, build(method, *rows, body=body, **more), source, now))  # type: ignore[arg-type]
    return heard(
        endpoint,
        build(method, *rows, shown(challenge, method), cseq=2, body=body, **more),
        source,
        now,
    )


@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5"])
def test_a_guest_comes_in_with_its_password(algorithm: str) -> None:
    endpoint = fresh()
    out = heard(endpoint, build(body=SDP), PBX, 0.0)
    challenge = challenge_in(out, algorithm)
    assert (challenge.realm, challenge.qop, challenge.stale) == (guests.REALM, True, False)
    (refused,) = out
    assert isinstance(refused, Transmit)
    assert refused.destination == PBX
    assert endpoint.transactions == 0
    # the ACK of what nobody remembers, and the request again, cost nothing either
    tag = responses(out)[0].to.tag or ""
    assert heard(endpoint, build("ACK", cseq=1, branch="INVITE", tag=tag), PBX, 0.1) == []
    assert responses(heard(endpoint, build(body=SDP), PBX, 0.1))[0].to.tag == tag
    assert endpoint.transactions == 0
    out = heard(endpoint, build("INVITE", shown(challenge, "INVITE"), cseq=2, body=SDP), PBX, 0.2)
    incoming = out[-1]
    assert isinstance(incoming, IncomingCall)
    assert (incoming.trunk, incoming.number, incoming.peer) == ("office", "600", PBX.host)


def test_where_no_trunk_is_a_guest_strangers_hear_nothing() -> None:
    endpoint = n.endpoint(n.A)
    for method in ("INVITE", "OPTIONS", "REGISTER", "BYE"):
        assert heard(endpoint, build(method), PBX, 0.0) == []
    assert endpoint.counters["stranger REGISTER"] == 2


def test_strangers_hear_nothing_but_challenges() -> None:
    endpoint = fresh()
    for data in (build("BYE"), build("MESSAGE"), build("INFO", tag="x"), build("CANCEL"), build("ACK"), b"nonsense"):
        assert heard(endpoint, data, PBX, 0.0) == []
    assert [statuses(heard(endpoint, build(each), PBX, 0.0)) for each in ("INVITE", "OPTIONS")] == [[401], [401]]
    # a trunk with an address is not asked
    assert statuses(heard(endpoint, build("OPTIONS"), PEER, 0.0)) == [200]
    assert statuses(heard(endpoint, build("REGISTER"), PEER, 0.0)) == [405]


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "REGISTER"])
def test_a_scanner_hears_nothing_and_a_client_that_asks_again_is_challenged(method: str) -> None:
    endpoint = fresh()
    for at in range(100):
        assert endpoint.receive(build(method, call_id=f"name{at}"), PBX, at / 10) == []
    assert endpoint.counters[f"stranger {method}"] == 100
    # the same request from another address is not the one that came, nor is it after the time of a transaction
    asked, other = build(method, call_id="pbx"), Address("203.0.113.8", PBX.port)
    assert endpoint.receive(asked, other, 20.0) == endpoint.receive(asked, PBX, 20.1) == []
    assert endpoint.receive(asked, PBX, 20.1 + guests.ASKS_AGAIN) == []
    # whatever it shows that is not under a nonce of ours counts for nothing
    made_up = shown(Challenge(guests.REALM, "0-x-" + "0" * 32, None, "SHA-256", qop=True), method)
    assert endpoint.receive(build(method, made_up, call_id="made up"), PBX, 52.5) == []
    assert statuses(endpoint.receive(asked, PBX, 52.6)) == [401]
    # who has lost the answer asks a third time; by a connection nothing comes again
    assert statuses(endpoint.receive(asked, PBX, 53.6)) == [401]
    by_tcp = Address("203.0.113.9", 5060, "tcp")
    assert statuses(endpoint.receive(build(method), by_tcp, 54.0)) == [401]


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "REGISTER"])
def test_whom_we_know_is_challenged_at_once(method: str) -> None:
    """For an hour after its password, and for as long as it is registered."""
    endpoint = fresh()
    enter(endpoint, "OPTIONS")
    last = guests.KNOWN_SECONDS - 0.1
    assert statuses(endpoint.receive(build(method, call_id="known"), PBX, last)) == [401]
    assert endpoint.receive(build(method, call_id="not known"), PBX, last + 0.1) == []
    enter(endpoint, "REGISTER", now=last + 1)
    endpoint._guard._known.clear()
    assert statuses(endpoint.receive(build(method, call_id="registered"), PBX, last + 2)) == [401]


def test_a_wrong_password_makes_nobody_known() -> None:
    endpoint = fresh()
    assert statuses(wrong(endpoint, 0.0)) == [401]
    assert endpoint.receive(build("OPTIONS", call_id="again"), PBX, 1.0) == []


def test_a_whole_call_of_a_guest_behind_a_nat_goes_by_where_it_is_heard() -> None:
    endpoint = fresh()
    incoming = enter(endpoint, "INVITE", body=SDP)[-1]
    assert isinstance(incoming, IncomingCall)
    answered = endpoint.answer(incoming.call, n.OFFER_B, 0.1)
    (ok,) = answered
    assert isinstance(ok, Transmit)
    assert ok.destination == PBX
    tag = responses(answered)[0].to.tag or ""
    # in the call nothing is challenged, and it may come from another port by now
    moved = Address(PBX.host, 40999)
    out = heard(endpoint, build("ACK", cseq=2, branch="ack", tag=tag), moved, 0.2)
    assert out == [CallConfirmed(incoming.call, None)]
    assert statuses(heard(endpoint, build("INFO", cseq=3, tag=tag), moved, 0.3)) == [200]
    kept = endpoint.snapshot(incoming.call)
    assert kept is not None
    second = fresh()
    second.restore(kept, 0.4)
    (bye,) = second.hang_up(incoming.call, 0.5)
    assert isinstance(bye, Transmit)
    assert bye.destination == moved
    sent = parse(bye.data)
    assert isinstance(sent, Request)
    assert sent.uri == "sip:pbx@10.0.0.5:5060"
    assert heard(endpoint, build("BYE", cseq=4, tag=tag), moved, 0.6)[-1] == CallEnded(incoming.call, "bye")


def test_a_guest_cancels_what_it_began() -> None:
    endpoint = fresh()
    enter(endpoint, "INVITE", body=SDP)
    out = heard(endpoint, build("CANCEL", cseq=2, branch="INVITE"), PBX, 0.1)
    assert statuses(out) == [200, 487]


def test_tags_of_a_trunk_with_an_address_open_no_door() -> None:
    endpoint = fresh()
    incoming = heard(endpoint, build(body=SDP), PEER, 0.0)[-1]
    assert isinstance(incoming, IncomingCall)
    tag = responses(endpoint.answer(incoming.call, n.OFFER_B, 0.1))[0].to.tag or ""
    assert heard(endpoint, build("BYE", cseq=2, tag=tag), PBX, 0.2) == []


def test_nobody_says_by_the_tags_of_a_call_where_a_guest_is() -> None:
    """A telephone behind a PBX that is a proxy knows those of its own call."""
    endpoint = fresh()
    incoming = enter(endpoint, "INVITE", body=SDP)[-1]
    assert isinstance(incoming, IncomingCall)
    answered = endpoint.answer(incoming.call, n.OFFER_B, 0.1)
    tag = responses(answered)[-1].to.tag or ""
    thief = Address("198.51.100.66", 5060)
    assert heard(endpoint, build("REGISTER", cseq=7, tag=tag, contact="<sip:x@198.51.100.66>"), thief, 0.2) == []
    assert endpoint.counters["stranger REGISTER"] == 2
    assert endpoint._registrar.told("office").bindings == ()
    # what belongs to the call is heard all the same
    assert statuses(heard(endpoint, build("BYE", cseq=8, tag=tag), thief, 0.3)) == [200]


def test_a_nonce_is_counted_upwards_and_does_not_last() -> None:
    endpoint = fresh()
    challenge = challenge_in(heard(endpoint, build("OPTIONS"), PBX, 0.0))

    def ask(count: int, cseq: int, now: float, source: Address = PBX) -> list[Output]:
        return heard(endpoint, build("OPTIONS", shown(challenge, "OPTIONS", count=count), cseq=cseq), source, now)

    assert statuses(ask(1, 2, 1.0)) == [200]
    assert statuses(ask(3, 3, 2.0)) == [200]
    # replayed, overtaken, too old, or of another address: right, but not any more
    late = guests.NONCE_SECONDS
    for replay in (ask(3, 4, 3.0), ask(2, 5, 3.0), ask(9, 6, late), ask(9, 7, 4.0, Address("203.0.113.8", 5060))):
        assert challenge_in(replay).stale
    # ... and of another process
    second = n.endpoint(n.A, life=1)
    second.set_trunks({"office": TrunkSettings(guest=ALICE)})
    again = heard(second, build("OPTIONS", shown(challenge, "OPTIONS", count=4), cseq=8), PBX, 5.0)
    assert challenge_in(again).stale


def test_a_known_user_and_an_unknown_one_have_the_same_answer() -> None:
    endpoint = fresh()
    heads = []
    for account in (Account("pbx", "wrong"), Account("nobody", "wrong")):
        challenge = challenge_in(heard(endpoint, build("REGISTER"), PBX, 0.0))
        out = heard(endpoint, build("REGISTER", shown(challenge, "REGISTER", account), cseq=2), PBX, 0.0)
        assert not challenge_in(out).stale
        (refused,) = responses(out)
        rows = [(name, value) for name, value in refused.rows if name != "WWW-Authenticate"]
        asked = [sorted(parameters(value)) for value in refused.values("WWW-Authenticate")]
        heads.append((refused.status, refused.phrase, rows, asked))
    assert heads[0] == heads[1]


def test_a_known_user_and_an_unknown_one_cost_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """By what is reckoned, and not by a clock: one digest of a password, compared octet by octet."""
    reckoned: list[str] = []
    compared: list[int] = []
    compare = hmac.compare_digest

    def respond(challenge: Challenge, account: Account, *more: Any) -> str:
        reckoned.append(challenge.algorithm)
        return response_of(challenge, account, *more)

    def equal(one: Any, other: Any) -> bool:
        compared.append(len(one))
        return bool(compare(one, other))

    endpoint = fresh()
    monkeypatch.setattr(guests, "response_of", respond)
    monkeypatch.setattr(hmac, "compare_digest", equal)
    seen = []
    for account in (Account("pbx", "wrong"), Account("nobody", "wrong")):
        challenge = challenge_in(heard(endpoint, build("REGISTER"), PBX, 0.0))
        reckoned.clear()
        compared.clear()
        heard(endpoint, build("REGISTER", shown(challenge, "REGISTER", account), cseq=2), PBX, 0.0)
        seen.append((list(reckoned), list(compared)))
    assert seen[0] == seen[1] == (["SHA-256"], [32, 64])


@pytest.mark.parametrize(
    "break_",
    [
        lambda row: row.replace("sip:600@", "sip:601@"),
        lambda row: row.replace("qop=auth", "qop=auth-int"),
        lambda row: row.replace("nc=00000001", "nc=1"),
        lambda row: row.replace("algorithm=SHA-256", "algorithm=SHA-512-256"),
        lambda row: row.replace('response="', 'response="0'),
    ],
)
def test_credentials_for_something_else_are_wrong(break_: object) -> None:
    endpoint = fresh()
    challenge = challenge_in(heard(endpoint, build("OPTIONS"), PBX, 0.0))
    name, value = shown(challenge, "OPTIONS")
    broken = break_(value)  # type: ignore[operator]
    assert broken != value
    out = heard(endpoint, build("OPTIONS", (name, broken), cseq=2), PBX, 0.0)
    assert not challenge_in(out).stale
    for nonsense in ("Digest", "Basic cGJ4OnNlY3JldA==", 'Digest realm="other"', "Digest =,"):
        assert statuses(heard(endpoint, build("OPTIONS", (name, nonsense), cseq=3), PBX, 0.0)) == [401]


def test_a_proxy_may_have_changed_the_request_uri() -> None:
    """RFC 3261 §22.4: what the credentials are for is the one they name."""
    endpoint = fresh()
    challenge = challenge_in(heard(endpoint, build("OPTIONS"), PBX, 0.0))
    proof = shown(challenge, "OPTIONS", uri="sip:192.0.2.1")
    assert statuses(heard(endpoint, build("OPTIONS", proof, cseq=2), PBX, 0.0)) == [200]


def test_a_switch_that_asks_for_one_algorithm_takes_no_other() -> None:
    endpoint = Endpoint(Settings(lambda remote: (n.A.host, n.A.port), challenges=("MD5",)), lambda: "unguessable")
    endpoint.set_trunks({"office": TrunkSettings(guest=ALICE)})
    asked = challenge_in(heard(endpoint, build("OPTIONS"), PBX, 0.0), "MD5")
    (refused,) = responses(heard(endpoint, build("OPTIONS"), PBX, 0.0))
    assert len(refused.values("WWW-Authenticate")) == 1
    other = Challenge(asked.realm, asked.nonce, None, "SHA-256", qop=True)
    assert statuses(heard(endpoint, build("OPTIONS", shown(other, "OPTIONS"), cseq=2), PBX, 0.0)) == [401]
    assert statuses(heard(endpoint, build("OPTIONS", shown(asked, "OPTIONS"), cseq=3), PBX, 0.0)) == [200]


def test_a_client_that_reads_one_challenge_reads_md5() -> None:
    (refused,) = responses(heard(fresh(), build("OPTIONS"), PBX, 0.0))
    first = Challenge.parse(refused.get("WWW-Authenticate") or "")
    assert first is not None
    assert first.algorithm == "MD5"


def wrong(endpoint: Endpoint, now: float, source: Address = PBX, cseq: int = 2) -> list[Output]:
    challenge = challenge_in(heard(endpoint, build("REGISTER"), source, now))
    bad = shown(challenge, "REGISTER", Account("pbx", "guess"))
    return heard(endpoint, build("REGISTER", bad, cseq=cseq), source, now)


def test_ten_wrong_passwords_in_a_minute_and_nothing_is_heard_any_more() -> None:
    endpoint = fresh()
    for index in range(9):
        assert statuses(wrong(endpoint, index * 6.0)) == [401]
    (refused,) = wrong(endpoint, 54.0)
    assert isinstance(refused, Refused)
    assert heard(endpoint, build("REGISTER"), PBX, 55.0) == []
    assert heard(endpoint, build("OPTIONS"), PBX, 54.0 + guests.BAN_SECONDS - 1) == []
    # another address of the same sort is not meant, and a ban ends
    assert statuses(heard(endpoint, build("OPTIONS"), Address("203.0.113.8", 1), 56.0)) == [401]
    assert statuses(heard(endpoint, build("OPTIONS"), PBX, 54.0 + guests.BAN_SECONDS)) == [401]


def test_a_password_that_is_mended_is_heard_at_once() -> None:
    endpoint = fresh()
    for index in range(10):
        wrong(endpoint, 1.0 + index)
    assert heard(endpoint, build(cseq=20), PBX, 20.0) == []
    mended = Account("pbx", "forgotten by who came")
    endpoint.set_trunks({"office": TrunkSettings(guest=ALICE)})
    assert heard(endpoint, build(cseq=21), PBX, 21.0) == [], "nothing was mended"
    endpoint.set_trunks({"office": TrunkSettings(guest=mended)})
    challenge = challenge_in(heard(endpoint, build(cseq=22), PBX, 22.0))
    out = endpoint.receive(build("INVITE", shown(challenge, "INVITE", mended), cseq=23, body=SDP), PBX, 23.0)
    assert [each.call for each in out if isinstance(each, IncomingCall)]


def test_the_first_wrong_password_of_an_address_is_told_and_no_answer_tells_which_it_was() -> None:
    """Whose PBX is refused looks into the log; one try in a minute is what a PBX makes."""
    endpoint = fresh()

    def told(now: float, user: str = "pbx") -> list[str]:
        asked = challenge_in(heard(endpoint, build(cseq=int(now)), PBX, now))
        row = shown(asked, "INVITE", Account(user, "wrong"))
        out = endpoint.receive(build("INVITE", row, cseq=int(now) + 1), PBX, now + 1)
        assert statuses(out) == [401]
        return [each.reason for each in out if isinstance(each, Refused)]

    assert told(1.0) == ["a wrong password for trunk office"]
    assert told(3.0) == []
    assert told(40.0) == []
    assert told(200.0, "nobody") == ["a user name that no trunk has"]


def test_a_call_that_lives_is_heard_from_an_address_that_is_banned() -> None:
    """Somebody else behind that NAT tried passwords: whoever talks can still hang up, and begins nothing."""
    endpoint = fresh()
    incoming = enter(endpoint, "INVITE", body=SDP)[-1]
    assert isinstance(incoming, IncomingCall)
    tag = responses(endpoint.answer(incoming.call, n.OFFER_B, 0.1))[0].to.tag or ""
    heard(endpoint, build("ACK", cseq=2, branch="ack", tag=tag), PBX, 0.2)
    for index in range(10):
        wrong(endpoint, 1.0 + index, Address(PBX.host, 50000))
    assert endpoint.counters["banned"] == 1
    for method in ("OPTIONS", "INVITE", "REGISTER"):
        assert heard(endpoint, build(method, cseq=7), PBX, 20.0) == []
        assert heard(endpoint, build(method, cseq=8, tag="guessed"), PBX, 20.0) == []
    assert statuses(heard(endpoint, build("INFO", cseq=3, tag=tag), PBX, 21.0)) == [200]
    assert heard(endpoint, build("BYE", cseq=4, tag=tag), PBX, 22.0)[-1] == CallEnded(incoming.call, "bye")
    # the tag of somebody's call is none of another's
    other = build("BYE", cseq=5, tag=tag, call_id="another")
    assert heard(endpoint, other, PBX, 23.0) == []


def test_expected_is_what_comes_from_a_trunk_or_is_of_a_call_that_lives() -> None:
    endpoint = fresh()
    out = enter(endpoint, "INVITE", body=SDP)
    assert isinstance(out[-1], IncomingCall)
    (ok,) = responses(endpoint.answer(out[-1].call, n.answer_to(n.OFFER_A), 0.1))
    assert ok.to.tag is not None
    bye = build("BYE", tag=ok.to.tag)
    assert endpoint.expects(bye, PBX)
    for data in (build("BYE", tag="guessed"), build("BYE"), build(body=SDP), b"", b"SIP/2.0 200 OK\r\n\r\n"):
        assert endpoint.expects(data, PEER)
        assert not endpoint.expects(data, PBX)


def test_nine_wrong_passwords_and_a_pause_ban_nobody() -> None:
    endpoint = fresh()
    for index in range(30):
        assert statuses(wrong(endpoint, index * 7.0)) == [401]


def test_nobody_has_another_banned() -> None:
    """Who sends in another's name never sees the nonce that a wrong password would have to go with."""
    endpoint = fresh()
    mine = challenge_in(heard(endpoint, build("REGISTER"), Address("198.51.100.1", 5060), 0.0))
    made_up = Challenge(guests.REALM, "0-x-" + "0" * 32, None, "SHA-256", qop=True)
    for index in range(guests.CHALLENGES // 2):
        for challenge in (mine, made_up):
            bad = shown(challenge, "REGISTER", Account("pbx", "guess"))
            assert challenge_in(heard(endpoint, build("REGISTER", bad, cseq=index + 2), PBX, 1.0)).stale
    assert endpoint.counters["banned"] == 0
    assert statuses(enter(endpoint, "OPTIONS", now=61.0)) == [200]


def test_who_tries_names_and_numbers_and_shows_nothing_hears_nothing_more() -> None:
    """... for the rest of the minute; nobody else is meant, and whoever can show something is heard all the same."""
    endpoint = fresh()
    answered = [statuses(heard(endpoint, build(call_id=f"s{at}"), PBX, 1.0)) for at in range(guests.CHALLENGES + 20)]
    assert answered == [[401]] * guests.CHALLENGES + [[]] * 20
    assert endpoint.counters["stranger INVITE"] == guests.CHALLENGES + 2 * 20
    assert endpoint.counters["banned"] == 0
    assert statuses(heard(endpoint, build("OPTIONS"), Address("203.0.113.8", 1), 2.0)) == [401]
    assert statuses(heard(endpoint, build("OPTIONS", call_id="later"), PBX, 1.0 + guests.CHALLENGES_WITHIN)) == [401]


def test_a_pbx_has_any_number_of_calls() -> None:
    endpoint = fresh()
    for at in range(3 * guests.CHALLENGES):
        assert statuses(enter(endpoint, "OPTIONS", call_id=f"o{at}")) == [200]


def test_who_sends_in_the_name_of_a_pbx_that_registered_cannot_silence_it() -> None:
    endpoint = fresh()
    enter(endpoint, "REGISTER")
    for at in range(3 * guests.CHALLENGES):
        heard(endpoint, build(call_id=f"forged{at}"), PBX, 1.0)
    assert statuses(enter(endpoint, "OPTIONS", now=2.0)) == [200]


def test_whoever_has_a_network_of_ipv6_has_one_address() -> None:
    endpoint = fresh()
    for index in range(10):
        wrong(endpoint, 0.0, Address(f"2001:db8:1:2::{index + 1:x}", 5060))
    assert heard(endpoint, build("OPTIONS"), Address("2001:db8:1:2:ffff::1", 5060), 1.0) == []
    assert statuses(heard(endpoint, build("OPTIONS"), Address("2001:db8:1:3::1", 5060), 1.0)) == [401]


def test_what_is_remembered_of_strangers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guests, "MAX_ADDRESSES", 5)
    monkeypatch.setattr(guests, "MAX_NONCES", 5)
    endpoint = fresh()
    for index in range(20):
        source = Address(f"203.0.113.{index}", 5060)
        assert statuses(enter(endpoint, "OPTIONS", source=source, call_id=f"c{index}")) == [200]
        for _ in range(10):
            wrong(endpoint, 0.0, source)
    guard = endpoint._guard
    assert (len(guard._counts), len(guard._wrong), len(guard._banned), len(guard._asked)) == (5, 5, 5, 5)
    assert (len(guard._unanswered), len(guard._known)) == (5, 5)


# --- who was called before ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "number"),
    [
        ((), ""),
        ((("Diversion", '"L" <sip:+8610@x>;reason=unconditional, <sip:+8621@x>;reason=no-answer'),), "+8610"),
        ((("Diversion", "<sip:+8610@x>;privacy=full"), ("Diversion", "<sip:+8621@x>;privacy=off")), "+8621"),
        ((("History-Info", "<sip:+8610@x>;index=1, <sip:600@x?Reason=SIP%3Bcause%3D302>;index=1.1"),), "+8610"),
        ((("History-Info", "<sip:+8610@x?Privacy=history>;index=1"), ("History-Info", "<sip:600@x>;index=1.1")), ""),
        ((("History-Info", "<sip:600@x>;index=1"),), ""),
        ((("Diversion", "<<<"),), ""),
        ((("History-Info", "<mailto:x@y>;index=1"),), ""),
    ],
)
def test_whom_the_caller_had_dialled_before(rows: tuple[Row, ...], number: str) -> None:
    request = parse(build("INVITE", *rows))
    assert isinstance(request, Request)
    assert diverted_from(request) == number
    endpoint = fresh()
    incoming = heard(endpoint, build("INVITE", *rows, body=SDP), PEER, 0.0)[-1]
    assert isinstance(incoming, IncomingCall)
    assert incoming.diverted_from == number


@pytest.mark.parametrize("method", ["INVITE", "REGISTER", "OPTIONS"])
def test_whatever_a_stranger_sends_nothing_breaks_and_little_comes_back(method: str) -> None:
    """One octet changed, doubled or gone, with credentials that were right before."""
    endpoint = fresh()
    rng = Random(method)
    for index in range(300):
        challenge = challenge_in(heard(endpoint, build(method, call_id=f"a{index}"), PBX, float(index)))
        data = bytearray(
            build(method, shown(challenge, method), cseq=2, call_id=f"a{index}", body=SDP if method == "INVITE" else "")
        )
        at = rng.randrange(len(data))
        data[at : at + 1] = rng.choice([b"", bytes([data[at]]) * 2, bytes([rng.randrange(256)])])
        out = heard(endpoint, bytes(data), PBX, float(index))
        assert sum(isinstance(each, Transmit) for each in out) <= 1
        endpoint._guard._banned.clear()
