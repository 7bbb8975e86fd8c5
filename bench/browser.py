"""A browser's media without the browser: the controlling ICE agent, the active DTLS end and SRTP, without a socket.

    offer() -> SDP                 of one audio section; the switch's answer goes to `accept`
    receive(datagram, now)         what came from the switch
    deadline() -> float            when `wake` wants to be called; math.inf for never
    wake(now)                      checks and flights that are due
    seal(packet) -> bytes          RTP to SRTP, once CONNECTED
    close()                        the datagrams that say so

It nominates what it checked first (the switch is ICE-lite and has one address for us, RFC 8445 §8.1.1), keeps asking
for consent (RFC 7675 §5.1), and repeats its DTLS flights as Chromium does, 50 ms and doubling.

    state      | checked    keyed      alert   silence  leave
    -----------+----------------------------------------------
    NEW        | bug        bug        late    bug      ENDED
    CHECKING   | SHAKING    bug        late    ENDED    ENDED
    SHAKING    | SHAKING    CONNECTED  ENDED   ENDED    ENDED
    CONNECTED  | CONNECTED  bug        ENDED   ENDED    ENDED
    ENDED      | late       bug        late    bug      late

aioice's messages and OpenSSL's client end are used directly, so that nothing of switch/stun.py and of the passive end
is on both sides of a measurement.
"""

from __future__ import annotations

import datetime
import math
import random
from collections.abc import Callable, Sequence
from enum import Enum

from aioice import stun
from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from pylibsrtp import Error, Policy, Session

from ..sip import sdp
from ..sip.description import Media, Rtpmap, SessionDescription
from ..switch import dtls, srtp
from ..switch.protocol import Fingerprint

# Checks and DTLS flights are repeated after this long at first, then after twice as long.
REPEAT_SECONDS = 0.05
# The wait between repeats grows to this.
REPEAT_MAX_SECONDS = 1.6
# RFC 7675 §5.1: every 5 s, randomised by a fifth; 30 s without an answer and consent is gone.
CONSENT_SECONDS = 5.0
CONSENT_SPREAD = 0.2
CONSENT_LOST_SECONDS = 30.0
# Preference of a host candidate (RFC 8445 §5.1.2.1).
PRIORITY = 1853824767
# The certificate lasts longer than anything that is measured with it.
DAYS = 30

RTPMAPS: dict[str, Rtpmap] = {
    "opus": Rtpmap(111, "opus", 48000, 2),
    "pcmu": Rtpmap(0, "PCMU", 8000),
    "pcma": Rtpmap(8, "PCMA", 8000),
}


class State(Enum):
    NEW = "new"
    CHECKING = "checking"
    SHAKING = "shaking"
    CONNECTED = "connected"
    ENDED = "ended"


class Input(Enum):
    CHECKED = "checked"
    KEYED = "keyed"
    ALERT = "alert"
    SILENCE = "silence"
    LEAVE = "leave"


class Late(Enum):
    """What crosses on the wire with the end, or with an offer not answered yet; it changes nothing."""

    CHECK_AFTER_END = "check after the end"
    RECORD_OUT_OF_TIME = "record before the first check, or after the end"
    LEFT_TWICE = "left twice"


# What is not here is a bug and raises KeyError.
TABLE: dict[tuple[State, Input], State | Late] = {
    (State.NEW, Input.ALERT): Late.RECORD_OUT_OF_TIME,
    (State.NEW, Input.LEAVE): State.ENDED,
    (State.CHECKING, Input.CHECKED): State.SHAKING,
    (State.CHECKING, Input.ALERT): Late.RECORD_OUT_OF_TIME,
    (State.CHECKING, Input.SILENCE): State.ENDED,
    (State.CHECKING, Input.LEAVE): State.ENDED,
    (State.SHAKING, Input.CHECKED): State.SHAKING,
    (State.SHAKING, Input.KEYED): State.CONNECTED,
    (State.SHAKING, Input.ALERT): State.ENDED,
    (State.SHAKING, Input.SILENCE): State.ENDED,
    (State.SHAKING, Input.LEAVE): State.ENDED,
    (State.CONNECTED, Input.CHECKED): State.CONNECTED,
    (State.CONNECTED, Input.ALERT): State.ENDED,
    (State.CONNECTED, Input.SILENCE): State.ENDED,
    (State.CONNECTED, Input.LEAVE): State.ENDED,
    (State.ENDED, Input.CHECKED): Late.CHECK_AFTER_END,
    (State.ENDED, Input.ALERT): Late.RECORD_OUT_OF_TIME,
    (State.ENDED, Input.LEAVE): Late.LEFT_TWICE,
}


