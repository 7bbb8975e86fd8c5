"""One SIP endpoint over all transactions and calls: datagrams and commands in, datagrams and events out (RFC 3261).

    receive(data, source, now)     a datagram of the network
    deadline() -> float            when `wake` wants to be called; math.inf for never. Cheap: a heap with lazy deletion
    wake(now)                      every timer that is due
    unsent(transmit, now)          a Transmit could not be sent at all (the transport's error, RFC 3261 §8.1.3.1)

    set_trunks({id: peers})        who may speak to us; calls that live go on
    ring(call, now)                180
    answer(call, sdp, now)         200 with our answer, or our offer where the INVITE had none; sent again until the ACK
    reject(call, status, now, reason=None, retry_after=None)     300 to 699; `reason` is the phrase
    hang_up(call, now, reason=None)     by state: 480, BYE, CANCEL, or BYE as soon as the ACK came; `reason` is a Reason
                                   header (RFC 3326), as 'Q.850;cause=16'. The call is over for the application at once.
    reanswer(call, sdp, now), reject_reoffer(call, status, now)     to CallReoffered
    dial(call, uri, destination, caller, sdp, now, caller_name="")     INVITE with our offer; `caller` None is anonymous

Every one gives the outputs (`events`) in the order in which they are to be done. `receive` raises nothing, whatever
comes. A command raises LocalSipError where the application made a mistake: an `answer` to a call that is up, a header
with a line break. A command that crossed the end of its call is dropped and counted (`late: ...`), also for a call
long forgotten.

A request of a source that is no trunk is dropped and counted by method. Responses are matched by their branch, which
nobody can guess. `counters` maps names to numbers.
"""

from __future__ import annotations

import heapq
import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from attrs import evolve, field, frozen

from .call import Call, Do, Move
from .call import Input as CallInput
from .call import State as CallState
from .dialog import Dialog, build_request
from .events import (
    CallAnswered,
    CallCancelled,
    CallConfirmed,
    CallEnded,
    CallFailed,
    CallProgressed,
    CallReoffered,
    IncomingCall,
    Output,
    Refused,
    Transmit,
)
from .message import (
    MAGIC_COOKIE,
    Address,
    LocalSipError,
    RemoteSipError,
    Request,
    Response,
    Row,
    Uri,
    bracket,
    parse,
    quote,
    refusal,
    reply_address,
    respond,
)
from .screening import ACCEPT, ALLOW, METHODS, SDP_TYPE, SUPPORTED, Refusal, Trunks, caller_of, describe, screen
from .sdp import SdpError, SessionDescription
from .transaction import (
    CLIENT,
    INVITE_CLIENT,
    INVITE_SERVER,
    SERVER,
    Deliver,
    Dropped,
    Effect,
    Failed,
    Send,
    State,
    TimedOut,
    Timers,
    Transaction,
)
from .transaction import Input as TransactionInput

# Two of a 2-core machine's worth of legs are 3000 (DESIGN.md); a call more is refused with 503.
MAX_CALLS = 3000
# A transaction lives 32 s after its work; at 100 calls/s with INVITE and BYE this is 6400. Three times that is a flood.
MAX_TRANSACTIONS = 20000
# What an overloaded endpoint asks for, in seconds: long enough to shed, short enough to be tried again (RFC 3261
# §21.5.4)
RETRY_AFTER = 5
# RFC 3261 §14.2: a random value from 0 to 10 s; constant here, for the peer's own timer spreads it
REINVITE_RETRY_AFTER = 3
# An Expires beyond this is no limit (RFC 3261 §20.19 allows up to 2**32 - 1)
MAX_EXPIRES = 86400

_METHOD = re.compile(rb"[\r\n]*([A-Z]{3,10}) ")
_DIGITS = re.compile(r"[0-9]{1,10}", re.ASCII)
_HEADER_TEXT = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,1000}")
_USER = re.compile(r"[A-Za-z0-9\-_.!~*'()&=+$,;?/]{1,128}", re.ASCII)
_KNOWN = frozenset(
    (*METHODS, "REGISTER", "SUBSCRIBE", "NOTIFY", "INFO", "UPDATE", "PRACK", "REFER", "MESSAGE", "PUBLISH")
)

