"""Session descriptions (RFC 8866) and what two sides make of them (RFC 3264): for trunks with plain RTP, and for
browsers.

`parse` reads a body once into a frozen `SessionDescription`; what stands at session level and counts for every stream
(connection, direction, ICE credentials, fingerprints, setup) is written into each `Media`, so that nobody has to look
in two places. `serialise` writes it back. Attributes that nobody here acts on are dropped.

A trunk: `offer` makes our offer, `negotiate` chooses from theirs, `answer` says so, `accept` reads their answer to
ours. A browser: `negotiate_webrtc`, then `answer_webrtc`. What cannot be used raises `SdpError`, whose status answers
the INVITE: 400 for what cannot be read, 488 for what we cannot do.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Literal, TypeAlias, cast

from attrs import evolve, frozen

from .message import RemoteSipError

# A browser's offer with video, simulcast and data is about 8 kB; four times that is nobody's.
MAX_SDP = 32768
MAX_LINES = 1000
# RFC 8843 knows no bound; an offer with more streams than this is not a call.
MAX_MEDIA = 32
# Packets of 20 ms are what every peer takes (RFC 3551 §4.2).
PTIME_MS = 20

Direction: TypeAlias = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
Setup: TypeAlias = Literal["actpass", "active", "passive", "holdconn"]
CodecName: TypeAlias = Literal["pcmu", "pcma", "opus"]

MIRROR: dict[Direction, Direction] = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}
# encoding name, clock rate, channels (RFC 3551 table 4, RFC 7587 §7: always 48000/2)
CODECS: dict[CodecName, tuple[str, int, int]] = {
    "pcmu": ("PCMU", 8000, 1),
    "pcma": ("PCMA", 8000, 1),
    "opus": ("opus", 48000, 2),
}
# Payload types that need no rtpmap (RFC 3551 table 4)
STATIC: dict[str, tuple[CodecName, int]] = {"pcmu": ("pcmu", 0), "pcma": ("pcma", 8)}
# RFC 4733 §2.4.1: the sixteen keys and nothing else
EVENTS = "0-15"
# libopus decodes to what the call needs, 16 kHz; its in-band FEC cannot be reached from where we decode, so nobody
# should spend bits on it; no DTX, for silence is sent by the switch itself (RFC 7587 §6.1)
OPUS_FMTP = "maxplaybackrate=16000;stereo=0;useinbandfec=0;usedtx=0"
TELEPHONE_EVENT_TYPE = 101


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
    """One m-line. `connection` is the address of its c= line, None where there is none. `candidates` are the readable
    ones."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    connection: str | None = None
    direction: Direction = "sendrecv"
    rtpmaps: tuple[Rtpmap, ...] = ()
    fmtps: tuple[tuple[int, str], ...] = ()
    ptime: int | None = None
    mid: str | None = None
    rtcp_mux: bool = False
    ice_ufrag: str | None = None
    ice_pwd: str | None = None
    candidates: tuple[Candidate, ...] = ()
    end_of_candidates: bool = False
    fingerprints: tuple[Fingerprint, ...] = ()
    setup: Setup | None = None

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
        return None


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


@frozen
class Agreed:
    """What a trunk and we agreed: the codec, its payload types, what *we* do (`direction`), and where they want their
    RTP.

    `remote` is None where they gave 0.0.0.0: the hold of RFC 2543. `index` is the m-line."""

    index: int
    codec: Literal["pcmu", "pcma"]
    payload_type: int
    telephone_event: int | None
    direction: Direction
    remote: tuple[str, int] | None
    ptime_ms: int = PTIME_MS


@frozen
class WebrtcAgreed:
    """What a browser and we agreed. Our DTLS is passive."""

    index: int
    codec: CodecName
    payload_type: int
    telephone_event: int | None
    telephone_event_clock: int
    direction: Direction
    mid: str | None
    ice_ufrag: str
    ice_pwd: str
    fingerprints: tuple[Fingerprint, ...]
    candidates: tuple[Candidate, ...]


