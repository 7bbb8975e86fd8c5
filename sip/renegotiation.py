"""What the endpoint does for the offers and answers of a call that is up, and for its session timer: the actions of the
tables in `exchange` and `refresh`, carried out.

The layer of `Endpoint` between `sending` and `sessions`.
"""

from __future__ import annotations

from abc import abstractmethod

from attrs import evolve

from . import exchange, refresh
from .asking import retry_after
from .call import CALLER, Call
from .call import Input as CallInput
from .call import State as CallState
from .events import CallConfirmed, CallReanswered, CallReoffered, CallReofferRefused, Output
from .exchange import Do
from .exchange import Input as ExchangeInput
from .exchange import State as ExchangeState
from .layer import Slot
from .machine import Move
from .message import Address, RemoteSipError, Request, Response, Row
from .reason import TIMER
from .screening import SDP_TYPE
from .sending import Context, Sending, usable

# RFC 3261 §12.2.1.2: who answers so knows of no dialog
GONE = frozenset({408, 481})
# Why a call ends whose far side says nothing any more, or answers nothing that can be used
TIMED_OUT: tuple[Row, ...] = (("Reason", TIMER),)
BAD_ANSWER: tuple[Row, ...] = (("Reason", 'SIP;cause=488;text="no usable session description"'),)


