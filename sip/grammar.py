"""The grammar of what header fields hold: URIs, Via, name-addr, parameters, lists (RFC 3261 §19, §20, §25).

Each type has one `parse`, over ASCII regular expressions none of which can be made to loop; it keeps what came as it
came, for routes, tags and Vias are echoed byte for byte. Text for people and stores goes through `clean`. Two errors:
`RemoteSipError` is theirs, with the status that answers it; `LocalSipError` is ours.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from attrs import frozen

if TYPE_CHECKING:
    from .message import Head

DEFAULT_PORT = 5060
DEFAULT_TLS_PORT = 5061

Params: TypeAlias = tuple[tuple[str, str | None], ...]


class RemoteSipError(Exception):
    """The other side broke the protocol. `status` answers it; `head` is there when an answer can be addressed."""

    def __init__(self, text: str, status: int = 400, head: Head | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.status = status
        self.head = head


class LocalSipError(Exception):
    """We asked for what the protocol does not allow: a bug of ours, never the wire's doing."""


TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]+"
QUOTED = r'"(?:[^"\\]|\\.)*"'
_HOST = r"\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._\-]{1,255}"
# What stands nowhere in a URI: blanks, controls, all that anybody takes for a line end, and what encloses it.
_NEVER = r"\x00-\x20\x7f-\x9f\u2028\u2029<>\""

_VIA = re.compile(
    rf"[Ss][Ii][Pp][ \t]*/[ \t]*[0-9]+\.[0-9]+[ \t]*/[ \t]*({TOKEN})[ \t]+({_HOST})"
    r"(?:[ \t]*:[ \t]*([0-9]{1,5}))?(?=[ \t]*(?:;|$))",
    re.ASCII,
)
_PARAM = re.compile(rf"[ \t]*;[ \t]*({TOKEN})(?:[ \t]*=[ \t]*({QUOTED}|\[[0-9A-Fa-f:.]+\]|[^ \t;,\"<>=]+))?", re.DOTALL)
_NAME_ADDR = re.compile(rf"(?:({QUOTED})[ \t]*|([^\"<>;,:@]*))<([^<>\"]+)>", re.DOTALL)
_ADDR_SPEC = re.compile(r"[^ \t;,?<>\"]+")
_LIST_ITEM = re.compile(rf"(?:{QUOTED}|<[^>]*>|[^,\"<])+", re.DOTALL)
_SIP_URI = re.compile(
    rf"([Ss][Ii][Pp][Ss]?):(?:([^@:{_NEVER}]+)(?::([^@{_NEVER}]*))?@)?({_HOST})(?::([0-9]{{1,5}}))?"
    rf"((?:;[^;?@{_NEVER}]+)*)(\?[^?@{_NEVER}]*)?",
    re.ASCII,
)
_TEL_URI = re.compile(rf"[Tt][Ee][Ll]:([+0-9A-Fa-f*#().\-]+)((?:;[^;{_NEVER}]+)*)", re.ASCII)
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):", re.ASCII)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")


@frozen
class Address:
    """Where a message came from or goes to. An IPv6 host is written without brackets."""

    host: str
    port: int
    transport: str = "udp"

    @property
    def six(self) -> bool:
        """An IPv6 address."""
        return ":" in self.host

    @property
    def reliable(self) -> bool:
        """Nothing is lost on the way without our being told."""
        return self.transport != "udp"

    @classmethod
    def at(cls, host: str, port: int | None, transport: str) -> Address:
        """With the transport's own port where none is named (RFC 3261 §18.2.2, §19.1.2)."""
        return cls(host, port or (DEFAULT_TLS_PORT if transport == "tls" else DEFAULT_PORT), transport)

    def __str__(self) -> str:
        return f"{bracket(self.host)}:{self.port}"


@frozen
class Uri:
    """A SIP, SIPS or TEL URI taken apart (RFC 3261 §19.1, RFC 3966). `user` is unescaped, and safe to store and
    show."""

    scheme: str
    user: str | None
    host: str
    port: int | None
    params: Params

    @classmethod
    def parse(cls, text: str) -> Uri:
        """Raises RemoteSipError: 416 for a scheme we do not speak (RFC 3261 §8.2.2.1), 400 for what cannot be read."""
        return _uri(text)

    @property
    def number(self) -> str:
        """The user without the parameters that `user=phone` may put in it (RFC 3261 §19.1.1)."""
        return (self.user or "").partition(";")[0]

    @property
    def transport(self) -> str:
        """By which it says that it is reached, in lower case; "" where it says nothing."""
        return "tls" if self.scheme == "sips" else (self.param("transport") or "").lower()

    def param(self, name: str) -> str | None:
        """Value of a parameter; "" when it stands without one, None when absent."""
        return _param(self.params, name)


@lru_cache(maxsize=500)  # of one message the same few are asked for again and again
def _uri(text: str) -> Uri:
    if found := _SIP_URI.fullmatch(text):
        scheme, user, _password, host, port, params, _headers = found.groups()
        if port is not None and not 0 < int(port) < 65536:
            raise RemoteSipError("port of a URI out of range")
        return Uri(
            scheme.lower(),
            user and unescape(user),
            host.strip("[]"),
            int(port) if port else None,
            _uri_params(params),
        )
    if found := _TEL_URI.fullmatch(text):
        return Uri("tel", found[1], "", None, _uri_params(found[2]))
    scheme_found = _SCHEME.match(text)
    if scheme_found and scheme_found[1].lower() not in ("sip", "sips", "tel"):
        raise RemoteSipError("URI scheme is not ours", 416)
    raise RemoteSipError("bad URI")


