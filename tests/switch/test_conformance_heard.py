"""In the model engine the same hear whom, and how loud, as in the engine.

That one is listened to: every leg speaks and every source is a tone of its own, and what each leg is sent is taken
apart into those tones.
"""

# mypy: allow-untyped-calls
# The far sides of conftest.py have no types.

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from attrs import define, field
from cordboard.codecs.tones import TONE_AMPLITUDE
from cordboard.switch.model import ModelEngine
from cordboard.switch.protocol import CloseLeg, CloseSource, Command, OpenSource, Tone

from .conftest import Far, World
from .test_conformance import rewire, rtp

LOUD = 3000  # what every leg of a story speaks at
SETTLED = 0.3  # seconds after which the jitter buffers play and no edge fades any more


@define
class Listened:
    """The engine's world of far sides and the model; every leg speaks at a frequency of its own."""

    world: World
    model: ModelEngine = field(init=False)
    hertz: dict[str, int] = field(factory=dict)
    fars: dict[str, Far] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        ports = self.world.ports
        self.model = ModelEngine(
            ports=ports, advertise=lambda index, peer: (ports[index].address, ports[index].port), now=self.world.now
        )

    def open(self, leg: str) -> None:
        hertz = self.hertz[leg] = 300 + 200 * len(self.hertz)
        self.fars[leg] = self.world.far(leg, 4000 + 2 * len(self.hertz))
        self.fars[leg].says(hertz, LOUD)
        self.model.command(rtp(leg, 4000 + 2 * len(self.hertz)), self.world.now)

    def source(self, name: str) -> None:
        hertz = self.hertz[name] = 300 + 200 * len(self.hertz)
        self.do(OpenSource(name, Tone(hertz)))

    def do(self, *commands: Command) -> None:
        for command in commands:
            assert self.world.do(command) == self.model.command(command, self.world.now)
            assert self.model.sums() == self.world.engine.sums()
            if isinstance(command, CloseLeg):
                self.world.fars.remove(self.fars.pop(command.leg))

    def compare(self) -> dict[str, Mapping[str, float]]:
        """What every leg hears, which is the same to a tenth."""
        self.world.run(SETTLED)
        heard = {leg: self.tones(far.heard(0.1)) for leg, far in self.fars.items()}
        meant = {leg: self.model.hears(leg) for leg in self.fars}
        for leg, sources in meant.items():
            assert heard[leg] == pytest.approx(sources, abs=0.1), leg
        return meant

    def tones(self, pcm: np.ndarray) -> dict[str, float]:
        """Gain by source: 800 samples have a bin at every 10 Hz."""
        assert len(pcm) == 800
        size = np.abs(np.fft.rfft(pcm)) / 400
        found = {}
        for name, hertz in self.hertz.items():
            gain = float(size[hertz // 10]) / (LOUD if name in self.fars else TONE_AMPLITUDE)
            if gain > 0.1:
                found[name] = gain
        return found


@pytest.fixture
def listened(new_world: Callable[..., World]) -> Listened:
    return Listened(new_world(seed=3))


def test_rooms_echo_gain_and_silence_are_heard_alike(listened: Listened) -> None:
    for leg in "abcd":
        listened.open(leg)
    listened.source("s")
    listened.do(rewire(a=["b", "c"], b=["a", "c"], c=["a", "b"], d=["d", "s"]))
    assert listened.compare()["d"] == {"d": 1.0, "s": 1.0}
    listened.do(rewire(a=[("b", 0.5), ("s", 0.0)], d=[]))
    assert listened.compare()["a"] == {"b": 0.5}
    listened.do(CloseLeg("b"), CloseSource("s"))
    assert listened.compare() == {"a": {}, "c": {"a": 1.0}, "d": {}}
    assert listened.model.audible("a") == ("c",)


@pytest.mark.parametrize("seed", range(5))
def test_any_edits_are_heard_alike(listened: Listened, seed: int) -> None:
    rng = random.Random(seed)
    for leg in "abcde":
        listened.open(leg)
    listened.source("s")
    for _ in range(6):
        who = rng.sample("abcde", rng.randint(1, 3))
        listened.do(rewire(**{each: rng.sample([*"abcde", "s"], rng.randint(0, 4)) for each in who}))
        listened.compare()
