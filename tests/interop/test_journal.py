"""A real call from the journal: a fresh process takes every step of it again and draws it, and nothing private was
written down."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import sound
from .caller import Caller
from .chromium import CHROMIUM, Agent, chromium
from .product import PASSWORD, ROOT, START_S, Product, centre, environment, infrastructure, until

pytestmark = [
    pytest.mark.peer("chromium"),
    pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="no Chromium here"),
]

TONE = 620.0
NUMBER, NAME = "+8613912345678", "Customer"
# As no class of ours begins, whose names stand in a journal.
AGENT = "Wenqing"


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    """A switch of this test alone, which is killed: its calls go on where the next process has the same port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = infrastructure().replace('udp = "127.0.0.1:0"', f'udp = "127.0.0.1:{port}"')
    made = Product(tmp_path / "switch", config, centre().text.replace('"Lin"', f'"{AGENT}"')).start()
    yield made
    made.stop()


def cordboard(seed: int, *arguments: object) -> str:
    """What a command says, in a process whose sets have another order."""
    done = subprocess.run(
        [sys.executable, "-m", "cordboard.actors.main", *map(str, arguments)],
        env={**environment(), "PYTHONHASHSEED": str(seed)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=START_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


def replay(where: Path, seed: int) -> str:
    return cordboard(seed, "replay", where)


def test_a_call_is_replayed_to_the_byte(product: Product, tmp_path: Path) -> None:
    directory = product.data / "journal"
    follower = follow(product)
    with chromium(sound.speak(tmp_path)[0]) as browser:
        agent = Agent(browser, product, "1001")
        agent.log_in().sign_in()
        with Caller(product.sip_port, "5001", sound.tone(TONE)) as customer:
            customer.dial().answered()
            agent.answer()
            agent.hears(TONE)
            agent.click("Mute")
            agent.click("Unmute")
            agent.click("Hang up")
            customer.ended()
        agent.is_("After-call work")
        agent.ready()
        private = [NUMBER, NAME, AGENT, PASSWORD.format("1001"), *page_secrets(agent)]
        with Caller(product.sip_port, "5001", sound.tone(TONE)) as customer:
            customer.dial().answered()
            agent.answer()
            agent.hears(TONE)
            figures = product.metrics()
            killed = product.pids()["control"]
            os.kill(killed, signal.SIGKILL)
            until(lambda: len(list(directory.iterdir())) == 2, START_S, "the journal of another process")
            customer.hang_up()
            customer.response("BYE")
        agent.context.close()
    follower.send_signal(signal.SIGINT)
    followed = follower.communicate(timeout=START_S)[0]
    product.stop()
    first = next(path for path in directory.iterdir() if str(killed) in path.name)
    octets = b"".join(path.read_bytes() for path in directory.iterdir())
    steps, written = (figures[f'cordboard_journal_total{{what="{what}"}}'] for what in ("steps", "octets"))
    cost = 1e6 * figures["cordboard_journal_seconds_total"] / steps
    print(f"the journal of the process that was killed: {first.stat().st_size} octets; {replay(first, 7).strip()}")
    print(f"all of it: {len(octets)} octets; {replay(product.data, 11).strip()}")
    print(f"what it cost: {cost:.0f} µs and {written / steps:.0f} octets for each of {steps:.0f} steps")
    assert steps > 60
    assert [secret for secret in private if secret.encode() in octets] == []
    calls = dict.fromkeys(re.findall(r"carrier, call (\S+)\n", followed))
    assert len(calls) == 2
    assert "    INVITE <sip:5001@...> SIP/2.0\n" in followed
    picture = tmp_path / "call.svg"
    told = cordboard(13, "trace", next(iter(calls)), "--data", product.data, "--svg", picture)
    drawn = cordboard(13, "trace", next(iter(calls)), "--data", product.data)
    print(told)
    for part in (
        "- INVITE 5001 + SDP -",
        "- call.answer -",
        "- Rewire -",
        "- call.muted -",
        "* talking: answered",
        "- BYE -",
    ):
        assert part in drawn, drawn
    assert [secret for secret in private if secret in followed + drawn + picture.read_text()] == []
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}
    assert product.complaints == []


def follow(product: Product) -> subprocess.Popen[str]:
    """`cordboard trace --trunk`, once it follows."""
    command = [
        sys.executable,
        "-m",
        "cordboard.actors.main",
        "trace",
        "--trunk",
        "carrier",
        "--data",
        str(product.data),
    ]
    follower = subprocess.Popen(
        command, env=environment(), cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert follower.stderr is not None
    assert follower.stderr.readline() == "SIP of trunk carrier, as it comes and goes; Ctrl-C ends\n"
    return follower


def page_secrets(agent: Agent) -> list[str]:
    """Passwords of ICE, fingerprints and the login, which the journal may not have."""
    both: str = agent.ask("() => cordboard.peer.localDescription.sdp + cordboard.peer.remoteDescription.sdp")
    passwords, digests = re.findall(r"a=ice-pwd:(\S+)", both), re.findall(r"a=fingerprint:\S+ (\S+)", both)
    cookies = [str(cookie["value"]) for cookie in agent.context.cookies()]
    assert len(passwords) >= 2
    assert len(digests) >= 2
    assert cookies
    return [*passwords, *digests, *cookies]
