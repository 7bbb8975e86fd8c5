"""Files of music: every format is heard as what it is, and what is no music is refused with a reason."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from cordboard.codecs import mastering
from cordboard.switch import musicfile
from cordboard.switch.musicfile import Piece, Shelf, UnusableMusicError, decode, load, save
from numpy.typing import NDArray

SECONDS = 3.0


def song(rate: int, seconds: float = SECONDS) -> NDArray[np.float32]:
    t = np.arange(round(seconds * rate)) / rate
    swept = np.sin(2 * np.pi * (300 * t + 150 * t**2))
    made: NDArray[np.float32] = (0.3 * swept * (0.4 + np.sin(3 * t) ** 2)).astype(np.float32)
    return made


def encoded(container: str, codec: str, sound: NDArray[np.float32], rate: int, layout: str = "mono") -> bytes:
    file = io.BytesIO()
    channels = 2 if layout == "stereo" else 1
    with av.open(file, "w", format=container) as target:
        stream = target.add_stream(codec, rate=rate, layout=layout)
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(np.tile(sound, (channels, 1)), format="fltp", layout=layout)
        frame.sample_rate = rate
        size = stream.codec_context.frame_size or 1024
        resampler = av.AudioResampler(format=stream.format.name, layout=layout, rate=rate, frame_size=size)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            target.mux(stream.encode(part))
        target.mux(stream.encode(None))
    return file.getvalue()


FORMATS = {
    "mp3": ("mp3", "libmp3lame", 44100, "stereo"),
    "ogg": ("ogg", "libopus", 48000, "stereo"),
    "wav": ("wav", "pcm_s16le", 22050, "mono"),
    "flac": ("flac", "flac", 48000, "mono"),
    "m4a": ("mp4", "aac", 44100, "stereo"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_heard_as_what_it_is(name: str) -> None:
    container, codec, rate, layout = FORMATS[name]
    piece = decode(io.BytesIO(encoded(container, codec, song(rate), rate, layout)))
    known = song(8000).astype(np.float64)[4000:16000]
    # Encoders put some of their own before the first sample.
    scores = [np.corrcoef(known, piece.pcm[at : at + len(known)])[0, 1] for at in range(3800, 5600)]
    assert max(scores) > 0.95
    assert piece.seconds == pytest.approx(SECONDS - mastering.SEAM, abs=0.1)


def wav(sound: NDArray[np.float32], rate: int = 8000) -> bytes:
    return encoded("wav", "pcm_s16le", sound, rate)


def picture() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as target:
        stream = target.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        target.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))))
        target.mux(stream.encode(None))
    return file.getvalue()


def floats(value: float) -> bytes:
    """A second in floating point, one of whose samples is that."""
    sound = song(8000, 1.5)
    sound[4000] = value
    return encoded("wav", "pcm_f32le", sound, 8000)


NO_SOUND = "is not a file of sound, or a broken one"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: b"", NO_SOUND),
        (lambda: b"Good morning, Harbour Travel.\n" * 100, NO_SOUND),
        (lambda: np.random.default_rng(1).bytes(50_000), NO_SOUND),
        (lambda: encoded("flac", "flac", song(8000), 8000)[:9000], NO_SOUND),
        (picture, "has no sound in it"),
        (lambda: floats(np.nan), NO_SOUND),
        (lambda: floats(-np.inf), NO_SOUND),
        (lambda: wav(song(8000, 0.5)), "lasts 0.5 s; at least 1 s"),
        (lambda: wav(np.zeros(16000, np.float32)), "is silent"),
    ],
)
def test_what_is_no_music_is_refused(make: Callable[[], bytes], why: str) -> None:
    with pytest.raises(UnusableMusicError) as refusal:
        decode(io.BytesIO(make()))
    assert str(refusal.value) == why


def test_a_list_of_other_files_opens_none(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav(song(8000)))
    for text in (
        "ffconcat version 1.0\nfile {}\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:3,\n{}\n#EXT-X-ENDLIST\n",
    ):
        with pytest.raises(UnusableMusicError, match=NO_SOUND):
            decode(io.BytesIO(text.format(tmp_path / "a.wav").encode()))


def test_what_is_too_large_or_too_long_is_refused_before_it_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    file = wav(song(8000))
    monkeypatch.setattr(musicfile, "MAX_SECONDS", 2.0)
    with pytest.raises(UnusableMusicError, match=r"lasts longer than 0\.0333333 minutes"):
        decode(io.BytesIO(file))
    monkeypatch.setattr(musicfile, "MAX_BYTES", len(file) - 1)
    with pytest.raises(UnusableMusicError, match="has 0 MB; at most 0 MB"):
        decode(io.BytesIO(file))


def test_a_kept_piece_is_what_was_kept_or_is_damaged(tmp_path: Path) -> None:
    piece = decode(io.BytesIO(wav(song(8000))))
    path = tmp_path / "a.wav"
    save(piece, path)
    assert np.array_equal(load(path).pcm, piece.pcm)
    assert load(path).digest == piece.digest
    assert [each.name for each in tmp_path.iterdir()] == ["a.wav"]
    whole = path.read_bytes()
    for broken in (b"", whole[:30], whole[:-10], whole[:24] + b"\x80\x3e" + whole[26:], b"\x00" * 1000):
        path.write_bytes(broken)
        with pytest.raises(UnusableMusicError, match="is damaged"):
            load(path)
    with wave.open(str(path), "wb") as other:
        other.setparams((1, 2, 8000, 0, "NONE", ""))
        other.writeframes(b"\0" * 3000)  # no whole frames
    with pytest.raises(UnusableMusicError, match="is damaged"):
        load(path)


class Later(Executor):
    """What it was given to do it does when it is told to."""

    def __init__(self) -> None:
        self._waiting: list[Callable[[], None]] = []

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def do() -> None:
            try:
                future.set_result(work(*args, **kwargs))
            except Exception as error:
                future.set_exception(error)

        self._waiting.append(do)
        return future

    def work(self) -> int:
        waiting, self._waiting = self._waiting, []
        for do in waiting:
            do()
        return len(waiting)


def test_a_shelf_reads_beside_and_says_why_it_cannot(tmp_path: Path) -> None:
    piece = Piece(np.arange(1600, dtype=np.int16))
    save(piece, tmp_path / "ours.wav")
    (tmp_path / "torn.wav").write_bytes(b"RIFF")
    later = Later()
    shelf = Shelf(str(tmp_path), later)
    for name in ("ours", "ours", "torn", "lost", "../ours"):
        shelf.want(name)
    assert shelf.read() == []
    assert later.work() == 4  # what is being read is not read again
    found = {read.name: read for read in shelf.read()}
    assert np.array_equal(np.asarray(found.pop("ours").pcm), piece.pcm)
    assert {name: read.reason for name, read in found.items()} == {
        "torn": "its file is damaged",
        "lost": "No such file or directory",
        "../ours": "its file has no name of a piece",
    }
    assert shelf.read() == []
