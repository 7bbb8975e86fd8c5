"""The offers of a queue: to whom each call rings, until when, and who is not asked about it again.

Of the calls that somebody may take the most important is offered first, of equals the one that has waited longest; to
whom, `acd.py` says. Each decision by which a call rings somewhere is kept with all that it was made of, so that one may
ask later why there.

An agent who missed a call is not offered it again while anybody else who could take it is at work; one who
declined, not for `Patience.declined`.
"""

from __future__ import annotations

import math
from itertools import chain

from . import acd, decisions, records
from . import agent_state as agents
from .effects import Effect, Log, Record, Tell
from .evolving import evolve
from .queue_agents import Roster
from .queue_state import OFFER_GRACE, GaveBack, Offered, OfferEnded, OfferOver, Ring, Timeout, Waiting


class Offers(Roster):
    """The calls of a queue and the agents who may take them, brought together."""

    def offer_over(self, message: OfferOver, now: float) -> list[Effect]:
        waiting = self.state.calls[message.call]
        if not waiting.rings(message.agent, message.serial):
            return []
        rest = {
            GaveBack.REFUSED: None,  # it is told ready again when it is
            GaveBack.RETURNED: None,
            GaveBack.DECLINED: now + self.state.profile.patience.declined,
            GaveBack.MISSED: math.inf,
        }[message.how]
        resting = dict(waiting.resting) if rest is None else {**waiting.resting, message.agent: rest}
        if rest is not None and message.agent == waiting.kept_for:
            waiting = evolve(waiting, kept_for="", kept_until=math.inf)
        self.replace(evolve(waiting.without(message.agent), resting=resting))
        learned = self.learn(OfferEnded(message.agent, message.how), now)
        fields = (("call", message.call), ("agent", message.agent), ("how", message.how.value))
        return [*learned, Log("offer over", fields)]

    def time(self, message: Timeout, now: float) -> list[Effect]:
        """Rests that are over are forgotten; an agent that never answered an offer loses it."""
        lost: list[Effect] = []
        for waiting in [self.state.calls[call] for call, moment in self.state.moments.items() if moment <= now]:
            if min(waiting.looks_until, waiting.kept_until) <= now:
                waiting = evolve(waiting, looks_until=math.inf, kept_for="", kept_until=math.inf)
                self.replace(waiting)
            resting = {name: until for name, until in waiting.resting.items() if until > now}
            over = {name: ring for name, ring in waiting.rung.items() if ring.until <= now}
            if over:
                lost += self.withdraw(evolve(waiting, rung=over), "no_answer")
                rings = {name: ring for name, ring in waiting.rung.items() if name not in over}
                rest = dict.fromkeys(over, now + self.state.profile.patience.declined)
                self.replace(evolve(waiting, rung=rings, resting={**resting, **rest}))
                for agent in over:
                    lost += self.learn(OfferEnded(agent), now)
            elif len(resting) != len(waiting.resting):
                self.replace(evolve(waiting, resting=resting))
        return lost

    def offer_calls(self, now: float) -> list[Effect]:
        """Each call that rings nowhere in its turn; where all are rung at once, then those that ring elsewhere."""
        if not self.state.idle or not self.state.calls:
            return []
        free, offers = self.free(), list[Effect]()
        waiting = self.state.calls.values()
        wanted = (each for each in waiting if not each.rung and each.looks_until == math.inf)
        rings = (each for each in waiting if each.rung) if self.state.profile.strategy == "ring-all" else ()
        for each in chain(wanted, rings):
            if not free:
                break
            question = self._question(each, tuple(free.values()), now)
            chosen = acd.choose(question)
            if chosen:
                offers += self._decision_kept(question, chosen)
            for agent in chosen:
                self.state = evolve(self.state, after=free.pop(agent).place)
                offers += self._offer(each.join.call, agent, now)
        return offers

    def _decision_kept(self, question: acd.Question, chosen: tuple[str, ...]) -> list[Effect]:
        """With what it was made of; who is in the queue is kept once a day, as long as they are the same."""
        agents, queue, kept = self.state.agents, self.state.profile.queue, list[Effect]()
        if not self.state.roster or question.now - self.state.kept_at >= records.ROSTER_SECONDS:
            self.state = evolve(self.state, roster=decisions.roster_key(agents), kept_at=question.now)
            kept.append(Record(records.RosterEntry(self.state.roster, "\n".join(agents), question.now)))
        facts = decisions.pack(question, list(agents), [each.doing for each in agents.values()])
        entry = records.DecisionEntry(
            question.call, queue, question.now, question.offered, " ".join(chosen), self.state.roster, facts
        )
        return [*kept, Record(entry)]

    def _question(self, waiting: Waiting, free: tuple[acd.Free, ...], now: float) -> acd.Question:
        profile, join = self.state.profile, waiting.join
        barred: dict[str, acd.Why] = {
            agent: "missed" if until == math.inf else "declined"
            for agent, until in waiting.resting.items()
            if not self._may_have(waiting, agent, now)
        }
        return acd.Question(
            join.call,
            profile.strategy,
            join.since,
            now,
            waiting.offered,
            profile.widen_seconds,
            self.state.after,
            free,
            barred,
            self._kept_for(waiting),
        )

    def _kept_for(self, waiting: Waiting) -> str:
        """For whom alone it is, as long as that one is at work and wants it."""
        agent = waiting.kept_for
        return agent if agent and agent not in waiting.resting and self.at_work(agent) else ""

    def look_ahead(self, now: float) -> None:
        """When a call that waits may be offered to more of those who are free."""
        at = math.inf
        if self.state.profile.widen_seconds > 0 and self.state.calls:
            free = tuple(self.free().values())
            waiting = (each for each in self.state.calls.values() if not each.rung)
            at = min((acd.widens_at(self._question(each, free, now)) for each in waiting), default=math.inf)
        if at != self.state.widens_at:
            self.state = evolve(self.state, widens_at=at)

    def _may_have(self, waiting: Waiting, agent: str, now: float) -> bool:
        until = waiting.resting.get(agent, -math.inf)
        if until != math.inf:
            return until <= now
        # Missed it: only where nobody else who is at work could still take it, else the call would ring nobody.
        return all(
            waiting.resting.get(name) == math.inf
            for name, standing in self.state.agents.items()
            if standing.at_work and name != agent
        )

    def _offer(self, call: str, agent: str, now: float) -> list[Effect]:
        profile, waiting = self.state.profile, self.state.calls[call]
        join = waiting.join
        ring = Ring(now + profile.ring_seconds + OFFER_GRACE, self.state.serial + 1)
        self.replace(evolve(waiting, rung={**waiting.rung, agent: ring}, offered=waiting.offered + 1))
        self.state = evolve(self.state, serial=ring.serial)
        offered = Tell(
            f"agent:{agent}",
            agents.Offer(
                call=join.call,
                queue=profile.queue,
                queue_name=profile.name,
                number=join.number,
                name=join.name,
                dialled=join.dialled,
                waiting_since=join.since,
                ring_seconds=profile.ring_seconds,
                wrap_up_seconds=profile.wrap_up_seconds,
                diverted_from=join.diverted_from,
                direction=join.direction,
                offerer=f"queue:{profile.queue}",
                serial=ring.serial,
            ),
        )
        return [*self.learn(Offered(agent), now), offered]
