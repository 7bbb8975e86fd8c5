"""The switch owns the call: the agent's page is reloaded, closed, crashes, loses its network, is taken over elsewhere.

The customer's side sends one tone and records; the agent's microphone speaks another. So each moment of what the
customer heard is the agent, something else (the prompt or music of one who waits), or nothing.
"""

from __future__ import annotations

import io
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby, pairwise
from typing import Any

import av
import numpy as np
import pytest
from attrs import frozen
from playwright.sync_api import Browser, expect

from . import sound
from .cable import Cable
from .caller import Caller
from .chromium import CHROMIUM, Agent, singing
from .hearing import SILENT_DB, VOICE, Heard, Span, classify, longest, purity, spans, story
from .machine import fairly
from .product import Product, lasting, until
from .robot import Robot
from .sound import Pcm

pytestmark = [
    pytest.mark.peer("chromium"),
    pytest.mark.timeout(300),
    pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="no Chromium here"),
]

# Whole periods in 20 ms, as the agent's: a frame that a playout gives back or makes up leaves the tone what it is.
TONE = 600.0
# What the product promises.
PROMPT_S = 1.0
BACK_S = 3.0
GRACE_S = 20.0
# A page that is loaded anew on a crowded machine; who waits hears music meanwhile.
RINGS_AGAIN_S = 5.0
SETTLED_S = 0.8  # of talk, before anything happens and after it
# A hand-over between two pages: what the machine may do to two connections and a playout.
HAND_OVER_S = 0.2
# In a recording: less than the shortest absence of a page, more than the machine's own.
HOLE_S = 0.5
NUMBERS = ("+8613912340001", "+8613912340002")


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    made = Product(tmp_path_factory.mktemp("switch"), lasting()).start()
    yield made
    made.stop()
    assert made.complaints == []


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with singing(VOICE, tmp_path_factory.mktemp("voice")) as made:
        yield made


@pytest.fixture
def cable(product: Product) -> Iterator[Cable]:
    media_port = re.search(r"webrtc_port = (\d+)", product.config.read_text())
    assert media_port is not None
    with Cable(product.web_port, int(media_port[1])) as made:
        yield made


@contextmanager
def signed_in(browser: Browser, product: Product, cable: Cable | None = None, agent: str = "1001") -> Iterator[Agent]:
    made = Agent(browser, product, agent, script=cable.script if cable else "", port=cable.tcp_port if cable else 0)
    try:
        yield made.log_in().sign_in()
    finally:
        made.leave()
        with Robot(product, agent) as last_one:  # where a story was cut short, another page may have the seat
            if last_one.do("snapshot")["state"] != "signed_out":
                last_one.sign_in(take_over=True)
        product.at_rest()


@contextmanager
def ringing(product: Product, agent: Agent) -> Iterator[Caller]:
    """A customer's call rings at the agent's page."""
    agent.ready()
    with Caller(product.sip_port, "5001", sound.tone(TONE), number=NUMBERS[0]) as customer:
        customer.dial().answered()
        agent.is_("Ringing")
        yield customer


def talk(agent: Agent, customer: Caller) -> None:
    """Answers; both hear each other, for long enough to be sure."""
    agent.answer()
    both_hear(agent, customer)


def both_hear(agent: Agent, customer: Caller) -> None:
    agent.hears(TONE)
    until(lambda: hears_agent(customer), 5.0, "the agent's voice at the customer")
    customer.hears(SETTLED_S)


def last(customer: Caller, seconds: float = 0.3) -> Heard:
    """What it hears now."""
    return classify(customer.heard(time.time() - seconds))


def hears_agent(customer: Caller) -> bool:
    return last(customer) is Heard.AGENT


@frozen
class Absence:
    """What the customer heard while a page was away: how long nothing, and how long after `returned` the agent."""

    heard: list[Span]
    silence: float
    prompt: float
    back: float

    def __str__(self) -> str:
        return (
            f"silent {self.silence:.2f} s at most, prompt {self.prompt:.2f} s after the last word, the agent "
            f"{self.back:.2f} s after the page's return ({story(self.heard)})"
        )


def absence(customer: Caller, gone: float, returned: float) -> Absence:
    """From the moment before the page went until the customer hears the agent again."""
    until(lambda: hears_agent(customer), 10.0, "the agent's voice again")
    customer.hears(SETTLED_S)
    found = spans(customer, gone)
    assert found[0].heard is Heard.AGENT, story(found)
    prompt = next(span for span in found if span.heard is Heard.OTHER)
    back = next(span for span in found if span.heard is Heard.AGENT and span.begin > returned)
    return Absence(found, longest(found, Heard.NOTHING), prompt.begin - found[0].end, back.begin - returned)


