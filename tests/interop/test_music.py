"""Music of a queue's own: a file in a usual format, heard by who waits as it is in the file, and by all the same.

A file that is lost: callers hear the built-in piece in its place, and an alarm says so.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from cordboard.codecs.tones import hold_music

from . import sound
from .caller import Caller
from .machine import Waits, fairly
from .product import Organisation, Product, infrastructure, until
from .robot import Robot
from .sound import Pcm
from .test_numbers import GAP_MS

RATE = 44100
SAME, OTHER = 0.9, 0.5

MakeCaller = Callable[..., Caller]
MakeRobot = Callable[..., Robot]


def song(seed: int, seconds: float) -> np.ndarray:
    """Notes of a scale in no order that comes again soon, so that every place in it is like no other; float32."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(0.3 * RATE)) / RATE
    notes = [np.sin(2 * np.pi * 220 * 2 ** (rng.integers(36) / 12) * t) * np.sin(np.pi * t / 0.3) for _ in range(400)]
    return (0.5 * np.concatenate(notes)[: round(seconds * RATE)]).astype(np.float32)


def write(path: Path, sound_: np.ndarray, codec: str) -> None:
    with av.open(str(path), "w") as target:
        rate = 48000 if codec == "libopus" else RATE
        stream = target.add_stream(codec, rate=rate, layout="mono")
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(sound_[None], format="fltp", layout="mono")
        frame.sample_rate = RATE
        size = stream.codec_context.frame_size or 1024
        resampler = av.AudioResampler(format=stream.format.name, layout="mono", rate=rate, frame_size=size)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            target.mux(stream.encode(part))
        target.mux(stream.encode(None))


def as_in_the_file(path: Path) -> Pcm:
    """At 8 kHz, as another program would play it."""
    with av.open(io.BytesIO(path.read_bytes()), "r") as source:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=sound.RATE)
        frames = [made for frame in [*source.decode(audio=0), None] for made in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


FILES = {"tide.mp3": "libmp3lame", "harbour.ogg": "libopus", "gulls.wav": "pcm_s16le"}
NUMBERS = {"tide.mp3": "5001", "harbour.ogg": "5002", "gulls.wav": "5003"}


def centre() -> Organisation:
    made = Organisation().trunk()
    for at, file in enumerate(FILES):
        queue = file.partition(".")[0]
        made.queue(queue, music=file).agent(f"100{at}", "Lin", **{queue: 1}).number(NUMBERS[file], f"queue:{queue}")
    return made


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    folder = tmp_path_factory.mktemp("switch")
    for seed, (file, codec) in enumerate(FILES.items()):
        write(folder / file, song(seed, 6.0), codec)
    made = Product(folder, infrastructure(codecs=["pcma"]), centre().text).start()
    yield made
    made.stop()
    complaints = made.complaints
    assert all("the music gulls-" in line for line in complaints), complaints


def test_who_waits_hears_the_file_of_its_queue_and_all_hear_the_same(
    product: Product, robot: MakeRobot, caller: MakeCaller
) -> None:
    agents = [robot(f"100{at}") for at in range(3)]
    for agent in agents:
        agent.sign_in()
        agent.do("agent.state", state="break")  # somebody is there, and nobody answers

    def measure() -> None:
        scores = {}
        with Waits(product.pids()["media"]) as waits:
            customers = {file: caller(NUMBERS[file]).answered() for file in FILES}
            second = caller(NUMBERS["tide.mp3"]).answered()
            begun = time.time()
            heard = {file: customer.hears(3.0, since=begun) for file, customer in customers.items()}
            beside = second.hears(3.0, since=begun)
            pause = waits.longest_pause(customers["tide.mp3"], begun, begun + 3.0)
        for file, pcm in heard.items():
            # Two seconds of what was heard, in each of the files.
            mine = {
                other: sound.correlation(pcm[4000:20000], as_in_the_file(product.folder / other))[0] for other in FILES
            }
            scores[file] = mine.pop(file), max(mine.values()), sound.level(pcm)
        same, at = sound.correlation(beside[8000:20000], heard["tide.mp3"])
        for customer in (*customers.values(), second):
            customer.hang_up()
        product.at_rest()
        print(
            "; ".join(
                f"{file} {mine:.3f} (others {other:.3f}, {db:.0f} dBFS)" for file, (mine, other, db) in scores.items()
            ),
            f"; two callers {same:.4f}, {abs(at - 8000) / 8:.0f} ms apart; longest pause {pause}",
        )
        assert min(mine for mine, _, _ in scores.values()) >= SAME
        assert max(other for _, other, _ in scores.values()) < OTHER
        assert all(-25 < db < -18 for _, _, db in scores.values())
        assert same > 0.99
        assert pause.own <= GAP_MS

    fairly(measure)


@pytest.mark.long
def test_a_file_that_is_lost_is_an_alarm_and_callers_hear_the_built_in_piece(
    product: Product, robot: MakeRobot, caller: MakeCaller
) -> None:
    (piece,) = (product.data / "music").glob("gulls-*.wav")
    whole = piece.read_bytes()
    piece.write_bytes(whole[:1000])
    product.stop()
    product.start()
    agent = robot("1002").sign_in()
    agent.do("agent.state", state="break")

    def alarms(over: str = "") -> list[str]:
        lines = product.log.read_text().splitlines()
        return [line for line in lines if f"'alarm{over}' text='the music gulls-" in line]

    customer = caller(NUMBERS["gulls.wav"]).answered()
    heard = customer.hears(3.0)[4000:]
    told = until(alarms, 5, "the alarm")
    built_in, _ = sound.correlation(heard, np.tile(hold_music(), 2))
    customer.hang_up()
    product.at_rest()
    # An import writes the file anew; who waits next hears it.
    product.import_organisation(centre().text)
    assert piece.read_bytes() == whole
    customer = caller(NUMBERS["gulls.wav"]).answered()
    again, _ = sound.correlation(as_in_the_file(product.folder / "gulls.wav")[8000:24000], customer.hears(8.0))
    print(f"lost: {told[0]!r}, the built-in piece {built_in:.3f}; written anew: {again:.3f}")
    assert "its file is damaged" in told[0]
    assert built_in >= SAME
    assert again >= SAME
    until(lambda: alarms(" is over"), 5, "the end of the alarm")


def test_a_file_that_is_no_music_is_refused_and_calls_go_on(product: Product, caller: MakeCaller) -> None:
    customer = caller(NUMBERS["tide.mp3"]).answered()
    (product.folder / "letter.mp3").write_text("Good morning, Harbour Travel.\n" * 200)
    broken = product.folder / "broken.toml"
    broken.write_text(centre().queue("more", music="letter.mp3").text)
    refused = product.cordboard("import", str(broken))
    print(refused.stderr.strip())
    assert refused.returncode == 2
    assert refused.stderr == f"{broken}: [[queue]] 'more' music: letter.mp3 is not a file of sound, or a broken one\n"
    heard = customer.hears(1.0)
    assert sound.level(heard) > -40
