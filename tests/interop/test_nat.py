"""A PBX behind a NAT, a real baresip behind a router of ours: an agent calls it, and whoever hangs up, the other hears
of it, by the port that the router has by then."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from . import sound
from .machine import own_address
from .nat import PRIVATE, Nat
from .product import Organisation, Product, free_port, lasting, until
from .test_baresip import CONFIG, modules
from .test_drills import Desk, control_dies
from .test_pbx import ENDED, NAME, PASSWORD, stands

pytestmark = [
    pytest.mark.long,
    pytest.mark.peer("baresip"),
    pytest.mark.skipif(shutil.which("baresip") is None, reason="baresip is not installed"),
]


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    if own_address() == "127.0.0.1":
        pytest.skip("this machine has no address but loopback")
    organisation = Organisation().trunk("office", username=NAME, password=PASSWORD, nat=True)
    organisation.may_dial("2").queue("support").agent("1001", "Lin", support=1)
    # baresip gives up where SHA-256 is asked for beside MD5
    settings = lasting(address="0.0.0.0").replace("[sip]", '[sip]\nchallenges = ["MD5"]', 1)
    made = Product(tmp_path_factory.mktemp("nat"), settings, organisation.text).start()
    yield made
    made.stop()
    assert [line for line in made.complaints if "the trunk office is down" not in line] == []


class Pbx:
    """Behind the router, registers for a minute, and answers at once whatever calls."""

    def __init__(self, folder: Path, nat: Nat, transport: str) -> None:
        folder.mkdir()
        self.nat = nat
        self._said, self._ear = folder / "said.txt", free_port()
        config = CONFIG.format(folder=folder, modules=modules(), rate=sound.RATE, channels=1)
        config += f"module_app ctrl_tcp.so\nctrl_tcp_listen 127.0.0.1:{self._ear}\n"
        (folder / "config").write_text(config)
        uri = f"sip:{NAME}@{nat.address}:{nat.inside};transport={transport}"
        account = f"<{uri}>;auth_user={NAME};auth_pass={PASSWORD};regint=60"
        (folder / "accounts").write_text(f"{account};answermode=auto;audio_codecs=PCMA/8000/1\n")
        (folder / "contacts").touch()
        sound.write_wav(folder / "says.wav", sound.tone(620, 60), sound.RATE)
        with self._said.open("w") as output:
            self._process = subprocess.Popen(
                ["baresip", "-f", str(folder)], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )

    @property
    def said(self) -> str:
        return self._said.read_text()

    @property
    def registrations(self) -> int:
        """That were granted."""
        return sum(each.startswith(b"SIP/2.0 200") and b" REGISTER\r\n" in each for each in self.nat.incoming)

    def hang_up(self) -> None:
        """As somebody who presses its key; a netstring."""
        text = json.dumps({"command": "hangup"})
        with socket.create_connection(("127.0.0.1", self._ear), 5) as control:
            control.sendall(f"{len(text)}:{text},".encode())
            control.recv(4096)

    def close(self) -> None:
        """It says first that it is gone, as long as somebody may answer."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        self._process.kill()
        self._process.wait()


@contextmanager
def talking(centre: Product, folder: Path, transport: str) -> Iterator[tuple[Desk, Pbx]]:
    """An agent has called it."""
    with Nat(own_address(), centre.tcp_port if transport == "tcp" else centre.sip_port) as nat:
        pbx = Pbx(folder, nat, transport)
        try:
            until(lambda: stands(centre) == "up", 20, "the registration")
            with closing(Desk.signed_in(centre)) as desk:
                desk.robot.event("media.connected", 15)
                desk.robot.do("call.dial", number="21")
                desk.robot.event("call.connected", 15)
                until(lambda: "established" in pbx.said, 15, "the call there")
                assert PRIVATE.encode() in b"".join(nat.outgoing), "where nobody reaches it"
                yield desk, pbx
                desk.robot.do("agent.start_answering")
            centre.at_rest()
        finally:
            pbx.close()


def agent_hangs_up(desk: Desk, pbx: Pbx) -> None:
    assert not ENDED.search(pbx.said), "baresip is in the call"
    desk.robot.do("call.hang_up")
    until(lambda: ENDED.search(pbx.said), 20, "its end there")
    # what is sent past the router arrives on this machine, and nowhere else
    assert any(each.startswith(b"BYE ") for each in pbx.nat.incoming)
    desk.robot.state("after_call_work")


def pbx_hangs_up(desk: Desk, pbx: Pbx) -> None:
    pbx.hang_up()
    desk.robot.state("after_call_work", 20)


HANG_UP = pytest.mark.parametrize("hang_up", [agent_hangs_up, pbx_hangs_up])
TRANSPORT = pytest.mark.parametrize("transport", ["udp", "tcp"])


@TRANSPORT
@HANG_UP
def test_whoever_hangs_up_the_other_hears_of_it(
    centre: Product, tmp_path: Path, transport: str, hang_up: Callable[[Desk, Pbx], None]
) -> None:
    with talking(centre, tmp_path / "pbx", transport) as (desk, pbx):
        hang_up(desk, pbx)


@TRANSPORT
@HANG_UP
def test_the_router_and_the_control_process_begin_anew_in_the_call(
    centre: Product, tmp_path: Path, transport: str, hang_up: Callable[[Desk, Pbx], None]
) -> None:
    """The PBX is heard by another port as it registers again, after 54 s, or as it hangs up."""
    with talking(centre, tmp_path / "pbx", transport) as (desk, pbx):
        registered, before = pbx.registrations, pbx.nat.ports
        pbx.nat.move()
        control_dies(centre, desk)
        if hang_up is agent_hangs_up:
            with desk.robot.stays():
                until(lambda: pbx.registrations > registered, 75, "the registration by another port")
        hang_up(desk, pbx)
        assert not pbx.nat.ports & before
