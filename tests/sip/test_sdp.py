"""Session descriptions: RFC 3264's rules with trunks, and real browsers' offers."""

from __future__ import annotations

import contextlib

import pytest
from attrs import evolve
from cordboard.sip import opus, sdp
from cordboard.sip.sdp import Candidate, Fingerprint, SdpError
from hypothesis import given, settings
from hypothesis import strategies as st

# RFC 4566's own example of a telephone, with what carriers add
TRUNK = b"""v=0
o=carol 28908764872 28908764872 IN IP4 100.3.6.6
s=-
c=IN IP4 192.0.2.4
t=0 0
m=audio 49172 RTP/AVP 18 0 8 101
a=rtpmap:18 G729/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=ptime:20
m=video 51372 RTP/AVP 31
"""
PRINT = ":".join(["AB"] * 32)
CHROMIUM = f"""v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=extmap-allow-mixed
a=msid-semantic: WMS stream
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:1 1 udp 2122260223 192.0.2.9 55000 typ host generation 0 network-id 1
a=candidate:2 1 udp 2122194687 3f0c.local 55001 typ host
a=ice-ufrag:abcd
a=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa
a=ice-options:trickle
a=fingerprint:sha-256 {PRINT.lower()}
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=sendrecv
a=msid:stream track
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
m=video 9 UDP/TLS/RTP/SAVPF 96
c=IN IP4 0.0.0.0
a=mid:1
a=rtcp-mux
a=rtpmap:96 VP8/90000
""".encode()
FIREFOX = f"""v=0
o=mozilla...THIS_IS_SDPARTA-99.0 5038 0 IN IP4 0.0.0.0
s=-
t=0 0
a=sendrecv
a=fingerprint:sha-256 {PRINT}
a=group:BUNDLE 0
a=ice-options:trickle
a=msid-semantic:WMS *
m=audio 9 UDP/TLS/RTP/SAVPF 109 9 0 8 101
c=IN IP4 0.0.0.0
a=sendrecv
a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1
a=fmtp:101 0-15
a=ice-pwd:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
a=ice-ufrag:1234abcd
a=mid:0
a=rtcp-mux
a=rtpmap:109 opus/48000/2
a=rtpmap:9 G722/8000/1
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000/1
a=setup:actpass
""".encode()
OURS = Fingerprint("sha-256", PRINT)


def trunk(*changes: tuple[bytes, bytes]) -> sdp.SessionDescription:
    body = TRUNK
    for old, new in changes:
        assert old in body
        body = body.replace(old, new)
    return sdp.parse(body)


def test_a_trunks_offer_is_answered() -> None:
    offer = trunk()
    agreed = sdp.negotiate(offer)
    assert agreed == sdp.Agreed(0, "pcmu", 0, 101, "sendrecv", ("192.0.2.4", 49172))
    answer = sdp.answer(offer, agreed, "198.51.100.1", 20002, session_id=5)
    assert [(media.kind, media.port) for media in answer.media] == [("audio", 20002), ("video", 0)]
    assert bytes(answer).decode().splitlines() == [
        "v=0",
        "o=- 5 1 IN IP4 198.51.100.1",
        "s=-",
        "c=IN IP4 198.51.100.1",
        "t=0 0",
        "m=audio 20002 RTP/AVP 0 101",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=ptime:20",
        "a=sendrecv",
        "m=video 0 RTP/AVP 31",
        "a=inactive",
    ]
    assert sdp.parse(bytes(answer)) == answer


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("sendonly", "recvonly"), ("recvonly", "sendonly"), ("inactive", "inactive"), ("sendrecv", "sendrecv")],
)
def test_the_direction_is_mirrored(theirs: str, ours: str) -> None:
    """RFC 3264 §6.1, at the stream and at session level."""
    assert sdp.negotiate(trunk((b"a=ptime:20", b"a=" + theirs.encode()))).direction == ours
    assert sdp.negotiate(trunk((b"t=0 0", b"t=0 0\na=" + theirs.encode()))).direction == ours


def test_the_hold_of_rfc_2543() -> None:
    agreed = sdp.negotiate(trunk((b"192.0.2.4", b"0.0.0.0")))
    assert (agreed.direction, agreed.remote) == ("recvonly", None)


def test_the_peers_order_decides_among_ours() -> None:
    assert sdp.negotiate(trunk((b"18 0 8", b"8 0 18"))).codec == "pcma"
    assert sdp.negotiate(trunk(), codecs=("pcma",)).codec == "pcma"
    wide = sdp.negotiate(trunk((b"18 0 8", b"9 0 8")))
    assert (wide.codec, wide.payload_type) == ("g722", 9)
    assert sdp.negotiate(trunk((b"18 0 8", b"9 0 8")), codecs=("pcma", "pcmu")).codec == "pcmu"


