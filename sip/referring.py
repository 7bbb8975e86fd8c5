"""What the endpoint does about calls that the far side wants given to somebody else: the actions of the table in
`referral`, carried out.

The layer of `Endpoint` between `provisional` and `sessions`.
"""

from __future__ import annotations

import contextlib

from attrs import evolve

from .call import Call
from .events import CallReferred, Output
from .grammar import NameAddr, Uri, same_host
from .machine import Move
from .message import Address, RemoteSipError, Request, Row
from .provisional import Provisional
from .referral import UNTOLD, Do, Input, refer_to
from .screening import Refusal
from .sending import Context

# RFC 6665 §4.2.2: why a subscription is over
DONE, TIMED_OUT = "noresource", "timeout"


class Referring(Provisional):
    """See the module's docstring."""

    _by_tag: dict[str, Call]

    def _unreferable(self, request: Request, source: Address, trunk: str) -> Refusal | None:
        """A REFER that no call hears of. Whom it names has to be at the trunk's hosts, or at ours, or where the two
        sides of the call say they are: the number is called by the trunk, and nobody else is. Raises RemoteSipError
        where it cannot be read."""
        if request.method != "REFER" or request.to.tag is None:
            return None
        try:
            uri = refer_to(request)
        except RemoteSipError as error:
            warning = ("Warning", f'399 {self.settings.user_agent} "{error.text}"')
            return Refusal(error.status, error.text, (warning,))
        own = uri.scheme == "tel" or self._trunks.owns(trunk, uri.host) or uri.host == self._local(source).host
        if own or any(same_host(uri.host, each) for each in self._named(request)):
            return None
        return Refusal(603, "refers elsewhere", (("Warning", f'399 {self.settings.user_agent} "refers elsewhere"'),))

    def _named(self, request: Request) -> list[str]:
        """The hosts that both sides of the call have given themselves and each other."""
        call = self._by_tag.get(request.to.tag or "")
        if call is None or call.dialog is None:
            return []
        hosts: list[str] = []
        for each in (call.dialog.local, call.dialog.remote, f"<{call.dialog.target}>"):
            with contextlib.suppress(RemoteSipError):
                hosts.append(Uri.parse(NameAddr.parse(each).uri).host)
        return hosts

    def _refer(self, call: Call, given: Input, context: Context) -> None:
        state = call.referral
        row = state.receive(given, context.now)
        if not isinstance(row, Move):
            self.counters[f"late: {row.name}"] += 1
            return
        self._mark(call)
        for what in row.do:
            self._do_referral(call, what, context)
        self._schedule(call)

    def _do_referral(self, call: Call, what: Do, context: Context) -> None:
        state = call.referral
        match what:
            case Do.ASK:
                assert context.request is not None
                assert context.slot is not None
                assert context.source is not None
                state.waiting = context.slot, context.source
                context.out.append(CallReferred(call.id, refer_to(context.request).number))
            case Do.ACCEPT:
                assert state.waiting is not None
                state.begin(state.waiting[0].transaction.request)
                # not the 200 of RFC 6665 §8.3.1: who knows RFC 3515 alone takes that for something else
                self._answer_referral(call, 202, context)
            case Do.ACCEPT_UNTOLD:
                self._answer_referral(call, 202, context, UNTOLD)
            case Do.REJECT:
                self._answer_referral(call, context.status, context)
            case Do.LEAVE:
                self._answer_referral(call, 481, context)
            case Do.REPLY_491:
                self._answer_request(context, 491)
            case Do.KEEP:
                state.wanted = context.status
            case Do.NEXT:
                if state.wanted:
                    status, state.wanted = state.wanted, 0
                    self._stands(call, status, context)
            case Do.TRYING:
                self._notify(call, context)
            case Do.NOTIFY:
                state.stands = context.status
                self._notify(call, context)
            case Do.NOTIFY_LAST:
                state.stands = context.status
                self._notify(call, context, DONE)
            case Do.NOTIFY_EXPIRED:
                self._notify(call, context, TIMED_OUT)

    def _stands(self, call: Call, status: int, context: Context) -> None:
        given = Input.STANDS if status < 200 else Input.LAST
        self._refer(call, given, evolve(context, status=status))

    def _answer_referral(self, call: Call, status: int, context: Context, *rows: Row) -> None:
        assert call.referral.waiting is not None
        slot, source = call.referral.waiting
        contact = (self._contact_in(call, source),) if status < 300 else ()
        self._answer_request(evolve(context, slot=slot, source=source), status, (*contact, *rows))

    def _notify(self, call: Call, context: Context, reason: str = "") -> None:
        contact = self._contact_there(call)
        rows, body = call.referral.said(context.now, reason)
        self._within(call, "NOTIFY", context.now, context.out, (contact, *self._able(call.trunk), *rows), body)

    def _notified(self, call: Call, status: int, now: float, out: list[Output]) -> None:
        """The answer to a NOTIFY of ours, also to that nobody has answered it."""
        if status >= 200:
            self._refer(call, Input.HEARD if status < 300 else Input.LOST, Context(now, out))
