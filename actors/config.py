"""The infrastructure: one frozen `Config` from the text of one TOML file, every key with a default.

A section is a frozen class whose fields say how they are read and what they mean; `keys.py` reads them. The shell reads
the file; nothing here touches one. Certificates, directories and ports are tried by whoever uses them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, cast, get_args

from attrs import AttrsInstance, field, frozen

from ..sip import sdp
from ..sip.guests import ALGORITHMS
from ..switch.protocol import CodecName
from .customs import CUSTOMS, Accepts, Customs, GoesOn
from .entries import MIN_RING_SECONDS
from .keys import (
    ConfigError,
    IpNetwork,
    check_sections,
    choice,
    found,
    host,
    identifier,
    ip,
    many,
    network,
    no_duplicates,
    one_of,
    optional_host,
    optional_ip,
    origin,
    parse_toml,
    read_table,
    read_tables,
    seconds,
    some_text,
    text,
    toml,
    whole,
)
from .patience import PATIENCE, Patience

# --- values only this file has ---


@frozen
class Address:
    """Where to listen: an IP address and a port; port 0 is any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


_ADDRESS = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<v4>[0-9.]+)):(?P<port>[0-9]{1,5})")


def address(value: object) -> Address:
    """`"0.0.0.0:5060"` or `"[::]:5060"`."""
    match = _ADDRESS.fullmatch(text(value))
    if not match or int(match["port"]) > 65535:
        raise ConfigError(f'must be "address:port", as "0.0.0.0:5060" or "[::]:5060", found {found(value)}')
    parsed = ip(match["v6"] or match["v4"])
    if (match["v6"] is not None) != (":" in parsed):
        raise ConfigError(f"must have an IPv6 address in brackets and an IPv4 address without, found {found(value)}")
    return Address(parsed, int(match["port"]))


_RANGE = re.compile(r"([0-9]{1,5})-([0-9]{1,5})")
# More shared sockets than this cost more per packet than they save in collisions of (port, remote).
MAX_RTP_PORTS = 256
FREE_RTP_PORTS = 8


def rtp_ports(value: object) -> tuple[int, ...]:
    """`"20002-20032"`: the even ports of the range, both ends counted. RTP takes even ports (RFC 3550 §11).

    `"0"` is any free ones, odd or even: tests share a machine.
    """
    if value == "0":
        return (0,) * FREE_RTP_PORTS
    match = _RANGE.fullmatch(text(value))
    if not match:
        raise ConfigError(f'must be a range of ports, as "20002-20032", found {found(value)}')
    first, last = int(match[1]), int(match[2])
    if not 1024 <= first <= last <= 65535:
        raise ConfigError(f"must go upwards within 1024 to 65535, found {found(value)}")
    ports = tuple(range(first + first % 2, last + 1, 2))
    if not 1 <= len(ports) <= MAX_RTP_PORTS:
        raise ConfigError(f"must have 1 to {MAX_RTP_PORTS} even ports, found {len(ports)} in {found(value)}")
    return ports


def codecs(value: object) -> tuple[CodecName, ...]:
    return cast(tuple[CodecName, ...], _some_of(sdp.WEBRTC_CODECS, value))


def trunk_codecs(value: object) -> tuple[sdp.TrunkCodec, ...]:
    return cast(tuple[sdp.TrunkCodec, ...], _some_of(sdp.TRUNK_CODECS, value))


def challenges(value: object) -> tuple[str, ...]:
    return _some_of(ALGORITHMS, value, "algorithm")


def _some_of(known: Sequence[str], value: object, what: str = "codec") -> tuple[str, ...]:
    names = many(one_of(*known))(value)
    if not names:
        raise ConfigError(f"must name at least one {what}")
    return names


def store_url(value: object) -> str:
    if text(value) != "sqlite":
        raise ConfigError(f'must be "sqlite", the only store there is so far; found {found(value)}')
    return text(value)


# --- the sections -----------------------------------------------------------------------------------------------

ADDRESSES = '"address:port" or a list'


