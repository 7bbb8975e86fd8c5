"""Whoever can reach our ports and has no key: mutated datagrams by the hundred thousand, floods, stolen names, thieves.

Each story runs beside a call, which must not differ in one sample from the same call without the attack (siege.py).
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest
from aioice import stun as codec
from cordboard.switch import protocol
from cordboard.switch.sockaddr import socket_name
from pylibsrtp import Error

from .siege import BROWSERS_PORT, CALL, POOL, Sent, Siege, Voice
from .webrtc_peer import Browser

DTLS = bytes([22, 0xFE, 0xFD])  # a handshake's record
EXTREMES = (0, 1, 0x7F, 0x80, 0xFE, 0xFF)
LONGEST = 1536  # what the sockets take whole


def stranger(rng: Random) -> bytes:
    """The address of nobody's far side."""
    if rng.random() < 0.2:
        return socket_name(f"2001:db8:66::{rng.randrange(1, 0xFFFF):x}", rng.randrange(1, 65536))
    return socket_name(f"203.0.113.{rng.randrange(256)}", rng.randrange(1, 65536))


def mutated(rng: Random, datagram: bytes, other: bytes) -> bytes:
    """`datagram` with a few wrong bits, octets or lengths, cut, grown, or going on as `other`; but neither of them."""
    while (octets := _mutated(rng, datagram, other)) in (datagram, other):
        pass
    return octets


def _mutated(rng: Random, datagram: bytes, other: bytes) -> bytes:
    octets = bytearray(datagram)
    match rng.randrange(6):
        case 0:
            for _ in range(rng.randint(1, 8)):
                octets[rng.randrange(len(octets))] ^= 1 << rng.randrange(8)
        case 1:
            for _ in range(rng.randint(1, 4)):
                octets[rng.randrange(len(octets))] = rng.choice(EXTREMES)
        case 2:
            del octets[rng.randrange(len(octets)) :]
        case 3:
            octets += rng.randbytes(rng.randrange(1, LONGEST - len(octets)))
        case 4:
            cut = rng.randrange(len(octets))
            octets[cut:] = other[rng.randrange(len(other)) :]
        case _:  # a number of 16 bits, as most lengths are
            at = rng.randrange(0, max(len(octets) - 1, 1))
            octets[at : at + 2] = rng.choice((b"\0\0", b"\0\1", b"\xff\xff", b"\x80\0", rng.randbytes(2)))
    return bytes(octets[:LONGEST])


