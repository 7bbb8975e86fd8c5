"""Whether the infrastructure can do what the organisation wants of it: the two files are read apart, and each may be
right by itself.

Nothing here stops anybody: what is missing may be on its way. It is said where somebody looks, by `check` and `import`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from ..sip.grammar import Uri
from .config import Config
from .entries import Trunk
from .keys import IpNetwork
from .organisation import Organisation

# Addresses that are no public ones (RFC 1918, 6598, 4193).
_PRIVATE: Final[tuple[IpNetwork, ...]] = tuple(
    map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))
)


def warnings(config: Config, organisation: Organisation) -> list[str]:
    """A line for each thing that will not work."""
    return [
        f'warning: trunk "{trunk.id}": {each}' for trunk in organisation.trunks for each in _of_trunk(config, trunk)
    ]


def of_config(config: Config) -> list[str]:
    """What sections of the infrastructure say of each other."""
    sip, media = config.sip.public_address, config.media.public_address
    if sip and not media:
        return ["warning: [sip] has a public_address and [media] has none: who is outside sends no sound to it"]
    if media and not sip:
        return ["warning: [media] has a public_address and [sip] has none: who is outside does not find the way back"]
    return []


def _of_trunk(config: Config, trunk: Trunk) -> Iterator[str]:
    bound = {"udp": config.sip.udp, "tcp": config.sip.tcp, "tls": config.sip.tls}
    for proxy in trunk.proxy:
        uri = Uri.parse(proxy)
        transport = uri.transport or ("udp" if _is_ip(uri.host) else "")
        if transport not in bound:
            continue  # the domain says which
        if not bound[transport]:
            yield f"{proxy} wants {transport.upper()}, and [sip] {transport} is off: no call goes out there"
        elif _is_ip(uri.host) and not any(_is_six(each.host) is _is_six(uri.host) for each in bound[transport]):
            yield f"{proxy} is of IPv{'6' if _is_six(uri.host) else '4'}, and no address of [sip] {transport} is"
    if trunk.srtp and not trunk.proxy and not config.sip.tls:
        yield "srtp wants TLS, and [sip] tls is off: no call comes in"
    if config.sip.public_address or config.media.public_address:
        for peer in trunk.peers:
            if _within(peer, _PRIVATE) and not _within(peer, config.media.local_networks):
                yield f"{peer} is no public address, and not in [media] local_networks: it is told the public one"


def _within(peer: IpNetwork, networks: tuple[IpNetwork, ...]) -> bool:
    return any(peer.network_address in each and peer.prefixlen >= each.prefixlen for each in networks)


def _is_six(host: str) -> bool:
    return ":" in host


def _is_ip(host: str) -> bool:
    with suppress(ValueError):
        ipaddress.ip_address(host)
        return True
    return False
