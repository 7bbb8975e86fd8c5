"""Recordings become files that are played: both channels, where they belong, in step, and of the right length."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from cordboard.switch import encoder
from cordboard.switch.jobs import Answer, Encoded, Progress, Refused, Wanted, Why, parse_answer, peaks_of
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


@pytest.fixture(scope="module")
def worker() -> Iterator[subprocess.Popen[bytes]]:
    """One for all tests, as the product has one for all calls."""
    with began() as one:
        yield one


@contextmanager
def began(*python: str) -> Iterator[subprocess.Popen[bytes]]:
    """An encoder, by other arguments of Python's where there are some; it ends when nobody asks any more."""
    command = [sys.executable, *(python or ("-m", "cordboard.switch.encoder"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as one:
        yield one
        assert one.stdin is not None
        one.stdin.close()
        assert one.wait(30) == 0


def ask(worker: subprocess.Popen[bytes], raw: Path, out: Path, format_: str) -> Answer:
    """What it says in the end."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(Wanted(str(raw), str(out), format_).line())
    worker.stdin.flush()
    answer: Answer = Progress(0.0)
    while isinstance(answer, Progress):
        answer = parse_answer(worker.stdout.readline())
    return answer


def encode(worker: subprocess.Popen[bytes], raw: Path, out: Path, format_: str) -> Encoded:
    answer = ask(worker, raw, out, format_)
    assert isinstance(answer, Encoded), answer
    return answer


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
def test_both_channels_are_heard_where_they_belong_and_in_step(
    worker: subprocess.Popen[bytes], tmp_path: Path, format_: str
) -> None:
    left, right = talk(FRAMES, 1), talk(FRAMES, 2)
    raw, out = tmp_path / "r.cbr", tmp_path / f"r.{format_}"
    write(raw, left, right)
    assert encode(worker, raw, out, format_) == Encoded(FRAMES / 50, out.stat().st_size, peaks_of(out).name)
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
def test_who_is_quiet_beside_a_loud_one_is_heard_and_silence_is_silence(
    worker: subprocess.Popen[bytes], tmp_path: Path, format_: str
) -> None:
    loud, quiet = talk(FRAMES, 1), talk(FRAMES, 2) // 100
    write(tmp_path / "r.cbr", loud, quiet)
    encode(worker, tmp_path / "r.cbr", tmp_path / "out", format_)
    heard = decode(tmp_path / "out")
    assert correlation(heard[1], quiet)[0] > 0.9
    assert correlation(heard[1], loud)[0] < 0.1
    write(tmp_path / "r.cbr", loud, np.zeros_like(loud))
    encode(worker, tmp_path / "r.cbr", tmp_path / "out", format_)
    assert np.abs(decode(tmp_path / "out")[1]).max() <= 1


@pytest.mark.parametrize("format_", FORMATS)
def test_every_file_can_be_entered_anywhere(worker: subprocess.Popen[bytes], tmp_path: Path, format_: str) -> None:
    left = talk(FRAMES, 1)
    write(tmp_path / "r.cbr", left, talk(FRAMES, 2))
    encode(worker, tmp_path / "r.cbr", tmp_path / "out", format_)
    with av.open(str(tmp_path / "out")) as container:
        container.seek(8_000_000)
        frame = next(container.decode(audio=0))
        assert frame.time is not None
        assert 7.0 < frame.time <= 8.0


def test_what_no_chunk_covers_is_silence_of_the_right_length(worker: subprocess.Popen[bytes], tmp_path: Path) -> None:
    left = talk(200, 1)
    write(tmp_path / "r.cbr", left, left, gap=137)
    encode(worker, tmp_path / "r.cbr", tmp_path / "out", "wav")
    heard = decode(tmp_path / "out")
    assert heard.shape[1] == 337 * 160
    assert np.array_equal(heard[0, : 100 * 160], left[: 100 * 160])
    assert not heard[:, 100 * 160 : 237 * 160].any()
    assert np.array_equal(heard[0, 237 * 160 :], left[100 * 160 :])


def test_a_file_that_is_cut_off_gives_what_can_be_read(worker: subprocess.Popen[bytes], tmp_path: Path) -> None:
    raw = tmp_path / "r.cbr"
    write(raw, talk(200, 1), talk(200, 2))
    raw.write_bytes(raw.read_bytes()[:-1000])
    assert encode(worker, raw, tmp_path / "out", "flac").seconds == 3.0


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"", Why.NO_SOUND),
        (Header(0.0, 0.0).encode()[:20], Why.NO_SOUND),
        (Header(0.0, 0.0).encode(), Why.NO_SOUND),
        (Header(0.0, 0.0).encode() + b"CHNK and no more", Why.NO_SOUND),
        (b"RIFF" * 100, Why.UNUSABLE),
    ],
)
def test_what_holds_no_sound_or_is_no_recording_leaves_nothing(
    worker: subprocess.Popen[bytes], tmp_path: Path, octets: bytes, why: Why
) -> None:
    (tmp_path / "r.cbr").write_bytes(octets)
    answer = ask(worker, tmp_path / "r.cbr", tmp_path / "out", "opus")
    assert isinstance(answer, Refused)
    assert answer.why is why
    assert [path.name for path in tmp_path.iterdir()] == ["r.cbr"]


# One that tells after each block how far it is.
TALKS = "from cordboard.switch import encoder; encoder.TELL = 0.0; encoder.main()"


def test_a_long_recording_is_told_of_while_it_is_encoded(tmp_path: Path) -> None:
    write(tmp_path / "r.cbr", talk(FRAMES, 1), talk(FRAMES, 2))
    with began("-c", TALKS) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(Wanted(str(tmp_path / "r.cbr"), str(tmp_path / "out"), "opus").line())
        worker.stdin.flush()
        said = [parse_answer(worker.stdout.readline()) for _ in range(14)]
    assert said[:13] == [Progress(min(second, FRAMES / 50)) for second in range(1, 14)]
    assert said[13] == Encoded(FRAMES / 50, (tmp_path / "out").stat().st_size, "out.peaks.json")


def test_where_nobody_waits_for_it_any_more_it_ends_and_leaves_nothing(tmp_path: Path) -> None:
    left = talk(200, 1)
    write(tmp_path / "r.cbr", left, left, gap=50 * 3600 * 24)
    with began("-c", TALKS) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(Wanted(str(tmp_path / "r.cbr"), str(tmp_path / "out"), "flac").line())
        worker.stdin.flush()
        assert isinstance(parse_answer(worker.stdout.readline()), Progress)
        worker.stdout.close()
        worker.wait(30)
    assert [path.name for path in tmp_path.iterdir()] == ["r.cbr"]


def test_what_goes_on_meanwhile_and_what_is_not_there_is_said(tmp_path: Path) -> None:
    raw, out = tmp_path / "r.cbr", tmp_path / "out"
    write(raw, talk(FRAMES, 1), talk(FRAMES, 2))
    with began("-c", TALKS) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(Wanted(str(raw), str(out), "opus").line())
        worker.stdin.flush()
        assert isinstance(parse_answer(worker.stdout.readline()), Progress)
        with raw.open("ab") as file:
            file.write(b"CHNK and more")
        said = [parse_answer(worker.stdout.readline())]
        while isinstance(said[-1], Progress):
            said.append(parse_answer(worker.stdout.readline()))
        assert said[-1] == Refused(Why.GOES_ON, "more of it was written meanwhile")
        raw.unlink()
        assert ask(worker, raw, out, "opus") == Refused(Why.ABSENT, "there is no such file")


@pytest.mark.parametrize("format_", FORMATS)
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, format_: str) -> None:
    raw = tmp_path / "r.cbr"
    write(raw, talk(FRAMES, 1), talk(FRAMES, 2))
    program = (
        "import resource, runpy, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000)); "
        "runpy.run_module('cordboard.switch.encoder', run_name='__main__')"
    )
    with began("-c", program) as worker:
        assert ask(worker, raw, tmp_path / "out", format_) == Refused(Why.DISK_REFUSES, "File too large")
    assert [path.name for path in tmp_path.iterdir()] == ["r.cbr"]


def peak_mb(pid: int) -> float:
    """The most that it ever had in memory."""
    (most,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(most.split()[1]) / 1024


def test_a_call_of_two_hours_takes_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    raw = tmp_path / "r.cbr"
    second = np.random.default_rng(1).integers(-9000, 9000, (50, 2, 160)).astype(np.int16).tobytes()
    with raw.open("wb") as file:
        file.write(Header(0.0, 0.0).encode())
        for i in range(7200):
            file.write(Chunk(50 * i, 50, second).encode())
    with began() as worker:
        small = tmp_path / "small.cbr"
        write(small, talk(FRAMES, 1), talk(FRAMES, 2))
        encode(worker, small, tmp_path / "out", "wav")
        before = peak_mb(worker.pid)
        assert encode(worker, raw, tmp_path / "out", "wav").seconds == 7200.0
        grown = peak_mb(worker.pid) - before
    print(f"a short call takes {before:.0f} MB, the interpreter and its libraries included, two hours {grown:.0f} more")
    assert before < 150
    assert grown < 16
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
