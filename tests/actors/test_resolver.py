"""Where proxies are found: as addresses, and as names that a made-up name server knows."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import trio
import trio.testing
from cordboard.actors import signals
from cordboard.actors.resolver import MOST, PATIENCE, Resolver

KNOWN = {
    "carrier.example": ["192.0.2.1", "2001:db8::1", "192.0.2.1"],
    "many.example": [f"192.0.2.{at}" for at in range(100, 120)],
}


class NameServer(trio.abc.HostnameResolver):
    async def getaddrinfo(self, host: Any, port: Any, *_: int) -> Any:
        host = host.decode()
        if host == "slow.example":
            await trio.sleep(60)
        if host not in KNOWN:
            raise socket.gaierror("unknown")
        return [(0, 0, 0, "", (address, port)) for address in KNOWN[host]]

    async def getnameinfo(self, sockaddr: Any, flags: int) -> Any:
        raise NotImplementedError


def found(*proxies: str) -> signals.Resolved:
    heard: list[tuple[str, signals.Resolved]] = []

    async def run() -> None:
        trio.socket.set_custom_hostname_resolver(NameServer())
        async with trio.open_nursery() as nursery:
            Resolver(nursery, lambda *told: heard.append(told)).resolve(signals.Resolve("carrier", proxies))

    trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0))
    ((trunk, resolved),) = heard
    assert trunk == "carrier"
    return resolved


@pytest.mark.parametrize(
    ("proxy", "address", "port", "transport"),
    [
        ("sip:192.0.2.7", "192.0.2.7", 5060, "udp"),
        ("sip:us@192.0.2.7:5070;transport=TCP", "192.0.2.7", 5070, "tcp"),
        ("sip:[2001:DB8::0007]:5070", "2001:db8::7", 5070, "udp"),
        ("sips:192.0.2.7", "192.0.2.7", 5061, "tls"),
        ("sip:192.0.2.7;transport=tls", "192.0.2.7", 5061, "tls"),
    ],
)
def test_an_address_is_a_host_for_good(proxy: str, address: str, port: int, transport: str) -> None:
    assert found(proxy) == signals.Resolved((signals.Host(proxy, address, port, transport),), lasting=True)


def test_a_name_is_a_host_for_each_of_its_addresses_in_order() -> None:
    resolved = found("sip:198.51.100.1", "sip:carrier.example:5070")
    assert [host.address for host in resolved.hosts] == ["198.51.100.1", "192.0.2.1", "2001:db8::1"]
    assert [host.port for host in resolved.hosts] == [5060, 5070, 5070]
    assert not resolved.lasting


@pytest.mark.parametrize("name", ["nobody.example", "slow.example"])
def test_what_is_not_found_leaves_the_others(name: str) -> None:
    assert found(f"sip:{name}").hosts == ()
    assert len(found(f"sip:{name}", "sip:192.0.2.1").hosts) == 1
    assert not found(f"sip:{name}", "sip:192.0.2.1").lasting
    assert PATIENCE < 60


def test_a_name_of_a_whole_network_is_cut() -> None:
    assert len(found("sip:many.example").hosts) == MOST
