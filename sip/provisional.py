"""What the endpoint does before a call is answered: the actions of the table in `reliable` for a call of theirs, early
dialogs and their PRACK for one of ours (RFC 3262, RFC 3261 §12.1).

The layer of `Endpoint` between `renegotiation` and `sessions`.
"""

from __future__ import annotations

from attrs import evolve

from . import reliable
from .call import WAITING, Call, Early
from .call import Input as CallInput
from .call import State as CallState
from .dialog import Dialog
from .events import CallProgressed, CallReanswered, CallTried, Output, Refused, Transmit
from .exchange import Input as ExchangeInput
from .layer import Slot
from .machine import Move
from .message import Address, RemoteSipError, Request, Response, Row, reply_address, reply_otherwise
from .reliable import rack, rseq_of
from .renegotiation import Renegotiation
from .screening import SDP_TYPE
from .sending import Context, usable

# Callees behind a forking proxy whose early dialogs are remembered: more ring nowhere.
MAX_FORKS = 8
# PRACKs of one call at once, answered or not. Who says more does not wait for them as it must (RFC 3262 §3), and has us
# send each again and again to wherever its Contact says.
MOST_PRACKS = 32


class Provisional(Renegotiation):
    """See the module's docstring."""

    # --- theirs -----------------------------------------------------------------------------------------------

    def _say(self, call: Call, status: int, body: bytes, now: float, out: list[Output]) -> None:
        """A provisional response that makes a dialog, so that it arrives where it has to."""
        if call.reliable.must(described=bool(body)):
            self._reliable(call, reliable.Input.SAY, (status, body), now, out)
        else:
            self._reply_invite(call, status, None, self._saying(call, body), body, now, out)

    def _saying(self, call: Call, body: bytes, number: tuple[Row, ...] = ()) -> tuple[Row, ...]:
        contact = self._contact_in(call, call.peer)
        able = self._able(call.trunk)
        return (contact, *self._routes(call), *number, *able, *((SDP_TYPE,) if body else ()))

    def _reliable(
        self, call: Call, given: reliable.Input, said: tuple[int, bytes] | None, now: float, out: list[Output]
    ) -> None:
        state = call.reliable
        row = state.receive(given, now)
        if not isinstance(row, Move):
            self.counters[f"late: {row.name}"] += 1
            return
        if given is not reliable.Input.RETRANSMIT:
            self._mark(call)
        for what in row.do:
            match what:
                case reliable.Do.SEND:
                    assert said is not None
                    status, body = said
                    state.described = bool(body)
                    rows = self._saying(call, body, state.number(self._chance()))
                    self._reply_invite(call, status, None, rows, body, now, out)
                    state.last = call.final
                case reliable.Do.HOLD:
                    assert said is not None
                    state.hold(said)
                case reliable.Do.NEXT:
                    self._arrived(call, now, out)
                case reliable.Do.RESEND:
                    assert call.invite is not None
                    way = reply_address(call.invite.via, call.peer), reply_otherwise(call.invite.via, call.peer)
                    out.append(Transmit(state.last, *way))
                case reliable.Do.GIVE_UP:
                    self._step(call, CallInput.UNHEARD, Context(now, out))
        self._schedule(call)

    def _arrived(self, call: Call, now: float, out: list[Output]) -> None:
        """The PRACK came: what waited for it is said."""
        state = call.reliable
        if state.described and not call.needs_answer:
            self._exchange(call, ExchangeInput.AGREED, Context(now, out))
        if call.state not in WAITING:
            return
        self._step(call, CallInput.HEARD, Context(now, out))
        if call.state in WAITING and (said := state.next()) is not None:
            self._say(call, *said, now, out)

    def _pracked(self, call: Call, context: Context) -> None:
        """Their PRACK. It has the answer where what it acknowledges had our offer; an offer in it waits for the
        application, as that of an UPDATE does (RFC 3262 §5)."""
        assert context.request is not None
        if not call.reliable.matches(context.request, call.invite_cseq):
            self._answer_request(context, 481)
            return
        if call.needs_answer and call.reliable.keeps_answer:
            self._settled(call, context)
            return
        offers = context.sdp is not None
        if not offers:
            self._answer_request(context, 200)
        self._reliable(call, reliable.Input.PRACK, None, context.now, context.out)
        if offers:
            self._exchange(call, ExchangeInput.UPDATE, context)

    def _settled(self, call: Call, context: Context) -> None:
        """They answer our offer before we answer their call: our 200 has no description then (RFC 6337 §3.1.1)."""
        answer = context.sdp
        self._answer_request(context, 200 if answer is not None else 488)
        if answer is None:
            self._reliable(call, reliable.Input.NO_PRACK, None, context.now, context.out)
            return
        call.needs_answer, call.settled = False, True
        context.out.append(CallReanswered(call.id, answer))
        self._reliable(call, reliable.Input.PRACK, None, context.now, context.out)

    # --- ours -------------------------------------------------------------------------------------------------

    def _provisional(self, call: Call, slot: Slot, response: Response, source: Address, context: Context) -> None:
        """A 1xx to our first INVITE. One that is reliable counts once, and in its order (RFC 3262 §4)."""
        if response.status == 100 and call.state is CallState.EARLY:
            self.counters["late: 100 again"] += 1
            return
        tag = response.to.tag
        early = None
        if response.status > 100 and tag is not None and (tag in call.early or len(call.early) < MAX_FORKS):
            early = call.early.setdefault(tag, Early())
            rseq = rseq_of(response)
            if rseq is not None:
                if (early.rseq and rseq != early.rseq + 1) or _pracks(call) >= MOST_PRACKS:
                    self.counters["late: reliable response again, or too early"] += 1
                    return
                try:
                    self._prack(call, early, slot.transaction.request, response, rseq, source, context)
                except RemoteSipError:
                    # it cannot be acknowledged, but it says that somebody is there, and may be told that we are not
                    self.counters["reliable response without a dialog"] += 1
        self._step(call, CallInput.PROGRESS, context)

    def _prack(
        self,
        call: Call,
        early: Early,
        invite: Request,
        response: Response,
        rseq: int,
        source: Address,
        context: Context,
    ) -> None:
        """Raises RemoteSipError where no dialog can be made of the response."""
        dialog = early.dialog or self._made(call, invite, response, source)
        early.dialog, early.rseq = dialog.advanced(), rseq
        self._mark(call)
        self._in(early.dialog, call, "PRACK", context.now, context.out, (rack(response, rseq),))
        if len(call.early) == 1 and early.answer is None and usable(response) is not None:
            # our offer has its answer: from now on either side may offer anew
            self._exchange(call, ExchangeInput.AGREED, context)

    def _tell_progress(self, call: Call, context: Context) -> None:
        response = context.response
        assert response is not None
        if response.status == 100:
            context.out.append(CallTried(call.id))
            return
        answer = usable(response)
        early = call.early.get(response.to.tag or "")
        if early is not None:
            early.answer = answer or early.answer
        context.out.append(CallProgressed(call.id, response.status, answer))

    def _made(self, call: Call, invite: Request, response: Response, source: Address) -> Dialog:
        made = Dialog.of_response(invite, response, source)
        return evolve(made, pinned=self._trunks.settings(call.trunk).pinned)

    def _dialog_of(self, call: Call, invite: Request, response: Response, source: Address) -> Dialog:
        """That of a 2xx, which may go on with an early one (RFC 3261 §13.2.2.4): the numbers of its requests go on, the
        route set is that of the 2xx. Raises RemoteSipError."""
        made = self._made(call, invite, response, source)
        early = call.early.get(response.to.tag or "")
        if early is None or early.dialog is None:
            return made
        return evolve(made, local_cseq=early.dialog.local_cseq, remote_cseq=early.dialog.remote_cseq)

    def _nowhere(self, slot: Slot, response: Response, source: Address, why: str, out: list[Output]) -> Dialog:
        """... of one that says nowhere where it is, or so that nobody can read it: it is let go where it was heard."""
        self.counters["2xx without a dialog"] += 1
        out.append(Refused(source, f"{response.status}: {why}"))
        return Dialog.of_nowhere(slot.transaction.request, response, source)


def _pracks(call: Call) -> int:
    return sum(key[0] == "client" and key[-1] == "PRACK" for key in call.open)
