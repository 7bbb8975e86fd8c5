"""Recordings become files that are played: both channels, where they belong, in step, and of the right length."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from cordboard.switch import encoder
from cordboard.switch.encoder import DISK_REFUSES, NO_SOUND, UNUSABLE, peaks_of
from cordboard.switch.peaks import MAX_POINTS, Peaks
from cordboard.switch.recfile import Chunk, Header
from numpy.typing import NDArray

Sound = NDArray[np.float64]

FRAMES = 633  # 12.66 s: no whole number of chunks, seconds or MP3 frames
FORMATS = ["opus", "wav", "mp3", "flac"]


def talk(frames: int, seed: int) -> NDArray[np.int16]:
    """Noise in the band of the telephone that comes and goes like syllables, int16 [frames * 160]."""
    rng = np.random.default_rng(seed)
    n = frames * 160
    spectrum = np.fft.rfft(rng.normal(size=n))
    hertz = np.fft.rfftfreq(n, 1 / 8000)
    spectrum *= ((hertz > 250) & (hertz < 3300)) / (1 + (hertz / 800) ** 2)
    syllables = np.repeat(rng.random(n // 1600 + 1) > 0.4, 1600)[:n]
    voice = np.fft.irfft(spectrum, n) * np.convolve(syllables, np.ones(160) / 160, "same")
    return np.asarray(12000 * voice / np.abs(voice).max(), np.int16)


def write(path: Path, left: NDArray[np.int16], right: NDArray[np.int16], *, gap: int = 0) -> None:
    """A recording whose second half comes `gap` frames late."""
    frames = np.stack([left.reshape(-1, 160), right.reshape(-1, 160)], axis=1)
    chunks = [Chunk(i, len(frames[i : i + 50]), frames[i : i + 50].tobytes()) for i in range(0, len(frames), 50)]
    half = len(chunks) // 2
    late = [Chunk(one.position + gap, one.frames, one.samples) for one in chunks[half:]]
    octets = b"".join(one.encode() for one in (*chunks[:half], *late))
    path.write_bytes(Header(0.0, 0.0).encode() + octets)


def encode(raw: Path, out: Path, format_: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cordboard.switch.encoder", str(raw), str(out), "--format", format_]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def decode(path: Path) -> Sound:
    """[2, samples] at 8 kHz."""
    parts = []
    with av.open(str(path)) as container:
        down = av.AudioResampler(format="s16p", layout="stereo", rate=8000)
        for frame in container.decode(audio=0):
            parts += [one.to_ndarray() for one in down.resample(frame)]
        parts += [one.to_ndarray() for one in down.resample(None)]
    return np.concatenate(parts, axis=1).astype(np.float64)


def correlation(a: Sound, sent: NDArray[np.int16]) -> tuple[float, float]:
    """The highest, and by how many ms `a` is later there."""
    b = sent.astype(np.float64)
    n = max(len(a), len(b))
    product = np.fft.irfft(np.fft.rfft(a, 2 * n) * np.conj(np.fft.rfft(b, 2 * n)))
    at = int(np.argmax(product))
    return float(product[at] / np.sqrt((a @ a) * (b @ b))), (at if at < n else at - 2 * n) / 8


@pytest.mark.parametrize("format_", FORMATS)
def test_both_channels_are_heard_where_they_belong_and_in_step(tmp_path: Path, format_: str) -> None:
    left, right = talk(FRAMES, 1), talk(FRAMES, 2)
    raw, out = tmp_path / "r.cbr", tmp_path / f"r.{format_}"
    write(raw, left, right)
    done = encode(raw, out, format_)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said == {
        "seconds": FRAMES / 50,
        "bytes": out.stat().st_size,
        "channels": 2,
        "rate": 8000,
        "peaks": peaks_of(out).name,
    }
    heard = decode(out)
    assert abs(heard.shape[1] / 8000 - FRAMES / 50) < 0.04
    with av.open(str(out)) as container:
        assert container.duration is not None
        assert abs(container.duration / 1e6 - FRAMES / 50) < 0.04
    (like_left, left_late), (like_right, right_late) = correlation(heard[0], left), correlation(heard[1], right)
    print(f"{format_}: correlation {like_left:.4f} {like_right:.4f}, late by {left_late} {right_late} ms")
    assert min(like_left, like_right) > 0.98
    assert abs(left_late) < 5
    assert left_late == right_late
    assert correlation(heard[0], right)[0] < 0.1
    if format_ in ("wav", "flac"):
        assert np.array_equal(heard, [left, right])
    assert (out.stat().st_mode & 0o777, sorted(tmp_path.iterdir())) == (0o600, sorted([raw, out, peaks_of(out)]))


@pytest.mark.parametrize("format_", FORMATS)
def test_who_is_quiet_beside_a_loud_one_is_heard_and_silence_is_silence(tmp_path: Path, format_: str) -> None:
    loud, quiet = talk(FRAMES, 1), talk(FRAMES, 2) // 100
    write(tmp_path / "r.cbr", loud, quiet)
    encode(tmp_path / "r.cbr", tmp_path / "out", format_)
    heard = decode(tmp_path / "out")
    assert correlation(heard[1], quiet)[0] > 0.9
    assert correlation(heard[1], loud)[0] < 0.1
    write(tmp_path / "r.cbr", loud, np.zeros_like(loud))
    encode(tmp_path / "r.cbr", tmp_path / "out", format_)
    assert np.abs(decode(tmp_path / "out")[1]).max() <= 1


@pytest.mark.parametrize("format_", FORMATS)
def test_every_file_can_be_entered_anywhere(tmp_path: Path, format_: str) -> None:
    left = talk(FRAMES, 1)
    write(tmp_path / "r.cbr", left, talk(FRAMES, 2))
    encode(tmp_path / "r.cbr", tmp_path / "out", format_)
    with av.open(str(tmp_path / "out")) as container:
        container.seek(8_000_000)
        frame = next(container.decode(audio=0))
        assert frame.time is not None
        assert 7.0 < frame.time <= 8.0


def test_what_no_chunk_covers_is_silence_of_the_right_length(tmp_path: Path) -> None:
    left = talk(200, 1)
    write(tmp_path / "r.cbr", left, left, gap=137)
    encode(tmp_path / "r.cbr", tmp_path / "out", "wav")
    heard = decode(tmp_path / "out")
    assert heard.shape[1] == 337 * 160
    assert np.array_equal(heard[0, : 100 * 160], left[: 100 * 160])
    assert not heard[:, 100 * 160 : 237 * 160].any()
    assert np.array_equal(heard[0, 237 * 160 :], left[100 * 160 :])


def test_a_file_that_is_cut_off_gives_what_can_be_read(tmp_path: Path) -> None:
    raw = tmp_path / "r.cbr"
    write(raw, talk(200, 1), talk(200, 2))
    raw.write_bytes(raw.read_bytes()[:-1000])
    assert json.loads(encode(raw, tmp_path / "out", "flac").stdout)["seconds"] == 3.0


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"", NO_SOUND),
        (Header(0.0, 0.0).encode()[:20], NO_SOUND),
        (Header(0.0, 0.0).encode(), NO_SOUND),
        (Header(0.0, 0.0).encode() + b"CHNK and no more", NO_SOUND),
        (b"RIFF" * 100, UNUSABLE),
    ],
)
def test_what_holds_no_sound_or_is_no_recording_leaves_nothing(tmp_path: Path, octets: bytes, code: int) -> None:
    (tmp_path / "r.cbr").write_bytes(octets)
    done = encode(tmp_path / "r.cbr", tmp_path / "out", "opus")
    assert (done.returncode, done.stderr.count("\n")) == (code, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["r.cbr"]


@pytest.mark.parametrize("format_", FORMATS)
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, format_: str) -> None:
    raw = tmp_path / "r.cbr"
    write(raw, talk(FRAMES, 1), talk(FRAMES, 2))
    program = (
        "import resource, runpy, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); sys.argv = sys.argv[1:]; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000)); "
        "runpy.run_module('cordboard.switch.encoder', run_name='__main__')"
    )
    command = [sys.executable, "-c", program, "encoder", str(raw), str(tmp_path / "out"), "--format", format_]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == DISK_REFUSES, done.stderr
    assert done.stderr.splitlines()[-1] == "File too large"
    assert [path.name for path in tmp_path.iterdir()] == ["r.cbr"]


def test_a_call_of_two_hours_takes_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    raw = tmp_path / "r.cbr"
    second = np.random.default_rng(1).integers(-9000, 9000, (50, 2, 160)).astype(np.int16).tobytes()
    with raw.open("wb") as file:
        file.write(Header(0.0, 0.0).encode())
        for i in range(7200):
            file.write(Chunk(50 * i, 50, second).encode())
    program = (
        "import runpy, sys; sys.argv = sys.argv[1:]\n"
        "try: runpy.run_module('cordboard.switch.encoder', run_name='__main__')\n"
        "except SystemExit: print(*[line for line in open('/proc/self/status') if line.startswith('VmHWM')])"
    )
    command = [sys.executable, "-c", program, "encoder", str(raw), str(tmp_path / "out"), "--format", "wav"]
    said, most = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[:2]
    memory = int(most.split()[1]) / 1024
    print(f"two hours take {memory:.0f} MB, the interpreter and its libraries included")
    assert json.loads(said)["seconds"] == 7200.0
    assert memory < 150
    shape = json.loads(peaks_of(tmp_path / "out").read_text())
    assert 1000 < len(shape["channels"][0]) <= MAX_POINTS


# --- the waveform -------------------------------------------------------------------------------------------------


def drawn(peaks: Peaks) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(peaks.to_json())
    return made


def test_peaks_are_the_loudest_of_their_time() -> None:
    sound = np.zeros((2, 8000), np.int16)
    sound[0, 410], sound[1, 7999] = -32768, 12800
    peaks = Peaks()
    for i in range(0, 8000, 1111):
        peaks.add(sound[:, i : i + 1111])
    made = drawn(peaks)
    assert (made["seconds"], made["per_second"]) == (1.0, 20.0)
    assert made["channels"] == [[0, 127, *[0] * 18], [*[0] * 19, 50]]


def test_a_long_recording_has_coarser_peaks_and_loses_none() -> None:
    peaks, block = Peaks(), np.zeros((2, 80000), np.int16)
    for i in range(100):
        block[0, 777] = 128 + 256 * (i % 100)
        peaks.add(block)
    made = drawn(peaks)
    assert made["seconds"] == 1000.0
    assert made["per_second"] == 2.5
    left, right = made["channels"]
    assert len(left) == 2500
    assert [one for one in left if one] == list(range(1, 100))
    assert not any(right)


def test_formats_are_those_of_the_configuration() -> None:
    assert list(encoder.FORMATS) == FORMATS
