"""One SIP endpoint over all transactions and calls: messages and commands in, messages and events out (RFC 3261).

    receive(data, source, now)     a message of the network
    deadline() -> float            when `wake` wants to be called; math.inf for never. Cheap: a heap with lazy deletion
    wake(now)                      every timer that is due
    unsent(transmit, now)          a Transmit could not be sent at all (the transport's error, RFC 3261 §8.1.3.1)
    disconnected(remote, unwritten, now)     a connection is gone, with what it had not written yet
    hears(host, now), living(now)  whom a connection is accepted from, and which connections are still needed

    set_trunks({id: TrunkSettings})     who may speak to us, and what is shown and told to whom; calls that live go on
    ring(call, now)                180
    progress(call, sdp, now)       183 with our answer, or offer, before `answer`; sent until it arrives, if they can
    answer(call, sdp, now)         200 with our answer, or our offer where the INVITE had none; sent again until the ACK
    reject(call, status, now, reason=None, retry_after=None)     300 to 699; `reason` is the phrase
    hang_up(call, now, reason=None)     by state: 480, BYE, CANCEL, or BYE as soon as the ACK came; `reason` is a Reason
                                   header (RFC 3326), as 'Q.850;cause=16'. The call is over for the application at once.
    reanswer(call, sdp, now), reject_reoffer(call, status, now)     to CallReoffered
    reoffer(call, sdp, now)        our re-INVITE; 491 is backed off from
    accept_referral(call, now), reject_referral(call, status, now)     to CallReferred
    referral_stands(call, status, now)     what came of it, also after the call
    dial(call, uri, destination, caller, sdp, now, caller_name="", *, trunk="", asserted="", routes=(), called="",
                                   forwards=70)
                                   INVITE with our offer; `caller` None is anonymous
    ask(request, trunk, method, uri, destination, now, ...)      OPTIONS or REGISTER outside dialogs
    bind(trunk, bindings)          where a guest is, after a restart
    located(name, targets, seconds, now)     to Sought: where a name leads

    snapshot(call), snapshots()    what must be kept of a call, None for nothing; `changed` names the calls that changed
    restore(snapshot, now)         the call again, after a restart: what may not have arrived is sent again

Every one gives the outputs (`events`) in the order in which they are to be done. `receive` raises nothing, whatever
comes. A command raises LocalSipError where the application made a mistake: an `answer` to a call that is up, a header
with a line break. A command that crossed the end of its call is dropped and counted (`late: ...`), also for a call
long forgotten.

The application says how many calls may begin (`room`), whenever one comes: where none may, it gets 503.

A request of a source that is no trunk is dropped and counted by method, or challenged where there are guests.
Responses are matched by their branch, which nobody can guess. `counters` maps names to numbers.

It stands on `layer` (transactions and time), `asking` (requests of ours outside dialogs), `leading` (where those within
them go), `sending`, `renegotiation`, `provisional` and `sessions` (what is done for a call), and `doors` (who comes
in); here are requests and commands.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable

from attrs import evolve

from .asking import Settings, header_text, route_rows
from .call import Call, Early
from .call import Input as CallInput
from .call import State as CallState
from .dialog import MAX_FORWARDS, Dialog, build_request, is_secure
from .diversion import diverted_from
from .doors import Doors
from .events import (
    IncomingCall,
    Output,
    Transmit,
)
from .exchange import State as ExchangeState
from .identity import identified
from .layer import Key, Slot, client_key, server_key
from .message import (
    Address,
    LocalSipError,
    NameAddr,
    RemoteSipError,
    Request,
    Response,
    Uri,
    bracket,
    respond,
)
from .referral import Input as ReferralInput
from .referral import State as ReferralState
from .renegotiation import is_offerable
from .screening import ACCEPT, KNOWN_METHODS, OFFERING, SDP_TYPE, Refusal, called_of, caller_of, describe, screen
from .sdp import SessionDescription
from .sending import Context
from .sessions import owns
from .snapshot import CallSnapshot, freeze, thaw, unheard
from .transaction import (
    INVITE_SERVER,
    State,
    Timers,
)
from .transaction import Input as TransactionInput
from .trunks import TrunkSettings

__all__ = ["Endpoint", "Settings", "TrunkSettings"]

# An Expires beyond this is no limit (RFC 3261 §20.19 allows up to 2**32 - 1)
MAX_EXPIRES = 86400

# Transactions of one call at once: by UDP each lasts half a minute after its answer (RFC 3261 §17.2.2, Timer J), and
# who presses keys by INFO makes one for each.
MOST_OPEN = 200

_DIGITS = re.compile(r"[0-9]{1,10}", re.ASCII)


class Endpoint(Doors):
    """See the module's docstring. `token` gives an unguessable string of token characters, at least 64 bits of it. The
    ids of calls whose snapshot has become another are put into `changed`, if it is given; who takes them clears it."""

    def __init__(
        self,
        settings: Settings,
        token: Callable[[], str],
        timers: Timers | None = None,
        changed: set[str] | None = None,
    ) -> None:
        super().__init__(settings, token, timers or Timers(), changed)
        self.room: Callable[[], float] = lambda: math.inf

    # --- the network ---

    def whose(self, host: str, tags: Iterable[str]) -> tuple[str, str]:
        """The trunk and the call of a message to or from `host` that has these tags; empty where there is none."""
        call = None
        for tag in tags:
            call = self._by_tag.get(tag)
            if call is not None:
                break
        known = call.trunk if call is not None else ""
        trunk = known or self._trunks.match(host) or self._hosts.get(host) or self._registrar.at(host)
        return trunk, "" if call is None else call.id

    def living(self, now: float) -> set[Address]:
        """The far ends of connections on which something lives: a call, a transaction, or a binding, of a guest or of
        ours."""
        found = self._registrar.flows(now)
        found.update(flow for flow, until in self._flows.values() if until > now)
        for slot in self._connected.values():
            found.add(slot.destination)
            if slot.otherwise is not None:
                found.add(slot.otherwise)
        for call in self._calls.values():
            if call.state is not CallState.ENDED or call.referral.state is not ReferralState.IDLE:
                found.add(call.peer)
                if call.dialog is not None:
                    found.add(call.dialog.peer)
        return found

    def _request(
        self, request: Request, source: Address, trunk: str, now: float, out: list[Output], *, late: bool
    ) -> None:
        method = request.method
        self.counters[f"received {method if method in KNOWN_METHODS else 'other'}"] += 1
        key = server_key(request, method)
        slot = self._slots.get(key)
        if method == "ACK":
            self._ack(request, slot, source, now, out)
            return
        if slot is not None:
            self._feed(slot, TransactionInput.RECEIVE_REQUEST, now, out)
            return
        if method == "CANCEL":
            self._cancel(request, source, now, out)
            return
        if self._refusals.has(key, now) or self._is_full(request, late=late):
            self._overload(request, source, now, out)
            return
        settings = self._trunks.settings(trunk)
        if method == "REGISTER" and settings.guest is not None:
            self._registered(request, source, trunk, now, out)
            return
        refused = screen(request, refers=settings.refers) or self._exposed(request, source, trunk)
        refused = refused or self._unreferable(request, source, trunk)
        if refused:
            self._refuse(request, source, refused, now, out)
        elif request.to.tag is not None:
            self._in_dialog(request, source, now, out)
        elif (merged := _merge_key(request)) in self._merged:
            self._refuse(request, source, Refusal(482, "merged request"), now, out)
        elif method == "OPTIONS":
            self._reply(request, source, 200, now, out, rows=(ACCEPT, *self._able(trunk)))
        elif method == "INVITE":
            self._offered(request, merged, source, trunk, now, out)
        else:
            self._refuse(request, source, Refusal(481, f"{method} outside a dialog"), now, out)

    def _exposed(self, request: Request, source: Address, trunk: str) -> Refusal | None:
        """Keys that go by the wire as they are, are no secrets (RFC 4568 §8.3)."""
        if request.method in OFFERING and source.transport != "tls" and self._trunks.settings(trunk).private:
            return Refusal(488, "without TLS", (("Warning", '399 cordboard "SRTP by TLS only"'),))
        return None

    def _registered(self, request: Request, source: Address, trunk: str, now: float, out: list[Output]) -> None:
        known = self._registrar.told(trunk).bindings
        status, rows, changed = self._registrar.register(trunk, request, source, now)
        self._reply(request, source, status, now, out, rows=rows)
        if changed:
            out.append(self._registrar.told(trunk))
            for contact, left in self._registrar.moved(trunk, known, request):
                self._heard_from(trunk, contact, source, left)
            self._guest_came(trunk, now, out)

    def _in_dialog(self, request: Request, source: Address, now: float, out: list[Output]) -> None:
        call = self._by_tag.get(request.to.tag or "")
        if call is None or not owns(call, request):
            self._refuse(request, source, Refusal(481, f"{request.method} of no dialog"), now, out)
            return
        early = call.early.get(request.from_.tag or "") if call.dialog is None else None
        known = early.dialog if early is not None else call.dialog
        if known is not None and not known.accepts(request):
            self._refuse(request, source, Refusal(500, "CSeq out of order"), now, out)
            return
        description = describe(request) if request.method in OFFERING else None
        dialog = known and known.heard(request, source)
        if known and known.peer != source:
            self._heard_at.pop((call.trunk, known.target), None)  # this is newer than what is remembered
        if dialog and known and not is_offerable(call, request, offers=description is not None):
            # refused: the target stays (RFC 3261 §12.2.2), the number is spent
            dialog = evolve(dialog, target=known.target)
        self._mark(call)
        if request.method == "OPTIONS":
            self._heard(call, early, dialog)
            self._reply(request, source, 200, now, out, rows=(ACCEPT, *self._able(call.trunk)))
            return
        given = _IN_DIALOG[request.method]
        slot = self._serve(request, source, call)
        if given is CallInput.INVITE:
            self._send(slot, TransactionInput.SEND_1XX, respond(request, 100, source), now, out)
        self._heard(call, early, dialog)
        self._step(call, given, Context(now, out, request, slot, source=source, sdp=description))

    def _heard(self, call: Call, early: Early | None, dialog: Dialog | None) -> None:
        """The dialog after a request in it."""
        if early is not None:
            early.dialog = dialog
        else:
            call.dialog = dialog

    def _offered(
        self, request: Request, merged: Key, source: Address, trunk: str, now: float, out: list[Output]
    ) -> None:
        tag = self._token()
        dialog = Dialog.of_invite(request, tag, source, pinned=self._trunks.settings(trunk).pinned)
        self._heard_from(trunk, dialog.target, source)
        offer = describe(request)
        call = self._begun(self._token(), tag, CallState.OFFERED, now)
        call.trunk = trunk
        call.dialog = dialog
        self._adopt(call)
        slot = self._serve(request, source, call)
        slot.merged = merged
        self._merged[merged] = slot
        self._invited(call, request, slot, source, needs_answer=offer is None)
        call.reliable.hear(request)
        self._send(slot, TransactionInput.SEND_1XX, respond(request, 100, source), now, out)
        expires = request.get("Expires")
        if expires and _DIGITS.fullmatch(expires) and int(expires) <= MAX_EXPIRES:
            call.expire(now + int(expires))
        self._schedule(call)
        caller, name = caller_of(request)
        number = called_of(request, self._trunks.settings(trunk).us)
        diverted = diverted_from(request)
        early = offer is not None or call.reliable.able
        left = min(int(request.get("Max-Forwards") or MAX_FORWARDS), MAX_FORWARDS)
        about = (number, caller, name, request.uri, offer, source.host, diverted, early, left)
        out.append(IncomingCall(call.id, trunk, *about))

    def _is_full(self, request: Request, *, late: bool) -> bool:
        """Whether there is no room for this; nothing else of it is looked at where there is none. What belongs to a
        call is served under any load, for it is what ends calls, but not in any number."""
        call = self._by_tag.get(request.to.tag or "")
        most = self.settings.max_transactions
        if call is not None and owns(call, request):
            ends = request.method == "BYE" and call.state is not CallState.ENDED
            # what is refused has a transaction too, and is none of the call's
            return (len(call.open) >= MOST_OPEN and not ends) or len(self._slots) >= (3 if ends else 2) * most
        if len(self._slots) >= most:
            return True
        if request.method != "INVITE" or request.to.tag is not None:
            return False
        if self._live >= self.settings.max_calls:
            return True
        busy = late or self.room() < 1
        self.counters["refused busy"] += busy
        return busy

    def _ack(self, request: Request, slot: Slot | None, source: Address, now: float, out: list[Output]) -> None:
        if slot is not None and slot.transaction.machine is INVITE_SERVER:
            self._feed(slot, TransactionInput.RECEIVE_ACK, now, out, request)
            return
        self._ack_of_success(request, source, now, out)

    def _cancel(self, request: Request, source: Address, now: float, out: list[Output]) -> None:
        target = self._slots.get(server_key(request, "INVITE"))
        if target is None or target.transaction.machine is not INVITE_SERVER:
            if self._is_full(request, late=False):
                self._overload(request, source, now, out)
                return
            self._refuse(request, source, Refusal(481, "CANCEL of no transaction"), now, out)
            return
        # RFC 3261 §9.2: 200, with the To tag of the INVITE's responses, which a re-INVITE has itself
        slot = self._serve(request, source, target.call)
        tag = target.transaction.request.to.tag or target.tag
        self._send(slot, TransactionInput.SEND_2XX, respond(request, 200, source, tag=tag), now, out)
        call = target.call
        if (
            call is None
            or call.transaction is not target.transaction
            or target.transaction.state is not State.PROCEEDING
        ):
            self.counters["late: CANCEL after the final response"] += 1
            return
        self._step(call, CallInput.CANCEL, Context(now, out, request, source=source))

    def _response(self, response: Response, source: Address, now: float, out: list[Output]) -> None:
        self.counters[f"received {response.status // 100}xx"] += 1
        slot = self._slots.get(client_key(response))
        if len(response.values("Via")) > 1:
            self.counters["misrouted response"] += 1  # RFC 3261 §8.1.3.3
            return
        if slot is None:
            if not self._answered_late(response, source, now, out):
                self.counters["late: response of no transaction"] += 1
            return
        if response.status < 200:
            given = TransactionInput.RECEIVE_1XX
        elif response.status < 300:
            given = TransactionInput.RECEIVE_2XX
        else:
            given = TransactionInput.RECEIVE_FINAL
        self._feed(slot, given, now, out, response, source)

    # --- over a restart ---

    def snapshots(self) -> list[tuple[str, CallSnapshot]]:
        """All that must be kept."""
        kept = ((call, self.snapshot(call)) for call in self._calls)
        return [(call, each) for call, each in kept if each is not None]

    def snapshot(self, call: str) -> CallSnapshot | None:
        record = self._calls.get(call)
        return None if record is None else freeze(record, (self._slots[key] for key in record.open))

    def restore(self, snapshot: CallSnapshot, now: float) -> list[Output]:
        """Raises LocalSipError where a call of this id lives, and what `thaw` raises."""
        if snapshot.id in self._calls:
            raise LocalSipError("a call of this id exists")
        out: list[Output] = []
        call, slots = thaw(snapshot, self._timers, self._chance, now)
        self._adopt(call)
        for slot in slots:
            transaction = slot.transaction
            self._hold(slot)
            if transaction.machine is INVITE_SERVER and transaction.request.to.tag is None:
                slot.merged = _merge_key(transaction.request)
                self._merged[slot.merged] = slot
            if unheard(transaction):
                out.append(Transmit(transaction.last, slot.destination, slot.otherwise))
            self._resumed(slot, now, out)
            self._effects(slot, transaction.wake(now), now, out, None)
        if call.state in (CallState.ACCEPTED, CallState.LEAVING) or call.exchange.state is ExchangeState.ANSWERED:
            self._resend(call, out)
        self._wake_call(call, now, out)
        return out

    # --- commands ---

    def ring(self, call: str, now: float) -> list[Output]:
        return self._command(call, CallInput.RING, Context(now))

    def progress(self, call: str, sdp: SessionDescription, now: float) -> list[Output]:
        """The caller hears what we send before the answer. Where its INVITE had no offer this is ours, which it answers
        at once (`CallReanswered`), if it can (RFC 3262 §5); else it hears nothing yet."""
        return self._command(call, CallInput.EARLY_ANSWER, Context(now, sdp=sdp))

    def answer(self, call: str, sdp: SessionDescription, now: float) -> list[Output]:
        record = self._calls.get(call)
        waits = record is not None and record.state is CallState.OFFERED and record.reliable.keeps_answer
        return self._command(call, CallInput.PLEDGE if waits else CallInput.ANSWER, Context(now, sdp=sdp))

    def reject(
        self, call: str, status: int, now: float, reason: str | None = None, retry_after: int | None = None
    ) -> list[Output]:
        return self._command(call, CallInput.REJECT, _refusal(status, now, reason, retry_after))

    def hang_up(self, call: str, now: float, reason: str | None = None) -> list[Output]:
        rows = () if reason is None else (("Reason", header_text(reason)),)
        return self._command(call, CallInput.HANG_UP, Context(now, rows=rows))

    def reanswer(self, call: str, sdp: SessionDescription, now: float) -> list[Output]:
        return self._command(call, CallInput.REANSWER, Context(now, sdp=sdp))

    def reject_reoffer(self, call: str, status: int, now: float) -> list[Output]:
        return self._command(call, CallInput.REJECT_REOFFER, _refusal(status, now, None, None))

    def reoffer(self, call: str, sdp: SessionDescription, now: float) -> list[Output]:
        """Where an offer is open already, this one comes after it."""
        return self._command(call, CallInput.OFFER, Context(now, body=bytes(sdp)))

    def accept_referral(self, call: str, now: float) -> list[Output]:
        """To CallReferred: 202, and 100 to who wants to hear how it goes on."""
        record = self._calls.get(call)
        untold = record is not None and record.referral.state is ReferralState.ASKED and record.referral.untold
        return self._referral(call, ReferralInput.ACCEPT_UNTOLD if untold else ReferralInput.ACCEPT, Context(now))

    def reject_referral(self, call: str, status: int, now: float) -> list[Output]:
        return self._referral(call, ReferralInput.REJECT, _refusal(status, now, None, None))

    def referral_stands(self, call: str, status: int, now: float) -> list[Output]:
        """What came of it by now, as the status of an INVITE; a final one is the last word."""
        given = ReferralInput.STANDS if status < 200 else ReferralInput.LAST
        return self._referral(call, given, Context(now, status=status))

    def _referral(self, call: str, given: ReferralInput, context: Context) -> list[Output]:
        record = self._calls.get(call)
        if record is None:
            self.counters["late: command for a forgotten call"] += 1
        else:
            self._refer(record, given, context)
        return context.out

    def dial(
        self,
        call: str,
        uri: str,
        destination: Address,
        caller: str | None,
        sdp: SessionDescription,
        now: float,
        caller_name: str = "",
        *,
        trunk: str = "",
        asserted: str = "",
        routes: tuple[str, ...] = (),
        called: str = "",
        forwards: int = MAX_FORWARDS,
    ) -> list[Output]:
        """The application bounds its own calls: no limit is applied here. `uri` is the Request-URI, and To, but where
        another user of ours is `called`, who is there (RFC 7315 §4.2): then that is To. `trunk`: by whose account
        challenges are answered, and within whose hosts a 3xx may lead. `asserted` is the number that a trusted trunk is
        told even where `caller` is None; `routes` are Route values, of a proxy of ours; `forwards` is
        what a call that came has left, where this one is made for it (RFC 7332 §4)."""
        if call in self._calls:
            raise LocalSipError("a call of this id exists")
        local = self._local(destination)
        to = f"sip:{called}@{bracket(local.host)}" if called else uri
        try:
            Uri.parse(uri)
            Uri.parse(to)
        except RemoteSipError as error:
            raise LocalSipError(f"cannot be dialled: {error.text}") from None
        way = route_rows(routes)
        settings = self._trunks.settings(trunk)
        # an address of record is in the domain of its registrar (RFC 3261 §10, §20.20)
        home = settings.domain or (Uri.parse(uri).host if settings.registers else local.host)
        from_, identity = identified(caller, caller_name, asserted, home, trusted=settings.trusted)
        out: list[Output] = []
        record = self._begun(call, self._token(), CallState.DIALLING, now)
        record.trunk = trunk
        record.ours = bytes(sdp)
        secure = is_secure(uri) or any(is_secure(NameAddr.parse(each).uri) for each in routes[:1])
        contact = self._contact_of(trunk, from_, local, secure=secure)
        request = build_request(
            "INVITE",
            uri,
            branch=self._token(),
            local=local,
            from_=f"{from_};tag={record.tag}",
            to=f"<{to}>",
            call_id=self._token(),
            cseq=1,
            rows=(
                *way,
                *((("P-Called-Party-ID", f"<{to}>"),) if called else ()),
                *(contact, *self._able(trunk), *record.refresh.asked(), self._agent(), *identity, SDP_TYPE),
            ),
            body=record.ours,
            forwards=forwards,
        )
        request = self._signed(request, record)
        record.invite, record.invite_cseq, record.peer = request, 1, destination
        self._adopt(record)
        slot = self._start(request, self._way(trunk, uri, destination, routes), record, now, out)
        record.transaction, record.invite, record.peer = slot.transaction, slot.transaction.request, slot.destination
        return out

    def _begun(self, call: str, tag: str, state: CallState, now: float) -> Call:
        expires = self.settings.session_expires
        return Call(call, tag, state, self._timers, now, chance=self._chance, session_expires=expires)

    def _command(self, call: str, given: CallInput, context: Context) -> list[Output]:
        record = self._calls.get(call)
        if record is None:
            self.counters["late: command for a forgotten call"] += 1
        else:
            self._step(record, given, context)
        return context.out


_IN_DIALOG = {
    "INVITE": CallInput.INVITE,
    "BYE": CallInput.BYE,
    "INFO": CallInput.INFO,
    "UPDATE": CallInput.UPDATE,
    "PRACK": CallInput.PRACK,
    "REFER": CallInput.REFER,
}


def _merge_key(request: Request) -> Key:
    """RFC 3261 §8.2.2.2."""
    return (request.call_id, request.from_.tag or "", str(request.cseq), request.method)


def _refusal(status: int, now: float, reason: str | None, retry_after: int | None) -> Context:
    if not 300 <= status <= 699:
        raise LocalSipError("a refusal is 300 to 699")
    rows = () if retry_after is None else (("Retry-After", str(retry_after)),)
    return Context(now, status=status, phrase=None if reason is None else header_text(reason), rows=rows)
