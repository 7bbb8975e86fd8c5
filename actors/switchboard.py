"""The switchboard: where each dialled number leads, who is in which room, and which actors the organisation has.

It is told the organisation at the start and whenever it changes; it then starts, informs and dismisses the actors of
its trunks, queues and agents, and finds routes in it. It watches them: one that is wanted again before it has left is
started anew when it has; one that was isolated stays so until the organisation comes again. Rooms are edges, not
actors: all who are in one hear each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from random import Random
from typing import Final, Literal, TypeAlias, get_args

from attrs import field, frozen

from ..sip.sdp import TRUNK_CODECS, TrunkCodec
from ..switch import protocol as media
from ..switch.sounds import BUILT_IN
from . import agent_state as agents
from . import call, directory, entries, gate, line, origin, signals, trunk
from . import call_state as calls
from . import queue_state as queues
from .customs import CUSTOMS, Customs
from .effects import Down, Effect, Locate, Log, Media, Spawn, Started, Tell, Watch
from .evolving import evolve
from .limits import NO_LIMITS, UNUSED, Limits, TooMany, Usage
from .organisation import Organisation, e164
from .origin import Located
from .patience import PATIENCE, Patience
from .profiles import Profile, behaviour, dismissal, onward, profiles
from .records import MobileEntry
from .routes import ToQueue
from .table import Bug, Table, Untimed, always, row

# What a caller's switch is asked to wait before it tries a draining one again: a restart takes less.
RETRY_AFTER = 10
# ... and while the media plane is full: of a thousand calls some dozens end meanwhile.
FULL_RETRY_AFTER = 10
# ... and where the trunk has just left the organisation: its peers are about to be nobody's.
GONE_RETRY_AFTER = 5
# An agent that hears nothing of its call for so long has given up.
GIVEN_UP = 10.0

# Why a number was not dialled, as codes of `page.FAILURES`.
NotOut: TypeAlias = Literal[gate.Why, TooMany, "no_mobile", "number_not_ours", "redirect_barred", "switch_busy"]
BARRED: Final[tuple[NotOut, ...]] = get_args(NotOut)


class Phase(Enum):
    OPEN = "open"
    DRAINING = "draining"


# --- messages -----------------------------------------------------------------------------------------------------


@frozen
class Configure:
    """The organisation as it is from now on, what pages and trunks may speak, preferred first, how long people are
    waited for, and what is done in calls."""

    organisation: Organisation
    codecs: tuple[media.CodecName, ...]
    trunk_codecs: tuple[TrunkCodec, ...] = TRUNK_CODECS
    patience: Patience = PATIENCE
    customs: Customs = CUSTOMS


@frozen
class FindRoute:
    """A call of this trunk dialled this."""

    call: str
    dialled: str
    trunk: str


@frozen
class JoinRoom:
    call: str
    room: str
    leg: str


@frozen
class MediaFull:
    """The media plane can take no more calls, or again (`admission.py`)."""

    full: bool


@frozen
class Drain:
    """No more calls; those that live go on."""


@frozen
class Open:
    """Calls again: the process that took no more has ended, and this one goes on with what it left."""


# --- data ---------------------------------------------------------------------------------------------------------


@frozen
class Choosing:
    """Who wants to go out, and shows one of `ours`."""

    wanted: calls.Dial | line.Reach
    ours: tuple[str, ...]
    since: float


@frozen
class Data:
    organisation: Organisation
    codecs: tuple[media.CodecName, ...]
    trunk_codecs: tuple[TrunkCodec, ...] = TRUNK_CODECS
    patience: Patience = PATIENCE
    customs: Customs = CUSTOMS
    phase: Phase = Phase.OPEN
    # New calls are refused: those that live would be heard to break up.
    full: bool = False
    # The actors it started that have not ended.
    alive: frozenset[str] = frozenset()
    # room number -> call -> leg, in the order they came
    rooms: Mapping[str, Mapping[str, str]] = field(factory=dict)
    # agent -> the calls and lines that were dialled on its account
    usage: Mapping[str, Usage] = field(factory=dict)
    # call or line -> what waits until it is known which of our numbers is the nearest
    choosing: Mapping[str, Choosing] = field(factory=dict)
    # agent -> the mobile number that it has bound, in the place of what the organisation says
    mobiles: Mapping[str, str] = field(factory=dict)
    # Agents who answered by mobile when the switch was stopped, and do so again as they begin.
    by_mobile: frozenset[str] = frozenset()
    # why -> numbers that did not pass the gate
    barred: Mapping[str, int] = field(factory=dict)


class Switchboard(Untimed[Phase]):
    """`codecs`, `trunk_codecs`, `patience` and `customs` as `Configure` has them; `mobiles` is what is kept of the
    mobiles that agents have bound."""

    state: Data

    def __init__(
        self,
        organisation: Organisation,
        codecs: Sequence[media.CodecName],
        trunk_codecs: Sequence[TrunkCodec] = TRUNK_CODECS,
        mobiles: Sequence[MobileEntry] = (),
        patience: Patience = PATIENCE,
        customs: Customs = CUSTOMS,
    ) -> None:
        self.state = Data(
            organisation,
            tuple(codecs),
            tuple(trunk_codecs),
            patience,
            customs,
            mobiles={each.agent: each.number for each in mobiles},
            by_mobile=frozenset(each.agent for each in mobiles if each.answering),
        )

    def receive(self, message: object, now: float) -> list[Effect]:
        return self.dispatch(self.state.phase, message, now)

    # --- the organisation -------------------------------------------------------------------------------------

    def _started(self, message: Started, now: float) -> list[Effect]:
        actors = self._start_missing(self._profiles(), now)
        return [Spawn("directory", directory.Directory()), *actors]  # agents speak to it as they start

    def _configure(self, message: Configure, now: float) -> list[Effect]:
        before, accounts = self._profiles(), self._accounts()
        self.state = evolve(
            self.state,
            organisation=message.organisation,
            codecs=message.codecs,
            trunk_codecs=message.trunk_codecs,
            patience=message.patience,
            customs=message.customs,
        )
        after = self._profiles()
        alive = self.state.alive
        effects = self._start_missing(after, now)
        effects += [Tell(name, new) for name, new in after.items() if name in alive and before.get(name) != new]
        effects += [
            Tell(name, trunk.Corrected())
            for name, account in self._accounts().items()
            if name in alive and accounts.get(name, account) != account
        ]
        gone = {name: old for name, old in before.items() if name not in after}
        return [*effects, *(Tell(name, dismissal(old)) for name, old in gone.items())]

    def _accounts(self) -> dict[str, tuple[str, ...]]:
        """Of each trunk, by the name of its actor, what it is shown there beside what it is told of itself."""
        trunks = self.state.organisation.trunks
        return {f"trunk:{each.id}": (each.login, each.password, *each.realms) for each in trunks}

    def _profiles(self) -> dict[str, Profile]:
        data = self.state
        return profiles(data.organisation, data.codecs, data.patience, data.customs, self._mobile_of)

    def _start_missing(self, wanted: Mapping[str, Profile], now: float) -> list[Effect]:
        """Starts who is wanted and not alive; queues come before the agents that name them."""
        alive, organisation = self.state.alive, self.state.organisation
        missing = {name: profile for name, profile in wanted.items() if name not in alive}
        effects: list[Effect] = []
        for name, profile in missing.items():
            effects += [Spawn(name, behaviour(profile, now)), Watch(name)]
            if isinstance(profile, queues.Profile):
                told = agents.QueueStarted(profile.queue)
                effects += [Tell(f"agent:{one.id}", told) for one in organisation.agents if f"agent:{one.id}" in alive]
            elif isinstance(profile, agents.Profile) and profile.agent in self.state.by_mobile:
                effects.append(Tell(name, agents.AnswerByMobile()))
        begun = (name.removeprefix("agent:") for name in missing)
        self.state = evolve(self.state, alive=alive.union(missing), by_mobile=self.state.by_mobile.difference(begun))
        return effects

    # --- routes -----------------------------------------------------------------------------------------------

    def _find_route(self, message: FindRoute, now: float) -> list[Effect]:
        organisation = self.state.organisation
        if self.state.full:
            return [Tell(f"call:{message.call}", calls.NotRouted(503, "the media plane is full", FULL_RETRY_AFTER))]
        brings = next((each for each in organisation.trunks if each.id == message.trunk), None)
        if brings is None:
            return [Tell(f"call:{message.call}", calls.NotRouted(503, "the trunk is gone", GONE_RETRY_AFTER))]
        number = organisation.dialled(message.dialled)
        if number is None:
            return [Tell(f"call:{message.call}", calls.NotRouted(404, "no such number"))]
        group = next((each for each in organisation.queues if number.route == ToQueue(each.id)), None)
        music = (group.music if group is not None else "") or BUILT_IN
        routed = calls.Routed(
            number.route,
            brings.nat,
            organisation.language,
            music,
            organisation.country,
            group.early_seconds if group is not None else 0.0,
            number.priority,
            self._stands(group) if group is not None else None,
            self.state.customs,
        )
        return [Tell(f"call:{message.call}", routed)]

    def _stands(self, group: entries.Queue) -> calls.QueueStands:
        """As far as the organisation says it; and mostly somebody is signed in."""
        overflow = onward(self.state.organisation, group.overflow)
        return calls.QueueStands(group.id, True, group.max_wait_seconds, group.announce_seconds, group.survey, overflow)

    def _refuse(self, message: FindRoute, now: float) -> list[Effect]:
        return [Tell(f"call:{message.call}", calls.NotRouted(503, "draining", RETRY_AFTER))]

    def _media_full(self, message: MediaFull, now: float) -> list[Effect]:
        self.state = evolve(self.state, full=message.full)
        return []

    # --- calls out --------------------------------------------------------------------------------------------

    def _dial(self, message: calls.Dial, now: float) -> list[Effect]:
        """An agent dials: a call that knows its trunks."""
        return self._out(message, message.shown, now, shut=self.state.full)

    def _dial_draining(self, message: calls.Dial, now: float) -> list[Effect]:
        return self._out(message, message.shown, now, shut=True)

    def _reach(self, message: line.Reach, now: float) -> list[Effect]:
        """Somebody is wanted for a call that lives: also while no more calls are taken, for those that live go on."""
        if message.mobile_of:
            message = evolve(message, number=self._mobile_of(message.mobile_of))
        if not message.number:
            return self._not_out(message, "no_mobile")
        return self._out(message, "", now, shut=self.state.full)

    def _mobile_of(self, agent: str) -> str:
        """What the agent has bound itself, else what the organisation says."""
        known = next((each for each in self.state.organisation.agents if each.id == agent), None)
        return "" if known is None else self.state.mobiles.get(agent) or known.mobile

    def _bind_mobile(self, message: agents.BindMobile, now: float) -> list[Effect]:
        """A mobile is a number that calls of ours may go to."""
        passed = gate.decide(self.state.organisation, message.number, "")
        agent = f"agent:{message.agent}"
        if isinstance(passed, gate.Barred):
            self._count_barred(passed.why)
            return [Tell(agent, agents.MobileBarred(passed.why))]
        if passed.target.emergency:
            return [Tell(agent, agents.MobileBarred("not_allowed"))]
        number = passed.target.number
        self.state = evolve(self.state, mobiles={**self.state.mobiles, message.agent: number})
        return [Tell(agent, agents.MobileBound(number))]

    def _out(self, message: calls.Dial | line.Reach, shown: str, now: float, *, shut: bool) -> list[Effect]:
        """The one way out: the gate, then the agent's limits. Where there are numbers of ours to choose among, it is
        asked first where they and the callee are at home."""
        organisation = self.state.organisation
        ours = organisation.outbound
        if shown and shown not in ours:
            return self._not_out(message, "number_not_ours")
        passed = self._passed(message, now, shut=shut)
        if not isinstance(passed, gate.Passed):
            return self._not_out(message, passed)
        if shown or len(ours) <= 1:
            return self._begin(message, passed, shown or "".join(ours), now)
        waiting = {ask: each for ask, each in self.state.choosing.items() if each.since > now - GIVEN_UP}
        self.state = evolve(self.state, choosing={**waiting, _id(message): Choosing(message, ours, now)})
        full = tuple(e164(number, organisation.country) or "" for number in ours)
        return [Locate(_id(message), passed.target.number, full)]

    def _located(self, message: Located, now: float) -> list[Effect]:
        choosing = self.state.choosing.get(message.ask)
        if choosing is None:
            return []  # whoever dialled has given up
        others = {ask: each for ask, each in self.state.choosing.items() if ask != message.ask}
        self.state = evolve(self.state, choosing=others)
        ours = tuple(zip(choosing.ours, message.ours, strict=True))
        shown = origin.nearest(message.callee, ours, Random(message.ask))
        drains = self.state.phase is Phase.DRAINING and isinstance(choosing.wanted, calls.Dial)
        return self._out(choosing.wanted, shown, now, shut=self.state.full or drains)

    def _passed(self, message: calls.Dial | line.Reach, now: float, *, shut: bool) -> gate.Passed | NotOut:
        """How it may leave, or why not."""
        passed = self._decided(message)
        if isinstance(passed, gate.Barred):
            return passed.why
        if passed.target.emergency:
            return passed
        if shut:
            return "switch_busy"
        usage = self.state.usage.get(message.agent, UNUSED)
        return usage.refusal(self._limits(message.agent), now) or passed

    def _decided(self, message: calls.Dial | line.Reach) -> gate.Passed | gate.Barred:
        """What a far side wants goes out by its own trunk."""
        organisation, number = self.state.organisation, message.number
        if isinstance(message, line.Reach) and message.trunk:
            target = gate.follow(organisation, number, _id(message), message.trunk)
            return target if isinstance(target, gate.Barred) else gate.Passed(target, (message.trunk,))
        return gate.decide(organisation, number, _id(message))

    def _begin(self, message: calls.Dial | line.Reach, passed: gate.Passed, shown: str, now: float) -> list[Effect]:
        data, organisation, target = self.state, self.state.organisation, passed.target
        usage = data.usage.get(message.agent, UNUSED).begun(_id(message), now)
        self.state = evolve(data, usage={**data.usage, message.agent: usage})
        out = calls.Out(target.number, target.dialled, shown, target.emergency, passed.trunks)
        if isinstance(message, line.Reach):
            out = evolve(out, forwards=message.forwards)
        about = (out, organisation.language, organisation.country, data.trunk_codecs, now)
        if isinstance(message, line.Reach):
            name = f"line:{message.line}"
            return [Spawn(name, line.Line(message, *about, data.patience, data.customs)), Watch(name)]
        name = f"call:{message.call}"
        made = call.Call.of_agent(message.call, message.agent, message.leg, *about, data.customs)
        return [Spawn(name, made), Watch(name)]

    def _not_out(self, message: calls.Dial | line.Reach, why: NotOut) -> list[Effect]:
        self._count_barred(why)
        log = Log("not dialled", (("agent", message.agent), ("number", message.number), ("why", why)))
        if isinstance(message, line.Reach):
            return [log, Tell(message.owner, line.LineOver(message.line, "system", why))]
        return [log, Tell(f"agent:{message.agent}", agents.NotConnected(message.call, why))]

    def _redirected(self, message: calls.Redirected, now: float) -> list[Effect]:
        """A call out is sent on: where to passes the same gate, and leaves by the same trunk."""
        call, organisation = signals.actor(message.call), self.state.organisation
        for each in message.to:
            passed = gate.follow(organisation, each.number, message.call, message.trunk, emergency=message.emergency)
            if isinstance(passed, gate.Target):
                return [Tell(call, calls.Follow(passed.number, passed.dialled, each))]
        self._count_barred("redirect_barred")
        fields = (("call", message.call), ("trunk", message.trunk), ("why", "redirect_barred"))
        return [Log("not followed", fields), Tell(call, calls.Stay())]

    def _count_barred(self, why: NotOut) -> None:
        self.state = evolve(self.state, barred={**self.state.barred, why: self.state.barred.get(why, 0) + 1})

    def _limits(self, agent: str) -> Limits:
        known = (each for each in self.state.organisation.agents if each.id == agent)
        return next((Limits(each.calls, each.calls_per_minute) for each in known), NO_LIMITS)

    # --- rooms ------------------------------------------------------------------------------------------------

    def _join_room(self, message: JoinRoom, now: float) -> list[Effect]:
        members = {**self.state.rooms.get(message.room, {}), message.call: message.leg}
        if len(members) > media.MAX_HEARD:
            return [Tell(f"call:{message.call}", calls.RoomFull())]
        self.state = evolve(self.state, rooms={**self.state.rooms, message.room: members})
        return [Watch(f"call:{message.call}"), _wire(members)]

    def _down(self, message: Down, now: float) -> list[Effect]:
        if message.name.startswith(("call:", "line:")):
            return self._call_over(message)
        self.state = evolve(self.state, alive=self.state.alive - {message.name})
        if message.reason != agents.DISMISSED:
            return []
        wanted = self._profiles()
        back = {name: profile for name, profile in wanted.items() if name == message.name}
        return self._start_missing(back, now)

    def _call_over(self, message: Down) -> list[Effect]:
        """The leg is closed with its call; what is left is to forget it."""
        gone = message.name.partition(":")[2]
        rooms = {
            room: {name: leg for name, leg in members.items() if name != gone}
            for room, members in self.state.rooms.items()
        }
        usage = {agent: used.over(gone) for agent, used in self.state.usage.items()}
        self.state = evolve(
            self.state, rooms={room: members for room, members in rooms.items() if members}, usage=usage
        )
        return []

    def _drain(self, message: Drain, now: float) -> list[Effect]:
        self.state = evolve(self.state, phase=Phase.DRAINING)
        return []

    def _reopen(self, message: Open, now: float) -> list[Effect]:
        self.state = evolve(self.state, phase=Phase.OPEN)
        return []


def _id(message: calls.Dial | line.Reach) -> str:
    """Of the call or line that it is about."""
    return message.line if isinstance(message, line.Reach) else message.call


def _wire(members: Mapping[str, str]) -> Effect:
    legs = tuple(members.values())
    return Media(
        media.Rewire(tuple(media.Hears(leg, tuple((other, 1.0) for other in legs if other != leg)) for leg in legs))
    )


TABLE = Table(
    "switchboard",
    Phase,
    row(Started, open=Switchboard._started, draining=Bug("an actor starts once")),
    always(Configure, Switchboard._configure, Phase),
    row(calls.Dial, open=Switchboard._dial, draining=Switchboard._dial_draining),
    always(line.Reach, Switchboard._reach, Phase),
    always(calls.Redirected, Switchboard._redirected, Phase),
    always(agents.BindMobile, Switchboard._bind_mobile, Phase),
    row(FindRoute, open=Switchboard._find_route, draining=Switchboard._refuse),
    always(Located, Switchboard._located, Phase),
    always(MediaFull, Switchboard._media_full, Phase),
    always(JoinRoom, Switchboard._join_room, Phase),
    always(Down, Switchboard._down, Phase),
    always(Drain, Switchboard._drain, Phase),
    always(Open, Switchboard._reopen, Phase),
)
Switchboard.table = TABLE
