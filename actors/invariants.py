"""What is true of a centre whatever happens: of each actor, of those it relies on, and of what is heard.

No caller is without an owner, and no agent busy without a call or a timer; who waits is known to its queue, who rings
to the call, and of each offer to an agent one thing has become; nobody hears more than the mode allows; nothing of the
media or of SIP is open for one who is gone. Each side of a relation is looked at by itself, so that it does not matter
which of the two is wrong.

It may be otherwise for as long as somebody has mail to read: tests look when there is none, after every step; in a
centre that lives `watchman.py` says what stands. Where one side is gone, or is the one that knows, the other can be
told again what it missed: that is the `cure`. Where nobody can know who is right there is none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from ..switch import protocol as media
from . import agent_state as agents
from . import call_state as calls
from . import line as lines
from . import queue_state as queues
from .agent import Agent
from .call import DIALS, Call
from .earshot import hears, of_ears
from .effects import Behaviour, Down, Tell
from .line import EndLine, Line
from .parties import LEFT, RINGS, Second, Standing
from .queue import Queue
from .records import OUTSIDE
from .shift import doing, standing
from .switchboard import Switchboard
from .trunk import Trunk
from .truth import ENGINE, LOST, Centre, Untrue, What

# What pages show where the call knew nothing of the agent.
UNKNOWN_THERE: Final = "the call knew nothing of it"


def untrue(name: str, centre: Centre) -> Iterator[Untrue]:
    """All that does not hold of one actor; nothing of one that is gone."""
    match centre.find(name):
        case Agent(state=data):
            yield from _of_agent(name, data, centre)
        case Call() as call:
            yield from _of_call(name, call, centre)
        case Line() as line:
            yield from _of_line(name, line, centre)
        case Queue(state=data):
            yield from _of_queue(name, data, centre)
        case Switchboard(state=data):
            counted = [call for used in data.usage.values() for call in used.calls]
            counted += [call for members in data.rooms.values() for call in members]
            yield from _counted(name, counted, centre)
        case Trunk(state=data):
            yield from _counted(name, data.usage.calls, centre)
        case _:
            pass


def _media_for_nobody(centre: Centre) -> Iterator[Untrue]:
    for owner in centre.media_owners() - centre.living():
        yield Untrue(What.MEDIA_UNOWNED, (owner,))


def _sip_for_nobody(centre: Centre) -> Iterator[Untrue]:
    for owner in centre.sip_owners() - centre.living():
        yield Untrue(What.SIP_UNOWNED, (owner,))


def _engine_otherwise(centre: Centre) -> Iterator[Untrue]:
    for each in centre.engine_differs():
        what, owner = What.ENGINE_LACKS if each.missing else What.ENGINE_KEEPS, centre.whose(each.name)
        yield Untrue(what, (ENGINE, owner) if owner else (ENGINE,), str(each), sure=True)


# What shells have open for actors that are gone, and the engine: looked at under these names, which no actor has.
SHELLS: Final[Mapping[str, Callable[[Centre], Iterator[Untrue]]]] = {
    "media": _media_for_nobody,
    "sip": _sip_for_nobody,
    "engine": _engine_otherwise,
}


def _gone(what: What, name: str, other: str) -> Untrue:
    """`name` relies on one that is no more, and did not hear of that."""
    return Untrue(what, (name, other), cure=Tell(name, Down(other, LOST)))


def _counted(name: str, counted: Iterable[str], centre: Centre) -> Iterator[Untrue]:
    """The books of a trunk or the switchboard: ids of calls and lines, of whose end it hears."""
    for each in counted:
        actor = _actor(each)
        if not centre.lives(actor):
            yield _gone(What.STILL_COUNTED, name, actor)


def _actor(call: str) -> str:
    """Of a call, or of a line that was dialled for one."""
    return f"line:{call}" if "+" in call else f"call:{call}"


# --- agents -------------------------------------------------------------------------------------------------------


def _of_agent(name: str, data: agents.Data, centre: Centre) -> Iterator[Untrue]:
    offer = data.offer_entry
    if data.in_call or data.phase is agents.Phase.RINGING:
        yield from _of_busy(name, data, centre)
    elif offer is not None and offer.ended is None:
        yield Untrue(What.OFFER_OPEN, (name, f"call:{offer.call}"))
    if data.line and not data.on_the_mobile:
        yield Untrue(What.LINE_UNOWNED, (name, f"line:{data.line}"))
    if not data.in_call and not data.by_mobile and data.voice:
        tests = data.testing_until < math.inf
        let_go = agents.LetGo("")  # its leg hears again what it is to hear here
        yield from hears(name, data.voice, centre, legs=(data.voice,) if tests else (), cure=let_go)
    for skill in data.profile.skills:
        queue = centre.glance(f"queue:{skill.queue}")
        if isinstance(queue, Queue) and not data.dismissed:
            known = queue.state.agents.get(data.profile.agent)
            if (known.doing if known is not None else "signed_out") != doing(data):
                stand = standing(data, skill.queue)
                cure = Tell(f"queue:{skill.queue}", queues.AgentStands(data.profile.agent, stand))
                yield Untrue(What.NOT_OFFERED, (name, f"queue:{skill.queue}"), known=known, cure=cure)


def _of_busy(name: str, data: agents.Data, centre: Centre) -> Iterator[Untrue]:
    """One that has a call, which has to know of that."""
    if data.call is None:
        yield Untrue(What.BUSY_FOR_NOTHING, (name,))
        return
    agent, call = data.profile.agent, data.call.call
    actor = centre.find(f"call:{call}")
    if not isinstance(actor, Call):
        if data.phase is not agents.Phase.DIALLING or data.dial_until == math.inf:
            yield _gone(What.BUSY_FOR_NOTHING, name, f"call:{call}")
        return
    cure: object
    match data.phase:
        case agents.Phase.RINGING:
            holds, cure = _rings(actor.state, data.call, agent, centre), agents.Withdraw(call, "taken_back")
        case agents.Phase.ANSWERING:
            # the call says at once who won
            holds, cure = False, agents.Lost(call, "taken_back")
        case agents.Phase.TALKING:
            holds, cure = agent in _seated(actor.state), agents.Ended(call, "system", UNKNOWN_THERE)
        case _:
            holds, cure = actor.state.agent == agent, agents.NotConnected(call, "call_failed")
    if not holds:
        yield Untrue(What.BUSY_FOR_NOTHING, (name, f"call:{call}"), cure=Tell(name, cure))


def _rings(call: calls.Data, offer: agents.Offer, agent: str, centre: Centre) -> bool:
    """Whether whoever made the offer still makes it."""
    if offer.by_call:
        second = call.second
        rung = second is not None and (second.sits, second.offer.serial) == (agent, offer.serial)
        return rung and call.standing in RINGS
    queue = centre.find(offer.offerer)
    waiting = queue.state.calls.get(offer.call) if isinstance(queue, Queue) else None
    return waiting is not None and waiting.rings(agent, offer.serial)


def _seated(call: calls.Data) -> tuple[str, ...]:
    """The agents who have a part in it."""
    if call.phase is not calls.Phase.TALKING:
        return ()
    second = call.second if call.standing not in RINGS else None
    return tuple(filter(None, (call.agent, second.sits if second is not None else "")))


# --- calls --------------------------------------------------------------------------------------------------------


def _of_call(name: str, call: Call, centre: Centre) -> Iterator[Untrue]:
    data = call.state
    dials = data.phase in DIALS
    if data.phase is calls.Phase.WAITING:
        yield from _of_waiting(name, call, centre)
    elif data.phase is calls.Phase.TALKING:
        yield from _of_parties(name, data, centre)
    elif data.phase is not calls.Phase.SERVED and call.deadline() == math.inf:
        yield Untrue(What.NO_TIMER, (name,))
    if dials and data.agent:
        yield from _agent_is(name, data, data.agent, agents.Phase.DIALLING, What.DIALLED_BY_NOBODY, centre)
    if not dials and data.phase not in (calls.Phase.ROUTING, calls.Phase.OPENING):
        if not data.left and not centre.holds(data.leg):
            failed = media.LegFailed(data.own_leg, LOST) if data.moved is None else None
            yield Untrue(What.NO_MEDIA, (name,), cure=None if failed is None else Tell(name, failed))
        if not _in_books(data):
            yield Untrue(What.RECORD_OPEN, (name,))
    yield from of_ears(name, data, centre)


def _of_waiting(name: str, call: Call, centre: Centre) -> Iterator[Untrue]:
    queue = centre.glance(call.queue())
    if queue is None:
        yield _gone(What.NOT_WAITING, name, call.queue())
    elif isinstance(queue, Queue) and call.id not in queue.state.calls:
        yield Untrue(What.NOT_WAITING, (name, call.queue()), cure=Tell(call.queue(), call.joins(again=True)))


def _of_parties(name: str, data: calls.Data, centre: Centre) -> Iterator[Untrue]:
    """A caller who talks has somebody: an agent, a second party outside, or one at whom it rings, for a time."""
    second = data.second
    if not data.agent and (data.standing not in LEFT or second is None):
        yield Untrue(What.NO_OWNER, (name,))
    for agent in _seated(data):
        yield from _agent_is(name, data, agent, agents.Phase.TALKING, What.TALKS_TO_NOBODY, centre)
    for line in (data.moved.line if data.moved is not None else "", _line_of(second, data.standing)):
        if line and centre.find(f"line:{line}") is None:
            yield _gone(What.TALKS_TO_NOBODY, name, f"line:{line}")
    if second is not None and data.standing in RINGS:
        if second.ring_until == math.inf:
            yield Untrue(What.NO_TIMER, (name,))
        if second.sits:
            yield from _rung(name, data.arrived.call, second.sits, second.offer.serial, centre)


def _line_of(second: Second | None, stands: Standing) -> str:
    """That of a second party who is there; one that rings may not have begun."""
    if second is None or second.sits or (stands in RINGS and not second.begun):
        return ""
    return second.line


def _agent_is(
    name: str, data: calls.Data, agent: str, phase: agents.Phase, what: What, centre: Centre
) -> Iterator[Untrue]:
    """The agent does that in this call, muted or not and by the leg that the call knows."""
    actor = f"agent:{agent}"
    found = centre.find(actor)
    if not isinstance(found, Agent):
        yield _gone(what, name, actor)
        return
    state, call = found.state, data.arrived.call
    if state.phase is not phase or state.call is None or state.call.call != call:
        if data.phase is calls.Phase.TALKING or state.dial is None or state.dial.call != call:
            yield Untrue(what, (name, actor), cure=Tell(name, calls.AgentGone(agent)))
        return
    first, second = data.agent == agent, data.second
    muted = data.muted if first or second is None else second.muted
    if phase is agents.Phase.TALKING and muted is not state.muted:
        yield Untrue(What.MUTED_AND_HEARD, (name, actor), cure=Tell(name, calls.MuteAgent(agent, state.muted)))
    voice = (data.agent_leg, data.agent_away) if first or second is None else (second.leg, second.away)
    heard = state.voice, state.away_since < math.inf
    if voice != heard and state.dial_until == math.inf:
        yield Untrue(What.OTHER_VOICE, (name, actor), cure=Tell(name, calls.AgentLeg(agent, *heard)))


def _in_books(data: calls.Data) -> bool:
    """Whether the open rows are those of who is there: one for each, and none is closed of a call that lives."""
    if data.entry is None or data.entry.ended is not None:
        return False
    there = ["caller" if data.moved is None else OUTSIDE]
    if data.agent and data.phase is calls.Phase.TALKING:
        there.append(data.agent)
    if data.second is not None and data.standing not in RINGS:
        there.append(data.second.party)
    held = data.hold is not None and data.hold.ended is None
    return sorted(leg.party for leg in data.legs if leg.ended is None) == sorted(there) and held is data.held


# --- queues and lines ---------------------------------------------------------------------------------------------


def _of_queue(name: str, data: queues.Data, centre: Centre) -> Iterator[Untrue]:
    for call, waiting in data.calls.items():
        actor = centre.find(f"call:{call}")
        if actor is None:
            yield _gone(What.QUEUE_HAS_STRANGER, name, f"call:{call}")
        elif not (isinstance(actor, Call) and actor.state.phase is calls.Phase.WAITING and actor.queue() == name):
            yield Untrue(What.QUEUE_HAS_STRANGER, (name, f"call:{call}"), cure=Tell(name, queues.Leave(call)))
        for agent, ring in waiting.rung.items():
            yield from _rung(name, call, agent, ring.serial, centre)


def _rung(name: str, call: str, agent: str, serial: int, centre: Centre) -> Iterator[Untrue]:
    """What a queue, or a call itself, has offered rings at that agent."""
    actor = f"agent:{agent}"
    found = centre.find(actor)
    if not isinstance(found, Agent):
        yield _gone(What.RINGS_UNHEARD, name, actor)
        return
    offer = found.state.call if found.state.phase is agents.Phase.RINGING else None
    if offer is None or (offer.call, offer.offerer, offer.serial) != (call, name, serial):
        over = queues.OfferOver(call, agent, queues.GaveBack.RETURNED, serial)
        who = tuple(dict.fromkeys((name, actor, f"call:{call}")))
        yield Untrue(What.RINGS_UNHEARD, who, cure=Tell(name, over))


def _of_line(name: str, line: Line, centre: Centre) -> Iterator[Untrue]:
    data = line.state
    if data.phase is not lines.Phase.UP and line.deadline() == math.inf:
        yield Untrue(What.NO_TIMER, (name,))
    owner = centre.find(data.owner)
    if owner is None:
        yield _gone(What.LINE_UNOWNED, name, data.owner)
    elif line.id not in _lines_of(owner):
        yield Untrue(What.LINE_UNOWNED, (name, data.owner), cure=Tell(name, EndLine(line.id)))


def _lines_of(owner: Behaviour) -> tuple[str, ...]:
    match owner:
        case Agent(state=data):
            return (data.line,)
        case Call(state=data):
            second = data.second.line if data.second is not None else ""
            return (second, data.moved.line if data.moved is not None else "")
        case _:
            return ()
