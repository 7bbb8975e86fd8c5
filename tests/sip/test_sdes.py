"""Keys in descriptions (RFC 4568): which lines can be used, what is made of an offer, and what of an answer."""

from base64 import b64encode
from collections.abc import Mapping

import pytest
from attrs import evolve
from cordboard.sip import sdes, sdp
from cordboard.sip.description import parse
from cordboard.sip.events import CallAnswered, CallFailed, CallReofferRefused, Transmit, Undelivered
from cordboard.sip.message import Address
from cordboard.sip.sdes import Crypto
from cordboard.sip.trunks import TrunkSettings
from hypothesis import given
from hypothesis import strategies as st

from . import net as n
from .far import events, reply, requests, responses

KEY = b64encode(bytes(range(30))).decode()
GCM = b64encode(bytes(range(28))).decode()
OURS: Mapping[sdp.Suite, str] = {
    "AEAD_AES_128_GCM": b64encode(bytes(28)).decode(),
    "AES_CM_128_HMAC_SHA1_80": b64encode(b"8" * 30).decode(),
    "AES_CM_128_HMAC_SHA1_32": b64encode(b"3" * 30).decode(),
}


def described(*attributes: str, protocol: str = "RTP/SAVP", more: str = "") -> sdp.SessionDescription:
    lines = "".join(f"a={each}\r\n" for each in attributes)
    return parse(
        f"v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n"
        f"m=audio 4000 {protocol} 8 0\r\n{lines}{more}".encode()
    )


@pytest.mark.parametrize(
    "line",
    [
        # RFC 4568 §5.1.1, with one key
        "1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20",
        f"2 AES_CM_128_HMAC_SHA1_32 inline:{KEY}|1048576",
        f"3 AEAD_AES_128_GCM inline:{GCM}",
        f"4 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^48 WSH=128",
        f"5 AES_CM_128_HMAC_SHA1_80 inline:{KEY} -FROBNICATE=7",
    ],
)
def test_lines_that_can_be_used(line: str) -> None:
    read = sdes.read(line)
    assert read is not None
    assert line.startswith(f"{read}")


@pytest.mark.parametrize(
    "line",
    [
        f"1 AES_256_CM_HMAC_SHA1_80 inline:{KEY}",
        f"1 F8_128_HMAC_SHA1_80 inline:{KEY}",
        # a length that is another suite's
        f"1 AEAD_AES_128_GCM inline:{KEY}",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{GCM}",
        # an MKI would be in every packet (§6.1)
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1:32",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4;inline:{KEY}|2^20|2:4",
        # what would be sent otherwise (§6.3)
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTP",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} KDR=1",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} WSH=128 UNAUTHENTICATED_SRTP",
        f"1 AES_CM_128_HMAC_SHA1_80 uri:https://keys.example/{KEY}",
        "1 AES_CM_128_HMAC_SHA1_80 inline:",
        f"AES_CM_128_HMAC_SHA1_80 inline:{KEY}",
        f"\u0661 AES_CM_128_HMAC_SHA1_80 inline:{KEY}",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\u2028",
        "",
    ],
)
def test_lines_that_are_passed_over(line: str) -> None:
    assert sdes.read(line) is None


def test_padding_may_be_missing() -> None:
    assert sdes.read(f"1 AEAD_AES_128_GCM inline:{GCM.rstrip('=')}") == Crypto(1, "AEAD_AES_128_GCM", GCM)


@given(st.text(max_size=120))
def test_nothing_raises(line: str) -> None:
    sdes.read(line)


def test_an_offer_of_ours_has_a_key_for_each_suite_and_survives_the_wire() -> None:
    offer = sdp.offer("192.0.2.1", 20002, session_id=1, keys=OURS)
    (media,) = parse(bytes(offer)).media
    assert media.protocol == "RTP/SAVP"
    assert media.cryptos == tuple(Crypto(tag, suite, OURS[suite]) for tag, suite in enumerate(sdes.SUITES, 1))
    assert sdp.offer("192.0.2.1", 20002, session_id=1).media[0].cryptos == ()


def test_of_their_offer_the_first_is_taken_and_answered_with_a_key_of_ours() -> None:
    offer = described(
        f"crypto:7 F8_128_HMAC_SHA1_80 inline:{KEY}", f"crypto:8 AES_CM_128_HMAC_SHA1_32 inline:{KEY}|2^20",
        f"crypto:9 AEAD_AES_128_GCM inline:{GCM}",
    )  # fmt: skip
    agreed = sdp.negotiate(offer, srtp=True)
    assert agreed.crypto == Crypto(8, "AES_CM_128_HMAC_SHA1_32", KEY)
    answer = sdp.answer(offer, agreed, "192.0.2.1", 20002, session_id=1, keys=OURS)
    (media,) = parse(bytes(answer)).media
    assert media.protocol == "RTP/SAVP"
    assert media.cryptos == (Crypto(8, "AES_CM_128_HMAC_SHA1_32", OURS["AES_CM_128_HMAC_SHA1_32"]),)


def test_of_two_streams_the_encrypted_one_is_taken() -> None:
    """And the plain one where nothing is to be encrypted."""
    secure = f"m=audio 4002 RTP/SAVP 8\r\na=crypto:1 AEAD_AES_128_GCM inline:{GCM}\r\n"
    offer = described(protocol="RTP/AVP", more=secure)
    assert sdp.negotiate(offer, srtp=True).index == 1
    assert sdp.negotiate(offer).index == 0
    answer = sdp.answer(offer, sdp.negotiate(offer, srtp=True), "192.0.2.1", 20002, session_id=1, keys=OURS)
    assert [(media.port, media.protocol) for media in answer.media] == [(0, "RTP/AVP"), (20002, "RTP/SAVP")]


