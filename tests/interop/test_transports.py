"""Calls over TCP and IPv6 against the running switch: media both ways, connections reused, lost and refused."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from . import sound
from .caller import Caller
from .machine import fairly
from .product import START_S, Product, infrastructure, until
from .robot import Robot
from .test_sip import THEIRS, sipp

needs_sipp = pytest.mark.skipif(shutil.which("sipp") is None, reason="sipp is not installed")


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A switch that speaks SIP and media over IPv6 alone."""
    made = Product(tmp_path_factory.mktemp("six"), infrastructure(address="::1")).start()
    yield made
    made.stop()
    assert made.complaints == []


def counted(product: Product, what: str) -> int:
    return int(product.metrics().get(f'cordboard_sip_total{{what="{what}"}}', 0))


def opened(product: Product) -> int:
    """The TCP connections that are open."""
    return sum(counted(product, f"connections {what}") for what in ("accepted", "opened")) - counted(
        product, "connections closed"
    )


@pytest.mark.parametrize(
    ("address", "transport"),
    [("127.0.0.1", "tcp"), ("::1", "udp"), pytest.param("::1", "tcp", marks=pytest.mark.long)],
    ids=lambda value: value,
)
def test_the_echo_over_every_way(tmp_path: Path, request: pytest.FixtureRequest, address: str, transport: str) -> None:
    product: Product = request.getfixturevalue("six" if ":" in address else "product")
    _, speech = sound.speak(tmp_path)
    speech = speech[: sound.RATE]
    port = product.tcp_port if transport == "tcp" else product.sip_port

    def measure() -> None:
        before = opened(product)
        with Caller(port, "600", speech, address=address, transport=transport) as customer:
            customer.dial().answered()
            heard = customer.hears(2.2)
            assert opened(product) == before + (transport == "tcp")
        score, _ = sound.correlation(speech, heard)
        print(f"600 echo by {transport} at {address}: correlation {score:.3f}, {len(customer.packets)} packets")
        assert score >= 0.9
        assert customer.response("BYE").status == 200

    fairly(measure)
    product.at_rest()


@pytest.fixture
def tcp_caller(product: Product, stack: ExitStack) -> Callable[..., Caller]:
    def make(dialled: str, pcm: sound.Pcm | None = None) -> Caller:
        return stack.enter_context(Caller(product.tcp_port, dialled, pcm, transport="tcp")).dial()

    return make


def test_an_agent_hangs_up_after_the_connection_broke(
    product: Product, robot: Callable[..., Robot], tcp_caller: Callable[..., Caller]
) -> None:
    """The call goes on, its sound too, and the BYE goes by a connection of ours."""
    lin = robot("1001")
    lin.sign_in()
    customer = tcp_caller("5001", sound.tone(500)).answered()
    lin.event("call.offered")
    lin.do("call.answer")
    lin.event("call.connected")
    before = counted(product, "connections opened")
    customer.drop()
    dropped = time.time()
    customer.hears(1.0)
    assert product.figure("cordboard_calls") == 1
    assert counted(product, "connections opened") == before
    lin.do("call.hang_up")
    customer.ended()
    gap = customer.gaps(dropped, dropped + 1.0).max()
    print(f"a broken connection: longest pause of the sound {gap:.0f} ms, BYE by a connection of the switch")
    assert customer.connections == 2
    assert counted(product, "connections opened") == before + 1


def test_two_calls_over_tcp_and_the_connections_go_with_them(
    product: Product, tcp_caller: Callable[..., Caller]
) -> None:
    for customer in (tcp_caller("701"), tcp_caller("701")):
        customer.answered()
    assert product.figure("cordboard_calls") == 2


def test_noise_costs_nobody_a_call(product: Product, tcp_caller: Callable[..., Caller]) -> None:
    customer = tcp_caller("601").answered()
    with socket.create_connection(("127.0.0.1", product.tcp_port), 5) as noisy:
        noisy.sendall(b"\x16\x03\x01")
        until(lambda: counted(product, "bad framing") == 1)
        assert noisy.recv(100) == b""
    assert abs(sound.loudest(customer.hears(0.5)) - 440) < 5


def test_a_stranger_is_closed_without_a_word(product: Product) -> None:
    before = counted(product, "stranger connection")
    with socket.create_connection(("127.0.0.1", product.tcp_port), 5, ("127.0.0.2", 0)) as stranger:
        with contextlib.suppress(ConnectionError):
            stranger.sendall(b"OPTIONS sip:x SIP/2.0\r\n")
            assert stranger.recv(100) == b""
    assert counted(product, "stranger connection") == before + 1


def test_a_peer_has_a_hundred_connections_and_no_more(product: Product) -> None:
    with ExitStack() as held:
        refused = counted(product, "refused connection: peer has too many")
        room = 100 - opened(product)
        for _ in range(room + 3):
            one = socket.create_connection(("127.0.0.1", product.tcp_port), 5)
            held.callback(one.close)
        until(lambda: counted(product, "refused connection: peer has too many") == refused + 3)
        assert opened(product) == 100
    until(lambda: opened(product) == 0, what="no connection")
    assert "connection refused: the peer has 100 connections" in product.log.read_text()


@pytest.mark.peer("sipp")
@needs_sipp
@pytest.mark.parametrize("by", ["t1", "tn"])
def test_sipp_over_tcp(product: Product, by: str) -> None:
    accepted = counted(product, "connections accepted")
    port = ("-t", by, "-max_socket", "1000", "-m", "8", "-r", "40", "-timeout_error")  # a remote port has 8 of ours
    begun = time.monotonic()
    done = sipp(product, THEIRS / "call.xml", *port, port=product.tcp_port)
    assert done.returncode == 0, done.stdout[-2500:] + done.stderr
    good = int(re.findall(r"Successful call +\|[^|]*\| +(\d+)", done.stdout)[-1])
    connections = counted(product, "connections accepted") - accepted
    print(f"sipp -t {by}: {good} of 8 calls over {connections} connections in {time.monotonic() - begun:.1f} s")
    assert (good, connections) == (8, 1 if by == "t1" else 8)
    product.at_rest()
    until(lambda: opened(product) == 0, what="no connection")


def test_a_call_over_tcp_outlives_the_control_process(tmp_path: Path) -> None:
    """Its connection dies with the process; the next one ends the call by a connection of its own."""
    own = Product(tmp_path / "own", infrastructure(drain_seconds=1)).start()
    try:
        with Caller(own.tcp_port, "600", sound.tone(500), transport="tcp") as customer:
            customer.dial().answered()
            customer.hears(0.3)
            old = own.pids()["control"]
            os.kill(old, signal.SIGKILL)
            killed = time.time()
            until(lambda: customer.dropped_at, what="the end of the connection")
            until(lambda: own.pids().get("control", old) != old, START_S, "a new control process")
            until(lambda: "control is ready again" in own.log.read_text(), START_S, "which is ready")
            gap = customer.gaps(killed, time.time()).max()
            assert customer.up
            own.terminate()
            customer.ended(START_S)
            assert customer.connections == 2
            print(
                f"control killed in a call over TCP: longest pause of the sound {gap:.0f} ms, BYE by a new connection"
            )
        assert own.wait() == 0
    finally:
        own.stop()
