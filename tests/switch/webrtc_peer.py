"""A browser in memory that does only what a test tells it: each check, each flight, each packet.

It is made of the parts of bench/browser.py, which uses aioice's messages and OpenSSL's client end: nothing of
switch/stun.py is on both sides of a test.
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable

from cordboard.bench import browser
from cordboard.bench.browser import asked, binding
from cordboard.switch import dtls, srtp
from cordboard.switch.protocol import Codec, Fingerprint, OpenWebrtcLeg, WebrtcLegOpened
from cordboard.switch.stun import Address

DAY = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
HERE: Address = ("192.0.2.7", 50000, 0)
ELSEWHERE: Address = ("198.51.100.9", 50001, 0)

# Made once: keys are dear. Nothing of it changes.
IDENTITY = dtls.Identity(DAY)


def secrets(seed: int = 1) -> Callable[[int], bytes]:
    """Secrets that a test can know."""
    return random.Random(seed).randbytes


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
