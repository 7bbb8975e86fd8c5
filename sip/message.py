"""A SIP message: one datagram parsed once into frozen types, and back to bytes (RFC 3261 §7, §20, §25).

`parse(datagram)` gives a `Request` or a `Response`. What every later stage needs (top Via, From, To, Call-ID, CSeq) is
typed here; the other header fields stay as rows `(canonical name, raw value)` and are read by whoever needs them, so
that what we echo is byte for byte what came. Text is UTF-8 with surrogate escapes for the same reason; `clean` makes
text for people out of it.

Input is hostile: the bytes meet ASCII regular expressions only (Python's `strip`, `int` and `splitlines` accept more
than the RFC does), every size has a named limit, and whatever is wrong raises `RemoteSipError` with the status that
answers it. Where enough of the head was readable to answer at all, the error carries it (`head`), and `refusal` makes
the answer.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TypeAlias

from attrs import frozen

from .grammar import (
    TOKEN,
    Address,
    LocalSipError,
    NameAddr,
    Params,
    RemoteSipError,
    Uri,
    Via,
    bracket,
    clean,
    parse_params,
    quote,
    split_list,
    unescape,
)

__all__ = [
    "MAGIC_COOKIE", "MAX_CSEQ", "MAX_DATAGRAM", "MAX_HEADER", "MAX_HEADERS", "MAX_VIAS", "PHRASES",
    "Address", "Head", "LocalSipError", "Message", "NameAddr", "Params", "RemoteSipError", "Request", "Response", "Row",
    "Uri", "Via", "bracket", "clean", "parse", "parse_params", "quote", "refusal", "reply_address", "reply_otherwise",
    "respond",
    "serialise", "split_list", "unescape",
]  # fmt: skip

# A UDP datagram carries no more.
MAX_DATAGRAM = 65535
# RFC 4475 torture messages hold up to 40 rows; a carrier's INVITE about 25. More than this is an attack on our time.
MAX_HEADERS = 128
# One header field unfolded, in characters.
MAX_HEADER = 8192
# Each hop adds one Via and Max-Forwards starts at 70 (RFC 3261 §8.1.1.6).
MAX_VIAS = 70
# RFC 3261 §8.1.1.5: less than 2**31.
MAX_CSEQ = 2**31 - 1
# RFC 3261 §8.1.1.7: a branch that begins so is unique over space and time.
MAGIC_COOKIE = "z9hG4bK"

Row: TypeAlias = tuple[str, str]


# A control character is legal only as a quoted pair (RFC 3261 §25.1); TAB, CR and LF are dealt with line by line.
_CONTROL = re.compile(r"(?<!\\)[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# No pattern here may look at the same run of blanks twice: a datagram holds 64 kB of them.
_FOLD = re.compile(r"\r\n[ \t]+")
_NAME = re.compile(TOKEN, re.ASCII)
_REQUEST_LINE = re.compile(rf"({TOKEN}) ([^ \t\"<>]+) [Ss][Ii][Pp]/([0-9]+\.[0-9]+)", re.ASCII)
# The method of what means to be a request, whatever is wrong with its first line.
_ASKED = re.compile(rf"({TOKEN})[ \t]", re.ASCII)
_STATUS_LINE = re.compile(r"[Ss][Ii][Pp]/2\.0 ([1-6][0-9][0-9])(?: ([^\r\n]*))?", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,10}", re.ASCII)
_CSEQ = re.compile(rf"([0-9]{{1,10}})[ \t]+({TOKEN})", re.ASCII)
_CALL_ID = re.compile(r"[^ \t@\x00-\x1f\x7f]+(?:@[^ \t@\x00-\x1f\x7f]+)?")
_CANONICAL = [
    "Accept", "Accept-Encoding", "Accept-Language", "Alert-Info", "Allow", "Authentication-Info", "Authorization",
    "Call-ID", "Call-Info", "Contact", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Length",
    "Content-Type", "CSeq", "Date", "Diversion", "Error-Info", "Event", "Expires", "From", "History-Info",
    "In-Reply-To", "Max-Forwards", "MIME-Version", "Min-Expires", "Min-SE", "Organization", "P-Asserted-Identity",
    "P-Called-Party-ID", "P-Preferred-Identity", "Priority", "Privacy", "Proxy-Authenticate", "Proxy-Authorization",
    "Proxy-Require", "RAck", "Reason", "Record-Route", "Refer-Sub", "Refer-To", "Referred-By", "Replaces", "Reply-To",
    "Require", "Retry-After", "Route", "RSeq", "Server", "Session-Expires", "Subject", "Subscription-State",
    "Supported", "Timestamp", "To", "Unsupported", "User-Agent", "Via", "Warning", "WWW-Authenticate",
]  # fmt: skip
# RFC 3261 §7.3.3 and the IANA registry of compact forms.
_COMPACT = {
    "c": "Content-Type", "e": "Content-Encoding", "f": "From", "i": "Call-ID", "k": "Supported", "l": "Content-Length",
    "m": "Contact", "s": "Subject", "t": "To", "v": "Via", "r": "Refer-To", "b": "Referred-By", "x": "Session-Expires",
    "o": "Event",
}  # fmt: skip
_NAMES = (
    {name: name for name in _CANONICAL}
    | {name.lower(): name for name in _CANONICAL}
    | _COMPACT
    | {short.upper(): name for short, name in _COMPACT.items()}
)
# What may stand once only; a second one makes the message ambiguous, and two elements would read it differently.
_SINGLE = frozenset({"Call-ID", "CSeq", "From", "To", "Content-Length", "Content-Type", "Max-Forwards"})

PHRASES = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress", 200: "OK",
    202: "Accepted", 300: "Multiple Choices", 301: "Moved Permanently", 302: "Moved Temporarily", 400: "Bad Request",
    401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable",
    407: "Proxy Authentication Required", 408: "Request Timeout", 410: "Gone", 413: "Request Entity Too Large",
    414: "Request-URI Too Long", 415: "Unsupported Media Type", 416: "Unsupported URI Scheme", 420: "Bad Extension",
    422: "Session Interval Too Small", 423: "Interval Too Brief", 480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 483: "Too Many Hops", 484: "Address Incomplete",
    485: "Ambiguous", 486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here", 491: "Request Pending",
    493: "Undecipherable", 500: "Server Internal Error", 501: "Not Implemented", 502: "Bad Gateway",
    503: "Service Unavailable", 504: "Server Time-out", 505: "Version Not Supported", 513: "Message Too Large",
    600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere", 606: "Not Acceptable",
}  # fmt: skip


class _Fields:
    """Reading header fields by their canonical names."""

    __slots__ = ()
    rows: tuple[Row, ...]

    def get(self, name: str) -> str | None:
        """The first value of a header field."""
        for key, value in self.rows:
            if key == name:
                return value
        return None

    def values(self, name: str) -> list[str]:
        """The values of all its rows."""
        return [value for key, value in self.rows if key == name]

    def items(self, name: str) -> list[str]:
        """All values of a list header field over all its rows. Raises RemoteSipError(400)."""
        found: list[str] = []
        for key, value in self.rows:
            if key == name and value:
                found += split_list(value)
        return found


@frozen
class Head(_Fields):
    """The head of a message as rows, before anything is typed."""

    start: str
    rows: tuple[Row, ...]


@frozen
class Request(_Fields):
    """A request; `uri` is raw. `rows` holds every header field but Content-Length."""

    method: str
    uri: str
    rows: tuple[Row, ...]
    body: bytes
    via: Via
    from_: NameAddr
    to: NameAddr
    call_id: str
    cseq: int

    def __bytes__(self) -> bytes:
        return serialise(f"{self.method} {self.uri} SIP/2.0", self.rows, self.body)


@frozen
class Response(_Fields):
    """A response. `method` and `cseq` are those of its CSeq."""

    status: int
    phrase: str
    rows: tuple[Row, ...]
    body: bytes
    via: Via
    from_: NameAddr
    to: NameAddr
    call_id: str
    cseq: int
    method: str

    def __bytes__(self) -> bytes:
        return serialise(f"SIP/2.0 {self.status} {self.phrase}", self.rows, self.body)


Message: TypeAlias = Request | Response


def parse(datagram: bytes, *, ours: bool = False) -> Message:
    """The one door for wire bytes. Raises RemoteSipError, with `head` when the request can be answered. What is `ours`
    was made by `bytes` of a message that had passed: written out it may be over the limits, and is let in."""
    head, body = _split(datagram, limited=not ours)
    try:
        return _typed(head, body)
    except RemoteSipError as error:
        error.head = head
        raise


def _split(datagram: bytes, *, limited: bool) -> tuple[Head, bytes]:
    if limited and len(datagram) > MAX_DATAGRAM:
        raise RemoteSipError("datagram too large", 513)
    # empty lines before the start line are ignored (RFC 3261 §7.5)
    raw, blank, body = datagram.lstrip(b"\r\n").partition(b"\r\n\r\n")
    if not blank:
        raise RemoteSipError("no end of the head")
    text = raw.decode("utf-8", "surrogateescape")
    if _CONTROL.search(text):
        raise RemoteSipError("control character in the head")
    if "\r\n " in text or "\r\n\t" in text:
        text = _FOLD.sub(" ", text)
    start, *lines = text.split("\r\n")
    if not text.count("\r") == text.count("\n") == len(lines):
        raise RemoteSipError("bare CR or LF")
    if limited and len(lines) > MAX_HEADERS:
        raise RemoteSipError("too many header fields")
    long = limited and len(text) > MAX_HEADER and max(map(len, lines), default=0) > MAX_HEADER
    if long:
        lines = [line for line in lines if len(line) <= MAX_HEADER]
    rows: list[Row] = []
    for line in lines:
        name, colon, value = line.partition(":")
        known = _NAMES.get(name)
        if known is None:
            name = name.rstrip(" \t")
            if not colon or not _NAME.fullmatch(name):
                raise RemoteSipError("bad header field")
            known = _NAMES.get(name.lower()) or name.title()
        value = value.strip(" \t")
        if known == "Via" and "," in value:
            rows += [(known, item) for item in _vias(value)]
        else:
            rows.append((known, value))
    if long:
        raise RemoteSipError("header field too long", head=Head(start, tuple(rows)))
    return Head(start, tuple(rows)), body


def _vias(value: str) -> list[str]:
    """One row for each Via; what cannot be told apart stays as it is, and is refused by who reads it."""
    try:
        return split_list(value)
    except RemoteSipError:
        return [value]


def _typed(head: Head, body: bytes) -> Message:
    line = _REQUEST_LINE.fullmatch(head.start)
    if line and line[3] != "2.0":
        raise RemoteSipError("SIP version is not 2.0", 505)
    found: dict[str, str] = {}
    vias = 0
    for name, value in head.rows:
        if name in found:
            if name in _SINGLE:
                raise RemoteSipError(f"{name} twice")
        else:
            found[name] = value
        if name == "Via":
            vias += 1
    if vias > MAX_VIAS:
        raise RemoteSipError("too many Via", 483)
    for name in ("Via", "From", "To", "Call-ID", "CSeq"):
        if name not in found:
            raise RemoteSipError(f"no {name}")
    via = Via.parse(found["Via"])
    from_ = NameAddr.parse(found["From"])
    to = NameAddr.parse(found["To"])
    call_id = found["Call-ID"]
    if not _CALL_ID.fullmatch(call_id):
        raise RemoteSipError("bad Call-ID")
    cseq = _CSEQ.fullmatch(found["CSeq"])
    if not cseq or int(cseq[1]) > MAX_CSEQ:
        raise RemoteSipError("bad CSeq")
    rows = head.rows
    if "Content-Length" in found:
        length = found["Content-Length"]
        if not _DIGITS.fullmatch(length):
            raise RemoteSipError("bad Content-Length")
        if int(length) > len(body):
            # RFC 3261 §18.3: the datagram ends before the body does
            raise RemoteSipError("body shorter than Content-Length")
        body = body[: int(length)]
        rows = tuple([row for row in rows if row[0] != "Content-Length"])
    if status := _STATUS_LINE.fullmatch(head.start):
        return Response(int(status[1]), status[2] or "", rows, body, via, from_, to, call_id, int(cseq[1]), cseq[2])
    if not line:
        raise RemoteSipError("bad start line")
    if line[1] != cseq[2]:
        raise RemoteSipError("method of CSeq is another")
    forwards = found.get("Max-Forwards")
    if forwards is not None and (not _DIGITS.fullmatch(forwards) or int(forwards) > 255):
        raise RemoteSipError("bad Max-Forwards")
    return Request(line[1], line[2], rows, body, via, from_, to, call_id, int(cseq[1]))


def serialise(start: str, rows: tuple[Row, ...] | list[Row], body: bytes) -> bytes:
    """Start line, rows, Content-Length, body: the one door to the wire. Raises LocalSipError for text with a line break
    in it: it would be a header field of its own."""
    head = "".join([f"{name}: {value}\r\n" for name, value in rows])
    if "\r" in start or "\n" in start or not head.count("\r") == head.count("\n") == len(rows):
        raise LocalSipError("a line break in a header field")
    return f"{start}\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode("utf-8", "surrogateescape") + body


def respond(
    request: Request,
    status: int,
    source: Address,
    *,
    tag: str | None = None,
    phrase: str | None = None,
    rows: tuple[Row, ...] = (),
    body: bytes = b"",
) -> Response:
    """A response to `request` that came from `source` (RFC 3261 §8.2.6): Via, From, To (with `tag`), Call-ID and CSeq
    echoed, and of a 100 Timestamp (§8.2.6.1)."""
    to = request.to
    if tag is not None and to.tag is None:
        to = NameAddr(to.display, to.uri, (*to.params, ("tag", tag)))
    vias = [("Via", request.via.stamped(source))]
    first = True
    from_row, to_row, call_row, cseq_row = ("From", ""), ("To", ""), ("Call-ID", request.call_id), ("CSeq", "")
    for row in request.rows:
        name = row[0]
        if name == "Via":
            if not first:
                vias.append(row)
            first = False
        elif name == "From":
            from_row = row
        elif name == "To":
            to_row = row if to is request.to else ("To", f"{row[1]};tag={tag}")
        elif name == "CSeq":
            cseq_row = row
        elif name == "Timestamp" and status == 100:
            rows = (*rows, row)
    return Response(
        status,
        PHRASES.get(status, "Unknown") if phrase is None else phrase,
        (*vias, from_row, to_row, call_row, cseq_row, *rows),
        body,
        Via.parse(vias[0][1]) if vias[0][1] != request.via.text else request.via,
        request.from_,
        to,
        request.call_id,
        request.cseq,
        request.method,
    )


def reply_address(via: Via, source: Address) -> Address:
    """Where a response goes: the connection of its request; by UDP the source, at its port if the client asked for it
    (RFC 3581 §4), else at Via's (RFC 3261 §18.2.2)."""
    if source.reliable or via.rport:
        return source
    return Address.at(source.host, via.port, source.transport)


