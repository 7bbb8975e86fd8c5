"""baresip under SRTP with keys of its descriptions, by TLS: it hears itself, an agent hears it and is heard; a media
process that dies goes on with the keys.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from . import sound
from .machine import fairly, own_address
from .product import Organisation, Product, free_port, lasting, until
from .robot import Robot
from .test_baresip import CONFIG, modules
from .test_dialling import state
from .voice import Voice

pytestmark = [
    pytest.mark.peer("baresip"),
    pytest.mark.skipif(shutil.which("baresip") is None, reason="baresip is not installed"),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed"),
]

CUSTOMER = "+8613800138000"
HEADER = 44  # octets of a WAV file
# A correlation with what was said.
ALIKE = 0.9
# So often everybody says the same words: for longer than three turns of listening take.
ROUNDS = 100


@pytest.fixture(scope="module")
def line() -> int:
    """The port of the telephone that is called."""
    return free_port(2, "0.0.0.0")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file for both sides: of this machine, and its own authority."""
    made = tmp_path_factory.mktemp("certificate") / "both.pem"
    asked = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    names = ["-subj", "/CN=both", "-addext", f"subjectAltName=IP:{own_address()}"]
    subprocess.run(
        ["openssl", *asked, *names, "-keyout", str(made), "-out", str(made)], check=True, capture_output=True
    )
    return made


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory, certificate: Path, line: int) -> Iterator[Product]:
    here = own_address()
    if here == "127.0.0.1":
        pytest.skip("this machine has no address but loopback")
    organisation = Organisation().trunk("carrier", here, proxy=f"sip:{here}:{line};transport=tls", srtp=True)
    organisation.may_dial("+86").queue("support").agent("1001", "Lin", support=1)
    organisation.number("+861055501000", "queue:support", outbound=True).number("600", "echo")
    shown = "".join(f'{key} = "{certificate}"\n' for key in ("certificate", "key", "authorities"))
    # another media process has to have the ports of the first
    settings = lasting(address="0.0.0.0", tls=True).replace("[media]", f"{shown}[media]", 1)
    made = Product(tmp_path_factory.mktemp("sealed"), settings, organisation.text).start()
    yield made
    made.stop()
    assert [line for line in made.complaints if "the trunk carrier is down" not in line] == []


