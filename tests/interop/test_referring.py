"""A telephone that puts an agent through to another number (REFER), a real baresip: the agent hears whoever answers
there, and baresip lets its own call go as it is told so (NOTIFY)."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from . import sound
from .machine import own_address
from .product import Organisation, Product, free_port, infrastructure, until
from .robot import Robot
from .test_baresip import CONFIG, modules
from .test_dialling import state
from .test_srtp import said_to
from .voice import Voice

pytestmark = [
    pytest.mark.long,
    pytest.mark.peer("baresip"),
    pytest.mark.skipif(shutil.which("baresip") is None, reason="baresip is not installed"),
]

CUSTOMER, COLLEAGUE, NOBODY = "+8613800138000", "+8613800138001", "+8613800138002"


@pytest.fixture(scope="module")
def line() -> int:
    """The port of the telephones; the second is for TLS, the third tells them what to do."""
    return free_port(3, "0.0.0.0")


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory, line: int) -> Iterator[Product]:
    here = own_address()
    if here == "127.0.0.1":
        pytest.skip("this machine has no address but loopback")
    organisation = Organisation().trunk("carrier", here, proxy=f"sip:{here}:{line}", refer=True).may_dial("+86")
    organisation.queue("support").agent("1001", "Lin", support=1)
    organisation.number("+861055501000", "queue:support", outbound=True)
    made = Product(tmp_path_factory.mktemp("refers"), infrastructure(address="0.0.0.0"), organisation.text).start()
    yield made
    made.stop()
    assert [line for line in made.complaints if "the trunk carrier is down" not in line] == []


@contextmanager
def telephones(folder: Path, line: int) -> Iterator[Path]:
    """Two numbers of one machine, each of which answers at once; its output is the file given."""
    folder.mkdir()
    config = CONFIG.format(folder=folder, modules=modules(), rate=sound.RATE, channels=1)
    config = config.replace("sip_listen 0.0.0.0:0", f"sip_listen 0.0.0.0:{line}")
    config += f"module_app ctrl_tcp.so\nctrl_tcp_listen 127.0.0.1:{line + 2}\n"
    (folder / "config").write_text(config)
    accounts = (f"<sip:{user}@{own_address()}>;regint=0;answermode=auto" for user in (CUSTOMER, COLLEAGUE))
    (folder / "accounts").write_text("".join(f"{each};audio_codecs=PCMA/8000/1\n" for each in accounts))
    (folder / "contacts").touch()
    sound.write_wav(folder / "says.wav", sound.tone(620, 20), sound.RATE)
    said = folder / "said.txt"
    with said.open("w") as output:
        process = subprocess.Popen(
            ["baresip", "-f", str(folder)], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            until(lambda: "is ready" in said.read_text(), 15, "the telephones")
            yield said
        finally:
            process.terminate()
            process.wait(20)


def tell(line: int, command: str, what: str) -> None:
    """As somebody who presses its keys; a netstring each."""
    text = json.dumps({"command": command, "params": what})
    with socket.create_connection(("127.0.0.1", line + 2), 5) as control:
        control.sendall(f"{len(text)}:{text},".encode())
        control.recv(4096)


@contextmanager
def talking(centre: Product, line: int, folder: Path) -> Iterator[tuple[Robot, Voice, Path]]:
    """An agent who has called the first of them."""
    voice = Voice(sound.tone(440, 5))
    with voice, Robot(centre, "1001") as lin, telephones(folder, line) as said:
        reply = lin.do("agent.sign_in", sdp=voice.offer())
        voice.connect(reply["sdp"])
        until(lambda: state(centre) == "up", 20, "the trunk")
        lin.do("call.dial", number=CUSTOMER)
        lin.event("call.connected", 15)
        until(lambda: said.read_text().count("Call established") == 1, 15, "the call")
        yield lin, voice, said
        lin.do("call.hang_up")
        lin.state("after_call_work")
        lin.do("agent.start_answering")
        lin.do("agent.sign_out")
    centre.at_rest()


def test_a_telephone_puts_the_agent_through(centre: Product, line: int, tmp_path: Path) -> None:
    with talking(centre, line, tmp_path / "phones") as (lin, voice, said):
        tell(line, "transfer", f"sip:{COLLEAGUE}@{own_address()}:{line}")
        lin.event("call.parties", 20, number=COLLEAGUE)
        until(lambda: said.read_text().count("Call established") == 2, 15, "the other call")
        until(lambda: centre.figure("cordboard_calls") == 1, 15, "the end of the first call")
        pcm = said_to(voice, 2)[-8000:]
        print(f"put through, the agent hears {sound.loudest(pcm):.1f} Hz at {sound.level(pcm):.0f} dBFS")
        assert abs(sound.loudest(pcm) - 620) < 5
        assert "transfer failed" not in said.read_text()


def test_where_nobody_has_that_number_it_is_told_so(centre: Product, line: int, tmp_path: Path) -> None:
    """... and hangs up, which is baresip's way then."""
    with Robot(centre, "1001") as lin, telephones(tmp_path / "phones", line) as said:
        lin.sign_in()
        until(lambda: state(centre) == "up", 20, "the trunk")
        lin.do("call.dial", number=CUSTOMER)
        lin.event("call.connected", 15)
        until(lambda: said.read_text().count("Call established") == 1, 15, "the call")
        tell(line, "transfer", f"sip:{NOBODY}@{own_address()}:{line}")
        over = lin.event("call.second_over", 20)
        assert (over["purpose"], over["number"], over["why"]) == ("referred", NOBODY, "no_such_number")
        until(lambda: "transfer failed: 404" in said.read_text(), 10, "what baresip is told of it")
        lin.state("after_call_work")
    centre.at_rest()
