"""An agent at the real page in a real, headless Chromium: a made-up microphone that speaks, and ears that measure.

The page is driven as a person does it, by labels, names and roles. Beside that, scripts that the page does not know of
listen to what it plays (`window.cordboard.peer` is the page's own door for measurements).
"""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import frozen
from playwright.sync_api import Browser, BrowserContext, BrowserType, Error, Locator, Page, expect, sync_playwright

from . import sound
from .product import PASSWORD, Product, first_in_line

CHROMIUM = "/usr/bin/chromium"
# What a click is given to show its effect, in milliseconds.
PATIENCE_MS = 15_000
CRASH_MS = 500

expect.set_options(timeout=PATIENCE_MS)

# What an ear at the page is in any browser: `probe.listen()`.
LISTEN = """
window.probe = {
  // The remote stream's loudest frequency in Hz and its level in dBFS over 0.68 s. It plays in the page's <audio>;
  // without that WebAudio hears nothing of it.
  listen() {
    const [receiver] = cordboard.peer.getReceivers();
    if (this.track !== receiver.track) {
      this.track = receiver.track;
      this.context ??= new AudioContext({sampleRate: 48000});
      this.analyser = new AnalyserNode(this.context, {fftSize: 32768, smoothingTimeConstant: 0});
      new MediaStreamAudioSourceNode(this.context, {mediaStream: new MediaStream([this.track])}).connect(this.analyser);
    }
    const {analyser} = this;
    const wave = new Float32Array(analyser.fftSize);
    analyser.getFloatTimeDomainData(wave);
    const bins = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(bins);
    let best = 1;
    for (let i = 1; i < bins.length; i++) if (bins[i] > bins[best]) best = i;
    const power = wave.reduce((sum, x) => sum + x * x, 0) / wave.length;
    return [best * 48000 / analyser.fftSize, 10 * Math.log10(power + 1e-12)];
  },
};
"""

PROBE = """
Object.assign(window.probe, {
  async received() {
    const reports = [...(await cordboard.peer.getStats()).values()];
    const {totalSamplesReceived, concealedSamples, silentConcealedSamples, packetsLost, packetsReceived,
           insertedSamplesForDeceleration, removedSamplesForAcceleration, jitterBufferDelay, jitterBufferEmittedCount} =
      reports.find((one) => one.type === 'inbound-rtp');
    return {totalSamplesReceived, concealedSamples, silentConcealedSamples, packetsLost, packetsReceived,
            insertedSamplesForDeceleration, removedSamplesForAcceleration, jitterBufferDelay, jitterBufferEmittedCount};
  },
  // From the next click on Answer to sound out of the jitter buffer: milliseconds in `first`.
  audible() {
    this.listen();
    if (!this.ear) {
      this.ear = new AnalyserNode(this.context, {fftSize: 256});
      new MediaStreamAudioSourceNode(this.context, {mediaStream: new MediaStream([this.track])}).connect(this.ear);
    }
    const wave = new Float32Array(256);
    this.ear.getFloatTimeDomainData(wave);
    return wave.some((x) => Math.abs(x) > 0.01);
  },
  arm() {
    this.first = this.clicked = null;
    if (this.packets) this.packets.length = 0;
    const wave = new Float32Array(256);
    const audible = () => {
      this.ear.getFloatTimeDomainData(wave);
      return wave.some((x) => Math.abs(x) > 0.01);
    };
    const channel = new MessageChannel();
    const clicked = (event) => {
      if (!event.target.closest('button.answer')) return;
      removeEventListener('click', clicked, true);
      const begun = performance.now();
      this.clicked = performance.timeOrigin + begun;
      const look = () => {
        if (audible()) this.first = performance.now() - begun;
        else setTimeout(() => channel.port2.postMessage(0), 1); // a bare timer would be held to 4 ms
      };
      channel.port1.onmessage = look;
      look();
    };
    addEventListener('click', clicked, true);
  },
  // When (epoch, ms) the Answer button and the ring are gone, looked at as often as it can be.
  watchRinging() {
    this.gone = {};
    const channel = new MessageChannel();
    const look = () => {
      const now = performance.timeOrigin + performance.now();
      if (!document.querySelector('button.answer')) this.gone.button ??= now;
      if (!cordboard.ring.playing && cordboard.ring.level() === -Infinity) this.gone.ring ??= now;
      this.gone.all = Boolean(this.gone.button && this.gone.ring);
      if (!this.gone.all) setTimeout(() => channel.port2.postMessage(0), 1);
    };
    channel.port1.onmessage = look;
    look();
  },
});
"""

