"""A call: one far side on a SIP trunk, from the INVITE to the end, and whoever it talks to.

    ROUTING --route--> OPENING --media--> WAITING (in a queue) <--> TALKING (with an agent)
                                      |      `--too long--> GOODBYE (hears why it ends, and ends)
                                      `-> SERVED (echo, tone, music, room; GOODBYE where the room is full)
    SEEKING, READYING, CALLING --answer--> TALKING (with the agent that dials, `dialling.py`)

The call owns the caller's SIP dialog and media leg (`caller.py`), and it alone decides whose answer counts: the first
`Accept` while it waits is joined, a later one hears "answered elsewhere". It answers the trunk as soon as its media is
open, so that the caller hears music while it waits, or that nobody is there; where the queue has `early_seconds` the
caller hears the same before it is answered (183), for so long at most. From the first agent's answer to its end a
call of a queue is recorded, the caller left and whoever talks with it right; what the switch itself says is in no
recording. It ends by `Stop`; what it opened is then closed by the shells, whatever happened.
"""

from __future__ import annotations

from typing import Final

from ..sip import sdp
from ..switch import protocol as media
from . import agent_state as agents
from . import announcements, signals
from . import queue_state as queues
from .arrival import SETUP_TIMEOUT, Arrival
from .booked import FAR
from .call_state import (
    Accept,
    AgentDigit,
    AgentGone,
    AgentLeg,
    Cancel,
    Complete,
    Consult,
    Data,
    Denied,
    Divert,
    Follow,
    Granted,
    HangUp,
    Hold,
    InLine,
    Invite,
    Merge,
    MuteAgent,
    NotRouted,
    Out,
    Phase,
    QueueStands,
    Retrieve,
    RoomFull,
    Routed,
    SentOn,
    Stay,
    Survey,
    Swap,
    Timeout,
    Transfer,
)
from .customs import CUSTOMS, Customs
from .effects import Down, Effect, Log, Media, Sip, Started, Stop, Tell
from .evolving import evolve
from .line import LineBegun, LineDigit, LineOver, LineRings, LineUp
from .parties import RINGS, Standing
from .routes import Echo
from .table import Bug, Entry, Late, Row, Table, each, row

# What the far side is told of an end of ours, by its cause, where that is not that the call was cleared.
SAID: Final[dict[str, signals.Why]] = {"caller silent": "timer", "media failed": "failed"}
# What SIP is told of whoever is called for a call that ends meanwhile.
CANCELLED = 487
# What says to whoever hears it that the call is over, for that one at least.
SAYS_IT_ENDS = (agents.Ended, agents.NotConnected, agents.Withdraw, queues.Leave)
# Of a call out, until it is answered.
DIALS = (Phase.SEEKING, Phase.READYING, Phase.CALLING)


