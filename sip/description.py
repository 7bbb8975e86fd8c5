"""Session descriptions (RFC 8866): a body read once into frozen types, and back to bytes.

What stands at session level and counts for every stream (connection, direction, ICE credentials, fingerprints, setup)
is written into each `Media`, so that nobody has to look in two places. Attributes that nobody here acts on are
dropped. What cannot be read raises `SdpError` with status 400.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias, cast

from attrs import frozen

from . import sdes
from .grammar import LocalSipError, RemoteSipError
from .sdes import Crypto

# A browser's offer with video, simulcast and data is about 8 kB; four times that is nobody's.
MAX_SDP = 32768
MAX_LINES = 1000
# RFC 8843 knows no bound; an offer with more streams than this is not a call.
MAX_MEDIA = 32
Direction: TypeAlias = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
Setup: TypeAlias = Literal["actpass", "active", "passive", "holdconn"]
CodecName: TypeAlias = Literal["pcmu", "pcma", "g722", "opus"]

# encoding name, clock rate, channels (RFC 3551 table 4, RFC 7587 §7: always 48000/2). G.722 is sampled at 16 kHz, the
# RTP clock is 8000 (RFC 3551 §4.5.2)
CODECS: dict[CodecName, tuple[str, int, int]] = {
    "pcmu": ("PCMU", 8000, 1),
    "pcma": ("PCMA", 8000, 1),
    "g722": ("G722", 8000, 1),
    "opus": ("opus", 48000, 2),
}
# Payload types that need no rtpmap (RFC 3551 table 4)
STATIC: dict[str, tuple[CodecName, int]] = {"pcmu": ("pcmu", 0), "pcma": ("pcma", 8), "g722": ("g722", 9)}


class SdpError(RemoteSipError):
    """Their description cannot be read (400) or cannot be used (488)."""

    def __init__(self, text: str, status: int = 488) -> None:
        super().__init__(text, status)


@frozen
class Rtpmap:
    payload_type: int
    name: str
    clock_rate: int
    channels: int = 1


# It has a number of its own, for codecs of a clock of 8000 (RFC 3389 §4, RFC 3551 table 4).
COMFORT_NOISE = Rtpmap(13, "CN", 8000)


@frozen
class Fingerprint:
    """RFC 8122: the hash function in lower case, the digest as `AB:CD:...` in upper case."""

    algorithm: str
    digest: str


@frozen
class Candidate:
    """RFC 8839 §5.1, without the extensions."""

    foundation: str
    component: int
    transport: str
    priority: int
    address: str
    port: int
    type: str


@frozen
class Media:
    """One m-line. `connection` is the address of its c= line, None where there is none. `candidates` and `cryptos` are
    those that can be used."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    connection: str | None = None
    direction: Direction = "sendrecv"
    rtpmaps: tuple[Rtpmap, ...] = ()
    fmtps: tuple[tuple[int, str], ...] = ()
    ptime: int | None = None
    maxptime: int | None = None
    mid: str | None = None
    rtcp_mux: bool = False
    ice_ufrag: str | None = None
    ice_pwd: str | None = None
    candidates: tuple[Candidate, ...] = ()
    end_of_candidates: bool = False
    fingerprints: tuple[Fingerprint, ...] = ()
    setup: Setup | None = None
    cryptos: tuple[Crypto, ...] = ()

    def fmtp(self, payload_type: int) -> str:
        return next((text for number, text in self.fmtps if number == payload_type), "")

    def rtpmap(self, payload_type: int) -> Rtpmap | None:
        """The mapping in the offer, else the static one (RFC 3551)."""
        for item in self.rtpmaps:
            if item.payload_type == payload_type:
                return item
        for name, number in STATIC.values():
            if number == payload_type:
                return Rtpmap(number, CODECS[name][0], 8000)
        return COMFORT_NOISE if payload_type == COMFORT_NOISE.payload_type else None


@frozen
class SessionDescription:
    """`username` to `address` are the o= line. `bundle` holds the mids of the first BUNDLE group."""

    media: tuple[Media, ...]
    session_id: str = "0"
    version: str = "0"
    username: str = "-"
    address: str = "127.0.0.1"
    name: str = "-"
    bundle: tuple[str, ...] = ()
    ice_lite: bool = False

    def __bytes__(self) -> bytes:
        return serialise(self)


