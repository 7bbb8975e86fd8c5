"""Sessions that end badly, in real time: what nobody says any more must be noticed, and everything given back.

All of them at once, for each takes its minute: an answer that is never acknowledged, customers that vanish in a
conversation, one that falls silent, one that never says a word, and one whose silence is told to be alive by its RTCP.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from . import sound
from .caller import Caller
from .product import Product, free_port, until
from .robot import Robot
from .test_sip import THEIRS, needs_sipp

# RFC 3261 §13.3.1.4: 64 * T1
NO_ACK_S = 32.0
# Nothing from a peer that may send, for so long; noticed and told within SLACK_S.
SILENT_S = 60.0
SLACK_S = 2.0
# What was last sent may be so old when its sender stops.
FRAME_S = 0.1


def talking(product: Product, agent: str, customer: Caller, stack: ExitStack) -> Robot:
    """A customer in conversation with this agent."""
    robot = stack.enter_context(Robot(product, agent)).sign_in()
    customer.dial().answered()
    robot.event("call.offered")
    robot.do("call.answer")
    robot.event("call.connected")
    return robot


@contextlib.contextmanager
def a_long_call_of_sipp(product: Product, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """sipp on one connection, and nothing said on it for 40 s but our ping, which it must bear."""
    scenario = folder / "long.xml"
    scenario.write_text((THEIRS / "call.xml").read_text().replace('milliseconds="100"', 'milliseconds="40000"'))
    command = ["sipp", f"127.0.0.1:{product.tcp_port}", "-t", "t1", "-i", "127.0.0.1", "-p", str(free_port())]
    command += ["-nostdin", "-sf", str(scenario), "-m", "1", "-timeout", "60", "-timeout_error", "-max_socket", "100"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        try:
            yield running
        finally:
            if running.poll() is None:
                running.kill()


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.peer("sipp")
@needs_sipp
def test_what_ends_without_a_word_is_freed(product: Product, tmp_path: Path) -> None:
    def figures() -> tuple[float, ...]:
        now = product.metrics()
        return tuple(now[f"cordboard_{name}"] for name in ("calls", "legs", "actors", "sip_transactions"))

    at_first = figures()
    tone = sound.tone(500)
    with ExitStack() as stack:

        def customer(dialled: str, *, transport: str = "udp", acknowledges: bool = True) -> Caller:
            port = product.tcp_port if transport == "tcp" else product.sip_port
            made = Caller(port, dialled, tone, transport=transport, acknowledges=acknowledges)
            return stack.enter_context(made)

        began = time.time()
        unacknowledged = customer("5001", acknowledges=False)
        lin = talking(product, "1001", unacknowledged, stack)
        unplugged = customer("5001")
        maya = talking(product, "1002", unplugged, stack)
        crashed = customer("5001", transport="tcp")
        chen = talking(product, "1003", crashed, stack)
        mute = customer("601")
        never = time.time()
        mute.silence()
        mute.dial().answered()
        hushed, quiet = customer("601").dial().answered(), customer("601", transport="tcp").dial().answered()
        hushed.hears(0.5)
        quiet.hears(0.5)

        sipp = stack.enter_context(a_long_call_of_sipp(product, tmp_path))
        gone = unplugged.vanish(), crashed.vanish()
        silent = hushed.silence()
        quiet.silence(reports=True)

        def passes(seconds: float) -> None:
            """Time, in which the agents' pages live: they answer pings only while they are read."""
            begin = time.time()
            while time.time() - begin < seconds:
                for agent in (lin, maya, chen):
                    agent.look(0.1)

        passes(NO_ACK_S)
        ended = lin.event("call.ended")
        lin.state("after_call_work")
        print(f"an answer without its ACK: ended {ended['at'] - began:.1f} s after the INVITE, {ended['cause']}")
        assert NO_ACK_S <= ended["at"] - began <= NO_ACK_S + SLACK_S
        assert unacknowledged.ended() > began

        passes(silent + SILENT_S + 10 - time.time())
        for what, when, agent in (("UDP", gone[0], maya), ("TCP", gone[1], chen)):
            ended = agent.event("call.ended")
            agent.state("after_call_work")
            print(f"a customer on {what} that vanished: ended after {ended['at'] - when:.1f} s, {ended['cause']}")
            assert ended["by"] == "system"
            assert SILENT_S - FRAME_S <= ended["at"] - when <= SILENT_S + SLACK_S
        for what, when, one in (("fell silent", silent, hushed), ("never said a word", never, mute)):
            seconds = one.ended() - when
            print(f"a customer that {what}: BYE after {seconds:.1f} s")
            assert SILENT_S - FRAME_S <= seconds <= SILENT_S + SLACK_S
        assert quiet.up
        until(lambda: product.figure("cordboard_calls") == 1)
        print(f"a customer that sent RTCP alone: in its call after 70 s, {quiet.pings} pings on its connection")
        assert quiet.connections == 1
        assert quiet.pings >= 2
        assert sipp.wait(10) == 0, sipp.communicate()[0][-2500:]
    # a BYE that nobody takes is given up after 64 * T1, and the call is remembered as long
    waited = time.time()
    until(lambda: figures() == at_first, 2 * NO_ACK_S + 10, f"{at_first}")
    print(f"calls, legs, actors, SIP transactions {at_first} again {time.time() - waited:.0f} s later")