@frozen
class Sip:
    """Where SIP is spoken."""

    udp: tuple[Address, ...] = field(
        default=(Address("0.0.0.0", 5060),),
        metadata=toml(many(address), ADDRESSES, "Where SIP over UDP is heard; empty is off."),
    )
    tcp: tuple[Address, ...] = field(
        default=(Address("0.0.0.0", 5060),),
        metadata=toml(many(address), ADDRESSES, "Where SIP over TCP is heard; empty is off."),
    )
    tls: tuple[Address, ...] = field(
        default=(),
        metadata=toml(many(address), ADDRESSES, "Where SIP over TLS is heard, by custom port 5061; empty is off."),
    )
    certificate: str = field(
        default="",
        metadata=toml(
            text,
            "file",
            "PEM file of the chain that TLS shows, also to carriers who want to see one; empty: that of `[web]`.",
        ),
    )
    key: str = field(default="", metadata=toml(text, "file", "PEM file of its private key."))
    authorities: str = field(
        default="",
        metadata=toml(
            text,
            "file",
            "PEM file of the authorities whose certificates a trunk may show; empty: those that this system believes.",
        ),
    )
    public_address: str = field(
        default="",
        metadata=toml(
            optional_host,
            "address or host name",
            "What peers outside the local networks reach us by; empty: our own address.",
        ),
    )
    challenges: tuple[str, ...] = field(
        default=ALGORITHMS,
        metadata=toml(
            challenges,
            "list of MD5, SHA-256",
            "How PBXs show their passwords. MD5 alone where one gives up because it sees another beside it.",
        ),
    )


@frozen
class Media:
    """Where voice comes and goes."""

    address: tuple[str, ...] = field(
        default=("0.0.0.0",),
        metadata=toml(many(ip), "IP address or a list", "The interfaces that media uses; 0.0.0.0 is all of IPv4."),
    )
    public_address: str = field(
        default="",
        metadata=toml(
            optional_ip, "IP address", "Put into SDP for peers outside the local networks; empty: our own address."
        ),
    )
    local_networks: tuple[IpNetwork, ...] = field(
        default=(),
        metadata=toml(many(network), "network or a list", "Peers in these see our own address, not the public one."),
    )
    webrtc_port: int = field(
        default=20000,
        metadata=toml(
            whole(0, 65535),
            "port",
            "The one UDP port that all browsers share, where there is no `[[access_point]]`; 0 is any free one.",
        ),
    )
    rtp_ports: tuple[int, ...] = field(
        default=tuple(range(20002, 20033, 2)),
        metadata=toml(
            rtp_ports,
            '"first-last"',
            "UDP ports shared by all plain RTP: the even ones; RTCP uses the odd one after each. 0 is any free ones.",
        ),
    )
    process: Literal["separate", "inline"] = field(
        default="separate",
        metadata=choice(
            ("separate", "inline"), "The media engine as its own process, or in the control process (tests)."
        ),
    )
    webrtc_codecs: tuple[CodecName, ...] = field(
        default=sdp.WEBRTC_CODECS,
        metadata=toml(codecs, "list of opus, g722, pcmu, pcma", "What browsers may be answered with, best first."),
    )
    trunk_codecs: tuple[sdp.TrunkCodec, ...] = field(
        default=sdp.TRUNK_CODECS,
        metadata=toml(
            trunk_codecs,
            "list of g722, pcma, pcmu, opus",
            "What trunks may speak. Of their offers it is what they prefer; ours are made in this order.",
        ),
    )


@frozen
class AccessPoint:
    """A media address for browsers; agents see how far each is. Without any there is one, `main`, as `[media]` says."""

    id: str = field(default="main", metadata=toml(identifier, "id", "Its name in programs."))
    name: str = field(default="Main", metadata=toml(some_text, "text", "What agents see."))
    address: tuple[str, ...] = field(
        default=("0.0.0.0",),
        metadata=toml(many(ip), "IP address or a list", "The interfaces it listens on; 0.0.0.0 is all of IPv4."),
    )
    port: int = field(default=20000, metadata=toml(whole(0, 65535), "port", "Its UDP port; 0 is any free one."))
    public_address: str = field(
        default="",
        metadata=toml(
            optional_ip, "IP address", "What browsers outside the local networks are told; empty: our own address."
        ),
    )
    public_port: int = field(
        default=0, metadata=toml(whole(0, 65535), "port", "The port they are told; 0: the same port.")
    )


