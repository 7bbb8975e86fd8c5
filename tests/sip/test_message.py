"""The parser: RFC 3261's examples, what is broken, and bytes that nobody chose. All of RFC 4475 is in
`test_torture.py`."""

from __future__ import annotations

import contextlib

import pytest
import sipmessage
from cordboard.sip import sdp
from cordboard.sip.dialog import Dialog, build_request
from cordboard.sip.message import (
    MAX_HEADER,
    MAX_HEADERS,
    MAX_VIAS,
    Address,
    Head,
    NameAddr,
    RemoteSipError,
    Request,
    Response,
    Uri,
    Via,
    parse,
    quote,
    refusal,
    reply_address,
    respond,
    split_list,
)
from cordboard.sip.screening import caller_of
from hypothesis import example, given, settings
from hypothesis import strategies as st

from .net import A, endpoint

SOURCE = Address("192.0.2.7", 5062)


def wire(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode("utf-8", "surrogateescape")


# RFC 3261 §24.2, F1
INVITE = wire(
    """INVITE sip:bob@biloxi.example.com SIP/2.0
Via: SIP/2.0/UDP pc33.atlanta.example.com;branch=z9hG4bKnashds8
Max-Forwards: 70
To: Bob <sip:bob@biloxi.example.com>
From: Alice <sip:alice@atlanta.example.com>;tag=1928301774
Call-ID: a84b4c76e66710
CSeq: 314159 INVITE
Contact: <sip:alice@pc33.atlanta.example.com>
Content-Type: application/sdp
Content-Length: 4

v=0
"""
)
# RFC 4475 §3.1.1.1
TORTUOUS = wire(
    """INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0
TO :
 sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n
from   : "J Rosenberg \\\\\\""       <sip:jdrosen@example.com>
  ;
  tag = 98asjd8
MaX-fOrWaRdS: 0068
Call-ID: wsinv.ndaksdj@192.0.2.1
Content-Length   : 3
cseq: 0009
  INVITE
Via  : SIP  /   2.0
 /UDP
    192.0.2.2;branch=390skdjuw
s :
NewFangledHeader:   newfangled value
 continued newfangled value
UnknownHeaderWithUnusualValue: ;;,,;;,;
Content-Type: application/sdp
Route:
 <sip:services.example.com;lr;unknownwith=value;unknown-no-value>
v:  SIP  / 2.0  / TCP     spindle.example.com   ;
  branch  =   z9hG4bK9ikj8  ,
 SIP  /    2.0   / UDP  192.168.255.111   ; branch=
 z9hG4bK30239
m:"Quoted string \\"\\"" <sip:jdrosen@example.com> ; newparam =
      newvalue ;
  secondparam ; q = 0.33

v=0"""
)


def request(data: bytes) -> Request:
    message = parse(data)
    assert isinstance(message, Request)
    return message


def variant(*changes: tuple[str, str]) -> bytes:
    text = INVITE.decode()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text.encode("utf-8", "surrogateescape")


def test_the_first_message_of_the_rfc() -> None:
    message = request(INVITE)
    assert (message.method, message.uri, message.cseq) == ("INVITE", "sip:bob@biloxi.example.com", 314159)
    assert (message.from_.name, message.from_.uri, message.from_.tag) == (
        "Alice",
        "sip:alice@atlanta.example.com",
        "1928301774",
    )
    assert message.via.branch == "z9hG4bKnashds8"
    assert message.body == b"v=0\r"
    assert parse(bytes(message)) == message


def test_a_short_tortuous_invite() -> None:
    """RFC 4475 §3.1.1.1: folding, odd spaces, compact and mixed-case names, a list of Vias."""
    message = request(TORTUOUS)
    assert message.to.tag == "1918181833n"
    assert (message.from_.name, message.from_.tag) == ('J Rosenberg \\"', "98asjd8")
    assert message.cseq == 9
    assert [Via.parse(text).branch for text in message.values("Via")] == ["390skdjuw", "z9hG4bK9ikj8", "z9hG4bK30239"]
    assert Via.parse(message.values("Via")[1]).transport == "TCP"
    contact = NameAddr.parse(message.items("Contact")[0])
    assert (contact.uri, contact.param("q"), contact.param("secondparam")) == ("sip:jdrosen@example.com", "0.33", "")
    assert message.get("Subject") == ""
    assert message.body == b"v=0"
    assert parse(bytes(message)) == message


def test_a_method_of_every_token_character() -> None:
    """RFC 4475 §3.1.1.2, with its control characters as quoted pairs."""
    method = "!interesting-Method0123456789_*+`.%indeed'~"
    data = variant(
        (
            "INVITE sip:bob@biloxi.example.com",
            f"{method} sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com",
        ),
        ("CSeq: 314159 INVITE", f"CSeq: 139122385 {method}"),
        ("To: Bob <", 'To: "BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f" <'),
    )
    message = request(data)
    assert message.method == method
    assert message.to.name == "BEL:\ufffd NUL:\ufffd DEL:\ufffd"
    assert Uri.parse(message.uri).host == "example.com"


def test_escapes_in_a_user() -> None:
    """RFC 4475 §3.1.1.3 and §3.1.1.4: %-escapes, also of NUL, which no store would take."""
    assert Uri.parse("sip:sips%3Auser%40example.com@example.net").user == "sips:user@example.com"
    assert Uri.parse("sip:null-%00-null@example.com").user == "null-\ufffd-null"
    assert Uri.parse("sip:%E5%8C%97@example.com").user == "北"


BAD = {
    "Max-Forwards not a number": [("Forwards: 70", "Forwards: +70")],
    "Max-Forwards in Arabic digits": [("Forwards: 70", "Forwards: ٧٠")],
    "CSeq with an underscore": [("314159", "1_0")],
    "a vertical tab": [("Max-Forwards: 70", "Max-Forwards: 70\x0b")],
    "a bare line feed": [("Max-Forwards: 70", "Max-Forwards: 70\nX: y")],
    "a name with a space": [("Max-Forwards", "Max Forwards")],
    "no colon": [("Max-Forwards: 70", "Max-Forwards")],
    "a port of 70000": [("pc33.atlanta.example.com;", "pc33.atlanta.example.com:70000;")],
    "too many rows": [("Max-Forwards: 70", "\r\n".join(["X: y"] * MAX_HEADERS))],
    "a row too long": [("Max-Forwards: 70", "X: " + "y" * MAX_HEADER)],
}


@pytest.mark.parametrize("changes", BAD.values(), ids=BAD)
def test_what_is_broken_is_refused(changes: list[tuple[str, str]]) -> None:
    with pytest.raises(RemoteSipError) as caught:
        parse(variant(*changes))
    assert caught.value.status in (400, 505)


def test_too_many_hops_in_via() -> None:
    with pytest.raises(RemoteSipError) as caught:
        parse(variant(("Max-Forwards: 70", "\r\n".join(["Via: SIP/2.0/UDP h;branch=b"] * MAX_VIAS))))
    assert caught.value.status == 483


def test_a_broken_request_is_answered_where_its_head_allows() -> None:
    with pytest.raises(RemoteSipError) as caught:
        parse(variant(("Forwards: 70", "Forwards: many")))
    answer = refusal(caught.value, SOURCE, "t1")
    assert answer
    response = parse(answer[0])
    assert isinstance(response, Response)
    assert (response.status, response.to.tag, response.via.branch) == (400, "t1", "z9hG4bKnashds8")
    assert answer[1] == Address("192.0.2.7", 5060)
    for broken in (("Via: ", "Vie: "), ("INVITE sip", "INVITEsip"), ("INVITE sip", "ACK sip")):
        with pytest.raises(RemoteSipError) as caught:
            parse(variant(("Forwards: 70", "Forwards: many"), broken))
        assert refusal(caught.value, SOURCE, "t1") is None


def test_a_field_that_is_too_long_is_refused_in_words_but_for_one_that_the_answer_needs() -> None:
    with pytest.raises(RemoteSipError) as caught:
        parse(variant(("Max-Forwards: 70", "X: " + "y" * MAX_HEADER)))
    answer = refusal(caught.value, SOURCE, "t1")
    assert answer
    assert answer[0].startswith(b"SIP/2.0 400 Bad Request (header field too long)\r\n")
    with pytest.raises(RemoteSipError) as caught:
        parse(variant(("pc33.atlanta.example.com;", "pc33.atlanta.example.com;x=" + "y" * MAX_HEADER + ";")))
    assert refusal(caught.value, SOURCE, "t1") is None


def test_a_response_is_stamped_and_goes_back_to_the_source() -> None:
    """RFC 3261 §18.2.1 and RFC 3581 §4."""
    plain = request(INVITE)
    assert respond(plain, 180, SOURCE, tag="x").via.text.endswith(";branch=z9hG4bKnashds8;received=192.0.2.7")
    assert reply_address(plain.via, SOURCE) == Address("192.0.2.7", 5060)
    asked = request(variant(("hds8", "hds8;rport")))
    response = respond(asked, 180, SOURCE, tag="x")
    assert response.via.text.endswith(";branch=z9hG4bKnashds8;rport=5062;received=192.0.2.7")
    assert reply_address(asked.via, SOURCE) == SOURCE
    assert response.to.tag == "x"
    assert parse(bytes(response)) == response


def test_ipv6_hosts() -> None:
    """RFC 5118."""
    via = Via.parse("SIP/2.0/UDP [2001:db8::9:1]:6060;received=[2001:db8::9:255];branch=z9hG4bKas3")
    assert (via.host, via.port, via.branch) == ("2001:db8::9:1", 6060, "z9hG4bKas3")
    uri = Uri.parse("sip:user@[2001:db8::10]:5070;lr")
    assert (uri.user, uri.host, uri.port, uri.param("lr"), uri.param("x")) == ("user", "2001:db8::10", 5070, "", None)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("nobodyKnowsThisScheme:totallyopaquecontent", 416),
        ("http://x", 416),
        ("sip:", 400),
        ("sip:a@b@c", 400),
        ("x", 400),
    ],
)
def test_uris_that_are_refused(text: str, status: int) -> None:
    with pytest.raises(RemoteSipError) as caught:
        Uri.parse(text)
    assert caught.value.status == status


