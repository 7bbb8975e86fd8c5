"""An agent: one state machine, whoever looks at it and through however many pages.

The agent alone decides whether it takes an offer, so two calls offered at once to one agent are settled here; the call
alone decides whose answer it takes, so two agents answering one call are settled there.

    SIGNED_OUT --sign in--> IDLE --offer--> RINGING --answer--> ANSWERING --joined--> TALKING --ended--> AFTER_CALL_WORK
                            |  ^            |  |                |
                          BREAK             |  `-- no answer in time --> BREAK
                                            `-- caller left, declined, answered elsewhere --> IDLE

Queues are told when the agent becomes ready and when it no longer is; a page that went away makes it not ready at once
and signed out after `Patience.away`, in after-call work after `WORK_GRACE`.

Here are the table, the deadline of every state, and what follows from any change. What the agent does without a call
is in `shift.py`, with one in `callee.py`, about who is in it in `controls.py`, by a mobile in `mobile.py`, with a call
of its own in `dialler.py`; its pages and media are in `seat.py`.
"""

from __future__ import annotations

import math

from ..switch import protocol as media
from . import call_state as calls
from . import directory, page, records, timeline
from .agent_state import (
    DISMISSED,
    SHOWN,
    AnswerByMobile,
    BindingLate,
    CallerSound,
    Data,
    Dialled,
    Dismiss,
    Ended,
    Joined,
    LetGo,
    Lost,
    MobileBarred,
    MobileBound,
    NotConnected,
    Offer,
    PartiesMoved,
    Phase,
    Profile,
    Progress,
    QueueMoved,
    QueueStarted,
    SecondOver,
    Sought,
    Timeout,
    Withdraw,
)
from .callee import FIRST_WORD
from .effects import Down, Effect, Log, Record, Started, Stop, Tell
from .evolving import evolve
from .line import LineBegun, LineDigit, LineOver, LineRings, LineUp
from .records import Outcome
from .shift import Shift
from .table import Bug, Late, Row, Table, always, each, row

_OWNERS_ONLY = (
    page.SignOut,
    page.RenewMedia,
    page.TestCall,
    page.SetState,
    page.MobileAnswer,
    page.StartAnswering,
    page.Answer,
    page.Decline,
    page.HangUp,
    page.Mute,
    page.Unmute,
    page.Hold,
    page.Retrieve,
    page.Consult,
    page.Invite,
    page.Transfer,
    page.Complete,
    page.Cancel,
    page.Swap,
    page.Merge,
    page.Dial,
    page.Survey,
)
# ... of them what means the media; where nobody has any, who works by a mobile asks the rest by any of its pages.
_FOR_MEDIA = (page.RenewMedia, page.TestCall, page.StartAnswering, page.Answer, page.Dial)
_TESTING = (Phase.IDLE, Phase.AFTER_CALL_WORK, Phase.ON_BREAK)


