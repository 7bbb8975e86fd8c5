"""A PBX that registers with the switch, a real baresip: an agent calls it, and both hear each other."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from . import sound
from .machine import own_address
from .product import Organisation, Product, infrastructure, until
from .robot import Robot
from .test_baresip import CONFIG, modules
from .test_srtp import heard, said_to
from .voice import Voice

pytestmark = [
    pytest.mark.long,
    pytest.mark.peer("baresip"),
    pytest.mark.skipif(shutil.which("baresip") is None, reason="baresip is not installed"),
]

NAME, PASSWORD = "office", "open-sesame"


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    if own_address() == "127.0.0.1":
        pytest.skip("this machine has no address but loopback")
    organisation = Organisation().trunk("office", username=NAME, password=PASSWORD)
    organisation.may_dial("2").queue("support").agent("1001", "Lin", support=1)
    # baresip gives up where SHA-256 is asked for beside MD5
    settings = infrastructure(address="0.0.0.0").replace("[sip]", '[sip]\nchallenges = ["MD5"]', 1)
    made = Product(tmp_path_factory.mktemp("pbx"), settings, organisation.text).start()
    yield made
    made.stop()
    assert [line for line in made.complaints if "the trunk office is down" not in line] == []


@contextmanager
def pbx(folder: Path, centre: Product, says: sound.Pcm) -> Iterator[Path]:
    """Registers, and answers at once whatever calls; its output is the file given."""
    folder.mkdir()
    (folder / "config").write_text(CONFIG.format(folder=folder, modules=modules(), rate=sound.RATE, channels=1))
    account = f"<sip:{NAME}@{own_address()}:{centre.sip_port}>;auth_user={NAME};auth_pass={PASSWORD};regint=60"
    (folder / "accounts").write_text(f"{account};answermode=auto;audio_codecs=PCMA/8000/1\n")
    (folder / "contacts").touch()
    sound.write_wav(folder / "says.wav", says, sound.RATE)
    said = folder / "said.txt"
    with said.open("w") as output:
        process = subprocess.Popen(
            ["baresip", "-f", str(folder)], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield said
        finally:
            process.terminate()
            process.wait(20)


def stands(centre: Product) -> str:
    return str(centre.http("/api/health").json["checks"]["trunks"]["trunks"]["office"]["state"])


def test_an_agent_calls_a_registered_pbx_and_both_hear_each_other(centre: Product, tmp_path: Path) -> None:
    """By the Contact that it gave, whose user baresip has made up: any other is nobody there (404)."""
    _, words = sound.speak(tmp_path)
    voice = Voice(words)
    with voice, Robot(centre, "1001") as lin, pbx(tmp_path / "pbx", centre, np.tile(words, 20)) as said:
        until(lambda: stands(centre) == "up", 20, "the registration")
        reply = lin.do("agent.sign_in", sdp=voice.offer())
        voice.connect(reply["sdp"])
        lin.do("call.dial", number="21")
        lin.event("call.connected", 15)
        seconds = 2 * len(words) / sound.RATE + 1
        there = sound.likeness(words, heard(tmp_path / "pbx", seconds))[0]
        here = sound.likeness(words, said_to(voice, seconds))[0]
        lin.do("call.hang_up")
        lin.state("after_call_work")
        until(lambda: "terminated" in said.read_text() or "closed" in said.read_text(), 15, "its end there")
        lin.do("agent.start_answering")
    centre.at_rest()
    print(f"a registered baresip hears the agent with correlation {there:.3f}, the agent it with {here:.3f}")
    assert there >= 0.9
    assert here >= 0.9
