"""What is sent for a call: requests within its dialog, and responses to the INVITE of theirs that is open.

The layer of `Endpoint` between `leading` and what decides (`renegotiation`, `sessions`).
"""

from __future__ import annotations

import zlib
from typing import Final

from attrs import evolve, field, frozen

from .accounts import CREDENTIALS, Tried
from .asking import direct
from .call import Call
from .dialog import Dialog
from .events import EndCause, Output, Transmit
from .exchange import MAX_RETRY_AFTER
from .layer import Slot, Way, client_key, server_key
from .leading import Leading
from .message import (
    Address,
    RemoteSipError,
    Request,
    Response,
    Row,
    reply_address,
    reply_otherwise,
    respond,
)
from .screening import SDP_TYPE, describe
from .sdp import SessionDescription
from .transaction import Input as TransactionInput

# The header fields of a session timer in a request (RFC 4028 §7.1)
_SESSION_TIMER: Final = frozenset({"Session-Expires", "Min-SE"})


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
    body: bytes = b""
    status: int = 0
    phrase: str | None = None
    rows: tuple[Row, ...] = ()
    tried: Tried | None = None
    cause: EndCause | None = None

    @property
    def request_tag(self) -> str:
        """Whose request it is."""
        return "" if self.request is None else self.request.from_.tag or ""


