"""What the network does to a stream, and what is heard of it."""

from typing import Protocol

import numpy as np
import pytest
from cordboard.codecs.g711 import Pcm
from cordboard.switch import protocol
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import TICK, Far, World


class Echo(Protocol):
    """Makes a world, and in it a far side that hears its own 400 Hz."""

    def __call__(
        self, seed: int = 1, sequence: int | None = None, timestamp: int | None = None
    ) -> tuple[World, Far]: ...


@pytest.fixture
def echo(new_world: type[World]) -> Echo:
    def make(seed: int = 1, sequence: int | None = None, timestamp: int | None = None) -> tuple[World, Far]:
        world = new_world(seed)
        far = world.far("a", 4000)
        far.says(400)
        if sequence is not None and timestamp is not None:
            far.sequence, far.timestamp = sequence, timestamp
        world.hears(a=["a"])
        return world, far

    return make


def clicks(pcm: Pcm, hertz: float = 400, amplitude: float = 8000) -> int:
    """How many steps are larger than 2.5 times the steepest of the tone itself, mu-law included."""
    return int((np.abs(np.diff(pcm.astype(int))) > 2.5 * amplitude * 2 * np.pi * hertz / 8000).sum())


def concealed(world: World) -> float:
    return sum(report.concealed_ms for report in world.all(protocol.LegQuality))


@pytest.mark.parametrize("seed", range(8))
def test_a_clean_network_is_played_whole_with_little_delay(echo: Echo, seed: int) -> None:
    world, far = echo(seed)
    world.run(10)
    assert concealed(world) == 0
    assert far.tones() == [400]
    assert clicks(far.heard(8)) == 0
    assert world.all(protocol.LegQuality)[-1].delay_ms <= 40


@pytest.mark.parametrize("ptime", [5, 10, 15, 20, 25, 30, 35, 40, 60, 100, 180])
def test_any_packet_time(echo: Echo, ptime: int) -> None:
    world, far = echo()
    far.ptime = ptime
    world.run(8)
    assert far.tones() == [400]
    assert clicks(far.heard(4)) == 0
    assert concealed(world) <= 40


def test_who_turns_to_packets_of_another_length_is_heard_on(echo: Echo) -> None:
    world, far = echo()
    for ptime in (20, 15, 20, 30, 5, 20):
        far.ptime = ptime
        world.run(3)
        assert far.tones() == [400], ptime
    assert concealed(world) <= 200


@pytest.mark.parametrize(("sequence", "timestamp"), [(65500, 2**32 - 5000), (0, 2**31 - 5000), (65535, 2**32 - 80)])
def test_counters_wrap(echo: Echo, sequence: int, timestamp: int) -> None:
    world, far = echo(sequence=sequence, timestamp=timestamp)
    world.run(6)
    assert concealed(world) == 0
    assert clicks(far.heard(5)) == 0


@pytest.mark.parametrize("seed", range(4))
def test_jitter_within_60_ms_settles(echo: Echo, seed: int) -> None:
    world, far = echo(seed)
    world.delay = lambda _: world.rng.uniform(0.0, 0.060)
    world.run(8)
    before = concealed(world)
    world.run(10)
    assert concealed(world) - before <= 200  # 2 % of 10 s
    assert far.tones() == [400]
    assert world.all(protocol.LegQuality)[-1].delay_ms < 90


def test_delay_rises_in_jitter_and_falls_when_the_network_is_calm_again(echo: Echo) -> None:
    world, _ = echo()
    levels = []
    for seconds, jitter in ((10, 0.0), (20, 0.060), (25, 0.0)):
        world.do(protocol.Ping(1))
        world.delay = lambda _, jitter=jitter: 0.005 + world.rng.uniform(0.0, jitter)  # type: ignore[misc]
        world.run(seconds)
        levels.append([report.delay_ms for report in world.all(protocol.LegQuality)])
        world.facts.clear()
    for name, level in zip(("clean", "60 ms jitter", "clean again"), levels, strict=True):
        print(f"{name}: delay each 2 s, ms: {' '.join(f'{one:.0f}' for one in level)}")
    clean, rough, again = (level[-1] for level in levels)
    assert clean < 30
    assert clean + 20 < rough < 90
    assert again < 40


@pytest.mark.parametrize("ticks", [6, 15, 50])
def test_a_stop_of_our_own_is_over_when_it_is_over(echo: Echo, ticks: int) -> None:
    """The machine stood still, and what came meanwhile was dated by the kernel. Nobody's sound is later for it."""
    world, far = echo()
    world.run(4)
    before = world.all(protocol.LegQuality)[-1].delay_ms
    world.engine.skip(ticks)
    for _ in range(ticks):
        world.now += TICK
        far.speak(world.now)
    world.facts.clear()
    world.run(6)
    assert [report.delay_ms for report in world.all(protocol.LegQuality)] == pytest.approx([before] * 3, abs=1.0)
    assert concealed(world) <= 40
    assert clicks(far.heard(5)) == 0


