"""The torture tests of RFC 4475 and RFC 5118 through a whole endpoint, by UDP and as a stream: each section has the
outcome that it asks for, or one of those that it leaves open."""

from __future__ import annotations

import itertools
from typing import Final, Literal

import pytest
from attrs import evolve
from cordboard.sip.digest import Account, Challenge, authorization
from cordboard.sip.endpoint import Endpoint, TrunkSettings
from cordboard.sip.events import IncomingCall, Output, Refused, Registered, Transmit
from cordboard.sip.message import Address, NameAddr, RemoteSipError, Request, Response, Uri, Via, parse
from cordboard.sip.stream import KEEP_ALIVE, Frames

from .net import A, endpoint
from .torture import messages

SOURCE: Final = Address("192.0.2.7", 5060)
# A call begins; or nothing is answered, and nothing happens.
CALL: Final = "call"
DROPPED: Final = "dropped"
Outcome = int | Literal["call", "dropped"]
# The switch is no registrar of a trunk that is known by its address: it refuses the method, before it looks at what
# else is in the request. Of a trunk that shows a password it is one: REGISTERED has what it says to that.
REGISTER: Final = 405

RFC4475: Final[dict[str, Outcome]] = {
    # well-formed. It has a To tag, and there is no such dialog (RFC 3261 §12.2.2)
    "3.1.1.1 wsinv": 481,
    # well-formed, of a method that nobody knows
    "3.1.1.2 intmeth": 501,
    "3.1.1.3 esc01": CALL,
    "3.1.1.4 escnull": REGISTER,
    # RE%47IST%45R is not REGISTER
    "3.1.1.5 esc02": 501,
    "3.1.1.6 lwsdisp": 200,
    "3.1.1.7 longreq": CALL,
    # what comes after the first is not looked at in a datagram
    "3.1.1.8 dblreq": REGISTER,
    "3.1.1.9 semiuri": 200,
    "3.1.1.10 transports": 200,
    "3.1.1.11 mpart01": 405,
    "3.1.1.12 unreason": DROPPED,
    "3.1.1.13 noreason": DROPPED,
    "3.1.2.1 badinv01": 400,
    "3.1.2.2 clerr": 400,
    "3.1.2.3 ncl": 400,
    "3.1.2.4 scalar02": 400,
    "3.1.2.5 scalarlg": DROPPED,
    "3.1.2.6 quotbal": 400,
    "3.1.2.7 ltgtruri": 400,
    "3.1.2.8 lwsruri": 400,
    "3.1.2.9 lwsstart": 400,
    "3.1.2.10 trws": 400,
    # liberal: header fields that are escaped in the Request-URI are not looked at
    "3.1.2.11 escruri": CALL,
    # nobody looks at its Date
    "3.1.2.12 baddate": CALL,
    "3.1.2.13 regbadct": REGISTER,
    # liberal: blanks within the angle brackets of a To
    "3.1.2.14 badaspec": 200,
    "3.1.2.15 baddn": 400,
    "3.1.2.16 badvers": 505,
    "3.1.2.17 mismatch01": 400,
    "3.1.2.18 mismatch02": 400,
    "3.1.2.19 bigcode": DROPPED,
    "3.2.1 badbranch": 200,
    "3.3.1 insuf": 400,
    "3.3.2 unkscm": 416,
    "3.3.3 novelsc": 416,
    "3.3.4 unksm2": REGISTER,
    "3.3.5 bext01": 420,
    "3.3.6 invut": 415,
    "3.3.7 regaut01": REGISTER,
    "3.3.8 multi01": 400,
    "3.3.9 mcl01": 400,
    "3.3.10 bcast": DROPPED,
    # it is for us: it may end here (RFC 3261 §11)
    "3.3.11 zeromf": 200,
    "3.3.12 cparam01": REGISTER,
    "3.3.13 cparam02": REGISTER,
    "3.3.14 regescrt": REGISTER,
    "3.3.15 sdp01": 406,
    "3.4.1 inv2543": CALL,
}
RFC5118: Final[dict[str, Outcome]] = {
    "4.1 ipv6-good": REGISTER,
    "4.2 ipv6-bad": 400,
    "4.3 port-ambiguous": REGISTER,
    "4.4 port-unambiguous": REGISTER,
    # well-formed, of no dialog
    "4.5 via-received-param-with-delim": 481,
    "4.5 via-received-param-no-delim": 200,
    "4.6 ipv6-in-sdp": CALL,
    "4.7 mult-ip-in-header": 481,
    "4.8 mult-ip-in-sdp": CALL,
    "4.9 ipv4-mapped-ipv6": CALL,
    "4.10 ipv6-bug-abnf-3-colons": 200,
    "4.10 ipv6-correct-abnf-2-colons": 200,
}
# The status of a REGISTER that a password goes with, and what is bound then.
REGISTERED: Final[dict[str, tuple[int, list[str]]]] = {
    "3.1.1.4 escnull": (200, ["sip:%00%00@host5.example.com", "sip:%00@host5.example.com"]),
    "3.1.1.8 dblreq": (200, ["sip:j.user@host.example.com"]),
    "3.1.2.13 regbadct": (400, []),
    # no address of record is in a scheme that a registrar does not know
    "3.3.4 unksm2": (416, []),
    # a scheme of credentials that nobody knows is passed over
    "3.3.7 regaut01": (200, []),
    "3.3.12 cparam01": (200, ["sip:+19725552222@gw1.example.net"]),
    "3.3.13 cparam02": (200, ["sip:+19725552222@gw1.example.net;unknownparam"]),
    # header fields that are escaped in a Contact are for requests to it, and of this one they are none
    "3.3.14 regescrt": (200, ["sip:user@example.com"]),
    "4.1 ipv6-good": (200, ["sip:caller@[2001:db8::1]"]),
    "4.2 ipv6-bad": (400, []),
    "4.3 port-ambiguous": (200, ["sip:caller@[2001:db8::1]"]),
    "4.4 port-unambiguous": (200, ["sip:caller@[2001:db8::1]"]),
}
WIRE: Final = messages("rfc4475") | messages("rfc5118")
OUTCOMES: Final = RFC4475 | RFC5118
# What a stream makes of those that are about framing; every other message is itself, whole.
WAITS: Final = frozenset({"3.1.2.2 clerr"})
BROKEN: Final = {
    "3.1.2.3 ncl": "Content-Length is unclear",
    "3.3.9 mcl01": "Content-Length is unclear",
    "3.4.1 inv2543": "no Content-Length",
    # after two messages: the body of the second is longer than it says
    "3.1.1.8 dblreq": "no Content-Length",
}
TWO: Final[dict[str, tuple[Outcome, Outcome]]] = {
    # the second has a session description that nobody can read
    "3.1.1.8 dblreq": (REGISTER, 400),
}
# What each refusal has to say (RFC 3261 §8.2.1 to §8.2.3, §21.4.7).
SAYS: Final = {405: "Allow", 406: "Accept", 415: "Accept", 420: "Unsupported", 501: "Allow"}


