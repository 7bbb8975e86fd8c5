"""Mobile answer: the agent's calls ring on a mobile, and no page and no microphone is needed.

The agent binds a number, which the gate must let out; it is kept, and asked for once. From then on the agent rests in
MOBILE and is offered calls as one who is idle. An offer rings on the mobile by a line (`line.py`), which is up when
somebody has pressed 1: that is the answer, and the line is the agent's voice. What its pages show is the same as ever,
and what they ask goes on to count; they own nothing. Busy, unreachable, and no answer in the ring time are as no
answer.

Hanging up the mobile is the agent's hanging up; a line that is lost leaves the caller to the queue. Who works so
without any page has no after-call work: there is nobody who could end it, and the next call can ring at once. With one
it is as ever, and a page that goes and does not come back ends it. Idle, Break and signing out end mobile answer.
"""

from __future__ import annotations

import math
from typing import Final

from . import call_state as calls
from . import page, records
from . import queue_state as queues
from .agent_state import AnswerByMobile, BindingLate, BindMobile, MobileBarred, MobileBound, Offer, Phase, Withdraw
from .callee import Callee
from .dialler import GATE_TIMEOUT
from .effects import Down, Effect, Log, Record, Tell, Watch
from .evolving import evolve
from .line import EndLine, LineBegun, LineDigit, LineOver, LineRings, LineUp, Reach

# While the line is the agent's.
_ON_THE_LINE: Final = (Phase.RINGING, Phase.ANSWERING, Phase.TALKING)
# Why an agent whose mobile did not answer is on break.
_NOT_REACHED: Final = {"line_busy": "mobile busy", "not_answered": "no answer", "not_accepted": "no answer"}


