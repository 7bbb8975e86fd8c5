"""What a parser costs grows as what it reads: eight times as much is not 24 times as dear, whatever is in it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import pytest
from cordboard.sip import grammar, sdp
from cordboard.sip.description import MAX_SDP
from cordboard.sip.digest import Challenge
from cordboard.sip.grammar import NameAddr, RemoteSipError, Via, clean, parse_params, split_list, unescape
from cordboard.sip.message import MAX_DATAGRAM, MAX_HEADER, parse
from cordboard.sip.screening import caller_of
from cordboard.sip.stream import Frames

# Linear is 8 and quadratic 64.
MOST: Final = 24.0
# As often as it is measured again where it seemed to be too much: another process had the processor.
TRIES: Final = 6
# What must be spent on a reading to measure it, in seconds.
LEAST: Final = 0.0005
# A reading that is done so soon is not quadratic: that of 8 kB takes 30 ms, at a nanosecond a step.
SOON: Final = 0.001

HEAD: Final = (
    b"INVITE sip:600@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1\r\nFrom: <sip:1@h>;tag=1\r\n"
    b"To: <sip:600@192.0.2.1>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n"
)
# Runs of what expressions loop over.
UNITS: Final = (
    " ", "\t", ",", ";", "a", '"', "\\", "<", ">", ":", "@", "%", "%4", "%41", "=", "[", "0", "é", " ;", ";a", ";a=",
    ';a="', '"\\', '\\"', "a,", ", ", '"a"', '"a",', "<a>,", "<a", "a ", " a", "::", "a=b;", "()", "(", "\udc80",
)  # fmt: skip
STARTS: Final = ("SIP/2.0/UDP h", "<sip:a@b>", "sip:a@", '"', "tel:", "a")
ENDS: Final = ("", "\x7f")


def caller(text: str) -> None:
    message = parse(HEAD + f"P-Asserted-Identity: {text}\r\nPrivacy: {text}\r\n\r\n".encode("utf-8", "surrogateescape"))
    caller_of(message)  # type: ignore[arg-type]


READERS: Final[dict[str, Callable[[str], object]]] = {
    "Via": Via.parse,
    "NameAddr": NameAddr.parse,
    "Uri": grammar._uri.__wrapped__,  # each time anew
    "parameters": lambda text: parse_params(text, 0),
    "list": split_list,
    "unescape": unescape,
    "clean": clean,
    "caller": caller,
    "challenge": lambda text: Challenge.parse(f"Digest {text}"),
}


def measured(read: Callable[[], object]) -> float:
    """Seconds of one reading."""
    times, taken = 1, 0.0
    while True:
        begin = time.thread_time()
        for _ in range(times):
            with suppress(RemoteSipError):
                read()
        taken = time.thread_time() - begin
        if taken >= LEAST:
            return taken / times
        times = max(2 * times, int(1.2 * times * LEAST / max(taken, LEAST / 100)))


def assert_linear(what: str, short: Callable[[], object], long: Callable[[], object]) -> None:
    begin = time.thread_time()
    with suppress(RemoteSipError):
        long()
    if time.thread_time() - begin < SOON:
        return
    few, many = measured(short), measured(long)
    for _ in range(TRIES):
        if many < MOST * few:
            return
        few, many = max(few, measured(short)), min(many, measured(long))
    raise AssertionError(f"{what}: {many / few:.0f} times as dear for eight times as much")


@pytest.mark.parametrize("name", READERS)
def test_a_value_of_a_header_field(name: str) -> None:
    reader = READERS[name]
    size = MAX_HEADER // 8 - 20
    for unit in UNITS:
        for start in STARTS:
            text = start + unit * (size // len(unit))
            eight = start + unit * (8 * size // len(unit))
            for end in ENDS:
                assert_linear(
                    f"{name} of {start!r}, {unit!r}, {end!r}",
                    lambda value=text + end: reader(value),  # type: ignore[misc]
                    lambda value=eight + end: reader(value),  # type: ignore[misc]
                )


@pytest.mark.parametrize(
    "line",
    [b"X: y\r\n", b"\r\n ", b" \r\n", b"Via: SIP/2.0/UDP h\r\n", b"Route: <sip:a>,\r\n", b"a", b"\r\n", b"\n",
     b"\\\x01", b"\xff", b"Contact: <sip:a>\r\n ,\r\n", b"l: 1\r\n", b":"],
)  # fmt: skip
def test_a_datagram_and_a_stream(line: bytes) -> None:
    size = MAX_DATAGRAM // 8 - len(HEAD)
    short, long = (HEAD + line * (n * size // len(line)) + b"\r\n\r\n" for n in (1, 8))
    assert_linear(f"datagram of {line!r}", lambda: parse(short), lambda: parse(long))
    assert_linear(f"stream of {line!r}", lambda: Frames().feed(short), lambda: Frames().feed(long))
    assert_linear(f"slow stream of {line!r}", lambda: trickled(short), lambda: trickled(long))


def trickled(data: bytes) -> None:
    """As it comes in small pieces: what was searched is not searched again."""
    frames = Frames()
    for at in range(0, len(data), 50):
        frames.feed(data[at : at + 50])


@pytest.mark.parametrize(
    "line",
    [b"a=sendrecv\r\n", b"m=audio 1 RTP/AVP 0\r\n", b"a=rtpmap:0 PCMU/8000\r\n", b"\n", b"a=fmtp:0 x\r\n",
     b"c=IN IP4 1.2.3.4\r\n", b"a=candidate:1 1 udp 1 1.2.3.4 5 typ host\r\n", b"a", b" ", b"a=group:BUNDLE 0\r\n"],
)  # fmt: skip
def test_a_session_description(line: bytes) -> None:
    head = b"v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
    size = min(MAX_SDP // 8 - len(head), 100 * len(line))
    short, long = (head + line * (n * size // len(line)) for n in (1, 8))
    assert_linear(f"description of {line!r}", lambda: sdp.parse(short), lambda: sdp.parse(long))
