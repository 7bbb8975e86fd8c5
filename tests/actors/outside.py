"""Who is called over a carrier's machine: telephones that ring, answer, refuse, forward, say nothing."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Final

from cordboard.sip import sdp
from cordboard.sip.events import CallCancelled, CallEnded, CallFailed, IncomingCall, Output, Transmit
from cordboard.sip.message import LocalSipError, respond

from .far import SipHost

if TYPE_CHECKING:
    from .world import World

# What a telephone does with an INVITE, and how often of a hundred.
HABITS: Final = {
    "answers": 38,
    "announces": 14,
    "answers at once": 8,
    "rings for ever": 8,
    "is busy": 7,
    "declines": 4,
    "is not known": 4,
    "is unavailable": 6,
    "says nothing": 5,
    "forwards": 6,
}
# How it refuses (RFC 3261 §21.4 to §21.6).
REFUSALS: Final = {"is busy": 486, "declines": 603, "is not known": 404, "is unavailable": 503}
# Where a call is sent on to: the last is a number that may not be dialled.
FORWARDED: Final = ("+8613800138008", "+8613800138009", "+8613912345678")


class Outside:
    """The telephones behind one machine."""

    def __init__(self, world: World, host: SipHost, rng: Random) -> None:
        self.world = world
        self.host = host
        self.rng = rng
        # Calls that live there, and those of them that were answered.
        self.calls: dict[str, IncomingCall] = {}
        self.up: set[str] = set()
        # What all do, where it is not chance.
        self.habit = ""
        self._ports = itertools.count(14000 if host is world.carrier else 24000, 2)
        self._versions = itertools.count(2)
        self._at: dict[str, int] = {}
        host.on_output = self.hear

    def hear(self, output: Output) -> None:
        call = getattr(output, "call", "")
        if call in self.world.callers:
            self.world.to_caller(output)
            return
        self.world.note("outside", type(output).__name__, call)
        match output:
            case IncomingCall():
                self.calls[call] = output
                self._at[call] = next(self._ports)
                self._react(call)
            case CallCancelled() | CallEnded() | CallFailed():
                self._gone(call)
            case _:
                pass

    def _gone(self, call: str) -> None:
        self.calls.pop(call, None)
        self.up.discard(call)

    def closes(self) -> None:
        """All that lives there ends, and nobody picks up any more."""
        self.habit = "is not known"
        for call in list(self.calls):
            self.hang_up(call)

    def _react(self, call: str) -> None:
        habit = self.habit or self.rng.choices(list(HABITS), list(HABITS.values()))[0]
        soon = self.rng.uniform(0.05, 4.0)
        match habit:
            case "answers":
                self.ring(call)
                self._later(soon, self.answer, call)
            case "announces":
                self.announce(call)
                self._later(soon, self.answer, call)
            case "answers at once":
                self.answer(call)
            case "rings for ever":
                self.ring(call)
            case "says nothing":
                pass
            case "forwards":
                self.forward(call)
            case _:
                if self.rng.random() < 0.5:
                    self.ring(call)
                self._later(soon / 4, lambda call: self.refuse(call, REFUSALS[habit]), call)

    def _later(self, seconds: float, act: Callable[[str], object], call: str) -> None:
        self.world.later(seconds, lambda: act(call) if call in self.calls else None)

    # --- what it does, whether it fits or not -----------------------------------------------------------------

    def ring(self, call: str) -> None:
        self._do(lambda now: self.host.endpoint.ring(call, now))

    def answer(self, call: str) -> None:
        self.up.add(call)
        self._do(lambda now: self.host.endpoint.answer(call, self._described(call), now))

    def announce(self, call: str) -> None:
        """Early media: 183 with the answer."""
        self._do(lambda now: self.host.endpoint.progress(call, self._described(call), now))

    def refuse(self, call: str, status: int) -> None:
        if call not in self.up:
            retry_after = 5 if status == 503 else None
            self._do(lambda now: self.host.endpoint.reject(call, status, now, retry_after=retry_after))
            self._gone(call)

    def hang_up(self, call: str) -> None:
        if call in self.up:
            self._do(lambda now: self.host.endpoint.hang_up(call, now))
            self._gone(call)
        else:
            self.refuse(call, 480)

    def offer(self, call: str) -> None:
        """It holds us, or is heard from another port."""
        if self.rng.random() < 0.5:
            self._at[call] = next(self._ports)
        way: sdp.Direction = self.rng.choice(("sendrecv", "sendonly", "inactive"))
        version, at = next(self._versions), self._at[call]
        ours = sdp.offer(self.host.address.host, at, session_id=9, version=version, direction=way)
        self._do(lambda now: self.host.endpoint.reoffer(call, ours, now))

    def forward(self, call: str) -> None:
        """302 to another number."""
        known = self.host.endpoint._calls[call]
        assert known.invite is not None
        to = self.rng.choice(FORWARDED)
        rows = (("Contact", f"<sip:{to}@{self.host.address.host}>"),)
        moved = respond(known.invite, 302, known.peer, tag=known.tag, rows=rows)
        self.world.carry(self.host.address, Transmit(bytes(moved), known.peer))
        self._later(0.1, lambda call: self.refuse(call, 302), call)

    def _described(self, call: str) -> sdp.SessionDescription:
        incoming = self.calls[call]
        assert incoming.offer is not None
        agreed = sdp.negotiate(incoming.offer, sdp.TRUNK_CODECS, peer=incoming.peer)
        return sdp.answer(incoming.offer, agreed, self.host.address.host, self._at[call], session_id=9, version=1)

    def _do(self, act: Callable[[float], list[Output]]) -> None:
        with contextlib.suppress(LocalSipError):
            self.host.perform(act(self.world.now()))
