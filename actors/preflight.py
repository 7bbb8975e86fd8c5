"""What `cordboard run` looks at before it starts anything: whether it can listen where it is to, and use certificates.

A shell. All that is wrong is told in one go and in words, each with the key of the configuration that says so; who had
to put five ports right one at a time would start five times. A port that is free now and taken a moment later is told
of by whoever listens there.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Final, Literal

from attrs import frozen

from ..switch.addresses import expanded
from .config import Config

Kind = Literal["UDP", "TCP"]
# So many ports of one key are named; a pool has hundreds.
NAMED: Final = 5
_WORDS: Final = {
    errno.EADDRINUSE: "another program listens there",
    errno.EADDRNOTAVAIL: "this machine has no such address",
    errno.EACCES: "the system keeps ports below 1024 for programs with the right to them",
}


@frozen
class Door:
    """Where something is to be heard, and the key that says so."""

    key: str
    kind: Kind
    host: str
    port: int


def trouble(config: Config) -> list[str]:
    """All that is in the way, a line each; nothing where all of it can be had."""
    return [*certificates(config), *_taken(config)]


# --- certificates -------------------------------------------------------------------------------------------------


def certificates(config: Config) -> Iterator[str]:
    """What is in the way of those that are configured; one of our own making is made where there is none."""
    if config.web.certificate:
        yield from _pair("[web]", config.web.certificate, config.web.key)
    if not config.sip.tls:
        return
    if config.sip.certificate:
        yield from _pair("[sip]", config.sip.certificate, config.sip.key)
    if authorities := config.sip.authorities:
        yield from _readable("[sip] authorities", authorities) or _tried(
            f"[sip] authorities: {authorities}",
            lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(authorities),
        )


def _pair(section: str, certificate: str, key: str) -> list[str]:
    return [*_readable(f"{section} certificate", certificate), *_readable(f"{section} key", key)] or _tried(
        f"{section} certificate: {certificate}, key: {key}",
        lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key),
    )


def _readable(key: str, file: str) -> list[str]:
    try:
        with open(file, "rb"):
            return []
    except OSError as error:
        return [f"{key}: {file}: {error.strerror}"]


def _tried(said: str, act: Callable[[], None]) -> list[str]:
    """What OpenSSL says of it, in its own words."""
    try:
        act()
    except ssl.SSLError as error:
        return [f"{said}: {(error.reason or str(error)).replace('_', ' ').lower()}"]
    return []


# --- listening ----------------------------------------------------------------------------------------------------


def _taken(config: Config) -> list[str]:
    found: dict[tuple[str, Kind, str, str], list[int]] = {}
    ours: dict[tuple[Kind, int], str] = {}
    with contextlib.ExitStack() as stack:
        for door in _doors(config):
            try:
                stack.enter_context(_listening(door))
            except OSError as error:
                why = _WORDS.get(error.errno or 0, error.strerror or str(error))
                if error.errno == errno.EADDRINUSE and (door.kind, door.port) in ours:
                    why = f"that is the port of {ours[door.kind, door.port]}"
                found.setdefault((door.key, door.kind, door.host, why), []).append(door.port)
            else:
                ours.setdefault((door.kind, door.port), door.key)
    return [_said(key, kind, host, why, ports) for (key, kind, host, why), ports in found.items()]


def _said(key: str, kind: Kind, host: str, why: str, ports: list[int]) -> str:
    named = ", ".join(map(str, ports[:NAMED])) + (f" and {len(ports) - NAMED} more" if len(ports) > NAMED else "")
    return f"{key}: cannot listen on {kind} {host} port{'s' if len(ports) > 1 else ''} {named}: {why}"


def _doors(config: Config) -> Iterator[Door]:
    """All that the processes will listen on, but for ports that are any free ones."""
    sip, web, voice = config.sip, config.web, config.media
    asked = [Door("[sip] udp", "UDP", each.host, each.port) for each in sip.udp]
    asked += [Door("[sip] tcp", "TCP", each.host, each.port) for each in sip.tcp]
    asked += [Door("[sip] tls", "TCP", each.host, each.port) for each in sip.tls]
    asked += [Door("[web] listen", "TCP", each.host, each.port) for each in web.listen]
    pairs = [port for even in voice.rtp_ports if even for port in (even, even + 1)]  # RTCP is beside (RFC 3550 §11)
    asked += [Door("[media] rtp_ports", "UDP", host, port) for host in voice.address for port in pairs]
    browsers: dict[tuple[str, int], Door] = {}  # two points behind different public addresses may share one
    for point in config.access_points:
        for host in expanded(point.address):
            key = f'[media] webrtc_port, or [[access_point]] "{point.id}"'
            browsers.setdefault((host, point.port), Door(key, "UDP", host, point.port))
    return (door for door in (*asked, *browsers.values()) if door.port)


@contextlib.contextmanager
def _listening(door: Door) -> Iterator[None]:
    """... as whoever will listen there does. Raises OSError."""
    family = socket.AF_INET6 if ":" in door.host else socket.AF_INET
    kind = socket.SOCK_DGRAM if door.kind == "UDP" else socket.SOCK_STREAM
    with socket.socket(family, kind) as made:
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((door.host, door.port))
        if kind == socket.SOCK_STREAM:
            made.listen()
        yield
