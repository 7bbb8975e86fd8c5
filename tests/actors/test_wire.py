"""SIP messages as they are shown: enough to see what happened, and nothing of who or where anybody is."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

import pytest
from cordboard.actors import wire
from cordboard.actors.steps import Spoke
from cordboard.actors.wire import Wire, digest_of, facts, shown
from cordboard.sip.endpoint import TrunkSettings
from cordboard.sip.events import IncomingCall, Output, Transmit
from cordboard.sip.message import Address

from ..sip import net
from ..sip.mutation import Mutator
from ..sip.test_siege import corpus

PRIVATE = (
    "13912345678", "5550123", "alice.wang", "Wang", "192.0.2.77", "2001:db8::77", "pbx.example.net", "secretkey",
    "responsehash", "8675309",
)  # fmt: skip
INVITE = (
    b"INVITE sip:+8613912345678@pbx.example.net;user=phone;transport=tcp SIP/2.0\r\n"
    b"Via: SIP/2.0/TCP 192.0.2.77:5060;branch=z9hG4bK77;rport;received=192.0.2.77\r\n"
    b"v: SIP/2.0/UDP [2001:db8::77];branch=z9hG4bK78\r\n"
    b'From: "Wang" <sip:alice.wang@192.0.2.77>;tag=theirs\r\n'
    b"t: <tel:+8613912345678>\r\n"
    b"Call-ID: 8675309@192.0.2.77\r\n"
    b"CSeq: 314159 INVITE\r\n"
    b'Contact: "Wang" <sip:alice.wang@192.0.2.77:5062;transport=udp>\r\n'
    b"P-Asserted-Identity: <sip:+8613912345678@pbx.example.net>, <tel:+8613912345678>\r\n"
    b'Authorization: Digest username="alice.wang", realm="pbx.example.net", response="responsehash"\r\n'
    b"Subject: call Wang at 5550123\r\n"
    b"X-Account: 13912345678\r\n"
    b"Diversion: <sip:5550123@192.0.2.77>;reason=busy\r\n"
    b"User-Agent: Phone 2.1 (192.0.2.77)\r\n"
    b'Reason: Q.850;cause=16;text="13912345678 at 2001:db8::77"\r\n'
    b"Max-Forwards: 70\r\n"
    b"Require: 100rel\r\n"
    b"Content-Type: application/sdp\r\n"
    b"Content-Length: 200\r\n\r\n"
    b"v=0\r\no=Wang 1 1 IN IP4 192.0.2.77\r\ns=call of Wang\r\ni=13912345678\r\ne=alice.wang@pbx.example.net\r\n"
    b"c=IN IP4 192.0.2.77\r\nt=0 0\r\nk=clear:secretkey\r\nm=audio 4000 RTP/SAVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
    b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:secretkey\r\na=sendrecv\r\n"
)


def test_what_is_shown_of_an_invite() -> None:
    found = facts(INVITE)
    assert (found.method, found.code, found.tags) == ("INVITE", "", ("theirs",))
    assert found.call_id == digest_of(b"8675309@192.0.2.77")
    text = shown(INVITE)
    assert [private for private in PRIVATE if private in text] == []
    head, body = text.split("\n\n")
    assert head.split("\n") == [
        "INVITE <sip:***78@...;transport=tcp> SIP/2.0",
        "Via: SIP/2.0/TCP ...;branch=z9hG4bK77",
        "v: SIP/2.0/UDP ...;branch=z9hG4bK78",
        "From: <sip:(10 characters)@...>;tag=theirs",
        "t: <tel:***78>",
        f"Call-ID: {found.call_id} (digest)",
        "CSeq: 314159 INVITE",
        "Contact: <sip:(10 characters)@...;transport=udp>",
        "P-Asserted-Identity: <sip:***78@...>, <tel:***78>",
        "Authorization: Digest ...",
        "Diversion: <sip:***23@...>",
        "User-Agent: Phone 2.1 (...)",
        'Reason: Q.850;cause=16;text="***78 at ..."',
        "Max-Forwards: 70",
        "Require: 100rel",
        "Content-Type: application/sdp",
        "Content-Length: 200",
        "(Subject, X-Account)",
    ]
    assert body.split("\n") == ["v=0", "m=audio 4000 RTP/SAVP 0", "a=rtpmap:0 PCMU/8000", "a=sendrecv"]


@pytest.mark.parametrize(
    ("data", "method", "code", "first"),
    [
        (b"SIP/2.0 486 Busy Here\r\nCSeq: 7 INVITE\r\n\r\n", "INVITE", "486", "SIP/2.0 486 Busy Here"),
        (b"SIP/2.0 599 13912345678 is out\r\ncseq: 7 BYE\r\n\r\n", "BYE", "5xx", "SIP/2.0 599 ***78 is out"),
        (b"INFO sip:600@h SIP/2.0\r\n\r\nSignal=5", "INFO", "", "INFO <sip:600@...> SIP/2.0"),
        (b"FROB sip:600@h SIP/2.0\r\n\r\n", "other", "", "FROB <sip:600@...> SIP/2.0"),
        (b"\x16\x03\x01 13912345678", "other", "", "(not a SIP message)"),
    ],
)
def test_first_lines(data: bytes, method: str, code: str, first: str) -> None:
    found, text = facts(data), shown(data)
    assert (found.method, found.code, text.split("\n")[0]) == (method, code, first)
    assert "Signal" not in text


def test_whatever_comes_is_shown_in_bounds_and_printable() -> None:
    mutator = Mutator(Random(7), corpus())
    for _ in range(3000):
        data = mutator.message()
        text = shown(data)
        assert len(text) <= wire.MAX_TEXT
        assert re.fullmatch(r"[\x20-\x7e\n]*", text)
        assert re.fullmatch(r"[A-Z]+|other", facts(data).method)
    assert len(shown(b"Call-ID: b\r\n" * 10000)) == wire.MAX_TEXT


def keeper(told: list[Spoke]) -> Callable[[Callable[[], Spoke | None]], None]:
    """As the journal, at once."""

    def keep(message: Callable[[], Spoke | None]) -> None:
        spoke = message()
        if spoke is not None:
            told.append(spoke)

    return keep


def seen(*steps: tuple[bytes, Address, bool]) -> tuple[Wire, list[Spoke]]:
    told: list[Spoke] = []
    endpoint = net.endpoint(net.A)
    tap = Wire(endpoint.whose, keeper(told))
    for data, remote, sent in steps:
        if sent:
            tap.sent(data, remote, 1.0)
        else:
            tap.received(data, remote, 1.0, endpoint.receive(data, remote, 1.0))
    return tap, told


def test_every_message_of_a_call_is_known_to_be_its(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first INVITE to the last 200, whichever side says it, and with or without a tag of ours."""
    world, a, b = net.pair()
    told: list[Spoke] = []
    tap = Wire(b.endpoint.whose, keeper(told))

    def transmitted(outputs: list[Output]) -> None:
        for each in outputs:
            if isinstance(each, Transmit):
                tap.sent(each.data, each.destination, world.now)

    receive = b.endpoint.receive

    def tapped(data: bytes, source: Address, now: float) -> list[Output]:
        outputs = receive(data, source, now)
        tap.received(data, source, now, outputs)
        transmitted(outputs)
        return outputs

    monkeypatch.setattr(b.endpoint, "receive", tapped)

    def react(peer: net.Peer, output: Output, now: float) -> list[Output]:
        outputs = net.answering(peer, output, now)
        transmitted(outputs)
        return outputs

    b.react = react
    net.dial(world, a, b)
    world.run(1)
    world.do(a, a.endpoint.hang_up("out", world.now))
    world.run(2)
    (call,) = (each.call for each in b.events if isinstance(each, IncomingCall))
    assert [(each.sent, each.text.split(" ")[0 if each.text[0] != "S" else 1]) for each in told] == [
        (False, "INVITE"), (True, "100"), (True, "180"), (True, "200"), (False, "ACK"), (False, "BYE"), (True, "200"),
    ]  # fmt: skip
    assert {each.call for each in told} == {call}
    assert {each.trunk for each in told} == {"carrier"}
    assert tap.counts["carrier", "out", "INVITE", "180"] == tap.counts["carrier", "in", "BYE", ""] == 1


