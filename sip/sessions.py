"""What the endpoint does for its calls: the actions of the table in `call`, carried out.

`Sessions` is the upper half of `Endpoint`: it holds the calls, turns what transactions deliver into inputs of a call,
and does what the call's row says: responses to the INVITE that is open, ACK, BYE, CANCEL, and the events for the
application.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from attrs import evolve

from .asking import Settings, retry_after
from .call import GIVEN_UP, UNTOLD, WAITING, Call, Do
from .call import Input as CallInput
from .call import State as CallState
from .dialog import is_secure
from .events import (
    CallAnswered,
    CallCancelled,
    CallConfirmed,
    CallEnded,
    CallFailed,
    CallKeyed,
    EndCause,
    Output,
    Transmit,
    Undelivered,
)
from .exchange import Input as ExchangeInput
from .info import key_of
from .layer import Slot, client_key
from .leading import UNHEARD_ACKS
from .machine import Move
from .message import (
    Address,
    NameAddr,
    RemoteSipError,
    Request,
    Response,
    Row,
)
from .provisional import MAX_FORKS
from .reason import ELSEWHERE, q850
from .referral import Input as ReferralInput
from .referral import State as ReferralState
from .referring import Referring
from .refusals import Refusals
from .reliable import Input as ReliableInput
from .renegotiation import BAD_ANSWER, GONE, TIMED_OUT
from .sending import Context, usable
from .transaction import (
    INVITE_CLIENT,
    State,
    Timers,
)

# Why a call ends whose far side does not say where it is
NOWHERE: Final[tuple[Row, ...]] = (("Reason", 'SIP;cause=400;text="no usable Contact"'),)
# A request that was sent again with a longer session interval: so often at most, for each on the way may want a longer
# one than the one before it (RFC 4028 §7.1).
LONGER: Final = ("Min-SE", "")
MAX_LONGER: Final = 3

_Q = re.compile(r"[01](?:\.[0-9]{0,3})?", re.ASCII)


class Sessions(Referring):
    """The upper half of `Endpoint`."""

    def __init__(self, settings: Settings, token: Callable[[], str], timers: Timers, changed: set[str] | None) -> None:
        super().__init__(settings, token, timers, changed)
        self._calls: dict[str, Call] = {}
        self._by_tag: dict[str, Call] = {}
        self._live = 0
        # any longer than T2 no request waits before it is sent again (RFC 3261 §17.1.2.2)
        self._refusals = Refusals(timers.t2)

    @property
    def live_calls(self) -> int:
        """Calls that have not ended."""
        return self._live

    def wanted(self) -> list[str]:
        """The calls that the application has not given up."""
        return [name for name, call in self._calls.items() if call.state not in GIVEN_UP]

    @property
    def idle(self) -> bool:
        """Nothing is left: no call, no transaction that waits for stragglers."""
        return not self._calls and not self._slots

    def _call_of(self, tag: str) -> Call | None:
        return self._by_tag.get(tag)

    def _ack_of_success(self, request: Request, source: Address, now: float, out: list[Output]) -> None:
        call = self._by_tag.get(request.to.tag or "")
        if call is None or call.dialog is None or not call.dialog.owns(request):
            self.counters["late: ACK of no dialog"] += 1
            return
        if request.cseq != call.invite_cseq:
            self.counters["late: ACK of another INVITE"] += 1
            return
        call.dialog = call.dialog.told(source)
        self._step(call, CallInput.ACK, Context(now, out, request, source=source))

    def _silent(self, slot: Slot, status: int, phrase: str, now: float, out: list[Output]) -> None:
        self.counters[f"{phrase}: {slot.transaction.request.method}"] += 1
        if self._fails_over(slot, now, out) or slot.settled:
            return
        if slot.asked is not None:
            self._replied(slot, slot.asked, status, phrase, now, out)
        if slot.call is None:
            return
        request = slot.transaction.request
        if slot.within and status not in GONE:
            out.append(Undelivered(slot.call.id, slot.call.trunk, request.method))
        context = Context(now, out, slot=slot, status=status, phrase=phrase)
        if slot.transaction.machine is INVITE_CLIENT and not slot.within:
            self._step(slot.call, CallInput.NO_RESPONSE, context)
        elif slot.transaction.machine is INVITE_CLIENT:
            given = ExchangeInput.LOST if status in GONE else ExchangeInput.REFUSED
            self._exchange(slot.call, given, evolve(context, cause="lost"))
        elif request.method == "NOTIFY":
            self._notified(slot.call, status, now, out)
        elif request.method == "UPDATE" and slot.call.state is CallState.UP:
            if status in GONE:
                self._step(slot.call, CallInput.BROKEN, evolve(context, cause="lost"))
            else:  # there was no connection
                self._refresh_refused(slot.call, None, now)

    def _answered(self, slot: Slot, response: Response, source: Address, now: float, out: list[Output]) -> None:
        """A response for the transaction user. Those to BYE and CANCEL change nothing (RFC 3261 §15.1.1, §9.1)."""
        tried = self._challenged(slot, response, source, out)
        if slot.asked is not None:
            if tried is not None:
                self._ask_again(slot, slot.asked, tried, now, out)
            elif response.status >= 200:
                self._replied(slot, slot.asked, response.status, response.phrase, now, out, response)
            return
        call = slot.call
        assert call is not None, "what was not asked belongs to a call"
        if response.status == 503 and self._fails_over(slot, now, out):
            return
        if tried is None and slot.tried.count(LONGER) < MAX_LONGER and call.refresh.too_small(response):
            tried = (*slot.tried, LONGER)
        context = Context(now, out, response=response, slot=slot, source=source, status=response.status, tried=tried)
        if slot.transaction.machine is not INVITE_CLIENT:
            if tried is not None:
                self._request_again(call, slot, tried, now, out)
            elif response.method == "UPDATE":
                self._update_answered(call, response, source, now, out)
            elif response.method == "NOTIFY":
                self._notified(call, response.status, now, out)
        elif slot.within:
            self._reinvite_answered(call, slot, context)
        elif tried is not None:
            self._step(call, CallInput.RETRY, context)
        elif response.status < 200:
            self._provisional(call, slot, response, source, context)
        elif response.status >= 300:
            self._step(call, CallInput.FAILURE, context)
        elif call.dialog is not None and call.dialog.remote_tag != (response.to.tag or ""):
            self._let_other_go(call, slot, response, source, now, out)
        else:
            if call.dialog is None:
                try:
                    call.dialog = self._dialog_of(call, slot.transaction.request, response, source)
                except RemoteSipError as error:
                    call.dialog = self._nowhere(slot, response, source, error.text, out)
                    context = evolve(context, phrase=error.text)  # `_tell_answered` ends it
            elif slot.answers < UNHEARD_ACKS:
                call.dialog = call.dialog.told(source)
            self._accepted(slot, call)
            self._step(call, CallInput.SUCCESS, context)

    def _let_other_go(
        self, call: Call, slot: Slot, response: Response, source: Address, now: float, out: list[Output]
    ) -> None:
        """RFC 3261 §13.2.2.4: a second callee answered behind a forking proxy. It is acknowledged as often as it says
        so, and let go once; more than ring anywhere are somebody who has us send them to wherever it wants."""
        tag = response.to.tag or ""
        open_ = [self._slots[key].transaction.request for key in call.open]
        gone = {each.to.tag or "" for each in open_ if each.method == "BYE"}
        if tag not in gone and len(gone) >= MAX_FORKS:
            self.counters["forked answer too many"] += 1
            return
        try:
            other = self._made(call, slot.transaction.request, response, source)
        except RemoteSipError as error:
            other = self._nowhere(slot, response, source, error.text, out)
        self.counters["forked answer"] += 1
        self._acknowledge(other, call, slot.transaction.request, now, out)
        if tag not in gone:
            self._in(other.advanced(), call, "BYE", now, out, (("Reason", ELSEWHERE),))

    def _wake_call(self, call: Call, now: float, out: list[Output]) -> None:
        while timer := call.due(now):
            self._step(call, timer, Context(now, out, status=487, rows=TIMED_OUT))
            if timer is CallInput.FORGET and call.referral.state is not ReferralState.IDLE:
                call.running[CallInput.FORGET] = now + self._timers.timeout  # somebody wants to hear what comes of it
            elif timer is CallInput.FORGET:
                self._by_tag.pop(call.tag, None)
                self._calls.pop(call.id, None)
                self._moments.drop(call)
                self._mark(call)
        while hearing := call.reliable.due(now):
            self._reliable(call, hearing, None, now, out)
        while offering := call.exchange.due(now):
            cause: EndCause = "no-ack" if offering is ExchangeInput.NO_ACK else "lost"
            self._exchange(call, offering, Context(now, out, cause=cause, rows=TIMED_OUT))
        while refreshing := call.refresh.due(now):
            self._refresh_due(call, refreshing, now, out)
        while referring := call.referral.due(now):
            self._refer(call, referring, Context(now, out))
        self._schedule(call)

    def _adopt(self, call: Call) -> None:
        self._calls[call.id] = call
        self._by_tag[call.tag] = call
        self._live += call.state is not CallState.ENDED
        self._mark(call)

    def _step(self, call: Call, given: CallInput, context: Context) -> None:
        before = call.state
        if given is CallInput.HANG_UP:
            call.parting = call.parting or context.rows
        row = call.receive(given, context.now)
        if not isinstance(row, Move):
            self.counters[f"late: {row.name}"] += 1
            return
        # counted before the row is carried out, for that may end the call itself
        if call.state is CallState.ENDED and before is not CallState.ENDED:
            self._live -= 1
            self._over(call, context.now, context.out)
            self._refer(call, ReferralInput.OVER, context)
        if given not in UNTOLD:
            self._mark(call)
        if before in WAITING and call.state not in WAITING:
            self._reliable(call, ReliableInput.OVER, None, context.now, context.out)
        if call.state is CallState.UP and before is not CallState.UP:
            self._exchange(call, ExchangeInput.AGREED, context)
        for what in row.do:
            self._do(call, what, given, context)
        self._schedule(call)

    def _do(self, call: Call, what: Do, given: CallInput, context: Context) -> None:
        now, out = context.now, context.out
        match what:
            case Do.RING:
                self._say(call, 180, b"", now, out)
            case Do.EARLY_ANSWER:
                assert context.sdp is not None
                # an offer of ours that may not arrive has to wait for the 200, and one is enough
                offers = call.needs_answer and not call.reliable.able
                body = b"" if offers or call.settled else bytes(context.sdp)
                call.ours = body or call.ours
                self._say(call, 183, body, now, out)
            case Do.HOLD_ANSWER:
                assert context.sdp is not None
                call.ours = bytes(context.sdp)
            case Do.ANSWER_HELD:
                self._accept(call, call.ours, now, out)
            case Do.ANSWER:
                assert context.sdp is not None
                self._accept(call, bytes(context.sdp), now, out)
            case Do.EXCHANGE:
                self._exchange(call, _EXCHANGE[given], context)
            case Do.UPDATE:
                self._updated(call, context)
            case Do.PRACK:
                self._pracked(call, context)
            case Do.REFER:
                self._refer(call, ReferralInput.REFER, context)
            case Do.RESEND:
                self._resend(call, out)
            case Do.REJECT:
                self._reply_invite(call, context.status, context.phrase, context.rows, b"", now, out)
            case Do.REJECT_480:
                self._reply_invite(call, 480, None, context.rows, b"", now, out)
            case Do.REJECT_487:
                self._reply_invite(call, 487, None, (), b"", now, out)
            case Do.REJECT_504:
                self._reply_invite(call, 504, None, (), b"", now, out)
            case Do.REPLY_200:
                self._answer_request(context, 200)
            case Do.REPLY_481:
                self._answer_request(context, 481)
            case Do.REPLY_491:
                self._answer_request(context, 491)
            case Do.REPLY_500:
                self._answer_request(context, 500, self._wait())
            case Do.BYE:
                self._within(call, "BYE", now, out, call.parting or context.rows)
            case Do.INVITE_AGAIN:
                self._invite_again(call, context)
            case Do.CANCEL:
                self._send_cancel(call, context, now, out)
            case Do.ACK:
                assert call.dialog is not None
                assert call.invite is not None
                if call.ack:
                    way, _ = self._hop(call.dialog, call.trunk)
                    out.append(Transmit(call.ack, *way))
                else:
                    call.ack = self._acknowledge(call.dialog, call, call.invite, now, out)
            case Do.DROP_INVITE:
                assert call.invite is not None
                slot = self._slots.get(client_key(call.invite))
                if slot is not None:
                    self._let_go(slot)
            case Do.DROP_OFFER:
                for each in [self._slots[key] for key in call.open]:
                    if each.transaction.machine is INVITE_CLIENT and each.transaction.state is State.PROCEEDING:
                        self._let_go(each)
            case Do.TELL_CANCELLED:
                out.append(CallCancelled(call.id))
            case Do.TELL_CONFIRMED:
                if call.needs_answer:
                    self._confirmed(call, context)
                else:
                    out.append(CallConfirmed(call.id, None))
            case Do.TELL_KEYED:
                assert context.request is not None
                if (key := key_of(context.request)) is not None:
                    out.append(CallKeyed(call.id, key))
            case Do.TELL_BYE:
                assert context.request is not None
                out.append(CallEnded(call.id, "bye", context.request.get("Reason") or ""))
            case Do.TELL_NO_ACK:
                out.append(CallEnded(call.id, "no-ack"))
            case Do.TELL_BROKEN:
                assert context.cause is not None
                out.append(CallEnded(call.id, context.cause))
            case Do.TELL_PROGRESS:
                self._tell_progress(call, context)
            case Do.TELL_ANSWERED:
                self._tell_answered(call, context)
            case Do.TELL_FAILED:
                out.append(self._failed(call, context))

    def _tell_answered(self, call: Call, context: Context) -> None:
        assert context.response is not None
        early = call.early.get(context.response.to.tag or "")
        call.early.clear()
        if context.phrase is not None:
            self._step(call, CallInput.HANG_UP, Context(context.now, context.out, rows=NOWHERE))
            context.out.append(CallFailed(call.id, 400, context.phrase))
            return
        # what was agreed on since is newer than any answer to our INVITE (RFC 6337 §2)
        renewed = early is not None and early.renewed
        # an answer that came early counts where the 2xx does not repeat it as it must (RFC 3261 §13.2.1)
        answer = usable(context.response) or (None if early is None else early.answer)
        if answer is not None or renewed:
            call.refresh.granted(context.response, context.now)
            context.out.append(CallAnswered(call.id, None if renewed else answer))
            return
        self._step(call, CallInput.HANG_UP, Context(context.now, context.out, rows=BAD_ANSWER))
        context.out.append(CallFailed(call.id, 488, "no usable session description"))

    def _failed(self, call: Call, context: Context) -> CallFailed:
        response = context.response
        if response is None:
            return CallFailed(call.id, context.status, context.phrase or "")
        words = response.get("Reason") or response.phrase
        redirects = self._redirects(call, response) if response.status < 400 else ()
        return CallFailed(call.id, response.status, words, retry_after(response), redirects, q850(response))

    def _redirects(self, call: Call, response: Response) -> tuple[str, ...]:
        """Where a 3xx leads that stays with the trunk's own hosts, preferred first (RFC 3261 §8.1.3.4)."""
        try:
            found = [NameAddr.parse(item) for item in response.items("Contact")[:MAX_FORKS]]
        except RemoteSipError:
            return ()
        found.sort(key=lambda each: -_preference(each.param("q")))
        secure = call.invite is not None and is_secure(call.invite.uri)
        kept = tuple(
            each.uri
            for each in found
            # RFC 3261 §8.1.3.4: who asked for a SIPS URI goes on to no other
            if self._trunks.leads_within(call.trunk, each.uri) and (is_secure(each.uri) or not secure)
        )
        self.counters["redirect elsewhere"] += len(found) - len(kept)
        return kept


_EXCHANGE = {
    CallInput.OFFER: ExchangeInput.OFFER,
    CallInput.REANSWER: ExchangeInput.REANSWER,
    CallInput.REJECT_REOFFER: ExchangeInput.REJECT,
    CallInput.INVITE: ExchangeInput.INVITE,
    CallInput.CANCEL: ExchangeInput.CANCEL,
    CallInput.ACK: ExchangeInput.ACK,
}


def owns(call: Call, request: Request) -> bool:
    """Whether a request with our tag is of this call; before a 2xx to us there are early dialogs, or none yet."""
    if call.dialog is not None:
        return call.dialog.owns(request)
    return call.invite is not None and call.invite.call_id == request.call_id


def _preference(q: str | None) -> float:
    """RFC 3261 §20.10: from 0 to 1; who says nothing, or nonsense, comes with the best."""
    return float(q) if q is not None and _Q.fullmatch(q) else 1.0