def outcome(peer: Endpoint, data: bytes, source: Address) -> Outcome:
    before = peer.counters.total()
    outputs = peer.receive(data, source, 0.0)
    assert peer.counters.total() > before, "counted, whatever it is"
    if any(isinstance(each, IncomingCall) for each in outputs):
        assert _status(outputs) == 100
        return CALL
    if not _answers(outputs):
        return DROPPED
    status = _status(outputs)
    assert status == 200 or any(isinstance(each, Refused) for each in outputs), "said why"
    return status


def _answers(outputs: list[Output]) -> list[bytes]:
    return [each.data for each in outputs if isinstance(each, Transmit)]


def _status(outputs: list[Output]) -> int:
    (data,) = _answers(outputs)
    return int(data.split(b" ")[1])


def _rows(data: bytes) -> list[tuple[str, str]]:
    """The header fields of one of our answers."""
    head, _, _ = data.partition(b"\r\n\r\n")
    return [(name, value) for name, _, value in (line.partition(": ") for line in head.decode().split("\r\n")[1:])]


def test_all_messages_are_here() -> None:
    assert len(RFC4475) == 49
    assert [len(list(group)) for _, group in itertools.groupby(RFC4475, lambda title: title.rpartition(".")[0])] == [
        13, 19, 1, 15, 1,
    ]  # fmt: skip
    assert {title.split(" ")[0] for title in RFC5118} == {f"4.{section}" for section in range(1, 11)}
    assert list(OUTCOMES) == list(WIRE)