def is_ip(host: str) -> bool:
    """Whether the host of a URI is an address and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def same_host(one: str, other: str) -> bool:
    """Whether two names of hosts are one (RFC 3261 §19.1.4); the dot of the root may end either."""
    return one.lower().rstrip(".") == other.lower().rstrip(".")


def same_uri(one: str, other: str) -> bool:
    """Whether two Contacts are one (RFC 3261 §19.1.4, as far as it tells Contacts apart)."""
    try:
        a, b = Uri.parse(one), Uri.parse(other)
    except RemoteSipError:
        return False
    parts = ((each.user, each.port, each.param("transport")) for each in (a, b))
    return next(parts) == next(parts) and same_host(a.host, b.host)


def same_place(one: str, other: str) -> bool:
    """Whether two Contacts, which can be read, are of one host and port."""
    a, b = Uri.parse(one), Uri.parse(other)
    return same_host(a.host, b.host) and (a.port or DEFAULT_PORT) == (b.port or DEFAULT_PORT)


def _uri_params(text: str) -> Params:
    if not text:
        return ()
    pairs = (item.partition("=") for item in text[1:].split(";"))
    return tuple((name.lower(), value if equals else None) for name, equals, value in pairs)


@frozen
class Via:
    """One Via value. `text` is what came; `branch` is "" where a peer of RFC 2543 sends none. It may be of any version:
    the one that counts is that of the start line."""

    text: str
    transport: str
    host: str
    port: int | None
    branch: str
    rport: bool

    @classmethod
    def parse(cls, text: str) -> Via:
        """Raises RemoteSipError(400)."""
        found = _VIA.match(text)
        if not found:
            raise RemoteSipError("bad Via")
        port = int(found[3]) if found[3] else None
        if port is not None and not 0 < port < 65536:
            raise RemoteSipError("port of a Via out of range")
        branch, rport = "", False
        for name, value in parse_params(text, found.end()):
            if name == "branch":
                branch = value or ""
            elif name == "rport":
                rport = True
        return cls(text, found[1].upper(), found[2].strip("[]"), port, branch, rport)

    def stamped(self, source: Address) -> str:
        """The value for the response: `received` and the filled `rport` (RFC 3261 §18.2.1, RFC 3581 §4)."""
        if not self.rport and self.host == source.host:
            return self.text
        found = _VIA.match(self.text)
        assert found
        text = found[0]
        for name, value in parse_params(self.text, found.end()):
            if name not in ("received", "rport"):
                text += f";{name}" if value is None else f";{name}={value}"
        if self.rport:
            text += f";rport={source.port}"
        return f"{text};received={source.host}"


@frozen
class NameAddr:
    """A From, To, Contact or Route value. `uri` and the parameters are as they came, the display name is not
    unquoted."""

    display: str
    uri: str
    params: Params

    @classmethod
    def parse(cls, text: str) -> NameAddr:
        """Raises RemoteSipError(400)."""
        if found := _NAME_ADDR.match(text):
            return cls((found[1] or found[2] or "").strip(" \t"), found[3], parse_params(text, found.end()))
        if found := _ADDR_SPEC.match(text):
            # without angle brackets the parameters belong to the header field (RFC 3261 §20.10)
            return cls("", found[0], parse_params(text, found.end()))
        raise RemoteSipError("bad name-addr")

    def param(self, name: str) -> str | None:
        return _param(self.params, name)

    @property
    def tag(self) -> str | None:
        return _param(self.params, "tag")

    @property
    def name(self) -> str:
        """The display name for people: unquoted, printable."""
        text = self.display
        if text.startswith('"'):
            text = _QUOTED_PAIR.sub(r"\1", text[1:-1])
        return clean(text)

    def __str__(self) -> str:
        tail = "".join(f";{name}" if value is None else f";{name}={value}" for name, value in self.params)
        return f"{self.display} <{self.uri}>{tail}" if self.display else f"<{self.uri}>{tail}"


def _param(params: Params, name: str) -> str | None:
    for key, value in params:
        if key == name:
            return value or ""
    return None


def parse_params(text: str, position: int) -> Params:
    """`*(SEMI generic-param)` from `position` to the end, names in lower case. Raises RemoteSipError(400)."""
    params = []
    end = len(text)
    while position < end:
        found = _PARAM.match(text, position)
        if not found:
            if text[position:].strip(" \t"):
                raise RemoteSipError("bad parameters")
            break
        params.append((found[1].lower(), found[2]))
        position = found.end()
    return tuple(params)


def split_list(text: str) -> list[str]:
    """A comma-separated header value, commas in quotes and in angle brackets left alone. Raises RemoteSipError(400)."""
    items = []
    position = 0
    while True:
        found = _LIST_ITEM.match(text, position)
        if not found or not found[0].strip(" \t"):
            raise RemoteSipError("bad list")
        items.append(found[0].strip(" \t"))
        position = found.end()
        if position == len(text):
            return items
        if text[position] != ",":
            raise RemoteSipError("bad list")
        position += 1


def quote(text: str) -> str:
    """A quoted-string (RFC 3261 §25.1)."""
    return '"' + clean(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def unescape(text: str) -> str:
    """`%41` -> `A`, as text that can be stored and shown: what is not printable becomes U+FFFD."""
    raw = text.encode("utf-8", "surrogateescape")
    if b"%" in raw:
        raw = _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), raw)
    return clean(raw.decode("utf-8", "surrogateescape"))


def clean(text: str) -> str:
    """Text for people and stores: no control characters, no broken UTF-8."""
    return text if text.isascii() and text.isprintable() else _UNPRINTABLE.sub("\ufffd", text)


def bracket(host: str) -> str:
    return f"[{host}]" if ":" in host else host