def test_who_calls() -> None:
    def who(*changes: tuple[str, str]) -> tuple[str | None, str]:
        return caller_of(request(variant(*changes)))

    assert who() == ("alice", "Alice")
    assert who(("Max-", 'P-Asserted-Identity: "Lin" <sip:+861055501000@x>, <tel:+861055501001>\r\nMax-')) == (
        "+861055501000",
        "Lin",
    )
    assert who(("Max-", "Privacy: id\r\nMax-")) == (None, "")
    assert who(("Alice <sip:alice@atlanta.example.com>", '"Anonymous" <sip:anonymous@anonymous.invalid>')) == (None, "")
    for nobody in ("Restricted", "unknown", "Unavailable", "PRIVATE", "withheld"):
        assert who(("Alice <sip:alice@atlanta.example.com>", f"<sip:{nobody}@192.0.2.1>")) == (None, "")
    assert who(("Max-", "P-Asserted-Identity: ???\r\nMax-")) == ("alice", "Alice")


def test_lists_split_outside_quotes_and_brackets() -> None:
    assert split_list('"a,b" <sip:x,y@z>;q="1,2" , <sip:c>') == ['"a,b" <sip:x,y@z>;q="1,2"', "<sip:c>"]
    for bad in ("", ",", "a,,b", '"open', "a,"):
        with pytest.raises(RemoteSipError):
            split_list(bad)


