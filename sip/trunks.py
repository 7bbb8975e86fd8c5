"""Which trunk a source address belongs to, and what the organisation says of each (`TrunkSettings`)."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

from attrs import frozen

from .digest import Account
from .grammar import LocalSipError, RemoteSipError, Uri, same_host

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


@frozen
class TrunkSettings:
    """`peers` are addresses or networks: who may speak to us as this trunk, and where it may lead us by a 3xx; so are
    `hosts`, the names of its own machines; `named` says which of them is at an address. `account` answers its
    challenges; `guest` answers ours, wherever it comes from, and it is dialled where it was heard from. One that is
    behind a `nat` is answered there too, for the addresses that it gives lead nowhere. With one that `registers` us we
    are who we are there, in its domain: `user`, or whom the account names, and `domain`, or the host of what is called;
    one that names a `domain` wants us there anyway. A `trusted` one is told who calls even where the caller withholds
    it (RFC 3325). With a `private` one nothing is agreed but by TLS; of one that wants `datagrams` nothing is said by
    TCP, however long it is. One that `refers` may have its calls given to others (RFC 3515)."""

    peers: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    account: Account | None = None
    guest: Account | None = None
    nat: bool = False
    registers: bool = False
    user: str = ""
    domain: str = ""
    trusted: bool = False
    private: bool = False
    datagrams: bool = False
    refers: bool = False
    named: Mapping[str, str] = MappingProxyType({})

    @property
    def us(self) -> str:
        """As whom we are known there, empty: nobody says so."""
        return self.user or (self.account.username if self.account is not None else "")

    @property
    def pinned(self) -> bool:
        """In a call it is reached where it was heard, whatever its Contact says."""
        return self.nat or self.guest is not None


class Trunks:
    """All trunks; of a source address the longest prefix counts, and of equal ones the first."""

    def __init__(self, trunks: Mapping[str, TrunkSettings]) -> None:
        """Raises LocalSipError for a peer that is neither an address nor a network."""
        networks: list[tuple[Network, str]] = []
        self._hosts: dict[str, str] = {}
        self._settings = dict(trunks)
        for trunk, settings in trunks.items():
            for peer in settings.peers:
                try:
                    network = ipaddress.ip_network(peer, strict=False)
                except ValueError:
                    raise LocalSipError(f"trunk {trunk}: {peer!r} is neither an address nor a network") from None
                if network.prefixlen == network.max_prefixlen:
                    self._hosts.setdefault(str(network.network_address), trunk)
                else:
                    networks.append((network, trunk))
        self._networks = sorted(networks, key=lambda item: -item[0].prefixlen)

    def match(self, host: str) -> str | None:
        """The trunk of a numeric address, or None."""
        trunk = self._hosts.get(host)
        if trunk is not None:
            return trunk
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return None
        if isinstance(address, ipaddress.IPv6Address):
            address = address.ipv4_mapped or address
        trunk = self._hosts.get(str(address))
        if trunk is not None:
            return trunk
        return next((name for network, name in self._networks if address in network), None)

    def settings(self, trunk: str) -> TrunkSettings:
        """Those of a trunk that nobody knows are empty: nothing is trusted to it."""
        return self._settings.get(trunk, _NOBODY)

    def name_at(self, address: str) -> str:
        """The name by which its trunk knows the host at an address, "" where it knows none."""
        return self.settings(self.match(address) or "").named.get(address, "")

    def owns(self, trunk: str, host: str) -> bool:
        """Whether a name or an address is one of the trunk's own hosts."""
        return self.match(host) == trunk or any(same_host(host, each) for each in self.settings(trunk).hosts)

    def leads_within(self, trunk: str, uri: str) -> bool:
        """Whether a Contact of a 3xx stays with the trunk's own hosts."""
        try:
            parsed = Uri.parse(uri)
        except RemoteSipError:
            return False
        return parsed.scheme in ("sip", "sips") and self.owns(trunk, parsed.host)


_NOBODY = TrunkSettings()