def reply_otherwise(via: Via, source: Address) -> Address | None:
    """Where a connection is opened for a response whose own is gone: the source at Via's port (RFC 3261 §18.2.2)."""
    return Address.at(source.host, via.port, source.transport) if source.reliable else None


def refusal(error: RemoteSipError, source: Address, tag: str) -> tuple[bytes, Address] | None:
    """The stateless answer to a request that could not be parsed, or None where nobody can be answered. What the
    request had not is missing in the answer too (RFC 4475 §3.3.1)."""
    head = error.head
    if head is None or not (asked := _ASKED.match(head.start)) or asked[1] == "ACK":
        return None
    rows: list[Row] = []
    for name in ("Via", "From", "To", "Call-ID", "CSeq"):
        values = head.values(name)
        rows.extend((name, value) for value in (values if name == "Via" else values[:1]))
    if not rows or rows[0][0] != "Via":
        return None
    way = source
    with suppress(RemoteSipError):  # with a Via that cannot be read it goes to where the request came from
        via = Via.parse(rows[0][1])
        rows[0], way = ("Via", via.stamped(source)), reply_address(via, source)
    rows = [(n, v if n != "To" or "tag=" in v.lower() else f"{v};tag={tag}") for n, v in rows]
    return serialise(f"SIP/2.0 {error.status} {PHRASES[error.status]} ({error.text})", rows, b""), way
