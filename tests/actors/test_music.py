"""A queue's own music: taken in by an import, refused where it is none, kept as long as anybody may hear it."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
from attrs import evolve
from cordboard.actors import music
from cordboard.actors.commands import check, import_
from cordboard.actors.entries import Queue
from cordboard.actors.keys import ConfigError
from cordboard.actors.organisation import Organisation
from cordboard.switch.musicfile import decode, load

from .test_cli import run, stored


def write(path: Path, hertz: float = 440.0, seconds: float = 2.0) -> Path:
    t = np.arange(round(16000 * seconds)) / 16000
    pcm = np.rint(9000 * np.sin(2 * np.pi * hertz * t)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, len(pcm), "NONE", ""))
        file.writeframes(pcm.tobytes())
    return path


def centre(**pieces: str) -> Organisation:
    return Organisation(queues=tuple(Queue(name, music=file) for name, file in pieces.items()))


def toml(*files: str) -> str:
    return "\n".join(f'[[queue]]\nid = "q{at}"\nmusic = "{file}"' for at, file in enumerate(files))


def test_a_file_becomes_a_piece_by_name_once_for_all_who_have_it(tmp_path: Path) -> None:
    write(tmp_path / "Evening Tide.wav", 400.0)
    write(tmp_path / "海.wav", 500.0)
    read, pieces = music.take_in(centre(a="Evening Tide.wav", b="海.wav", c="Evening Tide.wav", d=""), tmp_path)
    first, second, third, none = (queue.music for queue in read.queues)
    assert first == third != second
    assert (first.rpartition("-")[0], second.rpartition("-")[0], none) == ("Evening-Tide", "music", "")
    assert set(pieces) == {first, second}
    with (tmp_path / "海.wav").open("rb") as file:
        assert np.array_equal(pieces[second].pcm, decode(file).pcm)
    # Another sound under the same name is another piece.
    write(tmp_path / "海.wav", 600.0)
    again, _ = music.take_in(centre(b="海.wav"), tmp_path)
    assert again.queues[0].music != second


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ("none.mp3", "none.mp3: No such file or directory"),
        ("words.mp3", "words.mp3 is not a file of sound, or a broken one"),
        ("short.wav", "short.wav lasts 0.3 s; at least 1 s"),
    ],
)
def test_a_file_that_is_no_music_is_named_with_its_queue(tmp_path: Path, file: str, why: str) -> None:
    (tmp_path / "words.mp3").write_text("Good morning, Harbour Travel.\n" * 100)
    write(tmp_path / "short.wav", seconds=0.3)
    with pytest.raises(ConfigError) as refusal:
        music.take_in(centre(support=file), tmp_path)
    assert str(refusal.value) == f"[[queue]] 'support' music: {why}"


def test_all_music_together_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(music, "MAX_SECONDS", 120.0)
    for at, seconds in enumerate((70.0, 60.0)):
        write(tmp_path / f"{at}.wav", 400.0 + at, seconds)
    with pytest.raises(ConfigError, match="the music of all queues lasts 2 minutes; at most 2"):
        music.take_in(centre(a="0.wav", b="1.wav"), tmp_path)


def test_an_import_keeps_what_this_organisation_and_the_last_one_have(tmp_path: Path) -> None:
    organisation, data = tmp_path / "org.toml", tmp_path / "data"
    found = []
    for at in range(3):
        write(tmp_path / "tide.wav", 400.0 + at)
        organisation.write_text(toml("tide.wav"))
        result = run(import_, organisation, "--data", data)
        assert (result.exit_code, result.stderr) == (0, "")
        found.append(stored(data).queues[0].music)
        assert {path.stem for path in (data / "music").iterdir()} == set(found[-2:])
    path = data / "music" / f"{found[-1]}.wav"
    whole = load(path)
    path.write_bytes(b"torn")
    assert run(import_, organisation, "--data", data).exit_code == 0  # the file is written anew
    assert np.array_equal(load(path).pcm, whole.pcm)
    assert [each.stem for each in (data / "music").iterdir()] == [found[-1]]


def test_check_and_import_refuse_a_broken_file_and_leave_all_as_it_was(tmp_path: Path) -> None:
    organisation, data = tmp_path / "org.toml", tmp_path / "data"
    write(tmp_path / "tide.wav")
    organisation.write_text(toml("tide.wav"))
    assert run(check, organisation).exit_code == 0
    assert run(import_, organisation, "--data", data).exit_code == 0
    before = stored(data)
    (tmp_path / "broken.ogg").write_bytes(b"OggS" + bytes(5000))
    organisation.write_text(toml("tide.wav", "broken.ogg"))
    for result in (run(check, organisation), run(import_, organisation, "--data", data)):
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == (
            f"{organisation}: [[queue]] 'q1' music: broken.ogg is not a file of sound, or a broken one\n"
        )
    assert stored(data) == before
    assert len(list((data / "music").iterdir())) == 1


def test_a_directory_that_cannot_be_written_is_unusable(tmp_path: Path) -> None:
    organisation, data = tmp_path / "org.toml", tmp_path / "data"
    write(tmp_path / "tide.wav")
    organisation.write_text(toml("tide.wav"))
    data.mkdir()
    (data / "music").write_text("in the way")
    result = run(import_, organisation, "--data", data)
    assert (result.exit_code, result.stderr) == (2, f"{data / 'music'}: File exists\n")


def test_what_cannot_be_deleted_is_left(tmp_path: Path) -> None:
    (tmp_path / "old.wav").mkdir()
    kept = write(tmp_path / "ours.wav")
    write(tmp_path / "gone.wav")
    music.drop_others([evolve(centre(a="ours"), name="Harbour")], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old.wav", kept.name]
