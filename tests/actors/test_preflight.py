"""What is in the way of a start is told in one go, with the keys that say so, before anything is started."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cordboard.actors.config import parse_config
from cordboard.actors.preflight import NAMED, trouble
from cordboard.web.certificate import ensure

HOST = "127.0.0.1"


@contextlib.contextmanager
def taken(kind: int, *ports: int) -> Iterator[int]:
    """By another program, which this one is for as long as it lasts; the first of its ports."""
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(socket.socket(socket.AF_INET, kind)) for _ in ports]
        for each, port in zip(made, ports, strict=True):
            each.bind((HOST, port))
            if kind == socket.SOCK_STREAM:
                each.listen()
        yield int(made[0].getsockname()[1])


def free_pairs(count: int) -> int:
    """The first of so many even ports, which are free as are those after each."""
    for first in range(30000, 60000, 2 * count):
        wanted = range(first, first + 2 * count)
        with contextlib.suppress(OSError), taken(socket.SOCK_DGRAM, *wanted):
            return first
    raise AssertionError("none is free")


def test_where_all_is_free_nothing_is_in_the_way() -> None:
    first = free_pairs(4)
    ports = f'rtp_ports = "{first}-{first + 5}"\nwebrtc_port = {first + 6}'
    text = (
        f'[media]\naddress = "{HOST}"\n{ports}\n[sip]\nudp = "{HOST}:0"\ntcp = "{HOST}:0"\n[web]\nlisten = "{HOST}:0"'
    )
    assert trouble(parse_config(text)) == []
    assert trouble(parse_config(text)) == [], "nothing is kept"


def test_all_that_is_taken_is_told_in_one_go() -> None:
    with taken(socket.SOCK_DGRAM, 0) as udp, taken(socket.SOCK_STREAM, 0) as tcp, taken(socket.SOCK_STREAM, 0) as web:
        first = free_pairs(NAMED + 2)
        last = first + 2 * NAMED + 2
        odd = range(first + 1, last + 2, 2)
        with (
            taken(socket.SOCK_DGRAM, last + 1) as page,
            taken(socket.SOCK_DGRAM, *[each for each in odd if each < last]),
        ):
            media = f'address = "{HOST}"\nwebrtc_port = {page}\nrtp_ports = "{first}-{last - 2}"'
            sip = f'udp = "{HOST}:{udp}"\ntcp = ["{HOST}:{tcp}", "{HOST}:0"]'
            found = trouble(parse_config(f'[media]\n{media}\n[sip]\n{sip}\n[web]\nlisten = "{HOST}:{web}"'))
    named = ", ".join(str(each) for each in list(odd)[:NAMED])
    why = "another program listens there"
    assert found == [
        f"[sip] udp: cannot listen on UDP {HOST} port {udp}: {why}",
        f"[sip] tcp: cannot listen on TCP {HOST} port {tcp}: {why}",
        f"[web] listen: cannot listen on TCP {HOST} port {web}: {why}",
        f"[media] rtp_ports: cannot listen on UDP {HOST} ports {named} and 1 more: {why}",
        f'[media] webrtc_port, or [[access_point]] "main": cannot listen on UDP {HOST} port {page}: {why}',
    ]


def test_two_keys_with_one_port_are_told_of_each_other() -> None:
    first = free_pairs(1)
    text = f'[media]\nwebrtc_port = 0\nrtp_ports = "0"\n[sip]\nudp = []\ntcp = "{HOST}:{first}"\n'
    found = trouble(parse_config(f'{text}[web]\nlisten = "{HOST}:{first}"'))
    assert found == [f"[web] listen: cannot listen on TCP {HOST} port {first}: that is the port of [sip] tcp"]


def test_an_address_of_another_machine_is_told_as_that() -> None:
    text = '[media]\nwebrtc_port = 0\nrtp_ports = "0"\n[sip]\nudp = "192.0.2.1:5060"\ntcp = []\n'
    assert trouble(parse_config(f'{text}[web]\nlisten = "{HOST}:0"')) == [
        "[sip] udp: cannot listen on UDP 192.0.2.1 port 5060: this machine has no such address"
    ]


@pytest.mark.parametrize("section", ["web", "sip"])
def test_certificates_that_cannot_be_used_are_told_with_their_keys(tmp_path: Path, section: str) -> None:
    certificate, key = ensure(tmp_path / "tls", (), datetime.now(UTC))
    _, other = ensure(tmp_path / "other", (), datetime.now(UTC))
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    gone = tmp_path / "gone.pem"

    def told(one: Path, two: Path) -> list[str]:
        begin = f'[media]\nwebrtc_port = 0\nrtp_ports = "0"\n[sip]\nudp = []\ntcp = []\ntls = "{HOST}:0"\n'
        own = f'certificate = "{one}"\nkey = "{two}"\n'
        if section == "sip":
            return trouble(parse_config(f'{begin}{own}[web]\nlisten = "{HOST}:0"'))
        return trouble(parse_config(f'{begin}[web]\nlisten = "{HOST}:0"\n{own}'))

    assert told(certificate, key) == []
    assert told(gone, key) == [f"[{section}] certificate: {gone}: No such file or directory"]
    assert told(gone, gone) == [
        f"[{section}] {name}: {gone}: No such file or directory" for name in ("certificate", "key")
    ]
    assert told(certificate, other) == [f"[{section}] certificate: {certificate}, key: {other}: key values mismatch"]
    (said,) = told(text, key)
    assert said.startswith(f"[{section}] certificate: {text}, key: {key}: ")
    assert "[SSL" not in said


def test_authorities_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    gone = tmp_path / "gone.pem"
    begin = f'[media]\nwebrtc_port = 0\nrtp_ports = "0"\n[web]\nlisten = "{HOST}:0"\n[sip]\nudp = []\ntcp = []\n'
    assert trouble(parse_config(f'{begin}authorities = "{gone}"')) == [], "nobody is asked for TLS"
    found = trouble(parse_config(f'{begin}tls = "{HOST}:0"\nauthorities = "{gone}"'))
    assert found == [f"[sip] authorities: {gone}: No such file or directory"]
    gone.write_text("none")
    (said,) = trouble(parse_config(f'{begin}tls = "{HOST}:0"\nauthorities = "{gone}"'))
    assert said.startswith(f"[sip] authorities: {gone}: ")
