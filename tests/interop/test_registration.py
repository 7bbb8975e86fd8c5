"""The switch registers with a carrier, the real sipp, which looks at its credentials."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from .cable import Cable
from .carrier import Carrier
from .product import Organisation, Product, free_port, until
from .robot import Robot
from .test_sip import OURS

pytestmark = pytest.mark.long


def sipp(test: Callable[..., None]) -> Callable[..., None]:
    """It needs the real one."""
    made: Callable[..., None] = pytest.mark.skipif(shutil.which("sipp") is None, reason="sipp is not installed")(test)
    marked: Callable[..., None] = pytest.mark.peer("sipp")(made)
    return marked


REGISTERED = 'cordboard_trunk_answers_total{code="200",direction="out",method="REGISTER",trunk="carrier"}'


@contextmanager
def registrar(port: int, folder: Path, transport: str = "u1") -> Iterator[None]:
    command = ["sipp", "-sf", str(OURS / "registrar.xml"), "-i", "127.0.0.1", "-p", str(port), "-nostdin"]
    # a registration is renewed by the Call-ID that it had, which is another call for sipp as soon as the last is over
    command += ["-t", transport, "-deadcall_wait", "0"]
    with (folder / "sipp.txt").open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=folder)
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)


def stands(product: Product) -> dict[str, Any]:
    found: dict[str, Any] = product.http("/api/health").json["checks"]["trunks"]["trunks"]["carrier"]
    return found


def centre(folder: Path, port: int, password: str, transport: str = "udp") -> Product:
    proxy = f"sip:127.0.0.1:{port};transport={transport}"
    trunk = {"proxy": proxy, "username": "harbour", "password": password, "register": True}
    organisation = Organisation().trunk("carrier", **trunk).queue("support").agent("1001", support=1)
    return Product(folder / "centre", organisation=organisation.text).start()


@sipp
def test_it_registers_with_the_right_password(tmp_path: Path) -> None:
    port = free_port()
    with registrar(port, tmp_path):
        product = centre(tmp_path, port, "open sesame")
        try:
            until(lambda: stands(product)["state"] == "up", 20, "the trunk")
            assert product.figure(REGISTERED) == 1
        finally:
            product.stop()
    assert product.complaints == []


@sipp
def test_a_wrong_password_is_an_alarm_that_says_so(tmp_path: Path) -> None:
    port = free_port()
    with registrar(port, tmp_path):
        product = centre(tmp_path, port, "open barley")
        try:
            until(lambda: stands(product)["state"] == "down", 20, "the trunk's refusal")
            assert stands(product)["reason"] == "not registered: 403"
            assert "trunks" in product.http("/api/health").json["failed"]
        finally:
            product.stop()
    assert [line for line in product.complaints if "the trunk carrier is down: not registered: 403" not in line] == []


@sipp
def test_a_connection_that_breaks_is_where_it_registers_again(tmp_path: Path) -> None:
    """At once, and not when what was granted for half an hour is renewed."""
    port = free_port()
    with registrar(port, tmp_path, "t1"), Cable(port, free_port()) as cable:
        product = centre(tmp_path, cable.tcp_port, "open sesame", "tcp")
        try:
            until(lambda: stands(product)["state"] == "up", 20, "the trunk")
            assert product.figure(REGISTERED) == 1
            cable.tear()
            until(lambda: product.figure(REGISTERED) == 2, 20, "the registration by another connection")
            assert stands(product)["state"] == "up"
        finally:
            product.stop()
    assert product.complaints == []


# --- carriers that hang up ------------------------------------------------------------------------------------------


def by_tcp(folder: Path, port: int, *, register: bool) -> Product:
    trunk: dict[str, object] = {"proxy": f"sip:127.0.0.1:{port};transport=tcp"}
    if register:
        trunk |= {"username": "harbour", "password": "open sesame", "register": True}
    organisation = Organisation().trunk("carrier", **trunk).queue("support").agent("1001", support=1)
    return Product(folder / "centre", organisation=organisation.text).start()


@pytest.mark.parametrize("register", [False, True])
def test_who_takes_each_connection_and_ends_it_is_down_within_15_s_and_not_stormed(
    tmp_path: Path, register: bool
) -> None:
    port = free_port()
    with Carrier(port, "tcp") as carrier:
        product = by_tcp(tmp_path, port, register=register)
        product.expected.append("the trunk carrier is down")
        try:
            until(lambda: stands(product)["state"] == "up", 20, "the trunk")
            answers, carrier.says, carrier.hangs_up = carrier.says, {}, True
            if register:  # what is quiet is ended as well
                carrier.end_all()
            until(lambda: stands(product)["state"] == "down", 15, "the truth")
            before = carrier.connections
            time.sleep(10)
            assert carrier.connections - before <= 8
            carrier.says, carrier.hangs_up = answers, False
            until(lambda: stands(product)["state"] == "up", 60, "the trunk again")
        finally:
            product.stop()
    assert product.complaints == []


def test_who_registers_us_and_ends_the_connection_each_time_reaches_nobody(tmp_path: Path) -> None:
    port = free_port()
    with Carrier(port, "tcp") as carrier:
        carrier.hangs_up = True
        product = by_tcp(tmp_path, port, register=True)
        product.expected.append("the trunk carrier is down")
        try:
            until(lambda: stands(product)["state"] == "down", 15, "the truth")
            until(lambda: stands(product)["reason"] == "not registered: its connections do not last", 60, "the reason")
            before = len(carrier.requests("REGISTER"))
            time.sleep(10)
            assert len(carrier.requests("REGISTER")) - before <= 4
            carrier.hangs_up = False
            until(lambda: stands(product)["state"] == "up", 60, "the trunk")
        finally:
            product.stop()
    assert product.complaints == []


# --- where calls pass, and in which domain they are -----------------------------------------------------------------


def test_calls_pass_where_the_registrar_says_in_the_domain_that_it_has(tmp_path: Path) -> None:
    """An access proxy at an address, that knows its users by a domain which no name server knows."""
    port = free_port()
    route = "<sip:orig@scscf.ims.example;lr>, <sip:as.ims.example;lr;transport=tcp>"
    with Carrier(port) as carrier:
        carrier.says["REGISTER"] = 200, f"Service-Route: {route}"
        trunk = {"username": "+861055501000", "login": "861055501000@ims.example", "password": "open sesame"}
        organisation = Organisation().trunk(
            "carrier", proxy=f"sip:127.0.0.1:{port}", domain="ims.example", register=True, **trunk
        )
        organisation = organisation.queue("support").agent("1001", support=1).may_dial("+86")
        product = Product(tmp_path / "centre", organisation=organisation.text).start()
        product.expected.append("the trunk carrier does not let our calls out")  # it takes no password at all
        try:
            until(lambda: stands(product)["state"] == "up", 20, "the trunk")
            (register,) = carrier.requests("REGISTER")
            assert register.startswith("REGISTER sip:ims.example SIP/2.0")
            assert "\r\nTo: <sip:+861055501000@ims.example>" in register
            assert "\r\nRoute:" not in register
            # as soon as there is a password to be shown it has a name of its own
            challenge = 'WWW-Authenticate: Digest realm="ims.example", nonce="n1", algorithm=MD5, qop="auth"'
            carrier.says["INVITE"] = 401, challenge
            with Robot(product, "1001") as lin:
                lin.sign_in()
                lin.do("call.dial", number="+8613800138000")
                until(lambda: len(carrier.requests("INVITE")) == 2, 15, "the call with the password")
            first, second = carrier.requests("INVITE")
            assert first.startswith("INVITE sip:+8613800138000@ims.example SIP/2.0")
            assert "\r\nFrom: <sip:+861055501000@ims.example>" in first
            assert [line for line in second.split("\r\n") if line.startswith("Route: ")] == [
                f"Route: {each}" for each in route.split(", ")
            ]
            assert 'username="861055501000@ims.example"' in second
            assert "sip:+861055501000@127.0.0.1" in next(x for x in second.split("\r\n") if x.startswith("Contact"))
        finally:
            product.stop()
    assert product.complaints == []