class Call(Arrival):
    """The behaviour of one call; see `Data` for what it remembers."""

    ends_on_crash = True

    def __init__(self, arrived: signals.Arrived, now: float, customs: Customs = CUSTOMS) -> None:
        self.state = Data(arrived, since=now, came=now, customs=customs)

    @classmethod
    def of_agent(
        cls,
        call: str,
        agent: str,
        leg: str,
        out: Out,
        language: str,
        country: str,
        codecs: tuple[sdp.TrunkCodec, ...],
        now: float,
        customs: Customs = CUSTOMS,
    ) -> Call:
        """One that an agent dials, who is heard by `leg`, empty for a robot."""
        made = cls(signals.Arrived(call, "", out.shown, out.number, "", None, "", codecs), now, customs)
        made.state = evolve(
            made.state, phase=Phase.SEEKING, out=out, agent=agent, agent_leg=leg, language=language, country=country
        )
        return made

    def receive(self, message: object, now: float) -> list[Effect]:
        if self.is_of_before(message):
            fields = (("call", self.id), ("input", type(message).__name__), ("why", "the far side is another by now"))
            return [Log("late", fields, "debug")]
        before = self.state
        effects = self.dispatch(self.state.phase, message, now)
        return [*self.recorded(before), *self.sound_recorded(before, now), *effects, *self.agent_told(before)]

    def deadline(self) -> float:
        match self.state.phase:
            case Phase.ROUTING | Phase.OPENING:
                return self.state.since + SETUP_TIMEOUT
            case Phase.WAITING:
                return min(self.gone_at(), self.let_go_at(), self.state.answer_at, self.state.announce_at)
            case Phase.GOODBYE:
                return self.last_word_until()
            case Phase.SEEKING | Phase.READYING | Phase.CALLING:
                return self.dialling_deadline()
            case _:
                return min(self.gone_at(), self.ring_until())

    def wake(self, now: float) -> list[Effect]:
        return self.receive(Timeout(), now)

    def move(self, phase: Phase, now: float) -> None:
        """The one door for state changes."""
        self.state = evolve(self.state, phase=phase, since=now)

    # --- in a room ----------------------------------------------------------------------------------------------

    def _room_full(self, message: RoomFull, now: float) -> list[Effect]:
        return self.say_goodbye("the room is full", announcements.busy(self.state.country), now)

    # --- the end ----------------------------------------------------------------------------------------------

    def end(self, by: str, cause: str, now: float) -> list[Effect]:
        """From any state: everyone who took part is told; legs and dialog go with the actor."""
        told = [*self.referral_over("given_up", CANCELLED), *self._second_told(by, cause)]
        self.close_entries(by, cause, now)
        data = self.state
        where = (("call", self.id), ("trunk", data.arrived.trunk))
        told += [*self.message_left(), Log("call ended", (*where, ("by", by), ("cause", cause)))]
        if data.phase is Phase.WAITING:
            told.append(Tell(self.queue(), queues.Leave(self.id)))
        if data.phase is Phase.TALKING and data.agent:
            told.append(Tell(f"agent:{data.agent}", agents.Ended(self.id, by, cause)))
        if data.phase in DIALS and data.agent:
            told.append(Tell(f"agent:{data.agent}", agents.NotConnected(self.id, self.out.why, self.out.status)))
        if data.agent_leg and (data.phase is Phase.TALKING or data.phase in DIALS):
            told.append(Media(media.Rewire((media.Hears(data.agent_leg, ()),))))
        if by not in FAR:
            told.append(Sip(signals.Release(data.sip, cause, self._why(cause))))
        heard = (each.to for each in told if isinstance(each, Tell) and isinstance(each.message, SAYS_IT_ENDS))
        return [*told, Stop(f"{by}: {cause}", tuple(heard))]

    def _why(self, cause: str) -> signals.Why:
        """What the far side is told of an end that it has not made itself."""
        if self.state.phase in DIALS and self.out.why == "not_answered":
            return "no_answer"
        return SAID.get(cause.partition(":")[0], "cleared")

    def _second_told(self, by: str, cause: str) -> list[Effect]:
        """The call ends, and a second party with it."""
        second = self.state.second
        if second is None:
            return []
        if not second.sits:
            return []  # a line ends with its owner
        agent = f"agent:{second.agent}"
        if self.state.standing in RINGS:
            return [Tell(agent, agents.Withdraw(self.id, "caller_left" if by in FAR else "taken_back"))]
        silenced = [Media(media.Rewire((media.Hears(second.leg, ()),)))] if second.leg else []
        return [Tell(agent, agents.Ended(self.id, by, cause)), *silenced]

    def _cancelled(self, message: signals.Cancelled, now: float) -> list[Effect]:
        """In every state: SIP says so only where no answer of ours went out, whatever this actor had just said."""
        return self.end("caller", "cancelled", now)

    def _released(self, message: signals.Released, now: float) -> list[Effect]:
        """Who hangs up during the goodbye had still waited too long."""
        second = self.state.second
        if self.state.standing is Standing.REFERRED and message.by_caller and second is not None and second.begun:
            return self.hangs_up_referred()
        return self.end(self.far if message.by_caller else "system", self.state.cause or message.cause, now)

    def _leg_failed(self, fact: media.LegFailed, now: float) -> list[Effect]:
        return self.end("system", f"media failed: {fact.reason}", now)

    def _leg_failed_early(self, fact: media.LegFailed, now: float) -> list[Effect]:
        return self.reject(now, 503, fact.reason, 5)

    def _down(self, message: Down, now: float) -> list[Effect]:
        """Whom the call relies on is gone: the agent's call goes back, a queue that ends takes it along."""
        data = self.state
        if message.name.startswith("line:"):
            return self.line_lost(message.name.removeprefix("line:"), "gone", 0, now)
        if data.phase is Phase.TALKING and message.name.startswith("agent:"):
            return self.left(message.name.removeprefix("agent:"), now)
        if data.phase is Phase.WAITING and message.name == self.queue():
            return self.say_goodbye("the queue is gone", announcements.goodbye(data.language), now)
        return []

    def _down_dialling(self, message: Down, now: float) -> list[Effect]:
        if message.name == f"agent:{self.state.agent}":
            return self.given_up(AgentGone(self.state.agent), now)
        return []

    def _talked(self, message: Timeout, now: float) -> list[Effect]:
        return self.rang_too_long(now) if self.ring_until() <= now else self.caller_gone(message, now)

    def _key_pressed(self, message: signals.KeyPressed, now: float) -> list[Effect]:
        """The engine has not heard of it, unless it came by both ways: it is to tell it as a key of the leg."""
        return [Media(media.PressKey(self.state.own_leg, message.digit))] if self.state.moved is None else []

    def _line_digit(self, message: LineDigit, now: float) -> list[Effect]:
        """Of whoever was put through, and is asked."""
        moved = self.state.moved
        answers = message.asked and moved is not None and moved.line == message.line
        return self.key_answered(media.KeyAnswered(moved.leg, message.digit), now) if answers and moved else []

    def _echo_digit(self, fact: media.DigitPressed, now: float) -> list[Effect]:
        """Who dialled an echo hears its keys too: what came as an event is no sound that could come back as one. A tone
        is, and has."""
        return self.send_digit(fact.digit) if isinstance(self.state.route, Echo) and fact.how != "tone" else []

    def _noted(
        self,
        fact: media.DigitPressed | media.RecordingTroubled | media.RecordingWell,
        now: float,
    ) -> list[Effect]:
        """The recording is for whoever keeps them: a call goes on whatever becomes of it. A digit of who waits has done
        what it does to a prompt when it is told."""
        return []


