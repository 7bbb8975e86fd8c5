"""What a recording has of a hold: nothing, or where that is set what was said on either side; heard in its file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from . import sound
from .caller import Caller
from .product import Product, infrastructure, until
from .robot import Robot
from .sound import Pcm
from .test_waiting import channels
from .voice import Voice

AGENT_HZ, CUSTOMER_HZ = 1000.0, 500.0
# A tone as it is given has an amplitude of thousands; the music of who is held has some of every frequency.
THERE, ABSENT, IN_MUSIC = 2000.0, 50.0, 200.0
# What is on its way as something changes.
EDGE_S = 0.3


@pytest.fixture(scope="module", params=["silent", "recorded"])
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Product, str]]:
    written = f'{infrastructure(codecs=["pcma"])}\n[recording]\nhold = "{request.param}"\n'
    made = Product(tmp_path_factory.mktemp("switch"), written).start()
    yield made, request.param
    made.stop()
    assert made.complaints == []


def test_a_recording_has_of_a_hold_what_is_set(kept: tuple[Product, str]) -> None:
    """What each hears of the other is nothing in any case; when the hold was is kept in any case."""
    product, hold = kept
    with (
        Robot(product, "1001") as lin,
        Voice(sound.tone(AGENT_HZ)) as voice,
        Caller(product.sip_port, "5001", sound.tone(CUSTOMER_HZ)) as customer,
    ):
        voice.connect(lin.do("agent.sign_in", sdp=voice.offer())["sdp"])
        customer.dial().answered()
        call = lin.event("call.offered")["call"]
        lin.do("call.answer")
        lin.event("call.connected")
        until(lambda: sound.strength(customer.hears(0.2), AGENT_HZ) > THERE, 8, "the agent's voice")
        customer.hears(1.0)
        lin.do("call.hold")
        lin.event("call.parties", customer_held=True)
        customer.hears(EDGE_S)
        held = customer.hears(2.0)
        lin.do("call.retrieve")
        until(lambda: sound.strength(customer.hears(0.2), AGENT_HZ) > THERE, 8, "the agent's voice again")
        customer.hears(1.0)
        lin.do("call.hang_up")
        customer.ended()
        lin.do("agent.sign_out")
    product.at_rest()
    assert sound.strength(held, AGENT_HZ) < IN_MUSIC

    def over() -> dict[str, Any]:
        found: dict[str, Any] = product.ask(f"/api/calls/{call}").json
        return found if found.get("recording") == "ready" else {}

    told = until(over, 20, "the recording")
    (span,) = told["holds"]
    left, right = channels(product.ask(f"/api/calls/{call}/recording").body, "stereo")
    begin, end = (span[name] - told["answered"] for name in ("began", "ended"))
    spans = {
        "before": (begin - 0.8, begin - EDGE_S),
        "held": (begin + EDGE_S, end - EDGE_S),
        "after": (end + 0.8, None),
    }
    heard = {name: tuple(part(pcm, *span) for pcm in (left, right)) for name, span in spans.items()}
    strengths = {name: (sound.strength(a, CUSTOMER_HZ), sound.strength(b, AGENT_HZ)) for name, (a, b) in heard.items()}
    print(f"{hold}: the customer's tone on the left and the agent's on the right, {strengths}")
    assert min(strengths["before"] + strengths["after"]) > THERE
    assert (min(strengths["held"]) > THERE) is (hold == "recorded")
    assert (max(strengths["held"]) < ABSENT) is (hold == "silent")


def part(pcm: Pcm, begin: float, end: float | None) -> Pcm:
    """In seconds of the recording."""
    cut: Pcm = pcm[round(begin * sound.RATE) : None if end is None else round(end * sound.RATE)]
    return cut
