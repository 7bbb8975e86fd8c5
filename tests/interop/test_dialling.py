"""Agents who call a real telephone, baresip: both hear each other, it is busy, rings in vain, and is not there at all.

It answers OPTIONS itself, so the trunk is up while it runs. It never speaks from loopback: see `test_baresip`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from . import sound
from .carrier import Carrier
from .chromium import CHROMIUM, Agent, chromium
from .machine import own_address
from .product import Organisation, Product, free_port, infrastructure, until
from .robot import Robot
from .test_baresip import CONFIG, modules

pytestmark = [
    pytest.mark.peer("baresip"),
    pytest.mark.skipif(shutil.which("baresip") is None, reason="baresip is not installed"),
]

CUSTOMER = "+8613800138000"
TONE = 620.0


@contextmanager
def called(
    folder: Path,
    port: int,
    *,
    answers: bool = True,
    says: sound.Pcm | None = None,
    beside: Mapping[str, str] | None = None,
    more: str = "",
) -> Iterator[Path]:
    """A telephone that waits to be called, and holds one call at most; its output is the file given. `beside`: numbers
    that it has too, each with baresip's way to answer."""
    folder.mkdir()
    config = CONFIG.format(folder=folder, modules=modules(), rate=sound.RATE, channels=1)
    config = config.replace("sip_listen 0.0.0.0:0", f"sip_listen 0.0.0.0:{port}") + "call_max_calls 1\n" + more
    (folder / "config").write_text(config)
    modes = {CUSTOMER: "auto" if answers else "manual", **(beside or {})}
    (folder / "accounts").write_text(
        "".join(
            f"<sip:{number}@{own_address()}>;regint=0;answermode={mode};audio_codecs=PCMA/8000/1\n"
            for number, mode in modes.items()
        )
    )
    (folder / "contacts").touch()
    sound.write_wav(folder / "says.wav", sound.tone(TONE, 20) if says is None else says, sound.RATE)
    said = folder / "said.txt"
    with said.open("w") as output:
        process = subprocess.Popen(
            ["baresip", "-f", str(folder)], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            until(lambda: "is ready" in said.read_text(), 15, "the telephone")
            yield said
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="module")
def line() -> int:
    """The port of the carrier; the telephone has the one after it for TLS."""
    return free_port(2, "0.0.0.0")


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory, line: int) -> Iterator[Product]:
    here = own_address()
    if here == "127.0.0.1":
        pytest.skip("this machine has no address but loopback")
    organisation = Organisation().trunk("carrier", here, proxy=f"sip:{here}:{line}").may_dial("+86")
    organisation.queue("support").agent("1001", "Lin", support=1).agent("1002", "Maya", support=1)
    organisation.number("+861055501000", "queue:support", outbound=True)
    made = Product(tmp_path_factory.mktemp("calls"), infrastructure(address="0.0.0.0"), organisation.text).start()
    yield made
    made.stop()
    # between the tests nobody is there, which is an alarm
    assert [line for line in made.complaints if "the trunk carrier is down" not in line] == []


def state(centre: Product, trunk: str = "carrier") -> str:
    return str(centre.http("/api/health").json["checks"]["trunks"]["trunks"][trunk]["state"])


@pytest.mark.long
@pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="no Chromium here")
@pytest.mark.peer("chromium")
def test_an_agent_at_the_page_calls_a_telephone_and_both_hear_each_other(
    centre: Product, tmp_path: Path, line: int
) -> None:
    speech, words = sound.speak(tmp_path)
    phone = tmp_path / "phone"
    with called(phone, line) as said, chromium(speech) as browser:
        until(lambda: state(centre) == "up", 20, "the trunk")
        agent = Agent(browser, centre, "1001")
        try:
            agent.log_in().sign_in().ready()
            agent.page.get_by_label("Number", exact=True).fill("138 0013 8000")
            agent.click("Dial")
            agent.is_("Talking")
            until(lambda: "established" in said.read_text(), 15, "the call")
            heard = agent.hears(TONE)
            seconds = 2 * len(words) / sound.RATE + 1

            def recorded() -> list[Path]:
                return [one for one in phone.glob("dump*dec.wav") if one.stat().st_size > seconds * 16000]

            until(recorded, 40, "two rounds of speech")
            agent.click("Hang up")
            agent.is_("After-call work")
            until(lambda: "session closed" in said.read_text() or "terminated" in said.read_text(), 15, "the end")
        finally:
            agent.leave()
    centre.at_rest()
    score, moved = sound.likeness(words, sound.read_wav(recorded()[0]))
    print(
        f"page hears {heard.hertz:.1f} Hz; baresip hears the agent with correlation {score:.3f} ({moved:.0f} ms moved)"
    )
    assert abs(heard.hertz - TONE) < 5
    assert score >= 0.9
    assert "+861055501000" in said.read_text()


