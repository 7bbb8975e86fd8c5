"""A real Chromium against the transport alone: it connects, and hears its own tone sent back, with each codec."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from cordboard.switch.protocol import CodecName

from . import page as pages
from .shell import Shell, answer, offered

pytestmark = [
    pytest.mark.peer("chromium"),
    pytest.mark.skipif(not os.path.exists(pages.CHROMIUM), reason="no Chromium here"),
]

OURS = (0xC0FFEE).to_bytes(4, "big")


def echo(packets: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """The same packets from an SSRC of ours."""
    return [(row, packet[:8] + OURS + packet[12:]) for row, packet in packets]


@pytest.fixture(scope="module")
def phone() -> Iterator[pages.Phone]:
    with pages.chromium() as made:
        yield made


@pytest.mark.parametrize("codec", ["pcmu", "pcma", "opus"])
def test_chromium_hears_itself(
    phone: pages.Phone, codec: CodecName, record_property: Callable[[str, object], None]
) -> None:
    with Shell(echo) as shell:
        opened = shell.open(offered(codec, phone.offer(codec, 620.0), codec), row=1)
        took = phone.connect(codec, answer(opened, codec))
        assert phone.hears(codec, 620.0)
        phone.silence(codec)
        assert phone.hears(codec, None)
        record_property("connect_ms", took)
        print(f"{codec}: connected in {took:.0f} ms, {shell.busy * 1e3:.1f} ms of it ours; {shell.received} packets")
        assert [type(fact).__name__ for fact in shell.facts] == ["LegConnected"]
        assert shell.transport.counters["srtp_unauthentic"] == 0
        phone.hang_up(codec)
        # The browser says goodbye by DTLS.
        assert phone.until(lambda: len(shell.facts) > 1)
        assert [type(fact).__name__ for fact in shell.facts] == ["LegConnected", "LegFailed"]


def test_our_close_is_seen_by_the_page(phone: pages.Phone) -> None:
    with Shell(echo) as shell:
        opened = shell.open(offered("closing", phone.offer("closing", 620.0), "opus"), row=0)
        phone.connect("closing", answer(opened, "opus"))
        shell.close(0)
        assert phone.until(lambda: phone.state("closing") == "closed")
