"""SIP over a stream of octets: whole messages out of what comes in pieces (RFC 3261 §7.5, §18.3).

A stream says where a message ends by Content-Length alone, so two readers that disagree about it read two different
messages. Whatever leaves any doubt breaks the stream: no Content-Length or two, a head without an end, a start that no
message has. What came before the break is given all the same: how the octets were cut on their way changes nothing.

    frames.feed(data) -> [b"INVITE ...", KEEP_ALIVE, ...]      frames.broken: why nothing is read any more, "" for well
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final, TypeAlias

# The head of a message; a carrier's INVITE is about 2 kB, and what has read so much without an end reads no SIP.
MAX_HEAD: Final = 65536
# A body; a session description is 0.3 kB. Together with its head it may still be too large to be served (513).
MAX_BODY: Final = 65536

_END: Final = b"\r\n\r\n"
# A line of its own that says the length, in full or compact (RFC 3261 §7.3.3), and what it says; a value may be folded.
_LENGTH = re.compile(rb"\r\n(?:content-length|l)[ \t]*:((?:[^\r\n]|\r\n[ \t])*)", re.IGNORECASE)
_DIGITS = re.compile(rb"[ \t\r\n]*([0-9]{1,10})[ \t\r\n]*")
# A method or "SIP/" begins with a letter, or with another character of a token (RFC 3261 §25.1)
_START = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~")


class KeepAlive(Enum):
    """A line end between two messages: half a ping, or a pong (RFC 5626 §4.4.1)."""

    CRLF = "\r\n"


KEEP_ALIVE: Final = KeepAlive.CRLF
Item: TypeAlias = bytes | KeepAlive


class Frames:
    """One direction of one connection."""

    def __init__(self) -> None:
        self.broken = ""
        self._buffer = bytearray()
        # of the message that is being read: how much of its head was searched, and its whole length once that is known
        self._searched = 0
        self._length = 0

    @property
    def partial(self) -> bool:
        """Whether a message has begun and not ended."""
        return len(self._buffer) > 0

    def feed(self, data: bytes) -> list[Item]:
        """What is whole now, in order. Raises nothing; a stream that is broken gives nothing more."""
        items: list[Item] = []
        if self.broken:
            return items
        self._buffer += data
        while (item := self._next()) is not None:
            items.append(item)
        return items

    def _break(self, reason: str) -> None:
        self.broken = reason
        self._buffer.clear()

    def _next(self) -> Item | None:
        buffer = self._buffer
        if not buffer:
            return None
        if buffer[0] not in _START:
            if buffer[:2] == b"\r\n":
                del buffer[:2]
                return KEEP_ALIVE
            if buffer[:1] != b"\r" or len(buffer) > 1:
                self._break("this is not SIP")
            return None
        if not self._length and not self._measure():
            return None
        if len(buffer) < self._length:
            return None
        message = bytes(buffer[: self._length])
        del buffer[: self._length]
        self._searched = self._length = 0
        return message

    def _measure(self) -> bool:
        """Reads the length of the message, once its head is there; False: not yet, or never."""
        buffer = self._buffer
        end = buffer.find(_END, self._searched, MAX_HEAD)
        if end < 0:
            self._searched = max(len(buffer) - len(_END) + 1, 0)
            if len(buffer) >= MAX_HEAD:
                self._break("the head of a message has no end")
            return False
        said = _LENGTH.findall(buffer[: end + 2])
        found = _DIGITS.fullmatch(said[0]) if len(said) == 1 else None
        if found is None:
            self._break("no Content-Length" if not said else "Content-Length is unclear")
            return False
        if int(found[1]) > MAX_BODY:
            self._break("the body of a message is too large")
            return False
        self._length = end + len(_END) + int(found[1])
        return True
