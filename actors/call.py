"""A call: one caller on a SIP trunk, from the INVITE to the end, and whoever it talks to.

    ROUTING --route--> OPENING --media--> WAITING (in a queue) <--> TALKING (with an agent)
                                      `-> SERVED (echo, tone, music, room)

The call owns the caller's SIP dialog and media leg, and it alone decides whose answer counts: the first `Accept` while
it waits is joined, a later one hears "answered elsewhere". It answers the trunk as soon as its media is open, so that
the caller hears music while it waits. From the first agent's answer to its end a call of a queue is recorded, the
caller left and whoever talks with it right. It ends by `Stop`; what it opened is then closed by the shells, whatever
happened.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import Any, assert_never

from attrs import evolve, frozen

from ..sip import sdp
from ..switch import protocol as media
from . import agent_state as agents
from . import queue as queues
from . import records, signals, switchboard, trunk
from .effects import Down, Effect, Log, Media, Record, Sip, Started, Stop, Tell, Watch
from .organisation import Echo, Hold, Room, Route, ToneRoute, ToQueue
from .table import Bug, Late, Machine, Table, always, each, row

# A route and a media leg are there within milliseconds or not at all; a caller's own patience is about this long.
SETUP_TIMEOUT = 4.0
# A caller that is not on hold and has sent nothing for this long is gone, whatever SIP has heard: a lost BYE, a dead
# trunk. No telephone that saves its silence pauses for so long without a comfort noise (RFC 3389 §4), which counts.
MEDIA_TIMEOUT = 60.0

MUSIC = "music:hold"


class Phase(Enum):
    ROUTING = "routing"
    OPENING = "opening"
    WAITING = "waiting"
    TALKING = "talking"
    SERVED = "served"


# --- messages -----------------------------------------------------------------------------------------------------


@frozen
class Routed:
    """The switchboard knows where the dialled number leads; `nat` is the trunk's setting."""

    route: Route
    nat: bool


@frozen
class NotRouted:
    """It leads nowhere: `status` answers the INVITE."""

    status: int
    reason: str
    retry_after: int = 0


@frozen
class Accept:
    """An agent answers; `leg` is its media leg, empty for a robot or while its media is away."""

    agent: str
    leg: str


@frozen
class HangUp:
    agent: str


@frozen
class MuteAgent:
    agent: str
    muted: bool


@frozen
class AgentLeg:
    """By which leg the agent hears and is heard, empty for none; `away`: nothing comes from it for the moment."""

    agent: str
    leg: str
    away: bool = False


@frozen
class AgentGone:
    """The agent left without hanging up: the call goes back to the front of its queue."""

    agent: str


@frozen
class RoomFull:
    """The conference room has as many as it takes."""


@frozen
class Timeout:
    """Never sent: what `wake` looks up in the table."""


# --- data ---------------------------------------------------------------------------------------------------------


@frozen
class Data:
    arrived: signals.Arrived
    phase: Phase = Phase.ROUTING
    since: float = 0.0
    # When the caller came: its place in a queue, whatever happens to it there.
    came: float = 0.0
    route: Route | None = None
    nat: bool = False
    agreed: sdp.Agreed | None = None
    ours: sdp.SessionDescription | None = None
    version: int = 0
    # A new offer of the far side that waits for the leg to follow it, and what we take of it.
    reoffer: tuple[sdp.SessionDescription, sdp.Agreed] | None = None
    # Since when nothing comes from the caller.
    silent_since: float = math.inf
    agent: str = ""
    # The agent's media: its leg, none for a robot, or away until its page is back.
    agent_leg: str = ""
    agent_away: bool = False
    muted: bool = False
    # What was recorded last: of the call, and of its legs in the order they came.
    entry: records.CallEntry | None = None
    legs: tuple[records.LegEntry, ...] = ()

    @property
    def leg(self) -> str:
        return f"call:{self.arrived.call}/caller"

    @property
    def on_hold(self) -> bool:
        """The caller said that it holds us, in any of the ways there are (RFC 3264 §8.4): then it need not send."""
        return self.agreed is not None and (self.agreed.direction != "sendrecv" or self.agreed.remote is None)