Key: TypeAlias = tuple[str, ...]


@frozen
class Settings:
    """`local_address(remote host)` gives the host and port that this remote should use for us: Via, Contact, From."""

    local_address: Callable[[str], tuple[str, int]]
    user_agent: str = "Cordboard"
    max_calls: int = MAX_CALLS
    max_transactions: int = MAX_TRANSACTIONS


class _Slot:
    """A transaction in the endpoint's hands: its key, where its messages go, and whose it is."""

    __slots__ = ("call", "destination", "key", "merged", "scheduled", "tag", "transaction")

    def __init__(
        self, transaction: Transaction, key: Key, destination: Address, call: Call | None, tag: str = ""
    ) -> None:
        self.transaction = transaction
        self.key = key
        self.destination = destination
        self.call = call
        self.tag = tag
        self.merged: Key | None = None
        self.scheduled = math.inf


@frozen
class _Context:
    """What an action of a call may need, of the step that caused it."""

    now: float
    out: list[Output] = field(factory=list)
    request: Request | None = None
    slot: _Slot | None = None
    response: Response | None = None
    source: Address | None = None
    sdp: SessionDescription | None = None
    status: int = 0
    phrase: str | None = None
    rows: tuple[Row, ...] = ()


class Endpoint:
    """See the module's docstring. `token` gives an unguessable string of token characters, at least 64 bits of it."""

    def __init__(self, settings: Settings, token: Callable[[], str], timers: Timers | None = None) -> None:
        self.settings = settings
        self.counters: Counter[str] = Counter()
        self._timers = timers or Timers()
        self._token = token
        self._trunks = Trunks({})
        self._slots: dict[Key, _Slot] = {}
        self._merged: dict[Key, _Slot] = {}
        self._calls: dict[str, Call] = {}
        self._by_tag: dict[str, Call] = {}
        self._live = 0
        self._heap: list[tuple[float, int, _Slot | Call]] = []
        self._serial = itertools.count()

    @property
    def live_calls(self) -> int:
        """Calls that have not ended."""
        return self._live

    @property
    def idle(self) -> bool:
        """Nothing is left: no call, no transaction that waits for stragglers."""
        return not self._calls and not self._slots

    def set_trunks(self, trunks: Mapping[str, Iterable[str]]) -> None:
        """`peers` are IP addresses or networks; the longest match wins. Raises LocalSipError and changes nothing."""
        self._trunks = Trunks(trunks)

    # --- the network ---------------------------------------------------------------------------------------------

    def receive(self, data: bytes, source: Address, now: float) -> list[Output]:
        """One datagram. Raises nothing."""
        out: list[Output] = []
        if not data.strip(b"\r\n\x00 "):
            self.counters["keepalive"] += 1
            return out
        trunk = None
        if data[:4].upper() != b"SIP/":
            trunk = self._trunks.match(source.host)
            if trunk is None:
                found = _METHOD.match(data)
                method = found[1].decode() if found else ""
                self.counters[f"stranger {method if method in _KNOWN else 'other'}"] += 1
                return out
        try:
            message = parse(data)
        except RemoteSipError as error:
            self._malformed(error, source, trunk, out)
            return out
        try:
            if isinstance(message, Response):
                self._response(message, source, now, out)
            else:
                assert trunk is not None
                self._request(message, source, trunk, now, out)
        except RemoteSipError as error:
            # a part that is read only where it is used: Contact, Route, the body
            if isinstance(message, Request):
                self._refuse(message, source, Refusal(error.status, error.text), now, out)
            else:
                self.counters["bad response"] += 1
        return out

    def _malformed(self, error: RemoteSipError, source: Address, trunk: str | None, out: list[Output]) -> None:
        self.counters["malformed"] += 1
        if trunk is None:
            return
        out.append(Refused(source, error.text))
        answer = refusal(error, source, self._token())
        if answer:
            out.append(Transmit(*answer))

    def _request(self, request: Request, source: Address, trunk: str, now: float, out: list[Output]) -> None:
        method = request.method
        self.counters[f"received {method if method in _KNOWN else 'other'}"] += 1
        slot = self._slots.get(_server_key(request, method))
        if method == "ACK":
            self._ack(request, slot, source, now, out)
            return
        if slot is not None:
            self._feed(slot, TransactionInput.RECEIVE_REQUEST, now, out)
            return
        if method == "CANCEL":
            self._cancel(request, source, now, out)
            return
        # what belongs to a call is served under any load: it is what ends calls
        if request.to.tag is None and len(self._slots) >= self.settings.max_transactions:
            self._overload(request, source, out)
            return
        refused = screen(request)
        if refused:
            self._refuse(request, source, refused, now, out)
        elif request.to.tag is not None:
            self._in_dialog(request, source, now, out)
        elif (merged := _merge_key(request)) in self._merged:
            self._refuse(request, source, Refusal(482, "merged request"), now, out)
        elif method == "OPTIONS":
            self._reply(request, source, 200, now, out, rows=(ALLOW, ACCEPT, SUPPORTED))
        elif method == "INVITE":
            self._offered(request, merged, source, trunk, now, out)
        else:
            self._refuse(request, source, Refusal(481, f"{method} outside a dialog"), now, out)

    def _in_dialog(self, request: Request, source: Address, now: float, out: list[Output]) -> None:
        call = self._by_tag.get(request.to.tag or "")
        if call is None or not _owns(call, request):
            self._refuse(request, source, Refusal(481, f"{request.method} of no dialog"), now, out)
            return
        if call.dialog is not None and not call.dialog.accepts(request):
            self._refuse(request, source, Refusal(500, "CSeq out of order"), now, out)
            return
        description = describe(request) if request.method == "INVITE" else None
        dialog = call.dialog and call.dialog.heard(request, source)
        if request.method == "OPTIONS":
            call.dialog = dialog
            self._reply(request, source, 200, now, out, rows=(ALLOW, ACCEPT, SUPPORTED))
            return
        given = CallInput.INVITE if request.method == "INVITE" else CallInput.BYE
        slot = self._serve(request, source, call)
        if given is CallInput.INVITE:
            self._send(slot, TransactionInput.SEND_1XX, respond(request, 100, source), now, out)
            if call.state is not CallState.UP and dialog and call.dialog:
                # refused: the target stays (RFC 3261 §12.2.2), the number is spent
                dialog = evolve(dialog, target=call.dialog.target)
        call.dialog = dialog
        self._step(call, given, _Context(now, out, request, slot, source=source, sdp=description))

    def _offered(
        self, request: Request, merged: Key, source: Address, trunk: str, now: float, out: list[Output]
    ) -> None:
        if self._live >= self.settings.max_calls:
            self._overload(request, source, out)
            return
        tag = self._token()
        dialog = Dialog.of_invite(request, tag, source)
        offer = describe(request)
        call = Call(self._token(), tag, CallState.OFFERED, self._timers, now)
        call.trunk = trunk
        call.dialog = dialog
        self._adopt(call)
        slot = self._serve(request, source, call)
        slot.merged = merged
        self._merged[merged] = slot
        self._invited(call, request, slot, source, needs_answer=offer is None)
        self._send(slot, TransactionInput.SEND_1XX, respond(request, 100, source), now, out)
        expires = request.get("Expires")
        if expires and _DIGITS.fullmatch(expires) and int(expires) <= MAX_EXPIRES:
            call.expire(now + int(expires))
        self._schedule(call)
        caller, name = caller_of(request)
        number = Uri.parse(request.uri).number
        out.append(IncomingCall(call.id, trunk, number, caller, name, request.uri, offer))

    def _invited(self, call: Call, request: Request, slot: _Slot, source: Address, *, needs_answer: bool) -> None:
        call.invite = request
        call.invite_cseq = request.cseq
        call.transaction = slot.transaction
        call.peer = source
        call.needs_answer = needs_answer
        slot.tag = call.tag

    def _ack(self, request: Request, slot: _Slot | None, source: Address, now: float, out: list[Output]) -> None:
        if slot is not None and slot.transaction.machine is INVITE_SERVER:
            self._feed(slot, TransactionInput.RECEIVE_ACK, now, out, request)
            return
        self._ack_of_success(request, source, now, out)

    def _ack_of_success(self, request: Request, source: Address, now: float, out: list[Output]) -> None:
        call = self._by_tag.get(request.to.tag or "")
        if call is None or call.dialog is None or not call.dialog.owns(request):
            self.counters["late: ACK of no dialog"] += 1
            return
        if request.cseq != call.invite_cseq:
            self.counters["late: ACK of another INVITE"] += 1
            return
        self._step(call, CallInput.ACK, _Context(now, out, request, source=source))

    def _cancel(self, request: Request, source: Address, now: float, out: list[Output]) -> None:
        target = self._slots.get(_server_key(request, "INVITE"))
        if target is None or target.transaction.machine is not INVITE_SERVER:
            self._refuse(request, source, Refusal(481, "CANCEL of no transaction"), now, out)
            return
        # RFC 3261 §9.2: 200, with the To tag of the INVITE's responses
        slot = self._serve(request, source, target.call)
        self._send(slot, TransactionInput.SEND_2XX, respond(request, 200, source, tag=target.tag), now, out)
        call = target.call
        if (
            call is None
            or call.transaction is not target.transaction
            or target.transaction.state is not State.PROCEEDING
        ):
            self.counters["late: CANCEL after the final response"] += 1
            return
        self._step(call, CallInput.CANCEL, _Context(now, out, request, source=source))

    def _response(self, response: Response, source: Address, now: float, out: list[Output]) -> None:
        self.counters[f"received {response.status // 100}xx"] += 1
        slot = self._slots.get(("client", response.via.branch, response.method))
        if len(response.values("Via")) > 1:
            self.counters["misrouted response"] += 1  # RFC 3261 §8.1.3.3
            return
        if slot is None:
            self.counters["late: response of no transaction"] += 1
            return
        if response.status < 200:
            given = TransactionInput.RECEIVE_1XX
        elif response.status < 300:
            given = TransactionInput.RECEIVE_2XX
        else:
            given = TransactionInput.RECEIVE_FINAL
        self._feed(slot, given, now, out, response, source)

    # --- transactions --------------------------------------------------------------------------------------------

    def _serve(self, request: Request, source: Address, call: Call | None) -> _Slot:
        machine = INVITE_SERVER if request.method == "INVITE" else SERVER
        key = _server_key(request, request.method)
        slot = _Slot(Transaction(machine, request, self._timers), key, reply_address(request.via, source), call)
        self._slots[key] = slot
        return slot

    def _start(self, request: Request, destination: Address, call: Call, now: float, out: list[Output]) -> _Slot:
        machine = INVITE_CLIENT if request.method == "INVITE" else CLIENT
        key = ("client", request.via.branch, request.method)
        slot = _Slot(Transaction(machine, request, self._timers), key, destination, call)
        self._slots[key] = slot
        self._effects(slot, slot.transaction.start(bytes(request), now), now, out, None)
        return slot

    def _feed(
        self,
        slot: _Slot,
        given: TransactionInput,
        now: float,
        out: list[Output],
        message: Request | Response | None = None,
        source: Address | None = None,
    ) -> None:
        self._effects(slot, slot.transaction.receive(given, now, message), now, out, source)

    def _send(self, slot: _Slot, given: TransactionInput, response: Response, now: float, out: list[Output]) -> None:
        self._effects(slot, slot.transaction.receive(given, now, data=bytes(response)), now, out, None)

    def _effects(
        self, slot: _Slot, effects: list[Effect], now: float, out: list[Output], source: Address | None
    ) -> None:
        if slot.transaction.state is State.TERMINATED:
            self._slots.pop(slot.key, None)
            if slot.merged is not None:
                self._merged.pop(slot.merged, None)
        else:
            self._schedule(slot)
        for effect in effects:
            match effect:
                case Send(data):
                    out.append(Transmit(data, slot.destination))
                case Deliver(Response() as response):
                    self._answered(slot, response, source or slot.destination, now, out)
                case Deliver(Request() as request):
                    self._ack_of_success(request, source or slot.destination, now, out)
                case TimedOut():
                    self._silent(slot, 408, "no response", now, out)
                case Failed():
                    self._silent(slot, 503, "cannot be sent", now, out)
                case Dropped(name):
                    self.counters[f"late: {name}"] += 1

    def _silent(self, slot: _Slot, status: int, phrase: str, now: float, out: list[Output]) -> None:
        self.counters[f"{phrase}: {slot.transaction.request.method}"] += 1
        if slot.transaction.machine is INVITE_CLIENT and slot.call is not None:
            self._step(slot.call, CallInput.NO_RESPONSE, _Context(now, out, status=status, phrase=phrase))

    def _answered(self, slot: _Slot, response: Response, source: Address, now: float, out: list[Output]) -> None:
        """A response for the transaction user. Those to BYE and CANCEL change nothing (RFC 3261 §15.1.1, §9.1)."""
        call = slot.call
        if slot.transaction.machine is not INVITE_CLIENT or call is None:
            return
        context = _Context(now, out, response=response, slot=slot, source=source, status=response.status)
        if response.status < 200:
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
                        self._step(call, CallInput.FAILURE, _Context(now, out, status=502, phrase=error.text))
                    return
            self._step(call, CallInput.SUCCESS, context)

    # --- time ----------------------------------------------------------------------------------------------------

    def _schedule(self, item: _Slot | Call) -> None:
        when = item.deadline() if isinstance(item, Call) else item.transaction.deadline()
        if when < item.scheduled:
            item.scheduled = when
            heapq.heappush(self._heap, (when, next(self._serial), item))

    def deadline(self) -> float:
        """When `wake` wants to be called next, never too late, at times too early; math.inf for never."""
        return self._heap[0][0] if self._heap else math.inf

    def wake(self, now: float) -> list[Output]:
        """Fires what is due."""
        out: list[Output] = []
        while self._heap and self._heap[0][0] <= now:
            when, _, item = heapq.heappop(self._heap)
            if when != item.scheduled:
                continue
            item.scheduled = math.inf
            if isinstance(item, Call):
                self._wake_call(item, now, out)
            elif item.transaction.state is not State.TERMINATED:
                self._effects(item, item.transaction.wake(now), now, out, None)
        return out

    def _wake_call(self, call: Call, now: float, out: list[Output]) -> None:
        while timer := call.due(now):
            self._step(call, timer, _Context(now, out, status=487))
            if timer is CallInput.FORGET:
                self._by_tag.pop(call.tag, None)
                self._calls.pop(call.id, None)
        self._schedule(call)

    def unsent(self, transmit: Transmit, now: float) -> list[Output]:
        """The transport could not send this datagram (RFC 3261 §18.4): a request fails at once, a response is tried
        again by its timers."""
        out: list[Output] = []
        self.counters["unsent"] += 1
        if transmit.data[:4] == b"SIP/":
            return out
        try:
            request = parse(transmit.data)
        except RemoteSipError:
            return out
        if isinstance(request, Request) and request.method != "ACK":
            slot = self._slots.get(("client", request.via.branch, request.method))
            if slot is not None:
                self._feed(slot, TransactionInput.TRANSPORT_ERROR, now, out)
        return out

    # --- commands ------------------------------------------------------------------------------------------------

    def ring(self, call: str, now: float) -> list[Output]:
        return self._command(call, CallInput.RING, _Context(now))

    def answer(self, call: str, sdp: SessionDescription, now: float) -> list[Output]:
        return self._command(call, CallInput.ANSWER, _Context(now, sdp=sdp))

    def reject(
        self, call: str, status: int, now: float, reason: str | None = None, retry_after: int | None = None
    ) -> list[Output]:
        return self._command(call, CallInput.REJECT, _final(status, now, reason, retry_after))

    def hang_up(self, call: str, now: float, reason: str | None = None) -> list[Output]:
        rows = () if reason is None else (("Reason", _text(reason)),)
        return self._command(call, CallInput.HANG_UP, _Context(now, rows=rows))

    def reanswer(self, call: str, sdp: SessionDescription, now: float) -> list[Output]:
        return self._command(call, CallInput.REANSWER, _Context(now, sdp=sdp))

    def reject_reoffer(self, call: str, status: int, now: float) -> list[Output]:
        return self._command(call, CallInput.REJECT_REOFFER, _final(status, now, None, None))

    def dial(
        self,
        call: str,
        uri: str,
        destination: Address,
        caller: str | None,
        sdp: SessionDescription,
        now: float,
        caller_name: str = "",
    ) -> list[Output]:
        """The application bounds its own calls: no limit is applied here. `uri` is the Request-URI and To."""
        if call in self._calls:
            raise LocalSipError("a call of this id exists")
        if caller is not None and not _USER.fullmatch(caller):
            raise LocalSipError("the caller is not the user of a URI")
        try:
            Uri.parse(uri)
        except RemoteSipError as error:
            raise LocalSipError(f"cannot be dialled: {error.text}") from None
        out: list[Output] = []
        record = Call(call, self._token(), CallState.DIALLING, self._timers, now)
        local = self._local(destination)
        privacy: tuple[Row, ...] = ()
        if caller is None:
            # RFC 3323 §4.1.1.3, RFC 3325 §9.3
            from_, privacy = '"Anonymous" <sip:anonymous@anonymous.invalid>', (("Privacy", "id"),)
        else:
            display = f"{quote(caller_name)} " if caller_name else ""
            from_ = f"{display}<sip:{caller}@{bracket(local.host)}>"
        request = build_request(
            "INVITE",
            uri,
            branch=self._token(),
            local=local,
            from_=f"{from_};tag={record.tag}",
            to=f"<{uri}>",
            call_id=self._token(),
            cseq=1,
            rows=(self._contact(local), ALLOW, SUPPORTED, self._agent(), *privacy, SDP_TYPE),
            body=bytes(sdp),
        )
        record.invite, record.invite_cseq, record.peer = request, 1, destination
        self._adopt(record)
        slot = self._start(request, destination, record, now, out)
        record.transaction = slot.transaction
        return out

    def _command(self, call: str, given: CallInput, context: _Context) -> list[Output]:
        record = self._calls.get(call)
        if record is None:
            self.counters["late: command for a forgotten call"] += 1
        else:
            self._step(record, given, context)
        return context.out

    # --- calls ---------------------------------------------------------------------------------------------------

    def _adopt(self, call: Call) -> None:
        self._calls[call.id] = call
        self._by_tag[call.tag] = call
        self._live += 1

    def _step(self, call: Call, given: CallInput, context: _Context) -> None:
        before = call.state
        row = call.receive(given, context.now)
        if not isinstance(row, Move):
            self.counters[f"late: {row.name}"] += 1
            return
        for what in row.do:
            self._do(call, what, context)
        if call.state is CallState.ENDED and before is not CallState.ENDED:
            self._live -= 1
        self._schedule(call)

    def _do(self, call: Call, what: Do, context: _Context) -> None:
        now, out = context.now, context.out
        match what:
            case Do.RING:
                self._final(
                    call, 180, None, (self._contact(self._local(call.peer)), *self._routes(call)), b"", now, out
                )
            case Do.ANSWER:
                assert context.sdp is not None
                rows = (*self._routes(call), self._contact(self._local(call.peer)), ALLOW, SUPPORTED, SDP_TYPE)
                self._final(call, 200, None, rows, bytes(context.sdp), now, out)
            case Do.RESEND:
                self._resend(call, now, out)
            case Do.REJECT:
                self._final(call, context.status, context.phrase, context.rows, b"", now, out)
            case Do.REJECT_480:
                self._final(call, 480, None, context.rows, b"", now, out)
            case Do.REJECT_487:
                self._final(call, 487, None, (), b"", now, out)
            case Do.REPLY_200:
                self._answer_request(context, 200, ())
            case Do.REPLY_481:
                self._answer_request(context, 481, ())
            case Do.REPLY_491:
                self._answer_request(context, 491, ())
            case Do.REPLY_500:
                self._answer_request(context, 500, (("Retry-After", str(REINVITE_RETRY_AFTER)),))
            case Do.BYE:
                assert call.dialog is not None
                call.dialog = call.dialog.advanced()
                self._bye(call.dialog, call, context.rows, now, out)
            case Do.CANCEL:
                self._send_cancel(call, context, now, out)
            case Do.ACK:
                assert call.dialog is not None
                assert call.invite is not None
                if call.ack:
                    out.append(Transmit(call.ack, call.dialog.next_hop()))
                else:
                    call.ack = self._acknowledge(call.dialog, call.invite, call.peer, now, out)
            case Do.DROP_INVITE:
                assert call.invite is not None
                self._slots.pop(("client", call.invite.via.branch, "INVITE"), None)
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
            case Do.TELL_BYE:
                assert context.request is not None
                out.append(CallEnded(call.id, "bye", context.request.get("Reason") or ""))
            case Do.TELL_NO_ACK:
                out.append(CallEnded(call.id, "no-ack"))
            case Do.TELL_PROGRESS:
                assert context.response is not None
                if context.response.status > 100:
                    early = _usable(context.response)
                    call.early_answer = early or call.early_answer
                    out.append(CallProgressed(call.id, context.response.status, early))
            case Do.TELL_ANSWERED:
                self._tell_answered(call, context)
            case Do.TELL_FAILED:
                out.append(_failed(call.id, context))

    def _confirmed(self, call: Call, what: Do, context: _Context) -> None:
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
        self._step(call, CallInput.HANG_UP, _Context(context.now, context.out, rows=_BAD_ANSWER))
        context.out.append(CallEnded(call.id, "bad-answer"))

    def _tell_answered(self, call: Call, context: _Context) -> None:
        assert context.response is not None
        # an answer that came early counts where the 2xx does not repeat it as it must (RFC 3261 §13.2.1)
        answer = _usable(context.response) or call.early_answer
        if answer is not None:
            context.out.append(CallAnswered(call.id, answer))
            return
        self._step(call, CallInput.HANG_UP, _Context(context.now, context.out, rows=_BAD_ANSWER))
        context.out.append(CallFailed(call.id, 488, "no usable session description"))

    def _routes(self, call: Call) -> tuple[Row, ...]:
        """RFC 3261 §12.1.1: a response that makes a dialog repeats the Record-Route."""
        assert call.invite is not None
        return tuple(row for row in call.invite.rows if row[0] == "Record-Route")

    def _final(
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
        slot = self._slots.get(_server_key(call.invite, "INVITE"))
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
            out.append(Transmit(call.final, reply_address(call.invite.via, call.peer)))

    def _answer_request(self, context: _Context, status: int, rows: tuple[Row, ...]) -> None:
        assert context.request is not None
        assert context.slot is not None
        assert context.source is not None
        response = respond(context.request, status, context.source, rows=(*rows, self._agent(server=True)))
        given = TransactionInput.SEND_2XX if status < 300 else TransactionInput.SEND_FINAL
        self._send(context.slot, given, response, context.now, context.out)

    def _acknowledge(self, dialog: Dialog, invite: Request, peer: Address, now: float, out: list[Output]) -> bytes:
        """The ACK of a 2xx is a request of its own, outside any transaction (RFC 3261 §13.2.2.4)."""
        destination = dialog.next_hop()
        data = bytes(dialog.request("ACK", invite.cseq, self._token(), self._local(destination)))
        out.append(Transmit(data, destination))
        return data

    def _bye(self, dialog: Dialog, call: Call, rows: tuple[Row, ...], now: float, out: list[Output]) -> None:
        destination = dialog.next_hop()
        request = dialog.request(
            "BYE", dialog.local_cseq, self._token(), self._local(destination), (*rows, self._agent())
        )
        self._start(request, destination, call, now, out)

    def _send_cancel(self, call: Call, context: _Context, now: float, out: list[Output]) -> None:
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
        self._start(request, call.peer, call, now, out)

    # --- answers without a call ----------------------------------------------------------------------------------

    def _reply(
        self,
        request: Request,
        source: Address,
        status: int,
        now: float,
        out: list[Output],
        *,
        rows: tuple[Row, ...] = (),
    ) -> None:
        slot = self._serve(request, source, None)
        slot.tag = self._token()
        response = respond(request, status, source, tag=slot.tag, rows=(*rows, self._agent(server=True)))
        given = TransactionInput.SEND_2XX if status < 300 else TransactionInput.SEND_FINAL
        self._send(slot, given, response, now, out)

    def _refuse(self, request: Request, source: Address, refused: Refusal, now: float, out: list[Output]) -> None:
        self.counters[f"refused {refused.status}"] += 1
        out.append(Refused(source, f"{refused.status}: {refused.reason}"))
        if request.method != "ACK":
            self._reply(request, source, refused.status, now, out, rows=refused.rows)

    def _overload(self, request: Request, source: Address, out: list[Output]) -> None:
        """503 without a transaction: overload must not cost memory (RFC 3261 §8.2.7)."""
        self.counters["refused 503"] += 1
        out.append(Refused(source, "503: overload"))
        response = respond(request, 503, source, tag=self._token(), rows=(("Retry-After", str(RETRY_AFTER)),))
        out.append(Transmit(bytes(response), reply_address(request.via, source)))

    def _local(self, remote: Address) -> Address:
        host, port = self.settings.local_address(remote.host)
        return Address(host, port, remote.transport)

    def _contact(self, local: Address) -> Row:
        return ("Contact", f"<sip:{local}>")

    def _agent(self, *, server: bool = False) -> Row:
        return ("Server" if server else "User-Agent", self.settings.user_agent)


_BAD_ANSWER: tuple[Row, ...] = (("Reason", 'SIP;cause=488;text="no usable session description"'),)


def _owns(call: Call, request: Request) -> bool:
    """Whether a request with our tag is of this call; before a 2xx it has no dialog yet, only our Call-ID."""
    if call.dialog is not None:
        return call.dialog.owns(request)
    return call.invite is not None and call.invite.call_id == request.call_id


def _server_key(request: Request, method: str) -> Key:
    """RFC 3261 §17.2.3: branch, sent-by and method; an ACK is of its INVITE. A peer of RFC 2543 is told by the rest."""
    via = request.via
    method = "INVITE" if method == "ACK" else method
    if via.branch.startswith(MAGIC_COOKIE):
        return (via.branch, via.host, str(via.port), method)
    return ("2543", via.text, request.call_id, request.from_.tag or "", str(request.cseq), method)


def _merge_key(request: Request) -> Key:
    """RFC 3261 §8.2.2.2."""
    return (request.call_id, request.from_.tag or "", str(request.cseq), request.method)


def _text(value: str) -> str:
    if not _HEADER_TEXT.fullmatch(value):
        raise LocalSipError("not the text of a header field")
    return value


def _final(status: int, now: float, reason: str | None, retry_after: int | None) -> _Context:
    if not 300 <= status <= 699:
        raise LocalSipError("a refusal is 300 to 699")
    rows = () if retry_after is None else (("Retry-After", str(retry_after)),)
    return _Context(now, status=status, phrase=None if reason is None else _text(reason), rows=rows)


def _usable(message: Request | Response) -> SessionDescription | None:
    """Their answer, where a bad one is as good as none."""
    try:
        return describe(message)
    except SdpError:
        return None


def _failed(call: str, context: _Context) -> CallFailed:
    response = context.response
    if response is None:
        return CallFailed(call, context.status, context.phrase or "")
    retry = re.match(r"[0-9]{1,7}", response.get("Retry-After") or "", re.ASCII)
    return CallFailed(
        call, response.status, response.get("Reason") or response.phrase, int(retry[0]) if retry else None
    )
