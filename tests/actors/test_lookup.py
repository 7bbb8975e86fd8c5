"""Names in a file that lead nowhere, or of which nobody here can say where."""

from __future__ import annotations

import socket
from typing import Any

import dns.asyncresolver
import pytest
import trio
import trio.testing
from cordboard.actors.config import parse_config
from cordboard.actors.lookup import LIMIT, Named, names_of, names_of_config, unfound
from cordboard.actors.organisation import parse_organisation

from .test_resolver import NameServer, System

ORGANISATION = """
[[trunk]]
id = "a"
proxy = ["sip:carrier.example", "sip:192.0.2.1", "sip:[2001:db8::1]:5060", "sips:away.example"]
[[webhook]]
id = "crm"
url = "https://crm.example:8443/x"
[[webhook]]
id = "here"
url = "http://[::1]/x"
"""


class Away(System):
    """A system whose name servers say nothing."""

    async def getaddrinfo(self, host: Any, port: Any, *more: int) -> Any:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


def looked_up(
    names: list[Named], system: System, *, fails: bool = False, clock: trio.abc.Clock | None = None
) -> list[str]:
    """What is said, where the name server can tell nobody anything, or can."""

    async def main() -> list[str]:
        trio.socket.set_custom_hostname_resolver(system)
        server = NameServer()
        server.fails = fails
        await server.socket.bind(("127.0.0.1", 0))

        def servers() -> dns.asyncresolver.Resolver:
            made = dns.asyncresolver.Resolver(configure=False)
            made.nameservers, made.port = ["127.0.0.1"], server.socket.getsockname()[1]
            return made

        with server.socket:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(server.run)
                lines = await unfound(names, ("udp", "tcp", "tls"), servers)
                nursery.cancel_scope.cancel()
        return lines

    return trio.run(main, clock=clock)


def test_addresses_are_no_names() -> None:
    organisation = parse_organisation(ORGANISATION)
    assert [(each.where, each.name) for each in names_of(organisation)] == [
        ('trunk "a" proxy', "carrier.example"),
        ('trunk "a" proxy', "away.example"),
        ('webhook "crm" url', "crm.example"),
    ]
    for public, names in (("", []), ("203.0.113.1", []), ("sip.example", ["sip.example"])):
        config = parse_config(f'[sip]\npublic_address = "{public}"')
        assert [each.name for each in names_of_config(config)] == names


def test_a_name_that_is_not_found_is_warned_of() -> None:
    lines = looked_up(names_of(parse_organisation(ORGANISATION)), System())
    assert lines == [
        'warning: trunk "a" proxy: the name away.example is not found',
        'warning: webhook "crm" url: the name crm.example is not found',
    ]


def test_where_no_name_server_answers_nothing_is_said_of_the_names() -> None:
    names = [*names_of(parse_organisation(ORGANISATION)), *(Named("x", f"host{at}.example") for at in range(4))]
    known = "carrier.example, away.example, crm.example, host0.example, host1.example"
    note = f"note: no name server answers here that knows where these lead: {known} and 2 more"
    assert looked_up(names, Away(), fails=True) == [note]


def test_it_is_waited_for_no_longer_than_somebody_waits_at_a_terminal() -> None:
    clock = trio.testing.MockClock(autojump_threshold=0)
    lines = looked_up([Named("x", "slow.example")], System(), clock=clock)
    assert lines == ["note: no name server answers here that knows where these lead: slow.example"]
    assert clock.current_time() == pytest.approx(LIMIT, abs=0.5)
