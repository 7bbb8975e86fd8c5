"""The first call: a number, a queue, a ring, a click, and two people who hear each other; with each codec of the page.

The customer's side is a trunk that sends a tone and records; the agent's microphone speaks a sentence over and over.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from . import sound
from .caller import PCMA, PCMU, Caller
from .chromium import CHROMIUM, Agent, chromium
from .machine import Waits, fairly
from .product import Product, infrastructure, until
from .sound import Pcm
from .test_numbers import GAP_MS, SILENT_DB

pytestmark = [
    pytest.mark.peer("chromium"),
    pytest.mark.timeout(300),  # of three turns, on a crowded machine
    pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="no Chromium here"),
]

MakeCaller = Callable[..., Caller]
TONE = 620.0
ANSWERS = 20
PAD = "1590*27#"
# Opus of digital silence is shorter.
SILENT_OCTETS = 12


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Pcm]:
    return sound.speak(tmp_path_factory.mktemp("voice"))


@pytest.fixture(scope="module")
def browser(voice: tuple[Path, Pcm]) -> Iterator[Browser]:
    with chromium(voice[0]) as made:
        yield made


@pytest.fixture
def agent(browser: Browser, product: Product) -> Iterator[Agent]:
    """Lin, signed in."""
    made = Agent(browser, product, "1001")
    try:
        yield made.log_in().sign_in()
    finally:
        made.leave()
        product.at_rest()


def concealed(before: dict[str, float], after: dict[str, float]) -> float:
    """Percent of what the page played that it had to make up, silence not counted."""
    moved = {name: after[name] - before[name] for name in after}
    return 100 * (moved["concealedSamples"] - moved["silentConcealedSamples"]) / moved["totalSamplesReceived"]


def talk(product: Product, agent: Agent, speech: Pcm, codec: int, name: str) -> None:
    """The whole first call."""
    agent.ready()
    with Waits(product.pids().get("media", product.pids()["control"])) as waits:
        with Caller(product.sip_port, "5001", sound.tone(TONE), codec=codec) as customer:
            customer.dial().answered()
            agent.is_("Ringing")
            assert agent.ask("() => cordboard.ring.playing")
            agent.answer()
            begin = time.time()
            assert not agent.ask("() => cordboard.ring.playing")
            # The customer's tone arrives in the page ...
            heard = agent.hears(TONE)
            before = agent.received()
            # ... and the agent's sentence at the customer, which takes one whole round of it.
            length = len(speech) / sound.RATE
            recorded = customer.hears(2 * length + 0.3, since=begin)
            made_up = concealed(before, agent.received())
            score, moved = sound.likeness(speech, recorded)
            talked_until = time.time()
            # Mute: one way only.
            agent.click("Mute")
            expect(agent.button("Unmute")).to_be_visible()
            muted = time.time()
            silence = sound.level(customer.hears(0.8, since=muted + 0.2))
            still = agent.hears(TONE)
            agent.click("Unmute")
            expect(agent.button("Mute")).to_be_visible()
            unmuted = time.time()
            again = sound.level(customer.hears(2.5, since=unmuted + 0.2))
            # The agent hangs up.
            agent.click("Hang up")
            customer.ended()
            agent.is_("After-call work")
        pause = waits.longest_pause(customer, begin, talked_until)
    print(
        f"{name}: agent to customer correlation {score:.3f} (playout moved {moved:.0f} ms); page hears "
        f"{heard.hertz:.1f} Hz at {heard.db:.0f} dBFS, {made_up:.2f} % made up; longest pause at the customer {pause}; "
        f"muted {silence:.0f} dBFS while the page hears {still.hertz:.1f} Hz, unmuted {again:.0f} dBFS"
    )
    product.at_rest(legs=1)
    assert score >= 0.9
    assert abs(heard.hertz - TONE) < 5
    assert made_up <= 0.5
    assert silence < SILENT_DB
    assert abs(still.hertz - TONE) < 5
    assert again > -40
    assert pause.own <= GAP_MS
    agent.hears(None)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Product]:
    made = Product(tmp_path_factory.mktemp("other"), infrastructure(**request.param)).start()
    yield made
    made.stop()
    assert made.complaints == []


@pytest.mark.parametrize(
    "codec", [pytest.param(PCMA, marks=pytest.mark.long, id="pcma"), pytest.param(PCMU, id="pcmu")]
)
def test_the_first_call(product: Product, agent: Agent, voice: tuple[Path, Pcm], codec: int) -> None:
    """Opus in the page, either law at the trunk."""
    fairly(lambda: talk(product, agent, voice[1], codec, f"opus, customer's payload type {codec}"))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"codecs": ["pcmu"]}, id="pcmu"),
        pytest.param({"codecs": ["pcma"]}, id="pcma", marks=pytest.mark.long),
        pytest.param({"codecs": ["g722"]}, id="g722", marks=pytest.mark.long),
        pytest.param({"process": "inline"}, id="inline", marks=pytest.mark.long),
    ],
    indirect=True,
)
def test_the_first_call_otherwise(
    browser: Browser, other: Product, voice: tuple[Path, Pcm], request: pytest.FixtureRequest
) -> None:
    agent = Agent(browser, other, "1001")
    try:
        agent.log_in().sign_in()
        fairly(lambda: talk(other, agent, voice[1], PCMA, request.node.callspec.id))
    finally:
        agent.leave()
    other.at_rest()


def test_keys_of_the_page_reach_the_customer(agent: Agent, caller: MakeCaller) -> None:
    """As events, in the order and of the length that they have, whatever the browser made of them; muted too."""
    customer = caller("5001", sound.tone(TONE)).answered()
    agent.answer()
    agent.hears(TONE)
    agent.click("Keypad")
    pad = agent.page.get_by_role("group", name="Keypad")
    expect(pad).to_be_focused()
    begin = time.monotonic()
    agent.page.keyboard.type(PAD)  # quicker than they can be sent
    until(lambda: len(customer.keys()) == len(PAD), 10, "all keys")
    took = time.monotonic() - begin
    agent.page.keyboard.press("Escape")
    agent.click("Mute")
    agent.click("Keypad")
    pad.get_by_role("button", name="5", exact=True).click()
    until(lambda: len(customer.keys()) == len(PAD) + 1, 5, "the key of who is muted")
    keys = customer.keys()
    print(f"keys of the page at the trunk, {took:.1f} s:", " ".join(f"{key} {units / 8:.0f} ms" for key, units in keys))
    assert "".join(key for key, _ in keys) == PAD + "5"
    assert {units for _, units in keys} == {800}


def test_the_customer_hangs_up(product: Product, agent: Agent, caller: MakeCaller) -> None:
    customer = caller("5001", sound.tone(TONE)).answered()
    agent.answer()
    agent.hears(TONE)
    left = customer.hang_up()
    agent.is_("After-call work")
    took = 1000 * (time.time() - left)
    assert customer.response("BYE").status == 200
    product.at_rest(legs=1)
    agent.hears(None)
    expect(agent.page.get_by_text("The caller hung up.").first).to_be_visible()
    print(f"the customer's BYE shows in the page within {took:.0f} ms")


def test_from_the_click_to_the_first_sound(product: Product, browser: Browser) -> None:
    """The first audible packet; and when it is heard, which is Chromium's jitter buffer and WebAudio too."""

    def measure(agent: Agent) -> None:
        arrived, heard = [], []
        quiet = loud = 0
        for _ in range(ANSWERS):
            agent.ready()
            with Caller(product.sip_port, "5001", sound.tone(TONE)) as customer:
                customer.dial().answered()
                agent.button("Answer").wait_for()
                agent.until("!probe.audible()", 3)
                agent.ask("() => probe.arm()")
                agent.until("probe.packets.length > 3")
                agent.click("Answer")
                agent.until("probe.first !== null")
                clicked, packets = agent.ask("() => [probe.clicked, probe.packets]")
                quiet = max(quiet, *(length for length, at in packets if at < clicked))
                sounds = [(length, at) for length, at in packets if at >= clicked and length > SILENT_OCTETS]
                loud = sounds[-1][0]
                arrived.append(sounds[0][1] - clicked)
                heard.append(agent.ask("() => probe.first"))
            agent.is_("After-call work")
        for what, took in (("first audible packet", arrived), ("sound", heard)):
            print(
                f"click to {what} in the page, {ANSWERS} calls: min {min(took):.0f}, "
                f"median {statistics.median(took):.0f}, max {max(took):.0f} ms"
            )
        print(f"Opus of silence is {quiet} octets at most, the tone's {loud}")
        assert quiet <= SILENT_OCTETS
        assert statistics.median(arrived) < 100

    lin = Agent(browser, product, "1001", tapped=True)
    try:
        lin.log_in().sign_in()
        fairly(lambda: measure(lin))
    finally:
        lin.leave()
    product.at_rest()