class Call(Machine[Phase]):
    """The behaviour of one call; see `Data` for what it remembers."""

    state: Data
    ends_on_crash = True

    def __init__(self, arrived: signals.Arrived, now: float) -> None:
        self.state = Data(arrived, since=now, came=now)

    def receive(self, message: object, now: float) -> list[Effect]:
        before = self.state
        effects = self.dispatch(self.state.phase, message, now)
        return [*self._recorded(before), *effects]

    def will(self, reason: str, now: float) -> list[Record]:
        """What is kept of a call that cannot say itself that it ends."""
        before = self.state
        self._close_entries("system", reason, now)
        return self._recorded(before)

    def _recorded(self, before: Data) -> list[Record]:
        after = self.state
        entries: list[records.Entry] = [leg for leg in after.legs if leg not in before.legs]
        if after.entry is not None and after.entry != before.entry:
            entries.insert(0, after.entry)
        return [Record(entry) for entry in entries]

    def _note(self, **changes: Any) -> None:
        """Changes what is recorded of the call."""
        entry = self.state.entry
        assert entry is not None, "a call begins with its entry"
        self.state = evolve(self.state, entry=evolve(entry, **changes))

    def _close_leg_entries(self, now: float, *, agents_only: bool) -> None:
        def closed(leg: records.LegEntry) -> records.LegEntry:
            stays = leg.ended is not None or (agents_only and leg.number == 0)
            return leg if stays else evolve(leg, ended=now)

        self.state = evolve(self.state, legs=tuple(map(closed, self.state.legs)))

    def _close_entries(self, by: str, cause: str, now: float) -> None:
        if self.state.entry is not None and self.state.entry.ended is None:
            self._note(ended=now, ended_by=by, cause=cause)
        self._close_leg_entries(now, agents_only=False)

    def deadline(self) -> float:
        if self.state.phase in (Phase.ROUTING, Phase.OPENING):
            return self.state.since + SETUP_TIMEOUT
        return math.inf if self.state.on_hold else self.state.silent_since + MEDIA_TIMEOUT

    def wake(self, now: float) -> list[Effect]:
        return self.receive(Timeout(), now)

    def _move(self, phase: Phase, now: float) -> None:
        """The one door for state changes."""
        self.state = evolve(self.state, phase=phase, since=now)

    @property
    def _id(self) -> str:
        return self.state.arrived.call

    # --- set-up -----------------------------------------------------------------------------------------------

    def _started(self, message: Started, now: float) -> list[Effect]:
        arrived = self.state.arrived
        entry = records.CallEntry(
            call=arrived.call,
            trunk=arrived.trunk,
            direction="inbound",
            caller=arrived.caller,
            caller_name=arrived.caller_name,
            dialled=arrived.dialled,
            queue="",
            began=now,
        )
        self.state = evolve(self.state, entry=entry, legs=(records.LegEntry(arrived.call, 0, "caller", now),))
        if arrived.offer is not None:
            try:
                self.state = evolve(self.state, agreed=sdp.negotiate(arrived.offer, peer=arrived.peer))
            except sdp.SdpError as error:
                return self._reject(now, error.status, str(error))
        admit = trunk.Admit(arrived.call, arrived.dialled)
        return [Watch(f"trunk:{arrived.trunk}"), Tell(f"trunk:{arrived.trunk}", admit)]

    def _routed(self, message: Routed, now: float) -> list[Effect]:
        self.state = evolve(self.state, route=message.route, nat=message.nat)
        queue = message.route.queue if isinstance(message.route, ToQueue) else ""
        self._note(queue=queue, test=not queue)
        self._move(Phase.OPENING, now)
        address, port = self._remote()
        return [Media(media.OpenRtpLeg(self.state.leg, address, port, self._codec(), message.nat))]

    def _remote(self) -> tuple[str, int]:
        """Where the caller wants its media; port 0 while it has not said so: our address is then on the way to where
        its SIP comes from."""
        agreed = self.state.agreed
        return agreed.remote if agreed is not None and agreed.remote is not None else (self.state.arrived.peer, 0)

    def _codec(self) -> media.Codec:
        agreed = self.state.agreed
        if agreed is None:
            return media.Codec("pcma", 8)
        return media.Codec(agreed.codec, agreed.payload_type, agreed.telephone_event)

    def _not_routed(self, message: NotRouted, now: float) -> list[Effect]:
        return self._reject(now, message.status, message.reason, message.retry_after)

    def _reject(self, now: float, status: int, reason: str, retry_after: int = 0) -> list[Effect]:
        self._close_entries("system", reason, now)
        arrived = self.state.arrived
        where = (("trunk", arrived.trunk), ("dialled", arrived.dialled))
        fields = (("call", self._id), *where, ("status", status), ("reason", reason))
        return [Log("call refused", fields), Sip(signals.Reject(self._id, status, "", retry_after)), Stop("refused")]

    def _leg_opened(self, fact: media.LegOpened, now: float) -> list[Effect]:
        return [*self._describe(fact, signals.AnswerSip), *self._serve(now)]

    def _describe(self, fact: media.LegOpened, say: type[signals.AnswerSip | signals.Reanswer]) -> list[Effect]:
        """Our description at the leg's address: the answer to their offer, or an offer where they made none."""
        data = self.state
        theirs, agreed = data.reoffer or (data.arrived.offer, data.agreed)
        version = data.version + 1
        if theirs is None or agreed is None:
            ours = sdp.offer(fact.address, fact.port, session_id=int(data.came), version=version)
        else:
            ours = sdp.answer(theirs, agreed, fact.address, fact.port, session_id=int(data.came), version=version)
        self.state = evolve(data, ours=ours, agreed=agreed, version=version, reoffer=None)
        return [Sip(say(self._id, ours))]

    def _serve(self, now: float) -> list[Effect]:
        """The leg is open and answered: what the caller dialled begins."""
        data = self.state
        match data.route:
            case ToQueue():
                return self._wait(now)
            case Echo():
                served = self._hear((data.leg, 1.0))
            case ToneRoute(frequency):
                tone = f"tone:{frequency:g}"
                served = [Media(media.OpenSource(tone, media.Tone(frequency))), *self._hear((tone, 1.0))]
            case Hold():
                served = self._music()
            case Room():
                joining = switchboard.JoinRoom(self._id, data.arrived.dialled, data.leg)
                served = [Tell("switchboard", joining)]
            case None:
                raise AssertionError("a leg is opened only for a route")
            case _:
                assert_never(data.route)
        self._move(Phase.SERVED, now)
        return served

    def _hear(self, *sources: tuple[str, float]) -> list[Effect]:
        return [Media(media.Rewire((media.Hears(self.state.leg, sources),)))]

    def _music(self) -> list[Effect]:
        return [Media(media.OpenSource(MUSIC, media.Music("hold"))), *self._hear((MUSIC, 1.0))]

    def _late_setup(self, message: Timeout, now: float) -> list[Effect]:
        return self._reject(now, 503, "set-up took too long", 5)

    def _leg_refused(self, fact: media.LegRefused, now: float) -> list[Effect]:
        return self._reject(now, 503, fact.reason, 5)

    # --- in a queue -------------------------------------------------------------------------------------------

    def _queue(self) -> str:
        route = self.state.route
        assert isinstance(route, ToQueue), "only a call of a queue waits"
        return f"queue:{route.queue}"

    def _wait(self, now: float, *, again: bool = False) -> list[Effect]:
        """Takes its place in the queue; one that an agent had and lost comes before all others."""
        arrived = self.state.arrived
        self._move(Phase.WAITING, now)
        self._close_leg_entries(now, agents_only=True)
        self.state = evolve(self.state, agent="", agent_leg="", agent_away=False, muted=False)
        join = queues.Join(arrived.call, arrived.caller, arrived.caller_name, arrived.dialled, self.state.came, again)
        return [*self._music(), *self._tape(), Watch(self._queue()), Tell(self._queue(), join)]

    def _joined(self, message: Accept, now: float) -> list[Effect]:
        self._move(Phase.TALKING, now)
        data = self.state
        first = data.entry is not None and data.entry.answered is None
        leg = records.LegEntry(self._id, len(data.legs), message.agent, now)
        self.state = evolve(
            data, agent=message.agent, agent_leg=message.leg, agent_away=False, muted=False, legs=(*data.legs, leg)
        )
        if first:
            self._note(answered=now, recorded=True)
        agent = f"agent:{message.agent}"
        return [
            *([Media(media.OpenRecording(self._id))] if first else []),
            *self._wire(),
            Tell(self._queue(), queues.Taken(self._id, message.agent)),
            Watch(agent),
            Tell(agent, agents.Joined(self._id)),
            Log("call answered", (("call", self._id), ("agent", message.agent))),
        ]

    def _answered_elsewhere(self, message: Accept, now: float) -> list[Effect]:
        if message.agent == self.state.agent:
            return []  # it has the call; its second answer changes nothing
        return [Tell(f"agent:{message.agent}", agents.Lost(self._id, "answered_elsewhere"))]

    # --- talking ----------------------------------------------------------------------------------------------

    def _wire(self) -> list[Effect]:
        """Who hears whom between caller and agent now; while the agent is away the caller hears music."""
        data = self.state
        voice = ((data.agent_leg, 1.0),) if data.agent_leg and not data.muted else ()
        to_agent = [media.Hears(data.agent_leg, ((data.leg, 1.0),))] if data.agent_leg else []
        if data.agent_away:
            return [*self._music(), *self._tape(), *(Media(media.Rewire((each,))) for each in to_agent)]
        return [Media(media.Rewire((media.Hears(data.leg, voice), *to_agent, *self._channels(voice))))]

    def _channels(self, voice: tuple[tuple[str, float], ...] = ()) -> tuple[media.Hears, ...]:
        """What the recording hears, where there is one: the caller, and the voice that the caller hears."""
        entry = self.state.entry
        if entry is None or not entry.recorded:
            return ()
        customer = media.Hears(media.left(self._id), ((self.state.leg, 1.0),))
        return customer, media.Hears(media.right(self._id), voice)

    def _tape(self) -> list[Effect]:
        """The recording goes on while nobody talks with the caller."""
        channels = self._channels()
        return [Media(media.Rewire(channels))] if channels else []

    def _mute(self, message: MuteAgent, now: float) -> list[Effect]:
        if message.agent != self.state.agent:
            return []
        self.state = evolve(self.state, muted=message.muted)
        return self._wire()

    def _agent_leg(self, message: AgentLeg, now: float) -> list[Effect]:
        if message.agent != self.state.agent:
            return []
        self.state = evolve(self.state, agent_leg=message.leg, agent_away=message.away)
        return self._wire()

    def _agent_gone(self, message: AgentGone, now: float) -> list[Effect]:
        if message.agent != self.state.agent:
            return []
        return self._wait(now, again=True)

    def _hang_up(self, message: HangUp, now: float) -> list[Effect]:
        if message.agent != self.state.agent:
            return []
        return self._end("agent", "hung up", now)

    def _room_full(self, message: RoomFull, now: float) -> list[Effect]:
        return self._end("system", "the room is full", now)

    # --- the end ----------------------------------------------------------------------------------------------

    def _end(self, by: str, cause: str, now: float) -> list[Effect]:
        """From any state: everyone who took part is told; legs and dialog go with the actor."""
        self._close_entries(by, cause, now)
        data = self.state
        told: list[Effect] = [Log("call ended", (("call", self._id), ("by", by), ("cause", cause)))]
        if data.phase is Phase.WAITING:
            told.append(Tell(self._queue(), queues.Leave(self._id)))
        if data.phase is Phase.TALKING:
            told.append(Tell(f"agent:{data.agent}", agents.Ended(self._id, by, cause)))
            if data.agent_leg:
                told.append(Media(media.Rewire((media.Hears(data.agent_leg, ()),))))
        if by != "caller":
            told.append(Sip(signals.Release(self._id, cause)))
        return [*told, Stop(f"{by}: {cause}")]

    def _cancelled(self, message: signals.Cancelled, now: float) -> list[Effect]:
        """In every state: SIP says so only where no answer of ours went out, whatever this actor had just said."""
        return self._end("caller", "cancelled", now)

    def _released(self, message: signals.Released, now: float) -> list[Effect]:
        return self._end("caller" if message.by_caller else "system", message.cause, now)

    def _leg_failed(self, fact: media.LegFailed, now: float) -> list[Effect]:
        return self._end("system", f"media failed: {fact.reason}", now)

    def _leg_failed_early(self, fact: media.LegFailed, now: float) -> list[Effect]:
        return self._reject(now, 503, fact.reason, 5)

    def _down(self, message: Down, now: float) -> list[Effect]:
        """Whom the call relies on is gone: the agent's call goes back, a queue or trunk that ends takes it along."""
        data = self.state
        if message.name == f"agent:{data.agent}" and data.phase is Phase.TALKING:
            return self._wait(now, again=True)
        if message.name == f"trunk:{data.arrived.trunk}" and data.phase is Phase.ROUTING:
            return self._reject(now, 503, "the trunk is gone", 5)
        if data.phase is Phase.WAITING and message.name == self._queue():
            return self._end("system", "the queue is gone", now)
        return []

    # --- new offers -------------------------------------------------------------------------------------------

    def _caller_gone(self, message: Timeout, now: float) -> list[Effect]:
        return self._end("system", "caller silent", now)

    def _confirmed(self, message: signals.Confirmed, now: float) -> list[Effect]:
        ours = self.state.ours
        if message.answer is None or ours is None:
            return []
        try:
            agreed = sdp.accept(ours, message.answer, peer=self.state.arrived.peer)
        except sdp.SdpError as error:
            return self._end("system", str(error), now)
        self.state = evolve(self.state, agreed=agreed)
        return self._follow(agreed)

    def _follow(self, agreed: sdp.Agreed) -> list[Effect]:
        """The leg sends where the far side wants it now; an offer that names no address leaves it where it is."""
        if agreed.remote is None:
            return []
        codec = media.Codec(agreed.codec, agreed.payload_type, agreed.telephone_event)
        return [Media(media.UpdateRtpLeg(self.state.leg, *agreed.remote, codec))]

    def _reoffered(self, message: signals.Reoffered, now: float) -> list[Effect]:
        data = self.state
        assert data.ours is not None, "an answered call has a description"
        if message.offer is None:
            return [Sip(signals.Reanswer(self._id, data.ours))]
        try:
            agreed = sdp.negotiate(message.offer, peer=data.arrived.peer)
        except sdp.SdpError as error:
            return [Sip(signals.RejectReoffer(self._id, error.status))]
        self.state = evolve(data, reoffer=(message.offer, agreed))
        follow = self._follow(agreed)
        if follow:
            return follow
        stream = next(each for each in data.ours.media if each.port)
        same = media.LegOpened(data.leg, stream.connection or data.ours.address, stream.port)
        return self._redescribe(same, now)

    def _leg_moved(self, fact: media.LegOpened, now: float) -> list[Effect]:
        return self._redescribe(fact, now) if self.state.reoffer is not None else []

    def _redescribe(self, fact: media.LegOpened, now: float) -> list[Effect]:
        """A caller that was on hold may take its time anew."""
        if self.state.silent_since < math.inf:
            self.state = evolve(self.state, silent_since=now)
        return self._describe(fact, signals.Reanswer)

    def _move_refused(self, fact: media.LegRefused, now: float) -> list[Effect]:
        if self.state.reoffer is None:
            return self._end("system", fact.reason, now)
        self.state = evolve(self.state, reoffer=None)
        return [Sip(signals.RejectReoffer(self._id, 488))]

    def _noted(
        self,
        fact: media.LegConnected
        | media.LegQuality
        | media.RecordingClosed
        | media.RecordingTroubled
        | media.RecordingWell,
        now: float,
    ) -> list[Effect]:
        """The quality is for pages, the recording for whoever keeps them: a call goes on whatever they are."""
        return []

    def _silence(self, fact: media.LegSilent | media.LegHeard, now: float) -> list[Effect]:
        since = now - fact.seconds if isinstance(fact, media.LegSilent) else math.inf
        if (since < math.inf) is (self.state.silent_since < math.inf):
            return []  # told again, by a link that was lost meanwhile
        self.state = evolve(self.state, silent_since=since)
        return [Log("caller's media", (("call", self._id), ("fact", type(fact).__name__)))]