def asked(transaction: int, attributes: dict[str, object], password: str) -> bytes:
    """A STUN binding request (RFC 8489 §14.5: the integrity covers what stands before it)."""
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, transaction.to_bytes(12, "big"), attributes)
    message.add_message_integrity(password.encode())
    return bytes(message)


def binding(transaction: int, user: str, password: str, *, nominate: bool = False) -> bytes:
    """A check of the controlling side. `user` is `THEIRS:OURS`, `password` theirs (RFC 8445 §7.2.2)."""
    attributes: dict[str, object] = {"USERNAME": user, "PRIORITY": PRIORITY, "ICE-CONTROLLING": 99}
    if nominate:
        attributes["USE-CANDIDATE"] = None
    return asked(transaction, attributes, password)


class DtlsClient:
    """The active end, on OpenSSL's own terms; the certificate is valid from `day` on."""

    def __init__(self, day: datetime.datetime, profiles: str = ":".join(srtp.PROFILES)) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "browser")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(7)
            .not_valid_before(day)
            .not_valid_after(day + datetime.timedelta(days=DAYS))
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
        self.ssl.set_ciphertext_mtu(dtls.MTU)
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


@frozen
class Received:
    """What came of a datagram: what must be sent at once, and a packet of RTP where it was one."""

    replies: list[bytes]
    packet: bytes | None = None


NOTHING = Received([])


