"""SRTP for all legs: keys from the DTLS handshake, one libsrtp session a leg and direction (RFC 3711, 5764, 7714).

`keys` cuts the material that DTLS exported into the two directions. `Srtp` holds the sessions by row and works on
batches: what does not verify, was seen before, or has no session is dropped and counted by its reason, never raised.
libsrtp keeps the replay window and the rollover counter of each SSRC (RFC 3711 §3.3).

pylibsrtp has one call for each packet, in `bytes` and out, and that call is nearly all that may be done here for each:
it costs 2 to 4 µs, as much as all else that is done for a leg in a tick. What SSRC a leg was heard with last is a
column, so that only packets of another one are looked at one by one.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray
from pylibsrtp import Error, Policy, Session

from .matrix import Octets, cut
from .sockaddr import Rows

# libsrtp copies a stream's state for each new SSRC that authenticates. One leg sends one, and after a page replaced its
# track another; more than this is refused, or an ill-behaved page could fill our memory.
MAX_SSRCS = 8
# What libsrtp calls a packet that it has seen, or can no longer tell from one (RFC 3711 §3.3.2).
_REPLAYS = frozenset({"replay check failed (bad index)", "replay check failed (index too old)"})


@frozen
class Profile:
    """A DTLS-SRTP protection profile: lengths in bytes (RFC 5764 §4.1.2, RFC 7714 §14.2)."""

    name: str
    key_length: int
    salt_length: int
    policy: int

    @property
    def material_length(self) -> int:
        """How much DTLS must export: a key and a salt for each side (RFC 5764 §4.2)."""
        return 2 * (self.key_length + self.salt_length)


# By OpenSSL's names, ours the best first: as the passive side our order wins.
PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile("SRTP_AEAD_AES_128_GCM", 16, 12, Policy.SRTP_PROFILE_AEAD_AES_128_GCM),
        Profile("SRTP_AES128_CM_SHA1_80", 16, 14, Policy.SRTP_PROFILE_AES128_CM_SHA1_80),
    )
}


@frozen
class SrtpKeys:
    """Master key and salt of each direction, `server` and `client` by their DTLS roles: the switch is the server."""

    profile: Profile
    client: bytes = field(repr=False)
    server: bytes = field(repr=False)


def keys(profile: Profile, material: bytes) -> SrtpKeys:
    """Cuts exported keying material: client key, server key, client salt, server salt (RFC 5764 §4.2)."""
    key, salt = profile.key_length, profile.salt_length
    salts = 2 * key
    return SrtpKeys(
        profile,
        client=material[:key] + material[salts : salts + salt],
        server=material[key:salts] + material[salts + salt : salts + 2 * salt],
    )


class _Streams:
    """One leg's two sessions, and the SSRCs that have authenticated."""

    __slots__ = ("inbound", "outbound", "ssrcs")

    def __init__(self, material: SrtpKeys) -> None:
        kind = material.profile.policy
        self.inbound = Session(Policy(material.client, Policy.SSRC_ANY_INBOUND, 0, kind))
        self.outbound = Session(Policy(material.server, Policy.SSRC_ANY_OUTBOUND, 0, kind))
        self.ssrcs: set[int] = set()

    def crowded(self, ssrc: int) -> bool:
        """Whether there is no room for this one."""
        return ssrc not in self.ssrcs and len(self.ssrcs) >= MAX_SSRCS


class Srtp:
    """The sessions of all rows. `counters` gets `srtp_*`, one per dropped packet.

    Batches are `rows` intp [n], `data` uint8 [n, W] with W a multiple of 4, `length` int32 [n]. What comes of each
    packet is in its place in a list, and nothing (no octets) where it is dropped.
    """

    def __init__(self, counters: Counter[str], capacity: int) -> None:
        self._streams: dict[int, _Streams] = {}
        self._ssrc = np.full(capacity, -1, np.int64)  # of the last RTP; -1: none yet
        self._counters = counters

    def open(self, row: int, material: SrtpKeys) -> None:
        self._streams[row] = _Streams(material)
        self._ssrc[row] = -1

    def close(self, row: int) -> None:
        self._streams.pop(row, None)

    def unprotect(self, rows: Rows, data: Octets, length: NDArray[np.int32], *, rtcp: bool = False) -> list[bytes]:
        """SRTP to RTP, or SRTCP to RTCP; packets are as long as demux.py has it."""
        ssrcs = data.view(">u4")[:, 1 if rtcp else 2]
        usual = self._ssrc[rows] == ssrcs
        found = self._streams.get
        opened = []
        for row, packet, known, ssrc in zip(
            rows.tolist(), cut(data, length), usual.tolist(), ssrcs.tolist(), strict=True
        ):
            streams = found(row)
            if streams is None:
                opened.append(self._dropped("srtp_no_keys"))
            elif not known and streams.crowded(ssrc):
                opened.append(self._dropped("srtp_too_many_ssrcs"))
            else:
                try:
                    opened.append(streams.inbound.unprotect_rtcp(packet) if rtcp else streams.inbound.unprotect(packet))
                except (Error, ValueError) as error:
                    opened.append(self._dropped(_reason(error)))
                else:
                    if not known:
                        streams.ssrcs.add(ssrc)
                        if not rtcp:
                            self._ssrc[row] = ssrc
        return opened

    def protect(self, rows: Rows, data: Octets, length: NDArray[np.int32], *, rtcp: bool = False) -> list[bytes]:
        """RTP to SRTP, or compound RTCP to SRTCP."""
        found = self._streams.get
        sealed = []
        for row, packet in zip(rows.tolist(), cut(data, length), strict=True):
            streams = found(row)
            if streams is None:
                sealed.append(self._dropped("srtp_unsent_no_keys"))
                continue
            try:
                sealed.append(streams.outbound.protect_rtcp(packet) if rtcp else streams.outbound.protect(packet))
            except Error:
                # Ours: a sequence number sent twice. libsrtp refuses to use a keystream twice (RFC 3711 §9.1).
                sealed.append(self._dropped("srtp_unsent_refused"))
        return sealed

    def _dropped(self, reason: str) -> bytes:
        self._counters[reason] += 1
        return b""


def _reason(error: Exception) -> str:
    if isinstance(error, ValueError):
        return "srtp_too_long"
    return "srtp_replayed" if error.args[0] in _REPLAYS else "srtp_unauthentic"