_NOT_YET = Bug("the call is not answered yet")
_NO_AGENT = Late("the agent had left the call")
_ROUTED = Late("the route was asked for once and had come")

TABLE = Table(
    "call",
    Phase,
    always(media.LegConnected, Call._noted, Phase),
    always(media.LegQuality, Call._noted, Phase),
    always(media.RecordingClosed, Call._noted, Phase),
    always(media.RecordingTroubled, Call._noted, Phase),
    always(media.RecordingWell, Call._noted, Phase),
    always(media.LegSilent, Call._silence, Phase),
    always(media.LegHeard, Call._silence, Phase),
    always(signals.Cancelled, Call._cancelled, Phase),
    always(signals.Released, Call._released, Phase),
    always(Down, Call._down, Phase),
    row(
        Started,
        routing=Call._started,
        **each("opening waiting talking served", _ROUTED),
    ),
    row(
        Routed,
        routing=Call._routed,
        **each("opening waiting talking served", _ROUTED),
    ),
    row(
        NotRouted,
        routing=Call._not_routed,
        **each("opening waiting talking served", _ROUTED),
    ),
    row(
        media.LegOpened,
        routing=Bug("no leg was asked for"),
        opening=Call._leg_opened,
        **each("waiting talking served", Call._leg_moved),
    ),
    row(
        media.LegRefused,
        routing=Bug("no leg was asked for"),
        opening=Call._leg_refused,
        **each("waiting talking served", Call._move_refused),
    ),
    row(
        media.LegFailed,
        routing=Bug("no leg was asked for"),
        opening=Call._leg_failed_early,
        **each("waiting talking served", Call._leg_failed),
    ),
    row(
        signals.Confirmed,
        **each("routing opening", _NOT_YET),
        **each("waiting talking served", Call._confirmed),
    ),
    row(
        signals.Reoffered,
        **each("routing opening", _NOT_YET),
        **each("waiting talking served", Call._reoffered),
    ),
    row(
        Accept,
        waiting=Call._joined,
        talking=Call._answered_elsewhere,
        served=Bug("no agent is offered a test number"),
        **each("routing opening", _NOT_YET),
    ),
    row(
        HangUp,
        waiting=_NO_AGENT,
        talking=Call._hang_up,
        served=Bug("no agent is in a test number"),
        **each("routing opening", _NOT_YET),
    ),
    row(
        RoomFull,
        served=Call._room_full,
        **each("routing opening", _NOT_YET),
        **each("waiting talking", Bug("no room was asked for")),
    ),
    row(
        MuteAgent,
        waiting=_NO_AGENT,
        talking=Call._mute,
        served=Bug("no agent is in a test number"),
        **each("routing opening", _NOT_YET),
    ),
    row(
        AgentLeg,
        waiting=_NO_AGENT,
        talking=Call._agent_leg,
        served=Bug("no agent is in a test number"),
        **each("routing opening", _NOT_YET),
    ),
    row(
        AgentGone,
        waiting=_NO_AGENT,
        talking=Call._agent_gone,
        served=Bug("no agent is in a test number"),
        **each("routing opening", _NOT_YET),
    ),
    row(
        Timeout,
        **each("routing opening", Call._late_setup),
        **each("waiting talking served", Call._caller_gone),
    ),
)
Call.table = TABLE
