"""What the organisation makes of each of its actors: a trunk's, a queue's and an agent's profile, and who has which."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from ..switch import protocol as media
from ..switch.sounds import BUILT_IN
from . import agent, entries, queue, trunk
from . import agent_state as agents
from . import call_state as calls
from . import queue_state as queues
from .customs import Customs
from .effects import Behaviour
from .hours import span
from .limits import Limits
from .organisation import Organisation
from .patience import Patience
from .routes import ToNumber, ToQueue, ToVoicemail, to_onward

Profile: TypeAlias = trunk.Profile | queues.Profile | agents.Profile


def behaviour(profile: Profile, now: float) -> Behaviour:
    match profile:
        case trunk.Profile():
            return trunk.Trunk(profile, now)
        case queues.Profile():
            return queue.Queue(profile)
        case agents.Profile():
            return agent.Agent(profile, now)


def dismissal(profile: Profile) -> object:
    match profile:
        case trunk.Profile():
            return trunk.Dismiss()
        case queues.Profile():
            return queues.Dismiss()
        case agents.Profile():
            return agents.Dismiss()


def profiles(
    organisation: Organisation,
    codecs: Sequence[media.CodecName],
    patience: Patience,
    customs: Customs,
    mobile_of: Callable[[str], str],
) -> dict[str, Profile]:
    """Actor name -> what it is told of itself. `mobile_of` gives an agent's mobile number, empty where it has none."""
    known = queues_known(organisation)
    priorities = {group.id: group.priority for group in organisation.queues}
    of: dict[str, Profile] = {f"trunk:{each.id}": _trunk(each) for each in organisation.trunks}
    for group in organisation.queues:
        of[f"queue:{group.id}"] = _queue(group, organisation, patience)
    for place, one in enumerate(organisation.agents):
        skills = tuple(agents.Skill(each.queue, each.level, priorities[each.queue]) for each in one.skills)
        of[f"agent:{one.id}"] = agents.Profile(
            one.id,
            one.name or one.id,
            skills,
            tuple(codecs),
            organisation.outbound,
            mobile_of(one.id),
            known,
            place,
            patience,
            customs,
        )
    return of


def _trunk(each: entries.Trunk) -> trunk.Profile:
    return trunk.Profile(
        each.id,
        each.nat,
        each.srtp,
        each.proxy,
        each.username,
        each.register,
        each.guest,
        Limits(each.calls, each.calls_per_minute),
        each.domain,
    )


def _queue(group: entries.Queue, organisation: Organisation, patience: Patience) -> queues.Profile:
    return queues.Profile(
        group.id,
        group.name or group.id,
        group.ring_seconds,
        group.wrap_up_seconds,
        group.max_wait_seconds,
        group.announce_seconds,
        group.survey,
        group.strategy,
        group.widen_seconds,
        group.max_waiting,
        group.unattended == "overflow",
        onward(organisation, group.overflow),
        tuple(map(span, group.hours)),
        organisation.holidays,
        organisation.time_zone,
        onward(organisation, group.closed),
        group.announce_wait,
        group.last_agent_seconds,
        group.last_agent_days,
        patience,
    )


def onward(organisation: Organisation, written: str) -> calls.Onward:
    """Where calls go that a queue does not keep."""
    match to_onward(written):
        case ToQueue(name):
            known = (each for each in queues_known(organisation) if each.queue == name)
            return calls.Onward(queue=next(known, None))
        case ToNumber(number):
            return calls.Onward(number=number)
        case ToVoicemail():
            return calls.Onward(voicemail=True)
        case None:
            return calls.NOWHERE


def queues_known(organisation: Organisation) -> tuple[agents.QueueKnown, ...]:
    """As calls may be given to them."""
    return tuple(
        agents.QueueKnown(each.id, each.name or each.id, each.music or BUILT_IN) for each in organisation.queues
    )
