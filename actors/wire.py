"""SIP messages as they may be shown, counted, and told to the journal: what `cordboard trace` and /metrics know of it.

`read` takes one message apart with expressions of its own, for what nobody could parse is shown too. Nothing in the
text that it gives says who or where anybody is: numbers keep their last two digits as in the log (`redact.py`); names,
addresses and credentials are left out, keys are never shown. A Call-ID may hold an address: a digest stands for it,
which whoever has the Call-ID can make too.

`Wire` stands where messages come and go. Messages of strangers are the endpoint's to count, and are shown nowhere.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from attrs import frozen

from ..sip.events import IncomingCall, Output
from ..sip.grammar import Address
from ..sip.message import PHRASES
from ..sip.privacy import Stand, without_private
from ..sip.screening import KNOWN_METHODS
from .redact import NUMBER, redact_number
from .steps import Spoke

# What is shown of one message, in characters, and of one line.
MAX_TEXT: Final = 4000
MAX_LINE: Final = 300
# How many messages of no call go into the journal in a second: a trunk that floods does not push the calls out of it.
MAX_LOOSE: Final = 50
# Calls whose Call-ID is remembered.
MAX_CALLS: Final = 5000

_REQUEST = re.compile(rb"([A-Za-z0-9\-.!%*_+`'~]{1,40})[ \t]+(\S*)")
_STATUS = re.compile(rb"SIP/2\.0[ \t]+([1-6][0-9][0-9])(?:[ \t]+([^\r\n]*))?", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]{1,40}", re.ASCII)
_URI = re.compile(r"(sips?|tel):([^\s<>\",?]*)", re.ASCII | re.IGNORECASE)
_TAG = re.compile(r";[ \t]*tag[ \t]*=[ \t]*([A-Za-z0-9\-.!%*_+`'~]{1,64})", re.ASCII | re.IGNORECASE)
_BRANCH = re.compile(r";[ \t]*branch[ \t]*=[ \t]*([A-Za-z0-9\-.!%*_+`'~]{1,80})", re.ASCII | re.IGNORECASE)
_VIA = re.compile(r"SIP[ \t]*/[ \t]*[0-9.]+[ \t]*/[ \t]*[A-Za-z]{1,10}", re.ASCII | re.IGNORECASE)
_TRANSPORT = re.compile(r";transport=(udp|tcp|tls)", re.ASCII | re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z]{1,20}", re.ASCII)
_NUMBERS = re.compile(
    r"[0-9]{1,10}(?:[ \t]+[0-9]{1,10})?(?:[ \t]+[A-Za-z]{1,20})?(?:;[a-z]+(?:=[a-z0-9]+)?)*", re.ASCII
)
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")
_UNPRINTABLE_LINES = re.compile(r"[^\x20-\x7e\n]+")
# An address in words, or what looks like one.
_PLACE = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}", re.ASCII)
_SDP = re.compile(r"application/sdp\b", re.ASCII | re.IGNORECASE)

_SHORT: Final = {
    "c": "content-type", "e": "content-encoding", "f": "from", "i": "call-id", "k": "supported", "l": "content-length",
    "m": "contact", "s": "subject", "t": "to", "v": "via", "r": "refer-to", "b": "referred-by", "x": "session-expires",
}  # fmt: skip
# Header fields that hold addresses of people and machines: their URIs are shown without both.
_ADDRESSES: Final = frozenset(
    {
        "from", "to", "contact", "route", "record-route", "p-asserted-identity", "p-preferred-identity", "refer-to",
        "referred-by", "diversion", "history-info", "reply-to",
    }
)  # fmt: skip
_COUNTS: Final = frozenset(
    {"cseq", "max-forwards", "content-length", "expires", "min-expires", "session-expires", "min-se", "rseq", "rack",
     "retry-after"}
)  # fmt: skip
_CREDENTIALS: Final = frozenset(
    {"authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate", "authentication-info"}
)
# Words of the protocol and of programs; a long number in them is a number all the same.
_WORDS: Final = frozenset(
    {
        "accept", "accept-encoding", "allow", "allow-events", "content-disposition", "content-encoding", "content-type",
        "event", "privacy", "proxy-require", "reason", "require", "server", "subscription-state", "supported",
        "unsupported", "user-agent",
    }
)  # fmt: skip
_NOTHING: Final = "..."
_STAND: Final = Stand(
    address=lambda value: "0.0.0.0",
    name=lambda value: "-",
    secret=lambda value: _NOTHING,
    digest=lambda value: "00",
)


@frozen
class View:
    """What may be known of a message. `code` is empty for a request; `method` of a response is that of its CSeq."""

    method: str
    code: str
    call_id: str
    tags: tuple[str, ...]
    text: str


def read(data: bytes) -> View:
    """Raises nothing, whatever it is."""
    head, _, body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    first, _, rest = head.partition(b"\r\n")
    lines = rest.decode("utf-8", "replace").replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n")
    shown: list[str] = []
    tags: list[str] = []
    call_id = said = kind = ""
    for line in lines:
        name, _, value = line.partition(":")
        name = name.rstrip(" \t")
        if not _NAME.fullmatch(name):
            continue
        key = name.lower()
        key = _SHORT.get(key, key)
        value = value.strip(" \t")
        if key in ("from", "to"):
            tags += _TAG.findall(value)[:1]
        elif key == "call-id":
            call_id = digest_of(value)
            value = f"{call_id} (digest)"
        elif key == "cseq":
            said = value.rpartition(" ")[2]
        elif key == "content-type":
            kind = value
        shown.append(f"{name}: {_value(key, value)}"[:MAX_LINE])
    start, method, code = _start(first, said)
    text = "\n".join([start, *shown])
    if body:
        text += "\n\n" + _body(kind, body)
    return View(method, code, call_id, tuple(tags), text[:MAX_TEXT])


def digest_of(call_id: str) -> str:
    """What stands for a Call-ID."""
    return hashlib.sha256(call_id.encode("utf-8", "replace")).hexdigest()[:12]


def _start(line: bytes, said: str) -> tuple[str, str, str]:
    """The first line as it is shown, the method, and the code."""
    if status := _STATUS.match(line):
        code = status[1].decode()
        phrase = _words((status[2] or b"").decode("utf-8", "replace"))
        return f"SIP/2.0 {code} {phrase}"[:MAX_LINE], _known(said), code if int(code) in PHRASES else f"{code[0]}xx"
    if request := _REQUEST.match(line):
        method = request[1].decode()
        return f"{method} {_uris(request[2].decode('utf-8', 'replace'))} SIP/2.0", _known(method), ""
    return "(not a SIP message)", "other", ""


def _known(method: str) -> str:
    return method if method in KNOWN_METHODS else "other"


def _words(text: str) -> str:
    return redact_number(_PLACE.sub(_NOTHING, _printable(text)))


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub("?", text)


def _value(key: str, value: str) -> str:
    if key == "call-id":
        return value
    if key in _ADDRESSES:
        tag = _TAG.search(value)
        return _uris(value) + (f";tag={tag[1]}" if tag else "")
    if key == "via":
        via, branch = _VIA.match(value), _BRANCH.search(value)
        return (via[0] if via else "") + " " + _NOTHING + (f";branch={branch[1]}" if branch else "")
    if key in _COUNTS:
        return value if _NUMBERS.fullmatch(value) else _NOTHING
    if key in _CREDENTIALS:
        scheme = _SCHEME.match(value)
        return f"{scheme[0] if scheme else ''} {_NOTHING}"
    if key in _WORDS:
        return _words(value)
    return _NOTHING


def _uris(value: str) -> str:
    return ", ".join(f"<{_uri(found[1], found[2])}>" for found in _URI.finditer(value)) or _NOTHING


def _uri(scheme: str, rest: str) -> str:
    scheme = scheme.lower()
    user, at, _ = rest.partition("@")
    user = user.partition(";")[0] if at or scheme == "tel" else ""
    if user:
        user = redact_number(user) if NUMBER.fullmatch(user) else f"({len(user)} characters)"
    transport = _TRANSPORT.search(rest)
    shown = f"{scheme}:{user}" if scheme == "tel" else f"{scheme}:{user}@{_NOTHING}" if user else f"{scheme}:{_NOTHING}"
    return shown + (f";transport={transport[1].lower()}" if transport else "")


def _body(kind: str, body: bytes) -> str:
    """A session description without addresses, names and keys; of any other body the size."""
    if not _SDP.match(kind):
        return f"({len(body)} octets)"
    text = body.decode("utf-8", "replace").replace("\r\n", "\n").rstrip("\n")
    return redact_number(_UNPRINTABLE_LINES.sub("?", without_private(text, _STAND)))


class Wire:
    """Between the endpoint and its transport. `whose` is `Endpoint.whose`; `tell` takes what the journal keeps.
    `counts` is by trunk, direction (`in`, `out`), method and code, all of them from bounded sets."""

    def __init__(self, whose: Callable[[str, Iterable[str]], tuple[str, str]], tell: Callable[[Spoke], None]) -> None:
        self._whose = whose
        self._tell = tell
        self.counts: Counter[tuple[str, str, str, str]] = Counter()
        # The calls of the last Call-IDs: not every message of a call has a tag of ours.
        self._calls: dict[str, str] = {}
        # Of those that are of no call: how many in this second, and how many were too many for the journal.
        self._second = 0
        self._loose = 0
        self.untold = 0

    def received(self, data: bytes, source: Address, at: float, outputs: Iterable[Output]) -> None:
        """After the endpoint took it, and before anything of `outputs` is done."""
        call = next((each.call for each in outputs if isinstance(each, IncomingCall)), "")
        self._seen(data, source, at, call, sent=False)

    def sent(self, data: bytes, destination: Address, at: float) -> None:
        self._seen(data, destination, at, "", sent=True)

    def _seen(self, data: bytes, remote: Address, at: float, call: str, *, sent: bool) -> None:
        if not data.strip(b"\r\n\x00 "):
            return  # keeps a NAT open
        view = read(data)
        trunk, known = self._whose(remote.host, view.tags)
        if not trunk:
            return
        self.counts[trunk, "out" if sent else "in", view.method, view.code] += 1
        call = self._call_of(view.call_id, call or known)
        if not call and not self._room(at):
            self.untold += 1
            return
        self._tell(Spoke(at, trunk, call, view.call_id, sent, view.text))

    def _call_of(self, call_id: str, call: str) -> str:
        if not call:
            return self._calls.get(call_id, "")
        if call_id not in self._calls:
            self._calls[call_id] = call
            if len(self._calls) > MAX_CALLS:
                del self._calls[next(iter(self._calls))]
        return call

    def _room(self, at: float) -> bool:
        if int(at) != self._second:
            self._second, self._loose = int(at), 0
        self._loose += 1
        return self._loose <= MAX_LOOSE
