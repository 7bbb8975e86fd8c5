"""DTLS 1.2, the passive end of `setup:passive`, for keys only: it carries no data (RFC 6347, RFC 5764, RFC 5763 §5).

OpenSSL (by pyOpenSSL) does the handshake between two memory buffers; this module is what stands around it:

- A buffer is not a socket: it glues the records of a flight together. `split` cuts them apart again, and they are
  packed into datagrams of at most `MTU` bytes. A datagram that came is given to OpenSSL alone, for the same reason.
- The certificate proves nothing by itself; the far side's must have a fingerprint of the offer (RFC 8122 §5). That is
  tested while the handshake runs, so a wrong one is refused with an alert before our Finished.
- OpenSSL's own DTLS timers read the real clock (DTLSv1_get_timeout, DTLSv1_handle_timeout), so they know nothing of the
  time that is given to us, and virtual time would never resend a flight. They are not used. The last flight's
  datagrams are kept and sent again, byte for byte, on our own timer or when the far side shows that it missed them by
  repeating its own (RFC 6347 §4.2.4). A record that did arrive the first time is dropped by its sequence number.
- When the keys are told OpenSSL has done its part, and is let go of: what either end says at last is read and written
  without it (farewell.py).

    state        | flight         finished     refused    close notify   timeout     close
    -------------+------------------------------------------------------------------------
    WAITING      | HANDSHAKING    bug          ENDED      ENDED          bug         ENDED
    HANDSHAKING  | HANDSHAKING    CONNECTED    ENDED      ENDED          ENDED       ENDED
    CONNECTED    | late           bug          ENDED      ENDED          bug         ENDED
    ENDED        | late           late         late       late           bug         late

The caller hands in only what came from an address that passed a STUN check (CVE-2023-49786).
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import math
from collections.abc import Callable, Iterable
from enum import Enum

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL, crypto

from .farewell import CLOSE_NOTIFY, HEADER, SUITES, Farewell, Secrets
from .protocol import Fingerprint
from .srtp import PROFILES, SrtpKeys, keys

# UDP payload that every path carries: IPv6's minimum of 1,280 less headers, and a tunnel's (RFC 8831 §5 has 1,200 too).
MTU = 1200
# Longer datagrams are nobody's handshake, and more than OpenSSL reads at once would stay in the buffer.
MAX_DATAGRAM = 4096
# RFC 6347 §4.2.4.1 has 1 s, "or less for time-sensitive applications": a call is one. Chromium starts at 50 ms.
RETRANSMIT_SECONDS = 0.25
RETRANSMIT_MAX_SECONDS = 4.0
# Repeats of the far side are answered at most this often: one flight of theirs may be several datagrams.
REPEAT_SECONDS = 0.04
# From the first ClientHello to Finished. Past this the page is better off with a new offer.
HANDSHAKE_SECONDS = 20.0

_HANDSHAKE_RECORD = 22
_DTLS_1_2 = 0xFEFD
# RFC 8122 §5 has more, SHA-1 and MD5 among them, which prove nothing today. Best first.
HASHES: dict[str, Callable[[bytes], bytes]] = {
    "sha-512": lambda data: hashlib.sha512(data).digest(),
    "sha-384": lambda data: hashlib.sha384(data).digest(),
    "sha-256": lambda data: hashlib.sha256(data).digest(),
}


class State(Enum):
    WAITING = "waiting"
    HANDSHAKING = "handshaking"
    CONNECTED = "connected"
    ENDED = "ended"


class Input(Enum):
    FLIGHT = "flight"
    FINISHED = "finished"
    REFUSED = "refused"
    CLOSE_NOTIFY = "close notify"
    TIMEOUT = "timeout"
    CLOSE = "close"


class Crossing(Enum):
    """Inputs that cross on the wire with the end of a handshake, or of the leg; they change nothing."""

    REPEAT_AFTER_FINISHED = "repeat after Finished"
    RECORD_AFTER_END = "record after the end"
    CLOSED_TWICE = "closed twice"


# What is not here is a bug and raises KeyError.
TABLE: dict[tuple[State, Input], State | Crossing] = {
    (State.WAITING, Input.FLIGHT): State.HANDSHAKING,
    (State.WAITING, Input.REFUSED): State.ENDED,
    (State.WAITING, Input.CLOSE_NOTIFY): State.ENDED,
    (State.WAITING, Input.CLOSE): State.ENDED,
    (State.HANDSHAKING, Input.FLIGHT): State.HANDSHAKING,
    (State.HANDSHAKING, Input.FINISHED): State.CONNECTED,
    (State.HANDSHAKING, Input.REFUSED): State.ENDED,
    (State.HANDSHAKING, Input.CLOSE_NOTIFY): State.ENDED,
    (State.HANDSHAKING, Input.TIMEOUT): State.ENDED,
    (State.HANDSHAKING, Input.CLOSE): State.ENDED,
    (State.CONNECTED, Input.FLIGHT): Crossing.REPEAT_AFTER_FINISHED,
    (State.CONNECTED, Input.REFUSED): State.ENDED,
    (State.CONNECTED, Input.CLOSE_NOTIFY): State.ENDED,
    (State.CONNECTED, Input.CLOSE): State.ENDED,
    (State.ENDED, Input.FLIGHT): Crossing.RECORD_AFTER_END,
    (State.ENDED, Input.FINISHED): Crossing.RECORD_AFTER_END,
    (State.ENDED, Input.REFUSED): Crossing.RECORD_AFTER_END,
    (State.ENDED, Input.CLOSE_NOTIFY): Crossing.RECORD_AFTER_END,
    (State.ENDED, Input.CLOSE): Crossing.CLOSED_TWICE,
}


@frozen
class Send:
    """Datagrams for the address that the far side's DTLS came from."""

    datagrams: tuple[bytes, ...]


