"""What two sides have agreed on for a leg, a part of the planes' contract (protocol.py): codecs, fingerprints, keys."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

CodecName = Literal["pcmu", "pcma", "g722", "opus"]


@frozen
class OpusWishes:
    """What a far side says of its Opus (RFC 7587 §6.1): of what it is sent the highest rate that it plays, in Hz, the
    most bits a second, 0 where it sets no bound, and whether all packets shall be of one length; and the highest rate
    of what it sends."""

    playback_rate: int = 48_000
    bit_rate: int = 0
    constant: bool = False
    capture_rate: int = 48_000


@frozen
class Codec:
    """One direction-less choice of SDP negotiation: what both sides send on this leg (RFC 3264 §6)."""

    name: CodecName
    payload_type: int
    # RTP payload type of telephone-event (RFC 4733), or None where none was agreed.
    telephone_event: int | None = None
    # How long the packets are that the far side asks for: 10 to 60, in whole tens.
    packet_ms: int = 20
    # The payload types of what the far side sends, where they are others than those of what it is sent (RFC 3264 §5.1).
    heard_type: int | None = None
    heard_event: int | None = None
    # The clock of events in Hz, where it is another than the codec's.
    event_clock: int | None = None
    opus: OpusWishes = OpusWishes()


@frozen
class Fingerprint:
    """`a=fingerprint` of RFC 8122: a hash function's name in lower case and the digest as `AB:CD:...` in upper case."""

    algorithm: str
    digest: str


Suite = Literal["AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"]


@frozen
class SrtpKey:
    """What one side encrypts with: a suite (RFC 4568 §6.2, RFC 7714 §14.2), and its master key and salt in base64."""

    suite: Suite
    key: str = field(repr=False)


@frozen
class Srtp:
    """A trunk's leg under SRTP, whose keys are in descriptions (RFC 4568).

    `heard` is the far side's key; None while it has not said one, and nothing is heard or sent. `sent` are ours that it
    was told, each of another suite, of which the one of its suite is used; empty: the engine makes new ones. `engines`
    is how many engines before this one have encrypted with them: no two may do so with the same SSRC.
    """

    heard: SrtpKey | None = None
    sent: tuple[SrtpKey, ...] = ()
    engines: int = 0
