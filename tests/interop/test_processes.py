"""Two processes in production, one in tests; starting, draining, refusing, and being started twice."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import sound
from .caller import Caller
from .machine import fairly
from .product import START_S, Product, centre, cpu_seconds, infrastructure, until
from .robot import Robot


@pytest.fixture
def own(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Product]:
    """A switch of this test alone."""
    made = Product(tmp_path / "switch", infrastructure(**getattr(request, "param", {}))).start()
    yield made
    made.stop()
    assert made.complaints == []


def call_and_talk(product: Product) -> None:
    """A customer in the music, an agent who answers and hangs up, an echo beside it."""
    with Robot(product, "1001") as agent, Caller(product.sip_port, "600", sound.tone(700)) as beside:
        agent.sign_in()
        beside.dial().answered()
        with Caller(product.sip_port, "5001", sound.tone(500)) as customer:
            customer.dial().answered()
            agent.event("call.offered")
            music = customer.hears(0.5)
            agent.do("call.answer")
            agent.event("call.connected")
            echo = beside.hears(0.5)
            agent.do("call.hang_up")
            customer.ended()
            agent.state("after_call_work")
        assert sound.level(music) > -60
        assert abs(sound.loudest(echo) - 700) < 5
    product.at_rest()


def test_two_processes_share_the_work(own: Product) -> None:
    pids = own.pids()
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    call_and_talk(own)
    used = {name: cpu_seconds(pid) - before[name] for name, pid in pids.items()}
    print("separate:", ", ".join(f"{name} {pids[name]} used {1000 * used[name]:.0f} ms" for name in pids))
    assert set(pids) == {"supervisor", "control", "media"}
    assert len(set(pids.values())) == 3
    assert used["control"] > 0
    assert used["media"] > 0


@pytest.mark.parametrize("own", [{"process": "inline"}], indirect=True)
def test_the_same_in_one_process(own: Product) -> None:
    assert set(own.pids()) == {"supervisor", "control"}
    call_and_talk(own)


@pytest.mark.parametrize("own", [{"drain_seconds": 30}], indirect=True)
def test_a_draining_switch_refuses_and_lets_the_last_call_end(own: Product) -> None:
    with Caller(own.sip_port, "600", sound.tone(500)) as customer:
        customer.dial().answered()
        customer.hears(0.3)
        own.terminate()
        until(lambda: own.http("/api/health").status == 503, what="health says that it drains")
        with Caller(own.sip_port, "600") as late:
            refused = late.dial().refused()
        assert (refused.status, int(refused.header("Retry-After"))) == (503, 10)
        assert abs(sound.loudest(customer.hears(1.0)) - 500) < 5, "the live call goes on"
        assert own.process is not None
        assert own.process.poll() is None
        left = time.monotonic()
        customer.hang_up()
        customer.response("BYE")
        assert own.wait(10) == 0
        print(
            f"drained: 503 with Retry-After {refused.header('Retry-After')}; ended {time.monotonic() - left:.2f} s "
            "after the last call, exit code 0"
        )
    assert own.pids() == {} or not any(Path(f"/proc/{pid}").exists() for pid in own.pids().values())


@pytest.mark.parametrize("own", [{"drain_seconds": 1}], indirect=True)
def test_a_drain_ends_what_does_not_end(own: Product) -> None:
    with Caller(own.sip_port, "600") as customer:
        customer.dial().answered()
        begun = time.monotonic()
        own.terminate()
        customer.ended(10)
        took = time.monotonic() - begun
        assert own.wait(15) == 0
    print(f"drain_seconds = 1: the call was ended with BYE after {took:.2f} s")
    assert took == pytest.approx(1.0, abs=0.7)


def test_a_data_directory_has_one_switch(own: Product) -> None:
    second = own.cordboard("run")
    assert (second.returncode, second.stdout) == (2, "")
    assert "another cordboard" in second.stderr
    assert len(second.stderr.strip().splitlines()) == 1
    assert own.http("/api/health").status == 200, "the first does not notice"


@pytest.mark.timeout(300)
def test_media_dies_and_comes_back(own: Product) -> None:
    """Where a new engine cannot have the ports of the old one, its calls are ended with BYE, and new ones work as soon
    as it is there. Where it can, they go on: test_drills.py."""

    def measure() -> None:
        with Caller(own.sip_port, "600", sound.tone(500)) as customer:
            customer.dial().answered()
            old = own.pids()["media"]
            begun = time.monotonic()
            os.kill(old, signal.SIGKILL)
            customer.ended(START_S)
            ended = time.monotonic() - begun
        until(lambda: own.pids()["media"] != old and own.http("/api/health").status == 200, START_S, "media again")
        back = time.monotonic() - begun
        with Caller(own.sip_port, "601") as again:
            again.dial().answered()
            assert abs(sound.loudest(again.hears(0.5)) - 440) < 5
        print(f"media killed: its call ended with BYE after {ended:.2f} s, media was back after {back:.2f} s")
        assert ended < 2.0

    fairly(measure)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[media]\nwebrtc_prot = 1\n", "webrtc_prot"),
        ("[medium]\n", "medium"),
        ("[sip]\nudp = 5060\n", "udp"),
        ("this is no TOML", "line 1"),
    ],
)
def test_a_configuration_that_cannot_be_used(tmp_path: Path, text: str, named: str) -> None:
    made = Product.__new__(Product)
    made.config, made.data = tmp_path / "c.toml", tmp_path / "data"
    made.config.write_text(text)
    done = made.cordboard("run")
    assert done.returncode == 2
    assert named in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert not made.data.exists(), "nothing is begun"


def test_an_organisation_that_cannot_be_used(tmp_path: Path) -> None:
    made = Product.__new__(Product)
    made.config, made.data = tmp_path / "c.toml", tmp_path / "data"
    made.config.write_text(infrastructure())
    file = tmp_path / "o.toml"
    file.write_text(centre().number("999", "queue:nowhere").text)
    done = made.cordboard("import", str(file))
    assert done.returncode == 2
    assert "nowhere" in done.stderr
    assert "999" in done.stderr