def loaded_at(agent: Agent) -> float:
    """When the page that is open began to load."""
    at: float = agent.ask("() => performance.timeOrigin / 1000")
    return at


def true_state(product: Product, agent: str = "1001") -> str:
    """As the switch has it."""
    with Robot(product, agent) as watcher:
        state: str = watcher.do("snapshot")["state"]
        return state


# --- ways to go -----------------------------------------------------------------------------------------------------


def reload(agent: Agent) -> None:
    agent.page.reload()


def close_and_open(agent: Agent) -> None:
    agent.page.close()
    time.sleep(1.0)
    agent.open()


def crash_and_open(agent: Agent) -> None:
    agent.crash()
    time.sleep(0.5)
    agent.page.close()
    agent.open()


WAYS: dict[str, Callable[[Agent], None]] = {"reload": reload, "close": close_and_open, "crash": crash_and_open}


def ring_again(agent: Agent, customer: Caller, go: Callable[[Agent], None]) -> str:
    """The call goes back to its queue, which has nobody else, and rings in the page that is back."""
    began = time.time()
    go(agent)
    agent.is_("Ringing")
    took = time.time() - loaded_at(agent)
    agent.until("cordboard.ring.playing")
    heard = spans(customer, began)
    assert longest(heard, Heard.AGENT) == 0
    assert longest(heard, Heard.NOTHING) < PROMPT_S
    assert took < RINGS_AGAIN_S
    return f"while ringing: it rings {took:.2f} s after the page's return"


def talk_again(agent: Agent, customer: Caller, go: Callable[[Agent], None]) -> str:
    began = time.time() - SETTLED_S / 2
    go(agent)
    agent.is_("Talking")
    away = absence(customer, began, loaded_at(agent))
    agent.hears(TONE)
    assert away.silence < PROMPT_S
    assert away.prompt < PROMPT_S
    assert away.back < BACK_S
    return f"while talking: {away}"


def mute_again(agent: Agent, customer: Caller, go: Callable[[Agent], None]) -> str:
    """Muted at the page and at the switch: not a word of the agent is heard before it chooses so."""
    agent.click("Mute")
    until(lambda: last(customer) is Heard.NOTHING, 5.0, "silence")
    began = time.time()
    go(agent)
    expect(agent.button("Unmute")).to_be_enabled()
    agent.hears(TONE)
    until(lambda: last(customer) is Heard.NOTHING, 5.0, "silence after the prompt")
    customer.hears(SETTLED_S)
    heard = spans(customer, began)
    assert longest(heard, Heard.AGENT) == 0, story(heard)
    assert agent.ask("() => cordboard.mic.getAudioTracks()[0].enabled") is False
    agent.click("Unmute")
    both_hear(agent, customer)
    return f"while muted: {story(heard)}"


def paperwork(agent: Agent) -> tuple[str, float]:
    """What the page tells of the call that was, and since when it is over."""
    stage = agent.page.get_by_role("region", name="Call", exact=True)
    return stage.inner_text(), agent.ask("() => cordboard.state.since")


def finish_again(agent: Agent, customer: Caller, go: Callable[[Agent], None]) -> str:
    """After-call work: since when, and of which call."""
    agent.click("Hang up")
    customer.ended()
    agent.is_("After-call work")
    shown = paperwork(agent)
    go(agent)
    expect(agent.button("Start answering")).to_be_enabled()
    assert paperwork(agent) == shown
    agent.click("Start answering")
    agent.is_("Idle")
    return "in after-call work: state, clock and call are the same"


@pytest.mark.parametrize("way", ["reload", *(pytest.param(way, marks=pytest.mark.long) for way in ("crash", "close"))])
def test_a_page_that_goes_comes_back_to_what_it_did(product: Product, browser: Browser, way: str) -> None:
    go = WAYS[way]

    def story_of_a_call() -> None:
        with signed_in(browser, product) as agent, ringing(product, agent) as customer:
            told = [ring_again(agent, customer, go)]
            talk(agent, customer)
            told.append(talk_again(agent, customer, go))
            assert true_state(product) == "talking"
            told.append(mute_again(agent, customer, go))
            told.append(finish_again(agent, customer, go))
            print(*(f"{way} {each}" for each in told), sep="\n")
            print(f"its {recorded(product, customer)}")

    fairly(story_of_a_call)


# --- another page ---------------------------------------------------------------------------------------------------


