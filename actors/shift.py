"""An agent at work without a call: it signs in and out, goes on break, and comes back; and how others see it stand.

Its page may be gone for `Patience.away`, in after-call work for `WORK_GRACE`: then it is signed out.
"""

from __future__ import annotations

from typing import Final, assert_never

from . import acd, page
from . import queue_state as queues
from .agent_state import SHOWN, Data, Dismiss, Phase, Profile, QueueStarted, Timeout
from .controls import Controls
from .effects import Effect, Started, Tell
from .evolving import evolve
from .mobile import Mobile

# The paperwork of a call waits this long for its page: a computer may have to be started anew.
WORK_GRACE: Final = 600.0


class Shift(Mobile, Controls):
    """The shift of an agent."""

    def begins(self, message: Started, now: float) -> list[Effect]:
        """A queue may still hear what an earlier actor of this name said last: this comes after it."""
        return [told for skill in self.state.profile.skills for told in self.stands(skill.queue)]

    def changed(self, message: Profile, now: float) -> list[Effect]:
        kept = tuple(each for each in self.state.queue_status if message.skill(each.queue))
        before = self.state.profile
        self.state = evolve(self.state, profile=message, dismissed=False, queue_status=kept)
        return self.push(page.Numbers(message.numbers)) if message.numbers != before.numbers else []

    def queue_started(self, message: QueueStarted, now: float) -> list[Effect]:
        return self.stands(message.queue)

    def queues_told(self, before: Data, after: Data) -> list[Effect]:
        """How the agent stands from now on, to those of its queues that do not know it by themselves."""
        if after.profile is before.profile and _outlook(after) == _outlook(before):
            return []
        knows, told = _knowing(before, after), list[Effect]()
        for queue in in_turn(before, after):
            stands = standing(after, queue)
            if queue != knows and stands != standing(before, queue):
                told.append(Tell(f"queue:{queue}", queues.AgentStands(after.profile.agent, stands)))
                rings = after.phase in (Phase.RINGING, Phase.ANSWERING)
                if rings and after.queue_knows and after.call is not None and queue == after.call.queue:
                    self.state = evolve(self.state, queue_knows=False)
        return told

    def stands(self, queue: str) -> list[Effect]:
        stands = standing(self.state, queue)
        if stands is None:
            return []
        self.state = evolve(self.state, queue_knows=False)
        return [Tell(f"queue:{queue}", queues.AgentStands(self.state.profile.agent, stands))]

    def dismissed(self, message: Dismiss, now: float) -> list[Effect]:
        """Takes effect in the same step, or in the one that ends the call."""
        self.state = evolve(self.state, dismissed=True)
        return []

    def dismissed_ringing(self, message: Dismiss, now: float) -> list[Effect]:
        return [*self.give_back("signed out", now, queues.GaveBack.RETURNED), *self.dismissed(message, now)]

    def seated(self, taken: bool, now: float) -> list[Effect]:
        self.state = evolve(self.state, by_mobile=False)
        alone = self.state.phase is Phase.ON_BREAK and not taken
        if alone or self.state.phase in (Phase.SIGNED_OUT, Phase.MOBILE):
            self.move(Phase.IDLE, "signed in", now)
        return []

    def sign_out(self, request: page.Request, now: float) -> list[Effect]:
        return [*self.accept(request), *self.release_seat("signed out", now)]

    def sign_out_ringing(self, request: page.Request, now: float) -> list[Effect]:
        given = self.give_back("signed out", now, queues.GaveBack.RETURNED)
        return [*self.accept(request), *given, *self.release_seat("signed out", now)]

    def detached(self, message: page.Detached, now: float) -> list[Effect]:
        self.forget_page(message.session, now)
        return []

    def detached_ringing(self, message: page.Detached, now: float) -> list[Effect]:
        self.forget_page(message.session, now)
        return [] if self.state.reachable else self.unrung("page gone", now)

    def set_state(self, request: page.Request, now: float) -> list[Effect]:
        command = request.command
        assert isinstance(command, page.SetState)
        wanted = Phase(command.state)
        if wanted is not self.state.phase:
            self.move(wanted, "chosen", now)
            self.state = evolve(self.state, call=None)
        return self.accept(request)

    def set_state_ringing(self, request: page.Request, now: float) -> list[Effect]:
        command = request.command
        assert isinstance(command, page.SetState)
        if command.state == "idle":
            return self.refuse(request, "ringing")
        given = self.give_back("break", now, queues.GaveBack.DECLINED)
        self.move(Phase.ON_BREAK, "chosen", now)
        return [*self.accept(request), *given]

    def start_answering(self, request: page.Request, now: float) -> list[Effect]:
        self.move(Phase.IDLE, "start answering", now)
        self.state = evolve(self.state, call=None)
        return self.accept(request)

    def already_idle(self, request: page.Request, now: float) -> list[Effect]:
        return self.accept(request)

    # --- time -------------------------------------------------------------------------------------------------

    def page_gone_at(self) -> float:
        """When the page that does not come back is given up."""
        data = self.state
        works = data.phase is Phase.AFTER_CALL_WORK and not data.by_mobile
        grace = WORK_GRACE if works else data.profile.patience.away
        return max(data.owner_lost_at, data.since) + grace

    def page_gone(self, message: Timeout, now: float) -> list[Effect]:
        if not self.state.by_mobile:
            return self.release_seat("page gone", now)
        self.back_to_rest("page gone", now)
        return []

    def time(self, message: Timeout, now: float) -> list[Effect]:
        """No call: the page is given up, the paperwork is over, or the test call."""
        if self.page_gone_at() <= now:
            return self.page_gone(message, now)
        if self.state.work_until <= now:
            self.back_to_rest("after-call work over", now)
            return []
        return self.stop_testing()

    def talking_late(self, message: Timeout, now: float) -> list[Effect]:
        if self.seek_until() <= now:
            return self.stop_seeking()
        return self.unheard(message, now)

    # --- refusals ---------------------------------------------------------------------------------------------

    def no_call(self, request: page.Request, now: float) -> list[Effect]:
        return self.refuse(request, "no_call")

    def refuse_in_call(self, request: page.Request, now: float) -> list[Effect]:
        return self.refuse(request, "in_call")

    def refuse_ringing(self, request: page.Request, now: float) -> list[Effect]:
        return self.refuse(request, "ringing")

    def nothing_to_finish(self, request: page.Request, now: float) -> list[Effect]:
        return self.refuse(request, "not_in_after_call_work")


