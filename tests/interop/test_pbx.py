"""A PBX that registers with the switch, a real baresip: an agent calls it, and both hear each other; a call that has
outlived its connection ends there too."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from . import sound
from .machine import own_address
from .product import Organisation, Product, free_port, lasting, until
from .robot import Robot
from .test_baresip import CONFIG, modules
from .test_drills import Desk, control_dies
from .test_srtp import heard, said_to
from .voice import Voice

pytestmark = [
    pytest.mark.long,
    pytest.mark.peer("baresip"),
    pytest.mark.skipif(shutil.which("baresip") is None, reason="baresip is not installed"),
]

NAME, PASSWORD = "office", "open-sesame"
# What baresip says where a call is over
ENDED = re.compile("terminated|session closed")


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    if own_address() == "127.0.0.1":
        pytest.skip("this machine has no address but loopback")
    organisation = Organisation().trunk("office", username=NAME, password=PASSWORD)
    organisation.may_dial("2").queue("support").agent("1001", "Lin", support=1)
    # baresip gives up where SHA-256 is asked for beside MD5
    settings = lasting(address="0.0.0.0").replace("[sip]", '[sip]\nchallenges = ["MD5"]', 1)
    settings = settings.replace('tls = ""', f'tls = "0.0.0.0:{free_port(1, "0.0.0.0")}"', 1)
    made = Product(tmp_path_factory.mktemp("pbx"), settings, organisation.text).start()
    yield made
    made.stop()
    assert [line for line in made.complaints if "the trunk office is down" not in line] == []


@contextmanager
def pbx(folder: Path, centre: Product, says: sound.Pcm, transport: str = "udp") -> Iterator[Path]:
    """Registers, and answers at once whatever calls; its output is the file given."""
    folder.mkdir()
    config = CONFIG.format(folder=folder, modules=modules(), rate=sound.RATE, channels=1)
    (folder / "config").write_text(f"{config}sip_cafile {centre.data / 'tls' / 'cert.pem'}\n")
    port = centre.tls_port if transport == "tls" else centre.sip_port
    uri = f"sip:{NAME}@{own_address()}:{port};transport={transport}"
    account = f"<{uri}>;auth_user={NAME};auth_pass={PASSWORD};regint=60"
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


@pytest.mark.parametrize(("transport", "registers_first"), [("tcp", True), ("tls", False)])
def test_a_pbx_hears_of_the_end_of_a_call_whose_connection_is_gone(
    centre: Product, tmp_path: Path, transport: str, registers_first: bool
) -> None:
    """The control process dies in the call. baresip registers by another connection when the time of the old one comes,
    after 54 s; the agent hangs up after that, or before, and what it says waits."""
    with pbx(tmp_path / "pbx", centre, sound.tone(620, 60), transport) as said:
        until(lambda: stands(centre) == "up", 20, "the registration")
        due = time.monotonic() + 54
        desk = Desk.signed_in(centre)
        desk.robot.event("media.connected", 15)
        desk.robot.do("call.dial", number="21")
        desk.robot.event("call.connected", 15)
        until(lambda: "established" in said.read_text(), 15, "the call there")
        control_dies(centre, desk)
        assert stands(centre) != "up"
        with desk.robot.stays():
            if registers_first:
                until(lambda: stands(centre) == "up", 70, "the registration by another connection")
            else:
                until(lambda: time.monotonic() > due - 20, 60)
                assert stands(centre) != "up"
        assert not ENDED.search(said.read_text()), "baresip is in the call"
        desk.robot.do("call.hang_up")
        until(lambda: ENDED.search(said.read_text()), 45, "its end there")
        desk.robot.state("after_call_work")
        desk.robot.do("agent.start_answering")
        desk.close()
    assert "sip request not sent" not in centre.log.read_text()
    centre.at_rest()
