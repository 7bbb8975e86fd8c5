"""Where a trunk's proxies are, and the next hops of its dialogs: addresses as they are, names by asking for them as
`sip.locate` wants it. A shell.

NAPTR and SRV records are DNS's, and are kept as long as it says, also that there are none (RFC 2308). Where a name
server fails, what it said last still counts: hosts that are known must not be given up for ones that are guessed. The
addresses of a host are the system's, whose hosts file goes before DNS; it keeps them, and does not say for how long.

A domain that cannot be found is left out, and tried again when the trunk asks again.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Container
from random import Random
from typing import Final, assert_never

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver
import structlog
import trio
from dns.rdata import Rdata
from dns.rdtypes.IN.NAPTR import NAPTR
from dns.rdtypes.IN.SRV import SRV

from ..sip import locate
from ..sip.grammar import Address, RemoteSipError, Uri
from . import signals

# How long the system is waited for, in seconds: it tries for 5 to 30 itself.
PATIENCE: Final = 5.0
# ... and a name server with a record, which it has or has not: two tries.
RECORD_PATIENCE: Final = 2.0
# How long addresses of the system count, in seconds: as long as most carriers let an answer be kept.
ADDRESS_SECONDS: Final = 60.0
# More addresses than this of one name are no failover.
MOST: Final = 8
# Of so many questions the last answer is remembered, and so many DNS lets us keep.
REMEMBERED: Final = 1000

log = structlog.get_logger()


def _log_failure(kind: str, error: str) -> None:
    log.warning("no answer of a name server", kind=kind, error=error)


class Resolver:
    """`tell` is given what was found for which trunk, once for each `resolve`. `speaks` are our transports;
    `name_servers` makes a resolver of those that the system names; `reaches` says whether we have a socket for an
    address that a next hop's name leads to; `on_failure` hears that no name server answers, once until one does."""

    def __init__(
        self,
        nursery: trio.Nursery,
        tell: Callable[[str, signals.Resolved], object],
        speaks: Container[str],
        rng: Random,
        name_servers: Callable[[], dns.asyncresolver.Resolver] = dns.asyncresolver.Resolver,
        reaches: Callable[[Address], bool] = lambda address: True,
        on_failure: Callable[[str, str], None] = _log_failure,
    ) -> None:
        self._nursery = nursery
        self._tell = tell
        self._speaks = speaks
        self._rng = rng
        self._name_servers = name_servers
        self._reaches = reaches
        self._on_failure = on_failure
        self._cache = dns.resolver.LRUCache(REMEMBERED)
        self._last: dict[tuple[str, str], tuple[Rdata, ...]] = {}
        self._failing: set[tuple[str, str]] = set()
        # Trunks and their proxies that are not found.
        self._missing: set[tuple[str, str]] = set()

    def resolve(self, command: signals.Resolve) -> None:
        self._nursery.start_soon(self._find, command)

    def seek(self, name: str, tell: Callable[[tuple[Address, ...], float], None]) -> None:
        """Where a SIP URI leads, preferred first, and for how many seconds that counts."""
        self._nursery.start_soon(self._seek, name, tell)

    async def _seek(self, name: str, tell: Callable[[tuple[Address, ...], float], None]) -> None:
        search = _Search(name)
        await self._search(search)
        found = (Address(each.address, each.port, each.transport) for each in search.hosts)
        tell(tuple(each for each in found if self._reaches(each)), search.seconds)

    async def _find(self, command: signals.Resolve) -> None:
        searches = [_Search(proxy) for proxy in command.proxies]
        async with trio.open_nursery() as nursery:
            for search in searches:
                nursery.start_soon(self._search, search)
        for search in searches:
            self._tell_missing(command.trunk, search)
        hosts = dict.fromkeys(host for search in searches for host in search.hosts)
        lasting = not any(search.named for search in searches)
        seconds = min((search.seconds for search in searches), default=ADDRESS_SECONDS)
        self._tell(command.trunk, signals.Resolved(tuple(hosts), lasting, seconds, command.proxies))

    def _tell_missing(self, trunk: str, search: _Search) -> None:
        """Once, until it is found: it is looked for every ten seconds."""
        where = trunk, search.proxy
        if search.hosts:
            self._missing.discard(where)
        elif where not in self._missing:
            log.warning("proxy not found", trunk=trunk, proxy=search.proxy)
            if len(self._missing) < REMEMBERED:
                self._missing.add(where)

    async def _search(self, search: _Search) -> None:
        try:
            uri = Uri.parse(search.proxy)
        except RemoteSipError:
            return
        while isinstance(found := locate.locate(uri, self._speaks, search.known, self._rng), locate.Unknown):
            search.named = True
            async with trio.open_nursery() as nursery:
                for question in found.questions:
                    nursery.start_soon(self._ask, question, search)
        search.hosts = [signals.Host(search.proxy, each.host, each.port, each.transport) for each in found.targets]

    async def _ask(self, question: locate.Question, search: _Search) -> None:
        name = question.name
        match question.kind:
            case "address":
                search.addresses[name] = await _addresses(name)
            case "naptr":
                rows = await self._records(name, "NAPTR", search)
                search.naptr[name] = tuple(_naptr(row) for row in rows if isinstance(row, NAPTR))
            case "srv":
                rows = await self._records(name, "SRV", search)
                search.srv[name] = tuple(
                    locate.Srv(row.priority, row.weight, row.port, _text(row.target))
                    for row in rows
                    if isinstance(row, SRV)
                )
            case _:
                assert_never(question.kind)

    async def _records(self, name: str, kind: str, search: _Search) -> tuple[Rdata, ...]:
        key = (name, kind)
        try:
            servers = self._name_servers()
            servers.cache = self._cache
            answer = await servers.resolve(
                f"{name}.", kind, raise_on_no_answer=False, lifetime=RECORD_PATIENCE, search=False
            )
        except dns.resolver.NXDOMAIN:
            rows: tuple[Rdata, ...] = ()
        except (dns.exception.DNSException, OSError) as error:
            if key not in self._failing and len(self._failing) < REMEMBERED:  # once: it is asked every minute
                self._failing.add(key)
                self._on_failure(kind, type(error).__name__)
            return self._last.get(key, ())
        else:
            rows = tuple(answer)
            search.seconds = min(search.seconds, answer.expiration - time.time())
        self._failing.discard(key)
        self._last.pop(key, None)
        self._last[key] = rows
        if len(self._last) > REMEMBERED:
            del self._last[next(iter(self._last))]
        return rows


class _Search:
    """What is known of one proxy, and what was found."""

    def __init__(self, proxy: str) -> None:
        self.proxy = proxy
        self.naptr: dict[str, tuple[locate.Naptr, ...]] = {}
        self.srv: dict[str, tuple[locate.Srv, ...]] = {}
        self.addresses: dict[str, tuple[str, ...]] = {}
        self.known = locate.Known(self.naptr, self.srv, self.addresses)
        self.named = False
        self.seconds = ADDRESS_SECONDS
        self.hosts: list[signals.Host] = []


def _naptr(row: NAPTR) -> locate.Naptr:
    flags, service = (each.decode("ascii", "replace") for each in (row.flags, row.service))
    return locate.Naptr(row.order, row.preference, flags, service, _text(row.replacement))


def _text(name: dns.name.Name) -> str:
    """Without the dot at its end; "" is the root."""
    return name.to_text(omit_final_dot=True).lower() if name != dns.name.root else ""


async def _addresses(name: str) -> tuple[str, ...]:
    with trio.move_on_after(PATIENCE):
        try:
            found = await trio.socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError):  # no such name, or none at all
            return ()
        return tuple(dict.fromkeys(str(address[0]) for *_, address in found))[:MOST]
    return ()
