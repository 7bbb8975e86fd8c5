"""Concealment against ITU-T G.711 Appendix I, done plainly for one stream, and against an ear's demands."""

import numpy as np
import pytest
from cordboard.bench.appendix import OVERLAP_MAX, concealed, found_pitch
from cordboard.codecs.g711 import Pcm
from cordboard.codecs.plc import HISTORY, Concealer, periods

FRAME = 160


def voices(seed: int, rows: int, frames: int) -> Pcm:
    """Voiced sound of as many talkers, each gliding in pitch, with breath on it: int16 [rows, frames, 160]."""
    rng = np.random.default_rng(seed)
    t = np.arange(frames * FRAME) / 8000
    hertz = rng.uniform(70, 240, (rows, 1)) * (1 + rng.uniform(-0.2, 0.2, (rows, 1)) * t)
    phase = 2 * np.pi * np.cumsum(hertz, axis=1) / 8000
    sound = sum(3000 / k * np.sin(k * phase + rng.uniform(0, 6, (rows, 1))) for k in range(1, 7))
    sound = sound + rng.normal(0, 60, (rows, frames * FRAME))
    return np.clip(np.rint(sound), -32768, 32767).astype(np.int16).reshape(rows, frames, FRAME)


def played(sound: Pcm, lost: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Pcm:
    """All rows at once through one concealer; `lost` bool [rows, frames]. int16 [rows, samples]."""
    rows, frames, _ = sound.shape
    concealer = Concealer(rows)
    out = np.zeros((rows, HISTORY + frames * FRAME), np.int16)
    for i in range(frames):
        end = HISTORY + i * FRAME
        frame = sound[:, i].copy()
        back = np.flatnonzero(~lost[:, i] & (concealer.missing > 0))
        frame[back] = concealer.rejoin(back, frame[back])
        gone = np.flatnonzero(lost[:, i])
        frame[gone] = concealer.conceal(gone, out[gone, end - HISTORY : end])
        out[:, end : end + FRAME] = frame
    return out[:, HISTORY:]


@pytest.mark.parametrize("seed", range(4))
def test_the_pitch_is_the_appendix_s(seed: int) -> None:
    past = voices(seed, 12, 3).reshape(12, -1)[:, -HISTORY:].astype(np.float32)
    assert periods(past).tolist() == [found_pitch(row.tolist()) for row in past]


@pytest.mark.parametrize("seed", range(4))
def test_all_rows_at_once_sound_as_the_appendix_does_one_by_one(seed: int) -> None:
    """Losses of one to five frames. Only where a loss begins may it differ: there the Appendix bends what it has not
    played yet, and we what we play next; and where a second loss looks back at that."""
    rng = np.random.default_rng(100 + seed)
    sound = voices(seed, 8, 40)
    lost = np.zeros((8, 40), np.bool_)
    for row, length in enumerate((1, 1, 2, 2, 3, 3, 4, 5)):
        begin = int(rng.integers(4, 30))
        lost[row, begin : begin + length] = True
    ours = played(sound, lost).astype(int)
    for row in range(8):
        frames = [None if gone else frame for frame, gone in zip(sound[row], lost[row], strict=True)]
        theirs = concealed(frames, FRAME).astype(int)[OVERLAP_MAX:]
        begin = int(np.flatnonzero(lost[row])[0]) * FRAME
        difference = np.abs(ours[row, : len(theirs)] - theirs)
        difference[begin - OVERLAP_MAX : begin + OVERLAP_MAX] = 0
        assert difference.max() <= 1, (row, np.flatnonzero(difference > 1)[:5] - begin)


def test_it_fades_by_a_fifth_each_10_ms_to_silence_after_60() -> None:
    hum = (8000 * np.sin(2 * np.pi * 100 * np.arange(9 * FRAME) / 8000)).astype(np.int16).reshape(1, 9, FRAME)
    lost = np.zeros((1, 9), np.bool_)
    lost[0, 4:] = True
    out = played(hum, lost)[0, 4 * FRAME :]
    peaks = np.abs(out[:480].reshape(6, 80).astype(int)).max(axis=1)
    assert peaks[0] == pytest.approx(8000, rel=0.01)
    assert np.allclose(peaks[1:], [7600, 6000, 4400, 2800, 1200], atol=500)
    assert not out[480:].any()


@pytest.mark.parametrize("seed", range(5))
def test_concealment_does_not_click(seed: int) -> None:
    sound = voices(seed, 20, 30)
    lost = np.random.default_rng(seed).random((20, 30)) < 0.2
    lost[:, :3] = False
    natural = np.abs(np.diff(sound.reshape(20, -1).astype(int))).max(axis=1)
    heard = np.abs(np.diff(played(sound, lost).astype(int))).max(axis=1)
    assert (heard < 2.5 * natural).all()