_LINE = re.compile(r"([a-z])=([^\x00\r\n]*)", re.ASCII)
_ORIGIN = re.compile(r"(\S{1,255}) ([0-9]{1,30}) ([0-9]{1,30}) IN (IP4|IP6) (\S{1,255})", re.ASCII)
_CONNECTION = re.compile(r"IN (IP4|IP6) ([^\s/]{1,255})(?:/[0-9/]{1,10})?", re.ASCII)
_MEDIA = re.compile(
    r"([A-Za-z0-9\-]{1,30}) ([0-9]{1,5})(?:/[0-9]{1,5})? ([A-Za-z0-9/\-]{1,60})((?: [!-~]{1,64})*)", re.ASCII
)
_RTPMAP = re.compile(r"([0-9]{1,3})[ ]+([!-.0-~]{1,64})/([0-9]{1,7})(?:/([0-9]{1,2}))?[ ]*", re.ASCII)
_FMTP = re.compile(r"([0-9]{1,3})[ ]+([ -~]{1,2000})", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,5}", re.ASCII)
_CANDIDATE = re.compile(
    r"([A-Za-z0-9+/]{1,32}) ([0-9]{1,5}) ([A-Za-z0-9\-]{1,20}) ([0-9]{1,10}) (\S{1,255}) "
    r"([0-9]{1,5}) typ ([A-Za-z0-9\-]{1,20})(?: [ -~]*)?",
    re.ASCII,
)
_FINGERPRINT = re.compile(r"([A-Za-z0-9\-]{1,20}) ([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){15,63})[ ]*", re.ASCII)
_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}", re.ASCII)
_PWD = re.compile(r"[A-Za-z0-9+/]{22,256}", re.ASCII)
_TOKEN = re.compile(r"[!-~]{1,64}", re.ASCII)
_HOST = re.compile(r"[0-9A-Za-z.:\-]{1,255}", re.ASCII)


def _unreadable(what: str) -> SdpError:
    return SdpError(f"SDP: bad {what}", 400)


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise _unreadable("address")
    return text


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
        found = _LINE.fullmatch(line)
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
    origin = _ORIGIN.fullmatch(values.get("o", ""))
    if not origin or "s" not in values:
        raise _unreadable("origin")
    defaults = _attributes(Media("", 0, "", ()), head)
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
    base = evolve(
        defaults, kind=found[1].lower(), port=int(found[2]), protocol=found[3], formats=tuple(found[4].split(" ")[1:])
    )
    media = _attributes(base, section[1:])
    if media.connection is None and media.port and media.kind == "audio":
        raise _unreadable("connection: none")
    return media


def _attributes(base: Media, section: list[tuple[str, str]]) -> Media:
    """`base` with what the lines of one level say. A fingerprint at media level replaces the session's (RFC 8122
    §5)."""
    connection, direction, ptime, mid, setup = base.connection, base.direction, base.ptime, base.mid, base.setup
    ufrag, pwd, rtcp_mux, end_of_candidates = base.ice_ufrag, base.ice_pwd, base.rtcp_mux, base.end_of_candidates
    rtpmaps: list[Rtpmap] = []
    fmtps: list[tuple[int, str]] = []
    candidates: list[Candidate] = []
    fingerprints: list[Fingerprint] = []
    for kind, line in section:
        if kind == "c":
            found = _CONNECTION.fullmatch(line.rstrip(" "))
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
                found = _RTPMAP.fullmatch(value)
                if not found or int(found[1]) > 127:
                    raise _unreadable("rtpmap")
                rtpmaps.append(Rtpmap(int(found[1]), found[2], int(found[3]), int(found[4] or 1)))
            case "fmtp":
                if (found := _FMTP.fullmatch(value)) and int(found[1]) <= 127:
                    fmtps.append((int(found[1]), found[2]))
            case "ptime":
                if _NUMBER.fullmatch(value) and int(value):
                    ptime = int(value)
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
                if (found := _CANDIDATE.fullmatch(value)) and int(found[6]) < 65536:
                    candidates.append(
                        Candidate(found[1], int(found[2]), found[3], int(found[4]), found[5], int(found[6]), found[7])
                    )
            case "end-of-candidates":
                end_of_candidates = True
            case "fingerprint":
                found = _FINGERPRINT.fullmatch(value)
                if not found:
                    raise _unreadable("fingerprint")
                fingerprints.append(Fingerprint(found[1].lower(), found[2].upper()))
            case "setup":
                if value not in ("actpass", "active", "passive", "holdconn"):
                    raise _unreadable("setup")
                setup = cast("Setup", value)
            case _:
                pass
    return Media(
        base.kind,
        base.port,
        base.protocol,
        base.formats,
        connection,
        direction,
        tuple(rtpmaps),
        tuple(fmtps),
        ptime,
        mid,
        rtcp_mux,
        ufrag,
        pwd,
        tuple(candidates),
        end_of_candidates,
        tuple(fingerprints) or base.fingerprints,
        setup,
    )


def _family(address: str) -> str:
    return "IP6" if ":" in address else "IP4"


def serialise(description: SessionDescription) -> bytes:
    """The body. A connection that all streams share stands at session level, where the simplest peers look for it."""
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
    return ("\r\n".join(lines) + "\r\n").encode()


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


