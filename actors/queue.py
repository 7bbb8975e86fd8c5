"""A queue (skill group): the calls that wait and the agents who may take them.

A call has one place in the queue: ABSENT, WAITING, or OFFERED, to one agent or to several at once. Of the calls that
somebody may take the most important is offered first (`priority` of the number that was dialled), of equals the one
that has waited longest; to whom, `acd.py` says. The agent decides whether it rings, the call decides whose answer
counts; the queue only remembers where each call stands, so nothing that is late can offer a call twice. It watches its
calls, as long as they are here, and its agents: one that dies without a word is forgotten. That an agent rings, and
talks, by an offer of its own it notes itself; all else about agents it is told.

Each decision by which a call rings somewhere is kept with all that it was made of, so that one may ask later why there.

An agent who missed a call is not offered it again while anybody else who could take it is at work; one who
declined, not for `DECLINE_REST`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import chain

from . import acd, decisions, page, records
from . import agent_state as agents
from . import call_state as calls
from .effects import Down, Effect, Log, LookBack, Record, Started, Stop, Tell, Unwatch, Watch
from .evolving import evolve
from .hours import is_open
from .pace import Pace
from .queue_state import (
    OFFER_GRACE,
    AgentStands,
    Data,
    Dismiss,
    GaveBack,
    Join,
    LastServed,
    Leave,
    MessageLeft,
    OfferOver,
    Place,
    Profile,
    Ring,
    Standing,
    Taken,
    Timeout,
    Waiting,
    WhereAmI,
)
from .table import Bug, Entry, Late, Machine, Row, Table, row

# A decliner is not offered the same call again for this long.
DECLINE_REST = 10.0
# A call is not offered for this long while it is looked who served it last.
LOOK_BACK = 0.5
DAY = 86400.0
# Pages hear how a queue stands at most this often, in seconds.
STATUS_INTERVAL = 0.5
# ... and of all agents who look so many a second at most: each takes a step, and a message to its page.
STATUSES_PER_SECOND = 60


class Queue(Machine[Place]):
    """The behaviour of one queue; see `Data` for what it remembers."""

    state: Data

    def __init__(self, profile: Profile) -> None:
        self.state = Data(profile)

    def receive(self, message: object, now: float) -> list[Effect]:
        place = Place.ABSENT
        call = message.name.removeprefix("call:") if isinstance(message, Down) else getattr(message, "call", "")
        waiting = self.state.calls.get(call)
        if waiting is not None:
            place = Place.OFFERED if waiting.rung else Place.WAITING
        before = self._stands()
        effects = self.dispatch(place, message, now)
        effects += [*self._tell_calls(before), *self._unattended(now)]
        effects += [*self._offer_calls(now), *self._tell_status(now)]
        self._paced(self.state.pace.somebody_waits(bool(self.state.calls), now))
        self._look_ahead(now)
        return effects

    def deadline(self) -> float:
        data = self.state
        moment = min(data.moments.values(), default=math.inf)
        return min(moment, data.widens_at, data.tell_at if self._owes_status() else math.inf)

    def wake(self, now: float) -> list[Effect]:
        return self.receive(Timeout(), now)

    # --- the organisation and the agents ----------------------------------------------------------------------

    def _started(self, message: Started, now: float) -> list[Effect]:
        return []

    def _profile(self, message: Profile, now: float) -> list[Effect]:
        self.state = evolve(self.state, profile=message)
        return []

    def _dismissed(self, message: Dismiss, now: float) -> list[Effect]:
        told: list[Effect] = []
        for waiting in self.state.calls.values():
            told += self._withdraw(waiting, "caller_left")
        self.state = evolve(self.state, calls={}, moments={}, agents={}, idle=0, roster="")
        return [*told, Stop(agents.DISMISSED)]  # calls watch their queue

    def _agent_stands(self, message: AgentStands, now: float) -> list[Effect]:
        before = self.state.agents.get(message.agent)
        if message.standing is None:
            self._forget(message.agent)
            return []
        standing = message.standing
        if standing.doing == "free" and any(message.agent in each.rung for each in self._ringing()):
            standing = evolve(standing, doing="ringing", noted=True, said_free=True)
        self._know(message.agent, standing)
        agent = f"agent:{message.agent}"
        effects: list[Effect] = [] if before is not None else [Watch(agent)]
        if standing.follows and not (before is not None and before.follows):
            effects.append(Tell(agent, agents.QueueMoved(self._status())))
        return effects

    def _know(self, agent: str, standing: Standing) -> None:
        """How an agent stands from now on."""
        data, before = self.state, self.state.agents.get(agent)
        idle = data.idle + _is_free(standing) - _is_free(before)
        roster = data.roster if before is not None else ""
        self.state = evolve(data, agents={**data.agents, agent: standing}, idle=idle, roster=roster)

    def _forget(self, agent: str) -> None:
        data = self.state
        known = {name: each for name, each in data.agents.items() if name != agent}
        self.state = evolve(data, agents=known, idle=data.idle - _is_free(data.agents.get(agent)), roster="")

    def _agent_died(self, message: Down, now: float) -> list[Effect]:
        """Nobody will answer what was offered there, though the agent may have said before that it is none of ours any
        more. A call that left the queue as it ended is nobody's name here."""
        if not message.name.startswith("agent:"):
            return []
        agent = message.name.removeprefix("agent:")
        if agent in self.state.agents:
            self._forget(agent)
        for waiting in self._ringing():
            if agent in waiting.rung:
                self._replace(waiting.without(agent))
        return []

    # --- calls ------------------------------------------------------------------------------------------------

    def _join(self, message: Join, now: float) -> list[Effect]:
        """Who comes back from an agent is no newcomer: it was let in before."""
        profile = self.state.profile
        if not message.again:
            if not is_open(profile.hours, profile.holidays, profile.time_zone, now):
                return [self._sent_on(message.call, calls.CLOSED, profile.closed)]
            if profile.max_waiting and len(self.state.calls) >= profile.max_waiting:
                return [self._sent_on(message.call, calls.FULL, profile.overflow)]
        if profile.sends_on_unattended and not self._attended():
            return [self._sent_on(message.call, calls.UNATTENDED, profile.overflow)]
        looks = profile.last_agent_seconds > 0 and message.number != "" and not message.again
        until = now + LOOK_BACK if looks else math.inf
        self._line_up(Waiting(message, looks_until=until))
        waits = Log("call waits", (("call", message.call), ("waiting", len(self.state.calls))))
        asked: list[Effect] = []
        if looks:
            asked.append(LookBack(message.call, message.number, now - profile.last_agent_days * DAY))
        stands = self._stands()
        told = [Tell(f"call:{message.call}", stands)] if message.stands != stands else []
        return [waits, *asked, Watch(f"call:{message.call}"), *told]

    def _line_up(self, newcomer: Waiting) -> None:
        """In its turn: mostly behind all others."""
        last = [*self.state.calls.values()][-1:]
        self._replace(newcomer)
        if any(_turn(each.join) > _turn(newcomer.join) for each in last):
            line = sorted(self.state.calls.items(), key=lambda item: _turn(item[1].join))
            self.state = evolve(self.state, calls=dict(line))

    def _last_served(self, message: LastServed, now: float) -> list[Effect]:
        """It is kept for who served it last, where that one is at work; else for nobody."""
        waiting, seconds = self.state.calls[message.call], self.state.profile.last_agent_seconds
        if waiting.looks_until == math.inf:
            return []  # that came too late
        waiting = evolve(waiting, looks_until=math.inf)
        if seconds > 0 and self._at_work(message.agent):
            waiting = evolve(waiting, kept_for=message.agent, kept_until=now + seconds)
        self._replace(waiting)
        return [Log("last served", (("call", message.call), ("agent", waiting.kept_for)))]

    def _at_work(self, agent: str) -> bool:
        standing = self.state.agents.get(agent)
        return standing is not None and standing.at_work

    def _sent_on(self, call: str, why: str, to: calls.Onward) -> Effect:
        """The call does not wait here."""
        return Tell(f"call:{call}", calls.SentOn(self.state.profile.queue, why, to))

    def _unattended(self, now: float) -> list[Effect]:
        """Nobody is signed in any more: where callers do not wait for that, they go on."""
        profile, waiting = self.state.profile, self.state.calls
        if not waiting or not profile.sends_on_unattended or self._attended():
            return []
        self.state = evolve(self.state, calls={}, moments={})
        told: list[Effect] = []
        for call, waits in waiting.items():
            told += [Unwatch(f"call:{call}"), *self._withdraw(waits, "taken_back")]
            told.append(self._sent_on(call, calls.UNATTENDED, profile.overflow))
        return told

    def _attended(self) -> bool:
        return any(each.doing != "signed_out" for each in self.state.agents.values())

    def _stands(self) -> calls.QueueStands:
        """What a call hears of the queue while it waits."""
        profile = self.state.profile
        return calls.QueueStands(
            profile.queue,
            self._attended(),
            profile.max_wait_seconds,
            profile.announce_seconds,
            profile.survey,
            profile.overflow,
        )

    def _paced(self, pace: Pace) -> None:
        if pace is not self.state.pace:
            self.state = evolve(self.state, pace=pace)

    def _tell_calls(self, before: calls.QueueStands) -> list[Effect]:
        stands = self._stands()
        return [] if stands == before else [Tell(f"call:{call}", stands) for call in self.state.calls]

    def _in_line(self, message: WhereAmI, now: float) -> list[Effect]:
        profile, number = self.state.profile, list(self.state.calls).index(message.call) + 1
        seconds = self.state.pace.wait(number, now) if profile.announce_wait else None
        return [Tell(f"call:{message.call}", calls.InLine(profile.queue, number, seconds))]

    def _remove(self, call: str) -> Waiting:
        calls = dict(self.state.calls)
        waiting = calls.pop(call)
        self.state = evolve(self.state, calls=calls, moments=self._moments(call, math.inf))
        return waiting

    def _replace(self, waiting: Waiting) -> None:
        call = waiting.join.call
        moments = self._moments(call, waiting.moment)
        self.state = evolve(self.state, calls={**self.state.calls, call: waiting}, moments=moments)

    def _moments(self, call: str, moment: float) -> Mapping[str, float]:
        """Of all, where that is the moment of this one."""
        moments = self.state.moments
        if moments.get(call, math.inf) == moment:
            return moments
        if moment < math.inf:
            return {**moments, call: moment}
        return {other: each for other, each in moments.items() if other != call}

    def _ringing(self) -> list[Waiting]:
        """The calls that ring somewhere."""
        calls = self.state.calls
        return [each for call in self.state.moments if (each := calls[call]).rung]

    def _left(self, message: Leave, now: float) -> list[Effect]:
        return [Unwatch(f"call:{message.call}"), *self._withdraw(self._remove(message.call), message.code)]

    def _message_left(self, message: MessageLeft, now: float) -> list[Effect]:
        self.state = evolve(self.state, message_at=now)
        return []

    def _call_died(self, message: Down, now: float) -> list[Effect]:
        return self._withdraw(self._remove(message.name.removeprefix("call:")), "caller_left")

    def _withdraw(self, waiting: Waiting, code: str) -> list[Effect]:
        return [Tell(f"agent:{agent}", agents.Withdraw(waiting.join.call, code)) for agent in waiting.rung]

    def _taken(self, message: Taken, now: float) -> list[Effect]:
        self._paced(self.state.pace.took(now))
        over = self._remove(message.call)
        if over.rings(message.agent, message.serial):
            over = over.without(message.agent)  # else it rings there again, and somebody's answer of before counted
        self._talks(message.agent)
        return [Unwatch(f"call:{message.call}"), *self._withdraw(over, "answered_elsewhere")]

    def _taken_unkept(self, message: Taken, now: float) -> list[Effect]:
        """The queue had sent the call on, and its word of that crossed the answer, which counts all the same."""
        self._talks(message.agent)
        return [Log("late", (("input", "Taken"), ("state", Place.ABSENT.value), ("why", _GONE.why)))]

    def _talks(self, agent: str) -> None:
        """It hears now that its answer counts."""
        standing = self.state.agents.get(agent)
        if standing is not None:
            who = evolve(standing.who, calls=standing.who.calls + 1)
            self._know(agent, evolve(standing, doing="talking", who=who, noted=True, said_free=False))

    def _offer_over(self, message: OfferOver, now: float) -> list[Effect]:
        waiting = self.state.calls[message.call]
        if not waiting.rings(message.agent, message.serial):
            return []
        rest = {
            GaveBack.REFUSED: None,  # it is told ready again when it is
            GaveBack.RETURNED: None,
            GaveBack.DECLINED: now + DECLINE_REST,
            GaveBack.MISSED: math.inf,
        }[message.how]
        resting = dict(waiting.resting) if rest is None else {**waiting.resting, message.agent: rest}
        if rest is not None and message.agent == waiting.kept_for:
            waiting = evolve(waiting, kept_for="", kept_until=math.inf)
        self._replace(evolve(waiting.without(message.agent), resting=resting))
        standing = self.state.agents.get(message.agent)
        if standing is not None and standing.noted and message.how is GaveBack.REFUSED:
            # It was not free although we thought so: forget that until it says otherwise, unless it has said so since.
            self._know(message.agent, evolve(standing, doing="refused", noted=False, said_free=False))
        elif standing is not None and standing.said_free:
            self._know(message.agent, evolve(standing, doing="free", noted=False, said_free=False))
        return [Log("offer over", (("call", message.call), ("agent", message.agent), ("how", message.how.value)))]

    def _time(self, message: Timeout, now: float) -> list[Effect]:
        """Rests that are over are forgotten; an agent that never answered an offer loses it."""
        lost: list[Effect] = []
        for waiting in [self.state.calls[call] for call, moment in self.state.moments.items() if moment <= now]:
            if min(waiting.looks_until, waiting.kept_until) <= now:
                waiting = evolve(waiting, looks_until=math.inf, kept_for="", kept_until=math.inf)
                self._replace(waiting)
            resting = {name: until for name, until in waiting.resting.items() if until > now}
            over = {name: ring for name, ring in waiting.rung.items() if ring.until <= now}
            if over:
                lost += self._withdraw(evolve(waiting, rung=over), "no_answer")
                rings = {name: ring for name, ring in waiting.rung.items() if name not in over}
                rest = dict.fromkeys(over, now + DECLINE_REST)
                self._replace(evolve(waiting, rung=rings, resting={**resting, **rest}))
                self._noted_in_vain(over)
            elif len(resting) != len(waiting.resting):
                self._replace(evolve(waiting, resting=resting))
        return lost

    def _noted_in_vain(self, names: Iterable[str]) -> None:
        """Whoever never said anything to an offer may never have had it: nothing more is known of it than before."""
        for agent in names:
            standing = self.state.agents.get(agent)
            if standing is not None and standing.noted and standing.doing == "ringing":
                self._know(agent, evolve(standing, doing="free", noted=False, said_free=False))

    # --- offers -----------------------------------------------------------------------------------------------

    def _offer_calls(self, now: float) -> list[Effect]:
        """Each call that rings nowhere in its turn; where all are rung at once, then those that ring elsewhere."""
        if not self.state.idle or not self.state.calls:
            return []
        free, offers = self._free(), list[Effect]()
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
                offers.append(self._offer(each.join.call, agent, now))
        return offers

    def _free(self) -> dict[str, acd.Free]:
        """Who could be offered a call."""
        return {name: each.who for name, each in self.state.agents.items() if each.doing == "free"}

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
        return agent if agent and agent not in waiting.resting and self._at_work(agent) else ""

    def _look_ahead(self, now: float) -> None:
        """When a call that waits may be offered to more of those who are free."""
        at = math.inf
        if self.state.profile.widen_seconds > 0 and self.state.calls:
            free = tuple(self._free().values())
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

    def _offer(self, call: str, agent: str, now: float) -> Effect:
        profile, waiting = self.state.profile, self.state.calls[call]
        join = waiting.join
        ring = Ring(now + profile.ring_seconds + OFFER_GRACE, self.state.serial + 1)
        self._replace(evolve(waiting, rung={**waiting.rung, agent: ring}, offered=waiting.offered + 1))
        self.state = evolve(self.state, serial=ring.serial)
        self._know(agent, evolve(self.state.agents[agent], doing="ringing", noted=True))
        return Tell(
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

    # --- pages ------------------------------------------------------------------------------------------------

    def _status(self) -> page.QueueStatus:
        data = self.state
        return page.QueueStatus(
            queue=data.profile.queue,
            name=data.profile.name,
            waiting=len(data.calls),
            oldest_since=min((each.join.since for each in data.calls.values()), default=None),
            agents_idle=data.idle,
            message_at=data.message_at,
        )

    def _owes_status(self) -> bool:
        """How it stands is news to pages."""
        data, told = self.state, self.state.told
        if told is None or (told.waiting, told.agents_idle) != (len(data.calls), data.idle):
            return True
        return self._status() != told

    def _tell_status(self, now: float) -> list[Effect]:
        if now < self.state.tell_at or not self._owes_status():
            return []
        status = self._status()
        who = [name for name, standing in self.state.agents.items() if standing.follows]
        pause = max(STATUS_INTERVAL, len(who) / STATUSES_PER_SECOND)
        self.state = evolve(self.state, told=status, tell_at=now + pause)
        return [Tell(f"agent:{name}", agents.QueueMoved(status)) for name in who]


def _is_free(standing: Standing | None) -> bool:
    return standing is not None and standing.doing == "free"


def _turn(join: Join) -> tuple[object, ...]:
    """By which calls stand in line."""
    return not join.again, join.priority, join.since


_GONE = Late("the call had left the queue")
_JOINED = Bug("a call that joins waits nowhere: it leaves, or is taken, before it joins again")
_NO_CALL = Bug("it names no call")
_KEPT = Bug("who leaves a message has left the queue, and the call ends with it")


def _of_no_call(message: type, entry: Entry) -> Row:
    """What names no call is about none that has a place."""
    return row(message, absent=entry, waiting=_NO_CALL, offered=_NO_CALL)


TABLE = Table(
    "queue",
    Place,
    _of_no_call(Started, Queue._started),
    _of_no_call(Profile, Queue._profile),
    _of_no_call(Dismiss, Queue._dismissed),
    _of_no_call(AgentStands, Queue._agent_stands),
    _of_no_call(Timeout, Queue._time),
    row(Down, absent=Queue._agent_died, waiting=Queue._call_died, offered=Queue._call_died),
    row(Join, absent=Queue._join, waiting=_JOINED, offered=_JOINED),
    row(Leave, absent=_GONE, waiting=Queue._left, offered=Queue._left),
    row(WhereAmI, absent=_GONE, waiting=Queue._in_line, offered=Queue._in_line),
    row(MessageLeft, absent=Queue._message_left, waiting=_KEPT, offered=_KEPT),
    row(LastServed, absent=_GONE, waiting=Queue._last_served, offered=Late("it rings, and had not waited for it")),
    row(Taken, absent=Queue._taken_unkept, waiting=Queue._taken, offered=Queue._taken),
    row(OfferOver, absent=_GONE, waiting=Late("another agent has it"), offered=Queue._offer_over),
)
Queue.table = TABLE
