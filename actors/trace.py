"""One call out of the journal: SIP, what actors said of it, its pages, its media, its states, on one time line.

`Trace` takes the records of all files in order and keeps the lines of one call, named by its id or by its SIP Call-ID.
A step is of the call where its actor is, or where what it heard or wanted names it. What is drawn of a step: the
message of a page or of a shell as it came, and what the step wanted of others as it left; a message between actors
once, where it left. The phases of the call and of its lines are found by taking their steps again, as a replay does;
agents state theirs themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import Any, Final, assert_never

import attrs
from attrs import define, field, frozen

from ..switch import protocol
from . import page, records, signals
from .effects import Behaviour, Effect, Media, Push, Record, Reply, Sip, Stop, Tell
from .packing import Packer, UnpackError
from .steps import Begins, Crashed, Ends, Entry, Lives, Spoke, Took, step
from .wire import digest_of, printable

SIP: Final = "sip"
MEDIA: Final = "media"
CALL: Final = "call"
# Said every few seconds of every call: counted, and not drawn.
PERIODIC: Final = (protocol.LegQuality, page.MediaQuality)
# What of a message stands beside its name, where it has one of these.
_TELLING: Final = ("status", "code", "state", "route", "agent", "outcome", "cause", "reason", "how", "error")
_MOST_TOLD: Final = 2
_BEGINS: Final = b"steps.Begins"
# Of a request its method, and whom it is for where that is a number.
_START: Final = re.compile(r"(\S+) <\w+:([^@;>]*?)(?:@[^>]*|\.\.\.[^>]*)?> SIP/2\.0", re.ASCII)


class Kind(Enum):
    SIP = "SIP"
    ACTOR = "actors"
    PAGE = "page"
    MEDIA = "media"
    STATE = "state"


@frozen
class Line:
    """Something that one told another; where both are one it is a note."""

    at: float
    source: str
    target: str
    text: str
    kind: Kind


@define
class Trace:
    """The lines of the call that is `named`; `call` is its id once it is known. `unread` counts what another version of
    the code wrote so that this one cannot read it."""

    packer: Packer
    named: str
    read: Callable[[bytes], Any] = field(init=False)
    call: str = ""
    trunk: str = ""
    lines: list[Line] = field(factory=list)
    reports: int = 0
    unread: int = 0
    _call_ids: set[str] = field(factory=set)
    # What records of it hold.
    _marks: set[bytes] = field(factory=set)
    # Of the call and its lines, as far as their steps could be taken again.
    _behaviours: dict[str, Behaviour] = field(factory=dict)
    _phases: dict[str, str] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.read = self.packer.unpack
        self._know(self.named, digest_of(self.named.encode()))

    def _know(self, call: str, call_id: str) -> None:
        self._call_ids.add(call_id)
        self._marks |= {call.encode(), call_id.encode()}

    @property
    def _actor(self) -> str:
        return f"call:{self.call or self.named}"

    def _is_mine(self, name: str) -> bool:
        """The call's actor, or that of a line that was dialled for it."""
        return name == self._actor or name.startswith(f"line:{self.call or self.named}+")

    def wants(self, frame: bytes) -> bool:
        """Whether a packed record may be of this call: the others need not be unpacked."""
        return _BEGINS in frame or any(mark in frame for mark in self._marks)

    def finish(self) -> None:
        """All was taken. An actor's step counts from when its message came, and may be told after what came later."""
        self.lines.sort(key=lambda line: line.at)

    def take(self, entry: Entry) -> None:
        match entry:
            case Begins(shapes=shapes):
                self._behaviours.clear()
                self.read = self.packer.reader(shapes)
            case Spoke():
                self._spoke(entry)
            case Lives(name, at, behaviour):
                if self._is_mine(name):
                    self.call = self.call or self.named
                    self._lives(name, at, behaviour)
            case Took(name, at, message, _, effects):
                mark = self.call.encode()
                if mark and (self._is_mine(name) or mark in message or mark in effects):
                    self._took(name, at, message, effects)
            case Crashed(name, at, _, _, error, _):
                if self._is_mine(name):
                    self._note(at, name, f"crashed: {error}")
            case Ends(name, at, reason):
                if self._is_mine(name):
                    self._note(at, name, f"ended: {reason}")
            case _:
                assert_never(entry)

    # --- SIP ----------------------------------------------------------------------------------------------------

    def _spoke(self, spoke: Spoke) -> None:
        call = signals.call_of(spoke.call)
        if call != (self.call or self.named) and spoke.call_id not in self._call_ids:
            return
        self.call = self.call or call
        self.trunk = spoke.trunk
        self._know(self.call or self.named, spoke.call_id)
        start = _START.sub(r"\1 \2", spoke.text.partition("\n")[0]).removeprefix("SIP/2.0 ").strip(" ")
        text = start + (" + SDP" if "\nv=0\n" in spoke.text else "")
        far = f"{spoke.trunk} (SIP)"
        ends = (SIP, far) if spoke.sent else (far, SIP)
        self.lines.append(Line(spoke.at, *ends, text, Kind.SIP))

    # --- actors -------------------------------------------------------------------------------------------------

    def _lives(self, name: str, at: float, packed: bytes) -> None:
        with suppress(UnpackError, KeyError):
            self._behaviours[name] = self.read(packed)
            self._enter(name, at)

    def _enter(self, name: str, at: float) -> None:
        behaviour = self._behaviours.get(name)
        phase = behaviour.state.phase.value if behaviour is not None else ""
        if phase and phase != self._phases.get(name):
            self._phases[name] = phase
            self._note(at, name, phase)

    def _took(self, name: str, at: float, packed: bytes, wanted: bytes) -> None:
        try:
            message = self.read(packed) if packed else None
            effects: tuple[Effect, ...] = self.read(wanted)
        except (UnpackError, KeyError):
            self.unread += 1
            return
        me = self._called(name)
        self._heard(me, at, message)
        if (behaviour := self._behaviours.get(name)) is not None:
            try:
                step(behaviour, message, at)
            except Exception:  # another version took this step: its phases are not known
                del self._behaviours[name]
            self._enter(name, at)
        for effect in effects:
            self._wanted(name, me, at, effect)

    def _heard(self, me: str, at: float, message: object) -> None:
        """What came from a shell; what actors tell is drawn as it leaves."""
        if isinstance(message, PERIODIC):
            self.reports += 1
        elif message is None:
            self._note(at, me, "timer")
        elif isinstance(message, page.Request):
            self.lines.append(Line(at, _page(me), me, message.command.do, Kind.PAGE))
        elif isinstance(message, signals.SipSignal | signals.DialledSignal):
            self.lines.append(Line(at, SIP, me, _said(message), Kind.ACTOR))
        elif isinstance(message, protocol.Fact):
            self.lines.append(Line(at, MEDIA, me, _said(message), Kind.MEDIA))

    def _wanted(self, name: str, me: str, at: float, effect: Effect) -> None:
        mine = self._is_mine(name)
        match effect:
            case Tell(to, message) if to != "directory" and (mine or to == self._actor or self._names(message)):
                self.lines.append(Line(at, me, self._called(to), _said(message), Kind.ACTOR))
            case Sip(command):
                self.lines.append(Line(at, me, SIP, _said(command), Kind.ACTOR))
            case Media(command) if mine or self._names(command):
                self.lines.append(Line(at, me, MEDIA, _said(command), Kind.MEDIA))
            case Push(_, _, event) if isinstance(event, PERIODIC):
                self.reports += 1
            case Push(_, _, event):
                said = event.event + (f" {event.state.value}" if isinstance(event, page.AgentState) else "")
                self.lines.append(Line(at, me, _page(me), said, Kind.PAGE))
            case Reply(_, _, result):
                said = result.code if isinstance(result, page.Refused) else "accepted"
                self.lines.append(Line(at, me, _page(me), said, Kind.PAGE))
            case Record(records.StateEntry() as entry):
                self.lines.append(Line(at, me, me, f"{entry.state}: {entry.reason}", Kind.STATE))
            case Stop(reason) if mine:
                self._note(at, name, f"ended: {reason}")
            case _:
                pass

    def _note(self, at: float, name: str, text: str) -> None:
        me = self._called(name)
        self.lines.append(Line(at, me, me, text, Kind.STATE))

    def _called(self, name: str) -> str:
        return CALL if name == self._actor else name

    def _names(self, message: object) -> bool:
        return self.call in repr(message)


def _page(agent: str) -> str:
    """Whichever of an agent's pages it is: its own id is new with each websocket."""
    return f"page {agent.partition(':')[2]}"


def _said(message: Any) -> str:
    """A message by its class, with one or two of its fields that say the most."""
    kind = type(message)
    found = (getattr(message, each) for each in _TELLING if each in {one.name for one in attrs.fields(kind)})
    told = [text for value in found if (text := _short(value))]
    return " ".join((kind.__name__, *told[:_MOST_TOLD]))


def _short(value: Any) -> str:
    if isinstance(value, Enum):
        value = value.value
    if attrs.has(type(value)):
        return type(value).__name__
    return printable(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) and value else ""
