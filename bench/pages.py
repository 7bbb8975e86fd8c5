"""Browsers' legs by the hundred, without pages: keys by the real handshakes, and every packet sealed beforehand.

What a page would send is known before it is sent, and sealing it costs more than the switch may cost; so all of it is
recorded, and a run sends what was recorded. A page speaks, each from elsewhere in the same speech, or gives a tone of
its own, by which it is known who hears whom.
"""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..codecs import g711
from ..codecs.bands import RATES, Band
from ..codecs.opus import OpusEncoder
from ..codecs.resample import Upsampler
from ..sip import sdp
from ..switch import protocol
from . import customer
from .browser import Browser, State
from .line import STEPS
from .whom import FRAMES, room, tone_pcm

STRIDE: Final = 61  # frames of the speech from one page's beginning to the next's
WIDTH: Final = 352  # of a sealed packet: G.711 has 172 octets and a tag of 16, Opus up to twice the payload
_ROW: Final = np.array([0])
EVENTS: Final = 126  # payload type of telephone events, as pages have them: a leg without is listened to for tones
Octets = NDArray[np.uint8]
Payloads = Sequence[bytes]


class Ladder:
    """Frames of 20 ms from 8 kHz up to 48."""

    def __init__(self) -> None:
        self._up = Upsampler(1, RATES[Band.FULL] // RATES[Band.NARROW])

    def up(self, pcm: g711.Pcm) -> g711.Pcm:
        """int16 [160] to int16 [960]."""
        raised: g711.Pcm = np.rint(self._up.up(_ROW, pcm[None])[0]).clip(-32768, 32767).astype(np.int16)
        return raised


def encoder(codec: str) -> Callable[[g711.Pcm], bytes]:
    """Of 20 ms at 8 kHz. Opus is full band, as pages send it, whatever there is to hear."""
    if codec == "opus":
        opus, raised = OpusEncoder(RATES[Band.FULL]), Ladder()
        return lambda pcm: opus.encode(raised.up(pcm))[0]
    law = g711.encode_ulaw if codec == "pcmu" else g711.encode_alaw
    return lambda pcm: law(pcm).tobytes()


def speech(codec: str) -> Payloads:
    encode = encoder(codec)
    return [encode(frame) for frame in g711.decode_ulaw(customer.speech("en"))]


def tone(codec: str, leg: int) -> Payloads:
    """A second that can be repeated: the encoder has heard the same second before."""
    encode, frames = encoder(codec), tone_pcm(leg).reshape(FRAMES, -1)
    for frame in frames:
        encode(frame)
    return [encode(frame) for frame in frames]


class Pages:
    """`n` of them; those of `tones` give tones."""

    def __init__(self, codec: str, n: int, tones: Sequence[int] = ()) -> None:
        day = datetime.datetime.now(datetime.UTC)
        self.codec = codec
        self.browsers = [Browser([codec], day, secrets.token_bytes) for _ in range(n)]
        said = speech(codec)
        self._said = [[*said[begin:], *said[:begin]] for begin in (STRIDE * leg % len(said) for leg in range(n))]
        for leg in tones:
            self._said[leg] = list(tone(codec, leg))

    @property
    def connected(self) -> bool:
        return all(each.state is State.CONNECTED for each in self.browsers)

    def record(self, ticks: int) -> list[tuple[Octets, NDArray[np.int32]]]:
        """What all of them send in each tick: uint8 [n, WIDTH] and int32 [n]. They are connected."""
        recorded = []
        step = STEPS[self.codec]
        for tick in range(ticks):
            data, length = np.zeros((len(self.browsers), WIDTH), np.uint8), np.zeros(len(self.browsers), np.int32)
            for leg, (page, said) in enumerate(zip(self.browsers, self._said, strict=True)):
                payload = said[tick % len(said)]
                packet = customer.rtp(tick, tick * step, leg + 1, payload, first=tick == 0, kind=page.payload_type)
                sealed = page.seal(packet)
                data[leg, : len(sealed)] = np.frombuffer(sealed, np.uint8)
                length[leg] = len(sealed)
            recorded.append((data, length))
        return recorded


def opening(leg: str, offer: str, codec: protocol.CodecName) -> protocol.OpenWebrtcLeg:
    """What the control plane asks for an offer. Raises SdpError."""
    agreed = sdp.negotiate_webrtc(sdp.parse(offer.encode()), (codec,))
    ours = tuple(protocol.Fingerprint(each.algorithm, each.digest) for each in agreed.fingerprints)
    wanted = protocol.Codec(codec, agreed.payload_type, EVENTS)
    return protocol.OpenWebrtcLeg(leg, "127.0.0.1", agreed.ice_ufrag, agreed.ice_pwd, ours, wanted)


def answer(offer: str, codec: protocol.CodecName, opened: protocol.WebrtcLegOpened) -> str:
    """... and what the page is answered."""
    description = sdp.parse(offer.encode())
    return bytes(
        sdp.answer_webrtc(
            description,
            sdp.negotiate_webrtc(description, (codec,)),
            ice_ufrag=opened.ice_ufrag,
            ice_pwd=opened.ice_pwd,
            fingerprint=sdp.Fingerprint(opened.fingerprint.algorithm, opened.fingerprint.digest),
            candidates=opened.candidates,
            session_id=1,
        )
    ).decode()


def rooms(legs: int, size: int) -> protocol.Rewire:
    """Rooms of `size`: every leg hears the others."""
    return protocol.Rewire(
        tuple(
            protocol.Hears(str(leg), tuple((str(other), 1.0) for other in room(leg, size) if other not in (leg, legs)))
            for leg in range(legs)
        )
    )
