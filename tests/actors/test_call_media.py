"""Where a call's media leg is aimed, and what its caller is told."""

import pytest
from cordboard.actors import signals
from cordboard.actors.call import Call
from cordboard.actors.call_state import Routed
from cordboard.actors.effects import Effect, Media, Sip, Started
from cordboard.actors.organisation import Echo
from cordboard.sip import sdp
from cordboard.sip.description import Direction
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
    assert any(isinstance(one, Sip) and one.command == signals.Reject("c", 488) for one in effects)


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
