"""The bench of density: its verdict, what it records, and a run of each scene through the real process."""

import numpy as np
import pytest
import trio
from attrs import evolve
from cordboard.bench.alone import libopus_alone, opus, srtp_alone
from cordboard.bench.density import SCENES, Density, measure, picture, table
from cordboard.bench.probe import spin
from cordboard.bench.recorded import Recorded
from cordboard.bench.weigh import Weighed, checked
from cordboard.bench.whom import FRAMES, TONES, Verdict, judge, leg_of, tone_of, tone_pcm, tones_in
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

WEIGHED = Weighed(
    cpu_percent_per_leg=0.03,
    series=((3.0, 5.0, 6.0, 18.0), (3.1, 5.2, 6.4, 18.2)),
    ticks=1000,
    late_ticks=1,
    sent_to_switch=1000,
    received_by_switch=1000,
    sent_by_switch=1010,
    received_by_legs=1010,
    heard=1.0,
    gaps=0,
    load_stall_ms=3.0,
    load_late_ms=2.0,
    checked=60,
    wrongly_heard=(),
    broken=(),
    memory_kb=100_000,
    stolen=(0.1, 0.4),
    encoding_percent=0.3,
)
FOUND = Density(
    "2026-01-01 00:00 UTC", "a machine", 2, "3.11", "full", 600, 20.0, 0.016, 0.0, 0.0, 0.016, 1.9, 2.5, 0.0, WEIGHED
)  # fmt: skip


def test_the_verdict() -> None:
    assert FOUND.problems == []
    assert "600 legs (full)" in picture(FOUND)
    assert table(FOUND).row_count == 12
    slow = evolve(FOUND, times=2.1, weighed=evolve(WEIGHED, cpu_percent_per_leg=0.06))
    assert slow.problems == [
        "the legs take 2.1 times what they are held against, more than 2.0",
        "a leg takes 0.06 % of a core, more than 0.05",
    ]
    pages = evolve(FOUND, scene="opus", times=1.3, libopus_percent_per_leg=0.02, cores=1.6)
    assert table(pages).row_count == 13
    assert pages.problems == ["two cores hold 1.6 times the legs of one, less than 1.7"]
    wrong, broken = ("leg 1 did not hear leg 0",), ("leg 3 heard [1218] Hz for [1225]",)
    lossy = evolve(WEIGHED, late_ticks=2, gaps=1, received_by_legs=1009, wrongly_heard=wrong, broken=broken)
    assert evolve(FOUND, weighed=lossy).problems == [
        "2 of 1000 ticks were late, more than 0.1 %",
        "1 pauses of 60 ms",
        "1 packets are not there",
        "1 legs heard whom they should, with breaks: leg 3 heard [1218] Hz for [1225]",
        "leg 1 did not hear leg 0",
    ]
    late = evolve(WEIGHED, broken=broken, load_late_ms=33.0)
    assert evolve(FOUND, weighed=late).problems == [], "who comes later than a playout waits for is heard with breaks"


def test_whom_a_leg_hears_is_known_by_tones() -> None:
    assert len({tone_of(leg) for leg in range(600)}) == 600
    assert min(abs(tone_of(leg) - tone_of(leg + 1)) for leg in range(600)) > 100
    both = (tone_pcm(4).astype(np.int32) + tone_pcm(5)).astype(np.int16)
    assert tones_in(both) == sorted((tone_of(4), tone_of(5)))
    assert [leg_of(tone_of(leg)) for leg in range(TONES)] == list(range(TONES))
    assert judge({"3": tones_in(both)}, 3) == Verdict((), ())
    assert judge({"3": [tone_of(4)]}, 3) == Verdict(("leg 3 did not hear leg 5",), ())
    wrong = judge({"3": sorted((tone_of(4), tone_of(5), tone_of(9), 1501))}, 3).wrong
    assert wrong == (f"leg 3 heard 1501 Hz, which is no leg's, heard leg 9 ({tone_of(9)} Hz)",)
    assert judge({"3": [tone_of(4) - 12, tone_of(4), tone_of(5)]}, 3).wrong == ()
    assert checked(60, 3) == tuple(range(60))
    assert checked(600, 2) == (*range(20), *range(580, 600))


@pytest.mark.parametrize("lost", [1, 4, 25])
@pytest.mark.parametrize("what", ["left out", "waited for", "silence"])
def test_a_tone_with_breaks_is_nobody_elses_and_hides_nobody(what: str, lost: int) -> None:
    """What lateness makes of a second of sound, in so many of its 50 frames."""
    chance = np.random.default_rng(lost)

    def second(leg: int) -> NDArray[np.int32]:
        frames, at, heard = tone_pcm(leg).reshape(FRAMES, -1).astype(np.int32), 0, []
        gone = set(chance.choice(FRAMES, lost, replace=False).tolist())
        for n in range(FRAMES):
            here = 0 * frames[0] if n in gone and what != "left out" else frames[at % FRAMES]
            heard.append(here)
            at += 2 if n in gone and what == "left out" else n not in gone or what == "silence"
        return np.concatenate(heard)

    broken = 0
    for leg in range(0, 300, 6):
        heard = second(leg + 1) + second(leg + 2)
        verdict = judge({str(leg): tones_in(heard.astype(np.int16))}, 3)
        assert verdict.wrong == ()
        broken += len(verdict.broken)
        stranger = leg + 4
        (told,) = judge({str(leg): tones_in((heard + tone_pcm(stranger)).astype(np.int16))}, 3).wrong
        assert f"heard leg {stranger} (" in told
    assert broken or what == "silence"


def test_the_bare_loops_do_what_a_tick_does() -> None:
    for loop in (opus(2), libopus_alone(2), srtp_alone(2)):
        for number in range(3):
            loop(number)


def test_the_probe_sees_no_more_than_there_is() -> None:
    percent, longest = spin(0.05)
    assert percent >= 0
    assert longest >= 0


@pytest.mark.parametrize("codec", ["pcmu", "opus"])
def test_recorded_packets_go_through_the_engine(codec: str) -> None:
    recorded = Recorded("opus" if codec == "opus" else "pcmu", 3, 12)
    recorded.run()
    assert recorded.sent >= 3 * 12
    assert recorded.engine.counters["packets_received"] == 3 * 12


@pytest.mark.long
@pytest.mark.parametrize("scene", SCENES)
def test_every_packet_of_a_few_legs_is_there_and_all_hear_whom_they_should(scene: str) -> None:
    """How much it costs, only a quiet machine can say."""
    with Progress(disable=True) as progress:
        found = trio.run(measure, scene, 6, 4.0, progress)
    Console().print(table(found))
    assert found.lost == 0
    assert found.weighed.wrongly_heard == ()
    assert found.weighed.checked == found.legs
