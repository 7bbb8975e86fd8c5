"""Framing: whatever pieces a stream comes in, it holds the same messages, and a doubt ends it."""

from __future__ import annotations

import itertools

import pytest
from cordboard.sip.stream import KEEP_ALIVE, MAX_BODY, MAX_HEAD, Frames, Item
from hypothesis import example, given
from hypothesis import strategies as st


def message(body: bytes = b"", length: str | None = None, name: str = "Content-Length") -> bytes:
    said = f"{name}: {len(body) if length is None else length}\r\n"
    return f"OPTIONS sip:600@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.2\r\n{said}\r\n".encode() + body


def read(*pieces: bytes) -> tuple[list[Item], str]:
    frames = Frames()
    return [item for piece in pieces for item in frames.feed(piece)], frames.broken


BROKEN = [
    (b"\x16\x03\x01\x02\x00\x01", "this is not SIP"),
    (b"\rINVITE", "this is not SIP"),
    (b"\nINVITE", "this is not SIP"),
    (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "no Content-Length"),
    (message(length="4x"), "Content-Length is unclear"),
    (message(length="-1"), "Content-Length is unclear"),
    (message(length="+1"), "Content-Length is unclear"),
    (message(length="1, 2"), "Content-Length is unclear"),
    (message(length=""), "Content-Length is unclear"),
    (message(length="4\r\nContent-Length: 5"), "Content-Length is unclear"),
    (message(length="4\r\nl: 4"), "Content-Length is unclear"),
    (message(length="\u0664"), "Content-Length is unclear"),
    (message(length=str(MAX_BODY + 1)), "the body of a message is too large"),
    (b"INVITE " + b"x" * MAX_HEAD, "the head of a message has no end"),
]
parts = st.one_of(
    st.binary(max_size=300).map(message),
    st.sampled_from([b"\r\n", b"\r\n\r\n", message(b"v=0", name="l"), message(b"v=0", name="CONTENT-LENGTH ")]),
    st.sampled_from([bad for bad, _ in BROKEN[:-1]]),
)


@given(st.lists(parts, max_size=8).map(b"".join), st.lists(st.integers(0, 2000), max_size=20))
@example(message(b"\r\n\r\n") + b"\r\n" + message(), [0, 1, 2])
def test_any_split_gives_the_same_messages(stream: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[begin:end] for begin, end in itertools.pairwise(edges)]
    whole = read(stream)
    assert read(*pieces) == whole
    assert read(*(stream[at : at + 1] for at in range(len(stream)))) == whole
    items, broken = whole
    given_back = b"".join(b"\r\n" if item is KEEP_ALIVE else item for item in items)
    assert stream.startswith(given_back)
    if not broken:
        # what is not given back yet is no whole message
        assert read(stream[len(given_back) :])[0] == []


@given(st.binary(max_size=2000))
def test_octets_that_nobody_chose_break_nothing_but_the_stream(data: bytes) -> None:
    items, _ = read(data)
    assert sum(2 if item is KEEP_ALIVE else len(item) for item in items) <= len(data)


@pytest.mark.parametrize(("stream", "reason"), BROKEN, ids=[reason for _, reason in BROKEN])
def test_a_doubt_ends_the_stream_and_what_came_before_it_counts(stream: bytes, reason: str) -> None:
    good = message(b"v=0\r\n")
    assert read(good + b"\r\n" + stream + good) == ([good, KEEP_ALIVE], reason)
    frames = Frames()
    frames.feed(good + stream)
    assert frames.feed(good) == []
    assert not frames.partial


def test_a_folded_length_and_a_body_that_looks_like_a_head() -> None:
    folded = message(b"12345", length="\r\n\t 5")
    deceptive = message(b"INVITE x\r\nContent-Length: 9\r\n\r\n")
    hidden = message(b"1234", length="4\r\nSubject: a\r\n Content-Length: 9")
    assert read(folded + deceptive + hidden) == ([folded, deceptive, hidden], "")


def test_the_largest_head_and_body_pass() -> None:
    head = b"INVITE sip:x SIP/2.0\r\nContent-Length: %d\r\nSubject: " % MAX_BODY
    largest = head + b"x" * (64 * 1024 - len(head) - 4) + b"\r\n\r\n" + b"y" * MAX_BODY
    assert read(largest) == ([largest], "")
    assert read(largest.replace(b"x\r\n\r\n", b"xx\r\n\r\n"))[1] == "the head of a message has no end"