@frozen
class Connected:
    """The handshake is done and the far side is who the offer said."""

    keys: SrtpKeys


@frozen
class Ended:
    """Refused, timed out, or closed by the far side."""

    reason: str


Output = Send | Connected | Ended


class Identity:
    """Our certificate and the settings of every handshake: one for an engine process, made at its start.

    `now`: the day's date for the certificate; the key is ECDSA on P-256 (RFC 8827 §6.5), self-signed.
    """

    def __init__(self, now: datetime.datetime) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "cordboard")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=3650))
            .sign(key, hashes.SHA256())
        )
        self.fingerprint = fingerprint(certificate.public_bytes(Encoding.DER), "sha-256")
        context = SSL.Context(SSL.DTLS_SERVER_METHOD)
        context.use_certificate(certificate)
        context.use_privatekey(key)
        # No session tickets: a leg is never resumed, and they would follow Finished in the last flight.
        context.set_options(SSL.OP_NO_QUERY_MTU | SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_max_proto_version(_DTLS_1_2)  # of which the farewell is
        context.set_cipher_list(":".join(SUITES).encode())
        context.set_tlsext_use_srtp(":".join(PROFILES).encode())
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _verify)
        self.context = context


def fingerprint(certificate: bytes, algorithm: str) -> Fingerprint:
    """The fingerprint of a DER certificate, `AB:CD:...` (RFC 8122 §5)."""
    return Fingerprint(algorithm, HASHES[algorithm](certificate).hex(":").upper())


class _Expected:
    """What the far side's certificate must be, and whether it was: the application data of its connection."""

    def __init__(self, offered: Iterable[Fingerprint]) -> None:
        self.offered = strongest(offered)
        # None until OpenSSL has asked.
        self.matched: bool | None = None

    def match(self, certificate: bytes) -> bool:
        self.matched = any(fingerprint(certificate, one.algorithm) == one for one in self.offered)
        return self.matched


def strongest(offered: Iterable[Fingerprint]) -> tuple[Fingerprint, ...]:
    """The fingerprints of the best hash that we have; empty where the offer has none.

    The certificate must match one of them: several of one hash are several certificates, and weaker hashes beside a
    stronger one add nothing (RFC 8122 §5).
    """
    offered = [Fingerprint(one.algorithm.lower(), one.digest.upper()) for one in offered]
    for algorithm in HASHES:
        if found := tuple(one for one in offered if one.algorithm == algorithm):
            return found
    return ()