@frozen
class Web:
    """The one TLS port of pages, API and websocket."""

    listen: tuple[Address, ...] = field(
        default=(Address("0.0.0.0", 8443),), metadata=toml(many(address), ADDRESSES, "Where https is served.")
    )
    certificate: str = field(
        default="",
        metadata=toml(text, "file", "PEM file of the certificate chain; empty: a self-signed one is made and kept."),
    )
    key: str = field(default="", metadata=toml(text, "file", "PEM file of its private key."))
    names: tuple[str, ...] = field(
        default=(), metadata=toml(many(host), "host name or a list", "Further names for the self-signed certificate.")
    )
    origins: tuple[str, ...] = field(
        default=(), metadata=toml(many(origin), "origin or a list", "Other sites whose pages may open our websocket.")
    )


@frozen
class Storage:
    """Where records are kept."""

    url: str = field(default="sqlite", metadata=toml(store_url, "sqlite", "`sqlite`: a file in the data directory."))
    decisions_days: int = field(
        default=90,
        metadata=toml(
            whole(0, 36_500), "number", "For so many days it is kept why a call rang where it did; 0: for ever."
        ),
    )


@frozen
class Recording:
    """What becomes of a recorded call."""

    format: Literal["opus", "wav", "mp3", "flac"] = field(
        default="opus",
        metadata=choice(("opus", "wav", "mp3", "flac"), "What a finished call is encoded to."),
    )
    directory: str = field(
        default="",
        metadata=toml(text, "directory", "Where recordings go; empty: `recordings` in the data directory."),
    )
    hold: Literal["silent", "recorded"] = field(
        default="silent",
        metadata=choice(
            ("silent", "recorded"),
            "While the customer is held a recording is `silent`, or has what the customer and the others say, who do "
            "not hear each other: `recorded`.",
        ),
    )


# A customer waits for them, on hold or alone; five minutes are longer than any network lets a telephone ring.
MAX_RING = 300
# In less nobody has heard which key it is, and found it.
MIN_ACCEPT_SECONDS = 5
MIN_SURVEY_SECONDS = 2
# A customer who is asked more often, or for longer, hangs up.
MAX_SURVEY_SECONDS = 60
MAX_SURVEY_AGAIN = 10
MAX_TRANSFERS = 100


def _waited(default: float, meaning: str, least: float = MIN_RING_SECONDS, most: float = MAX_RING) -> float:
    """A key of `Calls`."""
    value: float = field(default=default, metadata=toml(seconds(most, least), "seconds", f"How long {meaning}."))
    return value


@frozen
class Calls:
    """What holds for all calls, whatever queue they came by."""

    ring_seconds: float = _waited(
        PATIENCE.ring,
        "whoever an agent consults, invites, or gives a call to has to answer: a colleague, a colleague's mobile, a "
        "number outside",
    )
    away_seconds: float = _waited(
        PATIENCE.away,
        "an agent is waited for whose page is gone or cannot be heard: then its call goes back to the front of its "
        "queue, or ends where it was dialled, and an agent without a call is signed out",
    )
    return_seconds: float = _waited(
        PATIENCE.back,
        "a call that was given away, and that nobody took, rings at the agent who gave it away before it goes to the "
        "front of that one's queue",
    )
    decline_seconds: float = _waited(PATIENCE.declined, "an agent is not offered a call again that it declined")
    accept: Accepts = field(
        default=CUSTOMS.accept,
        metadata=choice(
            get_args(Accepts),
            "What takes a call that rings on an agent's mobile: the key 1, which is asked for; any key; or that "
            "somebody picks up, which a mailbox does too.",
        ),
    )
    accept_seconds: float = _waited(
        PATIENCE.accept,
        "whoever picked up such a mobile has to press the key, while the offer rings",
        MIN_ACCEPT_SECONDS,
    )
    three_way: GoesOn = field(
        default=CUSTOMS.three_way,
        metadata=choice(
            get_args(GoesOn),
            "When the agent whose call it is hangs up in a conversation of three, it goes on where the third is one of "
            "the `agents`; with `all`, where it is on a mobile or outside too; or `never`.",
        ),
    )
    transfers: int = field(
        default=CUSTOMS.transfers,
        metadata=toml(whole(1, MAX_TRANSFERS), "number", "How often one call may be given to another."),
    )
    survey_seconds: float = _waited(
        CUSTOMS.survey_seconds,
        "a customer who was asked for a rating has to press a key, before that is none",
        MIN_SURVEY_SECONDS,
        MAX_SURVEY_SECONDS,
    )
    survey_again: int = field(
        default=CUSTOMS.survey_again,
        metadata=toml(
            whole(0, MAX_SURVEY_AGAIN), "number", "How often it is asked again, where it pressed a key that is none."
        ),
    )

    @property
    def patience(self) -> Patience:
        return Patience(
            self.ring_seconds, self.away_seconds, self.return_seconds, self.decline_seconds, self.accept_seconds
        )