_NOT_YET = Bug("the call is not answered yet")
_NO_AGENT = Late("the agent had left the call")
_LEFT = Late("the call had left the queue")
_ROUTED = Bug("the route is asked for once, and waited for")
_NO_LEG = Bug("no leg is open yet")
_UNANSWERED_LEG = Late("the answer to its opening was lost with the link, and it is asked for again")
_OUT = "seeking readying calling"
_IN = "routing opening waiting served"
_OUTWARD = Bug("the call goes out, and has no queue and no route")
_INWARD = Bug("nobody dials this call")
_UNANSWERED = Bug("the far side has not answered yet")
_UNHEARD = Late("the far side has not answered yet, and nobody hears it there")
_ALONE = Bug("who dials talks to nobody yet: its agent refuses that")
_ATTEMPT_OVER = Late("that attempt was over")
_NOT_ASKED = Bug("where an attempt is sent on is asked for once, and waited for")


def _of_the_leg(message: type, entry: Entry) -> Row:
    """What the engine says of a leg: that of an attempt before is closed, but it may have been said."""
    return row(
        message,
        routing=_NO_LEG,
        **each("opening readying", _UNANSWERED_LEG),
        seeking=_ATTEMPT_OVER,
        **each("waiting talking served goodbye calling", entry),
    )


def _of_the_recording(message: type) -> Row:
    return row(
        message,
        **each("waiting talking goodbye", Call._noted),
        **each(f"routing opening served {_OUT}", Bug("it is not recorded")),
    )


def _of_an_attempt(message: type, entry: Entry) -> Row:
    """What SIP says of one that goes out until it is answered, or has come to nothing."""
    return row(
        message,
        **each("seeking readying", _ATTEMPT_OVER),
        calling=entry,
        **each("waiting talking goodbye", Bug("SIP tells of one answer")),
        **each("routing opening served", _INWARD),
    )


def _of_the_agent(act: type) -> Row:
    """What an agent does with its call, which `acts.py` has a table of."""
    return row(
        act,
        waiting=_NO_AGENT,
        talking=Call.act,
        served=Bug("no agent is in a test number"),
        goodbye=_NO_AGENT,
        **each("routing opening", _NOT_YET),
        **each(_OUT, _ALONE),
    )


_UNWANTED = Late("its line was not wanted any more")


def _of_a_line(message: type, talking: Entry, waiting: Entry = _UNWANTED) -> Row:
    """What a line says that the call had asked for; one that begins late is ended."""
    return row(
        message,
        talking=talking,
        served=Bug("a test number asks for no line"),
        **each("waiting goodbye", waiting),
        **each("routing opening", _NOT_YET),
        **each(_OUT, Bug("no line is asked for before the answer")),
    )


