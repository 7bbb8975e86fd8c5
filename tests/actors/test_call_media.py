"""Where a call's media leg is aimed, and what its caller is told."""

from random import Random

import pytest
from cordboard.actors import signals, values
from cordboard.actors.call import Call
from cordboard.actors.call_state import Routed
from cordboard.actors.effects import Effect, Media, Sip, Started
from cordboard.actors.organisation import parse_organisation
from cordboard.actors.routes import Echo
from cordboard.actors.veil import Veil
from cordboard.sip import sdp
from cordboard.sip.description import Direction
from cordboard.sip.sdes import SUITES
from cordboard.switch import protocol as media

from .house import G711

PEER = "192.0.2.7"


def arrives(offer: sdp.SessionDescription | None) -> tuple[Call, list[Effect]]:
    call = Call(signals.Arrived("c", "carrier", "600", "+8613912345678", "", offer, PEER), 0.0)
    return call, call.receive(Started(), 0.0)


def offered(address: str, port: int = 4000) -> sdp.SessionDescription:
    return sdp.offer(address, port, session_id=1, codecs=G711)


@pytest.mark.parametrize("offer", [None, offered("0.0.0.0")])
def test_a_caller_who_names_no_address_gets_a_leg_that_sends_nowhere(offer: sdp.SessionDescription | None) -> None:
    call, _ = arrives(offer)
    effects = [each for each in call.receive(Routed(Echo(), nat=False), 0.0) if isinstance(each, Media)]
    # port 0: not known yet; our address is chosen for where the INVITE came from
    assert effects == [
        Media(
            media.OpenRtpLeg(
                "call:c/caller",
                PEER,
                0,
                media.Codec("pcma", 8, 101) if offer else media.Codec("g722", 9),
                sends=offer is None,
                hears=offer is None,
            )
        )
    ]


def test_an_answer_in_the_ack_aims_the_leg() -> None:
    call, _ = arrives(None)
    call.receive(Routed(Echo(), nat=False), 0.0)
    effects = call.receive(media.LegOpened("call:c/caller", "192.0.2.1", 20002), 0.0)
    said = next(one.command for one in effects if isinstance(one, Sip))
    assert isinstance(said, signals.AnswerSip)
    theirs = sdp.answer(said.description, sdp.negotiate(said.description), PEER, 4000, session_id=2)
    assert call.receive(signals.Confirmed("c", theirs), 0.1) == [
        Media(media.UpdateRtpLeg("call:c/caller", PEER, 4000, media.Codec("g722", 9, 101)))
    ]


@pytest.mark.parametrize(("direction", "sends"), [("sendrecv", True), ("recvonly", True), ("sendonly", False)])
def test_a_caller_who_holds_is_sent_nothing_from_the_beginning(direction: Direction, sends: bool) -> None:
    call, _ = arrives(sdp.offer(PEER, 4000, session_id=1, direction=direction, codecs=G711))
    (opening,) = (each for each in call.receive(Routed(Echo(), nat=False), 0.0) if isinstance(each, Media))
    assert isinstance(opening.command, media.OpenRtpLeg)
    assert opening.command.sends is sends


def test_a_hold_that_names_no_address_is_held_where_it_is_and_heard_again() -> None:
    """RFC 3264 §8.4: the old way of RFC 2543, and the way back."""
    call, _ = arrives(offered(PEER))
    call.receive(Routed(Echo(), nat=False), 0.0)
    opened = media.LegOpened("call:c/caller", "192.0.2.1", 20002)
    call.receive(opened, 0.0)
    codec = media.Codec("pcma", 8, 101)
    assert call.receive(signals.Reoffered("c", offered("0.0.0.0")), 1.0) == [
        Media(media.UpdateRtpLeg("call:c/caller", PEER, 0, codec, sends=False, hears=False))
    ]
    (reanswer,) = call.receive(opened, 1.0)
    assert isinstance(reanswer, Sip)
    assert call.receive(signals.Reoffered("c", offered(PEER)), 2.0) == [
        Media(media.UpdateRtpLeg("call:c/caller", PEER, 4000, codec))
    ]


def test_a_far_caller_who_names_this_machine_is_refused() -> None:
    _, effects = arrives(offered("127.0.0.1"))
    says = signals.Reject("c", 488, "SDP: the media address is our own")
    assert any(isinstance(one, Sip) and one.command == says for one in effects)