def colleague(data: Data) -> page.Colleague:
    """The agent as its colleagues see it: until the call has taken its answer it rings, as it did before."""
    profile, shown = data.profile, SHOWN[data.phase]
    answering = data.phase is Phase.ANSWERING
    reason, since = ("offer", data.offered_at) if answering else (data.reason, data.since)
    return page.Colleague(profile.agent, profile.name, shown, reason, since, bool(profile.mobile))


def standing(data: Data, queue: str) -> queues.Standing | None:
    """How the agent stands to a queue: None where it has nothing to do with it."""
    skill = data.profile.skill(queue)
    if skill is None or data.dismissed:
        return None
    who = data.profile
    ready_since, talked = acd.step(data.idle_since), acd.step(data.talked)
    as_one_of_several = acd.Free(who.agent, skill.level, who.place, ready_since, data.taken, talked)
    return queues.Standing(doing(data), as_one_of_several, follows=bool(data.sessions))


def doing(data: Data) -> acd.Doing:
    """As queues see it, where only one who can hear it ring is free."""
    match data.phase:
        case Phase.IDLE | Phase.MOBILE:
            return "free" if data.ready else "unreachable"
        case Phase.SIGNED_OUT:
            return "signed_out"
        case Phase.RINGING | Phase.ANSWERING:
            return "ringing"
        case Phase.TALKING:
            return "talking"
        case Phase.AFTER_CALL_WORK:
            return "after_call_work"
        case Phase.ON_BREAK:
            return "break"
        case Phase.DIALLING:
            return "dialling"
        case _:
            assert_never(data.phase)


def _outlook(data: Data) -> tuple[object, ...]:
    """Beside its profile, all that follows into how it stands to a queue."""
    return doing(data), data.idle_since, data.taken, data.talked, bool(data.sessions), data.dismissed


def _knowing(before: Data, after: Data) -> str:
    """The queue that knows what this step made of the agent: its offer rings, or it was told that the answer counts."""
    rings = after.phase is Phase.RINGING and before.phase is not Phase.RINGING
    talks = after.phase is Phase.TALKING and before.phase is Phase.ANSWERING
    return after.call.queue if after.call is not None and after.queue_knows and (rings or talks) else ""


def in_turn(before: Data, after: Data) -> list[str]:
    """The agent's queues as they are told of it, and so get their calls to it: the most important first, and of equals
    the one that has had none for longest, so that none is starved by another."""
    skills = {each.queue: each for each in (*before.profile.skills, *after.profile.skills)}
    return sorted(skills, key=lambda queue: (skills[queue].priority, after.turns.get(queue, 0.0), queue))