class Sending(Leading):
    """See the module's docstring."""

    def _chance(self) -> float:
        """From 0 up to 1; whoever cannot guess our tokens cannot guess it."""
        return zlib.crc32(self._token().encode()) / 2**32

    # --- requests within the dialog ---------------------------------------------------------------------------

    def _within(
        self, call: Call, method: str, now: float, out: list[Output], rows: tuple[Row, ...] = (), body: bytes = b""
    ) -> Slot:
        """A request in the call's dialog, in a transaction of its own."""
        assert call.dialog is not None
        call.dialog = call.dialog.advanced()
        return self._in(call.dialog, call, method, now, out, rows, body)

    def _in(
        self,
        dialog: Dialog,
        call: Call,
        method: str,
        now: float,
        out: list[Output],
        rows: tuple[Row, ...] = (),
        body: bytes = b"",
    ) -> Slot:
        """A request in a dialog whose CSeq has been advanced for it."""
        hop = self._hop(dialog, call.trunk)
        local = self._local(hop[0][0])
        request = dialog.request(method, dialog.local_cseq, self._token(), local, (*rows, self._agent()), body)
        return self._lead(dialog, hop, call, self._signed(request, call), now, out)

    def _contact_in(self, call: Call, remote: Address) -> Row:
        """Our Contact in the call's dialog, or in an early one of ours."""
        dialog = call.dialog
        if dialog is None:
            assert call.invite is not None, "what has no dialog yet was dialled"
            return self._contact_of(call.trunk, str(call.invite.from_), self._local(remote), secure=False)
        return self._contact_of(call.trunk, dialog.local, self._local(remote), secure=dialog.secure)

    def _contact_there(self, call: Call) -> Row:
        """... in a request of ours."""
        assert call.dialog is not None
        (destination, _), _ = self._hop(call.dialog, call.trunk)
        return self._contact_in(call, destination)

    def _send_offer(self, call: Call, description: bytes, now: float, out: list[Output]) -> Slot:
        """Our re-INVITE."""
        call.ours = description
        rows = (self._contact_there(call), *self._able(call.trunk), *call.refresh.asked(), SDP_TYPE)
        return self._within(call, "INVITE", now, out, rows, description)

    def _send_update(self, call: Call, now: float, out: list[Output]) -> None:
        """An UPDATE without an offer, that refreshes the session (RFC 4028 §7.4)."""
        rows = (self._contact_there(call), *self._able(call.trunk), *call.refresh.asked())
        self._within(call, "UPDATE", now, out, rows)

    def _request_again(self, call: Call, slot: Slot, tried: Tried, now: float, out: list[Output]) -> Slot:
        """A request within the dialog, or of one that was let go, as its refusal asked: with credentials, or a session
        timer that lasts longer."""
        request = slot.transaction.request
        cseq = request.cseq + 1
        early = call.early.get(request.to.tag or "")
        if call.dialog is not None and call.dialog.remote_tag == (request.to.tag or ""):
            call.dialog = call.dialog.advanced()
            cseq = call.dialog.local_cseq
        elif early is not None and early.dialog is not None:
            early.dialog = early.dialog.advanced()
            cseq = early.dialog.local_cseq
        again = self._renew(_retimed(request, call), cseq, call, slot.destination)
        made = self._start(again, (slot.destination, slot.otherwise), call, now, out, tried, within=slot.within)
        made.name, made.been = slot.name, slot.been
        self._await(made, now)
        return made

    def _invite_again(self, call: Call, context: Context) -> None:
        """Our first INVITE, as its refusal asked. What early dialogs had said is over with it."""
        assert call.invite is not None
        assert context.slot is not None
        assert context.tried is not None
        way = context.slot.destination, context.slot.otherwise
        again = self._renew(_retimed(call.invite, call), call.invite.cseq + 1, call, way[0])
        call.invite, call.invite_cseq = again, again.cseq
        call.early.clear()
        slot = self._start(again, way, call, context.now, context.out, context.tried)
        call.transaction, call.invite, call.peer = slot.transaction, slot.transaction.request, slot.destination

    def _acknowledge(self, dialog: Dialog, call: Call, invite: Request, now: float, out: list[Output]) -> bytes:
        """The ACK of a 2xx is a request of its own, outside any transaction (RFC 3261 §13.2.2.4)."""
        # with the credentials of the INVITE (RFC 3261 §13.2.2.4)
        shown = tuple(row for row in invite.rows if row[0] in CREDENTIALS)
        return self._send_ack(dialog, self._hop(dialog, call.trunk), call, invite.cseq, shown, now, out)

    def _acknowledge_late(self, call: Call, response: Response, source: Address, now: float, out: list[Output]) -> None:
        """... of one that is not asked for any more, back to where it came from. Nobody may challenge an ACK (RFC 3261
        §22.1), so that it goes without credentials."""
        assert call.dialog is not None
        hop = self._hop_back(call.dialog, call.trunk, source)
        self._send_ack(call.dialog, hop, call, response.cseq, (), now, out)

    def _send_ack(
        self,
        dialog: Dialog,
        hop: tuple[Way, str],
        call: Call,
        cseq: int,
        rows: tuple[Row, ...],
        now: float,
        out: list[Output],
    ) -> bytes:
        request = dialog.request("ACK", cseq, self._token(), self._local(hop[0][0]), rows)
        self._lead_ack(dialog, hop, call, request, now, out)
        return bytes(request)

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
            (*kept, *call.parting),
            b"",
            invite.via,
            invite.from_,
            invite.to,
            invite.call_id,
            invite.cseq,
        )
        slot = self._slots.get(client_key(invite))
        way = direct(call.peer) if slot is None else (slot.destination, slot.otherwise)
        self._start(request, self._reached(call.trunk, invite.uri, way), call, now, out)

    # --- responses --------------------------------------------------------------------------------------------

    def _invited(self, call: Call, request: Request, slot: Slot, source: Address, *, needs_answer: bool) -> None:
        """Their INVITE is open from now on."""
        call.invite = request
        call.invite_cseq = request.cseq
        call.transaction = slot.transaction
        call.peer = source
        call.needs_answer = needs_answer
        slot.tag = call.tag

    def _routes(self, call: Call) -> tuple[Row, ...]:
        """RFC 3261 §12.1.1: a response that makes a dialog repeats the Record-Route."""
        assert call.invite is not None
        return tuple(row for row in call.invite.rows if row[0] == "Record-Route")

    def _accept(self, call: Call, description: bytes, now: float, out: list[Output]) -> None:
        """200 to their INVITE that is open, with our answer, or our offer where it had none; with nothing where both
        were said before."""
        assert call.invite is not None
        settled, call.settled = call.settled, False
        call.ours = call.ours if settled else description
        contact = self._contact_in(call, call.peer)
        timer = call.refresh.accepted(call.invite, now)
        rows = (*self._routes(call), contact, *self._able(call.trunk), *timer)
        if settled:
            self._reply_invite(call, 200, None, rows, b"", now, out)
        else:
            self._reply_invite(call, 200, None, (*rows, SDP_TYPE), call.ours, now, out)

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

    def _resend(self, call: Call, out: list[Output]) -> None:
        """The last response again."""
        if call.final:
            assert call.invite is not None
            via = call.invite.via
            out.append(Transmit(call.final, reply_address(via, call.peer), reply_otherwise(via, call.peer)))

    def _answer_request(self, context: Context, status: int, rows: tuple[Row, ...] = (), body: bytes = b"") -> None:
        """The final response to a request of theirs that is no INVITE."""
        assert context.slot is not None
        assert context.source is not None
        request = context.slot.transaction.request
        response = respond(
            request, status, context.source, phrase=context.phrase, rows=(*rows, self._agent(server=True)), body=body
        )
        given = TransactionInput.SEND_2XX if status < 300 else TransactionInput.SEND_FINAL
        self._send(context.slot, given, response, context.now, context.out)

    def _wait(self) -> tuple[Row, ...]:
        """For a 500: when to try again (RFC 3261 §14.2, RFC 3311 §5.2)."""
        return (("Retry-After", str(int(self._chance() * (MAX_RETRY_AFTER + 1)))),)


def _retimed(request: Request, call: Call) -> Request:
    """With the session timer as it is known by now, where there is one in it."""
    kept = tuple(row for row in request.rows if row[0] not in _SESSION_TIMER)
    return request if len(kept) == len(request.rows) else evolve(request, rows=(*kept, *call.refresh.asked()))


def usable(message: Request | Response) -> SessionDescription | None:
    """Their answer, where a bad one is as good as none."""
    try:
        return describe(message)
    except RemoteSipError:
        return None
