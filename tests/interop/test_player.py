"""A real call, listened to afterwards in the page: whose voice is on which side, and both in step.

Both talkers beep in a rhythm of their own. When each beep left the switch is known by the packets that carried it: to
the agent's page by a tap before its jitter buffer, to the customer by the kernel's time of arrival. The switch mixes
and records in the same tick, so in the recording the beeps must lie as far apart as those packets did.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Response, expect

from . import sound
from .caller import PCMU, Caller, Packet
from .chromium import CHROMIUM, Agent, chromium
from .machine import fairly
from .product import Product
from .sound import RATE, Pcm

pytestmark = [
    pytest.mark.peer("chromium"),
    pytest.mark.timeout(300),  # of three turns, on a crowded machine
    pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="no Chromium here"),
]

CUSTOMER_HZ, AGENT_HZ = 620.0, 1000.0
BEEP = 0.24
# Where beeps begin in each loop, in seconds: no part of it is like another.
CUSTOMER = (7.9, (0.2, 1.3, 2.9, 5.1))
AGENT = (6.1, (0.3, 1.6, 3.7))
TALK = 9.0
# Every turn is another caller's, also where the test is tried again: its call is one line of the list.
CALLERS = (f"+86139123400{number:02}" for number in count(1))
STEP_MS = 40.0
LOUD = 0.5  # of the loudest: what codecs smear before a beep is far less
TICK = 160
QUIET = 0.3  # seconds without sound before a beep
# Opus of digital silence is shorter (test_call.py).
SILENT_OCTETS = 12

# The page's player is no element of the document: the ear catches it where it is made.
EAR = """
const Plain = window.Audio;
window.Audio = class extends Plain {
  constructor(...what) {
    super(...what);
    window.player = this;
  }
};
// Every 10 ms of what plays: the position, and of each side the loudest frequency and its level in dB.
window.overhear = () => {
  const context = new AudioContext({sampleRate: 48000});
  const splitter = new ChannelSplitterNode(context, {numberOfOutputs: 2});
  const source = new MediaElementAudioSourceNode(context, {mediaElement: player});
  source.connect(splitter);
  source.connect(context.destination);
  const ears = [0, 1].map((side) => {
    const ear = new AnalyserNode(context, {fftSize: 2048, smoothingTimeConstant: 0});
    splitter.connect(ear, side);
    return ear;
  });
  const bins = new Float32Array(1024);
  window.overheard = [];
  setInterval(() => {
    if (player.paused) return;
    const line = [player.currentTime];
    for (const ear of ears) {
      ear.getFloatFrequencyData(bins);
      let best = 1;
      for (let i = 1; i < bins.length; i++) if (bins[i] > bins[best]) best = i;
      line.push(best * 48000 / 2048, bins[best]);
    }
    overheard.push(line);
  }, 10);
};
window.decoded = async (url) => {
  const file = await (await fetch(url)).arrayBuffer();
  const sound = await new OfflineAudioContext(2, 1, 8000).decodeAudioData(file);
  return [0, 1].map((side) => [...sound.getChannelData(side)].map((x) => Math.round(x * 32767)));
};
"""


def beeps(hertz: float, loop: tuple[float, Sequence[float]], rate: int = RATE) -> Pcm:
    length, begins = loop
    made = np.zeros(int(length * rate), np.int16)
    at = np.arange(int(BEEP * rate)) / rate
    for begin in begins:
        place = int(begin * rate)
        made[place : place + len(at)] = 8000 * np.sin(2 * np.pi * hertz * at)
    return made


def onsets(loud: Sequence[float], since: float = 0.0) -> list[float]:
    """Of times at which it was loud, those that a pause went before, as far as was listened: `since` then."""
    return [now for last, now in zip([since, *loud], loud, strict=False) if now - last > QUIET]


def heard_by_page(packets: Sequence[tuple[int, float]], since: float) -> list[float]:
    """When packets with a beep's beginning reached the page, in seconds."""
    return onsets([at / 1000 for octets, at in packets if octets > SILENT_OCTETS], since)


def heard_by_customer(packets: Sequence[Packet], since: float) -> list[float]:
    peaks = np.array([np.abs(sound.decode(one.payload, ulaw=True)).max() for one in packets])
    return onsets([one.at for one, peak in zip(packets, peaks, strict=True) if peak > LOUD * peaks.max()], since)