def test_a_caller_of_opus_gets_a_leg_that_is_sent_it_as_the_caller_wants_it() -> None:
    offer = sdp.parse(
        b"v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 96 98 8\r\n"
        b"a=rtpmap:96 opus/48000/2\r\na=fmtp:96 maxplaybackrate=8000;maxaveragebitrate=12000;cbr=1\r\n"
        b"a=rtpmap:98 telephone-event/8000\r\na=ptime:40\r\n"
    )
    call, _ = arrives(offer)
    (opening,) = (each for each in call.receive(Routed(Echo(), nat=False), 0.0) if isinstance(each, Media))
    wishes = media.OpusWishes(8000, 12000, constant=True)
    codec = media.Codec("opus", 96, 98, packet_ms=40, event_clock=8000, opus=wishes)
    assert opening.command == media.OpenRtpLeg("call:c/caller", PEER, 4000, codec)


def test_an_answer_with_numbers_of_its_own_is_sent_them_and_heard_by_ours() -> None:
    call, _ = arrives(None)
    call.receive(Routed(Echo(), nat=False), 0.0)
    call.receive(media.LegOpened("call:c/caller", "192.0.2.1", 20002), 0.0)
    theirs = sdp.parse(
        b"v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 120 121\r\n"
        b"a=rtpmap:120 opus/48000/2\r\na=rtpmap:121 telephone-event/48000\r\n"
    )
    codec = media.Codec("opus", 120, 121, heard_type=107, heard_event=102)
    assert call.receive(signals.Confirmed("c", theirs), 0.1) == [
        Media(media.UpdateRtpLeg("call:c/caller", PEER, 4000, codec))
    ]


# --- SRTP ---------------------------------------------------------------------------------------------------------

KEYS: dict[sdp.Suite, str] = {suite: "A" * 37 + f"{i}==" for i, suite in enumerate(SUITES)}
OURS = tuple(media.SrtpKey(suite, "B" * 37 + f"{i}==") for i, suite in enumerate(SUITES))
LEG = "call:c/caller"


def sealed(address: str = PEER, port: int = 4000, suite: sdp.Suite = SUITES[1]) -> sdp.SessionDescription:
    """An offer of SRTP under one key."""
    return sdp.offer(address, port, session_id=1, codecs=G711, keys={suite: KEYS[suite]})


def arrives_sealed(offer: sdp.SessionDescription | None) -> tuple[Call, list[Effect]]:
    call = Call(signals.Arrived("c", "carrier", "600", "+8613912345678", "", offer, PEER, srtp=True), 0.0)
    return call, [*call.receive(Started(), 0.0), *call.receive(Routed(Echo(), nat=False), 0.0)]


def asked(effects: list[Effect]) -> media.Srtp | None:
    """What the engine is told of the keys."""
    (command,) = (each.command for each in effects if isinstance(each, Media))
    assert isinstance(command, media.OpenRtpLeg | media.UpdateRtpLeg)
    return command.srtp


def told(effects: list[Effect]) -> list[tuple[str, str]]:
    """Suites and keys in what the far side is told."""
    (said,) = (each.command for each in effects if isinstance(each, Sip))
    assert isinstance(said, signals.AnswerSip | signals.Reanswer)
    return [(each.suite, each.key) for each in said.description.media[0].cryptos]


def test_an_offer_of_srtp_is_answered_with_the_key_of_the_engine() -> None:
    call, effects = arrives_sealed(sealed())
    assert asked(effects) == media.Srtp(media.SrtpKey(SUITES[1], KEYS[SUITES[1]]))
    assert told(call.receive(media.LegOpened(LEG, "192.0.2.1", 20002, OURS), 0.0)) == [(SUITES[1], OURS[1].key)]


def takes_one(call: Call, now: float) -> bool:
    """Whether the leg has the first of our keys, where their answer to our offer takes that."""
    ours = call.state.ours
    assert ours is not None
    theirs = sdp.answer(ours, sdp.negotiate(ours, srtp=True), PEER, 4000, session_id=2, keys=KEYS)
    answered = call.receive(signals.Confirmed("c", theirs), now)
    return asked(answered) == media.Srtp(media.SrtpKey(SUITES[0], KEYS[SUITES[0]]), OURS)