@pytest.mark.parametrize(
    "change",
    [
        (b"18 0 8 101", b"18 101"),
        (b"RTP/AVP 18", b"RTP/SAVP 18"),
        (b"m=audio 49172", b"m=audio 0"),
        (b"c=IN IP4 192.0.2.4", b"c=IN IP4 media.example"),
        (b"c=IN IP4 192.0.2.4", b"c=IN IP4 224.2.2.2/127"),
        (b"c=IN IP4 192.0.2.4", b"c=IN IP4 255.255.255.255"),
        (b"c=IN IP4 192.0.2.4", b"c=IN IP4 240.0.0.1"),
        (b"c=IN IP4 192.0.2.4", b"c=IN IP4 0.0.0.9"),
        (b"c=IN IP4 192.0.2.4", b"c=IN IP6 ff02::1"),
        (b"c=IN IP4 192.0.2.4", b"c=IN IP6 ::ffff:224.2.2.2"),
    ],
)
def test_what_cannot_be_used_is_488(change: tuple[bytes, bytes]) -> None:
    with pytest.raises(SdpError) as caught:
        sdp.negotiate(trunk(change))
    assert caught.value.status == 488


def test_an_ipv6_address_in_brackets_is_an_address() -> None:
    agreed = sdp.negotiate(trunk((b"c=IN IP4 192.0.2.4", b"c=IN IP6 [2001:db8::4]")))
    assert agreed.remote is not None
    assert agreed.remote[0] == "2001:db8::4"


@pytest.mark.parametrize("ours", [b"IP4 127.0.0.1", b"IP4 127.9.9.9", b"IP6 ::1", b"IP6 ::ffff:127.0.0.1"])
def test_who_is_not_on_this_machine_cannot_name_it(ours: bytes) -> None:
    offer = trunk((b"c=IN IP4 192.0.2.4", b"c=IN " + ours))
    with pytest.raises(SdpError, match="our own"):
        sdp.negotiate(offer, peer="192.0.2.4")
    assert sdp.negotiate(offer, peer="127.0.0.1").remote
    mine = sdp.offer("198.51.100.1", 20002, session_id=1)
    theirs = sdp.answer(mine, sdp.negotiate(mine), "127.0.0.1", 49172, session_id=2)
    with pytest.raises(SdpError, match="our own"):
        sdp.accept(mine, theirs, peer="192.0.2.4")


def test_an_address_of_ipv4_in_ipv6_is_one_of_ipv4() -> None:
    agreed = sdp.negotiate(trunk((b"c=IN IP4 192.0.2.4", b"c=IN IP6 ::ffff:192.0.2.4")))
    assert agreed.remote == ("192.0.2.4", 49172)


@pytest.mark.parametrize(
    "change",
    [
        (b"v=0", b"v=1"),
        (b"o=carol", b"o="),
        (b"s=-\n", b""),
        (b"49172", b"491720"),
        (b"49172", "٤٩".encode()),
        (b"c=IN IP4 192.0.2.4\n", b""),
        (b"t=0 0", b"t 0 0"),
        (b"a=ptime:20\n", b"m=audio 1 RTP/AVP 0\n" * 40),
    ],
)
def test_what_cannot_be_read_is_400(change: tuple[bytes, bytes]) -> None:
    with pytest.raises(SdpError) as caught:
        trunk(change)
    assert caught.value.status == 400


def test_a_mapping_that_cannot_be_read_names_no_payload_type() -> None:
    """As those of the video streams of RFC 4475, `a=rtpmap:31 LPC`."""
    offered = trunk((b"a=rtpmap:18 G729/8000", b"a=rtpmap:218 G729/8000\na=rtpmap:31 LPC"))
    assert [each.name for each in offered.media[0].rtpmaps] == ["telephone-event"]
    assert sdp.negotiate(offered).codec == "pcmu"


@pytest.mark.parametrize(("asked", "taken"), [(10, 10), (30, 30), (60, 60), (25, 20), (5, 10), (120, 60)])
def test_the_length_of_packets_that_they_ask_for(asked: int, taken: int) -> None:
    assert sdp.negotiate(trunk((b"a=ptime:20", f"a=ptime:{asked}".encode()))).ptime_ms == taken


@pytest.mark.parametrize(
    ("said", "taken"),
    [
        ("a=maxptime:60", 20),
        ("a=maxptime:10", 10),
        ("a=ptime:60\na=maxptime:40", 40),
        ("a=maxptime:0", 20),
        ("a=maxptime:5", 10),
    ],
)
def test_no_longer_packets_than_they_can_take(said: str, taken: int) -> None:
    """RFC 8866 §6.5; what is no length says nothing."""
    assert sdp.negotiate(trunk((b"a=ptime:20", said.encode()))).ptime_ms == taken