@contextmanager
def telephone(
    folder: Path, certificate: Path, line: int, says: sound.Pcm, dials: str = "", *, sealed: bool = True
) -> Iterator[Path]:
    """Dials at once, or waits to be called at the TLS port `line`; its output is the file given. `sealed`: it speaks
    SRTP, else plain RTP."""
    folder.mkdir()
    config = CONFIG.format(folder=folder, modules=modules(), rate=sound.RATE, channels=1)
    config = config.replace("sip_listen 0.0.0.0:0", f"sip_listen 0.0.0.0:{line - 1}")  # TLS is one above
    config += f"sip_certificate {certificate}\nsip_cafile {certificate}\nmodule srtp.so\n"
    (folder / "config").write_text(config)
    account = f"<sip:{CUSTOMER}@{own_address()};transport=tls>;regint=0;answermode=auto;audio_codecs=PCMA/8000/1"
    (folder / "accounts").write_text(account + (";mediaenc=srtp-mand" if sealed else "") + "\n")
    (folder / "contacts").touch()
    sound.write_wav(folder / "says.wav", says, sound.RATE)
    said = folder / "said.txt"
    with said.open("w") as output:
        process = subprocess.Popen(
            ["baresip", "-f", str(folder), *(["-e", f"/dial {dials}"] if dials else [])],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            until(lambda: "is ready" in said.read_text(), 15, "the telephone")
            yield said
        finally:
            process.terminate()
            process.wait(20)


def heard(folder: Path, seconds: float) -> sound.Pcm:
    """What the telephone heard, once that is so long."""

    def long_enough() -> Path | None:
        return next((one for one in folder.glob("dump*dec.wav") if one.stat().st_size > seconds * 16000), None)

    found: Path = until(long_enough, seconds + 20, f"{seconds} s of sound")  # type: ignore[assignment]
    octets = found.read_bytes()[HEADER:]  # how long it is, stands in it when it is closed
    return np.frombuffer(octets[: len(octets) // 2 * 2], "<i2").astype(np.int16)


def said_to(voice: Voice, seconds: float) -> sound.Pcm:
    """What the agent hears from now on, so long."""
    begin, packets = len(voice.packets), round(seconds * 50)
    until(lambda: len(voice.packets) >= begin + packets, seconds + 10, f"{seconds} s of sound")
    return np.concatenate([sound.decode(each.payload, ulaw=False) for each in voice.packets[begin : begin + packets]])


def likeness(words: sound.Pcm, folder: Path) -> float:
    """How like those words is what the telephone hears from now on. A crowded machine keeps it from being in time: then
    it is listened to again."""
    seconds = 2 * len(words) / sound.RATE + 2

    def measure() -> float:
        so_far = len(heard(folder, 0))
        score = sound.likeness(words, heard(folder, so_far / sound.RATE + seconds)[so_far:])[0]
        assert score >= ALIKE
        return score

    return fairly(measure)


@pytest.mark.timeout(300)  # of three turns, on a crowded machine
def test_baresip_hears_itself_under_srtp_and_a_media_process_that_dies_goes_on(
    centre: Product, certificate: Path, line: int, tmp_path: Path
) -> None:
    _, words = sound.speak(tmp_path)
    uri = f"sip:600@{own_address()}:{centre.tls_port};transport=tls"
    with telephone(tmp_path / "phone", certificate, line, np.tile(words, ROUNDS), uri):
        before = likeness(words, tmp_path / "phone")
        old = centre.pids()["media"]
        os.kill(old, signal.SIGKILL)
        until(lambda: centre.pids().get("media", old) != old, 20, "another media process")
        until(lambda: centre.figure("cordboard_legs") == 1, 10, "the leg again")
        after = likeness(words, tmp_path / "phone")
    centre.at_rest()
    print(f"baresip under SRTP hears its words with correlation {before:.3f}, and {after:.3f} by another media process")


def test_plain_rtp_is_refused_in_words(centre: Product, certificate: Path, line: int, tmp_path: Path) -> None:
    uri = f"sip:600@{own_address()}:{centre.tls_port};transport=tls"
    with telephone(tmp_path / "phone", certificate, line, sound.tone(620, 8), uri, sealed=False) as said:
        until(lambda: "488" in said.read_text(), 15, "the refusal")
    centre.at_rest()
    print(f"a telephone that speaks plain RTP: {next(one for one in said.read_text().splitlines() if '488' in one)}")


def wrong(centre: Product) -> float:
    """Packets so far that were not encrypted with the far side's key."""
    return centre.metrics().get('cordboard_media_total{what="srtp_unauthentic"}', 0.0)


@pytest.mark.timeout(300)  # of three turns, on a crowded machine
def test_an_agent_dials_baresip_under_srtp_and_both_hear_each_other(
    centre: Product, certificate: Path, line: int, tmp_path: Path
) -> None:
    _, words = sound.speak(tmp_path)
    voice = Voice(words)
    before = wrong(centre)
    with voice, Robot(centre, "1001") as lin, telephone(tmp_path / "phone", certificate, line, np.tile(words, ROUNDS)):
        reply = lin.do("agent.sign_in", sdp=voice.offer())
        voice.connect(reply["sdp"])
        until(lambda: state(centre) == "up", 20, "the trunk")
        lin.do("call.dial", number=CUSTOMER)
        lin.event("call.connected", 15)

        def measure() -> float:
            score = sound.likeness(words, said_to(voice, 2 * len(words) / sound.RATE + 1))[0]
            assert score >= ALIKE
            return score

        with lin.stays():
            there = likeness(words, tmp_path / "phone")
            here = fairly(measure)
        lin.do("call.hang_up")
        lin.state("after_call_work")
    centre.at_rest()
    # To open its NAT baresip sends one report (APP, "PING") before it encrypts: that is dropped, and nothing else.
    assert wrong(centre) - before <= 1
    print(f"baresip hears the agent under SRTP with correlation {there:.3f}, the agent baresip with {here:.3f}")