class Mobile(Callee):
    """The half of an agent that works by a mobile."""

    # --- the number -------------------------------------------------------------------------------------------

    def bind_mobile(self, request: page.Request, now: float) -> list[Effect]:
        command, data = request.command, self.state
        assert isinstance(command, page.MobileAnswer)
        number = command.number or data.profile.mobile
        if not number:
            return self.refuse(request, "no_mobile")
        if data.binding is not None:
            return self.refuse(request, "busy")  # the switchboard answers within milliseconds
        self.state = evolve(data, binding=request, binding_until=now + GATE_TIMEOUT)
        return [Tell("switchboard", BindMobile(data.profile.agent, number))]

    def mobile_bound(self, message: MobileBound, now: float) -> list[Effect]:
        """From now on calls ring there. Where it came too late for whoever asked, the number is known."""
        if self.state.binding is None:
            return self._bound(message)
        self.state = evolve(self.state, by_mobile=True, call=None, last=None)
        self.move(Phase.MOBILE, "chosen", now)
        return [*self._bound(message), *self._reply_binding(""), *self.leave()]

    def mobile_bound_ringing(self, message: MobileBound, now: float) -> list[Effect]:
        """A call was quicker: the number is known for the next time."""
        return [*self._bound(message), *self._reply_binding("ringing")]

    def mobile_bound_busy(self, message: MobileBound, now: float) -> list[Effect]:
        return [*self._bound(message), *self._reply_binding("in_call")]

    def mobile_barred(self, message: MobileBarred, now: float) -> list[Effect]:
        return self._reply_binding(message.why)

    def binding_late(self, message: BindingLate, now: float) -> list[Effect]:
        return self._reply_binding("busy")

    def _bound(self, message: MobileBound) -> list[Effect]:
        self.state = evolve(self.state, profile=evolve(self.state.profile, mobile=message.number))
        return self._kept()

    def _reply_binding(self, refusal: str) -> list[Effect]:
        request = self.state.binding
        self.state = evolve(self.state, binding=None, binding_until=math.inf)
        if request is None:
            return []
        return self.refuse(request, refusal) if refusal else self.accept(request)

    def _kept(self) -> list[Effect]:
        profile = self.state.profile
        return [Record(records.MobileEntry(profile.agent, profile.mobile, self.state.by_mobile))]

    def answer_by_mobile(self, message: AnswerByMobile, now: float) -> list[Effect]:
        """The agent did so when the switch was stopped."""
        self.state = evolve(self.state, by_mobile=True)
        self.move(Phase.MOBILE, "restart", now)
        return []

    def mobile_consequences(self, was_by_mobile: bool) -> list[Effect]:
        """What follows from any change: that it has been left is kept, and a line that nobody needs is ended."""
        data = self.state
        kept = self._kept() if was_by_mobile and not data.by_mobile else []
        if not data.line or data.phase in _ON_THE_LINE:
            return kept
        self.state = evolve(data, line="", line_leg="")
        # its offer was the last one
        return [*kept, Tell(f"line:{data.line}", EndLine(data.line, data.gone_code == "answered_elsewhere"))]

    # --- an offer ---------------------------------------------------------------------------------------------

    def rings_there(self, offer: Offer) -> list[Effect]:
        """Where the agent answers by mobile, that rings."""
        data = self.state
        if not data.by_mobile:
            return []
        agent, number = data.profile.agent, data.lines + 1
        line = f"{offer.call}+{agent}-{number}"
        self.state = evolve(data, lines=number, line=line, line_leg="")
        return [Tell("switchboard", Reach(line, f"agent:{agent}", agent, mobile_of=agent, confirm=True))]

    def line_begun(self, message: LineBegun, now: float) -> list[Effect]:
        """One whose offer was over before it began did not hear so."""
        name = f"line:{message.line}"
        return [Watch(name)] if message.line == self.state.line else [Tell(name, EndLine(message.line))]

    def line_up(self, message: LineUp, now: float) -> list[Effect]:
        """Somebody has pressed 1."""
        if message.line != self.state.line:
            return []
        self.state = evolve(self.state, line_leg=message.leg)
        self.move(Phase.ANSWERING, "answer", now)
        return [self._accepts(message.leg)]

    def line_over_ringing(self, message: LineOver, now: float) -> list[Effect]:
        """Nobody was reached: as no answer."""
        if message.line != self.state.line:
            return []
        self.state = evolve(self.state, line="")
        reason = _NOT_REACHED.get(message.why, "mobile unreachable")
        fields = (("agent", self.state.profile.agent), ("why", message.why), ("status", message.status))
        return [Log("mobile not reached", fields), *self.not_answered(reason, now)]

    def line_over_answering(self, message: LineOver, now: float) -> list[Effect]:
        """Whoever pressed 1 is gone before the call could say whose it is: somebody else takes it."""
        if message.line != self.state.line:
            return []
        self.state = evolve(self.state, line="", line_leg="")
        gone = self.tell_call(calls.AgentGone(self.state.profile.agent))
        return [gone, *self.give_back("mobile hung up", now, queues.GaveBack.RETURNED)]

    def line_over_talking(self, message: LineOver, now: float) -> list[Effect]:
        if message.line != self.state.line:
            return []
        self.state = evolve(self.state, line="")
        if message.by == "callee":
            return [self.tell_call(calls.HangUp(self.state.profile.agent))]
        return [
            self.tell_call(calls.AgentGone(self.state.profile.agent)),
            *self.finish("system", "the agent could not be heard", "media lost", now),
        ]

    # A line that died has told nothing.

    def down_ringing(self, message: Down, now: float) -> list[Effect]:
        over = _died(message)
        if over is not None:
            return self.line_over_ringing(over, now)
        if message.name == self._call().offerer:
            return self.withdrawn(Withdraw(self._call().call, "taken_back"), now)
        return self.call_died_offered(message, now)

    def down_answering(self, message: Down, now: float) -> list[Effect]:
        over = _died(message)
        return self.call_died_offered(message, now) if over is None else self.line_over_answering(over, now)

    def down_talking(self, message: Down, now: float) -> list[Effect]:
        over = _died(message)
        return self.call_died_talking(message, now) if over is None else self.line_over_talking(over, now)

    def line_digit(self, message: LineDigit, now: float) -> list[Effect]:
        """A key of the mobile is for the caller's side, which has heard it where it was a tone."""
        if message.line != self.state.line or message.asked or message.sounded:
            return []
        return [self.tell_call(calls.AgentDigit(self.state.profile.agent, message.digit))]

    def line_rings(self, message: LineRings, now: float) -> list[Effect]:
        """Pages show that it rings from the offer on."""
        return []


def _died(message: Down) -> LineOver | None:
    """What a line that ended would have said."""
    line = message.name.removeprefix("line:")
    return LineOver(line, "system", "gone") if line != message.name else None
