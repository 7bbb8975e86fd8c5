"""A machine of several addresses: who asked one of them is answered from there, and hears of no other."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Awaitable, Callable

import pytest
import trio
from cordboard.sip import homes as h
from cordboard.sip.endpoint import Endpoint, Settings, TrunkSettings
from cordboard.sip.homes import Homes
from cordboard.sip.message import Address, parse
from cordboard.sip.transport import SipTransport, local_address_for, serve

from .test_endpoint import build

INSIDE, OUTSIDE = Address("10.0.0.5", 5060), Address("203.0.113.5", 5060)
ANY, ANY6 = Address("0.0.0.0", 5060), Address("::", 5060)
NEAR, FAR = Address("10.0.0.9", 5060), Address("198.51.100.9", 5060)


def route(host: str) -> str:
    if ":" in host:
        return "2001:db8::5"
    return "10.0.0.5" if host.startswith("10.") else "203.0.113.5"


@pytest.mark.parametrize(
    ("bound", "remote", "home"),
    [
        ((INSIDE, OUTSIDE), NEAR, INSIDE),
        ((INSIDE, OUTSIDE), FAR, OUTSIDE),
        ((OUTSIDE, INSIDE), NEAR, INSIDE),
        # it is spoken to from the only one, though that is not the way there
        ((INSIDE,), FAR, INSIDE),
        # all addresses: that of the way there
        ((ANY,), NEAR, INSIDE),
        ((ANY, INSIDE), FAR, OUTSIDE),
        ((Address("10.0.0.5", 5070), ANY), NEAR, Address("10.0.0.5", 5070)),
        # of the transport and the family of the other end
        ((ANY, ANY6), Address("2001:db8::9", 5060), Address("2001:db8::5", 5060)),
        ((ANY, Address("10.0.0.5", 5062, "tcp")), Address("10.0.0.9", 40000, "tcp"), Address("10.0.0.5", 5062, "tcp")),
        # none is: the way there is known all the same
        ((INSIDE,), Address("2001:db8::9", 5060), Address("2001:db8::5", 5060)),
    ],
)
def test_who_has_not_been_heard_is_spoken_to_by_the_way_there(
    bound: tuple[Address, ...], remote: Address, home: Address
) -> None:
    assert Homes(route, bound).of(remote) == home


def test_who_asked_is_answered_from_where_it_asked_and_remembered_once_it_is_answered() -> None:
    homes = Homes(route, (ANY,))
    floating = Address("203.0.113.77", 5060)
    homes.begin(FAR, floating)
    assert homes.of(FAR) == floating
    # somebody else is meant
    assert homes.of(NEAR) == INSIDE
    homes.answered(NEAR)
    homes.end()
    assert homes.of(FAR) == OUTSIDE
    homes.begin(FAR, floating)
    homes.answered(FAR)
    homes.end()
    assert homes.of(FAR) == floating
    homes.forget(FAR)
    assert homes.of(FAR) == OUTSIDE


def test_of_two_ports_it_is_the_one_that_was_asked() -> None:
    second = Address("10.0.0.5", 5080)
    homes = Homes(route, (INSIDE, second))
    homes.hear(NEAR, second)
    assert homes.of(NEAR) == second


def test_what_is_remembered_is_bounded() -> None:
    homes = Homes(route, (ANY,))
    floating = Address("203.0.113.77", 5060)
    remotes = [Address("198.51.100.9", 1024 + number) for number in range(h.MAX_REMOTES + 1)]
    for remote in remotes:
        homes.hear(remote, floating)
    assert homes.of(remotes[0]) == OUTSIDE
    assert homes.of(remotes[-1]) == floating


# --- by the loopback, of which all of 127.0.0.0/8 is ours ----------------------------------------------------------


def served(
    hosts: list[str], story: Callable[[Endpoint, SipTransport], Awaitable[None]], transport: str = "udp"
) -> None:
    async def main() -> None:
        serial, known = itertools.count(), Homes(local_address_for)
        endpoint = Endpoint(
            Settings(lambda remote: (known.of(remote).host, known.of(remote).port)), lambda: str(next(serial))
        )
        endpoint.set_trunks({"loop": TrunkSettings(("127.0.0.0/8", "::1"))})

        async def run(task_status: trio.TaskStatus[SipTransport]) -> None:
            places = [(host, 0) for host in hosts]
            by = {"udp": ([places, []]), "tcp": ([[], places])}[transport]
            await serve(endpoint, by[0], lambda output: None, tcp=by[1], homes=known, task_status=task_status)

        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                await story(endpoint, await nursery.start(run))
                nursery.cancel_scope.cancel()

    trio.run(main)


async def asked(source: str, to: str, port: int) -> str:
    """Who answers an OPTIONS from `source`."""
    family = trio.socket.AF_INET6 if ":" in to else trio.socket.AF_INET
    with trio.socket.socket(family, socket.SOCK_DGRAM) as client:
        await client.bind((source, 0))
        via = f"[{source}]" if ":" in source else source
        question = build("OPTIONS", branch=f"z9hG4bK{to}").replace(b"192.0.2.9;", f"{via};rport;".encode())
        await client.sendto(question, (to, port))
        answer, who = await client.recvfrom(65536)
        assert answer.startswith(b"SIP/2.0 200 ")
        assert who[1] == port
        return str(who[0])


@pytest.mark.parametrize("hosts", [["0.0.0.0"], ["127.0.0.1", "127.0.0.2", "127.0.0.3"], ["0.0.0.0", "::"]])
def test_a_datagram_is_answered_from_the_address_that_was_asked(hosts: list[str]) -> None:
    async def story(endpoint: Endpoint, transport: SipTransport) -> None:
        ports = {each.host: each.port for each in transport.addresses}
        for to in ("127.0.0.1", "127.0.0.2", "127.0.0.3"):
            assert await asked("127.0.0.9", to, ports.get(to, transport.addresses[0].port)) == to
        if "::" in hosts:
            assert await asked("::1", "::1", ports["::"]) == "::1"

    served(hosts, story)


def test_what_we_begin_goes_out_where_it_was_heard_and_says_so() -> None:
    async def story(endpoint: Endpoint, transport: SipTransport) -> None:
        port = transport.addresses[0].port
        with trio.socket.socket(trio.socket.AF_INET, socket.SOCK_DGRAM) as client:
            await client.bind(("127.0.0.9", 0))
            there = Address(*client.getsockname())
            await client.sendto(build("OPTIONS").replace(b"192.0.2.9;", b"127.0.0.9;rport;"), ("127.0.0.2", port))
            await client.recvfrom(65536)
            transport.command(lambda now: endpoint.ask("a", "loop", "OPTIONS", f"sip:{there}", there, now))
            data, who = await client.recvfrom(65536)
            assert who == ("127.0.0.2", port)
            assert parse(data).get("Contact") == f"<sip:127.0.0.2:{port}>"

    served(["0.0.0.0"], story)


def test_an_address_that_left_the_machine_is_not_sent_from() -> None:
    """It moved to the other machine of the pair."""

    async def story(endpoint: Endpoint, transport: SipTransport) -> None:
        with trio.socket.socket(trio.socket.AF_INET, socket.SOCK_DGRAM) as client:
            await client.bind(("127.0.0.9", 0))
            there = Address(*client.getsockname())
            transport._udp._homes.hear(there, Address("192.0.2.77", transport.addresses[0].port))
            transport.command(lambda now: endpoint.ask("a", "loop", "OPTIONS", f"sip:{there}", there, now))
            _, who = await client.recvfrom(65536)
            assert who[0].startswith("127.0.0.")

    served(["0.0.0.0"], story)


def test_a_connection_that_is_made_to_one_of_them_hears_of_that_one() -> None:
    async def story(endpoint: Endpoint, transport: SipTransport) -> None:
        door = transport.addresses[1]
        stream = await trio.open_tcp_stream(door.host, door.port, local_address="127.0.0.9")
        async with stream:
            host, port = stream.socket.getsockname()
            there = Address(host, port, "tcp")
            question = build("OPTIONS").replace(b"SIP/2.0/UDP 192.0.2.9;", b"SIP/2.0/TCP 127.0.0.9;rport;")
            await stream.send_all(question)
            assert (await stream.receive_some(65536)).startswith(b"SIP/2.0 200 ")
            transport.command(lambda now: endpoint.ask("a", "loop", "OPTIONS", f"sip:{there}", there, now))
            assert f"Contact: <sip:{door};transport=tcp>" in bytes(await stream.receive_some(65536)).decode()

    served(["127.0.0.1", "127.0.0.2"], story, "tcp")