def with_fingerprint(message: bytes) -> bytes:
    """A mutated check whose length and FINGERPRINT are right again, so that more than a CRC looks at it."""
    body = message[: max(len(message) - 8, 20) // 4 * 4]
    body = bytes(codec.set_body_length(body, len(body) - 12))
    return body + struct.pack("!HHI", 0x8028, 4, zlib.crc32(body) ^ codec.FINGERPRINT_XOR)


class Mutator:
    """Draws datagrams for a siege, `n` of them by and by, from what each far side might really send."""

    def __init__(self, siege: Siege) -> None:
        self.siege, self.rng = siege, siege.rng
        stage = siege.attacked
        key, begin = struct.pack("!II", 0x33333333, 7), b"\x05\x0a\x01\x90"
        self.reports = [
            struct.pack("!BBHIIIIII", 0x81, 200, 12, 0x33333333, 1, 2, 3, 4, 5)
            + struct.pack("!IIIIII", *range(6))
            + sdes
            for sdes in (struct.pack("!BBHI", 0x81, 202, 1, 0), struct.pack("!BBHI", 0x81, 203, 1, 0x33333333))
        ]
        self.extended = (
            struct.pack("!BBH", 0xB2, 0, 1) + key + bytes(8) + struct.pack("!HHI", 0xBEDE, 1, 0) + bytes(164)
        )
        self.event = struct.pack("!BBH", 0x80, 101, 1) + key + begin
        hello = Browser("sample")
        self.hellos = [
            *hello.dtls.step(),
            DTLS + bytes(8) + b"\0\x0c" + b"\x0e" + bytes(11),  # ServerHelloDone
            bytes([20, 0xFE, 0xFD]) + bytes(8) + b"\0\1\1",  # ChangeCipherSpec
            bytes([21, 0xFE, 0xFD]) + bytes(8) + b"\0\2\1\0",  # close_notify in the clear
            bytes([23, 0xFE, 0xFD, 0, 1]) + bytes(6) + b"\0\x20" + bytes(32),
        ]
        # Of the call's own page, of a stream that it never sent.
        voice = Voice(300.0, 0x77777777)
        self.sealed = [stage.seal("page", voice.packet()) for _ in range(4)]
        self.sealed += [stage.sessions["page"][0].protect_rtcp(one) for one in self.reports]

    def plain(self) -> list[Sent]:
        """RTP and RTCP of legs without keys: of the prey, in its own name, and of nobody."""
        stage, rng = self.siege.attacked, self.rng
        leg = rng.choice(("plain", "six"))
        voice = self.siege.voices[leg]
        voice.sequence = voice.sequence + rng.choice((1, 1, 1, 2, -3, 40, 3000)) & 0xFFFF
        loop = stage.heard[leg][-1:] or [self.extended]
        sample = rng.choice((voice.packet(), self.extended, self.event, *self.reports, *loop))
        octets = mutated(rng, sample, rng.choice((self.event, self.extended)))
        report = sample in self.reports and rng.random() < 0.5
        if rng.random() < 0.3:
            return [Sent(rng.randrange(len(POOL)), stranger(rng), octets, beside=report)]
        name = bytearray(stage.names[leg])
        name[2:4] = (int.from_bytes(name[2:4], "big") + report).to_bytes(2, "big")
        return [Sent(stage.ports[leg], bytes(name), octets, beside=report)]

    def secure(self) -> list[Sent]:
        """SRTP and SRTCP in the name of every page, of nobody, and what a page seals that means ill."""
        stage, rng = self.siege.attacked, self.rng
        octets = mutated(rng, rng.choice(self.sealed), rng.choice(self.sealed))
        name = rng.choice((*(stage.names[leg] for leg in stage.pages), stranger(rng)))
        sent = [Sent(BROWSERS_PORT, name, octets)]
        out = stage.sessions["opus"][0]
        try:
            voice = self.siege.voices["opus"]
            plain = mutated(rng, rng.choice((voice.packet(), self.extended, self.event)), voice.header())
            if rng.random() < 0.9:  # of streams that are new to a leg no more than a few are looked at
                plain = plain[:8] + voice.header()[8:] + plain[12:]
            sent.append(Sent(BROWSERS_PORT, stage.names["opus"], out.protect(plain)))
            plain = mutated(rng, rng.choice(self.reports), self.event)
            sent.append(Sent(BROWSERS_PORT, stage.names["opus"], out.protect_rtcp(plain)))
        except (Error, ValueError):
            pass  # no packet at all for libsrtp
        return sent

    def checks(self) -> list[Sent]:
        """STUN with every leg's name: from its address and from elsewhere, and signed by whose it is."""
        stage, rng = self.siege.attacked, self.rng
        leg = rng.choice(list(stage.pages))
        check = stage.pages[leg].check(nominate=rng.random() < 0.5)
        octets = check
        while octets[:2] + octets[4 : len(check) - 8] == check[:2] + check[4:-8]:  # what is signed is whole
            octets = mutated(rng, check, self.hellos[0])
        if rng.random() < 0.7 and len(octets) >= 20:
            octets = with_fingerprint(octets)
        return [Sent(BROWSERS_PORT, rng.choice((stage.names[leg], stranger(rng))), octets)]

    def handshakes(self) -> list[Sent]:
        """DTLS in the name of pages that have not begun, are in the midst of it or have done with it; and of nobody."""
        stage, rng = self.siege.attacked, self.rng
        leg = rng.choice(("waiting", "shaking", "secure", "opus", "page", ""))
        octets = mutated(rng, rng.choice(self.hellos), rng.choice(self.hellos))
        return [Sent(BROWSERS_PORT, stage.names[leg] if leg else stranger(rng), octets)]


@pytest.mark.parametrize(
    "n", [16_000, pytest.param(1_000_000, marks=[pytest.mark.long, pytest.mark.timeout(3600)])], ids=["short", "long"]
)
def test_mutated_datagrams_move_counters_and_nothing_else(n: int) -> None:
    siege = Siege()
    mutator, rng, stage = Mutator(siege), siege.rng, siege.attacked
    kinds: tuple[Callable[[], list[Sent]], ...] = (mutator.plain, mutator.secure, mutator.checks, mutator.handshakes)
    sent = answered = 0
    known = set(stage.names.values())
    while sent < n:
        attack: list[Sent] = []
        while len(attack) < 160:
            attack += rng.choice(kinds)()
        asked = Counter(one.name for one in attack)
        replies = siege.step(attack)
        sent += len(attack)
        answered += len(replies)
        # A check has one answer, and so has a ClientHello, of a few datagrams; what else would be answered, and whom?
        for name, count in Counter(one.name for one in replies).items():
            assert count <= 4 * asked[name]
            assert name in known or all(stun_error(one.data) for one in replies if one.name == name)
        for leg in ("waiting", "shaking"):
            if any(isinstance(fact, protocol.LegFailed) and fact.leg == leg for fact in stage.facts[-50:]):
                stage.facts = [fact for fact in stage.facts if getattr(fact, "leg", None) != leg]
                stage.reopen(leg)
    siege.assert_call_is_whole()
    assert not [fact for fact in stage.facts if isinstance(fact, protocol.LegFailed)]
    counted = siege.counted()
    print(f"{sent} datagrams, {answered} answers; " + ", ".join(f"{name} {k}" for name, k in sorted(counted.items())))
    # The prey is heard again as if nothing had been.
    prey = ("plain", "six", "secure")
    for _ in range(150):
        siege.step([], (*CALL, *prey))
    for leg in prey:
        assert siege.tone(leg) == pytest.approx(siege.voices[leg].hertz, abs=2)


def stun_error(datagram: bytes) -> bool:
    return int.from_bytes(datagram[:2], "big") == codec.Method.BINDING | codec.Class.ERROR


def test_who_sprays_all_ports_gets_nothing_and_disturbs_nothing() -> None:
    """Voice, reports, ClientHellos and checks by the ten thousand, from other addresses: none is answered, and each is
    in a counter that says why."""
    siege = Siege(2)
    rng = siege.rng
    [hello] = Browser("thief").dtls.step()
    check = codec.Message(codec.Method.BINDING, codec.Class.REQUEST, b"x" * 12, {"USERNAME": "nobody00:brow"})
    check.add_message_integrity(b"x" * 24)
    voice = siege.voices["caller"]
    n = 0
    for _ in range(100):
        attack = []
        for _ in range(120):
            packet = struct.pack("!BBHII", 0x80, rng.choice((0, 8, 101)), voice.sequence, voice.timestamp, voice.ssrc)
            report = struct.pack("!BBHI", 0x80, 201, 1, voice.ssrc)
            octets = rng.choice((packet + bytes(160), report, hello, bytes(check), rng.randbytes(40)))
            beside = rng.random() < 0.2
            attack.append(Sent(rng.randrange(len(POOL) + (not beside)), stranger(rng), octets, beside))
        assert siege.step(attack) == []
        n += len(attack)
    siege.assert_call_is_whole()
    counted = siege.counted()
    print(", ".join(f"{name} {k}" for name, k in sorted(counted.items())))
    assert sum(counted.values()) == n
    assert set(counted) == {
        "packets_from_strangers",
        "rtp_from_stranger",
        "rtcp_from_stranger",
        "dtls_from_stranger",
        "stun_unknown_ufrag",
        "not_demultiplexed",
    }
