"""The agent dials: a call of its own, from the click until the far side answers or the call comes to nothing.

The number goes to the switchboard, where the gate is; what passes begins as a call, which says so (`Dialled`). An agent
may dial from idle, break and after-call work, is offered nothing meanwhile, and where nobody answers does again what
it did, with the paperwork it had. An answered call is as any other, and ends in paperwork of its own.

Who hangs up first is free at once; the call hears of it, and an answer that crosses is hung up by the call.
"""

from __future__ import annotations

import math
from typing import Final

from . import call_state as calls
from . import page, records
from .agent_state import Dialled, Joined, MediaState, NotConnected, Offer, Phase, Progress, Timeout
from .callee import Callee
from .effects import Down, Effect, Tell, Watch
from .evolving import evolve
from .records import Outcome

# The switchboard answers within milliseconds.
GATE_TIMEOUT: Final = 5.0
# Why an agent is idle whose call came to nothing.
IN_VAIN: Final = "not connected"


class Dialler(Callee):
    """The calls that an agent makes."""

    def dial(self, request: page.Request, now: float) -> list[Effect]:
        command, data = request.command, self.state
        assert isinstance(command, page.Dial)
        if not data.robot and data.media is not MediaState.CONNECTED:
            return self.refuse(request, "media_lost")
        agent = data.profile.agent
        dials = data.dials + 1
        call = f"{agent}-{dials}"
        offer = Offer(call, "", "", command.number, "", command.number, now, 0.0, direction="outbound")
        self.state = evolve(
            data,
            dials=dials,
            back_to=self.doing(now),
            from_break=data.phase is Phase.ON_BREAK or data.may_return,
            call=offer,
            muted=False,
            dial=page.CallDialling(call, command.number, now),
            dial_until=now + GATE_TIMEOUT,
            offer_entry=None,
        )
        self.move(Phase.DIALLING, "dialling", now)
        asked = Tell("switchboard", calls.Dial(call, agent, command.number, self.state.voice, command.shown))
        return [*self.accept(request), asked, *self._told()]

    def _told(self) -> list[Effect]:
        dial = self.state.dial
        return [] if dial is None else self.push(dial)

    def dialled(self, message: Dialled, now: float) -> list[Effect]:
        offer = self._call()
        if message.call != offer.call:
            return self.dialled_too_late(message, now)
        dial = self.state.dial
        assert dial is not None, "it is dialled"
        self.state = evolve(
            self.state,
            call=evolve(offer, number=message.number, dialled=message.number),
            dial=evolve(dial, number=message.number),
            dial_until=math.inf,
            offer_entry=records.OfferEntry(offer.call, self.state.profile.agent, "", now),
        )
        # its media may be another by now than at the click, when there was no call that could be told so
        heard = calls.AgentLeg(self.state.profile.agent, self.state.voice, self.state.away_since < math.inf)
        return [Watch(f"call:{message.call}"), self.tell_call(heard), *self._told()]

    def dialled_too_late(self, message: Dialled, now: float) -> list[Effect]:
        """The agent had given it up before it began."""
        return [Tell(f"call:{message.call}", calls.HangUp(self.state.profile.agent))]

    def progress(self, message: Progress, now: float) -> list[Effect]:
        dial = self.state.dial
        if dial is None or message.call != dial.call:
            return []
        self.state = evolve(self.state, dial=evolve(dial, rings=message.rings, early=message.early))
        return self._told()

    def picked_up(self, message: Joined, now: float) -> list[Effect]:
        if message.call != self._call().call:
            return self.joined_too_late(message, now)
        self._dial_over()
        return self.joined(message, now)

    def not_answered_yet(self, request: page.Request, now: float) -> list[Effect]:
        return self.refuse(request, "not_answered_yet" if self._names(request, self._call()) else "no_call")

    def _dial_over(self) -> None:
        self.state = evolve(self.state, dial=None, dial_until=math.inf, back_to=None)

    def not_connected(self, message: NotConnected, now: float) -> list[Effect]:
        if message.call != self._call().call:
            return self.let_go(message, now)
        return self._back(message.why, message.status, now)

    def _back(self, why: str, status: int, now: float) -> list[Effect]:
        """Nobody answered: the agent does again what it did. Why it rests, or what its paperwork is of, stays as it
        was, and why it is idle does not."""
        data = self.state
        offer, back = self._call(), data.back_to
        assert back is not None, "there is always something before"
        self.offer_over(Outcome.NOT_CONNECTED, now)
        self._dial_over()
        self.move(back.phase, IN_VAIN if back.phase is Phase.IDLE else back.reason, now)
        self.state = evolve(self.state, call=back.call, last=back.last)
        return self.push(page.CallFailed(offer.call, offer.number, why, page.FAILURES[why], status))

    def give_up(self, request: page.Request, now: float) -> list[Effect]:
        """Free at once, whatever the far side does in this moment."""
        if not self._names(request, self._call()):
            return self.refuse(request, "no_call")
        told = self.tell_call(calls.HangUp(self.state.profile.agent))
        return [*self.accept(request), told, *self._back("given_up", 0, now)]

    def survey_when_answered(self, request: page.Request, now: float) -> list[Effect]:
        """The call goes on its way without the agent, whose paperwork begins."""
        data, offer = self.state, self._call()
        if not self._names(request, offer):
            return self.refuse(request, "no_call")
        if data.dial_until < math.inf:
            return self.refuse(request, "busy")  # the gate answers within milliseconds
        told = self.tell_call(calls.Survey(data.profile.agent))
        self.offer_over(Outcome.NOT_CONNECTED, now)
        last = evolve(self.last("agent", "survey", now), since=now)
        self._dial_over()
        self.move(Phase.AFTER_CALL_WORK, "survey", now)
        self.state = evolve(self.state, last=last)
        return [*self.accept(request), told, *self.push(page.CallEnded(offer.call, "agent", "survey"))]

    def call_died_dialling(self, message: Down, now: float) -> list[Effect]:
        if message.name != f"call:{self._call().call}":
            return []
        return [*self.hear_nothing(), *self._back("call_failed", 0, now)]

    def dial_late(self, message: Timeout, now: float) -> list[Effect]:
        """The gate says nothing, or the page is gone for too long."""
        if self.state.dial_until <= now:
            return self._back("call_failed", 0, now)
        told = self.tell_call(calls.AgentGone(self.state.profile.agent))
        return [told, *self._back("given_up", 0, now), *self.release_seat("page gone", now)]

    def dialling_deadline(self) -> float:
        data = self.state
        return min(data.dial_until, data.owner_lost_at + data.profile.patience.away)
