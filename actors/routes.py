"""Where a dialled number leads, and where a call goes on that its queue does not keep: as said, and as written."""

from __future__ import annotations

import re
from typing import assert_never

from attrs import frozen

from .keys import ConfigError, found, nearest, text


@frozen
class ToQueue:
    """The call waits in this queue."""

    queue: str


@frozen
class Echo:
    """The caller hears itself."""


@frozen
class ToneRoute:
    """The caller hears a sine of `frequency` Hz."""

    frequency: float


@frozen
class Hold:
    """The caller hears the hold music."""


@frozen
class Room:
    """All who dial the same number hear each other."""


@frozen
class ToNumber:
    """The call goes out to this number, if the dialling rules let it."""

    number: str


@frozen
class ToVoicemail:
    """The caller may leave a message, which is the queue's."""


Route = ToQueue | Echo | ToneRoute | Hold | Room

# A SIP user that is longer is no number, and no pattern is asked about it.
LONGEST_NUMBER = 64
# Above 0 and below half of 8000 Hz, G.711's sampling rate (RFC 3551 §4.5.14).
TONE_HZ = range(20, 4000)


def parse_route(value: object) -> Route:
    """`"queue:support"`, `"echo"`, `"tone:440"`, `"hold"` or `"room"`."""
    kind, colon, rest = text(value).partition(":")
    if kind == "queue" and re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", rest):
        return ToQueue(rest)
    if kind == "tone" and re.fullmatch(r"[0-9]{2,4}(\.[0-9]{1,3})?", rest):
        if TONE_HZ.start <= float(rest) < TONE_HZ.stop:
            return ToneRoute(float(rest))
        raise ConfigError(f"must be a tone of {TONE_HZ.start} to {TONE_HZ.stop - 1} Hz, found {found(value)}")
    simple: dict[str, Route] = {"echo": Echo(), "hold": Hold(), "room": Room()}
    if kind in simple and not colon:
        return simple[kind]
    known = (*simple, "queue:ID", "tone:HZ")
    raise ConfigError(f"must be one of {', '.join(known)}; found {found(value)}{nearest(value, known)}")


def route_text(route: Route) -> str:
    """The text that `parse_route` reads."""
    match route:
        case ToQueue(queue):
            return f"queue:{queue}"
        case ToneRoute(frequency):
            return f"tone:{frequency:g}"
        case Echo():
            return "echo"
        case Hold():
            return "hold"
        case Room():
            return "room"
        case _:
            assert_never(route)


# Where a call goes that its queue does not keep; nowhere: it hears why, and ends.
Onward = ToQueue | ToNumber | ToVoicemail | None
_ONWARD = ("queue:ID", "number:NUMBER", "voicemail")


def onward(value: object) -> str:
    """The text of an `Onward`. Raises ConfigError."""
    to_onward(text(value))
    return text(value)


def to_onward(written: str) -> Onward:
    """`"queue:support"`, `"number:+861055502000"`, `"voicemail"`, or nothing. Raises ConfigError."""
    kind, _, rest = written.partition(":")
    if not written:
        return None
    if written == "voicemail":
        return ToVoicemail()
    if kind == "queue" and re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", rest):
        return ToQueue(rest)
    if kind == "number" and re.fullmatch(r"\+?[0-9*#]{1,25}", rest):
        return ToNumber(rest)
    raise ConfigError(
        f"must be empty or one of {', '.join(_ONWARD)}; found {found(written)}{nearest(written, _ONWARD)}"
    )
