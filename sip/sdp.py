"""What two sides make of their session descriptions (RFC 3264): for trunks with plain RTP, and for browsers.

A trunk: `offer` makes our offer, `negotiate` chooses from theirs, `answer` says so, `accept` reads their answer to
ours. A browser: `negotiate_webrtc`, then `answer_webrtc`. What cannot be used raises `SdpError`, whose status answers
the INVITE: 400 for what cannot be read, 488 for what we cannot do. `parse` and the types are `description`'s.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

from attrs import evolve, frozen

from . import opus, sdes
from .description import (
    CODECS,
    COMFORT_NOISE,
    MAX_SDP,
    STATIC,
    Candidate,
    CodecName,
    Direction,
    Fingerprint,
    Media,
    Rtpmap,
    SdpError,
    SessionDescription,
    Setup,
    parse,
    serialise,
)
from .opus import NOTHING_SAID, OpusParameters
from .sdes import Crypto, Suite

__all__ = [
    "CODECS",
    "EVENTS",
    "MAX_SDP",
    "MIRROR",
    "PTIME_MS",
    "STATIC",
    "TRUNK_CODECS",
    "WEBRTC_CODECS",
    "Agreed",
    "Candidate",
    "CodecName",
    "Crypto",
    "Direction",
    "Fingerprint",
    "Media",
    "Rtpmap",
    "SdpError",
    "SessionDescription",
    "Setup",
    "Suite",
    "TrunkCodec",
    "WebrtcAgreed",
    "accept",
    "answer",
    "answer_webrtc",
    "negotiate",
    "negotiate_webrtc",
    "offer",
    "offer_anew",
    "parse",
    "payload_type",
    "serialise",
]

# RFC 1122 §3.2.1.3: never a destination; 0.0.0.0 itself is the hold of RFC 2543
_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")
_NUMBER = re.compile(r"[0-9]{1,5}", re.ASCII)
TrunkCodec: TypeAlias = Literal["g722", "pcma", "pcmu", "opus"]
# What trunks are offered and answered with, best first. Opus costs a leg twenty times what G.711 does, and few callers
# have it: who has nothing else, or would rather, gets it.
TRUNK_CODECS: tuple[TrunkCodec, ...] = get_args(TrunkCodec)
# ... and browsers.
WEBRTC_CODECS: tuple[CodecName, ...] = ("opus", "g722", "pcmu", "pcma")
# Packets of 20 ms are what every peer takes (RFC 3551 §4.2).
PTIME_MS = 20
# ... and what may be asked for is whole blocks of 10 ms up to this: longer ones nobody can talk with.
MAX_PTIME_MS = 60

MIRROR: dict[Direction, Direction] = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}
# By whether it is SRTP (RFC 3551 §6, RFC 3711 §12)
_PROTOCOLS = {False: "RTP/AVP", True: "RTP/SAVP"}
_NO_KEYS: Mapping[Suite, str] = MappingProxyType({})
# RFC 4733 §2.4.1: the sixteen keys and nothing else
EVENTS = "0-15"
# Payload types of what has none by itself, in our offers.
OPUS_TYPE = 107
# ... and where one of them stands for something else in a session already (RFC 3551 §6).
_DYNAMIC = range(96, 128)
# By the clock of the events: that of the codec (RFC 4733 §2.1).
TELEPHONE_EVENT_TYPES = {8000: 101, 48000: 102}
OPUS_CLOCK = CODECS["opus"][1]


def payload_type(codec: TrunkCodec) -> int:
    """Of our offers."""
    return OPUS_TYPE if codec == "opus" else STATIC[codec][1]


@frozen
class Agreed:
    """What a trunk and we agreed: the codec, its payload types, what *we* do (`direction`), and where they want their
    RTP.

    `remote` is None where they gave 0.0.0.0: the hold of RFC 2543. `index` is the m-line. Each side is sent the payload
    types that its own description names (RFC 3264 §5.1): `heard_type` and `heard_event` are those that we are sent,
    where they are others. `telephone_event_clock` is that of the codec, or 8000 where they have no other. `comfort`:
    they may send comfort noise. `crypto` is what they encrypt with, None for plain RTP."""

    index: int
    codec: TrunkCodec
    payload_type: int
    telephone_event: int | None
    direction: Direction
    remote: tuple[str, int] | None
    ptime_ms: int = PTIME_MS
    heard_type: int | None = None
    heard_event: int | None = None
    telephone_event_clock: int = 8000
    comfort: bool = False
    opus: OpusParameters = NOTHING_SAID
    crypto: Crypto | None = None


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
    opus: OpusParameters = NOTHING_SAID


def _payload_types(media: Media) -> list[Rtpmap]:
    """The formats of an RTP m-line that have a meaning, in the order of preference (RFC 3264 §5.1)."""
    found = (media.rtpmap(int(item)) for item in media.formats if _NUMBER.fullmatch(item))
    return [item for item in found if item is not None]


def _codec_of(item: Rtpmap) -> CodecName | None:
    wanted = (item.name.lower(), item.clock_rate, item.channels)
    return next((name for name, (n, r, c) in CODECS.items() if (n.lower(), r, c) == wanted), None)


def _event(formats: list[Rtpmap], codec: CodecName) -> Rtpmap | None:
    """Events at the codec's clock, or else at that of most telephones."""
    clocks = dict.fromkeys((CODECS[codec][1], 8000))
    events = {item.clock_rate: item for item in reversed(formats) if item.name.lower() == "telephone-event"}
    return next((events[clock] for clock in clocks if clock in events), None)


