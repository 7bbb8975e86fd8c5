"""A far side that wants its call put through to another number (REFER): that number is called, and takes its place.

    TALKING --REFER, the gate lets the number out--> REFERRED --it answers--> TALKING, with whoever is there
                                                        `--it does not--> TALKING, with who was there before

The number is reached by a line, on account of the agent, and by the trunk that wants it alone. While it rings the agent
hears that, and who refers is neither heard nor hears; it may hang up at once, and then the call ends where nobody
answers. From the answer on the customer is whoever is there: `moved`. What the trunk is told of all this
(`signals.ReferralStands`) it is told whatever ends it.
"""

from __future__ import annotations

import math
from typing import Final

from ..switch import protocol as media
from . import agent_state as agents
from . import records, signals
from .call_state import Cancel, Moved, Phase
from .effects import Effect, Log, Media, Sip
from .evolving import evolve
from .line import DECLINED, LineBegun, LineRings
from .parties import AgentLeaves, Second, SecondFails, SecondUp, Standing
from .seconds import UNASKED_SECONDS, Seconds

# What SIP is told where the number never left: by the code of `page.FAILURES`.
_NOT_OUT: Final = {
    "not_a_number": 404,
    "not_allowed": 403,
    "premium_rate": 403,
}
# ... for all else there, where the call is not one that can be put through, and where the agent would not wait.
_BUSY: Final = 503
_GIVEN_UP: Final = 487
_RINGS: Final = 180
_ANSWERED: Final = 200
# ... and where whoever was called answered nothing that SIP has a number for.
_UNAVAILABLE: Final = 480


class Referred(Seconds):
    """The half of a call whose far side may be another in the end."""

    # --- it is asked for --------------------------------------------------------------------------------------

    def referred(self, message: signals.Referred, now: float) -> list[Effect]:
        return self.turn(message, now) if self.state.phase is Phase.TALKING else self.decline(message, now)

    def decline(self, message: signals.Referred, now: float) -> list[Effect]:
        """Nobody talks with the far side alone who could be given to another."""
        return [Sip(signals.RejectReferral(message.call, DECLINED))]

    def refer(self, message: signals.Referred, now: float) -> list[Effect]:
        data = self.state
        entry = data.entry
        assert entry is not None, "a call begins with its entry"
        if data.transfers >= data.customs.transfers:
            return self.decline(message, now)
        offer = agents.Offer(
            self.id, "", "", entry.caller, entry.caller_name, entry.dialled, now, UNASKED_SECONDS, by=data.agent
        )
        second = Second("", "", offer, now, "number", message.number)
        wanted = self.offer_to(second, now, trunk=data.arrived.trunk)
        log = Log("far side refers", (("call", self.id), ("trunk", data.arrived.trunk)))
        return [log, *wanted, *self.go(Standing.REFERRED, None, now)]

    def line_begun(self, message: LineBegun, now: float) -> list[Effect]:
        begun = super().line_begun(message, now)
        if not self._refers(message.line):
            return begun
        data = self.state
        count = data.transfers + 1
        entry = records.TransferEntry(self.id, count, "referred", "", now, to=message.number)
        self.state = evolve(data, transfers=count, transfer=entry)
        return [*begun, Sip(signals.AcceptReferral(data.sip))]

    def line_rings(self, message: LineRings, now: float) -> list[Effect]:
        rings = super().line_rings(message, now)
        return [*rings, *self._stands(_RINGS)] if self._refers(message.line) else rings

    def _refers(self, line: str) -> bool:
        second = self.state.second
        return self.state.standing is Standing.REFERRED and second is not None and second.line == line

    def _stands(self, status: int) -> list[Effect]:
        return [Sip(signals.ReferralStands(self.state.sip, status))]

    # --- what comes of it -------------------------------------------------------------------------------------

    def put_through(self, message: SecondUp, now: float) -> list[Effect]:
        """Whoever was called is the customer from now on. Who referred it is let go, as RFC 5589 §6.1 has it."""
        before, second = self.state, self.second()
        self.transfer_came_to("connected")
        self.close_leg_entries(now, agents_only=False, party="caller")
        self.begin_leg_entry("outside", now, second.outside)
        hushed = self.stop_playing()
        closed = self.far_side_gone()
        released = [] if before.left else [Sip(signals.Release(before.sip, "put through"))]
        moved = Moved(second.line, message.leg, second.number, len(before.legs))
        self.state = evolve(self.state, moved=moved, second=None, left=False)
        talks = self.go(Standing.TALKING, before, now)
        return [*hushed, *self._stands(_ANSWERED), *released, *talks, *closed]

    def not_put_through(self, message: SecondFails, now: float) -> list[Effect]:
        """The far side that referred is there again, if it waited."""
        told = self.told_why(message.why, message.status)
        return [*told, *self._back(message.why, message.status, now)]

    def take_back(self, message: Cancel, now: float) -> list[Effect]:
        """The agent would rather go on with who is there."""
        return self._back("given_up", _GIVEN_UP, now)

    def _back(self, why: str, status: int, now: float) -> list[Effect]:
        before = self.state
        self.transfer_came_to("returned", why)
        told = self.referral_over(why, status)
        released = self.let_go(now)
        gone = before.left
        back = self.go(Standing.TALKING, before, now)
        return [*told, *released, *back, *(self.end(self.far, "hung up", now) if gone else ())]

    def agent_lost_referred(self, message: AgentLeaves, now: float) -> list[Effect]:
        """Where the far side waits it waits for another agent."""
        if self.state.left:
            return self.end("system", "the agent is gone", now)
        return [*self.referral_over("given_up", _GIVEN_UP), *self.agent_lost(message, now)]

    def referral_over(self, why: str, status: int) -> list[Effect]:
        """The trunk is told, while it waits, that nothing comes of it."""
        second = self.state.second
        if self.state.standing is not Standing.REFERRED or second is None:
            return []
        if second.begun:
            return self._stands(status or _UNAVAILABLE)
        refused = DECLINED if why == "given_up" else _NOT_OUT.get(why, _BUSY)
        return [Sip(signals.RejectReferral(self.state.sip, refused))]

    # --- who referred -----------------------------------------------------------------------------------------

    @property
    def far(self) -> str:
        """Who is at the far end, as the record says who ended it."""
        return "caller" if self.state.out is None else "callee"

    def hangs_up_referred(self) -> list[Effect]:
        """It leaves before there is an answer, as most do: whoever is called is still wanted."""
        gone = self.far_side_gone()
        self.state = evolve(self.state, left=True)
        return [*self.stop_playing(), *gone, Log("far side has left", (("call", self.id),))]

    def far_side_gone(self) -> list[Effect]:
        """Nothing comes from it any more, and nothing is said of that."""
        data = self.state
        if data.left:
            return []
        self.state = evolve(data, silent_since=math.inf, comes=True, goes=True, agreed=None, reoffer=None)
        return [Media(media.CloseLeg(data.own_leg))]

    def is_of_before(self, message: object) -> bool:
        """What comes of a far side whose place another has, or that has left: it crossed that, or is that its SIP call
        was not found again by another process."""
        data = self.state
        if data.moved is None and not data.left:
            return False
        if isinstance(message, signals.SipSignal):
            return True
        return getattr(message, "leg", "") == data.own_leg
