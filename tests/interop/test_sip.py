"""What the switch says to a trunk, by the real sipp and by hand: refusals, retransmissions, strangers, floods."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cordboard.actors.alarms import BUSY

from . import sound
from .caller import PCMA, Caller
from .machine import Waits
from .product import Product, free_port, until
from .test_numbers import GAP_MS

OURS = Path(__file__).parent / "scenarios"
THEIRS = Path(__file__).parents[1] / "sip" / "scenarios"

# Those of processes beside each other are apart.
_media_ports = itertools.count(10000 + 2000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]), 4)

needs_sipp = pytest.mark.skipif(shutil.which("sipp") is None, reason="sipp is not installed")


def sipp(product: Product, scenario: Path, *arguments: str, port: int = 0) -> subprocess.CompletedProcess[str]:
    """By UDP, unless the arguments and the port say otherwise."""
    command = ["sipp", f"127.0.0.1:{port or product.sip_port}", "-i", "127.0.0.1", "-p", str(free_port()), "-nostdin"]
    # Media of its own each time: a pair of our port and theirs rests after a call.
    command += ["-sf", str(scenario), "-timeout", "20", "-mp", str(next(_media_ports)), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=40, check=False)


@pytest.mark.peer("sipp")
@needs_sipp
@pytest.mark.parametrize(
    ("folder", "scenario"),
    [
        (THEIRS, "call"),
        (THEIRS, "hold"),
        (THEIRS, "options"),
        (THEIRS, "unknown_method"),
        (THEIRS, "require"),
        (THEIRS, "no_codec"),
        (THEIRS, "bye_of_nothing"),
        (OURS, "unknown_number"),
        (OURS, "cancel_at_once"),
    ],
)
def test_sipp(product: Product, folder: Path, scenario: str) -> None:
    done = sipp(product, folder / f"{scenario}.xml", "-m", "1", "-timeout_error")
    assert done.returncode == 0, done.stdout[-2500:] + done.stderr
    product.at_rest()


@pytest.mark.peer("sipp")
@needs_sipp
def test_a_voice_goes_through_sipp_and_comes_back_as_it_was(tmp_path: Path, product: Product) -> None:
    """Two in a room: a customer, and sipp, which sends back whatever it is sent, by our own SSRC and numbers."""
    _, speech = sound.speak(tmp_path)
    speech = speech[: sound.RATE]
    command = ["-s", "703", "-key", "codec", str(PCMA), "-key", "map", "PCMA/8000"]
    command += ["-rtp_echo", "-m", "1", "-d", "4000"]
    with ThreadPoolExecutor() as beside, Caller(product.sip_port, "703", speech) as customer:
        echo = beside.submit(sipp, product, OURS / "stays.xml", *command)
        customer.dial().answered()
        until(lambda: product.figure("cordboard_calls") == 2, 5, "sipp in the room")
        score, _ = sound.correlation(speech, customer.hears(2.2))
        print(f"through sipp and back: correlation {score:.3f}")
        assert score >= 0.9
        assert echo.result().returncode == 0
    product.at_rest()


def test_a_cancel_that_crosses_the_answer_leaves_nothing_behind(product: Product) -> None:
    """The switch answers within milliseconds, so each moment of the CANCEL meets another state of the call."""
    outcomes = []
    for moment in range(12):
        with Caller(product.sip_port, "600") as customer:
            customer.dial()
            begun = time.perf_counter()
            while time.perf_counter() - begun < moment / 1000:
                pass
            customer.cancel()
            outcomes.append(customer.response("INVITE").status)
            assert customer.response("CANCEL").status in (200, 481)
            assert outcomes[-1] in (200, 487)
    print(f"CANCEL after 0 to 11 ms: {outcomes}")
    product.at_rest()


def test_a_stranger_hears_nothing(product: Product) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.2", 0))
        stranger.settimeout(1.0)
        with Caller(product.sip_port, "600") as pattern:
            invite = pattern.invite
        before = product.metrics().get('cordboard_sip_total{what="stranger INVITE"}', 0)
        for data in (invite, invite.replace(b"INVITE", b"OPTIONS"), b"nonsense\r\n\r\n"):
            stranger.sendto(data, ("127.0.0.1", product.sip_port))
        with pytest.raises(TimeoutError):
            stranger.recv(2048)
    assert product.metrics()['cordboard_sip_total{what="stranger INVITE"}'] == before + 1


def test_the_same_invite_again_is_the_same_call(product: Product, caller: Callable[..., Caller]) -> None:
    customer = caller("600").answered()
    for _ in range(3):
        customer.send(customer.invite)
    until(lambda: sum(one.status == 200 for one in customer.said) >= 1)
    assert product.figure("cordboard_calls") == 1
    assert product.figure("cordboard_legs") == 1
    tags = {re.search("tag=(.*)", one.header("To"))[1] for one in customer.said if one.status == 200}  # type: ignore[index]
    assert len(tags) == 1


@pytest.mark.peer("sipp")
@needs_sipp
def test_a_flood_of_calls_does_not_break_the_voice_of_one(product: Product, caller: Callable[..., Caller]) -> None:
    product.expected.append(BUSY.says())
    customer = caller("600", sound.tone(500)).answered()
    customer.hears(0.5)
    with Waits(product.pids()["media"]) as waits:
        begin = time.time()
        done = sipp(product, OURS / "flood.xml", "-r", "300", "-m", "600", "-recv_timeout", "4000")
        end = max(time.time(), begin + 2)
        customer.hears(0.5)
    pause = waits.longest_pause(customer, begin, end)
    good, bad = (
        int(re.findall(rf"{which} call +\|[^|]*\| +(\d+)", done.stdout)[-1]) for which in ("Successful", "Failed")
    )
    print(f"flood: of 600 calls at 300/s {good} went well, {bad} did not; the one that lasted: longest pause {pause}")
    assert good + bad == 600
    assert pause.own <= GAP_MS
    assert abs(sound.loudest(customer.hears(0.5)) - 500) < 5
    customer.close()
    product.at_rest(seconds=40)  # what sipp gave up ends after 64 x T1