def test_idle_delay_is_let_go_in_pauses(echo: Echo) -> None:
    """The tone turns over in a frame: two frames made into one would be a hole in the word."""
    world, far = echo()
    word, pause = 8 * 600, 8 * 200
    far.source = lambda n: (8000 * np.sin(2 * np.pi * 425 * n / 8000) * (n % (word + pause) < word)).astype(np.int16)
    world.delay = lambda _: world.rng.uniform(0.0, 0.120)
    world.run(10)
    high = world.all(protocol.LegQuality)[-1].delay_ms
    world.delay = lambda _: 0.005
    world.run(20)
    assert high > 60
    assert world.all(protocol.LegQuality)[-1].delay_ms < 40
    loud = np.abs(far.heard(19).reshape(-1, 40).astype(int)).max(axis=1) > 4000
    edges = np.flatnonzero(np.diff(loud))
    words = np.diff(edges)[int(loud[0]) :: 2] * 5  # ms
    assert min(words) >= 580


def test_duplicates_and_reordering_are_not_heard(echo: Echo) -> None:
    world, far = echo()
    world.delay = lambda _: world.rng.choice([0.004, 0.004, 0.004, 0.026])
    world.run(6)
    world.twice = lambda _: True
    before = concealed(world)
    world.run(10)
    assert concealed(world) == before
    assert clicks(far.heard(10)) == 0


def test_loss_is_concealed_without_clicks(echo: Echo) -> None:
    world, far = echo(3)
    world.lost = lambda _: world.rng.random() < 0.05
    world.run(20)
    assert far.tones() == [400]
    assert clicks(far.heard(18)) == 0


# What becomes of one packet: how much later it comes, whether it is lost, whether it comes twice.
FATES = st.lists(
    st.tuples(
        st.one_of(st.just(0.0), st.floats(0.0, 0.08), st.floats(0.0, 0.6)),
        st.sampled_from(["came", "came", "came", "lost", "twice"]),
    ),
    min_size=20,
    max_size=100,
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FATES)
def test_any_order_of_packets_is_heard_as_a_bounded_and_continuous_signal(
    echo: Echo, fates: list[tuple[float, str]]
) -> None:
    world, far = echo()
    fate = (0.0, "came")
    told = iter(fates)

    def twice(_: Far) -> bool:
        nonlocal fate
        fate = next(told, (0.0, "came"))
        return fate[1] == "twice"

    world.twice = twice
    world.lost = lambda _: fate[1] == "lost"
    world.delay = lambda _: 0.005 + fate[0]
    world.run(0.02 * len(fates) + 1.2)
    pcm = far.heard()
    assert np.abs(pcm).max() <= 8000 * 1.05
    assert clicks(pcm) == 0
    assert np.abs(pcm[-1600:].reshape(-1, 160)).max(axis=1).min() > 7500


def test_a_lost_second_is_silence_and_then_the_stream(echo: Echo) -> None:
    world, far = echo()
    world.run(2)
    world.lost = lambda _: True
    world.run(0.8)
    assert not far.heard(0.5).any()
    world.lost = lambda _: False
    world.run(1.2)
    assert far.tones() == [400]


def test_a_new_ssrc_with_new_counters_is_the_same_call(echo: Echo) -> None:
    world, far = echo()
    world.run(2)
    far.ssrc, far.sequence, far.timestamp = 99, 5, 2**31
    world.run(1)
    far.says(700)
    far.timestamp = far.timestamp - 2**30 & 0xFFFFFFFF
    world.run(2)
    assert far.tones() == [700]
    assert clicks(far.heard(1)) == 0


def test_a_timestamp_that_jumps_back_a_little_heals(echo: Echo) -> None:
    world, far = echo()
    world.run(2)
    far.timestamp = far.timestamp - 3200 & 0xFFFFFFFF
    world.run(4)
    assert far.tones() == [400]


@pytest.mark.parametrize("parts_per_million", [-1000, 1000])
def test_a_drifting_clock_costs_a_frame_now_and_then(echo: Echo, parts_per_million: float) -> None:
    world, far = echo()
    far.slow = parts_per_million
    world.run(60)
    # 60 ms of drift, which a real clock takes five minutes for: a few frames dropped or held, and a delay that stays.
    assert concealed(world) <= 200
    assert world.all(protocol.LegQuality)[-1].delay_ms < 60
    assert clicks(far.heard(50)) == 0


def test_a_stall_is_caught_up(echo: Echo) -> None:
    world, far = echo()
    world.run(2)
    held = world.now

    def until_released(far: Far) -> float:
        assert far.next_at is not None
        return max(0.005, held + 0.3 - far.next_at)

    world.delay = until_released
    world.run(0.3)
    world.delay = lambda _: 0.005
    world.run(15)
    assert far.tones() == [400]
    assert world.all(protocol.LegQuality)[-1].delay_ms < 200
    world.run(40)
    assert world.all(protocol.LegQuality)[-1].delay_ms < 60


def test_a_burst_of_one_leg_is_bounded(echo: Echo) -> None:
    world, far = echo()
    world.run(1)
    flood = [
        (far.to, far.name, far.packet(bytes(160), sequence=far.sequence + i & 0xFFFF), world.now) for i in range(200)
    ]
    world.receive(*flood)
    world.run(2)
    assert far.tones() == [400]
