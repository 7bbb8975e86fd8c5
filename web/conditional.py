"""Conditional requests and ranges (RFC 9110 §13 and §14). Pure: headers, an ETag and a length in, verdicts out.

ETags here are strong, and nothing has a Last-Modified, so that an `If-Range` with a date never holds.
"""

from __future__ import annotations

import re

from attrs import frozen
from starlette.datastructures import Headers

# A unit is case-insensitive (§14.1); more digits than these no file has.
_RANGE = re.compile(r"[Bb][Yy][Tt][Ee][Ss]=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*")


@frozen
class Part:
    """The bytes from `first` on, `length` of them."""

    first: int
    length: int


class NotSatisfiableError(Exception):
    """The range lies wholly outside (§15.5.17)."""


def unchanged(headers: Headers, etag: str) -> bool:
    """`If-None-Match` names it: 304 is the answer. Weak comparison (§13.1.2)."""
    asked = [tag.strip(" \t").removeprefix("W/") for tag in headers.get("if-none-match", "").split(",")]
    return etag in asked or asked == ["*"]


def part_asked(headers: Headers, etag: str, size: int) -> Part | None:
    """What to send of `size` bytes; None is the whole. Raises NotSatisfiableError.

    Of a header that is no range of bytes, or that has several, the whole is the answer too (§14.2 allows it).
    """
    if headers.get("if-range", etag) != etag:  # strong comparison (§13.1.5)
        return None
    found = _RANGE.fullmatch(headers.get("range", ""))
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:  # so many of the last
        length = min(int(found[2]), size)
        if not length:
            raise NotSatisfiableError
        return Part(size - length, length)
    first = int(found[1])
    if found[2] and int(found[2]) < first:
        return None
    if first >= size:
        raise NotSatisfiableError
    last = min(int(found[2]), size - 1) if found[2] else size - 1
    return Part(first, last - first + 1)
