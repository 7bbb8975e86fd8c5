"""Where a trunk's proxies are: addresses as they are, names by asking the system for them. A shell.

A name may have several addresses, of both families; each is a host, in the order in which the system gives them (RFC
3263 §4.2, for who names no NAPTR and SRV records). What cannot be found is left out, and tried again when the trunk
asks again.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Final

import structlog
import trio

from ..sip.grammar import RemoteSipError, Uri
from . import signals

# How long a name is waited for, in seconds: resolvers try for 5 to 30 themselves.
PATIENCE: Final = 5.0
# More addresses than this of one name are no failover.
MOST: Final = 8
PORTS: Final = {"udp": 5060, "tcp": 5060, "tls": 5061}

log = structlog.get_logger()


class Resolver:
    """`tell` is given what was found for which trunk, once for each `resolve`."""

    def __init__(self, nursery: trio.Nursery, tell: Callable[[str, signals.Resolved], object]) -> None:
        self._nursery = nursery
        self._tell = tell

    def resolve(self, command: signals.Resolve) -> None:
        self._nursery.start_soon(self._find, command)

    async def _find(self, command: signals.Resolve) -> None:
        hosts: list[signals.Host] = []
        lasting = True
        for proxy in command.proxies:
            found, named = await _hosts(proxy)
            hosts += (each for each in found if each not in hosts)
            lasting = lasting and not named
            if not found:
                log.warning("proxy not found", trunk=command.trunk)
        self._tell(command.trunk, signals.Resolved(tuple(hosts), lasting))


async def _hosts(proxy: str) -> tuple[list[signals.Host], bool]:
    """The hosts of one proxy, and whether a name was looked up."""
    try:
        uri = Uri.parse(proxy)
    except RemoteSipError:
        return [], False
    transport = "tls" if uri.scheme == "sips" else (uri.param("transport") or "udp").lower()
    port = uri.port or PORTS.get(transport, 5060)
    try:
        addresses, named = [str(ipaddress.ip_address(uri.host))], False
    except ValueError:
        addresses, named = await _addresses(uri.host, port), True
    return [signals.Host(proxy, address, port, transport) for address in addresses[:MOST]], named


async def _addresses(name: str, port: int) -> list[str]:
    with trio.move_on_after(PATIENCE):
        try:
            found = await trio.socket.getaddrinfo(name, port, type=socket.SOCK_DGRAM)
        except OSError:
            return []
        return list(dict.fromkeys(str(address[0]) for *_, address in found))
    return []
