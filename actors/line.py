"""A line: a far side that is dialled on behalf of another actor, a colleague's mobile or an outside number.

    SEEKING, READYING, CALLING --answer--> UP
             (`outward.py`)      `-------> CONFIRMING --key 1--> UP      where it must be a person who takes it

It is dialled as calls are, by the same gate, trunks and hosts, but is no call of its own: whoever wanted it owns it,
hears how it fares, wires its leg, and has its keys. A line that may be answered by a mailbox is only up when somebody
has pressed 1, or what else is set to say so; until then nobody but its own prompt is heard there.

The owner hears `LineBegun`, then `LineRings` where it rings or is heard, then `LineUp`, and in any case and once
`LineOver`. The line ends with its owner. One whose number does not pass the gate never begins: then `LineOver` is all.

As long as it is up, how it sounds is kept with the call, as of a page or of the customer: under the name of the agent
whose mobile it is, or as "outside".
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from attrs import frozen

from ..sip import sdp
from ..sip.dialog import MAX_FORWARDS
from ..switch import protocol as media
from . import announcements, records, signals, timeline
from .call_state import Denied, FarSide, Follow, Granted, Out, Stay, Timeout
from .customs import CUSTOMS, Customs
from .effects import Down, Effect, Log, Media, Record, Sip, Started, Stop, Tell, Watch
from .evolving import evolve
from .outward import Outward, Stage
from .patience import PATIENCE, Patience
from .records import OUTSIDE
from .table import Bug, Entry, Late, Row, Table, always, each, row

# The key that says that a person is there.
ACCEPTS: Final = "1"
# What SIP is told where a call is none that can be given to another.
DECLINED: Final = 603


class Phase(Enum):
    SEEKING = "seeking"
    READYING = "readying"
    CALLING = "calling"
    CONFIRMING = "confirming"
    UP = "up"


# --- messages -----------------------------------------------------------------------------------------------------


@frozen
class Reach:
    """To the switchboard: `owner`, an actor, wants the line of that id, on account of an agent.

    It leads to `number`, or to the mobile number of the agent `mobile_of`; the ids of lines begin with that of the call
    that they are for, and a `+`. With a `trunk` it is that one's far side who wants it: then it goes there or nowhere.
    `forwards` are the hops that the call has left which it is for: one that comes back to us ends so.
    """

    line: str
    owner: str
    agent: str
    number: str = ""
    mobile_of: str = ""
    confirm: bool = False
    trunk: str = ""
    forwards: int = MAX_FORWARDS


@frozen
class LineBegun:
    """To the owner: the number passed the gate, and is being dialled."""

    line: str
    number: str


@frozen
class LineRings:
    """To the owner: it rings there; `early`: what is heard of its `leg` is worth hearing already. Of one that was heard
    and goes elsewhere it is told again, without."""

    line: str
    number: str
    early: bool
    leg: str


@frozen
class LineUp:
    """To the owner: somebody is there, and is heard and hears by `leg`."""

    line: str
    leg: str


@frozen
class LineOver:
    """To the owner, once: it is over, or came to nothing. `why` is a code of `page.FAILURES`, with the SIP status where
    one came; of a line that was up `hung_up`, or `gone` where it was lost. `by`: "callee", "owner" or "system"."""

    line: str
    by: str
    why: str
    status: int = 0


@frozen
class LineDigit:
    """To the owner: whoever is there pressed a key; `asked`: as an answer to what the owner has played to it;
    `sounded`: as a tone, which whoever hears the line has heard."""

    line: str
    digit: str
    asked: bool = False
    sounded: bool = False


@frozen
class EndLine:
    """From the owner: it is not wanted any more; `elsewhere`: somebody else answered who was called beside it."""

    line: str
    elsewhere: bool = False


@frozen
class SendDigit:
    """From the owner: a key that is to be heard there."""

    line: str
    digit: str


# --- data ---------------------------------------------------------------------------------------------------------


@frozen(slots=False)
class Data(FarSide):
    phase: Phase = Phase.SEEKING
    # An actor.
    owner: str = ""
    confirm: bool = False
    any_key: bool = False
    accept_seconds: float = PATIENCE.accept
    # As of a LegEntry; how it was heard since it is up.
    party: str = OUTSIDE
    timeline: timeline.Timeline | None = None


class Line(Outward[Phase]):
    """The behaviour of one line; see `Data` for what it remembers."""

    ends_on_crash = True

    state: Data

    def __init__(
        self,
        reach: Reach,
        out: Out,
        language: str,
        country: str,
        codecs: tuple[sdp.TrunkCodec, ...],
        now: float,
        patience: Patience = PATIENCE,
        customs: Customs = CUSTOMS,
    ) -> None:
        arrived = signals.Arrived(reach.line, "", out.shown, out.number, "", None, "", codecs)
        self.state = Data(
            arrived,
            since=now,
            came=now,
            language=language,
            country=country,
            out=out,
            owner=reach.owner,
            confirm=reach.confirm and customs.accept != "pick-up",
            any_key=customs.accept == "any-key",
            accept_seconds=patience.accept,
            party=reach.mobile_of or OUTSIDE,
        )

    def receive(self, message: object, now: float) -> list[Effect]:
        before = self.state
        effects = self.dispatch(self.state.phase, message, now)
        return [*self._recorded(before, now), *effects]

    def will(self, reason: str, now: float) -> list[Record]:
        """What is kept of a line that cannot say itself that it ends."""
        before = self.state
        self._heard_out()
        return self._recorded(before, now)

    def deadline(self) -> float:
        match self.state.phase:
            case Phase.SEEKING | Phase.READYING | Phase.CALLING:
                return self.dialling_deadline()
            case Phase.CONFIRMING:
                return self.state.since + self.state.accept_seconds
            case Phase.UP:
                return self.gone_at()

    def wake(self, now: float) -> list[Effect]:
        return self.receive(Timeout(), now)

    def move(self, phase: Phase, now: float) -> None:
        """The one door for state changes."""
        self.state = evolve(self.state, phase=phase, since=now)

    # --- until it answers -------------------------------------------------------------------------------------

    @property
    def calling(self) -> bool:
        return self.state.phase is Phase.CALLING

    def enter(self, stage: Stage, now: float) -> None:
        self.move(Phase(stage.value), now)

    def _started(self, message: Started, now: float) -> list[Effect]:
        return [Watch(self.state.owner), self._tell(LineBegun(self.id, self.out.number)), *self.seek(now)]

    def told_progress(self) -> list[Effect]:
        return [self._tell(LineRings(self.id, self.out.number, self.out.early, self.state.leg))]

    def answered(self, now: float) -> list[Effect]:
        if not self.state.confirm:
            return self._up(now)
        self.move(Phase.CONFIRMING, now)
        return self.play(announcements.accept_call(self.state.language))

    def fail(self, why: str, status: int, now: float) -> list[Effect]:
        return self._over("system", why, status, "no_answer" if why == "not_answered" else "cleared")

    # --- the answer -------------------------------------------------------------------------------------------

    def _answered(self, fact: media.KeyAnswered, now: float) -> list[Effect]:
        if fact.key != ACCEPTS and not self.state.any_key:
            return []
        return [*self.hear(), *self._up(now)]

    def _up(self, now: float) -> list[Effect]:
        self.move(Phase.UP, now)
        data = self.state
        self.state = evolve(data, timeline=timeline.begun(signals.call_of(self.id), data.party, now))
        log = Log("line is up", (("line", self.id), ("owner", self.state.owner)))
        return [log, self._tell(LineUp(self.id, self.state.leg))]

    def _not_accepted(self, message: Timeout, now: float) -> list[Effect]:
        return self._over("system", "not_accepted", 0)

    def _key_pressed(self, message: signals.KeyPressed, now: float) -> list[Effect]:
        """Its side tells by INFO: the engine is to tell it as a key of the leg."""
        return [Media(media.PressKey(self.state.leg, message.digit))]

    def _digit(self, fact: media.DigitPressed, now: float) -> list[Effect]:
        return [self._tell(LineDigit(self.id, fact.digit, sounded=fact.how == "tone"))]

    def _key(self, fact: media.KeyAnswered, now: float) -> list[Effect]:
        return [self._tell(LineDigit(self.id, fact.key, asked=True))]

    def _decline(self, message: signals.Referred, now: float) -> list[Effect]:
        """Whoever is reached for somebody is not given to another."""
        return [Sip(signals.RejectReferral(message.call, DECLINED))]

    def _send_digit(self, message: SendDigit, now: float) -> list[Effect]:
        return self.send_digit(message.digit)

    # --- the end ----------------------------------------------------------------------------------------------

    def end(self, by: str, cause: str, now: float) -> list[Effect]:
        """SIP or the media are of no more use."""
        return self._over(by, "gone", 0)

    def _over(self, by: str, why: str, status: int, said: signals.Why = "cleared") -> list[Effect]:
        """The leg goes with the actor, and the SIP call, where the far side has not ended it itself."""
        self._heard_out()
        released = Sip(signals.Release(self.state.sip, why, said))
        fields = (("line", self.id), ("by", by), ("why", why), ("status", status))
        return [
            Log("line over", fields),
            released,
            self._tell(LineOver(self.id, by, why, status)),
            Stop(f"{by}: {why}"),
        ]

    def _ended(self, message: EndLine, now: float) -> list[Effect]:
        return self._over("owner", "given_up", 0, "elsewhere" if message.elsewhere else "cleared")

    def _owner_gone(self, message: Down, now: float) -> list[Effect]:
        self._heard_out()
        return [Sip(signals.Release(self.state.sip)), Stop("its owner is gone")]

    def _released(self, message: signals.Released, now: float) -> list[Effect]:
        """The far side hung up, or SIP lost it."""
        if self.state.phase is Phase.CONFIRMING:
            return self._over("callee", "not_accepted", 0)
        return self._over("callee", "hung_up", 0) if message.by_caller else self._over("system", "gone", 0)

    def _lost(self, message: signals.Released, now: float) -> list[Effect]:
        """... before it answered."""
        return self._over("system", "call_failed", 0)

    def _media_lost(self, fact: media.LegFailed | Timeout, now: float) -> list[Effect]:
        return self._over("system", "gone", 0, "timer" if isinstance(fact, Timeout) else "failed")

    # --- how it sounds ------------------------------------------------------------------------------------------

    def _heard(self, fact: media.LegQuality, now: float) -> list[Effect]:
        heard = self.state.timeline
        if heard is not None:
            self.state = evolve(self.state, timeline=heard.heard(fact, now))
        return []

    def _heard_out(self) -> None:
        if self.state.timeline is not None:
            self.state = evolve(self.state, timeline=self.state.timeline.over())

    def _recorded(self, before: Data, now: float) -> list[Record]:
        """What is kept after a step: another point, and where sound goes one way, or both again."""
        data = self.state
        kept = timeline.recorded(before.timeline, data.timeline)
        ways = (True, True) if before.timeline is None else (before.comes, before.goes)
        if data.timeline is not None and (data.comes, data.goes) != ways:
            call = signals.call_of(self.id)
            kept.append(Record(records.SoundEntry(call, data.party, now, data.comes, data.goes)))
        return kept

    def _tell(self, said: object) -> Tell:
        return Tell(self.state.owner, said)


_DIALS = "seeking readying calling"
_ATTEMPT_OVER = Late("that attempt was over")
_UNANSWERED = Bug("the far side has not answered yet")
_NOT_ASKED = Bug("where an attempt is sent on is asked for once, and waited for")
_UNANSWERED_LEG = Late("the answer to its opening was lost with the link, and it is asked for again")


def _of_the_leg(message: type, entry: Entry) -> Row:
    """What the engine says of a leg: that of an attempt before is closed, but it may have been said."""
    return row(message, seeking=_ATTEMPT_OVER, readying=_UNANSWERED_LEG, **each("calling confirming up", entry))


def _of_an_attempt(message: type, entry: Entry) -> Row:
    """What SIP says of it until it is answered, or has come to nothing."""
    return row(
        message,
        **each("seeking readying", _ATTEMPT_OVER),
        calling=entry,
        **each("confirming up", Bug("SIP tells of one answer")),
    )


TABLE = Table(
    "line",
    Phase,
    row(Started, seeking=Line._started, **each("readying calling confirming up", Bug("an actor starts once"))),
    always(Down, Line._owner_gone, Phase),
    always(EndLine, Line._ended, Phase),
    row(
        SendDigit,
        up=Line._send_digit,
        **each(f"{_DIALS} confirming", Bug("its owner sends keys to who talks")),
    ),
    row(
        Granted,
        seeking=Line.granted,
        **each("readying calling confirming up", Late("it was asked for in vain, and given back")),
    ),
    row(Denied, seeking=Line.denied, **each("readying calling confirming up", _ATTEMPT_OVER)),
    row(Follow, seeking=Line.sent_on, **each("readying calling confirming up", _NOT_ASKED)),
    row(Stay, seeking=Line.stays, **each("readying calling confirming up", _NOT_ASKED)),
    row(
        media.LegOpened,
        seeking=_ATTEMPT_OVER,
        readying=Line.invite,
        **each("calling confirming up", Line.leg_moved),
    ),
    row(
        media.LegRefused,
        seeking=_ATTEMPT_OVER,
        **each("readying calling", Line.leg_not_had),
        **each("confirming up", Line.move_refused),
    ),
    row(
        media.LegFailed,
        seeking=_ATTEMPT_OVER,
        **each("readying calling", Line.leg_not_had),
        **each("confirming up", Line._media_lost),
    ),
    row(
        media.LegConnected,
        seeking=_ATTEMPT_OVER,
        readying=_UNANSWERED_LEG,
        calling=Line.first_heard,
        **each("confirming up", Line.silence),
    ),
    _of_the_leg(media.LegSilent, Line.silence),
    _of_the_leg(media.LegHeard, Line.silence),
    _of_the_leg(media.LegWays, Line.ways),
    _of_the_leg(media.LegQuality, Line._heard),
    row(
        media.DigitPressed,
        seeking=_ATTEMPT_OVER,
        readying=_UNANSWERED_LEG,
        calling=Late("it has not answered yet"),
        confirming=Late("it was pressed before anybody asked"),
        up=Line._digit,
    ),
    row(signals.KeyPressed, **each(_DIALS, _UNANSWERED), **each("confirming up", Line._key_pressed)),
    row(
        media.KeyAnswered,
        **each(_DIALS, Bug("nothing is asked before the answer")),
        confirming=Line._answered,
        up=Line._key,
    ),
    row(
        media.SourceFinished,
        **each(_DIALS, Bug("nothing is played before the answer")),
        confirming=Bug("the prompt is said until it is over"),
        up=Bug("its prompt was said again and again, and never finished"),
    ),
    _of_an_attempt(signals.Progressed, Line.progressed),
    _of_an_attempt(signals.PickedUp, Line.picked_up),
    _of_an_attempt(signals.Failed, Line.attempt_failed),
    row(
        signals.Reoffered,
        **each("seeking readying", _ATTEMPT_OVER),
        calling=Line.reoffered_early,
        **each("confirming up", Line.reoffered),
    ),
    row(signals.Confirmed, **each(_DIALS, _UNANSWERED), **each("confirming up", Line.confirmed)),
    row(
        signals.Released,
        **each("seeking readying", Late("there is no SIP call that could be lost")),
        calling=Line._lost,
        **each("confirming up", Line._released),
    ),
    row(
        signals.Referred,
        **each("seeking readying calling", _ATTEMPT_OVER),
        **each("confirming up", Line._decline),
    ),
    always(signals.Cancelled, Bug("only who calls us cancels"), Phase),
    row(
        Timeout,
        seeking=Line.not_granted,
        readying=Line.not_ready,
        calling=Line.unheard,
        confirming=Line._not_accepted,
        up=Line._media_lost,
    ),
)
Line.table = TABLE
