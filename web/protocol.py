"""The page protocol on the wire: websocket frames to the frozen classes of `actors/page/`, and back.

A text frame is JSON (subprotocol `cordboard.v1.json`), a binary frame is msgpack (`cordboard.v1.msgpack`); both carry
the same messages, each one map:

    request  {"id": 7, "do": "agent.state", "state": "idle"}          page -> switch, `decode`
    reply    {"id": 7, "ok": true} or {"id": 7, "error": {...}}       switch -> page, `reply`
    event    {"event": "call.offered", "rev": 812, ...}               switch -> page, `event`

The classes are the protocol: a command's fields are its attributes, `do` and `event` are its names. Decoding is strict,
so that a misspelt field is an error and not a default: whatever is wrong with a frame raises `BadFrameError`, which
names the field and carries the request's id where one could be read, and nothing else is ever raised.
`web/reference.py` draws docs/protocol.md from what is here.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from enum import Enum, IntEnum
from typing import ClassVar, get_args

import cattrs
import msgpack
from attrs import frozen

from ..actors import page

# The largest frame read from a page: room for a browser's SDP offer many times over. Bytes of a binary frame,
# characters of a text frame.
MAX_FRAME = 64 * 1024
# The longest value of an ordinary text field, and of an SDP; browsers offer 2 to 8 KiB.
MAX_TEXT = 256
MAX_SDP = 48 * 1024
# Maps and lists inside each other, the message itself counted. No command nests today.
MAX_NESTING = 4
# Request ids are whole numbers that JavaScript holds exactly.
MAX_ID = 2**53

_LONGEST = {"sdp": MAX_SDP}

# One for all: to make either takes as long as a message.
_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_MSGPACK = msgpack.Packer(unicode_errors="replace")
# The first octet of a frame with all of a message, and the heads of those that are longer than 125 octets (RFC 6455
# §5.2).
_TEXT, _BINARY = 0x81, 0x82
_MEDIUM, _LONG = struct.Struct("!BBH"), struct.Struct("!BBQ")


class Subprotocol(Enum):
    """What `Sec-WebSocket-Protocol` may name; where a page offers both, its first one is taken."""

    JSON = "cordboard.v1.json"
    MSGPACK = "cordboard.v1.msgpack"


class Close(IntEnum):
    """Why the switch closes a websocket (RFC 6455 §7.4.1)."""

    NORMAL = 1000
    GOING_AWAY = 1001
    WRONG_FRAME = 1003
    POLICY = 1008
    TOO_BIG = 1009
    INTERNAL = 1011
    TRY_AGAIN = 1013


CLOSE_REASONS: dict[Close, str] = {
    Close.NORMAL: "The page asked for it.",
    Close.GOING_AWAY: "The switch is stopping; connect again.",
    Close.WRONG_FRAME: "A text frame on the msgpack subprotocol, or a binary one on the JSON subprotocol.",
    Close.POLICY: "Too many malformed frames in a row, or the login or the agent is no more.",
    Close.TOO_BIG: f"A frame longer than {MAX_FRAME} bytes.",
    Close.INTERNAL: "A failure of the switch; connect again.",
    Close.TRY_AGAIN: "The page reads too slowly, or the switch is overloaded; connect again, and take a snapshot.",
}


@frozen
class DemoCall:
    """The synthetic customer calls now. Only where the switch runs as a demonstration; elsewhere unknown."""

    do: ClassVar[str] = "demo.call"
    refusals: ClassVar[tuple[str, ...]] = ()


@frozen
class WatchPaper:
    """From now on the page hears of each change of the paperwork of this `call`, and of no other's; empty: of none's.
    Who may look at it may watch it."""

    do: ClassVar[str] = "paper.watch"
    refusals: ClassVar[tuple[str, ...]] = ("not_found", "unavailable")

    call: str = ""


@frozen
class PaperChanged:
    """What `GET /api/calls/ID/paper` tells of this `call` has changed, by whomever. Its `rev` is of its own count."""

    event: ClassVar[str] = "paper.changed"

    call: str


# Asked of the server itself, and not of the agent.
Own = WatchPaper | DemoCall
Commands = Mapping[str, type[page.Command | Own]]
# What agents are asked, what pages may ask, and what those of a demonstration may.
COMMANDS: Commands = {command.do: command for command in get_args(page.Command)}
PAGE_COMMANDS: Commands = {**COMMANDS, WatchPaper.do: WatchPaper}
DEMO_COMMANDS: Commands = {**PAGE_COMMANDS, DemoCall.do: DemoCall}

Message = dict[str, object]


class BadFrameError(Exception):
    """A frame that is no request: what the page is told, with the id of the `request` where it could be read."""

    def __init__(self, refusal: page.Refused, request: int | None = None) -> None:
        super().__init__(refusal.text)
        self.refusal = refusal
        self.request = request


def _exactly(value: object, kind: type) -> object:
    """Instead of cattrs's own conversion, which makes a text of anything."""
    if type(value) is not kind:
        raise TypeError
    if isinstance(value, str):
        value.encode()  # a lone surrogate, which only JSON can carry, is no text
    return value


_converter = cattrs.Converter(forbid_extra_keys=True)
for _kind in (str, bool, int, float):
    _converter.register_structure_hook(_kind, _exactly)


