"""An agent: one state machine, whoever looks at it and through however many pages.

The agent alone decides whether it takes an offer, so two calls offered at once to one agent are settled here; the call
alone decides whose answer it takes, so two agents answering one call are settled there.

    SIGNED_OUT --sign in--> IDLE --offer--> RINGING --answer--> ANSWERING --joined--> TALKING --ended--> AFTER_CALL_WORK
                            |  ^            |  |                |
                          BREAK             |  `-- no answer in time --> BREAK
                                            `-- caller left, declined, answered elsewhere --> IDLE

Queues are told when the agent becomes ready and when it no longer is; a page that went away makes it not ready at once
and signed out after `PAGE_GRACE`, in after-call work after `WORK_GRACE`.

In a call the page does not matter, only the voice (F-35): while nothing comes from the agent, by a page that reloads or
a network that is gone, the caller hears a prompt; after `PAGE_GRACE` of it the call goes back to its queue's front.
"""

from __future__ import annotations

import math

from attrs import evolve

from ..switch import protocol as media
from . import call_state as calls
from . import directory, page, records
from . import queue as queues
from .agent_state import (
    DISMISSED,
    SHOWN,
    Data,
    Dismiss,
    Ended,
    Joined,
    Lost,
    MediaState,
    Offer,
    Phase,
    Profile,
    QueueMoved,
    QueueStarted,
    Timeout,
    Withdraw,
)
from .effects import Down, Effect, Log, Media, Record, Started, Stop, Tell, Watch
from .records import Outcome
from .seat import PAGE_GRACE, Seat
from .table import Bug, Late, Table, always, each, row

# ... and the paperwork of a call waits this long for its page: a computer may have to be started anew (F-73).
WORK_GRACE = 600.0
# From the answer on a page has this long until its microphone is heard, before it counts as away.
FIRST_WORD = 1.0

_OWNERS_ONLY = (
    page.SignOut,
    page.RenewMedia,
    page.TestCall,
    page.SetState,
    page.StartAnswering,
    page.Answer,
    page.Decline,
    page.HangUp,
    page.Mute,
    page.Unmute,
)
# What a page's end, a sign-out or a failure of the media does to an offer is a return; the rest has names of its own.
_OUTCOMES = {
    "caller_left": Outcome.CALLER_LEFT,
    "answered_elsewhere": Outcome.ANSWERED_ELSEWHERE,
    "no_answer": Outcome.MISSED,
    "declined": Outcome.DECLINED,
    "break": Outcome.DECLINED,
}
_TESTING = (Phase.IDLE, Phase.AFTER_CALL_WORK, Phase.ON_BREAK)
_GONE_REASON = {
    "caller_left": "caller left",
    "answered_elsewhere": "answered elsewhere",
    "no_answer": "no answer",
    "waited_too_long": "waited too long",
}