def in_recording(channel: Pcm) -> list[float]:
    """When the ticks began in which beeps begin, in seconds of the recording."""
    whole = channel[: len(channel) // TICK * TICK].astype(int)
    peaks = np.abs(whole).reshape(-1, TICK).max(axis=1)
    return onsets([float(at) * 0.02 for at in np.flatnonzero(peaks > LOUD * peaks.max())])


def begin_of(recorded: Sequence[float], told: Sequence[float]) -> tuple[float, float, int]:
    """When the recording began by this side's beeps, how far they spread around that, and how many they are."""

    def matches(begin: float) -> list[float]:
        near = [min((begin + each - at for at in told), key=abs) for each in recorded]
        return [off for off in near if abs(off) < 0.1]

    best = max((at - each for at in told for each in recorded), key=lambda begin: len(matches(begin)))
    off = matches(best)
    return best - float(np.median(off)), float(np.ptp(off)) * 1000, len(off)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    microphone = tmp_path_factory.mktemp("voice") / "beeps.wav"
    sound.write_wav(microphone, beeps(AGENT_HZ, AGENT, 48000), 48000)
    with chromium(microphone) as made:
        yield made


def talk(product: Product, browser: Browser, number: str) -> tuple[list[float], list[float]]:
    """A call of `TALK` seconds; when beeps left the switch for the page, and for the customer."""
    agent = Agent(browser, product, "1001", tapped=True)
    try:
        agent.log_in().sign_in()
        voice = beeps(CUSTOMER_HZ, CUSTOMER)
        with Caller(product.sip_port, "5001", voice, number=number, codec=PCMU) as customer:
            customer.dial().answered()
            agent.is_("Ringing")
            agent.answer()
            begun = time.time()
            agent.page.wait_for_timeout(TALK * 1000)
            agent.click("Hang up")
            customer.ended()
            agent.is_("After-call work")
            over = time.monotonic()
            agent.tab("Calls")
            line = agent.page.get_by_role("table", name="Calls").get_by_role("row", name=number[-4:])
            expect(line).to_contain_text("0:0")  # how long it was; while it lasts it is in progress
            print(f"the call was in the page's list {1000 * (time.monotonic() - over):.0f} ms after its end")
            packets = [packet for packet in agent.ask("() => probe.packets") if packet[1] > begun * 1000]
            return heard_by_page(packets, begun), heard_by_customer(customer.between(begun), begun)
    finally:
        agent.leave()
        product.at_rest()


def listen(product: Product, browser: Browser, number: str, told: tuple[list[float], list[float]]) -> None:
    """Another page of the same agent, with the policy of the switch, opens the call and plays it."""
    agent = Agent(browser, product, "1001", script=EAR)
    page = agent.page
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer) if answer.url.endswith("/recording") else None)
    try:
        agent.log_in()
        page.get_by_role("table", name="Calls").get_by_role("button", name=number[-4:]).click()
        waited = time.monotonic()
        expect(agent.button("Play")).to_be_enabled()
        waited = time.monotonic() - waited
        assert answers == []  # drawn, and nothing of the sound was asked for
        agent.ask("() => overhear()")
        agent.click("Play")
        agent.until("player.ended", TALK + 6)
        lines = np.array(agent.ask("() => overheard"))
        kinds = [answer.status for answer in answers]
        url = answers[0].url
        sides = [np.array(side) for side in agent.ask(f"() => decoded({url!r})")]
        seconds = len(sides[0]) / RATE
        # By mouse to two thirds, and by keyboard back: it plays on from there.
        slider = page.get_by_role("slider", name="Position")
        box = slider.bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + box["width"] * 2 / 3, box["y"] + box["height"] / 2)
        by_mouse = float(agent.ask("() => player.currentTime")) - seconds * 2 / 3
        agent.click("Play")
        agent.until(f"player.currentTime > {seconds * 2 / 3 + 0.3}")
        slider.press("ArrowLeft")
        by_keys: float = agent.ask("() => player.currentTime")
        agent.until(f"player.currentTime > {by_keys + 0.2}")
        agent.click("Pause")
    finally:
        agent.leave()
    measure(lines, sides, told, {"opened": waited, "mouse": by_mouse})
    assert set(kinds) == {206}
    assert abs(by_mouse) < 0.1
    assert seconds * 2 / 3 - 5 < by_keys < seconds * 2 / 3


def measure(lines: Any, sides: list[Pcm], told: tuple[list[float], list[float]], also: dict[str, float]) -> None:
    recorded = [in_recording(side) for side in sides]
    begins, spreads, counts = zip(*(begin_of(*pair) for pair in zip(recorded, told, strict=True)), strict=True)
    apart = (begins[1] - begins[0]) * 1000
    hertz, strayed, lags = [], [], []
    for side, tone, foreign in ((0, CUSTOMER_HZ, AGENT_HZ), (1, AGENT_HZ, CUSTOMER_HZ)):
        first = int(recorded[side][1] * RATE) + 400
        hertz.append(sound.loudest(sides[side][first : first + 1200]))
        whole = sides[side]
        strayed.append(20 * np.log10(sound.strength(whole, foreign) / sound.strength(whole, tone) + 1e-9))
        position, found, level = lines[:, 0], lines[:, 1 + 2 * side], lines[:, 2 + 2 * side]
        played = onsets([float(at) for at in position[(level > -40) & (abs(found - tone) < 30)]])
        lags.append(begin_of(recorded[side], played)[0])
        assert not np.any((level > -40) & (abs(found - tone) > 60)), "another tone than that side's was played"
    print(
        f"in the recording left is {hertz[0]:.1f} Hz and right {hertz[1]:.1f} Hz, the other side {strayed[0]:.0f} and "
        f"{strayed[1]:.0f} dB below; by {counts[0]} and {counts[1]} beeps that left the switch they are "
        f"{apart:+.1f} ms out of step, each side's spread {spreads[0]:.1f} and {spreads[1]:.1f} ms; as played "
        f"{(lags[1] - lags[0]) * 1000:+.0f} ms. It could be played {also['opened'] * 1000:.0f} ms after it was opened; "
        f"a click missed by {also['mouse'] * 1000:+.0f} ms"
    )
    assert abs(hertz[0] - CUSTOMER_HZ) < 5
    assert abs(hertz[1] - AGENT_HZ) < 5
    assert max(strayed) < -30
    assert min(counts) >= 3
    assert abs(apart) <= STEP_MS
    assert max(spreads) <= STEP_MS
    assert abs(lags[1] - lags[0]) * 1000 <= STEP_MS


def test_a_recording_has_each_talker_on_its_side_and_in_step(product: Product, browser: Browser) -> None:
    def turn() -> None:
        number = next(CALLERS)
        listen(product, browser, number, talk(product, browser, number))

    fairly(turn)