def test_quoting_round_trips() -> None:
    text = 'a "b" \\ c'
    assert NameAddr.parse(f"{quote(text)} <sip:x@y>").name == text


# --- whatever comes -----------------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        b"INVITE ",
        b"ACK ",
        b"BYE ",
        b"CANCEL ",
        b"OPTIONS ",
        b"SIP/2.0 ",
        b"SIP/2.0\r\n",
        b"200 OK\r\n",
        b"sip:",
        b"@",
        b";",
        b",",
        b"<",
        b">",
        b'"',
        b"\\",
        b"\r\n",
        b"\r\n ",
        b"\n",
        b"\x00",
        b"\x0b",
        b"\x85",
        "\u2028".encode(),
        "٣".encode(),
        b"\xff",
        b":",
        b"Via: SIP/2.0/UDP 1.2.3.4;branch=z9hG4bKa\r\n",
        b"v: SIP/2.0/UDP [::1]:5060;rport\r\n",
        b"To: <sip:a@b>\r\n",
        b"From: <sip:a@b>;tag=1\r\n",
        b"Call-ID: 1\r\n",
        b"CSeq: 1 INVITE\r\n",
        b"CSeq: 1 BYE\r\n",
        b"Content-Length: ",
        b"Contact: ",
        b"Max-Forwards: 0\r\n",
        b"Require: x\r\n",
        b"Record-Route: <sip:a;lr>\r\n",
        b"Route: ",
        b"1",
        b"99999999999",
        b" ",
        b"\t",
        b"v=0\r\n",
        b"m=audio 1 RTP/AVP 0\r\n",
        b";tag=",
        b"Content-Type: application/sdp\r\n",
        b"Expires: 1\r\n",
    ]
)
SOUP = st.lists(PIECES | st.binary(max_size=8), max_size=40).map(b"".join)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good message, with a few spans replaced."""
    data = draw(
        st.sampled_from([INVITE, TORTUOUS, INVITE.replace(b"INVITE", b"BYE"), INVITE.replace(b"INVITE", b"ACK")])
    )
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(PIECES | st.binary(max_size=4)) + data[at + draw(st.integers(0, 12)) :]
    return data


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=300) | SOUP | mutated())
@example(b"")
@example(b"\r\n\r\n")
def test_the_parser_raises_only_remote_sip_error_and_round_trips(data: bytes) -> None:
    try:
        message = parse(data)
    except RemoteSipError as error:
        refusal(error, SOURCE, "t")
        return
    assert parse(bytes(message)) == message
    with contextlib.suppress(RemoteSipError):
        message.items("Contact")
    if isinstance(message, Request):
        response = respond(message, 200, SOURCE, tag="t")
        assert parse(bytes(response)) == response
        with contextlib.suppress(RemoteSipError):
            Dialog.of_invite(message, "t", SOURCE)
        with contextlib.suppress(RemoteSipError):
            assert Uri.parse(message.uri)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=200) | SOUP | mutated(), max_size=6))
def test_the_endpoint_never_raises(datagrams: list[bytes]) -> None:
    peer = endpoint(A)
    now = 0.0
    for data in datagrams:
        now += 0.3
        peer.receive(data, Address("192.0.2.7", 5060), now)
        peer.receive(data, Address("203.0.113.1", 5060), now)
        peer.wake(now)
    peer.wake(now + 1000)
    peer.wake(now + 2000)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80))
def test_small_parsers_raise_only_remote_sip_error(text: str) -> None:
    for reader in (Uri.parse, Via.parse, NameAddr.parse, split_list):
        with contextlib.suppress(RemoteSipError):
            reader(text)


@settings(max_examples=200, deadline=None)
@given(
    display=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp", "Cn"]), max_size=20),
    user=st.from_regex(r"[a-zA-Z0-9+\-_.]{1,20}", fullmatch=True),
    tag=st.from_regex(r"[a-z0-9]{8}", fullmatch=True),
)
def test_what_we_write_another_grammar_reads(display: str, user: str, tag: str) -> None:
    """`sipmessage` is the other opinion on the grammar."""
    made = build_request(
        "INVITE",
        f"sip:{user}@192.0.2.1:5070",
        branch=tag,
        local=A,
        from_=f"{quote(display)} <sip:{user}@192.0.2.1>;tag={tag}",
        to=f"<sip:{user}@192.0.2.1:5070>",
        call_id=tag,
        cseq=7,
        body=bytes(sdp.offer("192.0.2.1", 4000, session_id=1)),
    )
    theirs = sipmessage.Message.parse(bytes(made))
    assert isinstance(theirs, sipmessage.Request)
    assert (theirs.uri.user, theirs.uri.port, theirs.cseq.sequence) == (user, 5070, 7)
    assert theirs.from_address.parameters["tag"] == tag
    assert theirs.via[0].parameters["branch"] == "z9hG4bK" + tag
    assert theirs.body == made.body
    assert parse(bytes(made)) == made


def test_a_head_reads_its_rows() -> None:
    head = Head("x", (("Via", "a"), ("Via", "b"), ("To", "")))
    assert (head.get("Via"), head.values("Via"), head.get("X")) == ("a", ["a", "b"], None)


@pytest.mark.parametrize("blank", [b" ", b" \t", b"\r\n ", b'"', b'\\"', b";a", b"<", b","])
@pytest.mark.parametrize("start", [b"X: a", b"To: ", b"Via: SIP/2.0/UDP h", b"Contact: <sip:a>"])
def test_no_datagram_costs_more_than_its_length(start: bytes, blank: bytes) -> None:
    """Long runs of what the expressions loop over; quadratic ones would take seconds here, and the test its timeout."""
    for end in (b"\r\n\r\n", b"\n\r\n\r\n", b"!\r\n\r\n"):
        data = b"INVITE sip:a SIP/2.0\r\n" + (start + blank * (8000 // len(blank)) + end[:-4] + b"\r\n") * 7 + end
        with contextlib.suppress(RemoteSipError):
            parse(data)
        with contextlib.suppress(RemoteSipError):
            parse(INVITE.replace(b"To: Bob", b"To: " + blank * (8000 // len(blank)) + b"Bob"))
