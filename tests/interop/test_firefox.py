"""The first call in Firefox: what Chromium's page does, another browser's ICE, DTLS and codecs do too.

The agent's microphone is a sine, and so is the customer: each has to hear the other's.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import sound
from .caller import PCMA, Caller
from .firefox import FIREFOX, MICROPHONE, Agent, Bidi, firefox
from .machine import Waits, fairly, own_address
from .product import Organisation, Product, infrastructure
from .test_numbers import GAP_MS, SILENT_DB

HERE = own_address()

pytestmark = [
    pytest.mark.peer("firefox", "pulseaudio"),
    pytest.mark.timeout(300),  # of three turns, on a crowded machine
    pytest.mark.skipif(FIREFOX is None, reason="firefox is not installed"),
    pytest.mark.skipif(HERE == "127.0.0.1", reason="Firefox sends no media to loopback, and there is no other address"),
]

TONE = 620.0
# Where it is set, pictures of the page are left for a person to look at.
PICTURES = os.environ.get("CORDBOARD_PICTURES")


@pytest.fixture(scope="module")
def browser() -> Iterator[Bidi]:
    with firefox() as made:
        yield made


@pytest.fixture(scope="module")
def reached(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Product]:
    """A switch at an address that Firefox sends media to, with one codec for its page: the parameter."""
    config = infrastructure(address="0.0.0.0", web="0.0.0.0", codecs=[request.param])
    organisation = Organisation().trunk().queue("support").agent("1001", "Lin", support=1)
    organisation.number("5001", "queue:support")
    made = Product(tmp_path_factory.mktemp("reached"), config, organisation.text).start()
    yield made
    made.stop()
    assert made.complaints == []


@pytest.fixture
def agent(browser: Bidi, reached: Product) -> Iterator[Agent]:
    """Lin, signed in."""
    made = Agent(browser, f"https://{HERE}:{reached.web_port}", "1001")
    try:
        yield made.log_in().sign_in()
    finally:
        made.leave()
        reached.at_rest()


@pytest.mark.parametrize("reached", ["opus", pytest.param("pcmu", marks=pytest.mark.long)], indirect=True)
def test_the_first_call(reached: Product, agent: Agent, request: pytest.FixtureRequest) -> None:
    """Two-way audio, mute, and the agent hangs up."""
    codec = request.node.callspec.params["reached"]

    def talk() -> None:
        agent.ready()
        with (
            Waits(reached.pids()["media"]) as waits,
            Caller(reached.sip_port, "5001", sound.tone(TONE), codec=PCMA) as customer,
        ):
            customer.dial().answered()
            agent.is_("Ringing")
            agent.until("cordboard.ring.playing")
            agent.answer()
            begin = time.time()
            agent.until("!cordboard.ring.playing")
            heard = agent.hears(TONE)
            said = customer.hears(1.0, since=time.time() + 0.3)
            talked_until = time.time()
            if PICTURES:
                agent.picture(Path(PICTURES) / f"firefox-talking-{codec}.png")
            agent.click("Mute")
            agent.until("cordboard.state.connected.muted")
            silence = sound.level(customer.hears(0.8, since=time.time() + 0.3))
            still = agent.hears(TONE)
            agent.click("Unmute")
            agent.until("!cordboard.state.connected.muted")
            again = customer.hears(1.0, since=time.time() + 0.3)
            agent.click("Hang up")
            customer.ended()
            agent.is_("After-call work")
        pause = waits.longest_pause(customer, begin, talked_until)
        print(
            f"Firefox, {codec}: page hears {heard.hertz:.1f} Hz at {heard.db:.0f} dBFS of {TONE:.0f}; customer hears "
            f"{sound.loudest(said):.1f} Hz at {sound.level(said):.0f} dBFS of {MICROPHONE:.0f}; longest pause {pause}; "
            f"muted {silence:.0f} dBFS while the page hears {still.hertz:.1f} Hz, unmuted {sound.loudest(again):.1f} Hz"
        )
        reached.at_rest(legs=1)
        assert abs(sound.loudest(said) - MICROPHONE) < 5
        assert sound.level(said) > -40
        assert silence < SILENT_DB
        assert abs(sound.loudest(again) - MICROPHONE) < 5
        assert pause.own <= GAP_MS
        agent.hears(None)

    fairly(talk)


@pytest.mark.parametrize("reached", ["opus"], indirect=True)
def test_the_customer_hangs_up(reached: Product, agent: Agent) -> None:
    with Caller(reached.sip_port, "5001", sound.tone(TONE)) as customer:
        customer.dial().answered()
        agent.answer()
        agent.hears(TONE)
        left = customer.hang_up()
        agent.is_("After-call work")
        took = 1000 * (time.time() - left)
        assert customer.response("BYE").status == 200
    reached.at_rest(legs=1)
    agent.hears(None)
    assert agent.shows_text("The caller hung up.")
    print(f"the customer's BYE shows in Firefox within {took:.0f} ms")
    agent.click("Start answering")
    agent.is_("Idle")


@pytest.mark.parametrize("reached", ["opus"], indirect=True)
def test_the_caller_leaves_while_it_rings(reached: Product, agent: Agent) -> None:
    with Caller(reached.sip_port, "5001", sound.tone(TONE)) as customer:
        customer.dial().answered()
        agent.is_("Ringing")
        customer.hang_up()
        agent.is_("Idle")
    assert not agent.shows("button", "Answer")
