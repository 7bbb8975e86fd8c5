"""SRTP for all legs: keys from the DTLS handshake, one libsrtp session a leg and direction (RFC 3711, 5764, 7714).

`keys` cuts the material that DTLS exported into the two directions. `Srtp` holds the sessions by row and works on
batches of `(row, packet)`: what does not verify, was seen before, or has no session is dropped and counted by its
reason, never raised. libsrtp keeps the replay window and the rollover counter of each SSRC (RFC 3711 §3.3).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from attrs import field, frozen
from pylibsrtp import Error, Policy, Session

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
    """One leg's two sessions."""

    def __init__(self, material: SrtpKeys) -> None:
        kind = material.profile.policy
        self.inbound = Session(Policy(material.client, Policy.SSRC_ANY_INBOUND, 0, kind))
        self.outbound = Session(Policy(material.server, Policy.SSRC_ANY_OUTBOUND, 0, kind))
        self.ssrcs: set[bytes] = set()


class Srtp:
    """The sessions of all rows. `counters` gets `srtp_*`, one per dropped packet."""

    def __init__(self, counters: Counter[str]) -> None:
        self._streams: dict[int, _Streams] = {}
        self._counters = counters

    def open(self, row: int, material: SrtpKeys) -> None:
        self._streams[row] = _Streams(material)

    def close(self, row: int) -> None:
        self._streams.pop(row, None)

    def unprotect(self, packets: Iterable[tuple[int, bytes]]) -> list[bytes | None]:
        """SRTP to RTP, one for each and None for the dropped; packets are at least an RTP header long (demux)."""
        return [self._unprotect(row, packet, packet[8:12], rtcp=False) for row, packet in packets]

    def unprotect_rtcp(self, packets: Iterable[tuple[int, bytes]]) -> list[bytes | None]:
        """The same for SRTCP; packets are at least an RTCP header and an SSRC long (demux)."""
        return [self._unprotect(row, packet, packet[4:8], rtcp=True) for row, packet in packets]

    def protect(self, packets: Iterable[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        """RTP to SRTP, in order; what has no keys yet is left out and counted."""
        return self._protect(packets, rtcp=False)

    def protect_rtcp(self, packets: Iterable[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        """Compound RTCP to SRTCP, in order."""
        return self._protect(packets, rtcp=True)

    def _protect(self, packets: Iterable[tuple[int, bytes]], rtcp: bool) -> list[tuple[int, bytes]]:
        sealed = []
        for row, packet in packets:
            streams = self._streams.get(row)
            if streams is None:
                self._counters["srtp_unsent_no_keys"] += 1
                continue
            try:
                outbound = streams.outbound
                sealed.append((row, outbound.protect_rtcp(packet) if rtcp else outbound.protect(packet)))
            except Error:
                # Ours: a sequence number sent twice. libsrtp refuses to use a keystream twice (RFC 3711 §9.1).
                self._counters["srtp_unsent_refused"] += 1
        return sealed

    def _unprotect(self, row: int, packet: bytes, ssrc: bytes, *, rtcp: bool) -> bytes | None:
        streams = self._streams.get(row)
        if streams is None:
            self._counters["srtp_no_keys"] += 1
            return None
        if ssrc not in streams.ssrcs and len(streams.ssrcs) >= MAX_SSRCS:
            self._counters["srtp_too_many_ssrcs"] += 1
            return None
        inbound = streams.inbound
        try:
            plain: bytes = inbound.unprotect_rtcp(packet) if rtcp else inbound.unprotect(packet)
        except (Error, ValueError) as error:
            self._count(error)
            return None
        streams.ssrcs.add(ssrc)
        return plain

    def _count(self, error: Exception) -> None:
        if isinstance(error, ValueError):
            self._counters["srtp_too_long"] += 1
        elif error.args[0] in _REPLAYS:
            self._counters["srtp_replayed"] += 1
        else:
            self._counters["srtp_unauthentic"] += 1