def test_our_offer_and_their_answer() -> None:
    ours = sdp.offer("198.51.100.1", 20002, session_id=1)
    assert ours.media[0].formats == ("9", "8", "0", "107", "101", "102")
    assert bytes(ours).splitlines()[6] == b"a=rtpmap:9 G722/8000"  # sampled at 16 kHz: RFC 3551 §4.5.2
    theirs = sdp.answer(ours, sdp.negotiate(ours, ("pcmu",)), "192.0.2.4", 49172, session_id=2)
    assert sdp.accept(ours, theirs) == sdp.Agreed(0, "pcmu", 0, 101, "sendrecv", ("192.0.2.4", 49172))
    for bad in (evolve(theirs, media=()), evolve(theirs, media=(evolve(theirs.media[0], port=0),))):
        with pytest.raises(SdpError):
            sdp.accept(ours, bad)


def test_their_answer_beside_a_stream_that_was_refused() -> None:
    """They had video before the audio, and later ask for our offer: it has both m-lines (RFC 3264 §8)."""
    video = b"m=video 5000 RTP/AVP 31\nm=audio 49172"
    offer = trunk((b"m=audio 49172", video))
    ours = sdp.answer(offer, sdp.negotiate(offer), "198.51.100.1", 20002, session_id=1)
    theirs = sdp.answer(ours, sdp.negotiate(ours), "192.0.2.4", 49174, session_id=2)
    assert sdp.accept(ours, theirs) == sdp.Agreed(1, "pcmu", 0, 101, "sendrecv", ("192.0.2.4", 49174))


def test_our_offer_in_a_session_keeps_what_is_there_and_offers_all_the_rest() -> None:
    """They had video before the audio, 107 stands for their events, and they hold us."""
    said = (b"m=audio 49172", b"m=video 5000 RTP/AVP 31\nm=audio 49172")
    offer = trunk(
        said, (b"0 8 101", b"8 107"), (b"rtpmap:101", b"rtpmap:107"), (b"a=fmtp:101", b"a=sendonly\na=fmtp:107")
    )
    ours = sdp.answer(offer, sdp.negotiate(offer), "198.51.100.1", 20002, session_id=1, version=4)
    assert (ours.media[1].direction, ours.media[1].formats) == ("recvonly", ("8", "107"))
    anew = sdp.offer_anew(ours, version=5, codecs=("pcma", "g722", "opus"))
    assert (anew.version, anew.session_id, anew.media[0]) == ("5", "1", ours.media[0])
    stream = anew.media[1]
    assert (stream.direction, stream.connection, stream.port) == ("sendrecv", "198.51.100.1", 20002)
    # a number goes on standing for what it stands for (RFC 3264 §8.3.2)
    assert [(each.payload_type, each.name, each.clock_rate) for each in stream.rtpmaps] == [
        (8, "PCMA", 8000),
        (9, "G722", 8000),
        (96, "opus", 48000),
        (107, "telephone-event", 8000),
        (102, "telephone-event", 48000),
    ]
    assert sdp.parse(bytes(anew)) == anew
    theirs = sdp.answer(anew, sdp.negotiate(anew, ("opus",)), "192.0.2.4", 49174, session_id=2)
    agreed = sdp.accept(anew, theirs)
    assert (agreed.codec, agreed.payload_type, agreed.direction) == ("opus", 96, "sendrecv")


def webrtc(offer: sdp.SessionDescription, codecs: tuple[sdp.CodecName, ...] = sdp.WEBRTC_CODECS) -> bytes:
    agreed = sdp.negotiate_webrtc(offer, codecs)
    answer = sdp.answer_webrtc(
        offer,
        agreed,
        ice_ufrag="ours",
        ice_pwd="o" * 24,
        fingerprint=OURS,
        candidates=[("198.51.100.1", 20000), ("2001:db8::1", 20000)],
        session_id=9,
    )
    assert sdp.parse(bytes(answer)) == answer
    return bytes(answer)


