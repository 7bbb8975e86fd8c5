"""What a customer hears from moment to moment: the agent, something else, or nothing.

The agent's microphone speaks one steady tone, so that 60 ms are enough to tell it from music and prompts, and speech
within a prompt from the agent's voice.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from itertools import groupby

import numpy as np
from attrs import frozen

from . import sound
from .caller import FRAME, PCMU, Caller
from .sound import Pcm

VOICE = 1000.0  # hertz
FRAMES = 3  # looked at together
SILENT_DB = -50.0
# Of a sound's power that is at one frequency: a tone that Opus and G.711 carried has more, music and speech have less.
PURE = 0.8


class Heard(Enum):
    AGENT = "the agent"
    OTHER = "something else"
    NOTHING = "nothing"


@frozen
class Span:
    """Of one sound without a break; times are those of the packets' arrival."""

    heard: Heard
    begin: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.begin

    def __str__(self) -> str:
        return f"{self.heard.value} {self.seconds:.2f} s"


def purity(pcm: Pcm, hertz: float) -> float:
    """The share of the power that is at `hertz`."""
    wave = np.exp(-2j * np.pi * hertz * np.arange(len(pcm)) / sound.RATE)
    amplitude = 2 * abs(np.dot(pcm, wave)) / len(pcm)
    power = float(np.mean(np.square(pcm, dtype=np.float64)))
    return float(amplitude**2 / 2 / power) if power else 0.0


def classify(pcm: Pcm) -> Heard:
    if sound.level(pcm) < SILENT_DB:
        return Heard.NOTHING
    return Heard.AGENT if purity(pcm, VOICE) > PURE else Heard.OTHER


def _moments(customer: Caller, begin: float, end: float) -> Iterator[tuple[float, Heard]]:
    packets = [packet for packet in customer.between(begin, end) if len(packet.payload) == FRAME]
    pcm = [sound.decode(packet.payload, ulaw=packet.kind == PCMU) for packet in packets]
    for at in range(FRAMES, len(packets) + 1):
        yield packets[at - 1].at, classify(np.concatenate(pcm[at - FRAMES : at]))


def spans(customer: Caller, begin: float, end: float = float("inf"), *, least: float = 0.1) -> list[Span]:
    """What was heard, in order. Where two sounds meet a moment is neither: what is shorter than `least` is left out."""
    found: list[Span] = []
    for heard, group in groupby(_moments(customer, begin, end), key=lambda moment: moment[1]):
        times = [at for at, _ in group]
        span = Span(heard, times[0], times[-1] + 0.02)
        if span.seconds < least:
            continue
        if found and found[-1].heard is heard:
            span = Span(heard, found[-1].begin, span.end)
            found.pop()
        found.append(span)
    return found


def story(found: list[Span]) -> str:
    return ", ".join(map(str, found))


def longest(found: list[Span], heard: Heard) -> float:
    return max((span.seconds for span in found if span.heard is heard), default=0.0)
