"""Messages that nobody wrote: good ones with spans changed, as an attacker's program makes them by the million."""

from __future__ import annotations

import re
from random import Random
from typing import Final

# What parsers stumble over: separators, line ends of every kind, digits that are none, lengths and limits.
WORDS: Final = (
    b"\r\n", b"\r", b"\n", b"\r\n ", b"\r\n\r\n", b"\x00", b"\x0b", b"\x1c", b"\x85", "\u2028".encode(),
    "\u0663".encode(), b"\xff", b"\xed\xa0\x80", b" ", b"\t", b";", b",", b":", b"@", b"<", b">", b'"', b"\\",
    b"%", b"%00", b"%0d%0a", b"[", b"]", b"=", b"?", b"-1", b"+5", b"1_0", b"0", b"4294967296",
    b"99999999999999999999", b"SIP/2.0", b"SIP/2.1", b"sip:", b"sips:", b"tel:", b";tag=", b";branch=z9hG4bK",
    b";rport", b";received=::1", b"z9hG4bK", b"Via: SIP/2.0/UDP h\r\n", b"v: SIP/2.0/TCP [::1]:1;rport\r\n",
    b"Content-Length: 0\r\n", b"l: 9\r\n", b"Require: x\r\n", b"Max-Forwards: 0\r\n", b"Expires: 0\r\n",
    b"Contact: *\r\n", b"Record-Route: <sip:a;lr>\r\n", b"Route: <sip:b>\r\n",
    b"Replaces: a;to-tag=b;from-tag=c\r\n", b"a=rtpmap:0 x/0\r\n", b"m=audio 0 RTP/AVP\r\n", b"c=IN IP4 0.0.0.0\r\n",
    b"INVITE", b"ACK", b"BYE", b"CANCEL", b"OPTIONS", b"INFO", b"PRACK", b"UPDATE", b"REFER",
)  # fmt: skip
# How many begin a transaction and a dialog of their own; the rest is heard as said again.
FRESH: Final = 0.7
_NUMBER: Final = re.compile(rb"[0-9]+")


class Mutator:
    """Gives another message each time, from those of `corpus`."""

    def __init__(self, rng: Random, corpus: tuple[bytes, ...]) -> None:
        self._rng = rng
        self._corpus = corpus
        self._serial = 0

    def message(self) -> bytes:
        rng = self._rng
        self._serial += 1
        data = rng.choice(self._corpus)
        if rng.random() < FRESH:
            data = data.replace(b"=z9hG4bK", b"=z9hG4bK%d-" % self._serial).replace(
                b"Call-ID: ", b"Call-ID: %d-" % self._serial
            )
        for _ in range(rng.choice((1, 1, 1, 1, 2, 4))):
            data = rng.choice((self._word, self._cut, self._flip, self._repeat, self._splice, self._line, self._count))(
                data
            )
        return data

    def _span(self, data: bytes, longest: int) -> tuple[int, int]:
        begin = self._rng.randint(0, len(data))
        return begin, min(len(data), begin + self._rng.randint(0, longest))

    def _word(self, data: bytes) -> bytes:
        begin, end = self._span(data, 12)
        return data[:begin] + self._rng.choice(WORDS) + data[end:]

    def _cut(self, data: bytes) -> bytes:
        begin, end = self._span(data, 40)
        return data[:begin] + data[end:]

    def _flip(self, data: bytes) -> bytes:
        at = self._rng.randrange(len(data) + 1)
        return data[:at] + bytes([self._rng.randrange(256)]) + data[at + 1 :]

    def _repeat(self, data: bytes) -> bytes:
        begin, end = self._span(data, 30)
        return data[:begin] + data[begin:end] * self._rng.choice((2, 3, 20)) + data[end:]

    def _splice(self, data: bytes) -> bytes:
        other = self._rng.choice(self._corpus)
        return data[: self._rng.randint(0, len(data))] + other[self._rng.randint(0, len(other)) :]

    def _line(self, data: bytes) -> bytes:
        """Takes a line out, says it again, or puts it elsewhere."""
        lines = data.split(b"\r\n")
        line = lines.pop(self._rng.randrange(len(lines)))
        for _ in range(self._rng.randrange(3)):
            lines.insert(self._rng.randint(0, len(lines)), line)
        return b"\r\n".join(lines)

    def _count(self, data: bytes) -> bytes:
        numbers = list(_NUMBER.finditer(data))
        if not numbers:
            return data
        found = self._rng.choice(numbers)
        return (
            data[: found.start()]
            + self._rng.choice((b"", b"0", b"-1", b"65536", b"2147483648", b"1" * 30))
            + data[found.end() :]
        )
