"""Where proxies are found: as addresses, by a name server of ours on the loopback, and as hosts of a made-up system."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Iterable
from random import Random
from typing import Any

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
import structlog.testing
import trio
import trio.testing
from cordboard.actors import signals
from cordboard.actors.resolver import ADDRESS_SECONDS, MOST, PATIENCE, Resolver
from cordboard.sip.grammar import Address

KNOWN = {
    "carrier.example": ["192.0.2.1", "2001:db8::1", "192.0.2.1"],
    "many.example": [f"192.0.2.{at}" for at in range(100, 120)],
    "one.carrier.example": ["192.0.2.11"],
    "two.carrier.example": ["192.0.2.12"],
}
# What the name server has: name and type, seconds, records
ZONE = {
    ("carrier.example.", "NAPTR"): (300, ['10 10 "S" "SIPS+D2T" "" _sips._tcp.carrier.example.']),
    ("_sips._tcp.carrier.example.", "SRV"): (
        30,
        ["20 0 5071 Two.carrier.example.", "10 0 5061 one.carrier.example."],
    ),
    ("_sip._udp.brief.example.", "SRV"): (0, ["0 0 5070 one.carrier.example."]),
    ("_sip._udp.closed.example.", "SRV"): (300, ["0 0 0 ."]),
}
SOA = "ns.example. who.example. 1 7200 900 1209600 20"
LIMIT_S = 10


class System(trio.abc.HostnameResolver):
    async def getaddrinfo(self, host: Any, port: Any, *_: int) -> Any:
        host = host.decode()
        if host == "slow.example":
            await trio.sleep(60)
        if host not in KNOWN:
            raise socket.gaierror("unknown")
        return [(0, 0, 0, "", (address, port)) for address in KNOWN[host]]

    async def getnameinfo(self, sockaddr: Any, flags: int) -> Any:
        raise AssertionError("nobody asks for the name of an address")


class NameServer:
    """Answers from `zone`; what it has not, it denies, for 20 s. `fails`: it can tell nobody anything."""

    def __init__(self) -> None:
        self.zone = dict(ZONE)
        self.fails = False
        self.asked: Counter[str] = Counter()
        self.socket = trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    async def run(self) -> None:
        while True:
            data, source = await self.socket.recvfrom(4096)
            query = dns.message.from_wire(data)
            question = query.question[0]
            name, kind = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
            self.asked[f"{kind} {name}"] += 1
            await self.socket.sendto(self._answer(query, name, kind).to_wire(), source)

    def _answer(self, query: dns.message.Message, name: str, kind: str) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA | dns.flags.RA
        if self.fails:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif (found := self.zone.get((name, kind))) is not None:
            answer.answer.append(dns.rrset.from_text(name, found[0], "IN", kind, *found[1]))
        else:
            if not any(known == name for known, _ in self.zone):
                answer.set_rcode(dns.rcode.NXDOMAIN)
            answer.authority.append(dns.rrset.from_text("example.", 20, "IN", "SOA", SOA))
        return answer


class World:
    """A resolver, its name server, and what it has told."""

    def __init__(self, nursery: trio.Nursery, server: NameServer) -> None:
        self.server = server
        self._send, self._told = trio.open_memory_channel[tuple[str, signals.Resolved]](10)

        def servers() -> dns.asyncresolver.Resolver:
            made = dns.asyncresolver.Resolver(configure=False)
            made.nameservers = ["127.0.0.1"]
            made.port = server.socket.getsockname()[1]
            return made

        def tell(trunk: str, found: signals.Resolved) -> None:
            self._send.send_nowait((trunk, found))

        def reaches(address: Address) -> bool:
            return not (address.six and address.transport == "udp")

        self._resolver = Resolver(nursery, tell, ("udp", "tcp", "tls"), Random(1), servers, reaches)

    async def seek(self, name: str) -> tuple[tuple[Address, ...], float]:
        send, told = trio.open_memory_channel[tuple[tuple[Address, ...], float]](1)
        self._resolver.seek(name, lambda *found: send.send_nowait(found))
        return await told.receive()

    async def find(self, proxies: Iterable[str]) -> signals.Resolved:
        self._resolver.resolve(signals.Resolve("carrier", tuple(proxies)))
        trunk, found = await self._told.receive()
        assert trunk == "carrier"
        return found


def led(name: str) -> tuple[tuple[Address, ...], float]:
    """Where the next hop of a dialog leads."""

    async def run() -> tuple[tuple[Address, ...], float]:
        trio.socket.set_custom_hostname_resolver(System())
        server = NameServer()
        await server.socket.bind(("127.0.0.1", 0))
        with server.socket, trio.fail_after(LIMIT_S):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(server.run)
                led = await World(nursery, server).seek(name)
                nursery.cancel_scope.cancel()
        return led

    return trio.run(run)


def found(
    *proxies: str,
    times: int = 1,
    meanwhile: Callable[[NameServer], None] | None = None,
    clock: trio.testing.MockClock | None = None,
) -> tuple[list[signals.Resolved], Counter[str]]:
    """What is found as often as it is asked, and what the name server was asked."""
    results: list[signals.Resolved] = []

    async def run() -> Counter[str]:
        trio.socket.set_custom_hostname_resolver(System())
        server = NameServer()
        await server.socket.bind(("127.0.0.1", 0))
        with server.socket:
            with trio.fail_after(LIMIT_S if clock is None else 1000):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(server.run)
                    world = World(nursery, server)
                    for at in range(times):
                        if at and meanwhile is not None:
                            meanwhile(server)
                        results.append(await world.find(proxies))
                    nursery.cancel_scope.cancel()
        return server.asked

    asked = trio.run(run, clock=clock)
    return results, asked


@pytest.mark.parametrize(
    ("proxy", "address", "port", "transport"),
    [
        ("sip:us@192.0.2.7:5070;transport=TCP", "192.0.2.7", 5070, "tcp"),
        ("sips:192.0.2.7", "192.0.2.7", 5061, "tls"),
    ],
)
def test_an_address_is_a_host_for_good(proxy: str, address: str, port: int, transport: str) -> None:
    results, asked = found(proxy)
    host = signals.Host(proxy, address, port, transport)
    assert results == [signals.Resolved((host,), lasting=True, proxies=(proxy,))]
    assert not asked


def test_a_name_with_a_port_is_a_host_for_each_of_its_addresses_in_order() -> None:
    (resolved,), asked = found("sip:198.51.100.1", "sip:carrier.example:5070")
    assert [host.address for host in resolved.hosts] == ["198.51.100.1", "192.0.2.1", "2001:db8::1"]
    assert [host.port for host in resolved.hosts] == [5060, 5070, 5070]
    assert not resolved.lasting
    assert resolved.seconds == ADDRESS_SECONDS
    assert not asked


def test_a_domain_says_who_serves_it_and_how_and_for_how_long() -> None:
    proxy = "sip:carrier.example"
    results, asked = found(proxy, times=2)
    for resolved in results:
        assert resolved.hosts == (
            signals.Host(proxy, "192.0.2.11", 5061, "tls"),
            signals.Host(proxy, "192.0.2.12", 5071, "tls"),
        )
        assert 25 < resolved.seconds <= 30
    assert asked == {"NAPTR carrier.example.": 1, "SRV _sips._tcp.carrier.example.": 1}


def test_that_there_is_nothing_is_kept_too() -> None:
    results, asked = found("sip:many.example", times=3)
    assert {len(resolved.hosts) for resolved in results} == {MOST}
    assert set(asked.values()) == {1}
    assert len(asked) == 3


def test_a_domain_that_is_served_by_nobody_is_not_guessed_at() -> None:
    (resolved,), _ = found("sip:closed.example")
    assert resolved.hosts == ()
    assert not resolved.lasting


def test_a_name_server_that_fails_leaves_what_it_said_last() -> None:
    """What it said has run out, and the addresses of the bare name would be others."""

    def fail(server: NameServer) -> None:
        server.fails = True

    results, asked = found("sip:brief.example", times=2, meanwhile=fail)
    for resolved in results:
        assert [(host.address, host.port) for host in resolved.hosts] == [("192.0.2.11", 5070)]
    assert asked["SRV _sip._udp.brief.example."] == 2


def test_hosts_that_move_are_found_where_they_are() -> None:
    def move(server: NameServer) -> None:
        server.zone["_sip._udp.brief.example.", "SRV"] = (0, ["0 0 5070 two.carrier.example."])

    results, _ = found("sip:brief.example", times=2, meanwhile=move)
    assert [[host.address for host in resolved.hosts] for resolved in results] == [["192.0.2.11"], ["192.0.2.12"]]


@pytest.mark.parametrize("name", ["nobody.example", "slow.example"])
def test_what_is_not_found_leaves_the_others(name: str) -> None:
    clock = trio.testing.MockClock(autojump_threshold=0)
    (resolved,), _ = found(f"sip:{name}:5060", "sip:192.0.2.1", clock=clock)
    assert len(resolved.hosts) == 1
    assert not resolved.lasting
    assert PATIENCE < 60


@pytest.mark.parametrize("name", ["a..example", "x" * 64 + ".example"])
def test_what_no_name_server_can_be_asked_is_not_found(name: str) -> None:
    (resolved,), asked = found(f"sip:{name};transport=udp")
    assert resolved.hosts == ()
    assert not asked


@pytest.mark.parametrize(
    ("name", "targets", "seconds"),
    [
        # SRV of the transport by which the dialog goes, in the order that it says
        (
            "sip:carrier.example;transport=tls",
            [Address("192.0.2.11", 5061, "tls"), Address("192.0.2.12", 5071, "tls")],
            30,
        ),
        # a port: no SRV
        (
            "sip:carrier.example:5070;transport=tcp",
            [Address("192.0.2.1", 5070, "tcp"), Address("2001:db8::1", 5070, "tcp")],
            ADDRESS_SECONDS,
        ),
        ("sip:one.carrier.example;transport=udp", [Address("192.0.2.11", 5060)], ADDRESS_SECONDS),
        # we have no socket for the other address
        ("sip:carrier.example:5070;transport=udp", [Address("192.0.2.1", 5070)], ADDRESS_SECONDS),
        ("sip:nobody.example;transport=udp", [], ADDRESS_SECONDS),
        ("sip:a..example;transport=udp", [], ADDRESS_SECONDS),
    ],
)
def test_the_next_hop_of_a_dialog_is_found_by_its_transport(name: str, targets: list[Address], seconds: float) -> None:
    found, counts = led(name)
    assert list(found) == targets
    assert seconds - 2 <= counts <= seconds


def test_a_proxy_that_is_not_found_is_said_once_until_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked for every ten seconds."""
    there = iter([False, True, False, False])

    def comes_and_goes(server: NameServer) -> None:
        monkeypatch.delitem(KNOWN, "late.example", raising=False)
        if next(there):
            monkeypatch.setitem(KNOWN, "late.example", ["192.0.2.13"])

    with structlog.testing.capture_logs() as logs:
        results, _ = found("sip:late.example:5060", times=5, meanwhile=comes_and_goes)
    assert [bool(each.hosts) for each in results] == [False, False, True, False, False]
    assert [line["proxy"] for line in logs] == ["sip:late.example:5060"] * 2
