"""A queue (skill group): the calls that wait and the agents who may take them.

A call has one place in the queue: ABSENT, WAITING, or OFFERED, to one agent or to several at once. The agent decides
whether it rings, the call decides whose answer counts; the queue only remembers where each call stands, so nothing that
is late can offer a call twice. It watches its calls, as long as they are here, and its agents: one that dies without a
word is forgotten.

Here are the table, how calls come and go, and what pages hear. In which order calls stand is in `queue_line.py`, what
is believed of the agents in `queue_agents.py`, who is offered what in `queue_offers.py`.
"""

from __future__ import annotations

import math

from . import agent_state as agents
from . import call_state as calls
from . import page
from .effects import Down, Effect, Log, LookBack, Started, Stop, Tell, Unwatch, Watch
from .evolving import evolve
from .hours import is_open
from .pace import Pace
from .queue_offers import Offers
from .queue_state import (
    AgentStands,
    Answered,
    Data,
    Dismiss,
    Join,
    LastServed,
    Leave,
    MessageLeft,
    OfferOver,
    Place,
    Profile,
    Says,
    Taken,
    Timeout,
    Waiting,
    WhereAmI,
)
from .table import Bug, Entry, Late, Row, Table, row

# A call is not offered for this long while it is looked who served it last.
LOOK_BACK = 0.5
DAY = 86400.0
# Pages hear how a queue stands at most this often, in seconds.
STATUS_INTERVAL = 0.5
# ... and of all agents who look so many a second at most: each takes a step, and a message to its page.
STATUSES_PER_SECOND = 60


class Queue(Offers):
    """The behaviour of one queue; see `Data` for what it remembers."""

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
        effects += [*self.offer_calls(now), *self._tell_status(now)]
        self._paced(self.state.pace.somebody_waits(bool(self.state.calls), now))
        self.look_ahead(now)
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
            told += self.withdraw(waiting, "caller_left")
        self.state = evolve(self.state, calls={}, moments={}, agents={}, idle=0, roster="")
        return [*told, Stop(agents.DISMISSED)]  # calls watch their queue

    def _agent_stands(self, message: AgentStands, now: float) -> list[Effect]:
        before = self.state.agents.get(message.agent)
        if message.standing is None:
            self.forget(message.agent)
            return []
        agent, standing = f"agent:{message.agent}", message.standing
        effects = self.learn(Says(message.agent, standing), now)
        if before is None:
            effects.append(Watch(agent))
        if standing.follows and not (before is not None and before.follows):
            effects.append(Tell(agent, agents.QueueMoved(self._status())))
        return effects

    # --- calls ------------------------------------------------------------------------------------------------

    def _join(self, message: Join, now: float) -> list[Effect]:
        """Who comes back from an agent is no newcomer: it was let in before."""
        profile = self.state.profile
        if not message.again:
            if not is_open(profile.hours, profile.holidays, profile.time_zone, now):
                return [self._sent_on(message.call, calls.CLOSED, profile.closed)]
            if profile.max_waiting and len(self.state.calls) >= profile.max_waiting:
                return [self._sent_on(message.call, calls.FULL, profile.overflow)]
        if profile.sends_on_unattended and not self.attended():
            return [self._sent_on(message.call, calls.UNATTENDED, profile.overflow)]
        looks = profile.last_agent_seconds > 0 and message.number != "" and not message.again
        until = now + LOOK_BACK if looks else math.inf
        self.line_up(Waiting(message, looks_until=until))
        waits = Log("call waits", (("call", message.call), ("waiting", len(self.state.calls))))
        asked: list[Effect] = []
        if looks:
            asked.append(LookBack(message.call, message.number, now - profile.last_agent_days * DAY))
        stands = self._stands()
        told = [Tell(f"call:{message.call}", stands)] if message.stands != stands else []
        return [waits, *asked, Watch(f"call:{message.call}"), *told]

    def _last_served(self, message: LastServed, now: float) -> list[Effect]:
        """It is kept for who served it last, where that one is at work; else for nobody."""
        waiting, seconds = self.state.calls[message.call], self.state.profile.last_agent_seconds
        if waiting.looks_until == math.inf:
            return []  # that came too late
        waiting = evolve(waiting, looks_until=math.inf)
        if seconds > 0 and self.at_work(message.agent):
            waiting = evolve(waiting, kept_for=message.agent, kept_until=now + seconds)
        self.replace(waiting)
        return [Log("last served", (("call", message.call), ("agent", waiting.kept_for)))]

    def _sent_on(self, call: str, why: str, to: calls.Onward) -> Effect:
        """The call does not wait here."""
        return Tell(f"call:{call}", calls.SentOn(self.state.profile.queue, why, to))

    def _unattended(self, now: float) -> list[Effect]:
        """Nobody is signed in any more: where callers do not wait for that, they go on."""
        profile, waiting = self.state.profile, self.state.calls
        if not waiting or not profile.sends_on_unattended or self.attended():
            return []
        self.state = evolve(self.state, calls={}, moments={})
        told: list[Effect] = []
        for call, waits in waiting.items():
            told += [Unwatch(f"call:{call}"), *self.withdraw(waits, "taken_back")]
            told.append(self._sent_on(call, calls.UNATTENDED, profile.overflow))
        return told

    def _stands(self) -> calls.QueueStands:
        """What a call hears of the queue while it waits."""
        profile = self.state.profile
        return calls.QueueStands(
            profile.queue,
            self.attended(),
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

    def _left(self, message: Leave, now: float) -> list[Effect]:
        return [Unwatch(f"call:{message.call}"), *self.withdraw(self.remove(message.call), message.code)]

    def _message_left(self, message: MessageLeft, now: float) -> list[Effect]:
        self.state = evolve(self.state, message_at=now)
        return []

    def _call_died(self, message: Down, now: float) -> list[Effect]:
        return self.withdraw(self.remove(message.name.removeprefix("call:")), "caller_left")

    def _taken(self, message: Taken, now: float) -> list[Effect]:
        self._paced(self.state.pace.took(now))
        over = self.remove(message.call)
        if over.rings(message.agent, message.serial):
            over = over.without(message.agent)  # else it rings there again, and somebody's answer of before counted
        learned = self.learn(Answered(message.agent), now)
        return [*learned, Unwatch(f"call:{message.call}"), *self.withdraw(over, "answered_elsewhere")]

    def _taken_unkept(self, message: Taken, now: float) -> list[Effect]:
        """The queue had sent the call on, and its word of that crossed the answer, which counts all the same."""
        learned = self.learn(Answered(message.agent), now)
        fields = (("input", "Taken"), ("state", Place.ABSENT.value), ("why", _GONE.why))
        return [*learned, Log("late", fields, "debug")]

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
    _of_no_call(Timeout, Queue.time),
    row(Down, absent=Queue.agent_died, waiting=Queue._call_died, offered=Queue._call_died),
    row(Join, absent=Queue._join, waiting=_JOINED, offered=_JOINED),
    row(Leave, absent=_GONE, waiting=Queue._left, offered=Queue._left),
    row(WhereAmI, absent=_GONE, waiting=Queue._in_line, offered=Queue._in_line),
    row(MessageLeft, absent=Queue._message_left, waiting=_KEPT, offered=_KEPT),
    row(LastServed, absent=_GONE, waiting=Queue._last_served, offered=Late("it rings, and had not waited for it")),
    row(Taken, absent=Queue._taken_unkept, waiting=Queue._taken, offered=Queue._taken),
    row(OfferOver, absent=_GONE, waiting=Late("another agent has it"), offered=Queue.offer_over),
)
Queue.table = TABLE
