"""SIP messages as they may be shown, counted, and told to the journal: what `cordboard trace` and /metrics know of it.

A message is taken apart here with expressions of its own, for what nobody could parse is shown too. Nothing in the
text that is shown says who or where anybody is: numbers keep their last two digits as in the log (`redact.py`); names,
addresses and credentials are left out, keys are never shown. A Call-ID may hold an address: a digest stands for it,
which whoever has the Call-ID can make too.

`Wire` stands where messages come and go. Messages of strangers are the endpoint's to count, and are shown nowhere. What
comes and goes is put aside as it is, and looked at by the dozen: in a row that takes a third of what it takes in the
middle of calls.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import Final

from attrs import define, frozen

from ..sip.events import IncomingCall, Output
from ..sip.grammar import Address
from ..sip.message import PHRASES
from ..sip.screening import KNOWN_METHODS
from .redact import NUMBER, redact_number
from .steps import Spoke

# What is shown of one message, in characters, and of one line.
MAX_TEXT: Final = 4000
MAX_LINE: Final = 300
# How many messages of no call go into the journal in a second: a trunk that floods does not push the calls out of it.
MAX_LOOSE: Final = 50
# So many messages are put aside at most before they are looked at.
TOGETHER: Final = 64
# Calls whose Call-ID is remembered.
MAX_CALLS: Final = 5000

_TOKEN: Final = r"[A-Za-z0-9\-.!%*_+`'~]"
_REQUEST = re.compile(rf"({_TOKEN}{{1,40}})[ \t]+(\S*)".encode())
_STATUS = re.compile(rb"SIP/2\.0[ \t]+([1-6][0-9][0-9])(?:[ \t]+([^\r\n]*))?", re.IGNORECASE)
# What is looked for in a head without taking it apart.
_TAGS = re.compile(rf"\n(?:from|f|to|t)[ \t]*:[^\n]*?;[ \t]*tag[ \t]*=[ \t]*({_TOKEN}{{1,64}})".encode(), re.IGNORECASE)
_CALL_ID = re.compile(rb"\n(?:call-id|i)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
_CSEQ = re.compile(rf"\ncseq[ \t]*:[ \t]*[0-9]+[ \t]+({_TOKEN}{{1,40}})".encode(), re.IGNORECASE)
# Of the values of header fields.
_NAME = re.compile(_TOKEN + "{1,40}", re.ASCII)
_URI = re.compile(r"(sips?|tel):([^\s<>\",?]*)", re.ASCII | re.IGNORECASE)
_TAG = re.compile(rf";[ \t]*tag[ \t]*=[ \t]*({_TOKEN}{{1,64}})", re.ASCII | re.IGNORECASE)
_BRANCH = re.compile(rf";[ \t]*branch[ \t]*=[ \t]*({_TOKEN}{{1,80}})", re.ASCII | re.IGNORECASE)
_VIA = re.compile(r"SIP[ \t]*/[ \t]*[0-9.]+[ \t]*/[ \t]*[A-Za-z]{1,10}", re.ASCII | re.IGNORECASE)
_TRANSPORT = re.compile(r";transport=(udp|tcp|tls)", re.ASCII | re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z]{1,20}", re.ASCII)
_COUNT = re.compile(r"[0-9]{1,10}(?:[ \t]+[0-9]{1,10})?(?:[ \t]+[A-Za-z]{1,20})?(?:;[a-z]+(?:=[a-z0-9]+)?)*", re.ASCII)
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")
# An address in words, or what looks like one.
_PLACE = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}", re.ASCII)
_SDP = re.compile(rb"\n(?:content-type|c)[ \t]*:[ \t]*application/sdp", re.IGNORECASE)
# What came of a REFER: a status line (RFC 3420).
_FRAGMENT = re.compile(rb"\n(?:content-type|c)[ \t]*:[ \t]*message/sipfrag", re.IGNORECASE)
# The lines of a session description that say what is spoken and which way, and nothing else.
_SAID = re.compile(
    rb"^(?:v=0|m=[ -~]*|a=(?:rtpmap|fmtp|ptime|maxptime|mid|setup|group|rtcp-mux|ice-lite"
    rb"|sendrecv|sendonly|recvonly|inactive)(?::[ -~]*)?)(?=\r?$)",
    re.MULTILINE,
)
_NOTHING: Final = "..."


@frozen
class Facts:
    """What may be known of a message at a glance. `code` is empty for a request; `method` of a response is that of its
    CSeq."""

    method: str
    code: str
    call_id: str
    tags: tuple[str, ...]


def facts(data: bytes) -> Facts:
    """Raises nothing, whatever it is."""
    head = data.lstrip(b"\r\n").partition(b"\r\n\r\n")[0]
    tags = tuple(tag.decode() for tag in _TAGS.findall(head))
    found = _CALL_ID.search(head)
    call_id = digest_of(found[1].rstrip(b" \t")) if found else ""
    if status := _STATUS.match(head):
        code = status[1].decode()
        said = _CSEQ.search(head)
        return Facts(
            _known(said[1]) if said else "other", code if int(code) in PHRASES else f"{code[0]}xx", call_id, tags
        )
    request = _REQUEST.match(head)
    return Facts(_known(request[1]) if request else "other", "", call_id, tags)


def _known(method: bytes) -> str:
    return name if (name := method.decode()) in KNOWN_METHODS else "other"


@lru_cache(maxsize=2000)
def digest_of(call_id: bytes) -> str:
    """What stands for a Call-ID."""
    return hashlib.sha256(call_id).hexdigest()[:12]


def forget() -> None:
    """Nothing of any message is remembered any more."""
    for each in (digest_of, _line, _said, _start, _words):
        each.cache_clear()


def shown(data: bytes) -> str:
    """The message as it may be shown. Raises nothing, whatever it is."""
    head, _, body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    first, _, rest = head.partition(b"\r\n")
    lines = [_start(first)]
    others = []
    for line in rest.decode("utf-8", "replace").replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n"):
        said, name = _line(line)
        if said:
            lines.append(said)
        elif name:
            others.append(name)
    if others:
        lines.append(f"({', '.join(others)})"[:MAX_LINE])
    if body and _SDP.search(head):
        lines += ["", *map(_said, _SAID.findall(body))]
    elif body and _FRAGMENT.search(head):
        lines += ["", _start(body.partition(b"\r\n")[0])]
    elif body:
        lines += ["", f"({len(body)} octets)"]
    return "\n".join(lines)[:MAX_TEXT]


@lru_cache(maxsize=4000)  # a response repeats its request, and of one call the same few are in every message
def _line(line: str) -> tuple[str, str]:
    """A header field as it may be shown, or empty, and its name, where it is one."""
    name, _, value = line.partition(":")
    how = _HOW.get(name) or _HOW.get(name.rstrip(" \t").lower())
    if how is not None:
        said = how(value.strip(" \t"))
        return f"{name}: {said}"[:MAX_LINE], name
    return "", name if _NAME.fullmatch(name) else ""


@lru_cache(maxsize=500)  # most are the same in all calls
def _said(line: bytes) -> str:
    """A line of a session description."""
    return redact_number(line.decode())


@lru_cache(maxsize=500)
def _start(line: bytes) -> str:
    if status := _STATUS.match(line):
        return f"SIP/2.0 {status[1].decode()} {_words((status[2] or b'').decode('utf-8', 'replace'))}"[:MAX_LINE]
    if request := _REQUEST.match(line):
        return f"{request[1].decode()} {_addresses(request[2].decode('utf-8', 'replace'))} SIP/2.0"[:MAX_LINE]
    return "(not a SIP message)"


# --- values of header fields ----------------------------------------------------------------------------------------


def _addresses(value: str) -> str:
    """The URIs without what names people and machines, and the tag."""
    shown = ", ".join([f"<{_uri(scheme.lower(), rest)}>" for scheme, rest in _URI.findall(value)]) or _NOTHING
    tag = _TAG.search(value)
    return f"{shown};tag={tag[1]}" if tag else shown


def _uri(scheme: str, rest: str) -> str:
    user, at, _ = rest.partition("@")
    user = user.partition(";")[0] if at or scheme == "tel" else ""
    if user:
        user = redact_number(user) if NUMBER.fullmatch(user) else f"({len(user)} characters)"
    shown = f"{scheme}:{user}" if scheme == "tel" else f"{scheme}:{user}@{_NOTHING}" if user else f"{scheme}:{_NOTHING}"
    transport = _TRANSPORT.search(rest)
    return f"{shown};transport={transport[1].lower()}" if transport else shown


def _via(value: str) -> str:
    via, branch = _VIA.match(value), _BRANCH.search(value)
    return f"{via[0] if via else ''} {_NOTHING}" + (f";branch={branch[1]}" if branch else "")


def _count(value: str) -> str:
    return value if _COUNT.fullmatch(value) else _NOTHING


def _credentials(value: str) -> str:
    scheme = _SCHEME.match(value)
    return f"{scheme[0] if scheme else ''} {_NOTHING}"


def _call_id(value: str) -> str:
    return f"{digest_of(value.encode('utf-8', 'replace'))} (digest)"


@lru_cache(maxsize=500)  # of each program the same few, in every message
def _words(text: str) -> str:
    """Words of the protocol and of programs: a long number in them is a number all the same, and so is a place."""
    return redact_number(_PLACE.sub(_NOTHING, printable(text[:MAX_LINE])))


def printable(text: str) -> str:
    """What a far side says may hold what a terminal takes for a command."""
    return _UNPRINTABLE.sub("?", text)


def _how() -> dict[str, Callable[[str], str]]:
    """How the value of a header field is shown; the names of all others are."""
    kinds: dict[Callable[[str], str], str] = {
        _addresses: "From To Contact Route Record-Route P-Asserted-Identity P-Preferred-Identity P-Called-Party-ID "
        "Refer-To Referred-By "
        "Diversion History-Info Reply-To f t m r b",
        _via: "Via v",
        _count: "CSeq Max-Forwards Content-Length Expires Min-Expires Session-Expires Min-SE RSeq RAck Retry-After l x",
        _credentials: "Authorization Proxy-Authorization WWW-Authenticate Proxy-Authenticate Authentication-Info",
        _call_id: "Call-ID i",
        _words: "Accept Accept-Encoding Allow Allow-Events Content-Disposition Content-Encoding Content-Type Event "
        "Privacy Proxy-Require Reason Refer-Sub Require Server Subscription-State Supported Unsupported User-Agent c e "
        "k o",
    }
    named = {name: how for how, names in kinds.items() for name in names.split(" ")}
    return named | {name.lower(): how for name, how in named.items()}


_HOW: Final = _how()


@define(eq=False)
class _Seen:
    """A message that came or went; `call` as far as it was known then. `spoke`: the journal keeps it."""

    data: bytes
    remote: Address
    at: float
    call: str
    sent: bool
    trunk: str = ""
    call_id: str = ""
    spoke: bool = False


class Wire:
    """Between the endpoint and its transport. `whose` is `Endpoint.whose`; `tell` takes what the journal keeps: it asks
    for it before a call is forgotten, and hears None where there is nothing to keep."""

    def __init__(
        self, whose: Callable[[str, Iterable[str]], tuple[str, str]], tell: Callable[[Callable[[], Spoke | None]], None]
    ) -> None:
        self._whose = whose
        self._tell = tell
        # What has not been looked at, in the order in which it came and went.
        self._aside: list[_Seen] = []
        self._counts: Counter[tuple[str, str, str, str]] = Counter()
        # The calls of the last Call-IDs: not every message of a call has a tag of ours.
        self._calls: dict[str, str] = {}
        # Of those that are of no call: how many in this second, and how many were too many for the journal.
        self._second = 0
        self._loose = 0
        self._untold = 0

    @property
    def counts(self) -> Counter[tuple[str, str, str, str]]:
        """By trunk, direction (`in`, `out`), method and code, all of them from bounded sets."""
        self._look()
        return self._counts

    @property
    def untold(self) -> int:
        """Messages of no call that were too many for the journal."""
        self._look()
        return self._untold

    def received(self, data: bytes, source: Address, at: float, outputs: Iterable[Output]) -> None:
        """After the endpoint took it, and before anything of `outputs` is done."""
        if not data.startswith(b"SIP/") and not self._whose(source.host, ())[0]:
            return  # a flood of strangers costs no more than this
        call = ""
        for each in outputs:
            if isinstance(each, IncomingCall):
                call = each.call
        self._put_aside(_Seen(data, source, at, call, False))

    def sent(self, data: bytes, destination: Address, at: float) -> None:
        self._put_aside(_Seen(data, destination, at, "", True))

    def _put_aside(self, seen: _Seen) -> None:
        self._aside.append(seen)
        self._tell(partial(self._spoke, seen))
        if len(self._aside) >= TOGETHER:
            self._look()

    def _spoke(self, seen: _Seen) -> Spoke | None:
        self._look()
        if not seen.spoke:
            return None
        return Spoke(seen.at, seen.trunk, seen.call, seen.call_id, seen.sent, shown(seen.data))

    def _look(self) -> None:
        """At all that was put aside."""
        aside, self._aside = self._aside, []
        for seen in aside:
            if seen.data.strip(b"\r\n\x00 "):  # else it keeps a NAT open
                self._see(seen)

    def _see(self, seen: _Seen) -> None:
        found = facts(seen.data)
        seen.call_id = found.call_id
        seen.trunk, known = self._whose(seen.remote.host, found.tags)
        if not seen.trunk:
            return
        self._counts[seen.trunk, "out" if seen.sent else "in", found.method, found.code] += 1
        seen.call = self._call_of(found.call_id, seen.call or known)
        seen.spoke = bool(seen.call) or self._room(seen.at)
        self._untold += not seen.spoke

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
