"""The text of a session description without what is private in it: what may be written down of a page's offer.

Line by line: what `description.parse` acts on stays as it is, or is replaced by something that it takes in the same
way; anything else (labels of tracks, keys of RFC 4568, people's telephone numbers) is left out. So a description that
could be read still says the same, and one that could not fails in the same way.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from .description import CANDIDATE, CONNECTION, FINGERPRINT, LINE, MAX_SDP, ORIGIN

# Lines that stay, by their letter; and attributes that do.
_KEPT = frozenset("vmtbrz")
_KEPT_ATTRIBUTES = frozenset(
    {
        "end-of-candidates", "fmtp", "group", "ice-lite", "ice-ufrag", "inactive", "maxptime", "mid", "ptime",
        "recvonly", "rtcp-mux", "rtpmap", "sendonly", "sendrecv", "setup",
    }
)  # fmt: skip
# In place of what is left out: no value that anything is read from.
_NOTHING = "?"


@frozen
class Stand:
    """What stands in for a network address, for a name, for a secret, and for the digest of a certificate (given in
    upper case)."""

    address: Callable[[str], str]
    name: Callable[[str], str]
    secret: Callable[[str], str]
    digest: Callable[[str], str]


def without_private(text: str, stand: Stand) -> str:
    """`text` with what stands in for its private parts."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return "\ud800"  # cannot be encoded either
    if size > MAX_SDP:
        return _NOTHING * (MAX_SDP + 1)
    return "\n".join(_line(line, stand) for line in text.split("\n"))


def _line(line: str, stand: Stand) -> str:
    line, end = (line[:-1], "\r") if line.endswith("\r") else (line, "")
    found = LINE.fullmatch(line)
    if not found:
        return (_NOTHING if line else "") + end
    kind, value = found[1], found[2]
    return f"{kind}={_value(kind, value, stand)}{end}"


def _value(kind: str, value: str, stand: Stand) -> str:
    if kind in _KEPT:
        return value
    if kind == "a":
        name, _, rest = value.partition(":")
        if name in _KEPT_ATTRIBUTES:
            return value
        rest = _attribute(name, rest, stand)
        return f"{name}:{rest}" if rest else "-"
    if kind == "s":
        return stand.name(value)
    if kind == "o" and (found := ORIGIN.fullmatch(value)):
        return f"{stand.name(found[1])} {found[2]} {found[3]} IN {found[4]} {stand.address(found[5])}"
    if kind == "c" and (found := CONNECTION.fullmatch(value.rstrip(" "))):
        return f"IN {found[1]} {stand.address(found[2])}"
    return _NOTHING


def _attribute(name: str, value: str, stand: Stand) -> str:
    """What stands for the value of an attribute; empty where nothing is read from it."""
    match name:
        case "ice-pwd":
            return stand.secret(value) or _NOTHING
        case "fingerprint":
            found = FINGERPRINT.fullmatch(value)
            return f"{found[1]} {stand.digest(found[2].upper())}" if found else _NOTHING
        case "candidate":
            found = CANDIDATE.fullmatch(value)
            if not found:
                return _NOTHING
            return " ".join((*found.group(1, 2, 3, 4), stand.address(found[5]), found[6], "typ", found[7]))
        case _:
            return ""
