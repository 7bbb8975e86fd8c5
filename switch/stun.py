"""STUN as an ICE agent needs it: Binding requests in, signed answers out (RFC 8489), on aioice's codec.

A browser's port is open to the world, so a datagram earns its parsing in steps, the cheapest first: the header, then
the FINGERPRINT (one CRC, RFC 8489 §14.7), then a strict walk over the attributes, and only then aioice's parser for
their values. Whatever is wrong is one named error, `RemoteStunError`, whose `reason` is the name it is counted under.

    named(datagram)                  whom a request's USERNAME names: a look, in 1 µs, before anything is believed
    parse_request(datagram)          bytes -> BindingRequest, or RemoteStunError
    authentic(request, key)          is its MESSAGE-INTEGRITY made with this password?
    success(request, address, key)   the answer with XOR-MAPPED-ADDRESS
    error(request, code, key)        401, 420 with UNKNOWN-ATTRIBUTES, 487

Short-term credentials only: the key is the password itself (RFC 8489 §9.1.1; RFC 8445 §7.2.2).
"""

from __future__ import annotations

import struct
import zlib

from aioice import stun
from attrs import field, frozen

# host, port, and which of our own sockets it came to; the third is carried through and never looked at.
Address = tuple[str, int, int]

# A Binding request of a browser is about 120 bytes; ICE asks to stay below 1,500 with IPv6's minimum in sight.
MAX_LENGTH = 1280

_BINDING_REQUEST = 0x0001
_BINDING_INDICATION = 0x0011
_USERNAME = 0x0006
_MESSAGE_INTEGRITY = 0x0008
_ERROR_CODE = 0x0009
_UNKNOWN_ATTRIBUTES = 0x000A
_XOR_MAPPED_ADDRESS = 0x0020
_PRIORITY = 0x0024
_USE_CANDIDATE = 0x0025
_FINGERPRINT = 0x8028
_ICE_CONTROLLED = 0x8029
_ICE_CONTROLLING = 0x802A

# What we understand in a Binding request, and how long each must be (None: any length up to the other).
_LENGTHS: dict[int, int | None] = {
    _USERNAME: None,
    _MESSAGE_INTEGRITY: 20,
    _PRIORITY: 4,
    _USE_CANDIDATE: 0,
    _FINGERPRINT: 4,
    _ICE_CONTROLLED: 8,
    _ICE_CONTROLLING: 8,
}
MAX_USERNAME = 508  # bytes: "fewer than 509" (RFC 8489 §14.3)

_ATTRIBUTE = struct.Struct("!HH")
_REASONS = {400: "Bad Request", 401: "Unauthenticated", 420: "Unknown Attribute", 487: "Role Conflict"}


