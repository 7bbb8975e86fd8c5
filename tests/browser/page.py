"""A page in a real, headless Chromium that makes calls: a tone goes out, and what comes back is measured there."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from attrs import frozen
from playwright.sync_api import Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
# How much louder than its quietest 10 ms the loudest of a steady tone may be; of what is made up they are far apart.
STEADY = 1.1
ARGUMENTS = [
    "--no-sandbox",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
]

# `offer` sends a sine of that frequency; `connect` takes the answer; `listen` says what is heard, of the last 170 ms:
# the loudest frequency, the level of all, and the lowest and highest level of 10 ms.
SCRIPT = """
window.calls = {};
window.offer = async (name, frequency) => {
  const context = window.audio ??= new AudioContext({sampleRate: 48000});
  await context.resume();
  const oscillator = new OscillatorNode(context, {frequency});
  const gain = new GainNode(context, {gain: 0.25});
  const out = new MediaStreamAudioDestinationNode(context);
  oscillator.connect(gain).connect(out);
  oscillator.start();
  const pc = new RTCPeerConnection();
  const call = calls[name] = {pc, gain};
  pc.ontrack = ({track}) => {
    const stream = new MediaStream([track]);
    call.element = new Audio();   // WebAudio is silent for a remote stream that plays nowhere
    call.element.srcObject = stream;
    call.element.volume = 0;
    call.element.play();
    call.analyser = new AnalyserNode(context, {fftSize: 8192, smoothingTimeConstant: 0});
    new MediaStreamAudioSourceNode(context, {mediaStream: stream}).connect(call.analyser);
  };
  pc.addTrack(out.stream.getAudioTracks()[0], out.stream);
  await pc.setLocalDescription();
  return pc.localDescription.sdp;
};
window.connect = async (name, sdp) => {
  const {pc} = calls[name];
  const begun = performance.now();
  const connected = new Promise((resolve, reject) => {
    pc.onconnectionstatechange = () => {
      if (pc.connectionState === 'connected') resolve(performance.now() - begun);
      if (pc.connectionState === 'failed') reject(new Error('failed'));
    };
    setTimeout(() => reject(new Error(pc.iceConnectionState + ' ' + pc.connectionState)), 15000);
  });
  await pc.setRemoteDescription({type: 'answer', sdp});
  return await connected;
};
window.listen = (name) => {
  const {analyser} = calls[name];
  const bins = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(bins);
  const wave = new Float32Array(analyser.fftSize);
  analyser.getFloatTimeDomainData(wave);
  let best = 0;
  for (let i = 1; i < bins.length; i++) if (bins[i] > bins[best]) best = i;
  const level = (part) => Math.sqrt(part.reduce((sum, x) => sum + x * x, 0) / part.length);
  const levels = [];
  for (let i = 0; i + 480 <= wave.length; i += 480) levels.push(level(wave.subarray(i, i + 480)));
  return [best * 48000 / analyser.fftSize, level(wave), Math.min(...levels), Math.max(...levels)];
};
window.press = (name, keys) => calls[name].pc.getSenders()[0].dtmf.insertDTMF(keys, 100, 70);
window.silence = (name, silent) => { calls[name].gain.gain.value = silent ? 0 : 0.25; };
// The DTLS transport's state: a goodbye shows there at once, in connectionState only when ICE has failed too.
window.state = (name) => calls[name].pc.getSenders()[0].transport.state;
window.stats = async (name) => {
  const stats = await calls[name].pc.getStats();
  return Object.fromEntries([...stats.values()].map((one) => [one.type, one]));
};
window.hangUp = (name) => calls[name].pc.close();
"""


@frozen
class Heard:
    """What a page hears now: the loudest frequency in Hz, and the root mean square of all (a full sine has 0.707), of
    its quietest and of its loudest 10 ms."""

    frequency: float
    level: float
    quietest: float
    loudest: float


class Phone:
    """A page's calls, by name."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def offer(self, name: str, frequency: float) -> str:
        sdp: str = self.page.evaluate("([name, frequency]) => offer(name, frequency)", [name, frequency])
        return sdp

    def connect(self, name: str, answer: str) -> float:
        """Milliseconds from the answer to `connected`."""
        took: float = self.page.evaluate("([name, sdp]) => connect(name, sdp)", [name, answer])
        return took

    def listen(self, name: str) -> Heard:
        return Heard(*self.page.evaluate("name => listen(name)", name))

    def silence(self, name: str, silent: bool = True) -> None:
        self.page.evaluate("([name, silent]) => silence(name, silent)", [name, silent])

    def press(self, name: str, keys: str) -> None:
        """Sends these keys one after the other, 100 ms each and 70 ms between them (RTCDTMFSender)."""
        self.page.evaluate("([name, keys]) => press(name, keys)", [name, keys])

    def hears(self, name: str, frequency: float | None, seconds: float = 5.0) -> bool:
        """Whether within that time the page hears this tone, or silence where None, twice 200 ms apart."""
        twice = 0
        for _ in range(int(seconds / 0.2)):
            heard = self.listen(name)
            right = (
                heard.level < 0.001
                if frequency is None
                else (abs(heard.frequency - frequency) < 15 and heard.level > 0.01)
            )
            twice = twice + 1 if right else 0
            if twice == 2:
                return True
            self.page.wait_for_timeout(200)
        return False

    def steady(self, name: str, frequency: float, seconds: float = 10.0) -> Heard:
        """This tone, where none of what is heard was made up: waits until its level is the same throughout.

        A browser that a crowded machine keeps from its microphone sends nothing for 0.4 s and then all at once, and
        whoever hears it fills that in: fading, silent, and rising again. No level is measured in that, and a level that
        is wrong is wrong in a steady tone too. Raises AssertionError.
        """
        end = time.monotonic() + seconds
        while True:
            heard = self.listen(name)
            if abs(heard.frequency - frequency) < 15 and heard.quietest * STEADY > heard.loudest:
                return heard
            assert time.monotonic() < end, f"{name} hears no steady tone of {frequency:g} Hz, but {heard}"
            self.page.wait_for_timeout(20)

    def state(self, name: str) -> str:
        state: str = self.page.evaluate("name => state(name)", name)
        return state

    def until(self, condition: Callable[[], bool], seconds: float = 10.0) -> bool:
        """Whether it comes true within that time."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() >= end:
                return False
            self.page.wait_for_timeout(20)
        return True

    def stats(self, name: str) -> dict[str, dict[str, object]]:
        """What getStats says, one of each type."""
        stats: dict[str, dict[str, object]] = self.page.evaluate("name => stats(name)", name)
        return stats

    def hang_up(self, name: str) -> None:
        self.page.evaluate("name => hangUp(name)", name)


@contextlib.contextmanager
def chromium() -> Iterator[Phone]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=ARGUMENTS, ignore_default_args=["--mute-audio"]
        )
        try:
            page = browser.new_page()
            page.goto("about:blank")
            page.evaluate("() => {" + SCRIPT + "}")
            yield Phone(page)
        finally:
            browser.close()