class Agent(Shift):
    """The behaviour of one agent; see `Data` for what it remembers."""

    def __init__(self, profile: Profile, now: float) -> None:
        # States, legs and calls are numbered on from what an earlier life of this agent can have reached.
        begin = int(now * 1000)
        self.state = Data(profile, since=now, states=begin, legs_opened=begin, dials=begin, lines=begin)

    # --- the shape of every step ------------------------------------------------------------------------------

    def receive(self, message: object, now: float) -> list[Effect]:
        before = self.state
        if isinstance(message, page.Request):
            effects = self._request(message, now)
        else:
            effects = self.dispatch(self.state.phase, message, now)
        if self.state.dismissed and not self.state.in_call:
            effects = [*effects, *self.release_seat("no longer an agent", now)]
            return [*effects, *self._consequences(before, now), Stop(DISMISSED)]
        return effects + self._consequences(before, now)

    def will(self, reason: str, now: float) -> list[Record]:
        """An agent that ends is signed out, whatever it did."""
        before = self.state.timeline
        self.offer_over(Outcome.RETURNED, now)
        self.move(Phase.SIGNED_OUT, reason, now)
        self.state = evolve(self.state, call=None)
        heard = timeline.recorded(before, self.state.timeline)
        return [*self.offer_recorded(None), *heard, self._state_recorded()]

    def deadline(self) -> float:
        return min(self._phase_deadline(), self.state.binding_until)

    def _phase_deadline(self) -> float:
        data = self.state
        match data.phase:
            case Phase.TALKING if data.away_since < math.inf:
                return min(data.away_since + data.profile.patience.away, self.seek_until())
            case Phase.TALKING:
                return min(math.inf if data.audible else data.since + FIRST_WORD, self.seek_until())
            case Phase.RINGING:
                return min(data.ring_until, data.unrung_since + data.profile.patience.away)
            case Phase.ANSWERING:
                return data.owner_lost_at + data.profile.patience.away
            case Phase.DIALLING:
                return self.dialling_deadline()
            case Phase.MOBILE:
                return math.inf
            case _:
                return min(self.page_gone_at(), data.work_until, data.testing_until)

    def wake(self, now: float) -> list[Effect]:
        return self.receive(BindingLate() if self.state.binding_until <= now else Timeout(), now)

    def _request(self, request: page.Request, now: float) -> list[Effect]:
        """A page's command: refused unless that page may ask it; then as the table says."""
        refusal = self._not_allowed(request)
        return self.refuse(request, refusal) if refusal else self.dispatch(self.state.phase, request, now)

    def _not_allowed(self, request: page.Request) -> str:
        """Why this page may not ask that, empty where it may: some is for the one that owns the media."""
        data, command = self.state, request.command
        if not isinstance(command, _OWNERS_ONLY) or request.session == data.owner:
            return ""
        if data.owner:
            return "not_owner"
        if isinstance(command, page.MobileAnswer):
            return ""
        nobody = data.phase is Phase.SIGNED_OUT
        return "not_signed_in" if nobody or isinstance(command, _FOR_MEDIA) or command == page.SetState("idle") else ""

    def _consequences(self, before: Data, now: float) -> list[Effect]:
        """What follows from any change, in one place.

        Pages hear the state; queues hear who is ready and who looks; the call hears where the agent's
        voice went; and what is kept of the agent is recorded.
        """
        effects = [*self.look_at_voice(now), *self.mobile_consequences(before.by_mobile)]
        self.look_at_ringing(now)
        if self.state.phase is not Phase.TALKING:
            effects += self.stop_seeking()
        if before.leg != self.state.leg or self.state.phase not in _TESTING:
            effects += self.stop_testing()
        after = self.state
        if (SHOWN[after.phase], after.reason) != (SHOWN[before.phase], before.reason):
            until = after.work_until if after.work_until < math.inf else None
            effects += self.push(
                page.AgentState(SHOWN[after.phase], after.reason, after.since, until, after.may_return, after.by_mobile)
            )
            effects.append(Log("agent state", (("state", after.phase.value), ("reason", after.reason))))
            effects.append(self._state_recorded())
        if Phase.SIGNED_OUT not in (before.phase, after.phase) and before.present != after.present:
            effects += self.push(page.Seat(after.present))
        effects += self.offer_recorded(before.offer_entry)
        effects += self.sound_recorded(before, now)
        agent = after.profile.agent
        heard = (after.voice, after.away_since < math.inf)
        if before.in_call and after.in_call and (before.voice, before.away_since < math.inf) != heard:
            effects.append(self.tell_call(calls.AgentLeg(agent, *heard)))
        if before.watching is not after.watching and set(before.watching) != set(after.watching):
            effects.append(Tell("directory", directory.Watchers(agent, after.watching)))
        return [*effects, *self.queues_told(before, after)]

    def _state_recorded(self) -> Record:
        data = self.state
        self.state = evolve(data, states=data.states + 1)
        call = data.call.call if data.call is not None else ""
        shown = SHOWN[data.phase].value
        return Record(records.StateEntry(data.profile.agent, self.state.states, data.since, shown, data.reason, call))


def _of_the_call(command: type) -> Row:
    """What a page asks about who is in the call."""
    return row(
        command,
        signed_out=_OWNED,
        talking=Agent.control,
        dialling=Agent.not_answered_yet,
        **each("idle ringing answering after_call_work on_break mobile", Agent.no_call),
    )


_NOT_MINE = Late("the offer was over when it came")
_GIVEN_UP = Late("the agent had given it up")
_LEFT = Late("the agent had left the call")
_OWNED = Bug("only the owner of the media asks this, and nobody sits here")

