"""SRTP against a plain reading of its RFCs, which is held to the RFCs' own vectors; over wraps of the sequence number.

libsrtp takes master keys, and the vectors of RFC 7714 are of session keys. So the reading here is shown to give every
number of the vectors, and `Srtp` to give what the reading gives, octet by octet, from keys as DTLS would export them.
"""

from __future__ import annotations

import hmac

import numpy as np
import pytest
from attrs import evolve, frozen
from cordboard.switch import srtp
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pylibsrtp import Policy, Session

from .webrtc_peer import Sealing, rtp

COUNTER = srtp.PROFILES["SRTP_AES128_CM_SHA1_80"]
GCM = srtp.PROFILES["SRTP_AEAD_AES_128_GCM"]
TAG = 10  # octets of HMAC_SHA1_80
RTP, RTCP = 0, 3  # labels of keys for encryption; those for authentication and of salts are the two after
E_BIT = 1 << 31  # of SRTCP: it is encrypted (RFC 3711 §3.4)


def key_stream(key: bytes, initial: int, n: int) -> bytes:
    """n octets of AES in counter mode from a first block on (RFC 3711 §4.1.1)."""
    return Cipher(algorithms.AES(key), modes.CTR(initial.to_bytes(16, "big"))).encryptor().update(bytes(n))


def xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


@frozen
class SessionKeys:
    """What a master key and salt give for RTP, or for RTCP."""

    key: bytes
    authentication: bytes
    salt: bytes

    @classmethod
    def derived(cls, master: bytes, master_salt: bytes, label: int, authentication: int = 20) -> SessionKeys:
        """RFC 3711 §4.3, with a key derivation rate of 0; a salt of 96 bits is padded at its end (RFC 7714 §11)."""
        base = int.from_bytes(master_salt.ljust(14, b"\0"), "big")
        sizes = (16, authentication, len(master_salt))
        return cls(*(key_stream(master, (base ^ label + i << 48) << 16, n) for i, n in enumerate(sizes)))

    def counter_mode(self, packet: bytes, header: int, index: int) -> bytes:
        """The octets behind the header, to cipher or back (RFC 3711 §4.1.1)."""
        ssrc = int.from_bytes(packet[header - 4 : header], "big")
        initial = int.from_bytes(self.salt, "big") << 16 ^ ssrc << 64 ^ index << 16
        body = packet[header:]
        return packet[:header] + xor(body, key_stream(self.key, initial, len(body)))

    def iv(self, ssrc: bytes, index: int) -> bytes:
        """RFC 7714 §8.1 and §9.1, which differ in how long the index is and not in where it lies."""
        return xor(self.salt, b"\0\0" + ssrc + index.to_bytes(6, "big"))

    def sha1_rtp(self, packet: bytes, index: int) -> bytes:
        sealed = self.counter_mode(packet, 12, index)
        return sealed + hmac.digest(self.authentication, sealed + (index >> 16).to_bytes(4, "big"), "sha1")[:TAG]

    def sha1_rtcp(self, packet: bytes, index: int) -> bytes:
        sealed = self.counter_mode(packet, 8, index) + (E_BIT | index).to_bytes(4, "big")
        return sealed + hmac.digest(self.authentication, sealed, "sha1")[:TAG]

    def gcm_rtp(self, packet: bytes, index: int) -> bytes:
        header, body = packet[:12], packet[12:]
        return header + AESGCM(self.key).encrypt(self.iv(header[8:], index), body, header)

    def gcm_rtcp(self, packet: bytes, index: int) -> bytes:
        header, body, trailer = packet[:8], packet[8:], (E_BIT | index).to_bytes(4, "big")
        return header + AESGCM(self.key).encrypt(self.iv(header[4:], index), body, header + trailer) + trailer


# RFC 3711 B.3.
MASTER, MASTER_SALT = bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE4139"), bytes.fromhex("0EC675AD498AFEEBB6960B3AABE6")
# RFC 7714 §16 and §17: the session's key and salt, and two packets.
QUID = SessionKeys(bytes(range(16)), b"", b"Quid pro quo")
GALLIA = bytes.fromhex("8040f17b8041f8d35501a0b2") + b"Gallia est omnis divisa in partes tres"
MARS = bytes.fromhex(
    "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef"
)


def test_the_reading_derives_the_keys_of_rfc_3711() -> None:
    derived = SessionKeys.derived(MASTER, MASTER_SALT, RTP, authentication=94)
    assert derived == SessionKeys(
        bytes.fromhex("C61E7A93744F39EE10734AFE3FF7A087"),
        bytes.fromhex(
            "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCEE049646C43D9327AD175578EF7227098"
            "6371C10C9A369AC2F94A8C5FBCDDDC256D6E919A48B610EF17C2041E474035766B68642C59BBFC2F34DB60DBDFB2"
        ),
        bytes.fromhex("30CBBC08863D8C85D49DB34A9AE1"),
    )


