"""Digest authentication: the RFCs' own examples, and challenges as they come."""

from __future__ import annotations

import hashlib

import pytest
from cordboard.sip.digest import Account, Challenge, authorization, hash_of, parameters, response_of
from cordboard.sip.message import LocalSipError, RemoteSipError
from hypothesis import given
from hypothesis import strategies as st

LION = Account("Mufasa", "Circle Of Life")
LION_2015 = Account("Mufasa", "Circle of Life")
NONCE_2015 = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CNONCE_2015 = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


def challenge(text: str) -> Challenge:
    parsed = Challenge.parse(text)
    assert parsed is not None
    return parsed


@pytest.mark.parametrize(
    ("text", "account", "uri", "cnonce", "response"),
    [
        # RFC 2617 §3.5
        (
            'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"',
            LION,
            "/dir/index.html",
            "0a4f113b",
            "6629fae49393a05397450978507c4ef1",
        ),
        # RFC 2069 §2.4, as erratum 749 corrects it: without qop
        (
            'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"',
            Account("Mufasa", "CircleOfLife"),
            "/dir/index.html",
            "",
            "1949323746fe6a43ef61f9606e7febea",
        ),
        # RFC 7616 §3.9.1, both
        (
            f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5, nonce="{NONCE_2015}"',
            LION_2015,
            "/dir/index.html",
            CNONCE_2015,
            "8ca523f5e9506fed4657c9700eebdbec",
        ),
        (
            f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, nonce="{NONCE_2015}"',
            LION_2015,
            "/dir/index.html",
            CNONCE_2015,
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ),
    ],
)
def test_the_examples_of_the_rfcs(text: str, account: Account, uri: str, cnonce: str, response: str) -> None:
    assert response_of(challenge(text), account, "GET", uri, cnonce, 1) == response


def test_sha_512_256_is_the_one_of_the_standard() -> None:
    """FIPS 180-4's own example; that of RFC 7616 §3.9.2 is made with another hash."""
    digest = hash_of("SHA-512-256-sess")
    assert digest is not None
    assert digest(b"abc") == "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"


def test_a_session_key_is_hashed_with_both_nonces() -> None:
    """RFC 7616 §3.4.2, written out."""

    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    given_ = challenge('Digest realm="r", nonce="n", algorithm=md5-SESS, qop="auth"')
    key = md5(md5("u:r:p") + ":n:c")
    assert response_of(given_, Account("u", "p"), "INVITE", "sip:x", "c", 10) == md5(
        f"{key}:n:0000000a:c:auth:{md5('INVITE:sip:x')}"
    )
    row = authorization(given_, Account("u", "p"), "INVITE", "sip:x", "c", 10)
    assert parameters(row)["algorithm"] == "MD5-sess"


def test_an_answer_says_all_that_the_challenge_needs() -> None:
    text = 'Digest realm="a \\"b\\"", nonce="n", opaque="o", algorithm=SHA-256, qop=auth, stale=TRUE'
    asked = challenge(text)
    assert (asked.realm, asked.stale) == ('a "b"', True)
    row = authorization(asked, Account('u"x', "p"), "REGISTER", "sip:h", "c", 2)
    assert row.startswith('Digest username="u\\"x", realm="a \\"b\\"", nonce="n", uri="sip:h", response="')
    assert row.endswith('", algorithm=SHA-256, opaque="o", qop=auth, nc=00000002, cnonce="c"')
    plain = authorization(challenge('Digest realm="r", nonce="n"'), Account("u", "p"), "BYE", "sip:h", "c", 1)
    assert not {"nc", "qop", "cnonce", "opaque"} & set(parameters(plain))


@pytest.mark.parametrize(
    "text",
    [
        'Basic realm="x"',
        'Digest realm="r", nonce="n", algorithm=SHA-1',
        'Digest realm="r", nonce="n", qop="auth-int"',
    ],
)
def test_what_nobody_here_can_answer_is_left_alone(text: str) -> None:
    assert Challenge.parse(text) is None


@pytest.mark.parametrize(
    "text",
    [
        'Digest realm="r"',
        'Digest nonce="n"',
        'Digest realm="r", realm="s", nonce="n"',
        'Digest realm="r" nonce="n"',
        'Digest realm="r", nonce=',
        'Digest realm="a\rb", nonce="n"',
    ],
)
def test_a_broken_challenge_is_theirs(text: str) -> None:
    with pytest.raises(RemoteSipError):
        Challenge.parse(text)


def test_an_account_with_a_line_break_is_ours() -> None:
    with pytest.raises(LocalSipError):
        authorization(challenge('Digest realm="r", nonce="n"'), Account("u\r\nX: y", "p"), "BYE", "sip:h", "c", 1)
    assert "secret" not in repr(Account("u", "secret"))


@given(st.text(st.characters(max_codepoint=0x2FF), max_size=200))
def test_anything_is_read_or_refused(text: str) -> None:
    for value in (text, "Digest " + text, f'Digest realm="r", nonce="n", {text}'):
        try:
            parsed = Challenge.parse(value)
        except RemoteSipError:
            continue
        if parsed is not None:
            assert "\n" not in authorization(parsed, Account("u", "p"), "BYE", "sip:h", "c", 1)
