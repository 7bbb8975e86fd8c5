"""A real telephone on the trunk, baresip: it hears itself, and hears of the agent's hanging up.

baresip never speaks from loopback, so this switch listens on every address and tells it the one that it is reached by.
"""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest

from . import sound
from .machine import fairly, own_address
from .product import Organisation, Product, infrastructure, until
from .robot import Robot

pytestmark = [
    pytest.mark.peer("baresip"),
    pytest.mark.skipif(shutil.which("baresip") is None, reason="baresip is not installed"),
]

CONFIG = """
sip_listen 0.0.0.0:0
audio_source aufile,{folder}/says.wav
audio_player aubridge,nobody
ausrc_srate {rate}
auplay_srate {rate}
ausrc_channels {channels}
auplay_channels {channels}
module_path {modules}
module g711.so
module g722.so
module opus.so
module aufile.so
module aubridge.so
module sndfile.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
snd_path {folder}
"""


def modules() -> str:
    return str(next(Path("/usr").glob("lib*/**/baresip/modules/g711.so")).parent)


@contextmanager
def telephone(
    folder: Path,
    uri: str,
    says: sound.Pcm,
    codec: str = "PCMA",
    rate: int = sound.RATE,
    ptime: int = 20,
    authority: Path | None = None,
) -> Iterator[Path]:
    """Dials at once, and says that, of `rate`; its output is the file given. It says BYE when the context ends. Opus
    has two channels, of which one says all. It speaks TLS where it is given an authority to believe."""
    folder.mkdir()
    channels = 2 if codec == "opus" else 1
    believes, transport = (f"sip_cafile {authority}\n", ";transport=tls") if authority is not None else ("", "")
    config = CONFIG.format(folder=folder, modules=modules(), rate=rate, channels=channels)
    (folder / "config").write_text(config + believes)
    spoken = f"audio_codecs={codec}/{rate}/{channels};ptime={ptime}"
    (folder / "accounts").write_text(f"<sip:+8613912345678@{own_address()}{transport}>;regint=0;{spoken}\n")
    (folder / "contacts").touch()
    left = np.stack([says, np.zeros_like(says)], axis=1) if channels == 2 else says
    sound.write_wav(folder / "says.wav", left, rate, channels)
    said = folder / "said.txt"
    with said.open("w") as output:
        process = subprocess.Popen(
            ["baresip", "-f", str(folder), "-e", f"/dial {uri}"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield said
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture
def phone(tmp_path: Path) -> Callable[[], Path]:
    """A folder for a telephone that is not there yet, each time."""
    turns = itertools.count(1)
    return lambda: tmp_path / f"phone-{next(turns)}"


@pytest.fixture(scope="module")
def reached(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    here = own_address()
    if here == "127.0.0.1":
        pytest.skip("this machine has no address but loopback")
    organisation = Organisation().trunk("carrier", here).queue("support").agent("1001", "Lin", support=1)
    organisation.number("5001", "queue:support").number("600", "echo")
    made = Product(
        tmp_path_factory.mktemp("reached"), infrastructure(address="0.0.0.0", tls=True), organisation.text
    ).start()
    yield made
    made.stop()
    assert made.complaints == []


def recorded(folder: Path, seconds: float, octets: int) -> Path:
    """What the telephone of this folder has heard, once it is so long, of so many octets a second."""

    def long_enough() -> list[Path]:
        return [one for one in folder.glob("dump*dec.wav") if one.stat().st_size > seconds * octets]

    return until(long_enough, seconds + 15, f"{seconds:g} s of sound")[0]


@pytest.mark.parametrize("codec", ["PCMA", "PCMU"])
def test_baresip_hears_itself(reached: Product, phone: Callable[[], Path], codec: str) -> None:
    uri = f"sip:600@{own_address()}:{reached.sip_port}"

    def measure() -> None:
        folder = phone()
        with telephone(folder, uri, sound.tone(620, 8), codec) as said:
            until(lambda: "established" in said.read_text(), 15, "the call")
            until(lambda: reached.figure("cordboard_legs") == 1)
            heard = recorded(folder, 3, 16000)
        reached.at_rest()
        pcm = sound.read_wav(heard)[8000:16000]
        print(f"baresip, {codec}: hears {sound.loudest(pcm):.1f} Hz at {sound.level(pcm):.0f} dBFS of its own 620 Hz")
        assert abs(sound.loudest(pcm) - 620) < 5
        assert sound.level(pcm) == pytest.approx(sound.level(sound.tone(620)), abs=1.5)

    fairly(measure)


@pytest.mark.parametrize(("codec", "rate"), [("G722", 16000), pytest.param("opus", 48000, marks=pytest.mark.long)])
def test_baresip_hears_its_own_words(
    reached: Product, tmp_path: Path, phone: Callable[[], Path], codec: str, rate: int
) -> None:
    """Its G.722 is spandsp's, which shares nothing with ours; its Opus is stereo, and comes back on both sides."""
    speech, narrow = sound.speak(tmp_path)
    wide = tmp_path / "speech-wide.wav"
    subprocess.run(["sox", str(speech), "-r", str(rate), str(wide)], check=True)
    says = np.tile(sound.read_wav(wide), 4)
    uri = f"sip:600@{own_address()}:{reached.sip_port}"

    def measure() -> None:
        folder = phone()
        with telephone(folder, uri, says, codec, rate) as said:
            until(lambda: "established" in said.read_text(), 15, "the call")
            two_rounds = 2 * len(narrow) / sound.RATE + 1
            heard = recorded(folder, two_rounds, rate * (4 if codec == "opus" else 2))
        reached.at_rest()
        back = folder / "back-8k.wav"
        subprocess.run(["sox", str(heard), "-r", "8000", str(back)], check=True)
        score, moved = sound.likeness(narrow, sound.read_wav(back))
        print(f"baresip, {codec}: its own words come back with correlation {score:.3f} (playout moved {moved:.0f} ms)")
        # Opus for VoIP, as ours is, has a high-pass that bends the lowest tones of a voice.
        assert score >= (0.9 if codec == "opus" else 0.95)

    fairly(measure)


def test_baresip_hears_5_khz_in_g722(reached: Product, phone: Callable[[], Path]) -> None:
    """What is said at 16 kHz is mixed at 16 kHz for who hears it."""
    t = np.arange(8 * 16000) / 16000
    says = np.rint(4000 * np.sin(2 * np.pi * 620 * t) + 4000 * np.sin(2 * np.pi * 5000 * t)).astype(np.int16)
    uri = f"sip:600@{own_address()}:{reached.sip_port}"

    def measure() -> None:
        folder = phone()
        with telephone(folder, uri, says, "G722", 16000) as said:
            until(lambda: "established" in said.read_text(), 15, "the call")
            heard = recorded(folder, 3, 32000)
        reached.at_rest()
        bins = sound.spectrum(sound.read_wav(heard)[24000:40000])  # a second: a bin is 1 Hz
        low, high = (20 * np.log10(bins[at - 5 : at + 6].max() / 4000) for at in (620, 5000))
        print(f"baresip, G722: 620 Hz comes back at {low:+.1f} dB, 5 kHz at {high:+.1f} dB")
        assert abs(low) < 1.5
        assert abs(high) < 1.5

    fairly(measure)


@pytest.mark.parametrize("ptime", [20, pytest.param(40, marks=pytest.mark.long), 60])
def test_baresip_hears_5_khz_in_opus(reached: Product, phone: Callable[[], Path], ptime: int) -> None:
    """In stereo, of which we make mono, and in packets of the length that it asks for: its libopus is its own. We ask
    for 20 ms, and it obeys."""
    t = np.arange(8 * 48000) / 48000
    says = np.rint(8000 * np.sin(2 * np.pi * 620 * t) + 8000 * np.sin(2 * np.pi * 5000 * t)).astype(np.int16)
    uri = f"sip:600@{own_address()}:{reached.sip_port}"

    def packets() -> tuple[float, float]:
        """Received and sent, of one moment: the engine tells of them once a second."""
        now = reached.metrics()
        came, went = (
            now.get(f'cordboard_media_total{{what="packets_{which}"}}', 0.0) for which in ("received", "sent")
        )
        return came, went

    def measure() -> None:
        folder = phone()
        before, _ = packets()
        with telephone(folder, uri, says, "opus", 48000, ptime) as said:
            until(lambda: "established" in said.read_text(), 15, "the call")
            until(lambda: packets()[0] > before + 25, 15, "half a second from it")
            begun = packets()
            heard = recorded(folder, 3, 192000)
            came, went = (now - then for now, then in zip(packets(), begun, strict=True))
        reached.at_rest()
        assert came > 0
        assert abs(went * ptime - came * 20) <= 0.1 * came * 20 + ptime, f"{went} packets went while {came} came"
        bins = sound.spectrum(sound.read_wav(heard)[72000:120000])  # a second: a bin is 1 Hz
        low, high = (20 * np.log10(bins[at - 5 : at + 6].max() / 4000) for at in (620, 5000))
        print(f"baresip, Opus of {ptime} ms: {came:g} packets came while {went:g} went")
        print(f"    620 Hz comes back at {low:+.1f} dB of half, 5 kHz at {high:+.1f} dB")
        assert abs(low) < 1.5
        assert abs(high) < 3

    fairly(measure)


def test_baresip_hears_itself_over_tls(reached: Product, tmp_path: Path) -> None:
    """It believes our certificate alone, and sends nothing that could be read on the way."""
    uri = f"sip:600@{own_address()}:{reached.tls_port};transport=tls"
    certificate = reached.data / "tls" / "cert.pem"

    def connections(what: str) -> float:
        return reached.metrics().get(f'cordboard_sip_total{{what="{what}"}}', 0.0)

    accepted, closed = connections("connections accepted"), connections("connections closed")
    with telephone(tmp_path / "phone", uri, sound.tone(620, 8), authority=certificate) as said:
        until(lambda: "established" in said.read_text(), 15, "the call")
        until(lambda: reached.figure("cordboard_legs") == 1)
        assert connections("connections accepted") == accepted + 1
    reached.at_rest()
    assert connections("TLS handshake failed") == 0
    until(lambda: connections("connections closed") == closed + 1)


def test_baresip_waits_talks_and_is_hung_up_on(reached: Product, tmp_path: Path) -> None:
    uri = f"sip:5001@{own_address()}:{reached.sip_port}"
    with ExitStack() as stack:
        agent = stack.enter_context(Robot(reached, "1001")).sign_in()
        said = stack.enter_context(telephone(tmp_path / "phone", uri, sound.tone(620, 8)))
        assert agent.event("call.offered", 15)["number"] == "+8613912345678"
        agent.do("call.answer")
        agent.event("call.connected")
        until(lambda: "established" in said.read_text(), 15, "the call")
        agent.do("call.hang_up")
        agent.state("after_call_work")
        until(lambda: re.search("session closed|terminated|Connection reset by peer", said.read_text()), 15, "the end")
        reached.at_rest()
