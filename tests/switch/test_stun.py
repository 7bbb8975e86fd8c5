"""STUN as ICE needs it: RFC 5769's vectors, and refusals by name."""

import struct

import pytest
from aioice import stun as codec
from cordboard.switch import stun
from hypothesis import given
from hypothesis import strategies as st

# RFC 5769 §2: the password of all three samples, the request (§2.1), the answers (§2.2, §2.3).
PASSWORD = b"VOkJxbRl1RmTxUk/WvJxBt"
REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae"
    "802200105354554e207465737420636c69656e74"
    "002400046e0001ff"
    "80290008932ff9b151263b36"
    "000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
    "80280004e57a3bcf"
)
ANSWER_4 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae"
    "8022000b7465737420766563746f7220"
    "002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7"
    "80280004c07d4c96"
)
ANSWER_6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae"
    "8022000b7465737420766563746f7220"
    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014a382954e4be67bf11784c97c8292c275bfe3ed41"
    "80280004c8fb0b4c"
)
SOFTWARE = bytes.fromhex("8022000b7465737420766563746f7220")


def rebuilt(attributes: bytes, key: bytes | None = PASSWORD, kind: codec.Class = codec.Class.REQUEST) -> bytes:
    return stun.build(kind, REQUEST[8:20], attributes, key)


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


USER = attribute(0x0006, b"evtj:h6vY")


def refusal(datagram: bytes) -> str:
    with pytest.raises(stun.RemoteStunError) as caught:
        stun.parse_request(datagram)
    return caught.value.reason


def test_the_sample_request_is_read_and_its_signature_holds() -> None:
    request = stun.parse_request(REQUEST)
    assert (request.local_ufrag, request.remote_ufrag) == ("evtj", "h6vY")
    assert request.priority == 0x6E0001FF
    assert request.controlled
    assert not request.use_candidate
    assert request.unknown == ()
    assert stun.authentic(request, PASSWORD)
    assert not stun.authentic(request, PASSWORD + b"x")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (("192.0.2.1", 32853, 0), ANSWER_4),
        (("2001:db8:1234:5678:11:2233:4455:6677", 32853, 0), ANSWER_6),
    ],
)
def test_the_sample_answers_are_made(address: stun.Address, expected: bytes) -> None:
    mapped = codec.pack_xor_address(address[:2], REQUEST[8:20])
    assert rebuilt(SOFTWARE + attribute(0x0020, mapped), kind=codec.Class.RESPONSE) == expected
    # Ours is the same less SOFTWARE.
    answer = codec.parse_message(stun.success(stun.parse_request(REQUEST), address, PASSWORD))
    assert answer.attributes["XOR-MAPPED-ADDRESS"] == address[:2]
    assert answer.check_message_integrity(PASSWORD)


def test_an_unknown_attribute_that_must_be_known_is_named_in_the_420() -> None:
    request = stun.parse_request(rebuilt(USER + attribute(0x7F01, b"abc") + attribute(0xC057, b"goog")))
    assert request.unknown == (0x7F01,)
    answer = stun.error(request, 420, PASSWORD)
    assert answer[20:].startswith(attribute(0x0009, b"\0\0\4\x14Unknown Attribute") + attribute(0x000A, b"\x7f\x01"))
    assert codec.parse_message(answer).check_message_integrity(PASSWORD)


def test_what_follows_the_signature_is_ignored() -> None:
    signed = codec.message_integrity(codec.set_body_length(REQUEST[:20] + USER, len(USER)), PASSWORD)
    after = USER + attribute(0x0008, signed) + attribute(0x0025, b"") + attribute(0x7F01, b"")
    request = stun.parse_request(rebuilt(after, key=None))
    assert not request.use_candidate
    assert request.unknown == ()


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (b"", "stun_length"),
        (REQUEST[:19], "stun_length"),
        (rebuilt(USER + attribute(0x8022, bytes(1300))), "stun_length"),
        (REQUEST[:-4], "stun_header"),
        (REQUEST + bytes(4), "stun_header"),
        (REQUEST[:4] + b"\0\0\0\0" + REQUEST[8:], "stun_header"),
        (rebuilt(b"", key=None, kind=codec.Class.INDICATION), "stun_indication"),
        (ANSWER_4, "stun_method"),
        (codec.set_body_length(REQUEST[:20], 0), "stun_fingerprint"),
        (codec.set_body_length(REQUEST[:-8], len(REQUEST) - 28), "stun_fingerprint"),
        (REQUEST[:-1] + b"\0", "stun_fingerprint"),
        (REQUEST[:30] + b"?" + REQUEST[31:], "stun_fingerprint"),
        (rebuilt(USER + USER), "stun_attribute"),
        (rebuilt(USER + attribute(0x0024, b"abc")), "stun_attribute"),
        (rebuilt(USER + attribute(0x8028, bytes(4))), "stun_attribute"),
        (rebuilt(USER + b"\x80\x22\xff\xff"), "stun_attribute"),
        (rebuilt(USER + b"\x7f\x01\x00\x40", key=None), "stun_attribute"),
        (rebuilt(attribute(0x0006, b"\xff\xfe:x")), "stun_attribute"),  # no UTF-8
        (rebuilt(attribute(0x0001, b"") + USER), "stun_attribute"),  # known to the codec, and broken
        (rebuilt(USER, key=None), "stun_no_credentials"),
        (rebuilt(b""), "stun_no_credentials"),
        (rebuilt(attribute(0x0006, b"evtj")), "stun_username"),
        (rebuilt(attribute(0x0006, b"a:" + b"b" * 507)), "stun_username"),
    ],
)
def test_refusals_have_names(datagram: bytes, reason: str) -> None:
    assert refusal(datagram) == reason


@given(st.binary(min_size=20, max_size=200))
def test_a_look_for_the_name_takes_any_bytes(garbage: bytes) -> None:
    stun.named(garbage)


def test_whom_a_request_names() -> None:
    assert stun.named(REQUEST) == b"evtj"
    assert stun.named(rebuilt(SOFTWARE)) == b""


@given(st.binary(max_size=200), st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=30)), max_size=6))
def test_no_bytes_raise_anything_else(garbage: bytes, attributes: list[tuple[int, bytes]]) -> None:
    body = b"".join(attribute(kind, value) for kind, value in attributes)
    for datagram in (garbage, rebuilt(body), rebuilt(USER + body), rebuilt(garbage[: len(garbage) // 4 * 4], key=None)):
        try:
            request = stun.parse_request(datagram)
        except stun.RemoteStunError:
            continue
        assert stun.named(datagram) == request.local_ufrag.encode()
        stun.authentic(request, PASSWORD)
        stun.error(request, 420, PASSWORD)
