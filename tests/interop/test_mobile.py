"""Mobile answer with a real telephone, baresip: who presses 1 has the call, and who presses nothing never hears it."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from . import sound
from .caller import Caller
from .machine import own_address
from .product import Organisation, Product, free_port, infrastructure, until
from .robot import Robot
from .test_dialling import CUSTOMER, TONE, called, state

pytestmark = [
    pytest.mark.peer("baresip"),
    pytest.mark.skipif(shutil.which("baresip") is None, reason="baresip is not installed"),
]

MOBILE = CUSTOMER
VOICE = 440.0


@pytest.fixture(scope="module")
def carrier() -> int:
    return free_port(2, "0.0.0.0")


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory, carrier: int) -> Iterator[Product]:
    here = own_address()
    if here == "127.0.0.1":
        pytest.skip("this machine has no address but loopback")
    organisation = Organisation().trunk("carrier", here, "127.0.0.1", proxy=f"sip:{here}:{carrier}").may_dial("+86")
    organisation.queue("support").agent("1001", "Lin", support=1).number("5001", "queue:support")
    made = Product(tmp_path_factory.mktemp("mobile"), infrastructure(address="0.0.0.0"), organisation.text).start()
    yield made
    made.stop()
    assert [line for line in made.complaints if "the trunk carrier is down" not in line] == []


@contextmanager
def mobile(centre: Product, folder: Path, carrier: int) -> Iterator[int]:
    """A mobile that picks up by itself, with the port to which its keys are sent. Its agent is signed out, also where
    the story before broke off."""
    keys = free_port()
    with Robot(centre, "1001") as lin:
        if lin.ask("snapshot")["state"] != "signed_out":
            lin.do("agent.sign_out")
    with called(folder, carrier, more=f"module_app cons.so\ncons_listen 127.0.0.1:{keys}\n"):
        until(lambda: state(centre) == "up", 20, "the trunk")
        yield keys


def press(port: int, key: str) -> None:
    """Down, and let go."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as keypad:
        for sign in (key.encode(), b"\x04"):
            keypad.sendto(sign, ("127.0.0.1", port))


def hears_the_mobile(customer: Caller) -> bool:
    return abs(sound.loudest(customer.hears(0.5)) - TONE) < 5


def test_who_presses_1_has_the_call_and_no_page_is_needed(centre: Product, tmp_path: Path, carrier: int) -> None:
    assert centre.ask("/api/me").json["accept"] == "key-1"  # by which the page says what to press
    with mobile(centre, tmp_path / "mobile", carrier) as keys:
        with Robot(centre, "1001") as lin:
            lin.do("agent.mobile", number=MOBILE)
            assert lin.state("mobile_answer")["by_mobile"] is True
        with Caller(centre.sip_port, "5001", sound.tone(VOICE)) as customer:
            customer.dial().answered()
            until(lambda: "established" in (tmp_path / "mobile" / "said.txt").read_text(), 10, "the mobile's answer")
            assert not hears_the_mobile(customer), "nobody who has not pressed 1 is heard"
            with Robot(centre, "1001") as lin:
                assert lin.ask("snapshot")["state"] == "ringing"
                press(keys, "1")
                lin.event("call.connected", 10)
            until(lambda: hears_the_mobile(customer), 5, "the voice of the mobile")
            customer.hang_up()
        with Robot(centre, "1001") as lin:
            until(lambda: lin.ask("snapshot")["state"] == "mobile_answer", 5, "the end")
            lin.do("agent.sign_out")
    centre.at_rest()


@pytest.mark.long
def test_who_presses_nothing_has_not_taken_it(centre: Product, tmp_path: Path, carrier: int) -> None:
    """A mailbox, say: on break, and the caller waits on."""
    with mobile(centre, tmp_path / "mailbox", carrier), Robot(centre, "1001") as lin:
        lin.do("agent.mobile", number=MOBILE)
        with Caller(centre.sip_port, "5001", sound.tone(VOICE)) as customer:
            customer.dial().answered()
            lin.event("call.offered", 10)
            gone = lin.event("call.withdrawn", 25)
            assert (gone["reason"], lin.state("break")["reason"]) == ("no answer", "no answer")
            assert customer.up
            assert not hears_the_mobile(customer)
        lin.do("agent.sign_out")