class RemoteStunError(Exception):
    """The far side sent what is not a usable Binding request; `reason` is a short stable name to count it by."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@frozen
class BindingRequest:
    """A well-formed connectivity check, not yet authenticated."""

    transaction_id: bytes
    local_ufrag: str
    remote_ufrag: str
    priority: int | None
    use_candidate: bool
    # The far side says that it is controlled: against a lite agent that is a conflict (RFC 8445 §7.3.1.1).
    controlled: bool
    # Attributes that must be understood and are not, in the order they came (RFC 8489 §6.3.1).
    unknown: tuple[int, ...]
    message: stun.Message = field(eq=False, repr=False)


def named(datagram: bytes) -> bytes:
    """The first part of the first USERNAME, ours if it is for us; empty where there is none. At least a STUN header.

    Nothing is checked: it is for not spending a parser and a signature on a flood that knows no name of ours. What
    this finds, a well-formed request says too, and what it does not find is in none.
    """
    position = 20
    while position + 4 <= len(datagram):
        attribute, length = _ATTRIBUTE.unpack_from(datagram, position)
        position += 4
        if attribute == _USERNAME:
            return datagram[position : position + length].partition(b":")[0]
        position += length + (-length % 4)
    return b""


def parse_request(datagram: bytes) -> BindingRequest:
    """Reads one Binding request; raises RemoteStunError for everything else, garbage of any length included."""
    size = len(datagram)
    if not 20 <= size <= MAX_LENGTH:
        raise RemoteStunError("stun_length")
    message_type, length, cookie = struct.unpack_from("!HHI", datagram)
    # The length counts all after the header and ends on a multiple of four (RFC 8489 §5).
    if cookie != stun.COOKIE or length != size - 20 or length % 4:
        raise RemoteStunError("stun_header")
    if message_type == _BINDING_INDICATION:
        raise RemoteStunError("stun_indication")  # a keepalive: no answer (RFC 8445 §11)
    if message_type != _BINDING_REQUEST:
        raise RemoteStunError("stun_method")
    # ICE requires FINGERPRINT (RFC 8445 §7.1), and it is always last (RFC 8489 §14.7).
    if size < 28 or struct.unpack_from("!HH", datagram, size - 8) != (_FINGERPRINT, 4):
        raise RemoteStunError("stun_fingerprint")
    if zlib.crc32(datagram[:-8]) ^ stun.FINGERPRINT_XOR != int.from_bytes(datagram[-4:], "big"):
        raise RemoteStunError("stun_fingerprint")
    unknown = _walk(datagram)
    try:
        message = stun.parse_message(datagram)
    except (ValueError, struct.error) as error:
        raise RemoteStunError("stun_attribute") from error
    attributes = message.attributes
    if "MESSAGE-INTEGRITY" not in attributes or "USERNAME" not in attributes:
        raise RemoteStunError("stun_no_credentials")
    # The name is ours, a colon, theirs (RFC 8445 §7.2.2).
    local, colon, remote = attributes["USERNAME"].partition(":")
    if not colon:
        raise RemoteStunError("stun_username")
    return BindingRequest(
        transaction_id=message.transaction_id,
        local_ufrag=local,
        remote_ufrag=remote,
        priority=attributes.get("PRIORITY"),
        use_candidate="USE-CANDIDATE" in attributes,
        controlled="ICE-CONTROLLED" in attributes,
        unknown=unknown,
        message=message,
    )


def _walk(datagram: bytes) -> tuple[int, ...]:
    """Every attribute lies within the message, has its length and comes once. Returns those we had to know and do not.

    aioice's parser cuts an attribute that runs over the end, and of a repeated one keeps the last; RFC 8489 §14 lets a
    receiver take the first. No browser repeats one, so a message that does is refused rather than guessed at.
    """
    position, end = 20, len(datagram)
    seen = set()
    unknown = []
    signed = False
    while position < end:
        attribute, length = struct.unpack_from("!HH", datagram, position)
        position += 4 + length + (-length % 4)
        if position > end:
            raise RemoteStunError("stun_attribute")
        if attribute == _FINGERPRINT and position != end:
            raise RemoteStunError("stun_attribute")
        if signed and attribute != _FINGERPRINT:
            continue  # what follows MESSAGE-INTEGRITY is not signed and is ignored (RFC 8489 §14.5)
        if attribute in _LENGTHS:
            if attribute in seen or _LENGTHS[attribute] not in (None, length):
                raise RemoteStunError("stun_attribute")
            if attribute == _USERNAME and length > MAX_USERNAME:
                raise RemoteStunError("stun_username")
            seen.add(attribute)
        elif attribute < 0x8000:  # comprehension-required (RFC 8489 §14)
            unknown.append(attribute)
        signed = signed or attribute == _MESSAGE_INTEGRITY
    return tuple(unknown)


def authentic(request: BindingRequest, key: bytes) -> bool:
    """Whether MESSAGE-INTEGRITY was made with `key`; compared in constant time (RFC 8489 §9.1.3)."""
    return bool(request.message.check_message_integrity(key))


def success(request: BindingRequest, address: Address, key: bytes) -> bytes:
    """The answer to a check that passed: where it came from, signed with our password (RFC 8445 §7.3.1.3)."""
    mapped: bytes = stun.pack_xor_address((address[0], address[1]), request.transaction_id)
    return build(stun.Class.RESPONSE, request.transaction_id, _attribute(_XOR_MAPPED_ADDRESS, mapped), key)


def error(request: BindingRequest, code: int, key: bytes | None) -> bytes:
    """An error answer. `key` None leaves MESSAGE-INTEGRITY out, as a 401 must (RFC 8489 §9.1.3)."""
    attributes = _attribute(_ERROR_CODE, stun.pack_error_code((code, _REASONS[code])))
    if code == 420:
        # RFC 8489 §14.13: the types, 16 bits each.
        attributes += _attribute(_UNKNOWN_ATTRIBUTES, b"".join(struct.pack("!H", kind) for kind in request.unknown))
    return build(stun.Class.ERROR, request.transaction_id, attributes, key)


def build(message_class: stun.Class, transaction_id: bytes, attributes: bytes, key: bytes | None) -> bytes:
    """A Binding message of encoded attributes, with MESSAGE-INTEGRITY where there is a key, and FINGERPRINT."""
    message_type = stun.Method.BINDING | message_class
    message = struct.pack("!HHI12s", message_type, len(attributes), stun.COOKIE, transaction_id) + attributes
    if key is not None:
        message += _attribute(_MESSAGE_INTEGRITY, stun.message_integrity(message, key))
    message += _attribute(_FINGERPRINT, struct.pack("!I", stun.message_fingerprint(message)))
    return bytes(stun.set_body_length(message, len(message) - stun.HEADER_LENGTH))


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)