# A day: longer than any call that a restart should wait for.
MAX_DRAIN = 86400


@frozen
class Limits:
    """How far it goes."""

    drain_seconds: float = field(
        default=60.0, metadata=toml(seconds(MAX_DRAIN), "seconds", "How long SIGTERM waits for the last call to end.")
    )
    calls: int = field(default=0, metadata=toml(whole(0, 1_000_000), "number", "The most calls at once; 0: 3000."))
    busy_ms: int = field(
        default=20,
        metadata=toml(
            whole(0, 10_000),
            "number",
            "While whatever happens waits for longer than this for its turn, calls in set-up wait for each other for "
            "250 ms, or those that live will want all of a core when they end, new ones are refused with 503; 0: "
            "never.",
        ),
    )


@frozen
class Config:
    """All of it. `access_points` is never empty."""

    sip: Sip = Sip()
    media: Media = Media()
    access_points: tuple[AccessPoint, ...] = (AccessPoint(),)
    web: Web = Web()
    store: Storage = Storage()
    recording: Recording = Recording()
    calls: Calls = Calls()
    limits: Limits = Limits()

    @property
    def customs(self) -> Customs:
        calls = self.calls
        return Customs(
            calls.accept,
            calls.three_way,
            calls.transfers,
            calls.survey_seconds,
            calls.survey_again,
            self.recording.hold == "recorded",
        )


# TOML table to class and to the field of Config; `access_point` is the only one that repeats.
SECTIONS: dict[str, type[AttrsInstance]] = {
    "sip": Sip,
    "media": Media,
    "access_point": AccessPoint,
    "web": Web,
    "store": Storage,
    "recording": Recording,
    "calls": Calls,
    "limits": Limits,
}

# --- the file ---


def parse_config(source: str) -> Config:
    """The `Config` in the text of a TOML file; the empty text is all defaults. Raises ConfigError."""
    document = parse_toml(source)
    check_sections(document, SECTIONS)
    media = read_table(Media, document.get("media", {}), "[media]")
    points = read_tables(AccessPoint, document.get("access_point", []), "access_point")
    if not points:
        points = (AccessPoint(address=media.address, port=media.webrtc_port, public_address=media.public_address),)
    config = Config(
        sip=read_table(Sip, document.get("sip", {}), "[sip]"),
        media=media,
        access_points=points,
        web=read_table(Web, document.get("web", {}), "[web]"),
        store=read_table(Storage, document.get("store", {}), "[store]"),
        recording=read_table(Recording, document.get("recording", {}), "[recording]"),
        calls=read_table(Calls, document.get("calls", {}), "[calls]"),
        limits=read_table(Limits, document.get("limits", {}), "[limits]"),
    )
    _check_whole(config)
    return config


def _check_whole(config: Config) -> None:
    """What no single key can tell."""
    no_duplicates("access_point", "id", (point.id for point in config.access_points))
    if not config.media.address:
        raise ConfigError("[media] address: must name at least one address")
    if not config.web.listen:
        raise ConfigError("[web] listen: must name at least one address")
    for section, shown in (("sip", config.sip), ("web", config.web)):
        if bool(shown.certificate) != bool(shown.key):
            raise ConfigError(f"[{section}]: certificate and key go together; one is missing")
    for point in config.access_points:
        if not point.address:
            raise ConfigError(f"access_point {found(point.id)} address: must name at least one address")
        if point.port and point.port in config.media.rtp_ports:
            raise ConfigError(f"[media] rtp_ports: {point.port} is the port of access point {found(point.id)}")