def test_the_reading_has_the_key_stream_of_rfc_3711() -> None:
    initial = int("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000", 16)
    stream = key_stream(bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C"), initial, 0xFF02 * 16).hex().upper()
    first = ("E03EAD0935C95E80E166B16DD92B4EB4", "D23513162B02D0F72A43A2FE4A5F97AB", "41E95B3BB0A2E8DD477901E4FCA894C0")
    last = ("EC8CDF7398607CB0F2D21675EA9EA1E4", "362B7C3C6773516318A077D7FC5073AE", "6A2CC3787889374FBEB4C81B17BA6C44")
    assert stream[:96] == "".join(first)
    assert stream[32 * 0xFEFF : 32 * 0xFF02] == "".join(last)


def test_the_reading_seals_as_rfc_7714() -> None:
    assert QUID.iv(GALLIA[8:12], 0xF17B).hex() == "51753c6580c2726f20718414"
    assert QUID.gcm_rtp(GALLIA, 0xF17B).hex() == GALLIA[:12].hex() + (
        "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce"
    )
    assert QUID.gcm_rtcp(MARS, 0x5D4).hex() == MARS[:8].hex() + (
        "63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275bc84aa45896cf4d2fc5abf872"
        "45d9eade800005d4"
    )


@frozen
class Side:
    """One direction of a profile: its master key and salt, by the reading."""

    profile: srtp.Profile
    master: bytes

    def reading(self, label: int) -> SessionKeys:
        cut = self.profile.key_length
        return SessionKeys.derived(self.master[:cut], self.master[cut:], label)

    def rtp(self, packet: bytes, index: int) -> bytes:
        keys = self.reading(RTP)
        return keys.gcm_rtp(packet, index) if self.profile is GCM else keys.sha1_rtp(packet, index)

    def rtcp(self, packet: bytes, index: int) -> bytes:
        keys = self.reading(RTCP)
        return keys.gcm_rtcp(packet, index) if self.profile is GCM else keys.sha1_rtcp(packet, index)


@frozen
class Pair:
    """A row of `Srtp` and the two directions of its keys."""

    ours: Sealing
    client: Side
    server: Side


@pytest.fixture(params=[COUNTER, GCM], ids=lambda profile: profile.name)
def pair(request: pytest.FixtureRequest) -> Pair:
    profile: srtp.Profile = request.param
    # The browser's master key is that of B.3 where it fits.
    material = MASTER + bytes(range(16)) + MASTER_SALT[: profile.salt_length] + bytes(range(profile.salt_length))
    cut = srtp.keys(profile, material)
    ours = Sealing()
    ours.open(0, cut)
    return Pair(ours, Side(profile, cut.client), Side(profile, cut.server))


def test_what_is_sealed_and_opened_is_what_the_reading_has(pair: Pair) -> None:
    for sequence in (7, 8, 300):
        packet = rtp(sequence, payload=bytes(range(160)))
        assert pair.ours.protect([(0, packet)]) == [pair.server.rtp(packet, sequence)]
        assert pair.ours.unprotect([(0, pair.client.rtp(packet, sequence))]) == [packet]
    for index in (1, 2):
        assert pair.ours.protect([(0, MARS)], rtcp=True) == [pair.server.rtcp(MARS, index)]
        assert pair.ours.unprotect([(0, pair.client.rtcp(MARS, index))], rtcp=True) == [MARS]
    assert pair.ours.counters == {}


def test_more_than_two_to_the_sixteen_packets_both_ways(pair: Pair) -> None:
    """What is sealed counts its wraps; so does what is opened, though some is lost, late or twice."""
    n, rng = (1 << 16) + 3000, np.random.default_rng(5)
    begin = 60_000  # so that there are two wraps
    packets = [rtp(begin + i & 0xFFFF, payload=b"") for i in range(n)]
    sealed = pair.ours.protect((0, packet) for packet in packets)
    for i in (0, 65_535 - begin, 65_536 - begin, n - 1):
        assert sealed[i] == pair.server.rtp(packets[i], begin + i)
    assert len(sealed) == n

    seal = Session(Policy(pair.client.master, Policy.SSRC_ANY_OUTBOUND, 0, pair.client.profile.policy)).protect
    sent = [seal(packet) for packet in packets]
    # One in fifty is lost, one in fifty comes twice, each comes up to 30 places late.
    copies = np.repeat(np.arange(n), rng.choice([0, 1, 2], n, p=[0.02, 0.96, 0.02]))
    order = copies[np.argsort(copies + rng.uniform(0, 30, len(copies)))].tolist()
    opened = pair.ours.unprotect((0, sent[i]) for i in order)
    seen: set[int] = set()
    for i, plain in zip(order, opened, strict=True):
        assert plain == (None if i in seen else packets[i])
        seen.add(i)
    assert n * 0.97 < len(seen) < n
    assert pair.ours.counters == {"srtp_replayed": len(order) - len(seen)}

    # What was heard before a wrap is not taken for what comes after it; nor what another key has sealed.
    pair.ours.counters.clear()
    again = [sent[i] for i in range(0, n, 977) if i in seen]
    assert not any(pair.ours.unprotect((0, packet) for packet in again))
    assert sum(pair.ours.counters.values()) == len(again)
    pair.ours.counters.clear()
    stranger, new = evolve(pair.client, master=bytes(len(pair.client.master))), range(n, n + 50)
    following = [(rtp(begin + i & 0xFFFF, payload=b""), begin + i) for i in new]
    assert not any(pair.ours.unprotect((0, stranger.rtp(*one)) for one in following))
    assert pair.ours.counters == {"srtp_unauthentic": len(new)}
    assert pair.ours.unprotect((0, pair.client.rtp(*one)) for one in following) == [packet for packet, _ in following]


def test_a_loss_over_a_wrap_is_followed_and_one_of_half_the_numbers_is_not(pair: Pair) -> None:
    """RFC 3711 §3.3.1: the index is guessed from the highest so far, within 2^15."""
    first, after = rtp(65_000), rtp(20_000)
    assert pair.ours.unprotect([(0, pair.client.rtp(first, 65_000)), (0, pair.client.rtp(after, 65_536 + 20_000))]) == [
        first,
        after,
    ]
    beyond = rtp(60_000)
    assert pair.ours.unprotect([(0, pair.client.rtp(beyond, 65_536 + 60_000))]) == [None]
    assert sum(pair.ours.counters.values()) == 1