def _trunk(media: Media, codecs: Sequence[str], srtp: bool) -> tuple[TrunkCodec, Rtpmap, Rtpmap | None] | None:
    if not _is_audio(media) or media.protocol != _PROTOCOLS[srtp] or (srtp and not media.cryptos):
        return None
    formats = _payload_types(media)
    for item in formats:
        name = _codec_of(item)
        if name is not None and name in codecs:
            return name, item, _event(formats, name)
    return None


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _remote(media: Media, peer: str) -> tuple[str, int] | None:
    """Where they want their RTP, None for nowhere. Raises SdpError(488) for what a call is never sent to: a name (it
    would be looked up on a stranger's word), a group, everybody, and this machine where `peer` is not on it."""
    try:
        ip = ipaddress.ip_address(media.connection or "")
    except ValueError:
        raise SdpError("SDP: the media address is a name") from None
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip
    if ip.is_unspecified:
        return None
    if isinstance(ip, ipaddress.IPv4Address) and (ip.is_reserved or ip in _THIS_NETWORK):
        raise SdpError("SDP: the media address is nobody's")
    if ip.is_multicast:
        raise SdpError("SDP: the media address is a group's")
    if ip.is_loopback and peer and not _loopback(peer):
        raise SdpError("SDP: the media address is our own")
    return str(ip), media.port


