"""What a body holds for us: a session description, alone or among parts that are for others (RFC 3261 §7.4.1, RFC
5621).

Networks put more into an INVITE than the description: what a telephone exchange says (`application/isup`, RFC 3204),
where the caller is (`application/pidf+xml`). Such a part is passed over, unless it says that it must be understood
(`handling=required`, RFC 5621 §8); a body that is nothing else must be, unless it says that it need not.

The parts of a multipart are cut at its boundary (RFC 2046 §5.1.1). Input is hostile: parts, their headers and their
nesting have limits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from attrs import frozen

from .message import RemoteSipError, Request, Response

# A call has a description, an exchange's word and a place. More parts, or boxes in boxes, are an attack on our time.
MAX_PARTS: Final = 16
MAX_DEPTH: Final = 3
# The head of one part, in octets: a type, a disposition, an id.
MAX_PART_HEAD: Final = 2048

_KIND = re.compile(r"[ \t]*([A-Za-z0-9!#$&^_.+\-]{1,127})[ \t]*/[ \t]*([A-Za-z0-9!#$&^_.+\-]{1,127})[ \t]*(?=;|$)")
# RFC 2046 §5.1.1: up to 70 characters. Some write those that want quotes without.
_BOUNDARY = re.compile(r';[ \t]*boundary[ \t]*=[ \t]*(?:"([^"\\\x00-\x1f]{1,70})"|([^ \t;"]{1,70}))', re.IGNORECASE)
_DISPOSITION = re.compile(r"[ \t]*([A-Za-z0-9\-]{1,40})[ \t]*(?=;|$)")
_HANDLING = re.compile(r";[ \t]*handling[ \t]*=[ \t]*\"?(optional|required)(?![A-Za-z0-9\-])", re.IGNORECASE)
_PLAIN = frozenset({"", "identity", "7bit", "8bit", "binary"})


@frozen
class _Part:
    """`codings` are its Content-Encoding and Content-Transfer-Encoding."""

    kind: str
    disposition: str
    codings: tuple[str, ...]
    body: bytes


def session_in(message: Request | Response) -> bytes | None:
    """The octets of the session description, None where there is none. Raises RemoteSipError: 415 for what must be
    understood and is not, 400 for a multipart that cannot be taken apart."""
    if not message.body:
        return None
    kind, disposition = message.get("Content-Type") or "", message.get("Content-Disposition") or ""
    codings = (message.get("Content-Encoding") or "",)
    return _session(_Part(kind, disposition, codings, message.body), MAX_DEPTH, required=True)


def _session(part: _Part, depth: int, *, required: bool) -> bytes | None:
    """`required`: where it says nothing of that (RFC 3261 §20.11)."""
    found = _KIND.match(part.kind)
    kind, subkind = (found[1].lower(), found[2].lower()) if found else ("", "")
    plain = all(each.strip(" \t").lower() in _PLAIN for each in part.codings)
    if (kind, subkind) == ("application", "sdp") and _is_session(part):
        if plain:
            return part.body
        required = True
    if kind == "multipart" and plain and depth:
        inside = [_session(each, depth - 1, required=False) for each in _parts(part)]
        sessions = [each for each in inside if each is not None]
        if sessions:
            # RFC 2046 §5.1.4: the last of alternatives is the best
            return sessions[-1 if subkind == "alternative" else 0]
        return None
    handling = _HANDLING.search(part.disposition)
    if handling[1].lower() == "required" if handling else required:
        raise RemoteSipError("Content-Type", 415)
    return None


def _is_session(part: _Part) -> bool:
    """A description may also be of something else, as of an early session (RFC 3959)."""
    said = _DISPOSITION.match(part.disposition)
    return said is None or said[1].lower() == "session"


def _parts(whole: _Part) -> Iterator[_Part]:
    """Raises RemoteSipError."""
    said = _BOUNDARY.search(whole.kind)
    if said is None:
        raise RemoteSipError("multipart without a boundary")
    line = b"\r\n--" + (said[1] or said[2]).rstrip(" ").encode("utf-8", "surrogateescape")
    # what is before the first line, and behind the last, is for nobody (RFC 2046 §5.1.1)
    _, *pieces = (b"\r\n" + whole.body).split(line, MAX_PARTS + 1)
    if not pieces:
        raise RemoteSipError("multipart without its boundary")
    for piece in pieces:
        if piece.startswith(b"--"):
            return
        blank, end, inside = piece.partition(b"\r\n")
        if blank.strip(b" \t") or not end:
            raise RemoteSipError("bad boundary of a multipart")
        yield _part(inside)
    raise RemoteSipError("multipart without an end")


def _part(inside: bytes) -> _Part:
    head, blank, body = (b"\r\n" + inside).partition(b"\r\n\r\n")
    if not blank or len(head) > MAX_PART_HEAD:
        raise RemoteSipError("bad part of a multipart")
    fields: dict[str, str] = {}
    for line in head.decode("utf-8", "surrogateescape").replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(" \t").lower(), value)
    codings = fields.get("content-encoding", ""), fields.get("content-transfer-encoding", "")
    # RFC 2046 §5.1: what says nothing is text, which is none of ours
    return _Part(fields.get("content-type", ""), fields.get("content-disposition", ""), codings, body)
