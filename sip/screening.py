"""What is refused before any call hears of it: which requests we can serve (RFC 3261 §8.2).

`screen` inspects a request in the order of RFC 3261 §8.2 and gives the refusal, or None. `describe` reads its body.
"""

from __future__ import annotations

import re
from functools import cache

from attrs import frozen

from . import sdp
from .bodies import session_in
from .info import ACCEPT_INFO, RECEIVES, key_of
from .message import NameAddr, RemoteSipError, Request, Response, Row, Uri
from .referral import NOREFERSUB
from .refresh import MIN_SE, TIMER, session_expires, tags
from .reliable import REL100

METHODS = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "PRACK", "UPDATE")
# ... and of a trunk that may refer calls
REFERRING = (*METHODS, "REFER")
# Those that have a name, served or not: what is counted by method is counted by these.
KNOWN_METHODS = frozenset((*METHODS, "REGISTER", "SUBSCRIBE", "NOTIFY", "REFER", "MESSAGE", "PUBLISH"))
ACCEPT: Row = ("Accept", "application/sdp, multipart/mixed")
# Extensions that we speak (RFC 3261 §19.2); rport needs no option tag (RFC 3581 §3).
OPTION_TAGS = frozenset({REL100, TIMER})
SDP_TYPE: Row = ("Content-Type", "application/sdp")
# Those that refresh a session, and those that may carry an offer
REFRESHING = frozenset({"INVITE", "UPDATE"})
OFFERING = frozenset({"INVITE", "PRACK", "UPDATE"})
# Users who are nobody: of RFC 3323 §4.1.1.3, and what PBXs and gateways write in its place, in lower case. Whoever
# calls so is not one and the same caller.
NOBODY = frozenset({"anonymous", "unknown", "unavailable", "restricted", "private", "withheld"})
_ACCEPTED = re.compile(
    r"(?:application[ \t]*/[ \t]*(?:sdp|\*)|\*[ \t]*/[ \t]*\*)[ \t]*(?:;.*)?", re.ASCII | re.IGNORECASE
)


@frozen
class Refusal:
    status: int
    reason: str
    rows: tuple[Row, ...] = ()


@cache
def able(*, refers: bool) -> tuple[Row, Row]:
    """Allow and Supported, for a trunk that may refer calls, or may not."""
    methods, options = (REFERRING, OPTION_TAGS | {NOREFERSUB}) if refers else (METHODS, OPTION_TAGS)
    return ("Allow", ", ".join(methods)), ("Supported", ", ".join(sorted(options)))


def screen(request: Request, *, refers: bool = False) -> Refusal | None:
    """RFC 3261 §8.2.1 to §8.2.3 for everything but ACK and CANCEL, which have no answer of this kind, of a trunk that
    may refer calls, or may not. Raises RemoteSipError."""
    try:
        Uri.parse(request.uri)
        foreign = None
    except RemoteSipError as error:
        if error.status != 416:
            raise  # nobody can read it, whatever the method is (RFC 5118 §4.2)
        foreign = error
    if request.method not in (REFERRING if refers else METHODS):
        # RFC 3261 §21.5.2: 501 where nobody knows the method
        allow, _ = able(refers=refers)
        return Refusal(405 if request.method in KNOWN_METHODS else 501, f"method {request.method}", (allow,))
    if foreign is not None:
        raise foreign  # RFC 3261 §8.2.2.1: after the method
    # a new call that used up its hops came in a loop; OPTIONS may be meant to end here (RFC 3261 §11), and what belongs
    # to a dialog is served
    forwards = request.get("Max-Forwards")
    if forwards is not None and not int(forwards) and request.method == "INVITE" and request.to.tag is None:
        return Refusal(483, "Max-Forwards 0")
    options = OPTION_TAGS | {NOREFERSUB} if refers else OPTION_TAGS
    wanted = [tag for tag in request.items("Require") if tag.lower() not in options]
    if wanted:
        return Refusal(420, "Require", (("Unsupported", ", ".join(wanted)),))
    found = session_expires(request)
    if request.method in REFRESHING and found is not None and found[0] < MIN_SE and TIMER in tags(request, "Supported"):
        return Refusal(422, "Session-Expires", (("Min-SE", str(MIN_SE)),))  # RFC 4028 §9
    if request.method in OFFERING and not _accepts_sdp(request):
        return Refusal(406, "Accept", (ACCEPT,))
    if request.method in OFFERING and request.body:
        if (request.get("Content-Encoding") or "identity").lower() != "identity":
            return Refusal(415, "Content-Encoding", (("Accept-Encoding", "identity"),))
        try:
            session_in(request)
        except RemoteSipError as error:
            return Refusal(error.status, error.text, (ACCEPT,) if error.status == 415 else ())
    if request.method == "INFO" and request.get("Info-Package") is not None:
        return Refusal(469, "Info-Package", (RECEIVES,))
    if request.method == "INFO":
        try:
            key_of(request)
        except RemoteSipError as error:
            return Refusal(error.status, error.text, (ACCEPT_INFO,))
    return None


def _accepts_sdp(request: Request) -> bool:
    """Whether a session description may be in the answer (RFC 3261 §20.1). Raises RemoteSipError."""
    if not request.values("Accept"):
        return True
    return any(_ACCEPTED.fullmatch(item) for item in request.items("Accept"))


def describe(message: Request | Response) -> sdp.SessionDescription | None:
    """The session description in a body, None where there is none. Raises RemoteSipError."""
    body = session_in(message)
    return None if body is None else sdp.parse(body)


def called_of(request: Request, us: str) -> str:
    """The number that was dialled. A carrier that calls the Contact by which we are registered as `us`, or a URI that
    has no user, has it in P-Called-Party-ID (RFC 7315 §4.2), or in To."""
    number = Uri.parse(request.uri).number
    if number and number != us:
        return number
    try:
        named = request.items("P-Called-Party-ID")[:1]
    except RemoteSipError:
        named = []
    for text in (*named, str(request.to)):
        try:
            found = Uri.parse(NameAddr.parse(text).uri).number
        except RemoteSipError:
            continue
        if found:
            return found
    return number


def caller_of(request: Request) -> tuple[str | None, str]:
    """Who calls: (number or user, name for people). A trunk's P-Asserted-Identity goes before From (RFC 3325 §9.1);
    None where the caller asked for privacy or is anonymous (RFC 3323 §4.2, RFC 3261 §8.1.1.3)."""
    wished = (value.strip(" \t").lower() for row in request.values("Privacy") for value in row.split(";"))
    if any(value not in ("", "none") for value in wished):
        return None, ""
    try:
        asserted = request.items("P-Asserted-Identity")
    except RemoteSipError:
        asserted = []
    for text in (*asserted, None):
        try:
            address = NameAddr.parse(text) if text is not None else request.from_
            uri = Uri.parse(address.uri)
        except RemoteSipError:
            continue
        number = uri.number
        if not number or number.lower() in NOBODY or uri.host.lower() == "anonymous.invalid":
            continue
        return number, address.name
    return None, ""