def test_the_page_stops_ringing_when_the_caller_leaves(product: Product, agent: Agent) -> None:
    def measure() -> None:
        took = []
        for _ in range(5):
            agent.ready()
            with Caller(product.sip_port, "5001") as customer:
                customer.dial().answered()
                agent.button("Answer").wait_for()
                agent.until("cordboard.ring.playing && cordboard.ring.level() > -60")
                agent.ask("() => probe.watchRinging()")
                left = customer.hang_up()
                agent.until("probe.gone.all")
                gone = agent.ask("() => probe.gone")
            took.append((gone["button"] - 1000 * left, gone["ring"] - 1000 * left))
            agent.is_("Idle")
            expect(agent.page.get_by_text("The caller left.").first).to_be_visible()
            assert agent.button("Answer").count() == 0
        print(
            "BYE while ringing; Answer gone, ring silent after (ms):", ", ".join(f"{a:.0f}, {b:.0f}" for a, b in took)
        )
        assert statistics.median(button for button, _ in took) < 200
        assert statistics.median(ring for _, ring in took) < 200

    fairly(measure)


# A page on a slow line: what it asks of the desk reaches the switch late.
SLOW_SNAPSHOT = """
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (data) {
  const text = typeof data === 'string' ? data : new TextDecoder().decode(data);
  if (text.includes('snapshot')) setTimeout(() => send.call(this, data), 700);
  else send.call(this, data);
};
"""