def take_over(agent: Agent) -> None:
    """By a page that has just been opened."""
    agent.click("Sign in")
    expect(agent.page.get_by_role("dialog", name="You are signed in on another page")).to_be_visible()
    agent.click("Take over")


def take_back(agent: Agent) -> None:
    """By the page that was told of it."""
    expect(agent.page.get_by_role("dialog", name="Another page took over")).to_be_visible()
    agent.until("cordboard.peer === null")
    agent.click("Take over")


@contextmanager
def second_page(browser: Browser, product: Product, agent: Agent, where: str) -> Iterator[Agent]:
    if where == "tab":
        yield agent.beside()
        return
    other = Agent(browser, product, agent.agent)
    try:
        yield other.log_in("Ringing")
    finally:
        other.context.close()


@pytest.mark.parametrize("where", ["computer", pytest.param("tab", marks=pytest.mark.long)])
def test_another_page_takes_over_in_every_state(product: Product, browser: Browser, where: str) -> None:
    def story_of_a_call() -> None:
        with (
            signed_in(browser, product) as one,
            ringing(product, one) as customer,
            second_page(browser, product, one, where) as two,
        ):
            take_over(two)
            expect(two.button("Answer")).to_be_enabled()
            expect(one.button("Answer")).to_have_count(0)
            two.until("cordboard.state.media === 'connected'")
            talk(two, customer)

            began = time.time() - SETTLED_S / 2
            take_back(one)
            one.until("cordboard.peer?.connectionState === 'connected'")
            both_hear(one, customer)
            handed = spans(customer, began, least=0.04)
            without = sum(span.seconds for span in handed if span.heard is not Heard.AGENT)

            one.click("Mute")
            until(lambda: last(customer) is Heard.NOTHING, 5.0, "silence")
            began = time.time()
            take_back(two)
            two.until("cordboard.peer?.connectionState === 'connected'")
            expect(two.button("Unmute")).to_be_enabled()
            two.hears(TONE)
            muted = spans(customer, began)
            assert longest(muted, Heard.AGENT) == 0, story(muted)
            two.click("Unmute")
            both_hear(two, customer)

            two.click("Hang up")
            customer.ended()
            two.is_("After-call work")
            since = two.ask("() => cordboard.state.since")
            take_back(one)
            one.click("Start answering")
            two.is_("Idle")
            print(
                f"another {where} takes over: without the agent for {without:.2f} s in all ({story(handed)}); "
                f"muted: {story(muted)}"
            )
            assert since == pytest.approx(customer.ended_at, abs=1.0)
            assert without < HAND_OVER_S

    fairly(story_of_a_call)


# --- the network ----------------------------------------------------------------------------------------------------


def test_a_lost_websocket_alone_changes_no_audio(product: Product, browser: Browser, cable: Cable) -> None:
    def story_of_a_call() -> None:
        with (
            signed_in(browser, product, cable) as agent,
            ringing(product, agent) as customer,
            Robot(product, "1001") as watcher,
        ):
            talk(agent, customer)
            agent.ask("() => { window.first = cordboard.peer; }")
            began, before = time.time(), agent.received()
            cable.tear()
            watcher.event("agent.seat", taken=False)
            watcher.event("agent.seat", taken=True)
            expect(agent.button("Mute")).to_be_enabled()
            customer.hears(SETTLED_S)
            after = agent.received()
            heard = spans(customer, began)
            sequence = [packet.sequence for packet in customer.between(began)]
            gaps = sum((two - one) & 0xFFFF != 1 for one, two in pairwise(sequence))
            lost = after["packetsLost"] - before["packetsLost"]
            print(f"a lost websocket: the customer heard {story(heard)}, {gaps} gaps; the page lost {lost:.0f} packets")
            assert agent.ask("() => cordboard.peer === first")
            assert {span.heard for span in heard} == {Heard.AGENT}
            assert (gaps, lost) == (0, 0)

    fairly(story_of_a_call)


@pytest.mark.parametrize("seconds", [4, pytest.param(12, marks=pytest.mark.long)])
def test_the_network_is_gone_for_a_while(product: Product, browser: Browser, cable: Cable, seconds: int) -> None:
    """The page is not told of it, as with a real cable."""

    def story_of_a_call() -> None:
        with signed_in(browser, product, cable) as agent, ringing(product, agent) as customer:
            talk(agent, customer)
            began = time.time() - SETTLED_S / 2
            cable.pull()
            until(lambda: last(customer) is Heard.OTHER, 3.0, "the prompt")
            time.sleep(seconds)
            returned = time.time()
            cable.put_back()
            away = absence(customer, began, returned)
            agent.hears(TONE)
            expect(agent.button("Mute")).to_be_enabled()
            print(f"no network for {seconds} s and more: {away}")
            print(f"its {recorded(product, customer, agent)}")
            assert away.silence < PROMPT_S
            assert away.prompt < PROMPT_S
            assert away.back < BACK_S

    fairly(story_of_a_call)