def decode(frame: str | bytes, commands: Commands = PAGE_COMMANDS) -> tuple[int, page.Command | Own]:
    """The request in one frame: its id, and its command out of `commands`. Raises `BadFrameError` only."""
    message = _parse(frame)
    if "id" not in message:
        raise _bad("id: is missing.")
    request = message.pop("id")
    if type(request) is not int or not 0 <= request <= MAX_ID:
        raise _bad(f"id: is not a whole number from 0 to {MAX_ID}.")
    do = message.pop("do", None)
    if not isinstance(do, str):
        raise _bad("do: is not the name of a command.", request)
    kind = commands.get(do)
    if kind is None:
        raise BadFrameError(page.refuse("unknown_command", _shown(do)), request)
    try:
        command: page.Command | Own = _converter.structure(message, kind)
    except cattrs.ClassValidationError as error:
        raise _bad(_problem(error), request) from None
    for name, value in message.items():
        longest = _LONGEST.get(name, MAX_TEXT)
        if isinstance(value, str) and len(value) > longest:
            raise _bad(f"{name}: is longer than {longest} characters.", request)
    return request, command


def _parse(frame: str | bytes) -> Message:
    """The one map in a frame, with text keys that are all different and no deep nesting."""
    try:
        if isinstance(frame, str):
            parsed = json.loads(frame, object_pairs_hook=_distinct)
        else:
            parsed = msgpack.unpackb(frame, object_pairs_hook=_distinct)
    except _RepeatedKeyError as repeated:
        raise _bad(f"{_shown(repeated.args[0])}: stands there twice.") from None
    except (ValueError, RecursionError, msgpack.UnpackException):
        # msgpack's errors, JSON's and those of UTF-8 are all one or the other
        raise _bad("It is not JSON." if isinstance(frame, str) else "It is not msgpack.") from None
    if not isinstance(parsed, dict):
        raise _bad("It is not a map.")
    if _nests_deeper(parsed, MAX_NESTING):
        raise _bad(f"It nests deeper than {MAX_NESTING}.")
    return parsed


class _RepeatedKeyError(Exception):
    """A key that stands twice in one map: which of the two counts would depend on who reads it."""


def _distinct(pairs: list[tuple[object, object]]) -> dict[object, object]:
    made: dict[object, object] = {}
    for key, value in pairs:
        if key in made:
            raise _RepeatedKeyError(key)
        made[key] = value
    return made


def _nests_deeper(value: object, limit: int) -> bool:
    level: list[object] = [value]
    for _ in range(limit):
        inner: list[object] = []
        for one in level:
            if isinstance(one, dict):
                inner.extend(one.values())
            elif isinstance(one, list):
                inner.extend(one)
        if not inner:
            return False
        level = inner
    return any(isinstance(one, (dict, list)) for one in level)


def _problem(error: cattrs.ClassValidationError) -> str:
    """The first thing wrong with a command's fields, for people."""
    named, rest = error.group_exceptions()
    for problem in rest:
        if isinstance(problem, cattrs.ForbiddenExtraKeysError):
            return f"{_shown(min(problem.extra_fields, key=ascii))}: there is no such field."
    for problem, note in named:
        match problem:
            case KeyError():
                return f"{note.name}: is missing."
            case UnicodeEncodeError():
                return f"{note.name}: is not text."
            case _:
                return f"{note.name}: is not {describe(note.type)}."
    raise error


def describe(kind: object) -> str:
    """A field's type in words, for the texts of errors and for docs/protocol.md."""
    if kind in _WORDS:
        return _WORDS[kind]
    return " or ".join(json.dumps(value) for value in get_args(kind))


_WORDS: dict[object, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    float | None: "a number or null",
}


def _shown(value: object) -> str:
    """What a page wrote, safe to show back: ASCII, and not longer than a line."""
    text = value if isinstance(value, str) else ascii(value)
    return text.encode("ascii", "backslashreplace").decode()[:60]


def _bad(detail: str, request: int | None = None) -> BadFrameError:
    return BadFrameError(page.refuse("bad_request", detail), request)


def reply(request: int | None, result: page.Accepted | page.Refused | page.Snapshot) -> Message:
    """The answer to the `request` of that id; null where a malformed frame had none."""
    match result:
        case page.Refused(code, text):
            return {"id": request, "error": {"code": code, "text": text}}
        case page.Accepted():
            given = {name: value for name, value in _converter.unstructure(result).items() if value}
            return {"id": request, "ok": True, **given}
        case page.Snapshot():
            return {"id": request, "ok": True, **_converter.unstructure(result)}


def event(rev: int, event: page.Event | PaperChanged) -> Message:
    """An event of the revision `rev`."""
    return {"event": event.event, "rev": rev, **_converter.unstructure(event)}


def encode(message: Message, subprotocol: Subprotocol) -> str | bytes:
    """The frame of a reply or an event. What a trunk sent as text and is not Unicode becomes question marks."""
    payload = _payload(message, subprotocol)
    return payload.decode() if subprotocol is Subprotocol.JSON else payload


def framed(message: Message, subprotocol: Subprotocol) -> bytes:
    """... with its head, as a server sends it: whole and not masked (RFC 6455 §5.2)."""
    payload = _payload(message, subprotocol)
    first = _TEXT if subprotocol is Subprotocol.JSON else _BINARY
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 1 << 16:
        return _MEDIUM.pack(first, 126, size) + payload
    return _LONG.pack(first, 127, size) + payload


def _payload(message: Message, subprotocol: Subprotocol) -> bytes:
    if subprotocol is Subprotocol.JSON:
        return _JSON.encode(message).encode(errors="replace")
    packed: bytes = _MSGPACK.pack(message)
    return packed