def test_an_offer_of_ours_has_all_the_keys_and_their_answer_takes_one() -> None:
    call, effects = arrives_sealed(None)
    assert asked(effects) == media.Srtp()
    effects = call.receive(media.LegOpened(LEG, "192.0.2.1", 20002, OURS), 0.0)
    assert told(effects) == [(each.suite, each.key) for each in OURS]
    assert takes_one(call, 0.1)


@pytest.mark.parametrize(
    ("offer", "keeps"),
    [
        (sealed(), True),
        (sdp.offer(PEER, 4000, session_id=1, codecs=G711, keys={SUITES[1]: "C" * 40}), True),  # theirs alone is new
        (sealed("0.0.0.0"), True),
        (sealed(suite=SUITES[0]), False),
        # somebody else may be there, who does not know how far we have counted (RFC 4568 §7.1.4)
        (sealed("192.0.2.8"), False),
        (sealed(port=4002), False),
    ],
)
def test_a_new_offer_keeps_our_key_where_the_same_far_side_goes_on_with_it(
    offer: sdp.SessionDescription, keeps: bool
) -> None:
    call, _ = arrives_sealed(sealed())
    call.receive(media.LegOpened(LEG, "192.0.2.1", 20002, OURS), 0.0)
    theirs = offer.media[0].cryptos[0]
    srtp = asked(call.receive(signals.Reoffered("c", offer), 1.0))
    assert srtp == media.Srtp(media.SrtpKey(theirs.suite, theirs.key), (OURS[1],) if keeps else ())
    news = (OURS[1],) if keeps else tuple(media.SrtpKey(suite, "D" * 38 + "==") for suite in SUITES)
    answer = told(call.receive(media.LegOpened(LEG, "192.0.2.1", 20002, news), 1.0))
    assert answer == [(theirs.suite, next(each.key for each in news if each.suite == theirs.suite))]
    # ... and what it was told is what it goes on with
    srtp = asked(call.receive(signals.Reoffered("c", offer), 2.0))
    assert srtp is not None
    if offer.media[0].connection != "0.0.0.0":
        assert srtp.sent == tuple(each for each in news if each.suite == theirs.suite)


def test_asked_for_our_offer_we_offer_the_keys_that_there_are() -> None:
    call, _ = arrives_sealed(sealed())
    call.receive(media.LegOpened(LEG, "192.0.2.1", 20002, OURS), 0.0)
    effects = call.receive(signals.Reoffered("c", None), 1.0)
    assert told(effects) == [(each.suite, each.key) for each in OURS]
    assert takes_one(call, 1.1)


@pytest.mark.parametrize("srtp", [True, False])
def test_plain_rtp_and_srtp_are_never_taken_for_each_other(srtp: bool) -> None:
    offer = offered(PEER) if srtp else sealed()
    call = Call(signals.Arrived("c", "carrier", "600", "+8613912345678", "", offer, PEER, srtp=srtp), 0.0)
    (refused,) = (each.command for each in call.receive(Started(), 0.0) if isinstance(each, Sip))
    assert isinstance(refused, signals.Reject)
    assert refused.status == 488
    assert refused.reason == (
        "SDP: only SRTP (RTP/SAVP) is spoken here" if srtp else "SDP: only RTP/AVP is spoken here"
    )


def test_a_call_does_not_turn_plain() -> None:
    call, _ = arrives_sealed(sealed())
    call.receive(media.LegOpened(LEG, "192.0.2.1", 20002, OURS), 0.0)
    assert call.receive(signals.Reoffered("c", offered(PEER)), 1.0) == [Sip(signals.RejectReoffer("c", 488))]


def test_a_call_under_srtp_can_be_kept_and_gone_on_with() -> None:
    """... by a process that comes after this one; in the journal no key is as it was."""
    call, _ = arrives_sealed(sealed())
    call.receive(media.LegOpened(LEG, "192.0.2.1", 20002, OURS), 0.0)
    kept = values.packer().pack(call.state)
    assert values.packer().unpack(kept) == call.state
    assert OURS[1].key.encode() in kept
    veil = Veil((parse_organisation(""),), Random(1))
    told = [signals.Reoffered("c", sealed()), media.LegOpened(LEG, "192.0.2.1", 20002, OURS), call.state]
    for each in told:
        veiled = values.packer(veil).pack(each)
        assert not any(key.encode() in veiled for key in (*KEYS.values(), *(one.key for one in OURS)))