def test_an_offer_that_a_snapshot_overtakes_is_told(product: Product, browser: Browser, caller: MakeCaller) -> None:
    """A call waits, so it rings the moment the agent signs in, while the page still asks for its snapshot."""
    agent = Agent(browser, product, "1001", script=SLOW_SNAPSHOT)
    try:
        agent.log_in()
        caller("5001", sound.tone(TONE)).answered()
        agent.click("Sign in")
        agent.is_("Ringing")
        agent.until("cordboard.ring.playing")
        agent.tab("This page")
        log = agent.page.get_by_role("table", name="On this page today")
        expect(log.get_by_text("+86 139 1234 5678")).to_be_visible()
        expect(agent.page.locator("#spoken")).to_contain_text("+86 139 1234 5678")
    finally:
        agent.leave()


def test_nobody_answers(product: Product, browser: Browser, caller: MakeCaller) -> None:
    """The ring of 3 s goes to the next agent's page; the first is on break, and says why."""
    first, second = Agent(browser, product, "2001"), Agent(browser, product, "2002")
    try:
        first.log_in().sign_in()
        second.log_in().sign_in()
        with Waits(product.pids()["media"]) as waits:
            customer = caller("5002", sound.tone(TONE)).answered()
            begin = time.time()
            first.is_("Ringing")
            first.is_("Break")
            expect(first.page.get_by_text("No answer", exact=False).first).to_be_visible()
            second.answer()
            second.hears(TONE)
            customer.hears(0.5)
            pause = waits.longest_pause(customer, 0.0, time.time())
        print(f"not answered for 3 s, then by the next: the caller's longest pause {pause}")
        assert pause.own <= GAP_MS
        assert customer.between(begin)
        second.click("Hang up")
        customer.ended()
    finally:
        first.leave()
        second.leave()
    product.at_rest()
