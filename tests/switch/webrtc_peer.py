"""A browser in memory that does only what a test tells it: each check, each flight, each packet.

It is made of the parts of bench/browser.py, which uses aioice's messages and OpenSSL's client end: nothing of
switch/stun.py is on both sides of a test.
"""

from __future__ import annotations

import datetime
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from attrs import field, frozen
from cordboard.bench import browser
from cordboard.bench.browser import asked, binding
from cordboard.switch import dtls, srtp
from cordboard.switch.browsers import Browsers
from cordboard.switch.matrix import cut, lay
from cordboard.switch.protocol import (
    Codec,
    Fingerprint,
    LegChecked,
    LegConnected,
    LegFailed,
    LegUnchecked,
    OpenWebrtcLeg,
    WebrtcLegOpened,
)
from cordboard.switch.seams import Batch, Octets, Packets, Rows, SecureInput
from cordboard.switch.sockaddr import NAME, host_and_port, socket_name
from cordboard.switch.stun import Address
from cordboard.switch.webrtc import WebrtcTransport
from numpy.typing import NDArray

DAY = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
HERE: Address = ("192.0.2.7", 50000, 0)
ELSEWHERE: Address = ("198.51.100.9", 50001, 0)

# Made once: keys are dear. Nothing of it changes.
IDENTITY = dtls.Identity(DAY)


def secrets(seed: int = 1) -> Callable[[int], bytes]:
    """Secrets that a test can know."""
    return random.Random(seed).randbytes


Told = LegConnected | LegUnchecked | LegChecked | LegFailed


@frozen
class Heard:
    """What followed from some datagrams, one by one: replies by address, packets by row."""

    replies: list[tuple[bytes, Address]] = field(factory=list)
    rtp: list[tuple[int, bytes]] = field(factory=list)
    rtcp: list[tuple[int, bytes]] = field(factory=list)
    facts: list[Told] = field(factory=list)


class Door:
    """The seam before a transport, as it is to one who has single datagrams instead of batches."""

    def __init__(self, transport: WebrtcTransport) -> None:
        self._browsers = Browsers(transport, [])

    def receive(self, datagrams: Sequence[tuple[bytes, Address]], now: float) -> Heard:
        """All of them in one batch."""
        if not datagrams:
            return Heard()
        data, length = lay([octets for octets, _ in datagrams])
        names = b"".join(socket_name(host, port) for _, (host, port, _) in datagrams)
        ports = np.array([socket for _, (_, _, socket) in datagrams], np.int32)
        name = np.frombuffer(names, np.uint8).reshape(-1, NAME)
        at = np.full(len(ports), now)
        return _heard(self._browsers.receive(Batch(data.copy(), length, ports, name, at), now))

    def wake(self, now: float) -> Heard:
        return _heard(self._browsers.wake(now))

    def protect(self, packets: Sequence[tuple[int, bytes]]) -> list[tuple[bytes, Address]]:
        return self._sealed(packets, rtcp=False)

    def protect_rtcp(self, packets: Sequence[tuple[int, bytes]]) -> list[tuple[bytes, Address]]:
        """All of one length."""
        return self._sealed(packets, rtcp=True)

    def _sealed(self, packets: Sequence[tuple[int, bytes]], *, rtcp: bool) -> list[tuple[bytes, Address]]:
        rows, data, length = _laid(packets)
        if rtcp:
            sealed = self._browsers.protect_rtcp(rows, data[:, : length[0]])
        else:
            sealed = self._browsers.protect(rows, data, length)
        addresses = [
            (*host_and_port(name.tobytes()), port) for name, port in zip(sealed.name, sealed.port.tolist(), strict=True)
        ]
        return list(zip(cut(sealed.data, sealed.length), addresses, strict=True))


def _heard(given: SecureInput) -> Heard:
    def packets(columns: Packets) -> list[tuple[int, bytes]]:
        return list(zip(columns.row.tolist(), cut(columns.data, columns.length), strict=True))

    replies = [(one.data, (*host_and_port(one.name), one.port)) for one in given.replies]
    facts = [fact for fact in given.facts if isinstance(fact, Told)]
    assert len(facts) == len(given.facts)
    return Heard(replies, packets(given.rtp), packets(given.rtcp), facts)


class Sealing:
    """`Srtp` to one who has single packets; None for what is dropped, in what is opened."""

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self._srtp = srtp.Srtp(self.counters, capacity=16)
        self.open, self.close = self._srtp.open, self._srtp.close

    def unprotect(self, packets: Iterable[tuple[int, bytes]], *, rtcp: bool = False) -> list[bytes | None]:
        rows, data, length = _laid(packets)
        return [one or None for one in cut(data, self._srtp.unprotect(rows, data, length, rtcp=rtcp))]

    def protect(self, packets: Iterable[tuple[int, bytes]], *, rtcp: bool = False) -> list[bytes]:
        rows, data, length = _laid(packets)
        return [one for one in cut(data, self._srtp.protect(rows, data, length, rtcp=rtcp)) if one]


def _laid(packets: Iterable[tuple[int, bytes]]) -> tuple[Rows, Octets, NDArray[np.int32]]:
    rows, octets = zip(*packets, strict=True)
    data, length = lay(octets)
    return np.array(rows, np.intp), np.pad(data, ((0, 0), (0, srtp.TRAILER))), length


class DtlsClient(browser.DtlsClient):
    """The active end, with a certificate of that day."""

    def __init__(self, profiles: str = ":".join(srtp.PROFILES)) -> None:
        super().__init__(DAY, profiles)


class Browser:
    """One page's connection."""

    def __init__(self, leg: str = "leg-1", profiles: str = ":".join(srtp.PROFILES)) -> None:
        self.leg = leg
        self.ufrag = "brow"
        self.dtls = DtlsClient(profiles)
        self.answer: WebrtcLegOpened | None = None
        self._transaction = 0

    def offer(self, fingerprints: tuple[Fingerprint, ...] | None = None) -> OpenWebrtcLeg:
        return OpenWebrtcLeg(
            leg=self.leg,
            peer="192.0.2.7",
            ice_ufrag=self.ufrag,
            ice_pwd="x" * 24,
            fingerprints=fingerprints if fingerprints is not None else (self.dtls.fingerprint(),),
            codec=Codec("pcmu", 0),
        )

    def check(self, *, nominate: bool = False, password: str | None = None, user: str | None = None) -> bytes:
        assert self.answer is not None
        self._transaction += 1
        name = user or f"{self.answer.ice_ufrag}:{self.ufrag}"
        return binding(self._transaction, name, password or self.answer.ice_pwd, nominate=nominate)

    def request(self, attributes: dict[str, object], password: str | None = None) -> bytes:
        assert self.answer is not None
        self._transaction += 1
        return asked(self._transaction, attributes, password or self.answer.ice_pwd)


def rtp(sequence: int, ssrc: int = 0x1234, payload: bytes = b"\xd5" * 160) -> bytes:
    return (
        bytes([0x80, 0])
        + sequence.to_bytes(2, "big")
        + (sequence * 160).to_bytes(4, "big")
        + ssrc.to_bytes(4, "big")
        + payload
    )