def _payload_types(media: Media) -> list[Rtpmap]:
    """The formats of an RTP m-line that have a meaning, in the order of preference (RFC 3264 §5.1)."""
    found = (media.rtpmap(int(item)) for item in media.formats if _NUMBER.fullmatch(item))
    return [item for item in found if item is not None]


def _codec_of(item: Rtpmap) -> CodecName | None:
    wanted = (item.name.lower(), item.clock_rate, item.channels)
    return next((name for name, (n, r, c) in CODECS.items() if (n.lower(), r, c) == wanted), None)


def _event(formats: list[Rtpmap], clock_rate: int) -> Rtpmap | None:
    return next((f for f in formats if f.name.lower() == "telephone-event" and f.clock_rate == clock_rate), None)


def _trunk(media: Media, codecs: Sequence[str]) -> tuple[Literal["pcmu", "pcma"], Rtpmap, Rtpmap | None] | None:
    if media.kind != "audio" or not media.port or media.protocol != "RTP/AVP":
        return None
    formats = _payload_types(media)
    for item in formats:
        name = _codec_of(item)
        if (name == "pcmu" or name == "pcma") and name in codecs:
            return name, item, _event(formats, 8000)
    return None


def _agreed(index: int, media: Media, codecs: Sequence[str]) -> Agreed | None:
    chosen = _trunk(media, codecs)
    if chosen is None:
        return None
    name, codec, event = chosen
    remote = None
    if media.connection not in ("0.0.0.0", "::"):
        try:
            remote = (str(ipaddress.ip_address(media.connection or "")), media.port)
        except ValueError:
            raise SdpError("SDP: the media address is a name") from None
    # RFC 3264 §8.4: a peer that cannot be sent to is holding, whatever direction it wrote
    theirs = media.direction if remote else ("sendonly" if media.direction in ("sendrecv", "sendonly") else "inactive")
    return Agreed(
        index,
        name,
        codec.payload_type,
        event.payload_type if event else None,
        MIRROR[theirs],
        remote,
        media.ptime or PTIME_MS,
    )


def negotiate(offer: SessionDescription, codecs: Sequence[Literal["pcmu", "pcma"]] = ("pcma", "pcmu")) -> Agreed:
    """What we take of a trunk's offer: of the codecs we know the one it prefers. Raises SdpError(488)."""
    for index, media in enumerate(offer.media):
        agreed = _agreed(index, media, codecs)
        if agreed:
            return agreed
    raise SdpError("SDP: no codec in common")


def answer(
    offer: SessionDescription, agreed: Agreed, address: str, port: int, *, session_id: int, version: int = 1
) -> SessionDescription:
    """The answer of `negotiate`'s choice: the chosen m-line, every other refused with port 0 (RFC 3264 §6). `version`
    grows with each answer of one session."""
    streams = [_refused(media, address) for media in offer.media]
    streams[agreed.index] = evolve(
        _rtp(agreed.codec, agreed.payload_type, agreed.telephone_event, address, port, agreed.direction),
        mid=offer.media[agreed.index].mid,
    )
    return SessionDescription(tuple(streams), str(session_id), str(version), address=address)


def _refused(media: Media, address: str) -> Media:
    return Media(media.kind, 0, media.protocol, media.formats[:1] or ("0",), address, "inactive", mid=media.mid)


def _rtp(
    codec: CodecName, payload_type: int, event: int | None, address: str, port: int, direction: Direction
) -> Media:
    name, clock, channels = CODECS[codec]
    events = () if event is None else (Rtpmap(event, "telephone-event", 8000),)
    return Media(
        "audio",
        port,
        "RTP/AVP",
        (str(payload_type), *(str(item.payload_type) for item in events)),
        address,
        direction,
        rtpmaps=(Rtpmap(payload_type, name, clock, channels), *events),
        fmtps=tuple((item.payload_type, EVENTS) for item in events),
        ptime=PTIME_MS,
    )


def offer(
    address: str,
    port: int,
    *,
    session_id: int,
    version: int = 1,
    codecs: Sequence[Literal["pcmu", "pcma"]] = ("pcma", "pcmu"),
    direction: Direction = "sendrecv",
) -> SessionDescription:
    """Our offer to a trunk: G.711 in the order given, and telephone-event."""
    maps = tuple(Rtpmap(STATIC[name][1], CODECS[name][0], 8000) for name in codecs)
    media = _rtp(codecs[0], maps[0].payload_type, TELEPHONE_EVENT_TYPE, address, port, direction)
    media = evolve(
        media,
        formats=(*(str(item.payload_type) for item in maps), str(TELEPHONE_EVENT_TYPE)),
        rtpmaps=(*maps, media.rtpmaps[-1]),
    )
    return SessionDescription((media,), str(session_id), str(version), address=address)