class Browser:
    """One page's connection. `remote` is where the switch is, `codec` what it chose, with its payload type."""

    def __init__(self, codecs: Sequence[str], day: datetime.datetime, randbytes: Callable[[int], bytes]) -> None:
        self.state = State.NEW
        self.reason = ""
        self.remote = ("", 0)
        self.codec = ""
        self.payload_type = 0
        self.late = 0
        self._codecs = codecs
        self._dtls = DtlsClient(day)
        self._ufrag, self._pwd = randbytes(4).hex(), randbytes(16).hex()
        self._rng = random.Random(randbytes(8))
        self._transaction = int.from_bytes(randbytes(8), "big") << 24
        self._asked: set[bytes] = set()
        self._theirs = ("", "")
        self._check_at = self._flight_at = math.inf
        self._check_wait = self._flight_wait = REPEAT_SECONDS
        self._consent_until = math.inf
        self._nominated = False
        self._outbound: Session | None = None
        self._inbound: Session | None = None

    # --- the two descriptions -----------------------------------------------------------------------------------

    def offer(self) -> str:
        """One audio section with our codecs; where we are is learned from our checks."""
        maps = tuple(RTPMAPS[name] for name in self._codecs)
        ours = self._dtls.fingerprint()
        media = Media(
            "audio",
            9,
            "UDP/TLS/RTP/SAVPF",
            tuple(str(each.payload_type) for each in maps),
            "0.0.0.0",
            rtpmaps=maps,
            mid="0",
            rtcp_mux=True,
            ice_ufrag=self._ufrag,
            ice_pwd=self._pwd,
            fingerprints=(sdp.Fingerprint(ours.algorithm, ours.digest),),
            setup="actpass",
        )
        return bytes(SessionDescription((media,), session_id="1", version="1", bundle=("0",))).decode()

    def accept(self, answer: str, now: float) -> None:
        """The switch's answer; checks begin. Raises SdpError."""
        assert self.state is State.NEW, "one offer has one answer"
        (media,) = sdp.parse(answer.encode()).media
        if not (media.ice_ufrag and media.ice_pwd and media.candidates and media.fingerprints):
            raise sdp.SdpError("SDP: not an answer for a browser")
        chosen = media.rtpmap(int(media.formats[0]))
        name = next((name for name in self._codecs if RTPMAPS[name] == chosen), None)
        if name is None:
            raise sdp.SdpError("SDP: none of our codecs")
        self.codec, self.payload_type = name, RTPMAPS[name].payload_type
        self.remote = (media.candidates[0].address, media.candidates[0].port)
        self._theirs = (media.ice_ufrag, media.ice_pwd)
        self.state = State.CHECKING
        self._check_at = now
        self._consent_until = now + CONSENT_LOST_SECONDS

    # --- time ---------------------------------------------------------------------------------------------------

    def deadline(self) -> float:
        return min(self._check_at, self._flight_at, self._consent_until)

    def wake(self, now: float) -> list[bytes]:
        """What is to be sent now."""
        if now >= self._consent_until:
            self._end(Input.SILENCE, "the switch does not answer checks")
            return []
        sent: list[bytes] = []
        if now >= self._check_at:
            sent.append(self._check())
            settled = self.state is State.CONNECTED and self._nominated
            self._check_at = now + (self._consent_wait() if settled else self._check_wait)
            self._check_wait = min(2 * self._check_wait, REPEAT_MAX_SECONDS)
        if now >= self._flight_at:
            sent += self._dtls.flight
            self._flight_at = now + self._flight_wait
            self._flight_wait = min(2 * self._flight_wait, REPEAT_MAX_SECONDS)
        return sent

    def _consent_wait(self) -> float:
        return CONSENT_SECONDS * self._rng.uniform(1 - CONSENT_SPREAD, 1 + CONSENT_SPREAD)

    def _check(self) -> bytes:
        self._transaction += 1
        self._asked.add(self._transaction.to_bytes(12, "big"))
        user, password = f"{self._theirs[0]}:{self._ufrag}", self._theirs[1]
        return binding(self._transaction, user, password, nominate=self.state is not State.CHECKING)

    # --- what comes ---------------------------------------------------------------------------------------------

    def receive(self, datagram: bytes, now: float) -> Received:
        """One datagram of the switch; what is nobody's is nothing (RFC 7983 §7)."""
        first = datagram[0] if datagram else 255
        if first < 4:
            return self._answered(datagram, now)
        if 20 <= first < 64:
            return self._record(datagram, now)
        if 128 <= first < 192 and len(datagram) > 12 and not 192 <= datagram[1] < 224 and self._inbound is not None:
            try:
                return Received([], self._inbound.unprotect(datagram))
            except Error:
                self.late += 1  # a repeat, or of the connection before
        return NOTHING

    def _answered(self, datagram: bytes, now: float) -> Received:
        try:
            message = stun.parse_message(datagram)
        except ValueError:
            return NOTHING
        if message.message_class is not stun.Class.RESPONSE or message.transaction_id not in self._asked:
            return NOTHING
        if not message.check_message_integrity(self._theirs[1].encode()):
            return NOTHING
        self._asked.clear()
        first = self.state is State.CHECKING
        if not self._move(Input.CHECKED):
            return NOTHING
        self._consent_until = now + CONSENT_LOST_SECONDS
        if not first:
            self._nominated = True
            self._check_at = now + self._consent_wait()
            return NOTHING
        self._check_at, self._check_wait = now, REPEAT_SECONDS
        self._flight_at = now + REPEAT_SECONDS
        self._flight_wait = 2 * REPEAT_SECONDS
        return Received(self._dtls.step())

    def _record(self, datagram: bytes, now: float) -> Received:
        if self.state not in (State.SHAKING, State.CONNECTED):
            self._move(Input.ALERT)
            return NOTHING
        done = self._dtls.done
        sent = self._dtls.step(datagram)
        if self._dtls.error is not None:
            self._end(Input.ALERT, "the switch has closed the connection")
        elif self._dtls.done and not done:
            self._move(Input.KEYED)
            self._flight_at = math.inf
            self._outbound, self._inbound = self._dtls.sessions()
        elif sent and not done:
            self._flight_at, self._flight_wait = now + REPEAT_SECONDS, 2 * REPEAT_SECONDS
        return Received(sent)

    # --- what goes ----------------------------------------------------------------------------------------------

    def seal(self, packet: bytes) -> bytes:
        """RTP as SRTP. Before there are keys that is a bug of the caller."""
        assert self._outbound is not None, "there are no keys before it is connected"
        sealed: bytes = self._outbound.protect(packet)
        return sealed

    def close(self) -> list[bytes]:
        """The connection is over; what tells the switch so."""
        told = self._dtls.close() if self.state is State.CONNECTED else []
        self._end(Input.LEAVE, "left")
        return told

    def _end(self, why: Input, reason: str) -> None:
        if self._move(why):
            self.reason = reason
            self._check_at = self._flight_at = self._consent_until = math.inf

    def _move(self, what: Input) -> bool:
        """False: late, and counted."""
        to = TABLE[self.state, what]
        if isinstance(to, Late):
            self.late += 1
            return False
        self.state = to
        return True
