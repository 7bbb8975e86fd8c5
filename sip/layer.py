"""All transactions of the endpoint: found by key, fed, and woken in time (RFC 3261 §17.1.3, §17.2.3).

`TransactionLayer` owns a `Slot` for each transaction and the deadlines of transactions and calls alike. What a
transaction delivers goes up through three methods that `Sessions` fills in.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import Final, TypeAlias

from attrs import frozen

from .accounts import Tried
from .call import Call
from .events import (
    Output,
    Transmit,
)
from .message import (
    MAGIC_COOKIE,
    Address,
    RemoteSipError,
    Request,
    Response,
    parse,
    reply_address,
    reply_otherwise,
)
from .moments import Moments
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

Key: TypeAlias = tuple[str, ...]
# Where a message goes, and otherwise (see `Transmit`)
Way: TypeAlias = tuple[Address, Address | None]
# What is refused for want of room is counted from 0 on, for who asks by how much it has risen.
REFUSALS: Final = dict.fromkeys(
    ("refused 503", "refused busy", "refused connection: peer has too many", "refused connection: too many"), 0
)


@frozen
class Asked:
    """A request of ours outside dialogs: the application's id of it, and the trunk whose account answers for it."""

    id: str
    trunk: str


class Slot:
    """A transaction in the endpoint's hands: its key, where its messages go (see `Transmit`), and whose it is. `tried`:
    with which credentials its request was sent again. `instead`: where its request would have gone by UDP, had it not
    been too long for that. `name` is that under which its destination was found, and `been` are the others where its
    request has been; as long as it `waits` for where the name leads it was not sent, and `patience` is until when
    something has to be heard from there. `answers`: so often has a 2xx come. `within`: it is of ours in a dialog, which
    its To does not say where the far side has no tag (RFC 3261 §12.1.2). `anew`: its connection broke, and it was sent
    again on another one to the same host. `settled`: its offer was answered by a host where it had been before."""

    __slots__ = (
        "anew", "answers", "asked", "been", "call", "destination", "instead", "key", "merged", "name", "otherwise",
        "patience", "scheduled", "settled", "state", "tag", "transaction", "tried", "waits", "within",
    )  # fmt: skip

    def __init__(
        self,
        transaction: Transaction,
        key: Key,
        destination: Address,
        call: Call | None,
        tag: str = "",
        otherwise: Address | None = None,
    ) -> None:
        self.transaction = transaction
        self.key = key
        self.destination = destination
        self.otherwise = otherwise
        self.instead: Address | None = None
        self.name = ""
        self.been: tuple[Address, ...] = ()
        self.waits = False
        self.patience = math.inf
        self.answers = 0
        self.within = False
        self.anew = False
        self.settled = False
        self.call = call
        self.asked: Asked | None = None
        self.tried: Tried = ()
        self.tag = tag
        self.merged: Key | None = None
        self.scheduled = math.inf
        # the transaction's, when its call was last said to have changed
        self.state = transaction.state


