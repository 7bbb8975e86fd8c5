"""SRTP for all legs: one libsrtp session a leg and direction (RFC 3711, 5764, 7714), with keys from the DTLS handshake
of a browser, or from the session descriptions of a trunk (RFC 4568).

`keys` cuts the material that DTLS exported into the two directions. `Srtp` holds the sessions by row and works on
batches: what does not verify, was seen before, or has no session is dropped and counted by its reason, never raised.
libsrtp keeps the replay window and the rollover counter of each SSRC (RFC 3711 §3.3).

libsrtp has one call for each packet, and that call is nearly all that may be done here for each. It works in place, and
so do we: pylibsrtp makes the sessions, and its methods, which take `bytes` and give `bytes`, are gone past, for what
they do about a call takes longer than the call (3.7 µs for a packet of G.711 instead of 1.6). What SSRC a leg was heard
with last is a column, so that only packets of another one are looked at one by one.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray
from pylibsrtp import Error, Policy, Session
from pylibsrtp._binding import ffi, lib

from .matrix import Octets
from .sockaddr import Rows
from .winding import Key, Winding

# libsrtp copies a stream's state for each new SSRC that authenticates. One leg sends one, and after a page replaced its
# track another; more than this is refused, or an ill-behaved page could fill our memory.
MAX_SSRCS = 8
# How libsrtp refuses a packet that it has seen, or can no longer tell from one (RFC 3711 §3.3.2): its
# srtp_err_status_replay_fail and srtp_err_status_replay_old.
_REPLAYS = frozenset({9, 10})
# What `protect` adds behind a packet at most: a tag of 16 octets, and to RTCP an index of 4 (RFC 7714 §9, §14).
TRAILER: Final = 20


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


class _Inbound:
    """What one leg is heard with, also as libsrtp knows it, and the SSRCs that have authenticated. `before` is the
    session of the far side's last key, as long as it goes on with that; `winding` looks for a stream that began
    earlier."""

    __slots__ = ("before", "handle", "session", "ssrcs", "winding")

    def __init__(self, key: Key, before: Session | None, winding: Winding | None) -> None:
        self.session = key.inbound()
        self.handle = self.session._srtp[0]
        self.before = before
        self.winding = winding
        self.ssrcs: set[int] = set()

    def crowded(self, ssrc: int) -> bool:
        """Whether there is no room for this one."""
        return ssrc not in self.ssrcs and len(self.ssrcs) >= MAX_SSRCS

    @property
    def settled(self) -> bool:
        """What does not verify is wrong."""
        return self.winding is None

    def settle(self) -> None:
        """What came verified."""
        self.before = self.winding = None

    def retry(self, packet: bytes, ssrc: int) -> bytes:
        """An RTP packet that did not verify: under the key before; else nothing, and the next may."""
        if self.before is not None:
            try:
                return self.before.unprotect(packet)
            except (Error, ValueError):
                pass
        if self.winding is not None:
            self.session = self.winding.turn(self.session, ssrc, int.from_bytes(packet[2:4], "big"))
            self.handle = self.session._srtp[0]
        return b""


class Srtp:
    """The sessions of all rows. `counters` gets `srtp_*`, one per dropped packet.

    Batches are `rows` intp [n], `data` uint8 [n, W] with W a multiple of 4 and each row without gaps, `length` int32
    [n]. What comes of each packet stands in its place in `data`; how long it is, is what is given: 0 where it is
    dropped.
    """

    def __init__(self, counters: Counter[str], capacity: int) -> None:
        self._inbound: dict[int, _Inbound] = {}
        # ... and what each is sent with, as libsrtp knows it, beside the session that it is of.
        self._outbound: dict[int, tuple[ffi.CData, Session]] = {}
        self._ssrc = np.full(capacity, -1, np.int64)  # of the last RTP; -1: none yet
        self._counters = counters

    def open(self, row: int, material: SrtpKeys) -> None:
        """Both directions of a browser, of which nothing was heard or sent yet."""
        self.hear(row, Key(material.profile.policy, material.client))
        self.send(row, Key(material.profile.policy, material.server))

    def hear(self, row: int, key: Key, *, resumed: bool = False) -> None:
        """The far side encrypts with this key from now on. `resumed`: it may have done so before this row was here."""
        before = self._inbound.get(row)
        winding = Winding(key) if resumed or before is not None else None
        self._inbound[row] = _Inbound(key, None if before is None else before.session, winding)
        self._ssrc[row] = -1

    def send(self, row: int, key: Key) -> None:
        """We encrypt with this key from now on, with which nothing was sent with the SSRC that the row has."""
        session = key.outbound()
        self._outbound[row] = session._srtp[0], session

    def close(self, row: int) -> None:
        self._inbound.pop(row, None)
        self._outbound.pop(row, None)

    def unprotect(
        self, rows: Rows, data: Octets, length: NDArray[np.int32], *, rtcp: bool = False
    ) -> NDArray[np.int32]:
        """SRTP to RTP, or SRTCP to RTCP; packets are as long as demux.py has it."""
        ssrcs = data.view(">u4")[:, 1 if rtcp else 2]
        usual = self._ssrc[rows] == ssrcs
        length, unprotect = length.copy(), lib.srtp_unprotect_rtcp if rtcp else lib.srtp_unprotect
        packet, octets, stride = *_pointers(data, length), data.strides[0]
        found, dropped = self._inbound.get, []
        for i, (row, known) in enumerate(zip(rows.tolist(), usual.tolist(), strict=True)):
            if (streams := found(row)) is None:
                dropped.append((i, "srtp_no_keys"))
            elif not known and streams.crowded(int(ssrcs[i])):
                dropped.append((i, "srtp_too_many_ssrcs"))
            elif not known and not rtcp and not streams.settled:
                if not self._settle(row, streams, data[i], length[i : i + 1], int(ssrcs[i])):
                    dropped.append((i, "srtp_unauthentic"))
            elif refused := unprotect(streams.handle, packet, octets):
                dropped.append((i, "srtp_replayed" if refused in _REPLAYS else "srtp_unauthentic"))
            elif not known:
                streams.ssrcs.add(int(ssrcs[i]))
                if not rtcp:
                    self._ssrc[row] = ssrcs[i]
            packet += stride
            octets += 1
        return self._without(length, dropped)

    def _settle(
        self, row: int, streams: _Inbound, data: NDArray[np.uint8], length: NDArray[np.int32], ssrc: int
    ) -> bool:
        """One packet of a stream that is not settled yet, uint8 [W], `length` int32 [1]: whether it could be opened."""
        packet = data[: length[0]].tobytes()  # what does not verify is not what it was, either
        try:
            opened = streams.session.unprotect(packet)
        except (Error, ValueError):
            opened = streams.retry(packet, ssrc)
        else:
            streams.settle()
            streams.ssrcs.add(ssrc)
            self._ssrc[row] = ssrc
        data[: len(opened)] = np.frombuffer(opened, np.uint8)
        length[0] = len(opened)
        return bool(opened)

    def protect(self, rows: Rows, data: Octets, length: NDArray[np.int32], *, rtcp: bool = False) -> NDArray[np.int32]:
        """RTP to SRTP, or compound RTCP to SRTCP. Behind each packet are TRAILER octets of room."""
        length, protect = length.copy(), lib.srtp_protect_rtcp if rtcp else lib.srtp_protect
        packet, octets, stride = *_pointers(data, length), data.strides[0]
        found, dropped = self._outbound.get, []
        for i, row in enumerate(rows.tolist()):
            if (outbound := found(row)) is None:
                dropped.append((i, "srtp_unsent_no_keys"))
            elif protect(outbound[0], packet, octets):
                # Ours: a sequence number sent twice. libsrtp refuses to use a keystream twice (RFC 3711 §9.1).
                dropped.append((i, "srtp_unsent_refused"))
            packet += stride
            octets += 1
        return self._without(length, dropped)

    def _without(self, length: NDArray[np.int32], dropped: list[tuple[int, str]]) -> NDArray[np.int32]:
        for i, reason in dropped:
            self._counters[reason] += 1
            length[i] = 0
        return length


def _pointers(data: Octets, length: NDArray[np.int32]) -> tuple[ffi.CData, ffi.CData]:
    """Where the first packet is, and its length. They hold nothing: the arrays are to outlive them."""
    assert data.flags.writeable
    assert data.strides[1] == 1
    assert data.strides[0] % 4 == 0
    assert length.flags.c_contiguous
    return ffi.cast("char *", data.ctypes.data), ffi.cast("int *", length.ctypes.data)