# --- who does not come back -----------------------------------------------------------------------------------------


@pytest.mark.long
def test_after_20_s_the_customer_is_first_in_the_queue(product: Product, browser: Browser) -> None:
    def story_of_a_call() -> None:
        with (
            signed_in(browser, product) as agent,
            ringing(product, agent) as customer,
            Caller(product.sip_port, "5001", sound.tone(TONE), number=NUMBERS[1]) as later,
            Robot(product, "1001") as watcher,
            Robot(product, "1002") as colleague,
        ):
            later.dial().answered()
            talk(agent, customer)
            began = time.time() - SETTLED_S / 2
            agent.crash()
            watcher.event("call.away")
            gone = watcher.state("signed_out", GRACE_S + 5.0, reason="page gone")
            lasted = gone["at"] - next(span.begin for span in spans(customer, began) if span.heard is Heard.OTHER)
            colleague.sign_in()
            offered = colleague.event("call.offered")
            colleague.do("call.answer")
            colleague.event("call.connected")
            heard = spans(customer, began)
            colleague.do("call.hang_up")
            customer.ended()
            colleague.state("after_call_work")
            print(
                f"a page that crashed and stayed away: signed out {lasted:.2f} s after the prompt began; {story(heard)}"
            )
            print(f"its {recorded(product, customer)}")
            assert offered["number"] == customer.number
            assert lasted == pytest.approx(GRACE_S, abs=1.0)
            assert longest(heard, Heard.NOTHING) < PROMPT_S
            later.hang_up()
            agent.open()
            agent.is_("Signed out")

    fairly(story_of_a_call)


# --- the test call --------------------------------------------------------------------------------------------------


def test_an_agent_hears_itself_in_a_test_call(product: Product, browser: Browser) -> None:
    with signed_in(browser, product) as agent:
        agent.click("Devices")
        agent.click("Test call")
        heard = agent.hears(VOICE)
        agent.click("End test call")
        agent.hears(None)
        print(f"in a test call the page hears {heard.hertz:.0f} Hz at {heard.db:.0f} dBFS; after it, nothing")
        agent.page.keyboard.press("Escape")
    calls = product.ask("/api/calls?days=1").json
    assert all(call["number"] in NUMBERS for call in calls["calls"])


# --- the recording --------------------------------------------------------------------------------------------------


def recorded(product: Product, customer: Caller, agent: Agent | None = None) -> str:
    """Ends the call where it is not over. All of it is recorded, and the customer is on the left in every moment."""
    if agent is not None:
        agent.click("Hang up")
    over = customer.ended()
    headers = {"Authorization": f"Bearer {product.log_in('1001')}"}

    def newest() -> dict[str, Any]:
        calls = product.http("/api/calls?days=1", headers=headers).json["calls"]
        found = [call for call in calls if call["recording"] == "ready" and abs(call["ended"] - over) < 1.0]
        return found[0] if found else {}

    call = until(newest, 30.0, "the recording")
    body = product.http(f"/api/calls/{call['call']}/recording", headers=headers).body
    left, length = channel(body, 0), call["ended"] - call["answered"]
    step = sound.RATE // 50
    quiet = [sound.level(left[at : at + step]) < SILENT_DB for at in range(0, len(left) - step, step)]
    inner = quiet[10:-10]  # its first and last 0.2 s may be on their way
    hole = max((len(list(run)) for silent, run in groupby(inner) if silent), default=0) * step / sound.RATE
    pure = purity(left, TONE)
    assert abs(len(left) / sound.RATE - length) < 0.3
    assert hole < HOLE_S
    assert pure > 0.75
    return (
        f"recording: {len(left) / sound.RATE:.2f} s of a call of {length:.2f} s; the left channel is {pure:.0%} the "
        f"caller's tone, its longest hole {1000 * hole:.0f} ms"
    )


def channel(file: bytes, number: int) -> Pcm:
    """One channel of an encoded recording, at 8 kHz."""
    with av.open(io.BytesIO(file), "r") as container:
        to = av.AudioResampler(format="s16p", layout="stereo", rate=sound.RATE)
        frames = [out.to_ndarray() for frame in container.decode(audio=0) for out in to.resample(frame)]
    made: Pcm = np.concatenate(frames, axis=1)[number]
    return made