def test_strangers_are_shown_nowhere_and_a_flood_of_no_call_only_in_part() -> None:
    options = b"OPTIONS sip:us SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK%d\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n"
    trunk = Address("192.0.2.9", 5060)
    tap, told = seen(*((options % n, trunk, False) for n in range(wire.MAX_LOOSE + 20)))
    assert len(told) == wire.MAX_LOOSE
    assert (tap.untold, tap.counts["carrier", "in", "OPTIONS", ""]) == (20, wire.MAX_LOOSE + 20)
    tap, told = seen((options % 1, Address("203.0.113.1", 5060), False), (b"\r\n\r\n", trunk, False))
    assert (told, dict(tap.counts)) == ([], {})


def test_what_is_dialled_is_a_calls_from_the_first_message() -> None:
    endpoint = net.endpoint(net.A)
    endpoint.set_trunks({"carrier": TrunkSettings(("192.0.2.0/24",))})
    told: list[Spoke] = []
    tap = Wire(endpoint.whose, keeper(told))
    for each in endpoint.dial(
        "mine", "sip:600@203.0.113.9", Address("203.0.113.9", 5060), "1", net.OFFER_A, 0.0, trunk="carrier"
    ):
        assert isinstance(each, Transmit)
        tap.sent(each.data, each.destination, 0.0)
    assert [(each.call, each.trunk) for each in told] == [("mine", "carrier")]