TABLE = Table(
    "call",
    Phase,
    row(
        media.LegConnected,
        routing=_NO_LEG,
        **each("opening readying", _UNANSWERED_LEG),
        seeking=_ATTEMPT_OVER,
        calling=Call.first_heard,
        **each("waiting talking served goodbye", Call.silence),
    ),
    _of_the_leg(media.LegQuality, Call.heard),
    _of_the_recording(media.RecordingTroubled),
    _of_the_recording(media.RecordingWell),
    _of_the_leg(media.LegSilent, Call.silence),
    _of_the_leg(media.LegHeard, Call.silence),
    _of_the_leg(media.LegWays, Call.ways),
    row(
        signals.KeyPressed,
        **each("waiting talking served goodbye", Call._key_pressed),
        **each("routing opening", _NOT_YET),
        **each(_OUT, _UNANSWERED),
    ),
    row(
        media.DigitPressed,
        routing=_NO_LEG,
        **each("opening readying", _UNANSWERED_LEG),
        served=Call._echo_digit,
        waiting=Call._noted,
        talking=Call.far_digit,
        goodbye=Call.last_key,
        seeking=_ATTEMPT_OVER,
        calling=_UNHEARD,
    ),
    row(
        signals.Cancelled,
        **each(f"{_IN} talking goodbye", Call._cancelled),
        **each(_OUT, Bug("only who calls us cancels")),
    ),
    row(
        signals.Released,
        **each("routing opening waiting talking served goodbye calling", Call._released),
        **each("seeking readying", Late("there is no SIP call that could be lost")),
    ),
    row(
        Down,
        **each("routing opening served", Bug("it relies on no queue and no agent")),
        **each("waiting talking goodbye", Call._down),
        **each(_OUT, Call._down_dialling),
    ),
    row(
        Started,
        routing=Call.arrives,
        seeking=Call.dial,
        **each("opening waiting talking served goodbye readying calling", Bug("an actor starts once")),
    ),
    row(
        Routed,
        routing=Call.routed,
        **each("opening waiting talking served goodbye", _ROUTED),
        **each(_OUT, _OUTWARD),
    ),
    row(
        NotRouted,
        routing=Call.not_routed,
        **each("opening waiting talking served goodbye", _ROUTED),
        **each(_OUT, _OUTWARD),
    ),
    row(
        media.LegOpened,
        routing=Bug("no leg was asked for"),
        opening=Call.leg_there,
        seeking=_ATTEMPT_OVER,
        readying=Call.invite,
        **each("waiting talking served goodbye calling", Call.leg_moved),
    ),
    row(
        media.LegRefused,
        routing=Bug("no leg was asked for"),
        opening=Call.leg_refused,
        seeking=_ATTEMPT_OVER,
        **each("waiting talking served goodbye", Call.move_refused),
        **each("readying calling", Call.leg_not_had),
    ),
    row(
        media.LegFailed,
        routing=_NO_LEG,
        opening=Call._leg_failed_early,
        seeking=_ATTEMPT_OVER,
        **each("waiting talking served goodbye", Call._leg_failed),
        **each("readying calling", Call.leg_not_had),
    ),
    row(
        signals.Confirmed,
        **each("routing opening", _NOT_YET),
        **each("waiting talking served goodbye", Call.confirmed),
        **each(_OUT, _UNANSWERED),
    ),
    row(
        signals.Reoffered,
        **each("routing opening", _NOT_YET),
        **each("waiting talking served goodbye", Call.reoffered),
        calling=Call.reoffered_early,
        **each("seeking readying", _ATTEMPT_OVER),
    ),
    row(
        signals.Referred,
        **each("waiting talking served goodbye", Call.referred),
        **each("routing opening", _NOT_YET),
        **each(_OUT, _UNANSWERED),
    ),
    row(
        Accept,
        waiting=Call.joined,
        talking=Call.accepted,
        served=Bug("no agent is offered a test number"),
        goodbye=Call.answered_late,
        **each("routing opening", _NOT_YET),
        **each(_OUT, _OUTWARD),
    ),
    row(
        HangUp,
        waiting=_NO_AGENT,
        talking=Call.hang_up,
        served=Bug("no agent is in a test number"),
        goodbye=_NO_AGENT,
        **each("routing opening", _NOT_YET),
        **each(_OUT, Call.given_up),
    ),
    row(
        Survey,
        waiting=_NO_AGENT,
        talking=Call.ask_for_survey,
        served=Bug("no agent is in a test number"),
        goodbye=_NO_AGENT,
        **each("routing opening", _NOT_YET),
        **each(_OUT, Call.ask_when_answered),
    ),
    row(
        media.KeyAnswered,
        goodbye=Call.key_answered,
        **each(f"routing opening waiting talking served {_OUT}", Bug("nobody is asked for a key yet")),
    ),
    row(
        RoomFull,
        served=Call._room_full,
        **each("routing opening", _NOT_YET),
        **each(_OUT, _OUTWARD),
        **each("waiting talking goodbye", Bug("no room was asked for")),
    ),
    row(
        MuteAgent,
        waiting=_NO_AGENT,
        talking=Call.mute,
        served=Bug("no agent is in a test number"),
        goodbye=_NO_AGENT,
        **each("routing opening", _NOT_YET),
        **each(_OUT, _ALONE),
    ),
    _of_the_agent(Hold),
    _of_the_agent(Retrieve),
    _of_the_agent(Consult),
    _of_the_agent(Invite),
    _of_the_agent(Transfer),
    _of_the_agent(Divert),
    _of_the_agent(Complete),
    _of_the_agent(Cancel),
    _of_the_agent(Swap),
    _of_the_agent(Merge),
    _of_a_line(LineBegun, Call.line_begun, waiting=Call.line_begun),
    _of_a_line(LineRings, Call.line_rings),
    _of_a_line(LineUp, Call.line_up),
    _of_a_line(LineOver, Call.line_over, waiting=Call.line_over),
    _of_a_line(LineDigit, Call.line_digit, waiting=Call._line_digit),
    row(
        queues.OfferOver,
        talking=Call.offer_over,
        **each("waiting goodbye", Late("its own offer had been taken back")),
        served=Bug("no agent is offered a test number"),
        **each("routing opening", _NOT_YET),
        **each(_OUT, Bug("nobody is offered what is being dialled")),
    ),
    row(
        AgentLeg,
        waiting=_NO_AGENT,
        talking=Call.agent_leg_moved,
        served=Bug("no agent is in a test number"),
        goodbye=_NO_AGENT,
        **each("routing opening", _NOT_YET),
        **each(_OUT, Call.agent_moved),
    ),
    row(
        AgentDigit,
        waiting=_NO_AGENT,
        talking=Call.agent_digit,
        served=Bug("no agent is in a test number"),
        goodbye=_NO_AGENT,
        **each("routing opening", _NOT_YET),
        **each(_OUT, _ALONE),
    ),
    row(
        AgentGone,
        waiting=Call.let_agent_go,
        talking=Call.agent_gone,
        served=Bug("no agent is in a test number"),
        goodbye=Call.let_agent_go,
        **each("routing opening", _NOT_YET),
        **each(_OUT, Call.given_up),
    ),
    row(
        QueueStands,
        waiting=Call.queue_stands,
        talking=_LEFT,
        **each(_OUT, _OUTWARD),
        served=Bug("a test number is in no queue"),
        goodbye=_LEFT,
        **each("routing opening", _NOT_YET),
    ),
    row(
        InLine,
        waiting=Call.in_line,
        talking=_LEFT,
        **each(_OUT, _OUTWARD),
        served=Bug("a test number is in no queue"),
        goodbye=_LEFT,
        **each("routing opening", _NOT_YET),
    ),
    row(
        SentOn,
        waiting=Call.not_kept,
        talking=_LEFT,
        **each(_OUT, _OUTWARD),
        served=Bug("a test number is in no queue"),
        goodbye=_LEFT,
        **each("routing opening", _NOT_YET),
    ),
    row(
        media.SourceFinished,
        waiting=Call.announced,
        talking=_LEFT,
        goodbye=Call.goodbye_said,
        **each(f"routing opening served {_OUT}", Bug("nothing is played that ends")),
    ),
    row(
        Granted,
        seeking=Call.granted,
        **each("readying calling waiting talking goodbye", Late("it was asked for in vain, and given back")),
        **each("routing opening served", _INWARD),
    ),
    row(
        Denied,
        seeking=Call.denied,
        **each("readying calling waiting talking goodbye", _ATTEMPT_OVER),
        **each("routing opening served", _INWARD),
    ),
    row(
        Follow,
        seeking=Call.sent_on,
        **each("readying calling waiting talking goodbye", _NOT_ASKED),
        **each("routing opening served", _INWARD),
    ),
    row(
        Stay,
        seeking=Call.stays,
        **each("readying calling waiting talking goodbye", _NOT_ASKED),
        **each("routing opening served", _INWARD),
    ),
    _of_an_attempt(signals.Progressed, Call.progressed),
    _of_an_attempt(signals.PickedUp, Call.picked_up),
    _of_an_attempt(signals.Failed, Call.attempt_failed),
    row(
        Timeout,
        waiting=Call.waited,
        goodbye=Call.goodbye_said,
        seeking=Call.not_granted,
        readying=Call.not_ready,
        calling=Call.unheard,
        talking=Call._talked,
        served=Call.caller_gone,
        **each("routing opening", Call.late_setup),
    ),
)
Call.table = TABLE