@pytest.mark.parametrize("title", OUTCOMES)
def test_a_datagram_has_the_outcome_of_its_section(title: str) -> None:
    peer = endpoint(A)
    assert outcome(peer, WIRE[title], SOURCE) == OUTCOMES[title]
    peer.wake(1000.0)
    peer.wake(2000.0)
    assert peer.transactions == (1 if OUTCOMES[title] == CALL else 0)


@pytest.mark.parametrize("title", OUTCOMES)
def test_a_stream_has_the_same_messages(title: str) -> None:
    wire = WIRE[title]
    frames = Frames()
    items = [item for at in range(len(wire)) for item in frames.feed(wire[at : at + 1])]
    whole = [item for item in items if item is not KEEP_ALIVE]
    assert frames.broken == BROKEN.get(title, "")
    assert frames.partial is (title in WAITS)
    peer = endpoint(A)
    source = evolve(SOURCE, transport="tcp")
    nothing = title in BROKEN or title in WAITS
    expected = TWO.get(title, () if nothing else (OUTCOMES[title],))
    assert tuple(outcome(peer, item, source) for item in whole) == expected
    if len(expected) == 1:
        assert whole[0] == wire[: len(whole[0])]
        assert not wire[len(whole[0]) :].strip(b"\r\n")


def test_every_register_that_can_be_read_is_heard_by_the_registrar_too() -> None:
    registers = {title for title, data in WIRE.items() if data.startswith(b"REGISTER ")}
    # its CSeq is too large for any: it is refused before anybody looks who sends it
    assert registers - REGISTERED.keys() == {"3.1.2.4 scalar02"}


@pytest.mark.parametrize("title", REGISTERED)
def test_a_registrar_has_the_outcome_of_the_section(title: str) -> None:
    """With credentials, which come first (RFC 3261 §10.3, step 3), and nothing else in it changed."""
    request = parse(WIRE[title])
    assert isinstance(request, Request)
    user = Uri.parse(request.to.uri).user or "" if request.to.uri.startswith("sip:") else "pbx"
    account = Account(user, "secret")
    peer, source = endpoint(A), evolve(SOURCE, transport="tcp")
    peer.set_trunks({"office": TrunkSettings(guest=account)})
    (asked,) = _answers(peer.receive(WIRE[title], source, 0.0))
    answer = parse(asked)
    assert isinstance(answer, Response)
    assert answer.status == 401
    challenge = Challenge.parse(answer.values("WWW-Authenticate")[0])
    assert challenge is not None
    line, _, rest = WIRE[title].partition(b"\r\n")
    shown = authorization(challenge, account, "REGISTER", "sip:example.com", "cn", 1)
    outputs = peer.receive(line + f"\r\nAuthorization: {shown}\r\n".encode() + rest, source, 0.1)
    bound = [each.uri for output in outputs if isinstance(output, Registered) for each in output.bindings]
    assert (_status(outputs), bound) == REGISTERED[title]


@pytest.mark.parametrize("title", [title for title, given in OUTCOMES.items() if isinstance(given, int)])
def test_an_answer_echoes_what_was_asked_and_says_what_it_must(title: str) -> None:
    """RFC 3261 §8.2.6.2, for each request that is answered at once."""
    (data,) = _answers(endpoint(A).receive(WIRE[title], SOURCE, 0.0))
    rows = dict(_rows(data))
    if title == "3.3.1 insuf":
        # 400 is ideal, and this is all that it can say
        assert list(rows) == ["Via", "CSeq", "Content-Length"]
        return
    assert SAYS.get(int(data.split(b" ")[1]), "To") in rows
    try:
        request = parse(WIRE[title])
    except RemoteSipError:
        assert list(rows) == ["Via", "From", "To", "Call-ID", "CSeq", "Content-Length"]
        assert ";tag=" in rows["To"]
        return
    answer = parse(data)
    assert isinstance(answer, Response)
    assert isinstance(request, Request)
    assert (answer.via.host, answer.via.port, answer.via.branch) == (
        request.via.host, request.via.port, request.via.branch,
    )  # fmt: skip
    assert answer.via.text.endswith(f";received={SOURCE.host}")
    for name in ("From", "Call-ID", "CSeq"):
        assert answer.values(name) == request.values(name)
    assert answer.values("Via")[1:] == request.values("Via")[1:]
    assert answer.to.tag
    assert answer.to.uri == request.to.uri