def test_what_a_trunk_is_asked_is_its_though_no_peer_names_the_host() -> None:
    """As with a proxy that has a name, and several addresses."""
    endpoint = net.endpoint(net.A)
    endpoint.set_trunks({"carrier": TrunkSettings(hosts=("sip.carrier.example",))})
    host = Address("203.0.113.9", 5060)
    (asked,) = endpoint.ask("ping", "carrier", "OPTIONS", "sip:sip.carrier.example", host, 0.0)
    assert isinstance(asked, Transmit)
    told: list[Spoke] = []
    tap = Wire(endpoint.whose, keeper(told))
    tap.sent(asked.data, asked.destination, 0.0)
    reply = asked.data.replace(b"OPTIONS sip:sip.carrier.example SIP/2.0", b"SIP/2.0 200 OK")
    tap.received(reply, host, 0.1, endpoint.receive(reply, host, 0.1))
    assert [(each.trunk, each.sent) for each in told] == [("carrier", True), ("carrier", False)]
    assert tap.counts["carrier", "in", "OPTIONS", "200"] == 1


def test_what_is_put_aside_is_looked_at_in_its_order_and_counted_whoever_asks_first() -> None:
    world, a, b = net.pair()
    aside: list[Callable[[], Spoke | None]] = []
    tap = Wire(b.endpoint.whose, aside.append)
    tapped = b.endpoint.receive

    def receive(data: bytes, source: Address, now: float) -> list[Output]:
        outputs = tapped(data, source, now)
        tap.received(data, source, now, outputs)
        for each in outputs:
            if isinstance(each, Transmit):
                tap.sent(each.data, each.destination, now)
        return outputs

    b.endpoint.receive = receive  # type: ignore[method-assign, assignment] # to hear all that it hears
    b.react = net.answering
    net.dial(world, a, b)
    world.run(1)
    (call,) = (each.call for each in b.events if isinstance(each, IncomingCall))
    last = aside[-1]()  # by then all before it have been looked at
    assert last is not None
    told = [last if each is aside[-1] else each() for each in aside]
    assert [(each.call, each.text.split(" ")[0]) for each in told if each] == [
        (call, "INVITE"), (call, "SIP/2.0"), (call, "ACK")
    ]  # fmt: skip
    assert tap.counts["carrier", "in", "ACK", ""] == 1
    for serial in range(wire.TOGETHER - 1):
        tap.sent(b"OPTIONS sip:us SIP/2.0\r\n\r\n", net.A, float(serial))
    assert tap.counts["carrier", "out", "OPTIONS", ""] == wire.TOGETHER - 1, "those that nobody has asked for, too"


def test_what_is_shown_of_what_was_referred() -> None:
    """To whom is not; what came of it is."""
    said = (
        b"NOTIFY sip:alice.wang@192.0.2.77 SIP/2.0\r\nEvent: refer;id=2\r\nSubscription-State: terminated\r\n"
        b"P-Called-Party-ID: <sip:+8613912345678@pbx.example.net>\r\nContent-Type: message/sipfrag;version=2.0\r\n\r\n"
        b"SIP/2.0 200 OK for 13912345678\r\nTo: <sip:alice.wang@192.0.2.77>\r\n"
    )
    text = shown(said)
    assert [private for private in PRIVATE if private in text] == []
    assert text.split("\n") == [
        "NOTIFY <sip:(10 characters)@...> SIP/2.0",
        "Event: refer;id=2",
        "Subscription-State: terminated",
        "P-Called-Party-ID: <sip:***78@...>",
        "Content-Type: message/sipfrag;version=2.0",
        "",
        "SIP/2.0 200 OK for ***78",
    ]