# Every packet of the customer's voice as it arrives, before the jitter buffer: the length of its payload and when. The
# switch sends no audio levels (RFC 6464), so getSynchronizationSources() cannot tell silence from sound; but Opus of
# digital silence is a few octets long and Opus of a tone is not. A transform must be there before the first packet.
TAP = """
probe.packets = [];
const code = `onrtctransform = ({transformer}) => transformer.readable.pipeThrough(new TransformStream({
  transform(frame, next) {
    postMessage([frame.data.byteLength, performance.timeOrigin + performance.now()]);
    next.enqueue(frame);
  }})).pipeTo(transformer.writable)`;
window.RTCPeerConnection = class extends RTCPeerConnection {
  addTransceiver(...what) {
    const transceiver = super.addTransceiver(...what);
    const worker = new Worker(URL.createObjectURL(new Blob([code], {type: 'text/javascript'})));
    worker.onmessage = ({data}) => probe.packets.push(data);
    transceiver.receiver.transform = new RTCRtpScriptTransform(worker);
    return transceiver;
  }
};
"""


@frozen
class Heard:
    """hertz: the loudest frequency; db: the level of all in dBFS, -120 for digital silence."""

    hertz: float
    db: float


def _launched(kind: BrowserType, microphone: Path) -> Browser:
    arguments = [
        "--no-sandbox",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={microphone}",
    ]
    return kind.launch(executable_path=CHROMIUM, args=arguments, ignore_default_args=["--mute-audio"])


@contextlib.contextmanager
def chromium(microphone: Path) -> Iterator[Browser]:
    """`microphone`: a WAV file that is played again and again."""
    with contextlib.ExitStack() as stack:
        with first_in_line():
            playwright = stack.enter_context(sync_playwright())
            browser = _launched(playwright.chromium, microphone)
        try:
            yield browser
        finally:
            browser.close()


def _tone(hertz: float, folder: Path) -> Path:
    microphone = folder / f"microphone-{hertz:g}.wav"
    sound.write_wav(microphone, sound.tone(hertz, 10.0, rate=48000), 48000)
    return microphone


@contextlib.contextmanager
def singing(hertz: float, folder: Path) -> Iterator[Browser]:
    """Into its microphones goes a tone, from a file in `folder`."""
    with chromium(_tone(hertz, folder)) as browser:
        yield browser


@contextlib.contextmanager
def choir(folder: Path, *hertz: float) -> Iterator[list[Browser]]:
    """A browser for each tone."""
    first, *others = hertz
    with contextlib.ExitStack() as stack:
        browsers = [stack.enter_context(singing(first, folder))]
        for each in others:
            with first_in_line():
                browsers.append(_launched(browsers[0].browser_type, _tone(each, folder)))
            stack.callback(browsers[-1].close)
        yield browsers