class Agent(Seat):
    """The behaviour of one agent; see `Data` for what it remembers."""

    def __init__(self, profile: Profile, now: float) -> None:
        # States and legs are numbered on from what an earlier life of this agent can have reached.
        begin = int(now * 1000)
        self.state = Data(profile, since=now, states=begin, legs_opened=begin)

    # --- the shape of every step ------------------------------------------------------------------------------

    def receive(self, message: object, now: float) -> list[Effect]:
        before = self.state
        if isinstance(message, page.Request):
            effects = self._request(message, now)
        else:
            effects = self.dispatch(self.state.phase, message, now)
        if self.state.dismissed and not self.state.in_call:
            effects = [*effects, *self._release_seat("no longer an agent", now)]
            return [*effects, *self._consequences(before, now), Stop(DISMISSED)]
        return effects + self._consequences(before, now)

    def will(self, reason: str, now: float) -> list[Record]:
        """An agent that ends is signed out, whatever it did."""
        self._offer_over(Outcome.RETURNED, now)
        self._move(Phase.SIGNED_OUT, reason, now)
        self.state = evolve(self.state, call=None)
        return [*self._offer_recorded(None), self._state_recorded()]

    def deadline(self) -> float:
        data = self.state
        match data.phase:
            case Phase.TALKING if data.away_since < math.inf:
                return data.away_since + PAGE_GRACE
            case Phase.TALKING:
                return math.inf if data.audible else data.since + FIRST_WORD
            case Phase.RINGING:
                return data.ring_until
            case Phase.ANSWERING:
                return data.owner_lost_at + PAGE_GRACE
            case _:
                return min(self._gone_at(), self._work_until(), data.testing_until)

    def _gone_at(self) -> float:
        """When the page that does not come back is given up."""
        data = self.state
        grace = WORK_GRACE if data.phase is Phase.AFTER_CALL_WORK else PAGE_GRACE
        return max(data.owner_lost_at, data.since) + grace

    def _work_until(self) -> float:
        data = self.state
        if data.phase is Phase.AFTER_CALL_WORK and data.call is not None and data.call.wrap_up_seconds > 0:
            return data.since + data.call.wrap_up_seconds
        return math.inf

    def wake(self, now: float) -> list[Effect]:
        return self.receive(Timeout(), now)

    def _request(self, request: page.Request, now: float) -> list[Effect]:
        """A page's command: refused unless that page owns the media; then as the table says."""
        if isinstance(request.command, _OWNERS_ONLY) and request.session != self.state.owner:
            return self.refuse(request, "not_signed_in" if self.state.owner == "" else "not_owner")
        return self.dispatch(self.state.phase, request, now)

    def _consequences(self, before: Data, now: float) -> list[Effect]:
        """What follows from any change, in one place.

        Pages hear the state, and colleagues'; queues hear who is ready and who looks; the call hears where the agent's
        voice went; and what is kept of the agent is recorded.
        """
        effects = self._look_at_voice(now)
        if before.leg != self.state.leg or self.state.phase not in _TESTING:
            effects += self.stop_testing()
        after = self.state
        if (SHOWN[after.phase], after.reason) != (SHOWN[before.phase], before.reason):
            effects += self.push(page.AgentState(SHOWN[after.phase], after.reason, after.since))
            effects.append(Log("agent state", (("state", after.phase.value), ("reason", after.reason))))
            effects.append(self._state_recorded())
        if Phase.SIGNED_OUT not in (before.phase, after.phase) and before.present != after.present:
            effects += self.push(page.Seat(after.present))
        effects += self._offer_recorded(before.offer_entry)
        agent = after.profile.agent
        heard = (after.voice, after.away_since < math.inf)
        if before.in_call and after.in_call and (before.voice, before.away_since < math.inf) != heard:
            effects.append(self._tell_call(calls.AgentLeg(agent, *heard)))
        if _colleague(after) != _colleague(before):
            effects.append(Tell("directory", directory.Stands(_colleague(after))))
        if set(before.watching) != set(after.watching):
            effects.append(Tell("directory", directory.Watchers(agent, after.watching)))
        for queue in sorted({*before.profile.skills, *after.profile.skills}):
            old = _standing(before, queue)
            new = _standing(after, queue)
            if new != old:
                effects.append(Tell(f"queue:{queue}", queues.AgentStands(agent, new)))
        return effects

    def _look_at_voice(self, now: float) -> list[Effect]:
        """Whether the one who talks can still be heard, or again; pages hear it when that changes."""
        data = self.state
        gone = data.phase is Phase.TALKING and not data.audible
        waits = data.voice in data.silent_legs and now < data.since + FIRST_WORD
        if gone and data.away_since == math.inf and not waits:
            self.state = evolve(data, away_since=now)
            return self.push(page.CallAway(self._call().call, now + PAGE_GRACE))
        if not gone and data.away_since < math.inf:
            self.state = evolve(data, away_since=math.inf)
            return self.push(page.CallBack(self._call().call)) if data.phase is Phase.TALKING else []
        return []

    def _state_recorded(self) -> Record:
        data = self.state
        self.state = evolve(data, states=data.states + 1)
        call = data.call.call if data.call is not None else ""
        shown = SHOWN[data.phase].value
        return Record(records.StateEntry(data.profile.agent, self.state.states, data.since, shown, data.reason, call))

    def _offer_recorded(self, before: records.OfferEntry | None) -> list[Record]:
        entry = self.state.offer_entry
        return [Record(entry)] if entry is not None and entry != before else []

    def _offer_over(self, outcome: Outcome, now: float) -> None:
        """What became of the offer; a conversation that it led to is over."""
        entry = self.state.offer_entry
        if entry is None or entry.ended is not None:
            return
        if entry.outcome is Outcome.ANSWERED:
            self.state = evolve(self.state, offer_entry=evolve(entry, ended=now))
        elif entry.outcome is Outcome.RINGING:
            over = evolve(entry, outcome=outcome, decided=now, ended=now)
            self.state = evolve(self.state, offer_entry=over)

    def _move(self, phase: Phase, reason: str, now: float) -> None:
        """The one door for state changes. An offer that came to nothing costs nobody the place among the idle."""
        if phase is Phase.IDLE and self.state.phase not in (Phase.RINGING, Phase.ANSWERING):
            self.state = evolve(self.state, idle_since=now)
        self.state = evolve(self.state, phase=phase, reason=reason, since=now)

    # --- sign-in, sign-out, break -----------------------------------------------------------------------------

    def _started(self, message: Started, now: float) -> list[Effect]:
        return [Tell("directory", directory.Stands(_colleague(self.state)))]

    def _profile(self, message: Profile, now: float) -> list[Effect]:
        kept = tuple(each for each in self.state.queue_status if each.queue in message.skills)
        self.state = evolve(self.state, profile=message, dismissed=False, queue_status=kept)
        return []

    def _queue_started(self, message: QueueStarted, now: float) -> list[Effect]:
        standing = _standing(self.state, message.queue)
        if standing is None:
            return []
        return [Tell(f"queue:{message.queue}", queues.AgentStands(self.state.profile.agent, standing))]

    def _dismissed(self, message: Dismiss, now: float) -> list[Effect]:
        """Takes effect in the same step, or in the one that ends the call."""
        self.state = evolve(self.state, dismissed=True)
        return []

    def _dismissed_ringing(self, message: Dismiss, now: float) -> list[Effect]:
        return [*self._give_back("signed out", now, queues.GaveBack.RETURNED), *self._dismissed(message, now)]

    def seated(self, now: float) -> list[Effect]:
        if self.state.phase is Phase.SIGNED_OUT:
            self._move(Phase.IDLE, "signed in", now)
        return []

    def _sign_out(self, request: page.Request, now: float) -> list[Effect]:
        return [*self.accept(request), *self._release_seat("signed out", now)]

    def _sign_out_ringing(self, request: page.Request, now: float) -> list[Effect]:
        given = self._give_back("signed out", now, queues.GaveBack.RETURNED)
        return [*self.accept(request), *given, *self._release_seat("signed out", now)]

    def _release_seat(self, reason: str, now: float) -> list[Effect]:
        self._offer_over(Outcome.RETURNED, now)
        self._move(Phase.SIGNED_OUT, reason, now)
        self.state = evolve(self.state, call=None, muted=False)
        return self.leave()

    def _detached(self, message: page.Detached, now: float) -> list[Effect]:
        self.forget_page(message.session, now)
        return []

    def _detached_ringing(self, message: page.Detached, now: float) -> list[Effect]:
        self.forget_page(message.session, now)
        if self.state.present:
            return []
        return self._give_back("page gone", now, queues.GaveBack.RETURNED)

    def _set_state(self, request: page.Request, now: float) -> list[Effect]:
        command = request.command
        assert isinstance(command, page.SetState)
        wanted = Phase(command.state)
        if wanted is not self.state.phase:
            self._move(wanted, "chosen", now)
            self.state = evolve(self.state, call=None)
        return self.accept(request)

    def _set_state_ringing(self, request: page.Request, now: float) -> list[Effect]:
        command = request.command
        assert isinstance(command, page.SetState)
        if command.state == "idle":
            return self.refuse(request, "ringing")
        given = self._give_back("break", now, queues.GaveBack.DECLINED)
        self._move(Phase.ON_BREAK, "chosen", now)
        return [*self.accept(request), *given]

    def _start_answering(self, request: page.Request, now: float) -> list[Effect]:
        self._move(Phase.IDLE, "start answering", now)
        self.state = evolve(self.state, call=None)
        return self.accept(request)

    def _already_idle(self, request: page.Request, now: float) -> list[Effect]:
        return self.accept(request)

    # --- offers -----------------------------------------------------------------------------------------------

    def _ring(self, offer: Offer, now: float) -> list[Effect]:
        if not self.state.ready:
            return self._refuse_offer(offer, now)
        entry = records.OfferEntry(offer.call, self.state.profile.agent, offer.queue, now)
        self.state = evolve(self.state, call=offer, offered_at=now, muted=False, offer_entry=entry)
        self._move(Phase.RINGING, "offer", now)
        return [Watch(f"call:{offer.call}"), *self.push(self.offered())]

    def _refuse_offer(self, offer: Offer, now: float) -> list[Effect]:
        """Two queues offered at once, or the offer crossed a change of state: the queue tries another agent."""
        return [self._tell_queue(offer, queues.GaveBack.REFUSED)]

    def _tell_queue(self, offer: Offer, how: queues.GaveBack) -> Effect:
        return Tell(f"queue:{offer.queue}", queues.OfferOver(offer.call, self.state.profile.agent, how))

    def _give_back(self, reason: str, now: float, how: queues.GaveBack) -> list[Effect]:
        """The agent's side ends the offer; the call stays in its queue. The agent is idle unless more is said."""
        offer = self._call()
        told = self._offer_gone(reason, reason, now)
        return [*told, self._tell_queue(offer, how)]

    def _offer_gone(self, reason: str, code: str, now: float) -> list[Effect]:
        offer = self._call()
        self._offer_over(_OUTCOMES.get(code, Outcome.RETURNED), now)
        self.state = evolve(self.state, call=None, gone_call=offer.call, gone_code=code)
        self._move(Phase.IDLE, reason, now)
        return self.push(page.CallWithdrawn(offer.call, reason))

    def _call(self) -> Offer:
        offer = self.state.call
        assert offer is not None, "there is a call in every state that has one"
        return offer

    def _answer(self, request: page.Request, now: float) -> list[Effect]:
        offer = self._call()
        if not self._names(request, offer):
            return self._answer_late(request, now)
        self._move(Phase.ANSWERING, "answer", now)
        profile = self.state.profile
        return [*self.accept(request), self._tell_call(calls.Accept(profile.agent, self.state.voice))]

    def _answer_late(self, request: page.Request, now: float) -> list[Effect]:
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

    def _decline(self, request: page.Request, now: float) -> list[Effect]:
        if not self._names(request, self._call()):
            return self._answer_late(request, now)
        return [*self.accept(request), *self._give_back("declined", now, queues.GaveBack.DECLINED)]

    def _withdrawn(self, message: Withdraw | Lost, now: float) -> list[Effect]:
        if message.call != self._call().call:
            return []
        return self._offer_gone(_GONE_REASON.get(message.code, message.code), message.code, now)

    def _call_died_offered(self, message: Down, now: float) -> list[Effect]:
        if message.name != f"call:{self._call().call}":
            return []
        return self._offer_gone("caller left", "caller_left", now)

    def _joined(self, message: Joined, now: float) -> list[Effect]:
        if message.call != self._call().call:
            return self._joined_too_late(message, now)
        self._move(Phase.TALKING, "answered", now)
        entry = self.state.offer_entry
        if entry is not None:
            self.state = evolve(self.state, offer_entry=evolve(entry, outcome=Outcome.ANSWERED, decided=now))
        return self.push(self.connected())

    def _joined_again(self, message: Joined, now: float) -> list[Effect]:
        return [] if message.call == self._call().call else self._joined_too_late(message, now)

    def _joined_too_late(self, message: Joined, now: float) -> list[Effect]:
        """The offer ended here while the call took the answer: it must not wait for an agent who is not there.

        As it took the answer it let the agent's leg hear the caller: that is undone, and the call that the agent is in
        by now wires it anew.
        """
        agent, voice = self.state.profile.agent, self.state.voice
        effects: list[Effect] = [Tell(f"call:{message.call}", calls.AgentGone(agent))]
        if voice:
            effects.append(Media(media.Rewire((media.Hears(voice, ()),))))
        if voice and self.state.in_call:
            effects.append(self._tell_call(calls.AgentLeg(agent, voice)))
        return effects

    def _answered_already(self, request: page.Request, now: float) -> list[Effect]:
        """A double click is one answer."""
        return self.accept(request) if self._names(request, self._call()) else self.refuse(request, "in_call")

    # --- talking ----------------------------------------------------------------------------------------------

    def _tell_call(self, message: object) -> Effect:
        return Tell(f"call:{self._call().call}", message)

    def _hang_up(self, request: page.Request, now: float) -> list[Effect]:
        if not self._names(request, self._call()):
            return self.refuse(request, "no_call")
        return [*self.accept(request), self._tell_call(calls.HangUp(self.state.profile.agent))]

    def _set_mute(self, request: page.Request, now: float) -> list[Effect]:
        offer = self._call()
        if not self._names(request, offer):
            return self.refuse(request, "no_call")
        muted = isinstance(request.command, page.Mute)
        self.state = evolve(self.state, muted=muted)
        told = self._tell_call(calls.MuteAgent(self.state.profile.agent, muted))
        return [*self.accept(request), told, *self.push(page.CallMuted(offer.call, muted))]

    def _ended(self, message: Ended, now: float) -> list[Effect]:
        if message.call != self._call().call:
            return []
        return self._finish(message.by, message.cause, f"{message.by} hung up", now)

    def _finish(self, by: str, cause: str, reason: str, now: float) -> list[Effect]:
        """The agent's part of the call is over: its paperwork begins."""
        last = self.last(by, cause, now)
        self._offer_over(Outcome.ANSWERED, now)
        self._move(Phase.AFTER_CALL_WORK, reason, now)
        self.state = evolve(self.state, muted=False, last=last)
        return self.push(page.CallEnded(last.call, by, cause))

    def _ended_answering(self, message: Ended, now: float) -> list[Effect]:
        """Before we knew that it was ours: as a caller who left while it rang."""
        return self._withdrawn(Withdraw(message.call, "caller_left"), now)

    def _call_died_talking(self, message: Down, now: float) -> list[Effect]:
        if message.name != f"call:{self._call().call}":
            return []
        return self._ended(Ended(self._call().call, "system", message.reason), now)

    def _leg_failed_ringing(self, fact: media.LegFailed, now: float) -> list[Effect]:
        """Who cannot be heard is not rung: the call goes on to the next agent."""
        told = self.leg_failed(fact, now)
        if self.state.media is not MediaState.FAILED:
            return told
        return [*told, *self._give_back("media failed", now, queues.GaveBack.RETURNED)]

    def _unchecked_ringing(self, fact: media.LegUnchecked, now: float) -> list[Effect]:
        told = self.checks(fact, now)
        if self.state.can_hear:
            return told
        return [*told, *self._give_back("computer gone", now, queues.GaveBack.RETURNED)]

    # --- time -------------------------------------------------------------------------------------------------

    def _page_gone(self, message: Timeout, now: float) -> list[Effect]:
        return self._release_seat("page gone", now)

    def _missed(self, message: Timeout, now: float) -> list[Effect]:
        """The ring time is over: on break, so that the next call does not ring in an empty room (F-15)."""
        offer = self._call()
        told = self._offer_gone("no answer", "no_answer", now)
        self._move(Phase.ON_BREAK, "no answer", now)
        return [*told, self._tell_queue(offer, queues.GaveBack.MISSED)]

    def _left_answering(self, message: Timeout, now: float) -> list[Effect]:
        told = self._tell_call(calls.AgentGone(self.state.profile.agent))
        return [told, *self._release_seat("page gone", now)]

    def _unheard(self, message: Timeout, now: float) -> list[Effect]:
        """The first word is due, or the agent was away too long: somebody else takes the call (F-35)."""
        if self.state.away_since + PAGE_GRACE > now:
            return []
        told = self._tell_call(calls.AgentGone(self.state.profile.agent))
        ended = self._finish("system", "the agent could not be heard", "media lost", now)
        return [told, *ended, *(self._release_seat("page gone", now) if not self.state.present else ())]

    def _time(self, message: Timeout, now: float) -> list[Effect]:
        """No call: the page is given up, the paperwork is over, or the test call."""
        if self._gone_at() <= now:
            return self._page_gone(message, now)
        if self._work_until() <= now:
            self._move(Phase.IDLE, "after-call work over", now)
            self.state = evolve(self.state, call=None)
            return []
        return self.stop_testing()

    # --- refusals ---------------------------------------------------------------------------------------------

    def _no_call(self, request: page.Request, now: float) -> list[Effect]:
        return self.refuse(request, "no_call")

    def _digit(self, fact: media.DigitPressed, now: float) -> list[Effect]:
        return [self._tell_call(calls.AgentDigit(self.state.profile.agent, fact.digit))]

    def _in_call(self, request: page.Request, now: float) -> list[Effect]:
        return self.refuse(request, "in_call")

    def _ringing(self, request: page.Request, now: float) -> list[Effect]:
        return self.refuse(request, "ringing")

    def _nothing_to_finish(self, request: page.Request, now: float) -> list[Effect]:
        return self.refuse(request, "not_in_after_call_work")


