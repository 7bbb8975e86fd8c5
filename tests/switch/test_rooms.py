import numpy as np
import pytest
from cordboard.codecs.bands import SAMPLES, Band
from cordboard.codecs.g711 import Pcm
from cordboard.switch.holdings import Kind, Sums, edge, mark
from cordboard.switch.rooms import TELEPHONE, Reach, Rooms, mix
from numpy.typing import NDArray

G722 = Reach(Band.WIDE, Band.WIDE, Band.WIDE)
RNG = np.random.default_rng(5)
PCM = RNG.integers(-32768, 32767, (64, 160)).astype(np.int16)
REACHES = [TELEPHONE, G722, Reach(Band.FULL, most=Band.FULL), Reach(Band.WIDE, most=Band.FULL), Reach(Band.FULL)]
SPEAKING = np.ones(64, np.bool_)
MARKS = [mark(Kind.LEG, str(row)) for row in range(64)]


def heard(rooms: Rooms, pcm: Pcm = PCM, speaking: NDArray[np.bool_] = SPEAKING) -> dict[int, tuple[Pcm, bool]]:
    plans = rooms.plans()
    found = {}
    for plan in plans.bands:
        times = SAMPLES[plan.band] // 160
        got = mix(plan, np.repeat(pcm, times, axis=1), speaking)
        assert got.band == plan.band
        assert got.pcm.shape == (len(got.listeners), SAMPLES[plan.band])
        for i, row in enumerate(got.listeners):
            found[int(row)] = got.pcm[i][::times], bool(got.audible[i])
    return found


def by_definition(edges: dict[int, float], pcm: Pcm = PCM) -> NDArray[np.int_]:
    parts = [np.rint(pcm[row].astype(np.float32) * np.float32(gain)).astype(int) for row, gain in edges.items()]
    total: NDArray[np.int_] = np.sum(parts, axis=0)
    return np.clip(total, -32768, 32767)


@pytest.mark.parametrize("seed", range(20))
def test_any_edges_are_mixed_as_defined(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rooms = Rooms(MARKS)
    edges: dict[int, dict[int, float]] = {}
    for _ in range(120):  # edits, so that plans are remade from what earlier ones left
        if rng.random() < 0.2:
            rooms.tune(int(rng.integers(0, 30)), REACHES[int(rng.integers(len(REACHES)))])
        if rng.random() < 0.2:
            rooms.turn(rooms.plans().turning)
            assert not len(rooms.plans().turning)
        if rng.random() < 0.2:
            gone = int(rng.integers(0, 30))
            rooms.remove(gone)
            edges.pop(gone, None)
            edges = {to: {row: gain for row, gain in one.items() if row != gone} for to, one in edges.items()}
            continue
        first = int(rng.integers(0, 3)) * 10
        room = [first + i for i in range(int(rng.integers(1, 10)))]
        for listener in room:
            gain = float(rng.choice([1.0, 1.0, 1.0, 0.5, 0.0]))
            some = {row: gain for row in room if row != listener or rng.random() < 0.1}
            rooms.hear(listener, some)
            edges[listener] = {row: g for row, g in some.items() if g}
    got = heard(rooms)
    assert set(got) == {to for to, one in edges.items() if one}
    for listener, (frame, audible) in got.items():
        assert audible
        assert np.array_equal(frame, by_definition(edges[listener]))
    assert rooms.edges == sum(map(len, edges.values()))
    sums = Sums()
    for listener, one in edges.items():
        for row, gain in one.items():
            sums.add(MARKS[listener], edge(MARKS[listener], MARKS[row], gain))
    assert rooms.sums.values == sums.values
    assert rooms.plans().heard.tolist() == sorted({row for one in edges.values() for row in one})


def test_a_room_costs_a_sum_and_a_subtraction_each() -> None:
    rooms = Rooms(MARKS)
    for listener in range(20):
        rooms.hear(listener, {row: 1.0 for row in range(20) if row != listener})
    plans = rooms.plans()
    assert plans.bands[0].sums == 1
    assert len(plans.bands[0].shared) == 20
    assert len(plans.bands) == 1


def test_who_is_silent_alone_is_not_audible() -> None:
    rooms = Rooms(MARKS)
    for listener in range(8):
        rooms.hear(listener, {row: 1.0 for row in range(8) if row != listener})
    pcm, speaking = np.zeros((8, 160), np.int16), np.zeros(8, np.bool_)
    pcm[3], speaking[3] = 1000, True
    got = heard(rooms, pcm, speaking)
    assert got[3][1] is False
    assert not got[3][0].any()
    assert all(got[row][1] for row in range(8) if row != 3)


@pytest.mark.parametrize("size", [2, 3, 7])
@pytest.mark.parametrize("loud", [10000, 16384, 32768])
def test_what_is_beyond_16_bits_is_saturated_once(size: int, loud: int) -> None:
    """At any loudness and in rooms of any size: the sum is of whole numbers, and cut when all is in it."""
    rooms = Rooms(MARKS)
    rng = np.random.default_rng(size)
    pcm = rng.integers(-loud, loud, (64, 160)).astype(np.int16)
    pcm[size : 2 * size] //= 50  # beside a room that never is
    rooms.hear(63, {3: 1.0, 1: 1.0})
    edges = {}
    for first in (0, size):
        for listener in range(first, first + size):
            edges[listener] = {row: 1.0 for row in range(first, first + size) if row != listener}
            rooms.hear(listener, edges[listener])
    got = heard(rooms, pcm)
    for listener, one in edges.items():
        assert np.array_equal(got[listener][0], by_definition(one, pcm))


@pytest.mark.parametrize("odd", range(7))
@pytest.mark.parametrize("sign", [-1, 1])
def test_what_is_left_of_a_sum_less_oneself_may_be_beyond_16_bits_though_the_sum_is_not(sign: int, odd: int) -> None:
    rooms = Rooms(MARKS)
    pcm = np.full((64, 160), sign * 6000, np.int16)
    pcm[odd] = -sign * 30000
    edges = {listener: {row: 1.0 for row in range(7) if row != listener} for listener in range(7)}
    for listener, one in edges.items():
        rooms.hear(listener, one)
    got = heard(rooms, pcm)
    assert got[odd][0].tolist() == [32767 if sign > 0 else -32768] * 160
    for listener, one in edges.items():
        assert np.array_equal(got[listener][0], by_definition(one, pcm))


def test_a_room_in_which_all_hear_themselves() -> None:
    rooms = Rooms(MARKS)
    everybody = dict.fromkeys(range(8), 1.0)
    for listener in range(8):
        rooms.hear(listener, everybody)
    got = heard(rooms)
    assert rooms.plans().bands[0].sums == 1
    for listener in range(8):
        assert np.array_equal(got[listener][0], by_definition(everybody))
