"""Opus (RFC 7587), comfort noise (RFC 3389) and payload types of either side in the descriptions of trunks."""

from __future__ import annotations

import pytest
from cordboard.sip import opus, sdp
from cordboard.sip.opus import OpusParameters
from hypothesis import given
from hypothesis import strategies as st


def described(formats: str, *lines: str) -> sdp.SessionDescription:
    head = ("v=0", "o=- 1 1 IN IP4 192.0.2.4", "s=-", "c=IN IP4 192.0.2.4", "t=0 0")
    return sdp.parse("\r\n".join((*head, f"m=audio 49172 RTP/AVP {formats}", *lines, "")).encode())


OPUS = ("a=rtpmap:96 opus/48000/2", "a=fmtp:96 maxplaybackrate=8000;stereo=1;maxaveragebitrate=20000;cbr=1;usedtx=1")


def answered(offer: sdp.SessionDescription) -> tuple[sdp.Agreed, list[str]]:
    agreed = sdp.negotiate(offer)
    answer = sdp.answer(offer, agreed, "198.51.100.1", 20002, session_id=5)
    assert sdp.parse(bytes(answer)) == answer
    return agreed, bytes(answer).decode().splitlines()[5:]


def test_a_trunk_that_has_only_opus_gets_it() -> None:
    agreed, answer = answered(described("96 97", *OPUS, "a=rtpmap:97 telephone-event/48000"))
    wants = OpusParameters(playback_rate=8000, bit_rate=20000, constant=True)
    assert (agreed.codec, agreed.payload_type, agreed.telephone_event, agreed.opus) == ("opus", 96, 97, wants)
    assert answer == [
        "m=audio 20002 RTP/AVP 96 97",
        "a=rtpmap:96 opus/48000/2",
        "a=rtpmap:97 telephone-event/48000",
        "a=fmtp:96 maxplaybackrate=48000;sprop-maxcapturerate=48000;useinbandfec=0;usedtx=0",
        "a=fmtp:97 0-15",
        "a=ptime:20",
        "a=sendrecv",
    ]


@pytest.mark.parametrize(("formats", "codec"), [("96 8", "opus"), ("8 96", "pcma"), ("18 96 8", "opus")])
def test_opus_is_taken_where_they_prefer_it(formats: str, codec: str) -> None:
    assert sdp.negotiate(described(formats, *OPUS)).codec == codec
    assert sdp.negotiate(described(formats, *OPUS), ("pcma",)).codec == "pcma"


@pytest.mark.parametrize("name", ["opus/48000", "opus/48000/1", "opus/16000/2"])
def test_what_is_not_the_opus_of_rfc_7587_is_none(name: str) -> None:
    with pytest.raises(sdp.SdpError):
        sdp.negotiate(described("96", f"a=rtpmap:96 {name}"))


def test_events_of_opus_are_at_its_clock_or_at_that_of_telephones() -> None:
    both = described("96 98 97", *OPUS, "a=rtpmap:97 telephone-event/48000", "a=rtpmap:98 telephone-event/8000")
    agreed, _ = answered(both)
    assert (agreed.telephone_event, agreed.telephone_event_clock) == (97, 48000)
    agreed, answer = answered(described("96 98", *OPUS, "a=rtpmap:98 telephone-event/8000"))
    assert (agreed.telephone_event, agreed.telephone_event_clock) == (98, 8000)
    assert "a=rtpmap:98 telephone-event/8000" in answer
    narrow = described("8 96 98 97", *OPUS, "a=rtpmap:97 telephone-event/48000", "a=rtpmap:98 telephone-event/8000")
    assert sdp.negotiate(narrow).telephone_event == 98


def test_our_offer_has_events_at_the_clock_of_each_codec() -> None:
    ours = sdp.offer("198.51.100.1", 20002, session_id=1, codecs=("opus", "pcma"))
    assert bytes(ours).decode().splitlines()[5:] == [
        "m=audio 20002 RTP/AVP 107 8 102 101",
        "a=rtpmap:107 opus/48000/2",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:102 telephone-event/48000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:107 maxplaybackrate=48000;sprop-maxcapturerate=48000;useinbandfec=0;usedtx=0",
        "a=fmtp:102 0-15",
        "a=fmtp:101 0-15",
        "a=ptime:20",
        "a=sendrecv",
    ]
    assert sdp.offer("198.51.100.1", 20002, session_id=1, codecs=("pcmu",)).media[0].formats == ("0", "101")


