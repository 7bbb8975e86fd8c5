"""What is left of a DTLS connection that carries nothing: its last word, both ways (RFC 6347 §4.1, RFC 5246 §7.2).

A leg's connection is there for keys, which are told when the handshake is over. Afterwards its records mean something
only where they are alerts: a browser that goes says close_notify, and so do we. OpenSSL keeps 92 kB of a connection for
that, as long as the call lasts. This keeps two keys.

The keys are the connection's own, expanded from its master secret as OpenSSL does (RFC 5246 §6.3, §8.1), for the two
suites that an `Identity` offers, both of which are AEAD (RFC 5288). An alert counts when its tag fits and in no other
case: a plaintext one, which anybody can write who sees the path, never does.
"""

from __future__ import annotations

import hmac
from typing import Final

from attrs import frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HEADER: Final = 13  # type, version, epoch, sequence number, length (RFC 6347 §4.1)
CLOSE_NOTIFY: Final = 0
_ALERT: Final = 21
_WARNING, _FATAL = 1, 2
_VERSION: Final = b"\xfe\xfd"  # DTLS 1.2
_EPOCH: Final = 1  # of everything after the one handshake; renegotiation is off
_SALT: Final = 4  # octets of the nonce that are a part of the keys (RFC 5288 §3) ...
_EXPLICIT: Final = 8  # ... and those that each record brings
_TAG: Final = 16


@frozen
class Suite:
    """`key` in octets; `prf`, the hash of the pseudorandom function (RFC 5289 §3)."""

    key: int
    prf: str


SUITES: Final = {
    "ECDHE-ECDSA-AES128-GCM-SHA256": Suite(16, "sha256"),
    "ECDHE-ECDSA-AES256-GCM-SHA384": Suite(32, "sha384"),
}


@frozen
class Secrets:
    """What both ends of a handshake know when it is over."""

    suite: Suite
    master: bytes
    client_random: bytes
    server_random: bytes


def _expand(secret: bytes, seed: bytes, octets: int, prf: str) -> bytes:
    """P_hash (RFC 5246 §5)."""
    made, chained = b"", seed
    while len(made) < octets:
        chained = hmac.digest(secret, chained, prf)
        made += hmac.digest(secret, chained + seed, prf)
    return made[:octets]


class Farewell:
    """The server's end. `sent`: all that it has written in the handshake, in datagrams."""

    def __init__(self, secrets: Secrets, sent: tuple[bytes, ...]) -> None:
        key = secrets.suite.key
        seed = b"key expansion" + secrets.server_random + secrets.client_random
        block = _expand(secrets.master, seed, 2 * (key + _SALT), secrets.suite.prf)
        # Of AEAD there are no keys for a MAC: the client's key, ours, the client's salt, ours (RFC 5246 §6.3).
        self._theirs, self._their_salt = block[:key], block[2 * key : 2 * key + _SALT]
        self._ours, self._our_salt = block[key : 2 * key], block[2 * key + _SALT :]
        ours = [head for datagram in sent for head, _ in _records(datagram) if _epoch(head) == _EPOCH]
        # A nonce is used once: Finished had the first.
        self._next = max((int.from_bytes(head[5:11], "big") for head in ours), default=-1) + 1

    def heard(self, datagram: bytes) -> int | None:
        """The alert in it that ends the connection, if there is one: close_notify, or any that is fatal."""
        for head, fragment in _records(datagram):
            if head[0] != _ALERT or head[1:3] != _VERSION or _epoch(head) != _EPOCH:
                continue
            if len(fragment) != _EXPLICIT + 2 + _TAG:
                continue
            nonce = self._their_salt + fragment[:_EXPLICIT]
            try:
                level, what = AESGCM(self._theirs).decrypt(nonce, fragment[_EXPLICIT:], _associated(head, 2))
            except InvalidTag:
                continue
            if level == _FATAL or what == CLOSE_NOTIFY:
                return what
        return None

    def said(self) -> bytes:
        """Our close_notify, as a datagram."""
        number = _EPOCH.to_bytes(2, "big") + self._next.to_bytes(6, "big")
        self._next += 1
        alert = bytes([_WARNING, CLOSE_NOTIFY])
        head = bytes([_ALERT]) + _VERSION + number + (_EXPLICIT + len(alert) + _TAG).to_bytes(2, "big")
        return head + number + AESGCM(self._ours).encrypt(self._our_salt + number, alert, _associated(head, len(alert)))


def _records(datagram: bytes) -> list[tuple[bytes, bytes]]:
    """The headers and fragments of its records, as far as they are whole."""
    found = []
    while len(datagram) >= HEADER:
        end = HEADER + int.from_bytes(datagram[11:13], "big")
        if end > len(datagram):
            break
        found.append((datagram[:HEADER], datagram[HEADER:end]))
        datagram = datagram[end:]
    return found


def _epoch(head: bytes) -> int:
    return int.from_bytes(head[3:5], "big")


def _associated(head: bytes, octets: int) -> bytes:
    """What the tag is of beside the text: epoch and sequence number, type, version, length (RFC 5246 §6.2.3.3)."""
    return head[3:11] + head[:3] + octets.to_bytes(2, "big")