@pytest.mark.parametrize(
    ("offer", "srtp", "says"),
    [
        (described(protocol="RTP/AVP"), True, "only SRTP"),
        # what asks for encryption without saying so: who reads it as it is written speaks plain RTP
        (described(f"crypto:1 AEAD_AES_128_GCM inline:{GCM}", protocol="RTP/AVP"), True, "only SRTP"),
        (described(f"crypto:1 AEAD_AES_128_GCM inline:{GCM}"), False, "only RTP/AVP"),
        (described(f"crypto:1 F8_128_HMAC_SHA1_80 inline:{KEY}"), True, "no key of SRTP"),
        (described(), True, "no key of SRTP"),
        (
            evolve(
                described(f"crypto:1 AEAD_AES_128_GCM inline:{GCM}"),
                media=(evolve(described(f"crypto:1 AEAD_AES_128_GCM inline:{GCM}").media[0], formats=("18",)),),
            ),
            True,
            "no codec in common",
        ),
    ],
)
def test_what_cannot_be_agreed_on_is_488_in_words(offer: sdp.SessionDescription, srtp: bool, says: str) -> None:
    with pytest.raises(sdp.SdpError, match=says) as raised:
        sdp.negotiate(offer, srtp=srtp)
    assert raised.value.status == 488


def test_an_answer_takes_one_of_our_keys_and_no_other() -> None:
    ours = sdp.offer("192.0.2.1", 20002, session_id=1, keys=OURS)
    agreed = sdp.accept(ours, described(f"crypto:2 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"))
    assert agreed.crypto == Crypto(2, "AES_CM_128_HMAC_SHA1_80", KEY)
    for line in (f"crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}", f"crypto:4 AEAD_AES_128_GCM inline:{GCM}"):
        with pytest.raises(sdp.SdpError, match="did not offer"):
            sdp.accept(ours, described(line))
    for theirs in (described(), described(protocol="RTP/AVP")):
        with pytest.raises(sdp.SdpError, match="refuses our stream"):
            sdp.accept(ours, theirs)


def test_no_key_is_shown() -> None:
    offer = sdp.offer("192.0.2.1", 20002, session_id=1, keys=OURS)
    agreed = sdp.negotiate(described(f"crypto:1 AEAD_AES_128_GCM inline:{GCM}"), srtp=True)
    for shown in (repr(offer), repr(agreed)):
        assert "inline" not in shown
        assert not any(key in shown for key in (*OURS.values(), GCM))


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "PRACK"])
def test_of_a_private_trunk_nothing_is_agreed_but_by_tls(method: str) -> None:
    """Whatever it offers: its keys would be no secrets."""
    endpoint = n.endpoint(n.A)
    endpoint.set_trunks({"carrier": TrunkSettings(("192.0.2.9",), private=True)})
    body = bytes(described(f"crypto:1 AEAD_AES_128_GCM inline:{GCM}")).decode()

    def heard(transport: str) -> list[int]:
        lines = (
            f"{method} sip:600@192.0.2.1 SIP/2.0",
            f"Via: SIP/2.0/{transport.upper()} 192.0.2.9;branch=z9hG4bK{transport}",
            "Max-Forwards: 70",
            "To: <sip:600@192.0.2.1>",
            "From: <sip:a@192.0.2.9>;tag=f",
            f"Call-ID: {transport}",
            f"CSeq: 1 {method}",
            "Contact: <sip:a@192.0.2.9>",
            "RAck: 1 1 INVITE",
            "Content-Type: application/sdp",
            f"Content-Length: {len(body)}",
        )
        request = "\r\n".join((*lines, "", body))
        out = endpoint.receive(request.encode(), Address("192.0.2.9", 5060, transport), 0.0)
        refused = [response for response in responses(out) if response.status == 488]
        assert all("TLS" in (response.get("Warning") or "") for response in refused)
        return [response.status for response in responses(out)]

    assert heard("udp") == heard("tcp") == [488]
    assert heard("tls") == ([100] if method == "INVITE" else [481])


def test_keys_of_a_private_trunk_go_by_tls_alone_wherever_its_far_side_leads() -> None:
    """By a redirect to UDP, or by a Contact that is reached by it: the offer is not sent, and nothing hangs."""
    tls, udp = Address("192.0.2.9", 5061, "tls"), Address("192.0.2.9", 5060)
    endpoint = n.endpoint(n.A)
    endpoint.set_trunks({"carrier": TrunkSettings(("192.0.2.9",), private=True)})
    out = endpoint.dial("moved", "sip:6@192.0.2.9", udp, "1001", n.OFFER_A, 0.0, trunk="carrier")
    assert events(out) == [CallFailed("moved", 503, "cannot be sent")]
    assert requests(out) == []
    (invite,) = requests(
        endpoint.dial("out", "sip:6@192.0.2.9;transport=tls", tls, "1001", n.OFFER_A, 0.0, trunk="carrier")
    )
    rows = ("Contact", "<sip:6@192.0.2.9;transport=udp>"), ("Content-Type", "application/sdp")
    out = reply(endpoint, invite, 200, *rows, source=tls, body=bytes(n.answer_to(n.OFFER_A)))
    assert isinstance(out[-1], CallAnswered)
    out = endpoint.reoffer("out", n.OFFER_A, 1.0)
    assert out == [Undelivered("out", "carrier", "INVITE"), CallReofferRefused("out", 503)]
    assert endpoint.counters["keys not sent but by TLS"] == 2
    # what has no keys in it goes where they say
    (bye,) = endpoint.hang_up("out", 2.0)
    assert isinstance(bye, Transmit)
    assert bye.destination == udp
    while endpoint.deadline() < 300:
        endpoint.wake(endpoint.deadline())
    assert endpoint.idle
