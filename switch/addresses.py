"""What this machine's own addresses are, where one is to be bound that stands for all of them."""

from __future__ import annotations

from collections.abc import Sequence

import ifaddr


def expanded(addresses: Sequence[str]) -> tuple[str, ...]:
    """What to bind for browsers. An unspecified address is bound as each of this machine's own: an answer must leave
    from the address that the question came to, or ICE fails, and the kernel would choose another."""
    own = [ip for adapter in ifaddr.get_adapters() for ip in adapter.ips]
    each: list[str] = []
    for address in addresses:
        match address:
            case "0.0.0.0":
                each += [str(ip.ip) for ip in own if ip.is_IPv4]
            case "::":
                each += [ip.ip[0] for ip in own if ip.is_IPv6 and not ip.ip[2]]  # none with a scope
            case _:
                each.append(address)
    return tuple(dict.fromkeys(each))