def _verify(connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, ok: int) -> bool:
    """OpenSSL's question for each certificate; it minds none but the leaf, and only its fingerprint (RFC 8827 §6.5)."""
    if depth > 0:
        return True
    expected: _Expected = connection.get_app_data()
    # OpenSSL's own bytes: no second parser meets what a stranger wrote.
    return expected.match(crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate))


def split(flight: bytes) -> list[bytes]:
    """Cuts glued DTLS records apart and packs them into datagrams of at most MTU bytes (RFC 6347 §4.1.1)."""
    datagrams: list[bytes] = []
    start = end = 0
    while end < len(flight):
        record_end = end + HEADER + int.from_bytes(flight[end + 11 : end + 13], "big")
        if record_end - start > MTU and end > start:
            datagrams.append(flight[start:end])
            start = end
        end = record_end
    if start < len(flight):
        datagrams.append(flight[start:])
    return datagrams


class DtlsServer:
    """One leg's handshake. `receive`, `wake` and `close` return what follows; `deadline` is when to wake it."""

    def __init__(self, identity: Identity, offered: Iterable[Fingerprint]) -> None:
        self.state = State.WAITING
        self._expected = _Expected(offered)
        ssl = SSL.Connection(identity.context, None)
        ssl.set_app_data(self._expected)
        ssl.set_accept_state()
        ssl.set_ciphertext_mtu(MTU)
        self._end: SSL.Connection | Farewell = ssl  # of the connection; a farewell from when it is connected
        self._flight: tuple[bytes, ...] = ()
        self._sent = -math.inf
        self._interval = RETRANSMIT_SECONDS
        self._retransmit = math.inf
        self._give_up = math.inf

    def expects(self, offered: Iterable[Fingerprint]) -> bool:
        """Whether another offer has the fingerprints of the one that this handshake was for."""
        return strongest(offered) == self._expected.offered

    def receive(self, datagram: bytes, now: float) -> list[Output]:
        """One datagram, at most MAX_DATAGRAM bytes; a longer one, or one after the end, is dropped."""
        if len(datagram) > MAX_DATAGRAM or self.state is State.ENDED:
            return []
        if isinstance(self._end, Farewell):
            return self._receive_connected(self._end, datagram, now)
        self._end.bio_write(datagram)
        try:
            self._end.do_handshake()
        except SSL.WantReadError:
            return self._flight_out(datagram, now)
        except SSL.ZeroReturnError:
            return self._over(Input.CLOSE_NOTIFY, "the browser closed the handshake")
        except SSL.Error as error:
            if self._expected.matched is False:
                return self._over(Input.REFUSED, "the certificate has no fingerprint of the offer")
            return self._over(Input.REFUSED, f"the handshake failed: {_words(error)}")
        return self._finish(self._end, now)

    def deadline(self) -> float:
        return min(self._retransmit, self._give_up)

    def wake(self, now: float) -> list[Output]:
        if now >= self._give_up:
            return self._over(Input.TIMEOUT, "the handshake did not end in time")
        if now < self._retransmit:
            return []
        # Each wait is twice the one before (RFC 6347 §4.2.4.1).
        self._interval = min(2 * self._interval, RETRANSMIT_MAX_SECONDS)
        return self._send_flight(now)

    def close(self) -> list[Output]:
        """Ends it from our side, with close_notify where there is someone to tell."""
        if not self._move(Input.CLOSE) or not isinstance(self._end, Farewell):
            return []
        return [Send((self._end.said(),))]

    def _flight_out(self, datagram: bytes, now: float) -> list[Output]:
        """OpenSSL waits for more: send what it wrote, or again what it wrote last, if this was a repeat."""
        if flight := self._read():
            if self.state is State.WAITING:
                self._give_up = now + HANDSHAKE_SECONDS
            self._move(Input.FLIGHT)
            self._flight, self._interval = flight, RETRANSMIT_SECONDS
            return self._send_flight(now)
        return self._repeat(datagram, now) if _starts_with_client_hello(datagram) else []

    def _finish(self, ssl: SSL.Connection, now: float) -> list[Output]:
        """Finished came and fits: our last flight and the keys."""
        # With a certificate that was never shown to _verify this would be the hole; it cannot be reached.
        if not self._expected.matched:
            return self._over(Input.REFUSED, "the certificate was not verified")
        profile = PROFILES.get(ssl.get_selected_srtp_profile().decode("ascii"))
        if profile is None:
            return self._over(Input.REFUSED, "no SRTP profile in common")  # RFC 5764 §4.1.1: use_srtp is a must
        self._move(Input.FINISHED)
        self._retransmit = self._give_up = math.inf
        outputs: list[Output] = []
        if flight := self._read():
            self._flight = flight
            outputs += self._send_flight(now)
        # RFC 5764 §4.2: the label, no context.
        material = ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", profile.material_length)
        self._end = Farewell(_secrets(ssl), self._flight)
        outputs.append(Connected(keys(profile, material)))
        return outputs

    def _receive_connected(self, farewell: Farewell, datagram: bytes, now: float) -> list[Output]:
        """After Finished: alerts matter, data does not, and a repeat of the last flight wants ours again."""
        if (alert := farewell.heard(datagram)) is not None:
            if alert == CLOSE_NOTIFY:
                return self._over(Input.CLOSE_NOTIFY, "the browser closed the connection")
            return self._over(Input.REFUSED, f"the browser ended the connection with alert {alert}")
        # A plaintext handshake record now can only be a repeat: our last flight was lost (RFC 6347 §4.2.4).
        return self._repeat(datagram, now) if datagram[0] == _HANDSHAKE_RECORD and datagram[3:5] == b"\0\0" else []

    def _repeat(self, datagram: bytes, now: float) -> list[Output]:
        if not self._flight or now < self._sent + REPEAT_SECONDS:
            return []
        return self._send_flight(now)

    def _send_flight(self, now: float) -> list[Output]:
        self._sent = now
        if self.state is State.HANDSHAKING:
            self._retransmit = now + self._interval
        return [Send(self._flight)]

    def _over(self, what: Input, reason: str) -> list[Output]:
        """The end, with the alert that OpenSSL may have written about it."""
        self._move(what)
        datagrams = self._read()
        return [Send(datagrams), Ended(reason)] if datagrams else [Ended(reason)]

    def _read(self) -> tuple[bytes, ...]:
        """All that OpenSSL has written, as datagrams."""
        glued = bytearray()
        with contextlib.suppress(SSL.WantReadError):
            while isinstance(self._end, SSL.Connection):
                glued += self._end.bio_read(16384)
        return tuple(split(bytes(glued)))

    def _move(self, what: Input) -> bool:
        """The one door for state changes; timers die with the handshake. False: a late crossing."""
        after = TABLE[self.state, what]
        if isinstance(after, Crossing):
            return False
        self.state = after
        if after is State.ENDED:
            self._retransmit = self._give_up = math.inf
        return True


def _starts_with_client_hello(datagram: bytes) -> bool:
    """Its first record is the first fragment of a ClientHello: the far side begins its flight again."""
    # After the record header: msg_type 1, length, message_seq, fragment_offset (RFC 6347 §4.2.2).
    return datagram[0] == _HANDSHAKE_RECORD and datagram[13:14] == b"\x01" and datagram[19:22] == b"\0\0\0"


def _secrets(ssl: SSL.Connection) -> Secrets:
    """Of a handshake that is over."""
    suite, master, client, server = ssl.get_cipher_name(), ssl.master_key(), ssl.client_random(), ssl.server_random()
    assert suite is not None
    assert master is not None
    assert client is not None
    assert server is not None
    return Secrets(SUITES[suite], master, client, server)


def _words(error: SSL.Error) -> str:
    """OpenSSL's last reason in its own words."""
    reasons = error.args[0] if error.args else []
    return str(reasons[-1][-1]) if isinstance(reasons, list) and reasons else type(error).__name__