def test_chromium_gets_opus_with_digits_at_48_khz() -> None:
    offer = sdp.parse(CHROMIUM)
    agreed = sdp.negotiate_webrtc(offer)
    assert (agreed.codec, agreed.payload_type) == ("opus", 111)
    assert (agreed.telephone_event, agreed.telephone_event_clock) == (110, 48000)
    assert (agreed.ice_ufrag, agreed.ice_pwd, agreed.fingerprints) == ("abcd", "a" * 24, (OURS,))
    assert agreed.candidates[0] == Candidate("1", 1, "udp", 2122260223, "192.0.2.9", 55000, "host")
    assert webrtc(offer).decode().splitlines() == [
        "v=0",
        "o=- 9 1 IN IP4 198.51.100.1",
        "s=-",
        "c=IN IP4 198.51.100.1",
        "t=0 0",
        "a=ice-lite",
        "a=group:BUNDLE 0",
        "m=audio 20000 UDP/TLS/RTP/SAVPF 111 110",
        "a=mid:0",
        "a=rtpmap:111 opus/48000/2",
        "a=rtpmap:110 telephone-event/48000",
        f"a=fmtp:111 {opus.OURS_FOR_BROWSERS}",
        "a=fmtp:110 0-15",
        "a=ptime:20",
        "a=sendrecv",
        "a=rtcp-mux",
        "a=ice-ufrag:ours",
        "a=ice-pwd:" + "o" * 24,
        f"a=fingerprint:sha-256 {PRINT}",
        "a=setup:passive",
        "a=candidate:1 1 udp 2130706431 198.51.100.1 20000 typ host",
        "a=candidate:2 1 udp 2130706175 2001:db8::1 20000 typ host",
        "a=end-of-candidates",
        "m=video 0 UDP/TLS/RTP/SAVPF 96",
        "a=mid:1",
        "a=inactive",
    ]


def test_firefox_gives_its_fingerprint_at_session_level() -> None:
    agreed = sdp.negotiate_webrtc(sdp.parse(FIREFOX))
    assert (agreed.codec, agreed.payload_type, agreed.fingerprints) == ("opus", 109, (OURS,))
    assert (agreed.telephone_event, agreed.telephone_event_clock) == (101, 8000)


def test_all_fingerprints_are_taken_in_one_spelling_and_those_of_the_stream_over_those_of_the_session() -> None:
    """RFC 8122 §5: several, of any hash; names and digits of either case. DTLS chooses among them."""
    lines = [
        "a=fingerprint:SHA-1 " + ":".join(["0a"] * 20),
        "a=fingerprint:Sha-256 " + PRINT.lower(),
        "a=fingerprint:sha-256 " + ":".join(["bC"] * 32),
        "a=fingerprint:x-hash-of-tomorrow " + ":".join(["FF"] * 48),
    ]
    offer = FIREFOX.replace(b"a=rtcp-mux", "\n".join([*lines, "a=rtcp-mux"]).encode())
    assert [(one.algorithm, one.digest) for one in sdp.negotiate_webrtc(sdp.parse(offer)).fingerprints] == [
        ("sha-1", ":".join(["0A"] * 20)),
        ("sha-256", PRINT.upper()),
        ("sha-256", ":".join(["BC"] * 32)),
        ("x-hash-of-tomorrow", ":".join(["FF"] * 48)),
    ]


def test_a_browser_gets_g711_where_we_prefer_it() -> None:
    agreed = sdp.negotiate_webrtc(sdp.parse(CHROMIUM), ("pcma", "opus"))
    assert (agreed.codec, agreed.payload_type, agreed.telephone_event) == ("pcma", 8, 126)


@pytest.mark.parametrize(
    ("missing", "instead"),
    [
        (b"a=rtcp-mux", b"a=x"),
        (b"a=ice-ufrag:abcd", b"a=x"),
        (b"a=fingerprint", b"a=x"),
        (b"a=setup:actpass", b"a=setup:passive"),
        (b"UDP/TLS/RTP/SAVPF", b"RTP/AVP"),
    ],
)
def test_what_a_browser_must_offer(missing: bytes, instead: bytes) -> None:
    with pytest.raises(SdpError) as caught:
        webrtc(sdp.parse(CHROMIUM.replace(missing, instead)))
    assert caught.value.status == 488


LINES = st.sampled_from([line + b"\n" for body in (TRUNK, CHROMIUM, FIREFOX) for line in body.split(b"\n")])


@settings(max_examples=400, deadline=None)
@given(st.lists(LINES | st.binary(max_size=12), max_size=40).map(b"".join) | st.binary(max_size=100))
def test_any_body_is_read_or_refused_and_round_trips(body: bytes) -> None:
    for data in (body, TRUNK + body, CHROMIUM + body):
        try:
            description = sdp.parse(data)
        except SdpError:
            continue
        again = sdp.parse(bytes(description))
        assert again == description
        with contextlib.suppress(SdpError):
            sdp.answer(description, sdp.negotiate(description), "192.0.2.1", 4000, session_id=1)
        with contextlib.suppress(SdpError):
            webrtc(description)
