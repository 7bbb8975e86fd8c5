"""The shell between calls and SIP: the endpoint's outputs become messages to call actors, their effects its commands.

A new INVITE spawns its call actor before anything else can happen to it, so a CANCEL that follows at once finds its
call. Where the centre is full the endpoint refuses it with 503. A call actor that ends, however it ends, has its SIP
call hung up.

SIP calls outlive this process: what has changed since the last ask is in `snapshots`, and before anything of a step is
sent `keep` is called, so that it can be written first. `restore` takes a call up again for an actor that lives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import assert_never

import structlog

from ..sip.endpoint import Endpoint
from ..sip.events import (
    CallAnswered,
    CallCancelled,
    CallConfirmed,
    CallEnded,
    CallFailed,
    CallKeyed,
    CallProgressed,
    CallReoffered,
    IncomingCall,
    Output,
    Refused,
    Replied,
    Transmit,
)
from ..sip.sdp import TRUNK_CODECS, TrunkCodec
from ..sip.snapshot import CallSnapshot
from . import signals
from .call import Call
from .effects import Sip
from .redact import redacted
from .runtime import System

# What a caller is told whose call was lost before its answer, in seconds: by then the switch has found itself again.
RETRY_AFTER = 2

log = structlog.get_logger()


class Signalling:
    """Between `endpoint` and the calls of `system`; `perform` sends what the endpoint wants sent. `codecs` are what
    trunks may speak, preferred first."""

    def __init__(
        self,
        system: System,
        endpoint: Endpoint,
        clock: Callable[[], float],
        codecs: tuple[TrunkCodec, ...] = TRUNK_CODECS,
    ) -> None:
        self._system = system
        self._codecs = codecs
        self._endpoint = endpoint
        self._clock = clock
        self._live: set[str] = set()
        # Called before anything of a step is sent; whoever stores snapshots sets it.
        self.keep: Callable[[], None] = lambda: None if endpoint.changed is None else endpoint.changed.clear()
        self._transmit: Callable[[list[Output]], None] = lambda outputs: None

    def connect(self, perform: Callable[[list[Output]], None]) -> None:
        """Where the endpoint's outputs go: the transport, which hands back to `on_output` what is no datagram."""
        self._transmit = perform

    @property
    def calls(self) -> int:
        return len(self._live)

    def lives(self, call: str) -> bool:
        return call in self._live

    # --- over a restart ---------------------------------------------------------------------------------------

    def snapshots(self) -> Iterator[tuple[str, CallSnapshot | None]]:
        """The calls that have changed since the last ask, and what must be kept of them; None: nothing more."""
        changed = self._endpoint.changed
        while changed:
            call = changed.pop()
            yield call, self._endpoint.snapshot(call)

    def restore(self, snapshot: CallSnapshot, actor: str | None) -> None:
        """The SIP call again, for its actor, which lives already: what SIP has to say comes at once. Without one the
        call is ended: with BYE, or with 503 where it had no answer. Raises what `Endpoint.restore` does."""
        self._command(self._endpoint.restore(snapshot, self._clock()))
        if actor is not None:
            assert actor == f"call:{snapshot.id}", "a call is its actor's by name"
            if snapshot.live:
                self._live.add(snapshot.id)
        elif snapshot.unanswered:
            self._command(self._endpoint.reject(snapshot.id, 503, self._clock(), retry_after=RETRY_AFTER))
        elif snapshot.live:
            self._command(self._endpoint.hang_up(snapshot.id, self._clock()))

    # --- from SIP ---------------------------------------------------------------------------------------------

    def on_output(self, output: Output) -> None:
        match output:
            case IncomingCall():
                self._incoming(output)
            case CallCancelled(call):
                self._tell(call, signals.Cancelled(call), over=True)
            case CallConfirmed(call, answer):
                self._tell(call, signals.Confirmed(call, answer))
            case CallReoffered(call, offer):
                self._tell(call, signals.Reoffered(call, offer))
            case CallKeyed(call, digit):
                self._tell(call, signals.KeyPressed(call, digit))
            case CallEnded(call, cause, _):
                self._tell(call, signals.Released(call, _CAUSES[cause], cause == "bye"), over=True)
            case CallProgressed() | CallAnswered() | CallFailed():
                raise AssertionError("no actor dials")
            case Replied():
                raise AssertionError("no actor asks")
            case Refused(source, reason):
                log.info("sip refused", **redacted({"source": source.host, "reason": reason}))
            case Transmit():
                raise AssertionError("datagrams are the transport's")
            case _:
                assert_never(output)

    def _incoming(self, output: IncomingCall) -> None:
        arrived = signals.Arrived(
            call=output.call,
            trunk=output.trunk,
            dialled=output.number,
            caller=output.caller or "",
            caller_name=output.caller_name,
            offer=output.offer,
            peer=output.peer,
            codecs=self._codecs,
        )
        self._live.add(output.call)
        self._system.counters["calls"] += 1
        self._system.spawn(f"call:{output.call}", Call(arrived, self._clock()))

    def _tell(self, call: str, signal: signals.SipSignal, *, over: bool = False) -> None:
        if over:
            self._live.discard(call)
        self._system.tell(f"call:{call}", signal)

    # --- from calls -------------------------------------------------------------------------------------------

    def perform(self, actor: str, effect: Sip) -> None:
        """One SIP effect of a call actor."""
        now, command = self._clock(), effect.command
        match command:
            case signals.Ring(call):
                self._command(self._endpoint.ring(call, now))
            case signals.AnswerSip(call, description):
                self._command(self._endpoint.answer(call, description, now))
            case signals.Reject(call, status, reason, retry_after):
                self._live.discard(call)
                outputs = self._endpoint.reject(
                    call, status, now, reason=reason or None, retry_after=retry_after or None
                )
                self._command(outputs)
            case signals.Release(call, _):
                self._hang_up(call)
            case signals.Reanswer(call, description):
                self._command(self._endpoint.reanswer(call, description, now))
            case signals.RejectReoffer(call, status):
                self._command(self._endpoint.reject_reoffer(call, status, now))
            case _:
                assert_never(command)

    def on_end(self, actor: str, reason: str) -> None:
        """The call actor is gone: so is its SIP call."""
        if actor.startswith("call:"):
            self._hang_up(actor.removeprefix("call:"))

    def _hang_up(self, call: str) -> None:
        if call in self._live:
            self._live.discard(call)
            self._command(self._endpoint.hang_up(call, self._clock()))

    def _command(self, outputs: list[Output]) -> None:
        self._transmit(outputs)


_CAUSES = {"bye": "hung up", "no-ack": "the answer was never acknowledged", "bad-answer": "no usable media"}