LINE = re.compile(r"([a-z])=([^\x00\r\n]*)", re.ASCII)
ORIGIN = re.compile(r"(\S{1,255}) ([0-9]{1,30}) ([0-9]{1,30}) IN (IP4|IP6) (\S{1,255})", re.ASCII)
CONNECTION = re.compile(r"IN (IP4|IP6) ([^\s/]{1,255})(?:/[0-9/]{1,10})?", re.ASCII)
_MEDIA = re.compile(
    r"([A-Za-z0-9\-]{1,30}) ([0-9]{1,5})(?:/[0-9]{1,5})? ([A-Za-z0-9/\-]{1,60})((?: [!-~]{1,64})*)", re.ASCII
)
_RTPMAP = re.compile(r"([0-9]{1,3})[ ]+([!-.0-~]{1,64})/([0-9]{1,7})(?:/([0-9]{1,2}))?[ ]*", re.ASCII)
_FMTP = re.compile(r"([0-9]{1,3})[ ]+([ -~]{1,2000})", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,5}", re.ASCII)
CANDIDATE = re.compile(
    r"([A-Za-z0-9+/]{1,32}) ([0-9]{1,5}) ([A-Za-z0-9\-]{1,20}) ([0-9]{1,10}) (\S{1,255}) "
    r"([0-9]{1,5}) typ ([A-Za-z0-9\-]{1,20})(?: [ -~]*)?",
    re.ASCII,
)
FINGERPRINT = re.compile(r"([A-Za-z0-9\-]{1,20}) ([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){15,63})[ ]*", re.ASCII)
_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}", re.ASCII)
_PWD = re.compile(r"[A-Za-z0-9+/]{22,256}", re.ASCII)
_TOKEN = re.compile(r"[!-~]{1,64}", re.ASCII)
# sipp and scripts like it put an IPv6 address into the brackets that a URI wants
_HOST = re.compile(r"\[([0-9A-Fa-f:.]{2,45})\]|[0-9A-Za-z.:\-]{1,255}", re.ASCII)


def _unreadable(what: str) -> SdpError:
    return SdpError(f"SDP: bad {what}", 400)


def _host(text: str) -> str:
    found = _HOST.fullmatch(text)
    if not found:
        raise _unreadable("address")
    return found[1] or text


def parse(body: bytes) -> SessionDescription:
    """Raises SdpError(400)."""
    if len(body) > MAX_SDP:
        raise _unreadable("size")
    # RFC 8866 §5: a parser should take a bare LF as well
    lines = body.decode("utf-8", "replace").replace("\r\n", "\n").rstrip("\n").split("\n")
    if len(lines) > MAX_LINES:
        raise _unreadable("size")
    fields: list[list[tuple[str, str]]] = [[]]
    for line in lines:
        found = LINE.fullmatch(line)
        if not found:
            raise _unreadable("line")
        if found[1] == "m":
            fields.append([])
        fields[-1].append((found[1], found[2]))
    if len(fields) - 1 > MAX_MEDIA:
        raise _unreadable("number of media")
    head = fields[0]
    if not head or head[0] != ("v", "0"):
        raise _unreadable("version")
    values = dict(reversed(head))
    origin = ORIGIN.fullmatch(values.get("o", ""))
    if not origin or "s" not in values:
        raise _unreadable("origin")
    defaults = _attributes(_UNSAID, head)
    bundle: tuple[str, ...] = ()
    ice_lite = False
    for kind, value in head:
        if kind != "a":
            continue
        if value == "ice-lite":
            ice_lite = True
        elif value.startswith("group:BUNDLE") and not bundle:
            bundle = tuple(value.split(" ")[1:])
            if not all(_TOKEN.fullmatch(mid) for mid in bundle):
                raise _unreadable("group")
    return SessionDescription(
        media=tuple(_media(section, defaults) for section in fields[1:]),
        session_id=origin[2],
        version=origin[3],
        username=origin[1],
        address=_host(origin[5]),
        name=values["s"],
        bundle=bundle,
        ice_lite=ice_lite,
    )


def _media(section: list[tuple[str, str]], defaults: Media) -> Media:
    found = _MEDIA.fullmatch(section[0][1].rstrip(" "))
    if not found or int(found[2]) > 65535:
        raise _unreadable("m-line")
    of = found[1].lower(), int(found[2]), found[3], tuple(found[4].split(" ")[1:])
    media = _attributes(defaults, section[1:], of)
    if media.connection is None and media.port and media.kind == "audio":
        raise _unreadable("connection: none")
    return media


_UNSAID = Media("", 0, "", ())