TABLE = Table(
    "agent",
    Phase,
    row(
        Started,
        signed_out=Agent.begins,
        **each("idle ringing answering talking after_call_work on_break dialling mobile", Bug("an actor starts once")),
    ),
    always(Profile, Agent.changed, Phase),
    always(QueueMoved, Agent.queue_moved, Phase),
    always(QueueStarted, Agent.queue_started, Phase),
    always(page.Attached, Agent.attach, Phase),
    always(page.GetSnapshot, Agent.snapshot, Phase),
    always(page.WatchColleagues, Agent.watch_colleagues, Phase),
    always(page.SignIn, Agent.sign_in, Phase),
    always(media.WebrtcLegOpened, Agent.leg_opened, Phase),
    always(media.LegRefused, Agent.leg_refused, Phase),
    always(media.LegConnected, Agent.leg_connected, Phase),
    row(
        media.LegQuality,
        talking=Agent.heard,
        **each("signed_out idle ringing answering after_call_work on_break dialling mobile", Agent.quality),
    ),
    always(page.Resume, Agent.resume, Phase),
    always(media.LegSilent, Agent.silence, Phase),
    always(media.LegHeard, Agent.silence, Phase),
    always(media.LegWays, Agent.ways, Phase),
    always(media.LegChecked, Agent.checks, Phase),
    row(
        page.Detached,
        ringing=Agent.detached_ringing,
        **each("signed_out idle answering talking after_call_work on_break dialling mobile", Agent.detached),
    ),
    row(
        Dismiss,
        ringing=Agent.dismissed_ringing,
        **each("signed_out idle answering talking after_call_work on_break dialling mobile", Agent.dismissed),
    ),
    row(
        page.SignOut,
        signed_out=_OWNED,
        ringing=Agent.sign_out_ringing,
        **each("idle after_call_work on_break mobile", Agent.sign_out),
        **each("answering talking dialling", Agent.refuse_in_call),
    ),
    row(
        page.RenewMedia,
        **each("signed_out mobile", _OWNED),
        **each("idle ringing answering talking after_call_work on_break dialling", Agent.renew_media),
    ),
    row(
        page.TestCall,
        **each("signed_out mobile", _OWNED),
        ringing=Agent.refuse_ringing,
        **each("idle after_call_work on_break", Agent.test_call),
        **each("answering talking dialling", Agent.refuse_in_call),
    ),
    row(
        page.SetState,
        signed_out=_OWNED,
        ringing=Agent.set_state_ringing,
        **each("idle after_call_work on_break mobile", Agent.set_state),
        **each("answering talking dialling", Agent.refuse_in_call),
    ),
    row(
        page.StartAnswering,
        signed_out=_OWNED,
        idle=Agent.already_idle,
        mobile=_OWNED,
        ringing=Agent.refuse_ringing,
        after_call_work=Agent.start_answering,
        on_break=Agent.nothing_to_finish,
        **each("answering talking dialling", Agent.refuse_in_call),
    ),
    row(
        page.Answer,
        **each("signed_out mobile", _OWNED),
        ringing=Agent.answer,
        dialling=Agent.refuse_in_call,
        **each("idle after_call_work on_break", Agent.answer_late),
        **each("answering talking", Agent.answered_already),
    ),
    row(
        page.Decline,
        signed_out=_OWNED,
        ringing=Agent.decline,
        **each("idle after_call_work on_break mobile", Agent.answer_late),
        **each("answering talking dialling", Agent.refuse_in_call),
    ),
    row(
        page.HangUp,
        signed_out=_OWNED,
        **each("idle ringing after_call_work on_break mobile", Agent.no_call),
        dialling=Agent.give_up,
        **each("answering talking", Agent.hang_up),
    ),
    row(
        page.Mute,
        signed_out=_OWNED,
        talking=Agent.set_mute,
        **each("idle ringing answering after_call_work on_break dialling mobile", Agent.no_call),
    ),
    row(
        page.Unmute,
        signed_out=_OWNED,
        talking=Agent.set_mute,
        **each("idle ringing answering after_call_work on_break dialling mobile", Agent.no_call),
    ),
    _of_the_call(page.Hold),
    _of_the_call(page.Retrieve),
    _of_the_call(page.Consult),
    _of_the_call(page.Invite),
    _of_the_call(page.Transfer),
    _of_the_call(page.Complete),
    _of_the_call(page.Cancel),
    _of_the_call(page.Swap),
    _of_the_call(page.Merge),
    row(
        page.Survey,
        signed_out=_OWNED,
        talking=Agent.survey,
        dialling=Agent.survey_when_answered,
        **each("idle ringing answering after_call_work on_break mobile", Agent.no_call),
    ),
    row(
        page.Dial,
        **each("signed_out mobile", _OWNED),
        ringing=Agent.refuse_ringing,
        **each("idle after_call_work on_break", Agent.dial),
        **each("answering talking dialling", Agent.refuse_in_call),
    ),
    row(
        Dialled,
        dialling=Agent.dialled,
        **each("signed_out idle ringing answering talking after_call_work on_break mobile", Agent.dialled_too_late),
    ),
    row(
        Progress,
        dialling=Agent.progress,
        **each("signed_out idle ringing answering talking after_call_work on_break mobile", _GIVEN_UP),
    ),
    row(
        NotConnected,
        dialling=Agent.not_connected,
        **each("signed_out idle ringing answering talking after_call_work on_break mobile", Agent.let_go),
    ),
    row(
        Offer,
        **each("idle mobile", Agent.ring),
        after_call_work=Agent.ring_again,
        **each("signed_out ringing answering talking on_break dialling", Agent.refuse_offer),
    ),
    row(
        Withdraw,
        **each("signed_out idle talking after_call_work on_break dialling mobile", _NOT_MINE),
        **each("ringing answering", Agent.withdrawn),
    ),
    row(
        Joined,
        answering=Agent.joined,
        talking=Agent.joined_again,
        dialling=Agent.picked_up,
        **each("signed_out idle ringing after_call_work on_break mobile", Agent.joined_too_late),
    ),
    row(
        Lost,
        answering=Agent.withdrawn,
        **each("signed_out idle ringing talking after_call_work on_break dialling mobile", _NOT_MINE),
    ),
    always(LetGo, Agent.let_go, Phase),
    row(
        CallerSound,
        talking=Agent.caller_sound,
        **each("signed_out idle ringing answering after_call_work on_break dialling mobile", _LEFT),
    ),
    row(
        PartiesMoved,
        talking=Agent.parties_moved,
        **each("signed_out idle ringing answering after_call_work on_break dialling mobile", _LEFT),
    ),
    row(
        SecondOver,
        talking=Agent.second_over,
        **each("signed_out idle ringing answering after_call_work on_break dialling mobile", _LEFT),
    ),
    row(
        Sought,
        talking=Agent.sought,
        **each("signed_out idle ringing answering after_call_work on_break dialling mobile", _LEFT),
    ),
    row(
        Ended,
        answering=Agent.ended_answering,
        talking=Agent.ended,
        **each("signed_out idle ringing after_call_work on_break dialling mobile", Agent.let_go),
    ),
    row(
        Down,
        ringing=Agent.down_ringing,
        answering=Agent.down_answering,
        talking=Agent.down_talking,
        after_call_work=Late("the agent's part in it was over"),
        dialling=Agent.call_died_dialling,
        **each("signed_out idle on_break mobile", _NOT_MINE),
    ),
    row(
        media.LegUnchecked,
        ringing=Agent.unchecked_ringing,
        **each("signed_out idle answering talking after_call_work on_break dialling mobile", Agent.checks),
    ),
    row(
        media.DigitPressed,
        talking=Agent.digit,
        **each(
            "signed_out idle ringing answering after_call_work on_break dialling mobile",
            Late("no call that it could be for"),
        ),
    ),
    row(
        media.LegFailed,
        signed_out=Late("the seat was left meanwhile"),
        ringing=Agent.leg_failed_ringing,
        **each("idle answering talking after_call_work on_break dialling mobile", Agent.leg_failed),
    ),
    row(
        page.MobileAnswer,
        ringing=Agent.refuse_ringing,
        **each("signed_out idle after_call_work on_break mobile", Agent.bind_mobile),
        **each("answering talking dialling", Agent.refuse_in_call),
    ),
    row(
        MobileBound,
        ringing=Agent.mobile_bound_ringing,
        **each("signed_out idle after_call_work on_break mobile", Agent.mobile_bound),
        **each("answering talking dialling", Agent.mobile_bound_busy),
    ),
    always(MobileBarred, Agent.mobile_barred, Phase),
    always(BindingLate, Agent.binding_late, Phase),
    row(
        AnswerByMobile,
        signed_out=Agent.answer_by_mobile,
        **each(
            "idle ringing answering talking after_call_work on_break dialling mobile",
            Bug("it is told as it begins, before any page"),
        ),
    ),
    always(LineBegun, Agent.line_begun, Phase),
    row(
        LineRings,
        ringing=Agent.line_rings,
        **each("signed_out idle answering talking after_call_work on_break dialling mobile", _NOT_MINE),
    ),
    row(
        LineUp,
        ringing=Agent.line_up,
        **each("signed_out idle answering talking after_call_work on_break dialling mobile", _NOT_MINE),
    ),
    row(
        LineOver,
        ringing=Agent.line_over_ringing,
        answering=Agent.line_over_answering,
        talking=Agent.line_over_talking,
        **each("signed_out idle after_call_work on_break dialling mobile", _NOT_MINE),
    ),
    row(
        LineDigit,
        talking=Agent.line_digit,
        **each("signed_out idle ringing answering after_call_work on_break dialling mobile", _LEFT),
    ),
    row(
        Timeout,
        **each("signed_out mobile", Bug("nothing runs without a page and without a call")),
        ringing=Agent.rang_out,
        answering=Agent.left_answering,
        talking=Agent.talking_late,
        dialling=Agent.dial_late,
        **each("idle after_call_work on_break", Agent.time),
    ),
)
Agent.table = TABLE
