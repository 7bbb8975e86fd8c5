"""Behind a 1:1 NAT: who calls from outside is told the public address, in Contact and SDP, who is inside our own."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from .machine import own_address
from .product import Organisation, Product, infrastructure

PUBLIC_SIP, PUBLIC_MEDIA = "198.51.100.7", "198.51.100.8"


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    if own_address() == "127.0.0.1":
        pytest.skip("this machine has no address but loopback, which nobody outside has")
    settings = infrastructure(address="0.0.0.0")
    for section, public in (("sip", PUBLIC_SIP), ("media", PUBLIC_MEDIA)):
        settings = settings.replace(f"[{section}]\n", f'[{section}]\npublic_address = "{public}"\n')
    organisation = Organisation().trunk("carrier", own_address(), "127.0.0.1").number("600", "echo")
    made = Product(tmp_path_factory.mktemp("behind"), settings, organisation.text).start()
    yield made
    made.stop()
    assert made.complaints == []


@contextmanager
def answered(product: Product, host: str) -> Iterator[str]:
    """The 200 to an INVITE from there, and the call is over."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        caller.bind((host, 0))
        caller.settimeout(10)
        port = caller.getsockname()[1]
        sdp = f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio 9 RTP/AVP 8\r\n"

        def ask(method: str, cseq: int, body: str = "", tag: str = "") -> None:
            lines = (
                f"{method} sip:600@{host} SIP/2.0",
                f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{port}{method}{cseq};rport",
                "Max-Forwards: 70",
                f"From: <sip:+8613912345678@{host}>;tag=f",
                f"To: <sip:600@{host}>{tag}",
                f"Call-ID: {port}@{host}",
                f"CSeq: {cseq} {method}",
                f"Contact: <sip:{host}:{port}>",
                *(("Content-Type: application/sdp",) if body else ()),
                f"Content-Length: {len(body)}",
            )
            caller.sendto("\r\n".join((*lines, "", body)).encode(), (host, product.sip_port))

        def final() -> str:
            while True:
                said = caller.recv(65535).decode()
                if not said.startswith("SIP/2.0 1"):
                    return said

        ask("INVITE", 1, sdp)
        said = final()
        found = re.search(r"\r\nTo: .*(;tag=[^;\r]+)", said)
        assert found, said
        ask("ACK", 1, tag=found[1])
        yield said
        ask("BYE", 2, tag=found[1])
        assert final().startswith("SIP/2.0 200")


def test_who_is_outside_is_told_the_public_addresses(behind: Product) -> None:
    with answered(behind, own_address()) as said:
        assert f"\r\nContact: <sip:600@{PUBLIC_SIP}:{behind.sip_port}>" in said
        assert f"\r\nc=IN IP4 {PUBLIC_MEDIA}\r\n" in said
        assert own_address() not in said.split("\r\n\r\n")[1]
    behind.at_rest()


def test_who_is_inside_is_told_our_own(behind: Product) -> None:
    with answered(behind, "127.0.0.1") as said:
        assert f"\r\nContact: <sip:600@127.0.0.1:{behind.sip_port}>" in said
        assert "\r\nc=IN IP4 127.0.0.1\r\n" in said
        assert PUBLIC_SIP not in said
        assert PUBLIC_MEDIA not in said
    behind.at_rest()