def _attributes(
    base: Media, section: list[tuple[str, str]], of: tuple[str, int, str, tuple[str, ...]] = ("", 0, "", ())
) -> Media:
    """`base` with what the lines of one level say, and its m-line, which are the first fields. A fingerprint at media
    level replaces the session's (RFC 8122 §5)."""
    connection, direction, mid, setup = base.connection, base.direction, base.mid, base.setup
    ptime, maxptime = base.ptime, base.maxptime
    ufrag, pwd, rtcp_mux, end_of_candidates = base.ice_ufrag, base.ice_pwd, base.rtcp_mux, base.end_of_candidates
    rtpmaps: list[Rtpmap] = []
    fmtps: list[tuple[int, str]] = []
    candidates: list[Candidate] = []
    fingerprints: list[Fingerprint] = []
    cryptos: list[Crypto] = []
    for kind, line in section:
        if kind == "c":
            found = CONNECTION.fullmatch(line.rstrip(" "))
            if not found:
                raise _unreadable("connection")
            connection = _host(found[2])
        if kind != "a":
            continue
        name, _, value = line.partition(":")
        match name:
            case "sendrecv" | "sendonly" | "recvonly" | "inactive":
                direction = name
            case "rtpmap":
                # one that cannot be read names no payload type, as those of RFC 4475
                if (found := _RTPMAP.fullmatch(value)) and int(found[1]) <= 127:
                    rtpmaps.append(Rtpmap(int(found[1]), found[2], int(found[3]), int(found[4] or 1)))
            case "fmtp":
                if (found := _FMTP.fullmatch(value)) and int(found[1]) <= 127:
                    fmtps.append((int(found[1]), found[2]))
            case "ptime":
                if _NUMBER.fullmatch(value) and int(value):
                    ptime = int(value)
            case "maxptime":
                if _NUMBER.fullmatch(value) and int(value):
                    maxptime = int(value)
            case "mid":
                if not _TOKEN.fullmatch(value):
                    raise _unreadable("mid")
                mid = value
            case "rtcp-mux":
                rtcp_mux = True
            case "ice-ufrag":
                if not _UFRAG.fullmatch(value):
                    raise _unreadable("ice-ufrag")
                ufrag = value
            case "ice-pwd":
                if not _PWD.fullmatch(value):
                    raise _unreadable("ice-pwd")
                pwd = value
            case "candidate":
                # RFC 8839 §5.1: a candidate that cannot be read is ignored
                if (found := CANDIDATE.fullmatch(value)) and int(found[6]) < 65536:
                    candidates.append(
                        Candidate(found[1], int(found[2]), found[3], int(found[4]), found[5], int(found[6]), found[7])
                    )
            case "end-of-candidates":
                end_of_candidates = True
            case "fingerprint":
                found = FINGERPRINT.fullmatch(value)
                if not found:
                    raise _unreadable("fingerprint")
                fingerprints.append(Fingerprint(found[1].lower(), found[2].upper()))
            case "crypto":
                if (crypto := sdes.read(value)) is not None:
                    cryptos.append(crypto)
            case "setup":
                if value not in ("actpass", "active", "passive", "holdconn"):
                    raise _unreadable("setup")
                setup = cast("Setup", value)
            case _:
                pass
    return Media(
        *of,
        connection,
        direction,
        tuple(rtpmaps),
        tuple(fmtps),
        ptime,
        maxptime,
        mid,
        rtcp_mux,
        ufrag,
        pwd,
        tuple(candidates),
        end_of_candidates,
        tuple(fingerprints) or base.fingerprints,
        setup,
        tuple(cryptos),
    )


def _family(address: str) -> str:
    return "IP6" if ":" in address else "IP4"


def serialise(description: SessionDescription) -> bytes:
    """The body. A connection that all streams share stands at session level, where the simplest peers look for it.
    Raises LocalSipError for text with a line break in it."""
    shared = {media.connection for media in description.media}
    connection = next(iter(shared)) if len(shared) == 1 else None
    d = description
    lines = ["v=0", f"o={d.username} {d.session_id} {d.version} IN {_family(d.address)} {d.address}", f"s={d.name}"]
    if connection is not None:
        lines.append(f"c=IN {_family(connection)} {connection}")
    lines.append("t=0 0")
    if d.ice_lite:
        lines.append("a=ice-lite")
    if d.bundle:
        lines.append("a=group:BUNDLE " + " ".join(d.bundle))
    for media in d.media:
        lines += _media_lines(media, connection is None)
    text = "\r\n".join(lines) + "\r\n"
    if not text.count("\r") == text.count("\n") == len(lines):
        raise LocalSipError("a line break in a line of a session description")
    return text.encode()


def _media_lines(media: Media, with_connection: bool) -> list[str]:
    lines = [f"m={media.kind} {media.port} {media.protocol}" + "".join(f" {item}" for item in media.formats)]
    if with_connection and media.connection is not None:
        lines.append(f"c=IN {_family(media.connection)} {media.connection}")
    if media.mid is not None:
        lines.append(f"a=mid:{media.mid}")
    for item in media.rtpmaps:
        channels = f"/{item.channels}" if item.channels != 1 else ""
        lines.append(f"a=rtpmap:{item.payload_type} {item.name}/{item.clock_rate}{channels}")
    lines += [f"a=fmtp:{number} {text}" for number, text in media.fmtps]
    if media.ptime is not None:
        lines.append(f"a=ptime:{media.ptime}")
    if media.maxptime is not None:
        lines.append(f"a=maxptime:{media.maxptime}")
    lines += [f"a=crypto:{item}" for item in media.cryptos]
    lines.append(f"a={media.direction}")
    if media.rtcp_mux:
        lines.append("a=rtcp-mux")
    if media.ice_ufrag is not None:
        lines.append(f"a=ice-ufrag:{media.ice_ufrag}")
    if media.ice_pwd is not None:
        lines.append(f"a=ice-pwd:{media.ice_pwd}")
    lines += [f"a=fingerprint:{item.algorithm} {item.digest}" for item in media.fingerprints]
    if media.setup is not None:
        lines.append(f"a=setup:{media.setup}")
    lines += [
        f"a=candidate:{c.foundation} {c.component} {c.transport} {c.priority} {c.address} {c.port} typ {c.type}"
        for c in media.candidates
    ]
    if media.end_of_candidates:
        lines.append("a=end-of-candidates")
    return lines
