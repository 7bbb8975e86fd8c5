"""The agent's half of a call: what rings, the answer, the conversation, and whether the agent can be heard in it.

An offer is taken only while the agent is ready; any other goes back to its queue at once. What rings is answered,
declined or missed, withdrawn by the call or given back as the agent leaves, and what became of it is kept. Where the
page that rings is gone, a queue's call goes on to the next agent at once; what was meant for this agent, who is
consulted, invited or given the call, rings on for `Patience.away`, and in the page that is back. After an answer the
call says whether it is the agent's: `joined` is the conversation, which ends in after-call work.

In a call the page does not matter, only the voice: while nothing comes from the agent, by a page that reloads or
a network that is gone, the caller hears a prompt; after `Patience.away` of it the call goes back to its queue's front.

`agent.py` has the table that says in which state which of these steps is taken.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Final

from ..switch import protocol as media
from . import call_state as calls
from . import page, records, timeline
from . import queue_state as queues
from .agent_state import (
    Back,
    CallerSound,
    Data,
    Ended,
    Joined,
    LetGo,
    Lost,
    MediaState,
    NotConnected,
    Offer,
    Phase,
    Timeout,
    Withdraw,
)
from .effects import Down, Effect, Media, Record, Tell, Watch
from .evolving import evolve
from .records import Outcome
from .seat import Seat, sound_of

# From the answer on a page has this long until its microphone is heard, before it counts as away.
FIRST_WORD = 1.0
# What is left of the paperwork where its time is over in this moment; none at all would be no limit.
LEAST_WORK: Final = 0.001
# What a page's end, a sign-out or a failure of the media does to an offer is a return; the rest has names of its own.
_OUTCOMES = {
    "caller_left": Outcome.CALLER_LEFT,
    "answered_elsewhere": Outcome.ANSWERED_ELSEWHERE,
    "no_answer": Outcome.MISSED,
    "declined": Outcome.DECLINED,
    "break": Outcome.DECLINED,
}
_GONE_REASON = {
    "caller_left": "caller left",
    "answered_elsewhere": "answered elsewhere",
    "no_answer": "no answer",
    "waited_too_long": "waited too long",
    "taken_back": "taken back",
}


class Callee(Seat):
    """The offers and the conversation of one agent."""

    # --- the state --------------------------------------------------------------------------------------------

    def move(self, phase: Phase, reason: str, now: float) -> None:
        """The one door for state changes. An offer that came to nothing costs nobody the place among the idle."""
        if phase in (Phase.IDLE, Phase.MOBILE) and self.state.phase not in (Phase.RINGING, Phase.ANSWERING):
            self.state = evolve(self.state, idle_since=now)
        if self.state.timeline is not None:
            self.state = evolve(self.state, timeline=self.state.timeline.over())
        if self.state.by_mobile:
            goes_on = phase not in (Phase.IDLE, Phase.ON_BREAK, Phase.SIGNED_OUT)
            self.state = evolve(self.state, by_mobile=goes_on, owner_lost_at=math.inf)
        self._count(phase, now)
        self.state = evolve(self.state, phase=phase, reason=reason, since=now)

    def back_to_rest(self, reason: str, now: float) -> None:
        """No call any more, and no paperwork."""
        self.move(self.state.rest, reason, now)
        self.state = evolve(self.state, call=None, last=None)

    def _count(self, phase: Phase, now: float) -> None:
        """How much the agent has done since it signed in, which some queues go by."""
        data = self.state
        if phase is Phase.SIGNED_OUT:
            self.state = evolve(data, taken=0, talked=0.0)
        elif phase is Phase.TALKING:
            self.state = evolve(data, taken=data.taken + 1)
        elif data.phase is Phase.TALKING:
            self.state = evolve(data, talked=data.talked + now - data.since)

    def doing(self, now: float) -> Back:
        """What the agent does again where what begins now comes to nothing: its paperwork with what is left of the time
        that it may take."""
        data, call = self.state, self.state.call
        if call is not None and data.work_until < math.inf:
            call = evolve(call, wrap_up_seconds=max(data.work_until - now, LEAST_WORK))
        return Back(data.phase, data.reason, call, data.last)

    def release_seat(self, reason: str, now: float) -> list[Effect]:
        self.offer_over(Outcome.RETURNED, now)
        self.move(Phase.SIGNED_OUT, reason, now)
        self.state = evolve(self.state, call=None, muted=False)
        return self.leave()

    # --- offers -----------------------------------------------------------------------------------------------

    def ring(self, offer: Offer, now: float) -> list[Effect]:
        if not self.state.ready:
            return self.refuse_offer(offer, now)
        self.state = evolve(self.state, from_break=False)
        return self._ring(offer, now)

    def ring_again(self, offer: Offer, now: float) -> list[Effect]:
        """The call that this agent gave away comes back: its paperwork waits, and goes on if that comes to nothing."""
        data = self.state
        own = data.call is not None and data.call.call == offer.call and offer.purpose == "returned"
        if not own or not data.could_ring:
            return self.refuse_offer(offer, now)
        self.state = evolve(data, back_to=self.doing(now))
        return self._ring(offer, now)

    def _ring(self, offer: Offer, now: float) -> list[Effect]:
        entry = records.OfferEntry(offer.call, self.state.profile.agent, offer.queue, now, purpose=offer.purpose)
        turns = {**self.state.turns, offer.queue: now} if offer.purpose == "queue" else self.state.turns
        knows = offer.offerer == f"queue:{offer.queue}"
        rings = evolve(self.state, call=offer, offered_at=now, muted=False, queue_knows=knows)
        self.state = evolve(rings, offer_entry=entry, turns=turns)
        self.move(Phase.RINGING, "offer", now)
        watched = filter(None, dict.fromkeys((f"call:{offer.call}", offer.offerer)))  # a dead queue takes nothing back
        return [*map(Watch, watched), *self.push(self.offered()), *self.rings_there(offer)]

    @abstractmethod
    def rings_there(self, offer: Offer) -> list[Effect]:
        """Where no page rings."""

    def refuse_offer(self, offer: Offer, now: float) -> list[Effect]:
        """Two queues offered at once, or the offer crossed a change of state: the queue tries another agent."""
        return [self._tell_offerer(offer, queues.GaveBack.REFUSED)]

    def _tell_offerer(self, offer: Offer, how: queues.GaveBack) -> Effect:
        return Tell(offer.offerer, queues.OfferOver(offer.call, self.state.profile.agent, how, offer.serial))

    def give_back(self, reason: str, now: float, how: queues.GaveBack) -> list[Effect]:
        """The agent's side ends the offer; the call stays in its queue. The agent rests unless more is said."""
        offer = self._call()
        told = self._offer_gone(reason, reason, now)
        return [*told, self._tell_offerer(offer, how)]

    def _offer_gone(self, reason: str, code: str, now: float) -> list[Effect]:
        offer = self._call()
        self.offer_over(_OUTCOMES.get(code, Outcome.RETURNED), now)
        back = self.state.back_to or Back(self.state.rest, reason, None, None)
        self.state = evolve(self.state, gone_call=offer.call, gone_code=code, back_to=None)
        self.move(back.phase, back.reason, now)
        self.state = evolve(self.state, call=back.call, last=back.last)
        return self.push(page.CallWithdrawn(offer.call, reason))

    def _call(self) -> Offer:
        offer = self.state.call
        assert offer is not None, "there is a call in every state that has one"
        return offer

    def answer(self, request: page.Request, now: float) -> list[Effect]:
        offer = self._call()
        if not self._names(request, offer):
            return self.answer_late(request, now)
        self.move(Phase.ANSWERING, "answer", now)
        return [*self.accept(request), self._accepts(self.state.voice)]

    def _accepts(self, leg: str) -> Effect:
        """What rings is answered."""
        offer = self._call()
        return self.tell_call(calls.Accept(self.state.profile.agent, leg, offer.offerer, offer.serial))

    def answer_late(self, request: page.Request, now: float) -> list[Effect]:
        """Nothing rings any more: the refusal says what became of the call that did."""
        command = request.command
        assert isinstance(command, page.Answer | page.Decline)
        data = self.state
        if data.gone_code in page.REFUSALS and command.call in ("", data.gone_call):
            return self.refuse(request, data.gone_code)
        return self.refuse(request, "not_ringing")

    @staticmethod
    def _names(request: page.Request, offer: Offer) -> bool:
        named = getattr(request.command, "call", "")
        return named in ("", offer.call)

    def decline(self, request: page.Request, now: float) -> list[Effect]:
        if not self._names(request, self._call()):
            return self.answer_late(request, now)
        return [*self.accept(request), *self.give_back("declined", now, queues.GaveBack.DECLINED)]

    def withdrawn(self, message: Withdraw | Lost, now: float) -> list[Effect]:
        if message.call != self._call().call:
            return []
        return self._offer_gone(_GONE_REASON.get(message.code, message.code), message.code, now)

    def call_died_offered(self, message: Down, now: float) -> list[Effect]:
        if message.name != f"call:{self._call().call}":
            return []
        return self._offer_gone("caller left", "caller_left", now)

    def joined(self, message: Joined, now: float) -> list[Effect]:
        if message.call != self._call().call:
            return self.joined_too_late(message, now)
        self.move(Phase.TALKING, "answered", now)
        heard = timeline.begun(message.call, self.state.profile.agent, now)
        parties = page.CallParties(message.call)
        knows = self.state.queue_knows and message.queue == self._call().queue
        talks = evolve(self.state, caller=None, timeline=heard, parties=parties, transfers=0, back_to=None)
        self.state = evolve(talks, queue_knows=knows)
        entry = self.state.offer_entry
        if entry is not None:
            self.state = evolve(self.state, offer_entry=evolve(entry, outcome=Outcome.ANSWERED, decided=now))
        return self.push(self.connected())

    def joined_again(self, message: Joined, now: float) -> list[Effect]:
        return [] if message.call == self._call().call else self.joined_too_late(message, now)

    def joined_too_late(self, message: Joined, now: float) -> list[Effect]:
        """The offer ended here while the call took the answer: it must not wait for an agent who is not there.

        As it took the answer it let the agent's leg hear the caller: that is undone, and the call that the agent is in
        by now wires it anew. Its queue believes that the agent talks.
        """
        gone = Tell(f"call:{message.call}", calls.AgentGone(self.state.profile.agent))
        effects = [gone, *self.hear_nothing(), *self.stop_testing()]
        effects += self.stands(message.queue)
        if self.state.voice and self.state.in_call:
            effects.append(self._heard_by())
        return effects

    @abstractmethod
    def stands(self, queue: str) -> list[Effect]:
        """Says to that queue how the agent stands, where it is one of its own."""

    def _heard_by(self) -> Effect:
        """The call that the agent is in wires it anew."""
        data = self.state
        return self.tell_call(calls.AgentLeg(data.profile.agent, data.voice, data.away_since < math.inf))

    def hear_nothing(self) -> list[Effect]:
        """Of a call that goes on without this agent."""
        voice = self.state.voice
        return [Media(media.Rewire((media.Hears(voice, ()),)))] if voice else []

    def let_go(self, message: LetGo | Ended | NotConnected, now: float) -> list[Effect]:
        """A call that the agent had left says that it is done with it: its leg hears again what it is to hear here."""
        data = self.state
        voice = data.voice
        if not voice:
            return []
        if data.in_call:
            return [self._heard_by()]
        tests = data.testing_until < math.inf
        return [Media(media.Rewire((media.Hears(voice, ((voice, 1.0),) if tests else ()),)))]

    def answered_already(self, request: page.Request, now: float) -> list[Effect]:
        """A double click is one answer."""
        return self.accept(request) if self._names(request, self._call()) else self.refuse(request, "in_call")

    def rang_out(self, message: Timeout, now: float) -> list[Effect]:
        """The ring time is over, or the page that was to ring has not come back."""
        if self.state.ring_until <= now:
            return self.not_answered("no answer", now)
        paperwork, present = self.state.back_to is not None, self.state.present
        told = self.give_back("media failed" if present else "page gone", now, queues.GaveBack.RETURNED)
        return told if present or paperwork else [*told, *self.release_seat("page gone", now)]

    def unrung(self, reason: str, now: float) -> list[Effect]:
        """Nobody hears it ring any more."""
        return [] if self.state.asked_for else self.give_back(reason, now, queues.GaveBack.RETURNED)

    def look_at_ringing(self, now: float) -> None:
        """Whether what rings here is heard, or again."""
        data = self.state
        unrung = data.phase is Phase.RINGING and not data.could_ring
        since = min(data.unrung_since, now) if unrung else math.inf
        if since != data.unrung_since:
            self.state = evolve(data, unrung_since=since)

    def not_answered(self, reason: str, now: float) -> list[Effect]:
        """On break, so that the next call does not ring in an empty room."""
        offer = self._call()
        paperwork = self.state.back_to is not None
        told = self._offer_gone(reason, "no_answer", now)
        if not paperwork:
            self.move(Phase.ON_BREAK, reason, now)
        return [*told, self._tell_offerer(offer, queues.GaveBack.MISSED)]

    def leg_failed_ringing(self, fact: media.LegFailed, now: float) -> list[Effect]:
        """Who cannot be heard is not rung: a queue's call goes on to the next agent."""
        told = self.leg_failed(fact, now)
        if self.state.media is not MediaState.FAILED:
            return told
        return [*told, *self.unrung("media failed", now)]

    def unchecked_ringing(self, fact: media.LegUnchecked, now: float) -> list[Effect]:
        told = self.checks(fact, now)
        if self.state.can_hear:
            return told
        return [*told, *self.unrung("computer gone", now)]

    def offer_recorded(self, before: records.OfferEntry | None) -> list[Record]:
        entry = self.state.offer_entry
        return [Record(entry)] if entry is not None and entry != before else []

    def offer_over(self, outcome: Outcome, now: float) -> None:
        """What became of the offer; a conversation that it led to is over."""
        entry = self.state.offer_entry
        if entry is None or entry.ended is not None:
            return
        if entry.outcome is Outcome.ANSWERED:
            self.state = evolve(self.state, offer_entry=evolve(entry, ended=now))
        elif entry.outcome is Outcome.RINGING:
            over = evolve(entry, outcome=outcome, decided=now, ended=now)
            self.state = evolve(self.state, offer_entry=over)

    def left_answering(self, message: Timeout, now: float) -> list[Effect]:
        told = self.tell_call(calls.AgentGone(self.state.profile.agent))
        return [told, *self.release_seat("page gone", now)]

    # --- talking ----------------------------------------------------------------------------------------------

    def tell_call(self, message: object) -> Effect:
        return Tell(f"call:{self._call().call}", message)

    def hang_up(self, request: page.Request, now: float) -> list[Effect]:
        if not self._names(request, self._call()):
            return self.refuse(request, "no_call")
        return [*self.accept(request), self.tell_call(calls.HangUp(self.state.profile.agent))]

    def set_mute(self, request: page.Request, now: float) -> list[Effect]:
        offer = self._call()
        if not self._names(request, offer):
            return self.refuse(request, "no_call")
        muted = isinstance(request.command, page.Mute)
        self.state = evolve(self.state, muted=muted)
        told = self.tell_call(calls.MuteAgent(self.state.profile.agent, muted))
        return [*self.accept(request), told, *self.push(page.CallMuted(offer.call, muted))]

    def survey(self, request: page.Request, now: float) -> list[Effect]:
        """The call says when the agent's part is over, which is at once."""
        if not self._names(request, self._call()):
            return self.refuse(request, "no_call")
        if self.state.parties is not None and self.state.parties.role == "second":
            return self.refuse(request, "not_yours")
        return [*self.accept(request), self.tell_call(calls.Survey(self.state.profile.agent))]

    def ended(self, message: Ended, now: float) -> list[Effect]:
        if message.call != self._call().call:
            return self.let_go(message, now)
        return self.finish(message.by, message.cause, message.reason or f"{message.by} hung up", now)

    def finish(self, by: str, cause: str, reason: str, now: float) -> list[Effect]:
        """The agent's part of the call is over: its paperwork begins, where there is a page to do it."""
        last = self.last(by, cause, now)
        self.offer_over(Outcome.ANSWERED, now)
        if self.state.by_mobile and not self.state.sessions:
            self.back_to_rest(reason, now)
        else:
            self.move(Phase.AFTER_CALL_WORK, reason, now)
            self.state = evolve(self.state, last=last)
        self.state = evolve(self.state, muted=False)
        return self.push(page.CallEnded(last.call, by, cause))

    def ended_answering(self, message: Ended, now: float) -> list[Effect]:
        """Before we knew that it was ours: as a caller who left while it rang."""
        if message.call != self._call().call:
            return self.let_go(message, now)
        return self.withdrawn(Withdraw(message.call, "caller_left"), now)

    def call_died_talking(self, message: Down, now: float) -> list[Effect]:
        if message.name != f"call:{self._call().call}":
            return []
        # it could not say any more that the agent hears nothing of it
        return [*self.hear_nothing(), *self.ended(Ended(self._call().call, "system", message.reason), now)]

    def digit(self, fact: media.DigitPressed, now: float) -> list[Effect]:
        """For the caller's side, which has heard it where it was a tone."""
        if fact.how == "tone":
            return []
        return [self.tell_call(calls.AgentDigit(self.state.profile.agent, fact.digit))]

    # --- how it sounds ----------------------------------------------------------------------------------------

    def heard(self, fact: media.LegQuality, now: float) -> list[Effect]:
        """How the agent is heard in its call."""
        heard = self.state.timeline
        if heard is not None and fact.leg == self.state.voice:
            self.state = evolve(self.state, timeline=heard.heard(fact, now))
        return self.quality(fact, now)

    def caller_sound(self, message: CallerSound, now: float) -> list[Effect]:
        if message.call == self._call().call:
            self.state = evolve(self.state, caller=message)
        return []

    def sound_recorded(self, before: Data, now: float) -> list[Effect]:
        """Pages hear whose sound does not get through; the call's record has what goes to this agent, and how it was
        heard."""
        after = self.state
        effects: list[Effect] = [*timeline.recorded(before.timeline, after.timeline)]
        sound = sound_of(after)
        if sound is None:
            return effects
        was = sound_of(before) or page.CallSound(sound.call)
        if sound != was:
            effects += self.push(sound)
        if sound.agent_hears != was.agent_hears:
            ways = records.SoundEntry(sound.call, after.profile.agent, now, comes=True, goes=sound.agent_hears)
            effects.append(Record(ways))
        return effects

    # --- the voice --------------------------------------------------------------------------------------------

    def look_at_voice(self, now: float) -> list[Effect]:
        """Whether the one who talks can still be heard, or again; pages hear it when that changes."""
        data = self.state
        gone = data.phase is Phase.TALKING and not data.audible
        waits = data.voice in data.silent_legs and now < data.since + FIRST_WORD
        if gone and data.away_since == math.inf and not waits:
            self.state = evolve(data, away_since=now)
            return self.push(page.CallAway(self._call().call, now + data.profile.patience.away))
        if not gone and data.away_since < math.inf:
            self.state = evolve(data, away_since=math.inf)
            return self.push(page.CallBack(self._call().call)) if data.phase is Phase.TALKING else []
        return []

    def unheard(self, message: Timeout, now: float) -> list[Effect]:
        """The first word is due, or the agent was away too long: somebody else takes the call."""
        if self.state.away_since + self.state.profile.patience.away > now:
            return []
        told = [self.tell_call(calls.AgentGone(self.state.profile.agent)), *self.hear_nothing()]
        ended = self.finish("system", "the agent could not be heard", "media lost", now)
        return [*told, *ended, *(self.release_seat("page gone", now) if not self.state.present else ())]
