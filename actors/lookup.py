"""Whether the names in a file lead anywhere, for `cordboard check`. A shell.

Proxies are looked up as the switch will look them up (`resolver.py`), other names as the system finds hosts; all at
once, for `LIMIT` seconds at most. Where nobody answers who could know, that is said, and is no fault of the file.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Container, Iterator, Sequence
from random import Random
from typing import Final
from urllib.parse import urlsplit

import dns.asyncresolver
import trio
from attrs import frozen

from ..sip.grammar import Uri
from .config import Config
from .organisation import Organisation
from .resolver import Resolver

# Somebody waits at a terminal.
LIMIT: Final = 5.0
# So many names that were not looked up are named.
NAMED: Final = 5


@frozen
class Named:
    """Where a name stands, as an error begins; the name; and the SIP URI in which it is, empty for a host alone."""

    where: str
    name: str
    proxy: str = ""


def names_of(organisation: Organisation) -> list[Named]:
    """All that are not addresses."""
    proxies = [
        Named(f'trunk "{trunk.id}" proxy', Uri.parse(proxy).host, proxy)
        for trunk in organisation.trunks
        for proxy in trunk.proxy
    ]
    hooks = [Named(f'webhook "{each.id}" url', urlsplit(each.url).hostname or "") for each in organisation.webhooks]
    return [each for each in (*proxies, *hooks) if not _is_ip(each.name)]


def names_of_config(config: Config) -> list[Named]:
    public = config.sip.public_address
    return [Named("[sip] public_address", public)] if public and not _is_ip(public) else []


async def unfound(
    names: Sequence[Named],
    speaks: Container[str],
    name_servers: Callable[[], dns.asyncresolver.Resolver] = dns.asyncresolver.Resolver,
) -> list[str]:
    """A warning for each that leads nowhere, and a note of those of which nobody could say so. `speaks` are the
    transports of ours."""
    leads: dict[Named, bool | None] = dict.fromkeys(names)

    async def look(named: Named) -> None:
        failures: list[str] = []
        if named.proxy:
            found = await _located(named.proxy, speaks, name_servers, failures.append)
        else:
            found = await _has_address(named.name, failures.append)
        leads[named] = True if found else None if failures else False

    with trio.move_on_after(LIMIT):
        async with trio.open_nursery() as nursery:
            for each in names:
                nursery.start_soon(look, each)
    return list(_said(leads))


def _said(leads: dict[Named, bool | None]) -> Iterator[str]:
    for named, found in leads.items():
        if found is False:
            yield f"warning: {named.where}: the name {named.name} is not found"
    unknown = list(dict.fromkeys(named.name for named, found in leads.items() if found is None))
    if unknown:
        more = f" and {len(unknown) - NAMED} more" if len(unknown) > NAMED else ""
        yield f"note: no name server answers here that knows where these lead: {', '.join(unknown[:NAMED])}{more}"


async def _located(
    proxy: str,
    speaks: Container[str],
    name_servers: Callable[[], dns.asyncresolver.Resolver],
    failed: Callable[[str], None],
) -> bool:
    send, told = trio.open_memory_channel[int](1)
    async with trio.open_nursery() as nursery:
        resolver = Resolver(
            nursery,
            lambda trunk, found: None,
            speaks,
            Random(),
            name_servers,
            on_failure=lambda kind, error: failed(kind),
        )
        resolver.seek(proxy, lambda found, seconds: send.send_nowait(len(found)))
        hosts = await told.receive()
    if not hosts:  # the resolver does not say why the system has no address
        await _has_address(Uri.parse(proxy).host, failed)
    return hosts > 0


async def _has_address(name: str, failed: Callable[[str], None]) -> bool:
    try:
        return bool(await trio.socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM))
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            failed(str(error))
    except (OSError, UnicodeError):
        pass
    return False


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
