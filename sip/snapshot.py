"""What must be kept of a call, so that an endpoint that begins anew goes on with it: same dialog, same transactions.

`freeze` makes a `CallSnapshot` of a call and the transactions it has open, `thaw` makes them again. A snapshot holds
only numbers, octets, tuples and text of ours, so that anything can store it: what came from the wire is kept as octets,
for it need not be UTF-8. Moments are those of the endpoint's clock, which must be one that goes on over a restart.

What is not kept, because nobody misses it: transactions that are over and wait for stragglers (a request that comes
again then is answered with 481, which ends what it asked to end), and a call's record for the half minute after it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from enum import Enum
from functools import lru_cache

from attrs import frozen

from .accounts import CREDENTIALS, Tried
from .call import PROGRESS_INTERVAL, Call, Early
from .call import Input as CallInput
from .call import State as CallState
from .dialog import Dialog
from .exchange import Input as ExchangeInput
from .exchange import State as ExchangeState
from .grammar import Address
from .layer import Slot, client_key, server_key
from .machine import D, I, S, Timed
from .message import Request, Row, parse, serialise
from .referral import EXPIRES, Referral
from .referral import Input as ReferralInput
from .referral import State as ReferralState
from .refresh import Input as RefreshInput
from .refresh import State as RefreshState
from .reliable import Input as ReliableInput
from .reliable import Reliable
from .reliable import State as ReliableState
from .sdp import SdpError
from .sdp import parse as parse_sdp
from .transaction import (
    CLIENT,
    INVITE_CLIENT,
    INVITE_SERVER,
    MACHINES,
    REPEATING,
    TIMER_D,
    State,
    Timer,
    Timers,
    Transaction,
)

# The header fields of an INVITE that its responses, its CANCEL and its ACK repeat (RFC 3261 §8.2.6, §9.1, §12.1.1,
# §13.2.2.4, §17.1.1.3).
ECHOED = frozenset({"Via", "Max-Forwards", "From", "To", "Call-ID", "CSeq", "Route", "Record-Route", *CREDENTIALS})
# Transactions that still have something to do, by machine. An INVITE that was accepted absorbs retransmissions (or is
# acknowledged again) for as long as its call lives; the others hold even a call that has ended.
_OPEN = {
    INVITE_SERVER.name: frozenset({State.PROCEEDING, State.COMPLETED}),
    INVITE_CLIENT.name: frozenset({State.CALLING, State.PROCEEDING}),
    CLIENT.name: frozenset({State.TRYING, State.PROCEEDING}),
}
# ... and those of which nobody knows whether what they sent last arrived, or even left: it is sent again.
_UNHEARD = {
    INVITE_SERVER.name: frozenset({State.COMPLETED}),
    INVITE_CLIENT.name: frozenset({State.CALLING}),
    CLIENT.name: frozenset({State.TRYING, State.PROCEEDING}),
}
# The roles of a transaction in its call
INVITE, OFFER, SETTLED = "invite", "offer", "settled"
_MACHINES = {machine.name: machine for machine in MACHINES}


@frozen
class DialogSnapshot:
    """A `Dialog`, its text as octets."""

    call_id: bytes
    local_tag: str
    remote_tag: bytes
    local: bytes
    remote: bytes
    local_cseq: int
    remote_cseq: int | None
    target: bytes
    routes: tuple[bytes, ...]
    peer: Address
    pinned: bool


@frozen
class TransactionSnapshot:
    """A transaction in the endpoint's hands; `role` says which INVITE of its call it is of, if any. `request` is empty
    where it is that of theirs which the call keeps, or `last`: what we sent and may have to send anew with credentials.
    `timers` are letters and moments."""

    machine: str
    state: str
    request: bytes
    last: bytes
    timers: tuple[tuple[str, float], ...]
    interval: float
    destination: Address
    tag: str
    otherwise: Address | None = None
    tried: Tried = ()
    role: str = ""
    within: bool = False
    name: str = ""
    been: tuple[Address, ...] = ()
    answers: int = 0
    instead: Address | None = None


@frozen
class MachineSnapshot:
    """A machine of a call: its state, its timers, and the interval of the one that doubles."""

    state: str
    timers: tuple[tuple[str, float], ...]
    interval: float


@frozen
class ExchangeSnapshot:
    """Offers and answers; descriptions are empty where there are none."""

    machine: MachineSnapshot
    owner: bool
    sent: bytes
    wanted: bytes
    glares: int


@frozen
class RefreshSnapshot:
    """The session timer."""

    machine: MachineSnapshot
    least: int
    speaks: bool
    updates: bool


@frozen
class EarlySnapshot:
    """An early dialog of a call that we dialled."""

    tag: bytes
    dialog: DialogSnapshot | None
    rseq: int
    answer: bytes
    renewed: bool


@frozen
class ReliableSnapshot:
    """Provisional responses that have to arrive."""

    machine: MachineSnapshot
    able: bool
    required: bool
    rseq: int
    last: bytes
    described: bool
    held: tuple[tuple[int, bytes], ...]


@frozen
class ReferralSnapshot:
    """What was referred, and is told of."""

    machine: MachineSnapshot
    event: str
    stands: int
    wanted: int


@frozen
class CallSnapshot:
    """A call; see `Call` for what the fields mean. `id` names it in every command."""

    id: str
    tag: str
    trunk: str
    dialog: DialogSnapshot | None
    invite: bytes
    invite_cseq: int
    peer: Address
    final: bytes
    ack: bytes
    needs_answer: bool
    settled: bool
    parting: tuple[Row, ...]
    early: tuple[EarlySnapshot, ...]
    ours: bytes
    machine: MachineSnapshot
    exchange: ExchangeSnapshot
    refresh: RefreshSnapshot
    reliable: ReliableSnapshot
    referral: ReferralSnapshot | None
    transactions: tuple[TransactionSnapshot, ...]

    @property
    def live(self) -> bool:
        """False: it is over for the application, and only its last request or response is still on the way."""
        return self.machine.state != CallState.ENDED.value

    @property
    def unanswered(self) -> bool:
        """An INVITE of theirs without a final response."""
        return self.machine.state in (CallState.OFFERED.value, CallState.PLEDGED.value)


def freeze(call: Call, slots: Iterable[Slot]) -> CallSnapshot | None:
    """The snapshot of a call with its transactions, None where nothing is left to be done for it."""
    ended = call.state is CallState.ENDED
    kept = [slot for slot in slots if _is_open(slot.transaction, ended=ended)]
    if ended and not kept and call.referral.state is ReferralState.IDLE:
        return None
    return CallSnapshot(
        id=call.id,
        tag=call.tag,
        trunk=call.trunk,
        dialog=_dialog_of(call),
        invite=_invite_of(call),
        invite_cseq=call.invite_cseq,
        peer=call.peer,
        final=call.final,
        ack=call.ack,
        needs_answer=call.needs_answer,
        settled=call.settled,
        parting=call.parting,
        early=tuple([_freeze_early(tag, each) for tag, each in call.early.items()]),
        ours=call.ours,
        machine=_freeze_machine(call),
        exchange=ExchangeSnapshot(
            _freeze_machine(call.exchange),
            call.exchange.owner,
            call.exchange.sent,
            call.exchange.wanted,
            call.exchange.glares,
        ),
        refresh=RefreshSnapshot(
            _freeze_machine(call.refresh), call.refresh.least, call.refresh.speaks, call.refresh.updates
        ),
        reliable=_freeze_reliable(call.reliable),
        referral=_freeze_referral(call.referral),
        transactions=tuple([_freeze_slot(slot, call) for slot in kept]),
    )


def _dialog_of(call: Call) -> DialogSnapshot | None:
    """Made once for each dialog, as most of what changes in a call is not that."""
    dialog, made = call.dialog, call.frozen_dialog
    if dialog is None:
        return None
    if made is None or made[0] is not dialog:
        made = call.frozen_dialog = dialog, _freeze_dialog(dialog)
    return made[1]


def _invite_of(call: Call) -> bytes:
    """... and once for each INVITE."""
    invite, made = call.invite, call.frozen_invite
    if invite is None:
        return b""
    if made is None or made[0] is not invite:
        made = call.frozen_invite = invite, _head(invite)
    return made[1]


def _is_open(transaction: Transaction, *, ended: bool) -> bool:
    if transaction.state is State.ACCEPTED:
        return not ended
    return transaction.state in _OPEN.get(transaction.machine.name, ())


def unheard(transaction: Transaction) -> bool:
    """Whether it sends its last message again after a restart."""
    return transaction.state in _UNHEARD.get(transaction.machine.name, ())


def _freeze_machine(machine: Timed[S, I, D]) -> MachineSnapshot:
    if not machine.running:
        return _still(machine.state, machine.interval)
    timers = tuple([(timer.value, when) for timer, when in machine.running.items()])
    return MachineSnapshot(machine.state.value, timers, machine.interval)


@lru_cache(maxsize=200)  # of the five of a call most run no timer at most times
def _still(state: Enum, interval: float) -> MachineSnapshot:
    return MachineSnapshot(state.value, (), interval)


def _freeze_reliable(state: Reliable) -> ReliableSnapshot:
    return ReliableSnapshot(
        _freeze_machine(state), state.able, state.required, state.rseq, state.last, state.described, state.held
    )


def _freeze_referral(state: Referral) -> ReferralSnapshot | None:
    if state.state is ReferralState.IDLE:
        return None
    return ReferralSnapshot(_freeze_machine(state), state.event, state.stands, state.wanted)


def _freeze_early(tag: str, early: Early) -> EarlySnapshot:
    return EarlySnapshot(
        _octets(tag),
        None if early.dialog is None else _freeze_dialog(early.dialog),
        early.rseq,
        b"" if early.answer is None else bytes(early.answer),
        early.renewed,
    )


def _freeze_dialog(dialog: Dialog) -> DialogSnapshot:
    return DialogSnapshot(
        call_id=_octets(dialog.call_id),
        local_tag=dialog.local_tag,
        remote_tag=_octets(dialog.remote_tag),
        local=_octets(dialog.local),
        remote=_octets(dialog.remote),
        local_cseq=dialog.local_cseq,
        remote_cseq=dialog.remote_cseq,
        target=_octets(dialog.target),
        routes=tuple([_octets(route) for route in dialog.routes]),
        peer=dialog.peer,
        pinned=dialog.pinned,
    )


def _freeze_slot(slot: Slot, call: Call) -> TransactionSnapshot:
    transaction = slot.transaction
    return TransactionSnapshot(
        machine=transaction.machine.name,
        state=transaction.state.value,
        request=b"" if transaction is call.transaction or _ours(transaction) else _head(transaction.request),
        last=transaction.last,
        timers=tuple([(timer.value, when) for timer, when in transaction.running.items()]),
        interval=transaction.interval,
        destination=slot.destination,
        tag=slot.tag,
        otherwise=slot.otherwise,
        tried=slot.tried,
        role=SETTLED if slot.settled else _role(transaction, call),
        within=slot.within,
        name=slot.name,
        been=slot.been,
        answers=slot.answers,
        instead=slot.instead,
    )


def _role(transaction: Transaction, call: Call) -> str:
    """Which of those that the call holds it is."""
    if transaction is call.transaction:
        return INVITE
    return OFFER if transaction is call.exchange.transaction else ""


def _ours(transaction: Transaction) -> bool:
    """A request of ours, which its transaction holds as it was sent."""
    return transaction.machine is CLIENT or transaction.machine is INVITE_CLIENT


def _head(request: Request) -> bytes:
    """Of a request what others repeat of it; what is sent again as a whole is kept beside it."""
    return serialise(f"{request.method} {request.uri} SIP/2.0", [row for row in request.rows if row[0] in ECHOED], b"")


def thaw(snapshot: CallSnapshot, timers: Timers, chance: Callable[[], float], now: float) -> tuple[Call, list[Slot]]:
    """The call and its transactions again. What is due by `now` is due; what repeats is due an interval from now.

    Raises RemoteSipError, KeyError or ValueError for what `freeze` did not make."""
    invite = _request(snapshot.invite) if snapshot.invite else None
    # no timer that matters runs longer: a clock that was set back meanwhile must not hold a call for ever
    latest = now + max(timers.timeout, TIMER_D, PROGRESS_INTERVAL)
    call = Call(snapshot.id, snapshot.tag, CallState(snapshot.machine.state), timers, now, chance=chance)
    call.trunk = snapshot.trunk
    call.dialog = None if snapshot.dialog is None else _thaw_dialog(snapshot.dialog)
    call.invite = invite
    call.invite_cseq = snapshot.invite_cseq
    call.peer = snapshot.peer
    call.final = snapshot.final
    call.ack = snapshot.ack
    call.needs_answer = snapshot.needs_answer
    call.settled = snapshot.settled
    call.parting = snapshot.parting
    call.ours = snapshot.ours
    call.early = {_text(each.tag): _thaw_early(each) for each in snapshot.early}
    _thaw_machine(call, snapshot.machine, CallState, CallInput, now, latest)
    expires = dict(snapshot.machine.timers).get(CallInput.EXPIRED.value)
    if expires is not None:
        call.expire(expires)
    _thaw_exchange(call, snapshot.exchange, now, latest)
    _thaw_refresh(call, snapshot.refresh, now)
    _thaw_reliable(call.reliable, snapshot.reliable, now, latest)
    if snapshot.referral is not None:
        _thaw_referral(call.referral, snapshot.referral, now)
    slots = []
    for each in snapshot.transactions:
        ours = each.machine in (CLIENT.name, INVITE_CLIENT.name)
        request = _request(each.last if ours else each.request) if ours or each.request else invite
        assert request is not None, "a transaction without a request of its own is the INVITE's"
        slot = _thaw_slot(each, request, call, timers, now)
        if each.role == INVITE:
            call.transaction = slot.transaction
            call.invite = request
        elif each.role == OFFER:
            call.exchange.transaction = slot.transaction
        slots.append(slot)
    return call, slots


def _thaw_machine(
    machine: Timed[S, I, D], kept: MachineSnapshot, states: type[S], inputs: type[I], now: float, latest: float
) -> None:
    machine.state = states(kept.state)
    machine.interval = kept.interval
    machine.running = {}
    for name, when in kept.timers:
        repeats = name in (CallInput.RETRANSMIT.value, ReliableInput.RETRANSMIT.value)
        machine.running[inputs(name)] = now + kept.interval if repeats else min(when, latest)


def _thaw_exchange(call: Call, kept: ExchangeSnapshot, now: float, latest: float) -> None:
    exchange = call.exchange
    _thaw_machine(exchange, kept.machine, ExchangeState, ExchangeInput, now, latest)
    if exchange.state is ExchangeState.UPDATED:
        # whoever sent that UPDATE sends it again, and it is heard as if for the first time
        exchange.state = ExchangeState.STABLE
    exchange.owner = kept.owner
    exchange.sent, exchange.wanted = kept.sent, kept.wanted
    exchange.glares = kept.glares


def _thaw_reliable(state: Reliable, kept: ReliableSnapshot, now: float, latest: float) -> None:
    _thaw_machine(state, kept.machine, ReliableState, ReliableInput, now, latest)
    state.able, state.required, state.rseq = kept.able, kept.required, kept.rseq
    state.last, state.described, state.held = kept.last, kept.described, kept.held


def _thaw_referral(state: Referral, kept: ReferralSnapshot, now: float) -> None:
    _thaw_machine(state, kept.machine, ReferralState, ReferralInput, now, now + EXPIRES)
    if state.state is ReferralState.ASKED:
        # whoever sent that REFER sends it again, and it is heard as if for the first time
        state.state = ReferralState.IDLE
    state.event, state.stands, state.wanted = kept.event, kept.stands, kept.wanted


def _thaw_early(kept: EarlySnapshot) -> Early:
    early = Early(None if kept.dialog is None else _thaw_dialog(kept.dialog), kept.rseq, renewed=kept.renewed)
    with contextlib.suppress(SdpError):  # it only counts where the 2xx does not repeat it as it must
        early.answer = parse_sdp(kept.answer) if kept.answer else None
    return early


def _thaw_refresh(call: Call, kept: RefreshSnapshot, now: float) -> None:
    refresh = call.refresh
    _thaw_machine(refresh, kept.machine, RefreshState, RefreshInput, now, now + kept.machine.interval)
    refresh.least, refresh.speaks, refresh.updates = kept.least, kept.speaks, kept.updates


def _thaw_slot(snapshot: TransactionSnapshot, request: Request, call: Call, timers: Timers, now: float) -> Slot:
    machine = _MACHINES[snapshot.machine]
    transaction = Transaction(machine, request, timers, reliable=snapshot.destination.reliable)
    transaction.state = State(snapshot.state)
    transaction.last = snapshot.last
    transaction.interval = snapshot.interval
    latest = now + max(timers.timeout, TIMER_D)
    transaction.running = {
        Timer(letter): now + snapshot.interval if Timer(letter) in REPEATING else min(when, latest)
        for letter, when in snapshot.timers
    }
    key = client_key(request) if _ours(transaction) else server_key(request, request.method)
    slot = Slot(transaction, key, snapshot.destination, call, snapshot.tag, snapshot.otherwise)
    # whoever wrote it before there was `within` knew it by the tag
    slot.tried, slot.within = snapshot.tried, snapshot.within or (_ours(transaction) and request.to.tag is not None)
    slot.name, slot.been, slot.answers = snapshot.name, snapshot.been, snapshot.answers
    slot.instead = snapshot.instead
    slot.settled = snapshot.role == SETTLED
    return slot


def _thaw_dialog(snapshot: DialogSnapshot) -> Dialog:
    return Dialog(
        call_id=_text(snapshot.call_id),
        local_tag=snapshot.local_tag,
        remote_tag=_text(snapshot.remote_tag),
        local=_text(snapshot.local),
        remote=_text(snapshot.remote),
        local_cseq=snapshot.local_cseq,
        remote_cseq=snapshot.remote_cseq,
        target=_text(snapshot.target),
        routes=tuple(_text(route) for route in snapshot.routes),
        peer=snapshot.peer,
        pinned=snapshot.pinned,
    )


def _request(data: bytes) -> Request:
    message = parse(data, ours=True)
    assert isinstance(message, Request)
    return message


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")
