"""The bench of quality: what it compares is what was said, and its verdict follows from the figures."""

import numpy as np
import pytest
from cordboard.bench.quality import (
    Found,
    Point,
    by_the_appendix,
    by_the_codec,
    losing,
    picture,
    sentences,
    through_the_switch,
)


def test_without_loss_the_switch_gives_every_sample_of_the_codec_in_time() -> None:
    runs = [losing(sentence, 0.0, 1) for sentence in sentences()[:3]]
    for run, heard in zip(runs, through_the_switch(runs), strict=True):
        assert np.array_equal(heard, by_the_codec(run.sentence))


def test_with_loss_all_that_came_is_in_its_place() -> None:
    runs = [losing(sentences()[0], 0.05, seed) for seed in range(3)]
    for run, heard in zip(runs, through_the_switch(runs), strict=True):
        assert run.lost.any()
        # The first half of a frame after a loss is cross-faded.
        kept = ~run.lost & ~np.roll(run.lost, 1)
        kept[0] = not run.lost[0]
        assert np.array_equal(heard[kept], by_the_codec(run.sentence)[kept])


def test_pesq_hears_the_difference_that_loss_makes_and_none_between_us_and_the_appendix() -> None:
    package = pytest.importorskip("pesq", reason="PESQ is not installed: pip install 'cordboard[bench]'")
    sentence = sentences()[0]
    run = losing(sentence, 0.05, 1)
    (heard,) = through_the_switch([run])
    clean, ours, theirs = (
        package.pesq(8000, sentence.reshape(-1), sound.reshape(-1), "nb")
        for sound in (by_the_codec(sentence), heard, by_the_appendix(run))
    )
    print(f"PESQ: codec {clean:.2f}, with 5 % loss {ours:.2f}, Appendix I {theirs:.2f}")
    assert ours < clean - 0.2
    assert abs(ours - theirs) < 0.3  # of one sentence and one seed


def test_the_verdict() -> None:
    def found(*points: Point) -> Found:
        return Found("2026-01-01 00:00 UTC", "a machine", "3.11", "voices", 16, 20, 4.2, points)

    good = found(Point(0, 4.15, 4.2, 16), Point(1, 3.0, 4.0, 320), Point(3, 3.5, 3.55, 320))
    assert good.problems == []
    assert found(Point(0, 4.05, 4.2, 16)).problems == ["clean: 4.05, and the bare codec has 4.20"]
    assert found(Point(5, 3.2, 3.4, 320)).problems == ["5 % loss: 3.20, and Appendix I 3.40"]
    assert "the switch" in picture(good)