@pytest.mark.parametrize("title", OUTCOMES)
def test_what_is_well_formed_round_trips(title: str) -> None:
    try:
        message = parse(WIRE[title])
    except RemoteSipError:
        assert OUTCOMES[title] in (400, 505, DROPPED)
        return
    assert parse(bytes(message)) == message


def test_what_the_well_formed_ones_hold() -> None:
    """RFC 4475 §3.1.1, as far as anybody here reads it."""

    def read(title: str) -> Request:
        message = parse(WIRE[title])
        assert isinstance(message, Request)
        return message

    escaped = read("3.1.1.3 esc01")
    assert Uri.parse(escaped.uri).user == "sips:user@example.com"
    assert Uri.parse(escaped.to.uri).user == "user"
    assert Uri.parse(escaped.from_.uri).user == "I have spaces"
    assert read("3.1.1.5 esc02").values("Contact") == [
        "<sip:alias1@host1.example.com>",
        "<sip:alias3@host3.example.com>",
    ]
    unspaced = read("3.1.1.6 lwsdisp").from_
    assert (unspaced.name, unspaced.uri) == ("caller", "sip:caller@example.com")
    assert len(read("3.1.1.7 longreq").values("Via")) == 34
    assert (Uri.parse(read("3.1.1.9 semiuri").uri).user, Uri.parse(read("3.1.1.9 semiuri").uri).number) == (
        "user;par=u@example.net",
        "user",
    )
    named = [Via.parse(text).transport for text in read("3.1.1.10 transports").values("Via")]
    assert named == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]
    assert read("3.1.1.11 mpart01").body.endswith(b"\r\n--7a9cbec02ceef655--\r\n")
    inside = NameAddr.parse(read("3.3.13 cparam02").items("Contact")[0])
    outside = NameAddr.parse(read("3.3.12 cparam01").items("Contact")[0])
    assert (inside.uri, inside.param("unknownparam")) == ("sip:+19725552222@gw1.example.net;unknownparam", None)
    assert (outside.uri, outside.param("unknownparam")) == ("sip:+19725552222@gw1.example.net", "")


def test_ipv6_references() -> None:
    """RFC 5118 §4.2 to §4.5, §4.10."""

    def target(title: str) -> tuple[str, int | None]:
        message = parse(WIRE[title])
        assert isinstance(message, Request)
        uri = Uri.parse(message.uri)
        return uri.host, uri.port

    with pytest.raises(RemoteSipError):
        target("4.2 ipv6-bad")
    assert target("4.3 port-ambiguous") == ("2001:db8::10:5070", None)
    assert target("4.4 port-unambiguous") == ("2001:db8::10", 5070)
    for title in ("4.5 via-received-param-with-delim", "4.5 via-received-param-no-delim"):
        assert parse(WIRE[title]).via.host == "2001:db8::9:1"
    assert target("4.10 ipv6-correct-abnf-2-colons")[0] == "2001:db8::192.0.2.1"


def test_two_requests_whose_branch_is_the_cookie_alone_are_two() -> None:
    """RFC 4475 §3.2.1: such a branch says nothing about the transaction."""
    peer = endpoint(A)
    first = WIRE["3.2.1 badbranch"]
    second = first.replace(b"badbranch.sadonfo23i420jv0as0derf3j3n", b"another")
    assert [_status(peer.receive(data, SOURCE, 0.0)) for data in (first, second)] == [200, 200]
    answers = [parse(_answers(peer.receive(data, SOURCE, 0.1))[0]) for data in (first, second)]
    assert [answer.call_id for answer in answers] == ["badbranch.sadonfo23i420jv0as0derf3j3n", "another"]
    assert peer.transactions == 2


def test_a_caller_of_an_older_sip_is_called_back_by_its_from() -> None:
    """RFC 4475 §3.4.1: no Contact, no From tag, no branch; its ACK and our BYE find their way all the same."""
    peer = endpoint(A)
    (call,) = (each for each in peer.receive(WIRE["3.4.1 inv2543"], SOURCE, 0.0) if isinstance(each, IncomingCall))
    assert (call.number, call.caller) == ("UserB", "+13035551111")
    assert call.offer is not None
    peer.ring(call.call, 0.1)
    (answer,) = _answers(peer.reject(call.call, 486, 0.2))
    assert parse(answer).values("Call-ID") == ["inv2543.1717@ift.client.example.com"]
