"""What the endpoint does for its calls: the actions of the table in `call`, carried out.

`Sessions` is the upper half of `Endpoint`: it holds the calls, turns what transactions deliver into inputs of a call,
and does what the call's row says: responses to the INVITE that is open, ACK, BYE, CANCEL, and the events for the
application.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from attrs import field, frozen

from .accounts import CREDENTIALS, Tried
from .asking import Asking, Settings, direct, retry_after
from .call import UNTOLD, Call, Do, Move
from .call import Input as CallInput
from .call import State as CallState
from .dialog import Dialog
from .events import (
    CallAnswered,
    CallCancelled,
    CallConfirmed,
    CallEnded,
    CallFailed,
    CallKeyed,
    CallProgressed,
    CallReoffered,
    Output,
    Transmit,
)
from .info import key_of
from .layer import Slot, client_key, server_key
from .message import (
    Address,
    NameAddr,
    RemoteSipError,
    Request,
    Response,
    Row,
    reply_address,
    reply_otherwise,
    respond,
)
from .screening import ALLOW, SDP_TYPE, SUPPORTED, describe
from .sdp import SdpError, SessionDescription
from .transaction import (
    INVITE_CLIENT,
    Timers,
)
from .transaction import Input as TransactionInput

# RFC 3261 §14.2: a second re-INVITE is told to wait a random time from 0 to 10 s
MAX_REINVITE_RETRY_AFTER = 10
# Callees behind a forking proxy whose early media, and ways of a redirect, that are remembered: more ring nowhere.
MAX_FORKS = 8

_Q = re.compile(r"[01](?:\.[0-9]{0,3})?", re.ASCII)


@frozen
class Context:
    """What an action of a call may need, of the step that caused it."""

    now: float
    out: list[Output] = field(factory=list)
    request: Request | None = None
    slot: Slot | None = None
    response: Response | None = None
    source: Address | None = None
    sdp: SessionDescription | None = None
    status: int = 0
    phrase: str | None = None
    rows: tuple[Row, ...] = ()
    tried: Tried | None = None


class Sessions(Asking):
    """The upper half of `Endpoint`."""

    def __init__(self, settings: Settings, token: Callable[[], str], timers: Timers, changed: set[str] | None) -> None:
        super().__init__(settings, token, timers, changed)
        self._calls: dict[str, Call] = {}
        self._by_tag: dict[str, Call] = {}
        self._live = 0

    @property
    def live_calls(self) -> int:
        """Calls that have not ended."""
        return self._live

    @property
    def idle(self) -> bool:
        """Nothing is left: no call, no transaction that waits for stragglers."""
        return not self._calls and not self._slots

    def _ack_of_success(self, request: Request, source: Address, now: float, out: list[Output]) -> None:
        call = self._by_tag.get(request.to.tag or "")
        if call is None or call.dialog is None or not call.dialog.owns(request):
            self.counters["late: ACK of no dialog"] += 1
            return
        if request.cseq != call.invite_cseq:
            self.counters["late: ACK of another INVITE"] += 1
            return
        self._step(call, CallInput.ACK, Context(now, out, request, source=source))

    def _silent(self, slot: Slot, status: int, phrase: str, now: float, out: list[Output]) -> None:
        self.counters[f"{phrase}: {slot.transaction.request.method}"] += 1
        if slot.asked is not None:
            self._replied(slot, slot.asked, status, phrase, out)
        if slot.transaction.machine is INVITE_CLIENT and slot.call is not None:
            self._step(slot.call, CallInput.NO_RESPONSE, Context(now, out, status=status, phrase=phrase))

    def _answered(self, slot: Slot, response: Response, source: Address, now: float, out: list[Output]) -> None:
        """A response for the transaction user. Those to BYE and CANCEL change nothing (RFC 3261 §15.1.1, §9.1)."""
        tried = self._challenged(slot, response, source)
        if slot.asked is not None:
            if tried is not None:
                self._ask_again(slot, slot.asked, tried, now, out)
            elif response.status >= 200:
                self._replied(slot, slot.asked, response.status, response.phrase, out, response)
            return
        call = slot.call
        assert call is not None, "what was not asked belongs to a call"
        if slot.transaction.machine is not INVITE_CLIENT:
            if tried is not None:
                self._request_again(call, slot, tried, now, out)
            return
        context = Context(now, out, response=response, slot=slot, source=source, status=response.status, tried=tried)
        if tried is not None:
            self._step(call, CallInput.CHALLENGED, context)
        elif response.status < 200:
            self._step(call, CallInput.PROGRESS, context)
        elif response.status >= 300:
            self._step(call, CallInput.FAILURE, context)
        elif call.dialog is not None and call.dialog.remote_tag != (response.to.tag or ""):
            # RFC 3261 §13.2.2.4: a second callee answered behind a forking proxy; it is acknowledged and let go
            other = Dialog.of_response(slot.transaction.request, response, source)
            self.counters["forked answer"] += 1
            self._acknowledge(other, slot.transaction.request, source, now, out)
            self._bye(other.advanced(), call, (), now, out)
        else:
            if call.dialog is None:
                try:
                    call.dialog = Dialog.of_response(slot.transaction.request, response, source)
                except RemoteSipError as error:
                    # no dialog can be made of it, and so it cannot even be acknowledged
                    self.counters["2xx without a dialog"] += 1
                    if call.state is not CallState.ENDED:
                        self._step(call, CallInput.FAILURE, Context(now, out, status=502, phrase=error.text))
                    return
            self._step(call, CallInput.SUCCESS, context)

    def _request_again(self, call: Call, slot: Slot, tried: Tried, now: float, out: list[Output]) -> None:
        """A request within the dialog, or of one that was let go, with the credentials that were asked for."""
        request = slot.transaction.request
        cseq = request.cseq + 1
        if call.dialog is not None and call.dialog.remote_tag == request.to.tag:
            call.dialog = call.dialog.advanced()
            cseq = call.dialog.local_cseq
        again = self._renew(request, cseq, call.trunk, slot.destination)
        self._start(again, (slot.destination, slot.otherwise), call, now, out, tried)

    def _invite_again(self, call: Call, context: Context) -> None:
        """The INVITE that a 401 or 407 refused, with credentials. What early dialogs had said is over with it."""
        assert call.invite is not None
        assert context.slot is not None
        assert context.tried is not None
        way = context.slot.destination, context.slot.otherwise
        again = self._renew(call.invite, call.invite.cseq + 1, call.trunk, way[0])
        call.invite, call.invite_cseq = again, again.cseq
        call.early_answers.clear()
        slot = self._start(again, way, call, context.now, context.out, context.tried)
        call.transaction = slot.transaction

    def _wake_call(self, call: Call, now: float, out: list[Output]) -> None:
        while timer := call.due(now):
            self._step(call, timer, Context(now, out, status=487))
            if timer is CallInput.FORGET:
                self._by_tag.pop(call.tag, None)
                self._calls.pop(call.id, None)
                self._mark(call)
        self._schedule(call)

    def _adopt(self, call: Call) -> None:
        self._calls[call.id] = call
        self._by_tag[call.tag] = call
        self._live += call.state is not CallState.ENDED
        self._mark(call)

    def _invited(self, call: Call, request: Request, slot: Slot, source: Address, *, needs_answer: bool) -> None:
        call.invite = request
        call.invite_cseq = request.cseq
        call.transaction = slot.transaction
        call.peer = source
        call.needs_answer = needs_answer
        slot.tag = call.tag

    def _step(self, call: Call, given: CallInput, context: Context) -> None:
        before = call.state
        row = call.receive(given, context.now)
        if not isinstance(row, Move):
            self.counters[f"late: {row.name}"] += 1
            return
        # counted before the row is carried out, for that may end the call itself
        if call.state is CallState.ENDED and before is not CallState.ENDED:
            self._live -= 1
        if given not in UNTOLD:
            self._mark(call)
        for what in row.do:
            self._do(call, what, context)
        self._schedule(call)

    def _do(self, call: Call, what: Do, context: Context) -> None:
        now, out = context.now, context.out
        match what:
            case Do.RING:
                self._reply_invite(
                    call, 180, None, (self._contact(self._local(call.peer)), *self._routes(call)), b"", now, out
                )
            case Do.ANSWER:
                assert context.sdp is not None
                rows = (*self._routes(call), self._contact(self._local(call.peer)), ALLOW, SUPPORTED, SDP_TYPE)
                self._reply_invite(call, 200, None, rows, bytes(context.sdp), now, out)
            case Do.RESEND:
                self._resend(call, now, out)
            case Do.REJECT:
                self._reply_invite(call, context.status, context.phrase, context.rows, b"", now, out)
            case Do.REJECT_480:
                self._reply_invite(call, 480, None, context.rows, b"", now, out)
            case Do.REJECT_487:
                self._reply_invite(call, 487, None, (), b"", now, out)
            case Do.REPLY_200:
                self._answer_request(context, 200, ())
            case Do.REPLY_481:
                self._answer_request(context, 481, ())
            case Do.REPLY_491:
                self._answer_request(context, 491, ())
            case Do.REPLY_500:
                self._answer_request(
                    context, 500, (("Retry-After", str(sum(self._token().encode()) % (MAX_REINVITE_RETRY_AFTER + 1))),)
                )
            case Do.BYE:
                assert call.dialog is not None
                call.dialog = call.dialog.advanced()
                self._bye(call.dialog, call, context.rows, now, out)
            case Do.INVITE_AGAIN:
                self._invite_again(call, context)
            case Do.CANCEL:
                self._send_cancel(call, context, now, out)
            case Do.ACK:
                assert call.dialog is not None
                assert call.invite is not None
                if call.ack:
                    out.append(Transmit(call.ack, *call.dialog.way()))
                else:
                    call.ack = self._acknowledge(call.dialog, call.invite, call.peer, now, out)
            case Do.DROP_INVITE:
                assert call.invite is not None
                slot = self._slots.get(client_key(call.invite))
                if slot is not None:
                    self._let_go(slot)
            case Do.TELL_CANCELLED:
                out.append(CallCancelled(call.id))
            case Do.TELL_CONFIRMED | Do.TELL_REOFFER_DONE:
                self._confirmed(call, what, context)
            case Do.TELL_REOFFERED:
                assert context.request is not None
                assert context.slot is not None
                assert context.source is not None
                self._invited(call, context.request, context.slot, context.source, needs_answer=context.sdp is None)
                out.append(CallReoffered(call.id, context.sdp))
            case Do.TELL_KEYED:
                assert context.request is not None
                if (key := key_of(context.request)) is not None:
                    out.append(CallKeyed(call.id, key))
            case Do.TELL_BYE:
                assert context.request is not None
                out.append(CallEnded(call.id, "bye", context.request.get("Reason") or ""))
            case Do.TELL_NO_ACK:
                out.append(CallEnded(call.id, "no-ack"))
            case Do.TELL_PROGRESS:
                assert context.response is not None
                if context.response.status > 100:
                    early = _usable(context.response)
                    tag = context.response.to.tag or ""
                    if early is not None and (tag in call.early_answers or len(call.early_answers) < MAX_FORKS):
                        call.early_answers[tag] = early
                    out.append(CallProgressed(call.id, context.response.status, early))
            case Do.TELL_ANSWERED:
                self._tell_answered(call, context)
            case Do.TELL_FAILED:
                out.append(self._failed(call, context))

    def _confirmed(self, call: Call, what: Do, context: Context) -> None:
        if not call.needs_answer:
            if what is Do.TELL_CONFIRMED:
                context.out.append(CallConfirmed(call.id, None))
            return
        call.needs_answer = False
        assert context.request is not None
        answer = _usable(context.request)
        if answer is not None:
            context.out.append(CallConfirmed(call.id, answer))
            return
        # RFC 3261 §13.2.1: the ACK must carry the answer to the offer in our 2xx
        self._step(call, CallInput.HANG_UP, Context(context.now, context.out, rows=_BAD_ANSWER))
        context.out.append(CallEnded(call.id, "bad-answer"))

    def _tell_answered(self, call: Call, context: Context) -> None:
        assert context.response is not None
        # an answer that came early counts where the 2xx does not repeat it as it must (RFC 3261 §13.2.1)
        answer = _usable(context.response) or call.early_answers.get(context.response.to.tag or "")
        call.early_answers.clear()
        if answer is not None:
            context.out.append(CallAnswered(call.id, answer))
            return
        self._step(call, CallInput.HANG_UP, Context(context.now, context.out, rows=_BAD_ANSWER))
        context.out.append(CallFailed(call.id, 488, "no usable session description"))

    def _failed(self, call: Call, context: Context) -> CallFailed:
        response = context.response
        if response is None:
            return CallFailed(call.id, context.status, context.phrase or "")
        words = response.get("Reason") or response.phrase
        redirects = self._redirects(call, response) if response.status < 400 else ()
        return CallFailed(call.id, response.status, words, retry_after(response), redirects)

    def _redirects(self, call: Call, response: Response) -> tuple[str, ...]:
        """Where a 3xx leads that stays with the trunk's own hosts, preferred first (RFC 3261 §8.1.3.4)."""
        try:
            found = [NameAddr.parse(item) for item in response.items("Contact")[:MAX_FORKS]]
        except RemoteSipError:
            return ()
        found.sort(key=lambda each: -_preference(each.param("q")))
        kept = tuple(each.uri for each in found if self._trunks.leads_within(call.trunk, each.uri))
        self.counters["redirect elsewhere"] += len(found) - len(kept)
        return kept

    def _routes(self, call: Call) -> tuple[Row, ...]:
        """RFC 3261 §12.1.1: a response that makes a dialog repeats the Record-Route."""
        assert call.invite is not None
        return tuple(row for row in call.invite.rows if row[0] == "Record-Route")

    def _reply_invite(
        self,
        call: Call,
        status: int,
        phrase: str | None,
        rows: tuple[Row, ...],
        body: bytes,
        now: float,
        out: list[Output],
    ) -> None:
        """A response to their INVITE that is open."""
        assert call.invite is not None
        assert call.transaction is not None
        response = respond(
            call.invite,
            status,
            call.peer,
            tag=call.tag,
            phrase=phrase,
            rows=(*rows, self._agent(server=True)),
            body=body,
        )
        slot = self._slots.get(server_key(call.invite, "INVITE"))
        call.final = bytes(response)
        if slot is None:
            return
        if status < 200:
            given = TransactionInput.SEND_1XX
        else:
            given = TransactionInput.SEND_2XX if status < 300 else TransactionInput.SEND_FINAL
        self._effects(slot, slot.transaction.receive(given, now, data=call.final), now, out, None)

    def _resend(self, call: Call, now: float, out: list[Output]) -> None:
        if call.final:
            assert call.invite is not None
            via = call.invite.via
            out.append(Transmit(call.final, reply_address(via, call.peer), reply_otherwise(via, call.peer)))

    def _answer_request(self, context: Context, status: int, rows: tuple[Row, ...]) -> None:
        assert context.request is not None
        assert context.slot is not None
        assert context.source is not None
        response = respond(context.request, status, context.source, rows=(*rows, self._agent(server=True)))
        given = TransactionInput.SEND_2XX if status < 300 else TransactionInput.SEND_FINAL
        self._send(context.slot, given, response, context.now, context.out)

    def _acknowledge(self, dialog: Dialog, invite: Request, peer: Address, now: float, out: list[Output]) -> bytes:
        """The ACK of a 2xx is a request of its own, outside any transaction (RFC 3261 §13.2.2.4)."""
        way = dialog.way()
        # with the credentials of the INVITE (RFC 3261 §13.2.2.4)
        shown = tuple(row for row in invite.rows if row[0] in CREDENTIALS)
        data = bytes(dialog.request("ACK", invite.cseq, self._token(), self._local(way[0]), shown))
        out.append(Transmit(data, *way))
        return data

    def _bye(self, dialog: Dialog, call: Call, rows: tuple[Row, ...], now: float, out: list[Output]) -> None:
        way = dialog.way()
        request = dialog.request("BYE", dialog.local_cseq, self._token(), self._local(way[0]), (*rows, self._agent()))
        self._start(self._signed(request, call.trunk), way, call, now, out)

    def _send_cancel(self, call: Call, context: Context, now: float, out: list[Output]) -> None:
        """RFC 3261 §9.1: Request-URI, Call-ID, To, From, CSeq number, Route and the one Via of the INVITE."""
        invite = call.invite
        assert invite is not None
        kept = tuple(
            ("CSeq", f"{invite.cseq} CANCEL") if row[0] == "CSeq" else row
            for row in invite.rows
            if row[0] in ("Via", "Max-Forwards", "From", "To", "Call-ID", "CSeq", "Route")
        )
        request = Request(
            "CANCEL",
            invite.uri,
            (*kept, *context.rows),
            b"",
            invite.via,
            invite.from_,
            invite.to,
            invite.call_id,
            invite.cseq,
        )
        self._start(request, direct(call.peer), call, now, out)


_BAD_ANSWER: tuple[Row, ...] = (("Reason", 'SIP;cause=488;text="no usable session description"'),)


def owns(call: Call, request: Request) -> bool:
    """Whether a request with our tag is of this call; before a 2xx it has no dialog yet, only our Call-ID."""
    if call.dialog is not None:
        return call.dialog.owns(request)
    return call.invite is not None and call.invite.call_id == request.call_id


def _usable(message: Request | Response) -> SessionDescription | None:
    """Their answer, where a bad one is as good as none."""
    try:
        return describe(message)
    except SdpError:
        return None


def _preference(q: str | None) -> float:
    """RFC 3261 §20.10: from 0 to 1; who says nothing, or nonsense, comes with the best."""
    return float(q) if q is not None and _Q.fullmatch(q) else 1.0