class Agent:
    """One page of one agent, in a browser profile of its own."""

    def __init__(
        self,
        browser: Browser,
        product: Product,
        agent: str,
        *,
        tapped: bool = False,
        script: str = "",
        port: int = 0,
        host: str = "127.0.0.1",
    ) -> None:
        """`tapped`: `probe.packets` are those that arrive, and the policy that forbids it is off. `port`: a cable's."""
        self.agent = agent
        self._url = f"https://{host}:{port or product.web_port}/?lang=en&raw-audio"
        self.problems: list[str] = []
        self.context: BrowserContext = browser.new_context(
            bypass_csp=tapped, ignore_https_errors=True, viewport={"width": 1280, "height": 800}, locale="en-GB"
        )
        self.context.set_default_timeout(PATIENCE_MS)
        self.context.add_init_script(LISTEN + PROBE + (TAP if tapped else "") + script)
        self.page: Page = self.open()

    def open(self) -> Page:
        """Another page of the same browser profile, which becomes the one that is worked with."""
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.goto(self._url)
        return self.page

    def beside(self) -> Agent:
        """A second tab of the same browser profile."""
        made = copy.copy(self)
        made.open()
        return made

    def crash(self) -> None:
        """Kills the page's renderer process, which then has no reply to give."""
        session = self.context.new_cdp_session(self.page)
        with contextlib.suppress(Error):
            session.send("Page.crash", timeout=CRASH_MS)

    # --- as a person --------------------------------------------------------------------------------------------

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def click(self, name: str) -> None:
        self.button(name).click()

    def tab(self, name: str) -> None:
        """Brings it to the front; a call that rings brings its customer there."""
        self.page.get_by_role("tab", name=name, exact=True).click()

    @property
    def status(self) -> Locator:
        return self.page.get_by_role("status", name="Agent state")

    def is_(self, state: str) -> None:
        """Waits until the page says so."""
        expect(self.status).to_have_text(state)

    def log_in(self, state: str = "Signed out") -> Agent:
        """`state` is the agent's, where another page of it is signed in."""
        self.page.get_by_label("Agent", exact=True).fill(self.agent)
        self.page.get_by_label("Password", exact=True).fill(PASSWORD.format(self.agent))
        self.click("Log in")
        self.is_(state)
        return self

    def sign_in(self) -> Agent:
        """Until calls can come."""
        self.click("Sign in")
        self.is_("Idle")
        self.until("cordboard.state.media === 'connected' && cordboard.peer.connectionState === 'connected'")
        return self

    def ready(self) -> None:
        """Idle, whatever a call before has left."""
        if self.button("Hang up").is_visible():
            self.click("Hang up")
            expect(self.status).not_to_have_text("Talking")
        if self.button("Start answering").is_visible():
            self.click("Start answering")
        if self.button("Sign in").is_visible():  # on break, from a mobile
            self.click("Sign in")
        elif self.status.text_content() in ("Break", "Mobile answer"):
            self.click("Idle")
        self.is_("Idle")

    def answer(self) -> None:
        self.click("Answer")
        self.is_("Talking")

    def leave(self) -> None:
        """Signs out, whatever the state, so that the next test meets nobody."""
        with contextlib.suppress(Error, AssertionError):
            if self.button("Hang up").is_visible():
                self.click("Hang up")
                self.is_("After-call work")
            if self.button("Sign out").is_visible():
                self.click("Sign out")
                self.is_("Signed out")
        self.context.close()
        assert self.problems == []

    # --- as an instrument ---------------------------------------------------------------------------------------

    def listen(self) -> Heard:
        return Heard(*self.page.evaluate("() => probe.listen()"))

    def hears(self, hertz: float | None, seconds: float = 8.0) -> Heard:
        """Waits until the page hears that tone, or silence where None. Raises AssertionError."""
        deadline = time.monotonic() + seconds
        while True:
            heard = self.listen()
            if heard.db < -70 if hertz is None else abs(heard.hertz - hertz) < 5 and heard.db > -40:
                return heard
            assert time.monotonic() < deadline, f"it hears {heard}, not {hertz} Hz"
            self.page.wait_for_timeout(50)

    def received(self) -> dict[str, float]:
        figures: dict[str, float] = self.page.evaluate("() => probe.received()")
        return figures

    def until(self, expression: str, seconds: float = PATIENCE_MS / 1000) -> None:
        """Waits for an expression to be true; the page's policy forbids Playwright's own way."""
        deadline = time.monotonic() + seconds
        while not self.page.evaluate(f"() => Boolean({expression})"):
            assert time.monotonic() < deadline, f"not so within {seconds:g} s: {expression}"
            self.page.wait_for_timeout(20)

    def ask(self, script: str) -> Any:
        return self.page.evaluate(script)