class Renegotiation(Sending):
    """See the module's docstring."""

    @abstractmethod
    def _call_of(self, tag: str) -> Call | None:
        """The call that has this tag of ours."""

    @abstractmethod
    def _step(self, call: Call, given: CallInput, context: Context) -> None:
        """An input of the call itself."""

    def _exchange(self, call: Call, given: ExchangeInput, context: Context) -> None:
        row = call.exchange.receive(given, context.now)
        if not isinstance(row, Move):
            self.counters[f"late: {row.name}"] += 1
            return
        if given is not ExchangeInput.RETRANSMIT:
            self._mark(call)
        for what in row.do:
            self._do_exchange(call, what, context)
        self._schedule(call)

    def _do_exchange(self, call: Call, what: Do, context: Context) -> None:
        now, out, state = context.now, context.out, call.exchange
        match what:
            case Do.ASK:
                assert context.request is not None
                assert context.slot is not None
                assert context.source is not None
                if context.request.method == "INVITE":
                    offerless = context.sdp is None
                    self._invited(call, context.request, context.slot, context.source, needs_answer=offerless)
                else:
                    state.waiting = context.slot, context.source
                out.append(CallReoffered(call.id, context.sdp))
            case Do.ANSWER:
                assert context.sdp is not None
                self._accept(call, bytes(context.sdp), now, out)
            case Do.ANSWER_UPDATE:
                assert context.sdp is not None
                call.ours = bytes(context.sdp)
                early = call.early.get(self._asked(call, context).request_tag)
                if early is not None:
                    early.renewed = True
                rows = (*self._updated_rows(call, self._asked(call, context), now), SDP_TYPE)
                self._answer_request(self._asked(call, context), 200, rows, call.ours)
            case Do.REJECT:
                self._reply_invite(call, context.status, context.phrase, context.rows, b"", now, out)
            case Do.REJECT_UPDATE:
                self._answer_request(self._asked(call, context), context.status, context.rows)
            case Do.REJECT_487:
                self._reply_invite(call, 487, None, (), b"", now, out)
            case Do.LEAVE_UPDATE:
                self._answer_request(self._asked(call, context), 481)
            case Do.RESEND:
                self._resend(call, out)
            case Do.REPLY_481:
                self._answer_request(context, 481)
            case Do.REPLY_491:
                self._answer_request(context, 491)
            case Do.REPLY_500:
                self._answer_request(context, 500, self._wait())
            case Do.REPLY_OPEN:
                ours = call.state in CALLER or call.needs_answer
                self._answer_request(context, 491 if ours else 500, () if ours else self._wait())
            case Do.KEEP:
                state.keep(context.body)
            case Do.KEEP_OURS:
                if state.wanted in (b"", exchange.UNCHANGED):
                    state.wanted = state.sent
                state.glares += 1
            case Do.INVITE:
                state.sent, state.wanted = state.wanted, b""
                offer = call.ours if state.sent == exchange.UNCHANGED else state.sent
                state.transaction = self._send_offer(call, offer, now, out).transaction
            case Do.INVITE_AGAIN:
                assert context.slot is not None
                assert context.tried is not None
                state.transaction = self._request_again(call, context.slot, context.tried, now, out).transaction
            case Do.SETTLE:
                for each in [self._slots[key] for key in call.open]:
                    each.settled = each.settled or each.transaction is state.transaction
                if state.wanted == state.sent:
                    state.wanted = b""
            case Do.NEXT:
                if state.wanted:
                    self._exchange(call, ExchangeInput.OFFER, Context(now, out, body=state.wanted))
            case Do.ACK:
                assert call.dialog is not None
                assert context.slot is not None
                self._acknowledge(call.dialog, call, context.slot.transaction.request, now, out)
            case Do.TELL_DONE:
                self._confirmed(call, context)
            case Do.TELL_ANSWER:
                self._reanswered(call, context)
            case Do.TELL_REFUSED:
                state.glares = 0
                self._refresh_refused(call, context.response, now)
                out.append(CallReofferRefused(call.id, context.status))
            case Do.BREAK:
                self._step(call, CallInput.BROKEN, context)

    def _asked(self, call: Call, context: Context) -> Context:
        """The context with their UPDATE that waits."""
        assert call.exchange.waiting is not None
        slot, source = call.exchange.waiting
        return evolve(context, slot=slot, source=source, request=slot.transaction.request)

    def _confirmed(self, call: Call, context: Context) -> None:
        """The ACK of our 2xx, where it has to bring the answer to our offer."""
        if not call.needs_answer:
            return
        call.needs_answer = False
        assert context.request is not None
        answer = usable(context.request)
        if answer is not None:
            context.out.append(CallConfirmed(call.id, answer))
            return
        # RFC 3261 §13.2.1: the ACK must carry the answer to the offer in our 2xx
        self._step(call, CallInput.BROKEN, evolve(context, cause="bad-answer", rows=BAD_ANSWER))

    def _reanswered(self, call: Call, context: Context) -> None:
        assert context.response is not None
        call.exchange.glares = 0
        call.refresh.granted(context.response, context.now)
        answer = usable(context.response)
        if answer is not None:
            context.out.append(CallReanswered(call.id, answer))
            return
        self._step(call, CallInput.BROKEN, evolve(context, cause="bad-answer", rows=BAD_ANSWER))

    # --- from the network -------------------------------------------------------------------------------------

    def _reinvite_answered(self, call: Call, slot: Slot, context: Context) -> None:
        """A response to a re-INVITE of ours."""
        response = context.response
        assert response is not None
        if response.status < 200:
            return
        if slot.settled and response.status >= 300:
            self.counters["late: failure of an offer that was answered elsewhere"] += 1
            return
        if context.tried is not None:
            given = ExchangeInput.RETRY
        elif response.status < 300:
            assert context.source is not None
            self._retarget(call, response, context.source)
            self._accepted(slot, call)
            assert call.dialog is not None
            if slot.transaction is not call.exchange.transaction:
                # our ACK of an earlier one was lost
                self._acknowledge(call.dialog, call, slot.transaction.request, context.now, context.out)
                return
            given = ExchangeInput.SUCCESS
        elif call.exchange.comes_again(response.status, retry_after(response), copied=bool(slot.been)):
            given = ExchangeInput.GLARE
        else:
            given = ExchangeInput.LOST if response.status in GONE else ExchangeInput.REFUSED
        self._exchange(call, given, evolve(context, cause="lost"))

    def _answered_late(self, response: Response, source: Address, now: float, out: list[Output]) -> bool:
        """Whether this is a 2xx to a re-INVITE of ours that has gone to another host meanwhile. It is acknowledged as
        every one (RFC 3261 §13.2.2.4), and is the answer where there is none yet."""
        call = self._call_of(response.from_.tag or "")
        if response.method != "INVITE" or not 200 <= response.status < 300 or call is None:
            return False
        if call.dialog is None or not call.dialog.answers(response):
            return False
        self.counters["2xx by a host that was left"] += 1
        asked = call.exchange.transaction
        offered = asked is not None and asked.request.cseq == response.cseq
        call.dialog = call.dialog.told(source)
        if offered:
            self._retarget(call, response, source)
        self._mark(call)
        self._acknowledge_late(call, response, source, now, out)
        if offered:
            self._exchange(call, ExchangeInput.ELSEWHERE, Context(now, out, response=response, source=source))
        return True

    def _update_answered(self, call: Call, response: Response, source: Address, now: float, out: list[Output]) -> None:
        """A response to the UPDATE that refreshes the session."""
        if call.state is not CallState.UP or response.status < 200:
            return
        if response.status < 300:
            self._retarget(call, response, source)
            call.refresh.granted(response, now)
            self._mark(call)
            self._schedule(call)
        elif response.status in (405, 501):
            call.refresh.updates = False
            self._refresh(call, now, out)
        elif response.status in GONE:
            self._step(call, CallInput.BROKEN, Context(now, out, cause="lost"))
        else:
            self._refresh_refused(call, response, now)

    def _retarget(self, call: Call, response: Response, source: Address) -> None:
        """A 2xx to a target refresh request may move the remote target (RFC 3261 §12.2.1.2): one that says nowhere
        where that is, or so that nobody can read it, leaves it where it was."""
        assert call.dialog is not None
        call.dialog = call.dialog.told(source)
        try:
            call.dialog = call.dialog.moved(response)
        except RemoteSipError:
            self.counters["2xx with a Contact that cannot be read"] += 1

    def _updated(self, call: Call, context: Context) -> None:
        """Their UPDATE."""
        if context.sdp is not None:
            self._exchange(call, ExchangeInput.UPDATE, context)
        else:
            self._answer_request(context, 200, self._updated_rows(call, context, context.now))

    def _updated_rows(self, call: Call, context: Context, now: float) -> tuple[Row, ...]:
        """Of a 2xx to their UPDATE. Before the call is up there is no session to refresh."""
        assert context.source is not None
        assert context.slot is not None
        timer: tuple[Row, ...] = ()
        if call.state is CallState.UP:
            timer = call.refresh.accepted(context.slot.transaction.request, now)
            self._schedule(call)
        return (self._contact_in(call, context.source), *self._able(call.trunk), *timer)

    # --- the session timer ------------------------------------------------------------------------------------

    def _refresh_due(self, call: Call, given: refresh.Input, now: float, out: list[Output]) -> None:
        row = call.refresh.receive(given, now)
        assert isinstance(row, Move), "a timer has no late crossing"
        self._mark(call)
        for what in row.do:
            match what:
                case refresh.Do.REFRESH:
                    self._refresh(call, now, out)
                case refresh.Do.BREAK:
                    self._step(call, CallInput.BROKEN, Context(now, out, cause="expired", rows=TIMED_OUT))

    def _refresh(self, call: Call, now: float, out: list[Output]) -> None:
        """RFC 4028 §7.4: UPDATE where they take it; else a re-INVITE that changes nothing."""
        if call.refresh.updates:
            self._send_update(call, now, out)
        else:
            self._exchange(call, ExchangeInput.OFFER, Context(now, out, body=exchange.UNCHANGED))

    def _refresh_refused(self, call: Call, response: Response | None, now: float) -> None:
        """By who is there: it is asked again. An offer of the application's that is refused while a refresh waits for
        its answer brings the next one forward, and no more."""
        row = call.refresh.refused(None if response is None else retry_after(response), now)
        if isinstance(row, Move):
            self._mark(call)
            self._schedule(call)

    def _over(self, call: Call, now: float, out: list[Output]) -> None:
        """The call has ended: so have its other machines."""
        if call.exchange.state is not ExchangeState.OVER:
            self._exchange(call, ExchangeInput.OVER, Context(now, out))
        call.refresh.agree(refresh.Input.OVER, now)


def is_offerable(call: Call, request: Request, *, offers: bool) -> bool:
    """Whether this re-INVITE or UPDATE is not refused at once, so that it moves the remote target."""
    if request.method == "INVITE":
        return call.state is CallState.UP and call.exchange.state in exchange.FREE
    return not offers or call.exchange.state in exchange.FREE