def test_it_answers_is_busy_and_rings_in_vain(centre: Product, tmp_path: Path, line: int) -> None:
    with Robot(centre, "1001") as lin, Robot(centre, "1002") as maya:
        lin.sign_in()
        maya.sign_in()
        with called(tmp_path / "busy", line):
            until(lambda: state(centre) == "up", 20, "the trunk")
            lin.do("call.dial", number=CUSTOMER)
            lin.event("call.connected", 15)
            maya.do("call.dial", number=CUSTOMER)
            failed = maya.event("call.failed", 15)
            assert (failed["why"], failed["status"]) == ("line_busy", 486)
            assert maya.ask("snapshot")["state"] == "idle"
            lin.do("call.hang_up")
            lin.state("after_call_work")
            lin.do("agent.start_answering")
        with called(tmp_path / "rings", line, answers=False) as said:
            until(lambda: state(centre) == "up", 20, "the trunk, which may have been asked while nobody was there")
            lin.events.clear()  # the first call rang too
            lin.do("call.dial", number=CUSTOMER)
            lin.event("call.dialling", 15, rings=True)
            lin.do("call.hang_up")
            assert lin.event("call.failed")["why"] == "given_up"
            until(lambda: "closed" in said.read_text() or "terminated" in said.read_text(), 15, "the cancel")
    centre.at_rest()


@pytest.mark.long
def test_a_trunk_that_has_died_is_down_within_15_s_and_says_so(centre: Product, tmp_path: Path, line: int) -> None:
    with Robot(centre, "1001") as lin:
        lin.sign_in()
        with called(tmp_path / "dies", line):
            until(lambda: state(centre) == "up", 20, "the trunk")
        begun = time.monotonic()
        until(lambda: state(centre) == "down", 20, "the trunk's death")
        down = time.monotonic() - begun
        lin.do("call.dial", number=CUSTOMER)
        assert lin.event("call.failed")["why"] == "trunk_down"
    print(f"the trunk was down {down:.1f} s after the telephone had ended")
    assert down <= 15.5
    centre.at_rest()


@pytest.mark.parametrize("number", ["110", CUSTOMER])
def test_a_call_goes_on_where_a_carrier_does_not_take_our_password(tmp_path: Path, number: str) -> None:
    """... and waits for no carrier that is dead."""
    here = own_address()
    if here == "127.0.0.1":
        pytest.skip("this machine has no address but loopback")
    dead, wrong, line = free_port(), free_port(), free_port(2, "0.0.0.0")
    organisation = Organisation().trunk("dead", "192.0.2.1", proxy=f"sip:127.0.0.1:{dead}", priority=1)
    account = {"username": "harbour", "password": "wrong"}
    organisation.trunk("wrong", "192.0.2.2", proxy=f"sip:127.0.0.1:{wrong}", priority=2, **account)
    organisation.trunk("carrier", here, proxy=f"sip:{here}:{line}", priority=3).may_dial("+86")
    organisation.queue("support").agent("1001", "Lin", support=1)
    with Carrier(wrong) as refuses, called(tmp_path / "telephone", line, beside={"110": "auto"}):
        refuses.says["INVITE"] = 401, 'WWW-Authenticate: Digest realm="carrier", nonce="n1", algorithm=MD5, qop="auth"'
        product = Product(tmp_path / "centre", infrastructure(address="0.0.0.0"), organisation.text).start()
        try:
            product.expected += ["the trunk dead is down", "the trunk wrong does not let our calls out"]
            stands = {"dead": "down", "wrong": "up", "carrier": "up"}
            until(lambda: {each: state(product, each) for each in stands} == stands, 30, "the trunks")
            with Robot(product, "1001") as lin:
                lin.sign_in()
                dialled = time.monotonic()
                lin.do("call.dial", number=number)
                assert lin.event("call.connected", 15)["number"] == number
                assert time.monotonic() - dialled < 4
                lin.do("call.hang_up")
            (first, *shown) = refuses.requests("INVITE")
            assert "\r\nAuthorization: " not in first
            assert shown
            assert all('username="harbour"' in each for each in shown)
        finally:
            product.stop()
    assert product.complaints == []
    assert "the trunk wrong does not let our calls out: it wants another password" in product.log.read_text()
