"""A real Chromium and a plain RTP phone in one real media process: who hears whom, with each codec."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator

import pytest
from attrs import evolve
from cordboard.switch import protocol
from cordboard.switch.protocol import Codec, CodecName, Hears, Rewire

from . import page as pages
from .media import HOST, Media, Trunk, media_process
from .shell import answer, offered

pytestmark = [
    pytest.mark.peer("chromium"),
    pytest.mark.skipif(not os.path.exists(pages.CHROMIUM), reason="no Chromium here"),
]

FROM_PAGE = 620.0
FROM_TRUNK = 1000.0


@pytest.fixture(scope="module")
def phone() -> Iterator[pages.Phone]:
    with pages.chromium() as made:
        yield made


@pytest.fixture(scope="module")
def process() -> Iterator[Media]:
    with media_process() as made:
        yield made


@pytest.fixture
def media(process: Media) -> Iterator[Media]:
    yield process
    process.begin_anew()


def connect(
    phone: pages.Phone,
    media: Media,
    leg: str,
    codec: CodecName,
    events: tuple[int, int] | None = None,
    *,
    sends: float = FROM_PAGE,
    plays: int = 48_000,
) -> float:
    opening = offered(leg, phone.offer(leg, sends), codec, events[0] if events else None)
    media.tell(evolve(opening, codec=evolve(opening.codec, opus=protocol.OpusWishes(plays))))
    opened = media.fact(protocol.WebrtcLegOpened, leg)
    assert [address for address, _ in opened.candidates] == [HOST]
    took = phone.connect(leg, answer(opened, codec, events))
    media.fact(protocol.LegConnected, leg)
    return took


@pytest.mark.parametrize("codec", ["pcmu", "pcma", "opus"])
def test_a_page_and_a_trunk_hear_each_other_as_the_edges_say(
    phone: pages.Phone, media: Media, codec: CodecName
) -> None:
    page, trunk = f"page-{codec}", f"trunk-{codec}"
    with Trunk(FROM_TRUNK) as line:
        took = connect(phone, media, page, codec)
        media.tell(protocol.OpenRtpLeg(trunk, HOST, line.port, Codec("pcmu", 0)))
        opened = media.fact(protocol.LegOpened, trunk)
        line.call(opened.address, opened.port)
        media.fact(protocol.LegConnected, trunk)

        # Connected, and nobody hears anybody yet.
        assert line.hears(None)
        assert phone.hears(page, None)

        both = (Hears(page, ((trunk, 1.0),)), Hears(trunk, ((page, 1.0),)))
        begun = time.monotonic()
        media.tell(Rewire(both))
        assert line.hears(FROM_PAGE)
        answered = time.monotonic() - begun
        assert phone.hears(page, FROM_TRUNK)

        # Muted: the trunk hears nothing, the page still does.
        media.tell(Rewire((Hears(trunk),)))
        assert line.hears(None)
        assert phone.hears(page, FROM_TRUNK)
        assert line.hears(None, 0.05)

        # On hold: the page hears nothing, the trunk does again.
        media.tell(Rewire((Hears(page), Hears(trunk, ((page, 1.0),)))))
        assert phone.hears(page, None)
        assert line.hears(FROM_PAGE)
        assert phone.hears(page, None, 0.5)

        # It hears itself: the echo of a test call.
        media.tell(Rewire((Hears(page, ((page, 1.0),)),)))
        assert phone.hears(page, FROM_PAGE)

        quality = media.fact(protocol.LegQuality, page)
        # On the loopback nothing is lost but what comes in one burst after the machine had no time for half a second.
        assert quality.lost <= media.counters().get("packets_flooded", 0)
        print(f"{codec}: connected in {took:.0f} ms, heard {answered * 1e3:.0f} ms after Rewire, {quality}")
        media.tell(protocol.CloseLeg(page))
        media.tell(protocol.CloseLeg(trunk))
        assert phone.until(lambda: phone.state(page) == "closed")


@pytest.mark.parametrize(
    ("codec", "events"), [("opus", (110, 48000)), ("opus", (126, 8000)), ("pcmu", (126, 8000)), ("pcma", (126, 8000))]
)
def test_the_keys_of_a_page_are_told_once_each(
    phone: pages.Phone, media: Media, codec: CodecName, events: tuple[int, int]
) -> None:
    leg, keys = f"keys-{codec}-{events[1]}", "1590*#D2"
    connect(phone, media, leg, codec, events)
    phone.press(leg, keys)
    told = [media.fact(protocol.DigitPressed, leg) for _ in keys]
    assert "".join(fact.digit for fact in told) == keys
    assert {fact.how for fact in told} == {"event"}
    print(f"{codec}, events at {events[1]} Hz: {[fact.duration_ms for fact in told]} ms")
    # Nothing follows, and of what is sent to it the page makes no noise and no trouble.
    media.tell(protocol.SendDigits(leg, "42"))
    media.tell(Rewire((Hears(leg, ((leg, 1.0),)),)))
    assert phone.hears(leg, FROM_PAGE)
    assert not [fact for fact in media.facts if isinstance(fact, protocol.DigitPressed)]


def test_two_pages_hear_all_of_each_other_and_a_telephone_beside_them_what_it_can(
    phone: pages.Phone, media: Media
) -> None:
    """One says what no telephone carries: pages that play less, and telephones, hear nothing of it."""
    high = 12000.0
    with Trunk(FROM_TRUNK) as line:
        for leg, sends, plays in (("high", high, 48_000), ("full", FROM_PAGE, 48_000), ("wide", FROM_PAGE, 16_000)):
            connect(phone, media, leg, "opus", sends=sends, plays=plays)
        media.tell(protocol.OpenRtpLeg("beside", HOST, line.port, Codec("pcmu", 0)))
        opened = media.fact(protocol.LegOpened, "beside")
        line.call(opened.address, opened.port)
        media.fact(protocol.LegConnected, "beside")
        media.tell(Rewire(tuple(Hears(leg, (("high", 1.0),)) for leg in ("full", "wide", "beside"))))
        assert phone.hears("full", high)
        loud = phone.steady("full", high).level
        assert phone.hears("wide", None)
        assert line.hears(None)
        # ... and goes on hearing it beside a telephone, which makes the room none.
        media.tell(Rewire((Hears("full", (("high", 1.0), ("beside", 1.0))),)))
        assert phone.until(lambda: phone.listen("full").level > 1.1 * loud)
        assert phone.hears("full", high)
        print(f"12 kHz of 0.25 is heard at {20 * math.log10(loud * math.sqrt(2) / 0.25):.1f} dB")
        assert loud * math.sqrt(2) == pytest.approx(0.25, rel=0.12)  # 1 dB


def test_a_page_that_goes_ends_its_leg_and_no_other(phone: pages.Phone, media: Media) -> None:
    connect(phone, media, "stays", "opus")
    connect(phone, media, "goes", "pcmu")
    phone.hang_up("goes")
    assert media.fact(protocol.LegFailed, "goes").reason == "the browser closed the connection"
    media.tell(Rewire((Hears("stays", (("stays", 1.0),)),)))
    assert phone.hears("stays", FROM_PAGE)


def test_nothing_was_refused(media: Media) -> None:
    # What pages send after their leg was closed has other names: stun_unknown_ufrag, dtls_from_stranger, and
    # srtp_no_keys for what came in one batch with its goodbye.
    refused = {"srtp_unauthentic", "srtp_replayed", "srtp_unsent_refused", "stun_unauthenticated"}
    counters = media.counters()
    assert {name: n for name, n in counters.items() if name in refused} == {}
