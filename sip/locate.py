"""Where a SIP URI leads: by which transport, to which addresses, in which order (RFC 3263 §4, RFC 2782).

`locate(uri, speaks, known, rng)` is asked again and again: it says what it still has to know, or, when all of that is
known, the targets, preferred first. Who asks it has the network.

A numeric host, or a name with a port, leads to itself. For any other name the domain says by NAPTR which transports it
prefers, and by SRV which of its hosts serve each; where it says neither, the name is that of a host.
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Container, Iterable, Mapping, Sequence
from random import Random
from typing import Final, Literal

from attrs import frozen

from .grammar import Address, Uri

# What a NAPTR record calls a transport (RFC 3263 §4.1), and where its SRV records are (§4.1, §4.2)
SERVICES: Final[Mapping[str, str]] = {"SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls"}
PREFIXES: Final[Mapping[str, str]] = {"udp": "_sip._udp.", "tcp": "_sip._tcp.", "tls": "_sips._tcp."}

# More hosts than this of one domain are no failover.
MOST: Final = 8


@frozen
class Naptr:
    """RFC 3403 §4.1"""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


@frozen
class Srv:
    """RFC 2782; a target of "" serves nobody."""

    priority: int
    weight: int
    port: int
    target: str


@frozen
class Known:
    """What was answered, by name: nothing is an answer too. Names have no dot at their end."""

    naptr: Mapping[str, tuple[Naptr, ...]]
    srv: Mapping[str, tuple[Srv, ...]]
    addresses: Mapping[str, tuple[str, ...]]


@frozen
class Question:
    kind: Literal["naptr", "srv", "address"]
    name: str


@frozen
class Unknown:
    """These have to be asked first."""

    questions: tuple[Question, ...]


@frozen
class Located:
    """Preferred first; none: it leads nowhere that we could speak to."""

    targets: tuple[Address, ...]


class _UnknownError(Exception):
    def __init__(self, questions: Iterable[Question]) -> None:
        super().__init__()
        self.questions = tuple(dict.fromkeys(questions))


def locate(uri: Uri, speaks: Container[str], known: Known, rng: Random) -> Located | Unknown:
    """`speaks` are the transports of ours. One that the URI itself names is taken as it is: that we do not speak it is
    found out where it is to be spoken."""
    try:
        return Located(tuple(dict.fromkeys(_targets(uri, speaks, known, rng))))
    except _UnknownError as unknown:
        return Unknown(unknown.questions)


def _targets(uri: Uri, speaks: Container[str], known: Known, rng: Random) -> list[Address]:
    named = (uri.param("transport") or "").lower()
    secure = uri.scheme == "sips"
    plain = "tcp" if "tcp" in speaks and "udp" not in speaks else "udp"
    transport = uri.transport or plain
    host = uri.host.lower().rstrip(".")
    try:
        return [Address.at(str(ipaddress.ip_address(host)), uri.port, transport)]
    except ValueError:
        pass
    if uri.port is not None:
        return _addresses([(host, uri.port)], transport, known)
    serve = False
    for service, records in _services(host, named, speaks, known, secure=secure):
        serve = serve or bool(records)
        hosts = [(each.target, each.port) for each in ordered(records, rng) if each.target]
        if found := _addresses(hosts, service, known):
            return found
    # a domain that says by SRV who serves, and names nobody, does not want to be called (RFC 2782)
    return [] if serve else _addresses([(host, None)], transport, known)


def _services(
    host: str, named: str, speaks: Container[str], known: Known, *, secure: bool
) -> list[tuple[str, tuple[Srv, ...]]]:
    """By which transports a domain is reached, preferred first, and the hosts of each."""
    if named:
        wanted = ["tls" if secure else named]
    elif domains := _preferred(host, speaks, known, secure=secure):
        return _served(domains, known)
    else:
        # RFC 3263 §4.1: without NAPTR records, whatever we speak
        wanted = ["tls"] if secure else [each for each in ("udp", "tcp") if each in speaks]
    return _served([(each, PREFIXES[each] + host) for each in wanted if each in PREFIXES], known)


def _preferred(host: str, speaks: Container[str], known: Known, *, secure: bool) -> list[tuple[str, str]]:
    """Transports and the names of their SRV records, as the domain prefers them (RFC 3263 §4.1)."""
    if host not in known.naptr:
        raise _UnknownError([Question("naptr", host)])
    records = sorted(known.naptr[host], key=lambda each: (each.order, each.preference))
    found = [
        (SERVICES.get(each.service.upper(), ""), each.replacement) for each in records if each.flags.lower() == "s"
    ]
    return [(each, name) for each, name in found if name and each in speaks and (each == "tls" or not secure)]


def _served(domains: list[tuple[str, str]], known: Known) -> list[tuple[str, tuple[Srv, ...]]]:
    missing = [Question("srv", name) for _, name in domains if name not in known.srv]
    if missing:
        raise _UnknownError(missing)
    return [(transport, known.srv[name]) for transport, name in domains]


def _addresses(hosts: Sequence[tuple[str, int | None]], transport: str, known: Known) -> list[Address]:
    missing = [Question("address", name) for name, _ in hosts if name not in known.addresses]
    if missing:
        raise _UnknownError(missing)
    return [Address.at(address, port, transport) for name, port in hosts for address in known.addresses[name]]


def ordered(records: Iterable[Srv], rng: Random) -> list[Srv]:
    """By priority; those of one priority at random, the heavier the earlier (RFC 2782). Of a crowd those that the
    domain prefers."""
    kept = sorted(records, key=lambda each: (each.priority, -each.weight, each.target, each.port))[:MOST]
    found: list[Srv] = []
    for _, group in itertools.groupby(kept, key=lambda each: each.priority):
        left = list(group)[::-1]  # those without weight come first, which gives them a small chance
        while left:
            at = rng.randint(0, sum(each.weight for each in left))
            sums = itertools.accumulate(each.weight for each in left)
            found.append(left.pop(next(index for index, total in enumerate(sums) if total >= at)))
    return found