def test_each_side_is_sent_the_payload_types_of_its_own_description() -> None:
    """RFC 3264 §5.1; the answer should keep ours (§6.1), and need not."""
    ours = sdp.offer("198.51.100.1", 20002, session_id=1, codecs=("opus", "pcma"))
    kept = sdp.accept(ours, sdp.answer(ours, sdp.negotiate(ours), "192.0.2.4", 49172, session_id=2))
    assert (kept.payload_type, kept.heard_type, kept.telephone_event, kept.heard_event) == (107, None, 102, None)
    other = sdp.accept(ours, described("96 97", *OPUS, "a=rtpmap:97 telephone-event/48000"))
    assert (other.payload_type, other.heard_type, other.telephone_event, other.heard_event) == (96, 107, 97, 102)
    assert other.opus.playback_rate == 8000
    none = sdp.accept(ours, described("96 98", *OPUS, "a=rtpmap:98 telephone-event/16000"))
    assert (none.telephone_event, none.heard_event) == (None, None)


@pytest.mark.parametrize(
    ("formats", "lines", "answer"),
    [
        ("8 13 101", ("a=rtpmap:101 telephone-event/8000",), "8 13 101"),
        ("0 13", ("a=rtpmap:13 CN/8000",), "0 13"),
        ("9 13", (), "9 13"),
        ("8", (), "8"),
        ("8 13", ("a=rtpmap:13 speex/8000",), "8"),
        ("96 13", OPUS, "96"),  # of a clock of 8000 alone (RFC 3389 §4)
    ],
)
def test_who_offers_comfort_noise_may_send_it(formats: str, lines: tuple[str, ...], answer: str) -> None:
    agreed, said = answered(described(formats, *lines))
    assert said[0] == f"m=audio 20002 RTP/AVP {answer}"
    assert ("a=rtpmap:13 CN/8000" in said) is agreed.comfort is ("13" in answer.split())


def test_our_offer_does_not_invite_anybody_to_leave_out_what_is_soft() -> None:
    ours = sdp.offer("198.51.100.1", 20002, session_id=1)
    assert "13" not in ours.media[0].formats


@pytest.mark.parametrize(
    ("fmtp", "expected"),
    [
        ("", OpusParameters()),
        ("useinbandfec=1;stereo=1; sprop-stereo=1", OpusParameters()),
        ("maxplaybackrate=16000; cbr=1", OpusParameters(playback_rate=16000, constant=True)),
        ("sprop-maxcapturerate=8000;sprop-stereo=1", OpusParameters(capture_rate=8000)),
        ("sprop-maxcapturerate=96000;maxplaybackrate=24000", OpusParameters(playback_rate=24000)),
        ("MaxAverageBitrate=1;maxplaybackrate=1", OpusParameters(8000, 6000)),
        ("maxaveragebitrate=9999999;maxplaybackrate=96000;cbr=0", OpusParameters(48000, 510_000)),
        ("maxplaybackrate=\u0661\u0662;cbr=1_0;maxaveragebitrate=-5;;=;cbr", OpusParameters()),
    ],
)
def test_what_is_said_of_opus(fmtp: str, expected: OpusParameters) -> None:
    assert opus.read(fmtp) == expected


@given(st.text(max_size=200) | st.lists(st.sampled_from(["cbr=", "maxplaybackrate=", "9" * 9, ";", " "])).map("".join))
def test_whatever_is_said_of_opus_is_within_its_bounds(fmtp: str) -> None:
    said = opus.read(fmtp)
    assert 8000 <= said.playback_rate <= 48000
    assert 8000 <= said.capture_rate <= 48000
    assert said.bit_rate == 0 or 6000 <= said.bit_rate <= 510_000


@given(st.integers(8000, 48000), st.integers(6000, 510_000), st.booleans(), st.integers(8000, 48000))
def test_what_can_be_said_of_opus_is_read_as_it_is(plays: int, bits: int, constant: bool, gives: int) -> None:
    fmtp = f"maxplaybackrate={plays};maxaveragebitrate={bits};cbr={constant:d};sprop-maxcapturerate={gives}"
    assert opus.read(fmtp) == OpusParameters(plays, bits, constant, gives)
