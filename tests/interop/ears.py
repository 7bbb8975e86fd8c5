"""Who hears whom, by tones: everybody gives one of its own, and each 40 ms at each ear show whose are in them.

An ear is a customer's telephone, an agent's page, or what baresip writes down. While nothing changes each window at
each ear has exactly the voices that it should, and all others are at -40 dB or less. From one standing to the next no
voice is heard that belongs to neither: it is at -20 dB or less in every window, since what begins or ends, and where a
browser stretches what it plays, has every frequency for a moment; and above -40 dB in no two of them in a row. Words
that the switch says have every frequency too: in them no voice may be heard as it is given.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from attrs import define, field, frozen
from numpy.typing import NDArray
from playwright.sync_api import Error

from . import sound
from .caller import EVENT, PCMU, Caller
from .chromium import Agent

# No one is near a harmonic of another. The last two are the switch's: music of the queue, and ringing as in China.
VOICES: Final = {
    "customer": 1237.0,
    "lin": 1013.0,
    "maya": 1561.0,
    "outside": 2143.0,
    "music": 2711.0,
    "ringing": 450.0,
}
PARTIES: Final = ("customer", "lin", "maya", "outside")
AMPLITUDE: Final = 8000.0
WINDOW: Final = 320  # samples, 40 ms
# Of a voice as it is given, in dB: it is there; it is not; it is not, for a moment, or in words; what is a change.
THERE, ABSENT, BLURRED, IN_WORDS, STEP = -12.0, -40.0, -20.0, -6.0, 6.0
# What is louder than this in dBFS and not for the most part voices is words, or noise.
QUIET, PURE = -50.0, 0.8
STEADY_S = 0.4

# What is at a page's ear: [milliseconds since the epoch, mean square, amplitude of each voice], of all that comes.
SCRIPT: Final = f"""
window.ears = {{
  hertz: {list(VOICES.values())},
  windows: [],
  track: null,
  async follow() {{
    for (;;) {{
      const track = window.cordboard?.peer?.getReceivers()[0]?.track;
      if (track && track !== this.track) {{
        this.track = track;
        this.read(track);
      }}
      await new Promise((done) => setTimeout(done, 20));
    }}
  }},
  async read(track) {{
    const reader = new MediaStreamTrackProcessor({{ track }}).readable.getReader();
    let wave = [];
    for (;;) {{
      const {{ done, value }} = await reader.read();
      if (done || track !== this.track) return;
      const part = new Float32Array(value.numberOfFrames);
      value.copyTo(part, {{ planeIndex: 0, format: 'f32-planar' }});
      const size = value.sampleRate / 25;
      const rate = value.sampleRate;
      value.close();
      wave.push(...part);
      for (; wave.length >= size; wave = wave.slice(size))
        this.windows.push([performance.timeOrigin + performance.now(), ...this.measure(wave.slice(0, size), rate)]);
    }}
  }},
  measure(wave, rate) {{
    const hann = wave.map((_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / wave.length));
    const amplitudes = this.hertz.map((hertz) => {{
      let [re, im] = [0, 0];
      wave.forEach((x, n) => {{
        const turn = (2 * Math.PI * hertz * n) / rate;
        re += hann[n] * x * Math.cos(turn);
        im += hann[n] * x * Math.sin(turn);
      }});
      return (4 * Math.hypot(re, im)) / wave.length;
    }});
    return [wave.reduce((sum, x) => sum + x * x, 0) / wave.length, ...amplitudes];
  }},
}};
ears.follow();
"""


@frozen
class Windows:
    """When each was heard (`time.time()` of its end), how loud each voice is in it, in dB of the voice as it is given,
    float64 [n, voices], and whether it has much else."""

    at: NDArray[np.float64]
    db: NDArray[np.float64]
    other: NDArray[np.bool_]

    @classmethod
    def of(cls, at: NDArray[np.float64], power: NDArray[np.float64], amplitudes: NDArray[np.float64]) -> Windows:
        """`power`: mean squares; both of a full scale of 1."""
        voices = np.square(amplitudes).sum(axis=1) / 2
        loud = 10 * np.log10(power + 1e-12) > QUIET
        db = 20 * np.log10(amplitudes / (AMPLITUDE / 32768) + 1e-6)
        return cls(at, db, loud & (voices < PURE * power))

    @classmethod
    def of_pcm(cls, at: NDArray[np.float64], pcm: NDArray[np.int16]) -> Windows:
        """`pcm`: int16 [n, WINDOW], 8 kHz."""
        wave = pcm / 32768.0
        hann = np.hanning(WINDOW + 1)[:-1]
        turns = np.exp(-2j * np.pi * np.outer(np.arange(WINDOW) / sound.RATE, list(VOICES.values())))
        return cls.of(at, np.square(wave).mean(axis=1), 4 / WINDOW * np.abs((wave * hann) @ turns))

    def since(self, when: float) -> Windows:
        later = self.at > when
        return Windows(self.at[later], self.db[later], self.other[later])

    def __str__(self) -> str:
        def told(row: NDArray[np.float64], other: bool) -> str:
            there = [f"{name} {db:.0f}" for name, db in zip(VOICES, row, strict=True) if db > ABSENT]
            return "+".join([*there, *(["words"] if other else [])]) or "-"

        return ", ".join(told(row, bool(other)) for row, other in zip(self.db, self.other, strict=True))


class Ear(Protocol):
    def hears(self, since: float) -> Windows:
        """What it has heard since then."""


@frozen
class CustomerEar:
    caller: Caller

    def hears(self, since: float) -> Windows:
        packets = [each for each in self.caller.between(since) if each.kind != EVENT]
        pairs = len(packets) // 2
        pcm = [sound.decode(each.payload, ulaw=each.kind == PCMU) for each in packets[: 2 * pairs]]
        at = np.array([each.at for each in packets[1 : 2 * pairs : 2]])
        return Windows.of_pcm(at, np.concatenate([np.zeros(0, np.int16), *pcm]).reshape(pairs, WINDOW))


@frozen
class PageEar:
    agent: Agent

    def hears(self, since: float) -> Windows:
        try:
            told = self.agent.page.evaluate("(since) => window.ears.windows.filter(([at]) => at > since)", since * 1000)
        except Error:  # the page is being loaded anew
            told = []
        rows = np.array(told, np.float64).reshape(len(told), 2 + len(VOICES))
        return Windows.of(rows[:, 0] / 1000, rows[:, 1], rows[:, 2:])


@frozen
class TelephoneEar:
    """What baresip has written of its newest call."""

    folder: Path

    def hears(self, since: float) -> Windows:
        dumps = sorted(self.folder.glob("dump*dec.wav"), key=lambda one: one.stat().st_mtime_ns)
        pcm = np.frombuffer(dumps[-1].read_bytes()[44:], np.int16) if dumps else np.zeros(0, np.int16)
        now, whole = time.time(), len(pcm) // WINDOW
        ends = now - (len(pcm) - WINDOW * (1 + np.arange(whole))) / sound.RATE
        return Windows.of_pcm(ends, pcm[: whole * WINDOW].reshape(whole, WINDOW)).since(since)


def _columns(names: frozenset[str]) -> list[int]:
    return [n for n, name in enumerate(VOICES) if name in names]


def exactly(windows: Windows, voices: frozenset[str]) -> NDArray[np.bool_]:
    """Of each window: it has these and no others. Music and ringing come and go; who hears music hears words too."""
    must = _columns(voices & {*PARTIES})
    never = _columns(frozenset(VOICES) - voices)
    there = np.all(windows.db[:, must] > THERE, axis=1)
    absent = np.all(windows.db[:, never] < ABSENT, axis=1)
    right = np.where(windows.other, "music" in voices, there & absent)
    return right.astype(np.bool_)


def leaks(windows: Windows, allowed: frozenset[str]) -> Windows:
    """The windows with a voice that is not allowed."""
    if not len(windows.at):
        return windows
    padded = np.maximum(np.pad(windows.db, ((1, 1), (0, 0)), mode="edge"), ABSENT)
    changes = np.abs(np.diff(padded, axis=0)).max(axis=1) > STEP
    still = ~(changes[:-1] | changes[1:] | windows.other)
    never = windows.db[:, _columns(frozenset(PARTIES) - allowed)]
    there = np.pad((never > ABSENT) & still[:, None], ((1, 1), (0, 0)))
    lasts = there[1:-1] & (there[:-2] | there[2:])
    loud = never > np.where(windows.other, IN_WORDS, BLURRED)[:, None]
    bad = np.any(lasts | loud, axis=1)
    return Windows(windows.at[bad], windows.db[bad], windows.other[bad])


@define
class Room:
    """The ears of a call, and what they heard last."""

    ears: dict[str, Ear] = field(factory=dict)
    _before: dict[str, frozenset[str]] = field(factory=dict)
    _since: dict[str, float] = field(factory=dict)

    def has(self, name: str, ear: Ear) -> None:
        """From now on this one listens; nobody is heard there yet."""
        self.ears[name], self._before[name], self._since[name] = ear, frozenset(), time.time()

    def clear(self, *stay: str) -> None:
        """All but these leave, and what was is over."""
        self.ears, before = {}, self.ears
        for name in stay:
            self.has(name, before[name])

    def hears(self, seconds: float = 15.0, **expected: str) -> None:
        """Waits until each of these ears has heard exactly these voices, in one word or several, for `STEADY_S`; and no
        other on the way there. Raises AssertionError."""
        wanted = {name: frozenset(voices.split()) for name, voices in expected.items()}
        deadline = time.monotonic() + seconds
        heard: Mapping[str, Windows] = {}
        while not all(name in heard and self._so(heard[name], voices) for name, voices in wanted.items()):
            assert time.monotonic() < deadline, self._story(heard, wanted)
            time.sleep(0.05)
            heard = {name: self.ears[name].hears(self._since[name]) for name in wanted}
        for name, voices in wanted.items():
            wrong = leaks(heard[name], self._before[name] | voices)
            assert not len(wrong.at), f"{name}, from {set(self._before[name])} to {set(voices)}, heard {wrong}"
            self._before[name], self._since[name] = voices, float(heard[name].at[-1])

    @staticmethod
    def _so(windows: Windows, voices: frozenset[str]) -> bool:
        count = round(STEADY_S * sound.RATE / WINDOW)
        if len(windows.at) < count or not exactly(windows, voices)[-count:].all():
            return False
        music = windows.db[-count:, _columns(frozenset({"music"}))] > ABSENT
        return "music" not in voices or bool((music[:, 0] | windows.other[-count:]).any())

    @staticmethod
    def _story(heard: Mapping[str, Windows], wanted: Mapping[str, frozenset[str]]) -> str:
        told = (f"{name} ({' '.join(sorted(wanted[name])) or 'nobody'}): {each}" for name, each in heard.items())
        return "\n".join(["not heard as it should be:", *(each[-400:] for each in told)])
