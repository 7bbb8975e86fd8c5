"""The switch registers with a carrier, the real sipp, which looks at its credentials."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from .cable import Cable
from .product import Organisation, Product, free_port, until
from .test_sip import OURS

pytestmark = [
    pytest.mark.long,
    pytest.mark.peer("sipp"),
    pytest.mark.skipif(shutil.which("sipp") is None, reason="sipp is not installed"),
]


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