def _colleague(data: Data) -> page.Colleague:
    """The agent as its colleagues see it."""
    profile = data.profile
    return page.Colleague(profile.agent, profile.name, SHOWN[data.phase], data.reason, data.since)


def _standing(data: Data, queue: str) -> queues.Standing | None:
    """How the agent stands to a queue: None where it has nothing to do with it."""
    if queue not in data.profile.skills or data.dismissed:
        return None
    at_work = data.phase not in (Phase.SIGNED_OUT, Phase.ON_BREAK)
    return queues.Standing(
        signed_in=data.phase is not Phase.SIGNED_OUT,
        at_work=at_work,
        ready_since=data.idle_since if data.ready else None,
        follows=bool(data.sessions),
    )


_NOT_MINE = Late("the offer was over when it came")
_OWNED = Bug("only the owner of the media asks this, and nobody sits here")

TABLE = Table(
    "agent",
    Phase,
    always(Started, Agent._started, Phase),
    always(Profile, Agent._profile, Phase),
    always(QueueMoved, Agent.queue_moved, Phase),
    always(QueueStarted, Agent._queue_started, Phase),
    always(page.Attached, Agent.attach, Phase),
    always(page.GetSnapshot, Agent.snapshot, Phase),
    always(page.WatchColleagues, Agent.watch_colleagues, Phase),
    always(page.SignIn, Agent.sign_in, Phase),
    always(media.WebrtcLegOpened, Agent.leg_opened, Phase),
    always(media.LegRefused, Agent.leg_refused, Phase),
    always(media.LegConnected, Agent.leg_connected, Phase),
    always(media.LegQuality, Agent.quality, Phase),
    always(page.Resume, Agent.resume, Phase),
    always(media.LegSilent, Agent.silence, Phase),
    always(media.LegHeard, Agent.silence, Phase),
    always(media.LegWays, Agent.ways, Phase),
    always(media.LegChecked, Agent.checks, Phase),
    row(
        page.Detached,
        ringing=Agent._detached_ringing,
        **each("signed_out idle answering talking after_call_work on_break", Agent._detached),
    ),
    row(
        Dismiss,
        ringing=Agent._dismissed_ringing,
        **each("signed_out idle answering talking after_call_work on_break", Agent._dismissed),
    ),
    row(
        page.SignOut,
        signed_out=_OWNED,
        ringing=Agent._sign_out_ringing,
        **each("idle after_call_work on_break", Agent._sign_out),
        **each("answering talking", Agent._in_call),
    ),
    row(
        page.RenewMedia,
        signed_out=_OWNED,
        **each("idle ringing answering talking after_call_work on_break", Agent.renew_media),
    ),
    row(
        page.TestCall,
        signed_out=_OWNED,
        ringing=Agent._ringing,
        **each("idle after_call_work on_break", Agent.test_call),
        **each("answering talking", Agent._in_call),
    ),
    row(
        page.SetState,
        signed_out=_OWNED,
        ringing=Agent._set_state_ringing,
        **each("idle after_call_work on_break", Agent._set_state),
        **each("answering talking", Agent._in_call),
    ),
    row(
        page.StartAnswering,
        signed_out=_OWNED,
        idle=Agent._already_idle,
        ringing=Agent._ringing,
        after_call_work=Agent._start_answering,
        on_break=Agent._nothing_to_finish,
        **each("answering talking", Agent._in_call),
    ),
    row(
        page.Answer,
        signed_out=_OWNED,
        ringing=Agent._answer,
        **each("idle after_call_work on_break", Agent._answer_late),
        **each("answering talking", Agent._answered_already),
    ),
    row(
        page.Decline,
        signed_out=_OWNED,
        ringing=Agent._decline,
        **each("idle after_call_work on_break", Agent._answer_late),
        **each("answering talking", Agent._in_call),
    ),
    row(
        page.HangUp,
        signed_out=_OWNED,
        **each("idle ringing after_call_work on_break", Agent._no_call),
        **each("answering talking", Agent._hang_up),
    ),
    row(
        page.Mute,
        signed_out=_OWNED,
        talking=Agent._set_mute,
        **each("idle ringing answering after_call_work on_break", Agent._no_call),
    ),
    row(
        page.Unmute,
        signed_out=_OWNED,
        talking=Agent._set_mute,
        **each("idle ringing answering after_call_work on_break", Agent._no_call),
    ),
    row(
        Offer,
        idle=Agent._ring,
        **each("signed_out ringing answering talking after_call_work on_break", Agent._refuse_offer),
    ),
    row(
        Withdraw,
        **each("signed_out idle talking after_call_work on_break", _NOT_MINE),
        **each("ringing answering", Agent._withdrawn),
    ),
    row(
        Joined,
        answering=Agent._joined,
        talking=Agent._joined_again,
        **each("signed_out idle ringing after_call_work on_break", Agent._joined_too_late),
    ),
    row(
        Lost,
        answering=Agent._withdrawn,
        **each("signed_out idle ringing talking after_call_work on_break", _NOT_MINE),
    ),
    row(
        Ended,
        answering=Agent._ended_answering,
        talking=Agent._ended,
        after_call_work=Late("the call had died before it said so"),
        **each("signed_out idle ringing on_break", Late("the agent left the call before it ended")),
    ),
    row(
        Down,
        talking=Agent._call_died_talking,
        after_call_work=Late("the call had said that it ended"),
        **each("signed_out idle on_break", _NOT_MINE),
        **each("ringing answering", Agent._call_died_offered),
    ),
    row(
        media.LegUnchecked,
        ringing=Agent._unchecked_ringing,
        **each("signed_out idle answering talking after_call_work on_break", Agent.checks),
    ),
    row(
        media.DigitPressed,
        talking=Agent._digit,
        **each("signed_out idle ringing answering after_call_work on_break", Late("no call that it could be for")),
    ),
    row(
        media.LegFailed,
        signed_out=Late("the seat was left meanwhile"),
        ringing=Agent._leg_failed_ringing,
        **each("idle answering talking after_call_work on_break", Agent.leg_failed),
    ),
    row(
        Timeout,
        signed_out=Bug("nothing runs while signed out"),
        ringing=Agent._missed,
        answering=Agent._left_answering,
        talking=Agent._unheard,
        **each("idle after_call_work on_break", Agent._time),
    ),
)
Agent.table = TABLE