def accept(ours: SessionDescription, theirs: SessionDescription) -> Agreed:
    """What a trunk's answer to our one-stream offer says. Raises SdpError(488): another number of m-lines, refused,
    or a codec that we did not offer."""
    if len(theirs.media) != len(ours.media):
        raise SdpError("SDP: the answer has another number of m-lines")  # RFC 3264 §6
    codecs = [name for item in ours.media[0].rtpmaps if (name := _codec_of(item))]
    agreed = _agreed(0, theirs.media[0], codecs)
    if agreed is None:
        raise SdpError("SDP: the answer refuses our stream")
    return agreed


def negotiate_webrtc(offer: SessionDescription, codecs: Sequence[CodecName] = ("opus", "pcmu", "pcma")) -> WebrtcAgreed:
    """What we take of a browser's offer: the first of `codecs` in its first usable audio. Raises SdpError(488)."""
    for index, media in enumerate(offer.media):
        if media.kind != "audio" or media.protocol not in ("UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP"):
            continue
        # port 0 refuses a stream, unless it is bundle-only (RFC 8843 §6)
        if not media.port and media.mid not in offer.bundle:
            continue
        formats = _payload_types(media)
        known = {name: item for item in reversed(formats) if (name := _codec_of(item))}
        chosen = next((name for name in codecs if name in known), None)
        if chosen is None:
            continue
        if not media.rtcp_mux:
            raise SdpError("SDP: no rtcp-mux")
        if not media.ice_ufrag or not media.ice_pwd:
            raise SdpError("SDP: no ice-ufrag and ice-pwd")
        if not media.fingerprints:
            raise SdpError("SDP: no fingerprint")
        if media.setup not in ("actpass", "active"):
            raise SdpError("SDP: setup is neither actpass nor active")  # we are passive (RFC 5763 §5)
        event = (_event(formats, 48000) if chosen == "opus" else None) or _event(formats, 8000)
        return WebrtcAgreed(
            index=index,
            codec=chosen,
            payload_type=known[chosen].payload_type,
            telephone_event=event.payload_type if event else None,
            telephone_event_clock=event.clock_rate if event else 8000,
            direction=MIRROR[media.direction],
            mid=media.mid,
            ice_ufrag=media.ice_ufrag,
            ice_pwd=media.ice_pwd,
            fingerprints=media.fingerprints,
            candidates=media.candidates,
        )
    raise SdpError("SDP: no audio that we can speak")


def answer_webrtc(
    offer: SessionDescription,
    agreed: WebrtcAgreed,
    *,
    ice_ufrag: str,
    ice_pwd: str,
    fingerprint: Fingerprint,
    candidates: Sequence[tuple[str, int]],
    session_id: int,
    version: int = 1,
) -> SessionDescription:
    """The answer to a browser: ICE-lite, passive DTLS, one audio stream; every other m-line is refused. `candidates`
    are our host candidates, best first, at least one."""
    address, port = candidates[0]
    theirs = offer.media[agreed.index]
    name, clock, channels = CODECS[agreed.codec]
    events: tuple[Rtpmap, ...] = ()
    if agreed.telephone_event is not None:
        events = (Rtpmap(agreed.telephone_event, "telephone-event", agreed.telephone_event_clock),)
    opus = ((agreed.payload_type, OPUS_FMTP),) if agreed.codec == "opus" else ()
    media = Media(
        "audio",
        port,
        theirs.protocol,
        (str(agreed.payload_type), *(str(item.payload_type) for item in events)),
        address,
        agreed.direction,
        rtpmaps=(Rtpmap(agreed.payload_type, name, clock, channels), *events),
        fmtps=(*opus, *((item.payload_type, EVENTS) for item in events)),
        ptime=PTIME_MS,
        mid=agreed.mid,
        rtcp_mux=True,
        ice_ufrag=ice_ufrag,
        ice_pwd=ice_pwd,
        candidates=tuple(
            # RFC 8445 §5.1.2.1: type preference 126 for host, local preference by the order given, component 1
            Candidate(str(rank + 1), 1, "udp", (126 << 24) | ((65535 - rank) << 8) | 255, host, number, "host")
            for rank, (host, number) in enumerate(candidates)
        ),
        end_of_candidates=True,
        fingerprints=(fingerprint,),
        setup="passive",
    )
    streams = [_refused(item, address) for item in offer.media]
    streams[agreed.index] = media
    bundle = (agreed.mid,) if agreed.mid is not None and agreed.mid in offer.bundle else ()
    return SessionDescription(
        tuple(streams), str(session_id), str(version), address=address, bundle=bundle, ice_lite=True
    )
