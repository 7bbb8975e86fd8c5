"""A browser in memory: the controlling ICE agent, the active DTLS end and SRTP, without a socket or a clock.

aioice's messages are used directly, so that nothing of switch/stun.py is on both sides of a test.
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable

from aioice import stun
from cordboard.switch import dtls, srtp
from cordboard.switch.protocol import Codec, Fingerprint, OpenWebrtcLeg, WebrtcLegOpened
from cordboard.switch.stun import Address
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from pylibsrtp import Policy, Session

DAY = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
HERE: Address = ("192.0.2.7", 50000, 0)
ELSEWHERE: Address = ("198.51.100.9", 50001, 0)

# Made once: keys are dear. Nothing of it changes.
IDENTITY = dtls.Identity(DAY)


def secrets(seed: int = 1) -> Callable[[int], bytes]:
    """Secrets that a test can know."""
    return random.Random(seed).randbytes


class DtlsClient:
    """The active end, on OpenSSL's own terms. `bundle` cuts its flights into one datagram for each record if False."""

    def __init__(self, profiles: str = ":".join(srtp.PROFILES)) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "browser")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(7)
            .not_valid_before(DAY)
            .not_valid_after(DAY + datetime.timedelta(days=30))
            .sign(key, hashes.SHA256())
        )
        self.der = certificate.public_bytes(Encoding.DER)
        context = SSL.Context(SSL.DTLS_CLIENT_METHOD)
        context.use_certificate(certificate)
        context.use_privatekey(key)
        context.set_options(SSL.OP_NO_QUERY_MTU)
        if profiles:
            context.set_tlsext_use_srtp(profiles.encode())
        context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        self.ssl = SSL.Connection(context, None)
        self.ssl.set_connect_state()
        self.ssl.set_ciphertext_mtu(1200)
        self.done = False
        self.error: SSL.Error | None = None
        self.flight: list[bytes] = []

    def fingerprint(self, algorithm: str = "sha-256") -> Fingerprint:
        return dtls.fingerprint(self.der, algorithm)

    def step(self, datagram: bytes | None = None) -> list[bytes]:
        """Takes one datagram, gives what is to be sent."""
        if datagram is not None:
            self.ssl.bio_write(datagram)
        try:
            if self.done:
                self.ssl.recv(2000)
            else:
                self.ssl.do_handshake()
                self.done = True
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            self.error = error
        sent = self.written()
        if sent:
            self.flight = sent
        return sent

    def written(self) -> list[bytes]:
        try:
            return dtls.split(self.ssl.bio_read(65536))
        except SSL.WantReadError:
            return []

    def close(self) -> list[bytes]:
        self.ssl.shutdown()
        return self.written()

    def sessions(self) -> tuple[Session, Session]:
        """(outbound, inbound) of the browser."""
        profile = srtp.PROFILES[self.ssl.get_selected_srtp_profile().decode()]
        material = self.ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", profile.material_length)
        cut = srtp.keys(profile, material)
        return (
            Session(Policy(cut.client, Policy.SSRC_ANY_OUTBOUND, 0, profile.policy)),
            Session(Policy(cut.server, Policy.SSRC_ANY_INBOUND, 0, profile.policy)),
        )


class Browser:
    """One page's connection."""

    def __init__(self, leg: str = "leg-1", profiles: str = ":".join(srtp.PROFILES)) -> None:
        self.leg = leg
        self.dtls = DtlsClient(profiles)
        self.answer: WebrtcLegOpened | None = None
        self._transaction = 0

    def offer(self, fingerprints: tuple[Fingerprint, ...] | None = None) -> OpenWebrtcLeg:
        return OpenWebrtcLeg(
            leg=self.leg,
            peer="192.0.2.7",
            ice_ufrag="brow",
            ice_pwd="x" * 24,
            fingerprints=fingerprints if fingerprints is not None else (self.dtls.fingerprint(),),
            codec=Codec("pcmu", 0),
        )

    def check(self, *, nominate: bool = False, password: str | None = None, user: str | None = None) -> bytes:
        assert self.answer is not None
        attributes: dict[str, object] = {
            "USERNAME": user or f"{self.answer.ice_ufrag}:brow",
            "PRIORITY": 1853824767,
            "ICE-CONTROLLING": 99,
        }
        if nominate:
            attributes["USE-CANDIDATE"] = None
        return self.request(attributes, password)

    def request(self, attributes: dict[str, object], password: str | None = None) -> bytes:
        assert self.answer is not None
        self._transaction += 1
        message = stun.Message(
            stun.Method.BINDING, stun.Class.REQUEST, self._transaction.to_bytes(12, "big"), attributes
        )
        message.add_message_integrity((password or self.answer.ice_pwd).encode())
        return bytes(message)


def rtp(sequence: int, ssrc: int = 0x1234, payload: bytes = b"\xd5" * 160) -> bytes:
    return (
        bytes([0x80, 0])
        + sequence.to_bytes(2, "big")
        + (sequence * 160).to_bytes(4, "big")
        + ssrc.to_bytes(4, "big")
        + payload
    )
