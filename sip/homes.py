"""By which address of ours somebody reaches us, and is reached: a machine may have several, and listen on each, or on
all.

Who has spoken to one of them hears of no other (RFC 3261 §18.2.2, RFC 3581 §4): a firewall lets in only answers from
where was asked, and a carrier knows us by one address. Whoever has not been heard is spoken to from the address that
the routing table has for the way there.

    begin(remote, local), end()     what is done between was asked from `remote` at `local`
    answered(remote)                whoever asks is answered: where it asked is remembered
    hear(remote, local), forget(remote)     a connection of theirs
    of(remote) -> Address           ours, by the transport of theirs

Only who is answered is remembered, so that whoever writes any sender on its datagrams fills nothing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

from .grammar import Address

# Of so many remotes it is remembered where they asked: all phones of a large PBX; the one not heard the longest goes.
MAX_REMOTES: Final = 10_000


class Homes:
    """`route` gives the address that this machine has on the way to a host."""

    def __init__(self, route: Callable[[str], str], bound: Iterable[Address] = ()) -> None:
        self._route = route
        self._bound: list[Address] = []
        self._heard: dict[Address, Address] = {}
        self._asked: tuple[Address, Address] | None = None
        self.bind(bound)

    def bind(self, addresses: Iterable[Address]) -> None:
        """What we listen on, besides what is known."""
        self._bound += addresses

    def begin(self, remote: Address, local: Address) -> None:
        self._asked = remote, local

    def end(self) -> None:
        self._asked = None

    def answered(self, remote: Address) -> None:
        if self._asked is not None and self._asked[0] == remote:
            self.hear(*self._asked)

    def hear(self, remote: Address, local: Address) -> None:
        self._heard.pop(remote, None)
        self._heard[remote] = local
        if len(self._heard) > MAX_REMOTES:
            del self._heard[next(iter(self._heard))]

    def forget(self, remote: Address) -> None:
        self._heard.pop(remote, None)

    def heard(self, remote: Address) -> Address | None:
        """Where somebody asked, None where it never did."""
        if self._asked is not None and self._asked[0] == remote:
            return self._asked[1]
        return self._heard.get(remote)

    def of(self, remote: Address) -> Address:
        """Of the transport and the family of `remote`, as far as there is one."""

        def far(ours: Address) -> int:
            return 2 * (ours.transport != remote.transport) + (ours.six != remote.six)

        least = min(map(far, self._bound))
        near = [each for each in self._bound if far(each) == least]
        local = self.heard(remote)
        if local is not None:
            near = [each for each in near if each.port == local.port] or near
        elif len(near) > 1 or is_any(near[0].host) or near[0].six != remote.six:
            local = Address(self._route(remote.host), near[0].port, near[0].transport)
        if local is None:
            return near[0]
        named = next((each for each in near if each.host == local.host), None)
        if named is not None:
            return named
        open_to_all = next((each for each in near if is_any(each.host)), None)
        if open_to_all is None and near[0].six == remote.six:
            return near[0]
        door = open_to_all or near[0]
        return Address(local.host, door.port, door.transport)


@lru_cache(maxsize=100)  # of what we listen on, asked for each message
def is_any(host: str) -> bool:
    """All addresses of a machine, and none in particular."""
    return ipaddress.ip_address(host).is_unspecified