def _packet_ms(media: Media) -> int:
    """How long the packets are that it asks for (RFC 8866 §6.4), and no longer than it can take (§6.5)."""
    wanted = min(media.ptime or PTIME_MS, media.maxptime or MAX_PTIME_MS)
    return min(max(wanted // 10 * 10, 10), MAX_PTIME_MS)


def _is_audio(media: Media) -> bool:
    return media.kind == "audio" and media.port > 0


def _agreed(index: int, media: Media, codecs: Sequence[str], peer: str, srtp: bool) -> Agreed | None:
    chosen = _trunk(media, codecs, srtp)
    if chosen is None:
        return None
    name, codec, event = chosen
    remote = _remote(media, peer)
    # RFC 3264 §8.4: a peer that cannot be sent to is holding, whatever direction it wrote
    theirs = media.direction if remote else ("sendonly" if media.direction in ("sendrecv", "sendonly") else "inactive")
    return Agreed(
        index,
        name,
        codec.payload_type,
        event.payload_type if event else None,
        MIRROR[theirs],
        remote,
        _packet_ms(media),
        telephone_event_clock=event.clock_rate if event else 8000,
        comfort=codec.clock_rate == 8000 and COMFORT_NOISE in _payload_types(media),
        opus=opus.read(media.fmtp(codec.payload_type)) if name == "opus" else NOTHING_SAID,
        # of those that can be used the one that they prefer (RFC 4568 §5.1.1)
        crypto=media.cryptos[0] if srtp else None,
    )


def negotiate(
    offer: SessionDescription, codecs: Sequence[TrunkCodec] = TRUNK_CODECS, *, peer: str = "", srtp: bool = False
) -> Agreed:
    """What we take of a trunk's offer: of the codecs we know the one it prefers. `peer` is the address the offer came
    from; without it any machine may be named, this one too. `srtp`: SRTP and nothing else, with keys of the offer; else
    plain RTP. Raises SdpError(488)."""
    for index, media in enumerate(offer.media):
        agreed = _agreed(index, media, codecs, peer, srtp)
        if agreed:
            return agreed
    raise SdpError(_nothing_in_common(offer, srtp))


def _nothing_in_common(offer: SessionDescription, srtp: bool) -> str:
    audio = [media for media in offer.media if _is_audio(media)]
    offered = [media for media in audio if media.protocol == _PROTOCOLS[srtp]]
    if audio and not offered:
        return "SDP: only SRTP (RTP/SAVP) is spoken here" if srtp else "SDP: only RTP/AVP is spoken here"
    if srtp and offered and not any(media.cryptos for media in offered):
        return "SDP: no key of SRTP that can be used"
    return "SDP: no codec in common"


def answer(
    offer: SessionDescription,
    agreed: Agreed,
    address: str,
    port: int,
    *,
    session_id: int,
    version: int = 1,
    keys: Mapping[Suite, str] = _NO_KEYS,
) -> SessionDescription:
    """The answer of `negotiate`'s choice: the chosen m-line, every other refused with port 0 (RFC 3264 §6). `version`
    grows with each answer of one session. `keys` are ours, of which the suite that was agreed on is one."""
    streams = [_refused(media, address) for media in offer.media]
    name, clock, channels = CODECS[agreed.codec]
    maps = [Rtpmap(agreed.payload_type, name, clock, channels)]
    if agreed.comfort:
        maps.append(COMFORT_NOISE)
    if agreed.telephone_event is not None:
        maps.append(Rtpmap(agreed.telephone_event, "telephone-event", agreed.telephone_event_clock))
    theirs = agreed.crypto
    # of the tag that was taken (RFC 4568 §5.1.2)
    cryptos = () if theirs is None else (evolve(theirs, key=keys[theirs.suite]),)
    stream = _rtp(maps, address, port, agreed.direction, cryptos)
    streams[agreed.index] = evolve(stream, mid=offer.media[agreed.index].mid)
    return SessionDescription(tuple(streams), str(session_id), str(version), address=address)


def _refused(media: Media, address: str) -> Media:
    return Media(media.kind, 0, media.protocol, media.formats[:1] or ("0",), address, "inactive", mid=media.mid)


def _rtp(maps: Sequence[Rtpmap], address: str, port: int, direction: Direction, cryptos: tuple[Crypto, ...]) -> Media:
    """One stream of what `maps` name, in that order; under SRTP where there are keys."""
    fmtps = {"opus": opus.OURS, "telephone-event": EVENTS}
    return Media(
        "audio",
        port,
        _PROTOCOLS[bool(cryptos)],
        tuple(str(item.payload_type) for item in maps),
        address,
        direction,
        rtpmaps=tuple(maps),
        fmtps=tuple((item.payload_type, fmtps[item.name]) for item in maps if item.name in fmtps),
        ptime=PTIME_MS,
        cryptos=cryptos,
    )


def offer(
    address: str,
    port: int,
    *,
    session_id: int,
    version: int = 1,
    codecs: Sequence[TrunkCodec] = TRUNK_CODECS,
    direction: Direction = "sendrecv",
    keys: Mapping[Suite, str] = _NO_KEYS,
) -> SessionDescription:
    """Our offer to a trunk: the codecs in the order given, and telephone-event at the clock of each; SRTP where there
    are `keys`."""
    media = _rtp(_offered(codecs), address, port, direction, sdes.written(keys.items()))
    return SessionDescription((media,), str(session_id), str(version), address=address)


def _offered(codecs: Sequence[TrunkCodec]) -> list[Rtpmap]:
    maps = [Rtpmap(payload_type(name), *CODECS[name]) for name in codecs]
    clocks = dict.fromkeys(item.clock_rate for item in maps)
    return [*maps, *(Rtpmap(TELEPHONE_EVENT_TYPES[clock], "telephone-event", clock) for clock in clocks)]


def offer_anew(
    before: SessionDescription, *, version: int, codecs: Sequence[TrunkCodec], keys: Mapping[Suite, str] = _NO_KEYS
) -> SessionDescription:
    """Our offer in a session of which we said `before` last, where the far side asks for it: what we want, whatever it
    wanted meanwhile (RFC 6337 §5.1), for it may have held us and be about to take us back. Streams keep their places,
    and payload types what they stand for (RFC 3264 §8, §8.3.2)."""
    index = next(at for at, media in enumerate(before.media) if media.port)
    stream = before.media[index]
    assert stream.connection is not None, "ours says where it is"
    known = {(each.name, each.clock_rate): each.payload_type for each in _payload_types(stream)}
    taken = set(known.values())
    maps: list[Rtpmap] = []
    for each in _offered(codecs):
        number = known.get((each.name, each.clock_rate))
        if number is None:
            wanted = (each.payload_type, *_DYNAMIC)
            number = next(one for one in wanted if one not in taken)
            taken.add(number)
        maps.append(evolve(each, payload_type=number))
    media = _rtp(maps, stream.connection, stream.port, "sendrecv", sdes.written(keys.items()))
    streams = list(before.media)
    streams[index] = evolve(media, mid=stream.mid)
    return evolve(before, media=tuple(streams), version=str(version))


def accept(ours: SessionDescription, theirs: SessionDescription, *, peer: str = "") -> Agreed:
    """What a trunk's answer to our offer of one stream says (the m-lines beside it have port 0); `peer` as in
    `negotiate`. Raises SdpError(488): another number of m-lines, refused, or a codec or a key that we did not offer."""
    if len(theirs.media) != len(ours.media):
        raise SdpError("SDP: the answer has another number of m-lines")  # RFC 3264 §6
    index = next(i for i, media in enumerate(ours.media) if media.port)
    formats = _payload_types(ours.media[index])
    heard = {name: item.payload_type for item in reversed(formats) if (name := _codec_of(item))}
    cryptos = ours.media[index].cryptos
    agreed = _agreed(index, theirs.media[index], list(heard), peer, bool(cryptos))
    if agreed is None:
        raise SdpError("SDP: the answer refuses our stream")
    if cryptos and sdes.answered(cryptos, theirs.media[index].cryptos) is None:
        raise SdpError("SDP: the answer takes a key of SRTP that we did not offer")
    events = {item.clock_rate: item.payload_type for item in formats if item.name == "telephone-event"}
    theirs_event, event = agreed.telephone_event, events.get(agreed.telephone_event_clock)
    if event is None or theirs_event is None:
        theirs_event = event = None
    return evolve(
        agreed,
        heard_type=heard[agreed.codec] if heard[agreed.codec] != agreed.payload_type else None,
        heard_event=event if event != theirs_event else None,
        telephone_event=theirs_event,
        comfort=False,
    )


def negotiate_webrtc(offer: SessionDescription, codecs: Sequence[CodecName] = WEBRTC_CODECS) -> WebrtcAgreed:
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
        event = _event(formats, chosen)
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
            opus=opus.read(media.fmtp(known[chosen].payload_type)) if chosen == "opus" else NOTHING_SAID,
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
    fmtps = ((agreed.payload_type, opus.OURS_FOR_BROWSERS),) if agreed.codec == "opus" else ()
    media = Media(
        "audio",
        port,
        theirs.protocol,
        (str(agreed.payload_type), *(str(item.payload_type) for item in events)),
        address,
        agreed.direction,
        rtpmaps=(Rtpmap(agreed.payload_type, name, clock, channels), *events),
        fmtps=(*fmtps, *((item.payload_type, EVENTS) for item in events)),
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