class TransactionLayer(ABC):
    """The lower half of `Endpoint`."""

    def __init__(self, timers: Timers, changed: set[str] | None) -> None:
        self.counters: Counter[str] = Counter(REFUSALS)
        self.changed = changed
        self._timers = timers
        self._slots: dict[Key, Slot] = {}
        # those of them whose messages go by connections
        self._connected: dict[Key, Slot] = {}
        self._merged: dict[Key, Slot] = {}
        self._moments: Moments[Slot | Call] = Moments()

    @property
    def transactions(self) -> int:
        """Those that are not over, with those that wait for what may still be on its way."""
        return len(self._slots)

    @abstractmethod
    def _answered(self, slot: Slot, response: Response, source: Address, now: float, out: list[Output]) -> None:
        """A response for the user of this client transaction."""

    @abstractmethod
    def _ack_of_success(self, request: Request, source: Address, now: float, out: list[Output]) -> None:
        """The ACK of a 2xx, whatever its branch."""

    @abstractmethod
    def _by_datagrams(self, slot: Slot, instead: Address, now: float, out: list[Output]) -> None:
        """There is no connection for this request: by UDP it may get there."""

    @abstractmethod
    def _silent(self, slot: Slot, status: int, phrase: str, now: float, out: list[Output]) -> None:
        """Nobody answered, or nothing could be sent."""

    @abstractmethod
    def _only_there(self, slot: Slot) -> bool:
        """Whether this request is of a dialog, and there is no other host for it."""

    @abstractmethod
    def _impatient(self, slot: Slot, now: float, out: list[Output]) -> None:
        """Nothing may have been heard for as long as it takes to hear of a host that is there."""

    @abstractmethod
    def _wake_call(self, call: Call, now: float, out: list[Output]) -> None:
        """A deadline of this call has come."""

    def _serve(self, request: Request, source: Address, call: Call | None) -> Slot:
        machine = INVITE_SERVER if request.method == "INVITE" else SERVER
        key = server_key(request, request.method)
        transaction = Transaction(machine, request, self._timers, reliable=source.reliable)
        destination, otherwise = reply_address(request.via, source), reply_otherwise(request.via, source)
        slot = Slot(transaction, key, destination, call, otherwise=otherwise)
        self._hold(slot)
        return slot

    def _start(
        self,
        request: Request,
        way: Way,
        owner: Call | Asked,
        now: float,
        out: list[Output],
        tried: Tried = (),
        *,
        within: bool = False,
    ) -> Slot:
        destination, otherwise = way
        machine = INVITE_CLIENT if request.method == "INVITE" else CLIENT
        key = client_key(request)
        transaction = Transaction(machine, request, self._timers, reliable=destination.reliable)
        slot = Slot(transaction, key, destination, owner if isinstance(owner, Call) else None, otherwise=otherwise)
        slot.asked = owner if isinstance(owner, Asked) else None
        slot.tried = tried
        slot.within = within
        self._hold(slot)
        self._effects(slot, slot.transaction.start(bytes(request), now), now, out, None)
        return slot

    def _hold(self, slot: Slot) -> None:
        self._slots[slot.key] = slot
        if slot.destination.reliable:
            self._connected[slot.key] = slot
        if slot.call is not None:
            slot.call.open[slot.key] = None

    def _let_go(self, slot: Slot) -> None:
        self._slots.pop(slot.key, None)
        self._connected.pop(slot.key, None)
        self._moments.drop(slot)
        if slot.merged is not None:
            self._merged.pop(slot.merged, None)
        if slot.call is not None:
            slot.call.open.pop(slot.key, None)

    def _mark(self, call: Call) -> None:
        """The call's snapshot is another now."""
        if self.changed is not None:
            self.changed.add(call.id)

    def _feed(
        self,
        slot: Slot,
        given: TransactionInput,
        now: float,
        out: list[Output],
        message: Request | Response | None = None,
        source: Address | None = None,
    ) -> None:
        self._effects(slot, slot.transaction.receive(given, now, message), now, out, source)

    def _send(self, slot: Slot, given: TransactionInput, response: Response, now: float, out: list[Output]) -> None:
        self._effects(slot, slot.transaction.receive(given, now, data=bytes(response)), now, out, None)

    def _effects(
        self, slot: Slot, effects: list[Effect], now: float, out: list[Output], source: Address | None
    ) -> None:
        if slot.transaction.state is State.TERMINATED:
            self._let_go(slot)
        else:
            self._schedule(slot)
        if slot.transaction.state is not slot.state:
            slot.state = slot.transaction.state
            if slot.call is not None:
                self._mark(slot.call)
        for effect in effects:
            match effect:
                case Send(data):
                    slot.waits = False
                    out.append(Transmit(data, slot.destination, slot.otherwise))
                case Deliver(Response() as response):
                    self._answered(slot, response, source or slot.destination, now, out)
                case Deliver(Request() as request):
                    self._ack_of_success(request, source or slot.destination, now, out)
                case TimedOut() if not slot.waits:
                    self._silent(slot, 408, "no response", now, out)
                case TimedOut() | Failed():
                    self._silent(slot, 503, "cannot be sent", now, out)
                case Dropped(name):
                    self.counters[f"late: {name}"] += 1

    def _schedule(self, item: Slot | Call) -> None:
        when = item.deadline() if isinstance(item, Call) else min(item.transaction.deadline(), item.patience)
        self._moments.add(item, when)

    def _await(self, slot: Slot, now: float) -> None:
        """What goes to a host of a name may go to another one."""
        if slot.name:
            slot.patience = now + self._timers.patience
            self._schedule(slot)

    def deadline(self) -> float:
        """When `wake` wants to be called next, never too late, at times too early; math.inf for never."""
        return self._moments.next()

    def wake(self, now: float) -> list[Output]:
        """Fires what is due."""
        out: list[Output] = []
        while (item := self._moments.take(now)) is not None:
            if isinstance(item, Call):
                self._wake_call(item, now, out)
            elif item.patience <= now:
                self._impatient(item, now, out)
            elif item.transaction.state is not State.TERMINATED:
                self._effects(item, item.transaction.wake(now), now, out, None)
        return out

    def disconnected(self, remote: Address, unwritten: Sequence[Transmit], now: float) -> list[Output]:
        """A connection is gone, or could not be made, and `unwritten` was not sent on it (RFC 3261 §18.4). What waits
        for an answer from there is sent again on another connection where there may be one, and fails where not; a
        response that was not written goes by a new connection (§18.2.2), and so does an ACK. What belongs to a call and
        was written is sent once more to the same host where there is no other: who closes a connection on which nothing
        was said for a while may do so as we write."""
        out: list[Output] = []
        missing = {transmit.data for transmit in unwritten}
        for transmit in unwritten:
            if not transmit.data.startswith((b"SIP/", b"ACK ")):
                continue  # a request is its transaction's
            if transmit.otherwise is not None and transmit.otherwise != remote:
                out.append(Transmit(transmit.data, transmit.otherwise, transmit.otherwise))
            else:
                self.counters["unsent"] += 1
        for slot in list(self._connected.values()):
            transaction = slot.transaction
            if remote not in (slot.destination, slot.otherwise) or not transaction.asks:
                continue
            again = transaction.last not in missing and not slot.anew and self._only_there(slot)
            if slot.otherwise is not None and (slot.otherwise != remote or again):
                slot.anew = slot.otherwise == remote
                slot.destination = slot.otherwise
                out.append(Transmit(transaction.last, slot.destination, slot.otherwise))
            else:
                self._unsendable(slot, now, out, sent=transaction.last not in missing)
        return out

    def unsent(self, transmit: Transmit, now: float) -> list[Output]:
        """The transport could not send this message (RFC 3261 §18.4): a request fails at once, a response is tried
        again by its timers."""
        out: list[Output] = []
        slot = self._slot_of(transmit.data)
        if slot is not None:
            self._unsendable(slot, now, out, sent=False)
        else:
            self.counters["unsent"] += 1
        return out

    def _slot_of(self, data: bytes) -> Slot | None:
        """The transaction of ours that this is the request of, if any."""
        if data[:4] == b"SIP/":
            return None
        try:
            request = parse(data)
        except RemoteSipError:
            return None
        if not isinstance(request, Request) or request.method == "ACK":
            return None
        return self._slots.get(client_key(request))

    def _unsendable(self, slot: Slot, now: float, out: list[Output], *, sent: bool) -> None:
        """The request of this transaction could not be sent, or its answer cannot come any more."""
        if slot.instead is not None and not sent:
            self._by_datagrams(slot, slot.instead, now, out)
            return
        self.counters["unsent"] += 1
        self._feed(slot, TransactionInput.TRANSPORT_ERROR, now, out)


def client_key(message: Request | Response) -> Key:
    """RFC 3261 §17.1.3: branch and the method of CSeq."""
    return ("client", message.via.branch, message.method)


def server_key(request: Request, method: str) -> Key:
    """RFC 3261 §17.2.3: branch, sent-by and method; an ACK is of its INVITE. A peer of RFC 2543 is told by the rest,
    and so is one whose branch is the cookie alone (RFC 4475 §3.2.1)."""
    via = request.via
    method = "INVITE" if method == "ACK" else method
    if via.branch.startswith(MAGIC_COOKIE) and via.branch != MAGIC_COOKIE:
        return (via.branch, via.host, str(via.port), method)
    return ("2543", via.text, request.call_id, request.from_.tag or "", str(request.cseq), method)
